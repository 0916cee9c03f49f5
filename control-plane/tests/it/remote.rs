//! The console for other hosts: over TLS of the installation's own authority.

use crate::support::Rig;
use http::{Request, StatusCode, header};
use http_body_util::{BodyExt, Empty, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use pki::connector_pinned;
use tower::Service;

type Sender = hyper::client::conn::http2::SendRequest<Full<bytes::Bytes>>;

async fn connect(rig: &Rig) -> Sender {
    let console = rig.server.addresses().console.parse::<http::Uri>().unwrap();
    assert_eq!(console.scheme_str(), Some("https"));
    let mut connector = connector_pinned(rig.server.app().fleet.pin()).unwrap();
    let stream = connector.call(console).await.unwrap();
    let (sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), stream).await.unwrap();
    tokio::spawn(connection);
    sender
}

#[tokio::test]
async fn a_console_for_other_hosts_speaks_tls_only_and_its_cookie_never_leaves_it() {
    let rig = Rig::start_with(|config| {
        config.bind = "127.0.0.1".parse().ok();
        config.names = vec!["localhost".into()];
    })
    .await;
    assert!(rig.server.addresses().uplink.starts_with("localhost:"));
    let mut sender = connect(&rig).await;
    let url = |path: &str| format!("{}{path}", rig.server.addresses().console);
    let code = rig.server.setup_code().unwrap();
    let body =
        serde_json::json!({"code": code, "name": "ann", "password": crate::support::PASSWORD});
    let request = Request::post(url("/api/v1/setup"))
        .header(header::CONTENT_TYPE, "application/json")
        .body(Full::from(body.to_string()))
        .unwrap();
    let answer = sender.send_request(request).await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    let cookie = answer.headers()[header::SET_COOKIE].to_str().unwrap();
    assert!(cookie.contains("; Secure"), "{cookie}");
    assert!(answer.headers().contains_key(header::STRICT_TRANSPORT_SECURITY));
    assert!(!answer.into_body().collect().await.unwrap().to_bytes().is_empty());

    // Whoever speaks plain HTTP to the port gets no answer.
    let address = rig.server.addresses().console.replace("https://", "");
    let plain = tokio::net::TcpStream::connect(&address).await.unwrap();
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(plain)).await.unwrap();
    tokio::spawn(connection);
    let request = Request::get("/healthz")
        .header(header::HOST, &address)
        .body(Empty::<bytes::Bytes>::new())
        .unwrap();
    assert!(sender.send_request(request).await.is_err());
    rig.stop().await;
}
