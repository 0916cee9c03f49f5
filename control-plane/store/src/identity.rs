//! Reading what people decided about identity, and the rules by which it is decided.
//!
//! Deliberately not here: deciding (`reconcile`), and writing it (`observed`), which goes with every other decision.

use crate::findings::NamedItem;
use crate::items::ReadError;
use async_trait::async_trait;
use model::ItemId;
use model::decision::{LockRecord, Number, RulesRecord, WishRecord};

/// Questions about identity. All of them are answered from committed state.
#[async_trait]
pub trait Identity: Send + Sync {
    /// What people said about sightings, by action.
    async fn wishes(&self) -> Result<Vec<WishRecord>, ReadError>;

    /// The versions of the rules, the latest first. None as long as the built-in rules decide.
    async fn rules(&self, limit: u32) -> Result<Vec<RulesRecord>, ReadError>;

    /// The values of an item that people fixed and that hold; nothing when there is no such item.
    async fn locks(&self, id: ItemId) -> Result<Option<Vec<LockRecord>>, ReadError>;

    /// Items by number, in that order; a number without an item is left out.
    async fn named(&self, numbers: &[Number]) -> Result<Vec<(Number, NamedItem)>, ReadError>;
}
