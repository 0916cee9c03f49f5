//! Sweeps of a network of namespaces on this machine: lossy lines, slow hosts, firewalls that answer for all, and the
//! same answers as nmap.

use anyhow::{Context, Result};
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;
use system_tests::network_lab::{self, Lab};

const BINARY: &str = env!("CARGO_BIN_EXE_bench-sweep");

/// Runs a command where the sweep is, and gives what it printed.
fn inside(lab: &Lab, program: &[&str]) -> Result<String> {
    let output = Command::new("ip").args(lab.inside()).args(program).output()?;
    let text = String::from_utf8(output.stdout)?;
    anyhow::ensure!(
        output.status.success(),
        "{program:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(text)
}

fn own(lab: &Lab, part: &str, address: &str, options: &[&str]) -> Result<Value> {
    let mut line = vec![BINARY, part, address];
    line.extend(options);
    serde_json::from_str(&inside(lab, &line)?).context("no JSON")
}

fn texts(value: &Value) -> BTreeSet<String> {
    value.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

#[tokio::test]
async fn sweep_of_a_lossy_network_finds_every_open_port_and_the_slow_host() -> Result<()> {
    let lab = Lab::start(Path::new(BINARY)).await?;
    lab.lose(5)?;
    let address = format!("10.96.1.0/26,{}", network_lab::SLOW_HOST);
    let found = own(&lab, "sweep", &address, &["profile=top_ports", "ports=top100"])?;
    let open = texts(&found["open"]);
    let mut wanted =
        BTreeSet::from([format!("{} {}", network_lab::REAL_HOST, network_lab::REAL_PORT)]);
    for last in 0..64 {
        wanted.extend(network_lab::OPEN.map(|port| format!("10.96.1.{last} {port}")));
    }
    wanted.extend(network_lab::OPEN.map(|port| format!("{} {port}", network_lab::SLOW_HOST)));
    assert_eq!(open, wanted);
    assert!(found["sockets_max"].as_u64().context("no number of sockets")? <= 4096);
    Ok(())
}

#[tokio::test]
async fn sweep_has_the_same_answers_as_nmap() -> Result<()> {
    let lab = Lab::start(Path::new(BINARY)).await?;
    let ports = "22,80,443,8080,9";
    let report = inside(&lab, &["nmap", "-T4", "-n", "-p", ports, "-oX", "-", "10.96.1.0/28"])?;
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("nmap.xml");
    std::fs::write(&file, report)?;
    let file = format!("nmap_file={}", file.display());
    // Our own reader of nmap's report, so that both are held against each other in one form.
    let theirs = own(&lab, "collect", "10.96.1.0/28", &[&file])?;
    let ours =
        own(&lab, "sweep", "10.96.1.0/28", &["profile=top_ports", &format!("ports={ports}")])?;
    let listeners: BTreeSet<String> = theirs["observations"]
        .as_array()
        .context("no observations")?
        .iter()
        .filter(|seen| seen["class"] == "listening_endpoint")
        .map(|seen| {
            format!(
                "{} {}",
                seen["facts"]["address"].as_str().unwrap_or_default(),
                seen["facts"]["port"].as_str().unwrap_or_default()
            )
        })
        .collect();
    assert_eq!(texts(&ours["open"]), listeners);
    assert_eq!(listeners.len(), 33);
    assert_eq!(theirs["coverage"], "complete");
    let engine = own(
        &lab,
        "collect",
        "10.96.1.7",
        &["engine=nmap", &format!("ports={ports}"), "profile=services"],
    )?;
    assert_eq!(texts(&engine["complaints"]), BTreeSet::new());
    let ssh = engine["observations"]
        .as_array()
        .context("no observations")?
        .iter()
        .any(|seen| seen["facts"]["port"] == "22" && seen["facts"]["product"] == "OpenSSH");
    assert!(ssh, "{engine}");
    Ok(())
}

#[tokio::test]
async fn sweep_tells_a_device_that_answers_for_a_whole_network_once() -> Result<()> {
    let lab = Lab::start(Path::new(BINARY)).await?;
    let found = own(&lab, "collect", network_lab::LIVE, &["ports=22,80,443,8080,8443,3306"])?;
    let hosts: Vec<&str> = found["observations"]
        .as_array()
        .context("no observations")?
        .iter()
        .filter(|seen| seen["class"] == "discovered_host")
        .filter_map(|seen| seen["key"].as_str())
        .collect();
    assert_eq!(hosts, [format!("address/{}", network_lab::REAL_HOST)], "only who differs is kept");
    let failures = texts(&found["failures"]);
    assert_eq!(failures.len(), 1, "{failures:?}");
    assert!(failures.iter().all(|one| one.contains("255 of 256")), "{failures:?}");
    assert_eq!(found["coverage"], "partial");
    Ok(())
}

#[tokio::test]
async fn sweep_does_not_believe_ports_that_all_accept() -> Result<()> {
    let lab = Lab::start(Path::new(BINARY)).await?;
    lab.accept_everything("10.96.1.64/26")?;
    let found = own(&lab, "collect", "10.96.1.64/27", &["ports=top20", "profile=top_ports"])?;
    assert_eq!(found["observations"].as_array().map(Vec::len), Some(0));
    let failures = texts(&found["failures"]);
    assert!(failures.iter().any(|one| one.contains("32 addresses accept")), "{failures:?}");
    let one = own(&lab, "collect", "10.96.1.70", &["ports=top20", "profile=top_ports"])?;
    let seen = &one["observations"][0];
    assert!(seen["facts"]["doubts"].as_str().is_some_and(|text| text.contains("every port")));
    assert_eq!(one["observations"].as_array().map(Vec::len), Some(1), "its ports are not told");
    Ok(())
}

#[tokio::test]
async fn sweep_of_a_silent_network_is_over_in_two_seconds_of_waiting() -> Result<()> {
    let lab = Lab::start(Path::new(BINARY)).await?;
    let begun = tokio::time::Instant::now();
    let found = own(&lab, "collect", network_lab::SILENT, &["profile=discovery"])?;
    // Twice as long on a busy machine; nmap needs a hundred seconds.
    assert!(begun.elapsed() < std::time::Duration::from_secs(5), "{:?}", begun.elapsed());
    assert_eq!(found["observations"].as_array().map(Vec::len), Some(0));
    assert_eq!(found["coverage"], "complete");
    Ok(())
}
