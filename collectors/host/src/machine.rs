//! The half of the host collector that describes the machine: operating system, hardware, storage and network.
//!
//! Each scope lies in a module of its own, which exposes `collect`; those whose source can be told unchanged
//! without reading it also expose `guard`.

mod cloud;
mod firewall;
mod hardware;
mod host;
mod netlink;
mod network;
mod network_files;
mod os;
mod processors;
mod reboot;
mod routes;
mod smbios;
mod system;
mod virtualization;

use crate::files::StatGuard;
use collector::{CollectError, Guard, Run, ScopeDeclaration, Target};
use model::Coverage;
use model::classes;
use std::time::Duration;

const MINUTE: Duration = Duration::from_secs(60);
/// What hardly changes is looked at each quarter of an hour; its guard makes that nearly free.
const QUARTER: Duration = Duration::from_secs(900);
/// Files of /proc and /sys answer in microseconds; a device that hangs must not hold the agent up.
const TIME_LIMIT: Duration = Duration::from_secs(20);

/// The scopes of this half.
pub(crate) const SCOPES: [ScopeDeclaration; 3] = [
    ScopeDeclaration {
        name: "host",
        summary: "Operating system, kernel, memory, virtualization, name resolution and whether a restart is needed.",
        classes: &[classes::host::CLASS.name],
        interval: MINUTE,
        time_limit: TIME_LIMIT,
        is_volatile: true,
    },
    ScopeDeclaration {
        name: "hardware",
        summary: "System, board, chassis, firmware, processors and memory modules.",
        classes: &[
            classes::hardware::CLASS.name,
            classes::processor::CLASS.name,
            classes::memory_module::CLASS.name,
        ],
        interval: QUARTER,
        time_limit: TIME_LIMIT,
        is_volatile: false,
    },
    ScopeDeclaration {
        name: "network",
        summary: "Network interfaces with their addresses, and routes.",
        classes: &[classes::network_interface::CLASS.name, classes::route::CLASS.name],
        interval: MINUTE,
        time_limit: TIME_LIMIT,
        is_volatile: true,
    },
];

/// Looks at a scope of this half; `None` when the scope is another half's.
pub(crate) fn collect(
    target: &Target,
    scope: &str,
    run: &mut Run<'_>,
) -> Option<Result<Coverage, CollectError>> {
    Some(match scope {
        "host" => host::collect(target, run),
        "hardware" => hardware::collect(target, run),
        "network" => network::collect(target, run),
        _ => return None,
    })
}

/// The guard of a scope of this half. Scopes with readings have none: they change without a trace.
pub(crate) fn guard(target: &Target, scope: &str) -> Option<Guard> {
    match scope {
        "hardware" => Some(hardware::guard(target)),
        _ => None,
    }
}

/// Adds what the process may do: with more rights the same source says more.
fn rights(guard: &mut StatGuard) {
    use std::os::unix::fs::MetadataExt;
    let user = std::fs::metadata("/proc/self").map_or(u32::MAX, |metadata| metadata.uid());
    guard.number(u64::from(user));
}
