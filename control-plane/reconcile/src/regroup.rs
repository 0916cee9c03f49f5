//! Regrouping: after what changed, which sightings belong together, and which item each group is.
//!
//! Invariants: what belongs together is decided by `group` alone, for everything that evidence connects to what
//! changed; an item's id stays with its oldest sighting; an item that was absorbed comes back under its own id when
//! its first sighting is on its own again. Work is bounded: common values connect nothing.

use crate::group::{Grouping, group};
use crate::identity::score;
use crate::index::Index;
use crate::keys::KeySet;
use crate::rules::{ClassRules, Rules};
use crate::{Error, Past, Reconciler};
use model::decision::{Number, PossibleRecord};
use model::{KeyType, Tier, Timestamp};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

/// A value that more sightings than this carry connects nothing: with one sighting for each kind of source, as many
/// things carry it as make it worthless.
pub(crate) const HOLDERS_MAX: usize = 64;

/// The same for what a platform issued, which does not lose its weight.
const NATIVE_HOLDERS_MAX: usize = 4_096;

/// Two sightings with fewer bits than this do not decide about each other.
const EDGE_BITS: i32 = 6;

/// More sightings than this are not grouped by what they know together, only by what each pair shares.
const COMPONENT_MAX: usize = 1_024;

/// Sightings that are grouped at once in the end.
const COMPONENT_HARD_MAX: usize = 16_384;

/// How many holders of a value make it worthless, by its tier.
const fn holders_max(key_type: KeyType) -> usize {
    match key_type.tier() {
        Tier::Native => NATIVE_HOLDERS_MAX,
        _ => HOLDERS_MAX,
    }
}

/// Counts how many things carry a value, by the kind of source that lists most of them.
pub(crate) struct Frequencies<'a> {
    index: &'a Index,
    class: u32,
    known: HashMap<u64, usize>,
}

impl<'a> Frequencies<'a> {
    pub(crate) fn new(index: &'a Index, class: u32) -> Self {
        Self { index, class, known: HashMap::new() }
    }

    pub(crate) fn of(&mut self, hash: u64) -> usize {
        if let Some(known) = self.known.get(&hash) {
            return *known;
        }
        let found = self.count(hash);
        self.known.insert(hash, found);
        found
    }

    fn count(&self, hash: u64) -> usize {
        let Some(holders) = self.index.keys.holders(hash) else { return 0 };
        match holders.len() {
            1 => return 1,
            many if many > HOLDERS_MAX => return many,
            _ => {}
        }
        let mut counts: BTreeMap<u16, usize> = BTreeMap::new();
        for native in holders.iter() {
            if self.index.class_of_sighting(native) == Some(self.class) {
                let count = counts.entry(self.index.collector_of(native)).or_default();
                *count = count.saturating_add(1);
            }
        }
        counts.into_values().max().unwrap_or(0)
    }
}

/// What is to be decided together: groups of all sightings that touched items have.
#[derive(Default)]
pub(crate) struct Task {
    pub(crate) groups: Vec<Vec<u64>>,
    possible: Vec<(usize, usize, i32)>,
    items: BTreeSet<Number>,
}

impl Reconciler {
    /// The item that a new sighting most likely is. A first guess: what is decided in the end does not depend on it.
    /// Marks what has to be decided.
    pub(crate) fn likeliest(&self, class: u32, keys: &KeySet) -> (Option<Number>, bool) {
        let Some(name) = self.index.class_name(class) else { return (None, false) };
        let rules = self.rules.of(name);
        let mut frequencies = Frequencies::new(&self.index, class);
        let mut seen: BTreeSet<u64> = BTreeSet::new();
        let mut best: Option<(i32, std::cmp::Reverse<Number>)> = None;
        for (key_type, hash) in keys {
            let Some(holders) = self.index.keys.holders(*hash) else { continue };
            if holders.len() > holders_max(*key_type) {
                continue;
            }
            let others = holders.iter().filter(|other| {
                self.index.class_of_sighting(*other) == Some(class) && seen.insert(*other)
            });
            let others: Vec<u64> = others.collect();
            for other in others {
                let bits = score(rules, (keys, self.index.keys.of(other)), &mut |_, hash| {
                    frequencies.of(hash)
                });
                let item = self.index.item_of_sighting(other);
                best = best.max(Some((bits, std::cmp::Reverse(item))));
            }
        }
        match best {
            Some((bits, std::cmp::Reverse(item))) if bits >= rules.link_at && item != 0 => {
                (Some(item), true)
            }
            best => (None, best.is_some()),
        }
    }

