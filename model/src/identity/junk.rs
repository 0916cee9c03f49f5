//! The list of junk: values that firmware, images and drivers carry where an identity should be.
//!
//! The shipped list (`data/junk.toml`) is part of the program, because an agent must not send what the control plane
//! would drop. A file of the same form adds to it at run time on the side that decides; nothing is taken out of it.
//!
//! Deliberately not here: what is junk by its form alone (`normalize`), and reading the user's file.

use super::alternates::swapped_uuid;
use super::normalize::{Form, serial_part};
use super::{IdentityKey, KeyType, VALUE_LENGTH_MAX};
use crate::problems::{Problem, Problems, sentence};
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::LazyLock;
use toml::Spanned;

/// Bytes of a file of junk: room for [`VALUES_MAX`] values of ordinary length.
pub const FILE_BYTES_MAX: usize = 1024 * 1024;

/// Values in a list: far more than placeholders exist; each costs memory and is looked at for every key.
pub const VALUES_MAX: usize = 10_000;

const SHIPPED: &str = include_str!("../../data/junk.toml");

static BUILT_IN: LazyLock<Junk> = LazyLock::new(|| {
    let mut junk = Junk::default();
    #[expect(clippy::expect_used, reason = "the text is part of the program, and a test reads it")]
    junk.add(SHIPPED).expect("the shipped list of junk is well formed");
    junk
});

/// Values that identify nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Junk {
    any: HashSet<String>,
    of_type: BTreeMap<KeyType, HashSet<String>>,
}

/// Why a file of junk was not taken. The list is as it was before.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the list of junk values is not acceptable: {}", sentence(.problems))]
pub struct InvalidJunk {
    /// At least one, in the order of lines.
    pub problems: Vec<Problem>,
}

type File = BTreeMap<Spanned<String>, Vec<Spanned<String>>>;

impl Junk {
    /// The list that is part of the program.
    #[must_use]
    pub fn shipped() -> &'static Self {
        &BUILT_IN
    }

    /// This list with the values of a file added.
    ///
    /// # Errors
    /// [`InvalidJunk`] with every problem that was found.
    pub fn extended(&self, text: &str) -> Result<Self, InvalidJunk> {
        let mut junk = self.clone();
        junk.add(text)?;
        Ok(junk)
    }

    /// Whether a key identifies nothing by this list. The shipped list was applied when the key was made.
    #[must_use]
    pub fn covers(&self, key: &IdentityKey) -> bool {
        self.has(key.key_type, &key.value)
    }

    /// How many values it has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.of_type.values().map(HashSet::len).fold(self.any.len(), usize::saturating_add)
    }

    /// Whether it has none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether a normalized value of this type is in the list.
    pub(super) fn has(&self, key_type: KeyType, value: &str) -> bool {
        // What a person declared as the key of an own class may well be called `default`.
        let is_named_by_people = key_type == KeyType::UserKey;
        let has_exactly = |value: &str| {
            !is_named_by_people && self.any.contains(value)
                || self.of_type.get(&key_type).is_some_and(|values| values.contains(value))
        };
        let has = |value: &str| {
            has_exactly(value)
                || value.chars().any(char::is_uppercase) && has_exactly(&value.to_lowercase())
        };
        match key_type.form() {
            Form::Serial => {
                // The vendor may have a slash in its name, and so may the placeholder (`n/a`).
                has(value)
                    || has(serial_part(value))
                    || value
                        .match_indices('/')
                        .any(|(place, _)| value.get(place.saturating_add(1)..).is_some_and(&has))
            }
            Form::Uuid => has(value) || swapped_uuid(value).is_some_and(|other| has(&other)),
            _ => has(value),
        }
    }

    fn add(&mut self, text: &str) -> Result<(), InvalidJunk> {
        let mut problems = Problems::of(text);
        let invalid = |problems: Problems<'_>| InvalidJunk { problems: problems.into_list() };
        if text.len() > FILE_BYTES_MAX {
            problems.note(
                0..0,
                format!("the file has {} bytes, at most {FILE_BYTES_MAX} are read", text.len()),
            );
            return Err(invalid(problems));
        }
        let file: File = match toml::from_str(text) {
            Ok(file) => file,
            Err(error) => {
                problems.note(error.span().unwrap_or(0..0), error.message().to_owned());
                return Err(invalid(problems));
            }
        };
        let count = file.values().map(Vec::len).fold(0, usize::saturating_add);
        if count.saturating_add(self.len()) > VALUES_MAX {
            problems.note(0..0, format!("{count} values, at most {VALUES_MAX} are allowed in all"));
            return Err(invalid(problems));
        }
        let mut extended = self.clone();
        for (name, entries) in file {
            let key_type = KeyType::from_name(name.get_ref());
            if key_type.is_none() && name.get_ref() != "any" {
                problems.note(name.span(), unknown_type(name.get_ref()));
                continue;
            }
            for entry in entries {
                let folded = folded(entry.get_ref());
                if folded.is_empty() || folded.len() > VALUE_LENGTH_MAX {
                    let text =
                        format!("a value of junk has 1 to {VALUE_LENGTH_MAX} bytes: take it out");
                    problems.note(entry.span(), text);
                    continue;
                }
                let values = match key_type {
                    Some(key_type) => extended.of_type.entry(key_type).or_default(),
                    None => &mut extended.any,
                };
                values.insert(folded);
            }
        }
        if !problems.is_empty() {
            return Err(invalid(problems));
        }
        *self = extended;
        Ok(())
    }
}

fn unknown_type(name: &str) -> String {
    let name: String = name.chars().take(80).collect();
    let known: BTreeSet<&str> = KeyType::ALL.iter().map(|key_type| key_type.name()).collect();
    let known = known.into_iter().collect::<Vec<_>>().join(", ");
    format!("`{name}` is no type of identity key: use any, {known}")
}

fn folded(value: &str) -> String {
    value.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase()
}
