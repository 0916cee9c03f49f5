//! Addresses and names in recorded and invented data: those that the standards set aside for documentation.
//!
//! A recording of a real system tells where it stands. In fixtures only addresses of RFC 5737, 3849, 9637 and 7042
//! and names of RFC 2606 may stand, beside those that are the same on every host (loopback, link-local, multicast,
//! netmasks, Docker's first bridge). Tests in Rust may also use private addresses, because code tells those from
//! public ones; an address that belongs to somebody stands in neither.
//!
//! Deliberately not here: packed files (archives, databases), and what is no address, such as serial numbers.

use super::Complaint;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::path::Path;

/// Folders of data for tests.
const FOLDERS: [&str; 5] = ["fixtures", "golden", "recorded", "recordings", "testdata"];

/// What the console is shown and tested with.
const CONSOLE_FOLDERS: [&str; 2] = ["console/dev", "console/e2e"];

/// Ends of names by which a word is taken for a name of the internet.
const ENDS: [&str; 10] = ["ch", "cloud", "com", "de", "dev", "eu", "io", "net", "org", "uk"];

/// Names that are a part of a format or product, not of somebody's network.
const PUBLIC_NAMES: [&str; 4] = ["docker.io", "github.com", "openssh.com", "w3.org"];

/// How strictly a file is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Strictness {
    /// Data: only what is set aside for documentation.
    Data,
    /// A test: private addresses too.
    Test,
}

/// Checks one file; one that holds neither data for tests nor tests has nothing to complain about.
pub(crate) fn check(path: &Path, text: &str) -> Vec<Complaint> {
    let parts: Vec<_> = path.iter().filter_map(|part| part.to_str()).collect();
    let is_rust = path.extension().is_some_and(|extension| extension == "rs");
    let is_data = parts.iter().any(|part| FOLDERS.contains(part))
        || CONSOLE_FOLDERS.iter().any(|folder| path.starts_with(folder));
    if is_data && !is_rust {
        return lines(path, text, 0, Strictness::Data);
    }
    if !is_rust {
        return Vec::new();
    }
    let is_test = parts.contains(&"tests") || parts.last() == Some(&"tests.rs");
    if is_test {
        return lines(path, text, 0, Strictness::Test);
    }
    let Some(place) = text.find("\n#[cfg(test)]\nmod tests {") else { return Vec::new() };
    let (before, tests) = text.split_at(place);
    lines(path, tests, before.matches('\n').count(), Strictness::Test)
}

fn lines(path: &Path, text: &str, skipped: usize, strictness: Strictness) -> Vec<Complaint> {
    let mut complaints = Vec::new();
    for (index, line) in text.lines().enumerate() {
        // A comment of code names chapters of standards, which look the same.
        if strictness == Strictness::Test && line.trim_start().starts_with("//") {
            continue;
        }
        for found in foreign(line, strictness) {
            let text = format!(
                "`{found}` may be somebody's; take one that is set aside for documentation"
            );
            complaints.push(Complaint::new(path, skipped + index + 1, text));
        }
    }
    complaints
}

/// The words of a line that are addresses or names which may belong to somebody.
fn foreign(line: &str, strictness: Strictness) -> Vec<&str> {
    let is_part = |letter: char| letter.is_ascii_alphanumeric() || ".:-_+~".contains(letter);
    line.split(|letter| !is_part(letter))
        .map(|word| word.trim_matches(['.', ':', '-']))
        .filter(|word| !word.is_empty())
        .filter(|word| match strictness {
            Strictness::Data => {
                is_foreign_v4(word, strictness)
                    || is_foreign_v6(word)
                    || is_foreign_mac(word)
                    || is_foreign_name(word)
            }
            Strictness::Test => is_foreign_v4(word, strictness),
        })
        .collect()
}

fn is_foreign_v4(word: &str, strictness: Strictness) -> bool {
    // A port may follow.
    let word = word.split_once(':').map_or(word, |(address, _)| address);
    let Ok(address) = word.parse::<Ipv4Addr>() else { return false };
    let [first, second, ..] = address.octets();
    let is_common = address.is_loopback()
        || address.is_link_local()
        || address.is_multicast()
        || [0, 255].contains(&first)
        || (first, second) == (172, 17);
    let is_private = address.is_private() && strictness == Strictness::Test;
    !(address.is_documentation() || is_common || is_private)
}

