//! `sweep`: what sweeping networks costs, beside nmap and fping on the same network in the same run.
//!
//! The network is made of namespaces: one machine answers for a network of 16 bits across a veth pair. Every sweep is a
//! fresh process inside the namespace, and its time is that of the whole process. Nothing is assumed up on either side;
//! nmap gets `-T4 -n` and the same ports. For comparison nmap's time with `-Pn` stands beside. The answers are all
//! pairs of address and open port; what is there is known, because the lab is ours.
//!
//! The subcommands are the lab's own programs and one sweep.
#![expect(clippy::print_stdout, reason = "a sweep's answers are its output")]

use anyhow::{Context, Result, bail};
use clap::{Parser, Subcommand};
use collector::{Remote, Target};
use collector_sweep::Options;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use system_tests::network_lab::{self, Lab};
use system_tests::process::{Cost, cost_of};
use system_tests::report::Report;

#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Part>,
    /// Print one JSON object last
    #[arg(long)]
    json: bool,
    /// One run instead of five
    #[arg(long)]
    quick: bool,
}

#[derive(Subcommand)]
enum Part {
    /// Be the hosts of the lab
    Serve { extra: Option<SocketAddr> },
    /// Be the slow wire of the lab
    Wire,
    /// Sweep once, and print the answers as JSON
    Sweep { address: String, options: Vec<String> },
    /// Run the collector once, and print what it reports as JSON
    Collect { address: String, options: Vec<String> },
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    match arguments.command {
        Some(Part::Serve { extra }) => network_lab::serve::run(extra),
        Some(Part::Wire) => network_lab::wire::run(),
        Some(Part::Sweep { address, options }) => sweep(&address, &options).await,
        Some(Part::Collect { address, options }) => collect(&address, &options).await,
        None => bench(&arguments).await,
    }
}

fn target(address: &str, options: &[String]) -> Result<Target> {
    let pair = |option: &String| -> Result<(String, String)> {
        let (name, value) = option.split_once('=').context("an option is name=value")?;
        Ok((name.to_owned(), value.to_owned()))
    };
    let options = options.iter().map(pair).collect::<Result<_>>()?;
    let remote =
        Remote { address: address.to_owned(), port: None, options, credentials: Vec::new() };
    Ok(Target::remote("lab", "lab", remote))
}

async fn sweep(address: &str, options: &[String]) -> Result<()> {
    let options = Options::of(&target(address, options)?)?;
    let swept = collector_sweep::sweep_addresses(&options).await?;
    let mut open = Vec::new();
    for (address, host) in &swept.hosts {
        open.extend(host.open_ports().map(|port| format!("{address} {port}")));
    }
    println!(
        "{}",
        json!({ "open": open, "up": swept.hosts.len(), "packets": swept.packets, "sockets_max": swept.sockets_max })
    );
    Ok(())
}

async fn collect(address: &str, options: &[String]) -> Result<()> {
    let target = target(address, options)?;
    let collector = collector_sweep::SweepCollector;
    let look = collector::testing::look(&collector, &target, collector_sweep::SCOPE).await?;
    let complaints =
        collector::testing::complaints(&collector, collector_sweep::SCOPE, &look.observations);
    let observations: Vec<Value> = look
        .observations
        .iter()
        .map(|seen| {
            let facts = seen.facts.iter().map(|(name, value)| (name.to_string(), json!(value.to_line())));
            json!({ "class": seen.class, "key": seen.native_key, "facts": facts.collect::<serde_json::Map<_, _>>() })
        })
        .collect();
    let failures: Vec<String> =
        look.failures.iter().map(|part| format!("{}: {}", part.what, part.why)).collect();
    println!(
        "{}",
        json!({ "observations": observations, "failures": failures, "complaints": complaints, "coverage": look.coverage.status.name(), "detail": look.coverage.detail })
    );
    Ok(())
}

/// An address and an open port of it, as `10.96.1.7 22`.
type Answers = BTreeSet<String>;

