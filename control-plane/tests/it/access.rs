//! Tokens, scopes, roles, and requests that another site may have sent.

use crate::support::{Rig, Who};
use http::{Method, StatusCode};
use serde_json::json;
use std::time::Duration;

#[tokio::test]
async fn nobody_reads_anything_and_everybody_may_read_the_description() {
    let rig = Rig::start().await;
    for path in ["/items", "/classes", "/counts", "/agents", "/tokens", "/changes", "/events"] {
        let answer = rig.get(&Who::Nobody, &format!("/api/v1{path}")).await;
        assert_eq!(answer.code(), "UNAUTHENTICATED", "{path}");
    }
    assert_eq!(
        rig.graphql(&Who::Nobody, "{ classes { name } }").await.status,
        StatusCode::UNAUTHORIZED
    );
    assert_eq!(rig.get(&Who::Nobody, "/api/openapi.json").await.status, StatusCode::OK);
    rig.stop().await;
}

#[tokio::test]
async fn a_cookie_without_the_header_changes_nothing() {
    let rig = Rig::start().await;
    let admin = rig.admin().await;
    let mut request =
        rig.request(&admin, Method::POST, "/api/v1/tokens", Some(json!({"kind": "join"})));
    request.headers_mut().remove("x-dharma-csrf");
    assert_eq!(rig.send(request).await.code(), "CSRF_REQUIRED");
    let mut form =
        rig.request(&admin, Method::POST, "/api/v1/tokens", Some(json!({"kind": "join"})));
    form.headers_mut().insert("content-type", "text/plain".parse().unwrap());
    assert_eq!(rig.send(form).await.code(), "VALIDATION_FAILED");
    assert_eq!(rig.get(&admin, "/api/v1/tokens").await.json()["tokens"], json!([]));
    rig.stop().await;
}

#[tokio::test]
async fn a_token_does_what_its_scopes_say_and_nothing_more() {
    let rig = Rig::start().await;
    let admin = rig.admin().await;
    let (read, write) = (rig.token(&admin, &["read"]).await, rig.token(&admin, &["write"]).await);
    assert_eq!(rig.get(&read, "/api/v1/items").await.status, StatusCode::OK);
    let refused = rig.post(&read, "/api/v1/tokens", json!({"kind": "join"})).await;
    assert_eq!(refused.code(), "PERMISSION_DENIED");
    assert_eq!(
        rig.post(&write, "/api/v1/tokens", json!({"kind": "join"})).await.status,
        StatusCode::CREATED
    );
    let agent = "/api/v1/agents/01900000-0000-7000-8000-000000000000";
    assert_eq!(rig.delete(&write, agent).await.code(), "PERMISSION_DENIED");
    let beyond = json!({"kind": "service", "name": "x", "scopes": ["admin"]});
    assert_eq!(rig.post(&write, "/api/v1/tokens", beyond).await.code(), "PERMISSION_DENIED");
    rig.stop().await;
}

#[tokio::test]
async fn expired_revoked_cut_and_foreign_tokens_are_told_apart() {
    let rig = Rig::start().await;
    let admin = rig.admin().await;
    let token = rig.token(&admin, &["read"]).await;
    let Who::Token(text) = token.clone() else { unreachable!() };
    let cut = Who::Token(text.chars().take(text.len() - 1).collect());
    assert_eq!(rig.get(&cut, "/api/v1/items").await.code(), "TOKEN_INVALID");
    let other = Rig::start().await;
    let foreign = other.token(&other.admin().await, &["read"]).await;
    assert_eq!(rig.get(&foreign, "/api/v1/items").await.code(), "TOKEN_INVALID");
    other.stop().await;

    let secret = text.split('.').nth(1).unwrap();
    let listed = rig.get(&admin, "/api/v1/tokens").await.json();
    assert_eq!(listed["tokens"][0]["last_used_at"], json!(null));
    assert!(!listed.to_string().contains(secret), "a secret is listed");
    assert_eq!(rig.get(&token, "/api/v1/items").await.status, StatusCode::OK);
    let listed = rig.get(&admin, "/api/v1/tokens").await.json();
    assert!(listed["tokens"][0]["last_used_at"].is_string());

    rig.clock.advance(Duration::from_secs(91 * 24 * 3600));
    assert_eq!(rig.get(&token, "/api/v1/items").await.code(), "TOKEN_EXPIRED");
    rig.stop().await;
}

#[tokio::test]
async fn a_revoked_token_is_refused_at_once() {
    let rig = Rig::start().await;
    let admin = rig.admin().await;
    let token = rig.token(&admin, &["read"]).await;
    let id = rig.get(&admin, "/api/v1/tokens").await.json()["tokens"][0]["id"].clone();
    let path = format!("/api/v1/tokens/{}", id.as_str().unwrap());
    assert_eq!(rig.delete(&admin, &path).await.status, StatusCode::NO_CONTENT);
    assert_eq!(rig.get(&token, "/api/v1/items").await.code(), "TOKEN_REVOKED");
    rig.stop().await;
}

#[tokio::test]
async fn the_list_of_tokens_shows_every_kind_page_by_page_and_none_twice() {
    let rig = Rig::start().await;
    let admin = rig.admin().await;
    for number in 0..5 {
        let kind = if number % 2 == 0 {
            json!({"kind": "join"})
        } else {
            json!({"kind": "personal", "name": "mine"})
        };
        assert_eq!(rig.post(&admin, "/api/v1/tokens", kind).await.status, StatusCode::CREATED);
    }
    for size in [1, 2, 3, 5, 100] {
        let (mut ids, mut token) = (Vec::new(), String::new());
        loop {
            let path = format!("/api/v1/tokens?page_size={size}&page_token={token}");
            let page = rig.get(&admin, &path).await.json();
            let tokens = page["tokens"].as_array().unwrap();
            assert!(tokens.len() <= size, "{size}");
            ids.extend(tokens.iter().map(|token| token["id"].as_str().unwrap().to_owned()));
            token = page["next_page_token"].as_str().unwrap().to_owned();
            if token.is_empty() {
                break;
            }
        }
        let distinct: std::collections::BTreeSet<&String> = ids.iter().collect();
        assert_eq!((ids.len(), distinct.len()), (5, 5), "pages of {size}");
    }
    rig.stop().await;
}
