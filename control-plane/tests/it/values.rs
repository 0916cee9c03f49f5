//! Which values win, over HTTP: what people fix, and what other rules would change.

use crate::support::{Answer, Rig, Session, Who};
use http::{Method, StatusCode};
use model::classes::host;
use model::{IdentityKey, KeyType, Observation, Realm};
use serde_json::{Value, json};

/// One host as one of its sources sees it.
fn guest(name: &str, zone: &str) -> Observation {
    let key = IdentityKey::new(KeyType::CloudId, Realm::everywhere(), "aws/i-0123456789abcdef0");
    Observation::of(&host::CLASS, name)
        .with(&host::FQDN, "db1.example.net")
        .with(&host::TIME_ZONE, zone)
        .key(key)
}

/// The agent's id.
async fn report(rig: &Rig, admin: &Who, seen: Observation) -> String {
    let (token, _) = rig.join_token(admin, 1).await;
    let agent = rig.enroll(&token).await.unwrap();
    Session::open(&agent).await.unwrap().report("guests", &[seen]).await;
    agent.id()
}

async fn the_host(rig: &Rig, who: &Who) -> Value {
    let found = rig.get(who, "/api/v1/items?class=host").await.json();
    assert_eq!(found["items"].as_array().unwrap().len(), 1, "{found}");
    found["items"][0].clone()
}

async fn put(rig: &Rig, who: &Who, path: &str, body: Value) -> Answer {
    rig.send(rig.request(who, Method::PUT, path, Some(body))).await
}

#[tokio::test]
async fn a_person_fixes_a_value_and_takes_it_back() {
    let rig = Rig::start().await;
    let admin = rig.admin().await;
    report(&rig, &admin, guest("a", "UTC")).await;
    let id = the_host(&rig, &admin).await["id"].as_str().unwrap().to_owned();
    let path = |attribute: &str| format!("/api/v1/items/{id}/locks/{attribute}");
    let body = |value: Value| json!({"value": value, "why": "it is so"});
    let reader = rig.token(&admin, &["read"]).await;
    let denied = put(&rig, &reader, &path("time_zone"), body(json!("CET"))).await;
    assert_eq!(denied.code(), "PERMISSION_DENIED");
    for (attribute, body) in [
        ("time_zone", body(json!(4))),
        ("memory_bytes", body(json!("4"))),
        ("colour", body(json!("red"))),
        ("load_1m", body(json!(1.5))),
        ("time_zone", json!({"value": "CET", "why": " "})),
        ("time_zone", json!({"why": "no value"})),
        ("time_zone", json!({"value": "CET", "why": "w", "until": "2001-01-01T00:00:00Z"})),
    ] {
        let refused = put(&rig, &admin, &path(attribute), body.clone()).await;
        assert_eq!(refused.code(), "VALIDATION_FAILED", "{attribute} {body}");
    }
    let nobody = "/api/v1/items/0190b2a4-0000-7000-8000-000000000000/locks/time_zone";
    assert_eq!(put(&rig, &admin, nobody, body(json!("CET"))).await.status, StatusCode::NOT_FOUND);
    assert_eq!(rig.delete(&admin, &path("time_zone")).await.status, StatusCode::NOT_FOUND);

    let fixed = put(&rig, &admin, &path("time_zone"), body(json!("CET"))).await;
    assert_eq!(fixed.status, StatusCode::OK, "{fixed:?}");
    let values = the_host(&rig, &reader).await["attributes"]["time_zone"].clone();
    assert_eq!((&values[0]["value"], &values[1]["value"]), (&json!("CET"), &json!("UTC")));
    assert_eq!(values[0]["source"]["collector"], "user");
    let why = format!("/api/v1/items/{id}/attributes/time_zone/explanation");
    assert_eq!(rig.get(&reader, &why).await.json()["reason"], "lock");
    let locks = rig.get(&reader, &format!("/api/v1/items/{id}/locks")).await.json();
    assert_eq!(locks["locks"][0]["why"], "it is so");
    assert_eq!(locks["locks"][0]["until"], fixed.json()["until"]);
    assert_eq!(rig.delete(&admin, &path("time_zone")).await.status, StatusCode::NO_CONTENT);
    let values = the_host(&rig, &reader).await["attributes"]["time_zone"].clone();
    assert_eq!(values.as_array().unwrap().len(), 1, "{values}");
    let changes = rig.get(&reader, &format!("/api/v1/items/{id}/changes")).await.json();
    let last = &changes["changes"][0];
    assert_eq!((&last["before"], &last["after"]), (&json!("CET"), &json!("UTC")), "{changes}");
    assert_eq!(last["source"]["collector"], "user", "a person did it");
    rig.stop().await;
}

#[tokio::test]
async fn a_plan_lists_the_values_that_other_rules_would_change() {
    let rig = Rig::start().await;
    let admin = rig.admin().await;
    let first = report(&rig, &admin, guest("a", "UTC")).await;
    report(&rig, &admin, guest("b", "CET")).await;
    let before = the_host(&rig, &admin).await["attributes"]["time_zone"][0]["value"].clone();
    assert_eq!(before, "CET", "of two sources that are believed alike the newer word wins");
    let id = the_host(&rig, &admin).await["id"].as_str().unwrap().to_owned();
    let why = format!("/api/v1/items/{id}/attributes/time_zone/explanation");
    let why = rig.get(&admin, &why).await.json();
    assert_eq!((&why["reason"], &why["strategy"]), (&json!("strategy"), &json!("trusted")));
    assert_eq!(why["words"].as_array().unwrap().len(), 2, "{why}");
    assert_eq!(why["words"][0]["score_thousandths"], 900);
    let unseen = format!("/api/v1/items/{id}/attributes/colour/explanation");
    assert_eq!(rig.get(&admin, &unseen).await.status, StatusCode::NOT_FOUND);
    let text = format!("version = \"ours\"\n[trust]\n\"host:{first}\" = 99\n");
    let plan = rig.post(&admin, "/api/v1/identity/rules/plan", json!({"text": text})).await.json();
    assert_eq!((&plan["merges"], &plan["changed_values"]), (&json!(0), &json!(1)), "{plan}");
    let changed = &plan["changed"][0];
    assert_eq!((&changed["before"], &changed["after"]), (&json!("CET"), &json!("UTC")));
    assert_eq!(changed["item"]["title"], "db1.example.net");
    let broken = json!({"text": "version = \"ours\"\n[[policy]]\nclass = \"host\"\nattribute = \"fqdn\"\nstrategy = \"biggest\"\n"});
    let refused = rig.post(&admin, "/api/v1/identity/rules/plan", broken).await;
    assert_eq!(refused.code(), "VALIDATION_FAILED");
    assert!(refused.json()["detail"].as_str().unwrap().contains("line 5"), "{refused:?}");
    let applied = put(&rig, &admin, "/api/v1/identity/rules", json!({"text": text})).await;
    assert_eq!(applied.status, StatusCode::ACCEPTED);
    crate::support::eventually("the changed value to be in the history", || async {
        let item = the_host(&rig, &admin).await;
        let id = item["id"].as_str().unwrap();
        let changes = rig.get(&admin, &format!("/api/v1/items/{id}/changes")).await.json();
        let last = &changes["changes"][0];
        (last["before"] == "CET" && last["after"] == "UTC").then_some(())
    })
    .await;
    rig.stop().await;
}
