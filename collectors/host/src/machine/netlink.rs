//! Parsers of netlink messages: links, addresses and routes as rtnetlink(7) describes them.
//!
//! The bytes come from the kernel, yet they are taken as foreign: every length is checked, every loop ends with
//! the bytes. Numbers are in the machine's own byte order but for addresses.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The size of a message's header.
pub(super) const HEADER_BYTES: usize = 16;

const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
const FLAG_DUMP_DISTURBED: u16 = 0x10;

/// The most next hops of one route.
const HOPS_MAX: usize = 256;

/// What a packet says of the end of its dump.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct End {
    /// Nothing follows.
    pub(super) is_done: bool,
    /// The kernel's tables changed meanwhile: the answer may lack something.
    pub(super) is_disturbed: bool,
}

/// The number at `place`, in the machine's byte order.
fn word(bytes: &[u8], place: usize) -> Option<u16> {
    Some(u16::from_ne_bytes(*bytes.get(place..)?.first_chunk()?))
}

fn double(bytes: &[u8], place: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(*bytes.get(place..)?.first_chunk()?))
}

fn quad(bytes: &[u8], place: usize) -> Option<u64> {
    Some(u64::from_ne_bytes(*bytes.get(place..)?.first_chunk()?))
}

/// The message at the start of `bytes` (type, flags, body) and what follows it.
type Split<'a> = ((u16, u16, &'a [u8]), &'a [u8]);

fn split_message(bytes: &[u8]) -> Option<Split<'_>> {
    let length = usize::try_from(double(bytes, 0)?).ok()?;
    let body = bytes.get(HEADER_BYTES..length)?;
    let rest = bytes.get(length.checked_next_multiple_of(4)?..).unwrap_or_default();
    Some(((word(bytes, 4)?, word(bytes, 6)?, body), rest))
}

/// Calls `each` with type and body of every message that is neither an error nor the end.
pub(super) fn for_each_message<'a>(mut bytes: &'a [u8], mut each: impl FnMut(u16, &'a [u8])) {
    while let Some(((kind, _, body), rest)) = split_message(bytes) {
        if kind > NLMSG_DONE {
            each(kind, body);
        }
        bytes = rest;
    }
}

/// Looks for the end of the dump in a packet.
///
/// # Errors
/// When the kernel refused the question.
pub(super) fn end_of_dump(mut bytes: &[u8]) -> io::Result<End> {
    let mut end = End { is_done: false, is_disturbed: false };
    while let Some(((kind, flags, body), rest)) = split_message(bytes) {
        end.is_disturbed |= flags & FLAG_DUMP_DISTURBED != 0;
        match kind {
            NLMSG_DONE => end.is_done = true,
            NLMSG_ERROR => {
                let number = double(body, 0).map_or(0, u32::cast_signed);
                return Err(io::Error::from_raw_os_error(number.saturating_neg()));
            }
            _ => {}
        }
        bytes = rest;
    }
    Ok(end)
}

/// Calls `each` with type and value of every attribute.
pub(super) fn for_each_attribute<'a>(mut bytes: &'a [u8], mut each: impl FnMut(u16, &'a [u8])) {
    const TYPE_MASK: u16 = 0x3fff; // Above are the bits for nested and for network byte order.
    while let (Some(length), Some(kind)) = (word(bytes, 0), word(bytes, 2)) {
        let length = usize::from(length);
        let Some(value) = bytes.get(4..length) else { return };
        each(kind & TYPE_MASK, value);
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
}

/// A text that ends at the first zero.
pub(super) fn text(bytes: &[u8]) -> String {
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    String::from_utf8_lossy(bytes.get(..end).unwrap_or_default()).into_owned()
}

/// A hardware address; `None` when there is none or it is no MAC address.
pub(super) fn mac(bytes: &[u8]) -> Option<String> {
    let octets: [u8; 6] = bytes.try_into().ok()?;
    if octets == [0; 6] {
        return None;
    }
    Some(octets.map(|octet| format!("{octet:02x}")).join(":"))
}

fn address(bytes: &[u8]) -> Option<IpAddr> {
    match bytes.len() {
        4 => Some(Ipv4Addr::from(*bytes.first_chunk::<4>()?).into()),
        16 => Some(Ipv6Addr::from(*bytes.first_chunk::<16>()?).into()),
        _ => None,
    }
}

/// Traffic of an interface since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Traffic {
    pub(super) received_packets: u64,
    pub(super) sent_packets: u64,
    pub(super) received_bytes: u64,
    pub(super) sent_bytes: u64,
    pub(super) received_errors: u64,
    pub(super) sent_errors: u64,
    pub(super) received_dropped: u64,
}

