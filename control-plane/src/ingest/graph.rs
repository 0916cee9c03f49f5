//! The graph of what is stored.
//!
//! The benchmark `topology` takes this very file in, so that it measures what the control plane does at its start
//! without being built with the APIs: only the store, the topology and the vocabulary are named here.

use model::decision::Number;
use std::collections::HashMap;
use store::observed::Snapshot;
use topology::{Builder, Graph};

/// The graph of everything that the store holds.
pub(crate) fn graph_of(snapshot: &Snapshot) -> Graph {
    let mut builder = Builder::new();
    for source in &snapshot.sources {
        builder.source(source.number, &source.site, source.agent);
    }
    for item in &snapshot.items {
        builder.item(item.number, item.id, &item.class, (item.parent, item.state));
    }
    let sources: HashMap<Number, Number> =
        snapshot.scopes.iter().map(|scope| (scope.number, scope.source)).collect();
    for observation in &snapshot.observations {
        let source = sources.get(&observation.scope).copied().unwrap_or(0);
        builder.observation(observation.number, source, observation.item, observation.is_present);
    }
    for (observation, item, spare) in &snapshot.spares {
        builder.spare(*observation, *item, *spare);
    }
    for relation in &snapshot.relations {
        builder.relation(relation.from, &relation.verb, relation.to);
    }
    for absorbed in &snapshot.absorbed {
        builder.lead(absorbed.item, absorbed.into);
    }
    builder.finish()
}
