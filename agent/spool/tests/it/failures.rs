//! What bad things do to the spool: every failure that a disk buffer in the field has had, as a statement.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use bytes::Bytes;
use environment::{
    Disk, Fault, FaultOn, OpenMode, SeededRandomness, SimulatedClock, SimulatedDisk,
};
use spool::{
    AppendError, Batch, DiskTrouble, Entry, Error, Gap, GapReason, Log, Options, Priority,
};

const CLASS: Priority = Priority::Events;
const DIRECTORY: &str = "/spool";

fn small() -> Options {
    let mut options = Options::with_total(DIRECTORY, spool::TOTAL_BYTES_MIN);
    options.segment_bytes = spool::SEGMENT_BYTES_MIN;
    options.reserve_bytes = 64 << 10;
    options
}

fn try_open(disk: &SimulatedDisk) -> Result<Log, Error> {
    let clock = Arc::new(SimulatedClock::default());
    // A second life must not get the epoch of the first by accident of the seed.
    static SEED: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);
    let seed = SEED.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    let randomness = SeededRandomness::new(seed);
    Log::open(&small(), Arc::new(disk.clone()), clock, &randomness)
}

fn open(disk: &SimulatedDisk) -> Log {
    try_open(disk).unwrap()
}

fn reopen(log: Log, disk: &SimulatedDisk) -> Log {
    drop(log);
    disk.process_kill();
    open(disk)
}

fn append(log: &mut Log, class: Priority, payload: &[u8]) -> Result<u64, AppendError> {
    let mut batch = Batch::new();
    batch.push(payload);
    log.append(class, &mut batch).map(|range| *range.start())
}

fn numbered(number: u64) -> Vec<u8> {
    let mut payload = number.to_le_bytes().to_vec();
    payload.resize(500, 7);
    payload
}

fn append_numbered(log: &mut Log, class: Priority, numbers: std::ops::RangeInclusive<u64>) {
    for number in numbers {
        assert_eq!(append(log, class, &numbered(number)).unwrap(), number);
    }
}

fn all(log: &mut Log, class: Priority) -> Vec<Entry> {
    let mut entries: Vec<Entry> = Vec::new();
    loop {
        let after = entries.last().map_or(0, Entry::last);
        let more = log.read(class, after, 100, 10_000).unwrap();
        if more.is_empty() {
            return entries;
        }
        entries.extend(more);
    }
}

fn records(from: u64, to: u64) -> Vec<Entry> {
    (from..=to).map(|seq| Entry::Record { seq, payload: Bytes::from(numbered(seq)) }).collect()
}

fn gap(from: u64, to: u64, reason: GapReason) -> Entry {
    Entry::Gap(Gap { from, to, count: to - from + 1, reason })
}

fn segment_paths(disk: &SimulatedDisk, class: Priority) -> Vec<PathBuf> {
    let mut names = disk.list(DIRECTORY.as_ref()).unwrap();
    names.retain(|name| name.starts_with(class.name()) && name.ends_with(".segment"));
    names.sort();
    names.into_iter().map(|name| PathBuf::from(DIRECTORY).join(name)).collect()
}

fn length(disk: &SimulatedDisk, path: &Path) -> usize {
    usize::try_from(disk.length(path).unwrap()).unwrap()
}

#[test]
fn what_was_appended_is_read_in_order_and_again_after_a_restart() {
    let disk = SimulatedDisk::new(1);
    let mut log = open(&disk);
    append_numbered(&mut log, CLASS, 1..=200);
    assert_eq!(all(&mut log, CLASS), records(1, 200));
    let epoch = log.epoch();
    let mut log = reopen(log, &disk);
    assert_eq!((log.epoch(), log.durable(CLASS)), (epoch, 200));
    assert_eq!(all(&mut log, CLASS), records(1, 200));
    append_numbered(&mut log, CLASS, 201..=203);
    assert_eq!(log.read(CLASS, 200, 10, 1_000_000).unwrap(), records(201, 203));
}

