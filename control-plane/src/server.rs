//! The control plane, put together: opened, served, stopped.
//!
//! Invariants: two servers never share a state; nothing is served before everything is ready; stopping takes at most
//! five seconds and loses nothing that was acknowledged.

mod listeners;
mod state;

pub use state::{State, StateError, write_private};

use crate::api::auth::Accounts;
use crate::api::grpc::uplink::{Admission, UplinkParts};
use crate::api::rest::idempotency::Idempotency;
use crate::app::{App, ConsoleOptions};
use crate::config::Settings;
use crate::fleet::{Fleet, FleetParts};
use crate::held::Held;
use crate::identity::Identity;
use crate::ingest::Ingest;
use crate::ingest::sessions::Sessions;
use crate::targets::seal::Sealer;
use crate::targets::{Targets, TargetsError};
use crate::tasks::Tasks;
use environment::{Clock, Randomness};
use listeners::Listeners;
use std::sync::Arc;
use std::time::Duration;
use store::fleet::SqliteFleet;
use store::items::Items;
use store::observed::ItemStore;
use store::sqlite::SqliteItems;
use store::targets::SqliteTargets;
use store::users::SqliteUsers;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// How long all that runs may take to end; together with the store's close it stays below five seconds.
const STOP_TIMEOUT: Duration = Duration::from_millis(4000);

