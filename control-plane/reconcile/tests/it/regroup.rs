//! Items that later evidence, or a person, joins or divides: everything lands where its evidence is.

use crate::estate::{Estate, at, source};
use model::classes::{hardware, host, network_interface, package, process, service_unit};
use model::decision::{ChangeWhat, native_hash};
use model::relationships::{INSTANCE_OF, RUNS_ON};
use model::{IdentityKey, ItemState, KeyType, Observation, Realm, RelationTarget, SourceId};
use reconcile::{Rules, WishError};

const MACHINE: &str = "0f3c9be1a85c4a1c9f1b7a5f9ad2c7e1";

fn key(key_type: KeyType, value: &str) -> Option<IdentityKey> {
    let key = IdentityKey::new(key_type, Realm::everywhere(), value);
    assert!(key.is_some(), "{value}");
    key
}

fn mac(number: u8) -> Option<IdentityKey> {
    key(KeyType::MacAddress, &format!("3c:ec:ef:00:00:{number:02x}"))
}

fn seen_by_ssh() -> Observation {
    Observation::of(&host::CLASS, "web").with(&host::TIME_ZONE, "Europe/Berlin").key(mac(1))
}

fn seen_by_agent() -> Observation {
    Observation::of(&host::CLASS, "host")
        .with(&host::FQDN, "web.example.net")
        .key(key(KeyType::MachineId, MACHINE))
        .relates(RUNS_ON, RelationTarget::Native("hardware".into()))
}

fn board() -> Observation {
    Observation::of(&hardware::CLASS, "hardware")
        .key(key(KeyType::SmbiosUuid, "4c4c4544-0043-5810-8032-b7c04f4b3101"))
}

fn unit(name: &str) -> Observation {
    Observation::part(&service_unit::CLASS, "host", &["systemd", name])
}

fn a_process(unit: &str) -> Observation {
    let mut seen = Observation::of(&process::CLASS, format!("host/process/{unit}"))
        .relates(INSTANCE_OF, RelationTarget::Native(format!("host/service_unit/systemd/{unit}")))
        .with(&process::NAME, unit);
    seen.within = Some("host".into());
    seen
}

fn agent() -> SourceId {
    source("host", "agent-1")
}

fn ssh() -> SourceId {
    source("ssh", "berlin")
}

/// Two items: what an agent sees, with parts, and what SSH sees, with one part that the agent sees too.
fn apart() -> Estate {
    let mut estate = Estate::new();
    estate.look(&agent(), "os", &[seen_by_agent(), board()], (at(0), false));
    estate.look(&agent(), "units", &[unit("app"), a_process("app")], (at(1), false));
    estate.look(
        &agent(),
        "packages",
        &[package("host", "bash"), package("host", "vim")],
        (at(1), false),
    );
    estate.look(&ssh(), "hosts", &[seen_by_ssh()], (at(2), false));
    estate.look(
        &ssh(),
        "packages",
        &[package("web", "bash"), package("web", "less")],
        (at(3), false),
    );
    assert_ne!(estate.item(&agent(), "host"), estate.item(&ssh(), "web"));
    estate
}

fn package(within: &str, name: &str) -> Observation {
    Observation::part(&package::CLASS, within, &["dpkg", name, "amd64"])
}

/// The agent now says the address, too, and SSH the machine id: that makes them one.
fn joined() -> Estate {
    let mut estate = apart();
    estate.look(&agent(), "os", &[seen_by_agent().key(mac(1))], (at(4), false));
    let more = seen_by_ssh().key(key(KeyType::MachineId, MACHINE));
    let decision = estate.look(&ssh(), "hosts", &[more], (at(5), false));
    let merged =
        decision.changes.iter().any(|change| matches!(change.what, ChangeWhat::Merged { .. }));
    assert!(merged, "{:?}", decision.changes);
    estate
}

#[test]
fn evidence_that_comes_later_joins_two_items_and_their_parts() {
    let before = apart();
    let (one, other) =
        (before.item(&agent(), "host").unwrap(), before.item(&ssh(), "web").unwrap());
    let absorbed_part = before.item(&ssh(), "web/package/dpkg/bash/amd64").unwrap();
    let estate = joined();
    assert_eq!(estate.item(&ssh(), "web"), Some(one), "the older item keeps its id");
    assert_eq!(estate.memory.absorbed.get(&other), Some(&one));
    assert_eq!(estate.memory.states[&other], ItemState::Merged);
    let bash = estate.item(&agent(), "host/package/dpkg/bash/amd64").unwrap();
    assert_eq!(estate.item(&ssh(), "web/package/dpkg/bash/amd64"), Some(bash));
    assert_eq!(estate.memory.absorbed.get(&absorbed_part), Some(&bash));
    let less = estate.item(&ssh(), "web/package/dpkg/less/amd64").unwrap();
    assert_eq!(estate.memory.parents[&less], one, "what only one saw moves along");
    let hardware = estate.item(&agent(), "hardware").unwrap();
    assert!(estate.is_related(one, RUNS_ON, hardware));
}

