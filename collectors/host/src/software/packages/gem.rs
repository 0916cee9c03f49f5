//! The scope `packages.gem`: gems of Ruby, by their specifications.
//!
//! A specification is a program of Ruby; the assignments that every generated one has are read as text.

use super::places;
use super::{Merged, Package, purl};
use crate::files::{self, StatGuard};
use collector::{Guard, Run, Target};
use model::Coverage;

const USUAL: &[&str] = &["/usr/share/rubygems-integration/all/specifications"];

const PATTERNS: &[&str] = &[
    "/usr/share/rubygems-integration/*/specifications",
    "/var/lib/gems/*/specifications",
    "/usr/lib/ruby/gems/*/specifications",
    "/usr/lib/ruby/gems/*/specifications/default",
    "/usr/lib64/ruby/gems/*/specifications",
    "/usr/share/gems/specifications",
    "/usr/local/lib/ruby/gems/*/specifications",
    "/usr/local/bundle/specifications",
    "/root/.local/share/gem/ruby/*/specifications",
    "/home/*/.local/share/gem/ruby/*/specifications",
];

/// The head of a specification, which is before the lists of files.
const FILE_BYTES_MAX: usize = 16 * 1024;

/// The guard of the scope.
pub(super) fn guard(target: &Target) -> Guard {
    let mut guard = StatGuard::new();
    places::add_to_guard(target, PATTERNS, &mut guard);
    guard.finish()
}

/// Looks at the scope.
pub(super) fn collect(target: &Target, run: &mut Run<'_>) -> Coverage {
    let folders = places::matching(target, PATTERNS);
    if folders.is_empty() {
        return Coverage::not_present("no folder of gems");
    }
    let mut merged = Merged::default();
    let mut buffer = Vec::new();
    for folder in folders {
        for name in files::list_dir(&target.path(&folder)).unwrap_or_default() {
            let Some(stem) = name.strip_suffix(".gemspec") else { continue };
            let path = target.path(&format!("{folder}/{name}"));
            match files::read_into(&path, FILE_BYTES_MAX, &mut buffer) {
                Ok(_) => {
                    if let Some(package) = parse(&String::from_utf8_lossy(&buffer), stem, &folder) {
                        merged.add(package);
                    }
                }
                Err(error) => run.failed(format!("{folder}/{name}"), error),
            }
        }
    }
    merged.finish(run)
}

/// Parses a specification whose file is named `NAME-VERSION` or `NAME-VERSION-PLATFORM`.
fn parse(text: &str, stem: &str, folder: &str) -> Option<Package> {
    let assigned = |name: &str| text.lines().find_map(|line| assignment(line, name));
    let (by_file, version) = by_file_name(stem)?;
    let name = assigned("name").unwrap_or(by_file);
    let version = assigned("version").unwrap_or(version);
    let architecture =
        assigned("platform").filter(|platform| *platform != "ruby").unwrap_or_default();
    if name.is_empty() || version.is_empty() {
        return None;
    }
    Some(Package {
        manager: places::manager("gem", USUAL, folder),
        name: name.to_owned(),
        version: version.to_owned(),
        architecture: architecture.to_owned(),
        summary: assigned("summary").map(str::to_owned),
        license: assigned("licenses").or_else(|| assigned("license")).map(str::to_owned),
        maintainer: assigned("authors").or_else(|| assigned("author")).map(str::to_owned),
        place: Some(folder.to_owned()),
        purl: Some(purl::of_language("gem", name, version)),
        ..Package::default()
    })
}

/// The first text in quotation marks of a line `s.NAME = …`.
fn assignment<'a>(line: &'a str, name: &str) -> Option<&'a str> {
    let (left, right) = line.split_once('=')?;
    let left = left.trim();
    let (_, attribute) = left.split_once('.')?;
    if attribute != name || left.contains(' ') {
        return None;
    }
    let start = right.find(['"', '\''])?;
    let quote = right.get(start..=start)?;
    let (text, _) = right.get(start + 1..)?.split_once(quote)?;
    (!text.is_empty()).then_some(text)
}

/// Name and version of the file: the version begins at the last hyphen before a digit.
fn by_file_name(stem: &str) -> Option<(&str, &str)> {
    let start = stem
        .rmatch_indices('-')
        .find(|(place, _)| stem.as_bytes().get(place + 1).is_some_and(u8::is_ascii_digit))
        .map(|(place, _)| place)?;
    let (name, version) = (stem.get(..start)?, stem.get(start + 1..)?);
    Some((name, version.split('-').next().unwrap_or(version)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_specification_is_read() {
        let text = "Gem::Specification.new do |s|\n  s.name = \"net-telnet\".freeze\n  s.version = \"0.2.0\"\n\n  s.required_ruby_version = Gem::Requirement.new(\">= 2.3\")\n  s.authors = [\"A. Person\".freeze]\n  s.licenses = [\"Ruby\".freeze, \"MIT\".freeze]\n  s.summary = \"Telnet\".freeze\nend\n";
        let package =
            parse(text, "net-telnet-0.2.0", "/var/lib/gems/3.1.0/specifications").unwrap();
        assert_eq!((package.name.as_str(), package.version.as_str()), ("net-telnet", "0.2.0"));
        assert_eq!(package.license.as_deref(), Some("Ruby"));
        let bare = parse("", "io-console-0.6.0-x86_64-linux", "/a").unwrap();
        assert_eq!((bare.name.as_str(), bare.version.as_str()), ("io-console", "0.6.0"));
    }

    proptest! {
        #[test]
        fn any_specification_is_parsed_without_panic(text in "\\PC{0,100}", stem in "[a-z0-9-]{0,20}") {
            parse(&text, &stem, "/a");
            assignment(&text, "name");
        }
    }
}
