//! What the simulated disk promises, and that it takes away what nobody promised.

use std::path::Path;

use super::*;

const DIRECTORY: &str = "/spool";

fn path() -> PathBuf {
    Path::new(DIRECTORY).join("file")
}

fn disk(seed: u64) -> SimulatedDisk {
    let disk = SimulatedDisk::new(seed);
    disk.create_directory(Path::new(DIRECTORY)).unwrap();
    disk
}

fn content(disk: &SimulatedDisk) -> Option<Vec<u8>> {
    let file = disk.open(&path(), OpenMode::Read).ok()?;
    let mut bytes = vec![0; usize::try_from(file.length().unwrap()).unwrap()];
    file.read_full_at(0, &mut bytes).unwrap();
    Some(bytes)
}

#[test]
fn flushed_bytes_under_a_flushed_name_survive_every_power_cut() {
    for seed in 0..200 {
        let disk = disk(seed);
        let file = disk.open(&path(), OpenMode::CreateEmpty).unwrap();
        file.write_all_at(0, &[7; 10_000]).unwrap();
        file.sync_data().unwrap();
        disk.sync_directory(Path::new(DIRECTORY)).unwrap();
        file.write_all_at(10_000, &[8; 10_000]).unwrap();
        disk.power_cut();
        let content = content(&disk).unwrap();
        assert!(content.len() >= 10_000 && content[..10_000].iter().all(|byte| *byte == 7));
    }
}

#[test]
fn what_was_not_flushed_is_lost_kept_and_torn_in_some_runs() {
    let (mut lost, mut kept, mut torn) = (0, 0, 0);
    for seed in 0..300 {
        let disk = disk(seed);
        let file = disk.open(&path(), OpenMode::CreateEmpty).unwrap();
        disk.sync_directory(Path::new(DIRECTORY)).unwrap();
        file.write_all_at(0, &[7; 10_000]).unwrap();
        disk.power_cut();
        let sevens = content(&disk).unwrap().iter().filter(|byte| **byte == 7).count();
        match sevens {
            0 => lost += 1,
            10_000 => kept += 1,
            _ => torn += 1,
        }
    }
    assert!(lost > 10 && kept > 10 && torn > 10, "{lost} {kept} {torn}");
}

#[test]
fn a_name_that_was_not_flushed_can_be_lost() {
    let survivors = (0..100).filter(|seed| {
        let disk = disk(*seed);
        disk.open(&path(), OpenMode::CreateEmpty).unwrap().sync_data().unwrap();
        disk.power_cut();
        content(&disk).is_some()
    });
    let count = survivors.count();
    assert!(count > 10 && count < 90, "{count}");
}

#[test]
fn a_full_disk_writes_short_and_then_nothing() {
    let disk = disk(1);
    disk.set_capacity(Some(100));
    let file = disk.open(&path(), OpenMode::CreateEmpty).unwrap();
    assert_eq!(file.write_at(0, &[1; 150]).unwrap(), 100);
    assert_eq!(file.write_at(100, &[1]).unwrap_err().kind(), io::ErrorKind::StorageFull);
    assert_eq!(file.write_at(0, &[2; 100]).unwrap(), 100);
    assert_eq!(disk.free_bytes(Path::new(DIRECTORY)).unwrap(), 0);
}

#[test]
fn a_read_only_disk_still_reads() {
    let disk = disk(1);
    let file = disk.open(&path(), OpenMode::CreateEmpty).unwrap();
    file.write_all_at(0, b"abc").unwrap();
    disk.set_read_only(true);
    assert_eq!(file.write_at(0, b"x").unwrap_err().kind(), io::ErrorKind::ReadOnlyFilesystem);
    assert_eq!(content(&disk).unwrap(), b"abc");
}

#[test]
fn after_the_power_failed_every_call_fails_until_the_restart() {
    let disk = disk(1);
    disk.fail_power_after(1);
    let file = disk.open(&path(), OpenMode::CreateEmpty).unwrap();
    file.write_at(0, b"a").unwrap();
    file.write_at(1, b"b").unwrap_err();
    assert!(disk.is_off());
    file.read_at(0, &mut [0]).unwrap_err();
    disk.power_cut();
    assert!(!disk.is_off());
    file.write_at(0, b"a").unwrap_err();
}

#[test]
fn a_killed_process_loses_no_write_but_its_lock() {
    let disk = disk(1);
    let lock = disk.lock(&Path::new(DIRECTORY).join("lock")).unwrap();
    let file = disk.open(&path(), OpenMode::CreateEmpty).unwrap();
    file.write_all_at(0, b"abc").unwrap();
    disk.lock(&Path::new(DIRECTORY).join("lock")).unwrap_err();
    disk.process_kill();
    assert_eq!(content(&disk).unwrap(), b"abc");
    disk.lock(&Path::new(DIRECTORY).join("lock")).unwrap();
    drop(lock);
}

#[test]
fn a_flipped_byte_stays_flipped_after_a_power_cut() {
    let disk = disk(1);
    let file = disk.open(&path(), OpenMode::CreateEmpty).unwrap();
    file.write_all_at(0, b"abc").unwrap();
    file.sync_data().unwrap();
    disk.sync_directory(Path::new(DIRECTORY)).unwrap();
    assert!(disk.flip(&path(), 1, 0x01));
    assert!(!disk.flip(&path(), 3, 0x01));
    disk.power_cut();
    assert_eq!(content(&disk).unwrap(), b"acc");
}

#[test]
fn a_failed_flush_is_not_made_good_by_the_next_one() {
    let lost = (0..100).filter(|seed| {
        let disk = disk(*seed);
        let file = disk.open(&path(), OpenMode::CreateEmpty).unwrap();
        disk.sync_directory(Path::new(DIRECTORY)).unwrap();
        file.write_all_at(0, &[7; 10_000]).unwrap();
        disk.fail(FaultOn::SyncData, Fault::InputOutput, 1);
        file.sync_data().unwrap_err();
        assert_eq!(content(&disk).unwrap(), [7; 10_000]);
        file.sync_data().unwrap();
        disk.power_cut();
        content(&disk).unwrap() != [7; 10_000]
    });
    assert!(lost.count() > 50);
}
