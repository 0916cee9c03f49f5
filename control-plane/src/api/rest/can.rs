//! What the caller may do, with the reason when they may not: what a page shows on a button that it disables.
//!
//! The answer comes from the same place that later decides, so that no page promises what is then refused.
//!
//! Deliberately not here: anything about one item, agent or token. Rights are the same for all of them, but for
//! tokens of one's own, which are an action of their own.

use super::extract::Parameters;
use crate::api::auth::{Action, Caller};
use crate::api::error::{ApiError, Problem, shortened};
use axum::Json;
use http::{HeaderName, HeaderValue, header};
use serde::Serialize;
use utoipa::ToSchema;

/// Whether the caller may do something.
#[derive(Debug, Serialize, ToSchema)]
pub struct Answer {
    /// What is asked about.
    pub action: &'static str,
    /// Whether they may.
    pub is_allowed: bool,
    /// The code that they would be refused with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<&'static str>,
    /// A sentence: why not, and what to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// What the caller may do.
#[derive(Debug, Serialize, ToSchema)]
pub struct Answers {
    /// One for each action that was asked about, in the order of the list of all.
    pub actions: Vec<Answer>,
}

/// What the caller may do, and why not what they may not.
#[utoipa::path(get, path = "/api/v1/can", tag = "session", params(
    ("action" = Option<String>, Query, description = "Names of actions, separated by commas: items_read, identity_decide, retirements_decide, identity_rules, values_fix, agents_read, agents_revoke, targets_read, targets_run, targets_manage, credentials_manage, join_tokens_manage, own_tokens_manage, all_tokens_manage; without it, all")),
    responses((status = 200, body = Answers), (status = "default", body = Problem)))]
pub async fn show(
    caller: Caller,
    mut parameters: Parameters,
) -> Result<([(HeaderName, HeaderValue); 1], Json<Answers>), ApiError> {
    let by = caller.known()?;
    let names = parameters.list("action");
    parameters.finish()?;
    if let Some(unknown) = names.iter().find(|name| Action::from_name(name).is_none()) {
        let known: Vec<&str> = Action::ALL.iter().map(|action| action.name()).collect();
        let detail =
            format!("there is no action `{}`; there is: {}", shortened(unknown), known.join(", "));
        return Err(ApiError::invalid("action", detail));
    }
    let is_asked =
        |action: &Action| names.is_empty() || names.iter().any(|name| name == action.name());
    let actions = Action::ALL
        .into_iter()
        .filter(is_asked)
        .map(|action| {
            let refused = by.may(action).err();
            Answer {
                action: action.name(),
                is_allowed: refused.is_none(),
                code: refused.as_ref().map(|error| error.code.name()),
                reason: refused.map(|error| error.detail),
            }
        })
        .collect();
    // Rights can be taken at any time.
    let fresh = [(header::CACHE_CONTROL, HeaderValue::from_static("no-store"))];
    Ok((fresh, Json(Answers { actions })))
}
