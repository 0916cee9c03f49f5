//! An item as a fold over the observations that belong to it: the winning values with their provenance.
//!
//! Invariants: the result is a function of the statements alone, never of their order or of the time of asking;
//! a value beats *looked and there is none* of a source that is not trusted more; losers stay behind the winner.
//!
//! [`fold_by`] and [`winners_by`] decide by attribute policies, and hear people and the flap guard too; [`fold`] and
//! [`winners`] by trust alone. Time enters only as what the statements carry: a word is fresh or stale compared with
//! the newest confirmation among the statements of the item.
//!
//! Deliberately not here: which observations belong to an item (`reconcile`), and how they are kept (`store`).

mod by_policy;
mod explain;
mod flap;
mod judge;
mod order;
mod ruling;
mod specific;

pub use by_policy::{Winner, fold_by, is_any_stale, next_turn, winners_by};
pub use explain::{Explanation, Reason, Standing, explain};
pub use flap::{Flap, HISTORY_MAX, flap};
pub use judge::{UNION, UNION_MEMBERS_MAX};
pub use ruling::{Lock, PERSON, Rulings};

use crate::{ClassDefinition, Name, Provenance, SourceId, SourceValue, Timestamp, Value};
use order::value_order;
use std::cmp::Ordering;
use std::collections::BTreeMap;

/// The longest title; it is for reading and sorting, the whole value is in the attribute.
pub const TITLE_LETTERS_MAX: usize = 200;

/// What one source says of an item by one of its observations.
#[derive(Clone, Copy, Debug)]
pub struct Statement<'a> {
    /// Who says it.
    pub source: &'a SourceId,
    /// What it says.
    pub facts: &'a BTreeMap<Name, Value>,
    /// When it was first said.
    pub first_seen: Timestamp,
    /// Since when the facts that changed after that have had their value.
    pub since: &'a BTreeMap<Name, Timestamp>,
    /// When a look last confirmed it, by the source's clock: the newest of its own word and, while it is there, of the
    /// complete looks at its scope. Freshness is measured by it, so that whoever folds the same item has to mean the same.
    pub confirmed_at: Timestamp,
}

/// How much a collector is believed, from 0 to 100, as long as no rule says otherwise for an attribute.
#[must_use]
pub fn confidence_of(collector: &str) -> u8 {
    match collector {
        "redfish" | "ipmi" | "bmc" => 95,
        "host" | "hypervisor" | "aws" | "azure" | "gcp" | "kubernetes" | "reconcile" => 90,
        "ssh" | "winrm" => 85,
        "netconf" => 80,
        "snmp" => 75,
        "sweep" => 30,
        "dns" => 20,
        _ => 50,
    }
}

