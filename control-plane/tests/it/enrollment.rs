//! Join tokens: used once, used twice, used at the same time, expired, revoked, invented; and what the person sees.

use crate::support::{Rig, Who, code_of};
use http::StatusCode;
use pki::AgentKey;
use serde_json::json;
use std::time::Duration;

async fn refusal(rig: &Rig, token: &str) -> String {
    code_of(&rig.enroll(token).await.err().expect("the token is accepted"))
}

#[tokio::test]
async fn a_token_that_was_used_is_refused_to_another_key() {
    let rig = Rig::start().await;
    let admin = rig.admin().await;
    let (token, id) = rig.join_token(&admin, 1).await;
    rig.enroll(&token).await.unwrap();
    assert_eq!(refusal(&rig, &token).await, "TOKEN_USED_UP");
    let steps = rig.get(&admin, &format!("/api/v1/onboarding/{id}")).await.json();
    assert_eq!(steps["steps"][2]["state"], "failed");
    let detail = steps["steps"][2]["detail"].as_str().unwrap();
    assert!(detail.contains("make a new one"), "{detail}");
    rig.stop().await;
}

#[tokio::test]
async fn of_many_agents_with_a_token_for_one_exactly_one_joins() {
    let rig = Rig::start().await;
    let admin = rig.admin().await;
    let (token, _) = rig.join_token(&admin, 1).await;
    let attempts = (0..16).map(|_| rig.enroll(&token));
    let outcomes = futures::future::join_all(attempts).await;
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1);
    for refused in outcomes.iter().filter_map(|outcome| outcome.as_ref().err()) {
        assert_eq!(code_of(refused), "TOKEN_USED_UP");
    }
    let agents = rig.get(&admin, "/api/v1/agents").await.json();
    assert_eq!(agents["agents"].as_array().unwrap().len(), 1);
    rig.stop().await;
}

#[tokio::test]
async fn an_agent_whose_answer_was_lost_asks_again_and_stays_the_same_agent() {
    let rig = Rig::start().await;
    let admin = rig.admin().await;
    let (token, _) = rig.join_token(&admin, 1).await;
    let key = AgentKey::generate().unwrap();
    let first = rig.enroll_with(&token, key.clone()).await.unwrap();
    let second = rig.enroll_with(&token, key.clone()).await.unwrap();
    let third = rig.enroll_with(&token, key.clone()).await.unwrap();
    assert_eq!((first.id(), first.id()), (second.id(), third.id()));
    assert_ne!(first.answer.certificate_chain, third.answer.certificate_chain);
    crate::support::Session::open(&third).await.unwrap();
    // Once the certificate is in use, nothing was lost: the token is used up for this key too.
    let replayed = rig.enroll_with(&token, key).await.err().expect("a replay is accepted");
    assert_eq!(code_of(&replayed), "TOKEN_USED_UP");
    rig.stop().await;
}

#[tokio::test]
async fn expired_revoked_and_invented_tokens_are_told_apart() {
    let rig = Rig::start().await;
    let admin = rig.admin().await;
    let (expired, expired_id) = rig.join_token(&admin, 1).await;
    rig.clock.advance(Duration::from_secs(3700));
    assert_eq!(refusal(&rig, &expired).await, "TOKEN_EXPIRED");
    let steps = rig.get(&admin, &format!("/api/v1/onboarding/{expired_id}")).await.json();
    assert_eq!(steps["steps"][2]["state"], "failed");

    let (revoked, id) = rig.join_token(&admin, 1).await;
    let path = format!("/api/v1/tokens/{id}");
    assert_eq!(rig.delete(&admin, &path).await.status, StatusCode::NO_CONTENT);
    assert_eq!(refusal(&rig, &revoked).await, "TOKEN_REVOKED");

    let cut: String = revoked.chars().take(revoked.len() - 1).collect();
    for invented in ["", "dj_x", "dh_pat_x.y.z", &cut] {
        assert_eq!(refusal(&rig, invented).await, "TOKEN_INVALID", "{invented}");
    }
    assert_eq!(rig.get(&admin, "/api/v1/agents").await.json()["agents"], json!([]));
    rig.stop().await;
}

#[tokio::test]
async fn a_token_of_another_control_plane_is_no_token_here() {
    let (rig, other) = (Rig::start().await, Rig::start().await);
    let foreign = other.join_token(&other.admin().await, 1).await.0;
    // The agent itself refuses first: the pin in the token is not this control plane's.
    let refused = rig.enroll(&foreign).await.err().expect("a foreign token is accepted");
    assert_eq!(code_of(&refused), "", "{refused}");
    assert_eq!(rig.get(&rig.admin().await, "/api/v1/agents").await.json()["agents"], json!([]));
    other.stop().await;
    rig.stop().await;
}

