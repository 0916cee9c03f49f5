//! The names of classes, attributes and relationships as small numbers, shared by all bodies.
//!
//! Invariants: a number means one name for ever; names that the product declares are static text, whatever the file
//! holds. A name gets its number in memory and is written with the next decision, again and again until one commits.

use model::Name;
use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

/// Names that get a number. What agents invent beyond that is stored in full: it costs space, not memory.
const NAMES_MAX: usize = 50_000;

static DECLARED: LazyLock<HashSet<&'static str>> = LazyLock::new(|| {
    let mut declared = HashSet::new();
    let mut learn = |name: &Name| {
        if let Name::Borrowed(text) = name {
            declared.insert(*text);
        }
    };
    for class in model::Catalog::built_in().classes() {
        learn(&class.name);
        class.attributes.iter().for_each(|attribute| learn(&attribute.name));
    }
    model::relationships::ALL.iter().for_each(|relationship| learn(&relationship.as_name()));
    for key_type in model::KeyType::ALL {
        learn(&Name::Borrowed(key_type.name()));
    }
    declared
});

/// The name of this text: static when the product declares it.
pub(crate) fn shared(text: String) -> Name {
    match DECLARED.get(text.as_str()) {
        Some(declared) => Name::Borrowed(declared),
        None => Name::Owned(text),
    }
}

/// Names and their numbers, from 1.
#[derive(Debug, Default, Clone)]
pub(crate) struct Names {
    numbers: HashMap<Name, u32>,
    names: HashMap<u32, Name>,
    last: u32,
    unwritten: Vec<(u32, Name)>,
}

impl Names {
    /// Takes over a row of the file.
    pub(crate) fn learn(&mut self, number: u32, text: String) {
        let name = shared(text);
        self.numbers.insert(name.clone(), number);
        self.names.insert(number, name);
        self.last = self.last.max(number);
    }

    /// The number of a name, a new one when it has none; `None` when there are too many.
    pub(crate) fn number(&mut self, name: &Name) -> Option<u32> {
        if let Some(number) = self.numbers.get(name) {
            return Some(*number);
        }
        if self.names.len() >= NAMES_MAX {
            return None;
        }
        let number = self.last.checked_add(1)?;
        self.learn(number, name.clone().into_owned());
        self.unwritten.push((number, name.clone()));
        Some(number)
    }

    /// The number of a name that is known.
    pub(crate) fn known(&self, name: &str) -> Option<u32> {
        self.numbers.get(name).copied()
    }

    /// The name of a number.
    pub(crate) fn name(&self, number: u32) -> Option<&Name> {
        self.names.get(&number)
    }

    /// The names that no committed transaction has written.
    pub(crate) fn unwritten(&self) -> Vec<(u32, Name)> {
        self.unwritten.clone()
    }

    /// Those up to `last` have been committed.
    pub(crate) fn written(&mut self, last: u32) {
        self.unwritten.retain(|(number, _)| *number > last);
    }
}
