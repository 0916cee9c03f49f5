//! The scope `packages.npm`: packages that npm installed for the whole host, one level deep.
//!
//! What they need for themselves lies inside of them and is not told; a project's own packages are the project's.

use super::places;
use super::{Merged, Package, purl};
use crate::files::{self, StatGuard};
use collector::{Guard, Run, Target};
use model::Coverage;
use serde::Deserialize;

/// Where the distribution's npm installs.
const USUAL: &[&str] = &["/usr/lib/node_modules", "/usr/local/lib/node_modules"];

const PATTERNS: &[&str] = &[
    "/usr/lib/node_modules",
    "/usr/local/lib/node_modules",
    "/usr/share/nodejs",
    "/opt/*/lib/node_modules",
    "/root/.nvm/versions/node/*/lib/node_modules",
    "/home/*/.nvm/versions/node/*/lib/node_modules",
];

/// The largest package.json that is read; generated ones reach some hundred kilobytes.
const FILE_BYTES_MAX: usize = 512 * 1024;

/// What of package.json is of use. Authors write licences and people as text or as objects.
#[derive(Debug, Deserialize)]
struct Manifest {
    name: String,
    version: String,
    #[serde(default)]
    description: Option<serde_json::Value>,
    #[serde(default)]
    license: Option<serde_json::Value>,
    #[serde(default)]
    author: Option<serde_json::Value>,
}

/// The guard of the scope.
pub(super) fn guard(target: &Target) -> Guard {
    let mut guard = StatGuard::new();
    places::add_to_guard(target, PATTERNS, &mut guard);
    for folder in places::matching(target, PATTERNS) {
        // An update in place changes the package's folder only.
        guard.directory(target, &target.path(&folder));
    }
    guard.finish()
}

/// Looks at the scope.
pub(super) fn collect(target: &Target, run: &mut Run<'_>) -> Coverage {
    let folders = places::matching(target, PATTERNS);
    if folders.is_empty() {
        return Coverage::not_present("no folder of npm's packages for the whole host");
    }
    let mut merged = Merged::default();
    let mut buffer = Vec::new();
    for folder in folders {
        let path = target.path(&folder);
        let mut names = Vec::new();
        for name in files::list_dir(&path).unwrap_or_default() {
            if name.starts_with('@') {
                let scoped = files::list_dir(&target.below(&path, &name)).unwrap_or_default();
                names.extend(scoped.into_iter().map(|inner| format!("{name}/{inner}")));
            } else if !name.starts_with('.') {
                names.push(name);
            }
        }
        for name in names {
            let file = target.below(&path, &format!("{name}/package.json"));
            // Not every folder is a package.
            if files::read_into(&file, FILE_BYTES_MAX, &mut buffer).is_ok()
                && let Some(package) = parse(&buffer, &folder)
            {
                merged.add(package);
            }
        }
    }
    merged.finish(run)
}

fn parse(bytes: &[u8], folder: &str) -> Option<Package> {
    let manifest: Manifest = serde_json::from_slice(bytes).ok()?;
    if manifest.name.is_empty() || manifest.version.is_empty() {
        return None;
    }
    Some(Package {
        manager: places::manager("npm", USUAL, folder),
        place: Some(folder.to_owned()),
        purl: Some(purl::of_language("npm", &manifest.name, &manifest.version)),
        summary: manifest.description.as_ref().and_then(text),
        license: manifest.license.as_ref().and_then(text),
        maintainer: manifest.author.as_ref().and_then(text),
        name: manifest.name,
        version: manifest.version,
        ..Package::default()
    })
}

/// A text, or the name in an object.
fn text(value: &serde_json::Value) -> Option<String> {
    let text = value
        .as_str()
        .or_else(|| value.get("name")?.as_str())
        .or_else(|| value.get("type")?.as_str())?;
    (!text.is_empty()).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_manifest_is_read_in_all_its_forms() {
        let package = parse(br#"{"name":"@example/tool","version":"1.2.3","license":{"type":"MIT"},"author":"A <a@example.org>","dependencies":{"x":"1"}}"#, "/opt/n/lib/node_modules").unwrap();
        assert_eq!(package.purl.as_deref(), Some("pkg:npm/%40example/tool@1.2.3"));
        assert_eq!(package.license.as_deref(), Some("MIT"));
        assert_eq!(package.manager, "npm:/opt/n/lib/node_modules");
        assert_eq!(parse(b"{\"name\":1}", "/a"), None);
    }

    proptest! {
        #[test]
        fn any_manifest_is_parsed_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            parse(&bytes, "/a");
        }
    }
}
