//! Answers of the graph: by id while it is held, and with names when the store has named them.

use model::decision::Number;
use model::query::At;
use model::{ItemId, Name};
use std::collections::HashMap;
use store::findings::NamedItem;
use topology::{Around, Bundle, Graph, Limits};

type Names = HashMap<ItemId, NamedItem>;

/// A step of a walk by id.
#[derive(Debug)]
struct Step {
    item: ItemId,
    from: ItemId,
    depth: u32,
    is_certain: bool,
}

/// What a walk went to, by id.
#[derive(Debug)]
pub(super) struct Walked {
    steps: Vec<Step>,
    count: usize,
    rings: Vec<usize>,
    classes: Vec<(Name, usize)>,
}

/// An item that a walk reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Needed {
    /// The item.
    pub item: NamedItem,
    /// From where it was reached first.
    pub from: ItemId,
    /// How many relationships away.
    pub depth: u32,
    /// Of what an item needs: whether its failure alone takes the item down for certain.
    pub is_certain: bool,
}

/// What a walk reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reached {
    /// The items by distance.
    pub items: Vec<Needed>,
    /// How many there are in all, listed or not.
    pub count: usize,
    /// How many there are at each distance, from 1 on.
    pub rings: Vec<usize>,
    /// How many there are of each class, most first.
    pub classes: Vec<(Name, usize)>,
}

impl Walked {
    fn of(graph: &Graph, reached: topology::Reached, is_certain: &[bool]) -> Self {
        let mut certain = is_certain.iter().copied();
        let steps = reached.steps.iter().filter_map(|step| {
            let is_certain = certain.next().unwrap_or(true);
            let (item, from) = (graph.id(step.item)?, graph.id(step.from)?);
            Some(Step { item, from, depth: step.depth, is_certain })
        });
        Self {
            steps: steps.collect(),
            count: reached.count,
            rings: reached.rings,
            classes: reached.classes,
        }
    }

    pub(super) fn ids(&self) -> impl Iterator<Item = ItemId> {
        self.steps.iter().map(|step| step.item)
    }

    pub(super) fn named(self, names: &Names) -> Reached {
        let items = self.steps.into_iter().filter_map(|step| {
            let Step { from, depth, is_certain, item } = step;
            Some(Needed { item: names.get(&item)?.clone(), from, depth, is_certain })
        });
        Reached {
            items: items.collect(),
            count: self.count,
            rings: self.rings,
            classes: self.classes,
        }
    }
}

/// An item that lost some of those that stand in for each other, and goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lost<T> {
    /// The item.
    pub item: T,
    /// How many are left to it.
    pub left: u32,
    /// How many it needs.
    pub needed: u32,
}

impl Lost<ItemId> {
    pub(super) fn named(&self, names: &Names) -> Option<Lost<NamedItem>> {
        let item = names.get(&self.item)?.clone();
        Some(Lost { item, left: self.left, needed: self.needed })
    }
}

/// What a failure does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Impact {
    /// What fails.
    pub failed: Vec<NamedItem>,
    /// What suffers.
    pub reached: Reached,
    /// What goes on with less than before.
    pub weakened: Vec<Lost<NamedItem>>,
    /// How many of those there are in all.
    pub weakened_count: usize,
}

fn numbers(graph: &Graph, ids: &[ItemId]) -> Option<Vec<Number>> {
    ids.iter().map(|id| graph.number(*id)).collect()
}

/// What suffers, what goes on with less, and how many of those there are in all.
type ImpactById = (Walked, Vec<Lost<ItemId>>, usize);

pub(super) fn impact(graph: &Graph, ids: &[ItemId], limits: Limits) -> Option<ImpactById> {
    let found = graph.impact(&numbers(graph, ids)?, limits);
    let lost = found.weakened.iter().filter_map(|weakened| {
        let item = graph.id(weakened.item)?;
        Some(Lost { item, left: weakened.left, needed: weakened.needed })
    });
    let lost = lost.collect();
    Some((Walked::of(graph, found.reached, &[]), lost, found.weakened_count))
}

/// What an item needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Needs {
    /// The item.
    pub item: NamedItem,
    /// What it needs, directly or through others.
    pub reached: Reached,
    /// How many of all those take it down for certain when they fail alone.
    pub certain_count: usize,
}

pub(super) fn dependencies(graph: &Graph, id: ItemId, limits: Limits) -> Option<(Walked, usize)> {
    let found = graph.dependencies(graph.number(id)?, limits);
    Some((Walked::of(graph, found.reached, &found.is_certain), found.certain_count))
}

