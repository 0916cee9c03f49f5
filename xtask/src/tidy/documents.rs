//! Documents: links that lead nowhere, paths of somebody's machine, decisions and error pages without index.

use super::Complaint;
use std::path::{Component, Path, PathBuf};

/// The relative links of a Markdown page must lead to files.
pub(crate) fn dead_links(
    path: &Path,
    text: &str,
    exists: impl Fn(&Path) -> bool,
) -> Vec<Complaint> {
    let folder = path.parent().unwrap_or_else(|| Path::new(""));
    let mut complaints = Vec::new();
    let mut is_code = false;
    for (index, line) in text.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            is_code = !is_code;
        }
        if is_code {
            continue;
        }
        for link in links(line) {
            let target = link.split(['#', '?']).next().unwrap_or_default();
            let is_outside = link.contains("://") || link.starts_with("mailto:");
            if target.is_empty() || is_outside || exists(&joined(folder, target)) {
                continue;
            }
            complaints.push(Complaint::new(
                path,
                index + 1,
                format!("the link `{link}` leads nowhere"),
            ));
        }
    }
    complaints
}

/// The targets of `[text](target)` in a line.
fn links(line: &str) -> impl Iterator<Item = &str> {
    line.split("](").skip(1).filter_map(|rest| rest.split([')', ' ']).next())
}

/// A path relative to the root, with `..` resolved.
fn joined(folder: &Path, target: &str) -> PathBuf {
    let mut path = folder.to_owned();
    for part in Path::new(target).components() {
        match part {
            Component::ParentDir => {
                path.pop();
            }
            Component::Normal(name) => path.push(name),
            _ => {}
        }
    }
    path
}

/// Nothing in the tree may name the place of this checkout.
pub(crate) fn machine_paths(path: &Path, text: &str, root: &Path) -> Vec<Complaint> {
    let place = root.to_string_lossy();
    // A checkout at / or at a place as general as /src would be found in every text.
    if root.components().count() < 3 {
        return Vec::new();
    }
    text.lines()
        .enumerate()
        .filter(|(_, line)| line.contains(place.as_ref()))
        .map(|(index, _)| {
            Complaint::new(path, index + 1, "names the place of a checkout on somebody's machine")
        })
        .collect()
}

/// Every decision stands in the index.
pub(crate) fn decisions(files: &[PathBuf], root: &Path) -> Vec<Complaint> {
    let index = Path::new("docs/decisions/README.md");
    not_listed(files, Path::new("docs/decisions"), index, root)
}

/// Every page of an error code stands in the index.
pub(crate) fn error_pages(files: &[PathBuf], root: &Path) -> Vec<Complaint> {
    let index = Path::new("docs/reference/errors/README.md");
    not_listed(files, Path::new("docs/reference/errors"), index, root)
}

fn not_listed(files: &[PathBuf], folder: &Path, index: &Path, root: &Path) -> Vec<Complaint> {
    let listed = std::fs::read_to_string(root.join(index)).unwrap_or_default();
    unlisted(files, folder, index, &listed)
}

fn unlisted(files: &[PathBuf], folder: &Path, index: &Path, listed: &str) -> Vec<Complaint> {
    files
        .iter()
        .filter(|file| file.parent() == Some(folder) && file.as_path() != index)
        .filter(|file| file.extension().is_some_and(|extension| extension == "md"))
        .filter_map(|file| Some((file, file.file_name()?.to_str()?)))
        .filter(|(_, name)| !listed.contains(&format!("({name})")))
        .map(|(file, _)| Complaint::new(file, 0, format!("is not listed in {}", index.display())))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_to_nowhere_is_complained_about() {
        let text =
            "see [a](b.md), [c](../d.md#e) and [f](https://example.org)\n```\n[g](h)\n```\n[i](#j)";
        let path = Path::new("docs/guide/page.md");
        assert_eq!(dead_links(path, text, |_| false).len(), 2);
        let found = dead_links(path, text, |target| target == Path::new("docs/d.md"));
        assert_eq!(found.len(), 1);
        assert!(found[0].text.contains("b.md"));
    }

    #[test]
    fn the_place_of_the_checkout_is_complained_about() {
        let root = Path::new("/home/ada/dharma");
        assert_eq!(machine_paths(Path::new("a"), "cd /home/ada/dharma/agent", root).len(), 1);
        assert_eq!(machine_paths(Path::new("a"), "cd dharma", root), []);
    }

    #[test]
    fn a_page_that_the_index_lacks_is_complained_about() {
        let folder = Path::new("docs/decisions");
        let files = [folder.join("0001-a.md"), folder.join("0002-b.md"), folder.join("README.md")];
        let found = unlisted(&files, folder, &folder.join("README.md"), "| [1](0001-a.md) |");
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].path, files[1]);
    }
}
