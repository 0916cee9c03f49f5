//! Recordings of real devices, scrubbed: what each scope makes of them, whole, through the protocol.

use super::agent::{Agent, Manner, Variables, recording};
use super::look_at;
use collector::Collector;
use collector_snmp::SnmpCollector;
use model::run::CoverageStatus;
use model::{Observation, RelationTarget, Value};
use std::collections::BTreeSet;
use std::fmt::Write;

/// A printer and a power supply, invented after Printer-MIB and UPS-MIB: no recording has all of their tables.
const PRINTER: &str = "1.3.6.1.2.1.1.1.0|4|Example printer\n1.3.6.1.2.1.1.2.0|6|1.3.6.1.4.1.11.2.3.9.1\n\
1.3.6.1.2.1.1.5.0|4|printer1\n1.3.6.1.2.1.25.3.2.1.3.1|4|LaserJet Example 400\n\
1.3.6.1.2.1.43.5.1.1.17.1|4|EXPRN00042\n1.3.6.1.2.1.43.11.1.1.5.1.1|2|3\n\
1.3.6.1.2.1.43.11.1.1.6.1.1|4|Black Cartridge\n1.3.6.1.2.1.43.11.1.1.8.1.1|2|4000\n\
1.3.6.1.2.1.43.11.1.1.9.1.1|2|1000\n";
const UPS: &str = "1.3.6.1.2.1.1.1.0|4|Example UPS\n1.3.6.1.2.1.1.2.0|6|1.3.6.1.2.1.33\n\
1.3.6.1.2.1.33.1.1.1.0|4|Example Power\n1.3.6.1.2.1.33.1.1.2.0|4|Online 3000\n\
1.3.6.1.2.1.33.1.2.1.0|2|2\n1.3.6.1.2.1.33.1.2.3.0|2|42\n1.3.6.1.2.1.33.1.2.4.0|2|98\n\
1.3.6.1.2.1.33.1.2.5.0|2|1310\n1.3.6.1.2.1.33.1.2.7.0|2|27\n1.3.6.1.2.1.33.1.4.4.1.5.1|2|31\n";

/// Packages as net-snmp on Debian shows them.
const DEBIAN: &str = "1.3.6.1.2.1.1.2.0|6|1.3.6.1.4.1.8072.3.2.10\n1.3.6.1.2.1.1.5.0|4|web1.example.net\n\
1.3.6.1.2.1.1.1.0|4|Linux web1.example.net 6.1.0-18-amd64 #1 SMP Debian 6.1.76-1 x86_64\n\
1.3.6.1.2.1.25.6.3.1.2.1|4|bash_5.2.15-2+b2_amd64\n1.3.6.1.2.1.25.6.3.1.2.2|4|curl-8.5.0-1.fc39\n";

fn fixture(name: &str) -> Variables {
    let path = format!("{}/tests/fixtures/{name}/variables.txt", env!("CARGO_MANIFEST_DIR"));
    recording(&std::fs::read_to_string(path).unwrap())
}

fn shown(value: &Value) -> String {
    match value {
        Value::Text(text) => text.clone(),
        Value::Integer(number) => number.to_string(),
        Value::Float(number) => number.to_string(),
        Value::Boolean(yes) => yes.to_string(),
        Value::List(values) => {
            let values: Vec<String> = values.iter().map(shown).collect();
            format!("[{}]", values.join(", "))
        }
        other => format!("{other:?}"),
    }
}

fn lines(seen: &Observation) -> String {
    let mut text = seen.native_key.clone();
    for (name, value) in seen.facts.iter().chain(&seen.readings) {
        write!(text, "\n    {name}: {}", shown(value)).unwrap();
    }
    for key in &seen.keys {
        write!(text, "\n    known by {}: {}", key.key_type.name(), key.value).unwrap();
    }
    for relation in &seen.relations {
        let end = match &relation.target {
            RelationTarget::Native(key) => key.clone(),
            RelationTarget::Key(key) => format!("{} {}", key.key_type.name(), key.value),
            RelationTarget::Endpoint { address, port, .. } => format!("{address}:{port}"),
        };
        write!(text, "\n    {} {end}", relation.verb).unwrap();
    }
    text
}

/// Everything that all scopes say of a recording, and the classes in it.
async fn replay(variables: Variables) -> (String, BTreeSet<String>) {
    let agent = Agent::start(variables, Manner::Honest).await;
    let mut text = String::new();
    let mut classes = BTreeSet::new();
    for scope in SnmpCollector.manifest().scopes {
        let look = look_at(agent.address, "2c", scope.name).await.unwrap();
        assert_eq!(look.coverage.status, CoverageStatus::Complete, "{:?}", look.failures);
        let count = look.observations.len();
        writeln!(text, "\n== {}: {count} {}", scope.name, look.coverage.detail).unwrap();
        for seen in &look.observations {
            classes.insert(seen.class.to_string());
        }
        // The first ones show the form of all.
        for seen in look.observations.iter().take(6) {
            writeln!(text, "{}", lines(seen)).unwrap();
        }
    }
    (text.replace(&agent.address.to_string(), "127.0.0.1:PORT"), classes)
}

macro_rules! replays {
    ($($test:ident: $folder:literal;)+) => {
        $(
            #[tokio::test]
            async fn $test() {
                insta::assert_snapshot!(replay(fixture($folder)).await.0);
            }
        )+
    };
}

replays! {
    a_switch_of_arista_is_described: "arista-7150s";
    a_stack_of_cisco_is_described: "cisco-c3750";
    a_router_of_juniper_is_described: "juniper-mx960";
    a_power_strip_of_apc_is_described: "apc-7902b";
    a_windows_host_is_described: "windows-2003";
    a_switch_of_h3c_is_described: "h3c-e528";
}

#[tokio::test]
async fn a_printer_is_described() {
    insta::assert_snapshot!(replay(recording(PRINTER)).await.0);
}

#[tokio::test]
async fn a_power_supply_with_a_battery_is_described() {
    insta::assert_snapshot!(replay(recording(UPS)).await.0);
}

#[tokio::test]
async fn a_linux_host_is_described() {
    insta::assert_snapshot!(replay(recording(DEBIAN)).await.0);
}

#[tokio::test]
async fn every_class_that_the_manifest_promises_is_in_a_recording() {
    let folders =
        ["arista-7150s", "cisco-c3750", "juniper-mx960", "windows-2003", "h3c-e528", "apc-7902b"];
    let invented = [PRINTER, UPS, DEBIAN].map(recording);
    let mut found = BTreeSet::new();
    for variables in folders.map(fixture).into_iter().chain(invented) {
        found.extend(replay(variables).await.1);
    }
    let scopes = SnmpCollector.manifest().scopes.iter();
    let promised: BTreeSet<String> =
        scopes.flat_map(|scope| scope.classes).map(|class| (*class).to_owned()).collect();
    assert_eq!(found, promised);
}
