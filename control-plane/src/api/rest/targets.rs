//! Target sets: what is read over the network, and how it fares.

use super::conditional;
use super::extract::{Body, Parameters};
use super::page::PageRequest;
use crate::api::auth::{Action, Caller};
use crate::api::error::{ApiError, Problem};
use crate::api::moment::rfc3339;
use crate::app::App;
use crate::targets::{SetView, TargetView, TargetsError};
use axum::Json;
use axum::extract::{Path, State};
use axum::response::Response;
use axum::routing::{MethodRouter, get};
use http::{HeaderMap, StatusCode};
use model::targets::TargetSet;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// A target set as it is stored or put.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TargetSetBody {
    /// The collector that reads the targets, such as `snmp`.
    pub collector: String,
    /// Addresses (`192.0.2.1`), ranges (`192.0.2.10-20`), prefixes (`192.0.2.0/24`) and host names; 65,536 targets at
    /// most.
    pub addresses: Vec<String>,
    /// What of them is left alone, in the same forms.
    #[serde(default)]
    pub exclusions: Vec<String>,
    /// The site whose agents read them.
    #[serde(default)]
    pub site: String,
    /// Ids of the only agents of the site that read them; any when empty.
    #[serde(default)]
    pub agents: Vec<String>,
    /// Names of credentials, in the order to try.
    #[serde(default)]
    pub credentials: Vec<String>,
    /// The port, where it is not the protocol's own.
    #[serde(default)]
    pub port: Option<u16>,
    /// Options of the collector; its page in the manual lists them.
    #[serde(default)]
    pub options: BTreeMap<String, String>,
    /// How often each is looked at; as the collector declares when missing.
    #[serde(default)]
    pub interval_seconds: Option<u32>,
    /// When looks may begin, in UTC: `mon-fri 22:00-06:00`; always when empty.
    #[serde(default)]
    pub windows: Vec<String>,
    /// How many one agent reads at the same time; 16 when missing.
    #[serde(default)]
    pub concurrency: Option<u32>,
    /// How many looks one agent begins in a minute; no limit when missing.
    #[serde(default)]
    pub looks_per_minute: Option<u32>,
    /// They bear little: one at a time, and the collector is told to be gentle.
    #[serde(default)]
    pub is_fragile: bool,
    /// Prefixes and ranges are handed to the collector as they are; when missing, so for `sweep` only.
    #[serde(default)]
    pub is_whole: Option<bool>,
    /// Whether they are read; yes when missing.
    #[serde(default)]
    pub is_enabled: Option<bool>,
}

/// A target set with how its targets fare.
#[derive(Debug, Serialize, ToSchema)]
pub struct TargetSetView {
    /// Its name.
    pub name: String,
    /// What it says.
    #[serde(flatten)]
    pub set: TargetSetBody,
    /// How many targets it has.
    pub targets_count: usize,
    /// How many of them no agent reads.
    pub unassigned_count: usize,
    /// Why, and what would mend it, when there are some.
    pub remedy: Option<String>,
    /// How many were seen how completely: `complete`, `partial`, `not_looked_at`, `not_yet`.
    pub coverage: BTreeMap<String, usize>,
    /// When it was last changed.
    pub changed_at: String,
    /// By whom.
    pub changed_by: String,
}

/// A page of target sets, by name.
#[derive(Debug, Serialize, ToSchema)]
pub struct TargetSetPage {
    /// The sets.
    pub targets: Vec<TargetSetView>,
    /// Asks for the next page; empty on the last.
    pub next_page_token: String,
}

/// One target of a set.
#[derive(Debug, Serialize, ToSchema)]
pub struct TargetStateView {
    /// What its observations name as their source.
    pub id: String,
    /// Its address.
    pub address: String,
    /// The agent that reads it.
    pub agent_id: Option<String>,
    /// `waiting`, `running`, `done` or `paused`; `not_yet` before its agent has said anything, `unassigned` without.
    pub state: String,
    /// When it was last looked at.
    pub looked_at: Option<String>,
    /// `complete`, `partial` or `not_looked_at`.
    pub status: Option<&'static str>,
    /// Why not completely.
    pub reason: Option<&'static str>,
    /// The same as a sentence.
    pub detail: String,
    /// How many things it holds.
    pub seen_count: u64,
    /// The credential that it accepted.
    pub credential: Option<String>,
    /// When it is looked at next.
    pub next_look: Option<String>,
    /// What is being looked at.
    pub at: String,
    /// How many steps are done.
    pub done: u64,
    /// Of how many, where that is known.
    pub total: Option<u64>,
    /// How long the last look took, milliseconds.
    pub millis: u64,
}

