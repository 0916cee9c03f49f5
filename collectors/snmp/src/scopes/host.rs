//! The scopes `storage` and `software`: what HOST-RESOURCES-MIB (RFC 2790) says of hosts.

use super::DEVICE;
use crate::table::Table;
use crate::view::{TableOf, View};
use collector::Run;
use model::classes::{filesystem, package};
use model::run::CoverageReason;
use model::{Coverage, Observation};
use std::collections::BTreeMap;

/// The most packages that are described.
pub(crate) const PACKAGES_MAX: usize = 50_000;

/// `hrStorageTable`: type, description, size of a unit, units, units in use.
const STORAGE: TableOf = TableOf {
    name: "hrStorageTable",
    entry: &[1, 3, 6, 1, 2, 1, 25, 2, 3, 1],
    columns: &[2, 3, 4, 5, 6],
};
/// `hrFSTable`: mount point, remote mount point, access, number in `hrStorageTable`.
const FILE_SYSTEMS: TableOf =
    TableOf { name: "hrFSTable", entry: &[1, 3, 6, 1, 2, 1, 25, 3, 8, 1], columns: &[2, 3, 5, 7] };
/// `hrSWInstalledTable`: name, type.
const SOFTWARE: TableOf = TableOf {
    name: "hrSWInstalledTable",
    entry: &[1, 3, 6, 1, 2, 1, 25, 6, 3, 1],
    columns: &[2, 4],
};

/// `hrStorageTypes`: 4 fixed disk, 5 removable disk, 9 flash memory, 10 network disk.
const DISK_TYPES: [u32; 4] = [4, 5, 9, 10];
const STORAGE_TYPES: &[u32] = &[1, 3, 6, 1, 2, 1, 25, 2, 1];

/// Looks at the scope `storage`.
pub(crate) async fn collect_storage(view: &mut View<'_>, run: &mut Run<'_>) -> Coverage {
    let storage = view.table(run, &STORAGE).await;
    let systems = view.table(run, &FILE_SYSTEMS).await;
    let found = observe_storage(&storage, &systems);
    let count = found.len();
    found.into_values().for_each(|seen| view.saw(run, seen));
    view.coverage_of(count, "file systems")
}

pub(super) fn observe_storage(storage: &Table, systems: &Table) -> BTreeMap<String, Observation> {
    let by_storage: BTreeMap<u64, _> =
        systems.rows().filter_map(|(_, row)| Some((row.number(7)?, row))).collect();
    let mut found = BTreeMap::new();
    for (index, row) in storage.rows() {
        let Some(kind) = row.oid(2).and_then(|oid| oid.strip_prefix(STORAGE_TYPES)) else {
            continue;
        };
        let is_disk = kind.first().is_some_and(|kind| DISK_TYPES.contains(kind));
        let Some(description) = row.text(3).filter(|_| is_disk) else { continue };
        // Windows says `C:\ Label:…  Serial Number …`.
        let mount = description.split(" Label:").next().unwrap_or(&description).to_owned();
        let unit = row.number(4).unwrap_or(1);
        let bytes = |column| row.number(column).map(|units: u64| units.saturating_mul(unit));
        let system = index.first().and_then(|index| by_storage.get(&u64::from(*index)));
        let remote = system.and_then(|row| row.text(3));
        let seen = Observation::part(&filesystem::CLASS, DEVICE, &[&mount])
            .with_some(&filesystem::CAPACITY_BYTES, bytes(5))
            .with_some(&filesystem::USED_BYTES, bytes(6))
            .with_some(
                &filesystem::IS_READ_ONLY,
                system.and_then(|row| row.number(5)).map(|a| a == 2),
            )
            .with_some(&filesystem::IS_REMOTE, system.map(|_| remote.is_some()));
        found.insert(seen.native_key.clone(), seen);
    }
    found
}

/// Looks at the scope `software`.
pub(crate) async fn collect_software(view: &mut View<'_>, run: &mut Run<'_>) -> Coverage {
    let software = view.table(run, &SOFTWARE).await;
    let found = observe_software(&software);
    let count = found.len();
    if count > PACKAGES_MAX {
        let why = format!("there are more than {PACKAGES_MAX} packages");
        view.failed(run, SOFTWARE.name, CoverageReason::LimitReached, why);
    }
    found.into_values().take(PACKAGES_MAX).for_each(|seen| view.saw(run, seen));
    view.coverage_of(count, "installed software")
}

pub(super) fn observe_software(software: &Table) -> BTreeMap<String, Observation> {
    let mut found = BTreeMap::new();
    for (_, row) in software.rows() {
        let Some(text) = row.text(2) else { continue };
        let seen = match dpkg(&text) {
            Some((name, version, architecture)) => {
                Observation::part(&package::CLASS, DEVICE, &["dpkg", name, architecture])
                    .with(&package::VERSION, version)
            }
            None => Observation::part(&package::CLASS, DEVICE, &["snmp", &text, ""]),
        };
        found.insert(seen.native_key.clone(), seen);
    }
    found
}

/// `bash_5.2.15-2+b2_amd64`, as NET-SNMP writes the packages of dpkg.
fn dpkg(text: &str) -> Option<(&str, &str, &str)> {
    let mut parts = text.split('_');
    let (name, version, architecture) = (parts.next()?, parts.next()?, parts.next()?);
    let is_version = version.starts_with(|letter: char| letter.is_ascii_digit());
    let is_whole = parts.next().is_none()
        && !name.is_empty()
        && !architecture.is_empty()
        && !architecture.contains(' ');
    (is_version && is_whole).then_some((name, version, architecture))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_of_dpkg_are_taken_apart_and_others_kept_whole() {
        assert_eq!(dpkg("bash_5.2.15-2+b2_amd64"), Some(("bash", "5.2.15-2+b2", "amd64")));
        for other in ["bash-5.1.8-6.el9", "a_b_c_d", "Some_Program_x", "_1_a", "x_1_"] {
            assert_eq!(dpkg(other), None, "{other}");
        }
    }
}
