//! From the vocabulary to the wire. Encoding is deterministic: equal observations give equal bytes.

use crate::v1;
use bytes::Bytes;
use model::{
    Coverage, IdentityKey, Name, Observation, RelationTarget, ScopeDigest, SourceId, Value,
};
use prost::Message;
use std::collections::BTreeMap;

/// The wire form of a value.
#[must_use]
pub fn value_to(value: &Value) -> v1::Value {
    use v1::value::Value as Wire;
    let wire = match value {
        Value::Absent => Wire::Absent(true),
        Value::Boolean(yes) => Wire::Boolean(*yes),
        Value::Integer(number) => Wire::Integer(*number),
        Value::Float(number) => Wire::Float(*number),
        Value::Text(text) => Wire::Text(text.clone()),
        Value::Time(time) => Wire::Time(time.millis()),
        Value::List(values) => {
            Wire::List(v1::ListValue { values: values.iter().map(value_to).collect() })
        }
        Value::Record(fields) => Wire::Record(v1::RecordValue {
            fields: fields
                .iter()
                .map(|(name, value)| v1::Attribute {
                    name: name.clone(),
                    value: Some(value_to(value)),
                })
                .collect(),
        }),
    };
    v1::Value { value: Some(wire) }
}

/// The wire form of named values, sorted by name.
#[must_use]
pub fn readings_to(values: &BTreeMap<Name, Value>) -> Vec<v1::Attribute> {
    values
        .iter()
        .map(|(name, value)| v1::Attribute {
            name: name.clone().into_owned(),
            value: Some(value_to(value)),
        })
        .collect()
}

fn key_to(key: &IdentityKey) -> v1::Key {
    v1::Key {
        key_type: key.key_type.name().to_owned(),
        realm: key.realm.0.clone(),
        value: key.value.clone(),
    }
}

/// The bytes of an observation's body: everything but its readings. The content hash covers them.
#[must_use]
pub fn body_bytes(seen: &Observation) -> Bytes {
    let relations = seen.relations.iter().map(|relation| {
        use v1::relation::Target;
        let target = match &relation.target {
            RelationTarget::Native(key) => Target::NativeKey(key.clone()),
            RelationTarget::Key(key) => Target::Key(key_to(key)),
            RelationTarget::Endpoint { protocol, address, port } => {
                Target::Endpoint(v1::Endpoint {
                    protocol: protocol.clone(),
                    address: address.clone(),
                    port: u32::from(*port),
                })
            }
        };
        v1::Relation { verb: relation.verb.clone().into_owned(), target: Some(target) }
    });
    let body = v1::Body {
        within: seen.within.clone().unwrap_or_default(),
        keys: seen.keys.iter().map(key_to).collect(),
        facts: readings_to(&seen.facts),
        relations: relations.collect(),
    };
    body.encode_to_vec().into()
}

/// The wire form of an observation.
#[must_use]
pub fn observation_to(seen: &Observation) -> v1::Observation {
    v1::Observation {
        class: seen.class.clone().into_owned(),
        native_key: seen.native_key.clone(),
        body: body_bytes(seen),
        readings: readings_to(&seen.readings),
    }
}

/// The wire form of a coverage.
#[must_use]
pub fn coverage_to(coverage: &Coverage) -> v1::Coverage {
    v1::Coverage {
        status: coverage.status.name().to_owned(),
        reason: coverage.reason.name().to_owned(),
        detail: coverage.detail.clone(),
    }
}

/// The wire form of a scope of a source.
#[must_use]
pub fn scope_to(source: &SourceId, scope: &str) -> v1::ScopeName {
    v1::ScopeName {
        collector: source.collector.clone(),
        target: source.target.clone(),
        scope: scope.to_owned(),
    }
}

/// The wire form of a digest.
#[must_use]
pub fn digest_to(digest: ScopeDigest) -> Vec<u8> {
    digest.0.to_le_bytes().to_vec()
}
