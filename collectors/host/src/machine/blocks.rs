//! The block devices of /sys/block: drives, partitions, and the volumes that are built of them.
//!
//! The drives' scope and the storage scope see the same list, so that their native keys agree.

use crate::files::{list_dir, read_number, read_trimmed};
use crate::{HARDWARE, HOST};
use collector::Target;
use model::classes::{drive, volume};
use model::observation::part_key;
use std::collections::BTreeMap;

/// The most block devices that are described; storage servers have some thousands.
const DEVICES_MAX: usize = 10_000;
/// Sizes in /sys are in sectors of 512 bytes whatever the drive's own sectors are.
const SECTOR_BYTES: u64 = 512;

/// What a block device is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A disk or something that stands for one.
    Drive,
    /// A part of another device.
    Partition,
    /// A logical volume.
    Lvm,
    /// An encrypted volume.
    Crypt,
    /// Several paths to one drive.
    Multipath,
    /// Any other mapping of the device mapper.
    Mapped,
    /// A software array.
    Raid,
    /// A file shown as a device.
    Loop,
    /// Memory shown as a device.
    Memory,
}

impl Kind {
    /// The word of the class `volume`.
    pub(super) const fn word(&self) -> &'static str {
        match self {
            Self::Drive => "drive",
            Self::Partition => "partition",
            Self::Lvm => "lvm",
            Self::Crypt => "crypt",
            Self::Multipath => "multipath",
            Self::Mapped => "mapped",
            Self::Raid => "raid",
            Self::Loop => "loop",
            Self::Memory => "memory",
        }
    }
}

/// A block device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Block {
    /// Name that the kernel gives it.
    pub(super) kernel_name: String,
    /// Name by which it is known: that of the volume manager where it has one.
    pub(super) name: String,
    /// Where it stands below /sys.
    pub(super) sys: String,
    /// What it is.
    pub(super) kind: Kind,
    /// Major and minor number, as `254:1`.
    pub(super) number: String,
    /// Size.
    pub(super) bytes: u64,
    /// Kernel names of the devices that it lies on.
    pub(super) lower: Vec<String>,
    /// UUID of the device mapper, with its prefix.
    pub(super) mapper_uuid: Option<String>,
}

impl Block {
    /// The native key of the item that it is.
    pub(super) fn key(&self) -> String {
        match self.kind {
            Kind::Drive => part_key(&drive::CLASS, HARDWARE, &[&self.name]),
            _ => part_key(&volume::CLASS, HOST, &[&self.name]),
        }
    }

    /// Its path in /dev, as the volume manager's own tools name it.
    pub(super) fn path(&self) -> String {
        let folder = if self.mapper_uuid.is_some() { "/dev/mapper" } else { "/dev" };
        format!("{folder}/{}", self.name)
    }
}

/// The block devices, by kernel name.
pub(super) type Blocks = BTreeMap<String, Block>;

/// Lists the block devices that have something in them.
pub(super) fn list(target: &Target) -> Blocks {
    let mut blocks = Blocks::new();
    for name in list_dir(&target.path("/sys/block")).unwrap_or_default() {
        let sys = format!("/sys/block/{name}");
        let Some(block) = whole(target, &name, sys.clone()) else { continue };
        // A device with its partitions, so that a directory is listed only where there can be some.
        let can_have_parts = block.kind != Kind::Memory;
        blocks.insert(name.clone(), block);
        if can_have_parts {
            partitions(target, &name, &sys, &mut blocks);
        }
        if blocks.len() >= DEVICES_MAX {
            break;
        }
    }
    blocks
}

