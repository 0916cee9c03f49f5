//! What an item relates to, in both directions, and its scopes.
//!
//! Being a part is kept as the parent of an item; here it is read as the relationship `part_of`.

use super::cursor::{Place, cursor, place, question_hash};
use super::load::{coverage, name};
use super::names::{Names, shared};
use super::{assemble, corrupt, history, state_number, state_of};
use crate::items::{ReadError, ScopeState};
use model::decision::Number;
use model::query::{At, Page, Paged};
use model::{AgentId, ItemId, ItemState, Name, RelatedItem, SourceId, Timestamp, relationships};
use rusqlite::{Connection, Row};

type Result<T> = std::result::Result<T, ReadError>;

/// Relationships of one item that are sorted for an answer. A host has some thousand parts; what has more than this
/// is asked by verb.
const RELATED_MAX: usize = 200_000;

/// A question about the relationships of an item.
#[derive(Clone, Debug)]
pub(super) struct Question {
    pub(super) id: ItemId,
    pub(super) verbs: Vec<Name>,
    pub(super) at: At,
}

/// A relationship with its other end as it was at the asked moment.
pub(super) struct Entry {
    pub(super) verb: Name,
    pub(super) outgoing: bool,
    pub(super) other: Number,
    pub(super) title: String,
    since: i64,
    source: Number,
    evidence: String,
    pub(super) class: u32,
    pub(super) state: ItemState,
    pub(super) id: [u8; 16],
}

impl Entry {
    fn place(&self) -> Place {
        let direction = u8::from(!self.outgoing);
        Place {
            text: format!("{}\0{direction}\0{}", self.verb, self.title),
            number: i64::from(self.other),
        }
    }
}

/// A page of what an item relates to, by verb, direction and title.
pub(super) fn related(
    connection: &Connection,
    names: &Names,
    question: &Question,
    page: &Page,
) -> Result<Paged<RelatedItem>> {
    history::check(connection, question.at)?;
    let hash = question_hash(question);
    let after = place(hash, page)?;
    let Some(number) = assemble::number_of(connection, question.id)? else {
        return Ok(Paged { entries: Vec::new(), has_more: false });
    };
    let mut entries = entries(connection, names, number, &question.verbs, question.at)?;
    entries.sort_by_cached_key(|entry| {
        let place = entry.place();
        (place.text, place.number)
    });
    // Two sources that state the same relationship are one entry, since the earlier of them.
    entries.dedup_by(|later, first| {
        let is_same = later.verb == first.verb
            && later.outgoing == first.outgoing
            && later.other == first.other;
        if is_same {
            first.since = first.since.min(later.since);
        }
        is_same
    });
    let is_behind = |entry: &Entry| match &after {
        None => true,
        Some(after) => {
            let place = entry.place();
            (place.text, place.number) > (after.text.clone(), after.number)
        }
    };
    let size = usize::try_from(page.size).unwrap_or(usize::MAX);
    let mut answer = Paged { entries: Vec::new(), has_more: false };
    for entry in entries.into_iter().filter(is_behind) {
        if answer.entries.len() == size {
            answer.has_more = true;
            break;
        }
        let cursor = cursor(hash, &entry.place());
        answer.entries.push((cursor, related_item(connection, names, entry)?));
    }
    Ok(answer)
}

fn related_item(connection: &Connection, names: &Names, entry: Entry) -> Result<RelatedItem> {
    Ok(RelatedItem {
        verb: entry.verb,
        outgoing: entry.outgoing,
        item: ItemId::from_bytes(entry.id),
        class: name(names, entry.class)?,
        title: entry.title,
        state: entry.state,
        source: assemble::source_of(connection, entry.source)
            .unwrap_or_else(|_| SourceId { collector: "reconcile".into(), target: String::new() }),
        since: Timestamp::from_millis(entry.since),
        evidence: entry.evidence,
    })
}

