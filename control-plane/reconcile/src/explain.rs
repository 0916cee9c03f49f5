//! Explaining: why the sightings of an item are one, and why others are not.
//!
//! Nothing is remembered for it: a decision is a function of what is known, so it is made again and its reasons are
//! written down. Values come from the observations, weights from the rules.

use crate::identity::{Reason, reasons, score, spelled};
use crate::keys::KeySet;
use crate::regroup::Frequencies;
use crate::{Error, Past, Reconciler};
use model::decision::{Number, ObservationRecord, key_hash};
use model::{IdentityKey, SourceId};
use std::collections::{BTreeMap, BTreeSet};

/// Sightings of an item that are compared with each other.
const SIGHTINGS_MAX: usize = 32;

/// Other items that are named.
const RIVALS_MAX: usize = 20;

/// A sighting with its evidence.
#[derive(Clone, Debug)]
pub struct SightingEvidence {
    /// The hash by which a person speaks about it.
    pub native: u64,
    /// Who sees it.
    pub source: SourceId,
    /// What it calls it.
    pub native_key: String,
    /// Whether it is there.
    pub is_present: bool,
    /// The keys that it is recognized by.
    pub keys: Vec<IdentityKey>,
}

/// What speaks for and against two sightings being one item.
#[derive(Clone, Debug)]
pub struct Pair {
    /// The first sighting.
    pub one: u64,
    /// The second sighting.
    pub other: u64,
    /// The sum.
    pub bits: i32,
    /// What it is made of.
    pub reasons: Vec<Reason>,
}

/// Another item that shares evidence with this one.
#[derive(Clone, Debug)]
pub struct Rival {
    /// The item.
    pub item: Number,
    /// How much speaks for both being one.
    pub bits: i32,
    /// What it is made of.
    pub reasons: Vec<Reason>,
    /// Whether a person keeps them apart.
    pub is_kept_apart: bool,
}

/// Why an item is what it is.
#[derive(Clone, Debug)]
pub struct Explanation {
    /// The item that the id leads to.
    pub item: Number,
    /// The rules that decided.
    pub rules: String,
    /// From so many bits on, sightings are one item.
    pub link_at: i32,
    /// From so many bits on, a person is asked.
    pub review_at: i32,
    /// Its sightings.
    pub sightings: Vec<SightingEvidence>,
    /// The evidence between them, strongest first.
    pub pairs: Vec<Pair>,
    /// Pairs of sightings that a person joined.
    pub joined: Vec<(u64, u64)>,
    /// Other items that share evidence, likeliest first.
    pub rivals: Vec<Rival>,
    /// Sightings that were left out because there are too many.
    pub left_out: usize,
}

impl Explanation {
    /// The value behind a reason, as the sightings of the item have it.
    #[must_use]
    pub fn value(&self, reason: &Reason) -> Option<&str> {
        let keys = self.sightings.iter().flat_map(|sighting| &sighting.keys);
        let mut found = keys.filter(|key| Some(key_hash(key)) == reason.shared);
        found.next().map(|key| key.value.as_str())
    }
}

impl Reconciler {
    /// Why an item is what it is. Nothing for what does not exist.
    ///
    /// # Errors
    /// When what is stored cannot be read.
    pub fn explain(&self, past: &dyn Past, item: Number) -> Result<Option<Explanation>, Error> {
        let item = self.index.survivor(item);
        let Some(slot) = self.index.item(item).copied() else { return Ok(None) };
        let Some(class) = self.index.class_name(slot.class) else { return Ok(None) };
        let rules = self.rules.of(class);
        let records = self.records(past, item)?;
        let mut sightings = self.evidence(&records);
        let left_out = sightings.len().saturating_sub(SIGHTINGS_MAX);
        sightings.truncate(SIGHTINGS_MAX);
        let mut pairs = Vec::new();
        let mut joined = Vec::new();
        for (place, one) in sightings.iter().enumerate() {
            for other in sightings.iter().skip(place.saturating_add(1)) {
                let (bits, reasons) = self.compared(
                    slot.class,
                    (self.index.keys.of(one.native), self.index.keys.of(other.native)),
                );
                pairs.push(Pair { one: one.native, other: other.native, bits, reasons });
                if self.wishes.must(one.native).any(|native| native == other.native) {
                    joined.push((one.native, other.native));
                }
            }
        }
        pairs.sort_by_key(|pair| (-pair.bits, pair.one, pair.other));
        let natives: BTreeSet<u64> = records.iter().map(|record| record.native).collect();
        Ok(Some(Explanation {
            item,
            rules: self.rules.version.clone(),
            link_at: rules.link_at,
            review_at: rules.review_at,
            rivals: if slot.parent == 0 {
                self.rivals(item, slot.class, &natives)
            } else {
                Vec::new()
            },
            sightings,
            pairs,
            joined,
            left_out,
        }))
    }

