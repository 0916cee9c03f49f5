//! History: of everything, and of one item.

use super::extract::{Parameters, id};
use super::filter;
use super::page::{PageParameters, PageRequest};
use crate::api::auth::{Action, Caller};
use crate::api::error::{ApiError, Problem};
use crate::api::moment;
use crate::api::view::ChangeView;
use crate::app::App;
use axum::Json;
use axum::extract::{Path, State};
use model::query::{At, ChangeFilter};
use model::{ItemId, Revision};
use serde::Serialize;
use utoipa::ToSchema;

/// A page of history, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub struct ChangePage {
    /// The changes.
    pub changes: Vec<ChangeView>,
    /// Asks for the next page; empty on the last.
    pub next_page_token: String,
}

/// The parameters of a list of changes, beside those of its pages.
#[derive(Debug, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ChangeParameters {
    /// Names of classes, separated by commas
    pub class: Option<String>,
    /// Observed at or after this moment, RFC 3339
    pub since: Option<String>,
    /// Committed after this revision
    pub after_revision: Option<u64>,
}

/// What changed, newest first.
#[utoipa::path(get, path = "/api/v1/changes", tag = "history", params(
    ChangeParameters,
    PageParameters),
    responses((status = 200, body = ChangePage), (status = "default", body = Problem)))]
pub async fn list(
    State(app): State<App>,
    caller: Caller,
    parameters: Parameters,
) -> Result<Json<ChangePage>, ApiError> {
    caller.may(Action::ItemsRead)?;
    page(&app, ChangeFilter::default(), parameters).await
}

/// What changed of one item, newest first.
#[utoipa::path(get, path = "/api/v1/items/{id}/changes", tag = "history", params(
    ("id" = String, Path, description = "Id of the item"),
    ("with_parts" = Option<bool>, Query, description = "With the changes of its parts"),
    ChangeParameters,
    PageParameters),
    responses((status = 200, body = ChangePage), (status = "default", body = Problem)))]
pub async fn of_item(
    State(app): State<App>,
    caller: Caller,
    Path(text): Path<String>,
    mut parameters: Parameters,
) -> Result<Json<ChangePage>, ApiError> {
    caller.may(Action::ItemsRead)?;
    let asked: ItemId = id("item", &text)?;
    let item = app.items.item(asked, At::Now).await?;
    let item = item.ok_or_else(|| ApiError::not_found("item", &text))?;
    let filter = ChangeFilter {
        item: Some(item.id),
        with_parts: parameters.flag("with_parts")?,
        ..ChangeFilter::default()
    };
    page(&app, filter, parameters).await
}

async fn page(
    app: &App,
    mut filter: ChangeFilter,
    mut parameters: Parameters,
) -> Result<Json<ChangePage>, ApiError> {
    filter.classes = filter::classes(parameters.list("class"), &app.catalog)?;
    if let Some(since) = parameters.one("since")? {
        filter.since = Some(moment::parse("since", &since)?);
    }
    if let Some(after) = parameters.one("after_revision")? {
        let after = after.parse().map_err(|_| {
            ApiError::invalid("after_revision", "`after_revision` is a whole number")
        })?;
        filter.after_revision = Some(Revision(after));
    }
    let request = PageRequest::take(&mut parameters, &format!("changes|{filter:?}"))?;
    parameters.finish()?;
    let found = app.items.changes(&filter, &request.page).await?;
    Ok(Json(ChangePage {
        next_page_token: request
            .next(found.entries.last().map(|(cursor, _)| cursor), found.has_more),
        changes: found.entries.iter().map(|(_, change)| change.into()).collect(),
    }))
}
