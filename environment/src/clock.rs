//! Time. `wall` may jump in both directions, `monotonic` never goes back; code that measures durations uses the latter.
//!
//! Deliberately without timers: async code uses `tokio::time`, which can be paused in tests by itself.

use std::{
    fmt::Debug,
    sync::{Mutex, OnceLock, PoisonError},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

/// A source of time.
pub trait Clock: Send + Sync + Debug {
    /// The calendar time, as the machine believes it to be. It can jump.
    fn wall(&self) -> SystemTime;
    /// Time since some fixed moment of this process. It never goes back.
    fn monotonic(&self) -> Duration;
}

/// Milliseconds since 1970 of a moment; moments before 1970 count as 0.
pub fn unix_milliseconds(moment: SystemTime) -> u64 {
    moment
        .duration_since(UNIX_EPOCH)
        .ok()
        .and_then(|since| u64::try_from(since.as_millis()).ok())
        .unwrap_or(0)
}

/// The clock of the operating system.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

static PROCESS_START: OnceLock<Instant> = OnceLock::new();

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the one place that asks for the time")]
    fn wall(&self) -> SystemTime {
        SystemTime::now()
    }

    #[expect(clippy::disallowed_methods, reason = "this is the one place that asks for the time")]
    fn monotonic(&self) -> Duration {
        PROCESS_START.get_or_init(Instant::now).elapsed()
    }
}

/// A clock that moves only when told to.
#[derive(Debug)]
pub struct SimulatedClock {
    state: Mutex<(SystemTime, Duration)>,
}

impl SimulatedClock {
    /// A clock that stands at `wall`, with a monotonic time of zero.
    pub fn at(wall: SystemTime) -> Self {
        Self { state: Mutex::new((wall, Duration::ZERO)) }
    }

    /// Lets time pass: both readings move forward.
    pub fn advance(&self, by: Duration) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.0 = state.0.checked_add(by).unwrap_or(state.0);
        state.1 = state.1.saturating_add(by);
    }

    /// Sets the calendar time, as an administrator or a time server does; the monotonic time stays.
    pub fn jump_to(&self, wall: SystemTime) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).0 = wall;
    }
}

impl Default for SimulatedClock {
    /// 2023-11-14, an arbitrary moment that is the same in every run.
    fn default() -> Self {
        Self::at(UNIX_EPOCH + Duration::from_secs(1_700_000_000))
    }
}

impl Clock for SimulatedClock {
    fn wall(&self) -> SystemTime {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).0
    }

    fn monotonic(&self) -> Duration {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_jump_of_the_wall_clock_leaves_the_monotonic_time_alone() {
        let clock = SimulatedClock::default();
        clock.advance(Duration::from_secs(5));
        clock.jump_to(UNIX_EPOCH);
        assert_eq!(clock.monotonic(), Duration::from_secs(5));
        assert_eq!(unix_milliseconds(clock.wall()), 0);
    }

    #[test]
    fn a_moment_before_1970_counts_as_zero() {
        assert_eq!(unix_milliseconds(UNIX_EPOCH - Duration::from_secs(1)), 0);
    }

    #[test]
    fn the_system_clock_does_not_go_back() {
        let first = SystemClock.monotonic();
        assert!(SystemClock.monotonic() >= first);
    }
}
