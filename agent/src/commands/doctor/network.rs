//! Checks of the way to the control plane: name, port, TLS with the pinned authority, clock.

use super::{Findings, Verdict};
use crate::config::Config;
use crate::enrollment;
use crate::identity::Identity;
use crate::report::chain;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;

/// How long a name or a port may take to answer.
const ANSWER_LIMIT: Duration = Duration::from_secs(5);

/// Checks each endpoint: of an enrolled agent the uplink, else the enrollment address.
pub(super) async fn control_plane(
    findings: &mut Findings,
    config: Option<&Config>,
    identity: Option<&Identity>,
) {
    let configured = config.map(|config| config.endpoints.value.clone()).unwrap_or_default();
    if let Some(identity) = identity {
        let endpoints =
            if configured.is_empty() { identity.enrolled.endpoints.clone() } else { configured };
        for endpoint in endpoints {
            if !reach(findings, &endpoint).await {
                continue;
            }
            let connector = pki::connector_mutual(&identity.roots, &identity.chain, &identity.key);
            recognize(findings, &endpoint, connector).await;
        }
        return;
    }
    let Some(config) = config else { return };
    let Some(server) = config.server.value.clone() else {
        let remedy = "give the enrollment address with --server HOST:7444 to check the way to it";
        return findings.add(Verdict::Warn, "control plane", "no address is known", remedy);
    };
    if !reach(findings, &server).await {
        return;
    }
    let token = config.token_file.value.as_ref().map(|file| enrollment::read_token(file));
    match token {
        Some(Ok(token)) => recognize(findings, &server, pki::connector_pinned(token.pin())).await,
        Some(Err(error)) => {
            let remedy = "make a new join token in the console under Agents";
            findings.add(Verdict::Fail, "join token", chain(&error), remedy);
        }
        None => {}
    }
}

/// Whether the name resolves and the port answers.
async fn reach(findings: &mut Findings, endpoint: &str) -> bool {
    let addresses: Vec<SocketAddr> = match timeout(ANSWER_LIMIT, lookup_host(endpoint)).await {
        Ok(Ok(addresses)) => addresses.collect(),
        Ok(Err(error)) => {
            let remedy = "check the name in the address and this host's DNS (`/etc/resolv.conf`)";
            findings.add(Verdict::Fail, "name", format!("`{endpoint}`: {error}"), remedy);
            return false;
        }
        Err(_elapsed) => {
            let remedy = "check this host's DNS (`/etc/resolv.conf`)";
            findings.add(Verdict::Fail, "name", format!("`{endpoint}`: no answer"), remedy);
            return false;
        }
    };
    let shown: Vec<String> = addresses.iter().map(|address| address.ip().to_string()).collect();
    findings.ok("name", format!("`{endpoint}` is {}", shown.join(", ")));
    let remedy = "check that the control plane runs there and that no firewall is between";
    match timeout(ANSWER_LIMIT, TcpStream::connect(addresses.as_slice())).await {
        Ok(Ok(_)) => {
            findings.ok("port", format!("`{endpoint}` answers"));
            true
        }
        Ok(Err(error)) => {
            findings.add(Verdict::Fail, "port", format!("`{endpoint}`: {error}"), remedy);
            false
        }
        Err(_elapsed) => {
            findings.add(Verdict::Fail, "port", format!("`{endpoint}`: no answer"), remedy);
            false
        }
    }
}

/// Whether the control plane proves to be the right one. A clock that is off shows here: certificates have dates.
async fn recognize(
    findings: &mut Findings,
    endpoint: &str,
    connector: Result<pki::Connector, pki::Error>,
) {
    const CHECK: &str = "recognition";
    let connector = match connector {
        Ok(connector) => connector.with_timeout(ANSWER_LIMIT),
        Err(error) => {
            let remedy = "move the identity away and enroll this host anew";
            return findings.add(Verdict::Fail, CHECK, chain(&error), remedy);
        }
    };
    let Some((host, port)) = endpoint.rsplit_once(':') else { return };
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let Ok(port) = port.parse() else { return };
    match connector.connect(host, port).await {
        Ok(_) => findings
            .ok(CHECK, format!("`{endpoint}` is the control plane of this agent, and its certificate holds by this host's clock")),
        Err(error) => {
            // The error's own words say what to do.
            findings.add(Verdict::Fail, CHECK, chain(&error), "");
        }
    }
}
