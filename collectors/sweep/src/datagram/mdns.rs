//! mDNS (RFC 6762): which kinds of services a host announces (RFC 6763, section 9), and its name.

use super::Said;
use crate::text;

/// The most records of one reply that are read.
const RECORDS_MAX: usize = 128;
/// The most names and kinds of services that are kept of a host.
const KEPT_MAX: usize = 64;
/// The most jumps in a compressed name (RFC 1035, section 4.1.4): a longer chain is a circle.
const JUMPS_MAX: usize = 16;
/// The longest name (RFC 1035, section 2.3.4).
const NAME_BYTES_MAX: usize = 255;

const PTR: u16 = 12;
const SRV: u16 = 33;
const A: u16 = 1;
const AAAA: u16 = 28;

const SERVICES: [&str; 4] = ["_services", "_dns-sd", "_udp", "local"];

/// A question for all kinds of services, to be answered to the asker alone.
pub(super) fn question() -> Vec<u8> {
    let mut bytes = vec![0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    for label in SERVICES {
        bytes.push(u8::try_from(label.len()).unwrap_or_default());
        bytes.extend(label.as_bytes());
    }
    // The root, type PTR, class IN with the bit for a unicast answer.
    bytes.extend([0, 0, 12, 0x80, 1]);
    bytes
}

/// Takes what a reply says; whether it is one.
pub(super) fn read(bytes: &[u8], said: &mut Said) -> bool {
    let word =
        |place: usize| bytes.get(place..)?.first_chunk::<2>().map(|two| u16::from_be_bytes(*two));
    let (Some(flags), Some(questions)) = (word(2), word(4)) else { return false };
    if flags & 0x8000 == 0 {
        return false;
    }
    let counts = [word(6), word(8), word(10)];
    let records: usize = counts.into_iter().flatten().map(usize::from).sum();
    let mut place = 12;
    for _ in 0..usize::from(questions).min(RECORDS_MAX) {
        let Some((_, after)) = name(bytes, place) else { return false };
        place = after + 4;
    }
    for _ in 0..records.min(RECORDS_MAX) {
        let Some((owner, after)) = name(bytes, place) else { break };
        let (Some(kind), Some(length)) = (word(after), word(after + 8)) else { break };
        let data = after + 10;
        match kind {
            PTR => {
                if let Some((target, _)) = name(bytes, data) {
                    announced(&owner, &target, said);
                }
            }
            SRV => {
                if let Some((target, _)) = name(bytes, data + 6) {
                    keep(&mut said.names, text::host_name(&target));
                }
            }
            A | AAAA => keep(&mut said.names, text::host_name(&owner)),
            _ => {}
        }
        place = data + usize::from(length);
    }
    true
}

/// A kind of service that the list of kinds names, or of which there is an instance.
fn announced(owner: &str, target: &str, said: &mut Said) {
    let name = if owner.starts_with(SERVICES.join(".").as_str()) { target } else { owner };
    let kind = name.strip_suffix(".local").unwrap_or(name);
    let is_kind = kind.starts_with('_') && (kind.ends_with("._tcp") || kind.ends_with("._udp"));
    if is_kind && text::host_name(&kind.replace('_', "x")).is_some() {
        keep(&mut said.services, Some(kind.to_ascii_lowercase()));
    }
}

fn keep(list: &mut Vec<String>, value: Option<String>) {
    if let Some(value) = value
        && list.len() < KEPT_MAX
        && !list.contains(&value)
    {
        list.push(value);
    }
}

/// The name at a place, and where what follows it begins.
fn name(bytes: &[u8], mut place: usize) -> Option<(String, usize)> {
    let mut name = String::new();
    let mut after = None;
    let mut jumps = 0;
    loop {
        let length = *bytes.get(place)?;
        match length {
            0 => return Some((name, after.unwrap_or(place + 1))),
            1..=63 => {
                let label = bytes.get(place + 1..place + 1 + usize::from(length))?;
                if !name.is_empty() {
                    name.push('.');
                }
                name.push_str(&String::from_utf8_lossy(label));
                if name.len() > NAME_BYTES_MAX * 3 {
                    return None;
                }
                place += 1 + usize::from(length);
            }
            0xc0.. => {
                jumps += 1;
                if jumps > JUMPS_MAX {
                    return None;
                }
                after = after.or(Some(place + 2));
                let low = *bytes.get(place + 1)?;
                place = usize::from(length & 0x3f) << 8 | usize::from(low);
            }
            _ => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A reply with one kind of service, and the address record of the host.
    fn reply() -> Vec<u8> {
        let mut bytes = question();
        bytes[2] = 0x84;
        bytes[7] = 1;
        bytes[11] = 1;
        // PTR: owner by a jump to the question, target `_ipp._tcp.local`, the last label by a jump.
        bytes.extend([0xc0, 12, 0, 12, 0, 1, 0, 0, 0, 10, 0, 12]);
        bytes.extend(b"\x04_ipp\x04_tcp\xc0\x23");
        bytes
            .extend(b"\x07Printer\xc0\x23\x00\x01\x80\x01\x00\x00\x00\x78\x00\x04\xc0\x00\x02\x07");
        bytes
    }

    #[test]
    fn names_and_kinds_of_services_are_read() {
        let mut said = Said::default();
        assert!(read(&reply(), &mut said));
        assert_eq!(said.services, ["_ipp._tcp"]);
        assert_eq!(said.names, ["printer.local"]);
    }

    #[test]
    fn a_circle_of_names_ends() {
        let mut bytes = question();
        bytes[2] = 0x84;
        bytes[12] = 0xc0;
        bytes[13] = 12;
        assert!(!read(&bytes, &mut Said::default()));
        assert!(!read(&question(), &mut Said::default()), "a question is no reply");
    }

    proptest! {
        #[test]
        fn any_reply_is_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            read(&bytes, &mut Said::default());
        }

        #[test]
        fn a_mangled_reply_is_read_or_refused(place in 0_usize..100, byte in any::<u8>(), length in 0_usize..110) {
            let mut bytes = reply();
            if let Some(there) = bytes.get_mut(place) {
                *there = byte;
            }
            bytes.truncate(length);
            read(&bytes, &mut Said::default());
        }
    }
}
