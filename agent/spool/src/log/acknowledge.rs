//! Acknowledging: the cursor moves, and segments that it passed go.
//!
//! Invariants: the cursor is durable before a segment that it passed is removed; a cursor file has two places that
//! are written in turns, so that a torn write spoils the new value only; it has its full length from the start, so
//! that a full disk cannot stop it.

use std::sync::Arc;

use environment::{DiskFile, OpenMode};

use super::{Batch, Cursor, Log, cursor_name};
use crate::{
    entry::Entry,
    error::{Context, DiskTrouble, Error},
    format::{CURSOR_BYTES, CursorSlot},
    priority::Priority,
    scan::to_u64,
};

/// The two places lie in different pages, so that no write touches both.
const SLOT_OFFSETS: [u64; 2] = [0, 4096];
/// The length of a cursor file.
const CURSOR_FILE_BYTES: u64 = 4096 + CURSOR_BYTES as u64;

/// What `continue_after` copies at once: more than waits on any host that was set back by minutes.
const CONTINUED_BYTES_MAX: usize = 8 << 20;
/// No spool gets here; whoever names a higher sequence is wrong.
const SEQUENCE_MAX: u64 = u64::MAX / 4;

impl Log {
    /// Takes note that everything up to `through` has arrived; returns when that is durable. An older one than the
    /// last changes nothing.
    pub fn acknowledge(&mut self, class: Priority, through: u64) -> Result<(), Error> {
        if through <= self.chains.of(class).cursor.sequence {
            return Ok(());
        }
        // First of all: a spool that could not be read at its start does not know its last record yet.
        self.make_ready()?;
        let last = self.chains.of(class).durable();
        if through > last {
            return Err(Error::AheadOfSpool { class, through, last });
        }
        let moved = self.write_cursor(class, through);
        if let Err(Error::Disk { source, .. }) = &moved
            && DiskTrouble::of(source) == DiskTrouble::Full
            && self.release_reserve()
        {
            self.write_cursor(class, through)?;
        } else {
            moved?;
        }
        self.remove_acknowledged(class);
        Ok(())
    }

    /// Goes on after a sequence that the control plane has and this spool never gave out, as it is after a machine was
    /// set back to an older state. What waits here may be what the control plane has under these sequences, or may be
    /// newer; so all of it is accepted once more under new ones. Does nothing if the sequence is known here.
    ///
    /// Up to `CONTINUED_BYTES_MAX` that is atomic. Of a larger backlog a crash in between may lose a part.
    pub fn continue_after(&mut self, class: Priority, sequence: u64) -> Result<(), Error> {
        self.make_ready()?;
        let last = self.chains.of(class).durable();
        if sequence <= last {
            return Ok(());
        }
        if sequence > SEQUENCE_MAX {
            return Err(Error::AheadOfSpool { class, through: sequence, last });
        }
        tracing::error!(
            class = class.name(),
            last,
            sequence,
            "this spool was set back; sending all again"
        );
        let mut after = self.chains.of(class).cursor.sequence;
        let mut batch = self.waiting(class, &mut after, last)?;
        self.seal(class);
        let chain = self.chains.of_mut(class);
        (chain.active, chain.hint) = (None, None);
        chain.next = sequence + 1;
        let mut is_begun = false;
        while batch.0.count() > 0 || !is_begun {
            if let Err(error) = self.append_or_anchor(class, &mut batch) {
                if !is_begun {
                    self.chains.of_mut(class).next = last + 1;
                }
                return Err(error);
            }
            is_begun = true;
            batch = self.waiting(class, &mut after, last)?;
        }
        self.acknowledge(class, sequence)
    }

    fn append_or_anchor(&mut self, class: Priority, batch: &mut Batch) -> Result<(), Error> {
        if batch.0.count() == 0 {
            return self.anchor(class);
        }
        self.append(class, batch).map(drop).map_err(|error| Error::Disk {
            operation: "continue",
            path: self.directory.clone(),
            source: std::io::Error::other(error),
        })
    }

