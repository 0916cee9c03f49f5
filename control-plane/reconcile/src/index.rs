//! What is known, in memory: who was seen where and under which number. A few dozen bytes for each observation.

use crate::Error;
use crate::keys::Keys;
use crate::next_number;
use model::decision::{Number, ScopeRecord, SourceRecord};
use model::{Coverage, ItemState, Name, ScopeDigest, SourceId, Timestamp};
use std::collections::{BTreeSet, HashMap};
use std::hash::{BuildHasherDefault, Hasher};

/// Passes through keys that are hashes already (blake3, so nobody can aim them).
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Through(u64);

impl Hasher for Through {
    fn finish(&self) -> u64 {
        self.0
    }
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }
    fn write_u64(&mut self, number: u64) {
        self.0 = number;
    }
}

/// A map whose keys are hashes.
pub(crate) type HashedMap<T> = HashMap<u64, T, BuildHasherDefault<Through>>;

/// Where an observation comes from.
#[derive(Clone, Copy, Debug)]
pub struct Sight {
    /// Its source.
    pub source: Number,
    /// Its scope.
    pub scope: Number,
    /// Hash of source and native key.
    pub native: u64,
    /// Hash of its content.
    pub content: u128,
    /// When it was observed.
    pub at: Timestamp,
    /// The mark of the run, by which a full run tells what it did not list.
    pub mark: u32,
}

/// What one scope last said under a native key.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Slot {
    content: [u64; 2],
    pub(crate) scope: Number,
    /// The observation's number.
    pub(crate) number: Number,
    pub(crate) mark: u32,
    pub(crate) is_present: bool,
    /// Whether the scope's list of members has it.
    pub(crate) is_listed: bool,
}

impl Slot {
    pub(crate) fn new(scope: Number, number: Number, content: u128) -> Self {
        let mut slot =
            Self { content: [0; 2], scope, number, mark: 0, is_present: false, is_listed: false };
        slot.set_content(content);
        slot
    }

    pub(crate) fn content(&self) -> u128 {
        (u128::from(self.content[1]) << 64) | u128::from(self.content[0])
    }

    pub(crate) fn set_content(&mut self, content: u128) {
        let low = u64::try_from(content & u128::from(u64::MAX)).unwrap_or(0);
        let high = u64::try_from(content >> 64).unwrap_or(0);
        self.content = [low, high];
    }
}

/// Everything that a source calls by one native key; nearly always in one scope.
#[derive(Clone, Debug)]
pub(crate) struct Native {
    /// The item, 0 while its parent is unknown.
    pub(crate) item: Number,
    first: Slot,
    #[expect(
        clippy::box_collection,
        reason = "almost always empty: a thin pointer saves 16 bytes each"
    )]
    more: Option<Box<Vec<Slot>>>,
}

impl Native {
    pub(crate) const fn new(item: Number, first: Slot) -> Self {
        Self { item, first, more: None }
    }

    pub(crate) fn add(&mut self, slot: Slot) {
        self.more.get_or_insert_default().push(slot);
    }

    /// In how many scopes it is, or was, seen.
    pub(crate) fn slots_count(&self) -> u32 {
        let more = self.more.as_ref().map_or(0, |more| more.len());
        u32::try_from(more).unwrap_or(u32::MAX).saturating_add(1)
    }

    /// In how many scopes it is seen.
    fn present_count(&self) -> u32 {
        let more = self.more.iter().flat_map(|more| more.iter());
        let present = std::iter::once(&self.first).chain(more).filter(|slot| slot.is_present);
        u32::try_from(present.count()).unwrap_or(u32::MAX)
    }

    /// The observation of the scope that spoke first.
    pub(crate) fn first_number(&self) -> Number {
        self.first.number
    }

    pub(crate) fn slot(&self, scope: Number) -> Option<&Slot> {
        if self.first.scope == scope {
            return Some(&self.first);
        }
        self.more.as_ref()?.iter().find(|slot| slot.scope == scope)
    }

    pub(crate) fn slot_mut(&mut self, scope: Number) -> Option<&mut Slot> {
        if self.first.scope == scope {
            return Some(&mut self.first);
        }
        self.more.as_mut()?.iter_mut().find(|slot| slot.scope == scope)
    }
}

