//! The graph: items by number, their relationships, and how it follows commits.
//!
//! Invariants: following every commit gives the same graph as loading what they left in the store; a relationship
//! ends with the last statement of it; being a part is stated by the part's parent, as long as the part is not retired.

use crate::adjacency::{Adjacency, Relation, Stated};
use crate::bits::Bits;
use crate::origins::Origins;
use crate::place;
use crate::scratch::Scratches;
use crate::spares::Spares;
use model::decision::{Decision, Number, ObservationWrite};
use model::relationships::{Failure, Redundancy};
use model::{AgentId, ItemId, ItemState, Name, relationships};
use std::collections::HashMap;

/// A failure at this end reaches the other one.
pub(crate) const CARRIES: u8 = 1;
/// A failure at the other end reaches this one.
pub(crate) const SUFFERS: u8 = 2;
/// The end that suffers may state how many it needs.
pub(crate) const COUNTED: u8 = 4;
/// The end that suffers needs one, when it states nothing.
pub(crate) const ANY_ONE: u8 = 8;

/// Bits of a mark that hold the state.
const STATE_BITS: u32 = 2;

/// The mark of a number without an item.
const NO_ITEM: u32 = u32::MAX;

/// Steps from a merged item to what is left; far more than items are ever joined in a row.
const LEADS_MAX: usize = 64;

/// Names with numbers, in the order in which they came.
#[derive(Clone, Debug, Default)]
pub(crate) struct Names {
    texts: Vec<Name>,
    numbers: HashMap<Name, u32>,
}

impl Names {
    fn number(&mut self, name: &Name) -> (u32, bool) {
        if let Some(number) = self.numbers.get(name) {
            return (*number, false);
        }
        let number = u32::try_from(self.texts.len()).unwrap_or(u32::MAX);
        self.texts.push(name.clone());
        self.numbers.insert(name.clone(), number);
        (number, true)
    }

    pub(crate) fn text(&self, number: u32) -> Option<&Name> {
        self.texts.get(place(number))
    }

    pub(crate) fn known(&self, name: &str) -> Option<u32> {
        self.numbers.get(name).copied()
    }

    pub(crate) fn count(&self) -> usize {
        self.texts.len()
    }
}

/// Bytes of a hash table: an eighth of its places stays free, and a byte lies beside each place.
pub(crate) fn table<K, V>(capacity: usize) -> usize {
    let entry = size_of::<(K, V)>().saturating_add(1);
    capacity.saturating_mul(entry).saturating_mul(8) / 7
}

/// Where a source's observations come from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Origin {
    pub(crate) site: String,
    pub(crate) agent: Option<AgentId>,
}

/// What is known of an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Known<'a> {
    /// Its number.
    pub number: Number,
    /// Its id.
    pub id: ItemId,
    /// Its class.
    pub class: &'a Name,
    /// Where it is in its life.
    pub state: ItemState,
    /// The item that it is a part of; 0 for none.
    pub parent: Number,
}

/// The whole graph.
#[derive(Debug)]
pub struct Graph {
    ids: Vec<ItemId>,
    /// Class and state of each item.
    marks: Vec<u32>,
    parents: Vec<Number>,
    /// Items that no walk goes to: retired ones, and numbers without an item.
    pub(crate) hidden: Bits,
    pub(crate) adjacency: Adjacency,
    /// Relationships that are stated more than once, with how often beyond that.
    repeated: HashMap<Stated, u32>,
    numbers: HashMap<ItemId, Number>,
    /// Where the ids of merged items lead to.
    leads: HashMap<Number, Number>,
    pub(crate) classes: Names,
    verbs: Names,
    /// What a failure does, by kind of relation.
    flags: Vec<u8>,
    relations_count: u64,
    origins: Origins,
    sources: HashMap<Number, Origin>,
    pub(crate) spares: Spares,
    pub(crate) scratches: Scratches,
}

impl Default for Graph {
    fn default() -> Self {
        let mut graph = Self {
            ids: Vec::new(),
            marks: Vec::new(),
            parents: Vec::new(),
            hidden: Bits::default(),
            adjacency: Adjacency::default(),
            repeated: HashMap::new(),
            numbers: HashMap::new(),
            leads: HashMap::new(),
            classes: Names::default(),
            verbs: Names::default(),
            flags: Vec::new(),
            relations_count: 0,
            origins: Origins::default(),
            sources: HashMap::new(),
            spares: Spares::default(),
            scratches: Scratches::default(),
        };
        // The declared ones first, so that their order does not depend on which is stated first.
        for declared in relationships::ALL {
            graph.verb_number(&declared.as_name());
        }
        graph
    }
}

