//! The lock-out guard: a wrong password tried again and again locks the account, and fills the logs of others.
//!
//! Invariants: a credential that a target refused is not tried there again before a pause that doubles with each
//! refusal; no account that was not accepted since is refused more often in an hour than [`REFUSALS_AN_HOUR`], wherever; a changed credential is a
//! new one.
//!
//! Deliberately not here: refusals of before the agent's start. The first look after it may add one.

use super::wire::Key;
use std::collections::{HashMap, HashSet, VecDeque};
use std::time::Duration;
use tokio::time::Instant;

/// The pause after the first refusal of a credential by a target.
const PAUSE_FIRST: Duration = Duration::from_secs(5 * 60);
/// The longest pause.
const PAUSE_MOST: Duration = Duration::from_secs(24 * 3600);
/// Refusals of one account in an hour, attempts that are under way among them: directories lock an account after five
/// to ten in a row.
const REFUSALS_AN_HOUR: usize = 4;
/// How soon an account is tried again whose attempts under way may all be refused.
pub(crate) const IN_FLIGHT_PAUSE: Duration = Duration::from_secs(2);
const HOUR: Duration = Duration::from_secs(3600);
/// A community is no account, and a user of SNMP (RFC 3414) is one that devices do not lock.
const WITHOUT_ACCOUNT: &str = "snmp_";

/// Digest of a credential.
pub(crate) type Fingerprint = [u8; 16];

#[derive(Debug)]
struct Pause {
    count: u32,
    until: Instant,
}

/// The guard.
#[derive(Debug, Default)]
pub(crate) struct Guard {
    pauses: HashMap<(Key, Fingerprint), Pause>,
    accounts: HashMap<Fingerprint, VecDeque<Instant>>,
    /// Attempts under way.
    in_flight: HashMap<Fingerprint, usize>,
    /// Accounts that were accepted somewhere, and refused nowhere since.
    proven: HashSet<Fingerprint>,
}

impl Guard {
    /// Whether a credential may be tried at a target now; else from when on.
    pub(crate) fn may(
        &self,
        key: &Key,
        credential: Fingerprint,
        now: Instant,
    ) -> Result<(), Instant> {
        let pause = self.pauses.get(&(key.clone(), credential)).map(|pause| pause.until);
        let account = self.accounts.get(&credential).and_then(|refusals| {
            let recent = refusals.iter().filter(|at| **at + HOUR > now);
            (recent.count() >= REFUSALS_AN_HOUR).then(|| refusals.front().map(|at| *at + HOUR))?
        });
        let refused = self
            .accounts
            .get(&credential)
            .map_or(0, |refusals| refusals.iter().filter(|at| **at + HOUR > now).count());
        let under_way = self.in_flight.get(&credential).copied().unwrap_or(0);
        let is_full = !self.proven.contains(&credential)
            && refused.saturating_add(under_way) >= REFUSALS_AN_HOUR;
        let account = account.or((is_full && under_way > 0).then(|| now + IN_FLIGHT_PAUSE));
        match pause.into_iter().chain(account).max() {
            Some(until) if until > now => Err(until),
            _ => Ok(()),
        }
    }

    /// An attempt begins.
    pub(crate) fn begin(&mut self, credential: Fingerprint, kind: &str) {
        if !kind.starts_with(WITHOUT_ACCOUNT) {
            let count = self.in_flight.entry(credential).or_default();
            *count = count.saturating_add(1);
        }
    }

