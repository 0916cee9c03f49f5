//! How the operations of the spool fail.
//!
//! Invariant: an error of `append` means that the record was *not* accepted; whoever has the record keeps it or drops
//! it knowingly. Messages say what to do; the operating system's own words are the source.

use std::{io, path::PathBuf, sync::Arc};

use crate::priority::Priority;

/// Why the spool could not be opened, acknowledged or looked at.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The options contradict themselves.
    #[error("the options of the spool cannot be used: {reason}")]
    Options {
        /// What is wrong and what would be right.
        reason: String,
    },
    /// Another process has the spool open.
    #[error("the spool in `{}` is in use by another process; stop that agent first", directory.display())]
    InUse {
        /// The folder.
        directory: PathBuf,
    },
    /// The disk did not do what it was asked to.
    #[error("cannot {operation} `{}`", path.display())]
    Disk {
        /// What was tried.
        operation: &'static str,
        /// On which file or folder.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// The other side acknowledged what was never written here: this spool is older than the one it knows.
    #[error(
        "record {through} of class {class} was acknowledged, but the last one here is {last}; \
         this spool was set back to an older state"
    )]
    AheadOfSpool {
        /// The class.
        class: Priority,
        /// What was acknowledged.
        through: u64,
        /// The last record here.
        last: u64,
    },
}

/// What is wrong with the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DiskTrouble {
    /// No space is left, or a disk quota is used up.
    Full,
    /// The file system is read-only or the folder is not ours.
    ReadOnly,
    /// Anything else: the device fails.
    Failing,
}

impl DiskTrouble {
    pub(crate) fn of(error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::StorageFull
            | io::ErrorKind::QuotaExceeded
            | io::ErrorKind::FileTooLarge
            | io::ErrorKind::WriteZero => Self::Full,
            io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied => Self::ReadOnly,
            _ => Self::Failing,
        }
    }

    /// The word for logs and status pages.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::ReadOnly => "read_only",
            Self::Failing => "failing",
        }
    }

    const fn remedy(self) -> &'static str {
        match self {
            Self::Full => "the disk is full; free some space, the spool goes on by itself",
            Self::ReadOnly => {
                "the folder cannot be written; mount it writable or give it to the agent's user"
            }
            Self::Failing => "the device fails; see the kernel's log",
        }
    }
}

/// Why a record was not accepted.
#[derive(Debug, Clone, thiserror::Error)]
pub enum AppendError {
    /// The class is full and must not lose anything: wait until something is acknowledged.
    #[error(
        "the {class} part of the spool has reached its quota of {quota_bytes} bytes; wait until the control plane has acknowledged some of it"
    )]
    Full {
        /// The class.
        class: Priority,
        /// Its quota.
        quota_bytes: u64,
    },
    /// The record is larger than a record may be; it will never be accepted.
    #[error(
        "a record of {size} bytes is larger than the {limit} bytes that a record may have; split it"
    )]
    TooLarge {
        /// Its size.
        size: usize,
        /// The largest size.
        limit: u64,
    },
    /// The disk did not take it.
    #[error("cannot write to the spool: {}", trouble.remedy())]
    Disk {
        /// What is wrong with the disk.
        trouble: DiskTrouble,
        /// What the operating system said.
        source: Arc<io::Error>,
    },
    /// The spool is being closed.
    #[error("the spool is closed")]
    Closed,
}

impl AppendError {
    pub(crate) fn disk(error: io::Error) -> Self {
        Self::Disk { trouble: DiskTrouble::of(&error), source: Arc::new(error) }
    }

    /// True if the same record may be accepted later without anything being done to it.
    pub const fn is_transient(&self) -> bool {
        matches!(self, Self::Full { .. } | Self::Disk { .. })
    }
}

/// Why records could not be read.
#[derive(Debug, thiserror::Error)]
#[error("cannot read the {class} records of the spool from `{}`; try again, and see the kernel's log if it stays", path.display())]
pub struct ReadError {
    /// The class.
    pub class: Priority,
    /// The file.
    pub path: PathBuf,
    /// What the operating system said.
    pub source: io::Error,
}

/// Attaches the operation and the path to what the operating system said.
pub(crate) trait Context<T> {
    fn context(self, operation: &'static str, path: &std::path::Path) -> Result<T, Error>;
}

impl<T> Context<T> for io::Result<T> {
    fn context(self, operation: &'static str, path: &std::path::Path) -> Result<T, Error> {
        self.map_err(|source| Error::Disk { operation, path: path.to_owned(), source })
    }
}
