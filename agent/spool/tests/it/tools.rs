//! The tools, on a real folder, also while a spool is in use.

use std::{fs, path::Path, sync::Arc};

use environment::{RealDisk, SystemClock, SystemRandomness};
use serde_json::{Value, json};
use spool::{Error, Options, Priority, Spool, tool};

const CLASS: Priority = Priority::Events;

fn open(directory: &Path) -> Spool {
    let mut options = Options::with_total(directory, spool::TOTAL_BYTES_MIN);
    options.segment_bytes = spool::SEGMENT_BYTES_MIN;
    Spool::open(options, Arc::new(RealDisk), Arc::new(SystemClock), Arc::new(SystemRandomness))
        .unwrap()
}

fn append(spool: &Spool, count: usize) {
    for _ in 0..count {
        spool.append_blocking(CLASS, &[0xab; 1_000]).unwrap();
    }
}

fn exported(directory: &Path) -> Vec<Value> {
    let mut bytes = Vec::new();
    let lines = tool::export(directory, &mut bytes).unwrap();
    let text = String::from_utf8(bytes).unwrap();
    assert_eq!(u64::try_from(text.lines().count()).unwrap(), lines);
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn first_segment(directory: &Path) -> std::path::PathBuf {
    let mut paths: Vec<_> = fs::read_dir(directory).unwrap().map(|it| it.unwrap().path()).collect();
    paths.retain(|path| path.to_str().unwrap().contains("events-"));
    paths.sort();
    paths.remove(0)
}

fn snapshot(directory: &Path) -> Vec<(std::path::PathBuf, Vec<u8>)> {
    let mut files: Vec<_> = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| (path.clone(), fs::read(path).unwrap()))
        .collect();
    files.sort();
    files
}

#[test]
fn looking_at_a_live_spool_tells_the_truth_and_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let spool = open(folder.path());
    append(&spool, 50);
    spool.acknowledge(CLASS, 10).unwrap();
    let before = snapshot(folder.path());

    let report = tool::fsck(folder.path()).unwrap();
    assert!(report.is_sound(), "{report:?}");
    assert_eq!((report.epoch, report.classes.of(CLASS).records), (spool.epoch(), 50));
    let statistics = tool::stat(folder.path()).unwrap();
    assert_eq!(statistics.classes.of(CLASS).pending, 40);
    assert_eq!(statistics.bytes(), spool.statistics().bytes());
    let lines = exported(folder.path());
    assert_eq!(lines.len(), 40);
    assert_eq!(lines[0]["seq"], json!(11));
    assert_eq!(lines[0]["payload_hex"], json!("ab".repeat(1_000)));

    assert_eq!(snapshot(folder.path()), before);
    append(&spool, 1);
}

#[test]
fn a_damaged_spool_is_described_file_by_file_and_exported_with_its_gaps() {
    let folder = tempfile::tempdir().unwrap();
    let spool = open(folder.path());
    append(&spool, 50);
    drop(spool);
    let path = first_segment(folder.path());
    let mut bytes = fs::read(&path).unwrap();
    bytes[5_000] ^= 1;
    fs::write(&path, bytes).unwrap();

    let report = tool::fsck(folder.path()).unwrap();
    assert!(!report.is_sound());
    assert_eq!(report.classes.of(CLASS).records, 49);
    assert!(report.problems[0].file.starts_with("events-0"), "{:?}", report.problems);
    let lines = exported(folder.path());
    assert_eq!(lines.len(), 50);
    let gap = json!({"from": 5, "to": 5, "count": 1, "reason": "corrupt"});
    assert_eq!(lines[4], json!({"class": "events", "gap": gap}));
}

#[test]
fn trimming_needs_the_spool_for_itself_and_acknowledges() {
    let folder = tempfile::tempdir().unwrap();
    let spool = open(folder.path());
    append(&spool, 50);
    assert!(matches!(tool::trim(folder.path(), CLASS, 20), Err(Error::InUse { .. })));
    drop(spool);
    let statistics = tool::trim(folder.path(), CLASS, 20).unwrap();
    assert_eq!(statistics.classes.of(CLASS).pending, 30);
    assert!(matches!(tool::trim(folder.path(), CLASS, 51), Err(Error::AheadOfSpool { .. })));
    assert_eq!(open(folder.path()).committed(CLASS), 20);
}

#[test]
fn a_folder_that_is_not_there_is_an_error_and_is_not_created() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("missing");
    assert!(tool::fsck(&missing).is_err());
    assert!(tool::stat(&missing).is_err());
    assert!(tool::export(&missing, &mut Vec::new()).is_err());
    assert!(tool::trim(&missing, CLASS, 1).is_err());
    assert!(!missing.exists());
}

#[test]
fn a_spool_without_records_is_sound() {
    let folder = tempfile::tempdir().unwrap();
    drop(open(folder.path()));
    assert!(tool::fsck(folder.path()).unwrap().is_sound());
    assert_eq!(exported(folder.path()), Vec::<Value>::new());
}
