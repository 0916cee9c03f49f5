//! What surrounded an item at a moment: a walk over relationships as they lie in the file.
//!
//! The present is answered from memory (`topology`), by the same rules: retired items are passed over, and many
//! neighbors of one class are one counted bundle that is not gone through. Here the past is read, so that the walk is
//! bounded by the number of items that it comes to.

use super::load::name;
use super::names::Names;
use super::policies::Book;
use super::relations::{Entry, entries};
use super::{assemble, history};
use crate::findings::NamedItem;
use crate::history::{Around, NeighborBundle, NeighborRelation, Neighborhood};
use crate::items::ReadError;
use model::decision::Number;
use model::{ItemId, ItemState};
use rusqlite::Connection;
use std::collections::{BTreeMap, BTreeSet, HashMap, hash_map};

type Result<T> = std::result::Result<T, ReadError>;

/// Items that one walk comes to: about a second.
const WALKED_MAX: usize = 20_000;

/// What surrounded an item; nothing when it was not there.
pub(super) fn neighborhood(
    connection: &Connection,
    terms: (&Names, &Book),
    around: &Around,
) -> Result<Option<Neighborhood>> {
    let (names, _) = terms;
    history::check(connection, around.at)?;
    let Some(number) = assemble::number_of(connection, around.id)? else { return Ok(None) };
    let Some(middle) = assemble::item(connection, terms, number, around.at)? else {
        return Ok(None);
    };
    let (id, class, title, state) = (middle.id, middle.class, middle.title, middle.state);
    let middle = NamedItem { id, class, title, state };
    let mut walk = Walk {
        connection,
        names,
        around,
        seen: HashMap::from([(number, id)]),
        listed: BTreeSet::from([number]),
        found: Neighborhood {
            middle,
            items: Vec::new(),
            count: 0,
            bundles: Vec::new(),
            relations: Vec::new(),
        },
    };
    let mut ring = vec![number];
    for depth in 1..=around.depth {
        ring = walk.step(&ring, depth)?;
    }
    walk.relate()?;
    Ok(Some(walk.found))
}

/// Neighbors of one item by name of the relationship, direction and class, each once.
type Fans = BTreeMap<(String, bool, u32), BTreeMap<Number, Entry>>;

struct Walk<'a> {
    connection: &'a Connection,
    names: &'a Names,
    around: &'a Around,
    seen: HashMap<Number, ItemId>,
    listed: BTreeSet<Number>,
    found: Neighborhood,
}

impl Walk<'_> {
    fn fans(&self, number: Number) -> Result<Fans> {
        let Around { verbs, at, .. } = self.around;
        let mut fans = Fans::new();
        for entry in entries(self.connection, self.names, number, verbs, *at)? {
            if entry.state != ItemState::Retired {
                let fan = (entry.verb.to_string(), entry.outgoing, entry.class);
                fans.entry(fan).or_default().insert(entry.other, entry);
            }
        }
        Ok(fans)
    }

    /// Goes one relationship further and gives the items that it comes to.
    fn step(&mut self, ring: &[Number], depth: u32) -> Result<Vec<Number>> {
        let mut next: BTreeMap<Number, Entry> = BTreeMap::new();
        for from in ring {
            for fan in self.fans(*from)?.into_values() {
                if fan.len() > self.around.fold {
                    if self.listed.contains(from) {
                        self.bundle(*from, &fan)?;
                    }
                    continue;
                }
                for (other, entry) in fan {
                    if let hash_map::Entry::Vacant(place) = self.seen.entry(other) {
                        place.insert(ItemId::from_bytes(entry.id));
                        next.insert(other, entry);
                    }
                }
                if self.seen.len() > WALKED_MAX {
                    return Err(ReadError::Invalid {
                        reason: format!(
                            "more than {WALKED_MAX} items lie around it; ask for less depth, for fewer relationships, or with a smaller fold"
                        ),
                    });
                }
            }
        }
        self.found.count = self.found.count.saturating_add(next.len());
        let ring = next.keys().copied().collect();
        for (number, entry) in next {
            if self.found.items.len() < self.around.items {
                self.listed.insert(number);
                let (id, class) = (ItemId::from_bytes(entry.id), name(self.names, entry.class)?);
                let item = NamedItem { id, class, title: entry.title, state: entry.state };
                self.found.items.push((item, depth));
            }
        }
        Ok(ring)
    }

    fn bundle(&mut self, from: Number, fan: &BTreeMap<Number, Entry>) -> Result<()> {
        let (Some(first), Some(id)) = (fan.values().next(), self.seen.get(&from)) else {
            return Ok(());
        };
        self.found.bundles.push(NeighborBundle {
            id: *id,
            verb: first.verb.clone(),
            outgoing: first.outgoing,
            class: name(self.names, first.class)?,
            count: fan.len(),
            troubled_count: fan.values().filter(|one| one.state != ItemState::Active).count(),
        });
        Ok(())
    }

    /// The relationships between the middle and the listed items, from their first ends.
    fn relate(&mut self) -> Result<()> {
        let mut relations = BTreeSet::new();
        for number in &self.listed {
            let Some(from) = self.seen.get(number).copied() else { continue };
            for fan in self.fans(*number)?.into_values() {
                for entry in fan.into_values().filter(|entry| entry.outgoing) {
                    if self.listed.contains(&entry.other) {
                        let to = ItemId::from_bytes(entry.id);
                        relations.insert(NeighborRelation { from, verb: entry.verb, to });
                    }
                }
            }
        }
        self.found.relations = relations.into_iter().collect();
        Ok(())
    }
}
