//! The agent: looks at its host, keeps what it saw on disk, and brings it to the control plane.
//!
//! The way of an observation: `schedule` decides that a scope is due; `look` asks the collector, in a short-lived
//! `child` or in the process, and compares with what was last reported (`delta`); the difference goes to the spool
//! and is thereby accepted; `uplink` sends what is in the spool and forgets it when the control plane has it.
//!
//! Invariants: what the spool accepted is delivered or reported lost; the agent never blocks or fills its host
//! (`limits`); no secret appears in a log, an error or a status. It opens no port.
//!
//! The library exists for the binary `dharma-agent` and for tests; nothing in it is meant for others.

pub mod board;
pub mod child;
pub mod cli;
pub mod collectors;
mod commands;
pub mod config;
pub mod control;
pub mod delta;
pub mod enrollment;
pub mod evidence;
pub mod identity;
pub mod limits;
pub mod look;
pub mod place;
pub mod remote;
pub mod report;
pub mod schedule;
pub mod stop;
pub mod uplink;

/// The version of this build.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

pub use commands::main;
