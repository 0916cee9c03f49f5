//! `streams`: what ten thousand idle agents cost the control plane, and how fast it takes them in.
//!
//! Every stream has enrolled with a key and a certificate of its own, over mutual TLS; handshakes are full ones.
//! Memory is the control plane's proportional share after a minute of idling, less that before the first agent.

use anyhow::{Context, Result};
use clap::Parser;
use proto::v1::{
    AgentFrame, Beat, EnrollRequest, Hello, agent_frame, enrollment_client::EnrollmentClient,
    uplink_client::UplinkClient,
};
use std::sync::Arc;
use std::time::Duration;
use system_tests::report::Report;
use system_tests::rig::{Binaries, ControlPlane};
use tokio::sync::{Semaphore, mpsc};
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::{Channel, Endpoint};
use tower::Service;

#[derive(Parser)]
struct Arguments {
    /// Print one JSON object last
    #[arg(long)]
    json: bool,
    /// A thousand streams instead of ten thousand
    #[arg(long)]
    quick: bool,
}

/// How many connections are being made at once.
const AT_ONCE: usize = 64;

/// How many join tokens are used in turn: each one's rate of enrollments is limited to less than that of all.
const TOKENS: usize = 3;

/// What enrollment gave one agent.
struct Identity {
    chain: Vec<Vec<u8>>,
    roots: Vec<Vec<u8>>,
    key: pki::AgentKey,
}

/// A stream that is kept open.
struct Stream {
    _frames: mpsc::Sender<AgentFrame>,
    _answers: tonic::Streaming<proto::v1::ServerFrame>,
    _channel: Channel,
}

#[tokio::main(worker_threads = 2)]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let count = if arguments.quick { 1_000 } else { 10_000 };
    raise_descriptor_limit()?;
    let binaries = Binaries::find()?;
    let folder = tempfile::tempdir()?;
    let control_plane = ControlPlane::start(&binaries, folder.path()).await?;
    let mut tokens = Vec::new();
    for _ in 0..TOKENS {
        tokens.push(control_plane.join_token(count, &folder.path().join("token")).await?);
    }
    let mut report = Report::new("streams");

    let identities = enroll_all(&control_plane, &tokens, count).await?;
    report.figure("handshakes_s_core", handshakes(&control_plane, &identities).await?);
    let before = control_plane.process.usage()?;
    let streams = open_all(&control_plane.uplink, &identities).await?;
    let opened = control_plane.process.usage()?;
    #[expect(clippy::cast_precision_loss, reason = "thousands of agents, megabytes of memory")]
    {
        report.figure(
            "sessions_s_core",
            streams.len() as f64 / (opened.cpu_seconds - before.cpu_seconds),
        );
        tokio::time::sleep(Duration::from_secs(60)).await;
        let idle = control_plane.process.usage()?;
        report.figure("idle_core_percent", (idle.cpu_seconds - opened.cpu_seconds) / 60.0 * 100.0);
        let growth = idle.pss_bytes.saturating_sub(before.pss_bytes);
        report.figure("kb_per_idle_agent", growth as f64 / 1e3 / streams.len() as f64);
        report.figure("agents", streams.len() as f64);
    }
    report.print(arguments.json);
    Ok(())
}

fn raise_descriptor_limit() -> Result<()> {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    #[expect(unsafe_code, reason = "getrlimit(2) and setrlimit(2) have no form in std")]
    // SAFETY: the pointer points to an rlimit that outlives both calls.
    let code = unsafe {
        libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit);
        limit.rlim_cur = limit.rlim_max;
        libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit)
    };
    anyhow::ensure!(
        code == 0 && limit.rlim_cur >= 12_000,
        "needs 12,000 descriptors; has {}",
        limit.rlim_cur
    );
    Ok(())
}

