//! Parsers of the small texts in which an operating system describes itself.
//!
//! All are total: any text gives an answer, and what is not understood is left out.

use std::collections::BTreeMap;

/// The most lines of one of these files that are looked at; none has more than a few hundred.
const LINES_MAX: usize = 10_000;

/// The most name servers and search domains that are kept; the resolver itself uses three and six.
const RESOLVER_ENTRIES_MAX: usize = 32;

/// The assignments of os-release(5): shell-like, quoted or not.
pub(super) fn assignments(text: &str) -> BTreeMap<String, String> {
    text.lines()
        .take(LINES_MAX)
        .filter_map(|line| {
            let (name, value) = line.trim().split_once('=')?;
            let name = name.trim();
            if name.is_empty() || name.starts_with('#') {
                return None;
            }
            Some((name.to_owned(), unquoted(value.trim())))
        })
        .collect()
}

/// A shell word without its quotes and backslashes.
fn unquoted(value: &str) -> String {
    let quote = value.chars().next().filter(|letter| matches!(letter, '"' | '\''));
    let inner = match quote {
        Some(quote) => value.strip_prefix(quote).unwrap_or(value),
        None => value,
    };
    let mut text = String::with_capacity(inner.len());
    let mut letters = inner.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '\\' if quote != Some('\'') => text.extend(letters.next()),
            _ if Some(letter) == quote => break,
            _ => text.push(letter),
        }
    }
    text
}

/// A number of /proc/meminfo, in bytes.
pub(super) fn meminfo(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().take(LINES_MAX).find_map(|line| {
        let (key, rest) = line.split_once(':')?;
        (key == name).then_some(rest)
    })?;
    let kibibytes: u64 = line.split_whitespace().next()?.parse().ok()?;
    kibibytes.checked_mul(1024)
}

/// The second at which the system was started, from /proc/stat.
pub(super) fn boot_second(stat: &str) -> Option<i64> {
    stat.lines().find_map(|line| line.strip_prefix("btime "))?.trim().parse().ok()
}

/// The numbers in a list of the kernel such as `0-3,8,10-11`, at most `limit` of them.
pub(super) fn number_list(text: &str, limit: usize) -> Vec<u32> {
    let mut numbers = Vec::new();
    for range in text.trim().split(',') {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        let (Ok(first), Ok(last)) = (first.trim().parse::<u32>(), last.trim().parse::<u32>())
        else {
            continue;
        };
        for number in first..=last {
            if numbers.len() >= limit {
                return numbers;
            }
            numbers.push(number);
        }
    }
    numbers
}

/// The three load averages of /proc/loadavg.
pub(super) fn load_averages(text: &str) -> Option<[f64; 3]> {
    let mut words = text.split_whitespace().map(|word| word.parse::<f64>().ok());
    Some([words.next()??, words.next()??, words.next()??])
        .filter(|loads| loads.iter().all(|load| load.is_finite()))
}

/// The share of the last minute in which some process was stalled, in percent, from a file of /proc/pressure.
pub(super) fn pressure(text: &str) -> Option<f64> {
    let line = text.lines().find(|line| line.starts_with("some "))?;
    let word = line.split_whitespace().find_map(|word| word.strip_prefix("avg60="))?;
    word.parse().ok().filter(|share: &f64| share.is_finite())
}

/// What resolv.conf(5) says.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Resolver {
    /// Addresses of name servers.
    pub(super) servers: Vec<String>,
    /// Search domains.
    pub(super) search: Vec<String>,
}

/// Reads resolv.conf(5): `domain` and `search` exclude each other, the last one counts.
pub(super) fn resolver(text: &str) -> Resolver {
    let mut resolver = Resolver::default();
    for line in text.lines().take(LINES_MAX) {
        let mut words = line.split_whitespace();
        match words.next() {
            Some("nameserver") => resolver.servers.extend(words.next().map(str::to_owned)),
            Some("search" | "domain") => {
                let domains = words.take_while(|word| !word.starts_with(['#', ';']));
                resolver.search = domains.map(str::to_owned).collect();
            }
            _ => {}
        }
    }
    resolver.servers.truncate(RESOLVER_ENTRIES_MAX);
    resolver.search.truncate(RESOLVER_ENTRIES_MAX);
    resolver
}

