//! Requests that are asked again: reads with the tag of what is known, creations with the key of the first time; and
//! what a caller is told that they may do.

use crate::support::{Answer, PASSWORD, Rig, Session, Who, session_of};
use http::{HeaderValue, Method, StatusCode};
use serde_json::{Value, json};

async fn with(rig: &Rig, who: &Who, request: Asked<'_>, header: (&'static str, &str)) -> Answer {
    let mut asked = rig.request(who, request.method, request.path, request.body);
    asked.headers_mut().insert(header.0, HeaderValue::from_str(header.1).unwrap());
    rig.send(asked).await
}

/// A request without its header.
struct Asked<'a> {
    method: Method,
    path: &'a str,
    body: Option<Value>,
}

fn read(path: &str) -> Asked<'_> {
    Asked { method: Method::GET, path, body: None }
}

fn wanted(body: &Value) -> Asked<'_> {
    Asked { method: Method::POST, path: "/api/v1/tokens", body: Some(body.clone()) }
}

async fn token_count(rig: &Rig, who: &Who) -> usize {
    let page = rig.get(who, "/api/v1/tokens").await.json();
    page["tokens"].as_array().unwrap().len()
}

#[tokio::test]
async fn an_item_that_is_known_is_not_sent_again_until_it_changes() {
    let rig = Rig::start().await;
    let admin = rig.admin().await;
    let (token, _) = rig.join_token(&admin, 1).await;
    let agent = rig.enroll(&token).await.unwrap();
    let mut session = Session::open(&agent).await.unwrap();
    session.report_host("db1.example.net").await;
    let items = rig.get(&admin, "/api/v1/items?class=host").await.json();
    let path = format!("/api/v1/items/{}", items["items"][0]["id"].as_str().unwrap());
    let first = rig.get(&admin, &path).await;
    assert_eq!(first.headers["content-type"], "application/json");
    assert_eq!(first.headers["cache-control"], "private, no-cache");
    let tag = first.headers["etag"].to_str().unwrap().to_owned();

    let nobody = with(&rig, &Who::Nobody, read(&path), ("if-none-match", &tag)).await;
    assert_eq!(nobody.status, StatusCode::UNAUTHORIZED, "a tag opens nothing");
    let unknown = "/api/v1/items/01900000-0000-7000-8000-000000000000";
    let unknown = with(&rig, &admin, read(unknown), ("if-none-match", "*")).await;
    assert_eq!(unknown.status, StatusCode::NOT_FOUND);
    let other = with(&rig, &admin, read(&path), ("if-none-match", "\"x\"")).await;
    assert_eq!((other.status, other.bytes), (StatusCode::OK, first.bytes));

    let known = with(&rig, &admin, read(&path), ("if-none-match", &tag)).await;
    assert_eq!(known.status, StatusCode::NOT_MODIFIED);
    assert!(known.bytes.is_empty() && known.headers["etag"] == tag.as_str());

    session.report_host("db2.example.net").await;
    let changed = with(&rig, &admin, read(&path), ("if-none-match", &tag)).await;
    assert_eq!(changed.status, StatusCode::OK);
    assert_eq!(changed.json()["title"], "db2.example.net");
    assert_ne!(changed.headers["etag"], tag.as_str());
    rig.stop().await;
}

