//! How the estate hangs together: impact, dependencies, ways, neighborhoods, orphans, groups.
//!
//! Counts are exact; a list that is shorter than its count says so. All of it is about now, but for neighborhoods,
//! which can be asked for as of a moment.

use super::extract::{MomentParameter, Parameters, id};
use super::items::verbs;
use super::page::{PageParameters, PageRequest};
use crate::api::auth::{Action, Caller};
use crate::api::error::{ApiError, Problem};
use crate::api::moment;
use crate::api::rest::filter;
use crate::app::App;
use crate::graph::{self, GroupQuestion};
use axum::Json;
use axum::extract::{Path, State};
use model::ItemId;
use model::query::At;
use topology::{Around, GroupOrder, Orphan, Page};

mod views;

pub use views::{
    BundleView, ClassNumber, GroupView, GroupsView, ImpactView, LinkView, NeedView, NeedsView,
    NeighborView, NeighborhoodView, OrphanPage, PathStepView, PathsView, ReachedView,
    RelationOfGraph, ViaView, WeakenedView,
};

/// Items that are listed when no number is asked for.
const LISTED: usize = 100;

/// Items of a neighborhood that are listed when no number is asked for.
const AROUND_LISTED: usize = 200;

/// More neighbors of one class than this are shown as one, when nothing else is asked for.
pub const FOLD: usize = 12;

/// Ways that are listed when no number is asked for.
const ROUTES: usize = 10;

/// How long a way can be when nothing else is asked for.
pub const ROUTE_DEPTH: u32 = 30;

/// A whole number among the parameters.
fn number<T: std::str::FromStr>(
    parameters: &mut Parameters,
    name: &str,
) -> Result<Option<T>, ApiError> {
    let Some(text) = parameters.one(name)? else { return Ok(None) };
    let wrong = |_| ApiError::invalid(name, format!("`{name}` is a whole number"));
    text.parse().map(Some).map_err(wrong)
}

/// What suffers when an item fails, alone or together with others.
#[utoipa::path(get, path = "/api/v1/items/{id}/impact", tag = "topology", params(
    ("id" = String, Path, description = "Id of the item"),
    ("with" = Option<String>, Query, description = "Ids of items that fail at the same time, separated by commas"),
    ("depth" = Option<u32>, Query, description = "How many relationships away at most, from 1 to 100; without it, as far as the failure travels"),
    ("limit" = Option<u32>, Query, description = "How many items are listed, from 1 to 10000; 100 when missing. All are counted")),
    responses((status = 200, body = ImpactView), (status = "default", body = Problem)))]
pub async fn impact(
    State(app): State<App>,
    caller: Caller,
    Path(text): Path<String>,
    mut parameters: Parameters,
) -> Result<Json<ImpactView>, ApiError> {
    caller.may(Action::ItemsRead)?;
    let mut failed: Vec<ItemId> = vec![id("item", &text)?];
    for other in parameters.list("with") {
        failed.push(id("item", &other)?);
    }
    let depth = number(&mut parameters, "depth")?;
    let limit = number(&mut parameters, "limit")?.unwrap_or(LISTED);
    parameters.finish()?;
    Ok(Json((&app.graph.impact(&failed, depth, limit).await?).into()))
}

/// What an item needs, directly or through others.
#[utoipa::path(get, path = "/api/v1/items/{id}/dependencies", tag = "topology", params(
    ("id" = String, Path, description = "Id of the item"),
    ("depth" = Option<u32>, Query, description = "How many relationships away at most, from 1 to 100; without it, as far as failures come from"),
    ("limit" = Option<u32>, Query, description = "How many items are listed, from 1 to 10000; 100 when missing. All are counted")),
    responses((status = 200, body = NeedsView), (status = "default", body = Problem)))]
pub async fn dependencies(
    State(app): State<App>,
    caller: Caller,
    Path(text): Path<String>,
    mut parameters: Parameters,
) -> Result<Json<NeedsView>, ApiError> {
    caller.may(Action::ItemsRead)?;
    let depth = number(&mut parameters, "depth")?;
    let limit = number(&mut parameters, "limit")?.unwrap_or(LISTED);
    parameters.finish()?;
    Ok(Json((&app.graph.dependencies(id("item", &text)?, depth, limit).await?).into()))
}

