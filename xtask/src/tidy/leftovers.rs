//! Leftovers of work: notes, copies of editors and merges, and words that only whoever worked on it understands.

use super::Complaint;
use std::path::Path;

/// Ends of names that editors and merges leave.
const ENDS: [&str; 6] = [".bak", ".orig", ".rej", ".swp", ".tmp", "~"];

/// Names of notes, in capitals and without their ending.
const NOTES: [&str; 8] =
    ["DRAFT", "MEMO", "NOTES", "PLAN", "SCRATCH", "SPECIFICATION", "TASKS", concat!("TO", "DO")];

/// Words that say how something was made instead of what it is. Each is written in two parts, so that this file
/// does not complain about itself.
const WORDS: [&str; 6] = [
    concat!("anth", "ropic"),
    concat!("chat", "gpt"),
    concat!("clau", "de"),
    concat!("cop", "ilot"),
    concat!("open", "ai"),
    concat!("sub", "agent"),
];

/// Places of a machine that is not the reader's.
const PLACES: [&str; 3] =
    [concat!("/work", "/main"), concat!("/work", "/shared"), concat!("/tmp", "/plan")];

/// Longer lines are packed data and have no words.
const LINE_BYTES_MAX: usize = 2_000;

/// A file whose name is that of a leftover.
pub(crate) fn name(path: &Path) -> Option<Complaint> {
    let name = path.file_name()?.to_str()?;
    let is_copy = ENDS.iter().any(|end| name.ends_with(end)) || name == ".DS_Store";
    let stem = name.strip_suffix(".md").or_else(|| name.strip_suffix(".txt"));
    let is_note = stem.is_some_and(|stem| NOTES.contains(&stem.to_uppercase().as_str()));
    (is_copy || is_note).then(|| {
        let text = "looks like a leftover; what others need stands in docs/ or beside the code";
        Complaint::new(path, 0, text)
    })
}

/// Lines that speak of how the work was done.
pub(crate) fn words(path: &Path, text: &str) -> Vec<Complaint> {
    let mut complaints = Vec::new();
    for (index, line) in text.lines().enumerate() {
        if line.len() > LINE_BYTES_MAX {
            continue;
        }
        let lower = line.to_ascii_lowercase();
        let word = lower
            .split(|letter: char| !letter.is_alphanumeric())
            .find(|word| WORDS.contains(word))
            .or_else(|| PLACES.iter().copied().find(|place| lower.contains(place)));
        if let Some(word) = word {
            let text = format!("`{word}` says how it was made, not what it is");
            complaints.push(Complaint::new(path, index + 1, text));
        }
    }
    complaints
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_or_a_copy_is_complained_about_and_a_page_is_not() {
        for leftover in [
            "SPECIFICATION.md",
            "docs/notes.md",
            "agent/plan.txt",
            "a.rs.orig",
            "b.rs~",
            "x/.DS_Store",
        ] {
            assert!(name(Path::new(leftover)).is_some(), "{leftover}");
        }
        for page in ["README.md", "docs/reference/performance.md", "agent/src/plan.rs"] {
            assert!(name(Path::new(page)).is_none(), "{page}");
        }
    }

    #[test]
    fn words_and_places_of_the_work_are_complained_about_as_whole_words() {
        let path = Path::new("a.md");
        for word in WORDS {
            assert_eq!(
                words(path, &format!("As {} said.", word.to_uppercase())).len(),
                1,
                "{word}"
            );
        }
        for place in PLACES {
            assert_eq!(words(path, &format!("see {place}/x")).len(), 1, "{place}");
        }
        assert_eq!(words(path, "the small frameworks of the pilot"), []);
    }
}
