//! Finding items: by class, state, parent and words with an index, by conditions and at past moments by looking at
//! each candidate.
//!
//! Invariants: paging is by key, so that nothing is skipped or repeated when items come and go; an answer is never
//! cut silently: a question that would look at too many candidates is refused with the way to narrow it.

use super::cursor::{Place, cursor, place, question_hash};
use super::load::name;
use super::names::Names;
use super::{assemble, state_number};
use crate::items::ReadError;
use model::decision::Number;
use model::query::{At, CONDITIONS_MAX, Comparison, Condition, Filter, Order, Page, Paged};
use model::{Item, ItemState, Name, Value};
use rusqlite::types::Value as Parameter;
use rusqlite::{Connection, params_from_iter};
use std::cmp::Ordering;
use std::collections::BTreeMap;

type Result<T> = std::result::Result<T, ReadError>;

/// Candidates that one question may look at one by one: about a second.
const CANDIDATES_MAX: usize = 100_000;

/// Candidates that are fetched at once when each is looked at.
const CHUNK: usize = 512;

/// Words of a text search; a person types fewer.
const WORDS_MAX: usize = 16;

/// A question about items, all that its answer depends on but the page.
#[derive(Clone, Debug)]
pub(super) struct Question {
    pub(super) filter: Filter,
    pub(super) order: Order,
    pub(super) at: At,
}

impl Question {
    /// Whether each candidate has to be looked at.
    fn is_looking(&self) -> bool {
        !self.filter.conditions.is_empty() || self.at != At::Now
    }

    fn check(&self) -> Result<()> {
        let count = self.filter.conditions.len();
        if count > CONDITIONS_MAX {
            return Err(ReadError::Invalid {
                reason: format!("a filter has at most {CONDITIONS_MAX} conditions, not {count}"),
            });
        }
        Ok(())
    }
}

/// Whether the filter asks for items in this state.
pub(super) fn is_asked_state(filter: &Filter, state: ItemState) -> bool {
    if filter.states.is_empty() {
        !matches!(state, ItemState::Retired | ItemState::Merged)
    } else {
        filter.states.contains(&state)
    }
}

/// Classes with their counts, most first.
pub(super) fn most_first(counts: BTreeMap<Name, u64>) -> Vec<(Name, u64)> {
    let mut counts: Vec<(Name, u64)> = counts.into_iter().collect();
    counts.sort_by(|(one, many), (other, few)| few.cmp(many).then_with(|| one.cmp(other)));
    counts
}

/// A page of items.
pub(super) fn find(
    connection: &Connection,
    names: &Names,
    question: &Question,
    page: &Page,
) -> Result<Paged<Item>> {
    question.check()?;
    let hash = question_hash(question);
    let mut after = place(hash, page)?;
    let size = usize::try_from(page.size).unwrap_or(usize::MAX);
    let chunk = if question.is_looking() { CHUNK } else { size.saturating_add(1) };
    let mut search = Search::of(connection, names, question)?;
    let mut entries = Vec::new();
    loop {
        let candidates = search.next(after.as_ref(), chunk)?;
        let is_end = candidates.len() < chunk;
        for (candidate, number) in candidates {
            let found = search.look(number)?;
            if let Some(item) = found {
                if entries.len() == size {
                    return Ok(Paged { entries, has_more: true });
                }
                entries.push((cursor(hash, &candidate), item));
            }
            after = Some(candidate);
        }
        if is_end {
            return Ok(Paged { entries, has_more: false });
        }
    }
}

/// How many items of each class there are.
pub(super) fn class_counts(
    connection: &Connection,
    names: &Names,
    question: &Question,
) -> Result<Vec<(Name, u64)>> {
    question.check()?;
    let mut search = Search::of(connection, names, question)?;
    let mut counts: BTreeMap<Name, u64> = BTreeMap::new();
    if !question.is_looking() {
        let (from, parameters) = search.source(None);
        let mut statement = connection
            .prepare_cached(&format!("SELECT i.class, COUNT(*) FROM {from} GROUP BY i.class"))?;
        let mut rows = statement.query(params_from_iter(parameters))?;
        while let Some(row) = rows.next()? {
            let count = u64::try_from(row.get::<_, i64>(1)?).unwrap_or(0);
            counts.insert(name(names, row.get(0)?)?, count);
        }
        return Ok(most_first(counts));
    }
    let mut after = None;
    loop {
        let candidates = search.next(after.as_ref(), CHUNK)?;
        let is_end = candidates.len() < CHUNK;
        for (candidate, number) in candidates {
            if let Some(item) = search.look(number)? {
                let count = counts.entry(item.class).or_default();
                *count = count.saturating_add(1);
            }
            after = Some(candidate);
        }
        if is_end {
            return Ok(most_first(counts));
        }
    }
}

/// One question being answered.
struct Search<'a> {
    connection: &'a Connection,
    names: &'a Names,
    question: &'a Question,
    /// The classes in question by name, with their numbers.
    classes: Vec<(Name, u32)>,
    parent: Option<Number>,
    words: Option<String>,
    is_hopeless: bool,
    looked: usize,
}

