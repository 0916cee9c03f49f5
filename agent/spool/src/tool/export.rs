//! Writes what waits in a spool as JSON lines, one entry a line.
//!
//! The payload is hexadecimal: the spool does not know what it means, and hexadecimal is exact. Reads in small steps.

use std::{
    io::{self, Write},
    path::Path,
};

use super::look;
use crate::{
    entry::Entry,
    error::{Error, ReadError},
    priority::Priority,
};

/// Entries and bytes per step.
const STEP: (usize, usize) = (1_000, 1 << 20);
/// How often the folder is read again because the agent removed what was about to be exported.
const LOOKS_MAX: usize = 1_000;

/// Why the export ended early.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The spool could not be opened.
    #[error("cannot export the spool")]
    Open(#[from] Error),
    /// A segment could not be read.
    #[error("cannot export the spool")]
    Read(#[from] ReadError),
    /// The output could not be written.
    #[error("cannot write the exported records")]
    Write(#[source] io::Error),
}

/// Writes every entry that is not acknowledged, class by class, and tells how many lines it wrote.
pub fn export(directory: &Path, output: &mut dyn Write) -> Result<u64, ExportError> {
    let mut lines = 0;
    for class in Priority::ALL {
        let mut log = look(directory)?;
        let (mut after, mut looks) = (0, 1);
        loop {
            let entries = match log.read(class, after, STEP.0, STEP.1) {
                Ok(entries) => entries,
                Err(error)
                    if error.source.kind() == io::ErrorKind::NotFound && looks < LOOKS_MAX =>
                {
                    looks += 1;
                    log = look(directory)?;
                    continue;
                }
                Err(error) => return Err(error.into()),
            };
            let Some(last) = entries.last() else { break };
            after = last.last();
            for entry in &entries {
                write_line(output, class, entry).map_err(ExportError::Write)?;
                lines += 1;
            }
        }
    }
    output.flush().map_err(ExportError::Write)?;
    Ok(lines)
}

fn write_line(output: &mut dyn Write, class: Priority, entry: &Entry) -> io::Result<()> {
    match entry {
        Entry::Record { seq, payload } => {
            write!(output, "{{\"class\":\"{class}\",\"seq\":{seq},\"payload_hex\":\"")?;
            for byte in payload {
                write!(output, "{byte:02x}")?;
            }
            writeln!(output, "\"}}")
        }
        Entry::Gap(gap) => writeln!(
            output,
            "{{\"class\":\"{class}\",\"gap\":{{\"from\":{},\"to\":{},\"count\":{},\"reason\":\"{}\"}}}}",
            gap.from,
            gap.to,
            gap.count,
            gap.reason.name()
        ),
    }
}
