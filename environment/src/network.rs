//! A simulated network: messages between numbered places that get lost, doubled, delayed and cut off.
//!
//! Invariants: what arrives was sent; what arrives when follows from the seed alone. It carries values, not bytes.
//! There is no real counterpart here: real connections belong to the transport.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use crate::randomness::{Randomness, RandomnessExt};

/// Most messages in flight; beyond it the network loses what is sent, as a full switch does.
const IN_FLIGHT_MAX: usize = 100_000;

/// How bad the network is. Chances are per thousand messages.
#[derive(Debug, Clone, Copy)]
pub struct NetworkFaults {
    /// Messages of a thousand that never arrive.
    pub loss_permille: u64,
    /// Messages of a thousand that arrive twice.
    pub duplicate_permille: u64,
    /// The shortest delay.
    pub delay_min: Duration,
    /// The longest delay; a wide range is what reorders messages.
    pub delay_max: Duration,
}

impl Default for NetworkFaults {
    fn default() -> Self {
        Self {
            loss_permille: 0,
            duplicate_permille: 0,
            delay_min: Duration::from_millis(1),
            delay_max: Duration::from_millis(2),
        }
    }
}

/// Messages in flight between places.
#[derive(Debug)]
pub struct SimulatedNetwork<T> {
    randomness: Arc<dyn Randomness>,
    faults: NetworkFaults,
    /// By time of arrival, then by order of sending.
    in_flight: BTreeMap<(Duration, u64), (u32, T)>,
    sent_count: u64,
    cut_off: BTreeSet<u32>,
}

impl<T: Clone> SimulatedNetwork<T> {
    /// An empty network.
    pub fn new(randomness: Arc<dyn Randomness>, faults: NetworkFaults) -> Self {
        Self {
            randomness,
            faults,
            in_flight: BTreeMap::new(),
            sent_count: 0,
            cut_off: BTreeSet::new(),
        }
    }

    /// Changes how bad the network is from now on.
    pub fn set_faults(&mut self, faults: NetworkFaults) {
        self.faults = faults;
    }

    /// Cuts a place off, or connects it again. Messages to and from it are lost meanwhile, also those in flight.
    pub fn partition(&mut self, place: u32, is_cut_off: bool) {
        if is_cut_off {
            self.cut_off.insert(place);
            self.in_flight.retain(|_, (to, _)| *to != place);
        } else {
            self.cut_off.remove(&place);
        }
    }

    /// Forgets every message in flight to a place, as when its process ends.
    pub fn drop_to(&mut self, place: u32) {
        self.in_flight.retain(|_, (to, _)| *to != place);
    }

    /// Sends a message at the time `now`.
    pub fn send(&mut self, now: Duration, from: u32, to: u32, message: &T) {
        if self.cut_off.contains(&from) || self.cut_off.contains(&to) {
            return;
        }
        if self.randomness.chance(self.faults.loss_permille, 1_000) {
            return;
        }
        let doubled = self.randomness.chance(self.faults.duplicate_permille, 1_000);
        for _ in 0..=u8::from(doubled) {
            if self.in_flight.len() >= IN_FLIGHT_MAX {
                return;
            }
            let delay = self.randomness.duration(self.faults.delay_min, self.faults.delay_max);
            self.sent_count += 1;
            self.in_flight.insert((now + delay, self.sent_count), (to, message.clone()));
        }
    }

    /// The next message that has arrived by the time `now`, with the place it is for.
    pub fn receive(&mut self, now: Duration) -> Option<(u32, T)> {
        let (&(arrival, number), _) = self.in_flight.first_key_value()?;
        if arrival > now {
            return None;
        }
        self.in_flight.remove(&(arrival, number))
    }

    /// When the next message arrives.
    pub fn next_arrival(&self) -> Option<Duration> {
        self.in_flight.first_key_value().map(|(&(arrival, _), _)| arrival)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::randomness::SeededRandomness;

    fn network(faults: NetworkFaults) -> SimulatedNetwork<u32> {
        SimulatedNetwork::new(Arc::new(SeededRandomness::new(3)), faults)
    }

    fn drain(network: &mut SimulatedNetwork<u32>) -> Vec<u32> {
        std::iter::from_fn(|| network.receive(Duration::MAX).map(|(_, message)| message)).collect()
    }

    #[test]
    fn a_message_to_a_place_that_is_cut_off_is_lost_also_in_flight() {
        let mut network = network(NetworkFaults::default());
        network.send(Duration::ZERO, 1, 2, &10);
        network.partition(2, true);
        network.send(Duration::ZERO, 1, 2, &11);
        network.partition(2, false);
        network.send(Duration::ZERO, 1, 2, &12);
        assert_eq!(drain(&mut network), [12]);
    }

    #[test]
    fn a_bad_network_loses_doubles_and_reorders() {
        let mut network = network(NetworkFaults {
            loss_permille: 200,
            duplicate_permille: 200,
            delay_min: Duration::ZERO,
            delay_max: Duration::from_secs(1),
        });
        for message in 0..1_000 {
            network.send(Duration::ZERO, 1, 2, &message);
        }
        let arrived = drain(&mut network);
        let different: BTreeSet<_> = arrived.iter().collect();
        assert!(different.len() < 900 && different.len() > 700);
        assert!(arrived.len() > different.len());
        assert!(!arrived.is_sorted());
    }

    #[test]
    fn nothing_arrives_before_its_time() {
        let mut network = network(NetworkFaults::default());
        network.send(Duration::from_secs(1), 1, 2, &1);
        assert_eq!(network.receive(Duration::from_secs(1)), None);
        assert!(network.next_arrival().is_some_and(|at| at > Duration::from_secs(1)));
    }
}