impl<'a> Search<'a> {
    fn of(connection: &'a Connection, names: &'a Names, question: &'a Question) -> Result<Self> {
        let filter = &question.filter;
        let mut classes = Vec::new();
        if filter.classes.is_empty() {
            for number in classes_present(connection)? {
                classes.push((name(names, number)?, number));
            }
        } else {
            let asked = filter.classes.iter();
            classes.extend(asked.filter_map(|class| Some((class.clone(), names.known(class)?))));
        }
        classes.sort();
        classes.dedup();
        let parent = match filter.parent {
            None => None,
            Some(id) => Some(assemble::number_of(connection, id)?.unwrap_or(0)),
        };
        let words = filter.text.as_deref().filter(|text| !text.trim().is_empty()).map(words_of);
        let is_hopeless =
            classes.is_empty() || parent == Some(0) || words.as_deref().is_some_and(str::is_empty);
        Ok(Self { connection, names, question, classes, parent, words, is_hopeless, looked: 0 })
    }

    /// The item when it matches what the index could not tell.
    fn look(&mut self, number: Number) -> Result<Option<Item>> {
        self.looked = self.looked.saturating_add(1);
        if self.question.is_looking() && self.looked > CANDIDATES_MAX {
            return Err(ReadError::Invalid {
                reason: format!(
                    "more than {CANDIDATES_MAX} items would have to be looked at; narrow the question by class, parent or text"
                ),
            });
        }
        let found = assemble::item(self.connection, self.names, number, self.question.at)?;
        Ok(found.filter(|item| {
            is_asked_state(&self.question.filter, item.state)
                && self.question.filter.conditions.iter().all(|condition| holds(item, condition))
        }))
    }

    /// The next candidates in order, behind a place.
    fn next(&self, after: Option<&Place>, limit: usize) -> Result<Vec<(Place, Number)>> {
        if self.is_hopeless {
            return Ok(Vec::new());
        }
        match self.question.order {
            Order::Changed => self.by_revision(after, limit),
            Order::Class => self.by_class(after, limit),
            Order::Title if self.parent.is_some() || self.words.is_some() => {
                self.by_title(None, after, limit)
            }
            Order::Title => {
                // One ordered walk per class, merged: the index leads with the class.
                let mut found = Vec::new();
                for (_, class) in &self.classes {
                    found.extend(self.by_title(Some(*class), after, limit)?);
                }
                found.sort_by(|(one, _), (other, _)| {
                    one.text.cmp(&other.text).then_with(|| one.number.cmp(&other.number))
                });
                found.truncate(limit);
                Ok(found)
            }
        }
    }

    /// FROM and WHERE for the indexed part of the filter.
    fn source(&self, class: Option<u32>) -> (String, Vec<Parameter>) {
        let mut parameters = Vec::new();
        let mut from = String::from("item i WHERE 1");
        if let Some(words) = &self.words {
            from = "item_text t CROSS JOIN item i ON i.number = t.rowid WHERE t.item_text MATCH ?"
                .into();
            parameters.push(Parameter::Text(words.clone()));
        }
        match class {
            Some(class) => from.push_str(&format!(" AND i.class = {class}")),
            None if self.question.filter.classes.is_empty() => {}
            None => {
                let list: Vec<String> =
                    self.classes.iter().map(|(_, number)| number.to_string()).collect();
                from.push_str(&format!(" AND i.class IN ({})", list.join(",")));
            }
        }
        if let Some(parent) = self.parent {
            from.push_str(&format!(" AND i.parent = {parent} AND i.parent <> 0"));
        }
        match self.question.at {
            At::Time(then) => from.push_str(&format!(" AND i.first_seen <= {}", then.millis())),
            At::Now => {
                let list: Vec<String> = ItemState::ALL
                    .into_iter()
                    .filter(|state| is_asked_state(&self.question.filter, *state))
                    .map(|state| state_number(state).to_string())
                    .collect();
                from.push_str(&format!(" AND i.state IN ({})", list.join(",")));
            }
        }
        (from, parameters)
    }

    fn by_title(
        &self,
        class: Option<u32>,
        after: Option<&Place>,
        limit: usize,
    ) -> Result<Vec<(Place, Number)>> {
        let (mut from, mut parameters) = self.source(class);
        if let Some(place) = after {
            from.push_str(" AND (i.title, i.number) > (?, ?)");
            parameters.push(Parameter::Text(place.text.clone()));
            parameters.push(Parameter::Integer(place.number));
        }
        self.rows(
            &format!("SELECT i.title, i.number, i.number FROM {from} ORDER BY i.title, i.number LIMIT {limit}"),
            parameters,
        )
    }

