//! Asking without completing the connection: a bare SYN (RFC 9293), and what comes back. A third of the cost of a
//! connection, where the agent may open raw sockets, for IPv4 on Linux.
//!
//! The ports that the questions come from are kept by sockets that do not listen, so that the kernel itself resets what
//! is accepted. Each try of a question comes from a port of its own: a host that accepted a try whose answer was lost
//! would take another one from the same port for a part of the first. The sequence number is drawn from a secret of
//! the loop, the address and the port, so that only who saw the question can answer it.

use super::timing::{Loss, Next, TRIES_MAX};
use super::{Asking, Cost, Question, Reply, STEP_MAX, Timing, Verdict};
use crate::pace::Bucket;
use environment::{Clock, RandomnessExt, SystemClock, SystemRandomness};
use mio::{Events, Interest, Poll, Token};
use socket2::{Domain, Protocol, SockFilter, Socket, Type};
use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::atomic::Ordering;
use std::time::Duration;

/// Questions sent before answers are read: their answers fit into a socket's usual buffer.
const SENT_AT_ONCE: usize = 48;

/// The most answers that are read before questions are sent again.
const READ_AT_ONCE: usize = 1024;

/// The largest packet that is read: both headers with all options.
const PACKET_BYTES_MAX: usize = 160;

/// A header with one option: the largest segment, which every system sends.
const HEADER_BYTES: usize = 24;

const SYN: u8 = 0x02;
const RST: u8 = 0x04;
const ACK: u8 = 0x10;

/// A raw socket with the ports that its questions come from, one for each try.
#[derive(Debug)]
pub(crate) struct HalfOpen {
    socket: mio::net::UdpSocket,
    /// They keep the ports from everybody else.
    _kept: Vec<Socket>,
    ports: Vec<u16>,
}

impl HalfOpen {
    /// Opens the socket.
    ///
    /// # Errors
    /// When the right is missing.
    pub(crate) fn open() -> io::Result<Self> {
        let (mut kept, mut ports) = (Vec::new(), Vec::new());
        for _ in 0..TRIES_MAX {
            let one = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP))?;
            one.bind(&SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)).into())?;
            ports.push(one.local_addr()?.as_socket().map_or(0, |address| address.port()));
            kept.push(one);
        }
        let socket = Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::TCP))?;
        socket.attach_filter(&filter(&ports))?;
        socket.set_nonblocking(true)?;
        // A smaller buffer only loses some answers, and their questions are asked again.
        socket.set_recv_buffer_size(4 << 20).unwrap_or_default();
        let socket = mio::net::UdpSocket::from_std(UdpSocket::from(socket));
        Ok(Self { socket, _kept: kept, ports })
    }
}

/// Lets through what comes to our ports: the number stands behind the IP header, whose length its first byte says.
fn filter(ports: &[u16]) -> Vec<SockFilter> {
    // Operations of the classic Berkeley packet filter, by their numbers in the kernel's linux/filter.h.
    const LENGTH_OF_HEADER: u16 = 0xb1;
    const LOAD_HALF: u16 = 0x48;
    const JUMP_EQUAL: u16 = 0x15;
    const RETURN: u16 = 0x06;
    let mut program =
        vec![SockFilter::new(LENGTH_OF_HEADER, 0, 0, 0), SockFilter::new(LOAD_HALF, 0, 0, 2)];
    for (place, port) in ports.iter().enumerate() {
        // Over the ports that follow, and over the return that drops.
        let over = u8::try_from(ports.len() - place).unwrap_or(u8::MAX);
        program.push(SockFilter::new(JUMP_EQUAL, over, 0, u32::from(*port)));
    }
    program.push(SockFilter::new(RETURN, 0, 0, 0));
    program.push(SockFilter::new(RETURN, 0, 0, u32::MAX));
    program
}

/// A question in flight.
#[derive(Debug)]
struct Pending {
    question: Question,
    begun: Duration,
    sent: [Duration; TRIES_MAX],
    tries: usize,
}

type Key = (usize, u16);

