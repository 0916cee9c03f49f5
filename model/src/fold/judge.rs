//! One contest: which of the values that sources give to an attribute wins under a policy.
//!
//! The steps: every source has one word; each word gets its standing (trust, halved for each half-life that it lags
//! behind, raised by those who say the same); the words are put in order; the strategy picks one of the values;
//! *looked, and there is none* may take its place; the winner goes to the front.
//!
//! Invariant: every step is decided by what the words are, in the end by the name of the source, never by their order.

use super::Statement;
use super::explain::Standing;
use super::order::{Ordered, size_order, value_order};
use super::specific::exactness;
use crate::policy::{AbsentRule, Policy, Strategy};
use crate::{Name, Provenance, SourceId, SourceValue, Timestamp, Value};
use std::cmp::Ordering;
use std::collections::BTreeSet;

/// Words that are compared with each other; an item that more sources claim is judged by its best ones, so that the
/// work stays bounded. The others keep their place behind them.
const VOICES_MAX: usize = 64;

/// Sources that add to a value's standing by saying the same; more of them rather have it from one another.
const AGREEING_MAX: u64 = 3;

/// Half-lives after which a word counts no less than it does: what is forgotten is only told apart by trust.
const HALVINGS_MAX: u32 = 16;

/// Members of a union; a list that is longer says nothing to a person and is cut.
pub const UNION_MEMBERS_MAX: usize = 4_096;

/// The collector's name under which a union stands in provenance.
pub const UNION: &str = "union";

/// What kind of word it is, the best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Form {
    Value,
    /// Looked, and there is none.
    Absent,
    /// An empty text: it says nothing.
    Null,
}

/// A source's word about an attribute.
#[derive(Clone, Copy, Debug)]
pub(super) struct Word<'a> {
    pub(super) value: &'a Value,
    source: &'a SourceId,
    since: Timestamp,
    confirmed_at: Timestamp,
    form: Form,
    trust: u8,
    /// Its place in an authoritative list.
    place: usize,
    /// Half-lives that it lags behind the newest confirmation.
    halvings: u32,
    /// Sources that say the same, itself included; stale ones do not count.
    agreeing: u64,
    score: u64,
}

impl<'a> Word<'a> {
    pub(super) fn said(&self) -> SourceValue {
        SourceValue { value: self.value.clone(), provenance: self.provenance() }
    }

    fn provenance(&self) -> Provenance {
        Provenance {
            source: self.source.clone(),
            since: self.since,
            confirmed_at: self.confirmed_at,
            confidence: self.trust,
        }
    }

    /// Whether it says that there is none.
    pub(super) fn is_none(&self) -> bool {
        self.form == Form::Absent
    }

    /// Whether it says a value.
    pub(super) fn is_value(&self) -> bool {
        self.form == Form::Value
    }

    /// What it counts.
    pub(super) fn standing(&self) -> Standing {
        Standing {
            source: self.source.clone(),
            trust: self.trust,
            halvings: self.halvings,
            agreeing: self.agreeing,
            // Trust and corroboration are hundredths each, and halving needs its bits.
            score_thousandths: (self.score >> HALVINGS_MAX).checked_div(10).unwrap_or(0),
        }
    }

    fn is_stale(&self) -> bool {
        self.halvings > 0
    }

    /// The members of a list.
    fn members(&self) -> &'a [Value] {
        match self.value {
            Value::List(members) => members,
            _ => &[],
        }
    }
}

/// What is asked of a contest.
#[derive(Clone, Copy, Debug)]
pub(super) struct Contest<'a> {
    pub(super) policy: &'a Policy,
    /// The newest confirmation among all statements of the item: what freshness is measured against.
    pub(super) newest: Timestamp,
    pub(super) is_frozen: bool,
}

/// The words in order, the winner first, and a value that no single source gives.
#[derive(Debug)]
pub(super) struct Judged<'a> {
    pub(super) words: Vec<Word<'a>>,
    pub(super) union: Option<SourceValue>,
}

