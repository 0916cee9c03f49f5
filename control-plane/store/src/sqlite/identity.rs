//! What identity decided beside the items themselves: which ids lead to other items, and what people said.
//!
//! Deliberately not here: the evidence, which lies with the observations.

use super::names::Names;
use super::{SqliteItems, signed, unsigned};
use crate::findings::NamedItem;
use crate::identity::{Identity, Why};
use crate::items::ReadError;
use crate::observed::CommitError;
use async_trait::async_trait;
use model::decision::{
    AbsorbedRecord, Decision, LockRecord, Number, PossibleRecord, RulesRecord, WishKind, WishRecord,
};
use model::query::At;
use model::{ItemId, Name, Timestamp};
use rusqlite::{Connection, OptionalExtension, Row, params};

/// The tables of this module.
pub(crate) const SCHEMA: &str = "
CREATE TABLE absorbed(
    item INTEGER PRIMARY KEY, into_item INTEGER NOT NULL, founder INTEGER NOT NULL, at INTEGER NOT NULL);
CREATE TABLE wish(
    action INTEGER NOT NULL, one INTEGER NOT NULL, other INTEGER NOT NULL, kind INTEGER NOT NULL,
    said_by TEXT NOT NULL, at INTEGER NOT NULL, PRIMARY KEY(action, one, other)) WITHOUT ROWID;
CREATE TABLE rules(
    number INTEGER PRIMARY KEY AUTOINCREMENT, version TEXT NOT NULL, text TEXT NOT NULL, said_by TEXT NOT NULL,
    at INTEGER NOT NULL, is_applied INTEGER NOT NULL);
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
    if let Some(record) = &decision.rules {
        write_rules(connection, record)?;
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

/// New rules get a row; the latest row is marked when everything was decided by it.
fn write_rules(connection: &Connection, record: &RulesRecord) -> Result<()> {
    if record.is_applied {
        connection.execute(
            "UPDATE rules SET is_applied = 1 WHERE number = (SELECT MAX(number) FROM rules)",
            [],
        )?;
        return Ok(());
    }
    connection.execute(
        "INSERT INTO rules(version, text, said_by, at, is_applied) VALUES (?1, ?2, ?3, ?4, 0)",
        params![record.version, record.text, record.said_by, record.at.millis()],
    )?;
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

/// The versions of the rules, the latest first.
pub(super) fn rules(connection: &Connection, limit: u32) -> Result<Vec<RulesRecord>> {
    let mut statement = connection.prepare_cached(
        "SELECT version, text, said_by, at, is_applied FROM rules ORDER BY number DESC LIMIT ?1",
    )?;
    let found = statement.query_map([limit], |row| {
        Ok(RulesRecord {
            version: row.get(0)?,
            text: row.get(1)?,
            said_by: row.get(2)?,
            at: Timestamp::from_millis(row.get(3)?),
            is_applied: row.get(4)?,
        })
    })?;
    Ok(found.collect::<rusqlite::Result<_>>()?)
}

/// Items by number, as findings name them; a number without an item is left out.
fn named(
    connection: &Connection,
    names: &Names,
    numbers: &[Number],
) -> Result<Vec<(Number, NamedItem)>> {
    let mut statement =
        connection.prepare_cached("SELECT id, class, title, state FROM item WHERE number = ?1")?;
    let mut found = Vec::with_capacity(numbers.len());
    for number in numbers {
        let mut rows = statement.query([number])?;
        let Some(row) = rows.next()? else { continue };
        let item = NamedItem {
            id: ItemId::from_bytes(row.get(0)?),
            class: super::load::name(names, row.get(1)?)?,
            title: row.get(2)?,
            state: super::state_of(row.get(3)?)
                .ok_or_else(|| super::corrupt("state of an item"))?,
        };
        found.push((*number, item));
    }
    Ok(found)
}

#[async_trait]
impl Identity for SqliteItems {
    async fn wishes(&self) -> std::result::Result<Vec<WishRecord>, ReadError> {
        Ok(self.database.read(wishes).await?)
    }

    async fn rules(&self, limit: u32) -> std::result::Result<Vec<RulesRecord>, ReadError> {
        Ok(self.database.read(move |connection| rules(connection, limit)).await?)
    }

    async fn why(
        &self,
        id: ItemId,
        attribute: Name,
    ) -> std::result::Result<Option<Why>, ReadError> {
        let book = self.book();
        self.ask(move |connection, names| {
            super::why::why(connection, (names, &book), id, &attribute)
        })
        .await
    }

    async fn locks(&self, id: ItemId) -> std::result::Result<Option<Vec<LockRecord>>, ReadError> {
        self.ask(move |connection, names| {
            let number = super::assemble::number_of(connection, id)?;
            let of = |number| super::policies::of_item(connection, names, number, At::Now);
            Ok(number.map(of).transpose()?)
        })
        .await
    }

    async fn named(
        &self,
        numbers: &[Number],
    ) -> std::result::Result<Vec<(Number, NamedItem)>, ReadError> {
        let (known, numbers) = (self.names(), numbers.to_vec());
        Ok(self.database.read(move |connection| named(connection, &known, &numbers)).await?)
    }
}

pub(super) fn possible(connection: &Connection) -> Result<Vec<PossibleRecord>> {
    all(connection, "SELECT one, other, bits FROM possible_same_as", |row| {
        Ok(PossibleRecord { one: row.get(0)?, other: row.get(1)?, bits: row.get(2)? })
    })
}
