//! What every store of items has to do, as plain functions over the traits: a back end's test calls each of them on
//! an empty store of its own.
//!
//! They assert; so they are for tests, of this crate and of others.
#![allow(
    clippy::missing_panics_doc,
    clippy::expect_used,
    reason = "a behavior that does not hold ends the test"
)]

use crate::items::ReadError;
use crate::observed::ItemStore;
use model::classes::host;
use model::decision::{
    ChangeRecord, ChangeWhat, CommittedRecord, Decision, ItemRecord, Number, ObservationRecord,
    ObservationWrite, RelationEnd, RelationRecord, ScopeRecord, SourceRecord,
};
use model::query::{At, Filter, Order, Page};
use model::{
    AgentId, Coverage, ItemId, ItemState, Name, Observation, Revision, ScopeDigest, SourceId,
    Timestamp,
};
use std::collections::BTreeMap;
use std::sync::Arc;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_seconds(seconds)
}

/// The id that [`created`] gives to an item of this number.
#[must_use]
pub fn id_of(number: Number) -> ItemId {
    ItemId::new_v7(at(i64::from(number)), [9; 10])
}

fn observation(number: Number, name: &str, when: Timestamp) -> ObservationRecord {
    ObservationRecord {
        number,
        native: u64::from(number),
        source: 1,
        scope: 1,
        item: number,
        content: u128::from(number),
        first_seen: at(10),
        changed_at: when,
        absent_at: None,
        seen_at: when,
        seen: Arc::new(Observation::of(&host::CLASS, format!("n{number}")).with(&host::FQDN, name)),
        since: BTreeMap::new(),
    }
}

fn change(item: Number, when: Timestamp, what: ChangeWhat) -> ChangeRecord {
    ChangeRecord { item, source: 1, observed_at: when, what }
}

/// A decision that creates hosts of these numbers, called `h1.example.net` and so on.
#[must_use]
pub fn created(numbers: std::ops::RangeInclusive<Number>) -> Decision {
    let mut decision = Decision { recorded_at: at(10), ..Decision::default() };
    decision.sources.push(SourceRecord {
        number: 1,
        id: SourceId { collector: "host".into(), target: "t".into() },
        agent: AgentId::from_bytes([1; 16]),
        site: "berlin".into(),
    });
    decision.scopes.push(ScopeRecord {
        number: 1,
        source: 1,
        name: "os".into(),
        coverage: Coverage::complete(),
        looked_at: at(10),
        complete_at: Some(at(10)),
        seen_count: 1,
        digest: ScopeDigest(7),
    });
    for number in numbers {
        let title = format!("h{number}.example.net");
        decision.observations.push(ObservationWrite::New(observation(number, &title, at(10))));
        decision.changes.push(change(number, at(10), ChangeWhat::Created));
        decision.items.push(ItemRecord {
            number,
            id: Some(id_of(number)),
            class: Name::Borrowed("host"),
            title: Some(title),
            words: String::new(),
            parent: 0,
            local: 0,
            state: ItemState::Active,
            state_before: None,
            state_since: at(10),
            first_seen: at(10),
        });
    }
    decision
}

async fn write(store: &dyn ItemStore, decision: Decision) -> Revision {
    store.apply(Arc::new(decision)).await.expect("the decision is stored")
}

/// What was applied is answered, and survives in what is loaded.
pub async fn an_applied_decision_is_answered(store: &dyn ItemStore) {
    let mut decision = created(1..=2);
    let agent = AgentId::from_bytes([1; 16]);
    decision.committed.push(CommittedRecord { agent, epoch: u64::MAX, class: 1, sequence: 5 });
    let revision = write(store, decision).await;
    assert_eq!(*store.revisions().borrow(), revision);
    let item = store.item(id_of(2), At::Now).await.expect("an answer").expect("an item");
    assert_eq!((item.title.as_str(), item.revision), ("h2.example.net", revision));
    let snapshot = store.load().await.expect("what is known");
    assert_eq!((snapshot.items.len(), snapshot.observations.len()), (2, 2));
    assert_eq!(snapshot.committed.first().map(|committed| committed.epoch), Some(u64::MAX));
    assert_eq!(snapshot.scopes.first().map(|scope| scope.digest), Some(ScopeDigest(7)));
}

