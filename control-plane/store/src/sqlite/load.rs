//! Reading back what is kept in memory: at the start, and item by item for the thread that decides.

use super::codec::Reader;
use super::names::{Names, shared};
use super::{Counts, corrupt, state_of, unsigned, write};
use crate::observed::{
    CommitError, KnownItem, KnownKey, KnownObservation, KnownRelation, Snapshot,
};
use model::classes::{listening_endpoint, network_interface};
use model::decision::{
    CommittedRecord, EndpointRecord, Number, ObservationRecord, RelationRecord, ScopeRecord,
    SourceRecord, WaitingRecord,
};
use model::run::CoverageReason;
use model::{
    AgentId, Coverage, CoverageStatus, ItemId, KeyType, Name, Revision, ScopeDigest, SourceId,
    Timestamp, relationships,
};
use rusqlite::{Connection, Row};
use std::sync::Arc;

type Result<T> = std::result::Result<T, CommitError>;

fn all<T>(
    connection: &Connection,
    question: &str,
    mut read: impl FnMut(&Row<'_>) -> Result<T>,
) -> Result<Vec<T>> {
    let mut statement = connection.prepare_cached(question)?;
    let mut rows = statement.query([])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(read(row)?);
    }
    Ok(found)
}

pub(super) fn names(connection: &Connection) -> Result<Names> {
    let mut names = Names::default();
    let rows = all(connection, "SELECT number, text FROM name ORDER BY number", |row| {
        Ok((row.get::<_, u32>(0)?, row.get::<_, String>(1)?))
    })?;
    rows.into_iter().for_each(|(number, text)| names.learn(number, text));
    Ok(names)
}

pub(super) fn counts(connection: &Connection, names: &Names) -> Result<Counts> {
    let question = "SELECT class, state, COUNT(*) FROM item GROUP BY class, state";
    let rows = all(connection, question, |row| {
        let (class, state): (u32, u8) = (row.get(0)?, row.get(1)?);
        let count: i64 = row.get(2)?;
        let state = state_of(state).ok_or_else(|| corrupt("state of an item"))?;
        Ok(((name(names, class)?, state), u64::try_from(count).unwrap_or(0)))
    })?;
    Ok(rows.into_iter().collect())
}

pub(super) fn last_revision(connection: &Connection) -> Result<Revision> {
    let last: Option<i64> =
        connection.query_row("SELECT MAX(position) FROM change", [], |row| row.get(0))?;
    Ok(Revision(unsigned(last.unwrap_or(0)) >> write::INDEX_BITS))
}

pub(super) fn name(names: &Names, number: u32) -> Result<Name> {
    names.name(number).cloned().ok_or_else(|| corrupt(format!("name {number}")))
}

pub(super) fn digest(bytes: &[u8]) -> Result<u128> {
    bytes.try_into().map(u128::from_le_bytes).map_err(|_| corrupt("a hash of 16 bytes"))
}

pub(super) fn coverage(status: u8, reason: &str, detail: String) -> Result<Coverage> {
    let status = match status {
        0 => CoverageStatus::Complete,
        1 => CoverageStatus::Partial,
        2 => CoverageStatus::NotLookedAt,
        _ => return Err(corrupt("status of a scope")),
    };
    let reason = CoverageReason::ALL.into_iter().find(|known| known.name() == reason);
    Ok(Coverage { status, reason: reason.unwrap_or(CoverageReason::None), detail })
}

pub(super) fn snapshot(connection: &Connection, names: &Names) -> Result<Snapshot> {
    Ok(Snapshot {
        sources: sources(connection)?,
        scopes: scopes(connection)?,
        items: items(connection, names)?,
        observations: observations(connection)?,
        keys: keys(connection)?,
        relations: relations(connection, names)?,
        waiting: waiting(connection, names)?,
        endpoints: endpoints(connection, names)?,
        whole: whole(connection, names)?,
        committed: committed(connection)?,
        absorbed: super::identity::absorbed(connection)?,
        wishes: super::identity::wishes(connection)?,
        possible: super::identity::possible(connection)?,
        rules: super::identity::rules(connection, 1)?.pop(),
        rules_before: super::identity::rules(connection, 2)?.into_iter().nth(1),
        refolded: super::policies::refolded(connection)?,
        judged: super::policies::judged(connection)?,
        locks: super::policies::open(connection, names)?,
        spares: spares(connection, names)?,
    })
}

fn sources(connection: &Connection) -> Result<Vec<SourceRecord>> {
    all(connection, "SELECT number, collector, target, agent, site FROM source", |row| {
        Ok(SourceRecord {
            number: row.get(0)?,
            id: SourceId { collector: row.get(1)?, target: row.get(2)? },
            agent: AgentId::from_bytes(row.get(3)?),
            site: row.get(4)?,
        })
    })
}

