//! The SQLite connections of what people decide: tokens, agents, users. They lie in the same file as the items, but
//! not on the connection of the write path, which never waits for a person.
//!
//! Invariants: every write is one immediate transaction, durable when it returns (`synchronous=FULL`); migrations
//! only go forward and are counted per list of migrations.
//!
//! Deliberately not here: what is stored.

use rusqlite::{Connection, OpenFlags, Transaction, TransactionBehavior};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// How long a write waits for the write path's transaction; a group commit takes milliseconds, a checkpoint of a
/// large log on a slow disk seconds.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// Why the database does not answer.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    /// SQLite refused.
    #[error("the database does not answer")]
    Sqlite(#[from] rusqlite::Error),
    /// A stored value has a form that this build does not know.
    #[error("the database holds a value that this version cannot read ({what})")]
    Unreadable {
        /// What it is.
        what: &'static str,
    },
    /// The file was written by a newer version.
    #[error(
        "the state was written by a newer version (schema {found} of `{list}`, this version knows {known}): install that version again"
    )]
    TooNew {
        /// Which list of migrations.
        list: &'static str,
        /// The stored number.
        found: usize,
        /// What this build knows.
        known: usize,
    },
    /// The thread that asked the database ended.
    #[error("the database's thread ended")]
    Stopped,
}

/// Two connections to one file: one writes, one reads beside it.
#[derive(Debug)]
pub struct Database {
    writer: Mutex<Connection>,
    reader: Mutex<Connection>,
}

impl Database {
    /// Opens or makes the file.
    ///
    /// # Errors
    /// When SQLite cannot.
    pub fn open(path: &Path) -> Result<Arc<Self>, DatabaseError> {
        Ok(Arc::new(Self {
            writer: Mutex::new(connect(path)?),
            reader: Mutex::new(connect(path)?),
        }))
    }

    /// Brings the tables of one list of migrations to the newest form.
    pub(crate) fn migrate(&self, list: &'static str, steps: &[&str]) -> Result<(), DatabaseError> {
        let mut connection = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        tx.execute_batch(
            "CREATE TABLE IF NOT EXISTS fleet_schema (list TEXT PRIMARY KEY, steps INTEGER NOT NULL) STRICT",
        )?;
        let found: usize = tx
            .query_row(
                "SELECT coalesce(max(steps), 0) FROM fleet_schema WHERE list = ?1",
                [list],
                |row| row.get::<_, i64>(0),
            )
            .map(|steps| usize::try_from(steps).unwrap_or(usize::MAX))?;
        if found > steps.len() {
            return Err(DatabaseError::TooNew { list, found, known: steps.len() });
        }
        for step in steps.iter().skip(found) {
            tx.execute_batch(step)?;
        }
        let known = i64::try_from(steps.len()).unwrap_or(i64::MAX);
        tx.execute(
            "INSERT OR REPLACE INTO fleet_schema (list, steps) VALUES (?1, ?2)",
            (list, known),
        )?;
        tx.commit()?;
        Ok(())
    }

    /// Asks a question on a thread that may block.
    pub(crate) async fn read<T, E>(
        self: &Arc<Self>,
        ask: impl FnOnce(&Connection) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<DatabaseError> + Send + 'static,
    {
        let this = Arc::clone(self);
        let task = tokio::task::spawn_blocking(move || {
            ask(&this.reader.lock().unwrap_or_else(PoisonError::into_inner))
        });
        task.await.unwrap_or_else(|_| Err(DatabaseError::Stopped.into()))
    }

    /// Writes in one transaction on a thread that may block; an error rolls back.
    pub(crate) async fn write<T, E>(
        self: &Arc<Self>,
        change: impl FnOnce(&Transaction<'_>) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<DatabaseError> + Send + 'static,
    {
        let this = Arc::clone(self);
        let task = tokio::task::spawn_blocking(move || {
            let mut connection = this.writer.lock().unwrap_or_else(PoisonError::into_inner);
            let tx = connection
                .transaction_with_behavior(TransactionBehavior::Immediate)
                .map_err(|error| E::from(error.into()))?;
            let answer = change(&tx)?;
            tx.commit().map_err(|error| E::from(error.into()))?;
            Ok(answer)
        });
        task.await.unwrap_or_else(|_| Err(DatabaseError::Stopped.into()))
    }
}

fn connect(path: &Path) -> Result<Connection, DatabaseError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_CREATE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", "ON")?;
    // These tables are small; a large cache would only be taken from the write path's.
    connection.pragma_update(None, "cache_size", -1024)?;
    Ok(connection)
}