/// A decision that breaks a rule of the store is not stored at all, and the store goes on.
pub async fn a_decision_that_fails_leaves_nothing(store: &dyn ItemStore) {
    write(store, created(1..=1)).await;
    let mut decision = created(2..=3);
    if let Some(item) = decision.items.last_mut() {
        item.id = Some(id_of(1));
    }
    assert!(store.apply(Arc::new(decision)).await.is_err());
    assert_eq!(store.count(&Filter::default(), At::Now).await.expect("a count"), 1);
    write(store, created(2..=2)).await;
    assert_eq!(store.count(&Filter::default(), At::Now).await.expect("a count"), 2);
}

/// An item is answered as it was at a past moment.
pub async fn time_travel_returns_what_was_known_then(store: &dyn ItemStore) {
    write(store, created(1..=1)).await;
    let before = observation(1, "h1.example.net", at(10));
    let record = observation(1, "renamed.example.net", at(20));
    let mut decision = Decision { recorded_at: at(20), ..Decision::default() };
    decision.observations.push(ObservationWrite::Next { record, before: Box::new(before) });
    write(store, decision).await;
    let name = async |at| {
        let item = store.item(id_of(1), at).await.expect("an answer");
        item.and_then(|item| item.value("fqdn").map(model::Value::to_line))
    };
    assert_eq!(name(At::Now).await.as_deref(), Some("renamed.example.net"));
    assert_eq!(name(At::Time(at(15))).await.as_deref(), Some("h1.example.net"));
    assert_eq!(name(At::Time(at(5))).await, None);
}

/// A relationship is in force from its beginning to its end.
pub async fn a_relationship_has_a_beginning_and_an_end(store: &dyn ItemStore) {
    let mut decision = created(1..=2);
    let verb = Name::Borrowed("depends_on");
    decision.relations_begun.push(RelationRecord {
        from: 1,
        verb: verb.clone(),
        to: 2,
        source: 1,
        owner: 0,
        since: at(10),
        evidence: "a socket".into(),
    });
    write(store, decision).await;
    let mut decision = Decision { recorded_at: at(20), ..Decision::default() };
    decision.relations_ended.push(RelationEnd { from: 1, verb, to: 2, owner: 0, until: at(20) });
    write(store, decision).await;
    let page = Page { size: 5, after: None };
    let count =
        async |at| store.related(id_of(2), &[], &page, at).await.expect("an answer").entries.len();
    assert_eq!(count(At::Now).await, 0);
    assert_eq!(count(At::Time(at(15))).await, 1);
    assert_eq!(count(At::Time(at(20))).await, 0);
}

/// Pages neither skip nor repeat when items come in between, and a foreign cursor is refused.
pub async fn pages_neither_skip_nor_repeat(store: &dyn ItemStore) {
    write(store, created(1..=5)).await;
    let filter = Filter::default();
    let page = Page { size: 3, after: None };
    let first = store.find(&filter, Order::Title, &page, At::Now).await.expect("a page");
    write(store, created(6..=9)).await;
    let after = first.entries.last().map(|(cursor, _)| cursor.clone());
    let page = Page { size: 500, after };
    let rest = store.find(&filter, Order::Title, &page, At::Now).await.expect("a page");
    let titles: Vec<String> =
        first.entries.into_iter().chain(rest.entries).map(|(_, item)| item.title).collect();
    let expected: Vec<String> = (1..=9).map(|number| format!("h{number}.example.net")).collect();
    assert_eq!(titles, expected);
    let foreign = store.find(&filter, Order::Changed, &page, At::Now).await;
    assert!(matches!(foreign, Err(ReadError::CursorMismatch)));
}

/// A watcher gets whole revisions, oldest first, and none twice or never.
pub async fn a_watcher_gets_whole_revisions(store: &dyn ItemStore) {
    write(store, created(1..=1300)).await;
    let (mut after, mut seen) = (Revision(0), 0);
    loop {
        let changes = store.changes_after(after, 700).await.expect("changes");
        let Some(last) = changes.last() else { break };
        assert!(changes.first().is_some_and(|first| first.revision > after));
        let next = store.changes_after(last.revision, 1).await.expect("changes");
        assert!(next.iter().all(|change| change.revision > last.revision));
        after = last.revision;
        seen += changes.len();
    }
    assert_eq!(seen, 1300);
}
