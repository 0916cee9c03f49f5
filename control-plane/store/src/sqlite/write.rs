//! Writing a decision: every record into its table, in the writer's transaction.
//!
//! Invariants: nothing is read back to decide anything; statements are prepared once per decision; new rows of
//! numbered tables come in ascending order, so that they are appended.

use super::codec::{Compression, Writer};
use super::names::Names;
use super::{blob, signed, state_number};
use crate::observed::CommitError;
use model::decision::{
    ChangeRecord, ChangeWhat, Decision, ItemRecord, ObservationRecord, ObservationWrite,
    RejectedRecord,
};
use model::{CoverageStatus, Name, Revision, Value};
use rusqlite::types::Value as Parameter;
use rusqlite::{Connection, params};
use std::collections::HashMap;

/// Bits of a change's position that are its index in the revision.
pub(super) const INDEX_BITS: u32 = 10;

/// Changes of one revision. A watcher takes a revision whole, so it must fit one answer.
pub(super) const REVISION_CHANGES_MAX: usize = 512;

/// Rejected records that are kept; they are evidence for a person, not data.
const REJECTED_KEPT: i64 = 10_000;

/// Bytes kept of a rejected record.
const REJECTED_BYTES_MAX: usize = 64 * 1024;

type Result<T> = std::result::Result<T, CommitError>;

/// Writes `decision` and returns its last revision.
pub(super) fn apply(
    connection: &Connection,
    names: &mut Names,
    decision: &Decision,
) -> Result<Revision> {
    let positions = Positions::after_last(connection)?;
    let revisions = positions.of_items(decision);
    sources_and_scopes(connection, decision)?;
    items(connection, names, decision, &revisions, positions.first_revision())?;
    observations(connection, names, decision)?;
    keys(connection, decision)?;
    relations(connection, names, decision)?;
    statements(connection, names, decision)?;
    changes(connection, names, decision, &positions)?;
    readings(connection, names, decision)?;
    spool(connection, decision)?;
    findings(connection, decision)?;
    super::policies::write(connection, names, decision)?;
    super::identity::write(connection, decision)?;
    // Last, so that every name that was numbered on the way is in the same transaction.
    let mut insert =
        connection.prepare_cached("INSERT OR IGNORE INTO name(number, text) VALUES (?1, ?2)")?;
    for (number, name) in names.unwritten() {
        insert.execute(params![number, name.as_ref()])?;
    }
    Ok(positions.last_revision(decision))
}

/// Where the changes of a decision come to lie: revision and index in one ascending number.
struct Positions {
    last: u64,
}

impl Positions {
    fn after_last(connection: &Connection) -> Result<Self> {
        let last: Option<i64> = connection
            .prepare_cached("SELECT MAX(position) FROM change")?
            .query_row([], |row| row.get(0))?;
        Ok(Self { last: u64::try_from(last.unwrap_or(0)).unwrap_or(0) >> INDEX_BITS })
    }

    fn first_revision(&self) -> u64 {
        self.last.saturating_add(1)
    }

    fn revision(&self, index: usize) -> u64 {
        let chunk = u64::try_from(index / REVISION_CHANGES_MAX).unwrap_or(u64::MAX);
        self.first_revision().saturating_add(chunk)
    }

    fn position(&self, index: usize) -> i64 {
        let within = u64::try_from(index % REVISION_CHANGES_MAX).unwrap_or(0);
        signed((self.revision(index) << INDEX_BITS) | within)
    }

    fn last_revision(&self, decision: &Decision) -> Revision {
        match decision.changes.len().checked_sub(1) {
            Some(last) => Revision(self.revision(last)),
            None => Revision(self.last),
        }
    }

    /// The revision of the last change of each item that is changed but not new; new ones follow from their order.
    fn of_items(&self, decision: &Decision) -> HashMap<u32, u64> {
        let indexed = decision.changes.iter().enumerate();
        indexed.map(|(index, change)| (change.item, self.revision(index))).collect()
    }
}

