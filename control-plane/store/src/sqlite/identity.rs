//! What identity decided beside the items themselves: which ids lead to other items, and what people said.
//!
//! Deliberately not here: the evidence, which lies with the observations.

use super::{signed, unsigned};
use crate::observed::CommitError;
use model::Timestamp;
use model::decision::{AbsorbedRecord, Decision, Number, PossibleRecord, WishKind, WishRecord};
use rusqlite::{Connection, OptionalExtension, Row, params};

/// The tables of this module.
pub(crate) const SCHEMA: &str = "
CREATE TABLE absorbed(
    item INTEGER PRIMARY KEY, into_item INTEGER NOT NULL, founder INTEGER NOT NULL, at INTEGER NOT NULL);
CREATE TABLE wish(
    action INTEGER NOT NULL, one INTEGER NOT NULL, other INTEGER NOT NULL, kind INTEGER NOT NULL,
    said_by TEXT NOT NULL, at INTEGER NOT NULL, PRIMARY KEY(action, one, other)) WITHOUT ROWID;
CREATE INDEX possible_same_as_other ON possible_same_as(other);
";

/// Steps from an absorbed item to the one that its id leads to in the end; far more than items are ever joined in
/// turn, and an end when the file is damaged.
const STEPS_MAX: usize = 10_000;

type Result<T> = std::result::Result<T, CommitError>;

pub(super) fn write(connection: &Connection, decision: &Decision) -> Result<()> {
    for item in &decision.revived {
        connection.prepare_cached("DELETE FROM absorbed WHERE item = ?1")?.execute([item])?;
    }
    for record in &decision.absorbed {
        connection
            .prepare_cached(
                "INSERT OR REPLACE INTO absorbed(item, into_item, founder, at) VALUES (?1, ?2, ?3, ?4)",
            )?
            .execute(params![
                record.item,
                record.into,
                signed(record.founder),
                record.at.millis()
            ])?;
    }
    for action in &decision.wishes_removed {
        connection.prepare_cached("DELETE FROM wish WHERE action = ?1")?.execute([action])?;
    }
    for record in &decision.wishes {
        connection
            .prepare_cached(
                "INSERT OR REPLACE INTO wish(action, one, other, kind, said_by, at)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            )?
            .execute(params![
                record.action,
                signed(record.one),
                signed(record.other),
                kind_number(record.kind),
                record.said_by,
                record.at.millis()
            ])?;
    }
    Ok(())
}

const fn kind_number(kind: WishKind) -> u8 {
    match kind {
        WishKind::Must => 0,
        WishKind::Cannot => 1,
        WishKind::Neither => 2,
    }
}

/// The item that an absorbed one leads to in the end; any other leads to itself.
pub(super) fn survivor(connection: &Connection, item: Number) -> rusqlite::Result<Number> {
    let mut found = item;
    let mut statement =
        connection.prepare_cached("SELECT into_item FROM absorbed WHERE item = ?1")?;
    for _ in 0..STEPS_MAX {
        match statement.query_row([found], |row| row.get(0)).optional()? {
            Some(into) => found = into,
            None => break,
        }
    }
    Ok(found)
}

fn all<T>(
    connection: &Connection,
    question: &str,
    mut read: impl FnMut(&Row<'_>) -> Result<T>,
) -> Result<Vec<T>> {
    let mut statement = connection.prepare_cached(question)?;
    let mut rows = statement.query([])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(read(row)?);
    }
    Ok(found)
}

pub(super) fn absorbed(connection: &Connection) -> Result<Vec<AbsorbedRecord>> {
    all(connection, "SELECT item, into_item, founder, at FROM absorbed", |row| {
        Ok(AbsorbedRecord {
            item: row.get(0)?,
            into: row.get(1)?,
            founder: unsigned(row.get(2)?),
            at: Timestamp::from_millis(row.get(3)?),
        })
    })
}

pub(super) fn wishes(connection: &Connection) -> Result<Vec<WishRecord>> {
    let question = "SELECT action, one, other, kind, said_by, at FROM wish ORDER BY action";
    all(connection, question, |row| {
        let kind = match row.get::<_, u8>(3)? {
            0 => WishKind::Must,
            1 => WishKind::Cannot,
            2 => WishKind::Neither,
            _ => return Err(super::corrupt("what a person said of two sightings")),
        };
        Ok(WishRecord {
            action: row.get(0)?,
            one: unsigned(row.get(1)?),
            other: unsigned(row.get(2)?),
            kind,
            said_by: row.get(4)?,
            at: Timestamp::from_millis(row.get(5)?),
        })
    })
}

pub(super) fn possible(connection: &Connection) -> Result<Vec<PossibleRecord>> {
    all(connection, "SELECT one, other, bits FROM possible_same_as", |row| {
        Ok(PossibleRecord { one: row.get(0)?, other: row.get(1)?, bits: row.get(2)? })
    })
}
