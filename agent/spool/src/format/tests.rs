//! The structures on disk: they come back as written, refuse everything else, and never change by accident.

use proptest::prelude::*;

use super::*;

const EPOCH: u64 = 0x0123_4567_89ab_cdef;

fn group(payloads: &[&[u8]], first: u64) -> RecordGroup {
    let mut group = RecordGroup::new();
    for payload in payloads {
        group.push(payload, crc32c::crc32c(payload), 0);
    }
    group.number(Priority::Events, first, EPOCH);
    group
}

#[test]
fn structures_come_back_as_they_were_written() {
    let header =
        SegmentHeader { class: Priority::Audit, epoch: EPOCH, first: 9, created_ms: 1_700_000 };
    assert_eq!(SegmentHeader::decode(&header.encode()), Some(header));
    let footer = Footer { class: Priority::Metrics, epoch: EPOCH, first: 9, last: 12, records: 3 };
    assert_eq!(Footer::decode(&footer.encode()), Some(footer));
    let slot = CursorSlot { class: Priority::Inventory, epoch: EPOCH, generation: 7, sequence: 8 };
    assert_eq!(CursorSlot::decode(&slot.encode()), Some(slot));
    assert_eq!(decode_identity(&encode_identity(EPOCH, 5)), Some(EPOCH));
    let gap = Gap { from: 3, to: 9, count: 7, reason: GapReason::Quota };
    assert_eq!(decode_gap(&encode_gap(&gap)), Some(gap));
}

#[test]
fn a_single_changed_byte_is_noticed_in_every_structure() {
    let header = SegmentHeader { class: Priority::Audit, epoch: EPOCH, first: 9, created_ms: 1 };
    let record = group(&[b"payload"], 4);
    for bit in 0..8_u8 {
        for offset in 0..SEGMENT_HEADER_BYTES {
            let mut bytes = header.encode();
            bytes[offset] ^= 1 << bit;
            assert_eq!(SegmentHeader::decode(&bytes), None);
        }
        for offset in 0..RECORD_HEADER_BYTES {
            let mut bytes = record.records().to_vec();
            bytes[offset] ^= 1 << bit;
            assert_eq!(RecordHeader::decode(&bytes, EPOCH), None);
        }
        for offset in 0..IDENTITY_BYTES {
            let mut bytes = encode_identity(EPOCH, 5);
            bytes[offset] ^= 1 << bit;
            assert_eq!(decode_identity(&bytes), None);
        }
    }
}

#[test]
fn a_record_of_another_epoch_is_not_a_record() {
    let group = group(&[b"abc"], 1);
    assert!(RecordHeader::decode(group.records(), EPOCH).is_some());
    assert_eq!(RecordHeader::decode(group.records(), EPOCH + 1), None);
}

#[test]
fn the_records_of_a_group_are_numbered_in_order() {
    let group = group(&[b"one", b"", b"three"], 41);
    let first = RecordHeader::decode(group.records(), EPOCH).unwrap();
    let second = RecordHeader::decode(&group.records()[first.total_bytes()..], EPOCH).unwrap();
    assert_eq!((first.sequence, second.sequence, second.length), (41, 42, 0));
    assert_eq!(group.count(), 3);
}

#[test]
fn zeros_are_never_a_record() {
    assert_eq!(RecordHeader::decode(&[0; 100], EPOCH), None);
}

/// The golden bytes: a segment of version 1 must be readable for ever, and be written the same way.
#[test]
fn a_segment_of_version_1_has_these_bytes() {
    let hex: String = include_str!("golden-v1.hex").split_whitespace().collect();
    let pairs = hex.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).unwrap());
    let golden: Vec<u8> = pairs.map(|pair| u8::from_str_radix(pair, 16).unwrap()).collect();

    let header =
        SegmentHeader { class: Priority::Events, epoch: EPOCH, first: 7, created_ms: 1_234 };
    assert_eq!(group(&[b"dharma"], 7).with_header(&header), golden);

    assert_eq!(SegmentHeader::decode(&golden), Some(header));
    let record = RecordHeader::decode(&golden[SEGMENT_HEADER_BYTES..], EPOCH).unwrap();
    assert_eq!((record.sequence, record.length, record.flags), (7, 6, 0));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn a_decoder_takes_any_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        prop_assert_eq!(SegmentHeader::decode(&bytes), None);
        prop_assert_eq!(Footer::decode(&bytes), None);
        prop_assert_eq!(CursorSlot::decode(&bytes), None);
        prop_assert_eq!(decode_identity(&bytes), None);
        let _ = (decode_gap(&bytes), RecordHeader::decode(&bytes, EPOCH));
    }
}
