//! Which sightings are one item: questions about it, and people's words.
//!
//! Speaks in ids where the write path speaks in numbers.
//!
//! Deliberately not here: deciding (`reconcile`), and who may say what (`api`).

pub mod values;

use crate::ingest::{Ingest, SubmitError, ValuePlan, Wish};
use model::decision::{Number, RulesRecord, WishKind, WishRecord};
use model::{ItemId, Timestamp};
use reconcile::{Comparison, Explanation, Plan, Rules, Simulation};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use store::findings::NamedItem;
use store::items::ReadError;
use store::observed::ItemStore;

/// Merges and splits that a plan lists.
const PLAN_LISTED_MAX: usize = 100;

/// Versions of the rules that are shown.
const RULES_SHOWN_MAX: u32 = 50;

/// Why something was not answered or not taken.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// There is no such item.
    #[error("there is no item with the id `{0}`")]
    UnknownItem(ItemId),
    /// They are one already, are parts, or of two classes.
    #[error(
        "there is nothing to decide: they are one item already, parts of others, or of different classes"
    )]
    NothingToDecide,
    /// The write path did not take it.
    #[error(transparent)]
    Submit(#[from] SubmitError),
    /// It could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
}

/// A person's word as it is listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decided {
    /// By what it is taken back.
    pub action: Number,
    /// `join`, `divide` or `keep_apart`, by what was said of the pairs.
    pub kind: WishKind,
    /// Pairs of sightings that it is about.
    pub pairs: usize,
    /// Who said so.
    pub said_by: String,
    /// When.
    pub at: Timestamp,
    /// The items of these sightings now.
    pub items: Vec<NamedItem>,
}

/// An explanation with the names of the items in it.
#[derive(Clone, Debug)]
pub struct Explained {
    /// The explanation.
    pub why: Explanation,
    /// The items that it names.
    pub items: HashMap<Number, NamedItem>,
}

/// A plan with the names of the items in it.
#[derive(Clone, Debug)]
pub struct Planned {
    /// The plan.
    pub plan: Plan,
    /// What would change of the winning values.
    pub values: ValuePlan,
    /// The items that it names.
    pub items: HashMap<Number, NamedItem>,
}

/// Two items compared, with their names.
#[derive(Clone, Debug)]
pub struct Compared {
    /// The comparison.
    pub found: Comparison,
    /// The items.
    pub items: (NamedItem, NamedItem),
}

/// A simulation with the names of the items in it.
#[derive(Clone, Debug)]
pub struct Simulated {
    /// The simulation.
    pub found: Simulation,
    /// The items that it names.
    pub items: HashMap<Number, NamedItem>,
}

/// A person's word about items.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Word {
    /// Two items are one.
    Join(ItemId, ItemId),
    /// Two items are not one.
    KeepApart(ItemId, ItemId),
    /// Some sightings of an item are another item.
    Divide(ItemId, Vec<u64>),
    /// What was said in an action counts no longer.
    TakeBack(Number),
}

/// The service.
pub struct Identity {
    ingest: Ingest,
    items: Arc<dyn ItemStore>,
    store: Arc<dyn store::identity::Identity>,
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Identity").finish_non_exhaustive()
    }
}

type Result<T> = std::result::Result<T, IdentityError>;

impl Identity {
    /// The service over a write path and its store.
    #[must_use]
    pub const fn new(
        ingest: Ingest,
        items: Arc<dyn ItemStore>,
        store: Arc<dyn store::identity::Identity>,
    ) -> Self {
        Self { ingest, items, store }
    }

    async fn numbers(&self, ids: &[ItemId]) -> Result<Vec<Number>> {
        let found = self.items.numbers(ids).await.map_err(ReadError::from)?;
        let numbers = ids.iter().zip(found);
        numbers.map(|(id, number)| number.ok_or(IdentityError::UnknownItem(*id))).collect()
    }

    async fn named(&self, numbers: &[Number]) -> Result<HashMap<Number, NamedItem>> {
        Ok(self.store.named(numbers).await?.into_iter().collect())
    }

    /// Why an item is what it is.
    ///
    /// # Errors
    /// When there is no such item, or it cannot be read.
    pub async fn explain(&self, id: ItemId) -> Result<Explained> {
        let numbers = self.numbers(&[id]).await?;
        let number = numbers.first().copied().unwrap_or(0);
        let why = self.ingest.explain(number).await?;
        let why = why.ok_or(IdentityError::UnknownItem(id))?;
        let mut named = vec![why.item];
        named.extend(why.rivals.iter().map(|rival| rival.item));
        let items = self.named(&named).await?;
        Ok(Explained { why, items })
    }

    /// Says one word; gives the action, or nothing when one was taken back.
    ///
    /// # Errors
    /// When that makes no sense, or cannot be stored.
    pub async fn say(&self, word: Word, said_by: &str) -> Result<Option<Number>> {
        let wish = self.wish_of(word).await?;
        let wished = self.ingest.wish(wish, said_by.to_owned()).await?;
        Ok(wished.map(|wished| wished.action))
    }

