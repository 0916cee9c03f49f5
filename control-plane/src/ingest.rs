//! The write path: authenticated batches become change sets, and are acknowledged after the commit.
//!
//! Invariants: nothing else writes observed facts; an acknowledgement means *durable*; a record is applied once,
//! whatever the transport repeats, because its sequence is committed in the same transaction. What cannot be used
//! is kept aside and acknowledged as rejected, so that a poisonous record never blocks the records behind it.
//!
//! Deliberately not here: the stream itself (`api::grpc::uplink`), deciding identity (`reconcile`).

mod apply;
mod engine;
mod graph;
mod load;
mod prepare;
pub mod sessions;
mod state;
#[cfg(test)]
mod tests;

use crate::targets::Assigned;
use engine::{Engine, Job, Reply};
use environment::{Clock, Randomness};
use load::Parts;
use model::decision::{HeldRecord, Number};
use model::policy::Policies;
use model::{AgentId, Catalog, Name, SourceId, Timestamp, Value};
use proto::v1;
use reconcile::{
    ChangedValue, Comparison, Explanation, Plan, Reconciler, Rules, Simulation, Wished,
};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::thread::JoinHandle;
use store::observed::{CommitError, ItemStore};
use tokio::sync::{mpsc, oneshot};

/// Batches that wait for the thread that decides. Each is at most a message; with the windows of the sessions this
/// bounds what waits in memory.
const QUEUE_JOBS_MAX: usize = 64;

/// Why ingest cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// What is stored cannot be read.
    #[error("cannot load what is known from the store")]
    Load(#[source] CommitError),
    /// The system gives no thread.
    #[error("cannot start the thread that decides")]
    Thread(#[source] std::io::Error),
}

/// Why a batch was not taken. The agent keeps what it sent, and the stream ends.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SubmitError {
    /// The batch breaks the protocol.
    #[error("{detail}")]
    Refused {
        /// Code of the error catalog, such as `SEQUENCE_BROKEN`.
        code: &'static str,
        /// A sentence for the agent's log.
        detail: String,
    },
    /// The store cannot take anything now; come back later.
    #[error("the store cannot take anything now: {detail}")]
    Unavailable {
        /// What the store said.
        detail: String,
    },
}

/// What came of a batch or a beat.
#[derive(Debug, Default, Clone, PartialEq)]
pub struct Outcome {
    /// To be sent; none for a beat.
    pub acknowledgement: Option<v1::Acknowledgement>,
    /// Scopes that the agent has to send whole.
    pub need_full: Vec<(SourceId, String)>,
    /// What a person said, when this was a person's word.
    pub wished: Option<Wished>,
    /// How many sightings and items are still to be decided again by new rules, or to be taken out.
    pub left: usize,
    /// Items that a person let go.
    pub retired: usize,
    /// Until when a value is fixed, when it was fixed.
    pub fixed_until: Option<Timestamp>,
}

/// A person fixes the value of an attribute, or lets sources decide about it again.
#[derive(Debug, Clone, PartialEq)]
pub struct Fixing {
    /// The item.
    pub item: Number,
    /// The attribute.
    pub attribute: Name,
    /// Who says so.
    pub said_by: String,
    /// What is fixed; nothing lets sources decide again.
    pub lock: Option<Fixed>,
}

/// A value that a person fixes.
#[derive(Debug, Clone, PartialEq)]
pub struct Fixed {
    /// The value; [`Value::Absent`] when there is none.
    pub value: Value,
    /// When it ends; a policy may end it before.
    pub until: Timestamp,
    /// Why.
    pub why: String,
}

/// What other policies would change of the winning values.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ValuePlan {
    /// Items of which several observations are known; no other can change.
    pub items: usize,
    /// How many attribute values would change.
    pub changes: usize,
    /// Some of them.
    pub listed: Vec<ChangedValue>,
}

/// Items that a plan reads at once.
const PLAN_CHUNK: usize = 512;

