//! What people decide: these items are one, those sightings are another item, and taking that back.
//!
//! Invariants: a word is about sightings, not about items, so that it outlives every merge, split and change of the
//! rules; the latest word about a pair counts; nothing is decided here, only said, and then grouped again.

use crate::{Error, Past, Reconciler};
use model::Timestamp;
use model::decision::{Number, WishKind, WishRecord};
use std::collections::BTreeSet;

/// Sightings of one item that a person can speak about at once.
const SIGHTINGS_MAX: usize = 64;

/// Why nothing was said.
#[derive(Debug, thiserror::Error)]
pub enum WishError {
    /// There is no such item.
    #[error("there is no such item")]
    UnknownItem,
    /// Both are the same.
    #[error("both ids lead to the same item")]
    SameItem,
    /// A part follows what it is a part of.
    #[error("this is a part of another item; join or divide what it is a part of")]
    Part,
    /// They are of different classes.
    #[error("one is a `{one}` and the other a `{other}`; only items of one class can be one")]
    OtherClass {
        /// The class of the first.
        one: String,
        /// The class of the second.
        other: String,
    },
    /// A sighting that the item does not have.
    #[error("`{0}` is no sighting of this item; its explanation lists them")]
    UnknownSighting(String),
    /// All or none of the sightings were named.
    #[error("name some of the item's sightings, but not all of them: the others stay")]
    NothingDivided,
    /// More than can be spoken about at once.
    #[error("the item has more than {SIGHTINGS_MAX} sightings; change the rules instead")]
    TooMany,
    /// There is no such action.
    #[error("there is no such action, or it was taken back")]
    UnknownAction,
    /// What is stored could not be read.
    #[error(transparent)]
    Past(#[from] Error),
}

/// Something that was said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wished {
    /// The action, by which it can be taken back.
    pub action: Number,
    /// How many pairs of sightings it is about.
    pub pairs: usize,
}

impl Reconciler {
    /// Says that two items are one.
    ///
    /// # Errors
    /// See [`WishError`]; then nothing was said.
    pub fn join(
        &mut self,
        past: &dyn Past,
        (one, other): (Number, Number),
        said_by: &str,
    ) -> Result<Wished, WishError> {
        let (one, other) = (self.index.survivor(one), self.index.survivor(other));
        if one == other {
            return Err(WishError::SameItem);
        }
        let (mine, theirs) = (self.sightings_of(past, one)?, self.sightings_of(past, other)?);
        let class = |item| self.index.class_of(item).map(ToString::to_string).unwrap_or_default();
        if class(one) != class(other) {
            return Err(WishError::OtherClass { one: class(one), other: class(other) });
        }
        let mut said = Vec::new();
        for native in &mine {
            for apart in self.wishes.cannot(*native).filter(|apart| theirs.contains(apart)) {
                said.push(((*native, apart), WishKind::Neither));
            }
        }
        if let (Some(mine), Some(theirs)) = (mine.first(), theirs.first()) {
            said.push(((*mine, *theirs), WishKind::Must));
        }
        Ok(self.say(&said, said_by))
    }

    /// Says that some sightings of an item, given as hashes of source and native key, are another item.
    ///
    /// # Errors
    /// See [`WishError`]; then nothing was said.
    pub fn divide(
        &mut self,
        past: &dyn Past,
        item: Number,
        natives: &[u64],
        said_by: &str,
    ) -> Result<Wished, WishError> {
        let all = self.sightings_of(past, self.index.survivor(item))?;
        let out: BTreeSet<u64> = natives.iter().copied().collect();
        if let Some(unknown) = out.iter().find(|native| !all.contains(native)) {
            return Err(WishError::UnknownSighting(format!("{unknown:016x}")));
        }
        let rest: Vec<u64> = all.difference(&out).copied().collect();
        if rest.is_empty() || out.is_empty() {
            return Err(WishError::NothingDivided);
        }
        let mut said = Vec::new();
        for one in &out {
            said.extend(rest.iter().map(|other| ((*one, *other), WishKind::Cannot)));
        }
        // What is taken out together stays together.
        if let Some(first) = out.first() {
            let others = out.iter().skip(1);
            said.extend(others.map(|other| ((*first, *other), WishKind::Must)));
        }
        Ok(self.say(&said, said_by))
    }

    /// Says that two items are not one, so that nobody is asked again.
    ///
    /// # Errors
    /// See [`WishError`]; then nothing was said.
    pub fn keep_apart(
        &mut self,
        past: &dyn Past,
        (one, other): (Number, Number),
        said_by: &str,
    ) -> Result<Wished, WishError> {
        let (one, other) = (self.index.survivor(one), self.index.survivor(other));
        if one == other {
            return Err(WishError::SameItem);
        }
        let (mine, theirs) = (self.sightings_of(past, one)?, self.sightings_of(past, other)?);
        let mut said = Vec::new();
        for one in &mine {
            said.extend(theirs.iter().map(|other| ((*one, *other), WishKind::Cannot)));
        }
        Ok(self.say(&said, said_by))
    }

    /// Takes back what was said.
    ///
    /// # Errors
    /// When there is no such action.
    pub fn take_back(&mut self, action: Number) -> Result<(), WishError> {
        let about = self.wishes.take_back(action);
        if about.is_empty() {
            return Err(WishError::UnknownAction);
        }
        self.dirty.extend(about);
        self.decision.wishes.retain(|wish| wish.action != action);
        self.decision.wishes_removed.push(action);
        Ok(())
    }

    fn say(&mut self, said: &[((u64, u64), WishKind)], said_by: &str) -> Wished {
        let action = self.wishes.next_action();
        let at: Timestamp = self.decision.recorded_at;
        for ((one, other), kind) in said {
            let (one, other) = (*one.min(other), *one.max(other));
            self.wishes.say(action, (one, other), *kind);
            self.dirty.extend([one, other]);
            let said_by = said_by.to_owned();
            let kind = *kind;
            self.decision.wishes.push(WishRecord { action, one, other, kind, said_by, at });
        }
        Wished { action, pairs: said.len() }
    }

    fn sightings_of(&self, past: &dyn Past, item: Number) -> Result<BTreeSet<u64>, WishError> {
        let slot = self.index.item(item).ok_or(WishError::UnknownItem)?;
        if slot.parent != 0 {
            return Err(WishError::Part);
        }
        let records = self.records(past, item)?;
        let found: BTreeSet<u64> = records.iter().map(|record| record.native).collect();
        if found.is_empty() {
            return Err(WishError::UnknownItem);
        }
        if found.len() > SIGHTINGS_MAX {
            return Err(WishError::TooMany);
        }
        Ok(found)
    }
}
