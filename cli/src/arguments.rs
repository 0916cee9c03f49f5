//! The command line, as clap reads it.

pub(crate) mod locks;
pub(crate) mod targets;
pub(crate) mod topology;

use clap::{Args, Parser, Subcommand, ValueEnum};

const EXAMPLES: &str = "Examples:
  dharma login http://127.0.0.1:7400
  dharma get host
  dharma get package --text openssl -o csv
  dharma show web1.example.net
  dharma changes --since 24h
  dharma impact db1.example.net
  dharma diff 7d --class host
  dharma token create join --uses 20 --label env=prod
";

/// Asks a Dharma control plane about the infrastructure that it knows.
#[derive(Debug, Parser)]
#[command(name = "dharma", version, about, before_help = EXAMPLES, disable_help_subcommand = true)]
pub(crate) struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
    /// How to reach the control plane and how to print.
    #[command(flatten)]
    pub(crate) common: Common,
}

/// What every command understands.
#[derive(Debug, Clone, Args)]
pub(crate) struct Common {
    /// Address of the control plane; else the one of the last login
    #[arg(long, global = true, env = "DHARMA_URL", value_name = "URL")]
    pub(crate) url: Option<String>,
    /// File that holds an access token, for scripts
    #[arg(long, global = true, env = "DHARMA_TOKEN_FILE", value_name = "FILE")]
    pub(crate) token_file: Option<std::path::PathBuf>,
    /// Form of the output
    #[arg(short, long, global = true, env = "DHARMA_OUTPUT", value_enum, default_value_t = Format::Table)]
    pub(crate) output: Format,
    /// No hints on standard error
    #[arg(short, long, global = true)]
    pub(crate) quiet: bool,
}

/// The forms of output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Columns for people
    Table,
    /// The objects of the API, unchanged
    Json,
    /// The same as YAML
    Yaml,
    /// The columns of the table, for spreadsheets
    Csv,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Log in and keep the session
    Login {
        /// Address, such as http://127.0.0.1:7400
        url: Option<String>,
        /// User name; asked for when missing
        #[arg(long)]
        name: Option<String>,
        /// Fingerprint of the control plane's authority (sha256:…), for an https address
        #[arg(long)]
        pin: Option<String>,
    },
    /// End the session and forget it
    Logout,
    /// Who is logged in, and where
    Whoami,
    /// List the items of a class
    Get(GetArguments),
    /// Show one item: its attributes with who said them, and what it relates to
    Show {
        /// Id, or title when only one item has it
        item: String,
        /// As it was then: RFC 3339, or how long ago (2h, 7d)
        #[arg(long, value_name = "TIME")]
        at: Option<String>,
    },
    /// Find items of any class by words
    Search {
        /// Words; each must match the beginning of a word of the item
        #[arg(required = true)]
        words: Vec<String>,
        /// At most this many
        #[arg(long, default_value_t = 50)]
        limit: u32,
    },
    /// What changed, newest first
    Changes(ChangesArguments),
    /// What differs between two moments, of everything or of one item
    Diff(DiffArguments),
    /// What suffers when an item fails
    Impact(topology::ImpactArguments),
    /// What an item needs
    Dependencies(topology::WalkArguments),
    /// The shortest ways from one item to another
    Path(topology::PathArguments),
    /// What lies around an item
    Neighborhood(topology::NeighborhoodArguments),
    /// Items that hang together with nothing
    Orphans(topology::OrphansArguments),
    /// The whole estate in groups
    Groups(topology::GroupsArguments),
    /// The agents
    #[command(subcommand)]
    Agent(AgentCommand),
    /// Which sightings are one item, why, and what people say about it
    #[command(subcommand)]
    Identity(IdentityCommand),
    /// Disappearances that a look missed too much of at once
    #[command(subcommand)]
    Held(HeldCommand),
    /// Values that people fix
    #[command(subcommand)]
    Item(locks::ItemCommand),
    /// The rules by which identity is decided, and which values win
    #[command(subcommand)]
    Rules(RulesCommand),
    /// Join tokens and access tokens
    #[command(subcommand)]
    Token(TokenCommand),
    /// What is read over the network
    #[command(subcommand)]
    Target(targets::TargetCommand),
    /// Credentials for what is read over the network
    #[command(subcommand)]
    Credential(targets::CredentialCommand),
    /// The classes of items that there are
    Classes,
    /// Call the API directly
    Api {
        /// GET, POST, DELETE
        method: String,
        /// Path, such as /api/v1/counts
        path: String,
        /// Fields of the JSON body, as name=value
        #[arg(short = 'f', long = "field", value_name = "NAME=VALUE")]
        fields: Vec<String>,
    },
    /// Print the completion script of a shell
    Completion {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// What the exit codes mean
    HelpExitCodes,
}

