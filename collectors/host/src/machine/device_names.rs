//! The words for the numbers of PCI and USB devices.
//!
//! Vendors and devices come from pci.ids, which is a megabyte long and sorted by vendor: it is read line by line,
//! up to the largest vendor that is asked for. Class codes are few and stand here.

use collector::Target;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Read};

/// Where distributions put the list.
pub(super) const LISTS: [&str; 3] =
    ["/usr/share/misc/pci.ids", "/usr/share/hwdata/pci.ids", "/usr/share/pci.ids"];

/// The longest list that is read; the real one has 1.4 MB.
const LIST_BYTES_MAX: u64 = 8 * 1024 * 1024;
/// The longest line that is read whole.
const LINE_BYTES_MAX: usize = 4096;

type Id = (u16, u16);

/// The words that were found.
#[derive(Debug, Default)]
pub(super) struct Names {
    vendors: BTreeMap<u16, String>,
    devices: BTreeMap<Id, String>,
    subsystems: BTreeMap<(Id, Id), String>,
}

impl Names {
    /// Looks up the words for these ids of vendor and device; a card's name is kept where both are asked for.
    pub(super) fn look_up(target: &Target, wanted: &BTreeSet<Id>) -> Self {
        if wanted.is_empty() {
            return Self::default();
        }
        LISTS
            .iter()
            .find_map(|path| crate::files::open_regular(&target.path(path)).ok())
            .map(|file| {
                Self::read(BufReader::with_capacity(64 * 1024, file.take(LIST_BYTES_MAX)), wanted)
            })
            .unwrap_or_default()
    }

    fn read(mut list: impl BufRead, wanted: &BTreeSet<Id>) -> Self {
        let mut names = Self::default();
        let vendors: BTreeSet<u16> = wanted.iter().map(|(vendor, _)| *vendor).collect();
        let Some(last) = vendors.last() else { return names };
        let (mut vendor, mut device) = (None, None);
        let mut line = Vec::with_capacity(256);
        loop {
            line.clear();
            match list.read_until(b'\n', &mut line) {
                Ok(0) | Err(_) => break,
                Ok(_) if line.len() > LINE_BYTES_MAX => continue,
                Ok(_) => {}
            }
            match line.as_slice() {
                [b'\t', b'\t', rest @ ..] => {
                    if let (Some(device), Some((id, name))) = (device, subsystem_line(rest))
                        && wanted.contains(&id)
                    {
                        names.subsystems.insert((device, id), name);
                    }
                }
                [b'\t', rest @ ..] => {
                    device = None;
                    let Some(vendor) = vendor else { continue };
                    if let Some(number) = number(rest)
                        && wanted.contains(&(vendor, number))
                    {
                        device = Some((vendor, number));
                        names.devices.extend(words(rest, 4).map(|name| ((vendor, number), name)));
                    }
                }
                rest => {
                    (vendor, device) = (None, None);
                    // After the vendors come the classes, whose lines begin with a `C`, which is a digit too.
                    let Some(number) = number(rest).filter(|_| rest.get(4) == Some(&b' ')) else {
                        continue;
                    };
                    if number > *last {
                        break;
                    }
                    if vendors.contains(&number) {
                        vendor = Some(number);
                        names.vendors.extend(words(rest, 4).map(|name| (number, name)));
                    }
                }
            }
        }
        names
    }

    /// The vendor of that number.
    pub(super) fn vendor(&self, vendor: u16) -> Option<&str> {
        self.vendors.get(&vendor).map(String::as_str)
    }

    /// The device of those numbers.
    pub(super) fn device(&self, vendor: u16, device: u16) -> Option<&str> {
        self.devices.get(&(vendor, device)).map(String::as_str)
    }

    /// The card with that chip and those numbers.
    pub(super) fn subsystem(&self, chip: Id, card: Id) -> Option<&str> {
        self.subsystems.get(&(chip, card)).map(String::as_str)
    }
}

/// The four hexadecimal digits that a line begins with.
fn number(line: &[u8]) -> Option<u16> {
    let digits = line.get(..4)?;
    if !digits.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    u16::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}

/// The words after the numbers.
fn words(line: &[u8], start: usize) -> Option<String> {
    let text = String::from_utf8_lossy(line.get(start..)?).trim().to_owned();
    (!text.is_empty()).then_some(text)
}

fn subsystem_line(line: &[u8]) -> Option<(Id, String)> {
    let id = (number(line)?, number(line.get(5..)?)?);
    Some((id, words(line, 9)?))
}

