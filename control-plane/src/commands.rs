//! What each command does. Only here does the program print.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "the commands' answers go to standard output, their errors to standard error"
)]

mod inspect;
mod run;
mod schema;
mod token;
mod user;

use crate::arguments::{Arguments, Command};
use anyhow::Context;
use clap::{CommandFactory, Parser};
use control_plane::api::error::ApiError;
use control_plane::server::State;
use environment::{Clock, SystemClock};
use std::path::Path;
use std::process::ExitCode;

/// The exit code of a failure that has no other.
const FAILURE: u8 = 1;

/// Does what the command line says.
pub(crate) fn run() -> ExitCode {
    let arguments = Arguments::parse();
    match execute(arguments.command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("dharma-control-plane: {error:#}");
            let code = error.downcast_ref::<ApiError>().map_or(FAILURE, |error| error.code.exit());
            ExitCode::from(code)
        }
    }
}

fn execute(command: Command) -> anyhow::Result<()> {
    match command {
        Command::Run(arguments) => asynchronous(run::run(arguments)),
        Command::Token { command } => asynchronous(token::run(command)),
        Command::Inspect { state, what } => asynchronous(inspect::run(state.state, what)),
        Command::User { command } => asynchronous(user::run(command)),
        Command::Schema { api } => schema::run(api),
        Command::Version => {
            println!("dharma-control-plane {}", env!("CARGO_PKG_VERSION"));
            Ok(())
        }
        Command::Completion { shell } => {
            let mut command = Arguments::command();
            clap_complete::generate(
                shell,
                &mut command,
                "dharma-control-plane",
                &mut std::io::stdout(),
            );
            Ok(())
        }
    }
}

fn asynchronous(work: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<()> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")?
        .block_on(work)
}

/// Opens a state that is there, beside a server that may run.
fn open_state(path: &Path) -> anyhow::Result<State> {
    Ok(State::open_beside(path, SystemClock.wall())?)
}
