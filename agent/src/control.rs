//! The local socket that answers `dharma-agent status`: connect, get one JSON document, closed.
//!
//! Invariants: only the agent's user and root may connect (0600); nothing is read from whoever connects; few are
//! served at a time and none for long. It opens no port.
//!
//! Deliberately not here: commands. The agent takes none from its host.

use crate::board::{About, Board, Connection, ScopeStatus};
use crate::limits;
use crate::remote::{RemoteBoard, TargetStatus};
use model::Timestamp;
use serde::{Deserialize, Serialize};
use spool::{Priority, Spool};
use std::path::Path;

/// What `status` shows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// What never changes.
    pub about: About,
    /// The connection to the control plane.
    pub connection: Connection,
    /// When the certificate ends.
    pub certificate_expires: Timestamp,
    /// Every scope.
    pub scopes: Vec<ScopeStatus>,
    /// Targets that are read over the network, those that are not well first.
    #[serde(default)]
    pub targets: Vec<TargetStatus>,
    /// How many there are.
    #[serde(default)]
    pub targets_count: usize,
    /// The spool.
    pub spool: SpoolStatus,
    /// What the agent takes from its host.
    pub resources: Resources,
    /// What the agent complains about, in sentences.
    pub complaints: Vec<String>,
}

/// The spool.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SpoolStatus {
    /// Number of this spool's life.
    pub epoch: u64,
    /// What is wrong with the disk, if anything.
    pub trouble: Option<String>,
    /// The classes, the most important first.
    pub classes: Vec<ClassStatus>,
}

/// A priority class of the spool.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClassStatus {
    /// Its name.
    pub class: String,
    /// Bytes of its files.
    pub bytes: u64,
    /// Bytes that its files may have.
    pub quota_bytes: u64,
    /// The last sequence that the control plane has.
    pub committed: u64,
    /// The last sequence on disk.
    pub durable: u64,
    /// Records that wait.
    pub pending: u64,
    /// Records accepted since the start.
    pub appended: u64,
    /// Records dropped for the quota since the start.
    pub dropped: u64,
    /// Records lost to damage since the start.
    pub corrupt: u64,
}

/// What the agent takes from its host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resources {
    /// Resident memory; `None` where the system does not tell.
    pub resident_bytes: Option<u64>,
    /// Processor time of the agent, milliseconds.
    pub cpu_millis: u64,
    /// Processor time of its children, milliseconds.
    pub children_cpu_millis: u64,
}

/// The status as of now.
#[must_use]
pub fn status(board: &Board, remote: &RemoteBoard, spool: &Spool) -> Status {
    let statistics = spool.statistics();
    let classes = Priority::ALL.into_iter().map(|class| {
        let of = statistics.classes.of(class);
        ClassStatus {
            class: class.name().to_owned(),
            bytes: of.bytes,
            quota_bytes: of.quota_bytes,
            committed: of.committed,
            durable: of.durable,
            pending: of.pending,
            appended: of.appended,
            dropped: of.dropped_quota,
            corrupt: of.corrupt,
        }
    });
    let cpu = limits::cpu_time();
    let millis = |time: std::time::Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    Status {
        about: board.about(),
        connection: board.connection(),
        certificate_expires: board.certificate_expires(),
        scopes: board.scopes(),
        targets: remote.targets(),
        targets_count: remote.count(),
        spool: SpoolStatus {
            epoch: statistics.epoch,
            trouble: statistics.trouble.map(|trouble| trouble.name().to_owned()),
            classes: classes.collect(),
        },
        resources: Resources {
            resident_bytes: limits::resident_bytes(),
            cpu_millis: millis(cpu.own),
            children_cpu_millis: millis(cpu.children),
        },
        complaints: board.complaints(),
    }
}

/// The most bytes of a status that is read back.
pub const STATUS_BYTES_MAX: u64 = 4 * 1024 * 1024;

#[cfg(unix)]
mod socket {
    use super::{Board, Path, RemoteBoard, Spool, Status, status};
    use crate::stop::Stop;
    use std::io;
    use std::os::unix::fs::PermissionsExt;
    use std::time::Duration;
    use tokio::io::AsyncWriteExt;
    use tokio::net::{UnixListener, UnixStream};

    /// How long one answer may take to be read.
    const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);
    /// How long the listener rests after it could not accept.
    const REST: Duration = Duration::from_secs(1);

    /// Listens on the socket; one left behind by an agent that was killed is replaced.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn listen(path: &Path) -> io::Result<UnixListener> {
        match std::fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let listener = UnixListener::bind(path)?;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
        Ok(listener)
    }

    /// Answers one after the other until told to stop.
    pub async fn serve(
        listener: UnixListener,
        (board, remote, spool): (Board, RemoteBoard, Spool),
        mut stop: Stop,
    ) {
        loop {
            let accepted = tokio::select! {
                () = stop.wanted() => return,
                accepted = listener.accept() => accepted,
            };
            match accepted {
                Ok((mut stream, _)) => {
                    let status = status(&board, &remote, &spool);
                    let answer = answer(&mut stream, &status);
                    // Whoever does not read in time gets nothing more.
                    drop(tokio::time::timeout(ANSWER_TIMEOUT, answer).await);
                }
                Err(error) => {
                    tracing::warn!(%error, "the local socket cannot accept");
                    tokio::time::sleep(REST).await;
                }
            }
        }
    }

    async fn answer(stream: &mut UnixStream, status: &Status) -> io::Result<()> {
        let text = serde_json::to_vec(status)?;
        stream.write_all(&text).await?;
        stream.shutdown().await
    }
}

#[cfg(unix)]
pub use socket::{listen, serve};

/// Asks a running agent for its status.
///
/// # Errors
/// When no agent answers there.
#[cfg(unix)]
pub fn ask(socket: &Path) -> std::io::Result<Status> {
    use std::io::Read;
    let stream = std::os::unix::net::UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(std::time::Duration::from_secs(10)))?;
    let mut text = Vec::new();
    stream.take(STATUS_BYTES_MAX).read_to_end(&mut text)?;
    Ok(serde_json::from_slice(&text)?)
}

/// Asks a running agent for its status; there is no local socket on this system yet.
///
/// # Errors
/// Always.
#[cfg(not(unix))]
pub fn ask(_socket: &Path) -> std::io::Result<Status> {
    Err(std::io::ErrorKind::Unsupported.into())
}
