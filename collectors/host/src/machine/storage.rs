//! The scope `storage`: mounted file systems, volumes, swap areas, and what lies on what.
//!
//! Sizes are asked only of file systems whose files lie on this host: a dead file server would hold the question
//! for ever.

use super::blocks::{self, Block, Blocks, Kind};
use super::mounts::{self, Mount, Place, Swap};
use super::{content, lvm, raid, system};
use crate::HOST;
use crate::files::{read_to_string_limited, read_trimmed};
use collector::{CollectError, Run, Target};
use model::classes::{filesystem, swap_area, volume};
use model::{Coverage, Observation, RelationTarget, relationships};
use std::collections::BTreeMap;

/// The longest mount table that is read; 50,000 mounts make some 6 MB.
const TABLE_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Looks at the scope.
#[expect(clippy::unnecessary_wraps, reason = "every scope has this form")]
pub(super) fn collect(target: &Target, run: &mut Run<'_>) -> Result<Coverage, CollectError> {
    let blocks = blocks::list(target);
    let mut denied = Vec::new();
    let contents = content::of(target, &blocks, &mut denied);
    for block in blocks.values().filter(|block| block.kind != Kind::Drive) {
        run.saw(volume_of(target, block, &blocks, contents.get(&block.kernel_name)));
    }
    lvm::report(target, &blocks, &contents, run, &mut denied);
    let table = ["/proc/self/mountinfo", "/proc/1/mountinfo"]
        .iter()
        .find_map(|path| read_to_string_limited(&target.path(path), TABLE_BYTES_MAX).ok());
    for mount in mounts::mounts(&table.unwrap_or_default()) {
        if mount.place() != Place::Pseudo {
            run.saw(filesystem_of(target, &mount, &blocks, &contents));
        }
    }
    let table = read_to_string_limited(&target.path("/proc/swaps"), TABLE_BYTES_MAX);
    for swap in mounts::swaps(&table.unwrap_or_default()) {
        run.saw(swap_of(target, &swap, &blocks));
    }
    denied.sort_unstable();
    denied.dedup();
    Ok(if denied.is_empty() {
        Coverage::complete()
    } else {
        super::all_seen_except(&format!("looking at {}", denied.join(" and ")))
    })
}

fn volume_of(
    target: &Target,
    block: &Block,
    blocks: &Blocks,
    content: Option<&content::Content>,
) -> Observation {
    let read = |file: &str| read_trimmed(&target.path(&format!("{}/{file}", block.sys)));
    let names: Vec<String> = block
        .lower
        .iter()
        .map(|lower| blocks.get(lower).map_or_else(|| lower.clone(), |lower| lower.name.clone()))
        .collect();
    let mut seen = Observation::part(&volume::CLASS, HOST, &[&block.name])
        .with(&volume::VOLUME_TYPE, block.kind.word())
        .with_some(&volume::CAPACITY_BYTES, Some(block.bytes).filter(|bytes| *bytes > 0))
        .with(&volume::MEMBERS, names)
        .with(&volume::IS_READ_ONLY, read("ro").as_deref() == Some("1"));
    let uevent = read("uevent").unwrap_or_default();
    let of_uevent = |name: &str| {
        uevent
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix('='))
            .map(str::to_owned)
    };
    match block.kind {
        Kind::Partition => {
            seen = seen
                .with_some(&volume::UUID, of_uevent("PARTUUID"))
                .with_some(&volume::PARTITION_NAME, of_uevent("PARTNAME"));
        }
        Kind::Lvm => {
            let uuid = block.mapper_uuid.as_deref().and_then(lvm::volume_uuid);
            let group = lvm::group_of_name(&block.name);
            seen =
                seen.with_some(&volume::UUID, uuid).with_some(&volume::VOLUME_GROUP, group.clone());
            if let Some(group) = group {
                let key = RelationTarget::Native(lvm::group_key(&group));
                seen.relate(relationships::MEMBER_OF, key);
            }
        }
        Kind::Crypt => {
            let uuid = block.mapper_uuid.as_deref().and_then(content::luks_uuid);
            seen = seen.with_some(&volume::UUID, uuid);
        }
        Kind::Raid => raid::describe(&mut seen, target, block),
        Kind::Loop => {
            seen = seen.with_some(&volume::BACKING_FILE, read("loop/backing_file"));
        }
        _ => {}
    }
    if let Some(content) = content {
        seen = seen
            .with_some(&volume::CONTENT_TYPE, content.kind.clone())
            .with_some(&volume::CONTENT_UUID, content.uuid.clone())
            .with_some(&volume::CONTENT_LABEL, content.label.clone());
    }
    for lower in block.lower.iter().filter_map(|lower| blocks.get(lower)) {
        seen.relate(relationships::STORED_ON, RelationTarget::Native(lower.key()));
    }
    seen
}

