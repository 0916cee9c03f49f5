//! The scope `network`: interfaces with their addresses and how they lie on one another, and routes.
//!
//! On the running host the kernel is asked through rtnetlink; where that is not allowed, and for the trees of
//! other hosts, the files of /sys/class/net and /proc/net say the most important of it.

use super::netlink::{self, InterfaceAddress, Link, Route};
use super::system::{Question, netlink_dump};
use super::{network_files, routes};
use crate::HOST;
use crate::files::{link_name, list_dir, read_number, read_trimmed};
use collector::{CollectError, Run, Target};
use model::classes::network_interface;
use model::observation::part_key;
use model::run::CoverageReason;
use model::{Coverage, Observation, RelationTarget, relationships};
use std::collections::BTreeMap;
use std::io;

const CLASS_NET: &str = "/sys/class/net";
/// The most interfaces that are described; a host with 10,000 containers has as many.
pub(super) const INTERFACES_MAX: usize = 20_000;

/// What the kernel says of the network.
#[derive(Debug, Default)]
pub(super) struct Network {
    pub(super) links: Vec<Link>,
    pub(super) addresses: Vec<InterfaceAddress>,
    pub(super) routes: Vec<Route>,
}

/// Looks at the scope.
#[expect(clippy::unnecessary_wraps, reason = "every scope has this form")]
pub(super) fn collect(target: &Target, run: &mut Run<'_>) -> Result<Coverage, CollectError> {
    let asked = if target.is_live() { Some(ask()) } else { None };
    let network = match asked {
        Some(Ok(network)) => network,
        Some(Err(error)) => {
            run.failed("rtnetlink", error);
            network_files::read(target)
        }
        None => network_files::read(target),
    };
    let names: BTreeMap<u32, &str> =
        network.links.iter().map(|link| (link.index, link.name.as_str())).collect();
    let mut addresses: BTreeMap<u32, Vec<String>> = BTreeMap::new();
    for found in &network.addresses {
        let text = format!("{}/{}", found.address, found.prefix);
        addresses.entry(found.index).or_default().push(text);
    }
    for link in network.links.iter().take(INTERFACES_MAX) {
        let addresses = addresses.remove(&link.index).unwrap_or_default();
        run.saw(interface(target, link, addresses, &names));
    }
    let is_cut =
        routes::report(&network.routes, &names, run) || network.links.len() > INTERFACES_MAX;
    Ok(if is_cut {
        Coverage::partial(
            CoverageReason::LimitReached,
            "there are more interfaces or routes than are described",
        )
    } else {
        Coverage::complete()
    })
}

/// Asks the kernel.
fn ask() -> io::Result<Network> {
    let mut network = Network::default();
    let dump = |kind: u16, body: &[u8], each: &mut dyn FnMut(&[u8])| {
        let question = Question { protocol: libc::NETLINK_ROUTE, kind, body };
        netlink_dump(question, &mut |_, body| each(body))
    };
    // The bodies are an ifinfomsg, an ifaddrmsg and two rtmsg, for all families.
    dump(libc::RTM_GETLINK, &[0; 16], &mut |body| network.links.extend(netlink::link(body)))?;
    dump(libc::RTM_GETADDR, &[0; 8], &mut |body| {
        network.addresses.extend(netlink::interface_address(body));
    })?;
    for family in [libc::AF_INET, libc::AF_INET6] {
        let mut body = [0_u8; 12];
        if let (Some(first), Ok(family)) = (body.first_mut(), u8::try_from(family)) {
            *first = family;
        }
        let answer = dump(libc::RTM_GETROUTE, &body, &mut |body| {
            if let Some(route) = netlink::route(body).filter(routes::is_described) {
                network.routes.push(route);
            }
        });
        // A kernel without IPv6 refuses the question; there is nothing then.
        if family == libc::AF_INET {
            answer?;
        }
    }
    network.links.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(network)
}

