//! Folders in which package managers of languages install: a pattern with `*` for one level of names.

use crate::files::{self, StatGuard};
use collector::Target;

/// The most folders that one pattern may lead to; versions of an interpreter, homes, environments below /opt.
const FOLDERS_MAX: usize = 256;

/// The folders on a target that match the patterns, sorted and each once, without the target's root.
///
/// `*` stands for any text within one name, at most once in it.
pub(super) fn matching(target: &Target, patterns: &[&str]) -> Vec<String> {
    let mut folders = Vec::new();
    for pattern in patterns {
        folders.extend(expanded(target, pattern));
    }
    folders.sort();
    folders.dedup();
    folders
}

fn expanded(target: &Target, pattern: &str) -> Vec<String> {
    let mut folders = vec![String::new()];
    for part in pattern.split('/').filter(|part| !part.is_empty()) {
        let mut next = Vec::new();
        for folder in &folders {
            let Some((start, end)) = part.split_once('*') else {
                next.push(format!("{folder}/{part}"));
                continue;
            };
            for name in files::list_dir(&target.path(folder)).unwrap_or_default() {
                if name.len() >= start.len() + end.len()
                    && name.starts_with(start)
                    && name.ends_with(end)
                {
                    next.push(format!("{folder}/{name}"));
                }
            }
        }
        next.truncate(FOLDERS_MAX);
        folders = next;
    }
    folders.retain(|folder| {
        // A link to another folder that matches would tell everything twice.
        std::fs::symlink_metadata(target.link_path(folder)).is_ok_and(|metadata| metadata.is_dir())
    });
    folders
}

/// Adds the folders that match to a guard: installing and removing changes them.
pub(super) fn add_to_guard(target: &Target, patterns: &[&str], guard: &mut StatGuard) {
    for folder in matching(target, patterns) {
        guard.bytes(folder.as_bytes());
        guard.path(&target.path(&folder));
    }
}

/// The manager's name for what lies in a folder: its own in the first, usual one, with the folder behind it
/// elsewhere, because the same name there is another installation.
pub(super) fn manager(
    tool: &'static str,
    usual: &[&str],
    folder: &str,
) -> std::borrow::Cow<'static, str> {
    if usual.contains(&folder) { tool.into() } else { format!("{tool}:{folder}").into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_lead_to_folders_and_not_to_links() {
        let place = tempfile::tempdir().unwrap();
        for folder in
            ["usr/lib/python3.11/site-packages", "usr/lib/python3.12/site-packages", "usr/lib/perl"]
        {
            std::fs::create_dir_all(place.path().join(folder)).unwrap();
        }
        std::os::unix::fs::symlink("python3.11", place.path().join("usr/lib/python3.x")).unwrap();
        std::os::unix::fs::symlink(
            "python3.11/site-packages",
            place.path().join("usr/lib/site-packages"),
        )
        .unwrap();
        let target = Target {
            id: "t".into(),
            site: "s".into(),
            root: place.path().to_owned(),
            remote: None,
        };
        let found = matching(
            &target,
            &["/usr/lib/python*/site-packages", "/usr/lib/site-packages", "/none/*"],
        );
        assert_eq!(
            found,
            [
                "/usr/lib/python3.11/site-packages",
                "/usr/lib/python3.12/site-packages",
                "/usr/lib/python3.x/site-packages"
            ]
        );
        assert_eq!(manager("pip", &["/a"], "/a"), "pip");
        assert_eq!(manager("pip", &["/a"], "/b"), "pip:/b");
    }
}
