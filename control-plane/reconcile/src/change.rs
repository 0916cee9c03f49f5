//! What a new word about an item changes: winning values, title and state.

use crate::Reconciler;
use model::decision::{ChangeRecord, ChangeWhat, ItemRecord, Number, ObservationRecord};
use model::fold::{Statement, title_of, winners};
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
        speaking(records)
            .into_iter()
            .filter_map(|record| {
                Some(Statement {
                    source: self.source_id(record.source)?,
                    facts: &record.seen.facts,
                    first_seen: record.first_seen,
                    since: &record.since,
                    confirmed_at: record.seen_at,
                })
            })
            .collect()
    }

    /// Notes which winning values differ between what was said and what is said, and gives the title when it does.
    pub(crate) fn note_differences(
        &mut self,
        word: Word,
        before: &[ObservationRecord],
        after: &[ObservationRecord],
    ) -> Option<String> {
        let (was, is) = (self.statements(before), self.statements(after));
        let (was, is) = (winners(&was), winners(&is));
        let changes = differences(&was, &is);
        let class = self.index.class_of(word.item).and_then(|class| self.catalog.class(class));
        let title = |records: &[ObservationRecord], winners: &BTreeMap<&Name, &Value>| {
            // The least of its names: the first one to arrive would make the title depend on the order.
            let names = records.iter().map(|record| record.seen.native_key.as_str());
            let native_key = names.min().unwrap_or_default();
            let winner = |name: &str| {
                winners.iter().find(|(known, _)| known.as_ref() == name).map(|(_, value)| *value)
            };
            title_of(class, winner, native_key)
        };
        let (old, new) = (title(before, &was), title(after, &is));
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

    /// The title that an item has by these observations.
    pub(crate) fn title_now(&self, item: Number, records: &[ObservationRecord]) -> String {
        let statements = self.statements(records);
        let winners = winners(&statements);
        let class = self.index.class_of(item).and_then(|class| self.catalog.class(class));
        let names = records.iter().map(|record| record.seen.native_key.as_str());
        let winner = |name: &str| {
            winners.iter().find(|(known, _)| known.as_ref() == name).map(|(_, value)| *value)
        };
        title_of(class, winner, names.min().unwrap_or_default())
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
fn differences(was: &BTreeMap<&Name, &Value>, is: &BTreeMap<&Name, &Value>) -> Vec<ChangeWhat> {
    let mut found = Vec::new();
    for (name, before) in was {
        let after = is.get(name);
        if after != Some(before) {
            found.push(ChangeWhat::Attribute {
                name: (*name).clone(),
                before: Some((*before).clone()),
                after: after.map(|value| (*value).clone()),
            });
        }
    }
    for (name, after) in is {
        if !was.contains_key(name) {
            found.push(ChangeWhat::Attribute {
                name: (*name).clone(),
                before: None,
                after: Some((*after).clone()),
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
