//! The command line.

use clap::{Args, Parser, Subcommand, ValueEnum};
use control_plane::config::{Config, STATE_DIRECTORY};
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

/// The control plane of Dharma: takes what agents observe and answers questions about it.
#[derive(Debug, Parser)]
#[command(name = "dharma-control-plane", version, disable_help_subcommand = true)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run until it is told to stop.
    Run(RunArguments),
    /// Make, list and revoke tokens; works while the control plane runs.
    Token {
        #[command(subcommand)]
        command: TokenCommand,
    },
    /// Look into the state without changing it.
    Inspect {
        #[command(flatten)]
        state: StateArgument,
        #[command(subcommand)]
        what: InspectCommand,
    },
    /// Print the description of an API.
    Schema {
        /// Which.
        #[arg(value_enum)]
        api: Api,
    },
    /// Help a person who cannot log in.
    User {
        #[command(subcommand)]
        command: UserCommand,
    },
    /// Print the version.
    Version,
    /// Print a completion script for a shell.
    Completion {
        /// Which shell.
        shell: clap_complete::Shell,
    },
}

#[derive(Debug, Args)]
pub(crate) struct RunArguments {
    /// Configuration file; /etc/dharma/control-plane.toml is read when it is there.
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Folder of the state [default: /var/lib/dharma].
    #[arg(long, value_name = "DIR")]
    state: Option<PathBuf>,
    /// Address of the console, REST, GraphQL and gRPC queries [default: 127.0.0.1:7400].
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<SocketAddr>,
    /// Address where agents report, over mutual TLS [default: 127.0.0.1:7443].
    #[arg(long, value_name = "ADDRESS:PORT")]
    uplink: Option<SocketAddr>,
    /// Address where agents join, over TLS [default: 127.0.0.1:7444].
    #[arg(long, value_name = "ADDRESS:PORT")]
    enroll: Option<SocketAddr>,
    /// Let other hosts reach all three at this address; turns TLS on for the console.
    #[arg(long, value_name = "ADDRESS")]
    bind: Option<IpAddr>,
    /// A name by which other hosts reach it; the first is told to agents. May be repeated.
    #[arg(long = "name", value_name = "NAME")]
    names: Vec<String>,
    /// Serve the console from this folder instead of the one inside the program.
    #[arg(long, value_name = "DIR")]
    console_dir: Option<PathBuf>,
    /// Write the addresses into this file, as JSON, once everything is served.
    #[arg(long, value_name = "FILE")]
    ready_file: Option<PathBuf>,
    /// File that declares classes and attributes of your own [default: classes.toml of the state].
    #[arg(long, value_name = "FILE")]
    classes: Option<PathBuf>,
    /// Keep history for so many days; 0 for ever [default: 400].
    #[arg(long, value_name = "DAYS")]
    history_days: Option<u32>,
    /// Write the log as JSON lines.
    #[arg(long)]
    pub(crate) log_json: bool,
}

impl RunArguments {
    /// What the command line says, to be laid over the file.
    pub(crate) fn config(&self) -> Config {
        Config {
            state: self.state.clone(),
            listen: self.listen,
            uplink: self.uplink,
            enroll: self.enroll,
            bind: self.bind,
            names: self.names.clone(),
            console_dir: self.console_dir.clone(),
            ready_file: self.ready_file.clone(),
            classes: self.classes.clone(),
            history_days: self.history_days,
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct StateArgument {
    /// Folder of the state.
    #[arg(long, value_name = "DIR", default_value = STATE_DIRECTORY)]
    pub(crate) state: PathBuf,
}

#[derive(Debug, Subcommand)]
pub(crate) enum TokenCommand {
    /// Make a token. Its text is printed once, or written into a file.
    Create(TokenCreateArguments),
    /// List the tokens, without their secrets.
    List {
        #[command(flatten)]
        state: StateArgument,
    },
    /// Revoke a token. Agents that joined by it stay.
    Revoke {
        #[command(flatten)]
        state: StateArgument,
        /// Id of the token.
        id: String,
    },
}

#[derive(Debug, Args)]
pub(crate) struct TokenCreateArguments {
    #[command(flatten)]
    pub(crate) state: StateArgument,
    /// What the token is for.
    #[arg(long, value_enum, default_value_t = Kind::Join)]
    pub(crate) kind: Kind,
    /// How long it is good, such as 15m, 2h or 7d; a bare number is seconds [default: 1h for join tokens, 90d for
    /// others].
    #[arg(long, value_name = "DURATION", value_parser = life)]
    pub(crate) ttl: Option<Duration>,
    /// How many agents may join by it.
    #[arg(long, default_value_t = 1)]
    pub(crate) uses: u32,
    /// Site of the agents that join by it.
    #[arg(long, default_value = "")]
    pub(crate) site: String,
    /// Label of the agents that join by it, as NAME=VALUE. May be repeated.
    #[arg(long = "label", value_name = "NAME=VALUE")]
    pub(crate) labels: Vec<String>,
    /// What to call it.
    #[arg(long, default_value = "")]
    pub(crate) name: String,
    /// What an access token grants. May be repeated [default: read].
    #[arg(long = "scope", value_name = "read|write|admin")]
    pub(crate) scopes: Vec<String>,
    /// Whose personal token it is.
    #[arg(long, value_name = "NAME")]
    pub(crate) user: Option<String>,
    /// Write the text into this file, which only its owner can read, instead of printing it.
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
}

/// A duration with its unit; scripts of before there were units give seconds.
fn life(text: &str) -> Result<Duration, pki::InvalidLife> {
    pki::life_from(text).or_else(|_| pki::life_from(&format!("{text}s")))
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kind {
    /// For agents that join.
    Join,
    /// For a person.
    Personal,
    /// For a program.
    Service,
}

#[derive(Debug, Subcommand)]
pub(crate) enum InspectCommand {
    /// The agents and their certificates.
    Agents,
    /// How the background tasks fare.
    Tasks,
    /// One item, with everything that is known of it.
    Item {
        /// Id of the item.
        id: String,
    },
    /// The newest changes.
    Changes {
        /// How many.
        #[arg(long, default_value_t = 50)]
        limit: u32,
    },
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Api {
    /// The GraphQL schema.
    Graphql,
    /// The OpenAPI document.
    Openapi,
}

#[derive(Debug, Subcommand)]
pub(crate) enum UserCommand {
    /// Print a code by which a person sets a new password on the console's first page.
    Reset {
        #[command(flatten)]
        state: StateArgument,
        /// Name of the person.
        name: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_arguments_fit_together() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn a_life_has_a_unit_or_is_in_seconds_and_anything_else_is_refused() {
        for wrong in ["", "0", "0s", "1w", "h", "-5", "5ms", "1.5h", "10ss"] {
            assert!(life(wrong).is_err(), "{wrong}");
        }
        let seconds = |text| life(text).map(|life| life.as_secs()).ok();
        assert_eq!((seconds("10m"), seconds("2h")), (Some(600), Some(7200)));
        assert_eq!((seconds("1d"), seconds("600")), (Some(86_400), Some(600)));
    }
}