/// A page of the targets of a set.
#[derive(Debug, Serialize, ToSchema)]
pub struct TargetStatePage {
    /// The targets.
    pub states: Vec<TargetStateView>,
    /// Asks for the next page; empty on the last.
    pub next_page_token: String,
}

/// What of a set to look at.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RunRequest {
    /// Only this target, by address or id; all when missing.
    pub address: Option<String>,
}

/// What will be looked at.
#[derive(Debug, Serialize, ToSchema)]
pub struct RunView {
    /// How many targets agents were told to look at, as soon as limits and windows allow.
    pub targets_count: usize,
}

fn size(request: &PageRequest) -> usize {
    usize::try_from(request.page.size).unwrap_or(usize::MAX)
}

/// Target sets.
#[utoipa::path(get, path = "/api/v1/targets", tag = "targets", params(
    ("page_size" = Option<u32>, Query, description = "From 1 to 500; 100 when missing"),
    ("page_token" = Option<String>, Query, description = "next_page_token of the page before")),
    responses((status = 200, body = TargetSetPage), (status = "default", body = Problem)))]
pub async fn list(
    State(app): State<App>,
    caller: Caller,
    mut parameters: Parameters,
) -> Result<Json<TargetSetPage>, ApiError> {
    caller.may(Action::TargetsRead)?;
    let request = PageRequest::take(&mut parameters, "targets")?;
    parameters.finish()?;
    let size = size(&request);
    let mut sets = app.targets.sets(request.page.after.as_deref(), size.saturating_add(1));
    let has_more = sets.len() > size;
    sets.truncate(size);
    let last = sets.last().map(|view| view.record.set.name.clone());
    Ok(Json(TargetSetPage {
        targets: sets.into_iter().map(view).collect(),
        next_page_token: request.next(last.as_ref(), has_more),
    }))
}

/// One target set.
#[utoipa::path(get, path = "/api/v1/targets/{name}", tag = "targets", params(
    ("name" = String, Path, description = "Name of the set"),
    ("if-none-match" = Option<String>, Header, description = "Tag of the answer that is kept")),
    responses((status = 200, body = TargetSetView), (status = 304, description = "As it was"),
        (status = "default", body = Problem)))]
pub async fn show(
    State(app): State<App>,
    caller: Caller,
    headers: HeaderMap,
    Path(name): Path<String>,
) -> Result<Response, ApiError> {
    caller.may(Action::TargetsRead)?;
    let set = app.targets.set(&name).ok_or_else(|| missing(&name))?;
    conditional::answer(&headers, &view(set))
}

/// Stores a target set in the place of one with its name.
#[utoipa::path(put, path = "/api/v1/targets/{name}", tag = "targets", request_body = TargetSetBody, params(
    ("name" = String, Path, description = "Name of the set: a-z, 0-9, `.`, `_`, `-`")),
    responses((status = 200, body = TargetSetView), (status = 201, body = TargetSetView),
        (status = "default", body = Problem)))]
pub async fn put(
    State(app): State<App>,
    caller: Caller,
    Path(name): Path<String>,
    Body(body): Body<TargetSetBody>,
) -> Result<(StatusCode, Json<TargetSetView>), ApiError> {
    let by = caller.may(Action::TargetsManage)?;
    let agents = body.agents.iter().map(|text| {
        text.parse().map_err(|_| ApiError::invalid("agents", "`agents` are ids of agents"))
    });
    let set = TargetSet {
        name: name.clone(),
        collector: body.collector,
        addresses: body.addresses,
        exclusions: body.exclusions,
        site: body.site,
        agents: agents.collect::<Result<_, ApiError>>()?,
        credentials: body.credentials,
        port: body.port,
        options: body.options,
        interval_seconds: body.interval_seconds,
        windows: body.windows,
        concurrency: body.concurrency,
        looks_per_minute: body.looks_per_minute,
        is_fragile: body.is_fragile,
        is_whole: body.is_whole,
        is_enabled: body.is_enabled.unwrap_or(true),
    };
    let is_new = app.targets.set_put(set, &by.name).await?;
    let stored = app.targets.set(&name).ok_or_else(|| missing(&name))?;
    let status = if is_new { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, Json(view(stored))))
}

/// Removes a target set; its targets are no longer read, and what was seen of them stays as it was seen last.
#[utoipa::path(delete, path = "/api/v1/targets/{name}", tag = "targets", params(
    ("name" = String, Path, description = "Name of the set")),
    responses((status = 204, description = "The set is gone"), (status = "default", body = Problem)))]
