//! Shortest ways between two items, from both ends at once.
//!
//! Invariants: all shortest ways are counted, as many as asked for are listed, in the order of the numbers on them; a
//! search looks at each item once at most from each end, and goes no farther than its limit of depth.

use crate::Graph;
use crate::adjacency::Relation;
use crate::place;
use crate::scratch::{Scratch, Visit};
use model::Name;
use model::decision::Number;
use std::collections::BTreeMap;

/// How long a way can be at most: distances are kept in 16 bits.
const DEPTH_MAX: u32 = 30_000;

/// One way: the items on it, both ends included.
pub type Route = Vec<Number>;

/// The shortest ways between two items.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Paths {
    /// How many relationships long they are; `None` when no way within the limit leads from one to the other.
    pub distance: Option<u32>,
    /// The ways, at most as many as asked for.
    pub routes: Vec<Route>,
    /// How many there are in all; `u64::MAX` stands for that many or more.
    pub count: u64,
}

/// Items on shortest ways, by distance from the first end, each with those behind it.
type Level = BTreeMap<Number, Vec<Number>>;

/// One end's part of the search.
#[derive(Debug)]
struct Front {
    side: usize,
    distance: u16,
    items: Vec<Number>,
}

impl Graph {
    /// The shortest ways between two items along relationships with these names, in whatever direction; no name: all.
    #[must_use]
    pub fn shortest_paths(
        &self,
        (one, other): (Number, Number),
        verbs: &[Name],
        depth: u32,
        routes: usize,
    ) -> Paths {
        if one == other {
            return Paths { distance: Some(0), routes: vec![vec![one]], count: 1 };
        }
        let kinds = self.kinds(verbs);
        let search = Search { graph: self, kinds: kinds.as_deref(), ends: [one, other] };
        self.scratches.with(|scratch| {
            scratch.measure(self.numbers_end());
            let meeting = search.meet(scratch, (one, other), depth.min(DEPTH_MAX));
            let Some((near, far, middle)) = meeting else { return Paths::default() };
            let levels = search.levels(scratch, middle, near, far);
            let distance = u32::from(near).saturating_add(u32::from(far));
            listed(&levels, one, distance, routes)
        })
    }

    /// The relationships between two items, as the first of them sees them.
    #[must_use]
    pub fn relations_between(&self, one: Number, other: Number) -> Vec<Relation> {
        // The shorter list is looked through: a hub has thousands of relationships, its neighbor a few.
        let (own, far) = (self.relations(one), self.relations(other));
        let mut found: Vec<Relation> = if own.len() <= far.len() {
            own.iter().filter(|relation| relation.other() == other).copied().collect()
        } else {
            let far = far.iter().filter(|relation| relation.other() == one);
            far.map(|relation| relation.reversed(other)).collect()
        };
        found.sort_unstable();
        found
    }
}

struct Search<'a> {
    graph: &'a Graph,
    kinds: Option<&'a [bool]>,
    /// Either may be retired; nothing else on a way is.
    ends: [Number; 2],
}

