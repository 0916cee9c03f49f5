//! Which agent reads which target. Pure: time comes in, decisions come out.
//!
//! Invariants: a target has one holder at a time; it goes to another agent only after the first one confirmed that it
//! no longer reads it, or after its lease has run out. Who is to have it is decided by weighted rendezvous hashing
//! (Thaler and Ravishankar 1998; weights after Schindelhauer and Schomaker 2005): when an agent goes, only its own
//! targets move.
//!
//! Deliberately not here: writing holders down and telling agents.

use model::AgentId;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

/// How long an agent may read without hearing from the control plane, from when it last asked.
pub(super) const LEASE: Duration = Duration::from_secs(15);
/// Added before a target of a silent agent is given away: clocks do not run equally fast.
const LEASE_MARGIN: Duration = Duration::from_secs(1);
/// An agent takes targets over from agents that live only after it has stayed for so long: one that comes and goes
/// would have them moved all the time.
const SETTLED_AFTER: Duration = Duration::from_secs(30);
/// Agents that are weighed for one set.
const AGENTS_MAX: usize = 1024;

/// Names a target: collector and target's id.
pub(super) type Key = (Arc<str>, Arc<str>);

/// A target that is to be read, and by whom it may be.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    pub(super) key: Key,
    pub(super) group: usize,
}

/// Who may read the targets of one set.
#[derive(Clone, Debug)]
pub(super) struct Group {
    pub(super) site: String,
    pub(super) collector: Arc<str>,
    pub(super) agents: Vec<AgentId>,
}

/// An agent as the plan sees it.
#[derive(Clone, Debug)]
pub(super) struct Presence {
    pub(super) site: String,
    pub(super) collectors: BTreeSet<String>,
    pub(super) capacity: u32,
    pub(super) is_connected: bool,
    pub(super) since: Duration,
    /// Until when it may read without hearing from us.
    pub(super) leased_until: Duration,
    /// The generation that was made for it last.
    pub(super) generation: u64,
    /// The generation that it confirmed.
    pub(super) effective: u64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Hold {
    Reads,
    /// It is told to stop; done when it confirms this generation. 0: not told yet.
    Releases(u64),
}

#[derive(Debug)]
struct Holder {
    agent: AgentId,
    hold: Hold,
}

/// The plan.
#[derive(Debug, Default)]
pub(super) struct Plan {
    pub(super) agents: HashMap<AgentId, Presence>,
    holders: HashMap<Key, Holder>,
}

/// What a round of planning decided: to be written down, then carried out with [`Plan::carry_out`].
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Round {
    /// Targets and who has them from now on.
    pub(super) moves: Vec<(Key, Option<AgentId>)>,
    /// Agents whose targets are others now.
    pub(super) touched: BTreeSet<AgentId>,
}

fn weight(agent: AgentId, target: &str, capacity: u32) -> f64 {
    let mut hash = [0; 8];
    blake3::Hasher::new()
        .update(&agent.to_bytes())
        .update(target.as_bytes())
        .finalize_xof()
        .fill(&mut hash);
    // 53 bits: what a float holds exactly. Never 0 nor 1.
    let numerator = u32::from_le_bytes([hash[0], hash[1], hash[2], hash[3]]);
    let part = (f64::from(numerator) + 0.5) / 4_294_967_296.0;
    -f64::from(capacity.max(1)) / part.ln()
}

impl Plan {
    /// A holder as it was written down before this process began: it keeps the target for a lease.
    pub(super) fn remember(&mut self, key: Key, agent: AgentId, now: Duration) {
        self.agents.entry(agent).or_insert_with(|| Presence {
            site: String::new(),
            collectors: BTreeSet::new(),
            capacity: 0,
            is_connected: false,
            since: now,
            leased_until: now + LEASE,
            generation: 0,
            effective: 0,
        });
        self.holders.insert(key, Holder { agent, hold: Hold::Reads });
    }

    /// Whether an agent is to read a target now.
    pub(super) fn reads(&self, agent: AgentId, key: &Key) -> bool {
        self.holders
            .get(key)
            .is_some_and(|holder| holder.agent == agent && holder.hold == Hold::Reads)
    }

    /// Who has a target.
    pub(super) fn holder(&self, key: &Key) -> Option<AgentId> {
        self.holders.get(key).map(|holder| holder.agent)
    }

    /// How many targets an agent has.
    #[cfg(test)]
    fn count(&self, agent: AgentId) -> usize {
        self.holders.values().filter(|holder| holder.agent == agent).count()
    }

    /// When the next lease of an agent that is away runs out, and something waits for it.
    pub(super) fn next_expiry(&self) -> Option<Duration> {
        let holding: BTreeSet<AgentId> = self.holders.values().map(|holder| holder.agent).collect();
        holding
            .iter()
            .filter_map(|agent| self.agents.get(agent))
            .filter(|presence| !presence.is_connected)
            .map(|presence| presence.leased_until + LEASE_MARGIN)
            .min()
    }

    /// Agents that have just connected settle after a while: then the plan is made anew.
    pub(super) fn next_settled(&self, now: Duration) -> Option<Duration> {
        self.agents
            .values()
            .filter(|presence| presence.is_connected)
            .map(|presence| presence.since + SETTLED_AFTER)
            .filter(|settled| *settled > now)
            .min()
    }

