//! From the parts of a Desired to what the runner works with. What is malformed is left out with a word in the log;
//! the rest is read.

use collector::{Collector, Credential, Secret};
use model::targets::Window;
use proto::limits::{DESIRED_PARTS_MAX, DESIRED_TARGETS_MAX};
use proto::v1;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

/// Names a target: collector and target's id.
pub(super) type Key = (&'static str, Arc<str>);

/// Bytes of a target's id or address.
const TEXT_BYTES_MAX: usize = 512;
/// The least pause between two looks at one target.
const INTERVAL_LEAST: Duration = Duration::from_secs(1);
/// Targets of one set that are read at the same time.
const CONCURRENCY_MAX: u32 = 4096;

/// How the targets of one set are read.
#[derive(Clone)]
pub struct SetSpec {
    /// Its name.
    pub name: String,
    /// Who reads them.
    pub collector: &'static dyn Collector,
    /// Names of credentials, in the order to try.
    pub credentials: Vec<String>,
    /// Options of the collector.
    pub options: BTreeMap<String, String>,
    /// The port, where it is not the protocol's own.
    pub port: Option<u16>,
    /// How often; as declared when missing.
    pub interval: Option<Duration>,
    /// When looks may begin.
    pub windows: Vec<Window>,
    /// How many are read at the same time.
    pub concurrency: usize,
    /// The pause between the beginnings of two looks.
    pub pace: Option<Duration>,
}

impl std::fmt::Debug for SetSpec {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SetSpec").field("name", &self.name).finish_non_exhaustive()
    }
}

/// One target.
#[derive(Clone, Debug)]
pub struct TargetSpec {
    /// Collector and id.
    pub key: Key,
    /// Where it answers.
    pub address: Arc<str>,
    /// How it is read.
    pub set: Arc<SetSpec>,
}

/// A credential, and what of it is still to be fetched.
#[derive(Clone, Debug)]
pub struct Kept {
    /// What is known of it.
    pub credential: Credential,
    /// Secrets to fetch, by name.
    pub references: BTreeMap<String, String>,
    /// Digest of all that: another one is another credential.
    pub fingerprint: [u8; 16],
}

/// All that is to be read.
#[derive(Debug, Default)]
pub struct Desired {
    /// Its number.
    pub generation: u64,
    /// Digest of its content.
    pub hash: Vec<u8>,
    /// The targets.
    pub targets: Vec<TargetSpec>,
    /// Their credentials.
    pub credentials: HashMap<String, Arc<Kept>>,
}

/// Takes the parts of a Desired together.
#[derive(Debug, Default)]
pub struct Assembly {
    parts: Vec<v1::Desired>,
}

impl Assembly {
    /// Takes a part; all of it once the last has come. A part that does not continue what came before begins anew.
    pub fn take(
        &mut self,
        part: v1::Desired,
        collectors: &[&'static dyn Collector],
    ) -> Option<Desired> {
        let expected = u32::try_from(self.parts.len()).unwrap_or(u32::MAX);
        let continues = part.part == expected
            && self.parts.last().is_none_or(|last| last.generation == part.generation);
        if !continues || self.parts.len() >= DESIRED_PARTS_MAX {
            self.parts.clear();
            if part.part != 0 {
                tracing::warn!(part = part.part, "a part of what is to be read came out of order");
                return None;
            }
        }
        let is_last = part.is_last;
        self.parts.push(part);
        is_last.then(|| whole(std::mem::take(&mut self.parts), collectors))
    }
}

fn whole(parts: Vec<v1::Desired>, collectors: &[&'static dyn Collector]) -> Desired {
    let mut desired = Desired::default();
    let mut sets: HashMap<String, Arc<SetSpec>> = HashMap::new();
    for part in parts {
        desired.generation = part.generation;
        desired.hash = part.hash;
        for credential in part.credentials {
            let kept = kept_of(credential);
            desired.credentials.insert(kept.credential.name.clone(), Arc::new(kept));
        }
        for mut set in part.sets {
            let targets = std::mem::take(&mut set.targets);
            let spec = match sets.get(&set.name) {
                Some(spec) => Arc::clone(spec),
                None => match set_of(set, collectors) {
                    Ok(spec) => {
                        let spec = Arc::new(spec);
                        sets.insert(spec.name.clone(), Arc::clone(&spec));
                        spec
                    }
                    Err(why) => {
                        tracing::warn!(why, "a set of targets is not read");
                        continue;
                    }
                },
            };
            let name = spec.collector.manifest().name;
            let room = DESIRED_TARGETS_MAX.saturating_sub(desired.targets.len());
            let usable = targets.into_iter().filter(|target| {
                let length = target.id.len().max(target.address.len());
                !target.id.is_empty() && !target.address.is_empty() && length <= TEXT_BYTES_MAX
            });
            desired.targets.extend(usable.take(room).map(|target| TargetSpec {
                key: (name, target.id.into()),
                address: target.address.into(),
                set: Arc::clone(&spec),
            }));
        }
    }
    desired
}

fn set_of(set: v1::DesiredSet, collectors: &[&'static dyn Collector]) -> Result<SetSpec, String> {
    let collector = collectors.iter().find(|one| one.manifest().name == set.collector);
    let collector = collector.ok_or_else(|| {
        format!(
            "`{}` needs the collector `{}`, which this build does not have",
            set.name, set.collector
        )
    })?;
    let windows: Result<_, _> = set.windows.iter().map(|text| Window::parse(text)).collect();
    let mut options = set.options;
    if set.is_fragile {
        options.insert("fragile".to_owned(), "true".to_owned());
    }
    let interval = Duration::from_secs(u64::from(set.interval_seconds));
    let pace = Duration::from_secs(60).checked_div(set.looks_per_minute);
    Ok(SetSpec {
        collector: *collector,
        credentials: set.credentials,
        options,
        port: u16::try_from(set.port).ok().filter(|port| *port > 0),
        interval: (set.interval_seconds > 0).then(|| interval.max(INTERVAL_LEAST)),
        windows: windows.map_err(|error| format!("`{}`: {error}", set.name))?,
        concurrency: usize::try_from(set.concurrency.clamp(1, CONCURRENCY_MAX)).unwrap_or(1),
        pace,
        name: set.name,
    })
}

/// Takes a credential over; its secrets are from here on overwritten when they are given back.
pub(super) fn kept_of(wire: v1::DesiredCredential) -> Kept {
    let mut hasher = blake3::Hasher::new();
    for map in [&wire.settings, &wire.secrets, &wire.references] {
        for (name, value) in map {
            for text in [name, value] {
                hasher.update(&text.len().to_le_bytes());
                hasher.update(text.as_bytes());
            }
        }
        hasher.update(&[0xff]);
    }
    let mut fingerprint = [0; 16];
    hasher.finalize_xof().fill(&mut fingerprint);
    let secrets = wire.secrets.into_iter();
    Kept {
        credential: Credential {
            name: wire.name,
            kind: wire.kind,
            settings: wire.settings,
            secrets: secrets.map(|(name, text)| (name, Secret::new(text))).collect(),
        },
        references: wire.references,
        fingerprint,
    }
}
