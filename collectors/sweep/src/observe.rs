//! What a sweep found, as observations: the host, what it listens on, and the certificates that it shows.

use crate::datagram::Said;
use crate::found::{Host, Listener};
use crate::text;
use crate::x509::Certificate;
use model::classes::{certificate, discovered_host, listening_endpoint};
use model::observation::part_key;
use model::{IdentityKey, KeyType, Observation, Realm, RelationTarget, relationships};
use std::net::IpAddr;

/// The most names of a host that are told.
const NAMES_MAX: usize = 64;

/// The most evidence by names: a shared server's certificate has hundreds, which say nothing of the server.
const NAME_KEYS_MAX: usize = 4;

/// The observations of a host. `site` is the realm of its address, `agent` that of addresses which mean one host only.
pub(crate) fn observe(host: &Host, site: &str, target: &str, see: &mut dyn FnMut(Observation)) {
    let Some(address) = host.address else { return };
    let key = format!("address/{address}");
    let network = Realm::site(site);
    // 127.0.0.1 and the like mean the host that looked.
    let realm = Realm::of_address(address, &network, &Realm::host(target));
    let names = names(host);
    let ports = host.listeners.keys().map(|(protocol, port)| format!("{protocol}/{port}"));
    let mut seen = Observation::of(&discovered_host::CLASS, key.clone())
        .with(&discovered_host::NAME, names.first().cloned().unwrap_or_else(|| address.to_string()))
        .with(&discovered_host::ADDRESS, address.to_string())
        .with(&discovered_host::OPEN_PORTS, ports.collect::<Vec<_>>())
        .with(
            &discovered_host::ANSWERED_BY,
            host.signs.iter().map(|sign| sign.name().to_owned()).collect::<Vec<_>>(),
        )
        .with_some(&discovered_host::MAC_ADDRESS, mac(host))
        .with_some(&discovered_host::OS_GUESS, os_guess(host))
        .with_some(&discovered_host::SNMP_ENGINE_ID, host.said.engine_id.clone())
        .with_some(&discovered_host::WORKGROUP, host.said.workgroup.clone())
        .with_some(&discovered_host::DOUBTS, host.doubts.clone())
        .with_some(&discovered_host::ANSWER_SECONDS, host.distance.map(|time| time.as_secs_f64()))
        .key(IdentityKey::new(KeyType::IpAddress, realm, &address.to_string()));
    if !names.is_empty() {
        seen.set(&discovered_host::NAMES, names.clone());
    }
    if !host.said.services.is_empty() {
        seen.set(&discovered_host::ANNOUNCED_SERVICES, host.said.services.clone());
    }
    see(with_keys(seen, host, &network, &names));
    for ((protocol, port), listener) in &host.listeners {
        observe_listener((&key, address), (protocol, *port), listener, see);
    }
}

fn mac(host: &Host) -> Option<String> {
    host.mac_address.clone().or_else(|| host.said.mac_address.clone())
}

/// What its services say of the operating system, when they agree.
fn os_guess(host: &Host) -> Option<String> {
    if host.os_guess.is_some() {
        return host.os_guess.clone();
    }
    let mut said = host.listeners.values().filter_map(|one| one.service.recognized.os.as_ref());
    let first = said.next()?;
    said.all(|other| other == first).then(|| first.clone())
}

/// Its names, those it gives itself first.
fn names(host: &Host) -> Vec<String> {
    let Said { names, netbios_name, .. } = &host.said;
    let netbios = netbios_name.as_ref().and_then(|name| text::host_name(name));
    let certified = host.listeners.values().flat_map(|listener| {
        listener.service.certificate.iter().flat_map(|found| found.names.iter())
    });
    let certified = certified.filter_map(|name| text::host_name(name));
    let mut all: Vec<String> = Vec::new();
    for name in
        host.names.iter().cloned().chain(names.iter().cloned()).chain(netbios).chain(certified)
    {
        if all.len() < NAMES_MAX && !all.contains(&name) {
            all.push(name);
        }
    }
    all
}

fn with_keys(mut seen: Observation, host: &Host, site: &Realm, names: &[String]) -> Observation {
    let everywhere = Realm::everywhere;
    if let Some(mac) = mac(host) {
        seen = seen.key(IdentityKey::new(KeyType::MacAddress, everywhere(), &mac));
    }
    if let Some(engine) = &host.said.engine_id {
        seen = seen.key(IdentityKey::new(KeyType::SnmpEngineId, everywhere(), engine));
    }
    for key in &host.ssh_host_keys {
        seen = seen.key(IdentityKey::new(KeyType::SshHostKey, everywhere(), key));
    }
    for listener in host.listeners.values() {
        if let Some(found) = &listener.service.certificate {
            seen = seen.key(IdentityKey::new(KeyType::CertificateKey, everywhere(), &found.key));
        }
    }
    for name in names.iter().take(NAME_KEYS_MAX) {
        let is_local = name.ends_with(".local");
        let (key_type, name) = match name.split_once('.') {
            Some((short, _)) if is_local => (KeyType::HostName, short),
            Some(_) => (KeyType::Fqdn, name.as_str()),
            None => (KeyType::HostName, name.as_str()),
        };
        seen = seen.key(IdentityKey::new(key_type, site.clone(), name));
    }
    seen
}

fn observe_listener(
    (parent, address): (&str, IpAddr),
    (protocol, port): (&str, u16),
    listener: &Listener,
    see: &mut dyn FnMut(Observation),
) {
    let service = &listener.service;
    let recognized = &service.recognized;
    let (address, number) = (address.to_string(), port.to_string());
    let usual = crate::ports::usual_service(port).filter(|_| protocol == "tcp");
    let what = recognized.product.as_deref().or(recognized.service.as_deref()).or(usual);
    let name = match what {
        Some(what) => format!("{protocol}/{port} {what}"),
        None => format!("{protocol}/{port}"),
    };
    let mut seen = Observation::part(
        &listening_endpoint::CLASS,
        parent,
        &["host", protocol, &address, &number],
    )
    .with(&listening_endpoint::NAME, name)
    .with(&listening_endpoint::IS_EXPOSED, true)
    .with_some(&listening_endpoint::SERVICE, recognized.service.clone())
    .with_some(&listening_endpoint::PRODUCT, recognized.product.clone())
    .with_some(&listening_endpoint::PRODUCT_VERSION, recognized.version.clone())
    .with_some(&listening_endpoint::CPE, recognized.cpe.clone())
    .with_some(&listening_endpoint::BANNER, service.banner.clone());
    if let Some(found) = &service.certificate {
        let place = format!("{protocol}://{address}:{port}");
        let key = part_key(&certificate::CLASS, parent, &[&place, &found.fingerprint]);
        seen.relate(relationships::SECURED_BY, RelationTarget::Native(key));
        see(observe_certificate(parent, &place, found));
    }
    see(seen);
}

fn observe_certificate(parent: &str, place: &str, found: &Certificate) -> Observation {
    Observation::part(&certificate::CLASS, parent, &[place, &found.fingerprint])
        .with(&certificate::SUBJECT, found.subject.clone())
        .with(&certificate::ISSUER, found.issuer.clone())
        .with(&certificate::SERIAL_NUMBER, found.serial_number.clone())
        .with(&certificate::ALTERNATIVE_NAMES, found.names.clone())
        .with(&certificate::NOT_BEFORE, found.not_before)
        .with(&certificate::NOT_AFTER, found.not_after)
        .with(&certificate::KEY_ALGORITHM, found.key_algorithm.clone())
        .with(&certificate::IS_SELF_SIGNED, found.is_self_signed)
}
