//! Setting up, logging in, sessions.

use crate::support::{Answer, PASSWORD, Rig, Who, session_of};
use http::{StatusCode, header};
use serde_json::json;
use std::time::Duration;

async fn log_in(rig: &Rig, name: &str, password: &str) -> Answer {
    rig.post(&Who::Nobody, "/api/v1/login", json!({"name": name, "password": password})).await
}

#[tokio::test]
async fn a_wrong_setup_code_sets_nobody_up_and_the_right_one_works_once() {
    let rig = Rig::start().await;
    let set_up = |code: String| {
        let body = json!({"code": code, "name": "ann", "password": PASSWORD});
        async { rig.post(&Who::Nobody, "/api/v1/setup", body).await }
    };
    let wrong = set_up("AAAA-AAAA".into()).await;
    assert_eq!(
        (wrong.status, wrong.code().as_str()),
        (StatusCode::UNAUTHORIZED, "SETUP_CODE_WRONG")
    );
    let code = rig.server.setup_code().unwrap().to_owned();
    let file = rig.folder.path().join("state/setup-code");
    assert_eq!(std::fs::read_to_string(&file).unwrap().trim(), code);
    // However a person types it.
    assert_eq!(set_up(code.to_lowercase().replace('-', " ")).await.status, StatusCode::OK);
    assert!(!file.exists());
    assert_eq!(set_up(code).await.code(), "SETUP_DONE");
    rig.stop().await;
}

#[tokio::test]
async fn a_weak_password_does_not_use_the_code_up() {
    let rig = Rig::start().await;
    let code = rig.server.setup_code().unwrap();
    let body = json!({"code": code, "name": "ann", "password": "short"});
    let weak = rig.post(&Who::Nobody, "/api/v1/setup", body).await;
    assert_eq!(weak.code(), "VALIDATION_FAILED");
    rig.admin().await;
    rig.stop().await;
}

#[tokio::test]
async fn guessing_setup_codes_is_stopped() {
    let rig = Rig::start().await;
    let body = json!({"code": "AAAA-AAAA", "name": "ann", "password": PASSWORD});
    let mut last = rig.post(&Who::Nobody, "/api/v1/setup", body.clone()).await;
    for _ in 0..20 {
        last = rig.post(&Who::Nobody, "/api/v1/setup", body.clone()).await;
    }
    assert_eq!(
        (last.status, last.code().as_str()),
        (StatusCode::TOO_MANY_REQUESTS, "RATE_LIMITED")
    );
    assert!(last.headers.contains_key(header::RETRY_AFTER));
    rig.stop().await;
}

#[tokio::test]
async fn guessing_passwords_is_stopped_and_the_right_one_works_after_the_wait() {
    let rig = Rig::start().await;
    rig.admin().await;
    let (unknown, wrong) =
        (log_in(&rig, "bob", PASSWORD).await, log_in(&rig, "ann", "guess").await);
    // The answer does not tell which names exist.
    assert_eq!(unknown.json()["detail"], wrong.json()["detail"]);
    assert_eq!(wrong.code(), "LOGIN_FAILED");
    let mut last = wrong;
    for _ in 0..12 {
        last = log_in(&rig, "ann", "guess").await;
    }
    assert_eq!(last.status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(log_in(&rig, "ann", PASSWORD).await.code(), "RATE_LIMITED");
    let wait: u64 = last.headers[header::RETRY_AFTER].to_str().unwrap().parse().unwrap();
    rig.clock.advance(Duration::from_secs(wait + 1));
    assert_eq!(log_in(&rig, "Ann", PASSWORD).await.status, StatusCode::OK);
    rig.stop().await;
}

#[tokio::test]
async fn a_session_ends_by_itself_and_by_logging_out() {
    let rig = Rig::start().await;
    let admin = rig.admin().await;
    assert_eq!(rig.get(&admin, "/api/v1/session").await.json()["user"]["name"], "ann");
    rig.clock.advance(Duration::from_secs(13 * 3600));
    assert_eq!(rig.get(&admin, "/api/v1/session").await.json()["user"], json!(null));
    assert_eq!(rig.get(&admin, "/api/v1/items").await.code(), "UNAUTHENTICATED");

    let again = Who::Session(session_of(&log_in(&rig, "ann", PASSWORD).await));
    assert_eq!(rig.get(&again, "/api/v1/items").await.status, StatusCode::OK);
    assert_eq!(rig.post(&again, "/api/v1/logout", json!({})).await.status, StatusCode::NO_CONTENT);
    assert_eq!(rig.get(&again, "/api/v1/items").await.code(), "UNAUTHENTICATED");
    rig.stop().await;
}

#[tokio::test]
async fn a_reset_code_sets_a_new_password_for_its_person_only_and_ends_their_sessions() {
    let rig = Rig::start().await;
    let admin = rig.admin().await;
    let accounts = &rig.server.app().accounts;
    assert_eq!(accounts.reset_code("bob").await.unwrap(), None);
    let code = accounts.reset_code("ANN").await.unwrap().unwrap();
    let set_up = |name: &str| {
        let body = json!({"code": code, "name": name, "password": "another good password"});
        async { rig.post(&Who::Nobody, "/api/v1/setup", body).await }
    };
    assert_eq!(set_up("bob").await.code(), "VALIDATION_FAILED");
    assert_eq!(set_up("ann").await.status, StatusCode::OK);
    assert_eq!(rig.get(&admin, "/api/v1/items").await.code(), "UNAUTHENTICATED");
    assert_eq!(log_in(&rig, "ann", PASSWORD).await.code(), "LOGIN_FAILED");
    assert_eq!(log_in(&rig, "ann", "another good password").await.status, StatusCode::OK);
    rig.stop().await;
}
