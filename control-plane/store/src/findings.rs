//! Reading what the reconciler noted for a person: disappearances that it held, and items that may be one.
//!
//! Both are findings, not facts: nothing acts on them. A finding that time has settled, by a later look or because one
//! of its items was retired, is not given any more, although its row stays.

use crate::items::ReadError;
use async_trait::async_trait;
use model::decision::{HeldRecord, Number};
use model::query::{Page, Paged};
use model::{AgentId, ItemId, ItemState, Name, SourceId, Timestamp};

/// A disappearance that was held because it would have taken too much of its scope.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldRetirement {
    /// The scope's number.
    pub number: Number,
    /// Who looked.
    pub source: SourceId,
    /// The scope that held much less than before.
    pub scope: Name,
    /// The agent that carries the scope.
    pub agent: AgentId,
    /// When it was held last.
    pub at: Timestamp,
    /// How many items would have gone.
    pub count: u64,
    /// Of how many.
    pub of: u64,
}

/// An item as a finding names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedItem {
    /// Its id.
    pub id: ItemId,
    /// Its class.
    pub class: Name,
    /// What a person calls it.
    pub title: String,
    /// Where it is in its life.
    pub state: ItemState,
}

/// Two items that may be one: too much evidence to ignore, too little to decide.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PossibleDuplicate {
    /// The newer item.
    pub item: NamedItem,
    /// The older item.
    pub other: NamedItem,
    /// How much speaks for it, in bits.
    pub bits: i32,
    /// When it was noted.
    pub at: Timestamp,
}

/// Questions about findings. All of them are answered from committed state.
#[async_trait]
pub trait Findings: Send + Sync {
    /// Disappearances that are held now, of all agents or of one, a page at a time.
    async fn held_retirements(
        &self,
        agent: Option<AgentId>,
        page: &Page,
    ) -> Result<Paged<HeldRetirement>, ReadError>;

    /// What is held of a scope now, with what would go; nothing when a later look settled it.
    async fn held(&self, scope: Number) -> Result<Option<HeldRecord>, ReadError>;

    /// Items that may be one, of all items, of one class, or with this one at either end, the newest item first, a
    /// page at a time.
    async fn possible_duplicates(
        &self,
        item: Option<ItemId>,
        class: Option<Name>,
        page: &Page,
    ) -> Result<Paged<PossibleDuplicate>, ReadError>;
}
