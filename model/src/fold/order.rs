//! A total order of values, so that a choice among them never depends on which came first.

use crate::Value;
use std::cmp::Ordering;

/// Orders values: numbers and moments by size, texts by letters, lists and records by their parts, and values of
/// different forms by form. Equal are only values that are the same.
pub(crate) fn value_order(one: &Value, other: &Value) -> Ordering {
    match (one, other) {
        (Value::Boolean(one), Value::Boolean(other)) => one.cmp(other),
        (Value::Integer(one), Value::Integer(other)) => one.cmp(other),
        (Value::Float(one), Value::Float(other)) => one.total_cmp(other),
        (Value::Text(one), Value::Text(other)) => one.cmp(other),
        (Value::Time(one), Value::Time(other)) => one.cmp(other),
        (Value::List(one), Value::List(other)) => one
            .iter()
            .zip(other)
            .map(|(one, other)| value_order(one, other))
            .find(|order| order.is_ne())
            .unwrap_or_else(|| one.len().cmp(&other.len())),
        (Value::Record(one), Value::Record(other)) => one
            .iter()
            .zip(other)
            .map(|((name, one), (other_name, other))| {
                name.cmp(other_name).then_with(|| value_order(one, other))
            })
            .find(|order| order.is_ne())
            .unwrap_or_else(|| one.len().cmp(&other.len())),
        _ => form_of(one).cmp(&form_of(other)),
    }
}

/// Orders numbers by size whatever their form; nothing when one of them is no number.
pub(super) fn size_order(one: &Value, other: &Value) -> Option<Ordering> {
    match (one, other) {
        (Value::Integer(one), Value::Integer(other)) => Some(one.cmp(other)),
        (Value::Boolean(one), Value::Boolean(other)) => Some(one.cmp(other)),
        (Value::Time(one), Value::Time(other)) => Some(one.cmp(other)),
        _ => Some(float_of(one)?.total_cmp(&float_of(other)?)),
    }
}

fn float_of(value: &Value) -> Option<f64> {
    match value {
        Value::Float(number) => Some(*number),
        Value::Integer(number) => {
            // Exact up to 2^53; beyond, halves are still ordered, and integers alone never come here.
            let (high, low) = (number >> 32, number & 0xffff_ffff);
            let high = f64::from(i32::try_from(high).ok()?);
            let low = f64::from(u32::try_from(low).ok()?);
            Some(high.mul_add(4_294_967_296.0, low))
        }
        _ => None,
    }
}

const fn form_of(value: &Value) -> u8 {
    match value {
        Value::Absent => 0,
        Value::Boolean(_) => 1,
        Value::Integer(_) => 2,
        Value::Float(_) => 3,
        Value::Text(_) => 4,
        Value::Time(_) => 5,
        Value::List(_) => 6,
        Value::Record(_) => 7,
    }
}

/// A value that can be kept in an ordered set.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ordered<'a>(pub(super) &'a Value);

impl PartialEq for Ordered<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Ordered<'_> {}

impl PartialOrd for Ordered<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Ordered<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        value_order(self.0, other.0)
    }
}
