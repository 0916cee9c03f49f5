//! The write path against the real store: what hostile and honest agents get.

use super::{Ingest, Outcome, SubmitError};
use bytes::Bytes;
use environment::{SeededRandomness, SimulatedClock};
use model::classes::{host, package};
use model::query::{At, ChangeFilter, Comparison, Condition, Filter, Order, Page};
use model::run::ContentHash;
use model::{
    AgentId, Catalog, ChangeKind, Coverage, IdentityKey, ItemState, KeyType, Name, Observation,
    Realm, RelationTarget, ScopeDigest, SourceId, Timestamp, Value,
};
use proto::{Message, convert, v1};
use std::path::Path;
use std::sync::Arc;
use store::database::Database;
use store::items::Items;
use store::sqlite::SqliteItems;

mod history;
mod values;

const EPOCH: u64 = 9;
const INVENTORY: u32 = 1;

struct Rig {
    _folder: tempfile::TempDir,
    store: SqliteItems,
    database: Database,
    ingest: Ingest,
    sequence: u64,
}

fn agent() -> AgentId {
    AgentId::from_bytes([5; 16])
}

fn source() -> SourceId {
    SourceId { collector: "host".into(), target: agent().to_string() }
}

/// `start` tells starts apart: a process that starts again draws other ids.
async fn open(path: &Path, start: u64) -> (Database, SqliteItems, Ingest) {
    open_at(path, start, clock()).await
}

/// A clock that is after everything that the tests report: nothing is seen in the future.
fn clock() -> Arc<SimulatedClock> {
    let long = std::time::Duration::from_secs(1_700_100_000);
    Arc::new(SimulatedClock::at(std::time::UNIX_EPOCH + long))
}

async fn open_at(
    path: &Path,
    start: u64,
    clock: Arc<SimulatedClock>,
) -> (Database, SqliteItems, Ingest) {
    let database = Database::open(&path.join("dharma.sqlite")).unwrap();
    let store = SqliteItems::open(database.clone()).unwrap();
    let ingest = Ingest::start(
        Arc::new(store.clone()),
        Arc::new(Catalog::built_in()),
        clock,
        Arc::new(SeededRandomness::new(start)),
    );
    let ingest = ingest.await.unwrap();
    (database, store, ingest)
}

impl Rig {
    async fn new() -> Self {
        Self::with(clock()).await
    }

    async fn with(clock: Arc<SimulatedClock>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (database, store, ingest) = open_at(folder.path(), 1, clock).await;
        Self { _folder: folder, store, database, ingest, sequence: 0 }
    }

    async fn send(&mut self, records: Vec<Bytes>) -> Result<Outcome, SubmitError> {
        let entries = records
            .into_iter()
            .map(|record| {
                self.sequence += 1;
                let content = Some(v1::entry::Content::Record(record));
                v1::Entry { sequence: self.sequence, content }
            })
            .collect();
        self.send_entries(entries).await
    }

    async fn send_entries(&self, entries: Vec<v1::Entry>) -> Result<Outcome, SubmitError> {
        let batch = v1::Batch { epoch: EPOCH, class: INVENTORY, entries };
        self.ingest.submit(agent(), "berlin".into(), batch).await
    }

    async fn all(&self) -> Vec<model::Item> {
        let page = Page { size: 500, after: None };
        let filter = Filter { states: ItemState::ALL.to_vec(), ..Filter::default() };
        let found = self.store.find(&filter, Order::Class, &page, At::Now).await.unwrap();
        found.entries.into_iter().map(|(_, item)| item).collect()
    }
}

/// A full report of one part.
fn report(from: &SourceId, scope: &str, at: i64, seen: &[Observation]) -> v1::ScopeReport {
    let mut digest = ScopeDigest::default();
    let observations: Vec<v1::Observation> = seen.iter().map(convert::observation_to).collect();
    for wire in &observations {
        digest.add(ContentHash::of(&wire.class, &wire.native_key, &wire.body));
    }
    v1::ScopeReport {
        scope: Some(convert::scope_to(from, scope)),
        run: at.to_le_bytes().repeat(2),
        started_at: at,
        finished_at: at,
        coverage: Some(convert::coverage_to(&Coverage::complete())),
        is_full: true,
        part: 0,
        is_last: true,
        digest: convert::digest_to(digest),
        seen_count: seen.len() as u64,
        observations,
        removed: Vec::new(),
    }
}

