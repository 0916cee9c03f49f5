//! What the host collector says of machines that the build machine is not, held against their own tools.
#![expect(clippy::indexing_slicing, reason = "indexing JSON gives null where there is nothing")]

use anyhow::{Context, Result};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use system_tests::machines::container::Container;
use system_tests::machines::guest::Guest;
use system_tests::rig::Binaries;

/// The observations of one class in what `dharma-agent collect … --json` printed.
pub(crate) fn observations(output: &str, class: &str) -> Vec<Value> {
    output
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter(|seen| seen["class"] == class)
        .collect()
}

/// A fact that is text.
pub(crate) fn fact<'a>(seen: &'a Value, name: &str) -> Option<&'a str> {
    seen["facts"][name].as_str()
}

#[test]
fn units_of_a_booted_systemd_are_as_systemctl_says() -> Result<()> {
    let container = Container::boot("units")?;
    container.install(&Binaries::find()?.path("dharma-agent"), "/usr/bin/dharma-agent")?;
    std::fs::write(
        container.root().join("etc/systemd/system/dharma-example.service"),
        "[Unit]\nDescription=An example\n[Service]\nExecStart=/bin/sleep 1000\nDynamicUser=yes\n[Install]\nWantedBy=multi-user.target\n",
    )?;
    container.run(&["systemctl", "daemon-reload"])?;
    container.run(&["systemctl", "enable", "--now", "dharma-example.service"])?;
    container.run(&["systemctl", "mask", "cron.service"])?;

    let said = container.run(&["dharma-agent", "collect", "host.units", "--json"])?;
    let seen: BTreeMap<String, Value> = observations(&said, "service_unit")
        .into_iter()
        .filter_map(|unit| Some((fact(&unit, "name")?.to_owned(), unit)))
        .collect();
    let units: Vec<Value> = serde_json::from_str(&container.run(&[
        "systemctl",
        "list-units",
        "--all",
        "--type=service",
        "--output=json",
    ])?)?;
    anyhow::ensure!(units.len() > 10, "systemctl lists {} services", units.len());
    let mut differences = Vec::new();
    for unit in &units {
        let name = unit["unit"].as_str().context("a unit without name")?;
        if unit["load"] != "loaded" {
            continue;
        }
        let Some(ours) = seen.get(name) else {
            differences.push(format!("{name} is missing"));
            continue;
        };
        for (field, attribute) in
            [("active", "active_state"), ("sub", "sub_state"), ("description", "description")]
        {
            if unit[field].as_str() != fact(ours, attribute) {
                differences.push(format!(
                    "{name} {attribute}: {} / {:?}",
                    unit[field],
                    fact(ours, attribute)
                ));
            }
        }
    }
    let files: Vec<Value> = serde_json::from_str(&container.run(&[
        "systemctl",
        "list-unit-files",
        "--type=service",
        "--output=json",
    ])?)?;
    for file in &files {
        let name = file["unit_file"].as_str().context("a unit file without name")?;
        if let Some(ours) = seen.get(name)
            && file["state"].as_str() != fact(ours, "enabled_state")
        {
            differences.push(format!(
                "{name} enabled_state: {} / {:?}",
                file["state"],
                fact(ours, "enabled_state")
            ));
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
    Ok(())
}

/// `key: value` lines of one dmidecode section.
fn section(output: &str, title: &str) -> BTreeMap<String, String> {
    output
        .split("\n\n")
        .find(|block| block.lines().any(|line| line == title))
        .into_iter()
        .flat_map(str::lines)
        .filter_map(|line| line.trim().split_once(": "))
        .map(|(key, value)| (key.to_owned(), value.trim().to_owned()))
        .collect()
}

#[test]
fn firmware_tables_of_a_guest_are_as_dmidecode_says() -> Result<()> {
    let smbios = [
        "type=0,vendor=Example Firmware,version=4.2,date=02/29/2024",
        "type=1,manufacturer=Example Systems,product=Model R,version=7,serial=SN-20-4711,uuid=4c4c4544-0043-5810-8032-b7c04f4b3133,sku=SKU-9,family=Rack",
        "type=2,manufacturer=Example Boards,product=Board X,version=B2,serial=BSN-0815",
        "type=3,manufacturer=Example Cases,version=C1,serial=CSN-1234,asset=ASSET-77",
        "type=17,loc_pfx=DIMM,manufacturer=Example Memory,serial=MEM-1,part=PART-512,speed=3200",
    ];
    let commands =
        [("dmidecode", "dmidecode"), ("agent", "dharma-agent collect host.hardware --json")];
    let guest = Guest {
        smbios: &smbios,
        programs: &["dmidecode"],
        commands: &commands,
        ..Guest::default()
    };
    let outputs = guest.run(&Binaries::find()?.path("dharma-agent"))?;
    let dmidecode = &outputs["dmidecode"];
    let hardware = observations(&outputs["agent"], "hardware");
    let hardware =
        hardware.first().with_context(|| format!("no hardware: {}", outputs["agent"]))?;
    let (system, board, chassis, bios) = (
        section(dmidecode, "System Information"),
        section(dmidecode, "Base Board Information"),
        section(dmidecode, "Chassis Information"),
        section(dmidecode, "BIOS Information"),
    );
    let expected = [
        ("vendor", system.get("Manufacturer")),
        ("product_name", system.get("Product Name")),
        ("product_version", system.get("Version")),
        ("serial_number", system.get("Serial Number")),
        ("product_sku", system.get("SKU Number")),
        ("product_family", system.get("Family")),
        ("board_vendor", board.get("Manufacturer")),
        ("board_name", board.get("Product Name")),
        ("board_version", board.get("Version")),
        ("board_serial", board.get("Serial Number")),
        ("chassis_vendor", chassis.get("Manufacturer")),
        ("chassis_serial", chassis.get("Serial Number")),
        ("asset_tag", chassis.get("Asset Tag")),
        ("firmware_vendor", bios.get("Vendor")),
        ("firmware_version", bios.get("Version")),
        ("firmware_date", bios.get("Release Date")),
    ];
    let differences: Vec<String> = expected
        .iter()
        .filter(|(attribute, said)| {
            said.is_none() || said.map(String::as_str) != fact(hardware, attribute)
        })
        .map(|(attribute, said)| format!("{attribute}: {said:?} / {:?}", fact(hardware, attribute)))
        .collect();
    assert!(differences.is_empty(), "{}", differences.join("\n"));
    let uuid = fact(hardware, "system_uuid").unwrap_or_default().to_lowercase();
    assert_eq!(Some(uuid), system.get("UUID").map(|uuid| uuid.to_lowercase()));

    let memory: BTreeSet<String> = observations(&outputs["agent"], "memory_module")
        .iter()
        .filter_map(|module| fact(module, "serial_number").map(str::to_owned))
        .collect();
    assert!(memory.contains("MEM-1"), "{memory:?}");
    Ok(())
}
