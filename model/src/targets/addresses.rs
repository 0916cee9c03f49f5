//! Addresses as people write them: single ones, ranges, prefixes, names; and what they stand for. Pure.
//!
//! Invariants: nothing is expanded before its size is known; a text that only looks like an address is refused, not
//! taken for a name; what is excluded is never in the result.

use super::{ENTRIES_MAX, Invalid, TARGETS_MAX, invalid};
use std::collections::HashSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Bytes of one entry; two IPv6 addresses with their dash, or a name, stay below it.
const ENTRY_BYTES_MAX: usize = 253;
/// Letters of a foreign text that an error repeats.
const ECHO_LETTERS_MAX: usize = 60;

/// What one entry stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// One address.
    Address(IpAddr),
    /// Every address from the first to the last.
    Range(IpAddr, IpAddr),
    /// Every address that begins so.
    Prefix(IpAddr, u8),
    /// A host name, lower case.
    Name(String),
}

impl std::fmt::Display for Entry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Address(address) => write!(f, "{address}"),
            Self::Range(first, last) => write!(f, "{first}-{last}"),
            Self::Prefix(address, length) => write!(f, "{address}/{length}"),
            Self::Name(name) => f.write_str(name),
        }
    }
}

fn refused<T>(text: &str, why: &str) -> Result<T, Invalid> {
    let shown: String =
        text.chars().filter(|one| !one.is_control()).take(ECHO_LETTERS_MAX).collect();
    invalid("addresses", format!("`{shown}` {why}"))
}

/// The entries of a text: one or several a line, separated by blanks or commas; `#` begins a comment.
#[must_use]
pub fn entries(text: &str) -> Vec<String> {
    text.lines()
        .map(|line| line.split('#').next().unwrap_or_default())
        .flat_map(|line| line.split(|one: char| one.is_whitespace() || one == ','))
        .filter(|entry| !entry.is_empty())
        .map(str::to_owned)
        .collect()
}

/// Reads one entry.
///
/// # Errors
/// When it is none of the forms.
pub fn parse(text: &str) -> Result<Entry, Invalid> {
    if text.is_empty() || text.len() > ENTRY_BYTES_MAX {
        return refused(text, "is empty or too long for an address or a name");
    }
    if let Ok(address) = text.parse::<IpAddr>() {
        return Ok(Entry::Address(address));
    }
    if let Some((address, length)) = text.split_once('/') {
        return prefix(text, address, length);
    }
    if let Some((first, last)) = text.split_once('-')
        && let Ok(first) = first.parse::<IpAddr>()
    {
        return range(text, first, last);
    }
    name(text)
}

fn prefix(text: &str, address: &str, length: &str) -> Result<Entry, Invalid> {
    let (Ok(address), Ok(length)) = (address.parse::<IpAddr>(), length.parse::<u8>()) else {
        return refused(text, "is no prefix; write 192.0.2.0/24 or 2001:db8::/120");
    };
    let width = width(address);
    if length > width {
        return refused(text, &format!("has a length above {width}"));
    }
    let (first, _) = bounds(&Entry::Prefix(address, length));
    if first != number(address) {
        let right = address_of(first, address);
        return refused(text, &format!("has bits behind its length; write {right}/{length}"));
    }
    Ok(Entry::Prefix(address, length))
}

fn range(text: &str, first: IpAddr, last: &str) -> Result<Entry, Invalid> {
    let last = match (first, last.parse::<IpAddr>(), last.parse::<u8>()) {
        (IpAddr::V4(_), Ok(last @ IpAddr::V4(_)), _)
        | (IpAddr::V6(_), Ok(last @ IpAddr::V6(_)), _) => last,
        (IpAddr::V4(first), _, Ok(octet)) => {
            let [a, b, c, _] = first.octets();
            IpAddr::V4(Ipv4Addr::new(a, b, c, octet))
        }
        _ => return refused(text, "is no range; write 192.0.2.10-20 or 192.0.2.10-192.0.2.20"),
    };
    if number(last) < number(first) {
        return refused(text, "ends before it begins");
    }
    Ok(Entry::Range(first, last))
}

fn name(text: &str) -> Result<Entry, Invalid> {
    /// RFC 1035, 2.3.4.
    const LABEL_BYTES_MAX: usize = 63;
    let name = text.strip_suffix('.').unwrap_or(text).to_ascii_lowercase();
    // Digits and dots alone are a mistyped address; the top-level domain is never a number (RFC 3696, 2).
    let last = name.rsplit('.').next().unwrap_or_default();
    if !last.is_empty() && last.bytes().all(|one| one.is_ascii_digit()) {
        return refused(text, "is no address");
    }
    let is_label = |label: &str| {
        !label.is_empty()
            && label.len() <= LABEL_BYTES_MAX
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|one| one.is_ascii_alphanumeric() || one == b'-' || one == b'_')
    };
    if name.split('.').all(is_label) {
        Ok(Entry::Name(name))
    } else {
        refused(text, "is neither an address, a range, a prefix nor a host name")
    }
}

