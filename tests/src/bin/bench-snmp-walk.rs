//! `snmp-walk`: reading many devices at once, beside `snmpbulkwalk` against the same agents in the same run.
//!
//! The agents are net-snmp's on two hundred loopback addresses, five processes; they share the cores with the client,
//! so that what counts is the client's processor time (getrusage: our process, or all processes of the peer). Each
//! walk of ours opens its own session. The peer prints to /dev/null, numbers only, fifty variables a request.

use anyhow::{Context, Result, bail};
use clap::Parser;
use collector_snmp::access::{Access, Hidden};
use collector_snmp::message::{Message, Operation, Version, community_request};
use collector_snmp::oid;
use collector_snmp::session::{Session, Timing};
use collector_snmp::walk::{Tuning, walk};
use environment::{Clock, SystemClock, SystemRandomness};
use std::hint::black_box;
use std::net::{IpAddr, SocketAddr};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use system_tests::report::Report;
use system_tests::snmpd::Agents;
use tokio::task::JoinSet;

#[derive(Parser)]
struct Arguments {
    /// Print one JSON object last
    #[arg(long)]
    json: bool,
    /// Two runs instead of five
    #[arg(long)]
    quick: bool,
}

/// Devices, and how many are read at once.
const DEVICES: usize = 200;
const AT_ONCE: usize = 16;
/// Small walks of one run.
const SMALL_WALKS: usize = 2_000;
/// Walks that are in flight together when memory is measured.
const IN_FLIGHT: usize = 1_000;
/// `hrSWInstalled`: thousands of variables on a Debian machine.
const LARGE: &[u32] = &[1, 3, 6, 1, 2, 1, 25, 6];
/// `interfaces`: some ninety.
const SMALL: &[u32] = &[1, 3, 6, 1, 2, 1, 2];

#[expect(clippy::cast_precision_loss, reason = "counts far below 2^52")]
fn real(number: usize) -> f64 {
    number as f64
}

/// Processor seconds, user and system: of this process, or of its children that have ended.
fn cpu_seconds(who: libc::c_int) -> Result<f64> {
    #[expect(unsafe_code, reason = "getrusage(2) has no safe form in std")]
    // SAFETY: a zeroed rusage is a valid one, and it outlives the call.
    let usage = unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        if libc::getrusage(who, &raw mut usage) != 0 {
            bail!("getrusage: {}", std::io::Error::last_os_error());
        }
        usage
    };
    let seconds = |time: libc::timeval| -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "seconds of a benchmark")]
        let whole = time.tv_sec as f64;
        #[expect(clippy::cast_precision_loss, reason = "less than a million")]
        let parts = time.tv_usec as f64;
        whole + parts / 1e6
    };
    Ok(seconds(usage.ru_utime) + seconds(usage.ru_stime))
}

/// What some walks cost.
#[derive(Debug, Default)]
struct Cost {
    variables: usize,
    walks: usize,
    wall_seconds: f64,
    cpu_seconds: f64,
}

async fn walk_one(address: SocketAddr, root: &[u32]) -> Result<usize> {
    let community = Hidden(b"public".to_vec().into());
    let access = Arc::new(Access::Community { version: Version::V2c, community });
    let mut session = Session::open(address, access, Timing::default(), &SystemRandomness).await?;
    let mut tuning = Tuning::default();
    let mut count = 0;
    let end = walk(&mut session, &mut tuning, &[oid::encoded(root)], &mut |_, rest, value| {
        black_box((rest, value));
        count += 1;
        true
    })
    .await;
    if !end.is_complete() {
        bail!("the walk of {address} ended early: {end:?}");
    }
    Ok(count)
}

async fn ours(agents: &Agents, root: &'static [u32], walks: usize, at_once: usize) -> Result<Cost> {
    let addresses: Arc<Vec<SocketAddr>> = Arc::new(
        agents
            .addresses
            .iter()
            .map(|address| Ok(SocketAddr::new(address.parse::<IpAddr>()?, agents.port)))
            .collect::<Result<_>>()?,
    );
    let clock = SystemClock;
    let (cpu, begin) = (cpu_seconds(libc::RUSAGE_SELF)?, clock.monotonic());
    let next = Arc::new(AtomicUsize::new(0));
    let mut workers = JoinSet::new();
    for _ in 0..at_once {
        let (addresses, next) = (Arc::clone(&addresses), Arc::clone(&next));
        workers.spawn(async move {
            let mut variables = 0;
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= walks {
                    return Ok::<usize, anyhow::Error>(variables);
                }
                let address = addresses.get(number % addresses.len()).context("no address")?;
                variables += walk_one(*address, root).await?;
            }
        });
    }
    let mut variables = 0;
    while let Some(worker) = workers.join_next().await {
        variables += worker??;
    }
    Ok(Cost {
        variables,
        walks,
        wall_seconds: (clock.monotonic() - begin).as_secs_f64(),
        cpu_seconds: cpu_seconds(libc::RUSAGE_SELF)? - cpu,
    })
}

