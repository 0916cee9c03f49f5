//! Randomness: from the operating system in production, from a seed in tests and simulations.
//!
//! Invariant: `SeededRandomness` gives the same bytes for the same seed and the same order of calls, on every
//! platform and in every version. It is not fit for secrets, and says so in its name.

use std::{
    fmt::Debug,
    sync::{Mutex, PoisonError},
    time::Duration,
};

/// A source of random bytes.
pub trait Randomness: Send + Sync + Debug {
    /// Fills `bytes` with random bytes.
    fn fill(&self, bytes: &mut [u8]);
}

/// What can be drawn from any source of random bytes.
pub trait RandomnessExt: Randomness {
    /// A uniformly drawn number.
    fn u64(&self) -> u64 {
        let mut bytes = [0; 8];
        self.fill(&mut bytes);
        u64::from_le_bytes(bytes)
    }

    /// A number below `limit`, uniformly drawn but for a bias below 2⁻⁶⁴ × limit; 0 when `limit` is 0.
    fn below(&self, limit: u64) -> u64 {
        let product = u128::from(self.u64()) * u128::from(limit);
        u64::try_from(product >> 64).unwrap_or(0)
    }

    /// True in `numerator` of `denominator` cases.
    fn chance(&self, numerator: u64, denominator: u64) -> bool {
        self.below(denominator) < numerator
    }

    /// A duration between `least` (included) and `most` (excluded); `least` when the range is empty.
    fn duration(&self, least: Duration, most: Duration) -> Duration {
        let width = most.saturating_sub(least);
        let nanoseconds = u64::try_from(width.as_nanos()).unwrap_or(u64::MAX);
        least.saturating_add(Duration::from_nanos(self.below(nanoseconds)))
    }
}

impl<R: Randomness + ?Sized> RandomnessExt for R {}

/// The randomness of the operating system, fit for secrets on Unix.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemRandomness;

impl Randomness for SystemRandomness {
    #[cfg(unix)]
    fn fill(&self, bytes: &mut [u8]) {
        // 256 bytes is the length up to which the kernel promises not to be interrupted.
        for part in bytes.chunks_mut(256) {
            while !fill_part(part) {}
        }
    }

    /// Where there is no `getrandom`, the keys of the standard library's hash maps (drawn from the operating
    /// system) are the source. Secrets do not come from here on such platforms: `pki` uses its own generator.
    #[cfg(not(unix))]
    fn fill(&self, bytes: &mut [u8]) {
        use std::hash::{BuildHasher, RandomState};
        for (index, part) in bytes.chunks_mut(8).enumerate() {
            let word = RandomState::new().hash_one(index).to_le_bytes();
            for (to, from) in part.iter_mut().zip(word) {
                *to = from;
            }
        }
    }
}

/// Fills at most 256 bytes; false when interrupted before the pool was ready.
#[cfg(unix)]
fn fill_part(part: &mut [u8]) -> bool {
    #[expect(unsafe_code, reason = "the standard library has no call for random bytes")]
    // SAFETY: the pointer and the length describe one exclusively borrowed slice, which outlives the call.
    let filled = unsafe { libc::getrandom(part.as_mut_ptr().cast(), part.len(), 0) };
    usize::try_from(filled).is_ok_and(|filled| filled == part.len())
}

/// A repeatable source for tests and simulations (SplitMix64). Never for secrets.
#[derive(Debug)]
pub struct SeededRandomness {
    state: Mutex<u64>,
}

impl SeededRandomness {
    /// A source whose bytes follow from `seed` alone.
    pub fn new(seed: u64) -> Self {
        Self { state: Mutex::new(seed) }
    }
}

impl Randomness for SeededRandomness {
    fn fill(&self, bytes: &mut [u8]) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        for part in bytes.chunks_mut(8) {
            *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut word = *state;
            word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            word ^= word >> 31;
            for (to, from) in part.iter_mut().zip(word.to_le_bytes()) {
                *to = from;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_numbers() {
        let (one, two) = (SeededRandomness::new(7), SeededRandomness::new(7));
        assert_eq!((one.u64(), one.u64()), (two.u64(), two.u64()));
        assert_ne!(one.u64(), SeededRandomness::new(8).u64());
    }

    #[test]
    fn a_draw_below_a_limit_stays_below_it() {
        let source = SeededRandomness::new(1);
        assert_eq!(source.below(0), 0);
        for _ in 0..1_000 {
            assert!(source.below(3) < 3);
        }
    }

    #[test]
    fn a_duration_lies_in_its_range_even_when_the_range_is_empty() {
        let source = SeededRandomness::new(1);
        let (least, most) = (Duration::from_secs(1), Duration::from_secs(2));
        for _ in 0..100 {
            let drawn = source.duration(least, most);
            assert!(drawn >= least && drawn < most);
        }
        assert_eq!(source.duration(most, least), most);
    }

    #[test]
    fn the_system_gives_different_bytes_each_time() {
        let mut bytes = [[0_u8; 300]; 2];
        SystemRandomness.fill(&mut bytes[0]);
        SystemRandomness.fill(&mut bytes[1]);
        assert_ne!(bytes[0], bytes[1]);
    }
}
