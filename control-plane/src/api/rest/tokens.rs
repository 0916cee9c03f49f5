//! Tokens of all kinds: join tokens for agents, access tokens for people and programs.
//!
//! One list shows both. Its pages go first through the join tokens, then through the access tokens.

use super::extract::{Body, Parameters, id};
use super::idempotency::{self, Begun};
use super::page::{PageParameters, PageRequest};
use crate::api::auth::{Action, Caller, NewAccessToken, TOKEN_LIFE_DEFAULT};
use crate::api::error::{ApiError, Problem};
use crate::api::moment::rfc3339;
use crate::app::App;
use crate::fleet::{JOIN_TOKEN_LIFE_DEFAULT, NewJoinToken};
use axum::Json;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode, header};
use model::{Timestamp, TokenId};
use pki::token::AccessKind;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::Duration;
use store::fleet::JoinTokenRecord;
use store::users::AccessTokenRecord;
use utoipa::ToSchema;

/// Begins the cursor of a page that lists access tokens.
const ACCESS_CURSOR: &str = "access:";

/// A token, without its secret.
#[derive(Debug, Serialize, ToSchema)]
pub struct TokenView {
    /// Its id.
    pub id: String,
    /// `join`, `personal` or `service`.
    pub kind: String,
    /// What a person calls it.
    pub name: String,
    /// Site of the agents that join by it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub site: Option<String>,
    /// Labels of the agents that join by it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub labels: Option<BTreeMap<String, String>>,
    /// How many more agents may join by it.
    pub uses_left: Option<u32>,
    /// What an access token grants: of `read`, `write`, `admin`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scopes: Option<Vec<String>>,
    /// Who made it.
    pub created_by: String,
    /// When it was made.
    pub created_at: String,
    /// Until when it is good.
    pub expires_at: String,
    /// When it was last used.
    pub last_used_at: Option<String>,
    /// `active`, `expired`, `used_up` or `revoked`.
    pub state: &'static str,
}

/// A page of tokens, newest first within each kind.
#[derive(Debug, Serialize, ToSchema)]
pub struct TokenPage {
    /// The tokens.
    pub tokens: Vec<TokenView>,
    /// Asks for the next page; empty on the last.
    pub next_page_token: String,
}

/// What token to make.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TokenRequest {
    /// `join`, `personal` or `service`.
    pub kind: String,
    /// How long it is good; an hour for a join token, 90 days for the others when missing.
    pub ttl_seconds: Option<u64>,
    /// How many agents may join by it; one when missing.
    pub uses: Option<u32>,
    /// Site of the agents that join by it.
    pub site: Option<String>,
    /// Labels of the agents that join by it.
    pub labels: Option<BTreeMap<String, String>>,
    /// What to call it.
    pub name: Option<String>,
    /// What an access token grants; `read` when missing.
    pub scopes: Option<Vec<String>>,
}

/// A token with its text, which is shown once.
#[derive(Serialize, ToSchema)]
#[expect(missing_debug_implementations, reason = "it holds a secret")]
pub struct NewTokenView {
    /// Its id.
    pub id: String,
    /// The whole token. It is not shown again.
    pub text: String,
    /// Until when it is good.
    pub expires_at: String,
    /// The one line to copy.
    pub command: String,
}

/// Tokens that the caller may see.
#[utoipa::path(get, path = "/api/v1/tokens", tag = "tokens", params(
    PageParameters),
    responses((status = 200, body = TokenPage), (status = "default", body = Problem)))]
pub async fn list(
    State(app): State<App>,
    caller: Caller,
    mut parameters: Parameters,
) -> Result<Json<TokenPage>, ApiError> {
    let by = caller.known()?.clone();
    by.may(Action::AgentsRead)?;
    let request = PageRequest::take(&mut parameters, "tokens")?;
    parameters.finish()?;
    let now = app.clock.wall().into();
    let size = request.page.size;
    let cursor = request.page.after.clone();
    let access_after = cursor.as_deref().and_then(|cursor| cursor.strip_prefix(ACCESS_CURSOR));
    let sees_join_tokens = by.may(Action::JoinTokensManage).is_ok();
    if access_after.is_none() && sees_join_tokens {
        let found = app.fleet.tokens(cursor, size).await?;
        let is_full = u32::try_from(found.len()).is_ok_and(|count| count == size);
        // A full page may be the last one; then the next page is short, and nothing is lost.
        let next = if is_full {
            found.last().map_or_else(|| ACCESS_CURSOR.to_owned(), |last| last.id.clone())
        } else {
            ACCESS_CURSOR.to_owned()
        };
        let mut tokens: Vec<TokenView> = found.iter().map(|token| join_view(token, now)).collect();
        if is_full {
            return Ok(Json(TokenPage {
                tokens,
                next_page_token: request.next(Some(&next), true),
            }));
        }
        // What is left of the page goes to the access tokens, so that a short list is one page.
        let left = size.saturating_sub(u32::try_from(tokens.len()).unwrap_or(size));
        let (more, next) = access_page(&app, &by, None, left, now).await?;
        tokens.extend(more);
        let next_page_token = request.next(next.as_ref(), true);
        return Ok(Json(TokenPage { tokens, next_page_token }));
    }
    let after = access_after.filter(|after| !after.is_empty()).map(str::to_owned);
    let (tokens, next) = access_page(&app, &by, after, size, now).await?;
    Ok(Json(TokenPage { tokens, next_page_token: request.next(next.as_ref(), true) }))
}

