//! A disk in memory that behaves as badly as disks may.
//!
//! At a power cut, of each file that was not flushed any pages may be lost, kept or torn at a sector, and its length
//! may be the old one, the new one or one between; of the names that were not flushed any change may be lost. On
//! request it runs out of space, turns read-only, fails single calls, writes short and flips bytes. A flush that fails
//! has flushed a part and forgets the rest.
//!
//! Invariants: flushed bytes under a flushed name survive every power cut; everything follows from the seed and the
//! order of calls. Deliberately without permissions and links.

mod power;

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
};

use self::power::NameChange;
use super::{Disk, DiskFile, Lock, OpenMode, PAGE_BYTES};
use crate::randomness::{RandomnessExt, SeededRandomness};

/// Which calls a fault applies to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum FaultOn {
    /// Opening a file.
    Open,
    /// Writing, reserving and truncating.
    Write,
    /// Reading.
    Read,
    /// Flushing a file.
    SyncData,
    /// Flushing a directory.
    SyncDirectory,
    /// Renaming.
    Rename,
    /// Removing.
    Remove,
}

/// How a call fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// `EIO`: the device failed.
    InputOutput,
    /// `ENOSPC`: no space left.
    StorageFull,
    /// `EROFS`: mounted read-only.
    ReadOnly,
}

impl Fault {
    fn error(self) -> io::Error {
        match self {
            Self::InputOutput => io::Error::other("simulated input/output error"),
            Self::StorageFull => io::ErrorKind::StorageFull.into(),
            Self::ReadOnly => io::ErrorKind::ReadOnlyFilesystem.into(),
        }
    }
}

/// One file: what a reader sees, and what a power cut cannot take away.
#[derive(Debug, Default)]
struct Inode {
    live: Vec<u8>,
    durable: Vec<u8>,
    dirty_pages: BTreeSet<usize>,
}

#[derive(Debug)]
struct State {
    randomness: SeededRandomness,
    inodes: BTreeMap<u64, Inode>,
    inodes_created: u64,
    live_names: BTreeMap<PathBuf, u64>,
    durable_names: BTreeMap<PathBuf, u64>,
    name_changes: Vec<NameChange>,
    directories: BTreeSet<PathBuf>,
    locks: BTreeMap<PathBuf, Weak<()>>,
    faults: BTreeMap<FaultOn, (Fault, u32)>,
    capacity_bytes: Option<usize>,
    is_read_only: bool,
    writes_are_short: bool,
    /// Counts restarts; handles opened before the last one are dead.
    boot: u64,
    operations: u64,
    power_fails_at: Option<u64>,
    is_off: bool,
}

/// A disk in memory. Clones are the same disk.
#[derive(Debug, Clone)]
pub struct SimulatedDisk {
    state: Arc<Mutex<State>>,
}

