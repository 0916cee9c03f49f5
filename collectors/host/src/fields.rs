//! The facts and readings that a full look at an ordinary Linux host, as root, must give: what lscpu, lsblk, ip, ss,
//! dpkg-query, lshw and facter say of every machine. A benchmark that is fast because it leaves something out shows
//! here.

use model::Observation;
use std::collections::BTreeSet;

/// Class and attribute, as `class.attribute`. Not here: what only some machines have (serial numbers, modules,
/// arrays, sensors).
const DEMANDED: &[&str] = &[
    "host.fqdn",
    "host.host_name",
    "host.os_name",
    "host.os_id",
    "host.os_version",
    "host.os_family",
    "host.kernel_release",
    "host.kernel_version",
    "host.kernel_command_line",
    "host.architecture",
    "host.init_system",
    "host.booted_at",
    "host.time_zone",
    "host.memory_bytes",
    "host.swap_bytes",
    "host.processors_count",
    "host.virtualization",
    "host.hypervisor",
    "host.dns_servers",
    "host.firewall_managers",
    "host.firewall_tables",
    "host.reboot_needed",
    "host.load_1m",
    "host.load_5m",
    "host.load_15m",
    "host.memory_available_bytes",
    "host.swap_used_bytes",
    "host.uptime_seconds",
    "host.processes_count",
    "hardware.sockets_count",
    "hardware.cores_count",
    "hardware.threads_count",
    "hardware.memory_installed_bytes",
    "hardware.vulnerabilities",
    "processor.socket",
    "processor.model",
    "processor.vendor",
    "processor.cores_count",
    "processor.threads_count",
    "processor.features",
    "drive.name",
    "drive.capacity_bytes",
    "drive.is_rotational",
    "drive.is_removable",
    "drive.is_read_only",
    "drive.sector_logical_bytes",
    "drive.sector_physical_bytes",
    "drive.read_bytes",
    "drive.written_bytes",
    "pci_device.address",
    "pci_device.vendor_id",
    "pci_device.device_id",
    "pci_device.device_class",
    "pci_device.vendor",
    "pci_device.name",
    "pci_device.driver",
    "filesystem.mount_point",
    "filesystem.device",
    "filesystem.filesystem_type",
    "filesystem.options",
    "filesystem.capacity_bytes",
    "filesystem.used_bytes",
    "filesystem.available_bytes",
    "network_interface.name",
    "network_interface.interface_type",
    "network_interface.mac_address",
    "network_interface.addresses",
    "network_interface.mtu_bytes",
    "network_interface.state",
    "network_interface.flags",
    "network_interface.received_bytes",
    "network_interface.sent_bytes",
    "route.table",
    "route.destination",
    "route.gateway",
    "route.interface",
    "route.protocol",
    "package.name",
    "package.version",
    "package.architecture",
    "process.name",
    "process.executable",
    "process.run_as",
    "process.command_line",
    "process.pid",
    "process.started_at",
    "process.memory_bytes",
    "user_account.name",
    "user_account.uid",
    "user_account.gid",
    "user_account.home",
    "user_account.shell",
    "user_account.password_state",
    "user_account.may_sudo",
    "user_group.name",
    "user_group.gid",
];

/// What a full look at an ordinary Linux host must give and these observations lack, as `class.attribute`.
#[must_use]
pub fn fields_missing(observations: &[Observation]) -> Vec<&'static str> {
    let mut seen = BTreeSet::new();
    for observation in observations {
        for name in observation.facts.keys().chain(observation.readings.keys()) {
            seen.insert((observation.class.as_ref(), name.as_ref()));
        }
    }
    let is_missing = |demanded: &&'static str| {
        demanded.split_once('.').is_none_or(|field| !seen.contains(&field))
    };
    DEMANDED.iter().copied().filter(is_missing).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_demanded_is_in_the_catalog() {
        let catalog = model::Catalog::built_in();
        for demanded in DEMANDED {
            let (class, attribute) = demanded.split_once('.').unwrap();
            let class = catalog.class(class).unwrap();
            assert!(class.attribute(attribute).is_some(), "{demanded}");
        }
    }

    #[test]
    fn nothing_seen_is_everything_missing() {
        assert_eq!(fields_missing(&[]).len(), DEMANDED.len());
        let seen = Observation::of(&model::classes::host::CLASS, "host")
            .with(&model::classes::host::FQDN, "db1.example.net");
        assert_eq!(fields_missing(&[seen]).len(), DEMANDED.len() - 1);
    }
}
