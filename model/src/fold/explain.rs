//! Why a value of an attribute wins: what each word counts, and which rule chose among them.
//!
//! Invariant: it is made by the same contest as the fold, so that the explanation is that of the value that is shown.

use super::Statement;
use super::by_policy::Judge;
use super::judge::Word;
use super::ruling::Rulings;
use crate::policy::{Policies, Policy, Strategy};
use crate::{Name, SourceId, Timestamp};
use serde::Serialize;

/// Which rule made the winner.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// A person fixed it.
    Lock,
    /// One source speaks of it.
    Alone,
    /// It flaps: trust alone decides.
    Frozen,
    /// A source that is trusted enough looked, and there is none.
    Absent,
    /// It was put together from several lists.
    Union,
    /// The strategy chose it.
    Strategy(Strategy),
}

/// What one source's word counts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Standing {
    /// Who says it.
    pub source: SourceId,
    /// How much the source is believed, from 0 to 100.
    pub trust: u8,
    /// Half-lives since its last confirmation, measured against the newest one of the item; from one on it is stale.
    pub halvings: u32,
    /// Sources that say the same, itself included.
    pub agreeing: u64,
    /// Trust, freshness and corroboration together, in thousandths of a trust of 1.
    pub score_thousandths: u64,
}

/// Why a value wins.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Explanation<'p> {
    /// Which rule made the winner.
    pub reason: Reason,
    /// The policy of the attribute.
    pub policy: &'p Policy,
    /// The version of all policies.
    pub version: &'p str,
    /// The words of the sources, in the order in which the fold shows them.
    pub words: Vec<Standing>,
    /// When time alone may change the winner: a lock ends, or a word becomes older by a half-life.
    pub turns_at: Option<Timestamp>,
}

/// Why the winning value of an attribute wins; nothing when nobody looked at it.
#[must_use]
pub fn explain<'p>(
    policies: &'p Policies,
    class: &str,
    attribute: &Name,
    statements: &[Statement<'_>],
    rulings: Rulings<'_>,
) -> Option<Explanation<'p>> {
    let judge = Judge::of(policies, class, statements, rulings);
    let contest = judge.contest(attribute);
    let told = judge.told_of(attribute);
    let is_locked = !judge.locked(attribute, contest.policy).is_empty();
    let judged = contest.judge(judge.words(&contest, &told));
    let reason = match judged.words.as_slice() {
        _ if is_locked => Reason::Lock,
        [] => return None,
        [_] => Reason::Alone,
        [first, ..] if first.is_none() && judged.words.iter().any(Word::is_value) => Reason::Absent,
        _ if contest.is_frozen => Reason::Frozen,
        _ if judged.union.is_some() => Reason::Union,
        _ => Reason::Strategy(contest.policy.strategy),
    };
    Some(Explanation {
        reason,
        policy: contest.policy,
        version: policies.version(),
        words: judged.words.iter().map(Word::standing).collect(),
        turns_at: judge.turn(attribute, &told),
    })
}
