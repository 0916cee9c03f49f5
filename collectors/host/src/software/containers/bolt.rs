//! A reader of bbolt's files, in which containerd and Podman keep what they know of their containers.
//!
//! A file is a copy-on-write tree of pages; two meta pages name the root of the newest transaction. Buckets are
//! trees of their own, and small ones lie inside of a value of their parent. The reader takes no lock, so that an
//! engine never waits for it: a look counts only when no transaction ended meanwhile, as the pages of a transaction
//! are only written over after the next one. Pages, depth and bytes are bounded, so that no file can make a look
//! endless.
//!
//! Deliberately not here: writing, the free list, and what the keys mean.

use crate::files;
use std::cell::Cell;
use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

/// What begins a meta page's own part.
const MAGIC: u32 = 0xED0C_DAED;

/// The version of the format, the same since bolt's first release.
const VERSION: u32 = 2;

/// Number, flags, count and overflow of a page.
const HEADER_LENGTH: usize = 16;

/// One element of a page: where its key and value lie.
const ELEMENT_LENGTH: usize = 16;

/// The part of a meta page that its checksum covers, and the whole.
const META_SUMMED_LENGTH: usize = 56;
const META_LENGTH: usize = 64;

/// Root page and sequence before the page of a bucket that lies inside of a value.
const BUCKET_LENGTH: usize = 16;

const BRANCH: u16 = 0x01;
const LEAF: u16 = 0x02;
const META: u16 = 0x04;

/// Marks an element whose value is a bucket.
const IS_BUCKET: u32 = 0x01;

/// Page sizes: that of the kernel of the host that made the file.
const PAGE_SIZES: [usize; 7] = [1024, 2048, 4096, 8192, 16384, 32768, 65536];

/// The deepest tree; four levels of 4 KiB pages hold millions of keys.
const DEPTH_MAX: usize = 16;

/// The longest page with those that continue it: the longest value. A container's description has some 20 KiB.
const PAGE_BYTES_MAX: usize = 4 << 20;

/// The most bytes of one look.
const BYTES_MAX: usize = 128 << 20;

/// How often a look is begun again when a transaction ended meanwhile.
const TRIES_MAX: usize = 4;

/// A bucket: a tree with its root on a page, or a page that lies inside of a value.
#[derive(Clone, Debug)]
pub(super) enum Bucket {
    Page(u64),
    Inline(Vec<u8>),
}

/// What a bucket holds. Keys that are no UTF-8 are left out: both engines use text.
#[derive(Debug, Default)]
pub(super) struct Entries {
    pub(super) values: BTreeMap<String, Vec<u8>>,
    pub(super) buckets: BTreeMap<String, Bucket>,
}

impl Entries {
    /// A value as text.
    pub(super) fn text(&self, key: &str) -> Option<String> {
        let text = String::from_utf8(self.values.get(key)?.clone()).ok()?;
        (!text.is_empty()).then_some(text)
    }
}

/// An open file, as of its newest transaction.
#[derive(Debug)]
pub(super) struct Database {
    file: File,
    page_size: usize,
    meta: Meta,
    bytes_left: Cell<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Meta {
    page_size: usize,
    root: u64,
    pages_count: u64,
    transaction: u64,
}

/// Looks at a file; again when the engine wrote meanwhile.
pub(super) fn look<T>(path: &Path, read: impl Fn(&Database) -> io::Result<T>) -> io::Result<T> {
    for _ in 0..TRIES_MAX {
        let database = Database::open(path)?;
        let seen = read(&database);
        if newest_meta(&database.file)?.transaction == database.meta.transaction {
            return seen;
        }
    }
    Err(io::Error::new(io::ErrorKind::ResourceBusy, "written to faster than it can be read"))
}

impl Database {
    fn open(path: &Path) -> io::Result<Self> {
        let file = files::open_regular(path)?;
        let meta = newest_meta(&file)?;
        Ok(Self { file, page_size: meta.page_size, meta, bytes_left: Cell::new(BYTES_MAX) })
    }

    /// The bucket that holds all others.
    pub(super) fn root(&self) -> Bucket {
        Bucket::Page(self.meta.root)
    }

    /// The bucket at a path of names below the root.
    pub(super) fn at(&self, path: &[&str]) -> io::Result<Option<Bucket>> {
        let mut bucket = self.root();
        for name in path {
            match self.entries(&bucket)?.buckets.remove(*name) {
                Some(next) => bucket = next,
                None => return Ok(None),
            }
        }
        Ok(Some(bucket))
    }

