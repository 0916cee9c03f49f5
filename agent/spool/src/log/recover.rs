//! Finding the state again from the files, and laying a new spool down.
//!
//! Invariants: only headers, end marks and unsealed segments are read, so that a large backlog opens fast and without
//! memory; nothing that is delivered later is still only in the kernel's cache; a sequence that may have been given out
//! is never given out again. Every step can be repeated after a crash.

use std::{collections::BTreeMap, io, sync::Arc};

use environment::{DiskFile, OpenMode, unix_milliseconds};

use super::{
    Chain, Cursor, GAP_DRAFT_NAME, IDENTITY_DRAFT_NAME, IDENTITY_NAME, LOCK_NAME, Log,
    RESERVE_NAME, Segment, parse_segment_name,
};
use crate::{
    error::{Context, DiskTrouble, Error},
    format::{
        FLAG_GAP, FOOTER_BYTES, Footer, IDENTITY_BYTES, RECORD_HEADER_BYTES, SEGMENT_HEADER_BYTES,
        SegmentHeader, decode_gap, decode_identity, encode_identity,
    },
    options::{GROUP_BYTES_MAX, RECORD_BYTES_MAX},
    priority::{PerClass, Priority},
    scan::{Scanner, Step, Tail, to_u64},
};

/// A sealed segment up to this length is looked into: it may be nothing but a gap record.
const GAP_SEGMENT_BYTES_MAX: u64 = 512;
/// What one process can have written to a segment without having flushed it: one group and one record.
const UNDER_WAY_BYTES_MAX: u64 = GROUP_BYTES_MAX + 2 * RECORD_BYTES_MAX;
/// How much of that is in memory at a time.
const REWRITE_CHUNK_BYTES: usize = 64 << 10;
/// Where the sequence goes on when nothing is left that tells it: the seconds since 1970, shifted by so many bits.
/// Nobody appends 2^20 records a second for years, so no sequence is given out twice.
const JUMP_SHIFT: u32 = 20;

/// The state of the newest segment's end, which decides whether it can be continued.
struct Loaded {
    segment: Segment,
    tail: Tail,
    header_is_right: bool,
}