/// What is true of rows with `since` and `until` at the asked time.
fn in_force(at: At, since: &str, until: &str) -> String {
    match at {
        At::Now => format!("{until} IS NULL"),
        At::Time(then) => {
            let then = then.millis();
            format!("{since} <= {then} AND ({until} IS NULL OR {until} > {then})")
        }
    }
}

/// What an item relates to at a moment, in both directions; two sources that state the same are two entries.
pub(super) fn entries(
    connection: &Connection,
    names: &Names,
    number: Number,
    verbs: &[Name],
    at: At,
) -> Result<Vec<Entry>> {
    let is_asked = |verb: &str| verbs.is_empty() || verbs.iter().any(|asked| asked == verb);
    let mut found = Vec::new();
    for (outgoing, own, other) in [(true, "from_item", "to_item"), (false, "to_item", "from_item")]
    {
        let in_force = in_force(at, "r.since", "r.until");
        let mut statement = connection.prepare_cached(&format!(
            "SELECT r.verb, r.{other}, i.title, r.since, r.source, r.evidence, i.class, i.state, i.id,
             i.state_since, i.first_seen
             FROM relation r JOIN item i ON i.number = r.{other} WHERE r.{own} = ?1 AND {in_force}"
        ))?;
        let mut rows = statement.query([number])?;
        while let Some(row) = rows.next()? {
            let verb = name(names, row.get(0)?)?;
            if is_asked(&verb) {
                found.extend(entry(connection, (verb, outgoing), row, at)?);
                check_size(&found)?;
            }
        }
    }
    if is_asked(relationships::PART_OF) || is_asked("contains") {
        parts(connection, number, at, &mut found)?;
    }
    Ok(found)
}

fn check_size(found: &[Entry]) -> Result<()> {
    if found.len() > RELATED_MAX {
        return Err(ReadError::Invalid {
            reason: format!(
                "the item has more than {RELATED_MAX} relationships; ask for its parts by class with a filter on the parent"
            ),
        });
    }
    Ok(())
}

/// The entry of a row; nothing when the other end was not there yet.
fn entry(
    connection: &Connection,
    (verb, outgoing): (Name, bool),
    row: &Row<'_>,
    at: At,
) -> Result<Option<Entry>> {
    let mut entry = Entry {
        verb,
        outgoing,
        other: row.get(1)?,
        title: row.get(2)?,
        since: row.get(3)?,
        source: row.get(4)?,
        evidence: row.get(5)?,
        class: row.get(6)?,
        state: state_of(row.get(7)?).ok_or_else(|| corrupt("state of an item"))?,
        id: row.get(8)?,
    };
    if let At::Time(then) = at {
        if row.get::<_, i64>(10)? > then.millis() {
            return Ok(None);
        }
        let now = (entry.state, Timestamp::from_millis(row.get(9)?));
        entry.state = history::state_at(connection, entry.other, now, then)?;
        let (_, title) = history::last_line(connection, entry.other, then)?;
        entry.title = title.unwrap_or(entry.title);
    }
    Ok(Some(entry))
}

/// The parts of the item, and the item that it is a part of. A part that is retired belongs to nothing any longer.
fn parts(connection: &Connection, number: Number, at: At, found: &mut Vec<Entry>) -> Result<()> {
    const SOURCE: &str = "(SELECT source FROM observation o WHERE o.item = part.number LIMIT 1)";
    let retired = state_number(ItemState::Retired);
    let lives = match at {
        At::Now => format!("part.state <> {retired}"),
        At::Time(then) => format!("part.first_seen <= {}", then.millis()),
    };
    let mut add = |outgoing: bool, other: &str, own: &str| -> Result<()> {
        let mut statement = connection.prepare_cached(&format!(
            "SELECT 0, i.number, i.title, part.first_seen, COALESCE({SOURCE}, 0), '', i.class, i.state, i.id,
             i.state_since, i.first_seen, part.number, part.state, part.state_since
             FROM item part JOIN item i ON i.number = {other}
             WHERE {own} = ?1 AND part.parent <> 0 AND {lives}"
        ))?;
        let mut rows = statement.query([number])?;
        while let Some(row) = rows.next()? {
            if let At::Time(then) = at {
                let state = state_of(row.get(12)?).ok_or_else(|| corrupt("state of an item"))?;
                let now = (state, Timestamp::from_millis(row.get(13)?));
                let state = history::state_at(connection, row.get(11)?, now, then)?;
                if state == ItemState::Retired {
                    continue;
                }
            }
            let verb = Name::Borrowed(relationships::PART_OF);
            found.extend(entry(connection, (verb, outgoing), row, at)?);
            check_size(found)?;
        }
        Ok(())
    };
    add(false, "part.number", "part.parent")?;
    add(true, "part.parent", "part.number")
}

