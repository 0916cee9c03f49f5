//! The difference against a model of the receiver, over random sequences of looks.

use super::*;
use model::classes::package;
use proptest::prelude::*;
use std::collections::BTreeMap;

/// What a receiver knows of a scope: native key to content.
#[derive(Clone, Debug, Default, PartialEq)]
struct Receiver {
    held: BTreeMap<String, ContentHash>,
    digest: ScopeDigest,
    coverage: Option<v1::Coverage>,
}

impl Receiver {
    fn apply(&mut self, parts: &[Vec<u8>]) {
        let mut listed = Vec::new();
        for (index, part) in parts.iter().enumerate() {
            assert!(part.len() <= 512 * 1024, "{} bytes", part.len());
            let record = v1::Record::decode(part.as_slice()).unwrap();
            let Some(v1::record::Content::Report(report)) = record.content else { panic!() };
            assert_eq!(usize::try_from(report.part), Ok(index));
            assert_eq!(report.is_last, index + 1 == parts.len());
            for seen in report.observations {
                let hash = ContentHash::of(&seen.class, &seen.native_key, &seen.body);
                listed.push(seen.native_key.clone());
                self.held.insert(seen.native_key, hash);
            }
            let coverage = report.coverage.unwrap();
            assert!(
                report.removed.is_empty() || (coverage.status == "complete" && !report.is_full)
            );
            for removed in report.removed {
                assert!(self.held.remove(&removed.native_key).is_some(), "removed but never seen");
            }
            if report.is_last {
                if report.is_full && coverage.status == "complete" {
                    self.held.retain(|key, _| listed.contains(key));
                }
                self.digest = convert::digest_from(&report.digest).unwrap();
                assert_eq!(usize::try_from(report.seen_count), Ok(self.held.len()));
            }
            self.coverage = Some(coverage);
        }
        let mut digest = ScopeDigest::default();
        self.held.values().for_each(|hash| digest.add(*hash));
        assert_eq!(self.digest, digest, "the digest is that of what is held");
    }
}

fn question(is_full: bool, with_readings: bool) -> Question {
    Question {
        source: SourceId { collector: "host".into(), target: "a".into() },
        scope: "packages.dpkg".into(),
        run: RunId::from_bytes([1; 16]),
        started_at: Timestamp::EPOCH,
        is_full,
        with_readings,
    }
}

fn observation(key: u8, version: u8) -> Observation {
    Observation::part(&package::CLASS, "host", &["dpkg", &format!("p{key}"), "amd64"])
        .with(&package::VERSION, format!("1.{version}"))
}

/// One look at a scope: what is seen, how completely, and whether all is wanted.
#[derive(Clone, Debug)]
struct Look {
    seen: Vec<(u8, u8)>,
    coverage: u8,
    is_full: bool,
}

fn looks() -> impl Strategy<Value = Vec<Look>> {
    let look = (
        proptest::collection::vec((0_u8..12, 0_u8..3), 0..14),
        prop_oneof![4 => Just(0_u8), 1 => Just(1_u8), 1 => Just(2_u8)],
        proptest::bool::weighted(0.1),
    );
    let look = look.prop_map(|(seen, coverage, is_full)| Look { seen, coverage, is_full });
    proptest::collection::vec(look, 1..12)
}

fn coverage(kind: u8) -> Coverage {
    match kind {
        0 => Coverage::complete(),
        1 => Coverage::partial(CoverageReason::TimedOut, "half"),
        _ => Coverage::not_looked_at(CoverageReason::PermissionDenied, "no right"),
    }
}

fn take(look: &Look, base: Option<ScopeState>) -> Difference {
    let mut comparison = Comparison::new(question(look.is_full, false), base);
    for (key, version) in &look.seen {
        comparison.saw(observation(*key, *version));
    }
    comparison.finish(coverage(look.coverage), Timestamp::EPOCH)
}

