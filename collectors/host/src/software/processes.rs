//! The scope `processes`: what runs, what it listens on and what it is connected to, in one pass over /proc.
//!
//! Processes of one unit or container with one executable and like arguments are one item; pid, start and number
//! are readings. Kernel threads are folded by the name of their kind. Sockets of each network namespace come from the
//! kernel and are joined to processes by inode number; connected sockets become relations per process, remote
//! address and port. The control plane makes endpoints of those; none are emitted here.
//!
//! A process younger than [`YOUNG_SECONDS`] is left to the next look unless it listens: commands of shells and
//! health checks would otherwise fill the history with items that lived for a moment.
//!
//! Deliberately not here: rates and top lists (series), Unix sockets.

mod diag;
mod fold;
mod origin;
mod owner;
mod sockets;
mod table;

use super::directory::Directory;
use crate::files;
use collector::{Run, Target};
use fold::Program;
use model::classes::{listening_endpoint, process, service_unit};
use model::observation::part_key;
use model::run::CoverageReason;
use model::{Coverage, Observation, RelationTarget, Timestamp, relationships};
use origin::Origins;
use owner::Owner;
use sockets::{Namespace, SocketTable};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use table::{Process, Table};

/// The age from which a process is seen, in seconds.
const YOUNG_SECONDS: u64 = 5;

/// The most processes that are looked at; a host with more has another problem, and the coverage says so.
const PROCESSES_MAX: usize = 32_768;

/// The most descriptors of one process that are looked at, in search of sockets.
const DESCRIPTORS_MAX: usize = 65_536;

/// The most endpoints that one program relates to; a crawler or a scanner must not flood the graph.
const ENDPOINTS_MAX: usize = 512;

/// All processes of one item.
struct Group<'a> {
    program: &'a Program,
    owner: &'a Owner,
    oldest: &'a Process,
    instances: u64,
    threads: u64,
    memory_bytes: u64,
    cpu_ticks: u64,
    is_replaced: bool,
    listens: BTreeSet<usize>,
    connections: BTreeMap<(&'static str, IpAddr, u16), u64>,
}

/// What tells programs apart: unit or container, executable, arguments.
type Key<'a> = (&'a str, &'a str, &'a str);

/// Looks at the scope.
pub(super) fn collect(target: &Target, run: &mut Run<'_>) -> Coverage {
    let proc = match Directory::open(target, "/proc") {
        Ok(proc) => proc,
        Err(error) => {
            return match files::refusal(&error) {
                files::Refusal::NotFound => Coverage::not_present("the target has no /proc"),
                files::Refusal::PermissionDenied => Coverage::not_looked_at(
                    CoverageReason::PermissionDenied,
                    "/proc may not be read; run the agent as root or install the package",
                ),
                files::Refusal::Other => {
                    Coverage::not_looked_at(CoverageReason::Unreachable, format!("/proc: {error}"))
                }
            };
        }
    };
    let table = Table::read(&proc, PROCESSES_MAX);
    if table.processes.is_empty() {
        return Coverage::not_present("the target's /proc shows no process");
    }
    let namespaces = sockets::read(&proc, &table, target.is_live());
    let users = super::accounts::names_by_number(target);
    let (owned, denied) = socket_owners(&proc, &table, &namespaces);
    let groups = grouped(&table, &namespaces, &owned);
    let programs = listener_programs(&groups);
    let origins = Origins::read(target, &proc, &groups);
    for (key, group) in &groups {
        let seen = observe_process(group, &table, &namespaces, &users);
        run.saw(origins.relate(seen, key));
    }
    for (index, listener) in namespaces.listeners.iter().enumerate() {
        let program = programs.get(&index).copied();
        run.saw(observe_listener(listener, &namespaces, program, &users));
    }
    // The first process may be closed even to root, when it holds rights that root here lacks. What it is stays
    // known, so that everything else is still seen completely.
    let is_first_only = denied.iter().all(|pid| *pid == 1);
    if !denied.is_empty() && is_first_only {
        run.failed("/proc/1/fd", "the first process does not let its sockets be seen");
    }
    coverage(&table, &namespaces, !is_first_only)
}

fn coverage(table: &Table, namespaces: &SocketTable, is_denied: bool) -> Coverage {
    if table.is_cut || namespaces.is_cut {
        return Coverage::partial(
            CoverageReason::LimitReached,
            format!("more than {PROCESSES_MAX} processes or {} sockets", sockets::SOCKETS_MAX),
        );
    }
    if is_denied || table.is_denied {
        return Coverage::partial(
            CoverageReason::PermissionDenied,
            "sockets, executables and namespaces of other users' processes need CAP_SYS_PTRACE and \
             CAP_DAC_READ_SEARCH; run the agent as root or install the package",
        );
    }
    Coverage::complete()
}

