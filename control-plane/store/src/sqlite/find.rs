//! Finding items: by class, state, parent and words with an index, by conditions and at past moments by looking at
//! each candidate. At a past moment items are matched and ordered by what they were called then.
//!
//! Invariants: paging is by key, so that nothing is skipped or repeated when items come and go; an answer is never
//! cut silently: a question that would look at too many candidates is refused with the way to narrow it.

use super::cursor::{Place, cursor, place, question_hash};
use super::load::name;
use super::names::Names;
use super::policies::Book;
use super::words::Words;
use super::{assemble, history, state_number, state_of};
use crate::items::ReadError;
use model::decision::Number;
use model::query::{At, CONDITIONS_MAX, Comparison, Condition, Filter, Order, Page, Paged};
use model::{Item, ItemState, Name, Timestamp, Value};
use rusqlite::types::Value as Parameter;
use rusqlite::{Connection, OptionalExtension, params_from_iter};
use std::cmp::Ordering;
use std::collections::BTreeMap;

type Result<T> = std::result::Result<T, ReadError>;

/// Candidates that one question may look at one by one: about a second.
const CANDIDATES_MAX: usize = 100_000;

/// Candidates that are fetched at once when each is looked at.
const CHUNK: usize = 512;

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
    terms: (&Names, &Book),
    question: &Question,
    page: &Page,
) -> Result<Paged<Item>> {
    question.check()?;
    history::check(connection, question.at)?;
    let hash = question_hash(question);
    let mut after = place(hash, page)?;
    let size = usize::try_from(page.size).unwrap_or(usize::MAX);
    let chunk = if question.is_looking() { CHUNK } else { size.saturating_add(1) };
    let mut search = Search::of(connection, terms, question)?;
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
    terms: (&Names, &Book),
    question: &Question,
) -> Result<Vec<(Name, u64)>> {
    let (names, _) = terms;
    question.check()?;
    history::check(connection, question.at)?;
    let mut search = Search::of(connection, terms, question)?;
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
            if let Some(class) = search.look_for_class(number)? {
                let count = counts.entry(class).or_default();
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
    book: &'a Book,
    question: &'a Question,
    /// The classes in question by name, with their numbers.
    classes: Vec<(Name, u32)>,
    parent: Option<Number>,
    words: Option<Words>,
    is_hopeless: bool,
    looked: usize,
}

impl<'a> Search<'a> {
    fn of(
        connection: &'a Connection,
        (names, book): (&'a Names, &'a Book),
        question: &'a Question,
    ) -> Result<Self> {
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
        let words = filter.text.as_deref().filter(|text| !text.trim().is_empty()).map(Words::of);
        let is_hopeless =
            classes.is_empty() || parent == Some(0) || words.as_ref().is_some_and(Words::is_empty);
        Ok(Self {
            connection,
            names,
            book,
            question,
            classes,
            parent,
            words,
            is_hopeless,
            looked: 0,
        })
    }

    /// The item when it matches what the index could not tell.
    fn look(&mut self, number: Number) -> Result<Option<Item>> {
        self.count_look()?;
        let found =
            assemble::whole(self.connection, (self.names, self.book), number, self.question.at)?;
        let Some((item, said)) = found else { return Ok(None) };
        let is_found = is_asked_state(&self.question.filter, item.state)
            && self.question.filter.conditions.iter().all(|condition| holds(&item, condition))
            // The index of words knows the present only.
            && (self.question.at == At::Now
                || self.words.as_ref().is_none_or(|words| words.are_in(&item.title, &said)));
        Ok(Some(item).filter(|_| is_found))
    }

    /// The class of the item when it matches, without reading more of it than that takes.
    fn look_for_class(&mut self, number: Number) -> Result<Option<Name>> {
        let then = match self.question.at {
            At::Time(then)
                if self.question.filter.conditions.is_empty() && self.words.is_none() =>
            {
                then
            }
            _ => return Ok(self.look(number)?.map(|item| item.class)),
        };
        let row: Option<(u32, u8, i64)> = self
            .connection
            .prepare_cached("SELECT class, state, state_since FROM item WHERE number = ?1")?
            .query_row([number], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
            .optional()?;
        let Some((class, state, since)) = row else { return Ok(None) };
        let state = state_of(state).ok_or_else(|| super::corrupt("state of an item"))?;
        let now = (state, Timestamp::from_millis(since));
        let state = history::state_at(self.connection, number, now, then)?;
        if is_asked_state(&self.question.filter, state) {
            Ok(Some(name(self.names, class)?))
        } else {
            Ok(None)
        }
    }

    fn count_look(&mut self) -> Result<()> {
        self.looked = self.looked.saturating_add(1);
        if self.question.is_looking() && self.looked > CANDIDATES_MAX {
            return Err(too_many());
        }
        Ok(())
    }

    /// The next candidates in order, behind a place.
    fn next(&self, after: Option<&Place>, limit: usize) -> Result<Vec<(Place, Number)>> {
        if self.is_hopeless {
            return Ok(Vec::new());
        }
        match self.question.order {
            Order::Changed => match self.question.at {
                At::Now => self.by_revision(after, limit),
                At::Time(then) => self.by_revision_then(then, after, limit),
            },
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
                sort_by_title(&mut found);
                found.truncate(limit);
                Ok(found)
            }
        }
    }

    /// FROM and WHERE for the indexed part of the filter.
    fn source(&self, class: Option<u32>) -> (String, Vec<Parameter>) {
        let mut parameters = Vec::new();
        let mut from = String::from("item i WHERE 1");
        match (&self.words, self.question.at) {
            (None, _) => {}
            (Some(words), At::Now) => {
                from =
                    "item_text t CROSS JOIN item i ON i.number = t.rowid WHERE t.item_text MATCH ?"
                        .into();
                parameters.push(Parameter::Text(words.expression()));
            }
            (Some(words), At::Time(then)) => {
                // What did not change since then has the same words now; whatever did change is looked at.
                from.push_str(&format!(
                    " AND (i.number IN (SELECT rowid FROM item_text WHERE item_text MATCH ?)
                     OR i.number IN (SELECT item FROM change WHERE observed_at > {}))",
                    then.millis()
                ));
                parameters.push(Parameter::Text(words.expression()));
            }
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

    /// By the title that the items have now, or had then.
    fn by_title(
        &self,
        class: Option<u32>,
        after: Option<&Place>,
        limit: usize,
    ) -> Result<Vec<(Place, Number)>> {
        /// Lines of history bear a title of their own when the item was renamed after them.
        const RENAMED: &str = "(SELECT item FROM change WHERE title IS NOT NULL)";
        let (mut from, parameters) = self.source(class);
        let At::Time(then) = self.question.at else {
            return self.titles(
                &format!("SELECT i.title AS title, i.number AS number FROM {from}"),
                parameters,
                after,
                limit,
            );
        };
        let renamed = format!(
            "SELECT COALESCE((SELECT c.title FROM change c WHERE c.item = i.number AND c.observed_at <= {}
                 ORDER BY c.observed_at DESC, c.position DESC LIMIT 1), i.title) AS title, i.number AS number
             FROM {from} AND i.number IN {RENAMED}",
            then.millis()
        );
        let mut found = self.titles(&renamed, parameters.clone(), after, limit)?;
        from.push_str(&format!(" AND i.number NOT IN {RENAMED}"));
        let others = format!("SELECT i.title AS title, i.number AS number FROM {from}");
        found.extend(self.titles(&others, parameters, after, limit)?);
        sort_by_title(&mut found);
        found.truncate(limit);
        Ok(found)
    }

    fn titles(
        &self,
        source: &str,
        mut parameters: Vec<Parameter>,
        after: Option<&Place>,
        limit: usize,
    ) -> Result<Vec<(Place, Number)>> {
        let mut behind = "";
        if let Some(place) = after {
            behind = "WHERE (title, number) > (?, ?)";
            parameters.push(Parameter::Text(place.text.clone()));
            parameters.push(Parameter::Integer(place.number));
        }
        let sql = format!(
            "SELECT title, number, number FROM ({source}) {behind} ORDER BY title, number LIMIT {limit}"
        );
        self.rows(&sql, parameters)
    }

    /// By the revision that the items had then. No index knows it, so that all candidates are gone through.
    fn by_revision_then(
        &self,
        then: Timestamp,
        after: Option<&Place>,
        limit: usize,
    ) -> Result<Vec<(Place, Number)>> {
        let (from, mut parameters) = self.source(None);
        let counted = format!(
            "SELECT COUNT(*) FROM (SELECT 1 FROM {from} LIMIT {})",
            CANDIDATES_MAX.saturating_add(1)
        );
        let count: i64 = self
            .connection
            .prepare_cached(&counted)?
            .query_row(params_from_iter(parameters.iter()), |row| row.get(0))?;
        if usize::try_from(count).unwrap_or(usize::MAX) > CANDIDATES_MAX {
            return Err(too_many());
        }
        let mut behind = "";
        if let Some(place) = after {
            behind = "WHERE (revision, number) < (?, ?)";
            let revision = place.text.parse().map_err(|_| ReadError::CursorMismatch)?;
            parameters.push(Parameter::Integer(revision));
            parameters.push(Parameter::Integer(place.number));
        }
        self.rows(
            &format!(
                "SELECT CAST(revision AS TEXT), number, number FROM (
                     SELECT COALESCE((SELECT c.position >> {bits} FROM change c
                         WHERE c.item = i.number AND c.observed_at <= {then}
                         ORDER BY c.observed_at DESC, c.position DESC LIMIT 1), 0) AS revision,
                         i.number AS number FROM {from})
                 {behind} ORDER BY revision DESC, number DESC LIMIT {limit}",
                bits = super::write::INDEX_BITS,
                then = then.millis()
            ),
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

fn sort_by_title(found: &mut [(Place, Number)]) {
    found.sort_by(|(one, _), (other, _)| {
        one.text.cmp(&other.text).then_with(|| one.number.cmp(&other.number))
    });
}

fn too_many() -> ReadError {
    ReadError::Invalid {
        reason: format!(
            "more than {CANDIDATES_MAX} items would have to be looked at; narrow the question by class, parent or text"
        ),
    }
}

/// Whether an item meets a condition.
pub(super) fn holds(item: &Item, condition: &Condition) -> bool {
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
