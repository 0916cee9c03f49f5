//! The scope `components`: the parts of a device by `entPhysicalTable` (ENTITY-MIB, RFC 6933).

use super::DEVICE;
use crate::table::{Row, Table};
use crate::view::{TableOf, View};
use collector::Run;
use model::catalog::{Attribute, Class};
use model::classes::{device_module, fan, power_supply, stack_member, transceiver};
use model::run::CoverageReason;
use model::{Coverage, Observation, RelationTarget, relationships};
use std::collections::{BTreeMap, BTreeSet};

/// The most parts that are described; the largest chassis have some thousands.
pub(crate) const PARTS_MAX: usize = 10_000;
/// How deep parts are looked for in one another; also ends circles.
const DEPTH_MAX: usize = 16;

/// Description, contained in, class, place in its parent, name, revisions, serial number, manufacturer, model, asset
/// tag, whether it is replaceable.
const PARTS: TableOf = TableOf {
    name: "entPhysicalTable",
    entry: &[1, 3, 6, 1, 2, 1, 47, 1, 1, 1, 1],
    columns: &[2, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 15, 16],
};

/// What is read of a part for its place and name alone.
pub(crate) const PLACES: TableOf = TableOf {
    name: "entPhysicalTable",
    entry: &[1, 3, 6, 1, 2, 1, 47, 1, 1, 1, 1],
    columns: &[2, 4, 5, 6, 7],
};

/// Looks at the scope.
pub(crate) async fn collect(view: &mut View<'_>, run: &mut Run<'_>) -> Coverage {
    let parts = view.table(run, &PARTS).await;
    let found = observe(&parts);
    let count = found.len();
    if count > PARTS_MAX {
        let why = format!("there are more than {PARTS_MAX} parts");
        view.failed(run, PARTS.name, CoverageReason::LimitReached, why);
    }
    found.into_iter().take(PARTS_MAX).for_each(|seen| view.saw(run, seen));
    view.coverage_of(count, "components")
}

/// What a part is told as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Module(&'static str),
    PowerSupply,
    Fan,
    Transceiver,
    StackMember,
}

impl Kind {
    const fn class(self) -> &'static Class {
        match self {
            Self::Module(_) => &device_module::CLASS,
            Self::PowerSupply => &power_supply::CLASS,
            Self::Fan => &fan::CLASS,
            Self::Transceiver => &transceiver::CLASS,
            Self::StackMember => &stack_member::CLASS,
        }
    }
}

const STACK: u64 = 11;

fn kind_of(parts: &Table, row: &Row) -> Option<Kind> {
    let has_identity = row.text(11).is_some() || row.text(13).is_some();
    Some(match row.number(5)? {
        3 => {
            let parent = row.number(4).and_then(|index| u32::try_from(index).ok());
            let parent = parent.and_then(|index| parts.row(&[index]));
            match parent.and_then(|row| row.number(5)) {
                Some(STACK) => Kind::StackMember,
                _ => Kind::Module("chassis"),
            }
        }
        4 => Kind::Module("backplane"),
        6 => Kind::PowerSupply,
        7 => Kind::Fan,
        9 | 10 if is_transceiver(row) => Kind::Transceiver,
        9 => Kind::Module("module"),
        // A slot or anything else is worth telling only when it is a thing of its own.
        1 | 2 | 5 if has_identity => Kind::Module("container"),
        _ => return None,
    })
}

/// Transceivers are modules or ports in ENTITY-MIB; what they are called tells them.
fn is_transceiver(row: &Row) -> bool {
    const WORDS: [&str; 9] =
        ["sfp", "xfp", "qsfp", "gbic", "xenpak", "cfp", "transceiver", "xcvr", "optic"];
    let words = [row.text(2), row.text(13)].into_iter().flatten();
    let has_identity = row.text(11).is_some() || row.text(13).is_some();
    let folded: Vec<String> = words.map(|text| text.to_lowercase()).collect();
    // An empty cage is called so as well.
    has_identity && folded.iter().any(|text| WORDS.iter().any(|word| text.contains(word)))
}

/// Where each part sits: its name where no other has it, else the places from the outermost part to it.
#[must_use]
pub(crate) fn positions(parts: &Table) -> BTreeMap<u32, String> {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for (_, row) in parts.rows() {
        if let Some(name) = row.text(7) {
            *counts.entry(name).or_default() += 1;
        }
    }
    let mut found = BTreeMap::new();
    let mut taken = BTreeSet::new();
    for (index, row) in parts.rows() {
        let &[index] = index.as_slice() else { continue };
        let name = row.text(7).filter(|name| counts.get(name) == Some(&1));
        let mut position = name.unwrap_or_else(|| path_of(parts, index));
        if !taken.insert(position.clone()) {
            position = format!("{position} #{index}");
            taken.insert(position.clone());
        }
        found.insert(index, position);
    }
    found
}

/// `chassis 1 / module 2 / port 3`.
fn path_of(parts: &Table, index: u32) -> String {
    let mut steps = Vec::new();
    let mut at = Some(index);
    while let Some(row) = at.and_then(|index| parts.row(&[index]))
        && steps.len() < DEPTH_MAX
    {
        let class = class_name(row.number(5).unwrap_or(2));
        let place = row.signed(6).map_or_else(String::new, |place| format!(" {place}"));
        steps.push(format!("{class}{place}"));
        at = row.number(4).and_then(|index| u32::try_from(index).ok()).filter(|index| *index != 0);
    }
    steps.reverse();
    steps.join(" / ")
}

