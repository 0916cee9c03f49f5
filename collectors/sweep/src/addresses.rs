//! The addresses of a sweep: prefixes, ranges and lists in, single addresses out.
//!
//! Written as `192.0.2.0/24`, `192.0.2.10-192.0.2.20`, `192.0.2.10-20`, `192.0.2.7`, `2001:db8::10/124`, in any number
//! with commas or spaces between them. Addresses come in their order and each once; what is excluded never comes.
//! The number is bounded before anything is listed, so that a `/0` costs nothing.
//!
//! Deliberately not here: names. A name is resolved by whoever names the target, because it can mean other addresses
//! tomorrow, and a sweep's coverage is about addresses.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The most addresses of one sweep: four networks of 16 bits, an hour of work at the usual rate. Larger estates are
/// divided into several targets, which can also lie with several agents.
pub const ADDRESSES_MAX: usize = 4 << 16;

/// The most ranges in one target.
const RANGES_MAX: usize = 1024;

/// The longest text of a target's addresses.
const TEXT_BYTES_MAX: usize = 64 << 10;

/// Why addresses cannot be swept.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidAddresses {
    /// Nothing is named.
    #[error("no address is named; write a prefix such as 192.0.2.0/24")]
    Empty,
    /// A part is no address, prefix or range.
    #[error(
        "`{part}` is no address, prefix or range; write 192.0.2.7, 192.0.2.0/24 or 192.0.2.10-20"
    )]
    Unreadable {
        /// What was written, cut.
        part: String,
    },
    /// It is more than one sweep may have.
    #[error("{count} addresses are more than {ADDRESSES_MAX}; divide them into several targets")]
    TooMany {
        /// How many were named.
        count: u128,
    },
    /// The text is longer than any list of ranges that a person writes.
    #[error("the list of addresses is longer than {RANGES_MAX} parts or {TEXT_BYTES_MAX} bytes")]
    TooLong,
    /// Packets to it go to many or to nobody.
    #[error("`{part}` holds addresses of groups or of no host; name only addresses of hosts")]
    NotOfHosts {
        /// What was written.
        part: String,
    },
}

/// Addresses from one to another, both included, of one family.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Range {
    is_v6: bool,
    first: u128,
    last: u128,
}

impl Range {
    fn of(first: IpAddr, last: IpAddr) -> Option<Self> {
        let (is_v6, first) = number(first);
        let (is_v6_last, last) = number(last);
        (is_v6 == is_v6_last && first <= last).then_some(Self { is_v6, first, last })
    }

    const fn count(self) -> u128 {
        (self.last - self.first).saturating_add(1)
    }

    const fn overlaps(self, other: Self) -> bool {
        self.is_v6 == other.is_v6 && self.first <= other.last && other.first <= self.last
    }

    /// What is left of it without `other`.
    fn without(self, other: Self, into: &mut Vec<Self>) {
        if !self.overlaps(other) {
            into.push(self);
            return;
        }
        if self.first < other.first {
            into.push(Self { last: other.first - 1, ..self });
        }
        if self.last > other.last {
            into.push(Self { first: other.last + 1, ..self });
        }
    }
}

fn number(address: IpAddr) -> (bool, u128) {
    match address {
        IpAddr::V4(four) => (false, u128::from(u32::from(four))),
        IpAddr::V6(six) => (true, u128::from(six)),
    }
}

fn address(is_v6: bool, number: u128) -> Option<IpAddr> {
    if is_v6 {
        return Some(Ipv6Addr::from(number).into());
    }
    Some(Ipv4Addr::from(u32::try_from(number).ok()?).into())
}

/// A set of addresses.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Addresses {
    ranges: Vec<Range>,
}

