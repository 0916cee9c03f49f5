//! Walks along which failures travel: what suffers when items fail, and what an item needs.
//!
//! Invariants: breadth first, without a limit of depth unless one is asked for; what has others that stand in for what
//! failed is not reached before too few are left; a count is exact even when the list is cut; the order of an answer
//! follows from the graph alone.

use crate::Graph;
use crate::adjacency::Relation;
use crate::graph::{ANY_ONE, CARRIES, COUNTED, SUFFERS};
use crate::place;
use crate::scratch::{Scratch, Visit};
use model::Name;
use model::decision::Number;
use std::collections::HashMap;

/// Entries of a list behind which it is quicker to leap over those of one kind than to pass them.
const LEAP_MIN: usize = 32;

/// Lists that are looked up together.
const AT_ONCE: usize = 16;

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
    /// From where it was reached first.
    pub from: Number,
    /// How many relationships away.
    pub depth: u32,
}

/// What a walk reached.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reached {
    /// The items by distance and number, the start left out, at most as many as the limit says.
    pub steps: Vec<Step>,
    /// How many there are in all.
    pub count: usize,
    /// How many there are at each distance, from 1 on.
    pub rings: Vec<usize>,
    /// How many there are of each class, most first.
    pub classes: Vec<(Name, usize)>,
}

impl Reached {
    /// Whether the list is shorter than the count.
    #[must_use]
    pub const fn is_cut(&self) -> bool {
        self.steps.len() < self.count
    }
}

/// An item that lost some of those that stand in for each other, and goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Weakened {
    /// The item.
    pub item: Number,
    /// How many are left to it.
    pub left: u32,
    /// How many it needs.
    pub needed: u32,
}

/// What a failure does.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Impact {
    /// What suffers.
    pub reached: Reached,
    /// What goes on with less than before, at most as many as the limit says.
    pub weakened: Vec<Weakened>,
    /// How many of those there are in all.
    pub weakened_count: usize,
}

/// What an item needs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dependencies {
    /// What it needs, directly or through others.
    pub reached: Reached,
    /// For each listed item: whether its failure alone takes the item down for certain, nothing on the way standing in.
    pub is_certain: Vec<bool>,
    /// How many of all those are certain.
    pub certain_count: usize,
}

/// Members of an item that stand in for each other: how many are left, and how many it needs.
#[derive(Clone, Copy, Debug)]
struct Members {
    left: u32,
    needed: u32,
}

impl Graph {
    /// What suffers when these items fail together.
    #[must_use]
    pub fn impact(&self, failed: &[Number], limits: Limits) -> Impact {
        self.scratches.with(|scratch| {
            let mut members: HashMap<(Number, u32), Members> = HashMap::new();
            let ends = self.spread(scratch, (failed, CARRIES), limits, |item, relation| {
                self.is_tipped(&mut members, item, relation)
            });
            let mut weakened: Vec<Weakened> = members
                .into_iter()
                .filter(|((item, _), members)| {
                    members.left >= members.needed && !scratch.seen.contains(*item)
                })
                .map(|((item, _), Members { left, needed })| Weakened { item, left, needed })
                .collect();
            weakened.sort_unstable();
            // What lost members of two kinds is one item; it is told of the kind of which less is left.
            weakened.dedup_by_key(|weakened| weakened.item);
            let weakened_count = weakened.len();
            weakened.truncate(limits.items);
            Impact { reached: self.reached(scratch, &ends, limits.items), weakened, weakened_count }
        })
    }

    /// What an item needs.
    #[must_use]
    pub fn dependencies(&self, item: Number, limits: Limits) -> Dependencies {
        let certain = self.scratches.with(|scratch| {
            self.spread(scratch, (&[item], SUFFERS), limits, |end, relation| {
                self.is_alone(end, relation)
            });
            let mut certain: Vec<Number> =
                scratch.queue.iter().skip(1).map(|visit| visit.item()).collect();
            certain.sort_unstable();
            certain
        });
        self.scratches.with(|scratch| {
            let ends = self.spread(scratch, (&[item], SUFFERS), limits, |_, _| true);
            let reached = self.reached(scratch, &ends, limits.items);
            let is_certain =
                reached.steps.iter().map(|step| certain.binary_search(&step.item).is_ok());
            Dependencies { is_certain: is_certain.collect(), certain_count: certain.len(), reached }
        })
    }