/// The lab and how to run things in it.
struct Runs {
    lab: Lab,
    own: String,
}

impl Runs {
    fn cost(&self, program: &[&str]) -> Result<Cost> {
        let inside = self.lab.inside();
        let mut line: Vec<&str> = inside.iter().map(String::as_str).collect();
        line.extend(program);
        cost_of("ip", &line)
    }

    /// Our sweep: what it cost and found.
    fn ours(&self, address: &str, options: &[&str]) -> Result<(Cost, Value)> {
        let mut line = vec![self.own.as_str(), "sweep", address];
        line.extend(options);
        let cost = self.cost(&line)?;
        let answer = serde_json::from_slice(&cost.output).context("the sweep said nothing")?;
        Ok((cost, answer))
    }

    fn nmap(&self, address: &str, options: &[&str]) -> Result<(Cost, Answers)> {
        let mut line = vec!["nmap", "-T4", "-n", "-oG", "-"];
        line.extend(options);
        line.push(address);
        let cost = self.cost(&line)?;
        let text = String::from_utf8_lossy(&cost.output).into_owned();
        if !text.contains("Nmap done") {
            bail!("nmap did not finish: {}", text.chars().take(200).collect::<String>());
        }
        Ok((cost, grepable(&text)))
    }
}

/// The open ports of nmap's grepable output.
fn grepable(text: &str) -> Answers {
    let mut found = Answers::new();
    for line in text.lines() {
        let Some((host, ports)) = line.split_once("Ports: ") else { continue };
        let Some(address) = host.split_whitespace().nth(1) else { continue };
        for port in ports.split(", ").filter(|port| port.contains("/open/tcp/")) {
            let number = port.trim().split('/').next().unwrap_or_default();
            found.insert(format!("{address} {number}"));
        }
    }
    found
}

fn answers(value: &Value) -> Answers {
    let open = value.get("open").and_then(Value::as_array);
    open.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

/// What is open at the live network and the slow host, by the lab's own making.
fn truth(networks: &[&str]) -> Result<Answers> {
    let mut all = Answers::new();
    for network in networks {
        for address in collector_sweep::Addresses::parse(network, "")?.iter() {
            all.extend(network_lab::OPEN.iter().map(|port| format!("{address} {port}")));
        }
    }
    let real: IpAddr = network_lab::REAL_HOST.parse()?;
    let is_live = collector_sweep::Addresses::parse(network_lab::LIVE, "")?.contains(real);
    if is_live && networks.contains(&network_lab::LIVE) {
        all.insert(format!("{real} {}", network_lab::REAL_PORT));
    }
    Ok(all)
}

/// The pace of the benchmark: nmap has no limit of its own either.
const PACE: &str = "rate=200000";

/// Packets that are lost in each direction of the lossy run.
const LOSS_PERCENT: u32 = 5;

async fn bench(arguments: &Arguments) -> Result<()> {
    let own = std::env::current_exe()?;
    let runs = Runs {
        lab: Lab::start(&own).await?,
        own: own.to_str().context("the path of the benchmark is no text")?.to_owned(),
    };
    let mut report = Report::new("sweep");
    let count = if arguments.quick { 1 } else { 5 };
    // The worst of all runs: a median would hide what one of them missed.
    let mut missing = 0;
    for _ in 0..count {
        missing = missing.max(live(&runs, &mut report)?);
    }
    for _ in 0..count.min(3) {
        missing = missing.max(wide(&runs, &mut report)?);
    }
    report.figure("answers_missing", number(missing));
    silent(&runs, &mut report, arguments.quick)?;
    runs.lab.lose(LOSS_PERCENT)?;
    let mut missing = 0;
    for _ in 0..count {
        missing = missing.max(lossy(&runs, &mut report)?);
    }
    report.figure("lossy_answers_missing", number(missing));
    report.print(arguments.json);
    Ok(())
}

fn number(count: usize) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "answers are far fewer than 2^52")]
    let number = count as f64;
    number
}

