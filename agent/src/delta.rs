//! What has to be said of a look: the difference between what a scope held when it was last reported and what it
//! holds now, as parts of a report.
//!
//! Invariants: nothing is listed as removed unless the scope was seen completely; equal digest and equal coverage
//! give no report at all; the digest is the one that a receiver computes after applying the parts; every record
//! keeps the limits of the wire. Pure: no disk, no clock.
//!
//! Deliberately not here: when to look, and whether the spool took the parts. The caller keeps the new state only
//! after it did, so that the base is always what was last accepted.

mod fit;
mod parts;
mod state;

pub use state::{Corrupt, FILE_BYTES_MAX as STATE_BYTES_MAX, Header, ScopeState};

use collector::Sink;
use model::run::{ContentHash, CoverageReason, CoverageStatus};
use model::{Coverage, Name, Observation, RunId, ScopeDigest, SourceId, Timestamp};
use parts::Changed;
use proto::{Message, convert, v1};
use std::collections::HashMap;

/// The most bytes of an observation's body. The smallest spool takes records of 512 KiB, and an observation never
/// lies across two; what is left is for its readings and the frame of the report.
pub const BODY_BYTES_MAX: usize = 384 * 1024;

/// The most bytes of an observation's readings; more are left out, they are not worth a record of their own.
pub const READINGS_BYTES_MAX: usize = 64 * 1024;

/// What is known of one thing that a scope holds.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Held {
    class: Name,
    hash: ContentHash,
    is_seen: bool,
}

/// Who looks at what, and what is wanted.
#[derive(Clone, Debug)]
pub struct Question {
    /// The source.
    pub source: SourceId,
    /// The scope of the source.
    pub scope: String,
    /// Names the run.
    pub run: RunId,
    /// When the look began.
    pub started_at: Timestamp,
    /// Whether all that is seen is to be listed, whatever the base holds.
    pub is_full: bool,
    /// Whether the readings of what did not change are wanted too.
    pub with_readings: bool,
}

/// What came of a look.
#[derive(Clone, Debug)]
pub struct Difference {
    /// Encoded records for the class Inventory, in order; empty when there is nothing to say.
    pub parts: Vec<Vec<u8>>,
    /// Encoded records for the class Metrics: readings of what did not change.
    pub readings: Vec<Vec<u8>>,
    /// What the scope holds now; to be kept once the parts are accepted.
    pub state: ScopeState,
    /// How many observations are listed.
    pub changed_count: usize,
    /// How many are listed as removed.
    pub removed_count: usize,
}

/// Takes the observations of one look and compares them with the base, one by one.
///
/// Memory grows with what changed and with the number of things held, not with the size of what is unchanged.
pub struct Comparison {
    question: Question,
    base_coverage: Option<Coverage>,
    base_digest: ScopeDigest,
    held: HashMap<String, Held>,
    digest: ScopeDigest,
    changed: Vec<v1::Observation>,
    readings: Vec<v1::ItemReadings>,
    refused: Vec<String>,
    refused_count: usize,
}

impl std::fmt::Debug for Comparison {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Comparison")
            .field("scope", &self.question.scope)
            .field("held", &self.held.len())
            .field("changed", &self.changed.len())
            .finish_non_exhaustive()
    }
}

/// The most refused observations that are named in a coverage.
const REFUSALS_NAMED_MAX: usize = 3;

impl Comparison {
    /// A comparison with `base`; without one, or when all is wanted, everything seen is listed.
    #[must_use]
    pub fn new(mut question: Question, base: Option<ScopeState>) -> Self {
        let base = match base {
            Some(mut base) if !question.is_full => {
                base.held.values_mut().for_each(|held| held.is_seen = false);
                base
            }
            // A full report starts from nothing: what it does not list is not vouched for any more.
            _ => {
                question.is_full = true;
                ScopeState::default()
            }
        };
        Self {
            question,
            base_coverage: base.header.coverage,
            base_digest: base.header.digest,
            digest: base.header.digest,
            held: base.held,
            changed: Vec::new(),
            readings: Vec::new(),
            refused: Vec::new(),
            refused_count: 0,
        }
    }

    /// The scope that is looked at.
    #[must_use]
    pub fn scope(&self) -> &str {
        &self.question.scope
    }