    /// What would follow from a word. Nothing is done.
    ///
    /// # Errors
    /// When that makes no sense, or what is stored cannot be read.
    pub async fn simulate(&self, word: Word) -> Result<Simulated> {
        let wish = self.wish_of(word).await?;
        let found = self.ingest.simulate(wish).await?;
        let outcomes = found.outcomes.iter();
        let mut numbers: Vec<Number> = outcomes
            .flat_map(|outcome| {
                let others = outcome.absorbed.iter().chain(&outcome.taken_from);
                others.copied().chain(outcome.item)
            })
            .collect();
        numbers.sort_unstable();
        numbers.dedup();
        let items = self.named(&numbers).await?;
        Ok(Simulated { found, items })
    }

    async fn wish_of(&self, word: Word) -> Result<Wish> {
        Ok(match word {
            Word::Join(one, other) => {
                let (one, other) = self.two(one, other).await?;
                Wish::Join { one, other }
            }
            Word::KeepApart(one, other) => {
                let (one, other) = self.two(one, other).await?;
                Wish::KeepApart { one, other }
            }
            Word::Divide(item, sightings) => {
                let numbers = self.numbers(&[item]).await?;
                Wish::Divide { item: numbers.first().copied().unwrap_or(0), sightings }
            }
            Word::TakeBack(action) => Wish::TakeBack { action },
        })
    }

    /// What speaks for and against two items being one.
    ///
    /// # Errors
    /// When there is nothing to decide about them, or they cannot be read.
    pub async fn compare(&self, one: ItemId, other: ItemId) -> Result<Compared> {
        let numbers = self.two(one, other).await?;
        let found = self.ingest.compare(numbers.0, numbers.1).await?;
        let found = found.ok_or(IdentityError::NothingToDecide)?;
        let items = self.named(&[found.items.0, found.items.1]).await?;
        let named = |number: Number, id: ItemId| {
            items.get(&number).cloned().ok_or(IdentityError::UnknownItem(id))
        };
        let items = (named(found.items.0, one)?, named(found.items.1, other)?);
        Ok(Compared { found, items })
    }

    /// The rules that decide now.
    ///
    /// # Errors
    /// When they cannot be read.
    pub async fn live_rules(&self) -> Result<Rules> {
        let latest = self.store.rules(1).await?.pop();
        // Rules that this build cannot read do not decide either.
        let rules = latest.and_then(|record| Rules::parse(&record.text).ok());
        Ok(rules.unwrap_or_else(Rules::built_in))
    }

    async fn two(&self, one: ItemId, other: ItemId) -> Result<(Number, Number)> {
        let numbers = self.numbers(&[one, other]).await?;
        match numbers.as_slice() {
            [one, other] => Ok((*one, *other)),
            _ => Err(IdentityError::UnknownItem(one)),
        }
    }

    /// What people said, the latest first.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn decisions(&self) -> Result<Vec<Decided>> {
        let wishes = self.store.wishes().await?;
        let mut natives: Vec<u64> = wishes.iter().flat_map(|wish| [wish.one, wish.other]).collect();
        natives.sort_unstable();
        natives.dedup();
        let numbers = self.ingest.items_of_sightings(natives.clone()).await?;
        let item_of: HashMap<u64, Number> = natives.into_iter().zip(numbers.clone()).collect();
        let named = self.named(&numbers).await?;
        let mut actions: BTreeMap<Number, Vec<WishRecord>> = BTreeMap::new();
        for wish in wishes {
            actions.entry(wish.action).or_default().push(wish);
        }
        let decided = actions.into_iter().rev().filter_map(|(action, wishes)| {
            let first = wishes.first()?;
            let mut items: Vec<Number> = wishes
                .iter()
                .flat_map(|wish| [wish.one, wish.other])
                .filter_map(|native| item_of.get(&native).copied())
                .collect();
            items.sort_unstable();
            items.dedup();
            // An action that joins frees pairs that were kept apart; one that divides joins what it takes out.
            let cannot = wishes.iter().any(|wish| wish.kind == WishKind::Cannot);
            Some(Decided {
                action,
                kind: if cannot { WishKind::Cannot } else { WishKind::Must },
                pairs: wishes.len(),
                said_by: first.said_by.clone(),
                at: first.at,
                items: items.iter().filter_map(|item| named.get(item).cloned()).collect(),
            })
        });
        Ok(decided.collect())
    }

    /// The versions of the rules, the latest first. None as long as the built-in rules decide.
    ///
    /// # Errors
    /// When they cannot be read.
    pub async fn rules(&self) -> Result<Vec<RulesRecord>> {
        Ok(self.store.rules(RULES_SHOWN_MAX).await?)
    }

    /// What other rules would decide about everything that is stored.
    ///
    /// # Errors
    /// When they, or what is stored, cannot be read.
    pub async fn plan(&self, text: &str) -> Result<Planned> {
        let (plan, values) = self.ingest.plan(text, PLAN_LISTED_MAX).await?;
        let mut numbers: Vec<Number> = plan.merged.iter().flatten().copied().collect();
        numbers.extend(plan.divided.iter().map(|(item, _)| *item));
        numbers.extend(values.listed.iter().map(|changed| changed.item));
        let items = self.named(&numbers).await?;
        Ok(Planned { plan, values, items })
    }

    /// Makes rules live: for what comes at once, for what is known a little at a time.
    ///
    /// # Errors
    /// When they cannot be read or stored.
    pub async fn apply(&self, text: String, said_by: &str) -> Result<()> {
        Ok(self.ingest.set_rules(text, said_by.to_owned()).await?)
    }
}
