//! The values that attributes have, and their kinds.

use crate::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// One value of an attribute, generic as the wire and the store treat it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Value {
    /// Looked, and there is none. Not the same as a missing attribute, which was not looked at.
    Absent,
    /// Yes or no.
    Boolean(bool),
    /// A whole number; counts and sizes too, which are never negative.
    Integer(i64),
    /// A number with a fraction. Never NaN: a collector that has none leaves the attribute out.
    Float(f64),
    /// Text, as the source gave it after trimming.
    Text(String),
    /// A moment.
    Time(Timestamp),
    /// Several values, in the order that the source gives meaning to.
    List(Vec<Value>),
    /// Named values.
    Record(BTreeMap<String, Value>),
}

impl Value {
    /// The text, when it is one.
    #[must_use]
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The whole number, when it is one.
    #[must_use]
    pub const fn as_integer(&self) -> Option<i64> {
        match self {
            Self::Integer(number) => Some(*number),
            _ => None,
        }
    }

    /// The value as a person would write it on one line; lists are joined by commas.
    #[must_use]
    pub fn to_line(&self) -> String {
        match self {
            Self::Absent => String::new(),
            Self::Boolean(yes) => yes.to_string(),
            Self::Integer(number) => number.to_string(),
            Self::Float(number) => number.to_string(),
            Self::Text(text) => text.clone(),
            Self::Time(time) => time.millis().to_string(),
            Self::List(values) => values.iter().map(Self::to_line).collect::<Vec<_>>().join(", "),
            Self::Record(fields) => fields
                .iter()
                .map(|(name, value)| format!("{name}: {}", value.to_line()))
                .collect::<Vec<_>>()
                .join(", "),
        }
    }

    /// Whether a value of this form is acceptable where `kind` is declared. [`Value::Absent`] always is.
    #[must_use]
    pub fn fits(&self, kind: Kind) -> bool {
        match (self, kind) {
            (Self::Absent, _)
            | (Self::Boolean(_), Kind::Boolean)
            | (Self::Integer(_), Kind::Integer | Kind::Float)
            | (Self::Float(_), Kind::Float)
            | (Self::Text(_), Kind::Text)
            | (Self::Time(_), Kind::Time)
            | (Self::Record(_), Kind::Record) => true,
            (Self::Integer(number), Kind::Count) => *number >= 0,
            (Self::List(values), Kind::TextList) => {
                values.iter().all(|value| matches!(value, Self::Text(_)))
            }
            (Self::List(values), Kind::RecordList) => {
                values.iter().all(|value| matches!(value, Self::Record(_)))
            }
            _ => false,
        }
    }
}

/// What form the values of an attribute have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Yes or no.
    Boolean,
    /// A whole number that is never negative: a count, a size, a duration.
    Count,
    /// A number with a fraction.
    Float,
    /// A whole number.
    Integer,
    /// Named values.
    Record,
    /// Several records.
    RecordList,
    /// Text.
    Text,
    /// Several texts.
    TextList,
    /// A moment.
    Time,
}

impl Kind {
    /// The name that the lock file, the APIs and the manual use.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Boolean => "boolean",
            Self::Count => "count",
            Self::Float => "float",
            Self::Integer => "integer",
            Self::Record => "record",
            Self::RecordList => "record_list",
            Self::Text => "text",
            Self::TextList => "text_list",
            Self::Time => "time",
        }
    }
}

/// A Rust type that an attribute can be declared with.
pub trait AttributeType {
    /// The kind that the catalog shows for it.
    const KIND: Kind;
    /// The generic form of the value.
    fn into_value(self) -> Value;
}

impl AttributeType for bool {
    const KIND: Kind = Kind::Boolean;
    fn into_value(self) -> Value {
        Value::Boolean(self)
    }
}

impl AttributeType for i64 {
    const KIND: Kind = Kind::Integer;
    fn into_value(self) -> Value {
        Value::Integer(self)
    }
}

impl AttributeType for u64 {
    const KIND: Kind = Kind::Count;
    /// A count beyond `i64::MAX` (9.2 exabytes) is kept at that bound.
    fn into_value(self) -> Value {
        Value::Integer(i64::try_from(self).unwrap_or(i64::MAX))
    }
}

impl AttributeType for f64 {
    const KIND: Kind = Kind::Float;
    /// NaN has no order and no JSON form, so it becomes [`Value::Absent`].
    fn into_value(self) -> Value {
        if self.is_nan() { Value::Absent } else { Value::Float(self) }
    }
}

impl AttributeType for String {
    const KIND: Kind = Kind::Text;
    fn into_value(self) -> Value {
        Value::Text(self)
    }
}

impl AttributeType for Vec<String> {
    const KIND: Kind = Kind::TextList;
    fn into_value(self) -> Value {
        Value::List(self.into_iter().map(Value::Text).collect())
    }
}

impl AttributeType for BTreeMap<String, Value> {
    const KIND: Kind = Kind::Record;
    fn into_value(self) -> Value {
        Value::Record(self)
    }
}

impl AttributeType for Vec<BTreeMap<String, Value>> {
    const KIND: Kind = Kind::RecordList;
    fn into_value(self) -> Value {
        Value::List(self.into_iter().map(Value::Record).collect())
    }
}

impl AttributeType for Timestamp {
    const KIND: Kind = Kind::Time;
    fn into_value(self) -> Value {
        Value::Time(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_of_another_form_does_not_fit() {
        assert!(!Value::Text("4".into()).fits(Kind::Count));
        assert!(!Value::Integer(-1).fits(Kind::Count));
        assert!(!Value::List(vec![Value::Integer(1)]).fits(Kind::TextList));
        assert!(Value::Integer(4).fits(Kind::Count));
        assert!(Value::Absent.fits(Kind::Record));
    }

    #[test]
    fn what_is_not_a_number_becomes_absent() {
        assert_eq!(f64::NAN.into_value(), Value::Absent);
        assert_eq!(u64::MAX.into_value(), Value::Integer(i64::MAX));
    }
}
