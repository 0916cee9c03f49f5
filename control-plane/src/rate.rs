//! How often something may be asked, by key: a leaky bucket per key, kept as one moment each.
//!
//! Invariant: the number of keys is bounded. When all places are taken by keys that still count, further keys share
//! one bucket, so that an attacker with many addresses slows down strangers but never fills the memory.

use environment::Clock;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Keys that are told apart; each costs about a hundred bytes.
const KEYS_MAX: usize = 16_384;

/// The key of everybody who found no place.
const SHARED: &str = "";

/// A limiter: `burst` at once, then one in every `interval`.
#[derive(Debug)]
pub struct RateLimiter {
    clock: Arc<dyn Clock>,
    burst: u32,
    interval: Duration,
    /// Until when (monotonic) the bucket of a key is not empty.
    full_until: Mutex<HashMap<String, Duration>>,
}

impl RateLimiter {
    /// A limiter with all buckets empty.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>, burst: u32, interval: Duration) -> Self {
        Self { clock, burst, interval, full_until: Mutex::new(HashMap::new()) }
    }

    /// Counts one attempt of this key.
    ///
    /// # Errors
    /// How long to wait, when there were too many.
    pub fn take(&self, key: &str) -> Result<(), Duration> {
        let now = self.clock.monotonic();
        let mut buckets = self.full_until.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.len() >= KEYS_MAX && !buckets.contains_key(key) {
            buckets.retain(|_, until| *until > now);
        }
        let key =
            if buckets.len() >= KEYS_MAX && !buckets.contains_key(key) { SHARED } else { key };
        let until = buckets.get(key).copied().unwrap_or(now).max(now);
        let most = self.interval.saturating_mul(self.burst.saturating_sub(1));
        let ahead = until.saturating_sub(now);
        if ahead > most {
            return Err(ahead.saturating_sub(most));
        }
        buckets.insert(key.to_owned(), until.saturating_add(self.interval));
        Ok(())
    }

    /// Takes one attempt of this key back, because it turned out to be harmless.
    pub fn forgive(&self, key: &str) {
        let mut buckets = self.full_until.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(until) = buckets.get_mut(key) {
            *until = until.saturating_sub(self.interval);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use environment::SimulatedClock;

    #[test]
    fn a_burst_passes_and_the_next_one_waits_for_an_interval() {
        let clock = Arc::new(SimulatedClock::default());
        let limiter =
            RateLimiter::new(Arc::clone(&clock) as Arc<dyn Clock>, 3, Duration::from_secs(10));
        for _ in 0..3 {
            assert_eq!(limiter.take("ann"), Ok(()));
        }
        assert_eq!(limiter.take("ann"), Err(Duration::from_secs(10)));
        assert_eq!(limiter.take("bob"), Ok(()));
        clock.advance(Duration::from_secs(10));
        assert_eq!(limiter.take("ann"), Ok(()));
        assert!(limiter.take("ann").is_err());
    }

    #[test]
    fn what_is_forgiven_does_not_count() {
        let limiter =
            RateLimiter::new(Arc::new(SimulatedClock::default()), 1, Duration::from_secs(10));
        for _ in 0..5 {
            assert_eq!(limiter.take("ann"), Ok(()));
            limiter.forgive("ann");
        }
    }

    #[test]
    fn more_keys_than_places_share_one_bucket() {
        let limiter =
            RateLimiter::new(Arc::new(SimulatedClock::default()), 1, Duration::from_secs(10));
        for number in 0..KEYS_MAX {
            assert_eq!(limiter.take(&number.to_string()), Ok(()));
        }
        assert_eq!(limiter.take("one more"), Ok(()));
        assert!(limiter.take("and another").is_err());
    }
}
