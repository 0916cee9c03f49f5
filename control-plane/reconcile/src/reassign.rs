//! Reassigning: a sighting that belongs to another item takes along what it says, what it relates and what it has as
//! parts.
//!
//! Invariants: every observation, key, relationship and part lands where its evidence is; nothing is thrown away. An
//! item without sightings is absorbed: its id leads to the item that took the last of them.

use crate::change::{Word, words_of};
use crate::connections::SELF;
use crate::index::Absorbed;
use crate::{Error, Past, Reconciler};
use model::classes::{listening_endpoint, network_interface};
use model::decision::{
    AbsorbedRecord, ChangeWhat, Number, ObservationRecord, ObservationWrite, RelationEnd,
    RelationRecord, native_hash,
};
use model::{ItemState, RelationTarget, Timestamp};
use std::collections::BTreeSet;

impl Reconciler {
    /// Moves sightings of their own from one item to another, with their parts.
    pub(crate) fn move_group(
        &mut self,
        past: &dyn Past,
        (from, to): (Number, Number),
        natives: &BTreeSet<u64>,
        at: Timestamp,
    ) -> Result<(), Error> {
        self.move_sightings(past, (from, to), natives, at)?;
        let is_whole = self.index.item(from).is_some_and(|item| item.observations == 0);
        self.move_parts(past, (from, to), if is_whole { None } else { Some(natives) }, at)?;
        self.rebind(past, from, natives, at)?;
        self.lead_ids(natives, to, at);
        let source = self.speaker(to);
        if !is_whole {
            let word = Word { item: from, source, at };
            self.note(word, ChangeWhat::Split { other: to });
            self.write_item(from, None, String::new(), None);
        }
        Ok(())
    }

    /// The ids of items that began with one of these sightings lead to where these are now.
    fn lead_ids(&mut self, natives: &BTreeSet<u64>, to: Number, at: Timestamp) {
        for native in natives {
            let Some(item) = self.index.founders.get(native).copied() else { continue };
            if self.index.absorbed.get(&item).is_some_and(|absorbed| absorbed.into != to) {
                self.index.absorb(item, Absorbed { into: to, founder: *native });
                self.decision.absorbed.retain(|absorbed| absorbed.item != item);
                let record = AbsorbedRecord { item, into: to, founder: *native, at };
                self.decision.absorbed.push(record);
            }
        }
    }

    /// A source that speaks of an item, for changes that follow from several.
    fn speaker(&self, item: Number) -> Number {
        let records = self.recent.now.get(&item);
        records.and_then(|records| records.first()).map_or(0, |record| record.source)
    }

    fn move_sightings(
        &mut self,
        past: &dyn Past,
        (from, to): (Number, Number),
        natives: &BTreeSet<u64>,
        at: Timestamp,
    ) -> Result<(), Error> {
        let before_from = self.records(past, from)?;
        let before_to = self.records(past, to)?;
        let is_moving = |record: &&ObservationRecord| natives.contains(&record.native);
        let moving: Vec<ObservationRecord> =
            before_from.iter().filter(is_moving).cloned().collect();
        let staying: Vec<ObservationRecord> =
            before_from.iter().filter(|record| !is_moving(record)).cloned().collect();
        for record in &moving {
            self.detach(past, record, at)?;
        }
        for native in natives {
            self.index.give(*native, from, to);
        }
        let mut after_to = before_to.clone();
        let mut words = String::new();
        for record in moving {
            let record = ObservationRecord { item: to, ..record };
            words.push_str(&words_of(&record.seen));
            self.write_reassigned(&record);
            after_to.push(record);
        }
        self.remember(from, staying.clone());
        self.remember(to, after_to.clone());
        for record in after_to.iter().filter(|record| natives.contains(&record.native)) {
            self.attach(record);
        }
        let source = after_to.first().map_or(0, |record| record.source);
        let is_there = self.index.item(to).is_some_and(|item| item.present > 0);
        if is_there {
            self.set_state(Word { item: to, source, at }, ItemState::Active);
        }
        let word = Word { item: to, source, at };
        // An item that is new, or comes back, changes nothing that it had before.
        let title = if before_to.is_empty() {
            None
        } else {
            self.note_differences(word, &before_to, &after_to)
        };
        for record in &before_to {
            words.push_str(&words_of(&record.seen));
        }
        let title = Some(title.unwrap_or_else(|| self.title_now(to, &after_to)));
        self.write_item(to, title, words, None);
        self.leave(Word { item: from, source, at }, &before_from, &staying)
    }

    /// What losing sightings changes of an item that keeps others.
    fn leave(
        &mut self,
        word: Word,
        before: &[ObservationRecord],
        staying: &[ObservationRecord],
    ) -> Result<(), Error> {
        let from = word.item;
        if staying.is_empty() {
            return Ok(());
        }
        let title = self.note_differences(word, before, staying);
        let words = staying.iter().map(|record| words_of(&record.seen)).collect();
        let title = Some(title.unwrap_or_else(|| self.title_now(from, staying)));
        self.write_item(from, title, words, None);
        if self.index.item(from).is_some_and(|item| item.present == 0) {
            self.set_state(word, ItemState::Missing);
        }
        Ok(())
    }

