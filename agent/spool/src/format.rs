//! The bytes of the spool: segment header, record, gap record, segment footer, cursor and identity. Pure functions.
//!
//! Invariants: every number is little endian; every structure has a magic word or a position that tells what it is, a
//! format version and a CRC32C; a decoder takes any bytes, never panics and never allocates. The checksum of a record's
//! header begins with the epoch, so that neither the leftovers of another spool nor bytes that somebody placed inside
//! a record are ever taken for a record.
//!
//! | structure | bytes |
//! |---|---|
//! | segment header | magic 4, version 2, class 1, zero 1, epoch 8, first sequence 8, created 8, zero 28, CRC 4 |
//! | record | length 4, CRC of the payload 4, sequence 8, class 1, flags 1, zero 2, CRC of the header 4, payload |
//! | gap (payload of a record with the flag) | version 2, reason 1, zero 5, from 8, to 8, count 8 |
//! | segment footer | magic 4, version 2, class 1, zero 1, epoch 8, first 8, last 8, records 8, zero 4, CRC 4 |
//! | cursor slot | magic 4, version 2, class 1, zero 1, epoch 8, generation 8, sequence 8, zero 12, CRC 4 |
//! | identity | magic 4, version 2, zero 2, epoch 8, created 8, zero 4, CRC 4 |

use crate::{
    entry::{Gap, GapReason},
    options::RECORD_BYTES_MAX,
    priority::Priority,
};

/// The version of every structure here. A reader refuses what it does not know.
pub(crate) const FORMAT_VERSION: u16 = 1;
pub(crate) const SEGMENT_HEADER_BYTES: usize = 64;
pub(crate) const RECORD_HEADER_BYTES: usize = 24;
pub(crate) const FOOTER_BYTES: usize = 48;
pub(crate) const CURSOR_BYTES: usize = 48;
pub(crate) const IDENTITY_BYTES: usize = 32;
pub(crate) const GAP_BYTES: usize = 32;

/// The record's payload is a gap.
pub(crate) const FLAG_GAP: u8 = 1;

const SEGMENT_MAGIC: [u8; 4] = *b"DHSG";
const FOOTER_MAGIC: [u8; 4] = *b"DHSE";
const CURSOR_MAGIC: [u8; 4] = *b"DHCU";
const IDENTITY_MAGIC: [u8; 4] = *b"DHID";

fn take<const COUNT: usize>(bytes: &[u8], offset: usize) -> Option<[u8; COUNT]> {
    bytes.get(offset..)?.first_chunk().copied()
}

fn take_u16(bytes: &[u8], offset: usize) -> Option<u16> {
    take(bytes, offset).map(u16::from_le_bytes)
}

fn take_u32(bytes: &[u8], offset: usize) -> Option<u32> {
    take(bytes, offset).map(u32::from_le_bytes)
}

fn take_u64(bytes: &[u8], offset: usize) -> Option<u64> {
    take(bytes, offset).map(u64::from_le_bytes)
}

/// Puts bytes into a fixed structure. The offsets are constants of this file, checked by the tests.
fn put(bytes: &mut [u8], offset: usize, value: &[u8]) {
    if let Some(place) = bytes.get_mut(offset..).and_then(|rest| rest.get_mut(..value.len())) {
        place.copy_from_slice(value);
    }
}

/// Ends a structure with the checksum of everything before its last four bytes.
fn close<const COUNT: usize>(mut bytes: [u8; COUNT]) -> [u8; COUNT] {
    let checksum = bytes.get(..COUNT - 4).map_or(0, crc32c::crc32c);
    put(&mut bytes, COUNT - 4, &checksum.to_le_bytes());
    bytes
}

/// The structure at the start of `bytes`, if its magic, version and checksum are right.
fn open<const COUNT: usize>(bytes: &[u8], magic: [u8; 4]) -> Option<[u8; COUNT]> {
    let whole: [u8; COUNT] = take(bytes, 0)?;
    let checksum = crc32c::crc32c(whole.get(..COUNT - 4)?);
    let is_right = take(&whole, 0) == Some(magic)
        && take_u16(&whole, 4) == Some(FORMAT_VERSION)
        && take_u32(&whole, COUNT - 4) == Some(checksum);
    is_right.then_some(whole)
}

/// What stands at the start of a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SegmentHeader {
    pub(crate) class: Priority,
    pub(crate) epoch: u64,
    pub(crate) first: u64,
    pub(crate) created_ms: u64,
}

impl SegmentHeader {
    pub(crate) fn encode(&self) -> [u8; SEGMENT_HEADER_BYTES] {
        let mut bytes = [0; SEGMENT_HEADER_BYTES];
        put(&mut bytes, 0, &SEGMENT_MAGIC);
        put(&mut bytes, 4, &FORMAT_VERSION.to_le_bytes());
        put(&mut bytes, 6, &[self.class.number()]);
        put(&mut bytes, 8, &self.epoch.to_le_bytes());
        put(&mut bytes, 16, &self.first.to_le_bytes());
        put(&mut bytes, 24, &self.created_ms.to_le_bytes());
        close(bytes)
    }

    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let bytes: [u8; SEGMENT_HEADER_BYTES] = open(bytes, SEGMENT_MAGIC)?;
        Some(Self {
            class: Priority::from_number(take::<1>(&bytes, 6)?[0])?,
            epoch: take_u64(&bytes, 8)?,
            first: take_u64(&bytes, 16)?,
            created_ms: take_u64(&bytes, 24)?,
        })
    }
}

