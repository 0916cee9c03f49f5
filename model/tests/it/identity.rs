//! Laws of identity keys over hostile text: normalization is idempotent and bounded, spellings make classes.

use model::identity::{
    ALTERNATES_MAX, Junk, VALUE_LENGTH_MAX, alternates, canonical, implied, is_implied_by,
};
use model::{IdentityKey, KeyType, Realm};
use proptest::prelude::*;

/// Texts near the forms that are looked for, and any text at all.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        "[0-9a-fA-FxX:. {}-]{0,48}",
        "(?i)(dell inc\\.|hp|vmware|a/b|)/[ -~]{0,20}",
        "(?i)4c4c4544-00[3-5][0-9a-f]-[3-5][0-9a-f]10-80[3-5][0-9a-f]-[b-d][0-9a-f]c04f[3-5]{6}",
        "([0-9a-f]{2}[:-]){5}[0-9a-f]{2}",
        "(aws|gce|azure|arn:aws:ec2|https)[:/]{0,3}[ -~]{0,60}",
        "[a-z0-9.-]{0,300}",
        "(n/a|none|to be filled by o\\.e\\.m\\.|0123456789|[x0]{1,9})",
        "[\\s\u{0}\u{200b}İΣßA-Z/]{0,40}",
    ]
}

fn realm() -> impl Strategy<Value = Realm> {
    prop_oneof![
        Just(Realm::everywhere()),
        Just(Realm::site("berlin")),
        Just(Realm::host("a")),
        any::<String>().prop_map(Realm),
    ]
}

fn key_type() -> impl Strategy<Value = KeyType> {
    proptest::sample::select(KeyType::ALL)
}

proptest! {
    #[test]
    fn normalization_is_idempotent_and_bounded(key_type in key_type(), realm in realm(), text in text()) {
        if let Ok(key) = IdentityKey::check(key_type, realm, &text) {
            prop_assert!(!key.value.is_empty());
            prop_assert!(key.value.len() <= VALUE_LENGTH_MAX);
            prop_assert!(!Junk::shipped().covers(&key));
            let again = IdentityKey::check(key_type, key.realm.clone(), &key.value);
            prop_assert_eq!(again, Ok(key));
        }
    }

    #[test]
    fn case_and_spaces_around_make_no_difference_where_case_is_folded(text in text()) {
        for key_type in [KeyType::ChassisSerial, KeyType::MacAddress, KeyType::SmbiosUuid, KeyType::Fqdn] {
            let of = |text: &str| IdentityKey::new(key_type, Realm::everywhere(), text);
            prop_assert_eq!(of(&text), of(&format!("  {text}\t ")));
            let ascii = text.to_ascii_uppercase();
            prop_assert_eq!(of(&ascii), of(&ascii.to_ascii_lowercase()));
        }
    }

    #[test]
    fn alternates_are_keys_and_make_classes_with_one_canonical_key(
        key_type in key_type(),
        realm in realm(),
        text in text(),
    ) {
        let Some(key) = IdentityKey::new(key_type, realm, &text) else { return Ok(()) };
        let others = alternates(&key);
        prop_assert!(others.len() <= ALTERNATES_MAX);
        prop_assert!(!others.contains(&key));
        let least = canonical(&key);
        for other in &others {
            let made = IdentityKey::new(other.key_type, other.realm.clone(), &other.value);
            prop_assert_eq!(made.as_ref(), Some(other));
            prop_assert!(alternates(other).contains(&key));
            prop_assert_eq!(canonical(other), least.clone());
        }
    }

    #[test]
    fn what_is_implied_is_a_key_of_its_own_and_known_to_repeat(key_type in key_type(), text in text()) {
        let Some(key) = IdentityKey::new(key_type, Realm::host("a"), &text) else { return Ok(()) };
        let found = implied(&key);
        prop_assert!(found.is_sorted());
        for weak in found {
            let made = IdentityKey::new(weak.key_type, weak.realm.clone(), &weak.value);
            prop_assert_eq!(made.as_ref(), Some(&weak));
            prop_assert!(weak.key_type == key.key_type || is_implied_by(weak.key_type, key.key_type));
        }
    }

    #[test]
    fn any_text_is_a_list_of_junk_or_refused_with_a_reason(text in any::<String>(), value in text()) {
        for text in [text, format!("any = [{value:?}]"), format!("{value} = ['x']")] {
            match Junk::shipped().extended(&text) {
                Ok(junk) => prop_assert!(junk.len() >= Junk::shipped().len()),
                Err(invalid) => prop_assert!(!invalid.problems.is_empty()),
            }
        }
    }
}