/// Access tokens behind one that the caller may see, and the cursor of the next page.
async fn access_page(
    app: &App,
    by: &crate::api::auth::Principal,
    mut after: Option<String>,
    size: u32,
    now: Timestamp,
) -> Result<(Vec<TokenView>, Option<String>), ApiError> {
    let (tokens, last) = app.accounts.tokens(by, after.take(), size).await?;
    let views = tokens.iter().map(|token| access_view(token, now)).collect();
    Ok((views, last.map(|last| format!("{ACCESS_CURSOR}{last}"))))
}

/// Makes a token. Its text is shown in this answer; only the same request with the same `idempotency-key` gets it
/// again.
#[utoipa::path(post, path = "/api/v1/tokens", tag = "tokens", request_body = TokenRequest, params(
    ("idempotency-key" = Option<String>, Header, description = "A new UUID for each request that is meant once: sent again with it, the request is answered as before, for a day or until the control plane starts again")),
    responses((status = 201, body = NewTokenView), (status = "default", body = Problem)))]
pub async fn create(
    State(app): State<App>,
    caller: Caller,
    headers: HeaderMap,
    Body(request): Body<TokenRequest>,
) -> Result<Response, ApiError> {
    caller.known()?;
    let kind = kind(&request.kind)?;
    // Asked again for a repeated request: the right may be gone since.
    let by = caller.may(match kind {
        Kind::Join => Action::JoinTokensManage,
        Kind::Access(AccessKind::Personal) => Action::OwnTokensManage,
        Kind::Access(AccessKind::Service) => Action::AllTokensManage,
    })?;
    let Some(key) = idempotency::key(&headers)? else {
        let made = make(&app, &caller, kind, request).await?;
        return Ok(created(written(&made)?));
    };
    let fingerprint = blake3::hash(&written(&request)?);
    match app.idempotency.begin(by, key, fingerprint.into())? {
        Begun::Again(answer) => Ok(created(answer.to_vec())),
        Begun::First(running) => {
            let answer = written(&make(&app, &caller, kind, request).await?)?;
            running.done(&answer);
            Ok(created(answer))
        }
    }
}

/// What kinds of tokens there are.
#[derive(Clone, Copy)]
enum Kind {
    Join,
    Access(AccessKind),
}

fn kind(name: &str) -> Result<Kind, ApiError> {
    match name {
        "join" => Ok(Kind::Join),
        "personal" => Ok(Kind::Access(AccessKind::Personal)),
        "service" => Ok(Kind::Access(AccessKind::Service)),
        _ => Err(ApiError::invalid("kind", "the kind is `join`, `personal` or `service`")),
    }
}

fn written<T: Serialize>(value: &T) -> Result<Vec<u8>, ApiError> {
    serde_json::to_vec(value)
        .map_err(|error| ApiError::internal("the answer cannot be written", &error))
}

/// The answer holds a secret: nothing on the way may keep it.
fn created(body: Vec<u8>) -> Response {
    let headers = [(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "no-store")];
    (StatusCode::CREATED, headers, body).into_response()
}

async fn make(
    app: &App,
    caller: &Caller,
    kind: Kind,
    request: TokenRequest,
) -> Result<NewTokenView, ApiError> {
    match kind {
        Kind::Join => create_join(app, caller, request).await,
        Kind::Access(kind) => create_access(app, caller, request, kind).await,
    }
}

