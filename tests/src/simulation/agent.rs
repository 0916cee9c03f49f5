//! An agent of the simulation: a real spool on a simulated disk, and a sender that repeats what is not acknowledged.

use std::{path::PathBuf, sync::Arc, time::Duration};

use environment::{
    Disk, Randomness, RandomnessExt, SeededRandomness, SimulatedClock, SimulatedDisk,
};
use spool::{Batch, Entry, Error, Log, Options, PerClass, Priority};

use super::oracle::Oracle;

const DIRECTORY: &str = "/spool";
/// After so long without an acknowledgement everything is sent again.
const REPEAT_AFTER: Duration = Duration::from_millis(200);
/// Entries and bytes of a batch.
const BATCH_MAX: (usize, usize) = (12, 16 << 10);
/// How far from the end a flip at the end lies at most.
const FLIP_AT_END_BYTES: u64 = 400;
/// The largest record of the simulation, well below what the smallest quota allows.
const RECORD_BYTES_MAX: u64 = 3_000;

/// How far a class was sent, and until when an acknowledgement is awaited.
#[derive(Debug, Clone, Copy, Default)]
struct Sent {
    through: u64,
    repeat_at: Duration,
}

/// An agent.
#[derive(Debug)]
pub(super) struct Agent {
    pub(super) number: u32,
    pub(super) disk: SimulatedDisk,
    pub(super) log: Log,
    options: Options,
    clock: Arc<SimulatedClock>,
    randomness: Arc<SeededRandomness>,
    sent: PerClass<Sent>,
    records_count: u64,
}

impl Agent {
    pub(super) fn new(
        number: u32,
        seed: u64,
        clock: Arc<SimulatedClock>,
        randomness: Arc<SeededRandomness>,
    ) -> Result<Self, String> {
        let disk = SimulatedDisk::new(seed);
        // Three quotas are small enough to be reached; which class gets the large one depends on the seed.
        let mut options = Options::with_total(DIRECTORY, spool::TOTAL_BYTES_MIN);
        options.segment_bytes = spool::SEGMENT_BYTES_MIN;
        options.reserve_bytes = 32 << 10;
        options.quota_bytes = [64 << 10; 4];
        if let Some(quota) = options.quota_bytes.get_mut(usize::try_from(seed % 4).unwrap_or(0)) {
            *quota = spool::TOTAL_BYTES_MIN;
        }
        let log = open(&options, &disk, &clock, &randomness)?;
        let sent = PerClass::default();
        Ok(Self { number, disk, log, options, clock, randomness, sent, records_count: 0 })
    }

    /// Appends some records of a class and tells the oracle which ones were accepted.
    pub(super) fn append(&mut self, class: Priority, oracle: &mut Oracle) -> Result<(), String> {
        let mut batch = Batch::new();
        let mut payloads = Vec::new();
        for _ in 0..=self.randomness.below(6) {
            self.records_count += 1;
            let mut payload = format!("{}/{}", self.number, self.records_count).into_bytes();
            let limit = if self.randomness.chance(1, 2) { 100 } else { RECORD_BYTES_MAX };
            let filling = usize::try_from(self.randomness.below(limit)).unwrap_or(0);
            let length = payload.len() + filling;
            payload.resize(length, b'.');
            batch.push(&payload);
            payloads.push(payload);
        }
        let Ok(range) = self.log.append(class, &mut batch) else {
            oracle.report.refused += u64::try_from(payloads.len()).unwrap_or(0);
            return Ok(());
        };
        if range.clone().count() != payloads.len() {
            return Err(format!("{} records got the sequences {range:?}", payloads.len()));
        }
        let key = (self.number, self.log.epoch(), class);
        for (seq, payload) in range.zip(&payloads) {
            oracle.accept(key, seq, payload)?;
        }
        Ok(())
    }

