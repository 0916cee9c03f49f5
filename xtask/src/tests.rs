//! `cargo xtask test` and `check`: everything that says whether the tree is sound, in the order of what fails first.

use crate::packages::{self, Installed, PEERS, Peer};
use crate::steps::{self, Step};
use crate::workspace::{self, Profile, cargo};
use crate::{console, say, shell, tidy};
use anyhow::{Result, bail};
use std::process::ExitCode;

/// The exit code when something must be installed by hand first.
const MISSING_PACKAGES: u8 = 2;

/// What every build of Rust needs besides the toolchain.
const BUILD_PROGRAMS: [(&str, &str); 3] = [("cc", "gcc"), ("git", "git"), ("make", "make")];

/// How to run the tests.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Leave out the tests that need this peer; may be given several times. The summary names it.
    #[arg(long, value_name = "PEER")]
    without: Vec<String>,
}

/// Runs everything.
pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let without: Vec<&Peer> =
        arguments.without.iter().map(|name| packages::peer(name)).collect::<Result<_>>()?;
    let is_wanted = |peer: &&Peer| !without.iter().any(|left_out| left_out.name == peer.name);
    let mut programs = BUILD_PROGRAMS.to_vec();
    programs.extend(PEERS.iter().filter(is_wanted).flat_map(|peer| peer.programs));
    say::progress("looking for what the tests need");
    if packages::install(&packages::missing(&programs))? == Installed::ByHand {
        return Ok(ExitCode::from(MISSING_PACKAGES));
    }
    packages::ensure_lists()?;
    let skipped: Vec<String> = without
        .iter()
        .map(|peer| format!("{} ({}), left out by --without", peer.name, peer.purpose))
        .collect();
    let has_browser = !without.iter().any(|peer| peer.name == "chromium");
    let mut steps = static_steps();
    steps.extend(console_steps());
    let left_out: Vec<&str> = without.iter().flat_map(|peer| peer.tests.iter().copied()).collect();
    steps.push(Step::new("build the binaries", build_binaries));
    steps.push(Step::new("cargo test", move || cargo_test(&left_out)));
    if has_browser {
        steps.push(Step::new("console end-to-end in Chromium", console_end_to_end));
    }
    Ok(steps::run(steps, &skipped))
}

/// Runs what a commit should be preceded by.
pub(crate) fn check() -> Result<ExitCode> {
    let mut steps = static_steps();
    steps.push(Step::new("unit tests", || {
        shell::run_keeping_end(cargo().args([
            "test",
            "--workspace",
            "--exclude",
            "system-tests",
            "--lib",
            "--bins",
            "--quiet",
        ]))
    }));
    Ok(steps::run(steps, &[]))
}

fn static_steps<'a>() -> Vec<Step<'a>> {
    vec![
        Step::new("tidy", tidy_step),
        Step::new("cargo fmt", || {
            shell::run_keeping_end(cargo().args(["fmt", "--all", "--check"]))
        }),
        Step::new("cargo clippy", || {
            let arguments =
                ["clippy", "--workspace", "--all-targets", "--quiet", "--", "-D", "warnings"];
            shell::run_keeping_end(cargo().args(arguments))
        }),
    ]
}

fn tidy_step() -> Result<()> {
    if tidy::run()? != ExitCode::SUCCESS {
        bail!("tidy complains");
    }
    Ok(())
}

fn console_steps<'a>() -> Vec<Step<'a>> {
    vec![
        Step::new("console: packages", console::prepare),
        Step::new("console: build", || {
            shell::run_keeping_end(&mut console::npm(&["run", "build"]))
        }),
        Step::new("console: types", || {
            shell::run_keeping_end(&mut console::npm(&["run", "typecheck"]))
        }),
        Step::new("console: lint", || shell::run_keeping_end(&mut console::npm(&["run", "lint"]))),
        Step::new("console: test", || shell::run_keeping_end(&mut console::npm(&["test"]))),
    ]
}

fn build_binaries() -> Result<()> {
    shell::run_keeping_end(cargo().args([
        "build",
        "-p",
        "control-plane",
        "-p",
        "agent",
        "-p",
        "cli",
    ]))
}

fn cargo_test(left_out: &[&str]) -> Result<()> {
    let mut command = cargo();
    command.args(["test", "--workspace", "--quiet"]).env("INSTA_UPDATE", "no");
    if !left_out.is_empty() {
        command.arg("--");
        for name in left_out {
            command.args(["--skip", name]);
        }
    }
    shell::run_keeping_end(&mut command)
}

fn console_end_to_end() -> Result<()> {
    let binaries = workspace::target_directory()?.join(Profile::Dev.folder());
    shell::run_keeping_end(console::npm(&["run", "e2e"]).env("DHARMA_BINARIES", binaries))
}
