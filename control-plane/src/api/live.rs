//! The feed of changes that the event stream, GraphQL subscriptions and gRPC watchers share.
//!
//! Invariants: a subscriber gets every committed change once and in order, or an error that says from where to go on;
//! none is skipped silently. A subscriber holds nothing but its place: what it has not taken yet stays in the store,
//! so that a slow one costs no memory.

use crate::api::error::{ApiError, Code};
use model::{Change, Name, Revision};
use std::sync::Arc;
use std::time::Duration;
use store::items::Items;
use tokio::sync::watch;
use tokio::time::Instant;

/// Changes of one batch. Revisions come whole, so that a batch with a great one is greater.
const BATCH_CHANGES_MAX: u32 = 500;

/// Revisions that a subscriber may be behind. Further back, reading the present anew costs less than the past.
pub const BEHIND_MAX: u64 = 10_000;

/// Time between two batches: a screen that changes more than four times a second helps nobody.
const BATCH_INTERVAL: Duration = Duration::from_millis(250);

/// How often a long stream asks whether its caller is still allowed.
pub const RECHECK_INTERVAL: Duration = Duration::from_secs(15);

/// Changes that were committed together.
#[derive(Debug, Clone)]
pub struct Batch {
    /// Everything through this revision is contained or was before.
    pub revision: Revision,
    /// The changes, oldest first; never empty.
    pub changes: Vec<Change>,
}

/// A subscriber's place in the history.
pub struct Feed {
    items: Arc<dyn Items>,
    revisions: watch::Receiver<Revision>,
    last: Revision,
    classes: Vec<Name>,
    next_at: Instant,
}

impl std::fmt::Debug for Feed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Feed").field("last", &self.last).finish_non_exhaustive()
    }
}

impl Feed {
    /// A feed of what is committed after this revision; without one, from now on. Only of these classes; none: all.
    ///
    /// # Errors
    /// `SUBSCRIPTION_LAGGED` when the revision lies too far back, or is none of this store.
    pub fn open(
        items: Arc<dyn Items>,
        after: Option<Revision>,
        classes: Vec<Name>,
    ) -> Result<Self, ApiError> {
        let revisions = items.revisions();
        let newest = *revisions.borrow();
        let last = after.unwrap_or(newest);
        if last > newest {
            let detail = format!(
                "revision {} was never committed here; read everything anew and subscribe after revision {}",
                last.0, newest.0
            );
            return Err(lagged(detail, last, newest));
        }
        check(last, newest)?;
        Ok(Self { items, revisions, last, classes, next_at: Instant::now() })
    }

    /// The last revision that was handed out.
    #[must_use]
    pub const fn last(&self) -> Revision {
        self.last
    }

    /// The next batch, once there is one. Cancelling it loses nothing.
    ///
    /// # Errors
    /// `SUBSCRIPTION_LAGGED` when the subscriber is too slow, or when the store does not answer.
    pub async fn next(&mut self) -> Result<Batch, ApiError> {
        loop {
            let last = self.last;
            self.revisions
                .wait_for(|newest| *newest > last)
                .await
                .map_err(|_| ApiError::new(Code::Unavailable, "the control plane stops"))?;
            tokio::time::sleep_until(self.next_at).await;
            let newest = *self.revisions.borrow_and_update();
            check(last, newest)?;
            let mut changes = self.items.changes_after(last, BATCH_CHANGES_MAX).await?;
            self.next_at = Instant::now() + BATCH_INTERVAL;
            self.last = changes.last().map_or(newest, |change| change.revision);
            if !self.classes.is_empty() {
                changes.retain(|change| self.classes.contains(&change.class));
            }
            if !changes.is_empty() {
                return Ok(Batch { revision: self.last, changes });
            }
        }
    }
}

/// Whether a subscriber that has everything through `last` may go on.
fn check(last: Revision, newest: Revision) -> Result<(), ApiError> {
    if newest.0.saturating_sub(last.0) <= BEHIND_MAX {
        return Ok(());
    }
    let detail = format!(
        "the subscriber has everything through revision {} and is more than {BEHIND_MAX} revisions behind; read everything anew and subscribe after revision {}",
        last.0, newest.0
    );
    Err(lagged(detail, last, newest))
}

fn lagged(detail: String, last: Revision, newest: Revision) -> ApiError {
    ApiError::new(Code::SubscriptionLagged, detail)
        .with("delivered_through", last.0)
        .with("resume_after", newest.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subscriber_that_is_too_slow_is_told_what_it_has_and_from_where_to_go_on() {
        assert!(check(Revision(5), Revision(5 + BEHIND_MAX)).is_ok());
        let error = check(Revision(5), Revision(6 + BEHIND_MAX)).unwrap_err();
        assert_eq!(error.code, Code::SubscriptionLagged);
        assert_eq!(error.params.get("delivered_through"), Some(&5.into()));
        assert_eq!(error.params.get("resume_after"), Some(&(6 + BEHIND_MAX).into()));
    }
}
