//! What is read over the network: target sets, credentials, and the agents that read.
//!
//! Invariants: a target is read by one agent at a time (`plan`); an agent gets the secrets that its own targets need
//! and no others; a secret leaves this module only in a frame to such an agent. What changes is written down first
//! and told afterwards.
//!
//! Deliberately not here: the streams (`api::grpc::uplink`), and what agents report (`ingest`).

mod asks;
mod assigned;
mod credentials;
mod desired;
mod error;
mod plan;
pub mod seal;
mod seats;
mod sets;
mod states;

pub use asks::{ProbeRequest, Probed};
pub use assigned::{Assigned, Standing};
pub use credentials::{CredentialChange, CredentialView};
pub use error::TargetsError;
pub use seats::Seat;
pub use sets::{SetView, TargetView};
pub use states::TargetState;

use environment::Clock;
use model::{AgentId, Timestamp};
use plan::{Group, Key, Plan, Round, Wanted};
use seal::Sealer;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use store::targets::{CredentialRecord, HolderRecord, SetRecord};
use tokio::sync::{Notify, oneshot};
use tokio_util::sync::CancellationToken;

/// How often the plan is looked at when nothing wakes it: a lease that ran out is noticed so late at most.
const TICK: Duration = Duration::from_secs(1);
/// How long planning rests after the store did not take its decision.
const REST: Duration = Duration::from_secs(2);
/// Targets of all sets together: what the plan holds in memory and goes through at a change.
const TARGETS_SUM_MAX: usize = 262_144;

/// A set with its targets.
#[derive(Debug)]
struct KnownSet {
    record: SetRecord,
    collector: Arc<str>,
    /// Id and address of each.
    targets: Vec<(Arc<str>, Arc<str>)>,
}

#[derive(Debug, Default)]
struct Inner {
    sets: BTreeMap<String, KnownSet>,
    credentials: BTreeMap<String, CredentialRecord>,
    plan: Plan,
    seats: HashMap<AgentId, seats::Occupied>,
    streams_count: u64,
    states: HashMap<Key, TargetState>,
    probes: HashMap<u64, (AgentId, oneshot::Sender<Probed>)>,
    probes_count: u64,
    /// Who is connected, what is wanted, or what is released has changed.
    is_plan_due: bool,
    /// When an agent that has just come will have settled.
    settle_at: Option<Duration>,
    /// A set or a credential has changed, so that agents are told even when nothing moves.
    is_content_due: bool,
}

/// Targets, credentials and who reads what.
#[derive(Debug)]
pub struct Targets {
    store: Arc<dyn store::targets::Targets>,
    sealer: Sealer,
    clock: Arc<dyn Clock>,
    assigned: Assigned,
    inner: Mutex<Inner>,
    /// Changes of sets and credentials come one after the other, so that what is checked is what is written.
    changing: tokio::sync::Mutex<()>,
    wake: Notify,
}

