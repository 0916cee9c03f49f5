//! The scopes `vlans` and `forwarding`: what a bridge knows, by BRIDGE-MIB (RFC 4188), Q-BRIDGE-MIB (RFC 4363) and
//! CISCO-VTP-MIB.
//!
//! Deliberately not here: the tables that older IOS shows only by a community for each VLAN.

use super::DEVICE;
use crate::ports::{Ports, interface_key};
use crate::table::Table;
use crate::value::mac_of;
use crate::view::{TableOf, View};
use collector::Run;
use model::classes::{forwarding_entry, vlan};
use model::run::CoverageReason;
use model::{Coverage, Observation, RelationTarget, relationships};
use std::collections::{BTreeMap, BTreeSet};

/// The most entries that are described; a core switch has some tens of thousands.
pub(crate) const ENTRIES_MAX: usize = 100_000;
/// The most ports of a list of ports: octets of it times eight.
const PORT_LIST_MAX: usize = 4096;

/// `dot1qTpFdbTable`: by filtering database.
const ENTRIES: TableOf = TableOf {
    name: "dot1qTpFdbTable",
    entry: &[1, 3, 6, 1, 2, 1, 17, 7, 1, 2, 2, 1],
    columns: &[2, 3],
};
/// `dot1dTpFdbTable`: without VLANs.
const ENTRIES_PLAIN: TableOf =
    TableOf { name: "dot1dTpFdbTable", entry: &[1, 3, 6, 1, 2, 1, 17, 4, 3, 1], columns: &[2, 3] };
/// `dot1qVlanCurrentTable`: filtering database, ports, ports without tag.
const CURRENT: TableOf = TableOf {
    name: "dot1qVlanCurrentTable",
    entry: &[1, 3, 6, 1, 2, 1, 17, 7, 1, 4, 2, 1],
    columns: &[3, 4, 5],
};
/// `dot1qVlanStaticTable`: name, ports, ports without tag.
const STATIC: TableOf = TableOf {
    name: "dot1qVlanStaticTable",
    entry: &[1, 3, 6, 1, 2, 1, 17, 7, 1, 4, 3, 1],
    columns: &[1, 2, 4],
};
/// `vtpVlanTable`: name.
const CISCO: TableOf = TableOf {
    name: "vtpVlanTable",
    entry: &[1, 3, 6, 1, 4, 1, 9, 9, 46, 1, 3, 1, 1],
    columns: &[4],
};

/// Looks at the scope `vlans`.
pub(crate) async fn collect_vlans(view: &mut View<'_>, run: &mut Run<'_>) -> Coverage {
    let fixed = view.table(run, &STATIC).await;
    let current = view.table(run, &CURRENT).await;
    let cisco = view.table(run, &CISCO).await;
    if fixed.is_empty() && current.is_empty() && cisco.is_empty() {
        return view.coverage_of(0, "VLANs");
    }
    let ports = Ports::read_with_bridge(view, run).await;
    let found = observe_vlans(&ports, &fixed, &current, &cisco);
    let count = found.len();
    found.into_iter().for_each(|seen| view.saw(run, seen));
    view.coverage_of(count, "VLANs")
}

/// A VLAN, gathered from several tables.
#[derive(Debug, Default)]
struct Vlan {
    name: Option<String>,
    ports: BTreeSet<u32>,
    untagged: BTreeSet<u32>,
}

