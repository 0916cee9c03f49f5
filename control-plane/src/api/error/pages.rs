//! The pages of the error codes, inside the program, so that a problem's `type` leads somewhere without a network.

use rust_embed::RustEmbed;

#[derive(RustEmbed)]
#[folder = "../docs/reference/errors"]
#[allow_missing = true]
struct Pages;

/// The page of a code, Markdown.
#[must_use]
pub fn page(code: &str) -> Option<String> {
    let file = Pages::get(&format!("{code}.md"))?;
    String::from_utf8(file.data.into_owned()).ok()
}
