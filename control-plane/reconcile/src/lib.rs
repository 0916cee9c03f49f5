//! Reconciliation: decides which item each observation belongs to, and what that changes.
//!
//! A pure function of what is known and what was observed: no IO, no clock, no randomness of its own. What is known
//! lies in [`Reconciler`] in a compact form; whole observations are asked of [`Past`] only when one changed.
//!
//! Invariants: an observation that did not change decides nothing; absence counts only where the caller says that
//! the scope was seen completely; a decision is applied to the memory at once, so a caller whose commit fails must
//! throw the reconciler away and load it again.
//!
//! Deliberately not here: sequences and scopes' digests on the wire (`ingest`), keeping it (`store`).

mod change;
mod compare;
mod connections;
mod dependencies;
mod explain;
mod group;
mod held;
mod identity;
mod index;
mod keys;
mod known;
mod life;
mod observe;
mod plan;
mod reassign;
mod regroup;
mod rules;
mod simulate;
mod statements;
mod turns;
mod values;
mod wishes;

pub use compare::Comparison;
pub use explain::{Explanation, Pair, Rival, SightingEvidence};
pub use held::{Approved, HeldError};
pub use identity::Reason;
pub use index::{ScopeState, Sight};
pub use known::Known;
pub use plan::Plan;
pub use rules::{BUILT_IN as BUILT_IN_RULES, ClassRules, Rules, RulesError};
pub use simulate::{Outcome, Simulation, WinnerChange};
pub use values::{ChangedValue, LOCKS_MAX, LockError};
pub use wishes::{WishError, Wished};

use connections::Connections;
use dependencies::Dependencies;
use group::Wishes;
use index::Index;
use model::decision::{
    Decision, Number, ObservationRecord, RelationEnd, RelationRecord, SourceRecord,
};
use model::{AgentId, Catalog, ItemId, Name, SourceId, Timestamp};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use turns::Turns;
use values::Values;

/// Why an observation was not taken, or nothing could be decided.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// What is stored could not be read; nothing of this decision may be committed.
    #[error("what is stored of an item cannot be read")]
    Past(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The source calls a thing of another class by the same native key.
    #[error(
        "`{native_key}` was observed as `{before}` and now as `{now}`; a native key names one class"
    )]
    ClassChanged {
        /// The native key.
        native_key: String,
        /// The class that it has.
        before: Name,
        /// The class that was said now.
        now: Name,
    },
    /// There are more items, observations or scopes than numbers.
    #[error("there are more than {} items or observations", Number::MAX)]
    Full,
}

/// What is stored, asked for whole observations. Answers from committed state.
pub trait Past {
    /// The observations of an item.
    ///
    /// # Errors
    /// When they cannot be read.
    fn observations_of(&self, item: Number) -> Result<Vec<ObservationRecord>, Error>;

    /// The relationships in force that lead to an item.
    ///
    /// # Errors
    /// When they cannot be read.
    fn relations_to(&self, item: Number) -> Result<Vec<RelationRecord>, Error>;
}

/// Observations of items that were decided about and are perhaps not committed yet.
#[derive(Debug, Default)]
struct Recent {
    now: HashMap<Number, Vec<ObservationRecord>>,
    before: HashMap<Number, Vec<ObservationRecord>>,
    /// Relationships of the decision before.
    begun: Vec<RelationRecord>,
    ended: Vec<RelationEnd>,
}

/// Makes ids for new items.
pub type NewId = Box<dyn FnMut(Timestamp) -> ItemId + Send>;

/// What is known, and the decision that is being made.
pub struct Reconciler {
    catalog: Arc<Catalog>,
    index: Index,
    connections: Connections,
    dependencies: Dependencies,
    recent: Recent,
    decision: Decision,
    new_id: NewId,
    rules: Rules,
    wishes: Wishes,
    /// Which values win.
    values: Values,
    turns: Turns,
    /// Sightings whose grouping has to be decided again.
    dirty: BTreeSet<u64>,
    /// Sightings that are to be decided again by new rules, a little at a time.
    pending: Vec<u64>,
    /// Items that a person should look at together, both ways, with the bits that speak for them being one.
    possible: HashMap<Number, BTreeMap<Number, i32>>,
}

impl std::fmt::Debug for Reconciler {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reconciler").field("index", &self.index).finish_non_exhaustive()
    }
}

