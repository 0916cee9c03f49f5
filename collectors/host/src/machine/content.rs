//! What lies on a block device: type, UUID and label of a file system, swap area or member of something larger.
//!
//! udev's database says it where there is one; else the first sectors of the device are read, which needs root.
//! The sectors are foreign bytes: a place outside of them is *not said*.

use super::blocks::{Block, Blocks, Kind};
use crate::files::{Refusal, read_to_string_limited, read_trimmed, refusal};
use collector::Target;
use std::collections::{BTreeMap, BTreeSet};
use std::io;

/// The longest entry of udev's database.
const ENTRY_BYTES_MAX: usize = 64 * 1024;
/// What is read from the start of a device; all but btrfs put their mark there.
const HEAD_BYTES: usize = 8192;
/// Where btrfs puts its mark, and how much of it is read.
const BTRFS_OFFSET: u64 = 65_536;
const BTRFS_BYTES: usize = 1024;

/// What lies on a device.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Content {
    /// Type, in the words of lsblk(8).
    pub(super) kind: Option<String>,
    /// UUID.
    pub(super) uuid: Option<String>,
    /// Label.
    pub(super) label: Option<String>,
}

/// What lies on each device that is not divided into partitions, by kernel name.
pub(super) fn of(
    target: &Target,
    blocks: &Blocks,
    denied: &mut Vec<&'static str>,
) -> BTreeMap<String, Content> {
    let divided: BTreeSet<&str> = blocks
        .values()
        .filter(|block| block.kind == Kind::Partition)
        .flat_map(|block| block.lower.iter().map(String::as_str))
        .collect();
    let arrays: BTreeMap<&str, &Block> = blocks
        .values()
        .filter(|block| block.kind == Kind::Raid)
        .flat_map(|array| array.lower.iter().map(move |member| (member.as_str(), array)))
        .collect();
    let mut found = BTreeMap::new();
    for block in blocks.values() {
        if divided.contains(block.kernel_name.as_str()) || block.kind == Kind::Memory {
            continue;
        }
        let entry = target.path(&format!("/run/udev/data/b{}", block.number));
        let content = match read_to_string_limited(&entry, ENTRY_BYTES_MAX) {
            Ok(text) => of_udev(&text),
            Err(_) if target.is_live() => match probe(target, block) {
                Ok(content) => match arrays.get(block.kernel_name.as_str()) {
                    Some(array) => Some(of_member(content, || super::raid::uuid_of(target, array))),
                    None => content,
                },
                Err(error) => {
                    if refusal(&error) == Refusal::PermissionDenied {
                        denied.push("types and UUIDs of unmounted volumes");
                    }
                    None
                }
            },
            Err(_) => None,
        };
        if let Some(content) = content {
            found.insert(block.kernel_name.clone(), content);
        }
    }
    found
}

/// What lies on a member of an array. Where the array's mark lies at the end, the start shows what lies on the array.
fn of_member(start: Option<Content>, uuid: impl FnOnce() -> Option<String>) -> Content {
    const MEMBER: &str = "linux_raid_member";
    match start {
        Some(content) if content.kind.as_deref() == Some(MEMBER) => content,
        _ => Content { kind: Some(MEMBER.to_owned()), uuid: uuid(), label: None },
    }
}

/// The properties of a device in udev's database.
fn of_udev(text: &str) -> Option<Content> {
    let get = |name: &str| {
        let value = text
            .lines()
            .find_map(|line| line.strip_prefix("E:")?.strip_prefix(name)?.strip_prefix('='))?;
        (!value.is_empty()).then(|| unencoded(value))
    };
    let content = Content {
        kind: get("ID_FS_TYPE"),
        uuid: get("ID_FS_UUID"),
        label: get("ID_FS_LABEL_ENC").or_else(|| get("ID_FS_LABEL")),
    };
    content.kind.is_some().then_some(content)
}

