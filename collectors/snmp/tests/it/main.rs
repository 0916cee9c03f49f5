//! The collector against agents that answer from recordings, honest ones and others.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a test ends where it fails"
)]

mod agent;
mod manners;
mod replay;

use collector::testing::{Look, complaints, look};
use collector::{CollectError, Credential, Remote, Secret, Target};
use collector_snmp::SnmpCollector;
use std::collections::BTreeMap;
use std::net::SocketAddr;

/// A community, in version 1 or 2c.
fn community(name: &str, version: &str, text: &str) -> Credential {
    Credential {
        name: name.into(),
        kind: "snmp_community".into(),
        settings: BTreeMap::from([("version".into(), version.into())]),
        secrets: BTreeMap::from([("community".into(), Secret::new(text.into()))]),
    }
}

fn target(address: SocketAddr, credentials: Vec<Credential>) -> Target {
    let options = [("timeout_seconds", "0.3"), ("retries", "2")];
    let remote = Remote {
        address: address.ip().to_string(),
        port: Some(address.port()),
        options: options.map(|(name, value)| (name.into(), value.into())).into(),
        credentials,
    };
    Target::remote("switch-1", "berlin", remote)
}

async fn look_at(address: SocketAddr, version: &str, scope: &str) -> Result<Look, CollectError> {
    let target = target(address, vec![community("lab", version, "public")]);
    let look = look(&SnmpCollector, &target, scope).await?;
    let complaints = complaints(&SnmpCollector, scope, &look.observations);
    assert!(complaints.is_empty(), "{complaints:?}");
    Ok(look)
}
