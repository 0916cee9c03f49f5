//! Laws of the fold by attribute policies, for any statements under any policy.

use model::fold::{Lock, PERSON, Rulings, Statement, UNION, fold_by, next_turn, winners_by};
use model::policy::Policies;
use model::{Catalog, Name, SourceId, SourceValue, Timestamp, Value};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

const TEXT: &str = "os_name";
const NUMBER: &str = "memory_bytes";
const SET: &str = "dns_servers";
const HOUR: i64 = 3600;

/// What one source says in one of its scopes.
#[derive(Clone, Debug)]
struct Said {
    source: SourceId,
    facts: BTreeMap<Name, Value>,
    since: BTreeMap<Name, Timestamp>,
    first_seen: Timestamp,
    confirmed_at: Timestamp,
}

fn moment() -> impl Strategy<Value = Timestamp> {
    // Few moments, so that they are often equal; half-lives are hours.
    (0_i64..12).prop_map(|hours| Timestamp::from_seconds(hours * HOUR))
}

fn said() -> impl Strategy<Value = Said> {
    let texts = &["IOS", "IOS-XE", "IOS-XE 17.9.4a", "IOS-XE 16", "Linux", "", " "][..];
    let text = prop_oneof![
        5 => proptest::sample::select(texts).prop_map(|text| Value::Text(text.into())),
        1 => Just(Value::Absent),
        // Not the declared kind: it may be stored from before the class was declared.
        1 => Just(Value::Integer(7)),
    ];
    let number = prop_oneof![
        4 => (0_i64..4).prop_map(Value::Integer),
        1 => Just(Value::Float(2.5)),
        1 => Just(Value::Absent),
    ];
    let member =
        proptest::sample::select(&["a", "b", "c"][..]).prop_map(|text| Value::Text(text.into()));
    let set = prop_oneof![
        4 => proptest::collection::vec(member, 0..4).prop_map(Value::List),
        1 => Just(Value::Absent),
    ];
    let facts =
        (proptest::option::of(text), proptest::option::of(number), proptest::option::of(set));
    let collectors = &["host", "redfish", "aws", "snmp", "sweep", "of_tomorrow"][..];
    let source = (proptest::sample::select(collectors), proptest::sample::select(&["t", "u"][..]));
    let since = proptest::collection::btree_map(
        proptest::sample::select(&[TEXT, NUMBER, SET][..]).prop_map(Name::Borrowed),
        moment(),
        0..3,
    );
    (source, facts, since, moment(), moment()).prop_map(
        |(source, facts, since, first_seen, confirmed_at)| {
            let facts = [(TEXT, facts.0), (NUMBER, facts.1), (SET, facts.2)];
            let facts =
                facts.into_iter().filter_map(|(name, value)| Some((Name::Borrowed(name), value?)));
            let source = SourceId { collector: source.0.into(), target: source.1.into() };
            Said { source, facts: facts.collect(), since, first_seen, confirmed_at }
        },
    )
}

fn policies() -> impl Strategy<Value = Policies> {
    let any = &["trusted", "freshest", "quorum", "authoritative"][..];
    let of = |more: &'static str| {
        let mut all = any.to_vec();
        all.extend(more.split(' '));
        proptest::sample::select(all)
    };
    let absent = proptest::sample::select(&["never", "trusted_more", "trusted_as_much"][..]);
    let half_life = proptest::sample::select(&["1h", "3h", "never"][..]);
    let lists = proptest::sample::select(&["[\"snmp\", \"host:u\"]", "[\"sweep\"]"][..]);
    (of("most_specific"), of("max min"), of("union"), absent, half_life, lists, 0..30).prop_map(
        |(text, number, set, absent, half_life, list, corroboration)| {
            let mut file = format!(
                "[default]\nabsent = \"{absent}\"\nhalf_life = \"{half_life}\"\ncorroboration = {corroboration}\n"
            );
            for (attribute, strategy) in [(TEXT, text), (NUMBER, number), (SET, set)] {
                file += &format!("[[policy]]\nclass = \"host\"\nattribute = \"{attribute}\"\nstrategy = \"{strategy}\"\n");
                if strategy == "authoritative" {
                    file += &format!("sources = {list}\n");
                }
            }
            Policies::built_in().overridden(&Catalog::built_in(), &file).unwrap()
        },
    )
}

