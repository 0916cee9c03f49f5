//! What is there and could not be read while containers were looked for: it never counts as empty.
//!
//! A file that is missing is no trouble: containers come and go while they are looked at. Everything else is told one
//! by one as a failed part of the run, and leaves the coverage partial, so that nothing is taken for gone.
//!
//! Deliberately not here: an engine that tells nothing at all, which is refused as a whole.

use crate::files::{self, Refusal};
use collector::Run;
use model::run::CoverageReason;
use std::io;
use std::path::Path;

/// The most that are told one by one, as many as a run keeps in words; a torn disk has one for each image.
const TROUBLES_MAX: usize = 100;

/// What could not be read.
#[derive(Debug, Default)]
pub(super) struct Troubles {
    told: Vec<(String, io::Error)>,
    further: usize,
}

impl Troubles {
    /// Adds one, unless it is not there at all.
    pub(super) fn add(&mut self, what: impl Into<String>, error: io::Error) {
        if files::refusal(&error) == Refusal::NotFound {
            return;
        }
        if self.told.len() < TROUBLES_MAX {
            self.told.push((what.into(), error));
        } else {
            self.further += 1;
        }
    }

    /// What a file says, or nothing when it could not be read or understood.
    pub(super) fn parsed<T>(
        &mut self,
        path: &Path,
        bytes_max: usize,
        parse: impl FnOnce(&[u8]) -> io::Result<T>,
    ) -> Option<T> {
        match files::read_whole(path, bytes_max).and_then(|bytes| parse(&bytes)) {
            Ok(parsed) => Some(parsed),
            Err(error) => {
                self.add(path.display().to_string(), error);
                None
            }
        }
    }

    /// The process that an engine noted in a file: `Some(None)` when it noted none, `None` when that is not known.
    pub(super) fn process(&mut self, path: &Path) -> Option<Option<u64>> {
        let parse = |bytes: &[u8]| {
            let text = std::str::from_utf8(bytes).map_err(malformed)?;
            text.trim().parse().map_err(malformed)
        };
        match files::read_whole(path, files::VALUE_BYTES_MAX).and_then(|bytes| parse(&bytes)) {
            Ok(process) => Some(Some(process)),
            Err(error) if files::refusal(&error) == Refusal::NotFound => Some(None),
            Err(error) => {
                self.add(path.display().to_string(), error);
                None
            }
        }
    }

    /// Adds all of others.
    pub(super) fn extend(&mut self, others: Self) {
        self.further += others.further;
        others.told.into_iter().for_each(|(what, error)| self.add(what, error));
    }

    pub(super) fn is_empty(&self) -> bool {
        self.told.is_empty()
    }

    /// Reports each as a failed part.
    pub(super) fn tell(&self, run: &mut Run<'_>) {
        for (what, error) in &self.told {
            run.failed(what, error);
        }
        if self.further > 0 {
            run.failed(
                format!("{} further files of container engines", self.further),
                "as those before",
            );
        }
    }

    /// Why the scope is partial: the first one.
    pub(super) fn reason(&self) -> Option<(CoverageReason, String)> {
        let (what, error) = self.told.first()?;
        let count = self.told.len() + self.further - 1;
        let others = if count == 0 { String::new() } else { format!(", nor can {count} others") };
        Some((reason(error), format!("{what} cannot be read ({error}){others}")))
    }
}

/// An error of what was read but says something else than it should.
pub(super) fn malformed(why: impl std::fmt::Display) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why.to_string())
}

/// JSON in what was read.
pub(super) fn json<T: for<'de> serde::Deserialize<'de>>(bytes: &[u8]) -> io::Result<T> {
    serde_json::from_slice(bytes).map_err(malformed)
}

/// TOML in what was read.
pub(super) fn toml<T: serde::de::DeserializeOwned>(bytes: &[u8]) -> io::Result<T> {
    let text = std::str::from_utf8(bytes).map_err(malformed)?;
    // Only the words: the rest of the message repeats lines, and those of registries hold passwords.
    ::toml::from_str(text).map_err(|error| malformed(error.message()))
}

/// The reason that an error is told with.
pub(super) fn reason(error: &io::Error) -> CoverageReason {
    match error.kind() {
        io::ErrorKind::PermissionDenied => CoverageReason::PermissionDenied,
        io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput | io::ErrorKind::IsADirectory => {
            CoverageReason::Malformed
        }
        io::ErrorKind::FileTooLarge => CoverageReason::LimitReached,
        io::ErrorKind::TimedOut => CoverageReason::TimedOut,
        _ => CoverageReason::Unreachable,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_number_of_troubles_is_told_with_their_number() {
        let mut troubles = Troubles::default();
        troubles.add("gone", io::Error::from(io::ErrorKind::NotFound));
        assert!(troubles.is_empty() && troubles.reason().is_none());
        let mut others = Troubles::default();
        for number in 0..TROUBLES_MAX + 7 {
            others.add(format!("file {number}"), malformed("torn"));
        }
        troubles.add("first", io::Error::from(io::ErrorKind::FileTooLarge));
        troubles.extend(others);
        let mut seen = Vec::new();
        let mut run = Run::new(&mut seen);
        troubles.tell(&mut run);
        assert_eq!(run.failures_count(), TROUBLES_MAX + 1);
        let (reason, detail) = troubles.reason().unwrap();
        assert_eq!(reason, CoverageReason::LimitReached);
        assert!(detail.contains("first") && detail.contains("107 others"), "{detail}");
    }

    #[test]
    fn a_file_that_is_torn_too_long_or_none_is_a_trouble_and_a_missing_one_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let mut troubles = Troubles::default();
        let path = folder.path().join("file");
        let mut look = |bytes_max| troubles.parsed(&path, bytes_max, json::<Vec<u8>>);
        assert_eq!(look(10), None);
        std::fs::write(&path, "[1,2]").unwrap();
        assert_eq!(look(10), Some(vec![1, 2]));
        assert_eq!(look(4), None);
        std::fs::write(&path, "[1,2").unwrap();
        assert_eq!(look(10), None);
        assert_eq!(troubles.told.len(), 2);
        assert!(troubles.parsed(folder.path(), 10, json::<Vec<u8>>).is_none());
        let reasons: Vec<CoverageReason> =
            troubles.told.iter().map(|(_, error)| reason(error)).collect();
        let expected =
            [CoverageReason::LimitReached, CoverageReason::Malformed, CoverageReason::Malformed];
        assert_eq!(reasons, expected);
    }

    #[test]
    fn a_process_that_is_noted_in_a_torn_file_is_not_taken_for_one_that_ended() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("init.pid");
        let mut troubles = Troubles::default();
        assert_eq!(troubles.process(&path), Some(None));
        std::fs::write(&path, "4711\n").unwrap();
        assert_eq!(troubles.process(&path), Some(Some(4711)));
        assert!(troubles.is_empty());
        std::fs::write(&path, "47\0").unwrap();
        assert_eq!(troubles.process(&path), None);
        assert!(!troubles.is_empty());
    }
}
