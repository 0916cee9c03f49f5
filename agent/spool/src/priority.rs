//! The priority classes of the spool. Each has its own chain of segments, its own sequence and its own quota.
//!
//! Invariant: the numbers are on disk and on the wire; they never change.

use std::fmt;

/// What kind of record this is, and so what happens to it when room gets scarce.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Priority {
    /// Results of commands and what must be provable later. Never dropped: a full chain pushes back.
    Audit = 0,
    /// Observations of configuration items. The oldest segment is dropped when the quota is reached.
    Inventory = 1,
    /// Things that happened. The oldest segment is dropped when the quota is reached.
    Events = 2,
    /// Readings. The oldest segment is dropped when the quota is reached.
    Metrics = 3,
}

/// How many classes there are.
pub(crate) const CLASSES_COUNT: usize = 4;

impl Priority {
    /// All classes, the most important first.
    pub const ALL: [Self; CLASSES_COUNT] =
        [Self::Audit, Self::Inventory, Self::Events, Self::Metrics];

    /// The class's name in file names, logs and command lines.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Audit => "audit",
            Self::Inventory => "inventory",
            Self::Events => "events",
            Self::Metrics => "metrics",
        }
    }

    /// The class with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|class| class.name() == name)
    }

    /// The class with this number.
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|class| class.number() == number)
    }

    /// The class's number, as on disk and on the wire.
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// True if the oldest records may be dropped (and reported lost) to make room for new ones.
    pub const fn is_droppable(self) -> bool {
        !matches!(self, Self::Audit)
    }
}

impl fmt::Display for Priority {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// One value per class.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PerClass<T>(pub [T; 4]);

impl<T> PerClass<T> {
    /// Makes one value for each class.
    pub fn from_fn(mut make: impl FnMut(Priority) -> T) -> Self {
        Self(Priority::ALL.map(&mut make))
    }

    /// The value of one class.
    #[expect(clippy::indexing_slicing, reason = "a class's number is below the number of classes")]
    pub const fn of(&self, class: Priority) -> &T {
        &self.0[class as usize]
    }

    /// The value of one class, to change.
    #[expect(clippy::indexing_slicing, reason = "a class's number is below the number of classes")]
    pub const fn of_mut(&mut self, class: Priority) -> &mut T {
        &mut self.0[class as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers_lead_back_to_the_class() {
        for (number, class) in (0_u8..).zip(Priority::ALL) {
            assert_eq!(class.number(), number);
            assert_eq!(Priority::from_number(number), Some(class));
            assert_eq!(Priority::from_name(class.name()), Some(class));
        }
        assert_eq!(Priority::from_number(4), None);
        assert_eq!(Priority::from_name("Audit"), None);
    }
}
