//! Pauses between attempts: decorrelated jitter, so that agents which lost the same server do not come back in step.

use environment::{Randomness, RandomnessExt};
use std::time::Duration;

/// The first pause, and the least of all.
const BASE: Duration = Duration::from_secs(1);
/// How much longer than the last one a pause can be.
const GROWTH: u32 = 3;

/// The pauses of one uplink: each is drawn between the base and three times the last one, up to a cap.
#[derive(Clone, Debug)]
pub struct Backoff {
    last: Duration,
    most: Duration,
}

impl Backoff {
    /// Pauses of at most this length.
    #[must_use]
    pub fn new(most: Duration) -> Self {
        Self { last: BASE, most }
    }

    /// A success: the next pause is short.
    pub fn reset(&mut self) {
        self.last = BASE;
    }

    /// The next pause.
    pub fn next(&mut self, randomness: &dyn Randomness) -> Duration {
        let drawn = randomness.duration(BASE, self.last.saturating_mul(GROWTH));
        self.last = drawn.min(self.most);
        self.last
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use environment::SeededRandomness;

    #[test]
    fn pauses_stay_between_base_and_cap_and_grow() {
        let randomness = SeededRandomness::new(3);
        let most = Duration::from_secs(300);
        let mut backoff = Backoff::new(most);
        let pauses: Vec<_> = (0..200).map(|_| backoff.next(&randomness)).collect();
        assert!(pauses.iter().all(|pause| (BASE..=most).contains(pause)));
        assert!(pauses.iter().skip(20).any(|pause| *pause > Duration::from_secs(60)));
        backoff.reset();
        assert!(backoff.next(&randomness) < Duration::from_secs(3));
    }

    #[test]
    fn two_agents_do_not_pause_alike() {
        let mut one = Backoff::new(Duration::from_secs(300));
        let mut other = one.clone();
        let (first, second) = (SeededRandomness::new(1), SeededRandomness::new(2));
        let differ = (0..10).filter(|_| one.next(&first) != other.next(&second)).count();
        assert!(differ >= 9);
    }
}
