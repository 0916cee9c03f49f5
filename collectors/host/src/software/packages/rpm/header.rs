//! The header of an installed package: an index of tags and the data that they point into, in big-endian order.
//!
//! Every offset is checked against the data; a tag that leads nowhere is as good as absent.

/// Tags of rpm's `rpmtag.h`.
pub(super) const NAME: u32 = 1000;
pub(super) const VERSION: u32 = 1001;
pub(super) const RELEASE: u32 = 1002;
pub(super) const EPOCH: u32 = 1003;
pub(super) const SUMMARY: u32 = 1004;
pub(super) const INSTALLED_AT: u32 = 1008;
pub(super) const SIZE: u32 = 1009;
pub(super) const VENDOR: u32 = 1011;
pub(super) const LICENSE: u32 = 1014;
pub(super) const PACKAGER: u32 = 1015;
pub(super) const GROUP: u32 = 1016;
pub(super) const ARCHITECTURE: u32 = 1022;
const FOLDER_OF_FILE: u32 = 1116;
const FILES: u32 = 1117;
const FOLDERS: u32 = 1118;
pub(super) const SOURCE: u32 = 1044;
pub(super) const LONG_SIZE: u32 = 5009;

/// Types of data.
const INT32: u32 = 4;
const INT64: u32 = 5;
const STRING: u32 = 6;
const STRING_ARRAY: u32 = 8;
const TRANSLATED_STRING: u32 = 9;

/// The most files of one package that are looked at; the largest of a distribution have some ten thousand.
const FILES_MAX: usize = 1 << 20;

/// The most folders of one package.
const FOLDERS_MAX: usize = 1 << 16;

/// The most tags of one header, as rpm itself allows.
const TAGS_MAX: usize = 65_536;

/// Bytes of one entry of the index: tag, type, offset, count.
const ENTRY_BYTES: usize = 16;

/// Longest text that is kept.
const TEXT_LENGTH_MAX: usize = 1024;

/// A parsed header.
#[derive(Clone, Copy, Debug)]
pub(super) struct Header<'a> {
    index: &'a [u8],
    data: &'a [u8],
}

impl<'a> Header<'a> {
    /// Parses a header as the database holds it, without the file's magic number.
    pub(super) fn parse(bytes: &'a [u8]) -> Option<Self> {
        let tags = usize::try_from(number(bytes, 0)?).ok().filter(|tags| *tags <= TAGS_MAX)?;
        let end = 8 + tags * ENTRY_BYTES;
        Some(Self { index: bytes.get(8..end)?, data: bytes.get(end..)? })
    }

    /// Type and data of a tag.
    fn find(&self, tag: u32) -> Option<(u32, &'a [u8])> {
        let entry =
            self.index.chunks_exact(ENTRY_BYTES).find(|entry| number(entry, 0) == Some(tag))?;
        let offset = usize::try_from(number(entry, 8)?).ok()?;
        Some((number(entry, 4)?, self.data.get(offset..)?))
    }

    /// The text of a tag; of several the first, which is the one in plain language.
    pub(super) fn text(&self, tag: u32) -> Option<String> {
        let (kind, data) = self.find(tag)?;
        if !matches!(kind, STRING | STRING_ARRAY | TRANSLATED_STRING) {
            return None;
        }
        let text = data.get(..data.iter().position(|byte| *byte == 0)?)?;
        let text = String::from_utf8_lossy(text);
        Some(crate::redact::cut(text.trim(), TEXT_LENGTH_MAX).to_owned())
    }

    /// Calls `each` with folder and name of every file, without a copy: the folder ends in a slash.
    pub(super) fn each_file(&self, mut each: impl FnMut(&[u8], &[u8])) -> Option<()> {
        let (_, names) = self.find(FILES).filter(|(kind, _)| *kind == STRING_ARRAY)?;
        let (_, folders) = self.find(FOLDERS).filter(|(kind, _)| *kind == STRING_ARRAY)?;
        let (_, places) = self.find(FOLDER_OF_FILE).filter(|(kind, _)| *kind == INT32)?;
        let count = self.count(FILES)?.min(FILES_MAX);
        let texts = |data: &'a [u8], count: usize| data.split(|byte| *byte == 0).take(count);
        let folders: Vec<&[u8]> = texts(folders, self.count(FOLDERS)?.min(FOLDERS_MAX)).collect();
        for (name, place) in texts(names, count).zip(places.chunks_exact(4)) {
            let folder = usize::try_from(number(place, 0)?).ok()?;
            each(folders.get(folder)?, name);
        }
        Some(())
    }

    /// How many values a tag has.
    fn count(&self, tag: u32) -> Option<usize> {
        let entry =
            self.index.chunks_exact(ENTRY_BYTES).find(|entry| number(entry, 0) == Some(tag))?;
        usize::try_from(number(entry, 12)?).ok()
    }

    /// The first number of a tag.
    pub(super) fn number(&self, tag: u32) -> Option<u64> {
        let (kind, data) = self.find(tag)?;
        match kind {
            INT32 => number(data, 0).map(u64::from),
            INT64 => data.first_chunk().map(|bytes| u64::from_be_bytes(*bytes)),
            _ => None,
        }
    }
}

fn number(bytes: &[u8], place: usize) -> Option<u32> {
    bytes.get(place..)?.first_chunk().map(|bytes| u32::from_be_bytes(*bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_tag_that_leads_nowhere_is_absent() {
        let mut bytes = Vec::new();
        for number in [1_u32, 4, NAME, STRING, 0, 1] {
            bytes.extend(number.to_be_bytes());
        }
        bytes.extend(b"abc\0");
        assert_eq!(Header::parse(&bytes).unwrap().text(NAME).as_deref(), Some("abc"));
        assert_eq!(Header::parse(&bytes).unwrap().number(NAME), None);
        bytes[16..20].copy_from_slice(&100_u32.to_be_bytes());
        assert_eq!(Header::parse(&bytes).unwrap().text(NAME), None);
        assert!(Header::parse(&bytes[..20]).is_none());
    }

    proptest! {
        #[test]
        fn any_header_is_parsed_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), tags in 0_u32..20) {
            let mut header = tags.to_be_bytes().to_vec();
            header.extend(bytes);
            if let Some(header) = Header::parse(&header) {
                for tag in [NAME, INSTALLED_AT, LONG_SIZE] {
                    header.text(tag);
                    header.number(tag);
                }
                header.each_file(|_, _| {});
            }
        }
    }
}
