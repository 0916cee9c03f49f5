//! Dependencies derived from connections: a process needs the process that listens where it is connected to, and so
//! does the service unit that it is an instance of.
//!
//! A rule over relationships alone, computed again only for what a relationship touched.

use crate::{Error, Reconciler};
use model::decision::{Number, RelationEnd, RelationRecord};
use model::{Name, SourceId, relationships};
use std::collections::{BTreeMap, BTreeSet, HashMap};

type Neighbors = HashMap<Number, BTreeSet<Number>>;

/// The relationships that dependencies follow from, both ways, and the dependencies themselves.
#[derive(Debug, Default)]
pub(crate) struct Dependencies {
    /// How many observations state each relationship.
    stated: HashMap<(u8, Number, Number), u32>,
    listeners_of_client: Neighbors,
    clients_of_listener: Neighbors,
    servers_of_listener: Neighbors,
    listeners_of_server: Neighbors,
    units_of_process: Neighbors,
    processes_of_unit: Neighbors,
    evidence: HashMap<(Number, Number), String>,
    derived: HashMap<Number, BTreeSet<Number>>,
    /// Processes whose dependencies may differ from what is derived.
    touched: BTreeSet<Number>,
}

fn rank(verb: &str) -> Option<u8> {
    match verb {
        relationships::CONNECTS_TO => Some(0),
        relationships::LISTENS_ON => Some(1),
        relationships::INSTANCE_OF => Some(2),
        _ => None,
    }
}

fn link(neighbors: &mut Neighbors, one: Number, other: Number, is_linked: bool) {
    if is_linked {
        neighbors.entry(one).or_default().insert(other);
    } else if let Some(set) = neighbors.get_mut(&one) {
        set.remove(&other);
        if set.is_empty() {
            neighbors.remove(&one);
        }
    }
}

fn of(neighbors: &Neighbors, one: Number) -> impl Iterator<Item = Number> {
    neighbors.get(&one).into_iter().flatten().copied()
}

impl Dependencies {
    pub(crate) fn know_derived(&mut self, from: Number, to: Number) {
        self.derived.entry(from).or_default().insert(to);
    }

    /// Forgets what was touched: everything is as it was stored.
    pub(crate) fn settle(&mut self) {
        self.touched.clear();
    }

    pub(crate) fn begin(&mut self, verb: &str, from: Number, to: Number, evidence: Option<&str>) {
        let Some(rank) = rank(verb) else { return };
        let count = self.stated.entry((rank, from, to)).or_default();
        *count = count.saturating_add(1);
        if let Some(evidence) = evidence {
            self.evidence.insert((from, to), evidence.to_owned());
        }
        if *count == 1 {
            self.relate(rank, from, to, true);
        }
    }

    pub(crate) fn end(&mut self, verb: &str, from: Number, to: Number) {
        let Some(rank) = rank(verb) else { return };
        let Some(count) = self.stated.get_mut(&(rank, from, to)) else { return };
        *count = count.saturating_sub(1);
        if *count == 0 {
            self.stated.remove(&(rank, from, to));
            self.evidence.remove(&(from, to));
            self.relate(rank, from, to, false);
        }
    }

    fn relate(&mut self, rank: u8, from: Number, to: Number, is_linked: bool) {
        match rank {
            0 => {
                link(&mut self.listeners_of_client, from, to, is_linked);
                link(&mut self.clients_of_listener, to, from, is_linked);
                self.touched.insert(from);
            }
            1 => {
                link(&mut self.listeners_of_server, from, to, is_linked);
                link(&mut self.servers_of_listener, to, from, is_linked);
                self.touched.extend(of(&self.clients_of_listener, to));
            }
            _ => {
                link(&mut self.units_of_process, from, to, is_linked);
                link(&mut self.processes_of_unit, to, from, is_linked);
                // The unit that it left, or came to, depends on other things now; so do the units of its clients.
                self.touched.insert(from);
                self.touched.insert(to);
                let listeners: Vec<Number> = of(&self.listeners_of_server, from).collect();
                for listener in listeners {
                    self.touched.extend(of(&self.clients_of_listener, listener));
                }
            }
        }
    }

    /// What a process needs, with the evidence.
    fn of_process(&self, process: Number) -> BTreeMap<Number, String> {
        let mut needed = BTreeMap::new();
        for listener in of(&self.listeners_of_client, process) {
            for server in
                of(&self.servers_of_listener, listener).filter(|server| *server != process)
            {
                let evidence = self.evidence.get(&(process, listener)).cloned().unwrap_or_default();
                needed.entry(server).or_insert(evidence);
            }
        }
        needed
    }

    /// What a unit needs: the units of what its processes need.
    fn of_unit(&self, unit: Number) -> BTreeMap<Number, String> {
        let mut needed = BTreeMap::new();
        for process in of(&self.processes_of_unit, unit) {
            for (server, evidence) in self.of_process(process) {
                for other in of(&self.units_of_process, server).filter(|other| *other != unit) {
                    needed.entry(other).or_insert_with(|| evidence.clone());
                }
            }
        }
        needed
    }
}

impl Reconciler {
    /// Begins and ends derived relationships for what was touched.
    pub(crate) fn derive_dependencies(&mut self) -> Result<(), Error> {
        let touched = std::mem::take(&mut self.dependencies.touched);
        if touched.is_empty() {
            return Ok(());
        }
        let mut items: BTreeMap<Number, BTreeMap<Number, String>> = BTreeMap::new();
        for item in touched {
            for unit in of(&self.dependencies.units_of_process, item) {
                items.insert(unit, self.dependencies.of_unit(unit));
            }
            // An item that was touched is a process or a unit; of the other kind it needs nothing.
            let mut needed = self.dependencies.of_process(item);
            needed.extend(self.dependencies.of_unit(item));
            items.insert(item, needed);
        }
        let id = SourceId { collector: "rule".to_owned(), target: "connections".to_owned() };
        for (item, needed) in items {
            self.derive(&id, item, needed)?;
        }
        self.dependencies.settle();
        Ok(())
    }

    fn derive(
        &mut self,
        rule: &SourceId,
        item: Number,
        needed: BTreeMap<Number, String>,
    ) -> Result<(), Error> {
        let before = self.dependencies.derived.remove(&item).unwrap_or_default();
        let after: BTreeSet<Number> = needed.keys().copied().collect();
        if before != after {
            let nobody = model::AgentId::from_bytes([0; 16]);
            let source = self.source(rule, nobody, "")?;
            let at = self.decision.recorded_at;
            let verb = Name::Borrowed(relationships::DEPENDS_ON);
            for to in before.difference(&after).copied() {
                let end = RelationEnd { from: item, verb: verb.clone(), to, owner: 0, until: at };
                self.unrelate(end, source);
            }
            for (to, evidence) in needed.into_iter().filter(|(to, _)| !before.contains(to)) {
                let begun = RelationRecord {
                    from: item,
                    verb: verb.clone(),
                    to,
                    source,
                    owner: 0,
                    since: at,
                    evidence,
                };
                self.relate(begun, true);
            }
        }
        if !after.is_empty() {
            self.dependencies.derived.insert(item, after);
        }
        Ok(())
    }
}
