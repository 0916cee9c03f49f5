//! What one batch, beat or sweep does: sequences, scopes, runs; everything about items is the reconciler's.
//!
//! Invariants: a sequence is checked before anything of its batch is used; a record is used or kept aside as rejected,
//! and acknowledged either way; what a run did not list is gone only when every part of it came and its scope was
//! complete.

use super::load::Parts;
use super::prepare::{Content, Entry, INVENTORY, Prepared, Readings, Report, Seen};
use super::state::State;
use super::{Fixed, Fixing, Outcome, SubmitError, Wish};
use crate::targets::{Assigned, Standing};
use model::decision::{CommittedRecord, Decision, HeldRecord, Number, RejectedRecord, RulesRecord};
use model::fold::{Lock, PERSON, UNION};
use model::{AgentId, Catalog, CoverageStatus, Kind, Name, Observation, SourceId, Timestamp};
use proto::convert::{self, Names};
use proto::v1;
use reconcile::{
    Comparison, Error, Explanation, HeldError, LockError, Past, Reconciler, Sight, Simulation,
    WishError,
};
use std::collections::HashMap;
use std::sync::Arc;

/// Confirmations of one beat; an agent has a few dozen scopes for each source.
const CONFIRMATIONS_MAX: usize = 16_384;

/// Items that other policies, or time, fold again with one decision; agents wait for so many at most.
const REFOLD_ITEMS_MAX: usize = 1_024;

/// The collector's name under which stands what the control plane itself concludes.
const SELF: &str = "reconcile";

/// Letters of a rejection's detail.
const DETAIL_LETTERS_MAX: usize = 400;

pub(super) struct Applier {
    reconciler: Reconciler,
    state: State,
    names: Names,
    catalog: Arc<Catalog>,
    /// The declared kinds of all attributes, for one look-up each.
    kinds: HashMap<Name, HashMap<Name, Kind>>,
    now: Timestamp,
    assigned: Assigned,
}

/// Why a record, or a part of it, was not used.
struct Rejection {
    code: &'static str,
    detail: String,
}

/// A record being used: who sent it, and what came of it so far.
struct Use<'a> {
    agent: AgentId,
    site: &'a str,
    rejections: Vec<Rejection>,
    need_full: Vec<(SourceId, String)>,
}

type Result<T> = std::result::Result<T, SubmitError>;

fn unavailable(error: &Error) -> SubmitError {
    SubmitError::Unavailable { detail: error.to_string() }
}

impl Applier {
    pub(super) fn new(reconciler: Reconciler, state: State, parts: &Parts) -> Self {
        let catalog = Arc::clone(&parts.catalog);
        let kinds = catalog.classes().map(|class| {
            let attributes = class.attributes.iter();
            let kinds = attributes.map(|attribute| (attribute.name.clone(), attribute.kind));
            (class.name.clone(), kinds.collect())
        });
        let kinds = kinds.collect();
        Self {
            reconciler,
            state,
            names: Names::built_in(),
            catalog,
            kinds,
            now: parts.now(),
            assigned: parts.assigned.clone(),
        }
    }

    pub(super) fn begin(&mut self, now: Timestamp) {
        self.now = now;
        self.reconciler.begin(now);
    }

    pub(super) fn finish(&mut self, past: &dyn Past) -> std::result::Result<Decision, Error> {
        self.reconciler.finish(past)
    }

    pub(super) fn committed(&self, agent: AgentId, epoch: u64) -> Vec<v1::Committed> {
        (0..super::prepare::CLASSES_COUNT)
            .filter_map(|class| {
                let sequence = *self.state.committed.get(&(agent, epoch, class))?;
                Some(v1::Committed { class, sequence })
            })
            .collect()
    }