    /// Goes breadth first along relations with this flag where `reaches` agrees; gives where each ring ends in the
    /// queue, that of the starts first. The items of a ring stand in the order of their numbers, each with the lowest
    /// number from which it was reached; of a last ring that lies at the limit, only those that will be listed.
    pub(crate) fn spread(
        &self,
        scratch: &mut Scratch,
        (starts, flag): (&[Number], u8),
        limits: Limits,
        mut reaches: impl FnMut(Number, Relation) -> bool,
    ) -> Vec<usize> {
        let Scratch { seen, queue, .. } = scratch;
        for start in starts {
            if seen.insert(*start) {
                queue.push(Visit::new(*start, 0));
            }
        }
        queue.sort_unstable();
        let mut ends = vec![queue.len()];
        let mut begin = 0_usize;
        while begin < queue.len() && place(limits.depth) >= ends.len() {
            let end = queue.len();
            for first in (begin..end).step_by(AT_ONCE) {
                let chunk = queue.get(first..end.min(first.saturating_add(AT_ONCE)));
                for (item, list) in self.lists(chunk.unwrap_or_default()) {
                    self.pass(list, flag, |relation| {
                        let other = relation.other();
                        if !seen.contains(other)
                            && !self.hidden.contains(other)
                            && reaches(item, relation)
                        {
                            seen.insert(other);
                            queue.push(Visit::new(other, item));
                        }
                    });
                }
            }
            let is_last = place(limits.depth) == ends.len();
            let listed = limits.items.saturating_sub(end.saturating_sub(starts.len()));
            sort(queue.get_mut(end..).unwrap_or_default(), is_last.then_some(listed));
            begin = end;
            ends.push(queue.len());
        }
        ends
    }