/// An interface.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Link {
    pub(super) index: u32,
    /// Number of its hardware type (ARPHRD).
    pub(super) hardware_type: u16,
    pub(super) flags: u32,
    pub(super) name: String,
    pub(super) mac: Option<String>,
    pub(super) permanent_mac: Option<String>,
    pub(super) mtu: Option<u32>,
    /// The interface that it lies on, when that is in the same namespace.
    pub(super) lower: Option<u32>,
    /// The bond, bridge or other interface that it is a member of.
    pub(super) master: Option<u32>,
    pub(super) state: Option<u8>,
    pub(super) alias: Option<String>,
    pub(super) kind: Option<String>,
    pub(super) vlan_id: Option<u32>,
    pub(super) bond_mode: Option<u8>,
    pub(super) bond_active: Option<u32>,
    pub(super) tunnel_local: Option<IpAddr>,
    pub(super) tunnel_remote: Option<IpAddr>,
    pub(super) device: Option<String>,
    pub(super) traffic: Option<Traffic>,
}

/// Reads an `RTM_NEWLINK`.
pub(super) fn link(body: &[u8]) -> Option<Link> {
    let mut link = Link {
        hardware_type: word(body, 2)?,
        index: double(body, 4)?,
        flags: double(body, 8)?,
        ..Link::default()
    };
    let mut is_elsewhere = false;
    for_each_attribute(body.get(16..)?, |kind, value| match kind {
        1 => link.mac = mac(value),
        3 => link.name = text(value),
        4 => link.mtu = double(value, 0),
        5 => link.lower = link.lower.or(double(value, 0).filter(|lower| *lower != 0)),
        10 => link.master = double(value, 0).filter(|master| *master != 0),
        16 => link.state = value.first().copied(),
        18 => link_info(value, &mut link),
        20 => link.alias = Some(text(value)).filter(|alias| !alias.is_empty()),
        23 => link.traffic = traffic(value),
        37 => is_elsewhere = true,
        54 => link.permanent_mac = mac(value),
        56 => link.device = Some(text(value)).filter(|device| !device.is_empty()),
        _ => {}
    });
    // The lower interface's number means nothing here when it is in another namespace; nor does one's own.
    if is_elsewhere || link.lower == Some(link.index) {
        link.lower = None;
    }
    (!link.name.is_empty()).then_some(link)
}

fn traffic(value: &[u8]) -> Option<Traffic> {
    let number = |index: usize| quad(value, index * 8);
    Some(Traffic {
        received_packets: number(0)?,
        sent_packets: number(1)?,
        received_bytes: number(2)?,
        sent_bytes: number(3)?,
        received_errors: number(4)?,
        sent_errors: number(5)?,
        received_dropped: number(6)?,
    })
}

fn link_info(value: &[u8], link: &mut Link) {
    let mut data: &[u8] = &[];
    for_each_attribute(value, |kind, value| match kind {
        1 => link.kind = Some(text(value)),
        2 => data = value,
        _ => {}
    });
    let kind = link.kind.clone().unwrap_or_default();
    for_each_attribute(data, |attribute, value| match (kind.as_str(), attribute) {
        ("vlan", 1) => link.vlan_id = word(value, 0).map(u32::from),
        ("vxlan" | "geneve", 1) => link.vlan_id = double(value, 0),
        // Unlike other tunnels, it names the interface below only here.
        ("vxlan", 3) => link.lower = double(value, 0).filter(|lower| *lower != 0),
        ("bond", 1) => link.bond_mode = value.first().copied(),
        ("bond", 2) => link.bond_active = double(value, 0).filter(|index| *index != 0),
        ("vxlan", 4 | 17)
        | ("gre" | "gretap" | "ip6gre" | "ip6gretap" | "erspan", 6)
        | ("ipip" | "sit" | "ip6tnl", 2)
        | ("vti" | "vti6", 4) => {
            link.tunnel_local = link.tunnel_local.or(tunnel_end(value));
        }
        ("vxlan", 2 | 16)
        | ("gre" | "gretap" | "ip6gre" | "ip6gretap" | "erspan", 7)
        | ("ipip" | "sit" | "ip6tnl", 3)
        | ("vti" | "vti6", 5)
        | ("geneve", 2 | 7) => {
            link.tunnel_remote = link.tunnel_remote.or(tunnel_end(value));
        }
        _ => {}
    });
}