/// What a file of rules says of identity and of values.
fn rules_of(catalog: &Catalog, text: &str) -> Result<(Rules, Policies), SubmitError> {
    let refused = |detail: String| SubmitError::Refused { code: "VALIDATION_FAILED", detail };
    let rules = Rules::parse(text).map_err(|error| refused(error.to_string()))?;
    let policies = Policies::in_rules(catalog, text).map_err(|error| refused(error.to_string()))?;
    Ok((rules, policies))
}

/// A person's word about which sightings are one item. It is about sightings, given as hashes of source and native
/// key, and outlives every run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wish {
    /// Two items are one.
    Join {
        /// The one.
        one: Number,
        /// The other.
        other: Number,
    },
    /// Some sightings of an item are another item.
    Divide {
        /// The item.
        item: Number,
        /// The sightings that are another one.
        sightings: Vec<u64>,
    },
    /// Two items are not one.
    KeepApart {
        /// The one.
        one: Number,
        /// The other.
        other: Number,
    },
    /// What was said counts no longer.
    TakeBack {
        /// The action in which it was said.
        action: Number,
    },
}

/// The write path. Cheap to clone.
#[derive(Clone)]
pub struct Ingest {
    jobs: mpsc::Sender<Job>,
    graph: Arc<RwLock<topology::Graph>>,
    store: Arc<dyn ItemStore>,
    parts: Arc<Parts>,
    assigned: Assigned,
    thread: Arc<Mutex<Option<JoinHandle<()>>>>,
}

impl std::fmt::Debug for Ingest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ingest").field("jobs", &self.jobs).finish_non_exhaustive()
    }
}

