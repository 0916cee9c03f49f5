//! Beginning looks: window, lease, limits, and which credentials may be tried.

use super::{Done, Runner, Task};
use crate::remote::guard::{Fingerprint, IN_FLIGHT_PAUSE};
use crate::remote::job::{Job, held};
use crate::remote::secrets::fetched;
use crate::remote::wire::{Kept, Key};
use collector::{Credential, Remote, Target};
use model::Timestamp;
use model::targets::Window;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// How long a target waits whose credentials cannot be fetched.
const UNFETCHED_PAUSE: Duration = Duration::from_secs(60);
/// How long a target waits that has no credential of the right kind: until what is to be read changes.
const UNUSABLE_PAUSE: Duration = Duration::from_secs(3600);
/// The wall clock may jump: windows are looked at again after so long at most.
const WINDOW_CHECK: Duration = Duration::from_secs(600);

/// What a target is tried with.
type Tried = (Vec<Credential>, Vec<(String, String, Fingerprint)>);

impl Runner {
    /// Begins every look that is due and that the limits allow.
    pub(super) fn start_due(&mut self, now: Instant) {
        if !self.has_lease(now) {
            return;
        }
        while self.running.len() < self.around.capacity {
            let Some((at, key)) = self.queue.first().cloned() else { return };
            if at > now {
                return;
            }
            self.queue.pop_first();
            if let Some(slot) = self.slots.get_mut(&key) {
                slot.queued = None;
            }
            self.start(&key, now);
        }
    }

    fn start(&mut self, key: &Key, now: Instant) {
        let Some(slot) = self.slots.get_mut(key) else { return };
        let set = Arc::clone(&slot.spec.set);
        let wait = Window::wait(&set.windows, Timestamp::from(self.around.clock.wall()));
        if !wait.is_zero() {
            self.enqueue(key, now + wait.min(WINDOW_CHECK));
            self.say(key, "waiting");
            self.wake_next(&set.name, now);
            return;
        }
        let pace = self.paces.entry(set.name.clone()).or_default();
        if pace.running >= set.concurrency {
            self.park(key, &set.name);
            return;
        }
        if let Some(at) = pace.not_before.filter(|at| *at > now) {
            // One stands in the queue for all: there may be very many.
            if pace.timer.is_some_and(|timer| timer > now) {
                self.park(key, &set.name);
            } else {
                pace.timer = Some(at);
                self.enqueue(key, at);
            }
            return;
        }
        match self.tried(key, now) {
            Ok(tried) => {
                self.begin(key, tried, now);
                if set.pace.is_some() {
                    self.wake_next(&set.name, now);
                }
            }
            // The end of a look that tries the same credential goes on with those that wait.
            Err((until, _)) if until <= now + IN_FLIGHT_PAUSE => self.park(key, &set.name),
            Err((until, why)) => {
                if let Some(slot) = self.slots.get_mut(key) {
                    slot.put_off(until);
                    // A credential that is changed ends this as it ends a refusal.
                    slot.was_refused = true;
                }
                self.enqueue(key, until);
                self.board.update(key.0, &key.1, |status| {
                    "paused".clone_into(&mut status.state);
                    status.coverage = Some(held(crate::report::bounded(&why)));
                });
                self.wake_next(&set.name, now);
            }
        }
    }

    /// Has a target wait until a look of its set ends.
    fn park(&mut self, key: &Key, set: &str) {
        if let Some(slot) = self.slots.get_mut(key) {
            slot.is_waiting = true;
            self.paces.entry(set.to_owned()).or_default().waiting.push_back(key.clone());
        }
    }

    /// The credentials that may be tried now, the one that was accepted last first; else until when none may, and why.
    fn tried(&self, key: &Key, now: Instant) -> Result<Tried, (Instant, String)> {
        let Some(slot) = self.slots.get(key) else { return Ok(Tried::default()) };
        let names = &slot.spec.set.credentials;
        let manifest = slot.spec.set.collector.manifest();
        // One of another kind is not tried, so that it is not taken for refused either.
        let is_usable =
            |kept: &&Arc<Kept>| manifest.credentials.contains(&kept.credential.kind.as_str());
        let known = names.iter().filter_map(|name| self.credentials.get(name));
        let mut kept: Vec<&Arc<Kept>> = known.filter(is_usable).collect();
        if kept.is_empty() && !names.is_empty() && !manifest.credentials.is_empty() {
            let why = format!(
                "none of its credentials can be used: `{}` uses those of the kinds {}",
                manifest.name,
                manifest.credentials.join(", ")
            );
            return Err((now + UNUSABLE_PAUSE, why));
        }
        kept.sort_by_key(|kept| Some(&kept.credential.name) != slot.accepted.as_ref());
        let mut tried = Tried::default();
        let (mut until, mut why) = (None, String::new());
        for one in kept {
            let name = &one.credential.name;
            if let Err(at) = self.guard.may(key, one.fingerprint, now) {
                until = Some(until.map_or(at, |until: Instant| until.min(at)));
                why = format!(
                    "`{name}` was refused and is not tried again yet, so that its account is not locked"
                );
                continue;
            }
            match fetched(one) {
                Ok(credential) => {
                    let kind = credential.kind.clone();
                    tried.1.push((name.clone(), kind, one.fingerprint));
                    tried.0.push(credential);
                }
                Err(error) => {
                    let at = now + UNFETCHED_PAUSE;
                    until = Some(until.map_or(at, |until| until.min(at)));
                    why = error.to_string();
                }
            }
        }
        match until {
            Some(until) if tried.0.is_empty() => Err((until, why)),
            _ => Ok(tried),
        }
    }

    fn begin(&mut self, key: &Key, (credentials, names): Tried, now: Instant) {
        let around = self.around.clone();
        let Some(slot) = self.slots.get_mut(key) else { return };
        let set = Arc::clone(&slot.spec.set);
        let orders = slot.orders(now, around.config.readings_interval.value);
        let limits = set.collector.manifest();
        let orders: Vec<_> = orders
            .into_iter()
            .filter_map(|order| {
                let limit = limits.scope(&order.scope)?.time_limit;
                Some((order, limit))
            })
            .collect();
        if orders.is_empty() {
            self.replan(key);
            return;
        }
        let remote = Remote {
            address: slot.spec.address.to_string(),
            port: set.port,
            options: set.options.clone(),
            credentials,
        };
        let job = Job {
            key: key.clone(),
            collector: set.collector,
            target: Target::remote(&key.1, &around.site, remote),
            files: slot.files.clone(),
            orders,
            context: format!("{} {}", crate::VERSION, slot.spec.address),
            spool: around.spool,
            board: self.board.clone(),
            clock: around.clock,
            randomness: around.randomness,
            accepted: self.accepted.0.clone(),
        };
        let handle = self.running.spawn(async move { Done::Look(Box::new(job.run().await)) });
        slot.running = Some(handle.clone());
        for (_, kind, fingerprint) in &names {
            self.guard.begin(*fingerprint, kind);
        }
        let task = Task::Look { key: key.clone(), set: set.name.clone(), credentials: names };
        self.tasks.insert(handle.id(), task);
        let pace = self.paces.entry(set.name.clone()).or_default();
        pace.running = pace.running.saturating_add(1);
        pace.not_before = set.pace.map(|pause| now + pause);
        self.say(key, "running");
    }

    pub(super) fn say(&self, key: &Key, state: &str) {
        self.board.update(key.0, &key.1, |status| state.clone_into(&mut status.state));
    }
}