/// The values of every attribute, the winner first.
#[must_use]
pub fn fold(statements: &[Statement<'_>]) -> BTreeMap<Name, Vec<SourceValue>> {
    let mut attributes: BTreeMap<Name, Vec<SourceValue>> = BTreeMap::new();
    for said in statements {
        for (name, value) in said.facts {
            let provenance = Provenance {
                source: said.source.clone(),
                since: said.since.get(name).copied().unwrap_or(said.first_seen),
                confirmed_at: said.confirmed_at,
                confidence: confidence_of(&said.source.collector),
            };
            let values = attributes.entry(name.clone()).or_default();
            values.push(SourceValue { value: value.clone(), provenance });
        }
    }
    for values in attributes.values_mut() {
        values.sort_by(precedence);
        // A source that says the same attribute in two of its scopes counts once, by its newest word.
        let mut seen: Vec<SourceId> = Vec::new();
        values.retain(|value| {
            let is_first = !seen.contains(&value.provenance.source);
            if is_first {
                seen.push(value.provenance.source.clone());
            }
            is_first
        });
    }
    attributes
}

/// Who comes first: the more trusted, then who says more than *none*, then the newer word; the rest only makes
/// the order total.
fn precedence(one: &SourceValue, other: &SourceValue) -> Ordering {
    let is_absent = |value: &SourceValue| matches!(value.value, Value::Absent);
    other
        .provenance
        .confidence
        .cmp(&one.provenance.confidence)
        .then_with(|| is_absent(one).cmp(&is_absent(other)))
        .then_with(|| other.provenance.since.cmp(&one.provenance.since))
        .then_with(|| one.provenance.source.cmp(&other.provenance.source))
        .then_with(|| value_order(&one.value, &other.value))
}

/// The winning values alone, borrowed: what changes are computed from.
#[must_use]
pub fn winners<'a>(statements: &[Statement<'a>]) -> BTreeMap<&'a Name, &'a Value> {
    if let [only] = statements {
        return only.facts.iter().collect();
    }
    let mut winners: BTreeMap<&Name, (&Value, &Statement<'_>)> = BTreeMap::new();
    for said in statements {
        for (name, value) in said.facts {
            match winners.entry(name) {
                std::collections::btree_map::Entry::Vacant(place) => {
                    place.insert((value, said));
                }
                std::collections::btree_map::Entry::Occupied(mut place) => {
                    let (held, by) = *place.get();
                    if precedence(&told(name, value, said), &told(name, held, by)) == Ordering::Less
                    {
                        place.insert((value, said));
                    }
                }
            }
        }
    }
    winners.into_iter().map(|(name, (value, _))| (name, value)).collect()
}

fn told(name: &Name, value: &Value, said: &Statement<'_>) -> SourceValue {
    let provenance = Provenance {
        source: said.source.clone(),
        since: said.since.get(name).copied().unwrap_or(said.first_seen),
        confirmed_at: said.confirmed_at,
        confidence: confidence_of(&said.source.collector),
    };
    SourceValue { value: value.clone(), provenance }
}

/// What a person calls an item: the winning value of its class's title, else of another name, else its native key.
#[must_use]
pub fn title_of<'a>(
    class: Option<&ClassDefinition>,
    winner: impl Fn(&str) -> Option<&'a Value>,
    native_key: &str,
) -> String {
    let declared = class.map(|class| class.title.as_ref()).into_iter();
    declared
        .chain(["name", "fqdn", "host_name", "title"])
        .filter_map(winner)
        .map(Value::to_line)
        .find(|line| !line.is_empty())
        .unwrap_or_else(|| native_key.to_owned())
        .chars()
        .take(TITLE_LETTERS_MAX)
        .collect()
}

#[cfg(test)]
mod by_trust_tests {
    use super::*;

    fn source(collector: &str) -> SourceId {
        SourceId { collector: collector.into(), target: "t".into() }
    }

    fn facts(value: Value) -> BTreeMap<Name, Value> {
        BTreeMap::from([(Name::Borrowed("os_name"), value)])
    }

    fn winner(statements: &[Statement<'_>]) -> Value {
        let folded = fold(statements);
        let winner = folded["os_name"][0].value.clone();
        assert_eq!(winners(statements)[&Name::Borrowed("os_name")], &winner);
        winner
    }

    #[test]
    fn the_more_trusted_source_wins_and_the_loser_stays_visible() {
        let (host, sweep, none) = (source("host"), source("sweep"), BTreeMap::new());
        let (one, two) = (facts(Value::Text("Debian".into())), facts(Value::Text("Linux".into())));
        let statement = |source, facts, at| Statement {
            source,
            facts,
            first_seen: Timestamp::from_seconds(at),
            since: &none,
            confirmed_at: Timestamp::from_seconds(at),
        };
        let all = [statement(&sweep, &two, 9), statement(&host, &one, 1)];
        assert_eq!(winner(&all), Value::Text("Debian".into()));
        assert_eq!(fold(&all)["os_name"].len(), 2);
        let turned = [all[1], all[0]];
        assert_eq!(fold(&all), fold(&turned));
    }

    #[test]
    fn of_equally_trusted_sources_the_newer_word_wins_and_none_never_beats_a_value() {
        let none = BTreeMap::new();
        let (old, new) =
            (source("host"), SourceId { collector: "host".into(), target: "u".into() });
        let (one, two, absent) =
            (facts(Value::Integer(1)), facts(Value::Integer(2)), facts(Value::Absent));
        let statement = |source, facts, at| Statement {
            source,
            facts,
            first_seen: Timestamp::from_seconds(at),
            since: &none,
            confirmed_at: Timestamp::from_seconds(at),
        };
        assert_eq!(
            winner(&[statement(&old, &one, 1), statement(&new, &two, 2)]),
            Value::Integer(2)
        );
        assert_eq!(
            winner(&[statement(&old, &one, 1), statement(&new, &absent, 2)]),
            Value::Integer(1)
        );
    }
}

#[cfg(test)]
mod tests;
