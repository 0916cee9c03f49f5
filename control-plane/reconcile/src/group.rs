//! Grouping: which of the sightings that evidence connects are one item.
//!
//! A pure function of the sightings, of how common their values are and of what people decided: pairs are joined in
//! the order of their evidence, and what is joined speaks with all its keys from then on. Ties go by the sightings'
//! own hashes, so that nothing depends on the order of arrival.

use crate::identity::score;
use crate::keys::KeySet;
use crate::rules::ClassRules;
use model::KeyType;
use model::decision::{Number, WishKind};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, HashMap};

/// What people decided about sightings: these are one, those are not. It outlives every run.
#[derive(Debug, Default)]
pub(crate) struct Wishes {
    /// Everything that was said about a pair, by action; the last one counts.
    said: BTreeMap<(u64, u64), BTreeMap<Number, WishKind>>,
    must: HashMap<u64, BTreeSet<u64>>,
    cannot: HashMap<u64, BTreeSet<u64>>,
}

impl Wishes {
    pub(crate) fn say(&mut self, action: Number, (one, other): (u64, u64), kind: WishKind) {
        let pair = (one.min(other), one.max(other));
        self.said.entry(pair).or_default().insert(action, kind);
        self.settle(pair);
    }

    /// Takes an action back; gives the sightings that it was about.
    pub(crate) fn take_back(&mut self, action: Number) -> BTreeSet<u64> {
        let about = self.said.iter().filter(|(_, said)| said.contains_key(&action));
        let pairs: Vec<(u64, u64)> = about.map(|(pair, _)| *pair).collect();
        for pair in &pairs {
            if let Some(said) = self.said.get_mut(pair) {
                said.remove(&action);
                if said.is_empty() {
                    self.said.remove(pair);
                }
            }
            self.settle(*pair);
        }
        pairs.into_iter().flat_map(|(one, other)| [one, other]).collect()
    }

    /// The number of the next action.
    pub(crate) fn next_action(&self) -> Number {
        let last = self.said.values().filter_map(|said| said.keys().next_back()).max();
        last.map_or(1, |last| last.saturating_add(1))
    }

    /// Lets the last word about a pair count.
    fn settle(&mut self, pair: (u64, u64)) {
        let kind = self.said.get(&pair).and_then(|said| said.values().next_back()).copied();
        let (one, other) = pair;
        for (wishes, counts) in [
            (&mut self.must, kind == Some(WishKind::Must)),
            (&mut self.cannot, kind == Some(WishKind::Cannot)),
        ] {
            for (from, to) in [(one, other), (other, one)] {
                if counts {
                    wishes.entry(from).or_default().insert(to);
                } else if let Some(held) = wishes.get_mut(&from) {
                    held.remove(&to);
                    if held.is_empty() {
                        wishes.remove(&from);
                    }
                }
            }
        }
    }

    pub(crate) fn must(&self, native: u64) -> impl Iterator<Item = u64> + '_ {
        self.must.get(&native).into_iter().flatten().copied()
    }

    pub(crate) fn cannot(&self, native: u64) -> impl Iterator<Item = u64> + '_ {
        self.cannot.get(&native).into_iter().flatten().copied()
    }

    /// Whether two sorted groups must stay apart.
    pub(crate) fn forbids(&self, one: &[u64], other: &[u64]) -> bool {
        !self.cannot.is_empty()
            && one.iter().any(|native| {
                self.cannot.get(native).is_some_and(|apart| {
                    apart.iter().any(|native| other.binary_search(native).is_ok())
                })
            })
    }
}

/// The result: groups of sightings, and pairs of groups that a person should look at.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Grouping {
    /// Sorted sightings of each item.
    pub(crate) groups: Vec<Vec<u64>>,
    /// Indexes of two groups, and the bits that speak for them being one.
    pub(crate) possible: Vec<(usize, usize, i32)>,
}

struct Cluster {
    natives: Vec<u64>,
    keys: Vec<(KeyType, u64)>,
    is_alive: bool,
}

type Pair = (i32, Reverse<u64>, Reverse<u64>, usize, usize);

struct Work<'a> {
    rules: &'a ClassRules,
    wishes: &'a Wishes,
    frequency: &'a mut dyn FnMut(KeyType, u64) -> usize,
    clusters: Vec<Cluster>,
    /// Clusters by the values that they carry; dead ones stay in it.
    by_key: HashMap<u64, Vec<usize>>,
    pairs: BinaryHeap<Pair>,
}