    fn write_reassigned(&mut self, record: &ObservationRecord) {
        // What this decision itself writes of the observation gets its new item, in each of its versions.
        let mut is_new = false;
        for write in &mut self.decision.observations {
            let written = match write {
                ObservationWrite::New(written) => {
                    is_new |= written.number == record.number;
                    written
                }
                ObservationWrite::Moved(written)
                | ObservationWrite::Reassigned(written)
                | ObservationWrite::Dated(written)
                | ObservationWrite::Next { record: written, .. } => written,
            };
            if written.number == record.number {
                written.item = record.item;
            }
        }
        for key in &mut self.decision.keys_added {
            if key.observation == record.number {
                key.item = record.item;
            }
        }
        if is_new {
            return;
        }
        self.decision.observations.push(ObservationWrite::Reassigned(record.clone()));
    }

    /// Ends what an observation says of its item.
    fn detach(
        &mut self,
        past: &dyn Past,
        record: &ObservationRecord,
        at: Timestamp,
    ) -> Result<(), Error> {
        if record.absent_at.is_some() {
            return Ok(());
        }
        self.note_network(record, false);
        for relation in &record.seen.relations {
            if let RelationTarget::Endpoint { protocol, address, port } = &relation.target {
                self.disconnect(past, record, (protocol, address, *port), at)?;
                continue;
            }
            let Some((hash, other)) = self.other_end(record.source, &relation.target) else {
                continue;
            };
            if self.stop_waiting(record, relation, hash) {
                continue;
            }
            self.unrelate_quietly(RelationEnd {
                from: record.item,
                verb: relation.verb.clone(),
                to: other,
                owner: record.number,
                until: at,
            });
        }
        Ok(())
    }

    /// Begins what an observation says of its item.
    fn attach(&mut self, record: &ObservationRecord) {
        if record.absent_at.is_some() {
            return;
        }
        for relation in &record.seen.relations {
            self.begin_relation(record, relation, true);
        }
        self.note_network(record, true);
    }

    /// Ends a relationship that an item loses to another one: no change of its own.
    fn unrelate_quietly(&mut self, end: RelationEnd) {
        let RelationEnd { from, verb, to, owner, .. } = &end;
        self.dependencies.end(verb, *from, *to);
        let begun = self.decision.relations_begun.iter().rposition(|begun| {
            begun.from == *from && begun.to == *to && begun.owner == *owner && begun.verb == *verb
        });
        match begun {
            // Ends are written before beginnings: what began and ends in one decision never was.
            Some(place) => {
                self.decision.relations_begun.remove(place);
            }
            None => self.decision.relations_ended.push(end),
        }
    }

    /// Moves the parts that these sightings see of their item; all of its parts without sightings to choose from.
    fn move_parts(
        &mut self,
        past: &dyn Past,
        (from, to): (Number, Number),
        natives: Option<&BTreeSet<u64>>,
        at: Timestamp,
    ) -> Result<(), Error> {
        for part in self.index.children(from) {
            let Some(slot) = self.index.item(part).copied() else { continue };
            if self.index.absorbed.contains_key(&part) {
                continue;
            }
            let there = self.index.part(to, slot.local).filter(|there| *there != part);
            if natives.is_none() && there.is_none() {
                self.adopt(past, part, to)?;
                continue;
            }
            let records = self.records(past, part)?;
            let all: BTreeSet<u64> = records.iter().map(|record| record.native).collect();
            let moving: BTreeSet<u64> = match natives {
                None => all.clone(),
                Some(natives) => records
                    .iter()
                    .filter(|record| self.is_seen_by(record, natives))
                    .map(|record| record.native)
                    .collect(),
            };
            if moving.is_empty() && natives.is_some() {
                continue;
            }
            let is_whole = moving == all;
            let Some(other) = there else {
                if is_whole {
                    self.adopt(past, part, to)?;
                } else {
                    self.move_to_new_part(past, (part, to), (&records, &moving), at)?;
                }
                continue;
            };
            if self.index.absorbed.contains_key(&other) {
                self.revive(other, at);
            }
            self.move_part(past, (part, other), (&moving, is_whole), at)?;
        }
        Ok(())
    }

    fn move_to_new_part(
        &mut self,
        past: &dyn Past,
        (part, parent): (Number, Number),
        (records, moving): (&[ObservationRecord], &BTreeSet<u64>),
        at: Timestamp,
    ) -> Result<(), Error> {
        let Some(record) = records.iter().find(|record| moving.contains(&record.native)) else {
            return Ok(());
        };
        let (other, is_new) = self.part_of(parent, &record.seen, at)?;
        if is_new {
            self.create(record, other);
        }
        self.move_part(past, (part, other), (moving, false), at)
    }

    fn move_part(
        &mut self,
        past: &dyn Past,
        (part, other): (Number, Number),
        (moving, is_whole): (&BTreeSet<u64>, bool),
        at: Timestamp,
    ) -> Result<(), Error> {
        self.move_sightings(past, (part, other), moving, at)?;
        self.move_parts(past, (part, other), if is_whole { None } else { Some(moving) }, at)?;
        self.rebind(past, part, moving, at)?;
        if is_whole {
            self.absorb((part, other), 0, at);
        }
        Ok(())
    }