impl Ingest {
    /// Loads what is known and starts the thread that decides.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn start(
        store: Arc<dyn ItemStore>,
        catalog: Arc<Catalog>,
        clock: Arc<dyn Clock>,
        randomness: Arc<dyn Randomness>,
    ) -> Result<Self, StartError> {
        let assigned = Assigned::default();
        let parts = Parts { catalog, clock, randomness, assigned: assigned.clone() };
        let loaded = load::load(store.as_ref(), &parts).await.map_err(StartError::Load)?;
        let (kept, parts_kept) = (Arc::clone(&store), Arc::new(parts.clone()));
        let engine = Engine::new(store, parts, loaded, tokio::runtime::Handle::current());
        let graph = Arc::clone(&engine.graph);
        let (jobs, waiting) = mpsc::channel(QUEUE_JOBS_MAX);
        let thread = std::thread::Builder::new()
            .name("ingest".to_owned())
            .spawn(move || engine.run(waiting))
            .map_err(StartError::Thread)?;
        Ok(Self {
            jobs,
            graph,
            store: kept,
            parts: parts_kept,
            assigned,
            thread: Arc::new(Mutex::new(Some(thread))),
        })
    }

    /// What is already stored of this agent's spool, for its Welcome.
    ///
    /// # Errors
    /// When ingest has stopped.
    pub async fn committed(
        &self,
        agent: AgentId,
        epoch: u64,
    ) -> Result<Vec<v1::Committed>, SubmitError> {
        self.ask(|reply| Job::Committed { agent, epoch, reply }).await
    }

    /// Takes a batch. Resolves after the commit, or as soon as the batch is refused. Waits while the queue is full.
    /// Batches whose futures are first polled in order are decided in that order.
    ///
    /// # Errors
    /// When the batch breaks the protocol, or the store cannot take anything.
    pub async fn submit(
        &self,
        agent: AgentId,
        site: Arc<str>,
        batch: v1::Batch,
    ) -> Result<Outcome, SubmitError> {
        let batch = prepare::prepare(batch).map_err(|refused| SubmitError::Refused {
            code: refused.code,
            detail: refused.detail,
        })?;
        self.ask(|reply| Job::Batch { agent, site, batch, reply }).await
    }

    /// Takes the confirmations of a beat: scopes that were looked at and did not change.
    ///
    /// # Errors
    /// When the beat is malformed, or the store cannot take anything.
    pub async fn confirm(&self, agent: AgentId, beat: &v1::Beat) -> Result<Outcome, SubmitError> {
        if beat.confirmations.is_empty() {
            return Ok(Outcome::default());
        }
        let confirmations = beat.confirmations.clone();
        self.ask(|reply| Job::Confirm { agent, confirmations, reply }).await
    }

    /// The adjacency of the whole graph, as of the last commit.
    #[must_use]
    pub fn topology(&self) -> Arc<RwLock<topology::Graph>> {
        Arc::clone(&self.graph)
    }

    /// Which agent may report which target; who plans that fills it.
    #[must_use]
    pub fn assigned(&self) -> Assigned {
        self.assigned.clone()
    }

    /// Moves items through their life by time alone (missing to stale to retired). Called once a minute by a task.
    ///
    /// # Errors
    /// When the store cannot take anything.
    pub async fn sweep(&self) -> Result<(), SubmitError> {
        self.ask(|reply| Job::Sweep { reply }).await.map(drop)
    }

    /// Why an item is what it is: the evidence of its sightings. Nothing for what does not exist.
    ///
    /// # Errors
    /// When what is stored cannot be read.
    pub async fn explain(&self, item: Number) -> Result<Option<Explanation>, SubmitError> {
        self.ask(|reply| Job::Explain { item, reply }).await
    }

    /// The items of sightings, given as hashes of source and native key; 0 for one that is not known.
    ///
    /// # Errors
    /// When ingest has stopped.
    pub async fn items_of_sightings(
        &self,
        sightings: Vec<u64>,
    ) -> Result<Vec<Number>, SubmitError> {
        self.ask(|reply| Job::Items { sightings, reply }).await
    }

    /// Makes rules of identity live for everything that comes. Resolves after the commit.
    ///
    /// # Errors
    /// When they cannot be read, or the store cannot take anything.
    pub async fn set_rules(&self, text: String, said_by: String) -> Result<(), SubmitError> {
        self.ask(|reply| Job::Rules { text, said_by, reply }).await.map(drop)
    }

    /// Decides again, by the rules that are live, about some of what is known. Gives how much is left; what agents
    /// send has its turn in between.
    ///
    /// # Errors
    /// When the store cannot take anything.
    pub async fn regroup(&self) -> Result<usize, SubmitError> {
        Ok(self.ask(|reply| Job::Regroup { reply }).await?.left)
    }

    /// What other rules would decide about everything that is stored. Reads all of it beside the write path.
    ///
    /// # Errors
    /// When the rules cannot be read, or the store cannot.
    pub async fn plan(&self, text: &str, listed: usize) -> Result<(Plan, ValuePlan), SubmitError> {
        let (rules, policies) = rules_of(&self.parts.catalog, text)?;
        let unavailable = |detail: String| SubmitError::Unavailable { detail };
        let loaded = load::load(self.store.as_ref(), &self.parts).await;
        let reconciler = loaded.map_err(|error| unavailable(error.to_string()))?.reconciler;
        let planned = tokio::task::spawn_blocking(move || {
            let plan = reconciler.plan(&rules, listed);
            (plan, reconciler)
        });
        let (plan, reconciler) = planned.await.map_err(|error| unavailable(error.to_string()))?;
        Ok((plan, self.plan_values(reconciler, policies, listed).await?))
    }

    /// Which winning values other policies would change, of the items as they are grouped now.
    async fn plan_values(
        &self,
        reconciler: Reconciler,
        policies: Policies,
        listed: usize,
    ) -> Result<ValuePlan, SubmitError> {
        let unavailable = |detail: String| SubmitError::Unavailable { detail };
        let items = reconciler.contested();
        let mut plan = ValuePlan { items: items.len(), ..ValuePlan::default() };
        if policies.version() == reconciler.policies().version() {
            return Ok(plan);
        }
        let mut planner = (reconciler, policies);
        for chunk in items.chunks(PLAN_CHUNK) {
            let records = self.store.observations_of_all(chunk).await;
            let records = records.map_err(|error| unavailable(error.to_string()))?;
            let compared = tokio::task::spawn_blocking(move || {
                let (reconciler, policies) = &planner;
                let changed = records.iter().flat_map(|(item, records)| {
                    reconciler.changed_values(*item, records, policies)
                });
                let changed: Vec<ChangedValue> = changed.collect();
                (planner, changed)
            });
            let (back, changed) = compared.await.map_err(|error| unavailable(error.to_string()))?;
            planner = back;
            plan.changes = plan.changes.saturating_add(changed.len());
            let room = listed.saturating_sub(plan.listed.len());
            plan.listed.extend(changed.into_iter().take(room));
        }
        Ok(plan)
    }

    /// Fixes the value of an attribute, or lets sources decide about it again. Resolves after the commit, with until
    /// when it is fixed.
    ///
    /// # Errors
    /// When there is no such item or lock, or the store cannot take anything.
    pub async fn fix(&self, fixing: Fixing) -> Result<Option<Timestamp>, SubmitError> {
        Ok(self.ask(|reply| Job::Fix { fixing, reply }).await?.fixed_until)
    }

    /// Takes a person's word. Resolves after the commit.
    ///
    /// # Errors
    /// When it makes no sense, or the store cannot take anything.
    pub async fn wish(&self, wish: Wish, said_by: String) -> Result<Option<Wished>, SubmitError> {
        let outcome = self.ask(|reply| Job::Wish { wish, said_by, reply }).await?;
        Ok(outcome.wished)
    }

    /// What would follow from a person's word. Nothing is done.
    ///
    /// # Errors
    /// When it makes no sense, or what is stored cannot be read.
    pub async fn simulate(&self, wish: Wish) -> Result<Simulation, SubmitError> {
        self.ask(|reply| Job::Simulate { wish, reply }).await
    }

    /// What speaks for and against two items being one. Nothing where there is nothing to decide.
    ///
    /// # Errors
    /// When what is stored cannot be read.
    pub async fn compare(
        &self,
        one: Number,
        other: Number,
    ) -> Result<Option<Comparison>, SubmitError> {
        self.ask(|reply| Job::Compare { one, other, reply }).await
    }

    /// Lets happen what was held of a scope, a part with each decision. Gives how many items were retired. Resolves
    /// after the last commit.
    ///
    /// # Errors
    /// When a later look settled it, or the store cannot take anything.
    pub async fn approve(&self, held: HeldRecord, said_by: &str) -> Result<usize, SubmitError> {
        let mut retired = 0_usize;
        loop {
            let (held, said_by) = (Box::new(held.clone()), said_by.to_owned());
            let outcome = self.ask(|reply| Job::Approve { held, said_by, reply }).await?;
            retired = retired.saturating_add(outcome.retired);
            if outcome.left == 0 {
                return Ok(retired);
            }
        }
    }

    /// Leaves what was held as it is, until the next complete look. Resolves after the commit.
    ///
    /// # Errors
    /// When a later look settled it, or the store cannot take anything.
    pub async fn dismiss(
        &self,
        scope: Number,
        at: Timestamp,
        said_by: String,
    ) -> Result<(), SubmitError> {
        self.ask(|reply| Job::Dismiss { scope, at, said_by, reply }).await.map(drop)
    }

    /// Stops taking batches, commits what was taken, and ends the thread.
    pub async fn stop(&self) {
        // When it has stopped already there is nothing to wait for.
        drop(self.ask(|reply| Job::Stop { reply }).await);
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            drop(tokio::task::spawn_blocking(move || thread.join()).await);
        }
    }

    async fn ask<T>(&self, job: impl FnOnce(Reply<T>) -> Job) -> Result<T, SubmitError> {
        let stopped = || SubmitError::Unavailable { detail: "the control plane stops".to_owned() };
        let (reply, answer) = oneshot::channel();
        self.jobs.send(job(reply)).await.map_err(|_| stopped())?;
        answer.await.map_err(|_| stopped())?
    }
}
