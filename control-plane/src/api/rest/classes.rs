//! The class catalog.

use crate::api::auth::{Action, Caller};
use crate::api::error::{ApiError, Problem};
use crate::api::view::{ClassView, RelationshipView};
use crate::app::App;
use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

/// Everything that is declared.
#[derive(Debug, Serialize, ToSchema)]
pub struct CatalogView {
    /// The classes, by name.
    pub classes: Vec<ClassView>,
    /// The relationships.
    pub relationships: Vec<RelationshipView>,
}

/// The declared classes with their attributes, and the relationships.
#[utoipa::path(get, path = "/api/v1/classes", tag = "catalog", responses(
    (status = 200, body = CatalogView), (status = "default", body = Problem)))]
pub async fn list(State(app): State<App>, caller: Caller) -> Result<Json<CatalogView>, ApiError> {
    caller.may(Action::ItemsRead)?;
    Ok(Json(CatalogView {
        classes: app.catalog.classes().map(Into::into).collect(),
        relationships: model::relationships::ALL.iter().copied().map(Into::into).collect(),
    }))
}
