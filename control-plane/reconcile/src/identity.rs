//! Evidence: how much speaks for two sightings being one thing.
//!
//! Bits of agreeing keys are summed; keys that clones share are never enough alone; a different value of a key that
//! a thing has only once speaks against it. Keys that many things carry are no evidence.
//!
//! Deliberately not here yet: merging items that were decided apart before, and splitting them. The observations
//! are kept, so a later rule can decide again.

use crate::index::Index;
use model::catalog::IdentityRule;
use model::decision::{Number, key_hash};
use model::{ClassDefinition, IdentityKey, KeyType, Tier};
use std::collections::BTreeMap;

/// From here on two sightings are one item.
pub const LINK_BITS: i32 = 24;

/// From here on a person is asked.
pub const POSSIBLE_BITS: i32 = 12;

/// A key that more items than this carry is no evidence.
const HOLDERS_MAX: usize = 64;

/// Candidates that are looked at, strongest key first.
const CANDIDATES_MAX: usize = 64;

/// What a different value of a single-valued hardware key takes away.
const VETO_BITS: i32 = 25;

/// All keys of an installation together: below [`LINK_BITS`], because clones share them.
const INSTALLATION_BITS_MAX: i32 = 18;

/// How many equal values of a key that a thing can have several of are counted.
const EQUAL_VALUES_MAX: i32 = 2;

/// What the evidence says of a sighting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Evidence {
    /// It is this item.
    Same(Number),
    /// Nothing known is it; perhaps one is, with so many bits.
    New {
        /// The likeliest item and its bits.
        possible: Option<(Number, i32)>,
    },
}

/// The keys of a sighting that its class is recognized by, with their hashes.
pub(crate) fn acceptable(
    class: Option<&ClassDefinition>,
    keys: &[IdentityKey],
) -> Vec<(KeyType, u64)> {
    let is_accepted = |key_type: KeyType| match class.map(|class| &class.identity) {
        Some(IdentityRule::Keys(accepted)) => {
            accepted.contains(&key_type) || key_type.tier() == Tier::Native
        }
        _ => true,
    };
    let mut found: Vec<(KeyType, u64)> = keys
        .iter()
        .filter(|key| is_accepted(key.key_type))
        .map(|key| (key.key_type, key_hash(key)))
        .collect();
    found.sort_unstable();
    found
}

/// Decides which known item of class number `class` carries this evidence.
pub(crate) fn decide(index: &Index, class: u32, keys: &[(KeyType, u64)]) -> Evidence {
    let mut candidates: BTreeMap<Number, ()> = BTreeMap::new();
    for (_, hash) in keys {
        let Some(holders) = index.keys.get(hash) else { continue };
        let holders = holders.as_slice();
        if holders.len() > HOLDERS_MAX {
            continue;
        }
        let same_class = holders
            .iter()
            .filter(|item| index.item(**item).is_some_and(|item| item.class == class));
        for item in same_class {
            if candidates.len() < CANDIDATES_MAX {
                candidates.insert(*item, ());
            }
        }
    }
    let best = candidates
        .into_keys()
        .map(|item| {
            let held = index.item_keys.get(&item).map(Vec::as_slice).unwrap_or_default();
            let (bits, key) = score(keys, held);
            (bits, key, std::cmp::Reverse(item))
        })
        .max();
    match best {
        Some((bits, _, std::cmp::Reverse(item))) if bits >= LINK_BITS => Evidence::Same(item),
        Some((bits, _, std::cmp::Reverse(item))) if bits >= POSSIBLE_BITS => {
            Evidence::New { possible: Some((item, bits)) }
        }
        _ => Evidence::New { possible: None },
    }
}

