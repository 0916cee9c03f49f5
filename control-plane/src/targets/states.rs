//! How targets fare, as their agents last said. In memory: after a restart the agents say it again.

use model::{Coverage, Timestamp};
use proto::{convert, v1};

/// Letters of a state's words that are kept.
const LETTERS_MAX: usize = 400;

/// How a target fares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TargetState {
    /// `waiting`, `running`, `done`, `paused`, or a word of a newer agent.
    pub state: String,
    /// When it was last looked at.
    pub looked_at: Option<Timestamp>,
    /// How completely it was seen.
    pub coverage: Option<Coverage>,
    /// How many things it holds.
    pub seen_count: u64,
    /// The credential that was accepted.
    pub credential: String,
    /// When it is looked at next.
    pub next_look: Option<Timestamp>,
    /// What is being looked at.
    pub at: String,
    /// How many steps are done.
    pub done: u64,
    /// Of how many; 0 when that is not known.
    pub total: u64,
    /// How long the last look took.
    pub millis: u64,
}

fn bounded(text: &str) -> String {
    text.chars().filter(|letter| !letter.is_control()).take(LETTERS_MAX).collect()
}

impl TargetState {
    pub(super) fn of(wire: v1::TargetState) -> Self {
        let moment = |millis: i64| (millis > 0).then(|| Timestamp::from_millis(millis));
        // A coverage that a newer agent words differently is as good as none.
        let coverage = wire.coverage.and_then(|wire| convert::coverage_from(Some(wire)).ok());
        Self {
            state: bounded(&wire.state),
            looked_at: moment(wire.looked_at),
            coverage: coverage
                .map(|coverage| Coverage { detail: bounded(&coverage.detail), ..coverage }),
            seen_count: wire.seen_count,
            credential: bounded(&wire.credential),
            next_look: moment(wire.next_look),
            at: bounded(&wire.at),
            done: wire.done,
            total: wire.total,
            millis: wire.millis,
        }
    }
}
