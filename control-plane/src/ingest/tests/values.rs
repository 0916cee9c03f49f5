//! Which values win, through the real write path: other policies, what people fix, and *looked and there is none*.

use super::*;
use crate::ingest::{Fixed, Fixing};
use environment::Clock;
use model::ItemId;
use model::decision::Number;
use std::time::Duration;
use store::identity::Identity;
use store::observed::ItemStore;

const DAY: i64 = 24 * 3600 * 1000;

/// Within what the clock of the tests says.
const START: i64 = 1_699_000_000_000;

fn of(collector: &str) -> SourceId {
    SourceId { collector: collector.into(), target: agent().to_string() }
}

fn seen(name: &str) -> Observation {
    let mac = IdentityKey::new(KeyType::MacAddress, Realm::everywhere(), "3c:ec:ef:00:00:01");
    let machine = IdentityKey::new(
        KeyType::MachineId,
        Realm::everywhere(),
        "0f3c9be1a85c4a1c9f1b7a5f9ad2c7e1",
    );
    Observation::of(&host::CLASS, name).key(mac).key(machine)
}

fn zone(name: &str, zone: &str) -> Observation {
    seen(name).with(&host::TIME_ZONE, zone)
}

async fn look(rig: &mut Rig, collector: &str, at: i64, seen: Observation) {
    let sent = record(report(&of(collector), "os", START + at, &[seen]));
    let outcome = rig.send(vec![sent]).await.unwrap();
    assert_eq!(rejections(&outcome), []);
}

/// The values of the time zone, the winner first.
async fn zones(store: &SqliteItems, at: At) -> Vec<Value> {
    let filter = Filter { states: ItemState::ALL.to_vec(), ..Filter::default() };
    let page = Page { size: 10, after: None };
    let found = store.find(&filter, Order::Class, &page, at).await.unwrap().entries;
    let hosts: Vec<&model::Item> = found.iter().map(|(_, item)| item).collect();
    assert_eq!(hosts.len(), 1, "both sources see one host");
    let values = hosts[0].attributes.get("time_zone").cloned().unwrap_or_default();
    values.into_iter().map(|said| said.value).collect()
}

/// The changes of the time zone, the latest first.
async fn changes(store: &SqliteItems) -> Vec<(Option<Value>, Option<Value>)> {
    let page = Page { size: 100, after: None };
    let found = store.changes(&ChangeFilter::default(), &page).await.unwrap();
    let changes = found.entries.into_iter().filter_map(|(_, change)| match change.what {
        ChangeKind::AttributeChanged { attribute, before, after } if attribute == "time_zone" => {
            Some((before, after))
        }
        _ => None,
    });
    changes.collect()
}

fn text(value: &str) -> Value {
    Value::Text(value.into())
}

async fn number(store: &SqliteItems) -> (ItemId, Number) {
    let page = Page { size: 10, after: None };
    let found = store.find(&Filter::default(), Order::Class, &page, At::Now).await.unwrap();
    let id = found.entries[0].1.id;
    (id, store.numbers(&[id]).await.unwrap()[0].unwrap())
}

fn fixing(item: Number, lock: Option<(&str, i64)>) -> Fixing {
    let lock = lock.map(|(value, until)| Fixed {
        value: text(value),
        until: Timestamp::from_millis(until),
        why: "the agent reads it wrong".into(),
    });
    Fixing { item, attribute: "time_zone".into(), said_by: "ada".into(), lock }
}

#[tokio::test]
async fn an_agent_cannot_speak_as_a_person_or_as_a_union() {
    let mut rig = Rig::new().await;
    for collector in ["user", "union"] {
        let sent = record(report(&of(collector), "os", START, &[zone("host", "UTC")]));
        let outcome = rig.send(vec![sent]).await.unwrap();
        assert_eq!(rejections(&outcome), [(rig.sequence, "SOURCE_NOT_ASSIGNED")]);
    }
    assert!(rig.all().await.is_empty());
}

