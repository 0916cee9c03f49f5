//! A control plane as far as an agent sees one, inside the test process: enrollment, renewal and the uplink, over
//! real TLS with a real authority.

use crate::model_store::Store;
use model::{AgentId, TokenId};
use pki::token::JoinToken;
use pki::{
    AcceptLimits, Acceptor, Authority, Peer, ServerIdentitySource, serve_mutual, serve_plain_tls,
};
use proto::v1::agent_frame::Frame as Theirs;
use proto::v1::enrollment_server::{Enrollment, EnrollmentServer};
use proto::v1::identity_server::{Identity, IdentityServer};
use proto::v1::server_frame::Frame as Ours;
use proto::v1::uplink_server::{Uplink, UplinkServer};
use proto::v1::{self, ServerFrame};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, SystemTime};
use tokio::net::TcpListener;
use tokio::sync::{Notify, broadcast, mpsc};
use tokio_stream::wrappers::ReceiverStream;
use tonic::codec::CompressionEncoding;
use tonic::transport::Server as Transport;
use tonic::{Request, Response, Status, Streaming};

/// How long a test waits for something that must happen.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// What the model knows and how it behaves; survives its restarts.
#[derive(Default)]
pub(crate) struct State {
    pub(crate) store: Store,
    pub(crate) enrolled: Vec<AgentId>,
    pub(crate) tokens_seen: usize,
    pub(crate) hellos: Vec<v1::Hello>,
    pub(crate) beats_count: usize,
    pub(crate) complaints: Vec<String>,
    pub(crate) goodbyes: usize,
    pub(crate) renewals: usize,
    pub(crate) is_revoked: bool,
    /// Life of the next certificates; a day when zero.
    pub(crate) certificate_life: Duration,
    /// Window that agents get; a mebibyte when zero.
    pub(crate) window_bytes: u64,
    /// How often a beat is wanted; every five seconds when zero.
    pub(crate) beat_seconds: u32,
    uses_left: usize,
    secret_hash: [u8; 32],
    agent_target: String,
}

/// A model of a control plane.
pub(crate) struct ModelServer {
    shared: Arc<Shared>,
    pub(crate) enroll: SocketAddr,
    pub(crate) uplink: SocketAddr,
    runtime: Option<tokio::runtime::Runtime>,
    directory: PathBuf,
}

struct Shared {
    state: Mutex<State>,
    changed: Notify,
    frames: broadcast::Sender<ServerFrame>,
    authority: Authority,
    endpoints: Mutex<Vec<String>>,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }
}

#[expect(clippy::disallowed_methods, reason = "certificates are judged by the real clock")]
fn now() -> SystemTime {
    SystemTime::now()
}

impl ModelServer {
    /// A model with its own authority, serving.
    pub(crate) async fn start(directory: &Path) -> Self {
        let authority = Authority::load_or_create(&directory.join("pki"), now()).unwrap();
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut server = Self {
            shared: Arc::new(Shared {
                state: Mutex::new(State::default()),
                changed: Notify::new(),
                frames: broadcast::channel(64).0,
                authority,
                endpoints: Mutex::default(),
            }),
            enroll: any,
            uplink: any,
            runtime: None,
            directory: directory.to_owned(),
        };
        server.resume().await;
        server
    }

    /// Serves again, on the same ports as before.
    pub(crate) async fn resume(&mut self) {
        let names = ["127.0.0.1".to_owned()];
        let identity = self.shared.authority.issue_server(&names, now()).unwrap();
        let identity = ServerIdentitySource::new(identity);
        // A runtime of its own, so that its end is the end of every connection.
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        let enroll = bind(&runtime, self.enroll).await;
        let uplink = bind(&runtime, self.uplink).await;
        self.enroll = enroll.local_addr().unwrap();
        self.uplink = uplink.local_addr().unwrap();
        *self.shared.endpoints.lock().unwrap() = vec![self.uplink.to_string()];
        let root = self.shared.authority.root_der().to_vec();
        let enroll = serve_plain_tls(enroll, identity.clone(), AcceptLimits::default()).unwrap();
        let uplink = serve_mutual(uplink, identity, &root, AcceptLimits::default()).unwrap();
        runtime.spawn(serve_enrollment(enroll, Service(Arc::clone(&self.shared))));
        runtime.spawn(serve_uplink(uplink, Service(Arc::clone(&self.shared))));
        self.runtime = Some(runtime);
    }

    /// Stops serving, connections and all, as if killed.
    pub(crate) fn pause(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }

    /// A file with a join token for so many uses.
    pub(crate) fn token_file(&self, uses: usize) -> PathBuf {
        let id = TokenId::from_bytes([9; 16]);
        let token = JoinToken::generate(id, &self.shared.authority.pin()).unwrap();
        let mut state = self.state();
        state.secret_hash = token.secret_hash();
        state.uses_left = uses;
        let path = self.directory.join("join-token");
        std::fs::write(&path, token.reveal() + "\n").unwrap();
        path
    }