/// For each process, by its place in the table, the sockets that it has open; and the processes that may not be
/// looked into while sockets without an owner were left.
///
/// Descriptors are the costly part of a look, so it ends when every socket has an owner. A socket that several
/// processes share belongs to the one with the lowest pid, which is the one that opened it.
fn socket_owners(
    proc: &Directory,
    table: &Table,
    namespaces: &SocketTable,
) -> (BTreeMap<usize, Vec<u64>>, Vec<u32>) {
    let mut owned: BTreeMap<usize, Vec<u64>> = BTreeMap::new();
    let mut wanted = namespaces.inodes();
    let mut denied = Vec::new();
    for (index, process) in table.processes.iter().enumerate() {
        if wanted.is_empty() {
            break;
        }
        if process.is_kernel || !namespaces.has_sockets(process.namespace) {
            continue;
        }
        match open_sockets(proc, process.pid, &mut wanted) {
            Ok(found) if found.is_empty() => {}
            Ok(found) => {
                owned.insert(index, found);
            }
            Err(error) if files::refusal(&error) == files::Refusal::PermissionDenied => {
                denied.push(process.pid);
            }
            // It ended meanwhile.
            Err(_) => {}
        }
    }
    if wanted.is_empty() {
        denied.clear();
    }
    (owned, denied)
}

/// The wanted sockets that a process has open; they are no longer wanted then.
fn open_sockets(
    proc: &Directory,
    pid: u32,
    wanted: &mut BTreeSet<u64>,
) -> std::io::Result<Vec<u64>> {
    let descriptors = proc.open_below(&format!("{pid}/fd"))?;
    let mut found = Vec::new();
    let mut place = [0; 64];
    let mut count = 0;
    let mut refusal = None;
    descriptors.names(|name| {
        count += 1;
        match descriptors.link(std::str::from_utf8(name).unwrap_or_default(), &mut place) {
            Ok(link) => {
                found.extend(sockets::inode_of_link(link).filter(|inode| wanted.remove(inode)));
            }
            // A descriptor may be closed meanwhile; one that is denied means that all are.
            Err(error) if files::refusal(&error) == files::Refusal::PermissionDenied => {
                refusal = Some(error);
            }
            Err(_) => {}
        }
        count < DESCRIPTORS_MAX && !wanted.is_empty() && refusal.is_none()
    })?;
    refusal.map_or(Ok(found), Err)
}

/// Folds processes into items and gives each its sockets.
fn grouped<'a>(
    table: &'a Table,
    namespaces: &SocketTable,
    owned: &BTreeMap<usize, Vec<u64>>,
) -> BTreeMap<Key<'a>, Group<'a>> {
    let mut groups: BTreeMap<_, Group<'a>> = BTreeMap::new();
    for (index, process) in table.processes.iter().enumerate() {
        let sockets = owned.get(&index).map(Vec::as_slice).unwrap_or_default();
        let listens: Vec<usize> =
            sockets.iter().filter_map(|inode| namespaces.listener_of(*inode)).collect();
        let is_young = table.uptime_ticks.saturating_sub(process.start_ticks)
            < YOUNG_SECONDS * table::TICKS_PER_SECOND;
        if is_young && listens.is_empty() && table.uptime_ticks > 0 {
            continue;
        }
        let program = &process.program;
        let key = (process.owner.name.as_str(), &*program.executable, &*program.arguments);
        let group = groups.entry(key).or_insert_with(|| Group {
            program,
            owner: &process.owner,
            oldest: process,
            instances: 0,
            threads: 0,
            memory_bytes: 0,
            cpu_ticks: 0,
            is_replaced: false,
            listens: BTreeSet::new(),
            connections: BTreeMap::new(),
        });
        group.instances += 1;
        group.threads += process.threads;
        group.memory_bytes += process.memory_bytes;
        group.cpu_ticks += process.cpu_ticks;
        group.is_replaced |= process.is_replaced;
        if process.start_ticks < group.oldest.start_ticks {
            group.oldest = process;
        }
        group.listens.extend(listens);
        for remote in sockets.iter().filter_map(|inode| namespaces.connection_of(*inode)) {
            if group.connections.len() < ENDPOINTS_MAX || group.connections.contains_key(&remote) {
                *group.connections.entry(remote).or_default() += 1;
            }
        }
    }
    groups
}

