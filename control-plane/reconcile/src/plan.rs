//! Planning and changing the rules: what other rules would decide about everything that is known, and deciding it.
//!
//! A plan changes nothing. Rules that are made live are applied to a bounded number of sightings with each decision,
//! so that what agents send is not kept waiting.

use crate::Reconciler;
use crate::rules::Rules;
use model::decision::Number;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

/// What other rules would change.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// The rules.
    pub rules: String,
    /// Items that are recognized by keys.
    pub items: usize,
    /// Their sightings.
    pub sightings: usize,
    /// How many items would become part of another one.
    pub merges: usize,
    /// How many items would be divided.
    pub splits: usize,
    /// How many pairs of items a person would be asked about.
    pub possible: usize,
    /// Some of the merges: the items that would be one.
    pub merged: Vec<Vec<Number>>,
    /// Some of the splits: the item, and into how many it would be divided.
    pub divided: Vec<(Number, usize)>,
}

impl Reconciler {
    /// What these rules would decide about everything that is known; at most `listed` merges and splits are listed.
    #[must_use]
    pub fn plan(&self, rules: &Rules, listed: usize) -> Plan {
        let mut plan = Plan { rules: rules.version.clone(), ..Plan::default() };
        let mut done: HashSet<u64> = HashSet::new();
        let mut groups_of: HashMap<Number, usize> = HashMap::new();
        let mut natives: Vec<u64> = self.index.keys.sightings().collect();
        natives.sort_unstable();
        for native in natives {
            if done.contains(&native) {
                continue;
            }
            let Some(class) = self.index.class_of_sighting(native) else { continue };
            let component = self.component_by(rules, native, class);
            done.extend(component.iter().copied());
            plan.sightings = plan.sightings.saturating_add(component.len());
            let grouping = self.grouping_by(rules, class, &component);
            plan.possible = plan.possible.saturating_add(grouping.possible.len());
            for natives in grouping.groups {
                let items: BTreeSet<Number> = natives
                    .iter()
                    .map(|native| self.index.item_of_sighting(*native))
                    .filter(|item| *item != 0)
                    .collect();
                for item in &items {
                    let groups = groups_of.entry(*item).or_default();
                    *groups = groups.saturating_add(1);
                }
                let more = items.len().saturating_sub(1);
                plan.merges = plan.merges.saturating_add(more);
                if more > 0 && plan.merged.len() < listed {
                    plan.merged.push(items.into_iter().collect());
                }
            }
        }
        plan.items = groups_of.len();
        let divided: BTreeMap<Number, usize> =
            groups_of.into_iter().filter(|(_, groups)| *groups > 1).collect();
        plan.splits = divided.len();
        plan.divided = divided.into_iter().take(listed).collect();
        plan
    }

    /// Decides by these rules from now on. What is known is decided again by [`Reconciler::regroup_some`].
    pub fn set_rules(&mut self, rules: Rules) {
        self.rules = rules;
    }

    /// The rules that decide.
    #[must_use]
    pub const fn rules(&self) -> &Rules {
        &self.rules
    }

    /// Lets everything that is known be decided again, a little at a time.
    pub fn regroup_all(&mut self) {
        let mut natives: Vec<u64> = self.index.keys.sightings().collect();
        // Taken from the end.
        natives.sort_unstable_by(|one, other| other.cmp(one));
        self.pending = natives;
    }

    /// Lets up to `limit` more sightings be decided again with this decision. Gives how many are left.
    pub fn regroup_some(&mut self, limit: usize) -> usize {
        let left = self.pending.len().saturating_sub(limit);
        self.dirty.extend(self.pending.drain(left..));
        left
    }

    /// The items of sightings, given as hashes of source and native key; 0 for one that is not known.
    #[must_use]
    pub fn items_of_sightings(&self, natives: &[u64]) -> Vec<Number> {
        natives.iter().map(|native| self.index.item_of_sighting(*native)).collect()
    }
}
