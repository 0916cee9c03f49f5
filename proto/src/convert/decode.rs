//! From the wire to the vocabulary. What is malformed, over-long or too deep is refused with a reason.

use super::Names;
use crate::limits::{
    ATTRIBUTES_MAX, KEYS_MAX, NAME_BYTES_MAX, NATIVE_KEY_BYTES_MAX, RELATIONS_MAX, TEXT_BYTES_MAX,
    VALUE_DEPTH_MAX, VALUES_MAX,
};
use crate::v1;
use model::run::{CoverageReason, CoverageStatus};
use model::{
    Coverage, IdentityKey, KeyType, Name, Observation, ObservedRelation, Realm, RelationTarget,
    RunId, ScopeDigest, SourceId, Timestamp, Value,
};
use prost::Message;
use std::collections::BTreeMap;

/// Why a message cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// The bytes are no message of that type.
    #[error("the bytes of `{what}` are no such message")]
    Undecodable {
        /// The message.
        what: &'static str,
    },
    /// A field that must be there is not.
    #[error("`{what}` is missing")]
    Missing {
        /// The field.
        what: &'static str,
    },
    /// A field has a value outside its set.
    #[error("`{what}` has no such value: `{value}`")]
    UnknownValue {
        /// The field.
        what: &'static str,
        /// The value, shortened.
        value: String,
    },
    /// A text is longer than its limit.
    #[error("`{what}` has {bytes} bytes; the limit is {limit}")]
    TooLong {
        /// The field.
        what: &'static str,
        /// Its length.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// There are more of them than the limit.
    #[error("there are {count} of `{what}`; the limit is {limit}")]
    TooMany {
        /// The field.
        what: &'static str,
        /// How many.
        count: usize,
        /// The limit.
        limit: usize,
    },
    /// Lists and records lie too deep in each other.
    #[error("a value lies more than {limit} lists and records deep")]
    TooDeep {
        /// The limit.
        limit: usize,
    },
}

fn bounded(what: &'static str, text: String, limit: usize) -> Result<String, Malformed> {
    if text.len() > limit {
        return Err(Malformed::TooLong { what, bytes: text.len(), limit });
    }
    Ok(text)
}

fn present(what: &'static str, text: String, limit: usize) -> Result<String, Malformed> {
    if text.is_empty() {
        return Err(Malformed::Missing { what });
    }
    bounded(what, text, limit)
}

fn few<T>(what: &'static str, values: Vec<T>, limit: usize) -> Result<Vec<T>, Malformed> {
    if values.len() > limit {
        return Err(Malformed::TooMany { what, count: values.len(), limit });
    }
    Ok(values)
}

/// The value of a wire value.
///
/// # Errors
/// When it is empty, over-long, too wide or too deep.
pub fn value_from(value: v1::Value) -> Result<Value, Malformed> {
    value_at(value, 0)
}

// The recursion is bounded by VALUE_DEPTH_MAX (and prost refuses a message that lies 100 deep before that).
fn value_at(value: v1::Value, depth: usize) -> Result<Value, Malformed> {
    use v1::value::Value as Wire;
    if depth > VALUE_DEPTH_MAX {
        return Err(Malformed::TooDeep { limit: VALUE_DEPTH_MAX });
    }
    Ok(match value.value.ok_or(Malformed::Missing { what: "value" })? {
        Wire::Absent(_) => Value::Absent,
        Wire::Boolean(yes) => Value::Boolean(yes),
        Wire::Integer(number) => Value::Integer(number),
        Wire::Float(number) if number.is_nan() => Value::Absent,
        Wire::Float(number) => Value::Float(number),
        Wire::Text(text) => Value::Text(bounded("text", text, TEXT_BYTES_MAX)?),
        Wire::Time(millis) => Value::Time(Timestamp::from_millis(millis)),
        Wire::List(list) => Value::List(
            few("values of a list", list.values, VALUES_MAX)?
                .into_iter()
                .map(|value| value_at(value, depth + 1))
                .collect::<Result<_, _>>()?,
        ),
        Wire::Record(record) => Value::Record(
            few("fields of a record", record.fields, VALUES_MAX)?
                .into_iter()
                .map(|field| {
                    let name = bounded("name of a field", field.name, TEXT_BYTES_MAX)?;
                    let value =
                        field.value.ok_or(Malformed::Missing { what: "value of a field" })?;
                    Ok((name, value_at(value, depth + 1)?))
                })
                .collect::<Result<_, Malformed>>()?,
        ),
    })
}

/// Named values.
///
/// # Errors
/// When there are too many, or one is malformed.
pub fn readings_from(
    names: &Names,
    attributes: Vec<v1::Attribute>,
) -> Result<BTreeMap<Name, Value>, Malformed> {
    few("attributes", attributes, ATTRIBUTES_MAX)?
        .into_iter()
        .map(|attribute| {
            let name = present("name of an attribute", attribute.name, NAME_BYTES_MAX)?;
            let value =
                attribute.value.ok_or(Malformed::Missing { what: "value of an attribute" })?;
            Ok((names.name(name), value_from(value)?))
        })
        .collect()
}

/// The key, or nothing when a newer agent sends a type that this build does not know.
fn key_from(key: v1::Key) -> Result<Option<IdentityKey>, Malformed> {
    let value = present("value of an identity key", key.value, model::identity::VALUE_LENGTH_MAX)?;
    let realm = bounded("realm of an identity key", key.realm, NAME_BYTES_MAX)?;
    let Some(key_type) = KeyType::from_name(&key.key_type) else { return Ok(None) };
    // The same normalization as on the agent: evidence is never taken on the word of the sender.
    Ok(IdentityKey::new(key_type, Realm(realm), &value))
}

