//! `agent-idle`: what an agent costs that has nothing to report, and how fresh the graph is all the same.
//!
//! The packaged configuration, every host collector on, uplink connected. Memory and processor time are read after
//! the first inventory, over windows of a minute; a new listener, a new process and a changed interface are timed
//! from their making to their appearance in the control plane's answers.
#![expect(clippy::indexing_slicing, reason = "indexing JSON gives null where there is nothing")]

use anyhow::{Context, Result};
use clap::Parser;
use environment::Clock;
use std::net::TcpListener;
use std::time::Duration;
use system_tests::process::{Process, usage_of};
use system_tests::report::Report;
use system_tests::rig::{Binaries, ControlPlane, start_agent, wait_for_web};
use system_tests::web::{Web, value};

#[derive(Parser)]
struct Arguments {
    /// Print one JSON object last
    #[arg(long)]
    json: bool,
    /// Three windows of a minute instead of five
    #[arg(long)]
    quick: bool,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let binaries = Binaries::find()?;
    let folder = tempfile::tempdir()?;
    let mut control_plane = ControlPlane::start(&binaries, folder.path()).await?;
    let mut agent = start_agent(&binaries, &control_plane, folder.path()).await?;
    wait_for_web("the first inventory", || first_inventory(&control_plane.web)).await?;
    // The first inventory's children have ended and its records are acknowledged half a minute later.
    tokio::time::sleep(Duration::from_secs(30)).await;

    let mut report = Report::new("agent-idle");
    let windows = if arguments.quick { 3 } else { 5 };
    idle(&mut report, &mut agent, windows).await?;
    // Of fewer than twenty tries the 95th percentile is the slowest.
    let mut slowest = (0.0_f64, 0.0_f64);
    for index in 0..windows {
        slowest.0 = slowest.0.max(new_listener(&control_plane.web).await?);
        slowest.1 = slowest.1.max(changed_interface(&control_plane.web, index).await?);
    }
    report.figure("freshness_p95_s", slowest.0);
    report.figure("freshness_unit_p95_s", slowest.1);
    node_exporter(&mut report, folder.path()).await?;
    agent.check()?;
    control_plane.process.check()?;
    report.print(arguments.json);
    Ok(())
}

async fn first_inventory(web: &Web) -> Result<Option<()>> {
    let counts = web.get("/api/v1/counts").await?;
    let classes = counts["classes"].as_array().cloned().unwrap_or_default();
    let has = |class: &str| {
        classes.iter().any(|entry| entry["class"] == class && entry["count"].as_u64() > Some(0))
    };
    Ok((has("host") && has("process") && has("package")).then_some(()))
}

async fn idle(report: &mut Report, agent: &mut Process, windows: usize) -> Result<()> {
    for _ in 0..windows {
        let before = agent.usage()?;
        tokio::time::sleep(Duration::from_secs(60)).await;
        agent.check()?;
        let after = agent.usage()?;
        report.figure("cpu_s_per_min", after.cpu_seconds - before.cpu_seconds);
        #[expect(clippy::cast_precision_loss, reason = "megabytes")]
        {
            report.figure("rss_mb", after.rss_bytes as f64 / 1e6);
            report.figure("pss_mb", after.pss_bytes as f64 / 1e6);
        }
    }
    Ok(())
}

/// Seconds from a listener's making to its appearance.
async fn new_listener(web: &Web) -> Result<f64> {
    let clock = environment::SystemClock;
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let port = listener.local_addr()?.port().to_string();
    let begun = clock.monotonic();
    wait_for_web("the listener to appear", || async {
        let found = web
            .get(&format!("/api/v1/items?class=listening_endpoint&page_size=500&where=port={port}"))
            .await?;
        let items = found["items"].as_array().cloned().unwrap_or_default();
        Ok(items
            .iter()
            .any(|item| {
                value(item, "port").and_then(serde_json::Value::as_str) == Some(port.as_str())
            })
            .then_some(()))
    })
    .await?;
    Ok((clock.monotonic() - begun).as_secs_f64())
}

/// Seconds from an interface's making to its appearance. Needs the right to make one.
async fn changed_interface(web: &Web, index: usize) -> Result<f64> {
    let clock = environment::SystemClock;
    let name = format!("dharmabench{index}");
    let ip = |arguments: &[&str]| -> Result<()> {
        let status = std::process::Command::new("ip")
            .args(arguments)
            .status()
            .context("ip (iproute2) is missing")?;
        anyhow::ensure!(status.success(), "ip {} failed; run as root", arguments.join(" "));
        Ok(())
    };
    // A veth pair: every kernel that runs containers can make one.
    ip(&["link", "add", &name, "type", "veth", "peer", "name", &format!("{name}p")])?;
    let begun = clock.monotonic();
    let seen = wait_for_web("the interface to appear", || async {
        let found = web
            .get(&format!("/api/v1/items?class=network_interface&page_size=500&where=name={name}"))
            .await?;
        Ok(found["items"].as_array().is_some_and(|items| !items.is_empty()).then_some(()))
    })
    .await;
    let seconds = (clock.monotonic() - begun).as_secs_f64();
    ip(&["link", "delete", &name])?;
    seen?;
    Ok(seconds)
}

async fn node_exporter(report: &mut Report, folder: &std::path::Path) -> Result<()> {
    let program = std::path::Path::new("/usr/bin/prometheus-node-exporter");
    if !program.exists() {
        report.missing("prometheus-node-exporter");
        return Ok(());
    }
    let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    let address = format!("--web.listen-address=127.0.0.1:{port}");
    let mut exporter = Process::start(program, &[&address], &folder.join("exporter.log"))?;
    let web = Web::new(&format!("http://127.0.0.1:{port}"));
    wait_for_web("the exporter to answer", || async {
        Ok(web.get("/metrics").await.ok().map(drop))
    })
    .await?;
    for _ in 0..3 {
        tokio::time::sleep(Duration::from_secs(5)).await;
        exporter.check()?;
        web.get("/metrics").await?;
    }
    #[expect(clippy::cast_precision_loss, reason = "megabytes")]
    report.peer(
        "prometheus-node-exporter",
        "rss_mb",
        usage_of(exporter.pid())?.rss_bytes as f64 / 1e6,
    );
    Ok(())
}