/// The words for a PCI class and subclass, as pci.ids has them.
pub(super) fn pci_class(base: u32, sub: u32) -> Option<&'static str> {
    Some(match (base, sub) {
        (0x00, 0x01) => "VGA compatible unclassified device",
        (0x01, 0x00) => "SCSI storage controller",
        (0x01, 0x01) => "IDE interface",
        (0x01, 0x04) => "RAID bus controller",
        (0x01, 0x05) => "ATA controller",
        (0x01, 0x06) => "SATA controller",
        (0x01, 0x07) => "Serial Attached SCSI controller",
        (0x01, 0x08) => "Non-Volatile memory controller",
        (0x01, _) => "Mass storage controller",
        (0x02, 0x00) => "Ethernet controller",
        (0x02, 0x07) => "Infiniband controller",
        (0x02, 0x08) => "Fabric controller",
        (0x02, _) => "Network controller",
        (0x03, 0x00) => "VGA compatible controller",
        (0x03, 0x02) => "3D controller",
        (0x03, _) => "Display controller",
        (0x04, 0x00) => "Multimedia video controller",
        (0x04, 0x01) => "Multimedia audio controller",
        (0x04, 0x03) => "Audio device",
        (0x04, _) => "Multimedia controller",
        (0x05, 0x00) => "RAM memory",
        (0x05, 0x02) => "CXL",
        (0x05, _) => "Memory controller",
        (0x06, 0x00) => "Host bridge",
        (0x06, 0x01) => "ISA bridge",
        (0x06, 0x04) => "PCI bridge",
        (0x06, _) => "Bridge",
        (0x07, 0x00) => "Serial controller",
        (0x07, _) => "Communication controller",
        (0x08, 0x00) => "PIC",
        (0x08, 0x05) => "SD Host controller",
        (0x08, 0x06) => "IOMMU",
        (0x08, _) => "System peripheral",
        (0x09, _) => "Input device controller",
        (0x0a, _) => "Docking station",
        (0x0b, _) => "Processor",
        (0x0c, 0x00) => "FireWire (IEEE 1394)",
        (0x0c, 0x03) => "USB controller",
        (0x0c, 0x04) => "Fibre Channel",
        (0x0c, 0x05) => "SMBus",
        (0x0c, _) => "Serial bus controller",
        (0x0d, _) => "Wireless controller",
        (0x0e, _) => "Intelligent controller",
        (0x0f, _) => "Satellite communications controller",
        (0x10, _) => "Encryption controller",
        (0x11, _) => "Signal processing controller",
        (0x12, _) => "Processing accelerators",
        (0x13, _) => "Non-Essential Instrumentation",
        (0x40, _) => "Coprocessor",
        (0xff, _) => "Unassigned class",
        _ => return None,
    })
}

/// The words for a USB class.
pub(super) fn usb_class(class: u8) -> Option<&'static str> {
    Some(match class {
        0x01 => "Audio",
        0x02 => "Communications",
        0x03 => "Human Interface Device",
        0x05 => "Physical Interface Device",
        0x06 => "Imaging",
        0x07 => "Printer",
        0x08 => "Mass Storage",
        0x09 => "Hub",
        0x0a => "CDC Data",
        0x0b => "Smart Card",
        0x0d => "Content Security",
        0x0e => "Video",
        0x0f => "Personal Healthcare",
        0x10 => "Audio/Video",
        0x11 => "Billboard",
        0xdc => "Diagnostic",
        0xe0 => "Wireless",
        0xef => "Miscellaneous",
        0xfe => "Application Specific Interface",
        0xff => "Vendor Specific Class",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LIST: &str = "# comment\n1000  First Vendor\n\t0001  Chip\n\t\t1001 0002  Card\n1001  Card Maker\n\t0002  Other\n2000  Late\nC 01  Mass storage\n\t06  SATA\n";

    fn read(wanted: &[Id]) -> Names {
        Names::read(LIST.as_bytes(), &wanted.iter().copied().collect())
    }

    #[test]
    fn only_what_is_asked_for_is_kept() {
        let names = read(&[(0x1000, 1), (0x1001, 2)]);
        assert_eq!(names.vendor(0x1000), Some("First Vendor"));
        assert_eq!(names.device(0x1000, 1), Some("Chip"));
        assert_eq!(names.subsystem((0x1000, 1), (0x1001, 2)), Some("Card"));
        assert_eq!(names.vendor(0x2000), None);
    }

    #[test]
    fn a_class_is_not_taken_for_a_vendor() {
        let names = read(&[(0xffff, 6)]);
        assert!(names.vendors.is_empty() && names.devices.is_empty());
    }

    proptest! {
        #[test]
        fn any_list_gives_an_answer(list in "(\t|[0-9a-f]{4}  ?|C |\n|\\PC){0,60}") {
            Names::read(list.as_bytes(), &BTreeSet::from([(0x1000, 1), (0xffff, 0xffff)]));
        }
    }
}
