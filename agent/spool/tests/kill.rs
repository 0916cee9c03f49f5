//! A real process that is killed over and over while it writes: nothing that it said was accepted may be missing.
//!
//! The child (this same program with `--child DIR`) appends from several threads and writes each accepted sequence with
//! a checksum of its content to its standard output; the parent kills it at a random moment, opens the spool and looks
//! for every line that came through the pipe. `DHARMA_KILLS` asks for more kills than the ordinary run does.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::panic,
    reason = "a test program fails by panicking and tells its result"
)]

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Command, Stdio},
    sync::Arc,
    thread,
};

use environment::{RandomnessExt, RealDisk, SeededRandomness, SystemClock, SystemRandomness};
use spool::{Entry, Options, Priority, Spool};

/// Kills of the ordinary test run.
const KILLS: u64 = 40;
/// Threads of the child that write.
const WRITERS_COUNT: usize = 3;
/// After so many accepted records at most the child is killed.
const ACCEPTED_MAX: u64 = 400;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    match arguments.get(1).map(String::as_str) {
        Some("--child") => child(Path::new(arguments.get(2).unwrap())),
        // Asked by test runners that list what there is.
        Some("--list") => println!("killed_processes_lose_nothing_accepted: test"),
        _ => killed_processes_lose_nothing_accepted(),
    }
}

fn open(directory: &Path) -> Spool {
    let mut options = Options::with_total(directory, spool::TOTAL_BYTES_MIN);
    options.segment_bytes = 128 << 10;
    let (disk, clock) = (Arc::new(RealDisk), Arc::new(SystemClock));
    Spool::open(options, disk, clock, Arc::new(SystemRandomness)).unwrap()
}

fn class_of(writer: usize) -> Priority {
    if writer.is_multiple_of(2) { Priority::Inventory } else { Priority::Events }
}

/// Writes until it is killed.
fn child(directory: &Path) {
    let spool = open(directory);
    thread::scope(|scope| {
        for writer in 0..WRITERS_COUNT {
            let spool = &spool;
            scope.spawn(move || {
                let class = class_of(writer);
                for number in 0_u64.. {
                    let record = format!("{}/{writer}/{number}", std::process::id()).repeat(20);
                    let seq = spool.append_blocking(class, record.as_bytes()).unwrap();
                    let line = format!("{class} {seq} {record}\n");
                    // The parent is gone or has heard enough.
                    if std::io::stdout().lock().write_all(line.as_bytes()).is_err() {
                        return;
                    }
                }
            });
        }
    });
}

fn killed_processes_lose_nothing_accepted() {
    let kills =
        std::env::var("DHARMA_KILLS").ok().and_then(|text| text.parse().ok()).unwrap_or(KILLS);
    let folder = tempfile::tempdir().unwrap();
    let directory = folder.path().join("spool");
    let randomness = SeededRandomness::new(std::process::id().into());
    let mut accepted: BTreeMap<(Priority, u64), String> = BTreeMap::new();
    let (mut accepted_count, mut epoch) = (0_u64, None);
    for _ in 0..kills {
        for ((class, seq), record) in run_and_kill(&directory, randomness.below(ACCEPTED_MAX)) {
            accepted_count += 1;
            let before = accepted.insert((class, seq), record);
            assert!(before.is_none(), "sequence {seq} of {class} was given out twice");
        }
        let spool = open(&directory);
        assert_eq!(spool.epoch(), *epoch.get_or_insert(spool.epoch()));
        for class in [Priority::Inventory, Priority::Events] {
            check(&spool, class, &accepted);
            // Half of it is acknowledged, so that segments come and go.
            let (committed, durable) = (spool.committed(class), spool.durable(class));
            spool.acknowledge(class, committed + (durable - committed) / 2).unwrap();
        }
        accepted.retain(|(class, seq), _| *seq > spool.committed(*class));
    }
    println!(
        "killed_processes_lose_nothing_accepted: {kills} kills, {accepted_count} accepted, 0 lost"
    );
}

/// Lets the child write and kills it after so many accepted records; returns what it said was accepted.
fn run_and_kill(directory: &Path, after: u64) -> Vec<((Priority, u64), String)> {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .arg("--child")
        .arg(directory)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut accepted: Vec<_> = (0..=after).filter_map(|_| parse(&lines.next()?.unwrap())).collect();
    child.kill().unwrap();
    child.wait().unwrap();
    // What is still in the pipe was said before the kill. The last line may be cut short.
    accepted.extend(lines.map_while(Result::ok).filter_map(|line| parse(&line)));
    assert!(!accepted.is_empty(), "the child has accepted nothing");
    accepted
}

fn parse(line: &str) -> Option<((Priority, u64), String)> {
    let mut words = line.split(' ');
    let class = Priority::from_name(words.next()?)?;
    let seq = words.next()?.parse().ok()?;
    let record = words.next()?.to_owned();
    let is_whole = record.len().is_multiple_of(20) && !record.is_empty();
    is_whole.then_some(((class, seq), record))
}

fn check(spool: &Spool, class: Priority, accepted: &BTreeMap<(Priority, u64), String>) {
    let mut after = spool.committed(class);
    loop {
        let entries = spool.read(class, after, 1_000, 1 << 20).unwrap();
        for entry in &entries {
            assert_eq!(entry.first(), after + 1);
            after = entry.last();
            match entry {
                Entry::Record { seq, payload } => {
                    let known = accepted.get(&(class, *seq));
                    let is_same = known.is_none_or(|known| known.as_bytes() == &payload[..]);
                    assert!(is_same, "record {seq} of {class} has another content");
                }
                Entry::Gap(gap) => panic!("{class} has a gap: {gap:?}"),
            }
        }
        if entries.is_empty() {
            break;
        }
    }
    let last = accepted.keys().filter(|(of, _)| *of == class).map(|(_, seq)| *seq).max();
    assert!(last.is_none_or(|last| last <= after), "records up to {last:?} are missing");
}
