//! The scopes `packages.snap` and `packages.flatpak`: applications that bring their own world, by their folders.

use super::places;
use super::{Merged, Package};
use crate::files::{self, StatGuard};
use collector::{Guard, Run, Target};
use model::Coverage;

/// Where snaps are mounted: most distributions, and those that keep the root clean.
const SNAP_FOLDERS: [&str; 2] = ["/snap", "/var/lib/snapd/snap"];

const FLATPAK_PATTERNS: &[&str] = &["/var/lib/flatpak/app/*/*/*", "/var/lib/flatpak/runtime/*/*/*"];

/// The largest description of a snap that is read.
const SNAP_BYTES_MAX: usize = 256 * 1024;

/// The head of an application's metadata in which its releases stand.
const METAINFO_BYTES_MAX: usize = 256 * 1024;

/// The guard of the scope `packages.snap`. A new revision is another target of the link `current`.
pub(super) fn snap_guard(target: &Target) -> Guard {
    let mut guard = StatGuard::new();
    for folder in SNAP_FOLDERS {
        let folder = target.path(folder);
        guard.path(&folder);
        for name in files::list_dir(&folder).unwrap_or_default() {
            guard.bytes(name.as_bytes());
            let current = target.below(&folder, &name).join("current");
            guard.bytes(files::link_name(&current).unwrap_or_default().as_bytes());
        }
    }
    guard.finish()
}

/// Looks at the scope `packages.snap`.
pub(super) fn collect_snaps(target: &Target, run: &mut Run<'_>) -> Coverage {
    let mut merged = Merged::default();
    let mut is_present = false;
    for folder in SNAP_FOLDERS {
        let Ok(names) = files::list_dir(&target.path(folder)) else { continue };
        is_present = true;
        for name in names.iter().filter(|name| *name != "bin" && *name != "README") {
            let current = target.link_path(&format!("{folder}/{name}/current"));
            let revision = files::link_name(&current);
            let yaml = target.path(&format!("{folder}/{name}/current/meta/snap.yaml"));
            let text = files::read_to_string_limited(&yaml, SNAP_BYTES_MAX);
            match text {
                Ok(text) => merged.extend(parse_snap(&text, name, revision)),
                // A snap that is disabled has no current revision.
                Err(error) if files::refusal(&error) == files::Refusal::NotFound => {}
                Err(error) => run.failed(format!("{folder}/{name}"), error),
            }
        }
    }
    if !is_present {
        return Coverage::not_present("snap is not installed");
    }
    merged.finish(run)
}

/// Parses the top level of a snap.yaml; nested lines begin with blanks.
fn parse_snap(text: &str, name: &str, revision: Option<String>) -> Option<Package> {
    let value = |key: &str| {
        text.lines()
            .find_map(|line| line.strip_prefix(key)?.strip_prefix(':'))
            .map(|value| value.trim().trim_matches(['"', '\'']).to_owned())
            .filter(|value| !value.is_empty())
    };
    Some(Package {
        manager: "snap".into(),
        name: value("name").unwrap_or_else(|| name.to_owned()),
        version: value("version").or_else(|| revision.clone())?,
        architecture: value("architecture").unwrap_or_default(),
        summary: value("summary"),
        license: value("license"),
        place: revision.map(|revision| format!("revision {revision}")),
        ..Package::default()
    })
}

/// The guard of the scope `packages.flatpak`.
pub(super) fn flatpak_guard(target: &Target) -> Guard {
    let mut guard = StatGuard::new();
    places::add_to_guard(target, FLATPAK_PATTERNS, &mut guard);
    guard.finish()
}

/// Looks at the scope `packages.flatpak`.
pub(super) fn collect_flatpaks(target: &Target, run: &mut Run<'_>) -> Coverage {
    if std::fs::metadata(target.path("/var/lib/flatpak")).is_err() {
        return Coverage::not_present("flatpak is not installed");
    }
    let mut merged = Merged::default();
    for folder in places::matching(target, FLATPAK_PATTERNS) {
        // …/app/NAME/ARCHITECTURE/BRANCH
        let mut parts = folder.rsplit('/');
        let (Some(branch), Some(architecture), Some(name)) =
            (parts.next(), parts.next(), parts.next())
        else {
            continue;
        };
        let metainfo =
            target.path(&format!("{folder}/active/files/share/metainfo/{name}.metainfo.xml"));
        let text = files::read_to_string_limited(&metainfo, METAINFO_BYTES_MAX).unwrap_or_default();
        merged.add(Package {
            manager: "flatpak".into(),
            name: name.to_owned(),
            version: first_release(&text).unwrap_or(branch).to_owned(),
            architecture: architecture.to_owned(),
            summary: element(&text, "summary").map(str::to_owned),
            license: element(&text, "project_license").map(str::to_owned),
            place: Some(format!("branch {branch}")),
            ..Package::default()
        });
    }
    merged.finish(run)
}

/// The version of the first release, which is the newest.
fn first_release(text: &str) -> Option<&str> {
    let (_, rest) = text.split_once("<release ")?;
    let (attributes, _) = rest.split_once('>')?;
    let (_, value) = attributes.split_once("version=")?;
    let quote = value.get(..1).filter(|quote| *quote == "\"" || *quote == "'")?;
    value.get(1..)?.split(quote).next().filter(|version| !version.is_empty())
}

/// The text of the first element of that name that has no attributes, so that it is in the plain language.
fn element<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(&format!("<{name}>"))?;
    rest.split('<').next().map(str::trim).filter(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn snaps_and_flatpaks_are_told_by_their_folders() {
        let place = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = place.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        write(
            "snap/core22/1380/meta/snap.yaml",
            "name: core22\nversion: '20240408'\nsummary: Runtime\napps:\n  version: no\n",
        );
        write("snap/README", "");
        std::os::unix::fs::symlink("1380", place.path().join("snap/core22/current")).unwrap();
        write(
            "var/lib/flatpak/app/org.example.App/x86_64/stable/active/files/share/metainfo/org.example.App.metainfo.xml",
            "<component><summary xml:lang=\"de\">Nein</summary><summary>Yes</summary><releases><release date=\"x\" version=\"2.1\"/><release version=\"2.0\"/></releases></component>",
        );
        let target = Target {
            id: "t".into(),
            site: "s".into(),
            root: place.path().to_owned(),
            remote: None,
        };
        let mut seen = Vec::new();
        let mut run = Run::new(&mut seen);
        assert_eq!(collect_snaps(&target, &mut run), Coverage::complete());
        assert_eq!(collect_flatpaks(&target, &mut run), Coverage::complete());
        let told: Vec<String> = seen
            .iter()
            .map(|seen| {
                ["name", "version", "place", "summary"]
                    .map(|name| seen.facts[name].to_line())
                    .join(" | ")
            })
            .collect();
        assert_eq!(
            told,
            [
                "core22 | 20240408 | revision 1380 | Runtime",
                "org.example.App | 2.1 | branch stable | Yes"
            ]
        );
    }

    proptest! {
        #[test]
        fn any_text_is_parsed_without_panic(text in "[<>=a-z\"' :\n]{0,100}") {
            parse_snap(&text, "x", None);
            first_release(&format!("<release {text}"));
            element(&text, "summary");
        }
    }
}
