//! The scope `interfaces`: `ifTable` and `ifXTable` (IF-MIB, RFC 2863), addresses by `ipAddressTable` (IP-MIB, RFC
//! 4293) and `ipAddrTable` (RFC 1213), layers by `ifStackTable`, duplex by EtherLike-MIB (RFC 3635).

use super::DEVICE;
use crate::ports::{INTERFACES_MAX, Ports, interface_key};
use crate::table::{Row, Table};
use crate::value::mac_of;
use crate::view::{TableOf, View};
use collector::Run;
use model::classes::network_interface;
use model::run::CoverageReason;
use model::{Coverage, Observation, RelationTarget, relationships};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

/// `ifTable`: type, MTU, speed, address, administrative and operational state.
const BASIC: TableOf = TableOf {
    name: "ifTable",
    entry: &[1, 3, 6, 1, 2, 1, 2, 2, 1],
    columns: &[3, 4, 5, 6, 7, 8, 10, 14, 16, 20],
};
/// `ifXTable`: counters of 64 bits, speed in megabits, connector, alias.
const MORE: TableOf = TableOf {
    name: "ifXTable",
    entry: &[1, 3, 6, 1, 2, 1, 31, 1, 1, 1],
    columns: &[6, 10, 15, 17, 18],
};
/// `ipAddrTable`: interface and mask.
const ADDRESSES_OLD: TableOf =
    TableOf { name: "ipAddrTable", entry: &[1, 3, 6, 1, 2, 1, 4, 20, 1], columns: &[2, 3] };
/// `ipAddressTable`: interface and prefix.
const ADDRESSES: TableOf =
    TableOf { name: "ipAddressTable", entry: &[1, 3, 6, 1, 2, 1, 4, 34, 1], columns: &[3, 5] };
/// `ifStackTable`: which interface lies on which.
const STACK: TableOf =
    TableOf { name: "ifStackTable", entry: &[1, 3, 6, 1, 2, 1, 31, 1, 2, 1], columns: &[3] };
/// `dot3StatsTable`: duplex.
const DUPLEX: TableOf = TableOf {
    name: "dot3StatsDuplexStatus",
    entry: &[1, 3, 6, 1, 2, 1, 10, 7, 2, 1],
    columns: &[19],
};

/// Everything that interfaces are made of.
#[derive(Debug, Default)]
struct Tables {
    ports: Ports,
    basic: Table,
    more: Table,
    addresses_old: Table,
    addresses: Table,
    stack: Table,
    duplex: Table,
}

/// Looks at the scope.
pub(crate) async fn collect(view: &mut View<'_>, run: &mut Run<'_>) -> Coverage {
    let ports = Ports::read(view, run).await;
    run.progress("interfaces", 1, Some(6));
    let basic = view.table(run, &BASIC).await;
    run.progress("interfaces", 2, Some(6));
    let more = view.table(run, &MORE).await;
    run.progress("interfaces", 3, Some(6));
    let addresses_old = view.table(run, &ADDRESSES_OLD).await;
    let addresses = view.table(run, &ADDRESSES).await;
    run.progress("interfaces", 4, Some(6));
    let stack = view.table(run, &STACK).await;
    let duplex = view.table(run, &DUPLEX).await;
    run.progress("interfaces", 5, Some(6));
    let tables = Tables { ports, basic, more, addresses_old, addresses, stack, duplex };
    if tables.ports.all().count() >= INTERFACES_MAX {
        let why = format!("there are more than {INTERFACES_MAX} interfaces");
        view.failed(run, "ifTable", CoverageReason::LimitReached, why);
    }
    for seen in observe(&tables) {
        view.saw(run, seen);
    }
    view.coverage()
}

