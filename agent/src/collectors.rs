//! The collectors of this build, in the order of the manual.

use collector::Collector;
use std::sync::OnceLock;

/// Every collector.
pub const COLLECTORS: &[&dyn Collector] = &[
    &collector_host::HostCollector,
    &collector_snmp::SnmpCollector,
    &collector_sweep::SweepCollector,
];

/// What a program that contains the agent adds to them.
static ADDED: OnceLock<Vec<&'static dyn Collector>> = OnceLock::new();

/// Adds collectors of the program that contains the agent; to be called once, before [`crate::main`].
pub fn add(collectors: Vec<&'static dyn Collector>) {
    // A second call changes nothing: what is there may be in use.
    drop(ADDED.set(collectors));
}

/// Every collector, those that were added last.
pub fn all() -> impl Iterator<Item = &'static dyn Collector> {
    COLLECTORS.iter().chain(ADDED.get().into_iter().flatten()).copied()
}

/// Those that read targets over the network.
#[must_use]
pub fn remote() -> Vec<&'static dyn Collector> {
    all().filter(|collector| collector.manifest().is_remote).collect()
}

/// The collector of that name.
#[must_use]
pub fn by_name(name: &str) -> Option<&'static dyn Collector> {
    all().find(|collector| collector.manifest().name == name)
}

/// The names of all collectors, for a person.
#[must_use]
pub fn names() -> String {
    let names: Vec<_> = all().map(|collector| collector.manifest().name).collect();
    names.join(", ")
}
