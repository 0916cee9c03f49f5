//! The binary `dharma-control-plane`: reads its arguments and does what they say.
//!
//! Deliberately thin: what it assembles is the library `control_plane`, which tests drive in the same way.

mod arguments;
mod commands;

use std::process::ExitCode;

fn main() -> ExitCode {
    commands::run()
}