fn observe_vlans(ports: &Ports, fixed: &Table, current: &Table, cisco: &Table) -> Vec<Observation> {
    let mut vlans: BTreeMap<u32, Vlan> = BTreeMap::new();
    for (index, row) in fixed.rows() {
        let &[id] = index.as_slice() else { continue };
        let vlan = vlans.entry(id).or_default();
        vlan.name = row.text(1);
        vlan.ports.extend(port_list(row.octets(2).unwrap_or_default()));
        vlan.untagged.extend(port_list(row.octets(4).unwrap_or_default()));
    }
    for (index, row) in current.rows() {
        let &[_, id] = index.as_slice() else { continue };
        let vlan = vlans.entry(id).or_default();
        vlan.ports.extend(port_list(row.octets(4).unwrap_or_default()));
        vlan.untagged.extend(port_list(row.octets(5).unwrap_or_default()));
    }
    for (index, row) in cisco.rows() {
        let &[_, id] = index.as_slice() else { continue };
        let vlan = vlans.entry(id).or_default();
        vlan.name = vlan.name.take().or_else(|| row.text(4));
    }
    let names = |numbers: BTreeSet<u32>| -> Vec<String> {
        let names = numbers
            .into_iter()
            .map(|port| ports.bridge_port(port).map_or_else(|| port.to_string(), str::to_owned));
        names.collect::<BTreeSet<String>>().into_iter().collect()
    };
    // Numbers from 1 to 4094 (IEEE 802.1Q).
    let real = vlans.into_iter().filter(|(id, _)| (1..=4094).contains(id));
    let seen = real.map(|(id, vlan)| {
        let tagged = vlan.ports.difference(&vlan.untagged).copied().collect();
        Observation::part(&vlan::CLASS, DEVICE, &[&id.to_string()])
            .with_some(&vlan::NAME, vlan.name)
            .with(&vlan::TAGGED_PORTS, names(tagged))
            .with(&vlan::UNTAGGED_PORTS, names(vlan.untagged))
    });
    seen.collect()
}

/// The ports of a `PortList`: the first bit of the first octet is port 1.
fn port_list(octets: &[u8]) -> Vec<u32> {
    let mut found = Vec::new();
    for (place, octet) in octets.iter().enumerate().take(PORT_LIST_MAX / 8) {
        for bit in 0..8_u32 {
            if octet & (0x80 >> bit) != 0 {
                let base = u32::try_from(place).unwrap_or(0).saturating_mul(8);
                found.push(base.saturating_add(bit).saturating_add(1));
            }
        }
    }
    found
}

/// Looks at the scope `forwarding`.
pub(crate) async fn collect_entries(view: &mut View<'_>, run: &mut Run<'_>) -> Coverage {
    // Two values make an entry; the entry before the limit may still lack its second.
    let entries = view.table_up_to(run, &ENTRIES, ENTRIES_MAX * 2 + 2).await;
    let plain = view.table_up_to(run, &ENTRIES_PLAIN, ENTRIES_MAX * 2 + 2).await;
    if entries.is_empty() && plain.is_empty() {
        return view.coverage_of(0, "forwarding entries");
    }
    let current = view.table(run, &CURRENT).await;
    let ports = Ports::read_with_bridge(view, run).await;
    let found = observe_entries(&ports, &entries, &plain, &databases(&current));
    let count = found.len();
    if count > ENTRIES_MAX {
        let why = format!("there are more than {ENTRIES_MAX} entries");
        view.failed(run, ENTRIES.name, CoverageReason::LimitReached, why);
    }
    found.into_iter().take(ENTRIES_MAX).for_each(|seen| view.saw(run, seen));
    view.coverage_of(count, "forwarding entries")
}

/// Which VLAN a filtering database is of, where it is of one only.
fn databases(current: &Table) -> BTreeMap<u32, u32> {
    let mut vlans: BTreeMap<u32, BTreeSet<u32>> = BTreeMap::new();
    for (index, row) in current.rows() {
        let database = row.number(3).and_then(|number| u32::try_from(number).ok());
        if let (&[_, vlan], Some(database)) = (index.as_slice(), database) {
            vlans.entry(database).or_default().insert(vlan);
        }
    }
    let single =
        |(database, vlans): (u32, BTreeSet<u32>)| match vlans.into_iter().collect::<Vec<_>>()[..] {
            [vlan] => Some((database, vlan)),
            _ => None,
        };
    vlans.into_iter().filter_map(single).collect()
}

