//! Access tokens of people and programs. Scopes and expiry are fixed when a token is made.

use super::{Accounts, Action, Level, Principal, policy::Means};
use crate::api::error::{ApiError, Code};
use model::TokenId;
use pki::token::{AccessKind, AccessToken, hashes_equal};
use std::net::IpAddr;
use std::time::Duration;
use store::users::AccessTokenRecord;

/// The life of a token when none is asked for.
pub const TOKEN_LIFE_DEFAULT: Duration = Duration::from_secs(90 * 24 * 3600);

/// The shortest and the longest life.
const LIFE_MIN: Duration = Duration::from_secs(60);
const LIFE_MAX: Duration = Duration::from_secs(366 * 24 * 3600);

/// Bytes of a token's name.
const NAME_BYTES_MAX: usize = 128;

/// A use is noted at most this often, so that reading does not become writing.
const TOUCH_INTERVAL: Duration = Duration::from_secs(60);

/// What a person asks for.
#[derive(Debug, Clone)]
pub struct NewAccessToken {
    /// For a person or a program.
    pub kind: AccessKind,
    /// What to call it.
    pub name: String,
    /// The name of the greatest scope, or several.
    pub scopes: Vec<String>,
    /// How long it is good.
    pub life: Duration,
}

impl Accounts {
    /// Makes an access token. Nobody can give more than they have.
    ///
    /// # Errors
    /// `VALIDATION_FAILED`, `PERMISSION_DENIED`.
    pub async fn token_create(
        &self,
        by: &Principal,
        wanted: NewAccessToken,
    ) -> Result<(AccessTokenRecord, String), ApiError> {
        by.may(match wanted.kind {
            AccessKind::Personal => Action::OwnTokensManage,
            AccessKind::Service => Action::AllTokensManage,
        })?;
        let greatest = check(&wanted)?;
        if greatest > by.role.min(by.granted) {
            let detail = format!(
                "nobody can give more than they have: the scope `{}` is beyond yours",
                greatest.scope()
            );
            return Err(
                ApiError::new(Code::PermissionDenied, detail).with("scope", greatest.scope())
            );
        }
        let user = match wanted.kind {
            AccessKind::Personal => Some(by.user.ok_or_else(|| {
                ApiError::new(Code::PermissionDenied, "a program has no personal tokens")
            })?),
            AccessKind::Service => None,
        };
        self.token_store(wanted, user, by.name.clone()).await
    }

    /// Makes a token for a program without asking who wants it: for whoever owns the state of the control plane.
    ///
    /// # Errors
    /// `VALIDATION_FAILED`.
    pub async fn token_create_locally(
        &self,
        wanted: NewAccessToken,
        user: Option<&str>,
    ) -> Result<(AccessTokenRecord, String), ApiError> {
        check(&wanted)?;
        let user = match user {
            None => None,
            Some(name) => {
                let user = self.users.user_by_name(&super::setup::normalized_name(name)).await?;
                Some(user.ok_or_else(|| ApiError::not_found("person", name))?.id)
            }
        };
        self.token_store(wanted, user, "the owner of the state".into()).await
    }

    async fn token_store(
        &self,
        wanted: NewAccessToken,
        user: Option<model::UserId>,
        created_by: String,
    ) -> Result<(AccessTokenRecord, String), ApiError> {
        let now = self.now();
        let token = AccessToken::generate(wanted.kind, TokenId::new_v7(now, self.random()))
            .map_err(|error| ApiError::internal("the token cannot be made", &error))?;
        let record = AccessTokenRecord {
            id: token.id().to_string(),
            secret_hash: token.secret_hash(),
            kind: kind_name(wanted.kind).into(),
            name: wanted.name,
            user,
            scopes: wanted.scopes,
            created_by,
            created_at: now,
            expires_at: now.plus(wanted.life),
            revoked_at: None,
            used_at: None,
            used_from: String::new(),
        };
        self.users.access_token_create(record.clone()).await?;
        tracing::info!(
            token = record.id,
            kind = record.kind,
            by = record.created_by,
            "access token made"
        );
        Ok((record, token.reveal()))
    }

    /// Who shows this token.
    ///
    /// # Errors
    /// `TOKEN_INVALID`, `TOKEN_EXPIRED`, `TOKEN_REVOKED`.
    pub async fn token(&self, text: &str, from: IpAddr) -> Result<Principal, ApiError> {
        let shown = AccessToken::parse(text)
            .map_err(|error| ApiError::new(Code::TokenInvalid, error.to_string()))?;
        let record = self.users.access_token(&shown.id().to_string()).await?;
        let record = record
            .filter(|record| hashes_equal(&record.secret_hash, &shown.secret_hash()))
            .ok_or_else(|| {
                ApiError::new(
                    Code::TokenInvalid,
                    "this control plane made no such token; make one with `dharma token create`",
                )
            })?;
        let now = self.now();
        if record.revoked_at.is_some() {
            return Err(ApiError::new(
                Code::TokenRevoked,
                "the token was revoked; make another with `dharma token create`",
            ));
        }
        if record.expires_at <= now {
            return Err(ApiError::new(
                Code::TokenExpired,
                "the token has expired; make another with `dharma token create`",
            ));
        }
        if record.used_at.is_none_or(|used| now.since(used) >= TOUCH_INTERVAL) {
            self.users.access_token_touch(&record.id, now, &from.to_string()).await?;
        }
        self.principal_of(record, shown.id()).await
    }

