//! Loading what is known from the store into the reconciler, the topology and the spool positions.

use super::state::State;
use environment::{Clock, Randomness};
use model::decision::RulesRecord;
use model::policy::Policies;
use model::{Catalog, ItemId, Timestamp};
use reconcile::{Known, Reconciler, Rules};
use std::sync::Arc;
use store::observed::{CommitError, ItemStore, Snapshot};
use topology::Graph;

/// Ids whose random part is fetched together.
const IDS_AT_ONCE: usize = 256;

/// What everything is made of.
#[derive(Clone, Debug)]
pub(super) struct Parts {
    pub(super) catalog: Arc<Catalog>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) randomness: Arc<dyn Randomness>,
    pub(super) assigned: crate::targets::Assigned,
}

impl Parts {
    pub(super) fn now(&self) -> Timestamp {
        self.clock.wall().into()
    }
}

/// Everything that is known.
pub(super) struct Loaded {
    pub(super) reconciler: Reconciler,
    pub(super) graph: Graph,
    pub(super) state: State,
}

pub(super) async fn load(store: &dyn ItemStore, parts: &Parts) -> Result<Loaded, CommitError> {
    let snapshot = store.load().await?;
    let randomness = Arc::clone(&parts.randomness);
    let clock = Arc::clone(&parts.clock);
    // Randomness is fetched for many ids at once: each fetch is a system call.
    let mut random: Vec<[u8; 10]> = Vec::new();
    let new_id = Box::new(move |_: Timestamp| {
        if random.is_empty() {
            let mut bytes = vec![0; IDS_AT_ONCE * 10];
            randomness.fill(&mut bytes);
            random = bytes.as_chunks().0.to_vec();
        }
        ItemId::new_v7(clock.wall().into(), random.pop().unwrap_or_default())
    });
    let mut reconciler = Reconciler::new(Arc::clone(&parts.catalog), new_id);
    let graph = super::graph::graph_of(&snapshot);
    let mut state = State::default();
    for record in &snapshot.committed {
        state.committed.insert((record.agent, record.epoch, record.class), record.sequence);
    }
    take_over(snapshot, &mut reconciler, &parts.catalog);
    Ok(Loaded { reconciler, graph, state })
}

fn take_over(snapshot: Snapshot, reconciler: &mut Reconciler, catalog: &Catalog) {
    snapshot.sources.into_iter().for_each(|record| reconciler.know(Known::Source(record)));
    snapshot.scopes.into_iter().for_each(|record| reconciler.know(Known::Scope(record)));
    for item in snapshot.items {
        reconciler.know(Known::Item {
            class: item.class,
            parent: item.parent,
            local: item.local,
            state: item.state,
            state_since: item.state_since,
        });
    }
    for observation in snapshot.observations {
        reconciler.know(Known::Observation {
            number: observation.number,
            native: observation.native,
            scope: observation.scope,
            item: observation.item,
            content: observation.content,
            is_present: observation.is_present,
        });
    }
    for key in snapshot.keys {
        let (hash, key_type, native) = (key.hash, key.key_type, key.native);
        reconciler.know(Known::Key { hash, key_type, native });
    }
    snapshot.absorbed.into_iter().for_each(|record| reconciler.know(Known::Absorbed(record)));
    snapshot.wishes.into_iter().for_each(|record| reconciler.know(Known::Wish(record)));
    snapshot.possible.into_iter().for_each(|record| reconciler.know(Known::Possible(record)));
    for relation in snapshot.relations {
        let (from, verb, to) = (relation.from, relation.verb, relation.to);
        reconciler.know(Known::Relation { from, verb, to, owner: relation.owner });
    }
    for record in snapshot.whole {
        reconciler.know(Known::Whole(Box::new(record)));
    }
    snapshot.waiting.into_iter().for_each(|record| reconciler.know(Known::Waiting(record)));
    snapshot.endpoints.into_iter().for_each(|record| reconciler.know(Known::Endpoint(record)));
    snapshot.locks.into_iter().for_each(|record| reconciler.know(Known::Lock(record)));
    snapshot.judged.into_iter().for_each(|record| reconciler.know(Known::Judged(record)));
    let policies_before = snapshot.rules_before.and_then(|record| policies_of(catalog, &record));
    if let Some(before) = policies_before {
        reconciler.set_policies(before);
    }
    if let Some(record) = snapshot.rules {
        match (policies_of(catalog, &record), record.is_applied) {
            (Some(policies), true) => reconciler.set_policies(policies),
            (Some(policies), false) => reconciler.change_policies(policies, snapshot.refolded),
            (None, _) => {}
        }
        match Rules::parse(&record.text) {
            Ok(rules) => reconciler.set_rules(rules),
            // They were read when they were made live; only another build can find fault with them.
            Err(error) => {
                tracing::error!(%error, rules = record.version, "these rules of identity cannot be read; the built-in ones decide");
            }
        }
        if !record.is_applied {
            reconciler.regroup_all();
        }
    }
    reconciler.settle();
}

/// What rules say of values; nothing when this build cannot read them.
fn policies_of(catalog: &Catalog, record: &RulesRecord) -> Option<Arc<Policies>> {
    match Policies::in_rules(catalog, &record.text) {
        Ok(policies) => Some(Arc::new(policies)),
        Err(error) => {
            tracing::error!(%error, rules = record.version, "what these rules say of values cannot be read; the policies before them decide");
            None
        }
    }
}