fn observe(tables: &Tables) -> Vec<Observation> {
    let mut addresses = addresses_of(&tables.addresses_old, &tables.addresses);
    let layers = layers_of(&tables.stack);
    let empty = Row::default();
    let interfaces = tables.ports.all().map(|(index, name)| {
        let basic = tables.basic.row(&[index]).unwrap_or(&empty);
        let more = tables.more.row(&[index]).unwrap_or(&empty);
        let mut seen = interface(name, basic, more);
        let addresses = addresses.remove(&index).unwrap_or_default();
        seen.set(&network_interface::ADDRESSES, addresses.into_iter().collect::<Vec<_>>());
        let duplex = tables.duplex.row(&[index]).and_then(|row| row.number(19));
        if let Some(duplex) = duplex.and_then(duplex_name) {
            seen.set(&network_interface::DUPLEX, duplex);
        }
        let lower: Vec<&str> = layers
            .iter()
            .filter(|(upper, _)| *upper == index)
            .filter_map(|(_, lower)| tables.ports.name(*lower))
            .collect();
        relate(&mut seen, &lower);
        for upper in bundles_of(index, &layers, &tables.basic) {
            if let Some(name) = tables.ports.name(upper) {
                let target = RelationTarget::Native(interface_key(name));
                seen.relate(relationships::MEMBER_OF, target);
            }
        }
        seen
    });
    interfaces.collect()
}

/// An interface on one other lies on it; one on several bundles them, which each of them says.
fn relate(seen: &mut Observation, lower: &[&str]) {
    if let [one] = lower {
        seen.relate(relationships::STACKED_ON, RelationTarget::Native(interface_key(one)));
    }
}

/// The bundles (`ieee8023adLag`, `propMultiplexor`) that an interface is a member of.
fn bundles_of(index: u32, layers: &BTreeSet<(u32, u32)>, basic: &Table) -> Vec<u32> {
    let is_bundle = |upper: u32| {
        basic.row(&[upper]).and_then(|row| row.number(3)).is_some_and(|kind| kind == 161)
    };
    let above = layers.iter().filter(|(_, lower)| *lower == index).map(|(upper, _)| *upper);
    above.filter(|upper| is_bundle(*upper)).collect()
}

fn interface(name: &str, basic: &Row, more: &Row) -> Observation {
    let kind = basic.number(3).unwrap_or(0);
    // The interface of a VLAN on a switch of Cisco is `propVirtual`, called `Vl100` or `Vlan100`.
    let vlan = (kind == 53 || kind == 135 || kind == 136).then(|| vlan_of(name)).flatten();
    let speed = match (more.number(15), basic.number(5)) {
        (Some(megabits), _) if megabits > 0 => Some(megabits.saturating_mul(1_000_000)),
        // The largest number says only that it is faster than it can count.
        (_, Some(bits)) if bits > 0 && bits < u64::from(u32::MAX) => Some(bits),
        _ => None,
    };
    let mut flags = Vec::new();
    if basic.number(7) == Some(1) {
        flags.push("up".to_owned());
    }
    let mut seen = Observation::part(&network_interface::CLASS, DEVICE, &[name])
        .with(
            &network_interface::INTERFACE_TYPE,
            if vlan.is_some() { "vlan" } else { type_name(kind) },
        )
        .with_some(&network_interface::VLAN_ID, vlan)
        .with(&network_interface::FLAGS, flags)
        .with_some(&network_interface::LINK_KIND, (kind != 0).then(|| kind_name(kind)))
        .with_some(&network_interface::MTU_BYTES, basic.number(4).filter(|mtu| *mtu > 0))
        .with_some(&network_interface::SPEED_BITS_PER_SECOND, speed)
        .with_some(&network_interface::MAC_ADDRESS, basic.octets(6).and_then(mac_of))
        .with_some(&network_interface::STATE, basic.number(8).map(state_name))
        .with_some(&network_interface::ALIAS, more.text(18));
    for (attribute, number) in [
        (&network_interface::RECEIVED_BYTES, more.number(6).or_else(|| basic.number(10))),
        (&network_interface::SENT_BYTES, more.number(10).or_else(|| basic.number(16))),
        (&network_interface::RECEIVED_ERRORS_COUNT, basic.number(14)),
        (&network_interface::SENT_ERRORS_COUNT, basic.number(20)),
    ] {
        if let Some(number) = number {
            seen.set(attribute, number);
        }
    }
    seen
}

fn vlan_of(name: &str) -> Option<u64> {
    let folded = name.to_lowercase();
    let number = folded.strip_prefix("vlan").or_else(|| folded.strip_prefix("vl"))?;
    number.trim().parse().ok().filter(|number| (1..=4094).contains(number))
}

