//! What the reconciler noted for a person, as it is read.

use super::cursor::{Place, cursor, place, question_hash};
use super::load::name;
use super::names::{Names, shared};
use super::{SqliteItems, assemble, corrupt, state_number, state_of};
use crate::findings::{Findings, HeldRetirement, NamedItem, PossibleDuplicate};
use crate::items::ReadError;
use async_trait::async_trait;
use model::decision::{HeldRecord, Number};
use model::query::{Page, Paged};
use model::{AgentId, ItemId, ItemState, Name, SourceId, Timestamp};
use rusqlite::{Connection, Row, params};

type Result<T> = std::result::Result<T, ReadError>;

#[async_trait]
impl Findings for SqliteItems {
    async fn held_retirements(
        &self,
        agent: Option<AgentId>,
        page: &Page,
    ) -> Result<Paged<HeldRetirement>> {
        let page = page.clone();
        self.ask(move |connection, _| held_retirements(connection, agent, &page)).await
    }

    async fn held(&self, scope: Number) -> Result<Option<HeldRecord>> {
        self.ask(move |connection, _| super::held::held(connection, scope)).await
    }

    async fn possible_duplicates(
        &self,
        item: Option<ItemId>,
        class: Option<Name>,
        page: &Page,
    ) -> Result<Paged<PossibleDuplicate>> {
        let page = page.clone();
        self.ask(move |connection, names| {
            possible_duplicates(connection, names, (item, class), &page)
        })
        .await
    }
}

/// A complete look that was not held is later than the held one and settles it.
const HELD: &str =
    "SELECT h.scope, s.collector, s.target, c.name, s.agent, h.at, h.items_count, h.of_count
     FROM held_retirement h JOIN scope c ON c.number = h.scope JOIN source s ON s.number = c.source
     WHERE h.at >= COALESCE(c.complete_at, h.at) AND h.scope > ?1 AND (?2 IS NULL OR s.agent = ?2)
     ORDER BY h.scope LIMIT ?3";

fn held_retirements(
    connection: &Connection,
    agent: Option<AgentId>,
    page: &Page,
) -> Result<Paged<HeldRetirement>> {
    let hash = question_hash(&("held retirements", agent));
    let after = place(hash, page)?.map_or(-1, |place| place.number);
    let agent = agent.map(AgentId::to_bytes);
    let mut statement = connection.prepare_cached(HELD)?;
    let mut rows = statement.query(params![after, agent, i64::from(page.size) + 1])?;
    let mut answer = Answer::new(page);
    while let Some(row) = rows.next()? {
        let place = Place { text: String::new(), number: row.get(0)? };
        answer.take(cursor(hash, &place), || {
            Ok(HeldRetirement {
                number: row.get(0)?,
                source: SourceId { collector: row.get(1)?, target: row.get(2)? },
                scope: shared(row.get(3)?),
                agent: AgentId::from_bytes(row.get(4)?),
                at: Timestamp::from_millis(row.get(5)?),
                count: u64::try_from(row.get::<_, i64>(6)?).unwrap_or(0),
                of: u64::try_from(row.get::<_, i64>(7)?).unwrap_or(0),
            })
        })?;
    }
    Ok(answer.page)
}

const POSSIBLE: &str = "SELECT p.one, p.other, p.bits, p.at, i.id, i.class, i.title, i.state,
     o.id, o.class, o.title, o.state FROM possible_same_as p
     JOIN item i ON i.number = p.one JOIN item o ON o.number = p.other
     WHERE i.state <> ?1 AND o.state <> ?1 AND (?2 IS NULL OR p.one = ?2 OR p.other = ?2)
     AND (?6 IS NULL OR i.class = (SELECT number FROM name WHERE text = ?6))
     AND (p.one, p.other) < (?3, ?4) ORDER BY p.one DESC, p.other DESC LIMIT ?5";

