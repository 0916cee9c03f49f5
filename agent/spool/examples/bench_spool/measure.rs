//! One run of one product, and the arithmetic of the figures.

use std::{fmt, thread, time::Duration};

use environment::{Clock, Randomness, SeededRandomness, SystemClock};

use super::{Failure, engines::Engine};

/// Writer threads.
const WRITERS_COUNT: usize = 4;
/// The size of a record.
const RECORD_BYTES: usize = 512;
/// Records that a writer hands over before it waits for them.
const WINDOW_RECORDS: usize = 1_024;

/// How much a run does.
pub(crate) struct Work {
    /// Windows of each writer.
    windows_count: usize,
}

impl Work {
    /// 256 MiB of records.
    pub(crate) const fn full() -> Self {
        Self { windows_count: 128 }
    }

    /// 64 MiB of records.
    pub(crate) const fn quick() -> Self {
        Self { windows_count: 32 }
    }
}

/// What a run gave.
#[derive(Clone)]
pub(crate) struct Figures {
    append_mib_s: f64,
    records_s: f64,
    ack_p99_ms: f64,
    cpu_us_per_record: f64,
}

/// A figure's name and how to get it.
type Field = (&'static str, fn(&Figures) -> f64);

impl Figures {
    /// The figures by name.
    pub(crate) const FIELDS: [Field; 4] = [
        ("append_mib_s", |figures| figures.append_mib_s),
        ("records_s", |figures| figures.records_s),
        ("ack_p99_ms", |figures| figures.ack_p99_ms),
        ("cpu_us_per_record", |figures| figures.cpu_us_per_record),
    ];
}

impl fmt::Display for Figures {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "{:.1} MiB/s, {:.0} records/s, ack p99 {:.2} ms, {:.2} us CPU per record",
            self.append_mib_s, self.records_s, self.ack_p99_ms, self.cpu_us_per_record
        )
    }
}

/// Lets the writers work and measures them.
pub(crate) fn run(engine: &dyn Engine, work: &Work) -> Result<Figures, Failure> {
    let clock = SystemClock;
    let cpu_before = cpu_seconds();
    let start = clock.monotonic();
    let shares: Vec<Result<Vec<Duration>, Failure>> = thread::scope(|scope| {
        let writers: Vec<_> = (0..WRITERS_COUNT)
            .map(|number| scope.spawn(move || write(engine, work, number)))
            .collect();
        writers
            .into_iter()
            .map(|writer| writer.join().unwrap_or_else(|_| Err("a writer has panicked".into())))
            .collect()
    });
    let seconds = (clock.monotonic() - start).as_secs_f64();
    let cpu_us = (cpu_seconds() - cpu_before) * 1e6;
    let mut waits = Vec::new();
    for share in shares {
        waits.extend(share?);
    }
    waits.sort_unstable();
    let count = number(waits.len());
    let p99 = waits.get(waits.len() * 99 / 100).copied().unwrap_or_default();
    Ok(Figures {
        append_mib_s: count * number(RECORD_BYTES) / f64::from(1 << 20) / seconds,
        records_s: count / seconds,
        ack_p99_ms: p99.as_secs_f64() * 1e3,
        cpu_us_per_record: cpu_us / count,
    })
}

/// One writer; tells for each record how long it took from handing over until it was known to be durable.
fn write(engine: &dyn Engine, work: &Work, seed: usize) -> Result<Vec<Duration>, Failure> {
    let clock = SystemClock;
    let mut writer = engine.writer();
    // Bytes that cannot be compressed, the same for every product.
    let mut pool = vec![0; RECORD_BYTES * WINDOW_RECORDS];
    SeededRandomness::new(u64::try_from(seed)?).fill(&mut pool);
    let mut waits = Vec::with_capacity(work.windows_count * WINDOW_RECORDS);
    let mut handed_over = Vec::with_capacity(WINDOW_RECORDS);
    for _ in 0..work.windows_count {
        for record in pool.chunks_exact(RECORD_BYTES) {
            handed_over.push(clock.monotonic());
            writer.write(record)?;
        }
        writer.wait()?;
        let now = clock.monotonic();
        waits.extend(handed_over.drain(..).map(|moment| now - moment));
    }
    Ok(waits)
}

/// User and system time of this process with its threads.
fn cpu_seconds() -> f64 {
    #[expect(unsafe_code, reason = "the standard library does not tell the CPU time")]
    // SAFETY: `usage` is a plain structure for which zeros are valid; the call fills it and keeps no pointer.
    let usage = unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        libc::getrusage(libc::RUSAGE_SELF, &raw mut usage);
        usage
    };
    [usage.ru_utime, usage.ru_stime].into_iter().map(seconds).sum()
}

#[expect(clippy::cast_precision_loss, reason = "microseconds of a run are far below 2^52")]
fn seconds(time: libc::timeval) -> f64 {
    time.tv_sec as f64 + time.tv_usec as f64 / 1e6
}

#[expect(clippy::cast_precision_loss, reason = "counts of a run are far below 2^52")]
const fn number(count: usize) -> f64 {
    count as f64
}

/// The middle value.
pub(crate) fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    rounded(sorted.get(sorted.len() / 2).copied().unwrap_or_default())
}

/// The least and the largest value.
pub(crate) fn spread(values: &[f64]) -> [f64; 2] {
    let least = values.iter().copied().min_by(f64::total_cmp).unwrap_or_default();
    let most = values.iter().copied().max_by(f64::total_cmp).unwrap_or_default();
    [rounded(least), rounded(most)]
}

fn rounded(value: f64) -> f64 {
    (value * 1_000.0).round() / 1_000.0
}

/// Cores, memory, processor and kernel.
pub(crate) fn machine() -> String {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let cores = thread::available_parallelism().map_or(0, usize::from);
    let field = |text: &str, name: &str| {
        let line = text.lines().find(|line| line.starts_with(name)).unwrap_or_default();
        line.split(':').nth(1).unwrap_or("unknown").trim().to_owned()
    };
    let processor = field(&read("/proc/cpuinfo"), "model name");
    let memory = field(&read("/proc/meminfo"), "MemTotal");
    let kernel = read("/proc/sys/kernel/osrelease");
    format!("{cores} cores, {memory} memory, {processor}, Linux {}", kernel.trim())
}
