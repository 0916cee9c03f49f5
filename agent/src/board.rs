//! What the agent knows of itself, for `dharma-agent status`, for the beat and for whoever asks why.
//!
//! One place that tasks write to and the control socket reads. Invariants: everything on it is bounded; nothing on
//! it is secret; a lock is held only to copy.

use crate::look::Summary;
use model::{Coverage, ScopeDigest, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The most complaints that are kept.
const COMPLAINTS_MAX: usize = 16;

/// How the agent stands with the control plane.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ConnectionState {
    /// Not tried yet.
    #[default]
    Starting,
    /// On the way.
    Connecting,
    /// A session is open.
    Connected,
    /// The last attempt failed; the next one is planned.
    Waiting,
    /// The control plane said no. It is asked again now and then.
    Refused,
    /// The agent ends.
    Stopped,
}

/// The connection.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Connection {
    /// How it stands.
    pub state: ConnectionState,
    /// With whom.
    pub endpoint: String,
    /// Since when.
    pub since: Timestamp,
    /// What went wrong last, in a sentence.
    pub last_error: Option<String>,
    /// When the next attempt comes, if one is planned.
    pub next_attempt: Option<Timestamp>,
    /// How many sessions were opened since the start.
    pub sessions_count: u64,
    /// How far the control plane's clock is ahead of ours, milliseconds; `None` before the first session.
    pub clock_ahead_millis: Option<i64>,
    /// Records that the control plane could not use, since the start.
    pub rejected_count: u64,
}

/// One scope.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScopeStatus {
    /// Collector and scope.
    pub name: String,
    /// How completely it was seen last; `None` before the first look.
    pub coverage: Option<Coverage>,
    /// How many things it holds.
    pub count: usize,
    /// When it was last looked at or found unchanged by its guard.
    pub looked_at: Option<Timestamp>,
    /// When it is looked at next.
    pub next_look: Option<Timestamp>,
    /// How long the last look took, milliseconds.
    pub millis: u64,
    /// New or changed things in the last look.
    pub changed_count: usize,
    /// Removed things in the last look.
    pub removed_count: usize,
    /// Looks since the start.
    pub looks_count: u64,
    /// Times that the guard spared a look since the start.
    pub spared_count: u64,
    /// Parts that could not be read in the last look, in words.
    pub failures: Vec<String>,
}

/// What never changes while the agent runs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct About {
    /// Version of the agent.
    pub version: String,
    /// Id of the agent.
    pub agent_id: String,
    /// Its site.
    pub site: String,
    /// Process id.
    pub pid: u32,
    /// When it started.
    pub started_at: Timestamp,
}

#[derive(Debug, Default)]
struct Inner {
    about: About,
    connection: Connection,
    certificate_expires: Timestamp,
    scopes: BTreeMap<String, ScopeStatus>,
    complaints: BTreeMap<String, String>,
    known: BTreeMap<String, Known>,
}

/// What the control plane may be told of a scope without a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Known {
    /// When it was last looked at.
    pub looked_at: Timestamp,
    /// What it holds.
    pub digest: ScopeDigest,
    /// The last sequence of the class Inventory that speaks of it: before the control plane has that, the digest
    /// would be news to it.
    pub reported_through: u64,
    /// Whether it has yet to be told.
    pub is_pending: bool,
}

/// The board; clones are the same board.
#[derive(Clone, Debug, Default)]
pub struct Board(Arc<Mutex<Inner>>);

