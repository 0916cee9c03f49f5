//! A summary of the packet filter: what the kernel holds and what manages it.

use crate::files::{Refusal, read_to_string_limited, refusal};
use collector::Target;
use model::Observation;
use model::classes::host;

/// The longest configuration file of a firewall manager that is looked at.
const CONFIG_BYTES_MAX: usize = 256 * 1024;

/// Adds the summary; whether the right to some of it is missing.
pub(super) fn look(seen: &mut Observation, target: &Target) -> bool {
    seen.set(&host::FIREWALL_MANAGERS, managers(target));
    let mut tables = Vec::new();
    let mut is_denied = false;
    for (family, file) in [("ip", "/proc/net/ip_tables_names"), ("ip6", "/proc/net/ip6_tables_names")]
    {
        match read_to_string_limited(&target.path(file), CONFIG_BYTES_MAX) {
            Ok(text) => {
                tables.extend(text.lines().map(|table| format!("iptables {family} {table}")));
            }
            Err(error) => is_denied |= refusal(&error) == Refusal::PermissionDenied,
        }
    }
    if is_denied {
        return true;
    }
    tables.sort();
    seen.set(&host::FIREWALL_TABLES, tables);
    false
}

/// The managers that are installed, with whether they start with the system.
fn managers(target: &Target) -> Vec<String> {
    let mut found = Vec::new();
    let read = |path: &str| read_to_string_limited(&target.path(path), CONFIG_BYTES_MAX).ok();
    if let Some(text) = read("/etc/ufw/ufw.conf") {
        found.push(state("ufw", is_ufw_enabled(&text)));
    }
    if read("/etc/firewalld/firewalld.conf").is_some() {
        found.push(state("firewalld", is_wanted(target, "firewalld.service")));
    }
    if read("/etc/nftables.conf").is_some() || read("/etc/sysconfig/nftables.conf").is_some() {
        found.push(state("nftables", is_wanted(target, "nftables.service")));
    }
    if target.path("/etc/iptables").is_dir() && is_wanted(target, "netfilter-persistent.service") {
        found.push(state("netfilter-persistent", true));
    }
    found.sort();
    found
}

fn state(name: &str, is_enabled: bool) -> String {
    format!("{name} ({})", if is_enabled { "enabled" } else { "disabled" })
}

fn is_ufw_enabled(text: &str) -> bool {
    super::os::assignments(text).get("ENABLED").is_some_and(|value| value.eq_ignore_ascii_case("yes"))
}

/// Whether systemd starts a unit with the system.
fn is_wanted(target: &Target, unit: &str) -> bool {
    ["multi-user.target.wants", "sysinit.target.wants", "basic.target.wants", "network-pre.target.wants"]
        .iter()
        .any(|wants| {
            let link = target.path(&format!("/etc/systemd/system/{wants}/{unit}"));
            std::fs::symlink_metadata(link).is_ok()
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_commented_line_does_not_enable_ufw() {
        assert!(!is_ufw_enabled("# ENABLED=yes\nENABLED=no\n"));
        assert!(is_ufw_enabled("ENABLED=yes\n"));
    }
}