impl SimulatedDisk {
    /// An empty disk whose misbehavior follows from `seed`.
    pub fn new(seed: u64) -> Self {
        Self {
            state: Arc::new(Mutex::new(State {
                randomness: SeededRandomness::new(seed),
                inodes: BTreeMap::new(),
                inodes_created: 0,
                live_names: BTreeMap::new(),
                durable_names: BTreeMap::new(),
                name_changes: Vec::new(),
                directories: BTreeSet::new(),
                locks: BTreeMap::new(),
                faults: BTreeMap::new(),
                capacity_bytes: None,
                is_read_only: false,
                writes_are_short: false,
                boot: 0,
                operations: 0,
                power_fails_at: None,
                is_off: false,
            })),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next `times` calls of a kind fail.
    pub fn fail(&self, on: FaultOn, fault: Fault, times: u32) {
        self.state().faults.insert(on, (fault, times));
    }

    /// Takes all faults back.
    pub fn heal(&self) {
        let mut state = self.state();
        state.faults.clear();
        state.capacity_bytes = None;
        state.is_read_only = false;
        state.writes_are_short = false;
    }

    /// Limits the sum of the file lengths; `None` takes the limit away.
    pub fn set_capacity(&self, bytes: Option<usize>) {
        self.state().capacity_bytes = bytes;
    }

    /// Mounts the disk read-only, or writable again.
    pub fn set_read_only(&self, is_read_only: bool) {
        self.state().is_read_only = is_read_only;
    }

    /// Lets writes stop early at random.
    pub fn set_short_writes(&self, writes_are_short: bool) {
        self.state().writes_are_short = writes_are_short;
    }

    /// Inverts bits of one byte, in what is read and in what survives; false if there is no such byte.
    pub fn flip(&self, path: &Path, offset: usize, mask: u8) -> bool {
        let mut state = self.state();
        let Some(inode) = state.live_names.get(path).copied() else { return false };
        let Some(inode) = state.inodes.get_mut(&inode) else { return false };
        let Some(byte) = inode.live.get_mut(offset) else { return false };
        *byte ^= mask;
        if let Some(byte) = inode.durable.get_mut(offset) {
            *byte ^= mask;
        }
        true
    }

    /// The power fails after so many more changing calls; from then on every call fails until `power_cut`.
    pub fn fail_power_after(&self, operations: u64) {
        let mut state = self.state();
        state.power_fails_at = Some(state.operations.saturating_add(operations));
    }

    /// True once the power has failed.
    pub fn is_off(&self) -> bool {
        self.state().is_off
    }

    /// Cuts the power and starts again: what was not flushed is partly lost, and old handles are dead.
    pub fn power_cut(&self) {
        self.state().power_cut();
    }

    /// Ends the process but not the machine: nothing written is lost, and old handles are dead.
    pub fn process_kill(&self) {
        let mut state = self.state();
        state.restart();
    }

    /// The sum of the lengths of all files.
    pub fn used_bytes(&self) -> usize {
        self.state().used_bytes()
    }
}

impl State {
    /// What files with a name occupy. Removing a file gives its space back at once, as journals do when they must.
    fn used_bytes(&self) -> usize {
        let named: BTreeSet<&u64> = self.live_names.values().collect();
        named.into_iter().filter_map(|inode| self.inodes.get(inode)).map(|it| it.live.len()).sum()
    }

    fn restart(&mut self) {
        self.boot += 1;
        self.locks.clear();
        self.power_fails_at = None;
        self.is_off = false;
    }

    /// Every call comes through here: it fails if the power is off or a fault is due.
    fn call(&mut self, on: FaultOn) -> io::Result<()> {
        if self.is_off {
            return Err(io::Error::other("the power is off"));
        }
        let changes = !matches!(on, FaultOn::Read | FaultOn::Open);
        if changes {
            self.operations += 1;
            if self.power_fails_at.is_some_and(|at| self.operations > at) {
                self.is_off = true;
                return Err(io::Error::other("the power is off"));
            }
            // A flush of a read-only file system has nothing to do and succeeds.
            if self.is_read_only && !matches!(on, FaultOn::SyncData | FaultOn::SyncDirectory) {
                return Err(Fault::ReadOnly.error());
            }
        }
        if let Some((fault, times)) = self.faults.get_mut(&on)
            && *times > 0
        {
            *times -= 1;
            return Err(fault.error());
        }
        Ok(())
    }

    /// How many of `wanted` bytes may still be allocated.
    fn room(&self, wanted: usize) -> usize {
        match self.capacity_bytes {
            None => wanted,
            Some(capacity) => wanted.min(capacity.saturating_sub(self.used_bytes())),
        }
    }
}

#[derive(Debug)]
struct SimulatedFile {
    state: Arc<Mutex<State>>,
    inode: u64,
    boot: u64,
    is_writable: bool,
}

impl SimulatedFile {
    /// Runs one call on the file's content, unless it fails.
    fn call<T>(
        &self,
        on: FaultOn,
        work: impl FnOnce(&mut State, u64) -> io::Result<T>,
    ) -> io::Result<T> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.boot != self.boot {
            return Err(io::Error::other("the process of this handle has ended"));
        }
        if on == FaultOn::Write && !self.is_writable {
            return Err(io::ErrorKind::PermissionDenied.into());
        }
        state.call(on)?;
        work(&mut state, self.inode)
    }
}

fn inode_of(state: &mut State, inode: u64) -> io::Result<&mut Inode> {
    state.inodes.get_mut(&inode).ok_or_else(|| io::ErrorKind::NotFound.into())
}

fn to_usize(number: u64) -> io::Result<usize> {
    usize::try_from(number).map_err(|_| io::ErrorKind::InvalidInput.into())
}

/// Marks the pages of a range as not flushed.
fn mark_dirty(inode: &mut Inode, from: usize, to: usize) {
    if to > from {
        inode.dirty_pages.extend(from / PAGE_BYTES..=(to - 1) / PAGE_BYTES);
    }
}

impl DiskFile for SimulatedFile {
    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<usize> {
        self.call(FaultOn::Write, |state, inode| {
            let start = to_usize(offset)?;
            let length = inode_of(state, inode)?.live.len();
            let wanted_end = start.saturating_add(bytes.len());
            let growth = state.room(wanted_end.saturating_sub(length));
            let mut count = length.saturating_add(growth).min(wanted_end).saturating_sub(start);
            if count == 0 && !bytes.is_empty() {
                return Err(Fault::StorageFull.error());
            }
            if state.writes_are_short && count > 1 {
                let limit = u64::try_from(count).unwrap_or(u64::MAX);
                count = to_usize(state.randomness.below(limit))?.max(1);
            }
            let inode = inode_of(state, inode)?;
            let end = start + count;
            if inode.live.len() < end {
                inode.live.resize(end, 0);
            }
            if let (Some(to), Some(from)) = (inode.live.get_mut(start..end), bytes.get(..count)) {
                to.copy_from_slice(from);
            }
            mark_dirty(inode, start.min(length), end);
            Ok(count)
        })
    }

    fn read_at(&self, offset: u64, bytes: &mut [u8]) -> io::Result<usize> {
        self.call(FaultOn::Read, |state, inode| {
            let content = &inode_of(state, inode)?.live;
            let rest = content.get(to_usize(offset)?..).unwrap_or_default();
            let count = rest.len().min(bytes.len());
            if let (Some(to), Some(from)) = (bytes.get_mut(..count), rest.get(..count)) {
                to.copy_from_slice(from);
            }
            Ok(count)
        })
    }