fn record(report: v1::ScopeReport) -> Bytes {
    v1::Record { content: Some(v1::record::Content::Report(report)) }.encode_to_vec().into()
}

fn full(scope: &str, at: i64, seen: &[Observation]) -> Bytes {
    record(report(&source(), scope, at, seen))
}

fn a_host() -> Observation {
    Observation::of(&host::CLASS, "host")
        .with(&host::FQDN, "db1.example.net")
        .with(&host::OS_NAME, "Debian GNU/Linux 12")
        .with(&host::LOAD_1M, 0.5)
        .key(IdentityKey::new(KeyType::AgentKey, Realm::everywhere(), &agent().to_string()))
}

fn a_package(name: &str, version: &str) -> Observation {
    Observation::part(&package::CLASS, "host", &["dpkg", name, "amd64"])
        .with(&package::VERSION, version)
}

fn rejections(outcome: &Outcome) -> Vec<(u64, &str)> {
    let rejected = outcome.acknowledgement.as_ref().map(|answer| answer.rejected.as_slice());
    rejected.unwrap_or_default().iter().map(|one| (one.sequence, one.code.as_str())).collect()
}

#[tokio::test]
async fn a_poisonous_record_is_kept_aside_and_what_lies_behind_it_is_used() {
    let mut rig = Rig::new().await;
    let records = vec![Bytes::from_static(b"\xff\xffnonsense"), full("os", 1000, &[a_host()])];
    let outcome = rig.send(records).await.unwrap();
    assert_eq!(rejections(&outcome), [(1, "MALFORMED")]);
    assert_eq!(outcome.acknowledgement.unwrap().sequence, 2);
    assert_eq!(rig.all().await.len(), 1);
    let kept: (i64, Vec<u8>) = rig
        .database
        .read::<_, store::database::DatabaseError, _>(|connection| {
            Ok(connection.query_row("SELECT sequence, bytes FROM rejected_record", [], |row| {
                Ok((row.get(0)?, row.get(1)?))
            })?)
        })
        .await
        .unwrap();
    assert_eq!(kept, (1, b"\xff\xffnonsense".to_vec()));
}

#[tokio::test]
async fn an_oversized_record_and_a_value_of_the_wrong_kind_are_rejected() {
    let mut rig = Rig::new().await;
    let mut wrong = a_package("vim", "1");
    wrong.facts.insert(Name::Borrowed("installed_bytes"), Value::Text("many".into()));
    let huge = Bytes::from(vec![0_u8; proto::limits::RECORD_BYTES_MAX + 1]);
    let seen = [a_host(), wrong, a_package("bash", "5")];
    let outcome = rig.send(vec![huge, full("all", 1000, &seen)]).await.unwrap();
    assert_eq!(rejections(&outcome), [(1, "BODY_TOO_LARGE"), (2, "VALIDATION_FAILED")]);
    let titles: Vec<String> = rig.all().await.into_iter().map(|item| item.title).collect();
    assert_eq!(titles, ["db1.example.net", "bash"], "what is good of the record is used");
}

#[tokio::test]
async fn a_broken_sequence_is_refused_and_nothing_of_the_batch_is_used() {
    let mut rig = Rig::new().await;
    rig.send(vec![full("os", 1000, &[a_host()])]).await.unwrap();
    rig.sequence += 1;
    let refused = rig.send(vec![full("packages", 1000, &[a_package("vim", "1")])]).await;
    assert!(
        matches!(refused, Err(SubmitError::Refused { code: "SEQUENCE_BROKEN", .. })),
        "{refused:?}"
    );
    assert_eq!(rig.all().await.len(), 1);
    let committed = rig.ingest.committed(agent(), EPOCH).await.unwrap();
    assert_eq!(committed, [v1::Committed { class: INVENTORY, sequence: 1 }]);
}