/// How many open ports were missed.
fn live(runs: &Runs, report: &mut Report) -> Result<usize> {
    let ports: Vec<String> = collector_sweep::top_ports(100).iter().map(u16::to_string).collect();
    let ports = ports.join(",");
    let (cost, answer) =
        runs.ours(network_lab::LIVE, &["profile=top_ports", &format!("ports={ports}"), PACE])?;
    let ours = answers(&answer);
    let mut missing = truth(&[network_lab::LIVE])?.difference(&ours).count();
    report.figure("live_wall_s", cost.wall_seconds);
    report.figure("live_cpu_s", cost.cpu_seconds);
    report.figure("answers", number(ours.len()));
    let sockets = answer.get("sockets_max").and_then(Value::as_f64).unwrap_or_default();
    report.figure("sockets_max", sockets);
    match runs.nmap(network_lab::LIVE, &["-p", &ports]) {
        Ok((cost, theirs)) => {
            missing = missing.max(theirs.difference(&ours).count());
            report.peer("nmap", "live_wall_s", cost.wall_seconds);
            report.peer("nmap", "live_cpu_s", cost.cpu_seconds);
            report.peer("nmap", "answers", number(theirs.len()));
        }
        Err(_) => report.missing("nmap"),
    }
    Ok(missing)
}

/// How many open ports were missed.
fn wide(runs: &Runs, report: &mut Report) -> Result<usize> {
    let ports = "22,80,443";
    let (cost, answer) =
        runs.ours(network_lab::WIDE, &["profile=top_ports", &format!("ports={ports}"), PACE])?;
    let ours = answers(&answer);
    report.figure("wide_wall_s", cost.wall_seconds);
    report.figure("wide_cpu_s", cost.cpu_seconds);
    report.figure("wide_answers", number(ours.len()));
    let mut missing = 0;
    if let Ok((cost, theirs)) = runs.nmap(network_lab::WIDE, &["-p", ports]) {
        report.peer("nmap", "wide_wall_s", cost.wall_seconds);
        report.peer("nmap", "wide_cpu_s", cost.cpu_seconds);
        report.peer("nmap", "wide_answers", number(theirs.len()));
        missing = theirs.difference(&ours).count();
    }
    if let Ok((cost, _)) = runs.nmap(network_lab::WIDE, &["-Pn", "-p", ports]) {
        report.peer("nmap", "wide_assumed_up_wall_s", cost.wall_seconds);
    }
    Ok(missing)
}

/// A network that swallows everything. nmap needs minutes for it, so that one run of it must do.
fn silent(runs: &Runs, report: &mut Report, is_quick: bool) -> Result<()> {
    for _ in 0..3 {
        let (cost, answer) = runs.ours(network_lab::SILENT, &["profile=discovery", PACE])?;
        report.figure("silent_wall_s", cost.wall_seconds);
        report.figure("silent_answers", number(answers(&answer).len()));
        if let Ok(cost) = runs.cost(&["fping", "-a", "-q", "-g", network_lab::SILENT]) {
            report.peer("fping", "silent_wall_s", cost.wall_seconds);
        } else {
            report.missing("fping");
        }
    }
    if is_quick {
        return Ok(());
    }
    if let Ok((cost, _)) = runs.nmap(network_lab::SILENT, &["-sn"]) {
        report.peer("nmap", "silent_wall_s", cost.wall_seconds);
    }
    Ok(())
}

/// How many open ports were missed.
fn lossy(runs: &Runs, report: &mut Report) -> Result<usize> {
    let address = format!("{},{}", network_lab::LIVE, network_lab::SLOW_HOST);
    let (cost, answer) = runs.ours(&address, &["profile=top_ports", "ports=top100", PACE])?;
    let ours = answers(&answer);
    let truth = truth(&[network_lab::LIVE, network_lab::SLOW_HOST])?;
    report.figure("lossy_wall_s", cost.wall_seconds);
    report.figure("lossy_answers_invented", number(ours.difference(&truth).count()));
    Ok(truth.difference(&ours).count())
}
