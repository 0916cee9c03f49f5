//! Which sightings are one item: why, what people say about it, and the rules.

use super::extract::{Body, Parameters, id};
use super::findings::NamedItemView;
use super::plan::ChangedValueView;
use crate::api::auth::{Action, Caller};
use crate::api::error::{ApiError, Code, Problem};
use crate::api::moment::rfc3339;
use crate::api::view::SourceView;
use crate::app::App;
use crate::identity::{Decided, Explained, IdentityError, Planned, Word};
use crate::ingest::SubmitError;
use axum::Json;
use axum::extract::{Path, State};
use http::StatusCode;
use model::ItemId;
use model::decision::{Number, RulesRecord, WishKind};
use reconcile::Reason;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Sightings that one request can name.
const SIGHTINGS_MAX: usize = 64;

/// When asking again can help after the store took nothing.
const RETRY: std::time::Duration = std::time::Duration::from_secs(5);

impl From<IdentityError> for ApiError {
    fn from(error: IdentityError) -> Self {
        match error {
            IdentityError::UnknownItem(id) => Self::not_found("item", &id.to_string()),
            IdentityError::Read(error) => error.into(),
            error @ IdentityError::NothingToDecide => {
                Self::new(Code::ValidationFailed, error.to_string())
            }
            IdentityError::Submit(error) => submit_error(error),
        }
    }
}

/// What a caller sees of a word that the write path did not take.
pub(super) fn submit_error(error: SubmitError) -> ApiError {
    match error {
        SubmitError::Refused { code: "NOT_FOUND", detail } => ApiError::new(Code::NotFound, detail),
        SubmitError::Refused { detail, .. } => ApiError::new(Code::ValidationFailed, detail),
        SubmitError::Unavailable { .. } => {
            ApiError::new(Code::Unavailable, error.to_string()).retry_after(RETRY)
        }
    }
}

/// Sightings as a request names them.
pub(super) fn sightings_of(named: &[String]) -> Result<Vec<u64>, ApiError> {
    if named.len() > SIGHTINGS_MAX {
        let detail = format!("name at most {SIGHTINGS_MAX} sightings at once");
        return Err(ApiError::invalid("sightings", detail));
    }
    let parsed = named.iter().map(|text| {
        u64::from_str_radix(text, 16).map_err(|_| {
            ApiError::invalid("sightings", "a sighting is named by 16 hexadecimal digits")
        })
    });
    parsed.collect()
}

/// An identity key.
#[derive(Debug, Serialize, ToSchema)]
pub struct KeyView {
    /// The kind of key.
    pub key_type: &'static str,
    /// Where the value means one thing; empty is everywhere.
    pub realm: String,
    /// The value.
    pub value: String,
}

/// What one source calls by one native key.
#[derive(Debug, Serialize, ToSchema)]
pub struct SightingView {
    /// By what it is named in a request.
    pub sighting: String,
    /// Who sees it.
    pub source: SourceView,
    /// What the source calls it.
    pub native_key: String,
    /// Whether the source sees it now.
    pub is_present: bool,
    /// The keys that it is recognized by, with their other spellings.
    pub keys: Vec<KeyView>,
}

/// One reason for or against.
#[derive(Debug, Serialize, ToSchema)]
pub struct ReasonView {
    /// The kind of key.
    pub key_type: &'static str,
    /// The value that both have; null when their values differ.
    pub value: Option<String>,
    /// How many things carry this value.
    pub frequency: u64,
    /// How many bits it adds, or takes away.
    pub bits: i32,
}

/// What speaks for and against two sightings being one item.
#[derive(Debug, Serialize, ToSchema)]
pub struct PairView {
    /// The first sighting.
    pub one: String,
    /// The second sighting.
    pub other: String,
    /// The sum of the bits.
    pub bits: i32,
    /// What it is made of.
    pub reasons: Vec<ReasonView>,
    /// Whether a person said that they are one.
    pub is_joined: bool,
}

/// Another item that shares evidence.
#[derive(Debug, Serialize, ToSchema)]
pub struct RivalView {
    /// The item.
    pub item: NamedItemView,
    /// The sum of the bits.
    pub bits: i32,
    /// How many more bits would make both one item.
    pub missing_bits: i32,
    /// What the sum is made of.
    pub reasons: Vec<ReasonView>,
    /// Whether a person said that they are not one.
    pub is_kept_apart: bool,
}

