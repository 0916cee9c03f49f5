//! REST: filters, pages, and everything that is wrong with a request.

use crate::support::{Rig, Session, Who};
use http::{Method, StatusCode};
use model::Observation;
use model::classes::package;
use serde_json::json;

/// A described host with as many packages.
async fn described(rig: &Rig, admin: &Who, packages: usize) {
    let (token, _) = rig.join_token(admin, 1).await;
    let agent = rig.enroll(&token).await.unwrap();
    let mut session = Session::open(&agent).await.unwrap();
    session.report_host("db1.example.net").await;
    let seen: Vec<Observation> = (0..packages)
        .map(|number| {
            let name = format!("p{number:03}");
            Observation::part(&package::CLASS, "host", &["dpkg", &name, "amd64"])
                .with(&package::VERSION, "1".to_owned())
        })
        .collect();
    session.report("packages.dpkg", &seen).await;
}

#[tokio::test]
async fn pages_lead_through_everything_once() {
    let rig = Rig::start().await;
    let admin = rig.admin().await;
    described(&rig, &admin, 25).await;
    let (mut titles, mut token) = (Vec::new(), String::new());
    loop {
        let path = format!("/api/v1/items?class=package&page_size=7&page_token={token}");
        let page = rig.get(&admin, &path).await.json();
        let items = page["items"].as_array().unwrap();
        titles.extend(items.iter().map(|item| item["title"].as_str().unwrap().to_owned()));
        token = page["next_page_token"].as_str().unwrap().to_owned();
        if token.is_empty() {
            break;
        }
    }
    assert_eq!(titles.len(), 25);
    assert!(titles.is_sorted());
    let counts = rig.get(&admin, "/api/v1/counts?class=package").await.json();
    assert_eq!(counts["total"], 25);
    assert!(counts["classes"].as_array().unwrap().iter().any(|one| one["class"] == "host"));
    assert_eq!(counts["agents"]["total"], 1);
    rig.stop().await;
}

#[tokio::test]
async fn a_page_token_of_another_question_is_refused() {
    let rig = Rig::start().await;
    let admin = rig.admin().await;
    described(&rig, &admin, 5).await;
    let page = rig.get(&admin, "/api/v1/items?class=package&page_size=2").await.json();
    let token = page["next_page_token"].as_str().unwrap();
    for other in ["class=host", "class=package&text=p", "class=package&order=changed"] {
        let path = format!("/api/v1/items?{other}&page_size=2&page_token={token}");
        assert_eq!(rig.get(&admin, &path).await.code(), "PAGE_TOKEN_MISMATCH", "{other}");
    }
    let path = format!("/api/v1/changes?page_token={token}");
    assert_eq!(rig.get(&admin, &path).await.code(), "PAGE_TOKEN_MISMATCH");
    rig.stop().await;
}

#[tokio::test]
async fn filters_hold_by_attribute_text_and_parent() {
    let rig = Rig::start().await;
    let admin = rig.admin().await;
    described(&rig, &admin, 5).await;
    let total = async |query: &str| {
        let answer = rig.get(&admin, &format!("/api/v1/items?{query}")).await;
        answer.json()["items"].as_array().unwrap_or_else(|| panic!("{query}: {answer:?}")).len()
    };
    let host = rig.get(&admin, "/api/v1/items?class=host").await.json();
    let host = host["items"][0]["id"].as_str().unwrap();
    assert_eq!(total("class=host&where=memory_bytes%3E%3D1000").await, 1);
    assert_eq!(total("class=host&q_memory_bytes=%3C1000").await, 0);
    assert_eq!(total("class=package&where=name%3Dp001").await, 1);
    assert_eq!(total("class=package&q_name=!p001").await, 4);
    assert_eq!(total("text=db1").await, 1);
    assert_eq!(total(&format!("parent={host}")).await, 5);
    assert_eq!(total("class=host,package&state=active").await, 6);
    let relations = rig.get(&admin, &format!("/api/v1/items/{host}/relations")).await.json();
    assert_eq!(relations["relations"].as_array().unwrap().len(), 5);
    let history =
        rig.get(&admin, &format!("/api/v1/items/{host}/changes?with_parts=true")).await.json();
    assert!(history["changes"].as_array().unwrap().len() >= 6);
    rig.stop().await;
}

