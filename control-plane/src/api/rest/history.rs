//! History as a whole: how far it reaches back, the moments at which an item changed, and what differs between two.

use super::extract::{MomentParameter, Parameters, id};
use super::filter::{self, FilterParameters};
use super::page::{PageParameters, PageRequest};
use crate::api::auth::{Action, Caller};
use crate::api::error::{ApiError, Problem};
use crate::api::moment::{self, rfc3339};
use crate::api::view::{Json as AnyJson, json_of};
use crate::app::App;
use axum::Json;
use axum::extract::{Path, State};
use model::query::{At, Filter};
use model::{ItemId, Timestamp};
use serde::Serialize;
use store::history::{
    AttributeDifference, Between, DifferenceCounts, DifferenceFilter, DifferenceKind,
    ItemDifference, RelationDifference,
};
use utoipa::ToSchema;

/// How far history reaches back.
#[derive(Debug, Serialize, ToSchema)]
pub struct HistoryExtent {
    /// For how many days it is kept; null when it is kept for ever.
    pub days: Option<u32>,
    /// The moment from which on it is whole; null while nothing was taken out. An earlier one is refused with
    /// `HISTORY_EXPIRED`.
    pub kept_since: Option<String>,
}

/// The moments at which an item changed, as seen from one moment.
#[derive(Debug, Serialize, ToSchema)]
pub struct ItemMoments {
    /// The last one before it.
    pub previous: Option<String>,
    /// The first one after it.
    pub next: Option<String>,
    /// The first one that is kept.
    pub first: Option<String>,
    /// The last one.
    pub last: Option<String>,
}

/// An attribute whose winning value differs.
#[derive(Debug, Serialize, ToSchema)]
pub struct AttributeDifferenceView {
    /// The attribute.
    pub name: String,
    /// What was; missing when nobody had looked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<AnyJson>,
    /// What is; missing when nobody says it any longer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<AnyJson>,
}

impl From<&AttributeDifference> for AttributeDifferenceView {
    fn from(difference: &AttributeDifference) -> Self {
        Self {
            name: difference.name.to_string(),
            before: difference.before.as_ref().map(json_of),
            after: difference.after.as_ref().map(json_of),
        }
    }
}

/// A relationship that holds at one of the two moments only.
#[derive(Debug, Serialize, ToSchema)]
pub struct RelationDifferenceView {
    /// The relationship's name.
    pub verb: String,
    /// Whether the item is its first end.
    pub outgoing: bool,
    /// The item at the other end.
    pub item_id: String,
    /// Its class.
    pub class: String,
    /// Its title today.
    pub title: String,
    /// Whether it began; else it ended.
    pub has_begun: bool,
}

impl From<&RelationDifference> for RelationDifferenceView {
    fn from(difference: &RelationDifference) -> Self {
        Self {
            verb: difference.verb.to_string(),
            outgoing: difference.outgoing,
            item_id: difference.item.to_string(),
            class: difference.class.to_string(),
            title: difference.title.clone(),
            has_begun: difference.has_begun,
        }
    }
}

/// What differs of one item.
#[derive(Debug, Serialize, ToSchema)]
pub struct ItemDifferenceView {
    /// The item.
    pub item_id: String,
    /// Its class.
    pub class: String,
    /// Its title at the later moment.
    pub title: String,
    /// `created`, `returned`, `retired` or `changed`.
    pub kind: &'static str,
    /// Its state at the earlier moment; null when it was not there yet.
    pub state_before: Option<&'static str>,
    /// Its state at the later moment.
    pub state_after: &'static str,
    /// Attributes whose winning value differs, by name; none of a created item.
    pub attributes: Vec<AttributeDifferenceView>,
    /// Relationships that differ, at most a hundred; in a list only those of which the item is the first end.
    pub relations: Vec<RelationDifferenceView>,
    /// How many relationships began, exactly.
    pub relations_begun: u64,
    /// How many relationships ended, exactly.
    pub relations_ended: u64,
}

