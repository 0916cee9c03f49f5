//! A conversation with one agent: requests and their answers over a socket of its own.
//!
//! Invariants: one request is open at a time; a late answer to an earlier one is passed over. What comes from another
//! address never arrives, since the socket is connected. Every wait ends: attempts, datagrams and time are bounded.
//! A datagram is decoded where it was received, in a buffer that all sessions of a thread share, so that a target
//! in flight costs hundreds of octets, not a datagram's worth.
//!
//! Deliberately not here: which variables are asked for (`walk`), and which credential is tried (`probe`).

use crate::access::Access;
use crate::ber::Malformed;
use crate::message::{self, Message, Operation, Pdu, RESPONSE};
use crate::usm::{self, Engine, OpenError, Opened, Report};
use environment::Randomness;
use std::cell::RefCell;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::UdpSocket;
use tokio::time::{Instant, timeout_at};

/// The largest datagram of UDP.
const DATAGRAM_OCTETS_MAX: usize = 65_535;

/// The most datagrams that are looked at while waiting for one answer: what floods is not waited for.
const DATAGRAMS_MAX: usize = 256;

/// How often the clock or the id of an engine may be corrected within one request.
const CORRECTIONS_MAX: usize = 3;

thread_local! {
    /// Where datagrams are received. Never borrowed across an await.
    static SCRATCH: RefCell<Vec<u8>> = RefCell::new(vec![0; DATAGRAM_OCTETS_MAX]);
}

/// How long is waited, and how often repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// How long the first attempt waits; each further one waits twice as long.
    pub timeout: Duration,
    /// How often a request is repeated.
    pub retries: u32,
}

/// The longest wait of one attempt, however often it was doubled.
pub const WAIT_MAX: Duration = Duration::from_secs(30);

impl Default for Timing {
    fn default() -> Self {
        Self { timeout: Duration::from_secs(2), retries: 2 }
    }
}

/// Why a request has no answer.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// Nothing came.
    #[error("it did not answer within {0:?}")]
    Silent(Duration),
    /// The network refuses.
    #[error("the network says: {0}")]
    Network(#[source] io::Error),
    /// Only garbage came.
    #[error("its answer is no SNMP message: {0}")]
    Garbage(#[source] Malformed),
    /// There is no such user.
    #[error("it knows no such user")]
    UnknownUser,
    /// The digest is wrong on either side.
    #[error("the authentication password or protocol is wrong")]
    WrongDigest,
    /// The level is not offered for that user.
    #[error("it does not offer that level of security to this user")]
    LevelRefused,
    /// One side cannot decrypt what the other sent.
    #[error("authentication succeeded, the privacy password or protocol is wrong")]
    WrongPrivacy,
    /// It vouched for its clock with the authentication key, and then said nothing to what was encrypted.
    #[error(
        "authentication succeeded and encrypted requests stay unanswered: the privacy password or protocol is wrong"
    )]
    PrivacyUnheard,
    /// Answers come with less security, or the clock cannot be agreed on.
    #[error("its answers are not to be believed: {0}")]
    NotBelieved(&'static str),
    /// The time for the whole is over.
    #[error("the time limit passed")]
    OutOfTime,
}

/// A conversation.
#[derive(Debug)]
pub struct Session {
    socket: UdpSocket,
    access: Arc<Access>,
    /// The engine, once it is known.
    engine: Option<Engine>,
    timing: Timing,
    last_id: i32,
    sent_count: u32,
    salt: u64,
    jitter: u64,
    /// When the whole has to be over.
    deadline: Option<Instant>,
    /// Requests that were sent, repeated ones too.
    requests_count: u64,
    /// Whether the agent answers with numbers that were never asked.
    has_odd_ids: bool,
    /// An answer with such a number, to be taken when no better one comes.
    odd: Option<Vec<u8>>,
}

/// What became of a datagram.
enum Step<T> {
    Done(T),
    /// Not for us, or not yet.
    Again(Option<Malformed>),
    /// The engine told its id or clock: send again.
    Corrected,
    Failed(Failure),
}

