//! What a person should look at: disappearances that are held, and items that may be one. To read only; `held` and
//! `review` decide.

use super::extract::{Parameters, id};
use super::page::{PageParameters, PageRequest};
use crate::api::auth::{Action, Caller};
use crate::api::error::{ApiError, Problem};
use crate::api::moment::rfc3339;
use crate::api::view::SourceView;
use crate::app::App;
use crate::held::HeldId;
use axum::Json;
use axum::extract::State;
use serde::Serialize;
use store::findings::{HeldRetirement, NamedItem, PossibleDuplicate};
use utoipa::ToSchema;

/// A disappearance that is held: a look missed so much of its scope at once that nothing was retired.
#[derive(Debug, Serialize, ToSchema)]
pub struct HeldRetirementView {
    /// By what a person decides about it.
    pub id: String,
    /// Who looked.
    pub source: SourceView,
    /// The scope that held much less than before.
    pub scope: String,
    /// The agent that carries the scope.
    pub agent_id: String,
    /// When it was held last.
    pub held_at: String,
    /// How many items would have gone.
    pub count: u64,
    /// Of how many.
    pub of: u64,
}

impl From<&HeldRetirement> for HeldRetirementView {
    fn from(held: &HeldRetirement) -> Self {
        Self {
            id: HeldId { scope: held.number, at: held.at }.to_string(),
            source: (&held.source).into(),
            scope: held.scope.to_string(),
            agent_id: held.agent.to_string(),
            held_at: rfc3339(held.at),
            count: held.count,
            of: held.of,
        }
    }
}

/// A page of held disappearances.
#[derive(Debug, Serialize, ToSchema)]
pub struct HeldRetirementPage {
    /// The disappearances.
    pub held_retirements: Vec<HeldRetirementView>,
    /// Asks for the next page; empty on the last.
    pub next_page_token: String,
}

/// An item of a finding.
#[derive(Debug, Serialize, ToSchema)]
pub struct NamedItemView {
    /// Its id.
    pub id: String,
    /// Its class.
    pub class: String,
    /// What a person calls it.
    pub title: String,
    /// Where it is in its life.
    pub state: &'static str,
}

impl From<&NamedItem> for NamedItemView {
    fn from(item: &NamedItem) -> Self {
        Self {
            id: item.id.to_string(),
            class: item.class.to_string(),
            title: item.title.clone(),
            state: item.state.name(),
        }
    }
}

/// Two items that may be one: too much speaks for it to ignore, too little to decide.
#[derive(Debug, Serialize, ToSchema)]
pub struct PossibleDuplicateView {
    /// The newer item.
    pub item: NamedItemView,
    /// The older item.
    pub other: NamedItemView,
    /// How much speaks for it, in bits.
    pub bits: i32,
    /// When it was noted.
    pub found_at: String,
}

impl From<&PossibleDuplicate> for PossibleDuplicateView {
    fn from(possible: &PossibleDuplicate) -> Self {
        Self {
            item: (&possible.item).into(),
            other: (&possible.other).into(),
            bits: possible.bits,
            found_at: rfc3339(possible.at),
        }
    }
}

/// A page of items that may be one.
#[derive(Debug, Serialize, ToSchema)]
pub struct PossibleDuplicatePage {
    /// The pairs.
    pub possible_duplicates: Vec<PossibleDuplicateView>,
    /// Asks for the next page; empty on the last.
    pub next_page_token: String,
}

/// Disappearances that are held now. A later complete look that misses less settles one.
#[utoipa::path(get, path = "/api/v1/held-retirements", tag = "findings", params(
    ("agent" = Option<String>, Query, description = "Only of the scopes that this agent carries"),
    PageParameters),
    responses((status = 200, body = HeldRetirementPage), (status = "default", body = Problem)))]
pub async fn held_retirements(
    State(app): State<App>,
    caller: Caller,
    mut parameters: Parameters,
) -> Result<Json<HeldRetirementPage>, ApiError> {
    caller.may(Action::ItemsRead)?;
    let agent = parameters.one("agent")?.map(|text| id("agent", &text)).transpose()?;
    let request = PageRequest::take(&mut parameters, &format!("held retirements|{agent:?}"))?;
    parameters.finish()?;
    let found = app.findings.held_retirements(agent, &request.page).await?;
    Ok(Json(HeldRetirementPage {
        next_page_token: request
            .next(found.entries.last().map(|(cursor, _)| cursor), found.has_more),
        held_retirements: found.entries.iter().map(|(_, held)| held.into()).collect(),
    }))
}

/// Items that may be one, the newest first, without those of which one is retired.
#[utoipa::path(get, path = "/api/v1/possible-duplicates", tag = "findings", params(
    ("item" = Option<String>, Query, description = "Only pairs with this item"),
    PageParameters),
    responses((status = 200, body = PossibleDuplicatePage), (status = "default", body = Problem)))]
pub async fn possible_duplicates(
    State(app): State<App>,
    caller: Caller,
    mut parameters: Parameters,
) -> Result<Json<PossibleDuplicatePage>, ApiError> {
    caller.may(Action::ItemsRead)?;
    let item = parameters.one("item")?.map(|text| id("item", &text)).transpose()?;
    let request = PageRequest::take(&mut parameters, &format!("possible duplicates|{item:?}"))?;
    parameters.finish()?;
    let found = app.findings.possible_duplicates(item, None, &request.page).await?;
    Ok(Json(PossibleDuplicatePage {
        next_page_token: request
            .next(found.entries.last().map(|(cursor, _)| cursor), found.has_more),
        possible_duplicates: found.entries.iter().map(|(_, pair)| pair.into()).collect(),
    }))
}
