//! The scopes: each reads the tables that it needs and says what they mean.
//!
//! In each module reading (`collect`) is apart from meaning, which is a function from tables to observations.

pub(crate) mod addresses;
pub(crate) mod components;
pub(crate) mod forwarding;
pub(crate) mod host;
#[cfg(test)]
mod hostile;
pub(crate) mod identity;
pub(crate) mod interfaces;
pub(crate) mod neighbors;
pub(crate) mod peers;
pub(crate) mod power;
pub(crate) mod routes;
pub(crate) mod sensors;

use crate::view::View;
use collector::{Run, ScopeDeclaration};
use model::Coverage;
use model::classes::{
    address_binding, battery, device_module, fan, filesystem, forwarding_entry, host as host_class,
    management_access, neighbor, network_device, network_interface, package, power_supply,
    printer_supply, route, routing_peer, sensor, stack_member, transceiver, vlan,
};
use std::time::Duration;

/// The native key of the device itself, as scopes name it; of a host see `View::saw`.
pub(crate) const DEVICE: &str = "device";

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);

const fn scope(
    name: &'static str,
    summary: &'static str,
    classes: &'static [&'static str],
    interval: Duration,
    time_limit: Duration,
) -> ScopeDeclaration {
    ScopeDeclaration { name, summary, classes, interval, time_limit, is_volatile: true }
}

/// All scopes, in the order of the manual.
pub(crate) const SCOPES: &[ScopeDeclaration] = &[
    scope(
        "identity",
        "What the device is: its name, vendor, model, serial number and software, and how it lets itself be read.",
        &[network_device::CLASS.name, host_class::CLASS.name, management_access::CLASS.name],
        HOUR,
        MINUTE.saturating_mul(3),
    ),
    scope(
        "interfaces",
        "Interfaces with their addresses and how they lie on one another.",
        &[network_interface::CLASS.name],
        MINUTE.saturating_mul(5),
        MINUTE.saturating_mul(5),
    ),
    scope(
        "neighbors",
        "What is announced at the other ends of links, by LLDP and CDP.",
        &[neighbor::CLASS.name],
        MINUTE.saturating_mul(15),
        MINUTE.saturating_mul(3),
    ),
    scope(
        "vlans",
        "VLANs with the ports that carry them.",
        &[vlan::CLASS.name],
        HOUR,
        MINUTE.saturating_mul(3),
    ),
    scope(
        "forwarding",
        "Hardware addresses that the bridge has learned, with VLAN and port.",
        &[forwarding_entry::CLASS.name],
        MINUTE.saturating_mul(15),
        MINUTE.saturating_mul(10),
    ),
    scope(
        "addresses",
        "Hardware addresses that were learned for IP addresses (ARP and neighbor discovery).",
        &[address_binding::CLASS.name],
        MINUTE.saturating_mul(15),
        MINUTE.saturating_mul(10),
    ),
    scope(
        "routes",
        "Routing tables, up to a limit.",
        &[route::CLASS.name],
        HOUR,
        MINUTE.saturating_mul(10),
    ),
    scope(
        "peers",
        "Routers that routes are exchanged with, by BGP and OSPF.",
        &[routing_peer::CLASS.name],
        MINUTE.saturating_mul(15),
        MINUTE.saturating_mul(3),
    ),
    scope(
        "components",
        "Chassis, modules, power supplies, fans, transceivers and members of stacks.",
        &[
            device_module::CLASS.name,
            power_supply::CLASS.name,
            fan::CLASS.name,
            transceiver::CLASS.name,
            stack_member::CLASS.name,
        ],
        HOUR.saturating_mul(6),
        MINUTE.saturating_mul(5),
    ),
    scope(
        "sensors",
        "Sensors of temperature, voltage, current, power and fan speed.",
        &[sensor::CLASS.name],
        MINUTE.saturating_mul(5),
        MINUTE.saturating_mul(3),
    ),
    scope(
        "storage",
        "File systems of hosts.",
        &[filesystem::CLASS.name],
        MINUTE.saturating_mul(15),
        MINUTE.saturating_mul(3),
    ),
    scope(
        "software",
        "Software that is installed on hosts.",
        &[package::CLASS.name],
        HOUR.saturating_mul(6),
        MINUTE.saturating_mul(5),
    ),
    scope(
        "power",
        "Batteries of uninterruptible power supplies.",
        &[battery::CLASS.name],
        MINUTE.saturating_mul(5),
        MINUTE.saturating_mul(3),
    ),
    scope(
        "supplies",
        "What printers use up.",
        &[printer_supply::CLASS.name],
        HOUR,
        MINUTE.saturating_mul(3),
    ),
];

/// Looks at the scope of that name; `None` when there is none.
pub(crate) async fn collect(
    scope: &str,
    view: &mut View<'_>,
    run: &mut Run<'_>,
) -> Option<Coverage> {
    Some(match scope {
        "identity" => identity::collect(view, run).await,
        "interfaces" => interfaces::collect(view, run).await,
        "neighbors" => neighbors::collect(view, run).await,
        "vlans" => forwarding::collect_vlans(view, run).await,
        "forwarding" => forwarding::collect_entries(view, run).await,
        "addresses" => addresses::collect(view, run).await,
        "routes" => routes::collect(view, run).await,
        "peers" => peers::collect(view, run).await,
        "components" => components::collect(view, run).await,
        "sensors" => sensors::collect(view, run).await,
        "storage" => host::collect_storage(view, run).await,
        "software" => host::collect_software(view, run).await,
        "power" => power::collect_batteries(view, run).await,
        "supplies" => power::collect_supplies(view, run).await,
        _ => return None,
    })
}
