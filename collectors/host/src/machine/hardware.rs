//! The scope `hardware`: system, board, chassis and firmware, processors and memory modules.
//!
//! The files of /sys/class/dmi/id are readable to all but for serial numbers and the UUID; memory modules stand
//! only in the firmware's table, which is root's. Boards without SMBIOS describe themselves in the device tree.

use super::processors::{self, Counts, SocketLabel};
use super::smbios::{self, Tables, meaningful};
use crate::HARDWARE;
use crate::files::{
    Refusal, StatGuard, list_dir, read_limited, read_to_string_limited, read_trimmed, refusal,
};
use collector::{CollectError, Guard, Run, Target};
use model::classes::{hardware, memory_module};
use model::run::CoverageReason;
use model::{Coverage, IdentityKey, KeyType, Observation, Realm, Value};
use std::collections::BTreeMap;

const DMI: &str = "/sys/class/dmi/id";
const TABLE: &str = "/sys/firmware/dmi/tables/DMI";
const ENTRY_POINT: &str = "/sys/firmware/dmi/tables/smbios_entry_point";
const SECURE_BOOT: &str =
    "/sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c";
/// The most weaknesses that are kept; the kernel knows some twenty.
const VULNERABILITIES_MAX: usize = 100;

/// Hardware changes with a restart, with a processor that is taken offline, or with memory that is plugged in.
pub(super) fn guard(target: &Target) -> Guard {
    let mut guard = StatGuard::new();
    for file in ["/proc/sys/kernel/random/boot_id", "/sys/devices/system/cpu/online"] {
        guard.bytes(read_trimmed(&target.path(file)).unwrap_or_default().as_bytes());
    }
    let memory = read_to_string_limited(&target.path("/proc/meminfo"), 4096).unwrap_or_default();
    guard.number(super::os::meminfo(&memory, "MemTotal").unwrap_or(0));
    super::rights(&mut guard);
    guard.finish()
}

/// Whether a target shows its hardware: the tree of a container or an image does not.
pub(super) fn is_shown(target: &Target) -> bool {
    let places = ["/sys/devices/system/cpu", DMI, TABLE, "/proc/device-tree/model"];
    target.is_live() || places.iter().any(|place| target.path(place).exists())
}

/// Looks at the scope.
#[expect(clippy::unnecessary_wraps, reason = "every scope has this form")]
pub(super) fn collect(target: &Target, run: &mut Run<'_>) -> Result<Coverage, CollectError> {
    if !is_shown(target) {
        return Ok(Coverage::not_present("the tree of this host shows no hardware"));
    }
    let (tables, is_table_denied) = tables(target);
    let labels: Vec<SocketLabel> = tables
        .processors
        .iter()
        .map(|socket| SocketLabel {
            designation: socket.designation.clone(),
            serial_number: socket.serial.clone(),
            part_number: socket.part.clone(),
        })
        .collect();
    let counts = processors::collect(target, run, &labels);
    let mut seen = Observation::of(&hardware::CLASS, HARDWARE);
    let is_denied = identify(&mut seen, target, &tables) || is_table_denied;
    boot(&mut seen, target);
    count(&mut seen, counts);
    memory(&mut seen, target, run, &tables);
    vulnerabilities(&mut seen, target);
    let seen = evidence(seen, target);
    run.saw(seen);
    Ok(if is_denied {
        let what = "reading serial numbers, the system's UUID and memory modules";
        Coverage::partial(CoverageReason::PermissionDenied, super::denied(what))
    } else {
        Coverage::complete()
    })
}

/// The firmware's tables, and whether the right to read them is missing.
fn tables(target: &Target) -> (Tables, bool) {
    let version = read_limited(&target.path(ENTRY_POINT), 64)
        .ok()
        .and_then(|entry| smbios::entry_version(&entry))
        .unwrap_or((2, 6));
    match read_limited(&target.path(TABLE), smbios::TABLE_BYTES_MAX) {
        Ok(table) => (smbios::parse(&table, version), false),
        Err(error) => (Tables::default(), refusal(&error) == Refusal::PermissionDenied),
    }
}