/// An end of a tunnel; all zeros mean that any will do.
fn tunnel_end(value: &[u8]) -> Option<IpAddr> {
    address(value).filter(|address| !address.is_unspecified())
}

/// An address of an interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct InterfaceAddress {
    /// The interface.
    pub(super) index: u32,
    /// The address.
    pub(super) address: IpAddr,
    /// The length of the network's prefix.
    pub(super) prefix: u8,
}

/// Reads an `RTM_NEWADDR`.
pub(super) fn interface_address(body: &[u8]) -> Option<InterfaceAddress> {
    let prefix = *body.get(1)?;
    let index = double(body, 4)?;
    let (mut any, mut local) = (None, None);
    for_each_attribute(body.get(8..)?, |kind, value| match kind {
        1 => any = address(value),
        // With a peer, the other attribute is the peer's address.
        2 => local = address(value),
        _ => {}
    });
    Some(InterfaceAddress { index, address: local.or(any)?, prefix })
}

/// A next hop.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Hop {
    pub(super) gateway: Option<IpAddr>,
    pub(super) interface: Option<u32>,
}

/// A route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Route {
    pub(super) is_ipv6: bool,
    pub(super) table: u32,
    pub(super) protocol: u8,
    pub(super) kind: u8,
    pub(super) is_cached: bool,
    /// `None` for the default route.
    pub(super) destination: Option<(IpAddr, u8)>,
    pub(super) metric: Option<u32>,
    pub(super) source: Option<IpAddr>,
    pub(super) hops: Vec<Hop>,
}

/// Reads an `RTM_NEWROUTE`.
pub(super) fn route(body: &[u8]) -> Option<Route> {
    const CACHED: u32 = 0x200; // RTM_F_CLONED
    let header = body.first_chunk::<12>()?;
    let [family, prefix, _, _, table, protocol, _, kind, ..] = *header;
    let mut route = Route {
        is_ipv6: i32::from(family) == libc::AF_INET6,
        table: u32::from(table),
        protocol,
        kind,
        is_cached: double(body, 8)? & CACHED != 0,
        destination: None,
        metric: None,
        source: None,
        hops: Vec::new(),
    };
    if !route.is_ipv6 && i32::from(family) != libc::AF_INET {
        return None;
    }
    let (mut hop, mut destination) = (Hop::default(), None);
    for_each_attribute(body.get(12..)?, |kind, value| match kind {
        1 => destination = address(value),
        4 => hop.interface = double(value, 0),
        5 => hop.gateway = address(value),
        6 => route.metric = double(value, 0),
        7 => route.source = address(value),
        9 => route.hops = hops(value),
        15 => route.table = double(value, 0).unwrap_or(route.table),
        18 => hop.gateway = via(value),
        _ => {}
    });
    if route.hops.is_empty() {
        route.hops.push(hop);
    }
    if prefix > 0 {
        route.destination = Some((destination?, prefix));
    }
    Some(route)
}

