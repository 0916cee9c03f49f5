//! One SQLite file: one thread that writes, with group commit, and a small pool of connections that read.
//!
//! Invariants: a write returns after its transaction is on disk (WAL, `synchronous=FULL`); a write that fails
//! leaves nothing behind and does not disturb the writes that share its transaction; a reader never sees half a
//! write. Waiting writes are committed together, so that many small ones share one fsync.
//!
//! Deliberately not here: what is written (`sqlite`, `fleet`, `users`) and the tables (`schema`).

mod checkpoint;

use crate::schema;
use checkpoint::Checkpointer;
use rusqlite::{Connection, OpenFlags};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use tokio::sync::{Semaphore, mpsc, oneshot};

/// Writes that may wait for the writer. Each is small or bounded by its caller; more would only grow memory.
const WAITING_WRITES_MAX: usize = 256;

/// Writes that share one transaction. More would make the first of them wait noticeably longer.
const GROUP_WRITES_MAX: usize = 64;

/// Connections that read at the same time. Reading is bounded by processors; more would only compete for them.
const READERS_MAX: usize = 4;

/// How long a connection waits for a lock that another process holds (a backup, a checkpoint).
const BUSY_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(10);

/// Prepared statements that a connection keeps; above the number of different statements in this crate.
const STATEMENTS_KEPT: usize = 192;

/// Why the database did not do it.
#[derive(Debug, Clone, thiserror::Error)]
pub enum DatabaseError {
    /// SQLite said no.
    #[error(
        "the database at `{path}` cannot {doing}; check the space and the rights of its folder"
    )]
    Sqlite {
        /// The file.
        path: Arc<PathBuf>,
        /// What was tried.
        doing: &'static str,
        /// What SQLite said.
        #[source]
        source: Arc<rusqlite::Error>,
    },
    /// The file was written by a newer version.
    #[error(
        "the database has format {found}, this build reads up to {known}; install the newer version again"
    )]
    TooNew {
        /// Its format.
        found: usize,
        /// The newest format that this build knows.
        known: usize,
    },
    /// The writer has ended.
    #[error("the database is closed")]
    Closed,
}

type Finish = Box<dyn FnOnce(Result<(), DatabaseError>) + Send>;
type Job = Box<dyn FnOnce(&Connection) -> Finish + Send>;

struct Inner {
    path: Arc<PathBuf>,
    jobs: Mutex<Option<mpsc::Sender<Job>>>,
    readers: Mutex<Vec<Connection>>,
    reading: Semaphore,
    writer: Mutex<Option<JoinHandle<()>>>,
}

/// A handle to the database. Cheap to clone; the last one closes it.
#[derive(Clone)]
pub struct Database {
    inner: Arc<Inner>,
}

impl std::fmt::Debug for Database {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Database").field("path", &self.inner.path).finish_non_exhaustive()
    }
}

impl Database {
    /// Opens the file, makes it when it is not there, and brings its tables up to this build's format.
    ///
    /// # Errors
    /// When the file cannot be opened or belongs to a newer version.
    pub fn open(path: &Path) -> Result<Self, DatabaseError> {
        let path = Arc::new(path.to_owned());
        let failed = |doing| {
            let path = Arc::clone(&path);
            move |source| DatabaseError::Sqlite { path, doing, source: Arc::new(source) }
        };
        let connection = Connection::open(path.as_ref()).map_err(failed("be opened"))?;
        configure_writer(&connection).map_err(failed("be configured"))?;
        migrate(&connection, &path)?;
        let (tx, rx) = mpsc::channel(WAITING_WRITES_MAX);
        let file = Arc::clone(&path);
        let checkpointer = Checkpointer::start(&path).map_err(failed("be checkpointed"))?;
        let writer = std::thread::Builder::new()
            .name("store-writer".to_owned())
            .spawn(move || write_until_closed(&connection, rx, (&file, checkpointer)))
            .map_err(|_| DatabaseError::Closed)?;
        Ok(Self {
            inner: Arc::new(Inner {
                path,
                jobs: Mutex::new(Some(tx)),
                readers: Mutex::new(Vec::new()),
                reading: Semaphore::new(READERS_MAX),
                writer: Mutex::new(Some(writer)),
            }),
        })
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.inner.path
    }