fn peer_command(address: &str, port: u16, root: &[u32]) -> Command {
    let mut command = Command::new("snmpbulkwalk");
    command.env("MIBS", "").args(["-v2c", "-c", "public", "-On", "-Cr50", "-t", "5"]);
    command.arg(format!("{address}:{port}")).arg(oid::text(root));
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

/// The peer's cost; `each` is how many variables a walk has.
async fn peers(
    agents: &Agents,
    root: &'static [u32],
    (walks, at_once): (usize, usize),
    each: usize,
) -> Result<Cost> {
    let clock = SystemClock;
    let (cpu, begin) = (cpu_seconds(libc::RUSAGE_CHILDREN)?, clock.monotonic());
    let mut running = JoinSet::new();
    for number in 0..walks {
        if running.len() >= at_once {
            ended(running.join_next().await)?;
        }
        let address =
            agents.addresses.get(number % agents.addresses.len()).context("no address")?;
        let mut child =
            tokio::process::Command::from(peer_command(address, agents.port, root)).spawn()?;
        running.spawn(async move { child.wait().await });
    }
    while let Some(end) = running.join_next().await {
        ended(Some(end))?;
    }
    Ok(Cost {
        variables: walks * each,
        walks,
        wall_seconds: (clock.monotonic() - begin).as_secs_f64(),
        cpu_seconds: cpu_seconds(libc::RUSAGE_CHILDREN)? - cpu,
    })
}

type End = Result<std::io::Result<std::process::ExitStatus>, tokio::task::JoinError>;

fn ended(end: Option<End>) -> Result<()> {
    if let Some(end) = end
        && !end??.success()
    {
        bail!("snmpbulkwalk failed");
    }
    Ok(())
}

/// Decodes one recorded answer again and again: variables per second of processor time.
async fn decoding(agents: &Agents) -> Result<f64> {
    let socket = tokio::net::UdpSocket::bind("127.0.0.1:0").await?;
    let address = agents.addresses.first().context("no address")?;
    let name = oid::encoded(LARGE);
    let bulk = Operation::GetBulk { max_repetitions: 50 };
    let request = community_request(Version::V2c, b"public", bulk, 7, &[&name]);
    socket.send_to(&request, (address.as_str(), agents.port)).await?;
    let mut answer = vec![0; 65_535];
    let length = tokio::time::timeout(Duration::from_secs(5), socket.recv(&mut answer)).await??;
    answer.truncate(length);
    const ROUNDS: usize = 40_000;
    let mut count = 0;
    let cpu = cpu_seconds(libc::RUSAGE_SELF)?;
    for _ in 0..ROUNDS {
        let Message::Community { pdu, .. } = Message::read(black_box(&answer))? else {
            bail!("the answer is of another version");
        };
        for variable in pdu.variables {
            black_box(variable?);
            count += 1;
        }
    }
    Ok(real(count) / (cpu_seconds(libc::RUSAGE_SELF)? - cpu))
}

fn resident_bytes() -> Result<usize> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
    Ok(line.trim().trim_end_matches(" kB").parse::<usize>()? * 1024)
}

/// Kilobytes that a target in flight takes, at the highest.
async fn kilobytes_per_target(agents: &Agents) -> Result<f64> {
    let before = resident_bytes()?;
    let walks = ours(agents, LARGE, IN_FLIGHT, IN_FLIGHT);
    tokio::pin!(walks);
    let mut highest = before;
    let mut tick = tokio::time::interval(Duration::from_millis(5));
    loop {
        tokio::select! {
            done = &mut walks => {
                done?;
                break;
            }
            _ = tick.tick() => highest = highest.max(resident_bytes()?),
        }
    }
    Ok(real(highest.saturating_sub(before)) / real(IN_FLIGHT) / 1_000.0)
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let folder = tempfile::tempdir()?;
    let addresses: Vec<String> = (1..=DEVICES).map(|number| format!("127.0.33.{number}")).collect();
    let agents = Agents::start(folder.path(), &addresses).await?;
    let mut report = Report::new("snmp-walk");
    let runs = if arguments.quick { 2 } else { 5 };
    let has_peer = peer_command("127.0.33.1", agents.port, SMALL).status().is_ok();
    // Once unmeasured, so that the agents have read what they keep, and we know how much there is.
    let large = ours(&agents, LARGE, 1, 1).await?.variables;
    ours(&agents, LARGE, DEVICES, AT_ONCE).await?;
    let small = ours(&agents, SMALL, 1, 1).await?.variables;
    report.figure("large_walk_varbinds", real(large));
    report.figure("small_walk_varbinds", real(small));
    report.figure("kb_per_target", kilobytes_per_target(&agents).await?);
    for _ in 0..runs {
        report.figure("decode_varbinds_s_core", decoding(&agents).await?);
        let one = ours(&agents, LARGE, 5, 1).await?;
        report.figure("one_device_varbinds_s", real(one.variables) / one.wall_seconds);
        let many = ours(&agents, LARGE, DEVICES, AT_ONCE).await?;
        report.figure("many_devices_varbinds_s_core", real(many.variables) / many.cpu_seconds);
        report.figure("many_devices_varbinds_s", real(many.variables) / many.wall_seconds);
        let walks = ours(&agents, SMALL, SMALL_WALKS, AT_ONCE).await?;
        report.figure("small_walks_s", real(walks.walks) / walks.wall_seconds);
        if !has_peer {
            continue;
        }
        let name = "snmpbulkwalk";
        let one = peers(&agents, LARGE, (5, 1), large).await?;
        report.peer(name, "one_device_varbinds_s", real(one.variables) / one.wall_seconds);
        let many = peers(&agents, LARGE, (DEVICES, AT_ONCE), large).await?;
        report.peer(name, "many_devices_varbinds_s_core", real(many.variables) / many.cpu_seconds);
        report.peer(name, "many_devices_varbinds_s", real(many.variables) / many.wall_seconds);
        let walks = peers(&agents, SMALL, (SMALL_WALKS / 4, AT_ONCE), small).await?;
        report.peer(name, "small_walks_s", real(walks.walks) / walks.wall_seconds);
    }
    if !has_peer {
        report.missing("snmpbulkwalk");
    }
    report.print(arguments.json);
    Ok(())
}