pub async fn delete(
    State(app): State<App>,
    caller: Caller,
    Path(name): Path<String>,
) -> Result<StatusCode, ApiError> {
    let by = caller.may(Action::TargetsManage)?;
    app.targets.set_delete(&name, &by.name).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The targets of a set, and how each fares.
#[utoipa::path(get, path = "/api/v1/targets/{name}/states", tag = "targets", params(
    ("name" = String, Path, description = "Name of the set"),
    ("page_size" = Option<u32>, Query, description = "From 1 to 500; 100 when missing"),
    ("page_token" = Option<String>, Query, description = "next_page_token of the page before")),
    responses((status = 200, body = TargetStatePage), (status = "default", body = Problem)))]
pub async fn states(
    State(app): State<App>,
    caller: Caller,
    Path(name): Path<String>,
    mut parameters: Parameters,
) -> Result<Json<TargetStatePage>, ApiError> {
    caller.may(Action::TargetsRead)?;
    let request = PageRequest::take(&mut parameters, &format!("targets/{name}"))?;
    parameters.finish()?;
    let skip = match &request.page.after {
        None => 0,
        Some(cursor) => cursor.parse::<usize>().unwrap_or(0),
    };
    let size = size(&request);
    let mut targets = app.targets.targets(&name, skip, size.saturating_add(1))?;
    let has_more = targets.len() > size;
    targets.truncate(size);
    let next = skip.saturating_add(size).to_string();
    Ok(Json(TargetStatePage {
        states: targets.into_iter().map(state_view).collect(),
        next_page_token: request.next(Some(&next), has_more),
    }))
}

/// Has the targets of a set looked at now.
#[utoipa::path(post, path = "/api/v1/targets/{name}/run", tag = "targets", request_body = RunRequest, params(
    ("name" = String, Path, description = "Name of the set")),
    responses((status = 202, body = RunView), (status = "default", body = Problem)))]
pub async fn run(
    State(app): State<App>,
    caller: Caller,
    Path(name): Path<String>,
    Body(request): Body<RunRequest>,
) -> Result<(StatusCode, Json<RunView>), ApiError> {
    let by = caller.may(Action::TargetsRun)?;
    let targets_count = app.targets.look_now(&name, request.address.as_deref(), &by.name)?;
    Ok((StatusCode::ACCEPTED, Json(RunView { targets_count })))
}

/// What can be done with one of them.
pub fn one() -> MethodRouter<App> {
    get(show).put(put).delete(delete)
}

fn missing(name: &str) -> ApiError {
    TargetsError::NotFound { what: "target set", name: crate::api::error::shortened(name) }.into()
}

fn view(view: SetView) -> TargetSetView {
    let set = view.record.set;
    TargetSetView {
        name: set.name,
        set: TargetSetBody {
            collector: set.collector,
            addresses: set.addresses,
            exclusions: set.exclusions,
            site: set.site,
            agents: set.agents.iter().map(ToString::to_string).collect(),
            credentials: set.credentials,
            port: set.port,
            options: set.options,
            interval_seconds: set.interval_seconds,
            windows: set.windows,
            concurrency: set.concurrency,
            looks_per_minute: set.looks_per_minute,
            is_fragile: set.is_fragile,
            is_whole: set.is_whole,
            is_enabled: Some(set.is_enabled),
        },
        targets_count: view.targets_count,
        unassigned_count: view.unassigned_count,
        remedy: view.remedy,
        coverage: view.coverage.into_iter().map(|(name, count)| (name.to_owned(), count)).collect(),
        changed_at: rfc3339(view.record.changed_at),
        changed_by: view.record.changed_by,
    }
}

fn state_view(target: TargetView) -> TargetStateView {
    let waiting = if target.agent.is_some() { "not_yet" } else { "unassigned" };
    let state = target.state.as_ref();
    let coverage = state.and_then(|state| state.coverage.as_ref());
    let number = |of: fn(&crate::targets::TargetState) -> u64| state.map_or(0, of);
    TargetStateView {
        id: target.id,
        address: target.address,
        agent_id: target.agent.map(|agent| agent.to_string()),
        state: state.map_or(waiting, |state| &state.state).to_owned(),
        looked_at: state.and_then(|state| state.looked_at).map(rfc3339),
        status: coverage.map(|coverage| coverage.status.name()),
        reason: coverage.map(|coverage| coverage.reason.name()).filter(|name| !name.is_empty()),
        detail: coverage.map(|coverage| coverage.detail.clone()).unwrap_or_default(),
        seen_count: number(|state| state.seen_count),
        credential: state.map(|state| state.credential.clone()).filter(|name| !name.is_empty()),
        next_look: state.and_then(|state| state.next_look).map(rfc3339),
        at: state.map(|state| state.at.clone()).unwrap_or_default(),
        done: number(|state| state.done),
        total: state.map(|state| state.total).filter(|total| *total > 0),
        millis: number(|state| state.millis),
    }
}
