//! Setting up, logging in and out, and who is logged in.

use super::extract::Body;
use crate::api::auth::{Caller, OpenedSession, SESSION_COOKIE, SESSION_LIFE};
use crate::api::error::{ApiError, Problem};
use crate::app::App;
use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A person who is logged in.
#[derive(Debug, Serialize, ToSchema)]
pub struct Person {
    /// Their name.
    pub name: String,
    /// `admin`, `editor` or `viewer`.
    pub role: &'static str,
}

/// Who is logged in.
#[derive(Debug, Serialize, ToSchema)]
pub struct Session {
    /// Whether nobody is set up yet: the setup code is asked for.
    pub setup_needed: bool,
    /// Who is logged in.
    pub user: Option<Person>,
}

/// The setup code with the first administrator's name and password.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(missing_debug_implementations, reason = "it holds a secret")]
pub struct SetupRequest {
    /// The code that the control plane printed.
    pub code: String,
    /// What to log in with.
    pub name: String,
    /// At least ten characters.
    pub password: String,
}

/// A name and a password.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(missing_debug_implementations, reason = "it holds a secret")]
pub struct LoginRequest {
    /// The name.
    pub name: String,
    /// The password.
    pub password: String,
}

/// Who is logged in, and whether the control plane is set up.
#[utoipa::path(get, path = "/api/v1/session", tag = "session", security(()),
    responses((status = 200, body = Session), (status = "default", body = Problem)))]
pub async fn show(State(app): State<App>, caller: Caller) -> Result<Response, ApiError> {
    let session = Session {
        setup_needed: app.accounts.is_setup_needed().await?,
        user: caller
            .principal
            .map(|principal| Person { name: principal.name, role: principal.role.role() }),
    };
    let mut response = Json(session).into_response();
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

/// Sets a password by a setup code, and logs in.
#[utoipa::path(post, path = "/api/v1/setup", tag = "session", security(()), request_body = SetupRequest,
    responses((status = 200, body = Session), (status = "default", body = Problem)))]
pub async fn set_up(
    State(app): State<App>,
    caller: Caller,
    Body(request): Body<SetupRequest>,
) -> Result<Response, ApiError> {
    let opened =
        app.accounts.set_up(&request.code, &request.name, request.password, caller.address).await?;
    Ok(opened_response(&app, opened))
}

/// Logs a person in.
#[utoipa::path(post, path = "/api/v1/login", tag = "session", security(()), request_body = LoginRequest,
    responses((status = 200, body = Session), (status = "default", body = Problem)))]
pub async fn log_in(
    State(app): State<App>,
    caller: Caller,
    Body(request): Body<LoginRequest>,
) -> Result<Response, ApiError> {
    let opened = app.accounts.log_in(&request.name, request.password, caller.address).await?;
    Ok(opened_response(&app, opened))
}

/// Ends the session.
#[utoipa::path(post, path = "/api/v1/logout", tag = "session",
    responses((status = 204, description = "The session has ended"), (status = "default", body = Problem)))]
pub async fn log_out(State(app): State<App>, caller: Caller) -> Result<Response, ApiError> {
    if let Some(principal) = &caller.principal {
        app.accounts.log_out(principal).await?;
    }
    let mut response = StatusCode::NO_CONTENT.into_response();
    set_cookie(&app, &mut response, "", 0);
    Ok(response)
}

fn opened_response(app: &App, opened: OpenedSession) -> Response {
    let user = Person { name: opened.principal.name, role: opened.principal.role.role() };
    let mut response = Json(Session { setup_needed: false, user: Some(user) }).into_response();
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    set_cookie(app, &mut response, &opened.secret, SESSION_LIFE.as_secs());
    response
}

/// Over TLS the cookie never leaves TLS; on loopback there is none.
fn set_cookie(app: &App, response: &mut Response, secret: &str, life_seconds: u64) {
    let secure = if app.options.is_remote { "; Secure" } else { "" };
    let cookie = format!(
        "{SESSION_COOKIE}={secret}; Path=/; HttpOnly; SameSite=Strict; Max-Age={life_seconds}{secure}"
    );
    if let Ok(value) = HeaderValue::from_str(&cookie) {
        response.headers_mut().insert(header::SET_COOKIE, value);
    }
}