#[test]
fn the_last_record_is_readable_at_once_and_after_a_restart() {
    let disk = SimulatedDisk::new(1);
    let mut log = open(&disk);
    for number in 1..=100 {
        append_numbered(&mut log, CLASS, number..=number);
        assert_eq!(log.read(CLASS, number - 1, 10, 10_000).unwrap(), records(number, number));
        log = reopen(log, &disk);
        assert_eq!(log.read(CLASS, number - 1, 10, 10_000).unwrap(), records(number, number));
    }
}

#[test]
fn an_acknowledged_record_is_never_read_again_and_its_segments_go() {
    let disk = SimulatedDisk::new(1);
    let mut log = open(&disk);
    append_numbered(&mut log, CLASS, 1..=500);
    let before = segment_paths(&disk, CLASS).len();
    log.acknowledge(CLASS, 499).unwrap();
    assert_eq!(all(&mut log, CLASS), records(500, 500));
    assert!(before > 10);
    assert_eq!(segment_paths(&disk, CLASS).len(), 1);
    let mut log = reopen(log, &disk);
    assert_eq!(log.committed(CLASS), 499);
    assert_eq!(all(&mut log, CLASS), records(500, 500));
}

#[test]
fn the_sequence_goes_on_after_everything_was_acknowledged() {
    let disk = SimulatedDisk::new(1);
    let mut log = open(&disk);
    append_numbered(&mut log, CLASS, 1..=90);
    log.acknowledge(CLASS, 90).unwrap();
    let mut log = reopen(log, &disk);
    append_numbered(&mut log, CLASS, 91..=92);
    assert_eq!(all(&mut log, CLASS), records(91, 92));
}

#[test]
fn a_spool_that_was_set_back_goes_on_after_what_the_control_plane_has() {
    for waiting in [0, 5] {
        let disk = SimulatedDisk::new(1);
        let mut log = open(&disk);
        append_numbered(&mut log, CLASS, 1..=20);
        log.acknowledge(CLASS, 20 - waiting).unwrap();
        // The control plane has the sequences up to 50 from a later state of this machine.
        log.continue_after(CLASS, 50).unwrap();
        assert_eq!((log.committed(CLASS), log.durable(CLASS)), (50, 50 + waiting));
        let mut log = reopen(log, &disk);
        let again = all(&mut log, CLASS);
        assert_eq!(again.len(), usize::try_from(waiting).unwrap());
        for (entry, number) in again.iter().zip(20 - waiting + 1..) {
            let payload = Bytes::from(numbered(number));
            assert_eq!(entry, &Entry::Record { seq: 50 + number - (20 - waiting), payload });
        }
        assert_eq!(append(&mut log, CLASS, b"next").unwrap(), 51 + waiting);
        log.continue_after(CLASS, 10).unwrap();
        log.continue_after(CLASS, u64::MAX).unwrap_err();
        assert_eq!(log.durable(CLASS), 51 + waiting);
    }
}

#[test]
fn a_spool_that_could_not_be_set_forth_can_try_again() {
    let disk = SimulatedDisk::new(1);
    let mut log = open(&disk);
    append_numbered(&mut log, CLASS, 1..=5);
    disk.fail(FaultOn::SyncData, Fault::InputOutput, 1);
    log.continue_after(CLASS, 50).unwrap_err();
    assert_eq!(log.durable(CLASS), 5);
    log.continue_after(CLASS, 50).unwrap();
    assert_eq!((log.committed(CLASS), log.durable(CLASS)), (50, 55));
}

/// Found by the simulation (seed 223): such a spool took an acknowledgement for one from the future.
#[test]
fn a_spool_that_could_not_be_read_at_its_start_learns_its_last_record_before_it_judges() {
    let disk = SimulatedDisk::new(1);
    let mut log = open(&disk);
    append_numbered(&mut log, CLASS, 1..=3);
    drop(log);
    disk.process_kill();
    disk.fail(FaultOn::Read, Fault::InputOutput, 2);
    let mut log = open(&disk);
    assert_eq!(log.durable(CLASS), 0);
    disk.heal();
    log.acknowledge(CLASS, 2).unwrap();
    assert_eq!(all(&mut log, CLASS), records(3, 3));
}