/// The bits for two sets of keys being of one thing, and the greatest key that they share.
fn score(one: &[(KeyType, u64)], other: &[(KeyType, u64)]) -> (i32, u64) {
    let (mut bits, mut installation, mut greatest) = (0_i32, 0_i32, 0_u64);
    for key_type in KeyType::ALL {
        let of = |keys: &[(KeyType, u64)]| -> Vec<u64> {
            keys.iter().filter(|(held, _)| held == key_type).map(|(_, hash)| *hash).collect()
        };
        let (mine, theirs) = (of(one), of(other));
        if mine.is_empty() || theirs.is_empty() {
            continue;
        }
        let equal: Vec<u64> = mine.into_iter().filter(|hash| theirs.contains(hash)).collect();
        let Some(key) = equal.iter().max() else {
            if is_veto(*key_type) {
                bits = bits.saturating_sub(VETO_BITS);
            }
            continue;
        };
        greatest = greatest.max(*key);
        let count = i32::try_from(equal.len()).unwrap_or(EQUAL_VALUES_MAX).min(EQUAL_VALUES_MAX);
        let gained = key_type.bits().saturating_mul(count);
        if key_type.tier() == Tier::Installation {
            installation = installation.saturating_add(gained);
        } else {
            bits = bits.saturating_add(gained);
        }
    }
    (bits.saturating_add(installation.min(INSTALLATION_BITS_MAX)), greatest)
}

/// Whether a different value speaks against being one thing. An agent's own id does not: a host that is enrolled
/// again has a new one.
fn is_veto(key_type: KeyType) -> bool {
    let is_strong = matches!(key_type.tier(), Tier::Hardware | Tier::Native);
    is_strong && key_type.is_single() && key_type != KeyType::AgentKey
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::Realm;

    fn keys(values: &[(KeyType, &str)]) -> Vec<(KeyType, u64)> {
        let keys: Vec<IdentityKey> = values
            .iter()
            .filter_map(|(key_type, value)| IdentityKey::new(*key_type, Realm::everywhere(), value))
            .collect();
        assert_eq!(keys.len(), values.len());
        acceptable(None, &keys)
    }

    const MACHINE: (KeyType, &str) = (KeyType::MachineId, "0f3c9be1a85c4a1c9f1b7a5f9ad2c7e1");
    const SSH: (KeyType, &str) = (KeyType::SshHostKey, "SHA256:abcdefg");

    #[test]
    fn what_clones_share_is_never_enough_alone() {
        let (one, other) = (keys(&[MACHINE, SSH]), keys(&[MACHINE, SSH]));
        assert!(score(&one, &other).0 < LINK_BITS);
    }

    #[test]
    fn an_installation_and_its_interface_are_enough() {
        let mac = (KeyType::MacAddress, "3c:ec:ef:12:34:56");
        assert!(score(&keys(&[MACHINE, mac]), &keys(&[MACHINE, mac])).0 >= LINK_BITS);
    }

    #[test]
    fn another_serial_number_of_the_same_kind_is_a_veto() {
        let board = (KeyType::BoardSerial, "acme/brd-7781");
        let one = keys(&[board, (KeyType::SmbiosUuid, "4c4c4544-0043-5810-8032-b7c04f4b3133")]);
        let other = keys(&[board, (KeyType::SmbiosUuid, "4c4c4544-0043-5810-8032-b7c04f4b3134")]);
        assert!(score(&one, &other).0 < POSSIBLE_BITS);
    }

    #[test]
    fn a_host_that_is_enrolled_again_keeps_its_item() {
        let mac = (KeyType::MacAddress, "3c:ec:ef:12:34:56");
        let one = keys(&[(KeyType::AgentKey, "a"), MACHINE, mac]);
        let other = keys(&[(KeyType::AgentKey, "b"), MACHINE, mac]);
        assert!(score(&one, &other).0 >= LINK_BITS);
    }

    #[test]
    fn the_score_does_not_depend_on_the_side() {
        let one = keys(&[MACHINE, SSH, (KeyType::Fqdn, "a.example.net")]);
        let other = keys(&[MACHINE, (KeyType::Fqdn, "a.example.net")]);
        assert_eq!(score(&one, &other), score(&other, &one));
    }
}
