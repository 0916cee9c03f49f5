//! What a new word about an item changes: winning values, title and state.

use crate::Reconciler;
use model::decision::{ChangeRecord, ChangeWhat, ItemRecord, Number, ObservationRecord};
use model::fold::{Lock, Rulings, Statement, Winner, title_of, winners_by};
use model::{ItemState, KeyType, Name, Observation, Timestamp, Value};
use std::collections::BTreeMap;

/// The observations that have a say: those that are there; when none is, all of them as they were.
pub(crate) fn speaking(records: &[ObservationRecord]) -> Vec<&ObservationRecord> {
    let there: Vec<&ObservationRecord> =
        records.iter().filter(|record| record.absent_at.is_none()).collect();
    if there.is_empty() { records.iter().collect() } else { there }
}

/// Who says what when, for a change.
#[derive(Clone, Copy)]
pub(crate) struct Word {
    pub(crate) item: Number,
    pub(crate) source: Number,
    pub(crate) at: Timestamp,
}

impl Reconciler {
    pub(crate) fn statements<'a>(&'a self, records: &'a [ObservationRecord]) -> Vec<Statement<'a>> {
        self.statements_at(records, |record| self.confirmed_at(record))
    }

    /// The same, confirmed as `confirmed_at` says.
    pub(crate) fn statements_at<'a>(
        &'a self,
        records: &'a [ObservationRecord],
        confirmed_at: impl Fn(&ObservationRecord) -> Timestamp,
    ) -> Vec<Statement<'a>> {
        speaking(records)
            .into_iter()
            .filter_map(|record| {
                Some(Statement {
                    source: self.source_id(record.source)?,
                    facts: &record.seen.facts,
                    first_seen: record.first_seen,
                    since: &record.since,
                    confirmed_at: confirmed_at(record),
                })
            })
            .collect()
    }

    /// When an observation was last confirmed: by its own word or, while it is there, by a complete look at its scope.
    /// The store means the same, so that what is shown is what was noted as changed.
    pub(crate) fn confirmed_at(&self, record: &ObservationRecord) -> Timestamp {
        let own = record.seen_at.max(record.changed_at);
        let scope = self.index.scopes.get(&record.scope).filter(|_| record.absent_at.is_none());
        scope.and_then(|scope| scope.complete_at).map_or(own, |complete_at| own.max(complete_at))
    }

    /// Notes which winning values differ between what was said and what is said, and gives the title when it does.
    pub(crate) fn note_differences(
        &mut self,
        word: Word,
        before: &[ObservationRecord],
        after: &[ObservationRecord],
    ) -> Option<String> {
        let (was, is) = (self.locks_of(before), self.locks_of(after));
        self.note_between(word, (before, &was), (after, &is))
    }

    /// The same with what people had fixed and what they fix. An item that was last folded by earlier policies is
    /// compared with what won by those.
    pub(crate) fn note_between(
        &mut self,
        word: Word,
        (before, locks_before): (&[ObservationRecord], &[Lock]),
        (after, locks_after): (&[ObservationRecord], &[Lock]),
    ) -> Option<String> {
        let earlier = self.values.take_earlier(word.item);
        let name = self.index.class_of(word.item).map_or("", |class| class.as_ref());
        let was = self.statements_as_judged(word.item, before);
        let told = self.statements(after);
        let rulings = |locks| Rulings { locks, frozen: &[] };
        let was = winners_by(&earlier, name, &was, rulings(locks_before));
        let is = winners_by(self.values.live(), name, &told, rulings(locks_after));
        let (judged, is_stale) = self.judged_now(word.item, after, (&told, rulings(locks_after)));
        let changes = differences(&was, &is);
        let (old, new) = (self.title(name, before, &was), self.title(name, after, &is));
        self.watch(judged, is_stale);
        for what in changes {
            self.decision.changes.push(ChangeRecord {
                item: word.item,
                source: word.source,
                observed_at: word.at,
                what,
            });
        }
        (old != new).then_some(new)
    }

    /// Which winning values differ between two sets of observations of an item, by the policies that are live; nothing
    /// of it is noted.
    pub(crate) fn differing_values(
        &self,
        item: Number,
        before: &[ObservationRecord],
        after: &[ObservationRecord],
    ) -> Vec<ChangeWhat> {
        let (locks_before, locks_after) = (self.locks_of(before), self.locks_of(after));
        let name = self.index.class_of(item).map_or("", |class| class.as_ref());
        let (was, told) = (self.statements_as_judged(item, before), self.statements(after));
        let rulings = |locks| Rulings { locks, frozen: &[] };
        let was = winners_by(self.values.live(), name, &was, rulings(&locks_before));
        let is = winners_by(self.values.live(), name, &told, rulings(&locks_after));
        differences(&was, &is)
    }

    /// The title that an item has by these observations.
    pub(crate) fn title_now(&self, item: Number, records: &[ObservationRecord]) -> String {
        let name = self.index.class_of(item).map_or("", |class| class.as_ref());
        let (statements, locks) = (self.statements(records), self.locks_of(records));
        let rulings = Rulings { locks: &locks, frozen: &[] };
        self.title(name, records, &winners_by(self.values.live(), name, &statements, rulings))
    }

    fn title(
        &self,
        class: &str,
        records: &[ObservationRecord],
        winners: &BTreeMap<&Name, Winner<'_>>,
    ) -> String {
        // The least of its names: the first one to arrive would make the title depend on the order.
        let names = records.iter().map(|record| record.seen.native_key.as_str());
        let winner = |name: &str| {
            let mut winners = winners.iter();
            winners.find(|(known, _)| known.as_ref() == name).map(|(_, value)| &**value)
        };
        title_of(self.catalog.class(class), winner, names.min().unwrap_or_default())
    }

    pub(crate) fn note(&mut self, word: Word, what: ChangeWhat) {
        let Word { item, source, at } = word;
        self.decision.changes.push(ChangeRecord { item, source, observed_at: at, what });
    }

    /// Writes the row of an item that is known, with what changed of it.
    pub(crate) fn write_item(
        &mut self,
        item: Number,
        title: Option<String>,
        words: String,
        state_before: Option<ItemState>,
    ) {
        let Some(slot) = self.index.item(item).copied() else { return };
        let Some(class) = self.index.class_of(item).cloned() else { return };
        self.decision.items.push(ItemRecord {
            number: item,
            id: None,
            class,
            title,
            words,
            parent: slot.parent,
            local: slot.local,
            state: slot.state,
            state_before,
            state_since: slot.state_since,
            first_seen: Timestamp::EPOCH,
        });
    }

    /// Moves an item to another state; the change is said by `word`.
    pub(crate) fn set_state(&mut self, word: Word, state: ItemState) {
        let Some(slot) = self.index.item_mut(word.item) else { return };
        let before = slot.state;
        if before == state {
            return;
        }
        slot.state = state;
        slot.state_since = word.at;
        if matches!(state, ItemState::Missing | ItemState::Stale) {
            self.index.waning.insert(word.item);
        } else {
            self.index.waning.remove(&word.item);
        }
        self.note(word, ChangeWhat::State { before, after: state });
        self.write_item(word.item, None, String::new(), Some(before));
    }
}

