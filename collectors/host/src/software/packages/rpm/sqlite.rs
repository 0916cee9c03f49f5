//! Reading one table of an SQLite database (<https://www.sqlite.org/fileformat2.html>), and nothing else of it.
//!
//! Enough for a table of (number, blob): the schema to find its root, its b-tree, overflowing payloads, and pages
//! that still lie in the write-ahead log. Nothing is written and no lock is taken: a writer at the same moment may
//! show us a torn tree, which is found as damage, and the changed file makes the next look read it again.
//!
//! Invariants: every page is read at most once on the way through the tree, and its depth is bounded, so that a
//! hostile file cannot make the walk go round.

use crate::files;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

const MAGIC: &[u8] = b"SQLite format 3\0";
/// The header of the file, at the start of its first page.
const HEADER_BYTES: usize = 100;

/// The deepest tree; with the smallest pages one of 20 levels holds more rows than there are disks.
const DEPTH_MAX: usize = 20;

/// The most pages that are read: 4 GiB of the usual size.
const PAGES_MAX: usize = 1 << 20;

/// The largest payload: rpm's own limit for a header is 256 MiB, the largest of a distribution has 8.
const PAYLOAD_BYTES_MAX: usize = 32 << 20;

/// The largest write-ahead log that is looked through.
const LOG_FRAMES_MAX: usize = 1 << 18;

/// Types of pages of a table's tree.
const INTERIOR: u8 = 0x05;
const LEAF: u8 = 0x0d;

