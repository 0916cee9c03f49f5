//! Measures ingest as agents see it: messages over mutual TLS and gRPC on loopback into a durable SQLite store,
//! acknowledged after the commit. Prints one JSON object.
//!
//! Several agents with certificates of their own send at once, compressed as the real one does. New items have 20
//! attributes, 3 identity keys and 2 relationships; unchanged ones are the same observations sent whole again;
//! changed ones differ in 3 attributes. Client and server share this process and its processors.
//!
//! Arguments: `--json`, `--quick` (fewer items), `--items N` (all agents together), `--agents N`,
//! `--runs N` (each in a fresh store), `--state DIR` (a temporary folder otherwise).
#![expect(clippy::print_stdout, reason = "the figures are the output")]
#![expect(clippy::expect_used, reason = "a measurement that cannot be made ends with the reason")]
#![expect(clippy::panic, reason = "a measurement that cannot be made ends with the reason")]

#[path = "../../tests/src/bin/bench-reconcile/item.rs"]
mod item;

use bytes::Bytes;
use control_plane::api::grpc::uplink::{self, Admission, Admitted, Refused, UplinkParts};
use control_plane::ingest::Ingest;
use control_plane::ingest::sessions::Sessions;
use environment::{Clock, SystemClock, SystemRandomness};
use model::run::ContentHash;
use model::{AgentId, Catalog, Coverage, ScopeDigest, SourceId};
use pki::{AcceptLimits, AgentKey, Authority, Peer, ServerIdentitySource};
use proto::v1::agent_frame::Frame;
use proto::v1::server_frame::Frame as Answer;
use proto::v1::uplink_client::UplinkClient;
use proto::{Message, convert, v1};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use store::database::Database;
use store::sqlite::SqliteItems;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinHandle;
use tokio_stream::wrappers::ReceiverStream;
use tonic::codec::CompressionEncoding;
use tonic::transport::Endpoint;

/// The allocator of the control plane's binary: what is measured here is what is installed.
#[cfg(unix)]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

const SCOPE: &str = "bench";
/// Each in a fresh store. Medians of five keep one disturbed run from deciding, within three minutes.
const RUNS: usize = 5;
const RUNS_QUICK: usize = 3;

/// Everyone may speak; the certificate was checked by TLS.
#[derive(Debug)]
struct Everyone;

#[async_trait::async_trait]
impl Admission for Everyone {
    async fn admit(&self, peer: &Peer) -> Result<Admitted, Refused> {
        let agent =
            peer.agent.ok_or_else(|| Refused { code: "AGENT_UNKNOWN", detail: String::new() })?;
        Ok(Admitted { agent, site: "bench".into(), nonces: Vec::new() })
    }
    async fn nonces_set(&self, _: AgentId, _: Vec<u8>) {}
    async fn contact(&self, _: AgentId, _: store::fleet::Contact) {}
    async fn duplicate(&self, _: AgentId, _: String) {}
}

struct Arguments {
    items: usize,
    agents: usize,
    runs: usize,
    state: Option<PathBuf>,
}

fn arguments() -> Arguments {
    let mut arguments = Arguments { items: 200_000, agents: 4, runs: RUNS, state: None };
    let mut given = std::env::args().skip(1);
    while let Some(name) = given.next() {
        match name.as_str() {
            // The report is one JSON object in any case.
            "--json" => continue,
            "--quick" => {
                arguments.items = 60_000;
                arguments.runs = RUNS_QUICK;
                continue;
            }
            _ => {}
        }
        let value = given.next().expect("every argument has a value");
        match name.as_str() {
            "--items" => arguments.items = value.parse().expect("a number of items"),
            "--agents" => arguments.agents = value.parse().expect("a number of agents"),
            "--runs" => arguments.runs = value.parse().expect("a number of runs"),
            "--state" => arguments.state = Some(value.into()),
            other => panic!(
                "unknown argument `{other}`; there are --json, --quick, --items, --agents, --runs and --state"
            ),
        }
    }
    arguments
}

