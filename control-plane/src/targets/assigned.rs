//! Which agent may report which source over the network; what `ingest` asks before it uses a report.

use super::plan::Key;
use model::{AgentId, SourceId};
use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

/// Targets by collector and id, and who has them. Clones are the same.
#[derive(Clone, Debug, Default)]
pub struct Assigned(Arc<RwLock<HashMap<Key, AgentId>>>);

impl Assigned {
    /// Whether an agent may speak for a source.
    #[must_use]
    pub fn has(&self, agent: AgentId, source: &SourceId) -> bool {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let key: Key = (source.collector.as_str().into(), source.target.as_str().into());
        known.get(&key) == Some(&agent)
    }

    pub(super) fn set(&self, key: &Key, agent: Option<AgentId>) {
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        match agent {
            Some(agent) => known.insert(key.clone(), agent),
            None => known.remove(key),
        };
    }
}
