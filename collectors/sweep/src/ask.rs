//! Asking addresses for TCP ports by connecting, many at once, with timers of our own.
//!
//! A question is asked again while earlier connections of it stay open, so that an answer which comes late is still
//! an answer: a host that needs 800 milliseconds is found although we ask again after 350. How often a question is
//! repeated follows the loss that the answers show. A connection that was accepted is reset at once.
//!
//! Invariants: no more sockets than the pace allows, no more packets a second either; the loop ends when it is told
//! to stop, within [`STEP_MAX`]; every question has an end.
//!
//! Connecting needs no right and passes every local policy; an answer that is already there is taken without waiting
//! for an event. Where the agent may open raw sockets, [`half_open`] asks for a third of the cost.

mod flight;
#[cfg(target_os = "linux")]
pub(crate) mod half_open;
mod socket;
mod timing;

pub(crate) use timing::{Known, Timing};

use crate::options::Pace;
use environment::{Clock, SystemClock};
use flight::Flight;
use mio::{Events, Poll, Token};
use std::collections::HashMap;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// The longest that the loop waits without looking whether it is to stop.
const STEP_MAX: Duration = Duration::from_millis(20);

/// Questions begun before answers are looked for again: less than the kernel queues for a device.
const BEGUN_AT_ONCE: usize = 64;

/// Events taken from the kernel at once.
const EVENTS: usize = 1024;

/// How long to wait for descriptors or local ports when the host has none left.
const STARVED: Duration = Duration::from_millis(10);

/// How often in a row none was left before the sweep gives up: five seconds.
const STARVED_MAX: u32 = 500;

/// A question: the place of an address in the list of all, and a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Question {
    pub(crate) place: usize,
    pub(crate) address: IpAddr,
    pub(crate) port: u16,
}

/// What became of a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The connection was accepted.
    Open,
    /// Somebody refused it.
    Refused,
    /// A router or we ourselves said that there is no way.
    Unreachable,
    /// Nobody said anything.
    Silent,
}

/// The answer to a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Reply {
    pub(crate) question: Question,
    pub(crate) verdict: Verdict,
    /// Time from the packet that was answered to its answer.
    pub(crate) after: Duration,
}

/// What a loop costs and met.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Cost {
    /// Connections begun.
    pub(crate) packets: u64,
    /// The most sockets open at once.
    pub(crate) sockets_max: usize,
    /// Questions that this host itself could not ask, with the first reason.
    pub(crate) unasked: u64,
    /// Why the first of them could not be asked.
    pub(crate) first_error: Option<String>,
}

/// What a loop of asking is given.
pub(crate) struct Asking {
    pub(crate) pace: Pace,
    pub(crate) timing: Timing,
    pub(crate) known: Arc<Known>,
    /// The place of each address, for answers that come with nothing else.
    pub(crate) places: Arc<HashMap<IpAddr, usize>>,
    pub(crate) stop: Arc<AtomicBool>,
}

impl std::fmt::Debug for Asking {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Asking").field("pace", &self.pace).finish_non_exhaustive()
    }
}

/// Asks every question; `answer` gets each reply but silence, and says whether to go on.
///
/// # Errors
/// When the kernel gives no event queue, or has had no descriptors left for seconds.
pub(crate) fn ask(
    asking: &Asking,
    questions: impl Iterator<Item = Question>,
    answer: &mut dyn FnMut(Reply) -> bool,
) -> io::Result<Cost> {
    let mut poll = Poll::new()?;
    let mut events = Events::with_capacity(EVENTS);
    let mut questions = questions.fuse();
    let mut flight = Flight::new(asking, SystemClock.monotonic());
    let mut replies = Vec::new();
    let mut is_exhausted = false;
    let mut starved = 0_u32;
    loop {
        if asking.stop.load(Ordering::Relaxed) {
            break;
        }
        let mut wait_until = None;
        if !is_exhausted {
            match flight.begin(&poll, &mut questions, &mut replies) {
                Begun::Some => starved = 0,
                Begun::Wait(moment) => wait_until = moment,
                Begun::Exhausted => is_exhausted = true,
                Begun::Starved(error) => {
                    starved += 1;
                    if starved > STARVED_MAX {
                        return Err(error);
                    }
                    wait_until = Some(SystemClock.monotonic() + STARVED);
                }
            }
        }
        flight.expire(&poll, &mut replies);
        let timeout = flight.timeout(wait_until, is_exhausted);
        if flight.is_waiting() || timeout > Duration::ZERO {
            match poll.poll(&mut events, Some(timeout)) {
                Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(error),
                _ => {}
            }
            for event in &events {
                flight.look(event.token(), &mut replies);
            }
        }
        for reply in replies.drain(..) {
            if !answer(reply) {
                return Ok(flight.cost());
            }
        }
        if is_exhausted && flight.is_empty() {
            break;
        }
    }
    Ok(flight.cost())
}

/// What came of beginning questions.
#[derive(Debug)]
enum Begun {
    /// Some were begun, and there may be more.
    Some,
    /// None may be begun before that moment; `None`: before a socket is free.
    Wait(Option<Duration>),
    /// There are no more.
    Exhausted,
    /// The host has no descriptors, ports or memory left.
    Starved(io::Error),
}

/// The token of one of the tries of a place in flight.
const fn token(slot: usize, try_index: usize) -> Token {
    Token(slot * timing::TRIES_MAX + try_index)
}

const fn place_of(token: Token) -> (usize, usize) {
    (token.0 / timing::TRIES_MAX, token.0 % timing::TRIES_MAX)
}

#[cfg(test)]
mod tests;
