//! GraphQL: what the catalog becomes, and what is refused before it runs.

use crate::support::{Rig, Session, Who};
use http::StatusCode;
use serde_json::{Value, json};

async fn described(rig: &Rig, admin: &Who) -> String {
    let (token, _) = rig.join_token(admin, 1).await;
    let agent = rig.enroll(&token).await.unwrap();
    let mut session = Session::open(&agent).await.unwrap();
    session.report_host("db1.example.net").await;
    let found = rig.get(admin, "/api/v1/items?class=host").await.json();
    found["items"][0]["id"].as_str().unwrap().to_owned()
}

fn first_error(answer: &Value) -> (&str, &Value) {
    let error = &answer["errors"][0]["extensions"];
    (error["code"].as_str().unwrap_or_default(), &error["params"])
}

#[tokio::test]
async fn an_item_is_asked_for_by_the_fields_of_its_class() {
    let rig = Rig::start().await;
    let admin = rig.admin().await;
    let id = described(&rig, &admin).await;
    let query = format!(
        r#"{{ item(id: "{id}") {{ id class state ... on Host {{ fqdn memoryBytes osCodename }}
            provenance(attribute: "fqdn") {{ value source {{ collector }} confidence }}
            changes(first: 5) {{ edges {{ node {{ kind revision }} }} }}
            parts(first: 1) {{ totalCount {{ value precision }} }} }} }}"#
    );
    let answer = rig.graphql(&admin, &query).await;
    assert_eq!(answer.status, StatusCode::OK);
    let answer = answer.json();
    let item = &answer["data"]["item"];
    assert_eq!(item["fqdn"], "db1.example.net", "{answer}");
    assert_eq!(item["memoryBytes"], 8_u64 << 30);
    assert_eq!(item["osCodename"], json!(null));
    assert_eq!(item["provenance"][0]["source"]["collector"], "host");
    assert_eq!(item["changes"]["edges"][0]["node"]["kind"], "CREATED");
    assert_eq!(item["parts"]["totalCount"], json!({"value": 0, "precision": "EXACT"}));
    assert!(answer["extensions"]["cost"]["cost"].as_u64().unwrap() > 0);
    rig.stop().await;
}

#[tokio::test]
async fn a_filter_is_typed_by_the_catalog() {
    let rig = Rig::start().await;
    let admin = rig.admin().await;
    described(&rig, &admin).await;
    let count = async |condition: &str| {
        let query = format!(
            r#"{{ items(first: 10, class: ["host"], where: [{condition}]) {{ totalCount {{ value }} edges {{ cursor }} }} }}"#
        );
        rig.graphql(&admin, &query).await.json()
    };
    let found = count(r#"{attribute: "memory_bytes", comparison: GREATER, value: 1000}"#).await;
    assert_eq!(found["data"]["items"]["totalCount"]["value"], 1, "{found}");
    let none = count(r#"{attribute: "fqdn", value: "db2"}"#).await;
    assert_eq!(none["data"]["items"]["totalCount"]["value"], 0, "{none}");
    let wrong = count(r#"{attribute: "memory_bytes", value: "much"}"#).await;
    assert_eq!(first_error(&wrong).0, "VALIDATION_FAILED");
    rig.stop().await;
}

#[tokio::test]
async fn queries_that_are_too_deep_wide_or_costly_are_refused_with_their_cost() {
    let rig = Rig::start().await;
    let admin = rig.admin().await;
    let deep = format!(
        "{{ node(id: \"x\") {{ ... on Item {{ {} id {} }} }} }}",
        "parent { ".repeat(20),
        "} ".repeat(20)
    );
    let wide = format!("{{ classes {{ {} }} }}", "name ".repeat(3000));
    let costly =
        "{ items(first: 500) { edges { node { relations(first: 500) { edges { cursor } } } } } }"
            .to_owned();
    let renamed: String = (0..100).map(|number| format!("a{number}: __typename ")).collect();
    let nested = "{".repeat(50_000);
    for (query, what) in [
        (deep, "depth"),
        (wide, "fields"),
        (costly, "cost"),
        (format!("{{ {renamed} }}"), "aliases"),
        (nested, "nesting"),
    ] {
        let answer = rig.graphql(&admin, &query).await;
        assert_eq!(answer.status, StatusCode::TOO_MANY_REQUESTS, "{what}");
        let answer = answer.json();
        let (code, params) = first_error(&answer);
        assert_eq!((code, &params["what"]), ("QUERY_TOO_COSTLY", &json!(what)));
        assert!(params["found"].as_u64() > params["limit"].as_u64(), "{params}");
    }
    rig.stop().await;
}

#[tokio::test]
async fn a_list_without_a_size_and_one_that_is_too_large_are_errors() {
    let rig = Rig::start().await;
    let admin = rig.admin().await;
    let missing = rig.graphql(&admin, "{ items { edges { cursor } } }").await.json();
    assert_eq!(first_error(&missing).0, "QUERY_SYNTAX");
    let large = rig.graphql(&admin, "{ items(first: 501) { edges { cursor } } }").await.json();
    assert_eq!(first_error(&large).0, "VALIDATION_FAILED");
    rig.stop().await;
}

#[tokio::test]
async fn the_schema_may_be_asked_for_by_tools() {
    let rig = Rig::start().await;
    let admin = rig.admin().await;
    let query = "{ __schema { types { name fields { name type { kind name ofType { kind name ofType { kind name ofType { name } } } } } } } }";
    let answer = rig.graphql(&admin, query).await.json();
    let types = answer["data"]["__schema"]["types"].as_array().unwrap();
    assert!(types.iter().any(|one| one["name"] == "ListeningEndpoint"));
    rig.stop().await;
}

#[tokio::test]
async fn an_item_that_is_not_there_is_null_with_its_reason_and_the_rest_is_answered() {
    let rig = Rig::start().await;
    let admin = rig.admin().await;
    let query =
        r#"{ item(id: "01900000-0000-7000-8000-000000000000") { id } relationships { name } }"#;
    let answer = rig.graphql(&admin, query).await;
    assert_eq!(answer.status, StatusCode::OK);
    let answer = answer.json();
    assert_eq!(answer["data"]["item"], json!(null));
    assert!(!answer["data"]["relationships"].as_array().unwrap().is_empty());
    assert_eq!(first_error(&answer).0, "NOT_FOUND");
    assert_eq!(answer["errors"][0]["path"], json!(["item"]));
    rig.stop().await;
}
