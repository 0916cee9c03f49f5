//! The server's side: listeners that hand out accepted TLS streams with the identity of the peer.
//!
//! Handshakes run beside each other, bounded in number and in time; a client that is silent, speaks something else
//! or shows a wrong certificate costs one slot for a while and is dropped with a line in the log. The stream of an
//! [`Acceptor`] therefore never yields an error and never ends; who wants to know of the clients that did not
//! recognize this server asks by [`Acceptor::reporting_broken_off`]. No session is kept for resumption: an idle agent
//! costs its connection and nothing else.
//!
//! Deliberately not here: what a peer may do, and whether it is revoked.

use crate::broken_off::BrokenOff;
use crate::server_identity::ServerIdentitySource;
use crate::verify::{AgentCertificate, AgentVerifier, ClockTime, PROVIDER};
use environment::{Clock, SystemClock};
use futures::Stream;
use model::AgentId;
use rustls::server::NoServerSessionStorage;
use rustls::{ConfigBuilder, ServerConfig, WantsVerifier};
use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, SystemTime};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{Instant, Sleep};
use tokio_rustls::TlsAcceptor;

/// How long accepting rests after the operating system refused (too many open files, no memory): long enough not to
/// spin, short enough not to be noticed.
const REST_AFTER_FAILURE: Duration = Duration::from_millis(100);

/// Bytes of one outgoing TLS record to agents. What the control plane sends them is small; larger records would
/// only grow the buffers of ten thousand connections.
const AGENT_RECORD_BYTES_MAX: usize = 4096;

/// Who is at the other end of a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// The agent, when it showed a certificate.
    pub agent: Option<AgentId>,
    /// Serial number of its certificate, lower-case hexadecimal.
    pub serial: Option<String>,
    /// SHA-256 of its public key.
    pub spki_sha256: Option<[u8; 32]>,
    /// When its certificate ends. A stream can outlive it.
    pub not_after: Option<SystemTime>,
    /// Whether the certificate had ended when the connection was made. Such an agent may renew and nothing else.
    pub is_expired: bool,
    /// Where the connection comes from.
    pub address: SocketAddr,
}

/// The limits of a listener, and its clock.
#[derive(Clone, Debug)]
pub struct AcceptLimits {
    /// Handshakes at the same time; further connections wait in the operating system's queue.
    pub handshakes_max: usize,
    /// How long one handshake may take.
    pub handshake_timeout: Duration,
    /// When all slots are taken, the oldest handshake gives way if it has lasted longer than this.
    pub handshake_grace: Duration,
    /// Connections at the same time; further ones are closed at once.
    pub connections_max: usize,
    /// The time that certificates are judged by.
    pub clock: Arc<dyn Clock>,
}

impl Default for AcceptLimits {
    /// 512 handshakes (a third of a second's work of one core), 10 s each (a bad link needs them) but 2 s when
    /// others wait (a satellite link needs one), 20,000 connections (twice the agents that one control plane is
    /// measured with).
    fn default() -> Self {
        Self {
            handshakes_max: 512,
            handshake_timeout: Duration::from_secs(10),
            handshake_grace: Duration::from_secs(2),
            connections_max: 20_000,
            clock: Arc::new(SystemClock),
        }
    }
}

/// Serves agents: a client certificate of the authority is required. Speaks HTTP/2 only.
///
/// # Errors
/// [`crate::Error::Cryptography`] when `root_der` is no certificate.
pub fn serve_mutual(
    listener: TcpListener,
    identity: ServerIdentitySource,
    root_der: &[u8],
    limits: AcceptLimits,
) -> Result<Acceptor, crate::Error> {
    let mut config = builder(&limits)?
        .with_client_cert_verifier(Arc::new(AgentVerifier::new(root_der)?))
        .with_cert_resolver(Arc::new(identity));
    config.alpn_protocols = vec![b"h2".to_vec()];
    config.max_fragment_size = Some(AGENT_RECORD_BYTES_MAX);
    Ok(Acceptor::new(listener, config, limits))
}

