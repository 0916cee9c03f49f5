//! Relationships that observations state: bound to the other end when it is known, else waiting for it.

use crate::change::Word;
use crate::{Error, Past, Reconciler};
use model::decision::{
    ChangeWhat, EndpointRecord, Number, ObservationRecord, RelationEnd, RelationRecord,
    WaitingRecord, key_hash, native_hash,
};
use model::{ObservedRelation, RelationTarget, Timestamp};

/// Holders of a key that are looked at to find the item behind it.
const HOLDERS_LOOKED_AT: usize = 64;

impl Reconciler {
    /// Takes in the relationships of an observation. Those of a new item are no changes of it: it was made with them.
    pub(crate) fn state_relations(
        &mut self,
        record: &ObservationRecord,
        relations: &[ObservedRelation],
        is_new: bool,
    ) {
        for relation in relations {
            self.begin_relation(record, relation, is_new);
        }
    }

    /// Ends what an observation no longer states, and begins what it states now.
    pub(crate) fn change_relations(
        &mut self,
        past: &dyn Past,
        old: &ObservationRecord,
        new: &ObservationRecord,
        stated: &[ObservedRelation],
    ) -> Result<(), Error> {
        for relation in stated.iter().filter(|held| !new.seen.relations.contains(held)) {
            self.end_relation(past, old, relation, new.changed_at)?;
        }
        for relation in new.seen.relations.iter().filter(|held| !stated.contains(held)) {
            self.begin_relation(new, relation, false);
        }
        Ok(())
    }

    /// The hash by which the other end is found, and the item, when it is known.
    pub(crate) fn other_end(
        &self,
        source: Number,
        target: &RelationTarget,
    ) -> Option<(u64, Number)> {
        match target {
            RelationTarget::Native(key) => {
                let hash = native_hash(self.source_id(source)?, key);
                Some((hash, self.index.natives.get(&hash).map_or(0, |known| known.item)))
            }
            RelationTarget::Key(key) => {
                let hash = key_hash(key);
                Some((hash, self.item_with(hash)))
            }
            RelationTarget::Endpoint { .. } => None,
        }
    }

    /// The item that carries a key; of several the oldest, so that it does not depend on the order. 0 is none.
    fn item_with(&self, hash: u64) -> Number {
        let Some(holders) = self.index.keys.holders(hash) else { return 0 };
        let items = holders.iter().take(HOLDERS_LOOKED_AT);
        let items = items.map(|native| self.index.item_of_sighting(native));
        items.filter(|item| *item != 0).min().unwrap_or(0)
    }

    pub(crate) fn begin_relation(
        &mut self,
        record: &ObservationRecord,
        relation: &ObservedRelation,
        is_new: bool,
    ) {
        if let RelationTarget::Endpoint { protocol, address, port } = &relation.target {
            let host = match self.index.item(record.item).map_or(0, |item| item.parent) {
                0 => record.item,
                parent => parent,
            };
            self.connections.add(EndpointRecord {
                observation: record.number,
                verb: relation.verb.clone(),
                protocol: protocol.clone(),
                address: address.clone(),
                port: *port,
                client: record.item,
                host,
                within: record.seen.within.clone().unwrap_or_default(),
                source: record.source,
                since: record.changed_at,
                bound: 0,
            });
            return;
        }
        let Some((hash, other)) = self.other_end(record.source, &relation.target) else {
            return;
        };
        if other == 0 {
            let waiting = WaitingRecord {
                hash,
                observation: record.number,
                verb: relation.verb.clone(),
                from: record.item,
                source: record.source,
                since: record.changed_at,
            };
            self.connections.know_waiting(waiting.clone());
            self.decision.waiting_added.push(waiting);
            return;
        }
        let begun = RelationRecord {
            from: record.item,
            verb: relation.verb.clone(),
            to: other,
            source: record.source,
            owner: record.number,
            since: record.changed_at,
            evidence: String::new(),
        };
        self.relate(begun, !is_new);
    }

    pub(crate) fn end_relation(
        &mut self,
        past: &dyn Past,
        record: &ObservationRecord,
        relation: &ObservedRelation,
        until: Timestamp,
    ) -> Result<(), Error> {
        if let RelationTarget::Endpoint { protocol, address, port } = &relation.target {
            return self.disconnect(past, record, (protocol, address, *port), until);
        }
        let Some((hash, other)) = self.other_end(record.source, &relation.target) else {
            return Ok(());
        };
        if self.stop_waiting(record, relation, hash) {
            return Ok(());
        }
        let end = RelationEnd {
            from: record.item,
            verb: relation.verb.clone(),
            to: other,
            owner: record.number,
            until,
        };
        self.unrelate(end, record.source);
        Ok(())
    }

    /// Takes a statement out of what waits for its other end. Whether it waited.
    pub(crate) fn stop_waiting(
        &mut self,
        record: &ObservationRecord,
        relation: &ObservedRelation,
        hash: u64,
    ) -> bool {
        let waiting = WaitingRecord {
            hash,
            observation: record.number,
            verb: relation.verb.clone(),
            from: record.item,
            source: record.source,
            since: record.changed_at,
        };
        let has_waited = self.connections.stop_waiting(&waiting);
        if has_waited {
            // One that began to wait in this decision was never written.
            let added = self.decision.waiting_added.iter().rposition(|added| *added == waiting);
            match added {
                Some(place) => {
                    self.decision.waiting_added.remove(place);
                }
                None => self.decision.waiting_removed.push(waiting),
            }
        }
        has_waited
    }

    /// Binds what waited for a native key or identity key that is known now.
    pub(crate) fn known_now(&mut self, hash: u64) -> Result<(), Error> {
        let waiting = self.connections.take_waiting(hash);
        if waiting.is_empty() {
            return Ok(());
        }
        let native = self.index.natives.get(&hash).map_or(0, |known| known.item);
        let other = if native == 0 { self.item_with(hash) } else { native };
        for statement in waiting {
            let begun = RelationRecord {
                from: statement.from,
                verb: statement.verb.clone(),
                to: other,
                source: statement.source,
                owner: statement.observation,
                since: statement.since,
                evidence: String::new(),
            };
            self.decision.waiting_removed.push(statement);
            self.relate(begun, false);
        }
        Ok(())
    }

    /// Begins a relationship, as a change of its first end when `is_change`.
    pub(crate) fn relate(&mut self, begun: RelationRecord, is_change: bool) {
        let evidence = Some(begun.evidence.as_str()).filter(|text| !text.is_empty());
        self.dependencies.begin(&begun.verb, begun.from, begun.to, evidence);
        if is_change {
            let word = Word { item: begun.from, source: begun.source, at: begun.since };
            let what = ChangeWhat::Related { verb: begun.verb.clone(), other: begun.to };
            self.note(word, what);
            self.write_item(begun.from, None, String::new(), None);
        }
        self.decision.relations_begun.push(begun);
    }

    /// Ends a relationship, as a change of its first end.
    pub(crate) fn unrelate(&mut self, end: RelationEnd, source: Number) {
        self.dependencies.end(&end.verb, end.from, end.to);
        let word = Word { item: end.from, source, at: end.until };
        let what = ChangeWhat::Unrelated { verb: end.verb.clone(), other: end.to };
        self.note(word, what);
        self.write_item(end.from, None, String::new(), None);
        self.decision.relations_ended.push(end);
    }
}
