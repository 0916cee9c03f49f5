//! How much there is.

use super::extract::{MomentParameter, Parameters};
use super::filter::{self, FilterParameters};
use crate::api::auth::{Action, Caller};
use crate::api::error::{ApiError, Problem};
use crate::api::moment;
use crate::app::App;
use axum::Json;
use axum::extract::State;
use model::query::Filter;
use serde::Serialize;
use utoipa::ToSchema;

/// How many items of one class there are.
#[derive(Debug, Serialize, ToSchema)]
pub struct ClassCount {
    /// The class.
    pub class: String,
    /// How many, exactly.
    pub count: u64,
}

/// How many agents there are.
#[derive(Debug, Serialize, ToSchema)]
pub struct AgentCounts {
    /// With an open stream.
    pub connected: u64,
    /// Enrolled and not revoked.
    pub total: u64,
}

/// How much there is.
#[derive(Debug, Serialize, ToSchema)]
pub struct Counts {
    /// Items that match, exactly.
    pub total: u64,
    /// By class, most first; as if no class were asked for, so that a list of classes keeps all of them.
    pub classes: Vec<ClassCount>,
    /// Agents.
    pub agents: AgentCounts,
}

/// Exact counts of items, now or at a moment, and of agents as they are now; takes the filter of `/api/v1/items`.
#[utoipa::path(get, path = "/api/v1/counts", tag = "items", params(
    FilterParameters,
    MomentParameter),
    responses((status = 200, body = Counts), (status = "default", body = Problem)))]
pub async fn show(
    State(app): State<App>,
    caller: Caller,
    mut parameters: Parameters,
) -> Result<Json<Counts>, ApiError> {
    caller.may(Action::ItemsRead)?;
    let filter = filter::take(&mut parameters, &app.catalog)?;
    let at = moment::at(parameters.one("at")?.as_deref())?;
    parameters.finish()?;
    let every_class = Filter { classes: Vec::new(), ..filter.clone() };
    let classes = app.items.class_counts(&every_class, at).await?;
    let total = if filter == every_class {
        classes.iter().map(|(_, count)| count).sum()
    } else {
        app.items.count(&filter, at).await?
    };
    Ok(Json(Counts {
        total,
        classes: classes
            .into_iter()
            .map(|(class, count)| ClassCount { class: class.into_owned(), count })
            .collect(),
        agents: AgentCounts {
            connected: u64::try_from(app.streams.count()).unwrap_or(u64::MAX),
            total: app.fleet.agent_count().await?,
        },
    }))
}
