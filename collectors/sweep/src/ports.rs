//! Which TCP ports are asked for: a ranking of our own, and lists that people write.
//!
//! The ranking lies in `data/ports.txt`: what it is worth asking for first in an inventory of servers, network gear
//! and devices. It is no copy of another scanner's frequencies.

use std::sync::LazyLock;

/// The most ports that one sweep asks each address for; all of them are 65,535.
const PORTS_MAX: usize = 65_535;

/// The longest list of ports.
const TEXT_BYTES_MAX: usize = 16 << 10;

static RANKED: LazyLock<Vec<(u16, &'static str)>> = LazyLock::new(|| {
    include_str!("data/ports.txt")
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| {
            let (port, name) = line.split_once(' ')?;
            Some((port.parse().ok()?, name))
        })
        .collect()
});

/// Why ports cannot be asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{part}` is no port; write 22,80,8000-8100, or top followed by a number up to {}",
    top_max()
)]
pub struct InvalidPorts {
    part: String,
}

fn top_max() -> usize {
    RANKED.len()
}

/// The first `count` ports of the ranking.
#[must_use]
pub fn top(count: usize) -> Vec<u16> {
    RANKED.iter().take(count).map(|(port, _)| *port).collect()
}

/// What usually listens on a port.
pub(crate) fn usual_service(port: u16) -> Option<&'static str> {
    RANKED.iter().find(|(known, _)| *known == port).map(|(_, name)| *name)
}

/// Reads `22,80,8000-8100` and `top100`; each port once, in the order written.
///
/// # Errors
/// When a part is no port.
pub fn parse(text: &str) -> Result<Vec<u16>, InvalidPorts> {
    let invalid = |part: &str| InvalidPorts {
        part: part.chars().filter(|letter| !letter.is_control()).take(32).collect(),
    };
    if text.len() > TEXT_BYTES_MAX {
        return Err(invalid("a list of more than 16 KiB"));
    }
    let mut is_taken = vec![false; PORTS_MAX + 1];
    let mut found = Vec::new();
    let mut take = |port: u16| {
        if let Some(taken) = is_taken.get_mut(usize::from(port))
            && !*taken
        {
            *taken = true;
            found.push(port);
        }
    };
    for part in text.split([',', ' ']).filter(|part| !part.is_empty()) {
        if let Some(count) = part.strip_prefix("top") {
            let count = count.trim_start_matches(['_', '-']).parse::<usize>();
            let Some(count) = count.ok().filter(|count| (1..=top_max()).contains(count)) else {
                return Err(invalid(part));
            };
            top(count).into_iter().for_each(&mut take);
            continue;
        }
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        match (first.parse::<u16>(), last.parse::<u16>()) {
            (Ok(first), Ok(last)) if first > 0 && first <= last => {
                (first..=last).for_each(&mut take);
            }
            _ => return Err(invalid(part)),
        }
    }
    if found.is_empty() { Err(invalid("")) } else { Ok(found) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    #[test]
    fn what_is_no_port_is_refused_by_name() {
        for text in ["", "0", "65536", "9-3", "http", "top0", "top1001", "top", "80;rm", "-5"] {
            assert!(parse(text).is_err(), "{text}");
        }
        assert!(parse(&"80,".repeat(10_000)).is_err());
    }

    #[test]
    fn lists_ranges_and_the_ranking_give_each_port_once() {
        assert_eq!(parse("80,22,80,20-23").unwrap(), [80, 22, 20, 21, 23]);
        assert_eq!(parse("top100").unwrap().len(), 100);
        assert_eq!(parse("top_1000,1-65535").unwrap().len(), 65_535);
    }

    #[test]
    fn the_ranking_has_a_thousand_different_ports_with_names() {
        let ports: BTreeSet<u16> = RANKED.iter().map(|(port, _)| *port).collect();
        assert_eq!((ports.len(), RANKED.len()), (1000, 1000));
        assert!(RANKED.iter().all(|(_, name)| !name.is_empty()));
        assert_eq!((usual_service(22), usual_service(64_999)), (Some("ssh"), None));
    }

    proptest! {
        #[test]
        fn any_list_of_ports_is_read_or_refused(text in "[0-9a-z,-]{0,40}") {
            if let Ok(ports) = parse(&text) {
                prop_assert!(!ports.is_empty() && !ports.contains(&0));
            }
        }
    }
}
