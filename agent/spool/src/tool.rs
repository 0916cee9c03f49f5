//! Looking at a spool from outside: check, measure, export, trim.
//!
//! Invariants: all but `trim` change nothing and may run while an agent uses the spool; they name the file that a
//! statement is about and go on after the first bad record; memory stays small whatever the spool holds.

mod export;
mod fsck;

use std::{path::Path, sync::Arc};

use environment::{RealDisk, SystemClock, SystemRandomness};

use crate::{error::Error, log::Log, options::Options, priority::Priority, statistics::Statistics};

pub use export::{ExportError, export};
pub use fsck::{ClassReport, Problem, Report, fsck};

/// What the spool in a folder holds. The quotas shown are the defaults: they are not on disk.
pub fn stat(directory: &Path) -> Result<Statistics, Error> {
    Ok(look(directory)?.statistics())
}

/// Gives up records as if they had been acknowledged. No agent may be using the spool.
pub fn trim(directory: &Path, class: Priority, through: u64) -> Result<Statistics, Error> {
    // Looking first, so that a mistyped folder is not laid down as a new spool.
    look(directory)?;
    let mut log = Log::open(
        &Options::new(directory),
        Arc::new(RealDisk),
        Arc::new(SystemClock),
        &SystemRandomness,
    )?;
    log.acknowledge(class, through)?;
    Ok(log.statistics())
}

fn look(directory: &Path) -> Result<Log, Error> {
    Log::look(directory, Arc::new(RealDisk), Arc::new(SystemClock))
}
