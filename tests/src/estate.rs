//! The open identity benchmark: made-up estates whose truth is known, and how well records are brought together.
//!
//! An estate is a pure function of a seed and a number of assets: every asset is seen by two to seven sources over
//! several days, each source giving what such a source gives, with the corruption that `rates` fixes. What is
//! scored is a *record*: all that one source says under one native key. Its truth is what it showed when it was
//! last seen.
//!
//! Deliberately not here: printing (the `bench-identity` program), and anything of how the product decides.

pub mod asset;
pub mod baselines;
pub mod files;
pub mod metrics;
pub mod order;
pub mod product;
pub mod rates;
pub mod repair;
pub mod values;
pub mod views;

use asset::Asset;
use model::classes::{hardware, host};
use model::decision::native_hash;
use model::relationships::RUNS_ON;
use model::{IdentityKey, KeyType, Observation, Realm, RelationTarget, SourceId, Timestamp};

/// The most assets of an estate: so many have manufacturers' addresses of their own.
pub const ASSETS_MAX: u64 = 2_000_000;

/// What a record is taken for by its source. Records of different classes are never one item.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// An installed operating system, of a computer, a network device or a management controller.
    Host,
    /// Chassis, board and firmware, or what a hypervisor shows in their place.
    Hardware,
}

impl Class {
    /// Its name, as the catalog and the files write it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Host => "host",
            Self::Hardware => "hardware",
        }
    }
}

/// What one source saw of one thing at one time.
#[derive(Clone, Debug)]
pub struct Sighting {
    /// The record: a hash of source and native key.
    pub record: u64,
    /// What one source reports together, such as a host with its hardware.
    pub device: u64,
    /// Who saw it.
    pub source: SourceId,
    /// What the source calls it.
    pub native_key: String,
    /// What the source takes it for.
    pub class: Class,
    /// The site in whose network names and addresses mean one thing.
    pub site: u64,
    /// When it was seen.
    pub at: Timestamp,
    /// What it really is.
    pub truth: u64,
    /// Vendor of the hardware.
    pub vendor: &'static str,
    /// Identifiers as the source gives them, junk among them.
    pub identifiers: Vec<(KeyType, String)>,
    /// Name of the operating system or the product.
    pub description: &'static str,
    /// The native key of the hardware that the source says it runs on.
    pub runs_on: Option<String>,
}

impl Sighting {
    /// The normalized keys; junk is dropped.
    #[must_use]
    pub fn keys(&self) -> Vec<IdentityKey> {
        self.identifiers.iter().filter_map(|(key_type, value)| self.key(*key_type, value)).collect()
    }

    fn key(&self, key_type: KeyType, value: &str) -> Option<IdentityKey> {
        match key_type {
            KeyType::ChassisSerial | KeyType::BoardSerial => {
                let value = format!("{}/{value}", self.vendor);
                IdentityKey::new(key_type, Realm::everywhere(), &value)
            }
            KeyType::Fqdn | KeyType::HostName | KeyType::IpAddress => {
                IdentityKey::new(key_type, Realm::site(&site_name(self.site)), value)
            }
            _ => IdentityKey::new(key_type, Realm::everywhere(), value),
        }
    }

    /// The sighting as the product's collectors would send it.
    #[must_use]
    pub fn observation(&self) -> Observation {
        let text = |wanted: KeyType| {
            self.identifiers
                .iter()
                .find(|(key_type, _)| *key_type == wanted)
                .map(|(_, v)| v.clone())
        };
        let mut seen = match self.class {
            Class::Host => Observation::of(&host::CLASS, self.native_key.clone())
                .with(&host::OS_NAME, self.description)
                .with_some(&host::FQDN, text(KeyType::Fqdn))
                .with_some(&host::HOST_NAME, text(KeyType::HostName))
                .with_some(&host::MACHINE_ID, text(KeyType::MachineId)),
            Class::Hardware => Observation::of(&hardware::CLASS, self.native_key.clone())
                .with(&hardware::VENDOR, self.vendor)
                .with(&hardware::PRODUCT_NAME, self.description)
                .with_some(&hardware::SERIAL_NUMBER, text(KeyType::ChassisSerial))
                .with_some(&hardware::SYSTEM_UUID, text(KeyType::SmbiosUuid)),
        };
        for key in self.keys() {
            seen = seen.key(Some(key));
        }
        if let Some(hardware) = &self.runs_on {
            seen.relate(RUNS_ON, RelationTarget::Native(hardware.clone()));
        }
        seen
    }

    /// The record by its source and native key, as the files write it.
    #[must_use]
    pub fn record_name(&self) -> String {
        format!("{}:{}:{}", self.source.collector, self.source.target, self.native_key)
    }

    pub(crate) fn record_of(source: &SourceId, native_key: &str) -> u64 {
        native_hash(source, native_key)
    }
}

/// The name of a site.
#[must_use]
pub fn site_name(site: u64) -> String {
    format!("site-{site}")
}

/// An estate: a seed and a number of assets.
#[derive(Clone, Copy, Debug)]
pub struct Estate {
    seed: u64,
    assets: u64,
}

impl Estate {
    /// An estate of so many assets, at most [`ASSETS_MAX`].
    #[must_use]
    pub fn new(seed: u64, assets: u64) -> Self {
        Self { seed, assets: assets.min(ASSETS_MAX) }
    }

    /// How many assets it has.
    #[must_use]
    pub const fn assets(&self) -> u64 {
        self.assets
    }

    /// Calls `take` with every sighting in the order of time: day by day, asset by asset.
    pub fn each(&self, mut take: impl FnMut(&Sighting)) {
        self.each_asset(|seen| seen.iter().for_each(&mut take));
    }

    /// Calls `take` with all sightings of an asset on a day, in the order of time.
    pub fn each_asset(&self, mut take: impl FnMut(&[Sighting])) {
        let mut seen = Vec::new();
        for day in 0..rates::DAYS {
            for index in 0..self.assets {
                views::see(&Asset::new(self.seed, index), day, &mut seen);
                take(&seen);
                seen.clear();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::{BTreeMap, BTreeSet};

    #[test]
    fn the_same_seed_makes_the_same_estate_and_another_one_another() {
        let listing = |seed| {
            let mut lines = Vec::new();
            Estate::new(seed, 60).each(|seen| lines.push(format!("{seen:?}")));
            lines
        };
        assert_eq!(listing(7), listing(7));
        assert_ne!(listing(7), listing(8));
    }

    #[test]
    fn every_asset_is_seen_by_two_to_seven_sources() {
        let mut sources: BTreeMap<u64, BTreeSet<String>> = BTreeMap::new();
        Estate::new(3, 2_000).each(|seen| {
            sources
                .entry(seen.truth / asset::PARTS)
                .or_default()
                .insert(seen.source.collector.clone());
        });
        assert_eq!(sources.len(), 2_000);
        for (asset, sources) in &sources {
            assert!((2..=7).contains(&sources.len()), "{asset}: {sources:?}");
        }
    }

    #[test]
    fn a_record_has_one_class_and_truths_of_one_class() {
        let mut classes: BTreeMap<u64, Class> = BTreeMap::new();
        let mut truths: BTreeMap<u64, Class> = BTreeMap::new();
        Estate::new(5, 3_000).each(|seen| {
            assert_eq!(*classes.entry(seen.record).or_insert(seen.class), seen.class);
            assert_eq!(*truths.entry(seen.truth).or_insert(seen.class), seen.class);
        });
    }
}
