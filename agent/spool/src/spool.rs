//! The handle through which the agent uses the spool, from threads and from tasks.
//!
//! Invariants: handles are clones of each other; the writer thread lives as long as one of them and is joined by the
//! last, after it has written what was in the queue; no method waits for a flush but `append`, its siblings and
//! `acknowledge`.

use std::{
    ops::RangeInclusive,
    sync::{Arc, Mutex, PoisonError},
    thread::{self, JoinHandle},
};

use bytes::Bytes;
use environment::{Clock, Disk, Randomness};
use tokio::sync::watch;

use crate::{
    entry::Entry,
    error::{AppendError, Error, ReadError},
    log::Log,
    options::Options,
    priority::{PerClass, Priority},
    queue::{Queue, Ticket},
    statistics::Statistics,
    writer::Shared,
};

/// The spool. Clones are the same spool.
#[derive(Debug, Clone)]
pub struct Spool {
    shared: Arc<Shared>,
    _closer: Arc<Closer>,
}

/// Ends the writer thread with the last handle.
#[derive(Debug)]
struct Closer {
    shared: Arc<Shared>,
    writer: Mutex<Option<JoinHandle<()>>>,
}

impl Drop for Closer {
    fn drop(&mut self) {
        self.shared.queue.close();
        let writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(writer) = writer
            && writer.join().is_err()
        {
            tracing::error!("the writer of the spool has panicked");
        }
    }
}

impl Spool {
    /// Opens or creates a spool. A full or read-only disk does not fail it: appends do, until the disk is well again.
    pub fn open(
        options: Options,
        disk: Arc<dyn Disk>,
        clock: Arc<dyn Clock>,
        randomness: Arc<dyn Randomness>,
    ) -> Result<Self, Error> {
        let log = Log::open(&options, Arc::clone(&disk), clock, &*randomness)?;
        let queue = Queue::new(log.limits());
        let durable = PerClass::from_fn(|class| watch::Sender::new(log.durable(class)));
        let shared = Arc::new(Shared { log: Mutex::new(log), disk, queue, durable });
        let for_writer = Arc::clone(&shared);
        let writer = thread::Builder::new()
            .name("spool-writer".to_owned())
            .spawn(move || for_writer.run())
            .map_err(|source| Error::Disk {
                operation: "start the writer of",
                path: options.directory,
                source,
            })?;
        let closer = Closer { shared: Arc::clone(&shared), writer: Mutex::new(Some(writer)) };
        Ok(Self { shared, _closer: Arc::new(closer) })
    }

    /// The number of this spool's life. Another one means that the former records are lost.
    pub fn epoch(&self) -> u64 {
        self.shared.log().epoch()
    }

    /// Adds a record to the queue without waiting for the disk; it is accepted once the ticket's `wait` is `Ok`.
    pub async fn submit(&self, class: Priority, record: Bytes) -> Result<Ticket, AppendError> {
        self.shared.queue.push(class, &record).await
    }

    /// The same for a thread.
    pub fn submit_blocking(&self, class: Priority, record: &[u8]) -> Result<Ticket, AppendError> {
        self.shared.queue.push_blocking(class, record)
    }

    /// Accepts a record: returns its sequence once it is durable. If the future is dropped, the record may be
    /// written or not.
    pub async fn append(&self, class: Priority, record: Bytes) -> Result<u64, AppendError> {
        self.submit(class, record).await?.wait().await
    }

    /// The same for a thread.
    pub fn append_blocking(&self, class: Priority, record: &[u8]) -> Result<u64, AppendError> {
        self.submit_blocking(class, record)?.wait_blocking()
    }

    /// Accepts records in order and returns the first and the last of their sequences, between which records of
    /// others may lie. On an error a first part of them may have been accepted. An empty list is accepted as nothing:
    /// the range is then empty.
    pub async fn append_many(
        &self,
        class: Priority,
        records: Vec<Bytes>,
    ) -> Result<RangeInclusive<u64>, AppendError> {
        let mut tickets: Vec<Ticket> = Vec::with_capacity(records.len());
        for record in records {
            tickets.push(self.submit(class, record).await?);
        }
        let (mut first, mut last) = (None, None);
        for ticket in tickets {
            last = Some(ticket.wait().await?);
            first = first.or(last);
        }
        #[expect(clippy::reversed_empty_ranges, reason = "this is how an empty range looks")]
        Ok(first.zip(last).map_or(1..=0, |(first, last)| first..=last))
    }

    /// The entries of a class after a sequence, up to so many records and bytes but at least one if there is one.
    /// They follow each other without a hole: what is lost is an `Entry::Gap`. It reads files; bound the bytes.
    pub fn read(
        &self,
        class: Priority,
        after: u64,
        max_records: usize,
        max_bytes: usize,
    ) -> Result<Vec<Entry>, ReadError> {
        let (entries, durable) = {
            let mut log = self.shared.log();
            (log.read(class, after, max_records, max_bytes)?, log.durable(class))
        };
        // A spool that could not be read at its start may have found its records just now.
        self.shared.tell_durable(class, durable);
        Ok(entries)
    }

    /// Takes note that everything up to `through` has arrived, and removes the segments that are done with.
    pub fn acknowledge(&self, class: Priority, through: u64) -> Result<(), Error> {
        self.shared.log().acknowledge(class, through)
    }

    /// Goes on after a sequence that the control plane has and this spool never gave out: the answer to
    /// `Error::AheadOfSpool`. What waits is accepted once more under new sequences, so nothing is lost and some of it
    /// may be stored twice. Nobody else should be appending to the class meanwhile; appends in flight may be refused.
    pub fn continue_after(&self, class: Priority, sequence: u64) -> Result<(), Error> {
        let durable = {
            let mut log = self.shared.log();
            log.continue_after(class, sequence)?;
            log.durable(class)
        };
        self.shared.tell_durable(class, durable);
        Ok(())
    }

    /// The last acknowledged sequence of a class.
    pub fn committed(&self, class: Priority) -> u64 {
        self.shared.log().committed(class)
    }

    /// The last durable sequence of a class.
    pub fn durable(&self, class: Priority) -> u64 {
        *self.shared.durable.of(class).borrow()
    }

    /// Tells each new durable sequence of a class. A reader compares it with what it has; it need not count wake-ups.
    pub fn watch(&self, class: Priority) -> watch::Receiver<u64> {
        self.shared.durable.of(class).subscribe()
    }

    /// What the spool holds and what happened to it.
    pub fn statistics(&self) -> Statistics {
        self.shared.log().statistics()
    }
}
