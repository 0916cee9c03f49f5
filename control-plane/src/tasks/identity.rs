//! Decides again about everything that is known, after other rules of identity were made live.

use super::driver::Task;
use crate::ingest::Ingest;
use async_trait::async_trait;
use environment::Clock;
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;
use store::identity::Identity;

/// New rules begin to count for what comes at once; a few seconds until the rest follows are nobody's loss.
const INTERVAL: Duration = Duration::from_secs(5);

/// One run ends after this long, well before it counts as broken; the next one goes on.
const RUN_TIME: Duration = Duration::from_secs(120);

pub(super) struct Regrouping {
    pub(super) ingest: Ingest,
    pub(super) identity: Arc<dyn Identity>,
    pub(super) clock: Arc<dyn Clock>,
}

#[async_trait]
impl Task for Regrouping {
    fn name(&self) -> &'static str {
        "identity_rules"
    }

    fn interval(&self) -> Duration {
        INTERVAL
    }

    async fn run(&self) -> Result<(), Box<dyn Error + Send + Sync>> {
        let latest = self.identity.rules(1).await?.pop();
        if latest.is_none_or(|rules| rules.is_applied) {
            return Ok(());
        }
        let begun = self.clock.monotonic();
        while self.ingest.regroup().await? > 0 {
            if self.clock.monotonic().saturating_sub(begun) > RUN_TIME {
                return Ok(());
            }
        }
        tracing::info!("everything that is known was decided by the latest rules of identity");
        Ok(())
    }
}
