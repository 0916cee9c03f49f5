//! The names of interfaces and bridge ports: by `ifName` (IF-MIB, RFC 2863), else by `ifDescr`, else by number.
//!
//! Invariant: every interface has one name and no two have the same, so that a name can be its key.

use crate::scopes::DEVICE;
use crate::table::Table;
use crate::value::Value;
use crate::view::{TableOf, View};
use collector::Run;
use model::classes::network_interface;
use model::observation::part_key;
use std::collections::{BTreeMap, BTreeSet};

/// The most interfaces that are described; a chassis with tens of thousands of subscribers has as many.
pub(crate) const INTERFACES_MAX: usize = 20_000;

/// `ifXTable`: `ifName`.
const NAMES: TableOf =
    TableOf { name: "ifName", entry: &[1, 3, 6, 1, 2, 1, 31, 1, 1, 1], columns: &[1] };
/// `ifTable`: `ifDescr`.
const DESCRIPTIONS: TableOf =
    TableOf { name: "ifDescr", entry: &[1, 3, 6, 1, 2, 1, 2, 2, 1], columns: &[2] };
/// `dot1dBasePortTable` (BRIDGE-MIB, RFC 4188): `dot1dBasePortIfIndex`.
const BRIDGE_PORTS: TableOf = TableOf {
    name: "dot1dBasePortIfIndex",
    entry: &[1, 3, 6, 1, 2, 1, 17, 1, 4, 1],
    columns: &[2],
};

/// The names of interfaces by their index.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ports {
    names: BTreeMap<u32, String>,
    bridge: BTreeMap<u32, u32>,
}

impl Ports {
    /// Reads the names.
    pub(crate) async fn read(view: &mut View<'_>, run: &mut Run<'_>) -> Self {
        let names = view.table(run, &NAMES).await;
        let descriptions = view.table(run, &DESCRIPTIONS).await;
        Self { names: names_of(&names, &descriptions), bridge: BTreeMap::new() }
    }

    /// Reads the names, and which interfaces the ports of the bridge are.
    pub(crate) async fn read_with_bridge(view: &mut View<'_>, run: &mut Run<'_>) -> Self {
        let mut ports = Self::read(view, run).await;
        let bridge = view.table(run, &BRIDGE_PORTS).await;
        let pairs = bridge.rows().filter_map(|(index, row)| {
            let port = *index.first()?;
            Some((port, u32::try_from(row.number(2)?).ok()?))
        });
        ports.bridge = pairs.collect();
        ports
    }

    /// Ports of any tables.
    #[cfg(test)]
    pub(crate) fn of(names: &Table, descriptions: &Table) -> Self {
        Self { names: names_of(names, descriptions), bridge: BTreeMap::new() }
    }

    /// The name of an interface.
    #[must_use]
    pub(crate) fn name(&self, index: u32) -> Option<&str> {
        self.names.get(&index).map(String::as_str)
    }

    /// The name of an interface, or its number.
    #[must_use]
    pub(crate) fn name_or_number(&self, index: u32) -> String {
        self.name(index).map_or_else(|| index.to_string(), str::to_owned)
    }

    /// The name of the interface that a port of the bridge is.
    #[must_use]
    pub(crate) fn bridge_port(&self, port: u32) -> Option<&str> {
        let index = self.bridge.get(&port).copied();
        // Where the bridge does not say, most number their ports as their interfaces.
        self.name(index.unwrap_or(port))
    }

    /// The number of the interface of that name.
    #[must_use]
    pub(crate) fn index_of(&self, name: &str) -> Option<u32> {
        self.names.iter().find(|(_, known)| known.as_str() == name).map(|(index, _)| *index)
    }

    /// All interfaces.
    pub(crate) fn all(&self) -> impl Iterator<Item = (u32, &str)> {
        self.names.iter().map(|(index, name)| (*index, name.as_str()))
    }
}

/// The native key of an interface.
#[must_use]
pub(crate) fn interface_key(name: &str) -> String {
    part_key(&network_interface::CLASS, DEVICE, &[name])
}

fn names_of(names: &Table, descriptions: &Table) -> BTreeMap<u32, String> {
    let mut found: BTreeMap<u32, String> = BTreeMap::new();
    for (table, column) in [(names, 1), (descriptions, 2)] {
        for (index, row) in table.rows().take(INTERFACES_MAX) {
            let (&[index], Some(value)) = (index.as_slice(), row.0.get(&column)) else { continue };
            if let Some(name) = Value::text(value) {
                found.entry(index).or_insert(name);
            }
        }
    }
    for index in descriptions.rows().filter_map(|(index, _)| index.first()) {
        found.entry(*index).or_insert_with(|| index.to_string());
    }
    // A name that several carry is none of one: their numbers tell them apart.
    let mut seen = BTreeSet::new();
    let mut shared = BTreeSet::new();
    for name in found.values() {
        if !seen.insert(name.clone()) {
            shared.insert(name.clone());
        }
    }
    for (index, name) in &mut found {
        if shared.contains(name) {
            *name = format!("{name} #{index}");
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::Row;

    fn table(column: u32, rows: &[(u32, &str)]) -> Table {
        let row = |(index, text): &(u32, &str)| {
            let value = Value::Octets(text.as_bytes().into());
            (vec![*index], Row([(column, value)].into()))
        };
        Table(rows.iter().map(row).collect())
    }

    #[test]
    fn every_interface_has_a_name_of_its_own() {
        let names = table(1, &[(1, "Gi0/1"), (3, ""), (4, "Port"), (5, "Port")]);
        let descriptions =
            table(2, &[(1, "GigabitEthernet0/1"), (2, "Vlan1"), (3, "\x1b"), (5, "P")]);
        let found: Vec<(u32, String)> = names_of(&names, &descriptions).into_iter().collect();
        let expected = [(1, "Gi0/1"), (2, "Vlan1"), (3, "3"), (4, "Port #4"), (5, "Port #5")];
        assert_eq!(found, expected.map(|(index, name)| (index, name.to_owned())));
    }
}
