//! What the host collector says of the drives of a guest, held against what smartctl and lsblk say of them there.
#![expect(clippy::indexing_slicing, reason = "indexing JSON gives null where there is nothing")]

use crate::machines::{fact, observations};
use anyhow::{Context, Result};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use system_tests::machines::guest::{Guest, drive_bytes};
use system_tests::rig::Binaries;

/// Controllers: of NVMe drives that share one drive, of parallel ATA, of SCSI and of USB.
const CONTROLLERS: &[&str] = &[
    "nvme-subsys,id=shared",
    "nvme,id=first,subsys=shared,serial=NVME-SHARED,addr=0x11",
    "nvme,id=second,subsys=shared,serial=NVME-SHARED,addr=0x12",
    "piix3-ide,id=parallel,addr=0x13",
    "virtio-scsi-pci,id=scsi,addr=0x14",
    "qemu-xhci,id=usb,addr=0x15",
];

/// Drives, each with its serial number and the address of its controller. Q35 itself has one for serial ATA.
const DRIVES: &[(&str, &str, &str)] = &[
    ("nvme,serial=NVME-ILL,smart_critical_warning=20,addr=0x10", "NVME-ILL", "0000:00:10.0"),
    ("nvme-ns,bus=first,shared=on", "NVME-SHARED", "0000:00:11.0"),
    (
        "ide-hd,bus=ide.0,serial=SATA-1,model=Example Disk,ver=FW12,wwn=0x5000c500a1b2c3d4",
        "SATA-1",
        "0000:00:1f.2",
    ),
    ("ide-hd,bus=ide.1,serial=SATA-OFF,physical_block_size=4096", "SATA-OFF", "0000:00:1f.2"),
    ("ide-hd,bus=parallel.0,serial=PATA-1", "PATA-1", "0000:00:13.0"),
    ("virtio-blk-pci,serial=VIRTIO-1,addr=0x16", "VIRTIO-1", "0000:00:16.0"),
    ("scsi-hd,bus=scsi.0,serial=SCSI-1", "SCSI-1", "0000:00:14.0"),
    ("usb-storage,bus=usb.0,serial=USB-1", "USB-1", "0000:00:15.0"),
];

/// A drive that speaks SCSI as those on SAS do, made by the kernel itself: QEMU has none with a health.
const SCSI_MODULE: &str = "scsi_debug dev_size_mb=8";
const SCSI_MODEL: &str = "scsi_debug";

/// The drives without health: SMART is turned off, or there is none.
const WITHOUT_HEALTH: &[&str] = &["SATA-OFF", "VIRTIO-1", "SCSI-1", "USB-1"];

const COMMANDS: &[(&str, &str)] = &[
    (
        "off",
        "for d in /dev/sd?; do smartctl -i $d | busybox grep -q SATA-OFF && smartctl -s off $d; done",
    ),
    ("smartctl", "for d in /dev/nvme?n? /dev/sd? /dev/vd?; do smartctl -j -a $d; done"),
    ("lsblk", "lsblk -J -b -d -o NAME,TRAN,MODEL,REV,SIZE,WWN,ROTA,RO,RM,LOG-SEC,PHY-SEC"),
    ("agent", "dharma-agent collect host.drives --json"),
    // Nobody: the files of /sys are anyone's, the questions to drives are root's.
    (
        "unprivileged",
        "echo 'nobody:x:65534:65534::/:/bin/sh' > /etc/passwd; busybox su nobody -s /bin/sh -c '/bin/dharma-agent collect host.drives --json'",
    ),
];

const MODULES: &[&str] = &[
    "nvme",
    "ahci",
    "ata_piix",
    "sd_mod",
    "virtio_pci",
    "virtio_blk",
    "virtio_scsi",
    "usb_storage",
    "xhci_pci",
    SCSI_MODULE,
];

/// Facts and readings, whose names do not overlap.
fn said(seen: &Value, name: &str) -> Value {
    let value = &seen["facts"][name];
    if value.is_null() { seen["readings"][name].clone() } else { value.clone() }
}