fn class_name(class: u64) -> &'static str {
    match class {
        3 => "chassis",
        4 => "backplane",
        5 => "slot",
        6 => "power supply",
        7 => "fan",
        8 => "sensor",
        9 => "module",
        10 => "port",
        11 => "stack",
        12 => "processor",
        _ => "part",
    }
}

pub(super) fn observe(parts: &Table) -> Vec<Observation> {
    let positions = positions(parts);
    let kinds: BTreeMap<u32, Kind> = parts
        .rows()
        .filter_map(|(index, row)| Some((*index.first()?, kind_of(parts, row)?)))
        .collect();
    let mut found = Vec::new();
    for (index, kind) in &kinds {
        let (Some(row), Some(position)) = (parts.row(&[*index]), positions.get(index)) else {
            continue;
        };
        let mut seen = Observation::part(kind.class(), DEVICE, &[position]);
        describe(&mut seen, *kind, row);
        if let Some((outer, kind)) = outer_of(parts, &kinds, *index)
            && let Some(position) = positions.get(&outer)
        {
            let key = model::observation::part_key(kind.class(), DEVICE, &[position]);
            seen.relate(relationships::SITS_IN, RelationTarget::Native(key));
        }
        found.push(seen);
    }
    found
}

/// The nearest part around one that is told.
fn outer_of(parts: &Table, kinds: &BTreeMap<u32, Kind>, index: u32) -> Option<(u32, Kind)> {
    let mut at = index;
    for _ in 0..DEPTH_MAX {
        at = u32::try_from(parts.row(&[at])?.number(4)?).ok().filter(|outer| *outer != 0)?;
        if let Some(kind) = kinds.get(&at).filter(|_| at != index) {
            return Some((at, *kind));
        }
    }
    None
}

type Text = Attribute<String>;

fn describe(seen: &mut Observation, kind: Kind, row: &Row) {
    let columns: &[(&Text, u32)] = match kind {
        Kind::Module(name) => {
            seen.set(&device_module::MODULE_TYPE, name);
            if let Some(replaceable) = row.number(16) {
                seen.set(&device_module::IS_REPLACEABLE, replaceable == 1);
            }
            &[
                (&device_module::DESCRIPTION, 2),
                (&device_module::NAME, 7),
                (&device_module::HARDWARE_VERSION, 8),
                (&device_module::FIRMWARE_VERSION, 9),
                (&device_module::SOFTWARE_VERSION, 10),
                (&device_module::SERIAL_NUMBER, 11),
                (&device_module::VENDOR, 12),
                (&device_module::MODEL, 13),
                (&device_module::ASSET_TAG, 15),
            ]
        }
        Kind::PowerSupply => &[
            (&power_supply::DESCRIPTION, 2),
            (&power_supply::NAME, 7),
            (&power_supply::HARDWARE_VERSION, 8),
            (&power_supply::FIRMWARE_VERSION, 9),
            (&power_supply::SERIAL_NUMBER, 11),
            (&power_supply::VENDOR, 12),
            (&power_supply::MODEL, 13),
        ],
        Kind::Fan => {
            &[(&fan::DESCRIPTION, 2), (&fan::NAME, 7), (&fan::SERIAL_NUMBER, 11), (&fan::MODEL, 13)]
        }
        Kind::Transceiver => &[
            (&transceiver::DESCRIPTION, 2),
            (&transceiver::NAME, 7),
            (&transceiver::HARDWARE_VERSION, 8),
            (&transceiver::SERIAL_NUMBER, 11),
            (&transceiver::VENDOR, 12),
            (&transceiver::MODEL, 13),
        ],
        Kind::StackMember => &[
            (&stack_member::DESCRIPTION, 2),
            (&stack_member::NAME, 7),
            (&stack_member::HARDWARE_VERSION, 8),
            (&stack_member::FIRMWARE_VERSION, 9),
            (&stack_member::SOFTWARE_VERSION, 10),
            (&stack_member::SERIAL_NUMBER, 11),
            (&stack_member::VENDOR, 12),
            (&stack_member::MODEL, 13),
        ],
    };
    for (attribute, column) in columns {
        if let Some(text) = row.text(*column) {
            seen.set(attribute, text);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::Value;

    fn part(class: i64, inside: i64, place: i64, name: &str, serial: &str) -> Row {
        let text = |text: &str| Value::Octets(text.as_bytes().into());
        Row([
            (2, text("SFP cage")),
            (4, Value::Integer(inside)),
            (5, Value::Integer(class)),
            (6, Value::Integer(place)),
            (7, text(name)),
            (11, text(serial)),
        ]
        .into())
    }

    #[test]
    fn parts_in_a_circle_are_told_once_each() {
        let parts = Table(
            [(vec![1], part(9, 2, 1, "", "A123")), (vec![2], part(9, 1, 1, "", "B123"))].into(),
        );
        let found = observe(&parts);
        assert_eq!(found.len(), 2);
        assert_ne!(found[0].native_key, found[1].native_key);
    }

    #[test]
    fn an_empty_cage_is_no_transceiver_and_a_full_one_is() {
        let parts = Table(
            [
                (vec![1], part(3, 0, 0, "Chassis", "C123")),
                (vec![2], part(10, 1, 1, "Port 1", "")),
                (vec![3], part(10, 1, 2, "Port 2", "T123")),
            ]
            .into(),
        );
        let found = observe(&parts);
        let classes: Vec<&str> = found.iter().map(|seen| seen.class.as_ref()).collect();
        assert_eq!(classes, ["device_module", "transceiver"]);
        assert_eq!(found[1].relations.len(), 1);
    }
}
