//! Hostile and honest texts of addresses, windows, names and references.

use super::addresses::{entries, parse};
use super::*;
use crate::Timestamp;
use proptest::prelude::*;
use std::time::Duration;

fn set(addresses: &[&str]) -> TargetSet {
    TargetSet {
        name: "lab".into(),
        collector: "snmp".into(),
        addresses: addresses.iter().map(|one| (*one).to_owned()).collect(),
        site: "berlin".into(),
        is_enabled: true,
        ..TargetSet::default()
    }
}

#[test]
fn a_text_that_only_looks_like_an_address_is_refused_and_says_why() {
    for text in [
        "",
        "192.0.2.300",
        "192.0.2",
        "1.2.3.4.5",
        "192.0.2.0/33",
        "192.0.2.1/24",
        "192.0.2.0/x",
        "192.0.2.20-10",
        "192.0.2.1-2001:db8::1",
        "2001:db8::/129",
        "2001:db8::1/64",
        "a b",
        "-a",
        "a..b",
        "a_b!",
        "$(reboot)",
        "x;y",
        "../../etc/passwd",
        "http://x",
        "\u{1b}[31m",
        &"a".repeat(300),
    ] {
        let refused = set(&[text]).check().expect_err(text);
        assert_eq!(refused.field, "addresses", "{text}");
        assert!(!refused.reason.contains('\u{1b}') && refused.reason.len() < 200, "{refused}");
    }
}

#[test]
fn a_set_is_refused_before_it_is_expanded_when_it_is_too_large() {
    for text in ["::/0", "0.0.0.0/0", "10.0.0.0/8", "2001:db8::/64", "0.0.0.0-255.255.255.255"] {
        assert!(set(&[text]).check().unwrap_err().reason.contains("65536"), "{text}");
    }
    let twice = ["10.1.0.0/16", "10.2.0.0/16"];
    assert!(set(&twice).check().is_err());
    let whole = TargetSet { is_whole: Some(true), ..set(&["10.0.0.0/8", "2001:db8::/32"]) };
    assert_eq!(whole.check().unwrap(), ["10.0.0.0/8", "2001:db8::/32"]);
}

#[test]
fn what_is_excluded_is_not_a_target_and_each_is_one_once() {
    let mut set =
        set(&["192.0.2.0/29", "192.0.2.4-6", "192.0.2.9", "Web1.Example.net.", "web1.example.net"]);
    set.exclusions = vec!["192.0.2.2-3".into(), "192.0.2.9".into()];
    let expected = ["192.0.2.1", "192.0.2.4", "192.0.2.5", "192.0.2.6", "web1.example.net"];
    assert_eq!(set.check().unwrap(), expected);
    set.exclusions = vec!["0.0.0.0/0".into(), "web1.example.net".into()];
    assert_eq!(set.check().unwrap_err().field, "exclusions");
    assert_eq!(parse("192.0.2.0/31").unwrap().to_string(), "192.0.2.0/31");
}

#[test]
fn a_file_of_addresses_may_have_comments_commas_and_blank_lines() {
    let text = "# switches\n192.0.2.1, 192.0.2.2\n\n  web1.example.net # the first\n";
    assert_eq!(entries(text), ["192.0.2.1", "192.0.2.2", "web1.example.net"]);
}

#[test]
fn a_window_that_never_opens_or_is_none_is_refused() {
    for text in [
        "",
        "00:00-00:00",
        "mon",
        "mon 25:00-26:00",
        "mon-fri",
        "fool 01:00-02:00",
        "1:00-2:00",
        "mon 01:00-02:00 x",
        "24:00-25:00",
        "mon-fri 22:00",
        "12:60-13:00",
    ] {
        assert!(Window::parse(text).is_err(), "{text}");
    }
}

#[test]
fn a_window_over_midnight_is_open_on_both_sides_of_it() {
    let windows = [Window::parse("mon-fri 22:00-06:00").unwrap()];
    // 2024-01-05 was a Friday.
    let friday = 1_704_412_800_i64;
    let wait = |seconds: i64| Window::wait(&windows, Timestamp::from_seconds(friday + seconds));
    assert_eq!(wait(21 * 3600), Duration::from_secs(3600));
    assert_eq!(wait(23 * 3600), Duration::ZERO);
    assert_eq!(wait(29 * 3600), Duration::ZERO, "Saturday at five belongs to Friday's window");
    assert_eq!(wait(30 * 3600), Duration::from_secs(64 * 3600), "then Monday evening");
    assert_eq!(Window::wait(&[], Timestamp::EPOCH), Duration::ZERO);
}

#[test]
fn names_paces_and_references_are_held_to_their_bounds() {
    let honest = set(&["192.0.2.1"]);
    assert!(honest.check().is_ok());
    for (field, wrong) in [
        ("name", TargetSet { name: "../x".into(), ..honest.clone() }),
        ("name", TargetSet { name: String::new(), ..honest.clone() }),
        ("collector", TargetSet { collector: "host".into(), ..honest.clone() }),
        ("site", TargetSet { site: "a\nb".into(), ..honest.clone() }),
        ("interval_seconds", TargetSet { interval_seconds: Some(0), ..honest.clone() }),
        ("concurrency", TargetSet { concurrency: Some(0), ..honest.clone() }),
        ("looks_per_minute", TargetSet { looks_per_minute: Some(0), ..honest.clone() }),
        ("port", TargetSet { port: Some(0), ..honest.clone() }),
        ("credentials", TargetSet { credentials: vec!["a".into(); 17], ..honest.clone() }),
    ] {
        assert_eq!(wrong.check().unwrap_err().field, field);
    }
    for text in ["env:", "env:A-B", "file:x", "file:/a/../b", "vault:x#y", "hunter2"] {
        let refused = Reference::parse(text).unwrap_err();
        assert!(!refused.reason.contains("hunter2"), "{refused}");
    }
    assert_eq!(Reference::parse("env:COMMUNITY"), Ok(Reference::Environment("COMMUNITY".into())));
}

#[test]
fn the_same_address_at_two_sites_or_ports_is_two_targets() {
    let one = set(&["192.0.2.1"]);
    let other = TargetSet { site: "paris".into(), ..one.clone() };
    let port = TargetSet { port: Some(1161), ..one.clone() };
    let ids = [&one, &other, &port].map(|set| set.target_id("192.0.2.1"));
    assert_eq!(ids, ["192.0.2.1@berlin", "192.0.2.1@paris", "192.0.2.1#1161@berlin"]);
}

proptest! {
    #[test]
    fn arbitrary_text_is_an_entry_or_refused_and_an_entry_reads_back(text in "[0-9a-z:./-]{0,40}|.{0,40}") {
        if let Ok(entry) = parse(&text) {
            prop_assert_eq!(parse(&entry.to_string()), Ok(entry));
        }
        drop(Window::parse(&text));
        drop(Reference::parse(&text));
    }
}
