//! What differs between two moments: of one item, and of all items that match.
//!
//! Only items with a line of history, an ended version, an ended relationship or a new other end between the moments
//! can differ; each of them is read at both and compared, so that a difference is what two questions about the two
//! moments would show.

use super::assemble::{Said, Sources, keep_speaking, said, said_then};
use super::cursor::{Place, cursor, place, question_hash};
use super::find::{holds, is_asked_state};
use super::load::name;
use super::names::Names;
use super::policies::{self, Book};
use super::words::Words;
use super::{assemble, corrupt, history, relations, state_of};
use crate::history::{
    AttributeDifference, Between, DifferenceCounts, DifferenceFilter, DifferenceKind,
    ItemDifference, RELATIONS_SHOWN_MAX, RelationDifference,
};
use crate::items::ReadError;
use model::decision::Number;
use model::fold::{Lock, Rulings, Statement, fold_by, winners_by};
use model::query::{At, CONDITIONS_MAX, Filter, Page, Paged};
use model::{Item, ItemId, ItemState, Name, Revision, SourceValue, Timestamp, Value};
use rusqlite::{Connection, OptionalExtension, Row, params};
use std::collections::BTreeMap;

type Result<T> = std::result::Result<T, ReadError>;

/// Items that one question may compare: some seconds.
const COMPARED_MAX: usize = 100_000;

/// Items that are fetched at once when each is compared.
const CHUNK: usize = 512;

fn check(connection: &Connection, between: Between) -> Result<()> {
    if between.from >= between.to {
        return Err(ReadError::Invalid {
            reason: "the earlier moment has to lie before the later one".into(),
        });
    }
    history::check_time(connection, between.from)
}

/// What differs of one item, with its relationships in both directions.
pub(super) fn of_item(
    connection: &Connection,
    (names, book): (&Names, &Book),
    id: ItemId,
    between: Between,
) -> Result<Option<ItemDifference>> {
    check(connection, between)?;
    let Some(number) = assemble::number_of(connection, id)? else { return Ok(None) };
    let mut comparison = Comparison {
        connection,
        names,
        book,
        between,
        sources: Sources::default(),
        is_single: true,
    };
    Ok(comparison.of(number, None)?.map(|(difference, _)| difference))
}

/// What differs of the items that match, by page, in the order in which they became known.
pub(super) fn page(
    connection: &Connection,
    terms: (&Names, &Book),
    filter: &DifferenceFilter,
    page: &Page,
) -> Result<Paged<ItemDifference>> {
    let hash = question_hash(filter);
    let after = place(hash, page)?.map_or(0, |place| place.number);
    let size = usize::try_from(page.size).unwrap_or(usize::MAX);
    let mut answer = Paged { entries: Vec::new(), has_more: false };
    each(connection, terms, filter, after, |number, difference| {
        if answer.entries.len() == size {
            answer.has_more = true;
            return false;
        }
        let place = Place { text: String::new(), number: i64::from(number) };
        answer.entries.push((cursor(hash, &place), difference));
        true
    })?;
    Ok(answer)
}

/// How much differs of the items that match.
pub(super) fn counts(
    connection: &Connection,
    terms: (&Names, &Book),
    filter: &DifferenceFilter,
) -> Result<DifferenceCounts> {
    let mut counts = DifferenceCounts::default();
    each(connection, terms, filter, 0, |_, difference| {
        counts.add(&difference);
        true
    })?;
    Ok(counts)
}

/// Goes through the differing items behind `after` until `take` says that it is enough.
fn each(
    connection: &Connection,
    (names, book): (&Names, &Book),
    filter: &DifferenceFilter,
    after: i64,
    mut take: impl FnMut(Number, ItemDifference) -> bool,
) -> Result<()> {
    check(connection, filter.between)?;
    if filter.items.conditions.len() > CONDITIONS_MAX {
        return Err(ReadError::Invalid {
            reason: format!("a filter has at most {CONDITIONS_MAX} conditions"),
        });
    }
    let Some(candidates) = candidates(connection, names, filter)? else { return Ok(()) };
    let words = filter.items.text.as_deref().filter(|text| !text.trim().is_empty());
    let matching = Matching { filter: &filter.items, words: words.map(Words::of) };
    if matching.words.as_ref().is_some_and(Words::is_empty) {
        return Ok(());
    }
    let mut comparison = Comparison {
        connection,
        names,
        book,
        between: filter.between,
        sources: Sources::default(),
        is_single: false,
    };
    let behind = candidates.partition_point(|number| i64::from(*number) <= after);
    for chunk in candidates.get(behind..).unwrap_or_default().chunks(CHUNK) {
        for number in chunk {
            let found = comparison.of(*number, Some(&matching))?;
            let found = found.filter(|(_, is_matching)| *is_matching);
            let Some((difference, _)) = found else { continue };
            let is_asked = filter.kinds.is_empty() || filter.kinds.contains(&difference.kind);
            if is_asked && !take(*number, difference) {
                return Ok(());
            }
        }
    }
    Ok(())
}

