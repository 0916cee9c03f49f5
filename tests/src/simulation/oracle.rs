//! What must be true: remembers what was accepted and compares it with what the control plane has stored.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use spool::{GapReason, Priority};

use super::server::Server;

/// Which chain: the agent, the epoch of its spool, the class.
pub(super) type ChainKey = (u32, u64, Priority);

/// What a run has seen; the counts show that a run was not idle.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Report {
    /// Records that a spool accepted.
    pub accepted: u64,
    /// Records that a spool refused.
    pub refused: u64,
    /// Accepted records that the control plane has stored.
    pub stored: u64,
    /// Accepted records that a gap of reason `quota` covers.
    pub lost_to_quota: u64,
    /// Accepted records that a gap of reason `corrupt` covers.
    pub lost_to_damage: u64,
    /// Records that arrived again and were dropped.
    pub repeats_dropped: u64,
    /// Batches refused because something before them was missing.
    pub out_of_order: u64,
    /// Agent processes killed.
    pub agent_kills: u64,
    /// Agent machines that lost power.
    pub power_cuts: u64,
    /// Restarts of the control plane with loss of what was not committed.
    pub server_crashes: u64,
    /// Bytes flipped.
    pub flips: u64,
}

impl Report {
    /// Adds another run.
    pub fn add(&mut self, other: &Self) {
        self.accepted += other.accepted;
        self.refused += other.refused;
        self.stored += other.stored;
        self.lost_to_quota += other.lost_to_quota;
        self.lost_to_damage += other.lost_to_damage;
        self.repeats_dropped += other.repeats_dropped;
        self.out_of_order += other.out_of_order;
        self.agent_kills += other.agent_kills;
        self.power_cuts += other.power_cuts;
        self.server_crashes += other.server_crashes;
        self.flips += other.flips;
    }
}

/// A broken promise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// The seed that repeats it.
    pub seed: u64,
    /// What was broken.
    pub description: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seed, description } = self;
        write!(formatter, "{description}; repeat with DHARMA_SIM_SEED={seed}")
    }
}

impl std::error::Error for Violation {}

/// What was accepted.
#[derive(Debug, Default)]
pub(super) struct Oracle {
    accepted: BTreeMap<ChainKey, BTreeMap<u64, Vec<u8>>>,
    pub(super) report: Report,
}

impl Oracle {
    /// Takes note of an accepted record; a sequence that was given out before is a broken promise.
    pub(super) fn accept(&mut self, key: ChainKey, seq: u64, payload: &[u8]) -> Result<(), String> {
        self.report.accepted += 1;
        match self.accepted.entry(key).or_default().insert(seq, payload.to_vec()) {
            None => Ok(()),
            Some(_) => Err(format!("sequence {seq} of {key:?} was given out twice")),
        }
    }

    /// Compares.
    pub(super) fn judge(mut self, server: &Server) -> Result<Report, String> {
        let mut stored_payloads = BTreeSet::new();
        for (key, chain) in server.chains() {
            for (seq, payload) in &chain.records {
                if !stored_payloads.insert(payload) {
                    return Err(format!("the content of record {seq} of {key:?} is stored twice"));
                }
            }
        }
        let may_lose_to_damage = self.report.flips > 0;
        for (key, records) in &self.accepted {
            for (seq, payload) in records {
                let chain = server.chain(*key);
                if let Some(stored) = chain.and_then(|chain| chain.records.get(seq)) {
                    if stored != payload {
                        return Err(format!(
                            "record {seq} of {key:?} is stored with another content"
                        ));
                    }
                    self.report.stored += 1;
                    continue;
                }
                match chain.and_then(|chain| chain.gap_over(*seq)) {
                    None => return Err(format!("record {seq} of {key:?} is lost silently")),
                    Some(GapReason::Corrupt) if may_lose_to_damage => {
                        self.report.lost_to_damage += 1;
                    }
                    Some(GapReason::Quota) if key.2 != Priority::Audit => {
                        self.report.lost_to_quota += 1;
                    }
                    Some(reason) => {
                        return Err(format!(
                            "record {seq} of {key:?} was given up for `{}` without cause",
                            reason.name()
                        ));
                    }
                }
            }
        }
        Ok(self.report)
    }
}