    /// Opens a connection of its own that only reads; for a thread that asks often.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub fn reader(&self) -> Result<Connection, DatabaseError> {
        open_reader(&self.inner.path).map_err(|source| self.failed("be read", source))
    }

    /// Runs `question` on a connection that only reads, off the async threads.
    ///
    /// # Errors
    /// What the question gives, or when no connection can be opened.
    pub async fn read<T, E, F>(&self, question: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<DatabaseError> + Send + 'static,
        F: FnOnce(&Connection) -> Result<T, E> + Send + 'static,
    {
        let _permit = self.inner.reading.acquire().await.map_err(|_| DatabaseError::Closed)?;
        let inner = Arc::clone(&self.inner);
        let answer = tokio::task::spawn_blocking(move || {
            let kept = inner.readers.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let connection = match kept {
                Some(connection) => connection,
                None => open_reader(&inner.path).map_err(|source| DatabaseError::Sqlite {
                    path: Arc::clone(&inner.path),
                    doing: "be read",
                    source: Arc::new(source),
                })?,
            };
            // A read transaction: every statement of the question sees the same state.
            connection.execute_batch("BEGIN").ok();
            let answer = question(&connection);
            connection.execute_batch("COMMIT").ok();
            inner.readers.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
            answer
        });
        answer.await.map_err(|_| DatabaseError::Closed)?
    }

    /// Runs `change` in the writer's transaction and returns after the commit. When it gives an error, what it
    /// wrote is undone, and nothing else.
    ///
    /// # Errors
    /// What the change gives, or when the commit fails.
    pub async fn write<T, E, F>(&self, change: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<DatabaseError> + Send + 'static,
        F: FnOnce(&Connection) -> Result<T, E> + Send + 'static,
    {
        let (tx, rx) = oneshot::channel();
        let job: Job = Box::new(move |connection| {
            let answer = within_savepoint(connection, change);
            Box::new(move |committed| {
                let answer = match committed {
                    Ok(()) => answer,
                    Err(error) => Err(E::from(error)),
                };
                // The caller may have gone away; what is committed stays committed.
                drop(tx.send(answer));
            })
        });
        let jobs = self.inner.jobs.lock().unwrap_or_else(PoisonError::into_inner).clone();
        jobs.ok_or(DatabaseError::Closed)?.send(job).await.map_err(|_| DatabaseError::Closed)?;
        rx.await.map_err(|_| DatabaseError::Closed)?
    }

    /// Moves the log into the file, so that the file's size tells what is stored.
    ///
    /// # Errors
    /// When it cannot be done.
    pub async fn checkpoint(&self) -> Result<(), DatabaseError> {
        // An empty write first: after it, everything before it is in the log.
        self.write::<(), DatabaseError, _>(|_| Ok(())).await?;
        let path = Arc::clone(&self.inner.path);
        let moved = tokio::task::spawn_blocking(move || -> rusqlite::Result<()> {
            let connection = Connection::open(path.as_ref())?;
            connection.busy_timeout(BUSY_TIMEOUT)?;
            connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
        });
        let moved = moved.await.map_err(|_| DatabaseError::Closed)?;
        moved.map_err(|source| self.failed("move its log", source))
    }

    /// Finishes the waiting writes, moves the log into the file and closes it.
    pub async fn close(&self) {
        self.inner.jobs.lock().unwrap_or_else(PoisonError::into_inner).take();
        let writer = self.inner.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(writer) = writer {
            drop(tokio::task::spawn_blocking(move || writer.join()).await);
        }
    }

    fn failed(&self, doing: &'static str, source: rusqlite::Error) -> DatabaseError {
        DatabaseError::Sqlite {
            path: Arc::clone(&self.inner.path),
            doing,
            source: Arc::new(source),
        }
    }
}

impl DatabaseError {
    /// The error of a statement.
    #[must_use]
    pub fn statement(source: rusqlite::Error) -> Self {
        Self::Sqlite {
            path: Arc::new(PathBuf::from("dharma.sqlite")),
            doing: "answer a statement",
            source: Arc::new(source),
        }
    }
}

impl From<rusqlite::Error> for DatabaseError {
    fn from(source: rusqlite::Error) -> Self {
        Self::statement(source)
    }
}

fn within_savepoint<T, E, F>(connection: &Connection, change: F) -> Result<T, E>
where
    E: From<DatabaseError>,
    F: FnOnce(&Connection) -> Result<T, E>,
{
    connection.execute_batch("SAVEPOINT job").map_err(DatabaseError::statement)?;
    let answer = change(connection);
    let end = if answer.is_ok() { "RELEASE job" } else { "ROLLBACK TO job; RELEASE job" };
    connection.execute_batch(end).map_err(DatabaseError::statement)?;
    answer
}

fn configure_writer(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS_KEPT);
    // FULL makes every commit durable in WAL mode. Checkpoints have a thread of their own, see `checkpoint`.
    connection.execute_batch(
        "PRAGMA page_size = 4096;
         PRAGMA journal_mode = WAL;
         PRAGMA synchronous = FULL;
         PRAGMA foreign_keys = OFF;
         PRAGMA cache_size = -65536;
         PRAGMA temp_store = MEMORY;
         PRAGMA journal_size_limit = 67108864;
         PRAGMA wal_autocheckpoint = 0;",
    )
}

