//! Who is calling, and what they may do: one answer for REST, GraphQL, gRPC and the live streams.
//!
//! Invariants: passwords are compared only after the rate limit, off the async threads and a few at a time; what is
//! secret is stored as a hash; a right is decided in one function ([`Principal::may`]).
//!
//! Deliberately not here: agents. They are known by their certificates ([`crate::fleet::Fleet::admit`]).

pub mod layer;
mod login;
mod password;
mod policy;
mod setup;
mod tokens;

pub use layer::Caller;
pub use login::{OpenedSession, SESSION_COOKIE, SESSION_LIFE};
pub use policy::{Action, Level, Means, Principal};
pub use tokens::{NewAccessToken, TOKEN_LIFE_DEFAULT};

use crate::rate::RateLimiter;
use environment::{Clock, Randomness};
use model::Timestamp;
use password::Passwords;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use store::users::Users;

/// Attempts with one name: ten at once, then one in 6 s; a person who mistypes never reaches it.
const NAME_BURST: u32 = 10;
const NAME_INTERVAL: Duration = Duration::from_secs(6);

/// Attempts from one address: more, because many people may sit behind one.
const ADDRESS_BURST: u32 = 20;
const ADDRESS_INTERVAL: Duration = Duration::from_secs(3);

/// Setup codes tried by everybody together: a code has 40 bits, so guessing it at this rate takes a hundred
/// thousand years.
const SETUP_BURST: u32 = 10;
const SETUP_INTERVAL: Duration = Duration::from_secs(6);

/// People, sessions and access tokens.
#[derive(Debug)]
pub struct Accounts {
    users: Arc<dyn Users>,
    clock: Arc<dyn Clock>,
    randomness: Arc<dyn Randomness>,
    passwords: Passwords,
    by_name: RateLimiter,
    by_address: RateLimiter,
    by_setup: RateLimiter,
    /// Where the first setup code was written; removed once somebody is set up.
    setup_file: Option<PathBuf>,
}

impl Accounts {
    /// Accounts over what is stored.
    #[must_use]
    pub fn new(
        users: Arc<dyn Users>,
        clock: Arc<dyn Clock>,
        randomness: Arc<dyn Randomness>,
        setup_file: Option<PathBuf>,
    ) -> Self {
        let limiter = |burst, interval| RateLimiter::new(Arc::clone(&clock), burst, interval);
        Self {
            users,
            passwords: Passwords::new(Arc::clone(&randomness)),
            by_name: limiter(NAME_BURST, NAME_INTERVAL),
            by_address: limiter(ADDRESS_BURST, ADDRESS_INTERVAL),
            by_setup: limiter(SETUP_BURST, SETUP_INTERVAL),
            clock,
            randomness,
            setup_file,
        }
    }

    /// A name for one request: sortable by time, as all our ids are.
    #[must_use]
    pub fn request_id(&self) -> String {
        model::RunId::new_v7(self.now(), self.random()).to_string()
    }

    fn now(&self) -> Timestamp {
        self.clock.wall().into()
    }

    fn random<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        self.randomness.fill(&mut bytes);
        bytes
    }
}
