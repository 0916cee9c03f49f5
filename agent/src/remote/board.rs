//! How targets fare, for the control plane and for `dharma-agent status`. What the runner writes and the uplink reads.
//!
//! Invariants: what changed is sent once, and everything again in a new session; what waits to be sent is bounded.

use crate::board::Known;
use model::{Coverage, SourceId, Timestamp};
use proto::limits::TARGET_STATES_MAX;
use proto::{convert, v1};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;

/// Answers to probes that wait to be sent.
const RESULTS_MAX: usize = 64;
/// Confirmations of one beat.
const CONFIRMATIONS_MAX: usize = 2048;
/// Targets that a status shows.
const STATUS_MAX: usize = 1000;

/// How a target fares.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TargetStatus {
    /// The collector.
    pub collector: String,
    /// The target's id.
    pub id: String,
    /// Its set.
    pub set: String,
    /// `waiting`, `running`, `done` or `paused`.
    pub state: String,
    /// When it was last looked at.
    pub looked_at: Option<Timestamp>,
    /// The least complete of its scopes; of a pause, why.
    pub coverage: Option<Coverage>,
    /// How many things it holds.
    pub seen_count: u64,
    /// The credential that it accepted.
    pub credential: Option<String>,
    /// When it is looked at next.
    pub next_look: Option<Timestamp>,
    /// What is being looked at.
    pub at: String,
    /// How many steps are done.
    pub done: u64,
    /// Of how many; 0 when that is not known.
    pub total: u64,
    /// How long the last look took.
    pub millis: u64,
}

impl TargetStatus {
    fn wire(&self) -> v1::TargetState {
        let millis = |moment: Option<Timestamp>| moment.map_or(0, Timestamp::millis);
        v1::TargetState {
            collector: self.collector.clone(),
            id: self.id.clone(),
            state: self.state.clone(),
            looked_at: millis(self.looked_at),
            coverage: self.coverage.as_ref().map(convert::coverage_to),
            seen_count: self.seen_count,
            credential: self.credential.clone().unwrap_or_default(),
            next_look: millis(self.next_look),
            at: self.at.clone(),
            done: self.done,
            total: self.total,
            millis: self.millis,
        }
    }
}

type StateKey = (String, String);

#[derive(Debug, Default)]
struct Inner {
    generation: u64,
    hash: Vec<u8>,
    targets: BTreeMap<StateKey, TargetStatus>,
    changed: BTreeSet<StateKey>,
    known: BTreeMap<(StateKey, String), Known>,
    results: Vec<v1::ProbeResult>,
    is_urgent: bool,
}

/// The board; clones are the same board.
#[derive(Clone, Debug)]
pub struct RemoteBoard {
    inner: Arc<Mutex<Inner>>,
    news: watch::Sender<u64>,
}

impl Default for RemoteBoard {
    fn default() -> Self {
        Self { inner: Arc::default(), news: watch::Sender::new(0) }
    }
}

impl RemoteBoard {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ring(&self, mut inner: MutexGuard<'_, Inner>) {
        inner.is_urgent = true;
        drop(inner);
        self.news.send_modify(|count| *count = count.wrapping_add(1));
    }

    /// What is in effect from now on; targets that are not in it are forgotten.
    pub(super) fn set_effective(&self, generation: u64, hash: Vec<u8>) {
        let mut inner = self.inner();
        (inner.generation, inner.hash) = (generation, hash);
        self.ring(inner);
    }

    /// Forgets a target.
    pub(super) fn remove(&self, collector: &str, id: &str) {
        let mut inner = self.inner();
        let key = (collector.to_owned(), id.to_owned());
        inner.targets.remove(&key);
        inner.changed.remove(&key);
        inner.known.retain(|(of, _), _| *of != key);
    }

    /// Changes what is said of a target; the control plane hears of it soon.
    pub(super) fn update(&self, collector: &str, id: &str, update: impl FnOnce(&mut TargetStatus)) {
        let mut inner = self.inner();
        let key = (collector.to_owned(), id.to_owned());
        let status = inner.targets.entry(key.clone()).or_insert_with(|| TargetStatus {
            collector: collector.to_owned(),
            id: id.to_owned(),
            ..TargetStatus::default()
        });
        let before = status.clone();
        update(status);
        if *status != before {
            inner.changed.insert(key);
            self.ring(inner);
        }
    }

    /// Notes what the control plane may be told of a scope without a report.
    pub(super) fn know(&self, collector: &str, id: &str, scope: &str, known: Option<Known>) {
        let mut inner = self.inner();
        let key = ((collector.to_owned(), id.to_owned()), scope.to_owned());
        match known {
            Some(known) => inner.known.insert(key, known),
            None => inner.known.remove(&key),
        };
    }

    /// An answer to a probe.
    pub(super) fn answer(&self, result: v1::ProbeResult) {
        let mut inner = self.inner();
        if inner.results.len() < RESULTS_MAX {
            inner.results.push(result);
        }
        self.ring(inner);
    }

    /// A new session: the control plane is told everything again, it may not be the same one.
    pub fn say_all(&self) {
        let mut inner = self.inner();
        inner.changed = inner.targets.keys().cloned().collect();
        inner.known.values_mut().for_each(|known| known.is_pending = true);
    }

    /// Whether there is something to say soon.
    #[must_use]
    pub fn is_urgent(&self) -> bool {
        self.inner().is_urgent
    }

    /// Whether any target is read, so that a lease is needed.
    #[must_use]
    pub fn has_targets(&self) -> bool {
        !self.inner().targets.is_empty()
    }

    /// A signal at everything urgent.
    #[must_use]
    pub fn news(&self) -> watch::Receiver<u64> {
        self.news.subscribe()
    }

    /// Takes what is to be said. `committed` is what the control plane has of the class Inventory.
    #[must_use]
    pub fn take_beat(&self, number: u64, committed: u64) -> v1::TargetBeat {
        let mut inner = self.inner();
        let keys: Vec<StateKey> = inner.changed.iter().take(TARGET_STATES_MAX).cloned().collect();
        let mut states = Vec::with_capacity(keys.len());
        for key in keys {
            inner.changed.remove(&key);
            states.extend(inner.targets.get(&key).map(TargetStatus::wire));
        }
        let mut confirmations = Vec::new();
        for (((collector, target), scope), known) in &mut inner.known {
            let is_due = known.is_pending && known.reported_through <= committed;
            if is_due && confirmations.len() < CONFIRMATIONS_MAX {
                known.is_pending = false;
                let source = SourceId { collector: collector.clone(), target: target.clone() };
                confirmations.push(v1::ScopeConfirmation {
                    scope: Some(convert::scope_to(&source, scope)),
                    looked_at: known.looked_at.millis(),
                    digest: convert::digest_to(known.digest),
                });
            }
        }
        inner.is_urgent = !inner.changed.is_empty();
        v1::TargetBeat {
            number,
            generation: inner.generation,
            hash: inner.hash.clone(),
            states,
            confirmations,
            results: std::mem::take(&mut inner.results),
        }
    }

    /// How targets fare: those that are not well first, the first of them all when there are very many.
    #[must_use]
    pub fn targets(&self) -> Vec<TargetStatus> {
        let inner = self.inner();
        let is_well = |status: &&TargetStatus| {
            status
                .coverage
                .as_ref()
                .is_none_or(|coverage| coverage.status == model::CoverageStatus::Complete)
        };
        let unwell = inner.targets.values().filter(|status| !is_well(status));
        unwell.chain(inner.targets.values().filter(is_well)).take(STATUS_MAX).cloned().collect()
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.inner().targets.len()
    }
}
