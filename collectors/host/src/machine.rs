//! The half of the host collector that describes the machine: operating system, hardware, storage and network.
//!
//! Each scope lies in a module of its own, which exposes `collect`; those whose source can be told unchanged
//! without reading it also expose `guard`.

mod host;

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
pub(crate) const SCOPES: [ScopeDeclaration; 1] = [
    ScopeDeclaration {
        name: "host",
        summary: "Operating system, kernel, memory, virtualization, name resolution and whether a restart is needed.",
        classes: &[classes::host::CLASS.name],
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
        _ => return None,
    })
}

/// The guard of a scope of this half.
pub(crate) fn guard(_target: &Target, _scope: &str) -> Option<Guard> {
    None
}
