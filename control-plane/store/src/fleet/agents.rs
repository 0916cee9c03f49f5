//! Agents as rows, with the certificate that each of them holds.
//!
//! A renewal makes the old certificate's serial the *previous* one. It stays good until the new one was seen in use,
//! because the answer that carried the new one may have been lost. After that, whoever still shows the old serial
//! holds a copy of the identity.

use super::tokens::{labels_from, labels_text};
use super::{
    AgentRecord, COMPLAINTS_MAX, CertificateError, Contact, Enrollment, GivenCertificate,
    JoinTokenRecord, Renewal,
};
use crate::database::DatabaseError;
use model::{AgentId, Timestamp};
use rusqlite::{Connection, OptionalExtension, Row, params};

const COLUMNS: &str = "id, name, site, labels, token_id, version, evidence, enrolled_at, revoked_at, last_seen, \
     address, complaints, certificate_serial, certificate_spki, certificate_expires, previous_serial, \
     is_certificate_confirmed, renewals, nonce";

pub(super) fn insert(
    tx: &Connection,
    enrollment: &Enrollment,
    token: &JoinTokenRecord,
) -> Result<AgentRecord, DatabaseError> {
    let record = AgentRecord {
        id: enrollment.agent,
        name: if enrollment.evidence.host_name.is_empty() {
            enrollment.agent.to_string()
        } else {
            enrollment.evidence.host_name.clone()
        },
        site: token.site.clone(),
        labels: token.labels.clone(),
        token_id: token.id.clone(),
        version: enrollment.version.clone(),
        evidence: enrollment.evidence.clone(),
        enrolled_at: enrollment.at,
        revoked_at: None,
        last_seen: enrollment.at,
        address: enrollment.address.clone(),
        complaints: Vec::new(),
        certificate: enrollment.certificate.clone(),
        previous_serial: None,
        is_certificate_confirmed: false,
        renewals: 0,
        nonce: None,
    };
    let sql = format!(
        "INSERT INTO fleet_agent ({COLUMNS}) VALUES
         (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, NULL, ?9, ?10, '[]', ?11, ?12, ?13, NULL, 0, 0, NULL)"
    );
    tx.execute(
        &sql,
        params![
            record.id.to_string(),
            record.name,
            record.site,
            labels_text(&record.labels),
            record.token_id,
            record.version,
            serde_json::to_string(&record.evidence).unwrap_or_default(),
            record.enrolled_at.millis(),
            record.last_seen.millis(),
            record.address,
            record.certificate.serial,
            record.certificate.spki_sha256,
            record.certificate.expires_at.millis(),
        ],
    )?;
    Ok(record)
}

pub(super) fn get(db: &Connection, id: AgentId) -> Result<Option<AgentRecord>, DatabaseError> {
    let sql = format!("SELECT {COLUMNS} FROM fleet_agent WHERE id = ?1");
    Ok(db.prepare_cached(&sql)?.query_row([id.to_string()], from_row).optional()?)
}

pub(super) fn list(
    db: &Connection,
    after: Option<AgentId>,
    limit: u32,
) -> Result<Vec<AgentRecord>, DatabaseError> {
    let sql = format!("SELECT {COLUMNS} FROM fleet_agent WHERE id > ?1 ORDER BY id LIMIT ?2");
    let mut statement = db.prepare_cached(&sql)?;
    let after = after.map(|id| id.to_string()).unwrap_or_default();
    let rows = statement.query_map(params![after, limit], from_row)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

pub(super) fn count(db: &Connection) -> Result<u64, DatabaseError> {
    let count: i64 = db
        .prepare_cached("SELECT count(*) FROM fleet_agent WHERE revoked_at IS NULL")?
        .query_row([], |row| row.get(0))?;
    Ok(u64::try_from(count).unwrap_or(0))
}

pub(super) fn enrolled_with(
    db: &Connection,
    token_id: &str,
    spki_sha256: &[u8; 32],
    since: Timestamp,
) -> Result<Option<AgentRecord>, DatabaseError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM fleet_agent WHERE token_id = ?1 AND certificate_spki = ?2 AND enrolled_at >= ?3
         AND revoked_at IS NULL AND is_certificate_confirmed = 0 ORDER BY id LIMIT 1"
    );
    Ok(db
        .prepare_cached(&sql)?
        .query_row(params![token_id, spki_sha256, since.millis()], from_row)
        .optional()?)
}

/// Whether a certificate with this serial speaks for the agent.
pub(super) fn check(
    db: &Connection,
    agent: AgentId,
    serial: &str,
) -> Result<AgentRecord, CertificateError> {
    let record = get(db, agent)?.ok_or(CertificateError::UnknownAgent)?;
    if record.is_revoked() {
        return Err(CertificateError::Revoked);
    }
    let is_newest = record.certificate.serial == serial;
    let is_previous = record.previous_serial.as_deref() == Some(serial);
    if is_newest || (is_previous && !record.is_certificate_confirmed) {
        return Ok(record);
    }
    Err(CertificateError::Duplicate)
}