    fn refuse(&mut self, native_key: &str, why: &str) {
        self.refused_count += 1;
        if self.refused.len() < REFUSALS_NAMED_MAX {
            let key: String = native_key.chars().take(80).collect();
            self.refused.push(format!("`{key}` {why}"));
        }
    }

    /// What has to be said, given how completely the scope was seen.
    #[must_use]
    pub fn finish(mut self, coverage: Coverage, finished_at: Timestamp) -> Difference {
        let coverage = self.lowered(coverage);
        let mut removed = Vec::new();
        if coverage.status == CoverageStatus::Complete {
            let digest = &mut self.digest;
            let is_full = self.question.is_full;
            self.held.retain(|native_key, held| {
                if !held.is_seen {
                    digest.remove(held.hash);
                    if !is_full {
                        removed.push(v1::Removed {
                            class: held.class.clone().into_owned(),
                            native_key: native_key.clone(),
                        });
                    }
                }
                held.is_seen
            });
        }
        removed.sort_by(|one, other| one.native_key.cmp(&other.native_key));
        let (changed_count, removed_count) = (self.changed.len(), removed.len());
        // A scope may change and change back to the same digest only if its observations are the same again.
        let is_silent = !self.question.is_full
            && self.digest == self.base_digest
            && changed_count == 0
            && self.base_coverage.as_ref() == Some(&coverage);
        let state = ScopeState {
            header: Header {
                coverage: Some(coverage.clone()),
                digest: self.digest,
                count: self.held.len(),
                looked_at: finished_at,
                guard: None,
                context: String::new(),
            },
            held: self.held,
        };
        let parts = if is_silent {
            Vec::new()
        } else {
            let closing = parts::Closing {
                coverage: convert::coverage_to(&coverage),
                finished_at,
                digest: self.digest,
                seen_count: state.held.len(),
            };
            parts::report(&self.question, Changed { seen: self.changed, removed }, &closing)
        };
        let readings = parts::readings(&self.question.source, finished_at, self.readings);
        Difference { parts, readings, state, changed_count, removed_count }
    }

    /// Observations that the wire cannot carry make a complete look a partial one: they are there all the same.
    fn lowered(&self, coverage: Coverage) -> Coverage {
        if self.refused_count == 0 || coverage.status != CoverageStatus::Complete {
            return coverage;
        }
        let detail = format!(
            "{} of the things seen cannot be sent: {}",
            self.refused_count,
            self.refused.join("; ")
        );
        Coverage::partial(CoverageReason::LimitReached, detail)
    }
}

impl Comparison {
    /// Notes that a thing was seen with this content; whether that is news, and `None` for a second sight of it in
    /// the same look: the first one counts, as it does for the receiver's digest.
    fn note(&mut self, seen: &Observation, hash: ContentHash) -> Option<bool> {
        let Some(held) = self.held.get_mut(&seen.native_key) else {
            self.digest.add(hash);
            let held = Held { class: seen.class.clone(), hash, is_seen: true };
            self.held.insert(seen.native_key.clone(), held);
            return Some(true);
        };
        if std::mem::replace(&mut held.is_seen, true) {
            return None;
        }
        if held.hash == hash {
            return Some(false);
        }
        self.digest.remove(held.hash);
        self.digest.add(hash);
        held.hash = hash;
        held.class = seen.class.clone();
        Some(true)
    }
}

impl Sink for Comparison {
    fn saw(&mut self, seen: Observation) {
        if let Err(why) = fit::check(&seen) {
            return self.refuse(&seen.native_key, why);
        }
        let body = convert::body_bytes(&seen);
        if body.len() > BODY_BYTES_MAX {
            return self.refuse(&seen.native_key, "is larger than a record may be");
        }
        let hash = ContentHash::of(&seen.class, &seen.native_key, &body);
        let Some(is_changed) = self.note(&seen, hash) else { return };
        let wants_readings = is_changed || self.question.with_readings;
        if !wants_readings || (!is_changed && seen.readings.is_empty()) {
            return;
        }
        let mut readings = convert::readings_to(&seen.readings);
        let size: usize = readings.iter().map(Message::encoded_len).sum();
        if size > READINGS_BYTES_MAX {
            readings.clear();
        }
        let (class, native_key) = (seen.class.into_owned(), seen.native_key);
        if is_changed {
            self.changed.push(v1::Observation { class, native_key, body, readings });
        } else {
            self.readings.push(v1::ItemReadings { class, native_key, readings });
        }
    }
}

#[cfg(test)]
mod tests;
