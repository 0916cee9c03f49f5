//! Why the winning value of an attribute wins, by what is stored.

use super::assemble::{self, Said};
use super::names::Names;
use super::policies::{self, Book};
use crate::identity::Why;
use crate::items::ReadError;
use model::fold::{Lock, Rulings, Statement, explain};
use model::query::At;
use model::{ItemId, Name};
use rusqlite::Connection;

/// Nothing when there is no such item, or nobody looked at the attribute.
pub(super) fn why(
    connection: &Connection,
    (names, book): (&Names, &Book),
    id: ItemId,
    attribute: &Name,
) -> Result<Option<Why>, ReadError> {
    let Some(number) = assemble::number_of(connection, id)? else { return Ok(None) };
    let whole = assemble::whole(connection, (names, book), number, At::Now)?;
    let Some((item, said)) = whole else { return Ok(None) };
    let statements: Vec<Statement<'_>> = said.iter().map(Said::statement).collect();
    let said_by_people = policies::of_item(connection, names, number, At::Now)?;
    let ours = said_by_people.iter().map(|record| &record.lock);
    let ours = ours.filter(|lock| lock.attribute == *attribute);
    let until = ours.max_by_key(|lock| lock.since).map(|lock| lock.until);
    let locks: Vec<Lock> = said_by_people.into_iter().map(|record| record.lock.held()).collect();
    let rulings = Rulings { locks: &locks, frozen: &[] };
    let found = explain(book.at(At::Now), &item.class, attribute, &statements, rulings);
    Ok(found.map(|found| Why {
        reason: found.reason,
        strategy: found.policy.strategy,
        policies: found.version.to_owned(),
        words: found.words,
        // A lock is ended by a clock, whatever is confirmed.
        turns_at: until.or(found.turns_at),
    }))
}
