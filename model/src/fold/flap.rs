//! The flap guard: whether a value comes and goes so often that it says nothing.
//!
//! It is a function of a history that the caller keeps; a fold over the present statements cannot see it. The caller
//! gives the values of one attribute with the moment at which each began: best what *one source each* said, since the
//! history of winners goes quiet as soon as the attribute is frozen, and the guard would open and close in turns.
//! While [`flap`] says so, the caller names the attribute in [`super::Rulings::frozen`] and raises a conflict.
//!
//! Where a single source alternates there is no other value to hold on to: its present one is shown, and the conflict
//! is all that the guard adds.

use super::order::value_order;
use crate::policy::FlapLimit;
use crate::{Timestamp, Value};

/// Values of a history that are looked at, the newest ones; more would be flapping by any limit.
pub const HISTORY_MAX: usize = 512;

/// That a value comes and goes.
#[derive(Clone, Debug, PartialEq)]
pub struct Flap {
    /// How often it returned to a value that it had had before.
    pub returns: u32,
    /// Between which values, in order.
    pub values: Vec<Value>,
    /// The first of the changes.
    pub from: Timestamp,
    /// The last of the changes.
    pub to: Timestamp,
}

/// Whether an attribute flapped in the time before `at`, which is the newest confirmation among the item's statements.
///
/// The history may come in any order and with repetitions.
#[must_use]
pub fn flap(limit: FlapLimit, history: &[(Value, Timestamp)], at: Timestamp) -> Option<Flap> {
    let begin = at.minus(limit.within);
    let mut recent: Vec<&(Value, Timestamp)> =
        history.iter().filter(|(_, since)| *since > begin && *since <= at).collect();
    recent.sort_by(|one, other| one.1.cmp(&other.1).then_with(|| value_order(&one.0, &other.0)));
    recent.dedup_by(|later, first| later.0 == first.0);
    let surplus = recent.len().saturating_sub(HISTORY_MAX);
    let recent = recent.get(surplus..).unwrap_or_default();
    let mut values: Vec<Value> = Vec::new();
    let mut returns: u32 = 0;
    for (value, _) in recent {
        match values.binary_search_by(|held| value_order(held, value)) {
            Ok(_) => returns = returns.saturating_add(1),
            Err(place) => values.insert(place, value.clone()),
        }
    }
    let (first, last) = (recent.first()?, recent.last()?);
    let found = Flap { returns, values, from: first.1, to: last.1 };
    (returns > limit.returns_max).then_some(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    const LIMIT: FlapLimit = FlapLimit { returns_max: 2, within: Duration::from_secs(100) };

    fn history(values: &[(&str, i64)]) -> Vec<(Value, Timestamp)> {
        values
            .iter()
            .map(|(text, at)| (Value::Text((*text).into()), Timestamp::from_seconds(*at)))
            .collect()
    }

    #[test]
    fn a_value_that_moves_on_does_not_flap() {
        let moving: Vec<(Value, Timestamp)> = (0..1_000)
            .map(|number| (Value::Integer(number), Timestamp::from_seconds(900 + number / 10)))
            .collect();
        assert_eq!(flap(LIMIT, &moving, Timestamp::from_seconds(1_000)), None);
        assert_eq!(flap(LIMIT, &[], Timestamp::from_seconds(1_000)), None);
    }

    #[test]
    fn a_value_that_returns_too_often_in_too_short_a_time_flaps() {
        let there_and_back = [("a", 10), ("b", 20), ("a", 30), ("b", 40), ("a", 50)];
        let found = flap(LIMIT, &history(&there_and_back), Timestamp::from_seconds(60)).unwrap();
        assert_eq!(found.returns, 3);
        assert_eq!(found.values, [Value::Text("a".into()), Value::Text("b".into())]);
        assert_eq!((found.from.millis(), found.to.millis()), (10_000, 50_000));
        // One return fewer, or a look after the time.
        assert_eq!(flap(LIMIT, &history(&there_and_back[..4]), Timestamp::from_seconds(60)), None);
        assert_eq!(flap(LIMIT, &history(&there_and_back), Timestamp::from_seconds(130)), None);
    }

    #[test]
    fn order_and_repetition_of_the_history_make_no_difference() {
        let mut all = history(&[("a", 10), ("b", 20), ("a", 30), ("b", 40), ("a", 50)]);
        let at = Timestamp::from_seconds(60);
        let expected = flap(LIMIT, &all, at);
        all.extend(all.clone());
        all.reverse();
        assert_eq!(flap(LIMIT, &all, at), expected);
    }

    #[test]
    fn a_history_without_end_is_looked_at_up_to_a_limit() {
        let endless: Vec<(Value, Timestamp)> = (0..100_000)
            .map(|number| (Value::Integer(number % 2), Timestamp::from_millis(number)))
            .collect();
        let found = flap(LIMIT, &endless, Timestamp::from_seconds(100)).unwrap();
        assert_eq!(found.returns, u32::try_from(HISTORY_MAX).unwrap() - 2);
    }
}
