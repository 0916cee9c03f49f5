//! Configuration items and what they relate to.

use super::conditional;
use super::extract::{MomentParameter, Parameters, id};
use super::filter::{self, FilterParameters};
use super::page::{PageParameters, PageRequest};
use crate::api::auth::{Action, Caller};
use crate::api::error::{ApiError, Problem};
use crate::api::moment;
use crate::api::view::{ItemView, RelationView, ScopeView};
use crate::app::App;
use axum::Json;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Redirect, Response};
use http::HeaderMap;
use model::{ItemId, Name};
use serde::Serialize;
use utoipa::ToSchema;

/// Relationships that may be named at once.
const VERBS_MAX: usize = 32;

/// A page of items.
#[derive(Debug, Serialize, ToSchema)]
pub struct ItemPage {
    /// The items.
    pub items: Vec<ItemView>,
    /// Asks for the next page; empty on the last.
    pub next_page_token: String,
}

/// A page of relationships.
#[derive(Debug, Serialize, ToSchema)]
pub struct RelationPage {
    /// The relationships.
    pub relations: Vec<RelationView>,
    /// Asks for the next page; empty on the last.
    pub next_page_token: String,
}

/// The scopes of an item.
#[derive(Debug, Serialize, ToSchema)]
pub struct Scopes {
    /// The scopes.
    pub scopes: Vec<ScopeView>,
}

/// Items that match a filter.
#[utoipa::path(get, path = "/api/v1/items", tag = "items", params(
    FilterParameters,
    ("order" = Option<String>, Query, description = "title, changed or class"),
    MomentParameter,
    PageParameters),
    responses((status = 200, body = ItemPage), (status = "default", body = Problem)))]
pub async fn list(
    State(app): State<App>,
    caller: Caller,
    mut parameters: Parameters,
) -> Result<Json<ItemPage>, ApiError> {
    caller.may(Action::ItemsRead)?;
    let filter = filter::take(&mut parameters, &app.catalog)?;
    let order = filter::take_order(&mut parameters)?;
    let at = moment::at(parameters.one("at")?.as_deref())?;
    let question = filter::question(&filter, &format!("items|{order:?}|{at:?}"));
    let request = PageRequest::take(&mut parameters, &question)?;
    parameters.finish()?;
    let found = app.items.find(&filter, order, &request.page, at).await?;
    Ok(Json(ItemPage {
        next_page_token: request
            .next(found.entries.last().map(|(cursor, _)| cursor), found.has_more),
        items: found.entries.iter().map(|(_, item)| item.into()).collect(),
    }))
}

/// One item. The id of an item that was merged into another leads to that one.
#[utoipa::path(get, path = "/api/v1/items/{id}", tag = "items", params(
    ("id" = String, Path, description = "Id of the item"),
    MomentParameter,
    ("if-none-match" = Option<String>, Header, description = "The `etag` of an answer that the caller has")),
    responses((status = 200, body = ItemView, headers(("etag" = String, description = "Changes when the answer does"))),
        (status = 304, description = "The answer is the one that `if-none-match` names"), (status = 307, description = "The item was merged; the header `location` names what is left. A merge can be taken back"),
        (status = "default", body = Problem)))]
pub async fn show(
    State(app): State<App>,
    caller: Caller,
    Path(text): Path<String>,
    headers: HeaderMap,
    mut parameters: Parameters,
) -> Result<Response, ApiError> {
    caller.may(Action::ItemsRead)?;
    let at_text = parameters.one("at")?;
    let at = moment::at(at_text.as_deref())?;
    parameters.finish()?;
    let asked: ItemId = id("item", &text)?;
    let item =
        app.items.item(asked, at).await?.ok_or_else(|| ApiError::not_found("item", &text))?;
    if item.id != asked {
        let at = at_text.map(|at| format!("?at={at}")).unwrap_or_default();
        return Ok(Redirect::temporary(&format!("/api/v1/items/{}{at}", item.id)).into_response());
    }
    conditional::answer(&headers, &ItemView::from(&item))
}

/// What an item relates to, in both directions.
#[utoipa::path(get, path = "/api/v1/items/{id}/relations", tag = "items", params(
    ("id" = String, Path, description = "Id of the item"),
    ("verb" = Option<String>, Query, description = "Names of relationships, separated by commas; without it, all"),
    MomentParameter,
    PageParameters),
    responses((status = 200, body = RelationPage), (status = "default", body = Problem)))]
pub async fn relations(
    State(app): State<App>,
    caller: Caller,
    Path(text): Path<String>,
    mut parameters: Parameters,
) -> Result<Json<RelationPage>, ApiError> {
    caller.may(Action::ItemsRead)?;
    let asked: ItemId = id("item", &text)?;
    let verbs = verbs(&app, parameters.list("verb"))?;
    let at = moment::at(parameters.one("at")?.as_deref())?;
    let question = format!("relations|{asked}|{verbs:?}|{at:?}");
    let request = PageRequest::take(&mut parameters, &question)?;
    parameters.finish()?;
    let item =
        app.items.item(asked, at).await?.ok_or_else(|| ApiError::not_found("item", &text))?;
    let found = app.items.related(item.id, &verbs, &request.page, at).await?;
    Ok(Json(RelationPage {
        next_page_token: request
            .next(found.entries.last().map(|(cursor, _)| cursor), found.has_more),
        relations: found.entries.iter().map(|(_, related)| related.into()).collect(),
    }))
}

/// How completely the sources of an item were seen.
#[utoipa::path(get, path = "/api/v1/items/{id}/scopes", tag = "items", params(
    ("id" = String, Path, description = "Id of the item")),
    responses((status = 200, body = Scopes), (status = "default", body = Problem)))]
pub async fn scopes(
    State(app): State<App>,
    caller: Caller,
    Path(text): Path<String>,
) -> Result<Json<Scopes>, ApiError> {
    caller.may(Action::ItemsRead)?;
    let asked: ItemId = id("item", &text)?;
    let item = app
        .items
        .item(asked, model::query::At::Now)
        .await?
        .ok_or_else(|| ApiError::not_found("item", &text))?;
    let scopes = app.items.scopes(item.id).await?;
    Ok(Json(Scopes { scopes: scopes.iter().map(Into::into).collect() }))
}

/// The relationships of these names, or of their inverses.
///
/// # Errors
/// `VALIDATION_FAILED`.
pub fn verbs(app: &App, names: Vec<String>) -> Result<Vec<Name>, ApiError> {
    if names.len() > VERBS_MAX {
        let detail = format!("at most {VERBS_MAX} relationships can be named");
        return Err(ApiError::invalid("verb", detail));
    }
    names
        .into_iter()
        .map(|name| match app.catalog.relationship(&name) {
            Some(relationship) => Ok(relationship.as_name()),
            None => {
                let detail = format!(
                    "there is no relationship `{}`; /api/v1/classes lists them",
                    crate::api::error::shortened(&name)
                );
                Err(ApiError::invalid("verb", detail))
            }
        })
        .collect()
}
