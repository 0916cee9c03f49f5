//! GraphQL, built from the class catalog: one type per class, one field per attribute.
//!
//! Invariants: nobody who is not known asks anything; a query is measured before it runs ([`cost`]) and refused with
//! its cost; a list has a size that the caller names; every error has a code of the catalog.
//!
//! Deliberately without mutations: everything that changes something is REST.

mod agents;
mod changes;
mod classes;
mod cost;
mod execute;
mod findings;
mod history;
mod item_type;
mod items;
mod lists;
mod loader;
mod names;
mod schema;
mod topology;
mod values;
mod websocket;

pub use schema::sdl;

use crate::api::auth::layer::Caller;
use crate::api::error::{ApiError, Code};
use crate::api::rest::extract::Body;
use crate::app::App;
use async_graphql::Request;
use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use execute::Executor;
use http::{HeaderValue, StatusCode, header};
use std::sync::Arc;

/// The paths of GraphQL.
///
/// # Errors
/// When the declared classes do not make a schema.
pub fn router(app: &App) -> Result<Router<App>, String> {
    let schema = schema::build(&app.catalog)?;
    let schema = Arc::new(schema);
    let for_socket = Arc::clone(&schema);
    let ask = move |State(app): State<App>, caller: Caller, Body(request): Body<Request>| {
        let schema = Arc::clone(&schema);
        async move { answer(&schema, app, caller, request).await }
    };
    let upgrade = move |State(app): State<App>, caller: Caller, headers, upgrade| {
        let schema = Arc::clone(&for_socket);
        async move { websocket::accept(&schema, app, caller, headers, upgrade) }
    };
    Ok(Router::new().route("/graphql", post(ask)).route("/graphql/ws", get(upgrade)))
}

async fn answer(
    schema: &async_graphql::dynamic::Schema,
    app: App,
    caller: Caller,
    request: Request,
) -> Response {
    let executor = Executor::new(schema.clone(), app, caller);
    let answer = executor.ask(request).await;
    let status = status_of(&answer);
    let body = serde_json::to_vec(&answer).unwrap_or_default();
    let mut response = (status, body).into_response();
    let headers = response.headers_mut();
    let kind = HeaderValue::from_static("application/graphql-response+json; charset=utf-8");
    headers.insert(header::CONTENT_TYPE, kind);
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// An answer without data has the status of its first error, as over REST; one with data is a success.
fn status_of(answer: &async_graphql::Response) -> StatusCode {
    if answer.data != async_graphql::Value::Null {
        return StatusCode::OK;
    }
    let code = answer.errors.first().and_then(execute::code_of);
    code.and_then(|name| Code::ALL.iter().find(|code| code.name() == name))
        .and_then(|code| StatusCode::from_u16(code.http_status()).ok())
        .unwrap_or(StatusCode::OK)
}

/// The app that a resolver works with.
fn app<'a>(context: &'a async_graphql::Context<'_>) -> Result<&'a App, ApiError> {
    context.data::<App>().map_err(|_| ApiError::new(Code::Internal, "the query has nothing to ask"))
}

/// The answer of a field that may be null: what went wrong stands among the errors, and the rest of the query goes on.
fn or_null<T>(
    context: &async_graphql::Context<'_>,
    answer: async_graphql::Result<Option<T>>,
) -> async_graphql::Result<Option<T>> {
    answer.or_else(|error| {
        let error = error.into_server_error(context.item.pos);
        context.add_error(context.set_error_path(error));
        Ok(None)
    })
}
