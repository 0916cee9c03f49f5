//! The storage traits, their answer by SQLite, and the suites that every answer has to pass.
//!
//! A trait belongs to the question: `items` for what there is, `findings` for what a person should look at,
//! `history` for the past, `observed` for writing both, `fleet` for agents and join tokens, `users` for people, sessions and access tokens,
//! `targets` for what is read over the network.
//! Each is narrow, and each that writes has a conformance suite. What is written about
//! items is written by one value in one transaction; nothing else writes observed facts.
//!
//! Deliberately not here: deciding identity (`reconcile`) and walking the graph (`topology`).

pub mod conformance;
pub mod database;
pub mod findings;
pub mod fleet;
pub mod history;
pub mod identity;
pub mod items;
pub mod observed;
mod schema;
pub mod sqlite;
pub mod targets;
pub mod users;
