//! A tree whose every file holds nonsense harms no scope: nothing panics, nothing is emitted that the catalog does
//! not know, and the work stays bounded.

use collector::{Collector, Target, testing};
use collector_host::HostCollector;
use proptest::prelude::*;
use std::path::Path;

/// Files that some scope reads; each gets nonsense.
const FILES: &[&str] = &[
    "etc/os-release",
    "etc/hostname",
    "etc/hosts",
    "etc/resolv.conf",
    "etc/machine-id",
    "etc/timezone",
    "etc/debian_version",
    "etc/nftables.conf",
    "etc/ufw/ufw.conf",
    "etc/firewalld/firewalld.conf",
    "etc/lvm/backup/vg0",
    "etc/ssh/ssh_host_ed25519_key.pub",
    "etc/passwd",
    "etc/group",
    "etc/shadow",
    "etc/sudoers",
    "etc/crontab",
    "etc/anacrontab",
    "etc/cron.d/job",
    "etc/ssl/certs/one.pem",
    "etc/ssl/private/two.key",
    "etc/systemd/system/one.service",
    "etc/systemd/system/one.timer",
    "boot/vmlinuz-6.1.0-9-amd64",
    "proc/1/cgroup",
    "proc/1/comm",
    "proc/1/environ",
    "proc/1/stat",
    "proc/1/status",
    "proc/1/cmdline",
    "proc/cmdline",
    "proc/cpuinfo",
    "proc/loadavg",
    "proc/mdstat",
    "proc/meminfo",
    "proc/modules",
    "proc/net/if_inet6",
    "proc/net/ip_tables_names",
    "proc/net/ipv6_route",
    "proc/net/route",
    "proc/net/tcp",
    "proc/net/tcp6",
    "proc/net/udp",
    "proc/net/unix",
    "proc/pressure/cpu",
    "proc/self/mountinfo",
    "proc/stat",
    "proc/swaps",
    "proc/sys/kernel/hostname",
    "proc/sys/kernel/osrelease",
    "proc/sys/net/netfilter/nf_conntrack_count",
    "proc/uptime",
    "run/cloud-init/instance-data.json",
    "run/reboot-required.pkgs",
    "run/systemd/container",
    "run/udev/data/b8:0",
    "sys/block/dm-0/dev",
    "sys/block/dm-0/dm/name",
    "sys/block/dm-0/dm/uuid",
    "sys/block/dm-0/size",
    "sys/block/md0/md/level",
    "sys/block/sda/device/model",
    "sys/block/sda/device/vpd_pg80",
    "sys/block/sda/device/wwid",
    "sys/block/sda/queue/rotational",
    "sys/block/sda/stat",
    "sys/bus/pci/devices/0000:00:02.0/current_link_width",
    "sys/bus/usb/devices/1-1/bDeviceClass",
    "sys/bus/usb/devices/1-1/speed",
    "sys/class/dmi/id/chassis_type",
    "sys/class/dmi/id/product_serial",
    "sys/class/dmi/id/product_uuid",
    "sys/class/hwmon/hwmon0/name",
    "sys/class/hwmon/hwmon0/temp1_crit",
    "sys/class/hwmon/hwmon0/temp1_input",
    "sys/class/net/eth0/address",
    "sys/class/net/eth0/flags",
    "sys/class/net/eth0/operstate",
    "sys/class/net/eth0/speed",
    "sys/class/net/eth0/uevent",
    "sys/class/thermal/thermal_zone0/temp",
    "sys/devices/system/cpu/cpu0/cache/index0/level",
    "sys/devices/system/cpu/cpu0/cache/index0/size",
    "sys/devices/system/cpu/cpu0/topology/physical_package_id",
    "sys/devices/system/cpu/vulnerabilities/spectre_v1",
    "sys/devices/system/memory/block_size_bytes",
    "sys/devices/system/node/node0/cpulist",
    "sys/firmware/dmi/tables/DMI",
    "sys/firmware/dmi/tables/smbios_entry_point",
    "usr/lib/systemd/system/two.service",
    "usr/lib/python3/dist-packages/one-1.0.dist-info/METADATA",
    "usr/lib/node_modules/one/package.json",
    "usr/share/misc/pci.ids",
    "var/lib/dpkg/status",
    "var/lib/rpm/rpmdb.sqlite",
    "var/lib/cloud/data/instance-id",
    "lib/apk/db/installed",
];

/// Files that must say something, or the readers would stop before the nonsense.
const FIXED: &[(&str, &str)] = &[
    ("sys/devices/system/cpu/online", "0-64,4294967295\n"),
    ("sys/block/sda/size", "18446744073709551615\n"),
    ("sys/block/sda/dev", "8:0\n"),
    ("sys/block/md0/size", "2000\n"),
    ("sys/block/md0/dev", "9:0\n"),
    ("sys/bus/pci/devices/0000:00:02.0/vendor", "0x8086\n"),
    ("sys/bus/pci/devices/0000:00:02.0/device", "0x1234\n"),
    ("sys/bus/pci/devices/0000:00:02.0/class", "0x030000\n"),
    ("sys/class/net/eth0/ifindex", "2\n"),
];

fn write(root: &Path, path: &str, bytes: &[u8]) {
    let path = root.join(path);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, bytes).unwrap();
}

/// Nonsense that begins as some formats do, so that it gets past their first check.
fn nonsense() -> impl Strategy<Value = Vec<u8>> {
    let start = prop_oneof![
        Just(&b""[..]),
        Just(&b"_SM3_"[..]),
        Just(&b"{\"v1\": "[..]),
        Just(&b"Package: a\nVersion: "[..]),
        Just(&b"vg0 {\n extent_size = 9223372036854775807\n"[..]),
        Just(&b"1 2 3:4 / / rw - ext4 "[..]),
        Just(&b"-----BEGIN CERTIFICATE-----\n"[..]),
        Just(&b"root:x:0:0:"[..]),
        Just(&b"\x01\x1b\x00\x00"[..]),
        Just(&b"SQLite format 3\0"[..]),
        Just(&b"18446744073709551615"[..]),
    ];
    (start, proptest::collection::vec(any::<u8>(), 0..300), ".{0,40}")
        .prop_map(|(start, bytes, text)| [start, &bytes, b"\n", text.as_bytes()].concat())
}

proptest! {
    // Each case looks at every scope with a hundred files.
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn nonsense_in_every_file_harms_no_scope(contents in proptest::collection::vec(nonsense(), 1..12)) {
        let directory = tempfile::tempdir().unwrap();
        for (index, file) in FILES.iter().enumerate() {
            write(directory.path(), file, &contents[index % contents.len()]);
        }
        for (file, text) in FIXED {
            write(directory.path(), file, text.as_bytes());
        }
        let target =
            Target { id: "other".into(), site: "default".into(), root: directory.path().to_owned() , remote: None};
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        for scope in HostCollector.manifest().scopes {
            HostCollector.guard(&target, scope.name);
            let look = runtime.block_on(testing::look(&HostCollector, &target, scope.name)).unwrap();
            let complaints = testing::complaints(&HostCollector, scope.name, &look.observations);
            prop_assert!(complaints.is_empty(), "{}: {complaints:?}", scope.name);
            for seen in &look.observations {
                prop_assert!(seen.native_key.len() <= model::observation::NATIVE_KEY_LENGTH_MAX);
            }
        }
    }
}
