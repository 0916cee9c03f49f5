//! What is held of a scope, and a person's word about it.

use super::extract::Parameters;
use super::findings::NamedItemView;
use super::page::PageRequest;
use crate::api::auth::{Action, Caller};
use crate::api::error::{ApiError, Code, Problem};
use crate::app::App;
use crate::held::{HeldError, HeldId};
use axum::Json;
use axum::extract::{Path, State};
use http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

impl From<HeldError> for ApiError {
    fn from(error: HeldError) -> Self {
        match error {
            HeldError::Unknown => Self::new(Code::NotFound, error.to_string()),
            HeldError::Submit(error) => super::identity::submit_error(error),
            HeldError::Read(error) => error.into(),
        }
    }
}

/// Items that are held.
#[derive(Debug, Serialize, ToSchema)]
pub struct HeldItemPage {
    /// The items of their own; their parts go with them.
    pub items: Vec<NamedItemView>,
    /// How many are held in all.
    pub total: u64,
    /// Asks for the next page; empty on the last.
    pub next_page_token: String,
}

/// What was let go.
#[derive(Debug, Serialize, ToSchema)]
pub struct ApprovedView {
    /// Items that were retired now; what another source still sees stays.
    pub retired: u64,
}

fn held_id(text: &str) -> Result<HeldId, ApiError> {
    text.parse().map_err(ApiError::from)
}

/// The items that are held. Nothing is retired by asking.
#[utoipa::path(get, path = "/api/v1/held-retirements/{id}/items", tag = "findings", params(
    ("id" = String, Path, description = "The id of what is held"),
    ("page_size" = Option<u32>, Query, description = "From 1 to 500; 100 when missing"),
    ("page_token" = Option<String>, Query, description = "next_page_token of the page before")),
    responses((status = 200, body = HeldItemPage), (status = "default", body = Problem)))]
pub async fn items(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    mut parameters: Parameters,
) -> Result<Json<HeldItemPage>, ApiError> {
    caller.may(Action::ItemsRead)?;
    let request = PageRequest::take(&mut parameters, &format!("held items|{id}"))?;
    parameters.finish()?;
    let from = request.page.after.as_deref().unwrap_or("0").parse().map_err(|_| {
        ApiError::new(Code::PageTokenMismatch, "the page token was cut; ask again without it")
    })?;
    let size = usize::try_from(request.page.size).unwrap_or(usize::MAX);
    let found = app.held.items(held_id(&id)?, from, size).await?;
    let next = found.next.map(|next| next.to_string());
    Ok(Json(HeldItemPage {
        items: found.items.iter().map(Into::into).collect(),
        total: found.total,
        next_page_token: request.next(next.as_ref(), next.is_some()),
    }))
}

/// Lets it happen: exactly what was held and was not seen since is taken out, and what no other source sees is retired
/// now. It keeps its id for the day on which it comes back.
#[utoipa::path(post, path = "/api/v1/held-retirements/{id}/approve", tag = "findings", params(
    ("id" = String, Path, description = "The id of what is held")),
    responses((status = 200, body = ApprovedView), (status = "default", body = Problem)))]
pub async fn approve(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<ApprovedView>, ApiError> {
    let by = caller.known()?;
    by.may(Action::RetirementsDecide)?;
    let retired = app.held.approve(held_id(&id)?, &by.name).await?;
    Ok(Json(ApprovedView { retired: u64::try_from(retired).unwrap_or(u64::MAX) }))
}

/// Leaves everything as it is until the next complete look, which is judged anew.
#[utoipa::path(post, path = "/api/v1/held-retirements/{id}/dismiss", tag = "findings", params(
    ("id" = String, Path, description = "The id of what is held")),
    responses((status = 204), (status = "default", body = Problem)))]
pub async fn dismiss(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<StatusCode, ApiError> {
    let by = caller.known()?;
    by.may(Action::RetirementsDecide)?;
    app.held.dismiss(held_id(&id)?, &by.name).await?;
    Ok(StatusCode::NO_CONTENT)
}
