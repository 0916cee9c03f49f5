//! The spool without threads: a state machine over files, which the writer thread and the simulation drive alike.
//!
//! Invariants:
//! - The files are the only truth. Sizes, ends and sequences are found again from them at every start.
//! - A segment's range ends where the next segment's begins; a hole in the sequence above the cursor is a gap.
//! - The newest segment of a class is never removed, so that the last sequence given out is never forgotten.
//! - A segment is removed only after the cursor that passed it is durable, or after a gap record has taken its name.
//! - After a failed flush nothing more is written to that segment: what the device holds of it is unknown.
//!
//! It deliberately knows nothing of waiting, waking and grouping; that is the queue's work.

mod acknowledge;
mod append;
mod drop;
mod read;
mod recover;

use std::{
    collections::VecDeque,
    path::{Path, PathBuf},
    sync::Arc,
};

use environment::{Clock, Disk, DiskFile, Lock, Randomness, RandomnessExt, unix_milliseconds};

use crate::{
    entry::Gap,
    error::{DiskTrouble, Error},
    options::{Limits, Options},
    priority::{PerClass, Priority},
    statistics::{ClassStatistics, Statistics},
};

pub use self::append::Batch;
pub(crate) use self::append::Settled;

/// The name of the file that holds the epoch.
pub(crate) const IDENTITY_NAME: &str = "identity";
const IDENTITY_DRAFT_NAME: &str = "identity.tmp";
const GAP_DRAFT_NAME: &str = "gap.tmp";
const LOCK_NAME: &str = "lock";
const RESERVE_NAME: &str = "reserve";
const SEGMENT_SUFFIX: &str = ".segment";

/// The file name of a segment; names sort as their sequences do.
pub(crate) fn segment_name(class: Priority, first: u64) -> String {
    format!("{class}-{first:016x}{SEGMENT_SUFFIX}")
}

/// The class and first sequence of a segment's file name.
pub(crate) fn parse_segment_name(name: &str) -> Option<(Priority, u64)> {
    let (class, first) = name.strip_suffix(SEGMENT_SUFFIX)?.split_once('-')?;
    let class = Priority::from_name(class)?;
    let range = 1..=u64::MAX / 2;
    let first = u64::from_str_radix(first, 16).ok().filter(|first| range.contains(first))?;
    (segment_name(class, first) == name).then_some((class, first))
}

/// The file name of a class's cursor.
pub(crate) fn cursor_name(class: Priority) -> String {
    format!("{class}.cursor")
}

/// One file of a chain.
#[derive(Debug, Clone)]
pub(crate) struct Segment {
    /// The first sequence of its range, as its name says.
    pub(crate) first: u64,
    /// The last sequence it is known to cover; below `first` if it holds no record.
    pub(crate) last: u64,
    /// Where its records end.
    pub(crate) records_end: u64,
    /// The length of the file.
    pub(crate) bytes: u64,
    /// When it was created, 0 if that cannot be read.
    pub(crate) created_ms: u64,
    /// What it reports lost, if it took the place of dropped segments.
    pub(crate) gap: Option<Gap>,
    /// True if its end is marked; the others are walked over at start.
    pub(crate) is_sealed: bool,
}

/// How far a class is acknowledged, as on disk.
#[derive(Debug, Clone, Copy, Default)]
struct Cursor {
    sequence: u64,
    generation: u64,
}

/// Where the next sequential read goes on.
#[derive(Debug)]
struct Hint {
    segment_first: u64,
    expected: u64,
    position: u64,
    file: Arc<dyn DiskFile>,
}

/// The state of one class.
#[derive(Debug)]
struct Chain {
    class: Priority,
    /// By rising first sequence.
    segments: VecDeque<Segment>,
    /// The open file of the newest segment, if records may be added to it.
    active: Option<Arc<dyn DiskFile>>,
    cursor: Cursor,
    /// The sequence of the next record.
    next: u64,
    hint: Option<Hint>,
    /// How often in a row reading has failed.
    read_failures: u32,
    counters: Counters,
}

/// What happened since the spool was opened.
#[derive(Debug, Clone, Copy, Default)]
struct Counters {
    appended: u64,
    rejected: u64,
    dropped_quota: u64,
    corrupt: u64,
    /// Damage up to here is counted already.
    corrupt_through: u64,
}

impl Chain {
    fn new(class: Priority) -> Self {
        Self {
            class,
            segments: VecDeque::new(),
            active: None,
            cursor: Cursor::default(),
            next: 1,
            hint: None,
            read_failures: 0,
            counters: Counters::default(),
        }
    }

    /// The last durable sequence.
    const fn durable(&self) -> u64 {
        self.next - 1
    }

    fn bytes(&self) -> u64 {
        self.segments.iter().map(|segment| segment.bytes).sum()
    }

