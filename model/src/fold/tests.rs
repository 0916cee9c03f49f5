//! Each strategy with who wins, and who does not.

use super::*;
use crate::Catalog;
use crate::policy::Policies;
use std::time::Duration;

const DAY: i64 = 24 * 3600;

/// One source's word: collector, value, since and last confirmed (seconds).
type Said = (&'static str, Value, i64, i64);

fn text(text: &str) -> Value {
    Value::Text(text.into())
}

fn list(members: &[&str]) -> Value {
    Value::List(members.iter().map(|member| text(member)).collect())
}

fn policies(attribute: &str, rest: &str) -> Policies {
    let text = format!("[[policy]]\nclass = \"host\"\nattribute = \"{attribute}\"\n{rest}");
    Policies::built_in().overridden(&Catalog::built_in(), &text).unwrap()
}

fn folded(
    policies: &Policies,
    attribute: &'static str,
    said: &[Said],
    rulings: Rulings<'_>,
) -> Vec<SourceValue> {
    let none = BTreeMap::new();
    let told: Vec<(SourceId, BTreeMap<Name, Value>)> = said
        .iter()
        .map(|(collector, value, ..)| {
            let source = SourceId { collector: (*collector).into(), target: "t".into() };
            (source, BTreeMap::from([(Name::Borrowed(attribute), value.clone())]))
        })
        .collect();
    let mut statements: Vec<Statement<'_>> = told
        .iter()
        .zip(said)
        .map(|((source, facts), (_, _, since, confirmed))| Statement {
            source,
            facts,
            first_seen: Timestamp::from_seconds(*since),
            since: &none,
            confirmed_at: Timestamp::from_seconds(*confirmed),
        })
        .collect();
    let found = fold_by(policies, "host", &statements, rulings);
    let winners = winners_by(policies, "host", &statements, rulings);
    let first = found.get(attribute).and_then(|values| values.first()).map(|value| &value.value);
    assert_eq!(winners.get(&Name::Borrowed(attribute)).map(|winner| &**winner), first);
    statements.reverse();
    assert_eq!(fold_by(policies, "host", &statements, rulings), found);
    found.get(attribute).cloned().unwrap_or_default()
}

fn values(policies: &Policies, attribute: &'static str, said: &[Said]) -> Vec<Value> {
    folded(policies, attribute, said, Rulings::NONE).into_iter().map(|value| value.value).collect()
}

fn winner(policies: &Policies, attribute: &'static str, said: &[Said]) -> Value {
    let values = values(policies, attribute, said);
    assert_eq!(values.len(), said.len(), "no word is lost");
    values[0].clone()
}

#[test]
fn a_lower_source_takes_over_when_the_higher_is_stale() {
    let ours = policies("time_zone", "strategy = \"trusted\"\nhalf_life = \"1d\"");
    let said = |confirmed| [("host", text("UTC"), 0, 0), ("snmp", text("CET"), 0, confirmed)];
    assert_eq!(winner(&ours, "time_zone", &said(DAY - 1)), text("UTC"));
    assert_eq!(winner(&ours, "time_zone", &said(DAY)), text("CET"));
    let never = policies("time_zone", "strategy = \"trusted\"\nhalf_life = \"never\"");
    assert_eq!(winner(&never, "time_zone", &said(3_000 * DAY)), text("UTC"));
    // Nobody is fresher than the newest word: a silent estate keeps its winners.
    assert_eq!(winner(&ours, "time_zone", &said(0)), text("UTC"));
}

#[test]
fn sources_that_say_the_same_support_each_other() {
    let ours = policies("time_zone", "strategy = \"trusted\"\ncorroboration = 25");
    let (host, snmp) = (("host", text("UTC"), 0, 0), ("snmp", text("CET"), 0, 0));
    assert_eq!(winner(&ours, "time_zone", &[host.clone(), snmp.clone()]), text("UTC"));
    let more = [host, snmp, ("netconf", text("CET"), 0, 0)];
    assert_eq!(winner(&ours, "time_zone", &more), text("CET"));
}

#[test]
fn the_first_fresh_source_of_an_authoritative_list_wins() {
    let rest = "strategy = \"authoritative\"\nsources = [\"dns\", \"snmp\"]\nhalf_life = \"1d\"";
    let ours = policies("time_zone", rest);
    let dns = |at| ("dns", text("a"), 0, at);
    let said = |at| [dns(at), ("host", text("b"), 5, 5), ("snmp", text("c"), 0, DAY)];
    assert_eq!(values(&ours, "time_zone", &said(DAY)), [text("a"), text("c"), text("b")]);
    assert_eq!(winner(&ours, "time_zone", &said(0)), text("c"));
}

#[test]
fn the_value_that_began_last_wins_and_not_the_one_that_was_looked_at_last() {
    let ours = policies("time_zone", "strategy = \"freshest\"\nhalf_life = \"1d\"");
    let said = [("host", text("old"), 10, 500), ("sweep", text("new"), 20, 400)];
    assert_eq!(winner(&ours, "time_zone", &said), text("new"));
    let silent = [("host", text("old"), 10, 3 * DAY), ("sweep", text("new"), 20, 400)];
    assert_eq!(winner(&ours, "time_zone", &silent), text("old"));
}

#[test]
fn the_greatest_and_the_least_fresh_value_win() {
    let said = [
        ("host", Value::Integer(4), 0, DAY),
        ("dns", Value::Integer(9), 0, DAY),
        ("sweep", Value::Integer(2), 0, DAY),
        ("snmp", Value::Integer(99), 0, 0),
        ("ssh", Value::Absent, 0, DAY),
    ];
    let rest = "\nhalf_life = \"1d\"\nabsent = \"trusted_more\"";
    let most = policies("memory_bytes", &format!("strategy = \"max\"{rest}"));
    assert_eq!(winner(&most, "memory_bytes", &said), Value::Integer(9));
    let least = policies("memory_bytes", &format!("strategy = \"min\"{rest}"));
    assert_eq!(winner(&least, "memory_bytes", &said), Value::Integer(2));
}

#[test]
fn the_most_exact_text_that_agrees_with_the_most_trusted_wins() {
    let ours = policies("os_name", "strategy = \"most_specific\"\nhalf_life = \"1d\"");
    let said = [
        ("snmp", text("IOS-XE"), 0, DAY),
        ("sweep", text("IOS-XE 17.9.4a"), 0, DAY),
        ("dns", text("Linux 6.1.0-18-amd64 and more"), 0, DAY),
    ];
    assert_eq!(winner(&ours, "os_name", &said), text("IOS-XE 17.9.4a"));
    // The more trusted source disagrees: the longest text has no say.
    let other = [("host", text("NX-OS"), 0, DAY), said[0].clone(), said[1].clone()];
    assert_eq!(winner(&ours, "os_name", &other), text("NX-OS"));
    // What was exact before an update is not heard.
    let past = [said[0].clone(), ("sweep", text("IOS-XE 16.2"), 0, 0)];
    assert_eq!(winner(&ours, "os_name", &past), text("IOS-XE"));
}

#[test]
fn what_enough_sources_say_wins_over_the_most_trusted() {
    let ours = policies("time_zone", "strategy = \"quorum\"\nquorum = 3\ncorroboration = 0");
    let said = [
        ("host", text("a"), 0, 0),
        ("snmp", text("b"), 0, 0),
        ("dns", text("b"), 0, 0),
        ("sweep", text("b"), 0, 0),
    ];
    assert_eq!(winner(&ours, "time_zone", &said), text("b"));
    assert_eq!(winner(&ours, "time_zone", &said[..3]), text("a"));
}

#[test]
fn what_any_source_lists_is_in_the_union_and_every_list_behind_it() {
    let ours = policies("dns_servers", "strategy = \"union\"\nhalf_life = \"1d\"");
    let said = [
        ("host", list(&["a", "b"]), 1, DAY),
        ("snmp", list(&["c", "a"]), 2, DAY),
        ("dns", list(&["gone"]), 0, 0),
        ("ssh", Value::Absent, 0, DAY),
    ];
    let found = folded(&ours, "dns_servers", &said, Rulings::NONE);
    assert_eq!(found.len(), 5);
    assert_eq!(found[0].value, list(&["a", "b", "c"]));
    assert_eq!(found[0].provenance.source.collector, UNION);
    assert_eq!((found[0].provenance.confidence, found[0].provenance.since.millis()), (75, 2_000));
    // One source lists everything: it needs no union.
    let whole = [("host", list(&["a", "b"]), 0, 0), ("snmp", list(&["b"]), 0, 0)];
    assert_eq!(values(&ours, "dns_servers", &whole), [list(&["a", "b"]), list(&["b"])]);
}

#[test]
fn a_union_without_end_is_cut() {
    let ours = policies("dns_servers", "strategy = \"union\"");
    let many = |letter: &str, count: usize| {
        Value::List((0..count).map(|index| text(&format!("{letter}{index}"))).collect())
    };
    let said = [("host", many("a", 3_000), 0, 0), ("snmp", many("b", UNION_MEMBERS_MAX), 0, 0)];
    let Value::List(members) = &values(&ours, "dns_servers", &said)[0] else { unreachable!() };
    assert_eq!(members.len(), UNION_MEMBERS_MAX);
    assert_eq!((&members[0], &members[3_000]), (&text("a0"), &text("b0")));
}

#[test]
fn none_may_win_only_as_the_policy_says() {
    let with = |absent: &str| {
        policies("time_zone", &format!("strategy = \"trusted\"\nabsent = \"{absent}\""))
    };
    let more = [("host", Value::Absent, 5, 5), ("snmp", text("a"), 0, 5)];
    let less = [("host", text("a"), 0, 5), ("snmp", Value::Absent, 5, 5)];
    let newer = [("aws", text("a"), 0, 5), ("host", Value::Absent, 5, 5)];
    let older = [("aws", text("a"), 5, 5), ("host", Value::Absent, 0, 5)];
    for (rule, of_more, of_newer) in [
        ("never", text("a"), text("a")),
        ("trusted_more", Value::Absent, text("a")),
        ("trusted_as_much", Value::Absent, Value::Absent),
    ] {
        let ours = with(rule);
        assert_eq!(winner(&ours, "time_zone", &more), of_more, "{rule}");
        assert_eq!(winner(&ours, "time_zone", &less), text("a"), "{rule}");
        assert_eq!(winner(&ours, "time_zone", &newer), of_newer, "{rule}");
        assert_eq!(winner(&ours, "time_zone", &older), text("a"), "{rule}");
    }
}

#[test]
fn an_empty_text_never_beats_a_value_nor_none() {
    let ours = Policies::built_in();
    let said =
        [("redfish", text(" "), 9, 9), ("snmp", text("a"), 0, 9), ("sweep", Value::Absent, 0, 9)];
    assert_eq!(values(ours, "time_zone", &said)[0], text("a"));
    assert_eq!(values(ours, "time_zone", &said[..1]), [text(" ")]);
    let empty = [said[0].clone(), said[2].clone()];
    assert_eq!(winner(ours, "time_zone", &empty), Value::Absent);
}

#[test]
fn what_was_not_looked_at_is_not_there_and_what_was_found_empty_is() {
    let found = values(Policies::built_in(), "dns_servers", &[("host", list(&[]), 0, 0)]);
    assert_eq!(found, [list(&[])]);
    let none = values(Policies::built_in(), "dns_servers", &[("host", Value::Absent, 0, 0)]);
    assert_eq!(none, [Value::Absent]);
    assert_eq!(values(Policies::built_in(), "dns_servers", &[]), []);
}

fn lock(value: &str, since: i64, until: i64) -> Lock {
    Lock {
        attribute: "time_zone".into(),
        value: text(value),
        since: Timestamp::from_seconds(since),
        until: Timestamp::from_seconds(until),
        said_by: "ada".into(),
    }
}

#[test]
fn a_lock_wins_until_it_expires_and_the_sources_stay_behind_it() {
    let ours = Policies::built_in();
    let locks = [lock("mine", 50, 100)];
    let rulings = Rulings { locks: &locks, frozen: &[] };
    let at = |confirmed| folded(ours, "time_zone", &[("host", text("a"), 0, confirmed)], rulings);
    let held = at(99);
    assert_eq!(held.len(), 2);
    assert_eq!((&held[0].value, held[0].provenance.confidence), (&text("mine"), 100));
    assert_eq!(held[0].provenance.source.to_string(), "user/ada");
    assert_eq!(held[1].value, text("a"));
    assert_eq!(at(100).into_iter().map(|value| value.value).collect::<Vec<_>>(), [text("a")]);
}

#[test]
fn the_newest_lock_wins_and_one_that_nobody_else_speaks_of_stands_alone() {
    let locks = [lock("first", 50, 1_000), lock("second", 60, 1_000), lock("past", 70, 80)];
    let rulings = Rulings { locks: &locks, frozen: &[] };
    let said = [("host", text("a"), 0, 90)];
    let values: Vec<Value> = folded(Policies::built_in(), "time_zone", &said, rulings)
        .into_iter()
        .map(|one| one.value)
        .collect();
    assert_eq!(values, [text("second"), text("first"), text("a")]);
    assert_eq!(folded(Policies::built_in(), "time_zone", &[], rulings).len(), 3);
}

#[test]
fn a_policy_ends_a_lock_that_would_hold_for_ever() {
    let ours = policies("time_zone", "strategy = \"trusted\"\nlock_max = \"1d\"");
    let locks = [lock("mine", 0, i64::MAX / 1000)];
    let rulings = Rulings { locks: &locks, frozen: &[] };
    let at =
        |confirmed| folded(&ours, "time_zone", &[("host", text("a"), 0, confirmed)], rulings).len();
    assert_eq!((at(DAY - 1), at(DAY)), (2, 1));
}

#[test]
fn a_frozen_attribute_keeps_the_more_trusted_value_whatever_is_newer() {
    let ours = policies("time_zone", "strategy = \"freshest\"");
    let frozen = [Name::Borrowed("time_zone")];
    let said = [("snmp", text("held"), 0, 0), ("sweep", text("b"), 50 * DAY, 50 * DAY)];
    let of = |rulings| folded(&ours, "time_zone", &said, rulings)[0].value.clone();
    assert_eq!(of(Rulings::NONE), text("b"));
    assert_eq!(of(Rulings { locks: &[], frozen: &frozen }), text("held"));
}

#[test]
fn the_next_turn_is_when_time_alone_can_change_the_winner() {
    let none = BTreeMap::new();
    let ours = policies("time_zone", "strategy = \"trusted\"\nhalf_life = \"1d\"");
    let source = |collector: &str| SourceId { collector: collector.into(), target: "t".into() };
    let (host, snmp) = (source("host"), source("snmp"));
    let (one, two) = (
        BTreeMap::from([(Name::Borrowed("time_zone"), text("a"))]),
        BTreeMap::from([(Name::Borrowed("time_zone"), text("b"))]),
    );
    let statement = |source, facts, at| Statement {
        source,
        facts,
        first_seen: Timestamp::EPOCH,
        since: &none,
        confirmed_at: Timestamp::from_seconds(at),
    };
    let both = [statement(&host, &one, 0), statement(&snmp, &two, DAY - 1)];
    let turn = next_turn(&ours, "host", &both, Rulings::NONE);
    assert_eq!(turn, Some(Timestamp::from_seconds(DAY)));
    assert_eq!(next_turn(&ours, "host", &both[..1], Rulings::NONE), None);
    let locks = [lock("mine", 0, DAY - 1), lock("mine", 0, DAY + 5)];
    let rulings = Rulings { locks: &locks, frozen: &[] };
    assert_eq!(
        next_turn(&ours, "host", &both[1..], rulings),
        Some(Timestamp::from_seconds(DAY + 5))
    );
}

#[test]
fn an_item_that_a_thousand_sources_claim_is_judged_with_bounded_work() {
    let none = BTreeMap::new();
    let sources: Vec<SourceId> = (0..1_000)
        .map(|index| SourceId { collector: "sweep".into(), target: format!("t{index:04}") })
        .collect();
    let facts: Vec<BTreeMap<Name, Value>> = (0..1_000)
        .map(|index| {
            BTreeMap::from([(Name::Borrowed("os_name"), text(&format!("Linux {}", index % 7)))])
        })
        .collect();
    let statements: Vec<Statement<'_>> = sources
        .iter()
        .zip(&facts)
        .map(|(source, facts)| Statement {
            source,
            facts,
            first_seen: Timestamp::EPOCH,
            since: &none,
            confirmed_at: Timestamp::EPOCH.plus(Duration::from_secs(9)),
        })
        .collect();
    let found = fold_by(Policies::built_in(), "host", &statements, Rulings::NONE);
    assert_eq!(found["os_name"].len(), 1_000);
}

/// Why a word wins, with what each word counts.
fn explained(ours: &Policies, said: &[Said], rulings: Rulings<'_>) -> (Reason, Vec<(String, u64)>) {
    let none = BTreeMap::new();
    let name = Name::Borrowed("time_zone");
    let told: Vec<(SourceId, BTreeMap<Name, Value>)> = said
        .iter()
        .map(|(collector, value, ..)| {
            let source = SourceId { collector: (*collector).into(), target: "t".into() };
            (source, BTreeMap::from([(name.clone(), value.clone())]))
        })
        .collect();
    let statements: Vec<Statement<'_>> = told
        .iter()
        .zip(said)
        .map(|((source, facts), (_, _, since, confirmed))| Statement {
            source,
            facts,
            first_seen: Timestamp::from_seconds(*since),
            since: &none,
            confirmed_at: Timestamp::from_seconds(*confirmed),
        })
        .collect();
    let why = explain(ours, "host", &name, &statements, rulings).unwrap();
    assert_eq!(why.version, ours.version());
    assert_eq!(why.turns_at, next_turn(ours, "host", &statements, rulings));
    let shown = &fold_by(ours, "host", &statements, rulings)[&name];
    let shown = shown.iter().map(|value| &value.provenance.source);
    let shown: Vec<&SourceId> =
        shown.filter(|source| ![PERSON, UNION].contains(&source.collector.as_str())).collect();
    assert_eq!(shown, why.words.iter().map(|word| &word.source).collect::<Vec<_>>());
    let words = why.words.into_iter().map(|word| (word.source.collector, word.score_thousandths));
    (why.reason, words.collect())
}

#[test]
fn a_winner_is_explained_by_the_rule_that_chose_it_and_what_each_word_counts() {
    let ours = policies("time_zone", "strategy = \"trusted\"\nhalf_life = \"1d\"");
    let said = [("host", text("a"), 0, 0), ("snmp", text("b"), 0, DAY), ("dns", text("b"), 0, DAY)];
    let (reason, words) = explained(&ours, &said, Rulings::NONE);
    assert_eq!(reason, Reason::Strategy(crate::policy::Strategy::Trusted));
    // 75 % and a tenth of it for the second source; 90 % halved; 20 % and a tenth.
    let expected = [("snmp", 825), ("host", 450), ("dns", 220)];
    assert_eq!(words, expected.map(|(name, score)| (name.to_owned(), score)));
    assert_eq!(explained(&ours, &said[..1], Rulings::NONE).0, Reason::Alone);
    let none = [said[0].clone(), ("redfish", Value::Absent, 5, 5)];
    assert_eq!(explained(&ours, &none, Rulings::NONE).0, Reason::Absent);
    let (locks, frozen) = ([lock("mine", 0, 2 * DAY)], [Name::Borrowed("time_zone")]);
    assert_eq!(explained(&ours, &said, Rulings { locks: &[], frozen: &frozen }).0, Reason::Frozen);
    assert_eq!(explained(&ours, &said, Rulings { locks: &locks, frozen: &frozen }).0, Reason::Lock);
    let name = Name::Borrowed("time_zone");
    assert!(explain(&ours, "host", &name, &[], Rulings::NONE).is_none());
}
