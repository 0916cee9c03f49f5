//! Checks every byte of a spool and tells what is wrong, without mending anything: mending happens by itself when the
//! agent opens the spool, and what is lost becomes a gap record.

use std::{path::Path, sync::Arc};

use environment::{Disk, OpenMode, RealDisk};

use super::look;
use crate::{
    error::{Context, Error},
    format::{FLAG_GAP, SEGMENT_HEADER_BYTES},
    log::{Log, Segment, segment_name},
    priority::{PerClass, Priority},
    scan::{Scanner, Step, Tail, to_u64},
};

/// Most problems that a report lists one by one; the rest is counted.
const PROBLEMS_MAX: usize = 1_000;

/// What was found in one class.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ClassReport {
    /// Its files.
    pub segments: u64,
    /// Whole records, also acknowledged ones that are not removed yet.
    pub records: u64,
    /// Gap records.
    pub gaps: u64,
    /// The bytes of its files.
    pub bytes: u64,
    /// Places where records are damaged.
    pub damages: u64,
}

/// Something that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The file.
    pub file: String,
    /// What is wrong with it, and what follows from that.
    pub description: String,
}

/// What a check found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// The number of the spool's life.
    pub epoch: u64,
    /// By class.
    pub classes: PerClass<ClassReport>,
    /// What is wrong, the first thousand.
    pub problems: Vec<Problem>,
    /// How much is wrong in all.
    pub problems_count: u64,
}

impl Report {
    /// True if nothing is wrong.
    pub const fn is_sound(&self) -> bool {
        self.problems_count == 0
    }

    fn note(&mut self, file: &str, description: String) {
        self.problems_count += 1;
        if self.problems.len() < PROBLEMS_MAX {
            self.problems.push(Problem { file: file.to_owned(), description });
        }
    }
}

/// Checks the spool in a folder.
pub fn fsck(directory: &Path) -> Result<Report, Error> {
    let log = look(directory)?;
    let mut report = Report {
        epoch: log.epoch(),
        classes: PerClass::default(),
        problems: Vec::new(),
        problems_count: 0,
    };
    for class in Priority::ALL {
        for (segment, is_newest) in log.segments(class) {
            check(directory, (&log, class), (segment, is_newest), &mut report)?;
        }
    }
    Ok(report)
}

fn check(
    directory: &Path,
    (log, class): (&Log, Priority),
    (segment, is_newest): (&Segment, bool),
    report: &mut Report,
) -> Result<(), Error> {
    let name = segment_name(class, segment.first);
    let path = directory.join(&name);
    let file = match RealDisk.open(&path, OpenMode::Read) {
        Ok(file) => file,
        // The agent has removed it meanwhile.
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error).context("open", &path),
    };
    let found = report.classes.of_mut(class);
    found.segments += 1;
    found.bytes += segment.bytes;
    if segment.created_ms == 0 {
        report.note(&name, "the header is damaged; the records are still read".to_owned());
    }
    let range = (to_u64(SEGMENT_HEADER_BYTES), segment.records_end);
    let after = segment.first - 1;
    let mut scanner = Scanner::new(Arc::clone(&file), (class, log.epoch()), range, after);
    let mut last = after;
    loop {
        let position = scanner.position();
        match scanner.step().context("read", &path)? {
            Step::Record { sequence, flags, .. } => {
                let found = report.classes.of_mut(class);
                if flags & FLAG_GAP == 0 {
                    found.records += 1;
                } else {
                    found.gaps += 1;
                }
                if flags & FLAG_GAP == 0 && sequence != last + 1 {
                    report
                        .note(&name, format!("records {} to {} are lost", last + 1, sequence - 1));
                }
                last = sequence;
            }
            Step::Damage { .. } => {
                report.classes.of_mut(class).damages += 1;
                report.note(&name, format!("damaged bytes at offset {position}"));
            }
            Step::End(Tail::Damaged { bytes }) => {
                report.classes.of_mut(class).damages += 1;
                report.note(
                    &name,
                    format!("the last {bytes} bytes from offset {position} are damaged"),
                );
                return Ok(());
            }
            Step::End(Tail::Torn) if !is_newest => {
                report.note(&name, format!("the records end early, at offset {position}"));
                return Ok(());
            }
            Step::End(_) => return Ok(()),
        }
    }
}
