//! The queue between those who append and the writer thread: one growing group per class.
//!
//! Invariants: memory is bounded by the group limit of each class, twice (one group grows while the other is on its way
//! to the disk); a wake-up cannot be lost, because whoever waits looks at the state again under the lock; every group
//! that left the queue gets an outcome, also when the writer ends.
//!
//! It deliberately does not order classes by fairness: the writer takes the most important class first.

use std::{
    ops::RangeInclusive,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::Notify;

use crate::{
    error::AppendError,
    format::{RECORD_HEADER_BYTES, RecordGroup},
    options::Limits,
    priority::{PerClass, Priority},
};

/// Memory that a group keeps after it was written. A burst may need a mebibyte; an idle agent must not keep it.
const IDLE_BYTES: usize = 64 << 10;

/// The outcome of a group, shared by all whose records are in it.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    first: Mutex<Option<Result<u64, AppendError>>>,
    settled: Condvar,
    notify: Notify,
}

impl Outcome {
    fn locked(&self) -> MutexGuard<'_, Option<Result<u64, AppendError>>> {
        self.first.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn settle(&self, outcome: Result<u64, AppendError>) {
        *self.locked() = Some(outcome);
        self.settled.notify_all();
        self.notify.notify_waiters();
    }
}

/// A record's place in the queue. It is accepted once `wait` returned `Ok`.
#[derive(Debug, Clone)]
#[must_use = "a record is accepted only once its ticket says so"]
pub struct Ticket {
    outcome: Arc<Outcome>,
    place: u64,
}

impl Ticket {
    /// Waits until the record is durable and tells its sequence. May be dropped: the record is then written or not.
    pub async fn wait(&self) -> Result<u64, AppendError> {
        loop {
            let notified = self.outcome.notify.notified();
            tokio::pin!(notified);
            // Registered before looking, so that a settlement in between is not missed.
            notified.as_mut().enable();
            if let Some(sequence) = self.outcome_now() {
                return sequence;
            }
            notified.await;
        }
    }