/// The items that can differ and belong to the indexed part of the filter, by number; nothing when none can match.
fn candidates(
    connection: &Connection,
    names: &Names,
    filter: &DifferenceFilter,
) -> Result<Option<Vec<Number>>> {
    let mut conditions = String::new();
    if !filter.items.classes.is_empty() {
        let known: Vec<String> = filter
            .items
            .classes
            .iter()
            .filter_map(|class| names.known(class))
            .map(|number| number.to_string())
            .collect();
        conditions.push_str(&format!(" AND i.class IN ({})", known.join(",")));
    }
    if let Some(parent) = filter.items.parent {
        let Some(parent) = assemble::number_of(connection, parent)? else { return Ok(None) };
        conditions.push_str(&format!(" AND i.parent = {parent} AND i.parent <> 0"));
    }
    let sql = format!(
        "SELECT i.number FROM (
             SELECT item FROM change WHERE observed_at > ?1 AND observed_at <= ?2
             UNION SELECT o.item FROM observation_version v JOIN observation o ON o.number = v.observation
                 WHERE v.valid_until > ?1 AND v.valid_until <= ?2
             UNION SELECT r.from_item FROM change c JOIN relation r ON r.to_item = c.item
                 WHERE c.kind = 0 AND c.observed_at > ?1 AND c.observed_at <= ?2
             UNION SELECT from_item FROM relation WHERE until IS NOT NULL AND until > ?1 AND until <= ?2
         ) touched CROSS JOIN item i ON i.number = touched.item WHERE i.first_seen <= ?2 {conditions}
         ORDER BY i.number LIMIT {}",
        COMPARED_MAX.saturating_add(1)
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let Between { from, to } = filter.between;
    let found: Vec<Number> = statement
        .query_map(params![from.millis(), to.millis()], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    if found.len() > COMPARED_MAX {
        return Err(ReadError::Invalid {
            reason: format!(
                "more than {COMPARED_MAX} items changed between the two moments; narrow the question by class or parent, or take moments that lie closer together"
            ),
        });
    }
    Ok(Some(found))
}

/// What an item has to be at one of the two moments.
struct Matching<'a> {
    filter: &'a Filter,
    words: Option<Words>,
}

impl Matching<'_> {
    fn is_asking(&self) -> bool {
        !self.filter.conditions.is_empty() || self.words.is_some()
    }

    fn matches(&self, side: &Side, row: &ItemRow, book: &Book) -> bool {
        let is_state = self.filter.states.is_empty()
            || side.state.is_some_and(|state| is_asked_state(self.filter, state));
        if !is_state || !self.is_asking() {
            return is_state;
        }
        let Some(state) = side.state else { return false };
        let item = Item {
            id: row.id,
            class: Name::Borrowed(""),
            title: side.title.clone(),
            parent: None,
            state,
            first_seen: row.first_seen,
            last_seen: row.first_seen,
            revision: Revision(0),
            attributes: side.attributes(book),
        };
        self.filter.conditions.iter().all(|condition| holds(&item, condition))
            && self.words.as_ref().is_none_or(|words| words.are_in(&side.title, &side.said))
    }
}

/// The row of an item.
struct ItemRow {
    id: ItemId,
    class: u32,
    title: String,
    now: (ItemState, Timestamp),
    first_seen: Timestamp,
}

/// An item at one of the moments.
struct Side {
    state: Option<ItemState>,
    title: String,
    said: Vec<Said>,
    /// What people had fixed then.
    locks: Vec<Lock>,
    class: Name,
    at: At,
}

impl Side {
    fn statements(&self) -> Vec<Statement<'_>> {
        self.said.iter().map(Said::statement).collect()
    }

    fn rulings(&self) -> Rulings<'_> {
        Rulings { locks: &self.locks, frozen: &[] }
    }

    fn attributes(&self, book: &Book) -> BTreeMap<Name, Vec<SourceValue>> {
        fold_by(book.at(self.at), &self.class, &self.statements(), self.rulings())
    }

    fn is_there(&self) -> bool {
        self.state.is_some_and(|state| state != ItemState::Retired)
    }
}

