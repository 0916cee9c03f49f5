//! History as a whole: what differs between two moments, the moments at which an item changed, what surrounded it,
//! and how far history reaches back.
//!
//! Invariants: a moment means when something was observed, never when it arrived; a question about a moment before
//! the horizon is refused, never answered from what is left. Which item an observation belongs to is what is known
//! today: the past is read with the identity decisions of the present.
//!
//! Deliberately not here: one item, list or set of relationships at a moment, which [`crate::items::Items`] answers
//! as it does for now.

use crate::findings::NamedItem;
use crate::items::ReadError;
use async_trait::async_trait;
use model::query::{At, Filter, Page, Paged};
use model::{ItemId, ItemState, Name, Timestamp, Value};

/// The two moments that are compared. What was observed at `to` itself counts, what was at `from` does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Between {
    /// The earlier moment.
    pub from: Timestamp,
    /// The later moment.
    pub to: Timestamp,
}

/// How an item differs between two moments.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum DifferenceKind {
    /// It was not there yet, and is.
    Created,
    /// It was retired, and is there again.
    Returned,
    /// It was there, and is retired.
    Retired,
    /// It was there and is, with other values, relationships, or in another state.
    Changed,
}

impl DifferenceKind {
    /// All kinds.
    pub const ALL: [Self; 4] = [Self::Created, Self::Returned, Self::Retired, Self::Changed];

    /// The name that the APIs use.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Returned => "returned",
            Self::Retired => "retired",
            Self::Changed => "changed",
        }
    }

    /// The kind of a name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// An attribute whose winning value differs.
#[derive(Clone, Debug, PartialEq)]
pub struct AttributeDifference {
    /// The attribute.
    pub name: Name,
    /// What was; `None` when nobody had looked.
    pub before: Option<Value>,
    /// What is; `None` when nobody says it any longer.
    pub after: Option<Value>,
}

/// A relationship that holds at one of the two moments only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RelationDifference {
    /// The relationship's name.
    pub verb: Name,
    /// Whether the item is its first end.
    pub outgoing: bool,
    /// The other end.
    pub item: ItemId,
    /// Its class.
    pub class: Name,
    /// Its title today.
    pub title: String,
    /// Whether it began; else it ended.
    pub has_begun: bool,
}

/// What differs of one item.
#[derive(Clone, Debug, PartialEq)]
pub struct ItemDifference {
    /// The item.
    pub id: ItemId,
    /// Its class.
    pub class: Name,
    /// Its title at the later moment.
    pub title: String,
    /// How it differs.
    pub kind: DifferenceKind,
    /// Its state at the earlier moment; `None` when it was not there yet.
    pub state_before: Option<ItemState>,
    /// Its state at the later moment.
    pub state_after: ItemState,
    /// Attributes whose winning value differs, by name; none of a created item, which is read whole.
    pub attributes: Vec<AttributeDifference>,
    /// Relationships that differ, the first [`RELATIONS_SHOWN_MAX`] of them.
    pub relations: Vec<RelationDifference>,
    /// How many began, exactly.
    pub relations_begun: u64,
    /// How many ended, exactly.
    pub relations_ended: u64,
}

/// Relationships that one entry of a difference shows; all of them are counted.
pub const RELATIONS_SHOWN_MAX: usize = 100;

/// How much differs, exactly.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DifferenceCounts {
    /// Items that were not there yet.
    pub created: u64,
    /// Items that were retired and are there again.
    pub returned: u64,
    /// Items that were there and are retired.
    pub retired: u64,
    /// Items with other values, relationships or another state.
    pub changed: u64,
    /// Attributes with another winning value.
    pub attributes: u64,
    /// Relationships that began.
    pub relations_begun: u64,
    /// Relationships that ended.
    pub relations_ended: u64,
}

impl DifferenceCounts {
    /// Counts one more item.
    pub fn add(&mut self, difference: &ItemDifference) {
        let one = match difference.kind {
            DifferenceKind::Created => &mut self.created,
            DifferenceKind::Returned => &mut self.returned,
            DifferenceKind::Retired => &mut self.retired,
            DifferenceKind::Changed => &mut self.changed,
        };
        *one = one.saturating_add(1);
        let attributes = u64::try_from(difference.attributes.len()).unwrap_or(u64::MAX);
        self.attributes = self.attributes.saturating_add(attributes);
        self.relations_begun = self.relations_begun.saturating_add(difference.relations_begun);
        self.relations_ended = self.relations_ended.saturating_add(difference.relations_ended);
    }
}

