//! The thread that decides: it takes what waits, decides about it together, hands the decision to the store, and
//! decides about the next while the store writes.
//!
//! Invariants: batches are decided in the order of their arrival; at most one decision is being written while the
//! next is made; when a write fails, everything decided on top of it is thrown away, what is known is loaded again,
//! and every batch concerned is answered with an error, so that its agent sends it again.

use super::apply::Applier;
use super::load::{Loaded, Parts, load};
use super::prepare::Prepared;
use super::{Fixing, Outcome, SubmitError, Wish};
use model::AgentId;
use model::Timestamp;
use model::decision::{Decision, HeldRecord, Number, ObservationRecord, RelationRecord};
use proto::v1;
use reconcile::{Comparison, Error, Explanation, Past, Simulation};
use std::sync::{Arc, PoisonError, RwLock};
use store::observed::{CommitError, ItemStore};
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot};
use topology::Graph;

/// Jobs that are decided together.
const GROUP_JOBS_MAX: usize = 256;

/// Bytes of batches that are decided together; bounds what a decision holds in memory.
const GROUP_BYTES_MAX: usize = 8 * 1024 * 1024;

/// Items that one sweep moves on at once.
const SWEEP_ITEMS_MAX: usize = 10_000;

/// Sightings that new rules decide about with one decision; agents wait for so many at most.
const REGROUP_SIGHTINGS_MAX: usize = 4_096;

/// Sightings of a held disappearance that one decision takes out; agents wait for so many at most.
const HELD_SIGHTINGS_MAX: usize = 4_096;

pub(super) type Reply<T> = oneshot::Sender<Result<T, SubmitError>>;

/// What the thread is asked to do.
#[derive(Debug)]
pub(super) enum Job {
    Batch { agent: AgentId, site: Arc<str>, batch: Prepared, reply: Reply<Outcome> },
    Confirm { agent: AgentId, confirmations: Vec<v1::ScopeConfirmation>, reply: Reply<Outcome> },
    Committed { agent: AgentId, epoch: u64, reply: Reply<Vec<v1::Committed>> },
    Sweep { reply: Reply<Outcome> },
    Explain { item: Number, reply: Reply<Option<Explanation>> },
    Compare { one: Number, other: Number, reply: Reply<Option<Comparison>> },
    Simulate { wish: Wish, reply: Reply<Simulation> },
    Approve { held: Box<HeldRecord>, said_by: String, reply: Reply<Outcome> },
    Dismiss { scope: Number, at: Timestamp, said_by: String, reply: Reply<Outcome> },
    Items { sightings: Vec<u64>, reply: Reply<Vec<Number>> },
    Rules { text: String, said_by: String, reply: Reply<Outcome> },
    Regroup { reply: Reply<Outcome> },
    Fix { fixing: Fixing, reply: Reply<Outcome> },
    Wish { wish: Wish, said_by: String, reply: Reply<Outcome> },
    Stop { reply: Reply<Outcome> },
}

/// The store as reconciliation asks it.
pub(super) struct Stored<'a>(pub(super) &'a dyn ItemStore);

impl Past for Stored<'_> {
    fn observations_of(&self, item: Number) -> Result<Vec<ObservationRecord>, Error> {
        self.0.observations_of(item).map_err(|error| Error::Past(Box::new(error)))
    }

    fn relations_to(&self, item: Number) -> Result<Vec<RelationRecord>, Error> {
        self.0.relations_to(item).map_err(|error| Error::Past(Box::new(error)))
    }
}

/// A decision that the store is writing.
struct InFlight {
    done: oneshot::Receiver<Result<(), String>>,
    /// What came of it, once that is known.
    result: Option<Result<(), String>>,
}

/// A decision being made: whom to answer what when it is durable.
#[derive(Default)]
struct Group {
    answers: Vec<(Reply<Outcome>, Outcome)>,
    stop: Option<Reply<Outcome>>,
    failure: Option<String>,
    jobs: usize,
    bytes: usize,
}

/// The thread's belongings.
pub(super) struct Engine {
    pub(super) store: Arc<dyn ItemStore>,
    pub(super) parts: Parts,
    pub(super) graph: Arc<RwLock<Graph>>,
    pub(super) runtime: Handle,
    applier: Applier,
    in_flight: Option<InFlight>,
}

