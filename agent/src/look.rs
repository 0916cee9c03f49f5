//! One look at one scope: ask the collector, compare with what was last reported, say what has to be said.
//!
//! The same code runs inside the agent (scopes that change all the time) and in a short-lived child (all others, so
//! that the memory goes back). It writes the scope's new state beside the old one; whoever hands the parts to the
//! spool puts it in place afterwards, see [`ScopeFiles::keep`].
//!
//! Deliberately not here: when to look, and the spool.

use crate::delta::{Comparison, Header, Question, ScopeState};
use collector::{CollectError, Collector, Guard, Run, Target};
use environment::{Clock, Randomness};
use model::run::{CoverageReason, CoverageStatus};
use model::{Coverage, RunId, ScopeDigest, SourceId, Timestamp};
use serde::{Deserialize, Serialize};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What is to be looked at, and how.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    /// The scope.
    pub scope: String,
    /// Whether all that is seen is to be reported.
    pub is_full: bool,
    /// Whether the readings of unchanged things are due.
    pub with_readings: bool,
}

/// What came of a look, without the observations.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    /// The scope.
    pub scope: String,
    /// How completely it was seen.
    pub coverage: Coverage,
    /// The guard before the look.
    pub guard: Option<u64>,
    /// Digest of what it holds, as hexadecimal digits.
    pub digest: String,
    /// How many things it holds.
    pub count: usize,
    /// How many were listed as new or changed.
    pub changed_count: usize,
    /// How many were listed as removed.
    pub removed_count: usize,
    /// How many parts could not be read.
    pub failures_count: usize,
    /// The first of them, in words.
    pub failures: Vec<String>,
    /// When the look ended.
    pub looked_at: Timestamp,
    /// How long it took, milliseconds.
    pub millis: u64,
    /// Whether a new state waits to be put in place.
    pub has_new_state: bool,
}

impl Summary {
    /// The digest as a number; zero for a look that could not be made.
    #[must_use]
    pub fn scope_digest(&self) -> ScopeDigest {
        ScopeDigest(u128::from_str_radix(&self.digest, 16).unwrap_or(0))
    }
}

/// A look: what goes to the spool, and what came of it.
#[derive(Debug)]
pub struct Looked {
    /// Records of the class Inventory.
    pub parts: Vec<Vec<u8>>,
    /// Records of the class Metrics.
    pub readings: Vec<Vec<u8>>,
    /// What came of it.
    pub summary: Summary,
    /// The credential that the target accepted.
    pub accepted: Option<String>,
    /// Why nothing of the scope could be looked at.
    pub failure: Option<Failure>,
}

/// Why nothing of a scope could be looked at, as far as it matters to whoever plans the next look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// No credential was accepted.
    Refused,
    /// Nobody answered: the other scopes of the target will not be answered either.
    Unreachable,
    /// The target is configured wrongly: the same holds.
    Misconfigured,
    /// Something of this scope alone.
    Other,
}

impl Failure {
    const fn of(error: &CollectError) -> Self {
        match error {
            CollectError::Refused { .. } => Self::Refused,
            CollectError::Unreachable { .. } => Self::Unreachable,
            CollectError::Misconfigured { .. } => Self::Misconfigured,
            CollectError::PermissionDenied { .. } | CollectError::UnknownScope { .. } => {
                Self::Other
            }
        }
    }
}

/// Hears how far a look has come.
pub type Watcher<'a> = &'a (dyn Fn(collector::Progress) + Send + Sync);

/// How a look over the network is bounded and watched.
#[derive(Clone, Copy)]
pub struct Bounds<'a> {
    /// How long it may take; what was seen by then is kept.
    pub limit: Duration,
    /// Who hears how far it has come.
    pub watcher: Watcher<'a>,
}

impl std::fmt::Debug for Bounds<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Bounds").field("limit", &self.limit).finish_non_exhaustive()
    }
}

/// Failures whose words travel with a summary.
const FAILURES_SHOWN_MAX: usize = 5;
/// The most letters of one failure.
const FAILURE_LENGTH_MAX: usize = 200;

/// The states of a collector's scopes, a file each.
#[derive(Clone, Debug)]
pub struct ScopeFiles {
    directory: PathBuf,
    collector: String,
}

impl ScopeFiles {
    /// The files below the agent's state directory.
    #[must_use]
    pub fn new(state: &Path, collector: &str) -> Self {
        Self { directory: state.join("scopes"), collector: collector.to_owned() }
    }