/// What stands at the end of a sealed segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Footer {
    pub(crate) class: Priority,
    pub(crate) epoch: u64,
    pub(crate) first: u64,
    pub(crate) last: u64,
    pub(crate) records: u64,
}

impl Footer {
    pub(crate) fn encode(&self) -> [u8; FOOTER_BYTES] {
        let mut bytes = [0; FOOTER_BYTES];
        put(&mut bytes, 0, &FOOTER_MAGIC);
        put(&mut bytes, 4, &FORMAT_VERSION.to_le_bytes());
        put(&mut bytes, 6, &[self.class.number()]);
        put(&mut bytes, 8, &self.epoch.to_le_bytes());
        put(&mut bytes, 16, &self.first.to_le_bytes());
        put(&mut bytes, 24, &self.last.to_le_bytes());
        put(&mut bytes, 32, &self.records.to_le_bytes());
        close(bytes)
    }

    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let bytes: [u8; FOOTER_BYTES] = open(bytes, FOOTER_MAGIC)?;
        Some(Self {
            class: Priority::from_number(take::<1>(&bytes, 6)?[0])?,
            epoch: take_u64(&bytes, 8)?,
            first: take_u64(&bytes, 16)?,
            last: take_u64(&bytes, 24)?,
            records: take_u64(&bytes, 32)?,
        })
    }
}

/// One of the two places of a cursor file; the valid one with the higher generation counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct CursorSlot {
    pub(crate) class: Priority,
    pub(crate) epoch: u64,
    pub(crate) generation: u64,
    pub(crate) sequence: u64,
}

impl CursorSlot {
    pub(crate) fn encode(&self) -> [u8; CURSOR_BYTES] {
        let mut bytes = [0; CURSOR_BYTES];
        put(&mut bytes, 0, &CURSOR_MAGIC);
        put(&mut bytes, 4, &FORMAT_VERSION.to_le_bytes());
        put(&mut bytes, 6, &[self.class.number()]);
        put(&mut bytes, 8, &self.epoch.to_le_bytes());
        put(&mut bytes, 16, &self.generation.to_le_bytes());
        put(&mut bytes, 24, &self.sequence.to_le_bytes());
        close(bytes)
    }

    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let bytes: [u8; CURSOR_BYTES] = open(bytes, CURSOR_MAGIC)?;
        Some(Self {
            class: Priority::from_number(take::<1>(&bytes, 6)?[0])?,
            epoch: take_u64(&bytes, 8)?,
            generation: take_u64(&bytes, 16)?,
            sequence: take_u64(&bytes, 24)?,
        })
    }
}

/// Encodes the identity of a spool.
pub(crate) fn encode_identity(epoch: u64, created_ms: u64) -> [u8; IDENTITY_BYTES] {
    let mut bytes = [0; IDENTITY_BYTES];
    put(&mut bytes, 0, &IDENTITY_MAGIC);
    put(&mut bytes, 4, &FORMAT_VERSION.to_le_bytes());
    put(&mut bytes, 8, &epoch.to_le_bytes());
    put(&mut bytes, 16, &created_ms.to_le_bytes());
    close(bytes)
}

/// The epoch that an identity tells; never 0.
pub(crate) fn decode_identity(bytes: &[u8]) -> Option<u64> {
    let bytes: [u8; IDENTITY_BYTES] = open(bytes, IDENTITY_MAGIC)?;
    take_u64(&bytes, 8).filter(|epoch| *epoch != 0)
}

/// What stands before a record's payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RecordHeader {
    pub(crate) length: u32,
    pub(crate) checksum: u32,
    pub(crate) sequence: u64,
    pub(crate) class: Priority,
    pub(crate) flags: u8,
}

impl RecordHeader {
    pub(crate) fn encode(&self, epoch: u64) -> [u8; RECORD_HEADER_BYTES] {
        let mut bytes = [0; RECORD_HEADER_BYTES];
        put(&mut bytes, 0, &self.length.to_le_bytes());
        put(&mut bytes, 4, &self.checksum.to_le_bytes());
        put(&mut bytes, 8, &self.sequence.to_le_bytes());
        put(&mut bytes, 16, &[self.class.number(), self.flags]);
        let checksum = header_checksum(&bytes, epoch);
        put(&mut bytes, RECORD_HEADER_BYTES - 4, &checksum.to_le_bytes());
        bytes
    }

