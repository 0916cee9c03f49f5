//! The runner: which target is looked at when, within the limits of its set and of the agent, while the lease lasts.
//!
//! Invariants: a look begins only with a lease that is good, inside a window, and below every limit; when the lease
//! runs out or a target is taken away its look is dropped; what is to be read is confirmed only after every look at
//! what is no longer to be read has ended.

mod settle;
mod start;

use super::board::RemoteBoard;
use super::guard::{Fingerprint, Guard};
use super::job::Outcome;
use super::slot::{self, Slot};
use super::wire::{Desired, Kept, Key, TargetSpec};
use super::{Command, Remote};
use crate::config::Config;
use crate::stop::Stop;
use collector::Collector;
use environment::{Clock, Randomness};
use model::Timestamp;
use proto::v1;
use spool::{Priority, Spool};
use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::{Id, JoinSet};
use tokio::time::{Instant, sleep_until};

/// Credentials that are tried for people at the same time.
const PROBES_MAX: usize = 8;
/// Words of credentials that are right and not heard yet.
const ACCEPTED_MAX: usize = 64;
/// When nothing is planned.
const IDLE: Duration = Duration::from_secs(3600);

/// What the runner needs.
#[derive(Clone)]
pub struct Surroundings {
    /// The collectors that read targets.
    pub collectors: Vec<&'static dyn Collector>,
    /// The agent's site.
    pub site: String,
    /// The agent's state directory.
    pub state: PathBuf,
    /// Where reports go.
    pub spool: Spool,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Randomness for ids and jitter.
    pub randomness: Arc<dyn Randomness>,
    /// The configuration.
    pub config: Arc<Config>,
    /// Targets that are read at the same time.
    pub capacity: usize,
}

impl std::fmt::Debug for Surroundings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Surroundings").field("site", &self.site).finish_non_exhaustive()
    }
}

/// How far the looks of one set are.
#[derive(Debug, Default)]
struct Pace {
    running: usize,
    not_before: Option<Instant>,
    /// When the target is due that waits in the queue for all that wait for the pace.
    timer: Option<Instant>,
    waiting: VecDeque<Key>,
}

/// A look, and the credential that it was let in by.
type Accepted = (Id, String);

/// What a task was.
#[derive(Debug)]
enum Task {
    Look { key: Key, set: String, credentials: Vec<(String, String, Fingerprint)> },
    Probe,
}

/// What a task gave.
#[derive(Debug)]
enum Done {
    Look(Box<Outcome>),
    Probe(v1::ProbeResult),
}

/// The runner.
#[derive(Debug)]
pub struct Runner {
    around: Surroundings,
    board: RemoteBoard,
    slots: HashMap<Key, Slot>,
    queue: BTreeSet<(Instant, Key)>,
    paces: HashMap<String, Pace>,
    credentials: HashMap<String, Arc<Kept>>,
    guard: Guard,
    running: JoinSet<Done>,
    tasks: HashMap<Id, Task>,
    lease_until: Option<Instant>,
    /// Looks tell of credentials that are right.
    accepted: (mpsc::Sender<Accepted>, mpsc::Receiver<Accepted>),
    /// What takes effect once these tasks have ended.
    pending: Option<(u64, Vec<u8>, HashSet<Id>)>,
}

impl Runner {
    /// A runner without targets.
    #[must_use]
    pub fn new(around: Surroundings, remote: &Remote) -> Self {
        Self {
            around,
            board: remote.board.clone(),
            slots: HashMap::new(),
            queue: BTreeSet::new(),
            paces: HashMap::new(),
            credentials: HashMap::new(),
            guard: Guard::default(),
            running: JoinSet::new(),
            tasks: HashMap::new(),
            lease_until: None,
            accepted: mpsc::channel(ACCEPTED_MAX),
            pending: None,
        }
    }

    /// Runs until told to stop.
    pub async fn run(mut self, mut commands: mpsc::Receiver<Command>, mut stop: Stop) {
        loop {
            let now = Instant::now();
            self.start_due(now);
            let next = self.next_wake(now);
            tokio::select! {
                biased;
                () = stop.wanted() => break,
                Some(command) = commands.recv() => self.obey(command),
                Some((id, name)) = self.accepted.1.recv() => self.let_in(id, &name),
                Some(done) = self.running.join_next_with_id() => self.ended(done),
                () = sleep_until(next) => self.check_lease(Instant::now()),
            }
        }
        self.running.shutdown().await;
    }

