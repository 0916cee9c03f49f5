//! `cargo xtask fuzz`: random input for every decoder of foreign bytes, for as long as it is told to.
//!
//! Each decoder has property tests that make, mangle and cut its input, and the pure crates have some about what must
//! hold of any graph or order. A property without a target fails a test of this file. Here they run with many more
//! cases and fresh seeds until the time is over. What fails is shrunk and kept in `proptest-regressions/` beside the
//! source, where ordinary tests replay it from then on; commit it with the fix.

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
    Target { name: "agent-state", package: "agent", tests: &["arbitrary_bytes", "delta::"] },
    Target { name: "assignment", package: "control-plane", tests: &["targets::plan"] },
    Target { name: "command-line", package: "cli", tests: &["table::"] },
    Target { name: "host-hardware", package: "collector-host", tests: &["machine::"] },
    Target { name: "host-secrets", package: "collector-host", tests: &["redact::"] },
    Target { name: "host-software", package: "collector-host", tests: &["software::"] },
    Target { name: "host-tree", package: "collector-host", tests: &["hostile::"] },
    Target { name: "host-watch", package: "collector-host", tests: &["watch::sources"] },
    Target { name: "identity", package: "model", tests: &["identity::"] },
    Target { name: "ingest", package: "control-plane", tests: &["ingest::"] },
    Target { name: "own-classes", package: "model", tests: &["own_classes::"] },
    Target { name: "policies", package: "model", tests: &["policies::"] },
    Target { name: "queries", package: "control-plane", tests: &["api::"] },
    // Pure crates: all of their tests are about any input, and fast.
    Target { name: "reconcile", package: "reconcile", tests: &["::"] },
    Target {
        name: "snmp",
        package: "collector-snmp",
        tests: &["ber::", "hostile::", "message::", "oid::", "usm::"],
    },
    Target {
        name: "spool",
        package: "spool",
        tests: &["takes_any_bytes", "for_any_bytes", "damaged", "mangled::", "model::"],
    },
    Target { name: "store", package: "store", tests: &["codec::"] },
    Target {
        name: "sweep",
        package: "collector-sweep",
        tests: &[
            "addresses::",
            "half_open::",
            "datagram::",
            "echo::",
            "fingerprint::",
            "neighbors::",
            "pace::",
            "ports::",
            "text::",
            "tls::",
            "x509::",
        ],
    },
    Target { name: "sweep-nmap", package: "collector-sweep", tests: &["nmap::xml"] },
    Target { name: "targets", package: "model", tests: &["targets::"] },
    Target { name: "tokens", package: "pki", tests: &["tests::tokens"] },
    Target { name: "topology", package: "topology", tests: &["::"] },
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
    use crate::workspace;
    use std::path::Path;

    #[test]
    fn an_unknown_target_is_refused_with_the_names_of_all() {
        let arguments = Arguments { target: Some("kernel".into()), seconds: 0, list: true };
        assert!(run(&arguments).unwrap_err().to_string().contains("wire"));
    }

    #[test]
    fn targets_have_different_names_in_order() {
        assert!(TARGETS.windows(2).all(|pair| pair[0].name < pair[1].name));
    }

    /// A property test: its package, and its name as the test runner prints it.
    #[derive(Debug, Clone, PartialEq, Eq)]
    struct Property {
        package: String,
        name: String,
    }

    /// The properties of one source that lies at `inside` within its package.
    fn properties(package: &str, inside: &Path, text: &str) -> Vec<Property> {
        let stem = inside.with_extension("");
        // `src` is no module, and neither are `tests` and the name of a test binary.
        let skipped = if inside.starts_with("tests") { 2 } else { 1 };
        let mut modules: Vec<&str> =
            stem.iter().skip(skipped).filter_map(|part| part.to_str()).collect();
        modules.retain(|part| !["lib", "main"].contains(part));
        let mut found = Vec::new();
        let mut end = None;
        let mut is_inner = false;
        for line in text.lines() {
            is_inner |= line.starts_with("mod tests {");
            let word = line.trim_start();
            if word.starts_with("proptest! {") || word.starts_with("proptest::proptest! {") {
                end = Some(format!("{}}}", " ".repeat(line.len() - word.len())));
            }
            if end.as_deref() == Some(line) {
                end = None;
            }
            let name = word.strip_prefix("fn ").and_then(|rest| rest.split('(').next());
            if let (Some(name), Some(_)) = (name, &end) {
                let inner = if is_inner { "tests::" } else { "" };
                let name = format!("{}::{inner}{name}", modules.join("::"));
                found.push(Property { package: package.to_owned(), name });
            }
        }
        found
    }

    /// Every property of the workspace.
    fn all_properties() -> Vec<Property> {
        let root = workspace::root();
        let mut found = Vec::new();
        for path in shell::tracked_files(&root).unwrap() {
            // xtask has no decoders, and this file only speaks of properties.
            if path.extension().is_none_or(|end| end != "rs") || path.starts_with("xtask") {
                continue;
            }
            let Ok(text) = std::fs::read_to_string(root.join(&path)) else { continue };
            let folder = path.ancestors().find(|up| root.join(up).join("Cargo.toml").is_file());
            let folder = folder.unwrap().to_owned();
            let manifest = std::fs::read_to_string(root.join(&folder).join("Cargo.toml")).unwrap();
            let package = manifest.lines().find_map(|line| line.strip_prefix("name = \""));
            let package = package.unwrap_or_default().trim_end_matches('"');
            found.extend(properties(package, path.strip_prefix(&folder).unwrap(), &text));
        }
        found
    }

    fn is_fuzzed(property: &Property, target: &Target) -> bool {
        target.package == property.package
            && target.tests.iter().any(|part| property.name.contains(part))
    }

    #[test]
    fn a_property_is_found_by_the_name_that_the_test_runner_prints() {
        let inner = "//! x\nmod tests {\n    proptest! {\n        #[test]\n        fn any_text(text in \".*\") {\n        }\n    }\n    fn helper() {}\n}\n";
        let found = properties("a", Path::new("src/b/c.rs"), inner);
        assert_eq!(found, [Property { package: "a".into(), name: "b::c::tests::any_text".into() }]);
        let outer = "proptest::proptest! {\n    fn any_bytes(bytes in x) {}\n}\nfn other() {}\n";
        let found = properties("a", Path::new("tests/it/hostile.rs"), outer);
        assert_eq!(found, [Property { package: "a".into(), name: "hostile::any_bytes".into() }]);
    }

    #[test]
    fn a_property_without_a_target_would_be_noticed() {
        let known = |name: &str, package: &str| {
            let property = Property { package: package.into(), name: name.into() };
            TARGETS.iter().any(|target| is_fuzzed(&property, target))
        };
        assert!(known("machine::smart::tests::any_answer", "collector-host"));
        assert!(!known("machine::smart::tests::any_answer", "collector-snmp"));
        assert!(!known("brand_new::any_answer", "collector-host"));
    }

    #[test]
    fn every_property_test_has_a_target_and_every_part_of_a_target_has_a_property() {
        let properties = all_properties();
        assert!(properties.len() > 50, "{}", properties.len());
        let lost: Vec<&Property> = properties
            .iter()
            .filter(|property| !TARGETS.iter().any(|target| is_fuzzed(property, target)))
            .collect();
        assert!(lost.is_empty(), "no target of `cargo xtask fuzz` runs {lost:#?}");
        for target in TARGETS {
            for part in target.tests {
                let is_used = properties
                    .iter()
                    .any(|one| one.package == target.package && one.name.contains(part));
                assert!(is_used, "`{part}` of the target {} is in no property", target.name);
            }
        }
    }
}
