//! The fold by attribute policies: all values of an item, or the winners alone.

use super::Statement;
use super::judge::{Contest, Word, halvings, next_halving};
use super::ruling::{Lock, Rulings};
use crate::policy::{ClassPolicies, Policies, Policy};
use crate::{Name, SourceValue, Timestamp, Value};
use std::collections::BTreeMap;
use std::ops::Deref;

/// A winning value: borrowed where a source or a person gave it.
#[derive(Clone, Debug)]
pub enum Winner<'a> {
    /// Somebody said it.
    Said(&'a Value),
    /// Put together from what several sources list.
    Union(Box<Value>),
}

impl Deref for Winner<'_> {
    type Target = Value;
    fn deref(&self) -> &Value {
        match self {
            Self::Said(value) => value,
            Self::Union(value) => value,
        }
    }
}

/// Equal are winners of the same value, wherever it comes from.
impl PartialEq for Winner<'_> {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

/// What one statement says of one attribute, with the statement's index.
pub(super) type Told<'a> = (&'a Name, &'a Value, usize);

/// The values of every attribute, the winner first and the others by their standing.
///
/// The result is a function of the statements and rulings, whatever their order. What no statement has was not looked
/// at and is not in the result; [`Value::Absent`] was looked at and stays in it.
#[must_use]
pub fn fold_by(
    policies: &Policies,
    class: &str,
    statements: &[Statement<'_>],
    rulings: Rulings<'_>,
) -> BTreeMap<Name, Vec<SourceValue>> {
    let judge = Judge::of(policies, class, statements, rulings);
    let told = judge.told();
    let mut attributes: BTreeMap<Name, Vec<SourceValue>> = BTreeMap::new();
    for group in told.chunk_by(|one, other| one.0 == other.0) {
        let Some((name, ..)) = group.first() else { continue };
        let contest = judge.contest(name);
        let judged = contest.judge(judge.words(&contest, group));
        let mut values = judge.locked(name, contest.policy);
        values.extend(judged.union);
        values.extend(judged.words.iter().map(Word::said));
        attributes.insert((*name).clone(), values);
    }
    for lock in rulings.locks {
        if attributes.contains_key(&lock.attribute) {
            continue;
        }
        let values = judge.locked(&lock.attribute, judge.class.of(&lock.attribute));
        if !values.is_empty() {
            attributes.insert(lock.attribute.clone(), values);
        }
    }
    attributes
}

/// The winning values alone, borrowed where a source gives them: what changes are computed from.
#[must_use]
pub fn winners_by<'a>(
    policies: &Policies,
    class: &str,
    statements: &[Statement<'a>],
    rulings: Rulings<'a>,
) -> BTreeMap<&'a Name, Winner<'a>> {
    // One source, as most items have: nobody disagrees.
    if let ([only], true) = (statements, rulings.locks.is_empty()) {
        return only.facts.iter().map(|(name, value)| (name, Winner::Said(value))).collect();
    }
    let judge = Judge::of(policies, class, statements, rulings);
    let mut winners: BTreeMap<&'a Name, Winner<'a>> = BTreeMap::new();
    for group in judge.told().chunk_by(|one, other| one.0 == other.0) {
        match group {
            [] => {}
            [(name, value, _), others @ ..]
                if others.iter().all(|(_, other, _)| other == value) =>
            {
                winners.insert(name, Winner::Said(value));
            }
            [(name, ..), ..] => {
                let contest = judge.contest(name);
                let judged = contest.judge(judge.words(&contest, group));
                let single = judged.words.first().map(|word| Winner::Said(word.value));
                let winner =
                    judged.union.map(|union| Winner::Union(Box::new(union.value))).or(single);
                winners.extend(winner.map(|winner| (*name, winner)));
            }
        }
    }
    for lock in rulings.locks {
        let policy = judge.class.of(&lock.attribute);
        if let Some(newest) = judge.active(&lock.attribute, policy).first() {
            winners.insert(&lock.attribute, Winner::Said(&newest.value));
        }
    }
    winners
}

/// When time alone may make another value win: the first moment after the newest confirmation at which a lock ends or
/// a word of a contested attribute gets older by a half-life, while other sources are still confirmed.
///
/// Nothing folds an item again by itself. A caller that wants a winner to change then, and not with the next word about
/// the item, folds again when some source was confirmed after that moment.
#[must_use]
pub fn next_turn(
    policies: &Policies,
    class: &str,
    statements: &[Statement<'_>],
    rulings: Rulings<'_>,
) -> Option<Timestamp> {
    let judge = Judge::of(policies, class, statements, rulings);
    let told = judge.told();
    let groups = told.chunk_by(|one, other| one.0 == other.0);
    let contested = groups.filter_map(|group| Some((group.first()?.0, group)));
    let locked = rulings.locks.iter().map(|lock| (&lock.attribute, [].as_slice()));
    contested.chain(locked).filter_map(|(name, group)| judge.turn(name, group)).min()
}

/// Whether a word about a contested attribute is stale: then its next confirmation may make another value win.
#[must_use]
pub fn is_any_stale(policies: &Policies, class: &str, statements: &[Statement<'_>]) -> bool {
    let judge = Judge::of(policies, class, statements, Rulings::NONE);
    let told = judge.told();
    let mut contested =
        told.chunk_by(|one, other| one.0 == other.0).filter(|group| group.len() > 1);
    contested.any(|group| {
        let mut words = group.iter().filter_map(|(name, _, index)| {
            let said = statements.get(*index)?;
            Some((judge.class.of(name), said.confirmed_at))
        });
        words.any(|(policy, at)| halvings(policy, at, judge.newest) > 0)
    })
}

/// What all contests of an item have in common.
pub(super) struct Judge<'p, 's, 'a, 'r> {
    class: ClassPolicies<'p>,
    statements: &'s [Statement<'a>],
    /// The trust in each statement's source, as far as no policy says otherwise for an attribute.
    trust: Vec<u8>,
    newest: Timestamp,
    rulings: Rulings<'r>,
}

impl<'p, 's, 'a, 'r> Judge<'p, 's, 'a, 'r> {
    pub(super) fn of(
        policies: &'p Policies,
        class: &str,
        statements: &'s [Statement<'a>],
        rulings: Rulings<'r>,
    ) -> Self {
        let newest = statements.iter().map(|said| said.confirmed_at).max();
        Self {
            class: policies.of_class(class),
            statements,
            trust: statements.iter().map(|said| policies.trust_of(said.source)).collect(),
            newest: newest.unwrap_or(Timestamp::EPOCH),
            rulings,
        }
    }

    /// Everything that is said, attribute by attribute.
    fn told(&self) -> Vec<Told<'a>> {
        let counts = self.statements.iter().map(|said| said.facts.len());
        let mut told = Vec::with_capacity(counts.fold(0, usize::saturating_add));
        for (index, said) in self.statements.iter().enumerate() {
            told.extend(said.facts.iter().map(|(name, value)| (name, value, index)));
        }
        told.sort_by(|one, other| one.0.cmp(other.0));
        told
    }

    /// What is said of one attribute.
    pub(super) fn told_of(&self, name: &Name) -> Vec<Told<'a>> {
        let of = |(index, said): (usize, &Statement<'a>)| {
            let (name, value) = said.facts.get_key_value(name)?;
            Some((name, value, index))
        };
        self.statements.iter().enumerate().filter_map(of).collect()
    }

    /// When time alone may change the winner of an attribute, after the newest confirmation of the item.
    pub(super) fn turn(&self, name: &Name, group: &[Told<'a>]) -> Option<Timestamp> {
        let policy = self.class.of(name);
        let locks = self.rulings.locks.iter().filter(|lock| lock.attribute == *name);
        let ends = locks.map(|lock| lock.ends_at(policy)).filter(|end| *end > self.newest);
        let contested = if group.len() > 1 { group } else { &[] };
        let said = contested.iter().filter_map(|(_, _, index)| self.statements.get(*index));
        let turns = said.filter_map(|said| next_halving(policy, said.confirmed_at, self.newest));
        ends.chain(turns).min()
    }

    pub(super) fn words(&self, contest: &Contest<'_>, group: &[Told<'a>]) -> Vec<Word<'a>> {
        let word = |(name, value, index): &Told<'a>| {
            let said = self.statements.get(*index)?;
            let own = contest.policy.trust.of(said.source);
            let trust = own.or_else(|| self.trust.get(*index).copied())?;
            Some(contest.word(name, value, said, trust))
        };
        group.iter().filter_map(word).collect()
    }

    pub(super) fn contest(&self, name: &Name) -> Contest<'p> {
        Contest {
            policy: self.class.of(name),
            newest: self.newest,
            is_frozen: self.rulings.frozen.contains(name),
        }
    }

    /// The locks of an attribute that hold, the newest first.
    fn active(&self, name: &Name, policy: &Policy) -> Vec<&'r Lock> {
        let mut locks: Vec<&Lock> = self
            .rulings
            .locks
            .iter()
            .filter(|lock| lock.attribute == *name && lock.ends_at(policy) > self.newest)
            .collect();
        locks.sort_by(|one, other| {
            other
                .since
                .cmp(&one.since)
                .then_with(|| one.said_by.cmp(&other.said_by))
                .then_with(|| super::value_order(&one.value, &other.value))
                .then_with(|| one.until.cmp(&other.until))
        });
        locks.dedup();
        locks
    }

    pub(super) fn locked(&self, name: &Name, policy: &Policy) -> Vec<SourceValue> {
        if self.rulings.locks.is_empty() {
            return Vec::new();
        }
        self.active(name, policy).into_iter().map(Lock::said).collect()
    }
}