#[test]
fn an_old_acknowledgement_changes_nothing_and_one_from_the_future_is_an_error() {
    let disk = SimulatedDisk::new(1);
    let mut log = open(&disk);
    append_numbered(&mut log, CLASS, 1..=3);
    log.acknowledge(CLASS, 2).unwrap();
    log.acknowledge(CLASS, 1).unwrap();
    assert_eq!(log.committed(CLASS), 2);
    let error = log.acknowledge(CLASS, 4).unwrap_err();
    assert!(matches!(error, Error::AheadOfSpool { through: 4, last: 3, .. }), "{error}");
    assert_eq!(all(&mut log, CLASS), records(3, 3));
}

#[test]
fn a_crash_between_cursor_and_removal_is_repeated_at_the_next_start() {
    let disk = SimulatedDisk::new(1);
    let mut log = open(&disk);
    append_numbered(&mut log, CLASS, 1..=200);
    disk.fail(FaultOn::Remove, Fault::InputOutput, 1_000);
    log.acknowledge(CLASS, 200).unwrap();
    assert!(segment_paths(&disk, CLASS).len() > 3);
    disk.heal();
    let mut log = reopen(log, &disk);
    assert_eq!(segment_paths(&disk, CLASS).len(), 1);
    assert_eq!(all(&mut log, CLASS), []);
    assert_eq!(log.durable(CLASS), 200);
}

#[test]
fn a_flipped_byte_anywhere_loses_at_most_the_record_it_is_in_and_says_so() {
    let template = SimulatedDisk::new(1);
    let mut log = open(&template);
    append_numbered(&mut log, CLASS, 1..=40);
    let paths = segment_paths(&template, CLASS);
    assert_eq!(paths.len(), 2);
    drop(log);
    for (path, step) in [(&paths[0], 97), (&paths[1], 13)] {
        for offset in (0..length(&template, path)).step_by(step) {
            let disk = SimulatedDisk::new(1);
            let mut log = open(&disk);
            append_numbered(&mut log, CLASS, 1..=40);
            assert!(disk.flip(path, offset, 0x20));
            let mut log = reopen(log, &disk);
            let entries = all(&mut log, CLASS);
            let kept: Vec<u64> = entries
                .iter()
                .filter(|entry| matches!(entry, Entry::Record { .. }))
                .map(Entry::last)
                .collect();
            assert!(kept.len() >= 39, "offset {offset}: {kept:?}");
            let mut expected = 1;
            for entry in &entries {
                assert_eq!(entry.first(), expected, "offset {offset}");
                expected = entry.last() + 1;
            }
            assert!(expected > 40, "offset {offset}: silent loss");
            let next = append(&mut log, CLASS, b"next").unwrap();
            assert_eq!(next, expected, "offset {offset}: a sequence is used twice");
        }
    }
}

#[test]
fn a_flipped_byte_in_the_middle_is_a_gap_of_exactly_one_record() {
    let disk = SimulatedDisk::new(1);
    let mut log = open(&disk);
    append_numbered(&mut log, CLASS, 1..=100);
    let path = segment_paths(&disk, CLASS).remove(0);
    // The tenth record begins after the header and nine records of 524 bytes; its sequence lies at offset 8.
    assert!(disk.flip(&path, 64 + 9 * 524 + 8, 0xff));
    let mut expected = records(1, 9);
    expected.push(gap(10, 10, GapReason::Corrupt));
    expected.extend(records(11, 100));
    assert_eq!(all(&mut log, CLASS), expected);
    assert_eq!(log.statistics().classes.of(CLASS).corrupt, 1);
    let mut log = reopen(log, &disk);
    assert_eq!(all(&mut log, CLASS), expected);
}

