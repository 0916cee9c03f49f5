//! One look at one target: its scopes in order, into the spool. Runs as a task of its own and may be dropped at any
//! await: what the spool has accepted stays, the rest is looked at again.

use super::board::RemoteBoard;
use super::wire::Key;
use crate::delta::Header;
use crate::look::{self, Bounds, Failure, Looked, Order, ScopeFiles};
use crate::report::chain;
use collector::{Collector, Guard, Progress, Target};
use environment::{Clock, Randomness};
use model::Coverage;
use model::run::CoverageReason;
use spool::{Priority, Spool};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::Id;

/// What one look needs.
pub(super) struct Job {
    pub(super) key: Key,
    pub(super) collector: &'static dyn Collector,
    pub(super) target: Target,
    pub(super) files: ScopeFiles,
    /// What is looked at, and how long each may take.
    pub(super) orders: Vec<(Order, Duration)>,
    pub(super) context: String,
    pub(super) spool: Spool,
    pub(super) board: RemoteBoard,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) randomness: Arc<dyn Randomness>,
    /// Hears of a credential as soon as it is accepted: others wait to know whether it is right.
    pub(super) accepted: mpsc::Sender<(Id, String)>,
}

/// What came of one scope.
#[derive(Debug)]
pub(super) struct ScopeOutcome {
    pub(super) scope: String,
    pub(super) header: Header,
    /// The sequence of its last part, if there were any.
    pub(super) through: Option<u64>,
    pub(super) had_readings: bool,
}

/// What came of a look.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) key: Key,
    pub(super) scopes: Vec<ScopeOutcome>,
    /// Scopes that the spool or the disk did not take, and why.
    pub(super) unaccepted: Option<String>,
    pub(super) accepted: Option<String>,
    pub(super) failure: Option<Failure>,
    pub(super) millis: u64,
}

impl Job {
    /// Looks.
    pub(super) async fn run(self) -> Outcome {
        let began = self.clock.monotonic();
        let mut outcome = Outcome {
            key: self.key.clone(),
            scopes: Vec::new(),
            unaccepted: None,
            accepted: None,
            failure: None,
            millis: 0,
        };
        let mut verdict: Option<Coverage> = None;
        for (order, limit) in &self.orders {
            let looked = match &verdict {
                // Nobody let us in or answered: the other scopes are not tried, each would be one attempt more.
                Some(coverage) => look::unlooked(&self.around(), order, coverage.clone()),
                None => self.look(order, *limit).await,
            };
            let looked = match looked {
                Ok(looked) => looked,
                Err(error) => {
                    outcome.unaccepted = Some(chain(&error));
                    continue;
                }
            };
            if outcome.accepted.is_none() {
                outcome.accepted.clone_from(&looked.accepted);
                self.tell(looked.accepted.as_deref());
            }
            let is_final = matches!(
                looked.failure,
                Some(Failure::Refused | Failure::Unreachable | Failure::Misconfigured)
            );
            if is_final && verdict.is_none() {
                outcome.failure = looked.failure;
                verdict = Some(looked.summary.coverage.clone());
            }
            match self.accept(looked).await {
                Ok(scope) => outcome.scopes.push(scope),
                Err(why) => outcome.unaccepted = Some(why),
            }
        }
        let spent = self.clock.monotonic().saturating_sub(began).as_millis();
        outcome.millis = u64::try_from(spent).unwrap_or(u64::MAX);
        outcome
    }

    /// A full queue loses nothing: the end of the look says it again.
    fn tell(&self, accepted: Option<&str>) {
        if let (Some(name), Some(id)) = (accepted, tokio::task::try_id()) {
            drop(self.accepted.try_send((id, name.to_owned())));
        }
    }

    fn around(&self) -> look::Surroundings<'_> {
        look::Surroundings {
            collector: self.collector,
            target: &self.target,
            files: &self.files,
            context: &self.context,
            clock: &*self.clock,
            randomness: &*self.randomness,
        }
    }

    async fn look(&self, order: &Order, limit: Duration) -> std::io::Result<Looked> {
        let (collector, id) = (self.key.0, &self.key.1);
        let watcher = |progress: Progress| {
            self.board.update(collector, id, |status| {
                status.at = crate::report::bounded(&format!("{}: {}", order.scope, progress.at));
                status.done = progress.done;
                status.total = progress.total.unwrap_or(0);
            });
        };
        look::look_within(&self.around(), order, Some(Bounds { limit, watcher: &watcher })).await
    }

    /// Hands a look to the spool; once it is accepted it is the new base.
    async fn accept(&self, looked: Looked) -> Result<ScopeOutcome, String> {
        let Looked { parts, readings, summary, .. } = looked;
        let mut through = None;
        for part in parts {
            let appended = self.spool.append(Priority::Inventory, part.into()).await;
            through = Some(appended.map_err(|error| chain(&error))?);
        }
        let had_readings = !readings.is_empty();
        for record in readings {
            // Readings are not worth repeating a look for.
            if let Err(error) = self.spool.append(Priority::Metrics, record.into()).await {
                tracing::warn!(error = chain(&error), "readings of a target were not accepted");
            }
        }
        if summary.has_new_state
            && let Err(error) = self.files.keep(&summary.scope)
        {
            tracing::warn!(%error, "the state of a target cannot be kept");
        }
        let header = Header {
            coverage: Some(summary.coverage.clone()),
            digest: summary.scope_digest(),
            count: summary.count,
            looked_at: summary.looked_at,
            guard: summary.guard.map(Guard),
            context: self.context.clone(),
        };
        Ok(ScopeOutcome { scope: summary.scope, header, through, had_readings })
    }
}

/// What is said of a target that is not looked at for a reason of ours.
pub(super) fn held(why: String) -> Coverage {
    Coverage::not_looked_at(CoverageReason::PermissionDenied, why)
}
