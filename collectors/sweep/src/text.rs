//! Foreign bytes as text that is safe to keep and to show.
//!
//! A banner may hold terminal escapes, zeros, markup or ten megabytes of anything. What leaves here is printable, of
//! bounded length and on one line; markup stays as it is, because whoever shows it escapes it.

/// The bytes as one line of at most `limit` characters. What cannot be printed becomes a middle dot, runs of it and of
/// space become one.
pub(crate) fn printable(bytes: &[u8], limit: usize) -> String {
    let mut line = String::new();
    let mut length = 0;
    let mut last = ' ';
    // A character has up to four bytes; what is behind the limit is not looked at.
    let seen = bytes.get(..bytes.len().min(limit.saturating_mul(4))).unwrap_or_default();
    for letter in String::from_utf8_lossy(seen).chars() {
        let letter = match letter {
            ' ' | '\t' | '\r' | '\n' => ' ',
            letter if is_shown(letter) => letter,
            _ => '·',
        };
        if letter == last && matches!(letter, ' ' | '·') {
            continue;
        }
        if length >= limit {
            break;
        }
        line.push(letter);
        length += 1;
        last = letter;
    }
    line.trim_end().to_owned()
}

/// Whether a character shows as itself: no control, and nothing that turns the direction of the text or hides in it.
fn is_shown(letter: char) -> bool {
    let is_hidden = matches!(
        letter,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffd}' | '\u{e0000}'..='\u{e007f}'
    );
    !letter.is_control() && !is_hidden
}

/// A host name as DNS allows it, lower case; `None` when it is none. An underscore is taken, because devices use it.
pub(crate) fn host_name(text: &str) -> Option<String> {
    let name = text.trim().trim_end_matches('.').to_ascii_lowercase();
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
            && !label.starts_with('-')
    };
    let is_name = name.len() <= 253 && name.split('.').all(is_label);
    let has_letter = name.bytes().any(|byte| byte.is_ascii_alphabetic());
    (is_name && has_letter).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn escapes_zeros_and_hidden_letters_do_not_get_through() {
        let text = printable(b"\x1b[31mred\x1b[0m\0\0\0x\r\n\t y", 100);
        assert_eq!(text, "·[31mred·[0m·x y");
        assert_eq!(printable("a\u{202e}b\u{200b}c".as_bytes(), 100), "a·b·c");
        assert_eq!(printable(&[0xff, 0xfe, b'a'], 100), "·a");
    }

    #[test]
    fn ten_megabytes_become_a_line() {
        assert_eq!(printable(&vec![b'x'; 10 << 20], 80).len(), 80);
        assert_eq!(printable(&vec![0; 10 << 20], 80), "·");
    }

    #[test]
    fn only_host_names_are_host_names() {
        assert_eq!(host_name("Web1.Example.NET."), Some("web1.example.net".to_owned()));
        for bad in ["", ".", "a..b", "192.0.2.1", "a b", "<b>", "x;rm", "-a", &"a".repeat(64)] {
            assert_eq!(host_name(bad), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_become_a_short_line_without_controls(bytes in prop::collection::vec(any::<u8>(), 0..400), limit in 1_usize..50) {
            let line = printable(&bytes, limit);
            prop_assert!(line.chars().count() <= limit);
            prop_assert!(line.chars().all(is_shown));
        }
    }
}
