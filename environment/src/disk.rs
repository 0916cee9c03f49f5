//! A disk, as far as crash-safe files need one: positional writes that may be short, explicit flushes of data and of
//! directories, atomic renames, and the ways in which all of it fails.
//!
//! Invariants: nothing written counts as durable before `sync_data` of its file returned, no name before
//! `sync_directory` of its folder returned. Both answers keep to it; the simulated one punishes who relies on more.
//!
//! Deliberately without memory maps (a truncated file would kill the process) and without buffering.

mod real;
mod simulated;

use std::{fmt::Debug, io, path::Path, sync::Arc};

pub use real::RealDisk;
pub use simulated::{Fault, FaultOn, SimulatedDisk};

/// What a disk moves at a time, and so the unit in which un-flushed writes are lost.
pub const PAGE_BYTES: usize = 4096;
/// What a disk writes as a whole, and so the unit in which a write is torn.
pub const SECTOR_BYTES: usize = 512;

/// How to open a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OpenMode {
    /// Only to read; the file must exist.
    Read,
    /// To read and write; the file must exist.
    Write,
    /// To read and write; a new and empty file of mode 0600 in place of what was there.
    CreateEmpty,
}

/// A held lock; dropping it lets go.
pub trait Lock: Send + Sync + Debug {}

/// A disk.
pub trait Disk: Send + Sync + Debug {
    /// Creates a directory of mode 0700 with all its parents; fine if it is there.
    fn create_directory(&self, path: &Path) -> io::Result<()>;
    /// Opens a file.
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn DiskFile>>;
    /// Gives a file another name, replacing what had it; atomic.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Removes a file.
    fn remove(&self, path: &Path) -> io::Result<()>;
    /// The names in a directory that are valid Unicode, in no particular order.
    fn list(&self, directory: &Path) -> io::Result<Vec<String>>;
    /// The length of a file in bytes.
    fn length(&self, path: &Path) -> io::Result<u64>;
    /// Makes the names of a directory durable.
    fn sync_directory(&self, directory: &Path) -> io::Result<()>;
    /// Bytes that this process may still allocate on the file system of `directory`.
    fn free_bytes(&self, directory: &Path) -> io::Result<u64>;
    /// Takes the exclusive lock of a file, which it creates; `WouldBlock` if someone holds it. Ends with the process.
    fn lock(&self, path: &Path) -> io::Result<Box<dyn Lock>>;
}

/// An open file.
pub trait DiskFile: Send + Sync + Debug {
    /// Writes at an offset and says how many bytes it wrote, which may be fewer than given.
    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<usize>;
    /// Reads at an offset and says how many bytes it read; 0 means the end.
    fn read_at(&self, offset: u64, bytes: &mut [u8]) -> io::Result<usize>;
    /// Makes the content and the length durable.
    fn sync_data(&self) -> io::Result<()>;
    /// Cuts the file to a length, or extends it with zeros.
    fn truncate(&self, length: u64) -> io::Result<()>;
    /// The length in bytes.
    fn length(&self) -> io::Result<u64>;
    /// Makes sure that the first `length` bytes can be written without running out of space; extends the file.
    fn preallocate(&self, length: u64) -> io::Result<()>;

    /// Writes all of `bytes`, however short the single writes are.
    fn write_all_at(&self, mut offset: u64, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            match self.write_at(offset, bytes) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => {
                    bytes = bytes.get(written..).unwrap_or_default();
                    offset = offset.saturating_add(u64::try_from(written).unwrap_or(u64::MAX));
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Reads until `bytes` is full or the file ends, and says how many bytes it read.
    fn read_full_at(&self, mut offset: u64, bytes: &mut [u8]) -> io::Result<usize> {
        let mut total = 0;
        while let Some(rest) = bytes.get_mut(total..).filter(|rest| !rest.is_empty()) {
            match self.read_at(offset, rest) {
                Ok(0) => break,
                Ok(read) => {
                    total += read;
                    offset = offset.saturating_add(u64::try_from(read).unwrap_or(u64::MAX));
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(total)
    }
}
