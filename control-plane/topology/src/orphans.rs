//! Items that hang together with nothing, and parts without the item that they are a part of.

use crate::Graph;
use model::Name;
use model::decision::Number;

/// What an item lacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Orphan {
    /// Any relationship.
    Unrelated,
    /// The item that it is a part of, though its class is one of parts.
    Parentless,
}

/// Which of them are listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// Only those behind this number.
    pub after: Number,
    /// How many are listed at most. More are counted, not listed.
    pub items: usize,
    /// Only those of these classes; no name: all.
    pub classes: Vec<Name>,
}

/// Items that lack something.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Orphans {
    /// The items by number.
    pub items: Vec<Number>,
    /// Whether more follow.
    pub has_more: bool,
    /// How many there are in all, on all pages.
    pub count: usize,
    /// How many there are of each class, most first.
    pub classes: Vec<(Name, usize)>,
}

impl Graph {
    /// The items that lack something; `parts` names the classes of parts.
    #[must_use]
    pub fn orphans(&self, what: Orphan, parts: &[Name], page: &Page) -> Orphans {
        let numbers = |names: &[Name]| -> Vec<u32> {
            names.iter().filter_map(|name| self.classes.known(name)).collect()
        };
        let (parts, classes) = (numbers(parts), numbers(&page.classes));
        let is_asked = |item: Number| {
            let Some(class) = self.class_number(item) else { return false };
            let is_lacking = match what {
                Orphan::Unrelated => self
                    .relations(item)
                    .iter()
                    .all(|relation| self.hidden.contains(relation.other())),
                Orphan::Parentless => self.parent(item) == 0 && parts.contains(&class),
            };
            is_lacking && (page.classes.is_empty() || classes.contains(&class))
        };
        let all: Vec<Number> = (1..self.numbers_end())
            .filter(|item| !self.hidden.contains(*item) && is_asked(*item))
            .collect();
        let behind = all.partition_point(|item| *item <= page.after);
        let behind = all.get(behind..).unwrap_or_default();
        Orphans {
            items: behind.iter().take(page.items).copied().collect(),
            has_more: behind.len() > page.items,
            count: all.len(),
            classes: self.by_class(all.iter().copied()),
        }
    }
}