    fn eligible(&self, group: &Group) -> Vec<AgentId> {
        let mut agents: Vec<AgentId> = self
            .agents
            .iter()
            .filter(|(id, presence)| {
                presence.is_connected
                    && presence.site == group.site
                    && presence.collectors.contains(&*group.collector)
                    && (group.agents.is_empty() || group.agents.contains(id))
            })
            .map(|(id, _)| *id)
            .collect();
        agents.sort_unstable();
        agents.truncate(AGENTS_MAX);
        agents
    }

    fn best(&self, among: &[AgentId], key: &Key) -> Option<AgentId> {
        if let [only] = among {
            return Some(*only);
        }
        let weights = among.iter().map(|agent| {
            let capacity = self.agents.get(agent).map_or(1, |presence| presence.capacity);
            (*agent, weight(*agent, &key.1, capacity))
        });
        weights.max_by(|one, other| one.1.total_cmp(&other.1)).map(|(agent, _)| agent)
    }

    /// Whether a holder is surely no longer reading.
    fn is_free(&self, holder: &Holder, now: Duration) -> bool {
        let Some(presence) = self.agents.get(&holder.agent) else { return true };
        if !presence.is_connected {
            return now >= presence.leased_until + LEASE_MARGIN;
        }
        matches!(holder.hold, Hold::Releases(generation) if generation > 0 && presence.effective >= generation)
    }

    /// Decides about all targets. Nothing is changed but that holders are told to release.
    pub(super) fn round(&mut self, groups: &[Group], wanted: &[Wanted], now: Duration) -> Round {
        let eligible: Vec<(Vec<AgentId>, Vec<AgentId>)> = groups
            .iter()
            .map(|group| {
                let all = self.eligible(group);
                let is_settled = |agent: &&AgentId| {
                    self.agents
                        .get(*agent)
                        .is_some_and(|presence| now >= presence.since + SETTLED_AFTER)
                };
                let settled = all.iter().filter(is_settled).copied().collect();
                (all, settled)
            })
            .collect();
        let mut round = Round::default();
        let mut releases = Vec::new();
        let mut known = std::collections::HashSet::with_capacity(wanted.len());
        for one in wanted {
            known.insert(&one.key);
            let Some((all, settled)) = eligible.get(one.group) else { continue };
            match self.holders.get(&one.key) {
                None => {
                    if let Some(agent) = self.best(all, &one.key) {
                        round.moves.push((one.key.clone(), Some(agent)));
                        round.touched.insert(agent);
                    }
                }
                Some(holder) if self.is_free(holder, now) => {
                    let next = self.best(all, &one.key);
                    round.touched.extend(next);
                    round.touched.insert(holder.agent);
                    round.moves.push((one.key.clone(), next));
                }
                Some(holder) => {
                    // A living holder is relieved only by an agent that has settled, or when it may no longer read.
                    let may_stay = all.contains(&holder.agent);
                    let mut candidates = settled.clone();
                    if may_stay && !candidates.contains(&holder.agent) {
                        candidates.push(holder.agent);
                    }
                    let next = if may_stay { self.best(&candidates, &one.key) } else { None };
                    let is_connected = self
                        .agents
                        .get(&holder.agent)
                        .is_some_and(|presence| presence.is_connected);
                    if holder.hold == Hold::Reads && is_connected && next != Some(holder.agent) {
                        releases.push(one.key.clone());
                    }
                }
            }
        }
        for (key, holder) in &self.holders {
            if known.contains(key) {
                continue;
            }
            if self.is_free(holder, now) {
                round.moves.push((key.clone(), None));
                round.touched.insert(holder.agent);
            } else if holder.hold == Hold::Reads {
                releases.push(key.clone());
            }
        }
        for key in releases {
            if let Some(holder) = self.holders.get_mut(&key) {
                holder.hold = Hold::Releases(0);
                round.touched.insert(holder.agent);
            }
        }
        round
    }

    /// Carries out what was written down.
    pub(super) fn carry_out(&mut self, round: &Round) {
        for (key, agent) in &round.moves {
            match agent {
                Some(agent) => {
                    self.holders.insert(key.clone(), Holder { agent: *agent, hold: Hold::Reads });
                }
                None => {
                    self.holders.remove(key);
                }
            }
        }
    }

    /// An agent is told this generation: what it is to release is released with it.
    pub(super) fn told(&mut self, agent: AgentId, generation: u64) {
        if let Some(presence) = self.agents.get_mut(&agent) {
            presence.generation = generation;
        }
        for holder in self.holders.values_mut() {
            if holder.agent == agent && holder.hold == Hold::Releases(0) {
                holder.hold = Hold::Releases(generation);
            }
        }
    }

    /// Whether an agent still has to confirm a release, so that its beat is worth a round.
    pub(super) fn is_releasing(&self, agent: AgentId) -> bool {
        self.holders
            .values()
            .any(|holder| holder.agent == agent && matches!(holder.hold, Hold::Releases(_)))
    }
}

#[cfg(test)]
mod tests;
