//! What the APIs work with, put together once at the start.

use crate::api::auth::Accounts;
use crate::api::rest::idempotency::Idempotency;
use crate::fleet::{Fleet, LiveStreams};
use crate::targets::Targets;
use environment::Clock;
use model::Catalog;
use std::path::PathBuf;
use std::sync::Arc;
use store::findings::Findings;
use store::history::History;
use store::items::Items;
use tokio_util::sync::CancellationToken;

/// How the console's port answers.
#[derive(Debug, Clone, Default)]
pub struct ConsoleOptions {
    /// Files that are served instead of the embedded console.
    pub console_dir: Option<PathBuf>,
    /// Whether the port can be reached from other hosts, over TLS.
    pub is_remote: bool,
    /// host:port that agents enroll at, as people type it.
    pub enroll_address: String,
    /// Where the console is, for the script that installs an agent.
    pub console_url: String,
    /// For how many days history is kept; without it, for ever.
    pub history_days: Option<u32>,
}

/// Everything that a request can ask for.
#[derive(Clone)]
pub struct App {
    /// Items, relationships and history.
    pub items: Arc<dyn Items>,
    /// The past, as far as it is kept.
    pub history: Arc<dyn History>,
    /// What a person should look at.
    pub findings: Arc<dyn Findings>,
    /// What people decided about identity, and its rules.
    pub identity_store: Arc<dyn store::identity::Identity>,
    /// Questions and words about which sightings are one item.
    pub identity: Arc<crate::identity::Identity>,
    /// Held disappearances, and what people say about them.
    pub held: Arc<crate::held::Held>,
    /// How the estate hangs together.
    pub graph: crate::graph::Questions,
    /// The declared classes.
    pub catalog: Arc<Catalog>,
    /// Agents and join tokens.
    pub fleet: Arc<Fleet>,
    /// What is read over the network.
    pub targets: Arc<Targets>,
    /// The live streams of agents.
    pub streams: Arc<dyn LiveStreams>,
    /// People and access tokens.
    pub accounts: Arc<Accounts>,
    /// Answers to requests that may be repeated.
    pub idempotency: Arc<Idempotency>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// How the console's port answers.
    pub options: Arc<ConsoleOptions>,
    /// Cancelled when the control plane stops: streams end then.
    pub stopping: CancellationToken,
}

impl std::fmt::Debug for App {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("App").field("options", &self.options).finish_non_exhaustive()
    }
}