    fn next_wake(&self, now: Instant) -> Instant {
        let idle = now + IDLE;
        let lease = self.lease_until.unwrap_or(idle);
        if self.lease_until.is_none() || self.running.len() >= self.around.capacity {
            return lease;
        }
        let due = self.queue.first().map_or(idle, |(at, _)| *at);
        due.min(lease)
    }

    fn has_lease(&self, now: Instant) -> bool {
        self.lease_until.is_some_and(|until| now < until)
    }

    /// Drops every look when the control plane was not heard of for longer than it allows.
    fn check_lease(&mut self, now: Instant) {
        if self.lease_until.is_none() || self.has_lease(now) {
            return;
        }
        self.lease_until = None;
        let keys: Vec<Key> = self.slots.keys().cloned().collect();
        if !keys.is_empty() {
            tracing::warn!("the control plane is not heard of: targets are not read until it is");
        }
        for key in keys {
            if let Some(slot) = self.slots.get_mut(&key)
                && let Some(running) = slot.running.take()
            {
                running.abort();
                self.enqueue(&key, now);
            }
            self.board.update(key.0, &key.1, |status| "paused".clone_into(&mut status.state));
        }
    }

    fn obey(&mut self, command: Command) {
        let now = Instant::now();
        match command {
            Command::Desired(desired) => self.take(*desired, now),
            Command::Lease(until) => {
                self.check_lease(now);
                self.lease_until = self.lease_until.max(Some(until)).filter(|until| *until > now);
            }
            Command::LookNow(look) => self.look_now(&look, now),
            Command::Probe(probe) => self.probe(*probe),
            Command::Whole { collector, target, scope } => {
                let found = self.slots.keys().find(|key| key.0 == collector && *key.1 == *target);
                if let Some(key) = found.cloned()
                    && let Some(slot) = self.slots.get_mut(&key)
                {
                    slot.want_whole(&scope, now);
                    slot.files.forget(&scope);
                    self.board.know(key.0, &key.1, &scope, None);
                    self.replan(&key);
                }
            }
        }
    }

    /// Takes over what is to be read from now on.
    fn take(&mut self, desired: Desired, now: Instant) {
        let Desired { generation, hash, targets, credentials } = desired;
        tracing::info!(generation, targets_count = targets.len(), "what is to be read has changed");
        let changed: HashSet<&String> = credentials
            .iter()
            .filter(|(name, kept)| {
                self.credentials
                    .get(*name)
                    .is_none_or(|known| known.fingerprint != kept.fingerprint)
            })
            .map(|(name, _)| name)
            .collect();
        let wanted: HashSet<Key> = targets.iter().map(|target| target.key.clone()).collect();
        let mut ending: HashSet<Id> = self.drop_others(&wanted);
        if let Some((_, _, earlier)) = self.pending.take() {
            ending.extend(earlier);
        }
        for target in targets {
            self.take_target(target, &changed, now);
        }
        let known: HashSet<Fingerprint> =
            credentials.values().map(|kept| kept.fingerprint).collect();
        self.guard.keep(|key| wanted.contains(key), &known);
        let sets: HashSet<&str> =
            self.slots.values().map(|slot| slot.spec.set.name.as_str()).collect();
        self.paces.retain(|name, pace| pace.running > 0 || sets.contains(name.as_str()));
        self.credentials = credentials;
        self.forget_folders(&wanted);
        self.pending = Some((generation, hash, ending));
        self.settle_pending();
    }

    fn take_target(&mut self, target: TargetSpec, changed: &HashSet<&String>, now: Instant) {
        let key = target.key.clone();
        let names = &target.set.credentials;
        let before = self.slots.get(&key).map(|slot| &slot.spec.set.credentials);
        let is_rotated = names.iter().any(|name| changed.contains(name))
            || before.is_some_and(|before| before != names);
        let set = target.set.name.clone();
        match self.slots.get_mut(&key) {
            Some(slot) => {
                slot.respecify(target, now);
                if is_rotated && slot.was_refused {
                    slot.hurry(now);
                }
                if slot.running.is_none() && !slot.is_waiting {
                    self.replan(&key);
                }
            }
            None => {
                let reported_through = self.around.spool.durable(Priority::Inventory);
                let slot = Slot::new(target, &self.around.state, now, reported_through);
                self.slots.insert(key.clone(), slot);
                self.enqueue(&key, now);
            }
        }
        self.board.update(key.0, &key.1, |status| {
            status.set = set;
            if status.state.is_empty() {
                "waiting".clone_into(&mut status.state);
            }
        });
    }