/// Adds what names the machine; whether some of it was denied.
fn identify(seen: &mut Observation, target: &Target, tables: &Tables) -> bool {
    let mut is_denied = false;
    let mut dmi = |name: &str| {
        let path = target.path(&format!("{DMI}/{name}"));
        match read_to_string_limited(&path, crate::files::VALUE_BYTES_MAX) {
            Ok(text) => meaningful(&text),
            Err(error) => {
                is_denied |= refusal(&error) == Refusal::PermissionDenied;
                None
            }
        }
    };
    let system = &tables.system;
    let tree = |name: &str| read_trimmed(&target.path(&format!("/proc/device-tree/{name}")));
    let form = dmi("chassis_type")
        .and_then(|number| smbios::chassis_form(number.parse().ok()?))
        .or(tables.chassis.form);
    let facts = [
        (&hardware::VENDOR, dmi("sys_vendor").or_else(|| system.vendor.clone())),
        (
            &hardware::PRODUCT_NAME,
            dmi("product_name").or_else(|| system.product.clone()).or_else(|| tree("model")),
        ),
        (&hardware::PRODUCT_VERSION, dmi("product_version").or_else(|| system.version.clone())),
        (&hardware::PRODUCT_FAMILY, dmi("product_family").or_else(|| system.family.clone())),
        (&hardware::PRODUCT_SKU, dmi("product_sku").or_else(|| system.sku.clone())),
        (
            &hardware::SERIAL_NUMBER,
            dmi("product_serial")
                .or_else(|| system.serial.clone())
                .or_else(|| tree("serial-number")),
        ),
        (&hardware::SYSTEM_UUID, dmi("product_uuid").or_else(|| system.uuid.clone())),
        (&hardware::CHASSIS_TYPE, form.map(str::to_owned)),
        (&hardware::CHASSIS_VENDOR, dmi("chassis_vendor").or(tables.chassis.vendor.clone())),
        (&hardware::CHASSIS_VERSION, dmi("chassis_version").or(tables.chassis.version.clone())),
        (&hardware::CHASSIS_SERIAL, dmi("chassis_serial").or(tables.chassis.serial.clone())),
        (&hardware::ASSET_TAG, dmi("chassis_asset_tag").or(tables.chassis.asset_tag.clone())),
        (&hardware::BOARD_VENDOR, dmi("board_vendor").or(tables.board.vendor.clone())),
        (&hardware::BOARD_NAME, dmi("board_name").or(tables.board.product.clone())),
        (&hardware::BOARD_VERSION, dmi("board_version").or(tables.board.version.clone())),
        (&hardware::BOARD_SERIAL, dmi("board_serial").or(tables.board.serial.clone())),
        (&hardware::FIRMWARE_VENDOR, dmi("bios_vendor").or(tables.firmware.vendor.clone())),
        (&hardware::FIRMWARE_VERSION, dmi("bios_version").or(tables.firmware.version.clone())),
        (&hardware::FIRMWARE_DATE, dmi("bios_date").or(tables.firmware.date.clone())),
        (&hardware::FIRMWARE_REVISION, dmi("bios_release").or(tables.firmware.revision.clone())),
    ];
    for (attribute, value) in facts {
        if let Some(value) = value {
            seen.set(attribute, value);
        }
    }
    is_denied
}

fn boot(seen: &mut Observation, target: &Target) {
    let is_uefi = target.path("/sys/firmware/efi").exists();
    // A kernel that a hypervisor loads itself was started by neither.
    if is_uefi || target.path(DMI).exists() {
        seen.set(&hardware::BOOT_MODE, if is_uefi { "uefi" } else { "bios" });
    }
    // Four bytes of attributes, then the value.
    if let Ok(variable) = read_limited(&target.path(SECURE_BOOT), 16)
        && let Some(value) = variable.get(4)
    {
        seen.set(&hardware::SECURE_BOOT, *value == 1);
    }
    if let Some(version) = read_trimmed(&target.path("/sys/class/tpm/tpm0/tpm_version_major")) {
        seen.set(&hardware::TPM_VERSION, version);
    }
}

