//! The scope `devices`: what hangs on the PCI and USB buses.
//!
//! The words for PCI ids come from the list that distributions ship (pci.ids), read as a stream and only as far as
//! the largest vendor id needs.

use super::device_names::{self, Names, pci_class, usb_class};
use crate::HARDWARE;
use crate::files::{StatGuard, link_name, list_dir, read_number, read_trimmed};
use collector::{CollectError, Guard, Run, Target};
use model::classes::{pci_device, usb_device};
use model::{Coverage, Observation};
use std::collections::BTreeSet;

const PCI: &str = "/sys/bus/pci/devices";
const USB: &str = "/sys/bus/usb/devices";
/// The most devices of one bus; a server with hundreds of virtual functions has some thousands.
const DEVICES_MAX: usize = 8192;

/// Devices come and go with their names; the words for them come with a package.
pub(super) fn guard(target: &Target) -> Guard {
    let mut guard = StatGuard::new();
    guard.bytes(
        read_trimmed(&target.path("/proc/sys/kernel/random/boot_id"))
            .unwrap_or_default()
            .as_bytes(),
    );
    guard.names(&target.path(PCI));
    guard.names(&target.path(USB));
    // A driver that is loaded later changes what is bound.
    guard.names(&target.path("/sys/bus/pci/drivers"));
    for path in device_names::LISTS {
        guard.path(&target.path(path));
    }
    guard.finish()
}

/// Looks at the scope.
#[expect(clippy::unnecessary_wraps, reason = "every scope has this form")]
pub(super) fn collect(target: &Target, run: &mut Run<'_>) -> Result<Coverage, CollectError> {
    let devices: Vec<Pci> = list_dir(&target.path(PCI))
        .unwrap_or_default()
        .into_iter()
        .take(DEVICES_MAX)
        .filter_map(|address| Pci::read(target, address))
        .collect();
    let mut wanted = BTreeSet::new();
    for device in &devices {
        wanted.insert((device.vendor, device.device));
        if let Some(subsystem) = device.subsystem {
            wanted.insert(subsystem);
        }
    }
    let names = Names::look_up(target, &wanted);
    for device in &devices {
        run.saw(device.observation(target, &names));
    }
    for address in list_dir(&target.path(USB)).unwrap_or_default().into_iter().take(DEVICES_MAX) {
        // With a colon they are the interfaces of a device.
        if !address.contains(':') {
            run.saw(usb(target, &address));
        }
    }
    Ok(Coverage::complete())
}

/// A device on a PCI bus, in numbers.
struct Pci {
    address: String,
    vendor: u16,
    device: u16,
    class: u32,
    subsystem: Option<(u16, u16)>,
}

fn hexadecimal(text: &str) -> Option<u32> {
    u32::from_str_radix(text.trim_start_matches("0x"), 16).ok()
}

impl Pci {
    fn read(target: &Target, address: String) -> Option<Self> {
        let number = |file: &str| {
            read_trimmed(&target.path(&format!("{PCI}/{address}/{file}")))
                .and_then(|t| hexadecimal(&t))
        };
        let id = |file: &str| number(file).and_then(|id| u16::try_from(id).ok());
        let subsystem = id("subsystem_vendor").zip(id("subsystem_device"));
        Some(Self {
            vendor: id("vendor")?,
            device: id("device")?,
            class: number("class")?,
            subsystem: subsystem.filter(|ids| *ids != (0, 0)),
            address,
        })
    }

