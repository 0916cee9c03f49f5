//! Which source mainly sees each item: the way from an item to its site and to the labels of its agent.
//!
//! Invariant: the answer follows from the observations that an item has now, not from the order in which they came.

use crate::bits::Bits;
use crate::place;
use model::decision::Number;
use std::collections::HashMap;

/// How many observations of an item a source has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Said {
    source: Number,
    /// Those that are there.
    present: u32,
    /// All of them.
    all: u32,
}

/// The sources of all items.
#[derive(Clone, Debug, Default)]
pub(crate) struct Origins {
    /// The item of each observation, and whether it is there.
    items: Vec<Number>,
    present: Bits,
    /// The first source of each item; nearly every item has only one.
    first: Vec<Said>,
    more: HashMap<Number, Vec<Said>>,
}

impl Origins {
    /// Takes over what an observation says now.
    pub(crate) fn know(
        &mut self,
        observation: Number,
        source: Number,
        item: Number,
        is_present: bool,
    ) {
        let at = place(observation);
        if self.items.len() <= at {
            self.items.resize(at.saturating_add(1), 0);
        }
        let before = self.items.get(at).copied().unwrap_or(0);
        if before != 0 {
            self.leave(before, source, self.present.contains(observation));
        }
        if let Some(held) = self.items.get_mut(at) {
            *held = item;
        }
        self.present.set(observation, is_present);
        if item != 0 {
            self.enter(item, source, is_present);
        }
    }

    fn enter(&mut self, item: Number, source: Number, is_present: bool) {
        let at = place(item);
        if self.first.len() <= at {
            self.first.resize(at.saturating_add(1), Said::default());
        }
        let Some(first) = self.first.get_mut(at) else { return };
        let said = if first.all == 0 || first.source == source {
            first.source = source;
            first
        } else {
            let more = self.more.entry(item).or_default();
            let found = more.iter().position(|said| said.source == source).unwrap_or_else(|| {
                more.push(Said { source, ..Said::default() });
                more.len().saturating_sub(1)
            });
            let Some(said) = more.get_mut(found) else { return };
            said
        };
        said.all = said.all.saturating_add(1);
        said.present = said.present.saturating_add(u32::from(is_present));
    }

    fn leave(&mut self, item: Number, source: Number, was_present: bool) {
        let Some(first) = self.first.get_mut(place(item)) else { return };
        let more = self.more.get_mut(&item);
        let said = if first.source == source {
            Some(&mut *first)
        } else {
            more.and_then(|more| more.iter_mut().find(|said| said.source == source))
        };
        let Some(said) = said else { return };
        said.all = said.all.saturating_sub(1);
        said.present = said.present.saturating_sub(u32::from(was_present));
        let Some(more) = self.more.get_mut(&item) else { return };
        more.retain(|said| said.all != 0);
        if first.all == 0
            && let Some(next) = more.pop()
        {
            *first = next;
        }
        if more.is_empty() {
            self.more.remove(&item);
        }
    }

    /// The source that sees most of an item now; of what nobody sees now, that which saw most. 0 when none ever did.
    pub(crate) fn source(&self, item: Number) -> Number {
        let Some(first) = self.first.get(place(item)).filter(|said| said.all != 0) else {
            return 0;
        };
        let more = self.more.get(&item).map(Vec::as_slice).unwrap_or_default();
        let best = more
            .iter()
            .chain([first])
            .max_by_key(|said| (said.present, said.all, std::cmp::Reverse(said.source)));
        best.map_or(0, |said| said.source)
    }

    pub(crate) fn memory_bytes(&self) -> usize {
        let more: usize = self
            .more
            .values()
            .map(|more| more.capacity().saturating_add(2).saturating_mul(size_of::<Said>()))
            .sum();
        self.items
            .capacity()
            .saturating_mul(size_of::<Number>())
            .saturating_add(self.first.capacity().saturating_mul(size_of::<Said>()))
            .saturating_add(self.present.memory_bytes())
            .saturating_add(more)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_item_belongs_to_the_source_that_sees_it_now() {
        let mut origins = Origins::default();
        assert_eq!(origins.source(1), 0);
        origins.know(1, 7, 1, true);
        origins.know(2, 7, 1, true);
        origins.know(3, 8, 1, true);
        assert_eq!(origins.source(1), 7);
        origins.know(1, 7, 1, false);
        origins.know(2, 7, 1, false);
        assert_eq!(origins.source(1), 8);
        origins.know(3, 8, 1, false);
        assert_eq!(origins.source(1), 7);
    }

    #[test]
    fn an_observation_that_moves_takes_its_source_along() {
        let mut origins = Origins::default();
        origins.know(1, 7, 1, true);
        origins.know(2, 8, 1, true);
        origins.know(1, 7, 2, true);
        assert_eq!((origins.source(1), origins.source(2)), (8, 7));
        origins.know(2, 8, 0, true);
        assert_eq!(origins.source(1), 0);
        assert!(origins.more.is_empty());
    }
}
