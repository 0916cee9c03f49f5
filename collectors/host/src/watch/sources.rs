//! The kernel's event sources: rtnetlink's multicast groups and inotify.
//!
//! Each block of unsafe code says why it is sound. The events' bytes are parsed by a pure function.

#![expect(unsafe_code, reason = "system calls without a safe wrapper in our dependencies")]

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::CString;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// What is watched of one directory.
#[derive(Clone, Copy, Debug)]
pub(super) struct Watched {
    /// The directory.
    pub(super) directory: &'static str,
    /// The names in it that count; all of them when empty.
    pub(super) names: &'static [&'static str],
    /// The scopes that a change is about.
    pub(super) scopes: &'static [&'static str],
}

/// Takes a descriptor that a system call just made.
fn owned(raw: libc::c_int) -> io::Result<OwnedFd> {
    if raw < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the callers pass what a call that makes a descriptor returned, and no one else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(raw) })
}

/// Lets the runtime wake whoever waits for a descriptor.
pub(super) fn register(descriptor: OwnedFd, interest: Interest) -> io::Result<AsyncFd<OwnedFd>> {
    // SAFETY: an OwnedFd is the only owner of an open descriptor and keeps it open until it is dropped, which is
    // when the registration is dropped, too.
    unsafe { AsyncFd::register_with_interest(descriptor, interest) }.map_err(io::Error::from)
}

/// A socket that tells of links, addresses and routes.
pub(super) fn network_events() -> io::Result<OwnedFd> {
    const GROUPS: libc::c_int = libc::RTMGRP_LINK
        | libc::RTMGRP_IPV4_IFADDR
        | libc::RTMGRP_IPV6_IFADDR
        | libc::RTMGRP_IPV4_ROUTE
        | libc::RTMGRP_IPV6_ROUTE;
    // SAFETY: socket takes no pointers.
    let raw = unsafe {
        libc::socket(
            libc::AF_NETLINK,
            libc::SOCK_RAW | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK,
            libc::NETLINK_ROUTE,
        )
    };
    let socket = owned(raw)?;
    // SAFETY: sockaddr_nl is plain data, for which all zeros are valid.
    let mut address: libc::sockaddr_nl = unsafe { std::mem::zeroed() };
    address.nl_family = libc::sa_family_t::try_from(libc::AF_NETLINK).unwrap_or_default();
    address.nl_groups = GROUPS.cast_unsigned();
    let length = libc::socklen_t::try_from(size_of::<libc::sockaddr_nl>()).unwrap_or_default();
    // SAFETY: the address lives until the call returns, and its size is given.
    let bound = unsafe { libc::bind(socket.as_raw_fd(), (&raw const address).cast(), length) };
    if bound == 0 { Ok(socket) } else { Err(io::Error::last_os_error()) }
}

/// A queue of events about files.
pub(super) fn file_events() -> io::Result<OwnedFd> {
    // SAFETY: inotify_init1 takes no pointers.
    owned(unsafe { libc::inotify_init1(libc::IN_NONBLOCK | libc::IN_CLOEXEC) })
}

/// Reads what a descriptor has, without waiting.
pub(super) fn read(from: &OwnedFd, buffer: &mut [u8]) -> io::Result<usize> {
    // SAFETY: pointer and length are those of a live buffer that nothing else uses meanwhile.
    let length = unsafe { libc::read(from.as_raw_fd(), buffer.as_mut_ptr().cast(), buffer.len()) };
    match usize::try_from(length) {
        Ok(0) => Err(io::ErrorKind::UnexpectedEof.into()),
        Ok(length) => Ok(length),
        Err(_) => Err(io::Error::last_os_error()),
    }
}

/// Which directory each of the kernel's numbers stands for.
#[derive(Debug, Default)]
pub(super) struct Files {
    directories: BTreeMap<i32, &'static str>,
}

