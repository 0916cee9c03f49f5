//! `history`: what an answer about the past costs, at a hundred thousand items with several versions each.
//!
//! The state is made by the product itself: a control plane process, and one agent's stream over mutual TLS that
//! reports hosts with packages, round after round. Each round changes one fact of every item; the last one changes
//! ten thousand items. What is measured are whole answers over HTTP: an item as of a moment, its relationships then,
//! and what differs between the last two rounds, with exact counts and every page.

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use clap::Parser;
use environment::{Clock, SystemClock};
use model::classes::{host, package};
use model::run::ContentHash;
use model::{Coverage, IdentityKey, KeyType, Observation, Realm, ScopeDigest, SourceId};
use proto::v1::agent_frame::Frame;
use proto::v1::{self, enrollment_client::EnrollmentClient, uplink_client::UplinkClient};
use proto::{Message, convert};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::Value;
use system_tests::report::Report;
use system_tests::rig::{Binaries, ControlPlane};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Endpoint;

#[derive(Parser)]
struct Arguments {
    /// Print one JSON object last
    #[arg(long)]
    json: bool,
    /// A tenth of the items
    #[arg(long)]
    quick: bool,
    /// The seed of the moments and items that are asked about
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// Packages of each host; with the host itself, fifty items.
const PACKAGES: usize = 49;

/// Hosts of one scope, which is one record.
const HOSTS_OF_SCOPE: usize = 10;

/// Rounds that change every item, after the first look.
const ROUNDS: i64 = 4;

/// Hosts that the last round changes: ten thousand items.
const HOSTS_CHANGED: usize = 200;

/// Time between two rounds, and before now.
const HOUR_MILLIS: i64 = 3_600_000;

/// Answers of each kind that are measured.
const QUESTIONS: usize = 1_000;

/// Times that the difference is asked for; the median counts.
const DIFFERENCES: usize = 5;

#[tokio::main(worker_threads = 2)]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let hosts = if arguments.quick { HOSTS_CHANGED } else { 2_000 };
    let binaries = Binaries::find()?;
    let folder = tempfile::tempdir()?;
    let control_plane = ControlPlane::start(&binaries, folder.path()).await?;
    let mut report = Report::new("history");
    let now = environment::unix_milliseconds(SystemClock.wall()).cast_signed();
    let begin = now - (ROUNDS + 2) * HOUR_MILLIS;
    let mut stream = Stream::open(&control_plane).await?;
    for round in 0..=ROUNDS {
        stream.look(hosts, round, begin + round * HOUR_MILLIS).await?;
    }
    let last = begin + (ROUNDS + 1) * HOUR_MILLIS;
    stream.look(HOSTS_CHANGED, ROUNDS + 1, last).await?;
    size(&mut report, &control_plane, hosts)?;

    let ids = ids(&control_plane, hosts).await?;
    let mut dice = StdRng::seed_from_u64(arguments.seed);
    for path in ["", "/relations"] {
        let mut times = Vec::with_capacity(QUESTIONS);
        for _ in 0..QUESTIONS {
            let id = ids.get(dice.random_range(0..ids.len())).context("an item")?;
            let at = moment(dice.random_range(begin..now))?;
            let begun = SystemClock.monotonic();
            control_plane.web.get(&format!("/api/v1/items/{id}{path}?at={at}")).await?;
            times.push((SystemClock.monotonic() - begun).as_secs_f64() * 1e3);
        }
        times.sort_by(f64::total_cmp);
        let name = if path.is_empty() { "item_at" } else { "relations_at" };
        for (share, place) in [("p50", 0.5), ("p95", 0.95), ("p99", 0.99)] {
            report.figure(&format!("{name}_{share}_ms"), of_sorted(&times, place));
        }
    }
    for _ in 0..DIFFERENCES {
        difference(&mut report, &control_plane, last).await?;
    }
    report.print(arguments.json);
    Ok(())
}

fn size(report: &mut Report, control_plane: &ControlPlane, hosts: usize) -> Result<()> {
    let items = hosts * (PACKAGES + 1);
    let versions = items * usize::try_from(ROUNDS)? + HOSTS_CHANGED * (PACKAGES + 1);
    let mut bytes = 0;
    for name in ["dharma.sqlite", "dharma.sqlite-wal"] {
        bytes += std::fs::metadata(control_plane.state.join(name)).map_or(0, |file| file.len());
    }
    #[expect(clippy::cast_precision_loss, reason = "figures for people")]
    {
        report.figure("items", items as f64);
        report.figure("versions", versions as f64);
        report.figure("state_mb", bytes as f64 / 1e6);
    }
    Ok(())
}