fn sources_and_scopes(connection: &Connection, decision: &Decision) -> Result<()> {
    let mut source = connection.prepare_cached(
        "INSERT INTO source(number, collector, target, agent, site) VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT(number) DO UPDATE SET agent = excluded.agent, site = excluded.site",
    )?;
    for record in &decision.sources {
        source.execute(params![
            record.number,
            record.id.collector,
            record.id.target,
            record.agent.to_bytes(),
            record.site
        ])?;
    }
    let mut scope = connection.prepare_cached(
        "INSERT OR REPLACE INTO scope(number, source, name, status, reason, detail, looked_at, complete_at,
             seen_count, digest) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
    )?;
    for record in &decision.scopes {
        scope.execute(params![
            record.number,
            record.source,
            record.name.as_ref(),
            status_number(record.coverage.status),
            record.coverage.reason.name(),
            record.coverage.detail,
            record.looked_at.millis(),
            record.complete_at.map(model::Timestamp::millis),
            i64::try_from(record.seen_count).unwrap_or(i64::MAX),
            record.digest.0.to_le_bytes()
        ])?;
    }
    Ok(())
}

pub(super) const fn status_number(status: CoverageStatus) -> u8 {
    match status {
        CoverageStatus::Complete => 0,
        CoverageStatus::Partial => 1,
        CoverageStatus::NotLookedAt => 2,
    }
}

fn items(
    connection: &Connection,
    names: &mut Names,
    decision: &Decision,
    revisions: &HashMap<u32, u64>,
    first_revision: u64,
) -> Result<()> {
    let mut insert = connection.prepare_cached(
        "INSERT INTO item(number, id, class, title, parent, local, state, state_since, first_seen, revision)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
    )?;
    let mut words = Vec::new();
    for record in &decision.items {
        let revision = revisions.get(&record.number).copied().unwrap_or(first_revision);
        let Some(id) = record.id else {
            update_item(connection, record, revision)?;
            if let Some(title) = &record.title {
                // It may have been created just now: first what is new, then what replaces it.
                index_words(connection, &words)?;
                words.clear();
                connection
                    .prepare_cached(
                        "INSERT OR REPLACE INTO item_text(rowid, words) VALUES (?1, ?2)",
                    )?
                    .execute(params![record.number, format!("{title} {}", record.words)])?;
            }
            continue;
        };
        let title = record.title.as_deref().unwrap_or_default();
        insert.execute(params![
            record.number,
            id.to_bytes(),
            names.number(&record.class),
            title,
            record.parent,
            signed(record.local),
            state_number(record.state),
            record.state_since.millis(),
            record.first_seen.millis(),
            signed(revision)
        ])?;
        words.push((record.number, format!("{title} {}", record.words)));
    }
    index_words(connection, &words)
}

/// Rows of one statement into the index of words: each statement into it opens a savepoint.
const WORDS_ROWS: usize = 64;

fn index_words(connection: &Connection, words: &[(u32, String)]) -> Result<()> {
    for rows in words.chunks(WORDS_ROWS) {
        let values = vec!["(?, ?)"; rows.len()].join(", ");
        let sql = format!("INSERT INTO item_text(rowid, words) VALUES {values}");
        let values = rows.iter().flat_map(|(item, words)| {
            [Parameter::Integer(i64::from(*item)), Parameter::Text(words.clone())]
        });
        // Odd lengths are not worth a place in the cache of statements.
        if rows.len() == WORDS_ROWS || rows.len() == 1 {
            connection.prepare_cached(&sql)?.execute(rusqlite::params_from_iter(values))?;
        } else {
            connection.execute(&sql, rusqlite::params_from_iter(values))?;
        }
    }
    Ok(())
}

fn update_item(connection: &Connection, record: &ItemRecord, revision: u64) -> Result<()> {
    if let Some(title) = &record.title {
        // History shows the title of its time: what was written before keeps the old one.
        connection
            .prepare_cached(
                "UPDATE change SET title = (SELECT title FROM item WHERE number = ?1)
                 WHERE item = ?1 AND title IS NULL",
            )?
            .execute([record.number])?;
        connection
            .prepare_cached("UPDATE item SET title = ?2 WHERE number = ?1")?
            .execute(params![record.number, title])?;
    }
    connection
        .prepare_cached(
            "UPDATE item SET state = ?2, state_since = ?3, revision = ?4, parent = ?5, local = ?6
             WHERE number = ?1",
        )?
        .execute(params![
            record.number,
            state_number(record.state),
            record.state_since.millis(),
            signed(revision),
            record.parent,
            signed(record.local)
        ])?;
    Ok(())
}