#[tokio::test]
async fn a_token_that_is_asked_for_again_by_the_same_key_is_the_same_token() {
    let rig = Rig::start().await;
    let admin = rig.admin().await;
    let body = json!({"kind": "join", "uses": 3, "site": "berlin"});
    let key = ("idempotency-key", "8e03978e-40d5-43e8-bc93-6894a57f9324");
    let first = with(&rig, &admin, wanted(&body), key).await;
    assert_eq!(first.status, StatusCode::CREATED, "{first:?}");
    assert_eq!(first.headers["cache-control"], "no-store");
    let again = with(&rig, &admin, wanted(&body), key).await;
    assert_eq!((again.status, &again.bytes), (StatusCode::CREATED, &first.bytes));
    assert_eq!(token_count(&rig, &admin).await, 1);

    let other = json!({"kind": "join", "uses": 4, "site": "berlin"});
    let reused = with(&rig, &admin, wanted(&other), key).await;
    assert_eq!(
        (reused.status, reused.code().as_str()),
        (StatusCode::UNPROCESSABLE_ENTITY, "IDEMPOTENCY_REUSED")
    );
    let wrong = with(&rig, &admin, wanted(&body), ("idempotency-key", "a b")).await;
    assert_eq!(wrong.code(), "VALIDATION_FAILED");
    assert_eq!(token_count(&rig, &admin).await, 1);

    // The same person in another session is the same person; without a key everybody gets a token of their own.
    let login = json!({"name": "ann", "password": PASSWORD});
    let session = rig.post(&Who::Nobody, "/api/v1/login", login).await;
    let session = Who::Session(session_of(&session));
    let later = with(&rig, &session, wanted(&body), key).await;
    assert_eq!(later.bytes, first.bytes);
    assert_ne!(rig.post(&admin, "/api/v1/tokens", body).await.bytes, first.bytes);
    rig.stop().await;
}

#[tokio::test]
async fn a_key_of_somebody_else_or_of_a_refused_request_means_nothing() {
    let rig = Rig::start().await;
    let admin = rig.admin().await;
    let key = ("idempotency-key", "one");
    let refused = json!({"kind": "join", "uses": 0});
    assert_eq!(with(&rig, &admin, wanted(&refused), key).await.code(), "VALIDATION_FAILED");
    let good = json!({"kind": "join", "uses": 1});
    let first = with(&rig, &admin, wanted(&good), key).await;
    assert_eq!(first.status, StatusCode::CREATED, "what failed is forgotten: {first:?}");

    let reader = rig.token(&admin, &["read"]).await;
    assert_eq!(with(&rig, &reader, wanted(&good), key).await.code(), "PERMISSION_DENIED");
    let writer = rig.token(&admin, &["write"]).await;
    let other = with(&rig, &writer, wanted(&good), key).await;
    assert_eq!(other.status, StatusCode::CREATED);
    assert_ne!(other.bytes, first.bytes, "a program never sees the token of a person");
    rig.stop().await;
}

#[tokio::test]
async fn a_caller_is_told_what_they_may_and_what_is_missing() {
    let rig = Rig::start().await;
    let admin = rig.admin().await;
    assert_eq!(rig.get(&Who::Nobody, "/api/v1/can").await.code(), "UNAUTHENTICATED");
    for wrong in ["/api/v1/can?action=fly", "/api/v1/can?target=x"] {
        assert_eq!(rig.get(&admin, wrong).await.code(), "VALIDATION_FAILED", "{wrong}");
    }
    let all = rig.get(&admin, "/api/v1/can").await;
    assert_eq!(all.headers["cache-control"], "no-store");
    let all = all.json();
    let actions = all["actions"].as_array().unwrap();
    assert_eq!(actions.len(), 9);
    assert!(actions.iter().all(|one| one["is_allowed"] == true && one.get("reason").is_none()));

    let reader = rig.token(&admin, &["read"]).await;
    let asked = rig.get(&reader, "/api/v1/can?action=agents_revoke,items_read").await.json();
    let [read, revoke] = asked["actions"].as_array().unwrap().as_slice() else {
        panic!("{asked}");
    };
    assert_eq!((&read["action"], &read["is_allowed"]), (&json!("items_read"), &json!(true)));
    assert_eq!(
        (&revoke["is_allowed"], &revoke["code"]),
        (&json!(false), &json!("PERMISSION_DENIED"))
    );
    // What is told here is what is then said.
    let agent = "/api/v1/agents/01900000-0000-7000-8000-000000000000";
    assert_eq!(rig.delete(&reader, agent).await.json()["detail"], revoke["reason"]);
    rig.stop().await;
}
