//! `dharma`: what people and scripts type.
//!
//! Everything goes through the public REST API; the program has no rights beyond those of the person who logged
//! in. Data goes to standard output and nothing else does: progress, hints and errors go to standard error, so
//! that output can be piped. The exit code tells what kind of thing went wrong (`dharma help-exit-codes`).

mod arguments;
mod client;
mod commands;
mod context;
mod error;
mod output;
mod table;

use clap::Parser;
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments = match arguments::Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            // clap decides between standard output (help) and standard error (usage), and its codes are 0 and 2.
            let code = if error.use_stderr() { error::USAGE } else { 0 };
            drop(error.print());
            return ExitCode::from(code);
        }
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let result = match runtime {
        Ok(runtime) => runtime.block_on(commands::run(arguments)),
        Err(source) => Err(error::Error::Local { what: "start the runtime".to_owned(), source }),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            error.explain();
            ExitCode::from(error.exit_code())
        }
    }
}