/// `dharma get`.
#[derive(Debug, Args)]
pub(crate) struct GetArguments {
    /// Class, such as host or package; `dharma classes` lists them
    pub(crate) class: String,
    /// Words that the item must have
    #[arg(long)]
    pub(crate) text: Option<String>,
    /// State of life; else all but retired ones
    #[arg(long, value_parser = ["active", "missing", "stale", "retired"])]
    pub(crate) state: Vec<String>,
    /// Only parts of this item (id)
    #[arg(long, value_name = "ID")]
    pub(crate) parent: Option<String>,
    /// Only items with this attribute, as name=value; may be repeated
    #[arg(long = "where", value_name = "NAME=VALUE")]
    pub(crate) conditions: Vec<String>,
    /// Columns, by attribute name
    #[arg(long, value_delimiter = ',')]
    pub(crate) columns: Vec<String>,
    /// At most this many
    #[arg(long, default_value_t = 100, conflicts_with = "all")]
    pub(crate) limit: u32,
    /// All of them
    #[arg(long)]
    pub(crate) all: bool,
    /// As it was then: RFC 3339, or how long ago (2h, 7d)
    #[arg(long, value_name = "TIME")]
    pub(crate) at: Option<String>,
}

/// `dharma changes`.
#[derive(Debug, Args)]
pub(crate) struct ChangesArguments {
    /// Only of this item (id)
    #[arg(long, value_name = "ID")]
    pub(crate) item: Option<String>,
    /// Only of these classes
    #[arg(long)]
    pub(crate) class: Vec<String>,
    /// Since then: RFC 3339, or how long ago (24h)
    #[arg(long, value_name = "TIME")]
    pub(crate) since: Option<String>,
    /// At most this many
    #[arg(long, default_value_t = 50)]
    pub(crate) limit: u32,
}

/// `dharma diff`.
#[derive(Debug, Args)]
pub(crate) struct DiffArguments {
    /// The earlier moment: RFC 3339, or how long ago (24h, 7d)
    pub(crate) from: String,
    /// The later moment; else now
    pub(crate) to: Option<String>,
    /// Only of this item, by id or title; its relationships are told in both directions
    #[arg(long, value_name = "ITEM", conflicts_with_all = ["class", "kind", "text", "parent", "conditions"])]
    pub(crate) item: Option<String>,
    /// Only of these classes
    #[arg(long)]
    pub(crate) class: Vec<String>,
    /// Only differences of these kinds
    #[arg(long, value_parser = ["created", "returned", "retired", "changed"])]
    pub(crate) kind: Vec<String>,
    /// Words that the item must have at one of the moments
    #[arg(long)]
    pub(crate) text: Option<String>,
    /// Only parts of this item (id)
    #[arg(long, value_name = "ID")]
    pub(crate) parent: Option<String>,
    /// Only items with this attribute at one of the moments, as name=value; may be repeated
    #[arg(long = "where", value_name = "NAME=VALUE")]
    pub(crate) conditions: Vec<String>,
    /// At most this many items
    #[arg(long, default_value_t = 100)]
    pub(crate) limit: u32,
}