    pub(super) fn batch(
        &mut self,
        past: &dyn Past,
        agent: AgentId,
        site: &str,
        batch: Prepared,
    ) -> Result<Outcome> {
        let key = (agent, batch.epoch, batch.class);
        let spans = batch.entries.iter().map(|entry| match &entry.content {
            Content::Gap { through, .. } => (entry.sequence, *through),
            _ => (entry.sequence, entry.sequence),
        });
        self.state.check(key, spans).map_err(|broken| SubmitError::Refused {
            code: "SEQUENCE_BROKEN",
            detail: format!(
                "sequence {} was expected and {} came; go on behind what the next welcome says",
                broken.expected, broken.found
            ),
        })?;
        let mut acknowledgement = v1::Acknowledgement {
            epoch: batch.epoch,
            class: batch.class,
            sequence: self.state.committed.get(&key).copied().unwrap_or(0),
            rejected: Vec::new(),
        };
        let before = acknowledgement.sequence;
        let mut used = Use { agent, site, rejections: Vec::new(), need_full: Vec::new() };
        for Entry { sequence, content } in batch.entries {
            if sequence <= acknowledgement.sequence {
                continue;
            }
            acknowledgement.sequence = match &content {
                Content::Gap { through, .. } => *through,
                _ => sequence,
            };
            let kept = self.entry(past, &mut used, batch.class, content)?;
            if let Some(rejection) = used.rejections.first() {
                let code = rejection.code;
                let detail = summary(&used.rejections);
                let code_text = code.to_owned();
                let shown = detail.clone();
                acknowledgement.rejected.push(v1::Rejected {
                    sequence,
                    code: code_text,
                    detail: shown,
                });
                let (epoch, class) = (batch.epoch, batch.class);
                let record =
                    RejectedRecord { agent, epoch, class, sequence, code, detail, bytes: kept };
                self.reconciler.decision_mut().rejected.push(record);
                used.rejections.clear();
            }
        }
        if acknowledgement.sequence > before {
            let (epoch, class, sequence) = (batch.epoch, batch.class, acknowledgement.sequence);
            self.state.committed.insert(key, sequence);
            let record = CommittedRecord { agent, epoch, class, sequence };
            self.reconciler.decision_mut().committed.push(record);
        }
        Ok(Outcome {
            acknowledgement: Some(acknowledgement),
            need_full: used.need_full,
            ..Outcome::default()
        })
    }

    /// Uses one entry; gives the bytes to keep when it could not be used at all.
    fn entry(
        &mut self,
        past: &dyn Past,
        used: &mut Use<'_>,
        class: u32,
        content: Content,
    ) -> Result<Vec<u8>> {
        match content {
            Content::Report(report) => self.report(past, used, *report)?,
            Content::Readings(readings) => self.readings(used, *readings),
            Content::Gap { through, count, reason } => {
                tracing::warn!(agent = %used.agent, class, through, count, reason, "an agent lost records");
                if class == INVENTORY {
                    self.lose_track(used);
                }
            }
            Content::Poison { code, detail, bytes } => {
                used.rejections.push(Rejection { code, detail });
                return Ok(bytes.to_vec());
            }
        }
        Ok(Vec::new())
    }

    /// Something of the inventory is lost: every scope of the agent is asked for.
    fn lose_track(&mut self, used: &mut Use<'_>) {
        for (source, name, scope) in self.reconciler.scopes_of(used.agent) {
            if source.target != used.agent.to_string() || source.collector == SELF {
                continue;
            }
            self.state.unsure.insert(scope);
            if self.state.may_ask(scope, self.now) {
                used.need_full.push((source, name.into_owned()));
            }
        }
    }

    fn standing(&self, agent: AgentId, source: &SourceId) -> Standing {
        // What the control plane itself and people say; nobody else may say it for them.
        let is_own = source.target == agent.to_string()
            && ![SELF, "rule", PERSON, UNION].contains(&source.collector.as_str());
        if is_own { Standing::Assigned } else { self.assigned.standing(agent, source) }
    }

    /// Whether what an agent says of a source is used. What it saw of a target before another agent had it is
    /// superseded by what that one sees, and dropped without a word.
    fn is_used(&self, used: &mut Use<'_>, source: &SourceId) -> bool {
        let standing = self.standing(used.agent, source);
        if standing == Standing::Stranger {
            used.rejections.push(Rejection {
                code: "SOURCE_NOT_ASSIGNED",
                detail: format!("the source {source} is not assigned to this agent"),
            });
        }
        standing == Standing::Assigned
    }

