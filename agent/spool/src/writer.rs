//! The writer thread: takes a group, writes and flushes it, tells the outcome, takes the next.
//!
//! Invariants: it is the only one that appends; it holds the lock of the log only to prepare and to settle, never while
//! the disk works, so that reading goes on during a flush; it ends after the last group when the queue is closed.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use environment::Disk;
use tokio::sync::watch;

use crate::{
    error::AppendError,
    format::RecordGroup,
    log::{Log, Settled},
    priority::{PerClass, Priority},
    queue::Queue,
};

/// What the handles and the writer share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) log: Mutex<Log>,
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) queue: Queue,
    pub(crate) durable: PerClass<watch::Sender<u64>>,
}

impl Shared {
    pub(crate) fn log(&self) -> MutexGuard<'_, Log> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Works until the queue is closed and empty.
    pub(crate) fn run(&self) {
        while let Some(mut departing) = self.queue.next() {
            let outcome = self.store(departing.class, &mut departing.group);
            if let Ok(range) = &outcome {
                self.tell_durable(departing.class, *range.end());
            }
            self.queue.settle(departing, outcome);
        }
    }

    /// Tells a durable sequence to those who watch. It never goes back.
    pub(crate) fn tell_durable(&self, class: Priority, sequence: u64) {
        self.durable.of(class).send_if_modified(|known| {
            let is_news = *known < sequence;
            *known = sequence.max(*known);
            is_news
        });
    }

    fn store(
        &self,
        class: Priority,
        group: &mut RecordGroup,
    ) -> Result<std::ops::RangeInclusive<u64>, AppendError> {
        let mut is_retry = false;
        loop {
            let prepared = self.log().prepare(class, group, is_retry)?;
            let stored = prepared.store(group, &*self.disk);
            let settled = self.log().settle(prepared, group, stored);
            match settled {
                Settled::Durable(range) => return Ok(range),
                Settled::Failed(error) => return Err(error),
                Settled::Retry => is_retry = true,
            }
        }
    }
}