/// Serves anybody: the server shows its certificate, the client none. Speaks HTTP/2 and HTTP/1.1.
///
/// # Errors
/// [`crate::Error::Cryptography`] when the provider cannot speak TLS 1.3.
pub fn serve_plain_tls(
    listener: TcpListener,
    identity: ServerIdentitySource,
    limits: AcceptLimits,
) -> Result<Acceptor, crate::Error> {
    let mut config = builder(&limits)?.with_no_client_auth().with_cert_resolver(Arc::new(identity));
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Acceptor::new(listener, config, limits))
}

fn builder(
    limits: &AcceptLimits,
) -> Result<ConfigBuilder<ServerConfig, WantsVerifier>, crate::Error> {
    let time = Arc::new(ClockTime(Arc::clone(&limits.clock)));
    ServerConfig::builder_with_details(Arc::clone(&PROVIDER), time)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(|error| crate::Error::cryptography("set up TLS 1.3", error))
}

/// The accepted streams of a listener, whose handshakes are complete.
///
/// Dropping it closes the listener and ends the handshakes that are under way.
#[derive(Debug)]
pub struct Acceptor {
    listener: TcpListener,
    tls: Handshaker,
    handshakes: JoinSet<Option<TlsStream>>,
    /// The handshakes by age, oldest first; some of them may have ended.
    by_age: VecDeque<Underway>,
    connections: Arc<Semaphore>,
    limits: AcceptLimits,
    /// Set while accepting rests.
    rest: Option<Pin<Box<Sleep>>>,
    /// Wakes us when the oldest handshake must give way.
    room: Option<Pin<Box<Sleep>>>,
}

#[derive(Debug)]
struct Underway {
    handle: AbortHandle,
    since: Instant,
}

impl Acceptor {
    fn new(listener: TcpListener, mut config: ServerConfig, limits: AcceptLimits) -> Self {
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        let connections = limits.connections_max.min(Semaphore::MAX_PERMITS);
        Self {
            listener,
            tls: Handshaker { acceptor: TlsAcceptor::from(Arc::new(config)), broken_off: None },
            handshakes: JoinSet::new(),
            by_age: VecDeque::new(),
            connections: Arc::new(Semaphore::new(connections)),
            limits,
            rest: None,
            room: None,
        }
    }

    /// Tells of every client that ended its handshake because it did not accept this server. Nothing waits for the
    /// channel: when it is full, the client is only named in the log.
    #[must_use]
    pub fn reporting_broken_off(mut self, to: mpsc::Sender<BrokenOff>) -> Self {
        self.tls.broken_off = Some(to);
        self
    }

    /// Where the listener listens.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn local_address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    fn begin_handshake(&mut self, tcp: TcpStream, address: SocketAddr) {
        let Ok(permit) = Arc::clone(&self.connections).try_acquire_owned() else {
            tracing::warn!(%address, limit = self.limits.connections_max, "connection refused: too many are open");
            return;
        };
        let work = self.tls.clone().run(tcp, address, permit, self.limits.clone());
        let handle = self.handshakes.spawn(work);
        if self.by_age.len() >= self.limits.handshakes_max.saturating_mul(2) {
            self.by_age.retain(|underway| !underway.handle.is_finished());
        }
        self.by_age.push_back(Underway { handle, since: Instant::now() });
    }

    /// Makes room when every slot is taken, so that silent clients cannot keep honest ones out: the oldest handshake
    /// is ended if it is older than the grace. Otherwise waits until it is, or until any handshake ends.
    fn poll_room(&mut self, context: &mut Context<'_>) -> Poll<()> {
        while self.by_age.front().is_some_and(|oldest| oldest.handle.is_finished()) {
            self.by_age.pop_front();
        }
        let Some(oldest) = self.by_age.front() else {
            // All have ended or were told to; the set wakes us when it has them.
            return Poll::Pending;
        };
        let due = oldest.since + self.limits.handshake_grace;
        if due <= Instant::now() {
            tracing::debug!("the oldest handshake gave way");
            oldest.handle.abort();
            self.by_age.pop_front();
            // One at a time: the set wakes us when it has ended.
            return Poll::Pending;
        }
        let mut wait = Box::pin(tokio::time::sleep_until(due));
        let room = wait.as_mut().poll(context);
        self.room = Some(wait);
        room
    }
}

