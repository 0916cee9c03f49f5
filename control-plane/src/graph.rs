//! Questions about how the estate hangs together: what suffers, what is needed, which way leads, what lies around,
//! what hangs together with nothing, and the whole as groups.
//!
//! The graph answers by numbers, the store names what is listed. Invariants: every question has limits, and one beyond
//! them is refused with the limit; a count is exact, whatever is listed; the graph is never walked on a thread that
//! serves other requests. The graph is asked as it is now; the
//! past of a neighborhood is read from history.

mod answers;
mod past;

pub use answers::{
    GraphRelation, Impact, Lost, Needed, Needs, Neighborhood, Orphans, Paths, Reached, Route,
    RouteStep, Surroundings,
};

pub use past::neighborhood_at;

use crate::fleet::{Fleet, FleetError};
use model::query::At;
use model::{AgentId, Catalog, ItemId, Name};
use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};
use store::findings::NamedItem;
use store::items::{Items, ReadError};
use topology::{Around, By, Graph, GroupOrder, Grouping, Limits, Orphan, Page};

/// Items that one walk lists; all of them are counted.
pub const LISTED_MAX: usize = 10_000;

/// Relationships that a walk along failures can be limited to; without a limit it goes as far as failures do.
pub const DEPTH_MAX: u32 = 100;

/// Relationships from the middle of a neighborhood to its rim: behind six everything is near.
pub const AROUND_DEPTH_MAX: u32 = 6;

/// Items of a neighborhood that are listed: more cannot be drawn.
pub const AROUND_MAX: usize = 1_000;

/// Neighbors of one class that stay apart; a person who wants more of them asks for the list.
pub const FOLD_MAX: usize = 1_000;

/// Ways that are listed; all of them are counted.
pub const ROUTES_MAX: usize = 100;

/// Items that fail together.
pub const FAILED_MAX: usize = 100;

/// Groups that are listed: more are no map any longer.
pub const GROUPS_MAX: usize = 300;

/// Links between groups that are listed.
pub const LINKS_MAX: usize = 800;

/// Keys by which items are put into groups.
pub const KEYS_MAX: usize = 3;

/// Agents whose labels are fetched at once.
const AGENTS_AT_ONCE: u32 = 1_000;

/// Why a question about the graph has no answer.
#[derive(Debug, thiserror::Error)]
pub enum GraphError {
    /// There is no such item.
    #[error("there is no item with the id `{id}`")]
    NotFound {
        /// The id.
        id: String,
    },
    /// More is asked for than is given.
    #[error("`{parameter}` is from {min} to {max}")]
    OutOfRange {
        /// The parameter.
        parameter: &'static str,
        /// The least.
        min: usize,
        /// The most.
        max: usize,
    },
    /// What is asked for is not understood.
    #[error("{reason}")]
    Invalid {
        /// The parameter.
        parameter: &'static str,
        /// Why, and what can be asked instead.
        reason: String,
    },
    /// The item was stored a moment ago and the graph does not know it yet.
    #[error("the graph has not taken the newest items over yet; ask again")]
    Behind,
    /// The walk ended without an answer.
    #[error("the walk over the graph was given up")]
    GivenUp,
    /// The store did not name the items.
    #[error(transparent)]
    Store(#[from] ReadError),
    /// The labels of the agents could not be read.
    #[error(transparent)]
    Fleet(#[from] FleetError),
}

type Result<T> = std::result::Result<T, GraphError>;

/// Answers questions about the graph. Cheap to clone.
#[derive(Clone)]
pub struct Questions {
    graph: Arc<RwLock<Graph>>,
    items: Arc<dyn Items>,
    catalog: Arc<Catalog>,
    fleet: Arc<Fleet>,
}

impl std::fmt::Debug for Questions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Questions").finish_non_exhaustive()
    }
}

/// A number within its limits.
fn within<T: Copy + PartialOrd + TryInto<usize>>(
    parameter: &'static str,
    value: T,
    (min, max): (T, T),
) -> Result<T> {
    if value >= min && value <= max {
        return Ok(value);
    }
    let number = |value: T| value.try_into().unwrap_or(usize::MAX);
    Err(GraphError::OutOfRange { parameter, min: number(min), max: number(max) })
}

