//! Software arrays: level, state and rebuild, from /sys/block/md*/md, with /proc/mdstat for what it lacks.

use super::blocks::Block;
use crate::files::{read_number, read_to_string_limited, read_trimmed};
use collector::Target;
use model::Observation;
use model::classes::volume;

/// The longest /proc/mdstat; a line per member.
const MDSTAT_BYTES_MAX: usize = 1024 * 1024;

/// Adds what is known of an array.
pub(super) fn describe(seen: &mut Observation, target: &Target, block: &Block) {
    let path = |file: &str| target.path(&format!("{}/md/{file}", block.sys));
    for (attribute, value) in [
        (&volume::RAID_LEVEL, read_trimmed(&path("level"))),
        (
            &volume::RAID_STATE,
            state(read_trimmed(&path("array_state")), read_number(&path("degraded"))),
        ),
        (&volume::UUID, uuid_of(target, block)),
    ] {
        if let Some(value) = value {
            seen.set(attribute, value);
        }
    }
    for (attribute, number) in [
        (&volume::RAID_DEVICES_COUNT, read_number(&path("raid_disks"))),
        (&volume::RAID_DEGRADED_COUNT, read_number(&path("degraded"))),
    ] {
        if let Some(number) = number {
            seen.set(attribute, number);
        }
    }
    let table = read_to_string_limited(&target.path("/proc/mdstat"), MDSTAT_BYTES_MAX);
    let Some(array) = array(&table.unwrap_or_default(), &block.kernel_name) else { return };
    if let Some(progress) = array.progress {
        seen.set(&volume::RAID_SYNC, progress);
    }
    if !seen.facts.contains_key(volume::RAID_LEVEL.name())
        && let Some(level) = array.level
    {
        seen.set(&volume::RAID_LEVEL, level);
    }
}

/// The UUID of an array, which stands on each of its members.
pub(super) fn uuid_of(target: &Target, block: &Block) -> Option<String> {
    let read = |file: &str| read_trimmed(&target.path(&format!("{}/md/{file}", block.sys)));
    uuid(read("uuid"), read("metadata_version"))
}

/// The UUID as mdadm(8) tells it. The oldest format keeps four numbers, of which the kernel shows the bytes as they
/// lie on the disk.
fn uuid(shown: Option<String>, format: Option<String>) -> Option<String> {
    // An array that did not start shows one of zeros.
    let shown = shown.filter(|shown| shown.bytes().any(|letter| !matches!(letter, b'0' | b'-')))?;
    if format.as_deref() != Some("0.90") || !cfg!(target_endian = "little") {
        return Some(shown);
    }
    let digits: Vec<u8> = shown.bytes().filter(u8::is_ascii_hexdigit).collect();
    let turned: Vec<u8> = digits
        .chunks_exact(8)
        .flat_map(|number| number.chunks_exact(2).rev().flatten().copied())
        .collect();
    super::content::dashed(std::str::from_utf8(&turned).ok()?)
}

/// The state without what every write changes: `clean` and `active` alternate all the time.
fn state(word: Option<String>, degraded: Option<u64>) -> Option<String> {
    let word = word?;
    let is_running =
        matches!(word.as_str(), "clean" | "active" | "active-idle" | "write-pending" | "read-auto");
    Some(match (is_running, degraded.unwrap_or(0)) {
        (true, 0) => "active".to_owned(),
        (true, _) => "degraded".to_owned(),
        (false, _) => word,
    })
}

/// What /proc/mdstat says of one array.
#[derive(Debug, Default, PartialEq)]
struct Array {
    level: Option<String>,
    progress: Option<f64>,
}

fn array(text: &str, name: &str) -> Option<Array> {
    let mut lines = text
        .lines()
        .skip_while(|line| line.strip_prefix(name).is_none_or(|rest| !rest.starts_with(" : ")));
    let first = lines.next()?;
    let level = first
        .split_whitespace()
        .skip(2)
        .find(|word| word.starts_with("raid") || matches!(*word, "linear" | "multipath"))
        .map(str::to_owned);
    // The paragraph ends with an empty line; `recovery = 12.6% (…)` stands in it while there is one.
    let progress = lines.take_while(|line| !line.trim().is_empty()).find_map(|line| {
        let (_, after) = line.split_once(" = ").filter(|_| line.contains('%'))?;
        after.trim().split('%').next()?.parse::<f64>().ok().filter(|share| share.is_finite())
    });
    Some(Array { level, progress })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TEXT: &str = "\
Personalities : [raid1] [raid6]
md10 : active raid6 sde1[3] sdd1[2]
      100 blocks [2/2] [UU]

md1 : active raid1 sdb1[1] sda1[0](F)
      1046528 blocks super 1.2 [2/1] [_U]
      [==>..................]  recovery = 12.6% (131072/1046528) finish=0.1min speed=131072K/sec

unused devices: <none>
";

    #[test]
    fn an_array_is_not_taken_for_one_whose_name_begins_alike() {
        let found = array(TEXT, "md1").unwrap();
        assert_eq!(found, Array { level: Some("raid1".into()), progress: Some(12.6) });
        assert_eq!(array(TEXT, "md10").unwrap().progress, None);
        assert_eq!(array(TEXT, "md"), None);
    }

    #[test]
    fn a_write_does_not_change_the_state() {
        let of = |word: &str, degraded| state(Some(word.to_owned()), degraded).unwrap();
        assert_eq!(of("clean", Some(0)), of("write-pending", None));
        assert_eq!(of("active", Some(1)), "degraded");
        assert_eq!(of("inactive", Some(1)), "inactive");
    }

    #[test]
    fn a_uuid_of_the_oldest_format_is_turned_as_mdadm_turns_it() {
        let shown = || Some("c7d1f5ce-a56f-dffd-3c6b-183d348f9553".to_owned());
        let of = |format: &str| uuid(shown(), Some(format.to_owned()));
        assert_eq!(of("0.90").as_deref(), Some("cef5d1c7-fddf-6fa5-3d18-6b3c53958f34"));
        assert_eq!(of("1.2"), shown());
        assert_eq!(uuid(Some("none".into()), Some("0.90".into())), None);
        assert_eq!(uuid(Some("00000000-0000-0000-0000-000000000000".into()), None), None);
    }

    proptest! {
        #[test]
        fn any_text_gives_an_answer(text in "(md0 : |\\n| = |%|\\PC){0,60}") {
            array(&text, "md0");
        }
    }
}
