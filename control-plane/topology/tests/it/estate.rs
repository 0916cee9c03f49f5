//! Random estates, as commits and as what a store would give back after them, and the naive answers.

use model::classes::volume;
use model::decision::{
    Decision, ItemRecord, Number, ObservationRecord, ObservationWrite, RelationEnd, RelationRecord,
    SourceRecord,
};
use model::{AgentId, ItemId, ItemState, Name, Observation, SourceId, Timestamp};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::sync::Arc;
use topology::{Builder, Graph, Limits, Relation};

/// Items of a random estate.
pub(crate) const ITEMS: u32 = 24;

/// Where a failure stays, travels each way, and has others that stand in.
pub(crate) const VERBS: [&str; 6] =
    ["depends_on", "listens_on", "member_of", "stored_on", "uses_image", "of_a_newer_agent"];

pub(crate) fn id(number: Number) -> ItemId {
    let mut bytes = [0; 16];
    bytes[..4].copy_from_slice(&number.to_be_bytes());
    ItemId::from_bytes(bytes)
}

pub(crate) fn verb(index: usize) -> Name {
    Name::Borrowed(VERBS[index % VERBS.len()])
}

pub(crate) fn class(number: Number) -> Name {
    Name::Borrowed(["host", "process", "volume"][usize::try_from(number % 3).unwrap()])
}

/// What happens to an estate.
#[derive(Clone, Debug)]
pub(crate) enum Event {
    Item {
        number: Number,
        parent: Number,
        state: usize,
    },
    Relate {
        from: Number,
        verb: usize,
        to: Number,
        owner: Number,
    },
    Unrelate {
        place: usize,
    },
    Observe {
        observation: Number,
        item: Number,
        is_present: bool,
    },
    /// All that one item has goes over to another, as when two turn out to be one.
    Merge {
        gone: Number,
        survivor: Number,
    },
}

pub(crate) fn event() -> impl Strategy<Value = Event> {
    let number = || 1..=ITEMS;
    prop_oneof![
        3 => (number(), 0..=ITEMS, 0..4_usize)
            .prop_map(|(number, parent, state)| Event::Item { number, parent, state }),
        6 => (number(), 0..VERBS.len(), number(), 0..3_u32)
            .prop_map(|(from, verb, to, owner)| Event::Relate { from, verb, to, owner }),
        2 => (0..1_000_usize).prop_map(|place| Event::Unrelate { place }),
        2 => (1..40_u32, number(), any::<bool>())
            .prop_map(|(observation, item, is_present)| Event::Observe { observation, item, is_present }),
        1 => (number(), number()).prop_map(|(gone, survivor)| Event::Merge { gone, survivor }),
    ]
}

/// What a store holds.
#[derive(Clone, Debug, Default)]
pub(crate) struct Stored {
    items: BTreeMap<Number, (Number, ItemState)>,
    relations: BTreeMap<(Number, usize, Number, Number), ()>,
    observations: BTreeMap<Number, (Number, bool)>,
}

fn source_of(observation: Number) -> Number {
    1 + observation % 3
}

/// What an observation says: every third is of an array.
fn seen(observation: Number) -> Observation {
    if !observation.is_multiple_of(3) {
        return Observation::of(&model::classes::host::CLASS, "host");
    }
    let level = ["raid1", "raid5", "raid0"][usize::try_from(observation / 3 % 3).unwrap()];
    Observation::part(&volume::CLASS, "host", &["md0"]).with(&volume::RAID_LEVEL, level.to_owned())
}

fn record(observation: Number, item: Number, is_present: bool) -> ObservationWrite {
    let at = Timestamp::from_millis(0);
    ObservationWrite::New(ObservationRecord {
        number: observation,
        native: u64::from(observation),
        source: source_of(observation),
        scope: 1,
        item,
        content: 0,
        first_seen: at,
        changed_at: at,
        absent_at: (!is_present).then_some(at),
        seen_at: at,
        seen: Arc::new(seen(observation)),
        since: BTreeMap::new(),
    })
}

impl Stored {
    /// Takes an event over and gives the commit that says so.
    pub(crate) fn commit(&mut self, event: &Event) -> Decision {
        let mut decision = Decision::default();
        for number in 1..=3_u32 {
            decision.sources.push(source(number));
        }
        match event {
            Event::Item { number, parent, state } => {
                let parent = if parent == number { 0 } else { *parent };
                self.item(&mut decision, *number, parent, ItemState::ALL[*state]);
            }
            Event::Relate { from, verb, to, owner } => {
                self.ensure(&mut decision, *from);
                self.ensure(&mut decision, *to);
                self.begin(&mut decision, (*from, *verb, *to, *owner));
            }
            Event::Unrelate { place } => {
                let count = self.relations.len().max(1);
                let held = self.relations.keys().nth(place % count).copied();
                held.into_iter().for_each(|held| self.end(&mut decision, held));
            }
            Event::Observe { observation, item, is_present } => {
                self.ensure(&mut decision, *item);
                self.observe(&mut decision, *observation, *item, *is_present);
            }
            Event::Merge { gone, survivor } => self.merge(&mut decision, *gone, *survivor),
        }
        decision
    }

    fn ensure(&mut self, decision: &mut Decision, number: Number) {
        if !self.items.contains_key(&number) {
            self.item(decision, number, 0, ItemState::Active);
        }
    }

    fn item(&mut self, decision: &mut Decision, number: Number, parent: Number, state: ItemState) {
        if parent != 0 {
            self.ensure(decision, parent);
        }
        let at = Timestamp::from_millis(0);
        let before = self.items.insert(number, (parent, state));
        decision.items.push(ItemRecord {
            number,
            id: before.is_none().then(|| id(number)),
            class: class(number),
            title: None,
            words: String::new(),
            parent,
            local: 0,
            state,
            state_before: before.map(|(_, state)| state),
            state_since: at,
            first_seen: at,
        });
    }

