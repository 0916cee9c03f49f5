//! The review queue: pairs that wait for a person, the evidence of one pair, what a word would do, and many words at
//! once.
//!
//! Deliberately not here: single words and their taking back (`identity`).

use super::extract::{Body, Parameters, id};
use super::findings::NamedItemView;
use super::identity::sightings_of;
use super::page::PageRequest;
use crate::api::auth::{Action, Caller};
use crate::api::error::{ApiError, Problem, shortened};
use crate::api::moment::rfc3339;
use crate::api::view::json_of;
use crate::app::App;
use crate::identity::{Compared, Simulated, Word};
use axum::Json;
use axum::extract::State;
use model::IdentityKey;
use model::decision::Number;
use reconcile::Outcome;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Words in one request; each is a commit of its own, so more would outlast the request.
const WORDS_MAX: usize = 100;

/// Differing values of one kind of key that are shown of each item.
const VALUES_MAX: usize = 16;

/// Two items that wait for a person.
#[derive(Debug, Serialize, ToSchema)]
pub struct PossibleView {
    /// The newer item.
    pub item: NamedItemView,
    /// The older item, whose id would stay.
    pub other: NamedItemView,
    /// How much speaks for them being one, in bits.
    pub bits: i32,
    /// From so many bits on, they would be one by themselves.
    pub link_at: i32,
    /// How many are missing.
    pub missing_bits: i32,
    /// Since when they wait.
    pub found_at: String,
}

/// A page of pairs that wait for a person.
#[derive(Debug, Serialize, ToSchema)]
pub struct PossiblePage {
    /// The pairs.
    pub pairs: Vec<PossibleView>,
    /// Asks for the next page; empty on the last.
    pub next_page_token: String,
}

/// One reason for or against.
#[derive(Debug, Serialize, ToSchema)]
pub struct SideReasonView {
    /// The kind of key.
    pub key_type: &'static str,
    /// The value that both have; null when their values differ.
    pub value: Option<String>,
    /// What the one has of this kind, when their values differ.
    pub item_values: Vec<String>,
    /// What the other has of this kind, when their values differ.
    pub other_values: Vec<String>,
    /// How many things carry the common value.
    pub frequency: u64,
    /// How many bits it adds, or takes away.
    pub bits: i32,
}

/// Two items, side by side.
#[derive(Debug, Serialize, ToSchema)]
pub struct ComparisonView {
    /// The one.
    pub item: NamedItemView,
    /// The other.
    pub other: NamedItemView,
    /// The rules that decide.
    pub rules: String,
    /// From so many bits on, they are one item.
    pub link_at: i32,
    /// From so many bits on, a person is asked.
    pub review_at: i32,
    /// The sum. Keys that clones share are bounded together, so it can be less than its reasons.
    pub bits: i32,
    /// How many more bits would make them one.
    pub missing_bits: i32,
    /// What the sum is made of.
    pub reasons: Vec<SideReasonView>,
    /// How many sightings the one has.
    pub item_sightings: u64,
    /// How many sightings the other has.
    pub other_sightings: u64,
    /// Whether a person said that they are not one.
    pub is_kept_apart: bool,
}

/// Something to be said.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(tag = "say", rename_all = "snake_case", deny_unknown_fields)]
pub enum WordRequest {
    /// Two items are one.
    Join {
        /// The one.
        item: String,
        /// The other.
        other: String,
    },
    /// Two items are not one.
    KeepApart {
        /// The one.
        item: String,
        /// The other.
        other: String,
    },
    /// Some sightings of an item are another item.
    Divide {
        /// The item.
        item: String,
        /// Its sightings that are another item, as its explanation names them.
        sightings: Vec<String>,
    },
    /// What was said counts no longer.
    TakeBack {
        /// The action, as it was given or as the decisions list it.
        action: u32,
    },
}

impl WordRequest {
    fn word(&self) -> Result<Word, ApiError> {
        Ok(match self {
            Self::Join { item, other } => Word::Join(id("item", item)?, id("other", other)?),
            Self::KeepApart { item, other } => {
                Word::KeepApart(id("item", item)?, id("other", other)?)
            }
            Self::Divide { item, sightings } => {
                Word::Divide(id("item", item)?, sightings_of(sightings)?)
            }
            Self::TakeBack { action } => Word::TakeBack(*action),
        })
    }
}

/// Several words.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WordsRequest {
    /// At most 100, said in this order. One that is refused does not keep the others.
    pub words: Vec<WordRequest>,
}

