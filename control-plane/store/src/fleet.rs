//! Agents and join tokens: who may become an agent, who is one, and who is one no longer.
//!
//! Invariants: a join token is consumed in the same transaction that writes the agent; a revoked agent never becomes
//! active again; of a token only a hash of its secret is stored.
//!
//! Deliberately not here: making tokens and certificates (`pki`), deciding when to refuse (`fleet` of the control
//! plane), and everything that agents observe (`items`).

mod agents;
#[cfg(test)]
mod conformance;
mod onboarding;
mod sqlite;
mod tasks;
mod tokens;

pub(crate) use agents::id_at;
pub(crate) use sqlite::SCHEMA;
pub use sqlite::SqliteFleet;

use crate::database::DatabaseError;
use async_trait::async_trait;
use model::{AgentId, Timestamp};
use std::collections::BTreeMap;

/// How many agents or tokens one answer lists at most.
pub const LIST_MAX: u32 = 500;

/// How many complaints of an agent are kept; they replace each other with each beat.
pub const COMPLAINTS_MAX: usize = 32;

/// Steps that are kept per token: a token of many uses has many enrollments, and the newest matter.
pub const ONBOARDING_STEPS_MAX: u32 = 64;

/// Findings that are kept about one agent, newest first.
pub const FINDINGS_MAX: u32 = 20;

/// A join token as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JoinTokenRecord {
    /// Names it; a part of its text.
    pub id: String,
    /// SHA-256 of its secret.
    pub secret_hash: [u8; 32],
    /// What a person calls it.
    pub name: String,
    /// Site of the agents that join by it.
    pub site: String,
    /// Labels of the agents that join by it.
    pub labels: BTreeMap<String, String>,
    /// How many agents may join by it.
    pub uses_max: u32,
    /// How many did.
    pub uses: u32,
    /// Who made it.
    pub created_by: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// Until when it is good.
    pub expires_at: Timestamp,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
}

/// What an installation says of itself; evidence for noticing clones, never an identity.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct AgentEvidence {
    /// Host name.
    pub host_name: String,
    /// Machine id of the installation.
    pub machine_id: String,
    /// Name of the operating system.
    pub os_name: String,
    /// Architecture of the processor.
    pub architecture: String,
}

/// A certificate that was given to an agent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GivenCertificate {
    /// Serial number, lower-case hexadecimal.
    pub serial: String,
    /// SHA-256 of the public key.
    pub spki_sha256: [u8; 32],
    /// When it ends.
    pub expires_at: Timestamp,
}

/// An agent as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgentRecord {
    /// Its id.
    pub id: AgentId,
    /// What a person calls it: at first its host's name.
    pub name: String,
    /// Its site.
    pub site: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// The token that it joined by.
    pub token_id: String,
    /// Version of its program.
    pub version: String,
    /// What its installation said of itself.
    pub evidence: AgentEvidence,
    /// When it joined.
    pub enrolled_at: Timestamp,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
    /// When it was last in contact.
    pub last_seen: Timestamp,
    /// From where.
    pub address: String,
    /// What it last complained of.
    pub complaints: Vec<String>,
    /// Its newest certificate.
    pub certificate: GivenCertificate,
    /// Serial of the certificate before, which stays good until the newest one was seen in use.
    pub previous_serial: Option<String>,
    /// Whether the newest certificate was seen in use.
    pub is_certificate_confirmed: bool,
    /// How many times it renewed.
    pub renewals: u64,
    /// What its next stream has to begin with, so that a copy of the identity is noticed.
    pub nonce: Option<Vec<u8>>,
}

impl AgentRecord {
    /// Whether it is cut off for good.
    #[must_use]
    pub const fn is_revoked(&self) -> bool {
        self.revoked_at.is_some()
    }
}

/// What enrolls an agent.
#[derive(Clone, Debug)]
pub struct Enrollment {
    /// The token's id.
    pub token_id: String,
    /// SHA-256 of the token's secret as it was presented.
    pub secret_hash: [u8; 32],
    /// The agent's new id.
    pub agent: AgentId,
    /// The certificate that it gets when this succeeds.
    pub certificate: GivenCertificate,
    /// What its installation says of itself.
    pub evidence: AgentEvidence,
    /// Version of its program.
    pub version: String,
    /// From where it asks.
    pub address: String,
    /// When.
    pub at: Timestamp,
}

/// Why an agent was not enrolled.
#[derive(Debug, thiserror::Error)]
pub enum EnrollError {
    /// There is no such token, or its secret is another.
    #[error("there is no such join token: make a new one, and copy the whole line")]
    Unknown,
    /// Its time has passed.
    #[error("the join token has expired: make a new one")]
    Expired {
        /// When.
        expired_at: Timestamp,
    },
    /// As many agents joined by it as may.
    #[error(
        "the join token was already used {uses} of {uses} times: make a new one for each agent, or one with more uses"
    )]
    UsedUp {
        /// How many.
        uses: u32,
    },
    /// A person revoked it.
    #[error("the join token was revoked: make a new one")]
    Revoked,
    /// The store does not answer.
    #[error("the agent could not be stored")]
    Store(#[from] DatabaseError),
}

/// What renews an agent's certificate.
#[derive(Clone, Debug)]
pub struct Renewal {
    /// The agent.
    pub agent: AgentId,
    /// Serial of the certificate that it came with.
    pub presented_serial: String,
    /// The certificate that it gets when this succeeds.
    pub certificate: GivenCertificate,
    /// From where it asks.
    pub address: String,
    /// When.
    pub at: Timestamp,
}

