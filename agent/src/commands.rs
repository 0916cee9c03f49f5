//! What each command does, and how its end becomes an exit code: 0 done, 1 failed, 2 wrong usage.
#![expect(
    clippy::print_stderr,
    reason = "this is where errors reach the person who typed the command"
)]

mod collect;
mod doctor;
mod enroll;
mod inspect;
mod output;
mod run;
mod spool_tools;
mod status;

use crate::cli::{Cli, Command};
use crate::config::Config;
use crate::place;
use anyhow::Context;
use clap::{CommandFactory, Parser};
use std::path::Path;
use std::process::ExitCode;

/// How a command ended, when it did not fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Done,
    /// It worked and found something that is not well.
    NotWell,
}

/// Runs what the command line says.
#[must_use]
pub fn main() -> ExitCode {
    // Wrong usage ends in here with 2, help and version with 0.
    let cli = Cli::parse();
    match dispatch(cli) {
        Ok(Outcome::Done) => ExitCode::SUCCESS,
        Ok(Outcome::NotWell) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("dharma-agent: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn dispatch(cli: Cli) -> anyhow::Result<Outcome> {
    let config = || load_config(cli.config.as_deref());
    match cli.command {
        Command::Run(how) => on_runtime(run::run(&cli.state, config()?, how)),
        Command::Enroll(how) => on_runtime(enroll::enroll(&cli.state, config()?, how)),
        Command::Status { json } => status::status(&cli.state, json),
        Command::Inspect { what, json } => inspect::inspect(&cli.state, config(), what, json),
        Command::Collect(what) => on_runtime(collect::collect(&cli.state, what)),
        Command::Spool(command) => spool_tools::run(&cli.state, command),
        Command::Doctor(how) => on_runtime(doctor::doctor(&cli.state, config(), how)),
        Command::Completion { shell } => {
            output::completion(shell, &mut Cli::command());
            Ok(Outcome::Done)
        }
        Command::Version => {
            output::line(format_args!("dharma-agent {}", crate::VERSION));
            Ok(Outcome::Done)
        }
        Command::LookChild => {
            start_logging();
            on_runtime(async {
                crate::child::work().await.context("cannot look on behalf of the agent")?;
                Ok(Outcome::Done)
            })
        }
    }
}

/// The configuration: the file that was named, or the installed one if there is one.
fn load_config(named: Option<&Path>) -> anyhow::Result<Config> {
    let path = named.unwrap_or(Path::new(place::CONFIG_FILE));
    Ok(Config::load(path, named.is_some())?)
}

/// One thread for everything: the agent is idle nearly always, and threads cost memory.
fn on_runtime(work: impl Future<Output = anyhow::Result<Outcome>>) -> anyhow::Result<Outcome> {
    /// Threads that look or resolve names beside it; they end when idle.
    const BLOCKING_THREADS_MAX: usize = 4;
    /// How long an idle one stays: shorter than any interval.
    const BLOCKING_THREADS_IDLE: std::time::Duration = std::time::Duration::from_secs(1);
    /// How long a hanging look can hold up the end of the process.
    const END_LIMIT: std::time::Duration = std::time::Duration::from_millis(500);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(BLOCKING_THREADS_MAX)
        .thread_keep_alive(BLOCKING_THREADS_IDLE)
        .build()
        .context("cannot start the runtime")?;
    let outcome = runtime.block_on(work);
    runtime.shutdown_timeout(END_LIMIT);
    outcome
}

/// Logs to standard error, which the service manager keeps. `DHARMA_LOG` sets what is logged: a level, or levels by
/// module as in `info,agent::uplink=debug`.
fn start_logging() {
    use std::io::IsTerminal;
    use tracing_subscriber::filter::Targets;
    use tracing_subscriber::layer::SubscriberExt;
    use tracing_subscriber::util::SubscriberInitExt;
    let wanted = std::env::var("DHARMA_LOG").ok().and_then(|text| text.parse::<Targets>().ok());
    // Plain targets instead of the filter language with patterns: that one takes a megabyte of the binary.
    let filter = wanted.unwrap_or_else(|| Targets::new().with_default(tracing::Level::INFO));
    let logging = tracing_subscriber::fmt::layer()
        .compact()
        .with_writer(std::io::stderr)
        .with_target(false)
        .with_ansi(std::io::stderr().is_terminal());
    let registry = tracing_subscriber::registry().with(filter);
    // The journal stamps each line by itself.
    let started = if std::env::var_os("JOURNAL_STREAM").is_some() {
        registry.with(logging.without_time()).try_init()
    } else {
        registry.with(logging).try_init()
    };
    if let Err(error) = started {
        eprintln!("dharma-agent: cannot start logging: {error}");
    }
}
