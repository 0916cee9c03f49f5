//! The adjacency of the whole graph in memory: impact, dependencies, paths, neighborhoods, orphans, groups.
//!
//! Items are dense numbers, relationships lie in both directions. Pure: it is loaded from the store at the start and
//! follows each commit; throwing it away and loading it again gives the same graph. Every answer has a limit, and its
//! counts are exact even when its list is cut.
//!
//! Deliberately not here: attributes, titles, history and everything else that a row has (`store`).

mod adjacency;
mod bits;
mod builder;
mod graph;
mod groups;
mod neighborhood;
mod origins;
mod orphans;
mod path;
mod scratch;
mod spares;
mod walk;

pub use adjacency::Relation;
pub use builder::Builder;
pub use graph::{Graph, Known};
pub use groups::{By, Group, GroupOrder, Grouping, Groups, Link};
pub use neighborhood::{Around, Bundle, Neighborhood};
pub use orphans::{Orphan, Orphans, Page};
pub use path::{Paths, Route};
pub use walk::{Dependencies, Impact, Limits, Reached, Step, Weakened};

use model::decision::Number;

/// A number as a place in a list.
const fn place(number: Number) -> usize {
    // A processor that this runs on has at least 32 bits.
    number as usize
}
