//! The moments at which an item changed, for stepping through its history.

use super::{assemble, history};
use crate::history::Moments;
use crate::items::ReadError;
use model::query::At;
use model::{ItemId, Timestamp};
use rusqlite::{Connection, params};

/// The moments around `at`; nothing for an unknown id.
///
/// Each is one step in the index of every item that is asked about.
pub(super) fn moments(
    connection: &Connection,
    id: ItemId,
    with_parts: bool,
    at: At,
) -> Result<Option<Moments>, ReadError> {
    history::check(connection, at)?;
    let Some(number) = assemble::number_of(connection, id)? else { return Ok(None) };
    let kept_since = history::kept_since(connection)?.map_or(i64::MIN, Timestamp::millis);
    let ask = |which: &str, when: &str, bound: i64| -> rusqlite::Result<Option<Timestamp>> {
        let (most, order) = if which == "first" { ("MIN", "ASC") } else { ("MAX", "DESC") };
        let parts = if with_parts {
            "UNION SELECT p.number FROM item p JOIN whole w ON p.parent = w.number AND p.parent <> 0"
        } else {
            ""
        };
        let sql = format!(
            "WITH RECURSIVE whole(number) AS (SELECT ?1 {parts})
             SELECT {most}(at) FROM (SELECT (SELECT c.observed_at FROM change c
                 WHERE c.item = w.number AND c.observed_at {when} ?2 AND c.observed_at >= ?3
                 ORDER BY c.observed_at {order} LIMIT 1) AS at FROM whole w)"
        );
        let found: Option<i64> = connection
            .prepare_cached(&sql)?
            .query_row(params![number, bound, kept_since], |row| row.get(0))?;
        Ok(found.map(Timestamp::from_millis))
    };
    let now = match at {
        At::Now => i64::MAX,
        At::Time(then) => then.millis(),
    };
    Ok(Some(Moments {
        previous: ask("last", "<", now)?,
        next: ask("first", ">", now)?,
        first: ask("first", ">", i64::MIN)?,
        last: ask("last", "<", i64::MAX)?,
    }))
}
