//! Which values win: the policies that decide it, what people fixed, and folding again what either of them changes.
//!
//! Invariants: an item that is known when other policies become live is compared once by the old ones and the new
//! ones, with the next word about it or in its turn, so that every other winner is noted as a change and none twice;
//! a lock belongs to the sighting that its item began with and goes where that goes; locks end by the time that the
//! caller gives, never by a clock of their own.
//!
//! Deliberately not here: what a policy decides (`model::fold`), and whether a value fits its attribute.

use crate::change::{Word, words_of};
use crate::{Error, Past, Reconciler};
use model::decision::{LockEnd, LockRecord, Number, ObservationRecord};
use model::fold::{Lock, PERSON, Rulings, winners_by};
use model::policy::Policies;
use model::{AgentId, Name, SourceId, Timestamp, Value};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

/// Locks that hold at one time. People say them one by one; a program that says more does something else.
pub const LOCKS_MAX: usize = 100_000;

/// Why nothing was fixed or released.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// There is no such item.
    #[error("there is no such item")]
    UnknownItem,
    /// Nothing is fixed there.
    #[error("`{0}` of this item is not fixed")]
    NotLocked(Name),
    /// The time is over already, or longer than the policy allows.
    #[error("a lock has to end in the future")]
    Over,
    /// There are too many.
    #[error("there are {LOCKS_MAX} locks already; release some first")]
    TooMany,
    /// What is stored could not be read; nothing of this decision may be committed.
    #[error(transparent)]
    Past(#[from] Error),
}

/// A winning value that other policies would change.
#[derive(Clone, Debug, PartialEq)]
pub struct ChangedValue {
    /// The item.
    pub item: Number,
    /// The attribute.
    pub attribute: Name,
    /// The winner by the live policies; `None` when there is none.
    pub before: Option<Value>,
    /// The winner by the other ones.
    pub after: Option<Value>,
}

/// What decides about values beside what sources say.
#[derive(Debug)]
pub(crate) struct Values {
    policies: Arc<Policies>,
    /// Items that were folded by earlier policies the last time.
    pending: BTreeMap<Number, Arc<Policies>>,
    /// Locks that hold, by sighting.
    locks: HashMap<u64, Vec<Lock>>,
    /// The same by their end: when, sighting, attribute, when it was said.
    ends: BTreeSet<(Timestamp, u64, Name, Timestamp)>,
}

impl Values {
    pub(crate) fn new() -> Self {
        Self {
            policies: Arc::new(Policies::built_in().clone()),
            pending: BTreeMap::new(),
            locks: HashMap::new(),
            ends: BTreeSet::new(),
        }
    }

    pub(crate) fn know_lock(&mut self, record: LockRecord) {
        let LockRecord { native, lock, .. } = record;
        self.ends.insert((lock.until, native, lock.attribute.clone(), lock.since));
        self.locks.entry(native).or_default().push(lock);
    }

    pub(crate) fn live(&self) -> &Arc<Policies> {
        &self.policies
    }

    /// The policies by which an item was folded the last time. From now on the live ones count for it.
    pub(crate) fn take_earlier(&mut self, item: Number) -> Arc<Policies> {
        let earlier = self.pending.remove(&item);
        earlier.unwrap_or_else(|| Arc::clone(&self.policies))
    }
}

impl Reconciler {
    /// The policies that decide which values win.
    #[must_use]
    pub const fn policies(&self) -> &Arc<Policies> {
        &self.values.policies
    }

    /// Folds by these policies, as what is known was folded already.
    pub fn set_policies(&mut self, policies: Arc<Policies>) {
        self.values.policies = policies;
    }

    /// Folds by these policies from now on. What is known behind `through` is folded again by
    /// [`Reconciler::refold_some`].
    pub fn change_policies(&mut self, policies: Arc<Policies>, through: Number) {
        if policies.version() == self.values.policies.version() {
            return;
        }
        let before = std::mem::replace(&mut self.values.policies, policies);
        for item in self.contested().into_iter().filter(|item| *item > through) {
            self.values.pending.entry(item).or_insert_with(|| Arc::clone(&before));
        }
    }

