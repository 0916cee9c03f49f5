//! A summary of the packet filter: what the kernel holds and what manages it.
//!
//! Tables and rules of nftables are asked of the kernel, and only where that cannot make it load a module. The old
//! tables of iptables tell their names in /proc, and whether they hold rules by a socket option.

use super::netlink::{self, for_each_attribute};
use super::system::{self, Question};
use crate::files::{Refusal, read_to_string_limited, refusal};
use collector::Target;
use model::Observation;
use model::classes::host;
use std::io;

/// The longest configuration file of a firewall manager that is looked at.
const CONFIG_BYTES_MAX: usize = 256 * 1024;
/// The most tables that are named.
const TABLES_MAX: usize = 256;

/// What the kernel holds.
#[derive(Debug, Default, PartialEq, Eq)]
struct Filter {
    tables: Vec<String>,
    /// Rules of nftables, those that iptables-nft made among them.
    rules: u64,
    /// Whether the old tables hold rules; how many, they do not say.
    has_old_rules: bool,
}

/// Adds the summary; whether the right to some of it is missing.
pub(super) fn look(seen: &mut Observation, target: &Target) -> bool {
    seen.set(&host::FIREWALL_MANAGERS, managers(target));
    match filter(target) {
        Ok(mut filter) => {
            filter.tables.sort();
            filter.tables.truncate(TABLES_MAX);
            // Only the running kernel knows that there are none.
            if target.is_live() || !filter.tables.is_empty() {
                seen.set(&host::FIREWALL_TABLES, filter.tables);
            }
            if target.is_live() {
                seen.set(&host::FIREWALL_ACTIVE, filter.rules > 0 || filter.has_old_rules);
                if !filter.has_old_rules {
                    seen.set(&host::FIREWALL_RULES_COUNT, filter.rules);
                }
            }
            false
        }
        Err(error) => refusal(&error) == Refusal::PermissionDenied,
    }
}

fn filter(target: &Target) -> io::Result<Filter> {
    let mut filter = Filter::default();
    for (family, file) in
        [("ip", "/proc/net/ip_tables_names"), ("ip6", "/proc/net/ip6_tables_names")]
    {
        let text = match read_to_string_limited(&target.path(file), CONFIG_BYTES_MAX) {
            Ok(text) => text,
            Err(error) if refusal(&error) == Refusal::PermissionDenied => return Err(error),
            Err(_) => continue,
        };
        for table in text.lines() {
            filter.tables.push(format!("iptables {family} {table}"));
            filter.has_old_rules |=
                target.is_live() && system::old_table_has_rules(family == "ip6", table)?;
        }
    }
    if target.is_live() && can_ask_nftables(target) {
        nftables(&mut filter)?;
    }
    Ok(filter)
}

/// Whether asking for nftables cannot make the kernel load a module: it is loaded, or none can be.
fn can_ask_nftables(target: &Target) -> bool {
    target.path("/sys/module/nf_tables").exists() || !target.path("/proc/modules").exists()
}

/// Asks the kernel for its tables and rules of nftables.
fn nftables(filter: &mut Filter) -> io::Result<()> {
    const SUBSYSTEM: u16 = 10 << 8;
    const GET_TABLE: u16 = SUBSYSTEM | 1;
    const GET_RULE: u16 = SUBSYSTEM | 7;
    // For all families, version 0.
    let question = |kind| Question { protocol: libc::NETLINK_NETFILTER, kind, body: &[0; 4] };
    let asked = system::netlink_dump(question(GET_TABLE), &mut |_, body| {
        filter.tables.extend(table(body));
    });
    match asked {
        // The kernel has no nftables at all.
        Err(error)
            if matches!(
                error.raw_os_error(),
                Some(libc::EPROTONOSUPPORT | libc::EINVAL | libc::EOPNOTSUPP)
            ) =>
        {
            return Ok(());
        }
        asked => asked?,
    }
    system::netlink_dump(question(GET_RULE), &mut |_, _| filter.rules += 1)
}

/// Family and name of a table.
fn table(body: &[u8]) -> Option<String> {
    let family = match body.first()? {
        1 => "inet",
        2 => "ip",
        3 => "arp",
        5 => "netdev",
        7 => "bridge",
        10 => "ip6",
        _ => return None,
    };
    let mut name = None;
    for_each_attribute(body.get(4..)?, |kind, value| {
        if kind == 1 {
            name = Some(netlink::text(value));
        }
    });
    Some(format!("nftables {family} {}", name?))
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
    super::os::assignments(text)
        .get("ENABLED")
        .is_some_and(|value| value.eq_ignore_ascii_case("yes"))
}

/// Whether systemd starts a unit with the system.
fn is_wanted(target: &Target, unit: &str) -> bool {
    [
        "multi-user.target.wants",
        "sysinit.target.wants",
        "basic.target.wants",
        "network-pre.target.wants",
    ]
    .iter()
    .any(|wants| {
        let link = target.link_path(&format!("/etc/systemd/system/{wants}/{unit}"));
        std::fs::symlink_metadata(link).is_ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_has_family_and_name() {
        let body = [1, 0, 0, 0, 11, 0, 1, 0, b'f', b'i', b'l', b't', b'e', b'r', 0, 0];
        assert_eq!(table(&body).as_deref(), Some("nftables inet filter"));
        assert_eq!(table(&body[..4]), None);
        assert_eq!(table(&[]), None);
    }

    #[test]
    fn a_commented_line_does_not_enable_ufw() {
        assert!(!is_ufw_enabled("# ENABLED=yes\nENABLED=no\n"));
        assert!(is_ufw_enabled("ENABLED=yes\n"));
    }
}
