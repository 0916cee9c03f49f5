//! The graph against naive answers to the same questions, on random estates.
#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "helpers of tests: what is not there ends the test"
)]

mod estate;
mod groups;
mod questions;
mod walks;
