//! `identity`: how well the reconciler brings together what many sources say of an estate whose truth is known.
//!
//! Beside it, fed the same sightings: the default rules of other products. With `--export` the estate is written
//! for systems that are not ours, with `--score` their answer is scored; `--explain` shows what went wrong.
#![expect(clippy::print_stdout, reason = "a benchmark's report is its output")]

use anyhow::{Context, Result, bail};
use clap::Parser;
use environment::SystemClock;
use model::KeyType;
use reconcile::Rules;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs::File;
use std::io::{BufReader, BufWriter, Write};

use std::path::{Path, PathBuf};
use system_tests::estate::baselines::{self, Matcher, Payload};
use system_tests::estate::metrics::{self, Scores, Truths};
use system_tests::estate::product::Product;
use system_tests::estate::{Class, Estate, Sighting, files, repair};
use system_tests::report::Report;

#[derive(Parser)]
struct Arguments {
    /// Print one JSON object last
    #[arg(long)]
    json: bool,
    /// Ten thousand assets instead of a hundred thousand
    #[arg(long)]
    quick: bool,
    /// The seed of the estate
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How many assets the estate has
    #[arg(long)]
    assets: Option<u64>,
    /// Only the product's own scores: neither other products nor repairs
    #[arg(long)]
    only_scores: bool,
    /// Show so many wrongly merged and so many wrongly separated pairs, and nothing else
    #[arg(long, value_name = "PAIRS")]
    explain: Option<usize>,
    /// Write the sightings to this file and the truth beside it, and do nothing else
    #[arg(long, value_name = "FILE")]
    export: Option<PathBuf>,
    /// Decide by the rules of this file instead of the built-in ones
    #[arg(long, value_name = "FILE")]
    rules: Option<PathBuf>,
    /// Score the answer of another system, and do nothing else
    #[arg(long, value_name = "FILE")]
    score: Option<PathBuf>,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let assets = arguments.assets.unwrap_or(if arguments.quick { 10_000 } else { 100_000 });
    let estate = Estate::new(arguments.seed, assets);
    if let Some(file) = &arguments.export {
        return export(&estate, file);
    }
    let mut report = Report::new("identity");
    if let Some(file) = &arguments.score {
        let file = File::open(file).with_context(|| file.display().to_string())?;
        let scores = files::score(&estate, &mut BufReader::new(file))?;
        figures(&scores, |name, value| report.figure(name, value));
        report.print(arguments.json);
        return Ok(());
    }
    let truths = Truths::of(&estate);
    let rules = arguments.rules.as_deref().map(rules_of).transpose()?;
    let mut product = feed(&estate, rules.as_ref())?;
    if let Some(count) = arguments.explain {
        return explain(&estate, &truths, &product, count);
    }
    let scores = truths.score(|record| product.item_of(record));
    figures(&scores, |name, value| report.figure(name, value));
    for class in [Class::Host, Class::Hardware] {
        let scores = truths.score_class(class, |record| product.item_of(record));
        report.figure(&format!("{}_precision", class.name()), scores.precision);
        report.figure(&format!("{}_recall", class.name()), scores.recall);
    }
    #[expect(clippy::cast_precision_loss, reason = "at most two million")]
    report.figure("assets", estate.assets() as f64);
    // Both say what the estate allows at most: with every kind of key, and with those that are not only names.
    let names = [KeyType::HostName, KeyType::IpAddress, KeyType::Fqdn];
    report.figure("recall_ceiling", metrics::ceiling(&estate, &truths, |_| true).recall);
    let strong = metrics::ceiling(&estate, &truths, |key_type| !names.contains(&key_type));
    report.figure("recall_ceiling_without_names", strong.recall);
    if !arguments.only_scores {
        rivals(&estate, &truths, &mut report);
        repairs(&mut product, &arguments, assets, rules.as_ref(), &mut report)?;
    }
    report.print(arguments.json);
    Ok(())
}

fn export(estate: &Estate, path: &PathBuf) -> Result<()> {
    let create = |path: &PathBuf| {
        File::create(path).map(BufWriter::new).with_context(|| path.display().to_string())
    };
    let mut beside = path.clone().into_os_string();
    beside.push(".truth");
    let (mut sightings, mut truth) = (create(path)?, create(&PathBuf::from(beside))?);
    files::export(estate, &mut sightings, &mut truth)?;
    sightings.flush()?;
    Ok(truth.flush()?)
}

fn rules_of(file: &Path) -> Result<Rules> {
    let text = std::fs::read_to_string(file).with_context(|| file.display().to_string())?;
    Rules::parse(&text).with_context(|| file.display().to_string())
}

fn feed(estate: &Estate, rules: Option<&Rules>) -> Result<Product> {
    let mut product = Product::new();
    if let Some(rules) = rules {
        product.set_rules(rules.clone());
    }
    let mut refused = None;
    estate.each(|seen| {
        if refused.is_none() {
            refused = product.take(seen).err();
        }
    });
    if let Some(error) = refused {
        return Err(error.into());
    }
    product.decide()?;
    Ok(product)
}

