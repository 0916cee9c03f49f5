//! How many failures items outlive, as observations state it.
//!
//! Invariant: what counts is the most careful of the statements that an item has now, in whatever order they came.

use crate::graph::table;
use model::decision::Number;
use std::collections::HashMap;

/// The statements of all items; only arrays and the like make one.
#[derive(Clone, Debug, Default)]
pub(crate) struct Spares {
    /// The item and the number that each observation states.
    stated: HashMap<Number, (Number, u32)>,
    /// The least of each item.
    least: HashMap<Number, u32>,
}

impl Spares {
    /// Takes over what an observation states now.
    pub(crate) fn know(&mut self, observation: Number, item: Number, spare: Option<u32>) {
        if let Some((before, _)) = self.stated.remove(&observation) {
            let left = self.stated.values().filter(|(other, _)| *other == before);
            match left.map(|(_, spare)| *spare).min() {
                Some(least) => self.least.insert(before, least),
                None => self.least.remove(&before),
            };
        }
        if let Some(spare) = spare {
            self.stated.insert(observation, (item, spare));
            let least = self.least.entry(item).or_insert(spare);
            *least = spare.min(*least);
        }
    }

    /// How many failures an item outlives, when it says so.
    pub(crate) fn of(&self, item: Number) -> Option<u32> {
        if self.least.is_empty() { None } else { self.least.get(&item).copied() }
    }

    pub(crate) fn memory_bytes(&self) -> usize {
        let stated = table::<Number, (Number, u32)>(self.stated.capacity());
        stated.saturating_add(table::<Number, u32>(self.least.capacity()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_careful_statement_counts_until_it_is_taken_back() {
        let mut spares = Spares::default();
        spares.know(1, 7, Some(2));
        spares.know(2, 7, Some(1));
        assert_eq!(spares.of(7), Some(1));
        spares.know(2, 8, Some(1));
        assert_eq!((spares.of(7), spares.of(8)), (Some(2), Some(1)));
        spares.know(1, 7, None);
        spares.know(2, 8, None);
        assert_eq!((spares.of(7), spares.of(8)), (None, None));
    }
}