fn filesystem_of(
    target: &Target,
    mount: &Mount,
    blocks: &Blocks,
    contents: &BTreeMap<String, content::Content>,
) -> Observation {
    let block = blocks
        .values()
        .find(|block| block.number == mount.number)
        .or_else(|| blocks::find(blocks, target, &mount.source));
    let mut seen = Observation::part(&filesystem::CLASS, HOST, &[&mount.point])
        .with(&filesystem::DEVICE, crate::redact::redact(&mount.source))
        .with(&filesystem::FILESYSTEM_TYPE, mount.kind.clone())
        .with(&filesystem::OPTIONS, mount.options.clone())
        .with(&filesystem::MOUNTED_DIRECTORY, mount.directory.clone())
        .with(&filesystem::IS_READ_ONLY, mount.is_read_only())
        .with(&filesystem::IS_REMOTE, mounts::is_remote(&mount.kind));
    if let Some(block) = block {
        seen.relate(relationships::STORED_ON, RelationTarget::Native(block.key()));
        if let Some(content) = contents.get(&block.kernel_name) {
            seen = seen
                .with_some(&filesystem::UUID, content.uuid.clone())
                .with_some(&filesystem::FILESYSTEM_LABEL, content.label.clone());
        }
    }
    if target.is_live()
        && mount.place() == Place::Local
        && let Ok(space) = system::space(&target.path(&mount.point))
    {
        seen.set(&filesystem::USED_BYTES, space.used_bytes);
        seen.set(&filesystem::AVAILABLE_BYTES, space.available_bytes);
        // Where volumes share a pool, their size is what the others leave: no fact.
        if !matches!(mount.kind.as_str(), "zfs" | "bcachefs") {
            seen.set(&filesystem::CAPACITY_BYTES, space.capacity_bytes);
        }
        // Only where inodes are laid out in advance is their number a fact.
        if mount.kind.starts_with("ext") || mount.kind == "tmpfs" {
            seen.set(&filesystem::FILES_MAX_COUNT, space.files_max_count);
        }
        if space.files_max_count > 0 {
            seen.set(&filesystem::FILES_COUNT, space.files_count);
        }
    }
    seen
}

