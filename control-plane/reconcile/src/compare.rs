//! Comparing two items: what speaks for and against them being one, side by side.
//!
//! Nothing is remembered for it; the evidence is weighed again by the rules that are live.

use crate::identity::{Reason, spelled};
use crate::{Error, Past, Reconciler};
use model::IdentityKey;
use model::decision::{Number, ObservationRecord, key_hash};
use std::collections::BTreeSet;

/// Sightings of each item that are compared; their keys are taken together.
const SIGHTINGS_MAX: usize = 32;

/// Two items, compared.
#[derive(Clone, Debug)]
pub struct Comparison {
    /// The items that the ids lead to.
    pub items: (Number, Number),
    /// The rules that decide.
    pub rules: String,
    /// From so many bits on, they are one item.
    pub link_at: i32,
    /// From so many bits on, a person is asked.
    pub review_at: i32,
    /// The sum.
    pub bits: i32,
    /// What it is made of.
    pub reasons: Vec<Reason>,
    /// The keys that each is recognized by.
    pub keys: (Vec<IdentityKey>, Vec<IdentityKey>),
    /// How many sightings each has.
    pub sightings: (usize, usize),
    /// Whether a person keeps them apart.
    pub is_kept_apart: bool,
}

impl Comparison {
    /// The value that both have for a reason, as their sources spell it.
    #[must_use]
    pub fn shared(&self, reason: &Reason) -> Option<&str> {
        let keys = self.keys.0.iter().chain(&self.keys.1);
        let mut found = keys.filter(|key| Some(key_hash(key)) == reason.shared);
        found.next().map(|key| key.value.as_str())
    }
}

impl Reconciler {
    /// What speaks for and against two items being one. Nothing for what does not exist, is a part, is the same item,
    /// or of another class: then there is nothing to decide.
    ///
    /// # Errors
    /// When what is stored cannot be read.
    pub fn compare(
        &self,
        past: &dyn Past,
        (one, other): (Number, Number),
    ) -> Result<Option<Comparison>, Error> {
        let (one, other) = (self.index.survivor(one), self.index.survivor(other));
        let (Some(mine), Some(theirs)) = (self.index.item(one), self.index.item(other)) else {
            return Ok(None);
        };
        if one == other || mine.parent != 0 || theirs.parent != 0 || mine.class != theirs.class {
            return Ok(None);
        }
        let class = mine.class;
        let Some(name) = self.index.class_name(class) else { return Ok(None) };
        let rules = self.rules.of(name);
        let (mine, theirs) = (self.records(past, one)?, self.records(past, other)?);
        let natives = (natives_of(&mine), natives_of(&theirs));
        let union = |natives: &[u64]| self.union(natives.iter().take(SIGHTINGS_MAX).copied());
        let (own, others) = (union(&natives.0), union(&natives.1));
        let (bits, reasons) = self.compared(class, (&own, &others));
        Ok(Some(Comparison {
            items: (one, other),
            rules: self.rules.version.clone(),
            link_at: rules.link_at,
            review_at: rules.review_at,
            bits,
            reasons,
            keys: (self.keys_of(&mine), self.keys_of(&theirs)),
            sightings: (natives.0.len(), natives.1.len()),
            is_kept_apart: self.wishes.forbids(&natives.0, &natives.1),
        }))
    }

    fn keys_of(&self, records: &[ObservationRecord]) -> Vec<IdentityKey> {
        let mut found = BTreeSet::new();
        for record in records {
            let keys = spelled(&record.seen.keys).into_iter();
            found.extend(keys.filter(|key| self.accepts(&record.seen.class, key.key_type)));
        }
        found.into_iter().collect()
    }
}

/// The sightings of an item, sorted.
fn natives_of(records: &[ObservationRecord]) -> Vec<u64> {
    let natives: BTreeSet<u64> = records.iter().map(|record| record.native).collect();
    natives.into_iter().collect()
}
