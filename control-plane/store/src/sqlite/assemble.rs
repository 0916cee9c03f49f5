//! Items as they are read: the row, and the fold over the observations, now or at a past moment.

use super::codec::Reader;
use super::load::{OBSERVATION, name, observation};
use super::names::Names;
use super::{corrupt, state_of, unsigned, write};
use crate::items::ReadError;
use crate::observed::CommitError;
use model::decision::{ChangeWhat, Number, ObservationRecord};
use model::fold::{Statement, confidence_of, fold};
use model::query::At;
use model::{Item, ItemId, ItemState, Provenance, Revision, SourceId, SourceValue, Timestamp};
use rusqlite::{Connection, OptionalExtension, Row, params};
use std::collections::BTreeMap;
use std::sync::Arc;

type Result<T> = std::result::Result<T, ReadError>;

/// The number of an item; an absorbed id gives its survivor.
pub(super) fn number_of(connection: &Connection, id: ItemId) -> rusqlite::Result<Option<Number>> {
    let bytes = id.to_bytes();
    let own = connection
        .prepare_cached("SELECT number FROM item WHERE id = ?1")?
        .query_row([bytes], |row| row.get(0))
        .optional()?;
    own.map(|own| super::identity::survivor(connection, own)).transpose()
}

/// The id of the item that a source calls by a native key of this hash. Items of their own come first in the index;
/// a part costs a walk over what the source observed.
pub(super) fn located(
    connection: &Connection,
    source: &SourceId,
    native: u64,
) -> rusqlite::Result<Option<ItemId>> {
    connection
        .prepare_cached(
            "SELECT i.id FROM source s JOIN observation o ON o.source = s.number
             JOIN item i ON i.number = o.item
             WHERE s.collector = ?1 AND s.target = ?2 AND o.native = ?3 ORDER BY o.is_part LIMIT 1",
        )?
        .query_row(params![source.collector, source.target, native.cast_signed()], |row| {
            Ok(ItemId::from_bytes(row.get(0)?))
        })
        .optional()
}

/// An observation with who says it and when its scope was last seen completely.
struct Said {
    record: ObservationRecord,
    source: SourceId,
    complete_at: Option<Timestamp>,
}

impl Said {
    fn confirmed_at(&self) -> Timestamp {
        let own = self.record.seen_at.max(self.record.changed_at);
        match (self.record.absent_at, self.complete_at) {
            (None, Some(complete_at)) => own.max(complete_at),
            _ => own,
        }
    }
}

/// The item of this number, or nothing when it was not there at that time.
pub(super) fn item(
    connection: &Connection,
    names: &Names,
    number: Number,
    at: At,
) -> Result<Option<Item>> {
    let mut statement = connection.prepare_cached(
        "SELECT i.id, i.class, i.title, p.id, i.state, i.first_seen, i.revision
         FROM item i LEFT JOIN item p ON p.number = i.parent AND i.parent <> 0 WHERE i.number = ?1",
    )?;
    let found = statement.query_row([number], |row| Ok(row_of(names, row))).optional()?;
    let Some(mut item) = found.transpose()? else { return Ok(None) };
    let mut said = said(connection, names, number)?;
    if let At::Time(then) = at {
        if item.first_seen > then {
            return Ok(None);
        }
        for one in &mut said {
            as_of(connection, names, one, then)?;
        }
        said.retain(|one| one.record.first_seen <= then);
        (item.state, item.revision) = state_at(connection, number, then)?;
    }
    // A source that no longer sees the thing has no say any longer, unless nobody sees it.
    if said.iter().any(|one| one.record.absent_at.is_none()) {
        said.retain(|one| one.record.absent_at.is_none());
    }
    item.last_seen =
        said.iter().map(Said::confirmed_at).max().unwrap_or(item.first_seen).max(item.first_seen);
    let statements: Vec<Statement<'_>> = said
        .iter()
        .map(|one| Statement {
            source: &one.source,
            facts: &one.record.seen.facts,
            first_seen: one.record.first_seen,
            since: &one.record.since,
            confirmed_at: one.confirmed_at(),
        })
        .collect();
    item.attributes = fold(&statements);
    if at == At::Now {
        for one in &said {
            add_readings(connection, names, one, &mut item)?;
        }
    } else if let Some(title) = title_at(connection, number, at)? {
        item.title = title;
    }
    Ok(Some(item))
}

fn row_of(names: &Names, row: &Row<'_>) -> Result<Item> {
    let first_seen = Timestamp::from_millis(row.get(5)?);
    Ok(Item {
        id: ItemId::from_bytes(row.get(0)?),
        class: name(names, row.get(1)?)?,
        title: row.get(2)?,
        parent: row.get::<_, Option<[u8; 16]>>(3)?.map(ItemId::from_bytes),
        state: state_of(row.get(4)?).ok_or_else(|| corrupt("state of an item"))?,
        first_seen,
        last_seen: first_seen,
        revision: Revision(unsigned(row.get(6)?)),
        attributes: BTreeMap::new(),
    })
}

fn said(connection: &Connection, names: &Names, item: Number) -> Result<Vec<Said>> {
    let question = format!("{OBSERVATION} WHERE o.item = ?1 ORDER BY o.number");
    let mut statement = connection.prepare_cached(&question)?;
    let mut rows = statement.query([item])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let record = observation(names, row)?;
        let (source, complete_at) = who(connection, &record)?;
        found.push(Said { record, source, complete_at });
    }
    Ok(found)
}