impl From<&ItemDifference> for ItemDifferenceView {
    fn from(difference: &ItemDifference) -> Self {
        Self {
            item_id: difference.id.to_string(),
            class: difference.class.to_string(),
            title: difference.title.clone(),
            kind: difference.kind.name(),
            state_before: difference.state_before.map(model::ItemState::name),
            state_after: difference.state_after.name(),
            attributes: difference.attributes.iter().map(Into::into).collect(),
            relations: difference.relations.iter().map(Into::into).collect(),
            relations_begun: difference.relations_begun,
            relations_ended: difference.relations_ended,
        }
    }
}

/// How much differs, exactly.
#[derive(Debug, Serialize, ToSchema)]
pub struct DifferenceCountsView {
    /// Items that were not there yet.
    pub created: u64,
    /// Items that were retired and are there again.
    pub returned: u64,
    /// Items that were there and are retired.
    pub retired: u64,
    /// Items with other values, relationships or another state.
    pub changed: u64,
    /// Attributes with another winning value.
    pub attributes: u64,
    /// Relationships that began.
    pub relations_begun: u64,
    /// Relationships that ended.
    pub relations_ended: u64,
}

impl From<DifferenceCounts> for DifferenceCountsView {
    fn from(counts: DifferenceCounts) -> Self {
        Self {
            created: counts.created,
            returned: counts.returned,
            retired: counts.retired,
            changed: counts.changed,
            attributes: counts.attributes,
            relations_begun: counts.relations_begun,
            relations_ended: counts.relations_ended,
        }
    }
}

/// A page of what differs between two moments.
#[derive(Debug, Serialize, ToSchema)]
pub struct DifferencePage {
    /// The earlier moment.
    pub from: String,
    /// The later moment; further pages need it when it was not given.
    pub to: String,
    /// How much differs in all; on the first page only.
    pub counts: Option<DifferenceCountsView>,
    /// The items that differ, in the order in which they became known.
    pub items: Vec<ItemDifferenceView>,
    /// Asks for the next page; empty on the last.
    pub next_page_token: String,
}

/// How far history reaches back.
#[utoipa::path(get, path = "/api/v1/history", tag = "history",
    responses((status = 200, body = HistoryExtent), (status = "default", body = Problem)))]
pub async fn extent(
    State(app): State<App>,
    caller: Caller,
) -> Result<Json<HistoryExtent>, ApiError> {
    caller.may(Action::ItemsRead)?;
    let kept_since = app.history.kept_since().await?;
    Ok(Json(HistoryExtent { days: app.options.history_days, kept_since: kept_since.map(rfc3339) }))
}

/// The moments at which an item changed, around one moment.
#[utoipa::path(get, path = "/api/v1/items/{id}/moments", tag = "history", params(
    ("id" = String, Path, description = "Id of the item"),
    MomentParameter,
    ("with_parts" = Option<bool>, Query, description = "With the changes of its parts")),
    responses((status = 200, body = ItemMoments), (status = "default", body = Problem)))]
pub async fn moments(
    State(app): State<App>,
    caller: Caller,
    Path(text): Path<String>,
    mut parameters: Parameters,
) -> Result<Json<ItemMoments>, ApiError> {
    caller.may(Action::ItemsRead)?;
    let asked: ItemId = id("item", &text)?;
    let at = moment::at(parameters.one("at")?.as_deref())?;
    let with_parts = parameters.flag("with_parts")?;
    parameters.finish()?;
    let found = app.history.moments(asked, with_parts, at).await?;
    let found = found.ok_or_else(|| ApiError::not_found("item", &text))?;
    Ok(Json(ItemMoments {
        previous: found.previous.map(rfc3339),
        next: found.next.map(rfc3339),
        first: found.first.map(rfc3339),
        last: found.last.map(rfc3339),
    }))
}

