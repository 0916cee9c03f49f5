//! Files of stanzas: records of `Name: value` lines with an empty line between them, read as a stream.

use std::io::{self, Read};

/// The file is read in pieces of this size.
const PIECE_BYTES: usize = 64 * 1024;

/// The largest stanza; the longest of Debian, with all its configuration files, has 40 kB.
const STANZA_BYTES_MAX: usize = 1 << 20;

/// Calls `each` with every stanza, without the empty line. Whether one was larger than allowed and left out.
pub(super) fn each_stanza(mut reader: impl Read, mut each: impl FnMut(&[u8])) -> io::Result<bool> {
    let mut buffer: Vec<u8> = Vec::with_capacity(2 * PIECE_BYTES);
    let mut piece = vec![0; PIECE_BYTES];
    // Bytes at the start of the buffer that hold no end of a stanza.
    let mut searched = 0;
    let (mut is_skipping, mut is_cut) = (false, false);
    loop {
        let count = match reader.read(&mut piece) {
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        buffer.extend_from_slice(piece.get(..count).unwrap_or_default());
        let mut start = 0;
        while let Some(end) = end_of_stanza(&buffer, searched.max(start)) {
            let stanza = buffer.get(start..end).unwrap_or_default();
            if !std::mem::take(&mut is_skipping) && !stanza.is_empty() {
                each(stanza);
            }
            start = end + 2;
            searched = start;
        }
        buffer.drain(..start.min(buffer.len()));
        searched = buffer.len().saturating_sub(1);
        if count == 0 {
            if !is_skipping && !buffer.is_empty() {
                each(&buffer);
            }
            return Ok(is_cut);
        }
        if buffer.len() > STANZA_BYTES_MAX {
            // The last byte may be the first of the two that end it.
            buffer.drain(..buffer.len() - 1);
            searched = 0;
            (is_skipping, is_cut) = (true, true);
        }
    }
}

/// Where the two line feeds begin that end a stanza.
fn end_of_stanza(buffer: &[u8], from: usize) -> Option<usize> {
    let mut place = from;
    while let Some(found) = buffer.get(place..)?.iter().position(|byte| *byte == b'\n') {
        place += found;
        if buffer.get(place + 1) == Some(&b'\n') {
            return Some(place);
        }
        place += 1;
    }
    None
}

/// The fields of a stanza: name and the rest of its line. Continued lines are left out.
pub(super) fn fields(stanza: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    stanza.split(|byte| *byte == b'\n').filter_map(|line| {
        if matches!(line.first(), None | Some(b' ' | b'\t')) {
            return None;
        }
        let colon = line.iter().position(|byte| *byte == b':')?;
        let (name, value) = line.split_at(colon);
        Some((name, value.get(1..)?.trim_ascii()))
    })
}

/// Bytes as text; what is no UTF-8 becomes U+FFFD.
pub(super) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Gives its bytes in steps of one size, as a slow disk may.
    struct Steps<'a>(&'a [u8], usize);

    impl Read for Steps<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let count = self.1.min(self.0.len()).min(buffer.len());
            buffer[..count].copy_from_slice(&self.0[..count]);
            self.0 = &self.0[count..];
            Ok(count)
        }
    }

    fn stanzas(bytes: &[u8], step: usize) -> (Vec<String>, bool) {
        let mut seen = Vec::new();
        let is_cut = each_stanza(Steps(bytes, step), |stanza| seen.push(text(stanza))).unwrap();
        (seen, is_cut)
    }

    #[test]
    fn a_stanza_larger_than_allowed_is_left_out_and_the_rest_is_kept() {
        let mut bytes = b"A: 1\n\nB: ".to_vec();
        bytes.extend(vec![b'x'; 3 * STANZA_BYTES_MAX]);
        bytes.extend(b"\n\nC: 3\n\n");
        assert_eq!(stanzas(&bytes, PIECE_BYTES), (vec!["A: 1".into(), "C: 3".into()], true));
    }

    #[test]
    fn continued_lines_are_no_fields() {
        let found: Vec<_> =
            fields(b"Package: a\nDescription: short\n long: text\n\t.\nVersion:1").collect();
        assert_eq!(
            found,
            [(&b"Package"[..], &b"a"[..]), (b"Description", b"short"), (b"Version", b"1")]
        );
    }

    proptest! {
        #[test]
        fn stanzas_do_not_depend_on_how_the_file_arrives(text in "[ab:\n]{0,80}", step in 1_usize..9) {
            let expected: Vec<String> = stanzas(text.as_bytes(), 1000).0;
            prop_assert_eq!(stanzas(text.as_bytes(), step).0, expected);
        }

        #[test]
        fn any_bytes_are_parsed_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            stanzas(&bytes, 7);
            fields(&bytes).for_each(drop);
        }
    }
}
