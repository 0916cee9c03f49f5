//! Reading: records in order, and a gap wherever the sequence has a hole.
//!
//! Invariants: what is returned after `after` begins at `after + 1`, or at the first sequence that is not acknowledged;
//! the entries follow each other without a hole; nothing above the durable sequence is returned; a sequential reader
//! touches every byte once.

use std::{io, path::PathBuf};

use bytes::Bytes;
use environment::OpenMode;

use super::{Hint, Log};
use crate::{
    entry::{Entry, Gap, GapReason},
    error::{Error, ReadError},
    format::{FLAG_GAP, SEGMENT_HEADER_BYTES, decode_gap},
    priority::Priority,
    scan::{Scanner, Step, to_u64},
};

/// How often in a row a segment may fail to be read before its rest is given up as lost. The caller waits between
/// tries, so a device that is only slow or away for a moment is not punished.
const READ_FAILURES_MAX: u32 = 5;

/// What a read has gathered.
struct Gathered {
    entries: Vec<Entry>,
    expected: u64,
    bytes: usize,
    records_max: usize,
    bytes_max: usize,
}

impl Gathered {
    fn is_full(&self) -> bool {
        self.entries.len() >= self.records_max || self.bytes >= self.bytes_max
    }

    /// False if a record of this size should wait for the next read.
    fn has_room_for(&self, size: usize) -> bool {
        self.entries.is_empty()
            || (!self.is_full() && self.bytes.saturating_add(size) <= self.bytes_max)
    }

    fn push(&mut self, entry: Entry) {
        self.expected = entry.last() + 1;
        self.bytes += entry.payload_bytes();
        self.entries.push(entry);
    }

    /// Reports everything before `sequence` that is missing.
    fn fill_up_to(&mut self, sequence: u64) {
        if self.expected < sequence {
            let gap = Gap::over(self.expected, sequence - 1, GapReason::Corrupt);
            self.push(Entry::Gap(gap));
        }
    }
}

impl Log {
    /// The entries after a sequence, up to so many records and bytes but at least one if there is one. What is
    /// acknowledged is never returned again.
    pub fn read(
        &mut self,
        class: Priority,
        after: u64,
        records_max: usize,
        bytes_max: usize,
    ) -> Result<Vec<Entry>, ReadError> {
        if !self.is_recovered
            && let Err(Error::Disk { path, source, .. }) = self.recover()
        {
            // A folder that could not be created yet holds nothing.
            let is_missing = source.kind() == io::ErrorKind::NotFound;
            return if is_missing {
                Ok(Vec::new())
            } else {
                Err(ReadError { class, path, source })
            };
        }
        let chain = self.chains.of(class);
        if chain.segments.is_empty() && self.may_write && !self.has_identity {
            // A jump of the sequence may be told only once it is durable.
            return Ok(Vec::new());
        }
        let mut gathered = Gathered {
            entries: Vec::new(),
            expected: after.max(chain.cursor.sequence).saturating_add(1),
            bytes: 0,
            records_max,
            bytes_max,
        };
        let mut index =
            chain.segments.partition_point(|segment| segment.first <= gathered.expected);
        index = index.saturating_sub(1);
        while !gathered.is_full() {
            let chain = self.chains.of(class);
            if gathered.expected > chain.durable() {
                break;
            }
            let Some(first) = chain.segments.get(index).map(|segment| segment.first) else {
                gathered.fill_up_to(chain.next);
                break;
            };
            gathered.fill_up_to(first);
            let range_last = chain.range_last(index);
            if gathered.expected <= range_last && !gathered.is_full() {
                match self.read_segment(class, index, &mut gathered) {
                    Ok(()) => self.chains.of_mut(class).read_failures = 0,
                    Err((path, source)) => {
                        if gathered.entries.is_empty() {
                            self.judge_failure(class, range_last, &mut gathered, (path, source))?;
                        } else {
                            break;
                        }
                    }
                }
            }
            if gathered.expected <= range_last {
                break;
            }
            index += 1;
        }
        self.count_damage(class, &gathered.entries);
        Ok(gathered.entries)
    }

