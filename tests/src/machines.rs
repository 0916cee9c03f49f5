//! Machines that the build machine is not: a container with a booted systemd, a guest with real firmware tables, and
//! a host of container engines.
//!
//! What the host collector says is held against what each machine's own tools say of it. All are made from Debian's
//! packages, once, and kept in a cache folder outside the checkout.

pub mod archive;
pub mod container;
pub mod engines;
pub mod guest;
pub mod supplies;

use anyhow::{Context, Result, bail};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Where made machines are kept: `DHARMA_PEER_CACHE`, or the user's cache folder.
///
/// # Errors
/// When there is no home folder, or the folder cannot be made.
pub fn cache() -> Result<PathBuf> {
    let folder = match std::env::var_os("DHARMA_PEER_CACHE") {
        Some(folder) => PathBuf::from(folder),
        None => PathBuf::from(std::env::var_os("HOME").context("HOME is not set")?)
            .join(".cache/dharma/machines"),
    };
    std::fs::create_dir_all(&folder)?;
    Ok(folder)
}

/// Runs a command to its end and gives its standard output.
///
/// # Errors
/// When it cannot be started (the error names the package that brings it) or fails (with what it said).
pub fn output_of(package: &str, program: &str, arguments: &[&str]) -> Result<Vec<u8>> {
    let output = Command::new(program)
        .args(arguments)
        .output()
        .with_context(|| format!("cannot run {program}; install it: apt-get install {package}"))?;
    if !output.status.success() {
        bail!(
            "{program} {}: {}\n{}",
            arguments.join(" "),
            output.status,
            String::from_utf8_lossy(&output.stderr)
        );
    }
    Ok(output.stdout)
}

/// The Debian mirror that this machine uses.
///
/// # Errors
/// When apt names none.
pub fn mirror() -> Result<String> {
    let policy = output_of("apt", "apt-cache", &["policy"])?;
    let policy = String::from_utf8_lossy(&policy).into_owned();
    policy
        .split_whitespace()
        .find(|word| word.starts_with("http") && word.trim_end_matches('/').ends_with("/debian"))
        .map(str::to_owned)
        .context("apt names no Debian mirror; run apt-get update")
}

/// Waits until something is so that has no event.
///
/// # Errors
/// When it is not so within `limit`, or asking fails.
pub fn wait_until(
    what: &str,
    limit: std::time::Duration,
    mut is_so: impl FnMut() -> Result<bool>,
) -> Result<()> {
    use environment::Clock;
    let clock = environment::SystemClock;
    let begun = clock.monotonic();
    while !is_so()? {
        anyhow::ensure!(clock.monotonic() - begun < limit, "not within {limit:?}: {what}");
        #[expect(
            clippy::disallowed_methods,
            reason = "another system is waited for, and it has no event for it"
        )]
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    Ok(())
}

/// The shared libraries that a program needs, by their paths on this machine, with the loader.
///
/// # Errors
/// When ldd cannot be run.
pub fn libraries(program: &Path) -> Result<Vec<PathBuf>> {
    let listing = output_of("libc-bin", "ldd", &[&program.to_string_lossy()])?;
    let listing = String::from_utf8_lossy(&listing).into_owned();
    Ok(listing.split_whitespace().filter(|word| word.starts_with('/')).map(PathBuf::from).collect())
}
