//! The form of Rust sources: length of files and functions, the first line, module files, open marks.
//!
//! Functions are found by their braces after comments, strings and character literals were blanked out; no parser
//! is needed for that.

use super::Complaint;
use std::path::Path;

/// Lines of a file.
const FILE_LINES_MAX: usize = 800;

/// Lines of a function, from its name to its closing brace, without blank lines and comments (as clippy counts).
const FUNCTION_LINES_MAX: usize = 70;

/// Checks one source file.
pub(crate) fn check(path: &Path, text: &str) -> Vec<Complaint> {
    let mut complaints = Vec::new();
    let lines = text.lines().count();
    if lines > FILE_LINES_MAX {
        complaints.push(Complaint::new(
            path,
            0,
            format!("{lines} lines; a file has at most {FILE_LINES_MAX}"),
        ));
    }
    if !text.starts_with("//!") {
        complaints.push(Complaint::new(
            path,
            1,
            "the file does not begin with `//!` that says what it is",
        ));
    }
    if path.file_name().is_some_and(|name| name == "mod.rs") {
        complaints.push(Complaint::new(
            path,
            0,
            "a module's file is `name.rs` beside its folder, not `mod.rs`",
        ));
    }
    complaints.extend(unnumbered_marks(path, text));
    complaints.extend(long_functions(path, text));
    complaints
}

/// Work that is left open names the issue that will do it.
pub(crate) fn unnumbered_marks(path: &Path, text: &str) -> Vec<Complaint> {
    // Written in two parts so that this file does not complain about itself.
    const MARKS: [&str; 2] = [concat!("TO", "DO"), concat!("FIX", "ME")];
    let mut complaints = Vec::new();
    for (index, line) in text.lines().enumerate() {
        for mark in MARKS {
            let is_open = words_at(line, mark).any(|rest| !is_numbered(rest));
            if is_open {
                complaints.push(Complaint::new(
                    path,
                    index + 1,
                    format!("{mark} without a number: write {mark}(#123)"),
                ));
            }
        }
    }
    complaints
}

/// What follows each occurrence of a whole word.
fn words_at<'a>(line: &'a str, word: &str) -> impl Iterator<Item = &'a str> {
    line.match_indices(word).filter_map(move |(place, _)| {
        let before = line.get(..place)?.chars().next_back();
        let after = line.get(place + word.len()..)?;
        let is_part = |letter: char| letter.is_alphanumeric() || letter == '_';
        (!before.is_some_and(is_part) && !after.chars().next().is_some_and(is_part))
            .then_some(after)
    })
}

fn is_numbered(rest: &str) -> bool {
    rest.strip_prefix("(#").and_then(|rest| rest.split_once(')')).is_some_and(|(number, _)| {
        !number.is_empty() && number.bytes().all(|digit| digit.is_ascii_digit())
    })
}

fn long_functions(path: &Path, text: &str) -> Vec<Complaint> {
    let code = blanked(text);
    let lines: Vec<&str> = code.lines().collect();
    let mut complaints = Vec::new();
    for (index, line) in lines.iter().enumerate() {
        if words_at(line, "fn").next().is_none() {
            continue;
        }
        let Some(length) = length_of_block(lines.get(index..).unwrap_or_default()) else {
            continue;
        };
        if length > FUNCTION_LINES_MAX {
            let text =
                format!("a function of {length} lines; one has at most {FUNCTION_LINES_MAX}");
            complaints.push(Complaint::new(path, index + 1, text));
        }
    }
    complaints
}

/// Lines of code up to the brace that closes the first one; none when a semicolon comes first.
fn length_of_block(lines: &[&str]) -> Option<usize> {
    let mut depth = 0_usize;
    // Semicolons inside of `[u8; 4]` in the signature are no end.
    let mut brackets = 0_usize;
    for (index, line) in lines.iter().enumerate() {
        for letter in line.chars() {
            match letter {
                '[' if depth == 0 => brackets += 1,
                ']' if depth == 0 => brackets = brackets.saturating_sub(1),
                ';' if depth == 0 && brackets == 0 => return None,
                '{' => depth += 1,
                '}' => {
                    depth = depth.saturating_sub(1);
                    if depth == 0 {
                        let lines = lines.iter().take(index + 1);
                        return Some(lines.filter(|line| !line.trim().is_empty()).count());
                    }
                }
                _ => {}
            }
        }
    }
    None
}

/// The text with comments, strings and character literals replaced by blanks, line for line.
pub(crate) fn blanked(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(letter) = rest.chars().next() {
        let length = skipped_length(rest).unwrap_or(0);
        if length == 0 {
            code.push(letter);
            rest = rest.get(letter.len_utf8()..).unwrap_or_default();
            continue;
        }
        let (blank, after) = rest.split_at_checked(length).unwrap_or((rest, ""));
        code.extend(blank.chars().map(|letter| if letter == '\n' { '\n' } else { ' ' }));
        rest = after;
    }
    code
}