impl Board {
    /// A board of an agent that has just started.
    #[must_use]
    pub fn new(about: About) -> Self {
        let connection = Connection { since: about.started_at, ..Connection::default() };
        Self(Arc::new(Mutex::new(Inner { about, connection, ..Inner::default() })))
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What never changes.
    #[must_use]
    pub fn about(&self) -> About {
        self.inner().about.clone()
    }

    /// The connection.
    #[must_use]
    pub fn connection(&self) -> Connection {
        self.inner().connection.clone()
    }

    /// Changes what is said of the connection.
    pub fn update_connection(&self, update: impl FnOnce(&mut Connection)) {
        update(&mut self.inner().connection);
    }

    /// When the certificate ends.
    #[must_use]
    pub fn certificate_expires(&self) -> Timestamp {
        self.inner().certificate_expires
    }

    /// Notes when the certificate ends.
    pub fn set_certificate_expires(&self, at: Timestamp) {
        self.inner().certificate_expires = at;
    }

    /// Complains about a matter in a sentence, or takes the complaint back.
    pub fn complain(&self, matter: &str, sentence: Option<String>) {
        let mut inner = self.inner();
        match sentence {
            None => {
                inner.complaints.remove(matter);
            }
            Some(sentence) => {
                let is_known = inner.complaints.contains_key(matter);
                if is_known || inner.complaints.len() < COMPLAINTS_MAX {
                    let sentence = crate::report::bounded(&sentence);
                    inner.complaints.insert(matter.to_owned(), sentence);
                }
            }
        }
    }

    /// All complaints, in sentences.
    #[must_use]
    pub fn complaints(&self) -> Vec<String> {
        self.inner().complaints.values().cloned().collect()
    }

    /// Every scope.
    #[must_use]
    pub fn scopes(&self) -> Vec<ScopeStatus> {
        self.inner().scopes.values().cloned().collect()
    }

    /// Changes what is said of a scope.
    pub fn update_scope(&self, name: &str, update: impl FnOnce(&mut ScopeStatus)) {
        let mut inner = self.inner();
        let scope = inner.scopes.entry(name.to_owned()).or_insert_with(|| ScopeStatus {
            name: name.to_owned(),
            coverage: None,
            count: 0,
            looked_at: None,
            next_look: None,
            millis: 0,
            changed_count: 0,
            removed_count: 0,
            looks_count: 0,
            spared_count: 0,
            failures: Vec::new(),
        });
        update(scope);
    }

    /// Notes a look.
    pub fn looked(&self, summary: &Summary, count: usize) {
        self.update_scope(&summary.scope, |scope| {
            scope.coverage = Some(summary.coverage.clone());
            scope.count = count;
            scope.looked_at = Some(summary.looked_at);
            scope.millis = summary.millis;
            scope.changed_count = summary.changed_count;
            scope.removed_count = summary.removed_count;
            scope.looks_count += 1;
            scope.failures.clone_from(&summary.failures);
        });
    }

    /// Notes what the control plane may be told of a scope.
    pub fn know(&self, scope: &str, known: Known) {
        self.inner().known.insert(scope.to_owned(), known);
    }

    /// The same for one that has to be reported whole: there is nothing to confirm.
    pub fn unknow(&self, scope: &str) {
        self.inner().known.remove(scope);
    }

    /// A new session: the control plane is told of every scope again, it may not be the same one.
    pub fn confirm_all(&self) {
        self.inner().known.values_mut().for_each(|known| known.is_pending = true);
    }

    /// Takes what is to be confirmed and what the control plane can know of.
    #[must_use]
    pub fn take_confirmations(&self, committed: u64) -> Vec<(String, Known)> {
        let mut inner = self.inner();
        let due = inner
            .known
            .iter_mut()
            .filter(|(_, known)| known.is_pending && known.reported_through <= committed);
        due.map(|(scope, known)| {
            known.is_pending = false;
            (scope.clone(), *known)
        })
        .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_confirmed_before_the_control_plane_has_the_report() {
        let board = Board::default();
        let known = Known {
            looked_at: Timestamp::EPOCH,
            digest: ScopeDigest(7),
            reported_through: 5,
            is_pending: true,
        };
        board.know("mounts", known);
        assert!(board.take_confirmations(4).is_empty());
        assert_eq!(board.take_confirmations(5).len(), 1);
        assert!(board.take_confirmations(5).is_empty());
        board.confirm_all();
        assert_eq!(board.take_confirmations(9).len(), 1);
    }

    #[test]
    fn complaints_are_bounded_and_can_be_taken_back() {
        let board = Board::default();
        for matter in 0..100 {
            board.complain(&matter.to_string(), Some("x".into()));
        }
        assert_eq!(board.complaints().len(), COMPLAINTS_MAX);
        board.complain("0", None);
        assert_eq!(board.complaints().len(), COMPLAINTS_MAX - 1);
    }
}
