//! Join tokens as rows. Consuming one is a single conditional update, so that of two agents with the last use of a
//! token exactly one wins.

use super::{EnrollError, Enrollment, JoinTokenRecord};
use crate::database::DatabaseError;
use model::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, params};

const COLUMNS: &str = "id, secret_hash, name, site, labels, uses_max, uses, created_by, created_at, expires_at, revoked_at";

pub(super) fn insert(tx: &Connection, token: &JoinTokenRecord) -> Result<(), DatabaseError> {
    let sql = format!(
        "INSERT INTO fleet_join_token ({COLUMNS}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)"
    );
    tx.prepare_cached(&sql)?.execute(params![
        token.id,
        token.secret_hash,
        token.name,
        token.site,
        labels_text(&token.labels),
        token.uses_max,
        token.uses,
        token.created_by,
        token.created_at.millis(),
        token.expires_at.millis(),
        token.revoked_at.map(Timestamp::millis),
    ])?;
    Ok(())
}

pub(super) fn get(db: &Connection, id: &str) -> Result<Option<JoinTokenRecord>, DatabaseError> {
    let sql = format!("SELECT {COLUMNS} FROM fleet_join_token WHERE id = ?1");
    Ok(db.prepare_cached(&sql)?.query_row([id], from_row).optional()?)
}

pub(super) fn list(
    db: &Connection,
    after: Option<&str>,
    limit: u32,
) -> Result<Vec<JoinTokenRecord>, DatabaseError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM fleet_join_token WHERE ?1 IS NULL OR (created_at, id) <
         (SELECT created_at, id FROM fleet_join_token WHERE id = ?1) ORDER BY created_at DESC, id DESC LIMIT ?2"
    );
    let mut statement = db.prepare_cached(&sql)?;
    let rows = statement.query_map(params![after, limit], from_row)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

pub(super) fn revoke(tx: &Connection, id: &str, at: Timestamp) -> Result<bool, DatabaseError> {
    let count = tx.execute(
        "UPDATE fleet_join_token SET revoked_at = coalesce(revoked_at, ?2) WHERE id = ?1",
        params![id, at.millis()],
    )?;
    Ok(count > 0)
}

/// Takes one use of the token, or says why not.
pub(super) fn consume(
    tx: &Connection,
    enrollment: &Enrollment,
) -> Result<JoinTokenRecord, EnrollError> {
    let token = get(tx, &enrollment.token_id)?.ok_or(EnrollError::Unknown)?;
    // The secret is checked here too, whatever the caller checked: who consumes must have shown it. It is a hash of
    // 128 random bits, so comparing it in variable time says nothing that helps.
    if token.secret_hash != enrollment.secret_hash {
        return Err(EnrollError::Unknown);
    }
    if token.revoked_at.is_some() {
        return Err(EnrollError::Revoked);
    }
    if token.expires_at <= enrollment.at {
        return Err(EnrollError::Expired { expired_at: token.expires_at });
    }
    let taken = tx
        .execute(
            "UPDATE fleet_join_token SET uses = uses + 1 WHERE id = ?1 AND uses < uses_max",
            [&token.id],
        )
        .map_err(DatabaseError::from)?;
    if taken == 0 {
        return Err(EnrollError::UsedUp { uses: token.uses_max });
    }
    Ok(token)
}

fn from_row(row: &Row<'_>) -> rusqlite::Result<JoinTokenRecord> {
    Ok(JoinTokenRecord {
        id: row.get(0)?,
        secret_hash: row.get(1)?,
        name: row.get(2)?,
        site: row.get(3)?,
        labels: labels_from(&row.get::<_, String>(4)?),
        uses_max: row.get(5)?,
        uses: row.get(6)?,
        created_by: row.get(7)?,
        created_at: Timestamp::from_millis(row.get(8)?),
        expires_at: Timestamp::from_millis(row.get(9)?),
        revoked_at: row.get::<_, Option<i64>>(10)?.map(Timestamp::from_millis),
    })
}

/// Labels as they are stored.
pub(super) fn labels_text(labels: &std::collections::BTreeMap<String, String>) -> String {
    serde_json::to_string(labels).unwrap_or_else(|_| "{}".to_owned())
}

/// Labels as they were stored; what cannot be read counts as none, because labels only sort.
pub(super) fn labels_from(text: &str) -> std::collections::BTreeMap<String, String> {
    serde_json::from_str(text).unwrap_or_default()
}