/// Bytes of the comment or literal that the text begins with.
fn skipped_length(text: &str) -> Option<usize> {
    if text.starts_with("//") {
        return Some(text.find('\n').unwrap_or(text.len()));
    }
    if text.starts_with("/*") {
        return Some(text.find("*/").map_or(text.len(), |end| end + 2));
    }
    if let Some(rest) = text.strip_prefix('r') {
        let hashes = rest.len() - rest.trim_start_matches('#').len();
        if rest.get(hashes..).is_some_and(|rest| rest.starts_with('"')) {
            let close = format!("\"{}", "#".repeat(hashes));
            let begin = 2 + hashes;
            let end = text.get(begin..).and_then(|body| body.find(&close));
            return Some(end.map_or(text.len(), |end| begin + end + close.len()));
        }
        // `r` is also the begin of a word.
        return None;
    }
    if text.starts_with('"') {
        return Some(quoted_length(text, '"'));
    }
    if text.starts_with('\'') {
        // A lifetime has no second quote after one letter.
        let mut letters = text.chars().skip(1);
        let first = letters.next()?;
        if first == '\\' {
            return Some(quoted_length(text, '\''));
        }
        return (letters.next() == Some('\'')).then(|| 2 + first.len_utf8());
    }
    None
}

fn quoted_length(text: &str, quote: char) -> usize {
    let mut is_escaped = false;
    for (place, letter) in text.char_indices().skip(1) {
        match letter {
            _ if is_escaped => is_escaped = false,
            '\\' => is_escaped = true,
            _ if letter == quote => return place + 1,
            _ => {}
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(path: &str, text: &str) -> Vec<String> {
        check(Path::new(path), text).into_iter().map(|complaint| complaint.text).collect()
    }

    #[test]
    fn a_long_file_is_complained_about() {
        let text = format!("//! x\n{}", "\n".repeat(FILE_LINES_MAX));
        assert_eq!(texts("a.rs", &text).len(), 1);
    }

    #[test]
    fn a_file_without_its_first_sentence_is_complained_about() {
        assert_eq!(texts("a.rs", "fn main() {}\n").len(), 1);
        assert_eq!(texts("a.rs", "//! The binary.\nfn main() {}\n"), Vec::<String>::new());
    }

    #[test]
    fn a_mod_rs_is_complained_about() {
        assert_eq!(texts("a/mod.rs", "//! x\n").len(), 1);
    }

    #[test]
    fn an_open_mark_without_number_is_complained_about() {
        let mark = concat!("TO", "DO");
        assert_eq!(texts("a.rs", &format!("//! x\n// {mark}: later\n")).len(), 1);
        assert_eq!(texts("a.rs", &format!("//! x\n// {mark}(later): x\n")).len(), 1);
        assert_eq!(texts("a.rs", &format!("//! x\n// {mark}(#12): x\n")).len(), 0);
        assert_eq!(texts("a.rs", &format!("//! x\n// {mark}S is another word\n")).len(), 0);
    }

    #[test]
    fn a_long_function_is_complained_about_even_with_braces_in_strings() {
        let body = "    let _ = \"}}}\"; // }\n\n    // only said\n".repeat(FUNCTION_LINES_MAX - 1);
        let complaints = check(Path::new("a.rs"), &format!("//! x\nfn long() {{\n{body}}}\n"));
        assert_eq!(complaints.len(), 1);
        assert_eq!(complaints[0].line, 2);
        let body = "    x();\n\n    // only said\n".repeat(FUNCTION_LINES_MAX - 2);
        assert_eq!(texts("a.rs", &format!("//! x\nfn short() {{\n{body}}}\n")).len(), 0);
    }

    #[test]
    fn a_declaration_without_body_does_not_count_what_follows() {
        let rest = "const X: u8 = 1;\n".repeat(FUNCTION_LINES_MAX + 5);
        assert_eq!(
            texts("a.rs", &format!("//! x\ntrait T {{ fn f(&self) -> [u8; 4]; }}\n{rest}")).len(),
            0
        );
    }

    #[test]
    fn comments_strings_and_letters_are_blanked_and_lifetimes_are_not() {
        assert_eq!(blanked("a // b\nc"), "a     \nc");
        assert_eq!(blanked("r#\"{\"#;"), "      ;");
        assert_eq!(blanked("'{' '\\'' 'a"), "         'a");
        assert_eq!(blanked("\"\\\"{\" x"), "      x");
        assert_eq!(blanked("/* { \n */x"), "     \n   x");
    }
}
