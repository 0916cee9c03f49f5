//! The system calls that describe the running host where no file does.
//!
//! The only module of the machine half with unsafe code; each block says why it is sound. Nothing here interprets
//! what the kernel answers beyond its outermost structure.

#![expect(unsafe_code, reason = "system calls without a safe wrapper in our dependencies")]

use std::ffi::CString;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// Sizes of a mounted file system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Space {
    /// All of it.
    pub(super) capacity_bytes: u64,
    /// In use.
    pub(super) used_bytes: u64,
    /// Left to users without privileges.
    pub(super) available_bytes: u64,
    /// Inodes that there can be; zero where the file system makes them as needed.
    pub(super) files_max_count: u64,
    /// Inodes in use.
    pub(super) files_count: u64,
}

/// The machine architecture, as `uname -m` names it.
pub(super) fn architecture() -> Option<String> {
    // SAFETY: utsname is plain data, for which all zeros are valid; uname only writes into it.
    let name = unsafe {
        let mut name: libc::utsname = std::mem::zeroed();
        if libc::uname(&raw mut name) != 0 {
            return None;
        }
        name
    };
    let machine: Vec<u8> = name
        .machine
        .iter()
        .take_while(|letter| **letter != 0)
        .map(|letter| letter.cast_unsigned())
        .collect();
    String::from_utf8(machine).ok().filter(|machine| !machine.is_empty())
}

/// The sizes of the file system mounted at `path`.
///
/// Waits as long as the file system does: the caller asks only for those that lie on this host.
pub(super) fn space(path: &Path) -> io::Result<Space> {
    let path = CString::new(path.as_os_str().as_bytes())?;
    // SAFETY: statvfs is plain data, for which all zeros are valid; the call reads a terminated string that
    // lives until it returns, and writes only into the structure.
    let answer = unsafe {
        let mut answer: libc::statvfs = std::mem::zeroed();
        if libc::statvfs(path.as_ptr(), &raw mut answer) != 0 {
            return Err(io::Error::last_os_error());
        }
        answer
    };
    let bytes = |blocks: u64| blocks.saturating_mul(answer.f_frsize);
    Ok(Space {
        capacity_bytes: bytes(answer.f_blocks),
        used_bytes: bytes(answer.f_blocks.saturating_sub(answer.f_bfree)),
        available_bytes: bytes(answer.f_bavail),
        files_max_count: answer.f_files,
        files_count: answer.f_files.saturating_sub(answer.f_ffree),
    })
}

/// The letters by which a hypervisor names itself: CPUID leaf 0x40000000.
#[cfg(target_arch = "x86_64")]
pub(super) fn hypervisor_leaf() -> [u8; 12] {
    // CPUID exists on every x86-64 processor, and an unknown leaf gives some other leaf's numbers.
    #[allow(unused_unsafe, reason = "newer compilers know that the instruction is always there")]
    // SAFETY: see above; the instruction only writes registers.
    let leaf = unsafe { core::arch::x86_64::__cpuid(0x4000_0000) };
    let mut letters = [0; 12];
    let words = [leaf.ebx, leaf.ecx, leaf.edx];
    for (place, word) in letters.chunks_exact_mut(4).zip(words) {
        place.copy_from_slice(&word.to_le_bytes());
    }
    letters
}

/// The most bytes of one netlink answer that are read; 10,000 routes make some 1.2 MB.
const NETLINK_BYTES_MAX: usize = 64 * 1024 * 1024;
/// The buffer for one packet of a netlink answer; the kernel packs up to 32 KiB into it.
const NETLINK_BUFFER_BYTES: usize = 64 * 1024;
/// How long the kernel may take for a packet. It answers at once; a bound is still a bound.
const NETLINK_TIMEOUT_SECONDS: libc::time_t = 5;
/// How often a dump is asked for again that the kernel says was disturbed by a change.
const NETLINK_ATTEMPTS_MAX: usize = 3;

