//! Conceptual tables (RFC 2578, section 7.1.12): the chosen columns of a table, row by row, and single variables.
//!
//! Invariants: a table has at most [`VARIABLES_MAX`] values and [`OCTETS_MAX`] octets; a row that lacks a column is
//! kept; the index is given as numbers, as hostile as everything else.

use crate::message::Operation;
use crate::oid::{self, Arcs};
use crate::session::{Failure, Session};
use crate::value::{Value, ValueRef};
use crate::walk::{self, COLUMNS_MAX, End, Tuning};
use std::collections::BTreeMap;

/// The most values of one table; a core router's forwarding table of 100,000 addresses stays below it.
pub const VARIABLES_MAX: usize = 400_000;

/// The most octets of one table.
pub const OCTETS_MAX: usize = 48 << 20;

/// The index of a row.
pub type Index = Vec<u32>;

/// One row, by column number.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Row(pub BTreeMap<u32, Value>);

impl Row {
    /// As a number.
    #[must_use]
    pub fn number(&self, column: u32) -> Option<u64> {
        self.0.get(&column)?.number()
    }

    /// As a number with sign.
    #[must_use]
    pub fn signed(&self, column: u32) -> Option<i64> {
        self.0.get(&column)?.signed()
    }

    /// As text, when it is not empty.
    #[must_use]
    pub fn text(&self, column: u32) -> Option<String> {
        self.0.get(&column)?.text()
    }

    /// As octets.
    #[must_use]
    pub fn octets(&self, column: u32) -> Option<&[u8]> {
        self.0.get(&column)?.octets()
    }

    /// As an object identifier.
    #[must_use]
    pub fn oid(&self, column: u32) -> Option<&[u32]> {
        self.0.get(&column)?.oid()
    }
}

/// The rows of a table, in the order of their indexes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Table(pub BTreeMap<Index, Row>);

impl Table {
    /// Whether there is no row.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The row of an index.
    #[must_use]
    pub fn row(&self, index: &[u32]) -> Option<&Row> {
        self.0.get(index)
    }

    /// All rows.
    pub fn rows(&self) -> impl Iterator<Item = (&Index, &Row)> {
        self.0.iter()
    }
}

/// What gathers tables: it counts what it keeps.
#[derive(Debug, Default)]
struct Gathering {
    most: usize,
    table: Table,
    count: usize,
    octets: usize,
}

impl Gathering {
    fn take(&mut self, column: u32, rest: &[u8], value: ValueRef<'_>) -> bool {
        let Some(value) = value.kept() else { return true };
        let index: Index = Arcs(rest).collect();
        self.count += 1;
        self.octets += value.size() + index.len() * size_of::<u32>();
        self.table.0.entry(index).or_default().0.insert(column, value);
        self.count < self.most && self.octets < OCTETS_MAX
    }
}

/// Reads the columns of a table, of which `entry` is the identifier of a row, up to `most` values.
pub async fn read(
    session: &mut Session,
    tuning: &mut Tuning,
    (entry, columns): (&[u32], &[u32]),
    most: usize,
) -> (Table, End) {
    let mut gathering = Gathering { most: most.min(VARIABLES_MAX), ..Gathering::default() };
    for group in columns.chunks(COLUMNS_MAX) {
        let roots: Vec<Vec<u8>> =
            group.iter().map(|column| oid::encoded(&[entry, &[*column]].concat())).collect();
        let end = walk::walk(session, tuning, &roots, &mut |number, rest, value| {
            let column = group.get(number).copied().unwrap_or(0);
            gathering.take(column, rest, value)
        })
        .await;
        if !end.is_complete() {
            return (gathering.table, end);
        }
    }
    (gathering.table, End::Complete)
}

/// Reads single variables; those that are not there are left out.
///
/// # Errors
/// When the agent does not answer.
pub async fn get(session: &mut Session, names: &[&[u32]]) -> Result<Vec<Option<Value>>, Failure> {
    let mut found = Vec::with_capacity(names.len());
    for group in names.chunks(COLUMNS_MAX) {
        let encoded: Vec<Vec<u8>> = group.iter().map(|name| oid::encoded(name)).collect();
        let asked: Vec<&[u8]> = encoded.iter().map(Vec::as_slice).collect();
        let (error, values) = get_group(session, &asked).await?;
        if error == 0 {
            found.extend(values);
            continue;
        }
        // Version 1 refuses all of them for one that is not there.
        for name in &asked {
            let (_, values) = get_group(session, &[name]).await?;
            found.push(values.into_iter().next().flatten());
        }
    }
    Ok(found)
}

async fn get_group(
    session: &mut Session,
    names: &[&[u8]],
) -> Result<(i64, Vec<Option<Value>>), Failure> {
    session
        .ask(Operation::Get, names, &mut |pdu| {
            let mut values = vec![None; names.len()];
            if pdu.error_status != 0 {
                return (pdu.error_status, values);
            }
            // By name, since some agents answer in an order of their own.
            for (name, value) in pdu.variables.flatten() {
                let place = names.iter().position(|asked| *asked == name);
                if let Some(slot) = place.and_then(|place| values.get_mut(place)) {
                    *slot = value.kept();
                }
            }
            (0, values)
        })
        .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_that_lacks_a_column_is_kept() {
        let mut gathering = Gathering { most: 100, ..Gathering::default() };
        assert!(gathering.take(2, &[1], ValueRef::Octets(b"eth0")));
        assert!(gathering.take(3, &[1], ValueRef::NotThere));
        assert!(gathering.take(3, &[0x81, 0x00], ValueRef::Integer(6)));
        let table = gathering.table;
        assert_eq!(table.row(&[1]).unwrap().text(2).as_deref(), Some("eth0"));
        assert_eq!(table.row(&[1]).unwrap().number(3), None);
        assert_eq!(table.row(&[128]).unwrap().number(3), Some(6));
    }

    #[test]
    fn a_table_stops_at_its_limit() {
        let mut gathering = Gathering { most: 2, ..Gathering::default() };
        assert!(gathering.take(1, &[1], ValueRef::Integer(1)));
        assert!(!gathering.take(1, &[2], ValueRef::Integer(1)));
        let mut gathering =
            Gathering { most: 100, octets: OCTETS_MAX - 10, ..Gathering::default() };
        assert!(!gathering.take(1, &[1], ValueRef::Integer(1)));
    }
}