#[tokio::test]
async fn a_replayed_batch_is_acknowledged_and_changes_nothing() {
    let mut rig = Rig::new().await;
    rig.send(vec![full("os", 1000, &[a_host()])]).await.unwrap();
    let before = *rig.store.revisions().borrow();
    rig.sequence = 0;
    let other = a_host().with(&host::FQDN, "evil.example.net");
    let outcome = rig.send(vec![full("os", 2000, &[other])]).await.unwrap();
    assert_eq!(outcome.acknowledgement.unwrap().sequence, 1);
    assert_eq!(*rig.store.revisions().borrow(), before);
    assert_eq!(rig.all().await[0].title, "db1.example.net");
}

#[tokio::test]
async fn a_source_of_another_agent_or_of_the_control_plane_is_rejected() {
    let mut rig = Rig::new().await;
    for collector in ["host", "reconcile", "rule"] {
        let own =
            if collector == "host" { "somebody-else".to_owned() } else { agent().to_string() };
        let foreign = SourceId { collector: collector.into(), target: own };
        let outcome = rig.send(vec![record(report(&foreign, "os", 1, &[a_host()]))]).await.unwrap();
        assert_eq!(rejections(&outcome), [(rig.sequence, "SOURCE_NOT_ASSIGNED")]);
    }
    assert!(rig.all().await.is_empty());
}

#[tokio::test]
async fn an_unknown_class_of_a_newer_agent_is_kept_and_shown_raw() {
    let mut rig = Rig::new().await;
    let mut strange = a_host();
    strange.class = Name::Owned("quantum_host".into());
    strange.native_key = "q".into();
    strange.facts.insert(Name::Owned("entangled_with".into()), Value::Text("everything".into()));
    rig.send(vec![full("os", 1000, &[strange])]).await.unwrap();
    let items = rig.all().await;
    assert_eq!(items[0].class, "quantum_host");
    assert_eq!(items[0].value("entangled_with"), Some(&Value::Text("everything".into())));
}

#[tokio::test]
async fn the_same_look_twice_makes_no_revision() {
    let mut rig = Rig::new().await;
    let seen = [a_host(), a_package("vim", "1")];
    let outcome = rig.send(vec![full("all", 1000, &seen)]).await.unwrap();
    assert!(outcome.need_full.is_empty());
    let before = *rig.store.revisions().borrow();
    let outcome = rig.send(vec![full("all", 2000, &seen)]).await.unwrap();
    assert!(outcome.need_full.is_empty());
    assert_eq!(*rig.store.revisions().borrow(), before);
    assert_eq!(rig.all().await[0].last_seen, Timestamp::from_millis(2000));
}

#[tokio::test]
async fn another_digest_asks_for_the_whole_scope_once_in_a_while() {
    let mut rig = Rig::new().await;
    let mut delta = report(&source(), "packages", 1000, &[a_package("vim", "1")]);
    delta.is_full = false;
    delta.digest = vec![7; 16];
    let outcome = rig.send(vec![record(delta.clone())]).await.unwrap();
    assert_eq!(outcome.need_full, [(source(), "packages".to_owned())]);
    let outcome = rig.send(vec![record(delta)]).await.unwrap();
    assert!(outcome.need_full.is_empty(), "not twice in a minute");
}

#[tokio::test]
async fn a_gap_in_the_inventory_asks_for_every_scope_of_the_agent() {
    let mut rig = Rig::new().await;
    rig.send(vec![full("os", 1000, &[a_host()]), full("packages", 1000, &[])]).await.unwrap();
    let gap = v1::Gap { through: 9, count: 7, reason: "quota".into() };
    let entry = v1::Entry { sequence: 3, content: Some(v1::entry::Content::Gap(gap)) };
    let outcome = rig.send_entries(vec![entry]).await.unwrap();
    assert_eq!(outcome.acknowledgement.unwrap().sequence, 9);
    assert_eq!(outcome.need_full.len(), 2);
}

#[tokio::test]
async fn a_confirmation_moves_the_last_sight_and_a_wrong_one_asks_for_the_scope() {
    let mut rig = Rig::new().await;
    let look = report(&source(), "os", 1000, &[a_host()]);
    let digest = look.digest.clone();
    rig.send(vec![record(look)]).await.unwrap();
    let beat = |digest: Vec<u8>| v1::Beat {
        confirmations: vec![v1::ScopeConfirmation {
            scope: Some(convert::scope_to(&source(), "os")),
            looked_at: 60_000,
            digest,
        }],
        ..v1::Beat::default()
    };
    let outcome = rig.ingest.confirm(agent(), &beat(digest)).await.unwrap();
    assert!(outcome.need_full.is_empty());
    assert_eq!(rig.all().await[0].last_seen, Timestamp::from_millis(60_000));
    let outcome = rig.ingest.confirm(agent(), &beat(vec![1; 16])).await.unwrap();
    assert_eq!(outcome.need_full.len(), 1);
}