/// Groups sightings, given with their keys.
pub(crate) fn group(
    rules: &ClassRules,
    wishes: &Wishes,
    members: &BTreeMap<u64, &KeySet>,
    frequency: &mut dyn FnMut(KeyType, u64) -> usize,
) -> Grouping {
    if members.len() == 1 {
        return Grouping { groups: vec![members.keys().copied().collect()], possible: Vec::new() };
    }
    let mut work = Work {
        rules,
        wishes,
        frequency,
        clusters: Vec::with_capacity(members.len()),
        by_key: HashMap::new(),
        pairs: BinaryHeap::new(),
    };
    let mut alike: BTreeMap<Vec<(KeyType, u64)>, Vec<u64>> = BTreeMap::new();
    let mut others = Vec::new();
    for natives in joined_by_wish(members, wishes) {
        let keys: BTreeSet<(KeyType, u64)> = natives
            .iter()
            .filter_map(|native| members.get(native))
            .flat_map(|keys| keys.iter().copied())
            .collect();
        let keys: Vec<(KeyType, u64)> = keys.into_iter().collect();
        if natives.iter().any(|native| wishes.cannot(*native).next().is_some()) {
            others.push((natives, keys));
        } else {
            alike.entry(keys).or_default().extend(natives);
        }
    }
    work.add_alike(alike, members);
    for (natives, keys) in others {
        work.add(natives, keys);
    }
    work.join();
    work.result()
}

/// The sightings that people said are one, as sorted groups; everything else alone.
fn joined_by_wish(members: &BTreeMap<u64, &KeySet>, wishes: &Wishes) -> Vec<Vec<u64>> {
    let natives: Vec<u64> = members.keys().copied().collect();
    joined_by_wish_among(&natives, members, wishes)
}

fn joined_by_wish_among(
    natives: &[u64],
    members: &BTreeMap<u64, &KeySet>,
    wishes: &Wishes,
) -> Vec<Vec<u64>> {
    let mut taken: BTreeSet<u64> = BTreeSet::new();
    let mut groups = Vec::new();
    for native in natives {
        if !taken.insert(*native) {
            continue;
        }
        let mut group = vec![*native];
        let mut at = 0;
        while let Some(one) = group.get(at).copied() {
            at = at.saturating_add(1);
            for other in wishes.must(one) {
                if members.contains_key(&other) && taken.insert(other) {
                    group.push(other);
                }
            }
        }
        group.sort_unstable();
        groups.push(group);
    }
    groups
}