    /// Everything in a bucket.
    pub(super) fn entries(&self, bucket: &Bucket) -> io::Result<Entries> {
        let mut entries = Entries::default();
        match bucket {
            Bucket::Page(number) => self.read_page(*number, 0, &mut entries)?,
            Bucket::Inline(page) => self.read_elements(page, 0, &mut entries)?,
        }
        Ok(entries)
    }

    /// The buckets in a bucket, each with what it holds, one after the other: all at once could be large.
    pub(super) fn each(
        &self,
        bucket: &Bucket,
        mut see: impl FnMut(String, Entries) -> io::Result<()>,
    ) -> io::Result<()> {
        for (name, bucket) in self.entries(bucket)?.buckets {
            see(name, self.entries(&bucket)?)?;
        }
        Ok(())
    }

    fn read_page(&self, number: u64, depth: usize, entries: &mut Entries) -> io::Result<()> {
        if number >= self.meta.pages_count || depth >= DEPTH_MAX {
            return Err(malformed("a page outside of the tree"));
        }
        let size = u64::try_from(self.page_size).unwrap_or(u64::MAX);
        let place = number.checked_mul(size).ok_or_else(|| malformed("a page beyond the file"))?;
        let mut page = self.read(place, self.page_size)?;
        if u64_at(&page, 0) != Some(number) {
            return Err(malformed("a page that is not where it belongs"));
        }
        let overflow = u32_at(&page, 12).and_then(|pages| usize::try_from(pages).ok());
        if let Some(pages @ 1..) = overflow {
            let length = pages.checked_add(1).and_then(|pages| pages.checked_mul(self.page_size));
            page = self.read(place, length.ok_or_else(|| malformed("an endless page"))?)?;
        }
        self.read_elements(&page, depth, entries)
    }

    fn read_elements(&self, page: &[u8], depth: usize, entries: &mut Entries) -> io::Result<()> {
        let torn = || malformed("a torn page");
        let flags = u16_at(page, 8).ok_or_else(torn)?;
        let count = usize::from(u16_at(page, 10).ok_or_else(torn)?);
        for index in 0..count {
            let place = HEADER_LENGTH + index * ELEMENT_LENGTH;
            let element = page.get(place..).ok_or_else(torn)?;
            if flags & LEAF != 0 {
                let (key, value, is_bucket) = leaf(element).ok_or_else(torn)?;
                let Ok(key) = std::str::from_utf8(key) else { continue };
                if is_bucket {
                    entries.buckets.insert(key.to_owned(), bucket(value).ok_or_else(torn)?);
                } else {
                    self.charge(value.len())?;
                    entries.values.insert(key.to_owned(), value.to_vec());
                }
            } else if flags & BRANCH != 0 {
                let number = u64_at(element, 8).ok_or_else(torn)?;
                self.read_page(number, depth + 1, entries)?;
            } else {
                return Err(malformed("a page of another kind"));
            }
        }
        Ok(())
    }

    fn read(&self, place: u64, length: usize) -> io::Result<Vec<u8>> {
        if length > PAGE_BYTES_MAX {
            return Err(malformed("an endless page"));
        }
        self.charge(length)?;
        let mut bytes = vec![0; length];
        self.file.read_exact_at(&mut bytes, place)?;
        Ok(bytes)
    }