#[expect(clippy::cast_precision_loss, reason = "counts of records are far below 2^52")]
fn figures(scores: &Scores, mut figure: impl FnMut(&str, f64)) {
    figure("precision", scores.precision);
    figure("recall", scores.recall);
    figure("f1", scores.f1);
    figure("b3_f1", scores.b3_f1);
    figure("over_merges", scores.over_merges as f64);
    figure("under_merges", scores.under_merges as f64);
    figure("records", scores.records as f64);
}

/// The other products' default rules over the same sightings, one after the other so that memory stays small.
fn rivals(estate: &Estate, truths: &Truths, report: &mut Report) {
    let mut best = 0.0_f64;
    for rules in baselines::ALL {
        let mut matcher = Matcher::new(rules);
        estate.each_asset(|seen| {
            for payload in Payload::group(seen) {
                matcher.take(&payload);
            }
        });
        let scores = truths.score(|record| matcher.item_of(record));
        best = best.max(scores.f1);
        figures(&scores, |name, value| report.peer(rules.name, name, value));
    }
    report.figure("best_baseline_f1", best);
}

/// Repairs in estates of several sizes; what was not repaired has no time.
fn repairs(
    product: &mut Product,
    arguments: &Arguments,
    assets: u64,
    rules: Option<&Rules>,
    report: &mut Report,
) -> Result<()> {
    for (size, name) in [(1_000, "1k"), (10_000, "10k"), (100_000, "100k")] {
        let result = if size == assets {
            repair::run(product, arguments.seed, &SystemClock)?
        } else if size < assets {
            let mut smaller = feed(&Estate::new(arguments.seed, size), rules)?;
            repair::run(&mut smaller, arguments.seed, &SystemClock)?
        } else {
            continue;
        };
        #[expect(clippy::cast_precision_loss, reason = "fifty trials")]
        let share = result.repaired as f64 / result.wrong.max(1) as f64;
        report.figure(&format!("repaired_{name}"), share);
        if result.wrong > 0 && result.repaired == result.wrong {
            for took in &result.took {
                report.figure(&format!("repair_ms_{name}"), took.as_secs_f64() * 1e3);
            }
        }
    }
    Ok(())
}

/// Two records that were judged wrongly.
type Pair = (u64, u64);

fn explain(estate: &Estate, truths: &Truths, product: &Product, count: usize) -> Result<()> {
    let mut by_item: BTreeMap<(Class, u64), Vec<(u64, u64)>> = BTreeMap::new();
    let mut by_truth: BTreeMap<u64, Vec<(u64, u64)>> = BTreeMap::new();
    let mut records: Vec<_> = truths.0.iter().collect();
    records.sort_unstable_by_key(|(record, _)| **record);
    for (record, truth) in records {
        let Some(item) = product.item_of(*record) else { bail!("a record has no item") };
        by_item.entry((truth.class, item)).or_default().push((truth.truth, *record));
        by_truth.entry(truth.truth).or_default().push((item, *record));
    }
    // Pairs of different truths in one item, and of different items in one truth: the first of each group.
    let different = |group: &Vec<(u64, u64)>| -> Option<Pair> {
        let (first, record) = group.first()?;
        group.iter().find(|(other, _)| other != first).map(|(_, other)| (*record, *other))
    };
    let merged: Vec<Pair> = by_item.values().filter_map(different).collect();
    let separated: Vec<Pair> = by_truth.values().filter_map(different).collect();
    let wanted: HashSet<u64> = spread(&merged, count)
        .chain(spread(&separated, count))
        .flat_map(|(one, other)| [*one, *other])
        .collect();
    let mut last: HashMap<u64, Sighting> = HashMap::new();
    estate.each(|seen| {
        if wanted.contains(&seen.record) {
            last.insert(seen.record, seen.clone());
        }
    });
    for (title, pairs) in [("wrongly merged", &merged), ("wrongly separated", &separated)] {
        println!("# {title}: {} groups", pairs.len());
        for (one, other) in spread(pairs, count) {
            println!();
            for record in [one, other] {
                let item = product.item_of(*record).unwrap_or_default();
                if let Some(seen) = last.get(record) {
                    println!("{}", line_of(seen, item));
                }
            }
        }
        println!();
    }
    Ok(())
}

/// `count` of them, evenly over all.
fn spread(pairs: &[Pair], count: usize) -> impl Iterator<Item = &Pair> {
    pairs.iter().step_by((pairs.len() / count.max(1)).max(1)).take(count)
}

fn line_of(seen: &Sighting, item: u64) -> String {
    let keys: Vec<String> =
        seen.keys().iter().map(|key| format!("{}={}", key.key_type.name(), key.value)).collect();
    format!(
        "item {item}, truth {}, {} {} at {}: {}",
        seen.truth,
        seen.class.name(),
        seen.record_name(),
        seen.at.millis(),
        keys.join(" ")
    )
}
