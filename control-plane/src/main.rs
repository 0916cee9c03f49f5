//! The binary `dharma-control-plane`: reads its arguments and does what they say.
//!
//! Deliberately thin: what it assembles is the library `control_plane`, which tests drive in the same way.

mod arguments;
mod commands;

use std::process::ExitCode;

/// Deciding and writing make many small values on one thread and drop them on another, which the C library's
/// allocator does slowly.
#[cfg(unix)]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    commands::run()
}
