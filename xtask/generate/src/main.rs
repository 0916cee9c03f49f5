//! The program behind `cargo xtask generate`: `generate ROOT [--check]`.
#![expect(clippy::print_stdout, reason = "this is the output of a command-line program")]

use anyhow::{Context, Result, bail};
use generate::{Mode, Outcome, pages, place};
use std::path::PathBuf;
use std::process::ExitCode;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    let mut arguments = std::env::args_os().skip(1);
    let root = PathBuf::from(arguments.next().context("usage: generate ROOT [--check]")?);
    let mode = if arguments.next().is_some_and(|argument| argument == "--check") {
        Mode::Check
    } else {
        Mode::Write
    };
    let mut differing = Vec::new();
    for page in pages(&root)? {
        match place(&root, &page, mode)? {
            Outcome::Same => {}
            Outcome::Written => println!("wrote {}", page.path.display()),
            Outcome::Differs => differing.push(page.path.display().to_string()),
        }
    }
    if !differing.is_empty() {
        bail!("not what the code says: {}; run `cargo xtask generate`", differing.join(", "));
    }
    Ok(())
}
