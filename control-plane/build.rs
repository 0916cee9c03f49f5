//! Builds the program again when the console was built.
//!
//! Makes nothing: the console's files are embedded by a macro, which does not notice a folder that appears later.

use std::path::Path;

fn main() {
    let built = "../console/dist";
    let watched = if Path::new(built).exists() { built } else { "../console/package.json" };
    println!("cargo::rerun-if-changed={watched}");
    println!("cargo::rerun-if-env-changed=DHARMA_CONSOLE_BUILD");
    println!("cargo::rerun-if-changed=../docs/reference/errors");
}
