//! The spool against the simplest model of it: a list. Random operations, crashes between and inside of them, and
//! after each the spool must hold what the model holds.

use std::sync::Arc;

use environment::{SeededRandomness, SimulatedClock, SimulatedDisk};
use proptest::prelude::*;
use spool::{Batch, Entry, GapReason, Log, Options, Priority};

const CLASS: Priority = Priority::Inventory;

#[derive(Debug, Clone)]
enum Operation {
    Append {
        sizes: Vec<usize>,
    },
    Read {
        back: u64,
        records_max: usize,
        bytes_max: usize,
    },
    Acknowledge {
        back: u64,
    },
    Kill,
    PowerCut,
    /// The power fails within the next so many changes of the disk.
    PowerFailsAfter {
        operations: u64,
    },
}

fn operation() -> impl Strategy<Value = Operation> {
    prop_oneof![
        8 => prop::collection::vec(0_usize..4_000, 1..6).prop_map(|sizes| Operation::Append { sizes }),
        4 => (0_u64..60, 1_usize..50, 1_usize..20_000).prop_map(|(back, records_max, bytes_max)| {
            Operation::Read { back, records_max, bytes_max }
        }),
        3 => (0_u64..60).prop_map(|back| Operation::Acknowledge { back }),
        1 => Just(Operation::Kill),
        1 => Just(Operation::PowerCut),
        1 => (0_u64..12).prop_map(|operations| Operation::PowerFailsAfter { operations }),
    ]
}

/// What must be there: the content of each accepted record by its sequence, and whether it is sure to be there.
struct Model {
    disk: SimulatedDisk,
    log: Log,
    records: Vec<Option<Vec<u8>>>,
    committed: u64,
    dropped_through: u64,
    count: u64,
}

fn open(disk: &SimulatedDisk) -> Log {
    let mut options = Options::with_total("/spool", spool::TOTAL_BYTES_MIN);
    options.segment_bytes = spool::SEGMENT_BYTES_MIN;
    options.reserve_bytes = 0;
    options.quota_bytes = [spool::TOTAL_BYTES_MIN, 64 << 10, 64 << 10, 64 << 10];
    let clock = Arc::new(SimulatedClock::default());
    Log::open(&options, Arc::new(disk.clone()), clock, &SeededRandomness::new(1)).unwrap()
}

impl Model {
    fn new(seed: u64) -> Self {
        let disk = SimulatedDisk::new(seed);
        let log = open(&disk);
        Self { disk, log, records: Vec::new(), committed: 0, dropped_through: 0, count: 0 }
    }

    fn last(&self) -> u64 {
        u64::try_from(self.records.len()).unwrap()
    }

    fn apply(&mut self, operation: &Operation) {
        match operation {
            Operation::Append { sizes } => self.append(sizes),
            Operation::Read { back, records_max, bytes_max } => {
                let after = self.last().saturating_sub(*back);
                self.check(after, *records_max, *bytes_max);
            }
            Operation::Acknowledge { back } => {
                let through = self.last().saturating_sub(*back);
                if self.log.acknowledge(CLASS, through).is_ok() {
                    self.committed = self.committed.max(through);
                }
                assert!(self.disk.is_off() || self.log.committed(CLASS) == self.committed);
            }
            Operation::Kill => {
                self.disk.process_kill();
                self.restart();
            }
            Operation::PowerCut => {
                self.disk.power_cut();
                self.restart();
            }
            Operation::PowerFailsAfter { operations } => self.disk.fail_power_after(*operations),
        }
        if self.disk.is_off() {
            self.disk.power_cut();
            self.restart();
        }
    }

    fn append(&mut self, sizes: &[usize]) {
        let mut batch = Batch::new();
        let mut payloads = Vec::new();
        for size in sizes {
            self.count += 1;
            let mut payload = self.count.to_le_bytes().to_vec();
            payload.resize(size + 8, 1);
            batch.push(&payload);
            payloads.push(payload);
        }
        match self.log.append(CLASS, &mut batch) {
            Ok(range) => {
                assert_eq!(*range.start(), self.last() + 1);
                self.records.extend(payloads.into_iter().map(Some));
                assert_eq!(*range.end(), self.last());
            }
            Err(error) => assert!(self.disk.is_off(), "{error}"),
        }
    }

    /// A restart keeps everything accepted. Refused records may have come through; they take their sequences.
    fn restart(&mut self) {
        self.log = open(&self.disk);
        assert!(self.log.durable(CLASS) >= self.last(), "accepted records are forgotten");
        assert!(self.log.committed(CLASS) >= self.committed, "the cursor went back");
        self.committed = self.log.committed(CLASS);
        let durable = usize::try_from(self.log.durable(CLASS)).unwrap();
        self.records.resize(durable, None);
        self.check(0, usize::MAX, usize::MAX);
    }

    fn check(&mut self, after: u64, records_max: usize, bytes_max: usize) {
        let entries = self.log.read(CLASS, after, records_max, bytes_max).unwrap_or_default();
        if self.disk.is_off() {
            return;
        }
        let mut expected = after.max(self.committed) + 1;
        assert!(!entries.is_empty() || expected > self.last(), "nothing read after {after}");
        assert!(entries.len() <= records_max);
        for entry in &entries {
            assert_eq!(entry.first(), expected);
            expected = entry.last() + 1;
            match entry {
                Entry::Record { seq, payload } => {
                    let known = &self.records[usize::try_from(*seq).unwrap() - 1];
                    assert!(known.as_ref().is_none_or(|known| known == payload), "record {seq}");
                }
                Entry::Gap(gap) if gap.reason == GapReason::Quota => {
                    self.dropped_through = self.dropped_through.max(gap.to);
                }
                Entry::Gap(gap) => {
                    let range =
                        usize::try_from(gap.from).unwrap() - 1..usize::try_from(gap.to).unwrap();
                    let lost = self.records[range].iter().flatten().count();
                    assert_eq!(lost, 0, "accepted records lost without cause: {gap:?}");
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(250))]

    #[test]
    fn the_spool_holds_what_a_list_would_hold(
        seed in any::<u64>(),
        operations in prop::collection::vec(operation(), 1..80),
    ) {
        let mut model = Model::new(seed);
        for operation in &operations {
            model.apply(operation);
        }
        model.disk.heal();
        model.disk.power_cut();
        model.restart();
    }
}