    /// The items of which several observations are known: policies make no difference to any other.
    #[must_use]
    pub fn contested(&self) -> Vec<Number> {
        let items = self.index.items.iter().enumerate();
        let several = items.filter(|(_, slot)| slot.observations > 1);
        several.filter_map(|(place, _)| Number::try_from(place.checked_add(1)?).ok()).collect()
    }

    /// Folds up to `limit` more items again by the live policies, and notes which values win now. Gives how many are
    /// left.
    ///
    /// # Errors
    /// When what is stored cannot be read.
    pub fn refold_some(&mut self, past: &dyn Past, limit: usize) -> Result<usize, Error> {
        let items: Vec<Number> = self.values.pending.keys().copied().take(limit).collect();
        for item in &items {
            let records = self.records(past, *item)?;
            let locks = self.locks_of(&records);
            let at = self.decision.recorded_at;
            self.refold(*item, &records, &locks, (None, at));
            self.values.pending.remove(item);
        }
        if let Some(last) = items.last() {
            self.decision.refolded = Some(*last);
        }
        Ok(self.values.pending.len())
    }

    /// Notes what other locks or policies change of an item whose observations are the same.
    fn refold(
        &mut self,
        item: Number,
        records: &[ObservationRecord],
        locks_before: &[Lock],
        (source, at): (Option<Number>, Timestamp),
    ) {
        let speaker = crate::change::speaking(records).first().map_or(0, |record| record.source);
        let word = Word { item, source: source.unwrap_or(speaker), at };
        let locks = self.locks_of(records);
        let changes = self.decision.changes.len();
        let title = self.note_between(word, (records, locks_before), (records, &locks));
        if title.is_some() || self.decision.changes.len() > changes {
            let words = records.iter().map(|record| words_of(&record.seen)).collect();
            self.write_item(item, title, words, None);
        }
    }

    /// The locks of an item with these observations. They hold until they are ended.
    pub(crate) fn locks_of(&self, records: &[ObservationRecord]) -> Vec<Lock> {
        if self.values.locks.is_empty() {
            return Vec::new();
        }
        let natives: BTreeSet<u64> = records.iter().map(|record| record.native).collect();
        let locks = natives.iter().filter_map(|native| self.values.locks.get(native)).flatten();
        locks.map(|lock| lock.clone().held()).collect()
    }

    /// Fixes the value of an attribute of an item. What was fixed there before ends.
    ///
    /// # Errors
    /// When there is no such item, or the lock has no time.
    pub fn lock(
        &mut self,
        past: &dyn Past,
        item: Number,
        mut lock: Lock,
        why: String,
    ) -> Result<Timestamp, LockError> {
        let records = self.records(past, item)?;
        let founder = records.iter().min_by_key(|record| record.number);
        let native = founder.map(|record| record.native).ok_or(LockError::UnknownItem)?;
        let class = self.index.class_of(item).ok_or(LockError::UnknownItem)?;
        lock.until = lock.ends_at(self.values.policies.of(class, &lock.attribute));
        if lock.until <= lock.since {
            return Err(LockError::Over);
        }
        if self.values.ends.len() >= LOCKS_MAX {
            return Err(LockError::TooMany);
        }
        let source = self.person(&lock.said_by)?;
        let before = self.locks_of(&records);
        let (attribute, by, at) = (lock.attribute.clone(), lock.said_by.clone(), lock.since);
        self.end_locks(&records, &attribute, (&by, at));
        let until = lock.until;
        let record = LockRecord { native, lock, why };
        self.values.know_lock(record.clone());
        self.decision.locks.push(record);
        self.refold(item, &records, &before, (Some(source), at));
        Ok(until)
    }

    /// Lets sources decide again about an attribute of an item.
    ///
    /// # Errors
    /// When nothing is fixed there.
    pub fn unlock(
        &mut self,
        past: &dyn Past,
        item: Number,
        attribute: &Name,
        (by, at): (&str, Timestamp),
    ) -> Result<(), LockError> {
        let records = self.records(past, item)?;
        let before = self.locks_of(&records);
        if !before.iter().any(|lock| lock.attribute == *attribute) {
            return Err(LockError::NotLocked(attribute.clone()));
        }
        let source = self.person(by)?;
        self.end_locks(&records, attribute, (by, at));
        self.refold(item, &records, &before, (Some(source), at));
        Ok(())
    }