    fn report(&mut self, past: &dyn Past, used: &mut Use<'_>, report: Report) -> Result<()> {
        if !self.is_used(used, &report.source) {
            return Ok(());
        }
        let failed = |error| unavailable(&error);
        let source =
            self.reconciler.source(&report.source, used.agent, used.site).map_err(failed)?;
        let scope = self.reconciler.scope(source, &report.scope).map_err(failed)?;
        let run = self.state.run(scope, report.run, report.part, report.is_last);
        let looked_at = self.looked_at(used.agent, &report, scope);
        let mut sight =
            Sight { source, scope, native: 0, content: 0, at: looked_at, mark: run.mark };
        for seen in report.seen {
            sight.native = seen.native;
            sight.content = seen.content;
            self.observe(past, used, &sight, seen)?;
        }
        let is_complete = report.coverage.status == CoverageStatus::Complete;
        let mut are_gone = true;
        if !report.is_full && is_complete && !report.removed.is_empty() {
            let removed = &report.removed;
            are_gone =
                self.reconciler.disappear_all(past, scope, removed, sight.at).map_err(failed)?;
        }
        if !report.is_last {
            return Ok(());
        }
        if report.is_full && is_complete && run.is_intact {
            let gone = self.reconciler.unmarked(scope, run.mark);
            are_gone &=
                self.reconciler.disappear_all(past, scope, &gone, sight.at).map_err(failed)?;
        }
        if let Some(state) = self.reconciler.scope_state_mut(scope) {
            state.looked_at = state.looked_at.max(looked_at);
            if is_complete {
                state.complete_at = state.complete_at.max(Some(looked_at));
            }
            state.coverage = report.coverage;
        }
        let known = self.reconciler.scope_state(scope).map(|state| state.digest);
        if known == report.digest {
            self.state.agreed(scope);
        } else if are_gone && self.state.may_ask(scope, self.now) {
            used.need_full.push((report.source, report.scope));
        }
        Ok(())
    }

    /// When a look was taken, whatever the clock of its host says.
    ///
    /// Nothing was seen in the future: a clock that is ahead would otherwise win over every later word. What an agent
    /// says of its own host comes in the order in which it looked, so there a clock that was put back takes nothing
    /// back either. Looks of several agents at one target keep their times, and an older one changes nothing.
    fn looked_at(&self, agent: AgentId, report: &Report, scope: Number) -> Timestamp {
        let at = report.finished_at.min(self.now);
        if report.source.target != agent.to_string() {
            return at;
        }
        self.reconciler.scope_state(scope).map_or(at, |state| at.max(state.looked_at))
    }

    fn observe(
        &mut self,
        past: &dyn Past,
        used: &mut Use<'_>,
        sight: &Sight,
        seen: Seen,
    ) -> Result<()> {
        if self.reconciler.is_unchanged(sight) {
            if !seen.wire.readings.is_empty()
                && let Some(number) = self.reconciler.observation_number(sight.native, sight.scope)
            {
                self.read(used, number, sight.at, seen.wire.readings);
            }
            return Ok(());
        }
        let native_key = seen.wire.native_key.clone();
        let observation = match convert::observation_from(&self.names, seen.wire) {
            Ok(observation) => observation,
            Err(error) => {
                let detail = format!("`{native_key}`: {error}");
                used.rejections.push(Rejection { code: "MALFORMED", detail });
                return Ok(());
            }
        };
        if let Some(rejection) = self.violation(&observation) {
            used.rejections.push(rejection);
            return Ok(());
        }
        match self.reconciler.observe(past, sight, observation) {
            Ok(()) => Ok(()),
            Err(error @ Error::ClassChanged { .. }) => {
                let rejection = Rejection { code: "VALIDATION_FAILED", detail: error.to_string() };
                used.rejections.push(rejection);
                Ok(())
            }
            Err(error) => Err(unavailable(&error)),
        }
    }

    fn violation(&self, observation: &Observation) -> Option<Rejection> {
        let kinds = self.kinds.get(&observation.class)?;
        let values = observation.facts.iter().chain(&observation.readings);
        for (name, value) in values {
            if kinds.get(name).is_some_and(|kind| !value.fits(*kind)) {
                let violation = self.catalog.check(&observation.class, name, value).err()?;
                let detail = format!("`{}`: {violation}", observation.native_key);
                return Some(Rejection { code: "VALIDATION_FAILED", detail });
            }
        }
        None
    }

    fn readings(&mut self, used: &mut Use<'_>, readings: Readings) {
        if !self.is_used(used, &readings.source) {
            return;
        }
        for (native, values) in readings.items {
            // Readings of what was not observed, or is not yet, say nothing: the next look brings them again.
            if let Some(number) = self.reconciler.any_observation(native) {
                self.read(used, number, readings.at, values);
            }
        }
    }

    fn read(
        &mut self,
        used: &mut Use<'_>,
        number: Number,
        at: Timestamp,
        values: Vec<v1::Attribute>,
    ) {
        match convert::readings_from(&self.names, values) {
            Ok(values) => self.reconciler.read(number, at, values),
            Err(error) => {
                used.rejections.push(Rejection { code: "MALFORMED", detail: error.to_string() })
            }
        }
    }

