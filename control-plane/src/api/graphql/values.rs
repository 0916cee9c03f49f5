//! Values of attributes as GraphQL values, and the scalars that carry them.
//!
//! GraphQL's own `Int` has 32 bits, so numbers have scalars of their own: `Count`, `Bytes`, `Integer`.

use crate::api::error::{ApiError, shortened};
use crate::api::moment::{self, rfc3339};
use crate::api::view::json_of;
use async_graphql::dynamic::{Scalar, TypeRef};
use async_graphql::{Name as GraphName, Value as GraphValue};
use model::query::{At, Comparison};
use model::{AttributeDefinition, Kind, Timestamp, Unit, Value};

/// The scalars of our own.
pub(super) fn scalars() -> Vec<Scalar> {
    let is_count = |value: &GraphValue| matches!(value, GraphValue::Number(number) if number.as_u64().is_some());
    let is_integer = |value: &GraphValue| matches!(value, GraphValue::Number(number) if number.is_i64() || number.is_u64());
    let is_text = |value: &GraphValue| matches!(value, GraphValue::String(_));
    vec![
        Scalar::new("Bytes").description("A number of bytes, up to 2^63.").validator(is_count),
        Scalar::new("Count")
            .description("A whole number that is never negative, up to 2^63.")
            .validator(is_count),
        Scalar::new("Integer").description("A whole number of 64 bits.").validator(is_integer),
        Scalar::new("Time")
            .description("A moment: RFC 3339, UTC, milliseconds.")
            .validator(is_text),
        Scalar::new("Value").description(
            "A value of any form: null (looked, and there is none), true or false, a number, a text, a list, or an object.",
        ),
    ]
}

/// The type of an attribute's field. Every one may be null: not looked at, or looked and there is none.
pub(super) fn type_of(attribute: &AttributeDefinition) -> TypeRef {
    match attribute.kind {
        Kind::Boolean => TypeRef::named(TypeRef::BOOLEAN),
        Kind::Count if attribute.unit == Unit::Bytes => TypeRef::named("Bytes"),
        Kind::Count => TypeRef::named("Count"),
        Kind::Integer => TypeRef::named("Integer"),
        Kind::Float => TypeRef::named(TypeRef::FLOAT),
        Kind::Text => TypeRef::named(TypeRef::STRING),
        Kind::TextList => TypeRef::named_nn_list(TypeRef::STRING),
        Kind::Time => TypeRef::named("Time"),
        Kind::Record => TypeRef::named("Value"),
        Kind::RecordList => TypeRef::named_nn_list("Value"),
    }
}

/// A value as the field of its declared kind shows it.
///
/// # Errors
/// When what is stored has another form than the catalog declares, which a changed declaration of the user's own
/// can lead to; the attribute's provenance still shows it.
pub(super) fn typed(kind: Kind, value: &Value) -> Result<GraphValue, ApiError> {
    if value.fits(kind) {
        return Ok(graph_of(value));
    }
    let detail =
        "the stored value has another form than the class declares; ask for its provenance";
    Err(ApiError::invalid("attribute", detail))
}

/// A value of any form.
pub(super) fn graph_of(value: &Value) -> GraphValue {
    match value {
        Value::Absent => GraphValue::Null,
        Value::Boolean(yes) => GraphValue::Boolean(*yes),
        Value::Integer(number) => GraphValue::Number((*number).into()),
        Value::Text(text) => GraphValue::String(text.clone()),
        Value::Time(at) => time(*at),
        Value::List(values) => GraphValue::List(values.iter().map(graph_of).collect()),
        Value::Float(_) | Value::Record(_) => {
            // JSON's own rules for numbers and names are what GraphQL's are.
            GraphValue::from_json(json_of(value)).unwrap_or_default()
        }
    }
}

/// A moment.
pub(super) fn time(at: Timestamp) -> GraphValue {
    GraphValue::String(rfc3339(at))
}

/// A whole number.
pub(super) fn count(number: u64) -> GraphValue {
    GraphValue::Number(number.into())
}

/// A member of an enumeration.
pub(super) fn member(name: &str) -> GraphValue {
    GraphValue::Enum(GraphName::new(super::names::upper(name)))
}

/// The moment that is asked about.
pub(super) fn at_of(text: Option<&str>) -> Result<At, ApiError> {
    moment::at(text)
}

/// What a condition compares with, as the filter of REST writes it.
pub(super) fn written(value: &GraphValue) -> Result<String, ApiError> {
    match value {
        GraphValue::Null => Ok("null".into()),
        GraphValue::Boolean(yes) => Ok(yes.to_string()),
        GraphValue::Number(number) => Ok(number.to_string()),
        GraphValue::String(text) => Ok(text.clone()),
        other => {
            let detail = format!(
                "a condition compares with one value, not with `{}`",
                shortened(&other.to_string())
            );
            Err(ApiError::invalid("where", detail))
        }
    }
}

/// The comparisons, as the enumeration names them.
pub(super) const COMPARISONS: [(&str, Comparison, &str); 7] = [
    ("EQUAL", Comparison::Equal, "The same value."),
    ("NOT_EQUAL", Comparison::NotEqual, "Another value, or none."),
    ("LESS", Comparison::Less, "Less than."),
    ("LESS_OR_EQUAL", Comparison::LessOrEqual, "Less than or equal."),
    ("GREATER", Comparison::Greater, "Greater than."),
    ("GREATER_OR_EQUAL", Comparison::GreaterOrEqual, "Greater than or equal."),
    ("CONTAINS", Comparison::Contains, "The text contains it, whatever the case."),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn great_numbers_keep_every_digit() {
        let value = graph_of(&Value::Integer(i64::MAX));
        assert_eq!(value.into_json().unwrap().to_string(), "9223372036854775807");
    }

    #[test]
    fn a_value_of_another_form_is_an_error_and_not_a_wrong_value() {
        assert!(typed(Kind::Count, &Value::Text("five".into())).is_err());
        assert_eq!(typed(Kind::Count, &Value::Absent), Ok(GraphValue::Null));
    }
}
