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
    lvm::report(target, &blocks, run, &mut denied);
    let table =
        ["/proc/self/mountinfo", "/proc/1/mountinfo"].iter().find_map(|path| {
            read_to_string_limited(&target.path(path), TABLE_BYTES_MAX).ok()
        });
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
        .with(&volume::CAPACITY_BYTES, block.bytes)
        .with(&volume::MEMBERS, names)
        .with(&volume::IS_READ_ONLY, read("ro").as_deref() == Some("1"));
    let uevent = read("uevent").unwrap_or_default();
    let of_uevent = |name: &str| {
        uevent.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('=')).map(str::to_owned)
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
            seen = seen.with_some(&volume::UUID, uuid).with_some(&volume::VOLUME_GROUP, group.clone());
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
