//! The scope `packages.rpm`: rpm's database in its two present formats, SQLite and ndb.
//!
//! The older Berkeley DB format (Red Hat 8, SUSE before 2020) is not read; the coverage says so.

mod header;
mod ndb;
mod sqlite;

use super::owners::Search;
use super::purl::Distribution;
use super::{Merged, Package};
use crate::files::StatGuard;
use collector::{Guard, Run, Target};
use header::Header;
use model::run::CoverageReason;
use model::{Coverage, Timestamp};
use std::io;

/// Where the database lies: most distributions, and those that keep /var empty.
const FOLDERS: [&str; 2] = ["/usr/lib/sysimage/rpm", "/var/lib/rpm"];

/// Public keys that rpm keeps as if they were packages.
const KEYS: &str = "gpg-pubkey";

/// The guard of the scope.
pub(super) fn guard(target: &Target) -> Guard {
    let mut guard = StatGuard::new();
    for folder in FOLDERS {
        for file in ["rpmdb.sqlite", "rpmdb.sqlite-wal", "Packages.db", "Packages"] {
            guard.path(&target.path(&format!("{folder}/{file}")));
        }
    }
    guard.finish()
}

/// Looks at the scope.
pub(super) fn collect(target: &Target, run: &mut Run<'_>) -> Coverage {
    for folder in FOLDERS {
        let place = |file: &str| target.path(&format!("{folder}/{file}"));
        let exists = |file: &str| std::fs::symlink_metadata(place(file)).is_ok();
        let distribution = Distribution::read(target);
        let mut merged = Merged::default();
        let mut see = |blob: &[u8]| {
            merged.extend(Header::parse(blob).and_then(|header| package(&header, &distribution)));
        };
        let (file, result) = if exists("rpmdb.sqlite") {
            ("rpmdb.sqlite", sqlite::each_blob(&place("rpmdb.sqlite"), "Packages", &mut see))
        } else if exists("Packages.db") {
            ("Packages.db", ndb::each_blob(&place("Packages.db"), &mut see))
        } else if exists("Packages") {
            return Coverage::not_looked_at(
                CoverageReason::Malformed,
                format!(
                    "{folder}/Packages is in the old Berkeley DB format, which is not read; \
                     `rpm --rebuilddb` of a newer rpm converts it"
                ),
            );
        } else {
            continue;
        };
        let path = format!("{folder}/{file}");
        return match result {
            Ok(0) => merged.finish(run),
            Ok(damaged) => {
                let coverage = merged.finish(run);
                run.failed(&path, format!("{damaged} entries cannot be read"));
                match coverage.reason {
                    CoverageReason::None => Coverage::partial(
                        CoverageReason::Malformed,
                        format!("{damaged} entries of {path} cannot be read"),
                    ),
                    _ => coverage,
                }
            }
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                // What was read until then is told; the rest may be there.
                merged.finish(run);
                Coverage::partial(CoverageReason::Malformed, format!("{path}: {error}"))
            }
            Err(error) => super::refused("rpm", &path, &error),
        };
    }
    Coverage::not_present("rpm is not installed")
}

/// Finds which packages files came with.
///
/// The database in SQLite has an index by file names, so that only the headers of packages with such a file are read;
/// in the other format all are.
pub(super) fn find_owners(target: &Target, search: &mut Search) {
    let names = search.base_names();
    let distribution = Distribution::default();
    let mut path = Vec::new();
    let mut see = |blob: &[u8]| {
        let Some(header) = Header::parse(blob) else { return };
        let mut found: Vec<Vec<u8>> = Vec::new();
        header.each_file(|folder, name| {
            if names.contains(name) {
                path.clear();
                path.extend_from_slice(folder);
                path.extend_from_slice(name);
                found.extend(search.wanted(&path).map(<[u8]>::to_vec));
            }
        });
        if let Some(package) =
            (!found.is_empty()).then(|| package(&header, &distribution)).flatten()
        {
            let key = package.native_key();
            found.iter().for_each(|name| search.found(name, &key));
        }
    };
    for folder in FOLDERS {
        let place = |file: &str| target.path(&format!("{folder}/{file}"));
        let is_wanted = |name: &[u8]| names.contains(name);
        // The scope itself says what is wrong with a database; here what could be read counts.
        drop(sqlite::each_blob_by_key(
            &place("rpmdb.sqlite"),
            ("Basenames", "Packages"),
            &is_wanted,
            &mut see,
        ));
        drop(ndb::each_blob(&place("Packages.db"), &mut see));
    }
}

