//! Machines that reached the enrollment port and ended the TLS handshake because they did not recognize this control
//! plane.
//!
//! Such a machine has said nothing but its reason: neither its token nor its name. So it is shown as a hint to whoever
//! waits for an agent, and is never a failure of a token. Kept in memory only, one entry per address, the newest few:
//! a flood replaces what it brought itself and fills nothing.

use model::Timestamp;
use pki::{BreakOffReason, BrokenOff};
use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Addresses that are remembered; whoever waits for an agent looks at the newest.
const ADDRESSES_MAX: usize = 32;

/// Hints that are shown at once; more would hide the one that matters.
const HINTS_MAX: usize = 3;

/// How long a hint is worth reading. An agent that is started anew in this time breaks off anew.
const LIFE: Duration = Duration::from_secs(15 * 60);

/// Something that may explain why a step does not come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hint {
    /// A sentence or two: what happened and what to do.
    pub detail: String,
    /// When it happened.
    pub at: Timestamp,
}

/// The newest machines that broke off.
#[derive(Debug, Default)]
pub(super) struct Strangers(Mutex<VecDeque<Stranger>>);

#[derive(Debug)]
struct Stranger {
    address: IpAddr,
    reason: BreakOffReason,
    at: Timestamp,
}

impl Strangers {
    /// Remembers one; an older entry of the same address gives way.
    pub(super) fn note(&self, broken_off: BrokenOff, at: Timestamp) {
        let address = broken_off.address.ip().to_canonical();
        let mut strangers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        strangers.retain(|known| known.address != address);
        strangers.truncate(ADDRESSES_MAX.saturating_sub(1));
        strangers.push_front(Stranger { address, reason: broken_off.reason, at });
    }

    /// What to tell somebody who waits since `since`, the newest first.
    pub(super) fn hints(&self, since: Timestamp, now: Timestamp) -> Vec<Hint> {
        let strangers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_fresh = |at: Timestamp| {
            let age = now.millis().saturating_sub(at.millis());
            u64::try_from(age).is_ok_and(|age| Duration::from_millis(age) <= LIFE)
        };
        strangers
            .iter()
            .filter(|known| known.at >= since && is_fresh(known.at))
            .take(HINTS_MAX)
            .map(|known| Hint { detail: sentences(known.address, known.reason), at: known.at })
            .collect()
    }
}

fn sentences(address: IpAddr, reason: BreakOffReason) -> String {
    let remedy = match reason {
        BreakOffReason::Clock => "Set the clock of that machine, then start its agent again.",
        _ => {
            "Its token was made by another control plane, or something between answers in this one's place: run the \
             command of this page on that machine, and look at what stands between if it says the same again."
        }
    };
    format!(
        "A machine at {address} reached this control plane but ended the TLS handshake: {}. {remedy}",
        reason.in_words()
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::SocketAddr;

    fn broken_off(last: u8, reason: BreakOffReason) -> BrokenOff {
        BrokenOff { address: SocketAddr::from(([10, 0, 0, last], 4000)), reason }
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_seconds(seconds)
    }

    #[test]
    fn a_flood_from_one_address_takes_one_place_and_many_addresses_a_bounded_number() {
        let strangers = Strangers::default();
        strangers.note(broken_off(1, BreakOffReason::Clock), at(100));
        for moment in 101..10_000 {
            strangers.note(broken_off(2, BreakOffReason::UnknownAuthority), at(moment));
        }
        assert_eq!(strangers.hints(at(0), at(110)).len(), 1);
        assert_eq!(strangers.0.lock().unwrap().len(), 2);
        for last in 0..=255 {
            strangers.note(broken_off(last, BreakOffReason::Clock), at(10_000));
        }
        assert_eq!(strangers.0.lock().unwrap().len(), ADDRESSES_MAX);
        assert_eq!(strangers.hints(at(0), at(10_000)).len(), HINTS_MAX);
    }

    #[test]
    fn whoever_began_to_wait_later_or_looks_much_later_is_told_nothing() {
        let strangers = Strangers::default();
        strangers.note(broken_off(1, BreakOffReason::Clock), at(100));
        assert_eq!(strangers.hints(at(101), at(102)), []);
        assert_eq!(strangers.hints(at(0), at(100 + 16 * 60)), []);
        let hints = strangers.hints(at(100), at(100));
        assert!(hints[0].detail.contains("10.0.0.1") && hints[0].detail.contains("clock"));
    }
}
