//! The questions in flight: their sockets, their timers, and what becomes of each.

use super::socket::{self, Begun as Socket};
use super::timing::{Loss, Next, TRIES_MAX};
use super::{Asking, BEGUN_AT_ONCE, Begun, Cost, Question, Reply, STEP_MAX, Timing, Verdict};
use crate::pace::Bucket;
use environment::{Clock, SystemClock};
use mio::net::TcpStream;
use mio::{Interest, Poll, Token};
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::net::SocketAddr;
use std::time::Duration;

/// The fewest sockets that are used however few the host has.
const SOCKETS_MIN: usize = 4;

/// After so many looks in vain at a connection just begun, only each [`NEAR_AGAIN`]th is looked at.
const NEAR_MISSES_MAX: u32 = 32;
const NEAR_AGAIN: u32 = 64;

/// A question that was asked.
#[derive(Debug)]
struct Asked {
    question: Question,
    begun: Duration,
    /// Each time that it was asked: when, and the connection while it is under way.
    tries: [Option<(Duration, TcpStream)>; TRIES_MAX],
    tries_count: usize,
    generation: u32,
}

/// A place for a question in flight.
#[derive(Debug, Default)]
struct Slot {
    generation: u32,
    asked: Option<Box<Asked>>,
}

/// All questions in flight.
pub(super) struct Flight<'a> {
    asking: &'a Asking,
    slots: Vec<Slot>,
    free: Vec<usize>,
    timers: BinaryHeap<Reverse<(Duration, usize, u32)>>,
    bucket: Bucket,
    loss: Loss,
    sockets: usize,
    sockets_allowed: usize,
    near_misses: u32,
    returned: Option<Question>,
    cost: Cost,
}

impl<'a> Flight<'a> {
    pub(super) fn new(asking: &'a Asking, now: Duration) -> Self {
        Self {
            asking,
            slots: Vec::new(),
            free: Vec::new(),
            timers: BinaryHeap::new(),
            bucket: Bucket::new(asking.pace.rate, now),
            loss: Loss::default(),
            sockets: 0,
            sockets_allowed: asking.pace.concurrency.max(SOCKETS_MIN),
            near_misses: 0,
            returned: None,
            cost: Cost::default(),
        }
    }

    pub(super) fn cost(self) -> Cost {
        self.cost
    }

    pub(super) fn is_empty(&self) -> bool {
        self.slots.len() == self.free.len() && self.returned.is_none()
    }

    /// Whether connections are under way whose end is an event.
    pub(super) fn is_waiting(&self) -> bool {
        self.sockets > 0
    }

    /// Begins as many questions as may be begun now, up to [`BEGUN_AT_ONCE`].
    pub(super) fn begin(
        &mut self,
        poll: &Poll,
        questions: &mut impl Iterator<Item = Question>,
        replies: &mut Vec<Reply>,
    ) -> Begun {
        for _ in 0..BEGUN_AT_ONCE {
            if self.sockets >= self.sockets_allowed {
                return Begun::Wait(None);
            }
            let now = SystemClock.monotonic();
            let Some(question) = self.next_question(questions) else { return Begun::Exhausted };
            if !self.bucket.take(now) {
                self.returned = Some(question);
                return Begun::Wait(Some(self.bucket.next()));
            }
            if let Err(error) = self.ask_first(poll, question, now, replies) {
                self.returned = Some(question);
                // What is under way is what the host can bear.
                self.sockets_allowed = self.sockets.max(SOCKETS_MIN);
                return Begun::Starved(error);
            }
        }
        Begun::Some
    }

    fn next_question(
        &mut self,
        questions: &mut impl Iterator<Item = Question>,
    ) -> Option<Question> {
        let known = &self.asking.known;
        let is_discovery = self.asking.timing == Timing::Discovery;
        let is_wanted = |one: &Question| !is_discovery || known.distance(one.place).is_none();
        self.returned.take().filter(is_wanted).or_else(|| questions.find(is_wanted))
    }

