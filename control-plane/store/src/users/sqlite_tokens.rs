//! Access tokens as rows.

use super::AccessTokenRecord;
use crate::database::DatabaseError;
use model::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, params};

const COLUMNS: &str = "id, secret_hash, kind, name, user_id, scopes, created_by, created_at, expires_at, \
     revoked_at, used_at, used_from";

pub(super) fn insert(tx: &Connection, token: &AccessTokenRecord) -> Result<(), DatabaseError> {
    let sql = format!(
        "INSERT INTO user_access_token ({COLUMNS}) VALUES
         (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, NULL, NULL, '')"
    );
    tx.execute(
        &sql,
        params![
            token.id,
            token.secret_hash,
            token.kind,
            token.name,
            token.user.map(|id| id.to_string()),
            token.scopes.join(" "),
            token.created_by,
            token.created_at.millis(),
            token.expires_at.millis(),
        ],
    )?;
    Ok(())
}

pub(super) fn get(db: &Connection, id: &str) -> Result<Option<AccessTokenRecord>, DatabaseError> {
    let sql = format!("SELECT {COLUMNS} FROM user_access_token WHERE id = ?1");
    Ok(db.prepare_cached(&sql)?.query_row([id], from_row).optional()?)
}

pub(super) fn list(
    db: &Connection,
    after: Option<&str>,
    limit: u32,
) -> Result<Vec<AccessTokenRecord>, DatabaseError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM user_access_token WHERE ?1 IS NULL OR (created_at, id) <
         (SELECT created_at, id FROM user_access_token WHERE id = ?1) ORDER BY created_at DESC, id DESC LIMIT ?2"
    );
    let mut statement = db.prepare_cached(&sql)?;
    let rows = statement.query_map(params![after, limit], from_row)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

pub(super) fn revoke(tx: &Connection, id: &str, at: Timestamp) -> Result<bool, DatabaseError> {
    let count = tx.execute(
        "UPDATE user_access_token SET revoked_at = coalesce(revoked_at, ?2) WHERE id = ?1",
        params![id, at.millis()],
    )?;
    Ok(count > 0)
}

pub(super) fn touch(
    tx: &Connection,
    id: &str,
    at: Timestamp,
    from: &str,
) -> Result<(), DatabaseError> {
    tx.execute(
        "UPDATE user_access_token SET used_at = max(coalesce(used_at, 0), ?2), used_from = ?3 WHERE id = ?1",
        params![id, at.millis(), from],
    )?;
    Ok(())
}

fn from_row(row: &Row<'_>) -> rusqlite::Result<AccessTokenRecord> {
    Ok(AccessTokenRecord {
        id: row.get(0)?,
        secret_hash: row.get(1)?,
        kind: row.get(2)?,
        name: row.get(3)?,
        user: row.get::<_, Option<String>>(4)?.and_then(|id| id.parse().ok()),
        scopes: row.get::<_, String>(5)?.split_whitespace().map(str::to_owned).collect(),
        created_by: row.get(6)?,
        created_at: Timestamp::from_millis(row.get(7)?),
        expires_at: Timestamp::from_millis(row.get(8)?),
        revoked_at: row.get::<_, Option<i64>>(9)?.map(Timestamp::from_millis),
        used_at: row.get::<_, Option<i64>>(10)?.map(Timestamp::from_millis),
        used_from: row.get(11)?,
    })
}
