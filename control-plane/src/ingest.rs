//! The write path: authenticated batches become change sets, and are acknowledged after the commit.
//!
//! Invariants: nothing else writes observed facts; an acknowledgement means *durable*; a record is applied once,
//! whatever the transport repeats, because its sequence is committed in the same transaction. What cannot be used
//! is kept aside and acknowledged as rejected, so that a poisonous record never blocks the records behind it.
//!
//! Deliberately not here: the stream itself (`api::grpc::uplink`), deciding identity (`reconcile`).

mod apply;
mod engine;
pub mod graph;
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
use model::{AgentId, Catalog, SourceId};
use proto::v1;
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
}

/// The write path. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Ingest {
    jobs: mpsc::Sender<Job>,
    graph: Arc<RwLock<topology::Graph>>,
    assigned: Assigned,
    thread: Arc<Mutex<Option<JoinHandle<()>>>>,
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
        let engine = Engine::new(store, parts, loaded, tokio::runtime::Handle::current());
        let graph = Arc::clone(&engine.graph);
        let (jobs, waiting) = mpsc::channel(QUEUE_JOBS_MAX);
        let thread = std::thread::Builder::new()
            .name("ingest".to_owned())
            .spawn(move || engine.run(waiting))
            .map_err(StartError::Thread)?;
        Ok(Self { jobs, graph, assigned, thread: Arc::new(Mutex::new(Some(thread))) })
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
