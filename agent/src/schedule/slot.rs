//! One scope in the schedule: when it is due, and why.

use crate::config::ScopeConfig;
use crate::delta::Header;
use collector::ScopeDeclaration;
use std::time::Duration;
use tokio::time::Instant;

/// The least interval of a scope that changes all the time, unless configured: a new process is to be known within a
/// minute, and every look at all of them costs milliseconds.
const VOLATILE_INTERVAL_LEAST: Duration = Duration::from_secs(50);
/// Intervals vary by this part of themselves to each side, so that the agents of a fleet do not work in step.
const JITTER_DIVISOR: u32 = 10;
/// A scope that is due within this part of its interval comes along with one that is due: one wake-up for both.
const COMPANION_DIVISOR: u32 = 5;
/// Looks for the sake of news take at most this part of a processor.
const NEWS_COST_FACTOR: u32 = 20;
/// The least and the longest pause between two looks for the sake of news.
const NEWS_PAUSE: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));
/// The least pause between two whole reports of one scope, doubled while the control plane keeps asking.
const FULL_PAUSE_LEAST: Duration = Duration::from_secs(5);
/// The longest pause between them.
const FULL_PAUSE_MOST: Duration = Duration::from_secs(3600);
/// A request this long after the last whole report stands for itself.
const FULL_PAUSE_FORGET: Duration = Duration::from_secs(600);
/// How soon a look that hung is tried again, times its time limit.
const TRANQUIL_FACTOR: u32 = 2;

/// One scope.
#[derive(Debug)]
pub struct Slot {
    /// What the collector says of it.
    pub declaration: &'static ScopeDeclaration,
    /// How often it is looked at.
    pub interval: Duration,
    /// How long one look may take.
    pub time_limit: Duration,
    /// What was last reported; `None` when it has to be reported whole.
    pub header: Option<Header>,
    /// When it is looked at next.
    pub next_due: Instant,
    /// Whether the guard is not asked: something is known to have changed, or all is wanted.
    pub is_forced: bool,
    /// Whether all is wanted.
    pub is_full: bool,
    /// The last sequence of the class Inventory that speaks of it.
    pub reported_through: u64,
    /// When its readings were last sent.
    pub readings_at: Option<Instant>,
    /// A look that did not end in its time and still runs.
    pub hanging: Option<tokio::task::JoinHandle<()>>,
    not_before: Instant,
    full_at: Option<Instant>,
    full_pause: Duration,
}

impl Slot {
    pub(super) fn new(
        declaration: &'static ScopeDeclaration,
        config: ScopeConfig,
        now: Instant,
        header: Option<Header>,
        reported_through: u64,
    ) -> Self {
        let declared = if declaration.is_volatile {
            declaration.interval.max(VOLATILE_INTERVAL_LEAST)
        } else {
            declaration.interval
        };
        Self {
            declaration,
            interval: config.interval.unwrap_or(declared),
            time_limit: config.time_limit.unwrap_or(declaration.time_limit),
            header,
            next_due: now,
            is_forced: false,
            is_full: false,
            reported_through,
            readings_at: None,
            hanging: None,
            not_before: now,
            full_at: None,
            full_pause: FULL_PAUSE_LEAST,
        }
    }

    /// Whether it is to be looked at now, or comes along with one that is.
    pub(super) fn is_due(&self, now: Instant) -> bool {
        let soon = if self.is_forced { Duration::ZERO } else { self.interval / COMPANION_DIVISOR };
        self.next_due <= now + soon
    }

    /// Something changed: look at `at`, or when the cost of the last look allows it.
    pub(super) fn notice(&mut self, at: Instant) {
        let at = at.max(self.not_before);
        if at < self.next_due || !self.is_forced {
            self.next_due = self.next_due.min(at);
            self.is_forced = true;
        }
    }

    /// The control plane wants all of it.
    pub(super) fn want_full(&mut self, now: Instant) {
        let at = match self.full_at {
            Some(last) if now.saturating_duration_since(last) < FULL_PAUSE_FORGET => {
                let at = last + self.full_pause;
                self.full_pause = (self.full_pause * 2).min(FULL_PAUSE_MOST);
                at.max(now)
            }
            _ => {
                self.full_pause = FULL_PAUSE_LEAST;
                now
            }
        };
        self.is_forced = true;
        self.is_full = true;
        self.header = None;
        self.full_at = Some(at);
        self.next_due = at;
    }

    /// Plans the next look after one that cost so much (`None`: the guard spared it). `random` is the jitter.
    pub(super) fn plan(&mut self, now: Instant, cost: Option<Duration>, random: u16) {
        let width = self.interval / JITTER_DIVISOR * 2;
        let jitter = width.mul_f64(f64::from(random) / 65_536.0);
        self.next_due = now + self.interval.saturating_sub(self.interval / JITTER_DIVISOR) + jitter;
        let (least, most) = NEWS_PAUSE;
        self.not_before = now + (cost.unwrap_or_default() * NEWS_COST_FACTOR).clamp(least, most);
        self.is_forced = false;
    }

    /// A look has been accepted.
    pub(super) fn done(&mut self) {
        self.is_forced = false;
        self.is_full = false;
    }

    /// A look hung: the next one comes later than it would.
    pub(super) fn hung(&mut self, now: Instant) {
        self.next_due = now + self.interval.max(self.time_limit * TRANQUIL_FACTOR);
        self.is_forced = false;
    }
}