    fn charge(&self, bytes: usize) -> io::Result<()> {
        let left = self.bytes_left.get().checked_sub(bytes);
        self.bytes_left.set(left.ok_or_else(|| malformed("more than can be read in one look"))?);
        Ok(())
    }
}

/// Key, value and whether it is a bucket: flags, place from the element's beginning, and two lengths.
fn leaf(element: &[u8]) -> Option<(&[u8], &[u8], bool)> {
    let flags = u32_at(element, 0)?;
    let number = |place| usize::try_from(u32_at(element, place)?).ok();
    let rest = element.get(number(4)?..)?;
    let (key, rest) = rest.split_at_checked(number(8)?)?;
    Some((key, rest.get(..number(12)?)?, flags & IS_BUCKET != 0))
}

/// A root page of zero says that the bucket's only page follows.
fn bucket(value: &[u8]) -> Option<Bucket> {
    match u64_at(value, 0)? {
        0 => Some(Bucket::Inline(value.get(BUCKET_LENGTH..)?.to_vec())),
        root => Some(Bucket::Page(root)),
    }
}

/// The newer of the meta pages that are whole. The second one lies at a page's length, which only the metas tell.
fn newest_meta(file: &File) -> io::Result<Meta> {
    let at = |place: usize| {
        let mut page = [0; HEADER_LENGTH + META_LENGTH];
        file.read_exact_at(&mut page, u64::try_from(place).ok()?).ok()?;
        meta(&page)
    };
    let first = at(0);
    let second = match first {
        Some(first) => at(first.page_size),
        None => PAGE_SIZES.iter().find_map(|size| at(*size).filter(|meta| meta.page_size == *size)),
    };
    [first, second]
        .into_iter()
        .flatten()
        .max_by_key(|meta| meta.transaction)
        .ok_or_else(|| malformed("no bbolt database"))
}

fn meta(page: &[u8]) -> Option<Meta> {
    let meta = page.get(HEADER_LENGTH..HEADER_LENGTH + META_LENGTH)?;
    let is_whole = u16_at(page, 8)? & META != 0
        && u32_at(meta, 0)? == MAGIC
        && u32_at(meta, 4)? == VERSION
        && u64_at(meta, META_SUMMED_LENGTH)? == sum(meta.get(..META_SUMMED_LENGTH)?);
    let page_size = usize::try_from(u32_at(meta, 8)?).ok()?;
    (is_whole && PAGE_SIZES.contains(&page_size)).then_some(Meta {
        page_size,
        root: u64_at(meta, 16)?,
        pages_count: u64_at(meta, 40)?,
        transaction: u64_at(meta, 48)?,
    })
}

/// FNV-1a of 64 bits.
fn sum(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |sum, byte| {
        (sum ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

// The file has the byte order of the machine that wrote it: little on all that the agent runs on.

fn u16_at(bytes: &[u8], place: usize) -> Option<u16> {
    Some(u16::from_le_bytes(*bytes.get(place..)?.first_chunk()?))
}

fn u32_at(bytes: &[u8], place: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*bytes.get(place..)?.first_chunk()?))
}

fn u64_at(bytes: &[u8], place: usize) -> Option<u64> {
    Some(u64::from_le_bytes(*bytes.get(place..)?.first_chunk()?))
}

fn malformed(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const PAGE: usize = 1024;

    fn element(page: &mut Vec<u8>, index: usize, flags: u32, key: &[u8], value: &[u8]) {
        let place = HEADER_LENGTH + index * ELEMENT_LENGTH;
        let start = u32::try_from(page.len() - place).unwrap();
        let lengths = [key.len(), value.len()].map(|length| u32::try_from(length).unwrap());
        for (at, number) in [flags, start, lengths[0], lengths[1]].into_iter().enumerate() {
            page[place + at * 4..place + at * 4 + 4].copy_from_slice(&number.to_le_bytes());
        }
        page.extend(key);
        page.extend(value);
    }

    fn leaf_page(number: u64, entries: &[(u32, &[u8], &[u8])]) -> Vec<u8> {
        let mut page = number.to_le_bytes().to_vec();
        page.extend(LEAF.to_le_bytes());
        page.extend(u16::try_from(entries.len()).unwrap().to_le_bytes());
        page.resize(HEADER_LENGTH + entries.len() * ELEMENT_LENGTH, 0);
        for (index, (flags, key, value)) in entries.iter().enumerate() {
            element(&mut page, index, *flags, key, value);
        }
        page
    }

    fn meta_page(number: u64, root: u64, transaction: u64) -> Vec<u8> {
        let mut page = number.to_le_bytes().to_vec();
        page.extend(META.to_le_bytes());
        page.resize(HEADER_LENGTH, 0);
        page.extend(MAGIC.to_le_bytes());
        page.extend(VERSION.to_le_bytes());
        page.extend(u32::try_from(PAGE).unwrap().to_le_bytes());
        page.extend([0; 4]);
        for number in [root, 0, 0, 6, transaction] {
            page.extend(number.to_le_bytes());
        }
        page.extend(sum(&page[HEADER_LENGTH..]).to_le_bytes());
        page
    }

    /// Metas of transactions 7 and 8, and the trees that they name.
    fn pages() -> Vec<Vec<u8>> {
        let inline = [vec![0; BUCKET_LENGTH], leaf_page(0, &[(0, b"name", b"web")])].concat();
        let paged = [4_u64.to_le_bytes().to_vec(), vec![0; 8]].concat();
        let mut branch = leaf_page(4, &[(0, b"", b"")]);
        branch[8..10].copy_from_slice(&BRANCH.to_le_bytes());
        branch[HEADER_LENGTH + 8..HEADER_LENGTH + 16].copy_from_slice(&5_u64.to_le_bytes());
        vec![
            meta_page(0, 2, 7),
            meta_page(1, 3, 8),
            leaf_page(2, &[(0, b"age", b"old")]),
            leaf_page(3, &[(0, b"age", b"new"), (1, b"small", &inline), (1, b"large", &paged)]),
            branch,
            leaf_page(5, &[(0, b"long", &[b'x'; 900])]),
        ]
    }

    fn written(pages: &[Vec<u8>]) -> tempfile::NamedTempFile {
        let mut bytes = Vec::new();
        for page in pages {
            bytes.extend(page);
            bytes.resize(bytes.len().next_multiple_of(PAGE), 0);
        }
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), bytes).unwrap();
        file
    }

