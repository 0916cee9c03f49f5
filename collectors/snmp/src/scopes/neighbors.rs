//! The scope `neighbors`: what announces itself at the other ends of links, by LLDP-MIB (IEEE 802.1AB) and
//! CISCO-CDP-MIB.
//!
//! A neighbor is kept as the port sees it. It leads to whatever has its chassis id, else its address or its name;
//! which port that is, and whether the other end agrees, is for reconciliation to find.

use super::DEVICE;
use crate::ports::{Ports, interface_key};
use crate::table::{Row, Table};
use crate::value::{mac_of, text_of};
use crate::view::{TableOf, View};
use collector::Run;
use model::classes::neighbor;
use model::{Coverage, IdentityKey, KeyType, Observation, Realm, RelationTarget, relationships};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

/// `lldpRemTable`.
const REMOTE: TableOf = TableOf {
    name: "lldpRemTable",
    entry: &[1, 0, 8802, 1, 1, 2, 1, 4, 1, 1],
    columns: &[4, 5, 6, 7, 8, 9, 10, 12],
};
/// `lldpRemManAddrTable`.
const MANAGED: TableOf = TableOf {
    name: "lldpRemManAddrTable",
    entry: &[1, 0, 8802, 1, 1, 2, 1, 4, 2, 1],
    columns: &[3],
};
/// `lldpLocPortTable`.
const LOCAL: TableOf = TableOf {
    name: "lldpLocPortTable",
    entry: &[1, 0, 8802, 1, 1, 2, 1, 3, 7, 1],
    columns: &[2, 3, 4],
};
/// `cdpCacheTable`: type of address, address, version, device, port, platform, capabilities, native VLAN.
const CDP: TableOf = TableOf {
    name: "cdpCacheTable",
    entry: &[1, 3, 6, 1, 4, 1, 9, 9, 23, 1, 2, 1, 1],
    columns: &[3, 4, 5, 6, 7, 8, 9, 11],
};

/// Which id a subtype is of: the two number them differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Id {
    /// `LldpChassisIdSubtype`.
    Chassis,
    /// `LldpPortIdSubtype`.
    Port,
}

/// An id as text: addresses in their usual form, anything else as it is.
#[must_use]
pub(crate) fn id_text(subtype: u64, id: Id, octets: &[u8]) -> Option<String> {
    let (mac, network) = match id {
        Id::Chassis => (4, 5),
        Id::Port => (3, 4),
    };
    if subtype == mac {
        return mac_of(octets);
    }
    if subtype == network {
        // The family number of IANA comes first: 1 for IPv4, 2 for IPv6.
        return match octets {
            [1, rest @ ..] => {
                <[u8; 4]>::try_from(rest).ok().map(|four| IpAddr::from(four).to_string())
            }
            [2, rest @ ..] => {
                <[u8; 16]>::try_from(rest).ok().map(|six| IpAddr::from(six).to_string())
            }
            _ => None,
        };
    }
    // Many send six octets that are an address under a subtype of their own making.
    let is_text = octets.iter().all(|octet| (0x20..0x7f).contains(octet) || *octet >= 0x80);
    if !is_text && octets.len() == 6 {
        return mac_of(octets);
    }
    text_of(octets)
}

/// What a device announces that it does (`LldpSystemCapabilitiesMap`), sorted.
#[must_use]
pub(crate) fn capabilities(bits: &[u8]) -> Vec<String> {
    const NAMES: [&str; 8] = [
        "other",
        "repeater",
        "bridge",
        "wlan_access_point",
        "router",
        "telephone",
        "docsis_cable_device",
        "station",
    ];
    let first = bits.first().copied().unwrap_or(0);
    let is_set = |place: &usize| {
        first & (0x80_u8.checked_shr(u32::try_from(*place).unwrap_or(8)).unwrap_or(0)) != 0
    };
    let set = NAMES.iter().enumerate().filter(|(place, _)| is_set(place));
    let names: BTreeSet<String> = set.map(|(_, name)| (*name).to_owned()).collect();
    names.into_iter().collect()
}

