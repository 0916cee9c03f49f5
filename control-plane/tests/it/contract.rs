//! The same mistake has the same code by REST, GraphQL and gRPC.

use crate::support::{Rig, Who, code_of};
use proto::v1::query_client::QueryClient;
use proto::v1::{GetItemRequest, ListChangesRequest, ListItemsRequest};
use tonic::Request;
use tonic::transport::Endpoint;

const NOBODY: &str = "01900000-0000-7000-8000-000000000000";

/// One mistake, three ways; gRPC where its messages can make it.
struct Mistake {
    path: String,
    query: String,
    call: Option<Call>,
    code: &'static str,
}

enum Call {
    Get(GetItemRequest),
    Items(ListItemsRequest),
    Changes(ListChangesRequest),
}

fn mistake(path: &str, query: &str, call: Option<Call>, code: &'static str) -> Mistake {
    Mistake { path: path.into(), query: query.into(), call, code }
}

fn items(change: fn(&mut ListItemsRequest)) -> Option<Call> {
    let mut request = ListItemsRequest { page_size: 10, ..ListItemsRequest::default() };
    change(&mut request);
    Some(Call::Items(request))
}

fn get(id: &str) -> Option<Call> {
    Some(Call::Get(GetItemRequest { id: id.into(), at: 0 }))
}

fn mistakes_with_a_call() -> Vec<Mistake> {
    let toasters = ListChangesRequest {
        classes: vec!["toaster".into()],
        page_size: 10,
        ..ListChangesRequest::default()
    };
    vec![
        mistake(
            &format!("/items/{NOBODY}"),
            &format!("{{ item(id: \"{NOBODY}\") {{ id }} }}"),
            get(NOBODY),
            "NOT_FOUND",
        ),
        mistake("/items/x", "{ item(id: \"x\") { id } }", get("x"), "NOT_FOUND"),
        mistake(
            "/items?class=toaster",
            "{ items(first: 1, class: [\"toaster\"]) { edges { cursor } } }",
            items(|request| request.classes = vec!["toaster".into()]),
            "VALIDATION_FAILED",
        ),
        mistake(
            "/items?page_size=501",
            "{ items(first: 501) { edges { cursor } } }",
            items(|request| request.page_size = 501),
            "VALIDATION_FAILED",
        ),
        mistake(
            "/items?page_token=AAAAAAAAAAAAAAAA",
            "{ items(first: 1, after: \"AAAAAAAAAAAAAAAA\") { edges { cursor } } }",
            items(|request| request.page_token = "AAAAAAAAAAAAAAAA".into()),
            "PAGE_TOKEN_MISMATCH",
        ),
        mistake(
            "/items?parent=x",
            "{ items(first: 1, parent: \"x\") { edges { cursor } } }",
            items(|request| request.parent_id = "x".into()),
            "VALIDATION_FAILED",
        ),
        mistake(
            "/changes?class=toaster",
            "{ changes(first: 1, class: [\"toaster\"]) { edges { cursor } } }",
            Some(Call::Changes(toasters)),
            "VALIDATION_FAILED",
        ),
    ]
}

/// What gRPC's messages cannot get wrong.
fn mistakes_without_a_call() -> Vec<Mistake> {
    [
        ("/items?at=never", "{ items(first: 1, at: \"never\") { edges { cursor } } }"),
        ("/changes?since=never", "{ changes(first: 1, since: \"never\") { edges { cursor } } }"),
        (
            "/items?class=host&where=memory_bytes%3Dmuch",
            "{ items(first: 1, class: [\"host\"], where: [{attribute: \"memory_bytes\", value: \"much\"}]) { edges { cursor } } }",
        ),
    ]
    .map(|(path, query)| mistake(path, query, None, "VALIDATION_FAILED"))
    .into()
}

async fn grpc_code(rig: &Rig, who: &Who, call: Call) -> String {
    let endpoint = Endpoint::from_shared(rig.server.addresses().console.clone()).unwrap();
    let mut client = QueryClient::new(endpoint.connect().await.unwrap());
    let refused = match call {
        Call::Get(request) => client.get_item(with(request, who)).await.err(),
        Call::Items(request) => client.list_items(with(request, who)).await.err(),
        Call::Changes(request) => client.list_changes(with(request, who)).await.err(),
    };
    code_of(&refused.expect("the call is answered"))
}

fn with<T>(message: T, who: &Who) -> Request<T> {
    let mut request = Request::new(message);
    if let Who::Token(text) = who {
        request.metadata_mut().insert("authorization", format!("Bearer {text}").parse().unwrap());
    }
    request
}

fn graphql_code(answer: &serde_json::Value) -> &str {
    answer["errors"][0]["extensions"]["code"].as_str().unwrap_or_default()
}

#[tokio::test]
async fn the_same_mistake_has_the_same_code_everywhere() {
    let rig = Rig::start().await;
    let who = rig.token(&rig.admin().await, &["read"]).await;
    for mistake in mistakes_with_a_call().into_iter().chain(mistakes_without_a_call()) {
        let rest = rig.get(&who, &format!("/api/v1{}", mistake.path)).await.code();
        assert_eq!(rest, mistake.code, "{}", mistake.path);
        let graphql = rig.graphql(&who, &mistake.query).await.json();
        assert_eq!(graphql_code(&graphql), mistake.code, "{}: {graphql}", mistake.query);
        if let Some(call) = mistake.call {
            assert_eq!(grpc_code(&rig, &who, call).await, mistake.code, "{}", mistake.path);
        }
    }
    rig.stop().await;
}

#[tokio::test]
async fn who_may_not_ask_is_told_the_same_everywhere() {
    let rig = Rig::start().await;
    rig.admin().await;
    let invented = Who::Token("dh_svc_x".into());
    for (who, code) in [(Who::Nobody, "UNAUTHENTICATED"), (invented, "TOKEN_INVALID")] {
        assert_eq!(rig.get(&who, "/api/v1/items").await.code(), code);
        let graphql = rig.graphql(&who, "{ classes { name } }").await.json();
        // A wrong token is refused before the query is looked at, as a problem document.
        let found = graphql["code"].as_str().unwrap_or_else(|| graphql_code(&graphql));
        assert_eq!(found, code);
        let call = Call::Items(ListItemsRequest { page_size: 10, ..ListItemsRequest::default() });
        assert_eq!(grpc_code(&rig, &who, call).await, code);
    }
    rig.stop().await;
}