fn possible_duplicates(
    connection: &Connection,
    names: &Names,
    (item, class): (Option<ItemId>, Option<Name>),
    page: &Page,
) -> Result<Paged<PossibleDuplicate>> {
    let hash = question_hash(&("possible duplicates", item, class.as_deref()));
    let after = match place(hash, page)? {
        None => (i64::MAX, i64::MAX),
        Some(place) => (place.number, place.text.parse().map_err(|_| ReadError::CursorMismatch)?),
    };
    let mut answer = Answer::new(page);
    let number: Option<Number> = match item {
        None => None,
        Some(id) => match assemble::number_of(connection, id)? {
            None => return Ok(answer.page),
            number => number,
        },
    };
    let retired = state_number(ItemState::Retired);
    let mut statement = connection.prepare_cached(POSSIBLE)?;
    let limit = i64::from(page.size) + 1;
    let class = class.as_deref();
    let mut rows = statement.query(params![retired, number, after.0, after.1, limit, class])?;
    while let Some(row) = rows.next()? {
        let place = Place { text: row.get::<_, i64>(1)?.to_string(), number: row.get(0)? };
        answer.take(cursor(hash, &place), || {
            Ok(PossibleDuplicate {
                item: named(names, row, 4)?,
                other: named(names, row, 8)?,
                bits: row.get(2)?,
                at: Timestamp::from_millis(row.get(3)?),
            })
        })?;
    }
    Ok(answer.page)
}

/// What a list shows of these items, in their order.
pub(super) fn named_items(
    connection: &Connection,
    names: &Names,
    ids: &[ItemId],
) -> Result<Vec<Option<NamedItem>>> {
    let mut statement =
        connection.prepare_cached("SELECT id, class, title, state FROM item WHERE number = ?1")?;
    let mut found = Vec::with_capacity(ids.len());
    for id in ids {
        let Some(number) = assemble::number_of(connection, *id)? else {
            found.push(None);
            continue;
        };
        let mut rows = statement.query([number])?;
        found.push(rows.next()?.map(|row| named(names, row, 0)).transpose()?);
    }
    Ok(found)
}

/// The item whose columns begin at `first`.
fn named(names: &Names, row: &Row<'_>, first: usize) -> Result<NamedItem> {
    Ok(NamedItem {
        id: ItemId::from_bytes(row.get(first)?),
        class: name(names, row.get(first + 1)?)?,
        title: row.get(first + 2)?,
        state: state_of(row.get(first + 3)?).ok_or_else(|| corrupt("state of an item"))?,
    })
}

/// A page that is being filled; the row behind its last tells that more follows.
struct Answer<T> {
    page: Paged<T>,
    size: usize,
}

impl<T> Answer<T> {
    fn new(page: &Page) -> Self {
        let size = usize::try_from(page.size).unwrap_or(usize::MAX);
        Self { page: Paged { entries: Vec::new(), has_more: false }, size }
    }

