//! The review queue and what is held: listed, simulated, decided and taken back, through the real write path.

use crate::support::{Rig, Session, Who};
use http::StatusCode;
use model::classes::host;
use model::{IdentityKey, KeyType, Observation, Realm};
use serde_json::{Value, json};

fn guest(name: &str, machine: u32) -> Observation {
    Observation::of(&host::CLASS, name)
        .with(&host::FQDN, format!("{name}.example.net"))
        .key(IdentityKey::new(KeyType::MachineId, Realm::everywhere(), &format!("{machine:032x}")))
}

fn guests(machines: impl Iterator<Item = u32>) -> Vec<Observation> {
    machines.map(|machine| guest(&format!("guest{machine}"), machine)).collect()
}

async fn session(rig: &Rig, admin: &Who) -> Session {
    let (token, _) = rig.join_token(admin, 1).await;
    Session::open(&rig.enroll(&token).await.unwrap()).await.unwrap()
}

async fn hosts(rig: &Rig, who: &Who, state: &str) -> Vec<(String, String)> {
    let path = format!("/api/v1/items?class=host&page_size=500{state}");
    let found = rig.get(who, &path).await.json();
    let text = |item: &Value, name: &str| item[name].as_str().unwrap().to_owned();
    found["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| (text(item, "id"), text(item, "title")))
        .collect()
}

/// Two agents that see the same machine ids under other names: one possible pair for each of `machines`.
async fn pairs(machines: u32) -> (Rig, Who) {
    let rig = Rig::start().await;
    let admin = rig.admin().await;
    let seen = |side: &str| -> Vec<Observation> {
        (1..=machines).map(|machine| guest(&format!("{side}{machine}"), machine)).collect()
    };
    session(&rig, &admin).await.report("guests", &seen("a")).await;
    session(&rig, &admin).await.report("guests", &seen("b")).await;
    (rig, admin)
}

async fn queue(rig: &Rig, who: &Who) -> Vec<Value> {
    let found = rig.get(who, "/api/v1/identity/possible").await.json();
    found["pairs"].as_array().unwrap().clone()
}

#[tokio::test]
async fn the_queue_says_what_is_missing_and_comes_in_pages() {
    let (rig, admin) = pairs(3).await;
    let first = rig.get(&admin, "/api/v1/identity/possible?class=host&page_size=2").await.json();
    assert_eq!(first["pairs"].as_array().unwrap().len(), 2, "{first}");
    let pair = &first["pairs"][0];
    let of = |name: &str| pair[name].as_i64().unwrap();
    assert_eq!(of("missing_bits"), of("link_at") - of("bits"));
    let token = first["next_page_token"].as_str().unwrap();
    let next = format!("/api/v1/identity/possible?class=host&page_size=2&page_token={token}");
    let rest = rig.get(&admin, &next).await.json();
    assert_eq!(rest["pairs"].as_array().unwrap().len(), 1, "{rest}");
    assert_eq!(rest["next_page_token"], "");
    let other = format!("/api/v1/identity/possible?page_token={token}");
    assert_eq!(rig.get(&admin, &other).await.code(), "PAGE_TOKEN_MISMATCH");
    let none = rig.get(&admin, "/api/v1/identity/possible?class=hardware").await.json();
    assert_eq!(none["pairs"], json!([]));
    let unknown = rig.get(&admin, "/api/v1/identity/possible?class=toaster").await;
    assert_eq!(unknown.code(), "VALIDATION_FAILED");
    rig.stop().await;
}

#[tokio::test]
async fn the_evidence_of_a_pair_stands_side_by_side() {
    let (rig, admin) = pairs(1).await;
    let pair = &queue(&rig, &admin).await[0];
    let id = |end: &str| pair[end]["id"].as_str().unwrap().to_owned();
    let path = format!("/api/v1/identity/comparison?item={}&other={}", id("item"), id("other"));
    let found = rig.get(&admin, &path).await.json();
    assert_eq!(found["bits"], pair["bits"], "{found}");
    let reason = &found["reasons"][0];
    assert_eq!((&reason["key_type"], &reason["item_values"]), (&json!("machine_id"), &json!([])));
    assert_eq!(reason["value"], format!("{:032x}", 1));
    let same = format!("/api/v1/identity/comparison?item={0}&other={0}", id("item"));
    assert_eq!(rig.get(&admin, &same).await.code(), "VALIDATION_FAILED");
    let half = format!("/api/v1/identity/comparison?item={}", id("item"));
    assert_eq!(rig.get(&admin, &half).await.code(), "VALIDATION_FAILED");
    rig.stop().await;
}

#[tokio::test]
async fn a_simulation_says_what_then_happens_and_does_nothing() {
    let (rig, admin) = pairs(1).await;
    let before = hosts(&rig, &admin, "").await;
    let pair = queue(&rig, &admin).await[0].clone();
    let (item, other) = (&pair["item"]["id"], &pair["other"]["id"]);
    let word = json!({"say": "join", "item": item, "other": other});
    let reader = rig.token(&admin, &["read"]).await;
    for _ in 0..2 {
        let found = rig.post(&reader, "/api/v1/identity/simulate", word.clone()).await.json();
        assert_eq!((&found["merges"], &found["splits"]), (&json!(1), &json!(0)), "{found}");
        let outcome = &found["outcomes"][0];
        assert_eq!(outcome["item"]["id"], *other, "the older id stays");
        assert_eq!(outcome["absorbed"][0]["id"], *item);
        assert_eq!(outcome["sightings"], 2);
        let names: Vec<&str> = outcome["changes"]
            .as_array()
            .unwrap()
            .iter()
            .map(|change| change["name"].as_str().unwrap())
            .collect();
        assert!(names.iter().all(|name| *name == "fqdn"), "{outcome}");
        assert_eq!(hosts(&rig, &admin, "").await, before, "a simulation changes nothing");
        assert_eq!(queue(&rig, &admin).await.len(), 1);
    }
    let found = rig.post(&admin, "/api/v1/identity/simulate", word.clone()).await.json();
    let title = found["outcomes"][0]["title"].clone();
    let words = json!({"words": [word]});
    rig.post(&admin, "/api/v1/identity/words", words).await;
    let after = hosts(&rig, &admin, "").await;
    assert_eq!(after.len(), 1, "it was done as it was simulated");
    assert_eq!((json!(after[0].0), json!(after[0].1)), (other.clone(), title));

    let why = rig.get(&admin, &format!("/api/v1/items/{}/explanation", after[0].0)).await.json();
    let sighting = &why["sightings"][1]["sighting"];
    let divide = json!({"say": "divide", "item": after[0].0, "sightings": [sighting]});
    let found = rig.post(&admin, "/api/v1/identity/simulate", divide).await.json();
    assert_eq!((&found["merges"], &found["splits"]), (&json!(0), &json!(1)), "{found}");
    assert_eq!(hosts(&rig, &admin, "").await.len(), 1);
    let nonsense = json!({"say": "join", "item": after[0].0, "other": after[0].0});
    let refused = rig.post(&admin, "/api/v1/identity/simulate", nonsense).await;
    assert_eq!(refused.code(), "VALIDATION_FAILED");
    rig.stop().await;
}

#[tokio::test]
async fn many_words_are_said_at_once_and_a_wrong_one_keeps_none_from_counting() {
    let (rig, admin) = pairs(3).await;
    let found = queue(&rig, &admin).await;
    let say = |pair: &Value, say: &str| json!({"say": say, "item": pair["item"]["id"], "other": pair["other"]["id"]});
    let nobody = json!({"say": "join", "item": found[0]["item"]["id"],
        "other": "01900000-0000-7000-8000-000000000000"});
    let words = json!({"words": [
        say(&found[0], "join"), nobody, say(&found[1], "keep_apart"), say(&found[2], "join")]});
    let reader = rig.token(&admin, &["read"]).await;
    let path = "/api/v1/identity/words";
    assert_eq!(rig.post(&reader, path, words.clone()).await.code(), "PERMISSION_DENIED");
    let said = rig.post(&admin, path, words).await.json();
    let results = said["results"].as_array().unwrap();
    let codes: Vec<&Value> = results.iter().map(|result| &result["code"]).collect();
    assert_eq!(codes, [&Value::Null, &json!("NOT_FOUND"), &Value::Null, &Value::Null], "{said}");
    assert_eq!(hosts(&rig, &admin, "").await.len(), 4);
    assert_eq!(queue(&rig, &admin).await, Vec::<Value>::new());
    let back: Vec<Value> = results
        .iter()
        .filter(|result| result["action"].is_u64())
        .map(|result| json!({"say": "take_back", "action": result["action"]}))
        .collect();
    rig.post(&admin, path, json!({"words": back})).await;
    assert_eq!(hosts(&rig, &admin, "").await.len(), 6);
    assert_eq!(queue(&rig, &admin).await.len(), 3, "all of them wait again");
    let many: Vec<Value> = (0..101).map(|_| say(&found[0], "join")).collect();
    for wrong in [json!({"words": many}), json!({"words": []}), json!({"words": [{"say": "fly"}]})]
    {
        let refused = rig.post(&admin, path, wrong).await;
        assert!(refused.status.is_client_error(), "{refused:?}");
    }
    rig.stop().await;
}

async fn held(rig: &Rig, who: &Who) -> Vec<Value> {
    let found = rig.get(who, "/api/v1/held-retirements").await.json();
    found["held_retirements"].as_array().unwrap().clone()
}

/// Fifteen guests of which the last look saw two, and what is held of that.
async fn held_guests(rig: &Rig, admin: &Who) -> (Session, String) {
    let mut session = session(rig, admin).await;
    session.report("guests", &guests(1..=15)).await;
    session.report("guests", &guests(1..=2)).await;
    let found = held(rig, admin).await;
    assert_eq!(found.len(), 1, "{found:?}");
    (session, found[0]["id"].as_str().unwrap().to_owned())
}

#[tokio::test]
async fn approving_retires_exactly_what_was_held_and_a_return_keeps_its_id() {
    let rig = Rig::start().await;
    let admin = rig.admin().await;
    // Another source sees guest 15 too: it is not gone.
    session(&rig, &admin).await.report("guests", &guests(15..=15)).await;
    let others = hosts(&rig, &admin, "").await;
    let (mut session, id) = held_guests(&rig, &admin).await;
    let pairs = queue(&rig, &admin).await;
    let join = json!({"item": pairs[0]["item"]["id"], "other": pairs[0]["other"]["id"]});
    rig.post(&admin, "/api/v1/identity/join", join).await;
    let before = hosts(&rig, &admin, "").await;
    assert_eq!(before.len(), 15);

    let path = |what: &str| format!("/api/v1/held-retirements/{id}/{what}");
    let first = rig.get(&admin, &format!("{}?page_size=9", path("items"))).await.json();
    assert_eq!((&first["total"], first["items"].as_array().unwrap().len()), (&json!(13), 9));
    let token = first["next_page_token"].as_str().unwrap();
    let rest = rig.get(&admin, &format!("{}?page_size=9&page_token={token}", path("items"))).await;
    let rest = rest.json();
    assert_eq!(rest["items"].as_array().unwrap().len(), 4, "{rest}");
    assert_eq!(rest["next_page_token"], "");

    let reader = rig.token(&admin, &["read"]).await;
    let refused = rig.post(&reader, &path("approve"), json!({})).await;
    assert_eq!(refused.code(), "PERMISSION_DENIED");
    assert_eq!(hosts(&rig, &admin, "").await.len(), 15);
    let approved = rig.post(&admin, &path("approve"), json!({})).await;
    assert_eq!(approved.json(), json!({"retired": 12}), "one is seen by another source");
    let mut left: Vec<String> =
        hosts(&rig, &admin, "").await.into_iter().map(|(_, title)| title).collect();
    left.sort();
    assert_eq!(left, ["guest1.example.net", "guest15.example.net", "guest2.example.net"]);
    assert!(hosts(&rig, &admin, "").await.iter().any(|(id, _)| *id == others[0].0));
    assert_eq!(held(&rig, &admin).await, Vec::<Value>::new());
    assert_eq!(rig.post(&admin, &path("approve"), json!({})).await.code(), "NOT_FOUND");

    session.report("guests", &guests(1..=15)).await;
    let mut again = hosts(&rig, &admin, "").await;
    let mut known = before;
    again.sort();
    known.sort();
    assert_eq!(again, known, "they came back under their ids");
    rig.stop().await;
}

#[tokio::test]
async fn what_is_dismissed_stays_and_the_next_look_that_misses_as_much_is_held_again() {
    let rig = Rig::start().await;
    let admin = rig.admin().await;
    let (mut session, id) = held_guests(&rig, &admin).await;
    let path = format!("/api/v1/held-retirements/{id}/dismiss");
    let reader = rig.token(&admin, &["read"]).await;
    assert_eq!(rig.post(&reader, &path, json!({})).await.code(), "PERMISSION_DENIED");
    let dismissed = rig.post(&admin, &path, json!({})).await;
    assert_eq!(dismissed.status, StatusCode::NO_CONTENT);
    assert_eq!(held(&rig, &admin).await, Vec::<Value>::new());
    assert_eq!(hosts(&rig, &admin, "&state=active").await.len(), 15);
    assert_eq!(rig.post(&admin, &path, json!({})).await.code(), "NOT_FOUND");

    session.report("guests", &guests(1..=2)).await;
    let again = held(&rig, &admin).await;
    assert_eq!((&again[0]["count"], &again[0]["of"]), (&json!(13), &json!(15)), "{again:?}");
    assert_ne!(again[0]["id"], json!(id), "it is another look");
    assert_eq!(hosts(&rig, &admin, "&state=active").await.len(), 15);
    rig.stop().await;
}

#[tokio::test]
async fn a_word_about_an_older_look_is_refused_and_what_was_seen_since_stays() {
    let rig = Rig::start().await;
    let admin = rig.admin().await;
    let (mut session, id) = held_guests(&rig, &admin).await;
    session.report("guests", &guests(1..=14)).await;
    assert_eq!(held(&rig, &admin).await, Vec::<Value>::new(), "a look that misses one settles it");
    for what in ["approve", "dismiss"] {
        let path = format!("/api/v1/held-retirements/{id}/{what}");
        assert_eq!(rig.post(&admin, &path, json!({})).await.code(), "NOT_FOUND");
    }
    assert_eq!(hosts(&rig, &admin, "&state=active").await.len(), 14);
    for wrong in ["x", "1", "1-", "-1", "99999999999-1", "1-2-3"] {
        let path = format!("/api/v1/held-retirements/{wrong}/approve");
        assert_eq!(rig.post(&admin, &path, json!({})).await.code(), "NOT_FOUND", "{wrong}");
    }
    rig.stop().await;
}