#[test]
fn a_torn_tail_is_forgotten_without_a_gap() {
    let disk = SimulatedDisk::new(1);
    let mut log = open(&disk);
    append_numbered(&mut log, CLASS, 1..=3);
    let path = segment_paths(&disk, CLASS).remove(0);
    let end = length(&disk, &path);
    drop(log);
    disk.process_kill();
    let file = disk.open(&path, OpenMode::Write).unwrap();
    let mut start_of_a_record = vec![0; 300];
    file.read_full_at(64, &mut start_of_a_record).unwrap();
    // A record whose header came through and whose payload did not.
    file.write_all_at(u64::try_from(end).unwrap(), &start_of_a_record).unwrap();
    let mut log = open(&disk);
    assert_eq!(all(&mut log, CLASS), records(1, 3));
    append_numbered(&mut log, CLASS, 4..=5);
    let mut log = reopen(log, &disk);
    assert_eq!(all(&mut log, CLASS), records(1, 5));
}

#[test]
fn a_file_of_garbage_in_place_of_the_last_segment_is_a_gap_and_not_a_loop() {
    let disk = SimulatedDisk::new(1);
    let mut log = open(&disk);
    append_numbered(&mut log, CLASS, 1..=40);
    let path = segment_paths(&disk, CLASS).pop().unwrap();
    drop(log);
    disk.process_kill();
    let file = disk.open(&path, OpenMode::Write).unwrap();
    file.write_all_at(0, &vec![0xa5; length(&disk, &path)]).unwrap();
    let mut log = open(&disk);
    let entries = all(&mut log, CLASS);
    assert_eq!(entries[..31], records(1, 31));
    assert!(matches!(
        entries[31],
        Entry::Gap(Gap { from: 32, to: 40.., reason: GapReason::Corrupt, .. })
    ));
    let next = append(&mut log, CLASS, b"goes on").unwrap();
    assert_eq!(next, entries[31].last() + 1);
}

#[test]
fn a_removed_segment_is_a_gap_of_exactly_its_records() {
    let disk = SimulatedDisk::new(1);
    let mut log = open(&disk);
    append_numbered(&mut log, CLASS, 1..=100);
    let path = segment_paths(&disk, CLASS).remove(1);
    drop(log);
    disk.process_kill();
    disk.remove(&path).unwrap();
    let mut log = open(&disk);
    let mut expected = records(1, 31);
    expected.push(gap(32, 62, GapReason::Corrupt));
    expected.extend(records(63, 100));
    assert_eq!(all(&mut log, CLASS), expected);
}

#[test]
fn a_lost_identity_is_found_again_in_the_segments() {
    let disk = SimulatedDisk::new(1);
    let mut log = open(&disk);
    append_numbered(&mut log, CLASS, 1..=3);
    let epoch = log.epoch();
    disk.remove(&PathBuf::from(DIRECTORY).join("identity")).unwrap();
    let mut log = reopen(log, &disk);
    assert_eq!(log.epoch(), epoch);
    assert_eq!(all(&mut log, CLASS), records(1, 3));
    disk.flip(&PathBuf::from(DIRECTORY).join("identity"), 9, 1);
    assert_eq!(reopen(log, &disk).epoch(), epoch);
}

#[test]
fn a_spool_that_was_deleted_gets_another_epoch() {
    let disk = SimulatedDisk::new(1);
    let mut log = open(&disk);
    append_numbered(&mut log, CLASS, 1..=3);
    let epoch = log.epoch();
    drop(log);
    disk.process_kill();
    for name in disk.list(DIRECTORY.as_ref()).unwrap() {
        disk.remove(&PathBuf::from(DIRECTORY).join(name)).unwrap();
    }
    let mut log = open(&disk);
    assert_ne!(log.epoch(), epoch);
    assert_eq!(all(&mut log, CLASS), []);
}

