//! The control plane of the simulation: a store that forgets what it has not committed, and knows for each chain how
//! far it is committed. It drops repeats by comparing sequences and refuses a batch that leaves a hole.

use std::collections::BTreeMap;

use spool::{Entry, Gap, GapReason};

use super::oracle::ChainKey;

/// What is stored of one chain.
#[derive(Debug, Clone, Default)]
pub(super) struct Chain {
    pub(super) committed: u64,
    pub(super) records: BTreeMap<u64, Vec<u8>>,
    gaps: Vec<Gap>,
}

impl Chain {
    pub(super) fn gap_over(&self, seq: u64) -> Option<GapReason> {
        self.gaps.iter().find(|gap| (gap.from..=gap.to).contains(&seq)).map(|gap| gap.reason)
    }
}

/// A batch that is applied but not committed.
#[derive(Debug)]
struct Staged {
    key: ChainKey,
    entries: Vec<Entry>,
}

/// The control plane.
#[derive(Debug, Default)]
pub(super) struct Server {
    chains: BTreeMap<ChainKey, Chain>,
    staged: Vec<Staged>,
    pub(super) repeats_dropped: u64,
    pub(super) out_of_order: u64,
}

impl Server {
    pub(super) fn chains(&self) -> &BTreeMap<ChainKey, Chain> {
        &self.chains
    }

    pub(super) fn chain(&self, key: ChainKey) -> Option<&Chain> {
        self.chains.get(&key)
    }

    pub(super) fn committed(&self, key: ChainKey) -> u64 {
        self.chain(key).map_or(0, |chain| chain.committed)
    }

    /// Takes a batch into the open transaction.
    pub(super) fn receive(&mut self, key: ChainKey, entries: Vec<Entry>) {
        self.staged.push(Staged { key, entries });
    }

    /// Commits the open transaction and says which chains to acknowledge, with how far each is committed.
    pub(super) fn commit(&mut self) -> Vec<(ChainKey, u64)> {
        let mut touched = BTreeMap::new();
        for Staged { key, entries } in std::mem::take(&mut self.staged) {
            let chain = self.chains.entry(key).or_default();
            for entry in entries {
                if entry.last() <= chain.committed {
                    self.repeats_dropped += 1;
                    continue;
                }
                if entry.first() > chain.committed + 1 {
                    self.out_of_order += 1;
                    break;
                }
                chain.committed = entry.last();
                match entry {
                    Entry::Record { seq, payload } => {
                        chain.records.insert(seq, payload.to_vec());
                    }
                    Entry::Gap(gap) => chain.gaps.push(gap),
                }
            }
            touched.insert(key, chain.committed);
        }
        touched.into_iter().collect()
    }

    /// Starts again without the open transaction.
    pub(super) fn crash(&mut self) {
        self.staged.clear();
    }
}