impl Addresses {
    /// Reads what is to be swept, and takes out what is excluded.
    ///
    /// # Errors
    /// When a part cannot be read, nothing is left, or it is too much.
    pub fn parse(text: &str, excluded: &str) -> Result<Self, InvalidAddresses> {
        let mut ranges = joined(ranges(text)?);
        for hole in self::ranges(excluded)? {
            let mut left = Vec::with_capacity(ranges.len() + 1);
            ranges.iter().for_each(|range| range.without(hole, &mut left));
            ranges = left;
        }
        let found = Self { ranges };
        let count =
            found.ranges.iter().fold(0_u128, |sum, range| sum.saturating_add(range.count()));
        match usize::try_from(count) {
            Ok(0) => Err(InvalidAddresses::Empty),
            Ok(count) if count <= ADDRESSES_MAX => Ok(found),
            _ => Err(InvalidAddresses::TooMany { count }),
        }
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        let count = self.ranges.iter().fold(0_u128, |sum, range| sum.saturating_add(range.count()));
        usize::try_from(count).unwrap_or(usize::MAX)
    }

    /// Each of them, in order.
    pub fn iter(&self) -> impl Iterator<Item = IpAddr> + '_ {
        self.ranges
            .iter()
            .flat_map(|range| (range.first..=range.last).filter_map(|at| address(range.is_v6, at)))
    }

    /// Whether an address is one of them.
    #[must_use]
    pub fn contains(&self, of: IpAddr) -> bool {
        let (is_v6, at) = number(of.to_canonical());
        self.ranges
            .iter()
            .any(|range| range.is_v6 == is_v6 && range.first <= at && at <= range.last)
    }
}

/// Ranges in order, with those that touch made one.
fn joined(mut ranges: Vec<Range>) -> Vec<Range> {
    ranges.sort_unstable();
    let mut joined: Vec<Range> = Vec::with_capacity(ranges.len());
    for range in ranges {
        match joined.last_mut() {
            Some(last)
                if last.is_v6 == range.is_v6 && range.first <= last.last.saturating_add(1) =>
            {
                last.last = last.last.max(range.last);
            }
            _ => joined.push(range),
        }
    }
    joined
}

fn ranges(text: &str) -> Result<Vec<Range>, InvalidAddresses> {
    if text.len() > TEXT_BYTES_MAX {
        return Err(InvalidAddresses::TooLong);
    }
    let mut found = Vec::new();
    for part in text.split([',', ' ', ';', '\n', '\t', '\r']).filter(|part| !part.is_empty()) {
        if found.len() >= RANGES_MAX {
            return Err(InvalidAddresses::TooLong);
        }
        let cut = || part.chars().take(64).filter(|letter| !letter.is_control()).collect();
        let range = range(part).ok_or_else(|| InvalidAddresses::Unreadable { part: cut() })?;
        let ends = [address(range.is_v6, range.first), address(range.is_v6, range.last)];
        if ends.into_iter().flatten().any(is_no_host) {
            return Err(InvalidAddresses::NotOfHosts { part: cut() });
        }
        found.push(range);
    }
    Ok(found)
}

/// Whether no host can have the address: groups, and the networks that mean none.
fn is_no_host(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(four) => {
            let [first, ..] = four.octets();
            first == 0 || first >= 224
        }
        IpAddr::V6(six) => six.is_multicast() || six.is_unspecified(),
    }
}

fn range(part: &str) -> Option<Range> {
    if let Some((network, bits)) = part.split_once('/') {
        return prefix(network.parse().ok()?, bits.parse().ok()?);
    }
    let Some((first, last)) = part.split_once('-') else {
        let one = part.parse().ok()?;
        return Range::of(one, one);
    };
    let first: IpAddr = first.parse().ok()?;
    if let Ok(last) = last.parse() {
        return Range::of(first, last);
    }
    // `192.0.2.10-20`: the last number only.
    let (IpAddr::V4(four), Ok(end)) = (first, last.parse::<u8>()) else { return None };
    let [one, two, three, _] = four.octets();
    Range::of(first, Ipv4Addr::new(one, two, three, end).into())
}

