//! What the model of a control plane stores, and the rules of the protocol that it holds the agent to.

use model::run::{ContentHash, CoverageStatus};
use model::{Observation, ScopeDigest};
use proto::convert::{self, Names};
use proto::v1::entry::Content;
use proto::v1::record::Content as RecordContent;
use proto::{Message, v1};
use std::collections::{BTreeMap, HashMap};

/// What is stored under one sequence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Stored {
    /// A record, encoded.
    Record(Vec<u8>),
    /// A gap that ends there.
    Gap { through: u64, count: u64 },
}

/// A scope as the control plane knows it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Scope {
    /// Native key to content.
    pub(crate) held: BTreeMap<String, (String, ContentHash)>,
    /// The coverage of the last run.
    pub(crate) status: Option<CoverageStatus>,
    /// How many whole reports there were.
    pub(crate) full_count: usize,
    /// How many runs ended.
    pub(crate) runs_count: usize,
    /// How often it was confirmed with the digest that it has.
    pub(crate) confirmed_count: usize,
    listed: Vec<String>,
    run: Vec<u8>,
}

impl Scope {
    fn digest(&self) -> ScopeDigest {
        let mut digest = ScopeDigest::default();
        self.held.values().for_each(|(_, hash)| digest.add(*hash));
        digest
    }
}

/// Everything that is stored.
#[derive(Debug, Default)]
pub(crate) struct Store {
    /// By epoch, class and sequence.
    pub(crate) entries: BTreeMap<(u64, u32, u64), Stored>,
    /// By epoch and class.
    pub(crate) committed: BTreeMap<(u64, u32), u64>,
    /// By name.
    pub(crate) scopes: HashMap<String, Scope>,
    /// What the agent did that the protocol does not allow.
    pub(crate) violations: Vec<String>,
    /// Scopes whose digest differs; they are asked for.
    pub(crate) diverged: Vec<String>,
    /// Things that were removed and were not there: allowed only after a kill between acceptance and taking note.
    pub(crate) removed_again: Vec<String>,
    /// Entries that came again.
    pub(crate) repeated_count: usize,
    /// Reports of readings.
    pub(crate) readings_count: usize,
    names: Option<Names>,
}

impl Store {
    /// Stores a batch. The sequence that is committed then, or what is wrong with it.
    pub(crate) fn take(&mut self, batch: &v1::Batch) -> Result<u64, String> {
        let key = (batch.epoch, batch.class);
        let mut committed = self.committed.get(&key).copied().unwrap_or(0);
        for entry in &batch.entries {
            let content = entry.content.as_ref().ok_or("an entry without content")?;
            let last = match content {
                Content::Record(_) => entry.sequence,
                Content::Gap(gap) => gap.through,
            };
            if last <= committed {
                self.repeated_count += 1;
                continue;
            }
            if entry.sequence > committed + 1 {
                return Err(format!("sequence {} after {committed}", entry.sequence));
            }
            let stored = match content {
                Content::Record(record) => {
                    self.apply(record)?;
                    Stored::Record(record.to_vec())
                }
                Content::Gap(gap) => Stored::Gap { through: gap.through, count: gap.count },
            };
            self.entries.insert((batch.epoch, batch.class, entry.sequence), stored);
            committed = last;
        }
        self.committed.insert(key, committed);
        Ok(committed)
    }

    fn apply(&mut self, bytes: &[u8]) -> Result<(), String> {
        let record = v1::Record::decode(bytes).map_err(|error| error.to_string())?;
        match record.content.ok_or("a record without content")? {
            RecordContent::Report(report) => self.apply_report(report),
            RecordContent::Readings(_) => {
                self.readings_count += 1;
                Ok(())
            }
        }
    }

    fn apply_report(&mut self, report: v1::ScopeReport) -> Result<(), String> {
        let names = self.names.get_or_insert_with(Names::built_in);
        let (_, name) = convert::scope_from(report.scope).map_err(|e| e.to_string())?;
        let coverage = convert::coverage_from(report.coverage).map_err(|e| e.to_string())?;
        let scope = self.scopes.entry(name.clone()).or_default();
        if report.part == 0 || scope.run != report.run {
            scope.listed.clear();
            scope.run = report.run;
        }
        for wire in report.observations {
            let hash = ContentHash::of(&wire.class, &wire.native_key, &wire.body);
            let seen: Observation =
                convert::observation_from(names, wire).map_err(|e| e.to_string())?;
            scope.listed.push(seen.native_key.clone());
            scope.held.insert(seen.native_key, (seen.class.into_owned(), hash));
        }
        let is_complete = coverage.status == CoverageStatus::Complete;
        if !report.removed.is_empty() && (report.is_full || !is_complete) {
            self.violations.push(format!("{name} lists removed things it must not"));
        }
        for removed in &report.removed {
            if scope.held.remove(&removed.native_key).is_none() {
                self.removed_again.push(format!("{name} removes `{}` again", removed.native_key));
            }
        }
        if report.is_last {
            if report.is_full {
                scope.full_count += 1;
                if is_complete {
                    let listed: std::collections::HashSet<_> = scope.listed.drain(..).collect();
                    scope.held.retain(|key, _| listed.contains(key));
                }
            }
            scope.runs_count += 1;
            scope.status = Some(coverage.status);
            let digest = convert::digest_from(&report.digest).map_err(|e| e.to_string())?;
            if digest != scope.digest() || report.seen_count != scope.held.len() as u64 {
                self.diverged.push(name);
            }
        }
        Ok(())
    }

    /// Takes a confirmation; whether the scope is unknown here.
    pub(crate) fn confirm(
        &mut self,
        confirmation: &v1::ScopeConfirmation,
    ) -> Option<v1::ScopeName> {
        let name = confirmation.scope.clone()?;
        let digest = convert::digest_from(&confirmation.digest).ok()?;
        match self.scopes.get_mut(&name.scope) {
            Some(scope) if scope.digest() == digest => {
                scope.confirmed_count += 1;
                None
            }
            _ => Some(name),
        }
    }
}