fn who(
    connection: &Connection,
    record: &ObservationRecord,
) -> Result<(SourceId, Option<Timestamp>)> {
    let source = source_of(connection, record.source)?;
    let complete_at: Option<Option<i64>> = connection
        .prepare_cached("SELECT complete_at FROM scope WHERE number = ?1")?
        .query_row([record.scope], |row| row.get(0))
        .optional()?;
    Ok((source, complete_at.flatten().map(Timestamp::from_millis)))
}

/// The source of a number.
pub(super) fn source_of(connection: &Connection, number: Number) -> Result<SourceId> {
    let mut statement =
        connection.prepare_cached("SELECT collector, target FROM source WHERE number = ?1")?;
    let found = statement
        .query_row([number], |row| Ok(SourceId { collector: row.get(0)?, target: row.get(1)? }));
    found.optional()?.ok_or_else(|| corrupt(format!("source {number}")).into())
}

/// Turns an observation back to what it said then.
fn as_of(connection: &Connection, names: &Names, one: &mut Said, then: Timestamp) -> Result<()> {
    let record = &mut one.record;
    one.complete_at = one.complete_at.map(|complete_at| complete_at.min(then));
    if record.changed_at <= then {
        record.absent_at = record.absent_at.filter(|absent_at| *absent_at <= then);
        record.seen_at = record.seen_at.min(then);
        return Ok(());
    }
    let mut statement = connection.prepare_cached(
        "SELECT valid_from, valid_until, body FROM observation_version
         WHERE observation = ?1 AND valid_from <= ?2 ORDER BY valid_from DESC LIMIT 1",
    )?;
    let mut rows = statement.query(params![record.number, then.millis()])?;
    let Some(row) = rows.next()? else {
        // It was not there yet: a moment after the asked one says so to the caller.
        record.first_seen = record.first_seen.max(then.plus(std::time::Duration::from_millis(1)));
        return Ok(());
    };
    let (from, until) = (Timestamp::from_millis(row.get(0)?), Timestamp::from_millis(row.get(1)?));
    let body = row.get_ref(2)?.as_blob().unwrap_or_default();
    let (seen, since) = Reader::new(names, body)
        .and_then(|mut reader| reader.body(record.first_seen))
        .map_err(|_| corrupt(format!("history of observation {}", record.number)))?;
    record.seen = Arc::new(seen);
    record.since = since;
    record.changed_at = from;
    record.absent_at = Some(until).filter(|until| *until <= then);
    record.seen_at = from.max(record.first_seen).min(then);
    Ok(())
}

/// The state and the revision that an item had.
fn state_at(
    connection: &Connection,
    number: Number,
    then: Timestamp,
) -> Result<(ItemState, Revision)> {
    let kind = write::kind_number(&ChangeWhat::State {
        before: ItemState::Active,
        after: ItemState::Active,
    });
    let state: Option<Vec<u8>> = connection
        .prepare_cached(
            "SELECT after FROM change WHERE item = ?1 AND kind = ?2 AND observed_at <= ?3
             ORDER BY observed_at DESC, position DESC LIMIT 1",
        )?
        .query_row(params![number, kind, then.millis()], |row| row.get(0))
        .optional()?;
    let state = state.and_then(|bytes| bytes.first().copied()).and_then(state_of);
    let last: Option<i64> = connection
        .prepare_cached("SELECT MAX(position) FROM change WHERE item = ?1 AND observed_at <= ?2")?
        .query_row(params![number, then.millis()], |row| row.get(0))?;
    let revision = Revision(unsigned(last.unwrap_or(0)) >> write::INDEX_BITS);
    Ok((state.unwrap_or(ItemState::Active), revision))
}

/// The title that an item had, when it has another one now.
fn title_at(connection: &Connection, number: Number, at: At) -> Result<Option<String>> {
    let At::Time(then) = at else { return Ok(None) };
    let title: Option<Option<String>> = connection
        .prepare_cached(
            "SELECT title FROM change WHERE item = ?1 AND observed_at <= ?2
             ORDER BY position DESC LIMIT 1",
        )?
        .query_row(params![number, then.millis()], |row| row.get(0))
        .optional()?;
    Ok(title.flatten())
}

fn add_readings(connection: &Connection, names: &Names, one: &Said, item: &mut Item) -> Result<()> {
    let mut statement =
        connection.prepare_cached("SELECT at, body FROM reading WHERE observation = ?1")?;
    let mut rows = statement.query([one.record.number])?;
    let Some(row) = rows.next()? else { return Ok(()) };
    let at = Timestamp::from_millis(row.get(0)?);
    let values = Reader::new(names, row.get_ref(1)?.as_blob().unwrap_or_default())
        .and_then(|mut reader| reader.values())
        .map_err(|_| corrupt(format!("readings of observation {}", one.record.number)))?;
    for (name, value) in values {
        let provenance = Provenance {
            source: one.source.clone(),
            since: at,
            confirmed_at: at,
            confidence: confidence_of(&one.source.collector),
        };
        item.attributes.entry(name).or_default().push(SourceValue { value, provenance });
    }
    Ok(())
}

impl From<super::codec::Unreadable> for CommitError {
    fn from(_: super::codec::Unreadable) -> Self {
        corrupt("a value")
    }
}
