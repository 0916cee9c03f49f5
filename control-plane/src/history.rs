//! What changed, when, and said by whom.