fn scopes(connection: &Connection) -> Result<Vec<ScopeRecord>> {
    let question =
        "SELECT number, source, name, status, reason, detail, looked_at, complete_at, seen_count,
         digest FROM scope";
    all(connection, question, |row| {
        let reason: String = row.get(4)?;
        Ok(ScopeRecord {
            number: row.get(0)?,
            source: row.get(1)?,
            name: shared(row.get(2)?),
            coverage: coverage(row.get(3)?, &reason, row.get(5)?)?,
            looked_at: Timestamp::from_millis(row.get(6)?),
            complete_at: row.get::<_, Option<i64>>(7)?.map(Timestamp::from_millis),
            seen_count: u64::try_from(row.get::<_, i64>(8)?).unwrap_or(0),
            digest: ScopeDigest(digest(row.get_ref(9)?.as_blob().unwrap_or_default())?),
        })
    })
}

fn items(connection: &Connection, names: &Names) -> Result<Vec<KnownItem>> {
    let question =
        "SELECT number, id, class, parent, local, state, state_since FROM item ORDER BY number";
    all(connection, question, |row| {
        Ok(KnownItem {
            number: row.get(0)?,
            id: ItemId::from_bytes(row.get(1)?),
            class: name(names, row.get(2)?)?,
            parent: row.get(3)?,
            local: unsigned(row.get(4)?),
            state: state_of(row.get(5)?).ok_or_else(|| corrupt("state of an item"))?,
            state_since: Timestamp::from_millis(row.get(6)?),
        })
    })
}

fn observations(connection: &Connection) -> Result<Vec<KnownObservation>> {
    let question =
        "SELECT number, native, scope, item, content, absent_at FROM observation ORDER BY number";
    all(connection, question, |row| {
        Ok(KnownObservation {
            number: row.get(0)?,
            native: unsigned(row.get(1)?),
            scope: row.get(2)?,
            item: row.get(3)?,
            content: digest(row.get_ref(4)?.as_blob().unwrap_or_default())?,
            is_present: row.get::<_, Option<i64>>(5)?.is_none(),
        })
    })
}

fn keys(connection: &Connection) -> Result<Vec<KnownKey>> {
    let question = "SELECT k.hash, k.observation, o.native, k.key_type
         FROM identity_key k JOIN observation o ON o.number = k.observation";
    let rows = all(connection, question, |row| {
        let key_type: String = row.get(3)?;
        // A type that a newer build knew is kept in the file and not used.
        Ok(match KeyType::from_name(&key_type) {
            None => None,
            Some(key_type) => Some(KnownKey {
                hash: unsigned(row.get(0)?),
                key_type,
                observation: row.get(1)?,
                native: unsigned(row.get(2)?),
            }),
        })
    })?;
    Ok(rows.into_iter().flatten().collect())
}

fn relations(connection: &Connection, names: &Names) -> Result<Vec<KnownRelation>> {
    let question = "SELECT from_item, verb, to_item, owner FROM relation WHERE until IS NULL";
    all(connection, question, |row| {
        Ok(KnownRelation {
            from: row.get(0)?,
            verb: name(names, row.get(1)?)?,
            to: row.get(2)?,
            owner: row.get(3)?,
        })
    })
}

fn waiting(connection: &Connection, names: &Names) -> Result<Vec<WaitingRecord>> {
    all(
        connection,
        "SELECT hash, observation, verb, from_item, source, since FROM waiting",
        |row| {
            Ok(WaitingRecord {
                hash: unsigned(row.get(0)?),
                observation: row.get(1)?,
                verb: name(names, row.get(2)?)?,
                from: row.get(3)?,
                source: row.get(4)?,
                since: Timestamp::from_millis(row.get(5)?),
            })
        },
    )
}

fn endpoints(connection: &Connection, names: &Names) -> Result<Vec<EndpointRecord>> {
    let question =
        "SELECT observation, verb, protocol, address, port, client, host, bound, within, source, since
         FROM endpoint";
    all(connection, question, |row| {
        Ok(EndpointRecord {
            observation: row.get(0)?,
            verb: name(names, row.get(1)?)?,
            protocol: row.get(2)?,
            address: row.get(3)?,
            port: row.get(4)?,
            client: row.get(5)?,
            host: row.get(6)?,
            bound: row.get(7)?,
            within: row.get(8)?,
            source: row.get(9)?,
            since: Timestamp::from_millis(row.get(10)?),
        })
    })
}

