//! A seeded simulation of agents, a network and a control plane, in one thread and in simulated time.
//!
//! Each agent has a real spool on a simulated disk and a small sender; the control plane is a store in memory that
//! forgets what it has not committed. Disks lose, tear and reorder what was not flushed, run full, turn read-only, fail
//! and flip bytes; the network drops, doubles, delays and cuts off; processes are killed and machines lose power.
//!
//! The invariant checked after each run: **every accepted record is stored exactly once, as it was accepted, or is
//! covered by a gap record**; more strictly, without flipped bytes only a quota may take a record, and never an audit
//! record. After the faults end, everything arrives within a bounded time.
//!
//! Everything follows from the seed: a failing seed repeats exactly.

mod agent;
mod oracle;
mod server;
mod world;

#[cfg(test)]
mod tests;

pub use oracle::{Report, Violation};

use self::world::World;

/// Runs one simulation.
pub fn run(seed: u64) -> Result<Report, Violation> {
    let mut world = World::new(seed);
    world.rage()?;
    world.calm_down()?;
    world.judge()
}
