//! A reconciler with a store in memory, and what a test asks of both.

use model::decision::{
    Decision, Number, ObservationRecord, ObservationWrite, RelationRecord, WishRecord, native_hash,
};
use model::fold::{Rulings, Statement, winners_by};
use model::run::ContentHash;
use model::{AgentId, Catalog, ItemId, ItemState, Name, Observation, SourceId, Timestamp, Value};
use reconcile::{Error, Past, Reconciler, Sight};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What the decisions so far leave behind.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    pub(crate) observations: BTreeMap<Number, ObservationRecord>,
    pub(crate) classes: BTreeMap<Number, Name>,
    pub(crate) parents: BTreeMap<Number, Number>,
    pub(crate) states: BTreeMap<Number, ItemState>,
    pub(crate) titles: BTreeMap<Number, String>,
    pub(crate) relations: BTreeSet<(Number, String, Number, Number)>,
    pub(crate) absorbed: BTreeMap<Number, Number>,
    pub(crate) wishes: Vec<WishRecord>,
    pub(crate) possible: BTreeMap<(Number, Number), i32>,
    records: BTreeMap<(Number, String, Number, Number), RelationRecord>,
    sources: BTreeMap<Number, SourceId>,
}

impl Past for Memory {
    fn observations_of(&self, item: Number) -> Result<Vec<ObservationRecord>, Error> {
        Ok(self.observations.values().filter(|record| record.item == item).cloned().collect())
    }

    fn relations_to(&self, item: Number) -> Result<Vec<RelationRecord>, Error> {
        let leading_there = self.records.iter().filter(|(key, _)| key.2 == item);
        Ok(leading_there.map(|(_, record)| record.clone()).collect())
    }
}

impl Memory {
    fn apply(&mut self, decision: &Decision) {
        for source in &decision.sources {
            self.sources.insert(source.number, source.id.clone());
        }
        for item in &decision.items {
            assert_eq!(item.id.is_some(), !self.states.contains_key(&item.number));
            self.classes.insert(item.number, item.class.clone());
            self.parents.insert(item.number, item.parent);
            self.states.insert(item.number, item.state);
            if let Some(title) = &item.title {
                self.titles.insert(item.number, title.clone());
            }
        }
        for write in &decision.observations {
            let record = match write {
                ObservationWrite::New(record)
                | ObservationWrite::Moved(record)
                | ObservationWrite::Reassigned(record)
                | ObservationWrite::Dated(record)
                | ObservationWrite::Next { record, .. } => record,
            };
            self.observations.insert(record.number, record.clone());
        }
        for end in &decision.relations_ended {
            let key = (end.from, end.verb.to_string(), end.to, end.owner);
            assert!(self.relations.remove(&key), "{key:?} ended without having begun");
            self.records.remove(&key);
        }
        for begun in &decision.relations_begun {
            let key = (begun.from, begun.verb.to_string(), begun.to, begun.owner);
            assert!(self.relations.insert(key.clone()), "{key:?} began twice");
            self.records.insert(key, begun.clone());
        }
        self.apply_identity(decision);
    }

    fn apply_identity(&mut self, decision: &Decision) {
        for item in &decision.revived {
            self.absorbed.remove(item);
        }
        for record in &decision.absorbed {
            self.absorbed.insert(record.item, record.into);
        }
        for pair in &decision.possible_removed {
            self.possible.remove(pair);
        }
        for record in &decision.possible {
            self.possible.insert((record.one, record.other), record.bits);
        }
        self.wishes.retain(|wish| !decision.wishes_removed.contains(&wish.action));
        self.wishes.extend(decision.wishes.iter().cloned());
        for (item, state) in &self.states {
            let sightings =
                self.observations.values().filter(|record| record.item == *item).count();
            assert_eq!(*state == ItemState::Merged, sightings == 0, "{item} is {state:?}");
            assert_eq!(self.absorbed.contains_key(item), sightings == 0, "{item}");
        }
    }
}

/// A reconciler and its store.
pub(crate) struct Estate {
    pub(crate) reconciler: Reconciler,
    pub(crate) memory: Memory,
    mark: u32,
}

pub(crate) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_seconds(1_700_000_000 + seconds)
}

pub(crate) fn source(collector: &str, target: &str) -> SourceId {
    SourceId { collector: collector.into(), target: target.into() }
}

impl Estate {
    pub(crate) fn new() -> Self {
        let mut count = 0_u8;
        let new_id = Box::new(move |at| {
            count = count.wrapping_add(1);
            ItemId::new_v7(at, [count; 10])
        });
        let reconciler = Reconciler::new(Arc::new(Catalog::built_in()), new_id);
        Self { reconciler, memory: Memory::default(), mark: 0 }
    }

