//! What lies around an item along every relationship, with fans of one class folded into one counted bundle.
//!
//! Invariants: a bundle counts its members exactly, those too that are listed because something else leads to them,
//! and it is not gone through; every count is exact even when the list is cut.

use crate::Graph;
use crate::adjacency::Relation;
use crate::place;
use model::Name;
use model::decision::Number;
use std::collections::{BTreeMap, HashSet};

/// How a neighborhood is looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Around {
    /// How many relationships away at most.
    pub depth: u32,
    /// How many items are listed at most. More are counted, not listed.
    pub items: usize,
    /// More than this many neighbors of one class by one relationship of an item are one bundle.
    pub fold: usize,
    /// The relationships; no name: all.
    pub verbs: Vec<Name>,
}

/// Neighbors of one item that are shown as one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bundle {
    /// The item whose neighbors they are.
    pub item: Number,
    /// The relationship.
    pub verb: Name,
    /// Whether it leads away from the item.
    pub is_outgoing: bool,
    /// The class of the neighbors.
    pub class: Name,
    /// How many they are, exactly.
    pub count: usize,
    /// How many of them are not active.
    pub troubled_count: usize,
}

/// The surroundings of an item.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Neighborhood {
    /// The items by distance and number with the distance, the start left out, at most as many as the limit says.
    pub items: Vec<(Number, u32)>,
    /// How many there are in all without those in bundles.
    pub items_count: usize,
    /// The bundles, of the start and of the listed items.
    pub bundles: Vec<Bundle>,
    /// The relationships between the start and the listed items, each once, from its first end.
    pub relations: Vec<(Number, Relation)>,
}

/// Neighbors of one item by one relationship, of one class.
type Fan = BTreeMap<(u32, u32), Vec<Relation>>;

impl Graph {
    /// What lies around an item.
    #[must_use]
    pub fn neighborhood(&self, item: Number, around: &Around) -> Neighborhood {
        let kinds = self.kinds(&around.verbs);
        let mut answer = Neighborhood::default();
        let mut seen = HashSet::from([item]);
        let mut listed = HashSet::from([item]);
        let mut ring = vec![item];
        let mut depth = 0_u32;
        while depth < around.depth && !ring.is_empty() {
            depth = depth.saturating_add(1);
            let mut next = Vec::new();
            for from in ring {
                for (_, fan) in self.fans(from, kinds.as_deref()) {
                    if fan.len() <= around.fold {
                        let others = fan.iter().map(|relation| relation.other());
                        next.extend(others.filter(|other| seen.insert(*other)));
                    } else if listed.contains(&from) {
                        answer.bundles.extend(self.bundle(from, &fan));
                    }
                }
            }
            next.sort_unstable();
            answer.items_count = answer.items_count.saturating_add(next.len());
            let left = around.items.saturating_sub(answer.items.len());
            listed.extend(next.iter().take(left));
            answer.items.extend(next.iter().take(left).map(|other| (*other, depth)));
            ring = next;
        }
        answer.relations = self.within(item, &answer.items, kinds.as_deref());
        answer
    }

    fn fans(&self, item: Number, kinds: Option<&[bool]>) -> Fan {
        let mut fans = Fan::new();
        for relation in self.followed(item, kinds) {
            let class = self.class_number(relation.other()).unwrap_or(u32::MAX);
            fans.entry((relation.kind(), class)).or_default().push(relation);
        }
        fans
    }

    fn followed(&self, item: Number, kinds: Option<&[bool]>) -> impl Iterator<Item = Relation> {
        let is_followed = move |relation: &&Relation| {
            kinds.is_none_or(|kinds| kinds.get(place(relation.kind())).copied().unwrap_or(false))
        };
        let relations = self.relations(item).iter().filter(is_followed);
        relations.filter(|relation| !self.hidden.contains(relation.other())).copied()
    }

    fn bundle(&self, item: Number, fan: &[Relation]) -> Option<Bundle> {
        let first = *fan.first()?;
        let is_troubled = |relation: &&Relation| !self.is_active(relation.other());
        Some(Bundle {
            item,
            verb: self.verb(first)?.clone(),
            is_outgoing: first.is_outgoing(),
            class: self.item(first.other())?.class.clone(),
            count: fan.len(),
            troubled_count: fan.iter().filter(is_troubled).count(),
        })
    }

    /// The relationships between an item and these others, each once.
    fn within(
        &self,
        item: Number,
        others: &[(Number, u32)],
        kinds: Option<&[bool]>,
    ) -> Vec<(Number, Relation)> {
        let mut listed: Vec<Number> = others.iter().map(|(other, _)| *other).collect();
        listed.push(item);
        listed.sort_unstable();
        let mut found = Vec::new();
        for end in &listed {
            let list = self.relations(*end);
            // Of a hub, the listed ones are looked for instead of all that it has.
            if list.len() > listed.len().saturating_mul(LOOKUPS) {
                let between = listed.iter().flat_map(|other| self.relations_between(*end, *other));
                found.extend(between.map(|relation| (*end, relation)));
            } else {
                let own = list.iter().filter(|own| listed.binary_search(&own.other()).is_ok());
                found.extend(own.map(|relation| (*end, *relation)));
            }
        }
        found.retain(|(_, relation)| {
            let is_followed = kinds
                .is_none_or(|kinds| kinds.get(place(relation.kind())).copied().unwrap_or(false));
            relation.is_outgoing() && is_followed
        });
        found
    }
}

/// How many entries of a list can be passed in the time of looking one item's relationships up.
const LOOKUPS: usize = 16;