proptest! {
    #[test]
    fn a_receiver_that_applies_the_parts_holds_what_the_agent_holds(looks in looks()) {
        let mut receiver = Receiver::default();
        let mut base: Option<ScopeState> = None;
        for look in &looks {
            if look.is_full {
                // The control plane has lost the scope; that is why it asks.
                receiver = Receiver::default();
            }
            let difference = take(look, base);
            receiver.apply(&difference.parts);
            let held: BTreeMap<String, ContentHash> =
                difference.state.held.iter().map(|(key, held)| (key.clone(), held.hash)).collect();
            prop_assert_eq!(&receiver.held, &held);
            prop_assert_eq!(receiver.digest, difference.state.header.digest);
            prop_assert_eq!(receiver.coverage.clone(), difference.state.header.coverage.as_ref().map(convert::coverage_to));
            // What follows starts from what a restarted agent reads back.
            base = Some(ScopeState::from_bytes(&difference.state.to_bytes()).unwrap());
        }
    }

    #[test]
    fn the_same_look_twice_says_nothing(look in looks()) {
        let look = Look { is_full: false, ..look[0].clone() };
        let first = take(&look, None);
        let second = take(&look, Some(first.state));
        prop_assert!(second.parts.is_empty());
        let third = take(&look, Some(second.state));
        prop_assert!(third.parts.is_empty());
    }

    #[test]
    fn arbitrary_bytes_are_no_state(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        prop_assert_eq!(ScopeState::from_bytes(&bytes), Err(Corrupt));
        prop_assert_eq!(Header::from_bytes(&bytes), Err(Corrupt));
    }
}

#[test]
fn a_flipped_bit_makes_a_state_unusable() {
    let look = Look { seen: vec![(1, 1), (2, 2)], coverage: 0, is_full: false };
    let bytes = take(&look, None).state.to_bytes();
    assert!(ScopeState::from_bytes(&bytes).is_ok());
    for index in 0..bytes.len() {
        let mut bad = bytes.clone();
        bad[index] ^= 1;
        assert_eq!(ScopeState::from_bytes(&bad), Err(Corrupt), "at {index}");
    }
    assert_eq!(ScopeState::from_bytes(&bytes[..bytes.len() - 1]), Err(Corrupt));
}

#[test]
fn what_cannot_be_sent_makes_a_complete_look_partial_and_removes_nothing() {
    let look = Look { seen: vec![(1, 1), (2, 1)], coverage: 0, is_full: false };
    let base = take(&look, None).state;
    let mut comparison = Comparison::new(question(false, false), Some(base));
    let mut huge = observation(1, 2);
    huge.facts.insert("version".into(), model::Value::Text("x".repeat(70_000)));
    comparison.saw(huge);
    let difference = comparison.finish(Coverage::complete(), Timestamp::EPOCH);
    let coverage = difference.state.header.coverage.unwrap();
    assert_eq!(coverage.status, CoverageStatus::Partial);
    assert!(coverage.detail.contains("host/package/dpkg/p1/amd64"), "{}", coverage.detail);
    assert_eq!((difference.removed_count, difference.state.held.len()), (0, 2));
}

#[test]
fn a_large_scope_comes_in_parts_of_bounded_size() {
    let mut comparison = Comparison::new(question(false, false), None);
    for number in 0..20_000 {
        let name = format!("package-with-a-long-name-{number}");
        let seen = Observation::part(&package::CLASS, "host", &["dpkg", &name, "amd64"]);
        comparison.saw(seen.with(&package::VERSION, "1.0"));
    }
    let difference = comparison.finish(Coverage::complete(), Timestamp::EPOCH);
    assert!(difference.parts.len() > 4, "{}", difference.parts.len());
    let mut receiver = Receiver::default();
    receiver.apply(&difference.parts);
    assert_eq!(receiver.held.len(), 20_000);
}

#[test]
fn readings_of_unchanged_things_are_sent_when_they_are_due() {
    let seen = || {
        let mut seen = observation(1, 1);
        seen.readings.insert("size_bytes".into(), model::Value::Integer(7));
        seen
    };
    let mut comparison = Comparison::new(question(false, true), None);
    comparison.saw(seen());
    let first = comparison.finish(Coverage::complete(), Timestamp::EPOCH);
    assert!(first.readings.is_empty(), "they came with the observation");
    let mut comparison = Comparison::new(question(false, true), Some(first.state));
    comparison.saw(seen());
    let second = comparison.finish(Coverage::complete(), Timestamp::EPOCH);
    assert!(second.parts.is_empty());
    let record = v1::Record::decode(second.readings[0].as_slice()).unwrap();
    let Some(v1::record::Content::Readings(report)) = record.content else { panic!() };
    assert_eq!(report.items.len(), 1);
}