    fn age(pages: &[Vec<u8>]) -> io::Result<String> {
        look(written(pages).path(), |database| {
            Ok(database.entries(&database.root())?.text("age").unwrap_or_default())
        })
    }

    #[test]
    fn a_file_that_is_no_database_is_an_error() {
        let file = tempfile::NamedTempFile::new().unwrap();
        assert!(look(file.path(), |_| Ok(())).is_err());
        assert!(look(Path::new("/nonexistent"), |_| Ok(())).is_err());
    }

    #[test]
    fn the_newest_whole_transaction_counts() {
        assert_eq!(age(&pages()).unwrap(), "new");
        let mut torn = pages();
        torn[1][HEADER_LENGTH + META_LENGTH - 1] ^= 1;
        assert_eq!(age(&torn).unwrap(), "old");
        let mut first_torn = pages();
        first_torn[0][HEADER_LENGTH] ^= 1;
        assert_eq!(age(&first_torn).unwrap(), "new");
    }

    #[test]
    fn buckets_inside_of_values_and_on_pages_are_read() {
        let file = written(&pages());
        let (small, large) = look(file.path(), |database| {
            let read = |name| database.entries(&database.at(&[name])?.unwrap());
            Ok((read("small")?, read("large")?))
        })
        .unwrap();
        assert_eq!(small.text("name").as_deref(), Some("web"));
        assert_eq!(large.values["long"].len(), 900);
        assert!(look(file.path(), |database| database.at(&["none"])).unwrap().is_none());
    }

    #[test]
    fn a_tree_that_leads_back_to_itself_ends() {
        let mut circle = pages();
        circle[4][HEADER_LENGTH + 8..HEADER_LENGTH + 16].copy_from_slice(&4_u64.to_le_bytes());
        let file = written(&circle);
        let error = look(file.path(), |database| {
            database.entries(&database.at(&["large"])?.unwrap()).map(drop)
        });
        assert_eq!(error.unwrap_err().kind(), io::ErrorKind::InvalidData);
    }

    #[test]
    fn a_look_is_begun_again_when_a_transaction_ended_meanwhile() {
        let (file, tries) = (written(&pages()), Cell::new(0_u64));
        let seen = look(file.path(), |database| {
            tries.set(tries.get() + 1);
            if tries.get() == 1 {
                let writer = File::options().write(true).open(file.path())?;
                writer.write_all_at(&meta_page(0, 2, 9), 0)?;
            }
            Ok(database.entries(&database.root())?.text("age"))
        });
        assert_eq!((seen.unwrap().as_deref(), tries.get()), (Some("old"), 2));
    }

    proptest! {
        #[test]
        fn any_damage_is_read_without_panic(
            damage in prop::collection::vec((0_usize..6 * PAGE, any::<u8>()), 1..20),
        ) {
            let file = written(&pages());
            let mut bytes = std::fs::read(file.path()).unwrap();
            for (place, byte) in damage {
                if let Some(old) = bytes.get_mut(place) {
                    *old = byte;
                }
            }
            std::fs::write(file.path(), bytes).unwrap();
            drop(look(file.path(), |database| {
                database.each(&database.root(), |_, entries| {
                    drop(entries);
                    Ok(())
                })
            }));
        }
    }
}
