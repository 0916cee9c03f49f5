//! The answer of SQLite: tables and the delegation to one file per subject.
//!
//! Deliberately thin: the statements stand beside the conversion of their rows.

use super::{
    AgentFinding, AgentRecord, CertificateError, Contact, EnrollError, Enrollment, Fleet,
    JoinTokenRecord, OnboardingStep, Renewal, TaskStatus, agents, onboarding, tasks, tokens,
};
use crate::database::{Database, DatabaseError};
use async_trait::async_trait;
use model::{AgentId, Timestamp};

/// The tables in their first form; later forms are further migrations.
pub(crate) const SCHEMA: &str = "
CREATE TABLE fleet_join_token (
    id TEXT PRIMARY KEY,
    secret_hash BLOB NOT NULL,
    name TEXT NOT NULL,
    site TEXT NOT NULL,
    labels TEXT NOT NULL,
    uses_max INTEGER NOT NULL,
    uses INTEGER NOT NULL CHECK (uses <= uses_max),
    created_by TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    revoked_at INTEGER
) STRICT;
CREATE INDEX fleet_join_token_created ON fleet_join_token (created_at, id);
CREATE TABLE fleet_agent (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    site TEXT NOT NULL,
    labels TEXT NOT NULL,
    token_id TEXT NOT NULL,
    version TEXT NOT NULL,
    evidence TEXT NOT NULL,
    enrolled_at INTEGER NOT NULL,
    revoked_at INTEGER,
    last_seen INTEGER NOT NULL,
    address TEXT NOT NULL,
    complaints TEXT NOT NULL,
    certificate_serial TEXT NOT NULL,
    certificate_spki BLOB NOT NULL,
    certificate_expires INTEGER NOT NULL,
    previous_serial TEXT,
    is_certificate_confirmed INTEGER NOT NULL,
    renewals INTEGER NOT NULL,
    nonce BLOB
) STRICT;
CREATE INDEX fleet_agent_token ON fleet_agent (token_id, certificate_spki);
CREATE TABLE fleet_finding (
    agent_id TEXT NOT NULL,
    code TEXT NOT NULL,
    detail TEXT NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (agent_id, code)
) STRICT;
CREATE TABLE fleet_onboarding (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    token_id TEXT NOT NULL,
    step TEXT NOT NULL,
    is_done INTEGER NOT NULL,
    detail TEXT NOT NULL,
    at INTEGER NOT NULL,
    agent_id TEXT
) STRICT;
CREATE TABLE fleet_task (
    name TEXT PRIMARY KEY,
    runs INTEGER NOT NULL,
    started_at INTEGER NOT NULL,
    finished_at INTEGER NOT NULL,
    error TEXT NOT NULL
) STRICT;
CREATE INDEX fleet_onboarding_token ON fleet_onboarding (token_id, number);
";

/// Agents and join tokens in SQLite.
#[derive(Clone, Debug)]
pub struct SqliteFleet {
    database: Database,
}

impl SqliteFleet {
    /// Agents and join tokens in this database.
    #[must_use]
    pub const fn new(database: Database) -> Self {
        Self { database }
    }
}

#[async_trait]
impl Fleet for SqliteFleet {
    async fn token_create(&self, token: JoinTokenRecord) -> Result<(), DatabaseError> {
        self.database.write(move |tx| tokens::insert(tx, &token)).await
    }

    async fn token(&self, id: &str) -> Result<Option<JoinTokenRecord>, DatabaseError> {
        let id = id.to_owned();
        self.database.read(move |db| tokens::get(db, &id)).await
    }

    async fn tokens(
        &self,
        after: Option<String>,
        limit: u32,
    ) -> Result<Vec<JoinTokenRecord>, DatabaseError> {
        self.database.read(move |db| tokens::list(db, after.as_deref(), limit)).await
    }

