//! Whatever somebody or something did to the files: the spool opens, reads to an end, says what is missing, and takes
//! new records under sequences that it never gave out.

use std::{
    fs::{self, File},
    io::Write,
    path::{Path, PathBuf},
    sync::Arc,
};

use environment::{RealDisk, SeededRandomness, SystemClock};
use proptest::prelude::*;
use spool::{Batch, Entry, Log, Options, Priority, tool};

const CLASS: Priority = Priority::Events;

#[derive(Debug, Clone)]
enum Mangle {
    Overwrite { at: prop::sample::Index, bytes: Vec<u8> },
    Insert { at: prop::sample::Index, bytes: Vec<u8> },
    Cut { at: prop::sample::Index },
    CutOut { at: prop::sample::Index, length: usize },
    Repeat { at: prop::sample::Index, length: usize },
    Extend { bytes: Vec<u8> },
    Remove,
    Replace { by: prop::sample::Index },
}

fn mangle() -> impl Strategy<Value = Mangle> {
    let bytes = || prop::collection::vec(any::<u8>(), 1..200);
    let at = any::<prop::sample::Index>;
    prop_oneof![
        4 => (at(), bytes()).prop_map(|(at, bytes)| Mangle::Overwrite { at, bytes }),
        2 => (at(), bytes()).prop_map(|(at, bytes)| Mangle::Insert { at, bytes }),
        2 => at().prop_map(|at| Mangle::Cut { at }),
        2 => (at(), 1_usize..2_000).prop_map(|(at, length)| Mangle::CutOut { at, length }),
        2 => (at(), 1_usize..2_000).prop_map(|(at, length)| Mangle::Repeat { at, length }),
        1 => bytes().prop_map(|bytes| Mangle::Extend { bytes }),
        1 => Just(Mangle::Remove),
        1 => at().prop_map(|by| Mangle::Replace { by }),
    ]
}

impl Mangle {
    /// True if it takes bytes away. From the newest segment that cannot be noticed: nothing else says how long it was.
    fn takes_away(&self) -> bool {
        matches!(self, Self::Cut { .. } | Self::CutOut { .. } | Self::Remove | Self::Replace { .. })
    }
}

fn apply(mangle: &Mangle, path: &Path, all: &[PathBuf]) {
    let Ok(mut content) = fs::read(path) else { return };
    let place = |at: &prop::sample::Index| at.index(content.len() + 1);
    match mangle {
        Mangle::Overwrite { at, bytes } => {
            let start = place(at);
            for (target, byte) in content[start..].iter_mut().zip(bytes) {
                *target = *byte;
            }
        }
        Mangle::Insert { at, bytes } => {
            let start = place(at);
            content.splice(start..start, bytes.iter().copied());
        }
        Mangle::Cut { at } => content.truncate(place(at)),
        Mangle::CutOut { at, length } => {
            let start = place(at);
            let end = (start + length).min(content.len());
            content.drain(start..end);
        }
        Mangle::Repeat { at, length } => {
            let start = place(at);
            let part = content[start..(start + length).min(content.len())].to_vec();
            content.splice(start..start, part);
        }
        Mangle::Extend { bytes } => content.extend(bytes),
        Mangle::Remove => return fs::remove_file(path).unwrap(),
        Mangle::Replace { by } => content = fs::read(by.get::<PathBuf>(all)).unwrap_or_default(),
    }
    File::create(path).unwrap().write_all(&content).unwrap();
}

fn open(directory: &Path) -> Log {
    let mut options = Options::with_total(directory, spool::TOTAL_BYTES_MIN);
    options.segment_bytes = spool::SEGMENT_BYTES_MIN;
    options.reserve_bytes = 0;
    let randomness = SeededRandomness::new(9);
    Log::open(&options, Arc::new(RealDisk), Arc::new(SystemClock), &randomness).unwrap()
}

fn append(log: &mut Log, count: u64) -> u64 {
    let mut batch = Batch::new();
    for number in 0..count {
        batch.push(&vec![u8::try_from(number % 251).unwrap(); 300]);
    }
    *log.append(CLASS, &mut batch).unwrap().end()
}

/// The entries up to the end, each after the other.
fn read_all(log: &mut Log) -> Vec<Entry> {
    let mut entries: Vec<Entry> = Vec::new();
    let mut after = log.committed(CLASS);
    loop {
        let more = log.read(CLASS, after, 100, 1 << 20).unwrap();
        let Some(last) = more.last() else { return entries };
        assert_eq!(more[0].first(), after + 1);
        after = last.last();
        entries.extend(more);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn a_mangled_spool_opens_reads_to_an_end_and_goes_on(
        mangles in prop::collection::vec((any::<prop::sample::Index>(), mangle()), 1..4),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let mut log = open(folder.path());
        let mut last = 0;
        for _ in 0..6 {
            last = append(&mut log, 20);
        }
        log.acknowledge(CLASS, 30).unwrap();
        let epoch = log.epoch();
        drop(log);

        let mut paths: Vec<PathBuf> =
            fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
        paths.sort();
        let newest = paths.iter().rfind(|path| path.to_str().unwrap().contains("events-0")).unwrap();
        let mut is_noticeable = true;
        for (choice, mangle) in &mangles {
            let path = choice.get::<PathBuf>(&paths);
            apply(mangle, path, &paths);
            is_noticeable &= path != newest || !mangle.takes_away();
        }

        tool::fsck(folder.path()).unwrap();
        tool::export(folder.path(), &mut Vec::new()).unwrap();
        let mut log = open(folder.path());
        let entries = read_all(&mut log);
        for entry in &entries {
            if let Entry::Record { seq, payload } = entry {
                let expected = u8::try_from((seq - 1) % 20).unwrap();
                prop_assert!(payload.iter().all(|byte| *byte == expected), "record {}", seq);
            }
        }
        let next = append(&mut log, 1);
        let is_new = log.epoch() != epoch || next > last;
        prop_assert!(is_new || !is_noticeable, "{} after {}", next, last);
        let again = read_all(&mut log);
        prop_assert_eq!(&again[..entries.len()], &entries[..]);
        prop_assert_eq!(again.len(), entries.len() + 1);
    }
}
