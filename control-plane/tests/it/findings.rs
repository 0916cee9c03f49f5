//! What a person should look at: found by the real write path, shown by REST and GraphQL, and by nobody else's right.

use crate::support::{Agent, Rig, Session, Who};
use http::StatusCode;
use model::classes::host;
use model::{IdentityKey, KeyType, Observation, Realm};
use serde_json::{Value, json};

/// Hosts that a collector sees from outside, each an item of its own.
fn guests(machine_ids: impl Iterator<Item = u32>) -> Vec<Observation> {
    let guest = |id: u32| {
        Observation::of(&host::CLASS, format!("guest{id}"))
            .with(&host::FQDN, format!("guest{id}.example.net"))
            .key(IdentityKey::new(KeyType::MachineId, Realm::everywhere(), &format!("{id:032x}")))
    };
    machine_ids.map(guest).collect()
}

async fn agent(rig: &Rig, admin: &Who) -> (Agent, Session) {
    let (token, _) = rig.join_token(admin, 1).await;
    let agent = rig.enroll(&token).await.unwrap();
    let session = Session::open(&agent).await.unwrap();
    (agent, session)
}

async fn list(rig: &Rig, who: &Who, path: &str, name: &str) -> Vec<Value> {
    rig.get(who, path).await.json()[name].as_array().unwrap().clone()
}

#[tokio::test]
async fn two_items_that_share_a_machine_id_are_shown_as_possibly_one_at_both_of_them() {
    let rig = Rig::start().await;
    let admin = rig.admin().await;
    let (_first, mut first_session) = agent(&rig, &admin).await;
    let (_second, mut second_session) = agent(&rig, &admin).await;
    first_session.report("guests", &guests(1..=2)).await;
    let all = "/api/v1/possible-duplicates";
    assert_eq!(list(&rig, &admin, all, "possible_duplicates").await, Vec::<Value>::new());
    second_session.report("guests", &guests(2..=3)).await;

    let found = list(&rig, &admin, all, "possible_duplicates").await;
    assert_eq!(found.len(), 1, "{found:?}");
    let pair = &found[0];
    assert_eq!(pair["bits"], 18);
    assert_ne!(pair["item"]["id"], pair["other"]["id"]);
    for end in ["item", "other"] {
        assert_eq!(pair[end]["title"], "guest2.example.net");
        let id = pair[end]["id"].as_str().unwrap();
        let of_item = list(&rig, &admin, &format!("{all}?item={id}"), "possible_duplicates").await;
        assert_eq!(of_item, found);
    }
    let query = "{ possibleDuplicates(first: 10) { edges { bits foundAt item { id } other { title firstSeen } } } }";
    let answer = rig.graphql(&admin, query).await.json();
    let edge = &answer["data"]["possibleDuplicates"]["edges"][0];
    assert_eq!(edge["item"]["id"], pair["item"]["id"], "{answer}");
    assert_eq!(edge["foundAt"], pair["found_at"]);
    assert!(edge["other"]["firstSeen"].is_string(), "{answer}");
    rig.stop().await;
}

#[tokio::test]
async fn a_look_that_misses_most_of_its_scope_is_shown_as_held_for_its_agent_only() {
    let rig = Rig::start().await;
    let admin = rig.admin().await;
    let (own, mut session) = agent(&rig, &admin).await;
    let (other, _other_session) = agent(&rig, &admin).await;
    session.report("guests", &guests(1..=15)).await;
    let path = |agent: &Agent| format!("/api/v1/held-retirements?agent={}", agent.id());
    let before = list(&rig, &admin, &path(&own), "held_retirements").await;
    assert_eq!(before, Vec::<Value>::new());
    session.report("guests", &guests(1..=2)).await;

    let held = list(&rig, &admin, &path(&own), "held_retirements").await;
    assert_eq!(held.len(), 1, "{held:?}");
    assert_eq!((&held[0]["count"], &held[0]["of"]), (&json!(13), &json!(15)));
    assert_eq!((&held[0]["scope"], &held[0]["agent_id"]), (&json!("guests"), &json!(own.id())));
    assert_eq!(list(&rig, &admin, &path(&other), "held_retirements").await, Vec::<Value>::new());
    let hosts = rig.get(&admin, "/api/v1/counts?class=host").await.json();
    assert_eq!(hosts["total"], 15, "held, and gone all the same: {hosts}");
    let query = "{ heldRetirements(first: 1) { edges { scope count of source { collector } } \
                 pageInfo { hasNextPage } } }";
    let answer = rig.graphql(&admin, query).await.json();
    let edge = &answer["data"]["heldRetirements"]["edges"][0];
    assert_eq!(
        edge,
        &json!({"scope": "guests", "count": 13, "of": 15, "source": {"collector": "host"}})
    );
    rig.stop().await;
}

#[tokio::test]
async fn findings_are_refused_to_strangers_and_a_wrong_question_is_named() {
    let rig = Rig::start().await;
    let admin = rig.admin().await;
    for path in ["/api/v1/held-retirements", "/api/v1/possible-duplicates"] {
        assert_eq!(rig.get(&Who::Nobody, path).await.status, StatusCode::UNAUTHORIZED);
        let invalid = "VALIDATION_FAILED";
        let wrong = [
            ("page_size=0", invalid),
            ("page_size=501", invalid),
            ("color=red", invalid),
            ("page_token=x", "PAGE_TOKEN_MISMATCH"),
        ];
        for (parameter, code) in wrong {
            let answer = rig.get(&admin, &format!("{path}?{parameter}")).await;
            assert_eq!(answer.json()["code"], code, "{path}?{parameter}: {answer:?}");
        }
    }
    for wrong in ["held-retirements?agent=x", "possible-duplicates?item=x"] {
        let answer = rig.get(&admin, &format!("/api/v1/{wrong}")).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{wrong}");
    }
    rig.stop().await;
}