#[test]
fn what_follows_from_evidence_is_undone_with_it_and_every_id_comes_back() {
    let before = apart();
    let mut estate = joined();
    // The address was of another machine after all.
    estate.look(&agent(), "os", &[seen_by_agent()], (at(6), false));
    estate.look(&ssh(), "hosts", &[seen_by_ssh()], (at(7), false));
    for (from, native_key) in [
        (agent(), "host"),
        (ssh(), "web"),
        (agent(), "host/package/dpkg/bash/amd64"),
        (ssh(), "web/package/dpkg/bash/amd64"),
        (ssh(), "web/package/dpkg/less/amd64"),
        (agent(), "host/service_unit/systemd/app"),
    ] {
        assert_eq!(estate.item(&from, native_key), before.item(&from, native_key), "{native_key}");
    }
    assert_eq!(estate.hash(), before.hash());
    assert!(estate.memory.absorbed.is_empty());
}

#[test]
fn a_bridge_that_leaves_divides_what_it_joined() {
    let mut estate = Estate::new();
    let board = |name: &str, keys: &[(KeyType, &str)]| {
        keys.iter().fold(Observation::of(&hardware::CLASS, name), |seen, (key_type, value)| {
            seen.key(key(*key_type, value))
        })
    };
    let uuid = (KeyType::SmbiosUuid, "4c4c4544-0043-5810-8032-b7c04f4b3101");
    let port = (KeyType::MacAddress, "3c:ec:ef:00:77:02");
    estate.look(&source("redfish", "a"), "systems", &[board("1", &[uuid])], (at(0), false));
    estate.look(&source("snmp", "a"), "systems", &[board("2", &[port])], (at(1), false));
    estate.look(&source("ssh", "a"), "systems", &[board("3", &[uuid, port])], (at(2), false));
    let item = |estate: &Estate, from: &str, name: &str| estate.item(&source(from, "a"), name);
    assert_eq!(item(&estate, "redfish", "1"), item(&estate, "snmp", "2"));
    estate.look(&source("ssh", "a"), "systems", &[board("3", &[uuid])], (at(3), false));
    assert_ne!(item(&estate, "redfish", "1"), item(&estate, "snmp", "2"));
    assert_eq!(item(&estate, "redfish", "1"), item(&estate, "ssh", "3"));
}

#[test]
fn a_serial_number_that_many_carry_joins_nothing_however_they_come() {
    let mut estate = Estate::new();
    let serial = key(KeyType::ChassisSerial, "acme/assembled");
    for number in 0..60_u32 {
        let seen =
            Observation::of(&hardware::CLASS, format!("system-{number}")).key(serial.clone());
        estate.look(&source("redfish", &format!("{number}")), "systems", &[seen], (at(0), false));
    }
    let items: std::collections::BTreeSet<_> = (0..60_u32)
        .map(|number| {
            estate.item(&source("redfish", &format!("{number}")), &format!("system-{number}"))
        })
        .collect();
    assert_eq!(items.len(), 60);
}

#[test]
fn a_person_joins_divides_and_takes_it_back() {
    let mut estate = apart();
    let (one, other) =
        (estate.item(&agent(), "host").unwrap(), estate.item(&ssh(), "web").unwrap());
    let before = estate.hash();
    let (wished, decision) =
        estate.say(at(10), |known, past| known.join(past, (one, other), "ada"));
    let join = wished.unwrap();
    assert_eq!(decision.wishes.len(), 1);
    assert_eq!(estate.item(&ssh(), "web"), Some(one));
    let out = native_hash(&ssh(), "web");
    let (wished, _) = estate.say(at(11), |known, past| known.divide(past, one, &[out], "ada"));
    let divide = wished.unwrap();
    assert_eq!(estate.item(&ssh(), "web"), Some(other), "its id comes back");
    assert_eq!(estate.hash(), before);
    // The evidence alone would join them now; the person's word is stronger.
    estate.look(&agent(), "os", &[seen_by_agent().key(mac(1))], (at(12), false));
    let more = seen_by_ssh().key(key(KeyType::MachineId, MACHINE));
    estate.look(&ssh(), "hosts", &[more], (at(13), false));
    assert_eq!(estate.item(&ssh(), "web"), Some(other));
    let (taken, _) = estate.say(at(14), |known, _| known.take_back(divide.action));
    taken.unwrap();
    assert_eq!(estate.item(&ssh(), "web"), Some(one));
    let (taken, _) = estate.say(at(15), |known, _| known.take_back(join.action));
    taken.unwrap();
    assert_eq!(estate.item(&ssh(), "web"), Some(one), "the evidence still says so");
    let (again, _) = estate.say(at(16), |known, _| known.take_back(join.action));
    assert!(matches!(again, Err(WishError::UnknownAction)));
}

