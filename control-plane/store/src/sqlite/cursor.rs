//! Cursors: the place of an entry in the order of one question, opaque to everyone else.
//!
//! A cursor carries a hash of its question, so that one of another question is refused instead of giving nonsense.

use crate::items::ReadError;
use model::query::{PAGE_SIZE_MAX, Page};

/// The longest cursor: the longest title in hexadecimal, and the numbers.
const CURSOR_BYTES_MAX: usize = 4096;

/// The place of an entry: the text and the number that it is ordered by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) text: String,
    pub(super) number: i64,
}

/// The hash of a question, from everything that changes its answer but the page.
pub(super) fn question_hash(question: &impl std::fmt::Debug) -> u64 {
    let digest = blake3::hash(format!("{question:?}").as_bytes());
    digest.as_bytes().first_chunk().map_or(0, |first: &[u8; 8]| u64::from_le_bytes(*first))
}

/// The cursor of a place.
pub(super) fn cursor(question: u64, place: &Place) -> String {
    use std::fmt::Write;
    let mut text = format!("{question:016x}{:016x}", place.number.cast_unsigned());
    for byte in place.text.bytes() {
        // Writing to a string cannot fail.
        write!(text, "{byte:02x}").ok();
    }
    text
}

/// The place that a page begins behind.
pub(super) fn place(question: u64, page: &Page) -> Result<Option<Place>, ReadError> {
    check_size(page)?;
    let Some(cursor) = &page.after else { return Ok(None) };
    let parsed = parse(cursor).filter(|(of, _)| *of == question);
    parsed.map(|(_, place)| Some(place)).ok_or(ReadError::CursorMismatch)
}

fn check_size(page: &Page) -> Result<(), ReadError> {
    if page.size == 0 || page.size > PAGE_SIZE_MAX {
        return Err(ReadError::Invalid {
            reason: format!("a page has from 1 to {PAGE_SIZE_MAX} entries, not {}", page.size),
        });
    }
    Ok(())
}

fn parse(cursor: &str) -> Option<(u64, Place)> {
    if cursor.len() > CURSOR_BYTES_MAX || !cursor.is_ascii() {
        return None;
    }
    let question = u64::from_str_radix(cursor.get(..16)?, 16).ok()?;
    let number = u64::from_str_radix(cursor.get(16..32)?, 16).ok()?.cast_signed();
    let rest = cursor.get(32..)?.as_bytes();
    let bytes: Option<Vec<u8>> = rest
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok())
        .collect();
    Some((question, Place { text: String::from_utf8(bytes?).ok()?, number }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_of_another_question_is_refused() {
        let place_of = Place { text: "Ünïcode".into(), number: -7 };
        let text = cursor(1, &place_of);
        let page = |after: &str| Page { size: 10, after: Some(after.into()) };
        assert_eq!(place(1, &page(&text)).unwrap(), Some(place_of));
        assert!(matches!(place(2, &page(&text)), Err(ReadError::CursorMismatch)));
        assert!(matches!(place(1, &page("é")), Err(ReadError::CursorMismatch)));
        assert!(matches!(place(1, &page("")), Err(ReadError::CursorMismatch)));
    }

    #[test]
    fn a_page_of_no_or_too_many_entries_is_refused() {
        for size in [0, PAGE_SIZE_MAX + 1] {
            let answer = place(1, &Page { size, after: None });
            assert!(matches!(answer, Err(ReadError::Invalid { .. })));
        }
    }
}
