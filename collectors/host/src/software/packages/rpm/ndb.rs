//! The file `Packages.db` of rpm's own format ndb: pages of slots, each of which leads to a package's header.

use crate::files;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

const FILE_MAGIC: &[u8] = b"RpmP";
const SLOT_MAGIC: &[u8] = b"Slot";
const BLOB_MAGIC: &[u8] = b"BlbS";

const PAGE_BYTES: u64 = 4096;
const SLOT_BYTES: usize = 16;
/// The file's own header takes the place of two slots.
const HEADER_BYTES: usize = 32;
/// Headers lie at multiples of this.
const BLOCK_BYTES: u64 = 16;

/// The most pages of slots; each leads to 256 packages.
const SLOT_PAGES_MAX: u32 = 1024;

/// The largest header that is read, like that of the other format.
const BLOB_BYTES_MAX: usize = 32 << 20;

/// Calls `each` with every header; gives how many could not be read.
pub(super) fn each_blob(path: &Path, each: &mut dyn FnMut(&[u8])) -> io::Result<usize> {
    let file = files::open_regular(path)?;
    let malformed = || io::Error::new(io::ErrorKind::InvalidData, "not a database of rpm");
    let mut header = [0; HEADER_BYTES];
    file.read_exact_at(&mut header, 0).map_err(|_| malformed())?;
    if !header.starts_with(FILE_MAGIC) {
        return Err(malformed());
    }
    let pages =
        number(&header, 12).filter(|pages| *pages <= SLOT_PAGES_MAX).ok_or_else(malformed)?;
    let mut page = vec![0; usize::try_from(PAGE_BYTES).unwrap_or(0)];
    let mut blob = Vec::new();
    let mut damaged = 0;
    for index in 0..pages {
        file.read_exact_at(&mut page, u64::from(index) * PAGE_BYTES).map_err(|_| malformed())?;
        let start = if index == 0 { HEADER_BYTES } else { 0 };
        for slot in page.get(start..).unwrap_or_default().chunks_exact(SLOT_BYTES) {
            match slot_place(slot) {
                // An empty slot leads to block zero, which is the header.
                Some((0, 0)) | None => {}
                Some((package, block)) => match read_blob(&file, package, block, &mut blob) {
                    Some(()) => each(&blob),
                    None => damaged += 1,
                },
            }
        }
    }
    Ok(damaged)
}

/// Number of the package and block that a slot leads to.
fn slot_place(slot: &[u8]) -> Option<(u32, u32)> {
    if !slot.starts_with(SLOT_MAGIC) {
        return None;
    }
    Some((number(slot, 4)?, number(slot, 8)?))
}

fn read_blob(file: &File, package: u32, block: u32, blob: &mut Vec<u8>) -> Option<()> {
    let place = u64::from(block) * BLOCK_BYTES;
    let mut head = [0; 16];
    file.read_exact_at(&mut head, place).ok()?;
    if !head.starts_with(BLOB_MAGIC) || number(&head, 4) != Some(package) {
        return None;
    }
    let length =
        usize::try_from(number(&head, 12)?).ok().filter(|length| *length <= BLOB_BYTES_MAX)?;
    // The file says how long it is; what it promises beyond that is not allocated.
    let size = file.metadata().ok()?.len();
    if place.checked_add(u64::try_from(length).ok()?)? > size {
        return None;
    }
    blob.resize(length, 0);
    file.read_exact_at(blob, place + 16).ok()
}

fn number(bytes: &[u8], place: usize) -> Option<u32> {
    bytes.get(place..)?.first_chunk().map(|bytes| u32::from_le_bytes(*bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A file with one package in slot and block, as the format has them.
    fn file_of(blob: &[u8], length: u32) -> Vec<u8> {
        let mut whole = vec![0; 8192];
        let mut put =
            |place: usize, bytes: &[u8]| whole[place..place + bytes.len()].copy_from_slice(bytes);
        put(0, b"RpmP");
        put(12, &1_u32.to_le_bytes());
        put(32, b"Slot");
        put(36, &7_u32.to_le_bytes());
        put(40, &256_u32.to_le_bytes());
        put(48, b"Slot");
        put(4096, b"BlbS");
        put(4100, &7_u32.to_le_bytes());
        put(4108, &length.to_le_bytes());
        put(4112, blob);
        whole
    }

    fn blobs(whole: &[u8]) -> io::Result<(Vec<Vec<u8>>, usize)> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), whole).unwrap();
        let mut seen = Vec::new();
        let damaged = each_blob(file.path(), &mut |blob| seen.push(blob.to_vec()))?;
        Ok((seen, damaged))
    }

    #[test]
    fn a_header_is_found_by_its_slot_and_an_empty_slot_is_none() {
        assert_eq!(blobs(&file_of(b"header", 6)).unwrap(), (vec![b"header".to_vec()], 0));
    }

    #[test]
    fn a_header_that_promises_more_than_the_file_holds_is_damage() {
        assert_eq!(blobs(&file_of(b"header", 1 << 20)).unwrap(), (vec![], 1));
        assert_eq!(blobs(&file_of(b"header", u32::MAX)).unwrap(), (vec![], 1));
        assert!(blobs(&file_of(b"header", 6)[..100]).is_err());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn any_file_is_read_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
            let file = tempfile::NamedTempFile::new().unwrap();
            let mut whole = b"RpmP\0\0\0\0\0\0\0\0\x01\0\0\0".to_vec();
            whole.extend([0; 16]);
            whole.extend(b"Slot");
            whole.extend(&bytes);
            whole.resize(8192, 7);
            std::fs::write(file.path(), &whole).unwrap();
            drop(each_blob(file.path(), &mut |_| ()));
            std::fs::write(file.path(), &bytes).unwrap();
            prop_assert!(each_blob(file.path(), &mut |_| ()).is_err());
        }
    }
}