/// Why a certificate is not accepted.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// Nobody here knows that agent.
    #[error("this control plane does not know the agent: enroll it again with a new join token")]
    UnknownAgent,
    /// A person revoked it.
    #[error("the agent was revoked: enroll it again with a new join token if that was a mistake")]
    Revoked,
    /// The certificate was replaced and its successor is in use: two machines hold one identity.
    #[error(
        "the certificate was renewed by another holder of the same identity: this machine is probably a copy; enroll it again with a join token of its own"
    )]
    Duplicate,
    /// The store does not answer.
    #[error("the agent's record could not be read")]
    Store(#[from] DatabaseError),
}

/// A contact of an agent, as its stream reports it.
#[derive(Clone, Debug, Default)]
pub struct Contact {
    /// When.
    pub at: Timestamp,
    /// From where; empty: as before.
    pub address: String,
    /// Version of its program; empty: as before.
    pub version: String,
    /// What it complains of; `None`: as before.
    pub complaints: Option<Vec<String>>,
}

/// One step on the way from a join token to a described host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OnboardingStep {
    /// `connected`, `tls` or `identity`.
    pub step: String,
    /// Whether it succeeded.
    pub is_done: bool,
    /// A sentence: what happened, and what to do when it failed.
    pub detail: String,
    /// When.
    pub at: Timestamp,
    /// The agent, once there is one.
    pub agent: Option<AgentId>,
}

/// What the control plane noticed about an agent, for a person to look at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgentFinding {
    /// Code of the error catalog.
    pub code: String,
    /// A sentence.
    pub detail: String,
    /// When it was noticed the last time.
    pub at: Timestamp,
}

/// How a background task fares.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TaskStatus {
    /// The task's name.
    pub name: String,
    /// How many times it ran.
    pub runs: u64,
    /// When it last began.
    pub started_at: Timestamp,
    /// When it last ended.
    pub finished_at: Timestamp,
    /// Why it last failed; empty when it did not.
    pub error: String,
}

/// Questions and decisions about agents and join tokens.
#[async_trait]
pub trait Fleet: Send + Sync + std::fmt::Debug {
    /// Stores a new join token.
    async fn token_create(&self, token: JoinTokenRecord) -> Result<(), DatabaseError>;

    /// The token of this id.
    async fn token(&self, id: &str) -> Result<Option<JoinTokenRecord>, DatabaseError>;

    /// Tokens, newest first, behind the one with this id; at most `limit`.
    async fn tokens(
        &self,
        after: Option<String>,
        limit: u32,
    ) -> Result<Vec<JoinTokenRecord>, DatabaseError>;

    /// Revokes a token; false when there is none.
    async fn token_revoke(&self, id: &str, at: Timestamp) -> Result<bool, DatabaseError>;

    /// Consumes one use of a token and stores the agent, in one transaction.
    async fn enroll(&self, enrollment: Enrollment) -> Result<AgentRecord, EnrollError>;

    /// The agent that joined by this token with this key, if it did so at or after a moment.
    async fn enrolled_with(
        &self,
        token_id: &str,
        spki_sha256: [u8; 32],
        since: Timestamp,
    ) -> Result<Option<AgentRecord>, DatabaseError>;

    /// Replaces the certificate of an agent, unless the presented one was already replaced and confirmed.
    async fn renew(&self, renewal: Renewal) -> Result<AgentRecord, CertificateError>;

    /// Notes that a certificate was presented; a newest certificate counts as in use from then on.
    async fn certificate_seen(
        &self,
        agent: AgentId,
        serial: &str,
        at: Timestamp,
    ) -> Result<AgentRecord, CertificateError>;

    /// The agent of this id.
    async fn agent(&self, id: AgentId) -> Result<Option<AgentRecord>, DatabaseError>;

    /// Agents by id, behind this one; at most `limit`.
    async fn agents(
        &self,
        after: Option<AgentId>,
        limit: u32,
    ) -> Result<Vec<AgentRecord>, DatabaseError>;

    /// How many agents are enrolled and not revoked.
    async fn agent_count(&self) -> Result<u64, DatabaseError>;

    /// Cuts an agent off for good; false when there is none.
    async fn agent_revoke(&self, id: AgentId, at: Timestamp) -> Result<bool, DatabaseError>;

    /// Notes a contact.
    async fn agent_contact(&self, id: AgentId, contact: Contact) -> Result<(), DatabaseError>;

    /// Notes what the agent's next stream has to begin with.
    async fn agent_nonce_set(&self, id: AgentId, nonce: Vec<u8>) -> Result<(), DatabaseError>;

    /// Notes something that a person should look at; the same code again replaces its older sentence.
    async fn finding_raise(&self, id: AgentId, finding: AgentFinding) -> Result<(), DatabaseError>;

    /// What was noticed about an agent, newest first.
    async fn findings(&self, id: AgentId) -> Result<Vec<AgentFinding>, DatabaseError>;

    /// Notes a step of an onboarding.
    async fn onboarding_note(
        &self,
        token_id: &str,
        step: OnboardingStep,
    ) -> Result<(), DatabaseError>;

    /// The steps of the onboarding by this token, newest first.
    async fn onboarding(&self, token_id: &str) -> Result<Vec<OnboardingStep>, DatabaseError>;

    /// Notes that a background task ran.
    async fn task_note(&self, status: TaskStatus) -> Result<(), DatabaseError>;

    /// How the background tasks fare, by name.
    async fn tasks(&self) -> Result<Vec<TaskStatus>, DatabaseError>;
}
