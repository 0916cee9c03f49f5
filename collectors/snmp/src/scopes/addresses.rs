//! The scope `addresses`: which hardware address has which IP address, by `ipNetToPhysicalTable` (IP-MIB, RFC 4293;
//! ARP and neighbor discovery) and `ipNetToMediaTable` (RFC 1213).

use super::DEVICE;
use super::interfaces::{four, inet_address};
use crate::ports::{Ports, interface_key};
use crate::table::Table;
use crate::value::mac_of;
use crate::view::{TableOf, View};
use collector::Run;
use model::classes::address_binding;
use model::run::CoverageReason;
use model::{Coverage, Observation, RelationTarget, relationships};
use std::collections::BTreeMap;
use std::net::IpAddr;

/// The most addresses that are described; a router of a campus has some tens of thousands.
pub(crate) const ADDRESSES_MAX: usize = 100_000;

const BINDINGS: TableOf = TableOf {
    name: "ipNetToPhysicalTable",
    entry: &[1, 3, 6, 1, 2, 1, 4, 35, 1],
    columns: &[4, 6],
};
const BINDINGS_OLD: TableOf =
    TableOf { name: "ipNetToMediaTable", entry: &[1, 3, 6, 1, 2, 1, 4, 22, 1], columns: &[2, 4] };

/// The number by which both tables say that a row no longer holds.
const INVALID: u64 = 2;

/// Looks at the scope.
pub(crate) async fn collect(view: &mut View<'_>, run: &mut Run<'_>) -> Coverage {
    let most = ADDRESSES_MAX * 2 + 2;
    let new = view.table_up_to(run, &BINDINGS, most).await;
    let old = view.table_up_to(run, &BINDINGS_OLD, most).await;
    if new.is_empty() && old.is_empty() {
        return view.coverage_of(0, "learned addresses");
    }
    let ports = Ports::read(view, run).await;
    let found = observe(&ports, &new, &old);
    let count = found.len();
    if count > ADDRESSES_MAX {
        let why = format!("there are more than {ADDRESSES_MAX} addresses");
        view.failed(run, BINDINGS.name, CoverageReason::LimitReached, why);
    }
    found.into_iter().take(ADDRESSES_MAX).for_each(|seen| view.saw(run, seen));
    view.coverage_of(count, "learned addresses")
}

fn observe(ports: &Ports, new: &Table, old: &Table) -> Vec<Observation> {
    let mut bindings: BTreeMap<(u32, IpAddr), String> = BTreeMap::new();
    for (index, row) in new.rows() {
        let Some((&interface, rest)) = index.split_first() else { continue };
        let address = inet_address(rest).map(|(address, _)| address);
        if let (Some(address), Some(mac)) = (address, row.octets(4).and_then(mac_of))
            && row.number(6) != Some(INVALID)
        {
            bindings.insert((interface, address), mac);
        }
    }
    for (index, row) in old.rows() {
        let Some((&interface, rest)) = index.split_first() else { continue };
        if let (Some(address), Some(mac)) = (four(rest), row.octets(2).and_then(mac_of))
            && row.number(4) != Some(INVALID)
        {
            bindings.entry((interface, address)).or_insert(mac);
        }
    }
    let seen = bindings.into_iter().map(|((interface, address), mac)| {
        let name = ports.name_or_number(interface);
        let parts = [name.as_str(), &address.to_string()];
        let seen = Observation::part(&address_binding::CLASS, DEVICE, &parts)
            .with(&address_binding::MAC_ADDRESS, mac);
        match ports.name(interface) {
            Some(name) => {
                seen.relates(relationships::SEEN_ON, RelationTarget::Native(interface_key(name)))
            }
            None => seen,
        }
    });
    seen.collect()
}

/// What any tables give.
#[cfg(test)]
pub(super) fn hostile(
    (names, descriptions): (&Table, &Table),
    one: &Table,
    other: &Table,
) -> Vec<Observation> {
    observe(&Ports::of(names, descriptions), one, other)
}
