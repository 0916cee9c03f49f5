//! Making room within a class's quota: the oldest records go, and a gap record takes the place of their segment.
//!
//! Invariants: a gap record is durable before anything it reports is gone, because it takes over the segment's name by
//! an atomic rename; audit records are never dropped; a crash at any point leaves the records, the gap or both, and
//! both are read as the gap up to where the records begin.

use environment::OpenMode;

use super::{GAP_DRAFT_NAME, Log, Segment};
use crate::{
    entry::{Gap, GapReason},
    error::{AppendError, Context, DiskTrouble, Error},
    format::{
        FLAG_GAP, FOOTER_BYTES, Footer, RecordGroup, SEGMENT_HEADER_BYTES, SegmentHeader,
        encode_gap,
    },
    priority::Priority,
    scan::to_u64,
};

/// What a new segment costs beside its records.
const SEGMENT_OVERHEAD_BYTES: u64 = (SEGMENT_HEADER_BYTES + FOOTER_BYTES) as u64;

impl Log {
    /// Makes sure that `size` more bytes of records fit into the class's quota.
    pub(super) fn make_room(&mut self, class: Priority, size: u64) -> Result<(), AppendError> {
        let quota_bytes = *self.limits.quota.of(class);
        while self.chains.of(class).bytes() + size + SEGMENT_OVERHEAD_BYTES > quota_bytes {
            let before = self.chains.of(class).bytes();
            if !class.is_droppable() {
                if self.roll_if_all_acknowledged(class) {
                    continue;
                }
                return Err(AppendError::Full { class, quota_bytes });
            }
            self.drop_oldest(class).map_err(|error| match error {
                Error::Disk { source, .. } => AppendError::disk(source),
                _ => AppendError::Full { class, quota_bytes },
            })?;
            if self.chains.of(class).bytes() >= before {
                // Only gap records are left: the group itself is too large, which the options exclude.
                return Err(AppendError::Full { class, quota_bytes });
            }
        }
        Ok(())
    }

    /// A full chain of which everything is acknowledged holds nothing but its newest segment: an empty one takes its
    /// place. True if that made room.
    fn roll_if_all_acknowledged(&mut self, class: Priority) -> bool {
        let chain = self.chains.of(class);
        let is_done = chain.cursor.sequence == chain.durable();
        let holds_records = chain.segments.back().is_some_and(|segment| segment.gap.is_none());
        is_done && holds_records && self.drop_oldest(class).is_ok()
    }

    /// Replaces the oldest segment that still holds records by a gap record.
    fn drop_oldest(&mut self, class: Priority) -> Result<(), Error> {
        let chain = self.chains.of(class);
        let Some(index) = chain.segments.iter().position(|segment| segment.gap.is_none()) else {
            return Ok(());
        };
        let is_newest = index + 1 == chain.segments.len();
        if is_newest {
            self.seal(class);
        }
        let chain = self.chains.of(class);
        let last = chain.range_last(index);
        let cursor = chain.cursor.sequence;
        let Some(segment) = chain.segments.get(index).cloned() else { return Ok(()) };
        let lost = last.saturating_sub(segment.first.saturating_sub(1).max(cursor));
        // Neighboring gaps become one, so that a long drop costs two files and not thousands.
        let before = index
            .checked_sub(1)
            .and_then(|before| chain.segments.get(before))
            .filter(|before| before.gap.is_some_and(|gap| gap.reason == GapReason::Quota))
            .cloned();
        let (first, counted) = match &before {
            Some(before) => (before.first, before.gap.map_or(0, |gap| gap.count)),
            None => (segment.first, 0),
        };
        let gap = Gap { from: first, to: last, count: counted + lost, reason: GapReason::Quota };
        let replaced = self.write_gap(class, gap, segment.created_ms)?;
        let chain = self.chains.of_mut(class);
        chain.hint = None;
        chain.counters.dropped_quota += lost;
        if lost > 0 {
            tracing::warn!(
                class = class.name(),
                from = segment.first,
                to = last,
                "dropped records for the quota"
            );
        }
        if before.is_none() {
            if let Some(place) = chain.segments.get_mut(index) {
                *place = replaced;
            }
            return Ok(());
        }
        if let Some(place) = chain.segments.get_mut(index - 1) {
            *place = replaced;
        }
        chain.segments.remove(index);
        let path = self.segment_path(class, segment.first);
        self.disk.remove(&path).context("remove", &path)
    }

    /// Writes a gap record as a segment of its own under the name that its first sequence has.
    fn write_gap(&mut self, class: Priority, gap: Gap, created_ms: u64) -> Result<Segment, Error> {
        let written = self.try_write_gap(class, gap, created_ms);
        match written {
            Err(Error::Disk { source, .. })
                if DiskTrouble::of(&source) == DiskTrouble::Full && self.release_reserve() =>
            {
                self.try_write_gap(class, gap, created_ms)
            }
            other => other,
        }
    }

    fn try_write_gap(&self, class: Priority, gap: Gap, created_ms: u64) -> Result<Segment, Error> {
        let epoch = self.epoch;
        let mut group = RecordGroup::new();
        let payload = encode_gap(&gap);
        group.push(&payload, crc32c::crc32c(&payload), FLAG_GAP);
        group.number(class, gap.to, epoch);
        let header = SegmentHeader { class, epoch, first: gap.from, created_ms };
        let mut bytes = group.with_header(&header).to_vec();
        let records_end = to_u64(bytes.len());
        let footer = Footer { class, epoch, first: gap.from, last: gap.to, records: 1 };
        bytes.extend_from_slice(&footer.encode());

        let draft = self.path(GAP_DRAFT_NAME);
        let path = self.segment_path(class, gap.from);
        let file = self.disk.open(&draft, OpenMode::CreateEmpty).context("create", &draft)?;
        file.write_all_at(0, &bytes).and_then(|()| file.sync_data()).context("write", &draft)?;
        self.disk.rename(&draft, &path).context("rename to", &path)?;
        self.disk.sync_directory(&self.directory).context("flush", &self.directory)?;
        Ok(Segment {
            first: gap.from,
            last: gap.to,
            records_end,
            bytes: to_u64(bytes.len()),
            created_ms,
            gap: Some(gap),
            is_sealed: true,
        })
    }
}
