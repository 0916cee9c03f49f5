//! Asking the kernel for sockets by sock_diag(7), which is many times cheaper than its text tables: those walk the
//! whole hash table of connections for each file, and have a lock for each of its buckets.
//!
//! The kernel may lack the module, or refuse; the caller then reads the tables. Sockets of another network namespace
//! are asked for by a thread of its own that enters it, so that no other thread ever leaves its own.

#![expect(
    unsafe_code,
    reason = "netlink sockets and setns have no safe form in the standard library"
)]

use super::sockets::Line;
use std::fs::File;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::path::Path;

/// An answer comes in packets of at most 32 KiB.
const PACKET_BYTES_MAX: usize = 64 * 1024;

/// The most packets of one answer; each holds some hundred sockets.
const PACKETS_MAX: usize = 4096;

/// The kernel answers at once; a limit keeps a lost packet from holding up the look.
const SECONDS_MAX: i64 = 1;

const MESSAGE_HEADER_BYTES: usize = 16;
const ERROR: u16 = 2;
const DONE: u16 = 3;
const BY_FAMILY: u16 = 20;
const REQUEST_AND_DUMP: u16 = 0x301;

/// States that are of use: established, closed (UDP without a far end), close-wait, listening.
const STATES: u32 = 1 << 1 | 1 << 7 | 1 << 8 | 1 << 10;

/// Sockets with the name of their protocol.
pub(super) type Lines = Vec<(&'static str, Line)>;

/// The sockets of the namespace that this thread is in.
pub(super) fn dump() -> io::Result<Lines> {
    let socket = socket()?;
    let mut lines = Vec::new();
    for (name, protocol) in [("tcp", libc::IPPROTO_TCP), ("udp", libc::IPPROTO_UDP)] {
        for family in [libc::AF_INET, libc::AF_INET6] {
            let protocol = u8::try_from(protocol).unwrap_or_default();
            send(&socket, &question(u8::try_from(family).unwrap_or_default(), protocol))?;
            receive(&socket, |line| lines.push((name, line)))?;
        }
    }
    Ok(lines)
}

/// The sockets of other namespaces, each named by the path of its file; those that may not be entered give errors.
pub(super) fn dump_of(namespaces: &[std::path::PathBuf]) -> Vec<io::Result<Lines>> {
    let all = || namespaces.iter().map(|path| enter(path).and_then(|()| dump())).collect();
    // The thread ends with the look, and with it its place in a foreign namespace.
    std::thread::scope(|scope| scope.spawn(all).join()).unwrap_or_default()
}

fn enter(path: &Path) -> io::Result<()> {
    let file = File::open(path)?;
    // SAFETY: the descriptor is open; the call changes only the network namespace of this thread.
    if unsafe { libc::setns(file.as_raw_fd(), libc::CLONE_NEWNET) } < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

fn socket() -> io::Result<OwnedFd> {
    let kind = libc::SOCK_RAW | libc::SOCK_CLOEXEC;
    // SAFETY: the call takes no pointer.
    let descriptor = unsafe { libc::socket(libc::AF_NETLINK, kind, libc::NETLINK_SOCK_DIAG) };
    if descriptor < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the call just gave us this descriptor, nobody else has it.
    let socket = unsafe { OwnedFd::from_raw_fd(descriptor) };
    let limit = libc::timeval { tv_sec: SECONDS_MAX, tv_usec: 0 };
    let length = u32::try_from(size_of::<libc::timeval>()).unwrap_or_default();
    // SAFETY: the option takes a timeval of that size, which lives until the call returns.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_RCVTIMEO,
            (&raw const limit).cast(),
            length,
        )
    };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(socket) }
}

/// The question for all sockets of a family and protocol: a message header and `inet_diag_req_v2`.
fn question(family: u8, protocol: u8) -> Vec<u8> {
    const REQUEST_BYTES: usize = 56;
    let length = MESSAGE_HEADER_BYTES + REQUEST_BYTES;
    let mut message = Vec::with_capacity(length);
    message.extend(u32::try_from(length).unwrap_or_default().to_ne_bytes());
    message.extend(BY_FAMILY.to_ne_bytes());
    message.extend(REQUEST_AND_DUMP.to_ne_bytes());
    // Number of the question and of the port: one question at a time needs none.
    message.extend([0; 8]);
    message.extend([family, protocol, 0, 0]);
    message.extend(STATES.to_ne_bytes());
    message.resize(length, 0);
    message
}