fn locks() -> impl Strategy<Value = Vec<Lock>> {
    let names = proptest::sample::select(&[TEXT, NUMBER, "time_zone"][..]);
    let value =
        prop_oneof![Just(Value::Absent), Just(Value::Text("mine".into())), Just(Value::Integer(1))];
    let lock = (names, value, moment(), moment(), proptest::sample::select(&["ada", "bo"][..]));
    let lock = lock.prop_map(|(name, value, since, until, said_by)| Lock {
        attribute: Name::Borrowed(name),
        value,
        since,
        until,
        said_by: said_by.into(),
    });
    prop_oneof![Just(Vec::new()), proptest::collection::vec(lock, 0..4)]
}

fn frozen() -> impl Strategy<Value = Vec<Name>> {
    proptest::sample::subsequence(vec![Name::Borrowed(TEXT), Name::Borrowed(SET)], 0..=2)
}

fn statements(said: &[Said]) -> Vec<Statement<'_>> {
    said.iter()
        .map(|said| Statement {
            source: &said.source,
            facts: &said.facts,
            first_seen: said.first_seen,
            since: &said.since,
            confirmed_at: said.confirmed_at,
        })
        .collect()
}

type Folded = BTreeMap<Name, Vec<SourceValue>>;

fn is_of_source(value: &SourceValue) -> bool {
    ![PERSON, UNION].contains(&value.provenance.source.collector.as_str())
}

fn winner<'a>(folded: &'a Folded, name: &str) -> Option<&'a SourceValue> {
    folded.get(name).and_then(|values| values.first())
}