    /// The lists of some items, looked up together: the processor waits for all of them at once instead of for each.
    fn lists<'a>(
        &'a self,
        visits: &[Visit],
    ) -> impl Iterator<Item = (Number, &'a [Relation])> + use<'a> {
        let mut lists: [(Number, &[Relation]); AT_ONCE] = [(0, &[]); AT_ONCE];
        for (held, visit) in lists.iter_mut().zip(visits) {
            *held = (visit.item(), self.adjacency.list(visit.item()));
        }
        let ends = lists.iter().flat_map(|(_, list)| [list.first(), list.last()]);
        // Nothing is made of it; reading it is what brings the lists near.
        std::hint::black_box(ends.flatten().fold(0, |mixed, relation| mixed ^ relation.kind()));
        lists.into_iter().take(visits.len())
    }

    /// Goes through the relations of a list that have this flag.
    fn pass(&self, list: &[Relation], flag: u8, mut each: impl FnMut(Relation)) {
        let mut list = list;
        while let Some((relation, rest)) = list.split_first() {
            list = rest;
            if self.flags(*relation) & flag != 0 {
                each(*relation);
            } else if rest.len() > LEAP_MIN {
                let kind = relation.kind();
                let same = rest.partition_point(|other| other.kind() == kind);
                list = rest.get(same..).unwrap_or_default();
            }
        }
    }

    /// Whether the failure of `item` takes down the other end, by itself or as the last of those that could be lost.
    fn is_tipped(
        &self,
        members: &mut HashMap<(Number, u32), Members>,
        item: Number,
        relation: Relation,
    ) -> bool {
        let flags = self.flags(relation);
        let back = relation.reversed(item);
        let end = relation.other();
        if flags & COUNTED == 0 || (flags & ANY_ONE == 0 && self.spares.of(end).is_none()) {
            return true;
        }
        let held =
            members.entry((end, back.kind())).or_insert_with(|| self.members(end, back, flags));
        if self.is_active(item) {
            held.left = held.left.saturating_sub(1);
        }
        held.left < held.needed
    }

    /// Whether nothing stands in for the other end, when it fails.
    fn is_alone(&self, end: Number, relation: Relation) -> bool {
        let flags = self.flags(relation);
        if flags & COUNTED == 0 || (flags & ANY_ONE == 0 && self.spares.of(end).is_none()) {
            return true;
        }
        let members = self.members(end, relation, flags);
        let lost = u32::from(self.is_active(relation.other()));
        members.left.saturating_sub(lost) < members.needed
    }

    /// Those that stand in for each other at an item: as many are left as are active.
    fn members(&self, item: Number, relation: Relation, flags: u8) -> Members {
        let kind = relation.kind();
        let list = self.adjacency.list(item);
        let first = list.partition_point(|other| other.kind() < kind);
        let same = list.get(first..).unwrap_or_default().iter();
        let same = same.take_while(|other| other.kind() == kind).map(|other| other.other());
        let (mut all, mut left) = (0_u32, 0_u32);
        for member in same.filter(|member| !self.hidden.contains(*member)) {
            all = all.saturating_add(1);
            left = left.saturating_add(u32::from(self.is_active(member)));
        }
        let needed = match self.spares.of(item) {
            Some(spare) => all.saturating_sub(spare).max(1),
            None if flags & ANY_ONE != 0 => 1,
            None => all,
        };
        Members { left, needed }
    }

    /// What the queue of a walk holds, as an answer.
    pub(crate) fn reached(&self, scratch: &Scratch, ends: &[usize], items: usize) -> Reached {
        let starts = ends.first().copied().unwrap_or(0);
        let count = scratch.queue.len().saturating_sub(starts);
        let mut steps = Vec::with_capacity(items.min(count));
        let mut rings = Vec::with_capacity(ends.len());
        for (depth, ring) in ends.windows(2).enumerate() {
            let [begin, end] = ring else { break };
            if begin == end {
                break;
            }
            rings.push(end.saturating_sub(*begin));
            let depth = u32::try_from(depth).unwrap_or(u32::MAX).saturating_add(1);
            let listed = scratch.queue.get(*begin..*end).unwrap_or_default().iter();
            let left = items.saturating_sub(steps.len());
            steps.extend(listed.take(left).map(|visit| Step {
                item: visit.item(),
                from: visit.from(),
                depth,
            }));
        }
        let reached = scratch.queue.iter().skip(starts).map(|visit| visit.item());
        Reached { steps, count, rings, classes: self.by_class(reached) }
    }

    /// How many of these items there are of each class, most first.
    pub(crate) fn by_class(&self, items: impl Iterator<Item = Number>) -> Vec<(Name, usize)> {
        let mut counts = vec![0_usize; self.classes.count()];
        for item in items {
            let class = self.class_number(item).map_or(usize::MAX, place);
            if let Some(count) = counts.get_mut(class) {
                *count = count.saturating_add(1);
            }
        }
        let named = counts.into_iter().zip(0_u32..).filter(|(count, _)| *count > 0);
        let mut named: Vec<(Name, usize)> = named
            .filter_map(|(count, class)| Some((self.classes.text(class)?.clone(), count)))
            .collect();
        named.sort_by(|(one, many), (other, few)| few.cmp(many).then_with(|| one.cmp(other)));
        named
    }
}

/// Sorts a ring; of the last one, only as many as are listed have to be in order and in front.
fn sort(ring: &mut [Visit], listed: Option<usize>) {
    let mut ring = ring;
    if let Some(listed) = listed.filter(|listed| *listed < ring.len()) {
        let (in_front, _, _) = ring.select_nth_unstable(listed);
        ring = in_front;
    }
    ring.sort_unstable();
}
