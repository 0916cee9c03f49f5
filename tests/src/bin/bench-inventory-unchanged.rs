//! `inventory-unchanged`: what looking again costs when nothing has changed.
//!
//! The guarded scopes are those whose collector can tell from modification times that looking again would see the
//! same; the volatile ones (processes and sockets) are looked at whole, at 300 processes.

use anyhow::Result;
use clap::Parser;
use collector::{Collector, Run, Target};
use std::process::{Child, Command, Stdio};
use system_tests::report::Report;

#[derive(Parser)]
struct Arguments {
    /// Print one JSON object last
    #[arg(long)]
    json: bool,
    /// Three runs instead of five
    #[arg(long)]
    quick: bool,
}

/// How many processes the volatile scopes are measured at.
const PROCESSES: usize = 300;

/// Ends its processes when it is dropped.
struct Crowd(Vec<Child>);

impl Drop for Crowd {
    fn drop(&mut self) {
        for child in &mut self.0 {
            drop(child.kill());
            drop(child.wait());
        }
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let mut report = Report::new("inventory-unchanged");
    let collector = collector_host::HostCollector;
    let target = Target::own_host("00000000-0000-7000-8000-000000000000", "bench");
    let scopes = collector.manifest().scopes;
    let guarded: Vec<&str> = scopes
        .iter()
        .map(|scope| scope.name)
        .filter(|scope| collector.guard(&target, scope).is_some())
        .collect();
    let crowd = Crowd(crowd()?);
    for _ in 0..if arguments.quick { 3 } else { 5 } {
        let before = cpu_seconds();
        for scope in &guarded {
            collector.guard(&target, scope);
        }
        report.figure("cpu_ms", (cpu_seconds() - before) * 1e3);
        let before = cpu_seconds();
        for scope in scopes.iter().filter(|scope| scope.is_volatile) {
            let mut seen = Vec::new();
            collector.collect(&target, scope.name, &mut Run::new(&mut seen)).await?;
        }
        report.figure("volatile_cpu_ms", (cpu_seconds() - before) * 1e3);
        #[expect(clippy::cast_precision_loss, reason = "a frame of some kilobytes")]
        report.figure("wire_bytes", beat_bytes(scopes.len()) as f64);
    }
    #[expect(clippy::cast_precision_loss, reason = "a few dozen scopes")]
    report.figure("guarded_scopes", guarded.len() as f64);
    drop(crowd);
    report.print(arguments.json);
    Ok(())
}

/// Processes up to [`PROCESSES`] in all, each with an open socket pair's worth of nothing to do.
fn crowd() -> Result<Vec<Child>> {
    let running = std::fs::read_dir("/proc")?
        .filter_map(Result::ok)
        .filter(|entry| entry.file_name().to_string_lossy().parse::<u32>().is_ok())
        .count();
    (running..PROCESSES)
        .map(|_| {
            Ok(Command::new("sleep")
                .arg("600")
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()?)
        })
        .collect()
}

/// Bytes of the frame that confirms all scopes, before compression.
fn beat_bytes(scopes: usize) -> usize {
    use proto::Message;
    let confirmations = (0..scopes)
        .map(|index| proto::v1::ScopeConfirmation {
            scope: Some(proto::v1::ScopeName {
                collector: "host".into(),
                target: "00000000-0000-7000-8000-000000000000".into(),
                scope: format!("scope.{index:05}"),
            }),
            looked_at: 1_700_000_000_000,
            digest: vec![7; 16],
        })
        .collect();
    proto::v1::Beat { confirmations, ..Default::default() }.encoded_len()
}

/// Processor seconds of this process.
fn cpu_seconds() -> f64 {
    #[expect(unsafe_code, reason = "clock_gettime(2) has no form in std for processor time")]
    // SAFETY: the pointer points to a timespec that outlives the call; zeros are valid for it.
    let time = unsafe {
        let mut time: libc::timespec = std::mem::zeroed();
        libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &raw mut time);
        time
    };
    #[expect(clippy::cast_precision_loss, reason = "seconds of processor time are far below 2^52")]
    let seconds = time.tv_sec as f64 + time.tv_nsec as f64 / 1e9;
    seconds
}
