//! What is left of the simulated disk after a power cut, and after a flush that failed.

use std::path::{Path, PathBuf};

use super::{Inode, State};
use crate::{
    disk::{PAGE_BYTES, SECTOR_BYTES},
    randomness::{RandomnessExt, SeededRandomness},
};

/// A change of names that is not durable yet.
#[derive(Debug, Clone)]
pub(super) enum NameChange {
    /// A new file.
    Link { path: PathBuf, inode: u64 },
    /// A removed file.
    Unlink { path: PathBuf },
    /// A file with another name.
    Rename { from: PathBuf, to: PathBuf },
}

impl NameChange {
    fn directory(&self) -> Option<&Path> {
        match self {
            Self::Link { path, .. } | Self::Unlink { path } => path.parent(),
            Self::Rename { to, .. } => to.parent(),
        }
    }

    fn apply(&self, names: &mut std::collections::BTreeMap<PathBuf, u64>) {
        match self {
            Self::Link { path, inode } => {
                names.insert(path.clone(), *inode);
            }
            Self::Unlink { path } => {
                names.remove(path);
            }
            Self::Rename { from, to } => {
                if let Some(inode) = names.remove(from) {
                    names.insert(to.clone(), inode);
                }
            }
        }
    }
}

impl State {
    pub(super) fn change_name(&mut self, change: NameChange) {
        change.apply(&mut self.live_names);
        self.name_changes.push(change);
        self.forget_unnamed();
    }

    pub(super) fn sync_names(&mut self, directory: &Path) {
        let (flushed, kept): (Vec<_>, Vec<_>) = std::mem::take(&mut self.name_changes)
            .into_iter()
            .partition(|change| change.directory() == Some(directory));
        self.name_changes = kept;
        for change in flushed {
            change.apply(&mut self.durable_names);
        }
        self.forget_unnamed();
    }

    /// Files without any name are gone (open handles to them are not modelled).
    fn forget_unnamed(&mut self) {
        let named = self.live_names.values().chain(self.durable_names.values());
        let pending = self.name_changes.iter().filter_map(|change| match change {
            NameChange::Link { inode, .. } => Some(inode),
            _ => None,
        });
        let kept: std::collections::BTreeSet<u64> = named.chain(pending).copied().collect();
        self.inodes.retain(|inode, _| kept.contains(inode));
    }

    pub(super) fn power_cut(&mut self) {
        // Half of the cuts keep a prefix of the changes, as a journal does; the others keep any of them.
        let changes = std::mem::take(&mut self.name_changes);
        let is_ordered = self.randomness.chance(1, 2);
        let count = u64::try_from(changes.len()).unwrap_or(u64::MAX);
        let prefix = self.randomness.below(count.saturating_add(1));
        for (index, change) in (0_u64..).zip(&changes) {
            let is_kept = if is_ordered { index < prefix } else { self.randomness.chance(1, 2) };
            if is_kept {
                change.apply(&mut self.durable_names);
            }
        }
        self.live_names.clone_from(&self.durable_names);
        self.forget_unnamed();
        for inode in self.inodes.values_mut() {
            lose_pages(inode, &self.randomness);
        }
        self.restart();
    }
}

impl State {
    /// A failed flush: some pages and perhaps the length reach the disk, the others are no longer known as dirty.
    pub(super) fn flush_some(&mut self, inode: u64) {
        let Self { inodes, randomness, .. } = self;
        if let Some(inode) = inodes.get_mut(&inode) {
            inode.durable = after_partial_flush(inode, randomness);
            inode.dirty_pages.clear();
        }
    }
}

impl Inode {
    /// A flush that succeeds.
    pub(super) fn flush(&mut self) {
        self.durable.resize(self.live.len(), 0);
        for page in std::mem::take(&mut self.dirty_pages) {
            let start = page * PAGE_BYTES;
            copy_range(&self.live, &mut self.durable, start, start + PAGE_BYTES);
        }
    }
}

/// Copies the part of a range that exists in `from`.
fn copy_range(from: &[u8], to: &mut Vec<u8>, start: usize, end: usize) {
    let end = end.min(from.len());
    if start >= end {
        return;
    }
    if to.len() < end {
        to.resize(end, 0);
    }
    if let (Some(target), Some(source)) = (to.get_mut(start..end), from.get(start..end)) {
        target.copy_from_slice(source);
    }
}

/// Decides for each page that was not flushed whether it is lost, kept or torn, and for the length likewise.
fn lose_pages(inode: &mut Inode, randomness: &SeededRandomness) {
    if inode.dirty_pages.is_empty() && inode.live.len() == inode.durable.len() {
        // Pages that a failed flush forgot are lost here.
        inode.live.clone_from(&inode.durable);
        return;
    }
    inode.durable = after_partial_flush(inode, randomness);
    inode.live.clone_from(&inode.durable);
    inode.dirty_pages.clear();
}

fn after_partial_flush(inode: &Inode, randomness: &SeededRandomness) -> Vec<u8> {
    // Some flushes lose everything, some nothing, most a part.
    let kept_of_four = randomness.below(5);
    let mut after = inode.durable.clone();
    for page in &inode.dirty_pages {
        if !randomness.chance(kept_of_four, 4) {
            continue;
        }
        let is_torn = randomness.chance(1, 4);
        for sector in 0..PAGE_BYTES / SECTOR_BYTES {
            if is_torn && randomness.chance(1, 2) {
                continue;
            }
            let start = page * PAGE_BYTES + sector * SECTOR_BYTES;
            copy_range(&inode.live, &mut after, start, start + SECTOR_BYTES);
        }
    }
    let (old, new) = (inode.durable.len(), inode.live.len());
    let between = u64::try_from(old.abs_diff(new)).unwrap_or(u64::MAX).saturating_add(1);
    let length = match randomness.below(3) {
        0 => old,
        1 => new,
        _ => old.min(new) + usize::try_from(randomness.below(between)).unwrap_or(0),
    };
    after.resize(length, 0);
    after
}
