//! Taking in one observation: unchanged, changed, new, or back again.

use crate::change::{Word, words_of};
use crate::identity::spelled;
use crate::index::{ItemSlot, Native, Sight, Slot};
use crate::regroup::HOLDERS_MAX;
use crate::{Error, Past, Reconciler};
use model::catalog::IdentityRule;
use model::decision::{
    ChangeWhat, ItemRecord, KeyRecord, Number, ObservationRecord, ObservationWrite, ReadingRecord,
    key_hash, local_hash, native_hash,
};
use model::fold::title_of;
use model::observation::local_key;
use model::{ItemState, KeyType, Name, Observation, Tier, Timestamp, Value};
use std::collections::BTreeMap;
use std::sync::Arc;

impl Reconciler {
    /// Whether a scope says what it said before; then it is marked as seen, and there is nothing to do.
    pub fn is_unchanged(&mut self, sight: &Sight) -> bool {
        let Some(slot) =
            self.index.natives.get_mut(&sight.native).and_then(|known| known.slot_mut(sight.scope))
        else {
            return false;
        };
        if !slot.is_present || slot.content() != sight.content {
            return false;
        }
        slot.mark = sight.mark;
        true
    }

    /// The number of the observation under which a scope keeps what it says of a thing.
    #[must_use]
    pub fn observation_number(&self, native: u64, scope: Number) -> Option<Number> {
        Some(self.index.natives.get(&native)?.slot(scope)?.number)
    }

    /// The numbers of a source's observations of a thing in every scope.
    #[must_use]
    pub fn any_observation(&self, native: u64) -> Option<Number> {
        self.index.natives.get(&native).map(Native::first_number)
    }

    /// Takes in an observation that is new or changed.
    ///
    /// # Errors
    /// [`Error::ClassChanged`] leaves everything as it was; any other error makes the decision worthless.
    pub fn observe(
        &mut self,
        past: &dyn Past,
        sight: &Sight,
        mut seen: Observation,
    ) -> Result<(), Error> {
        let readings = std::mem::take(&mut seen.readings);
        let seen = Arc::new(seen);
        let known = self.index.natives.get(&sight.native);
        let slot = known.and_then(|known| known.slot(sight.scope)).copied();
        let item = known.map_or(0, |known| known.item);
        if item != 0
            && let Some(before) = self.index.class_of(item)
            && *before != seen.class
        {
            return Err(Error::ClassChanged {
                native_key: seen.native_key.clone(),
                before: before.clone(),
                now: seen.class.clone(),
            });
        }
        let number = match slot {
            Some(slot) => {
                self.observe_again(past, sight, (slot, item), seen)?;
                slot.number
            }
            None => self.observe_first(past, sight, seen)?,
        };
        if !readings.is_empty() {
            let at = sight.at;
            self.decision.readings.push(ReadingRecord {
                observation: number,
                at,
                values: readings,
            });
        }
        Ok(())
    }

    /// New values of the readings of an observation. They are no change.
    pub fn read(&mut self, observation: Number, at: Timestamp, values: BTreeMap<Name, Value>) {
        self.decision.readings.push(ReadingRecord { observation, at, values });
    }

    fn observe_first(
        &mut self,
        past: &dyn Past,
        sight: &Sight,
        seen: Arc<Observation>,
    ) -> Result<Number, Error> {
        let number = self.index.next_observation()?;
        let record = first_record(sight, number, seen);
        let mut slot = Slot::new(sight.scope, number, sight.content);
        slot.mark = sight.mark;
        match self.index.natives.get_mut(&sight.native) {
            Some(known) => known.add(slot),
            None => {
                self.index.natives.insert(sight.native, Native::new(0, slot));
            }
        }
        self.index.touched.insert(sight.scope);
        self.place(past, record)?;
        Ok(number)
    }

