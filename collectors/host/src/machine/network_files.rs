//! The network as the files of /sys/class/net and /proc/net show it: for trees of other hosts, and where
//! rtnetlink is not allowed.
//!
//! The files lack IPv4 addresses beyond those that the routing tree implies, kinds of virtual interfaces, and all
//! tables but the main one; what they lack is left out.

use super::netlink::{Hop, InterfaceAddress, Link, Route, Traffic};
use super::network::{INTERFACES_MAX, Network};
use crate::files::{list_dir, read_number, read_to_string_limited, read_trimmed};
use collector::Target;
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::Path;

/// The longest table of /proc/net that is read; 10,000 routes make 1.3 MB.
const TABLE_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Reads the files.
pub(super) fn read(target: &Target) -> Network {
    let directory = target.path("/sys/class/net");
    let mut network = Network::default();
    for name in list_dir(&directory).unwrap_or_default().into_iter().take(INTERFACES_MAX) {
        network.links.extend(link(target, &target.below(&directory, &name), name));
    }
    let indexes: BTreeMap<&str, u32> =
        network.links.iter().map(|link| (link.name.as_str(), link.index)).collect();
    let table = |path: &str| {
        read_to_string_limited(&target.path(path), TABLE_BYTES_MAX).unwrap_or_default()
    };
    network.addresses = addresses_v6(&table("/proc/net/if_inet6"));
    network.routes = routes_v4(&table("/proc/net/route"), &indexes);
    network.routes.extend(routes_v6(&table("/proc/net/ipv6_route"), &indexes));
    network
}

fn link(target: &Target, sys: &Path, name: String) -> Option<Link> {
    let place = |file: &str| target.below(sys, file);
    let number = |file: &str| read_number(&place(file));
    let statistic = |file: &str| number(&format!("statistics/{file}")).unwrap_or(0);
    let uevent = read_trimmed(&place("uevent")).unwrap_or_default();
    let kind = uevent
        .lines()
        .find_map(|line| line.strip_prefix("DEVTYPE="))
        .filter(|kind| *kind != "wlan")
        .map(str::to_owned)
        .or_else(|| place("bridge").exists().then(|| "bridge".to_owned()))
        .or_else(|| place("bonding").exists().then(|| "bond".to_owned()))
        .or_else(|| place("tun_flags").exists().then(|| "tun".to_owned()));
    let index = u32::try_from(number("ifindex")?).ok()?;
    let lower = number("iflink").and_then(|lower| u32::try_from(lower).ok());
    let flags = read_trimmed(&place("flags"))
        .and_then(|text| u32::from_str_radix(text.trim_start_matches("0x"), 16).ok());
    Some(Link {
        index,
        hardware_type: number("type").and_then(|kind| u16::try_from(kind).ok()).unwrap_or(0),
        flags: flags.unwrap_or(0),
        mac: read_trimmed(&place("address")).filter(|mac| mac != "00:00:00:00:00:00"),
        permanent_mac: None,
        mtu: number("mtu").and_then(|mtu| u32::try_from(mtu).ok()),
        lower: lower.filter(|lower| *lower != index && *lower != 0),
        master: read_number(&place("master/ifindex")).and_then(|index| u32::try_from(index).ok()),
        state: read_trimmed(&place("operstate")).map(|state| state_number(&state)),
        alias: read_trimmed(&place("ifalias")),
        kind,
        traffic: Some(Traffic {
            received_packets: statistic("rx_packets"),
            sent_packets: statistic("tx_packets"),
            received_bytes: statistic("rx_bytes"),
            sent_bytes: statistic("tx_bytes"),
            received_errors: statistic("rx_errors"),
            sent_errors: statistic("tx_errors"),
            received_dropped: statistic("rx_dropped"),
        }),
        name,
        ..Link::default()
    })
}

fn state_number(state: &str) -> u8 {
    match state {
        "notpresent" => 1,
        "down" => 2,
        "lowerlayerdown" => 3,
        "testing" => 4,
        "dormant" => 5,
        "up" => 6,
        _ => 0,
    }
}

/// The lines of /proc/net/if_inet6: address, index, prefix length, scope, flags, name.
fn addresses_v6(text: &str) -> Vec<InterfaceAddress> {
    text.lines()
        .filter_map(|line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            Some(InterfaceAddress {
                address: hexadecimal_v6(words.first()?)?.into(),
                index: u32::from_str_radix(words.get(1)?, 16).ok()?,
                prefix: u8::from_str_radix(words.get(2)?, 16).ok()?,
            })
        })
        .collect()
}

fn hexadecimal_v6(text: &str) -> Option<Ipv6Addr> {
    let is_whole = text.len() == 32 && text.bytes().all(|letter| letter.is_ascii_hexdigit());
    if !is_whole {
        return None;
    }
    u128::from_str_radix(text, 16).ok().map(Ipv6Addr::from)
}

/// An address as /proc/net/route writes it: a number in the machine's byte order.
fn hexadecimal_v4(text: &str) -> Option<Ipv4Addr> {
    let number = u32::from_str_radix(text, 16).ok()?;
    Some(Ipv4Addr::from(number.to_ne_bytes()))
}

