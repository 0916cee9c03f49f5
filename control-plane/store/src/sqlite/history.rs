//! Where history begins, and what an item's row was at a past moment.
//!
//! Invariants: the horizon is read in the snapshot of the question, so that nothing is answered from what is being
//! taken out meanwhile. What is kept suffices for every moment from the horizon on: the last line and the last change
//! of state of every item stay, however old they are.

use super::write::{INDEX_BITS, kind_number};
use super::{SqliteItems, forget, state_of, unsigned};
use crate::history::{
    Around, Between, DifferenceCounts, DifferenceFilter, Forgotten, History, ItemDifference,
    Moments, Neighborhood,
};
use crate::items::ReadError;
use async_trait::async_trait;
use model::decision::{ChangeWhat, Number};
use model::query::{At, Page, Paged};
use model::{ItemId, ItemState, Revision, Timestamp};
use rusqlite::{Connection, OptionalExtension, params};

type Result<T> = std::result::Result<T, ReadError>;

/// Indexes for questions about the past, and how far history was taken out.
///
/// `change_item` is replaced: the moments of one item are asked for in their order. What is renamed, what changes its
/// state and what ends is seldom, so those indexes hold next to nothing.
pub(crate) const SCHEMA: &str = "
DROP INDEX change_item;
CREATE INDEX change_item_time ON change(item, observed_at);
CREATE INDEX change_time ON change(observed_at, item);
CREATE INDEX change_state ON change(item, observed_at) WHERE kind = 4;
CREATE INDEX change_title ON change(item) WHERE title IS NOT NULL;
CREATE INDEX observation_version_until ON observation_version(valid_until);
CREATE INDEX relation_until ON relation(until) WHERE until IS NOT NULL;
CREATE TABLE history(
    number INTEGER PRIMARY KEY CHECK(number = 1), kept_since INTEGER NOT NULL,
    done_time INTEGER NOT NULL, done_item INTEGER NOT NULL, last_position INTEGER NOT NULL);
";

/// From when on history is kept.
pub(super) fn kept_since(connection: &Connection) -> Result<Option<Timestamp>> {
    let kept = connection
        .prepare_cached("SELECT kept_since FROM history")?
        .query_row([], |row| row.get(0))
        .optional()?;
    Ok(kept.map(Timestamp::from_millis))
}

/// Refuses a moment that lies before the horizon.
pub(super) fn check(connection: &Connection, at: At) -> Result<()> {
    match at {
        At::Now => Ok(()),
        At::Time(then) => check_time(connection, then),
    }
}

/// The same for a moment that is none of *now*.
pub(super) fn check_time(connection: &Connection, then: Timestamp) -> Result<()> {
    match kept_since(connection)? {
        Some(kept_since) if then < kept_since => {
            Err(ReadError::HistoryExpired { kept_since_millis: kept_since.millis() })
        }
        _ => Ok(()),
    }
}

/// Refuses to go on behind a revision of which later ones are no longer whole.
pub(super) fn check_revision(connection: &Connection, after: Revision) -> Result<()> {
    let found: Option<(i64, i64)> = connection
        .prepare_cached("SELECT kept_since, last_position FROM history")?
        .query_row([], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    match found {
        Some((kept_since_millis, last)) if after.0 < unsigned(last) >> INDEX_BITS => {
            Err(ReadError::HistoryExpired { kept_since_millis })
        }
        _ => Ok(()),
    }
}

/// The state that an item had then. `now` is the one that it has, and since when.
pub(super) fn state_at(
    connection: &Connection,
    number: Number,
    now: (ItemState, Timestamp),
    then: Timestamp,
) -> Result<ItemState> {
    const KIND: u8 =
        kind_number(&ChangeWhat::State { before: ItemState::Active, after: ItemState::Active });
    // The index of changes of state has the number written into it.
    const { assert!(KIND == 4) };
    let (state, since) = now;
    if since <= then {
        return Ok(state);
    }
    let state: Option<Vec<u8>> = connection
        .prepare_cached(
            "SELECT after FROM change WHERE item = ?1 AND kind = 4 AND observed_at <= ?2
             ORDER BY observed_at DESC, position DESC LIMIT 1",
        )?
        .query_row(params![number, then.millis()], |row| row.get(0))
        .optional()?;
    let state = state.and_then(|bytes| bytes.first().copied()).and_then(state_of);
    // Every item begins as an active one.
    Ok(state.unwrap_or(ItemState::Active))
}

/// The last line of an item's history through a moment: its revision, and the title that it had when it has another
/// one now.
pub(super) fn last_line(
    connection: &Connection,
    number: Number,
    then: Timestamp,
) -> Result<(Revision, Option<String>)> {
    let found: Option<(i64, Option<String>)> = connection
        .prepare_cached(
            "SELECT position, title FROM change WHERE item = ?1 AND observed_at <= ?2
             ORDER BY observed_at DESC, position DESC LIMIT 1",
        )?
        .query_row(params![number, then.millis()], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let (position, title) = found.unwrap_or_default();
    Ok((Revision(unsigned(position) >> INDEX_BITS), title))
}

#[async_trait]
impl History for SqliteItems {
    async fn kept_since(&self) -> Result<Option<Timestamp>> {
        self.ask(|connection, _| kept_since(connection)).await
    }

    async fn item_difference(
        &self,
        id: ItemId,
        between: Between,
    ) -> Result<Option<ItemDifference>> {
        let book = self.book();
        self.ask(move |connection, names| {
            super::differences::of_item(connection, (names, &book), id, between)
        })
        .await
    }

    async fn differences(
        &self,
        filter: &DifferenceFilter,
        page: &Page,
    ) -> Result<Paged<ItemDifference>> {
        let (filter, page, book) = (filter.clone(), page.clone(), self.book());
        self.ask(move |connection, names| {
            super::differences::page(connection, (names, &book), &filter, &page)
        })
        .await
    }

    async fn difference_counts(&self, filter: &DifferenceFilter) -> Result<DifferenceCounts> {
        let (filter, book) = (filter.clone(), self.book());
        self.ask(move |connection, names| {
            super::differences::counts(connection, (names, &book), &filter)
        })
        .await
    }

    async fn moments(&self, id: ItemId, with_parts: bool, at: At) -> Result<Option<Moments>> {
        self.ask(move |connection, _| super::moments::moments(connection, id, with_parts, at)).await
    }

    async fn neighborhood(&self, around: &Around) -> Result<Option<Neighborhood>> {
        let (around, book) = (around.clone(), self.book());
        self.ask(move |connection, names| {
            super::around::neighborhood(connection, (names, &book), &around)
        })
        .await
    }

    async fn is_older(&self, before: Timestamp) -> Result<bool> {
        self.ask(move |connection, _| {
            let sql = "SELECT EXISTS (SELECT 1 FROM change WHERE observed_at < ?1)";
            Ok(connection.prepare_cached(sql)?.query_row([before.millis()], |row| row.get(0))?)
        })
        .await
    }

    async fn forget(&self, before: Timestamp) -> Result<Forgotten> {
        Ok(self.database.write(move |connection| forget::step(connection, before)).await?)
    }
}