/// The spool records of one full look, as the agent makes them.
fn records(agent: u64, id: AgentId, count: u64, changes: u64) -> Vec<Bytes> {
    let source = SourceId { collector: "bench".into(), target: id.to_string() };
    let mut digest = ScopeDigest::default();
    let mut parts: Vec<Vec<v1::Observation>> = vec![Vec::new()];
    let mut bytes = 0;
    for index in 0..count {
        let wire = convert::observation_to(&item::item(agent, index, changes));
        digest.add(ContentHash::of(&wire.class, &wire.native_key, &wire.body));
        bytes += wire.encoded_len();
        if let Some(part) = parts.last_mut() {
            part.push(wire);
        }
        if bytes > proto::limits::PART_BYTES_TARGET {
            parts.push(Vec::new());
            bytes = 0;
        }
    }
    let now = environment::unix_milliseconds(SystemClock.wall()).cast_signed();
    let last = parts.len() - 1;
    let report = |(part, observations): (usize, Vec<v1::Observation>)| v1::ScopeReport {
        scope: Some(convert::scope_to(&source, SCOPE)),
        run: changes.to_le_bytes().repeat(2),
        started_at: now,
        finished_at: now,
        coverage: Some(convert::coverage_to(&Coverage::complete())),
        is_full: true,
        part: u32::try_from(part).expect("few parts"),
        is_last: part == last,
        digest: convert::digest_to(digest),
        seen_count: count,
        observations,
        removed: Vec::new(),
    };
    let parts = parts.into_iter().enumerate().map(report);
    parts
        .map(|report| {
            let content = Some(v1::record::Content::Report(report));
            v1::Record { content }.encode_to_vec().into()
        })
        .collect()
}

/// One agent's stream.
struct Agent {
    frames: mpsc::Sender<v1::AgentFrame>,
    answers: tonic::Streaming<v1::ServerFrame>,
    window: Arc<Semaphore>,
    sequence: u64,
}

impl Agent {
    async fn connect(address: SocketAddr, authority: &Authority, id: AgentId) -> Self {
        let key = AgentKey::generate().expect("a key can be made");
        let request = key.csr_der().expect("a request can be signed");
        let day = Duration::from_secs(86_400);
        let issued = authority
            .issue_agent(&request, id, SystemClock.wall(), day)
            .expect("the authority signs");
        let roots = [authority.root_der().to_vec()];
        let connector =
            pki::connector_mutual(&roots, &issued.chain_der, &key).expect("the chain is good");
        let channel = Endpoint::from_shared(format!("http://{address}"))
            .expect("an address")
            .initial_stream_window_size(1 << 20)
            .initial_connection_window_size(1 << 20)
            .connect_with_connector(connector)
            .await
            .expect("the uplink answers");
        let mut client = UplinkClient::new(channel)
            .send_compressed(CompressionEncoding::Zstd)
            .accept_compressed(CompressionEncoding::Zstd);
        let (frames, sent) = mpsc::channel(4);
        let hello = v1::Hello {
            protocol_min: 1,
            protocol_max: 1,
            agent_version: "bench".into(),
            evidence: None,
            epoch: 1,
            instance: vec![1; 16],
            nonce: Vec::new(),
        };
        frames.send(frame(Frame::Hello(hello))).await.expect("the stream is open");
        let mut answers =
            client.session(ReceiverStream::new(sent)).await.expect("a stream opens").into_inner();
        let welcome = answers.message().await.expect("an answer").expect("a welcome");
        let Some(Answer::Welcome(welcome)) = welcome.frame else {
            unexpected(&welcome);
        };
        let window = usize::try_from(welcome.window_bytes).expect("a window");
        Self { frames, answers, window: Arc::new(Semaphore::new(window)), sequence: 0 }
    }

