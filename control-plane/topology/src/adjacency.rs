//! Which relationships each item has: one sorted list an item, packed into segments of some thousand items.
//!
//! Invariants: a list is sorted and holds each relationship once; a relationship lies in the lists of both of its
//! ends. A list that outgrows its room moves to the end of its segment, and a segment that is mostly holes is packed
//! again, so that no single change costs more than one segment.

use crate::place;
use model::decision::Number;

/// Items of a segment. Packing one again costs well under a millisecond at ten relationships an item.
const SEGMENT_ITEMS: usize = 1 << 13;

/// The room of a list that gets its first relationship.
const ROOM_MIN: u32 = 4;

/// Holes that are not worth packing a segment for.
const HOLES_MIN: usize = 1 << 12;

/// A relationship as its end sees it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Relation {
    /// Verb and direction.
    kind: u32,
    other: Number,
}

impl Relation {
    pub(crate) const fn new(verb: u32, is_outgoing: bool, other: Number) -> Self {
        Self { kind: (verb << 1) | (!is_outgoing as u32), other }
    }

    /// The item at the other end.
    #[must_use]
    pub const fn other(self) -> Number {
        self.other
    }

    /// Whether this end is the first one.
    #[must_use]
    pub const fn is_outgoing(self) -> bool {
        self.kind & 1 == 0
    }

    pub(crate) const fn kind(self) -> u32 {
        self.kind
    }

    pub(crate) const fn verb(self) -> u32 {
        self.kind >> 1
    }

    /// The same relationship as the other end sees it, when `number` is this end.
    pub(crate) const fn reversed(self, number: Number) -> Self {
        Self { kind: self.kind ^ 1, other: number }
    }
}

/// Where a list lies in its segment.
#[derive(Clone, Copy, Debug, Default)]
struct Place {
    start: u32,
    len: u32,
    room: u32,
}

#[derive(Clone, Debug, Default)]
struct Segment {
    places: Vec<Place>,
    entries: Vec<Relation>,
    /// Entries that no list has room in.
    holes: usize,
}

fn position(number: usize) -> u32 {
    // A segment of some thousand items never has four billion entries: each names another item of its list.
    u32::try_from(number).unwrap_or(u32::MAX)
}

impl Segment {
    fn list(&self, index: usize) -> &[Relation] {
        let Some(held) = self.places.get(index) else { return &[] };
        let start = place(held.start);
        self.entries.get(start..start.saturating_add(place(held.len))).unwrap_or_default()
    }

    fn insert(&mut self, index: usize, relation: Relation) -> bool {
        if self.places.len() <= index {
            self.places.resize(index.saturating_add(1), Place::default());
        }
        let Err(at) = self.list(index).binary_search(&relation) else { return false };
        self.make_room(index);
        let Some(held) = self.places.get_mut(index) else { return false };
        let (start, len) = (place(held.start), place(held.len));
        held.len = held.len.saturating_add(1);
        if let Some(list) = self.entries.get_mut(start..=start.saturating_add(len)) {
            list.copy_within(at..len, at.saturating_add(1));
            if let Some(slot) = list.get_mut(at) {
                *slot = relation;
            }
        }
        true
    }

    fn remove(&mut self, index: usize, relation: Relation) -> bool {
        let Ok(at) = self.list(index).binary_search(&relation) else { return false };
        let Some(held) = self.places.get_mut(index) else { return false };
        let (start, len) = (place(held.start), place(held.len));
        held.len = held.len.saturating_sub(1);
        if let Some(list) = self.entries.get_mut(start..start.saturating_add(len)) {
            list.copy_within(at.saturating_add(1).., at);
        }
        true
    }

    /// Makes room for one more entry of a list.
    fn make_room(&mut self, index: usize) {
        let Some(held) = self.places.get(index).copied() else { return };
        if held.len < held.room {
            return;
        }
        let (start, len) = (place(held.start), place(held.len));
        let room = held.room.saturating_mul(2).max(ROOM_MIN);
        let moved_to = self.entries.len();
        self.entries.reserve(place(room));
        self.entries.extend_from_within(start..start.saturating_add(len));
        self.entries.resize(moved_to.saturating_add(place(room)), Relation::default());
        self.holes = self.holes.saturating_add(place(held.room));
        if let Some(held) = self.places.get_mut(index) {
            held.start = position(moved_to);
            held.room = room;
        }
        if self.holes > HOLES_MIN && self.holes > self.entries.len() / 2 {
            self.pack();
        }
    }

    fn pack(&mut self) {
        let mut packed = Vec::with_capacity(self.entries.len().saturating_sub(self.holes));
        for held in &mut self.places {
            let start = place(held.start);
            held.start = position(packed.len());
            let room = start..start.saturating_add(place(held.room));
            packed.extend_from_slice(self.entries.get(room).unwrap_or_default());
        }
        self.entries = packed;
        self.holes = 0;
    }
}

/// The lists of all items.
#[derive(Clone, Debug, Default)]
pub(crate) struct Adjacency {
    segments: Vec<Segment>,
}

fn parts(number: Number) -> (usize, usize) {
    (place(number) / SEGMENT_ITEMS, place(number) % SEGMENT_ITEMS)
}

/// A stated relationship: first end, verb, second end.
pub(crate) type Stated = (Number, u32, Number);