struct Comparison<'a> {
    connection: &'a Connection,
    names: &'a Names,
    book: &'a Book,
    between: Between,
    sources: Sources,
    /// Whether one item is asked about: then its relationships are told in both directions.
    is_single: bool,
}

impl Comparison<'_> {
    /// What differs of an item, and whether it matches at one of the moments.
    fn of(
        &mut self,
        number: Number,
        matching: Option<&Matching<'_>>,
    ) -> Result<Option<(ItemDifference, bool)>> {
        let Some(row) = self.row(number)? else { return Ok(None) };
        let said = said(self.connection, self.names, number, &mut self.sources)?;
        let before = self.side(number, &row, &said, self.between.from)?;
        let after = self.side(number, &row, &said, self.between.to)?;
        let Some(state_after) = after.state else { return Ok(None) };
        let kind = match (before.state.is_some(), before.is_there(), after.is_there()) {
            (false, _, true) => DifferenceKind::Created,
            (true, false, true) => DifferenceKind::Returned,
            (true, true, false) => DifferenceKind::Retired,
            (true, true, true) => DifferenceKind::Changed,
            // It was not there at either moment, whatever it was in between.
            (_, false, false) => return Ok(None),
            (false, true, _) => return Err(corrupt("state of an item").into()),
        };
        let attributes = match kind {
            DifferenceKind::Created => Vec::new(),
            _ => attributes(&before, &after, self.book),
        };
        let (relations, relations_begun, relations_ended) = self.relations(number)?;
        let is_same = kind == DifferenceKind::Changed
            && before.state == after.state
            && attributes.is_empty()
            && relations_begun == 0
            && relations_ended == 0;
        if is_same {
            return Ok(None);
        }
        let is_matching = matching.is_none_or(|matching| {
            matching.matches(&after, &row, self.book) || matching.matches(&before, &row, self.book)
        });
        let difference = ItemDifference {
            id: row.id,
            class: name(self.names, row.class)?,
            title: after.title,
            kind,
            state_before: before.state,
            state_after,
            attributes,
            relations,
            relations_begun,
            relations_ended,
        };
        Ok(Some((difference, is_matching)))
    }

    fn row(&self, number: Number) -> Result<Option<ItemRow>> {
        let read = |row: &Row<'_>| -> rusqlite::Result<(ItemId, u32, String, u8, i64, i64)> {
            let id = ItemId::from_bytes(row.get(0)?);
            Ok((id, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?, row.get(5)?))
        };
        let found = self
            .connection
            .prepare_cached(
                "SELECT id, class, title, state, state_since, first_seen FROM item WHERE number = ?1",
            )?
            .query_row([number], read)
            .optional()?;
        let Some((id, class, title, state, since, first_seen)) = found else { return Ok(None) };
        let state = state_of(state).ok_or_else(|| corrupt("state of an item"))?;
        Ok(Some(ItemRow {
            id,
            class,
            title,
            now: (state, Timestamp::from_millis(since)),
            first_seen: Timestamp::from_millis(first_seen),
        }))
    }

    fn side(&self, number: Number, row: &ItemRow, said: &[Said], then: Timestamp) -> Result<Side> {
        if row.first_seen > then {
            return Ok(Side {
                state: None,
                title: String::new(),
                said: Vec::new(),
                locks: Vec::new(),
                class: Name::Borrowed(""),
                at: At::Time(then),
            });
        }
        let mut said = said_then(self.connection, self.names, said, then)?;
        keep_speaking(&mut said);
        let state = history::state_at(self.connection, number, row.now, then)?;
        let (_, title) = history::last_line(self.connection, number, then)?;
        let at = At::Time(then);
        Ok(Side {
            state: Some(state),
            title: title.unwrap_or_else(|| row.title.clone()),
            said,
            locks: policies::rulings(self.connection, self.names, number, at)?,
            class: name(self.names, row.class)?,
            at,
        })
    }

    /// Relationships that hold at one of the moments only, with how many began and ended.
    fn relations(&self, number: Number) -> Result<(Vec<RelationDifference>, u64, u64)> {
        let Between { from, to } = self.between;
        let mut found: BTreeMap<(Name, bool, Number), Held> = BTreeMap::new();
        self.stated(number, true, &mut found)?;
        if self.is_single {
            self.stated(number, false, &mut found)?;
            self.parts(number, from, false, &mut found)?;
            self.parts(number, to, true, &mut found)?;
        }
        let (mut begun, mut ended) = (0_u64, 0_u64);
        let mut shown = Vec::new();
        for ((verb, outgoing, _), held) in found {
            let has_begun = match (held.was, held.is) {
                (false, true) => true,
                (true, false) => false,
                _ => continue,
            };
            let count = if has_begun { &mut begun } else { &mut ended };
            *count = count.saturating_add(1);
            if shown.len() < RELATIONS_SHOWN_MAX {
                shown.push(RelationDifference {
                    verb,
                    outgoing,
                    item: held.id,
                    class: name(self.names, held.class)?,
                    title: held.title,
                    has_begun,
                });
            }
        }
        Ok((shown, begun, ended))
    }

    /// Relationships that held at either moment, by whom they lead to: several may state the same.
    fn stated(
        &self,
        number: Number,
        outgoing: bool,
        found: &mut BTreeMap<(Name, bool, Number), Held>,
    ) -> Result<()> {
        let (own, other) =
            if outgoing { ("from_item", "to_item") } else { ("to_item", "from_item") };
        let mut statement = self.connection.prepare_cached(&format!(
            "SELECT r.verb, r.{other}, MAX(r.since, i.first_seen), r.until, i.id, i.class, i.title
             FROM relation r JOIN item i ON i.number = r.{other}
             WHERE r.{own} = ?1 AND (r.until IS NULL OR r.until > ?2) AND r.since <= ?3"
        ))?;
        let Between { from, to } = self.between;
        let mut rows = statement.query(params![number, from.millis(), to.millis()])?;
        while let Some(row) = rows.next()? {
            let (since, until): (i64, Option<i64>) = (row.get(2)?, row.get(3)?);
            let holds = |then: Timestamp| {
                since <= then.millis() && until.is_none_or(|until| until > then.millis())
            };
            let key = (name(self.names, row.get(0)?)?, outgoing, row.get(1)?);
            let held = match found.entry(key) {
                std::collections::btree_map::Entry::Occupied(place) => place.into_mut(),
                std::collections::btree_map::Entry::Vacant(place) => place.insert(Held {
                    was: false,
                    is: false,
                    id: ItemId::from_bytes(row.get(4)?),
                    class: row.get(5)?,
                    title: row.get(6)?,
                }),
            };
            held.was |= holds(from);
            held.is |= holds(to);
        }
        Ok(())
    }

    /// Parts, as relationships of the item in question.
    fn parts(
        &self,
        number: Number,
        then: Timestamp,
        is_later: bool,
        found: &mut BTreeMap<(Name, bool, Number), Held>,
    ) -> Result<()> {
        let verbs = [Name::Borrowed(model::relationships::PART_OF)];
        let at = At::Time(then);
        for entry in relations::entries(self.connection, self.names, number, &verbs, at)? {
            let key = (entry.verb, entry.outgoing, entry.other);
            let held = found.entry(key).or_insert(Held {
                was: false,
                is: false,
                id: ItemId::from_bytes(entry.id),
                class: entry.class,
                title: entry.title,
            });
            if is_later {
                held.is = true;
            } else {
                held.was = true;
            }
        }
        Ok(())
    }
}