    fn observation(&self, target: &Target, names: &Names) -> Observation {
        let path = |file: &str| target.path(&format!("{PCI}/{}/{file}", self.address));
        let vendor = names.vendor(self.vendor);
        let device = names.device(self.vendor, self.device);
        let name = match (vendor, device) {
            (Some(vendor), Some(device)) => Some(format!("{vendor} {device}")),
            (Some(vendor), None) => Some(format!("{vendor} device {:04x}", self.device)),
            _ => None,
        };
        let (base, sub) = ((self.class >> 16) & 0xff, (self.class >> 8) & 0xff);
        // Display controllers and processing accelerators.
        let is_gpu = base == 0x03 || base == 0x12;
        let subsystem = self.subsystem.and_then(|(vendor, device)| {
            let words = names.vendor(vendor)?;
            let id = self.subsystem_name(names, vendor, device);
            Some(id.map_or_else(|| words.to_owned(), |name| format!("{words} {name}")))
        });
        let node = read_trimmed(&path("numa_node")).filter(|node| node != "-1");
        let speed =
            read_trimmed(&path("current_link_speed")).filter(|speed| !speed.starts_with("Unknown"));
        let width = read_number(&path("current_link_width")).filter(|width| *width > 0);
        let link = speed
            .zip(width)
            .map(|(speed, width)| format!("{} x{width}", speed.replace(" PCIe", "")));
        let seen = Observation::part(&pci_device::CLASS, HARDWARE, &[&self.address])
            .with(&pci_device::VENDOR_ID, format!("{:04x}", self.vendor))
            .with(&pci_device::DEVICE_ID, format!("{:04x}", self.device))
            .with(&pci_device::IS_GPU, is_gpu)
            .with_some(&pci_device::DEVICE_CLASS, pci_class(base, sub))
            .with_some(&pci_device::NAME, name)
            .with_some(&pci_device::VENDOR, vendor)
            .with_some(&pci_device::SUBSYSTEM_NAME, subsystem)
            .with_some(
                &pci_device::SUBSYSTEM_ID,
                self.subsystem.map(|(vendor, device)| format!("{vendor:04x}:{device:04x}")),
            )
            .with_some(
                &pci_device::REVISION,
                read_trimmed(&path("revision"))
                    .map(|text| text.trim_start_matches("0x").to_owned()),
            )
            .with_some(
                &pci_device::DRIVER,
                link_name(&target.link_path(&format!("{PCI}/{}/driver", self.address))),
            )
            .with_some(&pci_device::NUMA_NODE, node)
            .with_some(&pci_device::LINK, link);
        if is_gpu { accelerator(seen, target, &self.address) } else { seen }
    }

    /// The card's name stands in the list below its chip; only one that repeats a known device has one here.
    fn subsystem_name<'a>(&self, names: &'a Names, vendor: u16, device: u16) -> Option<&'a str> {
        names.subsystem((self.vendor, self.device), (vendor, device))
    }
}

/// Adds what the drivers of NVIDIA and AMD say of an accelerator.
fn accelerator(seen: Observation, target: &Target, address: &str) -> Observation {
    let read = |file: &str| read_trimmed(&target.path(&format!("{PCI}/{address}/{file}")));
    let information = format!("/proc/driver/nvidia/gpus/{address}/information");
    let information = read_trimmed(&target.path(&information)).unwrap_or_default();
    let of_nvidia = |name: &str| nvidia_field(&information, name);
    let memory = read("mem_info_vram_total").and_then(|bytes| bytes.parse::<u64>().ok());
    seen.with_some(&pci_device::MEMORY_BYTES, memory)
        .with_some(
            &pci_device::FIRMWARE_VERSION,
            read("vbios_version").or_else(|| of_nvidia("Video BIOS")),
        )
        .with_some(&pci_device::UNIQUE_ID, read("unique_id").or_else(|| of_nvidia("GPU UUID")))
}

/// A field of what NVIDIA's driver says; it writes question marks for what it does not know.
fn nvidia_field(text: &str, name: &str) -> Option<String> {
    let value = text.lines().find_map(|line| line.strip_prefix(name)?.trim().strip_prefix(':'))?;
    let value = value.trim();
    (!value.is_empty() && !value.contains('?')).then(|| value.to_owned())
}

