//! The scope `routes`: `inetCidrRouteTable` and `ipCidrRouteTable` (IP-FORWARD-MIB, RFC 4292), `ipRouteTable` (RFC
//! 1213), the first of them that has any.

use super::DEVICE;
use super::interfaces::{four, inet_address, mask_length};
use crate::ports::{Ports, interface_key};
use crate::table::{Row, Table};
use crate::view::{TableOf, View};
use collector::Run;
use model::classes::route;
use model::{Coverage, Observation, RelationTarget, relationships};
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

/// The most routes that are read: the table of the whole Internet says nothing of an estate.
pub(crate) const ROUTES_MAX: usize = 20_000;

/// Columns: interface, type, protocol, metric.
const ROUTES: TableOf = TableOf {
    name: "inetCidrRouteTable",
    entry: &[1, 3, 6, 1, 2, 1, 4, 24, 7, 1],
    columns: &[7, 8, 9, 12],
};
const ROUTES_OLD: TableOf = TableOf {
    name: "ipCidrRouteTable",
    entry: &[1, 3, 6, 1, 2, 1, 4, 24, 4, 1],
    columns: &[5, 6, 7, 11],
};
/// Columns: interface, metric, next hop, type, protocol, mask.
const ROUTES_OLDEST: TableOf = TableOf {
    name: "ipRouteTable",
    entry: &[1, 3, 6, 1, 2, 1, 4, 21, 1],
    columns: &[2, 3, 7, 8, 9, 11],
};

/// A route of any of the tables.
#[derive(Debug)]
struct Route {
    destination: IpAddr,
    prefix: u32,
    gateway: Option<IpAddr>,
    interface: Option<u64>,
    kind: Option<u64>,
    protocol: Option<u64>,
    metric: Option<i64>,
}

/// Looks at the scope.
pub(crate) async fn collect(view: &mut View<'_>, run: &mut Run<'_>) -> Coverage {
    let mut routes: Vec<Route> = Vec::new();
    for (of, read) in [
        (&ROUTES, modern as fn(&[u32], &Row) -> Option<Route>),
        (&ROUTES_OLD, old),
        (&ROUTES_OLDEST, oldest),
    ] {
        let table: Table = view.table_up_to(run, of, ROUTES_MAX * of.columns.len()).await;
        routes = table.rows().filter_map(|(index, row)| read(index, row)).collect();
        if !routes.is_empty() {
            break;
        }
    }
    if routes.is_empty() {
        return view.coverage_of(0, "routes");
    }
    let ports = Ports::read(view, run).await;
    let found = observe(&ports, &routes);
    found.into_values().take(ROUTES_MAX).for_each(|seen| view.saw(run, seen));
    view.coverage()
}

/// Destination, prefix length, policy, next hop.
fn modern(index: &[u32], row: &Row) -> Option<Route> {
    let (destination, rest) = inet_address(index)?;
    let (&prefix, rest) = rest.split_first()?;
    let (&length, rest) = rest.split_first()?;
    let rest = rest.get(usize::try_from(length).ok()?..)?;
    // Type zero: there is no next hop.
    let gateway = inet_address(rest).map(|(address, _)| address);
    Some(Route {
        destination,
        prefix,
        gateway,
        interface: row.number(7),
        kind: row.number(8),
        protocol: row.number(9),
        metric: row.signed(12),
    })
}

/// Destination, mask, type of service, next hop.
fn old(index: &[u32], row: &Row) -> Option<Route> {
    let destination = four(index.get(..4)?)?;
    let IpAddr::V4(mask) = four(index.get(4..8)?)? else { return None };
    let gateway = four(index.get(9..13)?);
    Some(Route {
        destination,
        prefix: mask_length(&mask.octets())?,
        gateway,
        interface: row.number(5),
        kind: row.number(6),
        protocol: row.number(7),
        metric: row.signed(11),
    })
}

