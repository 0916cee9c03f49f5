//! `topology`: how fast the graph of a million items and five million relationships is loaded and asked.
//!
//! The estate is written into a store by commits, and the graph is made of what the store loads, as the control plane
//! does at its start. Items are asked about that are drawn from all of them; the question to depth 5 is asked about
//! services at the bottom of the dependencies, where it reaches about three thousand.

#[path = "bench-topology/estate.rs"]
mod estate;
/// The control plane's own; to depend on that would build all of its APIs for this.
#[path = "../../../control-plane/src/ingest/graph.rs"]
mod graph;

use anyhow::{Context, Result};
use clap::Parser;
use environment::{Clock, SystemClock};
use estate::{Estate, Random};
use model::decision::Number;
use std::path::Path;
use std::sync::Arc;
use store::database::Database;
use store::observed::ItemStore;
use store::sqlite::SqliteItems;
use system_tests::report::Report;
use topology::{By, Graph, GroupOrder, Grouping, Limits};

#[derive(Parser)]
struct Arguments {
    /// Print one JSON object last
    #[arg(long)]
    json: bool,
    /// A tenth of the estate, and one run
    #[arg(long)]
    quick: bool,
    /// What the estate and the questions are drawn by
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How many hosts, of fifty items each
    #[arg(long)]
    hosts: Option<u32>,
}

/// Hosts of the whole estate: a million items.
const HOSTS: u32 = 20_000;

/// Times that everything is asked, each with other items.
const RUNS: usize = 3;

/// Questions of one kind in a run.
const QUESTIONS: usize = 2_000;

/// Items that an answer lists, as the API does when it is not asked for more.
const LISTED: usize = 100;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let mut report = Report::new("topology");
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("dharma.sqlite");
    let hosts = arguments.hosts.unwrap_or(if arguments.quick { HOSTS / 10 } else { HOSTS });
    let estate = Estate { hosts, seed: arguments.seed };
    write(&estate, &path).await?;
    let runs = if arguments.quick { 1 } else { RUNS };
    for run in 0..runs {
        let begun = SystemClock.monotonic();
        let graph = load(&path).await?;
        report.figure("load_s", (SystemClock.monotonic() - begun).as_secs_f64());
        let mut random = Random::new(arguments.seed.wrapping_add(u64::try_from(run)?));
        ask(&graph, &estate, &mut random, &mut report)?;
        #[expect(clippy::cast_precision_loss, reason = "counts far below 2^52")]
        {
            let relations = graph.relations_count() as f64;
            report.figure("bytes_per_relationship", graph.memory_bytes() as f64 / relations);
            report.figure("relationships", relations);
            report.figure("items", graph.items_count() as f64);
        }
    }
    report.missing("neo4j");
    report.print(arguments.json);
    Ok(())
}

/// Writes the estate as the control plane would: by commits.
async fn write(estate: &Estate, path: &Path) -> Result<()> {
    let database = Database::open(path)?;
    let store = SqliteItems::open(database.clone())?;
    for decision in estate.decisions() {
        store.apply(Arc::new(decision)).await?;
    }
    database.close().await;
    Ok(())
}

/// The graph of what is stored, from the closed file on.
async fn load(path: &Path) -> Result<Graph> {
    let database = Database::open(path)?;
    let store = SqliteItems::open(database.clone())?;
    let graph = graph::graph_of(&store.load().await?);
    database.close().await;
    Ok(graph)
}

fn ask(graph: &Graph, estate: &Estate, random: &mut Random, report: &mut Report) -> Result<()> {
    let all = Limits { depth: u32::MAX, items: LISTED };
    let impact = timed(|| graph.impact(&[estate.item(random)], all).reached.count);
    impact.report("impact", report)?;
    let limits = Limits { depth: 5, items: LISTED };
    let deep = timed(|| graph.impact(&[estate.bottom_service(random)], limits).reached.count);
    deep.report("impact_depth5", report)?;
    let paths = timed(|| {
        let ends = (estate.item(random), estate.item(random));
        let distance = graph.shortest_paths(ends, &[], u32::MAX, 10).distance;
        distance.and_then(|distance| usize::try_from(distance).ok()).unwrap_or(0)
    });
    paths.report("path", report)?;
    let needs = timed(|| graph.dependencies(estate.item(random), all).reached.count);
    needs.report("dependencies", report)?;
    for (name, by) in [
        ("groups_ms", vec![By::Site, By::Class]),
        ("groups_connectivity_ms", vec![By::Connectivity]),
    ] {
        let begun = SystemClock.monotonic();
        let groups = graph.groups(&grouping(by));
        report.figure(name, (SystemClock.monotonic() - begun).as_secs_f64() * 1e3);
        anyhow::ensure!(groups.items_count > 0, "no item is in a group");
    }
    Ok(())
}

fn grouping(by: Vec<By>) -> Grouping {
    Grouping {
        by,
        within: Vec::new(),
        verbs: Vec::new(),
        order: GroupOrder::Size,
        groups: 300,
        links: 800,
    }
}

/// What questions of one kind took, each in ascending order.
struct Times {
    wall_ms: Vec<f64>,
    /// Of this thread's processor: what the machine did beside it does not count.
    processor_ms: Vec<f64>,
    /// How many items an answer was about, or how long a way is.
    sizes: Vec<f64>,
}

impl Times {
    fn report(&self, name: &str, report: &mut Report) -> Result<()> {
        for (figure, values, percent) in [
            ("p50_ms", &self.wall_ms, 50),
            ("p99_ms", &self.wall_ms, 99),
            ("p99_processor_ms", &self.processor_ms, 99),
            ("p50_size", &self.sizes, 50),
            ("p99_size", &self.sizes, 99),
            ("most_size", &self.sizes, 100),
        ] {
            let value = percentile(values, percent).context("no question")?;
            report.figure(&format!("{name}_{figure}"), value);
        }
        Ok(())
    }
}

fn timed(mut question: impl FnMut() -> usize) -> Times {
    let mut times = Times { wall_ms: Vec::new(), processor_ms: Vec::new(), sizes: Vec::new() };
    for _ in 0..QUESTIONS {
        let (begun, processor) = (SystemClock.monotonic(), processor_ms());
        let size = question();
        times.processor_ms.push(processor_ms() - processor);
        times.wall_ms.push((SystemClock.monotonic() - begun).as_secs_f64() * 1e3);
        #[expect(clippy::cast_precision_loss, reason = "counts far below 2^52")]
        times.sizes.push(size as f64);
    }
    for values in [&mut times.wall_ms, &mut times.processor_ms, &mut times.sizes] {
        values.sort_by(f64::total_cmp);
    }
    times
}

/// Milliseconds that this thread has been on a processor.
fn processor_ms() -> f64 {
    #[expect(unsafe_code, reason = "clock_gettime(2) has no form in std for processor time")]
    // SAFETY: the pointer points to a timespec that outlives the call; zeros are valid for it.
    let time = unsafe {
        let mut time: libc::timespec = std::mem::zeroed();
        libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time);
        time
    };
    #[expect(clippy::cast_precision_loss, reason = "a process that runs for minutes")]
    let milliseconds = time.tv_sec as f64 * 1e3 + time.tv_nsec as f64 / 1e6;
    milliseconds
}

/// The value that this part of them does not exceed.
fn percentile(values: &[f64], percent: usize) -> Option<f64> {
    let place = (values.len() * percent).div_ceil(100).saturating_sub(1);
    values.get(place).copied()
}

/// A number of an item.
type Item = Number;
