//! Reading what people decided about identity, and the rules by which it is decided.
//!
//! Deliberately not here: deciding (`reconcile`), and writing it (`observed`), which goes with every other decision.

use crate::findings::NamedItem;
use crate::items::ReadError;
use async_trait::async_trait;
use model::decision::{LockRecord, Number, RulesRecord, WishRecord};
use model::fold::{Reason, Standing};
use model::policy::Strategy;
use model::{ItemId, Name, Timestamp};

/// Why the winning value of an attribute wins.
#[derive(Clone, Debug, PartialEq)]
pub struct Why {
    /// Which rule made the winner.
    pub reason: Reason,
    /// The strategy of the attribute's policy.
    pub strategy: Strategy,
    /// The version of all policies.
    pub policies: String,
    /// The words of the sources, the best first.
    pub words: Vec<Standing>,
    /// When time alone may make another value win.
    pub turns_at: Option<Timestamp>,
}

/// Questions about identity. All of them are answered from committed state.
#[async_trait]
pub trait Identity: Send + Sync {
    /// What people said about sightings, by action.
    async fn wishes(&self) -> Result<Vec<WishRecord>, ReadError>;

    /// The versions of the rules, the latest first. None as long as the built-in rules decide.
    async fn rules(&self, limit: u32) -> Result<Vec<RulesRecord>, ReadError>;

    /// The values of an item that people fixed and that hold; nothing when there is no such item.
    async fn locks(&self, id: ItemId) -> Result<Option<Vec<LockRecord>>, ReadError>;

    /// Why the winning value of an attribute of an item wins; nothing when nobody looked at it.
    async fn why(&self, id: ItemId, attribute: Name) -> Result<Option<Why>, ReadError>;

    /// Items by number, in that order; a number without an item is left out.
    async fn named(&self, numbers: &[Number]) -> Result<Vec<(Number, NamedItem)>, ReadError>;
}
