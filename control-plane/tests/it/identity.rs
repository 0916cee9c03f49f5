//! Which sightings are one item: explained, decided by people, taken back, and planned, through the real write path.

use crate::support::{Rig, Session, Who};
use http::{Method, StatusCode};
use model::classes::host;
use model::{IdentityKey, KeyType, Observation, Realm};
use serde_json::{Value, json};

fn guest(name: &str, machine: u32) -> Observation {
    Observation::of(&host::CLASS, name)
        .with(&host::FQDN, format!("{name}.example.net"))
        .key(IdentityKey::new(KeyType::MachineId, Realm::everywhere(), &format!("{machine:032x}")))
}

async fn session(rig: &Rig, admin: &Who) -> Session {
    let (token, _) = rig.join_token(admin, 1).await;
    Session::open(&rig.enroll(&token).await.unwrap()).await.unwrap()
}

async fn hosts(rig: &Rig, who: &Who) -> Vec<Value> {
    let found = rig.get(who, "/api/v1/items?class=host").await.json();
    found["items"].as_array().unwrap().clone()
}

fn id(item: &Value) -> String {
    item["id"].as_str().unwrap().to_owned()
}

/// Two hosts that share a machine id and nothing else, each seen by an agent of its own.
async fn two_hosts() -> (Rig, Who, [String; 2]) {
    let rig = Rig::start().await;
    let admin = rig.admin().await;
    session(&rig, &admin).await.report("guests", &[guest("a", 0x12ab)]).await;
    session(&rig, &admin).await.report("guests", &[guest("b", 0x12ab)]).await;
    let found = hosts(&rig, &admin).await;
    let ids = [id(&found[0]), id(&found[1])];
    (rig, admin, ids)
}

#[tokio::test]
async fn a_person_joins_two_items_and_takes_it_back_and_no_id_is_lost() {
    let (rig, admin, [one, other]) = two_hosts().await;
    let body = json!({"item": one, "other": other});
    let reader = rig.token(&admin, &["read"]).await;
    assert_eq!(
        rig.post(&reader, "/api/v1/identity/join", body.clone()).await.code(),
        "PERMISSION_DENIED"
    );
    let said = rig.post(&admin, "/api/v1/identity/join", body.clone()).await.json();
    assert_eq!(hosts(&rig, &admin).await.len(), 1);
    let left = id(&hosts(&rig, &admin).await[0]);
    let gone = if left == one { &other } else { &one };
    let led = rig.get(&admin, &format!("/api/v1/items/{gone}")).await;
    assert_eq!(led.status, StatusCode::TEMPORARY_REDIRECT, "a merge can be taken back");
    assert_eq!(led.headers["location"], format!("/api/v1/items/{left}"));
    let again = rig.post(&admin, "/api/v1/identity/join", body).await;
    assert_eq!(again.code(), "VALIDATION_FAILED");
    let decisions = rig.get(&reader, "/api/v1/identity/decisions").await.json();
    assert_eq!(decisions["decisions"][0]["action"], said["action"]);
    assert_eq!(decisions["decisions"][0]["kind"], "joined");
    let taken = rig.delete(&admin, &format!("/api/v1/identity/decisions/{}", said["action"])).await;
    assert_eq!(taken.status, StatusCode::NO_CONTENT);
    let mut ids: Vec<String> = hosts(&rig, &admin).await.iter().map(id).collect();
    ids.sort();
    let mut expected = vec![one, other];
    expected.sort();
    assert_eq!(ids, expected);
    rig.stop().await;
}

#[tokio::test]
async fn an_explanation_says_what_speaks_for_another_item_and_what_is_missing() {
    let (rig, admin, [one, other]) = two_hosts().await;
    let found = rig.get(&admin, &format!("/api/v1/items/{one}/explanation")).await.json();
    assert_eq!(found["sightings"].as_array().unwrap().len(), 1);
    let rival = &found["rivals"][0];
    assert_eq!(rival["item"]["id"], other);
    assert_eq!(rival["reasons"][0]["key_type"], "machine_id");
    assert_eq!(
        rival["missing_bits"],
        found["link_at"].as_i64().unwrap() - rival["bits"].as_i64().unwrap()
    );
    let nobody = rig.get(&admin, "/api/v1/items/0190b2a4-0000-7000-8000-000000000000/explanation");
    assert_eq!(nobody.await.status, StatusCode::NOT_FOUND);
    rig.stop().await;
}

#[tokio::test]
async fn other_rules_are_planned_without_effect_and_applied_with_it() {
    let (rig, admin, _) = two_hosts().await;
    let text = "version = \"generous\"\n[class.host]\nlink_at = 12\n";
    let plan = rig.post(&admin, "/api/v1/identity/rules/plan", json!({"text": text})).await.json();
    assert_eq!((&plan["merges"], &plan["splits"]), (&json!(1), &json!(0)), "{plan}");
    assert_eq!(hosts(&rig, &admin).await.len(), 2, "a plan changes nothing");
    let broken = json!({"text": "version = \"x\"\n[default]\nlinks = 3"});
    let refused = rig.post(&admin, "/api/v1/identity/rules/plan", broken).await;
    assert_eq!(refused.code(), "VALIDATION_FAILED");
    let body = json!({"text": text});
    let request = rig.request(&admin, Method::PUT, "/api/v1/identity/rules", Some(body));
    assert_eq!(rig.send(request).await.status, StatusCode::ACCEPTED);
    crate::support::eventually("the rules to be applied", || async {
        let rules = rig.get(&admin, "/api/v1/identity/rules").await.json();
        (rules["rules"][0]["is_applied"] == json!(true)).then_some(())
    })
    .await;
    assert_eq!(hosts(&rig, &admin).await.len(), 1);
    rig.stop().await;
}
