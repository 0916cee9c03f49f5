//! `agent-size`: bytes of the stripped release agent.

use anyhow::Result;
use clap::Parser;
use system_tests::report::Report;
use system_tests::rig::Binaries;

#[derive(Parser)]
struct Arguments {
    /// Print one JSON object last
    #[arg(long)]
    json: bool,
    /// Accepted for uniformity; a file has one size
    #[arg(long)]
    quick: bool,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let mut report = Report::new("agent-size");
    let bytes = std::fs::metadata(Binaries::find()?.path("dharma-agent"))?.len();
    #[expect(clippy::cast_precision_loss, reason = "a file of megabytes")]
    report.figure("binary_bytes", bytes as f64);
    let exporter = ["/usr/bin/prometheus-node-exporter"]
        .into_iter()
        .find_map(|path| std::fs::metadata(path).ok());
    #[expect(clippy::cast_precision_loss, reason = "a file of megabytes")]
    match exporter {
        Some(file) => report.peer("node_exporter", "binary_bytes", file.len() as f64),
        None => report.missing("node_exporter"),
    }
    report.print(arguments.json);
    Ok(())
}
