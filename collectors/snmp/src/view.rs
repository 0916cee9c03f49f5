//! What a scope reads through: tables and variables of one agent, with an account of what could not be read.
//!
//! Invariant: a table that was not read to its end makes its scope partial, never empty; after an agent fell silent,
//! the rest of its tables is not waited for.

use crate::probe::Found;
use crate::scopes::DEVICE;
use crate::session::Failure;
use crate::table::{self, Table};
use crate::value::Value;
use crate::walk::End;
use collector::{Run, Target};
use model::run::CoverageReason;
use model::{Coverage, Observation, Realm, RelationTarget};

/// The native key of a host, in place of [`DEVICE`].
const HOST: &str = "host";

fn rename(key: &mut String) {
    if let Some(rest) = key.strip_prefix(DEVICE)
        && (rest.is_empty() || rest.starts_with('/'))
    {
        *key = format!("{HOST}{rest}");
    }
}

/// A scope's view of its agent.
#[derive(Debug)]
pub(crate) struct View<'t> {
    /// What is looked at.
    pub target: &'t Target,
    /// The conversation.
    pub found: Found,
    trouble: Option<CoverageReason>,
    troubled: Vec<&'static str>,
    is_silent: bool,
}

/// A table as it stands in its MIB.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TableOf {
    /// Its name in the MIB.
    pub name: &'static str,
    /// The identifier of its rows.
    pub entry: &'static [u32],
    /// The columns to read.
    pub columns: &'static [u32],
}

impl<'t> View<'t> {
    /// A view of what was found.
    #[must_use]
    pub(crate) const fn new(target: &'t Target, found: Found) -> Self {
        Self { target, found, trouble: None, troubled: Vec::new(), is_silent: false }
    }

    /// The site as a realm.
    #[must_use]
    pub(crate) fn site(&self) -> Realm {
        Realm::site(&self.target.site)
    }

    /// Reports what was seen. Scopes speak of a device; of a host the same keys begin with [`HOST`], since one native
    /// key is never of two classes, and what was taken for a device before an update of the rules is another thing.
    pub(crate) fn saw(&self, run: &mut Run<'_>, mut seen: Observation) {
        if self.found.is_host {
            rename(&mut seen.native_key);
            seen.within.iter_mut().for_each(rename);
            for relation in &mut seen.relations {
                if let RelationTarget::Native(key) = &mut relation.target {
                    rename(key);
                }
            }
            seen.relations.sort();
        }
        run.saw(seen);
    }

    /// Reads a table.
    pub(crate) async fn table(&mut self, run: &mut Run<'_>, of: &TableOf) -> Table {
        self.table_up_to(run, of, table::VARIABLES_MAX).await
    }

    /// Reads a table up to so many values.
    pub(crate) async fn table_up_to(
        &mut self,
        run: &mut Run<'_>,
        of: &TableOf,
        most: usize,
    ) -> Table {
        if self.is_silent {
            self.troubled.push(of.name);
            return Table::default();
        }
        let found = &mut self.found;
        let (table, end) =
            table::read(&mut found.session, &mut found.tuning, (of.entry, of.columns), most).await;
        match end {
            End::Complete => {}
            End::Malformed(why) => self.failed(run, of.name, CoverageReason::Malformed, why),
            End::Limit => {
                let why = format!("it has more than {most} values");
                self.failed(run, of.name, CoverageReason::LimitReached, why);
            }
            End::Failed(failure) => {
                self.is_silent = true;
                let reason = match failure {
                    Failure::Silent(_) | Failure::OutOfTime => CoverageReason::TimedOut,
                    Failure::Network(_) => CoverageReason::Unreachable,
                    _ => CoverageReason::Malformed,
                };
                self.failed(run, of.name, reason, failure);
            }
        }
        table
    }

    /// Reads single variables; those that are not there, or cannot be read, are `None`.
    pub(crate) async fn get(
        &mut self,
        run: &mut Run<'_>,
        what: &'static str,
        names: &[&[u32]],
    ) -> Vec<Option<Value>> {
        if self.is_silent {
            self.troubled.push(what);
            return vec![None; names.len()];
        }
        match table::get(&mut self.found.session, names).await {
            Ok(mut values) => {
                values.resize(names.len(), None);
                values
            }
            Err(failure) => {
                self.is_silent = true;
                self.failed(run, what, CoverageReason::TimedOut, failure);
                vec![None; names.len()]
            }
        }
    }

    /// Says that a part could not be read.
    pub(crate) fn failed(
        &mut self,
        run: &mut Run<'_>,
        what: &'static str,
        reason: CoverageReason,
        why: impl std::fmt::Display,
    ) {
        run.failed(what, why);
        self.trouble.get_or_insert(reason);
        self.troubled.push(what);
    }

    /// How completely the scope was seen.
    #[must_use]
    pub(crate) fn coverage(&self) -> Coverage {
        match self.trouble {
            None => Coverage::complete(),
            Some(reason) => Coverage::partial(
                reason,
                format!("not read to the end: {}", self.troubled.join(", ")),
            ),
        }
    }

    /// As [`Self::coverage`], for a scope that devices of some kinds do not have.
    #[must_use]
    pub(crate) fn coverage_of(&self, count: usize, what: &str) -> Coverage {
        match self.coverage() {
            whole if whole == Coverage::complete() && count == 0 => {
                Coverage::not_present(format!("the agent shows no {what}"))
            }
            coverage => coverage,
        }
    }
}
