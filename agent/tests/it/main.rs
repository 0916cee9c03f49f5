//! The agent as a real process against a control plane that runs inside the test: enrollment, delivery, requests of
//! the control plane, and being killed.
//!
//! The control plane here is a model: it stores every record once, keeps the scopes as the protocol says, and notes
//! what it was sent wrongly. The trees that are looked at are made by the tests.

mod agent_process;
mod commands;
mod delivery;
mod enrollment;
mod killing;
mod model_server;
mod model_store;
mod requests;
mod tree;
