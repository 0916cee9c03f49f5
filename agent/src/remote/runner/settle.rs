//! What follows from a look that has ended: the next one, the credential, what the control plane may be told.

use super::{Done, Runner, Task};
use crate::board::Known;
use crate::look::Failure;
use crate::remote::guard::Fingerprint;
use crate::remote::job::Outcome;
use crate::remote::slot::Slot;
use crate::remote::wire::Key;
use model::{Coverage, CoverageStatus};
use std::time::Duration;
use tokio::task::{Id, JoinError};
use tokio::time::Instant;

/// How soon a look is tried again that the spool did not take, or that broke off.
const RETRY: Duration = Duration::from_secs(15);

impl Runner {
    pub(super) fn ended(&mut self, done: Result<(Id, Done), JoinError>) {
        let now = Instant::now();
        let (id, done) = match done {
            Ok((id, done)) => (id, Some(done)),
            Err(error) => {
                if !error.is_cancelled() {
                    tracing::error!("a look broke off; this is a defect, please report it");
                }
                (error.id(), None)
            }
        };
        let task = self.tasks.remove(&id);
        if let Some(Done::Probe(result)) = done {
            self.board.answer(result);
            return;
        }
        if let Some(Task::Look { key, set, credentials }) = task {
            for (_, _, fingerprint) in &credentials {
                self.guard.end(*fingerprint);
            }
            if let Some(pace) = self.paces.get_mut(&set) {
                pace.running = pace.running.saturating_sub(1);
            }
            self.wake_next(&set, now);
            self.wake_idle(now);
            // A target that was taken away and given again has another look of its own by now.
            let is_own = self
                .slots
                .get(&key)
                .is_some_and(|slot| slot.running.as_ref().is_none_or(|running| running.id() == id));
            if is_own {
                if let Some(slot) = self.slots.get_mut(&key) {
                    slot.running = None;
                }
                match done {
                    Some(Done::Look(outcome)) => self.settle(*outcome, &credentials, now),
                    _ => {
                        if self.slots.get(&key).is_some_and(|slot| slot.queued.is_none()) {
                            self.enqueue(&key, now + RETRY);
                        }
                    }
                }
            }
        }
        if let Some((_, _, ending)) = &mut self.pending {
            ending.remove(&id);
        }
        self.settle_pending();
    }

    /// A look that is under way was let in: what waits to know whether the credential is right waits no longer.
    pub(super) fn let_in(&mut self, id: Id, name: &str) {
        let Some(Task::Look { key, credentials, .. }) = self.tasks.get_mut(&id) else { return };
        let (key, tried) = (key.clone(), std::mem::take(credentials));
        for (_, _, fingerprint) in &tried {
            self.guard.end(*fingerprint);
        }
        self.judge(&key, Some(name), None, &tried);
        self.wake_all(Instant::now());
    }

    /// Sets of which nothing is under way may wait for a credential that another set tries.
    fn wake_idle(&mut self, now: Instant) {
        let idle =
            self.paces.iter().filter(|(_, pace)| pace.running == 0 && !pace.waiting.is_empty());
        let idle: Vec<String> = idle.map(|(name, _)| name.clone()).collect();
        for set in idle {
            self.wake_next(&set, now);
        }
    }

    /// Everything that waits: what held it back may hold it no longer.
    fn wake_all(&mut self, now: Instant) {
        let waiting: Vec<Key> =
            self.paces.values_mut().flat_map(|pace| pace.waiting.drain(..)).collect();
        for key in waiting {
            if let Some(slot) = self.slots.get_mut(&key).filter(|slot| slot.is_waiting) {
                slot.is_waiting = false;
                self.enqueue(&key, now);
            }
        }
    }