#[tokio::test]
async fn none_and_nothing_said_never_beat_a_value_unless_the_source_is_trusted_as_much() {
    let mut rig = Rig::new().await;
    let none = |name: &str| seen(name).with_or_absent(&host::TIME_ZONE, None::<String>);
    look(&mut rig, "host", 0, zone("host", "UTC")).await;
    look(&mut rig, "snmp", 1_000, none("agent")).await;
    assert_eq!(zones(&rig.store, At::Now).await, [text("UTC"), Value::Absent]);
    // Empty text says nothing, even of a source that is trusted more.
    look(&mut rig, "redfish", 2_000, zone("system", "")).await;
    assert_eq!(zones(&rig.store, At::Now).await[0], text("UTC"));
    // Not looked at any longer is no word at all.
    look(&mut rig, "snmp", 3_000, seen("agent")).await;
    assert_eq!(zones(&rig.store, At::Now).await, [text("UTC"), text("")]);
    assert_eq!(changes(&rig.store).await, []);
    // Looked, and there is none, of a source that is trusted more.
    look(&mut rig, "redfish", 4_000, none("system")).await;
    assert_eq!(zones(&rig.store, At::Now).await, [Value::Absent, text("UTC")]);
    assert_eq!(changes(&rig.store).await, [(Some(text("UTC")), Some(Value::Absent))]);
}

#[tokio::test]
async fn other_policies_are_planned_without_effect_and_applied_with_changes_to_tell() {
    let mut rig = Rig::new().await;
    look(&mut rig, "host", 0, zone("host", "UTC")).await;
    look(&mut rig, "snmp", 1_000, zone("agent", "CET")).await;
    let rules = "version = \"ours\"\n[trust]\nsnmp = 99\n";
    let broken = "version = \"ours\"\n[trust]\nsnmp = 101\n";
    let refused = rig.ingest.plan(broken, 10).await.unwrap_err();
    assert!(
        matches!(&refused, SubmitError::Refused { detail, .. } if detail.contains("line 3")),
        "{refused}"
    );
    assert!(rig.ingest.set_rules(broken.into(), "ada".into()).await.is_err());
    let (_, plan) = rig.ingest.plan(rules, 10).await.unwrap();
    assert_eq!((plan.items, plan.changes), (1, 1));
    assert_eq!(
        (&plan.listed[0].before, &plan.listed[0].after),
        (&Some(text("UTC")), &Some(text("CET")))
    );
    assert_eq!(zones(&rig.store, At::Now).await[0], text("UTC"), "a plan changes nothing");
    rig.ingest.set_rules(rules.into(), "ada".into()).await.unwrap();
    while rig.ingest.regroup().await.unwrap() > 0 {}
    assert_eq!(zones(&rig.store, At::Now).await, [text("CET"), text("UTC")]);
    assert_eq!(changes(&rig.store).await, [(Some(text("UTC")), Some(text("CET")))]);
    // The past is shown by the policies of its time, and none of this is done again after a restart.
    let then = At::Time(Timestamp::from_millis(START + 5_000));
    assert_eq!(zones(&rig.store, then).await[0], text("UTC"));
    rig.ingest.stop().await;
    let (_database, store, ingest) = open(rig._folder.path(), 2).await;
    ingest.regroup().await.unwrap();
    assert_eq!(zones(&store, At::Now).await, [text("CET"), text("UTC")]);
    assert_eq!(changes(&store).await.len(), 1);
}

#[tokio::test]
async fn a_lock_wins_until_its_time_is_over_and_survives_a_restart() {
    let clock = clock();
    let mut rig = Rig::with(Arc::clone(&clock)).await;
    look(&mut rig, "host", 0, zone("host", "UTC")).await;
    let (id, item) = number(&rig.store).await;
    let now: Timestamp = clock.wall().into();
    let until = now.millis() + 5 * DAY;
    let fixed = rig.ingest.fix(fixing(item, Some(("CET", until)))).await.unwrap();
    assert_eq!(fixed, Some(Timestamp::from_millis(until)));
    assert_eq!(zones(&rig.store, At::Now).await, [text("CET"), text("UTC")]);
    assert_eq!(changes(&rig.store).await, [(Some(text("UTC")), Some(text("CET")))]);
    look(&mut rig, "host", 1_000, zone("host", "EST")).await;
    assert_eq!(
        changes(&rig.store).await.len(),
        1,
        "what sources say is no change while it is fixed"
    );
    rig.ingest.stop().await;
    let (_database, store, ingest) = open_at(rig._folder.path(), 2, Arc::clone(&clock)).await;
    assert_eq!(store.locks(id).await.unwrap().unwrap()[0].why, "the agent reads it wrong");
    clock.advance(Duration::from_secs(4 * 24 * 3600));
    ingest.sweep().await.unwrap();
    assert_eq!(zones(&store, At::Now).await, [text("CET"), text("EST")]);
    clock.advance(Duration::from_secs(2 * 24 * 3600));
    ingest.sweep().await.unwrap();
    assert_eq!(zones(&store, At::Now).await, [text("EST")]);
    assert_eq!(changes(&store).await[0], (Some(text("CET")), Some(text("EST"))));
    assert!(store.locks(id).await.unwrap().unwrap().is_empty());
    // The past still has it.
    let then = At::Time(Timestamp::from_millis(until - 1));
    assert_eq!(zones(&store, then).await, [text("CET"), text("EST")]);
    assert_eq!(zones(&store, At::Time(Timestamp::from_millis(until))).await, [text("EST")]);
}

