//! When to look at what: every scope on its own interval with jitter, at once when something is known to have
//! changed, whole when the control plane asks for it.
//!
//! Invariants: a scope whose guard did not change is not looked at, it is confirmed; no look is repeated faster than
//! its cost allows; what a look found becomes the new base only after the spool accepted all of it; a look that hangs
//! is ended or left behind and costs nobody else anything.
//!
//! Deliberately not here: the looks themselves (`look`, `child`) and sending (`uplink`).

mod slot;
mod work;

pub use slot::Slot;

use crate::board::{Board, Known};
use crate::child::Program;
use crate::config::Config;
use crate::look::{ScopeFiles, Summary};
use crate::report::chain;
use crate::stop::Stop;
use collector::{Collector, Guard, Target};
use environment::{Clock, Randomness};
use model::Timestamp;
use spool::{Priority, Spool};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

/// How long news of changes are gathered before a look: a package upgrade or a flapping interface is many of them.
const DEBOUNCE: Duration = Duration::from_millis(500);
/// How soon a look is tried again that the spool did not take.
const RETRY_AFTER_REFUSAL: Duration = Duration::from_secs(15);
/// News of changes and requests for whole scopes that wait; more are dropped, they come again by the interval.
pub const NEWS_MAX: usize = 64;

/// What the schedule needs from its surroundings.
#[derive(Clone)]
pub struct Surroundings {
    /// Who looks.
    pub collector: &'static dyn Collector,
    /// At what.
    pub target: Target,
    /// The agent's state directory.
    pub state: PathBuf,
    /// What must be the same for a guard to mean anything.
    pub context: String,
    /// Where reports go.
    pub spool: Spool,
    /// Where the status stands.
    pub board: Board,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Randomness for ids and jitter.
    pub randomness: Arc<dyn Randomness>,
    /// Limits of memory and niceness.
    pub config: Arc<Config>,
    /// What looks on our behalf.
    pub program: Program,
}

impl std::fmt::Debug for Surroundings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Surroundings").field("target", &self.target).finish_non_exhaustive()
    }
}

/// What the schedule hears from others.
#[derive(Debug)]
pub struct News {
    /// Scopes that changed.
    pub changed: mpsc::Receiver<&'static str>,
    /// Scopes that the control plane wants whole.
    pub wanted: mpsc::Receiver<String>,
}

/// The schedule of one collector on one target.
#[derive(Debug)]
pub struct Schedule {
    around: Surroundings,
    files: ScopeFiles,
    slots: Vec<Slot>,
}

impl Schedule {
    /// A schedule whose scopes are all due at once, in the order of the manifest.
    #[must_use]
    pub fn new(around: Surroundings) -> Self {
        let manifest = around.collector.manifest();
        let files = ScopeFiles::new(&around.state, manifest.name);
        let now = Instant::now();
        // What was accepted before the start may not be delivered yet: nothing older is confirmed before it is.
        let reported_through = around.spool.durable(Priority::Inventory);
        let slots = manifest.scopes.iter().filter_map(|declaration| {
            let config = around.config.scope(manifest.name, declaration.name);
            let is_enabled = config.enabled.unwrap_or(true);
            is_enabled.then(|| {
                let header = files.header(declaration.name);
                Slot::new(declaration, config, now, header, reported_through)
            })
        });
        let slots = slots.collect();
        let schedule = Self { files, slots, around };
        for index in 0..schedule.slots.len() {
            schedule.publish_known(index, false);
        }
        schedule
    }

    fn wall(&self) -> Timestamp {
        Timestamp::from(self.around.clock.wall())
    }

    /// Runs until told to stop.
    pub async fn run(mut self, mut news: News, mut stop: Stop) {
        loop {
            let next = self.slots.iter().map(|slot| slot.next_due).min();
            let next = next.unwrap_or_else(|| Instant::now() + Duration::from_secs(3600));
            tokio::select! {
                () = stop.wanted() => return,
                Some(scope) = news.changed.recv() => { self.notice(scope); continue }
                Some(scope) = news.wanted.recv() => { self.want_full(&scope); continue }
                () = sleep_until(next) => {}
            }
            tokio::select! {
                () = stop.wanted() => return,
                () = self.look_at_due() => {}
            }
        }
    }

    fn slot_mut(&mut self, scope: &str) -> Option<&mut Slot> {
        self.slots.iter_mut().find(|slot| slot.declaration.name == scope)
    }

    fn notice(&mut self, scope: &str) {
        let at = Instant::now() + DEBOUNCE;
        if let Some(slot) = self.slot_mut(scope) {
            slot.notice(at);
        }
    }

    fn want_full(&mut self, scope: &str) {
        let now = Instant::now();
        if let Some(slot) = self.slot_mut(scope) {
            slot.want_full(now);
            self.files.forget(scope);
            self.around.board.unknow(scope);
            tracing::info!(scope, "the control plane asks for the whole scope");
        }
    }

