//! The scopes `packages.*`: what package managers installed, read from their own files.
//!
//! Each manager is a module with a pure parser. A package is told apart by manager, name and architecture; several
//! installed versions of one (kernels) are one item with the newest version and the others beside it.
//!
//! Deliberately not here: which versions are vulnerable or out of date.

mod apk;
mod bundles;
mod dpkg;
mod gem;
mod npm;
mod owners;
mod pacman;
mod places;
mod purl;
mod python;
mod rpm;
mod stanza;

use crate::files::{self, Refusal};
use collector::{Guard, Run, Target};
use model::classes::package;
use model::observation::part_key;
use model::run::CoverageReason;
use model::{Coverage, Observation, Timestamp};
use std::borrow::Cow;
use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::io;

pub(super) use owners::{Owners, guard as owners_guard, owners};

/// The most packages that one manager of a host may have; a full distribution has 60,000.
const PACKAGES_MAX: usize = 80_000;

/// One installed package.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Package {
    manager: Cow<'static, str>,
    name: String,
    version: String,
    architecture: String,
    source: Option<String>,
    maintainer: Option<String>,
    summary: Option<String>,
    license: Option<String>,
    section: Option<String>,
    place: Option<String>,
    installed_bytes: Option<u64>,
    installed_at: Option<Timestamp>,
    other_versions: Vec<String>,
    is_held: Option<bool>,
    purl: Option<String>,
}

impl Package {
    /// The native key of its item.
    fn native_key(&self) -> String {
        let parts = [&*self.manager, &self.name, &self.architecture];
        part_key(&package::CLASS, crate::HOST, &parts)
    }

    fn into_observation(self) -> Observation {
        let parts = [&*self.manager, &self.name, &self.architecture];
        let mut seen = Observation::part(&package::CLASS, crate::HOST, &parts)
            .with(&package::VERSION, self.version)
            .with_some(&package::SOURCE_PACKAGE, self.source)
            .with_some(&package::MAINTAINER, self.maintainer)
            .with_some(&package::SUMMARY, self.summary)
            .with_some(&package::LICENSE, self.license)
            .with_some(&package::SECTION, self.section)
            .with_some(&package::PLACE, self.place)
            .with_some(&package::INSTALLED_BYTES, self.installed_bytes)
            .with_some(&package::INSTALLED_AT, self.installed_at)
            .with_some(&package::IS_HELD, self.is_held)
            .with_some(&package::PURL, self.purl);
        if !self.other_versions.is_empty() {
            seen.set(&package::OTHER_VERSIONS, self.other_versions);
        }
        seen
    }
}

/// Packages of which several versions may be installed beside each other, each name once.
#[derive(Debug, Default)]
struct Merged {
    packages: BTreeMap<(String, String, String), Package>,
    is_cut: bool,
}

impl Merged {
    fn extend(&mut self, packages: impl IntoIterator<Item = Package>) {
        packages.into_iter().for_each(|package| self.add(package));
    }

    /// Adds a package; the newest version stands for those of the same name.
    fn add(&mut self, package: Package) {
        let key = (package.manager.to_string(), package.name.clone(), package.architecture.clone());
        let Some(other) = self.packages.get_mut(&key) else {
            if self.packages.len() >= PACKAGES_MAX {
                self.is_cut = true;
            } else {
                self.packages.insert(key, package);
            }
            return;
        };
        if other.version == package.version {
            return;
        }
        let mut older = package;
        if compare_versions(&older.version, &other.version).is_gt() {
            std::mem::swap(&mut older, other);
        }
        other.other_versions.append(&mut older.other_versions);
        other.other_versions.push(older.version);
        other.other_versions.sort();
        other.other_versions.dedup();
    }

    /// Reports all.
    fn finish(self, run: &mut Run<'_>) -> Coverage {
        for package in self.packages.into_values() {
            run.saw(package.into_observation());
        }
        if self.is_cut {
            let detail = format!("more than {PACKAGES_MAX} packages");
            return Coverage::partial(CoverageReason::LimitReached, detail);
        }
        Coverage::complete()
    }
}

