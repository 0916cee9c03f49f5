//! From a batch of the wire to what the deciding thread takes: decoded as far as that needs no knowledge, with the
//! hashes by which an unchanged observation is recognized. It runs in the session's task, so that several agents
//! decode at once.
//!
//! Invariants: nothing here trusts the sender; a record that cannot be used becomes a poison entry with a code, and
//! the entries behind it are still used.

use bytes::Bytes;
use model::decision::native_hash;
use model::run::ContentHash;
use model::{Coverage, RunId, ScopeDigest, SourceId, Timestamp};
use proto::convert::{self, Malformed};
use proto::limits::{
    BATCH_ENTRIES_MAX, NAME_BYTES_MAX, NATIVE_KEY_BYTES_MAX, OBSERVATIONS_MAX, RECORD_BYTES_MAX,
};
use proto::{Message, v1};

/// A batch, decoded.
#[derive(Debug)]
pub(super) struct Prepared {
    pub(super) epoch: u64,
    pub(super) class: u32,
    pub(super) entries: Vec<Entry>,
    /// How many bytes it came in, for the bound of the queue.
    pub(super) bytes: usize,
}

/// One entry of a batch.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) sequence: u64,
    pub(super) content: Content,
}

/// What an entry holds.
#[derive(Debug)]
pub(super) enum Content {
    Report(Box<Report>),
    Readings(Box<Readings>),
    Gap { through: u64, count: u64, reason: String },
    Poison { code: &'static str, detail: String, bytes: Bytes },
}

/// A part of a scope report.
#[derive(Debug)]
pub(super) struct Report {
    pub(super) source: SourceId,
    pub(super) scope: String,
    pub(super) run: RunId,
    pub(super) finished_at: Timestamp,
    pub(super) coverage: Coverage,
    pub(super) is_full: bool,
    pub(super) part: u32,
    pub(super) is_last: bool,
    pub(super) digest: Option<ScopeDigest>,
    pub(super) seen: Vec<Seen>,
    pub(super) removed: Vec<u64>,
}

/// An observation with its hashes; its body is decoded only when it is new.
#[derive(Debug)]
pub(super) struct Seen {
    pub(super) native: u64,
    pub(super) content: u128,
    pub(super) wire: v1::Observation,
}

/// New values of readings.
#[derive(Debug)]
pub(super) struct Readings {
    pub(super) source: SourceId,
    pub(super) at: Timestamp,
    pub(super) items: Vec<(u64, Vec<v1::Attribute>)>,
}

/// Why a whole batch is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refused {
    pub(super) code: &'static str,
    pub(super) detail: String,
}

/// Priority classes of a spool: audit, inventory, events, metrics.
pub(super) const CLASSES_COUNT: u32 = 4;

/// The class whose loss makes scopes unsure.
pub(super) const INVENTORY: u32 = 1;

/// Decodes a batch.
pub(super) fn prepare(batch: v1::Batch) -> Result<Prepared, Refused> {
    if batch.class >= CLASSES_COUNT {
        return Err(Refused {
            code: "MALFORMED",
            detail: format!("there is no priority class {}; there are 0 to 3", batch.class),
        });
    }
    if batch.entries.len() > BATCH_ENTRIES_MAX {
        return Err(Refused {
            code: "MALFORMED",
            detail: format!(
                "the batch has {} entries; the limit is {BATCH_ENTRIES_MAX}",
                batch.entries.len()
            ),
        });
    }
    let mut prepared = Prepared {
        epoch: batch.epoch,
        class: batch.class,
        entries: Vec::with_capacity(batch.entries.len()),
        bytes: 0,
    };
    for entry in batch.entries {
        let content = match entry.content {
            None => Content::Poison {
                code: "MALFORMED",
                detail: "the entry holds neither a record nor a gap".to_owned(),
                bytes: Bytes::new(),
            },
            Some(v1::entry::Content::Gap(gap)) => gap_of(entry.sequence, gap)?,
            Some(v1::entry::Content::Record(bytes)) => {
                prepared.bytes = prepared.bytes.saturating_add(bytes.len());
                record_of(bytes)
            }
        };
        prepared.entries.push(Entry { sequence: entry.sequence, content });
    }
    Ok(prepared)
}

/// How many bytes of a gap's reason are kept.
const REASON_BYTES_MAX: usize = 64;

fn gap_of(sequence: u64, gap: v1::Gap) -> Result<Content, Refused> {
    if gap.through < sequence {
        return Err(Refused {
            code: "MALFORMED",
            detail: format!("a gap from {sequence} ends before it begins, at {}", gap.through),
        });
    }
    let reason = gap.reason.chars().take(REASON_BYTES_MAX).collect();
    Ok(Content::Gap { through: gap.through, count: gap.count, reason })
}

fn record_of(bytes: Bytes) -> Content {
    let poison = |code, detail| Content::Poison { code, detail, bytes: bytes.clone() };
    if bytes.len() > RECORD_BYTES_MAX {
        let detail =
            format!("the record has {} bytes; the limit is {RECORD_BYTES_MAX}", bytes.len());
        return poison("BODY_TOO_LARGE", detail);
    }
    // Decoding a clone of the buffer lets the bodies be slices of it.
    let Ok(record) = v1::Record::decode(bytes.clone()) else {
        return poison("MALFORMED", "the bytes are no record".to_owned());
    };
    let content = match record.content {
        None => {
            return poison(
                "MALFORMED",
                "the record is of a kind that this version does not know".to_owned(),
            );
        }
        Some(v1::record::Content::Report(report)) => {
            report_of(report).map(Box::new).map(Content::Report)
        }
        Some(v1::record::Content::Readings(readings)) => {
            readings_of(readings).map(Box::new).map(Content::Readings)
        }
    };
    content.unwrap_or_else(|error| poison("MALFORMED", error.to_string()))
}