/// What an interface is, in the words of the class, by its `IANAifType`.
fn type_name(kind: u64) -> &'static str {
    match kind {
        6 | 7 | 26 | 62 | 69 | 117 | 71 | 56 | 39 => "physical",
        24 => "loopback",
        131 | 150 | 77 => "tunnel",
        135..=137 => "vlan",
        161 => "bond",
        209 => "bridge",
        _ => "virtual",
    }
}

/// The names that IANAifType-MIB has for the commonest types.
fn kind_name(kind: u64) -> String {
    let name = match kind {
        1 => "other",
        6 => "ethernetCsmacd",
        18 => "ds1",
        22 => "propPointToPointSerial",
        23 => "ppp",
        24 => "softwareLoopback",
        33 => "rs232",
        37 => "atm",
        39 => "sonet",
        53 => "propVirtual",
        56 => "fibreChannel",
        62 => "fastEther",
        71 => "ieee80211",
        77 => "lapd",
        117 => "gigabitEthernet",
        131 => "tunnel",
        135 => "l2vlan",
        136 => "l3ipvlan",
        150 => "mplsTunnel",
        161 => "ieee8023adLag",
        166 => "mpls",
        209 => "bridge",
        _ => return format!("ifType {kind}"),
    };
    name.to_owned()
}

fn state_name(state: u64) -> &'static str {
    match state {
        1 => "up",
        2 => "down",
        3 => "testing",
        5 => "dormant",
        6 => "notpresent",
        7 => "lowerlayerdown",
        _ => "unknown",
    }
}

fn duplex_name(duplex: u64) -> Option<&'static str> {
    match duplex {
        2 => Some("half"),
        3 => Some("full"),
        _ => None,
    }
}

/// The pairs of an upper and a lower interface; zero stands for nothing.
fn layers_of(stack: &Table) -> BTreeSet<(u32, u32)> {
    let pairs = stack.rows().filter_map(|(index, _)| match index.as_slice() {
        &[upper, lower] if upper != 0 && lower != 0 => Some((upper, lower)),
        _ => None,
    });
    pairs.collect()
}

/// The addresses with their prefix lengths by interface.
fn addresses_of(old: &Table, new: &Table) -> BTreeMap<u32, BTreeSet<String>> {
    let mut found: BTreeMap<u32, BTreeMap<IpAddr, Option<u32>>> = BTreeMap::new();
    for (index, row) in old.rows() {
        let interface = row.number(2).and_then(|index| u32::try_from(index).ok());
        let Some((interface, address)) = interface.zip(four(index)) else { continue };
        let prefix = row.octets(3).and_then(mask_length);
        found.entry(interface).or_default().insert(address, prefix);
    }
    for (index, row) in new.rows() {
        let interface = row.number(3).and_then(|index| u32::try_from(index).ok());
        let Some((interface, address)) = interface.zip(inet_address(index).map(|found| found.0))
        else {
            continue;
        };
        // The prefix is named by the row of another table, whose last number is its length.
        let prefix = row.oid(5).filter(|oid| oid.len() > 10).and_then(|oid| oid.last().copied());
        let known = found.entry(interface).or_default().entry(address).or_default();
        *known = known.or(prefix.filter(|length| *length > 0 && *length <= 128));
    }
    let text = |(address, prefix): (IpAddr, Option<u32>)| match prefix {
        Some(prefix) => format!("{address}/{prefix}"),
        None => address.to_string(),
    };
    found.into_iter().map(|(index, all)| (index, all.into_iter().map(text).collect())).collect()
}

/// Four numbers as an address.
pub(crate) fn four(index: &[u32]) -> Option<IpAddr> {
    let octets: Vec<u8> = index.iter().map(|arc| u8::try_from(*arc).ok()).collect::<Option<_>>()?;
    <[u8; 4]>::try_from(octets).ok().map(IpAddr::from)
}

