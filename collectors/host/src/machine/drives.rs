//! The scope `drives`: disks and what stands for them, with what they say of their health.
//!
//! Identity and size come from /sys. Health is asked of the drive itself, which needs root; a drive that cannot be
//! asked (virtual ones, most USB bridges) has none, and that is no failure.

use super::blocks::{self, Block, Kind};
use super::smart;
use crate::HARDWARE;
use crate::files::{link_name, read_limited, read_number, read_to_string_limited, read_trimmed};
use collector::{CollectError, Run, Target};
use model::classes::drive;
use model::{Coverage, Observation, Value};

/// The longest page of vital product data that is read.
const VPD_BYTES_MAX: usize = 256;
/// The longest entry of udev's database.
const UDEV_BYTES_MAX: usize = 64 * 1024;
const SECTOR_BYTES: u64 = 512;

/// Looks at the scope.
#[expect(clippy::unnecessary_wraps, reason = "every scope has this form")]
pub(super) fn collect(target: &Target, run: &mut Run<'_>) -> Result<Coverage, CollectError> {
    let mut is_denied = false;
    for block in blocks::list(target).values().filter(|block| block.kind == Kind::Drive) {
        let mut seen = drive_of(target, block);
        if target.is_live() {
            let transport = seen.facts.get(drive::TRANSPORT.name()).and_then(Value::as_text);
            let vendor = read_trimmed(&target.path(&format!("{}/device/vendor", block.sys)));
            match smart::health(block, transport, vendor.as_deref() == Some("ATA")) {
                smart::Answer::Health(health) => smart::describe(&mut seen, &health),
                smart::Answer::None => {}
                smart::Answer::Denied => is_denied = true,
                smart::Answer::Failed(error) => {
                    run.failed(format!("health of {}", block.name), error)
                }
            }
        }
        run.saw(seen);
    }
    Ok(if is_denied {
        super::all_seen_except("asking drives for their health")
    } else {
        Coverage::complete()
    })
}

fn drive_of(target: &Target, block: &Block) -> Observation {
    let path = |file: &str| target.path(&format!("{}/{file}", block.sys));
    let read = |file: &str| read_trimmed(&path(file));
    let entry = target.path(&format!("/run/udev/data/b{}", block.number));
    let udev = read_to_string_limited(&entry, UDEV_BYTES_MAX).unwrap_or_default();
    let of_udev = |name: &str| {
        udev.lines()
            .find_map(|line| line.strip_prefix("E:")?.strip_prefix(name)?.strip_prefix('='))
            .filter(|value| !value.is_empty())
            .map(str::to_owned)
    };
    let place = std::fs::canonicalize(path("device")).unwrap_or_default();
    let place = place.to_string_lossy();
    let transport = read("device/transport")
        .filter(|word| word != "pcie")
        .or_else(|| transport(&block.kernel_name, &place).map(str::to_owned));
    // SATA drives hide behind the name ATA; what follows is the drive's own.
    let vendor = read("device/vendor")
        .filter(|vendor| !vendor.starts_with("0x") && vendor != "ATA" && vendor != "NVMe");
    let serial = read("device/serial")
        .or_else(|| read("serial"))
        .or_else(|| of_udev("ID_SERIAL_SHORT"))
        .or_else(|| {
            read_limited(&path("device/vpd_pg80"), VPD_BYTES_MAX)
                .ok()
                .as_deref()
                .and_then(unit_serial)
        });
    let name = read("wwid").or_else(|| read("device/wwid")).and_then(|wwid| world_wide_name(&wwid));
    let mut seen = Observation::part(&drive::CLASS, HARDWARE, &[&block.name])
        .with(&drive::CAPACITY_BYTES, block.bytes)
        .with_some(&drive::MODEL, read("device/model").or_else(|| read("device/name")))
        .with_some(&drive::VENDOR, vendor)
        .with_some(&drive::SERIAL_NUMBER, serial)
        .with_some(
            &drive::FIRMWARE_VERSION,
            read("device/firmware_rev")
                .or_else(|| read("device/rev"))
                .or_else(|| read("device/fwrev")),
        )
        .with_some(&drive::WORLD_WIDE_NAME, name.or_else(|| of_udev("ID_WWN")))
        .with_some(&drive::TRANSPORT, transport)
        .with_some(&drive::CONTROLLER_ADDRESS, controller(&place));
    for (attribute, file) in [
        (&drive::IS_ROTATIONAL, "queue/rotational"),
        (&drive::IS_REMOVABLE, "removable"),
        (&drive::IS_READ_ONLY, "ro"),
    ] {
        if let Some(number) = read_number(&path(file)) {
            seen.set(attribute, number == 1);
        }
    }
    for (attribute, file) in [
        (&drive::SECTOR_LOGICAL_BYTES, "queue/logical_block_size"),
        (&drive::SECTOR_PHYSICAL_BYTES, "queue/physical_block_size"),
    ] {
        if let Some(number) = read_number(&path(file)) {
            seen.set(attribute, number);
        }
    }
    if let Some((sectors_read, sectors_written)) = read("stat").as_deref().and_then(sectors) {
        seen.set(&drive::READ_BYTES, sectors_read.saturating_mul(SECTOR_BYTES));
        seen.set(&drive::WRITTEN_BYTES, sectors_written.saturating_mul(SECTOR_BYTES));
    }
    if !seen.facts.contains_key(drive::TRANSPORT.name()) {
        // Some drivers name their bus only by the subsystem of the device.
        let subsystem = link_name(&target.link_path(&format!("{}/device/subsystem", block.sys)));
        seen = seen.with_some(&drive::TRANSPORT, subsystem.filter(|bus| bus == "virtio"));
    }
    seen
}