impl<'a> Contest<'_> {
    /// A word as it stands by itself.
    pub(super) fn word(
        &self,
        name: &Name,
        value: &'a Value,
        said: &Statement<'a>,
        trust: u8,
    ) -> Word<'a> {
        let form = match value {
            Value::Absent => Form::Absent,
            Value::Text(text) if text.trim().is_empty() => Form::Null,
            _ => Form::Value,
        };
        let sources = &self.policy.sources;
        let halvings = halvings(self.policy, said.confirmed_at, self.newest);
        Word {
            value,
            source: said.source,
            since: said.since.get(name).copied().unwrap_or(said.first_seen),
            confirmed_at: said.confirmed_at,
            form,
            trust,
            place: sources
                .iter()
                .position(|pattern| pattern.means(said.source))
                .unwrap_or(sources.len()),
            halvings,
            agreeing: 1,
            score: self.score(trust, halvings, 1),
        }
    }

    /// Trust × freshness × corroboration, in whole numbers so that every machine gets the same.
    fn score(&self, trust: u8, halvings: u32, agreeing: u64) -> u64 {
        let others = agreeing.saturating_sub(1).min(AGREEING_MAX);
        let raised =
            u64::from(self.policy.corroboration).saturating_mul(others).saturating_add(100);
        let whole = u64::from(trust).saturating_mul(raised) << HALVINGS_MAX;
        whole.checked_shr(halvings).unwrap_or(0)
    }

    /// Decides.
    pub(super) fn judge(&self, mut words: Vec<Word<'a>>) -> Judged<'a> {
        one_per_source(&mut words);
        if words.len() < 2 {
            return Judged { words, union: None };
        }
        words.sort_by(|one, other| self.order(one, other));
        self.corroborate(&mut words);
        words.sort_by(|one, other| self.order(one, other));
        let winner = self.winner(&words);
        if let Some(until) = words.get_mut(..=winner) {
            until.rotate_right(1);
        }
        let is_union = self.policy.strategy == Strategy::Union && !self.is_frozen;
        let union = if is_union { union(&words) } else { None };
        Judged { words, union }
    }

    /// Counts who says the same, among the best.
    fn corroborate(&self, words: &mut [Word<'a>]) {
        let best = words.get(..words.len().min(VOICES_MAX)).unwrap_or_default().to_vec();
        for word in words.iter_mut().take(VOICES_MAX) {
            let others = best.iter().filter(|other| {
                other.source != word.source && !other.is_stale() && other.value == word.value
            });
            word.agreeing = u64::try_from(others.count()).unwrap_or(0).saturating_add(1);
            word.score = self.score(word.trust, word.halvings, word.agreeing);
        }
    }

    /// The order of standing. Names of sources make it total: each has one word.
    fn order(&self, one: &Word<'_>, other: &Word<'_>) -> Ordering {
        let null = (one.form == Form::Null).cmp(&(other.form == Form::Null));
        let stale = one.is_stale().cmp(&other.is_stale());
        let place = one.place.cmp(&other.place);
        let trust = other.trust.cmp(&one.trust);
        let score = other.score.cmp(&one.score);
        let since = other.since.cmp(&one.since);
        let form = one.form.cmp(&other.form);
        let rest = form.then_with(|| one.source.cmp(other.source));
        if self.is_frozen {
            return null.then(place).then(trust).then(rest);
        }
        match self.policy.strategy {
            Strategy::Authoritative => {
                null.then(stale).then(place).then(score).then(since).then(rest)
            }
            Strategy::Freshest => null.then(stale).then(since).then(trust).then(rest),
            _ => null.then(score).then(since).then(rest),
        }
    }

    /// The index of the winner.
    fn winner(&self, words: &[Word<'_>]) -> usize {
        let first = |form: Form| words.iter().position(|word| word.form == form);
        let Some(best) = first(Form::Value) else { return 0 };
        let picked = if self.is_frozen { best } else { self.pick(words, best) };
        match first(Form::Absent) {
            Some(absent)
                if self.absent_wins(words, absent, picked)
                    && self.absent_wins(words, absent, best) =>
            {
                absent
            }
            _ => picked,
        }
    }

    /// The index of the value that the strategy chooses; `best` is that of the best standing.
    fn pick(&self, words: &[Word<'_>], best: usize) -> usize {
        match self.policy.strategy {
            Strategy::Max => by_size(words, best, Ordering::Greater),
            Strategy::Min => by_size(words, best, Ordering::Less),
            Strategy::MostSpecific => most_specific(words, best),
            Strategy::Quorum => self.by_quorum(words).unwrap_or(best),
            Strategy::Trusted | Strategy::Authoritative | Strategy::Freshest | Strategy::Union => {
                best
            }
        }
    }

    fn by_quorum(&self, words: &[Word<'_>]) -> Option<usize> {
        let mut chosen: Option<(u64, usize)> = None;
        for (index, word) in words.iter().enumerate().take(VOICES_MAX) {
            let is_vote = word.form == Form::Value && !word.is_stale();
            let is_more = chosen.is_none_or(|(most, _)| word.agreeing > most);
            if is_vote && word.agreeing >= u64::from(self.policy.quorum) && is_more {
                chosen = Some((word.agreeing, index));
            }
        }
        chosen.map(|(_, index)| index)
    }

    /// Whether *looked, and there is none* takes the place of a value.
    fn absent_wins(&self, words: &[Word<'_>], absent: usize, value: usize) -> bool {
        let (Some(none), Some(some)) = (words.get(absent), words.get(value)) else { return false };
        // A list of sources says who is trusted more; otherwise trust does.
        let standing = some.place.cmp(&none.place).then_with(|| none.trust.cmp(&some.trust));
        let is_fresh = none.is_stale() <= some.is_stale();
        match self.policy.absent {
            AbsentRule::Never => false,
            AbsentRule::TrustedMore => standing.is_gt() && is_fresh,
            AbsentRule::TrustedAsMuch => standing.is_ge() && is_fresh && absent < value,
        }
    }
}

/// Half-lives that a word lags behind. Whole ones, so that looks that follow each other do not change who wins.
pub(super) fn halvings(policy: &Policy, confirmed_at: Timestamp, newest: Timestamp) -> u32 {
    let Some(half_life) = policy.half_life else { return 0 };
    let passed = newest.since(confirmed_at).as_millis().checked_div(half_life.as_millis());
    u32::try_from(passed.unwrap_or(0)).unwrap_or(HALVINGS_MAX).min(HALVINGS_MAX)
}

/// When a word counts less for the first time after `newest`; nothing when it never will.
pub(super) fn next_halving(
    policy: &Policy,
    confirmed_at: Timestamp,
    newest: Timestamp,
) -> Option<Timestamp> {
    let half_life = policy.half_life?;
    let next = halvings(policy, confirmed_at, newest).checked_add(1)?;
    (next <= HALVINGS_MAX).then(|| confirmed_at.plus(half_life.saturating_mul(next)))
}

/// A source that says the same attribute in two of its scopes counts once: a value before none, then its newest word.
fn one_per_source(words: &mut Vec<Word<'_>>) {
    let is_alone = words.windows(2).all(|pair| match pair {
        [one, other] => one.source < other.source,
        _ => true,
    });
    if is_alone {
        return;
    }
    words.sort_by(|one, other| {
        one.source
            .cmp(other.source)
            .then_with(|| one.form.cmp(&other.form))
            .then_with(|| other.since.cmp(&one.since))
            .then_with(|| other.confirmed_at.cmp(&one.confirmed_at))
            .then_with(|| value_order(one.value, other.value))
    });
    words.dedup_by(|later, first| later.source == first.source);
}

/// The value that is greater or less than all others that are fresh; the one of the best standing where sizes are equal.
fn by_size(words: &[Word<'_>], best: usize, wanted: Ordering) -> usize {
    let is_any_fresh = words.iter().any(|word| word.form == Form::Value && !word.is_stale());
    let mut chosen: Option<(usize, &Value)> = None;
    for (index, word) in words.iter().enumerate() {
        let is_number = size_order(word.value, word.value).is_some();
        if word.form != Form::Value || !is_number || (is_any_fresh && word.is_stale()) {
            continue;
        }
        let is_further =
            chosen.is_none_or(|(_, held)| size_order(word.value, held) == Some(wanted));
        if is_further {
            chosen = Some((index, word.value));
        }
    }
    chosen.map_or(best, |(index, _)| index)
}

/// Climbs from the text of the best standing to ever more exact ones, by the best standing at each step. What was
/// exact long ago is passed over: after an update it would be exactly wrong.
fn most_specific(words: &[Word<'_>], best: usize) -> usize {
    let mut chosen = best;
    let is_best_stale = words.get(best).is_some_and(Word::is_stale);
    for _ in 0..VOICES_MAX {
        let Some(held) = words.get(chosen).and_then(|word| word.value.as_text()) else { break };
        let more_exact = words.iter().take(VOICES_MAX).position(|word| {
            let is_heard = word.form == Form::Value && (is_best_stale || !word.is_stale());
            let text = word.value.as_text().filter(|_| is_heard);
            text.and_then(|text| exactness(text, held)) == Some(Ordering::Greater)
        });
        match more_exact {
            Some(index) => chosen = index,
            None => break,
        }
    }
    chosen
}

/// What any of the fresh sources lists: in the order of the winner, then what the others add. Nothing when the winner
/// lists all of it, or is no list.
fn union(words: &[Word<'_>]) -> Option<SourceValue> {
    let winner = words.first().filter(|word| matches!(word.value, Value::List(_)))?;
    let is_heard = |word: &&Word<'_>| winner.is_stale() || !word.is_stale();
    let heard = || words.iter().filter(is_heard).take(VOICES_MAX);
    let mut known: BTreeSet<Ordered<'_>> = BTreeSet::new();
    let mut members: Vec<Value> = Vec::new();
    for member in heard().flat_map(Word::members) {
        if members.len() < UNION_MEMBERS_MAX && known.insert(Ordered(member)) {
            members.push(member.clone());
        }
    }
    let own: BTreeSet<Ordered<'_>> = winner.members().iter().map(Ordered).collect();
    if members.len() <= own.len() {
        return None;
    }
    let givers = || heard().filter(|word| !word.members().is_empty());
    let provenance = Provenance {
        source: SourceId { collector: UNION.into(), target: String::new() },
        since: givers().map(|word| word.since).max().unwrap_or(winner.since),
        confirmed_at: givers().map(|word| word.confirmed_at).min().unwrap_or(winner.confirmed_at),
        confidence: givers().map(|word| word.trust).min().unwrap_or(winner.trust),
    };
    Some(SourceValue { value: Value::List(members), provenance })
}