/// How far a walk along failures goes; no depth: as far as failures travel.
fn limits(depth: Option<u32>, listed: usize) -> Result<Limits> {
    let depth = depth.map(|depth| within("depth", depth, (1, DEPTH_MAX))).transpose()?;
    let items = within("limit", listed, (1, LISTED_MAX))?;
    Ok(Limits { depth: depth.unwrap_or(u32::MAX), items })
}

impl Questions {
    /// Questions about this graph, whose items this store names.
    #[must_use]
    pub fn new(
        graph: Arc<RwLock<Graph>>,
        items: Arc<dyn Items>,
        catalog: Arc<Catalog>,
        fleet: Arc<Fleet>,
    ) -> Self {
        Self { graph, items, catalog, fleet }
    }

    /// The items of these ids, each of which must be there; that of an absorbed id is its survivor.
    async fn known(&self, ids: &[ItemId]) -> Result<Vec<NamedItem>> {
        let found = self.items.named(ids).await?;
        found
            .into_iter()
            .zip(ids)
            .map(|(item, id)| item.ok_or_else(|| GraphError::NotFound { id: id.to_string() }))
            .collect()
    }

    /// Asks the graph, on a thread where that may take its time.
    async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&Graph) -> T + Send + 'static,
    ) -> Result<T> {
        let graph = Arc::clone(&self.graph);
        tokio::task::spawn_blocking(move || {
            question(&graph.read().unwrap_or_else(PoisonError::into_inner))
        })
        .await
        .map_err(|_| GraphError::GivenUp)
    }

    /// The items that an answer names, by id.
    async fn names(&self, mut ids: Vec<ItemId>) -> Result<HashMap<ItemId, NamedItem>> {
        ids.sort_unstable();
        ids.dedup();
        let found = self.items.named(&ids).await?;
        Ok(ids.into_iter().zip(found).filter_map(|(id, item)| Some((id, item?))).collect())
    }

    /// What suffers when these items fail together.
    ///
    /// # Errors
    /// When an item is unknown or a limit is exceeded.
    pub async fn impact(
        &self,
        failed: &[ItemId],
        depth: Option<u32>,
        listed: usize,
    ) -> Result<Impact> {
        within("with", failed.len(), (1, FAILED_MAX))?;
        let limits = limits(depth, listed)?;
        let failed = self.known(failed).await?;
        let ids: Vec<ItemId> = failed.iter().map(|item| item.id).collect();
        let walked = self.ask(move |graph| answers::impact(graph, &ids, limits)).await?;
        let (walked, lost, lost_count) = walked.ok_or(GraphError::Behind)?;
        let listed = walked.ids().chain(lost.iter().map(|lost| lost.item)).collect();
        let names = self.names(listed).await?;
        Ok(Impact {
            failed,
            reached: walked.named(&names),
            weakened: lost.iter().filter_map(|lost| lost.named(&names)).collect(),
            weakened_count: lost_count,
        })
    }

    /// What an item needs.
    ///
    /// # Errors
    /// When the item is unknown or a limit is exceeded.
    pub async fn dependencies(
        &self,
        item: ItemId,
        depth: Option<u32>,
        listed: usize,
    ) -> Result<Needs> {
        let limits = limits(depth, listed)?;
        let item = self.one(item).await?;
        let id = item.id;
        let walked = self.ask(move |graph| answers::dependencies(graph, id, limits)).await?;
        let (walked, certain_count) = walked.ok_or(GraphError::Behind)?;
        let names = self.names(walked.ids().collect()).await?;
        Ok(Needs { item, reached: walked.named(&names), certain_count })
    }

    async fn one(&self, id: ItemId) -> Result<NamedItem> {
        let found = self.known(&[id]).await?.into_iter().next();
        found.ok_or_else(|| GraphError::NotFound { id: id.to_string() })
    }

    /// The shortest ways between two items, along relationships of these names or along all.
    ///
    /// # Errors
    /// When an item is unknown or a limit is exceeded.
    pub async fn paths(
        &self,
        (from, to): (ItemId, ItemId),
        verbs: Vec<Name>,
        depth: u32,
        listed: usize,
    ) -> Result<Paths> {
        let depth = within("depth", depth, (1, DEPTH_MAX))?;
        let listed = within("limit", listed, (1, ROUTES_MAX))?;
        let (from, to) = (self.one(from).await?, self.one(to).await?);
        let ends = (from.id, to.id);
        let question = move |graph: &Graph| answers::paths(graph, ends, &verbs, (depth, listed));
        let found = self.ask(question).await?.ok_or(GraphError::Behind)?;
        let ids = found.routes.iter().flatten().map(|step| step.item).collect();
        let names = self.names(ids).await?;
        let routes = found.routes.iter().filter_map(|route| answers::route(route, &names));
        Ok(Paths {
            distance: found.distance,
            count: found.count,
            routes: routes.collect(),
            from,
            to,
        })
    }

    /// What lies around an item.
    ///
    /// # Errors
    /// When the item is unknown or a limit is exceeded.
    pub async fn neighborhood(&self, item: ItemId, around: Around) -> Result<Neighborhood> {
        within("depth", around.depth, (1, AROUND_DEPTH_MAX))?;
        within("limit", around.items, (1, AROUND_MAX))?;
        within("fold", around.fold, (1, FOLD_MAX))?;
        let item = self.one(item).await?;
        let id = item.id;
        let found = self.ask(move |graph| answers::around(graph, id, &around)).await?;
        let found = found.ok_or(GraphError::Behind)?;
        let names = self.names(found.items.iter().map(|(id, _)| *id).collect()).await?;
        Ok(Neighborhood { item, found, names, at: At::Now })
    }

    /// Items that lack every relationship, or the item that they are a part of; with the number to go on behind.
    ///
    /// # Errors
    /// When the store does not name them.
    pub async fn orphans(&self, what: Orphan, page: Page) -> Result<Orphans> {
        let parts: Vec<Name> = self
            .catalog
            .classes()
            .filter(|class| class.is_part())
            .map(|class| class.name.clone())
            .collect();
        let found = self.ask(move |graph| {
            let found = graph.orphans(what, &parts, &page);
            let ids: Vec<ItemId> = found.items.iter().filter_map(|item| graph.id(*item)).collect();
            (found, ids)
        });
        let (found, ids) = found.await?;
        let items = self.items.named(&ids).await?;
        Ok(Orphans { items: items.into_iter().flatten().collect(), found })
    }

    /// The whole estate in groups.
    ///
    /// # Errors
    /// When a limit is exceeded, or a key is none.
    pub async fn groups(&self, asked: GroupQuestion) -> Result<topology::Groups> {
        within("by", asked.by.len(), (1, KEYS_MAX))?;
        within("limit", asked.groups, (1, GROUPS_MAX))?;
        within("links", asked.links, (0, LINKS_MAX))?;
        within("within", asked.within.len(), (0, asked.by.len()))?;
        let mut by = Vec::with_capacity(asked.by.len());
        for key in &asked.by {
            by.push(self.key(key).await?);
        }
        let GroupQuestion { within, verbs, order, groups, links, .. } = asked;
        let grouping = Grouping { by, within, verbs, order, groups, links };
        self.ask(move |graph| graph.groups(&grouping)).await
    }

    async fn key(&self, key: &str) -> Result<By> {
        match key {
            "class" => Ok(By::Class),
            "site" => Ok(By::Site),
            "connectivity" => Ok(By::Connectivity),
            _ => match key.strip_prefix("label:").filter(|label| !label.is_empty()) {
                Some(label) => Ok(By::Label(Arc::new(self.labels(label).await?))),
                None => Err(GraphError::Invalid {
                    parameter: "by",
                    reason: "items are put into groups by `class`, `site`, `label:NAME` or \
                             `connectivity`"
                        .to_owned(),
                }),
            },
        }
    }

    /// The value of a label for each agent that has it.
    async fn labels(&self, label: &str) -> Result<HashMap<AgentId, String>> {
        let mut values = HashMap::new();
        let mut after = None;
        loop {
            let agents = self.fleet.agents(after, AGENTS_AT_ONCE).await?;
            let Some(last) = agents.last() else { return Ok(values) };
            after = Some(last.id);
            values.extend(
                agents
                    .iter()
                    .filter_map(|agent| Some((agent.id, agent.labels.get(label)?.clone()))),
            );
        }
    }
}

/// How the estate is asked for in groups.
#[derive(Clone, Debug, Default)]
pub struct GroupQuestion {
    /// `class`, `site`, `label:NAME` or `connectivity`, outermost first.
    pub by: Vec<String>,
    /// Only what lies within the group of this path.
    pub within: Vec<String>,
    /// The relationships that become links; no name: all.
    pub verbs: Vec<Name>,
    /// Which come first.
    pub order: GroupOrder,
    /// How many groups are listed.
    pub groups: usize,
    /// How many links are listed.
    pub links: usize,
}
