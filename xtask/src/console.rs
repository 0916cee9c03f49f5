//! Building and testing the web console with npm.

use crate::{say, shell, workspace};
use anyhow::{Context, Result, bail};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;

/// The oldest Node that the console's packages run on.
const NODE_VERSION_MIN: (u32, u32) = (20, 19);

/// Folders below the console's that hold no source.
const NOT_SOURCE: [&str; 2] = ["node_modules", "dist"];

/// The console's folder.
pub(crate) fn directory() -> PathBuf {
    workspace::root().join("console")
}

/// An npm command in the console's folder.
pub(crate) fn npm(arguments: &[&str]) -> Command {
    let mut command = Command::new("npm");
    command.current_dir(directory()).args(arguments);
    command
}

/// Installs packages and builds the console where its sources are newer than what was built.
pub(crate) fn build_if_stale() -> Result<()> {
    prepare()?;
    let built = modified(&directory().join("dist/index.html"));
    if built.is_some_and(|built| newest_source(&directory()) <= Some(built)) {
        return Ok(());
    }
    say::progress("building the console");
    shell::run(&mut npm(&["run", "build"]))
}

/// Checks Node and installs the packages of the lock file where they are not.
pub(crate) fn prepare() -> Result<()> {
    check_node()?;
    let lock = modified(&directory().join("package-lock.json"));
    let installed = modified(&directory().join("node_modules/.package-lock.json"));
    if installed.is_some() && installed >= lock {
        return Ok(());
    }
    say::progress("installing the console's packages");
    shell::run(&mut npm(&["ci", "--no-audit", "--no-fund"]))
}

fn check_node() -> Result<()> {
    let needed = format!(
        "the console is built with Node {}.{} or newer and npm: install them from https://nodejs.org or your distribution",
        NODE_VERSION_MIN.0, NODE_VERSION_MIN.1
    );
    let output = Command::new("node").arg("--version").output().context(needed.clone())?;
    let text = String::from_utf8_lossy(&output.stdout);
    let version =
        version_of(&text).with_context(|| format!("`node --version` said `{}`", text.trim()))?;
    if version < NODE_VERSION_MIN {
        bail!("Node {} is too old: {needed}", text.trim());
    }
    if !shell::is_installed("npm") {
        bail!("npm is missing: {needed}");
    }
    Ok(())
}

fn version_of(text: &str) -> Option<(u32, u32)> {
    let mut numbers = text.trim().strip_prefix('v')?.split('.');
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

fn modified(path: &Path) -> Option<SystemTime> {
    std::fs::metadata(path).ok()?.modified().ok()
}

fn newest_source(directory: &Path) -> Option<SystemTime> {
    let mut newest = None;
    let mut waiting = vec![directory.to_owned()];
    while let Some(directory) = waiting.pop() {
        for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
            let is_source = !NOT_SOURCE.iter().any(|name| entry.file_name() == *name);
            match entry.file_type() {
                Ok(kind) if kind.is_dir() && is_source => waiting.push(entry.path()),
                Ok(kind) if kind.is_file() => newest = newest.max(modified(&entry.path())),
                _ => {}
            }
        }
    }
    newest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_that_is_no_version_is_none() {
        for text in ["", "20.19.0", "v20", "vx.y.z"] {
            assert_eq!(version_of(text), None, "{text}");
        }
        assert_eq!(version_of("v20.19.4\n"), Some((20, 19)));
        assert!(version_of("v20.9.0").unwrap() < NODE_VERSION_MIN);
    }

    #[test]
    fn packages_and_builds_are_no_sources() {
        let directory = tempfile::tempdir().unwrap();
        for name in NOT_SOURCE {
            std::fs::create_dir(directory.path().join(name)).unwrap();
            std::fs::write(directory.path().join(name).join("index.js"), "").unwrap();
        }
        assert_eq!(newest_source(directory.path()), None);
        std::fs::create_dir(directory.path().join("src")).unwrap();
        std::fs::write(directory.path().join("src/main.tsx"), "").unwrap();
        assert!(newest_source(directory.path()).is_some());
    }
}