fn count(seen: &mut Observation, counts: Counts) {
    for (attribute, number) in [
        (&hardware::SOCKETS_COUNT, counts.sockets),
        (&hardware::CORES_COUNT, counts.cores),
        (&hardware::THREADS_COUNT, counts.threads),
        (&hardware::NUMA_NODES_COUNT, counts.nodes),
    ] {
        if number > 0 {
            seen.set(attribute, number);
        }
    }
}

fn memory(seen: &mut Observation, target: &Target, run: &mut Run<'_>, tables: &Tables) {
    let modules = tables.modules.iter().filter_map(|module| module.capacity_bytes);
    let installed = match modules.fold(0, u64::saturating_add) {
        0 => memory_blocks(target),
        bytes => Some(bytes),
    };
    if let Some(bytes) = installed {
        seen.set(&hardware::MEMORY_INSTALLED_BYTES, bytes);
    }
    let capacity = tables.arrays.iter().filter_map(|array| array.capacity_max_bytes);
    let capacity = capacity.fold(0, u64::saturating_add);
    let slots = tables.arrays.iter().map(|array| array.slots_count).fold(0, u64::saturating_add);
    for (attribute, number) in
        [(&hardware::MEMORY_MAX_BYTES, capacity), (&hardware::MEMORY_SLOTS_COUNT, slots)]
    {
        if number > 0 {
            seen.set(attribute, number);
        }
    }
    if let Some(words) = tables.arrays.iter().find_map(|array| array.error_correction) {
        seen.set(&hardware::MEMORY_ERROR_CORRECTION, words);
    }
    let mut names = BTreeMap::new();
    for (index, module) in tables.modules.iter().enumerate() {
        if module.capacity_bytes.is_none_or(|bytes| bytes == 0) {
            continue;
        }
        // Some boards label all slots alike; then the bank or the number tells them apart.
        let label = module.slot.clone().unwrap_or_else(|| format!("slot {index}"));
        let name = match (names.contains_key(&label), &module.bank) {
            (false, _) => label,
            (true, Some(bank)) if !names.contains_key(&format!("{label} {bank}")) => {
                format!("{label} {bank}")
            }
            (true, _) => format!("{label} #{index}"),
        };
        names.insert(name.clone(), ());
        run.saw(module_observation(&name, module));
    }
}

fn module_observation(name: &str, module: &smbios::MemoryModule) -> Observation {
    let volts = module
        .voltage_millivolts
        .and_then(|millivolts| u32::try_from(millivolts).ok())
        .map(|millivolts| f64::from(millivolts) / 1000.0);
    Observation::part(&memory_module::CLASS, HARDWARE, &[name])
        .with_some(&memory_module::CAPACITY_BYTES, module.capacity_bytes)
        .with_some(&memory_module::TECHNOLOGY, module.technology)
        .with_some(&memory_module::FORM_FACTOR, module.form)
        .with_some(&memory_module::BANK, module.bank.clone())
        .with_some(&memory_module::VENDOR, module.vendor.clone())
        .with_some(&memory_module::PART_NUMBER, module.part.clone())
        .with_some(&memory_module::SERIAL_NUMBER, module.serial.clone())
        .with_some(&memory_module::ASSET_TAG, module.asset_tag.clone())
        .with_some(&memory_module::SPEED_MEGATRANSFERS, module.speed)
        .with_some(&memory_module::SPEED_CONFIGURED_MEGATRANSFERS, module.speed_configured)
        .with_some(&memory_module::WIDTH_BITS, module.width_bits)
        .with_some(&memory_module::RANKS_COUNT, module.ranks)
        .with_some(&memory_module::VOLTAGE_CONFIGURED, volts)
}

