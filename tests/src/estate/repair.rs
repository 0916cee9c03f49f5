//! Time to repair: a wrong decision is made, then the observation arrives that shows it to be wrong.
//!
//! Two kinds, in turn: records of one thing that had nothing in common are tied together by an agent; records of
//! two things that shared a clone's keys are told apart when a source may read the UUID at last. Measured is the
//! decision that the last observation causes, in an estate of a given size.

use super::asset::PARTS;
use super::product::Product;
use super::values::{self, draw};
use super::{ASSETS_MAX, Class, Sighting};
use environment::Clock;
use model::{KeyType, SourceId, Timestamp};
use reconcile::Error;
use std::time::Duration;

/// How many wrong decisions are repaired.
pub const TRIALS: u64 = 50;

/// When the trials begin: after all days of the estate.
const BEGIN: i64 = 1_701_000_000;

/// What became of the trials.
#[derive(Clone, Debug, Default)]
pub struct Repair {
    /// How long the deciding observation took, of those that were repaired.
    pub took: Vec<Duration>,
    /// How many decisions were wrong at first, as they should be.
    pub wrong: u64,
    /// How many of them were right after the deciding observation.
    pub repaired: u64,
}

/// Runs the trials in a product that knows an estate already.
///
/// # Errors
/// When the product refuses an observation.
pub fn run(product: &mut Product, seed: u64, clock: &dyn Clock) -> Result<Repair, Error> {
    let mut repair = Repair::default();
    for trial in 0..TRIALS {
        let case = Case { seed, trial };
        let (before, decisive, is_merge) =
            if trial.is_multiple_of(2) { case.missed() } else { case.mistaken() };
        for seen in &before {
            product.take(seen)?;
        }
        product.decide()?;
        let records: Vec<u64> = before.iter().map(|seen| seen.record).collect();
        let is_one = |product: &Product| {
            let mut items = records.iter().map(|record| product.item_of(*record));
            let first = items.next();
            items.all(|item| Some(item) == first)
        };
        if is_one(product) == is_merge {
            continue;
        }
        repair.wrong += 1;
        let start = clock.monotonic();
        product.take(&decisive)?;
        product.decide()?;
        let took = clock.monotonic().saturating_sub(start);
        if is_one(product) == is_merge {
            repair.repaired += 1;
            repair.took.push(took);
        }
    }
    Ok(repair)
}

struct Case {
    seed: u64,
    trial: u64,
}

impl Case {
    fn draw(&self, what: u64) -> u64 {
        draw(self.seed, ASSETS_MAX + self.trial, what)
    }

    fn uuid(&self, which: u64) -> (KeyType, String) {
        (KeyType::SmbiosUuid, values::uuid(self.draw(1 + which), self.draw(11 + which)))
    }

    fn mac(&self, which: u64) -> (KeyType, String) {
        (KeyType::MacAddress, values::mac("90:e2:ba", self.trial * 8 + which))
    }

    fn installation(&self) -> [(KeyType, String); 2] {
        [
            (KeyType::MachineId, values::machine_id(self.draw(3), self.draw(4))),
            (KeyType::SshHostKey, values::fingerprint(self.draw(5))),
        ]
    }

    fn seen(&self, collector: &str, when: i64, identifiers: Vec<(KeyType, String)>) -> Sighting {
        let target = format!("repair-{collector}");
        let source = SourceId { collector: collector.to_owned(), target };
        let native_key = format!("case-{}", self.trial);
        let record = Sighting::record_of(&source, &native_key);
        Sighting {
            record,
            device: record,
            source,
            native_key,
            class: Class::Host,
            site: 0,
            at: Timestamp::from_seconds(BEGIN + when),
            truth: (ASSETS_MAX + self.trial) * PARTS,
            vendor: "Dell Inc.",
            identifiers,
            description: "Debian GNU/Linux 12",
            runs_on: None,
        }
    }

    /// Two records of one host that share nothing, and the agent that knows both.
    fn missed(&self) -> (Vec<Sighting>, Sighting, bool) {
        // What clones share is never enough alone, so that the name is needed too.
        let mut installation = self.installation().to_vec();
        installation.push((KeyType::Fqdn, format!("missed-{}.example.net", self.trial)));
        let hardware = vec![self.uuid(0), self.mac(0)];
        let all = installation.iter().chain(&hardware).cloned().collect();
        let before = vec![self.seen("ssh", 0, installation), self.seen("hypervisor", 1, hardware)];
        (before, self.seen("host", 2, all), true)
    }

    /// Two records of a machine and its clone that look like one, until the second one's UUID is read.
    fn mistaken(&self) -> (Vec<Sighting>, Sighting, bool) {
        let mut shared = self.installation().to_vec();
        let name = format!("image-{}", self.trial);
        shared.push((KeyType::Fqdn, format!("{name}.example.net")));
        shared.push((KeyType::HostName, name));
        let with = |uuid| shared.iter().cloned().chain([uuid]).collect();
        let before =
            vec![self.seen("host", 0, with(self.uuid(0))), self.seen("ssh", 1, shared.clone())];
        (before, self.seen("ssh", 2, with(self.uuid(1))), false)
    }
}
