//! Target sets, credentials with their sealed secrets, and which agent reads which target.
//!
//! Invariants: of a secret only its sealed bytes are stored; a credential and its secrets are written together; a
//! holder is written before the agent is told, so that a restart never gives a target to a second agent.
//!
//! Deliberately not here: sealing, validation, and who gets what (`targets` of the control plane).

mod sqlite;

pub(crate) use sqlite::SCHEMA;
pub use sqlite::SqliteTargets;

use crate::database::DatabaseError;
use async_trait::async_trait;
use model::targets::{CredentialSet, TargetSet};
use model::{AgentId, Timestamp};

/// A target set as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetRecord {
    /// What it says.
    pub set: TargetSet,
    /// When it was last changed.
    pub changed_at: Timestamp,
    /// By whom.
    pub changed_by: String,
}

/// A credential as it is stored.
#[derive(Clone, PartialEq, Eq)]
pub struct CredentialRecord {
    /// What is not secret of it.
    pub credential: CredentialSet,
    /// Names of the sealed secrets.
    pub secret_names: Vec<String>,
    /// The secrets, sealed; empty when there are none.
    pub sealed: Vec<u8>,
    /// When it was last changed.
    pub changed_at: Timestamp,
    /// By whom.
    pub changed_by: String,
}

impl std::fmt::Debug for CredentialRecord {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CredentialRecord")
            .field("name", &self.credential.name)
            .finish_non_exhaustive()
    }
}

/// Which agent reads a target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HolderRecord {
    /// The collector.
    pub collector: String,
    /// The target's id.
    pub target: String,
    /// The agent; `None` takes the target from whoever had it.
    pub agent: Option<AgentId>,
}

/// Questions and decisions about targets and credentials.
#[async_trait]
pub trait Targets: Send + Sync + std::fmt::Debug {
    /// Every target set, by name.
    async fn sets(&self) -> Result<Vec<SetRecord>, DatabaseError>;

    /// Stores a set in the place of one with its name.
    async fn set_put(&self, record: SetRecord) -> Result<(), DatabaseError>;

    /// Removes a set; false when there is none.
    async fn set_delete(&self, name: &str) -> Result<bool, DatabaseError>;

    /// Every credential, by name.
    async fn credentials(&self) -> Result<Vec<CredentialRecord>, DatabaseError>;

    /// Stores a credential in the place of one with its name.
    async fn credential_put(&self, record: CredentialRecord) -> Result<(), DatabaseError>;

    /// Removes a credential; false when there is none.
    async fn credential_delete(&self, name: &str) -> Result<bool, DatabaseError>;

    /// Who reads what.
    async fn holders(&self) -> Result<Vec<HolderRecord>, DatabaseError>;

    /// Changes who reads what, all of it or nothing.
    async fn holders_change(&self, changes: Vec<HolderRecord>) -> Result<(), DatabaseError>;
}

#[cfg(test)]
mod tests;
