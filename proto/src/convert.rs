//! Conversion between the wire and the vocabulary, with every bound of [`crate::limits`].

mod decode;
mod encode;

pub use decode::{
    Malformed, body_from, coverage_from, digest_from, observation_from, readings_from, run_id_from,
    scope_from, value_from,
};
pub use encode::{
    body_bytes, coverage_to, digest_to, observation_to, readings_to, scope_to, value_to,
};

use model::Name;

/// Names as static text where the catalog declares them, so that a million observations share them.
#[derive(Debug)]
pub struct Names {
    known: std::collections::HashSet<&'static str>,
}

impl Names {
    /// The names of everything that the product declares.
    #[must_use]
    pub fn built_in() -> Self {
        let mut known = std::collections::HashSet::new();
        let mut learn = |name: &Name| {
            if let Name::Borrowed(text) = name {
                known.insert(*text);
            }
        };
        for class in model::Catalog::built_in().classes() {
            learn(&class.name);
            class.attributes.iter().for_each(|attribute| learn(&attribute.name));
        }
        for relationship in model::relationships::ALL {
            learn(&relationship.as_name());
        }
        Self { known }
    }

    /// The name of this text.
    #[must_use]
    pub fn name(&self, text: String) -> Name {
        match self.known.get(text.as_str()) {
            Some(known) => Name::Borrowed(known),
            None => Name::Owned(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::v1;
    use model::classes::{host, package};
    use model::{IdentityKey, KeyType, Observation, Realm, RelationTarget, relationships};
    use prost::Message;

    fn example() -> Observation {
        Observation::of(&host::CLASS, "host")
            .with(&host::FQDN, "db1.example.net")
            .with(&host::MEMORY_BYTES, 8_u64 << 30)
            .with(&host::REBOOT_REASONS, vec!["linux-image".to_owned()])
            .with(&host::LOAD_1M, 0.5)
            .with_or_absent(&host::OS_CODENAME, None::<String>)
            .key(IdentityKey::new(KeyType::HostName, Realm::site("berlin"), "db1"))
            .relates(relationships::RUNS_ON, RelationTarget::Native("hardware".into()))
            .relates(
                relationships::CONNECTS_TO,
                RelationTarget::Endpoint {
                    protocol: "tcp".into(),
                    address: "192.0.2.7".into(),
                    port: 5432,
                },
            )
    }

    #[test]
    fn an_observation_survives_the_wire() {
        let seen = example();
        let wire =
            v1::Observation::decode(observation_to(&seen).encode_to_vec().as_slice()).unwrap();
        assert_eq!(observation_from(&Names::built_in(), wire).unwrap(), seen);
    }

    #[test]
    fn the_body_of_equal_observations_has_equal_bytes_whatever_their_readings() {
        let (one, two) = (example(), example().with(&host::LOAD_1M, 9.0));
        assert_eq!(body_bytes(&one), body_bytes(&two));
        let changed = example().with(&host::FQDN, "db2.example.net");
        assert_ne!(body_bytes(&one), body_bytes(&changed));
    }

    #[test]
    fn a_value_that_lies_too_deep_is_refused() {
        let mut value = v1::Value { value: Some(v1::value::Value::Boolean(true)) };
        for _ in 0..=crate::limits::VALUE_DEPTH_MAX {
            value = v1::Value {
                value: Some(v1::value::Value::List(v1::ListValue { values: vec![value] })),
            };
        }
        assert!(matches!(value_from(value), Err(Malformed::TooDeep { .. })));
    }

    #[test]
    fn an_over_long_key_or_name_is_refused() {
        let mut wire = observation_to(&example());
        wire.native_key = "x".repeat(crate::limits::NATIVE_KEY_BYTES_MAX + 1);
        assert!(matches!(
            observation_from(&Names::built_in(), wire),
            Err(Malformed::TooLong { .. })
        ));
        let mut wire = observation_to(&example());
        wire.class = String::new();
        assert!(matches!(
            observation_from(&Names::built_in(), wire),
            Err(Malformed::Missing { .. })
        ));
    }

    #[test]
    fn an_unknown_type_of_identity_key_is_dropped_and_the_rest_is_kept() {
        let mut body = v1::Body::decode(body_bytes(&example())).unwrap();
        body.keys.push(v1::Key {
            key_type: "from_a_newer_agent".into(),
            realm: String::new(),
            value: "x".into(),
        });
        let mut wire = observation_to(&example());
        wire.body = body.encode_to_vec().into();
        assert_eq!(observation_from(&Names::built_in(), wire).unwrap().keys, example().keys);
    }

    #[test]
    fn declared_names_are_shared_and_others_are_kept() {
        let names = Names::built_in();
        assert!(matches!(names.name(package::CLASS.name.to_owned()), Name::Borrowed("package")));
        assert!(matches!(names.name("toaster".to_owned()), Name::Owned(_)));
    }

    proptest::proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..2000)) {
            let names = Names::built_in();
            if let Ok(wire) = v1::Observation::decode(bytes.as_slice()) {
                drop(observation_from(&names, wire));
            }
            let wire = v1::Observation { class: "host".into(), native_key: "host".into(), body: bytes.into(), readings: Vec::new() };
            drop(observation_from(&names, wire));
        }
    }
}