    fn path(&self, scope: &str) -> PathBuf {
        // Scope names come from manifests; should one ever come from elsewhere, it still names a file in here.
        let name: String = scope
            .chars()
            .map(|letter| {
                if letter.is_ascii_alphanumeric() || "._-".contains(letter) { letter } else { '_' }
            })
            .collect();
        self.directory.join(format!("{}.{name}", self.collector))
    }

    fn pending(&self, scope: &str) -> PathBuf {
        let mut path = self.path(scope).into_os_string();
        path.push(".new");
        path.into()
    }

    fn read(&self, scope: &str) -> Option<Vec<u8>> {
        let path = self.path(scope);
        let length = std::fs::metadata(&path).ok()?.len();
        if usize::try_from(length).ok()? > crate::delta::STATE_BYTES_MAX {
            return None;
        }
        std::fs::read(path).ok()
    }

    /// What is kept in memory of a scope; `None` when it has to be reported whole.
    #[must_use]
    pub fn header(&self, scope: &str) -> Option<Header> {
        Header::from_bytes(&self.read(scope)?).ok()
    }

    /// The whole state of a scope; `None` when it has to be reported whole.
    #[must_use]
    pub fn state(&self, scope: &str) -> Option<ScopeState> {
        ScopeState::from_bytes(&self.read(scope)?).ok()
    }

    /// Writes a new state beside the old one.
    ///
    /// # Errors
    /// What the disk says.
    pub fn write_pending(&self, scope: &str, state: &ScopeState) -> io::Result<()> {
        crate::place::create_private_directory(&self.directory)?;
        crate::place::write_private(&self.pending(scope), &state.to_bytes())
    }

    /// Puts the new state in place: what it says was accepted.
    ///
    /// Not flushed: after a power cut an older state only makes the next report longer, and the digest in it shows
    /// the control plane if anything was missed.
    ///
    /// # Errors
    /// What the disk says.
    pub fn keep(&self, scope: &str) -> io::Result<()> {
        std::fs::rename(self.pending(scope), self.path(scope))
    }

    /// Forgets what was last reported, so that the next report is a full one.
    pub fn forget(&self, scope: &str) {
        for path in [self.path(scope), self.pending(scope)] {
            // It may not be there, and if it cannot be removed the order for a full report stands all the same.
            drop(std::fs::remove_file(path));
        }
    }
}

/// What a look needs from its surroundings.
pub struct Surroundings<'a> {
    /// Who looks.
    pub collector: &'a dyn Collector,
    /// At what.
    pub target: &'a Target,
    /// What was last reported.
    pub files: &'a ScopeFiles,
    /// What must be the same for a guard to mean anything.
    pub context: &'a str,
    /// The time.
    pub clock: &'a dyn Clock,
    /// Randomness for the run's id.
    pub randomness: &'a dyn Randomness,
}

impl std::fmt::Debug for Surroundings<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Surroundings").field("target", self.target).finish_non_exhaustive()
    }
}

/// What a failed look says of its scope.
fn coverage_of(error: &CollectError) -> Coverage {
    let reason = match error {
        CollectError::PermissionDenied { .. } | CollectError::Refused { .. } => {
            CoverageReason::PermissionDenied
        }
        CollectError::Misconfigured { .. } => CoverageReason::Malformed,
        CollectError::Unreachable { .. } => CoverageReason::Unreachable,
        CollectError::UnknownScope { .. } => CoverageReason::NotPresent,
    };
    Coverage::not_looked_at(reason, error.to_string())
}

/// What a look says of its scope that did not end in its time.
fn late(count: usize, limit: Duration) -> Coverage {
    let why = format!("the look took longer than {} s", limit.as_secs());
    if count > 0 {
        Coverage::partial(CoverageReason::TimedOut, why)
    } else {
        Coverage::not_looked_at(CoverageReason::TimedOut, why)
    }
}

/// Looks at one scope.
///
/// # Errors
/// Only when the new state cannot be written; then nothing may be handed to the spool.
pub async fn look(around: &Surroundings<'_>, order: &Order) -> io::Result<Looked> {
    look_within(around, order, None).await
}