fn swap_of(target: &Target, swap: &Swap, blocks: &Blocks) -> Observation {
    let block = blocks::find(blocks, target, &swap.path);
    // The kernel says `/dev/dm-1`; the number may be another after the next start.
    let path = match block {
        Some(block) if block.mapper_uuid.is_some() => format!("/dev/mapper/{}", block.name),
        _ => swap.path.clone(),
    };
    let mut seen = Observation::part(&swap_area::CLASS, HOST, &[&path])
        .with(&swap_area::SWAP_TYPE, swap.kind.clone())
        .with(&swap_area::CAPACITY_BYTES, swap.bytes)
        .with(&swap_area::PRIORITY, swap.priority)
        .with(&swap_area::USED_BYTES, swap.used_bytes);
    if let Some(block) = block {
        seen.relate(relationships::STORED_ON, RelationTarget::Native(block.key()));
    }
    seen
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    /// Two drives: one with a partition that is encrypted and holds a volume group, and an array over the other's
    /// partition, whose second member is gone.
    const TREE: &[(&str, &str)] = &[
        ("sys/block/sda/size", "2000\n"),
        ("sys/block/sda/dev", "8:0\n"),
        ("sys/block/sda/sda1/size", "1000\n"),
        ("sys/block/sda/sda1/dev", "8:1\n"),
        ("sys/block/sda/sda1/partition", "1\n"),
        ("sys/block/sda/sda1/uevent", "PARTN=1\nPARTNAME=root\nPARTUUID=aaaa-01\n"),
        ("sys/block/dm-0/size", "900\n"),
        ("sys/block/dm-0/dev", "253:0\n"),
        ("sys/block/dm-0/dm/name", "cryptroot\n"),
        ("sys/block/dm-0/dm/uuid", "CRYPT-LUKS2-112233445566778899aabbccddeeff01-cryptroot\n"),
        ("sys/block/dm-0/slaves/sda1", ""),
        ("sys/block/dm-1/size", "800\n"),
        ("sys/block/dm-1/dev", "253:1\n"),
        ("sys/block/dm-1/dm/name", "vg0-root\n"),
        (
            "sys/block/dm-1/dm/uuid",
            "LVM-aaaaaabbbbccccddddeeeeffffgggggg0123456789abcdefghijklmnopqrstuv\n",
        ),
        ("sys/block/dm-1/slaves/dm-0", ""),
        ("sys/block/sdb/size", "1000\n"),
        ("sys/block/sdb/dev", "8:16\n"),
        ("sys/block/md0/size", "990\n"),
        ("sys/block/md0/dev", "9:0\n"),
        ("sys/block/md0/slaves/sdb", ""),
        ("sys/block/md0/md/level", "raid1\n"),
        ("sys/block/md0/md/array_state", "clean\n"),
        ("sys/block/md0/md/degraded", "1\n"),
        ("sys/block/md0/md/raid_disks", "2\n"),
        ("sys/block/md1/size", "0\n"),
        ("sys/block/md1/dev", "9:1\n"),
        ("sys/block/md1/md/array_state", "inactive\n"),
        ("sys/block/md127/size", "0\n"),
        ("sys/block/md127/dev", "9:127\n"),
        ("sys/block/md127/md/array_state", "inactive\n"),
        ("sys/block/md127/md/metadata_version", "external:imsm\n"),
        ("sys/block/loop0/size", "0\n"),
        ("sys/block/loop0/dev", "7:0\n"),
        ("run/udev/data/b253:1", "E:ID_FS_TYPE=ext4\nE:ID_FS_UUID=1234\nE:ID_FS_LABEL_ENC=root\n"),
        (
            "proc/self/mountinfo",
            "27 1 253:1 / / rw - ext4 /dev/mapper/vg0-root rw\n\
                                 28 27 0:40 / /srv/files rw - nfs4 192.0.2.7:/files rw\n\
                                 29 27 9:0 / /srv/data rw - xfs /dev/md0 rw\n",
        ),
        ("proc/swaps", "Filename Type Size Used Priority\n/dev/dm-0 partition 1024 0 -2\n"),
    ];

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
        assert_eq!(
            collect(&target, &mut Run::new(&mut observations)).unwrap(),
            Coverage::complete()
        );
        observations
    }

    /// The native keys that an observation is related to.
    fn related(seen: &[Observation], key: &str) -> Vec<String> {
        let of = seen.iter().find(|seen| seen.native_key == key).unwrap_or_else(|| panic!("{key}"));
        of.relations
            .iter()
            .map(|relation| match &relation.target {
                RelationTarget::Native(target) => format!("{} {target}", relation.verb),
                other => panic!("{other:?}"),
            })
            .collect()
    }

    #[test]
    fn a_file_system_is_followed_down_to_its_drive() {
        let seen = look_at(TREE);
        for (key, expected) in [
            ("host/filesystem/\\/", vec!["stored_on host/volume/vg0-root"]),
            (
                "host/volume/vg0-root",
                vec!["member_of host/volume_group/vg0", "stored_on host/volume/cryptroot"],
            ),
            ("host/volume_group/vg0", vec!["stored_on host/volume/cryptroot"]),
            ("host/volume/cryptroot", vec!["stored_on host/volume/sda1"]),
            ("host/volume/sda1", vec!["stored_on hardware/drive/sda"]),
            ("host/filesystem/\\/srv\\/data", vec!["stored_on host/volume/md0"]),
            ("host/volume/md0", vec!["stored_on hardware/drive/sdb"]),
            ("host/swap_area/\\/dev\\/mapper\\/cryptroot", vec!["stored_on host/volume/cryptroot"]),
            ("host/filesystem/\\/srv\\/files", vec![]),
        ] {
            assert_eq!(related(&seen, key), expected, "{key}");
        }
    }

    #[test]
    fn volumes_say_what_they_are() {
        let seen = look_at(TREE);
        let fact = |key: &str, name: &str| {
            let of = seen.iter().find(|seen| seen.native_key == key).unwrap();
            of.facts.get(name).map(model::Value::to_line).unwrap_or_default()
        };
        assert_eq!(fact("host/volume/vg0-root", "uuid"), "012345-6789-abcd-efgh-ijkl-mnop-qrstuv");
        assert_eq!(fact("host/volume/cryptroot", "uuid"), "11223344-5566-7788-99aa-bbccddeeff01");
        assert_eq!(fact("host/volume/sda1", "partition_name"), "root");
        assert_eq!(fact("host/volume/md0", "raid_state"), "degraded");
        assert_eq!(fact("host/filesystem/\\/", "filesystem_label"), "root");
        assert_eq!(fact("host/filesystem/\\/srv\\/files", "is_remote"), "true");
        assert!(!seen.iter().any(|seen| seen.native_key.contains("loop0")));
        assert_eq!(fact("host/volume/md1", "raid_state"), "inactive");
        assert_eq!(fact("host/volume/md1", "capacity_bytes"), "");
        assert!(!seen.iter().any(|seen| seen.native_key.contains("md127")));
    }
    #[test]
    fn the_devices_of_a_group_are_found_by_what_is_written_on_them() {
        const ID: &str = "IuN8Ua-MFQ4-QuYg-jbqT-Efvf-TdYv-lYCjmG";
        let backup = format!(
            "vg1 {{\nid = \"x\"\nextent_size = 8192\nphysical_volumes {{\npv0 {{\nid = \"{ID}\"\ndevice = \"/dev/sdx\"\npe_count = 4\n}}\npv1 {{\nid = \"gone\"\ndevice = \"/dev/sdy\"\npe_count = 4\n}}\n}}\n}}\n"
        );
        // A mirror with its mark at the end: what lies on it seems to lie on its members too.
        let member = format!("E:ID_FS_TYPE=LVM2_member\nE:ID_FS_UUID={ID}\n");
        let mut tree = TREE.to_vec();
        tree.extend([
            ("run/udev/data/b8:16", member.as_str()),
            ("run/udev/data/b9:0", member.as_str()),
            ("etc/lvm/backup/vg1", backup.as_str()),
        ]);
        let seen = look_at(&tree);
        let key = "host/volume_group/vg1";
        assert_eq!(related(&seen, key), ["stored_on host/volume/md0"]);
        let group = seen.iter().find(|seen| seen.native_key == key).unwrap();
        let members = group.facts.get("members").map(model::Value::to_line);
        assert_eq!(members.as_deref(), Some("/dev/md0, /dev/sdy"));
    }
}
