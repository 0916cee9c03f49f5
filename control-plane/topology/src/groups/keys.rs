//! The group of each item, as one number made of the numbers of its keys' values.

use super::{By, Grouping};
use crate::place;
use crate::{Graph, graph::Origin};
use model::decision::Number;
use std::collections::HashMap;

/// The group of what is in none.
pub(super) const NOWHERE: u32 = u32::MAX;

/// Combinations of values up to which a table over all of them is quicker than one over those that occur.
const TABLE_MAX: usize = 1 << 22;

/// The values of one key.
struct Key {
    /// The number of each item's value, or of its source's.
    values: Values,
    names: Vec<String>,
}

enum Values {
    /// By class number, which is the value.
    Class,
    /// By the source of the item.
    Source(HashMap<Number, u32>),
    /// By item.
    Item(Vec<u32>),
}

/// The keys of a grouping.
pub(super) struct Keys<'a> {
    graph: &'a Graph,
    keys: Vec<Key>,
    /// The values that the first keys must have; nothing when one of them does not occur.
    within: Option<Vec<u32>>,
    /// The group of each combination that occurs, when a table over all of them would be too large.
    known: Option<HashMap<u64, u32>>,
    /// The combination of each group, in that case.
    combinations: Vec<u64>,
}

/// Numbers for names, in the order in which they come.
#[derive(Default)]
struct Numbered {
    names: Vec<String>,
    numbers: HashMap<String, u32>,
}

impl Numbered {
    fn number(&mut self, name: &str) -> u32 {
        if let Some(number) = self.numbers.get(name) {
            return *number;
        }
        let number = u32::try_from(self.names.len()).unwrap_or(NOWHERE);
        self.names.push(name.to_owned());
        self.numbers.insert(name.to_owned(), number);
        number
    }
}

fn by_source(graph: &Graph, name: impl Fn(&Origin) -> String) -> Key {
    let mut numbered = Numbered::default();
    // What no source sees has the empty name; it has the number 0.
    numbered.number("");
    let values = graph.origins().iter();
    let values = values.map(|(source, origin)| (*source, numbered.number(&name(origin)))).collect();
    Key { values: Values::Source(values), names: numbered.names }
}

fn by_connectivity(graph: &Graph) -> Key {
    let oldest = super::connected::oldest(graph);
    let mut sizes = vec![0_u32; oldest.len()];
    for top in &oldest {
        if let Some(size) = sizes.get_mut(place(*top)) {
            *size = size.saturating_add(1);
        }
    }
    let mut names = vec![String::new()];
    let mut numbers = vec![0_u32; oldest.len()];
    for (number, top) in (0..graph.numbers_end()).zip(&oldest) {
        let is_alone = sizes.get(place(*top)).is_none_or(|size| *size < 2);
        if is_alone {
            continue;
        }
        // The top of a set has the lowest number of it, so it comes first.
        let value = if number == *top {
            let value = u32::try_from(names.len()).unwrap_or(NOWHERE);
            names.push(graph.id(number).map(|id| id.to_string()).unwrap_or_default());
            value
        } else {
            numbers.get(place(*top)).copied().unwrap_or(0)
        };
        if let Some(held) = numbers.get_mut(place(number)) {
            *held = value;
        }
    }
    Key { values: Values::Item(numbers), names }
}

fn key_of(graph: &Graph, by: &By) -> Key {
    match by {
        By::Class => {
            let names = (0_u32..).map_while(|class| graph.classes.text(class));
            Key { values: Values::Class, names: names.map(ToString::to_string).collect() }
        }
        By::Site => by_source(graph, |origin| origin.site.clone()),
        By::Label(of_agent) => by_source(graph, |origin| {
            origin.agent.and_then(|agent| of_agent.get(&agent)).cloned().unwrap_or_default()
        }),
        By::Connectivity => by_connectivity(graph),
    }
}

impl<'a> Keys<'a> {
    pub(super) fn of(graph: &'a Graph, grouping: &Grouping) -> Self {
        let keys: Vec<Key> = grouping.by.iter().map(|by| key_of(graph, by)).collect();
        let asked = keys.iter().zip(&grouping.within).map(|(key, asked)| {
            let found = key.names.iter().position(|name| name == asked)?;
            u32::try_from(found).ok()
        });
        let within = asked.collect();
        let mut made = Self { graph, keys, within, known: None, combinations: Vec::new() };
        if made.table_size() > TABLE_MAX {
            made.learn();
        }
        made
    }

    fn table_size(&self) -> usize {
        self.keys.iter().fold(1, |size: usize, key| size.saturating_mul(key.names.len().max(1)))
    }

    /// Finds the combinations that occur.
    fn learn(&mut self) {
        let mut known: HashMap<u64, u32> = HashMap::new();
        for item in 0..self.graph.numbers_end() {
            let Some(combination) = self.combination(item) else { continue };
            let next = u32::try_from(self.combinations.len()).unwrap_or(NOWHERE);
            if *known.entry(combination).or_insert(next) == next {
                self.combinations.push(combination);
            }
        }
        self.known = Some(known);
    }

    /// How many groups there can be.
    pub(super) fn groups_count(&self) -> usize {
        if self.known.is_some() { self.combinations.len() } else { self.table_size() }
    }

    fn value(&self, key: &Key, item: Number) -> Option<u32> {
        match &key.values {
            Values::Class => self.graph.class_number(item),
            Values::Source(values) => {
                Some(values.get(&self.graph.source(item)).copied().unwrap_or(0))
            }
            Values::Item(values) => values.get(place(item)).copied(),
        }
    }

    /// The values of an item as one number; nothing for what is retired or outside.
    fn combination(&self, item: Number) -> Option<u64> {
        if self.graph.hidden.contains(item) {
            return None;
        }
        let within = self.within.as_ref()?;
        let mut asked = within.iter();
        let mut combination = 0_u64;
        for key in &self.keys {
            let value = self.value(key, item)?;
            if asked.next().is_some_and(|asked| *asked != value) {
                return None;
            }
            let values = u64::try_from(key.names.len().max(1)).unwrap_or(u64::MAX);
            combination = combination.saturating_mul(values).saturating_add(u64::from(value));
        }
        Some(combination)
    }

    /// The group of an item.
    pub(super) fn group(&self, item: Number) -> u32 {
        let Some(combination) = self.combination(item) else { return NOWHERE };
        match &self.known {
            Some(known) => known.get(&combination).copied().unwrap_or(NOWHERE),
            None => u32::try_from(combination).unwrap_or(NOWHERE),
        }
    }

    /// The values of a group, outermost first.
    pub(super) fn path(&self, group: usize) -> Vec<String> {
        let mut combination = match &self.known {
            Some(_) => self.combinations.get(group).copied().unwrap_or(0),
            None => u64::try_from(group).unwrap_or(0),
        };
        let mut path: Vec<String> = Vec::with_capacity(self.keys.len());
        for key in self.keys.iter().rev() {
            let values = u64::try_from(key.names.len().max(1)).unwrap_or(1);
            let value = usize::try_from(combination % values).unwrap_or(usize::MAX);
            combination /= values;
            path.push(key.names.get(value).cloned().unwrap_or_default());
        }
        path.reverse();
        path
    }
}