impl Session {
    /// A conversation with the agent at `address`; nothing is sent yet.
    ///
    /// # Errors
    /// When there is no socket to be had or no way to the address.
    pub async fn open(
        address: SocketAddr,
        access: Arc<Access>,
        timing: Timing,
        randomness: &dyn Randomness,
    ) -> io::Result<Self> {
        let any: IpAddr = match address {
            SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
            SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
        };
        let socket = UdpSocket::bind((any, 0)).await?;
        socket.connect(address).await?;
        let mut random = [0; 16];
        randomness.fill(&mut random);
        let random = u128::from_le_bytes(random);
        let low = u64::try_from(random & u128::from(u64::MAX)).unwrap_or(1);
        let salt = u64::try_from(random >> 64).unwrap_or(1);
        Ok(Self {
            socket,
            access,
            engine: None,
            timing,
            last_id: i32::try_from(low & 0x3fff_ffff).unwrap_or(1),
            sent_count: 0,
            salt,
            jitter: low | 1,
            deadline: None,
            requests_count: 0,
            has_odd_ids: false,
            odd: None,
        })
    }

    /// Ends every wait at this moment.
    pub const fn end_at(&mut self, deadline: Instant) {
        self.deadline = Some(deadline);
    }

    /// Waits and repeats from now on like this.
    pub const fn set_timing(&mut self, timing: Timing) {
        self.timing = timing;
    }

    /// How it is let in.
    #[must_use]
    pub fn access(&self) -> &Access {
        &self.access
    }

    /// What is known of the engine.
    #[must_use]
    pub const fn engine(&self) -> Option<&Engine> {
        self.engine.as_ref()
    }

    /// Takes over what was known of the engine at an earlier time.
    pub fn remember(&mut self, engine: Engine) {
        self.engine = Some(engine);
    }

    /// How long is waited.
    #[must_use]
    pub const fn timing(&self) -> Timing {
        self.timing
    }

    /// How many requests were sent, repeated ones too.
    #[must_use]
    pub const fn requests_count(&self) -> u64 {
        self.requests_count
    }

    /// Whether the agent answers with other numbers than it is asked.
    #[must_use]
    pub const fn has_odd_ids(&self) -> bool {
        self.has_odd_ids
    }