fn relation_from(
    names: &Names,
    relation: v1::Relation,
) -> Result<Option<ObservedRelation>, Malformed> {
    use v1::relation::Target;
    let verb = names.name(present("verb of a relation", relation.verb, NAME_BYTES_MAX)?);
    let target = match relation.target {
        None => return Ok(None),
        Some(Target::NativeKey(key)) => {
            RelationTarget::Native(present("target of a relation", key, NATIVE_KEY_BYTES_MAX)?)
        }
        Some(Target::Key(key)) => match key_from(key)? {
            Some(key) => RelationTarget::Key(key),
            None => return Ok(None),
        },
        Some(Target::Endpoint(endpoint)) => RelationTarget::Endpoint {
            protocol: present("protocol of an endpoint", endpoint.protocol, NAME_BYTES_MAX)?,
            address: present("address of an endpoint", endpoint.address, NAME_BYTES_MAX)?,
            port: u16::try_from(endpoint.port).map_err(|_| Malformed::UnknownValue {
                what: "port of an endpoint",
                value: endpoint.port.to_string(),
            })?,
        },
    };
    Ok(Some(ObservedRelation { verb, target }))
}

/// Fills `seen` from the encoded body.
///
/// # Errors
/// When the bytes are no body, or break a limit.
pub fn body_from(names: &Names, bytes: &[u8], seen: &mut Observation) -> Result<(), Malformed> {
    let body = v1::Body::decode(bytes)
        .map_err(|_| Malformed::Undecodable { what: "body of an observation" })?;
    seen.within = match bounded("within", body.within, NATIVE_KEY_BYTES_MAX)? {
        within if within.is_empty() => None,
        within => Some(within),
    };
    seen.keys = few("identity keys", body.keys, KEYS_MAX)?
        .into_iter()
        .filter_map(|key| key_from(key).transpose())
        .collect::<Result<_, _>>()?;
    seen.keys.sort();
    seen.keys.dedup();
    seen.facts = readings_from(names, body.facts)?;
    seen.relations = few("relations", body.relations, RELATIONS_MAX)?
        .into_iter()
        .filter_map(|relation| relation_from(names, relation).transpose())
        .collect::<Result<_, _>>()?;
    seen.relations.sort();
    seen.relations.dedup();
    Ok(())
}

/// The observation of a wire observation.
///
/// # Errors
/// When it is malformed or breaks a limit.
pub fn observation_from(names: &Names, wire: v1::Observation) -> Result<Observation, Malformed> {
    let mut seen = Observation {
        class: names.name(present("class", wire.class, NAME_BYTES_MAX)?),
        native_key: present("native key", wire.native_key, NATIVE_KEY_BYTES_MAX)?,
        within: None,
        keys: Vec::new(),
        facts: BTreeMap::new(),
        readings: readings_from(names, wire.readings)?,
        relations: Vec::new(),
    };
    body_from(names, &wire.body, &mut seen)?;
    Ok(seen)
}

/// The coverage of a wire coverage.
///
/// # Errors
/// When it is missing or its status is unknown. An unknown reason becomes a reason in words.
pub fn coverage_from(wire: Option<v1::Coverage>) -> Result<Coverage, Malformed> {
    let wire = wire.ok_or(Malformed::Missing { what: "coverage" })?;
    let status = [CoverageStatus::Complete, CoverageStatus::Partial, CoverageStatus::NotLookedAt]
        .into_iter()
        .find(|status| status.name() == wire.status)
        .ok_or_else(|| Malformed::UnknownValue {
            what: "status of a coverage",
            value: wire.status.chars().take(64).collect(),
        })?;
    let reason = CoverageReason::ALL.into_iter().find(|reason| reason.name() == wire.reason);
    let detail = bounded("detail of a coverage", wire.detail, TEXT_BYTES_MAX)?;
    Ok(Coverage { status, reason: reason.unwrap_or(CoverageReason::None), detail })
}

/// The source and scope of a wire scope.
///
/// # Errors
/// When a part is missing or over-long.
pub fn scope_from(wire: Option<v1::ScopeName>) -> Result<(SourceId, String), Malformed> {
    let wire = wire.ok_or(Malformed::Missing { what: "scope" })?;
    let source = SourceId {
        collector: present("collector of a scope", wire.collector, NAME_BYTES_MAX)?,
        target: present("target of a scope", wire.target, NATIVE_KEY_BYTES_MAX)?,
    };
    Ok((source, present("name of a scope", wire.scope, NATIVE_KEY_BYTES_MAX)?))
}

/// The digest of 16 bytes.
///
/// # Errors
/// When there are not 16.
pub fn digest_from(bytes: &[u8]) -> Result<ScopeDigest, Malformed> {
    let bytes: [u8; 16] =
        bytes.try_into().map_err(|_| Malformed::Missing { what: "digest of 16 bytes" })?;
    Ok(ScopeDigest(u128::from_le_bytes(bytes)))
}

/// The run id of 16 bytes.
///
/// # Errors
/// When there are not 16.
pub fn run_id_from(bytes: &[u8]) -> Result<RunId, Malformed> {
    let bytes: [u8; 16] =
        bytes.try_into().map_err(|_| Malformed::Missing { what: "run id of 16 bytes" })?;
    Ok(RunId::from_bytes(bytes))
}
