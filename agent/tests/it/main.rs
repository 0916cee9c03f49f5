//! The agent as a real process against a control plane that runs inside the test: enrollment, delivery, requests of
//! the control plane, and being killed.
//!
//! The control plane here is a model: it stores every record once, keeps the scopes as the protocol says, and notes
//! what it was sent wrongly. The trees that are looked at are made by the tests.

#[cfg(test)]
mod agent_process;
#[cfg(test)]
mod commands;
#[cfg(test)]
mod delivery;
#[cfg(test)]
mod enrollment;
#[cfg(test)]
mod killing;
#[cfg(test)]
mod model_server;
#[cfg(test)]
mod model_store;
#[cfg(test)]
mod requests;
#[cfg(test)]
mod tree;
