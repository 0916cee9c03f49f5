//! A control plane on free ports with its own state, a small HTTP client, and agents that are only their keys.

use bytes::Bytes;
use control_plane::config::Config;
use control_plane::server::Server;
use environment::{Clock, SystemClock, SystemRandomness};
use http::{Method, Request, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::{Client, connect::HttpConnector};
use hyper_util::rt::TokioExecutor;
use model::classes::host;
use model::run::ContentHash;
use model::{Coverage, IdentityKey, KeyType, Observation, Realm, ScopeDigest, SourceId, Timestamp};
use pki::token::JoinToken;
use pki::{AgentKey, connector_mutual, connector_pinned};
use proto::v1::enrollment_client::EnrollmentClient;
use proto::v1::server_frame::Frame;
use proto::v1::{self, EnrollRequest, EnrollResponse, Evidence};
use proto::{Message, convert};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tempfile::TempDir;
use tonic::transport::{Channel, Endpoint};

/// How long anything may take on a machine that builds at the same time.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) const PASSWORD: &str = "correct horse battery staple";

/// A clock that runs as the real one does and can be put forward.
#[derive(Debug, Default)]
pub(crate) struct ShiftedClock {
    shift: Mutex<Duration>,
}

impl ShiftedClock {
    pub(crate) fn advance(&self, by: Duration) {
        *self.shift.lock().unwrap() += by;
    }
}

impl Clock for ShiftedClock {
    fn wall(&self) -> std::time::SystemTime {
        SystemClock.wall() + *self.shift.lock().unwrap()
    }

    fn monotonic(&self) -> Duration {
        SystemClock.monotonic() + *self.shift.lock().unwrap()
    }
}

/// A control plane that runs in this process.
pub(crate) struct Rig {
    pub(crate) server: Server,
    pub(crate) clock: Arc<ShiftedClock>,
    pub(crate) folder: TempDir,
    client: Client<HttpConnector, Full<Bytes>>,
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: http::HeaderMap,
    pub(crate) bytes: Bytes,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.bytes)
            .unwrap_or_else(|error| panic!("{error}: {:?}", self.bytes))
    }

    pub(crate) fn code(&self) -> String {
        self.json()["code"].as_str().unwrap_or_default().to_owned()
    }
}

/// How a request shows who sends it.
#[derive(Clone, Debug)]
pub(crate) enum Who {
    Nobody,
    Session(String),
    Token(String),
}

impl Rig {
    pub(crate) async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    pub(crate) async fn start_with(change: impl FnOnce(&mut Config)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let any = "127.0.0.1:0".parse().ok();
        let mut config = Config {
            state: Some(folder.path().join("state")),
            listen: any,
            uplink: any,
            enroll: any,
            ..Config::default()
        };
        change(&mut config);
        let clock = Arc::new(ShiftedClock::default());
        let server = Server::start(
            config.settings().unwrap(),
            Arc::clone(&clock) as Arc<dyn Clock>,
            Arc::new(SystemRandomness),
        )
        .await
        .unwrap();
        let client = Client::builder(TokioExecutor::new()).build_http();
        Self { server, clock, folder, client }
    }

    pub(crate) async fn send(&self, request: Request<Full<Bytes>>) -> Answer {
        let answer = tokio::time::timeout(PATIENCE, self.client.request(request)).await;
        let (parts, body) = answer.unwrap().unwrap().into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        Answer { status: parts.status, headers: parts.headers, bytes }
    }