    /// Sends records within the window and waits until the last one is acknowledged.
    async fn deliver(&mut self, records: &[Bytes]) {
        let first = self.sequence + 1;
        let last = self.sequence + u64::try_from(records.len()).expect("few records");
        let (window, frames) = (Arc::clone(&self.window), self.frames.clone());
        let records = records.to_vec();
        let sizes: Vec<usize> = records.iter().map(Bytes::len).collect();
        let sending = tokio::spawn(async move {
            for (record, sequence) in records.into_iter().zip(first..) {
                let bytes = u32::try_from(record.len()).expect("a small record");
                window.acquire_many(bytes).await.expect("an open window").forget();
                let content = Some(v1::entry::Content::Record(record));
                let batch = v1::Batch {
                    epoch: 1,
                    class: 1,
                    entries: vec![v1::Entry { sequence, content }],
                };
                frames.send(frame(Frame::Batch(batch))).await.expect("the stream is open");
            }
        });
        let mut acknowledged = first - 1;
        while acknowledged < last {
            let answer =
                self.answers.message().await.expect("an answer").expect("the stream is open");
            let Some(Answer::Acknowledgement(acknowledgement)) = answer.frame else {
                unexpected(&answer);
            };
            assert!(acknowledgement.rejected.is_empty(), "{:?}", acknowledgement.rejected);
            for sequence in acknowledged + 1..=acknowledgement.sequence {
                let place = usize::try_from(sequence - first).expect("a small number");
                self.window.add_permits(sizes.get(place).copied().unwrap_or_default());
            }
            acknowledged = acknowledgement.sequence;
        }
        self.sequence = last;
        sending.await.expect("the sender ends");
    }
}

fn unexpected(answer: &v1::ServerFrame) -> ! {
    panic!("the control plane answered {answer:?}")
}

fn frame(frame: Frame) -> v1::AgentFrame {
    v1::AgentFrame { frame: Some(frame) }
}

/// Processor time of this process so far, user and system.
fn processor_time() -> f64 {
    // Fields 14 and 15 of the line, in ticks of a hundredth of a second (proc(5)); the name before them has no space.
    let line = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let ticks = line.split(' ').skip(13).take(2).filter_map(|field| field.parse::<f64>().ok());
    ticks.sum::<f64>() / 100.0
}

/// All agents deliver at once; items per second, and microseconds of processor time (client and server) per item.
async fn phase(
    agents: &mut [Agent],
    records: &[Vec<Bytes>],
    items: usize,
    times: usize,
) -> (f64, f64) {
    let (begun, worked) = (SystemClock.monotonic(), processor_time());
    let deliveries = agents.iter_mut().zip(records).map(|(agent, records)| async move {
        for _ in 0..times {
            agent.deliver(records).await;
        }
    });
    futures::future::join_all(deliveries).await;
    let took = SystemClock.monotonic().saturating_sub(begun).as_secs_f64();
    #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
    let sent = (items * times) as f64;
    (sent / took, (processor_time() - worked) * 1e6 / sent)
}

/// What a host costs on the wire in an hour in which nothing changed: the confirmations of its scopes, as beats of
/// this protocol carry them, without TLS's and HTTP/2's own bytes.
fn beat_bytes_per_hour(id: AgentId) -> usize {
    const SCOPES: usize = 40;
    const LOOKS_PER_HOUR: usize = 60;
    let source = SourceId { collector: "host".into(), target: id.to_string() };
    let confirmations = (0..SCOPES).map(|scope| v1::ScopeConfirmation {
        scope: Some(convert::scope_to(&source, &format!("packages.manager{scope:02}"))),
        looked_at: 1_790_000_000_000,
        digest: vec![0x5a; 16],
    });
    let beat = v1::Beat {
        confirmations: confirmations.collect(),
        spool_bytes: 0,
        spool_records: 0,
        complaints: Vec::new(),
    };
    frame(Frame::Beat(beat)).encoded_len() * LOOKS_PER_HOUR
}

fn size_of(folder: &Path) -> u64 {
    let files = ["dharma.sqlite", "dharma.sqlite-wal"].map(|name| folder.join(name));
    files.iter().filter_map(|file| std::fs::metadata(file).ok()).map(|file| file.len()).sum()
}

