//! The vocabulary of the product: classes, items, observations, relationships, identity keys, runs and change sets.
//!
//! Everything here is plain data and pure functions over it. The crate does no IO, reads no clock and draws no
//! random number; `Cargo.toml` is the proof. It knows neither the wire (`proto`) nor the store.
//!
//! To add a class of configuration items, declare it in the right file under `classes/`: validation, storage,
//! the APIs, the console and the manual read the declaration at run time.

pub mod catalog;
pub mod change;
pub mod classes;
pub mod custom;
pub mod decision;
pub mod fold;
pub mod identity;
pub mod ids;
pub mod item;
pub mod observation;
pub mod policy;
pub mod problems;
pub mod query;
pub mod relationships;
pub mod run;
pub mod targets;
pub mod time;
pub mod value;

pub use catalog::{Attribute, AttributeDefinition, Catalog, ClassDefinition, Nature, Unit};
pub use change::{Change, ChangeKind, ChangeSet};
pub use identity::{IdentityKey, KeyType, Realm, Tier};
pub use ids::{AgentId, ItemId, Revision, RunId, TokenId, UserId};
pub use item::{Item, ItemState, Provenance, RelatedItem, SourceValue};
pub use observation::{Observation, ObservedRelation, RelationTarget};
pub use relationships::RelationshipDefinition;
pub use run::{Coverage, CoverageStatus, Scope, ScopeDigest, SourceId};
pub use time::Timestamp;
pub use value::{Kind, Value};

/// The name of a class, attribute or relationship: static for what the catalog declares, owned for what the
/// user or a newer agent declared.
pub type Name = std::borrow::Cow<'static, str>;