/// The hardware addresses by which the host can be recognized: those burnt into its physical interfaces.
pub(super) fn physical_addresses(target: &Target) -> Vec<String> {
    let directory = target.path(CLASS_NET);
    let names = list_dir(&directory).unwrap_or_default();
    let mut found: Vec<String> = names
        .iter()
        .take(INTERFACES_MAX)
        .map(|name| target.below(&directory, name))
        .filter(|interface| target.below(interface, "device").exists())
        .filter_map(|interface| {
            // A member of a bond shows the bond's address.
            read_trimmed(&target.below(&interface, "bonding_slave/perm_hwaddr"))
                .or_else(|| read_trimmed(&target.below(&interface, "address")))
        })
        .collect();
    found.sort();
    found.dedup();
    found
}

/// The native key of an interface.
pub(super) fn interface_key(name: &str) -> String {
    part_key(&network_interface::CLASS, HOST, &[name])
}

fn interface(
    target: &Target,
    link: &Link,
    addresses: Vec<String>,
    names: &BTreeMap<u32, &str>,
) -> Observation {
    let sys = target.path(&format!("{CLASS_NET}/{}", link.name));
    let has_device = target.below(&sys, "device").exists();
    let kind = interface_type(link, has_device);
    let mut seen = Observation::part(&network_interface::CLASS, HOST, &[&link.name])
        .with(&network_interface::INTERFACE_TYPE, kind)
        .with(&network_interface::ADDRESSES, addresses)
        .with(&network_interface::FLAGS, flags(link.flags))
        .with_some(&network_interface::MAC_ADDRESS, link.mac.clone())
        .with_some(&network_interface::PERMANENT_MAC_ADDRESS, link.permanent_mac.clone())
        .with_some(&network_interface::MTU_BYTES, link.mtu)
        .with_some(&network_interface::STATE, link.state.map(state))
        .with_some(&network_interface::LINK_KIND, link.kind.clone())
        .with_some(&network_interface::ALIAS, link.alias.clone())
        .with_some(&network_interface::VLAN_ID, link.vlan_id)
        .with_some(&network_interface::BOND_MODE, link.bond_mode.and_then(bond_mode))
        .with_some(&network_interface::TUNNEL_LOCAL, link.tunnel_local.map(|a| a.to_string()))
        .with_some(&network_interface::TUNNEL_REMOTE, link.tunnel_remote.map(|a| a.to_string()));
    if has_device {
        device(&mut seen, target, &sys, link);
    }
    let name_of = |index: Option<u32>| index.and_then(|index| names.get(&index)).copied();
    if let Some(active) = name_of(link.bond_active) {
        seen.set(&network_interface::BOND_ACTIVE_MEMBER, active);
    }
    // The peer of a pair across namespaces is no lower interface.
    if let Some(lower) = name_of(link.lower).filter(|_| link.kind.as_deref() != Some("veth")) {
        seen.relate(relationships::STACKED_ON, RelationTarget::Native(interface_key(lower)));
    }
    if let Some(master) = name_of(link.master) {
        seen.relate(relationships::MEMBER_OF, RelationTarget::Native(interface_key(master)));
    }
    if let Some(traffic) = link.traffic {
        for (attribute, number) in [
            (&network_interface::RECEIVED_BYTES, traffic.received_bytes),
            (&network_interface::SENT_BYTES, traffic.sent_bytes),
            (&network_interface::RECEIVED_PACKETS_COUNT, traffic.received_packets),
            (&network_interface::SENT_PACKETS_COUNT, traffic.sent_packets),
            (&network_interface::RECEIVED_ERRORS_COUNT, traffic.received_errors),
            (&network_interface::SENT_ERRORS_COUNT, traffic.sent_errors),
            (&network_interface::RECEIVED_DROPPED_COUNT, traffic.received_dropped),
        ] {
            seen.set(attribute, number);
        }
    }
    seen
}

/// Adds what the device under an interface says.
fn device(seen: &mut Observation, target: &Target, sys: &std::path::Path, link: &Link) {
    // The kernel says -1 where there is no link, and refuses the question where the interface is down.
    if let Some(megabits) = read_number(&target.below(sys, "speed"))
        && megabits > 0
        && megabits < u64::from(u32::MAX)
    {
        seen.set(&network_interface::SPEED_BITS_PER_SECOND, megabits.saturating_mul(1_000_000));
    }
    if let Some(duplex) =
        read_trimmed(&target.below(sys, "duplex")).filter(|duplex| duplex != "unknown")
    {
        seen.set(&network_interface::DUPLEX, duplex);
    }
    let device = || target.link_path(&format!("{CLASS_NET}/{}/device", link.name));
    let driver = || target.link_path(&format!("{CLASS_NET}/{}/device/driver", link.name));
    if let Some(driver) = link_name(&driver()) {
        seen.set(&network_interface::DRIVER, driver);
    }
    if let Some(address) = link.device.clone().or_else(|| link_name(&device())) {
        seen.set(&network_interface::DEVICE_ADDRESS, address);
    }
}