/// What a netlink dump is asked for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Question<'a> {
    /// The protocol, such as `NETLINK_ROUTE`.
    pub(super) protocol: libc::c_int,
    /// The message's type.
    pub(super) kind: u16,
    /// The message's body.
    pub(super) body: &'a [u8],
}

/// Asks the kernel for everything of a kind; `each` gets type and body of every message of the answer.
pub(super) fn netlink_dump(
    question: Question<'_>,
    each: &mut dyn FnMut(u16, &[u8]),
) -> io::Result<()> {
    let socket = netlink_socket(question.protocol)?;
    let mut answer = Vec::new();
    for _ in 0..NETLINK_ATTEMPTS_MAX {
        answer.clear();
        send(&socket, &netlink_request(question.kind, question.body)?)?;
        if receive_dump(&socket, &mut answer)? {
            break;
        }
    }
    super::netlink::for_each_message(&answer, |kind, body| each(kind, body));
    Ok(())
}

fn netlink_socket(protocol: libc::c_int) -> io::Result<OwnedFd> {
    // SAFETY: socket takes no pointers; a descriptor that is not negative is new and owned by no one else.
    let socket = unsafe {
        let raw = libc::socket(libc::AF_NETLINK, libc::SOCK_RAW | libc::SOCK_CLOEXEC, protocol);
        if raw < 0 {
            return Err(io::Error::last_os_error());
        }
        OwnedFd::from_raw_fd(raw)
    };
    let timeout = libc::timeval { tv_sec: NETLINK_TIMEOUT_SECONDS, tv_usec: 0 };
    // SAFETY: the option's value is a timeval that lives until the call returns, and its size is given.
    let set = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_RCVTIMEO,
            (&raw const timeout).cast(),
            libc::socklen_t::try_from(size_of::<libc::timeval>()).unwrap_or(0),
        )
    };
    if set != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(socket)
}

/// A request for a dump: header (length, type, flags, sequence, port) and body.
fn netlink_request(kind: u16, body: &[u8]) -> io::Result<Vec<u8>> {
    const FLAGS: u16 = 0x0001 | 0x0300; // NLM_F_REQUEST | NLM_F_DUMP
    let length = u32::try_from(super::netlink::HEADER_BYTES + body.len())
        .map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
    let mut request = length.to_ne_bytes().to_vec();
    request.extend_from_slice(&kind.to_ne_bytes());
    request.extend_from_slice(&FLAGS.to_ne_bytes());
    request.extend_from_slice(&1_u32.to_ne_bytes());
    request.extend_from_slice(&0_u32.to_ne_bytes());
    request.extend_from_slice(body);
    Ok(request)
}

fn send(socket: &OwnedFd, request: &[u8]) -> io::Result<()> {
    // SAFETY: pointer and length are those of a live slice. A netlink socket that was not connected sends to
    // the kernel.
    let sent = unsafe {
        libc::send(socket.as_raw_fd(), request.as_ptr().cast(), request.len(), libc::MSG_NOSIGNAL)
    };
    if usize::try_from(sent) == Ok(request.len()) { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Receives a whole dump; whether it was undisturbed.
fn receive_dump(socket: &OwnedFd, answer: &mut Vec<u8>) -> io::Result<bool> {
    let mut buffer = vec![0_u8; NETLINK_BUFFER_BYTES];
    let mut is_whole = true;
    loop {
        // SAFETY: pointer and length are those of a live buffer that nothing else uses meanwhile.
        let received = unsafe {
            libc::recv(socket.as_raw_fd(), buffer.as_mut_ptr().cast(), buffer.len(), 0)
        };
        let Ok(length) = usize::try_from(received) else {
            return Err(io::Error::last_os_error());
        };
        let packet = buffer.get(..length).unwrap_or_default();
        let end = super::netlink::end_of_dump(packet)?;
        is_whole &= !end.is_disturbed;
        answer.extend_from_slice(packet);
        if end.is_done {
            return Ok(is_whole);
        }
        if length == 0 || answer.len() > NETLINK_BYTES_MAX {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "the kernel's answer has no end"));
        }
    }
}
