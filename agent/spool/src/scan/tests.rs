//! The walk over damaged segments: it loses exactly what is damaged, and ends for every content.

use environment::{Disk, OpenMode, SimulatedDisk};
use proptest::prelude::*;

use super::*;
use crate::format::RecordGroup;

const EPOCH: u64 = 77;
const CLASS: Priority = Priority::Events;

fn records(payloads: &[Vec<u8>]) -> Vec<u8> {
    let mut group = RecordGroup::new();
    for payload in payloads {
        group.push(payload, crc32c::crc32c(payload), 0);
    }
    group.number(CLASS, 1, EPOCH);
    group.records().to_vec()
}

fn walk(content: &[u8]) -> (Vec<(u64, Vec<u8>)>, Tail) {
    let disk = SimulatedDisk::new(1);
    let file = disk.open("/file".as_ref(), OpenMode::CreateEmpty).unwrap();
    file.write_all_at(0, content).unwrap();
    let mut scanner = Scanner::new(file, (CLASS, EPOCH), (0, to_u64(content.len())), 0);
    let mut found = Vec::new();
    for _ in 0..=content.len() {
        match scanner.step().unwrap() {
            Step::Record { sequence, payload, .. } => found.push((sequence, payload.to_vec())),
            Step::Damage { .. } => {}
            Step::End(tail) => return (found, tail),
        }
    }
    panic!("the walk does not end");
}

fn sequences(content: &[u8]) -> Vec<u64> {
    walk(content).0.into_iter().map(|(sequence, _)| sequence).collect()
}

fn ten() -> Vec<u8> {
    records(&vec![b"0123456789".to_vec(); 10])
}

#[test]
fn a_torn_record_is_dropped_and_the_rest_is_kept() {
    let content = ten();
    for cut in 1..34 {
        let (found, tail) = walk(&content[..content.len() - cut]);
        assert_eq!((found.len(), tail), (9, Tail::Torn), "cut {cut}");
    }
}

#[test]
fn zeros_at_the_end_are_torn_and_not_damage() {
    let mut content = ten();
    content.extend([0; 5_000]);
    let (found, tail) = walk(&content);
    assert_eq!((found.len(), tail), (10, Tail::Torn));
}

#[test]
fn a_flipped_byte_loses_exactly_the_record_it_is_in() {
    for offset in 0..34 * 9 {
        let mut content = ten();
        content[offset] ^= 0x10;
        let lost = u64::try_from(offset / 34).unwrap() + 1;
        let expected: Vec<u64> = (1..=10).filter(|sequence| *sequence != lost).collect();
        assert_eq!(sequences(&content), expected, "offset {offset}");
    }
}

#[test]
fn a_flipped_byte_in_the_last_record_is_never_taken_for_a_torn_one() {
    for offset in 34 * 9..34 * 10 {
        let mut content = ten();
        content[offset] ^= 0x10;
        let disk = SimulatedDisk::new(1);
        let file = disk.open("/file".as_ref(), OpenMode::CreateEmpty).unwrap();
        file.write_all_at(0, &content).unwrap();
        let mut scanner = Scanner::new(file, (CLASS, EPOCH), (0, to_u64(content.len())), 0);
        let mut noticed = false;
        loop {
            match scanner.step().unwrap() {
                Step::Record { .. } => {}
                Step::Damage { sequence } => noticed |= sequence == Some(10),
                Step::End(tail) => break noticed |= matches!(tail, Tail::Damaged { .. }),
            }
        }
        assert!(noticed, "offset {offset}");
    }
}

#[test]
fn bytes_inside_a_record_that_look_like_a_record_are_not_one() {
    // Somebody who can choose a payload knows the format, but not the epoch.
    let mut forged = RecordGroup::new();
    forged.push(b"forged", crc32c::crc32c(b"forged"), 0);
    forged.number(CLASS, 2, EPOCH + 1);
    let mut content = records(&[forged.records().to_vec(), b"second".to_vec()]);
    content[0] ^= 1;
    assert_eq!(walk(&content).0, [(2, b"second".to_vec())]);
}

#[test]
fn a_record_larger_than_a_chunk_is_read_whole() {
    let payload = vec![9; CHUNK_BYTES * 3];
    let content = records(&[b"small".to_vec(), payload.clone(), b"small".to_vec()]);
    let (found, tail) = walk(&content);
    assert_eq!((found.len(), tail), (3, Tail::Clean));
    assert_eq!(found[1].1, payload);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn the_walk_ends_for_any_bytes(content in proptest::collection::vec(any::<u8>(), 0..3_000)) {
        let (found, _) = walk(&content);
        prop_assert!(found.is_empty());
    }

    #[test]
    fn whatever_is_damaged_what_comes_out_was_put_in(
        payloads in proptest::collection::vec(
            proptest::collection::vec(any::<u8>(), 0..80), 1..20),
        damage in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..5),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut content = records(&payloads);
        for (offset, byte) in damage {
            let offset = offset.index(content.len());
            content[offset] = byte;
        }
        content.truncate(cut.index(content.len() + 1));
        let (found, _) = walk(&content);
        prop_assert!(found.is_sorted_by(|one, two| one.0 < two.0));
        for (sequence, payload) in found {
            prop_assert_eq!(&payloads[usize::try_from(sequence).unwrap() - 1], &payload);
        }
    }
}
