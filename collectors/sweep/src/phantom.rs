//! Hosts that are not there: a firewall, a proxy or a honeypot that answers for addresses or ports that nobody has.
//!
//! Two signs. A host that accepts connections on ports drawn at random accepts on all: its ports say nothing. And a
//! network whose addresses all answer alike, its first and last one too, or all with one hardware address, is one
//! device that answers for all. What differs from the common answer is somebody and is kept.

use crate::found::{Host, Sign};
use environment::{Randomness, RandomnessExt};
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};

/// Ports drawn at random for each sweep: two, because one may be open by chance.
pub(crate) const DRAWN: usize = 2;

/// Where they are drawn from: nobody's registered ports, below those that Linux gives to clients.
const DRAWN_FROM: u16 = 20_100;
const DRAWN_UNDER: u16 = 32_000;

/// From so many hosts on that accept every port, they are one thing and not many.
const ALIKE_MIN: usize = 8;

/// The fewest addresses of a network that can be called alike.
const NETWORK_MIN: usize = 32;

/// The share of a network's addresses that must answer alike: nine of ten.
const SHARE: (usize, usize) = (9, 10);

/// Something that answers for others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Phantom {
    /// Which addresses, for a person.
    pub(crate) what: String,
    /// Why they are not believed, and what would tell more.
    pub(crate) why: String,
}

/// Draws ports that are not among those asked for.
pub(crate) fn drawn_ports(randomness: &dyn Randomness, asked: &[u16]) -> Vec<u16> {
    let asked: BTreeSet<u16> = asked.iter().copied().collect();
    let mut drawn = Vec::new();
    // Some draws fall on ports that are asked for; all of them when all are.
    for _ in 0..DRAWN * 64 {
        let width = u64::from(DRAWN_UNDER - DRAWN_FROM);
        let port = DRAWN_FROM + u16::try_from(randomness.below(width)).unwrap_or_default();
        if drawn.len() < DRAWN && !asked.contains(&port) && !drawn.contains(&port) {
            drawn.push(port);
        }
    }
    drawn
}

/// Takes the hosts out that accept on every port when they are many, and marks them when they are few.
pub(crate) fn fold_accepting(
    hosts: &mut BTreeMap<IpAddr, Host>,
    accepting: &BTreeSet<IpAddr>,
) -> Vec<Phantom> {
    let mut phantoms = Vec::new();
    let mut networks: BTreeMap<String, Vec<IpAddr>> = BTreeMap::new();
    for address in accepting {
        networks.entry(network(*address)).or_default().push(*address);
    }
    for (network, addresses) in networks {
        let is_many = addresses.len() >= ALIKE_MIN;
        for address in &addresses {
            if is_many {
                hosts.remove(address);
            } else if let Some(host) = hosts.get_mut(address) {
                host.listeners.clear();
                host.doubts = Some("It accepts connections on every port.".to_owned());
                phantoms.push(Phantom {
                    what: format!("ports of {address}"),
                    why: "it accepts connections on ports drawn at random, so an open port says nothing; look at it from inside".to_owned(),
                });
            }
        }
        if is_many {
            phantoms.push(Phantom {
                what: network,
                why: format!(
                    "{} addresses accept connections on ports drawn at random: a firewall or proxy answers for them; sweep from behind it",
                    addresses.len()
                ),
            });
        }
    }
    phantoms
}