fn malformed(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

/// Calls `each` with the last column of every row of a table; gives how many rows could not be read.
pub(super) fn each_blob(
    path: &Path,
    table: &str,
    each: &mut dyn FnMut(&[u8]),
) -> io::Result<usize> {
    let database = Database::open(path)?;
    let root = database.root_of(table)?;
    database.each_row(root, &|_| true, &mut |payload| {
        if let Some(blob) = columns(payload).last() {
            each(blob);
        }
    })
}

/// Calls `each` with the last column of those rows of a table whose number an index names beside a key that
/// `is_wanted`. The index is a table of (key, number, place). Of the other rows nothing is gathered.
pub(super) fn each_blob_by_key(
    path: &Path,
    (index, table): (&str, &str),
    is_wanted: &dyn Fn(&[u8]) -> bool,
    each: &mut dyn FnMut(&[u8]),
) -> io::Result<()> {
    let database = Database::open(path)?;
    let mut rows = BTreeSet::new();
    database.each_row(database.root_of(index)?, &|_| true, &mut |payload| {
        if let [key, row, ..] = columns(payload).as_slice()
            && is_wanted(key)
        {
            rows.insert(integer(row));
        }
    })?;
    if rows.is_empty() {
        return Ok(());
    }
    database.each_row(database.root_of(table)?, &|row| rows.contains(&row), &mut |payload| {
        if let Some(blob) = columns(payload).last() {
            each(blob);
        }
    })?;
    Ok(())
}

struct Database {
    file: File,
    log: Option<File>,
    /// Where the newest version of a page lies in the log.
    in_log: BTreeMap<u32, u64>,
    page_bytes: usize,
    /// Bytes of a page without what extensions reserve.
    usable_bytes: usize,
}

impl Database {
    fn open(path: &Path) -> io::Result<Self> {
        let file = files::open_regular(path)?;
        let mut header = [0; HEADER_BYTES];
        file.read_exact_at(&mut header, 0).map_err(|_| malformed("not an SQLite database"))?;
        if !header.starts_with(MAGIC) {
            return Err(malformed("not an SQLite database"));
        }
        let page_bytes = match two_bytes(&header, 16) {
            Some(1) => 65_536,
            Some(bytes) if bytes >= 512 && bytes.is_power_of_two() => usize::from(bytes),
            _ => return Err(malformed("a page size that cannot be")),
        };
        let reserved = usize::from(header.get(20).copied().unwrap_or(0));
        let usable_bytes = page_bytes - reserved;
        if usable_bytes < 480 {
            return Err(malformed("pages without room"));
        }
        let mut log_path = path.as_os_str().to_owned();
        log_path.push("-wal");
        let log = files::open_regular(&PathBuf::from(log_path)).ok();
        let in_log = log.as_ref().map(|log| log_pages(log, page_bytes)).unwrap_or_default();
        Ok(Self { file, log, in_log, page_bytes, usable_bytes })
    }

    /// Reads a page into `buffer`. Pages are counted from one.
    fn page(&self, number: u32, buffer: &mut Vec<u8>) -> io::Result<()> {
        buffer.resize(self.page_bytes, 0);
        if let (Some(place), Some(log)) = (self.in_log.get(&number), &self.log) {
            return log.read_exact_at(buffer, *place);
        }
        let index = number.checked_sub(1).ok_or_else(|| malformed("a page without number"))?;
        let bytes = u64::try_from(self.page_bytes).unwrap_or(u64::MAX);
        self.file
            .read_exact_at(buffer, u64::from(index).saturating_mul(bytes))
            .map_err(|_| malformed("a page behind the end"))
    }

    /// The first page of a table's tree.
    fn root_of(&self, table: &str) -> io::Result<u32> {
        let mut root = None;
        self.each_row(1, &|_| true, &mut |payload| {
            let columns = columns(payload);
            // Type, name, name of the table, root page, text.
            if let [kind, name, _, page, ..] = columns.as_slice()
                && *kind == b"table"
                && *name == table.as_bytes()
            {
                root = Some(integer(page));
            }
        })?;
        root.and_then(|root| u32::try_from(root).ok()).ok_or_else(|| malformed("no such table"))
    }

    /// Calls `each` with the payload of every row of a tree whose number is wanted; gives how many of these could
    /// not be read.
    fn each_row(
        &self,
        root: u32,
        is_wanted: &dyn Fn(u64) -> bool,
        each: &mut dyn FnMut(&[u8]),
    ) -> io::Result<usize> {
        let mut waiting = vec![(root, 0)];
        let mut seen = BTreeSet::new();
        let mut damaged = 0;
        let (mut page, mut payload) = (Vec::new(), Vec::new());
        while let Some((number, depth)) = waiting.pop() {
            if depth > DEPTH_MAX || seen.len() > PAGES_MAX || !seen.insert(number) {
                return Err(malformed("a tree that goes round"));
            }
            self.page(number, &mut page)?;
            let start = if number == 1 { HEADER_BYTES } else { 0 };
            let kind = page.get(start).copied();
            let cells = usize::from(two_bytes(&page, start + 3).unwrap_or(0));
            let header_bytes = if kind == Some(INTERIOR) { 12 } else { 8 };
            let pointers =
                (0..cells).map(|index| two_bytes(&page, start + header_bytes + 2 * index));
            match kind {
                Some(INTERIOR) => {
                    let mut children: Vec<_> =
                        pointers.map(|pointer| four_bytes(&page, usize::from(pointer?))).collect();
                    children.push(four_bytes(&page, start + 8));
                    for child in children.into_iter().rev() {
                        waiting
                            .push((child.ok_or_else(|| malformed("a page cut short"))?, depth + 1));
                    }
                }
                Some(LEAF) => {
                    for pointer in pointers {
                        let place = pointer.map(usize::from);
                        let row = place.and_then(|place| row_of(&page, place));
                        if row.is_some_and(|row| !is_wanted(row)) {
                            continue;
                        }
                        match place.and_then(|place| self.payload(&page, place, &mut payload)) {
                            Some(()) => each(&payload),
                            None => damaged += 1,
                        }
                    }
                }
                _ => return Err(malformed("a page that is no part of a table")),
            }
        }
        Ok(damaged)
    }

    /// Gathers the payload of a leaf's cell with what overflows into other pages.
    fn payload(&self, page: &[u8], place: usize, payload: &mut Vec<u8>) -> Option<()> {
        let (length, after) = varint(page, place)?;
        let (_row, start) = varint(page, after)?;
        let length = usize::try_from(length).ok().filter(|length| *length <= PAYLOAD_BYTES_MAX)?;
        let local = self.local_bytes(length);
        payload.clear();
        payload.extend_from_slice(page.get(start..start.checked_add(local)?)?);
        if local == length {
            return Some(());
        }
        let mut next = four_bytes(page, start + local)?;
        let mut buffer = Vec::new();
        // Each page brings at least 476 bytes, so the limit of the payload bounds the chain.
        while payload.len() < length {
            self.page(next, &mut buffer).ok()?;
            next = four_bytes(&buffer, 0)?;
            let count = (length - payload.len()).min(self.usable_bytes - 4);
            payload.extend_from_slice(buffer.get(4..4 + count)?);
        }
        Some(())
    }

    /// How many bytes of a payload stand in the cell itself.
    fn local_bytes(&self, length: usize) -> usize {
        let usable = self.usable_bytes;
        let most = usable - 35;
        if length <= most {
            return length;
        }
        let least = (usable - 12) * 32 / 255 - 23;
        let wanted = least + (length - least) % (usable - 4);
        if wanted <= most { wanted } else { least }
    }
}

/// The number of the row whose cell begins at `place`.
fn row_of(page: &[u8], place: usize) -> Option<u64> {
    let (_length, after) = varint(page, place)?;
    varint(page, after).map(|(row, _)| row)
}

/// Where the newest committed version of each page lies in a write-ahead log.
fn log_pages(log: &File, page_bytes: usize) -> BTreeMap<u32, u64> {
    const LOG_HEADER_BYTES: usize = 32;
    const FRAME_HEADER_BYTES: usize = 24;
    let mut committed = BTreeMap::new();
    let mut header = [0; LOG_HEADER_BYTES];
    if log.read_exact_at(&mut header, 0).is_err() {
        return committed;
    }
    let is_big_endian = match four_bytes(&header, 0) {
        Some(0x377f_0682) => false,
        Some(0x377f_0683) => true,
        _ => return committed,
    };
    let mut sum = checksum((0, 0), header.get(..24).unwrap_or_default(), is_big_endian);
    if four_bytes(&header, 8).map(usize::try_from) != Some(Ok(page_bytes))
        || (four_bytes(&header, 24), four_bytes(&header, 28)) != (Some(sum.0), Some(sum.1))
    {
        return committed;
    }
    let mut pending = BTreeMap::new();
    let mut frame = vec![0; FRAME_HEADER_BYTES + page_bytes];
    let mut place = 32_u64;
    let frame_bytes = u64::try_from(frame.len()).unwrap_or(u64::MAX);
    for _ in 0..LOG_FRAMES_MAX {
        if log.read_exact_at(&mut frame, place).is_err() || frame.get(8..16) != header.get(16..24) {
            break;
        }
        sum = checksum(sum, frame.get(..8).unwrap_or_default(), is_big_endian);
        sum = checksum(sum, frame.get(FRAME_HEADER_BYTES..).unwrap_or_default(), is_big_endian);
        // A frame that was only half written has another sum; it and what follows do not count.
        if (four_bytes(&frame, 16), four_bytes(&frame, 20)) != (Some(sum.0), Some(sum.1)) {
            break;
        }
        if let Some(number) = four_bytes(&frame, 0) {
            pending.insert(number, place + 24);
        }
        if four_bytes(&frame, 4) != Some(0) {
            committed.append(&mut pending);
        }
        place = place.saturating_add(frame_bytes);
    }
    committed
}

/// The running checksum of the log.
fn checksum((mut first, mut second): (u32, u32), bytes: &[u8], is_big_endian: bool) -> (u32, u32) {
    let word = |bytes: &[u8]| {
        let bytes = bytes.first_chunk().copied().unwrap_or_default();
        if is_big_endian { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) }
    };
    for pair in bytes.chunks_exact(8) {
        first = first.wrapping_add(word(pair)).wrapping_add(second);
        second = second.wrapping_add(word(pair.get(4..).unwrap_or_default())).wrapping_add(first);
    }
    (first, second)
}

