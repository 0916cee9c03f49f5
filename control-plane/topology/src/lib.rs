//! The adjacency of the whole graph in memory: impact, dependencies, paths, neighborhoods.
//!
//! Items are dense numbers, relationships lie in both directions. Pure: it is loaded from the store at the start and
//! follows each commit; throwing it away and loading it again gives the same graph.
//!
//! Deliberately not here: attributes, history and everything else that a row has (`store`).

mod graph;
mod walk;

pub use graph::{Graph, Relation};
pub use walk::{Limits, Neighborhood, Reached, Step};