/// The host's name with its domain, as hosts(5) gives it for the short name.
pub(super) fn canonical_name(hosts: &str, name: &str) -> Option<String> {
    if name.contains('.') {
        return Some(name.to_owned());
    }
    hosts.lines().take(LINES_MAX).find_map(|line| {
        let line = line.split('#').next().unwrap_or_default();
        let names: Vec<&str> = line.split_whitespace().skip(1).collect();
        if !names.contains(&name) {
            return None;
        }
        let canonical = names.iter().find(|other| {
            other.strip_prefix(name).is_some_and(|rest| rest.starts_with('.') && rest.len() > 1)
        })?;
        Some((*canonical).to_owned())
    })
}

/// The time zone that a link like `/usr/share/zoneinfo/Europe/Berlin` names.
pub(super) fn zone_of_link(target: &str) -> Option<String> {
    let (_, zone) = target.split_once("zoneinfo/")?;
    let zone = zone.strip_prefix("posix/").or_else(|| zone.strip_prefix("right/")).unwrap_or(zone);
    (!zone.is_empty()).then(|| zone.to_owned())
}

/// The machine architecture in the words of `uname -m`, from the first bytes of one of its programs (ELF).
pub(super) fn architecture_of_program(head: &[u8]) -> Option<&'static str> {
    if head.get(..4)? != b"\x7fELF" {
        return None;
    }
    let bytes: [u8; 2] = head.get(18..20)?.try_into().ok()?;
    let is_little = head.get(5) == Some(&1);
    let machine = if is_little { u16::from_le_bytes(bytes) } else { u16::from_be_bytes(bytes) };
    Some(match (machine, is_little) {
        (3, _) => "i686",
        (8, true) => "mips64el",
        (21, true) => "ppc64le",
        (21, false) => "ppc64",
        (22, _) => "s390x",
        (40, _) => "armv7l",
        (62, _) => "x86_64",
        (183, _) => "aarch64",
        (243, _) => "riscv64",
        (258, _) => "loongarch64",
        _ => return None,
    })
}

/// Compares two versions as people do: runs of digits by value, everything else by letter.
pub(super) fn compare_versions(one: &str, other: &str) -> std::cmp::Ordering {
    let (mut left, mut right) = (one.as_bytes(), other.as_bytes());
    loop {
        let (run, rest) = split_run(left);
        let (other_run, other_rest) = split_run(right);
        let order = match (digits(run), digits(other_run)) {
            (Some(a), Some(b)) => a.len().cmp(&b.len()).then_with(|| a.cmp(b)),
            // As in rpm, a number is later than a word: `362.8` came after `362.el9`.
            (Some(_), None) => std::cmp::Ordering::Greater,
            (None, Some(_)) => std::cmp::Ordering::Less,
            (None, None) => run.cmp(other_run),
        };
        if order.is_ne() || (rest.is_empty() && other_rest.is_empty()) {
            return order;
        }
        (left, right) = (rest, other_rest);
    }
}

/// The leading run of digits, of letters or of what separates them, and the rest.
fn split_run(text: &[u8]) -> (&[u8], &[u8]) {
    let kind = |letter: &u8| (letter.is_ascii_digit(), letter.is_ascii_alphabetic());
    let first = text.first().map(kind);
    let length = text.iter().position(|letter| Some(kind(letter)) != first).unwrap_or(text.len());
    text.split_at(length)
}