impl Log {
    /// Makes sure that the folder, the lock, the identity and the cursors are there. Cheap once they are.
    pub(super) fn make_ready(&mut self) -> Result<(), Error> {
        if self.has_identity {
            return Ok(());
        }
        self.disk.create_directory(&self.directory).context("create", &self.directory)?;
        if self.lock.is_none() {
            let path = self.path(LOCK_NAME);
            self.lock = match self.disk.lock(&path) {
                Ok(lock) => Some(lock),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    return Err(Error::InUse { directory: self.directory.clone() });
                }
                Err(error) => return Err(error).context("lock", &path),
            };
        }
        if !self.is_recovered {
            self.recover()?;
        }
        for class in Priority::ALL {
            self.anchor_jump(class)?;
        }
        self.write_identity()?;
        self.has_identity = true;
        if !self.has_reserve {
            self.take_reserve();
        }
        Ok(())
    }

    /// Makes a jump of the sequence durable, as the name of an empty segment, before anybody hears of it.
    fn anchor_jump(&mut self, class: Priority) -> Result<(), Error> {
        let chain = self.chains.of(class);
        if !chain.segments.is_empty() || chain.next == chain.cursor.sequence + 1 {
            return Ok(());
        }
        self.anchor(class)
    }

    /// Creates an empty segment for the next record.
    pub(super) fn anchor(&mut self, class: Priority) -> Result<(), Error> {
        let (epoch, first) = (self.epoch, self.chains.of(class).next);
        let path = self.segment_path(class, first);
        let created_ms = unix_milliseconds(self.clock.wall());
        let header = SegmentHeader { class, epoch, first, created_ms }.encode();
        let write = |file: Arc<dyn DiskFile>| {
            file.write_all_at(0, &header)?;
            file.sync_data()?;
            Ok(file)
        };
        let file = self.disk.open(&path, OpenMode::CreateEmpty).and_then(write);
        let file = file.context("create", &path)?;
        self.disk.sync_directory(&self.directory).context("flush", &self.directory)?;
        let chain = self.chains.of_mut(class);
        chain.active = Some(file);
        chain.segments.push_back(Segment {
            first,
            last: first - 1,
            records_end: to_u64(SEGMENT_HEADER_BYTES),
            bytes: to_u64(SEGMENT_HEADER_BYTES),
            created_ms,
            gap: None,
            is_sealed: false,
        });
        Ok(())
    }

    /// Writes what is missing of cursors and identity, the cursors first: an identity promises that they are there.
    fn write_identity(&mut self) -> Result<(), Error> {
        let is_there = self.read_identity() == Some(self.epoch);
        for class in Priority::ALL {
            // Without an identity the cursors may be leftovers of a start that failed: what can be read of them need
            // not be durable, and after a failed flush not even another flush would make it so. They are written anew.
            let slot = self.read_cursor(class).filter(|slot| slot.epoch == self.epoch);
            if !is_there || slot.is_none() {
                self.create_cursor(class)?;
            }
        }
        if is_there {
            return Ok(());
        }
        self.disk.sync_directory(&self.directory).context("flush", &self.directory)?;
        let draft = self.path(IDENTITY_DRAFT_NAME);
        let path = self.path(IDENTITY_NAME);
        let bytes = encode_identity(self.epoch, unix_milliseconds(self.clock.wall()));
        let write = |file: Arc<dyn DiskFile>| {
            file.write_all_at(0, &bytes)?;
            file.sync_data()
        };
        self.disk.open(&draft, OpenMode::CreateEmpty).and_then(write).context("write", &draft)?;
        self.disk.rename(&draft, &path).context("rename to", &path)?;
        self.disk.sync_directory(&self.directory).context("flush", &self.directory)
    }

    fn read_identity(&self) -> Option<u64> {
        let file = self.disk.open(&self.path(IDENTITY_NAME), OpenMode::Read).ok()?;
        let mut bytes = [0; IDENTITY_BYTES];
        file.read_full_at(0, &mut bytes).ok()?;
        decode_identity(&bytes)
    }

    /// Reads the folder.
    pub(super) fn recover(&mut self) -> Result<(), Error> {
        let names = self.disk.list(&self.directory).context("list", &self.directory)?;
        if self.may_write {
            for draft in [IDENTITY_DRAFT_NAME, GAP_DRAFT_NAME] {
                if names.iter().any(|name| name == draft)
                    && let Err(error) = self.disk.remove(&self.path(draft))
                {
                    tracing::debug!(%error, draft, "a draft stays");
                }
            }
        }
        let reserved = self.disk.length(&self.path(RESERVE_NAME)).unwrap_or(0);
        self.has_reserve = reserved > 0 && reserved >= self.limits.reserve_bytes;
        let mut files = PerClass::from_fn(|_| BTreeMap::new());
        for name in &names {
            if let Some((class, first)) = parse_segment_name(name) {
                files.of_mut(class).insert(first, ());
            }
        }
        let identity = self.read_identity();
        if let Some(epoch) = identity.or_else(|| self.epoch_from_evidence(&files)) {
            self.epoch = epoch;
        }
        for class in Priority::ALL {
            let firsts: Vec<u64> = files.of(class).keys().copied().collect();
            let chain = self.recover_chain(class, &firsts, identity.is_some())?;
            *self.chains.of_mut(class) = chain;
            if self.may_write {
                self.remove_acknowledged(class);
            }
        }
        self.is_recovered = true;
        Ok(())
    }

    /// The epoch that segments and cursors tell, if the identity is lost.
    fn epoch_from_evidence(&self, files: &PerClass<BTreeMap<u64, ()>>) -> Option<u64> {
        let headers = Priority::ALL.into_iter().flat_map(|class| {
            files.of(class).keys().filter_map(move |first| {
                let path = self.segment_path(class, *first);
                let file = self.disk.open(&path, OpenMode::Read).ok()?;
                Some(read_header(&*file).ok()??.epoch)
            })
        });
        let cursors = Priority::ALL.into_iter().filter_map(|class| self.read_cursor(class));
        headers.chain(cursors.map(|slot| slot.epoch)).find(|epoch| *epoch != 0)
    }

    fn recover_chain(
        &self,
        class: Priority,
        firsts: &[u64],
        was_laid_down: bool,
    ) -> Result<Chain, Error> {
        let mut chain = Chain::new(class);
        let slot = self.read_cursor(class).filter(|slot| slot.epoch == self.epoch);
        let mut newest = None;
        for first in firsts {
            let path = self.segment_path(class, *first);
            match self.load_segment(class, *first, firsts.last() == Some(first)) {
                Ok(loaded) => {
                    chain.segments.push_back(loaded.segment.clone());
                    newest = Some(loaded);
                }
                // A live agent removes segments while a tool looks at them.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error).context("read", &path),
            }
        }
        // Without a readable cursor nothing counts as acknowledged. What the control plane has already, it drops.
        chain.cursor = slot.map_or_else(Cursor::default, |slot| Cursor {
            sequence: slot.sequence,
            generation: slot.generation,
        });
        let seconds = unix_milliseconds(self.clock.wall()) / 1_000;
        let jump = if slot.is_none() && chain.segments.is_empty() && was_laid_down {
            tracing::error!(
                class = class.name(),
                "cursor and segments are gone; reporting all as lost"
            );
            seconds << JUMP_SHIFT
        } else {
            1
        };
        let last = chain.segments.back().map_or(0, |segment| segment.last.max(segment.first - 1));
        chain.next = (chain.cursor.sequence.max(last) + 1).max(jump);
        if self.may_write
            && let Some(newest) = newest
        {
            self.continue_segment(&mut chain, &newest);
        }
        Ok(chain)
    }

    /// Opens the newest segment for more records if its end allows that, and marks a damaged end.
    fn continue_segment(&self, chain: &mut Chain, newest: &Loaded) {
        let Loaded { segment, tail, header_is_right } = newest;
        if segment.is_sealed || segment.gap.is_some() {
            return;
        }
        let path = self.segment_path(chain.class, segment.first);
        let Ok(file) = self.disk.open(&path, OpenMode::Write) else { return };
        if matches!(tail, Tail::Damaged { .. }) || segment.last + 1 != chain.next {
            chain.active = Some(file);
            seal(chain, self.epoch);
            return;
        }
        let mut prepared = Ok(());
        if segment.bytes > segment.records_end {
            prepared = file.truncate(segment.records_end);
        }
        if prepared.is_ok() && !header_is_right {
            let created_ms = unix_milliseconds(self.clock.wall());
            let (class, first) = (chain.class, segment.first);
            let header = SegmentHeader { class, epoch: self.epoch, first, created_ms };
            prepared = file.write_all_at(0, &header.encode());
        }
        if let (Ok(()), Some(place)) = (prepared, chain.segments.back_mut()) {
            place.bytes = place.records_end;
            chain.active = Some(file);
        }
    }

    /// Reads the header and the end mark of a segment, and walks over it if it has none.
    fn load_segment(&self, class: Priority, first: u64, is_newest: bool) -> io::Result<Loaded> {
        let path = self.segment_path(class, first);
        let file = self.disk.open(&path, OpenMode::Read)?;
        let bytes = file.length()?;
        let header = read_header(&*file)?.filter(|header| {
            (header.class, header.epoch, header.first) == (class, self.epoch, first)
        });
        let footer = read_footer(&*file, bytes)?.filter(|footer| {
            (footer.class, footer.epoch, footer.first) == (class, self.epoch, first)
                && footer.last >= first - 1
                && footer.last <= u64::MAX / 2
        });
        let mut segment = Segment {
            first,
            last: first - 1,
            records_end: to_u64(SEGMENT_HEADER_BYTES),
            bytes,
            created_ms: header.map_or(0, |header| header.created_ms),
            gap: None,
            is_sealed: footer.is_some(),
        };
        let mut tail = Tail::Clean;
        match footer {
            Some(footer) => {
                segment.last = footer.last;
                segment.records_end = bytes - to_u64(FOOTER_BYTES);
                if bytes <= GAP_SEGMENT_BYTES_MAX {
                    self.look_for_gap(class, &mut segment, file)?;
                }
            }
            None => {
                if self.may_write && is_newest {
                    self.flush_before_delivery(&path)?;
                }
                tail = self.walk(class, &mut segment, file)?;
            }
        }
        Ok(Loaded { segment, tail, header_is_right: header.is_some() })
    }

    /// What the last process wrote may still be in the kernel's cache only. It must not be delivered before it is
    /// durable: a power cut would give its sequences to other records, which the control plane would take for repeats.
    /// A flush alone is not enough, because after a failed one the kernel no longer knows what it has not written; so
    /// what can have been under way is written once more.
    fn flush_before_delivery(&self, path: &std::path::Path) -> io::Result<()> {
        let file = match self.disk.open(path, OpenMode::Write) {
            Ok(file) => file,
            // Not ours to write, so nothing of ours is waiting to be written.
            Err(error) if DiskTrouble::of(&error) == DiskTrouble::ReadOnly => return Ok(()),
            Err(error) => return Err(error),
        };
        let mut position = file.length()?.saturating_sub(UNDER_WAY_BYTES_MAX);
        let mut chunk = vec![0; REWRITE_CHUNK_BYTES];
        loop {
            let count = file.read_full_at(position, &mut chunk)?;
            let Some(bytes) = chunk.get(..count).filter(|bytes| !bytes.is_empty()) else { break };
            file.write_all_at(position, bytes)?;
            position += to_u64(count);
        }
        file.sync_data()?;
        self.disk.sync_directory(&self.directory)
    }

    /// Finds the end of an unsealed segment.
    fn walk(
        &self,
        class: Priority,
        segment: &mut Segment,
        file: Arc<dyn DiskFile>,
    ) -> io::Result<Tail> {
        let range = (segment.records_end, segment.bytes.max(segment.records_end));
        let mut scanner = Scanner::new(file, (class, self.epoch), range, segment.last);
        loop {
            match scanner.step()? {
                Step::Record { sequence, flags, payload } => {
                    segment.last = sequence;
                    segment.gap = if flags & FLAG_GAP == 0 { None } else { decode_gap(payload) };
                }
                Step::Damage { sequence: Some(sequence) } => segment.last = sequence,
                Step::Damage { sequence: None } => continue,
                Step::End(tail) => {
                    if let Tail::Damaged { bytes } = tail {
                        // So many records at most may have stood here; all of them are reported.
                        segment.last += bytes.div_ceil(to_u64(RECORD_HEADER_BYTES));
                        segment.records_end = segment.bytes;
                    }
                    return Ok(tail);
                }
            }
            segment.records_end = scanner.position();
        }
    }

    fn look_for_gap(
        &self,
        class: Priority,
        segment: &mut Segment,
        file: Arc<dyn DiskFile>,
    ) -> io::Result<()> {
        let range = (to_u64(SEGMENT_HEADER_BYTES), segment.records_end);
        let mut scanner = Scanner::new(file, (class, self.epoch), range, segment.first - 1);
        if let Step::Record { flags, payload, .. } = scanner.step()?
            && flags & FLAG_GAP != 0
        {
            segment.gap = decode_gap(payload);
        }
        Ok(())
    }
}