    /// An attempt has ended, however.
    pub(crate) fn end(&mut self, credential: Fingerprint) {
        if let Some(count) = self.in_flight.get_mut(&credential) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.in_flight.remove(&credential);
            }
        }
    }

    /// A target refused a credential.
    pub(crate) fn refused(&mut self, key: &Key, credential: Fingerprint, kind: &str, now: Instant) {
        let pause = self.pauses.entry((key.clone(), credential));
        let pause = pause.or_insert(Pause { count: 0, until: now });
        let doubled =
            PAUSE_FIRST.saturating_mul(1_u32.checked_shl(pause.count).unwrap_or(u32::MAX));
        pause.until = now + doubled.min(PAUSE_MOST);
        pause.count = pause.count.saturating_add(1);
        if !kind.starts_with(WITHOUT_ACCOUNT) {
            self.proven.remove(&credential);
            let refusals = self.accounts.entry(credential).or_default();
            refusals.push_back(now);
            while refusals.len() > REFUSALS_AN_HOUR {
                refusals.pop_front();
            }
        }
    }

    /// A target accepted a credential: it is right, and whatever counts failed logins begins anew.
    pub(crate) fn accepted(&mut self, key: &Key, credential: Fingerprint) {
        self.pauses.remove(&(key.clone(), credential));
        self.accounts.remove(&credential);
        self.proven.insert(credential);
    }

    /// Forgets targets and credentials that are no more.
    pub(crate) fn keep(
        &mut self,
        is_known: impl Fn(&Key) -> bool,
        credentials: &HashSet<Fingerprint>,
    ) {
        self.pauses
            .retain(|(key, credential), _| is_known(key) && credentials.contains(credential));
        self.accounts.retain(|credential, _| credentials.contains(credential));
        self.proven.retain(|credential| credentials.contains(credential));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(id: &str) -> Key {
        ("snmp", id.into())
    }

    #[test]
    fn pauses_after_refusals_grow_and_a_changed_credential_is_tried_at_once() {
        let mut guard = Guard::default();
        let now = Instant::now();
        let mut pauses = Vec::new();
        let mut at = now;
        for _ in 0..12 {
            guard.refused(&key("a"), [1; 16], "snmp_community", at);
            let until = guard.may(&key("a"), [1; 16], at).unwrap_err();
            pauses.push((until - at).as_secs());
            at = until;
        }
        assert_eq!(pauses[..3], [300, 600, 1200]);
        assert_eq!(pauses[11], 24 * 3600);
        assert!(guard.may(&key("a"), [2; 16], now).is_ok());
        assert!(guard.may(&key("b"), [1; 16], now).is_ok(), "a community locks nothing elsewhere");
        guard.accepted(&key("a"), [1; 16]);
        assert!(guard.may(&key("a"), [1; 16], now).is_ok());
    }

    #[test]
    fn an_account_that_was_refused_by_some_is_tried_nowhere_for_an_hour() {
        let mut guard = Guard::default();
        let now = Instant::now();
        for (count, id) in ["a", "b", "c", "d"].into_iter().enumerate() {
            assert!(guard.may(&key("z"), [1; 16], now).is_ok(), "{count}");
            guard.refused(&key(id), [1; 16], "ssh_password", now);
        }
        assert_eq!(guard.may(&key("z"), [1; 16], now), Err(now + HOUR));
        assert!(guard.may(&key("z"), [1; 16], now + HOUR).is_ok());
        assert!(guard.may(&key("z"), [2; 16], now).is_ok(), "another account is another matter");
        guard.accepted(&key("a"), [1; 16]);
        assert!(guard.may(&key("z"), [1; 16], now).is_ok());
    }

    #[test]
    fn attempts_under_way_count_until_the_account_is_known_to_be_right() {
        let mut guard = Guard::default();
        let now = Instant::now();
        for _ in 0..REFUSALS_AN_HOUR {
            assert!(guard.may(&key("z"), [1; 16], now).is_ok());
            guard.begin([1; 16], "ssh_password");
        }
        assert!(guard.may(&key("z"), [1; 16], now).is_err());
        guard.end([1; 16]);
        guard.accepted(&key("a"), [1; 16]);
        assert!(guard.may(&key("z"), [1; 16], now).is_ok());
        guard.begin([1; 16], "ssh_password");
        guard.begin([1; 16], "ssh_password");
        assert!(guard.may(&key("z"), [1; 16], now).is_ok(), "it is right: no limit");
    }
}