    /// Ends the looks at targets that are no longer to be read; the tasks that are still ending.
    fn drop_others(&mut self, wanted: &HashSet<Key>) -> HashSet<Id> {
        let gone: Vec<Key> =
            self.slots.keys().filter(|key| !wanted.contains(*key)).cloned().collect();
        let mut ending = HashSet::new();
        for key in gone {
            if let Some(slot) = self.slots.remove(&key) {
                if let Some(at) = slot.queued {
                    self.queue.remove(&(at, key.clone()));
                }
                if let Some(running) = slot.running {
                    running.abort();
                    ending.insert(running.id());
                }
            }
            self.board.remove(key.0, &key.1);
        }
        ending
    }

    /// Removes what was kept of targets that are no longer to be read: whoever reads them now begins anew, and so do
    /// we when they come back.
    fn forget_folders(&self, wanted: &HashSet<Key>) {
        let Ok(folders) = std::fs::read_dir(slot::parent(&self.around.state)) else { return };
        let known: HashSet<PathBuf> =
            wanted.iter().map(|key| slot::folder(&self.around.state, key.0, &key.1)).collect();
        for folder in folders.flatten() {
            let path = folder.path();
            if !known.contains(&path)
                && let Err(error) = std::fs::remove_dir_all(&path)
            {
                tracing::warn!(path = %path.display(), %error, "the state of a target cannot be removed");
            }
        }
    }

    fn settle_pending(&mut self) {
        if let Some((generation, hash, ending)) = self.pending.take() {
            if ending.is_empty() {
                self.board.set_effective(generation, hash);
            } else {
                self.pending = Some((generation, hash, ending));
            }
        }
    }

    /// Puts a target into the queue, at a time, instead of where it stood.
    fn enqueue(&mut self, key: &Key, at: Instant) {
        let Some(slot) = self.slots.get_mut(key) else { return };
        if let Some(before) = slot.queued.replace(at) {
            self.queue.remove(&(before, key.clone()));
        }
        self.queue.insert((at, key.clone()));
        let wall = Timestamp::from(self.around.clock.wall());
        let next = wall.plus(at.saturating_duration_since(Instant::now()));
        self.board.update(key.0, &key.1, |status| {
            // A moment more or less is no news.
            let is_news =
                status.next_look.is_none_or(|known| known.millis().abs_diff(next.millis()) > 1000);
            if is_news {
                status.next_look = Some(next);
            }
        });
    }

    fn replan(&mut self, key: &Key) {
        let due = self.slots.get(key).filter(|slot| slot.running.is_none()).and_then(Slot::due);
        if let Some(due) = due {
            self.enqueue(key, due);
        }
    }

    fn look_now(&mut self, look: &v1::LookNow, now: Instant) {
        let wanted: HashSet<&str> = look.targets.iter().map(String::as_str).collect();
        let keys: Vec<Key> = self
            .slots
            .iter()
            .filter(|(key, slot)| {
                key.0 == look.collector
                    && slot.spec.set.name == look.set
                    && (wanted.is_empty() || wanted.contains(&*key.1))
            })
            .map(|(key, _)| key.clone())
            .collect();
        tracing::info!(set = look.set, targets_count = keys.len(), "looks are asked for");
        for key in keys {
            if let Some(slot) = self.slots.get_mut(&key) {
                slot.hurry(now);
            }
            self.replan(&key);
        }
    }

    fn probe(&mut self, probe: v1::Probe) {
        let running = self.tasks.values().filter(|task| matches!(task, Task::Probe)).count();
        if running >= PROBES_MAX {
            let detail = "the agent tries many credentials at this moment; try again soon";
            let number = probe.number;
            self.board.answer(v1::ProbeResult {
                number,
                detail: detail.to_owned(),
                ..v1::ProbeResult::default()
            });
            return;
        }
        let collectors = self.around.collectors.clone();
        let clock = Arc::clone(&self.around.clock);
        let handle = self.running.spawn(async move {
            let began = clock.monotonic();
            let mut result = super::probe::probe(probe, collectors).await;
            let spent = clock.monotonic().saturating_sub(began).as_millis();
            result.millis = u64::try_from(spent).unwrap_or(u64::MAX);
            Done::Probe(result)
        });
        self.tasks.insert(handle.id(), Task::Probe);
    }
}