#[test]
fn without_cursor_and_segments_no_sequence_is_given_out_twice() {
    let disk = SimulatedDisk::new(1);
    let mut log = open(&disk);
    append_numbered(&mut log, CLASS, 1..=3);
    for path in segment_paths(&disk, CLASS) {
        disk.remove(&path).unwrap();
    }
    disk.remove(&PathBuf::from(DIRECTORY).join("events.cursor")).unwrap();
    let mut log = reopen(log, &disk);
    let next = append(&mut log, CLASS, b"x").unwrap();
    assert!(next > 1 << 40);
    let entries = all(&mut log, CLASS);
    assert!(matches!(entries[0], Entry::Gap(Gap { from: 1, .. })), "{entries:?}");
    assert_eq!(entries[1].last(), next);
}

#[test]
fn a_full_quota_drops_the_oldest_events_and_reports_one_gap() {
    let disk = SimulatedDisk::new(1);
    let mut log = open(&disk);
    append_numbered(&mut log, CLASS, 1..=6_000);
    let entries = all(&mut log, CLASS);
    let Entry::Gap(gap) = &entries[0] else { panic!("{:?}", entries[0]) };
    assert_eq!((gap.from, gap.count, gap.reason), (1, gap.to, GapReason::Quota));
    assert!(gap.to > 1_000 && gap.to < 3_000, "{gap:?}");
    assert_eq!(entries[1..], records(gap.to + 1, 6_000));
    let statistics = log.statistics();
    let class = statistics.classes.of(CLASS);
    assert!(class.bytes <= class.quota_bytes);
    assert_eq!(class.dropped_quota, gap.to);
    let mut log = reopen(log, &disk);
    assert_eq!(all(&mut log, CLASS), entries);
    log.acknowledge(CLASS, 6_000).unwrap();
    assert_eq!(segment_paths(&disk, CLASS).len(), 1);
}

#[test]
fn a_full_audit_chain_pushes_back_and_goes_on_after_an_acknowledgement() {
    let disk = SimulatedDisk::new(1);
    let mut log = open(&disk);
    let mut last = 0;
    let error = loop {
        match append(&mut log, Priority::Audit, &numbered(last + 1)) {
            Ok(sequence) => last = sequence,
            Err(error) => break error,
        }
    };
    assert!(matches!(error, AppendError::Full { class: Priority::Audit, .. }), "{error}");
    assert!(last > 1_000);
    assert_eq!(all(&mut log, Priority::Audit), records(1, last));
    log.acknowledge(Priority::Audit, last / 2).unwrap();
    append_numbered(&mut log, Priority::Audit, last + 1..=last + 100);
    log.acknowledge(Priority::Audit, last + 100).unwrap();
    append_numbered(&mut log, Priority::Audit, last + 101..=last + 200);
}

#[test]
fn a_full_disk_refuses_and_the_spool_goes_on_by_itself_when_there_is_space() {
    let disk = SimulatedDisk::new(1);
    let mut log = open(&disk);
    append_numbered(&mut log, CLASS, 1..=50);
    disk.set_capacity(Some(disk.used_bytes() + 1_300));
    append_numbered(&mut log, CLASS, 51..=52);
    let error = append(&mut log, CLASS, &numbered(53)).unwrap_err();
    assert!(matches!(error, AppendError::Disk { trouble: DiskTrouble::Full, .. }), "{error}");
    assert_eq!(log.statistics().trouble, Some(DiskTrouble::Full));
    assert_eq!(all(&mut log, CLASS), records(1, 52));
    // Acknowledging works on a full disk and makes space.
    log.acknowledge(CLASS, 40).unwrap();
    append_numbered(&mut log, CLASS, 53..=60);
    assert_eq!(log.statistics().trouble, None);
    let mut log = reopen(log, &disk);
    assert_eq!(all(&mut log, CLASS), records(41, 60));
}