impl Search<'_> {
    fn neighbors(&self, item: Number) -> impl Iterator<Item = Number> + '_ {
        let is_followed = |relation: &&Relation| match self.kinds {
            None => true,
            Some(kinds) => kinds.get(place(relation.kind())).copied().unwrap_or(false),
        };
        self.graph
            .relations(item)
            .iter()
            .filter(is_followed)
            .map(|relation| relation.other())
            .filter(|other| !self.graph.hidden.contains(*other) || self.ends.contains(other))
    }

    /// Goes from both ends until they meet: the distances of the meeting items from either end, and these items.
    fn meet(
        &self,
        scratch: &mut Scratch,
        (one, other): (Number, Number),
        depth: u32,
    ) -> Option<(u16, u16, Vec<Number>)> {
        let mut fronts = [one, other].into_iter().enumerate().map(|(side, start)| {
            mark(scratch, side, start, 1);
            Front { side, distance: 0, items: vec![start] }
        });
        let (mut near, mut far) = (fronts.next()?, fronts.next()?);
        drop(fronts);
        while u32::from(near.distance).saturating_add(u32::from(far.distance)) < depth {
            if near.items.is_empty() || far.items.is_empty() {
                return None;
            }
            // The end with less to look at goes on: one hub can have more neighbors than a thousand other items.
            if self.work(&near) > self.work(&far) {
                std::mem::swap(&mut near, &mut far);
            }
            let met = self.advance(scratch, &mut near);
            if !met.is_empty() {
                let (from_one, from_other) = if near.side == 0 { (near, far) } else { (far, near) };
                return Some((from_one.distance, from_other.distance, met));
            }
        }
        None
    }

    fn work(&self, front: &Front) -> usize {
        front.items.iter().map(|item| self.graph.relations(*item).len()).sum()
    }

    /// Moves one end's front on by one relationship; gives the items at which it meets the other's.
    fn advance(&self, scratch: &mut Scratch, front: &mut Front) -> Vec<Number> {
        front.distance = front.distance.saturating_add(1);
        let seen_at = front.distance.saturating_add(1);
        let opposite = 1_usize.saturating_sub(front.side);
        let (mut next, mut met) = (Vec::new(), Vec::new());
        for item in std::mem::take(&mut front.items) {
            for neighbor in self.neighbors(item) {
                if distance(scratch, front.side, neighbor) != 0 {
                    continue;
                }
                mark(scratch, front.side, neighbor, seen_at);
                next.push(neighbor);
                if distance(scratch, opposite, neighbor) != 0 {
                    met.push(neighbor);
                }
            }
        }
        front.items = next;
        met
    }

    /// The items on shortest ways through these meeting items, which lie at these distances from the two ends.
    fn levels(
        &self,
        scratch: &Scratch,
        mut middle: Vec<Number>,
        near: u16,
        far: u16,
    ) -> Vec<Level> {
        // What the other end has met at a lesser distance was found in an earlier round, so all of them lie at `far`.
        middle.sort_unstable();
        let mut before: Vec<Level> = Vec::new();
        let mut items = middle.clone();
        for level in (0..near).rev() {
            let mut held = Level::new();
            for item in items {
                let nearer = self
                    .neighbors(item)
                    .filter(|neighbor| distance(scratch, 0, *neighbor) == level.saturating_add(1));
                for neighbor in nearer {
                    held.entry(neighbor).or_default().push(item);
                }
            }
            items = held.keys().copied().collect();
            before.push(held);
        }
        before.reverse();
        let mut items = middle;
        for level in (0..far).rev() {
            let mut held = Level::new();
            let mut next = Vec::new();
            for item in items {
                let nearer = self
                    .neighbors(item)
                    .filter(|neighbor| distance(scratch, 1, *neighbor) == level.saturating_add(1));
                let nearer: Vec<Number> = nearer.collect();
                next.extend_from_slice(&nearer);
                held.insert(item, nearer);
            }
            before.push(held);
            next.sort_unstable();
            next.dedup();
            items = next;
        }
        for held in before.iter_mut().flat_map(BTreeMap::values_mut) {
            // Two relationships between the same items are one step of one way.
            held.sort_unstable();
            held.dedup();
        }
        before
    }
}

fn mark(scratch: &mut Scratch, side: usize, item: Number, value: u16) {
    let held = scratch.distances.get_mut(side).and_then(|side| side.get_mut(place(item)));
    if let Some(held) = held {
        *held = value;
        // So that the scratch finds it when it is cleared.
        scratch.queue.push(Visit::new(item, 0));
    }
}

fn distance(scratch: &Scratch, side: usize, item: Number) -> u16 {
    let side = scratch.distances.get(side);
    side.and_then(|side| side.get(place(item))).copied().unwrap_or(0)
}

/// Counts the ways through these levels and lists the first of them.
fn listed(levels: &[Level], start: Number, distance: u32, routes_max: usize) -> Paths {
    let mut counts: BTreeMap<Number, u64> = BTreeMap::new();
    for level in levels.iter().rev() {
        counts = level
            .iter()
            .map(|(item, next)| {
                // Behind the last level stands the other end alone.
                let ways = next.iter().map(|next| counts.get(next).copied().unwrap_or(1));
                (*item, ways.fold(0, u64::saturating_add))
            })
            .collect();
    }
    let count = counts.get(&start).copied().unwrap_or(0);
    let mut routes = Vec::new();
    let mut route = vec![start];
    // For each item of the way so far but the last: which of those behind it comes next.
    let mut turns: Vec<usize> = vec![0];
    while routes.len() < routes_max {
        let level = route.len().saturating_sub(1);
        if level == levels.len() {
            routes.push(route.clone());
            turns.pop();
            route.pop();
            continue;
        }
        let Some((turn, item)) = turns.last_mut().zip(route.last()) else { break };
        let next = levels.get(level).and_then(|level| level.get(item)?.get(*turn));
        *turn = turn.saturating_add(1);
        if let Some(next) = next {
            route.push(*next);
            turns.push(0);
        } else {
            turns.pop();
            route.pop();
        }
    }
    Paths { distance: Some(distance), routes, count }
}