/// What is kept of an item.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ItemSlot {
    pub(crate) local: u64,
    pub(crate) state_since: Timestamp,
    /// Index into `Index::classes`.
    pub(crate) class: u32,
    pub(crate) parent: Number,
    /// The first of its parts, and the next part of its own parent; 0 is none.
    first_part: Number,
    next_part: Number,
    pub(crate) observations: u32,
    /// How many of its observations are there.
    pub(crate) present: u32,
    pub(crate) state: ItemState,
}

impl ItemSlot {
    pub(crate) const fn new(
        class: u32,
        (parent, local): (Number, u64),
        (state, state_since): (ItemState, Timestamp),
    ) -> Self {
        Self {
            local,
            state_since,
            class,
            parent,
            first_part: 0,
            next_part: 0,
            observations: 0,
            present: 0,
            state,
        }
    }
}

/// An item that was found to be another one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Absorbed {
    /// The item that its id leads to.
    pub(crate) into: Number,
    /// Its first sighting, with which it comes back; 0 for a part.
    pub(crate) founder: u64,
}

/// What is known of a scope.
#[derive(Clone, Debug)]
pub struct ScopeState {
    /// Its source.
    pub source: Number,
    /// Its name.
    pub name: Name,
    /// How completely it was seen the last time.
    pub coverage: Coverage,
    /// The last look.
    pub looked_at: Timestamp,
    /// The last complete look.
    pub complete_at: Option<Timestamp>,
    /// The digest of all that it holds.
    pub digest: ScopeDigest,
    /// How many things it holds.
    pub present: u64,
    /// How many of them are items of their own.
    pub independent: u64,
    /// Native keys that it holds, and some that it held.
    pub(crate) members: Vec<u64>,
}

/// Everything that is known.
#[derive(Debug, Default)]
pub(crate) struct Index {
    pub(crate) classes: Vec<Name>,
    class_numbers: HashMap<Name, u32>,
    /// By number; 0 is no item.
    pub(crate) items: Vec<ItemSlot>,
    pub(crate) natives: HashedMap<Native>,
    /// Parts by parent and what tells them apart within it.
    pub(crate) parts: HashedMap<Number>,
    pub(crate) keys: Keys,
    pub(crate) absorbed: HashMap<Number, Absorbed>,
    /// Absorbed items by their first sighting.
    pub(crate) founders: HashMap<u64, Number>,
    /// Kinds of sources by number, and the kind of each source.
    collectors: HashMap<String, u16>,
    collector_of_source: HashMap<Number, u16>,
    pub(crate) sources: HashMap<Number, SourceRecord>,
    pub(crate) source_numbers: HashMap<SourceId, Number>,
    pub(crate) scopes: HashMap<Number, ScopeState>,
    pub(crate) scope_numbers: HashMap<(Number, Name), Number>,
    /// Scopes to be written with this decision.
    pub(crate) touched: BTreeSet<Number>,
    pub(crate) observations: Number,
    /// Items that are missing or stale: time moves them on.
    pub(crate) waning: BTreeSet<Number>,
}

