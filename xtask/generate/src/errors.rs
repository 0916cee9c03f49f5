//! The index of error codes, made of the pages that describe them.

use crate::{NOTICE, Page, cell};
use anyhow::{Context, Result, bail};
use std::fmt::Write;
use std::path::Path;

/// The folder of the pages.
const FOLDER: &str = "docs/reference/errors";

/// The index of the pages below `root`.
///
/// # Errors
/// When a page cannot be read or does not begin with `# CODE: title`.
pub(crate) fn index(root: &Path) -> Result<Page> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(root.join(FOLDER)).context(FOLDER)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if name.ends_with(".md") && name != "README.md" {
            names.push(name);
        }
    }
    names.sort();
    let mut text = format!("# Error codes\n\n{NOTICE}");
    text.push_str("An error that an operator can meet has a code and a page here: cause, consequence, remedy. ");
    text.push_str("The code stands in the log line, in the API's answer (`application/problem+json`, field `code`) ");
    text.push_str("and in the agent's status.\n\n| code | meaning |\n|---|---|\n");
    for name in names {
        let page =
            std::fs::read_to_string(root.join(FOLDER).join(&name)).with_context(|| name.clone())?;
        let Some((code, title)) = heading(&page) else {
            bail!("{FOLDER}/{name} does not begin with `# CODE: title`");
        };
        if format!("{code}.md") != name {
            bail!("{FOLDER}/{name} describes {code}");
        }
        let _ok = writeln!(text, "| [`{code}`]({name}) | {} |", cell(title));
    }
    Ok(Page::new(format!("{FOLDER}/README.md"), text))
}

fn heading(page: &str) -> Option<(&str, &str)> {
    page.lines().next()?.strip_prefix("# ")?.split_once(": ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder() -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(root.path().join(FOLDER)).unwrap();
        root
    }

    fn write(root: &tempfile::TempDir, name: &str, text: &str) {
        std::fs::write(root.path().join(FOLDER).join(name), text).unwrap();
    }

    #[test]
    fn a_page_without_its_heading_or_with_that_of_another_is_refused() {
        let root = folder();
        write(&root, "NOT_FOUND.md", "Not found\n");
        assert!(index(root.path()).is_err());
        write(&root, "NOT_FOUND.md", "# FOUND: It is there\n");
        assert!(index(root.path()).is_err());
    }

    #[test]
    fn the_pages_stand_in_the_index_in_order() {
        let root = folder();
        write(&root, "NOT_FOUND.md", "# NOT_FOUND: There is none\n");
        write(&root, "INTERNAL.md", "# INTERNAL: Broken\n");
        write(&root, "README.md", "old");
        let text = index(root.path()).unwrap().text;
        let place = |code: &str| text.find(&format!("[`{code}`]({code}.md)")).unwrap();
        assert!(place("INTERNAL") < place("NOT_FOUND"));
        assert!(!text.contains("old"));
    }
}
