//! Agents: the list, one of them, and cutting one off.

use super::extract::{Parameters, id};
use super::page::{PageParameters, PageRequest};
use crate::api::auth::{Action, Caller};
use crate::api::error::{ApiError, Problem};
use crate::api::moment::rfc3339;
use crate::api::view::ScopeView;
use crate::app::App;
use axum::Json;
use axum::extract::{Path, State};
use http::StatusCode;
use model::AgentId;
use serde::Serialize;
use std::collections::BTreeMap;
use store::fleet::AgentRecord;
use utoipa::ToSchema;

/// An agent.
#[derive(Debug, Serialize, ToSchema)]
pub struct AgentView {
    /// Its id.
    pub id: String,
    /// What a person calls it.
    pub name: String,
    /// Its site.
    pub site: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Version of its program.
    pub version: String,
    /// `connected`, `disconnected` or `revoked`.
    pub state: &'static str,
    /// When it joined.
    pub enrolled_at: String,
    /// When it was last in contact.
    pub last_seen: String,
    /// When its certificate ends; it renews before.
    pub certificate_expires: String,
    /// From where it was last in contact.
    pub address: String,
    /// The item of its host, once it is described.
    pub item_id: Option<String>,
    /// What it, or the control plane about it, complains of, in sentences.
    pub complaints: Vec<String>,
    /// How completely it sees its host; only when one agent is asked for.
    pub scopes: Vec<ScopeView>,
}

/// A page of agents.
#[derive(Debug, Serialize, ToSchema)]
pub struct AgentPage {
    /// The agents.
    pub agents: Vec<AgentView>,
    /// Asks for the next page; empty on the last.
    pub next_page_token: String,
}

/// Agents, in the order in which they joined.
#[utoipa::path(get, path = "/api/v1/agents", tag = "agents", params(
    PageParameters),
    responses((status = 200, body = AgentPage), (status = "default", body = Problem)))]
pub async fn list(
    State(app): State<App>,
    caller: Caller,
    mut parameters: Parameters,
) -> Result<Json<AgentPage>, ApiError> {
    caller.may(Action::AgentsRead)?;
    let request = PageRequest::take(&mut parameters, "agents")?;
    parameters.finish()?;
    let after = match &request.page.after {
        None => None,
        Some(cursor) => Some(id::<AgentId>("agent", cursor)?),
    };
    let (agents, has_more) = page(&app, after, request.page.size).await?;
    let mut views = Vec::with_capacity(agents.len());
    for agent in &agents {
        views.push(view(&app, agent).await?);
    }
    let last = agents.last().map(|agent| agent.id.to_string());
    Ok(Json(AgentPage { agents: views, next_page_token: request.next(last.as_ref(), has_more) }))
}

/// Agents behind one, and whether more follow.
///
/// # Errors
/// When the store does not answer.
pub async fn page(
    app: &App,
    after: Option<AgentId>,
    size: u32,
) -> Result<(Vec<AgentRecord>, bool), ApiError> {
    let mut agents = app.fleet.agents(after, size.saturating_add(1)).await?;
    let size = usize::try_from(size).unwrap_or(usize::MAX);
    let has_more = agents.len() > size;
    agents.truncate(size);
    Ok((agents, has_more))
}

/// One agent, with how completely it sees its host.
#[utoipa::path(get, path = "/api/v1/agents/{id}", tag = "agents", params(
    ("id" = String, Path, description = "Id of the agent")),
    responses((status = 200, body = AgentView), (status = "default", body = Problem)))]
pub async fn show(
    State(app): State<App>,
    caller: Caller,
    Path(text): Path<String>,
) -> Result<Json<AgentView>, ApiError> {
    caller.may(Action::AgentsRead)?;
    let asked: AgentId = id("agent", &text)?;
    let agent = app.fleet.agent(asked).await?.ok_or_else(|| ApiError::not_found("agent", &text))?;
    let mut view = view(&app, &agent).await?;
    if let Some(item) = app.fleet.host_item(agent.id).await? {
        let scopes = app.items.scopes(item).await?;
        view.scopes =
            scopes.iter().filter(|scope| scope.agent == agent.id).map(Into::into).collect();
    }
    Ok(Json(view))
}

/// Cuts an agent off for good; its stream ends within a second.
#[utoipa::path(delete, path = "/api/v1/agents/{id}", tag = "agents", params(
    ("id" = String, Path, description = "Id of the agent")),
    responses((status = 204, description = "The agent is cut off"), (status = "default", body = Problem)))]
pub async fn revoke(
    State(app): State<App>,
    caller: Caller,
    Path(text): Path<String>,
) -> Result<StatusCode, ApiError> {
    let by = caller.may(Action::AgentsRevoke)?;
    let asked: AgentId = id("agent", &text)?;
    if app.fleet.agent(asked).await?.is_none() {
        return Err(ApiError::not_found("agent", &text));
    }
    app.fleet.agent_revoke(asked).await?;
    app.streams.cut(asked);
    tracing::info!(agent = %asked, by = by.name, "agent cut off");
    Ok(StatusCode::NO_CONTENT)
}

/// The agent as the APIs show it, without its scopes.
///
/// # Errors
/// When the store does not answer.
pub async fn view(app: &App, agent: &AgentRecord) -> Result<AgentView, ApiError> {
    let item = app.fleet.host_item(agent.id).await?;
    let findings = app.fleet.findings(agent.id).await?;
    let complaints = findings
        .into_iter()
        .map(|finding| finding.detail)
        .chain(agent.complaints.iter().cloned())
        .collect();
    Ok(AgentView {
        id: agent.id.to_string(),
        name: agent.name.clone(),
        site: agent.site.clone(),
        labels: agent.labels.clone(),
        version: agent.version.clone(),
        state: state(app, agent),
        enrolled_at: rfc3339(agent.enrolled_at),
        last_seen: rfc3339(agent.last_seen),
        certificate_expires: rfc3339(agent.certificate.expires_at),
        address: agent.address.clone(),
        item_id: item.map(|id| id.to_string()),
        complaints,
        scopes: Vec::new(),
    })
}

fn state(app: &App, agent: &AgentRecord) -> &'static str {
    if agent.is_revoked() {
        "revoked"
    } else if app.streams.is_connected(agent.id) {
        "connected"
    } else {
        "disconnected"
    }
}
