//! The adjacency itself.

use model::decision::{Decision, Number};
use model::relationships::Failure;
use model::{ItemId, Name, relationships};
use std::collections::{BTreeMap, HashMap};

/// A relationship as its end sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Relation {
    /// The item at the other end.
    pub other: Number,
    /// Index into [`Graph::verbs`], and whether it leads away from this end.
    verb: u16,
    outgoing: bool,
    /// How many observations state it; a relationship ends with the last of them.
    stated: u16,
}

impl Relation {
    /// Whether this end is the first one.
    #[must_use]
    pub const fn is_outgoing(&self) -> bool {
        self.outgoing
    }
}

#[derive(Clone, Copy, Debug)]
struct Node {
    id: ItemId,
    class: u16,
}

/// The whole graph.
#[derive(Debug, Default)]
pub struct Graph {
    nodes: Vec<Option<Node>>,
    adjacency: Vec<Vec<Relation>>,
    numbers: HashMap<ItemId, Number>,
    names: Vec<Name>,
    name_numbers: BTreeMap<Name, u16>,
    failures: Vec<Failure>,
    relations_count: u64,
}

impl Graph {
    /// A graph without items.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn name_number(&mut self, name: &Name) -> u16 {
        if let Some(number) = self.name_numbers.get(name) {
            return *number;
        }
        let number = u16::try_from(self.names.len()).unwrap_or(u16::MAX);
        self.names.push(name.clone());
        self.name_numbers.insert(name.clone(), number);
        let declared =
            relationships::ALL.iter().find(|relationship| relationship.name == name.as_ref());
        self.failures.push(declared.map_or(Failure::Stays, |declared| declared.failure));
        number
    }

    /// Adds an item; a part is related to its parent by `part_of`.
    pub fn add_item(&mut self, number: Number, id: ItemId, class: &Name, parent: Number) {
        let class = self.name_number(class);
        let place = place(number);
        if self.nodes.len() <= place {
            self.nodes.resize(place.saturating_add(1), None);
            self.adjacency.resize_with(place.saturating_add(1), Vec::new);
        }
        if let Some(node) = self.nodes.get_mut(place) {
            *node = Some(Node { id, class });
        }
        self.numbers.insert(id, number);
        if parent != 0 {
            self.relate(number, &Name::Borrowed(relationships::PART_OF), parent);
        }
    }

    /// Adds a statement of a relationship.
    pub fn relate(&mut self, from: Number, verb: &Name, to: Number) {
        let verb = self.name_number(verb);
        for (end, other, outgoing) in [(from, to, true), (to, from, false)] {
            let Some(relations) = self.adjacency.get_mut(place(end)) else { return };
            let held = relations
                .iter_mut()
                .find(|held| held.other == other && held.verb == verb && held.outgoing == outgoing);
            match held {
                Some(held) => held.stated = held.stated.saturating_add(1),
                None => {
                    relations.push(Relation { other, verb, outgoing, stated: 1 });
                    self.relations_count = self.relations_count.saturating_add(u64::from(outgoing));
                }
            }
        }
    }

    /// Takes a statement of a relationship away.
    pub fn unrelate(&mut self, from: Number, verb: &Name, to: Number) {
        let verb = self.name_number(verb);
        for (end, other, outgoing) in [(from, to, true), (to, from, false)] {
            let Some(relations) = self.adjacency.get_mut(place(end)) else { return };
            let found = relations.iter().position(|held| {
                held.other == other && held.verb == verb && held.outgoing == outgoing
            });
            let Some(found) = found else { continue };
            let Some(held) = relations.get_mut(found) else { continue };
            held.stated = held.stated.saturating_sub(1);
            if held.stated == 0 {
                relations.swap_remove(found);
                self.relations_count = self.relations_count.saturating_sub(u64::from(outgoing));
            }
        }
    }

    /// Follows a commit.
    pub fn follow(&mut self, decision: &Decision) {
        for item in &decision.items {
            if let Some(id) = item.id {
                self.add_item(item.number, id, &item.class, item.parent);
            }
        }
        // In the order of the store: ends first.
        for end in &decision.relations_ended {
            self.unrelate(end.from, &end.verb, end.to);
        }
        for begun in &decision.relations_begun {
            self.relate(begun.from, &begun.verb, begun.to);
        }
    }

    /// How many items there are.
    #[must_use]
    pub fn items_count(&self) -> usize {
        self.numbers.len()
    }

    /// How many relationships there are, parts included.
    #[must_use]
    pub const fn relations_count(&self) -> u64 {
        self.relations_count
    }

    /// The number of an item.
    #[must_use]
    pub fn number(&self, id: ItemId) -> Option<Number> {
        self.numbers.get(&id).copied()
    }

    /// The id of a number.
    #[must_use]
    pub fn id(&self, number: Number) -> Option<ItemId> {
        self.nodes.get(place(number)).copied().flatten().map(|node| node.id)
    }

    /// The class of a number.
    #[must_use]
    pub fn class(&self, number: Number) -> Option<&Name> {
        let node = self.nodes.get(place(number)).copied().flatten()?;
        self.names.get(usize::from(node.class))
    }

    /// The name of a relationship.
    #[must_use]
    pub fn verb(&self, relation: &Relation) -> Option<&Name> {
        self.names.get(usize::from(relation.verb))
    }

    /// The relationships of an item, both directions.
    #[must_use]
    pub fn relations(&self, number: Number) -> &[Relation] {
        self.adjacency.get(place(number)).map(Vec::as_slice).unwrap_or_default()
    }

    /// Whether a failure at `number` reaches the other end of its relationship.
    pub(crate) fn carries_failure(&self, relation: &Relation) -> bool {
        match self.failures.get(usize::from(relation.verb)) {
            Some(Failure::ToFirst) => !relation.outgoing,
            Some(Failure::ToSecond) => relation.outgoing,
            Some(Failure::Stays) | None => false,
        }
    }

    /// Whether a failure at the other end of a relationship reaches this one.
    pub(crate) fn suffers_failure(&self, relation: &Relation) -> bool {
        match self.failures.get(usize::from(relation.verb)) {
            Some(Failure::ToFirst) => relation.outgoing,
            Some(Failure::ToSecond) => !relation.outgoing,
            Some(Failure::Stays) | None => false,
        }
    }
}

fn place(number: Number) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}
