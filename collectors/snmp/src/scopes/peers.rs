//! The scope `peers`: `bgpPeerTable` (BGP4-MIB, RFC 4273) and `ospfNbrTable` (OSPF-MIB, RFC 4750).

use super::DEVICE;
use super::interfaces::four;
use crate::table::{Row, Table};
use crate::view::{TableOf, View};
use collector::Run;
use model::classes::routing_peer;
use model::{Coverage, IdentityKey, KeyType, Observation, Realm, RelationTarget, relationships};
use std::net::IpAddr;

/// Columns: identifier, state, administrative state, local address, autonomous system.
const BGP: TableOf = TableOf {
    name: "bgpPeerTable",
    entry: &[1, 3, 6, 1, 2, 1, 15, 3, 1],
    columns: &[1, 2, 3, 5, 9],
};
/// Columns: router id, state.
const OSPF: TableOf =
    TableOf { name: "ospfNbrTable", entry: &[1, 3, 6, 1, 2, 1, 14, 10, 1], columns: &[3, 6] };

/// Looks at the scope.
pub(crate) async fn collect(view: &mut View<'_>, run: &mut Run<'_>) -> Coverage {
    let bgp = view.table(run, &BGP).await;
    let ospf = view.table(run, &OSPF).await;
    let found = observe(&bgp, &ospf, &view.site());
    let count = found.len();
    found.into_iter().for_each(|seen| view.saw(run, seen));
    view.coverage_of(count, "peers by BGP or OSPF")
}

pub(super) fn observe(bgp: &Table, ospf: &Table, site: &Realm) -> Vec<Observation> {
    let by_bgp = bgp.rows().filter_map(|(index, row)| {
        let address = four(index)?;
        let seen = peer("bgp", address, row.octets(1), site)
            .with_some(&routing_peer::STATE, row.number(2).map(bgp_state))
            .with_some(&routing_peer::IS_ENABLED, row.number(3).map(|state| state == 2))
            .with_some(&routing_peer::LOCAL_ADDRESS, address_of(row, 5))
            .with_some(&routing_peer::REMOTE_AS, row.number(9));
        Some(seen)
    });
    let by_ospf = ospf.rows().filter_map(|(index, row)| {
        let address = four(index.get(..4)?)?;
        let seen = peer("ospf", address, row.octets(3), site)
            .with_some(&routing_peer::STATE, row.number(6).map(ospf_state));
        Some(seen)
    });
    by_bgp.chain(by_ospf).collect()
}

fn address_of(row: &Row, column: u32) -> Option<String> {
    let octets = <[u8; 4]>::try_from(row.octets(column)?).ok()?;
    Some(IpAddr::from(octets)).filter(|address| !address.is_unspecified()).map(|a| a.to_string())
}

fn peer(protocol: &str, address: IpAddr, id: Option<&[u8]>, site: &Realm) -> Observation {
    let text = address.to_string();
    let id = id.and_then(|octets| <[u8; 4]>::try_from(octets).ok()).map(IpAddr::from);
    let id = id.filter(|id| !id.is_unspecified()).map(|id| id.to_string());
    let seen = Observation::part(&routing_peer::CLASS, DEVICE, &[protocol, &text])
        .with_some(&routing_peer::ROUTER_ID, id);
    match IdentityKey::new(KeyType::IpAddress, site.clone(), &text) {
        Some(key) => seen.relates(relationships::ADJACENT_TO, RelationTarget::Key(key)),
        None => seen,
    }
}

fn bgp_state(state: u64) -> &'static str {
    match state {
        1 => "idle",
        2 => "connect",
        3 => "active",
        4 => "opensent",
        5 => "openconfirm",
        6 => "established",
        _ => "unknown",
    }
}

fn ospf_state(state: u64) -> &'static str {
    match state {
        1 => "down",
        2 => "attempt",
        3 => "init",
        4 => "two_way",
        5 => "exchange_start",
        6 => "exchange",
        7 => "loading",
        8 => "full",
        _ => "unknown",
    }
}
