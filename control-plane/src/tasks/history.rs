//! Takes out history that is older than it is to be kept, a little at a time, so that what agents send goes first.

use super::driver::Task;
use async_trait::async_trait;
use environment::Clock;
use model::Timestamp;
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;
use store::history::{Forgotten, History};

/// How often it looks. History is kept for days; the horizon moves by less than an hour at a time.
const INTERVAL: Duration = Duration::from_secs(600);

/// Between two steps, each of which takes some milliseconds of the writer's time: nine tenths of it stay for ingest.
const PAUSE: Duration = Duration::from_millis(50);

/// Steps of one run; what is left is done by the next one. They take far less than a run may.
const STEPS_MAX: usize = 2_000;

const DAY: Duration = Duration::from_secs(24 * 3600);

pub(super) struct Forgetting {
    pub(super) history: Arc<dyn History>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) days: u32,
}

#[async_trait]
impl Task for Forgetting {
    fn name(&self) -> &'static str {
        "history"
    }

    fn interval(&self) -> Duration {
        INTERVAL
    }

    async fn run(&self) -> Result<(), Box<dyn Error + Send + Sync>> {
        let Some(before) = self.clock.wall().checked_sub(DAY.saturating_mul(self.days)) else {
            return Ok(());
        };
        let before = Timestamp::from(before);
        if !self.history.is_older(before).await? {
            // Nothing reaches back that far: history is whole, and says so.
            return Ok(());
        }
        let mut sum = Forgotten::default();
        for _ in 0..STEPS_MAX {
            let step = self.history.forget(before).await?;
            sum.changes = sum.changes.saturating_add(step.changes);
            sum.versions = sum.versions.saturating_add(step.versions);
            sum.relations = sum.relations.saturating_add(step.relations);
            if step.is_done {
                break;
            }
            tokio::time::sleep(PAUSE).await;
        }
        let Forgotten { changes, versions, relations, .. } = sum;
        if changes > 0 || versions > 0 || relations > 0 {
            tracing::info!(
                changes,
                versions,
                relations,
                "history that is no longer kept was taken out"
            );
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use environment::SimulatedClock;
    use store::conformance::created;
    use store::database::Database;
    use store::observed::ItemStore;
    use store::sqlite::SqliteItems;

    #[tokio::test]
    async fn history_is_whole_until_something_is_older_than_it_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let database = Database::open(&folder.path().join("dharma.sqlite")).unwrap();
        let store = SqliteItems::open(database).unwrap();
        // Its items are observed ten seconds after the epoch.
        store.apply(Arc::new(created(1..=3))).await.unwrap();
        let clock = Arc::new(SimulatedClock::at(std::time::UNIX_EPOCH + 2 * DAY));
        let task = Forgetting {
            history: Arc::new(store.clone()),
            clock: Arc::clone(&clock) as Arc<dyn Clock>,
            days: 2,
        };
        task.run().await.unwrap();
        assert_eq!(store.kept_since().await.unwrap(), None);
        clock.advance(DAY);
        task.run().await.unwrap();
        let kept_since = store.kept_since().await.unwrap();
        assert_eq!(kept_since, Some(Timestamp::from_millis(24 * 3_600_000)));
    }
}
