//! The lock file of the class catalog: `class.attribute:kind:unit:nature`, one a line, sorted.

/// A line of the lock that the code no longer says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShrunkLock {
    /// Those lines.
    pub lines: Vec<String>,
}

impl std::fmt::Display for ShrunkLock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "the class catalog only grows, but these declarations are gone or changed: {}; declare them again beside the new ones, or record in docs/decisions why what was stored with them may be lost and take their lines out of {}",
            self.lines.join(", "),
            crate::LOCK_PATH
        )
    }
}

impl std::error::Error for ShrunkLock {}

/// The new text of the lock.
pub(crate) fn grown(lock: &str, declared: &[String]) -> Result<String, ShrunkLock> {
    let lost: Vec<String> = lock
        .lines()
        .filter(|line| !declared.iter().any(|other| other == line))
        .map(str::to_owned)
        .collect();
    if !lost.is_empty() {
        return Err(ShrunkLock { lines: lost });
    }
    Ok(declared.iter().map(|line| format!("{line}\n")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_is_gone_or_changed_is_refused() {
        let declared = ["host.fqdn:text::fact".to_owned()];
        let error = grown("host.fqdn:text::fact\nhost.name:text::fact\n", &declared).unwrap_err();
        assert_eq!(error.lines, ["host.name:text::fact"]);
        assert!(grown("host.fqdn:count::fact\n", &declared).is_err());
    }

    #[test]
    fn a_new_line_is_added() {
        let declared = ["a.b:text::fact".to_owned(), "a.c:text::fact".to_owned()];
        assert_eq!(
            grown("a.c:text::fact\n", &declared).unwrap(),
            "a.b:text::fact\na.c:text::fact\n"
        );
    }
}