/// What came of one word.
#[derive(Debug, Serialize, ToSchema)]
pub struct WordResult {
    /// By what it is taken back; null when it was refused, or took back another one.
    pub action: Option<u32>,
    /// The code of the error; null when it was taken.
    pub code: Option<&'static str>,
    /// Why it was refused, and what to do.
    pub detail: Option<String>,
}

/// What came of each word, in their order.
#[derive(Debug, Serialize, ToSchema)]
pub struct WordResults {
    /// The results.
    pub results: Vec<WordResult>,
}

/// A winning value that would be another one.
#[derive(Debug, Serialize, ToSchema)]
pub struct WinnerChangeView {
    /// The attribute.
    pub name: String,
    /// What wins now; missing when nobody says anything.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<serde_json::Value>,
    /// What would win; missing when nobody would say anything.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<serde_json::Value>,
}

/// What would become of one item.
#[derive(Debug, Serialize, ToSchema)]
pub struct OutcomeView {
    /// The item; null for one that would be new, or come back under the id that it had.
    pub item: Option<NamedItemView>,
    /// Its title then.
    pub title: String,
    /// How many sightings it would have.
    pub sightings: u64,
    /// Items that would be this one.
    pub absorbed: Vec<NamedItemView>,
    /// Items that would lose sightings to this one, and stay.
    pub taken_from: Vec<NamedItemView>,
    /// Its winning values that would change; of a new item none are listed.
    pub changes: Vec<WinnerChangeView>,
    /// Changes that are not listed, because there are too many.
    pub changes_left_out: u64,
}

/// What would follow. Nothing of it was done.
#[derive(Debug, Serialize, ToSchema)]
pub struct SimulationView {
    /// How many items would become part of another one.
    pub merges: u64,
    /// How many items would lose sightings and stay.
    pub splits: u64,
    /// Sightings that would belong to another item than now.
    pub moved_sightings: u64,
    /// The items that would gain or lose sightings.
    pub outcomes: Vec<OutcomeView>,
}

fn count(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

impl SimulationView {
    fn of(simulated: &Simulated) -> Self {
        let outcomes = &simulated.found.outcomes;
        let absorbed = outcomes.iter().map(|outcome| outcome.absorbed.len());
        let mut losing: Vec<Number> =
            outcomes.iter().flat_map(|outcome| outcome.taken_from.iter().copied()).collect();
        losing.sort_unstable();
        losing.dedup();
        Self {
            merges: count(absorbed.sum()),
            splits: count(losing.len()),
            moved_sightings: count(simulated.found.moved),
            outcomes: outcomes.iter().map(|outcome| outcome_view(simulated, outcome)).collect(),
        }
    }
}

fn outcome_view(simulated: &Simulated, outcome: &Outcome) -> OutcomeView {
    let named = |item: &Number| simulated.items.get(item).map(NamedItemView::from);
    let changes = outcome.changes.iter().map(|change| WinnerChangeView {
        name: change.name.to_string(),
        before: change.before.as_ref().map(json_of),
        after: change.after.as_ref().map(json_of),
    });
    OutcomeView {
        item: outcome.item.as_ref().and_then(named),
        title: outcome.title.clone(),
        sightings: count(outcome.sightings),
        absorbed: outcome.absorbed.iter().filter_map(named).collect(),
        taken_from: outcome.taken_from.iter().filter_map(named).collect(),
        changes: changes.collect(),
        changes_left_out: count(outcome.changes_left_out),
    }
}

impl ComparisonView {
    fn of(compared: &Compared) -> Self {
        let found = &compared.found;
        let reasons = found.reasons.iter().map(|reason| {
            let values = |keys: &[IdentityKey]| -> Vec<String> {
                if reason.shared.is_some() {
                    return Vec::new();
                }
                let of_type = keys.iter().filter(|key| key.key_type == reason.key_type);
                of_type.take(VALUES_MAX).map(|key| key.value.clone()).collect()
            };
            SideReasonView {
                key_type: reason.key_type.name(),
                value: found.shared(reason).map(str::to_owned),
                item_values: values(&found.keys.0),
                other_values: values(&found.keys.1),
                frequency: count(reason.frequency),
                bits: reason.bits,
            }
        });
        Self {
            item: (&compared.items.0).into(),
            other: (&compared.items.1).into(),
            rules: found.rules.clone(),
            link_at: found.link_at,
            review_at: found.review_at,
            bits: found.bits,
            missing_bits: found.link_at.saturating_sub(found.bits).max(0),
            reasons: reasons.collect(),
            item_sightings: count(found.sightings.0),
            other_sightings: count(found.sightings.1),
            is_kept_apart: found.is_kept_apart,
        }
    }
}

/// Pairs of items that wait for a person, the newest first, without those of which one is retired.
#[utoipa::path(get, path = "/api/v1/identity/possible", tag = "identity", params(
    ("class" = Option<String>, Query, description = "Only pairs of this class"),
    ("page_size" = Option<u32>, Query, description = "From 1 to 500; 100 when missing"),
    ("page_token" = Option<String>, Query, description = "next_page_token of the page before")),
    responses((status = 200, body = PossiblePage), (status = "default", body = Problem)))]