#[tokio::test]
async fn everything_that_is_wrong_with_a_request_has_a_code_and_names_what_it_is() {
    let rig = Rig::start().await;
    let admin = rig.admin().await;
    for (path, parameter) in [
        ("/api/v1/items?colour=red", "colour"),
        ("/api/v1/items?class=toaster", "class"),
        ("/api/v1/items?state=asleep", "state"),
        ("/api/v1/items?page_size=0", "page_size"),
        ("/api/v1/items?page_size=501", "page_size"),
        ("/api/v1/items?order=size", "order"),
        ("/api/v1/items?at=yesterday", "at"),
        ("/api/v1/items?parent=x", "parent"),
        ("/api/v1/items?where=name", "where"),
        ("/api/v1/items?page_size=1&page_size=2", "page_size"),
        ("/api/v1/changes?since=never", "since"),
        ("/api/v1/events?after=x", "after"),
    ] {
        let answer = rig.get(&admin, path).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{path}");
        assert_eq!(answer.headers["content-type"], "application/problem+json");
        let problem = answer.json();
        assert_eq!(
            (&problem["code"], &problem["params"]["parameter"]),
            (&json!("VALIDATION_FAILED"), &json!(parameter)),
            "{path}"
        );
        assert_eq!(answer.headers["x-request-id"], problem["request_id"].as_str().unwrap());
    }
    let unknown = rig.get(&admin, "/api/v1/items/01900000-0000-7000-8000-000000000000").await;
    assert_eq!((unknown.status, unknown.code().as_str()), (StatusCode::NOT_FOUND, "NOT_FOUND"));
    let method = rig.send(rig.request(&admin, Method::PUT, "/api/v1/items", None)).await;
    assert_eq!(
        (method.status, method.code().as_str()),
        (StatusCode::METHOD_NOT_ALLOWED, "METHOD_NOT_ALLOWED")
    );
    rig.stop().await;
}

#[tokio::test]
async fn a_body_that_is_too_large_unknown_or_no_json_is_refused() {
    let rig = Rig::start().await;
    let admin = rig.admin().await;
    let large = json!({"kind": "join", "name": "x".repeat(2 * 1024 * 1024)});
    let answer = rig.post(&admin, "/api/v1/tokens", large).await;
    assert_eq!(
        (answer.status, answer.code().as_str()),
        (StatusCode::PAYLOAD_TOO_LARGE, "BODY_TOO_LARGE")
    );
    for body in [
        json!({"kind": "join", "colour": "red"}),
        json!([]),
        json!({"kind": "golden"}),
        json!({"kind": "join", "uses": 0}),
    ] {
        assert_eq!(rig.post(&admin, "/api/v1/tokens", body).await.code(), "VALIDATION_FAILED");
    }
    rig.stop().await;
}

#[tokio::test]
async fn a_name_that_another_site_points_here_is_refused() {
    let rig = Rig::start().await;
    let admin = rig.admin().await;
    let mut request = rig.request(&admin, Method::GET, "/api/v1/items", None);
    request.headers_mut().insert("host", "evil.example:7400".parse().unwrap());
    let answer = rig.send(request).await;
    assert_eq!(
        (answer.status, answer.code().as_str()),
        (StatusCode::MISDIRECTED_REQUEST, "HOST_REFUSED")
    );
    rig.stop().await;
}

#[tokio::test]
async fn a_code_leads_to_its_page_and_readiness_is_told() {
    let rig = Rig::start().await;
    let page = rig.get(&Who::Nobody, "/docs/errors/TOKEN_USED_UP").await;
    assert!(page.bytes.starts_with(b"# TOKEN_USED_UP"));
    assert_eq!(rig.get(&Who::Nobody, "/docs/errors/NO_SUCH_CODE").await.code(), "NOT_FOUND");
    assert_eq!(rig.get(&Who::Nobody, "/healthz").await.status, StatusCode::OK);
    assert_eq!(rig.get(&Who::Nobody, "/readyz").await.status, StatusCode::OK);
    let script = rig.get(&Who::Nobody, "/install.sh").await;
    let script = String::from_utf8(script.bytes.to_vec()).unwrap();
    assert!(script.starts_with("#!/bin/sh") && script.contains(&rig.server.addresses().enroll));
    rig.stop().await;
}
