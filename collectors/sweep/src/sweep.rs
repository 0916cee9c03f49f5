//! The built-in sweep: what answers, which ports are open, block by block.
//!
//! A block of addresses is first looked for (echo and a few ports), and only what answers is asked for all ports.
//! Few ports are asked of all addresses at once, because that tells both in one go. Memory is bounded by the block.

use crate::ask::{self, Asking, Cost, Known, Question, Reply, Timing, Verdict};
use crate::echo::{self, EchoSocket, Echoing};
use crate::found::{Host, Sign, Swept};
use crate::neighbors;
use crate::options::{Options, Pace, Profile};
use crate::worker::Workers;
use std::collections::HashMap;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

/// Addresses that are looked for at once: their connections fit into the usual number of sockets.
const BLOCK: usize = 4096;

/// Addresses of a block when each is asked for few ports only.
const WIDE_BLOCK: usize = 1 << 16;

/// Up to so many ports, every address is asked for all of them.
const FEW_PORTS: usize = 4;

/// Ports by which hosts are found that answer no echo: what servers, Windows, network gear and devices have open or
/// refuse.
const DISCOVERY_PORTS: [u16; 5] = [443, 22, 80, 445, 3389];

/// How long echoes have before ports are asked for: a network that answers them is asked for less.
const ECHO_FIRST: Duration = Duration::from_millis(100);
/// How often it is looked whether all have answered.
const ECHO_STEP: Duration = Duration::from_millis(5);

/// Threads that ask; more would only take processors from the host.
const THREADS_MAX: usize = 2;

/// Questions below which one thread is enough.
const QUESTIONS_OF_A_THREAD: usize = 4096;

/// Replies that are told together.
const TOLD_AT_ONCE: usize = 256;

/// Descriptors that stay free for the agent itself.
const DESCRIPTORS_KEPT: usize = 64;

/// What threads tell.
#[derive(Debug)]
enum Told {
    Replies(Vec<Reply>),
    Echo(usize, Duration),
    Packets(u64),
    Done(Cost),
    Failed(String),
}

/// What is told of the progress: a word, how many addresses are done, of how many.
pub(crate) type Progress<'a> = &'a mut (dyn FnMut(&str, usize, usize) + Send);

/// Sweeps all addresses of the options; `each` gets the hosts of each block.
///
/// # Errors
/// When the host has no threads, descriptors or event queues left.
pub(crate) async fn sweep(options: &Options, progress: Progress<'_>) -> io::Result<Swept> {
    let mut swept = Swept::default();
    let pace = Pace { concurrency: sockets_allowed(options.pace.concurrency), ..options.pace };
    let is_direct = options.is_assumed_up
        || (!options.ports.is_empty() && options.ports.len() <= FEW_PORTS && !pace.is_fragile);
    let block = if is_direct && options.ports.len() <= FEW_PORTS { WIDE_BLOCK } else { BLOCK };
    let total = options.addresses.count();
    let mut done = 0;
    let mut addresses = options.addresses.iter();
    loop {
        let block: Arc<[IpAddr]> = addresses.by_ref().take(block).collect();
        let Some(first) = block.first() else { return Ok(swept) };
        progress(&format!("from {first}"), done, total);
        done += block.len();
        let known = Arc::new(Known::new(block.len()));
        if !is_direct {
            discover(&block, pace, &known, &mut swept).await?;
        }
        if options.profile >= Profile::TopPorts {
            for ports in ports_in_turn(&options.ports, pace) {
                let is_wanted = |place: usize| is_direct || known.distance(place).is_some();
                let places = (0..block.len()).filter(|place| is_wanted(*place)).collect();
                let asked = Asked { block: &block, places, ports, timing: Timing::Ports };
                connect(asked, pace, &known, &mut swept).await?;
            }
        }
        add_neighbors(&block, &mut swept);
        progress("addresses", done, total);
    }
}

/// All ports at once; one by one in fragile mode, so that each host has one connection at a time.
fn ports_in_turn(ports: &[u16], pace: Pace) -> Vec<Arc<[u16]>> {
    if pace.is_fragile {
        return ports.iter().map(|port| Arc::from([*port])).collect();
    }
    vec![Arc::from(ports)]
}

/// How many sockets a sweep may have: never more than half of the descriptors of the process.
fn sockets_allowed(wanted: usize) -> usize {
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let soft = limits
        .lines()
        .find_map(|line| line.strip_prefix("Max open files")?.split_whitespace().next())
        .and_then(|number| number.parse::<usize>().ok());
    soft.map_or(wanted, |soft| wanted.min((soft / 2).saturating_sub(DESCRIPTORS_KEPT).max(16)))
}