fn committed(connection: &Connection) -> Result<Vec<CommittedRecord>> {
    all(connection, "SELECT agent, epoch, class, sequence FROM committed", |row| {
        Ok(CommittedRecord {
            agent: AgentId::from_bytes(row.get(0)?),
            epoch: unsigned(row.get(1)?),
            class: row.get(2)?,
            sequence: unsigned(row.get(3)?),
        })
    })
}

/// The columns of an observation with its body, as [`observation`] reads them.
pub(super) const OBSERVATION: &str =
    "SELECT o.number, o.native, o.source, o.scope, o.item, o.content,
     o.first_seen, o.changed_at, o.absent_at, o.seen_at, b.body
     FROM observation o JOIN observation_body b ON b.number = o.number";

pub(super) fn observation(names: &Names, row: &Row<'_>) -> Result<ObservationRecord> {
    let first_seen = Timestamp::from_millis(row.get(6)?);
    let number: Number = row.get(0)?;
    let body = row.get_ref(10)?.as_blob().unwrap_or_default();
    let (seen, since) = Reader::new(names, body)
        .and_then(|mut reader| reader.body(first_seen))
        .map_err(|_| corrupt(format!("observation {number}")))?;
    Ok(ObservationRecord {
        number,
        native: unsigned(row.get(1)?),
        source: row.get(2)?,
        scope: row.get(3)?,
        item: row.get(4)?,
        content: digest(row.get_ref(5)?.as_blob().unwrap_or_default())?,
        first_seen,
        changed_at: Timestamp::from_millis(row.get(7)?),
        absent_at: row.get::<_, Option<i64>>(8)?.map(Timestamp::from_millis),
        seen_at: Timestamp::from_millis(row.get(9)?),
        seen: Arc::new(seen),
        since,
    })
}

pub(super) fn observations_of(
    connection: &Connection,
    names: &Names,
    item: Number,
) -> Result<Vec<ObservationRecord>> {
    let question = format!("{OBSERVATION} WHERE o.item = ?1 ORDER BY o.number");
    let mut statement = connection.prepare_cached(&question)?;
    let mut rows = statement.query([item])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(observation(names, row)?);
    }
    Ok(found)
}

/// The relationships in force that lead to an item.
pub(super) fn relations_to(
    connection: &Connection,
    names: &Names,
    item: Number,
) -> Result<Vec<RelationRecord>> {
    let mut statement = connection.prepare_cached(
        "SELECT from_item, verb, to_item, source, owner, since, evidence FROM relation
         WHERE to_item = ?1 AND until IS NULL",
    )?;
    let mut rows = statement.query([item])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(RelationRecord {
            from: row.get(0)?,
            verb: name(names, row.get(1)?)?,
            to: row.get(2)?,
            source: row.get(3)?,
            owner: row.get(4)?,
            since: Timestamp::from_millis(row.get(5)?),
            evidence: row.get(6)?,
        });
    }
    Ok(found)
}

/// How many failures items outlive, by their own word.
fn spares(connection: &Connection, names: &Names) -> Result<Vec<(Number, Number, u32)>> {
    let question = format!(
        "{OBSERVATION} WHERE o.absent_at IS NULL AND o.item IN (SELECT number FROM item WHERE class = ?1)
         ORDER BY o.number"
    );
    let mut found = Vec::new();
    for class in relationships::STATING_CLASSES.iter().filter_map(|class| names.known(class)) {
        let mut statement = connection.prepare_cached(&question)?;
        let mut rows = statement.query([class])?;
        while let Some(row) = rows.next()? {
            let record = observation(names, row)?;
            let spare = relationships::spare(&record.seen.class, &record.seen.facts);
            found.extend(spare.map(|spare| (record.number, record.item, spare)));
        }
    }
    Ok(found)
}

/// What the binding of connections needs whole: present interfaces and listeners; and what has no item yet.
fn whole(connection: &Connection, names: &Names) -> Result<Vec<ObservationRecord>> {
    let mut found =
        all(connection, &format!("{OBSERVATION} WHERE o.item = 0"), |row| observation(names, row))?;
    let question = format!(
        "{OBSERVATION} WHERE o.absent_at IS NULL AND o.item IN (SELECT number FROM item WHERE class = ?1)"
    );
    for class in [network_interface::CLASS.name, listening_endpoint::CLASS.name] {
        let Some(class) = names.known(class) else { continue };
        let mut statement = connection.prepare_cached(&question)?;
        let mut rows = statement.query([class])?;
        while let Some(row) = rows.next()? {
            found.push(observation(names, row)?);
        }
    }
    Ok(found)
}