impl Files {
    /// Begins to watch the directories that are there.
    pub(super) fn arm(&mut self, events: &OwnedFd) {
        const MASK: u32 = libc::IN_CREATE
            | libc::IN_DELETE
            | libc::IN_CLOSE_WRITE
            | libc::IN_MOVED_FROM
            | libc::IN_MOVED_TO
            | libc::IN_ATTRIB
            | libc::IN_ONLYDIR;
        let directories: BTreeSet<&str> =
            super::WATCHED.iter().map(|watched| watched.directory).collect();
        for directory in directories {
            let Ok(path) = CString::new(directory) else { continue };
            // SAFETY: the path is a terminated string that lives until the call returns.
            let number =
                unsafe { libc::inotify_add_watch(events.as_raw_fd(), path.as_ptr(), MASK) };
            // A directory that is not there, or beyond the user's limit, is tried again later.
            if number >= 0 {
                self.directories.insert(number, directory);
            }
        }
    }

    /// Adds the scopes that these events are about.
    pub(super) fn scopes_of(&mut self, bytes: &[u8], scopes: &mut BTreeSet<&'static str>) {
        for event in parse(bytes) {
            if event.mask & libc::IN_Q_OVERFLOW != 0 {
                // Events were lost: anything may have changed.
                scopes.extend(super::WATCHED.iter().flat_map(|watched| watched.scopes));
                continue;
            }
            let Some(directory) = self.directories.get(&event.number).copied() else { continue };
            if event.mask & libc::IN_IGNORED != 0 {
                self.directories.remove(&event.number);
            }
            for watched in super::WATCHED.iter().filter(|watched| watched.directory == directory) {
                let counts = watched.names.is_empty() || watched.names.contains(&event.name);
                if counts && !event.name.ends_with(".swp") && !event.name.ends_with('~') {
                    scopes.extend(watched.scopes);
                }
            }
        }
    }
}

/// One event about a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Event<'a> {
    number: i32,
    mask: u32,
    name: &'a str,
}

/// The events in what inotify gave: number, mask, cookie, length of the name, name.
fn parse(mut bytes: &[u8]) -> Vec<Event<'_>> {
    const HEADER_BYTES: usize = 16;
    let mut events = Vec::new();
    while let Some(header) = bytes.first_chunk::<HEADER_BYTES>() {
        let word = |place: usize| {
            header
                .get(place..)
                .and_then(|rest| rest.first_chunk())
                .map_or(0, |word| u32::from_ne_bytes(*word))
        };
        let Some(end) =
            usize::try_from(word(12)).ok().and_then(|length| length.checked_add(HEADER_BYTES))
        else {
            break;
        };
        let Some(name) = bytes.get(HEADER_BYTES..end) else { break };
        let name = name.split(|byte| *byte == 0).next().unwrap_or_default();
        events.push(Event {
            number: word(0).cast_signed(),
            mask: word(4),
            name: std::str::from_utf8(name).unwrap_or_default(),
        });
        bytes = bytes.get(end..).unwrap_or_default();
    }
    events
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn event(number: i32, mask: u32, name: &[u8]) -> Vec<u8> {
        let mut bytes = number.to_ne_bytes().to_vec();
        bytes.extend(mask.to_ne_bytes());
        bytes.extend(0_u32.to_ne_bytes());
        bytes.extend(u32::try_from(name.len()).unwrap().to_ne_bytes());
        bytes.extend(name);
        bytes
    }

    fn scopes(bytes: &[u8]) -> BTreeSet<&'static str> {
        let mut files = Files::default();
        files.directories.insert(1, "/etc");
        files.directories.insert(2, "/var/lib/dpkg");
        let mut scopes = BTreeSet::new();
        files.scopes_of(bytes, &mut scopes);
        scopes
    }

    #[test]
    fn only_names_that_count_change_a_scope() {
        assert_eq!(scopes(&event(1, libc::IN_MOVED_TO, b"motd\0\0\0\0")), BTreeSet::new());
        let bytes = [
            event(1, libc::IN_MOVED_TO, b"passwd\0\0"),
            event(2, libc::IN_MOVED_TO, b"status\0\0"),
        ];
        assert_eq!(scopes(&bytes.concat()), BTreeSet::from(["accounts", "packages.dpkg"]));
    }

    #[test]
    fn lost_events_change_every_scope() {
        assert!(scopes(&event(-1, libc::IN_Q_OVERFLOW, b"")).contains("units"));
    }

    proptest! {
        #[test]
        fn any_bytes_give_an_answer(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
            parse(&bytes);
            scopes(&bytes);
        }
    }
}