    async fn token_revoke(&self, id: &str, at: Timestamp) -> Result<bool, DatabaseError> {
        let id = id.to_owned();
        self.database.write(move |tx| tokens::revoke(tx, &id, at)).await
    }

    async fn enroll(&self, enrollment: Enrollment) -> Result<AgentRecord, EnrollError> {
        self.database
            .write(move |tx| {
                let token = tokens::consume(tx, &enrollment)?;
                agents::insert(tx, &enrollment, &token).map_err(EnrollError::from)
            })
            .await
    }

    async fn enrolled_with(
        &self,
        token_id: &str,
        spki_sha256: [u8; 32],
        since: Timestamp,
    ) -> Result<Option<AgentRecord>, DatabaseError> {
        let token_id = token_id.to_owned();
        self.database
            .read(move |db| agents::enrolled_with(db, &token_id, &spki_sha256, since))
            .await
    }

    async fn renew(&self, renewal: Renewal) -> Result<AgentRecord, CertificateError> {
        self.database.write(move |tx| agents::renew(tx, &renewal)).await
    }

    async fn certificate_seen(
        &self,
        agent: AgentId,
        serial: &str,
        _at: Timestamp,
    ) -> Result<AgentRecord, CertificateError> {
        let serial = serial.to_owned();
        let known = {
            let serial = serial.clone();
            self.database.read(move |db| agents::check(db, agent, &serial)).await?
        };
        if known.is_certificate_confirmed || known.certificate.serial != serial {
            return Ok(known);
        }
        self.database.write(move |tx| agents::confirm(tx, agent, &serial)).await
    }

    async fn agent(&self, id: AgentId) -> Result<Option<AgentRecord>, DatabaseError> {
        self.database.read(move |db| agents::get(db, id)).await
    }

    async fn agents(
        &self,
        after: Option<AgentId>,
        limit: u32,
    ) -> Result<Vec<AgentRecord>, DatabaseError> {
        self.database.read(move |db| agents::list(db, after, limit)).await
    }

    async fn agent_count(&self) -> Result<u64, DatabaseError> {
        self.database.read(agents::count).await
    }

    async fn agent_revoke(&self, id: AgentId, at: Timestamp) -> Result<bool, DatabaseError> {
        self.database.write(move |tx| agents::revoke(tx, id, at)).await
    }

    async fn agent_contact(&self, id: AgentId, contact: Contact) -> Result<(), DatabaseError> {
        self.database.write(move |tx| agents::contact(tx, id, &contact)).await
    }

    async fn agent_nonce_set(&self, id: AgentId, nonce: Vec<u8>) -> Result<(), DatabaseError> {
        self.database.write(move |tx| agents::nonce_set(tx, id, &nonce)).await
    }

    async fn finding_raise(&self, id: AgentId, finding: AgentFinding) -> Result<(), DatabaseError> {
        self.database.write(move |tx| onboarding::raise(tx, id, &finding)).await
    }

    async fn findings(&self, id: AgentId) -> Result<Vec<AgentFinding>, DatabaseError> {
        self.database.read(move |db| onboarding::findings(db, id)).await
    }

    async fn onboarding_note(
        &self,
        token_id: &str,
        step: OnboardingStep,
    ) -> Result<(), DatabaseError> {
        let token_id = token_id.to_owned();
        self.database.write(move |tx| onboarding::note(tx, &token_id, &step)).await
    }

    async fn onboarding(&self, token_id: &str) -> Result<Vec<OnboardingStep>, DatabaseError> {
        let token_id = token_id.to_owned();
        self.database.read(move |db| onboarding::steps(db, &token_id)).await
    }

    async fn task_note(&self, status: TaskStatus) -> Result<(), DatabaseError> {
        self.database.write(move |tx| tasks::note(tx, &status)).await
    }

    async fn tasks(&self) -> Result<Vec<TaskStatus>, DatabaseError> {
        self.database.read(tasks::list).await
    }
}