async fn create_join(
    app: &App,
    caller: &Caller,
    request: TokenRequest,
) -> Result<NewTokenView, ApiError> {
    let by = caller.may(Action::JoinTokensManage)?;
    if request.scopes.is_some() {
        return Err(ApiError::invalid("scopes", "a join token has no scopes"));
    }
    let wanted = NewJoinToken {
        name: request.name.unwrap_or_default(),
        site: request.site.unwrap_or_default(),
        labels: request.labels.unwrap_or_default(),
        uses: request.uses.unwrap_or(1),
        life: request.ttl_seconds.map_or(JOIN_TOKEN_LIFE_DEFAULT, Duration::from_secs),
        created_by: by.name.clone(),
    };
    let made = app.fleet.token_create(wanted).await?;
    Ok(NewTokenView {
        id: made.record.id,
        expires_at: rfc3339(made.record.expires_at),
        command: enroll_command(&app.options.enroll_address, &made.text),
        text: made.text,
    })
}

/// One line that enrolls a host. The agent reads the token from a file that only root reads and deletes it, so that
/// the token stands in no configuration and in no list of processes for longer than the enrollment takes.
fn enroll_command(server: &str, token: &str) -> String {
    let file = "/run/dharma-join-token";
    format!(
        "sudo sh -c 'umask 077; printf %s {token} > {file}; exec dharma-agent enroll --server {server} --token-file {file}'"
    )
}

async fn create_access(
    app: &App,
    caller: &Caller,
    request: TokenRequest,
    kind: AccessKind,
) -> Result<NewTokenView, ApiError> {
    let by = caller.known()?;
    for (parameter, is_given) in [
        ("uses", request.uses.is_some()),
        ("site", request.site.is_some()),
        ("labels", request.labels.is_some()),
    ] {
        if is_given {
            let detail = format!("only a join token has `{parameter}`");
            return Err(ApiError::invalid(parameter, detail));
        }
    }
    let wanted = NewAccessToken {
        kind,
        name: request.name.unwrap_or_default(),
        scopes: request.scopes.unwrap_or_else(|| vec!["read".into()]),
        life: request.ttl_seconds.map_or(TOKEN_LIFE_DEFAULT, Duration::from_secs),
    };
    let (record, text) = app.accounts.token_create(by, wanted).await?;
    Ok(NewTokenView {
        id: record.id,
        expires_at: rfc3339(record.expires_at),
        command: format!("export DHARMA_TOKEN={text}"),
        text,
    })
}

/// Revokes a token. Agents that joined by a join token stay.
#[utoipa::path(delete, path = "/api/v1/tokens/{id}", tag = "tokens", params(
    ("id" = String, Path, description = "Id of the token")),
    responses((status = 204, description = "The token is revoked"), (status = "default", body = Problem)))]
pub async fn revoke(
    State(app): State<App>,
    caller: Caller,
    Path(text): Path<String>,
) -> Result<StatusCode, ApiError> {
    let by = caller.known()?;
    let asked: TokenId = id("token", &text)?;
    let is_join = app.fleet.token(asked).await?.is_some();
    let is_revoked = if is_join {
        by.may(Action::JoinTokensManage)?;
        app.fleet.token_revoke(asked).await?
    } else {
        app.accounts.token_revoke(by, asked).await?
    };
    if is_revoked { Ok(StatusCode::NO_CONTENT) } else { Err(ApiError::not_found("token", &text)) }
}

fn join_view(token: &JoinTokenRecord, now: Timestamp) -> TokenView {
    let uses_left = token.uses_max.saturating_sub(token.uses);
    TokenView {
        id: token.id.clone(),
        kind: "join".into(),
        name: token.name.clone(),
        site: Some(token.site.clone()),
        labels: Some(token.labels.clone()),
        uses_left: Some(uses_left),
        scopes: None,
        created_by: token.created_by.clone(),
        created_at: rfc3339(token.created_at),
        expires_at: rfc3339(token.expires_at),
        last_used_at: None,
        state: state(token.revoked_at, token.expires_at, uses_left == 0, now),
    }
}

fn access_view(token: &AccessTokenRecord, now: Timestamp) -> TokenView {
    TokenView {
        id: token.id.clone(),
        kind: token.kind.clone(),
        name: token.name.clone(),
        site: None,
        labels: None,
        uses_left: None,
        scopes: Some(token.scopes.clone()),
        created_by: token.created_by.clone(),
        created_at: rfc3339(token.created_at),
        expires_at: rfc3339(token.expires_at),
        last_used_at: token.used_at.map(rfc3339),
        state: state(token.revoked_at, token.expires_at, false, now),
    }
}

fn state(
    revoked_at: Option<Timestamp>,
    expires_at: Timestamp,
    is_used_up: bool,
    now: Timestamp,
) -> &'static str {
    if revoked_at.is_some() {
        "revoked"
    } else if is_used_up {
        "used_up"
    } else if expires_at <= now {
        "expired"
    } else {
        "active"
    }
}