    fn by_revision(&self, after: Option<&Place>, limit: usize) -> Result<Vec<(Place, Number)>> {
        let (mut from, mut parameters) = self.source(None);
        if let Some(place) = after {
            from.push_str(" AND (i.revision, i.number) < (?, ?)");
            let revision = place.text.parse().map_err(|_| ReadError::CursorMismatch)?;
            parameters.push(Parameter::Integer(revision));
            parameters.push(Parameter::Integer(place.number));
        }
        self.rows(
            &format!(
                "SELECT CAST(i.revision AS TEXT), i.number, i.number FROM {from}
                 ORDER BY i.revision DESC, i.number DESC LIMIT {limit}"
            ),
            parameters,
        )
    }

    /// Class after class; the place's text is class and title.
    fn by_class(&self, after: Option<&Place>, limit: usize) -> Result<Vec<(Place, Number)>> {
        let mut found = Vec::new();
        let begun = after.and_then(|place| {
            let (class, title) = place.text.split_once('\0')?;
            Some((class, Place { text: title.to_owned(), number: place.number }))
        });
        for (class, number) in &self.classes {
            let within = match &begun {
                Some((begun, _)) if class.as_ref() < *begun => continue,
                Some((begun, within)) if class.as_ref() == *begun => Some(within),
                _ => None,
            };
            let left = limit.saturating_sub(found.len());
            if left == 0 {
                break;
            }
            let rows = self.by_title(Some(*number), within, left)?;
            found.extend(rows.into_iter().map(|(place, item)| {
                (Place { text: format!("{class}\0{}", place.text), number: place.number }, item)
            }));
        }
        Ok(found)
    }

    fn rows(&self, sql: &str, parameters: Vec<Parameter>) -> Result<Vec<(Place, Number)>> {
        let mut statement = self.connection.prepare_cached(sql)?;
        let rows = statement.query_map(params_from_iter(parameters), |row| {
            Ok((Place { text: row.get(0)?, number: row.get(1)? }, row.get(2)?))
        })?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }
}

/// The classes that have items, by jumping through the index instead of walking it.
fn classes_present(connection: &Connection) -> Result<Vec<u32>> {
    let mut statement = connection.prepare_cached(
        "WITH RECURSIVE present(class) AS (
             SELECT MIN(class) FROM item
             UNION ALL
             SELECT (SELECT MIN(class) FROM item WHERE class > present.class) FROM present
             WHERE present.class IS NOT NULL)
         SELECT class FROM present WHERE class IS NOT NULL",
    )?;
    let found = statement.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
    Ok(found)
}

/// The search expression of a text: every word by prefix. Empty when there is no word in it.
fn words_of(text: &str) -> String {
    let words = text
        .split(|letter: char| !letter.is_alphanumeric() && letter != ':')
        .filter(|word| !word.is_empty())
        .take(WORDS_MAX);
    words.map(|word| format!("\"{word}\"*")).collect::<Vec<_>>().join(" AND ")
}

fn holds(item: &Item, condition: &Condition) -> bool {
    let value = item.value(&condition.attribute).unwrap_or(&Value::Absent);
    let asked = &condition.value;
    match condition.comparison {
        Comparison::Equal => compare(value, asked) == Some(Ordering::Equal),
        Comparison::NotEqual => compare(value, asked) != Some(Ordering::Equal),
        Comparison::Less => compare(value, asked) == Some(Ordering::Less),
        Comparison::Greater => compare(value, asked) == Some(Ordering::Greater),
        Comparison::LessOrEqual => {
            matches!(compare(value, asked), Some(Ordering::Less | Ordering::Equal))
        }
        Comparison::GreaterOrEqual => {
            matches!(compare(value, asked), Some(Ordering::Greater | Ordering::Equal))
        }
        Comparison::Contains => {
            value.to_line().to_lowercase().contains(&asked.to_line().to_lowercase())
        }
    }
}

/// Orders two values that can be compared; a list equals what one of its values equals.
fn compare(value: &Value, asked: &Value) -> Option<Ordering> {
    #[expect(
        clippy::cast_precision_loss,
        reason = "beyond 2^53 a comparison with a fraction is not exact anyway"
    )]
    let float = |number: i64| number as f64;
    match (value, asked) {
        (Value::Integer(one), Value::Integer(other)) => Some(one.cmp(other)),
        (Value::Float(one), Value::Float(other)) => one.partial_cmp(other),
        (Value::Integer(one), Value::Float(other)) => float(*one).partial_cmp(other),
        (Value::Float(one), Value::Integer(other)) => one.partial_cmp(&float(*other)),
        (Value::Text(one), Value::Text(other)) => Some(one.cmp(other)),
        (Value::Time(one), Value::Time(other)) => Some(one.cmp(other)),
        (Value::Boolean(one), Value::Boolean(other)) => Some(one.cmp(other)),
        (Value::List(values), asked) if !matches!(asked, Value::List(_)) => {
            values.iter().any(|value| value == asked).then_some(Ordering::Equal)
        }
        (one, other) => (one == other).then_some(Ordering::Equal),
    }
}
