//! Moving the log into the file, beside the writer instead of within its commits.
//!
//! Invariants: the writer never waits for a checkpoint while the log is small; when commits come faster than the log
//! can be moved, the writer itself finishes it, so that the log stays bounded; a checkpoint that fails is tried again
//! after the next commit, and loses nothing.

use rusqlite::Connection;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

/// The pause between two checkpoints: pages that many commits touch are copied once for all of them.
const PAUSE: Duration = Duration::from_millis(500);

/// Pages that the log may hold before the writer itself moves the rest: 128 MiB.
const LOG_PAGES_MAX: u64 = 32_768;

/// How long the writer waits for readers of the old log; then it goes on, and tries after a later commit.
const READERS_WAIT: Duration = Duration::from_millis(50);

/// The thread and what it last found.
pub(super) struct Checkpointer {
    commits: SyncSender<()>,
    log_pages: Arc<AtomicU64>,
    thread: JoinHandle<()>,
}

impl Checkpointer {
    pub(super) fn start(path: &Path) -> rusqlite::Result<Self> {
        let connection = Connection::open(path)?;
        connection.busy_timeout(super::BUSY_TIMEOUT)?;
        let (commits, waiting) = sync_channel(1);
        let log_pages = Arc::new(AtomicU64::new(0));
        let found = Arc::clone(&log_pages);
        let thread = std::thread::Builder::new()
            .name("store-checkpoint".to_owned())
            .spawn(move || run(&connection, &waiting, &found))
            .map_err(|_| rusqlite::Error::InvalidQuery)?;
        Ok(Self { commits, log_pages, thread })
    }

    /// To be called by the writer, outside a transaction.
    pub(super) fn after_commit(&self, connection: &Connection) {
        // When the place is taken, a checkpoint is due already.
        self.commits.try_send(()).ok();
        if self.log_pages.load(Ordering::Relaxed) > LOG_PAGES_MAX {
            connection.busy_timeout(READERS_WAIT).ok();
            let moved =
                connection.query_row("PRAGMA wal_checkpoint(RESTART)", [], |row| row.get(0));
            if moved.is_ok_and(|busy: i64| busy == 0) {
                self.log_pages.store(0, Ordering::Relaxed);
            }
            connection.busy_timeout(super::BUSY_TIMEOUT).ok();
        }
    }

    pub(super) fn stop(self) {
        drop(self.commits);
        self.thread.thread().unpark();
        // A thread that panicked has no log to move any longer.
        self.thread.join().ok();
    }
}

fn run(connection: &Connection, commits: &Receiver<()>, log_pages: &AtomicU64) {
    while commits.recv().is_ok() {
        let found: rusqlite::Result<i64> =
            connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |row| row.get(1));
        match found {
            Ok(pages) => log_pages.store(u64::try_from(pages).unwrap_or(0), Ordering::Relaxed),
            Err(error) => tracing::warn!(%error, "the log could not be moved into the file"),
        }
        std::thread::park_timeout(PAUSE);
    }
}