/// How many relationships an item has, by verb and direction.
pub(super) fn counts(
    connection: &Connection,
    names: &Names,
    id: ItemId,
    at: At,
) -> Result<Vec<(Name, bool, u64)>> {
    history::check(connection, at)?;
    let Some(number) = assemble::number_of(connection, id)? else { return Ok(Vec::new()) };
    let mut entries = entries(connection, names, number, &[], at)?;
    entries.sort_by(|one, other| {
        (&one.verb, !one.outgoing, one.other).cmp(&(&other.verb, !other.outgoing, other.other))
    });
    entries.dedup_by(|one, other| {
        one.verb == other.verb && one.outgoing == other.outgoing && one.other == other.other
    });
    let mut counts: Vec<(Name, bool, u64)> = Vec::new();
    for entry in entries {
        match counts.last_mut() {
            Some((verb, outgoing, count)) if *verb == entry.verb && *outgoing == entry.outgoing => {
                *count = count.saturating_add(1);
            }
            _ => counts.push((entry.verb, entry.outgoing, 1)),
        }
    }
    Ok(counts)
}

const SCOPES: &str =
    "SELECT s.collector, s.target, c.name, c.status, c.reason, c.detail, c.looked_at,
     c.complete_at, c.seen_count, s.agent FROM scope c JOIN source s ON s.number = c.source";

fn scope_of(row: &Row<'_>) -> Result<ScopeState> {
    let reason: String = row.get(4)?;
    Ok(ScopeState {
        source: SourceId { collector: row.get(0)?, target: row.get(1)? },
        scope: shared(row.get(2)?),
        coverage: coverage(row.get(3)?, &reason, row.get(5)?)?,
        looked_at: Timestamp::from_millis(row.get(6)?),
        complete_at: row.get::<_, Option<i64>>(7)?.map(Timestamp::from_millis),
        seen_count: u64::try_from(row.get::<_, i64>(8)?).unwrap_or(0),
        agent: AgentId::from_bytes(row.get(9)?),
    })
}

/// The scopes of an item: of an item of its own, all scopes of its sources; of a part, those that it was seen in.
pub(super) fn scopes_of_item(connection: &Connection, id: ItemId) -> Result<Vec<ScopeState>> {
    let Some(number) = assemble::number_of(connection, id)? else { return Ok(Vec::new()) };
    let parent: Number = connection
        .prepare_cached("SELECT parent FROM item WHERE number = ?1")?
        .query_row([number], |row| row.get(0))?;
    let seen = if parent == 0 {
        "c.source IN (SELECT source FROM observation WHERE item = ?1)"
    } else {
        "c.number IN (SELECT scope FROM observation WHERE item = ?1)"
    };
    let mut statement = connection
        .prepare_cached(&format!("{SCOPES} WHERE {seen} ORDER BY s.collector, s.target, c.name"))?;
    let mut rows = statement.query([number])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(scope_of(row)?);
    }
    Ok(found)
}

/// The scopes that an agent carries.
pub(super) fn scopes_of_agent(connection: &Connection, agent: AgentId) -> Result<Vec<ScopeState>> {
    let mut statement = connection.prepare_cached(&format!(
        "{SCOPES} WHERE s.agent = ?1 ORDER BY s.collector, s.target, c.name"
    ))?;
    let mut rows = statement.query([agent.to_bytes()])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(scope_of(row)?);
    }
    Ok(found)
}
