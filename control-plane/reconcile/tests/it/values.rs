//! Which values win: what people fix, and what other policies change.

use crate::estate::{Estate, at, source};
use model::classes::host;
use model::decision::{ChangeWhat, Decision, Number};
use model::fold::Lock;
use model::policy::Policies;
use model::{Catalog, IdentityKey, KeyType, Name, Observation, Realm, SourceId, Timestamp, Value};
use reconcile::{Error, LockError};
use std::sync::Arc;

const ZONE: &str = "time_zone";

fn agent() -> SourceId {
    source("host", "agent-1")
}

fn ssh() -> SourceId {
    source("ssh", "berlin")
}

fn seen(name: &str, zone: &str) -> Observation {
    let mac = IdentityKey::new(KeyType::MacAddress, Realm::everywhere(), "3c:ec:ef:00:00:01");
    let machine = IdentityKey::new(
        KeyType::MachineId,
        Realm::everywhere(),
        "0f3c9be1a85c4a1c9f1b7a5f9ad2c7e1",
    );
    Observation::of(&host::CLASS, name).with(&host::TIME_ZONE, zone).key(mac).key(machine)
}

/// One host that two sources see.
fn one_host() -> (Estate, Number) {
    let mut estate = Estate::new();
    estate.look(&agent(), "os", &[seen("host", "UTC")], (at(0), false));
    estate.look(&ssh(), "hosts", &[seen("web", "CET")], (at(1), false));
    let item = estate.item(&agent(), "host").unwrap();
    assert_eq!(estate.item(&ssh(), "web"), Some(item));
    (estate, item)
}

fn lock(value: &str, since: Timestamp, until: Timestamp) -> Lock {
    let (attribute, value) = (Name::Borrowed(ZONE), Value::Text(value.into()));
    Lock { attribute, value, since, until, said_by: "ada".into() }
}

/// The changes of the time zone in a decision: item, before and after.
fn zones(decision: &Decision) -> Vec<(Number, Option<String>, Option<String>)> {
    let text = |value: &Option<Value>| value.as_ref().map(Value::to_line);
    let changes = decision.changes.iter().filter_map(|change| match &change.what {
        ChangeWhat::Attribute { name, before, after } if name == ZONE => {
            Some((change.item, text(before), text(after)))
        }
        _ => None,
    });
    changes.collect()
}

fn change(item: Number, before: &str, after: &str) -> (Number, Option<String>, Option<String>) {
    (item, Some(before.to_owned()), Some(after.to_owned()))
}

#[test]
fn what_makes_no_sense_is_not_fixed() {
    let (mut estate, item) = one_host();
    let past = lock("mine", at(10), at(10));
    let (said, decision) =
        estate.say(at(10), |known, past_of| known.lock(past_of, item, past, "so".into()));
    assert!(matches!(said, Err(LockError::Over)), "{said:?}");
    assert!(decision.is_empty());
    let nobody = lock("mine", at(10), at(20));
    let (said, _) = estate.say(at(10), |known, past| known.lock(past, 99, nobody, "so".into()));
    assert!(matches!(said, Err(LockError::UnknownItem)), "{said:?}");
    let (said, _) =
        estate.say(at(10), |known, past| known.unlock(past, item, &ZONE.into(), ("ada", at(10))));
    assert!(matches!(said, Err(LockError::NotLocked(_))), "{said:?}");
}

#[test]
fn a_lock_wins_over_every_later_word_until_its_time_is_over() {
    let (mut estate, item) = one_host();
    let mine = lock("mine", at(10), at(100));
    let (_, decision) =
        estate.say(at(10), |known, past| known.lock(past, item, mine, "so".into()).unwrap());
    assert_eq!(zones(&decision), [change(item, "UTC", "mine")]);
    assert_eq!(decision.locks.len(), 1);
    // Even a word from after its end: only the turn ends it, so that the change is noted once.
    let decision = estate.look(&agent(), "os", &[seen("host", "EST")], (at(200), false));
    assert_eq!(zones(&decision), []);
    let (ended, decision) =
        estate.say(at(99), |known, past| known.expire_locks(past, at(99), 10).unwrap());
    assert_eq!((ended, zones(&decision)), (0, vec![]));
    let (ended, decision) =
        estate.say(at(201), |known, past| known.expire_locks(past, at(201), 10).unwrap());
    assert_eq!((ended, zones(&decision)), (1, vec![change(item, "mine", "EST")]));
    assert_eq!(decision.locks_ended[0].at, at(100));
    let (ended, _) =
        estate.say(at(202), |known, past| known.expire_locks(past, at(202), 10).unwrap());
    assert_eq!(ended, 0);
}

