//! Volume groups: from the names that LVM gives the device mapper, and from its own backup of the metadata.
//!
//! The backup in /etc/lvm/backup is root's. Its grammar (nested sections of assignments) is read by a parser that
//! bounds depth and number of everything and takes what it does not know as nothing.

use super::blocks::{Block, Blocks, Kind};
use crate::HOST;
use crate::files::{Refusal, list_dir, read_to_string_limited, refusal};
use collector::{Run, Target};
use model::classes::volume_group;
use model::observation::part_key;
use model::{Observation, RelationTarget, relationships};
use std::collections::{BTreeMap, BTreeSet};

const BACKUP: &str = "/etc/lvm/backup";
/// The longest backup; a group with 1,000 volumes has some 600 kB.
const BACKUP_BYTES_MAX: usize = 4 * 1024 * 1024;
/// The most groups of a host.
const GROUPS_MAX: usize = 256;
/// The most members of a group that are named.
const MEMBERS_MAX: usize = 1024;
const SECTOR_BYTES: u64 = 512;

/// The native key of a volume group.
pub(super) fn group_key(name: &str) -> String {
    part_key(&volume_group::CLASS, HOST, &[name])
}

/// The group in a name like `vg--a-root`, in which each hyphen of the parts is doubled.
pub(super) fn group_of_name(name: &str) -> Option<String> {
    let mut group = String::new();
    let mut letters = name.chars().peekable();
    while let Some(letter) = letters.next() {
        if letter == '-' && letters.next_if_eq(&'-').is_none() {
            return (!group.is_empty() && letters.peek().is_some()).then_some(group);
        }
        group.push(letter);
    }
    None
}

/// The volume's UUID in `LVM-<group><volume>[-suffix]`.
pub(super) fn volume_uuid(mapper_uuid: &str) -> Option<String> {
    let ids = mapper_uuid.strip_prefix("LVM-")?;
    id_with_dashes(ids.get(32..64)?)
}

fn group_uuid(mapper_uuid: &str) -> Option<String> {
    let ids = mapper_uuid.strip_prefix("LVM-")?;
    id_with_dashes(ids.get(..32)?)
}

/// LVM writes its ids in groups of 6, 4, 4, 4, 4, 4 and 6 letters.
pub(super) fn id_with_dashes(id: &str) -> Option<String> {
    if id.len() != 32 || !id.bytes().all(|letter| letter.is_ascii_alphanumeric()) {
        return None;
    }
    let parts: Option<Vec<&str>> =
        [(0, 6), (6, 10), (10, 14), (14, 18), (18, 22), (22, 26), (26, 32)]
            .iter()
            .map(|(start, end)| id.get(*start..*end))
            .collect();
    Some(parts?.join("-"))
}

/// Reports the groups; adds to `denied` what may not be read.
pub(super) fn report(
    target: &Target,
    blocks: &Blocks,
    run: &mut Run<'_>,
    denied: &mut Vec<&'static str>,
) {
    let mut groups: BTreeMap<String, Group> = BTreeMap::new();
    for block in blocks.values().filter(|block| block.kind == Kind::Lvm) {
        if let Some(name) = group_of_name(&block.name) {
            let group = groups.entry(name).or_default();
            group.uuid = block.mapper_uuid.as_deref().and_then(group_uuid);
            // What a volume lies on, other than volumes of its own group, are the group's devices.
            let lower = block.lower.iter().filter_map(|lower| blocks.get(lower));
            group.lower.extend(lower.filter(|lower| lower.kind != Kind::Lvm).map(Block::key));
        }
    }
    match list_dir(&target.path(BACKUP)) {
        Ok(names) => {
            for name in names.into_iter().take(GROUPS_MAX) {
                match read_to_string_limited(
                    &target.path(&format!("{BACKUP}/{name}")),
                    BACKUP_BYTES_MAX,
                ) {
                    Ok(text) => {
                        if let Some((name, mut group)) = parse(&text) {
                            let lower = groups.remove(&name).map(|of_mapper| of_mapper.lower);
                            group.lower = lower.unwrap_or_default();
                            groups.insert(name, group);
                        }
                    }
                    Err(error) => note(&error, denied),
                }
            }
        }
        Err(error) => note(&error, denied),
    }
    for (name, group) in groups.into_iter().take(GROUPS_MAX) {
        let mut seen = Observation::part(&volume_group::CLASS, HOST, &[&name])
            .with_some(&volume_group::UUID, group.uuid)
            .with_some(&volume_group::CAPACITY_BYTES, group.capacity_bytes)
            .with_some(&volume_group::FREE_BYTES, group.free_bytes);
        for lower in group.lower {
            seen.relate(relationships::STORED_ON, RelationTarget::Native(lower));
        }
        if !group.members.is_empty() {
            seen.set(&volume_group::MEMBERS, group.members);
        }
        run.saw(seen);
    }
}