/// The key of a part in memory.
pub(crate) fn part_key(parent: Number, local: u64) -> u64 {
    // An odd multiplier spreads the parent over all bits; `local` is a hash already.
    local ^ u64::from(parent).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

impl Index {
    pub(crate) fn know_source(&mut self, record: SourceRecord) {
        let next = u16::try_from(self.collectors.len()).unwrap_or(u16::MAX);
        let kind = *self.collectors.entry(record.id.collector.clone()).or_insert(next);
        self.collector_of_source.insert(record.number, kind);
        self.source_numbers.insert(record.id.clone(), record.number);
        self.sources.insert(record.number, record);
    }

    pub(crate) fn class_number(&mut self, name: &Name) -> u32 {
        if let Some(number) = self.class_numbers.get(name) {
            return *number;
        }
        let number = u32::try_from(self.classes.len()).unwrap_or(u32::MAX);
        self.classes.push(name.clone());
        self.class_numbers.insert(name.clone(), number);
        number
    }

    pub(crate) fn class_of(&self, item: Number) -> Option<&Name> {
        let class = usize::try_from(self.item(item)?.class).ok()?;
        self.classes.get(class)
    }

    pub(crate) fn item(&self, number: Number) -> Option<&ItemSlot> {
        let place = usize::try_from(number).ok()?.checked_sub(1)?;
        self.items.get(place)
    }

    pub(crate) fn item_mut(&mut self, number: Number) -> Option<&mut ItemSlot> {
        let place = usize::try_from(number).ok()?.checked_sub(1)?;
        self.items.get_mut(place)
    }

    /// The next observation's number.
    pub(crate) fn next_observation(&mut self) -> Result<Number, Error> {
        self.observations = self.observations.checked_add(1).ok_or(Error::Full)?;
        Ok(self.observations)
    }

    pub(crate) fn scope(&mut self, source: Number, name: &str) -> Result<Number, Error> {
        let key = (source, Name::Owned(name.to_owned()));
        if let Some(number) = self.scope_numbers.get(&key) {
            return Ok(*number);
        }
        let number = next_number(self.scopes.len())?;
        let state = ScopeState {
            source,
            name: key.1.clone(),
            coverage: Coverage::partial(model::run::CoverageReason::None, ""),
            looked_at: Timestamp::EPOCH,
            complete_at: None,
            digest: ScopeDigest::default(),
            present: 0,
            independent: 0,
            members: Vec::new(),
        };
        self.scopes.insert(number, state);
        self.scope_numbers.insert(key, number);
        self.touched.insert(number);
        Ok(number)
    }

    /// The records of the scopes that this decision touched.
    pub(crate) fn take_touched_scopes(&mut self) -> Vec<ScopeRecord> {
        let touched = std::mem::take(&mut self.touched);
        touched
            .into_iter()
            .filter_map(|number| {
                let state = self.scopes.get(&number)?;
                Some(ScopeRecord {
                    number,
                    source: state.source,
                    name: state.name.clone(),
                    coverage: state.coverage.clone(),
                    looked_at: state.looked_at,
                    complete_at: state.complete_at,
                    seen_count: state.present,
                    digest: state.digest,
                })
            })
            .collect()
    }

    /// Counts an observation into or out of its scope and item.
    pub(crate) fn set_present(&mut self, native: u64, scope: Number, is_present: bool) {
        let Some(known) = self.natives.get_mut(&native) else { return };
        let item = known.item;
        let Some(slot) = known.slot_mut(scope) else { return };
        if slot.is_present == is_present {
            return;
        }
        slot.is_present = is_present;
        let content = model::run::ContentHash(slot.content());
        let is_new_member = is_present && !slot.is_listed;
        slot.is_listed |= is_present;
        let is_independent = self.item(item).is_some_and(|item| item.parent == 0);
        if let Some(scope) = self.scopes.get_mut(&scope) {
            if is_new_member {
                scope.members.push(native);
            }
            let count = |number: u64| {
                if is_present { number.saturating_add(1) } else { number.saturating_sub(1) }
            };
            scope.present = count(scope.present);
            if is_independent {
                scope.independent = count(scope.independent);
            }
            if is_present { scope.digest.add(content) } else { scope.digest.remove(content) }
        }
        if let Some(item) = self.item_mut(item) {
            item.present = if is_present {
                item.present.saturating_add(1)
            } else {
                item.present.saturating_sub(1)
            };
        }
    }

    /// Adds an item that is part of another one, or of none.
    pub(crate) fn add_item(&mut self, slot: ItemSlot) -> Result<Number, Error> {
        let number = next_number(self.items.len())?;
        let (parent, local) = (slot.parent, slot.local);
        self.items.push(slot);
        if parent != 0 {
            self.parts.insert(part_key(parent, local), number);
            self.link_part(number, parent);
        }
        Ok(number)
    }

    /// Puts a part into the list of its parent. Parents can come after their parts while they are loaded.
    pub(crate) fn link_part(&mut self, part: Number, parent: Number) {
        let Some(first) = self.item(parent).map(|parent| parent.first_part) else { return };
        if let Some(slot) = self.item_mut(part) {
            slot.next_part = first;
        }
        if let Some(slot) = self.item_mut(parent) {
            slot.first_part = part;
        }
    }

    /// Puts all parts into the lists of their parents; once, after loading.
    pub(crate) fn link_parts(&mut self) {
        for place in 0..self.items.len() {
            let Ok(part) = next_number(place) else { return };
            let parent = self.item(part).map_or(0, |part| part.parent);
            if parent != 0 {
                self.link_part(part, parent);
            }
        }
    }

    /// The parts of an item, whatever their state.
    pub(crate) fn children(&self, item: Number) -> Vec<Number> {
        let mut found = Vec::new();
        let mut next = self.item(item).map_or(0, |item| item.first_part);
        while next != 0 {
            found.push(next);
            next = self.item(next).map_or(0, |part| part.next_part);
        }
        found
    }

    /// The part of an item that is told apart by `local`.
    pub(crate) fn part(&self, parent: Number, local: u64) -> Option<Number> {
        self.parts.get(&part_key(parent, local)).copied()
    }

    /// Gives a part another parent.
    pub(crate) fn move_part(&mut self, part: Number, parent: Number) {
        let Some(slot) = self.item(part).copied() else { return };
        let kept: Vec<Number> =
            self.children(slot.parent).into_iter().filter(|child| *child != part).collect();
        if let Some(old) = self.item_mut(slot.parent) {
            old.first_part = 0;
        }
        for child in kept.into_iter().rev() {
            self.link_part(child, slot.parent);
        }
        self.parts.remove(&part_key(slot.parent, slot.local));
        self.parts.insert(part_key(parent, slot.local), part);
        if let Some(slot) = self.item_mut(part) {
            slot.parent = parent;
        }
        self.link_part(part, parent);
    }

    /// Gives a sighting to another item, with its counts.
    pub(crate) fn give(&mut self, native: u64, from: Number, to: Number) {
        let Some(known) = self.natives.get_mut(&native) else { return };
        known.item = to;
        let (slots, present) = (known.slots_count(), known.present_count());
        if let Some(item) = self.item_mut(from) {
            item.observations = item.observations.saturating_sub(slots);
            item.present = item.present.saturating_sub(present);
        }
        if let Some(item) = self.item_mut(to) {
            item.observations = item.observations.saturating_add(slots);
            item.present = item.present.saturating_add(present);
        }
    }

    /// Notes that an item is another one from now on.
    pub(crate) fn absorb(&mut self, item: Number, absorbed: Absorbed) {
        if absorbed.founder != 0 {
            self.founders.insert(absorbed.founder, item);
        }
        self.absorbed.insert(item, absorbed);
    }

    /// Notes that an absorbed item is one of its own again.
    pub(crate) fn revive(&mut self, item: Number) {
        if let Some(absorbed) = self.absorbed.remove(&item) {
            self.founders.remove(&absorbed.founder);
        }
    }

    /// The item that an absorbed one leads to in the end; an item that was not absorbed leads to itself.
    pub(crate) fn survivor(&self, item: Number) -> Number {
        let mut found = item;
        // An item absorbs only what has sightings, so this ends; the bound is for a damaged store.
        for _ in 0..self.absorbed.len() {
            match self.absorbed.get(&found) {
                Some(absorbed) => found = absorbed.into,
                None => break,
            }
        }
        found
    }

    pub(crate) fn class_name(&self, class: u32) -> Option<&str> {
        let name = self.classes.get(usize::try_from(class).ok()?)?;
        Some(name.as_ref())
    }

    /// The item of a sighting; 0 while it has none.
    pub(crate) fn item_of_sighting(&self, native: u64) -> Number {
        self.natives.get(&native).map_or(0, |known| known.item)
    }

    /// The class of a sighting that has an item.
    pub(crate) fn class_of_sighting(&self, native: u64) -> Option<u32> {
        Some(self.item(self.item_of_sighting(native))?.class)
    }

    pub(crate) fn source_of_sighting(&self, native: u64) -> Option<Number> {
        let scope = self.natives.get(&native)?.first.scope;
        Some(self.scopes.get(&scope)?.source)
    }

    /// The kind of source that a sighting comes from.
    pub(crate) fn collector_of(&self, native: u64) -> u16 {
        let source = self.source_of_sighting(native).unwrap_or(0);
        self.collector_of_source.get(&source).copied().unwrap_or(u16::MAX)
    }
}
