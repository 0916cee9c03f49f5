//! An estate of hosts with their parts, and services that depend on services of the tier below.
//!
//! Each host has fifty items and about 250 relationships. There are six tiers, each half as large as the one above
//! it, as front ends are many and databases few: what lies at the bottom is needed, through others, by thousands.

use super::Item;
use model::catalog::Class;
use model::classes;
use model::decision::{
    Decision, ItemRecord, Number, ObservationRecord, ObservationWrite, RelationRecord, ScopeRecord,
    SourceRecord,
};
use model::{
    AgentId, Coverage, ItemId, ItemState, Name, Observation, ScopeDigest, SourceId, Timestamp,
    relationships,
};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Items of a host, itself and its hardware included.
const ITEMS: u32 = 50;
/// Hosts that one commit brings.
const HOSTS_AT_ONCE: u32 = 200;
const SITES: u32 = 12;
const TIERS: u32 = 6;
/// Units that every other unit of the host needs.
const BASE_UNITS: u32 = 3;
const UNITS: u32 = 12;
/// The last units, which others on other hosts need, and which need such.
const SERVICES: u32 = 3;
const PROCESSES: u32 = 12;
const LISTENERS: u32 = 6;
const PACKAGES: u32 = 10;
/// Packages from which the files of a unit or process came.
const PACKAGES_OF_EACH: u32 = 6;
const INTERFACES: u32 = 3;
const VOLUMES: u32 = 3;
const FILESYSTEMS: u32 = 2;

/// Where the items of each kind begin within a host.
const FIRST_UNIT: u32 = 2;
const FIRST_PROCESS: u32 = FIRST_UNIT + UNITS;
const FIRST_LISTENER: u32 = FIRST_PROCESS + PROCESSES;
const FIRST_PACKAGE: u32 = FIRST_LISTENER + LISTENERS;
const FIRST_INTERFACE: u32 = FIRST_PACKAGE + PACKAGES;
const FIRST_VOLUME: u32 = FIRST_INTERFACE + INTERFACES;
const FIRST_FILESYSTEM: u32 = FIRST_VOLUME + VOLUMES;

const _: () = assert!(FIRST_FILESYSTEM + FILESYSTEMS == ITEMS);

/// Numbers drawn by a seed (splitmix64).
pub(crate) struct Random(u64);

impl Random {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }

    /// A number below `end`.
    pub(crate) fn below(&mut self, end: u32) -> u32 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
        u32::try_from(mixed % u64::from(end.max(1))).unwrap_or(0)
    }
}

/// An estate, made the same from the same seed.
pub(crate) struct Estate {
    pub(crate) hosts: u32,
    pub(crate) seed: u64,
}

impl Estate {
    /// Any item.
    pub(crate) fn item(&self, random: &mut Random) -> Item {
        1 + random.below(self.hosts * ITEMS)
    }

    /// A service of the last tier.
    pub(crate) fn bottom_service(&self, random: &mut Random) -> Item {
        let (first, count) = self.tier(TIERS - 1);
        let host = first + random.below(count);
        host_number(host) + FIRST_UNIT + UNITS - SERVICES + random.below(SERVICES)
    }

    /// The first host of a tier, and how many it has.
    fn tier(&self, tier: u32) -> (u32, u32) {
        // 32, 16, 8, 4, 2 and 1 of 63 parts.
        let first = |tier: u32| u64::from(self.hosts) * (64 - (1 << (TIERS - tier))) / 63;
        let (first, end) = (first(tier), first(tier + 1));
        let number = |host: u64| u32::try_from(host).unwrap_or(u32::MAX);
        (number(first), number(end - first))
    }

    fn tier_of(&self, host: u32) -> u32 {
        (0..TIERS).rev().find(|tier| self.tier(*tier).0 <= host).unwrap_or(0)
    }

