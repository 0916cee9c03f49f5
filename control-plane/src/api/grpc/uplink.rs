//! The stream of an agent.
