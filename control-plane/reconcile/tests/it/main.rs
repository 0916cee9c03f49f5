//! What reconciliation promises, shown on small estates with a store in memory.
#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "helpers of tests: what is not there ends the test"
)]

mod estate;
mod hostile;
mod life;
mod network;
mod order;
mod regroup;
mod review;
