//! Background tasks, and the one place that owns them.
//!
//! A task takes no input: it runs at its interval, and at once when something wakes it. How it fares is stored, so
//! that `inspect tasks` can show it even when the control plane is down.

mod certificate;
mod driver;
mod history;
mod identity;
mod lifecycle;

use crate::app::App;
use crate::ingest::Ingest;
use driver::Driver;
use pki::{Authority, ServerIdentitySource};
use std::sync::Arc;

/// The tasks that run.
#[derive(Debug)]
pub struct Tasks {
    driver: Driver,
}

impl Tasks {
    /// Starts all of them.
    #[must_use]
    pub fn start(
        app: &App,
        ingest: Ingest,
        authority: Arc<Authority>,
        identity: ServerIdentitySource,
        names: Vec<String>,
    ) -> Self {
        let mut driver = Driver::new(app);
        driver.add(identity::Regrouping {
            ingest: ingest.clone(),
            identity: Arc::clone(&app.identity_store),
            clock: Arc::clone(&app.clock),
        });
        driver.add(lifecycle::Lifecycle { ingest });
        if let Some(days) = app.options.history_days {
            let clock = Arc::clone(&app.clock);
            driver.add(history::Forgetting { history: Arc::clone(&app.history), clock, days });
        }
        driver.add(certificate::Certificate {
            authority,
            identity,
            names,
            clock: Arc::clone(&app.clock),
        });
        Self { driver }
    }

    /// Ends all of them; one that is at work finishes first.
    pub async fn stop(&self) {
        self.driver.stop().await;
    }
}