#[tokio::test]
async fn a_lock_without_end_ends_when_the_policy_says_and_can_be_taken_back() {
    let clock = clock();
    let mut rig = Rig::with(Arc::clone(&clock)).await;
    look(&mut rig, "host", 0, zone("host", "UTC")).await;
    let (_, item) = number(&rig.store).await;
    let now: Timestamp = clock.wall().into();
    let fixed = rig.ingest.fix(fixing(item, Some(("CET", i64::MAX)))).await.unwrap();
    assert_eq!(fixed, Some(now.plus(Duration::from_secs(365 * 24 * 3600))));
    rig.ingest.fix(fixing(item, None)).await.unwrap();
    assert_eq!(zones(&rig.store, At::Now).await, [text("UTC")]);
    assert_eq!(changes(&rig.store).await.len(), 2);
    let refused = rig.ingest.fix(fixing(item, None)).await.unwrap_err();
    assert!(matches!(refused, SubmitError::Refused { code: "NOT_FOUND", .. }), "{refused}");
    let over = rig.ingest.fix(fixing(item, Some(("CET", now.millis())))).await.unwrap_err();
    assert!(matches!(over, SubmitError::Refused { code: "VALIDATION_FAILED", .. }), "{over}");
}

#[tokio::test]
async fn a_source_that_falls_silent_hands_over_and_takes_back_without_a_new_word() {
    let clock = clock();
    let mut rig = Rig::with(Arc::clone(&clock)).await;
    look(&mut rig, "host", 0, zone("host", "UTC")).await;
    look(&mut rig, "snmp", 1_000, zone("agent", "CET")).await;
    clock.advance(Duration::from_secs(3600));
    rig.ingest.sweep().await.unwrap();
    assert_eq!(changes(&rig.store).await, [], "an estate that nobody looks at keeps its winners");
    look(&mut rig, "snmp", 8 * DAY, zone("agent", "CET")).await;
    assert_eq!(changes(&rig.store).await, []);
    clock.advance(Duration::from_secs(3600));
    rig.ingest.sweep().await.unwrap();
    assert_eq!(zones(&rig.store, At::Now).await, [text("CET"), text("UTC")]);
    assert_eq!(changes(&rig.store).await, [(Some(text("UTC")), Some(text("CET")))]);
    let page = Page { size: 1, after: None };
    let last = rig.store.changes(&ChangeFilter::default(), &page).await.unwrap();
    let turned = last.entries[0].1.observed_at;
    assert_eq!(turned, Timestamp::from_millis(START + 7 * DAY), "it follows from the item alone");
    rig.ingest.sweep().await.unwrap();
    assert_eq!(changes(&rig.store).await.len(), 1, "it is noted once");
    // The source speaks again, with nothing new to say, and the control plane starts anew before its turn.
    look(&mut rig, "host", 9 * DAY, zone("host", "UTC")).await;
    rig.ingest.stop().await;
    let (_database, store, ingest) = open_at(rig._folder.path(), 2, Arc::clone(&clock)).await;
    ingest.sweep().await.unwrap();
    assert_eq!(zones(&store, At::Now).await, [text("UTC"), text("CET")]);
    assert_eq!(changes(&store).await[0], (Some(text("CET")), Some(text("UTC"))));
    assert_eq!(changes(&store).await.len(), 2);
}
