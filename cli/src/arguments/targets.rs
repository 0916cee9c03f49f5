//! `dharma target` and `dharma credential`, as clap reads them.

use clap::{Args, Subcommand};
use std::path::PathBuf;

/// `dharma target`.
#[derive(Debug, Subcommand)]
pub(crate) enum TargetCommand {
    /// All target sets, and how their targets fare
    List,
    /// One set with its targets
    Show {
        /// Name of the set
        name: String,
        /// At most this many targets
        #[arg(long, default_value_t = 100)]
        limit: u32,
    },
    /// Store a set, in the place of one with its name
    #[command(
        after_help = "Examples:\n  dharma target put lab --collector snmp --site berlin --credential lab 192.0.2.0/28\n  dharma target put edge --collector snmp --file ./switches.txt --window 'mon-fri 22:00-06:00'"
    )]
    Put(Box<PutArguments>),
    /// Read a set no longer
    Remove {
        /// Name of the set
        name: String,
    },
    /// Have a set looked at now
    Run {
        /// Name of the set
        name: String,
        /// Only this target
        #[arg(long)]
        address: Option<String>,
    },
}

/// `dharma target put`.
#[derive(Debug, Args)]
pub(crate) struct PutArguments {
    /// Name of the set: a-z, 0-9, `.`, `_`, `-`
    pub(crate) name: String,
    /// Addresses (192.0.2.1), ranges (192.0.2.10-20), prefixes (192.0.2.0/24) and host names
    pub(crate) addresses: Vec<String>,
    /// The collector that reads them
    #[arg(long)]
    pub(crate) collector: String,
    /// File with more of them, a line each; # begins a comment
    #[arg(long, value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
    /// What of them is left alone; may be repeated
    #[arg(long = "exclude", value_name = "ADDRESS")]
    pub(crate) exclusions: Vec<String>,
    /// The site whose agents read them
    #[arg(long, default_value = "")]
    pub(crate) site: String,
    /// Only this agent, by id; may be repeated
    #[arg(long = "agent", value_name = "ID")]
    pub(crate) agents: Vec<String>,
    /// Credential to try, in the order given; may be repeated
    #[arg(long = "credential", value_name = "NAME")]
    pub(crate) credentials: Vec<String>,
    /// The port, where it is not the protocol's own
    #[arg(long)]
    pub(crate) port: Option<u16>,
    /// Option of the collector, as name=value; may be repeated
    #[arg(long = "option", value_name = "NAME=VALUE")]
    pub(crate) options: Vec<String>,
    /// How often each is looked at (5m, 1h)
    #[arg(long, value_name = "TIME")]
    pub(crate) every: Option<String>,
    /// When looks may begin, in UTC; may be repeated
    #[arg(long = "window", value_name = "WINDOW")]
    pub(crate) windows: Vec<String>,
    /// How many one agent reads at the same time
    #[arg(long)]
    pub(crate) concurrency: Option<u32>,
    /// How many looks one agent begins in a minute
    #[arg(long, value_name = "COUNT")]
    pub(crate) looks_per_minute: Option<u32>,
    /// They bear little: one at a time, gently
    #[arg(long)]
    pub(crate) fragile: bool,
    /// Hand prefixes and ranges to the collector as they are
    #[arg(long)]
    pub(crate) whole: bool,
    /// Store them, but do not read them yet
    #[arg(long)]
    pub(crate) disabled: bool,
}

/// `dharma credential`.
#[derive(Debug, Subcommand)]
pub(crate) enum CredentialCommand {
    /// All credentials, without their secrets
    List,
    /// One credential, without its secrets
    Show {
        /// Name
        name: String,
    },
    /// Store a credential, in the place of one with its name. Secrets come from files, standard input or a question
    #[command(
        after_help = "Examples:\n  dharma credential put lab --kind snmp_community --ask community\n  dharma credential put core --kind snmp_user --set user=ops --secret-file auth_password=./auth\n  dharma credential put web --kind http_basic --set user=ops --reference password=env:WEB_PASSWORD\n  pass show lab | dharma credential put lab --kind snmp_community --stdin community"
    )]
    Put(Box<CredentialArguments>),
    /// Remove a credential that no target set names
    Remove {
        /// Name
        name: String,
    },
    /// Have an agent try a credential once
    #[command(after_help = "Example:\n  dharma credential test lab 192.0.2.1 --collector snmp")]
    Test {
        /// Name
        name: String,
        /// Address or host name
        address: String,
        /// By which collector
        #[arg(long)]
        collector: String,
        /// The port, where it is not the protocol's own
        #[arg(long)]
        port: Option<u16>,
        /// From which site
        #[arg(long)]
        site: Option<String>,
    },
}

/// `dharma credential put`.
#[derive(Debug, Args)]
pub(crate) struct CredentialArguments {
    /// Name: a-z, 0-9, `.`, `_`, `-`
    pub(crate) name: String,
    /// What it is for: snmp_community, snmp_user, ssh_password, ssh_key, ipmi_user, http_basic
    #[arg(long)]
    pub(crate) kind: String,
    /// What is not secret, as name=value; may be repeated
    #[arg(long = "set", value_name = "NAME=VALUE")]
    pub(crate) settings: Vec<String>,
    /// Secret that is asked for without echo; may be repeated
    #[arg(long, value_name = "NAME")]
    pub(crate) ask: Vec<String>,
    /// Secret that is read from a file, as name=FILE; may be repeated
    #[arg(long = "secret-file", value_name = "NAME=FILE")]
    pub(crate) secret_files: Vec<String>,
    /// Secret that is read from standard input, all of it
    #[arg(long, value_name = "NAME")]
    pub(crate) stdin: Option<String>,
    /// Secret that the agent fetches itself, as name=env:VARIABLE or name=file:/path; may be repeated
    #[arg(long = "reference", value_name = "NAME=REFERENCE")]
    pub(crate) references: Vec<String>,
}
