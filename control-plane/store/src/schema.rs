//! The tables, as a list of migrations: the number of an entry, from 1, is the format of the file after it.
//!
//! Entries are only appended. A migration runs in a transaction of its own.
//!
//! Deliberately no foreign keys and few secondary indexes: every row costs the write path, and the one writer keeps
//! the references whole.

/// The migrations in order.
pub(crate) const MIGRATIONS: &[&str] = &[
    ITEMS,
    crate::fleet::SCHEMA,
    crate::users::SCHEMA,
    crate::sqlite::HISTORY_SCHEMA,
    crate::sqlite::identity::SCHEMA,
    crate::targets::SCHEMA,
    crate::sqlite::held::SCHEMA,
    crate::sqlite::policies::SCHEMA,
];

/// Items, observations and their history.
///
/// Numbers are dense and internal; names of classes, attributes and relationships are numbers of `name`. Bodies
/// begin with the version of their encoding (`sqlite::codec`). Times are milliseconds since the Unix epoch.
const ITEMS: &str = "
CREATE TABLE name(number INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE);
CREATE TABLE source(
    number INTEGER PRIMARY KEY, collector TEXT NOT NULL, target TEXT NOT NULL, agent BLOB NOT NULL,
    site TEXT NOT NULL, UNIQUE(collector, target));
CREATE TABLE scope(
    number INTEGER PRIMARY KEY, source INTEGER NOT NULL, name TEXT NOT NULL, status INTEGER NOT NULL,
    reason TEXT NOT NULL, detail TEXT NOT NULL, looked_at INTEGER NOT NULL, complete_at INTEGER,
    seen_count INTEGER NOT NULL, digest BLOB NOT NULL, UNIQUE(source, name));
CREATE TABLE item(
    number INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE, class INTEGER NOT NULL, title TEXT NOT NULL,
    parent INTEGER NOT NULL, local INTEGER NOT NULL, state INTEGER NOT NULL, state_since INTEGER NOT NULL,
    first_seen INTEGER NOT NULL, revision INTEGER NOT NULL);
CREATE INDEX item_class ON item(class, title, state);
CREATE INDEX item_parent ON item(parent, class) WHERE parent <> 0;
CREATE INDEX item_revision ON item(revision);
CREATE VIRTUAL TABLE item_text USING fts5(
    words, content='', contentless_delete=1, detail=none, tokenize=\"unicode61 tokenchars ':'\");
CREATE TABLE observation(
    number INTEGER PRIMARY KEY, native INTEGER NOT NULL, source INTEGER NOT NULL, scope INTEGER NOT NULL,
    item INTEGER NOT NULL, content BLOB NOT NULL, first_seen INTEGER NOT NULL, changed_at INTEGER NOT NULL,
    absent_at INTEGER, seen_at INTEGER NOT NULL, is_part INTEGER NOT NULL);
CREATE INDEX observation_item ON observation(item);
CREATE INDEX observation_source ON observation(source, is_part);
CREATE TABLE observation_body(number INTEGER PRIMARY KEY, body BLOB NOT NULL);
CREATE TABLE observation_version(
    observation INTEGER NOT NULL, valid_from INTEGER NOT NULL, valid_until INTEGER NOT NULL, body BLOB NOT NULL,
    PRIMARY KEY(observation, valid_from, valid_until)) WITHOUT ROWID;
CREATE TABLE identity_key(
    hash INTEGER NOT NULL, observation INTEGER NOT NULL, item INTEGER NOT NULL, key_type TEXT NOT NULL,
    realm TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY(observation, hash)) WITHOUT ROWID;
CREATE TABLE relation(
    from_item INTEGER NOT NULL, verb INTEGER NOT NULL, to_item INTEGER NOT NULL, owner INTEGER NOT NULL,
    since INTEGER NOT NULL, until INTEGER, source INTEGER NOT NULL, evidence TEXT NOT NULL,
    PRIMARY KEY(from_item, verb, to_item, owner, since)) WITHOUT ROWID;
CREATE INDEX relation_to ON relation(to_item);
CREATE TABLE waiting(
    hash INTEGER NOT NULL, observation INTEGER NOT NULL, verb INTEGER NOT NULL, from_item INTEGER NOT NULL,
    source INTEGER NOT NULL, since INTEGER NOT NULL, PRIMARY KEY(hash, observation, verb)) WITHOUT ROWID;
CREATE TABLE endpoint(
    observation INTEGER NOT NULL, verb INTEGER NOT NULL, protocol TEXT NOT NULL, address TEXT NOT NULL,
    port INTEGER NOT NULL, client INTEGER NOT NULL, host INTEGER NOT NULL, within TEXT NOT NULL,
    source INTEGER NOT NULL, since INTEGER NOT NULL, bound INTEGER NOT NULL,
    PRIMARY KEY(observation, verb, protocol, address, port)) WITHOUT ROWID;
CREATE TABLE change(
    position INTEGER PRIMARY KEY, item INTEGER NOT NULL, class INTEGER NOT NULL, source INTEGER NOT NULL,
    observed_at INTEGER NOT NULL, recorded_at INTEGER NOT NULL, kind INTEGER NOT NULL, name INTEGER NOT NULL,
    before BLOB, after BLOB, other INTEGER NOT NULL, title TEXT);
CREATE INDEX change_item ON change(item);
CREATE INDEX change_class ON change(class);
CREATE TABLE reading(observation INTEGER PRIMARY KEY, at INTEGER NOT NULL, body BLOB NOT NULL);
CREATE TABLE committed(
    agent BLOB NOT NULL, epoch INTEGER NOT NULL, class INTEGER NOT NULL, sequence INTEGER NOT NULL,
    PRIMARY KEY(agent, epoch, class)) WITHOUT ROWID;
CREATE TABLE rejected_record(
    number INTEGER PRIMARY KEY AUTOINCREMENT, at INTEGER NOT NULL, agent BLOB NOT NULL, epoch INTEGER NOT NULL,
    class INTEGER NOT NULL, sequence INTEGER NOT NULL, code TEXT NOT NULL, detail TEXT NOT NULL, bytes BLOB NOT NULL);
CREATE TABLE possible_same_as(
    one INTEGER NOT NULL, other INTEGER NOT NULL, bits INTEGER NOT NULL, at INTEGER NOT NULL,
    PRIMARY KEY(one, other)) WITHOUT ROWID;
CREATE TABLE held_retirement(
    scope INTEGER PRIMARY KEY, at INTEGER NOT NULL, items_count INTEGER NOT NULL, of_count INTEGER NOT NULL);
CREATE TABLE alias(old BLOB PRIMARY KEY, item INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE must_link(
    one BLOB NOT NULL, other BLOB NOT NULL, said_by TEXT NOT NULL, at INTEGER NOT NULL,
    PRIMARY KEY(one, other)) WITHOUT ROWID;
CREATE TABLE cannot_link(
    one BLOB NOT NULL, other BLOB NOT NULL, said_by TEXT NOT NULL, at INTEGER NOT NULL,
    PRIMARY KEY(one, other)) WITHOUT ROWID;
CREATE TABLE outbox(
    number INTEGER PRIMARY KEY AUTOINCREMENT, topic TEXT NOT NULL, revision INTEGER NOT NULL, payload BLOB NOT NULL);
";
