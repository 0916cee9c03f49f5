//! What the deciding thread keeps beside the reconciler: spool positions, runs in progress, scopes to ask for.

use model::{AgentId, RunId, Timestamp};
use std::collections::{HashMap, HashSet};
use std::time::Duration;

/// How long after asking for a whole scope it is asked for again.
const ASK_AGAIN: Duration = Duration::from_secs(60);

/// The longest time between two such questions: when asking does not help, something has to be mended first.
const ASK_AGAIN_MAX: Duration = Duration::from_secs(3600);

/// A full run whose parts are coming in.
#[derive(Clone, Copy, Debug)]
pub(super) struct Run {
    id: RunId,
    next_part: u32,
    /// Carried by everything that the run listed.
    pub(super) mark: u32,
    /// Whether every part so far came, in order.
    pub(super) is_intact: bool,
}

#[derive(Clone, Copy, Debug)]
struct Asked {
    at: Timestamp,
    wait: Duration,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) committed: HashMap<(AgentId, u64, u32), u64>,
    runs: HashMap<u32, Run>,
    last_mark: u32,
    asked: HashMap<u32, Asked>,
    /// Scopes that something of was lost; they are sure again when digests agree.
    pub(super) unsure: HashSet<u32>,
}

/// What is wrong with the sequences of a batch.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Broken {
    pub(super) expected: u64,
    pub(super) found: u64,
}

impl State {
    /// Checks that the entries, as (first, last) sequences, go on where the chain of `key` ends. Repetitions are
    /// allowed; holes are not, except before the first entry of an epoch that is not known yet.
    pub(super) fn check(
        &self,
        key: (AgentId, u64, u32),
        entries: impl Iterator<Item = (u64, u64)>,
    ) -> Result<(), Broken> {
        let mut last = self.committed.get(&key).copied();
        for (first, through) in entries {
            let expected = last.map_or(first, |last| last.saturating_add(1));
            if first > expected {
                return Err(Broken { expected, found: first });
            }
            last = Some(last.unwrap_or(0).max(through));
        }
        Ok(())
    }

    /// The run that a part of a report belongs to.
    pub(super) fn run(&mut self, scope: u32, id: RunId, part: u32, is_last: bool) -> Run {
        let known = self.runs.get(&scope).copied().filter(|run| run.id == id && part != 0);
        let mut run = known.unwrap_or_else(|| {
            // 0 is the mark of what no run listed yet.
            self.last_mark = self.last_mark.checked_add(1).unwrap_or(1);
            Run { id, next_part: 0, mark: self.last_mark, is_intact: true }
        });
        run.is_intact &= part == run.next_part;
        run.next_part = part.saturating_add(1);
        if is_last {
            self.runs.remove(&scope);
        } else {
            self.runs.insert(scope, run);
        }
        run
    }

    /// Whether to ask now for a whole scope; each time that it did not help, the next time is later.
    pub(super) fn may_ask(&mut self, scope: u32, now: Timestamp) -> bool {
        match self.asked.get_mut(&scope) {
            Some(asked) if now.since(asked.at) < asked.wait => false,
            Some(asked) => {
                asked.at = now;
                asked.wait = asked.wait.saturating_mul(2).min(ASK_AGAIN_MAX);
                true
            }
            None => {
                self.asked.insert(scope, Asked { at: now, wait: ASK_AGAIN });
                true
            }
        }
    }

    /// The digests of a scope agree.
    pub(super) fn agreed(&mut self, scope: u32) {
        self.asked.remove(&scope);
        self.unsure.remove(&scope);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> (AgentId, u64, u32) {
        (AgentId::from_bytes([1; 16]), 7, 1)
    }

    #[test]
    fn a_hole_in_a_chain_is_found_and_a_repetition_is_not() {
        let mut state = State::default();
        state.committed.insert(key(), 5);
        let check = |entries: &[(u64, u64)]| state.check(key(), entries.iter().copied());
        assert_eq!(check(&[(7, 7)]), Err(Broken { expected: 6, found: 7 }));
        assert_eq!(check(&[(6, 6), (8, 8)]), Err(Broken { expected: 7, found: 8 }));
        assert_eq!(check(&[(4, 4), (5, 5), (6, 6)]), Ok(()));
        assert_eq!(check(&[(6, 20), (21, 21)]), Ok(()));
    }

    #[test]
    fn a_new_epoch_begins_where_it_begins() {
        let state = State::default();
        assert_eq!(state.check(key(), [(40, 40), (41, 41)].into_iter()), Ok(()));
        assert!(state.check(key(), [(40, 40), (42, 42)].into_iter()).is_err());
    }

    #[test]
    fn a_run_with_a_missing_part_is_not_intact() {
        let mut state = State::default();
        let id = RunId::from_bytes([1; 16]);
        assert!(state.run(1, id, 0, false).is_intact);
        assert!(!state.run(1, id, 2, true).is_intact);
        assert!(!state.run(1, id, 1, true).is_intact, "a part without its first ones");
        assert!(state.run(1, id, 0, true).is_intact);
    }

    #[test]
    fn asking_for_a_whole_scope_backs_off_until_it_helps() {
        let mut state = State::default();
        let at = |seconds| Timestamp::from_seconds(seconds);
        assert!(state.may_ask(1, at(0)));
        assert!(!state.may_ask(1, at(59)));
        assert!(state.may_ask(1, at(60)));
        assert!(!state.may_ask(1, at(150)));
        state.agreed(1);
        assert!(state.may_ask(1, at(151)));
    }
}
