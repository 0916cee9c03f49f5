//! What the host collector says of a guest's arrays and volume groups, held against what LVM and mdadm say there.
#![expect(clippy::indexing_slicing, reason = "indexing JSON gives null where there is nothing")]

use crate::machines::{fact, observations};
use anyhow::{Context, Result};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use system_tests::machines::guest::Guest;
use system_tests::rig::Binaries;

/// Two arrays, one of them on a partition in the format whose mark lies at the end; a third that cannot start; a group with every
/// kind of volume, one on the second array whose volume is not active, and one whose drive was wiped since.
const SETUP: &str = "
export DM_DISABLE_UDEV=1
busybox mkdir -p /etc/lvm /run/lvm /run/lock/lvm /run/mdadm /data
busybox printf 'activation { udev_sync = 0 udev_rules = 0 }\\n' > /etc/lvm/lvm.conf
mdadm --create /dev/md0 --run --level=1 --raid-devices=2 --metadata=1.2 /dev/vda /dev/vdb
busybox printf 'n\np\n1\n\n\nw\n' | busybox fdisk /dev/vdc
mdadm --create /dev/md1 --run --level=1 --raid-devices=2 --metadata=0.90 /dev/vdc1 missing
mdadm --create /dev/md2 --run --level=1 --raid-devices=2 --metadata=1.2 /dev/vde /dev/vdf
mdadm --wait /dev/md0 /dev/md2
mdadm --stop /dev/md2
mdadm --incremental /dev/vde
lvm vgcreate my-vg /dev/md0 /dev/vdd
lvm lvcreate -y -n plain -L 8m my-vg
lvm lvcreate -y -n striped -i 2 -L 16m my-vg
lvm lvcreate -y -n snap -s -L 4m my-vg/plain
lvm lvcreate -y -n mir-ror --type raid1 -m 1 -L 8m my-vg
lvm lvcreate -y --type thin-pool -n pool -L 8m my-vg
lvm lvcreate -y -n thin --thinpool pool -V 1g my-vg
lvm vgcreate other /dev/md1
lvm lvcreate -y -n off -an -Zn -L 4m other
lvm vgcreate gone /dev/vdg
busybox dd if=/dev/zero of=/dev/vdg bs=1M count=1
busybox mke2fs -L data /dev/mapper/my--vg-plain
busybox mount -t ext2 /dev/mapper/my--vg-plain /data";

/// One half of the first array fails and is built again, slowly.
const REBUILD: &str = "
mdadm /dev/md0 --fail /dev/vdb
mdadm /dev/md0 --remove /dev/vdb
echo 500 > /sys/block/md0/md/sync_speed_min
echo 500 > /sys/block/md0/md/sync_speed_max
mdadm /dev/md0 --add /dev/vdb
n=0; until busybox grep -q recovery /proc/mdstat || [ $n -ge 100 ]; do busybox sleep 0.1; n=$((n + 1)); done";

const COMMANDS: &[(&str, &str)] = &[
    ("setup", SETUP),
    ("whole", "dharma-agent collect host.storage --json"),
    ("rebuild", REBUILD),
    ("agent", "dharma-agent collect host.storage --json"),
    ("md0", "mdadm --detail --export /dev/md0; mdadm --detail /dev/md0"),
    ("md1", "mdadm --detail --export /dev/md1; mdadm --detail /dev/md1"),
    (
        "lvs",
        "lvm lvs -a --units b --nosuffix --reportformat json -o lv_dm_path,lv_uuid,lv_size,lv_active,origin_size,vg_name 2>/dev/null",
    ),
    (
        "vgs",
        "lvm vgs --units b --nosuffix --reportformat json -o vg_name,vg_uuid,vg_size,vg_free,pv_name 2>/dev/null",
    ),
    ("lsblk", "lsblk -J -b -o NAME,TYPE,SIZE"),
];

/// What a guest's storage was seen to be, by native key.
struct Seen {
    items: BTreeMap<String, Value>,
}

impl Seen {
    fn of(output: &str) -> Self {
        let items = ["volume", "volume_group", "filesystem"]
            .iter()
            .flat_map(|class| observations(output, class))
            .filter_map(|item| Some((item["native_key"].as_str()?.to_owned(), item)))
            .collect();
        Self { items }
    }

    fn volume(&self, name: &str) -> &Value {
        self.items.get(&format!("host/volume/{name}")).unwrap_or(&Value::Null)
    }

    /// The native keys of what an item lies on.
    fn lower(&self, key: &str) -> BTreeSet<String> {
        let relations = self.items.get(key).and_then(|item| item["relations"].as_array());
        relations
            .into_iter()
            .flatten()
            .filter(|relation| relation["verb"] == "stored_on")
            .filter_map(|relation| relation["target"]["native_key"].as_str().map(str::to_owned))
            .collect()
    }
}

fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[test]
fn volumes_of_a_guest_are_as_lvm_and_mdadm_say() -> Result<()> {
    let guest = Guest {
        drives: &["virtio-blk-pci"; 7],
        modules: &[
            "crc32c_generic",
            "virtio_pci",
            "virtio_blk",
            "raid1",
            "dm_raid",
            "dm_snapshot",
            "dm_thin_pool",
            "ext4",
        ],
        programs: &["lvm", "mdadm", "lsblk"],
        commands: COMMANDS,
        ..Guest::default()
    };
    let outputs = guest.run(&Binaries::find()?.path("dharma-agent"))?;
    let seen = Seen::of(&outputs["agent"]);
    let mut differences = Vec::new();
    for name in ["md0", "md1"] {
        of_mdadm(name, &outputs[name], &seen, &mut differences)?;
    }
    of_lvs(&outputs["lvs"], &seen, &mut differences)?;
    of_vgs(&outputs["vgs"], &seen, &mut differences)?;
    of_lsblk(&outputs["lsblk"], &seen, &mut differences)?;
    assert!(
        differences.is_empty(),
        "{}\n{}\n{}",
        differences.join("\n"),
        outputs["setup"],
        outputs["agent"]
    );

    let whole = Seen::of(&outputs["whole"]);
    assert_eq!(fact(whole.volume("md0"), "raid_state"), Some("active"));
    assert_eq!(fact(seen.volume("md2"), "raid_state"), Some("inactive"), "{}", outputs["setup"]);
    for (key, lower) in [
        ("host/filesystem/\\/data", set(&["host/volume/my--vg-plain"])),
        ("host/volume/my--vg-plain", set(&["host/volume/my--vg-plain-real"])),
        ("host/volume/my--vg-plain-real", set(&["host/volume/md0"])),
        ("host/volume/md0", set(&["hardware/drive/vda", "hardware/drive/vdb"])),
        ("host/volume/md2", set(&["hardware/drive/vde"])),
        ("host/volume_group/my-vg", set(&["host/volume/md0", "hardware/drive/vdd"])),
        ("host/volume_group/other", set(&["host/volume/md1"])),
        ("host/volume/md1", set(&["host/volume/vdc1"])),
        ("host/volume/vdc1", set(&["hardware/drive/vdc"])),
    ] {
        assert_eq!(seen.lower(key), lower, "{key}");
    }
    let member = seen.volume("vdc1");
    assert_eq!(fact(member, "content_type"), Some("linux_raid_member"), "{member}");
    assert_eq!(fact(member, "content_uuid"), fact(seen.volume("md1"), "uuid"), "{member}");
    Ok(())
}

/// `key=value` and `key : value` lines of mdadm.
fn lines(output: &str) -> BTreeMap<&str, &str> {
    output
        .lines()
        .filter_map(|line| line.split_once('=').or_else(|| line.split_once(" : ")))
        .map(|(key, value)| (key.trim(), value.trim()))
        .collect()
}

fn of_mdadm(name: &str, output: &str, seen: &Seen, differences: &mut Vec<String>) -> Result<()> {
    let said = lines(output);
    let field = |key: &str| said.get(key).copied().with_context(|| format!("{key} of {output}"));
    let number = |key: &str| -> Result<u64> { Ok(field(key)?.parse()?) };
    let members: BTreeSet<String> = said
        .iter()
        .filter(|(key, _)| key.starts_with("MD_DEVICE_") && key.ends_with("_DEV"))
        .map(|(_, device)| device.trim_start_matches("/dev/").to_owned())
        .collect();
    let state = field("State")?;
    let ours = seen.volume(name);
    // mdadm groups the digits otherwise.
    let uuid = fact(ours, "uuid").unwrap_or_default().replace('-', "");
    let size = field("Array Size")?.split(' ').next().unwrap_or_default().parse::<u64>()? * 1024;
    for (attribute, theirs, ours) in [
        ("uuid", json!(field("MD_UUID")?.replace(':', "")), json!(uuid)),
        ("raid_level", json!(field("MD_LEVEL")?), ours["facts"]["raid_level"].clone()),
        ("capacity_bytes", json!(size), ours["facts"]["capacity_bytes"].clone()),
        (
            "raid_devices_count",
            json!(number("MD_DEVICES")?),
            ours["facts"]["raid_devices_count"].clone(),
        ),
        (
            "raid_degraded_count",
            json!(number("Raid Devices")? - number("Active Devices")?),
            ours["facts"]["raid_degraded_count"].clone(),
        ),
        (
            "raid_state",
            json!(if state.contains("degraded") { "degraded" } else { "active" }),
            ours["facts"]["raid_state"].clone(),
        ),
        ("members", json!(members), ours["facts"]["members"].clone()),
    ] {
        if theirs != ours {
            differences.push(format!("{name} {attribute}: mdadm {theirs} / {ours}"));
        }
    }
    // The rebuild went on between the two answers.
    let rebuilt = said.get("Rebuild Status").and_then(|text| text.split('%').next());
    match (rebuilt.map(str::parse::<f64>), ours["readings"]["raid_sync"].as_f64()) {
        (None, None) => {}
        (Some(Ok(theirs)), Some(ours)) if (theirs - ours).abs() <= 20.0 => {}
        (theirs, ours) => differences.push(format!("{name} rebuild: mdadm {theirs:?} / {ours:?}")),
    }
    anyhow::ensure!(name != "md0" || rebuilt.is_some(), "md0 is not being rebuilt: {output}");
    Ok(())
}

