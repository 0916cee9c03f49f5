//! Simulating words, comparing items, and deciding about what is held, without anything else being touched.

use crate::estate::{Estate, at, source};
use model::classes::host;
use model::decision::native_hash;
use model::{IdentityKey, ItemState, KeyType, Observation, Realm, SourceId};
use reconcile::HeldError;

fn guest(name: &str, keys: &[(KeyType, &str)]) -> Observation {
    let guest =
        Observation::of(&host::CLASS, name).with(&host::FQDN, format!("{name}.example.net"));
    keys.iter().fold(guest, |guest, (key_type, value)| {
        guest.key(IdentityKey::new(*key_type, Realm::everywhere(), value))
    })
}

const MACHINE: (KeyType, &str) = (KeyType::MachineId, "000000000000000000000000000012ab");
const DISK: (KeyType, &str) = (KeyType::SmbiosUuid, "0190b2a4-0000-4000-8000-00000000beef");

fn one() -> SourceId {
    source("ssh", "one")
}

fn other() -> SourceId {
    source("ssh", "other")
}

/// Two hosts for which a machine id speaks, and a third sighting that is the second host by its hardware.
fn pair() -> Estate {
    let mut estate = Estate::new();
    estate.look(&one(), "hosts", &[guest("a", &[MACHINE])], (at(0), true));
    estate.look(&other(), "hosts", &[guest("b", &[MACHINE, DISK])], (at(1), true));
    estate.look(&source("vm", "v"), "guests", &[guest("c", &[DISK])], (at(2), true));
    estate
}

#[test]
fn a_simulation_leaves_no_trace_and_says_what_then_happens() {
    let mut estate = pair();
    let (a, b) = (estate.item(&one(), "a").unwrap(), estate.item(&other(), "b").unwrap());
    assert_eq!(estate.item(&source("vm", "v"), "c"), Some(b));
    let before = estate.hash();
    let (found, decision) =
        estate.say(at(10), |known, past| known.simulate_join(past, (a, b)).unwrap());
    assert!(decision.is_empty(), "{decision:?}");
    assert_eq!(estate.hash(), before);
    assert_eq!((found.moved, found.outcomes.len()), (2, 1), "{found:?}");
    let outcome = &found.outcomes[0];
    assert_eq!((outcome.item, outcome.sightings), (Some(a), 3), "the older id stays");
    assert_eq!((outcome.absorbed.as_slice(), outcome.taken_from.len()), ([b].as_slice(), 0));

    let (_, decision) = estate.say(at(11), |known, past| known.join(past, (a, b), "ada").unwrap());
    assert_eq!(estate.memory.titles[&a], outcome.title);
    let changed = decision.changes.iter().filter(|change| {
        change.item == a && matches!(change.what, model::decision::ChangeWhat::Attribute { .. })
    });
    assert_eq!(changed.count(), outcome.changes.len());

    let joined = estate.hash();
    let out = native_hash(&one(), "a");
    let (found, decision) =
        estate.say(at(12), |known, past| known.simulate_divide(past, a, &[out]).unwrap());
    assert!(decision.is_empty(), "{decision:?}");
    assert_eq!((found.moved, found.outcomes.len()), (2, 2), "{found:?}");
    let new = found.outcomes.iter().find(|outcome| outcome.item.is_none()).unwrap();
    assert_eq!((new.taken_from.as_slice(), new.sightings), ([a].as_slice(), 2), "{found:?}");
    let (refused, decision) = estate
        .say(at(13), |known, past| known.simulate_divide(past, a, &[7]).unwrap_err().to_string());
    assert!(decision.is_empty(), "{refused}: {decision:?}");
    assert_eq!(estate.hash(), joined);
}

#[test]
fn a_comparison_weighs_all_that_both_are_known_by_and_refuses_what_is_one_already() {
    let estate = pair();
    let (a, b) = (estate.item(&one(), "a").unwrap(), estate.item(&other(), "b").unwrap());
    let found = estate.reconciler.compare(&estate.memory, (a, b)).unwrap().unwrap();
    assert_eq!(found.items, (a, b));
    assert_eq!(found.sightings, (1, 2));
    assert!((found.review_at..found.link_at).contains(&found.bits), "{found:?}");
    let shared: Vec<_> = found.reasons.iter().filter_map(|reason| found.shared(reason)).collect();
    assert_eq!(shared, [MACHINE.1]);
    assert_eq!(estate.memory.possible.get(&(b, a)), Some(&found.bits), "as the queue has it");
    for (one, other) in [(a, a), (a, 0), (99, b)] {
        assert!(estate.reconciler.compare(&estate.memory, (one, other)).unwrap().is_none());
    }
}

fn guests(count: std::ops::Range<u32>) -> Vec<Observation> {
    count.map(|number| guest(&format!("g{number}"), &[])).collect()
}

#[test]
fn what_a_partial_look_saw_since_is_not_retired_and_a_later_look_has_the_last_word() {
    let mut estate = Estate::new();
    estate.look(&one(), "hosts", &guests(0..20), (at(0), true));
    let decision = estate.look(&one(), "hosts", &guests(0..2), (at(1), true));
    let held = decision.held[0].clone();
    assert_eq!((held.count, held.of, held.natives.len()), (18, 20, 18));
    estate.look(&one(), "hosts", &guests(2..5), (at(2), false));
    let mut retired = 0;
    loop {
        let (approved, decision) =
            estate.say(at(3), |known, past| known.approve_held(past, &held, 4, "ada").unwrap());
        retired += approved.retired;
        assert_eq!(decision.held_settled.len(), usize::from(approved.left == 0));
        if approved.left == 0 {
            break;
        }
    }
    assert_eq!(retired, 15);
    for number in 0..20_u32 {
        let item = estate.item(&one(), &format!("g{number}")).unwrap();
        let expected = if number < 5 { ItemState::Active } else { ItemState::Retired };
        assert_eq!(estate.memory.states[&item], expected, "g{number}");
    }
    let again = estate.look(&one(), "hosts", &guests(0..5), (at(4), true));
    assert!(again.held.is_empty(), "nothing is gone any more");
    estate.say(at(4), |known, _| {
        known.scope_state_mut(held.scope).unwrap().complete_at = Some(at(4));
    });
    let (late, decision) = estate.say(at(5), |known, past| {
        let late = known.approve_held(past, &held, 4, "ada").unwrap_err();
        (late, known.dismiss_held(held.scope, held.at, "ada").unwrap_err())
    });
    assert!(matches!(late, (HeldError::Settled, HeldError::Settled)));
    assert!(decision.is_empty(), "{decision:?}");
}