/// The capabilities of CDP, in the words of LLDP.
fn cdp_capabilities(octets: &[u8]) -> Vec<String> {
    const NAMES: [(u8, &str); 6] = [
        (0x01, "router"),
        (0x02, "bridge"),
        (0x08, "bridge"),
        (0x10, "station"),
        (0x40, "repeater"),
        (0x80, "telephone"),
    ];
    let last = octets.last().copied().unwrap_or(0);
    let set = NAMES.iter().filter(|(bit, _)| last & bit != 0);
    let names: BTreeSet<String> = set.map(|(_, name)| (*name).to_owned()).collect();
    names.into_iter().collect()
}

/// Looks at the scope.
pub(crate) async fn collect(view: &mut View<'_>, run: &mut Run<'_>) -> Coverage {
    let remote = view.table(run, &REMOTE).await;
    let cdp = view.table(run, &CDP).await;
    if remote.is_empty() && cdp.is_empty() {
        return view.coverage_of(0, "neighbors by LLDP or CDP");
    }
    let ports = Ports::read_with_bridge(view, run).await;
    let local = view.table(run, &LOCAL).await;
    let managed = view.table(run, &MANAGED).await;
    let site = view.site();
    for seen in observe_lldp(&ports, &local, &remote, &addresses_of(&managed), &site) {
        view.saw(run, seen);
    }
    for seen in observe_cdp(&ports, &cdp, &site) {
        view.saw(run, seen);
    }
    view.coverage()
}

/// The addresses by which neighbors are managed, by local port and number of the neighbor.
fn addresses_of(managed: &Table) -> BTreeMap<(u32, u32), BTreeSet<IpAddr>> {
    let mut found: BTreeMap<(u32, u32), BTreeSet<IpAddr>> = BTreeMap::new();
    for (index, _) in managed.rows() {
        let &[_, port, number, ref rest @ ..] = index.as_slice() else { continue };
        if let Some((address, _)) = super::interfaces::inet_address(rest) {
            found.entry((port, number)).or_default().insert(address);
        }
    }
    found
}

/// The name of the interface that a port of LLDP is.
fn local_port(ports: &Ports, local: &Table, port: u32) -> String {
    if let Some(row) = local.row(&[port]) {
        let id = row.octets(3).and_then(text_of);
        let described = row.text(4);
        for name in [&id, &described].into_iter().flatten() {
            if ports.index_of(name).is_some() {
                return name.clone();
            }
        }
        // A local id can be the number of the interface.
        let number = id.as_deref().and_then(|id| id.parse().ok());
        if let Some(name) = number.and_then(|number| ports.name(number)) {
            return name.to_owned();
        }
    }
    ports.bridge_port(port).map_or_else(|| port.to_string(), str::to_owned)
}

fn observe_lldp(
    ports: &Ports,
    local: &Table,
    remote: &Table,
    addresses: &BTreeMap<(u32, u32), BTreeSet<IpAddr>>,
    site: &Realm,
) -> Vec<Observation> {
    let mut found = Vec::new();
    for (index, row) in remote.rows() {
        let &[_, port, number, ..] = index.as_slice() else { continue };
        let id = |subtype: u32, column: u32, id: Id| {
            id_text(row.number(subtype).unwrap_or(7), id, row.octets(column)?)
        };
        let Some(chassis) = id(4, 5, Id::Chassis) else { continue };
        let port_id = id(6, 7, Id::Port).unwrap_or_default();
        let name = local_port(ports, local, port);
        let managed = addresses.get(&(port, number)).cloned().unwrap_or_default();
        let mut seen =
            Observation::part(&neighbor::CLASS, DEVICE, &["lldp", &name, &chassis, &port_id])
                .with_some(&neighbor::PORT_DESCRIPTION, row.text(8))
                .with_some(&neighbor::SYSTEM_NAME, row.text(9))
                .with_some(&neighbor::SYSTEM_DESCRIPTION, row.text(10))
                .with(&neighbor::CAPABILITIES, capabilities(row.octets(12).unwrap_or_default()));
        let texts: Vec<String> = managed.iter().map(IpAddr::to_string).collect();
        seen.set(&neighbor::MANAGEMENT_ADDRESSES, texts);
        if ports.index_of(&name).is_some() {
            seen.relate(relationships::SEEN_ON, RelationTarget::Native(interface_key(&name)));
        }
        let key = IdentityKey::new(KeyType::LldpChassisId, site.clone(), &chassis);
        link(&mut seen, [key]);
        found.push(seen);
    }
    found
}