fn whole(target: &Target, name: &str, sys: String) -> Option<Block> {
    let read = |file: &str| read_trimmed(&target.path(&format!("{sys}/{file}")));
    let bytes = read("size")?.parse::<u64>().ok()?.checked_mul(SECTOR_BYTES)?;
    // Paths of NVMe controllers to one namespace are hidden; empty drives and loops hold nothing. An array without
    // a size did not start, which is the last thing to keep silent about.
    let is_stuck = || {
        kind_of(name, None) == Kind::Raid
            && read("md/array_state").as_deref() == Some("inactive")
            // Containers of a controller's own format are inactive by nature.
            && read("md/metadata_version").is_none_or(|version| !version.starts_with("external"))
    };
    if (bytes == 0 && !is_stuck()) || read("hidden").as_deref() == Some("1") {
        return None;
    }
    let mapper_uuid = read("dm/uuid");
    let kind = kind_of(name, mapper_uuid.as_deref());
    Some(Block {
        kernel_name: name.to_owned(),
        name: read("dm/name").unwrap_or_else(|| name.replace('!', "/")),
        kind,
        number: read("dev")?,
        bytes,
        lower: list_dir(&target.path(&format!("{sys}/slaves"))).unwrap_or_default(),
        mapper_uuid,
        sys,
    })
}

fn partitions(target: &Target, name: &str, sys: &str, blocks: &mut Blocks) {
    for entry in list_dir(&target.path(sys)).unwrap_or_default() {
        // Partitions are named after their device.
        if !entry.starts_with(name) || blocks.len() >= DEVICES_MAX {
            continue;
        }
        let path = format!("{sys}/{entry}");
        if read_number(&target.path(&format!("{path}/partition"))).is_none() {
            continue;
        }
        if let Some(mut part) = whole(target, &entry, path) {
            part.kind = Kind::Partition;
            part.lower = vec![name.to_owned()];
            blocks.insert(entry, part);
        }
    }
}

fn kind_of(name: &str, mapper_uuid: Option<&str>) -> Kind {
    let starts = |prefix: &str| {
        name.strip_prefix(prefix)
            .is_some_and(|rest| rest.starts_with(|letter: char| letter.is_ascii_digit()))
    };
    if starts("dm-") {
        let uuid = mapper_uuid.unwrap_or_default();
        return match uuid.split('-').next().unwrap_or_default() {
            "LVM" => Kind::Lvm,
            "CRYPT" => Kind::Crypt,
            "mpath" => Kind::Multipath,
            part if part.starts_with("part") => Kind::Partition,
            _ => Kind::Mapped,
        };
    }
    if starts("md") || name.starts_with("md_") {
        Kind::Raid
    } else if starts("loop") {
        Kind::Loop
    } else if starts("ram") || starts("zram") {
        Kind::Memory
    } else {
        Kind::Drive
    }
}

/// The device of a path such as `/dev/vda1` or `/dev/mapper/vg-root`.
pub(super) fn find<'a>(blocks: &'a Blocks, target: &Target, path: &str) -> Option<&'a Block> {
    let name = path.strip_prefix("/dev/")?;
    if let Some(name) = name.strip_prefix("mapper/") {
        return blocks.values().find(|block| block.mapper_uuid.is_some() && block.name == name);
    }
    if let Some(block) = blocks.get(&name.replace('/', "!")) {
        return Some(block);
    }
    // `/dev/vg/root`, `/dev/disk/by-uuid/…` and the like are links to the kernel's name.
    let link = std::fs::read_link(target.link_path(path)).ok()?;
    blocks.get(link.file_name()?.to_str()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_are_told_apart_by_name_and_mapper() {
        for (name, uuid, kind) in [
            ("sda", None, Kind::Drive),
            ("mdx", None, Kind::Drive),
            ("md127", None, Kind::Raid),
            ("dm-0", Some("LVM-abc"), Kind::Lvm),
            ("dm-1", Some("CRYPT-LUKS2-00-x"), Kind::Crypt),
            ("dm-2", Some("part1-mpath-36"), Kind::Partition),
            ("dm-3", None, Kind::Mapped),
            ("loop7", None, Kind::Loop),
            ("zram0", None, Kind::Memory),
            ("nvme0n1", None, Kind::Drive),
        ] {
            assert_eq!(kind_of(name, uuid), kind, "{name}");
        }
    }
}
