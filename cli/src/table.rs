//! Columns for a terminal. What comes from a device is hostile: control characters never reach the terminal.

use unicode_width::UnicodeWidthStr;

/// The widest cell of a table; what is longer ends in an ellipsis there, and is whole in the other formats.
const CELL_WIDTH_MAX: usize = 60;

/// The text without characters that a terminal would act upon; line breaks become spaces.
pub(crate) fn printable(text: &str) -> String {
    text.chars()
        .map(|letter| match letter {
            '\n' | '\r' | '\t' => ' ',
            // Controls, and the marks that turn the direction of what follows.
            _ if letter.is_control()
                || matches!(letter, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}') =>
            {
                '\u{fffd}'
            }
            _ => letter,
        })
        .collect()
}

fn fitted(text: &str) -> String {
    let text = printable(text);
    if text.width() <= CELL_WIDTH_MAX {
        return text;
    }
    let mut short = String::new();
    for letter in text.chars() {
        if short.width() >= CELL_WIDTH_MAX - 1 {
            break;
        }
        short.push(letter);
    }
    short.push('…');
    short
}

/// The table as text: headings in capitals, two spaces between columns, nothing after the last one.
pub(crate) fn rendered(headings: &[String], rows: &[Vec<String>]) -> String {
    let headings: Vec<String> = headings.iter().map(|heading| heading.to_uppercase()).collect();
    let cells: Vec<Vec<String>> =
        rows.iter().map(|row| row.iter().map(|cell| fitted(cell)).collect()).collect();
    let mut widths: Vec<usize> = headings.iter().map(|heading| heading.width()).collect();
    for row in &cells {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.width());
        }
    }
    let mut text = String::new();
    for row in std::iter::once(&headings).chain(&cells) {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            line.push_str(cell);
            line.extend(std::iter::repeat_n(' ', width.saturating_sub(cell.width()) + 2));
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terminal_escapes_of_a_device_never_reach_the_terminal() {
        let shown =
            rendered(&["name".into()], &[vec!["evil\u{1b}[2J\u{7}\u{202e}name\nnext".into()]]);
        assert!(!shown.contains(['\u{1b}', '\u{7}', '\u{202e}']));
        assert_eq!(shown.lines().count(), 2);
    }

    #[test]
    fn columns_line_up_whatever_the_script() {
        let shown = rendered(
            &["a".into(), "b".into()],
            &[vec!["日本".into(), "x".into()], vec!["abcd".into(), "y".into()]],
        );
        assert_eq!(shown, "A     B\n日本  x\nabcd  y\n");
    }

    proptest::proptest! {
        #[test]
        fn any_text_gives_one_line_without_controls(text in ".*") {
            let shown = printable(&text);
            proptest::prop_assert!(!shown.chars().any(char::is_control));
        }
    }
}