/// Why an item is what it is.
#[derive(Debug, Serialize, ToSchema)]
pub struct ExplanationView {
    /// The item, also when the id that was asked for leads to another one.
    pub item_id: String,
    /// The rules that decided.
    pub rules: String,
    /// From so many bits on, sightings are one item.
    pub link_at: i32,
    /// From so many bits on, a person is asked.
    pub review_at: i32,
    /// Its sightings.
    pub sightings: Vec<SightingView>,
    /// Sightings that are not listed, because there are too many.
    pub sightings_left_out: u64,
    /// The evidence between them, strongest first.
    pub pairs: Vec<PairView>,
    /// Other items that share evidence, likeliest first.
    pub rivals: Vec<RivalView>,
}

fn named_sighting(native: u64) -> String {
    format!("{native:016x}")
}

fn reason_view(found: &Explained, reason: &Reason) -> ReasonView {
    ReasonView {
        key_type: reason.key_type.name(),
        value: found.why.value(reason).map(ToOwned::to_owned),
        frequency: u64::try_from(reason.frequency).unwrap_or(u64::MAX),
        bits: reason.bits,
    }
}

impl ExplanationView {
    /// What callers see of an explanation.
    #[must_use]
    pub fn of(found: &Explained) -> Self {
        let why = &found.why;
        let named = |item: Number| found.items.get(&item);
        let reasons = |reasons: &[Reason]| -> Vec<ReasonView> {
            reasons.iter().map(|reason| reason_view(found, reason)).collect()
        };
        Self {
            item_id: named(why.item).map(|item| item.id.to_string()).unwrap_or_default(),
            rules: why.rules.clone(),
            link_at: why.link_at,
            review_at: why.review_at,
            sightings: why.sightings.iter().map(sighting_view).collect(),
            sightings_left_out: u64::try_from(why.left_out).unwrap_or(u64::MAX),
            pairs: why
                .pairs
                .iter()
                .map(|pair| PairView {
                    one: named_sighting(pair.one),
                    other: named_sighting(pair.other),
                    bits: pair.bits,
                    reasons: reasons(&pair.reasons),
                    is_joined: why.joined.contains(&(pair.one, pair.other)),
                })
                .collect(),
            rivals: why
                .rivals
                .iter()
                .filter_map(|rival| {
                    Some(RivalView {
                        item: named(rival.item)?.into(),
                        bits: rival.bits,
                        missing_bits: why.link_at.saturating_sub(rival.bits).max(0),
                        reasons: reasons(&rival.reasons),
                        is_kept_apart: rival.is_kept_apart,
                    })
                })
                .collect(),
        }
    }
}

fn sighting_view(sighting: &reconcile::SightingEvidence) -> SightingView {
    SightingView {
        sighting: named_sighting(sighting.native),
        source: (&sighting.source).into(),
        native_key: sighting.native_key.clone(),
        is_present: sighting.is_present,
        keys: sighting
            .keys
            .iter()
            .map(|key| KeyView {
                key_type: key.key_type.name(),
                realm: key.realm.0.clone(),
                value: key.value.clone(),
            })
            .collect(),
    }
}

/// Two items.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TwoItems {
    /// The one.
    pub item: String,
    /// The other.
    pub other: String,
}

/// Some sightings of an item.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DivideRequest {
    /// The item.
    pub item: String,
    /// Its sightings that are another item, as its explanation names them.
    pub sightings: Vec<String>,
}

/// What was said, and by what it is taken back.
#[derive(Debug, Serialize, ToSchema)]
pub struct SaidView {
    /// The action.
    pub action: u32,
}

/// A person's word.
#[derive(Debug, Serialize, ToSchema)]
pub struct DecidedView {
    /// By what it is taken back.
    pub action: u32,
    /// `joined` or `kept_apart`.
    pub kind: &'static str,
    /// Pairs of sightings that it is about.
    pub pairs: u64,
    /// Who said so.
    pub said_by: String,
    /// When.
    pub said_at: String,
    /// The items of these sightings now.
    pub items: Vec<NamedItemView>,
}

impl From<&Decided> for DecidedView {
    fn from(decided: &Decided) -> Self {
        Self {
            action: decided.action,
            kind: match decided.kind {
                WishKind::Must | WishKind::Neither => "joined",
                WishKind::Cannot => "kept_apart",
            },
            pairs: u64::try_from(decided.pairs).unwrap_or(u64::MAX),
            said_by: decided.said_by.clone(),
            said_at: rfc3339(decided.at),
            items: decided.items.iter().map(Into::into).collect(),
        }
    }
}

/// What people said, the latest first.
#[derive(Debug, Serialize, ToSchema)]
pub struct DecidedList {
    /// The decisions.
    pub decisions: Vec<DecidedView>,
}