    /// Ends locks whose time is over, at most `limit`, and notes which values win then. Gives how many ended.
    ///
    /// # Errors
    /// When what is stored cannot be read.
    pub fn expire_locks(
        &mut self,
        past: &dyn Past,
        now: Timestamp,
        limit: usize,
    ) -> Result<usize, Error> {
        let over = self.values.ends.iter().take_while(|(until, ..)| *until <= now).take(limit);
        let over: Vec<(Timestamp, u64, Name, Timestamp)> = over.cloned().collect();
        for (until, native, attribute, since) in &over {
            let item = self.index.item_of_sighting(*native);
            let records = if item == 0 { Vec::new() } else { self.records(past, item)? };
            let before = self.locks_of(&records);
            self.end_lock((*native, attribute, *since), ("", *until));
            if item != 0 {
                self.refold(item, &records, &before, (None, *until));
            }
        }
        Ok(over.len())
    }

    /// Ends every lock of an attribute of an item with these observations.
    fn end_locks(
        &mut self,
        records: &[ObservationRecord],
        attribute: &Name,
        ended: (&str, Timestamp),
    ) {
        let natives: BTreeSet<u64> = records.iter().map(|record| record.native).collect();
        for native in natives {
            let locks = self.values.locks.get(&native).into_iter().flatten();
            let said: Vec<Timestamp> =
                locks.filter(|lock| lock.attribute == *attribute).map(|lock| lock.since).collect();
            for since in said {
                self.end_lock((native, attribute, since), ended);
            }
        }
    }

    fn end_lock(
        &mut self,
        (native, attribute, since): (u64, &Name, Timestamp),
        (by, at): (&str, Timestamp),
    ) {
        let is_it = |lock: &Lock| lock.attribute == *attribute && lock.since == since;
        if let Some(locks) = self.values.locks.get_mut(&native) {
            for lock in locks.extract_if(.., |lock| is_it(lock)) {
                self.values.ends.remove(&(lock.until, native, lock.attribute, lock.since));
            }
            if locks.is_empty() {
                self.values.locks.remove(&native);
            }
        }
        // One that was said in this very decision was never written.
        let written = self.decision.locks.len();
        self.decision.locks.retain(|record| !(record.native == native && is_it(&record.lock)));
        if self.decision.locks.len() == written {
            self.decision.locks_ended.push(LockEnd {
                native,
                attribute: attribute.clone(),
                since,
                ended_by: by.to_owned(),
                at,
            });
        }
    }

    /// The source under which a person's word stands.
    fn person(&mut self, name: &str) -> Result<Number, Error> {
        let id = SourceId { collector: PERSON.to_owned(), target: name.to_owned() };
        self.source(&id, AgentId::from_bytes([0; 16]), "")
    }

    /// Which winners of an item with these observations other policies would change.
    #[must_use]
    pub fn changed_values(
        &self,
        item: Number,
        records: &[ObservationRecord],
        other: &Policies,
    ) -> Vec<ChangedValue> {
        let Some(class) = self.index.class_of(item) else { return Vec::new() };
        let (statements, locks) = (self.statements(records), self.locks_of(records));
        let rulings = Rulings { locks: &locks, frozen: &[] };
        let was = winners_by(&self.values.policies, class, &statements, rulings);
        let is = winners_by(other, class, &statements, rulings);
        let names: BTreeSet<&Name> = was.keys().chain(is.keys()).copied().collect();
        let changed = names.into_iter().filter(|name| was.get(*name) != is.get(*name));
        changed
            .map(|name| ChangedValue {
                item,
                attribute: name.clone(),
                before: was.get(name).map(|value| Value::clone(value)),
                after: is.get(name).map(|value| Value::clone(value)),
            })
            .collect()
    }
}
