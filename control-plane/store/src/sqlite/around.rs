//! What surrounded an item at a moment: a walk over relationships as they lie in the file.
//!
//! The present is answered from memory (`topology`); the past is read. Bounded by depth, by the number of items, and
//! by counting relationships of one kind instead of following them where one item has many.

use super::load::name;
use super::names::Names;
use super::relations::{Entry, entries};
use super::{assemble, history};
use crate::history::{Around, Collapsed, Neighbor, NeighborRelation, Neighborhood};
use crate::items::ReadError;
use model::ItemId;
use model::decision::Number;
use rusqlite::Connection;
use std::collections::{BTreeMap, BTreeSet, HashSet};

type Result<T> = std::result::Result<T, ReadError>;

/// Relationships of an item with one name and direction that are followed; more are counted.
const FOLLOWED_MAX: usize = 50;

/// Relationships that may lie between the middle and an item.
const DEPTH_MAX: u32 = 8;

/// Items of a neighborhood; more is no picture any longer.
const SIZE_MAX: usize = 1_000;

/// What surrounded an item; nothing when it was not there.
pub(super) fn neighborhood(
    connection: &Connection,
    names: &Names,
    around: &Around,
) -> Result<Option<Neighborhood>> {
    history::check(connection, around.at)?;
    if around.depth > DEPTH_MAX || around.size == 0 || around.size > SIZE_MAX {
        return Err(ReadError::Invalid {
            reason: format!(
                "a neighborhood has a depth of up to {DEPTH_MAX} and from 1 to {SIZE_MAX} items"
            ),
        });
    }
    let Some(number) = assemble::number_of(connection, around.id)? else { return Ok(None) };
    let Some(middle) = assemble::item(connection, names, number, around.at)? else {
        return Ok(None);
    };
    let mut walk = Walk {
        connection,
        names,
        around,
        found: Neighborhood::default(),
        seen: HashSet::new(),
        relations: BTreeSet::new(),
    };
    walk.seen.insert(number);
    let (id, class, title, state) = (middle.id, middle.class, middle.title, middle.state);
    walk.found.items.push(Neighbor { id, class, title, state, distance: 0 });
    let mut front = vec![(number, id)];
    for distance in 1..=around.depth {
        let mut next = Vec::new();
        for (number, id) in front {
            walk.follow(number, id, distance, &mut next)?;
        }
        front = next;
    }
    // What lies at the rim is related among itself too.
    for (number, id) in front {
        walk.close(number, id)?;
    }
    walk.found.relations = walk.relations.into_iter().collect();
    Ok(Some(walk.found))
}

struct Walk<'a> {
    connection: &'a Connection,
    names: &'a Names,
    around: &'a Around,
    found: Neighborhood,
    seen: HashSet<Number>,
    relations: BTreeSet<NeighborRelation>,
}

impl Walk<'_> {
    /// The relationships of an item by name and direction, each other end once.
    fn groups(&self, number: Number) -> Result<Vec<Vec<Entry>>> {
        let Around { verbs, at, .. } = self.around;
        let mut groups: BTreeMap<(String, bool), BTreeMap<(String, Number), Entry>> =
            BTreeMap::new();
        for entry in entries(self.connection, self.names, number, verbs, *at)? {
            let group = groups.entry((entry.verb.to_string(), !entry.outgoing)).or_default();
            group.insert((entry.title.clone(), entry.other), entry);
        }
        Ok(groups.into_values().map(|group| group.into_values().collect()).collect())
    }

    fn follow(
        &mut self,
        number: Number,
        id: ItemId,
        distance: u32,
        next: &mut Vec<(Number, ItemId)>,
    ) -> Result<()> {
        for group in self.groups(number)? {
            if group.len() > FOLLOWED_MAX {
                self.collapse(id, &group);
                continue;
            }
            for entry in group {
                let other = ItemId::from_bytes(entry.id);
                if !self.seen.contains(&entry.other) {
                    if self.found.items.len() >= self.around.size {
                        self.found.is_cut = true;
                        continue;
                    }
                    self.seen.insert(entry.other);
                    self.found.items.push(Neighbor {
                        id: other,
                        class: name(self.names, entry.class)?,
                        title: entry.title.clone(),
                        state: entry.state,
                        distance,
                    });
                    next.push((entry.other, other));
                }
                self.relate(id, &entry);
            }
        }
        Ok(())
    }

    fn close(&mut self, number: Number, id: ItemId) -> Result<()> {
        for group in self.groups(number)? {
            for entry in group {
                if self.seen.contains(&entry.other) {
                    self.relate(id, &entry);
                }
            }
        }
        Ok(())
    }

    fn relate(&mut self, id: ItemId, entry: &Entry) {
        let other = ItemId::from_bytes(entry.id);
        let (from, to) = if entry.outgoing { (id, other) } else { (other, id) };
        self.relations.insert(NeighborRelation { from, verb: entry.verb.clone(), to });
    }

    fn collapse(&mut self, id: ItemId, group: &[Entry]) {
        let Some(first) = group.first() else { return };
        self.found.collapsed.push(Collapsed {
            id,
            verb: first.verb.clone(),
            outgoing: first.outgoing,
            count: u64::try_from(group.len()).unwrap_or(u64::MAX),
        });
    }
}