impl Adjacency {
    /// The lists of items below `items`, made at once; `repeated` is told of each repetition of a relationship.
    pub(crate) fn of(items: usize, stated: &[Stated], mut repeated: impl FnMut(Stated)) -> Self {
        let mut degrees = vec![0_u32; items];
        for (from, _, to) in stated {
            for end in [from, to] {
                if let Some(degree) = degrees.get_mut(place(*end)) {
                    *degree = degree.saturating_add(1);
                }
            }
        }
        let mut adjacency = Self { segments: degrees.chunks(SEGMENT_ITEMS).map(roomy).collect() };
        drop(degrees);
        for (from, verb, to) in stated {
            adjacency.put(*from, Relation::new(*verb, true, *to));
            adjacency.put(*to, Relation::new(*verb, false, *from));
        }
        let mut number: Number = 0;
        for segment in &mut adjacency.segments {
            let Segment { places, entries, .. } = segment;
            for held in places {
                let start = place(held.start);
                let list = entries.get_mut(start..start.saturating_add(place(held.len)));
                let list = list.unwrap_or_default();
                list.sort_unstable();
                let distinct = distinct(list, |relation| {
                    if relation.is_outgoing() {
                        repeated((number, relation.verb(), relation.other));
                    }
                });
                held.len = position(distinct);
                number = number.saturating_add(1);
            }
        }
        adjacency
    }

    /// Adds to a list that has room, without looking whether it is there.
    fn put(&mut self, number: Number, relation: Relation) {
        let (segment, index) = parts(number);
        let Some(segment) = self.segments.get_mut(segment) else { return };
        let Some(held) = segment.places.get_mut(index) else { return };
        let at = place(held.start.saturating_add(held.len));
        if let Some(slot) = segment.entries.get_mut(at) {
            *slot = relation;
            held.len = held.len.saturating_add(1);
        }
    }

    /// The relationships of an item, sorted by verb, direction and other end.
    pub(crate) fn list(&self, number: Number) -> &[Relation] {
        let (segment, index) = parts(number);
        self.segments.get(segment).map_or(&[], |segment| segment.list(index))
    }

    /// Adds a relationship to both ends; tells whether it was not there.
    pub(crate) fn insert(&mut self, (from, verb, to): Stated) -> bool {
        let is_new = self.insert_at(from, Relation::new(verb, true, to));
        self.insert_at(to, Relation::new(verb, false, from));
        is_new
    }

    fn insert_at(&mut self, number: Number, relation: Relation) -> bool {
        let (segment, index) = parts(number);
        if self.segments.len() <= segment {
            self.segments.resize_with(segment.saturating_add(1), Segment::default);
        }
        self.segments.get_mut(segment).is_some_and(|segment| segment.insert(index, relation))
    }

    /// Takes a relationship from both ends; tells whether it was there.
    pub(crate) fn remove(&mut self, (from, verb, to): Stated) -> bool {
        let was_there = self.remove_at(from, Relation::new(verb, true, to));
        self.remove_at(to, Relation::new(verb, false, from));
        was_there
    }

    fn remove_at(&mut self, number: Number, relation: Relation) -> bool {
        let (segment, index) = parts(number);
        self.segments.get_mut(segment).is_some_and(|segment| segment.remove(index, relation))
    }

    pub(crate) fn contains(&self, (from, verb, to): Stated) -> bool {
        self.list(from).binary_search(&Relation::new(verb, true, to)).is_ok()
    }

    pub(crate) fn memory_bytes(&self) -> usize {
        let of =
            |segment: &Segment| {
                segment.places.capacity().saturating_mul(size_of::<Place>()).saturating_add(
                    segment.entries.capacity().saturating_mul(size_of::<Relation>()),
                )
            };
        self.segments.iter().map(of).sum()
    }
}

/// An empty segment with room for lists of these lengths.
fn roomy(degrees: &[u32]) -> Segment {
    let mut start = 0_u32;
    let places = degrees.iter().map(|degree| {
        let held = Place { start, len: 0, room: *degree };
        start = start.saturating_add(*degree);
        held
    });
    let places = places.collect();
    Segment { places, entries: vec![Relation::default(); place(start)], holes: 0 }
}

/// Moves the distinct entries of a sorted list to its front; gives how many they are.
fn distinct(list: &mut [Relation], mut repeated: impl FnMut(Relation)) -> usize {
    let mut kept = 0_usize;
    let mut last = None;
    for index in 0..list.len() {
        let Some(relation) = list.get(index).copied() else { break };
        if last == Some(relation) {
            repeated(relation);
            continue;
        }
        last = Some(relation);
        if let Some(slot) = list.get_mut(kept) {
            *slot = relation;
        }
        kept = kept.saturating_add(1);
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hub_that_grows_and_shrinks_keeps_its_list_sorted_and_its_segment_packed() {
        let mut adjacency = Adjacency::default();
        for other in (2..20_000).rev() {
            assert!(adjacency.insert((1, 3, other)));
            assert!(!adjacency.insert((1, 3, other)));
        }
        assert_eq!(adjacency.list(1).len(), 19_998);
        assert!(adjacency.list(1).is_sorted());
        assert!(adjacency.segments[0].entries.len() < 4 * (19_998 + 4 * SEGMENT_ITEMS));
        for other in 2..20_000 {
            assert!(adjacency.remove((1, 3, other)));
            assert!(!adjacency.remove((1, 3, other)));
            assert!(adjacency.list(other).is_empty());
        }
        assert!(adjacency.list(1).is_empty());
    }

    #[test]
    fn lists_made_at_once_are_those_that_were_added_one_by_one() {
        let stated = [(1, 0, 2), (2, 1, 1), (1, 0, 2), (3, 0, 3), (1, 0, 9_000), (1, 0, 2)];
        let mut repeated = Vec::new();
        let made = Adjacency::of(9_001, &stated, |one| repeated.push(one));
        let mut added = Adjacency::default();
        for one in stated {
            added.insert(one);
        }
        for number in 0..9_001 {
            assert_eq!(made.list(number), added.list(number), "{number}");
        }
        assert_eq!(repeated, [(1, 0, 2), (1, 0, 2)]);
    }
}