/// The columns of a row: a header of types, then the values.
fn columns(payload: &[u8]) -> Vec<&[u8]> {
    let mut columns = Vec::new();
    let Some((header_bytes, mut place)) = varint(payload, 0) else { return columns };
    let Ok(header_bytes) = usize::try_from(header_bytes) else { return columns };
    let mut value = header_bytes;
    while place < header_bytes.min(payload.len()) {
        let Some((kind, next)) = varint(payload, place) else { return columns };
        place = next;
        let length = match kind {
            // The numbers zero and one take no room.
            8 | 9 => {
                columns.push(if kind == 8 { &[0] } else { &[1] });
                continue;
            }
            0 => 0,
            1..=4 => kind,
            5 => 6,
            6 | 7 => 8,
            // Blobs are even, texts are odd.
            kind if kind >= 12 => (kind - 12) / 2,
            _ => return columns,
        };
        let Some(end) = usize::try_from(length).ok().and_then(|length| value.checked_add(length))
        else {
            return columns;
        };
        let Some(bytes) = payload.get(value..end) else { return columns };
        columns.push(bytes);
        value = end;
    }
    columns
}

/// A whole number of a column, big-endian; those of a root page are never negative.
fn integer(bytes: &[u8]) -> u64 {
    bytes.iter().take(8).fold(0, |number, byte| number << 8 | u64::from(*byte))
}