#[test]
fn a_newer_lock_ends_the_one_before_and_taking_it_back_lets_sources_decide() {
    let (mut estate, item) = one_host();
    for (value, when) in [("one", 10), ("two", 20)] {
        let said = lock(value, at(when), at(1_000));
        estate.say(at(when), |known, past| known.lock(past, item, said, "so".into()).unwrap());
    }
    let (_, decision) = estate.say(at(30), |known, past| {
        known.unlock(past, item, &ZONE.into(), ("bob", at(30))).unwrap();
    });
    assert_eq!(zones(&decision), [change(item, "two", "UTC")]);
    assert_eq!(decision.locks_ended.len(), 1);
    assert_eq!(decision.locks_ended[0].ended_by, "bob");
}

#[test]
fn a_lock_goes_with_the_sighting_that_its_item_began_with() {
    let mut estate = Estate::new();
    let other = |zone: &str| Observation::of(&host::CLASS, "web").with(&host::TIME_ZONE, zone);
    estate.look(&ssh(), "hosts", &[other("CET")], (at(0), false));
    estate.look(&agent(), "os", &[seen("host", "UTC")], (at(1), false));
    let items = [estate.item(&ssh(), "web").unwrap(), estate.item(&agent(), "host").unwrap()];
    let mine = lock("mine", at(10), at(1_000));
    estate.say(at(10), |known, past| known.lock(past, items[1], mine, "so".into()).unwrap());
    // Merged into the older item: the lock wins there.
    let (wished, decision) =
        estate.say(at(20), |known, past| known.join(past, (items[0], items[1]), "ada").unwrap());
    assert_eq!(estate.item(&agent(), "host"), Some(items[0]));
    assert_eq!(zones(&decision), [change(items[0], "CET", "mine")]);
    // And back again.
    let (_, decision) = estate.say(at(30), |known, _| known.take_back(wished.action).unwrap());
    assert!(zones(&decision).contains(&change(items[0], "mine", "CET")), "{decision:?}");
    let decision = estate.look(&agent(), "os", &[seen("host", "EST")], (at(40), false));
    assert_eq!(zones(&decision), [], "it is fixed where it was");
    let (_, decision) = estate.say(at(50), |known, past| {
        known.unlock(past, items[1], &ZONE.into(), ("ada", at(50))).unwrap();
    });
    assert_eq!(zones(&decision), [change(items[1], "mine", "EST")]);
}

fn policies(trust: &str) -> Arc<Policies> {
    let text = format!("version = \"ours\"\n[trust]\n{trust}\n");
    Arc::new(Policies::in_rules(&Catalog::built_in(), &text).unwrap())
}

fn refold(estate: &mut Estate, when: Timestamp) -> (usize, Decision) {
    let (left, decision) =
        estate.say(when, |known, past| -> Result<usize, Error> { known.refold_some(past, 1) });
    (left.unwrap(), decision)
}

#[test]
fn other_policies_are_noted_once_for_each_item_whatever_comes_first() {
    let (mut estate, item) = one_host();
    let records = model_records(&estate, item);
    let other = policies("ssh = 99");
    let planned = estate.reconciler.changed_values(item, &records, &other);
    assert_eq!(planned.len(), 1);
    assert_eq!(planned[0].after, Some(Value::Text("CET".into())));
    assert_eq!(estate.reconciler.contested(), [item]);
    estate.reconciler.change_policies(Arc::clone(&other), 0);
    let (left, decision) = refold(&mut estate, at(10));
    assert_eq!((left, zones(&decision)), (0, vec![change(item, "UTC", "CET")]));
    assert_eq!(decision.refolded, Some(item));
    let (_, decision) = refold(&mut estate, at(11));
    assert!(decision.is_empty(), "{decision:?}");
    // The next word comes before its turn: it notes what the policies change, and the turn nothing more.
    estate.reconciler.change_policies(policies("ssh = 1"), 0);
    let decision = estate.look(&ssh(), "hosts", &[seen("web", "EET")], (at(12), false));
    assert_eq!(zones(&decision), [change(item, "CET", "UTC")]);
    let (left, decision) = refold(&mut estate, at(13));
    assert_eq!((left, zones(&decision)), (0, vec![]));
}

fn model_records(estate: &Estate, item: Number) -> Vec<model::decision::ObservationRecord> {
    reconcile::Past::observations_of(&estate.memory, item).unwrap()
}
