//! Renews the control plane's own certificate long before it ends. Open connections keep the one they began with.

use super::driver::Task;
use async_trait::async_trait;
use environment::Clock;
use pki::{Authority, ServerIdentitySource};
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

/// How often it looks.
const INTERVAL: Duration = Duration::from_secs(3600);

/// How long before its end a certificate is replaced: a third of its life.
const RENEW_BEFORE: Duration = Duration::from_secs(30 * 24 * 3600);

pub(super) struct Certificate {
    pub(super) authority: Arc<Authority>,
    pub(super) identity: ServerIdentitySource,
    pub(super) names: Vec<String>,
    pub(super) clock: Arc<dyn Clock>,
}

#[async_trait]
impl Task for Certificate {
    fn name(&self) -> &'static str {
        "certificate"
    }

    fn interval(&self) -> Duration {
        INTERVAL
    }

    async fn run(&self) -> Result<(), Box<dyn Error + Send + Sync>> {
        let now = self.clock.wall();
        let left = self.identity.current().not_after().duration_since(now).unwrap_or_default();
        if left > RENEW_BEFORE {
            return Ok(());
        }
        self.identity.replace(self.authority.issue_server(&self.names, now)?);
        tracing::info!("the certificate of the control plane was renewed");
        Ok(())
    }
}
