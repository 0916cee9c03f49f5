//! Volume groups: from the names that LVM gives the device mapper, and from its own backup of the metadata.
//!
//! The backup in /etc/lvm/backup is root's. Its grammar (nested sections of assignments) is read by a parser that
//! bounds depth and number of everything and takes what it does not know as nothing.

use super::blocks::{self, Block, Blocks, Kind};
use super::content::Content;
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
/// What lies on a device of a group.
const MEMBER: &str = "LVM2_member";

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
    contents: &BTreeMap<String, Content>,
    run: &mut Run<'_>,
    denied: &mut Vec<&'static str>,
) {
    let mut groups = of_mapper(blocks);
    match list_dir(&target.path(BACKUP)) {
        Ok(names) => {
            for name in names.into_iter().take(GROUPS_MAX) {
                let path = target.path(&format!("{BACKUP}/{name}"));
                match read_to_string_limited(&path, BACKUP_BYTES_MAX) {
                    Ok(text) => {
                        let Some((name, mut group)) = parse(&text) else { continue };
                        place(&mut group, target, blocks, contents);
                        let active = groups.remove(&name);
                        // The backup outlives its group when the drives are taken out.
                        if active.is_none() && group.lower.is_empty() && target.is_live() {
                            continue;
                        }
                        group.lower.extend(active.into_iter().flat_map(|active| active.lower));
                        groups.insert(name, group);
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
            seen.set(&volume_group::MEMBERS, group.members.into_iter().collect::<Vec<_>>());
        }
        run.saw(seen);
    }
}

/// The groups whose volumes the device mapper shows.
fn of_mapper(blocks: &Blocks) -> BTreeMap<String, Group> {
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
    groups
}

/// Finds the devices of a group by what is written on them: the names in the backup are only hints.
fn place(
    group: &mut Group,
    target: &Target,
    blocks: &Blocks,
    contents: &BTreeMap<String, Content>,
) {
    for device in &group.devices {
        let holding: Vec<&Block> = contents
            .iter()
            .filter(|(_, content)| content.kind.as_deref() == Some(MEMBER))
            .filter(|(_, content)| device.id.is_some() && content.uuid == device.id)
            .filter_map(|(name, _)| blocks.get(name))
            .collect();
        // A mirror's members and a drive's paths show the same: the device is what is built of them.
        let is_lower =
            |block: &Block| holding.iter().any(|other| other.lower.contains(&block.kernel_name));
        // Without a look at what lies on a device, the hint is all that is known.
        let is_unseen =
            |block: &&Block| !target.is_live() || std::fs::symlink_metadata(block.path()).is_err();
        let found = holding.iter().copied().find(|block| !is_lower(block)).or_else(|| {
            blocks::find(blocks, target, &device.hint)
                .filter(|block| !contents.contains_key(&block.kernel_name))
                .filter(is_unseen)
        });
        match found {
            Some(block) => {
                group.lower.insert(block.key());
                group.members.insert(block.path());
            }
            None => {
                group.members.insert(device.hint.clone());
            }
        }
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
    devices: Vec<Device>,
    /// Paths of its devices.
    members: BTreeSet<String>,
    /// Native keys of what it lies on.
    lower: BTreeSet<String>,
}

/// A device of a group, as the backup knows it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Device {
    /// Name that the backup's volumes use.
    name: String,
    id: Option<String>,
    /// Where it was when the backup was written.
    hint: String,
}

/// A segment of a volume: extents that lie next to each other.
#[derive(Debug, Default)]
struct Segment {
    extents: u64,
    kind: String,
    /// What the extents lie on, which is devices of the group or other volumes.
    areas: u64,
    areas_on_devices: u64,
    is_in_list: bool,
}

impl Segment {
    /// The extents that it takes of the group's devices; `None` when its kind is not known.
    ///
    /// Volumes on other volumes (mirrors, pools, snapshots) take none: those below them do.
    fn taken(&self) -> Option<u64> {
        match self.kind.as_str() {
            _ if self.areas_on_devices == 0 => Some(0),
            "striped" => self.extents.checked_mul(self.areas_on_devices)?.checked_div(self.areas),
            "mirror" => self.extents.checked_mul(self.areas_on_devices),
            _ => None,
        }
    }
}

/// What is gathered while a backup is read.
#[derive(Debug, Default)]
struct Reading {
    group: Group,
    extent_sectors: u64,
    total: u64,
    /// Extents in use, unless they cannot be told.
    used: Option<u64>,
    segment: Segment,
}

/// Reads a backup: one group with its devices and volumes.
fn parse(text: &str) -> Option<(String, Group)> {
    const DEPTH_MAX: usize = 16;
    let mut name = None;
    let mut path: Vec<&str> = Vec::new();
    let mut reading = Reading { used: Some(0), ..Reading::default() };
    // The parser is line-based as the writer is: a section opens and closes on lines of its own.
    for line in text.lines() {
        let line = line.split('#').next().unwrap_or_default().trim();
        if reading.segment.is_in_list {
            reading.areas(line);
        } else if let Some(section) = line.strip_suffix('{') {
            if path.len() >= DEPTH_MAX {
                return None;
            }
            let section = section.trim();
            if path.is_empty() {
                name = Some(section.to_owned());
            }
            path.push(section);
            reading.open(&path);
        } else if line == "}" {
            reading.close(&path);
            path.pop()?;
        } else if let Some((key, value)) = line.split_once('=') {
            reading.assign(&path, key.trim(), value.trim())?;
        }
    }
    let Reading { mut group, extent_sectors, total, used, .. } = reading;
    let extent_bytes = extent_sectors.checked_mul(SECTOR_BYTES)?;
    group.capacity_bytes = total.checked_mul(extent_bytes);
    let free = used.and_then(|used| total.checked_sub(used));
    group.free_bytes = free.and_then(|free| free.checked_mul(extent_bytes));
    Some((name?, group))
}

impl Reading {
    fn open(&mut self, path: &[&str]) {
        match path {
            [_, "physical_volumes", name] if self.group.devices.len() < MEMBERS_MAX => {
                let name = (*name).to_owned();
                self.group.devices.push(Device { name, ..Device::default() });
            }
            [_, "logical_volumes", _, _] => self.segment = Segment::default(),
            _ => {}
        }
    }

    fn close(&mut self, path: &[&str]) {
        if let [_, "logical_volumes", _, _] = path {
            let taken = std::mem::take(&mut self.segment).taken();
            self.used = self.used.and_then(|used| used.checked_add(taken?));
        }
    }

    /// Takes an assignment; `None` when a number that the rest is made of is none.
    fn assign(&mut self, path: &[&str], key: &str, value: &str) -> Option<()> {
        let number = || value.parse::<u64>().ok();
        let text = || value.trim_matches('"').to_owned();
        match (path, key) {
            ([_], "id") => self.group.uuid = Some(text()),
            ([_], "extent_size") => self.extent_sectors = number()?,
            ([_, "physical_volumes", _], "pe_count") => {
                self.total = self.total.checked_add(number()?)?;
            }
            ([_, "physical_volumes", name], "id" | "device") => {
                let last = self.group.devices.last_mut().filter(|last| last.name == *name);
                match last {
                    Some(device) if key == "id" => device.id = Some(text()),
                    Some(device) => device.hint = text(),
                    // One more than are named.
                    None => {}
                }
            }
            ([_, "logical_volumes", _, _], "extent_count") => self.segment.extents = number()?,
            ([_, "logical_volumes", _, _], "type") => self.segment.kind = text(),
            ([_, "logical_volumes", _, _], "stripes" | "mirrors") => self.areas(value),
            _ => {}
        }
        Some(())
    }

    /// Takes a line of the list of what a segment lies on: names in quotes, each with where it begins there.
    fn areas(&mut self, line: &str) {
        for name in line.split('"').skip(1).step_by(2) {
            self.segment.areas = self.segment.areas.saturating_add(1);
            if self.group.devices.iter().any(|device| device.name == name) {
                self.segment.areas_on_devices = self.segment.areas_on_devices.saturating_add(1);
            }
        }
        self.segment.is_in_list = !line.contains(']');
    }
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
				type = "striped"
				stripe_count = 1	# linear

				stripes = [
					"pv0", 0
				]
			}
		}
MORE
	}
}
"#;

    /// The backup with more volumes: each a type, its extents and what it lies on.
    fn free_extents(more: &[(&str, u64, &str)]) -> Option<u64> {
        let volumes: String = more
            .iter()
            .map(|(kind, extents, areas)| {
                format!("v {{\nsegment1 {{\nextent_count = {extents}\ntype = \"{kind}\"\n{areas}\n}}\n}}\n")
            })
            .collect();
        let (_, group) = parse(&BACKUP_TEXT.replace("MORE", &volumes)).unwrap();
        group.free_bytes.map(|free| free / 8192 / 512)
    }

    #[test]
    fn a_backup_gives_size_and_free_space() {
        let (name, group) = parse(&BACKUP_TEXT.replace("MORE", "")).unwrap();
        assert_eq!(name, "vg0");
        assert_eq!(group.capacity_bytes, Some(1000 * 8192 * 512));
        assert_eq!(group.free_bytes, Some(750 * 8192 * 512));
        assert_eq!(group.devices.len(), 1);
        assert_eq!(group.devices[0].hint, "/dev/sda2");
        assert_eq!(group.devices[0].id.as_deref(), Some("x"));
    }

    #[test]
    fn a_volume_on_other_volumes_takes_nothing_of_the_group() {
        for kind in ["raid1", "thin-pool", "thin", "snapshot", "striped"] {
            let on =
                "raids = [\n\"a_rmeta_0\", \"a_rimage_0\",\n\"b\"\n]\nstripes = [\n\"b\", 0\n]";
            assert_eq!(free_extents(&[(kind, 5000, on)]), Some(750), "{kind}");
        }
        let two = "stripes = [\n\"pv0\", 2,\n\"pv0\", 9\n]";
        assert_eq!(free_extents(&[("striped", 4, two)]), Some(746));
        let copies = "mirrors = [\n\"pv0\", 2,\n\"pv0\", 9\n]";
        assert_eq!(free_extents(&[("mirror", 4, copies)]), Some(742));
        assert_eq!(free_extents(&[("new", 4, two)]), None);
        assert_eq!(free_extents(&[("striped", 2000, two)]), None);
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
        fn any_backup_gives_an_answer(text in "(vg \\{\n|\\}\n|extent_size = [0-9]{1,20}\n|physical_volumes \\{\n|logical_volumes \\{\n|stripes = \\[\n|\"pv0\", 0\n|\\]\n|pe_count = [0-9]{1,20}\n|extent_count = [0-9]{1,20}\n|\\PC{0,10}){0,30}") {
            parse(&text);
            group_of_name(&text);
            volume_uuid(&text);
        }
    }
}
