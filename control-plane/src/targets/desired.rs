//! What one agent is to read, and with what: its content, its digest, and its parts on the wire.
//!
//! Invariant: the credentials in it are those that its own targets name, and no others.

use super::Inner;
use super::seal::Sealer;
use model::AgentId;
use proto::Message;
use proto::limits::{DESIRED_BYTES_TARGET, DESIRED_PARTS_MAX, DESIRED_TARGETS_MAX};
use proto::v1;
use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

/// Targets of a set that go together on the wire: some hundred kilobytes.
const CHUNK: usize = 4096;

/// What one agent is to read.
pub(super) struct Content {
    sets: Vec<v1::DesiredSet>,
    credentials: Vec<v1::DesiredCredential>,
}

impl Content {
    pub(super) fn hash(&self) -> [u8; 16] {
        let mut hasher = blake3::Hasher::new();
        for set in &self.sets {
            hasher.update(&set.encode_length_delimited_to_vec());
        }
        for credential in &self.credentials {
            hasher.update(&credential.encode_length_delimited_to_vec());
        }
        let mut hash = [0; 16];
        hasher.finalize_xof().fill(&mut hash);
        hash
    }

    /// The parts of this generation, each of a size that a message bears.
    pub(super) fn parts(self, generation: u64) -> Vec<v1::Desired> {
        let hash = self.hash().to_vec();
        let first = v1::Desired { credentials: self.credentials, ..v1::Desired::default() };
        let mut parts = vec![first];
        let mut bytes = 0_usize;
        for set in self.sets {
            let size = set.encoded_len();
            let is_full = bytes > 0 && bytes.saturating_add(size) > DESIRED_BYTES_TARGET;
            if is_full && parts.len() < DESIRED_PARTS_MAX {
                parts.push(v1::Desired::default());
                bytes = 0;
            }
            bytes = bytes.saturating_add(size);
            if let Some(part) = parts.last_mut() {
                part.sets.push(set);
            }
        }
        let count = parts.len();
        for (number, part) in parts.iter_mut().enumerate() {
            part.generation = generation;
            part.hash.clone_from(&hash);
            part.part = u32::try_from(number).unwrap_or(u32::MAX);
            part.is_last = number.saturating_add(1) == count;
        }
        parts
    }
}

impl Inner {
    /// What an agent is to read now.
    pub(super) fn content(&self, agent: AgentId, sealer: &Sealer) -> Content {
        let mut known: HashSet<(&str, &str)> = HashSet::new();
        let mut names = BTreeSet::new();
        let mut sets = Vec::new();
        let mut sum = 0_usize;
        for known_set in self.sets.values().filter(|known| known.record.set.is_enabled) {
            let targets: Vec<v1::DesiredTarget> = known_set
                .targets
                .iter()
                .filter(|(id, _)| known.insert((&known_set.collector, id)))
                .filter(|(id, _)| {
                    self.plan.reads(agent, &(Arc::clone(&known_set.collector), Arc::clone(id)))
                })
                .take(DESIRED_TARGETS_MAX.saturating_sub(sum))
                .map(|(id, address)| v1::DesiredTarget {
                    id: id.to_string(),
                    address: address.to_string(),
                })
                .collect();
            if targets.is_empty() {
                continue;
            }
            sum = sum.saturating_add(targets.len());
            names.extend(known_set.record.set.credentials.iter());
            let wire = wire_of(&known_set.record.set);
            sets.extend(
                targets
                    .chunks(CHUNK)
                    .map(|chunk| v1::DesiredSet { targets: chunk.to_vec(), ..wire.clone() }),
            );
        }
        let credentials = names.into_iter().filter_map(|name| self.opened(name, sealer)).collect();
        Content { sets, credentials }
    }

    /// A credential with its secrets, for an agent; `None` when it is gone or does not open.
    pub(super) fn opened(&self, name: &str, sealer: &Sealer) -> Option<v1::DesiredCredential> {
        let record = self.credentials.get(name)?;
        let secrets = match sealer.unseal(name, &record.sealed) {
            Ok(secrets) => secrets,
            Err(error) => {
                tracing::error!(credential = name, %error, "a credential is left out");
                return None;
            }
        };
        Some(v1::DesiredCredential {
            name: name.to_owned(),
            kind: record.credential.kind.clone(),
            settings: record.credential.settings.clone(),
            secrets: secrets.iter().map(|(name, text)| (name.clone(), text.to_string())).collect(),
            references: record.credential.references.clone(),
        })
    }
}

fn wire_of(set: &model::targets::TargetSet) -> v1::DesiredSet {
    let mut options = set.options.clone();
    if set.is_whole() && !set.exclusions.is_empty() {
        options.entry("exclude".to_owned()).or_insert_with(|| set.exclusions.join(","));
    }
    v1::DesiredSet {
        name: set.name.clone(),
        collector: set.collector.clone(),
        credentials: set.credentials.clone(),
        options,
        port: set.port.map_or(0, u32::from),
        interval_seconds: set.interval_seconds.unwrap_or(0),
        windows: set.windows.clone(),
        concurrency: set.concurrency(),
        looks_per_minute: set.looks_per_minute.unwrap_or(0),
        is_fragile: set.is_fragile,
        targets: Vec::new(),
    }
}