pub(super) fn confirm(
    tx: &Connection,
    agent: AgentId,
    serial: &str,
) -> Result<AgentRecord, CertificateError> {
    tx.execute(
        "UPDATE fleet_agent SET is_certificate_confirmed = 1 WHERE id = ?1 AND certificate_serial = ?2",
        params![agent.to_string(), serial],
    )
    .map_err(DatabaseError::from)?;
    check(tx, agent, serial)
}

pub(super) fn renew(tx: &Connection, renewal: &Renewal) -> Result<AgentRecord, CertificateError> {
    let before = check(tx, renewal.agent, &renewal.presented_serial)?;
    // A serial that was given but never seen in use is forgotten: its answer was lost.
    tx.execute(
        "UPDATE fleet_agent SET certificate_serial = ?2, certificate_spki = ?3, certificate_expires = ?4,
         previous_serial = ?5, is_certificate_confirmed = 0, renewals = renewals + 1, last_seen = ?6,
         address = ?7 WHERE id = ?1",
        params![
            before.id.to_string(),
            renewal.certificate.serial,
            renewal.certificate.spki_sha256,
            renewal.certificate.expires_at.millis(),
            renewal.presented_serial,
            renewal.at.millis(),
            renewal.address,
        ],
    )
    .map_err(DatabaseError::from)?;
    get(tx, renewal.agent)?.ok_or(CertificateError::UnknownAgent)
}

pub(super) fn revoke(tx: &Connection, id: AgentId, at: Timestamp) -> Result<bool, DatabaseError> {
    let count = tx.execute(
        "UPDATE fleet_agent SET revoked_at = coalesce(revoked_at, ?2) WHERE id = ?1",
        params![id.to_string(), at.millis()],
    )?;
    Ok(count > 0)
}

pub(super) fn contact(
    tx: &Connection,
    id: AgentId,
    contact: &Contact,
) -> Result<(), DatabaseError> {
    let complaints = contact.complaints.as_ref().map(|complaints| {
        let kept: Vec<&String> = complaints.iter().take(COMPLAINTS_MAX).collect();
        serde_json::to_string(&kept).unwrap_or_else(|_| "[]".to_owned())
    });
    tx.prepare_cached(
        "UPDATE fleet_agent SET last_seen = max(last_seen, ?2), address = coalesce(nullif(?3, ''), address),
         version = coalesce(nullif(?4, ''), version), complaints = coalesce(?5, complaints) WHERE id = ?1",
    )?
    .execute(params![
        id.to_string(),
        contact.at.millis(),
        contact.address,
        contact.version,
        complaints
    ])?;
    Ok(())
}

pub(super) fn nonce_set(tx: &Connection, id: AgentId, nonce: &[u8]) -> Result<(), DatabaseError> {
    tx.prepare_cached("UPDATE fleet_agent SET nonce = ?2 WHERE id = ?1")?
        .execute(params![id.to_string(), nonce])?;
    Ok(())
}

fn from_row(row: &Row<'_>) -> rusqlite::Result<AgentRecord> {
    let renewals: i64 = row.get(17)?;
    Ok(AgentRecord {
        id: id_at(row, 0)?,
        name: row.get(1)?,
        site: row.get(2)?,
        labels: labels_from(&row.get::<_, String>(3)?),
        token_id: row.get(4)?,
        version: row.get(5)?,
        evidence: serde_json::from_str(&row.get::<_, String>(6)?).unwrap_or_default(),
        enrolled_at: Timestamp::from_millis(row.get(7)?),
        revoked_at: row.get::<_, Option<i64>>(8)?.map(Timestamp::from_millis),
        last_seen: Timestamp::from_millis(row.get(9)?),
        address: row.get(10)?,
        complaints: serde_json::from_str(&row.get::<_, String>(11)?).unwrap_or_default(),
        certificate: GivenCertificate {
            serial: row.get(12)?,
            spki_sha256: row.get(13)?,
            expires_at: Timestamp::from_millis(row.get(14)?),
        },
        previous_serial: row.get(15)?,
        is_certificate_confirmed: row.get(16)?,
        renewals: u64::try_from(renewals).unwrap_or(0),
        nonce: row.get(18)?,
    })
}

/// An id in a column of text.
pub(crate) fn id_at<T>(row: &Row<'_>, column: usize) -> rusqlite::Result<T>
where
    T: std::str::FromStr<Err = model::ids::InvalidId>,
{
    row.get::<_, String>(column)?.parse().map_err(|error| {
        let kind = rusqlite::types::Type::Text;
        rusqlite::Error::FromSqlConversionFailure(column, kind, Box::new(error))
    })
}
