//! What is on the way and what may follow: the window, and the order of the classes. Pure.

use spool::{PerClass, Priority};
use std::collections::VecDeque;

/// A batch on the way.
#[derive(Clone, Copy, Debug)]
struct OnTheWay {
    class: Priority,
    through: u64,
    bytes: usize,
}

/// The most batches on the way, whatever their size: bounds what is remembered of them.
const BATCHES_MAX: usize = 256;

/// Bookkeeping of one session.
#[derive(Debug)]
pub struct Flow {
    window_bytes: usize,
    on_the_way: VecDeque<OnTheWay>,
    bytes: usize,
    sent: PerClass<u64>,
}

impl Flow {
    /// A session that goes on behind what is committed.
    #[must_use]
    pub fn new(window_bytes: usize, committed: PerClass<u64>) -> Self {
        Self { window_bytes, on_the_way: VecDeque::new(), bytes: 0, sent: committed }
    }

    /// What to send next: class, behind which sequence, and how many bytes. `None` when all is sent or the window is
    /// full. With nothing on the way there is always room for one record, however small the window.
    #[must_use]
    pub fn next(
        &self,
        durable: PerClass<u64>,
        batch_bytes: usize,
    ) -> Option<(Priority, u64, usize)> {
        let room = self.window_bytes.saturating_sub(self.bytes);
        let is_full = room == 0 || self.on_the_way.len() >= BATCHES_MAX;
        if is_full && !self.on_the_way.is_empty() {
            return None;
        }
        let class = Priority::ALL.into_iter().find(|c| durable.of(*c) > self.sent.of(*c))?;
        Some((class, *self.sent.of(class), room.min(batch_bytes).max(1)))
    }

    /// A batch was sent.
    pub fn sent(&mut self, class: Priority, through: u64, bytes: usize) {
        *self.sent.of_mut(class) = through;
        self.bytes = self.bytes.saturating_add(bytes);
        self.on_the_way.push_back(OnTheWay { class, through, bytes });
    }

    /// The last sequence of a class that was sent.
    #[must_use]
    pub fn sent_through(&self, class: Priority) -> u64 {
        *self.sent.of(class)
    }

    /// Everything of a class up to a sequence has arrived.
    pub fn acknowledged(&mut self, class: Priority, through: u64) {
        let bytes = &mut self.bytes;
        self.on_the_way.retain(|batch| {
            let has_arrived = batch.class == class && batch.through <= through;
            if has_arrived {
                *bytes = bytes.saturating_sub(batch.bytes);
            }
            !has_arrived
        });
    }

    /// Whether nothing is on the way.
    #[must_use]
    pub fn is_quiet(&self) -> bool {
        self.on_the_way.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DURABLE: PerClass<u64> = PerClass([0, 10, 5, 7]);

    #[test]
    fn a_full_window_holds_everything_back_until_something_arrives() {
        let mut flow = Flow::new(100, PerClass::default());
        flow.sent(Priority::Inventory, 3, 100);
        assert_eq!(flow.next(DURABLE, 1000), None);
        flow.acknowledged(Priority::Inventory, 2);
        assert_eq!(flow.next(DURABLE, 1000), None);
        flow.acknowledged(Priority::Inventory, 3);
        assert_eq!(flow.next(DURABLE, 1000), Some((Priority::Inventory, 3, 100)));
        assert!(flow.is_quiet());
    }

    #[test]
    fn the_most_important_class_goes_first() {
        let mut flow = Flow::new(1000, PerClass([0, 10, 4, 0]));
        assert_eq!(flow.next(DURABLE, 64), Some((Priority::Events, 4, 64)));
        flow.sent(Priority::Events, 5, 64);
        assert_eq!(flow.next(DURABLE, 64), Some((Priority::Metrics, 0, 64)));
        assert_eq!(flow.next(PerClass([1, 11, 5, 7]), 64), Some((Priority::Audit, 0, 64)));
    }

    #[test]
    fn a_window_of_nothing_still_lets_one_batch_through() {
        let flow = Flow::new(0, PerClass::default());
        assert_eq!(flow.next(DURABLE, 1000), Some((Priority::Inventory, 0, 1)));
    }
}