/// Leads to whatever has the first key that is any evidence.
fn link<const N: usize>(seen: &mut Observation, keys: [Option<IdentityKey>; N]) {
    if let Some(key) = keys.into_iter().flatten().next() {
        seen.relate(relationships::LINKED_TO, RelationTarget::Key(key));
    }
}

fn observe_cdp(ports: &Ports, cdp: &Table, site: &Realm) -> Vec<Observation> {
    let rows = cdp.rows().filter_map(|(index, row)| {
        let name = ports.name_or_number(*index.first()?);
        let device = row.text(6)?;
        Some(cdp_neighbor(ports, (&name, &device), row, site))
    });
    rows.collect()
}

fn cdp_neighbor(
    ports: &Ports,
    (name, device): (&str, &str),
    row: &Row,
    site: &Realm,
) -> Observation {
    let port = row.text(7).unwrap_or_default();
    let is_ip = row.number(3) == Some(1);
    let octets =
        row.octets(4).filter(|_| is_ip).and_then(|octets| <[u8; 4]>::try_from(octets).ok());
    let address = octets.map(IpAddr::from).filter(|address| !address.is_unspecified());
    // NX-OS puts the serial number behind the name.
    let system = device.split('(').next().unwrap_or(device).trim();
    let addresses: Vec<String> = address.iter().map(IpAddr::to_string).collect();
    let mut seen = Observation::part(&neighbor::CLASS, DEVICE, &["cdp", name, device, &port])
        .with(&neighbor::SYSTEM_NAME, system)
        .with_some(&neighbor::SYSTEM_DESCRIPTION, row.text(5))
        .with_some(&neighbor::MODEL, row.text(8))
        .with(&neighbor::MANAGEMENT_ADDRESSES, addresses)
        .with(&neighbor::CAPABILITIES, cdp_capabilities(row.octets(9).unwrap_or_default()))
        .with_some(&neighbor::NATIVE_VLAN_ID, row.number(11).filter(|vlan| *vlan > 0));
    if ports.index_of(name).is_some() {
        seen.relate(relationships::SEEN_ON, RelationTarget::Native(interface_key(name)));
    }
    let address = address.and_then(|address| {
        IdentityKey::new(KeyType::IpAddress, site.clone(), &address.to_string())
    });
    link(&mut seen, [address, IdentityKey::new(KeyType::SystemName, site.clone(), system)]);
    seen
}

/// What any tables give.
#[cfg(test)]
pub(super) fn hostile(
    (names, descriptions): (&Table, &Table),
    (one, other): (&Table, &Table),
    site: &Realm,
) -> Vec<Observation> {
    let ports = Ports::of(names, descriptions);
    let mut found = observe_lldp(&ports, one, other, &addresses_of(one), site);
    found.extend(observe_cdp(&ports, other, site));
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_text_in_the_form_of_their_subtype() {
        let mac = [0, 0, 0x5e, 0, 0x53, 7];
        let text = |subtype, octets: &[u8]| id_text(subtype, Id::Chassis, octets);
        assert_eq!(text(4, &mac).as_deref(), Some("00:00:5e:00:53:07"));
        assert_eq!(text(7, &mac).as_deref(), Some("00:00:5e:00:53:07"));
        assert_eq!(text(5, &[1, 192, 0, 2, 1]).as_deref(), Some("192.0.2.1"));
        assert_eq!(text(5, &[1, 192, 0]), None);
        assert_eq!(text(7, b"switch").as_deref(), Some("switch"));
        assert_eq!((text(4, &[]), text(7, &[])), (None, None));
        assert_eq!(id_text(3, Id::Port, &mac).as_deref(), Some("00:00:5e:00:53:07"));
    }

    #[test]
    fn capabilities_are_named_and_sorted() {
        assert_eq!(capabilities(&[0b0010_1000, 0]), ["bridge", "router"]);
        assert!(capabilities(&[]).is_empty());
        assert_eq!(cdp_capabilities(&[0, 0, 0, 0x29]), ["bridge", "router"]);
    }
}
