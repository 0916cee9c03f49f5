//! Evidence: how much speaks for two sightings, or two groups of sightings, being one thing.
//!
//! Bits of agreeing keys are summed; keys that clones share are never enough alone; a different value of a key that
//! a thing has only once speaks against it; a value that many things carry weighs less, and at last nothing.

use crate::keys::KeySet;
use crate::rules::ClassRules;
use model::identity::{alternates, implied, is_implied_by};
use model::{IdentityKey, KeyType, Tier};

/// Keys with everything that they say in words of other sources: other spellings, and what follows from them.
pub(crate) fn spelled(keys: &[IdentityKey]) -> Vec<IdentityKey> {
    let mut found = keys.to_vec();
    for key in keys {
        found.extend(alternates(key));
        for other in implied(key) {
            found.extend(alternates(&other));
            found.push(other);
        }
    }
    found.sort();
    found.dedup();
    found
}

/// One reason for or against two sightings being one thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reason {
    /// The kind of key.
    pub key_type: KeyType,
    /// The hash of the value that both have; `None` when their values differ.
    pub shared: Option<u64>,
    /// How many things carry that value.
    pub frequency: usize,
    /// How many bits it adds, before installation keys are bounded together.
    pub bits: i32,
}

/// The keys of one type at the beginning of a sorted set.
fn leading(keys: &KeySet) -> (&KeySet, &KeySet) {
    let Some((first, _)) = keys.first() else { return (keys, keys) };
    let end = keys.iter().position(|(key_type, _)| key_type != first).unwrap_or(keys.len());
    keys.split_at_checked(end).unwrap_or((keys, &[]))
}

/// Why two sets of keys are, or are not, of one thing. What only repeats a stronger reason is left out.
pub(crate) fn reasons(
    rules: &ClassRules,
    keys: (&KeySet, &KeySet),
    frequency: &mut dyn FnMut(KeyType, u64) -> usize,
    mut each: impl FnMut(Reason),
) {
    let mut found: Vec<Reason> = Vec::new();
    all_reasons(rules, keys, frequency, |reason| found.push(reason));
    for reason in &found {
        let is_repeated = found.iter().any(|strong| {
            is_implied_by(reason.key_type, strong.key_type)
                && strong.shared.is_some() == reason.shared.is_some()
                && strong.bits.abs() >= reason.bits.abs()
        });
        if !is_repeated {
            each(*reason);
        }
    }
}

fn all_reasons(
    rules: &ClassRules,
    (one, other): (&KeySet, &KeySet),
    frequency: &mut dyn FnMut(KeyType, u64) -> usize,
    mut each: impl FnMut(Reason),
) {
    let (mut one, mut other) = (one, other);
    loop {
        let ((mine, after_mine), (theirs, after_theirs)) = (leading(one), leading(other));
        let (Some((my_type, _)), Some((their_type, _))) = (mine.first(), theirs.first()) else {
            return;
        };
        match my_type.cmp(their_type) {
            std::cmp::Ordering::Less => one = after_mine,
            std::cmp::Ordering::Greater => other = after_theirs,
            std::cmp::Ordering::Equal => {
                compare(rules, *my_type, (mine, theirs), frequency, &mut each);
                (one, other) = (after_mine, after_theirs);
            }
        }
    }
}

fn compare(
    rules: &ClassRules,
    key_type: KeyType,
    (mine, theirs): (&KeySet, &KeySet),
    frequency: &mut dyn FnMut(KeyType, u64) -> usize,
    each: &mut impl FnMut(Reason),
) {
    let shared = mine.iter().filter(|key| theirs.binary_search(key).is_ok());
    let mut found: Vec<Reason> = shared
        .map(|(_, hash)| {
            let frequency = frequency(key_type, *hash);
            let bits = rules.weight(key_type, frequency);
            Reason { key_type, shared: Some(*hash), frequency, bits }
        })
        .collect();
    if found.is_empty() {
        let against = rules.disagreement(key_type);
        if against > 0 {
            each(Reason { key_type, shared: None, frequency: 0, bits: -against });
        }
        return;
    }
    let counted = if key_type.is_single() { 1 } else { rules.equal_values_max };
    found.sort_by_key(|reason| (-reason.bits, reason.shared));
    found.truncate(counted);
    found.into_iter().for_each(each);
}

/// The bits for two sets of keys being of one thing.
pub(crate) fn score(
    rules: &ClassRules,
    keys: (&KeySet, &KeySet),
    frequency: &mut dyn FnMut(KeyType, u64) -> usize,
) -> i32 {
    let (mut bits, mut installation) = (0_i32, 0_i32);
    reasons(rules, keys, frequency, |reason| {
        if reason.key_type.tier() == Tier::Installation {
            installation = installation.saturating_add(reason.bits);
        } else {
            bits = bits.saturating_add(reason.bits);
        }
    });
    bits.saturating_add(installation.min(rules.installation_max))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::Rules;
    use model::decision::key_hash;
    use model::{IdentityKey, Realm};

    fn keys(values: &[(KeyType, &str)]) -> Vec<(KeyType, u64)> {
        let keys = values.iter().filter_map(|(key_type, value)| {
            IdentityKey::new(*key_type, Realm::everywhere(), value)
        });
        let mut keys: Vec<(KeyType, u64)> =
            keys.map(|key| (key.key_type, key_hash(&key))).collect();
        assert_eq!(keys.len(), values.len());
        keys.sort_unstable();
        keys
    }

    fn bits(one: &KeySet, other: &KeySet, frequency: usize) -> i32 {
        score(Rules::built_in().of("host"), (one, other), &mut |_, _| frequency)
    }

    const MACHINE: (KeyType, &str) = (KeyType::MachineId, "0f3c9be1a85c4a1c9f1b7a5f9ad2c7e1");
    const SSH: (KeyType, &str) = (KeyType::SshHostKey, "SHA256:abcdefg");
    const MAC: (KeyType, &str) = (KeyType::MacAddress, "3c:ec:ef:12:34:56");

    #[test]
    fn what_clones_share_is_never_enough_alone() {
        let keys = keys(&[MACHINE, SSH]);
        assert!(bits(&keys, &keys, 1) < 24);
    }

    #[test]
    fn an_installation_and_its_interface_are_enough() {
        let keys = keys(&[MACHINE, MAC]);
        assert!(bits(&keys, &keys, 1) >= 24);
        assert!(bits(&keys, &keys, 40) < 12, "what forty things share says nothing");
    }

    #[test]
    fn another_serial_number_of_the_same_kind_is_a_veto() {
        let board = (KeyType::BoardSerial, "acme/brd-7781");
        let one = keys(&[board, (KeyType::SmbiosUuid, "4c4c4544-0043-5810-8032-b7c04f4b3133")]);
        let other = keys(&[board, (KeyType::SmbiosUuid, "4c4c4544-0043-5810-8032-b7c04f4b3134")]);
        assert!(bits(&one, &other, 1) < 12);
    }

    #[test]
    fn a_host_that_is_enrolled_again_keeps_its_item() {
        let one = keys(&[(KeyType::AgentKey, "a"), MACHINE, MAC]);
        let other = keys(&[(KeyType::AgentKey, "b"), MACHINE, MAC]);
        assert!(bits(&one, &other, 2) >= 24);
    }

    #[test]
    fn the_score_does_not_depend_on_the_side() {
        let one = keys(&[MACHINE, SSH, (KeyType::Fqdn, "a.example.net")]);
        let other = keys(&[MACHINE, (KeyType::Fqdn, "a.example.net")]);
        assert_eq!(bits(&one, &other, 1), bits(&other, &one, 1));
    }
}