    /// Looks at every scope that is due, or will be soon enough to be taken along.
    async fn look_at_due(&mut self) {
        let now = Instant::now();
        let due: Vec<usize> =
            (0..self.slots.len()).filter(|index| self.is_due(*index, now)).collect();
        let (mut volatile, mut others) = (Vec::new(), Vec::new());
        for index in due {
            if self.is_spared(index) {
                continue;
            }
            let Some(slot) = self.slots.get(index) else { continue };
            if slot.declaration.is_volatile { volatile.push(index) } else { others.push(index) }
        }
        if volatile.is_empty() && others.is_empty() {
            return;
        }
        let limit = self.around.config.memory_bytes.value;
        let is_over = crate::limits::is_over_memory(limit);
        let complaint = is_over.then(|| {
            format!("the agent takes more than its {limit} bytes of memory; it looks less often")
        });
        self.around.board.complain("memory", complaint);
        if !others.is_empty() {
            self.look_in_child(&others).await;
        }
        if !volatile.is_empty() {
            self.look_in_process(&volatile, is_over).await;
        }
        crate::limits::release_memory();
        crate::limits::release_program();
    }

    fn is_due(&self, index: usize, now: Instant) -> bool {
        self.slots.get(index).is_some_and(|slot| slot.is_due(now))
    }

    /// Whether the guard shows that nothing changed; the scope is then confirmed and due again later.
    fn is_spared(&mut self, index: usize) -> bool {
        let (collector, target) = (self.around.collector, self.around.target.clone());
        let looked_at = self.wall();
        let Some(slot) = self.slots.get_mut(index) else { return false };
        let name = slot.declaration.name;
        let is_same = !slot.is_forced
            && slot.header.as_ref().is_some_and(|header| {
                header.guard.is_some()
                    && header.context == self.around.context
                    && collector.guard(&target, name) == header.guard
            });
        if !is_same {
            return false;
        }
        if let Some(header) = &mut slot.header {
            header.looked_at = looked_at;
        }
        self.plan(index, None);
        self.publish_known(index, true);
        let next = self.next_look(index);
        let header = self.slots.get(index).and_then(|slot| slot.header.clone());
        self.around.board.update_scope(name, |scope| {
            scope.looked_at = Some(looked_at);
            scope.next_look = next;
            scope.spared_count += 1;
            if let Some(header) = header {
                scope.coverage = header.coverage;
                scope.count = header.count;
            }
        });
        true
    }

    /// Plans the next look, after `cost` of this one.
    fn plan(&mut self, index: usize, cost: Option<Duration>) {
        let mut random = [0; 2];
        self.around.randomness.fill(&mut random);
        if let Some(slot) = self.slots.get_mut(index) {
            slot.plan(Instant::now(), cost, u16::from_le_bytes(random));
        }
    }

    fn next_look(&self, index: usize) -> Option<Timestamp> {
        let slot = self.slots.get(index)?;
        Some(self.wall().plus(slot.next_due.saturating_duration_since(Instant::now())))
    }

    /// Tells the board what the control plane may be told of a scope.
    fn publish_known(&self, index: usize, is_pending: bool) {
        let Some(slot) = self.slots.get(index) else { return };
        match &slot.header {
            Some(header) => self.around.board.know(
                slot.declaration.name,
                Known {
                    looked_at: header.looked_at,
                    digest: header.digest,
                    reported_through: slot.reported_through,
                    is_pending,
                },
            ),
            None => self.around.board.unknow(slot.declaration.name),
        }
    }

    /// Takes note of a look whose parts the spool has accepted, up to sequence `through` if there were any.
    fn settle(&mut self, index: usize, summary: &Summary, through: Option<u64>) {
        let Some(slot) = self.slots.get_mut(index) else { return };
        let name = slot.declaration.name;
        if summary.has_new_state
            && let Err(error) = self.files.keep(name)
        {
            // The old base stays; what follows is reported from it again, which the control plane takes as known.
            tracing::warn!(scope = name, %error, "the state of a scope cannot be kept");
        }
        let header = slot.header.get_or_insert_default();
        header.coverage = Some(summary.coverage.clone());
        header.digest = summary.scope_digest();
        header.count = summary.count;
        header.looked_at = summary.looked_at;
        header.guard = summary.guard.map(Guard);
        header.context.clone_from(&self.around.context);
        slot.done();
        if let Some(through) = through {
            slot.reported_through = through;
        }
        self.plan(index, Some(Duration::from_millis(summary.millis)));
        self.publish_known(index, through.is_none());
        let next = self.next_look(index);
        self.around.board.looked(summary, summary.count);
        self.around.board.update_scope(name, |scope| scope.next_look = next);
        tracing::debug!(
            scope = name,
            count = summary.count,
            changed = summary.changed_count,
            removed = summary.removed_count,
            millis = summary.millis,
            "looked"
        );
    }

    /// The spool did not take a look's parts: the base stays, the look is repeated soon.
    fn refused(&mut self, index: usize, error: &(dyn std::error::Error + 'static)) {
        let sentence = chain(error);
        let Some(slot) = self.slots.get_mut(index) else { return };
        tracing::warn!(scope = slot.declaration.name, error = sentence, "a look was not accepted");
        slot.next_due = Instant::now() + RETRY_AFTER_REFUSAL;
        self.around.board.complain("spool", Some(sentence));
    }
}

#[cfg(test)]
mod tests;
