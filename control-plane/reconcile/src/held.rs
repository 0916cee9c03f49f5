//! Held disappearances: what a look missed so much of at once that a person decides.
//!
//! Invariants: what was held is what is retired, nothing else: whatever was seen again since stays. A later complete
//! look has the last word, so a person's word about an older one is refused.
//!
//! Deliberately not here: what makes a disappearance too large (`life`), and who may decide.

use crate::change::Word;
use crate::{Error, Past, Reconciler};
use model::decision::{HeldRecord, Number, SettledRecord};
use model::{ItemState, Timestamp};

/// Why nothing was done about a held disappearance.
#[derive(Debug, thiserror::Error)]
pub enum HeldError {
    /// The scope was seen completely since.
    #[error("a later look has settled this; look again at what is held now")]
    Settled,
    /// What is stored could not be read.
    #[error(transparent)]
    Past(#[from] Error),
}

/// How far an approval came.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Approved {
    /// Items of their own that were retired now.
    pub retired: usize,
    /// Sightings that are still to be taken out, with later decisions.
    pub left: usize,
}

impl Reconciler {
    /// Whether a scope holds this now as an item of its own.
    pub(crate) fn is_independent_in(&self, scope: Number, native: u64) -> bool {
        let known = self.index.natives.get(&native);
        let is_there =
            known.and_then(|known| known.slot(scope)).is_some_and(|slot| slot.is_present);
        let item = known.and_then(|known| self.index.item(known.item));
        is_there && item.is_some_and(|item| item.parent == 0)
    }

    /// Notes what would have gone, for a person.
    pub(crate) fn hold(
        &mut self,
        natives: &[u64],
        (scope, at): (Number, Timestamp),
        (count, of): (u64, u64),
    ) {
        let (mut held, parts): (Vec<u64>, Vec<u64>) =
            natives.iter().partition(|native| self.is_independent_in(scope, **native));
        held.extend(parts);
        for native in &held {
            let known = self.index.natives.get_mut(native);
            if let Some(slot) = known.and_then(|known| known.slot_mut(scope)) {
                // As after a restart: whatever carries a mark later on was seen again.
                slot.mark = 0;
            }
        }
        self.decision.held.retain(|earlier| earlier.scope != scope);
        self.decision.held.push(HeldRecord { scope, at, count, of, natives: held });
    }

    /// Lets happen what was held, for at most `limit` sightings, so that a decision stays small. What no other source
    /// sees is retired at once; it keeps its id for the day on which it comes back.
    ///
    /// # Errors
    /// See [`HeldError`].
    pub fn approve_held(
        &mut self,
        past: &dyn Past,
        held: &HeldRecord,
        limit: usize,
        said_by: &str,
    ) -> Result<Approved, HeldError> {
        self.is_open(held.scope, held.at)?;
        let waits = |native: &&u64| {
            let known = self.index.natives.get(native);
            let slot = known.and_then(|known| known.slot(held.scope));
            slot.is_some_and(|slot| slot.is_present && slot.mark == 0)
        };
        let mut waiting: Vec<u64> = held.natives.iter().filter(waits).copied().collect();
        let left = waiting.len().saturating_sub(limit);
        waiting.truncate(limit);
        let mut approved = Approved { retired: 0, left };
        for native in waiting {
            let item = self.index.item_of_sighting(native);
            self.disappear(past, native, held.scope, held.at)?;
            approved.retired = approved.retired.saturating_add(self.retire_unseen(past, item)?);
        }
        if left == 0 {
            self.settle_held(held.scope, held.at, true, said_by);
        }
        Ok(approved)
    }

    /// Retires an item that nobody sees any more, with its parts. Gives 1 for an item of its own.
    fn retire_unseen(&mut self, past: &dyn Past, item: Number) -> Result<usize, Error> {
        let Some(slot) = self.index.item(item).copied() else { return Ok(0) };
        if slot.present > 0 || matches!(slot.state, ItemState::Retired | ItemState::Merged) {
            return Ok(0);
        }
        let at = self.decision.recorded_at;
        let source = self.records(past, item)?.first().map_or(0, |record| record.source);
        self.set_state(Word { item, source, at }, ItemState::Retired);
        self.retire_parts(past, item, at)?;
        Ok(usize::from(slot.parent == 0))
    }

    /// Leaves everything as it is until the next complete look, which is judged anew.
    ///
    /// # Errors
    /// [`HeldError::Settled`].
    pub fn dismiss_held(
        &mut self,
        scope: Number,
        at: Timestamp,
        said_by: &str,
    ) -> Result<(), HeldError> {
        self.is_open(scope, at)?;
        self.settle_held(scope, at, false, said_by);
        Ok(())
    }

    /// A hold is open as long as no later look saw the scope completely.
    fn is_open(&self, scope: Number, at: Timestamp) -> Result<(), HeldError> {
        let state = self.index.scopes.get(&scope).ok_or(HeldError::Settled)?;
        if state.complete_at.is_some_and(|complete| complete > at) {
            return Err(HeldError::Settled);
        }
        Ok(())
    }

    fn settle_held(&mut self, scope: Number, at: Timestamp, is_approved: bool, said_by: &str) {
        let said_by = said_by.to_owned();
        self.decision.held_settled.push(SettledRecord { scope, at, is_approved, said_by });
    }
}