#[test]
fn words_that_make_no_sense_are_refused_and_change_nothing() {
    let mut estate = apart();
    let one = estate.item(&agent(), "host").unwrap();
    let board = estate.item(&agent(), "hardware").unwrap();
    let part = estate.item(&agent(), "host/package/dpkg/vim/amd64").unwrap();
    let own = native_hash(&agent(), "host");
    let before = estate.hash();
    let (refused, decision) = estate.say(at(10), |known, past| {
        [
            known.join(past, (one, one), "ada").unwrap_err().to_string(),
            known.join(past, (one, board), "ada").unwrap_err().to_string(),
            known.join(past, (one, part), "ada").unwrap_err().to_string(),
            known.join(past, (one, 99_999), "ada").unwrap_err().to_string(),
            known.divide(past, one, &[own], "ada").unwrap_err().to_string(),
            known.divide(past, one, &[own, 7], "ada").unwrap_err().to_string(),
            known.divide(past, one, &[], "ada").unwrap_err().to_string(),
        ]
    });
    assert_eq!(refused.len(), 7);
    assert!(decision.is_empty(), "{refused:?} {decision:?}");
    assert_eq!(estate.hash(), before);
}

#[test]
fn a_part_that_others_relate_to_takes_the_relationships_along() {
    let mut estate = apart();
    // SSH sees the same unit and a process of its own in it.
    let inside = |mut seen: Observation| {
        seen.within = Some("web".into());
        seen
    };
    let unit = Observation::part(&service_unit::CLASS, "web", &["systemd", "app"]);
    let helper = inside(
        Observation::of(&process::CLASS, "web/process/helper")
            .relates(INSTANCE_OF, RelationTarget::Native(unit.native_key.clone()))
            .with(&process::NAME, "helper"),
    );
    estate.look(&ssh(), "units", &[unit, helper], (at(3), false));
    let (one, other) =
        (estate.item(&agent(), "host").unwrap(), estate.item(&ssh(), "web").unwrap());
    let own_unit = estate.item(&ssh(), "web/service_unit/systemd/app").unwrap();
    let helper = estate.item(&ssh(), "web/process/helper").unwrap();
    assert!(estate.is_related(helper, INSTANCE_OF, own_unit));
    let before = estate.hash();
    let (wished, _) = estate.say(at(10), |known, past| known.join(past, (one, other), "ada"));
    let app = estate.item(&agent(), "host/service_unit/systemd/app").unwrap();
    assert!(estate.is_related(helper, INSTANCE_OF, app));
    assert!(!estate.is_related(helper, INSTANCE_OF, own_unit));
    estate.say(at(11), |known, _| known.take_back(wished.unwrap().action)).0.unwrap();
    assert_eq!(estate.hash(), before);
}

#[test]
fn an_explanation_names_the_evidence_its_weight_and_the_rules() {
    let estate = joined();
    let one = estate.item(&agent(), "host").unwrap();
    let found = estate.reconciler.explain(&estate.memory, one).unwrap().unwrap();
    assert_eq!(found.rules, Rules::built_in().version);
    assert_eq!(found.sightings.len(), 2);
    let [pair] = found.pairs.as_slice() else { panic!("{found:?}") };
    assert!(pair.bits >= found.link_at);
    let values: Vec<_> = pair.reasons.iter().filter_map(|reason| found.value(reason)).collect();
    assert_eq!(values, [MACHINE, "3c:ec:ef:00:00:01"]);
}

#[test]
fn an_interface_that_moves_along_keeps_its_addresses_known() {
    let mut estate = apart();
    let interface = Observation::part(&network_interface::CLASS, "web", &["eth0"])
        .with(&network_interface::ADDRESSES, vec!["192.0.2.9/24".to_owned()]);
    estate.look(&ssh(), "network", &[interface], (at(4), false));
    let (one, other) =
        (estate.item(&agent(), "host").unwrap(), estate.item(&ssh(), "web").unwrap());
    estate.say(at(10), |known, past| known.join(past, (one, other), "ada")).0.unwrap();
    let client = a_process("app").relates(
        "connects_to",
        RelationTarget::Endpoint { protocol: "tcp".into(), address: "192.0.2.9".into(), port: 80 },
    );
    let listener = Observation::part(
        &model::classes::listening_endpoint::CLASS,
        "host",
        &["host", "tcp", "0.0.0.0", "80"],
    );
    estate.look(&agent(), "sockets", std::slice::from_ref(&listener), (at(11), false));
    estate.look(&agent(), "units", &[client], (at(12), false));
    let process = estate.item(&agent(), "host/process/app").unwrap();
    let listener = estate.item(&agent(), &listener.native_key).unwrap();
    assert!(estate.is_related(process, "connects_to", listener), "the address is its own now");
}