/// The memory that the kernel manages in blocks that can be plugged.
fn memory_blocks(target: &Target) -> Option<u64> {
    let directory = target.path("/sys/devices/system/memory");
    let size = read_trimmed(&target.below(&directory, "block_size_bytes"))?;
    let size = u64::from_str_radix(&size, 16).ok()?;
    let names = list_dir(&directory).ok()?;
    let count = names
        .iter()
        .filter_map(|name| name.strip_prefix("memory"))
        .filter(|number| number.bytes().all(|letter| letter.is_ascii_digit()))
        .count();
    u64::try_from(count).ok()?.checked_mul(size).filter(|bytes| *bytes > 0)
}

fn vulnerabilities(seen: &mut Observation, target: &Target) {
    let directory = target.path("/sys/devices/system/cpu/vulnerabilities");
    let known: BTreeMap<String, Value> = list_dir(&directory)
        .unwrap_or_default()
        .into_iter()
        .take(VULNERABILITIES_MAX)
        .filter_map(|name| {
            let state = read_trimmed(&target.below(&directory, &name))?;
            Some((name, Value::Text(state)))
        })
        .collect();
    if !known.is_empty() {
        seen.set(&hardware::VULNERABILITIES, known);
    }
}

/// Adds what the machine can be recognized by. Without any of it, the agent that sees it stands for it.
fn evidence(seen: Observation, target: &Target) -> Observation {
    let text = |name: &str| seen.facts.get(name).and_then(Value::as_text);
    let serial = |key_type, vendor: &str, serial: &str| {
        let value = format!("{}/{}", text(vendor).unwrap_or_default(), text(serial)?);
        IdentityKey::new(key_type, Realm::everywhere(), &value)
    };
    let uuid = text("system_uuid")
        .and_then(|uuid| IdentityKey::new(KeyType::SmbiosUuid, Realm::everywhere(), uuid));
    let system = serial(KeyType::ChassisSerial, "vendor", "serial_number")
        .or_else(|| serial(KeyType::ChassisSerial, "chassis_vendor", "chassis_serial"));
    let board = serial(KeyType::BoardSerial, "board_vendor", "board_serial");
    let seen = seen.key(uuid).key(system).key(board);
    if !seen.keys.is_empty() {
        return seen;
    }
    let stand_in = format!("{}/hardware", target.id);
    seen.key(IdentityKey::new(KeyType::AgentKey, Realm::everywhere(), &stand_in))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn look_at(files: &[(&str, &str)]) -> (Vec<Observation>, Coverage) {
        let directory = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = directory.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let target = Target {
            id: "t".into(),
            site: "s".into(),
            root: directory.path().to_owned(),
            remote: None,
        };
        let mut observations = Vec::new();
        let coverage = collect(&target, &mut Run::new(&mut observations)).unwrap();
        (observations, coverage)
    }

    #[test]
    fn a_machine_without_any_serial_is_known_by_its_agent() {
        let (seen, coverage) = look_at(&[("sys/class/dmi/id/product_serial", "0000000000\n")]);
        let keys: Vec<_> = seen[0].keys.iter().map(|key| key.key_type).collect();
        assert_eq!(keys, [KeyType::AgentKey]);
        assert_eq!(coverage, Coverage::complete());
    }

    #[test]
    fn a_machine_is_known_by_its_uuid_and_serials() {
        let (seen, _) = look_at(&[
            ("sys/class/dmi/id/sys_vendor", "ACME\n"),
            ("sys/class/dmi/id/product_serial", "AX-4711\n"),
            ("sys/class/dmi/id/product_uuid", "4c4c4544-0043-5810-8032-b7c04f4b3133\n"),
            ("sys/class/dmi/id/board_serial", "Default string\n"),
            ("sys/class/dmi/id/chassis_type", "23\n"),
        ]);
        let keys: Vec<_> = seen[0].keys.iter().map(|key| key.value.as_str()).collect();
        assert_eq!(keys, ["4c4c4544-0043-5810-8032-b7c04f4b3133", "acme/ax-4711"]);
        assert_eq!(seen[0].facts["chassis_type"].as_text(), Some("Rack Mount Chassis"));
        assert!(!seen[0].facts.contains_key("board_serial"));
    }
}
