//! Questions about items: filters, paging and time, as every API asks them.
//!
//! Only the form of a question stands here; the store answers it.

use crate::{ItemId, ItemState, Name, Revision, Timestamp, Value};
use serde::{Deserialize, Serialize};

/// The largest page; a larger one is refused, not cut.
pub const PAGE_SIZE_MAX: u32 = 500;

/// The most conditions that one filter may have.
pub const CONDITIONS_MAX: usize = 32;

/// Which moment is asked about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum At {
    /// What is true now.
    #[default]
    Now,
    /// What was true then.
    Time(Timestamp),
}

/// How an attribute is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Comparison {
    /// The same value.
    Equal,
    /// Another value, or none.
    NotEqual,
    /// Less than.
    Less,
    /// Less than or equal.
    LessOrEqual,
    /// Greater than.
    Greater,
    /// Greater than or equal.
    GreaterOrEqual,
    /// The text contains it, whatever the case.
    Contains,
}

/// A condition on one attribute.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Condition {
    /// The attribute.
    pub attribute: Name,
    /// How it is compared.
    pub comparison: Comparison,
    /// With what.
    pub value: Value,
}

/// Which items are asked for. All parts must hold.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Filter {
    /// Of one of these classes; empty: of any.
    pub classes: Vec<Name>,
    /// In one of these states; empty: in any but *retired*.
    pub states: Vec<ItemState>,
    /// A part of this item.
    pub parent: Option<ItemId>,
    /// Words that the title or an indexed text has; every word must match, by prefix.
    pub text: Option<String>,
    /// Conditions on attributes.
    pub conditions: Vec<Condition>,
}

/// What the answer is ordered by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// By title, then id.
    #[default]
    Title,
    /// By the time of the last change, newest first.
    Changed,
    /// By class, then title.
    Class,
}

/// Which part of a long answer is asked for. Paging is by key: it neither skips nor repeats when items come and go.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Page {
    /// How many at most; from 1 to [`PAGE_SIZE_MAX`].
    pub size: u32,
    /// The cursor that an earlier answer gave; opaque to everyone but the store.
    pub after: Option<String>,
}

/// A part of a long answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Paged<T> {
    /// The entries with their cursors.
    pub entries: Vec<(String, T)>,
    /// Whether more follow.
    pub has_more: bool,
}

/// Which changes are asked for, newest first.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ChangeFilter {
    /// Of this item and, when `with_parts` is set, of its parts.
    pub item: Option<ItemId>,
    /// With the parts of the item.
    pub with_parts: bool,
    /// Of these classes; empty: of any.
    pub classes: Vec<Name>,
    /// Observed at or after this moment.
    pub since: Option<Timestamp>,
    /// Committed after this revision.
    pub after_revision: Option<Revision>,
}