/// A control plane's uplink and store, as far as ingest needs them.
struct Server {
    database: Database,
    ingest: Ingest,
    authority: Authority,
    address: SocketAddr,
    serving: JoinHandle<Result<(), tonic::transport::Error>>,
}

async fn serve(state: &Path) -> Server {
    let database = Database::open(&state.join("dharma.sqlite")).expect("the database opens");
    let store = Arc::new(SqliteItems::open(database.clone()).expect("the items open"));
    let (catalog, clock) = (Arc::new(Catalog::built_in()), Arc::new(SystemClock));
    let ingest = Ingest::start(store, catalog, clock, Arc::new(SystemRandomness));
    let ingest = ingest.await.expect("ingest starts");
    let now = SystemClock.wall();
    let authority = Authority::load_or_create(&state.join("pki"), now).expect("an authority");
    let identity =
        authority.issue_server(&["localhost".to_owned()], now).expect("a server certificate");
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let identity = ServerIdentitySource::new(identity);
    let acceptor =
        pki::serve_mutual(listener, identity, authority.root_der(), AcceptLimits::default())
            .expect("the listener is set up");
    let address = acceptor.local_address().expect("an address");
    let service = uplink::service(UplinkParts {
        ingest: ingest.clone(),
        sessions: Sessions::default(),
        admission: Arc::new(Everyone),
        clock: Arc::new(SystemClock),
        randomness: Arc::new(SystemRandomness),
    });
    let serving = tokio::spawn(
        tonic::transport::Server::builder().add_service(service).serve_with_incoming(acceptor),
    );
    Server { database, ingest, authority, address, serving }
}

/// What one run in a fresh store gave.
struct Run {
    new_items_s: f64,
    unchanged_items_s: f64,
    changed_items_s: f64,
    /// Microseconds of processor time per item, client and server: new, unchanged, changed.
    costs: [f64; 3],
    store_bytes: u64,
    store_bytes_after_change: u64,
}

/// The messages of all agents, made beforehand as their spools would hold them.
struct Messages {
    ids: Vec<AgentId>,
    items: usize,
    new: Vec<Vec<Bytes>>,
    changed: Vec<Vec<Bytes>>,
}

impl Messages {
    fn make(arguments: &Arguments) -> Self {
        let per_agent = arguments.items / arguments.agents;
        let each = u64::try_from(per_agent).expect("a small number");
        let ids: Vec<AgentId> = (0..arguments.agents)
            .map(|number| {
                let number = u8::try_from(number).expect("few agents");
                AgentId::new_v7(SystemClock.wall().into(), [number; 10])
            })
            .collect();
        let made = |changes: u64| -> Vec<Vec<Bytes>> {
            let agents = ids.iter().zip(0..);
            agents.map(|(id, agent)| records(agent, *id, each, changes)).collect()
        };
        let (new, changed) = (made(0), made(1));
        Self { items: per_agent * arguments.agents, new, changed, ids }
    }
}

/// All phases against a control plane and a store of their own, which end with the run.
async fn run(state: &Path, messages: &Messages) -> Run {
    std::fs::create_dir_all(state).expect("the folder can be made");
    let server = serve(state).await;
    let mut agents = Vec::new();
    for id in &messages.ids {
        agents.push(Agent::connect(server.address, &server.authority, *id).await);
    }
    let items = messages.items;
    let (new_items_s, new_us) = phase(&mut agents, &messages.new, items, 1).await;
    let (unchanged_items_s, unchanged_us) = phase(&mut agents, &messages.new, items, 5).await;
    checkpoint(&server.database).await;
    let store_bytes = size_of(state);
    let (changed_items_s, changed_us) = phase(&mut agents, &messages.changed, items, 1).await;
    checkpoint(&server.database).await;
    let store_bytes_after_change = size_of(state);
    drop(agents);
    server.ingest.stop().await;
    server.serving.abort();
    Run {
        new_items_s,
        unchanged_items_s,
        changed_items_s,
        costs: [new_us, unchanged_us, changed_us],
        store_bytes,
        store_bytes_after_change,
    }
}

