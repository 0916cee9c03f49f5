//! Memory that walks use and give back, so that no question pays for clearing or allocating what the whole graph needs.

use crate::bits::Bits;
use crate::place;
use model::decision::Number;
use std::sync::{Mutex, PoisonError};

/// Scratches that are kept; more questions at once make their own.
const KEPT_MAX: usize = 8;

/// A queue longer than this is not kept: only walks over the whole estate need it.
const QUEUE_KEPT_MAX: usize = 1 << 16;

/// An item with the one from which it was reached, as one number: rings of thousands of them are sorted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Visit(u64);

impl Visit {
    pub(crate) fn new(item: Number, from: Number) -> Self {
        Self((u64::from(item) << 32) | u64::from(from))
    }

    pub(crate) fn item(self) -> Number {
        // The shift leaves no more than 32 bits.
        Number::try_from(self.0 >> 32).unwrap_or(0)
    }

    pub(crate) fn from(self) -> Number {
        Number::try_from(self.0 & u64::from(Number::MAX)).unwrap_or(0)
    }
}

/// What one walk uses. Everything is empty between walks.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    pub(crate) seen: Bits,
    pub(crate) queue: Vec<Visit>,
    /// Distance from either end of a path, plus one; 0 is *not seen*.
    pub(crate) distances: [Vec<u16>; 2],
}

impl Scratch {
    /// Forgets what a walk has seen, by what it went to.
    fn clear(&mut self) {
        for item in self.queue.drain(..).map(Visit::item) {
            self.seen.remove(item);
            for side in &mut self.distances {
                if let Some(distance) = side.get_mut(place(item)) {
                    *distance = 0;
                }
            }
        }
        self.queue.shrink_to(QUEUE_KEPT_MAX);
    }

    /// Makes room for the distances of items below `end`.
    pub(crate) fn measure(&mut self, end: Number) {
        for side in &mut self.distances {
            if side.len() < place(end) {
                side.resize(place(end), 0);
            }
        }
    }
}

/// The scratches that nobody uses now.
#[derive(Debug, Default)]
pub(crate) struct Scratches {
    free: Mutex<Vec<Scratch>>,
}

impl Scratches {
    /// Lets a walk use a scratch. Whatever it sees must stand in the queue when it ends.
    pub(crate) fn with<T>(&self, walk: impl FnOnce(&mut Scratch) -> T) -> T {
        let free = || self.free.lock().unwrap_or_else(PoisonError::into_inner);
        let mut scratch = free().pop().unwrap_or_default();
        let answer = walk(&mut scratch);
        scratch.clear();
        let mut free = free();
        if free.len() < KEPT_MAX {
            free.push(scratch);
        }
        answer
    }

    pub(crate) fn memory_bytes(&self) -> usize {
        let of = |scratch: &Scratch| {
            let distances: usize = scratch.distances.iter().map(Vec::capacity).sum();
            scratch
                .seen
                .memory_bytes()
                .saturating_add(scratch.queue.capacity().saturating_mul(size_of::<Visit>()))
                .saturating_add(distances.saturating_mul(size_of::<u16>()))
        };
        self.free.lock().unwrap_or_else(PoisonError::into_inner).iter().map(of).sum()
    }
}