impl Targets {
    /// What is stored, taken up again.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn start(
        store: Arc<dyn store::targets::Targets>,
        sealer: Sealer,
        clock: Arc<dyn Clock>,
        assigned: Assigned,
    ) -> Result<Self, TargetsError> {
        let mut inner = Inner { is_plan_due: true, ..Inner::default() };
        for record in store.sets().await? {
            match KnownSet::of(record) {
                Ok(known) => {
                    inner.sets.insert(known.record.set.name.clone(), known);
                }
                Err(error) => tracing::error!(%error, "a stored target set cannot be used"),
            }
        }
        for record in store.credentials().await? {
            inner.credentials.insert(record.credential.name.clone(), record);
        }
        let now = clock.monotonic();
        for holder in store.holders().await? {
            let key: Key = (holder.collector.as_str().into(), holder.target.as_str().into());
            if let Some(agent) = holder.agent {
                assigned.set(&key, Some(agent));
                inner.plan.remember(key, agent, now);
            }
        }
        let targets = Self {
            store,
            sealer,
            clock,
            assigned,
            inner: Mutex::new(inner),
            changing: tokio::sync::Mutex::new(()),
            wake: Notify::new(),
        };
        targets.seal_anew().await?;
        Ok(targets)
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> Timestamp {
        self.clock.wall().into()
    }

    /// Plans until told to stop.
    pub async fn work(self: Arc<Self>, stopping: CancellationToken) {
        loop {
            tokio::select! {
                () = stopping.cancelled() => return,
                () = self.wake.notified() => {}
                () = tokio::time::sleep(TICK) => {}
            }
            if let Err(error) = self.replan().await {
                tracing::error!(%error, "cannot write down who reads which target; it is tried again");
                self.inner().is_plan_due = true;
                tokio::time::sleep(REST).await;
            }
        }
    }

    /// One round of planning, when there is a reason for one.
    async fn replan(&self) -> Result<(), TargetsError> {
        let Some(round) = self.round() else { return Ok(()) };
        let moves = round.moves.iter().map(|(key, agent)| HolderRecord {
            collector: key.0.to_string(),
            target: key.1.to_string(),
            agent: *agent,
        });
        let moves: Vec<HolderRecord> = moves.collect();
        if !moves.is_empty() {
            self.store.holders_change(moves).await?;
        }
        self.carry_out(&round);
        Ok(())
    }

    fn round(&self) -> Option<Round> {
        let now = self.clock.monotonic();
        let mut inner = self.inner();
        let next = [inner.plan.next_expiry(), inner.settle_at];
        let is_over = next.into_iter().flatten().any(|at| at <= now);
        if !inner.is_plan_due && !is_over {
            return None;
        }
        inner.is_plan_due = false;
        let (groups, wanted) = inner.wanted();
        let round = inner.plan.round(&groups, &wanted, now);
        inner.settle_at = inner.plan.next_settled(now);
        Some(round)
    }

    fn carry_out(&self, round: &Round) {
        let mut inner = self.inner();
        inner.plan.carry_out(round);
        for (key, agent) in &round.moves {
            self.assigned.set(key, *agent);
            inner.states.remove(key);
        }
        let is_content_due = std::mem::take(&mut inner.is_content_due);
        let agents: Vec<AgentId> = inner
            .seats
            .keys()
            .filter(|agent| is_content_due || round.touched.contains(agent))
            .copied()
            .collect();
        for agent in agents {
            self.announce(&mut inner, agent);
        }
    }

    /// Tells an agent of its targets when they, or how they are read, are others than it was told.
    fn announce(&self, inner: &mut Inner, agent: AgentId) {
        let content = inner.content(agent, &self.sealer);
        let hash = content.hash();
        let now = u64::try_from(self.now().millis()).unwrap_or(0);
        let Some(seat) = inner.seats.get_mut(&agent) else { return };
        if seat.hash == Some(hash) {
            return;
        }
        seat.hash = Some(hash);
        seat.is_due = true;
        // Greater than those of an earlier life of this process.
        seat.generation = seat.generation.saturating_add(1).max(now);
        let generation = seat.generation;
        seat.ring();
        inner.plan.told(agent, generation);
    }

    fn wake_plan(&self, inner: &mut Inner) {
        inner.is_plan_due = true;
        self.wake.notify_one();
    }

    /// Who reads a target of a source; for tests and views.
    #[must_use]
    pub fn holder(&self, collector: &str, target: &str) -> Option<AgentId> {
        self.inner().plan.holder(&(collector.into(), target.into()))
    }
}

impl KnownSet {
    fn of(record: SetRecord) -> Result<Self, TargetsError> {
        let addresses = record.set.check()?;
        let targets = addresses
            .iter()
            .map(|address| (record.set.target_id(address).into(), address.as_str().into()))
            .collect();
        Ok(Self { collector: record.set.collector.as_str().into(), targets, record })
    }
}

impl Inner {
    /// Every target that is to be read, each once: when two sets name it, the first by name has it.
    fn wanted(&self) -> (Vec<Group>, Vec<Wanted>) {
        let mut known: HashSet<(&str, &str)> = HashSet::new();
        let (mut groups, mut wanted) = (Vec::new(), Vec::new());
        for set in self.sets.values() {
            let group = groups.len();
            groups.push(Group {
                site: set.record.set.site.clone(),
                collector: Arc::clone(&set.collector),
                agents: set.record.set.agents.clone(),
            });
            if !set.record.set.is_enabled {
                continue;
            }
            for (id, _) in &set.targets {
                if known.insert((&set.collector, id)) {
                    let key = (Arc::clone(&set.collector), Arc::clone(id));
                    wanted.push(Wanted { key, group });
                }
            }
        }
        (groups, wanted)
    }
}

#[cfg(test)]
mod tests;
