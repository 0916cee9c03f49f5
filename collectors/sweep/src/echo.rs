//! Asking addresses for an ICMP echo (RFC 792, RFC 4443), where that is permitted.
//!
//! A ping socket needs no right where `net.ipv4.ping_group_range` allows it; as root a raw socket does the same. Where
//! neither may be opened, addresses are found by TCP alone, and the sweep says so.
//!
//! A reply counts only when it comes from the address that was asked and carries the number of this sweep, so that
//! nobody who does not see the questions can invent hosts.

use crate::ask::Known;
use crate::pace::Bucket;
use environment::{Clock, RandomnessExt, SystemClock, SystemRandomness};
use mio::{Events, Interest, Poll, Token};
use socket2::{Domain, Protocol, Socket, Type};
use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// When an address is asked again, counted from the first time.
const AGAIN: [Duration; 4] = [
    Duration::ZERO,
    Duration::from_millis(250),
    Duration::from_millis(500),
    Duration::from_millis(750),
];

/// How long the last address is waited for after it was asked first: 800 milliseconds of a slow host, after the last
/// question, and some for ourselves.
const SILENCE: Duration = Duration::from_millis(1600);

/// The longest wait without looking whether to stop, and the shortest that the kernel's timers can do.
const STEP_MAX: Duration = Duration::from_millis(20);
const STEP_MIN: Duration = Duration::from_millis(1);

/// Questions sent before replies are read: fewer than a socket's buffer holds.
const SENT_AT_ONCE: usize = 32;

/// The largest reply that is read: an IPv4 header with options, and our question.
const REPLY_BYTES_MAX: usize = 256;

/// Bytes of an ICMP header, and of what we put behind it: cookie, place, round.
const HEADER_BYTES: usize = 8;
const PAYLOAD_BYTES: usize = 13;

/// A socket for echoes of one family.
#[derive(Debug)]
pub(crate) struct EchoSocket {
    socket: mio::net::UdpSocket,
    is_v6: bool,
}

impl EchoSocket {
    /// Opens a ping socket, else a raw one.
    ///
    /// # Errors
    /// When neither is permitted.
    pub(crate) fn open(is_v6: bool) -> io::Result<Self> {
        let (domain, protocol) =
            if is_v6 { (Domain::IPV6, Protocol::ICMPV6) } else { (Domain::IPV4, Protocol::ICMPV4) };
        let socket = Socket::new(domain, Type::DGRAM, Some(protocol))
            .or_else(|_| Socket::new(domain, Type::RAW, Some(protocol)))?;
        socket.set_nonblocking(true)?;
        // A whole network answers within a millisecond; a smaller buffer would only lose some of it.
        socket.set_recv_buffer_size(4 << 20).unwrap_or_default();
        Ok(Self { socket: mio::net::UdpSocket::from_std(UdpSocket::from(socket)), is_v6 })
    }
}

/// What a round of echoes is given.
#[derive(Debug)]
pub(crate) struct Echoing<'a> {
    pub(crate) addresses: &'a [IpAddr],
    pub(crate) rate: u32,
    pub(crate) known: &'a Known,
    pub(crate) stop: &'a AtomicBool,
    /// How many times each silent address is asked.
    pub(crate) times: usize,
}

/// Asks every address that has not answered yet; `answered` gets the place of each that does. Gives the number of
/// packets sent.
///
/// # Errors
/// When the kernel gives no event queue.
pub(crate) fn echo(
    mut socket: EchoSocket,
    echoing: &Echoing<'_>,
    answered: &mut dyn FnMut(usize, Duration),
) -> io::Result<u64> {
    let mut poll = Poll::new()?;
    poll.registry().register(&mut socket.socket, Token(0), Interest::READABLE)?;
    let mut events = Events::with_capacity(8);
    let mut rounds = Rounds::new(echoing, socket);
    while !echoing.stop.load(Ordering::Relaxed) {
        let wait = rounds.send();
        rounds.read(answered);
        if rounds.are_over() {
            break;
        }
        if let Some(wait) = wait {
            match poll.poll(&mut events, Some(wait.clamp(STEP_MIN, STEP_MAX))) {
                Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(error),
                _ => {}
            }
        }
    }
    Ok(rounds.sent)
}

