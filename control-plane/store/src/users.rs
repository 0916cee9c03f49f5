//! People, their sessions and their access tokens.
//!
//! Invariants: of passwords only an argon2id hash is stored, of sessions, codes and tokens only a SHA-256 of random
//! secrets; scopes and expiry of a token never change after it was made.
//!
//! Deliberately not here: hashing, rate limits and what a role may do (`api::auth` of the control plane).

#[cfg(test)]
mod conformance;
mod sqlite;
mod sqlite_tokens;

pub(crate) use sqlite::SCHEMA;
pub use sqlite::SqliteUsers;

use crate::database::DatabaseError;
use async_trait::async_trait;
use model::{Timestamp, UserId};

/// A person who may log in.
#[derive(Clone, PartialEq, Eq)]
pub struct UserRecord {
    /// The id.
    pub id: UserId,
    /// What they log in with.
    pub name: String,
    /// `admin`, `editor` or `viewer`.
    pub role: String,
    /// The password's hash in PHC form.
    pub password_hash: String,
    /// When they were added.
    pub created_at: Timestamp,
}

impl std::fmt::Debug for UserRecord {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("UserRecord")
            .field("id", &self.id)
            .field("name", &self.name)
            .field("role", &self.role)
            .finish_non_exhaustive()
    }
}

/// A one-time code by which a person sets a password: for the first administrator, or for a person who was reset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetupCode {
    /// SHA-256 of the code.
    pub hash: [u8; 32],
    /// For whom; `None`: for the first administrator.
    pub user: Option<String>,
    /// Until when it is good.
    pub expires_at: Timestamp,
}

/// A session of a person in a browser or a terminal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionRecord {
    /// SHA-256 of its secret.
    pub hash: [u8; 32],
    /// Whose it is.
    pub user: UserId,
    /// When it began.
    pub created_at: Timestamp,
    /// When it was last used.
    pub used_at: Timestamp,
}

/// A personal or service token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessTokenRecord {
    /// Names it; a part of its text.
    pub id: String,
    /// SHA-256 of its secret.
    pub secret_hash: [u8; 32],
    /// `personal` or `service`.
    pub kind: String,
    /// What a person calls it.
    pub name: String,
    /// Whose it is; `None` for a service.
    pub user: Option<UserId>,
    /// Of `read`, `write`, `admin`; never changed.
    pub scopes: Vec<String>,
    /// Who made it.
    pub created_by: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// Until when it is good; never changed.
    pub expires_at: Timestamp,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
    /// When it was last used.
    pub used_at: Option<Timestamp>,
    /// From where.
    pub used_from: String,
}

/// Why a person was not set up.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// The code is no valid one.
    #[error("the setup code is wrong, used or expired")]
    WrongCode,
    /// Another name than the code is for.
    #[error("the setup code is for another name")]
    WrongName,
    /// The name is taken.
    #[error("the name is taken")]
    NameTaken,
    /// The store does not answer.
    #[error("the person could not be stored")]
    Store(#[from] DatabaseError),
}

/// Questions and decisions about people, sessions and access tokens.
#[async_trait]
pub trait Users: Send + Sync + std::fmt::Debug {
    /// Whether nobody is set up yet.
    async fn is_empty(&self) -> Result<bool, DatabaseError>;

    /// Makes this the only valid code for its purpose.
    async fn setup_code_put(&self, code: SetupCode) -> Result<(), DatabaseError>;

    /// The codes that are good at this moment. There are few.
    async fn setup_codes(&self, at: Timestamp) -> Result<Vec<SetupCode>, DatabaseError>;

    /// Consumes a code and, in the same transaction, stores the first administrator or replaces the password of the
    /// person that the code is for; their sessions end.
    async fn set_up(
        &self,
        code_hash: [u8; 32],
        user: UserRecord,
        at: Timestamp,
    ) -> Result<UserRecord, SetupError>;

    /// The person of this name.
    async fn user_by_name(&self, name: &str) -> Result<Option<UserRecord>, DatabaseError>;

    /// The person of this id.
    async fn user(&self, id: UserId) -> Result<Option<UserRecord>, DatabaseError>;

    /// Stores a session; sessions that were last used before `stale_before` go, and so do the oldest beyond the
    /// limit per person.
    async fn session_put(
        &self,
        session: SessionRecord,
        stale_before: Timestamp,
    ) -> Result<(), DatabaseError>;

    /// The session with this hash, and its person.
    async fn session(
        &self,
        hash: [u8; 32],
    ) -> Result<Option<(SessionRecord, UserRecord)>, DatabaseError>;

    /// Notes that a session was used.
    async fn session_touch(&self, hash: [u8; 32], at: Timestamp) -> Result<(), DatabaseError>;

    /// Ends a session.
    async fn session_end(&self, hash: [u8; 32]) -> Result<(), DatabaseError>;

    /// Stores a new access token.
    async fn access_token_create(&self, token: AccessTokenRecord) -> Result<(), DatabaseError>;

    /// The access token of this id.
    async fn access_token(&self, id: &str) -> Result<Option<AccessTokenRecord>, DatabaseError>;

    /// Access tokens, newest first, behind the one with this id; at most `limit`.
    async fn access_tokens(
        &self,
        after: Option<String>,
        limit: u32,
    ) -> Result<Vec<AccessTokenRecord>, DatabaseError>;

    /// Revokes an access token; false when there is none.
    async fn access_token_revoke(&self, id: &str, at: Timestamp) -> Result<bool, DatabaseError>;

    /// Notes that an access token was used.
    async fn access_token_touch(
        &self,
        id: &str,
        at: Timestamp,
        from: &str,
    ) -> Result<(), DatabaseError>;
}
