//! What the firmware's tables say, beside dmidecode: both read the same table, which is made here.
//!
//! The machine that builds the product has no SMBIOS, so dmidecode reads a dump; that of a virtual machine is
//! compared elsewhere.

use crate::{line, of_class, the, tool};
use collector::{Target, testing};
use collector_host::HostCollector;
use std::collections::BTreeMap;

/// A structure with these bytes after its header, at their places, and these strings.
fn structure(kind: u8, length: usize, fields: &[(usize, &[u8])], strings: &[&str]) -> Vec<u8> {
    let mut bytes = vec![0; length];
    bytes[0] = kind;
    bytes[1] = u8::try_from(length).unwrap();
    // Each structure has a handle of its own.
    bytes[2] = kind;
    bytes[3] = fields.first().map_or(0, |(_, first)| first[0]);
    for (place, field) in fields {
        bytes[*place..*place + field.len()].copy_from_slice(field);
    }
    for string in strings {
        bytes.extend(string.as_bytes());
        bytes.push(0);
    }
    if strings.is_empty() {
        bytes.push(0);
    }
    bytes.push(0);
    bytes
}

fn module(slot: u8, megabytes: u16, extended: u32, serial: &str) -> Vec<u8> {
    let locator = format!("DIMM_A{slot}");
    structure(
        17,
        0x5c,
        &[
            (0x04, &[slot, 0x10]),
            (0x08, &72_u16.to_le_bytes()),
            (0x0a, &64_u16.to_le_bytes()),
            (0x0c, &megabytes.to_le_bytes()),
            (0x0e, &[0x09]),
            (0x10, &[1, 2, 0x22]),
            (0x15, &4800_u16.to_le_bytes()),
            (0x17, &[3, 4, 5, 6, 2]),
            (0x1c, &extended.to_le_bytes()),
            (0x20, &4400_u16.to_le_bytes()),
            (0x26, &1100_u16.to_le_bytes()),
        ],
        &[&locator, "BANK 0", "Example Memory", serial, "ASSET-7", "EM5-4800-64"],
    )
}

fn table() -> Vec<u8> {
    let uuid: Vec<u8> = (1..=16).collect();
    [
        structure(
            0,
            0x18,
            &[(4, &[1, 2]), (8, &[3]), (0x14, &[2, 17])],
            &["Example BIOS", "2.17.1", "03/14/2024"],
        ),
        structure(
            1,
            0x1b,
            &[(4, &[1, 2, 3, 4]), (8, &uuid), (0x18, &[6, 5, 6])],
            &["Example Systems", "Anvil 9000", "Rev C", "EX-471100815", "SKU-9", "Anvil"],
        ),
        structure(2, 0x0f, &[(4, &[1, 2, 3, 4])], &["Example Boards", "B-77", "1.02", "BRD-00932"]),
        structure(
            3,
            0x15,
            &[(4, &[1, 0x17, 2, 3, 4])],
            &["Example Racks", "V2", "CH-00481", "RACK-12"],
        ),
        structure(
            4,
            0x30,
            &[
                (4, &[1, 3, 0xb3, 2]),
                (0x10, &[3]),
                (0x14, &3800_u16.to_le_bytes()),
                (0x18, &[0x41]),
                (0x20, &[4, 0, 5]),
            ],
            &["CPU1", "Example", "Example CPU 32-Core", "CPU-SN-1", "CPU-PN-1"],
        ),
        structure(
            16,
            0x17,
            &[
                (4, &[3, 3, 6]),
                (7, &0x8000_0000_u32.to_le_bytes()),
                (0x0d, &4_u16.to_le_bytes()),
                (0x0f, &(1_u64 << 40).to_le_bytes()),
            ],
            &[],
        ),
        module(1, 0x7fff, 65_536, "MEM-0001"),
        module(2, 16_384, 0, "MEM-0002"),
        module(3, 0, 0, "MEM-0003"),
        structure(127, 4, &[], &[]),
    ]
    .concat()
}

fn with_sum(mut bytes: Vec<u8>, place: usize, from: usize) -> Vec<u8> {
    let sum = bytes[from..].iter().fold(0_u8, |sum, byte| sum.wrapping_add(*byte));
    bytes[place] = 0_u8.wrapping_sub(sum);
    bytes
}

/// The entry point of SMBIOS 2.8 for a table of that length at `address`.
fn entry_point(length: usize, address: u32) -> Vec<u8> {
    let mut bytes = vec![0; 0x1f];
    bytes[..4].copy_from_slice(b"_SM_");
    bytes[5..8].copy_from_slice(&[0x1f, 2, 8]);
    bytes[0x10..0x15].copy_from_slice(b"_DMI_");
    bytes[0x16..0x18].copy_from_slice(&u16::try_from(length).unwrap().to_le_bytes());
    bytes[0x18..0x1c].copy_from_slice(&address.to_le_bytes());
    bytes[0x1c..0x1e].copy_from_slice(&10_u16.to_le_bytes());
    bytes[0x1e] = 0x28;
    let inner = with_sum(bytes, 0x15, 0x10);
    with_sum(inner, 4, 0)
}

