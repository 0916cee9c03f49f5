//! Target sets: put, listed, removed; and how their targets fare.

use super::{KnownSet, TARGETS_SUM_MAX, TargetState, Targets, TargetsError};
use model::AgentId;
use model::targets::{SETS_MAX, TargetSet};
use std::collections::BTreeMap;
use std::sync::Arc;
use store::targets::SetRecord;

/// A set with how its targets fare.
#[derive(Clone, Debug)]
pub struct SetView {
    /// What it says.
    pub record: SetRecord,
    /// How many targets it has.
    pub targets_count: usize,
    /// How many of them no agent reads.
    pub unassigned_count: usize,
    /// Why, when there are some.
    pub remedy: Option<String>,
    /// How many are seen how completely: `complete`, `partial`, `not_looked_at`, and `not_yet`.
    pub coverage: BTreeMap<&'static str, usize>,
}

/// One target.
#[derive(Clone, Debug)]
pub struct TargetView {
    /// Its id in the source of its observations.
    pub id: String,
    /// Its address.
    pub address: String,
    /// The agent that reads it.
    pub agent: Option<AgentId>,
    /// How it fares, once that agent has said so.
    pub state: Option<TargetState>,
}

impl Targets {
    /// Puts a set in the place of one with its name; true when there was none.
    ///
    /// # Errors
    /// When it is not accepted, or the store does not answer.
    pub async fn set_put(&self, set: TargetSet, by: &str) -> Result<bool, TargetsError> {
        let _one_after_the_other = self.changing.lock().await;
        let record = SetRecord { set, changed_at: self.now(), changed_by: by.to_owned() };
        let known = KnownSet::of(record.clone())?;
        let is_new = self.check_set(&known)?;
        self.store.set_put(record).await?;
        let name = known.record.set.name.clone();
        tracing::info!(set = name, by, targets_count = known.targets.len(), "target set stored");
        let mut inner = self.inner();
        inner.sets.insert(name, known);
        inner.is_content_due = true;
        self.wake_plan(&mut inner);
        Ok(is_new)
    }

    fn check_set(&self, known: &KnownSet) -> Result<bool, TargetsError> {
        let inner = self.inner();
        let set = &known.record.set;
        if let Some(missing) =
            set.credentials.iter().find(|name| !inner.credentials.contains_key(*name))
        {
            let reason = format!("there is no credential `{missing}`; store it first");
            return Err(TargetsError::invalid("credentials", reason));
        }
        let is_new = !inner.sets.contains_key(&set.name);
        if is_new && inner.sets.len() >= SETS_MAX {
            return Err(TargetsError::invalid(
                "name",
                format!("there are at most {SETS_MAX} sets"),
            ));
        }
        let others = inner.sets.iter().filter(|(name, _)| **name != set.name);
        let sum: usize = others.map(|(_, known)| known.targets.len()).sum();
        if sum.saturating_add(known.targets.len()) > TARGETS_SUM_MAX {
            let reason = format!("all sets together have at most {TARGETS_SUM_MAX} targets");
            return Err(TargetsError::invalid("addresses", reason));
        }
        Ok(is_new)
    }

    /// Removes a set; its targets are no longer read.
    ///
    /// # Errors
    /// When there is none, or the store does not answer.
    pub async fn set_delete(&self, name: &str, by: &str) -> Result<(), TargetsError> {
        let _one_after_the_other = self.changing.lock().await;
        if !self.store.set_delete(name).await? {
            return Err(TargetsError::NotFound { what: "target set", name: name.to_owned() });
        }
        tracing::info!(set = name, by, "target set removed");
        let mut inner = self.inner();
        inner.sets.remove(name);
        inner.is_content_due = true;
        self.wake_plan(&mut inner);
        Ok(())
    }

    /// Sets by name, behind this one; at most `limit`.
    #[must_use]
    pub fn sets(&self, after: Option<&str>, limit: usize) -> Vec<SetView> {
        use std::ops::Bound::{Excluded, Unbounded};
        let inner = self.inner();
        let from = after.map_or(Unbounded, Excluded);
        let range = inner.sets.range::<str, _>((from, Unbounded));
        range.take(limit).map(|(_, known)| inner.view(known)).collect()
    }

    /// The set of this name.
    #[must_use]
    pub fn set(&self, name: &str) -> Option<SetView> {
        let inner = self.inner();
        inner.sets.get(name).map(|known| inner.view(known))
    }

    /// The targets of a set behind this many; at most `limit`.
    ///
    /// # Errors
    /// When there is no such set.
    pub fn targets(
        &self,
        name: &str,
        skip: usize,
        limit: usize,
    ) -> Result<Vec<TargetView>, TargetsError> {
        let inner = self.inner();
        let known = inner
            .sets
            .get(name)
            .ok_or_else(|| TargetsError::NotFound { what: "target set", name: name.to_owned() })?;
        let some = known.targets.iter().skip(skip).take(limit);
        Ok(some
            .map(|(id, address)| {
                let key = (Arc::clone(&known.collector), Arc::clone(id));
                TargetView {
                    id: id.to_string(),
                    address: address.to_string(),
                    agent: inner.plan.holder(&key),
                    state: inner.states.get(&key).cloned(),
                }
            })
            .collect())
    }
}

impl super::Inner {
    fn view(&self, known: &KnownSet) -> SetView {
        let mut coverage = BTreeMap::new();
        let mut unassigned_count = 0_usize;
        for (id, _) in &known.targets {
            let key = (Arc::clone(&known.collector), Arc::clone(id));
            if self.plan.holder(&key).is_none() {
                unassigned_count = unassigned_count.saturating_add(1);
            }
            let state = self.states.get(&key).and_then(|state| state.coverage.as_ref());
            let name = state.map_or("not_yet", |coverage| coverage.status.name());
            let count: &mut usize = coverage.entry(name).or_default();
            *count = count.saturating_add(1);
        }
        let set = &known.record.set;
        let remedy = (unassigned_count > 0).then(|| self.remedy(set));
        SetView {
            record: known.record.clone(),
            targets_count: known.targets.len(),
            unassigned_count,
            remedy,
            coverage,
        }
    }

    /// Why nobody reads targets of a set, and what would mend it.
    fn remedy(&self, set: &TargetSet) -> String {
        let connected = || self.plan.agents.values().filter(|presence| presence.is_connected);
        let able = || connected().filter(|presence| presence.collectors.contains(&set.collector));
        if !set.is_enabled {
            return "the set is not enabled".to_owned();
        }
        if able().next().is_none() {
            return format!(
                "no agent that is connected has the collector `{}`; connect one, or upgrade those that are",
                set.collector
            );
        }
        if !able().any(|presence| presence.site == set.site) {
            let sites: std::collections::BTreeSet<String> =
                able().map(|presence| format!("`{}`", presence.site)).collect();
            let sites: Vec<String> = sites.into_iter().collect();
            return format!(
                "no agent of the site `{}` can read them; agents that can are of: {}",
                set.site,
                sites.join(", ")
            );
        }
        if !set.agents.is_empty() {
            return "none of the agents that the set is kept to can read them now".to_owned();
        }
        "they are about to be given to an agent".to_owned()
    }
}