fn observe_entries(
    ports: &Ports,
    entries: &Table,
    plain: &Table,
    databases: &BTreeMap<u32, u32>,
) -> Vec<Observation> {
    let mut found = Vec::new();
    let mut known = BTreeSet::new();
    for (index, row) in entries.rows() {
        let Some((database, address)) = index.split_first() else { continue };
        let vlan = databases.get(database).unwrap_or(database);
        if let Some(mac) = mac_of_index(address)
            && let Some(seen) =
                entry(ports, (&vlan.to_string(), &mac), (row.number(2), row.number(3)))
        {
            known.insert(mac);
            found.push(seen);
        }
    }
    for (index, row) in plain.rows() {
        if let Some(mac) = mac_of_index(index)
            && !known.contains(&mac)
            && let Some(seen) = entry(ports, ("", &mac), (row.number(2), row.number(3)))
        {
            found.push(seen);
        }
    }
    found
}

fn mac_of_index(index: &[u32]) -> Option<String> {
    let octets: Vec<u8> = index.iter().map(|arc| u8::try_from(*arc).ok()).collect::<Option<_>>()?;
    mac_of(&octets)
}

fn entry(
    ports: &Ports,
    (vlan, mac): (&str, &str),
    (port, status): (Option<u64>, Option<u64>),
) -> Option<Observation> {
    let origin = match status? {
        3 => "learned",
        4 => "own",
        5 => "configured",
        // Other and invalid ones say nothing.
        _ => return None,
    };
    let seen = Observation::part(&forwarding_entry::CLASS, DEVICE, &[vlan, mac])
        .with(&forwarding_entry::ORIGIN, origin);
    // Port zero: it is not known where.
    let port = port.and_then(|port| u32::try_from(port).ok()).filter(|port| *port != 0);
    let Some(port) = port else { return Some(seen) };
    let name = ports.bridge_port(port);
    let seen =
        seen.with(&forwarding_entry::PORT, name.map_or_else(|| port.to_string(), str::to_owned));
    Some(match name {
        Some(name) => {
            seen.relates(relationships::SEEN_ON, RelationTarget::Native(interface_key(name)))
        }
        None => seen,
    })
}

/// What any tables give.
#[cfg(test)]
pub(super) fn hostile_vlans(
    (names, descriptions): (&Table, &Table),
    one: &Table,
    other: &Table,
) -> Vec<Observation> {
    observe_vlans(&Ports::of(names, descriptions), one, other, other)
}

/// What any tables give.
#[cfg(test)]
pub(super) fn hostile_entries(
    (names, descriptions): (&Table, &Table),
    one: &Table,
    other: &Table,
) -> Vec<Observation> {
    observe_entries(&Ports::of(names, descriptions), one, other, &databases(other))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::Row;
    use crate::value::Value;

    #[test]
    fn the_first_bit_of_a_list_is_port_one() {
        assert_eq!(port_list(&[0x80, 0x01]), [1, 16]);
        assert!(port_list(&[0xff; 100_000]).len() <= PORT_LIST_MAX);
    }

    #[test]
    fn an_entry_of_a_wrong_length_or_state_is_passed_over() {
        let row = |status| Row([(2, Value::Integer(1)), (3, Value::Integer(status))].into());
        let entries = Table(
            [
                (vec![1, 0, 0, 94, 0, 83, 1], row(3)),
                (vec![1, 0, 0, 94, 0, 83], row(3)),
                (vec![1, 0, 0, 94, 0, 83, 999], row(3)),
                (vec![1, 0, 0, 94, 0, 83, 2], row(2)),
                (vec![], row(3)),
            ]
            .into(),
        );
        let found =
            observe_entries(&Ports::default(), &entries, &Table::default(), &BTreeMap::new());
        let macs: Vec<_> = found.iter().map(|seen| seen.native_key.as_str()).collect();
        assert_eq!(macs, ["device/forwarding_entry/1/00:00:5e:00:53:01"]);
    }
}