fn oldest(index: &[u32], row: &Row) -> Option<Route> {
    let gateway = row.octets(7).and_then(|octets| <[u8; 4]>::try_from(octets).ok());
    // RFC 1213 counts types differently: invalid is 2, direct 3, indirect 4.
    let kind = row.number(8).filter(|kind| *kind != 2)?;
    Some(Route {
        destination: four(index)?,
        prefix: mask_length(row.octets(11)?)?,
        gateway: gateway.map(|four| Ipv4Addr::from(four).into()),
        interface: row.number(2),
        kind: Some(kind),
        protocol: row.number(9),
        metric: row.signed(3),
    })
}

fn observe(ports: &Ports, routes: &[Route]) -> BTreeMap<String, Observation> {
    let mut found = BTreeMap::new();
    for one in routes {
        let table = if one.destination.is_ipv4() { "main" } else { "main (IPv6)" };
        let destination = match (one.prefix, one.destination.is_unspecified()) {
            (0, true) => "default".to_owned(),
            _ => format!("{}/{}", one.destination, one.prefix),
        };
        let gateway = one.gateway.filter(|address| !address.is_unspecified());
        let gateway = gateway.map(|address| address.to_string()).unwrap_or_default();
        let index =
            one.interface.and_then(|index| u32::try_from(index).ok()).filter(|index| *index != 0);
        let interface = index.map(|index| ports.name_or_number(index)).unwrap_or_default();
        let parts = [table, &destination, &gateway, &interface];
        let metric = one.metric.and_then(|metric| u64::try_from(metric).ok());
        let mut seen = Observation::part(&route::CLASS, DEVICE, &parts)
            .with_some(&route::METRIC, metric)
            .with_some(&route::PROTOCOL, one.protocol.map(protocol_name))
            .with_some(&route::ROUTE_TYPE, one.kind.map(kind_name));
        if let Some(name) = index.and_then(|index| ports.name(index)) {
            let target = RelationTarget::Native(interface_key(name));
            seen.relate(relationships::ROUTES_VIA, target);
        }
        found.insert(seen.native_key.clone(), seen);
    }
    found
}

/// `IANAipRouteProtocol`.
fn protocol_name(number: u64) -> &'static str {
    match number {
        2 => "local",
        3 => "static",
        4 => "icmp",
        5 => "egp",
        8 => "rip",
        9 => "isis",
        11 => "igrp",
        13 => "ospf",
        14 => "bgp",
        16 => "eigrp",
        _ => "other",
    }
}

/// `inetCidrRouteType`; local and remote both carry packets.
fn kind_name(number: u64) -> &'static str {
    match number {
        2 => "unreachable",
        5 => "blackhole",
        _ => "unicast",
    }
}

/// What any tables give.
#[cfg(test)]
pub(super) fn hostile((names, descriptions): (&Table, &Table), one: &Table) -> Vec<Observation> {
    let ports = Ports::of(names, descriptions);
    let read = |read: fn(&[u32], &Row) -> Option<Route>| -> Vec<Route> {
        one.rows().filter_map(|(index, row)| read(index, row)).collect()
    };
    let found = [read(modern), read(old), read(oldest)].map(|routes| observe(&ports, &routes));
    found.into_iter().flat_map(BTreeMap::into_values).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_index_that_ends_early_is_no_route() {
        let row = Row::default();
        let whole = [1, 4, 192, 0, 2, 0, 24, 2, 0, 0, 1, 4, 198, 51, 100, 1];
        let read = modern(&whole, &row).unwrap();
        assert_eq!((read.prefix, read.gateway.unwrap().to_string().as_str()), (24, "198.51.100.1"));
        for length in 0..9 {
            assert!(modern(&whole[..length], &row).is_none(), "{length}");
        }
        assert!(modern(&[1, 4, 192, 0, 2, 0, 24, u32::MAX], &row).is_none());
        let whole = [192, 0, 2, 0, 255, 255, 255, 0, 0, 198, 51, 100, 1];
        assert_eq!(old(&whole, &row).unwrap().prefix, 24);
        assert!(old(&whole[..7], &row).is_none());
    }
}