/// A version of the rules.
#[derive(Debug, Serialize, ToSchema)]
pub struct RulesView {
    /// What they call themselves.
    pub version: String,
    /// Their text, as TOML.
    pub text: String,
    /// Who made them live; empty for the built-in ones.
    pub said_by: String,
    /// When; null for the built-in ones.
    pub said_at: Option<String>,
    /// Whether everything that is known was decided by them.
    pub is_applied: bool,
}

impl From<&RulesRecord> for RulesView {
    fn from(record: &RulesRecord) -> Self {
        Self {
            version: record.version.clone(),
            text: record.text.clone(),
            said_by: record.said_by.clone(),
            said_at: Some(rfc3339(record.at)),
            is_applied: record.is_applied,
        }
    }
}

/// The versions of the rules, the live one first, the built-in one last.
#[derive(Debug, Serialize, ToSchema)]
pub struct RulesList {
    /// The versions.
    pub rules: Vec<RulesView>,
}

/// Rules of identity.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RulesRequest {
    /// Their text, as TOML.
    pub text: String,
}

/// Items that would be one.
#[derive(Debug, Serialize, ToSchema)]
pub struct MergedView {
    /// The items.
    pub items: Vec<NamedItemView>,
}

/// An item that would be divided.
#[derive(Debug, Serialize, ToSchema)]
pub struct DividedView {
    /// The item.
    pub item: NamedItemView,
    /// Into how many.
    pub into: u64,
}

/// What other rules would change. Nothing of it was done.
#[derive(Debug, Serialize, ToSchema)]
pub struct PlanView {
    /// The rules.
    pub rules: String,
    /// Items that are recognized by keys.
    pub items: u64,
    /// Their sightings.
    pub sightings: u64,
    /// How many items would become part of another one.
    pub merges: u64,
    /// How many items would be divided.
    pub splits: u64,
    /// About how many pairs of items a person would be asked.
    pub possible_duplicates: u64,
    /// Some of the merges.
    pub merged: Vec<MergedView>,
    /// Some of the splits.
    pub divided: Vec<DividedView>,
    /// How many attribute values would change, of the items as they are grouped now.
    pub changed_values: u64,
    /// Some of them.
    pub changed: Vec<ChangedValueView>,
}

impl PlanView {
    fn of(planned: &Planned) -> Self {
        let count = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
        let plan = &planned.plan;
        let named = |item: &Number| planned.items.get(item).map(NamedItemView::from);
        let merged = plan.merged.iter();
        let divided = plan.divided.iter();
        Self {
            rules: plan.rules.clone(),
            items: count(plan.items),
            sightings: count(plan.sightings),
            merges: count(plan.merges),
            splits: count(plan.splits),
            possible_duplicates: count(plan.possible),
            merged: merged
                .map(|items| MergedView { items: items.iter().filter_map(named).collect() })
                .collect(),
            divided: divided
                .filter_map(|(item, into)| {
                    Some(DividedView { item: named(item)?, into: count(*into) })
                })
                .collect(),
            changed_values: count(planned.values.changes),
            changed: ChangedValueView::of(planned),
        }
    }
}

/// Why an item is what it is: its sightings, the evidence between them, and what else shares evidence.
#[utoipa::path(get, path = "/api/v1/items/{id}/explanation", tag = "identity",
    params(("id" = String, Path, description = "The item's id")),
    responses((status = 200, body = ExplanationView), (status = "default", body = Problem)))]
pub async fn explanation(
    State(app): State<App>,
    caller: Caller,
    Path(item): Path<String>,
    parameters: Parameters,
) -> Result<Json<ExplanationView>, ApiError> {
    caller.may(Action::ItemsRead)?;
    parameters.finish()?;
    let found = app.identity.explain(id::<ItemId>("id", &item)?).await?;
    Ok(Json(ExplanationView::of(&found)))
}

async fn said(app: &App, word: Word, by: &str) -> Result<Json<SaidView>, ApiError> {
    let action = app.identity.say(word, by).await?.unwrap_or(0);
    Ok(Json(SaidView { action }))
}

/// Says that two items are one, whatever the evidence says.
#[utoipa::path(post, path = "/api/v1/identity/join", tag = "identity", request_body = TwoItems,
    responses((status = 200, body = SaidView), (status = "default", body = Problem)))]
pub async fn join(
    State(app): State<App>,
    caller: Caller,
    Body(body): Body<TwoItems>,
) -> Result<Json<SaidView>, ApiError> {
    let by = caller.known()?;
    by.may(Action::IdentityDecide)?;
    let (one, other) = (id("item", &body.item)?, id("other", &body.other)?);
    said(&app, Word::Join(one, other), &by.name).await
}

