//! Absence and the passing of time: from active to missing, stale and retired, and back.
//!
//! Parts are retired by the first complete look without them, items of their own only after a while. A look that
//! would take a fifth and more than ten of the independent items of its scope is held for a person.

use crate::change::Word;
use crate::{Error, Past, Reconciler};
use model::catalog::Life;
use model::decision::{Number, ObservationWrite};
use model::{ItemState, Timestamp};

/// More than this many independent items have to be gone before a disappearance is held.
const HELD_ITEMS_MIN: u64 = 10;

/// One in this many of the independent items of a scope.
const HELD_SHARE: u64 = 5;

impl Reconciler {
    /// The native keys of a scope that are there but do not carry `mark`: what a full run did not list.
    pub fn unmarked(&mut self, scope: Number, mark: u32) -> Vec<u64> {
        let Some(state) = self.index.scopes.get_mut(&scope) else { return Vec::new() };
        let members = std::mem::take(&mut state.members);
        let mut kept = Vec::with_capacity(members.len());
        let mut found = Vec::new();
        for native in members {
            let known = self.index.natives.get_mut(&native);
            let Some(slot) = known.and_then(|known| known.slot_mut(scope)) else { continue };
            if slot.is_present {
                kept.push(native);
                if slot.mark != mark {
                    found.push(native);
                }
            } else {
                slot.is_listed = false;
            }
        }
        if let Some(state) = self.index.scopes.get_mut(&scope) {
            state.members = kept;
        }
        found
    }

    /// Takes things out of a scope that was seen completely without them, all or none: too many at once are held,
    /// which is noted and answered with `false`.
    ///
    /// # Errors
    /// When what is stored cannot be read.
    pub fn disappear_all(
        &mut self,
        past: &dyn Past,
        scope: Number,
        natives: &[u64],
        at: Timestamp,
    ) -> Result<bool, Error> {
        let gone = natives.iter().filter(|native| self.is_independent_in(scope, **native));
        let gone = u64::try_from(gone.count()).unwrap_or(u64::MAX);
        let of = self.index.scopes.get(&scope).map_or(0, |state| state.independent);
        if gone > HELD_ITEMS_MIN && gone.saturating_mul(HELD_SHARE) > of {
            self.hold(natives, (scope, at), (gone, of));
            return Ok(false);
        }
        for native in natives {
            self.disappear(past, *native, scope, at)?;
        }
        Ok(true)
    }

    /// Takes one thing out of a scope.
    pub(crate) fn disappear(
        &mut self,
        past: &dyn Past,
        native: u64,
        scope: Number,
        at: Timestamp,
    ) -> Result<(), Error> {
        let Some(known) = self.index.natives.get(&native) else { return Ok(()) };
        let item = known.item;
        let Some(slot) = known.slot(scope).copied().filter(|slot| slot.is_present) else {
            return Ok(());
        };
        self.index.touched.insert(scope);
        self.index.set_present(native, scope, false);
        if item == 0 {
            if let Some(mut record) = self.connections.take_orphan(slot.number) {
                record.absent_at = Some(at);
                self.decision.observations.push(ObservationWrite::Moved(record.clone()));
                self.adopt_later(record);
            }
            return Ok(());
        }
        let before = self.records(past, item)?;
        let mut after = before.clone();
        let seen_at = self.index.scopes.get(&scope).and_then(|state| state.complete_at);
        let Some(record) = after.iter_mut().find(|record| record.number == slot.number) else {
            return Err(Error::Past(format!("observation {} has no body", slot.number).into()));
        };
        self.note_network(record, false);
        record.absent_at = Some(at);
        record.seen_at =
            record.seen_at.max(seen_at.filter(|seen| *seen < at).unwrap_or(record.seen_at));
        let record = record.clone();
        self.decision.observations.push(ObservationWrite::Moved(record.clone()));
        for relation in &record.seen.relations {
            self.end_relation(past, &record, relation, at)?;
        }
        let word = self.word_of(&record, at);
        let changes = self.decision.changes.len();
        let title = self.note_differences(word, &before, &after);
        self.remember(item, after);
        if title.is_some() || self.decision.changes.len() > changes {
            self.write_item(item, title, String::new(), None);
        }
        if self.index.item(item).is_some_and(|item| item.present == 0) {
            let life = self.life_of(item);
            let is_gone = life.stale_after.is_zero() && life.retire_after.is_zero();
            self.set_state(word, if is_gone { ItemState::Retired } else { ItemState::Missing });
        }
        Ok(())
    }

    fn life_of(&self, item: Number) -> Life {
        let class = self.index.class_of(item).and_then(|class| self.catalog.class(class));
        let is_part = self.index.item(item).is_some_and(|item| item.parent != 0);
        class.map_or(if is_part { Life::PART } else { Life::INDEPENDENT }, |class| class.life)
    }

    /// Moves what has been missing or stale for long enough; at most `limit` items, so that a decision stays small.
    /// Gives how many moved.
    ///
    /// # Errors
    /// When what is stored cannot be read.
    pub fn sweep(&mut self, past: &dyn Past, now: Timestamp, limit: usize) -> Result<usize, Error> {
        let waning: Vec<Number> = self.index.waning.iter().copied().collect();
        let mut moved = 0_usize;
        for item in waning {
            if moved >= limit {
                break;
            }
            let Some(slot) = self.index.item(item).copied() else { continue };
            let life = self.life_of(item);
            let (after, next) = match slot.state {
                ItemState::Missing => (life.stale_after, ItemState::Stale),
                ItemState::Stale => (life.retire_after, ItemState::Retired),
                ItemState::Active | ItemState::Retired | ItemState::Merged => continue,
            };
            // The moment follows from the item alone, however late the sweep comes.
            let due = slot.state_since.plus(after);
            if due > now {
                continue;
            }
            let source = self.records(past, item)?.first().map_or(0, |record| record.source);
            self.set_state(Word { item, source, at: due }, next);
            moved = moved.saturating_add(1);
            if next == ItemState::Retired {
                moved = moved.saturating_add(self.retire_parts(past, item, due)?);
            }
        }
        Ok(moved)
    }

    /// What is a part of something that is gone is gone too.
    pub(crate) fn retire_parts(
        &mut self,
        past: &dyn Past,
        item: Number,
        at: Timestamp,
    ) -> Result<usize, Error> {
        let mut waiting = vec![item];
        let mut retired = 0_usize;
        while let Some(item) = waiting.pop() {
            for part in self.index.children(item) {
                let Some(slot) = self.index.item(part).copied() else { continue };
                if matches!(slot.state, ItemState::Retired | ItemState::Merged) {
                    continue;
                }
                let source = self.records(past, part)?.first().map_or(0, |record| record.source);
                self.set_state(Word { item: part, source, at }, ItemState::Retired);
                retired = retired.saturating_add(1);
                waiting.push(part);
            }
        }
        Ok(retired)
    }
}