/// How far each round of questions has come. A round never overtakes the one before it.
#[derive(Debug)]
struct Rounds<'a> {
    echoing: &'a Echoing<'a>,
    socket: EchoSocket,
    cookie: u64,
    bucket: Bucket,
    come: Vec<usize>,
    /// When each address was asked first.
    begun: Vec<Duration>,
    sent: u64,
    /// Addresses before this one have all answered.
    answered_before: usize,
}

impl<'a> Rounds<'a> {
    fn new(echoing: &'a Echoing<'a>, socket: EchoSocket) -> Self {
        let now = SystemClock.monotonic();
        Self {
            echoing,
            socket,
            cookie: SystemRandomness.u64(),
            bucket: Bucket::new(echoing.rate, now),
            come: vec![0; echoing.times.clamp(1, AGAIN.len())],
            begun: vec![Duration::ZERO; echoing.addresses.len()],
            sent: 0,
            answered_before: 0,
        }
    }

    /// Sends what is due, up to [`SENT_AT_ONCE`]; how long to wait for the next one, `None` when more is due at once.
    fn send(&mut self) -> Option<Duration> {
        let mut wait = STEP_MAX;
        let mut left = SENT_AT_ONCE;
        for round in 0..self.come.len() {
            while let Some(due) = self.due(round) {
                let now = SystemClock.monotonic();
                if self.is_wanted(round) {
                    if due > now {
                        wait = wait.min(due - now);
                        break;
                    }
                    if left == 0 {
                        return None;
                    }
                    if !self.bucket.take(now) {
                        wait = wait.min(self.bucket.next().saturating_sub(now));
                        break;
                    }
                    left -= 1;
                    self.ask(round);
                }
                self.step(round, now);
            }
        }
        Some(wait)
    }

    /// When the next question of a round may be sent; `None` when it has come to the end or must wait for another one.
    fn due(&self, round: usize) -> Option<Duration> {
        let place = *self.come.get(round)?;
        self.echoing.addresses.get(place)?;
        let Some(before) = round.checked_sub(1) else { return Some(Duration::ZERO) };
        if self.come.get(before).is_some_and(|before| *before <= place) {
            return None;
        }
        Some(*self.begun.get(place)? + *AGAIN.get(round)?)
    }

    /// Whether the next address of a round is of the socket's family and has not answered.
    fn is_wanted(&self, round: usize) -> bool {
        let place = self.come.get(round).copied().unwrap_or_default();
        let is_of_family = self
            .echoing
            .addresses
            .get(place)
            .is_some_and(|address| address.is_ipv6() == self.socket.is_v6);
        is_of_family && self.echoing.known.distance(place).is_none()
    }

    fn ask(&mut self, round: usize) {
        let place = self.come.get(round).copied().unwrap_or_default();
        let Some(address) = self.echoing.addresses.get(place) else { return };
        let question = question(self.cookie, place, round, self.socket.is_v6);
        // An address without a route stays silent.
        self.socket.socket.send_to(&question, SocketAddr::new(*address, 0)).unwrap_or_default();
        self.sent += 1;
    }

    fn step(&mut self, round: usize, now: Duration) {
        let Some(come) = self.come.get_mut(round) else { return };
        if round == 0
            && let Some(begun) = self.begun.get_mut(*come)
        {
            *begun = now;
        }
        *come += 1;
    }

    /// Whether everything was asked, and either all have answered or the last one had its time.
    fn are_over(&mut self) -> bool {
        let count = self.echoing.addresses.len();
        if self.come.iter().any(|come| *come < count) {
            return false;
        }
        while self.answered_before < count
            && self.echoing.known.distance(self.answered_before).is_some()
        {
            self.answered_before += 1;
        }
        let end = self.begun.last().copied().unwrap_or_default() + SILENCE;
        self.answered_before == count || SystemClock.monotonic() >= end
    }

    /// Reads every reply that is there.
    fn read(&self, answered: &mut dyn FnMut(usize, Duration)) {
        let mut buffer = [0; REPLY_BYTES_MAX];
        // As many as there can be of ours, so that a flood does not keep us here.
        for _ in 0..self.echoing.addresses.len().saturating_mul(AGAIN.len()).max(SENT_AT_ONCE) {
            let Ok((length, from)) = self.socket.socket.recv_from(&mut buffer) else { return };
            let bytes = buffer.get(..length).unwrap_or_default();
            let Some((place, round)) = reply(bytes, self.cookie, self.socket.is_v6) else {
                continue;
            };
            if self.echoing.addresses.get(place) != Some(&from.ip().to_canonical()) {
                continue;
            }
            let (Some(begun), Some(again)) = (self.begun.get(place), AGAIN.get(round)) else {
                continue;
            };
            let after = SystemClock.monotonic().saturating_sub(*begun + *again);
            self.echoing.known.answered(place, after);
            answered(place, after);
        }
    }
}