    /// What is to be sent now, by class.
    pub(super) fn send(
        &mut self,
        now: Duration,
    ) -> Result<Vec<(Priority, u64, Vec<Entry>)>, String> {
        let mut batches = Vec::new();
        for class in Priority::ALL {
            let committed = self.log.committed(class);
            let sent = self.sent.of_mut(class);
            if sent.through < committed || now >= sent.repeat_at {
                sent.through = committed;
            }
            let Ok(entries) = self.log.read(class, sent.through, BATCH_MAX.0, BATCH_MAX.1) else {
                continue;
            };
            let Some(last) = entries.last().map(Entry::last) else { continue };
            check_order(&entries, sent.through.max(committed))?;
            if sent.through == committed {
                sent.repeat_at = now + REPEAT_AFTER;
            }
            sent.through = last;
            batches.push((class, self.log.epoch(), entries));
        }
        Ok(batches)
    }

    /// Takes an acknowledgement. One from another life of the spool is ignored.
    pub(super) fn acknowledge(
        &mut self,
        class: Priority,
        epoch: u64,
        through: u64,
    ) -> Result<(), String> {
        if epoch != self.log.epoch() {
            return Ok(());
        }
        match self.log.acknowledge(class, through) {
            Err(error @ Error::AheadOfSpool { .. }) => Err(error.to_string()),
            // A disk in trouble: the next acknowledgement says it again.
            Ok(()) | Err(_) => Ok(()),
        }
    }

    /// Starts again after the process or the machine has stopped. With `power_fails_after` the power fails again after
    /// so many changes, which may be before the spool is open.
    pub(super) fn restart(
        &mut self,
        with_power_cut: bool,
        power_fails_after: Option<u64>,
    ) -> Result<(), String> {
        if with_power_cut {
            self.disk.power_cut();
        } else {
            self.disk.process_kill();
        }
        if let Some(operations) = power_fails_after {
            self.disk.fail_power_after(operations);
        }
        self.sent = PerClass::default();
        self.log = open(&self.options, &self.disk, &self.clock, &self.randomness)?;
        Ok(())
    }

    /// Flips bits of a byte of some file; false if there is none.
    pub(super) fn flip(&self) -> bool {
        let Ok(mut names) = self.disk.list(DIRECTORY.as_ref()) else { return false };
        names.sort();
        // Segments matter most, and of them the newest ones of a class.
        if self.randomness.chance(2, 3) {
            let class = Priority::from_number(u8::try_from(self.randomness.below(4)).unwrap_or(0));
            let prefix = format!("{}-", class.map_or("", Priority::name));
            names.retain(|name| name.starts_with(&prefix));
            names.drain(..names.len().saturating_sub(2));
        }
        let choice = self.randomness.below(u64::try_from(names.len()).unwrap_or(0));
        let Some(name) = usize::try_from(choice).ok().and_then(|choice| names.get(choice)) else {
            return false;
        };
        let path = PathBuf::from(DIRECTORY).join(name);
        let length = self.disk.length(&path).unwrap_or(0);
        // Half of the flips hit the end of the file, where damage is hardest to tell from a torn write.
        let reach =
            if self.randomness.chance(1, 2) { length.min(FLIP_AT_END_BYTES) } else { length };
        let from_start = length - reach + self.randomness.below(reach);
        let Ok(offset) = usize::try_from(from_start) else { return false };
        let mask = u8::try_from(1 << self.randomness.below(8)).unwrap_or(1);
        self.disk.flip(&path, offset, mask)
    }
}

fn open(
    options: &Options,
    disk: &SimulatedDisk,
    clock: &Arc<SimulatedClock>,
    randomness: &Arc<SeededRandomness>,
) -> Result<Log, String> {
    let clock = Arc::clone(clock);
    let randomness: &dyn Randomness = &**randomness;
    Log::open(options, Arc::new(disk.clone()), clock, randomness)
        .map_err(|error| format!("the spool does not open: {error}"))
}

/// Entries follow each other without a hole.
fn check_order(entries: &[Entry], after: u64) -> Result<(), String> {
    let mut expected = after + 1;
    for entry in entries {
        if entry.first() != expected || entry.last() < entry.first() {
            return Err(format!(
                "expected entry {expected}, read {}..={}",
                entry.first(),
                entry.last()
            ));
        }
        expected = entry.last() + 1;
    }
    Ok(())
}