    fn ask_first(
        &mut self,
        poll: &Poll,
        question: Question,
        now: Duration,
        replies: &mut Vec<Reply>,
    ) -> std::io::Result<()> {
        let stream = match self.connect(question, 0, replies)? {
            Some(stream) => stream,
            None => return Ok(()),
        };
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push(Slot::default());
            self.slots.len() - 1
        });
        let Some(place) = self.slots.get_mut(slot) else { return Ok(()) };
        place.generation = place.generation.wrapping_add(1);
        place.asked = Some(Box::new(Asked {
            question,
            begun: now,
            tries: Default::default(),
            tries_count: 0,
            generation: place.generation,
        }));
        self.add_try(poll, slot, stream, now);
        Ok(())
    }

    /// Begins a connection; `None` when its end is known already and was told.
    fn connect(
        &mut self,
        question: Question,
        try_index: usize,
        replies: &mut Vec<Reply>,
    ) -> std::io::Result<Option<TcpStream>> {
        let sent = SystemClock.monotonic();
        let is_near =
            self.near_misses < NEAR_MISSES_MAX || self.near_misses.is_multiple_of(NEAR_AGAIN);
        let to = SocketAddr::new(question.address, question.port);
        self.cost.packets += 1;
        self.cost.sockets_max = self.cost.sockets_max.max(self.sockets + 1);
        let is_fragile = self.asking.pace.is_fragile;
        match socket::begin(to, is_near, is_fragile) {
            Socket::UnderWay(stream) => {
                self.near_misses = self.near_misses.wrapping_add(1);
                return Ok(Some(stream));
            }
            Socket::Answered(verdict) => {
                self.near_misses = 0;
                let after = SystemClock.monotonic() - sent;
                self.tell(Reply { question, verdict, after }, try_index, replies);
            }
            Socket::Starved(error) => return Err(error),
            Socket::Unsendable(error) => {
                self.cost.unasked += 1;
                self.cost.first_error.get_or_insert_with(|| format!("{to}: {error}"));
                let reply =
                    Reply { question, verdict: Verdict::Unreachable, after: Duration::ZERO };
                replies.push(reply);
            }
        }
        Ok(None)
    }

    fn tell(&mut self, reply: Reply, try_index: usize, replies: &mut Vec<Reply>) {
        if matches!(reply.verdict, Verdict::Open | Verdict::Refused) {
            self.loss.note(try_index);
            self.asking.known.answered(reply.question.place, reply.after);
        }
        if reply.verdict != Verdict::Silent {
            replies.push(reply);
        }
    }

    /// Adds a connection that is under way to its question, and sets the timer.
    fn add_try(&mut self, poll: &Poll, slot: usize, mut stream: TcpStream, now: Duration) {
        let asked = self.slots.get_mut(slot).and_then(|slot| slot.asked.as_mut());
        let Some(asked) = asked else { return };
        let index = asked.tries_count;
        let token = super::token(slot, index);
        // A socket that cannot be watched ends with its question as silence would; it is looked at then.
        poll.registry().register(&mut stream, token, Interest::WRITABLE).unwrap_or_default();
        if let Some(place) = asked.tries.get_mut(index) {
            *place = Some((now, stream));
        }
        asked.tries_count += 1;
        if self.asking.pace.is_fragile
            && let Some(before) =
                index.checked_sub(1).and_then(|before| asked.tries.get_mut(before))
        {
            // One connection at a time.
            self.sockets -= usize::from(before.take().is_some());
        }
        self.sockets += 1;
        self.set_timer(slot);
    }

    fn set_timer(&mut self, slot: usize) {
        let Some(asked) = self.slots.get(slot).and_then(|slot| slot.asked.as_ref()) else { return };
        let distance = self.asking.known.distance(asked.question.place);
        let tries = self.loss.tries();
        let next = self.asking.timing.next(distance, asked.tries_count, tries.min(TRIES_MAX));
        let (Next::Again(after) | Next::GiveUp(after)) = next;
        self.timers.push(Reverse((asked.begun + after, slot, asked.generation)));
    }

    /// Looks at a connection of which the kernel has news.
    pub(super) fn look(&mut self, token: Token, replies: &mut Vec<Reply>) {
        let (slot, index) = super::place_of(token);
        // The place may have another question by now; then its connection is looked at, which does no harm.
        let asked = self.slots.get(slot).and_then(|slot| slot.asked.as_ref());
        let Some(asked) = asked else { return };
        let Some(Some((sent, stream))) = asked.tries.get(index) else { return };
        let Some(verdict) = socket::look(stream, self.asking.pace.is_fragile) else { return };
        let after = SystemClock.monotonic().saturating_sub(*sent);
        let reply = Reply { question: asked.question, verdict, after };
        self.tell(reply, index, replies);
        self.end(slot);
    }

    fn end(&mut self, slot: usize) {
        let Some(asked) = self.slots.get_mut(slot).and_then(|slot| slot.asked.take()) else {
            return;
        };
        self.sockets -= asked.tries.iter().flatten().count();
        self.free.push(slot);
    }

    /// Asks again or gives up what has been silent for long enough.
    pub(super) fn expire(&mut self, poll: &Poll, replies: &mut Vec<Reply>) {
        let now = SystemClock.monotonic();
        while let Some(Reverse((due, slot, generation))) = self.timers.peek().copied() {
            if due > now {
                return;
            }
            self.timers.pop();
            let Some(asked) = self.slots.get(slot).and_then(|slot| slot.asked.as_ref()) else {
                continue;
            };
            if asked.generation != generation {
                continue;
            }
            let question = asked.question;
            let distance = self.asking.known.distance(question.place);
            if self.asking.timing == Timing::Discovery && distance.is_some() {
                self.end(slot);
                continue;
            }
            match self.asking.timing.next(distance, asked.tries_count, self.loss.tries()) {
                // The distance became known meanwhile, or more gets lost than was thought: the time is another one.
                Next::Again(after) | Next::GiveUp(after) if asked.begun + after > now => {
                    self.timers.push(Reverse((asked.begun + after, slot, generation)));
                }
                Next::GiveUp(_) => self.end(slot),
                Next::Again(_) if self.bucket.take(now) => {
                    self.ask_again(poll, slot, question, replies);
                }
                Next::Again(_) => {
                    // Packets are rationed; what is behind it waits too.
                    self.timers.push(Reverse((due, slot, generation)));
                    return;
                }
            }
        }
    }

    fn ask_again(
        &mut self,
        poll: &Poll,
        slot: usize,
        question: Question,
        replies: &mut Vec<Reply>,
    ) {
        let try_index = 1;
        match self.connect(question, try_index, replies) {
            Ok(Some(stream)) => self.add_try(poll, slot, stream, SystemClock.monotonic()),
            Ok(None) => self.end(slot),
            Err(_) => {
                // No descriptor is left for it: it keeps those it has, and is asked again a little later.
                let Some(asked) = self.slots.get_mut(slot).and_then(|slot| slot.asked.as_mut())
                else {
                    return;
                };
                asked.begun += super::STARVED;
                self.set_timer(slot);
            }
        }
    }

    /// How long to wait for events.
    pub(super) fn timeout(&self, until: Option<Duration>, is_exhausted: bool) -> Duration {
        let now = SystemClock.monotonic();
        let mut timeout = STEP_MAX;
        if let Some(Reverse((due, ..))) = self.timers.peek() {
            // A timer that is due and was not run waits for the bucket.
            let due = if *due <= now { self.bucket.next() } else { *due };
            timeout = timeout.min(due.saturating_sub(now));
        }
        if let Some(until) = until {
            return timeout.min(until.saturating_sub(now));
        }
        let may_begin = !is_exhausted && self.sockets < self.sockets_allowed;
        if may_begin { Duration::ZERO } else { timeout }
    }
}