    /// Decides again about everything that something touched.
    pub(crate) fn regroup(&mut self, past: &dyn Past) -> Result<(), Error> {
        let mut done: HashSet<u64> = HashSet::new();
        while let Some(native) = self.dirty.pop_first() {
            if done.contains(&native) {
                continue;
            }
            let task = self.task(past, native, &mut done)?;
            self.realize(past, task)?;
        }
        Ok(())
    }

    /// Everything that has to be decided together with a sighting.
    pub(crate) fn task(
        &self,
        past: &dyn Past,
        native: u64,
        done: &mut HashSet<u64>,
    ) -> Result<Task, Error> {
        let mut task = Task::default();
        let mut open = vec![native];
        while let Some(native) = open.pop() {
            if done.contains(&native) {
                continue;
            }
            let Some(class) = self.index.class_of_sighting(native) else {
                done.insert(native);
                continue;
            };
            let component = self.component(native, class);
            done.extend(component.iter().copied());
            done.insert(native);
            let grouping = self.grouping(class, &component);
            open.extend(self.outside(past, &component, &mut task.items)?);
            let offset = task.groups.len();
            task.groups.extend(grouping.groups);
            task.possible.extend(grouping.possible.into_iter().map(|(one, other, bits)| {
                (one.saturating_add(offset), other.saturating_add(offset), bits)
            }));
        }
        Ok(task)
    }

    fn grouping(&self, class: u32, component: &BTreeSet<u64>) -> Grouping {
        self.grouping_by(&self.rules, class, component)
    }

    pub(crate) fn grouping_by(
        &self,
        rules: &Rules,
        class: u32,
        component: &BTreeSet<u64>,
    ) -> Grouping {
        let Some(name) = self.index.class_name(class) else { return Grouping::default() };
        let members: BTreeMap<u64, &KeySet> =
            component.iter().map(|native| (*native, self.index.keys.of(*native))).collect();
        let mut frequencies = Frequencies::new(&self.index, class);
        group(rules.of(name), &self.wishes, &members, &mut |_, hash| frequencies.of(hash))
    }

    /// Sightings of the items of a component that evidence no longer connects with it.
    fn outside(
        &self,
        past: &dyn Past,
        component: &BTreeSet<u64>,
        items: &mut BTreeSet<Number>,
    ) -> Result<Vec<u64>, Error> {
        let mut counted: BTreeMap<Number, u32> = BTreeMap::new();
        for native in component {
            let Some(known) = self.index.natives.get(native) else { continue };
            let count = counted.entry(known.item).or_default();
            *count = count.saturating_add(known.slots_count());
        }
        let mut found = Vec::new();
        for (item, count) in counted {
            items.insert(item);
            if self.index.item(item).is_some_and(|item| item.observations > count) {
                let records = self.records(past, item)?;
                found.extend(records.iter().map(|record| record.native));
            }
        }
        Ok(found)
    }

    /// All sightings that evidence, or a person's word, connects with this one.
    pub(crate) fn component(&self, native: u64, class: u32) -> BTreeSet<u64> {
        self.component_by(&self.rules, native, class)
    }

    pub(crate) fn component_by(&self, rules: &Rules, native: u64, class: u32) -> BTreeSet<u64> {
        let Some(name) = self.index.class_name(class) else { return BTreeSet::new() };
        let rules = rules.of(name);
        let found = self.connected(native, class, (rules, EDGE_BITS, COMPONENT_MAX));
        if found.len() <= COMPONENT_MAX {
            return found;
        }
        self.connected(native, class, (rules, rules.link_at, COMPONENT_HARD_MAX))
    }