    async fn principal_of(
        &self,
        record: AccessTokenRecord,
        id: TokenId,
    ) -> Result<Principal, ApiError> {
        let granted = record
            .scopes
            .iter()
            .filter_map(|scope| Level::from_scope(scope))
            .max()
            .ok_or_else(|| ApiError::new(Code::TokenInvalid, "the token grants nothing"))?;
        let means = Means::Token(id);
        let Some(user) = record.user else {
            return Ok(Principal { user: None, name: record.name, role: granted, granted, means });
        };
        let user = self.users.user(user).await?.ok_or_else(|| {
            ApiError::new(Code::TokenInvalid, "the person of the token is no longer there")
        })?;
        Ok(Principal {
            user: Some(user.id),
            name: user.name,
            role: Level::from_role(&user.role),
            granted,
            means,
        })
    }

    pub(super) async fn is_token_good(&self, id: TokenId) -> Result<bool, ApiError> {
        let record = self.users.access_token(&id.to_string()).await?;
        let now = self.now();
        Ok(record.is_some_and(|record| record.revoked_at.is_none() && record.expires_at > now))
    }

    /// Access tokens that the caller may see, newest first, behind the one with this id; and the id behind which to
    /// go on, when more may follow.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn tokens(
        &self,
        by: &Principal,
        after: Option<String>,
        limit: u32,
    ) -> Result<(Vec<AccessTokenRecord>, Option<String>), ApiError> {
        let all = self.users.access_tokens(after.clone(), limit).await?;
        let is_full = u32::try_from(all.len()).is_ok_and(|count| count == limit);
        // With no room left on a page the next one begins where this one would have.
        let last = all.last().map(|token| token.id.clone()).or(after);
        let next = is_full.then(|| last.unwrap_or_default());
        let sees_all = by.may(Action::AllTokensManage).is_ok();
        let seen = all.into_iter().filter(|token| sees_all || is_own(token, by)).collect();
        Ok((seen, next))
    }

    /// Revokes an access token; false when there is none that the caller may see.
    ///
    /// # Errors
    /// `PERMISSION_DENIED`, or when the store does not answer.
    pub async fn token_revoke(&self, by: &Principal, id: TokenId) -> Result<bool, ApiError> {
        let id = id.to_string();
        let Some(token) = self.users.access_token(&id).await? else { return Ok(false) };
        if is_own(&token, by) {
            by.may(Action::OwnTokensManage)?;
        } else if by.may(Action::AllTokensManage).is_err() {
            return Ok(false);
        }
        Ok(self.users.access_token_revoke(&id, self.now()).await?)
    }

    /// All access tokens, for whoever owns the state of the control plane.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn tokens_locally(
        &self,
        after: Option<String>,
        limit: u32,
    ) -> Result<Vec<AccessTokenRecord>, ApiError> {
        Ok(self.users.access_tokens(after, limit).await?)
    }

    /// Revokes an access token for whoever owns the state of the control plane; false when there is none.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn token_revoke_locally(&self, id: TokenId) -> Result<bool, ApiError> {
        Ok(self.users.access_token_revoke(&id.to_string(), self.now()).await?)
    }
}

/// The name of a kind in the APIs.
const fn kind_name(kind: AccessKind) -> &'static str {
    match kind {
        AccessKind::Personal => "personal",
        AccessKind::Service => "service",
    }
}

fn is_own(token: &AccessTokenRecord, by: &Principal) -> bool {
    token.user.is_some() && token.user == by.user
}

/// Checks what is wanted, and gives the greatest level that it grants.
fn check(wanted: &NewAccessToken) -> Result<Level, ApiError> {
    if wanted.life < LIFE_MIN || wanted.life > LIFE_MAX {
        let (least, most) = (LIFE_MIN.as_secs(), LIFE_MAX.as_secs());
        let detail = format!("an access token lives between {least} and {most} seconds");
        return Err(ApiError::invalid("ttl_seconds", detail));
    }
    let is_name_usable = !wanted.name.trim().is_empty()
        && wanted.name.len() <= NAME_BYTES_MAX
        && !wanted.name.chars().any(char::is_control);
    if !is_name_usable {
        let detail = format!(
            "an access token needs a name of 1 to {NAME_BYTES_MAX} bytes, so that people know what it is for"
        );
        return Err(ApiError::invalid("name", detail));
    }
    let mut greatest = None;
    for scope in &wanted.scopes {
        let level = Level::from_scope(scope).ok_or_else(|| {
            ApiError::invalid("scopes", "the scopes are `read`, `write` and `admin`")
        })?;
        greatest = greatest.max(Some(level));
    }
    greatest.ok_or_else(|| ApiError::invalid("scopes", "name a scope: `read`, `write` or `admin`"))
}