impl Reconciler {
    /// A reconciler that knows nothing yet.
    #[must_use]
    pub fn new(catalog: Arc<Catalog>, new_id: NewId) -> Self {
        Self {
            catalog,
            index: Index::default(),
            connections: Connections::default(),
            dependencies: Dependencies::default(),
            recent: Recent::default(),
            decision: Decision::default(),
            new_id,
            rules: Rules::built_in(),
            wishes: Wishes::default(),
            values: Values::new(),
            turns: Turns::default(),
            dirty: BTreeSet::new(),
            pending: Vec::new(),
            possible: HashMap::new(),
        }
    }

    /// Begins a decision.
    pub fn begin(&mut self, recorded_at: Timestamp) {
        self.decision = Decision { recorded_at, ..Decision::default() };
    }

    /// The decision being made, for what the caller itself adds: sequences and rejected records.
    pub fn decision_mut(&mut self) -> &mut Decision {
        &mut self.decision
    }

    /// Ends a decision: binds connections, derives dependencies. What was decided is remembered until the decision
    /// after the next one begins, because the store may still be writing it.
    ///
    /// # Errors
    /// When what is stored cannot be read.
    pub fn finish(&mut self, past: &dyn Past) -> Result<Decision, Error> {
        self.regroup(past)?;
        self.bind_connections(past)?;
        self.derive_dependencies()?;
        let scopes = self.index.take_touched_scopes();
        self.decision.scopes.extend(scopes);
        self.recent.before = std::mem::take(&mut self.recent.now);
        self.recent.begun.clone_from(&self.decision.relations_begun);
        self.recent.ended.clone_from(&self.decision.relations_ended);
        Ok(std::mem::take(&mut self.decision))
    }

    /// The number of a source, which becomes known with its agent and site.
    ///
    /// # Errors
    /// When there are too many.
    pub fn source(&mut self, id: &SourceId, agent: AgentId, site: &str) -> Result<Number, Error> {
        if let Some(number) = self.index.source_numbers.get(id).copied() {
            if let Some(known) = self.index.sources.get_mut(&number)
                && (known.agent != agent || known.site != site)
            {
                known.agent = agent;
                site.clone_into(&mut known.site);
                self.decision.sources.push(known.clone());
            }
            return Ok(number);
        }
        let number = next_number(self.index.sources.len())?;
        let record = SourceRecord { number, id: id.clone(), agent, site: site.to_owned() };
        self.decision.sources.push(record.clone());
        self.index.know_source(record);
        Ok(number)
    }

    /// The number of a scope of a source.
    ///
    /// # Errors
    /// When there are too many.
    pub fn scope(&mut self, source: Number, name: &str) -> Result<Number, Error> {
        self.index.scope(source, name)
    }

    /// The number of a scope that is known.
    #[must_use]
    pub fn known_scope(&self, source: &SourceId, name: &str) -> Option<Number> {
        let source = self.index.source_numbers.get(source)?;
        self.index.scope_numbers.get(&(*source, Name::Owned(name.to_owned()))).copied()
    }

    /// What is known of a scope.
    #[must_use]
    pub fn scope_state(&self, scope: Number) -> Option<&ScopeState> {
        self.index.scopes.get(&scope)
    }

    /// What is known of a scope, to be changed; it will be written with this decision.
    pub fn scope_state_mut(&mut self, scope: Number) -> Option<&mut ScopeState> {
        self.index.touched.insert(scope);
        self.index.scopes.get_mut(&scope)
    }

    /// The scopes of the sources that an agent carries: source, name and number.
    #[must_use]
    pub fn scopes_of(&self, agent: AgentId) -> Vec<(SourceId, Name, Number)> {
        let mut found = Vec::new();
        for (number, scope) in &self.index.scopes {
            if let Some(source) = self.index.sources.get(&scope.source)
                && source.agent == agent
            {
                found.push((source.id.clone(), scope.name.clone(), *number));
            }
        }
        found.sort();
        found
    }

    fn source_id(&self, number: Number) -> Option<&SourceId> {
        self.index.sources.get(&number).map(|source| &source.id)
    }

    /// The observations of an item as of this decision.
    fn records(&self, past: &dyn Past, item: Number) -> Result<Vec<ObservationRecord>, Error> {
        if let Some(records) = self.recent.now.get(&item).or_else(|| self.recent.before.get(&item))
        {
            return Ok(records.clone());
        }
        past.observations_of(item)
    }

    fn remember(&mut self, item: Number, records: Vec<ObservationRecord>) {
        self.recent.now.insert(item, records);
    }
}

/// The number after `count` others.
fn next_number(count: usize) -> Result<Number, Error> {
    count.checked_add(1).and_then(|number| Number::try_from(number).ok()).ok_or(Error::Full)
}
