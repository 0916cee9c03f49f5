//! What is wrong with a file that a person wrote: the first problems, each with its line, in a few words.
//!
//! Invariant: what is kept is bounded whatever the file holds, and the same file is told the same way.

pub use crate::custom::Problem;
use std::collections::BTreeSet;
use std::ops::Range;

/// Problems that are reported at once; more would hide the first.
const PROBLEMS_MAX: usize = 20;

/// Characters that are told of one problem: a sentence with the longest list of what may stand there.
const CHARACTERS_MAX: usize = 1_000;

/// Collects problems while a file is read to its end.
#[derive(Debug)]
pub(crate) struct Problems<'a> {
    text: &'a str,
    /// Where each begins, in bytes. Only the first are kept.
    found: BTreeSet<(usize, String)>,
}

impl<'a> Problems<'a> {
    /// None yet, of this text.
    pub(crate) const fn of(text: &'a str) -> Self {
        Self { text, found: BTreeSet::new() }
    }

    /// Notes what is wrong at a place of the text.
    pub(crate) fn note(&mut self, place: Range<usize>, text: String) {
        let cut = text.char_indices().nth(CHARACTERS_MAX).map(|(place, _)| place);
        let text = match cut.and_then(|place| text.get(..place)) {
            Some(begin) => format!("{begin} …"),
            None => text,
        };
        self.found.insert((place.start, text));
        if self.found.len() > PROBLEMS_MAX {
            self.found.pop_last();
        }
    }

    /// Whether nothing is wrong.
    pub(crate) fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// The problems in the order of lines.
    pub(crate) fn into_list(self) -> Vec<Problem> {
        let line = |place: usize| {
            let before = self.text.as_bytes().get(..place).unwrap_or_default();
            1 + before.iter().filter(|byte| **byte == b'\n').count()
        };
        let problem =
            |(place, text): &(usize, String)| Problem { line: line(*place), text: text.clone() };
        let mut problems: Vec<Problem> = self.found.iter().map(problem).collect();
        problems.sort();
        problems
    }
}

/// All problems in one line.
pub(crate) fn sentence(problems: &[Problem]) -> String {
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}