fn send(socket: &OwnedFd, message: &[u8]) -> io::Result<()> {
    // SAFETY: the descriptor is open and the pointer leads to `message.len()` bytes.
    let count =
        unsafe { libc::send(socket.as_raw_fd(), message.as_ptr().cast(), message.len(), 0) };
    if count < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Takes packets until the answer ends.
fn receive(socket: &OwnedFd, mut each: impl FnMut(Line)) -> io::Result<()> {
    let mut packet = vec![0_u8; PACKET_BYTES_MAX];
    for _ in 0..PACKETS_MAX {
        // SAFETY: the descriptor is open and the kernel writes at most `packet.len()` bytes into the buffer.
        let count =
            unsafe { libc::recv(socket.as_raw_fd(), packet.as_mut_ptr().cast(), packet.len(), 0) };
        let count = usize::try_from(count).map_err(|_| io::Error::last_os_error())?;
        if read_packet(packet.get(..count).unwrap_or_default(), &mut each)? {
            return Ok(());
        }
    }
    Err(io::Error::new(io::ErrorKind::InvalidData, "an answer without end"))
}

/// Reads the messages of a packet; whether the answer ended.
fn read_packet(mut bytes: &[u8], each: &mut impl FnMut(Line)) -> io::Result<bool> {
    let malformed = || io::Error::new(io::ErrorKind::InvalidData, "malformed netlink message");
    while !bytes.is_empty() {
        let length = number(bytes, 0)
            .and_then(|length| usize::try_from(length).ok())
            .ok_or_else(malformed)?;
        let body = bytes.get(MESSAGE_HEADER_BYTES..length).ok_or_else(malformed)?;
        let kind =
            bytes.get(4..).and_then(<[u8]>::first_chunk).map(|kind| u16::from_ne_bytes(*kind));
        match kind {
            Some(DONE) => return Ok(true),
            Some(ERROR) => {
                let code = number(body, 0).map_or(0, u32::cast_signed).wrapping_neg();
                return Err(io::Error::from_raw_os_error(code));
            }
            Some(BY_FAMILY) => {
                if let Some(line) = parse(body) {
                    each(line);
                }
            }
            _ => {}
        }
        // Messages begin at multiples of four.
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    Ok(false)
}

/// Parses `inet_diag_msg`.
fn parse(body: &[u8]) -> Option<Line> {
    let family = i32::from(*body.first()?);
    let port = |place: usize| -> Option<u16> {
        Some(u16::from_be_bytes(*body.get(place..)?.first_chunk()?))
    };
    let address = |place: usize| -> Option<IpAddr> {
        let bytes: [u8; 16] = *body.get(place..)?.first_chunk()?;
        match family {
            libc::AF_INET6 => Some(IpAddr::V6(Ipv6Addr::from(bytes))),
            libc::AF_INET => bytes.first_chunk::<4>().map(|four| IpAddr::V4(Ipv4Addr::from(*four))),
            _ => None,
        }
    };
    Some(Line {
        local: (address(8)?, port(4)?),
        remote: (address(24)?, port(6)?),
        state: *body.get(1)?,
        uid: number(body, 64)?,
        inode: u64::from(number(body, 68)?),
    })
}

fn number(bytes: &[u8], place: usize) -> Option<u32> {
    bytes.get(place..)?.first_chunk().map(|bytes| u32::from_ne_bytes(*bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_listener_and_both_halves_of_a_connection_are_in_the_answer() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let client = std::net::TcpStream::connect(address).unwrap();
        let lines = dump().unwrap();
        let end = (address.ip(), address.port());
        let client_end = (client.local_addr().unwrap().ip(), client.local_addr().unwrap().port());
        let has = |test: &dyn Fn(&Line) -> bool| {
            lines.iter().any(|(name, line)| *name == "tcp" && test(line))
        };
        assert!(has(&|line| line.local == end && line.state == 10 && line.inode != 0));
        assert!(has(&|line| line.local == client_end && line.remote == end && line.state == 1));
    }

    #[test]
    fn a_namespace_that_is_not_there_is_an_error_and_we_stay_where_we_are() {
        let ours = std::fs::read_link("/proc/thread-self/ns/net").unwrap();
        let answers = dump_of(&["/proc/self/ns/none".into()]);
        assert!(answers.len() == 1 && answers[0].is_err());
        assert_eq!(std::fs::read_link("/proc/thread-self/ns/net").unwrap(), ours);
    }

    proptest! {
        #[test]
        fn any_packet_is_read_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            drop(read_packet(&bytes, &mut |_| ()));
            parse(&bytes);
        }

        #[test]
        fn a_message_of_any_body_is_read_without_panic(body in prop::collection::vec(any::<u8>(), 0..100), kind in 0_u16..30) {
            let mut bytes = u32::try_from(body.len() + 16).unwrap().to_ne_bytes().to_vec();
            bytes.extend(kind.to_ne_bytes());
            bytes.extend([0; 10]);
            bytes.extend(body);
            drop(read_packet(&bytes, &mut |_| ()));
        }
    }
}
