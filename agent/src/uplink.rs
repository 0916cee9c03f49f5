//! The connection to the control plane: opened, kept, reopened with growing and random pauses.
//!
//! Invariants: nothing is forgotten before the control plane has said that it is durable there; at any time at most
//! the window's bytes are on the way; a silent peer is noticed within half a minute; no pause is the same on two
//! agents. An identity that has run out is renewed before anything else is said.
//!
//! Deliberately not here: what the records mean.

mod backoff;
mod connection;
mod flow;
mod session;
mod targets;

pub use backoff::Backoff;
pub use flow::Flow;

use crate::board::{Board, ConnectionState};
use crate::identity::{Identity, Store};
use crate::remote::Remote;
use crate::stop::Stop;
use environment::{Clock, Randomness, RandomnessExt};
use model::Timestamp;
use spool::Spool;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;

/// A session this long counts as a success: the next pause is short again.
const SUCCESS_AFTER: Duration = Duration::from_secs(30);
/// The least pause after the control plane said no: it will hardly change its mind within seconds.
const REFUSED_PAUSE_LEAST: Duration = Duration::from_secs(10);
/// The longest wait that a drain may ask for.
const DRAIN_PAUSE_MAX: Duration = Duration::from_secs(600);

/// What the uplink needs from its surroundings.
#[derive(Debug)]
pub struct Surroundings {
    /// Who we are.
    pub identity: Identity,
    /// Where that is kept.
    pub store: Store,
    /// What is to be sent.
    pub spool: Spool,
    /// Where the status stands.
    pub board: Board,
    /// Who is told which scopes are wanted whole.
    pub wanted: mpsc::Sender<String>,
    /// Addresses, in the order to try.
    pub endpoints: Vec<String>,
    /// Our collector and target: only their scopes can be wanted.
    pub source: model::SourceId,
    /// Targets that are read over the network.
    pub remote: Remote,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Randomness for pauses.
    pub randomness: Arc<dyn Randomness>,
    /// The first connection comes after a random part of this.
    pub start_spread: Duration,
    /// The longest pause between two attempts.
    pub pause_max: Duration,
}

/// How an attempt ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// We were told to stop.
    Stopped,
    /// The certificate was renewed: come back with the new one.
    Renewed,
    /// The control plane goes away and named a time to come back.
    Drained(Duration, Duration),
    /// The connection could not be made or broke off.
    Lost(String),
    /// The control plane said no.
    Refused(String),
    /// The control plane knows records of this spool that are not in it: the spool was set back.
    SpoolSetBack(String),
}

/// Why the uplink ended for good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    /// We were told to stop.
    Stopped,
    /// The spool is older than what the control plane knows of it; it must be laid aside.
    SpoolSetBack(String),
}

/// The uplink.
#[derive(Debug)]
pub struct Uplink {
    around: Surroundings,
    instance: Vec<u8>,
}

impl Uplink {
    /// An uplink of a process that has just started.
    #[must_use]
    pub fn new(around: Surroundings) -> Self {
        let mut instance = vec![0; 16];
        around.randomness.fill(&mut instance);
        let expires = Timestamp::from(around.identity.validity.not_after);
        around.board.set_certificate_expires(expires);
        Self { around, instance }
    }

    fn wall(&self) -> Timestamp {
        Timestamp::from(self.around.clock.wall())
    }

    fn draw(&self, least: Duration, most: Duration) -> Duration {
        self.around.randomness.duration(least, most)
    }

    /// Runs until told to stop.
    pub async fn run(mut self, mut stop: Stop) -> Ended {
        let spread = self.draw(Duration::ZERO, self.around.start_spread);
        if !spread.is_zero() && self.pause(spread, &mut stop).await.is_break() {
            return Ended::Stopped;
        }
        let mut backoff = Backoff::new(self.around.pause_max);
        loop {
            let began = self.around.clock.monotonic();
            let end = self.attempt(&mut stop).await;
            if self.around.clock.monotonic().saturating_sub(began) >= SUCCESS_AFTER {
                backoff.reset();
            }
            let pause = match end {
                End::Stopped => break,
                End::SpoolSetBack(why) => return Ended::SpoolSetBack(why),
                End::Renewed => Duration::ZERO,
                End::Drained(least, most) => {
                    backoff.reset();
                    self.note(ConnectionState::Waiting, Some("the control plane restarts".into()));
                    self.draw(least, most.max(least)).min(DRAIN_PAUSE_MAX)
                }
                End::Lost(why) => {
                    tracing::warn!(why, "the control plane is not reached");
                    self.note(ConnectionState::Waiting, Some(why));
                    backoff.next(&*self.around.randomness)
                }
                End::Refused(why) => {
                    tracing::error!(why, "the control plane refuses this agent");
                    self.note(ConnectionState::Refused, Some(why));
                    let least = REFUSED_PAUSE_LEAST.min(self.around.pause_max);
                    backoff.next(&*self.around.randomness).max(least)
                }
            };
            if self.pause(pause, &mut stop).await.is_break() {
                break;
            }
        }
        self.note(ConnectionState::Stopped, None);
        Ended::Stopped
    }

    async fn pause(&self, pause: Duration, stop: &mut Stop) -> std::ops::ControlFlow<()> {
        let at = self.wall().plus(pause);
        self.around.board.update_connection(|connection| connection.next_attempt = Some(at));
        tokio::select! {
            () = stop.wanted() => std::ops::ControlFlow::Break(()),
            () = tokio::time::sleep(pause) => std::ops::ControlFlow::Continue(()),
        }
    }

    /// Notes how the connection stands; an error stays until the next session.
    fn note(&self, state: ConnectionState, error: Option<String>) {
        let now = self.wall();
        self.around.board.update_connection(|connection| {
            if connection.state != state {
                connection.since = now;
            }
            connection.state = state;
            if let Some(error) = error {
                connection.last_error = Some(crate::report::bounded(&error));
            }
        });
    }

    /// Tries the endpoints in order; the first that answers gets the session.
    async fn attempt(&mut self, stop: &mut Stop) -> End {
        let mut last =
            End::Lost("there is no endpoint to connect to; enroll this host again".into());
        for endpoint in self.around.endpoints.clone() {
            self.around.board.update_connection(|connection| {
                connection.next_attempt = None;
                connection.endpoint.clone_from(&endpoint);
            });
            self.note(ConnectionState::Connecting, None);
            let connected = tokio::select! {
                () = stop.wanted() => return End::Stopped,
                connected = self.connect(&endpoint) => connected,
            };
            last = match connected {
                Ok(channel) => return self.converse(channel, stop).await,
                Err(end) => end,
            };
        }
        last
    }
}
