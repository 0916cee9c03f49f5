//! Cuts what has to be said into records of bounded size.
//!
//! A record may be lost with its segment, so it is small; a report of nothing but its coverage is one part.

use super::Question;
use model::{ScopeDigest, SourceId, Timestamp};
use proto::limits::{OBSERVATIONS_MAX, PART_BYTES_TARGET};
use proto::{Message, convert, v1};

/// Bytes that a field's tag and length take at most; counted for each thing in a part.
const FIELD_OVERHEAD_BYTES: usize = 8;

/// What is listed.
pub(super) struct Changed {
    pub(super) seen: Vec<v1::Observation>,
    pub(super) removed: Vec<v1::Removed>,
}

/// What is known only at the end of a look.
pub(super) struct Closing {
    pub(super) coverage: v1::Coverage,
    pub(super) finished_at: Timestamp,
    pub(super) digest: ScopeDigest,
    pub(super) seen_count: usize,
}

/// Groups things so that each group stays near the size that a record should have.
fn groups<T: Message>(things: Vec<T>) -> Vec<Vec<T>> {
    let mut groups = Vec::new();
    let (mut group, mut bytes) = (Vec::new(), 0);
    for thing in things {
        let size = thing.encoded_len() + FIELD_OVERHEAD_BYTES;
        let is_full = bytes + size > PART_BYTES_TARGET || group.len() >= OBSERVATIONS_MAX;
        if is_full && !group.is_empty() {
            groups.push(std::mem::take(&mut group));
            bytes = 0;
        }
        bytes += size;
        group.push(thing);
    }
    if !group.is_empty() {
        groups.push(group);
    }
    groups
}

/// The records of one run, in order.
pub(super) fn report(question: &Question, changed: Changed, closing: &Closing) -> Vec<Vec<u8>> {
    let seen = groups(changed.seen).into_iter().map(|seen| (seen, Vec::new()));
    let removed = groups(changed.removed).into_iter().map(|removed| (Vec::new(), removed));
    let mut contents: Vec<_> = seen.chain(removed).collect();
    if contents.is_empty() {
        contents.push((Vec::new(), Vec::new()));
    }
    let count = contents.len();
    let mut parts = Vec::with_capacity(count);
    for (index, (observations, removed)) in contents.into_iter().enumerate() {
        let is_last = index + 1 == count;
        let report = v1::ScopeReport {
            scope: Some(convert::scope_to(&question.source, &question.scope)),
            run: question.run.to_bytes().to_vec(),
            started_at: question.started_at.millis(),
            finished_at: closing.finished_at.millis(),
            coverage: Some(closing.coverage.clone()),
            is_full: question.is_full,
            part: u32::try_from(index).unwrap_or(u32::MAX),
            is_last,
            digest: if is_last { convert::digest_to(closing.digest) } else { Vec::new() },
            seen_count: u64::try_from(closing.seen_count).unwrap_or(u64::MAX),
            observations,
            removed,
        };
        let record = v1::Record { content: Some(v1::record::Content::Report(report)) };
        parts.push(record.encode_to_vec());
    }
    parts
}

/// The records that carry new readings of things that did not change.
pub(super) fn readings(
    source: &SourceId,
    at: Timestamp,
    items: Vec<v1::ItemReadings>,
) -> Vec<Vec<u8>> {
    let record = |items| {
        let readings = v1::ReadingReport {
            collector: source.collector.clone(),
            target: source.target.clone(),
            at: at.millis(),
            items,
        };
        v1::Record { content: Some(v1::record::Content::Readings(readings)) }.encode_to_vec()
    };
    groups(items).into_iter().map(record).collect()
}
