//! Walks over the records of one segment, from any record boundary, and finds its way again after damage.
//!
//! Invariants: memory is bounded by one chunk or one record, whichever is larger; sequences rise strictly; what is
//! returned as a record has passed both checksums; it ends for every content of the file. It decides nothing: what
//! damage means is up to the caller.

use std::{io, sync::Arc};

use environment::DiskFile;

use crate::{
    format::{RECORD_HEADER_BYTES, RecordHeader},
    priority::Priority,
};

/// How much is read at a time: enough to make the calls cheap, small beside the agent's budget.
const CHUNK_BYTES: usize = 64 << 10;

/// How the records of a segment end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tail {
    /// Exactly after a record.
    Clean,
    /// With a record whose end was never written, or with zeros: nothing that was accepted can stand here, because
    /// an accepted record was flushed with its whole length.
    Torn,
    /// With bytes that cannot be understood. Accepted records may have stood here, at most so many bytes of them.
    Damaged {
        /// How many bytes it is.
        bytes: u64,
    },
}

/// One step of the walk.
#[derive(Debug)]
pub(crate) enum Step<'a> {
    /// A record.
    Record { sequence: u64, flags: u8, payload: &'a [u8] },
    /// Bytes that are no record, followed by a place where records go on. The next record tells by its sequence how
    /// many are missing, or `sequence` does if the header was still readable.
    Damage { sequence: Option<u64> },
    /// The end.
    End(Tail),
}

/// A walk over one segment.
#[derive(Debug)]
pub(crate) struct Scanner {
    file: Arc<dyn DiskFile>,
    class: Priority,
    epoch: u64,
    position: u64,
    end: u64,
    /// The sequence last seen; a record with a lower one is a leftover.
    last: u64,
    buffer: Vec<u8>,
    buffer_start: u64,
}

impl Scanner {
    /// Walks from `position` (a record boundary) to `end` over records with sequences above `after`.
    pub(crate) fn new(
        file: Arc<dyn DiskFile>,
        (class, epoch): (Priority, u64),
        (position, end): (u64, u64),
        after: u64,
    ) -> Self {
        Self {
            file,
            class,
            epoch,
            position: position.min(end),
            end,
            last: after,
            buffer: Vec::new(),
            buffer_start: 0,
        }
    }

    /// Where the next step begins.
    pub(crate) const fn position(&self) -> u64 {
        self.position
    }

    /// The next step. After `End` it is `End` again.
    pub(crate) fn step(&mut self) -> io::Result<Step<'_>> {
        let rest = self.end - self.position;
        if rest == 0 {
            return Ok(Step::End(Tail::Clean));
        }
        let (class, epoch, position) = (self.class, self.epoch, self.position);
        let Some(header) = RecordHeader::decode(self.view(position, RECORD_HEADER_BYTES)?, epoch)
            .filter(|header| header.class == class)
        else {
            return self.find_next();
        };
        let total = to_u64(header.total_bytes());
        if total > rest {
            return Ok(Step::End(Tail::Torn));
        }
        self.position = position + total;
        let is_new = header.sequence > self.last;
        if is_new {
            self.last = header.sequence;
        }
        let sequence = is_new.then_some(header.sequence);
        let payload = self
            .view(position, header.total_bytes())?
            .get(RECORD_HEADER_BYTES..)
            .unwrap_or_default();
        if !is_new || crc32c::crc32c(payload) != header.checksum {
            return Ok(Step::Damage { sequence });
        }
        Ok(Step::Record { sequence: header.sequence, flags: header.flags, payload })
    }

    /// Looks byte by byte for the next whole record. Without one, the rest is torn if it is short or zero.
    fn find_next(&mut self) -> io::Result<Step<'_>> {
        let start = self.position;
        let mut is_zero = true;
        while self.position < self.end {
            let offset = self.position;
            let epoch = self.epoch;
            let view = self.view(offset, RECORD_HEADER_BYTES)?;
            if view.is_empty() {
                // The file is shorter than it was a moment ago.
                self.end = offset;
                break;
            }
            is_zero &= view.first() == Some(&0);
            if offset > start
                && let Some(header) = RecordHeader::decode(view, epoch)
                && self.is_whole(&header)?
            {
                return Ok(Step::Damage { sequence: None });
            }
            self.position += 1;
        }
        let bytes = self.end.saturating_sub(start);
        self.position = self.end;
        if is_zero || bytes < to_u64(RECORD_HEADER_BYTES) {
            self.position = start;
            self.end = start;
            return Ok(Step::End(Tail::Torn));
        }
        Ok(Step::End(Tail::Damaged { bytes }))
    }

    /// True if the record at the current position is complete, undamaged and newer than the last one.
    fn is_whole(&mut self, header: &RecordHeader) -> io::Result<bool> {
        let total = header.total_bytes();
        if header.class != self.class
            || header.sequence <= self.last
            || to_u64(total) > self.end - self.position
        {
            return Ok(false);
        }
        let payload = self.view(self.position, total)?.get(RECORD_HEADER_BYTES..);
        Ok(payload.is_some_and(|payload| crc32c::crc32c(payload) == header.checksum))
    }

    /// The bytes at `offset`: `wanted`, or fewer where the records end.
    fn view(&mut self, offset: u64, wanted: usize) -> io::Result<&[u8]> {
        let rest = usize::try_from(self.end.saturating_sub(offset)).unwrap_or(usize::MAX);
        let wanted = wanted.min(rest);
        let buffered = offset
            .checked_sub(self.buffer_start)
            .and_then(|start| usize::try_from(start).ok())
            .filter(|start| start.saturating_add(wanted) <= self.buffer.len());
        let start = if let Some(start) = buffered {
            start
        } else {
            self.buffer.resize(wanted.max(CHUNK_BYTES).min(rest), 0);
            self.buffer_start = offset;
            // Whatever happens, a half-filled buffer is never taken for file content.
            let read = self.file.read_full_at(offset, &mut self.buffer);
            self.buffer.truncate(*read.as_ref().unwrap_or(&0));
            read?;
            0
        };
        let available = wanted.min(self.buffer.len().saturating_sub(start));
        Ok(self.buffer.get(start..start + available).unwrap_or_default())
    }
}

/// A length in memory as a length on disk.
pub(crate) fn to_u64(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
