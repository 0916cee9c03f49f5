//! `reconcile`: how many observations one core decides about in memory, and what is kept of an item.
//!
//! Unchanged observations are whole ones that come again: their keys are hashed, their content is hashed as it is on
//! the wire, and the reconciler says that there is nothing to do. Changed ones differ in three attributes of twenty;
//! the time includes asking for what is stored and ending the decision, not writing it. Memory is that of the
//! process with a million items less that before, with the store outside. The allocator is the system's.
//!
//! A merge is two items that a person joins, a split is taking that back, each with its whole decision: everything
//! that has to be decided again, what moves, and the relationships of a dozen neighbours that move with it. A plan
//! decides about everything that is known by other rules.

#[path = "bench-reconcile/item.rs"]
mod item;

use anyhow::{Context, Result, ensure};
use clap::Parser;
use model::decision::{
    Decision, Number, ObservationRecord, ObservationWrite, RelationRecord, native_hash,
};
use model::run::ContentHash;
use model::{AgentId, Catalog, ItemId, Observation, SourceId, Timestamp};
use proto::v1;
use reconcile::{Error, Past, Reconciler, Rules, Sight};
use std::collections::{BTreeSet, HashMap};
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

/// How many merges and splits are measured.
const MERGES: u64 = 200;

/// What is kept of what is decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Keeps {
    /// Nothing: a store that is elsewhere does not count into the memory.
    Nothing,
    /// Everything.
    All,
    /// The items that will be merged, and what leads to them: one in so many.
    OneIn(Number),
}

impl Keeps {
    const fn item(self, item: Number) -> bool {
        match self {
            Self::Nothing => false,
            Self::All => true,
            Self::OneIn(step) => item % step == 1,
        }
    }
}

/// What is stored, in memory.
#[derive(Debug)]
struct Stored {
    records: HashMap<Number, ObservationRecord>,
    of_item: HashMap<Number, BTreeSet<Number>>,
    /// By the item that they lead to.
    relations: HashMap<Number, Vec<RelationRecord>>,
    keeps: Keeps,
}

impl Past for Stored {
    fn observations_of(&self, item: Number) -> Result<Vec<ObservationRecord>, Error> {
        let numbers = self.of_item.get(&item).into_iter().flatten();
        Ok(numbers.filter_map(|number| self.records.get(number)).cloned().collect())
    }

    fn relations_to(&self, item: Number) -> Result<Vec<RelationRecord>, Error> {
        Ok(self.relations.get(&item).cloned().unwrap_or_default())
    }
}

impl Stored {
    fn write(&mut self, decision: Decision) {
        if self.keeps == Keeps::Nothing {
            return;
        }
        for end in decision.relations_ended {
            if let Some(held) = self.relations.get_mut(&end.to) {
                held.retain(|one| {
                    (one.from, &one.verb, one.owner) != (end.from, &end.verb, end.owner)
                });
            }
        }
        for begun in decision.relations_begun {
            if self.keeps.item(begun.to) {
                self.relations.entry(begun.to).or_default().push(begun);
            }
        }
        for write in decision.observations {
            let record = match write {
                ObservationWrite::New(record)
                | ObservationWrite::Moved(record)
                | ObservationWrite::Reassigned(record)
                | ObservationWrite::Dated(record)
                | ObservationWrite::Next { record, .. } => record,
            };
            if !self.keeps.item(record.item) {
                continue;
            }
            let (number, item) = (record.number, record.item);
            if let Some(before) = self.records.insert(number, record)
                && let Some(numbers) = self.of_item.get_mut(&before.item)
            {
                numbers.remove(&number);
            }
            self.of_item.entry(item).or_default().insert(number);
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
    let mut bench = Bench::new(Keeps::Nothing);
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
        merges(items, &mut report)?;
        // What is stored is kept beside it here, so these are fewer.
        let items = items / 5;
        let mut bench = Bench::new(Keeps::All);
        report.figure("new_obs_s_core", items as f64 / bench.pass(items, 0)?);
        for changes in 1..=PASSES {
            let seconds = bench.pass(items, changes)?;
            report.figure("changed_obs_s_core", items as f64 / seconds);
        }
    }
    report.print(arguments.json);
    Ok(())
}

/// Merges and splits among so many items, and a plan of other rules for all of them.
fn merges(items: u64, report: &mut Report) -> Result<()> {
    let step = Number::try_from(items / (MERGES * 2))?;
    let mut bench = Bench::new(Keeps::OneIn(step));
    bench.pass(items, 0)?;
    for merge in 0..Number::try_from(MERGES)? {
        let one = merge * 2 * step + 1;
        let begin = cpu_seconds();
        bench.begin();
        let said = bench.reconciler.join(&bench.stored, (one, one + step), "bench")?;
        let decision = bench.reconciler.finish(&bench.stored)?;
        report.figure("merge_ms", (cpu_seconds() - begin) * 1e3);
        ensure!(decision.absorbed.len() == 1, "two items were joined and are still two");
        bench.stored.write(decision);
        let begin = cpu_seconds();
        bench.begin();
        bench.reconciler.take_back(said.action)?;
        let decision = bench.reconciler.finish(&bench.stored)?;
        report.figure("split_ms", (cpu_seconds() - begin) * 1e3);
        ensure!(decision.revived.len() == 1, "what was taken back is still one item");
        bench.stored.write(decision);
    }
    let rules = Rules::parse("version = \"other\"\n[default]\nlink_at = 20\n")?;
    let begin = cpu_seconds();
    let plan = bench.reconciler.plan(&rules, 100);
    let name = if items == 1_000_000 { "plan_1m_s" } else { "plan_s" };
    report.figure(name, cpu_seconds() - begin);
    ensure!(plan.sightings >= usize::try_from(items)?, "the plan left out {}", items);
    Ok(())
}

impl Bench {
    /// Begins a decision, a minute after the one before.
    fn begin(&mut self) {
        self.mark += 1;
        self.reconciler.begin(Timestamp::from_seconds(1_700_000_000 + i64::from(self.mark) * 60));
    }

    fn new(keeps: Keeps) -> Self {
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
            stored: Stored {
                records: HashMap::new(),
                of_item: HashMap::new(),
                relations: HashMap::new(),
                keeps,
            },
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