/// What an interface is, in the words of the class.
fn interface_type(link: &Link, has_device: bool) -> &'static str {
    const LOOPBACK: u16 = 772;
    const NO_HARDWARE: u16 = 65_534;
    // Tunnels of older kernels have a hardware type of their own: IPIP, IP6, SIT, IPGRE, IP6GRE.
    const TUNNELS: [u16; 5] = [768, 769, 776, 778, 823];
    match (link.hardware_type, link.kind.as_deref()) {
        (LOOPBACK, _) => "loopback",
        (_, Some("vlan")) => "vlan",
        (_, Some("bond" | "team")) => "bond",
        (_, Some("bridge" | "openvswitch")) => "bridge",
        (
            _,
            Some(
                "gre" | "gretap" | "ip6gre" | "ip6gretap" | "erspan" | "ip6erspan" | "ipip"
                | "ip6tnl" | "sit" | "vti" | "vti6" | "vxlan" | "geneve" | "wireguard" | "xfrm"
                | "gtp" | "amt",
            ),
        ) => "tunnel",
        (kind, _) if TUNNELS.contains(&kind) => "tunnel",
        // A tun interface carries packets, a tap one frames of a virtual machine.
        (NO_HARDWARE, Some("tun")) => "tunnel",
        (_, Some(_)) => "virtual",
        (_, None) if has_device => "physical",
        (_, None) => "virtual",
    }
}

/// The state of operation, in the words of RFC 2863.
fn state(number: u8) -> &'static str {
    match number {
        1 => "notpresent",
        2 => "down",
        3 => "lowerlayerdown",
        4 => "testing",
        5 => "dormant",
        6 => "up",
        _ => "unknown",
    }
}

fn bond_mode(number: u8) -> Option<&'static str> {
    const MODES: [&str; 7] = [
        "balance-rr",
        "active-backup",
        "balance-xor",
        "broadcast",
        "802.3ad",
        "balance-tlb",
        "balance-alb",
    ];
    MODES.get(usize::from(number)).copied()
}

/// The flags that an administrator knows; those of the moment (running, carrier) are the state's.
fn flags(bits: u32) -> Vec<String> {
    const FLAGS: [(u32, &str); 7] = [
        (0x1000, "multicast"),
        (0x80, "noarp"),
        (0x10, "pointopoint"),
        (0x100, "promisc"),
        (0x8, "loopback"),
        (0x2, "broadcast"),
        (0x1, "up"),
    ];
    let mut found: Vec<String> = FLAGS
        .iter()
        .filter(|(bit, _)| bits & bit != 0)
        .map(|(_, name)| (*name).to_owned())
        .collect();
    found.sort_unstable();
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(kind: Option<&str>, hardware_type: u16, has_device: bool) -> &'static str {
        let link = Link { kind: kind.map(str::to_owned), hardware_type, ..Link::default() };
        interface_type(&link, has_device)
    }

    #[test]
    fn an_interface_is_what_its_kind_says_before_what_its_device_says() {
        assert_eq!(of(None, 1, true), "physical");
        assert_eq!(of(None, 1, false), "virtual");
        assert_eq!(of(Some("vlan"), 1, true), "vlan");
        assert_eq!(of(Some("wireguard"), 65_534, false), "tunnel");
        assert_eq!(of(Some("tun"), 1, false), "virtual");
        assert_eq!(of(Some("dummy"), 1, false), "virtual");
        assert_eq!(of(None, 772, false), "loopback");
        assert_eq!(of(None, 776, false), "tunnel");
    }

    #[test]
    fn flags_of_the_moment_are_left_out() {
        assert_eq!(flags(0x11043), ["broadcast", "multicast", "up"]);
    }
}
