//! The sockets of each network namespace: asked of the kernel, or from /proc/net where that is not possible.
//!
//! A TCP socket in `LISTEN` and an unconnected UDP socket are listeners; a connected socket whose local end is one
//! of the listeners was accepted there, any other was opened by its process. UDP sockets on a port that the kernel
//! picked are the client's half of some question, and no listeners.

use super::super::directory::Directory;
use super::diag::{self, Lines};
use super::table::Table;
use model::classes::listening_endpoint;
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::PathBuf;

/// The most sockets of a host that are looked at.
pub(super) const SOCKETS_MAX: usize = 60_000;

/// The most namespaces whose sockets are read; each running container has one.
const NAMESPACES_MAX: usize = 1024;

/// The largest table of /proc/net that is read; a line has 150 bytes.
const TABLE_BYTES_MAX: usize = 16 << 20;

/// The first port that the kernel picks by itself, unless the host says otherwise.
const EPHEMERAL_FIRST: u16 = 32_768;
/// The last such port.
const EPHEMERAL_LAST: u16 = 60_999;

/// A network namespace, by its inode; zero for the host's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Namespace(pub(super) u64);

impl Namespace {
    /// The namespace of the host itself.
    pub(super) const HOST: Self = Self(0);
}

/// Something that waits for connections or packets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Listener {
    pub(super) namespace: Namespace,
    pub(super) protocol: &'static str,
    pub(super) address: IpAddr,
    pub(super) port: u16,
    pub(super) uid: u32,
    /// Connections that were accepted on it and are open.
    pub(super) accepted: u64,
}

impl Listener {
    /// The native key of the item, in a namespace of that name.
    pub(super) fn native_key(&self, label: &str) -> String {
        model::observation::part_key(
            &listening_endpoint::CLASS,
            crate::HOST,
            &[label, self.protocol, &self.address.to_string(), &self.port.to_string()],
        )
    }
}

/// The far end of a connection: protocol, address, port.
pub(super) type Remote = (&'static str, IpAddr, u16);

/// All sockets.
#[derive(Debug, Default)]
pub(super) struct SocketTable {
    pub(super) listeners: Vec<Listener>,
    pub(super) is_cut: bool,
    listener_inodes: BTreeMap<u64, usize>,
    connections: BTreeMap<u64, Remote>,
    namespaces: BTreeSet<Namespace>,
    labels: BTreeMap<Namespace, String>,
}

impl SocketTable {
    /// The sockets whose processes are looked for.
    pub(super) fn inodes(&self) -> BTreeSet<u64> {
        self.listener_inodes.keys().chain(self.connections.keys()).copied().collect()
    }

    /// Whether any socket of interest is in that namespace.
    pub(super) fn has_sockets(&self, namespace: Namespace) -> bool {
        self.namespaces.contains(&namespace)
    }

    /// The listener that a socket is, by its place.
    pub(super) fn listener_of(&self, inode: u64) -> Option<usize> {
        self.listener_inodes.get(&inode).copied()
    }

    /// The far end that a socket is connected to.
    pub(super) fn connection_of(&self, inode: u64) -> Option<Remote> {
        self.connections.get(&inode).copied()
    }

    /// What a person calls a namespace: `host`, or the unit or container that lives in it.
    pub(super) fn label(&self, namespace: Namespace) -> String {
        self.labels.get(&namespace).cloned().unwrap_or_else(|| "host".to_owned())
    }
}

/// One line of a table of /proc/net.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) local: (IpAddr, u16),
    pub(super) remote: (IpAddr, u16),
    pub(super) state: u8,
    pub(super) uid: u32,
    pub(super) inode: u64,
}

