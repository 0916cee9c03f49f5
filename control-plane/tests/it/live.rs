//! The event stream and the subscription: every change once, in order, resumable.

use crate::support::{PATIENCE, Rig, Session, Who};
use futures::{SinkExt, StreamExt};
use http::{Method, StatusCode, header};
use http_body_util::BodyExt;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};

/// The events of a stream, read one by one.
struct Events {
    body: hyper::body::Incoming,
    text: String,
}

impl Events {
    async fn open(rig: &Rig, who: &Who, path: &str, last_event_id: Option<&str>) -> Self {
        let mut request = rig.request(who, Method::GET, path, None);
        if let Some(id) = last_event_id {
            request.headers_mut().insert("last-event-id", id.parse().unwrap());
        }
        let client = Client::builder(TokioExecutor::new()).build_http();
        let answer = client.request(request).await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
        assert_eq!(answer.headers()[header::CONTENT_TYPE], "text/event-stream");
        Self { body: answer.into_body(), text: String::new() }
    }

    /// The next event of this name: its id and its data.
    async fn next(&mut self, wanted: &str) -> (String, Value) {
        loop {
            while let Some(end) = self.text.find("\n\n") {
                let event: String = self.text.drain(..end + 2).collect();
                let field = |name: &str| {
                    let line = event.lines().find_map(|line| line.strip_prefix(name));
                    line.map(|value| value.trim_start_matches(':').trim().to_owned())
                        .unwrap_or_default()
                };
                if field("event") == wanted {
                    return (field("id"), serde_json::from_str(&field("data")).unwrap());
                }
            }
            let frame = tokio::time::timeout(PATIENCE, self.body.frame()).await.unwrap();
            let data = frame.expect("the stream has ended").unwrap().into_data().unwrap();
            self.text.push_str(std::str::from_utf8(&data).unwrap());
        }
    }
}

#[tokio::test]
async fn the_event_stream_tells_changes_as_they_come_and_goes_on_where_it_stopped() {
    let rig = Rig::start().await;
    let admin = rig.admin().await;
    let (token, _) = rig.join_token(&admin, 1).await;
    let mut events = Events::open(&rig, &admin, "/api/v1/events", None).await;
    events.next("ping").await;
    let agent = rig.enroll(&token).await.unwrap();
    assert_eq!(events.next("agents").await.1["total"], 1);
    let mut session = Session::open(&agent).await.unwrap();
    session.report_host("db1.example.net").await;
    let (first, change) = events.next("change").await;
    assert_eq!(change["revision"].to_string(), first);
    assert_eq!(change["changes"][0]["class"], "host");
    drop(events);

    session.report_host("db2.example.net").await;
    let mut resumed = Events::open(&rig, &admin, "/api/v1/events", Some(&first)).await;
    let (second, change) = resumed.next("change").await;
    assert_ne!(first, second);
    let changes = change["changes"].as_array().unwrap();
    let renamed = changes.iter().find(|change| change["name"] == "fqdn").unwrap();
    assert_eq!(
        (&renamed["before"], &renamed["after"]),
        (&json!("db1.example.net"), &json!("db2.example.net"))
    );
    rig.stop().await;
}

#[tokio::test]
async fn a_revision_of_another_store_is_refused_with_the_one_to_go_on_from() {
    let rig = Rig::start().await;
    let admin = rig.admin().await;
    let answer = rig.get(&admin, "/api/v1/events?after=12345").await;
    assert_eq!((answer.status, answer.code().as_str()), (StatusCode::GONE, "SUBSCRIPTION_LAGGED"));
    assert_eq!(answer.json()["params"]["resume_after"], 0);
    rig.stop().await;
}

#[tokio::test]
async fn a_subscription_over_a_web_socket_tells_changes_of_the_asked_classes() {
    let rig = Rig::start().await;
    let admin = rig.admin().await;
    let (token, _) = rig.join_token(&admin, 1).await;
    let agent = rig.enroll(&token).await.unwrap();
    let Who::Session(secret) = &admin else { unreachable!() };
    let address = rig.server.addresses().console.replace("http://", "");
    let request = http::Request::builder()
        .uri(format!("ws://{address}/graphql/ws"))
        .header("host", &address)
        .header("connection", "Upgrade")
        .header("upgrade", "websocket")
        .header("sec-websocket-version", "13")
        .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==")
        .header("sec-websocket-protocol", "graphql-transport-ws")
        .header("cookie", format!("dharma_session={secret}"));
    let stream = tokio::net::TcpStream::connect(&address).await.unwrap();
    let (mut socket, _) =
        tokio_tungstenite::client_async(request.body(()).unwrap(), stream).await.unwrap();
    let mut say = async |message: Value| {
        let text = tokio_tungstenite::tungstenite::Message::text(message.to_string());
        socket.send(text).await.unwrap();
    };
    say(json!({"type": "connection_init"})).await;
    let query = "subscription { changes(classes: [\"host\"]) { revision changes { kind class item { title } } } }";
    say(json!({"type": "subscribe", "id": "1", "payload": {"query": query}})).await;
    let mut session = Session::open(&agent).await.unwrap();
    let mut report = 0;
    // The subscription begins some time after it was asked for; a change before that is not told.
    let told = loop {
        report += 1;
        session.report_host(&format!("db{report}.example.net")).await;
        let next = tokio::time::timeout(std::time::Duration::from_secs(2), async {
            loop {
                let message = socket.next().await.unwrap().unwrap();
                let message: Value = serde_json::from_str(message.to_text().unwrap()).unwrap();
                if message["type"] == "next" {
                    break message;
                }
            }
        });
        if let Ok(message) = next.await {
            break message;
        }
        assert!(report < 10, "no change was told");
    };
    let batch = &told["payload"]["data"]["changes"];
    assert!(batch["revision"].as_u64().unwrap() > 0, "{told}");
    assert_eq!(batch["changes"][0]["class"], "host");
    assert!(batch["changes"][0]["item"]["title"].as_str().unwrap().starts_with("db"));
    rig.stop().await;
}

#[tokio::test]
async fn a_page_of_another_site_opens_no_socket() {
    let rig = Rig::start().await;
    let admin = rig.admin().await;
    let mut request = rig.request(&admin, Method::GET, "/graphql/ws", None);
    request.headers_mut().insert(header::ORIGIN, "http://evil.example".parse().unwrap());
    assert_eq!(rig.send(request).await.code(), "CSRF_REQUIRED");
    let plain = rig.get(&admin, "/graphql/ws").await;
    assert_eq!(plain.code(), "VALIDATION_FAILED");
    rig.stop().await;
}