/// Which version is newer: numbers are compared as such, what lies between them as text.
fn compare_versions(one: &str, other: &str) -> Ordering {
    let (mut one, mut other) = (one, other);
    loop {
        let (a, b) = (leading_number(one), leading_number(other));
        let order = a.0.len().cmp(&b.0.len()).then_with(|| a.0.cmp(b.0));
        if order.is_ne() {
            return order;
        }
        let is_digit = |letter: char| letter.is_ascii_digit();
        let a_end = a.1.find(is_digit).unwrap_or(a.1.len());
        let b_end = b.1.find(is_digit).unwrap_or(b.1.len());
        let ((a_text, a_rest), (b_text, b_rest)) = (a.1.split_at(a_end), b.1.split_at(b_end));
        let order = a_text.cmp(b_text);
        if order.is_ne() || (a_rest.is_empty() && b_rest.is_empty()) {
            return order.then_with(|| a_rest.len().cmp(&b_rest.len()));
        }
        (one, other) = (a_rest, b_rest);
    }
}

/// The digits at the start without leading zeros, and the rest.
fn leading_number(text: &str) -> (&str, &str) {
    let end = text.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(text.len());
    let (digits, rest) = text.split_at(end);
    (digits.trim_start_matches('0'), rest)
}

/// Looks at a scope of packages; `None` when the scope is no such.
pub(super) fn collect(target: &Target, scope: &str, run: &mut Run<'_>) -> Option<Coverage> {
    Some(match scope {
        "packages.dpkg" => dpkg::collect(target, run),
        "packages.rpm" => rpm::collect(target, run),
        "packages.apk" => apk::collect(target, run),
        "packages.pacman" => pacman::collect(target, run),
        "packages.python" => python::collect(target, run),
        "packages.npm" => npm::collect(target, run),
        "packages.gem" => gem::collect(target, run),
        "packages.snap" => bundles::collect_snaps(target, run),
        "packages.flatpak" => bundles::collect_flatpaks(target, run),
        _ => return None,
    })
}

/// The guard of a scope of packages.
pub(super) fn guard(target: &Target, scope: &str) -> Option<Guard> {
    Some(match scope {
        "packages.dpkg" => dpkg::guard(target),
        "packages.rpm" => rpm::guard(target),
        "packages.apk" => apk::guard(target),
        "packages.pacman" => pacman::guard(target),
        "packages.python" => python::guard(target),
        "packages.npm" => npm::guard(target),
        "packages.gem" => gem::guard(target),
        "packages.snap" => bundles::snap_guard(target),
        "packages.flatpak" => bundles::flatpak_guard(target),
        _ => return None,
    })
}

/// What a file that cannot be opened means for the scope of `tool`.
fn refused(tool: &str, path: &str, error: &io::Error) -> Coverage {
    match files::refusal(error) {
        Refusal::NotFound => Coverage::not_present(format!("{tool} is not installed")),
        Refusal::PermissionDenied => Coverage::not_looked_at(
            CoverageReason::PermissionDenied,
            format!("{path} may not be read; run the agent as root or install the package"),
        ),
        Refusal::Other => {
            Coverage::not_looked_at(CoverageReason::Unreachable, format!("{path}: {error}"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn versions_beside_each_other_are_one_item_with_the_newest() {
        let mut merged = Merged::default();
        for version in ["5.14.0-70", "5.14.0-427", "5.14.0-427", "5.14.0-9"] {
            merged.add(Package {
                name: "kernel".into(),
                version: version.into(),
                ..Package::default()
            });
        }
        let mut seen = Vec::new();
        merged.finish(&mut Run::new(&mut seen));
        assert_eq!(seen.len(), 1);
        assert_eq!(seen[0].facts["version"].to_line(), "5.14.0-427");
        assert_eq!(seen[0].facts["other_versions"].to_line(), "5.14.0-70, 5.14.0-9");
    }

    #[test]
    fn numbers_in_versions_are_compared_as_numbers() {
        for (older, newer) in
            [("1.9", "1.10"), ("1.0", "1.0.1"), ("1.0a", "1.0b"), ("09", "10"), ("1", "1.1")]
        {
            assert!(compare_versions(older, newer).is_lt(), "{older} {newer}");
            assert!(compare_versions(newer, older).is_gt(), "{older} {newer}");
        }
    }

    proptest! {
        #[test]
        fn comparing_any_versions_ends_and_is_antisymmetric(a in "[0-9a.]{0,12}", b in "[0-9a.]{0,12}") {
            prop_assert_eq!(compare_versions(&a, &b), compare_versions(&b, &a).reverse());
        }
    }
}