    /// Gives a new observation its item, or keeps it aside until its parent is known.
    pub(crate) fn place(
        &mut self,
        past: &dyn Past,
        record: ObservationRecord,
    ) -> Result<(), Error> {
        let mut waiting = vec![record];
        // Parts whose parent was placed just now follow it; each observation is placed once.
        while let Some(record) = waiting.pop() {
            let (native, scope) = (record.native, record.scope);
            let known = self.index.natives.get(&native).map_or(0, |known| known.item);
            let found = if known == 0 { self.identify(&record)? } else { Some((known, false)) };
            let Some((item, is_new)) = found else {
                self.index.set_present(native, scope, true);
                self.decision.observations.push(ObservationWrite::New(record.clone()));
                self.adopt_later(record);
                continue;
            };
            if let Some(known) = self.index.natives.get_mut(&native) {
                known.item = item;
            }
            if let Some(slot) = self.index.item_mut(item) {
                slot.observations = slot.observations.saturating_add(1);
            }
            self.index.set_present(native, scope, true);
            self.settle_as(past, record, item, is_new)?;
            if known == 0 {
                self.known_now(native)?;
                waiting.extend(self.connections.take_orphans(native));
            }
        }
        Ok(())
    }

    /// Writes an observation whose item is decided, and what it says of the item.
    fn settle_as(
        &mut self,
        past: &dyn Past,
        mut record: ObservationRecord,
        item: Number,
        is_new: bool,
    ) -> Result<(), Error> {
        record.item = item;
        let word = Word { item, source: record.source, at: record.changed_at };
        if is_new {
            self.create(&record, item);
        }
        self.add_keys(&record, &spelled(&record.seen.keys))?;
        if is_new {
            self.state_relations(&record, &record.seen.relations, is_new);
            self.note_network(&record, true);
            self.write_placed(&record);
            self.remember(item, vec![record]);
            return Ok(());
        }
        let before = self.records(past, item)?;
        self.state_relations(&record, &record.seen.relations, is_new);
        self.note_network(&record, true);
        self.write_placed(&record);
        let mut after: Vec<ObservationRecord> = before.clone();
        let words = words_of(&record.seen);
        after.push(record);
        let title = self.note_differences(word, &before, &after);
        self.remember(item, after);
        self.set_state(word, ItemState::Active);
        self.write_item(item, title, words, None);
        Ok(())
    }

    fn write_placed(&mut self, record: &ObservationRecord) {
        if !self.connections.was_orphan(record.number) {
            self.decision.observations.push(ObservationWrite::New(record.clone()));
            return;
        }
        // An observation that waited for its parent in this decision only is written once, with its item.
        let earlier = self.decision.observations.iter_mut().rev().find_map(|write| match write {
            ObservationWrite::New(earlier) if earlier.number == record.number => Some(earlier),
            _ => None,
        });
        match earlier {
            Some(earlier) => earlier.item = record.item,
            None => self.decision.observations.push(ObservationWrite::Moved(record.clone())),
        }
    }

    /// Takes in what reconciliation itself observes as a part of a known item.
    pub(crate) fn observe_in(
        &mut self,
        past: &dyn Past,
        sight: &Sight,
        seen: Observation,
        parent: Number,
    ) -> Result<(), Error> {
        if self.index.natives.contains_key(&sight.native) {
            return self.observe(past, sight, seen);
        }
        let (item, is_new) = self.part_of(parent, &seen, sight.at)?;
        let number = self.index.next_observation()?;
        let slot = Slot::new(sight.scope, number, sight.content);
        self.index.natives.insert(sight.native, Native::new(item, slot));
        if let Some(slot) = self.index.item_mut(item) {
            slot.observations = slot.observations.saturating_add(1);
        }
        self.index.set_present(sight.native, sight.scope, true);
        self.settle_as(past, first_record(sight, number, Arc::new(seen)), item, is_new)
    }

    pub(crate) fn create(&mut self, record: &ObservationRecord, item: Number) {
        let Some(slot) = self.index.item(item).copied() else { return };
        let class = self.catalog.class(&record.seen.class);
        let facts = &record.seen.facts;
        let title = title_of(class, |name| facts.get(name), &record.seen.native_key);
        let id = (self.new_id)(record.changed_at);
        self.decision.items.push(ItemRecord {
            number: item,
            id: Some(id),
            class: record.seen.class.clone(),
            title: Some(title),
            words: words_of(&record.seen),
            parent: slot.parent,
            local: slot.local,
            state: ItemState::Active,
            state_before: None,
            state_since: record.changed_at,
            first_seen: record.first_seen,
        });
        let word = Word { item, source: record.source, at: record.changed_at };
        self.note(word, ChangeWhat::Created);
    }