    fn connected(
        &self,
        native: u64,
        class: u32,
        (rules, edge_bits, most): (&ClassRules, i32, usize),
    ) -> BTreeSet<u64> {
        let mut frequencies = Frequencies::new(&self.index, class);
        let mut found = BTreeSet::from([native]);
        let mut open = vec![native];
        // Values all of whose holders are found: nobody has to look through them again.
        let mut exhausted: HashSet<u64> = HashSet::new();
        while let Some(one) = open.pop() {
            let keys = self.index.keys.of(one);
            let mut looked_at: BTreeSet<u64> = BTreeSet::new();
            for (key_type, hash) in keys {
                let Some(holders) = self.index.keys.holders(*hash) else { continue };
                let is_useless = holders.len() < 2 || holders.len() > holders_max(*key_type);
                if is_useless || exhausted.contains(hash) {
                    continue;
                }
                let mut are_all_found = true;
                for other in holders.iter() {
                    if found.contains(&other) || self.index.class_of_sighting(other) != Some(class)
                    {
                        continue;
                    }
                    let is_connected = looked_at.insert(other) && {
                        let theirs = self.index.keys.of(other);
                        connection(rules, (keys, theirs), &mut frequencies) >= edge_bits
                    };
                    if is_connected {
                        found.insert(other);
                        open.push(other);
                    }
                    are_all_found &= is_connected;
                }
                if are_all_found {
                    exhausted.insert(*hash);
                }
            }
            for other in self.wishes.must(one) {
                let is_there = self.index.class_of_sighting(other) == Some(class);
                if is_there && found.insert(other) {
                    open.push(other);
                }
            }
            if found.len() > most {
                break;
            }
        }
        found
    }

    /// Gives each group its item, and moves the sightings that are elsewhere.
    fn realize(&mut self, past: &dyn Past, task: Task) -> Result<(), Error> {
        let at = self.decision.recorded_at;
        let items = self.items_of(&task);
        if items.iter().any(Option::is_none) || self.has_moves(&task, &items) {
            let items = self.move_all(past, &task, items, at)?;
            self.note_possible(&task, &items);
            return Ok(());
        }
        let items: Vec<Number> = items.into_iter().flatten().collect();
        self.note_possible(&task, &items);
        Ok(())
    }

    /// The item of each group, as far as one of the touched items is it.
    pub(crate) fn items_of(&self, task: &Task) -> Vec<Option<Number>> {
        // An item stays with its oldest sighting; of several items, a group is the oldest.
        let mut oldest: BTreeMap<Number, (Number, usize)> = BTreeMap::new();
        for (place, natives) in task.groups.iter().enumerate() {
            for native in natives {
                let Some(known) = self.index.natives.get(native) else { continue };
                let age = known.first_number();
                let held = oldest.entry(known.item).or_insert((age, place));
                *held = (*held).min((age, place));
            }
        }
        let mut items: Vec<Option<Number>> = vec![None; task.groups.len()];
        for (item, (_, place)) in oldest {
            if let Some(held @ None) = items.get_mut(place) {
                *held = Some(item).filter(|item| *item != 0);
            }
        }
        items
    }

    /// The oldest sighting of each touched item.
    fn founders_of(&self, task: &Task) -> BTreeMap<Number, (Number, u64)> {
        let mut founders: BTreeMap<Number, (Number, u64)> = BTreeMap::new();
        for native in task.groups.iter().flatten() {
            let Some(known) = self.index.natives.get(native) else { continue };
            let founder = (known.first_number(), *native);
            let held = founders.entry(known.item).or_insert(founder);
            *held = (*held).min(founder);
        }
        founders
    }

    fn has_moves(&self, task: &Task, items: &[Option<Number>]) -> bool {
        task.groups.iter().zip(items).any(|(natives, item)| {
            natives.iter().any(|native| Some(self.index.item_of_sighting(*native)) != *item)
        })
    }