#[test]
fn audit_records_use_the_reserve_of_a_full_disk_and_it_comes_back() {
    let disk = SimulatedDisk::new(1);
    let mut log = open(&disk);
    append_numbered(&mut log, CLASS, 1..=3);
    disk.set_capacity(Some(disk.used_bytes()));
    append(&mut log, CLASS, &numbered(4)).unwrap_err();
    append_numbered(&mut log, Priority::Audit, 1..=20);
    assert!(!log.statistics().has_reserve);
    disk.heal();
    append_numbered(&mut log, CLASS, 4..=4);
    assert!(log.statistics().has_reserve);
}

#[test]
fn a_spool_can_be_opened_on_a_full_disk_and_works_once_there_is_space() {
    let disk = SimulatedDisk::new(1);
    disk.set_capacity(Some(10));
    let mut log = open(&disk);
    append(&mut log, CLASS, b"x").unwrap_err();
    disk.set_capacity(None);
    append_numbered(&mut log, CLASS, 1..=2);
    let epoch = log.epoch();
    let mut log = reopen(log, &disk);
    assert_eq!(log.epoch(), epoch);
    assert_eq!(all(&mut log, CLASS), records(1, 2));
}

#[test]
fn a_read_only_disk_is_an_error_of_append_and_the_rest_stays_readable() {
    let disk = SimulatedDisk::new(1);
    let mut log = open(&disk);
    append_numbered(&mut log, CLASS, 1..=100);
    disk.set_read_only(true);
    let error = append(&mut log, CLASS, b"x").unwrap_err();
    assert!(matches!(error, AppendError::Disk { trouble: DiskTrouble::ReadOnly, .. }), "{error}");
    log.acknowledge(CLASS, 10).unwrap_err();
    let mut log = reopen(log, &disk);
    assert_eq!(all(&mut log, CLASS), records(1, 100));
    append(&mut log, CLASS, b"x").unwrap_err();
    disk.set_read_only(false);
    append_numbered(&mut log, CLASS, 101..=101);
    assert_eq!(all(&mut log, CLASS), records(1, 101));
}

#[test]
fn an_empty_read_only_disk_opens_and_refuses() {
    let disk = SimulatedDisk::new(1);
    disk.set_read_only(true);
    let mut log = open(&disk);
    append(&mut log, CLASS, b"x").unwrap_err();
    assert_eq!(all(&mut log, CLASS), []);
    disk.set_read_only(false);
    assert_eq!(append(&mut log, CLASS, b"x").unwrap(), 1);
}

#[test]
fn after_a_failed_flush_the_records_are_refused_and_their_sequences_used_again() {
    let disk = SimulatedDisk::new(1);
    let mut log = open(&disk);
    append_numbered(&mut log, CLASS, 1..=3);
    disk.fail(FaultOn::SyncData, Fault::InputOutput, 1);
    let error = append(&mut log, CLASS, &numbered(99)).unwrap_err();
    assert!(matches!(error, AppendError::Disk { trouble: DiskTrouble::Failing, .. }), "{error}");
    append_numbered(&mut log, CLASS, 4..=5);
    assert_eq!(segment_paths(&disk, CLASS).len(), 2);
    assert_eq!(all(&mut log, CLASS), records(1, 5));
    let mut log = reopen(log, &disk);
    assert_eq!(all(&mut log, CLASS), records(1, 5));
}

#[test]
fn a_failing_call_is_refused_and_leaves_no_trace() {
    for on in [FaultOn::Write, FaultOn::Open, FaultOn::SyncData, FaultOn::SyncDirectory] {
        for before in [0, 3, 31] {
            // With 0 and 31 records before it, the refused one would begin a segment.
            let disk = SimulatedDisk::new(1);
            let mut log = open(&disk);
            append_numbered(&mut log, CLASS, 1..=before);
            disk.fail(on, Fault::InputOutput, 1);
            let refused = append(&mut log, CLASS, &numbered(99)).is_err();
            disk.heal();
            // A failed end mark of the segment before is no reason to refuse anything.
            let expected = match on {
                FaultOn::Write => before != 31,
                FaultOn::SyncData => true,
                _ => before != 3,
            };
            assert_eq!(refused, expected, "{on:?} {before}");
            let kept = before + u64::from(!refused);
            append_numbered(&mut log, CLASS, kept + 1..=kept + 2);
            let mut log = reopen(log, &disk);
            let entries = all(&mut log, CLASS);
            assert_eq!(entries.len(), usize::try_from(kept + 2).unwrap(), "{on:?} {before}");
            assert_eq!(entries[..usize::try_from(before).unwrap()], records(1, before));
        }
    }
}

