//! Held disappearances: what would go, and what people said about it.
//!
//! Invariant: a word is about one look; what a later look held is not settled by it.

use super::corrupt;
use crate::items::ReadError;
use crate::observed::CommitError;
use model::Timestamp;
use model::decision::{Decision, HeldRecord, Number};
use rusqlite::{Connection, OptionalExtension, params};

/// The tables of this module. What was held before this format is held again by the next look.
pub(crate) const SCHEMA: &str = "
ALTER TABLE held_retirement ADD COLUMN natives BLOB NOT NULL DEFAULT x'';
CREATE TABLE held_word(
    scope INTEGER NOT NULL, held_at INTEGER NOT NULL, is_approved INTEGER NOT NULL, said_by TEXT NOT NULL,
    at INTEGER NOT NULL, PRIMARY KEY(scope, held_at)) WITHOUT ROWID;
";

pub(super) fn write(connection: &Connection, decision: &Decision) -> Result<(), CommitError> {
    for record in &decision.held_settled {
        connection
            .prepare_cached("DELETE FROM held_retirement WHERE scope = ?1 AND at = ?2")?
            .execute(params![record.scope, record.at.millis()])?;
        connection
            .prepare_cached(
                "INSERT OR REPLACE INTO held_word(scope, held_at, is_approved, said_by, at)
                 VALUES (?1, ?2, ?3, ?4, ?5)",
            )?
            .execute(params![
                record.scope,
                record.at.millis(),
                record.is_approved,
                record.said_by,
                decision.recorded_at.millis()
            ])?;
    }
    for record in &decision.held {
        let natives: Vec<u8> =
            record.natives.iter().flat_map(|native| native.to_le_bytes()).collect();
        connection
            .prepare_cached(
                "INSERT OR REPLACE INTO held_retirement(scope, at, items_count, of_count, natives)
                 VALUES (?1, ?2, ?3, ?4, ?5)",
            )?
            .execute(params![
                record.scope,
                record.at.millis(),
                i64::try_from(record.count).unwrap_or(i64::MAX),
                i64::try_from(record.of).unwrap_or(i64::MAX),
                natives
            ])?;
    }
    Ok(())
}

/// What is held of a scope now: a later complete look settles it.
pub(super) fn held(
    connection: &Connection,
    scope: Number,
) -> Result<Option<HeldRecord>, ReadError> {
    let mut statement = connection.prepare_cached(
        "SELECT h.at, h.items_count, h.of_count, h.natives FROM held_retirement h
         JOIN scope c ON c.number = h.scope
         WHERE h.scope = ?1 AND h.at >= COALESCE(c.complete_at, h.at)",
    )?;
    let found = statement
        .query_row([scope], |row| {
            Ok((row.get(0)?, row.get::<_, i64>(1)?, row.get::<_, i64>(2)?, row.get(3)?))
        })
        .optional()?;
    let Some((at, count, of, natives)): Option<(i64, i64, i64, Vec<u8>)> = found else {
        return Ok(None);
    };
    let (natives, rest) = natives.as_chunks();
    if !rest.is_empty() {
        return Err(corrupt("what is held of a scope").into());
    }
    Ok(Some(HeldRecord {
        scope,
        at: Timestamp::from_millis(at),
        count: u64::try_from(count).unwrap_or(0),
        of: u64::try_from(of).unwrap_or(0),
        natives: natives.iter().map(|bytes| u64::from_le_bytes(*bytes)).collect(),
    }))
}
