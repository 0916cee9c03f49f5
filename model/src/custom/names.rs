//! What names, labels and sentences of the user's own classes may look like.

/// Bytes of a name; half of what the wire carries.
const NAME_BYTES_MAX: usize = 64;

/// Letters of a label: what fits the heading of a column.
const LABEL_LETTERS_MAX: usize = 60;

/// Letters of a description.
const DOC_LETTERS_MAX: usize = 2000;

/// Words that every item has beside its attributes, in the APIs and in queries. An attribute or class of that name
/// could not be asked for.
const RESERVED: &[&str] = &[
    "agents",
    "at",
    "attributes",
    "changes",
    "class",
    "classes",
    "confidence",
    "first_seen",
    "id",
    "item",
    "items",
    "kind",
    "last_seen",
    "parent",
    "parent_id",
    "parts",
    "provenance",
    "relations",
    "revision",
    "scopes",
    "source",
    "state",
    "text",
    "title",
    "type",
    "verb",
];

/// A name: lower snake case, begins with a letter, not reserved.
pub(super) fn check_name(name: &str) -> Result<(), String> {
    let begins_well = name.bytes().next().is_some_and(|first| first.is_ascii_lowercase());
    let is_snake =
        name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
    if !begins_well || !is_snake || name.contains("__") || name.ends_with('_') {
        return Err(format!(
            "`{}` is no name: write lower-case letters, digits and single underscores, beginning with a letter",
            shortened(name)
        ));
    }
    if name.len() > NAME_BYTES_MAX {
        return Err(format!(
            "the name `{}` is too long: at most {NAME_BYTES_MAX} letters",
            shortened(name)
        ));
    }
    if RESERVED.contains(&name) {
        return Err(format!("`{name}` is reserved, every item has it: choose another name"));
    }
    Ok(())
}

/// An icon of the console's set: lower-case words with hyphens.
pub(super) fn check_icon(name: &str) -> Result<(), String> {
    let is_word = |word: &str| {
        !word.is_empty()
            && word.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
    };
    if name.len() > NAME_BYTES_MAX || !name.split('-').all(is_word) {
        return Err(format!("`{}` is no icon: write a name such as hard-drive", shortened(name)));
    }
    Ok(())
}

/// A label: one short line.
pub(super) fn check_label(label: &str) -> Result<(), String> {
    check_line(label, "label", LABEL_LETTERS_MAX)
}

/// A description: at least one full sentence.
pub(super) fn check_doc(doc: &str) -> Result<(), String> {
    check_line(doc, "doc", DOC_LETTERS_MAX)?;
    if !doc.trim_end().ends_with(['.', '?', '!', ':']) {
        return Err("`doc` is a full sentence and ends with a full stop".into());
    }
    Ok(())
}

fn check_line(text: &str, what: &str, letters_max: usize) -> Result<(), String> {
    if text.trim().is_empty() {
        return Err(format!("`{what}` is empty"));
    }
    // A right-to-left override could make a heading read as something else.
    let is_hidden = |letter: char| {
        letter.is_control()
            || matches!(letter, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    if text.trim().chars().any(|letter| is_hidden(letter) && letter != '\n') {
        return Err(format!("`{what}` has characters that are not shown"));
    }
    if text.chars().count() > letters_max {
        return Err(format!("`{what}` is too long: at most {letters_max} letters"));
    }
    Ok(())
}

fn shortened(text: &str) -> String {
    text.chars().take(80).collect()
}
