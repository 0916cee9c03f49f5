//! The products behind one small interface: hand a record over, wait until all that were handed over are durable.
//!
//! All three give a record a rising key and keep its content; for the spool the sequence is the key, for the others it
//! is eight bytes, big endian. Caches are left at their defaults. The spool groups what waits together by itself; the
//! others get the same from `GroupFlush`, so that four writers never pay for four flushes where one would do.

use std::{
    path::Path,
    sync::{
        Arc, Condvar, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use environment::{RealDisk, SystemClock, SystemRandomness};
use spool::{Options, Priority, Spool, Ticket};

use super::Failure;

/// One product.
pub(crate) trait Engine: Send + Sync {
    /// A writer of its own for one thread.
    fn writer(&self) -> Box<dyn Writer + '_>;
}

/// One thread's access.
pub(crate) trait Writer {
    /// Hands a record over; it need not be durable yet.
    fn write(&mut self, record: &[u8]) -> Result<(), Failure>;
    /// Returns when everything handed over is durable.
    fn wait(&mut self) -> Result<(), Failure>;
}

/// Ours.
pub(crate) struct SpoolEngine(Spool);

/// Options that hold a whole run without dropping anything.
pub(crate) fn options(path: &Path) -> Options {
    let mut options = Options::new(path);
    options.quota_bytes = [1 << 30, 16 << 30, 1 << 30, 1 << 30];
    options
}

pub(crate) fn open_spool(path: &Path) -> Result<Spool, spool::Error> {
    Spool::open(
        options(path),
        Arc::new(RealDisk),
        Arc::new(SystemClock),
        Arc::new(SystemRandomness),
    )
}

impl SpoolEngine {
    pub(crate) fn open(path: &Path) -> Result<Self, Failure> {
        Ok(Self(open_spool(path)?))
    }
}

struct SpoolWriter<'a> {
    spool: &'a Spool,
    tickets: Vec<Ticket>,
}

impl Engine for SpoolEngine {
    fn writer(&self) -> Box<dyn Writer + '_> {
        Box::new(SpoolWriter { spool: &self.0, tickets: Vec::new() })
    }
}

impl Writer for SpoolWriter<'_> {
    fn write(&mut self, record: &[u8]) -> Result<(), Failure> {
        self.tickets.push(self.spool.submit_blocking(Priority::Inventory, record)?);
        Ok(())
    }

    fn wait(&mut self) -> Result<(), Failure> {
        for ticket in self.tickets.drain(..) {
            ticket.wait_blocking()?;
        }
        Ok(())
    }
}

/// Shares flushes: who has to wait joins the next flush that begins after its writes, and the first to come does it
/// for all.
#[derive(Default)]
struct GroupFlush {
    state: Mutex<FlushState>,
    finished: Condvar,
}

#[derive(Default)]
struct FlushState {
    asked: u64,
    done: u64,
    is_running: bool,
}

impl GroupFlush {
    fn wait(&self, flush: impl Fn() -> Result<(), Failure>) -> Result<(), Failure> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.asked += 1;
        let own = state.asked;
        while state.done < own {
            if state.is_running {
                state = self.finished.wait(state).unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            state.is_running = true;
            let covered = state.asked;
            drop(state);
            let flushed = flush();
            state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            state.is_running = false;
            self.finished.notify_all();
            flushed?;
            state.done = covered;
        }
        Ok(())
    }
}

/// sled: insert, then `flush`, which several threads share.
pub(crate) struct SledEngine {
    db: sled::Db,
    next: AtomicU64,
    group: GroupFlush,
}

impl SledEngine {
    pub(crate) fn open(path: &Path) -> Result<Self, Failure> {
        // Flushing by time is off: every flush is one that a writer waits for.
        let db = sled::Config::new().path(path).flush_every_ms(None).open()?;
        Ok(Self { db, next: AtomicU64::new(0), group: GroupFlush::default() })
    }
}

struct SledWriter<'a>(&'a SledEngine);

impl Engine for SledEngine {
    fn writer(&self) -> Box<dyn Writer + '_> {
        Box::new(SledWriter(self))
    }
}

impl Writer for SledWriter<'_> {
    fn write(&mut self, record: &[u8]) -> Result<(), Failure> {
        let key = self.0.next.fetch_add(1, Ordering::Relaxed).to_be_bytes();
        self.0.db.insert(key, record)?;
        Ok(())
    }

    fn wait(&mut self) -> Result<(), Failure> {
        let flush = || {
            self.0.db.flush()?;
            Ok(())
        };
        self.0.group.wait(flush)
    }
}

/// fjall: insert, then `persist` with a data flush.
pub(crate) struct FjallEngine {
    db: fjall::Database,
    keyspace: fjall::Keyspace,
    next: AtomicU64,
    group: GroupFlush,
}

impl FjallEngine {
    pub(crate) fn open(path: &Path) -> Result<Self, Failure> {
        let db = fjall::Database::builder(path).open()?;
        let keyspace = db.keyspace("records", fjall::KeyspaceCreateOptions::default)?;
        Ok(Self { db, keyspace, next: AtomicU64::new(0), group: GroupFlush::default() })
    }
}

struct FjallWriter<'a>(&'a FjallEngine);

impl Engine for FjallEngine {
    fn writer(&self) -> Box<dyn Writer + '_> {
        Box::new(FjallWriter(self))
    }
}

impl Writer for FjallWriter<'_> {
    fn write(&mut self, record: &[u8]) -> Result<(), Failure> {
        let key = self.0.next.fetch_add(1, Ordering::Relaxed).to_be_bytes();
        self.0.keyspace.insert(key, record)?;
        Ok(())
    }

    fn wait(&mut self) -> Result<(), Failure> {
        self.0.group.wait(|| Ok(self.0.db.persist(fjall::PersistMode::SyncData)?))
    }
}
