//! `identity-order`: whether the graph depends on the order, partition or repetition in which observations arrive.
//!
//! Small estates many times, large ones a few times. Small ones are also delivered with older observations of a
//! record after newer ones; large ones keep the order of each record, as an agent's spool does.
#![expect(clippy::print_stdout, reason = "a benchmark's report is its output")]

use anyhow::Result;
use clap::Parser;
use std::collections::HashSet;
use system_tests::estate::order::{Delivery, Small, Versions, cases_right};
use system_tests::estate::{Estate, Sighting};
use system_tests::report::Report;

#[derive(Parser)]
struct Arguments {
    /// Print one JSON object last
    #[arg(long)]
    json: bool,
    /// A tenth of the permutations
    #[arg(long)]
    quick: bool,
    /// The seed of the estates and of the orders
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Show the first order of a small estate that ends in another graph, with the lines that differ
    #[arg(long)]
    explain: bool,
}

/// Small estates.
const SMALL_ESTATES: u64 = 50;
/// Permutations of each small estate.
const SMALL_PERMUTATIONS: u64 = 200;
/// Permutations of a large estate.
const LARGE_PERMUTATIONS: u64 = 20;
/// Assets of a large estate.
const LARGE_ASSETS: u64 = 1_000;

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    if arguments.explain {
        return explain(arguments.seed);
    }
    let (per_small, per_large) = if arguments.quick {
        (SMALL_PERMUTATIONS / 10, LARGE_PERMUTATIONS / 10)
    } else {
        (SMALL_PERMUTATIONS, LARGE_PERMUTATIONS)
    };
    let mut report = Report::new("identity-order");
    let (mut most, mut most_in_order, mut right) = (0, 0, [0_u64; 3]);
    let mut observations = usize::MAX;
    for number in 0..SMALL_ESTATES {
        let seed = arguments.seed.wrapping_mul(1_000).wrapping_add(number);
        let seen = Small::new(seed).sightings();
        observations = observations.min(seen.len());
        let plain = Delivery::plain(seen.len()).run(&seen)?;
        for (count, is_right) in right.iter_mut().zip(cases_right(&plain, &seen)) {
            *count += u64::from(is_right);
        }
        let mut hashes = HashSet::from([plain.graph_hash()]);
        // The last tenth keeps the order of each record; both kinds have to end as the plain delivery.
        let in_order = distinct(&seen, seed, per_small / 10, Versions::InOrder)?;
        most_in_order = most_in_order.max(in_order.union(&hashes).count());
        hashes.extend(in_order);
        hashes.extend(distinct(&seen, !seed, per_small - per_small / 10, Versions::AnyOrder)?);
        most = most.max(hashes.len());
    }
    let large = large(&arguments, per_large)?;
    #[expect(clippy::cast_precision_loss, reason = "small counts")]
    {
        report.figure("permutations", (SMALL_ESTATES * per_small) as f64);
        report.figure("distinct_hashes", most.max(large) as f64);
        report.figure("distinct_hashes_small", most as f64);
        report.figure("distinct_hashes_versions_in_order", most_in_order as f64);
        report.figure("large_permutations", per_large as f64);
        report.figure("distinct_hashes_large", large as f64);
        report.figure("observations_least", observations as f64);
        for (name, count) in ["merges_right", "splits_right", "vetoes_right"].iter().zip(right) {
            report.figure(name, count as f64 / SMALL_ESTATES as f64);
        }
    }
    report.print(arguments.json);
    Ok(())
}

fn distinct(seen: &[Sighting], seed: u64, count: u64, versions: Versions) -> Result<HashSet<u64>> {
    (0..count)
        .map(|number| {
            let seed = seed.wrapping_mul(100_003).wrapping_add(number);
            Ok(Delivery::drawn(seed, seen, versions).graph_hash(seen)?)
        })
        .collect()
}

/// How many graphs the permutations of a large estate end in.
fn large(arguments: &Arguments, count: u64) -> Result<usize> {
    let mut seen = Vec::new();
    Estate::new(arguments.seed, LARGE_ASSETS).each(|sighting| seen.push(sighting.clone()));
    let mut hashes = distinct(&seen, arguments.seed, count, Versions::InOrder)?;
    hashes.insert(Delivery::plain(seen.len()).graph_hash(&seen)?);
    Ok(hashes.len())
}

/// Prints the first difference: with versions in order when there is one, else with any order.
fn explain(seed: u64) -> Result<()> {
    for versions in [Versions::InOrder, Versions::AnyOrder] {
        for number in 0..SMALL_ESTATES * SMALL_PERMUTATIONS {
            let seen = Small::new(seed.wrapping_mul(1_000) + number % SMALL_ESTATES).sightings();
            let expected = Delivery::plain(seen.len()).run(&seen)?.graph();
            let delivery = Delivery::drawn(number, &seen, versions);
            let graph = delivery.run(&seen)?.graph();
            if graph == expected {
                continue;
            }
            println!("# {versions:?}, delivery {number}; | ends a decision");
            for (index, ends) in &delivery.steps {
                let Some(seen) = seen.get(*index) else { continue };
                let end = if *ends { " |" } else { "" };
                println!("{} at {}{end}", seen.record_name(), seen.at.millis());
            }
            for line in expected.difference(&graph) {
                println!("- {line}");
            }
            for line in graph.difference(&expected) {
                println!("+ {line}");
            }
            return Ok(());
        }
    }
    println!("every delivery ends in the same graph");
    Ok(())
}