    /// Asks, repeats when nothing comes, and has `take` look at the answer.
    ///
    /// # Errors
    /// When there is none after all attempts.
    pub async fn ask<T>(
        &mut self,
        operation: Operation,
        names: &[&[u8]],
        take: &mut (dyn FnMut(&Pdu<'_>) -> T + Send),
    ) -> Result<T, Failure> {
        let mut last = Failure::OutOfTime;
        for attempt in 0..=self.timing.retries {
            match self.attempt(attempt, operation, names, take).await {
                Err(
                    failure @ (Failure::Silent(_) | Failure::Garbage(_) | Failure::PrivacyUnheard),
                ) => last = failure,
                done => return done,
            }
        }
        Err(last)
    }

    /// Asks once. `attempt` says how often it was asked before, for the time to wait.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn attempt<T>(
        &mut self,
        attempt: u32,
        operation: Operation,
        names: &[&[u8]],
        take: &mut (dyn FnMut(&Pdu<'_>) -> T + Send),
    ) -> Result<T, Failure> {
        let begin = Instant::now();
        let wait = self.wait(attempt);
        let end = self.deadline.map_or(begin + wait, |deadline| deadline.min(begin + wait));
        if end <= begin {
            return Err(Failure::OutOfTime);
        }
        self.forget_odd();
        for _ in 0..=CORRECTIONS_MAX {
            let bytes = self.request(operation, names);
            self.socket.send(&bytes).await.map_err(Failure::Network)?;
            self.requests_count += 1;
            if let Some(answer) = self.answer(end, take).await? {
                return Ok(answer);
            }
        }
        Err(Failure::NotBelieved("its clock cannot be agreed on"))
    }

    /// Waits for the answer to what was sent last; `None` when it is to be sent again with what was learned.
    async fn answer<T>(
        &mut self,
        end: Instant,
        take: &mut (dyn FnMut(&Pdu<'_>) -> T + Send),
    ) -> Result<Option<T>, Failure> {
        let mut garbage = None;
        for _ in 0..DATAGRAMS_MAX {
            match timeout_at(end, self.socket.readable()).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => return Err(Failure::Network(error)),
                Err(_) => {
                    let odd = self.take_odd(take);
                    return odd.map(Some).ok_or_else(|| self.nothing(garbage));
                }
            }
            let step = SCRATCH.with_borrow_mut(|scratch| self.receive(scratch, take));
            match step {
                Step::Done(answer) => return Ok(Some(answer)),
                Step::Corrected => return Ok(None),
                Step::Failed(failure) => return Err(failure),
                Step::Again(malformed) => garbage = malformed.or(garbage),
            }
        }
        Err(garbage.map_or(Failure::NotBelieved("it floods"), Failure::Garbage))
    }

    fn nothing(&self, garbage: Option<Malformed>) -> Failure {
        let is_secret = matches!(&*self.access, Access::User(user) if user.privacy.is_some());
        let has_answered = self.engine.as_ref().is_some_and(|engine| engine.has_answered);
        match garbage {
            Some(malformed) => Failure::Garbage(malformed),
            None if self.deadline.is_some_and(|deadline| Instant::now() >= deadline) => {
                Failure::OutOfTime
            }
            // The engine has just vouched for its clock with the authentication key, and says nothing to a request
            // that is encrypted: it cannot read it.
            None if is_secret
                && !has_answered
                && self.engine.as_ref().is_some_and(|engine| engine.is_trusted) =>
            {
                Failure::PrivacyUnheard
            }
            None => Failure::Silent(self.timing.timeout),
        }
    }

    /// Twice as long each time, and a quarter more or less, so that many targets do not repeat in step.
    fn wait(&mut self, attempt: u32) -> Duration {
        // Xorshift: good enough to spread, and cheap.
        self.jitter ^= self.jitter << 13;
        self.jitter ^= self.jitter >> 7;
        self.jitter ^= self.jitter << 17;
        let base = self.timing.timeout.saturating_mul(1_u32 << attempt.min(5)).min(WAIT_MAX);
        if attempt == 0 {
            return base;
        }
        let share = u32::try_from(self.jitter % 512).unwrap_or(256);
        base.mul_f64(0.75 + f64::from(share) / 1024.0)
    }

    fn next_id(&mut self) -> i32 {
        self.last_id = self.last_id.checked_add(1).unwrap_or(1);
        self.sent_count = self.sent_count.saturating_add(1);
        self.last_id
    }

    fn request(&mut self, operation: Operation, names: &[&[u8]]) -> Vec<u8> {
        let id = self.next_id();
        match (&*self.access, &self.engine) {
            (Access::Community { version, community }, _) => {
                message::community_request(*version, &community.0, operation, id, names)
            }
            (Access::User(_), None) => usm::discovery(id),
            (Access::User(user), Some(engine)) => {
                self.salt = self.salt.wrapping_add(1);
                let request = usm::Request { operation, id, salt: self.salt, names };
                usm::request(user, engine, Instant::now(), &request)
            }
        }
    }

    /// Takes one datagram.
    fn receive<T>(
        &mut self,
        scratch: &mut [u8],
        take: &mut (dyn FnMut(&Pdu<'_>) -> T + Send),
    ) -> Step<T> {
        let length = match self.socket.try_recv(scratch) {
            Ok(length) => length,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Step::Again(None),
            Err(error) => return Step::Failed(Failure::Network(error)),
        };
        let Some(datagram) = scratch.get_mut(..length) else { return Step::Again(None) };
        let access = Arc::clone(&self.access);
        match &*access {
            Access::Community { .. } => self.receive_plain(datagram, take),
            Access::User(user) => {
                let last = i64::from(self.last_id);
                let now = Instant::now();
                let opened = usm::open(datagram, user, self.engine.as_mut(), now, |id| id == last);
                match opened {
                    Ok(Opened::Answer(pdu)) if pdu.kind == RESPONSE => {
                        let answer = take(&pdu);
                        if let Some(engine) = &mut self.engine {
                            engine.has_answered = true;
                        }
                        Step::Done(answer)
                    }
                    Ok(Opened::Answer(_)) | Err(OpenError::Other | OpenError::Outdated) => {
                        Step::Again(None)
                    }
                    Ok(Opened::Reported { report, is_authentic, engine_id, boots, time }) => {
                        self.reported(user, (report, is_authentic), engine_id, (boots, time))
                    }
                    Err(OpenError::Malformed(malformed)) => Step::Again(Some(malformed)),
                    Err(OpenError::WrongDigest) => Step::Failed(Failure::WrongDigest),
                    Err(OpenError::LevelTooLow) => Step::Again(None),
                    Err(OpenError::Undecryptable) => Step::Failed(Failure::WrongPrivacy),
                }
            }
        }
    }

    fn receive_plain<T>(
        &mut self,
        datagram: &[u8],
        take: &mut (dyn FnMut(&Pdu<'_>) -> T + Send),
    ) -> Step<T> {
        let pdu = match Message::read(datagram) {
            Ok(Message::Community { pdu, .. }) if pdu.kind == RESPONSE => pdu,
            Ok(_) => return Step::Again(None),
            Err(malformed) => return Step::Again(Some(malformed)),
        };
        if pdu.request_id == i64::from(self.last_id) {
            return Step::Done(take(&pdu));
        }
        if self.is_earlier(pdu.request_id) {
            return Step::Again(None);
        }
        // The socket takes answers of this agent only, and one request is open: some agents answer with a number
        // of their own making, and would otherwise never be heard. The first time, a right one is waited for.
        if self.has_odd_ids {
            return Step::Done(take(&pdu));
        }
        self.odd = Some(datagram.to_vec());
        Step::Again(None)
    }

    /// Takes the answer with a wrong number, since no other came.
    fn take_odd<T>(&mut self, take: &mut (dyn FnMut(&Pdu<'_>) -> T + Send)) -> Option<T> {
        let datagram = self.odd.take()?;
        let Ok(Message::Community { pdu, .. }) = Message::read(&datagram) else { return None };
        self.has_odd_ids = true;
        Some(take(&pdu))
    }

    /// Where numbers say nothing, what is still there from earlier must not be taken for the next answer.
    fn forget_odd(&mut self) {
        self.odd = None;
        if self.has_odd_ids {
            SCRATCH.with_borrow_mut(|scratch| {
                let left = (0..DATAGRAMS_MAX).take_while(|_| self.socket.try_recv(scratch).is_ok());
                left.count()
            });
        }
    }

    /// Whether a number is that of a request that this session sent before the open one.
    fn is_earlier(&self, id: i64) -> bool {
        let distance = i64::from(self.last_id).saturating_sub(id);
        (1..i64::from(self.sent_count)).contains(&distance)
    }

    fn reported<T>(
        &mut self,
        user: &usm::User,
        (report, is_authentic): (Report, bool),
        engine_id: Vec<u8>,
        (boots, time): (u32, u32),
    ) -> Step<T> {
        let now = Instant::now();
        match (report, &mut self.engine) {
            (Report::UnknownEngine, _) | (_, None) if !engine_id.is_empty() => {
                let keys = Arc::new(user.keys(&engine_id));
                // Without authentication nobody can vouch for the clock, and nobody needs it.
                let is_trusted = user.auth.is_none();
                self.engine = Some(Engine {
                    id: engine_id,
                    boots,
                    time,
                    at: now,
                    is_trusted,
                    has_answered: false,
                    keys,
                });
                Step::Corrected
            }
            (Report::NotInTimeWindow, Some(engine)) if is_authentic => {
                // Said with the right key: its clock is the one that counts, even when it went back.
                engine.is_trusted = false;
                engine.learn(boots, time, now);
                Step::Corrected
            }
            (Report::NotInTimeWindow, _) => {
                Step::Failed(Failure::NotBelieved("it disputes the clock without proof"))
            }
            (Report::UnknownUser, _) => Step::Failed(Failure::UnknownUser),
            (Report::WrongDigest, _) => Step::Failed(Failure::WrongDigest),
            (Report::UnsupportedLevel, _) => Step::Failed(Failure::LevelRefused),
            (Report::DecryptionError, _) => Step::Failed(Failure::WrongPrivacy),
            (Report::UnknownEngine | Report::Other, _) => Step::Again(None),
        }
    }
}
