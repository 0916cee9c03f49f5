//! Walks over the graph: breadth first, without a limit of depth where failure travels, always with one of size.
//!
//! Invariants: a count is exact even when the list is cut, and a cut list says so; the order of an answer follows from
//! the graph alone.

use crate::graph::{Graph, Relation};
use model::decision::Number;
use std::collections::{BTreeSet, HashMap, VecDeque};

/// How far a walk goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// How many relationships away at most.
    pub depth: u32,
    /// How many items are listed at most. More are counted, not listed.
    pub items: usize,
}

/// An item that a walk reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// The item.
    pub item: Number,
    /// From where it was reached first; 0 for the start.
    pub from: Number,
    /// How many relationships away.
    pub depth: u32,
}

/// What a walk reached.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reached {
    /// The items by distance, the start left out, at most as many as the limit says.
    pub steps: Vec<Step>,
    /// How many there are in all.
    pub count: usize,
}

impl Reached {
    /// Whether the list is shorter than the count.
    #[must_use]
    pub const fn is_cut(&self) -> bool {
        self.steps.len() < self.count
    }
}

/// The surroundings of an item.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Neighborhood {
    /// The items.
    pub reached: Reached,
    /// The relationships between the listed items, each once, from its first end.
    pub relations: Vec<(Number, Relation)>,
}

impl Graph {
    /// What suffers when an item fails.
    #[must_use]
    pub fn impact(&self, item: Number, limits: Limits) -> Reached {
        self.walk(item, limits, |relation| self.carries_failure(relation))
    }

    /// What an item needs.
    #[must_use]
    pub fn dependencies(&self, item: Number, limits: Limits) -> Reached {
        self.walk(item, limits, |relation| self.suffers_failure(relation))
    }

    /// What lies around an item, along every relationship.
    #[must_use]
    pub fn neighborhood(&self, item: Number, limits: Limits) -> Neighborhood {
        let reached = self.walk(item, limits, |_| true);
        let listed: BTreeSet<Number> =
            reached.steps.iter().map(|step| step.item).chain([item]).collect();
        let mut relations = Vec::new();
        for end in &listed {
            let mut own: Vec<Relation> = self
                .relations(*end)
                .iter()
                .filter(|relation| relation.is_outgoing() && listed.contains(&relation.other))
                .copied()
                .collect();
            own.sort_unstable();
            relations.extend(own.into_iter().map(|relation| (*end, relation)));
        }
        Neighborhood { reached, relations }
    }

    /// A shortest way between two items along any relationships, both ends included.
    #[must_use]
    pub fn shortest_path(&self, one: Number, other: Number) -> Option<Vec<Number>> {
        let mut reached_from: HashMap<Number, Number> = HashMap::from([(one, 0)]);
        let mut waiting = VecDeque::from([one]);
        while let Some(item) = waiting.pop_front() {
            if item == other {
                let mut path = vec![item];
                let mut at = item;
                while let Some(from) = reached_from.get(&at).copied().filter(|from| *from != 0) {
                    path.push(from);
                    at = from;
                }
                path.reverse();
                return Some(path);
            }
            for next in self.ordered(item, |_| true) {
                if let std::collections::hash_map::Entry::Vacant(place) = reached_from.entry(next) {
                    place.insert(item);
                    waiting.push_back(next);
                }
            }
        }
        None
    }

    fn ordered(&self, item: Number, follows: impl Fn(&Relation) -> bool) -> Vec<Number> {
        let mut next: Vec<Number> = self
            .relations(item)
            .iter()
            .filter(|relation| follows(relation))
            .map(|relation| relation.other)
            .collect();
        next.sort_unstable();
        next.dedup();
        next
    }

    fn walk(&self, item: Number, limits: Limits, follows: impl Fn(&Relation) -> bool) -> Reached {
        let mut answer = Reached::default();
        let mut seen = BTreeSet::from([item]);
        let mut waiting = VecDeque::from([Step { item, from: 0, depth: 0 }]);
        while let Some(step) = waiting.pop_front() {
            if step.from != 0 {
                answer.count = answer.count.saturating_add(1);
                if answer.steps.len() < limits.items {
                    answer.steps.push(step);
                }
            }
            if step.depth >= limits.depth {
                continue;
            }
            for next in self.ordered(step.item, &follows) {
                if seen.insert(next) {
                    let depth = step.depth.saturating_add(1);
                    waiting.push_back(Step { item: next, from: step.item, depth });
                }
            }
        }
        answer
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::{ItemId, Name};

    const ALL: Limits = Limits { depth: u32::MAX, items: 100 };

    /// A host (1) with a process (2) that listens on (3); a process (5) of host (4) connects there.
    fn graph() -> Graph {
        let mut graph = Graph::new();
        let classes = ["host", "process", "listening_endpoint", "host", "process"];
        for (index, (class, parent)) in classes.into_iter().zip([0, 1, 1, 0, 4]).enumerate() {
            let number = u32::try_from(index).unwrap() + 1;
            let id = ItemId::from_bytes([u8::try_from(number).unwrap(); 16]);
            graph.add_item(number, id, &Name::Borrowed(class), parent);
        }
        graph.relate(2, &Name::Borrowed("listens_on"), 3);
        graph.relate(5, &Name::Borrowed("connects_to"), 3);
        graph
    }

    fn items(reached: &Reached) -> Vec<Number> {
        reached.steps.iter().map(|step| step.item).collect()
    }

    #[test]
    fn a_failing_process_takes_down_what_is_connected_to_its_listener() {
        let graph = graph();
        assert_eq!(items(&graph.impact(2, ALL)), [3, 5]);
        assert_eq!(items(&graph.dependencies(5, ALL)), [3, 4, 1, 2]);
    }

    #[test]
    fn a_cut_list_still_counts_everything() {
        let reached = graph().neighborhood(1, Limits { depth: u32::MAX, items: 1 }).reached;
        assert_eq!((reached.steps.len(), reached.count), (1, 4));
        assert!(reached.is_cut());
    }

    #[test]
    fn a_way_is_found_over_several_kinds_of_relationships() {
        assert_eq!(graph().shortest_path(1, 4), Some(vec![1, 3, 5, 4]));
        assert_eq!(graph().shortest_path(1, 99), None);
    }

    #[test]
    fn a_relationship_that_two_state_ends_with_the_second() {
        let mut graph = graph();
        let verb = Name::Borrowed("connects_to");
        graph.relate(5, &verb, 3);
        let before = graph.relations_count();
        graph.unrelate(5, &verb, 3);
        assert_eq!(graph.relations_count(), before);
        graph.unrelate(5, &verb, 3);
        assert_eq!(graph.relations_count(), before - 1);
        assert_eq!(items(&graph.impact(2, ALL)), [3]);
    }
}