/// The next hops of a route that has several.
fn hops(mut bytes: &[u8]) -> Vec<Hop> {
    let mut hops = Vec::new();
    while hops.len() < HOPS_MAX {
        let (Some(length), Some(interface)) = (word(bytes, 0), double(bytes, 4)) else { break };
        let length = usize::from(length);
        let Some(attributes) = bytes.get(8..length) else { break };
        let mut hop = Hop { gateway: None, interface: Some(interface) };
        for_each_attribute(attributes, |kind, value| match kind {
            5 => hop.gateway = address(value),
            18 => hop.gateway = via(value),
            _ => {}
        });
        hops.push(hop);
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    hops
}

/// A gateway of the other address family.
fn via(value: &[u8]) -> Option<IpAddr> {
    address(value.get(2..)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
        let length = u16::try_from(value.len() + 4).unwrap();
        let mut bytes = length.to_ne_bytes().to_vec();
        bytes.extend(kind.to_ne_bytes());
        bytes.extend(value);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes
    }

    fn link_body(attributes: &[Vec<u8>]) -> Vec<u8> {
        let mut body = vec![0, 0, 1, 0];
        body.extend(7_u32.to_ne_bytes());
        body.extend(0x1043_u32.to_ne_bytes());
        body.extend([0; 4]);
        body.extend(attributes.concat());
        body
    }

    #[test]
    fn an_attribute_that_is_longer_than_the_message_ends_it() {
        let mut body = link_body(&[attribute(3, b"eth0\0")]);
        body.extend([200, 0, 1, 0, 1]);
        assert_eq!(link(&body).unwrap().name, "eth0");
        assert_eq!(link(&body[..15]), None);
    }

    #[test]
    fn a_vlan_on_an_interface_of_another_namespace_has_no_lower_one() {
        let data = [attribute(1, b"vlan\0"), attribute(2, &attribute(1, &42_u16.to_ne_bytes()))];
        let parts = [
            attribute(3, b"eth0.42\0"),
            attribute(5, &2_u32.to_ne_bytes()),
            attribute(18, &data.concat()),
        ];
        let own = link(&link_body(&parts)).unwrap();
        assert_eq!((own.vlan_id, own.lower), (Some(42), Some(2)));
        let mut parts = parts.to_vec();
        parts.push(attribute(37, &1_u32.to_ne_bytes()));
        assert_eq!(link(&link_body(&parts)).unwrap().lower, None);
    }

    #[test]
    fn a_bond_tells_its_mode_and_its_active_member() {
        let data = [attribute(1, &[1]), attribute(2, &3_u32.to_ne_bytes())].concat();
        let info = [attribute(1, b"bond\0"), attribute(2, &data)].concat();
        let bond = link(&link_body(&[attribute(3, b"bond0\0"), attribute(18, &info)])).unwrap();
        assert_eq!((bond.bond_mode, bond.bond_active), (Some(1), Some(3)));
    }

    #[test]
    fn of_a_link_with_a_peer_the_local_address_counts() {
        let mut body = vec![2, 32, 0, 0];
        body.extend(7_u32.to_ne_bytes());
        body.extend(attribute(1, &[192, 0, 2, 1]));
        body.extend(attribute(2, &[192, 0, 2, 2]));
        let found = interface_address(&body).unwrap();
        assert_eq!(found.address.to_string(), "192.0.2.2");
    }

    #[test]
    fn a_route_with_several_next_hops_has_them_all() {
        let hop = |index: u32, gateway: [u8; 4]| {
            let mut bytes = 16_u16.to_ne_bytes().to_vec();
            bytes.extend([0, 0]);
            bytes.extend(index.to_ne_bytes());
            bytes.extend(attribute(5, &gateway));
            bytes
        };
        let mut body = vec![2, 0, 0, 0, 254, 4, 0, 1, 0, 0, 0, 0];
        body.extend(attribute(9, &[hop(2, [192, 0, 2, 1]), hop(3, [198, 51, 100, 1])].concat()));
        let found = route(&body).unwrap();
        assert_eq!(found.destination, None);
        assert_eq!(found.hops.len(), 2);
        assert_eq!(found.hops[1].interface, Some(3));
    }

    #[test]
    fn a_refused_question_is_an_error() {
        let mut packet = 36_u32.to_ne_bytes().to_vec();
        packet.extend(2_u16.to_ne_bytes());
        packet.extend([0; 10]);
        packet.extend((-1_i32).to_ne_bytes());
        packet.extend([0; 16]);
        assert_eq!(end_of_dump(&packet).unwrap_err().kind(), io::ErrorKind::PermissionDenied);
    }

    proptest! {
        #[test]
        fn any_bytes_give_an_answer(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            for_each_message(&bytes, |_, body| { link(body); });
            end_of_dump(&bytes).ok();
            link(&bytes);
            interface_address(&bytes);
            route(&bytes);
            hops(&bytes);
        }

        #[test]
        fn any_attributes_of_a_link_give_an_answer(
            parts in proptest::collection::vec((0_u16..60, proptest::collection::vec(any::<u8>(), 0..40)), 0..6),
        ) {
            let parts: Vec<_> = parts.iter().map(|(kind, value)| attribute(*kind, value)).collect();
            link(&link_body(&parts));
        }
    }
}