    /// The last sequence of a segment's range: up to the next segment, or up to the end of the chain.
    fn range_last(&self, index: usize) -> u64 {
        match self.segments.get(index + 1) {
            Some(next) => next.first - 1,
            None => self.durable(),
        }
    }
}

/// The spool without threads.
#[derive(Debug)]
pub struct Log {
    disk: Arc<dyn Disk>,
    clock: Arc<dyn Clock>,
    directory: PathBuf,
    limits: Limits,
    epoch: u64,
    lock: Option<Box<dyn Lock>>,
    /// False for the tools, which change nothing.
    may_write: bool,
    /// True once the folder has been read.
    is_recovered: bool,
    /// True once the identity and the cursors are durable.
    has_identity: bool,
    has_reserve: bool,
    trouble: Option<DiskTrouble>,
    chains: PerClass<Chain>,
}

impl Log {
    /// Opens or creates a spool. A disk that is full, read-only or not there does not fail it: appends do, until the
    /// disk is well again. What fails is what a retry cannot mend: wrong options, a spool in use by another process.
    pub fn open(
        options: &Options,
        disk: Arc<dyn Disk>,
        clock: Arc<dyn Clock>,
        randomness: &dyn Randomness,
    ) -> Result<Self, Error> {
        let mut log = Self::closed(options, disk, clock, true)?;
        log.epoch = randomness.u64().max(1);
        match log.make_ready() {
            Ok(()) => {}
            Err(error @ Error::InUse { .. }) => return Err(error),
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "spool opens in trouble");
                log.note_trouble(&error);
                if !log.is_recovered {
                    // What lies there can be read even if nothing can be written.
                    if let Err(error) = log.recover() {
                        log.note_trouble(&error);
                    }
                }
            }
        }
        Ok(log)
    }

    /// Looks at a spool without a lock and without changing anything, also while an agent uses it.
    pub(crate) fn look(
        directory: &Path,
        disk: Arc<dyn Disk>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, Error> {
        let mut log = Self::closed(&Options::new(directory), disk, clock, false)?;
        log.recover()?;
        Ok(log)
    }

    fn closed(
        options: &Options,
        disk: Arc<dyn Disk>,
        clock: Arc<dyn Clock>,
        may_write: bool,
    ) -> Result<Self, Error> {
        Ok(Self {
            disk,
            clock,
            directory: options.directory.clone(),
            limits: options.limits()?,
            epoch: 0,
            lock: None,
            may_write,
            is_recovered: false,
            has_identity: false,
            has_reserve: false,
            trouble: None,
            chains: PerClass::from_fn(Chain::new),
        })
    }

    /// The number of this spool's life. Another one means that the former records are lost.
    pub const fn epoch(&self) -> u64 {
        self.epoch
    }

    /// The last acknowledged sequence of a class.
    pub const fn committed(&self, class: Priority) -> u64 {
        self.chains.of(class).cursor.sequence
    }

    /// The last durable sequence of a class.
    pub const fn durable(&self, class: Priority) -> u64 {
        self.chains.of(class).durable()
    }

    /// What the spool holds and what happened to it.
    pub fn statistics(&self) -> Statistics {
        let now_ms = unix_milliseconds(self.clock.wall());
        Statistics {
            epoch: self.epoch,
            trouble: self.trouble,
            has_reserve: self.has_reserve,
            classes: PerClass::from_fn(|class| {
                let chain = self.chains.of(class);
                let pending = chain.durable().saturating_sub(chain.cursor.sequence);
                let oldest = (0..chain.segments.len())
                    .find(|index| chain.range_last(*index) > chain.cursor.sequence)
                    .and_then(|index| chain.segments.get(index))
                    .filter(|_| pending > 0);
                ClassStatistics {
                    bytes: chain.bytes(),
                    quota_bytes: *self.limits.quota.of(class),
                    segments: chain.segments.len(),
                    committed: chain.cursor.sequence,
                    durable: chain.durable(),
                    pending,
                    oldest_age_ms_max: oldest
                        .map_or(0, |segment| now_ms.saturating_sub(segment.created_ms)),
                    appended: chain.counters.appended,
                    rejected: chain.counters.rejected,
                    dropped_quota: chain.counters.dropped_quota,
                    corrupt: chain.counters.corrupt,
                }
            }),
        }
    }

    /// The files of a class, and whether it is the newest.
    pub(crate) fn segments(&self, class: Priority) -> impl Iterator<Item = (&Segment, bool)> {
        let segments = &self.chains.of(class).segments;
        (1..).zip(segments).map(|(count, segment)| (segment, count == segments.len()))
    }

    pub(crate) const fn limits(&self) -> &Limits {
        &self.limits
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    fn segment_path(&self, class: Priority, first: u64) -> PathBuf {
        self.path(&segment_name(class, first))
    }

    fn note_trouble(&mut self, error: &Error) {
        if let Error::Disk { source, .. } = error {
            self.trouble = Some(DiskTrouble::of(source));
        }
    }
}