    /// Fails the read, or gives the rest of the segment up if it failed too often.
    fn judge_failure(
        &mut self,
        class: Priority,
        range_last: u64,
        gathered: &mut Gathered,
        (path, source): (PathBuf, io::Error),
    ) -> Result<(), ReadError> {
        let chain = self.chains.of_mut(class);
        chain.hint = None;
        chain.read_failures += 1;
        if chain.read_failures < READ_FAILURES_MAX {
            return Err(ReadError { class, path, source });
        }
        chain.read_failures = 0;
        tracing::error!(%source, path = %path.display(), "giving up an unreadable segment");
        gathered.fill_up_to(range_last + 1);
        Ok(())
    }

    fn read_segment(
        &mut self,
        class: Priority,
        index: usize,
        gathered: &mut Gathered,
    ) -> Result<(), (PathBuf, io::Error)> {
        let epoch = self.epoch;
        let chain = self.chains.of(class);
        let range_last = chain.range_last(index);
        let Some(segment) = chain.segments.get(index).cloned() else { return Ok(()) };
        let path = self.segment_path(class, segment.first);
        let hint = self.chains.of_mut(class).hint.take().filter(|hint| {
            hint.segment_first == segment.first && hint.expected == gathered.expected
        });
        let (file, start, after) = match hint {
            Some(hint) => (hint.file, hint.position, hint.expected - 1),
            None => match self.disk.open(&path, OpenMode::Read) {
                Ok(file) => (file, to_u64(SEGMENT_HEADER_BYTES), segment.first - 1),
                // A file that is gone is a hole; one that cannot be opened now may be readable later.
                Err(error) if error.kind() == io::ErrorKind::NotFound && self.may_write => {
                    gathered.fill_up_to(range_last + 1);
                    return Ok(());
                }
                Err(error) => return Err((path, error)),
            },
        };
        let range = (start, segment.records_end);
        let mut scanner = Scanner::new(std::sync::Arc::clone(&file), (class, epoch), range, after);
        let mut position = scanner.position();
        loop {
            match scanner.step().map_err(|error| (path.clone(), error))? {
                Step::Record { sequence, .. } if sequence < gathered.expected => {}
                Step::Record { sequence, flags, payload } => {
                    if sequence > range_last && flags & FLAG_GAP == 0 {
                        gathered.fill_up_to(range_last + 1);
                        break;
                    }
                    if !take_record(gathered, range_last, (sequence, flags), payload) {
                        break;
                    }
                }
                Step::Damage { .. } => {}
                Step::End(_) => {
                    gathered.fill_up_to(range_last + 1);
                    break;
                }
            }
            position = scanner.position();
            if gathered.is_full() {
                break;
            }
        }
        let (segment_first, expected) = (segment.first, gathered.expected);
        self.chains.of_mut(class).hint = Some(Hint { segment_first, expected, position, file });
        Ok(())
    }

    /// Counts what is lost to damage, each sequence once.
    fn count_damage(&mut self, class: Priority, entries: &[Entry]) {
        let counters = &mut self.chains.of_mut(class).counters;
        for entry in entries {
            if let Entry::Gap(gap) = entry
                && gap.reason == GapReason::Corrupt
                && gap.to > counters.corrupt_through
            {
                let from = gap.from.max(counters.corrupt_through + 1);
                counters.corrupt += gap.to - from + 1;
                counters.corrupt_through = gap.to;
                tracing::warn!(
                    class = class.name(),
                    from,
                    to = gap.to,
                    "records are lost to damage"
                );
            }
        }
    }
}

/// Adds a record, with what is missing before it. False if it has to wait for the next read.
fn take_record(
    gathered: &mut Gathered,
    range_last: u64,
    (sequence, flags): (u64, u8),
    payload: &[u8],
) -> bool {
    let gap = if flags & FLAG_GAP == 0 { None } else { decode_gap(payload) };
    if let Some(gap) = gap {
        let Some(gap) = gap.within(gathered.expected, range_last) else { return true };
        gathered.fill_up_to(gap.from);
        if gathered.is_full() {
            return false;
        }
        gathered.push(Entry::Gap(gap));
        return true;
    }
    gathered.fill_up_to(sequence);
    if !gathered.has_room_for(payload.len()) {
        return false;
    }
    gathered.push(Entry::Record { seq: sequence, payload: Bytes::copy_from_slice(payload) });
    true
}
