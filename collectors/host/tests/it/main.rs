//! Compares what the host collector says of this very machine, field by field, with what other tools say of it.
//!
//! The tools are those of Debian; `cargo xtask test` installs them. A tool that is missing fails its test with the
//! line that installs it: a comparison that did not happen must not look like one that held.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a helper of tests fails its test"
)]

mod confined;
mod firmware;
mod hostile;
mod machine;
mod relations;
mod software;
mod watch;

use collector::{Target, testing};
use collector_host::HostCollector;
use model::{Coverage, Observation, Value};
use serde_json::Value as Json;
use std::process::Command;

/// This machine.
pub fn this_host() -> Target {
    Target::own_host("01890a5d-ac96-774b-bcce-b302099a8057", "default")
}

/// Looks at a scope of this machine and holds what it emits against manifest and catalog.
pub async fn look(scope: &str) -> (Vec<Observation>, Coverage) {
    let look = testing::look(&HostCollector, &this_host(), scope).await.unwrap();
    assert!(look.failures.is_empty(), "{:?}", look.failures);
    let complaints = testing::complaints(&HostCollector, scope, &look.observations);
    assert!(complaints.is_empty(), "{complaints:#?}");
    (look.observations, look.coverage)
}

/// What a tool prints; fails with the line that installs the tool when it is not there.
pub fn tool(package: &str, program: &str, arguments: &[&str]) -> String {
    let path = format!("{}:/usr/sbin:/sbin", std::env::var("PATH").unwrap_or_default());
    let output = Command::new(program)
        .args(arguments)
        .env("PATH", path)
        .env("LC_ALL", "C")
        .output()
        .unwrap_or_else(|error| panic!("{program}: {error}; apt-get install {package}"));
    assert!(
        output.status.success(),
        "{program} {arguments:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

/// What a tool prints as JSON.
pub fn tool_json(package: &str, program: &str, arguments: &[&str]) -> Json {
    serde_json::from_str(&tool(package, program, arguments)).unwrap()
}

/// The observations of a class.
pub fn of_class<'a>(seen: &'a [Observation], class: &str) -> Vec<&'a Observation> {
    seen.iter().filter(|seen| seen.class == class).collect()
}

/// The observation of a class with this text in an attribute.
pub fn the<'a>(
    seen: &'a [Observation],
    class: &str,
    attribute: &str,
    text: &str,
) -> &'a Observation {
    of_class(seen, class)
        .into_iter()
        .find(|seen| seen.facts.get(attribute).and_then(Value::as_text) == Some(text))
        .unwrap_or_else(|| panic!("no {class} with {attribute} `{text}` was seen"))
}

/// A fact or reading as one line; empty when it was not looked at.
pub fn line(seen: &Observation, attribute: &str) -> String {
    seen.facts
        .get(attribute)
        .or_else(|| seen.readings.get(attribute))
        .map(Value::to_line)
        .unwrap_or_default()
}
