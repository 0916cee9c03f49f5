//! Runs and their coverage: which part of a source was seen completely.
//!
//! A source is divided into scopes (`packages.dpkg`, `processes`, `instances of account X in region Y`). Absence
//! counts only inside a scope whose coverage is complete: a denied, throttled or half-read scope retires nothing.

use crate::{Name, Timestamp};
use serde::{Deserialize, Serialize};
use std::fmt;

/// Who says it: a collector on a target. Which agent carried it does not change the source.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SourceId {
    /// The collector's name.
    pub collector: String,
    /// What it was pointed at; for a collector of its own host, the agent's id.
    pub target: String,
}

impl fmt::Display for SourceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.collector, self.target)
    }
}

/// The name of a part of a source, such as `packages.dpkg`.
pub type Scope = Name;

/// How completely a scope was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CoverageStatus {
    /// All of it: what was not seen is not there.
    Complete,
    /// Some of it: what was not seen may be there.
    Partial,
    /// Nothing of it. The reason says why.
    NotLookedAt,
}

impl CoverageStatus {
    /// The name that the APIs use.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::Partial => "partial",
            Self::NotLookedAt => "not_looked_at",
        }
    }
}

/// Why a scope was not seen completely.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CoverageReason {
    /// There is nothing to say: the scope is complete.
    None,
    /// The right is missing; the detail names it.
    PermissionDenied,
    /// The source asked for fewer questions.
    Throttled,
    /// The time limit passed.
    TimedOut,
    /// The source did not answer.
    Unreachable,
    /// What it said, or what is configured for it, could not be understood.
    Malformed,
    /// A limit of ours was reached.
    LimitReached,
    /// The host has no such thing (no dpkg, no Docker): nothing to look at. The scope counts as complete and empty.
    NotPresent,
}

impl CoverageReason {
    /// Every reason.
    pub const ALL: [Self; 8] = [
        Self::None,
        Self::PermissionDenied,
        Self::Throttled,
        Self::TimedOut,
        Self::Unreachable,
        Self::Malformed,
        Self::LimitReached,
        Self::NotPresent,
    ];

    /// The name that the wire and the APIs use; empty for [`CoverageReason::None`].
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "",
            Self::PermissionDenied => "permission_denied",
            Self::Throttled => "throttled",
            Self::TimedOut => "timed_out",
            Self::Unreachable => "unreachable",
            Self::Malformed => "malformed",
            Self::LimitReached => "limit_reached",
            Self::NotPresent => "not_present",
        }
    }
}

/// What a run claims to have seen of one scope.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Coverage {
    /// How completely.
    pub status: CoverageStatus,
    /// Why not completely.
    pub reason: CoverageReason,
    /// A sentence for a person: which right, which file, which limit, and what would mend it. Empty when complete.
    pub detail: String,
}

impl Coverage {
    /// All of the scope was seen.
    #[must_use]
    pub const fn complete() -> Self {
        Self {
            status: CoverageStatus::Complete,
            reason: CoverageReason::None,
            detail: String::new(),
        }
    }

    /// There is no such thing on this target; complete and empty.
    #[must_use]
    pub fn not_present(detail: impl Into<String>) -> Self {
        Self {
            status: CoverageStatus::Complete,
            reason: CoverageReason::NotPresent,
            detail: detail.into(),
        }
    }

    /// Some of the scope was seen.
    #[must_use]
    pub fn partial(reason: CoverageReason, detail: impl Into<String>) -> Self {
        Self { status: CoverageStatus::Partial, reason, detail: detail.into() }
    }

    /// Nothing of the scope was looked at.
    #[must_use]
    pub fn not_looked_at(reason: CoverageReason, detail: impl Into<String>) -> Self {
        Self { status: CoverageStatus::NotLookedAt, reason, detail: detail.into() }
    }
}

/// An order-independent digest of what a scope holds: the sum, modulo 2^128, of a hash of each observation.
///
/// Agent and control plane each keep their own and compare: equal digests mean that nothing has to be sent.
/// It guards against divergence, not against an attacker: the sender is authenticated and may say what it likes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ScopeDigest(pub u128);

/// The hash of one observation's content without its readings, as [`ScopeDigest`] adds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ContentHash(pub u128);

impl ContentHash {
    /// The hash of an observation's class, native key and encoded body.
    #[must_use]
    pub fn of(class: &str, native_key: &str, body: &[u8]) -> Self {
        let mut hasher = blake3::Hasher::new();
        for part in [class.as_bytes(), native_key.as_bytes()] {
            hasher.update(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_le_bytes());
            hasher.update(part);
        }
        hasher.update(body);
        let mut first = [0; 16];
        hasher.finalize_xof().fill(&mut first);
        Self(u128::from_le_bytes(first))
    }
}

impl ScopeDigest {
    /// The digest with one observation more.
    pub fn add(&mut self, content: ContentHash) {
        self.0 = self.0.wrapping_add(content.0);
    }

    /// The digest with one observation less.
    pub fn remove(&mut self, content: ContentHash) {
        self.0 = self.0.wrapping_sub(content.0);
    }
}

/// What a run says at its end about one scope.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// Who looked.
    pub source: SourceId,
    /// At what.
    pub scope: Scope,
    /// How completely.
    pub coverage: Coverage,
    /// When the run began.
    pub started_at: Timestamp,
    /// When it ended.
    pub finished_at: Timestamp,
    /// The digest of all that the scope holds after this run.
    pub digest: ScopeDigest,
    /// How many things the scope holds.
    pub seen_count: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_digest_does_not_depend_on_the_order() {
        let contents = ["a", "b", "c"].map(|key| ContentHash::of("host", key, b"body"));
        let (mut forward, mut backward) = (ScopeDigest::default(), ScopeDigest::default());
        contents.iter().for_each(|content| forward.add(*content));
        contents.iter().rev().for_each(|content| backward.add(*content));
        assert_eq!(forward, backward);
        backward.remove(contents[0]);
        assert_ne!(forward, backward);
        backward.add(contents[0]);
        assert_eq!(forward, backward);
    }

    #[test]
    fn bytes_cannot_move_between_the_parts_of_a_content_hash() {
        assert_ne!(ContentHash::of("ab", "c", b""), ContentHash::of("a", "bc", b""));
        assert_ne!(ContentHash::of("a", "b", b"c"), ContentHash::of("a", "bc", b""));
    }
}
