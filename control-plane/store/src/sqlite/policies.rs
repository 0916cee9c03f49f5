//! The attribute policies by which items are folded when they are read, version by version, and what people fixed.
//!
//! Invariants: the present is folded by the live version, a past moment by the one that was live then; a lock counts
//! from when it was said until it was ended, by a person or because its time was over, and no clock is asked here.
//!
//! Deliberately not here: what a policy decides (`model::fold`), and which changes follow (`reconcile`).

use super::codec::{Reader, Writer};
use super::names::{Names, shared};
use super::{corrupt, signed, unsigned};
use crate::observed::CommitError;
use model::decision::{Decision, JudgedRecord, LockRecord, Number, RulesRecord};
use model::fold::Lock;
use model::policy::Policies;
use model::query::At;
use model::{Catalog, Timestamp};
use rusqlite::{Connection, OptionalExtension, Row, params};
use std::sync::Arc;

/// The table of this module. A lock that holds has no `ended_at`.
pub(crate) const SCHEMA: &str = "
CREATE TABLE lock(
    native INTEGER NOT NULL, attribute TEXT NOT NULL, since INTEGER NOT NULL, until INTEGER NOT NULL,
    value BLOB NOT NULL, said_by TEXT NOT NULL, why TEXT NOT NULL, ended_at INTEGER, ended_by TEXT,
    PRIMARY KEY(native, attribute, since)) WITHOUT ROWID;
CREATE INDEX lock_open ON lock(native) WHERE ended_at IS NULL;
CREATE TABLE judged(item INTEGER PRIMARY KEY, turn INTEGER, confirmed BLOB NOT NULL);
ALTER TABLE rules ADD COLUMN refolded INTEGER NOT NULL DEFAULT 0;
";

/// Versions of the rules that are known; a moment before them is folded by the first of them.
const VERSIONS_MAX: u32 = 256;

type Result<T> = std::result::Result<T, CommitError>;

/// The versions of the policies, the earliest first, each with since when it has been live.
#[derive(Clone, Debug)]
pub(super) struct Book {
    catalog: Arc<Catalog>,
    versions: Vec<(Timestamp, Arc<Policies>)>,
}

impl Book {
    /// What the rules in the file say.
    pub(super) fn load(connection: &Connection, catalog: Arc<Catalog>) -> Result<Self> {
        let shipped = Arc::new(Policies::built_in().clone());
        let mut book = Self { catalog, versions: vec![(Timestamp::EPOCH, shipped)] };
        let rules = super::identity::rules(connection, VERSIONS_MAX)?;
        rules.iter().rev().for_each(|record| book.add(record));
        Ok(book)
    }

    /// Other rules are live from now on.
    pub(super) fn add(&mut self, record: &RulesRecord) {
        let policies = match Policies::in_rules(&self.catalog, &record.text) {
            Ok(policies) => policies,
            // They were read when they were made live; only another build can find fault with them.
            Err(error) => {
                tracing::error!(%error, rules = record.version, "what these rules say of values cannot be read; the policies before them decide");
                return;
            }
        };
        let is_same =
            self.versions.last().is_some_and(|(_, last)| last.version() == policies.version());
        if !is_same {
            self.versions.push((record.at, Arc::new(policies)));
        }
    }

    /// The policies that were live at that time.
    pub(super) fn at(&self, at: At) -> &Policies {
        let then = match at {
            At::Now => None,
            At::Time(then) => Some(then),
        };
        let mut versions = self.versions.iter().rev();
        let found = versions.find(|(since, _)| then.is_none_or(|then| *since <= then));
        match found {
            Some((_, policies)) => policies,
            None => Policies::built_in(),
        }
    }
}

const COLUMNS: &str = "l.native, l.attribute, l.since, l.until, l.value, l.said_by, l.why";

fn record(names: &Names, row: &Row<'_>) -> Result<LockRecord> {
    let value = Reader::new(names, row.get_ref(4)?.as_blob().unwrap_or_default())
        .and_then(|mut reader| reader.value())
        .map_err(|_| corrupt("the value of a lock"))?;
    Ok(LockRecord {
        native: unsigned(row.get(0)?),
        lock: Lock {
            attribute: shared(row.get(1)?),
            value,
            since: Timestamp::from_millis(row.get(2)?),
            until: Timestamp::from_millis(row.get(3)?),
            said_by: row.get(5)?,
        },
        why: row.get(6)?,
    })
}

fn all(
    connection: &Connection,
    names: &Names,
    question: &str,
    parameters: impl rusqlite::Params,
) -> Result<Vec<LockRecord>> {
    let mut statement = connection.prepare_cached(question)?;
    let mut rows = statement.query(parameters)?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(record(names, row)?);
    }
    Ok(found)
}

/// Every lock that holds.
pub(super) fn open(connection: &Connection, names: &Names) -> Result<Vec<LockRecord>> {
    all(connection, names, &format!("SELECT {COLUMNS} FROM lock l WHERE l.ended_at IS NULL"), [])
}