// Plain inserts and updates where replacing would do the same: a statement that may delete a row before it writes
// one opens a savepoint of its own, which costs as much as the row.
fn observations(connection: &Connection, names: &mut Names, decision: &Decision) -> Result<()> {
    let mut insert = connection.prepare_cached(
        "INSERT INTO observation(number, native, source, scope, is_part, first_seen, item, content,
             changed_at, absent_at, seen_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
    )?;
    let mut insert_body =
        connection.prepare_cached("INSERT INTO observation_body(number, body) VALUES (?1, ?2)")?;
    let mut update_body =
        connection.prepare_cached("UPDATE observation_body SET body = ?2 WHERE number = ?1")?;
    let mut version = connection.prepare_cached(
        "INSERT OR IGNORE INTO observation_version(observation, valid_from, valid_until, body)
         VALUES (?1, ?2, ?3, ?4)",
    )?;
    let mut buffer = Vec::new();
    let mut compression = None;
    for write in &decision.observations {
        match write {
            ObservationWrite::New(record) => {
                insert.execute(params![
                    record.number,
                    signed(record.native),
                    record.source,
                    record.scope,
                    record.seen.within.is_some(),
                    record.first_seen.millis(),
                    record.item,
                    record.content.to_le_bytes(),
                    record.changed_at.millis(),
                    record.absent_at.map(model::Timestamp::millis),
                    record.seen_at.millis()
                ])?;
                buffer = encoded(names, record, buffer);
                insert_body.execute(params![record.number, buffer])?;
            }
            ObservationWrite::Next { record, before } => {
                let until = before.absent_at.unwrap_or(record.changed_at);
                let compression = compression.get_or_insert_with(Compression::new);
                let old = compression.compressed(encoded(names, before, Vec::new()));
                version.execute(params![
                    before.number,
                    before.changed_at.millis(),
                    until.millis(),
                    old
                ])?;
                update_observation(connection, record)?;
                buffer = encoded(names, record, buffer);
                update_body.execute(params![record.number, buffer])?;
            }
            ObservationWrite::Moved(record) => update_observation(connection, record)?,
            ObservationWrite::Dated(record) => {
                update_observation(connection, record)?;
                connection
                    .prepare_cached("UPDATE observation SET first_seen = ?2 WHERE number = ?1")?
                    .execute(params![record.number, record.first_seen.millis()])?;
                buffer = encoded(names, record, buffer);
                update_body.execute(params![record.number, buffer])?;
            }
            ObservationWrite::Reassigned(record) => {
                update_observation(connection, record)?;
                connection
                    .prepare_cached("UPDATE identity_key SET item = ?2 WHERE observation = ?1")?
                    .execute([record.number, record.item])?;
            }
        }
    }
    Ok(())
}

fn encoded(names: &mut Names, record: &ObservationRecord, buffer: Vec<u8>) -> Vec<u8> {
    let mut writer = Writer::new(names, buffer);
    writer.body(record);
    writer.finish()
}

fn update_observation(connection: &Connection, record: &ObservationRecord) -> Result<()> {
    connection
        .prepare_cached(
            "UPDATE observation SET item = ?2, content = ?3, changed_at = ?4, absent_at = ?5, seen_at = ?6
             WHERE number = ?1",
        )?
        .execute(params![
            record.number,
            record.item,
            record.content.to_le_bytes(),
            record.changed_at.millis(),
            record.absent_at.map(model::Timestamp::millis),
            record.seen_at.millis()
        ])?;
    Ok(())
}