    /// Scopes that were looked at and found as they were.
    pub(super) fn confirm(
        &mut self,
        agent: AgentId,
        confirmations: Vec<v1::ScopeConfirmation>,
    ) -> Result<Outcome> {
        let mut outcome = Outcome::default();
        for confirmation in confirmations.into_iter().take(CONFIRMATIONS_MAX) {
            let parsed = convert::scope_from(confirmation.scope).and_then(|(source, scope)| {
                Ok((source, scope, convert::digest_from(&confirmation.digest)?))
            });
            let (source, name, digest) = parsed.map_err(|error| SubmitError::Refused {
                code: "MALFORMED",
                detail: error.to_string(),
            })?;
            if self.standing(agent, &source) != Standing::Assigned {
                continue;
            }
            let looked_at = Timestamp::from_millis(confirmation.looked_at).min(self.now);
            let scope = self.reconciler.known_scope(&source, &name);
            let state = scope.and_then(|scope| Some((scope, self.reconciler.scope_state(scope)?)));
            match state {
                Some((scope, state)) if state.digest == digest => {
                    let is_complete = state.coverage.status == CoverageStatus::Complete;
                    self.state.agreed(scope);
                    if let Some(state) = self.reconciler.scope_state_mut(scope) {
                        state.looked_at = state.looked_at.max(looked_at);
                        if is_complete {
                            state.complete_at = state.complete_at.max(Some(looked_at));
                        }
                    }
                }
                // Scope 0 stands for all scopes that are not known yet; they are asked for at once.
                Some((scope, _)) if !self.state.may_ask(scope, self.now) => {}
                _ => outcome.need_full.push((source, name)),
            }
        }
        Ok(outcome)
    }

    /// Why an item is what it is.
    pub(super) fn explain(&self, past: &dyn Past, item: Number) -> Result<Option<Explanation>> {
        self.reconciler.explain(past, item).map_err(|error| unavailable(&error))
    }

    /// What speaks for and against two items being one.
    pub(super) fn compare(
        &self,
        past: &dyn Past,
        items: (Number, Number),
    ) -> Result<Option<Comparison>> {
        self.reconciler.compare(past, items).map_err(|error| unavailable(&error))
    }

    /// The items of sightings; 0 for one that is not known.
    pub(super) fn items_of_sightings(&self, sightings: &[u64]) -> Vec<Number> {
        self.reconciler.items_of_sightings(sightings)
    }

    /// Makes rules live. Everything that is known is decided again by [`Applier::regroup`].
    pub(super) fn set_rules(&mut self, text: String, said_by: String) -> Result<Outcome> {
        let (rules, policies) = super::rules_of(&self.catalog, &text)?;
        let (version, at) = (rules.version.clone(), self.now);
        self.reconciler.set_rules(rules);
        self.reconciler.regroup_all();
        self.reconciler.change_policies(Arc::new(policies), 0);
        let record = RulesRecord { version, text, said_by, at, is_applied: false };
        self.reconciler.decision_mut().rules = Some(record);
        Ok(Outcome::default())
    }

    /// Decides again about some of what is known; says how much is left.
    pub(super) fn regroup(&mut self, past: &dyn Past, limit: usize) -> Result<Outcome> {
        let values = self.reconciler.refold_some(past, REFOLD_ITEMS_MAX);
        let values = values.map_err(|error| unavailable(&error))?;
        let left = self.reconciler.regroup_some(limit).saturating_add(values);
        if left == 0 && self.reconciler.decision_mut().rules.is_none() {
            self.reconciler.decision_mut().rules = Some(RulesRecord {
                version: String::new(),
                text: String::new(),
                said_by: String::new(),
                at: self.now,
                is_applied: true,
            });
        }
        Ok(Outcome { left, ..Outcome::default() })
    }

    /// Fixes a value, or lets sources decide again.
    pub(super) fn fix(&mut self, past: &dyn Past, fixing: Fixing) -> Result<Outcome> {
        let Fixing { item, attribute, said_by, lock } = fixing;
        let since = self.now;
        let done = match lock {
            Some(Fixed { value, until, why }) => {
                let lock = Lock { attribute, value, since, until, said_by };
                self.reconciler.lock(past, item, lock, why).map(Some)
            }
            None => {
                self.reconciler.unlock(past, item, &attribute, (&said_by, since)).map(|()| None)
            }
        };
        match done {
            Ok(fixed_until) => Ok(Outcome { fixed_until, ..Outcome::default() }),
            Err(LockError::Past(error)) => Err(unavailable(&error)),
            Err(error) => {
                let code = match error {
                    LockError::UnknownItem | LockError::NotLocked(_) => "NOT_FOUND",
                    _ => "VALIDATION_FAILED",
                };
                Err(SubmitError::Refused { code, detail: error.to_string() })
            }
        }
    }

