//! What developers type: `cargo xtask up`, `test`, `check`, `tidy`, `generate`, `bench`, `sim`, `fuzz`, `certs`.
//!
//! It compiles first and often, so it depends on no crate of the product; whatever needs one (the generated
//! reference, the simulation, benchmarks) is a binary of another package that is called from here.

mod bench;
mod certs;
mod console;
mod fuzz;
mod generate;
mod packages;
mod say;
mod shell;
mod steps;
mod tests;
mod tidy;
mod up;
mod workspace;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// Developer commands of Dharma.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Build what is missing and run control plane, agent and console on this machine, until Ctrl-C.
    Up(up::Arguments),
    /// Install what is missing, then run every test there is.
    Test(tests::Arguments),
    /// Format, lints, tidy and unit tests: what to run before a commit.
    Check,
    /// Check what the compiler does not: layers, sizes, names, links.
    Tidy,
    /// Write the generated parts of docs/reference.
    Generate(generate::Arguments),
    /// Run a benchmark; the last line of its output is one JSON object.
    Bench(bench::Arguments),
    /// Run the simulation with one seed, or with as many random ones as the tests do.
    Sim {
        /// The seed that a failing run printed.
        seed: Option<u64>,
    },
    /// Feed random bytes to the decoders of foreign bytes.
    Fuzz(fuzz::Arguments),
    /// Make certificates for development in certs-dev/ (they are never committed).
    Certs,
    /// Build packages for users.
    Package {
        /// deb, rpm or msi.
        form: Option<String>,
    },
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let outcome = match arguments.command {
        Command::Up(arguments) => up::run(&arguments),
        Command::Test(arguments) => tests::run(&arguments),
        Command::Check => tests::check(),
        Command::Tidy => tidy::run(),
        Command::Generate(arguments) => generate::run(&arguments),
        Command::Bench(arguments) => bench::run(&arguments),
        Command::Sim { seed } => bench::simulate(seed),
        Command::Fuzz(arguments) => fuzz::run(&arguments),
        Command::Certs => certs::run(),
        Command::Package { .. } => Err(say::plain(
            "there are no packages yet: they come with the work on packaging; until then install the binaries that `cargo build --profile dist -p agent -p control-plane -p cli` makes",
        )),
    };
    match outcome {
        Ok(code) => code,
        Err(error) => {
            say::failure(&error);
            ExitCode::FAILURE
        }
    }
}
