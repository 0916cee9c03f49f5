//! Winners that change by time alone: a word grows stale while others are confirmed, or is confirmed again.
//!
//! An item of which several sources speak is folded by when each of them was last confirmed. That is kept, so that the
//! next fold knows exactly what was noted before, however many looks at unchanged scopes lie in between.
//!
//! Invariants: what changed by time is noted once, as of the moment that it follows from; work is bounded by the
//! caller; an item that nobody looks at keeps its winners.
//!
//! Deliberately not here: what freshness is worth (`model::fold`).

use crate::change::{Word, speaking, words_of};
use crate::{Error, Past, Reconciler};
use model::decision::{JudgedRecord, Number, ObservationRecord};
use model::fold::{Rulings, Statement, is_any_stale, next_turn};
use model::{ItemState, Timestamp};
use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

/// How often an item is looked at again that waits for a confirmation: of a source that stays silent for now, or of one
/// whose words are stale.
const LOOK_AGAIN: Duration = Duration::from_secs(600);

/// Observations of an item whose confirmation is kept; of an item that more sources claim, the others count as
/// confirmed when they are.
const KEPT_MAX: usize = 256;

#[derive(Debug)]
struct Judged {
    record: JudgedRecord,
    due: Timestamp,
}

/// By what items were folded the last time, and when they are to be folded again.
#[derive(Debug, Default)]
pub(crate) struct Turns {
    judged: HashMap<Number, Judged>,
    due: BTreeSet<(Timestamp, Number)>,
}

impl Turns {
    /// What was kept; it is looked at as soon as there is time.
    pub(crate) fn know(&mut self, record: JudgedRecord) {
        let due = Timestamp::EPOCH;
        self.due.insert((due, record.item));
        self.judged.insert(record.item, Judged { record, due });
    }

    /// Takes over by what an item was folded now. Gives what is to be written.
    fn set(&mut self, record: JudgedRecord, due: Timestamp) -> Option<JudgedRecord> {
        let item = record.item;
        let before = self.judged.remove(&item);
        if let Some(before) = &before {
            self.due.remove(&(before.due, item));
        }
        let is_known = before.as_ref().is_some_and(|before| before.record == record);
        if record.confirmed.is_empty() {
            return before.map(|_| record);
        }
        self.due.insert((due, item));
        self.judged.insert(item, Judged { record: record.clone(), due });
        Some(record).filter(|_| !is_known)
    }
}

impl Reconciler {
    /// What is said of an item, confirmed as it was when the item was folded the last time.
    pub(crate) fn statements_as_judged<'a>(
        &'a self,
        item: Number,
        records: &'a [ObservationRecord],
    ) -> Vec<Statement<'a>> {
        let Some(judged) = self.turns.judged.get(&item) else { return self.statements(records) };
        let confirmed = &judged.record.confirmed;
        let at = |record: &ObservationRecord| {
            let place = confirmed.binary_search_by_key(&record.number, |(number, _)| *number);
            let kept = place.ok().and_then(|place| confirmed.get(place));
            kept.map_or_else(|| self.confirmed_at(record), |(_, at)| *at)
        };
        self.statements_at(records, at)
    }

    /// By what an item with these observations is folded now, with whether time can change what wins.
    pub(crate) fn judged_now(
        &self,
        item: Number,
        records: &[ObservationRecord],
        (statements, rulings): (&[Statement<'_>], Rulings<'_>),
    ) -> (JudgedRecord, bool) {
        let nothing = JudgedRecord { item, turn: None, confirmed: Vec::new() };
        if statements.len() < 2 {
            return (nothing, false);
        }
        let class = self.index.class_of(item).map_or("", |class| class.as_ref());
        let policies = self.values.live();
        // Locks end by a clock, not by what is confirmed.
        let rulings = Rulings { locks: &[], ..rulings };
        let turn = next_turn(policies, class, statements, rulings);
        let is_stale = is_any_stale(policies, class, statements);
        if turn.is_none() && !is_stale {
            return (nothing, false);
        }
        let speaking = speaking(records).into_iter().take(KEPT_MAX);
        let mut confirmed: Vec<(Number, Timestamp)> =
            speaking.map(|record| (record.number, self.confirmed_at(record))).collect();
        confirmed.sort_unstable();
        (JudgedRecord { item, turn, confirmed }, is_stale)
    }

    /// Keeps by what an item was folded, until time may change what wins.
    pub(crate) fn watch(&mut self, record: JudgedRecord, is_stale: bool) {
        let now = self.decision.recorded_at;
        let again = now.plus(LOOK_AGAIN);
        let due = record.turn.filter(|turn| *turn > now).unwrap_or(again);
        let due = if is_stale { due.min(again) } else { due };
        let written = self.turns.set(record, due);
        self.decision.judged.extend(written);
    }

    /// Folds up to `limit` items again whose winner may have changed by time alone. Gives how many.
    ///
    /// # Errors
    /// When what is stored cannot be read.
    pub fn turn_some(
        &mut self,
        past: &dyn Past,
        now: Timestamp,
        limit: usize,
    ) -> Result<usize, Error> {
        let due = self.turns.due.iter().take_while(|(at, _)| *at <= now).take(limit);
        let due: Vec<Number> = due.map(|(_, item)| *item).collect();
        for item in &due {
            let records = self.records(past, *item)?;
            let is_there =
                self.index.item(*item).is_some_and(|item| item.state != ItemState::Merged);
            if records.is_empty() || !is_there {
                let nothing = JudgedRecord { item: *item, turn: None, confirmed: Vec::new() };
                self.watch(nothing, false);
                continue;
            }
            self.turn(*item, &records);
        }
        Ok(due.len())
    }

    fn turn(&mut self, item: Number, records: &[ObservationRecord]) {
        let turn = self.turns.judged.get(&item).and_then(|judged| judged.record.turn);
        let newest = records.iter().map(|record| self.confirmed_at(record)).max();
        // The moment follows from what was confirmed, however late this comes.
        let turned = turn.filter(|turn| newest.is_some_and(|newest| newest >= *turn));
        let at = turned.unwrap_or(self.decision.recorded_at);
        let source = speaking(records).first().map_or(0, |record| record.source);
        let changes = self.decision.changes.len();
        let title = self.note_differences(Word { item, source, at }, records, records);
        if title.is_some() || self.decision.changes.len() > changes {
            let words = records.iter().map(|record| words_of(&record.seen)).collect();
            self.write_item(item, title, words, None);
        }
    }
}