    /// The estate as commits.
    pub(crate) fn decisions(&self) -> impl Iterator<Item = Decision> + '_ {
        let mut random = Random::new(self.seed);
        let mut needs = vec![0; usize::try_from(TIERS).unwrap_or(0)];
        let batches = 0..self.hosts.div_ceil(HOSTS_AT_ONCE);
        // Dependencies lead to hosts that come later, so the items stand before all relationships.
        let items = batches.clone().map(|batch| {
            let mut decision = Decision::default();
            self.batch(batch).for_each(|host| items_of(&mut decision, host));
            decision
        });
        items.chain(batches.map(move |batch| {
            let mut decision = Decision::default();
            for host in self.batch(batch) {
                inner_relations(&mut decision, host, &mut random);
                self.outer_relations(&mut decision, host, &mut needs);
            }
            decision
        }))
    }

    fn batch(&self, batch: u32) -> std::ops::Range<u32> {
        let first = batch * HOSTS_AT_ONCE;
        first..(first + HOSTS_AT_ONCE).min(self.hosts)
    }

    /// What the services of a host need of the tier below: each there is needed by as many as any other. `needs`
    /// counts what each tier has needed so far.
    fn outer_relations(&self, decision: &mut Decision, host: u32, needs: &mut [u32]) {
        let tier = self.tier_of(host);
        let Some(needs) = needs.get_mut(usize::try_from(tier).unwrap_or(usize::MAX)) else {
            return;
        };
        if tier + 1 == TIERS {
            return;
        }
        let (first, count) = self.tier(tier + 1);
        // A prime far above the number of hosts scatters without leaving anything out.
        let mut next = |kinds: u32| {
            *needs += 1;
            let place = u64::from(*needs) * 1_000_003 % u64::from((count * kinds).max(1));
            let place = u32::try_from(place).unwrap_or(0);
            (host_number(first + place / kinds), place % kinds)
        };
        let base = host_number(host);
        for service in 0..SERVICES {
            let unit = UNITS - SERVICES + service;
            // Twenty for every nine services.
            for _ in 0..2 + u32::from((host + service) % 9 < 2) {
                let (other, place) = next(SERVICES);
                let other = other + FIRST_UNIT + UNITS - SERVICES + place;
                relate(decision, base + FIRST_UNIT + unit, relationships::DEPENDS_ON, other);
            }
            for _ in 0..3 {
                let (other, place) = next(LISTENERS);
                let other = other + FIRST_LISTENER + place;
                relate(decision, base + FIRST_PROCESS + unit, relationships::CONNECTS_TO, other);
            }
        }
    }
}

/// The number of a host; its items follow.
const fn host_number(host: u32) -> Number {
    1 + host * ITEMS
}

fn class_of(place: u32) -> &'static Class {
    match place {
        0 => &classes::host::CLASS,
        1 => &classes::hardware::CLASS,
        FIRST_UNIT..FIRST_PROCESS => &classes::service_unit::CLASS,
        FIRST_PROCESS..FIRST_LISTENER => &classes::process::CLASS,
        FIRST_LISTENER..FIRST_PACKAGE => &classes::listening_endpoint::CLASS,
        FIRST_PACKAGE..FIRST_INTERFACE => &classes::package::CLASS,
        FIRST_INTERFACE..FIRST_VOLUME => &classes::network_interface::CLASS,
        FIRST_VOLUME..FIRST_FILESYSTEM => &classes::volume::CLASS,
        _ => &classes::filesystem::CLASS,
    }
}

fn moment() -> Timestamp {
    Timestamp::from_seconds(1_700_000_000)
}

