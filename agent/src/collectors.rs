//! The collectors of this build, in the order of the manual.

use collector::Collector;

/// Every collector.
pub const COLLECTORS: &[&dyn Collector] = &[&collector_host::HostCollector];

/// Those that read targets over the network.
#[must_use]
pub fn remote() -> Vec<&'static dyn Collector> {
    COLLECTORS.iter().copied().filter(|collector| collector.manifest().is_remote).collect()
}

/// The collector of that name.
#[must_use]
pub fn by_name(name: &str) -> Option<&'static dyn Collector> {
    COLLECTORS.iter().copied().find(|collector| collector.manifest().name == name)
}

/// The names of all collectors, for a person.
#[must_use]
pub fn names() -> String {
    let names: Vec<_> = COLLECTORS.iter().map(|collector| collector.manifest().name).collect();
    names.join(", ")
}