pub async fn possible(
    State(app): State<App>,
    caller: Caller,
    mut parameters: Parameters,
) -> Result<Json<PossiblePage>, ApiError> {
    caller.may(Action::ItemsRead)?;
    let class = match parameters.one("class")? {
        None => None,
        Some(name) => {
            Some(app.catalog.class(&name).map(|class| class.name.clone()).ok_or_else(|| {
                let name = shortened(&name);
                let detail = format!("there is no class `{name}`; /api/v1/classes lists them");
                ApiError::invalid("class", detail)
            })?)
        }
    };
    let request = PageRequest::take(&mut parameters, &format!("possible|{class:?}"))?;
    parameters.finish()?;
    let rules = app.identity.live_rules().await?;
    let found = app.findings.possible_duplicates(None, class, &request.page).await?;
    let pairs = found.entries.iter().map(|(_, pair)| {
        let link_at = rules.of(&pair.item.class).link_at;
        PossibleView {
            item: (&pair.item).into(),
            other: (&pair.other).into(),
            bits: pair.bits,
            link_at,
            missing_bits: link_at.saturating_sub(pair.bits).max(0),
            found_at: rfc3339(pair.at),
        }
    });
    Ok(Json(PossiblePage {
        pairs: pairs.collect(),
        next_page_token: request
            .next(found.entries.last().map(|(cursor, _)| cursor), found.has_more),
    }))
}

/// What speaks for and against two items being one, side by side.
#[utoipa::path(get, path = "/api/v1/identity/comparison", tag = "identity", params(
    ("item" = String, Query, description = "The id of the one"),
    ("other" = String, Query, description = "The id of the other")),
    responses((status = 200, body = ComparisonView), (status = "default", body = Problem)))]
pub async fn comparison(
    State(app): State<App>,
    caller: Caller,
    mut parameters: Parameters,
) -> Result<Json<ComparisonView>, ApiError> {
    caller.may(Action::ItemsRead)?;
    let mut wanted = |name: &str| -> Result<model::ItemId, ApiError> {
        let text = parameters.one(name)?;
        let text = text.ok_or_else(|| ApiError::invalid(name, format!("`{name}` is missing")))?;
        id(name, &text)
    };
    let (item, other) = (wanted("item")?, wanted("other")?);
    parameters.finish()?;
    Ok(Json(ComparisonView::of(&app.identity.compare(item, other).await?)))
}

/// What would follow if something were said. Nothing is done.
#[utoipa::path(post, path = "/api/v1/identity/simulate", tag = "identity", request_body = WordRequest,
    responses((status = 200, body = SimulationView), (status = "default", body = Problem)))]
pub async fn simulate(
    State(app): State<App>,
    caller: Caller,
    Body(body): Body<WordRequest>,
) -> Result<Json<SimulationView>, ApiError> {
    caller.may(Action::ItemsRead)?;
    Ok(Json(SimulationView::of(&app.identity.simulate(body.word()?).await?)))
}

/// Says several things, one after the other, and what came of each.
#[utoipa::path(post, path = "/api/v1/identity/words", tag = "identity", request_body = WordsRequest,
    responses((status = 200, body = WordResults), (status = "default", body = Problem)))]
pub async fn words(
    State(app): State<App>,
    caller: Caller,
    Body(body): Body<WordsRequest>,
) -> Result<Json<WordResults>, ApiError> {
    let by = caller.known()?;
    by.may(Action::IdentityDecide)?;
    if body.words.is_empty() || body.words.len() > WORDS_MAX {
        let detail = format!("say from 1 to {WORDS_MAX} words at once");
        return Err(ApiError::invalid("words", detail).with("max", WORDS_MAX));
    }
    let mut results = Vec::with_capacity(body.words.len());
    for word in &body.words {
        let said = match word.word() {
            Ok(word) => app.identity.say(word, &by.name).await.map_err(ApiError::from),
            Err(error) => Err(error),
        };
        results.push(match said {
            Ok(action) => WordResult { action, code: None, detail: None },
            Err(error) => WordResult {
                action: None,
                code: Some(error.code.name()),
                detail: Some(error.detail),
            },
        });
    }
    Ok(Json(WordResults { results }))
}
