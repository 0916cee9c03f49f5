//! The scope `packages.apk`: the database of Alpine's package manager (apk v2, text).

use super::owners::Search;
use super::purl::Distribution;
use super::stanza::{self, each_stanza};
use super::{PACKAGES_MAX, Package};
use crate::files::{self, StatGuard};
use collector::{Guard, Run, Target};
use model::Coverage;
use model::run::CoverageReason;

/// Where the database lies; since Alpine 3.22 below /usr.
const DATABASES: [&str; 2] = ["/lib/apk/db/installed", "/usr/lib/apk/db/installed"];

/// The guard of the scope.
pub(super) fn guard(target: &Target) -> Guard {
    let mut guard = StatGuard::new();
    DATABASES.iter().for_each(|path| guard.path(&target.path(path)));
    guard.finish()
}

/// Looks at the scope.
pub(super) fn collect(target: &Target, run: &mut Run<'_>) -> Coverage {
    let distribution = Distribution::read(target);
    let mut refused = None;
    for path in DATABASES {
        let file = match files::open_regular(&target.path(path)) {
            Ok(file) => file,
            Err(error) => {
                refused.get_or_insert_with(|| super::refused("apk", path, &error));
                continue;
            }
        };
        let mut count = 0;
        let is_cut = each_stanza(file, |stanza| {
            if let Some(package) = parse(stanza, &distribution)
                && count < PACKAGES_MAX
            {
                count += 1;
                run.saw(package.into_observation());
            }
        });
        return match is_cut {
            Ok(false) if count < PACKAGES_MAX => Coverage::complete(),
            Ok(_) => Coverage::partial(
                CoverageReason::LimitReached,
                format!(
                    "more than {PACKAGES_MAX} packages, or an entry of more than 1 MiB in {path}"
                ),
            ),
            Err(error) => {
                Coverage::partial(CoverageReason::Unreachable, format!("{path}: {error}"))
            }
        };
    }
    refused.unwrap_or_else(Coverage::complete)
}

/// Finds which packages files came with.
pub(super) fn find_owners(target: &Target, search: &mut Search) {
    let distribution = Distribution::default();
    for path in DATABASES {
        let Ok(file) = files::open_regular(&target.path(path)) else { continue };
        let mut path = Vec::new();
        let read = each_stanza(file, |stanza| {
            let found = wanted_of(stanza, search, &mut path);
            if found.is_empty() {
                return;
            }
            if let Some(package) = parse(stanza, &distribution) {
                let key = package.native_key();
                found.iter().for_each(|name| search.found(name, &key));
            }
        });
        // What was read until an error counts; the scope itself says what is wrong with the file.
        drop(read);
    }
}

/// The wanted files of an entry: a folder, then what lies in it, then the next folder.
fn wanted_of(stanza: &[u8], search: &Search, path: &mut Vec<u8>) -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    path.clear();
    let mut folder_length = 0;
    for (name, value) in stanza::fields(stanza) {
        match name {
            b"F" => {
                path.clear();
                path.extend_from_slice(value);
                path.push(b'/');
                folder_length = path.len();
            }
            b"R" => {
                path.truncate(folder_length);
                path.extend_from_slice(value);
                found.extend(search.wanted(path).map(<[u8]>::to_vec));
            }
            _ => {}
        }
    }
    found
}

/// Parses an entry: a letter for each field, and the files behind them.
fn parse(stanza: &[u8], distribution: &Distribution) -> Option<Package> {
    let mut package = Package { manager: "apk".into(), ..Package::default() };
    for (name, value) in stanza::fields(stanza) {
        match name {
            b"P" => package.name = stanza::text(value),
            b"V" => package.version = stanza::text(value),
            b"A" => package.architecture = stanza::text(value),
            b"T" => package.summary = Some(stanza::text(value)),
            b"L" => package.license = Some(stanza::text(value)),
            b"o" => package.source = Some(stanza::text(value)),
            b"m" => package.maintainer = Some(stanza::text(value)),
            b"I" => package.installed_bytes = stanza::text(value).parse().ok(),
            // From here on there are only files.
            b"F" => break,
            _ => {}
        }
    }
    if package.name.is_empty() || package.version.is_empty() {
        return None;
    }
    package.purl =
        Some(distribution.purl("apk", &package.name, &package.version, &package.architecture));
    Some(package)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_entry_is_read() {
        let text = b"C:Q1abc=\nP:busybox\nV:1.36.1-r29\nA:x86_64\nS:507831\nI:946176\nT:Size optimized toolbox\nL:GPL-2.0-only\no:busybox\nm:Some One <one@example.org>\nF:bin\nR:busybox\nP:not-this\n";
        let package =
            parse(text, &Distribution { id: "alpine".into(), version: "3.20.3".into() }).unwrap();
        assert_eq!((package.name.as_str(), package.installed_bytes), ("busybox", Some(946_176)));
        assert_eq!(
            package.purl.as_deref(),
            Some("pkg:apk/alpine/busybox@1.36.1-r29?arch=x86_64&distro=alpine-3.20.3")
        );
    }

    proptest! {
        #[test]
        fn any_entry_is_parsed_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            parse(&bytes, &Distribution::default());
        }
    }
}