/// An address that an index begins with: its type, its length and its octets (INET-ADDRESS-MIB, RFC 4001), and what
/// follows.
pub(crate) fn inet_address(index: &[u32]) -> Option<(IpAddr, &[u32])> {
    let (&kind, rest) = index.split_first()?;
    let (&length, rest) = rest.split_first()?;
    let length = usize::try_from(length).ok()?;
    let (address, rest) = rest.split_at_checked(length)?;
    let octets: Vec<u8> =
        address.iter().map(|arc| u8::try_from(*arc).ok()).collect::<Option<_>>()?;
    let address = match (kind, octets.len()) {
        (1 | 3, 4 | 8) => IpAddr::from(<[u8; 4]>::try_from(octets.get(..4)?).ok()?),
        (2 | 4, 16 | 20) => IpAddr::from(<[u8; 16]>::try_from(octets.get(..16)?).ok()?),
        _ => return None,
    };
    Some((address, rest))
}

/// The length of a mask; `None` when its ones do not stand together.
pub(crate) fn mask_length(octets: &[u8]) -> Option<u32> {
    let mask = u32::from_be_bytes(octets.try_into().ok()?);
    (mask.leading_ones() == mask.count_ones()).then(|| mask.count_ones())
}

/// What any tables give.
#[cfg(test)]
pub(super) fn hostile(one: &Table, two: &Table, three: &Table, four: &Table) -> Vec<Observation> {
    observe(&Tables {
        ports: Ports::of(one, two),
        basic: one.clone(),
        more: two.clone(),
        addresses_old: three.clone(),
        addresses: four.clone(),
        stack: three.clone(),
        duplex: four.clone(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::Value;

    #[test]
    fn an_address_of_a_wrong_length_is_none() {
        assert_eq!(inet_address(&[1, 4, 192, 0, 2, 1, 7]).unwrap().1, [7]);
        assert_eq!(inet_address(&[1, 4, 192, 0, 2]), None);
        assert_eq!(inet_address(&[1, 4, 192, 0, 2, 256]), None);
        assert_eq!(inet_address(&[2, 4, 192, 0, 2, 1]), None);
        assert_eq!(inet_address(&[1, u32::MAX, 1]), None);
        assert_eq!(inet_address(&[]), None);
        assert_eq!((four(&[1, 2, 3]), four(&[1, 2, 3, 400])), (None, None));
        assert_eq!(
            (mask_length(&[255, 255, 254, 0]), mask_length(&[255, 0, 255, 0])),
            (Some(23), None)
        );
    }

    #[test]
    fn both_tables_of_addresses_make_one_list() {
        let old = Table(
            [(
                vec![192, 0, 2, 1],
                Row([(2, Value::Integer(3)), (3, Value::Octets([255, 255, 255, 0].into()))].into()),
            )]
            .into(),
        );
        let mut six = vec![2, 16, 0x20, 1, 0x0d, 0xb8];
        six.extend([0; 11]);
        six.push(9);
        let prefix = vec![1, 3, 6, 1, 2, 1, 4, 32, 1, 5, 3, 2, 16, 64];
        let new = Table(
            [
                (six, Row([(3, Value::Integer(3)), (5, Value::Oid(prefix))].into())),
                (vec![1, 4, 192, 0, 2, 1], Row([(3, Value::Integer(3))].into())),
            ]
            .into(),
        );
        let found: Vec<String> = addresses_of(&old, &new).remove(&3).unwrap().into_iter().collect();
        assert_eq!(found, ["192.0.2.1/24", "2001:db8::9/64"]);
    }

    #[test]
    fn a_speed_that_cannot_be_counted_is_not_told() {
        let row = |pairs: &[(u32, u64)]| {
            Row(pairs.iter().map(|(column, number)| (*column, Value::Unsigned(*number))).collect())
        };
        let speed = |basic: &[(u32, u64)], more: &[(u32, u64)]| {
            let seen = interface("x", &row(basic), &row(more));
            seen.facts.get("speed_bits_per_second").cloned()
        };
        assert_eq!(speed(&[(5, u64::from(u32::MAX))], &[]), None);
        assert_eq!(
            speed(&[(5, u64::from(u32::MAX))], &[(15, 10_000)]),
            Some(model::Value::Integer(10_000_000_000))
        );
        assert!(speed(&[(5, 100)], &[(15, u64::MAX)]).is_some());
    }
}
