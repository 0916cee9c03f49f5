//! The planning of looks, and what becomes of a child that does not do its work. Good looks are tested with the
//! process.

use super::{Schedule, Slot, Surroundings};
use crate::board::{About, Board};
use crate::child::Program;
use crate::config::{Config, ScopeConfig};
use crate::delta::Header;
use collector::{Collector, ScopeDeclaration, Target};
use collector_host::HostCollector;
use environment::{Clock, Randomness, RealDisk, SystemClock, SystemRandomness};
use proto::{Message, v1};
use spool::{Entry, Options, Priority, Spool};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

const fn declaration(is_volatile: bool, seconds: u64) -> ScopeDeclaration {
    ScopeDeclaration {
        name: "x",
        summary: "An example.",
        classes: &[],
        interval: Duration::from_secs(seconds),
        time_limit: Duration::from_secs(10),
        is_volatile,
    }
}

static QUIET: ScopeDeclaration = declaration(false, 100);
static VOLATILE: ScopeDeclaration = declaration(true, 20);
const SECOND: Duration = Duration::from_secs(1);

fn slot(now: Instant) -> Slot {
    Slot::new(&QUIET, ScopeConfig::default(), now, Some(Header::default()), 0)
}

#[test]
fn a_volatile_scope_is_fresh_within_a_minute_and_not_looked_at_more_often_than_needed() {
    let now = Instant::now();
    let mut slot = Slot::new(&VOLATILE, ScopeConfig::default(), now, None, 0);
    slot.plan(now, None, u16::MAX);
    assert!(slot.next_due - now <= Duration::from_secs(55), "{:?}", slot.next_due - now);
    assert_eq!(slot.interval, Duration::from_secs(50));
    let config = ScopeConfig { interval: Some(5 * SECOND), ..ScopeConfig::default() };
    assert_eq!(Slot::new(&VOLATILE, config, now, None, 0).interval, 5 * SECOND);
}

#[test]
fn intervals_vary_by_a_tenth_to_each_side() {
    let now = Instant::now();
    let mut slot = slot(now);
    slot.plan(now, None, 0);
    assert_eq!(slot.next_due - now, 90 * SECOND);
    slot.plan(now, None, u16::MAX);
    assert!((109 * SECOND..=110 * SECOND).contains(&(slot.next_due - now)));
}

#[test]
fn a_scope_that_is_soon_due_comes_along_with_others() {
    let now = Instant::now();
    let mut slot = slot(now);
    slot.plan(now, None, 0);
    assert!(!slot.is_due(now + 69 * SECOND));
    assert!(slot.is_due(now + 70 * SECOND));
}

#[test]
fn news_bring_a_look_forward_but_never_faster_than_its_cost_allows() {
    let now = Instant::now();
    let mut slot = slot(now);
    slot.plan(now, Some(Duration::from_millis(500)), 0);
    slot.notice(now + SECOND);
    assert!(slot.is_forced);
    assert_eq!(slot.next_due - now, 10 * SECOND, "twenty times the cost");
    slot.notice(now + 2 * SECOND);
    assert_eq!(slot.next_due - now, 10 * SECOND, "later news do not put it off");
    slot.plan(now, Some(Duration::from_millis(1)), 0);
    slot.notice(now + SECOND);
    assert_eq!(slot.next_due - now, SECOND);
    slot.plan(now, Some(60 * SECOND), 0);
    slot.notice(now + SECOND);
    assert_eq!(slot.next_due - now, 30 * SECOND, "even a costly look is made within half a minute");
}

#[test]
fn a_control_plane_that_asks_again_and_again_is_answered_ever_more_slowly() {
    let now = Instant::now();
    let mut slot = slot(now);
    let mut at = now;
    let mut pauses = Vec::new();
    for _ in 0..12 {
        slot.want_full(at);
        assert!(slot.is_full && slot.header.is_none());
        pauses.push(slot.next_due - at);
        at = slot.next_due + Duration::from_millis(10);
        slot.done();
    }
    assert_eq!(pauses[0], Duration::ZERO);
    assert!(pauses[1] > 4 * SECOND && pauses[1] <= 5 * SECOND);
    assert!(pauses[11] > 1000 * SECOND && pauses[11] <= 3600 * SECOND, "{pauses:?}");
    slot.want_full(at + Duration::from_secs(7200));
    assert_eq!(
        slot.next_due,
        at + Duration::from_secs(7200),
        "a request of another day is answered at once"
    );
}