impl Stream for Acceptor {
    type Item = io::Result<TlsStream>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        loop {
            match this.handshakes.poll_join_next(context) {
                Poll::Ready(Some(Ok(Some(stream)))) => return Poll::Ready(Some(Ok(stream))),
                Poll::Ready(Some(_failed)) => continue,
                Poll::Ready(None) | Poll::Pending => {}
            }
            if this.handshakes.len() >= this.limits.handshakes_max.max(1) {
                std::task::ready!(this.poll_room(context));
                continue;
            }
            this.room = None;
            if let Some(rest) = &mut this.rest {
                std::task::ready!(rest.as_mut().poll(context));
                this.rest = None;
            }
            match std::task::ready!(this.listener.poll_accept(context)) {
                Ok((tcp, address)) => this.begin_handshake(tcp, address),
                Err(error) => {
                    tracing::error!(%error, "cannot accept connections: raise the limit of open files");
                    this.rest = Some(Box::pin(tokio::time::sleep(REST_AFTER_FAILURE)));
                }
            }
        }
    }
}

#[derive(Clone)]
struct Handshaker {
    acceptor: TlsAcceptor,
    broken_off: Option<mpsc::Sender<BrokenOff>>,
}

impl std::fmt::Debug for Handshaker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Handshaker")
    }
}

impl Handshaker {
    async fn run(
        self,
        tcp: TcpStream,
        address: SocketAddr,
        permit: OwnedSemaphorePermit,
        limits: AcceptLimits,
    ) -> Option<TlsStream> {
        // Frames are small and wait for answers; without this each exchange can cost 40 ms.
        if let Err(error) = tcp.set_nodelay(true) {
            tracing::debug!(%address, %error, "connection lost before the handshake");
            return None;
        }
        let inner =
            match tokio::time::timeout(limits.handshake_timeout, self.acceptor.accept(tcp)).await {
                Ok(Ok(inner)) => inner,
                Ok(Err(error)) => {
                    tracing::info!(%address, %error, "TLS handshake failed");
                    self.report(address, &error);
                    return None;
                }
                Err(_elapsed) => {
                    tracing::info!(%address, "TLS handshake took too long");
                    return None;
                }
            };
        let peer = peer_of(&inner, address, limits.clock.wall());
        Some(TlsStream { inner, peer, _permit: permit })
    }

    fn report(&self, address: SocketAddr, error: &io::Error) {
        if let Some(channel) = &self.broken_off
            && let Some(broken_off) = BrokenOff::of(address, error)
            && channel.try_send(broken_off).is_err()
        {
            // A flood of them; the log has each.
            tracing::debug!(%address, "nobody took note of the client that broke off");
        }
    }
}

fn peer_of(
    stream: &tokio_rustls::server::TlsStream<TcpStream>,
    address: SocketAddr,
    now: SystemTime,
) -> Peer {
    let certificate = stream
        .get_ref()
        .1
        .peer_certificates()
        .and_then(<[_]>::first)
        .and_then(AgentCertificate::parse);
    match certificate {
        None => Peer {
            agent: None,
            serial: None,
            spki_sha256: None,
            not_after: None,
            is_expired: false,
            address,
        },
        Some(certificate) => Peer {
            agent: Some(certificate.agent),
            serial: Some(certificate.serial),
            spki_sha256: Some(certificate.spki_sha256),
            not_after: Some(certificate.not_after),
            is_expired: certificate.not_after < now,
            address,
        },
    }
}

/// An accepted connection; tonic puts its [`Peer`] into each request's extensions.
#[derive(Debug)]
pub struct TlsStream {
    inner: tokio_rustls::server::TlsStream<TcpStream>,
    peer: Peer,
    _permit: OwnedSemaphorePermit,
}

impl TlsStream {
    /// Who is at the other end.
    #[must_use]
    pub const fn peer(&self) -> &Peer {
        &self.peer
    }
}

impl tonic::transport::server::Connected for TlsStream {
    type ConnectInfo = Peer;

    fn connect_info(&self) -> Peer {
        self.peer.clone()
    }
}

impl AsyncRead for TlsStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_read(context, buffer)
    }
}

impl AsyncWrite for TlsStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write_vectored(context, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(context)
    }
}