fn items_of(decision: &mut Decision, host: u32) {
    let at = moment();
    let source = host + 1;
    let id = SourceId { collector: "host".into(), target: format!("host-{host}") };
    let agent = AgentId::new_v7(at, ten(host));
    let site = format!("site-{:02}", host % SITES);
    decision.sources.push(SourceRecord { number: source, id, agent, site });
    decision.scopes.push(ScopeRecord {
        number: source,
        source,
        name: Name::Borrowed("host"),
        coverage: Coverage::complete(),
        looked_at: at,
        complete_at: Some(at),
        seen_count: u64::from(ITEMS),
        digest: ScopeDigest::default(),
    });
    for place in 0..ITEMS {
        let (number, class) = (host_number(host) + place, class_of(place));
        let title = format!("{}-{host}-{place}", class.name);
        let seen = Observation::of(class, title.clone());
        decision.items.push(ItemRecord {
            number,
            id: Some(ItemId::new_v7(at, ten(number))),
            class: Name::Borrowed(class.name),
            words: title.clone(),
            title: Some(title),
            parent: if place < 2 { 0 } else { host_number(host) },
            local: u64::from(place),
            state: if number.is_multiple_of(101) { ItemState::Missing } else { ItemState::Active },
            state_before: None,
            state_since: at,
            first_seen: at,
        });
        decision.observations.push(ObservationWrite::New(ObservationRecord {
            number,
            native: u64::from(number),
            source,
            scope: source,
            item: number,
            content: u128::from(number),
            first_seen: at,
            changed_at: at,
            absent_at: None,
            seen_at: at,
            seen: Arc::new(seen),
            since: BTreeMap::new(),
        }));
    }
}

/// Ten bytes that no other number has, as random as an id's.
fn ten(number: u32) -> [u8; 10] {
    let mut random = Random::new(u64::from(number));
    let mut bytes = [0; 10];
    for byte in &mut bytes {
        *byte = u8::try_from(random.below(256)).unwrap_or(0);
    }
    if let Some(last) = bytes.last_chunk_mut::<4>() {
        *last = number.to_be_bytes();
    }
    bytes
}

fn relate(decision: &mut Decision, from: Number, verb: &'static str, to: Number) {
    decision.relations_begun.push(RelationRecord {
        from,
        verb: Name::Borrowed(verb),
        to,
        source: 1 + (from - 1) / ITEMS,
        owner: from,
        since: moment(),
        evidence: String::new(),
    });
}

/// What hangs together within a host.
fn inner_relations(decision: &mut Decision, host: u32, random: &mut Random) {
    let base = host_number(host);
    relate(decision, base, relationships::RUNS_ON, base + 1);
    for process in 0..PROCESSES {
        let number = base + FIRST_PROCESS + process;
        relate(decision, number, relationships::RUNS_ON, base);
        relate(decision, number, relationships::INSTANCE_OF, base + FIRST_UNIT + process);
        if process >= PROCESSES - LISTENERS {
            let listener = base + FIRST_LISTENER + process - (PROCESSES - LISTENERS);
            relate(decision, number, relationships::LISTENS_ON, listener);
        }
    }
    for unit in 0..UNITS {
        let number = base + FIRST_UNIT + unit;
        for basic in 0..BASE_UNITS.min(if unit < BASE_UNITS { 0 } else { BASE_UNITS }) {
            relate(decision, number, relationships::REQUIRES, base + FIRST_UNIT + basic);
        }
        for other in [number, base + FIRST_PROCESS + unit] {
            let first = random.below(PACKAGES);
            for step in 0..PACKAGES_OF_EACH {
                let package = base + FIRST_PACKAGE + (first + step) % PACKAGES;
                relate(decision, other, relationships::INSTALLED_BY, package);
            }
        }
    }
    for filesystem in 0..FILESYSTEMS {
        let (from, to) = (base + FIRST_FILESYSTEM + filesystem, base + FIRST_VOLUME + filesystem);
        relate(decision, from, relationships::STORED_ON, to);
    }
    for interface in 1..INTERFACES {
        let (from, to) = (base + FIRST_INTERFACE + interface, base + FIRST_INTERFACE);
        relate(decision, from, relationships::MEMBER_OF, to);
    }
}
