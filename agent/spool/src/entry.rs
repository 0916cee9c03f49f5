//! What a reader gets from the spool: records, and gaps where records are lost.
//!
//! Invariant: the entries of a class, in order, cover its sequence without a hole.

use bytes::Bytes;

/// Why records are lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum GapReason {
    /// They were dropped to make room for newer ones.
    Quota,
    /// Their bytes cannot be read any more.
    Corrupt,
    /// A newer record says all they said.
    Superseded,
}

impl GapReason {
    /// All reasons.
    pub const ALL: [Self; 3] = [Self::Quota, Self::Corrupt, Self::Superseded];

    /// The reason's word on the wire and in logs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Quota => "quota",
            Self::Corrupt => "corrupt",
            Self::Superseded => "superseded",
        }
    }

    /// The reason's number on disk.
    pub(crate) const fn number(self) -> u8 {
        match self {
            Self::Quota => 1,
            Self::Corrupt => 2,
            Self::Superseded => 3,
        }
    }

    pub(crate) fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.number() == number)
    }
}

/// Records that are lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gap {
    /// The first lost sequence.
    pub from: u64,
    /// The last lost sequence.
    pub to: u64,
    /// How many records are lost at most. After damage at the end of a chain it may count records that were never
    /// accepted: how many stood there can no longer be told.
    pub count: u64,
    /// Why they are lost.
    pub reason: GapReason,
}

impl Gap {
    /// A gap over a range, every sequence of which counts.
    pub(crate) const fn over(from: u64, to: u64, reason: GapReason) -> Self {
        Self { from, to, count: to.saturating_sub(from).saturating_add(1), reason }
    }

    /// The part of the gap between two sequences.
    pub(crate) fn within(self, from: u64, to: u64) -> Option<Self> {
        let (from, to) = (self.from.max(from), self.to.min(to));
        let width = to.checked_sub(from)?.saturating_add(1);
        Some(Self { from, to, count: self.count.min(width), reason: self.reason })
    }
}

/// One step of a chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// A record as it was accepted.
    Record {
        /// Its sequence.
        seq: u64,
        /// Its content.
        payload: Bytes,
    },
    /// Records that are lost.
    Gap(Gap),
}

impl Entry {
    /// The first sequence that the entry covers.
    pub const fn first(&self) -> u64 {
        match self {
            Self::Record { seq, .. } => *seq,
            Self::Gap(gap) => gap.from,
        }
    }

    /// The last sequence that the entry covers: where to read on, and what to acknowledge.
    pub const fn last(&self) -> u64 {
        match self {
            Self::Record { seq, .. } => *seq,
            Self::Gap(gap) => gap.to,
        }
    }

    /// The bytes of its content.
    pub const fn payload_bytes(&self) -> usize {
        match self {
            Self::Record { payload, .. } => payload.len(),
            Self::Gap(_) => 0,
        }
    }
}