/// Found by the simulation (seed 1039): the removal of the empty segment took the file of its successor.
#[test]
fn an_empty_segment_that_could_not_be_continued_does_not_take_its_successor_away() {
    let disk = SimulatedDisk::new(1);
    let mut log = open(&disk);
    append_numbered(&mut log, CLASS, 1..=31);
    drop(log);
    disk.process_kill();
    let path = PathBuf::from(DIRECTORY).join("events-0000000000000020.segment");
    disk.open(&path, OpenMode::CreateEmpty).unwrap();
    disk.set_capacity(Some(disk.used_bytes()));
    let mut log = open(&disk);
    disk.heal();
    append_numbered(&mut log, CLASS, 32..=33);
    log.acknowledge(CLASS, 31).unwrap();
    let mut log = reopen(log, &disk);
    assert_eq!(all(&mut log, CLASS), records(32, 33));
}

/// Found by the simulation (seed 4808): after a failed flush the kernel shows bytes that no flush will ever write.
#[test]
fn what_a_failed_flush_left_in_the_cache_is_durable_before_it_is_delivered() {
    for seed in 0..50 {
        let disk = SimulatedDisk::new(seed);
        let mut log = open(&disk);
        append_numbered(&mut log, CLASS, 1..=3);
        // The write succeeds, the flush fails, and the process ends before it can cut the refused record off.
        disk.fail(FaultOn::SyncData, Fault::InputOutput, 1);
        disk.fail_power_after(2);
        append(&mut log, CLASS, &numbered(4)).unwrap_err();
        disk.heal();
        let mut log = reopen(log, &disk);
        let delivered = all(&mut log, CLASS);
        drop(log);
        disk.power_cut();
        assert_eq!(all(&mut open(&disk), CLASS), delivered, "seed {seed}");
    }
}

/// Found by the simulation (seed 3204): the control plane heard of a jump that the next start knew nothing of.
#[test]
fn a_jump_of_the_sequence_is_told_only_once_it_is_durable() {
    for seed in 0..20 {
        for on in [FaultOn::Write, FaultOn::SyncData, FaultOn::SyncDirectory] {
            let disk = SimulatedDisk::new(seed);
            drop(open(&disk));
            disk.process_kill();
            disk.remove(&PathBuf::from(DIRECTORY).join("events.cursor")).unwrap();
            disk.fail(on, Fault::InputOutput, 1);
            let mut log = open(&disk);
            assert_eq!(all(&mut log, CLASS), [], "{on:?}");
            disk.heal();
            let told = all(&mut reopen(log, &disk), CLASS);
            assert!(matches!(told[..], [Entry::Gap(Gap { from: 1, .. })]), "{told:?}");
            disk.power_cut();
            let next = append(&mut open(&disk), CLASS, b"next").unwrap();
            assert!(next > told[0].last(), "{on:?} seed {seed}");
        }
    }
}

#[test]
fn short_writes_are_finished() {
    let disk = SimulatedDisk::new(1);
    let mut log = open(&disk);
    disk.set_short_writes(true);
    append_numbered(&mut log, CLASS, 1..=100);
    let mut log = reopen(log, &disk);
    assert_eq!(all(&mut log, CLASS), records(1, 100));
}

