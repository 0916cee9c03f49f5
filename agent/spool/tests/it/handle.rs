//! The handle: many writers at once, waiting readers, back-pressure, closing.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use bytes::Bytes;
use environment::{
    Disk, Fault, FaultOn, RealDisk, SeededRandomness, SimulatedClock, SimulatedDisk, SystemClock,
    SystemRandomness,
};
use spool::{AppendError, Entry, Options, Priority, Spool};

const CLASS: Priority = Priority::Inventory;
/// No test waits longer for anything.
const DEADLINE: Duration = Duration::from_secs(60);

fn open_on(disk: impl Disk + 'static, options: Options) -> Spool {
    let clock = Arc::new(SimulatedClock::default());
    Spool::open(options, Arc::new(disk), clock, Arc::new(SeededRandomness::new(1))).unwrap()
}

fn open(disk: &SimulatedDisk) -> Spool {
    open_on(disk.clone(), Options::new("/spool"))
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_time().build().unwrap()
}

fn sequences(entries: &[Entry]) -> Vec<u64> {
    entries.iter().map(Entry::last).collect()
}

#[test]
fn every_writer_gets_its_own_sequences_and_finds_its_records_under_them() {
    let spool = open(&SimulatedDisk::new(1));
    let accepted: Vec<(u64, Vec<u8>)> = thread::scope(|scope| {
        let writers: Vec<_> = (0..4_u8)
            .map(|writer| {
                let spool = &spool;
                scope.spawn(move || {
                    (0..500_u32)
                        .map(|number| {
                            let record = [&[writer][..], &number.to_le_bytes()].concat();
                            (spool.append_blocking(CLASS, &record).unwrap(), record)
                        })
                        .collect::<Vec<_>>()
                })
            })
            .collect();
        writers.into_iter().flat_map(|writer| writer.join().unwrap()).collect()
    });
    let entries = spool.read(CLASS, 0, 10_000, 10_000_000).unwrap();
    assert_eq!(sequences(&entries), (1..=2_000).collect::<Vec<_>>());
    for (seq, record) in accepted {
        let index = usize::try_from(seq).unwrap() - 1;
        assert_eq!(entries[index], Entry::Record { seq, payload: Bytes::from(record) });
    }
}

#[test]
fn a_reader_that_waits_is_woken_for_every_record_also_the_last() {
    let spool = open(&SimulatedDisk::new(1));
    runtime().block_on(async {
        let reader = tokio::spawn({
            let spool = spool.clone();
            async move {
                let mut durable = spool.watch(CLASS);
                let mut after = 0;
                while after < 1_000 {
                    let entries = spool.read(CLASS, after, 64, 1 << 20).unwrap();
                    match entries.last() {
                        Some(last) => after = last.last(),
                        None => durable.changed().await.unwrap(),
                    }
                    spool.acknowledge(CLASS, after).unwrap();
                }
                after
            }
        });
        for number in 0..1_000_u32 {
            let record = Bytes::copy_from_slice(&number.to_le_bytes());
            spool.append(CLASS, record).await.unwrap();
        }
        let after = tokio::time::timeout(DEADLINE, reader).await.unwrap().unwrap();
        assert_eq!((after, spool.committed(CLASS), spool.durable(CLASS)), (1_000, 1_000, 1_000));
    });
}

#[test]
fn appending_many_returns_their_range_and_nothing_for_nothing() {
    let spool = open(&SimulatedDisk::new(1));
    runtime().block_on(async {
        let records: Vec<Bytes> = (0..100_u8).map(|byte| Bytes::from(vec![byte; 50_000])).collect();
        assert_eq!(spool.append_many(CLASS, records).await.unwrap(), 1..=100);
        assert!(spool.append_many(CLASS, Vec::new()).await.unwrap().is_empty());
    });
    assert_eq!(spool.durable(CLASS), 100);
}

#[test]
fn an_accepted_record_survives_a_power_cut_right_after_its_acceptance() {
    for seed in 0..50 {
        let disk = SimulatedDisk::new(seed);
        let spool = open(&disk);
        for number in 1..=20_u64 {
            assert_eq!(spool.append_blocking(CLASS, &number.to_le_bytes()).unwrap(), number);
        }
        let epoch = spool.epoch();
        disk.power_cut();
        drop(spool);
        let spool = open(&disk);
        assert_eq!(spool.epoch(), epoch);
        let entries = spool.read(CLASS, 0, 100, 10_000).unwrap();
        assert_eq!(sequences(&entries), (1..=20).collect::<Vec<_>>(), "seed {seed}");
    }
}

