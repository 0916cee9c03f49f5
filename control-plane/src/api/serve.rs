//! Serving HTTP/1.1 and HTTP/2 to browsers and programs, over TCP or TLS.
//!
//! Invariants: the number of connections is bounded; a connection that asks nothing is closed; every connection ends
//! within the time that stopping may take.

use crate::api::auth::layer::RemoteAddress;
use axum::Router;
use axum::body::Body;
use futures::{Stream, StreamExt};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::Service;

/// Connections at the same time: browsers, programs and their streams.
const CONNECTIONS_MAX: usize = 4096;

/// How long a connection may take to ask its first question, and its headers.
const FIRST_REQUEST_TIMEOUT: Duration = Duration::from_secs(15);
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);

/// Requests of one HTTP/2 connection at the same time.
const STREAMS_MAX: u32 = 128;

/// Bytes of all headers of a request.
const HEADER_BYTES_MAX: u32 = 32 * 1024;

/// How long a silent HTTP/2 connection is trusted.
const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(30);
const KEEP_ALIVE_TIMEOUT: Duration = Duration::from_secs(20);

/// How long accepting rests after the operating system refused.
const REST_AFTER_FAILURE: Duration = Duration::from_millis(100);

/// How long open requests may take to finish when the control plane stops.
const STOP_TIMEOUT: Duration = Duration::from_secs(3);

/// The connections of a TCP listener.
pub fn plain(
    listener: TcpListener,
) -> impl Stream<Item = io::Result<(tokio::net::TcpStream, SocketAddr)>> + Unpin {
    Box::pin(futures::stream::unfold(listener, |listener| async move {
        let accepted = listener.accept().await;
        let accepted = accepted.and_then(|(stream, address)| {
            stream.set_nodelay(true)?;
            Ok((stream, address))
        });
        Some((accepted, listener))
    }))
}

/// The connections of a TLS listener.
pub fn tls(
    acceptor: pki::Acceptor,
) -> impl Stream<Item = io::Result<(pki::TlsStream, SocketAddr)>> + Unpin {
    acceptor.map(|accepted| {
        accepted.map(|stream| {
            let address = stream.peer().address;
            (stream, address)
        })
    })
}

/// Serves until stopping, then finishes what is under way.
pub async fn serve<S>(
    mut incoming: impl Stream<Item = io::Result<(S, SocketAddr)>> + Unpin,
    router: Router,
    stopping: CancellationToken,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let connections = TaskTracker::new();
    let cut = CancellationToken::new();
    loop {
        let accepted = tokio::select! {
            () = stopping.cancelled() => break,
            accepted = incoming.next() => accepted,
        };
        match accepted {
            None => break,
            Some(Ok((stream, address))) => {
                let Ok(place) = Arc::clone(&places).try_acquire_owned() else {
                    tracing::warn!(%address, limit = CONNECTIONS_MAX, "connection refused: too many are open");
                    continue;
                };
                let connection = connection(stream, address, router.clone(), stopping.clone());
                let cut = cut.clone();
                connections.spawn(async move {
                    tokio::select! {
                        () = cut.cancelled() => {}
                        () = connection => {}
                    }
                    drop(place);
                });
            }
            Some(Err(error)) => {
                tracing::warn!(%error, "cannot accept connections");
                tokio::time::sleep(REST_AFTER_FAILURE).await;
            }
        }
    }
    connections.close();
    if tokio::time::timeout(STOP_TIMEOUT, connections.wait()).await.is_err() {
        cut.cancel();
        connections.wait().await;
    }
}

async fn connection<S>(stream: S, address: SocketAddr, router: Router, stopping: CancellationToken)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let has_asked = Arc::new(AtomicBool::new(false));
    let asked = Arc::clone(&has_asked);
    let service =
        hyper::service::service_fn(move |request: http::Request<hyper::body::Incoming>| {
            asked.store(true, Ordering::Relaxed);
            let mut request = request.map(Body::new);
            request.extensions_mut().insert(RemoteAddress(address));
            let mut router = router.clone();
            async move { router.call(request).await }
        });
    let mut builder = Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(HEADER_TIMEOUT);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS_MAX)
        .max_header_list_size(HEADER_BYTES_MAX)
        .keep_alive_interval(KEEP_ALIVE_INTERVAL)
        .keep_alive_timeout(KEEP_ALIVE_TIMEOUT);
    let served = builder.serve_connection_with_upgrades(TokioIo::new(stream), service);
    tokio::pin!(served);
    let mut is_stopping = false;
    let first = tokio::time::sleep(FIRST_REQUEST_TIMEOUT);
    tokio::pin!(first);
    let mut is_checked = false;
    loop {
        tokio::select! {
            ended = served.as_mut() => {
                if let Err(error) = ended {
                    tracing::debug!(%address, %error, "connection ended");
                }
                return;
            }
            () = stopping.cancelled(), if !is_stopping => {
                is_stopping = true;
                served.as_mut().graceful_shutdown();
            }
            () = first.as_mut(), if !is_checked => {
                is_checked = true;
                if !has_asked.load(Ordering::Relaxed) {
                    return;
                }
            }
        }
    }
}