    fn take(&mut self, cursor: String, read: impl FnOnce() -> Result<T>) -> Result<()> {
        if self.page.entries.len() < self.size {
            self.page.entries.push((cursor, read()?));
        } else {
            self.page.has_more = true;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conformance::{created, id_of};
    use crate::observed::ItemStore;
    use model::decision::{Decision, PossibleRecord, SettledRecord};
    use std::sync::Arc;

    async fn store(hosts: Number) -> (tempfile::TempDir, SqliteItems) {
        let folder = tempfile::tempdir().unwrap();
        let database = crate::database::Database::open(&folder.path().join("dharma.db")).unwrap();
        let items = SqliteItems::open(database).unwrap();
        items.apply(Arc::new(created(1..=hosts))).await.unwrap();
        (folder, items)
    }

    fn page(size: u32, after: Option<&str>) -> Page {
        Page { size, after: after.map(str::to_owned) }
    }

    fn found(possible: Vec<PossibleRecord>, held: Vec<HeldRecord>) -> Arc<Decision> {
        let recorded_at = Timestamp::from_seconds(50);
        Arc::new(Decision { recorded_at, possible, held, ..Decision::default() })
    }

    #[tokio::test]
    async fn every_page_of_possible_duplicates_comes_once_and_either_item_leads_to_it() {
        let (_folder, items) = store(5).await;
        assert_eq!(
            items.possible_duplicates(None, None, &page(10, None)).await.unwrap().entries,
            []
        );
        let pairs = [(2, 1), (4, 1), (4, 3), (5, 3)];
        let records = pairs.map(|(one, other)| PossibleRecord { one, other, bits: 7 });
        items.apply(found(records.to_vec(), Vec::new())).await.unwrap();

        let (mut seen, mut after) = (Vec::new(), None);
        loop {
            let found =
                items.possible_duplicates(None, None, &page(1, after.as_deref())).await.unwrap();
            let (cursor, duplicate) = found.entries.first().unwrap().clone();
            seen.push((duplicate.item.id, duplicate.other.id));
            assert_eq!((duplicate.bits, duplicate.at), (7, Timestamp::from_seconds(50)));
            if !found.has_more {
                break;
            }
            after = Some(cursor);
        }
        let wanted = [(5, 3), (4, 3), (4, 1), (2, 1)];
        assert_eq!(seen, wanted.map(|(one, other)| (id_of(one), id_of(other))));

        for (item, count) in [(1, 2), (3, 2), (4, 2), (5, 1)] {
            let of_item = items.possible_duplicates(Some(id_of(item)), None, &page(10, None)).await;
            assert_eq!(of_item.unwrap().entries.len(), count, "{item}");
        }
        let unknown =
            items.possible_duplicates(Some(id_of(99)), None, &page(10, None)).await.unwrap();
        assert_eq!(unknown.entries, []);
        let foreign =
            items.possible_duplicates(Some(id_of(1)), None, &page(1, after.as_deref())).await;
        assert!(matches!(foreign, Err(ReadError::CursorMismatch)));
        assert!(items.possible_duplicates(None, None, &page(0, None)).await.is_err());
    }

    #[tokio::test]
    async fn a_held_retirement_is_given_until_a_later_complete_look_settles_it() {
        let (_folder, items) = store(1).await;
        let held = HeldRecord {
            scope: 1,
            at: Timestamp::from_seconds(10),
            count: 11,
            of: 20,
            natives: vec![7, u64::MAX],
        };
        items.apply(found(Vec::new(), vec![held.clone()])).await.unwrap();
        assert_eq!(items.held(1).await.unwrap(), Some(held));
        assert_eq!(items.held(2).await.unwrap(), None);
        let carrier = AgentId::from_bytes([1; 16]);
        let found_now = items.held_retirements(Some(carrier), &page(10, None)).await.unwrap();
        let (_, shown) = found_now.entries.first().unwrap();
        assert_eq!((shown.count, shown.of, &*shown.scope), (11, 20, "os"));
        assert_eq!(shown.agent, carrier);
        let other = Some(AgentId::from_bytes([2; 16]));
        assert_eq!(items.held_retirements(other, &page(10, None)).await.unwrap().entries, []);

        let mut later = created(2..=2);
        for scope in &mut later.scopes {
            scope.complete_at = Some(Timestamp::from_seconds(11));
        }
        items.apply(Arc::new(later)).await.unwrap();
        assert_eq!(items.held_retirements(None, &page(10, None)).await.unwrap().entries, []);
    }

    #[tokio::test]
    async fn what_a_person_settled_is_held_no_longer_until_a_look_holds_it_again() {
        let (_folder, items) = store(1).await;
        let at = Timestamp::from_seconds(10);
        let held = HeldRecord { scope: 1, at, count: 11, of: 20, natives: vec![3] };
        items.apply(found(Vec::new(), vec![held.clone()])).await.unwrap();
        let settled = |at, is_approved| {
            let record = SettledRecord { scope: 1, at, is_approved, said_by: "ann".to_owned() };
            let recorded_at = Timestamp::from_seconds(60);
            Arc::new(Decision { recorded_at, held_settled: vec![record], ..Decision::default() })
        };
        items.apply(settled(Timestamp::from_seconds(9), true)).await.unwrap();
        assert_eq!(items.held(1).await.unwrap(), Some(held.clone()), "a word about another look");
        items.apply(settled(at, false)).await.unwrap();
        assert_eq!(items.held(1).await.unwrap(), None);
        assert_eq!(items.held_retirements(None, &page(10, None)).await.unwrap().entries, []);
        let again = HeldRecord { at: Timestamp::from_seconds(70), ..held };
        items.apply(found(Vec::new(), vec![again.clone()])).await.unwrap();
        assert_eq!(items.held(1).await.unwrap(), Some(again));
    }
}
