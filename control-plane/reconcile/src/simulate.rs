//! Simulating a person's word: what would be merged, divided and different, without doing it.
//!
//! Invariant: afterwards everything is as it was; neither the decision that is being made nor what is remembered has
//! a trace of it. The same functions decide as when it is done, so that what is shown is what will be.
//!
//! Deliberately not here: what follows for parts and relationships, which go where their sightings go.

use crate::{Error, Past, Reconciler, WishError, Wished};
use model::decision::{ChangeWhat, Number, ObservationRecord};
use model::{Name, Value};
use std::collections::{BTreeMap, BTreeSet, HashSet};

/// Winning values that are listed of one item.
const CHANGES_MAX: usize = 200;

/// A winning value that would be another one.
#[derive(Clone, Debug, PartialEq)]
pub struct WinnerChange {
    /// The attribute.
    pub name: Name,
    /// What wins now; none when nobody says anything.
    pub before: Option<Value>,
    /// What would win.
    pub after: Option<Value>,
}

/// What would become of one item.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// The item; none for one that would be new, or come back under the id that it had.
    pub item: Option<Number>,
    /// Its title then.
    pub title: String,
    /// How many sightings it would have.
    pub sightings: usize,
    /// Items that would be this one.
    pub absorbed: Vec<Number>,
    /// Items that would lose sightings to this one, and stay.
    pub taken_from: Vec<Number>,
    /// Its winning values that would change; of a new item none are listed.
    pub changes: Vec<WinnerChange>,
    /// Changes that are not listed, because there are too many.
    pub changes_left_out: usize,
}

/// What would follow from a person's word.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Simulation {
    /// Pairs of sightings that the word is about.
    pub pairs: usize,
    /// Sightings that would belong to another item than now.
    pub moved: usize,
    /// The items that would gain or lose sightings. None when nothing would change.
    pub outcomes: Vec<Outcome>,
}

impl Reconciler {
    /// What would follow if two items were joined.
    ///
    /// # Errors
    /// See [`WishError`].
    pub fn simulate_join(
        &mut self,
        past: &dyn Past,
        items: (Number, Number),
    ) -> Result<Simulation, WishError> {
        self.simulated(past, |reconciler| reconciler.join(past, items, ""))
    }

    /// What would follow if two items were kept apart.
    ///
    /// # Errors
    /// See [`WishError`].
    pub fn simulate_keep_apart(
        &mut self,
        past: &dyn Past,
        items: (Number, Number),
    ) -> Result<Simulation, WishError> {
        self.simulated(past, |reconciler| reconciler.keep_apart(past, items, ""))
    }

    /// What would follow if sightings of an item were another item.
    ///
    /// # Errors
    /// See [`WishError`].
    pub fn simulate_divide(
        &mut self,
        past: &dyn Past,
        item: Number,
        natives: &[u64],
    ) -> Result<Simulation, WishError> {
        self.simulated(past, |reconciler| reconciler.divide(past, item, natives, ""))
    }

    /// Says it, looks at what follows, and takes it back.
    fn simulated(
        &mut self,
        past: &dyn Past,
        say: impl FnOnce(&mut Self) -> Result<Wished, WishError>,
    ) -> Result<Simulation, WishError> {
        let waiting = std::mem::take(&mut self.dirty);
        let said = say(self);
        let touched = std::mem::replace(&mut self.dirty, waiting);
        let wished = said?;
        let found = self.outcomes(past, touched);
        self.wishes.take_back(wished.action);
        self.decision.wishes.retain(|wish| wish.action != wished.action);
        let (moved, outcomes) = found?;
        Ok(Simulation { pairs: wished.pairs, moved, outcomes })
    }

    fn outcomes(
        &mut self,
        past: &dyn Past,
        touched: BTreeSet<u64>,
    ) -> Result<(usize, Vec<Outcome>), Error> {
        let mut done: HashSet<u64> = HashSet::new();
        let mut moved = 0_usize;
        let mut outcomes = Vec::new();
        for native in touched {
            if done.contains(&native) {
                continue;
            }
            let task = self.task(past, native, &mut done)?;
            let items = self.items_of(&task);
            let kept: BTreeSet<Number> = items.iter().flatten().copied().collect();
            let mut losing: BTreeSet<Number> = BTreeSet::new();
            let mut changed: BTreeSet<usize> = BTreeSet::new();
            for (place, (natives, item)) in task.groups.iter().zip(&items).enumerate() {
                for native in natives {
                    let from = self.index.item_of_sighting(*native);
                    if Some(from) != *item {
                        moved = moved.saturating_add(1);
                        changed.insert(place);
                        losing.insert(from);
                    }
                }
            }
            for (place, (natives, item)) in task.groups.iter().zip(items).enumerate() {
                if changed.contains(&place) || item.is_some_and(|item| losing.contains(&item)) {
                    outcomes.push(self.outcome(past, (natives, item), &kept)?);
                }
            }
        }
        Ok((moved, outcomes))
    }

    /// What one group of sightings would be.
    fn outcome(
        &mut self,
        past: &dyn Past,
        (natives, item): (&[u64], Option<Number>),
        kept: &BTreeSet<Number>,
    ) -> Result<Outcome, Error> {
        let mut by_item: BTreeMap<Number, BTreeSet<u64>> = BTreeMap::new();
        for native in natives {
            by_item.entry(self.index.item_of_sighting(*native)).or_default().insert(*native);
        }
        let mut after: Vec<ObservationRecord> = Vec::new();
        for (from, natives) in &by_item {
            let records = self.records(past, *from)?;
            after.extend(records.into_iter().filter(|record| natives.contains(&record.native)));
        }
        let others: Vec<Number> = by_item.into_keys().filter(|from| Some(*from) != item).collect();
        let (taken_from, absorbed) = others.iter().copied().partition(|from| kept.contains(from));
        let class_giver = item.or_else(|| others.first().copied()).unwrap_or(0);
        let mut outcome = Outcome {
            item,
            title: self.title_now(class_giver, &after),
            sightings: natives.len(),
            absorbed,
            taken_from,
            changes: Vec::new(),
            changes_left_out: 0,
        };
        if let Some(item) = item {
            let before = self.records(past, item)?;
            let changes = self.differences_of(item, &before, &after);
            outcome.changes_left_out = changes.len().saturating_sub(CHANGES_MAX);
            outcome.changes = changes;
            outcome.changes.truncate(CHANGES_MAX);
        }
        Ok(outcome)
    }

    /// Which winning values differ; nothing of it is noted.
    fn differences_of(
        &self,
        item: Number,
        before: &[ObservationRecord],
        after: &[ObservationRecord],
    ) -> Vec<WinnerChange> {
        let changes = self.differing_values(item, before, after).into_iter();
        let found = changes.filter_map(|change| match change {
            ChangeWhat::Attribute { name, before, after } => {
                Some(WinnerChange { name, before, after })
            }
            _ => None,
        });
        found.collect()
    }
}