/// Takes the hosts out that all answer alike although nobody may be there. `is_asked` says which addresses were asked.
pub(crate) fn fold_alike(
    hosts: &mut BTreeMap<IpAddr, Host>,
    is_asked: &dyn Fn(IpAddr) -> bool,
) -> Vec<Phantom> {
    let mut networks: BTreeMap<String, Vec<IpAddr>> = BTreeMap::new();
    for address in hosts.keys().filter(|address| address.is_ipv4()) {
        networks.entry(network(*address)).or_default().push(*address);
    }
    let mut phantoms = Vec::new();
    for (network, addresses) in networks {
        let asked = asked_of(&addresses, is_asked);
        if asked < NETWORK_MIN {
            continue;
        }
        let Some(pattern) = common_pattern(hosts, &addresses) else { continue };
        let alike: Vec<IpAddr> = addresses
            .into_iter()
            .filter(|at| pattern_of(hosts, *at).as_ref() == Some(&pattern))
            .collect();
        let is_common = alike.len() * SHARE.1 >= asked * SHARE.0;
        if !is_common || !(has_edges(&alike) || pattern.mac.is_some()) {
            continue;
        }
        for address in &alike {
            hosts.remove(address);
        }
        phantoms.push(Phantom {
            what: network,
            why: format!(
                "{} of {asked} addresses answer alike ({pattern}), also those that no host has: one device answers for all; sweep from behind it, or name the addresses that are in use",
                alike.len()
            ),
        });
    }
    phantoms
}

/// How an address answers, without what is its own.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Pattern {
    has_echo: bool,
    has_refused: bool,
    open: BTreeSet<u16>,
    /// The hardware address, when it is not the address's own.
    mac: Option<String>,
    keys: BTreeSet<String>,
}

impl std::fmt::Display for Pattern {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        /// Ports that are named; the pattern of a proxy has two or three.
        const NAMED_MAX: usize = 8;
        let mut parts = Vec::new();
        if self.has_echo {
            parts.push("echo".to_owned());
        }
        parts.extend(self.open.iter().take(NAMED_MAX).map(|port| format!("port {port} open")));
        if self.open.is_empty() && self.has_refused {
            parts.push("every port refused".to_owned());
        }
        if let Some(mac) = &self.mac {
            parts.push(format!("hardware address {mac}"));
        }
        f.write_str(&parts.join(", "))
    }
}

fn pattern_of(hosts: &BTreeMap<IpAddr, Host>, address: IpAddr) -> Option<Pattern> {
    let host = hosts.get(&address)?;
    let mut keys: BTreeSet<String> = host.ssh_host_keys.iter().cloned().collect();
    keys.extend(host.said.engine_id.clone());
    keys.extend(host.said.netbios_name.clone());
    keys.extend(host.listeners.values().filter_map(|listener| {
        listener.service.certificate.as_ref().map(|certificate| certificate.key.clone())
    }));
    Some(Pattern {
        has_echo: host.signs.contains(&Sign::Echo),
        has_refused: host.has_refused,
        open: host.open_ports().collect(),
        mac: host.mac_address.clone(),
        keys,
    })
}

fn common_pattern(hosts: &BTreeMap<IpAddr, Host>, addresses: &[IpAddr]) -> Option<Pattern> {
    let mut counts: BTreeMap<Pattern, usize> = BTreeMap::new();
    for pattern in addresses.iter().filter_map(|address| pattern_of(hosts, *address)) {
        *counts.entry(pattern).or_default() += 1;
    }
    counts.into_iter().max_by_key(|(_, count)| *count).map(|(pattern, _)| pattern)
}

/// The network of 24 or 64 bits around an address, for a person.
fn network(address: IpAddr) -> String {
    match address {
        IpAddr::V4(four) => {
            let [one, two, three, _] = four.octets();
            format!("{one}.{two}.{three}.0/24")
        }
        IpAddr::V6(six) => {
            let network = u128::from(six) >> 64 << 64;
            format!("{}/64", std::net::Ipv6Addr::from(network))
        }
    }
}

/// How many addresses of the network of 24 bits around these were asked.
fn asked_of(addresses: &[IpAddr], is_asked: &dyn Fn(IpAddr) -> bool) -> usize {
    let Some(IpAddr::V4(first)) = addresses.first() else { return 0 };
    let [one, two, three, _] = first.octets();
    (0..=u8::MAX).filter(|last| is_asked(Ipv4Addr::new(one, two, three, *last).into())).count()
}

