//! What the questions about how the estate hangs together understand.

use clap::Args;

/// `dharma impact` and `dharma dependencies`.
#[derive(Debug, Args)]
pub(crate) struct WalkArguments {
    /// Id, or title when only one item has it
    pub(crate) item: String,
    /// How many relationships away at most; else as far as failures travel
    #[arg(long, value_name = "N")]
    pub(crate) depth: Option<u32>,
    /// List at most this many; all are counted
    #[arg(long, default_value_t = 100, conflicts_with = "all")]
    pub(crate) limit: u32,
    /// List as many as the control plane gives at once
    #[arg(long)]
    pub(crate) all: bool,
}

/// `dharma impact`.
#[derive(Debug, Args)]
pub(crate) struct ImpactArguments {
    /// The item that fails
    #[command(flatten)]
    pub(crate) walk: WalkArguments,
    /// An item that fails at the same time; may be repeated
    #[arg(long, value_name = "ITEM")]
    pub(crate) with: Vec<String>,
}

/// `dharma path`.
#[derive(Debug, Args)]
pub(crate) struct PathArguments {
    /// Where the ways begin: id, or title when only one item has it
    pub(crate) from: String,
    /// Where they end
    pub(crate) to: String,
    /// Only along these relationships; may be repeated
    #[arg(long)]
    pub(crate) verb: Vec<String>,
    /// How many relationships long at most
    #[arg(long, value_name = "N")]
    pub(crate) depth: Option<u32>,
    /// List at most this many ways; all are counted
    #[arg(long, default_value_t = 10)]
    pub(crate) limit: u32,
}

/// `dharma neighborhood`.
#[derive(Debug, Args)]
pub(crate) struct NeighborhoodArguments {
    /// Id, or title when only one item has it
    pub(crate) item: String,
    /// Only along these relationships; may be repeated
    #[arg(long)]
    pub(crate) verb: Vec<String>,
    /// How many relationships away at most
    #[arg(long, default_value_t = 1, value_name = "N")]
    pub(crate) depth: u32,
    /// More neighbors of one class than this are one counted line
    #[arg(long, default_value_t = 12, value_name = "N")]
    pub(crate) fold: u32,
    /// List at most this many; all are counted
    #[arg(long, default_value_t = 200)]
    pub(crate) limit: u32,
}

/// `dharma orphans`.
#[derive(Debug, Args)]
pub(crate) struct OrphansArguments {
    /// What they lack: any relationship, or the item that they are a part of
    #[arg(long, default_value = "unrelated", value_parser = ["unrelated", "parentless"])]
    pub(crate) kind: String,
    /// Only of these classes
    #[arg(long)]
    pub(crate) class: Vec<String>,
    /// List at most this many; all are counted
    #[arg(long, default_value_t = 100, conflicts_with = "all")]
    pub(crate) limit: u32,
    /// All of them
    #[arg(long)]
    pub(crate) all: bool,
}

/// `dharma groups`.
#[derive(Debug, Args)]
pub(crate) struct GroupsArguments {
    /// By what, outermost first: class, site, label:NAME, connectivity
    #[arg(long, value_delimiter = ',', default_value = "site,class")]
    pub(crate) by: Vec<String>,
    /// Only what lies in this group: a value for each of the first keys; may be repeated
    #[arg(long, value_name = "VALUE")]
    pub(crate) within: Vec<String>,
    /// Only these relationships become links; may be repeated
    #[arg(long)]
    pub(crate) verb: Vec<String>,
    /// Which come first
    #[arg(long, default_value = "size", value_parser = ["size", "trouble"])]
    pub(crate) order: String,
    /// List at most this many groups; all are counted
    #[arg(long, default_value_t = 300)]
    pub(crate) limit: u32,
    /// Show the links between the groups instead of the groups
    #[arg(long)]
    pub(crate) links: bool,
}
