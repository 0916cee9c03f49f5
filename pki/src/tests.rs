//! What this crate promises, shown with real sockets on the loopback address.

mod enrolling;
mod issuing;
mod listening;
mod recognizing;
mod tokens;

use crate::server::Acceptor;
use crate::*;
use environment::{Clock, SimulatedClock, SystemClock};
use futures::StreamExt;
use model::AgentId;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// Nothing on the loopback address takes this long; a test that waits for it has failed.
const DEADLINE: Duration = Duration::from_secs(20);

const DAY: Duration = Duration::from_secs(24 * 3600);

fn now() -> SystemTime {
    SystemClock.wall()
}

fn agent_id(number: u8) -> AgentId {
    AgentId::from_bytes([number; 16])
}

fn authority() -> Authority {
    let directory = tempfile::tempdir().unwrap();
    Authority::load_or_create(directory.path(), now()).unwrap()
}

fn server_identity(authority: &Authority) -> ServerIdentitySource {
    ServerIdentitySource::new(
        authority.issue_server(&["localhost".into(), "127.0.0.1".into()], now()).unwrap(),
    )
}

/// An agent's key with a certificate that was given at a moment, for a time.
fn enrolled(authority: &Authority, at: SystemTime, life: Duration) -> (AgentKey, Issued) {
    let key = AgentKey::generate().unwrap();
    let issued = authority.issue_agent(&key.csr_der().unwrap(), agent_id(7), at, life).unwrap();
    (key, issued)
}

/// What an enrolled agent connects with.
fn uplink(authority: &Authority, key: &AgentKey, issued: &Issued) -> Connector {
    connector_mutual(&[authority.root_der().to_vec()], &issued.chain_der, key).unwrap()
}

/// A listener that runs in the background and hands over what it accepts.
struct Server {
    address: SocketAddr,
    accepted: mpsc::Receiver<TlsStream>,
    task: JoinHandle<()>,
}

impl Server {
    async fn mutual(authority: &Authority, limits: AcceptLimits) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let identity = server_identity(authority);
        Self::run(serve_mutual(listener, identity, authority.root_der(), limits).unwrap())
    }

    async fn plain(identity: ServerIdentitySource) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        Self::run(serve_plain_tls(listener, identity, AcceptLimits::default()).unwrap())
    }

    fn run(mut acceptor: Acceptor) -> Self {
        let address = acceptor.local_address().unwrap();
        let (sender, accepted) = mpsc::channel(16);
        let task = tokio::spawn(async move {
            while let Some(stream) = acceptor.next().await {
                if sender.send(stream.unwrap()).await.is_err() {
                    break;
                }
            }
        });
        Self { address, accepted, task }
    }

    async fn connect(&self, connector: &Connector) -> Result<ClientStream, ConnectError> {
        connector.connect("127.0.0.1", self.address.port()).await
    }

    async fn raw(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    async fn next(&mut self) -> TlsStream {
        tokio::time::timeout(DEADLINE, self.accepted.recv()).await.unwrap().unwrap()
    }

    /// Proves that the listener still serves: an honest agent gets through.
    async fn still_serves(&mut self, authority: &Authority) {
        let (key, issued) = enrolled(authority, now(), DAY);
        let mut client = self.connect(&uplink(authority, &key, &issued)).await.unwrap();
        let mut server = self.next().await;
        assert_eq!(server.peer().agent, Some(agent_id(7)));
        exchange(&mut client, &mut server).await;
    }

    /// Whatever was accepted; the listener is ended first, so that nothing can follow.
    async fn accepted_in_all(mut self) -> usize {
        self.task.abort();
        let mut count = 0;
        while self.accepted.recv().await.is_some() {
            count += 1;
        }
        count
    }
}

/// Sends a byte each way.
async fn exchange(client: &mut ClientStream, server: &mut TlsStream) {
    client.inner_mut().write_all(b"?").await.unwrap();
    client.inner_mut().flush().await.unwrap();
    let mut byte = [0];
    server.read_exact(&mut byte).await.unwrap();
    server.write_all(b"!").await.unwrap();
    server.flush().await.unwrap();
    client.inner_mut().read_exact(&mut byte).await.unwrap();
    assert_eq!(&byte, b"!");
}

/// What a client reads after its handshake, when the server refuses its certificate.
async fn refusal(mut client: ClientStream) -> Option<&'static str> {
    let read = tokio::time::timeout(DEADLINE, client.inner_mut().read_u8()).await.unwrap();
    refusal_of(&read.unwrap_err())
}

/// Reads until the server closes; returns what it said.
async fn read_to_close(tcp: &mut TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    // A reset is a close too; what was read until then is kept.
    let _end = tokio::time::timeout(DEADLINE, tcp.read_to_end(&mut bytes)).await.unwrap();
    bytes
}