fn report_of(wire: v1::ScopeReport) -> Result<Report, Malformed> {
    let (source, scope) = convert::scope_from(wire.scope)?;
    few("observations of a part", wire.observations.len())?;
    few("removed of a part", wire.removed.len())?;
    let seen = wire
        .observations
        .into_iter()
        .map(|wire| {
            check("class", &wire.class, NAME_BYTES_MAX)?;
            check("native key", &wire.native_key, NATIVE_KEY_BYTES_MAX)?;
            Ok(Seen {
                native: native_hash(&source, &wire.native_key),
                content: ContentHash::of(&wire.class, &wire.native_key, &wire.body).0,
                wire,
            })
        })
        .collect::<Result<_, Malformed>>()?;
    let removed = wire
        .removed
        .iter()
        .map(|removed| {
            check("native key", &removed.native_key, NATIVE_KEY_BYTES_MAX)?;
            Ok(native_hash(&source, &removed.native_key))
        })
        .collect::<Result<_, Malformed>>()?;
    let digest = if wire.is_last { Some(convert::digest_from(&wire.digest)?) } else { None };
    Ok(Report {
        run: convert::run_id_from(&wire.run)?,
        finished_at: Timestamp::from_millis(wire.finished_at),
        coverage: convert::coverage_from(wire.coverage)?,
        is_full: wire.is_full,
        part: wire.part,
        is_last: wire.is_last,
        digest,
        seen,
        removed,
        source,
        scope,
    })
}

fn few(what: &'static str, count: usize) -> Result<(), Malformed> {
    if count > OBSERVATIONS_MAX {
        return Err(Malformed::TooMany { what, count, limit: OBSERVATIONS_MAX });
    }
    Ok(())
}

fn check(what: &'static str, text: &str, limit: usize) -> Result<(), Malformed> {
    match text.len() {
        0 => Err(Malformed::Missing { what }),
        bytes if bytes > limit => Err(Malformed::TooLong { what, bytes, limit }),
        _ => Ok(()),
    }
}

fn readings_of(wire: v1::ReadingReport) -> Result<Readings, Malformed> {
    check("collector", &wire.collector, NAME_BYTES_MAX)?;
    check("target", &wire.target, NATIVE_KEY_BYTES_MAX)?;
    few("items of a reading report", wire.items.len())?;
    let source = SourceId { collector: wire.collector, target: wire.target };
    let items = wire
        .items
        .into_iter()
        .map(|item| {
            check("native key", &item.native_key, NATIVE_KEY_BYTES_MAX)?;
            Ok((native_hash(&source, &item.native_key), item.readings))
        })
        .collect::<Result<_, Malformed>>()?;
    Ok(Readings { at: Timestamp::from_millis(wire.at), items, source })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A record as an honest agent sends it.
    fn record() -> Vec<u8> {
        let source = SourceId { collector: "host".into(), target: "db1".into() };
        let report = v1::ScopeReport {
            scope: Some(convert::scope_to(&source, "packages.dpkg")),
            run: vec![7; 16],
            coverage: Some(convert::coverage_to(&Coverage::complete())),
            is_last: true,
            digest: convert::digest_to(ScopeDigest::default()),
            observations: vec![v1::Observation {
                class: "package".into(),
                native_key: "dpkg/curl".into(),
                body: vec![1, 2, 3].into(),
                readings: Vec::new(),
            }],
            removed: vec![v1::Removed { native_key: "dpkg/wget".into(), ..v1::Removed::default() }],
            ..v1::ScopeReport::default()
        };
        v1::Record { content: Some(v1::record::Content::Report(report)) }.encode_to_vec()
    }

    fn prepared(records: &[Vec<u8>]) -> Prepared {
        let entries = (1..)
            .zip(records)
            .map(|(sequence, bytes)| v1::Entry {
                sequence,
                content: Some(v1::entry::Content::Record(bytes.clone().into())),
            })
            .collect();
        prepare(v1::Batch { epoch: 1, class: INVENTORY, entries }).unwrap()
    }

    #[test]
    fn an_honest_record_is_no_poison() {
        let prepared = prepared(&[record()]);
        assert!(matches!(prepared.entries[0].content, Content::Report(_)), "{prepared:?}");
    }

    proptest! {
        #[test]
        fn any_bytes_as_a_batch_are_prepared_or_refused_with_a_code(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            if let Ok(batch) = v1::Batch::decode(bytes.as_slice()) {
                let count = batch.entries.len();
                match prepare(batch) {
                    Ok(prepared) => prop_assert_eq!(prepared.entries.len(), count),
                    Err(refused) => prop_assert!(!refused.code.is_empty() && refused.detail.len() < 500),
                }
            }
        }

        #[test]
        fn a_damaged_record_harms_neither_its_neighbors_nor_the_memory(
            place in any::<proptest::sample::Index>(),
            bytes in proptest::collection::vec(any::<u8>(), 0..40),
            removed in 0_usize..40,
        ) {
            let mut damaged = record();
            let begin = place.index(damaged.len());
            let end = begin.saturating_add(removed).min(damaged.len());
            damaged.splice(begin..end, bytes);
            let prepared = prepared(&[record(), damaged, record()]);
            prop_assert!(matches!(prepared.entries[0].content, Content::Report(_)));
            prop_assert!(matches!(prepared.entries[2].content, Content::Report(_)));
            if let Content::Poison { code, detail, .. } = &prepared.entries[1].content {
                prop_assert!(!code.is_empty() && detail.len() < 500, "{}", detail);
            }
        }
    }
}