impl Engine {
    pub(super) fn new(
        store: Arc<dyn ItemStore>,
        parts: Parts,
        loaded: Loaded,
        runtime: Handle,
    ) -> Self {
        let Loaded { reconciler, graph, state } = loaded;
        let applier = Applier::new(reconciler, state, &parts);
        let graph = Arc::new(RwLock::new(graph));
        Self { store, parts, graph, runtime, applier, in_flight: None }
    }

    /// Works until it is told to stop, or everyone who could ask has gone.
    pub(super) fn run(mut self, mut jobs: mpsc::Receiver<Job>) {
        while let Some(first) = jobs.blocking_recv() {
            if let Some(stopped) = self.decide(first, &mut jobs) {
                self.settle();
                drop(stopped.send(Ok(Outcome::default())));
                return;
            }
        }
        self.settle();
    }

    /// Decides about what waits, and hands the decision on. Gives whom to tell when it was told to stop.
    fn decide(&mut self, first: Job, jobs: &mut mpsc::Receiver<Job>) -> Option<Reply<Outcome>> {
        let store = Arc::clone(&self.store);
        let past = Stored(store.as_ref());
        self.applier.begin(self.parts.now());
        let mut group = Group::default();
        let mut next = Some(first);
        while let Some(job) = next {
            self.take(&past, &mut group, job);
            next = self.next_job(&group, jobs);
        }
        let Group { answers, stop, failure, .. } = group;
        let decided = self.applier.finish(&past).map_err(|error| error.to_string());
        store.decided();
        match failure.map_or(decided, Err) {
            Ok(decision) => self.hand_on(decision, answers),
            Err(detail) => {
                fail(answers, &detail);
                self.settle();
                self.reload();
            }
        }
        stop
    }

    /// The next job of the same decision. While the store is still writing the one before, waiting for more costs
    /// nothing: the more a commit holds, the more share its fsync.
    fn next_job(&mut self, group: &Group, jobs: &mut mpsc::Receiver<Job>) -> Option<Job> {
        let is_full = group.jobs >= GROUP_JOBS_MAX || group.bytes >= GROUP_BYTES_MAX;
        if is_full || group.stop.is_some() || group.failure.is_some() {
            return None;
        }
        if let Ok(job) = jobs.try_recv() {
            return Some(job);
        }
        let InFlight { done, result } =
            self.in_flight.as_mut().filter(|one| one.result.is_none())?;
        self.runtime.block_on(async {
            tokio::select! {
                biased;
                written = done => {
                    *result = Some(written.unwrap_or_else(|_| Err("the write was given up".to_owned())));
                    None
                }
                job = jobs.recv() => job,
            }
        })
    }

    fn take(&mut self, past: &Stored<'_>, group: &mut Group, job: Job) {
        group.jobs = group.jobs.saturating_add(1);
        group.bytes = group.bytes.saturating_add(size_of_job(&job));
        let (reply, outcome) = match job {
            Job::Stop { reply } => {
                group.stop = Some(reply);
                return;
            }
            Job::Committed { agent, epoch, reply } => {
                drop(reply.send(Ok(self.applier.committed(agent, epoch))));
                return;
            }
            Job::Batch { agent, site, batch, reply } => {
                (reply, self.applier.batch(past, agent, &site, batch))
            }
            Job::Confirm { agent, confirmations, reply } => {
                (reply, self.applier.confirm(agent, confirmations))
            }
            Job::Explain { item, reply } => {
                drop(reply.send(self.applier.explain(past, item)));
                return;
            }
            Job::Compare { one, other, reply } => {
                drop(reply.send(self.applier.compare(past, (one, other))));
                return;
            }
            Job::Simulate { wish, reply } => {
                drop(reply.send(self.applier.simulate(past, wish)));
                return;
            }
            Job::Approve { held, said_by, reply } => {
                (reply, self.applier.approve(past, &held, HELD_SIGHTINGS_MAX, &said_by))
            }
            Job::Dismiss { scope, at, said_by, reply } => {
                (reply, self.applier.dismiss(scope, at, &said_by))
            }
            Job::Items { sightings, reply } => {
                drop(reply.send(Ok(self.applier.items_of_sightings(&sightings))));
                return;
            }
            Job::Rules { text, said_by, reply } => (reply, self.applier.set_rules(text, said_by)),
            Job::Regroup { reply } => (reply, self.applier.regroup(past, REGROUP_SIGHTINGS_MAX)),
            Job::Fix { fixing, reply } => (reply, self.applier.fix(past, fixing)),
            Job::Wish { wish, said_by, reply } => (reply, self.applier.wish(past, wish, &said_by)),
            Job::Sweep { reply } => (reply, self.applier.sweep(past, SWEEP_ITEMS_MAX)),
        };
        match outcome {
            Ok(outcome) => group.answers.push((reply, outcome)),
            Err(error) => {
                if let SubmitError::Unavailable { detail } = &error {
                    group.failure = Some(detail.clone());
                }
                drop(reply.send(Err(error)));
            }
        }
    }

