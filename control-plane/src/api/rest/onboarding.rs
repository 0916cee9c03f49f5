//! The steps of adding an agent, as they happen.

use super::extract::id;
use crate::api::auth::{Action, Caller};
use crate::api::error::{ApiError, Problem};
use crate::api::moment::rfc3339;
use crate::app::App;
use axum::Json;
use axum::extract::{Path, State};
use model::TokenId;
use serde::Serialize;
use utoipa::ToSchema;

/// One step.
#[derive(Debug, Serialize, ToSchema)]
pub struct StepView {
    /// `connected`, `tls`, `identity` or `first_inventory`.
    pub name: &'static str,
    /// `waiting`, `done` or `failed`.
    pub state: &'static str,
    /// A sentence: what happened, or what to do.
    pub detail: String,
    /// When it came so far.
    pub at: Option<String>,
}

/// Something that may explain why the first step does not come; it belongs to no token for certain.
#[derive(Debug, Serialize, ToSchema)]
pub struct HintView {
    /// What happened and what to do.
    pub detail: String,
    /// When it happened.
    pub at: String,
}

/// How far the newest agent of a join token is.
#[derive(Debug, Serialize, ToSchema)]
pub struct OnboardingView {
    /// The steps in their order.
    pub steps: Vec<StepView>,
    /// The agent, once it has an identity.
    pub agent_id: Option<String>,
    /// The item of its host, once it is described.
    pub item_id: Option<String>,
    /// While no agent has called with the token: machines that reached the control plane and did not recognize it,
    /// the newest first, at most three.
    pub hints: Vec<HintView>,
}

/// How far the newest agent of a join token is.
#[utoipa::path(get, path = "/api/v1/onboarding/{token_id}", tag = "agents", params(
    ("token_id" = String, Path, description = "Id of the join token")),
    responses((status = 200, body = OnboardingView), (status = "default", body = Problem)))]
pub async fn show(
    State(app): State<App>,
    caller: Caller,
    Path(text): Path<String>,
) -> Result<Json<OnboardingView>, ApiError> {
    caller.may(Action::AgentsRead)?;
    let asked: TokenId = id("join token", &text)?;
    let onboarding = app.fleet.onboarding(asked).await?;
    let onboarding = onboarding.ok_or_else(|| ApiError::not_found("join token", &text))?;
    let steps = onboarding.steps.into_iter().map(|step| StepView {
        name: step.name,
        state: step.progress.name(),
        detail: step.detail,
        at: step.at.map(rfc3339),
    });
    let hints = onboarding
        .hints
        .into_iter()
        .map(|hint| HintView { detail: hint.detail, at: rfc3339(hint.at) });
    Ok(Json(OnboardingView {
        steps: steps.collect(),
        agent_id: onboarding.agent.map(|id| id.to_string()),
        item_id: onboarding.item.map(|id| id.to_string()),
        hints: hints.collect(),
    }))
}