fn of_sorted(times: &[f64], share: f64) -> f64 {
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a place among a thousand answers"
    )]
    let place = (times.len() as f64 * share) as usize;
    times.get(place.min(times.len().saturating_sub(1))).copied().unwrap_or_default()
}

/// RFC 3339, as the API takes it.
fn moment(millis: i64) -> Result<String> {
    Ok(format!("{:.3}", jiff::Timestamp::from_millisecond(millis)?))
}

/// Ids of hosts and packages, from a few pages of each.
async fn ids(control_plane: &ControlPlane, hosts: usize) -> Result<Vec<String>> {
    let mut found = Vec::new();
    for number in (0..hosts).step_by(hosts.div_ceil(40)) {
        let path = format!("/api/v1/items?text=guest{number:05}.example.net&page_size=1");
        let answer = control_plane.web.get(&path).await?;
        let id = |item: &Value| item.get("id").and_then(Value::as_str).map(str::to_owned);
        let host = answer.pointer("/items/0").and_then(id).context("a host")?;
        let path = format!("/api/v1/items?parent={host}&page_size=500");
        let parts = control_plane.web.get(&path).await?;
        let parts = parts.get("items").and_then(Value::as_array).cloned().unwrap_or_default();
        found.extend(parts.iter().filter_map(id));
        found.push(host);
    }
    Ok(found)
}

/// Everything that the last round changed: counts and every page.
async fn difference(report: &mut Report, control_plane: &ControlPlane, last: i64) -> Result<()> {
    let between = format!("from={}&to={}", moment(last - 1)?, moment(last)?);
    let mut token = String::new();
    let mut rows = 0;
    let begun = SystemClock.monotonic();
    loop {
        let path = format!("/api/v1/diff?{between}&page_size=500&page_token={token}");
        let page = control_plane.web.get(&path).await?;
        if token.is_empty() {
            let took = (SystemClock.monotonic() - begun).as_secs_f64();
            report.figure("diff_10k_counts_and_first_page_s", took);
            let changed = page.pointer("/counts/changed").and_then(Value::as_u64);
            let expected = u64::try_from(HOSTS_CHANGED * (PACKAGES + 1))?;
            ensure!(changed == Some(expected), "{changed:?} items differ, not {expected}");
        }
        rows += page.get("items").and_then(Value::as_array).map_or(0, Vec::len);
        token = page.get("next_page_token").and_then(Value::as_str).unwrap_or_default().to_owned();
        if token.is_empty() {
            break;
        }
    }
    report.figure("diff_10k_s", (SystemClock.monotonic() - begun).as_secs_f64());
    ensure!(rows == HOSTS_CHANGED * (PACKAGES + 1), "{rows} rows");
    Ok(())
}

/// What is seen of one host in a round: one fact of every item follows the round.
fn host_of(number: usize, round: i64) -> impl Iterator<Item = Observation> {
    let name = format!("guest{number:05}");
    let own = Observation::of(&host::CLASS, &name)
        .with(&host::FQDN, format!("{name}.example.net"))
        .with(&host::OS_NAME, "Debian GNU/Linux 13")
        .with(&host::KERNEL_RELEASE, format!("6.12.{round}"))
        .with(&host::MEMORY_BYTES, 8_u64 << 30)
        .key(IdentityKey::new(KeyType::MachineId, Realm::everywhere(), &format!("{number:032x}")));
    let packages = (0..PACKAGES).map(move |package| {
        Observation::part(&package::CLASS, &name, &["dpkg", &format!("lib{package:02}"), "amd64"])
            .with(&package::VERSION, format!("1.{round}-{number}"))
            .with(&package::INSTALLED_BYTES, 1_u64 << 20)
    });
    std::iter::once(own).chain(packages)
}

/// An agent's stream.
struct Stream {
    agent: String,
    frames: mpsc::Sender<v1::AgentFrame>,
    answers: tonic::Streaming<v1::ServerFrame>,
    sequence: u64,
}