/// Whether a relationship holds at the two moments, and whom it leads to.
struct Held {
    was: bool,
    is: bool,
    id: ItemId,
    class: u32,
    title: String,
}

/// The attributes whose winning value differs.
fn attributes(before: &Side, after: &Side, book: &Book) -> Vec<AttributeDifference> {
    let is_same_word = |(one, other): (&Said, &Said)| {
        one.record.number == other.record.number && one.record.changed_at == other.record.changed_at
    };
    // One source that says the same, and nothing that was fixed: no rule and no time makes a difference.
    let is_alone = before.said.len() == 1 && after.said.len() == 1;
    if is_alone
        && before.locks == after.locks
        && before.said.iter().zip(&after.said).all(is_same_word)
    {
        return Vec::new();
    }
    let (told_before, told_after) = (before.statements(), after.statements());
    let was = winners_by(book.at(before.at), &before.class, &told_before, before.rulings());
    let is = winners_by(book.at(after.at), &after.class, &told_after, after.rulings());
    let mut found: Vec<AttributeDifference> = Vec::new();
    for name in was.keys().chain(is.keys().filter(|name| !was.contains_key(*name))) {
        let (before, after) = (was.get(name), is.get(name));
        if before != after {
            found.push(AttributeDifference {
                name: (*name).clone(),
                before: before.map(|value| Value::clone(value)),
                after: after.map(|value| Value::clone(value)),
            });
        }
    }
    found.sort_by(|one, other| one.name.cmp(&other.name));
    found
}
