//! Logging in, sessions, and logging out.
//!
//! A session is 256 random bits in a cookie that scripts cannot read and other sites cannot send. Only its hash is
//! stored. It ends when it was not used for a while, and in any case after a week.

use super::setup::normalized_name;
use super::{Accounts, Level, Principal, policy::Means};
use crate::api::error::{ApiError, Code};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use model::Timestamp;
use pki::token::hash_secret;
use std::net::IpAddr;
use std::time::Duration;
use store::users::{SessionRecord, UserRecord};

/// The cookie's name.
pub const SESSION_COOKIE: &str = "dharma_session";

/// After this time without use a session ends: a working day with its breaks.
const SESSION_IDLE: Duration = Duration::from_secs(12 * 3600);

/// After this time every session ends.
pub const SESSION_LIFE: Duration = Duration::from_secs(7 * 24 * 3600);

/// A use is noted at most this often, so that reading does not become writing.
const TOUCH_INTERVAL: Duration = Duration::from_secs(60);

/// Bytes of a cookie's value that are looked at; ours has 43.
const SECRET_TEXT_BYTES_MAX: usize = 64;

/// A session that was just opened, with the secret that only its owner keeps.
pub struct OpenedSession {
    /// Value of the cookie.
    pub secret: String,
    /// Who it is.
    pub principal: Principal,
}

impl std::fmt::Debug for OpenedSession {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OpenedSession")
            .field("principal", &self.principal.name)
            .finish_non_exhaustive()
    }
}

impl Accounts {
    /// Logs a person in.
    ///
    /// # Errors
    /// `LOGIN_FAILED`, `RATE_LIMITED`.
    pub async fn log_in(
        &self,
        name: &str,
        password: String,
        address: IpAddr,
    ) -> Result<OpenedSession, ApiError> {
        let name = normalized_name(name);
        let address = address.to_string();
        let limited = |what: &'static str| {
            move |wait: Duration| {
                let detail = format!(
                    "too many attempts {what}; wait {} seconds and try again",
                    wait.as_secs().saturating_add(1)
                );
                ApiError::new(Code::RateLimited, detail).retry_after(wait)
            }
        };
        self.by_address.take(&address).map_err(limited("from this address"))?;
        self.by_name.take(&name).map_err(limited("with this name"))?;
        let user = self.users.user_by_name(&name).await?;
        let hash = user.as_ref().map(|user| user.password_hash.clone());
        let is_right = self.passwords.is_right(password, hash).await?;
        let Some(user) = user.filter(|_| is_right) else {
            tracing::warn!(%address, "a login failed");
            return Err(ApiError::new(Code::LoginFailed, "the name or the password is wrong"));
        };
        self.by_address.forgive(&address);
        self.by_name.forgive(&name);
        self.open_session(user).await
    }

    pub(super) async fn open_session(&self, user: UserRecord) -> Result<OpenedSession, ApiError> {
        let secret = URL_SAFE_NO_PAD.encode(self.random::<32>());
        let hash = hash_secret(secret.as_bytes());
        let now = self.now();
        let session = SessionRecord { hash, user: user.id, created_at: now, used_at: now };
        self.users.session_put(session, now.minus(SESSION_IDLE)).await?;
        Ok(OpenedSession { secret, principal: principal_of(user, hash) })
    }

    /// Whose session this is; `None` when it ended or never was.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn session(&self, secret: &str) -> Result<Option<Principal>, ApiError> {
        if secret.len() > SECRET_TEXT_BYTES_MAX {
            return Ok(None);
        }
        self.session_by_hash(hash_secret(secret.as_bytes())).await
    }

    pub(super) async fn session_by_hash(
        &self,
        hash: [u8; 32],
    ) -> Result<Option<Principal>, ApiError> {
        let now = self.now();
        let Some((session, user)) = self.users.session(hash).await? else { return Ok(None) };
        if !is_alive(&session, now) {
            self.users.session_end(hash).await?;
            return Ok(None);
        }
        if now.since(session.used_at) >= TOUCH_INTERVAL {
            self.users.session_touch(hash, now).await?;
        }
        Ok(Some(principal_of(user, hash)))
    }

    /// Ends the session of a principal; a token stays.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn log_out(&self, principal: &Principal) -> Result<(), ApiError> {
        if let Means::Session(hash) = principal.means {
            self.users.session_end(hash).await?;
        }
        Ok(())
    }

    /// Whether a caller is still who they were when a stream began: not logged out, not expired, not revoked.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn is_still(&self, principal: &Principal) -> Result<bool, ApiError> {
        match &principal.means {
            Means::Session(hash) => Ok(self.session_by_hash(*hash).await?.is_some()),
            Means::Token(id) => self.is_token_good(*id).await,
        }
    }
}

fn principal_of(user: UserRecord, hash: [u8; 32]) -> Principal {
    Principal {
        user: Some(user.id),
        name: user.name,
        role: Level::from_role(&user.role),
        granted: Level::Admin,
        means: Means::Session(hash),
    }
}

fn is_alive(session: &SessionRecord, now: Timestamp) -> bool {
    now.since(session.used_at) < SESSION_IDLE && now.since(session.created_at) < SESSION_LIFE
}
