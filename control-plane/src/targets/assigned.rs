//! Which agent may report which source over the network; what `ingest` asks before it uses a report.

use super::plan::Key;
use model::{AgentId, SourceId};
use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

/// Targets whose former agent is remembered. When there are more, all are forgotten: late reports of theirs are then
/// refused with a word instead of dropped without.
const FORMER_MAX: usize = 262_144;

#[derive(Debug, Default)]
struct Known {
    now: HashMap<Key, AgentId>,
    /// Who had a target before; what it still had in its spool is superseded, and no mistake of anybody.
    former: HashMap<Key, AgentId>,
}

/// What an agent's report of a source is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// The agent has the target.
    Assigned,
    /// It had it before somebody else, or before it was no longer to be read.
    Former,
    /// It never had it.
    Stranger,
}

/// Targets by collector and id, and who has them. Clones are the same.
#[derive(Clone, Debug, Default)]
pub struct Assigned(Arc<RwLock<Known>>);

impl Assigned {
    /// What an agent's report of a source is worth.
    #[must_use]
    pub fn standing(&self, agent: AgentId, source: &SourceId) -> Standing {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let key: Key = (source.collector.as_str().into(), source.target.as_str().into());
        if known.now.get(&key) == Some(&agent) {
            Standing::Assigned
        } else if known.former.get(&key) == Some(&agent) {
            Standing::Former
        } else {
            Standing::Stranger
        }
    }

    pub(super) fn set(&self, key: &Key, agent: Option<AgentId>) {
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let before = match agent {
            Some(agent) => known.now.insert(key.clone(), agent),
            None => known.now.remove(key),
        };
        if let Some(before) = before.filter(|before| Some(*before) != agent) {
            if known.former.len() >= FORMER_MAX {
                known.former.clear();
            }
            known.former.insert(key.clone(), before);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_had_a_target_is_told_from_who_never_had_it() {
        let assigned = Assigned::default();
        let (one, other, third) = (1, 2, 3);
        let [one, other, third] =
            [one, other, third].map(|number| AgentId::from_bytes([number; 16]));
        let source = SourceId { collector: "snmp".into(), target: "192.0.2.1@".into() };
        let key: Key = ("snmp".into(), "192.0.2.1@".into());
        assert_eq!(assigned.standing(one, &source), Standing::Stranger);
        assigned.set(&key, Some(one));
        assigned.set(&key, Some(other));
        let standings = [one, other, third].map(|agent| assigned.standing(agent, &source));
        assert_eq!(standings, [Standing::Former, Standing::Assigned, Standing::Stranger]);
        assigned.set(&key, None);
        assert_eq!(assigned.standing(other, &source), Standing::Former);
    }
}
