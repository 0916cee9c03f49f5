//! A run: where a collector reports what it saw and what failed.
//!
//! Observations leave through a sink one by one, so that a collector's memory does not grow with its target. The
//! number and the size of what one run may report are bounded: a source gone mad cannot fill the host.

use model::Observation;

/// The most observations that one run of one scope may report; above it the run is cut and partial.
///
/// A host with 100,000 files under certificate watch or 60,000 sockets stays below it.
pub const OBSERVATIONS_MAX: usize = 200_000;

/// The most failures that are kept with their words; later ones are only counted.
pub const FAILURES_MAX: usize = 100;

/// Where observations go.
pub trait Sink: Send {
    /// Takes one observation.
    fn saw(&mut self, observation: Observation);
}

impl Sink for Vec<Observation> {
    fn saw(&mut self, observation: Observation) {
        self.push(observation);
    }
}

/// A part of a scope that could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartFailure {
    /// What was to be read.
    pub what: String,
    /// Why it was not.
    pub why: String,
}

/// One execution of a collector against one scope of one target.
pub struct Run<'a> {
    sink: &'a mut dyn Sink,
    count: usize,
    failures: Vec<PartFailure>,
    failures_count: usize,
    is_cut: bool,
    accepted: Option<String>,
    watcher: Option<&'a (dyn Fn(Progress) + Send + Sync)>,
}

/// How far a run has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    /// What is being looked at, in a word or two.
    pub at: String,
    /// How many steps are done.
    pub done: u64,
    /// How many there are, where that is known.
    pub total: Option<u64>,
}

impl std::fmt::Debug for Run<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Run")
            .field("count", &self.count)
            .field("failures_count", &self.failures_count)
            .field("is_cut", &self.is_cut)
            .finish_non_exhaustive()
    }
}

impl<'a> Run<'a> {
    /// A run that reports into `sink`.
    pub fn new(sink: &'a mut dyn Sink) -> Self {
        Self {
            sink,
            count: 0,
            failures: Vec::new(),
            failures_count: 0,
            is_cut: false,
            accepted: None,
            watcher: None,
        }
    }

    /// Has `watcher` told how far the run has come.
    #[must_use]
    pub fn watched_by(mut self, watcher: &'a (dyn Fn(Progress) + Send + Sync)) -> Self {
        self.watcher = Some(watcher);
        self
    }

    /// Tells how far the run has come, to whoever watches.
    pub fn progress(&self, at: &str, done: u64, total: Option<u64>) {
        if let Some(watcher) = self.watcher {
            watcher(Progress { at: at.to_owned(), done, total });
        }
    }

    /// Reports which credential the target accepted, so that it is tried first the next time.
    pub fn accepted(&mut self, credential: &str) {
        self.accepted = Some(credential.to_owned());
    }

    /// The name of the credential that the target accepted.
    #[must_use]
    pub fn accepted_credential(&self) -> Option<&str> {
        self.accepted.as_deref()
    }

    /// Reports what was seen.
    pub fn saw(&mut self, observation: Observation) {
        if self.count >= OBSERVATIONS_MAX {
            self.is_cut = true;
            return;
        }
        self.count += 1;
        self.sink.saw(observation);
    }

    /// Reports that a part could not be read; the rest goes on.
    pub fn failed(&mut self, what: impl Into<String>, why: impl std::fmt::Display) {
        self.failures_count += 1;
        if self.failures.len() < FAILURES_MAX {
            self.failures.push(PartFailure { what: what.into(), why: why.to_string() });
        }
    }

    /// How many observations were reported.
    #[must_use]
    pub const fn count(&self) -> usize {
        self.count
    }

    /// The parts that could not be read; only the first [`FAILURES_MAX`] keep their words.
    #[must_use]
    pub fn failures(&self) -> &[PartFailure] {
        &self.failures
    }

    /// How many parts could not be read.
    #[must_use]
    pub const fn failures_count(&self) -> usize {
        self.failures_count
    }

    /// Whether observations were dropped because [`OBSERVATIONS_MAX`] was reached.
    #[must_use]
    pub const fn is_cut(&self) -> bool {
        self.is_cut
    }
}