/// The package that a header describes.
fn package(header: &Header<'_>, distribution: &Distribution) -> Option<Package> {
    let name = header.text(header::NAME).filter(|name| !name.is_empty() && name != KEYS)?;
    let (version, release) = (header.text(header::VERSION)?, header.text(header::RELEASE)?);
    let epoch = header.number(header::EPOCH).filter(|epoch| *epoch > 0);
    let without_epoch = format!("{version}-{release}");
    let version = match epoch {
        Some(epoch) => format!("{epoch}:{without_epoch}"),
        None => without_epoch.clone(),
    };
    let architecture = header.text(header::ARCHITECTURE).unwrap_or_else(|| "noarch".to_owned());
    let mut purl = distribution.purl("rpm", &name, &without_epoch, &architecture);
    if let Some(epoch) = epoch {
        purl.push_str(&format!("&epoch={epoch}"));
    }
    Some(Package {
        manager: "rpm".into(),
        source: header.text(header::SOURCE).map(|file| source_name(&file)),
        maintainer: header.text(header::VENDOR).or_else(|| header.text(header::PACKAGER)),
        summary: header.text(header::SUMMARY),
        license: header.text(header::LICENSE),
        section: header.text(header::GROUP).filter(|group| group != "Unspecified"),
        installed_bytes: header.number(header::LONG_SIZE).or_else(|| header.number(header::SIZE)),
        installed_at: header
            .number(header::INSTALLED_AT)
            .and_then(|seconds| i64::try_from(seconds).ok())
            .map(Timestamp::from_seconds),
        purl: Some(purl),
        name,
        version,
        architecture,
        ..Package::default()
    })
}

/// The name in the file name of a source package: `bash-5.1.8-6.el9.src.rpm`.
fn source_name(file: &str) -> String {
    let mut parts = file.rsplitn(3, '-');
    let (_release, _version) = (parts.next(), parts.next());
    parts.next().unwrap_or(file).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;

    /// What a database that rpm itself wrote, compressed, tells; see `testdata/SOURCE.md`.
    fn seen(file: &str, compressed: &[u8]) -> Vec<String> {
        let place = tempfile::tempdir().unwrap();
        let folder = place.path().join("var/lib/rpm");
        std::fs::create_dir_all(&folder).unwrap();
        let mut bytes = Vec::new();
        flate2::read::GzDecoder::new(compressed).read_to_end(&mut bytes).unwrap();
        std::fs::write(folder.join(file), bytes).unwrap();
        let target = Target {
            id: "t".into(),
            site: "s".into(),
            root: place.path().to_owned(),
            remote: None,
        };
        let mut seen = Vec::new();
        assert_eq!(collect(&target, &mut Run::new(&mut seen)), Coverage::complete());
        let line = |seen: &model::Observation| {
            ["name", "version", "architecture", "license", "source_package", "purl"]
                .map(|name| seen.facts[name].to_line())
                .join(" | ")
        };
        seen.iter().map(line).collect()
    }

    const EXPECTED: [&str; 2] = [
        "example-large | 2:3.1-4 | noarch | MIT | example-large | pkg:rpm/example-large@3.1-4?arch=noarch&epoch=2",
        "example-small | 1.0-1 | noarch | Apache-2.0 | example-small | pkg:rpm/example-small@1.0-1?arch=noarch",
    ];

    #[test]
    fn a_database_of_sqlite_is_read() {
        assert_eq!(seen("rpmdb.sqlite", include_bytes!("rpm/testdata/rpmdb.sqlite.gz")), EXPECTED);
    }

    #[test]
    fn files_are_found_by_the_index_of_their_names() {
        let place = tempfile::tempdir().unwrap();
        let folder = place.path().join("var/lib/rpm");
        std::fs::create_dir_all(&folder).unwrap();
        let mut bytes = Vec::new();
        let compressed = &include_bytes!("rpm/testdata/rpmdb.sqlite.gz")[..];
        flate2::read::GzDecoder::new(compressed).read_to_end(&mut bytes).unwrap();
        std::fs::write(folder.join("rpmdb.sqlite"), bytes).unwrap();
        let target = Target {
            id: "t".into(),
            site: "s".into(),
            root: place.path().to_owned(),
            remote: None,
        };
        let known = "/usr/share/example/a-file-with-a-long-name-100";
        let asked = [known, "/usr/bin/a-file-with-a-long-name-100", "/usr/share/example/other"];
        let owners = super::super::owners(&target, asked.into_iter());
        assert_eq!(owners.of(known), ["host/package/rpm/example-large/noarch"]);
        assert!(asked[1..].iter().all(|path| owners.of(path).is_empty()));
    }

    #[test]
    fn a_database_of_the_old_format_is_said_to_be_not_looked_at() {
        let place = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(place.path().join("var/lib/rpm")).unwrap();
        std::fs::write(place.path().join("var/lib/rpm/Packages"), "x").unwrap();
        let target = Target {
            id: "t".into(),
            site: "s".into(),
            root: place.path().to_owned(),
            remote: None,
        };
        let coverage = collect(&target, &mut Run::new(&mut Vec::new()));
        assert_eq!(coverage.status, model::CoverageStatus::NotLookedAt);
    }

    #[test]
    fn a_source_package_is_named_without_its_version() {
        assert_eq!(source_name("python-six-1.15.0-9.el9.src.rpm"), "python-six");
        assert_eq!(source_name("odd"), "odd");
    }
}
