//! Bounded reading of files and directories, and guards made of their metadata.
//!
//! Everything that the host collector reads passes through here, so that no file can fill the memory and no
//! special file can make a look hang: what is not a regular file is refused, and opening never waits.
//!
//! Deliberately not here: understanding what was read, and deciding what a missing file means.

use collector::{Guard, Target};
use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::path::Path;

/// The longest single-line file of /sys or /proc that is read as one value; the kernel gives one page.
pub(crate) const VALUE_BYTES_MAX: usize = 4096;

/// The most entries of one directory that are listed. A mail spool may hold more, nothing that is described does.
pub(crate) const ENTRIES_MAX: usize = 65_536;

/// Why a file could not be read, as far as a collector acts differently on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// There is no such file: the thing is not installed, or the kernel has no such part.
    NotFound,
    /// The right is missing.
    PermissionDenied,
    /// Anything else: an IO error, a special file, a device that does not answer.
    Other,
}

/// Sorts an error into what a collector acts differently on.
pub(crate) fn refusal(error: &io::Error) -> Refusal {
    match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => Refusal::NotFound,
        io::ErrorKind::PermissionDenied => Refusal::PermissionDenied,
        _ => Refusal::Other,
    }
}

/// Opens a regular file for reading without ever waiting for a writer, as opening a FIFO would.
pub(crate) fn open_regular(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY | libc::O_CLOEXEC);
    }
    let file = options.open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
    }
    Ok(file)
}

/// Reads at most `limit` bytes of a file into `buffer`, replacing its contents; whether the file was longer.
///
/// The buffer is reused by the caller, so that reading thousands of small files allocates once.
pub(crate) fn read_into(path: &Path, limit: usize, buffer: &mut Vec<u8>) -> io::Result<bool> {
    buffer.clear();
    let file = open_regular(path)?;
    let ask = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    file.take(ask).read_to_end(buffer)?;
    let is_cut = buffer.len() > limit;
    buffer.truncate(limit);
    Ok(is_cut)
}

/// Reads at most `limit` bytes of a file.
pub(crate) fn read_limited(path: &Path, limit: usize) -> io::Result<Vec<u8>> {
    let mut buffer = Vec::new();
    read_into(path, limit, &mut buffer)?;
    Ok(buffer)
}

/// Reads a file that says nothing when it is cut, such as JSON; one that is longer than `limit` is an error.
pub(crate) fn read_whole(path: &Path, limit: usize) -> io::Result<Vec<u8>> {
    let mut buffer = Vec::new();
    if read_into(path, limit, &mut buffer)? {
        let detail = format!("longer than the {limit} bytes that are read of it");
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, detail));
    }
    Ok(buffer)
}

/// Reads at most `limit` bytes of a file as text; bytes that are no UTF-8 become U+FFFD.
pub(crate) fn read_to_string_limited(path: &Path, limit: usize) -> io::Result<String> {
    let bytes = read_limited(path, limit)?;
    Ok(match String::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => String::from_utf8_lossy(error.as_bytes()).into_owned(),
    })
}

/// The trimmed text of a small file; `None` when it cannot be read or says nothing.
pub(crate) fn read_trimmed(path: &Path) -> Option<String> {
    let text = read_to_string_limited(path, VALUE_BYTES_MAX).ok()?;
    let text = text.trim_matches(|letter: char| letter.is_whitespace() || letter == '\0');
    (!text.is_empty()).then(|| text.to_owned())
}

/// The number in a small file.
pub(crate) fn read_number(path: &Path) -> Option<u64> {
    read_trimmed(path)?.parse().ok()
}

/// The names in a directory, sorted, at most [`ENTRIES_MAX`]; names that are no UTF-8 are left out.
pub(crate) fn list_dir(path: &Path) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(path)?.take(ENTRIES_MAX) {
        if let Ok(name) = entry?.file_name().into_string() {
            names.push(name);
        }
    }
    names.sort_unstable();
    Ok(names)
}

/// The last part of what a symbolic link points to, such as the driver's name of `…/device/driver`.
pub(crate) fn link_name(path: &Path) -> Option<String> {
    let target = std::fs::read_link(path).ok()?;
    Some(target.file_name()?.to_str()?.to_owned())
}

/// A guard under construction: a hash over metadata of paths, in the order in which they are added.
///
/// A missing path counts too, so that the guard changes when the path appears.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StatGuard(u64);

