//! Making a graph at once from everything that the store holds: several times quicker than following it one by one,
//! and packed without a hole.

use crate::Graph;
use crate::adjacency::Stated;
use model::decision::Number;
use model::{AgentId, ItemId, ItemState, Name};

/// A graph that is being made. Items can be given in any order.
#[derive(Debug, Default)]
pub struct Builder {
    graph: Graph,
    stated: Vec<Stated>,
}

impl Builder {
    /// Nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A source of observations.
    pub fn source(&mut self, number: Number, site: &str, agent: AgentId) {
        self.graph.know_source(number, site, agent);
    }

    /// An item with the one that it is a part of; 0 for none.
    pub fn item(
        &mut self,
        number: Number,
        id: ItemId,
        class: &Name,
        (parent, state): (Number, ItemState),
    ) {
        self.graph.put_item(number, Some(id), class, parent);
        self.graph.put_state(number, state);
        self.stated.extend(self.graph.part_statement(number));
    }

    /// What an observation says now.
    pub fn observation(&mut self, number: Number, source: Number, item: Number, is_present: bool) {
        self.graph.know_observation(number, source, item, is_present);
    }

    /// How many of those it depends on an item can lose, as an observation states it.
    pub fn spare(&mut self, observation: Number, item: Number, spare: u32) {
        self.graph.know_spare(observation, item, Some(spare));
    }

    /// An item whose id leads to another one.
    pub fn lead(&mut self, item: Number, into: Number) {
        self.graph.lead(item, into);
    }

    /// A statement of a relationship.
    pub fn relation(&mut self, from: Number, verb: &Name, to: Number) {
        let verb = self.graph.verb_of(verb);
        self.stated.push((from, verb, to));
    }

    /// The graph.
    #[must_use]
    pub fn finish(mut self) -> Graph {
        self.graph.put_relations(&self.stated);
        self.graph
    }
}