    /// A flush that fails has flushed some pages all the same, and forgets that the others are dirty: the next flush
    /// does not write them, as on Linux.
    fn sync_data(&self) -> io::Result<()> {
        let flushed = self.call(FaultOn::SyncData, |state, inode| {
            inode_of(state, inode)?.flush();
            Ok(())
        });
        if flushed.is_err() {
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            if state.boot == self.boot && !state.is_off {
                state.flush_some(self.inode);
            }
        }
        flushed
    }

    fn truncate(&self, length: u64) -> io::Result<()> {
        self.call(FaultOn::Write, |state, inode| {
            let length = to_usize(length)?;
            let inode = inode_of(state, inode)?;
            let before = inode.live.len();
            inode.live.resize(length, 0);
            mark_dirty(inode, before.min(length), before.max(length));
            Ok(())
        })
    }

    fn length(&self) -> io::Result<u64> {
        self.call(FaultOn::Read, |state, inode| {
            Ok(u64::try_from(inode_of(state, inode)?.live.len()).unwrap_or(u64::MAX))
        })
    }

    fn preallocate(&self, length: u64) -> io::Result<()> {
        self.call(FaultOn::Write, |state, inode| {
            let length = to_usize(length)?;
            let before = inode_of(state, inode)?.live.len();
            let growth = length.saturating_sub(before);
            if state.room(growth) < growth {
                return Err(Fault::StorageFull.error());
            }
            let inode = inode_of(state, inode)?;
            inode.live.resize(before.max(length), 0);
            mark_dirty(inode, before, length);
            Ok(())
        })
    }
}

#[derive(Debug)]
struct SimulatedLock {
    _held: Arc<()>,
}

impl Lock for SimulatedLock {}

impl Disk for SimulatedDisk {
    fn create_directory(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state();
        if state.directories.contains(path) {
            return Ok(());
        }
        state.call(FaultOn::Rename)?;
        state.directories.insert(path.to_owned());
        Ok(())
    }

    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn DiskFile>> {
        let mut state = self.state();
        state.call(FaultOn::Open)?;
        if mode != OpenMode::Read && state.is_read_only {
            return Err(Fault::ReadOnly.error());
        }
        let inode = match (state.live_names.get(path).copied(), mode) {
            (Some(inode), OpenMode::CreateEmpty) => {
                let content = inode_of(&mut state, inode)?;
                let length = content.live.len();
                content.live.clear();
                mark_dirty(content, 0, length);
                inode
            }
            (Some(inode), _) => inode,
            (None, OpenMode::CreateEmpty) => {
                state.inodes_created += 1;
                let inode = state.inodes_created;
                state.inodes.insert(inode, Inode::default());
                state.change_name(NameChange::Link { path: path.to_owned(), inode });
                inode
            }
            (None, _) => return Err(io::ErrorKind::NotFound.into()),
        };
        Ok(Arc::new(SimulatedFile {
            state: Arc::clone(&self.state),
            inode,
            boot: state.boot,
            is_writable: mode != OpenMode::Read,
        }))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.state();
        state.call(FaultOn::Rename)?;
        if !state.live_names.contains_key(from) {
            return Err(io::ErrorKind::NotFound.into());
        }
        state.change_name(NameChange::Rename { from: from.to_owned(), to: to.to_owned() });
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state();
        state.call(FaultOn::Remove)?;
        if !state.live_names.contains_key(path) {
            return Err(io::ErrorKind::NotFound.into());
        }
        state.change_name(NameChange::Unlink { path: path.to_owned() });
        Ok(())
    }

    fn list(&self, directory: &Path) -> io::Result<Vec<String>> {
        let mut state = self.state();
        state.call(FaultOn::Read)?;
        if !state.directories.contains(directory) {
            return Err(io::ErrorKind::NotFound.into());
        }
        let inside = state.live_names.keys().filter(|path| path.parent() == Some(directory));
        let names = inside.filter_map(|path| path.file_name()?.to_str().map(str::to_owned));
        Ok(names.collect())
    }

    fn length(&self, path: &Path) -> io::Result<u64> {
        self.open(path, OpenMode::Read)?.length()
    }

    fn sync_directory(&self, directory: &Path) -> io::Result<()> {
        let mut state = self.state();
        state.call(FaultOn::SyncDirectory)?;
        state.sync_names(directory);
        Ok(())
    }

    fn free_bytes(&self, _directory: &Path) -> io::Result<u64> {
        let state = self.state();
        let room = state.room(usize::MAX / 2);
        Ok(u64::try_from(room).unwrap_or(u64::MAX))
    }

    fn lock(&self, path: &Path) -> io::Result<Box<dyn Lock>> {
        let mut state = self.state();
        state.call(FaultOn::Open)?;
        if state.locks.get(path).is_some_and(|held| held.strong_count() > 0) {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let held = Arc::new(());
        state.locks.insert(path.to_owned(), Arc::downgrade(&held));
        Ok(Box::new(SimulatedLock { _held: held }))
    }
}

#[cfg(test)]
mod tests;
