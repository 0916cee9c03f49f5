//! Puts pages where they belong, or only compares.

use crate::Page;
use anyhow::{Context, Result};
use std::path::Path;

/// Whether to write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Write what differs.
    Write,
    /// Only say what differs.
    Check,
}

/// What became of a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was there already.
    Same,
    /// It was written.
    Written,
    /// It differs and was not written.
    Differs,
}

/// Places one page below `root`.
///
/// # Errors
/// When it cannot be written.
pub fn place(root: &Path, page: &Page, mode: Mode) -> Result<Outcome> {
    let path = root.join(&page.path);
    if std::fs::read_to_string(&path).is_ok_and(|there| there == page.text) {
        return Ok(Outcome::Same);
    }
    if mode == Mode::Check {
        return Ok(Outcome::Differs);
    }
    let cannot = || format!("cannot write {}", path.display());
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).with_context(cannot)?;
    }
    std::fs::write(&path, &page.text).with_context(cannot)?;
    Ok(Outcome::Written)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comparing_writes_nothing_and_writing_makes_the_next_comparison_equal() {
        let root = tempfile::tempdir().unwrap();
        let page = Page::new("a/b.md", "text\n".into());
        assert_eq!(place(root.path(), &page, Mode::Check).unwrap(), Outcome::Differs);
        assert!(!root.path().join("a").exists());
        assert_eq!(place(root.path(), &page, Mode::Write).unwrap(), Outcome::Written);
        assert_eq!(place(root.path(), &page, Mode::Check).unwrap(), Outcome::Same);
    }
}