#[tokio::test]
async fn history_answers_what_was_true_then() {
    let mut rig = Rig::new().await;
    let first = [a_host(), a_package("vim", "1"), a_package("nano", "7")];
    rig.send(vec![full("all", 1000, &first)]).await.unwrap();
    let renamed = a_host().with(&host::FQDN, "db2.example.net");
    rig.send(vec![full("all", 2000, &[renamed, a_package("vim", "2")])]).await.unwrap();
    let filter = Filter { classes: vec!["package".into()], ..Filter::default() };
    let page = Page { size: 10, after: None };
    let versions = async |at| {
        let found = rig.store.find(&filter, Order::Title, &page, at).await.unwrap();
        let items = found.entries.into_iter();
        items
            .map(|(_, item)| format!("{} {:?}", item.title, item.value("version")))
            .collect::<Vec<_>>()
    };
    assert_eq!(versions(At::Now).await, [r#"vim Some(Text("2"))"#]);
    let then = At::Time(Timestamp::from_millis(1500));
    assert_eq!(versions(then).await, [r#"nano Some(Text("7"))"#, r#"vim Some(Text("1"))"#]);
    assert!(versions(At::Time(Timestamp::from_millis(500))).await.is_empty());
    let host = rig.store.located(&source(), "host").await.unwrap().unwrap();
    let was = rig.store.item(host, then).await.unwrap().unwrap();
    assert_eq!(was.title, "db1.example.net");
    let filter = ChangeFilter { item: Some(host), with_parts: true, ..ChangeFilter::default() };
    let changes = rig.store.changes(&filter, &page).await.unwrap();
    let kinds: Vec<&str> = changes.entries.iter().map(|(_, change)| change.what.name()).collect();
    assert_eq!(kinds.iter().filter(|kind| **kind == "created").count(), 3);
    assert_eq!(kinds.iter().filter(|kind| **kind == "attribute_changed").count(), 2);
    assert_eq!(kinds.iter().filter(|kind| **kind == "state_changed").count(), 1);
    let old = changes.entries.iter().filter(|(_, change)| change.item == host);
    let titles: Vec<(&ChangeKind, &str)> =
        old.map(|(_, change)| (&change.what, change.title.as_str())).collect();
    assert_eq!(titles.last(), Some(&(&ChangeKind::Created, "db1.example.net")));
    assert_eq!(titles[0].1, "db2.example.net");
}

#[tokio::test]
async fn items_are_found_by_words_conditions_parent_and_pages_that_neither_skip_nor_repeat() {
    let mut rig = Rig::new().await;
    let mut seen = vec![a_host()];
    seen.extend((0..25).map(|number| a_package(&format!("lib{number:02}"), &number.to_string())));
    rig.send(vec![full("all", 1000, &seen)]).await.unwrap();
    let host = rig.store.located(&source(), "host").await.unwrap().unwrap();
    let filter = Filter { parent: Some(host), ..Filter::default() };
    let mut titles = Vec::new();
    let mut after = None;
    loop {
        let page = Page { size: 7, after };
        let found = rig.store.find(&filter, Order::Title, &page, At::Now).await.unwrap();
        after = found.entries.last().map(|(cursor, _)| cursor.clone());
        titles.extend(found.entries.into_iter().map(|(_, item)| item.title));
        if !found.has_more {
            break;
        }
    }
    assert_eq!(titles, (0..25).map(|number| format!("lib{number:02}")).collect::<Vec<_>>());
    let count = async |filter: Filter| rig.store.count(&filter, At::Now).await.unwrap();
    assert_eq!(count(Filter { text: Some("LIB1".into()), ..Filter::default() }).await, 10);
    assert_eq!(count(Filter { text: Some("example db1".into()), ..Filter::default() }).await, 1);
    assert_eq!(count(Filter { text: Some("\" OR *".into()), ..Filter::default() }).await, 0);
    let condition = Condition {
        attribute: "version".into(),
        comparison: Comparison::Equal,
        value: Value::Text("7".into()),
    };
    assert_eq!(count(Filter { conditions: vec![condition], ..Filter::default() }).await, 1);
    assert_eq!(count(Filter::default()).await, 26);
    let related = rig.store.relation_counts(host, At::Now).await.unwrap();
    assert_eq!(related, [("part_of".into(), false, 25)]);
}

#[tokio::test]
async fn an_item_that_is_created_and_renamed_in_one_batch_is_found_by_its_last_name() {
    let mut rig = Rig::new().await;
    let renamed = a_host().with(&host::FQDN, "db2.example.net");
    let records = vec![full("os", 1000, &[a_host()]), full("os", 2000, &[renamed])];
    rig.send(records).await.unwrap();
    let count = async |text: &str| {
        let filter = Filter { text: Some(text.into()), ..Filter::default() };
        rig.store.count(&filter, At::Now).await.unwrap()
    };
    assert_eq!((count("db2").await, count("db1").await), (1, 0));
}

#[tokio::test]
async fn readings_make_no_history_and_show_their_last_value() {
    let mut rig = Rig::new().await;
    rig.send(vec![full("os", 1000, &[a_host()])]).await.unwrap();
    let before = *rig.store.revisions().borrow();
    let readings = v1::ReadingReport {
        collector: "host".into(),
        target: agent().to_string(),
        at: 5000,
        items: vec![v1::ItemReadings {
            class: "host".into(),
            native_key: "host".into(),
            readings: convert::readings_to(
                &[(Name::Borrowed("load_1m"), Value::Float(3.5))].into(),
            ),
        }],
    };
    let content = Some(v1::record::Content::Readings(readings));
    rig.send(vec![v1::Record { content }.encode_to_vec().into()]).await.unwrap();
    assert_eq!(*rig.store.revisions().borrow(), before);
    assert_eq!(rig.all().await[0].value("load_1m"), Some(&Value::Float(3.5)));
}

#[tokio::test]
async fn what_was_acknowledged_is_there_after_the_process_is_gone_and_the_agent_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let (database, _, ingest) = open(folder.path(), 1).await;
    let client = Observation::of(&host::CLASS, "host")
        .with(&host::FQDN, "db1.example.net")
        .relates("runs_on", RelationTarget::Native("hardware".into()));
    let entry = |sequence, record| v1::Entry {
        sequence,
        content: Some(v1::entry::Content::Record(record)),
    };
    let batch = |entries| v1::Batch { epoch: EPOCH, class: INVENTORY, entries };
    let first = batch(vec![entry(1, full("os", 1000, std::slice::from_ref(&client)))]);
    ingest.submit(agent(), "berlin".into(), first).await.unwrap();
    // No goodbye: the file as it is on disk now is what a killed process leaves behind.
    let copy = tempfile::tempdir().unwrap();
    for name in ["dharma.sqlite", "dharma.sqlite-wal"] {
        std::fs::copy(folder.path().join(name), copy.path().join(name)).unwrap();
    }
    drop((ingest, database));
    let (_, store, ingest) = open(copy.path(), 2).await;
    let committed = ingest.committed(agent(), EPOCH).await.unwrap();
    assert_eq!(committed, [v1::Committed { class: INVENTORY, sequence: 1 }]);
    // What waits and what is known was loaded: the relationship is bound when its end comes.
    let hardware = Observation::of(&model::classes::hardware::CLASS, "hardware");
    let second = batch(vec![
        entry(2, full("os", 2000, &[client])),
        entry(3, full("hardware", 2000, &[hardware])),
    ]);
    let outcome = ingest.submit(agent(), "berlin".into(), second).await.unwrap();
    assert!(outcome.need_full.is_empty(), "digests agree after loading");
    let host = store.located(&source(), "host").await.unwrap().unwrap();
    let page = Page { size: 10, after: None };
    let related = store.related(host, &[], &page, At::Now).await.unwrap();
    assert_eq!(related.entries.len(), 1);
    assert_eq!(store.count(&Filter::default(), At::Now).await.unwrap(), 2);
    ingest.stop().await;
}