impl Work<'_> {
    /// Adds sightings that carry the same keys as one cluster, where these are enough. They would be joined anyway, for
    /// nothing that either is joined with tells them apart; a crowd of them would cost each pair.
    fn add_alike(
        &mut self,
        alike: BTreeMap<Vec<(KeyType, u64)>, Vec<u64>>,
        members: &BTreeMap<u64, &KeySet>,
    ) {
        for (keys, mut natives) in alike {
            natives.sort_unstable();
            let is_enough = natives.len() > 1
                && score(self.rules, (&keys, &keys), self.frequency) >= self.rules.link_at;
            if natives.len() == 1 || is_enough {
                self.add(natives, keys);
                continue;
            }
            for native in joined_by_wish_among(&natives, members, self.wishes) {
                self.add(native, keys.clone());
            }
        }
    }

    /// Adds a cluster and its pairs with those that share a value with it.
    fn add(&mut self, natives: Vec<u64>, keys: Vec<(KeyType, u64)>) {
        let index = self.clusters.len();
        let mut others: BTreeSet<usize> = BTreeSet::new();
        for (_, hash) in &keys {
            let carriers = self.by_key.entry(*hash).or_default();
            others.extend(carriers.iter().copied());
            carriers.push(index);
        }
        self.clusters.push(Cluster { natives, keys, is_alive: true });
        for other in others {
            if let Some(pair) = self.pair(other, index)
                && pair.0 >= self.rules.review_at
            {
                self.pairs.push(pair);
            }
        }
    }

    /// Two clusters with the evidence for them, in the order in which pairs are joined.
    fn pair(&mut self, one: usize, other: usize) -> Option<Pair> {
        let (mine, theirs) = (self.clusters.get(one)?, self.clusters.get(other)?);
        if !mine.is_alive || !theirs.is_alive || self.wishes.forbids(&mine.natives, &theirs.natives)
        {
            return None;
        }
        let bits = score(self.rules, (&mine.keys, &theirs.keys), self.frequency);
        let (a, b) = (mine.natives.first()?, theirs.natives.first()?);
        Some((bits, Reverse(*a.min(b)), Reverse(*a.max(b)), one, other))
    }

    fn join(&mut self) {
        while let Some((bits, _, _, one, other)) = self.pairs.peek().copied() {
            if bits < self.rules.link_at {
                return;
            }
            self.pairs.pop();
            let is_alive =
                |index: usize| self.clusters.get(index).is_some_and(|cluster| cluster.is_alive);
            if !is_alive(one) || !is_alive(other) {
                continue;
            }
            let (mut natives, mut keys) = (Vec::new(), Vec::new());
            for index in [one, other] {
                if let Some(cluster) = self.clusters.get_mut(index) {
                    cluster.is_alive = false;
                    natives.append(&mut cluster.natives);
                    keys.append(&mut cluster.keys);
                }
            }
            natives.sort_unstable();
            keys.sort_unstable();
            keys.dedup();
            self.add(natives, keys);
        }
    }

    fn result(self) -> Grouping {
        let mut alive: Vec<(usize, Vec<u64>)> = Vec::new();
        for (index, cluster) in self.clusters.into_iter().enumerate() {
            if cluster.is_alive {
                alive.push((index, cluster.natives));
            }
        }
        alive.sort_by(|one, other| one.1.cmp(&other.1));
        let places: HashMap<usize, usize> =
            alive.iter().enumerate().map(|(place, (index, _))| (*index, place)).collect();
        let mut possible: Vec<(usize, usize, i32)> = self
            .pairs
            .into_iter()
            .filter_map(|(bits, _, _, one, other)| {
                let (one, other) = (*places.get(&one)?, *places.get(&other)?);
                Some((one.min(other), one.max(other), bits))
            })
            .collect();
        possible.sort_unstable();
        Grouping { groups: alive.into_iter().map(|(_, natives)| natives).collect(), possible }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::Rules;

    type Sighting = (u64, &'static [(KeyType, u64)]);

    fn grouped(sightings: &[Sighting], wishes: &Wishes) -> Grouping {
        let members: BTreeMap<u64, &KeySet> = sightings.iter().copied().collect();
        group(Rules::built_in().of("host"), wishes, &members, &mut |_, _| 1)
    }

    const UUID: KeyType = KeyType::SmbiosUuid;
    const BOARD: KeyType = KeyType::BoardSerial;
    const MAC: KeyType = KeyType::MacAddress;
    const NAME: KeyType = KeyType::Fqdn;

    #[test]
    fn what_two_sightings_know_together_recognizes_a_third() {
        let sightings: [Sighting; 3] = [
            (1, &[(UUID, 10), (MAC, 20)]),
            (2, &[(UUID, 10), (NAME, 30)]),
            (3, &[(MAC, 20), (MAC, 21), (NAME, 30)]),
        ];
        let found = grouped(&sightings, &Wishes::default());
        assert_eq!(found.groups, [vec![1, 2, 3]]);
        let [one, _, three] = sightings;
        let found = grouped(&[one, three], &Wishes::default());
        assert_eq!(found, Grouping { groups: vec![vec![1], vec![3]], possible: vec![(0, 1, 20)] });
    }

    #[test]
    fn one_without_a_serial_number_joins_no_two_that_contradict_each_other() {
        let sightings: [Sighting; 3] = [
            (1, &[(UUID, 10), (BOARD, 40), (MAC, 20)]),
            (2, &[(MAC, 20), (MAC, 21)]),
            (3, &[(UUID, 11), (BOARD, 41), (MAC, 20), (MAC, 21)]),
        ];
        let found = grouped(&sightings, &Wishes::default());
        assert_eq!(found.groups, [vec![1], vec![2, 3]]);
    }

    #[test]
    fn people_have_the_last_word() {
        let same: [Sighting; 2] = [(1, &[(UUID, 10)]), (2, &[(UUID, 10)])];
        let mut wishes = Wishes::default();
        wishes.say(1, (1, 2), WishKind::Cannot);
        assert_eq!(
            grouped(&same, &wishes),
            Grouping { groups: vec![vec![1], vec![2]], possible: Vec::new() }
        );
        let different: [Sighting; 2] = [(1, &[(UUID, 10)]), (2, &[(UUID, 11)])];
        wishes.say(2, (1, 2), WishKind::Must);
        assert_eq!(grouped(&different, &wishes).groups, [vec![1, 2]]);
        wishes.say(3, (1, 2), WishKind::Neither);
        assert_eq!(grouped(&different, &wishes).groups.len(), 2);
        assert_eq!(wishes.next_action(), 4);
        assert_eq!(wishes.take_back(3), BTreeSet::from([1, 2]));
        assert_eq!(grouped(&different, &wishes).groups, [vec![1, 2]]);
    }
}
