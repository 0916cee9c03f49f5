//! The half of the host collector that describes the machine: operating system, hardware, storage and network.
//!
//! Each scope lies in a module of its own, which exposes `collect`; those whose source can be told unchanged
//! without reading it also expose `guard`.

mod blocks;
mod cloud;
mod content;
mod device_names;
mod devices;
mod drives;
mod firewall;
mod hardware;
mod host;
mod lvm;
mod mounts;
mod netlink;
mod network;
mod network_files;
mod os;
mod processors;
mod raid;
mod reboot;
mod routes;
mod sensors;
mod smart;
mod smbios;
mod storage;
mod system;
mod virtualization;

use crate::files::StatGuard;
use collector::{CollectError, Guard, Run, ScopeDeclaration, Target};
use model::classes;
use model::run::CoverageReason;
use model::{Coverage, CoverageStatus};
use std::time::Duration;

const MINUTE: Duration = Duration::from_secs(60);
/// What hardly changes is looked at each quarter of an hour; its guard makes that nearly free.
const QUARTER: Duration = Duration::from_secs(900);
/// Files of /proc and /sys answer in microseconds; a device that hangs must not hold the agent up.
const TIME_LIMIT: Duration = Duration::from_secs(20);

/// The scopes of this half.
pub(crate) const SCOPES: [ScopeDeclaration; 7] = [
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
        name: "drives",
        summary: "Disks, with their health where they tell it.",
        classes: &[classes::drive::CLASS.name],
        interval: QUARTER,
        time_limit: TIME_LIMIT,
        is_volatile: false,
    },
    ScopeDeclaration {
        name: "devices",
        summary: "Devices on the PCI and USB buses.",
        classes: &[classes::pci_device::CLASS.name, classes::usb_device::CLASS.name],
        interval: QUARTER,
        time_limit: TIME_LIMIT,
        is_volatile: false,
    },
    ScopeDeclaration {
        name: "sensors",
        summary: "Temperatures, fans, voltages, currents and power.",
        classes: &[classes::sensor::CLASS.name],
        interval: MINUTE,
        time_limit: TIME_LIMIT,
        is_volatile: true,
    },
    ScopeDeclaration {
        name: "storage",
        summary: "Mounted file systems, volumes, arrays and swap areas, and what lies on what.",
        classes: &[
            classes::filesystem::CLASS.name,
            classes::volume::CLASS.name,
            classes::volume_group::CLASS.name,
            classes::swap_area::CLASS.name,
        ],
        interval: MINUTE,
        time_limit: TIME_LIMIT,
        is_volatile: true,
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
        "drives" => drives::collect(target, run),
        "devices" => devices::collect(target, run),
        "sensors" => sensors::collect(target, run),
        "storage" => storage::collect(target, run),
        "network" => network::collect(target, run),
        _ => return None,
    })
}

/// The guard of a scope of this half. Scopes with readings have none: they change without a trace.
pub(crate) fn guard(target: &Target, scope: &str) -> Option<Guard> {
    match scope {
        "hardware" => Some(hardware::guard(target)),
        "devices" => Some(devices::guard(target)),
        _ => None,
    }
}

/// Every item of the scope was seen, but not all of each: the right to look at `what` is missing.
///
/// The status stays complete, because absence can be told: else nothing that an agent without privileges once saw
/// would ever be retired.
fn all_seen_except(what: &str) -> Coverage {
    Coverage {
        status: CoverageStatus::Complete,
        reason: CoverageReason::PermissionDenied,
        detail: denied(what),
    }
}

/// The sentence for a missing right, with what would mend it.
fn denied(what: &str) -> String {
    if user() == 0 {
        format!("{what} was refused to root; let the agent out of its sandbox or container")
    } else {
        format!("{what} needs root; run the agent as root or install the package")
    }
}

/// Adds what the process may do: with more rights the same source says more.
fn rights(guard: &mut StatGuard) {
    guard.number(u64::from(user()));
}

/// The user that the process acts as.
fn user() -> u32 {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata("/proc/self").map_or(u32::MAX, |metadata| metadata.uid())
}
