//! `inventory`: what a full look at this host costs, beside lshw, facter and fusioninventory-agent.
//!
//! Each run is a fresh process with nothing cached by us; the peers run their full default report on the same
//! machine in the same run. Output is thrown away by all.

use anyhow::{Context, Result};
use clap::Parser;
use collector::{Collector, Target};
use system_tests::process::cost_of;
use system_tests::report::Report;
use system_tests::rig::Binaries;

#[derive(Parser)]
struct Arguments {
    /// Print one JSON object last
    #[arg(long)]
    json: bool,
    /// Three runs instead of five
    #[arg(long)]
    quick: bool,
}

/// The peers: name, program, arguments of their full report.
const PEERS: &[(&str, &str, &[&str])] = &[
    ("lshw", "lshw", &["-json"]),
    ("facter", "facter", &["--json"]),
    ("fusioninventory-agent", "fusioninventory-inventory", &[]),
];

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let binaries = Binaries::find()?;
    let agent = binaries.path("dharma-agent");
    let agent = agent.to_str().context("the path of the agent is no text")?;
    let runs = if arguments.quick { 3 } else { 5 };
    let mut report = Report::new("inventory");
    for _ in 0..runs {
        let cost = cost_of(agent, &["collect", "host", "--json"])?;
        report.figure("cpu_s", cost.cpu_seconds);
        report.figure("wall_s", cost.wall_seconds);
        #[expect(clippy::cast_precision_loss, reason = "megabytes")]
        report.figure("peak_rss_mb", cost.rss_bytes_max as f64 / 1e6);
        for (peer, program, peer_arguments) in PEERS {
            match cost_of(program, peer_arguments) {
                Ok(cost) => {
                    report.peer(peer, "cpu_s", cost.cpu_seconds);
                    report.peer(peer, "wall_s", cost.wall_seconds);
                    #[expect(clippy::cast_precision_loss, reason = "megabytes")]
                    report.peer(peer, "peak_rss_mb", cost.rss_bytes_max as f64 / 1e6);
                }
                Err(_) => report.missing(peer),
            }
        }
    }
    let seen = seen().await?;
    #[expect(clippy::cast_precision_loss, reason = "a host has far fewer than 2^52 items")]
    {
        report.figure("items", seen.len() as f64);
        report.figure("facts", seen.iter().map(|item| item.facts.len()).sum::<usize>() as f64);
        report.figure("fields_missing", collector_host::fields_missing(&seen).len() as f64);
    }
    report.print(arguments.json);
    Ok(())
}

/// All that one look at every scope sees, by the same code as the agent's.
async fn seen() -> Result<Vec<model::Observation>> {
    let collector = collector_host::HostCollector;
    let target = Target::own_host("00000000-0000-7000-8000-000000000000", "bench");
    let mut seen = Vec::new();
    for scope in collector.manifest().scopes {
        seen.extend(collector::testing::look(&collector, &target, scope.name).await?.observations);
    }
    Ok(seen)
}
