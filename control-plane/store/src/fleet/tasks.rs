//! How background tasks fare, as rows; there is one for each task that the program has.

use super::TaskStatus;
use crate::database::DatabaseError;
use model::Timestamp;
use rusqlite::{Connection, params};

pub(super) fn note(tx: &Connection, status: &TaskStatus) -> Result<(), DatabaseError> {
    tx.prepare_cached(
        "INSERT INTO fleet_task (name, runs, started_at, finished_at, error) VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT (name) DO UPDATE SET runs = runs + excluded.runs, started_at = excluded.started_at,
         finished_at = excluded.finished_at, error = excluded.error",
    )?
    .execute(params![
        status.name,
        i64::try_from(status.runs).unwrap_or(i64::MAX),
        status.started_at.millis(),
        status.finished_at.millis(),
        status.error
    ])?;
    Ok(())
}

pub(super) fn list(db: &Connection) -> Result<Vec<TaskStatus>, DatabaseError> {
    let mut statement = db.prepare_cached(
        "SELECT name, runs, started_at, finished_at, error FROM fleet_task ORDER BY name",
    )?;
    let rows = statement.query_map([], |row| {
        Ok(TaskStatus {
            name: row.get(0)?,
            runs: u64::try_from(row.get::<_, i64>(1)?).unwrap_or(0),
            started_at: Timestamp::from_millis(row.get(2)?),
            finished_at: Timestamp::from_millis(row.get(3)?),
            error: row.get(4)?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}
