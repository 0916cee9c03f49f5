//! The result does not depend on the order, the partition or the repetition of the same observations.

use crate::estate::{Estate, at, source};
use model::classes::{
    hardware, host, listening_endpoint, network_interface, package, process, service_unit,
};
use model::policy::Policies;
use model::relationships::{CONNECTS_TO, INSTANCE_OF, LISTENS_ON, RUNS_ON};
use model::{
    Catalog, IdentityKey, KeyType, Observation, Realm, RelationTarget, SourceId, Timestamp,
};
use proptest::prelude::*;
use std::sync::Arc;

type Look = (SourceId, &'static str, Timestamp, Observation);

fn key(key_type: KeyType, value: &str) -> Option<IdentityKey> {
    IdentityKey::new(key_type, Realm::everywhere(), value)
}

fn machine(number: u8) -> String {
    format!("0f3c9be1a85c4a1c9f1b7a5f9ad2c7{number:02x}")
}

fn mac(number: u8) -> String {
    format!("3c:ec:ef:12:34:{number:02x}")
}

/// A host as its own agent sees it: hardware, interface, package, a server and a client with their units.
fn own_view(number: u8, peer: u8) -> Vec<Look> {
    let from = source("host", &format!("agent-{number}"));
    let name = format!("db{number}.example.net");
    let at = at(i64::from(number) * 10);
    let process_of = |program: &str, unit: &str| {
        let unit_key = format!("host/service_unit/systemd/{unit}");
        Observation::of(&process::CLASS, format!("host/process/{unit}/{program}"))
            .relates(INSTANCE_OF, RelationTarget::Native(unit_key))
            .with(&process::NAME, program)
    };
    let inside = |mut seen: Observation| {
        seen.within = Some("host".into());
        seen
    };
    let listener =
        Observation::part(&listening_endpoint::CLASS, "host", &["host", "tcp", "0.0.0.0", "5432"]);
    let listener_key = listener.native_key.clone();
    let address = format!("192.0.2.{number}/24");
    let remote = RelationTarget::Endpoint {
        protocol: "tcp".into(),
        address: format!("192.0.2.{peer}"),
        port: 5432,
    };
    let outside = RelationTarget::Endpoint {
        protocol: "tcp".into(),
        address: "198.51.100.7".into(),
        port: 443,
    };
    let seen = vec![
        Observation::of(&host::CLASS, "host")
            .with(&host::FQDN, name.clone())
            .with(&host::OS_NAME, "Debian GNU/Linux 12")
            .key(key(KeyType::AgentKey, &from.target))
            .key(key(KeyType::MachineId, &machine(number)))
            .key(key(KeyType::MacAddress, &mac(number)))
            .relates(RUNS_ON, RelationTarget::Native("hardware".into())),
        Observation::of(&hardware::CLASS, "hardware").with(&hardware::VENDOR, "Acme").key(key(
            KeyType::SmbiosUuid,
            &format!("4c4c4544-0043-5810-8032-b7c04f4b31{number:02x}"),
        )),
        Observation::part(&network_interface::CLASS, "host", &["eth0"])
            .with(&network_interface::ADDRESSES, vec![address]),
        Observation::part(&package::CLASS, "host", &["dpkg", "bash", "amd64"])
            .with(&package::VERSION, "5.2"),
        Observation::part(&service_unit::CLASS, "host", &["systemd", "postgres"]),
        Observation::part(&service_unit::CLASS, "host", &["systemd", "app"]),
        listener,
        inside(
            process_of("postgres", "postgres")
                .relates(LISTENS_ON, RelationTarget::Native(listener_key)),
        ),
        inside(process_of("app", "app").relates(CONNECTS_TO, remote).relates(CONNECTS_TO, outside)),
    ];
    let scopes = [
        "os",
        "hardware",
        "network",
        "packages",
        "units",
        "units",
        "sockets",
        "processes",
        "processes",
    ];
    seen.into_iter().zip(scopes).map(|(seen, scope)| (from.clone(), scope, at, seen)).collect()
}

/// The same hosts as two other sources see them: by SSH, and the hardware by its management controller.
fn other_views(number: u8) -> Vec<Look> {
    let ssh = source("ssh", "berlin");
    let bmc = source("redfish", "rack-1");
    let at = at(1000 + i64::from(number));
    vec![
        (
            ssh,
            "hosts",
            at,
            Observation::of(&host::CLASS, format!("ssh-{number}"))
                .with(&host::OS_NAME, "Debian")
                .with(&host::TIME_ZONE, "Europe/Berlin")
                .key(key(KeyType::MachineId, &machine(number)))
                .key(key(KeyType::MacAddress, &mac(number))),
        ),
        (
            bmc,
            "systems",
            at,
            Observation::of(&hardware::CLASS, format!("system-{number}"))
                .with(&hardware::VENDOR, "Acme Inc.")
                .key(key(
                    KeyType::SmbiosUuid,
                    &format!("4c4c4544-0043-5810-8032-b7c04f4b31{number:02x}"),
                )),
        ),
    ]
}

/// The hardware as a switch and a list of purchases know it: nothing in common but what the third one says, and a
/// board that contradicts it.
fn bridged_views() -> Vec<Look> {
    let board = |name: &str, keys: &[(KeyType, &str)]| {
        let seen = Observation::of(&hardware::CLASS, name);
        keys.iter().fold(seen, |seen, (key_type, value)| seen.key(key(*key_type, value)))
    };
    let uuid = (KeyType::SmbiosUuid, "4c4c4544-0043-5810-8032-b7c04f4b3101");
    let serial = (KeyType::ChassisSerial, "acme/7cx2k13");
    let other_serial = (KeyType::ChassisSerial, "acme/7cx2k99");
    let brd = (KeyType::BoardSerial, "acme/brd-7781");
    let mac = (KeyType::MacAddress, "3c:ec:ef:00:77:01");
    let base = (KeyType::MacAddress, "3c:ec:ef:00:77:02");
    [
        ("snmp", board("chassis", &[serial, base])),
        ("list", board("row 7", &[serial, base, brd, mac])),
        ("ssh", board("system", &[uuid, brd, mac])),
        ("scan", board("other", &[other_serial, brd])),
    ]
    .into_iter()
    .map(|(from, seen)| (source(from, "berlin"), "systems", at(1500), seen))
    .collect()
}

/// A clone: the installation of host 1 on another machine. It must stay apart.
fn clone_of_first() -> Look {
    (
        source("ssh", "berlin"),
        "hosts",
        at(2000),
        Observation::of(&host::CLASS, "clone")
            .with(&host::OS_NAME, "Debian clone")
            .key(key(KeyType::MachineId, &machine(1)))
            .key(key(KeyType::MacAddress, &mac(99))),
    )
}

fn all_looks() -> Vec<Look> {
    let mut looks = Vec::new();
    for (number, peer) in [(1, 2), (2, 1), (3, 1)] {
        looks.extend(own_view(number, peer));
        looks.extend(other_views(number));
    }
    looks.push(clone_of_first());
    looks.extend(bridged_views());
    looks
}

/// Policies by which time, agreement and the form of a value decide, with words that become stale within the looks.
fn other_policies() -> Arc<Policies> {
    let text = "version = \"other\"\n\
        [policy_default]\nhalf_life = \"1m\"\n\
        [[policy]]\nclass = \"host\"\nattribute = \"os_name\"\nstrategy = \"freshest\"\n\
        [[policy]]\nclass = \"hardware\"\nattribute = \"vendor\"\nstrategy = \"quorum\"\n\
        [[policy]]\nclass = \"network_interface\"\nattribute = \"addresses\"\nstrategy = \"union\"\n\
        [[policy]]\nclass = \"host\"\nattribute = \"fqdn\"\nstrategy = \"authoritative\"\nsources = [\"ssh\", \"host\"]\n";
    Arc::new(Policies::in_rules(&Catalog::built_in(), text).unwrap())
}

fn estate_by(policies: &Arc<Policies>) -> Estate {
    let mut estate = Estate::new();
    estate.reconciler.set_policies(Arc::clone(policies));
    estate
}

fn hash_of(looks: &[Look]) -> String {
    hash_by(Estate::new(), looks)
}

fn hash_by(mut estate: Estate, looks: &[Look]) -> String {
    for (from, scope, when, seen) in looks {
        estate.look(from, scope, std::slice::from_ref(seen), (*when, false));
    }
    estate.hash()
}

#[test]
fn an_estate_is_what_a_person_would_say() {
    let hash = hash_of(&all_looks());
    for expected in [
        r#"{"host/agent-1:host", "ssh/berlin:ssh-1"}"#,
        r#"{"host/agent-1:hardware", "list/berlin:row 7", "redfish/rack-1:system-1", "snmp/berlin:chassis", "ssh/berlin:system"}"#,
        r#"Some({"scan/berlin:other"})"#,
        r#"{"host/agent-2:hardware", "redfish/rack-1:system-2"}"#,
        r#"Some({"ssh/berlin:clone"}) in None called clone"#,
        r#"service_unit/systemd/app"}) depends_on Some({"host/agent-2:host/service_unit/systemd/postgres"})"#,
        r#"198.51.100.7"#,
    ] {
        assert!(hash.contains(expected), "{expected} is not in\n{hash}");
    }
    assert!(
        hash.lines().any(|line| line.contains("ssh-1\"}) in None called db1.example.net")),
        "{hash}"
    );
}

#[test]
fn saying_it_again_decides_nothing() {
    let mut estate = Estate::new();
    let looks = all_looks();
    for round in 0..2 {
        for (from, scope, when, seen) in &looks {
            let decision = estate.look(from, scope, std::slice::from_ref(seen), (*when, false));
            if round == 1 {
                assert!(decision.is_empty(), "{decision:?}");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn order_repetition_and_partition_do_not_matter(
        order in Just(all_looks()).prop_shuffle(),
        again in proptest::collection::vec(0_usize..38, 0..10),
        together in 1_usize..6,
    ) {
        same_in_any_order(&Estate::new, (order, again, together))?;
    }
}

proptest! {
    // The groups are the same as above; what is asked here is which values win.
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn order_repetition_and_partition_do_not_matter_under_other_policies(
        order in Just(all_looks()).prop_shuffle(),
        again in proptest::collection::vec(0_usize..38, 0..10),
        together in 1_usize..6,
    ) {
        let policies = other_policies();
        same_in_any_order(&|| estate_by(&policies), (order, again, together))?;
    }
}

fn same_in_any_order(
    fresh: &dyn Fn() -> Estate,
    (order, again, together): (Vec<Look>, Vec<usize>, usize),
) -> Result<(), TestCaseError> {
    let expected = hash_by(fresh(), &all_looks());
    let mut looks = order;
    for index in again {
        if let Some(look) = looks.get(index).cloned() {
            looks.push(look);
        }
    }
    let mut estate = fresh();
    for part in looks.chunks(together) {
        // Looks of one scope in a row come in one report.
        let mut index = 0;
        while let Some((from, scope, when, _)) = part.get(index) {
            let run: Vec<Observation> = part
                .iter()
                .skip(index)
                .take_while(|look| look.0 == *from && look.1 == *scope && look.2 == *when)
                .map(|look| look.3.clone())
                .collect();
            estate.look(from, scope, &run, (*when, false));
            index += run.len();
        }
    }
    let found = estate.hash();
    let differs = found.lines().zip(expected.lines()).find(|(one, other)| one != other);
    prop_assert_eq!(differs, None);
    prop_assert_eq!(found.lines().count(), expected.lines().count());
    Ok(())
}

#[test]
fn other_policies_make_other_winners() {
    let (shipped, other) =
        (hash_of(&all_looks()), hash_by(estate_by(&other_policies()), &all_looks()));
    assert_ne!(shipped, other);
}