fn keys(connection: &Connection, decision: &Decision) -> Result<()> {
    let mut remove = connection
        .prepare_cached("DELETE FROM identity_key WHERE hash = ?1 AND observation = ?2")?;
    for (hash, observation) in &decision.keys_removed {
        remove.execute(params![signed(*hash), observation])?;
    }
    let mut insert = connection.prepare_cached(
        "INSERT OR IGNORE INTO identity_key(hash, observation, item, key_type, realm, value)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?;
    for record in &decision.keys_added {
        insert.execute(params![
            signed(record.hash),
            record.observation,
            record.item,
            record.key.key_type.name(),
            record.key.realm.0,
            record.key.value
        ])?;
    }
    Ok(())
}

fn relations(connection: &Connection, names: &mut Names, decision: &Decision) -> Result<()> {
    // Ends first: a relationship that ends and begins in one decision is open afterwards.
    let mut end = connection.prepare_cached(
        "UPDATE relation SET until = ?5
         WHERE from_item = ?1 AND verb = ?2 AND to_item = ?3 AND owner = ?4 AND until IS NULL",
    )?;
    for ended in &decision.relations_ended {
        end.execute(params![
            ended.from,
            numbered(names, &ended.verb),
            ended.to,
            ended.owner,
            ended.until.millis()
        ])?;
    }
    let mut insert = connection.prepare_cached(
        "INSERT OR IGNORE INTO relation(from_item, verb, to_item, owner, since, until, source, evidence)
         VALUES (?1, ?2, ?3, ?4, ?5, NULL, ?6, ?7)",
    )?;
    let mut again = connection.prepare_cached(
        "UPDATE relation SET until = NULL, evidence = ?6
         WHERE from_item = ?1 AND verb = ?2 AND to_item = ?3 AND owner = ?4 AND since = ?5",
    )?;
    for begun in &decision.relations_begun {
        let verb = numbered(names, &begun.verb);
        let (from, to, owner, since) = (begun.from, begun.to, begun.owner, begun.since.millis());
        let inserted =
            insert.execute(params![from, verb, to, owner, since, begun.source, begun.evidence])?;
        if inserted == 0 {
            // It ended and began within one moment: it never ended.
            again.execute(params![from, verb, to, owner, since, begun.evidence])?;
        }
    }
    Ok(())
}

/// The number of a name; 0 when there are too many of them, which the callers that may meet it store in full.
fn numbered(names: &mut Names, name: &Name) -> u32 {
    names.number(name).unwrap_or(0)
}

fn statements(connection: &Connection, names: &mut Names, decision: &Decision) -> Result<()> {
    let mut insert = connection.prepare_cached(
        "INSERT OR REPLACE INTO waiting(hash, observation, verb, from_item, source, since)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?;
    for record in &decision.waiting_added {
        insert.execute(params![
            signed(record.hash),
            record.observation,
            numbered(names, &record.verb),
            record.from,
            record.source,
            record.since.millis()
        ])?;
    }
    // Removals last: what began to wait and was bound in one decision waits no longer.
    let mut remove = connection
        .prepare_cached("DELETE FROM waiting WHERE hash = ?1 AND observation = ?2 AND verb = ?3")?;
    for record in &decision.waiting_removed {
        let verb = numbered(names, &record.verb);
        remove.execute(params![signed(record.hash), record.observation, verb])?;
    }
    endpoints(connection, names, decision)
}

fn endpoints(connection: &Connection, names: &mut Names, decision: &Decision) -> Result<()> {
    let mut remove = connection.prepare_cached(
        "DELETE FROM endpoint
         WHERE observation = ?1 AND verb = ?2 AND protocol = ?3 AND address = ?4 AND port = ?5",
    )?;
    for record in &decision.endpoints_removed {
        let verb = numbered(names, &record.verb);
        remove.execute(params![
            record.observation,
            verb,
            record.protocol,
            record.address,
            record.port
        ])?;
    }
    let mut insert = connection.prepare_cached(
        "INSERT OR REPLACE INTO endpoint(observation, verb, protocol, address, port, client, host, bound,
             within, source, since) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
    )?;
    for record in &decision.endpoints {
        insert.execute(params![
            record.observation,
            numbered(names, &record.verb),
            record.protocol,
            record.address,
            record.port,
            record.client,
            record.host,
            record.bound,
            record.within,
            record.source,
            record.since.millis()
        ])?;
    }
    Ok(())
}

/// The number of a kind of change, as the file holds it.
pub(super) const fn kind_number(what: &ChangeWhat) -> u8 {
    match what {
        ChangeWhat::Created => 0,
        ChangeWhat::Attribute { .. } => 1,
        ChangeWhat::Related { .. } => 2,
        ChangeWhat::Unrelated { .. } => 3,
        ChangeWhat::State { .. } => 4,
        ChangeWhat::Merged { .. } => 5,
        ChangeWhat::Split { .. } => 6,
    }
}

fn changes(
    connection: &Connection,
    names: &mut Names,
    decision: &Decision,
    positions: &Positions,
) -> Result<()> {
    let mut insert = connection.prepare_cached(
        "INSERT INTO change(position, item, class, source, observed_at, recorded_at, kind, name, before,
             after, other, title)
         VALUES (?1, ?2, (SELECT class FROM item WHERE number = ?2), ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, NULL)",
    )?;
    for (index, change) in decision.changes.iter().enumerate() {
        let ChangeRecord { item, source, observed_at, what } = change;
        let (name, before, after, other) = parts_of_change(names, what);
        insert.execute(params![
            positions.position(index),
            item,
            source,
            observed_at.millis(),
            decision.recorded_at.millis(),
            kind_number(what),
            name,
            before,
            after,
            other
        ])?;
    }
    Ok(())
}