/// What is to be asked by connecting.
struct Asked<'a> {
    block: &'a Arc<[IpAddr]>,
    places: Vec<usize>,
    ports: Arc<[u16]>,
    timing: Timing,
}

/// Finds out which addresses of a block have something.
async fn discover(
    block: &Arc<[IpAddr]>,
    pace: Pace,
    known: &Arc<Known>,
    swept: &mut Swept,
) -> io::Result<()> {
    let mut workers = Workers::new();
    let mut has_echo = false;
    for is_v6 in [false, true] {
        if !block.iter().any(|address| address.is_ipv6() == is_v6) {
            continue;
        }
        match EchoSocket::open(is_v6) {
            Ok(socket) => {
                has_echo = true;
                start_echo(&mut workers, socket, (block, pace), known)?;
            }
            Err(error) => {
                swept.echo_refused.get_or_insert_with(|| error.to_string());
            }
        }
    }
    if has_echo {
        wait_for_echoes(known, block.len()).await;
    }
    let turns: Vec<Arc<[u16]>> = ports_in_turn(&DISCOVERY_PORTS, pace);
    if pace.is_fragile {
        // One thing at a time: echoes end before the first connection.
        collect(&mut workers, block, swept).await?;
        for ports in turns {
            let places = (0..block.len()).filter(|at| known.distance(*at).is_none()).collect();
            let asked = Asked { block, places, ports, timing: Timing::Discovery };
            connect(asked, pace, known, swept).await?;
        }
        return Ok(());
    }
    for ports in turns {
        let places = (0..block.len()).filter(|at| known.distance(*at).is_none()).collect();
        let asked = Asked { block, places, ports, timing: Timing::Discovery };
        start_asking(&mut workers, asked, pace, known)?;
    }
    collect(&mut workers, block, swept).await
}

/// Gives echoes their time, unless every address has answered before.
async fn wait_for_echoes(known: &Known, count: usize) {
    let end = tokio::time::Instant::now() + ECHO_FIRST;
    while tokio::time::Instant::now() < end {
        if (0..count).all(|place| known.distance(place).is_some()) {
            return;
        }
        tokio::time::sleep(ECHO_STEP).await;
    }
}

fn start_echo(
    workers: &mut Workers<Told>,
    socket: EchoSocket,
    (block, pace): (&Arc<[IpAddr]>, Pace),
    known: &Arc<Known>,
) -> io::Result<()> {
    let (block, known, stop) = (Arc::clone(block), Arc::clone(known), workers.stop());
    workers.start(move |sender| {
        let echoing = Echoing {
            addresses: &block,
            rate: pace.rate,
            known: &known,
            stop: &stop,
            times: if pace.is_fragile { 2 } else { 4 },
        };
        let mut answered = |place, after| {
            // Nobody listens any more once the run is over.
            sender.blocking_send(Told::Echo(place, after)).unwrap_or_default();
        };
        let told = match echo::echo(socket, &echoing, &mut answered) {
            Ok(packets) => Told::Packets(packets),
            Err(error) => Told::Failed(error.to_string()),
        };
        sender.blocking_send(told).unwrap_or_default();
    })
}

fn start_asking(
    workers: &mut Workers<Told>,
    asked: Asked<'_>,
    pace: Pace,
    known: &Arc<Known>,
) -> io::Result<()> {
    let count = asked.places.len().saturating_mul(asked.ports.len());
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    let threads = (count / QUESTIONS_OF_A_THREAD + 1).min(THREADS_MAX).min(processors);
    let threads = if pace.is_fragile { 1 } else { threads };
    let share = u32::try_from(threads).unwrap_or(1);
    let by_address: HashMap<IpAddr, usize> =
        asked.places.iter().filter_map(|place| Some((*asked.block.get(*place)?, *place))).collect();
    let by_address = Arc::new(by_address);
    let places: Arc<[usize]> = asked.places.into();
    for thread in 0..threads {
        let (block, ports, places) =
            (Arc::clone(asked.block), Arc::clone(&asked.ports), Arc::clone(&places));
        let asking = Asking {
            pace: Pace {
                rate: (pace.rate / share).max(1),
                concurrency: (pace.concurrency / threads).max(1),
                ..pace
            },
            timing: asked.timing,
            known: Arc::clone(known),
            places: Arc::clone(&by_address),
            stop: workers.stop(),
        };
        workers.start(move |sender| {
            // Port by port, so that the questions to one host lie apart.
            let questions = ports.iter().flat_map(|port| {
                let mine = places.iter().skip(thread).step_by(threads);
                mine.filter_map(|place| {
                    Some(Question { place: *place, address: *block.get(*place)?, port: *port })
                })
            });
            let mut waiting = Vec::with_capacity(TOLD_AT_ONCE);
            let mut answer = |reply: Reply| {
                waiting.push(reply);
                waiting.len() < TOLD_AT_ONCE
                    || sender.blocking_send(Told::Replies(std::mem::take(&mut waiting))).is_ok()
            };
            let told = match ask_somehow(&asking, questions, &mut answer) {
                Ok(cost) => Told::Done(cost),
                Err(error) => Told::Failed(error.to_string()),
            };
            // Nobody listens any more once the run is over.
            sender.blocking_send(Told::Replies(waiting)).unwrap_or_default();
            sender.blocking_send(told).unwrap_or_default();
        })?;
    }
    Ok(())
}