/// An echo request of ours.
fn question(cookie: u64, place: usize, round: usize, is_v6: bool) -> Vec<u8> {
    let kind = if is_v6 { 128 } else { 8 };
    let identifier = u16::try_from(cookie & 0xffff).unwrap_or_default().to_be_bytes();
    let mut bytes = vec![kind, 0, 0, 0];
    bytes.extend(identifier);
    bytes.extend(u16::try_from(round).unwrap_or_default().to_be_bytes());
    bytes.extend(cookie.to_be_bytes());
    bytes.extend(u32::try_from(place).unwrap_or(u32::MAX).to_be_bytes());
    bytes.push(u8::try_from(round).unwrap_or_default());
    if !is_v6 {
        // The kernel does it for IPv6, because the addresses take part there.
        let sum = checksum(&bytes).to_be_bytes();
        for (place, byte) in bytes.iter_mut().skip(2).zip(sum) {
            *place = byte;
        }
    }
    bytes
}

/// Place and round of an echo reply to one of our questions.
fn reply(bytes: &[u8], cookie: u64, is_v6: bool) -> Option<(usize, usize)> {
    // A raw IPv4 socket gives the header too, a ping socket does not; no reply begins with a version of 4.
    let header = match bytes.first()? {
        first if !is_v6 && first >> 4 == 4 => usize::from(first & 0x0f) * 4,
        _ => 0,
    };
    let message = bytes.get(header..)?;
    let kind = if is_v6 { 129 } else { 0 };
    if *message.first()? != kind {
        return None;
    }
    let payload = message.get(HEADER_BYTES..HEADER_BYTES + PAYLOAD_BYTES)?;
    let (own, rest) = payload.split_first_chunk::<8>()?;
    let (place, rest) = rest.split_first_chunk::<4>()?;
    if u64::from_be_bytes(*own) != cookie {
        return None;
    }
    let place = usize::try_from(u32::from_be_bytes(*place)).ok()?;
    Some((place, usize::from(*rest.first()?)))
}

/// The internet checksum (RFC 1071).
fn checksum(bytes: &[u8]) -> u16 {
    let mut sum = 0_u32;
    for pair in bytes.chunks(2) {
        let high = u32::from(pair.first().copied().unwrap_or_default());
        let low = u32::from(pair.get(1).copied().unwrap_or_default());
        sum = sum.wrapping_add(high << 8 | low);
    }
    while sum >> 16 != 0 {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !u16::try_from(sum).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// What the kernel gives for an answer to `question`.
    fn answer(mut question: Vec<u8>, is_v6: bool, has_header: bool) -> Vec<u8> {
        question[0] = if is_v6 { 129 } else { 0 };
        let mut bytes = if has_header { vec![0x45; 20] } else { Vec::new() };
        bytes.extend(question);
        bytes
    }

    #[test]
    fn a_reply_is_known_by_the_number_of_the_sweep() {
        for (is_v6, has_header) in [(false, true), (false, false), (true, false)] {
            let asked = question(77, 4711, 2, is_v6);
            assert_eq!(reply(&asked, 77, is_v6), None, "a question is no reply");
            let answered = answer(asked, is_v6, has_header);
            assert_eq!(reply(&answered, 77, is_v6), Some((4711, 2)));
            assert_eq!(reply(&answered, 78, is_v6), None);
            assert_eq!(reply(&answered[..answered.len() - 1], 77, is_v6), None);
        }
    }

    #[test]
    fn a_question_has_the_checksum_of_rfc_1071() {
        assert_eq!(checksum(&question(1, 2, 3, false)), 0);
        assert_eq!(checksum(&[0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7]), !0xddf2);
    }

    proptest! {
        #[test]
        fn any_packet_is_no_reply_of_ours(bytes in prop::collection::vec(any::<u8>(), 0..80), is_v6: bool) {
            prop_assert_eq!(reply(&bytes, 0x0123_4567_89ab_cdef, is_v6), None);
        }
    }
}