    /// A place among the looks of a set is free, or was not taken: it is the turn of the next that waits.
    pub(super) fn wake_next(&mut self, set: &str, now: Instant) {
        let Some(pace) = self.paces.get_mut(set) else { return };
        while let Some(key) = pace.waiting.pop_front() {
            if let Some(slot) = self.slots.get_mut(&key).filter(|slot| slot.is_waiting) {
                slot.is_waiting = false;
                self.enqueue(&key, now);
                return;
            }
        }
    }

    fn settle(
        &mut self,
        outcome: Outcome,
        credentials: &[(String, String, Fingerprint)],
        now: Instant,
    ) {
        let key = outcome.key.clone();
        self.judge(&key, outcome.accepted.as_deref(), outcome.failure, credentials);
        let mut random = [0; 2];
        self.around.randomness.fill(&mut random);
        let Some(slot) = self.slots.get_mut(&key) else { return };
        slot.was_refused = outcome.failure == Some(Failure::Refused);
        if outcome.accepted.is_some() {
            slot.accepted.clone_from(&outcome.accepted);
        }
        for scope in &outcome.scopes {
            slot.plan(&scope.scope, now, u16::from_le_bytes(random));
            let known = slot.scopes.iter_mut().find(|known| known.declaration.name == scope.scope);
            let Some(known) = known else { continue };
            known.is_whole = false;
            if let Some(through) = scope.through {
                known.reported_through = through;
            }
            if scope.had_readings {
                known.readings_at = Some(now);
            }
            let told = Known {
                looked_at: scope.header.looked_at,
                digest: scope.header.digest,
                reported_through: known.reported_through,
                is_pending: scope.through.is_none(),
            };
            self.board.know(key.0, &key.1, &scope.scope, Some(told));
            known.header = Some(scope.header.clone());
        }
        if let Some(why) = &outcome.unaccepted {
            tracing::warn!(target = %key.1, why, "a look was not accepted");
            slot.put_off(now + RETRY);
        }
        self.publish(&key, &outcome);
        self.replan(&key);
    }

    /// What the look tells of the credentials that were tried.
    fn judge(
        &mut self,
        key: &Key,
        accepted: Option<&str>,
        failure: Option<Failure>,
        credentials: &[(String, String, Fingerprint)],
    ) {
        let now = Instant::now();
        for (name, kind, fingerprint) in credentials {
            if accepted == Some(name) {
                self.guard.accepted(key, *fingerprint);
                // Those behind it were not tried.
                return;
            }
            // Those before the one that was accepted were tried, and all of them when none was.
            if accepted.is_some() || failure == Some(Failure::Refused) {
                self.guard.refused(key, *fingerprint, kind, now);
            }
        }
    }

    fn publish(&self, key: &Key, outcome: &Outcome) {
        let Some(slot) = self.slots.get(key) else { return };
        let coverage = worst(slot);
        let count: usize =
            slot.scopes.iter().filter_map(|scope| scope.header.as_ref()).map(|one| one.count).sum();
        let looked_at = slot.scopes.iter().filter_map(|scope| scope.header.as_ref());
        let looked_at = looked_at.map(|header| header.looked_at).max();
        self.board.update(key.0, &key.1, |status| {
            "done".clone_into(&mut status.state);
            status.looked_at = looked_at;
            status.coverage = coverage;
            status.seen_count = u64::try_from(count).unwrap_or(u64::MAX);
            status.credential.clone_from(&slot.accepted);
            status.at.clear();
            (status.done, status.total) = (0, 0);
            status.millis = outcome.millis;
        });
    }
}

/// The least complete of a target's scopes.
fn worst(slot: &Slot) -> Option<Coverage> {
    let rank = |coverage: &Coverage| match coverage.status {
        CoverageStatus::NotLookedAt => 0,
        CoverageStatus::Partial => 1,
        CoverageStatus::Complete => 2,
    };
    let all = slot.scopes.iter().filter_map(|scope| scope.header.as_ref()?.coverage.as_ref());
    all.min_by_key(|coverage| rank(coverage)).cloned()
}