    /// Waits for the decision before, then gives this one to the store.
    fn hand_on(&mut self, decision: Decision, answers: Vec<(Reply<Outcome>, Outcome)>) {
        if let Err(detail) = self.wait() {
            // What was decided now stands on what was not written.
            fail(answers, &detail);
            self.reload();
            return;
        }
        if decision.is_empty() {
            answers.into_iter().for_each(|(reply, outcome)| drop(reply.send(Ok(outcome))));
            return;
        }
        let (tx, done) = oneshot::channel();
        let decision = Arc::new(decision);
        let (store, graph) = (Arc::clone(&self.store), Arc::clone(&self.graph));
        self.runtime.spawn(async move {
            let written = store.apply(Arc::clone(&decision)).await;
            match &written {
                Ok(_) => {
                    graph.write().unwrap_or_else(PoisonError::into_inner).follow(&decision);
                    answers.into_iter().for_each(|(reply, outcome)| drop(reply.send(Ok(outcome))));
                }
                Err(error) => fail(answers, &full(error)),
            }
            // The thread may have ended; then nobody waits.
            drop(tx.send(written.map(|_| ()).map_err(|error| full(&error))));
        });
        self.in_flight = Some(InFlight { done, result: None });
    }

    fn wait(&mut self) -> Result<(), String> {
        let Some(in_flight) = self.in_flight.take() else { return Ok(()) };
        if let Some(result) = in_flight.result {
            return result;
        }
        match in_flight.done.blocking_recv() {
            Ok(result) => result,
            Err(_) => Err("the write was given up".to_owned()),
        }
    }

    /// Waits for what is being written, and loads again when it failed.
    fn settle(&mut self) {
        if self.wait().is_err() {
            self.reload();
        }
    }

    /// Throws away what is known and loads it again. Tried until it works: without it nothing can be decided.
    fn reload(&mut self) {
        tracing::error!("a decision was not stored; loading what is stored");
        loop {
            let loaded = self.runtime.block_on(load(self.store.as_ref(), &self.parts));
            match loaded {
                Ok(Loaded { reconciler, graph, state }) => {
                    self.applier = Applier::new(reconciler, state, &self.parts);
                    *self.graph.write().unwrap_or_else(PoisonError::into_inner) = graph;
                    return;
                }
                Err(error) => {
                    tracing::error!(
                        error = full(&error),
                        "cannot load what is stored; trying again"
                    );
                    self.runtime.block_on(tokio::time::sleep(RELOAD_PAUSE));
                }
            }
        }
    }
}

/// How long to wait before reading a store again that could not be read.
const RELOAD_PAUSE: std::time::Duration = std::time::Duration::from_secs(1);

fn size_of_job(job: &Job) -> usize {
    match job {
        Job::Batch { batch, .. } => batch.bytes,
        _ => 0,
    }
}

fn fail(answers: Vec<(Reply<Outcome>, Outcome)>, detail: &str) {
    for (reply, _) in answers {
        drop(reply.send(Err(SubmitError::Unavailable { detail: detail.to_owned() })));
    }
}

/// An error with everything that caused it, in one line.
fn full(error: &CommitError) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