    /// Takes a person's word about which sightings are one item.
    pub(super) fn wish(&mut self, past: &dyn Past, wish: Wish, said_by: &str) -> Result<Outcome> {
        let reconciler = &mut self.reconciler;
        let wished = match wish {
            Wish::Join { one, other } => reconciler.join(past, (one, other), said_by).map(Some),
            Wish::Divide { item, sightings } => {
                reconciler.divide(past, item, &sightings, said_by).map(Some)
            }
            Wish::KeepApart { one, other } => {
                reconciler.keep_apart(past, (one, other), said_by).map(Some)
            }
            Wish::TakeBack { action } => reconciler.take_back(action).map(|()| None),
        };
        match wished {
            Ok(wished) => Ok(Outcome { wished, ..Outcome::default() }),
            Err(error) => Err(refused_wish(&error)),
        }
    }

    /// What would follow from a person's word. Nothing is done.
    pub(super) fn simulate(&mut self, past: &dyn Past, wish: Wish) -> Result<Simulation> {
        let reconciler = &mut self.reconciler;
        let found = match wish {
            Wish::Join { one, other } => reconciler.simulate_join(past, (one, other)),
            Wish::Divide { item, sightings } => reconciler.simulate_divide(past, item, &sightings),
            Wish::KeepApart { one, other } => reconciler.simulate_keep_apart(past, (one, other)),
            Wish::TakeBack { .. } => {
                return Err(SubmitError::Refused {
                    code: "VALIDATION_FAILED",
                    detail: "what follows from taking back cannot be simulated; take it back and say it again"
                        .to_owned(),
                });
            }
        };
        found.map_err(|error| refused_wish(&error))
    }

    /// Lets happen some of what was held; says how much is left.
    pub(super) fn approve(
        &mut self,
        past: &dyn Past,
        held: &HeldRecord,
        limit: usize,
        said_by: &str,
    ) -> Result<Outcome> {
        let approved = self.reconciler.approve_held(past, held, limit, said_by);
        let approved = approved.map_err(refused_word)?;
        Ok(Outcome { retired: approved.retired, left: approved.left, ..Outcome::default() })
    }

    /// Leaves what was held as it is.
    pub(super) fn dismiss(
        &mut self,
        scope: Number,
        at: Timestamp,
        said_by: &str,
    ) -> Result<Outcome> {
        self.reconciler.dismiss_held(scope, at, said_by).map_err(refused_word)?;
        Ok(Outcome::default())
    }

    pub(super) fn sweep(&mut self, past: &dyn Past, limit: usize) -> Result<Outcome> {
        let now = self.now;
        self.reconciler.sweep(past, now, limit).map_err(|error| unavailable(&error))?;
        self.reconciler.expire_locks(past, now, limit).map_err(|error| unavailable(&error))?;
        let turned = self.reconciler.turn_some(past, now, REFOLD_ITEMS_MAX);
        turned.map_err(|error| unavailable(&error))?;
        Ok(Outcome::default())
    }
}

fn refused_wish(error: &WishError) -> SubmitError {
    let code = match error {
        WishError::Past(error) => return unavailable(error),
        WishError::UnknownItem | WishError::UnknownAction => "NOT_FOUND",
        _ => "VALIDATION_FAILED",
    };
    SubmitError::Refused { code, detail: error.to_string() }
}

fn refused_word(error: HeldError) -> SubmitError {
    match error {
        HeldError::Past(error) => unavailable(&error),
        HeldError::Settled => SubmitError::Refused { code: "NOT_FOUND", detail: error.to_string() },
    }
}

/// The first reason, and how many more there are.
fn summary(rejections: &[Rejection]) -> String {
    let first = rejections.first().map_or("", |rejection| rejection.detail.as_str());
    let more = match rejections.len() {
        0 | 1 => String::new(),
        count => format!(" (and {} more)", count.saturating_sub(1)),
    };
    let first: String = first.chars().take(DETAIL_LETTERS_MAX).collect();
    format!("{first}{more}")
}
