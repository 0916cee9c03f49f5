//! Order, partition and repetition: small estates that are delivered in many ways and have to end as one graph.
//!
//! Each small estate has more than fifty observations from three sources. A part of it has to be brought together
//! by an observation that ties two others, a part has to be taken apart by one that contradicts, and a part must
//! never be brought together although nearly everything agrees.

use super::asset::PARTS;
use super::product::Product;
use super::values::{self, draw};
use super::{ASSETS_MAX, Class, Sighting};
use model::{KeyType, SourceId, Timestamp};
use reconcile::Error;
use std::collections::BTreeMap;

/// Hosts of a small estate that nothing special happens to but a new name.
const PLAIN_HOSTS: u64 = 8;

/// When the first observation was made.
const BEGIN: i64 = 1_702_000_000;

/// One in so many observations is delivered twice.
const REPEATED_ONE_IN: usize = 8;

/// The most observations that are decided together.
const BATCH_MAX: u64 = 9;

type Keys = Vec<(KeyType, String)>;

/// A way in which an estate's observations are delivered.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// Which observation, and whether the decision ends after it.
    pub steps: Vec<(usize, bool)>,
}

/// Whether an older observation of a record may be delivered after a newer one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Versions {
    /// It may.
    AnyOrder,
    /// Never, as within the chain of one agent's spool.
    InOrder,
}

impl Delivery {
    /// Everything once, in the order of time, decided one by one.
    #[must_use]
    pub fn plain(count: usize) -> Self {
        Self { steps: (0..count).map(|index| (index, true)).collect() }
    }

    /// A way drawn from the seed: another order, some observations twice, other partitions.
    #[must_use]
    pub fn drawn(seed: u64, seen: &[Sighting], versions: Versions) -> Self {
        let mut at = 0;
        let mut next = |bound: usize| {
            at += 1;
            let bound = u64::try_from(bound.max(1)).unwrap_or(1);
            usize::try_from(draw(seed, at, 77) % bound).unwrap_or(0)
        };
        let mut order: Vec<usize> = (0..seen.len()).collect();
        for _ in 0..seen.len() / REPEATED_ONE_IN {
            order.push(next(seen.len()));
        }
        for place in (1..order.len()).rev() {
            order.swap(place, next(place + 1));
        }
        if versions == Versions::InOrder {
            order = in_order(&order, seen);
        }
        let mut left = 0_u64;
        let steps = order.into_iter().map(|index| {
            if left == 0 {
                at += 1;
                left = 1 + draw(seed, at, 78) % BATCH_MAX;
            }
            left -= 1;
            (index, left == 0)
        });
        Self { steps: steps.collect() }
    }

    /// The hash of the graph that this delivery ends in.
    ///
    /// # Errors
    /// When the product refuses an observation.
    pub fn graph_hash(&self, seen: &[Sighting]) -> Result<u64, Error> {
        Ok(self.run(seen)?.graph_hash())
    }

    /// The product after this delivery.
    ///
    /// # Errors
    /// When the product refuses an observation.
    pub fn run(&self, seen: &[Sighting]) -> Result<Product, Error> {
        let mut product = Product::new();
        for (index, ends) in &self.steps {
            if let Some(seen) = seen.get(*index) {
                product.take(seen)?;
            }
            if *ends {
                product.decide()?;
            }
        }
        product.decide()?;
        Ok(product)
    }
}

/// Gives the places of each record to its observations in the order of time.
fn in_order(order: &[usize], seen: &[Sighting]) -> Vec<usize> {
    let record = |index: &usize| seen.get(*index).map(|seen| seen.record);
    let mut waiting: BTreeMap<Option<u64>, Vec<usize>> = BTreeMap::new();
    for index in order {
        waiting.entry(record(index)).or_default().push(*index);
    }
    for indices in waiting.values_mut() {
        // The latest first, because they are taken from the end.
        indices.sort_unstable_by_key(|index| {
            std::cmp::Reverse((seen.get(*index).map(|seen| seen.at), *index))
        });
    }
    order.iter().filter_map(|index| waiting.get_mut(&record(index)).and_then(Vec::pop)).collect()
}