    fn move_all(
        &mut self,
        past: &dyn Past,
        task: &Task,
        items: Vec<Option<Number>>,
        at: Timestamp,
    ) -> Result<Vec<Number>, Error> {
        let founders = self.founders_of(task);
        let mut decided = Vec::with_capacity(items.len());
        let mut left: BTreeMap<Number, Number> = BTreeMap::new();
        for (natives, item) in task.groups.iter().zip(items) {
            let mut by_item: BTreeMap<Number, BTreeSet<u64>> = BTreeMap::new();
            for native in natives {
                by_item.entry(self.index.item_of_sighting(*native)).or_default().insert(*native);
            }
            let to = match item {
                Some(item) => item,
                None => self.item_for(past, natives, at)?,
            };
            decided.push(to);
            for (from, natives) in by_item.into_iter().filter(|(from, _)| *from != to) {
                self.move_group(past, (from, to), &natives, at)?;
                left.insert(from, to);
            }
        }
        for (item, into) in left {
            if self.index.item(item).is_some_and(|item| item.observations == 0) {
                let founder = founders.get(&item).map_or(0, |(_, native)| *native);
                self.absorb((item, into), founder, at);
            }
        }
        Ok(decided)
    }

    /// The item for a group that none of the touched items is: the absorbed one that began with one of its sightings,
    /// else a new one.
    fn item_for(
        &mut self,
        past: &dyn Past,
        natives: &[u64],
        at: Timestamp,
    ) -> Result<Number, Error> {
        let first = natives
            .iter()
            .filter_map(|native| Some((self.index.natives.get(native)?.first_number(), *native)));
        let mut first: Vec<(Number, u64)> = first.collect();
        first.sort_unstable();
        let absorbed = first.iter().find_map(|(_, native)| self.index.founders.get(native));
        if let Some(item) = absorbed.copied() {
            self.revive(item, at);
            return Ok(item);
        }
        let Some((_, native)) = first.first() else { return Ok(0) };
        let from = self.index.item_of_sighting(*native);
        let records = self.records(past, from)?;
        let record = records.iter().find(|record| record.native == *native).cloned();
        let Some(record) = record else {
            return Err(Error::Past(format!("item {from} has no observation").into()));
        };
        let class = self.index.class_number(&record.seen.class);
        let item = self.new_item(class, (0, 0), at)?;
        self.create(&record, item);
        Ok(item)
    }

    /// Notes which items a person should look at, and forgets what is settled.
    fn note_possible(&mut self, task: &Task, items: &[Number]) {
        let mut wanted: BTreeMap<(Number, Number), i32> = BTreeMap::new();
        for (one, other, bits) in &task.possible {
            let (Some(one), Some(other)) = (items.get(*one), items.get(*other)) else { continue };
            let held = wanted.entry((*one.max(other), *one.min(other))).or_insert(*bits);
            *held = (*held).max(*bits);
        }
        let touched: BTreeSet<Number> = task.items.iter().chain(items).copied().collect();
        for item in touched {
            let held: Vec<Number> =
                self.possible.get(&item).into_iter().flatten().map(|(other, _)| *other).collect();
            for other in held {
                let pair = (item.max(other), item.min(other));
                if !wanted.contains_key(&pair) {
                    self.forget_possible(pair);
                }
            }
        }
        for ((one, other), bits) in wanted {
            if self.know_possible((one, other), bits) != Some(bits) {
                self.decision.possible.push(PossibleRecord { one, other, bits });
            }
        }
    }

    /// Notes a pair; gives the bits that it had before.
    pub(crate) fn know_possible(
        &mut self,
        (one, other): (Number, Number),
        bits: i32,
    ) -> Option<i32> {
        self.possible.entry(other).or_default().insert(one, bits);
        self.possible.entry(one).or_default().insert(other, bits)
    }

    fn forget_possible(&mut self, (one, other): (Number, Number)) {
        for (from, to) in [(one, other), (other, one)] {
            if let Some(held) = self.possible.get_mut(&from) {
                held.remove(&to);
                if held.is_empty() {
                    self.possible.remove(&from);
                }
            }
        }
        self.decision.possible.retain(|record| (record.one, record.other) != (one, other));
        self.decision.possible_removed.push((one, other));
    }
}

/// How strongly two sightings are connected: what speaks for them, whatever speaks against.
fn connection(
    rules: &ClassRules,
    keys: (&KeySet, &KeySet),
    frequencies: &mut Frequencies<'_>,
) -> i32 {
    let mut bits = 0_i32;
    crate::identity::reasons(rules, keys, &mut |_, hash| frequencies.of(hash), |reason| {
        bits = bits.saturating_add(reason.bits.max(0));
    });
    bits
}
