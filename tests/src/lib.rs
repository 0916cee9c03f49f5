//! What tests and benchmarks of the whole system share: the rig that runs the real processes, the simulation, and
//! the form in which benchmarks report.
//!
//! Everything here drives the product from outside, by its binaries and its public APIs.

pub mod estate;
pub mod machines;
pub mod network_lab;
pub mod process;
pub mod report;
pub mod rig;
pub mod simulation;
pub mod snmpd;
pub mod web;
