//! The kernel's table of neighbors: which hardware address answers for an address of the local segment.
//!
//! Having asked an address for anything, the kernel has resolved it by ARP (RFC 826) or neighbor discovery (RFC 4861):
//! what it knows is read, nothing is sent. An address that resolved is there, even when it answers nothing else.

use std::collections::HashMap;
use std::net::IpAddr;

/// The most entries that are read: the kernel's own hard limit is far below, unless somebody raised it.
const NEIGHBORS_MAX: usize = 1 << 17;

/// The hardware addresses of neighbors that are reachable or were a moment ago.
#[cfg(target_os = "linux")]
pub(crate) fn read() -> HashMap<IpAddr, String> {
    let mut found = HashMap::new();
    // Both are empty where the kernel does not answer.
    for family in [libc::AF_INET, libc::AF_INET6] {
        linux::dump(family, &mut found).unwrap_or_default();
    }
    found
}

/// Other systems are not asked.
#[cfg(not(target_os = "linux"))]
pub(crate) fn read() -> HashMap<IpAddr, String> {
    HashMap::new()
}

#[cfg(target_os = "linux")]
mod linux {
    use super::NEIGHBORS_MAX;
    use socket2::{Domain, Protocol, Socket, Type};
    use std::collections::HashMap;
    use std::io::{self, Read};
    use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
    use std::time::Duration;

    /// rtnetlink(7): ask for all neighbors, one of them, and the end.
    const GET_NEIGHBORS: u16 = 30;
    const NEIGHBOR: u16 = 28;
    const DONE: u16 = 3;
    const ERROR: u16 = 2;

    /// A request, for all entries.
    const REQUEST_DUMP: u16 = 0x301;

    /// States in which the hardware address is believed: reachable, stale, delay, probe, permanent.
    const STATES: u16 = 0x02 | 0x04 | 0x08 | 0x10 | 0x80;

    const HEADER_BYTES: usize = 16;
    /// `struct ndmsg`.
    const BODY_BYTES: usize = 12;
    const ADDRESS: u16 = 1;
    const HARDWARE_ADDRESS: u16 = 2;

    /// Larger than what the kernel puts into one message.
    const BUFFER_BYTES: usize = 64 << 10;

    pub(super) fn dump(family: i32, found: &mut HashMap<IpAddr, String>) -> io::Result<()> {
        let socket = Socket::new(
            Domain::from(libc::AF_NETLINK),
            Type::RAW,
            Some(Protocol::from(libc::NETLINK_ROUTE)),
        )?;
        socket.set_read_timeout(Some(Duration::from_secs(2)))?;
        let length = u32::try_from(HEADER_BYTES + BODY_BYTES).unwrap_or_default();
        let mut question = length.to_ne_bytes().to_vec();
        question.extend(GET_NEIGHBORS.to_ne_bytes());
        question.extend(REQUEST_DUMP.to_ne_bytes());
        question.extend([0; 8]);
        question.push(u8::try_from(family).unwrap_or_default());
        question.extend([0; BODY_BYTES - 1]);
        socket.send(&question)?;
        let mut buffer = vec![0; BUFFER_BYTES];
        while found.len() < NEIGHBORS_MAX {
            let length = (&socket).read(&mut buffer)?;
            if length == 0 || !parse(buffer.get(..length).unwrap_or_default(), found) {
                return Ok(());
            }
        }
        Ok(())
    }

    fn word(bytes: &[u8], place: usize) -> Option<u16> {
        Some(u16::from_ne_bytes(*bytes.get(place..)?.first_chunk()?))
    }

    /// Takes the entries of a packet; whether more packets follow.
    pub(super) fn parse(mut bytes: &[u8], found: &mut HashMap<IpAddr, String>) -> bool {
        while let Some(length) = bytes.first_chunk::<4>() {
            let Ok(length) = usize::try_from(u32::from_ne_bytes(*length)) else { return false };
            let (Some(kind), Some(body)) = (word(bytes, 4), bytes.get(HEADER_BYTES..length)) else {
                return false;
            };
            match kind {
                DONE | ERROR => return false,
                NEIGHBOR => {
                    found.extend(neighbor(body));
                }
                _ => {}
            }
            bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
        }
        true
    }

    fn neighbor(body: &[u8]) -> Option<(IpAddr, String)> {
        if word(body, 8)? & STATES == 0 {
            return None;
        }
        let mut rest = body.get(BODY_BYTES..)?;
        let (mut address, mut hardware) = (None, None);
        while let (Some(length), Some(kind)) = (word(rest, 0), word(rest, 2)) {
            let length = usize::from(length);
            let Some(value) = rest.get(4..length) else { break };
            match (kind, value.len()) {
                (ADDRESS, 4) => {
                    address =
                        value.first_chunk().map(|at: &[u8; 4]| IpAddr::from(Ipv4Addr::from(*at)))
                }
                (ADDRESS, 16) => {
                    address =
                        value.first_chunk().map(|at: &[u8; 16]| IpAddr::from(Ipv6Addr::from(*at)))
                }
                (HARDWARE_ADDRESS, 6) if value != [0; 6] => {
                    let octets: Vec<String> =
                        value.iter().map(|octet| format!("{octet:02x}")).collect();
                    hardware = Some(octets.join(":"));
                }
                _ => {}
            }
            rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
        }
        Some((address?, hardware?))
    }

    #[cfg(test)]
    mod tests {
        use super::*;
        use proptest::prelude::*;

        fn message(state: u16, mac: [u8; 6]) -> Vec<u8> {
            let mut body = vec![2, 0, 0, 0, 1, 0, 0, 0];
            body.extend(state.to_ne_bytes());
            body.extend([0, 0]);
            for (kind, value) in [(ADDRESS, vec![192, 0, 2, 9]), (HARDWARE_ADDRESS, mac.to_vec())] {
                body.extend(u16::try_from(value.len() + 4).unwrap().to_ne_bytes());
                body.extend(kind.to_ne_bytes());
                body.extend(&value);
                body.resize(body.len().next_multiple_of(4), 0);
            }
            let mut all = u32::try_from(body.len() + 16).unwrap().to_ne_bytes().to_vec();
            all.extend(NEIGHBOR.to_ne_bytes());
            all.extend([0; 10]);
            all.extend(body);
            all
        }

        #[test]
        fn a_neighbor_that_did_not_resolve_is_none() {
            let mut found = HashMap::new();
            // Incomplete, failed, and one without an address.
            assert!(parse(&message(1, [0, 0, 0x5e, 0, 0x53, 1]), &mut found));
            assert!(parse(&message(0x20, [0, 0, 0x5e, 0, 0x53, 1]), &mut found));
            assert!(parse(&message(2, [0; 6]), &mut found));
            assert_eq!(found.len(), 0);
            parse(&message(2, [0, 0, 0x5e, 0, 0x53, 1]), &mut found);
            assert_eq!(found["192.0.2.9".parse::<IpAddr>().as_ref().unwrap()], "00:00:5e:00:53:01");
        }

        #[test]
        fn the_running_kernel_answers() {
            dump(libc::AF_INET, &mut HashMap::new()).unwrap();
        }

        proptest! {
            #[test]
            fn any_packet_is_read_or_left(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
                parse(&bytes, &mut HashMap::new());
            }

            #[test]
            fn a_mangled_packet_is_read_or_left(place in 0_usize..60, byte in any::<u8>()) {
                let mut bytes = message(2, [0, 0, 0x5e, 0, 0x53, 1]);
                if let Some(there) = bytes.get_mut(place) {
                    *there = byte;
                }
                parse(&bytes, &mut HashMap::new());
            }
        }
    }
}