const TABLE_MAIN: u32 = 254;
const FLAG_UP: u32 = 1;
const FLAG_REJECT: u32 = 0x200;
const UNICAST: u8 = 1;
const UNREACHABLE: u8 = 7;

/// The lines of /proc/net/route.
fn routes_v4(text: &str, indexes: &BTreeMap<&str, u32>) -> Vec<Route> {
    text.lines()
        .skip(1)
        .filter_map(|line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            let [name, destination, gateway, flags, _, _, metric, mask, ..] = words.as_slice()
            else {
                return None;
            };
            let flags = u32::from_str_radix(flags, 16).ok()?;
            if flags & FLAG_UP == 0 {
                return None;
            }
            let prefix = u32::from(hexadecimal_v4(mask)?).leading_ones();
            let destination = IpAddr::from(hexadecimal_v4(destination)?);
            let gateway = IpAddr::from(hexadecimal_v4(gateway)?);
            Some(Route {
                is_ipv6: false,
                table: TABLE_MAIN,
                protocol: 0,
                kind: if flags & FLAG_REJECT == 0 { UNICAST } else { UNREACHABLE },
                is_cached: false,
                destination: u8::try_from(prefix)
                    .ok()
                    .filter(|prefix| *prefix > 0)
                    .map(|prefix| (destination, prefix)),
                metric: metric.parse().ok().filter(|metric| *metric > 0),
                source: None,
                hops: vec![Hop {
                    gateway: Some(gateway).filter(|gateway| !gateway.is_unspecified()),
                    interface: indexes.get(name).copied(),
                }],
            })
        })
        .collect()
}

/// The lines of /proc/net/ipv6_route; those of the local table point at `lo` or are for one's own address.
fn routes_v6(text: &str, indexes: &BTreeMap<&str, u32>) -> Vec<Route> {
    const FLAG_LOCAL: u32 = 0x8000_0000;
    const FLAG_ANYCAST: u32 = 0x0010_0000;
    const FLAG_CACHE: u32 = 0x0100_0000;
    text.lines()
        .filter_map(|line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            let [destination, prefix, _, _, gateway, metric, _, _, flags, name] = words.as_slice()
            else {
                return None;
            };
            let flags = u32::from_str_radix(flags, 16).ok()?;
            let destination = hexadecimal_v6(destination)?;
            let is_own = flags & (FLAG_LOCAL | FLAG_ANYCAST | FLAG_CACHE) != 0;
            if flags & FLAG_UP == 0 || is_own || destination.is_multicast() || *name == "lo" {
                return None;
            }
            let prefix = u8::from_str_radix(prefix, 16).ok()?;
            let gateway = hexadecimal_v6(gateway)?;
            Some(Route {
                is_ipv6: true,
                table: TABLE_MAIN,
                protocol: 0,
                kind: if flags & FLAG_REJECT == 0 { UNICAST } else { UNREACHABLE },
                is_cached: false,
                destination: (prefix > 0).then(|| (destination.into(), prefix)),
                metric: u32::from_str_radix(metric, 16).ok(),
                source: None,
                hops: vec![Hop {
                    gateway: Some(IpAddr::from(gateway))
                        .filter(|gateway| !gateway.is_unspecified()),
                    interface: indexes.get(name).copied(),
                }],
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_route_that_is_not_up_or_not_whole_is_left_out() {
        let text = "Iface Destination Gateway Flags RefCnt Use Metric Mask MTU Window IRTT\n\
                    eth0 00000000 010200C0 0003 0 0 100 00000000 0 0 0\n\
                    eth0 000200C0 00000000 0001 0 0 0 00FFFFFF 0 0 0\n\
                    eth0 000200C0 00000000 0000 0 0 0 00FFFFFF 0 0 0\n\
                    eth0 zz\n";
        let found = routes_v4(text, &BTreeMap::from([("eth0", 2)]));
        let expected: IpAddr = "192.0.2.1".parse().unwrap();
        assert_eq!(found.len(), 2);
        assert_eq!(found[0].hops[0].gateway, Some(expected));
        assert_eq!(found[1].destination, Some(("192.0.2.0".parse().unwrap(), 24)));
    }

    #[test]
    fn the_default_route_of_ipv6_is_found_among_the_kernels_own() {
        let zero = "0".repeat(32);
        let text = format!(
            "{zero} 00 {zero} 00 20010db8000000000000000000000001 00000400 00000001 00000000 00000003 eth0\n\
             {zero} 00 {zero} 00 {zero} ffffffff 00000001 00000000 00200200 lo\n"
        );
        let found = routes_v6(&text, &BTreeMap::from([("eth0", 2)]));
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].metric, Some(1024));
    }

    proptest! {
        #[test]
        fn any_text_gives_an_answer(text in "([0-9a-f]{2,32}|eth0|\\PC{0,5})( ([0-9a-f]{1,32}|lo)){0,12}\n?") {
            addresses_v6(&text);
            routes_v4(&format!("head\n{text}"), &BTreeMap::new());
            routes_v6(&text, &BTreeMap::new());
        }
    }
}
