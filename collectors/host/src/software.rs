//! The half of the host collector that describes software: packages, services, processes, sockets, accounts,
//! certificates, containers, jobs and kernel modules.
//!
//! Each scope lies in a module of its own, which exposes `collect`; those whose source can be told unchanged
//! without reading it also expose `guard`.

mod accounts;
mod certificates;
mod containers;
mod directory;
mod jobs;
mod kernel_modules;
mod packages;
mod processes;
mod units;

use collector::{CollectError, Guard, Run, ScopeDeclaration, Target};
use model::{Coverage, classes};
use std::time::Duration;

/// A new process or listener has to be in the graph within a minute; half of it leaves room for the way there.
const PROCESSES_INTERVAL: Duration = Duration::from_secs(20);
/// Containers come and go by deployments; the question to the engine costs it some milliseconds.
const CONTAINERS_INTERVAL: Duration = Duration::from_secs(60);
/// What hardly changes is looked at each quarter of an hour; its guard makes that nearly free.
const QUARTER: Duration = Duration::from_secs(900);
/// Files answer in microseconds; a network file system that hangs must not hold the agent up.
const TIME_LIMIT: Duration = Duration::from_secs(20);

const fn scope(
    name: &'static str,
    summary: &'static str,
    classes: &'static [&'static str],
) -> ScopeDeclaration {
    ScopeDeclaration {
        name,
        summary,
        classes,
        interval: QUARTER,
        time_limit: TIME_LIMIT,
        is_volatile: false,
    }
}

const PACKAGE: &[&str] = &[classes::package::CLASS.name];

/// The scopes of this half.
pub(crate) const SCOPES: [ScopeDeclaration; 16] = [
    ScopeDeclaration {
        name: "processes",
        summary: "Programs that run, what they listen on and what they are connected to.",
        classes: &[classes::process::CLASS.name, classes::listening_endpoint::CLASS.name],
        interval: PROCESSES_INTERVAL,
        time_limit: TIME_LIMIT,
        is_volatile: true,
    },
    scope(
        "accounts",
        "Users and groups, password states, sudo rights and authorized keys.",
        &[classes::user_account::CLASS.name, classes::user_group::CLASS.name],
    ),
    scope(
        "units",
        "Units of systemd with what is enabled and what runs; services of OpenRC and System V.",
        &[classes::service_unit::CLASS.name],
    ),
    scope(
        "jobs",
        "What runs at set times: cron, anacron, at and the timers of systemd.",
        &[classes::scheduled_job::CLASS.name],
    ),
    scope(
        "kernel_modules",
        "Modules that are loaded into the kernel.",
        &[classes::kernel_module::CLASS.name],
    ),
    scope(
        "certificates",
        "X.509 certificates that lie where services keep theirs or that a configuration names.",
        &[classes::certificate::CLASS.name],
    ),
    ScopeDeclaration {
        name: "containers",
        summary: "Containers and images of Docker, Podman and containerd.",
        classes: &[classes::container::CLASS.name, classes::container_image::CLASS.name],
        interval: CONTAINERS_INTERVAL,
        time_limit: TIME_LIMIT,
        is_volatile: false,
    },
    scope("packages.dpkg", "Packages that dpkg installed.", PACKAGE),
    scope("packages.rpm", "Packages that rpm installed.", PACKAGE),
    scope("packages.apk", "Packages that Alpine's apk installed.", PACKAGE),
    scope("packages.pacman", "Packages that pacman installed.", PACKAGE),
    scope("packages.python", "Python distributions, by folder.", PACKAGE),
    scope("packages.npm", "Packages that npm installed for the whole host.", PACKAGE),
    scope("packages.gem", "Gems of Ruby.", PACKAGE),
    scope("packages.snap", "Snaps with their current revision.", PACKAGE),
    scope("packages.flatpak", "Applications and runtimes of Flatpak.", PACKAGE),
];

/// Looks at a scope of this half; `None` when the scope is another half's.
pub(crate) fn collect(
    target: &Target,
    scope: &str,
    run: &mut Run<'_>,
) -> Option<Result<Coverage, CollectError>> {
    let coverage = match scope {
        "processes" => processes::collect(target, run),
        "accounts" => accounts::collect(target, run),
        "units" => units::collect(target, run),
        "certificates" => certificates::collect(target, run),
        "containers" => containers::collect(target, run),
        "jobs" => jobs::collect(target, run),
        "kernel_modules" => kernel_modules::collect(target, run),
        _ => packages::collect(target, scope, run)?,
    };
    Some(Ok(coverage))
}

/// The guard of a scope of this half.
pub(crate) fn guard(target: &Target, scope: &str) -> Option<Guard> {
    match scope {
        "accounts" => Some(accounts::guard(target)),
        "units" => Some(units::guard(target)),
        "certificates" => Some(certificates::guard(target)),
        "containers" => containers::guard(target),
        "jobs" => Some(jobs::guard(target)),
        "kernel_modules" => Some(kernel_modules::guard(target)),
        _ => packages::guard(target, scope),
    }
}