/// A number of variable length, and where it ends.
fn varint(bytes: &[u8], place: usize) -> Option<(u64, usize)> {
    let mut number = 0_u64;
    for (index, byte) in bytes.get(place..)?.iter().take(9).enumerate() {
        if index == 8 {
            return Some((number << 8 | u64::from(*byte), place + 9));
        }
        number = number << 7 | u64::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            return Some((number, place + index + 1));
        }
    }
    None
}

fn two_bytes(bytes: &[u8], place: usize) -> Option<u16> {
    bytes.get(place..)?.first_chunk().map(|bytes| u16::from_be_bytes(*bytes))
}

fn four_bytes(bytes: &[u8], place: usize) -> Option<u32> {
    bytes.get(place..)?.first_chunk().map(|bytes| u32::from_be_bytes(*bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::io::Read;

    fn unpacked(compressed: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        flate2::read::GzDecoder::new(compressed).read_to_end(&mut bytes).unwrap();
        bytes
    }

    fn blobs(main: &[u8], log: Option<&[u8]>) -> io::Result<(Vec<Vec<u8>>, usize)> {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("x.sqlite");
        std::fs::write(&path, main).unwrap();
        if let Some(log) = log {
            std::fs::write(place.path().join("x.sqlite-wal"), log).unwrap();
        }
        let mut seen = Vec::new();
        let damaged = each_blob(&path, "Packages", &mut |blob| seen.push(blob.to_vec()))?;
        Ok((seen, damaged))
    }

    /// A table of 600 rows with blobs of up to 20 kB in pages of 512 bytes, so that its tree has several levels.
    fn main() -> Vec<u8> {
        unpacked(include_bytes!("testdata/tree.sqlite.gz"))
    }

    fn log() -> Vec<u8> {
        unpacked(include_bytes!("testdata/tree.sqlite-wal.gz"))
    }

    fn expected(index: usize) -> Vec<u8> {
        let length = if index.is_multiple_of(100) { 20_000 } else { index % 50 };
        (0..length).map(|place| u8::try_from((place + index) % 251).unwrap()).collect()
    }

    #[test]
    fn every_row_of_a_deep_tree_is_read_whole_and_in_order() {
        let (seen, damaged) = blobs(&main(), None).unwrap();
        assert_eq!((seen.len(), damaged), (600, 0));
        for (index, blob) in seen.iter().enumerate() {
            assert_eq!(*blob, expected(index + 1), "row {}", index + 1);
        }
    }

    #[test]
    fn what_is_committed_only_in_the_log_counts_and_what_is_torn_does_not() {
        let (seen, _) = blobs(&main(), Some(&log())).unwrap();
        assert_eq!(seen.len(), 601);
        assert_eq!(seen[600], b"in the log");
        let log = log();
        let (seen, _) = blobs(&main(), Some(&log[..log.len() - 1])).unwrap();
        assert_eq!(seen.len(), 600);
    }

    #[test]
    fn a_tree_that_goes_round_and_a_file_cut_short_are_errors() {
        let main = main();
        assert!(blobs(&main[..main.len() / 2], None).is_err());
        assert!(blobs(b"", None).is_err());
        assert!(blobs(&[MAGIC, &[0; 100]].concat(), None).is_err());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn a_damaged_database_is_read_without_panic(places in prop::collection::vec((0_usize..20_000, any::<u8>()), 1..40)) {
            let mut main = main();
            for (place, byte) in places {
                if let Some(there) = main.get_mut(place) {
                    *there = byte;
                }
            }
            drop(blobs(&main, None));
        }

        #[test]
        fn any_row_is_parsed_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
            columns(&bytes);
            varint(&bytes, 0);
        }
    }
}
