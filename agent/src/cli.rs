//! The command line. Every command says in its help what it does, with an example.

use clap::{Args, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;

/// Describes this host to a Dharma control plane.
#[derive(Debug, Parser)]
#[command(name = "dharma-agent", version, disable_help_subcommand = true, after_help = EXAMPLES)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
    /// Where the agent keeps its identity, spool and socket.
    #[arg(long, global = true, value_name = "DIR", default_value = crate::place::STATE_DIRECTORY)]
    pub state: PathBuf,
    /// Configuration file; the default one may be missing [default: /etc/dharma/agent.toml].
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
}

const EXAMPLES: &str = "\
Examples:
  dharma-agent run --server control.example.net:7444 --token-file /etc/dharma/join-token
  dharma-agent status
  dharma-agent doctor
  dharma-agent collect host.storage --json

Exit codes: 0 done, 1 failed, 2 wrong usage.";

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the agent in the foreground; enrolls first when there is no identity.
    #[command(after_help = "Example:\n  dharma-agent run --state /var/lib/dharma-agent")]
    Run(Enroll),
    /// Enroll this host and end. The token file is deleted after use.
    #[command(
        after_help = "Example:\n  dharma-agent enroll --server control.example.net:7444 --token-file ./join-token"
    )]
    Enroll(Enroll),
    /// Ask the running agent how it is.
    #[command(after_help = "Example:\n  dharma-agent status --json")]
    Status {
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Show what lies in the state directory; works while no agent runs, changes nothing.
    #[command(after_help = "Example:\n  dharma-agent inspect identity")]
    Inspect {
        /// What to show.
        #[arg(value_enum)]
        what: Inspected,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Look once, as the calling user, and print what is seen. Nothing is sent or kept.
    #[command(
        after_help = "Examples:\n  dharma-agent collect host --list\n  dharma-agent collect host.storage\n  sudo dharma-agent collect host --json\n  dharma-agent collect snmp --target 192.0.2.1 --credential ./lab.toml"
    )]
    Collect(Collect),
    /// Look after the spool's files.
    #[command(subcommand)]
    Spool(SpoolCommand),
    /// Check everything that the agent needs, and say what would mend it.
    #[command(after_help = "Example:\n  sudo dharma-agent doctor")]
    Doctor(Doctor),
    /// Print the completion script of a shell.
    #[command(
        after_help = "Example:\n  dharma-agent completion bash > /etc/bash_completion.d/dharma-agent"
    )]
    Completion {
        /// The shell.
        shell: clap_complete::Shell,
    },
    /// Print the version.
    Version,
    /// Look on behalf of the agent that started this process.
    #[command(name = crate::child::SUBCOMMAND, hide = true)]
    LookChild,
}

/// How to enroll.
#[derive(Clone, Debug, Args)]
pub struct Enroll {
    /// Enrollment address of the control plane, host:port.
    #[arg(long, value_name = "HOST:PORT")]
    pub server: Option<String>,
    /// File with the join token.
    #[arg(long, value_name = "FILE")]
    pub token_file: Option<PathBuf>,
}

/// What `doctor` checks against.
#[derive(Clone, Debug, Args)]
pub struct Doctor {
    /// Enrollment address to check when the agent has no identity yet, host:port.
    #[arg(long, value_name = "HOST:PORT")]
    pub server: Option<String>,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// What can be inspected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Inspected {
    /// Who this agent is, and until when.
    Identity,
    /// The configuration in force, and where each value comes from.
    Config,
    /// What waits in the spool.
    Spool,
    /// What was last reported of each scope.
    Runs,
}

/// What to look at.
#[derive(Clone, Debug, Args)]
pub struct Collect {
    /// Collector, or collector and scope: `host`, `host.storage`.
    #[arg(value_name = "NAME[.SCOPE]")]
    pub name: String,
    /// Print JSON, an observation a line.
    #[arg(long, conflicts_with = "table")]
    pub json: bool,
    /// Print a table (the default).
    #[arg(long)]
    pub table: bool,
    /// List the scopes instead of looking.
    #[arg(long)]
    pub list: bool,
    /// Where the described file system begins.
    #[arg(long, value_name = "DIR", default_value = "/")]
    pub root: PathBuf,
    /// Address or name to read, by a collector that reads over the network.
    #[arg(long, value_name = "ADDRESS", conflicts_with = "root")]
    pub target: Option<String>,
    /// The port, where it is not the protocol's own.
    #[arg(long, requires = "target")]
    pub port: Option<u16>,
    /// File with a credential (TOML or JSON, mode 0600) to try; may be repeated.
    #[arg(long = "credential", value_name = "FILE", requires = "target")]
    pub credentials: Vec<PathBuf>,
    /// Option of the collector, as name=value; may be repeated.
    #[arg(long = "option", value_name = "NAME=VALUE", requires = "target")]
    pub options: Vec<String>,
}

/// What can be done with the spool.
#[derive(Clone, Debug, Subcommand)]
pub enum SpoolCommand {
    /// Check every record; exit code 1 when something is damaged. Works beside a running agent.
    #[command(after_help = "Example:\n  dharma-agent spool fsck --state /var/lib/dharma-agent")]
    Fsck,
    /// Show sizes and sequences.
    Stat,
    /// Write what waits to standard output.
    #[command(after_help = "Example:\n  dharma-agent spool export > records.json")]
    Export,
    /// Give up records as if they were delivered. The agent must not run.
    #[command(after_help = "Example:\n  dharma-agent spool trim metrics 5000")]
    Trim {
        /// The class: audit, inventory, events or metrics.
        class: String,
        /// Give up everything up to this sequence.
        through: u64,
    },
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_hidden_command_is_not_shown() {
        let help = Cli::command().render_long_help().to_string();
        assert!(!help.contains(crate::child::SUBCOMMAND) && help.contains("doctor"), "{help}");
    }
}
