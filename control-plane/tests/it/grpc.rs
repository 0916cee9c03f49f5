//! gRPC on the console's port: questions, a watch, health and reflection.

use crate::support::{PATIENCE, Rig, Session, Who, code_of};
use proto::v1::query_client::QueryClient;
use proto::v1::{GetItemRequest, ListItemsRequest, WatchRequest};
use tonic::Request;
use tonic::transport::{Channel, Endpoint};

async fn channel(rig: &Rig) -> Channel {
    let endpoint = Endpoint::from_shared(rig.server.addresses().console.clone()).unwrap();
    endpoint.connect().await.unwrap()
}

fn with<T>(message: T, who: &Who) -> Request<T> {
    let mut request = Request::new(message);
    let Who::Token(text) = who else { panic!("gRPC takes tokens") };
    request.metadata_mut().insert("authorization", format!("Bearer {text}").parse().unwrap());
    request
}

#[tokio::test]
async fn items_are_listed_and_a_watch_tells_every_change_from_a_revision_on() {
    let rig = Rig::start().await;
    let admin = rig.admin().await;
    let who = rig.token(&admin, &["read"]).await;
    let (token, _) = rig.join_token(&admin, 1).await;
    let agent = rig.enroll(&token).await.unwrap();
    let mut session = Session::open(&agent).await.unwrap();
    session.report_host("db1.example.net").await;

    let mut client = QueryClient::new(channel(&rig).await);
    let request = ListItemsRequest {
        classes: vec!["host".into()],
        page_size: 10,
        ..ListItemsRequest::default()
    };
    let listed = client.list_items(with(request, &who)).await.unwrap().into_inner();
    let item = listed.items.first().unwrap().clone();
    assert_eq!(item.title, "db1.example.net");
    let request = GetItemRequest { id: item.id.clone(), at: 0 };
    assert_eq!(client.get_item(with(request, &who)).await.unwrap().into_inner(), item);

    let request = WatchRequest { after_revision: item.revision, classes: vec!["host".into()] };
    let mut changes = client.watch(with(request, &who)).await.unwrap().into_inner();
    session.report_host("db2.example.net").await;
    let change = tokio::time::timeout(PATIENCE, changes.message()).await.unwrap().unwrap().unwrap();
    assert_eq!((change.item_id, change.kind), (item.id, "attribute_changed".to_owned()));
    assert!(change.revision > item.revision);
    drop(changes);

    let request = WatchRequest { after_revision: u64::MAX, classes: Vec::new() };
    let lagged = client.watch(with(request, &who)).await.err().unwrap();
    assert_eq!(code_of(&lagged), "SUBSCRIPTION_LAGGED");
    rig.stop().await;
}

#[tokio::test]
async fn health_and_reflection_are_answered_to_whoever_asks() {
    use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
    use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
    use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;
    let rig = Rig::start().await;
    let mut health = tonic_health::pb::health_client::HealthClient::new(channel(&rig).await);
    let request = tonic_health::pb::HealthCheckRequest { service: "dharma.v1.Query".into() };
    assert_eq!(health.check(request).await.unwrap().into_inner().status, 1);

    let ask = tonic_reflection::pb::v1::ServerReflectionRequest {
        host: String::new(),
        message_request: Some(MessageRequest::ListServices(String::new())),
    };
    let mut reflection = ServerReflectionClient::new(channel(&rig).await);
    let mut answers =
        reflection.server_reflection_info(tokio_stream::iter([ask])).await.unwrap().into_inner();
    let answer = answers.message().await.unwrap().unwrap().message_response.unwrap();
    let MessageResponse::ListServicesResponse(services) = answer else { panic!("{answer:?}") };
    assert!(services.service.iter().any(|service| service.name == "dharma.v1.Query"));
    rig.stop().await;
}