/// A small estate.
#[derive(Clone, Copy, Debug)]
pub struct Small {
    seed: u64,
}

impl Small {
    /// The small estate of that seed.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self { seed }
    }

    fn draw(self, host: u64, what: u64) -> u64 {
        draw(self.seed, ASSETS_MAX + host, what)
    }

    fn uuid(self, host: u64) -> Keys {
        vec![(KeyType::SmbiosUuid, values::uuid(self.draw(host, 1), self.draw(host, 2)))]
    }

    fn installation(self, host: u64) -> Keys {
        vec![
            (KeyType::MachineId, values::machine_id(self.draw(host, 3), self.draw(host, 4))),
            (KeyType::SshHostKey, values::fingerprint(self.draw(host, 5))),
        ]
    }

    fn macs(self, host: u64) -> Keys {
        let first = self.draw(0, 6) % 1_000_000 + host * 2;
        [first, first + 1].map(|port| (KeyType::MacAddress, values::mac("3c:ec:ef", port))).into()
    }

    fn names(self, name: &str) -> Keys {
        let name = format!("{name}-{}", self.seed % 1000);
        vec![(KeyType::Fqdn, format!("{name}.example.net")), (KeyType::HostName, name)]
    }

    fn seen(self, collector: &str, host: u64, when: i64, keys: &[Keys]) -> Sighting {
        // An agent describes one host, so it is a source of its own; the others look at many.
        let target = if collector == "host" { format!("agent-{host}") } else { "site-0".into() };
        let source = SourceId { collector: collector.into(), target };
        let native_key = format!("host-{host}");
        let record = Sighting::record_of(&source, &native_key);
        Sighting {
            record,
            device: record,
            source,
            native_key,
            class: Class::Host,
            site: 0,
            at: Timestamp::from_seconds(BEGIN + when),
            truth: (ASSETS_MAX + host) * PARTS,
            vendor: "Dell Inc.",
            identifiers: keys.concat(),
            description: values::pick(
                self.draw(host, 7 + when.unsigned_abs() % 3),
                &["Debian GNU/Linux 12", "Debian", "Linux"],
            ),
            runs_on: None,
        }
    }

    /// A host that three sources see twice, under another name the second time.
    fn plain(self, host: u64, out: &mut Vec<Sighting>) {
        for (round, suffix) in [(0, ""), (1_000, "b")] {
            let names = self.names(&format!("plain{host}{suffix}"));
            let when = round + i64::try_from(host).unwrap_or(0) * 10;
            let (uuid, macs) = (self.uuid(host), self.macs(host));
            let installation = self.installation(host);
            let agent = [uuid.clone(), installation.clone(), macs.clone(), names.clone()];
            let mut hardware = self.seen("host", host, when, &[uuid]);
            hardware.class = Class::Hardware;
            hardware.native_key.push_str("/hardware");
            hardware.record = Sighting::record_of(&hardware.source, &hardware.native_key);
            let mut agent = self.seen("host", host, when, &agent);
            agent.runs_on = Some(hardware.native_key.clone());
            out.extend([agent, hardware]);
            out.push(self.seen(
                "ssh",
                host,
                when + 1,
                &[installation, macs.clone(), names.clone()],
            ));
            out.push(self.seen("snmp", host, when + 2, &[macs, names]));
        }
    }

    /// The observations, in the order of time.
    #[must_use]
    pub fn sightings(self) -> Vec<Sighting> {
        let mut seen = Vec::new();
        for host in 0..PLAIN_HOSTS {
            self.plain(host, &mut seen);
        }
        let [merged, original, double, first, second] = [0, 1, 2, 3, 4].map(|n| PLAIN_HOSTS + n);
        // To be merged: the agent ties what SSH and SNMP see.
        let names = self.names("merged");
        // What clones share is never enough alone, so that the name is needed too.
        seen.push(self.seen("ssh", merged, 100, &[self.installation(merged), names.clone()]));
        seen.push(self.seen("snmp", merged, 101, &[self.macs(merged)]));
        let all = [self.uuid(merged), self.installation(merged), self.macs(merged), names];
        seen.push(self.seen("host", merged, 500, &all));
        // To be split: a clone that still has everything of its image, until its UUID is read.
        let (image, names) = (self.installation(original), self.names("image"));
        let agent = [self.uuid(original), self.macs(original), image.clone(), names.clone()];
        seen.push(self.seen("host", original, 110, &agent));
        seen.push(self.seen("ssh", double, 111, &[image.clone(), names.clone()]));
        seen.push(self.seen("ssh", double, 600, &[self.uuid(double), image, names]));
        // Never one: two machines with one image and one name, but with different hardware.
        let (image, names) = (self.installation(first), self.names("twin"));
        for (collector, host, when) in [("host", first, 120), ("ssh", second, 121)] {
            let keys = [self.uuid(host), self.macs(host), image.clone(), names.clone()];
            seen.push(self.seen(collector, host, when, &keys));
        }
        seen.sort_by_key(|seen| seen.at);
        seen
    }
}

