//! Absence, return, the breaker, and the passing of time.

use crate::estate::{Estate, at, source};
use model::classes::{host, package, user_account};
use model::decision::ChangeWhat;
use model::{IdentityKey, ItemState, KeyType, Observation, Realm};

fn a_host(name: &str) -> Observation {
    Observation::of(&host::CLASS, name)
        .with(&host::FQDN, format!("{name}.example.net"))
        .key(IdentityKey::new(KeyType::AgentKey, Realm::everywhere(), name))
}

fn a_package(name: &str, version: &str) -> Observation {
    Observation::part(&package::CLASS, "h", &["dpkg", name, "amd64"])
        .with(&package::VERSION, version)
}

#[test]
fn a_part_that_a_complete_look_does_not_find_is_retired_and_its_return_keeps_the_item() {
    let (mut estate, from) = (Estate::new(), source("host", "a"));
    estate.look(&from, "os", &[a_host("h")], (at(0), true));
    estate.look(&from, "packages", &[a_package("bash", "1"), a_package("vim", "1")], (at(1), true));
    let vim = estate.item(&from, "h/package/dpkg/vim/amd64").unwrap();
    estate.look(&from, "packages", &[a_package("bash", "1")], (at(2), false));
    assert_eq!(estate.memory.states[&vim], ItemState::Active, "a partial look retires nothing");
    estate.look(&from, "packages", &[a_package("bash", "1")], (at(3), true));
    assert_eq!(estate.memory.states[&vim], ItemState::Retired);
    let decision = estate.look(
        &from,
        "packages",
        &[a_package("bash", "1"), a_package("vim", "2")],
        (at(4), true),
    );
    assert_eq!(estate.memory.states[&vim], ItemState::Active);
    assert!(decision.items.iter().all(|item| item.id.is_none()), "no new item");
    let version = decision.changes.iter().find_map(|change| match &change.what {
        ChangeWhat::Attribute { name, .. } => Some((change.item, name.clone())),
        _ => None,
    });
    assert_eq!(version, Some((vim, "version".into())));
}

#[test]
fn a_thing_that_comes_back_unchanged_is_the_same_item() {
    let (mut estate, from) = (Estate::new(), source("host", "a"));
    estate.look(&from, "os", &[a_host("h")], (at(0), true));
    estate.look(&from, "packages", &[a_package("vim", "1")], (at(1), true));
    let vim = estate.item(&from, "h/package/dpkg/vim/amd64").unwrap();
    estate.look(&from, "packages", &[], (at(2), true));
    let decision = estate.look(&from, "packages", &[a_package("vim", "1")], (at(3), true));
    assert_eq!(estate.memory.states[&vim], ItemState::Active);
    let whats: Vec<&ChangeWhat> = decision.changes.iter().map(|change| &change.what).collect();
    let back = ChangeWhat::State { before: ItemState::Retired, after: ItemState::Active };
    assert_eq!(whats, [&back]);
}

#[test]
fn parts_that_come_before_their_parent_find_it_when_it_comes() {
    let (mut estate, from) = (Estate::new(), source("host", "a"));
    let decision = estate.look(&from, "packages", &[a_package("vim", "1")], (at(0), true));
    assert!(decision.items.is_empty());
    let decision = estate.look(&from, "packages", &[a_package("vim", "2")], (at(1), true));
    assert!(decision.items.is_empty());
    estate.look(&from, "os", &[a_host("h")], (at(2), true));
    let vim = estate.item(&from, "h/package/dpkg/vim/amd64").unwrap();
    assert_eq!(estate.memory.parents[&vim], estate.item(&from, "h").unwrap());
    assert_eq!(estate.memory.titles[&vim], "vim");
    estate.look(&from, "packages", &[], (at(3), true));
    assert_eq!(estate.memory.states[&vim], ItemState::Retired);
}

#[test]
fn a_look_that_would_take_a_fifth_of_the_hosts_is_held() {
    let (mut estate, from) = (Estate::new(), source("ssh", "net"));
    let hosts: Vec<Observation> = (0..55).map(|number| a_host(&format!("h{number}"))).collect();
    estate.look(&from, "hosts", &hosts, (at(0), true));
    let decision = estate.look(&from, "hosts", &hosts[..43], (at(1), true));
    assert_eq!(decision.held.len(), 1);
    assert!(decision.changes.is_empty());
    let decision = estate.look(&from, "hosts", &hosts[..45], (at(2), true));
    assert!(decision.held.is_empty(), "ten are not more than ten");
    assert_eq!(decision.changes.len(), 10);
}

#[test]
fn parts_are_exempt_from_the_breaker() {
    let (mut estate, from) = (Estate::new(), source("host", "a"));
    estate.look(&from, "os", &[a_host("h")], (at(0), true));
    let packages: Vec<Observation> = (0..50).map(|n| a_package(&format!("p{n}"), "1")).collect();
    estate.look(&from, "packages", &packages, (at(1), true));
    let decision = estate.look(&from, "packages", &[], (at(2), true));
    assert!(decision.held.is_empty());
    assert_eq!(decision.changes.len(), 50);
}

#[test]
fn a_host_goes_from_missing_to_stale_to_retired_with_its_parts_and_comes_back() {
    let (mut estate, from) = (Estate::new(), source("host", "a"));
    const DAY: i64 = 86_400;
    estate.look(&from, "os", &[a_host("h")], (at(0), true));
    let user = Observation::part(&user_account::CLASS, "h", &["root"]);
    estate.look(&from, "users", std::slice::from_ref(&user), (at(0), true));
    let host = estate.item(&from, "h").unwrap();
    let user = estate.item(&from, "h/user_account/root").unwrap();
    estate.look(&from, "os", &[], (at(DAY), true));
    assert_eq!(estate.memory.states[&host], ItemState::Missing);
    assert!(estate.sweep(at(10 * DAY)).is_empty());
    estate.sweep(at(11 * DAY));
    assert_eq!(estate.memory.states[&host], ItemState::Stale);
    assert_eq!(estate.memory.states[&user], ItemState::Active);
    let decision = estate.sweep(at(60 * DAY));
    assert_eq!(estate.memory.states[&host], ItemState::Retired);
    assert_eq!(estate.memory.states[&user], ItemState::Retired);
    assert_eq!(
        decision.changes[0].observed_at,
        at(41 * DAY),
        "the moment does not depend on the sweep"
    );
    estate.look(&from, "os", &[a_host("h")], (at(61 * DAY), true));
    assert_eq!(estate.memory.states[&host], ItemState::Active);
}

#[test]
fn another_class_under_the_same_native_key_is_refused_and_changes_nothing() {
    let (mut estate, from) = (Estate::new(), source("host", "a"));
    estate.look(&from, "os", &[a_host("h")], (at(0), true));
    let before = estate.hash();
    estate.reconciler.begin(at(1));
    let number =
        estate.reconciler.source(&from, model::AgentId::from_bytes([1; 16]), "berlin").unwrap();
    let scope = estate.reconciler.scope(number, "os").unwrap();
    let wrong = Observation::of(&package::CLASS, "h");
    let sight = reconcile::Sight {
        source: number,
        scope,
        native: model::decision::native_hash(&from, "h"),
        content: 1,
        at: at(1),
        mark: 9,
    };
    let refused = estate.reconciler.observe(&estate.memory, &sight, wrong);
    assert!(matches!(refused, Err(reconcile::Error::ClassChanged { .. })));
    estate.commit();
    assert_eq!(estate.hash(), before);
}