/// What a failure does along a declared relationship, seen from its first end and from its second.
fn flags(verb: &str) -> [u8; 2] {
    let declared = relationships::ALL.iter().find(|declared| declared.name == verb);
    let Some(declared) = declared else { return [0, 0] };
    let stands_in = match declared.redundancy {
        Redundancy::Alone => 0,
        Redundancy::Stated => COUNTED,
        Redundancy::AnyOne => COUNTED | ANY_ONE,
    };
    match declared.failure {
        Failure::Stays => [0, 0],
        Failure::ToFirst => [SUFFERS | stands_in, CARRIES | stands_in],
        Failure::ToSecond => [CARRIES | stands_in, SUFFERS | stands_in],
    }
}

impl Graph {
    /// A graph without items.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn verb_number(&mut self, verb: &Name) -> u32 {
        let (number, is_new) = self.verbs.number(verb);
        if is_new {
            self.flags.extend(flags(verb));
        }
        number
    }

    /// A source of observations.
    pub fn know_source(&mut self, number: Number, site: &str, agent: AgentId) {
        self.sources.insert(number, Origin { site: site.to_owned(), agent: Some(agent) });
    }

    /// What an observation says now: its item, and whether it is there.
    pub fn know_observation(
        &mut self,
        observation: Number,
        source: Number,
        item: Number,
        is_present: bool,
    ) {
        self.origins.know(observation, source, item, is_present);
    }

    /// How many of those it depends on an item can lose, as an observation states it; `None` when it states nothing.
    pub fn know_spare(&mut self, observation: Number, item: Number, spare: Option<u32>) {
        self.spares.know(observation, item, spare);
    }

    fn grow(&mut self, number: Number) {
        let needed = place(number).saturating_add(1);
        for new in self.ids.len()..needed {
            self.hidden.insert(Number::try_from(new).unwrap_or(Number::MAX));
        }
        if self.ids.len() < needed {
            self.ids.resize(needed, ItemId::from_bytes([0; 16]));
            self.marks.resize(needed, NO_ITEM);
            self.parents.resize(needed, 0);
        }
    }

    /// Sets an item, without its relationship to its parent.
    pub(crate) fn put_item(
        &mut self,
        number: Number,
        id: Option<ItemId>,
        class: &Name,
        parent: Number,
    ) {
        self.grow(number);
        let (class, _) = self.classes.number(class);
        let state = self.state_bits(number).unwrap_or(0);
        let at = place(number);
        if let (Some(id), Some(held)) = (id, self.ids.get_mut(at)) {
            *held = id;
            self.numbers.insert(id, number);
        }
        if let Some(mark) = self.marks.get_mut(at) {
            *mark = (class << STATE_BITS) | state;
        }
        if let Some(held) = self.parents.get_mut(at) {
            *held = parent;
        }
    }

    fn state_bits(&self, number: Number) -> Option<u32> {
        let mark = self.marks.get(place(number)).copied().filter(|mark| *mark != NO_ITEM)?;
        Some(mark & ((1 << STATE_BITS) - 1))
    }

    pub(crate) fn put_state(&mut self, number: Number, state: ItemState) {
        let bits = ItemState::ALL.iter().position(|known| *known == state).unwrap_or(0);
        let bits = u32::try_from(bits).unwrap_or(0);
        if let Some(mark) = self.marks.get_mut(place(number)).filter(|mark| **mark != NO_ITEM) {
            *mark = (*mark >> STATE_BITS << STATE_BITS) | bits;
        }
        let is_hidden = matches!(state, ItemState::Retired | ItemState::Merged);
        self.hidden.set(number, is_hidden);
    }

    /// Adds an item or sets it anew; a part is related to its parent by `part_of` until it is retired.
    pub fn set_item(
        &mut self,
        number: Number,
        id: Option<ItemId>,
        class: &Name,
        (parent, state): (Number, ItemState),
    ) {
        let is_known = self.state_bits(number).is_some();
        if !is_known && id.is_none() {
            return;
        }
        let before = if is_known { self.part_statement(number) } else { None };
        self.put_item(number, id, class, parent);
        self.put_state(number, state);
        let after = self.part_statement(number);
        if before != after {
            before.into_iter().for_each(|stated| self.take_away(stated));
            after.into_iter().for_each(|stated| self.add(stated));
        }
    }

    /// The statement that an item makes by having a parent.
    pub(crate) fn part_statement(&self, number: Number) -> Option<Stated> {
        let parent = self.parents.get(place(number)).copied().filter(|parent| *parent != 0)?;
        if self.hidden.contains(number) {
            return None;
        }
        Some((number, self.verbs.known(relationships::PART_OF)?, parent))
    }

    /// Adds a statement of a relationship.
    pub fn relate(&mut self, from: Number, verb: &Name, to: Number) {
        let verb = self.verb_number(verb);
        self.add((from, verb, to));
    }

    fn add(&mut self, stated: Stated) {
        self.grow(stated.0.max(stated.2));
        if self.adjacency.insert(stated) {
            self.relations_count = self.relations_count.saturating_add(1);
        } else {
            let more = self.repeated.entry(stated).or_default();
            *more = more.saturating_add(1);
        }
    }

    /// Takes a statement of a relationship away.
    pub fn unrelate(&mut self, from: Number, verb: &Name, to: Number) {
        if let Some(verb) = self.verbs.known(verb) {
            self.take_away((from, verb, to));
        }
    }

    fn take_away(&mut self, stated: Stated) {
        if let Some(more) = self.repeated.get_mut(&stated) {
            *more = more.saturating_sub(1);
            if *more == 0 {
                self.repeated.remove(&stated);
            }
        } else if self.adjacency.remove(stated) {
            self.relations_count = self.relations_count.saturating_sub(1);
        }
    }

    /// Takes over relationships that are made at once.
    pub(crate) fn put_relations(&mut self, stated: &[Stated]) {
        let last = stated.iter().map(|(from, _, to)| from.max(to)).max().copied().unwrap_or(0);
        self.grow(last);
        let repeated = &mut self.repeated;
        self.adjacency = Adjacency::of(self.ids.len(), stated, |one| {
            let more: &mut u32 = repeated.entry(one).or_default();
            *more = more.saturating_add(1);
        });
        let again: u64 = self.repeated.values().map(|more| u64::from(*more)).sum();
        let all = u64::try_from(stated.len()).unwrap_or(u64::MAX);
        self.relations_count = all.saturating_sub(again);
    }

    pub(crate) fn verb_of(&mut self, verb: &Name) -> u32 {
        self.verb_number(verb)
    }

    /// Follows a commit.
    pub fn follow(&mut self, decision: &Decision) {
        for source in &decision.sources {
            self.know_source(source.number, &source.site, source.agent);
        }
        for item in &decision.items {
            self.set_item(item.number, item.id, &item.class, (item.parent, item.state));
        }
        for write in &decision.observations {
            let (ObservationWrite::New(record)
            | ObservationWrite::Next { record, .. }
            | ObservationWrite::Moved(record)
            | ObservationWrite::Reassigned(record)
            | ObservationWrite::Dated(record)) = write;
            let is_present = record.absent_at.is_none();
            self.know_observation(record.number, record.source, record.item, is_present);
            let facts = &record.seen.facts;
            let spare = relationships::spare(&record.seen.class, facts).filter(|_| is_present);
            self.know_spare(record.number, record.item, spare);
        }
        for item in &decision.revived {
            self.leads.remove(item);
        }
        for absorbed in &decision.absorbed {
            self.lead(absorbed.item, absorbed.into);
        }
        // In the order of the store: ends first.
        for end in &decision.relations_ended {
            self.unrelate(end.from, &end.verb, end.to);
        }
        for begun in &decision.relations_begun {
            self.relate(begun.from, &begun.verb, begun.to);
        }
    }

    /// How many items there are, retired ones included.
    #[must_use]
    pub fn items_count(&self) -> usize {
        self.numbers.len().saturating_sub(self.leads.len())
    }

    /// How many relationships there are, parts included.
    #[must_use]
    pub const fn relations_count(&self) -> u64 {
        self.relations_count
    }

    /// The number of an item; the id of a merged one gives what is left.
    #[must_use]
    pub fn number(&self, id: ItemId) -> Option<Number> {
        let mut number = self.numbers.get(&id).copied()?;
        for _ in 0..LEADS_MAX {
            match self.leads.get(&number) {
                Some(into) => number = *into,
                None => break,
            }
        }
        Some(number)
    }

    /// Lets the id of a merged item lead to another item.
    pub(crate) fn lead(&mut self, item: Number, into: Number) {
        self.leads.insert(item, into);
    }

    /// The id of a number.
    #[must_use]
    pub fn id(&self, number: Number) -> Option<ItemId> {
        self.state_bits(number)?;
        self.ids.get(place(number)).copied()
    }

    /// What is known of an item.
    #[must_use]
    pub fn item(&self, number: Number) -> Option<Known<'_>> {
        let state = *ItemState::ALL.get(place(self.state_bits(number)?))?;
        let class = self.classes.text(self.class_number(number)?)?;
        let parent = self.parents.get(place(number)).copied()?;
        Some(Known { number, id: self.id(number)?, class, state, parent })
    }

    pub(crate) fn class_number(&self, number: Number) -> Option<u32> {
        let mark = self.marks.get(place(number)).copied().filter(|mark| *mark != NO_ITEM)?;
        Some(mark >> STATE_BITS)
    }

    /// The state of an item that is not retired: 0 active, 1 missing, 2 stale.
    pub(crate) fn live_state(&self, number: Number) -> Option<usize> {
        (!self.hidden.contains(number)).then(|| self.state_bits(number).map(place))?
    }

    pub(crate) fn is_active(&self, number: Number) -> bool {
        self.state_bits(number) == Some(0)
    }

    /// The numbers of all items, retired ones included, in their order.
    pub fn items(&self) -> impl Iterator<Item = Number> + '_ {
        (0..self.numbers_end()).filter(|number| self.state_bits(*number).is_some())
    }

    /// The first number that no item has.
    pub(crate) fn numbers_end(&self) -> Number {
        Number::try_from(self.ids.len()).unwrap_or(Number::MAX)
    }

    pub(crate) fn parent(&self, number: Number) -> Number {
        self.parents.get(place(number)).copied().unwrap_or(0)
    }

    /// The name of a relationship.
    #[must_use]
    pub fn verb(&self, relation: Relation) -> Option<&Name> {
        self.verbs.text(relation.verb())
    }

    /// How many statements there are of a relationship that an item has.
    #[must_use]
    pub fn statements(&self, number: Number, relation: Relation) -> u32 {
        let stated = if relation.is_outgoing() {
            (number, relation.verb(), relation.other())
        } else {
            (relation.other(), relation.verb(), number)
        };
        if !self.adjacency.contains(stated) {
            return 0;
        }
        self.repeated.get(&stated).copied().unwrap_or(0).saturating_add(1)
    }

    /// The relationships of an item, both directions, those to retired items included.
    #[must_use]
    pub fn relations(&self, number: Number) -> &[Relation] {
        self.adjacency.list(number)
    }

    pub(crate) fn flags(&self, relation: Relation) -> u8 {
        self.flags.get(place(relation.kind())).copied().unwrap_or(0)
    }

    /// Which kinds of relations these verbs are; nothing when none is named, which means every one.
    pub(crate) fn kinds(&self, verbs: &[Name]) -> Option<Vec<bool>> {
        if verbs.is_empty() {
            return None;
        }
        let mut kinds = vec![false; self.flags.len()];
        for verb in verbs.iter().filter_map(|verb| self.verbs.known(verb)) {
            let first = place(verb).saturating_mul(2);
            kinds.iter_mut().skip(first).take(2).for_each(|is_asked| *is_asked = true);
        }
        Some(kinds)
    }

    /// Where an item is seen from; a part that no source sees by itself is where its parent is.
    pub(crate) fn source(&self, number: Number) -> Number {
        /// A disk of a shelf of a host lies three deep; the limit guards against a circle.
        const PARENTS_MAX: usize = 16;
        let mut item = number;
        for _ in 0..PARENTS_MAX {
            let source = self.origins.source(item);
            if source != 0 || item == 0 {
                return source;
            }
            item = self.parent(item);
        }
        0
    }

    /// The site from which an item is seen; `None` when nobody sees it.
    #[must_use]
    pub fn site(&self, number: Number) -> Option<&str> {
        self.sources.get(&self.source(number)).map(|origin| origin.site.as_str())
    }

    pub(crate) const fn origins(&self) -> &HashMap<Number, Origin> {
        &self.sources
    }

    /// Bytes of memory that the graph takes, by the capacity of everything that it holds.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        let items = self
            .ids
            .capacity()
            .saturating_mul(size_of::<ItemId>())
            .saturating_add(self.marks.capacity().saturating_mul(size_of::<u32>()))
            .saturating_add(self.parents.capacity().saturating_mul(size_of::<Number>()));
        [
            items,
            table::<ItemId, Number>(self.numbers.capacity()),
            table::<Number, Number>(self.leads.capacity()),
            table::<Stated, u32>(self.repeated.capacity()),
            self.spares.memory_bytes(),
            self.adjacency.memory_bytes(),
            self.hidden.memory_bytes(),
            self.origins.memory_bytes(),
            self.scratches.memory_bytes(),
        ]
        .into_iter()
        .sum()
    }
}