/// The rows of one report of LVM.
fn rows(output: &str, kind: &str) -> Result<Vec<Value>> {
    let report: Value = serde_json::from_str(output).context("LVM prints JSON")?;
    let rows = report["report"][0][kind].as_array().cloned().context("LVM reports rows")?;
    anyhow::ensure!(!rows.is_empty(), "LVM lists no {kind}");
    Ok(rows)
}

fn bytes(value: &Value) -> Option<u64> {
    value.as_str()?.parse().ok()
}

fn of_lvs(output: &str, seen: &Seen, differences: &mut Vec<String>) -> Result<()> {
    let mut active = BTreeSet::new();
    for row in rows(output, "lv")?.iter().filter(|row| row["lv_active"] == "active") {
        let name = row["lv_dm_path"].as_str().unwrap_or_default();
        let name = name.trim_start_matches("/dev/mapper/");
        active.insert(name.to_owned());
        let facts = &seen.volume(name)["facts"];
        // A snapshot is told by the space for its changes; its device is as large as the origin.
        let size = bytes(&row["origin_size"]).or_else(|| bytes(&row["lv_size"]));
        for (attribute, theirs) in [
            ("uuid", row["lv_uuid"].clone()),
            ("capacity_bytes", json!(size)),
            ("volume_group", row["vg_name"].clone()),
            ("volume_type", json!("lvm")),
        ] {
            if facts[attribute] != theirs {
                differences
                    .push(format!("{name} {attribute}: lvs {theirs} / {}", facts[attribute]));
            }
        }
    }
    let volumes = seen.items.values().filter(|item| fact(item, "volume_type") == Some("lvm"));
    let ours: BTreeSet<String> = volumes
        .filter_map(|item| fact(item, "name"))
        // Parts that only the device mapper has.
        .filter(|name| !["-real", "-cow", "-tpool"].iter().any(|end| name.ends_with(end)))
        .map(str::to_owned)
        .collect();
    if ours != active {
        differences.push(format!("active volumes: lvs {active:?} / {ours:?}"));
    }
    Ok(())
}

fn of_vgs(output: &str, seen: &Seen, differences: &mut Vec<String>) -> Result<()> {
    let mut groups: BTreeMap<String, (Value, BTreeSet<String>)> = BTreeMap::new();
    for row in rows(output, "vg")? {
        let name = row["vg_name"].as_str().unwrap_or_default().to_owned();
        let device = row["pv_name"].as_str().unwrap_or_default().to_owned();
        groups.entry(name).or_insert_with(|| (row, BTreeSet::new())).1.insert(device);
    }
    let ours: BTreeSet<&str> = seen
        .items
        .values()
        .filter(|item| item["class"] == "volume_group")
        .filter_map(|item| fact(item, "name"))
        .collect();
    let theirs: BTreeSet<&str> = groups.keys().map(String::as_str).collect();
    if ours != theirs {
        differences.push(format!("groups: vgs {theirs:?} / {ours:?}"));
    }
    for (name, (row, devices)) in &groups {
        let key = format!("host/volume_group/{name}");
        let facts = &seen.items.get(&key).unwrap_or(&Value::Null)["facts"];
        for (attribute, theirs) in [
            ("uuid", row["vg_uuid"].clone()),
            ("capacity_bytes", json!(bytes(&row["vg_size"]))),
            ("free_bytes", json!(bytes(&row["vg_free"]))),
            ("members", json!(devices)),
        ] {
            if facts[attribute] != theirs {
                differences
                    .push(format!("{name} {attribute}: vgs {theirs} / {}", facts[attribute]));
            }
        }
    }
    Ok(())
}

/// Holds names, types and sizes against the whole tree of lsblk.
fn of_lsblk(output: &str, seen: &Seen, differences: &mut Vec<String>) -> Result<()> {
    let listing: Value = serde_json::from_str(output).context("lsblk prints JSON")?;
    let mut waiting: Vec<&Value> =
        listing["blockdevices"].as_array().into_iter().flatten().collect();
    let mut count = 0;
    while let Some(row) = waiting.pop() {
        waiting.extend(row["children"].as_array().into_iter().flatten());
        let kind = row["type"].as_str().unwrap_or_default();
        // An array that did not start has no size, and is told apart below.
        if kind == "disk" || row["size"] == 0 {
            continue;
        }
        count += 1;
        let name = row["name"].as_str().unwrap_or_default();
        let facts = &seen.volume(name)["facts"];
        let (attribute, ours) = match kind {
            "lvm" => ("volume_type", "lvm"),
            "part" => ("volume_type", "partition"),
            level => ("raid_level", level),
        };
        if facts[attribute] != ours || facts["capacity_bytes"] != row["size"] {
            differences.push(format!("{name}: lsblk {kind} {} / {facts}", row["size"]));
        }
    }
    anyhow::ensure!(count > 10, "lsblk lists {count} volumes");
    Ok(())
}
