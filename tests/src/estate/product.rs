//! The product's own reconciler under the benchmark, with a store in memory.
//!
//! The only file that knows the reconciler's interface. Asked after the feeding: which item a record belongs to.

use super::{Class, Sighting, site_name};
use model::decision::{Decision, Number, ObservationRecord, ObservationWrite, RelationRecord};
use model::fold::{Rulings, Statement, fold_by};
use model::policy::Policies;
use model::run::ContentHash;
use model::{AgentId, Catalog, ItemId, Name, SourceId, Timestamp};
use reconcile::{Error, Past, Reconciler, Rules, Sight};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

/// How many sightings are decided together, as a batch of an agent would be.
const BATCH: usize = 256;

/// What the decisions so far leave behind.
#[derive(Debug, Default)]
pub struct Memory {
    records: HashMap<Number, ObservationRecord>,
    of_item: HashMap<Number, Vec<Number>>,
    of_native: HashMap<u64, Number>,
    sources: HashMap<Number, SourceId>,
    /// By the second end, then by first end, verb and owner.
    relations: HashMap<Number, BTreeMap<(Number, Name, Number), RelationRecord>>,
}

impl Past for Memory {
    fn observations_of(&self, item: Number) -> Result<Vec<ObservationRecord>, Error> {
        let numbers = self.of_item.get(&item).map(Vec::as_slice).unwrap_or_default();
        Ok(numbers.iter().filter_map(|number| self.records.get(number)).cloned().collect())
    }

    fn relations_to(&self, item: Number) -> Result<Vec<RelationRecord>, Error> {
        Ok(self
            .relations
            .get(&item)
            .map(|held| held.values().cloned().collect())
            .unwrap_or_default())
    }
}

impl Memory {
    fn apply(&mut self, decision: Decision) {
        for source in decision.sources {
            self.sources.insert(source.number, source.id);
        }
        for ended in decision.relations_ended {
            if let Some(held) = self.relations.get_mut(&ended.to) {
                held.remove(&(ended.from, ended.verb, ended.owner));
            }
        }
        for begun in decision.relations_begun {
            let key = (begun.from, begun.verb.clone(), begun.owner);
            self.relations.entry(begun.to).or_default().insert(key, begun);
        }
        for write in decision.observations {
            let record = match write {
                ObservationWrite::New(record)
                | ObservationWrite::Moved(record)
                | ObservationWrite::Reassigned(record)
                | ObservationWrite::Dated(record)
                | ObservationWrite::Next { record, .. } => record,
            };
            let (number, item) = (record.number, record.item);
            self.of_native.insert(record.native, number);
            let before = self.records.insert(number, record).map_or(0, |before| before.item);
            if before == item {
                continue;
            }
            if let Some(numbers) = self.of_item.get_mut(&before) {
                numbers.retain(|held| *held != number);
            }
            self.of_item.entry(item).or_default().push(number);
        }
    }
}

impl Memory {
    /// The graph without anything that depends on numbers or on the order of arrival: what belongs together, the
    /// winning values with who says them, and what is related.
    fn graph(&self) -> BTreeSet<String> {
        let mut names: HashMap<Number, String> = HashMap::new();
        let mut lines = BTreeSet::new();
        for (item, numbers) in self.of_item.iter().filter(|(_, numbers)| !numbers.is_empty()) {
            let records: Vec<&ObservationRecord> =
                numbers.iter().filter_map(|number| self.records.get(number)).collect();
            let members: BTreeSet<String> = records
                .iter()
                .filter_map(|record| {
                    let source = self.sources.get(&record.source)?;
                    Some(format!("{source}:{}", record.seen.native_key))
                })
                .collect();
            let statements: Vec<Statement<'_>> = records
                .iter()
                .filter(|record| record.absent_at.is_none())
                .filter_map(|record| {
                    Some(Statement {
                        source: self.sources.get(&record.source)?,
                        facts: &record.seen.facts,
                        first_seen: record.first_seen,
                        since: &record.since,
                        confirmed_at: record.seen_at.max(record.changed_at),
                    })
                })
                .collect();
            let class = records.first().map_or("", |record| record.seen.class.as_ref());
            let folded = fold_by(Policies::built_in(), class, &statements, Rulings::NONE);
            let values: Vec<String> = folded
                .iter()
                .filter_map(|(name, values)| values.first().map(|won| (name, won)))
                .map(|(name, won)| format!("{name}={:?} by {}", won.value, won.provenance.source))
                .collect();
            let name = format!("{members:?}");
            lines.insert(format!("{name}: {values:?}"));
            names.insert(*item, name);
        }
        let related =
            self.relations.iter().flat_map(|(to, held)| held.keys().map(move |key| (to, key)));
        for (to, (from, verb, _)) in related {
            lines.insert(format!("{:?} {verb} {:?}", names.get(from), names.get(to)));
        }
        lines
    }
}