impl StatGuard {
    /// A guard of nothing.
    pub(crate) const fn new() -> Self {
        // The offset basis of FNV-1a.
        Self(0xcbf2_9ce4_8422_2325)
    }

    /// Adds a number.
    pub(crate) fn number(&mut self, number: u64) {
        // Whole words are turned and multiplied: a guard over thousands of files must cost next to nothing.
        self.0 = (self.0.rotate_left(23) ^ number).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }

    /// Adds bytes: for small files whose metadata says nothing, such as those of /proc.
    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }

    /// Adds modification time, size, inode and device of what the path leads to.
    pub(crate) fn path(&mut self, path: &Path) {
        match std::fs::metadata(path) {
            Ok(metadata) => self.metadata(&metadata),
            Err(error) => self.number(match refusal(&error) {
                Refusal::NotFound => 1,
                Refusal::PermissionDenied => 2,
                Refusal::Other => 3,
            }),
        }
    }

    /// Adds a directory and each of its entries, not those below.
    pub(crate) fn directory(&mut self, target: &Target, path: &Path) {
        self.path(path);
        if let Ok(names) = list_dir(path) {
            let mut entry = path.to_owned();
            for name in names {
                self.bytes(name.as_bytes());
                if target.is_live() {
                    entry.push(&name);
                    self.path(&entry);
                    entry.pop();
                } else {
                    self.path(&target.below(path, &name));
                }
            }
        }
    }

    /// Adds the names in a directory: for /sys, where times say nothing.
    pub(crate) fn names(&mut self, path: &Path) {
        for name in list_dir(path).unwrap_or_default() {
            self.bytes(name.as_bytes());
            self.bytes(&[0]);
        }
        self.number(u64::MAX);
    }

    #[cfg(unix)]
    fn metadata(&mut self, metadata: &std::fs::Metadata) {
        use std::os::unix::fs::MetadataExt;
        self.number(metadata.mtime().cast_unsigned());
        self.number(metadata.mtime_nsec().cast_unsigned());
        self.number(metadata.ctime().cast_unsigned());
        self.number(metadata.ctime_nsec().cast_unsigned());
        self.number(metadata.size());
        self.number(metadata.ino());
        self.number(metadata.dev());
    }

    #[cfg(not(unix))]
    fn metadata(&mut self, metadata: &std::fs::Metadata) {
        self.number(metadata.len());
        if let Ok(modified) = metadata.modified() {
            let millis = model::Timestamp::from(modified).millis();
            self.bytes(&millis.to_le_bytes());
        }
    }

    /// The guard.
    pub(crate) const fn finish(self) -> Guard {
        Guard(self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_never_read_beyond_the_limit() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("long");
        std::fs::write(&path, vec![b'x'; 10_000]).unwrap();
        let mut buffer = Vec::new();
        assert!(read_into(&path, 100, &mut buffer).unwrap());
        assert_eq!(buffer.len(), 100);
        assert!(!read_into(&path, 10_000, &mut buffer).unwrap());
        assert_eq!(buffer.len(), 10_000);
        assert_eq!(read_whole(&path, 9_999).unwrap_err().kind(), io::ErrorKind::FileTooLarge);
        assert_eq!(read_whole(&path, 10_000).unwrap().len(), 10_000);
    }

    #[cfg(unix)]
    #[test]
    fn a_special_file_is_refused_without_waiting() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("socket");
        let _listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
        assert!(read_limited(&path, 10).is_err());
        assert_eq!(refusal(&read_limited(directory.path(), 1).unwrap_err()), Refusal::Other);
    }

    #[test]
    fn a_guard_changes_with_a_file_and_only_then() {
        let directory = tempfile::tempdir().unwrap();
        let guard = || {
            let mut guard = StatGuard::new();
            guard.directory(&Target::own_host("t", "s"), directory.path());
            guard.path(&directory.path().join("later"));
            guard.finish()
        };
        let empty = guard();
        assert_eq!(guard(), empty);
        std::fs::write(directory.path().join("later"), "x").unwrap();
        let one = guard();
        assert_ne!(one, empty);
        std::fs::write(directory.path().join("later"), "xy").unwrap();
        assert_ne!(guard(), one);
    }

    #[test]
    fn text_that_is_no_utf8_is_still_text() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("latin");
        std::fs::write(&path, b"  caf\xe9\n\0").unwrap();
        assert_eq!(read_trimmed(&path).as_deref(), Some("caf\u{fffd}"));
    }
}
