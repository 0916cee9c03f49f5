//! What is remembered of a target from one look to the next: the engine with its keys, how many variables it takes
//! at once, and for some seconds that nothing answered.
//!
//! Invariants: bounded; kept in memory only, so that no key is ever on a disk; bound to the very secrets it was made
//! with, so that a changed password starts anew. Everything works without it, only slower.

use crate::access::Access;
use crate::usm::Engine;
use crate::walk::Tuning;
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// The most targets that are remembered: more than one agent reads.
const TARGETS_MAX: usize = 16_384;

/// How long a target that was silent is not asked again, so that its other scopes do not wait for it each.
pub(crate) const SILENT_FOR: Duration = Duration::from_secs(20);

/// A target with one credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Place {
    /// Where it answers.
    pub address: SocketAddr,
    /// The digest of what lets one in.
    pub access: [u8; 32],
}

/// What is remembered.
#[derive(Clone, Debug, Default)]
pub(crate) struct Remembered {
    /// The engine, of version 3.
    pub engine: Option<Engine>,
    /// How many variables it takes at once.
    pub tuning: Tuning,
    /// Until when it is not asked again.
    pub silent_until: Option<Instant>,
}

static MEMORY: LazyLock<Mutex<HashMap<Place, Remembered>>> = LazyLock::new(Mutex::default);

fn memory() -> MutexGuard<'static, HashMap<Place, Remembered>> {
    MEMORY.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What is remembered of a place.
#[must_use]
pub(crate) fn recall(place: Place) -> Remembered {
    memory().get(&place).cloned().unwrap_or_default()
}

/// Remembers.
pub(crate) fn keep(place: Place, what: Remembered) {
    let mut memory = memory();
    if memory.len() >= TARGETS_MAX && !memory.contains_key(&place) {
        // Whatever is dropped is only learned again.
        memory.clear();
    }
    memory.insert(place, what);
}

/// The digest of everything that lets one in, by which a changed credential is another one.
#[must_use]
pub(crate) fn digest(access: &Access) -> [u8; 32] {
    let mut digest = Sha256::new();
    let mut part = |bytes: &[u8]| {
        digest.update(u64::try_from(bytes.len()).unwrap_or(u64::MAX).to_le_bytes());
        digest.update(bytes);
    };
    part(access.version().name().as_bytes());
    match access {
        Access::Community { community, .. } => part(&community.0),
        Access::User(user) => {
            part(&user.name);
            part(&user.context);
            if let Some((protocol, password)) = &user.auth {
                part(protocol.name().as_bytes());
                part(password);
            }
            if let Some((protocol, password)) = &user.privacy {
                part(protocol.name().as_bytes());
                part(password);
            }
        }
    }
    digest.finalize().into()
}