#[test]
fn a_look_that_hung_is_not_repeated_at_once() {
    let now = Instant::now();
    let mut slot = slot(now);
    slot.is_forced = true;
    slot.hung(now);
    assert!(!slot.is_due(now + 50 * SECOND));
}

/// A schedule of the scopes `units` and `jobs`, whose child is a shell with this script.
fn schedule(directory: &Path, script: &str) -> Schedule {
    let mut text = String::new();
    for scope in HostCollector.manifest().scopes {
        let is_wanted = scope.name == "units" || scope.name == "jobs";
        text.push_str(&format!("[collectors.host.scopes.\"{}\"]\n", scope.name));
        text.push_str(&format!("enabled = {is_wanted}\ntime_limit_seconds = 1\n"));
    }
    let options = Options::new(directory.join("spool"));
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let randomness: Arc<dyn Randomness> = Arc::new(SystemRandomness);
    let disk = Arc::new(RealDisk);
    let spool = Spool::open(options, disk, Arc::clone(&clock), Arc::clone(&randomness)).unwrap();
    Schedule::new(Surroundings {
        collector: &HostCollector,
        target: Target {
            id: "a".into(),
            site: String::new(),
            root: directory.join("root"),
            remote: None,
        },
        state: directory.to_owned(),
        context: String::new(),
        spool,
        board: Board::new(About::default()),
        clock,
        randomness,
        config: Arc::new(Config::parse(Path::new("agent.toml"), &text).unwrap()),
        program: Program {
            path: "/bin/sh".into(),
            arguments: vec!["-c".into(), script.to_owned()],
        },
    })
}

/// What was reported: scope, status, reason.
fn reported(schedule: &Schedule) -> Vec<(String, String, String)> {
    let entries = schedule.around.spool.read(Priority::Inventory, 0, 100, 1 << 20).unwrap();
    let reports = entries.into_iter().map(|entry| {
        let Entry::Record { payload, .. } = entry else { panic!("a gap") };
        let record = v1::Record::decode(payload).unwrap();
        let Some(v1::record::Content::Report(report)) = record.content else { panic!() };
        let coverage = report.coverage.unwrap();
        (report.scope.unwrap().scope, coverage.status, coverage.reason)
    });
    reports.collect()
}

#[tokio::test]
async fn a_child_that_hangs_is_ended_and_its_scope_is_reported_as_not_looked_at() {
    let directory = tempfile::tempdir().unwrap();
    let script = r"cat > /dev/null; printf 'S\005\000\000\000units'; exec sleep 60";
    let mut schedule = schedule(directory.path(), script);
    schedule.look_at_due().await;
    let expected =
        |scope: &str| (scope.to_owned(), "not_looked_at".to_owned(), "timed_out".to_owned());
    assert_eq!(reported(&schedule), [expected("units"), expected("jobs")]);
    schedule.look_at_due().await;
    assert_eq!(reported(&schedule).len(), 2, "it is not tried again at once, nor reported twice");
}

#[tokio::test]
async fn a_child_that_dies_or_speaks_nonsense_costs_its_scopes_one_look() {
    for script in ["exit 3", "cat", "printf 'P\\377\\377\\377\\377'", "printf 'Szz'"] {
        let directory = tempfile::tempdir().unwrap();
        let mut schedule = schedule(directory.path(), script);
        schedule.look_at_due().await;
        let reported = reported(&schedule);
        let scopes: Vec<_> = reported.iter().map(|(scope, ..)| scope.as_str()).collect();
        assert_eq!(scopes, ["units", "jobs"], "{script}");
        assert!(reported.iter().all(|(_, status, _)| status == "not_looked_at"), "{reported:?}");
        assert!(!directory.path().join("scopes/host.units.new").exists(), "{script}");
    }
}
