//! The planning of looks. Real looks are tested with the process.

use super::Slot;
use crate::config::ScopeConfig;
use crate::delta::Header;
use collector::ScopeDeclaration;
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
    assert!(slot.next_due - now < Duration::from_secs(50), "{:?}", slot.next_due - now);
    assert_eq!(slot.interval, Duration::from_secs(45));
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
    assert!(!slot.is_due(now + 79 * SECOND));
    assert!(slot.is_due(now + 80 * SECOND));
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
