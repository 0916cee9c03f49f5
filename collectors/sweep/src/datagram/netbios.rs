//! NetBIOS name status (RFC 1002, section 4.2.17 and 4.2.18): a host's name, its domain and its hardware address.

use super::Said;
use crate::text;

/// The most names of one reply that are read; Windows has fewer than ten.
const NAMES_MAX: usize = 32;

const NAME_BYTES: usize = 15;
const STATUS: u16 = 0x21;

/// A question for all names, to the name `*`.
pub(super) fn question() -> Vec<u8> {
    let mut bytes = vec![0x44, 0x48, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 32];
    // Each byte of the name as two letters (RFC 1001, section 14.1): `*`, then fifteen zeros.
    bytes.extend(b"CK");
    bytes.extend(b"AA".repeat(15));
    bytes.extend([0, 0, 0x21, 0, 1]);
    bytes
}

/// Takes what a reply says; whether it is one.
pub(super) fn read(bytes: &[u8], said: &mut Said) -> bool {
    reply(bytes, said).is_some()
}

fn reply(bytes: &[u8], said: &mut Said) -> Option<()> {
    let word =
        |place: usize| bytes.get(place..)?.first_chunk::<2>().map(|two| u16::from_be_bytes(*two));
    // An answer with one record: its flags, and a count of one.
    if word(2)? & 0x8000 == 0 || word(6)? != 1 {
        return None;
    }
    // The owner: the encoded name, or a jump to where it stood.
    let owner = match bytes.get(12)? {
        32 => 34,
        0xc0.. => 2,
        _ => return None,
    };
    let record = 12 + owner;
    if word(record)? != STATUS {
        return None;
    }
    let data = record + 10;
    let count = usize::from(*bytes.get(data)?).min(NAMES_MAX);
    let names = bytes.get(data + 1..)?;
    for entry in names.chunks_exact(18).take(count) {
        let (name, rest) = entry.split_at_checked(NAME_BYTES)?;
        let (kind, flags) = (*rest.first()?, *rest.get(1)?);
        let is_group = flags & 0x80 != 0;
        let name = text::printable(name, NAME_BYTES);
        let name = name.trim_matches(['·', ' ']);
        if name.is_empty() || text::host_name(&name.replace(' ', "-")).is_none() {
            continue;
        }
        match (kind, is_group) {
            (0, false) => {
                said.netbios_name.get_or_insert_with(|| name.to_owned());
            }
            (0, true) => {
                said.workgroup.get_or_insert_with(|| name.to_owned());
            }
            _ => {}
        }
    }
    let count = usize::from(*bytes.get(data)?);
    if let Some(mac) = bytes.get(data + 1 + count * 18..).and_then(|rest| rest.first_chunk::<6>())
        && *mac != [0; 6]
    {
        let octets: Vec<String> = mac.iter().map(|octet| format!("{octet:02x}")).collect();
        said.mac_address = Some(octets.join(":"));
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn status() -> Vec<u8> {
        let mut bytes = question();
        bytes[2] = 0x84;
        bytes[5] = 0;
        bytes[7] = 1;
        bytes.extend([0, 0, 0, 0, 0, 61, 3]);
        for (name, kind, flags) in [("FILES1", 0, 4), ("OFFICE", 0, 0x84), ("FILES1", 0x20, 4)] {
            bytes.extend(format!("{name:<15}").as_bytes());
            bytes.extend([kind, flags, 0]);
        }
        bytes.extend([0, 0, 0x5e, 0, 0x53, 7]);
        bytes
    }

    #[test]
    fn name_domain_and_hardware_address_are_read() {
        let mut said = Said::default();
        assert!(read(&status(), &mut said));
        assert_eq!(said.netbios_name.as_deref(), Some("FILES1"));
        assert_eq!(said.workgroup.as_deref(), Some("OFFICE"));
        assert_eq!(said.mac_address.as_deref(), Some("00:00:5e:00:53:07"));
    }

    #[test]
    fn a_question_is_no_reply_and_a_hostile_name_is_no_name() {
        assert!(!read(&question(), &mut Said::default()));
        let mut bytes = status();
        let at = question().len() + 7;
        bytes[at..at + 6].copy_from_slice(b"<b>\x1b[m");
        let mut said = Said::default();
        read(&bytes, &mut said);
        assert_eq!(said.netbios_name, None);
    }

    proptest! {
        #[test]
        fn any_status_is_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            read(&bytes, &mut Said::default());
        }

        #[test]
        fn a_mangled_status_is_read_or_refused(place in 0_usize..120, byte in any::<u8>(), length in 0_usize..130) {
            let mut bytes = status();
            if let Some(there) = bytes.get_mut(place) {
                *there = byte;
            }
            bytes.truncate(length);
            read(&bytes, &mut Said::default());
        }
    }
}
