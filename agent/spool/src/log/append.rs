//! Adding records: prepare under the lock, write and flush without it, settle under it again.
//!
//! Invariants: between `prepare` and `settle` nobody else appends to the class; sequences are given out by `prepare`
//! and taken only by `settle`, so that a failed group leaves no hole; the folder is flushed before the first record of
//! a new segment counts as durable.

use std::{io, ops::RangeInclusive, path::PathBuf, sync::Arc};

use environment::{DiskFile, OpenMode, unix_milliseconds};

use super::{Log, RESERVE_NAME, Segment};
use crate::{
    error::{AppendError, Context, DiskTrouble, Error},
    format::{FOOTER_BYTES, Footer, RecordGroup, SEGMENT_HEADER_BYTES, SegmentHeader},
    priority::Priority,
    scan::to_u64,
};

/// Records that become durable together.
#[derive(Debug)]
pub struct Batch(pub(crate) RecordGroup);

impl Batch {
    /// An empty batch.
    pub fn new() -> Self {
        Self(RecordGroup::new())
    }

    /// Adds a record.
    pub fn push(&mut self, payload: &[u8]) {
        self.0.push(payload, crc32c::crc32c(payload), 0);
    }
}

impl Default for Batch {
    fn default() -> Self {
        Self::new()
    }
}

/// A group on its way to the disk.
#[derive(Debug)]
pub(crate) struct Prepared {
    class: Priority,
    first: u64,
    offset: u64,
    file: Arc<dyn DiskFile>,
    /// The header, if the segment is new.
    header: Option<SegmentHeader>,
    path: PathBuf,
    is_retry: bool,
}

/// At which step a group failed.
#[derive(Debug)]
pub(crate) enum StoreError {
    Write(io::Error),
    Flush(io::Error),
}

/// What became of a group.
#[derive(Debug)]
pub(crate) enum Settled {
    Durable(RangeInclusive<u64>),
    /// Space was set free; the same group is worth another try.
    Retry,
    Failed(AppendError),
}

impl Prepared {
    /// Writes and flushes the group. Needs no access to the log.
    pub(crate) fn store(
        &self,
        group: &mut RecordGroup,
        disk: &dyn environment::Disk,
    ) -> Result<(), StoreError> {
        let bytes = match &self.header {
            Some(header) => group.with_header(header),
            None => group.records(),
        };
        self.file.write_all_at(self.offset, bytes).map_err(StoreError::Write)?;
        self.file.sync_data().map_err(StoreError::Flush)?;
        if let (Some(_), Some(directory)) = (&self.header, self.path.parent()) {
            disk.sync_directory(directory).map_err(StoreError::Flush)?;
        }
        Ok(())
    }
}

impl Log {
    /// Appends a batch and returns when it is durable; the sequences it got are consecutive.
    pub fn append(
        &mut self,
        class: Priority,
        batch: &mut Batch,
    ) -> Result<RangeInclusive<u64>, AppendError> {
        let disk = Arc::clone(&self.disk);
        let mut is_retry = false;
        loop {
            let prepared = self.prepare(class, &mut batch.0, is_retry)?;
            let stored = prepared.store(&mut batch.0, &*disk);
            match self.settle(prepared, &batch.0, stored) {
                Settled::Durable(range) => return Ok(range),
                Settled::Failed(error) => return Err(error),
                Settled::Retry => is_retry = true,
            }
        }
    }

    /// Finds the place for a group and numbers its records.
    pub(crate) fn prepare(
        &mut self,
        class: Priority,
        group: &mut RecordGroup,
        is_retry: bool,
    ) -> Result<Prepared, AppendError> {
        let prepared = self.find_place(class, group, is_retry);
        if let Err(error) = &prepared {
            self.chains.of_mut(class).counters.rejected += group.count();
            if let AppendError::Disk { trouble, .. } = error {
                self.trouble = Some(*trouble);
            }
        }
        prepared
    }

    fn find_place(
        &mut self,
        class: Priority,
        group: &mut RecordGroup,
        is_retry: bool,
    ) -> Result<Prepared, AppendError> {
        self.make_ready().map_err(to_append_error)?;
        let size = to_u64(group.records_bytes());
        self.make_room(class, size)?;
        let segment_limit = *self.limits.segment.of(class);
        let epoch = self.epoch;
        let chain = self.chains.of_mut(class);
        let first = chain.next;
        group.number(class, first, epoch);
        if let (Some(file), Some(segment)) = (&chain.active, chain.segments.back()) {
            if segment.bytes + size <= segment_limit {
                let file = Arc::clone(file);
                let (offset, segment_first) = (segment.records_end, segment.first);
                let path = self.segment_path(class, segment_first);
                return Ok(Prepared { class, first, offset, file, header: None, path, is_retry });
            }
            self.seal(class);
        }
        // A segment without records that could not be continued has the name of the one that now takes its place. It
        // must not stay in the list, or its removal would later take the new file away. What it stood for, that no
        // sequence below is given out again, the cursor or the segment before it says too.
        let chain = self.chains.of_mut(class);
        chain.segments.pop_back_if(|segment| segment.first == first);
        let path = self.segment_path(class, first);
        let file = self.disk.open(&path, OpenMode::CreateEmpty).map_err(AppendError::disk)?;
        let created_ms = unix_milliseconds(self.clock.wall());
        let header = Some(SegmentHeader { class, epoch, first, created_ms });
        Ok(Prepared { class, first, offset: 0, file, header, path, is_retry })
    }