fn open_reader(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS_KEPT);
    connection.execute_batch("PRAGMA cache_size = -16384; PRAGMA temp_store = MEMORY;")?;
    Ok(connection)
}

fn migrate(connection: &Connection, path: &Arc<PathBuf>) -> Result<(), DatabaseError> {
    let failed = |source| DatabaseError::Sqlite {
        path: Arc::clone(path),
        doing: "be brought up to date",
        source: Arc::new(source),
    };
    let known = schema::MIGRATIONS.len();
    let found: u32 =
        connection.query_row("PRAGMA user_version", [], |row| row.get(0)).map_err(failed)?;
    let found = usize::try_from(found).unwrap_or(usize::MAX);
    if found > known {
        return Err(DatabaseError::TooNew { found, known });
    }
    for (index, migration) in schema::MIGRATIONS.iter().enumerate().skip(found) {
        let number = index.saturating_add(1);
        connection
            .execute_batch(&format!(
                "BEGIN IMMEDIATE; {migration}; PRAGMA user_version = {number}; COMMIT;"
            ))
            .map_err(failed)?;
    }
    Ok(())
}

/// The writer's life: waits for a write, takes the ones that wait with it, commits them together, answers.
fn write_until_closed(
    connection: &Connection,
    mut jobs: mpsc::Receiver<Job>,
    (path, checkpointer): (&Arc<PathBuf>, Checkpointer),
) {
    while let Some(first) = jobs.blocking_recv() {
        let mut finishes: Vec<Finish> = Vec::new();
        let failed = |source| DatabaseError::Sqlite {
            path: Arc::clone(path),
            doing: "commit",
            source: Arc::new(source),
        };
        let begun = connection.execute_batch("BEGIN IMMEDIATE").map_err(failed);
        let mut next = Some(first);
        while let Some(job) = next {
            finishes.push(job(connection));
            next = if finishes.len() < GROUP_WRITES_MAX { jobs.try_recv().ok() } else { None };
        }
        let committed = begun.and_then(|()| connection.execute_batch("COMMIT").map_err(failed));
        if committed.is_err() {
            connection.execute_batch("ROLLBACK").ok();
        }
        for finish in finishes {
            finish(committed.clone());
        }
        checkpointer.after_commit(connection);
    }
    checkpointer.stop();
    connection.execute_batch("PRAGMA optimize; PRAGMA wal_checkpoint(TRUNCATE);").ok();
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn count(database: &Database) -> i64 {
        database
            .read::<_, DatabaseError, _>(|connection| {
                Ok(connection.query_row("SELECT COUNT(*) FROM name", [], |row| row.get(0))?)
            })
            .await
            .unwrap()
    }

    fn insert(connection: &Connection, text: &str) -> Result<(), DatabaseError> {
        connection.execute("INSERT INTO name(text) VALUES (?1)", [text])?;
        Ok(())
    }

    #[tokio::test]
    async fn a_write_that_fails_leaves_nothing_and_does_not_disturb_the_others() {
        let folder = tempfile::tempdir().unwrap();
        let database = Database::open(&folder.path().join("dharma.sqlite")).unwrap();
        let bad = database.write::<(), DatabaseError, _>(|connection| {
            insert(connection, "half")?;
            insert(connection, "half")
        });
        let good = database.write::<(), DatabaseError, _>(|connection| insert(connection, "whole"));
        let (bad, good) = tokio::join!(bad, good);
        assert!(bad.is_err());
        good.unwrap();
        assert_eq!(count(&database).await, 1);
    }

    #[tokio::test]
    async fn what_was_written_is_there_after_reopening() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("dharma.sqlite");
        let database = Database::open(&path).unwrap();
        database
            .write::<(), DatabaseError, _>(|connection| insert(connection, "kept"))
            .await
            .unwrap();
        database.close().await;
        let again =
            database.write::<(), DatabaseError, _>(|connection| insert(connection, "x")).await;
        assert!(matches!(again, Err(DatabaseError::Closed)));
        assert_eq!(count(&Database::open(&path).unwrap()).await, 1);
    }

    #[test]
    fn a_file_of_a_newer_version_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("dharma.sqlite");
        Connection::open(&path).unwrap().execute_batch("PRAGMA user_version = 9999").unwrap();
        assert!(matches!(Database::open(&path), Err(DatabaseError::TooNew { found: 9999, .. })));
    }
}
