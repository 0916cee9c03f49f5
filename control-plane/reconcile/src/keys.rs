//! Who carries which identity key, both ways.
//!
//! A sighting is what one source calls by one native key, whatever the number of scopes it is seen in. Of parts only
//! the holders are kept, for relationships that name a key; only independent sightings are recognized by theirs.

use crate::index::HashedMap;
use model::KeyType;
use std::collections::BTreeSet;

/// Keys of a sighting, sorted.
pub(crate) type KeySet = [(KeyType, u64)];

/// More holders than this are kept in a tree.
const FEW: usize = 64;

/// The sightings that carry a key. One, nearly always.
#[derive(Clone, Debug)]
pub(crate) enum Holders {
    One(u64),
    #[expect(clippy::box_collection, reason = "rare: a thin pointer keeps the usual case small")]
    Few(Box<Vec<u64>>),
    #[expect(clippy::box_collection, reason = "rare: a thin pointer keeps the usual case small")]
    Crowd(Box<BTreeSet<u64>>),
}

impl Holders {
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::One(_) => 1,
            Self::Few(few) => few.len(),
            Self::Crowd(crowd) => crowd.len(),
        }
    }

    pub(crate) fn iter(&self) -> Box<dyn Iterator<Item = u64> + '_> {
        match self {
            Self::One(native) => Box::new(std::iter::once(*native)),
            Self::Few(few) => Box::new(few.iter().copied()),
            Self::Crowd(crowd) => Box::new(crowd.iter().copied()),
        }
    }
}

/// Both directions.
#[derive(Debug, Default)]
pub(crate) struct Keys {
    holders: HashedMap<Holders>,
    of: HashedMap<Box<KeySet>>,
}

impl Keys {
    /// The sightings that carry a key.
    pub(crate) fn holders(&self, hash: u64) -> Option<&Holders> {
        self.holders.get(&hash)
    }

    /// The keys that a sighting is recognized by.
    pub(crate) fn of(&self, native: u64) -> &KeySet {
        self.of.get(&native).map(AsRef::as_ref).unwrap_or_default()
    }

    /// All sightings that are recognized by keys.
    pub(crate) fn sightings(&self) -> impl Iterator<Item = u64> + '_ {
        self.of.keys().copied()
    }

    /// Notes that a sighting carries a key.
    pub(crate) fn hold(&mut self, hash: u64, native: u64) {
        let Some(holders) = self.holders.get_mut(&hash) else {
            self.holders.insert(hash, Holders::One(native));
            return;
        };
        match holders {
            Holders::One(held) if *held == native => {}
            Holders::One(held) => {
                let mut few = vec![*held, native];
                few.sort_unstable();
                *holders = Holders::Few(Box::new(few));
            }
            Holders::Few(few) => {
                let Err(place) = few.binary_search(&native) else { return };
                few.insert(place, native);
                if few.len() > FEW {
                    *holders = Holders::Crowd(Box::new(few.iter().copied().collect()));
                }
            }
            Holders::Crowd(crowd) => {
                crowd.insert(native);
            }
        }
    }

    /// Notes that a sighting no longer carries a key.
    pub(crate) fn drop(&mut self, hash: u64, native: u64) {
        let Some(holders) = self.holders.get_mut(&hash) else { return };
        let is_empty = match holders {
            Holders::One(held) => *held == native,
            Holders::Few(few) => {
                few.retain(|held| *held != native);
                few.is_empty()
            }
            Holders::Crowd(crowd) => {
                crowd.remove(&native);
                crowd.is_empty()
            }
        };
        if is_empty {
            self.holders.remove(&hash);
        }
    }

    /// Lets a sighting be recognized by a key. Whether that is new.
    pub(crate) fn recognize(&mut self, native: u64, key_type: KeyType, hash: u64) -> bool {
        let known = self.of(native);
        let Err(place) = known.binary_search(&(key_type, hash)) else { return false };
        let mut keys = known.to_vec();
        keys.insert(place, (key_type, hash));
        self.of.insert(native, keys.into_boxed_slice());
        true
    }

    /// Takes a key from what a sighting is recognized by.
    pub(crate) fn forget(&mut self, native: u64, hash: u64) {
        let kept: Vec<(KeyType, u64)> =
            self.of(native).iter().copied().filter(|(_, held)| *held != hash).collect();
        if kept.is_empty() {
            self.of.remove(&native);
        } else {
            self.of.insert(native, kept.into_boxed_slice());
        }
    }
}