/// Which differences are asked for.
#[derive(Clone, Debug, PartialEq)]
pub struct DifferenceFilter {
    /// Between which moments.
    pub between: Between,
    /// Of items that match at one of the two moments; without a state, of any.
    pub items: Filter,
    /// Only of these kinds; empty: of any.
    pub kinds: Vec<DifferenceKind>,
}

/// The moments at which an item changed, as seen from one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Moments {
    /// The last one before it.
    pub previous: Option<Timestamp>,
    /// The first one after it.
    pub next: Option<Timestamp>,
    /// The first one that is kept.
    pub first: Option<Timestamp>,
    /// The last one.
    pub last: Option<Timestamp>,
}

/// Which surroundings of an item are asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Around {
    /// The item in the middle.
    pub id: ItemId,
    /// Along these relationships; empty: along all.
    pub verbs: Vec<Name>,
    /// Over so many relationships.
    pub depth: u32,
    /// So many items are listed at most; all are counted.
    pub items: usize,
    /// More than this many neighbors of one class by one relationship of an item are one bundle.
    pub fold: usize,
    /// At which moment.
    pub at: At,
}

/// A relationship between two items of a neighborhood.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct NeighborRelation {
    /// The first end.
    pub from: ItemId,
    /// The relationship's name.
    pub verb: Name,
    /// The second end.
    pub to: ItemId,
}

/// Neighbors of one item that are counted instead of being listed, and not gone through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NeighborBundle {
    /// The item whose neighbors they are.
    pub id: ItemId,
    /// The relationship's name.
    pub verb: Name,
    /// Whether the item is the first end.
    pub outgoing: bool,
    /// The class of the neighbors.
    pub class: Name,
    /// How many they are, exactly.
    pub count: usize,
    /// How many of them were not active.
    pub troubled_count: usize,
}

/// What surrounded an item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Neighborhood {
    /// The item in the middle, as it was.
    pub middle: NamedItem,
    /// The listed items as they were, nearest first, with the number of relationships that lie between.
    pub items: Vec<(NamedItem, u32)>,
    /// How many there are in all without those in bundles.
    pub count: usize,
    /// The bundles of the middle and of the listed items.
    pub bundles: Vec<NeighborBundle>,
    /// The relationships between the middle and the listed items.
    pub relations: Vec<NeighborRelation>,
}

/// What one step of forgetting took out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Forgotten {
    /// Lines of history.
    pub changes: u64,
    /// Earlier versions of observations.
    pub versions: u64,
    /// Relationships that had ended.
    pub relations: u64,
    /// Whether nothing is left to take out.
    pub is_done: bool,
}

/// Questions about history, and its end.
#[async_trait]
pub trait History: Send + Sync {
    /// From when on history is kept; `None` while all of it is.
    async fn kept_since(&self) -> Result<Option<Timestamp>, ReadError>;

    /// What differs of one item, its relationships in both directions; `None` when nothing does. `Err` of no item is
    /// no error: an unknown id differs in nothing.
    async fn item_difference(
        &self,
        id: ItemId,
        between: Between,
    ) -> Result<Option<ItemDifference>, ReadError>;

    /// What differs of the items that match, a page at a time. Relationships are listed with their first end only.
    async fn differences(
        &self,
        filter: &DifferenceFilter,
        page: &Page,
    ) -> Result<Paged<ItemDifference>, ReadError>;

    /// How much differs of the items that match, exactly.
    async fn difference_counts(
        &self,
        filter: &DifferenceFilter,
    ) -> Result<DifferenceCounts, ReadError>;

    /// The moments around `at` at which an item, or one of its parts, changed.
    async fn moments(
        &self,
        id: ItemId,
        with_parts: bool,
        at: At,
    ) -> Result<Option<Moments>, ReadError>;

    /// What surrounds an item; `None` when it was not there.
    async fn neighborhood(&self, around: &Around) -> Result<Option<Neighborhood>, ReadError>;

    /// Whether anything happened before this moment, so that something may have to be taken out.
    async fn is_older(&self, before: Timestamp) -> Result<bool, ReadError>;

    /// Takes out a little of what no question from `before` on needs: one small transaction. The horizon moves first,
    /// so that nothing is answered from half of what was.
    async fn forget(&self, before: Timestamp) -> Result<Forgotten, ReadError>;
}