#[test]
fn a_record_that_is_too_large_is_refused_and_nothing_else_happens() {
    let disk = Arc::new(SimulatedDisk::new(1));
    let spool = spool::Spool::open(
        small(),
        disk,
        Arc::new(SimulatedClock::default()),
        Arc::new(SeededRandomness::new(1)),
    )
    .unwrap();
    let error = spool.append_blocking(CLASS, &vec![0; 2 << 20]).unwrap_err();
    assert!(matches!(error, AppendError::TooLarge { .. }) && !error.is_transient(), "{error}");
    assert_eq!(spool.append_blocking(CLASS, b"small").unwrap(), 1);
}

#[test]
fn an_unreadable_segment_is_given_up_after_some_tries_and_not_before() {
    let disk = SimulatedDisk::new(1);
    let mut log = open(&disk);
    append_numbered(&mut log, CLASS, 1..=100);
    disk.fail(FaultOn::Read, Fault::InputOutput, 4);
    for _ in 0..4 {
        log.read(CLASS, 0, 10, 10_000).unwrap_err();
    }
    assert_eq!(all(&mut log, CLASS), records(1, 100));
    disk.fail(FaultOn::Read, Fault::InputOutput, 5);
    for _ in 0..4 {
        log.read(CLASS, 0, 10, 10_000).unwrap_err();
    }
    let entries = all(&mut log, CLASS);
    assert_eq!(entries[0], gap(1, 31, GapReason::Corrupt));
    assert_eq!(entries[1..], records(32, 100));
}

#[test]
fn a_second_process_is_refused_until_the_first_has_ended() {
    let disk = SimulatedDisk::new(1);
    let log = open(&disk);
    assert!(matches!(try_open(&disk), Err(Error::InUse { .. })));
    drop(log);
    open(&disk);
}

#[test]
fn the_size_is_right_after_a_crash() {
    let disk = SimulatedDisk::new(1);
    let mut log = open(&disk);
    append_numbered(&mut log, CLASS, 1..=300);
    let before = log.statistics().bytes();
    disk.fail_power_after(1);
    append(&mut log, CLASS, b"lost").unwrap_err();
    disk.power_cut();
    let log = open(&disk);
    let on_disk: usize = segment_paths(&disk, CLASS).iter().map(|path| length(&disk, path)).sum();
    assert_eq!(log.statistics().bytes(), u64::try_from(on_disk).unwrap());
    assert!(log.statistics().bytes().abs_diff(before) < 1_000);
}

#[test]
fn foreign_files_in_the_folder_are_left_alone() {
    let disk = SimulatedDisk::new(1);
    let mut log = open(&disk);
    append_numbered(&mut log, CLASS, 1..=2);
    drop(log);
    disk.process_kill();
    for name in [
        "notes.txt",
        "events-xyz.segment",
        "events-ffffffffffffffff.segment",
        "other-0000000000000001.segment",
    ] {
        disk.open(&PathBuf::from(DIRECTORY).join(name), OpenMode::CreateEmpty).unwrap();
    }
    let mut log = open(&disk);
    assert_eq!(all(&mut log, CLASS), records(1, 2));
    append_numbered(&mut log, CLASS, 3..=3);
    assert!(disk.length(&PathBuf::from(DIRECTORY).join("notes.txt")).is_ok());
}

#[test]
fn a_clock_that_jumps_changes_nothing() {
    let disk = SimulatedDisk::new(1);
    let clock = Arc::new(SimulatedClock::default());
    let randomness = SeededRandomness::new(1);
    let mut log = Log::open(
        &small(),
        Arc::new(disk.clone()),
        Arc::<SimulatedClock>::clone(&clock),
        &randomness,
    )
    .unwrap();
    append_numbered(&mut log, CLASS, 1..=50);
    clock.jump_to(std::time::UNIX_EPOCH);
    append_numbered(&mut log, CLASS, 51..=100);
    assert_eq!(log.statistics().classes.of(CLASS).oldest_age_ms_max, 0);
    assert_eq!(all(&mut log, CLASS), records(1, 100));
}