/// The attributes whose winning value differs.
fn differences(
    was: &BTreeMap<&Name, Winner<'_>>,
    is: &BTreeMap<&Name, Winner<'_>>,
) -> Vec<ChangeWhat> {
    let mut found = Vec::new();
    for (name, before) in was {
        let after = is.get(name);
        if after != Some(before) {
            found.push(ChangeWhat::Attribute {
                name: (*name).clone(),
                before: Some(Value::clone(before)),
                after: after.map(|value| Value::clone(value)),
            });
        }
    }
    for (name, after) in is {
        if !was.contains_key(name) {
            found.push(ChangeWhat::Attribute {
                name: (*name).clone(),
                before: None,
                after: Some(Value::clone(after)),
            });
        }
    }
    found
}

/// Words by which an item is found beside its title: names, addresses and serial numbers of its evidence.
pub(crate) fn words_of(seen: &Observation) -> String {
    let mut words = String::new();
    for key in &seen.keys {
        let is_typed_by_people = matches!(
            key.key_type,
            KeyType::Fqdn
                | KeyType::HostName
                | KeyType::MacAddress
                | KeyType::IpAddress
                | KeyType::CloudId
                | KeyType::ChassisSerial
                | KeyType::BoardSerial
                | KeyType::DiskSerial
        );
        if is_typed_by_people {
            words.push(' ');
            words.push_str(&key.value);
        }
    }
    words
}
