//! The answer of SQLite.

use super::{CredentialRecord, HolderRecord, SetRecord, Targets};
use crate::database::{Database, DatabaseError};
use crate::fleet::id_at;
use async_trait::async_trait;
use model::Timestamp;
use rusqlite::types::Type;
use rusqlite::{Connection, Row, params};

/// The tables in their first form; later forms are further migrations.
pub(crate) const SCHEMA: &str = "
CREATE TABLE target_set (
    name TEXT PRIMARY KEY,
    body TEXT NOT NULL,
    changed_at INTEGER NOT NULL,
    changed_by TEXT NOT NULL
) STRICT;
CREATE TABLE credential (
    name TEXT PRIMARY KEY,
    body TEXT NOT NULL,
    secret_names TEXT NOT NULL,
    sealed BLOB NOT NULL,
    changed_at INTEGER NOT NULL,
    changed_by TEXT NOT NULL
) STRICT;
CREATE TABLE target_holder (
    collector TEXT NOT NULL,
    target TEXT NOT NULL,
    agent_id TEXT NOT NULL,
    PRIMARY KEY (collector, target)
) STRICT, WITHOUT ROWID;
";

/// Targets and credentials in SQLite.
#[derive(Clone, Debug)]
pub struct SqliteTargets {
    database: Database,
}

impl SqliteTargets {
    /// Targets and credentials in this database.
    #[must_use]
    pub const fn new(database: Database) -> Self {
        Self { database }
    }
}

/// A column that holds JSON of ours.
fn json_at<T: serde::de::DeserializeOwned>(row: &Row<'_>, column: usize) -> rusqlite::Result<T> {
    serde_json::from_str(&row.get::<_, String>(column)?).map_err(|error| {
        rusqlite::Error::FromSqlConversionFailure(column, Type::Text, Box::new(error))
    })
}

fn written<T: serde::Serialize>(value: &T) -> Result<String, DatabaseError> {
    serde_json::to_string(value).map_err(|error| {
        DatabaseError::statement(rusqlite::Error::ToSqlConversionFailure(Box::new(error)))
    })
}

fn change_holders(tx: &Connection, changes: &[HolderRecord]) -> Result<(), DatabaseError> {
    let mut put = tx.prepare_cached(
        "INSERT INTO target_holder (collector, target, agent_id) VALUES (?1, ?2, ?3)
         ON CONFLICT (collector, target) DO UPDATE SET agent_id = excluded.agent_id",
    )?;
    let mut delete =
        tx.prepare_cached("DELETE FROM target_holder WHERE collector = ?1 AND target = ?2")?;
    for change in changes {
        match change.agent {
            Some(agent) => {
                put.execute(params![change.collector, change.target, agent.to_string()])?;
            }
            None => {
                delete.execute(params![change.collector, change.target])?;
            }
        }
    }
    Ok(())
}

#[async_trait]
impl Targets for SqliteTargets {
    async fn sets(&self) -> Result<Vec<SetRecord>, DatabaseError> {
        self.database
            .read(|db| {
                let mut statement = db.prepare_cached(
                    "SELECT body, changed_at, changed_by FROM target_set ORDER BY name",
                )?;
                let rows = statement.query_map([], |row| {
                    Ok(SetRecord {
                        set: json_at(row, 0)?,
                        changed_at: Timestamp::from_millis(row.get(1)?),
                        changed_by: row.get(2)?,
                    })
                })?;
                Ok(rows.collect::<Result<_, _>>()?)
            })
            .await
    }

    async fn set_put(&self, record: SetRecord) -> Result<(), DatabaseError> {
        let body = written(&record.set)?;
        self.database
            .write(move |tx| {
                tx.execute(
                    "INSERT OR REPLACE INTO target_set (name, body, changed_at, changed_by) VALUES (?1, ?2, ?3, ?4)",
                    params![record.set.name, body, record.changed_at.millis(), record.changed_by],
                )?;
                Ok(())
            })
            .await
    }

    async fn set_delete(&self, name: &str) -> Result<bool, DatabaseError> {
        let name = name.to_owned();
        self.database
            .write(move |tx| Ok(tx.execute("DELETE FROM target_set WHERE name = ?1", [name])? > 0))
            .await
    }

    async fn credentials(&self) -> Result<Vec<CredentialRecord>, DatabaseError> {
        self.database
            .read(|db| {
                let mut statement = db.prepare_cached(
                    "SELECT body, secret_names, sealed, changed_at, changed_by FROM credential ORDER BY name",
                )?;
                let rows = statement.query_map([], |row| {
                    Ok(CredentialRecord {
                        credential: json_at(row, 0)?,
                        secret_names: json_at(row, 1)?,
                        sealed: row.get(2)?,
                        changed_at: Timestamp::from_millis(row.get(3)?),
                        changed_by: row.get(4)?,
                    })
                })?;
                Ok(rows.collect::<Result<_, _>>()?)
            })
            .await
    }

    async fn credential_put(&self, record: CredentialRecord) -> Result<(), DatabaseError> {
        let (body, names) = (written(&record.credential)?, written(&record.secret_names)?);
        self.database
            .write(move |tx| {
                tx.execute(
                    "INSERT OR REPLACE INTO credential (name, body, secret_names, sealed, changed_at, changed_by)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                    params![
                        record.credential.name,
                        body,
                        names,
                        record.sealed,
                        record.changed_at.millis(),
                        record.changed_by
                    ],
                )?;
                Ok(())
            })
            .await
    }

    async fn credential_delete(&self, name: &str) -> Result<bool, DatabaseError> {
        let name = name.to_owned();
        self.database
            .write(move |tx| Ok(tx.execute("DELETE FROM credential WHERE name = ?1", [name])? > 0))
            .await
    }

    async fn holders(&self) -> Result<Vec<HolderRecord>, DatabaseError> {
        self.database
            .read(|db| {
                let mut statement =
                    db.prepare_cached("SELECT collector, target, agent_id FROM target_holder")?;
                let rows = statement.query_map([], |row| {
                    Ok(HolderRecord {
                        collector: row.get(0)?,
                        target: row.get(1)?,
                        agent: Some(id_at(row, 2)?),
                    })
                })?;
                Ok(rows.collect::<Result<_, _>>()?)
            })
            .await
    }

    async fn holders_change(&self, changes: Vec<HolderRecord>) -> Result<(), DatabaseError> {
        self.database.write(move |tx| change_holders(tx, &changes)).await
    }
}