proptest! {
    #[test]
    fn neither_order_nor_repetition_nor_partition_makes_a_difference(
        policies in policies(),
        (said, mixed) in proptest::collection::vec(said(), 0..8)
            .prop_flat_map(|said| (Just(said.clone()), Just(said).prop_shuffle())),
        repeated in any::<proptest::sample::Index>(),
        locks in locks(),
        frozen in frozen(),
    ) {
        let rulings = Rulings { locks: &locks, frozen: &frozen };
        let expected = fold_by(&policies, "host", &statements(&said), rulings);
        let mut mixed = mixed;
        if !mixed.is_empty() {
            let again = repeated.get(&mixed).clone();
            mixed.push(again);
        }
        // A source that says half of its facts in another scope at the same time says the same.
        let halves: Vec<Said> = mixed
            .iter()
            .flat_map(|said| {
                let (mut one, mut other) = (said.clone(), said.clone());
                one.facts.retain(|name, _| name == TEXT);
                other.facts.retain(|name, _| name != TEXT);
                [one, other]
            })
            .collect();
        let mut reversed = locks.clone();
        reversed.reverse();
        let rulings = Rulings { locks: &reversed, frozen: &frozen };
        prop_assert_eq!(&fold_by(&policies, "host", &statements(&mixed), rulings), &expected);
        prop_assert_eq!(&fold_by(&policies, "host", &statements(&halves), rulings), &expected);
    }

    #[test]
    fn the_winners_alone_are_the_first_of_all_values(
        policies in policies(),
        said in proptest::collection::vec(said(), 0..6),
        locks in locks(),
        frozen in frozen(),
    ) {
        let rulings = Rulings { locks: &locks, frozen: &frozen };
        let statements = statements(&said);
        let folded = fold_by(&policies, "host", &statements, rulings);
        let winners = winners_by(&policies, "host", &statements, rulings);
        let first: BTreeMap<&Name, &Value> =
            folded.iter().filter_map(|(name, values)| Some((name, &values.first()?.value))).collect();
        let winners: BTreeMap<&Name, &Value> =
            winners.iter().map(|(name, value)| (*name, &**value)).collect();
        prop_assert_eq!(winners, first);
    }

    #[test]
    fn every_source_that_looked_keeps_its_word_and_nobody_else_has_one(
        policies in policies(),
        said in proptest::collection::vec(said(), 0..8),
        locks in locks(),
    ) {
        let rulings = Rulings { locks: &locks, frozen: &[] };
        let folded = fold_by(&policies, "host", &statements(&said), rulings);
        for name in [TEXT, NUMBER, SET, "time_zone"] {
            let looked: BTreeSet<&SourceId> =
                said.iter().filter(|said| said.facts.contains_key(name)).map(|said| &said.source).collect();
            let values = folded.get(name).map(Vec::as_slice).unwrap_or_default();
            let kept: Vec<&SourceId> =
                values.iter().filter(|value| is_of_source(value)).map(|value| &value.provenance.source).collect();
            prop_assert_eq!(kept.len(), looked.len());
            prop_assert_eq!(kept.into_iter().collect::<BTreeSet<_>>(), looked);
            for value in values.iter().filter(|value| is_of_source(value)) {
                let is_said = said.iter().any(|said| {
                    said.source == value.provenance.source && said.facts.get(name) == Some(&value.value)
                });
                prop_assert!(is_said, "{:?} was never said", value);
            }
        }
    }

    #[test]
    fn nothing_is_won_by_an_empty_text_while_anyone_says_more(
        policies in policies(),
        said in proptest::collection::vec(said(), 0..8),
        frozen in frozen(),
    ) {
        let rulings = Rulings { locks: &[], frozen: &frozen };
        let folded = fold_by(&policies, "host", &statements(&said), rulings);
        let is_null = |value: &Value| value.as_text().is_some_and(|text| text.trim().is_empty());
        if let Some(values) = folded.get(TEXT) {
            let is_any_word = values.iter().any(|value| !is_null(&value.value));
            prop_assert!(!is_any_word || !is_null(&values[0].value));
        }
    }

    #[test]
    fn none_never_wins_against_a_value_of_a_source_that_is_trusted_more(
        policies in policies(),
        said in proptest::collection::vec(said(), 0..8),
    ) {
        let folded = fold_by(&policies, "host", &statements(&said), Rulings::NONE);
        for (name, values) in &folded {
            let Some(first) = values.first().filter(|first| first.value == Value::Absent) else { continue };
            let policy = policies.of("host", name);
            let is_value = |value: &&SourceValue| {
                value.value != Value::Absent
                    && !value.value.as_text().is_some_and(|text| text.trim().is_empty())
            };
            // By a list of sources, or else by trust.
            let rank = |value: &SourceValue| {
                let place = policy.sources.iter().position(|one| one.means(&value.provenance.source));
                (place.unwrap_or(policy.sources.len()), 100 - value.provenance.confidence)
            };
            // The value of the best standing, which comes first behind the winner.
            if let Some(best) = values.iter().find(is_value) {
                prop_assert!(rank(first) <= rank(best), "{:?}", values);
                prop_assert_ne!(policy.absent.name(), "never");
            }
        }
    }

    #[test]
    fn a_lock_holds_exactly_until_it_ends(
        policies in policies(),
        said in proptest::collection::vec(said(), 1..6),
        locks in locks(),
    ) {
        let rulings = Rulings { locks: &locks, frozen: &[] };
        let folded = fold_by(&policies, "host", &statements(&said), rulings);
        let newest = said.iter().map(|said| said.confirmed_at).max().unwrap();
        for name in [TEXT, NUMBER, "time_zone"] {
            let holding = locks.iter().filter(|lock| lock.attribute == name && lock.until > newest);
            let since = holding.map(|lock| lock.since).max();
            let won = winner(&folded, name).filter(|one| one.provenance.source.collector == PERSON);
            prop_assert_eq!(won.map(|won| won.provenance.since), since);
        }
    }

    #[test]
    fn no_winner_changes_before_the_next_turn(
        policies in policies(),
        said in proptest::collection::vec(said(), 1..6),
        locks in locks(),
        hours in 1_i64..30,
    ) {
        let rulings = Rulings { locks: &locks, frozen: &[] };
        // A source that says nothing of the item's attributes is confirmed later and later.
        let with_clock = |at: Timestamp| {
            let mut all = said.clone();
            let source = SourceId { collector: "host".into(), target: "clock".into() };
            let (facts, since) = (BTreeMap::new(), BTreeMap::new());
            all.push(Said { source, facts, since, first_seen: at, confirmed_at: at });
            all
        };
        let newest = said.iter().map(|said| said.confirmed_at).max().unwrap();
        let later = newest.plus(std::time::Duration::from_secs(u64::try_from(hours * HOUR).unwrap()));
        let turn = next_turn(&policies, "host", &statements(&with_clock(newest)), rulings);
        if turn.is_none_or(|turn| later < turn) {
            let (before, after) = (with_clock(newest), with_clock(later));
            let (before, after) = (statements(&before), statements(&after));
            prop_assert_eq!(
                winners_by(&policies, "host", &before, rulings),
                winners_by(&policies, "host", &after, rulings)
            );
        }
    }

    #[test]
    fn any_text_is_a_file_of_policies_or_refused_with_a_reason(text in any::<String>(), piece in "[a-z_\\[\\]=\" 0-9\\n]{0,80}") {
        for text in [text, piece.clone(), format!("[[policy]]\nclass = \"host\"\n{piece}"), format!("[trust]\n{piece}")] {
            if let Err(invalid) = Policies::built_in().overridden(&Catalog::built_in(), &text) {
                prop_assert!(!invalid.problems.is_empty() && invalid.problems.len() <= 20);
            }
        }
    }
}