/// The program behind each listener: the first one, when several share it.
fn listener_programs<'a>(groups: &BTreeMap<Key<'_>, Group<'a>>) -> BTreeMap<usize, &'a Program> {
    let mut programs: BTreeMap<usize, (u32, &'a Program)> = BTreeMap::new();
    for group in groups.values() {
        for listener in &group.listens {
            let entry = programs.entry(*listener).or_insert((u32::MAX, group.program));
            if group.oldest.pid < entry.0 {
                *entry = (group.oldest.pid, group.program);
            }
        }
    }
    programs.into_iter().map(|(listener, (_, program))| (listener, program)).collect()
}

fn observe_process(
    group: &Group<'_>,
    table: &Table,
    namespaces: &SocketTable,
    users: &BTreeMap<u32, String>,
) -> Observation {
    let oldest = group.oldest;
    let parts = [&*group.owner.name, &group.program.executable, &group.program.arguments];
    let mut seen = Observation::part(&process::CLASS, crate::HOST, &parts)
        .with(&process::NAME, &*group.program.name)
        .with(&process::IS_KERNEL, oldest.is_kernel)
        .with(&process::PID, u64::from(oldest.pid))
        .with(&process::PARENT_PID, u64::from(oldest.parent_pid))
        .with(&process::INSTANCES_COUNT, group.instances)
        .with(&process::THREADS_COUNT, group.threads)
        .with(&process::MEMORY_BYTES, group.memory_bytes)
        .with(&process::CPU_SECONDS, seconds(group.cpu_ticks))
        .with(&process::CONNECTIONS_COUNT, group.connections.values().sum::<u64>());
    if let Some(uid) = oldest.uid {
        seen.set(&process::RUN_AS, user_name(users, uid));
    }
    if !oldest.is_kernel && oldest.has_executable {
        seen.set(&process::IS_EXECUTABLE_REPLACED, group.is_replaced);
    }
    if !oldest.command_line.is_empty() {
        seen.set(&process::COMMAND_LINE, &*oldest.command_line);
    }
    if let Some(booted) = table.booted_at_seconds {
        let started = booted.saturating_add(oldest.start_ticks / table::TICKS_PER_SECOND);
        let started = i64::try_from(started).unwrap_or(i64::MAX);
        seen.set(&process::STARTED_AT, Timestamp::from_seconds(started));
    }
    if let Some(target) = instance_of(group.owner) {
        seen.relate(relationships::INSTANCE_OF, target);
    }
    for listener in group.listens.iter().filter_map(|index| namespaces.listeners.get(*index)) {
        let key = listener.native_key(&namespaces.label(listener.namespace));
        seen.relate(relationships::LISTENS_ON, RelationTarget::Native(key));
    }
    for (protocol, address, port) in group.connections.keys() {
        seen.relate(
            relationships::CONNECTS_TO,
            RelationTarget::Endpoint {
                protocol: (*protocol).to_owned(),
                address: address.to_string(),
                port: *port,
            },
        );
    }
    seen
}

/// The unit or container that a process belongs to, as the scopes `units` and `containers` name it.
fn instance_of(owner: &Owner) -> Option<RelationTarget> {
    let key = match owner {
        Owner { container: Some((engine, id)), .. } => {
            part_key(&model::classes::container::CLASS, crate::HOST, &[engine, id.as_str()])
        }
        Owner { unit: Some(unit), .. } if unit.ends_with(".service") => {
            part_key(&service_unit::CLASS, crate::HOST, &["systemd", unit])
        }
        _ => return None,
    };
    Some(RelationTarget::Native(key))
}

fn observe_listener(
    listener: &sockets::Listener,
    namespaces: &SocketTable,
    program: Option<&Program>,
    users: &BTreeMap<u32, String>,
) -> Observation {
    let label = namespaces.label(listener.namespace);
    let port = listener.port.to_string();
    let address = listener.address.to_string();
    let parts = [&*label, listener.protocol, &*address, &*port];
    let name = match program {
        Some(program) => format!("{}/{port} {}", listener.protocol, program.name),
        None => format!("{}/{port}", listener.protocol),
    };
    let mut seen = Observation::part(&listening_endpoint::CLASS, crate::HOST, &parts)
        .with(&listening_endpoint::NAME, name)
        .with_some(&listening_endpoint::PROGRAM, program.map(|program| &*program.name))
        .with(&listening_endpoint::RUN_AS, user_name(users, listener.uid))
        .with(&listening_endpoint::CONNECTIONS_COUNT, listener.accepted);
    // Whether a container's own address can be reached from elsewhere is decided by the engine's network.
    if listener.namespace == Namespace::HOST {
        seen.set(&listening_endpoint::IS_EXPOSED, !sockets::is_host_only(listener.address));
    }
    seen
}

fn user_name(users: &BTreeMap<u32, String>, uid: u32) -> String {
    users.get(&uid).cloned().unwrap_or_else(|| uid.to_string())
}

fn seconds(ticks: u64) -> f64 {
    // Two halves, so that no precision is lost on the way into a float.
    let whole = u32::try_from(ticks / table::TICKS_PER_SECOND).unwrap_or(u32::MAX);
    let part = u32::try_from(ticks % table::TICKS_PER_SECOND).unwrap_or(0);
    f64::from(whole) + f64::from(part) / 100.0
}
