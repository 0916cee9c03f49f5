//! The arguments of `dharma item`.

use clap::{Args, Subcommand};

/// `dharma item`.
#[derive(Debug, Subcommand)]
pub(crate) enum ItemCommand {
    /// Fix the value of an attribute for a time, whatever sources say
    Lock(LockArguments),
    /// Let sources decide again about an attribute
    Unlock {
        /// Id, or title when only one item has it
        item: String,
        /// Name of the attribute
        attribute: String,
    },
    /// The values of an item that people fixed
    Locks {
        /// Id, or title when only one item has it
        item: String,
    },
}

/// `dharma item lock`.
#[derive(Debug, Args)]
pub(crate) struct LockArguments {
    /// Id, or title when only one item has it
    pub(crate) item: String,
    /// Name of the attribute
    pub(crate) attribute: String,
    /// The value; several for a list of texts, JSON for records
    #[arg(required_unless_present = "absent", conflicts_with = "absent")]
    pub(crate) values: Vec<String>,
    /// Say that there is none
    #[arg(long)]
    pub(crate) absent: bool,
    /// When it ends: RFC 3339, or in how long (12h, 30d); without it, as late as the attribute's policy allows
    #[arg(long, value_name = "TIME")]
    pub(crate) until: Option<String>,
    /// Why
    #[arg(long)]
    pub(crate) why: String,
}
