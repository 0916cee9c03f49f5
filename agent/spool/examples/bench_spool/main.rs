//! The spool beside sled and fjall, in one run on one disk: `cargo run --release -p spool --example bench_spool`.
//!
//! The same for all: four writer threads, records of 512 bytes, a window of records that each writer has in flight
//! before it waits for them, and one promise: a record counts once it has been flushed to the device. Each writer hands
//! its records over one by one; what the product does with records that wait together is its own affair (group commit).
//! Afterwards a backlog of a gibibyte is opened in a process of its own.
//!
//! With `--json` it prints exactly one JSON object, last. It never invents a figure: a product that fails is named in
//! `missing_peers`.

#![expect(clippy::print_stdout, reason = "the report goes to the output")]

mod engines;
mod measure;
mod open;

use std::{env, path::PathBuf, process::ExitCode};

use serde_json::{Map, Value, json};

use self::{
    engines::{Engine, FjallEngine, SledEngine, SpoolEngine},
    measure::{Figures, Work, median, spread},
};

/// The names of the products, ours first.
const NAMES: [&str; 3] = ["spool", "sled", "fjall"];

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    match arguments.first().map(String::as_str) {
        Some("--open-backlog") => open::child(arguments.get(1).map(PathBuf::from)),
        _ => match bench(&arguments) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("bench_spool: {error}");
                ExitCode::FAILURE
            }
        },
    }
}

type Failure = Box<dyn std::error::Error + Send + Sync>;

fn bench(arguments: &[String]) -> Result<(), Failure> {
    let is_quick = arguments.iter().any(|argument| argument == "--quick");
    let is_json = arguments.iter().any(|argument| argument == "--json");
    let runs = if is_quick { 3 } else { 5 };
    let work = if is_quick { Work::quick() } else { Work::full() };
    let folder = tempfile::Builder::new().prefix("bench-spool-").tempdir_in(base_folder())?;

    let mut all: Vec<Vec<Figures>> = vec![Vec::new(); NAMES.len()];
    let mut missing = Vec::new();
    // Rounds of all products, so that a slow moment of the machine meets all of them.
    for run in 0..runs {
        for (index, name) in NAMES.iter().enumerate() {
            if missing.contains(name) {
                continue;
            }
            let path = folder.path().join(format!("{name}-{run}"));
            let figures = engine(name, &path).and_then(|engine| measure::run(&*engine, &work));
            std::fs::remove_dir_all(&path).ok();
            match figures {
                Ok(figures) => {
                    eprintln!("{name}: {figures}");
                    if let Some(list) = all.get_mut(index) {
                        list.push(figures);
                    }
                }
                Err(error) if index > 0 => {
                    eprintln!("{name}: {error}");
                    missing.push(*name);
                }
                Err(error) => return Err(error),
            }
        }
    }
    let opened = open::measure(folder.path(), runs)?;
    let report = report(&all, &missing, &opened, runs, is_quick);
    if is_json {
        println!("{report}");
    } else {
        println!("{report:#}");
    }
    Ok(())
}

/// The disk that counts: not a memory file system. `DHARMA_BENCH_DIR` names another one.
fn base_folder() -> PathBuf {
    env::var_os("DHARMA_BENCH_DIR").map_or_else(|| PathBuf::from("/var/tmp"), PathBuf::from)
}

fn engine(name: &str, path: &std::path::Path) -> Result<Box<dyn Engine>, Failure> {
    Ok(match name {
        "sled" => Box::new(SledEngine::open(path)?),
        "fjall" => Box::new(FjallEngine::open(path)?),
        _ => Box::new(SpoolEngine::open(path)?),
    })
}

fn report(
    all: &[Vec<Figures>],
    missing: &[&str],
    opened: &[open::Opened],
    runs: usize,
    is_quick: bool,
) -> Value {
    let mut figures = Map::new();
    let mut spreads = Map::new();
    let mut peers = Map::new();
    for (name, list) in NAMES.iter().zip(all) {
        if list.is_empty() {
            continue;
        }
        let mut own = Map::new();
        for (figure, value) in Figures::FIELDS {
            let values: Vec<f64> = list.iter().map(value).collect();
            own.insert(figure.to_owned(), json!(median(&values)));
            if *name == "spool" {
                spreads.insert(figure.to_owned(), json!(spread(&values)));
            }
        }
        if *name == "spool" {
            figures = own;
        } else {
            peers.insert((*name).to_owned(), Value::Object(own));
        }
    }
    let times: Vec<f64> = opened.iter().map(|opened| opened.milliseconds).collect();
    let memory: Vec<f64> = opened.iter().map(|opened| opened.rss_delta_mb).collect();
    for (name, values) in [("open_1gib_ms", times), ("open_rss_delta_mb", memory)] {
        figures.insert(name.to_owned(), json!(median(&values)));
        spreads.insert(name.to_owned(), json!(spread(&values)));
    }
    let quick = if is_quick { " --quick" } else { "" };
    json!({
        "bench": "spool",
        "figures": figures,
        "peers": peers,
        "missing_peers": missing,
        "runs": runs,
        "spread": spreads,
        "command": format!("cargo xtask bench spool --json{quick}"),
        "machine": measure::machine(),
    })
}
