//! `reconcile`: how many observations one core decides about in memory, and what is kept of an item.
//!
//! Unchanged observations are whole ones that come again: their keys are hashed, their content is hashed as it is on
//! the wire, and the reconciler says that there is nothing to do. Changed ones differ in three attributes of twenty;
//! the time includes asking for what is stored and ending the decision, not writing it. Memory is that of the
//! process with a million items less that before, with the store outside. The allocator is the system's.
//!
//! Merges, splits and plans are not measured here yet: the reconciler has no interface for them.

#[path = "bench-reconcile/item.rs"]
mod item;

use anyhow::{Context, Result};
use clap::Parser;
use model::decision::{Decision, Number, ObservationRecord, ObservationWrite, native_hash};
use model::run::ContentHash;
use model::{AgentId, Catalog, ItemId, Observation, SourceId, Timestamp};
use proto::v1;
use reconcile::{Error, Past, Reconciler, Sight};
use std::collections::HashMap;
use std::sync::Arc;
use system_tests::report::Report;

#[derive(Parser)]
struct Arguments {
    /// Print one JSON object last
    #[arg(long)]
    json: bool,
    /// A hundred thousand items instead of a million
    #[arg(long)]
    quick: bool,
}

/// How many observations are decided together.
const BATCH: u64 = 256;

/// How often everything is sent again.
const PASSES: u64 = 5;

/// What is stored, in memory.
#[derive(Debug, Default)]
struct Stored {
    records: HashMap<Number, ObservationRecord>,
    of_item: HashMap<Number, Vec<Number>>,
    /// Whether it keeps what it is given; a store that is elsewhere does not count into the memory.
    keeps: bool,
}

impl Past for Stored {
    fn observations_of(&self, item: Number) -> Result<Vec<ObservationRecord>, Error> {
        let numbers = self.of_item.get(&item).map(Vec::as_slice).unwrap_or_default();
        Ok(numbers.iter().filter_map(|number| self.records.get(number)).cloned().collect())
    }

    fn parts_of(&self, _item: Number) -> Result<Vec<Number>, Error> {
        Ok(Vec::new())
    }
}

impl Stored {
    fn write(&mut self, decision: Decision) {
        if !self.keeps {
            return;
        }
        for write in decision.observations {
            let record = match write {
                ObservationWrite::New(record)
                | ObservationWrite::Moved(record)
                | ObservationWrite::Next { record, .. } => record,
            };
            let numbers = self.of_item.entry(record.item).or_default();
            if !numbers.contains(&record.number) {
                numbers.push(record.number);
            }
            self.records.insert(record.number, record);
        }
    }
}

/// An observation with its body as it is on the wire.
struct Sent {
    /// Taken when it has to be decided about; nobody decodes what did not change.
    seen: Option<Observation>,
    wire: v1::Observation,
}

struct Bench {
    reconciler: Reconciler,
    stored: Stored,
    source: SourceId,
    mark: u32,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let items = if arguments.quick { 100_000 } else { 1_000_000 };
    let mut report = Report::new("reconcile");
    let before = resident_bytes()?;
    let mut bench = Bench::new(false);
    bench.pass(items, 0)?;
    let after = resident_bytes()?;
    #[expect(clippy::cast_precision_loss, reason = "gigabytes and millions")]
    {
        report.figure("bytes_per_item", after.saturating_sub(before) as f64 / items as f64);
        report.figure("items", items as f64);
        for _ in 0..PASSES {
            let seconds = bench.pass(items, 0)?;
            report.figure("unchanged_obs_s_core", items as f64 / seconds);
        }
        drop(bench);
        // What is stored is kept beside it here, so these are fewer.
        let items = items / 5;
        let mut bench = Bench::new(true);
        report.figure("new_obs_s_core", items as f64 / bench.pass(items, 0)?);
        for changes in 1..=PASSES {
            let seconds = bench.pass(items, changes)?;
            report.figure("changed_obs_s_core", items as f64 / seconds);
        }
    }
    report.print(arguments.json);
    Ok(())
}

impl Bench {
    fn new(keeps: bool) -> Self {
        let mut count = 0_u64;
        let new_id = Box::new(move |at: Timestamp| {
            count += 1;
            let mut random = [0; 10];
            for (to, from) in random.iter_mut().zip(count.to_be_bytes()) {
                *to = from;
            }
            ItemId::new_v7(at, random)
        });
        Self {
            reconciler: Reconciler::new(Arc::new(Catalog::built_in()), new_id),
            stored: Stored { keeps, ..Stored::default() },
            source: SourceId { collector: "bench".into(), target: "one".into() },
            mark: 0,
        }
    }

    /// Everything once, with so many changes; answers how much processor time deciding took.
    fn pass(&mut self, items: u64, changes: u64) -> Result<f64> {
        let mut spent = 0.0;
        self.mark += 1;
        let mut first = 0;
        while first < items {
            let last = items.min(first + BATCH);
            let mut sent: Vec<Sent> = (first..last).map(|index| sent(index, changes)).collect();
            let begin = cpu_seconds();
            let decision = self.decide(&mut sent)?;
            spent += cpu_seconds() - begin;
            self.stored.write(decision);
            first = last;
        }
        Ok(spent)
    }

    fn decide(&mut self, sent: &mut [Sent]) -> Result<Decision> {
        let at = Timestamp::from_seconds(1_700_000_000 + i64::from(self.mark) * 60);
        self.reconciler.begin(at);
        let source =
            self.reconciler.source(&self.source, AgentId::from_bytes([1; 16]), "site-0")?;
        let scope = self.reconciler.scope(source, "hardware")?;
        for Sent { seen, wire } in sent {
            let sight = Sight {
                source,
                scope,
                native: native_hash(&self.source, &wire.native_key),
                content: ContentHash::of(&wire.class, &wire.native_key, &wire.body).0,
                at,
                mark: self.mark,
            };
            if !self.reconciler.is_unchanged(&sight)
                && let Some(seen) = seen.take()
            {
                self.reconciler.observe(&self.stored, &sight, seen)?;
            }
        }
        Ok(self.reconciler.finish(&self.stored)?)
    }
}

fn sent(index: u64, changes: u64) -> Sent {
    let seen = item::item(0, index, changes);
    let wire = proto::convert::observation_to(&seen);
    Sent { seen: Some(seen), wire }
}

/// Bytes of memory that the process holds.
fn resident_bytes() -> Result<u64> {
    let text = std::fs::read_to_string("/proc/self/status")?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kibibytes = line.and_then(|line| line.split_whitespace().next());
    Ok(kibibytes.context("the kernel does not say the memory")?.parse::<u64>()? * 1024)
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
