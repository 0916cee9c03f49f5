//! Errors as sentences: the whole chain, once, where it is handled.

use std::error::Error;

/// How deep causes may lie; guards against a chain that bites its tail.
const DEPTH_MAX: usize = 16;
/// The most bytes of a sentence that is kept or sent.
const SENTENCE_LENGTH_MAX: usize = 500;

/// An error with its causes, each once, bounded.
#[must_use]
pub fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut current = error.source();
    for _ in 0..DEPTH_MAX {
        let Some(cause) = current else { break };
        let said = cause.to_string();
        // Layers of the transport repeat what lies below them.
        if !said.is_empty() && !text.contains(&said) {
            text.push_str(": ");
            text.push_str(&said);
        }
        current = cause.source();
    }
    bounded(&text)
}

/// A sentence of bounded length.
#[must_use]
pub fn bounded(text: &str) -> String {
    text.chars().filter(|letter| !letter.is_control()).take(SENTENCE_LENGTH_MAX).collect()
}

/// The first cause of a type.
#[must_use]
pub fn find<'a, T: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a T> {
    let mut current = Some(error);
    for _ in 0..DEPTH_MAX {
        let error = current?;
        if let Some(found) = error.downcast_ref::<T>() {
            return Some(found);
        }
        current = error.source();
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("cannot read `x`")]
    struct Outer(#[source] std::io::Error);

    #[test]
    fn every_cause_is_said_once_and_found_again() {
        let error = Outer(std::io::Error::other("disk on fire"));
        assert_eq!(chain(&error), "cannot read `x`: disk on fire");
        assert!(find::<std::io::Error>(&error).is_some());
        assert!(find::<std::fmt::Error>(&error).is_none());
        assert_eq!(bounded(&"x".repeat(9000)).len(), SENTENCE_LENGTH_MAX);
    }
}