/// Which of the three special parts a product got right: merged, split, kept apart.
#[must_use]
pub fn cases_right(product: &Product, seen: &[Sighting]) -> [bool; 3] {
    let items = |number: u64| -> Vec<Option<u64>> {
        let truth = (ASSETS_MAX + PLAIN_HOSTS + number) * PARTS;
        seen.iter()
            .filter(|seen| seen.truth == truth)
            .map(|seen| product.item_of(seen.record))
            .collect()
    };
    let are_apart = |one: u64, other: u64| {
        let other = items(other);
        items(one).iter().all(|item| !other.contains(item))
    };
    let merged = items(0);
    [merged.iter().all(|item| Some(item) == merged.first()), are_apart(1, 2), are_apart(3, 4)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn a_small_estate_has_fifty_observations_from_three_sources() {
        let seen = Small::new(4).sightings();
        assert!(seen.len() >= 50, "{}", seen.len());
        let sources: BTreeSet<&str> =
            seen.iter().map(|seen| seen.source.collector.as_str()).collect();
        assert_eq!(sources.len(), 3);
    }

    #[test]
    fn a_delivery_brings_everything_and_something_twice() {
        let seen = Small::new(4).sightings();
        let drawn = Delivery::drawn(9, &seen, Versions::AnyOrder);
        let brought: BTreeSet<usize> = drawn.steps.iter().map(|(index, _)| *index).collect();
        assert_eq!(brought.len(), seen.len());
        assert!(drawn.steps.len() > seen.len());
    }

    #[test]
    fn versions_in_order_never_bring_an_older_one_after_a_newer_one() {
        let seen = Small::new(4).sightings();
        for seed in 0..50 {
            let drawn = Delivery::drawn(seed, &seen, Versions::InOrder);
            let mut last: BTreeMap<u64, Timestamp> = BTreeMap::new();
            for (index, _) in &drawn.steps {
                let before = last.insert(seen[*index].record, seen[*index].at);
                assert!(before.is_none_or(|before| before <= seen[*index].at));
            }
            assert_eq!(last.len(), seen.iter().map(|s| s.record).collect::<BTreeSet<_>>().len());
        }
    }

    #[test]
    fn the_same_delivery_ends_in_the_same_graph_and_another_estate_in_another() {
        let (one, other) = (Small::new(4).sightings(), Small::new(5).sightings());
        let hash = |seen: &[Sighting]| Delivery::plain(seen.len()).graph_hash(seen).unwrap();
        assert_eq!(hash(&one), hash(&one));
        assert_ne!(hash(&one), hash(&other));
    }
}
