//! Why the winning value of an attribute wins: what each source's word counts, and which rule chose among them.

use super::extract::{Parameters, id};
use crate::api::auth::{Action, Caller};
use crate::api::error::{ApiError, Problem};
use crate::api::moment::rfc3339;
use crate::api::view::SourceView;
use crate::app::App;
use axum::Json;
use axum::extract::{Path, State};
use model::ItemId;
use model::fold::Reason;
use serde::Serialize;
use store::identity::Why;
use utoipa::ToSchema;

/// What one source's word counts.
#[derive(Debug, Serialize, ToSchema)]
pub struct StandingView {
    /// Who says it.
    pub source: SourceView,
    /// How much the source is believed, from 0 to 100.
    pub trust: u8,
    /// Half-lives since its last confirmation, measured against the newest one of the item; from one on it is stale.
    pub half_lives: u32,
    /// Sources that say the same, itself included.
    pub agreeing: u64,
    /// Trust, freshness and agreement together, in thousandths.
    pub score_thousandths: u64,
}

/// Why the winning value of an attribute wins.
#[derive(Debug, Serialize, ToSchema)]
pub struct WhyView {
    /// `lock`, `alone`, `frozen`, `absent`, `union`, or `strategy` when the policy's strategy chose.
    pub reason: &'static str,
    /// The strategy of the attribute's policy.
    pub strategy: &'static str,
    /// The version of all policies.
    pub policies: String,
    /// The words of the sources, the best first.
    pub words: Vec<StandingView>,
    /// When time alone may make another value win, as far as sources are still confirmed then.
    pub turns_at: Option<String>,
}

impl From<Why> for WhyView {
    fn from(why: Why) -> Self {
        Self {
            reason: match why.reason {
                Reason::Lock => "lock",
                Reason::Alone => "alone",
                Reason::Frozen => "frozen",
                Reason::Absent => "absent",
                Reason::Union => "union",
                Reason::Strategy(_) => "strategy",
            },
            strategy: why.strategy.name(),
            policies: why.policies,
            words: why
                .words
                .iter()
                .map(|word| StandingView {
                    source: (&word.source).into(),
                    trust: word.trust,
                    half_lives: word.halvings,
                    agreeing: word.agreeing,
                    score_thousandths: word.score_thousandths,
                })
                .collect(),
            turns_at: why.turns_at.map(rfc3339),
        }
    }
}

/// Why the winning value of an attribute wins.
#[utoipa::path(get, path = "/api/v1/items/{id}/attributes/{attribute}/explanation", tag = "items",
    params(("id" = String, Path, description = "Id of the item"),
        ("attribute" = String, Path, description = "Name of the attribute")),
    responses((status = 200, body = WhyView), (status = "default", body = Problem)))]
pub async fn show(
    State(app): State<App>,
    caller: Caller,
    Path((item, attribute)): Path<(String, String)>,
    parameters: Parameters,
) -> Result<Json<WhyView>, ApiError> {
    caller.may(Action::ItemsRead)?;
    parameters.finish()?;
    let item = id::<ItemId>("id", &item)?;
    let found = app.identity_store.why(item, attribute.clone().into()).await?;
    let why = found.ok_or_else(|| ApiError::not_found("attribute", &attribute))?;
    Ok(Json(why.into()))
}