/// A step of a way: an item, and the relationships by which the one before it leads there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouteStep<T> {
    /// The item.
    pub item: T,
    /// Name of each relationship, and whether it leads away from the item before.
    pub via: Vec<(Name, bool)>,
}

/// One way, from its first item to its last.
pub type Route<T> = Vec<RouteStep<T>>;

/// The shortest ways, by id.
#[derive(Debug)]
pub(super) struct RoutesById {
    pub(super) distance: Option<u32>,
    pub(super) count: u64,
    pub(super) routes: Vec<Route<ItemId>>,
}

/// The shortest ways between two items.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Paths {
    /// Where they begin.
    pub from: NamedItem,
    /// Where they end.
    pub to: NamedItem,
    /// How many relationships long they are; `None` when none within the limit leads there.
    pub distance: Option<u32>,
    /// How many there are in all; `u64::MAX` stands for that many or more.
    pub count: u64,
    /// The ways.
    pub routes: Vec<Route<NamedItem>>,
}

pub(super) fn paths(
    graph: &Graph,
    (from, to): (ItemId, ItemId),
    verbs: &[Name],
    (depth, listed): (u32, usize),
) -> Option<RoutesById> {
    let ends = (graph.number(from)?, graph.number(to)?);
    let found = graph.shortest_paths(ends, verbs, depth, listed);
    let routes = found.routes.iter().filter_map(|route| route_by_id(graph, route, verbs));
    Some(RoutesById { distance: found.distance, count: found.count, routes: routes.collect() })
}

fn route_by_id(graph: &Graph, route: &[Number], verbs: &[Name]) -> Option<Route<ItemId>> {
    let mut before = None;
    let steps = route.iter().map(|item| {
        let between = before.map(|before| graph.relations_between(before, *item));
        before = Some(*item);
        let via = between.unwrap_or_default().into_iter().filter_map(|relation| {
            let verb = graph.verb(relation).filter(|v| verbs.is_empty() || verbs.contains(*v))?;
            Some((verb.clone(), relation.is_outgoing()))
        });
        Some(RouteStep { item: graph.id(*item)?, via: via.collect() })
    });
    steps.collect()
}

pub(super) fn route(route: &[RouteStep<ItemId>], names: &Names) -> Option<Route<NamedItem>> {
    let named = route.iter().map(|step| {
        Some(RouteStep { item: names.get(&step.item)?.clone(), via: step.via.clone() })
    });
    named.collect()
}

/// A relationship between two listed items.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GraphRelation {
    /// The first end.
    pub from: ItemId,
    /// Its name.
    pub verb: Name,
    /// The second end.
    pub to: ItemId,
}

/// What lies around an item, by id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Surroundings {
    /// The items with their distance.
    pub items: Vec<(ItemId, u32)>,
    /// How many there are in all without those in bundles.
    pub count: usize,
    /// Many neighbors of one class, shown as one, with the id of the item whose neighbors they are.
    pub bundles: Vec<(ItemId, Bundle)>,
    /// The relationships between the listed items.
    pub relations: Vec<GraphRelation>,
}

/// What lies around an item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Neighborhood {
    /// The item.
    pub item: NamedItem,
    /// What was found.
    pub found: Surroundings,
    /// At which moment.
    pub at: At,
    pub(super) names: Names,
}

impl Neighborhood {
    /// The listed items with their distance.
    pub fn items(&self) -> impl Iterator<Item = (&NamedItem, u32)> {
        self.found.items.iter().filter_map(|(id, depth)| Some((self.names.get(id)?, *depth)))
    }
}

pub(super) fn around(graph: &Graph, id: ItemId, around: &Around) -> Option<Surroundings> {
    let found = graph.neighborhood(graph.number(id)?, around);
    let items = found.items.iter().filter_map(|(item, depth)| Some((graph.id(*item)?, *depth)));
    let bundles =
        found.bundles.into_iter().filter_map(|bundle| Some((graph.id(bundle.item)?, bundle)));
    let relations = found.relations.iter().filter_map(|(from, relation)| {
        Some(GraphRelation {
            from: graph.id(*from)?,
            verb: graph.verb(*relation)?.clone(),
            to: graph.id(relation.other())?,
        })
    });
    Some(Surroundings {
        items: items.collect(),
        count: found.items_count,
        bundles: bundles.collect(),
        relations: relations.collect(),
    })
}

/// Items that lack something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Orphans {
    /// The items of the page.
    pub items: Vec<NamedItem>,
    /// What the graph found.
    pub found: topology::Orphans,
}
