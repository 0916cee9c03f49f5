//! `inventory`: what a full look at this host costs, beside lshw, facter and fusioninventory-agent.
//!
//! Each run is a fresh process with nothing cached by us; the peers run their full default report on the same
//! machine in the same run. Output is thrown away by all.

use anyhow::{Context, Result};
use clap::Parser;
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

fn main() -> Result<()> {
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
        let seen = observations(&cost.output)?;
        #[expect(clippy::cast_precision_loss, reason = "a host has far fewer than 2^52 items")]
        {
            report.figure("items", seen.len() as f64);
            report.figure(
                "facts",
                seen.iter()
                    .map(|item| item["facts"].as_object().map_or(0, serde_json::Map::len))
                    .sum::<usize>() as f64,
            );
            report.figure("fields_missing", missing(&seen).len() as f64);
        }
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
    report.print(arguments.json);
    Ok(())
}

/// The observations of `dharma-agent collect host --json`: one JSON object a line.
fn observations(output: &[u8]) -> Result<Vec<serde_json::Value>> {
    output
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
        .map(|line| {
            serde_json::from_slice(line).context("the agent printed a line that is no JSON")
        })
        .collect()
}

/// The demanded fields that no observation has.
fn missing(seen: &[serde_json::Value]) -> Vec<String> {
    collector_host::DEMANDED_FIELDS
        .iter()
        .filter(|(class, attribute)| {
            !seen.iter().any(|item| {
                item["class"] == *class
                    && (item["facts"].get(attribute).is_some()
                        || item["readings"].get(attribute).is_some())
            })
        })
        .map(|(class, attribute)| format!("{class}.{attribute}"))
        .collect()
}