    /// What it knows.
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.shared.state()
    }

    /// Says something to every agent that is connected.
    pub(crate) fn say(&self, frame: Ours) {
        // Nobody may be connected.
        drop(self.shared.frames.send(ServerFrame { frame: Some(frame) }));
    }

    /// Asks for a whole scope.
    pub(crate) fn want_full(&self, scope: &str) {
        let target = self.state().agent_target.clone();
        let name = v1::ScopeName { collector: "host".into(), target, scope: scope.into() };
        self.say(Ours::NeedFull(v1::NeedFull { scopes: vec![name] }));
    }

    /// Waits until something is so.
    pub(crate) async fn until(&self, what: &str, is_so: impl Fn(&State) -> bool) {
        let wait = async {
            loop {
                let changed = self.shared.changed.notified();
                if is_so(&self.state()) {
                    return;
                }
                changed.await;
            }
        };
        if tokio::time::timeout(PATIENCE, wait).await.is_err() {
            let state = self.state();
            panic!(
                "waited in vain until {what}: committed {:?}, violations {:?}, diverged {:?}, hellos {}, complaints {:?}",
                state.store.committed,
                state.store.violations,
                state.store.diverged,
                state.hellos.len(),
                state.complaints
            );
        }
    }
}

impl Drop for ModelServer {
    fn drop(&mut self) {
        // A runtime must not be waited for inside of another.
        self.pause();
    }
}