/// `dharma agent`.
#[derive(Debug, Subcommand)]
pub(crate) enum AgentCommand {
    /// All agents
    List,
    /// One agent with the coverage of its scopes
    Show {
        /// Id or name
        agent: String,
    },
    /// Cut an agent off, for good
    Revoke {
        /// Id or name
        agent: String,
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
}

/// `dharma identity`.
#[derive(Debug, Subcommand)]
pub(crate) enum IdentityCommand {
    /// Why an item is what it is: its sightings and the evidence between them
    Explain {
        /// Id or title
        item: String,
    },
    /// Pairs of items that wait for a person
    Review {
        /// Only of this class
        #[arg(long)]
        class: Option<String>,
        /// Most rows
        #[arg(long, default_value_t = 100)]
        limit: usize,
    },
    /// What speaks for and against two items being one
    Compare {
        /// Id or title
        item: String,
        /// Id or title
        other: String,
    },
    /// Say that two items are one, whatever the evidence says
    Join {
        /// Id or title
        item: String,
        /// Id or title
        other: String,
        /// Only print what would follow
        #[arg(long)]
        dry_run: bool,
    },
    /// Say that some sightings of an item are another item
    Divide {
        /// Id or title
        item: String,
        /// Sightings, as `explain` names them
        #[arg(required = true)]
        sightings: Vec<String>,
        /// Only print what would follow
        #[arg(long)]
        dry_run: bool,
    },
    /// Say that two items are not one, so that nobody is asked again
    KeepApart {
        /// Id or title
        item: String,
        /// Id or title
        other: String,
        /// Only print what would follow
        #[arg(long)]
        dry_run: bool,
    },
    /// What people said, the latest first
    Decisions,
    /// Take back what was said
    TakeBack {
        /// The action, as `decisions` lists it
        action: u32,
    },
}

/// `dharma held`.
#[derive(Debug, Subcommand)]
pub(crate) enum HeldCommand {
    /// What is held now
    List,
    /// The items that are held
    Show {
        /// Id, as `list` names it
        id: String,
        /// Most rows
        #[arg(long, default_value_t = 100)]
        limit: usize,
    },
    /// Let it happen: what no other source sees is retired now
    Approve {
        /// Id, as `list` names it
        id: String,
        /// Do not ask; how many items are held has to be said
        #[arg(long, value_name = "COUNT")]
        expect_count: Option<u64>,
    },
    /// Leave everything as it is until the next complete look
    Dismiss {
        /// Id, as `list` names it
        id: String,
    },
}

/// `dharma rules`.
#[derive(Debug, Subcommand)]
pub(crate) enum RulesCommand {
    /// The live rules, as TOML
    Show,
    /// All versions that were live
    History,
    /// What other rules would change; nothing is done
    Plan {
        /// A TOML file; - is the standard input
        file: std::path::PathBuf,
    },
    /// Make other rules live
    Apply {
        /// A TOML file; - is the standard input
        file: std::path::PathBuf,
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
}

/// `dharma token`.
#[derive(Debug, Subcommand)]
pub(crate) enum TokenCommand {
    /// All tokens, without their secrets
    List,
    /// Make a token; it is shown this once
    Create {
        /// What it is for
        #[arg(value_parser = ["join", "personal", "service"])]
        kind: String,
        /// How long it is valid (15m, 1h, 90d)
        #[arg(long)]
        ttl: Option<String>,
        /// How many agents may join with it
        #[arg(long)]
        uses: Option<u32>,
        /// Site of the agents that join
        #[arg(long)]
        site: Option<String>,
        /// Label of the agents that join, as name=value; may be repeated
        #[arg(long = "label", value_name = "NAME=VALUE")]
        labels: Vec<String>,
        /// What a person recognizes it by
        #[arg(long)]
        name: Option<String>,
    },
    /// Make a token useless
    Revoke {
        /// Id
        id: String,
    },
}