/// The same, bounded: for a look that waits for others.
///
/// # Errors
/// Only when the new state cannot be written; then nothing may be handed to the spool.
pub async fn look_within(
    around: &Surroundings<'_>,
    order: &Order,
    bounds: Option<Bounds<'_>>,
) -> io::Result<Looked> {
    let began = around.clock.monotonic();
    // The guard is read before the look: a change in between is then seen by the next comparison.
    let guard = around.collector.guard(around.target, &order.scope);
    let (mut comparison, base_guard) = begin(around, order);
    let mut run = Run::new(&mut comparison);
    if let Some(bounds) = bounds {
        run = run.watched_by(bounds.watcher);
    }
    let collected = around.collector.collect(around.target, &order.scope, &mut run);
    let ended = match bounds {
        None => Some(collected.await),
        Some(bounds) => tokio::time::timeout(bounds.limit, collected).await.ok(),
    };
    let mut failure = None;
    let coverage = match ended {
        Some(Ok(coverage)) => coverage,
        Some(Err(error)) => {
            failure = Some(Failure::of(&error));
            coverage_of(&error)
        }
        None => late(run.count(), bounds.map(|bounds| bounds.limit).unwrap_or_default()),
    };
    let accepted = run.accepted_credential().map(str::to_owned);
    let coverage = if run.is_cut() && coverage.status == CoverageStatus::Complete {
        let why = format!("there are more than {} things", collector::OBSERVATIONS_MAX);
        Coverage::partial(CoverageReason::LimitReached, why)
    } else {
        coverage
    };
    let failures_count = run.failures_count();
    let failures = run.failures().iter().take(FAILURES_SHOWN_MAX);
    let failures = failures
        .map(|failure| {
            format!("{}: {}", failure.what, failure.why).chars().take(FAILURE_LENGTH_MAX).collect()
        })
        .collect();
    let mut looked = conclude(around, comparison, coverage, (guard, base_guard))?;
    looked.summary.failures_count = failures_count;
    looked.summary.failures = failures;
    looked.accepted = accepted;
    looked.failure = failure;
    let millis = around.clock.monotonic().saturating_sub(began).as_millis();
    looked.summary.millis = u64::try_from(millis).unwrap_or(u64::MAX);
    Ok(looked)
}

/// What has to be said of a scope that could not be looked at.
///
/// # Errors
/// Only when the new state cannot be written; then nothing may be handed to the spool.
pub fn unlooked(
    around: &Surroundings<'_>,
    order: &Order,
    coverage: Coverage,
) -> io::Result<Looked> {
    let (comparison, base_guard) = begin(around, order);
    // Without a guard the next look is not spared.
    conclude(around, comparison, coverage, (None, base_guard))
}

/// A comparison with what was last reported, and the guard that it was reported under.
fn begin(around: &Surroundings<'_>, order: &Order) -> (Comparison, Option<Guard>) {
    let started_at = Timestamp::from(around.clock.wall());
    let mut random = [0; 10];
    around.randomness.fill(&mut random);
    let question = Question {
        source: SourceId {
            collector: around.collector.manifest().name.to_owned(),
            target: around.target.id.clone(),
        },
        scope: order.scope.clone(),
        run: RunId::new_v7(started_at, random),
        started_at,
        is_full: order.is_full,
        with_readings: order.with_readings,
    };
    let base = if order.is_full { None } else { around.files.state(&order.scope) };
    // A guard that was read under another version, boot or target is as good as none.
    let guard = base.as_ref().map(|base| &base.header);
    let guard = guard.filter(|header| header.context == around.context).and_then(|base| base.guard);
    (Comparison::new(question, base), guard)
}

fn conclude(
    around: &Surroundings<'_>,
    comparison: Comparison,
    coverage: Coverage,
    (guard, base_guard): (Option<Guard>, Option<Guard>),
) -> io::Result<Looked> {
    let scope = comparison.scope().to_owned();
    let looked_at = Timestamp::from(around.clock.wall());
    let mut difference = comparison.finish(coverage.clone(), looked_at);
    difference.state.header.guard = guard;
    difference.state.header.context = around.context.to_owned();
    let has_new_state = !difference.parts.is_empty() || base_guard != guard;
    if has_new_state {
        around.files.write_pending(&scope, &difference.state)?;
    }
    let header = difference.state.header;
    let summary = Summary {
        scope,
        coverage: header.coverage.unwrap_or(coverage),
        guard: guard.map(|Guard(guard)| guard),
        digest: format!("{:032x}", header.digest.0),
        count: header.count,
        changed_count: difference.changed_count,
        removed_count: difference.removed_count,
        failures_count: 0,
        failures: Vec::new(),
        looked_at,
        millis: 0,
        has_new_state,
    };
    Ok(Looked {
        parts: difference.parts,
        readings: difference.readings,
        summary,
        accepted: None,
        failure: None,
    })
}
