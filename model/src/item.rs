//! Configuration items as they are read: the winning values, who said them, and what they relate to.
//!
//! An item is a fold over the observations that identity gave it; nothing here is authoritative by itself.

use crate::{ItemId, Name, Revision, SourceId, Timestamp, Value};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Where an item is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ItemState {
    /// Seen in the last complete look at its scope.
    Active,
    /// Not seen in the last complete look.
    Missing,
    /// Missing for long.
    Stale,
    /// Gone; kept for its history.
    Retired,
    /// Found to be another item, to which its id leads.
    Merged,
}

impl ItemState {
    /// Every state, in the order of life.
    pub const ALL: [Self; 5] =
        [Self::Active, Self::Missing, Self::Stale, Self::Retired, Self::Merged];

    /// The name that the store and the APIs use.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Missing => "missing",
            Self::Stale => "stale",
            Self::Retired => "retired",
            Self::Merged => "merged",
        }
    }

    /// The state of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }
}

/// Who said a value, and when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Provenance {
    /// The collector and its target.
    pub source: SourceId,
    /// When this value was first observed.
    pub since: Timestamp,
    /// When a look last confirmed it.
    pub confirmed_at: Timestamp,
    /// How much the source is believed for this attribute, from 0 to 100.
    pub confidence: u8,
}

/// One source's value of an attribute.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SourceValue {
    /// The value.
    pub value: Value,
    /// Who said it.
    pub provenance: Provenance,
}

/// A configuration item.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Item {
    /// Its id.
    pub id: ItemId,
    /// Its class.
    pub class: Name,
    /// What a person calls it.
    pub title: String,
    /// The item that it is a part of.
    pub parent: Option<ItemId>,
    /// Where it is in its life.
    pub state: ItemState,
    /// When it was first observed.
    pub first_seen: Timestamp,
    /// When it was last observed.
    pub last_seen: Timestamp,
    /// The change set that last changed it.
    pub revision: Revision,
    /// Attributes: the winning value first, the values of other sources behind it.
    pub attributes: BTreeMap<Name, Vec<SourceValue>>,
}

impl Item {
    /// The winning value of an attribute.
    #[must_use]
    pub fn value(&self, attribute: &str) -> Option<&Value> {
        self.attributes.get(attribute)?.first().map(|winner| &winner.value)
    }
}

/// A relationship as it is read from one of its ends.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RelatedItem {
    /// The relationship's name.
    pub verb: Name,
    /// Whether the item asked about is the relationship's first end.
    pub outgoing: bool,
    /// The item at the other end.
    pub item: ItemId,
    /// Its class.
    pub class: Name,
    /// Its title.
    pub title: String,
    /// Its state.
    pub state: ItemState,
    /// Who said it; for a derived relationship, the rule.
    pub source: SourceId,
    /// When it was first observed.
    pub since: Timestamp,
    /// What supports it, in words (for a derived relationship: the socket and the listener).
    pub evidence: String,
}