fn usb(target: &Target, address: &str) -> Observation {
    let directory = format!("{USB}/{address}");
    let read = |file: &str| read_trimmed(&target.path(&format!("{directory}/{file}")));
    let name = match (read("manufacturer"), read("product")) {
        // The kernel's own hubs carry its release as vendor.
        (Some(vendor), Some(product)) if !vendor.starts_with("Linux ") => {
            Some(format!("{vendor} {product}"))
        }
        (_, product) => product,
    };
    let class = read("bDeviceClass").and_then(|text| u8::from_str_radix(&text, 16).ok());
    let interfaces: Vec<String> = list_dir(&target.path(&directory))
        .unwrap_or_default()
        .into_iter()
        .filter(|entry| entry.starts_with(address) && entry.contains(':'))
        .collect();
    // A device of class zero is what its first interface is.
    let class = class.filter(|class| *class != 0).or_else(|| {
        let interface = interfaces.first()?;
        let text = read(&format!("{interface}/bInterfaceClass"))?;
        u8::from_str_radix(&text, 16).ok()
    });
    let mut drivers: Vec<String> = interfaces
        .iter()
        .filter_map(|interface| {
            link_name(&target.link_path(&format!("{directory}/{interface}/driver")))
        })
        .collect();
    drivers.sort();
    drivers.dedup();
    // In millions of bits per second, 1.5 being the slowest.
    let speed = read("speed").and_then(|text| match text.as_str() {
        "1.5" => Some(1_500_000),
        text => text.parse::<u64>().ok()?.checked_mul(1_000_000),
    });
    Observation::part(&usb_device::CLASS, HARDWARE, &[address])
        .with(&usb_device::DRIVERS, drivers)
        .with_some(&usb_device::NAME, name)
        .with_some(&usb_device::VENDOR_ID, read("idVendor"))
        .with_some(&usb_device::PRODUCT_ID, read("idProduct"))
        .with_some(&usb_device::SERIAL_NUMBER, read("serial"))
        .with_some(&usb_device::USB_VERSION, read("version"))
        .with_some(&usb_device::DEVICE_CLASS, class.and_then(usb_class))
        .with_some(&usb_device::SPEED_BITS_PER_SECOND, speed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn look_at(files: &[(&str, &str)]) -> Vec<Observation> {
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
        collect(&target, &mut Run::new(&mut observations)).unwrap();
        observations
    }

    #[test]
    fn a_device_without_ids_is_left_out_and_an_unknown_one_is_told_by_number() {
        let seen = look_at(&[
            ("sys/bus/pci/devices/0000:00:01.0/vendor", "0x10de\n"),
            ("sys/bus/pci/devices/0000:00:02.0/vendor", "0x10de\n"),
            ("sys/bus/pci/devices/0000:00:02.0/device", "0x2330\n"),
            ("sys/bus/pci/devices/0000:00:02.0/class", "0x030200\n"),
            ("usr/share/misc/pci.ids", "10de  NVIDIA Corporation\n\t0001  Other\n"),
            (
                "proc/driver/nvidia/gpus/0000:00:02.0/information",
                "Model: \t\t Example\nGPU UUID: \t GPU-0123\nVideo BIOS: \t ??.??\n",
            ),
        ]);
        assert_eq!(seen.len(), 1);
        let fact = |name: &str| seen[0].facts.get(name).map(model::Value::to_line);
        assert_eq!(fact("name").as_deref(), Some("NVIDIA Corporation device 2330"));
        assert_eq!(fact("is_gpu").as_deref(), Some("true"));
        assert_eq!(fact("device_class").as_deref(), Some("3D controller"));
        assert_eq!(fact("unique_id").as_deref(), Some("GPU-0123"));
        assert_eq!(fact("firmware_version"), None);
    }

    #[test]
    fn a_usb_device_is_what_its_first_interface_is() {
        let seen = look_at(&[
            ("sys/bus/usb/devices/1-1/idVendor", "0781\n"),
            ("sys/bus/usb/devices/1-1/idProduct", "5583\n"),
            ("sys/bus/usb/devices/1-1/manufacturer", "Example\n"),
            ("sys/bus/usb/devices/1-1/product", "Stick\n"),
            ("sys/bus/usb/devices/1-1/bDeviceClass", "00\n"),
            ("sys/bus/usb/devices/1-1/speed", "5000\n"),
            ("sys/bus/usb/devices/1-1/1-1:1.0/bInterfaceClass", "08\n"),
            ("sys/bus/usb/devices/1-1:1.0/bInterfaceClass", "08\n"),
        ]);
        assert_eq!(seen.len(), 1);
        let fact = |name: &str| seen[0].facts[name].to_line();
        assert_eq!(fact("name"), "Example Stick");
        assert_eq!(fact("device_class"), "Mass Storage");
        assert_eq!(fact("speed_bits_per_second"), "5000000000");
    }
}
