//! Routes as observations: which of the kernel's routes are described, and in which words.

use super::netlink::{Hop, Route};
use super::network::interface_key;
use crate::HOST;
use collector::Run;
use model::classes::route;
use model::{Observation, RelationTarget, relationships};
use std::collections::{BTreeMap, btree_map::Entry};

/// The most routes that are described. A router with the Internet's million is described by another collector.
const ROUTES_MAX: usize = 10_000;

const TABLE_LOCAL: u32 = 255;

/// Whether a route says something of how packets leave: the kernel's own bookkeeping does not.
pub(super) fn is_described(route: &Route) -> bool {
    const LOCAL_BROADCAST_ANYCAST_MULTICAST: std::ops::RangeInclusive<u8> = 2..=5;
    route.table != TABLE_LOCAL
        && !route.is_cached
        && !LOCAL_BROADCAST_ANYCAST_MULTICAST.contains(&route.kind)
}

/// Reports each next hop of each route; whether there were more than are described.
pub(super) fn report(routes: &[Route], names: &BTreeMap<u32, &str>, run: &mut Run<'_>) -> bool {
    let mut found: BTreeMap<String, (u64, Observation)> = BTreeMap::new();
    let mut is_cut = false;
    for route in routes {
        for hop in &route.hops {
            if found.len() >= ROUTES_MAX {
                is_cut = true;
                break;
            }
            let metric = u64::from(route.metric.unwrap_or(0));
            let seen = observation(route, *hop, names);
            // The same way twice with different metrics is one route: the lower one is used.
            match found.entry(seen.native_key.clone()) {
                Entry::Vacant(place) => {
                    place.insert((metric, seen));
                }
                Entry::Occupied(mut place) if place.get().0 > metric => {
                    place.insert((metric, seen));
                }
                Entry::Occupied(_) => {}
            }
        }
    }
    for (_, seen) in found.into_values() {
        run.saw(seen);
    }
    is_cut
}

fn observation(found: &Route, hop: Hop, names: &BTreeMap<u32, &str>) -> Observation {
    let table = table_name(found.table);
    let gateway = hop.gateway.map(|gateway| gateway.to_string()).unwrap_or_default();
    let destination = match found.destination {
        Some((address, prefix)) => format!("{address}/{prefix}"),
        // Without a gateway nothing else would tell it from IPv4's.
        None if found.is_ipv6 && gateway.is_empty() => "::/0".to_owned(),
        None => "default".to_owned(),
    };
    let interface = hop.interface.and_then(|index| names.get(&index)).copied().unwrap_or_default();
    let parts = [table.as_str(), &destination, &gateway, interface];
    let mut seen = Observation::part(&route::CLASS, HOST, &parts)
        .with_some(&route::METRIC, found.metric)
        .with(&route::PROTOCOL, protocol_name(found.protocol))
        .with_some(&route::ROUTE_TYPE, type_name(found.kind))
        .with_some(&route::SOURCE_ADDRESS, found.source.map(|source| source.to_string()));
    if !interface.is_empty() {
        seen.relate(relationships::ROUTES_VIA, RelationTarget::Native(interface_key(interface)));
    }
    seen
}

fn table_name(number: u32) -> String {
    match number {
        253 => "default".to_owned(),
        254 => "main".to_owned(),
        255 => "local".to_owned(),
        other => other.to_string(),
    }
}

/// The names of iproute2's `rt_protos`.
fn protocol_name(number: u8) -> String {
    match number {
        0 => "unspec",
        1 => "redirect",
        2 => "kernel",
        3 => "boot",
        4 => "static",
        8 => "gated",
        9 => "ra",
        10 => "mrt",
        11 => "zebra",
        12 => "bird",
        13 => "dnrouted",
        14 => "xorp",
        15 => "ntk",
        16 => "dhcp",
        17 => "mrouted",
        18 => "keepalived",
        42 => "babel",
        186 => "bgp",
        187 => "isis",
        188 => "ospf",
        189 => "rip",
        192 => "eigrp",
        other => return other.to_string(),
    }
    .to_owned()
}

fn type_name(number: u8) -> Option<&'static str> {
    Some(match number {
        1 => "unicast",
        6 => "blackhole",
        7 => "unreachable",
        8 => "prohibit",
        9 => "throw",
        10 => "nat",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn default_route(metric: u32) -> Route {
        Route {
            is_ipv6: false,
            table: 254,
            protocol: 4,
            kind: 1,
            is_cached: false,
            destination: None,
            metric: Some(metric),
            source: None,
            hops: vec![Hop { gateway: "192.0.2.1".parse().ok(), interface: Some(2) }],
        }
    }

    #[test]
    fn the_same_way_with_two_metrics_is_one_route_with_the_lower() {
        let mut observations = Vec::new();
        let names = BTreeMap::from([(2, "eth0")]);
        let routes = [default_route(200), default_route(100), default_route(300)];
        assert!(!report(&routes, &names, &mut Run::new(&mut observations)));
        assert_eq!(observations.len(), 1);
        assert_eq!(observations[0].facts["metric"].as_integer(), Some(100));
        assert_eq!(observations[0].native_key, "host/route/main/default/192.0.2.1/eth0");
    }

    #[test]
    fn more_routes_than_the_limit_are_said_to_be_cut() {
        let routes: Vec<Route> = (0..=u32::try_from(ROUTES_MAX).unwrap())
            .map(|number| Route {
                destination: Some((std::net::Ipv4Addr::from(number << 8).into(), 24)),
                ..default_route(1)
            })
            .collect();
        let mut observations = Vec::new();
        assert!(report(&routes, &BTreeMap::new(), &mut Run::new(&mut observations)));
        assert_eq!(observations.len(), ROUTES_MAX);
    }

    #[test]
    fn the_kernels_bookkeeping_is_left_out() {
        assert!(is_described(&default_route(1)));
        assert!(!is_described(&Route { table: TABLE_LOCAL, ..default_route(1) }));
        assert!(!is_described(&Route { kind: 3, ..default_route(1) }));
    }
}