const fn width(address: IpAddr) -> u8 {
    match address {
        IpAddr::V4(_) => 32,
        IpAddr::V6(_) => 128,
    }
}

fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => u128::from(u32::from(address)),
        IpAddr::V6(address) => u128::from(address),
    }
}

/// The address of a number, of the same family as `like`.
fn address_of(number: u128, like: IpAddr) -> IpAddr {
    match like {
        IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::from(u32::try_from(number).unwrap_or(u32::MAX))),
        IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::from(number)),
    }
}

/// The first and the last address as numbers; nothing sensible for a name, which has none.
fn bounds(entry: &Entry) -> (u128, u128) {
    match entry {
        Entry::Address(address) => (number(*address), number(*address)),
        Entry::Range(first, last) => (number(*first), number(*last)),
        Entry::Prefix(address, length) => {
            let host_bits = u32::from(width(*address).saturating_sub(*length));
            let mask = 1_u128.checked_shl(host_bits).map_or(u128::MAX, |bit| bit.wrapping_sub(1));
            (number(*address) & !mask, number(*address) | mask)
        }
        Entry::Name(_) => (1, 0),
    }
}

/// The addresses that a set means: without the network and the broadcast address of an IPv4 prefix.
fn meant(entry: &Entry) -> Option<(IpAddr, u128, u128)> {
    let (first, last) = bounds(entry);
    match entry {
        Entry::Name(_) => None,
        Entry::Prefix(address @ IpAddr::V4(_), length) if *length < 31 => {
            Some((*address, first.saturating_add(1), last.saturating_sub(1)))
        }
        Entry::Address(address) | Entry::Range(address, _) | Entry::Prefix(address, _) => {
            Some((*address, first, last))
        }
    }
}

/// What is left out.
struct Excluded {
    spans: Vec<(bool, u128, u128)>,
    names: HashSet<String>,
}

impl Excluded {
    fn has(&self, is_v4: bool, number: u128) -> bool {
        self.spans
            .iter()
            .any(|(v4, first, last)| *v4 == is_v4 && (*first..=*last).contains(&number))
    }
}

fn excluded(exclusions: &[String]) -> Result<Excluded, Invalid> {
    /// Compared with every address of the set.
    const EXCLUSIONS_MAX: usize = 1024;
    if exclusions.len() > EXCLUSIONS_MAX {
        return invalid("exclusions", format!("there are at most {EXCLUSIONS_MAX}"));
    }
    let mut found = Excluded { spans: Vec::new(), names: HashSet::new() };
    for text in exclusions {
        let entry = parse(text).map_err(|error| Invalid { field: "exclusions", ..error })?;
        let (first, last) = bounds(&entry);
        match entry {
            Entry::Name(name) => {
                found.names.insert(name);
            }
            Entry::Address(address) | Entry::Range(address, _) | Entry::Prefix(address, _) => {
                found.spans.push((address.is_ipv4(), first, last));
            }
        }
    }
    Ok(found)
}

/// Every target of a set, each once, in the order in which they are written.
///
/// # Errors
/// When an entry is malformed, there are more than [`TARGETS_MAX`] targets, or none.
pub(super) fn expanded(
    entries: &[String],
    exclusions: &[String],
    is_whole: bool,
) -> Result<Vec<String>, Invalid> {
    if entries.is_empty() {
        return invalid("addresses", "a set needs an address, a range, a prefix or a name");
    }
    if entries.len() > ENTRIES_MAX {
        return invalid("addresses", format!("a set has at most {ENTRIES_MAX} entries"));
    }
    let excluded = excluded(exclusions)?;
    let too_many = || {
        let reason = format!(
            "a set has at most {TARGETS_MAX} targets; make several sets, or let a sweep look at whole prefixes"
        );
        Invalid { field: "addresses", reason }
    };
    let mut known = HashSet::new();
    let mut found = Vec::new();
    let mut add = |text: String| {
        if known.insert(text.clone()) {
            found.push(text);
        }
    };
    let mut sum: u128 = 0;
    for text in entries {
        let entry = parse(text)?;
        let Some((like, first, last)) = meant(&entry).filter(|_| !is_whole) else {
            match &entry {
                Entry::Name(name) if excluded.names.contains(name) => {}
                Entry::Address(address) if excluded.has(address.is_ipv4(), number(*address)) => {}
                entry => add(entry.to_string()),
            }
            continue;
        };
        sum = sum.saturating_add(last.saturating_sub(first)).saturating_add(1);
        if sum > u128::try_from(TARGETS_MAX).unwrap_or(0) {
            return Err(too_many());
        }
        for number in first..=last {
            if !excluded.has(like.is_ipv4(), number) {
                add(address_of(number, like).to_string());
            }
        }
    }
    if found.is_empty() {
        return invalid("exclusions", "nothing is left of the set");
    }
    Ok(found)
}
