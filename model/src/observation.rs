//! Observations: what one collector saw of one item at one time.
//!
//! An observation is immutable. A missing attribute means *not looked at*; [`Value::Absent`] means *looked, and
//! there is none*. Nothing here decides which item it belongs to: that is reconciliation.

use crate::catalog::{Attribute, Class};
use crate::value::{AttributeType, Value};
use crate::{IdentityKey, Name, Nature};
use std::collections::BTreeMap;

/// The longest native key; longer ones are shortened by [`local_key`] with a digest of the rest.
pub const NATIVE_KEY_LENGTH_MAX: usize = 512;

/// What one collector saw of one item.
#[derive(Clone, Debug, PartialEq)]
pub struct Observation {
    /// The class that the collector takes it for.
    pub class: Name,
    /// Names the thing for its source, stable from run to run.
    pub native_key: String,
    /// The native key of the item that it is a part of, for classes told apart within another item.
    pub within: Option<String>,
    /// The evidence by which it may be recognized, sorted.
    pub keys: Vec<IdentityKey>,
    /// The facts that were looked at.
    pub facts: BTreeMap<Name, Value>,
    /// The readings that were looked at. They are outside the fingerprint and make no history.
    pub readings: BTreeMap<Name, Value>,
    /// Relationships to other things, sorted.
    pub relations: Vec<ObservedRelation>,
}

/// A relationship that the source itself stated.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ObservedRelation {
    /// The relationship's name.
    pub verb: Name,
    /// The other end.
    pub target: RelationTarget,
}

/// How the other end of an observed relationship is named.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RelationTarget {
    /// Seen by the same source under this native key.
    Native(String),
    /// Whatever has this identity key.
    Key(IdentityKey),
    /// Whatever listens there at that time: an endpoint on another host.
    Endpoint {
        /// `tcp` or `udp`.
        protocol: String,
        /// IP address.
        address: String,
        /// Port.
        port: u16,
    },
}

impl Observation {
    /// An observation of an item of its own, which the source names `native_key`.
    #[must_use]
    pub fn of(class: &Class, native_key: impl Into<String>) -> Self {
        Self {
            class: class.name.into(),
            native_key: native_key.into(),
            within: None,
            keys: Vec::new(),
            facts: BTreeMap::new(),
            readings: BTreeMap::new(),
            relations: Vec::new(),
        }
    }

    /// An observation of a part of the item that the source names `parent`.
    ///
    /// `parts` are the values of the attributes that tell parts of this class apart, in declared order; together
    /// with the parent they make the native key.
    #[must_use]
    pub fn part(class: &Class, parent: &str, parts: &[&str]) -> Self {
        debug_assert_eq!(
            class.within.len(),
            parts.len(),
            "class {} is told apart by {:?}",
            class.name,
            class.within
        );
        let mut observation = Self::of(class, part_key(class, parent, parts));
        observation.within = Some(parent.to_owned());
        for (name, part) in class.within.iter().zip(parts) {
            observation.facts.insert((*name).into(), Value::Text((*part).to_owned()));
        }
        observation
    }

    /// With this value of an attribute.
    #[must_use]
    pub fn with<T: AttributeType>(mut self, attribute: &Attribute<T>, value: impl Into<T>) -> Self {
        self.set(attribute, value);
        self
    }

    /// With this value, when there is one; else the attribute stays *not looked at*.
    #[must_use]
    pub fn with_some<T: AttributeType>(
        mut self,
        attribute: &Attribute<T>,
        value: Option<impl Into<T>>,
    ) -> Self {
        if let Some(value) = value {
            self.set(attribute, value);
        }
        self
    }

    /// With this value, or *looked and there is none*.
    #[must_use]
    pub fn with_or_absent<T: AttributeType>(
        mut self,
        attribute: &Attribute<T>,
        value: Option<impl Into<T>>,
    ) -> Self {
        match value {
            Some(value) => self.set(attribute, value),
            None => self.put(attribute, Value::Absent),
        }
        self
    }

    /// Sets the value of an attribute.
    pub fn set<T: AttributeType>(&mut self, attribute: &Attribute<T>, value: impl Into<T>) {
        self.put(attribute, value.into().into_value());
    }

    fn put<T: AttributeType>(&mut self, attribute: &Attribute<T>, value: Value) {
        let place = match attribute.nature() {
            Nature::Fact => &mut self.facts,
            Nature::Reading => &mut self.readings,
        };
        place.insert(attribute.name().into(), value);
    }

    /// With this evidence, when it is any.
    #[must_use]
    pub fn key(mut self, key: Option<IdentityKey>) -> Self {
        if let Some(key) = key
            && let Err(place) = self.keys.binary_search(&key)
        {
            self.keys.insert(place, key);
        }
        self
    }

    /// With this relationship.
    #[must_use]
    pub fn relates(mut self, verb: &'static str, target: RelationTarget) -> Self {
        self.relate(verb, target);
        self
    }

    /// Adds this relationship, once.
    pub fn relate(&mut self, verb: &'static str, target: RelationTarget) {
        let relation = ObservedRelation { verb: verb.into(), target };
        if let Err(place) = self.relations.binary_search(&relation) {
            self.relations.insert(place, relation);
        }
    }
}

/// The native key of a part: parent, class and distinguishing values.
#[must_use]
pub fn part_key(class: &Class, parent: &str, parts: &[&str]) -> String {
    format!("{parent}/{}/{}", class.name, local_key(parts))
}

/// Joins the values that tell parts apart; `/` and `\` in them are escaped, an over-long key ends in a digest.
#[must_use]
pub fn local_key(parts: &[&str]) -> String {
    let mut key = String::new();
    for (index, part) in parts.iter().enumerate() {
        if index > 0 {
            key.push('/');
        }
        for letter in part.chars() {
            if letter == '/' || letter == '\\' {
                key.push('\\');
            }
            key.push(letter);
        }
    }
    const LOCAL_KEY_LENGTH_MAX: usize = 192;
    if key.len() <= LOCAL_KEY_LENGTH_MAX {
        return key;
    }
    let digest = blake3::hash(key.as_bytes()).to_hex();
    let start: String = key.chars().take(120).collect();
    format!("{start}~{}", digest.get(..32).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::classes::{host, package};
    use crate::{KeyType, Realm};

    #[test]
    fn parts_with_a_separator_in_their_values_stay_apart() {
        assert_ne!(local_key(&["a/b", "c"]), local_key(&["a", "b/c"]));
        assert_ne!(local_key(&["a\\", "b"]), local_key(&["a", "\\b"]));
    }

    #[test]
    fn an_over_long_local_key_is_bounded_and_stays_distinct() {
        let (one, two) = ("x".repeat(5000) + "1", "x".repeat(5000) + "2");
        assert!(local_key(&[&one]).len() < 200);
        assert_ne!(local_key(&[&one]), local_key(&[&two]));
    }

    #[test]
    fn a_part_carries_what_tells_it_apart() {
        let seen = Observation::part(&package::CLASS, "host", &["dpkg", "bash", "amd64"])
            .with(&package::VERSION, "5.2");
        assert_eq!(seen.within.as_deref(), Some("host"));
        assert_eq!(seen.facts.get("name"), Some(&Value::Text("bash".into())));
        assert_eq!(seen.native_key, "host/package/dpkg/bash/amd64");
    }

    #[test]
    fn the_same_evidence_twice_counts_once() {
        let key = || IdentityKey::new(KeyType::HostName, Realm::everywhere(), "web1");
        let seen = Observation::of(&host::CLASS, "host").key(key()).key(key()).key(None);
        assert_eq!(seen.keys.len(), 1);
    }
}
