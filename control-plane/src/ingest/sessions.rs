//! The live streams of agents: who is connected, and how to end or move them.
//!
//! Invariants: one stream for each agent; a stream that was told to end is told within a moment, whatever it is
//! doing; a stream that has ended is not listed. What is kept for an idle agent is small.
//!
//! Deliberately not here: what agents say (`ingest`) and whether they may (`fleet`).

use model::AgentId;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::{Notify, watch};

/// What a stream is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Order {
    /// Go and come back: the control plane stops.
    Drain,
    /// Another stream of the same agent has taken its place.
    Replaced,
    /// The agent was revoked.
    Revoked,
}

/// The ear of one stream.
#[derive(Debug, Default)]
pub struct Orders {
    order: AtomicU8,
    given: Notify,
}

impl Orders {
    fn give(&self, order: Order) {
        let number = match order {
            Order::Drain => 1,
            Order::Replaced => 2,
            Order::Revoked => 3,
        };
        // The stronger order stays.
        self.order.fetch_max(number, Ordering::AcqRel);
        self.given.notify_one();
    }

    /// Waits for an order, and takes it. Safe to drop and call again.
    pub async fn next(&self) -> Order {
        loop {
            match self.order.swap(0, Ordering::AcqRel) {
                1 => return Order::Drain,
                2 => return Order::Replaced,
                3 => return Order::Revoked,
                _ => self.given.notified().await,
            }
        }
    }
}

#[derive(Debug)]
struct Live {
    instance: Box<[u8]>,
    /// Tells streams of one agent apart.
    stream: u64,
    orders: Arc<Orders>,
}

#[derive(Debug)]
struct Inner {
    live: Mutex<(u64, HashMap<AgentId, Live>)>,
    changed: watch::Sender<u64>,
}

/// The registry of live streams. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Sessions {
    inner: Arc<Inner>,
}

impl Default for Sessions {
    fn default() -> Self {
        let inner = Inner { live: Mutex::default(), changed: watch::Sender::new(0) };
        Self { inner: Arc::new(inner) }
    }
}

/// Two processes hold one identity, and both live.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Duplicate;

/// A stream's place in the registry; dropping it takes the stream out.
#[derive(Debug)]
pub struct Place {
    sessions: Sessions,
    agent: AgentId,
    stream: u64,
    orders: Arc<Orders>,
}

impl Place {
    /// What the stream is told.
    #[must_use]
    pub fn orders(&self) -> &Orders {
        &self.orders
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut live = self.sessions.live();
        if live.1.get(&self.agent).is_some_and(|live| live.stream == self.stream) {
            live.1.remove(&self.agent);
            drop(live);
            self.sessions.note_change();
        }
    }
}

impl Sessions {
    fn live(&self) -> MutexGuard<'_, (u64, HashMap<AgentId, Live>)> {
        self.inner.live.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note_change(&self) {
        self.inner.changed.send_modify(|count| *count = count.wrapping_add(1));
    }

    /// Takes a stream in. A stream of the same process, or of one that goes on where the known one is
    /// (`is_successor`), takes its place; any other is a second process with one identity.
    ///
    /// # Errors
    /// [`Duplicate`] when another process with this identity is connected.
    pub fn enter(
        &self,
        agent: AgentId,
        instance: &[u8],
        is_successor: bool,
    ) -> Result<Place, Duplicate> {
        let mut live = self.live();
        if let Some(known) = live.1.get(&agent) {
            if known.instance.as_ref() != instance && !is_successor {
                return Err(Duplicate);
            }
            known.orders.give(Order::Replaced);
        }
        live.0 = live.0.wrapping_add(1);
        let stream = live.0;
        let orders = Arc::new(Orders::default());
        let entry = Live { instance: instance.into(), stream, orders: Arc::clone(&orders) };
        live.1.insert(agent, entry);
        drop(live);
        self.note_change();
        Ok(Place { sessions: self.clone(), agent, stream, orders })
    }

    /// Ends the stream of an agent that was revoked.
    pub fn cut(&self, agent: AgentId) {
        if let Some(live) = self.live().1.get(&agent) {
            live.orders.give(Order::Revoked);
        }
    }

    /// Asks every agent to come back in a while.
    pub fn drain(&self) {
        self.live().1.values().for_each(|live| live.orders.give(Order::Drain));
    }

    /// Whether an agent is connected.
    #[must_use]
    pub fn is_connected(&self, agent: AgentId) -> bool {
        self.live().1.contains_key(&agent)
    }

    /// The agents that are connected, by id.
    #[must_use]
    pub fn connected(&self) -> Vec<AgentId> {
        let mut agents: Vec<AgentId> = self.live().1.keys().copied().collect();
        agents.sort_unstable();
        agents
    }

    /// How many agents are connected.
    #[must_use]
    pub fn count(&self) -> usize {
        self.live().1.len()
    }

    /// A signal at every stream that begins or ends.
    #[must_use]
    pub fn changed(&self) -> watch::Receiver<u64> {
        self.inner.changed.subscribe()
    }
}

impl crate::fleet::LiveStreams for Sessions {
    fn cut(&self, agent: AgentId) {
        Self::cut(self, agent);
    }

    fn is_connected(&self, agent: AgentId) -> bool {
        Self::is_connected(self, agent)
    }

    fn count(&self) -> usize {
        Self::count(self)
    }

    fn changed(&self) -> watch::Receiver<u64> {
        Self::changed(self)
    }

    fn drain(&self) {
        Self::drain(self);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn agent() -> AgentId {
        AgentId::from_bytes([7; 16])
    }

    #[tokio::test]
    async fn a_second_process_with_one_identity_is_a_duplicate_and_the_first_one_stays() {
        let sessions = Sessions::default();
        let _place = sessions.enter(agent(), b"one", false).unwrap();
        assert_eq!(sessions.enter(agent(), b"two", false).err(), Some(Duplicate));
        assert!(sessions.is_connected(agent()));
    }

    #[tokio::test]
    async fn the_same_process_takes_the_place_of_its_lost_stream() {
        let sessions = Sessions::default();
        let first = sessions.enter(agent(), b"one", false).unwrap();
        let second = sessions.enter(agent(), b"one", false).unwrap();
        assert_eq!(first.orders().next().await, Order::Replaced);
        drop(first);
        assert_eq!(sessions.count(), 1);
        drop(second);
        assert_eq!(sessions.count(), 0);
    }

    #[tokio::test]
    async fn a_revocation_reaches_the_stream_even_when_it_was_not_listening() {
        let sessions = Sessions::default();
        let place = sessions.enter(agent(), b"one", false).unwrap();
        sessions.drain();
        sessions.cut(agent());
        assert_eq!(place.orders().next().await, Order::Revoked);
    }
}