    /// The item of an observation and whether it is new; nothing while its parent is unknown.
    fn identify(&mut self, record: &ObservationRecord) -> Result<Option<(Number, bool)>, Error> {
        let seen = &record.seen;
        if let Some(within) = &seen.within {
            let Some(source) = self.source_id(record.source) else { return Ok(None) };
            let parent = native_hash(source, within);
            let parent = self.index.natives.get(&parent).map_or(0, |known| known.item);
            if parent == 0 {
                return Ok(None);
            }
            return self.part_of(parent, seen, record.changed_at).map(Some);
        }
        let class = self.index.class_number(&seen.class);
        let mut keys: Vec<(KeyType, u64)> = spelled(&seen.keys)
            .iter()
            .filter(|key| self.accepts(&seen.class, key.key_type))
            .map(|key| (key.key_type, key_hash(key)))
            .collect();
        keys.sort_unstable();
        let (item, has_company) = self.likeliest(class, &keys);
        if has_company {
            self.dirty.insert(record.native);
        }
        match item {
            Some(item) => Ok(Some((item, false))),
            None => Ok(Some((self.new_item(class, (0, 0), record.changed_at)?, true))),
        }
    }

    /// Whether items of a class are recognized by that kind of key.
    pub(crate) fn accepts(&self, class: &str, key_type: KeyType) -> bool {
        match self.catalog.class(class).map(|class| &class.identity) {
            Some(IdentityRule::Keys(accepted)) => {
                accepted.contains(&key_type) || key_type.tier() == Tier::Native
            }
            _ => true,
        }
    }

    /// Whether a sighting is recognized by that kind of key: parts are not.
    pub(crate) fn is_recognized_by(&self, native: u64, key_type: KeyType) -> bool {
        let item = self.index.item_of_sighting(native);
        self.index.item(item).is_some_and(|item| item.parent == 0)
            && self.index.class_of(item).is_some_and(|class| self.accepts(class, key_type))
    }

    /// The part of `parent` that an observation shows, and whether it is new.
    pub(crate) fn part_of(
        &mut self,
        parent: Number,
        seen: &Observation,
        at: Timestamp,
    ) -> Result<(Number, bool), Error> {
        let local = local_hash(&seen.class, &self.local_of(seen));
        if let Some(item) = self.index.part(parent, local) {
            return Ok((item, false));
        }
        let class = self.index.class_number(&seen.class);
        Ok((self.new_item(class, (parent, local), at)?, true))
    }

    /// What tells a part apart within its parent: the declared facts, else what its native key adds to the parent's.
    fn local_of(&self, seen: &Observation) -> String {
        let declared = self.catalog.class(&seen.class).and_then(|class| match &class.identity {
            IdentityRule::Within(names) => {
                let values: Option<Vec<&str>> = names
                    .iter()
                    .map(|name| seen.facts.get(name).and_then(Value::as_text))
                    .collect();
                values
            }
            IdentityRule::Keys(_) => None,
        });
        if let Some(values) = declared {
            return local_key(&values);
        }
        let within = seen.within.as_deref().unwrap_or_default();
        seen.native_key.strip_prefix(within).unwrap_or(&seen.native_key).to_owned()
    }

    pub(crate) fn new_item(
        &mut self,
        class: u32,
        place: (Number, u64),
        at: Timestamp,
    ) -> Result<Number, Error> {
        self.index.add_item(ItemSlot::new(class, place, (ItemState::Active, at)))
    }

    /// A scope says something else than before of a thing, or says it again after it was gone.
    fn observe_again(
        &mut self,
        past: &dyn Past,
        sight: &Sight,
        (slot, item): (Slot, Number),
        seen: Arc<Observation>,
    ) -> Result<(), Error> {
        if item == 0 {
            return self.observe_orphan_again(past, sight, slot, seen);
        }
        let before = self.records(past, item)?;
        let Some(old) = before.iter().find(|record| record.number == slot.number).cloned() else {
            return Err(Error::Past(format!("observation {} has no body", slot.number).into()));
        };
        let was_present = slot.is_present;
        if is_older(sight, &old) {
            self.observe_older(sight, &before, &old, &seen);
            return Ok(());
        }
        self.recount(sight);
        let record = next_record(&old, sight, seen);
        let word = Word { item, source: sight.source, at: sight.at };
        let after: Vec<ObservationRecord> = before
            .iter()
            .map(|known| if known.number == record.number { record.clone() } else { known.clone() })
            .collect();
        self.change_keys(&old, &record, &after)?;
        let none = Vec::new();
        let stated = if was_present { &old.seen.relations } else { &none };
        self.change_relations(past, &old, &record, stated)?;
        self.note_network(&old, false);
        self.note_network(&record, true);
        let words = words_of(&record.seen);
        let write = ObservationWrite::Next { record, before: Box::new(old) };
        self.decision.observations.push(write);
        let changes = self.decision.changes.len();
        let title = self.note_differences(word, &before, &after);
        self.remember(item, after);
        self.set_state(word, ItemState::Active);
        if title.is_some() || self.decision.changes.len() > changes {
            self.write_item(item, title, words, None);
        }
        Ok(())
    }

