//! Changes: what one commit made different.
//!
//! A [`ChangeSet`] is the atomic result of reconciling a batch. A [`Change`] is one line of an item's history as a
//! person reads it.

use crate::{ItemId, Name, Revision, SourceId, Timestamp, Value};
use serde::{Deserialize, Serialize};

/// What happened to an item.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum ChangeKind {
    /// First seen.
    Created,
    /// A fact has another winning value.
    AttributeChanged {
        /// The attribute.
        attribute: Name,
        /// The value before; `None` when it had not been looked at.
        before: Option<Value>,
        /// The value now; `None` when nobody says it any longer.
        after: Option<Value>,
    },
    /// A relationship appeared.
    Related {
        /// The relationship's name.
        verb: Name,
        /// The other end.
        other: ItemId,
    },
    /// A relationship is gone.
    Unrelated {
        /// The relationship's name.
        verb: Name,
        /// The other end.
        other: ItemId,
    },
    /// Another item was found to be this one; its id leads here.
    Merged {
        /// The other one.
        other: ItemId,
    },
    /// Some of its sightings were found to be another item.
    Split {
        /// The other one.
        other: ItemId,
    },
    /// It moved to another state of life.
    StateChanged {
        /// The name of the state before.
        before: Name,
        /// The name of the state now.
        after: Name,
    },
}

impl ChangeKind {
    /// The name that the store and the APIs use.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::AttributeChanged { .. } => "attribute_changed",
            Self::Related { .. } => "related",
            Self::Unrelated { .. } => "unrelated",
            Self::Merged { .. } => "merged",
            Self::Split { .. } => "split",
            Self::StateChanged { .. } => "state_changed",
        }
    }
}

/// One line of history.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Change {
    /// The change set that it belongs to.
    pub revision: Revision,
    /// Its place in the change set.
    pub index: u32,
    /// The item.
    pub item: ItemId,
    /// The item's class.
    pub class: Name,
    /// The item's title at that time.
    pub title: String,
    /// When it was observed, by the source's clock.
    pub observed_at: Timestamp,
    /// When it was committed, by the control plane's clock.
    pub recorded_at: Timestamp,
    /// Who said it.
    pub source: SourceId,
    /// What happened.
    pub what: ChangeKind,
}

/// The atomic result of reconciling a batch of observations.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ChangeSet {
    /// The lines of history that it writes.
    pub changes: Vec<Change>,
}