    pub(crate) fn evidence(&self, records: &[ObservationRecord]) -> Vec<SightingEvidence> {
        let mut found: BTreeMap<u64, SightingEvidence> = BTreeMap::new();
        for record in records {
            let Some(source) = self.source_id(record.source) else { continue };
            let held = found.entry(record.native).or_insert_with(|| SightingEvidence {
                native: record.native,
                source: source.clone(),
                native_key: record.seen.native_key.clone(),
                is_present: false,
                keys: Vec::new(),
            });
            held.is_present |= record.absent_at.is_none();
            for key in &spelled(&record.seen.keys) {
                if !held.keys.contains(key) && self.accepts(&record.seen.class, key.key_type) {
                    held.keys.push(key.clone());
                }
            }
            held.keys.sort();
        }
        let mut found: Vec<SightingEvidence> = found.into_values().collect();
        found.sort_by(|one, other| {
            (&one.source, &one.native_key).cmp(&(&other.source, &other.native_key))
        });
        found
    }

    pub(crate) fn compared(&self, class: u32, keys: (&KeySet, &KeySet)) -> (i32, Vec<Reason>) {
        let Some(name) = self.index.class_name(class) else { return (0, Vec::new()) };
        let rules = self.rules.of(name);
        let mut frequencies = Frequencies::new(&self.index, class);
        let mut found = Vec::new();
        reasons(rules, keys, &mut |_, hash| frequencies.of(hash), |reason| found.push(reason));
        let bits = score(rules, keys, &mut |_, hash| frequencies.of(hash));
        (bits, found)
    }

    /// Other items that evidence connects with this one.
    fn rivals(&self, item: Number, class: u32, natives: &BTreeSet<u64>) -> Vec<Rival> {
        let mut groups: BTreeMap<Number, Vec<u64>> = BTreeMap::new();
        for native in natives.iter().take(SIGHTINGS_MAX) {
            let apart = self.wishes.cannot(*native);
            for other in self.component(*native, class).into_iter().chain(apart) {
                let rival = self.index.item_of_sighting(other);
                if rival != item && rival != 0 {
                    groups.entry(rival).or_default().push(other);
                }
            }
        }
        let own = self.union(natives.iter().copied());
        let mut rivals: Vec<Rival> = groups
            .into_iter()
            .map(|(rival, mut others)| {
                others.sort_unstable();
                others.dedup();
                let theirs = self.union(others.iter().copied());
                let (bits, reasons) = self.compared(class, (&own, &theirs));
                let natives: Vec<u64> = natives.iter().copied().collect();
                let is_kept_apart = self.wishes.forbids(&natives, &others);
                Rival { item: rival, bits, reasons, is_kept_apart }
            })
            .collect();
        rivals.sort_by_key(|rival| (-rival.bits, rival.item));
        rivals.truncate(RIVALS_MAX);
        rivals
    }

    pub(crate) fn union(&self, natives: impl Iterator<Item = u64>) -> Vec<(model::KeyType, u64)> {
        let keys = natives.flat_map(|native| self.index.keys.of(native).iter().copied());
        let keys: BTreeSet<(model::KeyType, u64)> = keys.collect();
        keys.into_iter().collect()
    }
}