    /// The next records that wait after `after`, up to the sequence `last`.
    fn waiting(&mut self, class: Priority, after: &mut u64, last: u64) -> Result<Batch, Error> {
        let mut batch = Batch::new();
        while *after < last && batch.0.records_bytes() < CONTINUED_BYTES_MAX {
            let entries = self.read(class, *after, 1_000, 1 << 20);
            let entries = entries.map_err(|error| Error::Disk {
                operation: "read",
                path: error.path,
                source: error.source,
            })?;
            if entries.is_empty() {
                break;
            }
            for entry in entries.iter().filter(|entry| entry.first() <= last) {
                if let Entry::Record { payload, .. } = entry {
                    batch.push(payload);
                }
            }
            *after = entries.last().map_or(last, Entry::last);
        }
        Ok(batch)
    }

    fn write_cursor(&mut self, class: Priority, sequence: u64) -> Result<(), Error> {
        let path = self.path(&cursor_name(class));
        let generation = self.chains.of(class).cursor.generation + 1;
        let slot = CursorSlot { class, epoch: self.epoch, generation, sequence };
        let offset = if generation.is_multiple_of(2) { SLOT_OFFSETS[0] } else { SLOT_OFFSETS[1] };
        let write = |file: Arc<dyn DiskFile>| {
            file.write_all_at(offset, &slot.encode())?;
            file.sync_data()
        };
        self.disk.open(&path, OpenMode::Write).and_then(write).context("write", &path)?;
        self.chains.of_mut(class).cursor = Cursor { sequence, generation };
        Ok(())
    }

    /// Removes the segments that the cursor has passed, but the newest. A file that cannot be removed stays and is
    /// tried again with the next acknowledgement and at the next start.
    pub(super) fn remove_acknowledged(&mut self, class: Priority) {
        loop {
            let chain = self.chains.of_mut(class);
            if chain.segments.len() < 2 || chain.range_last(0) > chain.cursor.sequence {
                return;
            }
            let Some(first) = chain.segments.front().map(|segment| segment.first) else { return };
            if chain.hint.as_ref().is_some_and(|hint| hint.segment_first == first) {
                chain.hint = None;
            }
            let path = self.segment_path(class, first);
            if let Err(error) = self.disk.remove(&path)
                && error.kind() != std::io::ErrorKind::NotFound
            {
                tracing::debug!(%error, path = %path.display(), "cannot remove a segment yet");
                return;
            }
            self.chains.of_mut(class).segments.pop_front();
        }
    }

    /// Creates the cursor of a class that has none, with both places filled.
    pub(super) fn create_cursor(&mut self, class: Priority) -> Result<(), Error> {
        let path = self.path(&cursor_name(class));
        let sequence = self.chains.of(class).cursor.sequence;
        let write = |file: Arc<dyn DiskFile>| {
            file.preallocate(CURSOR_FILE_BYTES)?;
            for (generation, offset) in (0..).zip(SLOT_OFFSETS) {
                let slot = CursorSlot { class, epoch: self.epoch, generation, sequence };
                file.write_all_at(offset, &slot.encode())?;
            }
            file.sync_data()
        };
        self.disk.open(&path, OpenMode::CreateEmpty).and_then(write).context("create", &path)?;
        self.chains.of_mut(class).cursor = Cursor { sequence, generation: 1 };
        Ok(())
    }

    /// The cursor of a class as the disk tells it; `None` if neither place is readable.
    pub(super) fn read_cursor(&self, class: Priority) -> Option<CursorSlot> {
        let path = self.path(&cursor_name(class));
        let file = self.disk.open(&path, OpenMode::Read).ok()?;
        let slots = SLOT_OFFSETS.into_iter().filter_map(|offset| {
            let mut bytes = [0; CURSOR_BYTES];
            let read = file.read_full_at(offset, &mut bytes).ok()?;
            debug_assert!(to_u64(read) <= to_u64(CURSOR_BYTES));
            CursorSlot::decode(&bytes).filter(|slot| slot.class == class)
        });
        slots.max_by_key(|slot| slot.generation)
    }
}