/// Whether the first and the last address of the network are among them, which no host of it has.
fn has_edges(addresses: &[IpAddr]) -> bool {
    let has = |last: u8| {
        addresses.iter().any(|at| matches!(at, IpAddr::V4(four) if four.octets()[3] == last))
    };
    has(0) && has(u8::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::found::Listener;
    use environment::SeededRandomness;
    use std::time::Duration;

    fn host(last: u8, open: &[u16]) -> (IpAddr, Host) {
        let address = IpAddr::from(Ipv4Addr::new(192, 0, 2, last));
        let mut host = Host::at(address);
        host.distance = Some(Duration::from_millis(1));
        host.signs.insert(Sign::Echo);
        for port in open {
            host.listeners.insert(("tcp", *port), Listener::default());
        }
        (address, host)
    }

    #[test]
    fn a_network_that_one_device_answers_for_is_told_once_and_who_differs_is_kept() {
        let mut hosts: BTreeMap<IpAddr, Host> = (0..=255).map(|last| host(last, &[80])).collect();
        let (real, other) = host(7, &[22, 80]);
        hosts.insert(real, other);
        let phantoms = fold_alike(&mut hosts, &|_| true);
        assert_eq!(phantoms.len(), 1);
        assert!(phantoms[0].why.contains("255 of 256"), "{}", phantoms[0].why);
        assert_eq!(hosts.keys().collect::<Vec<_>>(), [&real]);
    }

    #[test]
    fn a_farm_of_equal_servers_is_believed() {
        let mut hosts: BTreeMap<IpAddr, Host> = (1..=254).map(|last| host(last, &[443])).collect();
        assert_eq!(fold_alike(&mut hosts, &|_| true), []);
        assert_eq!(hosts.len(), 254);
    }

    #[test]
    fn equal_servers_with_hardware_addresses_of_their_own_are_believed_at_the_edges_too() {
        let mut hosts: BTreeMap<IpAddr, Host> = (0..=255).map(|last| host(last, &[443])).collect();
        for (place, host) in hosts.values_mut().enumerate() {
            host.mac_address = Some(format!("00:00:5e:00:53:{place:02x}"));
        }
        assert_eq!(fold_alike(&mut hosts, &|_| true), []);
        for host in hosts.values_mut() {
            host.mac_address = Some("00:00:5e:00:53:01".to_owned());
        }
        assert_eq!(fold_alike(&mut hosts, &|_| true).len(), 1);
        assert!(hosts.is_empty());
    }

    #[test]
    fn few_addresses_are_never_called_alike() {
        let mut hosts: BTreeMap<IpAddr, Host> = (0..=255).map(|last| host(last, &[80])).collect();
        let few = |address: IpAddr| matches!(address, IpAddr::V4(four) if four.octets()[3] < 16);
        assert_eq!(fold_alike(&mut hosts, &few), []);
    }

    #[test]
    fn one_host_that_accepts_everything_is_kept_without_its_ports() {
        let (address, one) = host(9, &[22, 80, 443]);
        let mut hosts = BTreeMap::from([(address, one)]);
        let phantoms = fold_accepting(&mut hosts, &BTreeSet::from([address]));
        assert_eq!(phantoms.len(), 1);
        assert_eq!(hosts[&address].open_ports().count(), 0);
        assert!(hosts[&address].doubts.is_some());
    }

    #[test]
    fn many_that_accept_everything_are_told_once() {
        let mut hosts: BTreeMap<IpAddr, Host> = (1..200).map(|last| host(last, &[80])).collect();
        let accepting = hosts.keys().copied().take(150).collect();
        let phantoms = fold_accepting(&mut hosts, &accepting);
        assert_eq!((phantoms.len(), hosts.len()), (1, 49));
    }

    #[test]
    fn drawn_ports_are_others_than_those_asked_for() {
        let randomness = SeededRandomness::new(7);
        assert_eq!(drawn_ports(&randomness, &[22]).len(), DRAWN);
        let all: Vec<u16> = (1..=u16::MAX).collect();
        assert_eq!(drawn_ports(&randomness, &all), [0_u16; 0]);
        let drawn = drawn_ports(&randomness, &(20_100..26_000).collect::<Vec<_>>());
        assert!(drawn.iter().all(|port| *port >= 26_000));
    }
}