/// The shortest ways from an item to another, along relationships in whatever direction.
#[utoipa::path(get, path = "/api/v1/items/{id}/path", tag = "topology", params(
    ("id" = String, Path, description = "Id of the item"),
    ("to" = String, Query, description = "Id of the item where the ways end"),
    ("verb" = Option<String>, Query, description = "Names of relationships, separated by commas; without it, all"),
    ("depth" = Option<u32>, Query, description = "How many relationships long at most, from 1 to 100; 30 when missing"),
    ("limit" = Option<u32>, Query, description = "How many ways are listed, from 1 to 100; 10 when missing. All are counted")),
    responses((status = 200, body = PathsView), (status = "default", body = Problem)))]
pub async fn path(
    State(app): State<App>,
    caller: Caller,
    Path(text): Path<String>,
    mut parameters: Parameters,
) -> Result<Json<PathsView>, ApiError> {
    caller.may(Action::ItemsRead)?;
    let to = parameters.one("to")?;
    let to = to.ok_or_else(|| ApiError::invalid("to", "`to` names the item where the ways end"))?;
    let verbs = verbs(&app, parameters.list("verb"))?;
    let depth = number(&mut parameters, "depth")?.unwrap_or(ROUTE_DEPTH);
    let limit = number(&mut parameters, "limit")?.unwrap_or(ROUTES);
    parameters.finish()?;
    let ends = (id("item", &text)?, id("item", &to)?);
    Ok(Json((&app.graph.paths(ends, verbs, depth, limit).await?).into()))
}

/// What lies around an item; many neighbors of one class are shown as one, counted.
#[utoipa::path(get, path = "/api/v1/items/{id}/neighborhood", tag = "topology", params(
    ("id" = String, Path, description = "Id of the item"),
    ("verb" = Option<String>, Query, description = "Names of relationships, separated by commas; without it, all"),
    ("depth" = Option<u32>, Query, description = "How many relationships away at most, from 1 to 6; 1 when missing"),
    ("fold" = Option<u32>, Query, description = "More neighbors of one class by one relationship than this are one bundle, from 1 to 1000; 12 when missing"),
    ("limit" = Option<u32>, Query, description = "How many items are listed, from 1 to 1000; 200 when missing. All are counted"),
    MomentParameter),
    responses((status = 200, body = NeighborhoodView), (status = "default", body = Problem)))]
pub async fn neighborhood(
    State(app): State<App>,
    caller: Caller,
    Path(text): Path<String>,
    mut parameters: Parameters,
) -> Result<Json<NeighborhoodView>, ApiError> {
    caller.may(Action::ItemsRead)?;
    let around = Around {
        verbs: verbs(&app, parameters.list("verb"))?,
        depth: number(&mut parameters, "depth")?.unwrap_or(1),
        fold: number(&mut parameters, "fold")?.unwrap_or(FOLD),
        items: number(&mut parameters, "limit")?.unwrap_or(AROUND_LISTED),
    };
    let at = moment::at(parameters.one("at")?.as_deref())?;
    parameters.finish()?;
    let item = id("item", &text)?;
    let found = match at {
        At::Now => app.graph.neighborhood(item, around).await?,
        At::Time(then) => graph::neighborhood_at(app.history.as_ref(), item, around, then).await?,
    };
    Ok(Json((&found).into()))
}

/// Items without any relationship, or parts without the item that they are a part of.
#[utoipa::path(get, path = "/api/v1/topology/orphans", tag = "topology", params(
    ("kind" = Option<String>, Query, description = "unrelated (no relationship at all) or parentless (parts of nothing); unrelated when missing"),
    ("class" = Option<String>, Query, description = "Names of classes, separated by commas; without it, all"),
    PageParameters),
    responses((status = 200, body = OrphanPage), (status = "default", body = Problem)))]