    /// Takes note of what became of a group.
    pub(crate) fn settle(
        &mut self,
        prepared: Prepared,
        group: &RecordGroup,
        stored: Result<(), StoreError>,
    ) -> Settled {
        if self.chains.of(prepared.class).next != prepared.first {
            return self.refuse_overtaken(&prepared, group);
        }
        let error = match stored {
            Ok(()) => return Settled::Durable(self.take(&prepared, group)),
            Err(error) => error,
        };
        self.give_up(&prepared, matches!(error, StoreError::Flush(_)));
        let (StoreError::Write(error) | StoreError::Flush(error)) = error;
        let trouble = DiskTrouble::of(&error);
        // What must not be lost may use what was set aside for it.
        let may_use_reserve = prepared.class == Priority::Audit && !prepared.is_retry;
        if trouble == DiskTrouble::Full && may_use_reserve && self.release_reserve() {
            return Settled::Retry;
        }
        self.trouble = Some(trouble);
        self.chains.of_mut(prepared.class).counters.rejected += group.count();
        Settled::Failed(AppendError::disk(error))
    }

    /// `continue_after` has ended the chain before this group while the group was on its way. Wherever it was written,
    /// it lies behind the end of its segment.
    fn refuse_overtaken(&mut self, prepared: &Prepared, group: &RecordGroup) -> Settled {
        if prepared.header.is_some() && self.disk.remove(&prepared.path).is_err() {
            tracing::debug!(path = %prepared.path.display(), "an overtaken segment stays");
        }
        self.chains.of_mut(prepared.class).counters.rejected += group.count();
        let reason = "the sequence was set forth while the record was written; append it again";
        Settled::Failed(AppendError::disk(io::Error::other(reason)))
    }

    fn take(&mut self, prepared: &Prepared, group: &RecordGroup) -> RangeInclusive<u64> {
        let size = to_u64(group.records_bytes());
        let last = prepared.first + group.count().saturating_sub(1);
        let chain = self.chains.of_mut(prepared.class);
        if let Some(header) = &prepared.header {
            let start = to_u64(SEGMENT_HEADER_BYTES);
            chain.segments.push_back(Segment {
                first: prepared.first,
                last,
                records_end: start + size,
                bytes: start + size,
                created_ms: header.created_ms,
                gap: None,
                is_sealed: false,
            });
            chain.active = Some(Arc::clone(&prepared.file));
        } else if let Some(segment) = chain.segments.back_mut() {
            segment.last = last;
            segment.records_end += size;
            segment.bytes = segment.records_end;
        }
        chain.next = last + 1;
        chain.counters.appended += group.count();
        self.trouble = None;
        if !self.has_reserve {
            self.take_reserve();
        }
        prepared.first..=last
    }

    /// Makes sure that what a failed group has written is not taken for records. Best effort: if it fails too, the
    /// records may be delivered although they were refused, which their owner repeats anyway; they are never lost.
    fn give_up(&mut self, prepared: &Prepared, is_flush: bool) {
        let chain = self.chains.of_mut(prepared.class);
        if prepared.header.is_some() {
            if self.disk.remove(&prepared.path).is_err() {
                tracing::debug!(path = %prepared.path.display(), "a failed segment stays");
            }
            return;
        }
        let is_cut = prepared.file.truncate(prepared.offset).is_ok();
        if is_flush || !is_cut {
            // The kernel may have dropped pages it could not write, and would not tell again.
            chain.active = None;
        }
    }

    /// Marks the end of the newest segment and closes it. Without the mark it would only be walked over at start, so
    /// that neither a failure nor a missing flush matters.
    pub(super) fn seal(&mut self, class: Priority) {
        let epoch = self.epoch;
        let chain = self.chains.of_mut(class);
        let (Some(file), Some(segment)) = (chain.active.take(), chain.segments.back_mut()) else {
            return;
        };
        let records = segment.last.saturating_add(1).saturating_sub(segment.first);
        let footer =
            Footer { class, epoch, first: segment.first, last: segment.last, records }.encode();
        match file.write_all_at(segment.records_end, &footer) {
            Ok(()) => {
                segment.bytes = segment.records_end + to_u64(FOOTER_BYTES);
                segment.is_sealed = true;
            }
            Err(error) => {
                tracing::debug!(%error, "a segment stays without its end mark");
                if file.truncate(segment.records_end).is_err() {
                    segment.bytes = segment.records_end + to_u64(FOOTER_BYTES);
                }
            }
        }
    }

    /// Gives the set-aside space back; true if there was any.
    pub(super) fn release_reserve(&mut self) -> bool {
        let path = self.path(RESERVE_NAME);
        let had_reserve = std::mem::take(&mut self.has_reserve);
        had_reserve && self.disk.remove(&path).is_ok()
    }

    /// Sets space aside again, once there is enough for others too.
    pub(super) fn take_reserve(&mut self) {
        let wanted = self.limits.reserve_bytes;
        let free = self.disk.free_bytes(&self.directory).unwrap_or(u64::MAX);
        if wanted == 0 || free < wanted.saturating_mul(4) {
            return;
        }
        let path = self.path(RESERVE_NAME);
        let reserved = self
            .disk
            .open(&path, OpenMode::CreateEmpty)
            .and_then(|file| file.preallocate(wanted).and_then(|()| file.sync_data()))
            .context("set space aside in", &path);
        match reserved {
            Ok(()) => self.has_reserve = true,
            Err(error) => {
                tracing::debug!(error = &error as &dyn std::error::Error, "no space set aside");
                if self.disk.remove(&path).is_err() {
                    tracing::debug!(path = %path.display(), "the unfinished reserve stays");
                }
            }
        }
    }
}

fn to_append_error(error: Error) -> AppendError {
    match error {
        Error::Disk { source, .. } => AppendError::disk(source),
        other => AppendError::disk(io::Error::other(other)),
    }
}