/// The paragraphs of dmidecode's text: title and fields.
fn told(text: &str) -> Vec<(String, BTreeMap<String, String>)> {
    text.split("\n\n")
        .filter_map(|paragraph| {
            let mut lines =
                paragraph.lines().skip_while(|line| !line.starts_with("Handle")).skip(1);
            let title = lines.next()?.to_owned();
            let fields = lines
                .filter_map(|line| line.trim().split_once(": "))
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect();
            Some((title, fields))
        })
        .collect()
}

/// Attributes with the names that dmidecode gives them, by the title of its paragraph.
const FIELDS: &[(&str, &[(&str, &str)])] = &[
    (
        "BIOS Information",
        &[
            ("firmware_vendor", "Vendor"),
            ("firmware_version", "Version"),
            ("firmware_date", "Release Date"),
            ("firmware_revision", "BIOS Revision"),
        ] as &[_],
    ),
    (
        "System Information",
        &[
            ("vendor", "Manufacturer"),
            ("product_name", "Product Name"),
            ("product_version", "Version"),
            ("serial_number", "Serial Number"),
            ("system_uuid", "UUID"),
            ("product_sku", "SKU Number"),
            ("product_family", "Family"),
        ],
    ),
    (
        "Base Board Information",
        &[
            ("board_vendor", "Manufacturer"),
            ("board_name", "Product Name"),
            ("board_version", "Version"),
            ("board_serial", "Serial Number"),
        ],
    ),
    (
        "Chassis Information",
        &[
            ("chassis_vendor", "Manufacturer"),
            ("chassis_type", "Type"),
            ("chassis_version", "Version"),
            ("chassis_serial", "Serial Number"),
            ("asset_tag", "Asset Tag"),
        ],
    ),
    (
        "Physical Memory Array",
        &[
            ("memory_error_correction", "Error Correction Type"),
            ("memory_slots_count", "Number Of Devices"),
        ],
    ),
];

#[tokio::test]
async fn the_firmware_says_what_dmidecode_reads() {
    const TABLE_OFFSET: usize = 32;
    let directory = tempfile::tempdir().unwrap();
    let table = table();
    let mut dump = entry_point(table.len(), u32::try_from(TABLE_OFFSET).unwrap());
    let tables = directory.path().join("sys/firmware/dmi/tables");
    std::fs::create_dir_all(&tables).unwrap();
    std::fs::write(tables.join("smbios_entry_point"), &dump).unwrap();
    std::fs::write(tables.join("DMI"), &table).unwrap();
    dump.resize(TABLE_OFFSET, 0);
    dump.extend(&table);
    let file = directory.path().join("dump.bin");
    std::fs::write(&file, dump).unwrap();
    let told = told(&tool("dmidecode", "dmidecode", &["--from-dump", file.to_str().unwrap()]));

    let target = Target {
        id: "other".into(),
        site: "default".into(),
        root: directory.path().to_owned(),
        remote: None,
    };
    let seen = testing::look(&HostCollector, &target, "hardware").await.unwrap().observations;
    let complaints = testing::complaints(&HostCollector, "hardware", &seen);
    assert!(complaints.is_empty(), "{complaints:?}");
    let hardware = of_class(&seen, "hardware")[0];
    for (title, fields) in FIELDS {
        let (_, words) = told.iter().find(|(found, _)| found == title).unwrap();
        for (attribute, name) in *fields {
            assert_eq!(line(hardware, attribute), words[*name], "{title}: {name}");
        }
    }
    compare_modules(&seen, &told);
    assert_eq!(line(hardware, "memory_max_bytes"), (1_u64 << 40).to_string());
    assert_eq!(line(hardware, "memory_installed_bytes"), (80_u64 << 30).to_string());
}

fn compare_modules(seen: &[model::Observation], told: &[(String, BTreeMap<String, String>)]) {
    let modules: Vec<_> = told.iter().filter(|(title, _)| title == "Memory Device").collect();
    assert_eq!(modules.len(), 3);
    let mut filled = 0;
    for (_, words) in modules {
        if words["Size"] == "No Module Installed" {
            continue;
        }
        filled += 1;
        let module = the(seen, "memory_module", "slot", &words["Locator"]);
        let gigabytes = line(module, "capacity_bytes").parse::<u64>().unwrap() >> 30;
        assert_eq!(format!("{gigabytes} GB"), words["Size"]);
        for (attribute, name) in [
            ("technology", "Type"),
            ("form_factor", "Form Factor"),
            ("bank", "Bank Locator"),
            ("vendor", "Manufacturer"),
            ("serial_number", "Serial Number"),
            ("part_number", "Part Number"),
            ("asset_tag", "Asset Tag"),
            ("ranks_count", "Rank"),
        ] {
            assert_eq!(line(module, attribute), words[name], "{name}");
        }
        for (attribute, name, unit) in [
            ("speed_megatransfers", "Speed", "MT/s"),
            ("speed_configured_megatransfers", "Configured Memory Speed", "MT/s"),
            ("width_bits", "Data Width", "bits"),
            ("voltage_configured", "Configured Voltage", "V"),
        ] {
            assert_eq!(format!("{} {unit}", line(module, attribute)), words[name], "{name}");
        }
    }
    assert_eq!(of_class(seen, "memory_module").len(), filled);
}
