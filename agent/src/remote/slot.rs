//! One target in the schedule: when which of its scopes is due.

use super::wire::TargetSpec;
use crate::delta::Header;
use crate::look::{Order, ScopeFiles};
use collector::ScopeDeclaration;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::time::Instant;

/// Intervals vary by this part of themselves to each side, so that targets are not read in step.
const JITTER_DIVISOR: u32 = 10;
/// A scope that is due within this part of its interval comes along with one that is.
const COMPANION_DIVISOR: u32 = 5;
/// The least pause between two whole reports of one scope for the sake of the control plane.
const WHOLE_PAUSE: Duration = Duration::from_secs(60);

/// One scope of a target.
#[derive(Debug)]
pub(super) struct ScopeSlot {
    pub(super) declaration: &'static ScopeDeclaration,
    pub(super) interval: Duration,
    pub(super) due: Instant,
    pub(super) is_whole: bool,
    whole_at: Option<Instant>,
    /// The last sequence of the class Inventory that speaks of it.
    pub(super) reported_through: u64,
    pub(super) readings_at: Option<Instant>,
    pub(super) header: Option<Header>,
}

/// One target.
#[derive(Debug)]
pub(super) struct Slot {
    pub(super) spec: TargetSpec,
    pub(super) files: ScopeFiles,
    pub(super) scopes: Vec<ScopeSlot>,
    /// The look that is under way.
    pub(super) running: Option<tokio::task::AbortHandle>,
    /// When it stands in the queue, if it does.
    pub(super) queued: Option<Instant>,
    /// Whether it waits for a place among the looks of its set.
    pub(super) is_waiting: bool,
    /// The credential that was accepted last.
    pub(super) accepted: Option<String>,
    /// Whether no credential was accepted at the last look.
    pub(super) was_refused: bool,
}

/// The folder of a target's states below the agent's state directory. The id is foreign text: its digest is not.
pub(super) fn folder(state: &Path, collector: &str, id: &str) -> PathBuf {
    let digest = blake3::hash(format!("{collector}\0{id}").as_bytes());
    let name: String = digest.to_hex().chars().take(32).collect();
    parent(state).join(name)
}

/// Where those folders lie.
pub(super) fn parent(state: &Path) -> PathBuf {
    state.join("targets")
}

impl Slot {
    /// A target whose scopes are all due now. Nothing older than `reported_through` is confirmed before it is.
    pub(super) fn new(spec: TargetSpec, state: &Path, now: Instant, reported_through: u64) -> Self {
        let (collector, id) = (spec.key.0, &spec.key.1);
        let files = ScopeFiles::new(&folder(state, collector, id), collector);
        let declared = spec.set.collector.manifest().scopes.iter();
        let scopes = declared.map(|declaration| ScopeSlot {
            declaration,
            interval: spec.set.interval.unwrap_or(declaration.interval),
            due: now,
            is_whole: false,
            whole_at: None,
            reported_through,
            readings_at: None,
            header: files.header(declaration.name),
        });
        let scopes = scopes.collect();
        Self {
            files,
            scopes,
            spec,
            running: None,
            queued: None,
            is_waiting: false,
            accepted: None,
            was_refused: false,
        }
    }

    /// The same target as it is to be read from now on.
    pub(super) fn respecify(&mut self, spec: TargetSpec, now: Instant) {
        let before = &self.spec.set;
        let is_other = spec.address != self.spec.address
            || spec.set.port != before.port
            || spec.set.options != before.options;
        for scope in &mut self.scopes {
            let interval = spec.set.interval.unwrap_or(scope.declaration.interval);
            if is_other || interval < scope.interval {
                scope.due = scope.due.min(now + interval.min(Duration::from_secs(1)));
            }
            scope.interval = interval;
        }
        self.spec = spec;
    }

    /// When it is to be looked at next.
    pub(super) fn due(&self) -> Option<Instant> {
        self.scopes.iter().map(|scope| scope.due).min()
    }

    /// All of it, now.
    pub(super) fn hurry(&mut self, now: Instant) {
        self.scopes.iter_mut().for_each(|scope| scope.due = now);
    }

    /// The control plane wants a scope whole.
    pub(super) fn want_whole(&mut self, name: &str, now: Instant) {
        let Some(scope) = self.scopes.iter_mut().find(|scope| scope.declaration.name == name)
        else {
            return;
        };
        let at = scope.whole_at.map_or(now, |last| (last + WHOLE_PAUSE).max(now));
        scope.is_whole = true;
        scope.header = None;
        scope.due = at;
        scope.whole_at = Some(at);
    }

    /// What to look at now.
    pub(super) fn orders(&self, now: Instant, readings_interval: Duration) -> Vec<Order> {
        let is_due = |scope: &&ScopeSlot| scope.due <= now + scope.interval / COMPANION_DIVISOR;
        let due = self.scopes.iter().filter(is_due);
        due.map(|scope| Order {
            scope: scope.declaration.name.to_owned(),
            is_full: scope.is_whole || scope.header.is_none(),
            with_readings: scope
                .readings_at
                .is_none_or(|at| now.saturating_duration_since(at) >= readings_interval),
        })
        .collect()
    }

    /// Plans the next look at a scope; `random` is the jitter.
    pub(super) fn plan(&mut self, name: &str, now: Instant, random: u16) {
        if let Some(scope) = self.scopes.iter_mut().find(|scope| scope.declaration.name == name) {
            let width = scope.interval / JITTER_DIVISOR * 2;
            let jitter = width.mul_f64(f64::from(random) / 65_536.0);
            scope.due =
                now + scope.interval.saturating_sub(scope.interval / JITTER_DIVISOR) + jitter;
        }
    }

    /// Puts off every scope that would be due before then.
    pub(super) fn put_off(&mut self, until: Instant) {
        self.scopes.iter_mut().for_each(|scope| scope.due = scope.due.max(until));
    }
}
