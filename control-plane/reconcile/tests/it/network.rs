//! Connections are bound to listeners, and bound again when listeners and addresses come and go.

use crate::estate::{Estate, at, source};
use model::classes::{host, listening_endpoint, network_interface, process};
use model::decision::Number;
use model::relationships::{CONNECTS_TO, DEPENDS_ON, LISTENS_ON};
use model::{IdentityKey, KeyType, Observation, Realm, RelationTarget, SourceId};

const PORT: &str = "5432";

fn of(agent: &str) -> SourceId {
    source("host", agent)
}

fn base(estate: &mut Estate, agent: &str, addresses: &[&str]) {
    let seen = Observation::of(&host::CLASS, "host")
        .with(&host::FQDN, format!("{agent}.example.net"))
        .key(IdentityKey::new(KeyType::AgentKey, Realm::everywhere(), agent));
    estate.look(&of(agent), "os", &[seen], (at(0), true));
    let addresses: Vec<String> = addresses.iter().map(|address| format!("{address}/24")).collect();
    let interface = Observation::part(&network_interface::CLASS, "host", &["eth0"])
        .with(&network_interface::ADDRESSES, addresses);
    estate.look(&of(agent), "network", &[interface], (at(0), true));
}

fn listener(address: &str) -> Observation {
    Observation::part(&listening_endpoint::CLASS, "host", &["host", "tcp", address, PORT])
}

fn server(address: &str) -> Observation {
    let mut seen =
        Observation::of(&process::CLASS, "host/process/postgres").with(&process::NAME, "postgres");
    seen.within = Some("host".into());
    seen.relates(LISTENS_ON, RelationTarget::Native(listener(address).native_key))
}

fn client(address: &str) -> Observation {
    let target =
        RelationTarget::Endpoint { protocol: "tcp".into(), address: address.into(), port: 5432 };
    let mut seen = Observation::of(&process::CLASS, "host/process/app").with(&process::NAME, "app");
    seen.within = Some("host".into());
    seen.relates(CONNECTS_TO, target)
}

fn serve(estate: &mut Estate, agent: &str, address: &str, when: i64) {
    let seen = [listener(address), server(address)];
    estate.look(&of(agent), "server", &seen, (at(when), true));
}

fn connect(estate: &mut Estate, agent: &str, address: &str) -> Number {
    estate.look(&of(agent), "client", &[client(address)], (at(5), true));
    estate.item(&of(agent), "host/process/app").unwrap()
}

fn ends(estate: &Estate, from: Number, verb: &str) -> Vec<String> {
    let relations = estate.memory.relations.iter();
    relations
        .filter(|relation| relation.0 == from && relation.1 == verb)
        .map(|relation| {
            format!("{} {}", estate.memory.classes[&relation.2], estate.memory.parents[&relation.2])
        })
        .collect()
}

#[test]
fn a_connection_is_bound_to_a_listener_that_appears_later_and_back_when_it_goes() {
    let mut estate = Estate::new();
    base(&mut estate, "a", &["192.0.2.1"]);
    base(&mut estate, "b", &["192.0.2.2"]);
    let app = connect(&mut estate, "a", "192.0.2.2");
    let (a, b) = (estate.item(&of("a"), "host").unwrap(), estate.item(&of("b"), "host").unwrap());
    assert_eq!(ends(&estate, app, CONNECTS_TO), [format!("remote_endpoint {a}")]);
    serve(&mut estate, "b", "0.0.0.0", 6);
    let postgres = estate.item(&of("b"), "host/process/postgres").unwrap();
    assert_eq!(ends(&estate, app, CONNECTS_TO), [format!("listening_endpoint {b}")]);
    assert!(estate.is_related(app, DEPENDS_ON, postgres));
    estate.look(&of("b"), "server", &[], (at(7), true));
    assert_eq!(ends(&estate, app, CONNECTS_TO), [format!("remote_endpoint {a}")]);
    assert!(!estate.is_related(app, DEPENDS_ON, postgres));
}

#[test]
fn an_address_that_moves_to_another_host_takes_the_connection_along() {
    let mut estate = Estate::new();
    base(&mut estate, "a", &["192.0.2.1"]);
    base(&mut estate, "b", &["192.0.2.2", "192.0.2.9"]);
    base(&mut estate, "c", &["192.0.2.3"]);
    serve(&mut estate, "b", "::", 1);
    serve(&mut estate, "c", "::", 1);
    let app = connect(&mut estate, "a", "192.0.2.9");
    let of_b = estate.item(&of("b"), "host/process/postgres").unwrap();
    let of_c = estate.item(&of("c"), "host/process/postgres").unwrap();
    assert!(estate.is_related(app, DEPENDS_ON, of_b));
    base(&mut estate, "c", &["192.0.2.3", "192.0.2.9"]);
    assert!(!estate.is_related(app, DEPENDS_ON, of_b), "two hosts have it: it names none");
    base(&mut estate, "b", &["192.0.2.2"]);
    assert!(estate.is_related(app, DEPENDS_ON, of_c));
}

#[test]
fn loopback_stays_within_the_host() {
    let mut estate = Estate::new();
    base(&mut estate, "a", &["127.0.0.1", "192.0.2.1"]);
    base(&mut estate, "b", &["127.0.0.1", "192.0.2.2"]);
    serve(&mut estate, "b", "127.0.0.1", 1);
    let app = connect(&mut estate, "a", "127.0.0.1");
    let a = estate.item(&of("a"), "host").unwrap();
    assert_eq!(ends(&estate, app, CONNECTS_TO), [format!("remote_endpoint {a}")]);
    serve(&mut estate, "a", "127.0.0.1", 2);
    assert_eq!(ends(&estate, app, CONNECTS_TO), [format!("listening_endpoint {a}")]);
}

#[test]
fn a_listener_on_another_address_of_the_host_is_not_meant() {
    let mut estate = Estate::new();
    base(&mut estate, "a", &["192.0.2.1"]);
    base(&mut estate, "b", &["192.0.2.2", "192.0.2.3"]);
    serve(&mut estate, "b", "192.0.2.3", 1);
    let app = connect(&mut estate, "a", "192.0.2.2");
    let a = estate.item(&of("a"), "host").unwrap();
    assert_eq!(ends(&estate, app, CONNECTS_TO), [format!("remote_endpoint {a}")]);
}

#[test]
fn a_process_that_ends_takes_its_connections_and_the_remote_endpoint_along() {
    let mut estate = Estate::new();
    base(&mut estate, "a", &["192.0.2.1"]);
    let app = connect(&mut estate, "a", "198.51.100.7");
    estate.look(&of("a"), "client", &[], (at(9), true));
    assert!(ends(&estate, app, CONNECTS_TO).is_empty());
    let remote = source("reconcile", "a");
    let remote = estate.item(&remote, "host/remote_endpoint/tcp/198.51.100.7/5432").unwrap();
    assert_eq!(estate.memory.states[&remote], model::ItemState::Retired);
}