fn note(error: &std::io::Error, denied: &mut Vec<&'static str>) {
    if refusal(error) == Refusal::PermissionDenied {
        denied.push("sizes and members of volume groups");
    }
}

/// What is known of a group.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Group {
    uuid: Option<String>,
    capacity_bytes: Option<u64>,
    free_bytes: Option<u64>,
    members: Vec<String>,
    /// Native keys of what it lies on.
    lower: BTreeSet<String>,
}

/// Reads a backup: one group with its devices and volumes.
fn parse(text: &str) -> Option<(String, Group)> {
    let mut name = None;
    let mut path: Vec<&str> = Vec::new();
    let (mut extent_sectors, mut total, mut used) = (0_u64, 0_u64, 0_u64);
    let mut group = Group::default();
    let mut devices: BTreeSet<String> = BTreeSet::new();
    // The parser is line-based as the writer is: a section opens and closes on lines of its own.
    for line in text.lines() {
        let line = line.split('#').next().unwrap_or_default().trim();
        if let Some(section) = line.strip_suffix('{') {
            const DEPTH_MAX: usize = 16;
            if path.len() >= DEPTH_MAX {
                return None;
            }
            let section = section.trim();
            if path.is_empty() {
                name = Some(section.to_owned());
            }
            path.push(section);
        } else if line == "}" {
            path.pop()?;
        } else if let Some((key, value)) = line.split_once('=') {
            let (key, value) = (key.trim(), value.trim());
            let number = || value.parse::<u64>().ok();
            match (path.as_slice(), key) {
                ([_], "id") => group.uuid = Some(value.trim_matches('"').to_owned()),
                ([_], "extent_size") => extent_sectors = number()?,
                ([_, "physical_volumes", _], "pe_count") => total = total.checked_add(number()?)?,
                ([_, "physical_volumes", _], "device") if devices.len() < MEMBERS_MAX => {
                    devices.insert(value.trim_matches('"').to_owned());
                }
                ([_, "logical_volumes", _, segment], "extent_count")
                    if segment.starts_with("segment") =>
                {
                    used = used.checked_add(number()?)?;
                }
                _ => {}
            }
        }
    }
    let extent_bytes = extent_sectors.checked_mul(SECTOR_BYTES)?;
    group.capacity_bytes = total.checked_mul(extent_bytes);
    // Volumes in a pool take no extents of the group, yet count their own: free is then not known.
    group.free_bytes = total.checked_sub(used).and_then(|free| free.checked_mul(extent_bytes));
    group.members = devices.into_iter().collect();
    Some((name?, group))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const BACKUP_TEXT: &str = r#"
# Generated by LVM2
contents = "Text Format Volume Group"
version = 1
vg0 {
	id = "AbCdEf-0123-4567-89ab-cdef-ghij-klmnop"
	extent_size = 8192		# 4 Megabytes
	physical_volumes {
		pv0 {
			id = "x"
			device = "/dev/sda2"	# Hint only
			pe_count = 1000
		}
	}
	logical_volumes {
		root {
			segment_count = 1
			segment1 {
				start_extent = 0
				extent_count = 250
			}
		}
	}
}
"#;

    #[test]
    fn a_backup_gives_size_and_free_space() {
        let (name, group) = parse(BACKUP_TEXT).unwrap();
        assert_eq!(name, "vg0");
        assert_eq!(group.capacity_bytes, Some(1000 * 8192 * 512));
        assert_eq!(group.free_bytes, Some(750 * 8192 * 512));
        assert_eq!(group.members, ["/dev/sda2"]);
    }

    #[test]
    fn a_hyphen_in_a_name_is_doubled() {
        assert_eq!(group_of_name("vg0-root").as_deref(), Some("vg0"));
        assert_eq!(group_of_name("my--vg-my--lv").as_deref(), Some("my-vg"));
        assert_eq!(group_of_name("plain"), None);
        assert_eq!(group_of_name("-x"), None);
    }

    #[test]
    fn ids_are_taken_from_the_mappers_name() {
        let name = format!("LVM-{}{}-real", "a".repeat(32), "0123456789abcdefghijklmnopqrstuv");
        assert_eq!(volume_uuid(&name).as_deref(), Some("012345-6789-abcd-efgh-ijkl-mnop-qrstuv"));
        assert_eq!(volume_uuid("LVM-short"), None);
    }

    proptest! {
        #[test]
        fn any_backup_gives_an_answer(text in "(vg \\{\n|\\}\n|extent_size = [0-9]{1,20}\n|physical_volumes \\{\n|pe_count = [0-9]{1,20}\n|\\PC{0,10}){0,30}") {
            parse(&text);
            group_of_name(&text);
            volume_uuid(&text);
        }
    }
}
