//! The answer of SQLite for people and sessions.

use super::{
    AccessTokenRecord, SessionRecord, SetupCode, SetupError, UserRecord, Users, sqlite_tokens,
};
use crate::database::{Database, DatabaseError};
use crate::fleet::id_at;
use async_trait::async_trait;
use model::{Timestamp, UserId};
use rusqlite::{Connection, OptionalExtension, Row, params};

/// Sessions of one person: several browsers, terminals and machines; the oldest goes when one more comes.
const SESSIONS_PER_USER_MAX: u32 = 50;

/// The tables in their first form; later forms are further migrations.
pub(crate) const SCHEMA: &str = "
CREATE TABLE user_account (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    role TEXT NOT NULL,
    password_hash TEXT NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;
CREATE TABLE user_setup_code (
    purpose TEXT PRIMARY KEY,
    hash BLOB NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT;
CREATE TABLE user_session (
    hash BLOB PRIMARY KEY,
    user_id TEXT NOT NULL REFERENCES user_account (id),
    created_at INTEGER NOT NULL,
    used_at INTEGER NOT NULL
) STRICT;
CREATE INDEX user_session_user ON user_session (user_id, used_at);
CREATE TABLE user_access_token (
    id TEXT PRIMARY KEY,
    secret_hash BLOB NOT NULL,
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    user_id TEXT REFERENCES user_account (id),
    scopes TEXT NOT NULL,
    created_by TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    revoked_at INTEGER,
    used_at INTEGER,
    used_from TEXT NOT NULL
) STRICT;
CREATE INDEX user_access_token_created ON user_access_token (created_at, id);
";

/// People, sessions and access tokens in SQLite.
#[derive(Clone, Debug)]
pub struct SqliteUsers {
    database: Database,
}

impl SqliteUsers {
    /// People, sessions and access tokens in this database.
    #[must_use]
    pub const fn new(database: Database) -> Self {
        Self { database }
    }
}

#[async_trait]
impl Users for SqliteUsers {
    async fn is_empty(&self) -> Result<bool, DatabaseError> {
        self.database
            .read(|db| {
                Ok(db.query_row("SELECT NOT EXISTS (SELECT 1 FROM user_account)", [], |row| {
                    row.get(0)
                })?)
            })
            .await
    }

    async fn setup_code_put(&self, code: SetupCode) -> Result<(), DatabaseError> {
        self.database
            .write(move |tx| {
                tx.execute(
                    "INSERT OR REPLACE INTO user_setup_code (purpose, hash, expires_at) VALUES (?1, ?2, ?3)",
                    params![purpose(code.user.as_deref()), code.hash, code.expires_at.millis()],
                )?;
                Ok(())
            })
            .await
    }

    async fn setup_codes(&self, at: Timestamp) -> Result<Vec<SetupCode>, DatabaseError> {
        self.database.read(move |db| setup_codes(db, at)).await
    }

    async fn set_up(
        &self,
        code_hash: [u8; 32],
        user: UserRecord,
        at: Timestamp,
    ) -> Result<UserRecord, SetupError> {
        self.database.write(move |tx| set_up(tx, &code_hash, user, at)).await
    }

    async fn user_by_name(&self, name: &str) -> Result<Option<UserRecord>, DatabaseError> {
        let name = name.to_owned();
        self.database.read(move |db| user_where(db, "name", &name)).await
    }

    async fn user(&self, id: UserId) -> Result<Option<UserRecord>, DatabaseError> {
        self.database.read(move |db| user_where(db, "id", &id.to_string())).await
    }

    async fn session_put(
        &self,
        session: SessionRecord,
        stale_before: Timestamp,
    ) -> Result<(), DatabaseError> {
        self.database
            .write(move |tx| {
                let user = session.user.to_string();
                tx.execute("DELETE FROM user_session WHERE used_at < ?1", [stale_before.millis()])?;
                tx.execute(
                    "DELETE FROM user_session WHERE user_id = ?1 AND hash NOT IN (SELECT hash FROM user_session
                     WHERE user_id = ?1 ORDER BY used_at DESC LIMIT ?2)",
                    params![user, SESSIONS_PER_USER_MAX - 1],
                )?;
                tx.execute(
                    "INSERT INTO user_session (hash, user_id, created_at, used_at) VALUES (?1, ?2, ?3, ?4)",
                    params![
                        session.hash,
                        user,
                        session.created_at.millis(),
                        session.used_at.millis()
                    ],
                )?;
                Ok(())
            })
            .await
    }

    async fn session(
        &self,
        hash: [u8; 32],
    ) -> Result<Option<(SessionRecord, UserRecord)>, DatabaseError> {
        self.database.read(move |db| session(db, hash)).await
    }

    async fn session_touch(&self, hash: [u8; 32], at: Timestamp) -> Result<(), DatabaseError> {
        self.database
            .write(move |tx| {
                tx.execute(
                    "UPDATE user_session SET used_at = max(used_at, ?2) WHERE hash = ?1",
                    params![hash, at.millis()],
                )?;
                Ok(())
            })
            .await
    }

    async fn session_end(&self, hash: [u8; 32]) -> Result<(), DatabaseError> {
        self.database
            .write(move |tx| {
                tx.execute("DELETE FROM user_session WHERE hash = ?1", [hash])?;
                Ok(())
            })
            .await
    }

    async fn access_token_create(&self, token: AccessTokenRecord) -> Result<(), DatabaseError> {
        self.database.write(move |tx| sqlite_tokens::insert(tx, &token)).await
    }

    async fn access_token(&self, id: &str) -> Result<Option<AccessTokenRecord>, DatabaseError> {
        let id = id.to_owned();
        self.database.read(move |db| sqlite_tokens::get(db, &id)).await
    }

    async fn access_tokens(
        &self,
        after: Option<String>,
        limit: u32,
    ) -> Result<Vec<AccessTokenRecord>, DatabaseError> {
        self.database.read(move |db| sqlite_tokens::list(db, after.as_deref(), limit)).await
    }

    async fn access_token_revoke(&self, id: &str, at: Timestamp) -> Result<bool, DatabaseError> {
        let id = id.to_owned();
        self.database.write(move |tx| sqlite_tokens::revoke(tx, &id, at)).await
    }

    async fn access_token_touch(
        &self,
        id: &str,
        at: Timestamp,
        from: &str,
    ) -> Result<(), DatabaseError> {
        let (id, from) = (id.to_owned(), from.to_owned());
        self.database.write(move |tx| sqlite_tokens::touch(tx, &id, at, &from)).await
    }
}

/// The row that a code is stored under: one for the first administrator, one for each person.
fn purpose(user: Option<&str>) -> String {
    user.map_or_else(|| "first".to_owned(), |name| format!("user:{name}"))
}

fn setup_codes(db: &Connection, at: Timestamp) -> Result<Vec<SetupCode>, DatabaseError> {
    let mut statement = db.prepare_cached(
        "SELECT purpose, hash, expires_at FROM user_setup_code WHERE expires_at > ?1",
    )?;
    let rows = statement.query_map([at.millis()], |row| {
        Ok(SetupCode {
            user: row.get::<_, String>(0)?.strip_prefix("user:").map(str::to_owned),
            hash: row.get(1)?,
            expires_at: Timestamp::from_millis(row.get(2)?),
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn set_up(
    tx: &Connection,
    code_hash: &[u8; 32],
    user: UserRecord,
    at: Timestamp,
) -> Result<UserRecord, SetupError> {
    let codes = setup_codes(tx, at)?;
    let code = codes.iter().find(|code| code.hash == *code_hash).ok_or(SetupError::WrongCode)?;
    let stored = match &code.user {
        Some(name) if *name != user.name => return Err(SetupError::WrongName),
        Some(name) => {
            let known = user_where(tx, "name", name)?.ok_or(SetupError::WrongCode)?;
            let id = known.id.to_string();
            let update = "UPDATE user_account SET password_hash = ?2 WHERE id = ?1";
            tx.execute(update, params![id, user.password_hash]).map_err(DatabaseError::from)?;
            tx.execute("DELETE FROM user_session WHERE user_id = ?1", [id])
                .map_err(DatabaseError::from)?;
            UserRecord { password_hash: user.password_hash, ..known }
        }
        None => {
            if user_where(tx, "name", &user.name)?.is_some() {
                return Err(SetupError::NameTaken);
            }
            insert_user(tx, &user)?;
            user
        }
    };
    tx.execute("DELETE FROM user_setup_code WHERE purpose = ?1", [purpose(code.user.as_deref())])
        .map_err(DatabaseError::from)?;
    Ok(stored)
}

fn insert_user(tx: &Connection, user: &UserRecord) -> Result<(), DatabaseError> {
    tx.execute(
        "INSERT INTO user_account (id, name, role, password_hash, created_at) VALUES (?1, ?2, ?3, ?4, ?5)",
        params![
            user.id.to_string(),
            user.name,
            user.role,
            user.password_hash,
            user.created_at.millis()
        ],
    )?;
    Ok(())
}

fn user_where(
    db: &Connection,
    column: &'static str,
    value: &str,
) -> Result<Option<UserRecord>, DatabaseError> {
    let sql = format!(
        "SELECT id, name, role, password_hash, created_at FROM user_account WHERE {column} = ?1"
    );
    Ok(db.prepare_cached(&sql)?.query_row([value], user_from).optional()?)
}

fn session(
    db: &Connection,
    hash: [u8; 32],
) -> Result<Option<(SessionRecord, UserRecord)>, DatabaseError> {
    let found = db
        .prepare_cached(
            "SELECT u.id, u.name, u.role, u.password_hash, u.created_at, s.created_at, s.used_at
             FROM user_session s JOIN user_account u ON u.id = s.user_id WHERE s.hash = ?1",
        )?
        .query_row([hash], |row| {
            Ok((user_from(row)?, row.get::<_, i64>(5)?, row.get::<_, i64>(6)?))
        })
        .optional()?;
    let Some((user, created_at, used_at)) = found else { return Ok(None) };
    let session = SessionRecord {
        hash,
        user: user.id,
        created_at: Timestamp::from_millis(created_at),
        used_at: Timestamp::from_millis(used_at),
    };
    Ok(Some((session, user)))
}

fn user_from(row: &Row<'_>) -> rusqlite::Result<UserRecord> {
    Ok(UserRecord {
        id: id_at(row, 0)?,
        name: row.get(1)?,
        role: row.get(2)?,
        password_hash: row.get(3)?,
        created_at: Timestamp::from_millis(row.get(4)?),
    })
}