    /// Whether one of these sightings sees that part.
    fn is_seen_by(&self, record: &ObservationRecord, natives: &BTreeSet<u64>) -> bool {
        let Some(source) = self.source_id(record.source) else { return false };
        if let Some(within) = &record.seen.within {
            return natives.contains(&native_hash(source, within));
        }
        // What reconciliation observes for an agent belongs where that agent's own sighting is.
        source.collector == SELF
            && natives.iter().any(|native| {
                self.index
                    .source_of_sighting(*native)
                    .and_then(|number| self.source_id(number))
                    .is_some_and(|known| known.target == source.target)
            })
    }

    /// Gives a part with everything in it another parent.
    fn adopt(&mut self, past: &dyn Past, part: Number, parent: Number) -> Result<(), Error> {
        let is_network = self.index.class_of(part).is_some_and(|class| {
            [network_interface::CLASS.name, listening_endpoint::CLASS.name]
                .contains(&class.as_ref())
        });
        let records = if is_network { self.records(past, part)? } else { Vec::new() };
        for record in records.iter().filter(|record| record.absent_at.is_none()) {
            self.note_network(record, false);
        }
        self.index.move_part(part, parent);
        for record in records.iter().filter(|record| record.absent_at.is_none()) {
            self.note_network(record, true);
        }
        for record in self.connections.move_client(part, parent) {
            self.decision.endpoints.push(record);
        }
        self.write_item(part, None, String::new(), None);
        Ok(())
    }

    /// Leads the relationships that others have to moved sightings to where these are now.
    fn rebind(
        &mut self,
        past: &dyn Past,
        from: Number,
        natives: &BTreeSet<u64>,
        at: Timestamp,
    ) -> Result<(), Error> {
        for held in self.relations_to(past, from)? {
            if held.owner == 0 {
                continue;
            }
            let records = self.records(past, held.from)?;
            let Some(owner) = records.iter().find(|record| record.number == held.owner) else {
                continue;
            };
            let mut stays = false;
            let mut to = None;
            for relation in owner.seen.relations.iter().filter(|said| said.verb == held.verb) {
                let Some((hash, other)) = self.other_end(owner.source, &relation.target) else {
                    stays |= matches!(relation.target, RelationTarget::Endpoint { .. });
                    continue;
                };
                stays |= other == from;
                let is_moved = match relation.target {
                    RelationTarget::Native(_) => natives.contains(&hash),
                    _ => self.index.keys.holders(hash).is_some_and(|holders| {
                        holders.iter().any(|holder| natives.contains(&holder))
                    }),
                };
                if is_moved && other != from && other != 0 {
                    to = Some(other);
                }
            }
            if let Some(to) = to {
                if !stays {
                    let RelationRecord { from: one, verb, owner, .. } = held.clone();
                    let end = RelationEnd { from: one, verb, to: from, owner, until: at };
                    self.unrelate_quietly(end);
                }
                self.relate(RelationRecord { to, since: at, ..held }, false);
            }
        }
        Ok(())
    }

    /// The relationships in force that lead to an item, as of this decision.
    fn relations_to(&self, past: &dyn Past, item: Number) -> Result<Vec<RelationRecord>, Error> {
        let mut found = past.relations_to(item)?;
        let now = (&self.decision.relations_begun, &self.decision.relations_ended);
        let before = (&self.recent.begun, &self.recent.ended);
        for (begun, ended) in [before, now] {
            for end in ended.iter().filter(|end| end.to == item) {
                found.retain(|held| {
                    (held.from, &held.verb, held.owner) != (end.from, &end.verb, end.owner)
                });
            }
            for begun in begun.iter().filter(|begun| begun.to == item) {
                let is_known = found.iter().any(|held| {
                    (held.from, &held.verb, held.owner) == (begun.from, &begun.verb, begun.owner)
                });
                if !is_known {
                    found.push(begun.clone());
                }
            }
        }
        Ok(found)
    }

    /// An item without sightings is another one from now on; its id leads there.
    pub(crate) fn absorb(&mut self, (item, into): (Number, Number), founder: u64, at: Timestamp) {
        self.index.absorb(item, Absorbed { into, founder });
        self.decision.revived.retain(|revived| *revived != item);
        self.decision.absorbed.push(AbsorbedRecord { item, into, founder, at });
        let source = self.speaker(into);
        self.set_state(Word { item, source, at }, ItemState::Merged);
        self.note(Word { item: into, source, at }, ChangeWhat::Merged { other: item });
        self.write_item(into, None, String::new(), None);
    }

    /// An absorbed item is one of its own again.
    pub(crate) fn revive(&mut self, item: Number, at: Timestamp) {
        self.index.revive(item);
        self.decision.absorbed.retain(|absorbed| absorbed.item != item);
        self.decision.revived.push(item);
        let source = self.speaker(item);
        self.set_state(Word { item, source, at }, ItemState::Active);
    }
}
