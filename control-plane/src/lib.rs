//! The control plane as a library: what `dharma-control-plane` assembles, and what its tests drive.
//!
//! Service modules speak the words of `model` and never see a header or a status code; `api` alone names the
//! transports. `ingest` is the only writer of observed facts.
//!
//! Deliberately not here: deciding identity (`reconcile`), keeping it (`store`), walking it (`topology`).

pub mod api;
pub mod app;
pub mod config;
pub mod fleet;
pub mod graph;
pub mod held;
pub mod identity;
pub mod ingest;
pub mod rate;
pub mod server;
pub mod targets;
pub mod tasks;