/// How a drive is attached, from its place in the tree of devices.
fn transport(name: &str, place: &str) -> Option<&'static str> {
    let has = |mark: &str| place.contains(mark);
    if name.starts_with("nvme") {
        return Some("nvme");
    }
    for (start, word) in
        [("nbd", "nbd"), ("rbd", "rbd"), ("drbd", "drbd"), ("xvd", "xen"), ("mmcblk", "mmc")]
    {
        if name.starts_with(start) {
            return Some(word);
        }
    }
    // The innermost bus comes first: a SATA drive in a USB case is attached by USB.
    Some(if has("/usb") {
        "usb"
    } else if has("/ata") {
        "sata"
    } else if has("/end_device-") {
        "sas"
    } else if has("/rport-") {
        "fc"
    } else if has("/session") {
        "iscsi"
    } else if has("/virtio") {
        "virtio"
    } else if has("/vmbus") || has("VMBUS") {
        "hyperv"
    } else {
        return None;
    })
}

/// The last PCI address in a drive's place.
fn controller(place: &str) -> Option<String> {
    place.split('/').rfind(|part| is_pci_address(part)).map(str::to_owned)
}

fn is_pci_address(text: &str) -> bool {
    let Some((bus, function)) = text.rsplit_once('.') else { return false };
    let parts: Vec<&str> = bus.split(':').collect();
    parts.len() == 3
        && !function.is_empty()
        && parts.iter().all(|part| part.len() >= 2 && part.bytes().all(|l| l.is_ascii_hexdigit()))
}

/// The serial number in page 0x80 of a SCSI drive's vital product data.
fn unit_serial(page: &[u8]) -> Option<String> {
    let length = usize::from(u16::from_be_bytes(*page.get(2..)?.first_chunk()?));
    let bytes = page.get(4..)?;
    let bytes = bytes.get(..length).unwrap_or(bytes);
    let text = String::from_utf8_lossy(bytes);
    let text = text.trim_matches(|letter: char| letter.is_whitespace() || letter == '\0');
    (!text.is_empty()).then(|| text.to_owned())
}

/// A name as lsblk(8) writes it: `0x…` for NAA, as it is for the rest; none for names made of model and serial.
fn world_wide_name(wwid: &str) -> Option<String> {
    match wwid.split_once('.') {
        Some(("naa", digits)) => Some(format!("0x{digits}")),
        Some(("eui", _) | ("uuid", _) | ("nvme", _)) => Some(wwid.to_owned()),
        _ => None,
    }
}

/// The sectors read and written, of a `stat` file.
fn sectors(stat: &str) -> Option<(u64, u64)> {
    let mut words = stat.split_whitespace();
    let read = words.nth(2)?.parse().ok()?;
    let written = words.nth(3)?.parse().ok()?;
    Some((read, written))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_drive_in_a_usb_case_is_attached_by_usb() {
        let place = "/sys/devices/pci0000:00/0000:00:14.0/usb2/2-1/host6/target6:0:0/6:0:0:0";
        assert_eq!(transport("sda", place), Some("usb"));
        assert_eq!(controller(place).as_deref(), Some("0000:00:14.0"));
        let place = "/sys/devices/pci0000:00/0000:00:17.0/ata1/host0/target0:0:0/0:0:0:0";
        assert_eq!(transport("sda", place), Some("sata"));
        assert_eq!(transport("sda", ""), None);
    }

    #[test]
    fn a_page_that_is_shorter_than_it_says_is_read_as_far_as_it_goes() {
        assert_eq!(unit_serial(b"\x00\x80\x00\x08  ABC123").as_deref(), Some("ABC123"));
        assert_eq!(unit_serial(b"\x00\x80\xff\xffAB").as_deref(), Some("AB"));
        assert_eq!(unit_serial(b"\x00\x80"), None);
    }

    #[test]
    fn names_made_of_model_and_serial_are_no_world_wide_names() {
        assert_eq!(world_wide_name("naa.5000c500a1b2c3d4").as_deref(), Some("0x5000c500a1b2c3d4"));
        assert_eq!(world_wide_name("t10.ATA     Disk 1"), None);
        assert_eq!(
            world_wide_name("eui.0025388b710116a2").as_deref(),
            Some("eui.0025388b710116a2")
        );
    }

    proptest! {
        #[test]
        fn any_bytes_give_an_answer(bytes in proptest::collection::vec(any::<u8>(), 0..64), text in "\\PC{0,60}") {
            unit_serial(&bytes);
            world_wide_name(&text);
            sectors(&text);
            controller(&text);
        }
    }
}
