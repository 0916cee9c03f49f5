//! The scope `packages.python`: distributions in the folders of Python's packages, by their metadata.

use super::places;
use super::{Merged, Package, purl, stanza};
use crate::files::{self, StatGuard};
use collector::{Guard, Run, Target};
use model::Coverage;

/// Where Debian's own packages lie; what lies there is told without the folder.
const USUAL: &[&str] = &["/usr/lib/python3/dist-packages"];

/// Where distributions lie: the system's, those of the administrator, of environments and of users.
const PATTERNS: &[&str] = &[
    "/usr/lib/python3/dist-packages",
    "/usr/lib/python*/site-packages",
    "/usr/lib64/python*/site-packages",
    "/usr/local/lib/python*/dist-packages",
    "/usr/local/lib/python*/site-packages",
    "/opt/*/lib/python*/site-packages",
    "/srv/*/lib/python*/site-packages",
    "/root/.local/lib/python*/site-packages",
    "/home/*/.local/lib/python*/site-packages",
    "/root/.pyenv/versions/*/lib/python*/site-packages",
    "/home/*/.pyenv/versions/*/lib/python*/site-packages",
];

/// The head of the metadata, which is before the long description.
const METADATA_BYTES_MAX: usize = 16 * 1024;

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
        return Coverage::not_present("no folder of Python packages");
    }
    let mut merged = Merged::default();
    let mut buffer = Vec::new();
    for folder in folders {
        let path = target.path(&folder);
        for name in files::list_dir(&path).unwrap_or_default() {
            let metadata = if name.ends_with(".dist-info") {
                target.below(&path, &format!("{name}/METADATA"))
            } else if name.ends_with(".egg-info") {
                // A folder with the file in it, or the file itself.
                let inner = target.below(&path, &format!("{name}/PKG-INFO"));
                if inner.exists() { inner } else { target.below(&path, &name) }
            } else {
                continue;
            };
            if files::read_into(&metadata, METADATA_BYTES_MAX, &mut buffer).is_err() {
                run.failed(format!("{folder}/{name}"), "its metadata cannot be read");
                continue;
            }
            if let Some(package) = parse(&buffer, &folder) {
                merged.add(package);
            }
        }
    }
    merged.finish(run)
}

/// Parses core metadata (PEP 566): fields as in a mail, up to the empty line.
fn parse(bytes: &[u8], folder: &str) -> Option<Package> {
    let mut package = Package {
        manager: places::manager("pip", USUAL, folder),
        place: Some(folder.to_owned()),
        ..Package::default()
    };
    let head = bytes.split(|byte| *byte == b'\n').take_while(|line| !line.trim_ascii().is_empty());
    for (name, value) in head.flat_map(stanza::fields) {
        let value = || stanza::text(value);
        match name {
            b"Name" => package.name = value(),
            b"Version" => package.version = value(),
            b"Summary" => package.summary = Some(value()),
            b"License" | b"License-Expression" => package.license = Some(value()),
            b"Author" => package.maintainer = Some(value()),
            b"Maintainer" => package.maintainer = Some(value()),
            _ => {}
        }
    }
    package
        .license
        .take_if(|license| license == "UNKNOWN" || license.is_empty() || license.len() > 200);
    package.summary.take_if(|summary| summary == "UNKNOWN" || summary.is_empty());
    package.maintainer.take_if(|maintainer| maintainer == "UNKNOWN" || maintainer.is_empty());
    if package.name.is_empty() || package.version.is_empty() {
        return None;
    }
    // Names are compared in lower case with hyphens (PEP 503).
    let name = package.name.to_lowercase().replace(['_', '.'], "-");
    package.purl = Some(purl::of_language("pypi", &name, &package.version));
    Some(package)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn metadata_is_read_up_to_the_description() {
        let text = b"Metadata-Version: 2.1\nName: Typing_Extensions\nVersion: 4.12.2\nSummary: Backports\nLicense: UNKNOWN\n\nName: not this\n";
        let package = parse(text, "/opt/x/lib/python3.11/site-packages").unwrap();
        assert_eq!(package.name, "Typing_Extensions");
        assert_eq!(package.license, None);
        assert_eq!(package.purl.as_deref(), Some("pkg:pypi/typing-extensions@4.12.2"));
        assert_eq!(package.manager, "pip:/opt/x/lib/python3.11/site-packages");
    }

    proptest! {
        #[test]
        fn any_metadata_is_parsed_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            parse(&bytes, "/a");
        }
    }
}