/// Why the control plane does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The state cannot be used.
    #[error(transparent)]
    State(#[from] StateError),
    /// The write path cannot start.
    #[error(transparent)]
    Ingest(#[from] crate::ingest::StartError),
    /// What is stored of people and agents cannot be read.
    #[error("cannot read who is set up")]
    Database(#[from] store::database::DatabaseError),
    /// An address is taken or not ours.
    #[error(
        "cannot listen at {address} for {purpose}; is another control plane running? choose another port"
    )]
    Listen {
        /// Which.
        address: std::net::SocketAddr,
        /// What for.
        purpose: &'static str,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// Targets and credentials cannot be read, or the key of secrets cannot be used.
    #[error("cannot take up targets and credentials")]
    Targets(#[from] TargetsError),
    /// Certificates cannot be made.
    #[error("cannot make the certificates of the control plane")]
    Pki(#[from] pki::Error),
    /// A file cannot be written.
    #[error("cannot write `{path}`")]
    Write {
        /// Which.
        path: std::path::PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// The GraphQL schema does not fit together.
    #[error("the declared classes do not make a schema: {reason}")]
    Schema {
        /// Why.
        reason: String,
    },
}

/// Where it is served, as the ready file says it.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Addresses {
    /// URL of the console.
    pub console: String,
    /// host:port of the uplink.
    pub uplink: String,
    /// host:port of the enrollment service.
    pub enroll: String,
    /// By what agents recognize the control plane.
    pub pin: String,
}

/// A control plane that runs.
#[derive(Debug)]
pub struct Server {
    app: App,
    ingest: Ingest,
    state: State,
    addresses: Addresses,
    setup_code: Option<String>,
    running: TaskTracker,
    tasks: Tasks,
    ready_file: Option<std::path::PathBuf>,
}

impl Server {
    /// Starts everything; returns once it is served.
    ///
    /// # Errors
    /// When any part cannot start; the process is then expected to end.
    pub async fn start(
        settings: Settings,
        clock: Arc<dyn Clock>,
        randomness: Arc<dyn Randomness>,
    ) -> Result<Self, StartError> {
        let state = State::open(&settings, clock.wall())?;
        // Before anything runs: a port that is taken is the usual reason not to start.
        let listeners = Listeners::bind(&settings, &state, Arc::clone(&clock)).await?;
        let addresses = listeners.addresses(&settings, &state)?;
        let items = state.items()?;
        let ingest = Ingest::start(
            Arc::clone(&items) as Arc<dyn ItemStore>,
            Arc::clone(&state.catalog),
            Arc::clone(&clock),
            Arc::clone(&randomness),
        )
        .await?;
        let sessions = Sessions::default();
        let options = ConsoleOptions {
            console_dir: settings.console_dir.clone(),
            is_remote: settings.is_remote,
            enroll_address: addresses.enroll.clone(),
            console_url: addresses.console.clone(),
            history_days: settings.history_days,
        };
        let targets = targets(&state, &ingest, Arc::clone(&clock)).await?;
        let surroundings = (Arc::clone(&clock), Arc::clone(&randomness));
        let known = (items, &ingest, Arc::clone(&targets));
        let app = app(&state, known, &sessions, options, surroundings);
        app.fleet.endpoints_set(vec![addresses.uplink.clone()]);
        let setup_code = setup_code(&app.accounts, &state).await?;
        let running = TaskTracker::new();
        let identity = listeners.identity.clone();
        let uplink = UplinkParts {
            ingest: ingest.clone(),
            sessions,
            admission: Arc::clone(&app.fleet) as Arc<dyn Admission>,
            targets: Some(Arc::clone(&targets)),
            clock,
            randomness,
        };
        listeners.serve(&app, uplink, &running).await?;
        let names = listeners::certificate_names(&settings.names);
        let authority = Arc::clone(&state.authority);
        running.spawn(targets.work(app.stopping.clone()));
        let tasks = Tasks::start(&app, ingest.clone(), authority, identity, names);
        let ready_file = settings.ready_file;
        let server = Self { app, ingest, state, addresses, setup_code, running, tasks, ready_file };
        match server.announce() {
            Ok(()) => Ok(server),
            Err(error) => {
                server.stop().await;
                Err(error)
            }
        }
    }

    /// Where it is served.
    #[must_use]
    pub const fn addresses(&self) -> &Addresses {
        &self.addresses
    }

    /// The code for the first administrator, while nobody is set up.
    #[must_use]
    pub fn setup_code(&self) -> Option<&str> {
        self.setup_code.as_deref()
    }

    /// What the APIs work with.
    #[must_use]
    pub const fn app(&self) -> &App {
        &self.app
    }

    fn announce(&self) -> Result<(), StartError> {
        let Some(path) = &self.ready_file else { return Ok(()) };
        let text = serde_json::to_string(&self.addresses).unwrap_or_default();
        // Written aside and moved into place: whoever waits for it never reads half of it.
        let aside = path.with_extension("part");
        std::fs::write(&aside, text + "\n")
            .and_then(|()| std::fs::rename(&aside, path))
            .map_err(|source| StartError::Write { path: path.clone(), source })
    }

    /// Stops: agents are asked to come back later, open requests finish, what was taken is committed.
    pub async fn stop(self) {
        if let Some(path) = &self.ready_file {
            // Untidy when it stays, and nothing else.
            let _removed = std::fs::remove_file(path);
        }
        self.app.streams.drain();
        self.app.stopping.cancel();
        self.running.close();
        let ended = tokio::time::timeout(STOP_TIMEOUT, async {
            self.tasks.stop().await;
            self.running.wait().await;
        });
        if ended.await.is_err() {
            tracing::warn!("some connections did not end in time and are cut");
        }
        self.ingest.stop().await;
        self.state.close().await;
    }
}

/// What is read over the network, as it was left.
async fn targets(
    state: &State,
    ingest: &Ingest,
    clock: Arc<dyn Clock>,
) -> Result<Arc<Targets>, StartError> {
    let sealer = Sealer::open(state.folder()).map_err(TargetsError::from)?;
    let store = Arc::new(SqliteTargets::new(state.database.clone()));
    Ok(Arc::new(Targets::start(store, sealer, clock, ingest.assigned()).await?))
}

/// What the APIs work with, over an open state.
fn app(
    state: &State,
    (items, ingest, targets): (Arc<SqliteItems>, &Ingest, Arc<Targets>),
    sessions: &Sessions,
    options: ConsoleOptions,
    (clock, randomness): (Arc<dyn Clock>, Arc<dyn Randomness>),
) -> App {
    let parts = FleetParts {
        store: Arc::new(SqliteFleet::new(state.database.clone())),
        authority: Arc::clone(&state.authority),
        clock: Arc::clone(&clock),
        randomness: Arc::clone(&randomness),
    };
    let accounts = Accounts::new(
        Arc::new(SqliteUsers::new(state.database.clone())),
        Arc::clone(&clock),
        randomness,
        Some(state.setup_file()),
    );
    let fleet = Arc::new(Fleet::new(parts, Arc::clone(&items) as Arc<dyn Items>));
    let catalog = Arc::clone(&state.catalog);
    let named = Arc::clone(&items) as Arc<dyn Items>;
    App {
        graph: crate::graph::Questions::new(ingest.topology(), named, catalog, Arc::clone(&fleet)),
        fleet,
        history: Arc::clone(&items) as Arc<dyn store::history::History>,
        findings: Arc::clone(&items) as Arc<dyn store::findings::Findings>,
        identity_store: Arc::clone(&items) as Arc<dyn store::identity::Identity>,
        identity: Arc::new(Identity::new(
            ingest.clone(),
            Arc::clone(&items) as Arc<dyn ItemStore>,
            Arc::clone(&items) as Arc<dyn store::identity::Identity>,
        )),
        held: Arc::new(Held::new(
            ingest.clone(),
            Arc::clone(&items) as Arc<dyn store::findings::Findings>,
            Arc::clone(&items) as Arc<dyn store::identity::Identity>,
        )),
        items,
        catalog: Arc::clone(&state.catalog),
        targets,
        streams: Arc::new(sessions.clone()),
        accounts: Arc::new(accounts),
        idempotency: Arc::new(Idempotency::new(Arc::clone(&clock))),
        clock,
        options: Arc::new(options),
        stopping: CancellationToken::new(),
    }
}

/// A new code while nobody is set up; the one in the file of an earlier start is void.
async fn setup_code(accounts: &Accounts, state: &State) -> Result<Option<String>, StartError> {
    if !accounts.is_setup_needed().await? {
        return Ok(None);
    }
    let code = accounts.first_code().await?;
    state.write_private("setup-code", &format!("{code}\n"))?;
    Ok(Some(code))
}
