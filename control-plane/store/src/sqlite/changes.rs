//! History as it is read: newest first for people, oldest first for watchers.

use super::codec::Reader;
use super::cursor::{Place, cursor, place, question_hash};
use super::load::name;
use super::names::Names;
use super::write::INDEX_BITS;
use super::{assemble, corrupt, history, signed, state_of, unsigned};
use crate::items::ReadError;
use crate::observed::CommitError;
use model::query::{ChangeFilter, Page, Paged};
use model::{Change, ChangeKind, ItemId, Name, Revision, Timestamp, Value};
use rusqlite::{Connection, Row};

type Result<T> = std::result::Result<T, ReadError>;

/// Changes that one answer to a watcher holds, when a single revision does not need more.
const WATCHED_MAX: u32 = 10_000;

const COLUMNS: &str = "SELECT c.position, i.id, c.class, COALESCE(c.title, i.title), c.observed_at,
     c.recorded_at, c.source, c.kind, c.name, c.before, c.after, o.id
     FROM change c JOIN item i ON i.number = c.item
     LEFT JOIN item o ON o.number = c.other AND c.other <> 0";

/// A page of history, newest first.
pub(super) fn changes(
    connection: &Connection,
    names: &Names,
    filter: &ChangeFilter,
    page: &Page,
) -> Result<Paged<Change>> {
    let hash = question_hash(filter);
    let after = place(hash, page)?;
    let nothing = Paged { entries: Vec::new(), has_more: false };
    let mut conditions = String::from("1");
    // The few lines that stay of what was taken out answer other questions; as a history they would have holes.
    if let Some(kept_since) = history::kept_since(connection)? {
        conditions.push_str(&format!(" AND c.observed_at >= {}", kept_since.millis()));
    }
    if let Some(id) = filter.item {
        let Some(number) = assemble::number_of(connection, id)? else { return Ok(nothing) };
        conditions.push_str(&if filter.with_parts {
            // Parts of parts too; the chain is as short as classes nest.
            format!(
                " AND c.item IN (WITH RECURSIVE whole(number) AS (SELECT {number} UNION
                 SELECT p.number FROM item p JOIN whole w ON p.parent = w.number AND p.parent <> 0)
                 SELECT number FROM whole)"
            )
        } else {
            format!(" AND c.item = {number}")
        });
    }
    if !filter.classes.is_empty() {
        let known: Vec<String> = filter
            .classes
            .iter()
            .filter_map(|class| names.known(class))
            .map(|number| number.to_string())
            .collect();
        conditions.push_str(&format!(" AND c.class IN ({})", known.join(",")));
    }
    if let Some(since) = filter.since {
        history::check_time(connection, since)?;
        conditions.push_str(&format!(" AND c.observed_at >= {}", since.millis()));
    }
    if let Some(after) = filter.after_revision {
        let first = signed(after.0.saturating_add(1).min(u64::MAX >> INDEX_BITS) << INDEX_BITS);
        conditions.push_str(&format!(" AND c.position >= {first}"));
    }
    if let Some(place) = after {
        conditions.push_str(&format!(" AND c.position < {}", place.number));
    }
    let size = usize::try_from(page.size).unwrap_or(usize::MAX);
    let limit = size.saturating_add(1);
    // With the sign, the lines of one item are sorted, instead of all lines being walked for those of the item.
    let position = if filter.item.is_some() { "+c.position" } else { "c.position" };
    let sql = format!("{COLUMNS} WHERE {conditions} ORDER BY {position} DESC LIMIT {limit}");
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query([])?;
    let mut answer = nothing;
    while let Some(row) = rows.next()? {
        if answer.entries.len() == size {
            answer.has_more = true;
            break;
        }
        let place = Place { text: String::new(), number: row.get(0)? };
        answer.entries.push((cursor(hash, &place), change(connection, names, row)?));
    }
    Ok(answer)
}

/// Changes after a revision, oldest first. Revisions are never split: the answer ends with a whole one, and holds at
/// least one even when that is longer than `limit`.
pub(super) fn after(
    connection: &Connection,
    names: &Names,
    after: Revision,
    limit: u32,
) -> Result<Vec<Change>> {
    history::check_revision(connection, after)?;
    let limit = usize::try_from(limit.clamp(1, WATCHED_MAX)).unwrap_or(1);
    let first = signed(after.0.saturating_add(1).min(u64::MAX >> INDEX_BITS) << INDEX_BITS);
    let sql = format!("{COLUMNS} WHERE c.position >= ?1 ORDER BY c.position");
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query([first])?;
    let mut found: Vec<Change> = Vec::new();
    while let Some(row) = rows.next()? {
        let change = change(connection, names, row)?;
        let is_next = found.last().is_none_or(|last| last.revision != change.revision);
        if is_next && found.len() >= limit {
            return Ok(found);
        }
        if !is_next || found.len() < limit {
            found.push(change);
        }
        if found.len() > limit {
            // The limit cuts this revision: leave it to the next question, unless it is the only one.
            let cut = found.last().map(|last| last.revision);
            if found.first().map(|first| first.revision) != cut {
                found.retain(|change| Some(change.revision) != cut);
                return Ok(found);
            }
        }
    }
    Ok(found)
}

fn change(connection: &Connection, names: &Names, row: &Row<'_>) -> Result<Change> {
    let position = unsigned(row.get(0)?);
    let index = position & ((1 << INDEX_BITS) - 1);
    Ok(Change {
        revision: Revision(position >> INDEX_BITS),
        index: u32::try_from(index).unwrap_or(0),
        item: ItemId::from_bytes(row.get(1)?),
        class: name(names, row.get(2)?)?,
        title: row.get(3)?,
        observed_at: Timestamp::from_millis(row.get(4)?),
        recorded_at: Timestamp::from_millis(row.get(5)?),
        source: assemble::source_of(connection, row.get(6)?)?,
        what: what(names, row)?,
    })
}

fn what(names: &Names, row: &Row<'_>) -> Result<ChangeKind> {
    let value = |column: usize| -> Result<Option<Value>> {
        let bytes = row.get_ref(column)?.as_blob_or_null().unwrap_or_default();
        let Some(bytes) = bytes else { return Ok(None) };
        let value = Reader::new(names, bytes).and_then(|mut reader| reader.value());
        Ok(Some(value.map_err(CommitError::from)?))
    };
    let state = |column: usize| -> Result<Name> {
        let bytes = row.get_ref(column)?.as_blob().unwrap_or_default();
        let state = bytes.first().copied().and_then(state_of);
        Ok(Name::Borrowed(state.ok_or_else(|| corrupt("state in a change"))?.name()))
    };
    let other = || -> Result<ItemId> {
        let id: Option<[u8; 16]> = row.get(11)?;
        Ok(ItemId::from_bytes(id.ok_or_else(|| corrupt("other end of a change"))?))
    };
    let named = || name(names, row.get(8)?);
    Ok(match row.get::<_, u8>(7)? {
        0 => ChangeKind::Created,
        1 => ChangeKind::AttributeChanged {
            attribute: named()?,
            before: value(9)?,
            after: value(10)?,
        },
        2 => ChangeKind::Related { verb: named()?, other: other()? },
        3 => ChangeKind::Unrelated { verb: named()?, other: other()? },
        4 => ChangeKind::StateChanged { before: state(9)?, after: state(10)? },
        5 => ChangeKind::Merged { other: other()? },
        6 => ChangeKind::Split { other: other()? },
        kind => return Err(corrupt(format!("kind {kind} of a change")).into()),
    })
}
