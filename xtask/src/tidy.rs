//! `cargo xtask tidy`: what the compiler and clippy do not check.
//!
//! Each rule is a function from text to complaints, with a test that shows a bad example failing. The layer table
//! is read from ARCHITECTURE.md, so that what people read is what is checked.

mod declared;
mod dependencies;
mod documents;
mod fixtures;
mod layers;
mod leftovers;
mod names;
mod sources;
mod spdx;

use crate::{say, shell, workspace};
use anyhow::{Context, Result};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

/// Bytes of a file in git. Larger things are made, fetched or recorded in parts.
const FILE_BYTES_MAX: u64 = 200_000;

/// Files that are larger for a reason.
const LARGE_FILES: [&str; 3] =
    ["Cargo.lock", "console/package-lock.json", "docs/reference/openapi.json"];

/// What is wrong, and where.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Complaint {
    pub(crate) path: PathBuf,
    pub(crate) line: usize,
    pub(crate) text: String,
}

impl Complaint {
    /// A complaint about a line, counted from 1; 0 is the file as a whole.
    pub(crate) fn new(path: &Path, line: usize, text: impl Into<String>) -> Self {
        Self { path: path.to_owned(), line, text: text.into() }
    }
}

/// Checks the tree and prints every complaint.
pub(crate) fn run() -> Result<ExitCode> {
    let root = workspace::root();
    let mut complaints = check(&root)?;
    complaints.sort();
    for complaint in &complaints {
        let place = match complaint.line {
            0 => complaint.path.display().to_string(),
            line => format!("{}:{line}", complaint.path.display()),
        };
        say::result(&format!("{place}: {}", complaint.text));
    }
    if complaints.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    say::note(&format!("tidy: {} complaints", complaints.len()));
    Ok(ExitCode::FAILURE)
}

fn check(root: &Path) -> Result<Vec<Complaint>> {
    let files = shell::tracked_files(root)?;
    let mut complaints = layers::check(root)?;
    complaints.extend(dependencies::check(root)?);
    complaints.extend(declared::check(&files, root));
    for path in &files {
        let size =
            std::fs::metadata(root.join(path)).with_context(|| path.display().to_string())?.len();
        complaints.extend(blob(path, size));
        complaints.extend(leftovers::name(path));
        let Ok(text) = std::fs::read_to_string(root.join(path)) else { continue };
        complaints.extend(documents::machine_paths(path, &text, root));
        complaints.extend(leftovers::words(path, &text));
        complaints.extend(fixtures::check(path, &text));
        match path.extension().and_then(|extension| extension.to_str()) {
            Some("rs") => {
                complaints.extend(sources::check(path, &text));
                complaints.extend(names::check(path, &text));
            }
            Some("ts" | "tsx") => complaints.extend(sources::unnumbered_marks(path, &text)),
            Some("md") => {
                complaints.extend(documents::dead_links(path, &text, |target| {
                    root.join(target).exists()
                }));
            }
            _ => {}
        }
    }
    complaints.extend(documents::decisions(&files, root));
    complaints.extend(documents::error_pages(&files, root));
    complaints.extend(shrunk_lock(root)?);
    Ok(complaints)
}

fn blob(path: &Path, size: u64) -> Option<Complaint> {
    let is_listed = LARGE_FILES.iter().any(|large| path == Path::new(large));
    (size > FILE_BYTES_MAX && !is_listed).then(|| {
        Complaint::new(path, 0, format!("{size} bytes; a file in git has at most {FILE_BYTES_MAX}"))
    })
}

/// What was promised once stays: the lock of the class catalog may only grow.
fn shrunk_lock(root: &Path) -> Result<Vec<Complaint>> {
    const LOCK: &str = "docs/reference/classes.lock";
    let mut command = Command::new("git");
    command.current_dir(root).args(["show", &format!("HEAD:{LOCK}")]);
    let committed = command.output().context("cannot run git")?;
    if !committed.status.success() {
        // Nothing is committed yet.
        return Ok(Vec::new());
    }
    let now = std::fs::read_to_string(root.join(LOCK)).unwrap_or_default();
    Ok(lost_lines(Path::new(LOCK), &String::from_utf8_lossy(&committed.stdout), &now))
}

fn lost_lines(path: &Path, before: &str, now: &str) -> Vec<Complaint> {
    before
        .lines()
        .filter(|line| !now.lines().any(|other| other == *line))
        .map(|line| {
            Complaint::new(path, 0, format!("`{line}` is gone; the class catalog only grows"))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_large_blob_is_complained_about_unless_it_is_listed() {
        assert!(blob(Path::new("tests/fixture.bin"), 200_001).is_some());
        assert!(blob(Path::new("tests/fixture.bin"), 200_000).is_none());
        assert!(blob(Path::new("Cargo.lock"), 300_000).is_none());
    }

    #[test]
    fn a_line_that_leaves_the_lock_is_complained_about_and_a_new_one_is_not() {
        let path = Path::new("classes.lock");
        assert_eq!(lost_lines(path, "a\nb\n", "a\nc\n").len(), 1);
        assert_eq!(lost_lines(path, "a\n", "a\nb\n"), []);
    }
}
