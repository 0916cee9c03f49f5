//! When a question is asked again, and when its silence is believed.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// The most times that one question is asked.
pub(super) const TRIES_MAX: usize = 8;

/// The fewest times that a silent port of a host that answers is asked.
const TRIES_MIN: usize = 3;

/// When a question to an address of unknown distance is asked again. A host that needs 800 milliseconds can still
/// answer all of them before [`SILENCE`]. The kernel repeats the first one by itself after a second.
const AGAIN: [Duration; 3] =
    [Duration::from_millis(300), Duration::from_millis(550), Duration::from_millis(800)];

/// How long an address of unknown distance may be silent: twice the slowest host that is to be found.
const SILENCE: Duration = Duration::from_millis(1650);

/// The shortest wait for a host of known distance: a busy host's scheduler, and a busy one of our own.
const WAIT_MIN: Duration = Duration::from_millis(100);

/// The longest: a satellite and a slow host behind it.
const WAIT_MAX: Duration = Duration::from_millis(2500);

/// The share of answers that may be missed: one in ten million.
const MISS: f64 = 1e-7;

/// How a set of questions is timed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Timing {
    /// Whether addresses are there at all: each is asked for several ports, and one answer suffices.
    Discovery,
    /// Which ports of addresses are open. Those known to answer are asked by their distance.
    Ports,
}

/// What is known of each address of a list while several loops ask: whether it answered, and how far it is.
#[derive(Debug)]
pub(crate) struct Known {
    /// Microseconds to its first answer; zero: none yet.
    micros: Vec<AtomicU32>,
}

impl Known {
    pub(crate) fn new(count: usize) -> Self {
        Self { micros: std::iter::repeat_with(|| AtomicU32::new(0)).take(count).collect() }
    }

    /// Keeps the shortest time of an answer.
    pub(crate) fn answered(&self, place: usize, after: Duration) {
        let micros = u32::try_from(after.as_micros()).unwrap_or(u32::MAX).max(1);
        if let Some(known) = self.micros.get(place) {
            let shorter = |old: u32| (old == 0 || micros < old).then_some(micros);
            // It fails when the known time is shorter already.
            known.fetch_update(Ordering::Relaxed, Ordering::Relaxed, shorter).unwrap_or_default();
        }
    }

    /// How far an address is, when it has answered.
    pub(crate) fn distance(&self, place: usize) -> Option<Duration> {
        let micros = self.micros.get(place)?.load(Ordering::Relaxed);
        (micros > 0).then(|| Duration::from_micros(u64::from(micros)))
    }
}

/// The loss that answers show: how many came only to a question that was asked again.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Loss {
    first: u32,
    later: u32,
}

impl Loss {
    pub(super) fn note(&mut self, try_index: usize) {
        let count = if try_index == 0 { &mut self.first } else { &mut self.later };
        *count = count.saturating_add(1);
    }

    /// The share of questions that gets lost; before there are answers a bad line is assumed.
    fn share(self) -> f64 {
        (f64::from(self.later) + 2.0) / (f64::from(self.first) + f64::from(self.later) + 20.0)
    }

    /// How often to ask before silence is believed.
    pub(super) fn tries(self) -> usize {
        let mut missed = 1.0;
        for tries in 1..TRIES_MAX {
            missed *= self.share();
            if missed < MISS {
                return tries.max(TRIES_MIN);
            }
        }
        TRIES_MAX
    }
}

/// What a silent question does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// It is asked again this long after its beginning.
    Again(Duration),
    /// It is given up this long after its beginning.
    GiveUp(Duration),
}

impl Timing {
    /// What a question does next that was asked `asked` times. `tries` is how often silence needs.
    pub(super) fn next(self, distance: Option<Duration>, asked: usize, tries: usize) -> Next {
        let times = u32::try_from(asked).unwrap_or(u32::MAX);
        match (self, distance) {
            (Self::Ports, Some(distance)) => {
                let wait = (distance * 2 + WAIT_MIN / 2).clamp(WAIT_MIN, WAIT_MAX);
                if asked < tries { Next::Again(wait * times) } else { Next::GiveUp(wait * times) }
            }
            // Other ports of the same address are asked too: two times are enough.
            (Self::Discovery, _) if asked >= 2 => Next::GiveUp(SILENCE),
            _ => match AGAIN.get(asked.saturating_sub(1)) {
                Some(again) => Next::Again(*again),
                None => Next::GiveUp(SILENCE),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_is_believed_the_later_the_more_gets_lost() {
        let loss = |first, later| Loss { first, later };
        assert_eq!(loss(100_000, 0).tries(), TRIES_MIN);
        assert_eq!(loss(9000, 1000).tries(), 8);
        assert!(loss(0, 0).tries() >= 7);
        assert_eq!(loss(10, 1000).tries(), TRIES_MAX);
    }

    #[test]
    fn every_question_comes_to_an_end() {
        for timing in [Timing::Discovery, Timing::Ports] {
            for distance in [None, Some(Duration::ZERO), Some(Duration::from_secs(3600))] {
                let mut last = Duration::ZERO;
                let ends =
                    (1..=TRIES_MAX).any(|asked| match timing.next(distance, asked, TRIES_MAX) {
                        Next::Again(at) => {
                            assert!(at > last);
                            last = at;
                            false
                        }
                        Next::GiveUp(at) => at > last && at <= WAIT_MAX * 8,
                    });
                assert!(ends, "{timing:?} {distance:?}");
            }
        }
    }

    #[test]
    fn a_host_that_needs_800_milliseconds_can_answer_every_try() {
        let slow = Duration::from_millis(800);
        assert!(AGAIN.iter().all(|again| *again + slow < SILENCE));
        let Next::Again(wait) = Timing::Ports.next(Some(slow), 1, 3) else { panic!("given up") };
        assert!(wait > slow);
    }

    #[test]
    fn the_shortest_time_of_an_answer_is_kept() {
        let known = Known::new(2);
        known.answered(1, Duration::from_millis(9));
        known.answered(1, Duration::from_millis(3));
        known.answered(1, Duration::from_millis(5));
        known.answered(7, Duration::from_millis(5));
        assert_eq!(known.distance(1), Some(Duration::from_millis(3)));
        assert_eq!((known.distance(0), known.distance(7)), (None, None));
    }
}
