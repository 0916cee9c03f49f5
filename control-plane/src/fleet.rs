//! Agents: enrollment, registry, revocation.
//!
//! Invariants: a certificate leaves the control plane only after the agent's record is durable; whoever shows a
//! certificate is checked against the record each time ([`Fleet::admit`]); every refusal has a reason that says what
//! to do next, and is noted where the person who adds the agent is looking.
//!
//! Deliberately not here: the transports, and the live streams themselves (`ingest::sessions`).

mod enroll;
mod error;
mod onboarding;
mod registry;
mod strangers;
mod tokens;

pub use enroll::{EnrollAttempt, Enrolled, Renewed};
pub use error::FleetError;
pub use onboarding::{Onboarding, Progress, Step};
pub use strangers::Hint;
pub use tokens::{JOIN_TOKEN_LIFE_DEFAULT, NewJoinToken, NewToken};

use crate::rate::RateLimiter;
use environment::{Clock, Randomness};
use model::{AgentId, Timestamp, TokenId};
use pki::Authority;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;
use store::items::Items;
use strangers::Strangers;
use tokio::sync::watch;

/// Enrollments of all tokens together: 200 at once, then 50 in a second. Each costs two signatures and a write.
const ENROLLMENTS_BURST: u32 = 200;
const ENROLLMENTS_INTERVAL: Duration = Duration::from_millis(20);

/// Enrollments by one token: 100 at once, then 20 in a second, so that one leaked token leaves room for the others.
const TOKEN_BURST: u32 = 100;
const TOKEN_INTERVAL: Duration = Duration::from_millis(50);

/// The live streams of agents, as the registry and the APIs need them.
pub trait LiveStreams: Send + Sync + std::fmt::Debug {
    /// Ends the stream of an agent that was revoked.
    fn cut(&self, agent: AgentId);
    /// Whether an agent's stream is open.
    fn is_connected(&self, agent: AgentId) -> bool;
    /// How many streams are open.
    fn count(&self) -> usize;
    /// A signal at every opened and closed stream.
    fn changed(&self) -> watch::Receiver<u64>;
    /// Asks every agent to come back in a while: the control plane stops.
    fn drain(&self);
}

/// What the registry is made of.
#[derive(Debug, Clone)]
pub struct FleetParts {
    /// Where agents and tokens are kept.
    pub store: Arc<dyn store::fleet::Fleet>,
    /// What signs certificates.
    pub authority: Arc<Authority>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// For ids; secrets come from `pki`.
    pub randomness: Arc<dyn Randomness>,
}

/// The registry of agents.
pub struct Fleet {
    store: Arc<dyn store::fleet::Fleet>,
    authority: Arc<Authority>,
    items: Arc<dyn Items>,
    clock: Arc<dyn Clock>,
    randomness: Arc<dyn Randomness>,
    /// Where agents find the uplink, host:port; known once the listeners are bound.
    endpoints: RwLock<Vec<String>>,
    every_token: RateLimiter,
    each_token: RateLimiter,
    strangers: Strangers,
    changed: watch::Sender<u64>,
}

impl std::fmt::Debug for Fleet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Fleet").field("authority", &self.authority).finish_non_exhaustive()
    }
}

impl Fleet {
    /// A registry over what is stored.
    #[must_use]
    pub fn new(parts: FleetParts, items: Arc<dyn Items>) -> Self {
        let FleetParts { store, authority, clock, randomness } = parts;
        Self {
            store,
            authority,
            items,
            every_token: RateLimiter::new(
                Arc::clone(&clock),
                ENROLLMENTS_BURST,
                ENROLLMENTS_INTERVAL,
            ),
            each_token: RateLimiter::new(Arc::clone(&clock), TOKEN_BURST, TOKEN_INTERVAL),
            clock,
            randomness,
            endpoints: RwLock::new(Vec::new()),
            strangers: Strangers::default(),
            changed: watch::Sender::new(0),
        }
    }

    /// Tells where agents find the uplink.
    pub fn endpoints_set(&self, endpoints: Vec<String>) {
        *self.endpoints.write().unwrap_or_else(PoisonError::into_inner) = endpoints;
    }

    /// Takes note of a machine that wanted to enroll and did not recognize this control plane.
    pub fn note_broken_off(&self, broken_off: pki::BrokenOff) {
        self.strangers.note(broken_off, self.now());
    }

    /// A signal at every change of the registry.
    #[must_use]
    pub fn changed(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    /// By what agents recognize this control plane.
    #[must_use]
    pub fn pin(&self) -> pki::Pin {
        self.authority.pin()
    }

    fn endpoints(&self) -> Vec<String> {
        self.endpoints.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn now(&self) -> Timestamp {
        self.clock.wall().into()
    }

    fn note_change(&self) {
        self.changed.send_modify(|count| *count = count.wrapping_add(1));
    }

    fn random<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        self.randomness.fill(&mut bytes);
        bytes
    }

    fn new_token_id(&self) -> TokenId {
        TokenId::new_v7(self.now(), self.random())
    }
}
