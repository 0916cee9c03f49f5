//! Targets that are read over the network: what the control plane wants read, when it is read, and how it fares.
//!
//! Invariants: secrets are held in memory only; nothing is read without a lease of the control plane that is still
//! good; a credential that was refused is not tried again before a pause that grows; one target that hangs, floods or
//! lies costs the others nothing.
//!
//! Deliberately not here: the stream (`uplink`), the looks themselves (`look`), the agent's own host (`schedule`).

mod board;
mod guard;
mod job;
mod probe;
mod runner;
mod secrets;
mod slot;
mod wire;

pub use board::{RemoteBoard, TargetStatus};
pub use runner::{Runner, Surroundings};
pub use secrets::credential_file;
pub use wire::Assembly;

use collector::Collector;
use proto::v1;
use std::sync::Arc;
use tokio::sync::mpsc;
use tokio::time::Instant;

/// Commands that wait for the runner; the uplink waits when there are more.
const COMMANDS_MAX: usize = 64;

/// How many targets are read at the same time when the configuration does not say.
pub const CAPACITY: u32 = 64;

/// What the runner is told.
#[derive(Debug)]
pub enum Command {
    /// These targets, and no others.
    Desired(Box<wire::Desired>),
    /// Reading is allowed until then.
    Lease(Instant),
    /// Look at some targets soon.
    LookNow(v1::LookNow),
    /// Try a credential.
    Probe(Box<v1::Probe>),
    /// The control plane wants a scope of a target whole.
    Whole {
        /// The collector.
        collector: String,
        /// The target's id.
        target: String,
        /// The scope.
        scope: String,
    },
}

/// The uplink's handle to the runner. Clones are the same.
#[derive(Clone)]
pub struct Remote {
    /// Where the state of targets stands.
    pub board: RemoteBoard,
    commands: mpsc::Sender<Command>,
    sources: Arc<[&'static dyn Collector]>,
}

impl std::fmt::Debug for Remote {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Remote").field("collectors", &self.collectors()).finish_non_exhaustive()
    }
}

impl Remote {
    /// A handle, and what the runner hears by it.
    #[must_use]
    pub fn new(sources: Vec<&'static dyn Collector>) -> (Self, mpsc::Receiver<Command>) {
        let (commands, heard) = mpsc::channel(COMMANDS_MAX);
        (Self { board: RemoteBoard::default(), commands, sources: sources.into() }, heard)
    }

    /// The collectors that read targets; none when this build has none.
    #[must_use]
    pub fn sources(&self) -> &[&'static dyn Collector] {
        &self.sources
    }

    /// Their names.
    #[must_use]
    pub fn collectors(&self) -> Vec<String> {
        self.sources.iter().map(|one| one.manifest().name.to_owned()).collect()
    }

    /// Tells the runner. What finds no room is lost: the control plane says it again at the next session.
    pub fn tell(&self, command: Command) {
        if self.commands.try_send(command).is_err() {
            tracing::warn!("the reader of targets does not keep up; a command is dropped");
        }
    }
}

#[cfg(test)]
mod tests;