    /// One look at a scope, decided by itself. A complete look takes out what it did not list.
    pub(crate) fn look(
        &mut self,
        source: &SourceId,
        scope: &str,
        seen: &[Observation],
        (when, is_complete): (Timestamp, bool),
    ) -> Decision {
        self.mark += 1;
        self.reconciler.begin(when);
        let agent = AgentId::from_bytes([1; 16]);
        let number = self.reconciler.source(source, agent, "berlin").unwrap();
        let scope = self.reconciler.scope(number, scope).unwrap();
        for seen in seen {
            let sight = Sight {
                source: number,
                scope,
                native: native_hash(source, &seen.native_key),
                content: content_of(seen),
                at: when,
                mark: self.mark,
            };
            if !self.reconciler.is_unchanged(&sight) {
                self.reconciler.observe(&self.memory, &sight, seen.clone()).unwrap();
            }
        }
        if is_complete {
            let gone = self.reconciler.unmarked(scope, self.mark);
            self.reconciler.disappear_all(&self.memory, scope, &gone, when).unwrap();
        }
        self.commit()
    }

    pub(crate) fn commit(&mut self) -> Decision {
        let decision = self.reconciler.finish(&self.memory).unwrap();
        self.memory.apply(&decision);
        decision
    }

    pub(crate) fn sweep(&mut self, now: Timestamp) -> Decision {
        self.reconciler.begin(now);
        self.reconciler.sweep(&self.memory, now, 1000).unwrap();
        self.commit()
    }

    /// Whatever a person says, decided by itself.
    pub(crate) fn say<T>(
        &mut self,
        when: Timestamp,
        what: impl FnOnce(&mut Reconciler, &Memory) -> T,
    ) -> (T, Decision) {
        self.reconciler.begin(when);
        let said = what(&mut self.reconciler, &self.memory);
        (said, self.commit())
    }

    /// The item behind a native key.
    pub(crate) fn item(&self, source: &SourceId, native_key: &str) -> Option<Number> {
        let native = native_hash(source, native_key);
        let mut found = self.memory.observations.values();
        found.find(|record| record.native == native && record.item != 0).map(|record| record.item)
    }

    pub(crate) fn is_related(&self, from: Number, verb: &str, to: Number) -> bool {
        self.memory
            .relations
            .iter()
            .any(|relation| relation.0 == from && relation.1 == verb && relation.2 == to)
    }

    fn confirmed_at(&self, record: &ObservationRecord) -> Timestamp {
        let scope = self.reconciler.scope_state(record.scope);
        let complete_at = scope.and_then(|scope| scope.complete_at);
        record.seen_at.max(record.changed_at).max(complete_at.unwrap_or(record.seen_at))
    }

    /// The graph without anything that depends on the order of arrival: what belongs together, the winning values
    /// with who says them since when, and what is related. Things that nobody sees any longer are left out.
    pub(crate) fn hash(&self) -> String {
        let mut components: BTreeMap<Number, BTreeSet<String>> = BTreeMap::new();
        for record in self.memory.observations.values().filter(|record| record.absent_at.is_none())
        {
            let who = format!("{}:{}", self.memory.sources[&record.source], record.seen.native_key);
            components.entry(record.item).or_default().insert(who);
        }
        let name = |item: Number| format!("{:?}", components.get(&item));
        let mut lines = BTreeSet::new();
        for item in components.keys() {
            let records = self.memory.observations_of(*item).unwrap();
            let statements: Vec<Statement<'_>> = records
                .iter()
                .filter(|record| record.absent_at.is_none())
                .map(|record| Statement {
                    source: &self.memory.sources[&record.source],
                    facts: &record.seen.facts,
                    first_seen: record.first_seen,
                    since: &record.since,
                    confirmed_at: self.confirmed_at(record),
                })
                .collect();
            let parent = name(self.memory.parents[item]);
            let class = self.memory.classes[item].as_ref();
            let policies = self.reconciler.policies();
            let winners = winners_by(policies, class, &statements, Rulings::NONE);
            let values: Vec<(&Name, &Value)> =
                winners.iter().map(|(name, value)| (*name, &**value)).collect();
            let title = &self.memory.titles[item];
            lines.insert(format!("{} in {parent} called {title}: {values:?}", name(*item)));
        }
        for (from, verb, to, _) in &self.memory.relations {
            lines.insert(format!("{} {verb} {}", name(*from), name(*to)));
        }
        lines.into_iter().collect::<Vec<_>>().join("\n")
    }
}

pub(crate) fn content_of(seen: &Observation) -> u128 {
    ContentHash::of(&seen.class, &seen.native_key, format!("{seen:?}").as_bytes()).0
}