impl Stream {
    async fn open(control_plane: &ControlPlane) -> Result<Self> {
        let token = control_plane.join_token(1, &control_plane.state.join("bench-token")).await?;
        let pin: pki::Pin = control_plane.pin.parse().ok().context("the pin cannot be read")?;
        let channel = Endpoint::from_shared(format!("http://{}", control_plane.enroll))?
            .connect_with_connector(pki::connector_pinned(pin)?)
            .await?;
        let key = pki::AgentKey::generate()?;
        let request = v1::EnrollRequest {
            token,
            signing_request: key.csr_der()?,
            evidence: Some(v1::Evidence { host_name: "bench".into(), ..Default::default() }),
            agent_version: env!("CARGO_PKG_VERSION").into(),
        };
        let enrolled = EnrollmentClient::new(channel).enroll(request).await?.into_inner();
        let connector = pki::connector_mutual(&enrolled.roots, &enrolled.certificate_chain, &key)?;
        let channel = Endpoint::from_shared(format!("http://{}", control_plane.uplink))?
            .connect_with_connector(connector)
            .await?;
        let (frames, receiver) = mpsc::channel(4);
        let hello = v1::Hello {
            protocol_min: proto::PROTOCOL_MIN,
            protocol_max: proto::PROTOCOL_MAX,
            agent_version: env!("CARGO_PKG_VERSION").into(),
            epoch: 1,
            instance: rand::random::<[u8; 16]>().to_vec(),
            ..Default::default()
        };
        frames.send(v1::AgentFrame { frame: Some(Frame::Hello(hello)) }).await?;
        let mut answers =
            UplinkClient::new(channel).session(ReceiverStream::new(receiver)).await?.into_inner();
        let welcome = answers.message().await?.context("the stream ended before its welcome")?;
        ensure!(
            matches!(welcome.frame, Some(v1::server_frame::Frame::Welcome(_))),
            "no welcome but {welcome:?}"
        );
        Ok(Self { agent: enrolled.agent_id, frames, answers, sequence: 0 })
    }

    /// One round: every scope of the first `hosts`, each durable before the next but a few.
    async fn look(&mut self, hosts: usize, round: i64, at: i64) -> Result<()> {
        for first in (0..hosts).step_by(HOSTS_OF_SCOPE) {
            let seen = (first..first + HOSTS_OF_SCOPE).flat_map(|host| host_of(host, round));
            let record = self.record(&format!("guests.{first:05}"), round, at, seen);
            self.deliver(record).await?;
        }
        Ok(())
    }

    fn record(
        &self,
        scope: &str,
        round: i64,
        at: i64,
        seen: impl Iterator<Item = Observation>,
    ) -> Bytes {
        let source = SourceId { collector: "host".into(), target: self.agent.clone() };
        let mut digest = ScopeDigest::default();
        let observations: Vec<v1::Observation> =
            seen.map(|one| convert::observation_to(&one)).collect();
        for wire in &observations {
            digest.add(ContentHash::of(&wire.class, &wire.native_key, &wire.body));
        }
        let report = v1::ScopeReport {
            scope: Some(convert::scope_to(&source, scope)),
            run: round.to_le_bytes().repeat(2),
            started_at: at,
            finished_at: at,
            coverage: Some(convert::coverage_to(&Coverage::complete())),
            is_full: true,
            is_last: true,
            digest: convert::digest_to(digest),
            seen_count: u64::try_from(observations.len()).unwrap_or(u64::MAX),
            observations,
            ..Default::default()
        };
        let content = Some(v1::record::Content::Report(report));
        v1::Record { content }.encode_to_vec().into()
    }

    async fn deliver(&mut self, record: Bytes) -> Result<()> {
        self.sequence += 1;
        let content = Some(v1::entry::Content::Record(record));
        let entries = vec![v1::Entry { sequence: self.sequence, content }];
        let batch = v1::Batch { epoch: 1, class: 1, entries };
        self.frames.send(v1::AgentFrame { frame: Some(Frame::Batch(batch)) }).await?;
        loop {
            let answer = self.answers.message().await?.context("the stream ended")?;
            if let Some(v1::server_frame::Frame::Acknowledgement(answer)) = answer.frame {
                ensure!(answer.rejected.is_empty(), "{:?}", answer.rejected);
                if answer.sequence >= self.sequence {
                    return Ok(());
                }
            }
        }
    }
}
