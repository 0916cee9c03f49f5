//! Writing what was observed, and reading back what reconciliation needs.
//!
//! The write takes one value, [`Decision`], in one transaction: observations with their history, items,
//! relationships, changes and the committed sequences of the spool. Nothing else writes observed facts.
//!
//! Deliberately not here: how it is decided (`reconcile`).

use crate::database::DatabaseError;
use crate::items::{Items, ReadError};
use async_trait::async_trait;
use model::decision::{
    AbsorbedRecord, CommittedRecord, Decision, EndpointRecord, JudgedRecord, LockRecord, Number,
    ObservationRecord, PossibleRecord, RelationRecord, RulesRecord, ScopeRecord, SourceRecord,
    WaitingRecord, WishRecord,
};
use model::{ItemId, ItemState, KeyType, Name, Revision, Timestamp};
use std::sync::Arc;

/// Why a decision was not written, or what is known cannot be loaded.
#[derive(Debug, Clone, thiserror::Error)]
pub enum CommitError {
    /// The database did not do it; nothing was written.
    #[error("the decision was not stored")]
    Database(#[from] DatabaseError),
    /// What is stored cannot be understood.
    #[error("`{what}` is stored in a form that this build cannot read")]
    Corrupt {
        /// Which record.
        what: String,
    },
}

impl From<rusqlite::Error> for CommitError {
    fn from(source: rusqlite::Error) -> Self {
        Self::Database(DatabaseError::statement(source))
    }
}

impl From<CommitError> for ReadError {
    fn from(source: CommitError) -> Self {
        Self::Unavailable { source: Box::new(source) }
    }
}

impl From<DatabaseError> for ReadError {
    fn from(source: DatabaseError) -> Self {
        Self::Unavailable { source: Box::new(source) }
    }
}

impl From<rusqlite::Error> for ReadError {
    fn from(source: rusqlite::Error) -> Self {
        Self::Unavailable { source: Box::new(source) }
    }
}

/// What is kept in memory of an item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownItem {
    /// Its number.
    pub number: Number,
    /// Its id.
    pub id: ItemId,
    /// Its class.
    pub class: Name,
    /// The item that it is a part of.
    pub parent: Number,
    /// Hash of what tells it apart within its parent.
    pub local: u64,
    /// Where it is in its life.
    pub state: ItemState,
    /// Since when.
    pub state_since: Timestamp,
}

/// What is kept in memory of an observation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KnownObservation {
    /// Its number.
    pub number: Number,
    /// Hash of source and native key.
    pub native: u64,
    /// Its scope.
    pub scope: Number,
    /// The item that it belongs to.
    pub item: Number,
    /// Hash of its content.
    pub content: u128,
    /// Whether it is there.
    pub is_present: bool,
}

/// What is kept in memory of an identity key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KnownKey {
    /// Hash of the key.
    pub hash: u64,
    /// Its type.
    pub key_type: KeyType,
    /// The observation that carries it.
    pub observation: Number,
    /// Hash of the observation's source and native key.
    pub native: u64,
}

/// A relationship that is in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownRelation {
    /// The first end.
    pub from: Number,
    /// The relationship's name.
    pub verb: Name,
    /// The second end.
    pub to: Number,
    /// The observation that states it; 0 for a derived one.
    pub owner: Number,
}

/// Everything that reconciliation and topology keep in memory.
#[derive(Debug, Default)]
pub struct Snapshot {
    /// Sources.
    pub sources: Vec<SourceRecord>,
    /// Scopes.
    pub scopes: Vec<ScopeRecord>,
    /// Items, by number.
    pub items: Vec<KnownItem>,
    /// Observations, by number.
    pub observations: Vec<KnownObservation>,
    /// Identity keys.
    pub keys: Vec<KnownKey>,
    /// Relationships in force.
    pub relations: Vec<KnownRelation>,
    /// Statements that wait for their other end.
    pub waiting: Vec<WaitingRecord>,
    /// Connections and what they are bound to.
    pub endpoints: Vec<EndpointRecord>,
    /// Observations whose parent is unknown, and those of interfaces and listeners, whole.
    pub whole: Vec<ObservationRecord>,
    /// Spool positions.
    pub committed: Vec<CommittedRecord>,
    /// Items that were found to be other ones.
    pub absorbed: Vec<AbsorbedRecord>,
    /// What people decided, by action.
    pub wishes: Vec<WishRecord>,
    /// Items that a person should look at together.
    pub possible: Vec<PossibleRecord>,
    /// The latest rules of identity; none as long as the built-in ones decide.
    pub rules: Option<RulesRecord>,
    /// The rules before them.
    pub rules_before: Option<RulesRecord>,
    /// The item through which everything was folded again by the latest rules.
    pub refolded: Number,
    /// By what items were folded the last time.
    pub judged: Vec<JudgedRecord>,
    /// Values that people fixed and that hold.
    pub locks: Vec<LockRecord>,
    /// How many failures items outlive, as observations that are there state it: observation, item, failures.
    pub spares: Vec<(Number, Number, u32)>,
}

/// The store of items as the write path sees it.
#[async_trait]
pub trait ItemStore: Items {
    /// Writes a decision in one transaction and returns after it is durable, with the last revision of its changes.
    async fn apply(&self, decision: Arc<Decision>) -> Result<Revision, CommitError>;

    /// Everything that has to be known in memory.
    async fn load(&self) -> Result<Snapshot, CommitError>;

    /// The observations of an item as they were committed when the first question since [`ItemStore::decided`] was
    /// asked, or later; whole. Blocks its thread; for the thread that decides.
    fn observations_of(&self, item: Number) -> Result<Vec<ObservationRecord>, CommitError>;

    /// The relationships in force that lead to an item. Blocks its thread.
    fn relations_to(&self, item: Number) -> Result<Vec<RelationRecord>, CommitError>;

    /// The same of several items, beside the thread that decides and without blocking; as committed now.
    async fn observations_of_all(
        &self,
        items: &[Number],
    ) -> Result<Vec<(Number, Vec<ObservationRecord>)>, CommitError>;

    /// A decision was made: the next questions of the thread that decides are about what is committed then.
    fn decided(&self);

    /// The numbers of these items, for what speaks in ids; an unknown id has none.
    async fn numbers(&self, ids: &[ItemId]) -> Result<Vec<Option<Number>>, CommitError>;
}
