//! What bad input must not do: crowds, contradictions, circles and clocks.

use crate::estate::{Estate, at, source};
use model::classes::{hardware, host, package};
use model::relationships::{MEMBER_OF, RUNS_ON};
use model::{IdentityKey, KeyType, Observation, Realm, RelationTarget};

fn key(key_type: KeyType, value: &str) -> Option<IdentityKey> {
    IdentityKey::new(key_type, Realm::everywhere(), value)
}

#[test]
fn an_item_that_hundreds_of_sources_claim_is_one_item_and_says_so() {
    let mut estate = Estate::new();
    for number in 0..300 {
        let seen = Observation::of(&host::CLASS, "i-1")
            .with(&host::OS_NAME, format!("system {number}"))
            .key(key(KeyType::CloudId, "aws/i-0c1d2e3f405162738"));
        let from = source("aws", &format!("account-{number}"));
        estate.look(&from, "instances", &[seen], (at(number), false));
    }
    let first = estate.item(&source("aws", "account-0"), "i-1").unwrap();
    assert_eq!(estate.item(&source("aws", "account-299"), "i-1"), Some(first));
    let explained = estate.reconciler.explain(&estate.memory, first).unwrap().unwrap();
    assert!(!explained.sightings.is_empty());
}

#[test]
fn a_value_that_thousands_carry_joins_nothing() {
    let mut estate = Estate::new();
    let seen: Vec<Observation> = (0..3_000)
        .map(|number| {
            Observation::of(&hardware::CLASS, format!("board-{number}"))
                .key(key(KeyType::BoardSerial, "acme/same-on-all"))
                .key(key(KeyType::MacAddress, "3c:ec:ef:00:00:07"))
        })
        .collect();
    estate.look(&source("list", "all"), "boards", &seen, (at(0), false));
    let (first, last) = ("board-0", "board-2999");
    let item = |name| estate.item(&source("list", "all"), name).unwrap();
    assert_ne!(item(first), item(last));
    assert_eq!(estate.memory.states.len(), 3_000);
}

#[test]
fn what_is_related_to_itself_or_in_a_circle_is_taken_as_it_is() {
    let mut estate = Estate::new();
    let from = source("list", "all");
    let board = |name: &str, other: &str| {
        let mut seen = Observation::of(&hardware::CLASS, name);
        seen.relate(MEMBER_OF, RelationTarget::Native(other.into()));
        seen
    };
    let all = [board("self", "self"), board("a", "b"), board("b", "c"), board("c", "a")];
    estate.look(&from, "boards", &all, (at(0), false));
    let again = estate.look(&from, "boards", &all, (at(1), false));
    assert!(again.relations_begun.is_empty() && again.changes.is_empty());
    let item = |name| estate.item(&from, name).unwrap();
    assert!(estate.is_related(item("a"), MEMBER_OF, item("b")));
    assert!(estate.is_related(item("c"), MEMBER_OF, item("a")));
}

#[test]
fn parts_that_contain_each_other_wait_and_harm_nobody() {
    let mut estate = Estate::new();
    let from = source("list", "all");
    let inside = |name: &str, parent: &str| {
        let mut seen = Observation::of(&package::CLASS, name);
        seen.within = Some(parent.into());
        seen
    };
    let circle = [inside("x", "y"), inside("y", "x"), inside("z", "z")];
    estate.look(&from, "packages", &circle, (at(0), false));
    assert_eq!(estate.item(&from, "x"), None);
    let seen = Observation::of(&host::CLASS, "web").key(key(KeyType::AgentKey, "one"));
    estate.look(&from, "hosts", &[seen], (at(1), false));
    assert!(estate.item(&from, "web").is_some());
}

#[test]
fn what_is_older_never_replaces_what_is_newer() {
    let from = source("ssh", "berlin");
    let seen = |name: &str| {
        Observation::of(&host::CLASS, "web")
            .with(&host::OS_NAME, name)
            .with(&host::TIME_ZONE, "Europe/Berlin")
            .relates(RUNS_ON, RelationTarget::Native(format!("board of {name}")))
    };
    let looks = [(10, "Debian 11"), (20, "Debian 12"), (30, "Debian 13")];
    let orders = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];
    let hashes = orders.map(|order| {
        let mut estate = Estate::new();
        for look in order {
            let (when, name) = looks[look];
            estate.look(&from, "hosts", &[seen(name)], (at(when), false));
        }
        let item = estate.item(&from, "web").unwrap();
        let record = estate.memory.observations.values().find(|one| one.item == item).unwrap();
        assert_eq!(record.first_seen, at(10), "{order:?}");
        assert_eq!(record.since.get("os_name"), Some(&at(30)), "{order:?}");
        assert_eq!(record.since.get("time_zone"), None, "{order:?}");
        estate.hash()
    });
    assert!(hashes[0].contains("Debian 13"));
    assert!(hashes.iter().all(|hash| *hash == hashes[0]));
}

#[test]
fn of_two_words_of_one_moment_the_same_one_counts_whichever_comes_first() {
    let from = source("ssh", "berlin");
    let seen = |name: &str| Observation::of(&host::CLASS, "web").with(&host::OS_NAME, name);
    let hashes = [["one", "other"], ["other", "one"]].map(|order| {
        let mut estate = Estate::new();
        for name in order {
            estate.look(&from, "hosts", &[seen(name)], (at(5), false));
        }
        estate.hash()
    });
    assert_eq!(hashes[0], hashes[1]);
}