#[test]
fn drives_of_a_guest_are_as_smartctl_says() -> Result<()> {
    let devices: Vec<&str> = DRIVES.iter().map(|(device, ..)| *device).collect();
    let guest = Guest {
        devices: CONTROLLERS,
        drives: &devices,
        modules: MODULES,
        drives_of_modules: 1,
        programs: &["smartctl", "lsblk"],
        commands: COMMANDS,
        ..Guest::default()
    };
    let outputs = guest.run(&Binaries::find()?.path("dharma-agent"))?;
    let seen: BTreeMap<String, Value> = observations(&outputs["agent"], "drive")
        .into_iter()
        .filter_map(|drive| Some((fact(&drive, "name")?.to_owned(), drive)))
        .collect();
    let mut differences = Vec::new();
    of_smartctl(&outputs["smartctl"], &seen, &mut differences)?;
    of_lsblk(&outputs["lsblk"], &seen, &mut differences)?;
    of_qemu(&seen, &mut differences);
    assert!(differences.is_empty(), "{}\n{}", differences.join("\n"), outputs["agent"]);
    let scsi = seen.values().find(|drive| fact(drive, "model") == Some(SCSI_MODEL));
    assert_eq!(scsi.and_then(|drive| fact(drive, "health")), Some("passed"));
    // What has no health is no failure.
    let end = ending(&outputs["agent"])?;
    assert_eq!(end["coverage"]["reason"], "none", "{end}");
    without_rights(&outputs["unprivileged"], &seen)
}

/// The last line of a collection, which tells its coverage; there are no failures.
fn ending(output: &str) -> Result<Value> {
    let end: Value = serde_json::from_str(output.lines().last().unwrap_or_default())
        .with_context(|| format!("the collector's last line of {output}"))?;
    anyhow::ensure!(end["failures"] == json!([]), "{end}");
    Ok(end)
}

/// Without root every drive is there, and its health is said to be not looked at rather than none.
fn without_rights(output: &str, seen: &BTreeMap<String, Value>) -> Result<()> {
    let drives = observations(output, "drive");
    assert_eq!(drives.len(), seen.len(), "{output}");
    for drive in &drives {
        let asked = HEALTH.iter().find(|attribute| !said(drive, attribute).is_null());
        assert_eq!(asked, None, "{drive}");
    }
    let end = ending(output)?;
    assert_eq!(end["coverage"]["status"], "complete", "{end}");
    assert_eq!(end["coverage"]["reason"], "permission_denied", "{end}");
    let detail = end["coverage"]["detail"].as_str().unwrap_or_default();
    assert!(detail.starts_with("asking drives for their health needs root"), "{end}");
    Ok(())
}

/// Holds every field that smartctl and the collector share against each other.
fn of_smartctl(
    output: &str,
    seen: &BTreeMap<String, Value>,
    differences: &mut Vec<String>,
) -> Result<()> {
    let mut asked = BTreeSet::new();
    for report in serde_json::Deserializer::from_str(output).into_iter::<Value>() {
        let report = report.context("smartctl prints JSON")?;
        let name = report["smartctl"]["argv"][3].as_str().unwrap_or_default();
        let name = name.trim_start_matches("/dev/");
        let Some(ours) = seen.get(name) else {
            differences.push(format!("{name} is missing"));
            continue;
        };
        asked.insert(name.to_owned());
        for (attribute, theirs) in fields(&report) {
            // What smartctl does not know (it cannot ask virtio and USB) it cannot contradict.
            let is_health = HEALTH.contains(&attribute);
            if (is_health || !theirs.is_null()) && theirs != said(ours, attribute) {
                differences
                    .push(format!("{name} {attribute}: {theirs} / {}", said(ours, attribute)));
            }
        }
    }
    anyhow::ensure!(asked.len() == DRIVES.len() + 1, "smartctl was asked of {asked:?}");
    Ok(())
}

const HEALTH: &[&str] = &[
    "health",
    "temperature_celsius",
    "wear",
    "power_on_seconds",
    "power_cycles_count",
    "media_errors_count",
    "reallocated_sectors_count",
];

