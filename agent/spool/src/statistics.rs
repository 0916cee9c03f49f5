//! What the spool tells about itself, for `dharma-agent status` and for the agent's own readings.
//!
//! Invariant: bytes are sums of file lengths and sequences come from the chain; nothing here is remembered apart from
//! what it describes. The counters begin at zero with every start.

use crate::{
    error::DiskTrouble,
    priority::{PerClass, Priority},
};

/// The state of one class.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ClassStatistics {
    /// The bytes of its files.
    pub bytes: u64,
    /// The bytes that its files may have.
    pub quota_bytes: u64,
    /// How many files it has.
    pub segments: usize,
    /// The last acknowledged sequence.
    pub committed: u64,
    /// The last durable sequence.
    pub durable: u64,
    /// Sequences that are durable and not acknowledged.
    pub pending: u64,
    /// The age of the segment with the oldest pending record: no pending record is older.
    pub oldest_age_ms_max: u64,
    /// Records accepted since the start.
    pub appended: u64,
    /// Records refused since the start.
    pub rejected: u64,
    /// Records dropped for the quota since the start.
    pub dropped_quota: u64,
    /// Records found lost to damage since the start.
    pub corrupt: u64,
}

/// The state of the spool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Statistics {
    /// The number of this spool's life.
    pub epoch: u64,
    /// What is wrong with the disk, as of the last write.
    pub trouble: Option<DiskTrouble>,
    /// True if the space for a full disk is set aside.
    pub has_reserve: bool,
    /// By class.
    pub classes: PerClass<ClassStatistics>,
}

impl Statistics {
    /// Sequences that are durable and not acknowledged, over all classes.
    pub fn pending(&self) -> u64 {
        Priority::ALL.into_iter().map(|class| self.classes.of(class).pending).sum()
    }

    /// The bytes of all files.
    pub fn bytes(&self) -> u64 {
        Priority::ALL.into_iter().map(|class| self.classes.of(class).bytes).sum()
    }
}
