//! Taking out what no question from the horizon on needs, a little at a time.
//!
//! Invariants: the horizon moves before anything is taken out, in the same transaction, and never back. Of every item
//! the last line and the last change of state through the horizon stay, and of every observation the version that
//! holds at it: with them any later moment is answered as before. The newest line of all stays, because the next
//! revision is counted from it.
//!
//! One step reads and writes a bounded number of rows, so that the writer is not kept from what agents send.

use crate::history::Forgotten;
use crate::observed::CommitError;
use model::Timestamp;
use model::decision::Number;
use rusqlite::{Connection, OptionalExtension, params};

/// Rows of one kind that one step looks at: some milliseconds of the writer's time.
const STEP_ROWS: usize = 1_000;

type Result<T> = std::result::Result<T, CommitError>;

/// How far lines of history were looked at, in the order of time and item.
struct Done {
    kept_since: i64,
    time: i64,
    item: Number,
    last_position: i64,
}

/// One step towards a history that begins at `before`.
pub(super) fn step(connection: &Connection, before: Timestamp) -> Result<Forgotten> {
    let mut done = done(connection)?;
    done.kept_since = done.kept_since.max(before.millis());
    let (changes, are_changes_done) = changes(connection, &mut done)?;
    save(connection, &done)?;
    let (versions, are_versions_done) = versions(connection, done.kept_since)?;
    let (relations, are_relations_done) = relations(connection, done.kept_since)?;
    let is_done = are_changes_done && are_versions_done && are_relations_done;
    Ok(Forgotten { changes, versions, relations, is_done })
}

fn done(connection: &Connection) -> Result<Done> {
    let found = connection
        .prepare_cached("SELECT kept_since, done_time, done_item, last_position FROM history")?
        .query_row([], |row| {
            let (kept_since, time) = (row.get(0)?, row.get(1)?);
            Ok(Done { kept_since, time, item: row.get(2)?, last_position: row.get(3)? })
        })
        .optional()?;
    Ok(found.unwrap_or(Done { kept_since: i64::MIN, time: i64::MIN, item: 0, last_position: 0 }))
}

fn save(connection: &Connection, done: &Done) -> Result<()> {
    connection
        .prepare_cached(
            "INSERT OR REPLACE INTO history(number, kept_since, done_time, done_item, last_position)
             VALUES (1, ?1, ?2, ?3, ?4)",
        )?
        .execute(params![done.kept_since, done.time, done.item, done.last_position])?;
    Ok(())
}

/// Takes out lines of the items whose lines come next in time. What arrived late stays as long as what it arrived
/// with: a watcher may still have to hear of it.
fn changes(connection: &Connection, done: &mut Done) -> Result<(u64, bool)> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT DISTINCT observed_at, item FROM change
         WHERE (observed_at, item) > (?1, ?2) AND observed_at < ?3
         ORDER BY observed_at, item LIMIT {STEP_ROWS}"
    ))?;
    let rows = statement.query_map(params![done.time, done.item, done.kept_since], |row| {
        Ok((row.get(0)?, row.get(1)?))
    })?;
    let found: Vec<(i64, Number)> = rows.collect::<rusqlite::Result<_>>()?;
    let is_done = found.len() < STEP_ROWS;
    let mut items: Vec<Number> = found.iter().map(|(_, item)| *item).collect();
    items.sort_unstable();
    items.dedup();
    let mut remove = connection.prepare_cached(&format!(
        "DELETE FROM change WHERE position IN (
             SELECT c.position FROM change c
             WHERE c.item = ?1 AND c.observed_at < ?2 AND c.recorded_at < ?2
             AND c.position NOT IN (
                 SELECT position FROM (SELECT position FROM change WHERE item = ?1 AND observed_at <= ?2
                     ORDER BY observed_at DESC, position DESC LIMIT 1)
                 UNION ALL
                 SELECT position FROM (SELECT position FROM change
                     WHERE item = ?1 AND kind = 4 AND observed_at <= ?2
                     ORDER BY observed_at DESC, position DESC LIMIT 1)
                 UNION ALL SELECT MAX(position) FROM change)
             ORDER BY c.observed_at LIMIT {STEP_ROWS})
         RETURNING position"
    ))?;
    let mut removed = 0_u64;
    for item in items {
        let rows = remove.query_map(params![item, done.kept_since], |row| row.get::<_, i64>(0))?;
        for position in rows {
            done.last_position = done.last_position.max(position?);
            removed = removed.saturating_add(1);
        }
        if removed >= u64::try_from(STEP_ROWS).unwrap_or(u64::MAX) {
            // The rest of these items is looked at again in the next step.
            return Ok((removed, false));
        }
    }
    if let Some((time, item)) = found.last() {
        (done.time, done.item) = (*time, *item);
    }
    Ok((removed, is_done))
}

/// Takes out versions that ended before the horizon. The last of an observation that was gone at the horizon stays:
/// an item that nobody sees shows what was last said of it.
fn versions(connection: &Connection, kept_since: i64) -> Result<(u64, bool)> {
    let removed = connection
        .prepare_cached(&format!(
            "DELETE FROM observation_version WHERE (observation, valid_from, valid_until) IN (
                 SELECT v.observation, v.valid_from, v.valid_until FROM observation_version v
                 WHERE v.valid_until <= ?1 AND (
                     EXISTS (SELECT 1 FROM observation o
                         WHERE o.number = v.observation AND o.changed_at <= ?1)
                     OR EXISTS (SELECT 1 FROM observation_version later
                         WHERE later.observation = v.observation AND later.valid_from > v.valid_from
                         AND later.valid_from <= ?1 AND later.valid_from < later.valid_until))
                 ORDER BY v.valid_until LIMIT {STEP_ROWS})"
        ))?
        .execute([kept_since])?;
    Ok((u64::try_from(removed).unwrap_or(u64::MAX), removed < STEP_ROWS))
}

fn relations(connection: &Connection, kept_since: i64) -> Result<(u64, bool)> {
    let removed = connection
        .prepare_cached(&format!(
            "DELETE FROM relation WHERE (from_item, verb, to_item, owner, since) IN (
                 SELECT from_item, verb, to_item, owner, since FROM relation
                 WHERE until IS NOT NULL AND until <= ?1 LIMIT {STEP_ROWS})"
        ))?
        .execute([kept_since])?;
    Ok((u64::try_from(removed).unwrap_or(u64::MAX), removed < STEP_ROWS))
}