/// Reads the sockets of all namespaces that a process of the table is in. `is_live`: /proc is that of the running
/// kernel, so that it can be asked.
pub(super) fn read(proc: &Directory, table: &Table, is_live: bool) -> SocketTable {
    let mut sockets = SocketTable::default();
    let mut seen: BTreeMap<Namespace, u32> = BTreeMap::new();
    let mut used: BTreeSet<String> = BTreeSet::new();
    for process in table.processes.iter().filter(|process| !process.is_kernel) {
        if seen.len() >= NAMESPACES_MAX && !seen.contains_key(&process.namespace) {
            sockets.is_cut = true;
            continue;
        }
        seen.entry(process.namespace).or_insert_with(|| {
            let label = unused(&used, label(process.namespace, process));
            used.insert(label.clone());
            sockets.labels.insert(process.namespace, label);
            process.pid
        });
    }
    let mut buffer = Vec::new();
    let ephemeral = ephemeral_ports(proc, &mut buffer);
    let mut answers = if is_live { asked(table, &seen) } else { BTreeMap::new() };
    // A recorded tree may have only the host's own tables; an agent in a container sees its own there instead.
    let is_own = !is_live || table.is_in_host_namespace;
    let folder = |namespace: Namespace, pid: u32| {
        if is_own && namespace == Namespace::HOST { "net".to_owned() } else { format!("{pid}/net") }
    };
    for (namespace, pid) in seen {
        let lines = answers
            .remove(&namespace)
            .unwrap_or_else(|| sockets.tables(proc, &folder(namespace, pid), &mut buffer));
        sockets.add_namespace(namespace, &lines, ephemeral);
    }
    sockets
}

/// What the kernel answers for each namespace; those that it does not answer for are missing.
fn asked(table: &Table, seen: &BTreeMap<Namespace, u32>) -> BTreeMap<Namespace, Lines> {
    let mut answers = BTreeMap::new();
    if table.is_in_host_namespace
        && let Ok(lines) = diag::dump()
    {
        answers.insert(Namespace::HOST, lines);
    }
    let others: Vec<(Namespace, u32)> = seen
        .iter()
        .filter(|(of, _)| **of != Namespace::HOST)
        .map(|(of, pid)| (*of, *pid))
        .collect();
    if others.is_empty() {
        return answers;
    }
    let paths: Vec<PathBuf> =
        others.iter().map(|(_, pid)| PathBuf::from(format!("/proc/{pid}/ns/net"))).collect();
    for ((namespace, _), lines) in others.into_iter().zip(diag::dump_of(&paths)) {
        if let Ok(lines) = lines {
            answers.insert(namespace, lines);
        }
    }
    answers
}

/// A label that no other namespace has: several in which the same program runs are numbered, by their first processes.
fn unused(used: &BTreeSet<String>, label: String) -> String {
    if !used.contains(&label) {
        return label;
    }
    let mut numbered =
        (2..=NAMESPACES_MAX.saturating_add(1)).map(|count| format!("{label} {count}"));
    numbered.find(|label| !used.contains(label)).unwrap_or(label)
}

fn label(namespace: Namespace, first: &super::table::Process) -> String {
    if namespace == Namespace::HOST {
        return "host".to_owned();
    }
    let name = if first.owner.name.is_empty() { &first.program.name } else { &first.owner.name };
    // A program may be called like the host's own namespace.
    if name == "host" { "host (program)".to_owned() } else { name.to_string() }
}

fn ephemeral_ports(proc: &Directory, buffer: &mut Vec<u8>) -> (u16, u16) {
    if proc.read("sys/net/ipv4/ip_local_port_range", 64, buffer).is_err() {
        return (EPHEMERAL_FIRST, EPHEMERAL_LAST);
    }
    let text = String::from_utf8_lossy(buffer);
    let mut ports = text.split_whitespace().map(str::parse);
    match (ports.next(), ports.next()) {
        (Some(Ok(first)), Some(Ok(last))) => (first, last),
        _ => (EPHEMERAL_FIRST, EPHEMERAL_LAST),
    }
}

impl SocketTable {
    /// The sockets of a namespace by the kernel's text tables.
    fn tables(&mut self, proc: &Directory, folder: &str, buffer: &mut Vec<u8>) -> Lines {
        let mut lines = Vec::new();
        for (protocol, file) in [("tcp", "tcp"), ("tcp", "tcp6"), ("udp", "udp"), ("udp", "udp6")] {
            if proc.read(&format!("{folder}/{file}"), TABLE_BYTES_MAX, buffer).is_err() {
                // A kernel without IPv6 has no such file; a process may have ended with its namespace.
                continue;
            }
            self.is_cut |= buffer.len() >= TABLE_BYTES_MAX;
            let rows = buffer.split(|byte| *byte == b'\n').skip(1);
            lines.extend(rows.filter_map(parse_line).map(|line| (protocol, line)));
        }
        lines
    }