pub async fn orphans(
    State(app): State<App>,
    caller: Caller,
    mut parameters: Parameters,
) -> Result<Json<OrphanPage>, ApiError> {
    caller.may(Action::ItemsRead)?;
    let what = orphan(parameters.one("kind")?.as_deref())?;
    let classes = filter::classes(parameters.list("class"), &app.catalog)?;
    let request = PageRequest::take(&mut parameters, &orphans_question(what, &classes))?;
    parameters.finish()?;
    let page = page_of(&request, classes)?;
    let found = app.graph.orphans(what, page).await?;
    let last = found.found.items.last().map(ToString::to_string);
    Ok(Json(OrphanPage {
        next_page_token: request.next(last.as_ref(), found.found.has_more),
        ..(&found).into()
    }))
}

/// What an item lacks, by name.
///
/// # Errors
/// `VALIDATION_FAILED`.
pub fn orphan(name: Option<&str>) -> Result<Orphan, ApiError> {
    match name {
        None | Some("unrelated") => Ok(Orphan::Unrelated),
        Some("parentless") => Ok(Orphan::Parentless),
        Some(_) => Err(ApiError::invalid("kind", "`kind` is `unrelated` or `parentless`")),
    }
}

/// What a page of orphans belongs to.
#[must_use]
pub fn orphans_question(what: Orphan, classes: &[model::Name]) -> String {
    format!("orphans|{what:?}|{classes:?}")
}

/// The page of a list of orphans.
///
/// # Errors
/// `PAGE_TOKEN_MISMATCH`.
pub fn page_of(request: &PageRequest, classes: Vec<model::Name>) -> Result<Page, ApiError> {
    let after = request.page.after.as_deref().map(str::parse).transpose().map_err(|_| {
        ApiError::new(
            crate::api::error::Code::PageTokenMismatch,
            "the page token belongs to another question; ask again without it",
        )
    })?;
    let items = usize::try_from(request.page.size).unwrap_or(usize::MAX);
    Ok(Page { after: after.unwrap_or(0), items, classes })
}

/// The whole estate as groups and the bundled links between them.
#[utoipa::path(get, path = "/api/v1/topology/groups", tag = "topology", params(
    ("by" = Option<String>, Query, description = "One to three of class, site, label:NAME and connectivity, outermost first, separated by commas; site,class when missing"),
    ("within" = Option<String>, Query, description = "Only what lies in the group of this path: a value for each of the first keys; may be repeated"),
    ("verb" = Option<String>, Query, description = "Names of the relationships that become links, separated by commas; without it, all"),
    ("order" = Option<String>, Query, description = "size (most items first) or trouble (most missing and stale items first); size when missing"),
    ("limit" = Option<u32>, Query, description = "How many groups are listed, from 1 to 300; 300 when missing. All are counted"),
    ("links" = Option<u32>, Query, description = "How many links are listed, up to 800; 800 when missing. All between listed groups are counted")),
    responses((status = 200, body = GroupsView), (status = "default", body = Problem)))]
pub async fn groups(
    State(app): State<App>,
    caller: Caller,
    mut parameters: Parameters,
) -> Result<Json<GroupsView>, ApiError> {
    caller.may(Action::ItemsRead)?;
    let by = parameters.list("by");
    let question = GroupQuestion {
        by: if by.is_empty() { vec!["site".to_owned(), "class".to_owned()] } else { by },
        within: parameters.all("within"),
        verbs: verbs(&app, parameters.list("verb"))?,
        order: order(parameters.one("order")?.as_deref())?,
        groups: number(&mut parameters, "limit")?.unwrap_or(graph::GROUPS_MAX),
        links: number(&mut parameters, "links")?.unwrap_or(graph::LINKS_MAX),
    };
    parameters.finish()?;
    let by = question.by.clone();
    let found = app.graph.groups(question).await?;
    Ok(Json(GroupsView::of(by, &found)))
}

/// The order of groups, by name.
///
/// # Errors
/// `VALIDATION_FAILED`.
pub fn order(name: Option<&str>) -> Result<GroupOrder, ApiError> {
    match name {
        None | Some("size") => Ok(GroupOrder::Size),
        Some("trouble") => Ok(GroupOrder::Trouble),
        Some(_) => Err(ApiError::invalid("order", "`order` is `size` or `trouble`")),
    }
}
