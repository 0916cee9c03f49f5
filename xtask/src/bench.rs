//! `cargo xtask bench` and `sim`: names for the commands of other packages.
//!
//! A benchmark's own program measures and prints; the last line that it prints to stdout is one JSON object. What
//! is built first goes to stderr. A rival that is not there and cannot be installed is named by the benchmark as
//! missing; it does not keep the benchmark from running.

use crate::workspace::{self, Profile, cargo};
use crate::{packages, say, shell};
use anyhow::{Result, bail};
use std::process::ExitCode;

/// How to run a benchmark.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Which; without it the names are listed.
    name: Option<String>,
    /// Print one JSON object last (always done; accepted so that scripts can say what they rely on).
    #[arg(long)]
    json: bool,
    /// A smaller run, for a first impression.
    #[arg(long)]
    quick: bool,
    /// The seed of whatever is drawn at random.
    #[arg(long)]
    seed: Option<u64>,
}

/// One benchmark.
struct Benchmark {
    name: &'static str,
    /// Arguments of `cargo run --release`, up to the program.
    program: &'static [&'static str],
    /// Programs that it compares with, with their Debian packages.
    rivals: &'static [(&'static str, &'static str)],
    /// Whether it runs the product's binaries, which are then built first.
    needs_product: bool,
}

const INVENTORY_RIVALS: &[(&str, &str)] =
    &[("lshw", "lshw"), ("facter", "facter"), ("fusioninventory-agent", "fusioninventory-agent")];

const SWEEP_RIVALS: &[(&str, &str)] =
    &[("nmap", "nmap"), ("fping", "fping"), ("ip", "iproute2"), ("nft", "nftables")];

const NODE_EXPORTER: &[(&str, &str)] = &[("prometheus-node-exporter", "prometheus-node-exporter")];

const BENCHMARKS: &[Benchmark] = &[
    Benchmark {
        name: "agent-idle",
        program: &["-p", "system-tests", "--bin", "bench-agent-idle"],
        rivals: NODE_EXPORTER,
        needs_product: true,
    },
    Benchmark {
        name: "agent-size",
        program: &["-p", "system-tests", "--bin", "bench-agent-size"],
        rivals: NODE_EXPORTER,
        needs_product: true,
    },
    Benchmark {
        name: "history",
        program: &["-p", "system-tests", "--bin", "bench-history"],
        rivals: &[],
        needs_product: true,
    },
    Benchmark {
        name: "identity",
        program: &["-p", "system-tests", "--bin", "bench-identity"],
        rivals: &[],
        needs_product: false,
    },
    Benchmark {
        name: "identity-order",
        program: &["-p", "system-tests", "--bin", "bench-identity-order"],
        rivals: &[],
        needs_product: false,
    },
    Benchmark {
        name: "ingest",
        program: &["-p", "control-plane", "--example", "bench_ingest"],
        rivals: &[],
        needs_product: true,
    },
    Benchmark {
        name: "inventory",
        program: &["-p", "system-tests", "--bin", "bench-inventory"],
        rivals: INVENTORY_RIVALS,
        needs_product: true,
    },
    Benchmark {
        name: "inventory-unchanged",
        program: &["-p", "system-tests", "--bin", "bench-inventory-unchanged"],
        rivals: &[],
        needs_product: true,
    },
    Benchmark {
        name: "reconcile",
        program: &["-p", "system-tests", "--bin", "bench-reconcile"],
        rivals: &[],
        needs_product: false,
    },
    Benchmark {
        name: "snmp-walk",
        program: &["-p", "system-tests", "--bin", "bench-snmp-walk"],
        rivals: &[("snmpd", "snmpd"), ("snmpbulkwalk", "snmp")],
        needs_product: false,
    },
    Benchmark {
        name: "spool",
        program: &["-p", "spool", "--example", "bench_spool"],
        rivals: &[],
        needs_product: false,
    },
    Benchmark {
        name: "streams",
        program: &["-p", "system-tests", "--bin", "bench-streams"],
        rivals: &[],
        needs_product: true,
    },
    Benchmark {
        name: "sweep",
        program: &["-p", "system-tests", "--bin", "bench-sweep"],
        rivals: SWEEP_RIVALS,
        needs_product: false,
    },
    Benchmark {
        name: "topology",
        program: &["-p", "system-tests", "--bin", "bench-topology"],
        rivals: &[],
        needs_product: false,
    },
];

/// Runs a benchmark.
pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let names: Vec<&str> = BENCHMARKS.iter().map(|benchmark| benchmark.name).collect();
    let Some(name) = &arguments.name else {
        for name in names {
            say::result(name);
        }
        return Ok(ExitCode::SUCCESS);
    };
    let Some(benchmark) = BENCHMARKS.iter().find(|benchmark| benchmark.name == name) else {
        bail!("there is no benchmark `{name}`: the benchmarks are {}", names.join(", "));
    };
    packages::try_install(&packages::missing(benchmark.rivals));
    if benchmark.needs_product {
        shell::run(cargo().args([
            "build",
            "--release",
            "-p",
            "control-plane",
            "-p",
            "agent",
            "-p",
            "cli",
        ]))?;
    }
    let mut command = cargo();
    command.args(["run", "--quiet", "--release"]).args(benchmark.program).arg("--").arg("--json");
    if arguments.quick {
        command.arg("--quick");
    }
    if let Some(seed) = arguments.seed {
        command.args(["--seed", &seed.to_string()]);
    }
    command.env("DHARMA_BINARIES", workspace::target_directory()?.join(Profile::Release.folder()));
    relay(&shell::output(&mut command)?)
}

/// Passes the output on, after checking that one JSON object ends it.
fn relay(output: &[u8]) -> Result<ExitCode> {
    let text = String::from_utf8_lossy(output);
    for line in text.lines() {
        say::result(line);
    }
    match text.lines().last().map(serde_json::from_str::<serde_json::Value>) {
        Some(Ok(value)) if value.is_object() => Ok(ExitCode::SUCCESS),
        _ => bail!("the benchmark did not end with one JSON object"),
    }
}

/// Runs the simulation.
pub(crate) fn simulate(seed: Option<u64>) -> Result<ExitCode> {
    let mut command = cargo();
    command.args(["test", "-p", "system-tests", "--lib", "simulation", "--", "--nocapture"]);
    if let Some(seed) = seed {
        command.env("DHARMA_SIM_SEED", seed.to_string());
    }
    shell::run(&mut command)?;
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn output_that_does_not_end_with_an_object_is_an_error() {
        for output in ["", "{}\nnot json", "[1]", "3"] {
            assert!(relay(output.as_bytes()).is_err(), "{output}");
        }
        assert!(relay(b"text\n{\"a\":1}\n").is_ok());
    }

    #[test]
    fn every_benchmark_has_one_name() {
        let mut names: Vec<&str> = BENCHMARKS.iter().map(|benchmark| benchmark.name).collect();
        names.dedup();
        assert_eq!(names.len(), BENCHMARKS.len());
        assert!(names.is_sorted());
    }
}