async fn bind(runtime: &tokio::runtime::Runtime, address: SocketAddr) -> TcpListener {
    // The port of before may be held for a moment by connections that are closing.
    for _ in 0..200 {
        match runtime.spawn(TcpListener::bind(address)).await.unwrap() {
            Ok(listener) => return listener,
            Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    }
    panic!("{address} cannot be had again");
}

#[derive(Clone)]
struct Service(Arc<Shared>);

async fn serve_enrollment(acceptor: Acceptor, service: Service) {
    let service = EnrollmentServer::new(service);
    Transport::builder().add_service(service).serve_with_incoming(acceptor).await.unwrap();
}

async fn serve_uplink(acceptor: Acceptor, service: Service) {
    let uplink = UplinkServer::new(service.clone())
        .accept_compressed(CompressionEncoding::Zstd)
        .send_compressed(CompressionEncoding::Zstd);
    let identity = IdentityServer::new(service);
    Transport::builder()
        .add_service(uplink)
        .add_service(identity)
        .serve_with_incoming(acceptor)
        .await
        .unwrap();
}

impl Service {
    fn issue(&self, request: &[u8], agent: AgentId) -> Result<Vec<Vec<u8>>, Status> {
        let life = match self.0.state().certificate_life {
            Duration::ZERO => Duration::from_secs(86_400),
            life => life,
        };
        let issued = self.0.authority.issue_agent(request, agent, now(), life);
        issued.map(|issued| issued.chain_der).map_err(|e| Status::invalid_argument(e.to_string()))
    }
}

#[tonic::async_trait]
impl Enrollment for Service {
    async fn enroll(
        &self,
        request: Request<v1::EnrollRequest>,
    ) -> Result<Response<v1::EnrollResponse>, Status> {
        let request = request.into_inner();
        let token = JoinToken::parse(&request.token)
            .map_err(|e| Status::invalid_argument(e.to_string()))?;
        let agent = AgentId::new_v7(model::Timestamp::from(now()), [3; 10]);
        {
            let mut state = self.0.state();
            state.tokens_seen += 1;
            if token.secret_hash() != state.secret_hash || state.uses_left == 0 {
                return Err(Status::permission_denied("the join token is used up; make a new one"));
            }
            state.uses_left -= 1;
            state.enrolled.push(agent);
            state.agent_target = agent.to_string();
        }
        let chain = self.issue(&request.signing_request, agent)?;
        self.0.changed.notify_waiters();
        Ok(Response::new(v1::EnrollResponse {
            agent_id: agent.to_string(),
            certificate_chain: chain,
            roots: vec![self.0.authority.root_der().to_vec()],
            endpoints: self.0.endpoints.lock().unwrap().clone(),
            site: "berlin".into(),
            labels: [("role".to_owned(), "db".to_owned())].into(),
        }))
    }
}

#[tonic::async_trait]
impl Identity for Service {
    async fn renew(
        &self,
        request: Request<v1::RenewRequest>,
    ) -> Result<Response<v1::RenewResponse>, Status> {
        let peer = request.extensions().get::<Peer>().cloned();
        let agent = peer.and_then(|peer| peer.agent).ok_or(Status::unauthenticated("who?"))?;
        self.0.state().certificate_life = Duration::ZERO;
        let certificate_chain = self.issue(&request.get_ref().signing_request, agent)?;
        self.0.state().renewals += 1;
        self.0.changed.notify_waiters();
        let roots = vec![self.0.authority.root_der().to_vec()];
        Ok(Response::new(v1::RenewResponse { certificate_chain, roots }))
    }
}

#[tonic::async_trait]
impl Uplink for Service {
    type SessionStream = ReceiverStream<Result<ServerFrame, Status>>;

    async fn session(
        &self,
        request: Request<Streaming<v1::AgentFrame>>,
    ) -> Result<Response<Self::SessionStream>, Status> {
        let peer =
            request.extensions().get::<Peer>().cloned().ok_or(Status::unauthenticated("who?"))?;
        if peer.is_expired {
            return Err(Status::permission_denied("the certificate has expired: renew it"));
        }
        if self.0.state().is_revoked {
            return Err(Status::permission_denied(
                "AGENT_REVOKED: this agent was revoked; enroll it anew",
            ));
        }
        let (sender, receiver) = mpsc::channel(16);
        let service = self.clone();
        tokio::spawn(async move { service.converse(request.into_inner(), sender).await });
        Ok(Response::new(ReceiverStream::new(receiver)))
    }
}

type Sender = mpsc::Sender<Result<ServerFrame, Status>>;

impl Service {
    async fn converse(&self, mut inbound: Streaming<v1::AgentFrame>, sender: Sender) -> Option<()> {
        let mut frames = self.0.frames.subscribe();
        let Ok(Some(v1::AgentFrame { frame: Some(Theirs::Hello(hello)) })) =
            inbound.message().await
        else {
            return None;
        };
        let welcome = self.welcome(hello);
        self.0.changed.notify_waiters();
        self.send(&sender, Ours::Welcome(welcome)).await?;
        loop {
            let frame = tokio::select! {
                frame = frames.recv() => {
                    let frame = frame.ok()?;
                    let is_end = matches!(frame.frame, Some(Ours::Drain(_) | Ours::Refusal(_)));
                    sender.send(Ok(frame)).await.ok()?;
                    if is_end { return None }
                    continue;
                }
                frame = inbound.message() => frame.ok()??.frame?,
            };
            match frame {
                Theirs::Batch(batch) => self.batch(&sender, &batch).await?,
                Theirs::Beat(beat) => self.beat(&sender, beat).await?,
                // It gives no targets, so that none is sent.
                Theirs::TargetBeat(_) => return None,
                Theirs::Goodbye(_) => {
                    self.0.state().goodbyes += 1;
                    self.0.changed.notify_waiters();
                    return None;
                }
                Theirs::Hello(_) => return None,
            }
            self.0.changed.notify_waiters();
        }
    }

    fn welcome(&self, hello: v1::Hello) -> v1::Welcome {
        let mut state = self.0.state();
        let committed =
            state.store.committed.iter().filter(|((epoch, _), _)| *epoch == hello.epoch);
        let committed = committed
            .map(|((_, class), sequence)| v1::Committed { class: *class, sequence: *sequence })
            .collect();
        state.hellos.push(hello);
        v1::Welcome {
            protocol: 1,
            server_time: model::Timestamp::from(now()).millis(),
            committed,
            next_nonce: vec![u8::try_from(state.hellos.len() % 256).unwrap(); 16],
            window_bytes: if state.window_bytes == 0 { 1 << 20 } else { state.window_bytes },
            beat_seconds: if state.beat_seconds == 0 { 5 } else { state.beat_seconds },
        }
    }

    async fn send(&self, sender: &Sender, frame: Ours) -> Option<()> {
        sender.send(Ok(ServerFrame { frame: Some(frame) })).await.ok()
    }

    async fn batch(&self, sender: &Sender, batch: &v1::Batch) -> Option<()> {
        let (taken, diverged) = {
            let mut state = self.0.state();
            let taken = state.store.take(batch);
            if let Err(violation) = &taken {
                state.store.violations.push(violation.clone());
            }
            (taken, std::mem::take(&mut state.store.diverged))
        };
        let target = self.0.state().agent_target.clone();
        if !diverged.is_empty() {
            let scopes = diverged.into_iter().map(|scope| v1::ScopeName {
                collector: "host".into(),
                target: target.clone(),
                scope,
            });
            self.send(sender, Ours::NeedFull(v1::NeedFull { scopes: scopes.collect() })).await?;
        }
        let sequence = taken.ok()?;
        let acknowledgement = v1::Acknowledgement {
            epoch: batch.epoch,
            class: batch.class,
            sequence,
            rejected: Vec::new(),
        };
        self.send(sender, Ours::Acknowledgement(acknowledgement)).await
    }

    async fn beat(&self, sender: &Sender, beat: v1::Beat) -> Option<()> {
        let unknown: Vec<_> = {
            let mut state = self.0.state();
            state.beats_count += 1;
            state.complaints = beat.complaints;
            beat.confirmations.iter().filter_map(|one| state.store.confirm(one)).collect()
        };
        if unknown.is_empty() {
            return Some(());
        }
        self.send(sender, Ours::NeedFull(v1::NeedFull { scopes: unknown })).await
    }
}
