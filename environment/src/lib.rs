//! What a process takes from the machine it runs on: time, randomness, a disk and a network, each behind a trait
//! with a real and a simulated answer.
//!
//! Invariants: this is the only crate that asks the operating system for the time; every trait is object safe, so
//! that one `Arc<dyn …>` travels through the program; the simulated answers are functions of their seed and of the
//! calls made, so that a failing run can be repeated exactly.
//!
//! It deliberately does not wrap sockets: real connections belong to the transport crates. The simulated network
//! carries values, not bytes, because the simulation tests delivery and not framing.

mod clock;
mod disk;
mod network;
mod randomness;

pub use clock::{Clock, SimulatedClock, SystemClock, unix_milliseconds};
pub use disk::{
    Disk, DiskFile, Fault, FaultOn, Lock, OpenMode, PAGE_BYTES, RealDisk, SECTOR_BYTES,
    SimulatedDisk,
};
pub use network::{NetworkFaults, SimulatedNetwork};
pub use randomness::{Randomness, RandomnessExt, SeededRandomness, SystemRandomness};