/// The smallest, the middle and the largest of a figure over the runs.
fn spread(runs: &[Run], figure: impl Fn(&Run) -> f64) -> [f64; 3] {
    let mut values: Vec<f64> = runs.iter().map(figure).collect();
    values.sort_by(f64::total_cmp);
    let at = |place: usize| values.get(place).copied().expect("there is at least one run");
    [at(0), at(values.len() / 2), at(values.len() - 1)]
}

/// The most memory that this process, client and server, ever held, in 10⁶ bytes.
fn peak_rss_mb() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    kib.unwrap_or_default() * 1024 / 1_000_000
}

fn print(arguments: &Arguments, messages: &Messages, runs: &[Run]) {
    let [new_min, new, new_max] = spread(runs, |run| run.new_items_s);
    let [unchanged_min, unchanged, unchanged_max] = spread(runs, |run| run.unchanged_items_s);
    let [changed_min, changed, changed_max] = spread(runs, |run| run.changed_items_s);
    #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
    let per_item = |bytes: u64| bytes as f64 / messages.items as f64;
    let [bytes_min, bytes, bytes_max] = spread(runs, |run| per_item(run.store_bytes));
    let [_, bytes_after, _] = spread(runs, |run| per_item(run.store_bytes_after_change));
    let [new_us, unchanged_us, changed_us] =
        [0, 1, 2].map(|place| spread(runs, |run| run.costs.get(place).copied().unwrap_or(0.0))[1]);
    let wire: usize = messages.new.iter().flatten().map(Bytes::len).sum();
    println!(
        "{{\"bench\":\"ingest\",\"figures\":{{\"unchanged_items_s\":{unchanged:.0},\"new_items_s\":{new:.0},\
         \"changed_items_s\":{changed:.0},\"wire_bytes_per_unchanged_host_hour\":{},\"store_bytes_per_item\":{bytes:.0}}},\
         \"peers\":{{}},\"missing_peers\":[],\"runs\":{},\"spread\":{{\
         \"unchanged_items_s\":[{unchanged_min:.0},{unchanged_max:.0}],\"new_items_s\":[{new_min:.0},{new_max:.0}],\
         \"changed_items_s\":[{changed_min:.0},{changed_max:.0}],\"store_bytes_per_item\":[{bytes_min:.0},{bytes_max:.0}]}},\
         \"command\":\"cargo xtask bench ingest --json\",\
         \"items\":{},\"agents\":{},\"message_bytes_per_item\":{},\"store_bytes_per_item_after_change\":{bytes_after:.0},\
         \"peak_rss_mb\":{},\
         \"processor_us_per_item\":{{\"new\":{new_us:.1},\"unchanged\":{unchanged_us:.1},\"changed\":{changed_us:.1}}}}}",
        messages.ids.first().map_or(0, |id| beat_bytes_per_hour(*id)),
        runs.len(),
        messages.items,
        arguments.agents,
        wire / messages.items,
        peak_rss_mb(),
    );
}

#[tokio::main]
async fn main() {
    let arguments = arguments();
    let temporary = std::env::temp_dir().join(format!("bench-ingest-{}", std::process::id()));
    let state = arguments.state.clone().unwrap_or_else(|| temporary.clone());
    let messages = Messages::make(&arguments);
    let mut runs = Vec::new();
    for number in 1..=arguments.runs {
        let folder = state.join(format!("run-{number}"));
        let run = run(&folder, &messages).await;
        eprintln!(
            "run {number}: {:.0} new, {:.0} unchanged, {:.0} changed items/s",
            run.new_items_s, run.unchanged_items_s, run.changed_items_s
        );
        runs.push(run);
        if arguments.state.is_none() {
            std::fs::remove_dir_all(&folder).ok();
        }
    }
    print(&arguments, &messages, &runs);
    if arguments.state.is_none() {
        std::fs::remove_dir_all(&temporary).ok();
    }
}

async fn checkpoint(database: &Database) {
    database.checkpoint().await.expect("the log moves into the file");
}