fn parts_of_change(
    names: &mut Names,
    what: &ChangeWhat,
) -> (u32, Option<Vec<u8>>, Option<Vec<u8>>, u32) {
    let mut encode = |value: &Value| {
        let mut writer = Writer::new(names, Vec::new());
        writer.value(value);
        writer.finish()
    };
    match what {
        ChangeWhat::Created => (0, None, None, 0),
        ChangeWhat::Attribute { name, before, after } => {
            let (before, after) =
                (before.as_ref().map(&mut encode), after.as_ref().map(&mut encode));
            (numbered(names, name), before, after, 0)
        }
        ChangeWhat::Related { verb, other } | ChangeWhat::Unrelated { verb, other } => {
            (numbered(names, verb), None, None, *other)
        }
        ChangeWhat::Merged { other } | ChangeWhat::Split { other } => (0, None, None, *other),
        ChangeWhat::State { before, after } => {
            (0, Some(vec![state_number(*before)]), Some(vec![state_number(*after)]), 0)
        }
    }
}

fn readings(connection: &Connection, names: &mut Names, decision: &Decision) -> Result<()> {
    let mut insert = connection.prepare_cached(
        "INSERT OR REPLACE INTO reading(observation, at, body) VALUES (?1, ?2, ?3)",
    )?;
    for record in &decision.readings {
        let mut writer = Writer::new(names, Vec::new());
        writer.values(&record.values);
        insert.execute(params![record.observation, record.at.millis(), writer.finish()])?;
    }
    Ok(())
}

fn spool(connection: &Connection, decision: &Decision) -> Result<()> {
    let mut committed = connection.prepare_cached(
        "INSERT OR REPLACE INTO committed(agent, epoch, class, sequence) VALUES (?1, ?2, ?3, ?4)",
    )?;
    for record in &decision.committed {
        committed.execute(params![
            record.agent.to_bytes(),
            signed(record.epoch),
            record.class,
            signed(record.sequence)
        ])?;
    }
    for record in &decision.rejected {
        reject(connection, decision, record)?;
    }
    if !decision.rejected.is_empty() {
        connection
            .prepare_cached(
                "DELETE FROM rejected_record
                 WHERE number <= (SELECT MAX(number) FROM rejected_record) - ?1",
            )?
            .execute([REJECTED_KEPT])?;
    }
    Ok(())
}

fn reject(connection: &Connection, decision: &Decision, record: &RejectedRecord) -> Result<()> {
    let kept = record.bytes.get(..REJECTED_BYTES_MAX).unwrap_or(&record.bytes);
    connection
        .prepare_cached(
            "INSERT INTO rejected_record(at, agent, epoch, class, sequence, code, detail, bytes)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        )?
        .execute(params![
            decision.recorded_at.millis(),
            blob(record.agent),
            signed(record.epoch),
            record.class,
            signed(record.sequence),
            record.code,
            record.detail,
            kept
        ])?;
    Ok(())
}

fn findings(connection: &Connection, decision: &Decision) -> Result<()> {
    let at = decision.recorded_at.millis();
    for (one, other) in &decision.possible_removed {
        connection
            .prepare_cached("DELETE FROM possible_same_as WHERE one = ?1 AND other = ?2")?
            .execute([one, other])?;
    }
    for record in &decision.possible {
        connection
            .prepare_cached(
                "INSERT OR REPLACE INTO possible_same_as(one, other, bits, at) VALUES (?1, ?2, ?3, ?4)",
            )?
            .execute(params![record.one, record.other, record.bits, at])?;
    }
    super::held::write(connection, decision)
}