/// A text in which udev wrote unsafe letters as `\x20`.
fn unencoded(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((byte, after)) = rest.split_first() {
        let letter = match (byte, after) {
            (b'\\', [b'x', high, low, ..]) => std::str::from_utf8(&[*high, *low])
                .ok()
                .and_then(|digits| u8::from_str_radix(digits, 16).ok()),
            _ => None,
        };
        match letter {
            Some(letter) => {
                out.push(letter);
                rest = after.get(3..).unwrap_or_default();
            }
            None => {
                out.push(*byte);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// Reads the marks of a device of the running host.
fn probe(target: &Target, block: &Block) -> io::Result<Option<Content>> {
    use std::os::unix::fs::{FileExt, FileTypeExt, OpenOptionsExt};
    // An empty tray must not be asked to load, and a changer not to fetch.
    let is_set = |file: &str| {
        read_trimmed(&target.path(&format!("{}/{file}", block.sys))).as_deref() == Some("1")
    };
    // A mapping that is suspended would hold the question until it is resumed.
    if is_set("removable") || is_set("dm/suspended") {
        return Ok(None);
    }
    let path = target.path(&format!("/dev/{}", block.kernel_name.replace('!', "/")));
    let mut options = std::fs::OpenOptions::new();
    options.read(true).custom_flags(libc::O_NONBLOCK | libc::O_CLOEXEC);
    let device = options.open(path)?;
    if !device.metadata()?.file_type().is_block_device() {
        return Ok(None);
    }
    let mut head = vec![0; HEAD_BYTES];
    let length = device.read_at(&mut head, 0)?;
    head.truncate(length);
    if let Some(content) = of_head(&head) {
        return Ok(Some(content));
    }
    let mut far = vec![0; BTRFS_BYTES];
    let length = device.read_at(&mut far, BTRFS_OFFSET)?;
    far.truncate(length);
    Ok(btrfs(&far))
}

/// What the first bytes of a device say.
fn of_head(head: &[u8]) -> Option<Content> {
    [luks, lvm, xfs, swap, ext, md, f2fs, erofs, squashfs, ntfs, fat]
        .iter()
        .find_map(|recognize| recognize(head))
}

fn content(kind: &str, uuid: Option<String>, label: Option<String>) -> Option<Content> {
    Some(Content { kind: Some(kind.to_owned()), uuid, label })
}

fn word(head: &[u8], place: usize) -> Option<u16> {
    Some(u16::from_le_bytes(*head.get(place..)?.first_chunk()?))
}

fn double(head: &[u8], place: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*head.get(place..)?.first_chunk()?))
}

fn starts_at(head: &[u8], place: usize, mark: &[u8]) -> bool {
    head.get(place..).is_some_and(|bytes| bytes.starts_with(mark))
}

/// The text of a field that ends with zeros or spaces.
fn label_at(head: &[u8], place: usize, length: usize) -> Option<String> {
    let bytes = head.get(place..)?.get(..length)?;
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    let text = String::from_utf8_lossy(bytes.get(..end)?).trim().to_owned();
    (!text.is_empty()).then_some(text)
}

/// Sixteen bytes as a UUID in text form.
fn uuid_at(head: &[u8], place: usize) -> Option<String> {
    let bytes: &[u8; 16] = head.get(place..)?.first_chunk()?;
    if *bytes == [0; 16] {
        return None;
    }
    let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    dashed(&digits)
}

/// Thirty-two digits with the dashes of a UUID.
pub(super) fn dashed(digits: &str) -> Option<String> {
    if digits.len() != 32 || !digits.bytes().all(|letter| letter.is_ascii_hexdigit()) {
        return None;
    }
    let parts: Option<Vec<&str>> = [(0, 8), (8, 12), (12, 16), (16, 20), (20, 32)]
        .iter()
        .map(|(a, b)| digits.get(*a..*b))
        .collect();
    Some(parts?.join("-"))
}

/// The UUID in the name that cryptsetup gives the device mapper: `CRYPT-LUKS2-<digits>-<name>`.
pub(super) fn luks_uuid(mapper_uuid: &str) -> Option<String> {
    mapper_uuid.split('-').nth(2).and_then(dashed)
}

fn luks(head: &[u8]) -> Option<Content> {
    if !starts_at(head, 0, b"LUKS\xba\xbe") {
        return None;
    }
    let is_second = starts_at(head, 6, &[0, 2]);
    content("crypto_LUKS", label_at(head, 168, 40), label_at(head, 24, 48).filter(|_| is_second))
}

fn lvm(head: &[u8]) -> Option<Content> {
    let start = [0, 512, 1024, 1536].into_iter().find(|place| {
        starts_at(head, *place, b"LABELONE") && starts_at(head, place + 24, b"LVM2 001")
    })?;
    let id = label_at(head, start + 32, 32).and_then(|id| super::lvm::id_with_dashes(&id));
    content("LVM2_member", id, None)
}

fn xfs(head: &[u8]) -> Option<Content> {
    starts_at(head, 0, b"XFSB").then_some(())?;
    content("xfs", uuid_at(head, 32), label_at(head, 108, 12))
}

fn swap(head: &[u8]) -> Option<Content> {
    starts_at(head, 4086, b"SWAPSPACE2").then_some(())?;
    content("swap", uuid_at(head, 1036), label_at(head, 1052, 16))
}

fn ext(head: &[u8]) -> Option<Content> {
    const MAGIC: u16 = 0xef53;
    const JOURNAL: u32 = 0x4;
    const JOURNAL_DEVICE: u32 = 0x8;
    // Extents, 64 bits, flexible groups and the like, which came with ext4.
    const INCOMPATIBLE_OF_4: u32 = 0x40 | 0x80 | 0x100 | 0x200 | 0x400;
    const READ_ONLY_OF_4: u32 = 0x8 | 0x10 | 0x20 | 0x40 | 0x400;
    const START: usize = 1024;
    (word(head, START + 0x38)? == MAGIC).then_some(())?;
    let (compatible, incompatible, read_only) =
        (double(head, START + 0x5c)?, double(head, START + 0x60)?, double(head, START + 0x64)?);
    let kind = if incompatible & JOURNAL_DEVICE != 0 {
        "jbd"
    } else if incompatible & INCOMPATIBLE_OF_4 != 0 || read_only & READ_ONLY_OF_4 != 0 {
        "ext4"
    } else if compatible & JOURNAL != 0 {
        "ext3"
    } else {
        "ext2"
    };
    content(kind, uuid_at(head, START + 0x68), label_at(head, START + 0x78, 16))
}

fn md(head: &[u8]) -> Option<Content> {
    const MAGIC: u32 = 0xa92b_4efc;
    let start = [0, 4096].into_iter().find(|place| double(head, *place) == Some(MAGIC))?;
    content("linux_raid_member", uuid_at(head, start + 16), label_at(head, start + 32, 32))
}

fn f2fs(head: &[u8]) -> Option<Content> {
    (double(head, 1024)? == 0xf2f5_2010).then_some(())?;
    content("f2fs", uuid_at(head, 1024 + 108), None)
}

fn erofs(head: &[u8]) -> Option<Content> {
    (double(head, 1024)? == 0xe0f5_e1e2).then_some(())?;
    content("erofs", uuid_at(head, 1024 + 48), label_at(head, 1024 + 64, 16))
}

fn squashfs(head: &[u8]) -> Option<Content> {
    starts_at(head, 0, b"hsqs").then_some(())?;
    content("squashfs", None, None)
}

fn ntfs(head: &[u8]) -> Option<Content> {
    starts_at(head, 3, b"NTFS    ").then_some(())?;
    let serial = u64::from_le_bytes(*head.get(72..)?.first_chunk()?);
    content("ntfs", Some(format!("{serial:016X}")), None)
}

fn fat(head: &[u8]) -> Option<Content> {
    let (serial, label) = if starts_at(head, 82, b"FAT32   ") {
        (67, 71)
    } else if starts_at(head, 54, b"FAT12   ") || starts_at(head, 54, b"FAT16   ") {
        (39, 43)
    } else {
        return None;
    };
    let serial = double(head, serial)?;
    let label = label_at(head, label, 11).filter(|label| label != "NO NAME");
    content("vfat", Some(format!("{:04X}-{:04X}", serial >> 16, serial & 0xffff)), label)
}

fn btrfs(far: &[u8]) -> Option<Content> {
    starts_at(far, 0x40, b"_BHRfS_M").then_some(())?;
    content("btrfs", uuid_at(far, 0x20), label_at(far, 0x12b, 256))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn head(marks: &[(usize, &[u8])]) -> Vec<u8> {
        let mut head = vec![0; HEAD_BYTES];
        for (place, bytes) in marks {
            head[*place..*place + bytes.len()].copy_from_slice(bytes);
        }
        head
    }

    const UUID: [u8; 16] = [
        0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff, 1,
    ];
    const UUID_TEXT: &str = "11223344-5566-7788-99aa-bbccddeeff01";

    #[test]
    fn file_systems_are_recognized_with_uuid_and_label() {
        let cases: [(&str, Vec<u8>); 4] = [
            (
                "ext4",
                head(&[(1080, &[0x53, 0xef]), (1120, &[0x40]), (1128, &UUID), (1144, b"data")]),
            ),
            (
                "ext3",
                head(&[(1080, &[0x53, 0xef]), (1116, &[0x04]), (1128, &UUID), (1144, b"data")]),
            ),
            ("xfs", head(&[(0, b"XFSB"), (32, &UUID), (108, b"data")])),
            ("swap", head(&[(4086, b"SWAPSPACE2"), (1036, &UUID), (1052, b"data")])),
        ];
        for (kind, head) in cases {
            let found = of_head(&head).unwrap();
            assert_eq!(found.kind.as_deref(), Some(kind));
            assert_eq!(found.uuid.as_deref(), Some(UUID_TEXT), "{kind}");
            assert_eq!(found.label.as_deref(), Some("data"), "{kind}");
        }
    }

    #[test]
    fn members_of_something_larger_are_recognized() {
        let member = head(&[
            (512, b"LABELONE"),
            (536, b"LVM2 001"),
            (544, b"0123456789abcdefghijklmnopqrstuv"),
        ]);
        let found = of_head(&member).unwrap();
        assert_eq!(found.uuid.as_deref(), Some("012345-6789-abcd-efgh-ijkl-mnop-qrstuv"));
        let luks =
            head(&[(0, b"LUKS\xba\xbe\0\x02"), (24, b"secret"), (168, UUID_TEXT.as_bytes())]);
        assert_eq!(of_head(&luks).unwrap().uuid.as_deref(), Some(UUID_TEXT));
    }

    #[test]
    fn a_member_of_an_array_is_not_taken_for_what_the_array_holds() {
        let of = |kind: &str| content(kind, Some("of the start".into()), None);
        let found = of_member(of("ext4"), || Some("of the array".into()));
        assert_eq!(Some(found), content("linux_raid_member", Some("of the array".into()), None));
        assert_eq!(Some(of_member(of("linux_raid_member"), || None)), of("linux_raid_member"));
        assert_eq!(Some(of_member(None, || None)), content("linux_raid_member", None, None));
    }

    #[test]
    fn udevs_escapes_are_undone() {
        let text =
            "S:disk/x\nE:ID_FS_TYPE=ext4\nE:ID_FS_LABEL=my_data\nE:ID_FS_LABEL_ENC=my\\x20data\n";
        assert_eq!(of_udev(text).unwrap().label.as_deref(), Some("my data"));
        assert_eq!(of_udev("E:ID_FS_LABEL=x\n"), None);
    }

    #[test]
    fn the_uuid_of_an_encrypted_volume_stands_in_its_mappers_name() {
        let name = "CRYPT-LUKS2-112233445566778899aabbccddeeff01-cryptroot";
        assert_eq!(luks_uuid(name).as_deref(), Some(UUID_TEXT));
        assert_eq!(luks_uuid("CRYPT-PLAIN-x"), None);
    }

    proptest! {
        #[test]
        fn any_head_gives_an_answer(
            bytes in proptest::collection::vec(any::<u8>(), 0..200),
            mark in 0_usize..12,
        ) {
            const MARKS: [(usize, &[u8]); 12] = [
                (0, b"LUKS\xba\xbe\0\x02"), (512, b"LABELONE"), (0, b"XFSB"), (4086, b"SWAPSPACE2"),
                (1080, b"\x53\xef"), (4096, b"\xfc\x4e\x2b\xa9"), (1024, b"\x10\x20\xf5\xf2"),
                (1024, b"\xe2\xe1\xf5\xe0"), (3, b"NTFS    "), (82, b"FAT32   "), (54, b"FAT16   "), (0, b"hsqs"),
            ];
            let (place, mark) = MARKS[mark];
            let mut whole = vec![0_u8; place];
            whole.extend_from_slice(mark);
            whole.extend_from_slice(&bytes);
            of_head(&whole);
            btrfs(&bytes);
            unencoded(&String::from_utf8_lossy(&bytes));
        }
    }
}
