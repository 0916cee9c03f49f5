//! The whole estate as a few hundred groups and the bundled links between them, for a map that stays readable.
//!
//! Invariants: every item that is not retired is in one group; the counts of groups and items are exact even when not
//! all groups are listed; a link counts every relationship between two listed groups.

mod connected;
mod keys;
mod links;

use crate::Graph;
use keys::{Keys, NOWHERE};
use model::decision::Number;
use model::{AgentId, Name};
use std::collections::HashMap;
use std::sync::Arc;

/// By what items are put together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum By {
    /// Their class.
    Class,
    /// The site from which they are seen; empty for what nobody sees.
    Site,
    /// A label of the agents that see them, given as its value for each agent; empty for those without.
    Label(Arc<HashMap<AgentId, String>>),
    /// What they are connected with, however far away: each set is named after the id of its oldest item, and what is
    /// connected with nothing is together under the empty name.
    Connectivity,
}

/// In which order groups are listed, and so which are left out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum GroupOrder {
    /// Those with most items first.
    #[default]
    Size,
    /// Those with most items that are not active first.
    Trouble,
}

/// How an estate is put into groups.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grouping {
    /// By what, outermost first.
    pub by: Vec<By>,
    /// Only what lies within the group of this path: the first keys have these values.
    pub within: Vec<String>,
    /// The relationships that become links; no name: all.
    pub verbs: Vec<Name>,
    /// The order of the groups.
    pub order: GroupOrder,
    /// How many groups are listed at most.
    pub groups: usize,
    /// How many links are listed at most.
    pub links: usize,
}

/// Items that have the same values of all keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// The values, outermost first.
    pub path: Vec<String>,
    /// How many items.
    pub count: u64,
    /// How many of them are active, missing, and stale.
    pub states: [u64; 3],
    /// Relationships between two of its items.
    pub inner_count: u64,
}

/// The relationships between two groups.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Link {
    /// Place of a group in the list. Where failure travels, this group suffers from the other.
    pub from: usize,
    /// Place of the other group.
    pub to: usize,
    /// How many relationships.
    pub count: u64,
    /// How many of them carry a failure of the second group to the first.
    pub dependencies_count: u64,
    /// How many of them have an end that is not active.
    pub troubled_count: u64,
}

/// An estate in groups.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Groups {
    /// The groups.
    pub groups: Vec<Group>,
    /// How many there are in all.
    pub groups_count: usize,
    /// How many items are in all groups, listed or not.
    pub items_count: u64,
    /// How many items are in listed groups.
    pub items_listed_count: u64,
    /// The links between listed groups, those of most relationships first.
    pub links: Vec<Link>,
    /// How many links there are between listed groups.
    pub links_count: usize,
    /// Relationships between listed groups, in links that are listed or not.
    pub relations_count: u64,
    /// Relationships from a listed group to an item that is in none.
    pub outside_count: u64,
}

/// How many items of a group are in each state.
#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    states: [u64; 3],
}

impl Tally {
    fn count(&self) -> u64 {
        self.states.iter().sum()
    }

    fn troubled(&self) -> u64 {
        self.states.iter().skip(1).sum()
    }
}

impl Graph {
    /// The whole estate in groups.
    #[must_use]
    pub fn groups(&self, grouping: &Grouping) -> Groups {
        let keys = Keys::of(self, grouping);
        let (mut group_of, tallies) = self.tallied(&keys);
        let mut order: Vec<(usize, Tally)> = tallies.into_iter().enumerate().collect();
        order.retain(|(_, tally)| tally.count() > 0);
        let groups_count = order.len();
        let items_count = order.iter().map(|(_, tally)| tally.count()).sum();
        let mut named: Vec<(Vec<String>, usize, Tally)> = shown(&mut order, grouping)
            .map(|(group, tally)| (keys.path(group), group, tally))
            .collect();
        named.sort_by(|(one, _, many), (other, _, few)| {
            rank(few, grouping.order).cmp(&rank(many, grouping.order)).then_with(|| one.cmp(other))
        });
        named.truncate(grouping.groups);
        let mut places = vec![NOWHERE; keys.groups_count()];
        for ((_, group, _), at) in named.iter().zip(0..) {
            if let Some(held) = places.get_mut(*group) {
                *held = at;
            }
        }
        for group in &mut group_of {
            *group = places.get(crate::place(*group)).copied().unwrap_or(NOWHERE);
        }
        let linked = links::count(self, &group_of, named.len(), &grouping.verbs);
        let groups: Vec<Group> = named
            .into_iter()
            .zip(&linked.inner)
            .map(|((path, _, tally), inner)| Group {
                path,
                count: tally.count(),
                states: tally.states,
                inner_count: *inner,
            })
            .collect();
        let mut answer = Groups {
            items_listed_count: groups.iter().map(|group| group.count).sum(),
            groups,
            groups_count,
            items_count,
            links_count: linked.links.len(),
            relations_count: linked.links.iter().map(|link| link.count).sum(),
            outside_count: linked.outside,
            links: linked.links,
        };
        answer.links.truncate(grouping.links);
        answer
    }

    /// The group of each item, and how many of each state are in each group.
    fn tallied(&self, keys: &Keys<'_>) -> (Vec<u32>, Vec<Tally>) {
        let mut tallies = vec![Tally::default(); keys.groups_count()];
        let group_of = (0..self.numbers_end()).map(|item: Number| {
            let group = keys.group(item);
            let tally = tallies.get_mut(crate::place(group));
            let state = self.live_state(item);
            let count = tally.zip(state).and_then(|(tally, state)| tally.states.get_mut(state));
            let Some(count) = count else { return NOWHERE };
            *count = count.saturating_add(1);
            group
        });
        let group_of = group_of.collect();
        (group_of, tallies)
    }
}

const fn rank_by(order: GroupOrder, count: u64, troubled: u64) -> (u64, u64) {
    match order {
        GroupOrder::Size => (count, troubled),
        GroupOrder::Trouble => (troubled, count),
    }
}

fn rank(tally: &Tally, order: GroupOrder) -> (u64, u64) {
    rank_by(order, tally.count(), tally.troubled())
}

/// The groups that can be among the listed ones: naming a million sets of connected items would be for nothing.
fn shown(
    order: &mut Vec<(usize, Tally)>,
    grouping: &Grouping,
) -> impl Iterator<Item = (usize, Tally)> {
    order.sort_by_key(|(_, tally)| std::cmp::Reverse(rank(tally, grouping.order)));
    let least = order
        .get(grouping.groups.saturating_sub(1))
        .map_or((0, 0), |(_, tally)| rank(tally, grouping.order));
    // Those that are as great as the last one are named too: the name decides between them.
    order.drain(..).take_while(move |(_, tally)| rank(tally, grouping.order) >= least)
}