    /// Takes in what was seen before what is known of it: it changes no value, only since when something is known.
    fn observe_older(
        &mut self,
        sight: &Sight,
        before: &[ObservationRecord],
        old: &ObservationRecord,
        seen: &Observation,
    ) {
        if let Some(slot) =
            self.index.natives.get_mut(&sight.native).and_then(|known| known.slot_mut(sight.scope))
        {
            slot.mark = sight.mark;
        }
        let record = with_older(old, sight.at, &seen.facts);
        if record == *old {
            return;
        }
        let after: Vec<ObservationRecord> = before
            .iter()
            .map(|known| if known.number == record.number { record.clone() } else { known.clone() })
            .collect();
        let (item, word) = (old.item, self.word_of(old, old.changed_at));
        self.decision.observations.push(ObservationWrite::Dated(record));
        let changes = self.decision.changes.len();
        let title = self.note_differences(word, before, &after);
        self.remember(item, after);
        if title.is_some() || self.decision.changes.len() > changes {
            self.write_item(item, title, String::new(), None);
        }
    }

    /// Takes the new content into the digest of the scope, and the observation back into its counts.
    fn recount(&mut self, sight: &Sight) {
        self.index.touched.insert(sight.scope);
        self.index.set_present(sight.native, sight.scope, false);
        let known = self.index.natives.get_mut(&sight.native);
        if let Some(slot) = known.and_then(|known| known.slot_mut(sight.scope)) {
            slot.set_content(sight.content);
            slot.mark = sight.mark;
        }
        self.index.set_present(sight.native, sight.scope, true);
    }

    fn observe_orphan_again(
        &mut self,
        past: &dyn Past,
        sight: &Sight,
        slot: Slot,
        seen: Arc<Observation>,
    ) -> Result<(), Error> {
        self.recount(sight);
        let Some(old) = self.connections.take_orphan(slot.number) else { return Ok(()) };
        let record = next_record(&old, sight, seen);
        let next = ObservationWrite::Next { record: record.clone(), before: Box::new(old) };
        self.decision.observations.push(next);
        if self.identify_parent(&record) {
            return self.place(past, record);
        }
        self.adopt_later(record);
        Ok(())
    }

    fn identify_parent(&self, record: &ObservationRecord) -> bool {
        let (Some(source), Some(within)) = (self.source_id(record.source), &record.seen.within)
        else {
            return true;
        };
        let parent = native_hash(source, within);
        self.index.natives.get(&parent).is_some_and(|known| known.item != 0)
    }

    /// Keeps an observation until its parent is known.
    pub(crate) fn adopt_later(&mut self, record: ObservationRecord) {
        let Some(source) = self.source_id(record.source) else { return };
        let within = record.seen.within.as_deref().unwrap_or_default();
        let parent = native_hash(source, within);
        self.connections.add_orphan(parent, record);
    }

    fn add_keys(
        &mut self,
        record: &ObservationRecord,
        keys: &[model::IdentityKey],
    ) -> Result<(), Error> {
        for key in keys {
            let hash = key_hash(key);
            self.hold_key(record.native, key.key_type, hash);
            self.decision.keys_added.push(KeyRecord {
                hash,
                observation: record.number,
                item: record.item,
                key: key.clone(),
            });
            self.known_now(hash)?;
        }
        Ok(())
    }