    /// Adds the listeners and connections of a namespace.
    fn add_namespace(&mut self, namespace: Namespace, lines: &Lines, ephemeral: (u16, u16)) {
        let mut by_end: BTreeMap<(&'static str, IpAddr, u16), usize> = BTreeMap::new();
        for (protocol, line) in lines {
            if role(protocol, line, ephemeral) != Role::Listens {
                continue;
            }
            if self.listener_inodes.len() >= SOCKETS_MAX {
                self.is_cut = true;
                return;
            }
            let end = (*protocol, line.local.0, line.local.1);
            let index = *by_end.entry(end).or_insert_with(|| {
                self.listeners.push(listener(namespace, protocol, line));
                self.listeners.len() - 1
            });
            self.namespaces.insert(namespace);
            self.listener_inodes.insert(line.inode, index);
        }
        for (protocol, line) in lines {
            if role(protocol, line, ephemeral) != Role::IsConnected {
                continue;
            }
            if self.connections.len() >= SOCKETS_MAX {
                self.is_cut = true;
                return;
            }
            let accepted = accepting(&by_end, protocol, line.local);
            if let Some(listener) = accepted.and_then(|index| self.listeners.get_mut(index)) {
                listener.accepted += 1;
            } else if line.inode != 0 {
                self.namespaces.insert(namespace);
                self.connections
                    .insert(line.inode, (protocol, plain(line.remote.0), line.remote.1));
            }
        }
    }
}

fn listener(namespace: Namespace, protocol: &'static str, line: &Line) -> Listener {
    Listener {
        namespace,
        protocol,
        address: line.local.0,
        port: line.local.1,
        uid: line.uid,
        accepted: 0,
    }
}

/// The listener that accepted a connection with this local end.
fn accepting(
    by_end: &BTreeMap<(&'static str, IpAddr, u16), usize>,
    protocol: &'static str,
    (address, port): (IpAddr, u16),
) -> Option<usize> {
    let any_v4 = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
    let any_v6 = IpAddr::V6(Ipv6Addr::UNSPECIFIED);
    [address, plain(address), any_v4, any_v6]
        .into_iter()
        .find_map(|address| by_end.get(&(protocol, address, port)).copied())
}

/// What a socket does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    Listens,
    IsConnected,
    None,
}

fn role(protocol: &str, line: &Line, (first, last): (u16, u16)) -> Role {
    // States of the kernel's `tcp_states.h`; UDP uses two of them.
    const ESTABLISHED: u8 = 0x01;
    const CLOSE: u8 = 0x07;
    const CLOSE_WAIT: u8 = 0x08;
    const LISTEN: u8 = 0x0a;
    match (protocol, line.state) {
        ("tcp", LISTEN) => Role::Listens,
        ("tcp", ESTABLISHED | CLOSE_WAIT) | ("udp", ESTABLISHED) => Role::IsConnected,
        ("udp", CLOSE) if !(first..=last).contains(&line.local.1) => Role::Listens,
        _ => Role::None,
    }
}

/// Parses a line of /proc/net/{tcp,tcp6,udp,udp6} (proc_pid_net(5)).
pub(super) fn parse_line(line: &[u8]) -> Option<Line> {
    let text = std::str::from_utf8(line).ok()?;
    let mut fields = text.split_ascii_whitespace();
    let local = parse_end(fields.nth(1)?)?;
    let remote = parse_end(fields.next()?)?;
    let state = u8::from_str_radix(fields.next()?, 16).ok()?;
    let uid = fields.nth(3)?.parse().ok()?;
    let inode = fields.nth(1)?.parse().ok()?;
    Some(Line { local, remote, state, uid, inode })
}

/// An address and port in hexadecimal; the address in groups of four bytes in the machine's own order.
fn parse_end(text: &str) -> Option<(IpAddr, u16)> {
    let (address, port) = text.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    let group = |index: usize| -> Option<[u8; 4]> {
        let digits = address.get(index * 8..index * 8 + 8)?;
        Some(u32::from_str_radix(digits, 16).ok()?.to_ne_bytes())
    };
    let address = match address.len() {
        8 => IpAddr::V4(Ipv4Addr::from(group(0)?)),
        32 => {
            let mut bytes = [0; 16];
            for (index, place) in bytes.chunks_exact_mut(4).enumerate() {
                place.copy_from_slice(&group(index)?);
            }
            IpAddr::V6(Ipv6Addr::from(bytes))
        }
        _ => return None,
    };
    Some((address, port))
}

/// The IPv4 address inside of an IPv4-mapped one.
fn plain(address: IpAddr) -> IpAddr {
    address.to_canonical()
}

/// Whether only the host itself can reach this address.
pub(super) fn is_host_only(address: IpAddr) -> bool {
    plain(address).is_loopback()
}

/// The inode of a link such as `socket:[1637]`.
pub(super) fn inode_of_link(link: &[u8]) -> Option<u64> {
    bracketed_number(link, b"socket:[")
}

/// The number between a beginning that ends in a bracket and the closing one.
pub(super) fn bracketed_number(link: &[u8], start: &[u8]) -> Option<u64> {
    let digits = link.strip_prefix(start)?.strip_suffix(b"]")?;
    std::str::from_utf8(digits).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_listener_and_a_connection_are_read() {
        let line = b"   0: 0100007F:1538 00000000:0000 0A 00000000:00000000 00:00000000 00000000   113        0 1637 1 00000000df18ce51 100 0 0 10 0";
        let line = parse_line(line).unwrap();
        assert_eq!(line.local, ("127.0.0.1".parse().unwrap(), 5432));
        assert_eq!((line.uid, line.inode), (113, 1637));
        assert_eq!(role("tcp", &line, (32_768, 60_999)), Role::Listens);
    }

    #[test]
    fn an_ipv6_address_is_read_in_the_machines_order() {
        let line = b"   0: B80D0120000000000000000001000000:0050 0000000000000000FFFF00000A00A8C0:D431 01 00000000:00000000 00:00000000 00000000     0        0 42 1 0";
        let line = parse_line(line).unwrap();
        assert_eq!(line.local.0, "2001:db8::1".parse::<IpAddr>().unwrap());
        assert_eq!(plain(line.remote.0), "192.168.0.10".parse::<IpAddr>().unwrap());
    }

    #[test]
    fn namespaces_of_one_program_are_told_apart() {
        let mut used = BTreeSet::new();
        for expected in ["web", "web 2", "web 3"] {
            let label = unused(&used, "web".to_owned());
            assert_eq!(label, expected);
            used.insert(label);
        }
    }

    #[test]
    fn a_question_by_udp_is_no_listener() {
        let mut line = parse_line(b"0: 00000000:E000 00000000:0000 07 0:0 0:0 0 0 0 5").unwrap();
        assert_eq!(role("udp", &line, (32_768, 60_999)), Role::None);
        line.local.1 = 53;
        assert_eq!(role("udp", &line, (32_768, 60_999)), Role::Listens);
    }

    #[test]
    fn a_connection_belongs_to_the_listener_that_accepted_it() {
        let any: IpAddr = "::".parse().unwrap();
        let one: IpAddr = "127.0.0.1".parse().unwrap();
        let by_end = BTreeMap::from([(("tcp", any, 80), 0), (("tcp", one, 80), 1)]);
        let mapped: IpAddr = "::ffff:192.0.2.1".parse().unwrap();
        assert_eq!(accepting(&by_end, "tcp", (mapped, 80)), Some(0));
        assert_eq!(accepting(&by_end, "tcp", (one, 80)), Some(1));
        assert_eq!(accepting(&by_end, "tcp", (one, 81)), None);
        assert_eq!(accepting(&by_end, "udp", (one, 80)), None);
    }

    #[test]
    fn an_inode_is_read_from_a_link() {
        assert_eq!(inode_of_link(b"socket:[1637]"), Some(1637));
        for other in [&b"pipe:[1]"[..], b"socket:[]", b"socket:[x]", b"/a", b""] {
            assert_eq!(inode_of_link(other), None);
        }
    }

    proptest! {
        #[test]
        fn any_line_is_parsed_without_panic(line in prop::collection::vec(any::<u8>(), 0..200)) {
            parse_line(&line);
            inode_of_link(&line);
        }

        #[test]
        fn any_end_is_parsed_without_panic(end in "\\PC{0,40}") {
            parse_end(&end);
        }
    }
}
