//! How large the spool may get and where it lies.
//!
//! Invariant: `Limits` are what the rest of the crate works with; they are derived once, when the spool is opened, and
//! always leave room for at least four segments in each class, so that dropping the oldest one loses a quarter at most.

use std::path::PathBuf;

use crate::{
    error::Error,
    priority::{PerClass, Priority},
};

/// The smallest sum of the quotas. Below it the segments become so small that the flushes dominate.
pub const TOTAL_BYTES_MIN: u64 = 8 << 20;
/// The largest sum of the quotas: beyond a tebibyte the list of segments would no longer be small.
pub const TOTAL_BYTES_MAX: u64 = 1 << 40;
/// The default sum of the quotas: days of an ordinary host, and little on any disk of today.
pub const TOTAL_BYTES_DEFAULT: u64 = 256 << 20;
/// The default size of a segment: large enough that the headers vanish, small enough to be scanned in milliseconds.
pub const SEGMENT_BYTES_DEFAULT: u64 = 8 << 20;
/// The smallest size of a segment that may be asked for.
pub const SEGMENT_BYTES_MIN: u64 = 16 << 10;
/// The largest record. A batch on the wire holds several, and both sides keep one in memory.
pub const RECORD_BYTES_MAX: u64 = 1 << 20;
/// What is set aside for a full disk: gap records, cursors and audit records still fit.
pub(crate) const RESERVE_BYTES: u64 = 1 << 20;
/// The most bytes that one flush makes durable together. At 4 ms a flush that is 250 MiB/s.
pub(crate) const GROUP_BYTES_MAX: u64 = 1 << 20;
/// Segments per quota at least.
const SEGMENTS_PER_QUOTA: u64 = 4;

/// Where the spool lies and how large it may get.
#[derive(Debug, Clone)]
pub struct Options {
    /// The folder; it is created with mode 0700 and belongs to the spool alone.
    pub directory: PathBuf,
    /// The largest size of each class, in the order of `Priority::ALL`.
    pub quota_bytes: [u64; 4],
    /// The size at which a segment is sealed; a quarter of the class's quota if that is less.
    pub segment_bytes: u64,
    /// What is set aside for a full disk; 0 for nothing.
    pub reserve_bytes: u64,
}

impl Options {
    /// The default sizes in a folder.
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        Self::with_total(directory, TOTAL_BYTES_DEFAULT)
    }

    /// A total shared out among the classes: an eighth to audit, a half to inventory, a quarter to events, the rest
    /// to metrics.
    pub fn with_total(directory: impl Into<PathBuf>, total_bytes: u64) -> Self {
        let part = total_bytes / 8;
        Self {
            directory: directory.into(),
            quota_bytes: [part, part * 4, part * 2, total_bytes.saturating_sub(part * 7)],
            segment_bytes: SEGMENT_BYTES_DEFAULT,
            reserve_bytes: RESERVE_BYTES,
        }
    }

    pub(crate) fn limits(&self) -> Result<Limits, Error> {
        let total = self.quota_bytes.iter().fold(0_u64, |sum, quota| sum.saturating_add(*quota));
        let quota = PerClass(self.quota_bytes);
        let least = SEGMENT_BYTES_MIN * SEGMENTS_PER_QUOTA;
        let reason = if !(TOTAL_BYTES_MIN..=TOTAL_BYTES_MAX).contains(&total) {
            Some(format!(
                "the sum of the quotas is {total} bytes; it must lie between {TOTAL_BYTES_MIN} and {TOTAL_BYTES_MAX}"
            ))
        } else if self.segment_bytes < SEGMENT_BYTES_MIN {
            Some(format!(
                "a segment of {} bytes is smaller than {SEGMENT_BYTES_MIN}",
                self.segment_bytes
            ))
        } else {
            Priority::ALL.into_iter().find(|class| *quota.of(*class) < least).map(|class| {
                format!(
                    "the quota of {class} is {} bytes; it must be {least} at least",
                    quota.of(class)
                )
            })
        };
        if let Some(reason) = reason {
            return Err(Error::Options { reason });
        }
        let segment = PerClass::from_fn(|class| {
            self.segment_bytes.min(*quota.of(class) / SEGMENTS_PER_QUOTA)
        });
        Ok(Limits {
            quota,
            segment,
            record: PerClass::from_fn(|class| RECORD_BYTES_MAX.min(*quota.of(class) / 8)),
            group: PerClass::from_fn(|class| GROUP_BYTES_MAX.min(*segment.of(class))),
            reserve_bytes: self.reserve_bytes,
        })
    }
}

impl Default for Options {
    /// The state folder of an installed agent.
    fn default() -> Self {
        Self::new("/var/lib/dharma-agent/spool")
    }
}

/// What follows from the options.
#[derive(Debug, Clone)]
pub(crate) struct Limits {
    pub(crate) quota: PerClass<u64>,
    pub(crate) segment: PerClass<u64>,
    pub(crate) record: PerClass<u64>,
    pub(crate) group: PerClass<u64>,
    pub(crate) reserve_bytes: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_total_below_the_least_is_refused_with_the_figure() {
        let error = Options::with_total("x", TOTAL_BYTES_MIN - 1).limits().unwrap_err();
        assert!(error.to_string().contains(&TOTAL_BYTES_MIN.to_string()), "{error}");
        Options::with_total("x", TOTAL_BYTES_MAX + 8).limits().unwrap_err();
    }

    #[test]
    fn a_quota_or_segment_that_is_too_small_is_refused() {
        let mut options = Options::new("x");
        options.quota_bytes[3] = 1;
        assert!(options.limits().unwrap_err().to_string().contains("metrics"));
        let mut options = Options::new("x");
        options.segment_bytes = 1;
        options.limits().unwrap_err();
    }

    #[test]
    fn the_smallest_spool_still_has_four_segments_per_class() {
        let limits = Options::with_total("x", TOTAL_BYTES_MIN).limits().unwrap();
        for class in Priority::ALL {
            assert!(limits.segment.of(class) * 4 <= *limits.quota.of(class));
            assert!(limits.record.of(class) <= limits.segment.of(class));
        }
        let sum: u64 = Options::new("x").quota_bytes.iter().sum();
        assert_eq!(sum, TOTAL_BYTES_DEFAULT);
    }
}