/// What differs between two moments: of one item, or of all that match at one of the moments.
#[utoipa::path(get, path = "/api/v1/diff", tag = "history", params(
    ("from" = String, Query, description = "The earlier moment, RFC 3339"),
    ("to" = Option<String>, Query, description = "The later moment, RFC 3339; without it, now"),
    ("item" = Option<String>, Query, description = "Only of this item, its relationships in both directions; no other filter then"),
    ("kind" = Option<String>, Query, description = "created, returned, retired or changed, separated by commas; without it, all"),
    FilterParameters,
    PageParameters),
    responses((status = 200, body = DifferencePage), (status = "default", body = Problem)))]
pub async fn diff(
    State(app): State<App>,
    caller: Caller,
    mut parameters: Parameters,
) -> Result<Json<DifferencePage>, ApiError> {
    caller.may(Action::ItemsRead)?;
    let between = take_between(&app, &mut parameters)?;
    if let Some(text) = parameters.one("item")? {
        parameters.finish()?;
        return of_item(&app, &text, between).await;
    }
    let kinds = kinds(&parameters.list("kind"))?;
    let items = filter::take(&mut parameters, &app.catalog)?;
    let question = question(&items, between, &kinds);
    let request = PageRequest::take(&mut parameters, &question)?;
    parameters.finish()?;
    let filter = DifferenceFilter { between, items, kinds };
    let found = app.history.differences(&filter, &request.page).await?;
    let counts = match request.page.after {
        Some(_) => None,
        None => Some(app.history.difference_counts(&filter).await?),
    };
    Ok(Json(DifferencePage {
        from: rfc3339(between.from),
        to: rfc3339(between.to),
        counts: counts.map(Into::into),
        next_page_token: request
            .next(found.entries.last().map(|(cursor, _)| cursor), found.has_more),
        items: found.entries.iter().map(|(_, difference)| difference.into()).collect(),
    }))
}

async fn of_item(
    app: &App,
    text: &str,
    between: Between,
) -> Result<Json<DifferencePage>, ApiError> {
    let asked: ItemId = id("item", text)?;
    let known = app.items.item(asked, At::Now).await?;
    known.ok_or_else(|| ApiError::not_found("item", text))?;
    let found = app.history.item_difference(asked, between).await?;
    let mut counts = DifferenceCounts::default();
    found.iter().for_each(|difference| counts.add(difference));
    Ok(Json(DifferencePage {
        from: rfc3339(between.from),
        to: rfc3339(between.to),
        counts: Some(counts.into()),
        items: found.iter().map(Into::into).collect(),
        next_page_token: String::new(),
    }))
}

fn take_between(app: &App, parameters: &mut Parameters) -> Result<Between, ApiError> {
    let from = parameters.one("from")?.ok_or_else(|| {
        ApiError::invalid("from", "`from` is missing: the earlier moment, as 2026-01-31T12:00:00Z")
    })?;
    between(app, &from, parameters.one("to")?.as_deref())
}

/// The two moments of a comparison; without the later one, now.
///
/// # Errors
/// `VALIDATION_FAILED`.
pub fn between(app: &App, from: &str, to: Option<&str>) -> Result<Between, ApiError> {
    let from = moment::parse("from", from)?;
    let to = match to {
        None | Some("") => Timestamp::from(app.clock.wall()),
        Some(to) => moment::parse("to", to)?,
    };
    Ok(Between { from, to })
}

/// The kinds of these names.
///
/// # Errors
/// `VALIDATION_FAILED`.
pub fn kinds(names: &[String]) -> Result<Vec<DifferenceKind>, ApiError> {
    names
        .iter()
        .map(|name| {
            DifferenceKind::from_name(name).ok_or_else(|| {
                ApiError::invalid("kind", "a kind is `created`, `returned`, `retired` or `changed`")
            })
        })
        .collect()
}

/// The filter of a comparison as one text that is the same for the same question.
#[must_use]
pub fn question(items: &Filter, between: Between, kinds: &[DifferenceKind]) -> String {
    filter::question(items, &format!("diff|{between:?}|{kinds:?}"))
}
