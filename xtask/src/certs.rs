//! `cargo xtask certs`: an authority for development and an agent certificate of it, in `certs-dev/`.
//!
//! They are made by the product's own code (an example of `pki`), and git ignores them.

use crate::shell;
use crate::workspace::{cargo, root};
use anyhow::Result;
use std::process::ExitCode;

/// Makes the certificates; those that are there stay.
pub(crate) fn run() -> Result<ExitCode> {
    let directory = root().join("certs-dev");
    shell::run(
        cargo()
            .args(["run", "--quiet", "-p", "pki", "--example", "make_certificates", "--"])
            .arg(directory),
    )?;
    Ok(ExitCode::SUCCESS)
}
