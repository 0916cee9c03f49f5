//! Whether an observation keeps the limits of the wire. The sender holds them, so that no record of ours is poison.

use model::{Observation, RelationTarget, Value};
use proto::limits::{
    ATTRIBUTES_MAX, KEYS_MAX, NAME_BYTES_MAX, NATIVE_KEY_BYTES_MAX, RELATIONS_MAX, TEXT_BYTES_MAX,
    VALUE_DEPTH_MAX, VALUES_MAX,
};

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.len() <= NAME_BYTES_MAX
}

fn is_native_key(text: &str) -> bool {
    !text.is_empty() && text.len() <= NATIVE_KEY_BYTES_MAX
}

// The recursion is bounded by VALUE_DEPTH_MAX.
fn is_value(value: &Value, depth: usize) -> bool {
    if depth > VALUE_DEPTH_MAX {
        return false;
    }
    match value {
        Value::Text(text) => text.len() <= TEXT_BYTES_MAX,
        Value::List(values) => {
            values.len() <= VALUES_MAX && values.iter().all(|value| is_value(value, depth + 1))
        }
        Value::Record(fields) => {
            fields.len() <= VALUES_MAX
                && fields
                    .iter()
                    .all(|(name, value)| name.len() <= TEXT_BYTES_MAX && is_value(value, depth + 1))
        }
        Value::Absent
        | Value::Boolean(_)
        | Value::Integer(_)
        | Value::Float(_)
        | Value::Time(_) => true,
    }
}

/// Nothing when the observation can be sent; else what is wrong with it.
///
/// # Errors
/// The limit that it breaks, in words that follow the native key.
pub(super) fn check(seen: &Observation) -> Result<(), &'static str> {
    let holds = |condition: bool, why| if condition { Ok(()) } else { Err(why) };
    holds(is_name(&seen.class), "has no usable class")?;
    holds(is_native_key(&seen.native_key), "has no usable native key")?;
    holds(
        seen.within.as_deref().is_none_or(is_native_key),
        "is a part of something without a usable native key",
    )?;
    holds(seen.keys.len() <= KEYS_MAX, "has too many identity keys")?;
    holds(seen.relations.len() <= RELATIONS_MAX, "has too many relations")?;
    holds(
        seen.facts.len() <= ATTRIBUTES_MAX && seen.readings.len() <= ATTRIBUTES_MAX,
        "has too many attributes",
    )?;
    let mut values = seen.facts.iter().chain(&seen.readings);
    holds(
        values.all(|(name, value)| is_name(name) && is_value(value, 0)),
        "has a value that is too long, too wide or too deep",
    )?;
    let are_relations = seen.relations.iter().all(|relation| {
        is_name(&relation.verb)
            && match &relation.target {
                RelationTarget::Native(key) => is_native_key(key),
                RelationTarget::Key(_) => true,
                RelationTarget::Endpoint { protocol, address, .. } => {
                    is_name(protocol) && is_name(address)
                }
            }
    });
    holds(are_relations, "has a relation without a usable target")?;
    let are_keys = seen.keys.iter().all(|key| key.realm.0.len() <= NAME_BYTES_MAX);
    holds(are_keys, "has an identity key with an over-long realm")
}
