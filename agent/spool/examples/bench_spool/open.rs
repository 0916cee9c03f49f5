//! Opening a backlog of a gibibyte, each time in a process of its own, so that its memory can be compared.

#![expect(clippy::print_stdout, reason = "the report goes to the output")]

use std::{
    path::{Path, PathBuf},
    process::{Command, ExitCode},
};

use environment::{Clock, Randomness, SeededRandomness, SystemClock};
use spool::Priority;

use super::{Failure, engines::open_spool};

/// The size of the backlog.
const BACKLOG_BYTES: usize = 1 << 30;
/// The size of its records.
const RECORD_BYTES: usize = 4 << 10;
/// Records between two waits while it is laid down.
const WINDOW_RECORDS: usize = 1_024;

/// One opening.
pub(crate) struct Opened {
    pub(crate) milliseconds: f64,
    pub(crate) rss_delta_mb: f64,
}

/// Lays the backlog down and opens it several times.
pub(crate) fn measure(folder: &Path, runs: usize) -> Result<Vec<Opened>, Failure> {
    let path = folder.join("backlog");
    lay_down(&path)?;
    (0..runs)
        .map(|_| {
            let output =
                Command::new(std::env::current_exe()?).arg("--open-backlog").arg(&path).output()?;
            let text = String::from_utf8(output.stdout)?;
            let mut numbers = text.split_whitespace().map(str::parse::<f64>);
            let (Some(Ok(milliseconds)), Some(Ok(rss_delta_mb))) = (numbers.next(), numbers.next())
            else {
                return Err(String::from_utf8_lossy(&output.stderr).into());
            };
            eprintln!("open: {milliseconds:.2} ms, {rss_delta_mb:.2} MB more memory");
            Ok(Opened { milliseconds, rss_delta_mb })
        })
        .collect()
}

fn lay_down(path: &Path) -> Result<(), Failure> {
    let spool = open_spool(path)?;
    let mut record = vec![0; RECORD_BYTES];
    SeededRandomness::new(1).fill(&mut record);
    for _ in 0..BACKLOG_BYTES / RECORD_BYTES / WINDOW_RECORDS {
        let mut last = None;
        for _ in 0..WINDOW_RECORDS {
            last = Some(spool.submit_blocking(Priority::Inventory, &record)?);
        }
        if let Some(last) = last {
            last.wait_blocking()?;
        }
    }
    Ok(())
}

/// The child: opens, reads the first record as a proof that the spool is usable, and tells time and memory.
pub(crate) fn child(path: Option<PathBuf>) -> ExitCode {
    match path.ok_or_else(|| "no folder given".into()).and_then(|path| open_once(&path)) {
        Ok(opened) => {
            println!("{} {}", opened.milliseconds, opened.rss_delta_mb);
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn open_once(path: &Path) -> Result<Opened, Failure> {
    let clock = SystemClock;
    // Touched once before, so that the reading itself is not counted.
    rss_kb()?;
    let before = rss_kb()?;
    let start = clock.monotonic();
    let spool = open_spool(path)?;
    let milliseconds = (clock.monotonic() - start).as_secs_f64() * 1e3;
    let after = rss_kb()?;
    let expected = u64::try_from(BACKLOG_BYTES / RECORD_BYTES)?;
    if spool.statistics().pending() != expected
        || spool.read(Priority::Inventory, 0, 1, 1)?.len() != 1
    {
        return Err("the backlog is not complete".into());
    }
    Ok(Opened { milliseconds, rss_delta_mb: (after - before) * 1_024.0 / 1e6 })
}

/// Resident memory in KiB.
fn rss_kb() -> Result<f64, Failure> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).ok_or("no VmRSS")?;
    Ok(line.split_whitespace().nth(1).ok_or("no figure in VmRSS")?.parse()?)
}
