//! Credentials: their secrets go in and never come out.
//!
//! Invariant: no answer repeats anything of a body, not even what is wrong with it beyond the place: a secret may
//! stand in the wrong field.

use super::conditional;
use super::extract::Parameters;
use super::page::PageRequest;
use crate::api::auth::{Action, Caller};
use crate::api::error::{ApiError, Code, Problem, shortened};
use crate::api::moment::rfc3339;
use crate::app::App;
use crate::targets::{CredentialChange, CredentialView, ProbeRequest, TargetsError};
use axum::Json;
use axum::extract::{FromRequest, Path, Request, State};
use axum::response::Response;
use axum::routing::{MethodRouter, get};
use http::{HeaderMap, StatusCode, header};
use model::targets::CredentialSet;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use utoipa::ToSchema;
use zeroize::Zeroizing;

/// A credential as it is put.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(missing_debug_implementations, reason = "it holds secrets")]
pub struct CredentialBody {
    /// What it is for: `snmp_community`, `snmp_user`, `ssh_password`, `ssh_key`, `ipmi_user`, `http_basic`.
    pub kind: String,
    /// What is not secret of it: a user name, the names of algorithms.
    #[serde(default)]
    pub settings: BTreeMap<String, String>,
    /// Secrets by name: `community`, `password`, `private_key`, `passphrase`, `auth_password`, `privacy_password`. An
    /// empty one is removed; those that are not named stay as they are.
    #[serde(default)]
    pub secrets: BTreeMap<String, String>,
    /// Secrets that the agent fetches itself, by name: `env:NAME` or `file:/path`.
    #[serde(default)]
    pub references: BTreeMap<String, String>,
}

/// A credential, without its secrets.
#[derive(Debug, Serialize, ToSchema)]
pub struct CredentialAnswer {
    /// Its name.
    pub name: String,
    /// What it is for.
    pub kind: String,
    /// What is not secret of it.
    pub settings: BTreeMap<String, String>,
    /// The names of its secrets.
    pub secrets: Vec<String>,
    /// Secrets that the agent fetches itself.
    pub references: BTreeMap<String, String>,
    /// Whether the secrets can be opened with the key that there is.
    pub is_usable: bool,
    /// The target sets that name it.
    pub used_by: Vec<String>,
    /// When it was last changed.
    pub changed_at: String,
    /// By whom.
    pub changed_by: String,
}

/// A page of credentials, by name.
#[derive(Debug, Serialize, ToSchema)]
pub struct CredentialPage {
    /// The credentials.
    pub credentials: Vec<CredentialAnswer>,
    /// Asks for the next page; empty on the last.
    pub next_page_token: String,
}

/// Where to try a credential.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TestRequest {
    /// Address or name.
    pub address: String,
    /// By which collector, such as `snmp`.
    pub collector: String,
    /// The port, where it is not the protocol's own.
    #[serde(default)]
    pub port: Option<u16>,
    /// From which site; any when missing.
    #[serde(default)]
    pub site: Option<String>,
    /// Options of the collector.
    #[serde(default)]
    pub options: BTreeMap<String, String>,
}

/// What came of trying a credential.
#[derive(Debug, Serialize, ToSchema)]
pub struct TestAnswer {
    /// Whether it was let in.
    pub is_accepted: bool,
    /// What was seen, or why not.
    pub detail: String,
    /// The agent that tried.
    pub agent_id: String,
    /// How long it took, milliseconds.
    pub millis: u64,
}

/// A body of which no error repeats anything.
#[expect(missing_debug_implementations, reason = "it holds secrets")]
pub struct Quiet<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Quiet<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let kind = request.headers().get(header::CONTENT_TYPE);
        if !kind.is_some_and(|kind| kind.as_bytes().starts_with(b"application/json")) {
            let detail = "send the body as JSON, with `content-type: application/json`";
            return Err(ApiError::invalid("content-type", detail));
        }
        let bytes = axum::body::Bytes::from_request(request, state).await;
        let bytes = bytes
            .map_err(|_| ApiError::new(Code::BodyTooLarge, "the body was cut or is too large"))?;
        serde_json::from_slice(&bytes).map(Self).map_err(|error| {
            let (line, column) = (error.line(), error.column());
            let detail = format!(
                "the body does not fit at line {line}, column {column}; it has `kind`, `settings`, `secrets` and `references`, each of names and texts"
            );
            ApiError::invalid("body", detail)
        })
    }
}

/// Credentials, without their secrets.
#[utoipa::path(get, path = "/api/v1/credentials", tag = "targets", params(
    ("page_size" = Option<u32>, Query, description = "From 1 to 500; 100 when missing"),
    ("page_token" = Option<String>, Query, description = "next_page_token of the page before")),
    responses((status = 200, body = CredentialPage), (status = "default", body = Problem)))]
