//! Moves items through their life by time alone: missing to stale to retired.

use super::driver::Task;
use crate::ingest::Ingest;
use async_trait::async_trait;
use std::error::Error;
use std::time::Duration;

/// Lives are counted in days; a minute's delay is nobody's loss.
const INTERVAL: Duration = Duration::from_secs(60);

pub(super) struct Lifecycle {
    pub(super) ingest: Ingest,
}

#[async_trait]
impl Task for Lifecycle {
    fn name(&self) -> &'static str {
        "lifecycle"
    }

    fn interval(&self) -> Duration {
        INTERVAL
    }

    async fn run(&self) -> Result<(), Box<dyn Error + Send + Sync>> {
        Ok(self.ingest.sweep().await?)
    }
}
