//! The scope `drives`: disks and what stands for them, with what they say of their health.
//!
//! Identity and size come from /sys. Health is asked of the drive itself, which needs root; a drive that cannot be
//! asked (virtual ones, most USB bridges) has none, and that is no failure.

use super::blocks::{self, Block, Kind};
use super::smart;
use crate::HARDWARE;
use crate::files::{
    link_name, list_dir, read_limited, read_number, read_to_string_limited, read_trimmed,
};
use collector::{CollectError, Run, Target};
use model::classes::drive;
use model::{Coverage, Observation, Value};
use std::path::{Path, PathBuf};

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
            match smart::health(block, smart::protocol(transport, vendor.as_deref())) {
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
    let place = place_of(target, &path("device"));
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
        })
        .or_else(|| serial_on_usb(target, &place));
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
        .with_some(&drive::TRANSPORT, transport_of(target, block, &place))
        .with_some(&drive::CONTROLLER_ADDRESS, controller_of(target, &place));
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
    seen
}

/// Where a device stands in the tree of devices. Paths of another host's tree are resolved already.
fn place_of(target: &Target, path: &Path) -> PathBuf {
    if target.is_live() { std::fs::canonicalize(path).unwrap_or_default() } else { path.to_owned() }
}

/// How a drive is attached.
fn transport_of(target: &Target, block: &Block, place: &Path) -> Option<String> {
    let path = |file: &str| format!("{}/device/{file}", block.sys);
    let said = read_trimmed(&target.path(&path("transport"))).filter(|word| word != "pcie");
    if said.is_some() {
        return said;
    }
    match transport(&block.kernel_name, &place.to_string_lossy()) {
        Some("sata") if is_parallel(target, place) => Some("ata".to_owned()),
        Some(word) => Some(word.to_owned()),
        // Some drivers name their bus only by the subsystem of the device.
        None => link_name(&target.link_path(&path("subsystem"))).filter(|bus| bus == "virtio"),
    }
}

/// Whether an ATA drive hangs on a parallel port: its driver is one of those, and the kernel knows no speed of the
/// port's link, as it does of a serial one.
fn is_parallel(target: &Target, place: &Path) -> bool {
    // …/ata7/host6/target6:0:0/6:0:0:0
    let mut above = place.ancestors().skip_while(|above| !has_number(above, "host"));
    let (Some(host), Some(port)) = (above.next(), above.next()) else { return false };
    let (Some(name), Some(number)) =
        (name_of(host), name_of(port).and_then(|name| name.strip_prefix("ata")))
    else {
        return false;
    };
    let read = |place: &Path, file: &str| read_trimmed(&target.below(place, file));
    let driver = read(host, &format!("scsi_host/{name}/proc_name"));
    let speed = read(port, &format!("link{number}/ata_link/link{number}/sata_spd"));
    driver.is_some_and(|driver| driver.starts_with("pata") || driver.starts_with("ata_"))
        && speed.is_none_or(|speed| !speed.starts_with(|letter: char| letter.is_ascii_digit()))
}

fn name_of(path: &Path) -> Option<&str> {
    path.file_name()?.to_str()
}

/// Whether a path ends with a word and a number, such as `host6`.
fn has_number(path: &Path, word: &str) -> bool {
    name_of(path).and_then(|name| name.strip_prefix(word)).is_some_and(|number| {
        !number.is_empty() && number.bytes().all(|letter| letter.is_ascii_digit())
    })
}

/// The serial number of the USB device above a drive: bridges hide that of the drive, and udev takes this one too.
fn serial_on_usb(target: &Target, place: &Path) -> Option<String> {
    let device = place
        .ancestors()
        .take_while(|above| above.starts_with(&target.root))
        .find(|above| target.below(above, "idVendor").exists())?;
    read_trimmed(&target.below(device, "serial"))
}

/// The PCI address of the controller of a drive. A drive of NVMe that several controllers share stands beside the
/// links to them; the first is taken.
fn controller_of(target: &Target, place: &Path) -> Option<String> {
    let own = controller(&place.to_string_lossy());
    if own.is_some() || !has_number(place, "nvme-subsys") {
        return own;
    }
    list_dir(place)
        .unwrap_or_default()
        .iter()
        .filter(|name| has_number(Path::new(name), "nvme"))
        .map(|name| place_of(target, &target.below(place, name)))
        .find_map(|path| controller(&path.to_string_lossy()))
}

/// The bus in a drive's place in the tree of devices.
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

    /// A tree with files, and the place of a drive in it.
    fn tree(place: &str, files: &[(&str, &str)]) -> (tempfile::TempDir, Target, PathBuf) {
        let root = tempfile::tempdir().unwrap();
        let place = root.path().join(place);
        std::fs::create_dir_all(&place).unwrap();
        for (path, text) in files {
            let path = root.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        let target =
            Target { id: "t".into(), site: "s".into(), root: root.path().to_owned(), remote: None };
        (root, target, place)
    }

    #[test]
    fn a_port_is_parallel_when_its_driver_is_and_no_speed_is_known() {
        let is = |driver: &str, speed: &str| {
            let files = [
                ("ata7/host6/scsi_host/host6/proc_name", driver),
                ("ata7/link7/ata_link/link7/sata_spd", speed),
            ];
            let (_root, target, place) = tree("ata7/host6/target6:0:0/6:0:0:0", &files);
            is_parallel(&target, &place)
        };
        assert!(is("ata_piix\n", "<unknown>\n") && is("pata_amd\n", "<unknown>\n"));
        assert!(!is("ata_piix\n", "3.0 Gbps\n") && !is("ahci\n", "<unknown>\n"));
        let (_root, target, place) = tree("host1", &[]);
        assert!(!is_parallel(&target, &place) && !is_parallel(&target, Path::new("")));
    }

    #[test]
    fn a_shared_drive_is_attached_to_the_first_of_its_controllers() {
        let (_root, target, place) = tree("sys/virtual/nvme-subsystem/nvme-subsys1/nvme1n1", &[]);
        let place = place.parent().unwrap();
        for (name, address) in [("nvme1", "0000:00:12.0"), ("nvme0", "0000:00:11.0")] {
            let controller = format!("sys/pci0000:00/{address}/nvme/{name}");
            std::fs::create_dir_all(target.root.join(&controller)).unwrap();
            std::os::unix::fs::symlink(Path::new("/").join(controller), place.join(name)).unwrap();
        }
        assert_eq!(controller_of(&target, place).as_deref(), Some("0000:00:11.0"));
    }

    #[test]
    fn a_drive_on_usb_has_the_serial_number_of_its_case() {
        let files = [("usb2/2-1/idVendor", "46f4\n"), ("usb2/2-1/serial", "USB-1\n")];
        let (_root, target, place) = tree("usb2/2-1/2-1:1.0/host9/target9:0:0/9:0:0:0", &files);
        assert_eq!(serial_on_usb(&target, &place).as_deref(), Some("USB-1"));
        assert_eq!(serial_on_usb(&target, Path::new("")), None);
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