    fn change_keys(
        &mut self,
        old: &ObservationRecord,
        new: &ObservationRecord,
        all: &[ObservationRecord],
    ) -> Result<(), Error> {
        if old.seen.keys == new.seen.keys {
            return Ok(());
        }
        let (before, after) = (spelled(&old.seen.keys), spelled(&new.seen.keys));
        for key in before.iter().filter(|key| !after.contains(key)) {
            let hash = key_hash(key);
            self.decision.keys_removed.push((hash, old.number));
            let mut same = all.iter().filter(|record| record.native == old.native);
            if !same.any(|record| spelled(&record.seen.keys).contains(key)) {
                // Whatever was grouped by that key is decided again.
                self.dirty.extend(
                    all.iter()
                        .filter(|other| other.seen.within.is_none())
                        .map(|other| other.native),
                );
                self.drop_key(old.native, key.key_type, hash);
            }
        }
        if new.seen.within.is_none() {
            // Even a value that nobody else has may contradict what it was grouped with.
            self.dirty.insert(new.native);
        }
        let added: Vec<model::IdentityKey> =
            after.into_iter().filter(|key| !before.contains(key)).collect();
        self.add_keys(new, &added)
    }

    /// A sighting carries a key from now on.
    fn hold_key(&mut self, native: u64, key_type: KeyType, hash: u64) {
        self.index.keys.hold(hash, native);
        if self.is_recognized_by(native, key_type)
            && self.index.keys.recognize(native, key_type, hash)
            && self.index.keys.holders(hash).is_some_and(|holders| holders.len() > 1)
        {
            self.dirty.insert(native);
            self.touch_holders(native, hash);
        }
    }

    /// A sighting carries a key no longer.
    fn drop_key(&mut self, native: u64, key_type: KeyType, hash: u64) {
        if self.is_recognized_by(native, key_type) {
            self.touch_holders(native, hash);
            self.index.keys.forget(native, hash);
        }
        self.index.keys.drop(hash, native);
    }

    /// What a value weighs may be different now for everyone who carries it.
    fn touch_holders(&mut self, native: u64, hash: u64) {
        let class = self.index.class_of_sighting(native);
        let Some(holders) = self.index.keys.holders(hash) else { return };
        // Up to two it keeps its weight; beyond the bound it had none before.
        if !(3..=HOLDERS_MAX.saturating_add(1)).contains(&holders.len()) {
            return;
        }
        let others: Vec<u64> = holders
            .iter()
            .filter(|other| *other != native && self.index.class_of_sighting(*other) == class)
            .collect();
        self.dirty.extend(others);
    }
}

fn first_record(sight: &Sight, number: Number, seen: Arc<Observation>) -> ObservationRecord {
    ObservationRecord {
        number,
        native: sight.native,
        source: sight.source,
        scope: sight.scope,
        item: 0,
        content: sight.content,
        first_seen: sight.at,
        changed_at: sight.at,
        absent_at: None,
        seen_at: sight.at,
        seen,
        since: BTreeMap::new(),
    }
}

/// Whether something was seen before what is known of it. Of two words of one moment one is taken for the older,
/// whichever arrives first.
fn is_older(sight: &Sight, known: &ObservationRecord) -> bool {
    let last = known.absent_at.map_or(known.changed_at, |gone| gone.max(known.changed_at));
    sight.at < last
        || (known.absent_at.is_none() && sight.at == last && sight.content < known.content)
}

/// A record with what an older sight adds: since when it is known, and since when its values hold.
fn with_older(
    known: &ObservationRecord,
    at: Timestamp,
    facts: &BTreeMap<Name, Value>,
) -> ObservationRecord {
    let mut record = known.clone();
    record.first_seen = known.first_seen.min(at);
    for (name, value) in &known.seen.facts {
        let since = known.since.get(name).copied().unwrap_or(known.first_seen);
        let since = match facts.get(name) == Some(value) {
            true => since.min(at),
            // There was another value at that time; of what came between, only the last word is still known.
            false if since <= at => known.changed_at,
            false => since,
        };
        if since == record.first_seen {
            record.since.remove(name);
        } else {
            record.since.insert(name.clone(), since);
        }
    }
    record
}

/// The record of an observation with another content, or back again.
fn next_record(
    old: &ObservationRecord,
    sight: &Sight,
    seen: Arc<Observation>,
) -> ObservationRecord {
    let mut since = BTreeMap::new();
    for (name, value) in &seen.facts {
        if old.seen.facts.get(name) == Some(value) {
            if let Some(at) = old.since.get(name) {
                since.insert(name.clone(), *at);
            }
        } else {
            since.insert(name.clone(), sight.at);
        }
    }
    ObservationRecord {
        content: sight.content,
        changed_at: sight.at,
        absent_at: None,
        seen_at: sight.at,
        seen,
        since,
        ..old.clone()
    }
}