/// Asks every question; as [`super::ask`]. Addresses that are not of IPv4 count as not asked.
///
/// # Errors
/// When the kernel gives no event queue.
pub(crate) fn ask(
    asking: &Asking,
    half_open: HalfOpen,
    questions: impl Iterator<Item = Question>,
    answer: &mut dyn FnMut(Reply) -> bool,
) -> io::Result<Cost> {
    let mut flight = Flight::new(asking, half_open)?;
    let mut poll = Poll::new()?;
    poll.registry().register(&mut flight.half_open.socket, Token(0), Interest::READABLE)?;
    let mut events = Events::with_capacity(8);
    let mut questions = questions.fuse().peekable();
    let mut replies = Vec::new();
    while !asking.stop.load(Ordering::Relaxed) {
        let wait = flight.send(&mut questions);
        let is_more = flight.read(&mut replies);
        for reply in replies.drain(..) {
            if !answer(reply) {
                return Ok(flight.cost);
            }
        }
        if questions.peek().is_none() && flight.pending.is_empty() {
            break;
        }
        if let (Some(wait), false) = (wait, is_more) {
            match poll.poll(&mut events, Some(wait.min(STEP_MAX))) {
                Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(error),
                _ => {}
            }
        }
    }
    Ok(flight.cost)
}

/// All questions in flight.
struct Flight<'a> {
    asking: &'a Asking,
    half_open: HalfOpen,
    secret: u64,
    bucket: Bucket,
    loss: Loss,
    pending: HashMap<Key, Pending>,
    timers: BinaryHeap<Reverse<(Duration, Key)>>,
    /// Finds the address that the kernel sends from.
    router: UdpSocket,
    sources: HashMap<Ipv4Addr, Option<Ipv4Addr>>,
    cost: Cost,
}

impl<'a> Flight<'a> {
    fn new(asking: &'a Asking, half_open: HalfOpen) -> io::Result<Self> {
        Ok(Self {
            asking,
            half_open,
            secret: SystemRandomness.u64(),
            bucket: Bucket::new(asking.pace.rate, SystemClock.monotonic()),
            loss: Loss::default(),
            pending: HashMap::new(),
            timers: BinaryHeap::new(),
            router: UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?,
            sources: HashMap::new(),
            cost: Cost { sockets_max: 1, ..Cost::default() },
        })
    }

    fn is_settled(&self, question: &Question) -> bool {
        self.asking.timing == Timing::Discovery
            && self.asking.known.distance(question.place).is_some()
    }

    /// Sends what is due, up to [`SENT_AT_ONCE`]; how long to wait, `None` when more may be sent at once.
    fn send(
        &mut self,
        questions: &mut std::iter::Peekable<impl Iterator<Item = Question>>,
    ) -> Option<Duration> {
        let mut left = SENT_AT_ONCE;
        if let Some(wait) = self.repeat(&mut left) {
            return Some(wait);
        }
        while let Some(question) = questions.peek().copied() {
            if self.is_settled(&question) {
                questions.next();
                continue;
            }
            if left == 0 {
                return None;
            }
            let now = SystemClock.monotonic();
            if self.pending.len() >= self.asking.pace.concurrency {
                break;
            }
            if !self.bucket.take(now) {
                return Some(self.bucket.next().saturating_sub(now));
            }
            questions.next();
            left -= 1;
            self.ask_first(question, now);
        }
        let next = self.timers.peek().map(|Reverse((due, _))| *due);
        Some(next.map_or(STEP_MAX, |due| due.saturating_sub(SystemClock.monotonic())))
    }

    fn ask_first(&mut self, question: Question, now: Duration) {
        let key = (question.place, question.port);
        let mut pending =
            Pending { question, begun: now, sent: [Duration::ZERO; TRIES_MAX], tries: 0 };
        if self.ask(&mut pending, now) {
            self.set_timer(key, &pending);
            self.pending.insert(key, pending);
        }
    }

    /// Repeats and gives up what is due; how long to wait when packets are rationed.
    fn repeat(&mut self, left: &mut usize) -> Option<Duration> {
        let now = SystemClock.monotonic();
        while let Some(Reverse((due, key))) = self.timers.peek().copied() {
            if due > now || *left == 0 {
                return None;
            }
            self.timers.pop();
            let Some(pending) = self.pending.get(&key) else { continue };
            if self.is_settled(&pending.question) {
                self.pending.remove(&key);
                continue;
            }
            match self.next(pending) {
                Next::Again(after) | Next::GiveUp(after) if pending.begun + after > now => {
                    self.timers.push(Reverse((pending.begun + after, key)));
                }
                Next::GiveUp(_) => {
                    self.pending.remove(&key);
                }
                Next::Again(_) if !self.bucket.take(now) => {
                    self.timers.push(Reverse((due, key)));
                    return Some(self.bucket.next().saturating_sub(now));
                }
                Next::Again(_) => {
                    *left -= 1;
                    let Some(mut pending) = self.pending.remove(&key) else { continue };
                    if self.ask(&mut pending, now) {
                        self.set_timer(key, &pending);
                        self.pending.insert(key, pending);
                    }
                }
            }
        }
        None
    }