    /// The same for a thread.
    pub fn wait_blocking(&self) -> Result<u64, AppendError> {
        let mut first = self.outcome.locked();
        loop {
            if let Some(outcome) = &*first {
                return outcome.clone().map(|first| first + self.place);
            }
            first = self.outcome.settled.wait(first).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn outcome_now(&self) -> Option<Result<u64, AppendError>> {
        let first = self.outcome.locked();
        first.as_ref().map(|outcome| outcome.clone().map(|first| first + self.place))
    }
}

/// A group on its way to the disk.
#[derive(Debug)]
pub(crate) struct Departing {
    pub(crate) class: Priority,
    pub(crate) group: RecordGroup,
    outcome: Arc<Outcome>,
}

#[derive(Debug)]
struct Slot {
    group: RecordGroup,
    outcome: Arc<Outcome>,
    spare: Option<RecordGroup>,
}

#[derive(Debug)]
struct State {
    slots: PerClass<Slot>,
    is_closed: bool,
    /// How many threads wait for room; the writer wakes them only then.
    waiting_count: usize,
}

/// The queue.
#[derive(Debug)]
pub(crate) struct Queue {
    state: Mutex<State>,
    /// Signals the writer that something waits.
    filled: Condvar,
    /// Signals threads that there is room.
    emptied: Condvar,
    /// Signals tasks that there is room.
    emptied_notify: Notify,
    group_limit: PerClass<usize>,
    record_limit: PerClass<u64>,
}

/// Why a record could not be added at once.
enum Refusal {
    NoRoom,
    Final(AppendError),
}

impl Queue {
    pub(crate) fn new(limits: &Limits) -> Self {
        let slots = PerClass::from_fn(|_| Slot {
            group: RecordGroup::new(),
            outcome: Arc::default(),
            spare: None,
        });
        Self {
            state: Mutex::new(State { slots, is_closed: false, waiting_count: 0 }),
            filled: Condvar::new(),
            emptied: Condvar::new(),
            emptied_notify: Notify::new(),
            group_limit: PerClass::from_fn(|class| {
                usize::try_from(*limits.group.of(class)).unwrap_or(usize::MAX)
            }),
            record_limit: limits.record,
        }
    }

    fn locked(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a record, waiting for room.
    pub(crate) async fn push(
        &self,
        class: Priority,
        payload: &[u8],
    ) -> Result<Ticket, AppendError> {
        let checksum = self.check(class, payload)?;
        loop {
            let emptied = self.emptied_notify.notified();
            tokio::pin!(emptied);
            emptied.as_mut().enable();
            match self.try_push(&mut self.locked(), class, payload, checksum) {
                Ok(ticket) => return Ok(ticket),
                Err(Refusal::Final(error)) => return Err(error),
                Err(Refusal::NoRoom) => {}
            }
            emptied.await;
        }
    }

    /// The same for a thread.
    pub(crate) fn push_blocking(
        &self,
        class: Priority,
        payload: &[u8],
    ) -> Result<Ticket, AppendError> {
        let checksum = self.check(class, payload)?;
        let mut state = self.locked();
        loop {
            match self.try_push(&mut state, class, payload, checksum) {
                Ok(ticket) => return Ok(ticket),
                Err(Refusal::Final(error)) => return Err(error),
                Err(Refusal::NoRoom) => {}
            }
            state.waiting_count += 1;
            state = self.emptied.wait(state).unwrap_or_else(PoisonError::into_inner);
            state.waiting_count -= 1;
        }
    }

    /// The checksum of a payload of allowed size, made before the lock is taken.
    fn check(&self, class: Priority, payload: &[u8]) -> Result<u32, AppendError> {
        let limit = *self.record_limit.of(class);
        if u64::try_from(payload.len()).is_ok_and(|size| size <= limit) {
            Ok(crc32c::crc32c(payload))
        } else {
            Err(AppendError::TooLarge { size: payload.len(), limit })
        }
    }

    fn try_push(
        &self,
        state: &mut State,
        class: Priority,
        payload: &[u8],
        checksum: u32,
    ) -> Result<Ticket, Refusal> {
        if state.is_closed {
            return Err(Refusal::Final(AppendError::Closed));
        }
        let slot = state.slots.of_mut(class);
        let size = slot.group.records_bytes() + payload.len() + RECORD_HEADER_BYTES;
        let was_empty = slot.group.count() == 0;
        if size > *self.group_limit.of(class) && !was_empty {
            return Err(Refusal::NoRoom);
        }
        let place = slot.group.push(payload, checksum, 0);
        if was_empty {
            self.filled.notify_one();
        }
        Ok(Ticket { outcome: Arc::clone(&slot.outcome), place })
    }

    /// Takes the next group, the most important class first; `None` once the queue is closed and empty.
    pub(crate) fn next(&self) -> Option<Departing> {
        let mut state = self.locked();
        loop {
            for class in Priority::ALL {
                let slot = state.slots.of_mut(class);
                if slot.group.count() > 0 {
                    let spare = slot.spare.take().unwrap_or_else(RecordGroup::new);
                    let group = std::mem::replace(&mut slot.group, spare);
                    let outcome = std::mem::take(&mut slot.outcome);
                    if state.waiting_count > 0 {
                        self.emptied.notify_all();
                    }
                    drop(state);
                    self.emptied_notify.notify_waiters();
                    return Some(Departing { class, group, outcome });
                }
            }
            if state.is_closed {
                return None;
            }
            state = self.filled.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Tells everyone in the group what became of it, and keeps its memory for the next one.
    pub(crate) fn settle(
        &self,
        mut departing: Departing,
        outcome: Result<RangeInclusive<u64>, AppendError>,
    ) {
        departing.outcome.settle(outcome.map(|range| *range.start()));
        let mut state = self.locked();
        let slot = state.slots.of_mut(departing.class);
        // While more is waiting the memory is needed again at once.
        let keep = if slot.group.count() > 0 { usize::MAX } else { IDLE_BYTES };
        departing.group.clear(keep);
        slot.spare = Some(departing.group);
    }

    /// Refuses further records. What is in the queue is still written.
    pub(crate) fn close(&self) {
        self.locked().is_closed = true;
        self.filled.notify_all();
        self.emptied.notify_all();
        self.emptied_notify.notify_waiters();
    }
}
