//! The reference in the tree is what the code says.

use generate::{Mode, Outcome, pages, place};
use std::path::Path;

#[test]
fn the_generated_reference_is_up_to_date() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap();
    for page in pages(root).unwrap() {
        let outcome = place(root, &page, Mode::Check).unwrap();
        assert_eq!(outcome, Outcome::Same, "{}: run `cargo xtask generate`", page.path.display());
    }
}