    fn next(&self, pending: &Pending) -> Next {
        let distance = self.asking.known.distance(pending.question.place);
        self.asking.timing.next(distance, pending.tries, self.loss.tries())
    }

    fn set_timer(&mut self, key: Key, pending: &Pending) {
        let (Next::Again(after) | Next::GiveUp(after)) = self.next(pending);
        self.timers.push(Reverse((pending.begun + after, key)));
    }

    /// Sends a question once more; whether it can be sent at all.
    fn ask(&mut self, pending: &mut Pending, now: Duration) -> bool {
        let Question { address, port, .. } = pending.question;
        let IpAddr::V4(to) = address else { return false };
        let Some(from) = self.source(to) else {
            self.unasked(address, "there is no route");
            return false;
        };
        let Some(own_port) = self.half_open.ports.get(pending.tries).copied() else { return true };
        let packet = question(from, to, (own_port, port), number(self.secret, (to, port)));
        self.cost.packets += 1;
        if let Err(error) = self.half_open.socket.send_to(&packet, SocketAddr::from((to, 0)))
            && error.kind() != io::ErrorKind::WouldBlock
        {
            // A full queue is a lost packet, which is repeated; anything else is told.
            self.unasked(address, &error.to_string());
            return false;
        }
        if let Some(sent) = pending.sent.get_mut(pending.tries) {
            *sent = now;
        }
        pending.tries += 1;
        true
    }

    fn unasked(&mut self, address: IpAddr, why: &str) {
        self.cost.unasked += 1;
        self.cost.first_error.get_or_insert_with(|| format!("{address}: {why}"));
    }

    /// The address that the kernel sends from to that one.
    fn source(&mut self, to: Ipv4Addr) -> Option<Ipv4Addr> {
        if let Some(known) = self.sources.get(&to) {
            return *known;
        }
        let router = &self.router;
        // Nothing is sent by connecting a datagram socket.
        let found =
            router.connect((to, 9)).ok().and_then(|()| match router.local_addr().ok()?.ip() {
                IpAddr::V4(from) => Some(from),
                IpAddr::V6(_) => None,
            });
        self.sources.insert(to, found);
        found
    }

    /// Reads answers; whether more may be there.
    fn read(&mut self, replies: &mut Vec<Reply>) -> bool {
        let mut buffer = [0; PACKET_BYTES_MAX];
        for _ in 0..READ_AT_ONCE {
            let Ok((length, from)) = self.half_open.socket.recv_from(&mut buffer) else {
                return false;
            };
            let IpAddr::V4(from) = from.ip() else { continue };
            let packet = buffer.get(..length).unwrap_or_default();
            if let Some(answer) = parse(packet) {
                self.take(from, answer, replies);
            }
        }
        true
    }

    fn take(&mut self, from: Ipv4Addr, answer: Answer, replies: &mut Vec<Reply>) {
        let Answer { port, own_port, acknowledged, verdict } = answer;
        let try_index = self.half_open.ports.iter().position(|port| *port == own_port);
        let Some(try_index) = try_index else { return };
        if acknowledged.wrapping_sub(1) != number(self.secret, (from, port)) {
            return;
        }
        let Some(place) = self.asking.places.get(&IpAddr::V4(from)).copied() else { return };
        let Some(pending) = self.pending.remove(&(place, port)) else { return };
        let sent = pending.sent.get(try_index).copied().unwrap_or(pending.begun);
        let after = SystemClock.monotonic().saturating_sub(sent);
        self.loss.note(try_index);
        self.asking.known.answered(place, after);
        replies.push(Reply { question: pending.question, verdict, after });
    }
}

/// The sequence number of a question, drawn from the secret.
fn number(secret: u64, (address, port): (Ipv4Addr, u16)) -> u32 {
    // The mixing of SplitMix64; whoever sees questions can answer them anyway.
    let mut mixed = secret ^ (u64::from(u32::from(address)) << 16 | u64::from(port));
    mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    u32::try_from((mixed ^ mixed >> 31) >> 32).unwrap_or_default()
}

/// A SYN.
fn question(
    from: Ipv4Addr,
    to: Ipv4Addr,
    (source, port): (u16, u16),
    number: u32,
) -> [u8; HEADER_BYTES] {
    let mut header = [0; HEADER_BYTES];
    let mut place = header.iter_mut();
    let mut put = |bytes: &[u8]| {
        // In this order: the one that ends first must be asked first, or a place is lost.
        for (byte, place) in bytes.iter().zip(place.by_ref()) {
            *place = *byte;
        }
    };
    put(&source.to_be_bytes());
    put(&port.to_be_bytes());
    put(&number.to_be_bytes());
    // No acknowledgement; six words of header, SYN, the window, the checksum, no urgent data, and the largest segment.
    put(&[0, 0, 0, 0, 0x60, SYN, 0xfa, 0xf0, 0, 0, 0, 0, 2, 4, 0x05, 0xb4]);
    let sum = checksum(from, to, &header).to_be_bytes();
    for (place, byte) in header.iter_mut().skip(16).zip(sum) {
        *place = byte;
    }
    header
}