fn is_foreign_v6(word: &str) -> bool {
    // `a::b` is also a path in code, and `12:34` a time; an address of somebody has more groups than that.
    if word.matches(':').count() < 3 {
        return false;
    }
    let Ok(address) = word.parse::<Ipv6Addr>() else { return false };
    let [first, second, ..] = address.segments();
    let is_documentation =
        (first, second) == (0x2001, 0x0db8) || (first == 0x3fff && second < 0x1000);
    let is_common = address.is_loopback()
        || address.is_unspecified()
        || first & 0xffc0 == 0xfe80
        || first & 0xff00 == 0xff00;
    let is_mapped = address
        .to_ipv4_mapped()
        .is_some_and(|v4| !is_foreign_v4(&v4.to_string(), Strictness::Data));
    !(is_documentation || is_common || is_mapped)
}

fn is_foreign_mac(word: &str) -> bool {
    let parts: Vec<&str> = word.split([':', '-']).collect();
    let bytes: Vec<u8> = parts
        .iter()
        .filter(|part| part.len() == 2)
        .filter_map(|part| u8::from_str_radix(part, 16).ok())
        .collect();
    if parts.len() != 6 || bytes.len() != 6 {
        return false;
    }
    let is_documentation = bytes.starts_with(&[0x00, 0x00, 0x5e, 0x00, 0x53]);
    let is_common = bytes == [0; 6] || bytes == [0xff; 6];
    // A group's address has the lowest bit of its first byte.
    let is_group = bytes.first().is_some_and(|first| first & 1 == 1);
    !(is_documentation || is_common || is_group)
}

fn is_foreign_name(word: &str) -> bool {
    let word = word.to_ascii_lowercase();
    let name = word.split_once(':').map_or(word.as_str(), |(name, _)| name);
    let mut labels = name.rsplit('.');
    let (Some(end), Some(owner)) = (labels.next(), labels.next()) else { return false };
    // What has an underscore or begins with a digit is a file, a version or a key.
    let is_name = ENDS.contains(&end)
        && owner.starts_with(|letter: char| letter.is_ascii_alphabetic())
        && !name.contains('_');
    let is_public =
        PUBLIC_NAMES.iter().any(|public| name == *public || name.ends_with(&format!(".{public}")));
    is_name && owner != "example" && !is_public
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(path: &str, text: &str) -> usize {
        check(Path::new(path), text).len()
    }

    #[test]
    fn an_address_or_name_that_may_be_somebodys_is_complained_about_in_data() {
        let fixture = "collectors/x/tests/fixtures/case/reply.txt";
        // Written in parts, because tests in Rust are looked at too.
        for foreign in [
            concat!("inet 8.8", ".8.8/24"),
            concat!("connected to 93.184", ".216.34:443."),
            "address 10.1.2.3",
            "inet6 2a00:1450:4001:81b::200e/64",
            "link/ether 3c:ec:ef:12:34:56",
            "chassis 3C-EC-EF-12-34-56",
            "name db1.customer.de",
            "https://intranet.customer.com/x",
        ] {
            assert_eq!(words(fixture, foreign), 1, "{foreign}");
        }
    }

    #[test]
    fn what_is_set_aside_or_the_same_everywhere_is_fine_in_data() {
        let fixture = "collectors/x/src/testdata/one.json";
        for fine in [
            "192.0.2.1 198.51.100.7:22 203.0.113.0/24 2001:db8::1 3fff::1:2:3",
            "127.0.0.1 ::1 0.0.0.0 255.255.255.0 fe80::1:2:3 ff02::1 169.254.169.254 172.17.0.2",
            "00:00:5e:00:53:01 00:00:00:00:00:00 ff:ff:ff:ff:ff:ff 01:00:5e:00:00:01",
            "db1.example.net www.example.org docker.io/library/nginx",
            "version 1.2.3.4-1 at 12:34:56, 1.3.6.1.4.1, key org.example.db.password, ::ffff:192.0.2.1",
        ] {
            assert_eq!(check(Path::new(fixture), fine), [], "{fine}");
        }
    }

    #[test]
    fn a_public_address_is_complained_about_in_tests_and_a_private_one_is_not() {
        let public = concat!("\"93.184", ".216.34\"");
        assert_eq!(words("agent/tests/it/main.rs", public), 1);
        let unit = format!("fn f() {{}}\n\n#[cfg(test)]\nmod tests {{\n  {public}\n}}\n");
        assert_eq!(check(Path::new("agent/src/a.rs"), &unit)[0].line, 5);
        assert_eq!(words("agent/src/a.rs", public), 0);
        assert_eq!(words("agent/tests/it/main.rs", concat!("    // section 7.4", ".1.2")), 0);
        assert_eq!(words("agent/tests/it/main.rs", "10.0.0.1 192.168.1.1 127.0.0.1"), 0);
    }
}