/// A run of digits without leading zeros.
fn digits(run: &[u8]) -> Option<&[u8]> {
    run.first().filter(|letter| letter.is_ascii_digit())?;
    let start = run.iter().position(|letter| *letter != b'0').unwrap_or(run.len());
    run.get(start..)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::cmp::Ordering;

    #[test]
    fn quotes_and_escapes_of_os_release_are_taken_off() {
        let found =
            assignments("# c\nID=debian\nNAME=\"A \\\"B\\\" C\"\nX='it''s'\nBROKEN=\"open\n=v\n");
        assert_eq!(found.get("ID").map(String::as_str), Some("debian"));
        assert_eq!(found.get("NAME").map(String::as_str), Some("A \"B\" C"));
        assert_eq!(found.get("X").map(String::as_str), Some("it"));
        assert_eq!(found.get("BROKEN").map(String::as_str), Some("open"));
        assert_eq!(found.len(), 4);
    }

    #[test]
    fn a_huge_range_of_processors_is_cut_at_the_limit() {
        assert_eq!(number_list("0-4294967295", 5), [0, 1, 2, 3, 4]);
        assert_eq!(number_list("0-1,4,x,7-6", 9), [0, 1, 4]);
    }

    #[test]
    fn only_a_name_that_continues_the_short_one_is_its_full_name() {
        let hosts =
            "127.0.0.1 localhost\n127.0.1.1 db1.example.net db1 # self\n192.0.2.1 db10.example.net";
        assert_eq!(canonical_name(hosts, "db1").as_deref(), Some("db1.example.net"));
        assert_eq!(canonical_name(hosts, "localhost"), None);
        assert_eq!(canonical_name(hosts, "web.example.net").as_deref(), Some("web.example.net"));
    }

    #[test]
    fn the_last_of_domain_and_search_counts() {
        let found = resolver(
            "domain a.example\nnameserver 192.0.2.53\nsearch b.example c.example ; x\n#nameserver 192.0.2.9\n",
        );
        assert_eq!(found.servers, ["192.0.2.53"]);
        assert_eq!(found.search, ["b.example", "c.example"]);
    }

    #[test]
    fn versions_compare_by_their_numbers() {
        for (less, more) in [
            ("6.1.0-9-amd64", "6.1.0-13-amd64"),
            ("5.10.0", "5.10.1"),
            ("5.9", "5.10"),
            ("5.14.0-70.el9", "5.14.0-162.el9"),
            ("6.1", "6.1.0"),
            ("5.14.0-362.el9.x86_64", "5.14.0-362.8.1.el9_3.x86_64"),
        ] {
            assert_eq!(compare_versions(less, more), Ordering::Less, "{less} {more}");
            assert_eq!(compare_versions(more, less), Ordering::Greater, "{less} {more}");
        }
        assert_eq!(compare_versions("1.02", "1.2"), Ordering::Equal);
    }

    #[test]
    fn the_texts_of_proc_are_understood() {
        assert_eq!(
            meminfo("MemTotal:       2048 kB\nMemFree: 1 kB\n", "MemTotal"),
            Some(2_097_152)
        );
        assert_eq!(boot_second("cpu 1 2\nbtime 1700000000\n"), Some(1_700_000_000));
        assert_eq!(load_averages("0.10 0.20 0.30 1/200 4242\n"), Some([0.1, 0.2, 0.3]));
        assert_eq!(load_averages("0.10 nan 0.30"), None);
        let stalled =
            "some avg10=0.00 avg60=1.25 avg300=0.00 total=1\nfull avg10=0.00 avg60=9.00\n";
        assert_eq!(pressure(stalled), Some(1.25));
        assert_eq!(zone_of_link("../usr/share/zoneinfo/Etc/UTC").as_deref(), Some("Etc/UTC"));
    }

    proptest! {
        #[test]
        fn any_text_gives_an_answer(text in "\\PC{0,300}", bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let lossy = String::from_utf8_lossy(&bytes);
            for text in [text.as_str(), &lossy] {
                assignments(text);
                meminfo(text, "MemTotal");
                boot_second(text);
                number_list(text, 100);
                load_averages(text);
                pressure(text);
                resolver(text);
                canonical_name(text, "db1");
                zone_of_link(text);
                prop_assert_eq!(compare_versions(text, text), Ordering::Equal);
            }
            architecture_of_program(&bytes);
        }
    }
}