/// The reconciler and what it has decided.
#[derive(Debug)]
pub struct Product {
    reconciler: Reconciler,
    memory: Memory,
    undecided: usize,
    mark: u32,
}

impl Default for Product {
    fn default() -> Self {
        Self::new()
    }
}

impl Product {
    /// One that knows nothing yet.
    #[must_use]
    pub fn new() -> Self {
        let mut count = 0_u64;
        let new_id = Box::new(move |at: Timestamp| {
            count += 1;
            let mut random = [0; 10];
            for (to, from) in random.iter_mut().zip(count.to_be_bytes()) {
                *to = from;
            }
            ItemId::new_v7(at, random)
        });
        let reconciler = Reconciler::new(Arc::new(Catalog::built_in()), new_id);
        Self { reconciler, memory: Memory::default(), undecided: 0, mark: 0 }
    }

    /// Decides by other rules from now on.
    pub fn set_rules(&mut self, rules: Rules) {
        self.reconciler.set_rules(rules);
    }

    /// Takes in a sighting; what was seen before unchanged decides nothing.
    ///
    /// # Errors
    /// When the reconciler refuses it.
    pub fn take(&mut self, seen: &Sighting) -> Result<(), Error> {
        if self.undecided == 0 {
            self.reconciler.begin(seen.at);
            self.mark = self.mark.wrapping_add(1);
        }
        // A source that looks at many sites is carried from one place.
        let site = match seen.source.collector.as_str() {
            "hypervisor" | "import" => "central".to_owned(),
            _ => site_name(seen.site),
        };
        let source = self.reconciler.source(&seen.source, AgentId::from_bytes([1; 16]), &site)?;
        let scope = match seen.class {
            Class::Host => "hosts",
            Class::Hardware => "hardware",
        };
        let scope = self.reconciler.scope(source, scope)?;
        let sight = Sight {
            source,
            scope,
            native: seen.record,
            content: content_of(seen),
            at: seen.at,
            mark: self.mark,
        };
        if !self.reconciler.is_unchanged(&sight) {
            self.reconciler.observe(&self.memory, &sight, seen.observation())?;
        }
        self.undecided += 1;
        if self.undecided >= BATCH { self.decide() } else { Ok(()) }
    }

    /// Ends the decision that is being made.
    ///
    /// # Errors
    /// When the reconciler cannot decide.
    pub fn decide(&mut self) -> Result<(), Error> {
        if self.undecided > 0 {
            let decision = self.reconciler.finish(&self.memory)?;
            self.memory.apply(decision);
            self.undecided = 0;
        }
        Ok(())
    }

    /// The item of a record.
    #[must_use]
    pub fn item_of(&self, record: u64) -> Option<u64> {
        let number = self.memory.of_native.get(&record)?;
        self.memory.records.get(number).map(|record| u64::from(record.item))
    }

    /// The graph in lines, for people who look for a difference.
    #[must_use]
    pub fn graph(&self) -> BTreeSet<String> {
        self.memory.graph()
    }

    /// A hash of the graph: equal for equal components, winning values and relationships, whatever their numbers.
    #[must_use]
    pub fn graph_hash(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.memory.graph().hash(&mut hasher);
        hasher.finish()
    }
}

fn content_of(seen: &Sighting) -> u128 {
    let mut body = String::with_capacity(512);
    for (key_type, value) in &seen.identifiers {
        body.push_str(key_type.name());
        body.push('=');
        body.push_str(value);
        body.push('\n');
    }
    for said in [seen.vendor, seen.description, seen.runs_on.as_deref().unwrap_or_default()] {
        body.push_str(said);
        body.push('\n');
    }
    body.push_str(&site_name(seen.site));
    ContentHash::of(seen.class.name(), &seen.native_key, body.as_bytes()).0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::estate::Estate;
    use crate::estate::metrics::Truths;

    #[test]
    fn every_record_of_an_estate_has_an_item_of_its_class() {
        let estate = Estate::new(2, 200);
        let mut product = Product::new();
        estate.each(|seen| product.take(seen).unwrap());
        product.decide().unwrap();
        let truths = Truths::of(&estate);
        let mut classes: HashMap<u64, Class> = HashMap::new();
        for (record, truth) in &truths.0 {
            let item = product.item_of(*record).unwrap();
            assert_eq!(*classes.entry(item).or_insert(truth.class), truth.class);
        }
        assert!(truths.score(|record| product.item_of(record)).precision > 0.5);
    }
}