    fn begin(&mut self, decision: &mut Decision, key: (Number, usize, Number, Number)) {
        if self.relations.insert(key, ()).is_some() {
            return;
        }
        let (from, index, to, owner) = key;
        decision.relations_begun.push(RelationRecord {
            from,
            verb: verb(index),
            to,
            source: 1,
            owner,
            since: Timestamp::from_millis(0),
            evidence: String::new(),
        });
    }

    fn end(&mut self, decision: &mut Decision, key: (Number, usize, Number, Number)) {
        self.relations.remove(&key);
        let (from, index, to, owner) = key;
        let until = Timestamp::from_millis(0);
        decision.relations_ended.push(RelationEnd { from, verb: verb(index), to, owner, until });
    }

    fn observe(
        &mut self,
        decision: &mut Decision,
        observation: Number,
        item: Number,
        is_present: bool,
    ) {
        self.observations.insert(observation, (item, is_present));
        decision.observations.push(record(observation, item, is_present));
    }

    fn merge(&mut self, decision: &mut Decision, gone: Number, survivor: Number) {
        if gone == survivor || !self.items.contains_key(&gone) {
            return;
        }
        self.ensure(decision, survivor);
        let moved = |end: Number| if end == gone { survivor } else { end };
        let concerned: Vec<_> = self
            .relations
            .keys()
            .filter(|(from, _, to, _)| *from == gone || *to == gone)
            .copied()
            .collect();
        for key in concerned {
            self.end(decision, key);
            let (from, verb, to, owner) = key;
            self.begin(decision, (moved(from), verb, moved(to), owner));
        }
        let parts: Vec<(Number, ItemState)> = self
            .items
            .iter()
            .filter(|(part, (parent, _))| *parent == gone && **part != survivor)
            .map(|(part, (_, state))| (*part, *state))
            .collect();
        for (part, state) in parts {
            self.item(decision, part, survivor, state);
        }
        let observations: Vec<(Number, bool)> = self
            .observations
            .iter()
            .filter(|(_, (item, _))| *item == gone)
            .map(|(observation, (_, is_present))| (*observation, *is_present))
            .collect();
        for (observation, is_present) in observations {
            self.observe(decision, observation, survivor, is_present);
        }
        self.item(decision, gone, 0, ItemState::Retired);
    }

    /// The graph that is loaded from it.
    pub(crate) fn load(&self) -> Graph {
        let mut builder = Builder::new();
        for number in 1..=3_u32 {
            let source = source(number);
            builder.source(number, &source.site, source.agent);
        }
        for (number, (parent, state)) in &self.items {
            builder.item(*number, id(*number), &class(*number), (*parent, *state));
        }
        for (observation, (item, is_present)) in &self.observations {
            builder.observation(*observation, source_of(*observation), *item, *is_present);
            let seen = seen(*observation);
            let spare = model::relationships::spare(&seen.class, &seen.facts);
            if let Some(spare) = spare.filter(|_| *is_present) {
                builder.spare(*observation, *item, spare);
            }
        }
        for (from, index, to, _) in self.relations.keys() {
            builder.relation(*from, &verb(*index), *to);
        }
        builder.finish()
    }
}

fn source(number: Number) -> SourceRecord {
    SourceRecord {
        number,
        id: SourceId { collector: "host".into(), target: number.to_string() },
        agent: AgentId::from_bytes([u8::try_from(number).unwrap(); 16]),
        site: format!("site {number}"),
    }
}

/// Everything that a graph can be asked about one item, in words.
pub(crate) fn described(graph: &Graph, number: Number) -> Vec<String> {
    let mut lines = vec![format!("{:?} at {:?}", graph.item(number), graph.site(number))];
    let mut relations: Vec<String> = graph
        .relations(number)
        .iter()
        .map(|relation| {
            let verb = graph.verb(*relation).unwrap();
            let statements = graph.statements(number, *relation);
            let (other, is_outgoing) = (relation.other(), relation.is_outgoing());
            format!("{verb} {is_outgoing} {other} {statements}")
        })
        .collect();
    relations.sort();
    lines.extend(relations);
    lines
}

/// A graph that followed these events.
pub(crate) fn followed(events: &[Event]) -> (Graph, Stored) {
    let (mut graph, mut stored) = (Graph::new(), Stored::default());
    for event in events {
        graph.follow(&stored.commit(event));
    }
    (graph, stored)
}

/// The relations of an item to items that are not retired.
pub(crate) fn visible(graph: &Graph, number: Number) -> Vec<Relation> {
    let is_visible = |relation: &&Relation| is_live(graph, relation.other());
    graph.relations(number).iter().filter(is_visible).copied().collect()
}

pub(crate) fn is_live(graph: &Graph, number: Number) -> bool {
    graph.item(number).is_some_and(|item| item.state != ItemState::Retired)
}

proptest! {
    #[test]
    fn following_every_commit_gives_the_graph_that_loading_gives(
        events in prop::collection::vec(event(), 0..160)
    ) {
        let (graph, stored) = followed(&events);
        let loaded = stored.load();
        prop_assert_eq!(graph.relations_count(), loaded.relations_count());
        prop_assert_eq!(graph.items_count(), loaded.items_count());
        for number in 1..=ITEMS {
            prop_assert_eq!(described(&graph, number), described(&loaded, number));
            let limits = Limits { depth: u32::MAX, items: 100 };
            prop_assert_eq!(graph.impact(&[number], limits), loaded.impact(&[number], limits));
            prop_assert_eq!(graph.dependencies(number, limits), loaded.dependencies(number, limits));
        }
    }
}
