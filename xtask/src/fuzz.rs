//! `cargo xtask fuzz`: random input for every decoder of foreign bytes, for as long as it is told to.
//!
//! Each decoder has property tests that make, mangle and cut its input. Here they run with many more cases and fresh
//! seeds until the time is over. What fails is shrunk and kept in `proptest-regressions/` beside the source, where
//! ordinary tests replay it from then on; commit it with the fix.

use crate::steps::now;
use crate::workspace::cargo;
use crate::{say, shell};
use anyhow::{Context, Result, bail};
use std::process::ExitCode;
use std::time::Duration;

/// Cases of one property in one round: some seconds of work for most decoders.
const CASES: &str = "20000";

/// What to fuzz.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Which family of decoders; all of them in turn when left out.
    target: Option<String>,
    /// For how long each.
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// Only list the targets.
    #[arg(long)]
    list: bool,
}

/// A family of decoders: the package that has them, and parts of the names of their property tests.
struct Target {
    name: &'static str,
    package: &'static str,
    tests: &'static [&'static str],
}

const TARGETS: &[Target] = &[
    Target { name: "agent-state", package: "agent", tests: &["arbitrary_bytes", "a_flipped_bit"] },
    Target { name: "host-hardware", package: "collector-host", tests: &["machine::"] },
    Target { name: "host-secrets", package: "collector-host", tests: &["redact::"] },
    Target { name: "host-software", package: "collector-host", tests: &["software::"] },
    Target {
        name: "spool",
        package: "spool",
        tests: &["takes_any_bytes", "for_any_bytes", "damaged", "mangled"],
    },
    Target { name: "store", package: "store", tests: &["arbitrary_bytes"] },
    Target { name: "tokens", package: "pki", tests: &["tests::tokens", "any_bytes"] },
    Target { name: "wire", package: "proto", tests: &["arbitrary_bytes"] },
];

/// Runs one target or all.
pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let wanted =
        |target: &&Target| arguments.target.as_ref().is_none_or(|name| target.name == name);
    let targets: Vec<&Target> = TARGETS.iter().filter(wanted).collect();
    if targets.is_empty() {
        let names: Vec<&str> = TARGETS.iter().map(|target| target.name).collect();
        bail!("there is no such target: the targets are {}", names.join(", "));
    }
    for target in targets {
        if arguments.list {
            say::result(target.name);
        } else {
            fuzz(target, Duration::from_secs(arguments.seconds))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn fuzz(target: &Target, duration: Duration) -> Result<()> {
    // Building does not count as time.
    shell::run(cargo().args(["test", "--quiet", "--no-run", "-p", target.package]))?;
    let begin = now();
    let mut rounds = 0_u32;
    while rounds == 0 || begin.elapsed() < duration {
        say::progress(&format!("{}, round {}", target.name, rounds + 1));
        let mut command = cargo();
        command.args(["test", "--quiet", "-p", target.package, "--"]).args(target.tests);
        command.env("PROPTEST_CASES", CASES);
        shell::run(&mut command).with_context(|| {
            format!(
                "{} failed; the input is kept in proptest-regressions/ beside the source",
                target.name
            )
        })?;
        rounds += 1;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_target_is_refused_with_the_names_of_all() {
        let arguments = Arguments { target: Some("kernel".into()), seconds: 0, list: true };
        assert!(run(&arguments).unwrap_err().to_string().contains("wire"));
    }

    #[test]
    fn targets_have_different_names_in_order() {
        assert!(TARGETS.windows(2).all(|pair| pair[0].name < pair[1].name));
    }
}