/// Asks by half-open connections where they are wanted and permitted, else by whole ones.
fn ask_somehow(
    asking: &Asking,
    questions: impl Iterator<Item = Question>,
    answer: &mut dyn FnMut(Reply) -> bool,
) -> io::Result<Cost> {
    #[cfg(target_os = "linux")]
    {
        let is_v4 = asking.places.keys().all(IpAddr::is_ipv4);
        if asking.pace.is_half_open
            && is_v4
            && let Ok(half_open) = ask::half_open::HalfOpen::open()
        {
            return ask::half_open::ask(asking, half_open, questions, answer);
        }
    }
    ask::ask(asking, questions, answer)
}

async fn connect(
    asked: Asked<'_>,
    pace: Pace,
    known: &Arc<Known>,
    swept: &mut Swept,
) -> io::Result<()> {
    let block = Arc::clone(asked.block);
    let mut workers = Workers::new();
    start_asking(&mut workers, asked, pace, known)?;
    collect(&mut workers, &block, swept).await
}

/// Takes what the threads tell until they have ended.
async fn collect(
    workers: &mut Workers<Told>,
    block: &[IpAddr],
    swept: &mut Swept,
) -> io::Result<()> {
    let mut sockets = 0;
    while let Some(told) = workers.next().await {
        match told {
            Told::Replies(replies) => replies.into_iter().for_each(|reply| take(reply, swept)),
            Told::Echo(place, after) => {
                if let Some(address) = block.get(place) {
                    let host = host(swept, *address, after);
                    host.signs.insert(Sign::Echo);
                }
            }
            Told::Packets(packets) => swept.packets += packets,
            Told::Done(cost) => {
                swept.packets += cost.packets;
                sockets += cost.sockets_max;
                swept.unasked += cost.unasked;
                if swept.unasked_why.is_none() {
                    swept.unasked_why = cost.first_error;
                }
            }
            Told::Failed(error) => return Err(io::Error::other(error)),
        }
    }
    swept.sockets_max = swept.sockets_max.max(sockets);
    Ok(())
}

fn host(swept: &mut Swept, address: IpAddr, after: Duration) -> &mut Host {
    let host = swept.hosts.entry(address).or_insert_with(|| Host::at(address));
    host.distance = Some(host.distance.map_or(after, |before| before.min(after)));
    host
}

fn take(reply: Reply, swept: &mut Swept) {
    let Question { address, port, .. } = reply.question;
    match reply.verdict {
        Verdict::Open => {
            let host = host(swept, address, reply.after);
            host.signs.insert(Sign::Tcp);
            host.listeners.entry(("tcp", port)).or_default();
        }
        Verdict::Refused => {
            let host = host(swept, address, reply.after);
            host.signs.insert(Sign::Tcp);
            host.has_refused = true;
        }
        Verdict::Unreachable | Verdict::Silent => {}
    }
}

/// Asks hosts for a few ports more; which of them accept.
///
/// # Errors
/// When the host has no threads, descriptors or event queues left.
pub(crate) async fn ask_again(
    hosts: &[IpAddr],
    ports: &[u16],
    pace: Pace,
) -> io::Result<Vec<(IpAddr, u16)>> {
    let block: Arc<[IpAddr]> = hosts.into();
    let known = Arc::new(Known::new(block.len()));
    let mut swept = Swept::default();
    for ports in ports_in_turn(ports, pace) {
        let places = (0..block.len()).collect();
        let asked = Asked { block: &block, places, ports, timing: Timing::Ports };
        connect(asked, pace, &known, &mut swept).await?;
    }
    let open = swept.hosts.iter();
    Ok(open.flat_map(|(address, host)| host.open_ports().map(|port| (*address, port))).collect())
}

/// Adds the hardware addresses of the local segment; who resolved is there, whatever else it does.
fn add_neighbors(block: &[IpAddr], swept: &mut Swept) {
    let neighbors = neighbors::read();
    if neighbors.is_empty() {
        return;
    }
    for address in block {
        if let Some(mac) = neighbors.get(address) {
            let host = swept.hosts.entry(*address).or_insert_with(|| Host::at(*address));
            host.signs.insert(Sign::Neighbor);
            host.mac_address = Some(mac.clone());
        }
    }
}
