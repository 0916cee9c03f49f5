//! The scope `packages.pacman`: a folder for each package of Arch and its kin, with a file `desc`.

use super::owners::{Search, each_line};
use super::purl::Distribution;
use super::{PACKAGES_MAX, Package};
use crate::files::{self, StatGuard};
use collector::{Guard, Run, Target};
use model::run::CoverageReason;
use model::{Coverage, Timestamp};

const FOLDER: &str = "/var/lib/pacman/local";

/// The largest description; dependencies of the largest meta packages have 40 kB.
const FILE_BYTES_MAX: usize = 256 * 1024;

/// The guard of the scope. A package that changes gets another folder, so the folder above tells.
pub(super) fn guard(target: &Target) -> Guard {
    let mut guard = StatGuard::new();
    guard.path(&target.path(FOLDER));
    guard.finish()
}

/// Looks at the scope.
pub(super) fn collect(target: &Target, run: &mut Run<'_>) -> Coverage {
    let folder = target.path(FOLDER);
    let names = match files::list_dir(&folder) {
        Ok(names) => names,
        Err(error) => return super::refused("pacman", FOLDER, &error),
    };
    let distribution = Distribution::read(target);
    let mut buffer = Vec::new();
    for name in names.iter().take(PACKAGES_MAX) {
        let path = target.below(&folder, &format!("{name}/desc"));
        match files::read_into(&path, FILE_BYTES_MAX, &mut buffer) {
            Ok(_) => {
                if let Some(package) = parse(&String::from_utf8_lossy(&buffer), &distribution) {
                    run.saw(package.into_observation());
                }
            }
            // The version of the database's own format stands beside the packages.
            Err(error) if files::refusal(&error) == files::Refusal::NotFound => {}
            Err(error) => run.failed(format!("{FOLDER}/{name}/desc"), error),
        }
    }
    if names.len() > PACKAGES_MAX {
        let detail = format!("more than {PACKAGES_MAX} packages");
        return Coverage::partial(CoverageReason::LimitReached, detail);
    }
    Coverage::complete()
}

/// Finds which packages files came with.
pub(super) fn find_owners(target: &Target, search: &mut Search) {
    let folder = target.path(FOLDER);
    let distribution = Distribution::default();
    let mut buffer = Vec::new();
    for name in files::list_dir(&folder).unwrap_or_default().iter().take(PACKAGES_MAX) {
        let of_package = |file: &str| target.below(&folder, &format!("{name}/{file}"));
        let Ok(file) = files::open_regular(&of_package("files")) else { continue };
        let mut found: Vec<Vec<u8>> = Vec::new();
        let read = each_line(file, &mut buffer, |line| {
            found.extend(search.wanted(line).map(<[u8]>::to_vec));
            // Behind the files stand the backups that were made of some.
            line != b"%BACKUP%"
        });
        // What was read until an error counts.
        drop(read);
        if !found.is_empty()
            && let Ok(text) = files::read_to_string_limited(&of_package("desc"), FILE_BYTES_MAX)
            && let Some(package) = parse(&text, &distribution)
        {
            let key = package.native_key();
            found.iter().for_each(|name| search.found(name, &key));
        }
    }
}

/// Parses a description: `%NAME%` on a line, its values on the next ones, an empty line.
fn parse(text: &str, distribution: &Distribution) -> Option<Package> {
    let mut package = Package { manager: "pacman".into(), ..Package::default() };
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let Some(name) = line.strip_prefix('%').and_then(|name| name.strip_suffix('%')) else {
            continue;
        };
        let value = lines.next().unwrap_or_default().trim().to_owned();
        match name {
            "NAME" => package.name = value,
            "VERSION" => package.version = value,
            "ARCH" => package.architecture = value,
            "BASE" => package.source = Some(value),
            "DESC" => package.summary = Some(value),
            "PACKAGER" => package.maintainer = Some(value),
            "LICENSE" => package.license = Some(value),
            "SIZE" => package.installed_bytes = value.parse().ok(),
            "INSTALLDATE" => package.installed_at = value.parse().ok().map(Timestamp::from_seconds),
            _ => {}
        }
    }
    if package.name.is_empty() || package.version.is_empty() {
        return None;
    }
    package.purl =
        Some(distribution.purl("alpm", &package.name, &package.version, &package.architecture));
    Some(package)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_description_is_read() {
        let text = "%NAME%\nzlib\n\n%VERSION%\n1:1.3.1-2\n\n%BASE%\nzlib\n\n%DESC%\nCompression library\n\n%ARCH%\nx86_64\n\n%INSTALLDATE%\n1700000000\n\n%LICENSE%\nZlib\n\n%SIZE%\n336000\n";
        let package = parse(text, &Distribution::default()).unwrap();
        assert_eq!((package.name.as_str(), package.version.as_str()), ("zlib", "1:1.3.1-2"));
        assert_eq!(package.installed_at, Some(Timestamp::from_seconds(1_700_000_000)));
    }

    proptest! {
        #[test]
        fn any_description_is_parsed_without_panic(text in "[%A-Z\n]{0,100}") {
            parse(&text, &Distribution::default());
        }
    }
}
