//! Items as they are read: the row, and the fold over the observations, now or at a past moment.

use super::codec::Reader;
use super::load::{OBSERVATION, name, observation};
use super::names::Names;
use super::policies::{self, Book};
use super::{corrupt, history, state_of, unsigned};
use crate::items::ReadError;
use crate::observed::CommitError;
use model::decision::{Number, ObservationRecord};
use model::fold::{Rulings, Statement, fold_by};
use model::policy::Policies;
use model::query::At;
use model::{Item, ItemId, Provenance, Revision, SourceId, SourceValue, Timestamp};
use rusqlite::{Connection, OptionalExtension, Row, params};
use std::collections::{BTreeMap, HashMap};
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
#[derive(Clone)]
pub(super) struct Said {
    pub(super) record: ObservationRecord,
    source: Arc<SourceId>,
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

    pub(super) fn statement(&self) -> Statement<'_> {
        Statement {
            source: &self.source,
            facts: &self.record.seen.facts,
            first_seen: self.record.first_seen,
            since: &self.record.since,
            confirmed_at: self.confirmed_at(),
        }
    }
}

/// Who said what is asked of, looked up once for each source and scope of a question about many items.
#[derive(Default)]
pub(super) struct Sources {
    sources: HashMap<Number, Arc<SourceId>>,
    scopes: HashMap<Number, Option<Timestamp>>,
}

impl Sources {
    fn source(&mut self, connection: &Connection, number: Number) -> Result<Arc<SourceId>> {
        if let Some(known) = self.sources.get(&number) {
            return Ok(Arc::clone(known));
        }
        let source = Arc::new(source_of(connection, number)?);
        self.sources.insert(number, Arc::clone(&source));
        Ok(source)
    }

    fn complete_at(&mut self, connection: &Connection, scope: Number) -> Result<Option<Timestamp>> {
        if let Some(known) = self.scopes.get(&scope) {
            return Ok(*known);
        }
        let found: Option<Option<i64>> = connection
            .prepare_cached("SELECT complete_at FROM scope WHERE number = ?1")?
            .query_row([scope], |row| row.get(0))
            .optional()?;
        let complete_at = found.flatten().map(Timestamp::from_millis);
        self.scopes.insert(scope, complete_at);
        Ok(complete_at)
    }
}

/// The item of this number, or nothing when it was not there at that time.
pub(super) fn item(
    connection: &Connection,
    terms: (&Names, &Book),
    number: Number,
    at: At,
) -> Result<Option<Item>> {
    Ok(whole(connection, terms, number, at)?.map(|(item, _)| item))
}

/// The same with the observations that have a say.
pub(super) fn whole(
    connection: &Connection,
    (names, book): (&Names, &Book),
    number: Number,
    at: At,
) -> Result<Option<(Item, Vec<Said>)>> {
    let mut statement = connection.prepare_cached(
        "SELECT i.id, i.class, i.title, p.id, i.state, i.first_seen, i.revision, i.state_since
         FROM item i LEFT JOIN item p ON p.number = i.parent AND i.parent <> 0 WHERE i.number = ?1",
    )?;
    let found = statement
        .query_row([number], |row| Ok((row_of(names, row), Timestamp::from_millis(row.get(7)?))))
        .optional()?;
    let Some((item, state_since)) = found else { return Ok(None) };
    let mut item = item?;
    let mut said = said(connection, names, number, &mut Sources::default())?;
    if let At::Time(then) = at {
        if item.first_seen > then {
            return Ok(None);
        }
        said = said_then(connection, names, &said, then)?;
        item.state = history::state_at(connection, number, (item.state, state_since), then)?;
        let (revision, title) = history::last_line(connection, number, then)?;
        item.revision = revision;
        item.title = title.unwrap_or(item.title);
    }
    keep_speaking(&mut said);
    item.last_seen =
        said.iter().map(Said::confirmed_at).max().unwrap_or(item.first_seen).max(item.first_seen);
    let statements: Vec<Statement<'_>> = said.iter().map(Said::statement).collect();
    let locks = policies::rulings(connection, names, number, at)?;
    let rulings = Rulings { locks: &locks, frozen: &[] };
    let by = book.at(at);
    item.attributes = fold_by(by, &item.class, &statements, rulings);
    if at == At::Now {
        for one in &said {
            add_readings(connection, (names, by), one, &mut item)?;
        }
    }
    Ok(Some((item, said)))
}

/// A source that no longer sees the thing has no say any longer, unless nobody sees it.
pub(super) fn keep_speaking(said: &mut Vec<Said>) {
    if said.iter().any(|one| one.record.absent_at.is_none()) {
        said.retain(|one| one.record.absent_at.is_none());
    }
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

/// What is said of an item, by all of its observations as they are now.
pub(super) fn said(
    connection: &Connection,
    names: &Names,
    item: Number,
    sources: &mut Sources,
) -> Result<Vec<Said>> {
    let question = format!("{OBSERVATION} WHERE o.item = ?1 ORDER BY o.number");
    let mut statement = connection.prepare_cached(&question)?;
    let mut rows = statement.query([item])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let record = observation(names, row)?;
        let source = sources.source(connection, record.source)?;
        let complete_at = sources.complete_at(connection, record.scope)?;
        found.push(Said { record, source, complete_at });
    }
    Ok(found)
}

/// What was said then, by the observations that were there already.
pub(super) fn said_then(
    connection: &Connection,
    names: &Names,
    said: &[Said],
    then: Timestamp,
) -> Result<Vec<Said>> {
    let mut found = Vec::with_capacity(said.len());
    for one in said.iter().filter(|one| one.record.first_seen <= then) {
        found.extend(as_of(connection, names, one, then)?);
    }
    Ok(found)
}

/// The source of a number.
pub(super) fn source_of(connection: &Connection, number: Number) -> Result<SourceId> {
    let mut statement =
        connection.prepare_cached("SELECT collector, target FROM source WHERE number = ?1")?;
    let found = statement
        .query_row([number], |row| Ok(SourceId { collector: row.get(0)?, target: row.get(1)? }));
    found.optional()?.ok_or_else(|| corrupt(format!("source {number}")).into())
}

/// An observation as it was then; nothing when it was not there yet.
///
/// Versions that end before they begin come of clocks that jumped back; what was said after the jump stands instead.
fn as_of(
    connection: &Connection,
    names: &Names,
    one: &Said,
    then: Timestamp,
) -> Result<Option<Said>> {
    let mut one = one.clone();
    let record = &mut one.record;
    one.complete_at = one.complete_at.map(|complete_at| complete_at.min(then));
    if record.changed_at <= then {
        record.absent_at = record.absent_at.filter(|absent_at| *absent_at <= then);
        record.seen_at = record.seen_at.min(then);
        return Ok(Some(one));
    }
    let mut statement = connection.prepare_cached(
        "SELECT valid_from, valid_until, body FROM observation_version
         WHERE observation = ?1 AND valid_from <= ?2 AND valid_from < valid_until
         ORDER BY valid_from DESC LIMIT 1",
    )?;
    let mut rows = statement.query(params![record.number, then.millis()])?;
    let Some(row) = rows.next()? else { return Ok(None) };
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
    Ok(Some(one))
}

fn add_readings(
    connection: &Connection,
    (names, policies): (&Names, &Policies),
    one: &Said,
    item: &mut Item,
) -> Result<()> {
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
            source: SourceId::clone(&one.source),
            since: at,
            confirmed_at: at,
            confidence: policies.trust_of(&one.source),
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
