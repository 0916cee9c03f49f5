//! What is known, in memory: who was seen where and under which number. A few dozen bytes for each observation.

use crate::Error;
use crate::next_number;
use model::decision::{Number, ScopeRecord, SourceRecord};
use model::{Coverage, ItemState, KeyType, Name, ScopeDigest, SourceId, Timestamp};
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
    pub(crate) observations: u32,
    /// How many of its observations are there.
    pub(crate) present: u32,
    pub(crate) state: ItemState,
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

/// Items that share a key. One, nearly always.
#[derive(Clone, Debug)]
pub(crate) enum Holders {
    One(Number),
    #[expect(clippy::box_collection, reason = "rare: a thin pointer keeps the usual case small")]
    Many(Box<Vec<Number>>),
}

impl Holders {
    pub(crate) fn as_slice(&self) -> &[Number] {
        match self {
            Self::One(item) => std::slice::from_ref(item),
            Self::Many(items) => items,
        }
    }
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
    pub(crate) keys: HashedMap<Holders>,
    pub(crate) item_keys: HashMap<Number, Vec<(KeyType, u64)>>,
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

    pub(crate) fn add_holder(&mut self, hash: u64, key_type: KeyType, item: Number) {
        match self.keys.get_mut(&hash) {
            None => {
                self.keys.insert(hash, Holders::One(item));
            }
            Some(holders) => {
                if holders.as_slice().contains(&item) {
                    return self.note_key(hash, key_type, item);
                }
                let mut items = holders.as_slice().to_vec();
                items.push(item);
                items.sort_unstable();
                *holders = Holders::Many(Box::new(items));
            }
        }
        self.note_key(hash, key_type, item);
    }

    fn note_key(&mut self, hash: u64, key_type: KeyType, item: Number) {
        let keys = self.item_keys.entry(item).or_default();
        if !keys.contains(&(key_type, hash)) {
            keys.push((key_type, hash));
        }
    }

    pub(crate) fn remove_holder(&mut self, hash: u64, item: Number) {
        if let Some(keys) = self.item_keys.get_mut(&item) {
            keys.retain(|(_, held)| *held != hash);
        }
        if let Some(holders) = self.keys.get_mut(&hash) {
            let items: Vec<Number> =
                holders.as_slice().iter().copied().filter(|held| *held != item).collect();
            match items.as_slice() {
                [] => {
                    self.keys.remove(&hash);
                }
                [one] => *holders = Holders::One(*one),
                _ => *holders = Holders::Many(Box::new(items)),
            }
        }
    }
}