/// A report of smartctl in the collector's words.
fn fields(report: &Value) -> Vec<(&'static str, Value)> {
    let first = |names: &[&str]| {
        names.iter().map(|name| report[*name].clone()).find(|v| !v.is_null()).unwrap_or_default()
    };
    let nvme = &report["nvme_smart_health_information_log"];
    let attribute = |id: u64| {
        let table = report["ata_smart_attributes"]["table"].as_array().into_iter().flatten();
        table
            .filter(|row| row["id"] == id)
            .map(|row| row["raw"]["value"].clone())
            .next()
            .unwrap_or_default()
    };
    let name = report["wwn"]["naa"].as_u64().map(|naa| {
        let (oui, id) = (report["wwn"]["oui"].as_u64(), report["wwn"]["id"].as_u64());
        json!(format!("0x{naa:x}{:06x}{:09x}", oui.unwrap_or(0), id.unwrap_or(0)))
    });
    let name = name.unwrap_or_else(|| report["logical_unit_id"].clone());
    let hours = report["power_on_time"]["hours"].as_u64().map(|hours| json!(hours * 3600));
    // A drive that has no temperature is told as one of zero degrees.
    let celsius = report["temperature"]["current"].as_f64().filter(|celsius| *celsius > 0.0);
    vec![
        ("model", first(&["model_name", "scsi_product"])),
        ("vendor", report["scsi_vendor"].clone()),
        ("serial_number", report["serial_number"].clone()),
        ("firmware_version", first(&["firmware_version", "scsi_revision"])),
        ("capacity_bytes", report["user_capacity"]["bytes"].clone()),
        ("sector_logical_bytes", report["logical_block_size"].clone()),
        ("sector_physical_bytes", report["physical_block_size"].clone()),
        ("world_wide_name", name),
        ("health", verdict(&report["smart_status"])),
        ("temperature_celsius", celsius.map(Value::from).unwrap_or_default()),
        ("wear", nvme["percentage_used"].as_f64().map(Value::from).unwrap_or_default()),
        ("power_on_seconds", hours.unwrap_or_default()),
        ("power_cycles_count", report["power_cycle_count"].clone()),
        ("media_errors_count", nvme["media_errors"].clone()),
        ("reallocated_sectors_count", attribute(5)),
    ]
}

/// What smartctl says of a drive's health, in the collector's words.
fn verdict(status: &Value) -> Value {
    const WARNINGS: [(&str, &str); 3] = [
        ("spare_below_threshold", "spare blocks are low"),
        ("reliability_degraded", "reliability is degraded"),
        ("volatile_memory_backup_failed", "volatile memory backup failed"),
    ];
    let Some(has_passed) = status["passed"].as_bool() else { return Value::Null };
    if has_passed {
        return json!("passed");
    }
    let words: Vec<&str> = WARNINGS
        .iter()
        .filter(|(flag, _)| status["nvme"][*flag] == true)
        .map(|(_, words)| *words)
        .collect();
    json!(if words.is_empty() { "failing".to_owned() } else { words.join(", ") })
}

fn of_lsblk(
    output: &str,
    seen: &BTreeMap<String, Value>,
    differences: &mut Vec<String>,
) -> Result<()> {
    let listing: Value = serde_json::from_str(output).context("lsblk prints JSON")?;
    let devices = listing["blockdevices"].as_array().context("lsblk lists devices")?;
    let names: BTreeSet<&str> = devices.iter().filter_map(|row| row["name"].as_str()).collect();
    let ours: BTreeSet<&str> = seen.keys().map(String::as_str).collect();
    anyhow::ensure!(names == ours, "lsblk lists {names:?}, the collector {ours:?}");
    for row in devices {
        let name = row["name"].as_str().unwrap_or_default();
        for (column, attribute) in [
            ("tran", "transport"),
            ("model", "model"),
            ("rev", "firmware_version"),
            ("size", "capacity_bytes"),
            ("wwn", "world_wide_name"),
            ("rota", "is_rotational"),
            ("ro", "is_read_only"),
            ("rm", "is_removable"),
            ("log-sec", "sector_logical_bytes"),
            ("phy-sec", "sector_physical_bytes"),
        ] {
            let theirs = match &row[column] {
                Value::String(text) => json!(text.trim()),
                other => other.clone(),
            };
            let ours = said(&seen[name], attribute);
            if !theirs.is_null() && theirs != ours {
                differences.push(format!("{name} {attribute}: lsblk {theirs} / {ours}"));
            }
        }
    }
    Ok(())
}

/// Holds what the collector saw against what QEMU was told to make.
fn of_qemu(seen: &BTreeMap<String, Value>, differences: &mut Vec<String>) {
    for (number, (_, serial, address)) in (0_u64..).zip(DRIVES) {
        let Some(drive) = seen.values().find(|drive| fact(drive, "serial_number") == Some(serial))
        else {
            differences.push(format!("no drive has the serial number {serial}"));
            continue;
        };
        for (attribute, made) in
            [("capacity_bytes", json!(drive_bytes(number))), ("controller_address", json!(address))]
        {
            if said(drive, attribute) != made {
                differences
                    .push(format!("{serial} {attribute}: {made} / {}", said(drive, attribute)));
            }
        }
        let has_health = HEALTH.iter().any(|attribute| !said(drive, attribute).is_null());
        if has_health == WITHOUT_HEALTH.contains(serial) {
            differences.push(format!("{serial} has health: {has_health}"));
        }
    }
}
