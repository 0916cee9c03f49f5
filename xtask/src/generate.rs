//! `cargo xtask generate`: writes the parts of `docs/reference/` that are derived from the code.
//!
//! The package `generate` renders what follows from crates; the schemas come from the control plane's binary. With
//! `--check` nothing is written, and a difference is an error that names the file.

use crate::workspace::{self, Profile, cargo};
use crate::{console, shell};
use anyhow::{Context, Result, bail};
use std::path::Path;
use std::process::{Command, ExitCode};

/// What to generate.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Only compare; fail when a file would change.
    #[arg(long)]
    check: bool,
    /// Also take the picture of the console for the README (needs Chromium).
    #[arg(long)]
    picture: bool,
}

/// Schemas that the control plane prints, with their files.
const SCHEMAS: [(&str, &str); 2] = [("graphql", "schema.graphql"), ("openapi", "openapi.json")];

/// Writes or compares.
pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let mut command = cargo();
    command.args(["run", "--quiet", "-p", "generate", "--"]).arg(workspace::root());
    if arguments.check {
        command.arg("--check");
    }
    shell::run(&mut command)?;
    schemas(arguments.check)?;
    if arguments.picture {
        take_picture()?;
    }
    Ok(ExitCode::SUCCESS)
}

fn schemas(is_check: bool) -> Result<()> {
    shell::run(cargo().args(["build", "--quiet", "-p", "control-plane"]))?;
    let binary =
        workspace::target_directory()?.join(Profile::Dev.folder()).join("dharma-control-plane");
    for (name, file) in SCHEMAS {
        let text = shell::output(Command::new(&binary).args(["schema", name]))?;
        place(&workspace::root().join("docs/reference").join(file), &text, is_check)?;
    }
    Ok(())
}

fn place(path: &Path, text: &[u8], is_check: bool) -> Result<()> {
    if std::fs::read(path).is_ok_and(|old| old == text) {
        return Ok(());
    }
    if is_check {
        bail!("{} is not what the code says: run `cargo xtask generate`", path.display());
    }
    std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}

fn take_picture() -> Result<()> {
    let binaries = workspace::target_directory()?.join(Profile::Dev.folder());
    console::build_if_stale()?;
    shell::run(console::npm(&["run", "picture"]).env("DHARMA_BINARIES", binaries))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_is_an_error_when_only_comparing_and_nothing_is_written() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.md");
        assert!(place(&path, b"new", true).is_err());
        assert!(!path.exists());
        place(&path, b"new", false).unwrap();
        place(&path, b"new", true).unwrap();
    }
}
