//! Agents that can read targets and are connected: each has a seat as long as its stream lives.
//!
//! Invariants: dropping the seat takes the agent out of the plan, and its lease runs on; a stream that was replaced
//! does not take its successor's seat along. What waits for an agent is bounded.

use super::plan::{LEASE, Presence};
use super::states::TargetState;
use super::{Inner, Targets, plan::Key};
use model::AgentId;
use proto::v1;
use proto::v1::server_frame::Frame;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// Asks that wait for one agent; a person who clicks more often than that gains nothing.
const OUTBOX_MAX: usize = 64;
/// Collectors of one agent.
const COLLECTORS_MAX: usize = 64;
/// Bytes of a collector's name.
const NAME_BYTES_MAX: usize = 64;
/// Targets that an agent says it can read at the same time.
const CAPACITY_MAX: u32 = 4096;
/// How long an agent that says goodbye may still be ending its looks.
const GOODBYE: Duration = Duration::from_secs(4);

/// An agent's place on this side.
#[derive(Debug)]
pub(super) struct Occupied {
    /// Tells streams of one agent apart.
    stream: u64,
    changed: watch::Sender<u64>,
    pub(super) outbox: VecDeque<Frame>,
    pub(super) is_due: bool,
    pub(super) hash: Option<[u8; 16]>,
    pub(super) generation: u64,
}

impl Occupied {
    pub(super) fn ring(&self) {
        self.changed.send_modify(|count| *count = count.wrapping_add(1));
    }

    pub(super) fn ask(&mut self, frame: Frame) -> bool {
        let has_room = self.outbox.len() < OUTBOX_MAX;
        if has_room {
            self.outbox.push_back(frame);
            self.ring();
        }
        has_room
    }
}

/// The place of an agent's stream; dropping it tells that the stream has ended.
#[derive(Debug)]
pub struct Seat {
    targets: Arc<Targets>,
    agent: AgentId,
    stream: u64,
    changed: watch::Receiver<u64>,
}

impl Seat {
    /// Returns once there is something for the agent. Safe to drop and call again.
    pub async fn wanted(&mut self) {
        if self.changed.changed().await.is_err() {
            // Another stream has the seat now; this one is about to be told.
            std::future::pending::<()>().await;
        }
    }

    /// Takes what there is for the agent.
    #[must_use]
    pub fn frames(&self) -> Vec<Frame> {
        self.targets.frames(self.agent, self.stream)
    }

    /// Takes note of what the agent says of its targets, and lets it go on reading them.
    #[must_use]
    pub fn beat(&self, beat: &mut v1::TargetBeat) -> v1::Lease {
        self.targets.beat(self.agent, beat)
    }

    /// The agent goes away on purpose: it stops reading.
    pub fn goodbye(&self) {
        let now = self.targets.clock.monotonic();
        if let Some(presence) = self.targets.inner().plan.agents.get_mut(&self.agent) {
            presence.leased_until = presence.leased_until.min(now + GOODBYE);
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let now = self.targets.clock.monotonic();
        let mut inner = self.targets.inner();
        if inner.seats.get(&self.agent).is_none_or(|seat| seat.stream != self.stream) {
            return;
        }
        inner.seats.remove(&self.agent);
        if let Some(presence) = inner.plan.agents.get_mut(&self.agent) {
            presence.is_connected = false;
            presence.since = now;
        }
        self.targets.wake_plan(&mut inner);
    }
}

impl Targets {
    /// Takes in the stream of an agent that can read targets; `None` for one that cannot.
    #[must_use]
    pub fn join(self: &Arc<Self>, agent: AgentId, site: &str, hello: &v1::Hello) -> Option<Seat> {
        let collectors: std::collections::BTreeSet<String> = hello
            .remote_collectors
            .iter()
            .take(COLLECTORS_MAX)
            .filter(|name| !name.is_empty() && name.len() <= NAME_BYTES_MAX)
            .cloned()
            .collect();
        if collectors.is_empty() {
            return None;
        }
        let now = self.clock.monotonic();
        let mut inner = self.inner();
        inner.streams_count = inner.streams_count.wrapping_add(1);
        let stream = inner.streams_count;
        let before = inner.plan.agents.get(&agent);
        let generation = before.map_or(0, |presence| presence.generation);
        let presence = Presence {
            site: site.to_owned(),
            collectors,
            capacity: hello.remote_capacity.clamp(1, CAPACITY_MAX),
            is_connected: true,
            since: now,
            leased_until: before.map_or(now, |presence| presence.leased_until),
            generation,
            effective: before.map_or(0, |presence| presence.effective),
        };
        inner.plan.agents.insert(agent, presence);
        let (changed, receiver) = watch::channel(0);
        let seat = Occupied {
            stream,
            changed,
            outbox: VecDeque::new(),
            is_due: false,
            hash: None,
            generation,
        };
        inner.seats.insert(agent, seat);
        // What it has is told at once; what it gets is planned.
        self.announce(&mut inner, agent);
        self.wake_plan(&mut inner);
        drop(inner);
        let targets = Arc::clone(self);
        Some(Seat { targets, agent, stream, changed: receiver })
    }

    fn frames(&self, agent: AgentId, stream: u64) -> Vec<Frame> {
        let mut inner = self.inner();
        let Some(seat) = inner.seats.get_mut(&agent).filter(|seat| seat.stream == stream) else {
            return Vec::new();
        };
        let generation = std::mem::take(&mut seat.is_due).then_some(seat.generation);
        let asks: Vec<Frame> = seat.outbox.drain(..).collect();
        let desired =
            generation.map(|generation| inner.content(agent, &self.sealer).parts(generation));
        desired.into_iter().flatten().map(Frame::Desired).chain(asks).collect()
    }

    fn beat(&self, agent: AgentId, beat: &mut v1::TargetBeat) -> v1::Lease {
        let now = self.clock.monotonic();
        let mut inner = self.inner();
        let is_releasing = inner.plan.is_releasing(agent);
        if let Some(presence) = inner.plan.agents.get_mut(&agent) {
            presence.leased_until = now + LEASE;
            let is_news = beat.generation > presence.effective;
            presence.effective = beat.generation.min(presence.generation);
            if is_news && is_releasing {
                self.wake_plan(&mut inner);
            }
        }
        inner.take_states(agent, std::mem::take(&mut beat.states));
        for result in std::mem::take(&mut beat.results) {
            inner.take_result(agent, result);
        }
        drop(inner);
        v1::Lease { number: beat.number, seconds: u32::try_from(LEASE.as_secs()).unwrap_or(0) }
    }
}

impl Inner {
    fn take_states(&mut self, agent: AgentId, states: Vec<v1::TargetState>) {
        for state in states.into_iter().take(proto::limits::TARGET_STATES_MAX) {
            let key: Key = (state.collector.as_str().into(), state.id.as_str().into());
            if self.plan.reads(agent, &key) {
                self.states.insert(key, TargetState::of(state));
            }
        }
    }
}
