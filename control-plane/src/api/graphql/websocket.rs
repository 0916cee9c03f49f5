//! Subscriptions over a web socket, by the protocol `graphql-transport-ws`.
//!
//! A page of another site cannot open one with the caller's cookie: the cookie is not sent to it, and the origin is
//! checked besides. What a slow subscriber has not taken stays in the store (`live`), so that a socket holds one
//! message at a time.

use super::execute::Executor;
use crate::api::auth::Action;
use crate::api::auth::layer::Caller;
use crate::api::error::{ApiError, Code};
use crate::app::App;
use async_graphql::dynamic::Schema;
use async_graphql::http::{WebSocketProtocols, WsMessage};
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade};
use axum::response::{IntoResponse, Response};
use futures::{SinkExt, StreamExt};
use http::{HeaderMap, header};
use std::time::Duration;

/// Bytes of one message; a query with its variables is the largest.
const MESSAGE_BYTES_MAX: usize = 128 * 1024;

/// How long one message may take to be taken by the other side.
const SEND_TIMEOUT: Duration = Duration::from_secs(30);

/// How long a silent socket is trusted.
const SILENCE_MAX: Duration = Duration::from_secs(90);

/// The name of the protocol.
const PROTOCOL: &str = "graphql-transport-ws";

/// Opens the socket, when the caller may ask at all.
pub(super) fn accept(
    schema: &Schema,
    app: App,
    caller: Caller,
    headers: HeaderMap,
    upgrade: Result<WebSocketUpgrade, axum::extract::ws::rejection::WebSocketUpgradeRejection>,
) -> Result<Response, ApiError> {
    caller.may(Action::ItemsRead)?;
    check_origin(&headers)?;
    let upgrade = upgrade.map_err(|_| {
        ApiError::invalid("upgrade", format!("open a web socket with the protocol `{PROTOCOL}`"))
    })?;
    let executor = Executor::new(schema.clone(), app.clone(), caller);
    let accepted = upgrade
        .protocols([PROTOCOL])
        .max_message_size(MESSAGE_BYTES_MAX)
        .max_frame_size(MESSAGE_BYTES_MAX)
        .on_upgrade(move |socket| serve(socket, executor, app));
    Ok(accepted.into_response())
}

/// A browser names the page's origin; it must be this host.
fn check_origin(headers: &HeaderMap) -> Result<(), ApiError> {
    let Some(origin) = headers.get(header::ORIGIN).and_then(|origin| origin.to_str().ok()) else {
        return Ok(());
    };
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let origin_host = origin.split_once("://").map_or("", |(_, host)| host);
    if !host.is_empty() && origin_host.eq_ignore_ascii_case(host) {
        return Ok(());
    }
    Err(ApiError::new(Code::CsrfRequired, "the page that opens this socket is of another site"))
}

async fn serve(socket: WebSocket, executor: Executor, app: App) {
    let (mut outgoing, incoming) = socket.split();
    // Only texts are questions; the library below answers pings and the end by itself.
    let incoming = incoming.filter_map(async |message| match message {
        Ok(Message::Text(text)) => Some(Vec::from(text.as_bytes())),
        Ok(Message::Binary(bytes)) => Some(bytes.to_vec()),
        _ => None,
    });
    let incoming = Box::pin(incoming);
    let answers =
        async_graphql::http::WebSocket::new(executor, incoming, WebSocketProtocols::GraphQLWS)
            .keepalive_timeout(SILENCE_MAX);
    let mut answers = Box::pin(answers);
    loop {
        let answer = tokio::select! {
            () = app.stopping.cancelled() => break,
            answer = answers.next() => answer,
        };
        let Some(answer) = answer else { break };
        let (message, is_last) = match answer {
            WsMessage::Text(text) => (Message::Text(text.into()), false),
            WsMessage::Close(code, reason) => {
                (Message::Close(Some(CloseFrame { code, reason: reason.into() })), true)
            }
        };
        let sent = tokio::time::timeout(SEND_TIMEOUT, outgoing.send(message)).await;
        if is_last || !matches!(sent, Ok(Ok(()))) {
            return;
        }
    }
    /// The code of a server that goes away (RFC 6455).
    const GOING_AWAY: u16 = 1001;
    let close = CloseFrame { code: GOING_AWAY, reason: "the control plane stops".into() };
    let closing = outgoing.send(Message::Close(Some(close)));
    // Whether the other side still takes it changes nothing.
    let _sent = tokio::time::timeout(Duration::from_secs(1), closing).await;
}