pub async fn list(
    State(app): State<App>,
    caller: Caller,
    mut parameters: Parameters,
) -> Result<Json<CredentialPage>, ApiError> {
    caller.may(Action::CredentialsManage)?;
    let request = PageRequest::take(&mut parameters, "credentials")?;
    parameters.finish()?;
    let size = usize::try_from(request.page.size).unwrap_or(usize::MAX);
    let mut found = app.targets.credentials(request.page.after.as_deref(), size.saturating_add(1));
    let has_more = found.len() > size;
    found.truncate(size);
    let last = found.last().map(|view| view.credential.name.clone());
    Ok(Json(CredentialPage {
        credentials: found.into_iter().map(answer).collect(),
        next_page_token: request.next(last.as_ref(), has_more),
    }))
}

/// One credential, without its secrets.
#[utoipa::path(get, path = "/api/v1/credentials/{name}", tag = "targets", params(
    ("name" = String, Path, description = "Name of the credential"),
    ("if-none-match" = Option<String>, Header, description = "Tag of the answer that is kept")),
    responses((status = 200, body = CredentialAnswer), (status = 304, description = "As it was"),
        (status = "default", body = Problem)))]
pub async fn show(
    State(app): State<App>,
    caller: Caller,
    headers: HeaderMap,
    Path(name): Path<String>,
) -> Result<Response, ApiError> {
    caller.may(Action::CredentialsManage)?;
    let found = app.targets.credential(&name).ok_or_else(|| missing(&name))?;
    conditional::answer(&headers, &answer(found))
}

/// Stores a credential in the place of one with its name; agents that use it get it at once.
#[utoipa::path(put, path = "/api/v1/credentials/{name}", tag = "targets", request_body = CredentialBody, params(
    ("name" = String, Path, description = "Name of the credential: a-z, 0-9, `.`, `_`, `-`")),
    responses((status = 200, body = CredentialAnswer), (status = 201, body = CredentialAnswer),
        (status = "default", body = Problem)))]
pub async fn put(
    State(app): State<App>,
    caller: Caller,
    Path(name): Path<String>,
    Quiet(body): Quiet<CredentialBody>,
) -> Result<(StatusCode, Json<CredentialAnswer>), ApiError> {
    let by = caller.may(Action::CredentialsManage)?;
    let secrets = body.secrets.into_iter();
    let change = CredentialChange {
        credential: CredentialSet {
            name: name.clone(),
            kind: body.kind,
            settings: body.settings,
            references: body.references,
        },
        secrets: secrets.map(|(name, secret)| (name, Zeroizing::new(secret))).collect(),
    };
    let is_new = app.targets.credential_put(change, &by.name).await?;
    let stored = app.targets.credential(&name).ok_or_else(|| missing(&name))?;
    let status = if is_new { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, Json(answer(stored))))
}

/// Removes a credential that no target set names.
#[utoipa::path(delete, path = "/api/v1/credentials/{name}", tag = "targets", params(
    ("name" = String, Path, description = "Name of the credential")),
    responses((status = 204, description = "The credential is gone"), (status = "default", body = Problem)))]
pub async fn delete(
    State(app): State<App>,
    caller: Caller,
    Path(name): Path<String>,
) -> Result<StatusCode, ApiError> {
    let by = caller.may(Action::CredentialsManage)?;
    app.targets.credential_delete(&name, &by.name).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Has an agent try a credential once, at one address.
#[utoipa::path(post, path = "/api/v1/credentials/{name}/test", tag = "targets", request_body = TestRequest, params(
    ("name" = String, Path, description = "Name of the credential")),
    responses((status = 200, body = TestAnswer), (status = "default", body = Problem)))]
pub async fn test(
    State(app): State<App>,
    caller: Caller,
    Path(name): Path<String>,
    super::extract::Body(request): super::extract::Body<TestRequest>,
) -> Result<Json<TestAnswer>, ApiError> {
    let by = caller.may(Action::CredentialsManage)?;
    let request = ProbeRequest {
        credential: name,
        collector: request.collector,
        address: request.address,
        port: request.port,
        site: request.site,
        options: request.options,
    };
    let probed = app.targets.probe(request, &by.name).await?;
    Ok(Json(TestAnswer {
        is_accepted: probed.is_accepted,
        detail: probed.detail,
        agent_id: probed.agent.to_string(),
        millis: probed.millis,
    }))
}

/// What can be done with one of them.
pub fn one() -> MethodRouter<App> {
    get(show).put(put).delete(delete)
}

fn missing(name: &str) -> ApiError {
    TargetsError::NotFound { what: "credential", name: shortened(name) }.into()
}

fn answer(view: CredentialView) -> CredentialAnswer {
    CredentialAnswer {
        name: view.credential.name,
        kind: view.credential.kind,
        settings: view.credential.settings,
        secrets: view.secret_names,
        references: view.credential.references,
        is_usable: view.is_usable,
        used_by: view.used_by,
        changed_at: rfc3339(view.changed_at),
        changed_by: view.changed_by,
    }
}