    /// A request to the console's port, as its own page would send it.
    pub(crate) fn request(
        &self,
        who: &Who,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> Request<Full<Bytes>> {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.server.addresses().console))
            .header(header::CONTENT_TYPE, "application/json");
        match who {
            Who::Nobody => {}
            Who::Session(secret) => {
                request = request
                    .header(header::COOKIE, format!("dharma_session={secret}"))
                    .header("x-dharma-csrf", "1");
            }
            Who::Token(text) => {
                request = request.header(header::AUTHORIZATION, format!("Bearer {text}"));
            }
        }
        request.body(Full::from(body.map(|body| body.to_string()).unwrap_or_default())).unwrap()
    }

    pub(crate) async fn get(&self, who: &Who, path: &str) -> Answer {
        self.send(self.request(who, Method::GET, path, None)).await
    }

    pub(crate) async fn post(&self, who: &Who, path: &str, body: Value) -> Answer {
        self.send(self.request(who, Method::POST, path, Some(body))).await
    }

    pub(crate) async fn delete(&self, who: &Who, path: &str) -> Answer {
        self.send(self.request(who, Method::DELETE, path, None)).await
    }

    /// Sets the first administrator up and logs them in.
    pub(crate) async fn admin(&self) -> Who {
        let code = self.server.setup_code().unwrap();
        let body = json!({"code": code, "name": "ann", "password": PASSWORD});
        let answer = self.post(&Who::Nobody, "/api/v1/setup", body).await;
        assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
        Who::Session(session_of(&answer))
    }

    /// An access token with these scopes.
    pub(crate) async fn token(&self, by: &Who, scopes: &[&str]) -> Who {
        let body = json!({"kind": "service", "name": "test", "scopes": scopes});
        let answer = self.post(by, "/api/v1/tokens", body).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{answer:?}");
        Who::Token(answer.json()["text"].as_str().unwrap().to_owned())
    }

    /// A join token: its text and its id.
    pub(crate) async fn join_token(&self, by: &Who, uses: u32) -> (String, String) {
        let body =
            json!({"kind": "join", "uses": uses, "site": "berlin", "labels": {"role": "db"}});
        let answer = self.post(by, "/api/v1/tokens", body).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{answer:?}");
        let text = |name: &str| answer.json()[name].as_str().unwrap().to_owned();
        (text("text"), text("id"))
    }

    /// Asks a query.
    pub(crate) async fn graphql(&self, who: &Who, query: &str) -> Answer {
        self.post(who, "/graphql", json!({ "query": query })).await
    }

    /// Enrolls an agent with a key of its own.
    pub(crate) async fn enroll(&self, token: &str) -> Result<Agent, tonic::Status> {
        self.enroll_with(token, AgentKey::generate().unwrap()).await
    }

    pub(crate) async fn enroll_with(
        &self,
        token: &str,
        key: AgentKey,
    ) -> Result<Agent, tonic::Status> {
        let pin = JoinToken::parse(token)
            .map_or_else(|_| self.server.app().fleet.pin(), |token| token.pin());
        let endpoint =
            Endpoint::from_shared(format!("https://{}", self.server.addresses().enroll)).unwrap();
        let channel = endpoint.connect_with_connector_lazy(connector_pinned(pin).unwrap());
        let request = EnrollRequest {
            token: token.to_owned(),
            signing_request: key.csr_der().unwrap(),
            evidence: Some(Evidence { host_name: "db1".into(), ..Evidence::default() }),
            agent_version: "0.1.0".into(),
        };
        let answer = EnrollmentClient::new(channel).enroll(request).await?.into_inner();
        Ok(Agent { key, answer })
    }

    pub(crate) async fn stop(self) {
        self.server.stop().await;
    }
}

/// The value of the session cookie that an answer sets.
pub(crate) fn session_of(answer: &Answer) -> String {
    let cookie = answer.headers[header::SET_COOKIE].to_str().unwrap();
    assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict"), "{cookie}");
    cookie.split(['=', ';']).nth(1).unwrap().to_owned()
}

/// An agent that is only its key and its certificate.
pub(crate) struct Agent {
    pub(crate) key: AgentKey,
    pub(crate) answer: EnrollResponse,
}

impl Agent {
    pub(crate) fn id(&self) -> String {
        self.answer.agent_id.clone()
    }

    /// A connection to the uplink.
    pub(crate) async fn uplink(&self) -> Result<Channel, tonic::transport::Error> {
        let connector =
            connector_mutual(&self.answer.roots, &self.answer.certificate_chain, &self.key)
                .unwrap();
        Endpoint::from_shared(format!("https://{}", self.answer.endpoints[0]))
            .unwrap()
            .connect_with_connector(connector)
            .await
    }
}

/// The code that a refused call names.
pub(crate) fn code_of(status: &tonic::Status) -> String {
    use tonic_types::StatusExt;
    status.get_details_error_info().map(|info| info.reason).unwrap_or_default()
}