/// Says that two items are not one, so that nobody is asked again.
#[utoipa::path(post, path = "/api/v1/identity/keep-apart", tag = "identity", request_body = TwoItems,
    responses((status = 200, body = SaidView), (status = "default", body = Problem)))]
pub async fn keep_apart(
    State(app): State<App>,
    caller: Caller,
    Body(body): Body<TwoItems>,
) -> Result<Json<SaidView>, ApiError> {
    let by = caller.known()?;
    by.may(Action::IdentityDecide)?;
    let (one, other) = (id("item", &body.item)?, id("other", &body.other)?);
    said(&app, Word::KeepApart(one, other), &by.name).await
}

/// Says that some sightings of an item are another item, whatever the evidence says.
#[utoipa::path(post, path = "/api/v1/identity/divide", tag = "identity", request_body = DivideRequest,
    responses((status = 200, body = SaidView), (status = "default", body = Problem)))]
pub async fn divide(
    State(app): State<App>,
    caller: Caller,
    Body(body): Body<DivideRequest>,
) -> Result<Json<SaidView>, ApiError> {
    let by = caller.known()?;
    by.may(Action::IdentityDecide)?;
    let item = id("item", &body.item)?;
    let word = Word::Divide(item, sightings_of(&body.sightings)?);
    said(&app, word, &by.name).await
}

/// What people said about which sightings are one item, the latest first.
#[utoipa::path(get, path = "/api/v1/identity/decisions", tag = "identity",
    responses((status = 200, body = DecidedList), (status = "default", body = Problem)))]
pub async fn decisions(
    State(app): State<App>,
    caller: Caller,
    parameters: Parameters,
) -> Result<Json<DecidedList>, ApiError> {
    caller.may(Action::ItemsRead)?;
    parameters.finish()?;
    let found = app.identity.decisions().await?;
    Ok(Json(DecidedList { decisions: found.iter().map(Into::into).collect() }))
}

/// Takes back what a person said; the evidence, or what was said before, decides again.
#[utoipa::path(delete, path = "/api/v1/identity/decisions/{action}", tag = "identity",
    params(("action" = u32, Path, description = "The action")),
    responses((status = 204), (status = "default", body = Problem)))]
pub async fn take_back(
    State(app): State<App>,
    caller: Caller,
    Path(action): Path<String>,
) -> Result<StatusCode, ApiError> {
    let by = caller.known()?;
    by.may(Action::IdentityDecide)?;
    let action = action
        .parse()
        .map_err(|_| ApiError::invalid("action", "an action is named by its number"))?;
    app.identity.say(Word::TakeBack(action), &by.name).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The rules by which identity is decided, with their history.
#[utoipa::path(get, path = "/api/v1/identity/rules", tag = "identity",
    responses((status = 200, body = RulesList), (status = "default", body = Problem)))]
pub async fn rules(
    State(app): State<App>,
    caller: Caller,
    parameters: Parameters,
) -> Result<Json<RulesList>, ApiError> {
    caller.may(Action::ItemsRead)?;
    parameters.finish()?;
    let mut rules: Vec<RulesView> = app.identity.rules().await?.iter().map(Into::into).collect();
    rules.push(RulesView {
        version: reconcile::Rules::built_in().version,
        text: reconcile::BUILT_IN_RULES.to_owned(),
        said_by: String::new(),
        said_at: None,
        is_applied: true,
    });
    Ok(Json(RulesList { rules }))
}

/// What other rules would decide about everything that is known. Nothing is changed.
#[utoipa::path(post, path = "/api/v1/identity/rules/plan", tag = "identity", request_body = RulesRequest,
    responses((status = 200, body = PlanView), (status = "default", body = Problem)))]
pub async fn plan_rules(
    State(app): State<App>,
    caller: Caller,
    Body(body): Body<RulesRequest>,
) -> Result<Json<PlanView>, ApiError> {
    caller.known()?.may(Action::IdentityRules)?;
    Ok(Json(PlanView::of(&app.identity.plan(&body.text).await?)))
}

/// Makes rules live: for what comes at once, for what is known a little at a time.
#[utoipa::path(put, path = "/api/v1/identity/rules", tag = "identity", request_body = RulesRequest,
    responses((status = 202), (status = "default", body = Problem)))]
pub async fn apply_rules(
    State(app): State<App>,
    caller: Caller,
    Body(body): Body<RulesRequest>,
) -> Result<StatusCode, ApiError> {
    let by = caller.known()?;
    by.may(Action::IdentityRules)?;
    app.identity.apply(body.text, &by.name).await?;
    Ok(StatusCode::ACCEPTED)
}