async fn enroll_all(
    control_plane: &ControlPlane,
    tokens: &[String],
    count: u32,
) -> Result<Vec<Identity>> {
    let pin: pki::Pin = control_plane.pin.parse().ok().context("the pin cannot be read")?;
    let channel = Endpoint::from_shared(format!("http://{}", control_plane.enroll))?
        .connect_with_connector(pki::connector_pinned(pin)?)
        .await?;
    let mut identities = Vec::new();
    let mut client = EnrollmentClient::new(channel);
    for token in tokens.iter().cycle().take(usize::try_from(count)?) {
        let key = pki::AgentKey::generate()?;
        let answer = loop {
            let request = EnrollRequest {
                token: token.clone(),
                signing_request: key.csr_der()?,
                evidence: Some(proto::v1::Evidence {
                    host_name: "bench".into(),
                    ..Default::default()
                }),
                agent_version: env!("CARGO_PKG_VERSION").into(),
            };
            match client.enroll(request).await {
                Ok(answer) => break answer.into_inner(),
                // Enrollments are limited in their rate on purpose; an agent tries again by itself.
                Err(status) if status.code() == tonic::Code::ResourceExhausted => {
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
                Err(status) => return Err(status.into()),
            }
        };
        identities.push(Identity { chain: answer.certificate_chain, roots: answer.roots, key });
    }
    Ok(identities)
}

/// Full mutual handshakes per second of the control plane's processor time: connected, recognized, closed.
async fn handshakes(control_plane: &ControlPlane, identities: &[Identity]) -> Result<f64> {
    let before = control_plane.process.usage()?;
    let places = Arc::new(Semaphore::new(AT_ONCE));
    let mut connecting = tokio::task::JoinSet::new();
    for identity in identities {
        let place = Arc::clone(&places).acquire_owned().await?;
        let address: http::Uri = format!("http://{}", control_plane.uplink).parse()?;
        let mut connector = pki::connector_mutual(&identity.roots, &identity.chain, &identity.key)?;
        connecting.spawn(async move {
            let stream = connector.call(address).await;
            drop(place);
            stream.map(drop)
        });
    }
    while let Some(connected) = connecting.join_next().await {
        connected??;
    }
    let after = control_plane.process.usage()?;
    #[expect(clippy::cast_precision_loss, reason = "thousands of handshakes")]
    Ok(identities.len() as f64 / (after.cpu_seconds - before.cpu_seconds))
}

async fn open_all(uplink: &str, identities: &[Identity]) -> Result<Vec<Stream>> {
    let places = Arc::new(Semaphore::new(AT_ONCE));
    let mut opening = tokio::task::JoinSet::new();
    for identity in identities {
        let place = Arc::clone(&places).acquire_owned().await?;
        let endpoint = Endpoint::from_shared(format!("http://{uplink}"))?;
        let connector = pki::connector_mutual(&identity.roots, &identity.chain, &identity.key)?;
        opening.spawn(async move {
            let stream = open(endpoint, connector).await;
            drop(place);
            stream
        });
    }
    let mut streams = Vec::new();
    while let Some(stream) = opening.join_next().await {
        streams.push(stream??);
    }
    Ok(streams)
}

async fn open(endpoint: Endpoint, connector: pki::Connector) -> Result<Stream> {
    let channel = endpoint.connect_with_connector(connector).await?;
    let (frames, receiver) = mpsc::channel(1);
    let hello = Hello {
        protocol_min: proto::PROTOCOL_MIN,
        protocol_max: proto::PROTOCOL_MAX,
        agent_version: env!("CARGO_PKG_VERSION").into(),
        epoch: 1,
        instance: rand::random::<[u8; 16]>().to_vec(),
        ..Default::default()
    };
    frames.send(AgentFrame { frame: Some(agent_frame::Frame::Hello(hello)) }).await?;
    let mut client = UplinkClient::new(channel.clone());
    let mut answers = client.session(ReceiverStream::new(receiver)).await?.into_inner();
    let welcome = answers.message().await?.context("the stream ended before its welcome")?;
    anyhow::ensure!(
        matches!(welcome.frame, Some(proto::v1::server_frame::Frame::Welcome(_))),
        "no welcome but {welcome:?}"
    );
    frames.send(AgentFrame { frame: Some(agent_frame::Frame::Beat(Beat::default())) }).await?;
    Ok(Stream { _frames: frames, _answers: answers, _channel: channel })
}