    pub(crate) fn decode(bytes: &[u8], epoch: u64) -> Option<Self> {
        let bytes: &[u8; RECORD_HEADER_BYTES] = bytes.first_chunk()?;
        // The cheap checks come first: a search for the next record asks this of every byte.
        let [class, flags, 0, 0] = take::<4>(bytes, 16)? else { return None };
        let class = Priority::from_number(class)?;
        if take_u32(bytes, RECORD_HEADER_BYTES - 4)? != header_checksum(bytes, epoch) {
            return None;
        }
        let header = Self {
            length: take_u32(bytes, 0)?,
            checksum: take_u32(bytes, 4)?,
            sequence: take_u64(bytes, 8)?,
            class,
            flags,
        };
        let is_right = header.sequence != 0 && u64::from(header.length) <= RECORD_BYTES_MAX;
        is_right.then_some(header)
    }

    /// Header and payload together.
    pub(crate) fn total_bytes(&self) -> usize {
        usize::try_from(self.length).unwrap_or(usize::MAX).saturating_add(RECORD_HEADER_BYTES)
    }
}

fn header_checksum(bytes: &[u8; RECORD_HEADER_BYTES], epoch: u64) -> u32 {
    let seed = crc32c::crc32c(&epoch.to_le_bytes());
    bytes.get(..RECORD_HEADER_BYTES - 4).map_or(seed, |head| crc32c::crc32c_append(seed, head))
}

/// Encodes the payload of a gap record.
pub(crate) fn encode_gap(gap: &Gap) -> [u8; GAP_BYTES] {
    let mut bytes = [0; GAP_BYTES];
    put(&mut bytes, 0, &FORMAT_VERSION.to_le_bytes());
    put(&mut bytes, 2, &[gap.reason.number()]);
    put(&mut bytes, 8, &gap.from.to_le_bytes());
    put(&mut bytes, 16, &gap.to.to_le_bytes());
    put(&mut bytes, 24, &gap.count.to_le_bytes());
    bytes
}

/// The gap that a payload tells.
pub(crate) fn decode_gap(bytes: &[u8]) -> Option<Gap> {
    let bytes: &[u8; GAP_BYTES] = bytes.first_chunk()?;
    let gap = Gap {
        from: take_u64(bytes, 8)?,
        to: take_u64(bytes, 16)?,
        count: take_u64(bytes, 24)?,
        reason: GapReason::from_number(take::<1>(bytes, 2)?[0])?,
    };
    let is_right = take_u16(bytes, 0) == Some(FORMAT_VERSION) && gap.from <= gap.to && gap.from > 0;
    is_right.then_some(gap)
}

/// Records that become durable together: encoded, but not numbered yet.
///
/// The first `SEGMENT_HEADER_BYTES` are kept free, so that a new segment is written by one call.
#[derive(Debug)]
pub(crate) struct RecordGroup {
    bytes: Vec<u8>,
    count: u64,
}

impl RecordGroup {
    pub(crate) fn new() -> Self {
        Self { bytes: vec![0; SEGMENT_HEADER_BYTES], count: 0 }
    }

    /// Empties the group but keeps its memory, unless that is more than `keep_bytes`.
    pub(crate) fn clear(&mut self, keep_bytes: usize) {
        self.bytes.truncate(SEGMENT_HEADER_BYTES);
        self.bytes.shrink_to(keep_bytes);
        self.count = 0;
    }

    pub(crate) const fn count(&self) -> u64 {
        self.count
    }

    /// The bytes of the records alone.
    pub(crate) const fn records_bytes(&self) -> usize {
        self.bytes.len() - SEGMENT_HEADER_BYTES
    }

    /// Adds a record whose payload has this checksum and says at which place of the group it stands.
    pub(crate) fn push(&mut self, payload: &[u8], checksum: u32, flags: u8) -> u64 {
        let length = u32::try_from(payload.len()).unwrap_or(u32::MAX);
        self.bytes.extend_from_slice(&length.to_le_bytes());
        self.bytes.extend_from_slice(&checksum.to_le_bytes());
        self.bytes.extend_from_slice(&[0; 9]);
        self.bytes.extend_from_slice(&[flags, 0, 0, 0, 0, 0, 0]);
        self.bytes.extend_from_slice(payload);
        self.count += 1;
        self.count - 1
    }

    /// Gives the records their class and consecutive sequences and closes their headers.
    pub(crate) fn number(&mut self, class: Priority, first: u64, epoch: u64) {
        let mut rest = self.bytes.get_mut(SEGMENT_HEADER_BYTES..).unwrap_or_default();
        let mut sequence = first;
        while let (Some(length), Some(checksum), Some(flags)) =
            (take_u32(rest, 0), take_u32(rest, 4), rest.get(17).copied())
        {
            let header = RecordHeader { length, checksum, sequence, class, flags };
            put(rest, 0, &header.encode(epoch));
            rest = rest.get_mut(header.total_bytes()..).unwrap_or_default();
            sequence += 1;
        }
    }

    /// What a segment that exists already is to be extended by.
    pub(crate) fn records(&self) -> &[u8] {
        self.bytes.get(SEGMENT_HEADER_BYTES..).unwrap_or_default()
    }

    /// What a new segment consists of.
    pub(crate) fn with_header(&mut self, header: &SegmentHeader) -> &[u8] {
        put(&mut self.bytes, 0, &header.encode());
        &self.bytes
    }
}

#[cfg(test)]
mod tests;
