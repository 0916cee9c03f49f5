//! The spool's public surface, on simulated and on real disks.

#![cfg(test)]

mod failures;
mod handle;
mod mangled;
mod model;
mod tools;