/// Asks again until the answer is there; fails when patience ends.
pub(crate) async fn eventually<T, F: Future<Output = Option<T>>>(
    what: &str,
    mut ask: impl FnMut() -> F,
) -> T {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(tokio::time::Instant::now() < deadline, "waited in vain for {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// An open stream of an agent.
pub(crate) struct Session {
    agent: String,
    frames: tokio::sync::mpsc::Sender<v1::AgentFrame>,
    answers: tonic::Streaming<v1::ServerFrame>,
    sequence: u64,
}

impl Session {
    /// Says hello and waits for the welcome; the error is the code and the words of a refusal.
    pub(crate) async fn open(agent: &Agent) -> Result<Self, String> {
        Self::open_able(agent, &[]).await
    }

    /// The same for an agent that reads targets by these collectors.
    pub(crate) async fn open_able(agent: &Agent, collectors: &[&str]) -> Result<Self, String> {
        let channel = agent.uplink().await.map_err(|error| format!("{error:?}"))?;
        let (tx, rx) = tokio::sync::mpsc::channel(16);
        let hello = v1::Hello {
            protocol_min: 1,
            protocol_max: 1,
            agent_version: "0.1.0".into(),
            epoch: 1,
            instance: agent.answer.certificate_chain[0][..16].to_vec(),
            remote_collectors: collectors.iter().map(|name| (*name).to_owned()).collect(),
            remote_capacity: 16,
            ..v1::Hello::default()
        };
        send(&tx, v1::agent_frame::Frame::Hello(hello)).await;
        let stream = tokio_stream::wrappers::ReceiverStream::new(rx);
        let answers = v1::uplink_client::UplinkClient::new(channel)
            .session(stream)
            .await
            .map_err(|status| format!("{} {status}", code_of(&status)))?
            .into_inner();
        let mut session = Self { agent: agent.id(), frames: tx, answers, sequence: 0 };
        match session.next().await {
            Some(Frame::Welcome(_)) => Ok(session),
            Some(Frame::Refusal(refusal)) => Err(format!("{} {}", refusal.code, refusal.detail)),
            other => Err(format!("{other:?}")),
        }
    }

    /// The next frame; nothing when the stream has ended.
    pub(crate) async fn next(&mut self) -> Option<Frame> {
        let frame = tokio::time::timeout(PATIENCE, self.answers.message()).await.unwrap();
        frame.ok().flatten().and_then(|frame| frame.frame)
    }

    /// Reports a host of this name, and waits until that is durable.
    pub(crate) async fn report_host(&mut self, fqdn: &str) {
        let seen = Observation::of(&host::CLASS, "host")
            .with(&host::FQDN, fqdn.to_owned())
            .with(&host::MEMORY_BYTES, 8_u64 << 30)
            .key(IdentityKey::new(KeyType::AgentKey, Realm::everywhere(), &self.agent));
        self.report("host", &[seen]).await;
    }

    /// Reports everything that a scope holds, and waits until that is durable.
    pub(crate) async fn report(&mut self, scope: &str, seen: &[Observation]) {
        let source = SourceId { collector: "host".into(), target: self.agent.clone() };
        let rejected = self.report_source(&source, scope, seen).await;
        assert!(rejected.is_empty(), "{rejected:?}");
    }

    /// Reports a host of this name that was read over the network; codes of what is rejected.
    pub(crate) async fn report_target(
        &mut self,
        collector: &str,
        target: &str,
        fqdn: &str,
    ) -> Vec<String> {
        let source = SourceId { collector: collector.into(), target: target.into() };
        let seen = Observation::of(&host::CLASS, "device")
            .with(&host::FQDN, fqdn.to_owned())
            .key(IdentityKey::new(KeyType::Fqdn, Realm::site("berlin"), fqdn));
        self.report_source(&source, "device", &[seen]).await
    }

    /// Says a frame.
    pub(crate) async fn say(&self, frame: v1::agent_frame::Frame) {
        send(&self.frames, frame).await;
    }

    async fn report_source(
        &mut self,
        source: &SourceId,
        scope: &str,
        seen: &[Observation],
    ) -> Vec<String> {
        let now = Timestamp::from(SystemClock.wall()).millis();
        let mut digest = ScopeDigest::default();
        for one in seen {
            let body = convert::body_bytes(one);
            digest.add(ContentHash::of(&one.class, &one.native_key, &body));
        }
        let report = v1::ScopeReport {
            scope: Some(convert::scope_to(source, scope)),
            run: vec![7; 16],
            started_at: now,
            finished_at: now,
            coverage: Some(convert::coverage_to(&Coverage::complete())),
            is_full: true,
            is_last: true,
            digest: convert::digest_to(digest),
            seen_count: u64::try_from(seen.len()).unwrap(),
            observations: seen.iter().map(convert::observation_to).collect(),
            ..v1::ScopeReport::default()
        };
        let record = v1::Record { content: Some(v1::record::Content::Report(report)) };
        self.sequence += 1;
        let entry = v1::Entry {
            sequence: self.sequence,
            content: Some(v1::entry::Content::Record(record.encode_to_vec().into())),
        };
        let batch = v1::Batch { epoch: 1, class: 1, entries: vec![entry] };
        send(&self.frames, v1::agent_frame::Frame::Batch(batch)).await;
        loop {
            match self.next().await {
                Some(Frame::Acknowledgement(ack)) => {
                    return ack.rejected.into_iter().map(|one| one.code).collect();
                }
                Some(_) => {}
                None => panic!("the stream ended before the acknowledgement"),
            }
        }
    }
}

async fn send(frames: &tokio::sync::mpsc::Sender<v1::AgentFrame>, frame: v1::agent_frame::Frame) {
    frames.send(v1::AgentFrame { frame: Some(frame) }).await.unwrap();
}