fn prefix(network: IpAddr, bits: u32) -> Option<Range> {
    let width: u32 = if network.is_ipv4() { 32 } else { 128 };
    let free = width.checked_sub(bits)?;
    let (is_v6, at) = number(network);
    let mask = 1_u128.checked_shl(free).map_or(u128::MAX, |bit| bit - 1);
    Some(Range { is_v6, first: at & !mask, last: at | mask })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn listed(text: &str, excluded: &str) -> Vec<String> {
        let found = Addresses::parse(text, excluded).unwrap();
        let all: Vec<String> = found.iter().map(|address| address.to_string()).collect();
        assert_eq!(all.len(), found.count());
        all
    }

    #[test]
    fn more_addresses_than_one_sweep_may_have_are_refused_without_being_listed() {
        for text in ["10.0.0.0/8", "2001:db8::/32", "2001:db8::/64", "11.0.0.0-20.0.0.0"] {
            let error = Addresses::parse(text, "").unwrap_err();
            assert!(matches!(error, InvalidAddresses::TooMany { .. }), "{text}: {error}");
        }
        assert_eq!(Addresses::parse("10.0.0.0/14", "").unwrap().count(), ADDRESSES_MAX);
        assert!(Addresses::parse(&"192.0.2.1,".repeat(1025), "").is_err());
        assert!(Addresses::parse(&" ".repeat(70_000), "").is_err());
    }

    #[test]
    fn what_is_no_address_of_a_host_is_refused_by_name() {
        for text in ["", "x", "192.0.2.0/33", "192.0.2.9-3", "192.0.2.1-2001:db8::1", "::1/129"] {
            assert!(Addresses::parse(text, "").is_err(), "{text}");
        }
        for text in ["224.0.0.1", "255.255.255.255", "0.0.0.0/24", "ff02::1", "0.0.0.0/0"] {
            let error = Addresses::parse(text, "").unwrap_err();
            assert!(matches!(error, InvalidAddresses::NotOfHosts { .. }), "{text}: {error}");
        }
        let error = Addresses::parse("\u{1b}[31mred", "").unwrap_err().to_string();
        assert!(!error.contains('\u{1b}'), "{error}");
        assert_eq!(Addresses::parse("192.0.2.1", "192.0.2.0/24"), Err(InvalidAddresses::Empty));
    }

    #[test]
    fn prefixes_ranges_and_lists_give_each_address_once_and_in_order() {
        assert_eq!(
            listed("192.0.2.9/30", ""),
            ["192.0.2.8", "192.0.2.9", "192.0.2.10", "192.0.2.11"]
        );
        assert_eq!(listed("192.0.2.9-11, 192.0.2.10 192.0.2.3", "").len(), 4);
        assert_eq!(listed("192.0.2.0-192.0.3.1", "").len(), 258);
        assert_eq!(listed("2001:db8::fe-2001:db8::101", "").len(), 4);
        assert_eq!(listed("192.0.2.0/29", "192.0.2.1-2,192.0.2.7").len(), 5);
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "[0-9a-f.:/, -]{0,60}", excluded in "[0-9.,/-]{0,30}") {
            if let Ok(found) = Addresses::parse(&text, &excluded) {
                prop_assert!(found.count() <= ADDRESSES_MAX && found.count() > 0);
                prop_assert!(found.iter().take(300).all(|address| found.contains(address)));
            }
        }

        #[test]
        fn what_is_excluded_never_comes(first in 0_u8..200, length in 0_u8..50, hole in 0_u8..200) {
            let (end, hole_end) = (first + length, hole + 5);
            let text = format!("192.0.2.{first}-{end}");
            let excluded = format!("192.0.2.{hole}-{hole_end}");
            if let Ok(found) = Addresses::parse(&text, &excluded) {
                let is_out = |at: IpAddr| matches!(at, IpAddr::V4(four) if (hole..=hole_end).contains(&four.octets()[3]));
                prop_assert!(found.iter().all(|at| !is_out(at)));
            }
        }
    }
}