#[tokio::test]
async fn a_bad_signing_request_costs_no_use_of_the_token() {
    let rig = Rig::start().await;
    let admin = rig.admin().await;
    let (token, _) = rig.join_token(&admin, 1).await;
    let fleet = &rig.server.app().fleet;
    for signing_request in [Vec::new(), vec![0x30; 300], vec![0; 5000]] {
        let attempt = control_plane::fleet::EnrollAttempt {
            token: token.clone(),
            signing_request,
            evidence: store::fleet::AgentEvidence::default(),
            version: String::new(),
            address: "127.0.0.1:1".parse().unwrap(),
        };
        let refused = fleet.enroll(attempt).await.expect_err("a bad request is signed");
        let refused = control_plane::api::error::ApiError::from(refused);
        assert_eq!(refused.code.name(), "SIGNING_REQUEST_INVALID");
    }
    rig.enroll(&token).await.unwrap();
    rig.stop().await;
}

#[tokio::test]
async fn one_leaked_token_cannot_be_tried_without_end() {
    let rig = Rig::start().await;
    let admin = rig.admin().await;
    let (token, _) = rig.join_token(&admin, 1).await;
    let attempts = (0..150).map(|_| rig.enroll(&token));
    let outcomes = futures::future::join_all(attempts).await;
    let limited = outcomes
        .iter()
        .filter_map(|outcome| outcome.as_ref().err())
        .filter(|refused| code_of(refused) == "RATE_LIMITED")
        .count();
    assert!(limited > 0);
    rig.stop().await;
}

#[tokio::test]
async fn the_person_sees_each_step_and_what_to_do_while_it_waits() {
    let rig = Rig::start().await;
    let admin = rig.admin().await;
    let (token, id) = rig.join_token(&admin, 1).await;
    let path = format!("/api/v1/onboarding/{id}");
    let states = |steps: &serde_json::Value| -> Vec<String> {
        let steps = steps["steps"].as_array().unwrap();
        steps.iter().map(|step| step["state"].as_str().unwrap().to_owned()).collect()
    };
    let waiting = rig.get(&admin, &path).await.json();
    assert_eq!(states(&waiting), ["waiting"; 4]);
    let agent = rig.enroll(&token).await.unwrap();
    let joined = rig.get(&admin, &path).await.json();
    assert_eq!(states(&joined), ["done", "done", "done", "waiting"]);
    assert_eq!(joined["agent_id"], agent.id());
    let mut session = crate::support::Session::open(&agent).await.unwrap();
    session.report_host("db1.example.net").await;
    let described = rig.get(&admin, &path).await.json();
    assert_eq!(states(&described), ["done"; 4]);
    assert!(described["item_id"].is_string());
    assert_eq!(rig.get(&Who::Nobody, &path).await.code(), "UNAUTHENTICATED");
    rig.stop().await;
}

#[tokio::test]
async fn a_machine_that_does_not_recognize_the_control_plane_is_a_hint_to_who_waits_and_no_failure()
{
    let (rig, other) = (Rig::start().await, Rig::start().await);
    let admin = rig.admin().await;
    let (token, waiting) = rig.join_token(&admin, 1).await;
    let (foreign, _) = other.join_token(&other.admin().await, 1).await;
    // The pin of the other one's token: this client ends the handshake here and sends nothing.
    rig.enroll(&foreign).await.err().expect("an agent with another pin joined");
    let path = format!("/api/v1/onboarding/{waiting}");
    let shown = crate::support::eventually("the hint", || async {
        let shown = rig.get(&admin, &path).await.json();
        (shown["hints"] != json!([])).then_some(shown)
    })
    .await;
    let detail = shown["hints"][0]["detail"].as_str().unwrap();
    assert!(detail.contains("127.0.0.1") && detail.contains("authority"), "{detail}");
    assert_eq!(shown["steps"][0]["state"], "waiting");

    // Who begins to wait afterwards is not told, nor who has an agent by now.
    rig.clock.advance(Duration::from_secs(1));
    let (_, later) = rig.join_token(&admin, 1).await;
    let of_later = rig.get(&admin, &format!("/api/v1/onboarding/{later}")).await.json();
    assert_eq!(of_later["hints"], json!([]));
    rig.enroll(&token).await.unwrap();
    assert_eq!(rig.get(&admin, &path).await.json()["hints"], json!([]));
    rig.stop().await;
    other.stop().await;
}
