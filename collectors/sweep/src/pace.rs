//! A token bucket: how many packets may begin something, and when the next one may.

use std::time::Duration;

/// How much of a second may be made up for at once after a pause: long enough that a timer of the kernel is no limit,
/// short enough that a switch's buffer holds it.
const BURST: Duration = Duration::from_millis(20);

/// A token bucket. It starts with one burst.
#[derive(Debug)]
pub(crate) struct Bucket {
    interval: Duration,
    burst: Duration,
    /// The moment up to which packets are paid for; it may lie in the past by one burst at most.
    paid: Duration,
}

impl Bucket {
    /// A bucket of `rate` packets a second, at least one.
    pub(crate) fn new(rate: u32, now: Duration) -> Self {
        let interval = Duration::from_secs(1) / rate.max(1);
        let burst = BURST.max(interval);
        Self { interval, burst, paid: now.saturating_sub(burst) }
    }

    /// Takes a packet, when one may be sent now.
    pub(crate) fn take(&mut self, now: Duration) -> bool {
        self.paid = self.paid.max(now.saturating_sub(self.burst));
        let next = self.paid + self.interval;
        let is_free = next <= now;
        if is_free {
            self.paid = next;
        }
        is_free
    }

    /// When the next packet may be sent.
    pub(crate) fn next(&self) -> Duration {
        self.paid + self.interval
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use environment::{Clock, SystemClock};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn no_second_has_more_packets_than_the_rate_and_one_burst(rate in 1_u32..5000, steps in prop::collection::vec(0_u64..40_000, 1..400)) {
            let mut now = SystemClock.monotonic();
            let (begin, mut bucket) = (now, Bucket::new(rate, now));
            let mut sent = 0_u32;
            for step in steps {
                now += Duration::from_micros(step);
                for _ in 0..50 {
                    sent += u32::from(bucket.take(now));
                }
                let allowed = f64::from(rate) * ((now - begin).as_secs_f64() + 0.02) + 2.0;
                prop_assert!(f64::from(sent) <= allowed, "{sent} > {allowed}");
            }
        }
    }

    #[test]
    fn a_packet_may_be_sent_when_the_bucket_says_so() {
        let now = SystemClock.monotonic();
        let mut bucket = Bucket::new(10, now);
        assert!(bucket.take(now) && !bucket.take(now));
        assert!(bucket.take(bucket.next()));
    }
}