#[test]
fn every_writer_learns_that_the_disk_failed_and_the_next_try_succeeds() {
    let disk = SimulatedDisk::new(1);
    let spool = open(&disk);
    spool.append_blocking(CLASS, b"first").unwrap();
    disk.fail(FaultOn::SyncData, Fault::InputOutput, u32::MAX);
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..10 {
                    let error = spool.append_blocking(CLASS, b"refused").unwrap_err();
                    assert!(matches!(error, AppendError::Disk { .. }) && error.is_transient());
                }
            });
        }
    });
    disk.heal();
    assert_eq!(spool.append_blocking(CLASS, b"second").unwrap(), 2);
    let statistics = spool.statistics();
    assert_eq!(statistics.classes.of(CLASS).appended, 2);
    assert_eq!(statistics.classes.of(CLASS).rejected, 40);
}

#[test]
fn writers_that_are_faster_than_the_disk_wait_and_lose_nothing() {
    let spool = open(&SimulatedDisk::new(1));
    runtime().block_on(async {
        let mut writers = tokio::task::JoinSet::new();
        for _ in 0..8 {
            let spool = spool.clone();
            writers.spawn(async move {
                let records = vec![Bytes::from(vec![7; 100_000]); 40];
                spool.append_many(CLASS, records).await.unwrap().count()
            });
        }
        let all = tokio::time::timeout(DEADLINE, writers.join_all()).await.unwrap();
        assert_eq!(all.len(), 8);
    });
    assert_eq!(spool.durable(CLASS), 320);
}

#[test]
fn the_last_handle_writes_what_is_queued_and_lets_go_of_the_folder() {
    let folder = tempfile::tempdir().unwrap();
    let options = Options::new(folder.path().join("spool"));
    let clock = Arc::new(SystemClock);
    let open = || {
        let randomness = Arc::new(SystemRandomness);
        Spool::open(
            options.clone(),
            Arc::new(RealDisk),
            Arc::<SystemClock>::clone(&clock),
            randomness,
        )
    };
    let spool = open().unwrap();
    let other = spool.clone();
    let ticket = spool.submit_blocking(CLASS, b"queued").unwrap();
    drop(spool);
    assert!(open().is_err(), "a second process must be refused");
    drop(other);
    assert_eq!(ticket.wait_blocking().unwrap(), 1);
    assert_eq!(open().unwrap().durable(CLASS), 1);
}

#[test]
fn acknowledging_while_others_write_and_read_disturbs_neither() {
    let mut options = Options::with_total("/spool", spool::TOTAL_BYTES_MIN);
    options.segment_bytes = spool::SEGMENT_BYTES_MIN;
    let spool = open_on(SimulatedDisk::new(1), options);
    let is_done = AtomicBool::new(false);
    thread::scope(|scope| {
        let writers: Vec<_> = (0..2)
            .map(|_| {
                scope.spawn(|| {
                    for _ in 0..1_000 {
                        spool.append_blocking(CLASS, &[1; 1_000]).unwrap();
                    }
                })
            })
            .collect();
        let reader = scope.spawn(|| {
            let mut after = 0;
            loop {
                let was_done = is_done.load(Ordering::Acquire);
                let entries = spool.read(CLASS, after, 100, 1 << 20).unwrap();
                for entry in &entries {
                    assert_eq!(entry.first(), after + 1);
                    assert!(matches!(entry, Entry::Record { .. }));
                    after = entry.last();
                }
                spool.acknowledge(CLASS, after).unwrap();
                if was_done && entries.is_empty() {
                    return after;
                }
            }
        });
        for writer in writers {
            writer.join().unwrap();
        }
        is_done.store(true, Ordering::Release);
        assert_eq!(reader.join().unwrap(), 2_000);
    });
    assert_eq!(spool.statistics().classes.of(CLASS).segments, 1);
}

#[test]
fn setting_the_sequence_forth_under_a_writer_loses_nothing_accepted() {
    let spool = open(&SimulatedDisk::new(1));
    let accepted: Vec<u32> = thread::scope(|scope| {
        let writer = scope.spawn(|| {
            (0..2_000_u32)
                .filter(|number| spool.append_blocking(CLASS, &number.to_le_bytes()).is_ok())
                .collect()
        });
        for sequence in [5_000, 10_000, 20_000] {
            while spool.durable(CLASS) + 4_900 < sequence && !writer.is_finished() {
                thread::yield_now();
            }
            spool.continue_after(CLASS, sequence).unwrap();
        }
        writer.join().unwrap()
    });
    let entries = spool.read(CLASS, 0, 100_000, 10_000_000).unwrap();
    let stored: std::collections::BTreeSet<u32> = entries
        .iter()
        .map(|entry| match entry {
            Entry::Record { payload, .. } => u32::from_le_bytes(payload[..].try_into().unwrap()),
            Entry::Gap(gap) => panic!("{gap:?}"),
        })
        .collect();
    assert!(accepted.len() > 1_900);
    assert!(accepted.iter().all(|number| stored.contains(number)));
    assert!(entries.iter().all(|entry| entry.first() > 20_000));
}