/// Marks the end of a damaged segment, so that its range is the same at every start.
fn seal(chain: &mut Chain, epoch: u64) {
    let (Some(file), Some(segment)) = (chain.active.take(), chain.segments.back_mut()) else {
        return;
    };
    let (class, first, last) = (chain.class, segment.first, segment.last);
    let records = (last + 1).saturating_sub(first);
    let footer = Footer { class, epoch, first, last, records }.encode();
    let written = file
        .truncate(segment.records_end)
        .and_then(|()| file.write_all_at(segment.records_end, &footer))
        .and_then(|()| file.sync_data());
    if let Err(error) = written {
        tracing::debug!(%error, "a damaged segment stays without its end mark");
    } else {
        segment.bytes = segment.records_end + to_u64(FOOTER_BYTES);
        segment.is_sealed = true;
    }
}

fn read_header(file: &dyn DiskFile) -> io::Result<Option<SegmentHeader>> {
    let mut bytes = [0; SEGMENT_HEADER_BYTES];
    file.read_full_at(0, &mut bytes)?;
    Ok(SegmentHeader::decode(&bytes))
}

fn read_footer(file: &dyn DiskFile, length: u64) -> io::Result<Option<Footer>> {
    let least = to_u64(SEGMENT_HEADER_BYTES + FOOTER_BYTES);
    if length < least {
        return Ok(None);
    }
    let mut bytes = [0; FOOTER_BYTES];
    file.read_full_at(length - to_u64(FOOTER_BYTES), &mut bytes)?;
    Ok(Footer::decode(&bytes))
}