/// The locks of an item that hold, or held then.
pub(super) fn of_item(
    connection: &Connection,
    names: &Names,
    item: Number,
    at: At,
) -> Result<Vec<LockRecord>> {
    let of = format!(
        "SELECT DISTINCT {COLUMNS} FROM observation o JOIN lock l ON l.native = o.native WHERE o.item = ?1"
    );
    match at {
        At::Now => {
            all(connection, names, &format!("{of} AND l.ended_at IS NULL"), [i64::from(item)])
        }
        At::Time(then) => {
            let question =
                format!("{of} AND l.since <= ?2 AND (l.ended_at IS NULL OR l.ended_at > ?2)");
            all(connection, names, &question, [i64::from(item), then.millis()])
        }
    }
}

/// The same as a fold takes them: until they were ended, they hold.
pub(super) fn rulings(
    connection: &Connection,
    names: &Names,
    item: Number,
    at: At,
) -> Result<Vec<Lock>> {
    let held = of_item(connection, names, item, at)?;
    Ok(held.into_iter().map(|record| record.lock.held()).collect())
}

/// Bytes of an observation's number and of when it was confirmed.
const CONFIRMED_BYTES: usize = 12;

/// By what items were folded the last time.
pub(super) fn judged(connection: &Connection) -> Result<Vec<JudgedRecord>> {
    let mut statement = connection.prepare_cached("SELECT item, turn, confirmed FROM judged")?;
    let mut rows = statement.query([])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let bytes = row.get_ref(2)?.as_blob().unwrap_or_default();
        let (parts, rest) = bytes.as_chunks::<CONFIRMED_BYTES>();
        if !rest.is_empty() {
            return Err(corrupt("when observations were confirmed"));
        }
        let confirmed = parts.iter().map(|part| {
            let [a, b, c, d, rest @ ..] = *part;
            (u32::from_le_bytes([a, b, c, d]), Timestamp::from_millis(i64::from_le_bytes(rest)))
        });
        found.push(JudgedRecord {
            item: row.get(0)?,
            turn: row.get::<_, Option<i64>>(1)?.map(Timestamp::from_millis),
            confirmed: confirmed.collect(),
        });
    }
    Ok(found)
}

fn write_judged(connection: &Connection, record: &JudgedRecord) -> Result<()> {
    if record.confirmed.is_empty() {
        connection.prepare_cached("DELETE FROM judged WHERE item = ?1")?.execute([record.item])?;
        return Ok(());
    }
    let mut bytes = Vec::with_capacity(record.confirmed.len().saturating_mul(CONFIRMED_BYTES));
    for (number, at) in &record.confirmed {
        bytes.extend_from_slice(&number.to_le_bytes());
        bytes.extend_from_slice(&at.millis().to_le_bytes());
    }
    connection
        .prepare_cached("INSERT OR REPLACE INTO judged(item, turn, confirmed) VALUES (?1, ?2, ?3)")?
        .execute(params![record.item, record.turn.map(Timestamp::millis), bytes])?;
    Ok(())
}

/// The item through which everything was folded again by the latest rules.
pub(super) fn refolded(connection: &Connection) -> Result<Number> {
    let question = "SELECT refolded FROM rules ORDER BY number DESC LIMIT 1";
    Ok(connection.query_row(question, [], |row| row.get(0)).optional()?.unwrap_or(0))
}

pub(super) fn write(connection: &Connection, names: &mut Names, decision: &Decision) -> Result<()> {
    // Before other rules of this decision get their row.
    if let Some(item) = decision.refolded {
        connection
            .prepare_cached(
                "UPDATE rules SET refolded = ?1 WHERE number = (SELECT MAX(number) FROM rules)",
            )?
            .execute([item])?;
    }
    for record in &decision.judged {
        write_judged(connection, record)?;
    }
    for ended in &decision.locks_ended {
        connection
            .prepare_cached(
                "UPDATE lock SET ended_at = ?4, ended_by = ?5
                 WHERE native = ?1 AND attribute = ?2 AND since = ?3 AND ended_at IS NULL",
            )?
            .execute(params![
                signed(ended.native),
                ended.attribute.as_ref(),
                ended.since.millis(),
                ended.at.millis(),
                ended.ended_by
            ])?;
    }
    for LockRecord { native, lock, why } in &decision.locks {
        let mut writer = Writer::new(names, Vec::new());
        writer.value(&lock.value);
        connection
            .prepare_cached(
                "INSERT OR REPLACE INTO lock(native, attribute, since, until, value, said_by, why)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            )?
            .execute(params![
                signed(*native),
                lock.attribute.as_ref(),
                lock.since.millis(),
                lock.until.millis(),
                writer.finish(),
                lock.said_by,
                why
            ])?;
    }
    Ok(())
}