/// The checksum of TCP, with the part of the IP header that belongs to it.
fn checksum(from: Ipv4Addr, to: Ipv4Addr, segment: &[u8]) -> u16 {
    let length = u32::try_from(segment.len()).unwrap_or_default();
    let words = |bytes: &[u8]| -> u32 {
        bytes
            .chunks(2)
            .map(|pair| {
                let high = u32::from(pair.first().copied().unwrap_or_default());
                high << 8 | u32::from(pair.get(1).copied().unwrap_or_default())
            })
            .sum()
    };
    // Protocol 6.
    let mut sum = words(&from.octets()) + words(&to.octets()) + 6 + length + words(segment);
    while sum >> 16 != 0 {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !u16::try_from(sum).unwrap_or_default()
}

/// What a packet answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Answer {
    port: u16,
    own_port: u16,
    acknowledged: u32,
    verdict: Verdict,
}

/// The answer that a packet with its IP header is.
fn parse(packet: &[u8]) -> Option<Answer> {
    let first = *packet.first()?;
    if first >> 4 != 4 {
        return None;
    }
    let header = packet.get(usize::from(first & 0x0f) * 4..)?;
    let word = |place: usize| Some(u16::from_be_bytes(*header.get(place..)?.first_chunk()?));
    let (port, own_port) = (word(0)?, word(2)?);
    let acknowledged = u32::from_be_bytes(*header.get(8..)?.first_chunk()?);
    let verdict = match *header.get(13)? {
        flags if flags & ACK == 0 => return None,
        flags if flags & RST != 0 => Verdict::Refused,
        flags if flags & SYN != 0 => Verdict::Open,
        _ => return None,
    };
    Some(Answer { port, own_port, acknowledged, verdict })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const FROM: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
    const TO: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 9);

    /// An answer to a question, as a raw socket gives it.
    fn answer(question: &[u8], flags: u8) -> Vec<u8> {
        let mut packet = vec![0x45];
        packet.resize(20, 0);
        packet.extend(&question[2..4]);
        packet.extend(&question[0..2]);
        packet.extend([9; 4]);
        let number = u32::from_be_bytes(question[4..8].try_into().unwrap());
        packet.extend(number.wrapping_add(1).to_be_bytes());
        packet.extend([0x50, flags, 0, 0, 0, 0, 0, 0]);
        packet
    }

    #[test]
    fn a_question_has_a_checksum_that_comes_out_even() {
        let question = question(FROM, TO, (40_000, 443), 0xdead_beef);
        assert_eq!(checksum(FROM, TO, &question), 0);
    }

    #[test]
    fn an_answer_says_what_it_answers() {
        let number = number(7, (TO, 443));
        let question = question(FROM, TO, (40_000, 443), number);
        let acknowledged = number.wrapping_add(1);
        let open = answer(&question, SYN | ACK);
        let wanted = Answer { port: 443, own_port: 40_000, acknowledged, verdict: Verdict::Open };
        assert_eq!(parse(&open), Some(wanted));
        let refused = Answer { verdict: Verdict::Refused, ..wanted };
        assert_eq!(parse(&answer(&question, RST | ACK)), Some(refused));
        assert_eq!(parse(&answer(&question, RST)), None, "it acknowledges nothing");
        assert_eq!(parse(&open[..30]), None);
    }

    #[test]
    fn numbers_differ_by_secret_address_and_port() {
        let all = [
            number(7, (TO, 443)),
            number(8, (TO, 443)),
            number(7, (FROM, 443)),
            number(7, (TO, 80)),
        ];
        let different: std::collections::BTreeSet<u32> = all.into();
        assert_eq!(different.len(), all.len());
    }

    #[test]
    fn each_port_leads_over_the_others_to_the_same_end() {
        assert_eq!(filter(&[1, 2, 3]).len(), 7);
        let half_open = HalfOpen::open();
        // Without the right there is none.
        assert!(half_open.is_err() || half_open.unwrap().ports.len() == TRIES_MAX);
    }

    proptest! {
        #[test]
        fn any_packet_is_an_answer_or_none(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
            parse(&bytes);
        }
    }
}
