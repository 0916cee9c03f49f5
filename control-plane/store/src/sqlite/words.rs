//! Words that a person searches for: as the index of the present takes them, and compared with what an item said at
//! a past moment, which no index knows.

use super::assemble::Said;
use model::KeyType;

/// Words of a text search; a person types fewer.
const WORDS_MAX: usize = 16;

/// The words of a text. Every word must match, by prefix.
pub(super) struct Words(Vec<String>);

fn split(text: &str) -> impl Iterator<Item = &str> {
    text.split(|letter: char| !letter.is_alphanumeric() && letter != ':')
        .filter(|word| !word.is_empty())
}

impl Words {
    pub(super) fn of(text: &str) -> Self {
        Self(split(text).take(WORDS_MAX).map(str::to_lowercase).collect())
    }

    /// Whether there is no word in the text.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The expression that asks the index for all of them.
    pub(super) fn expression(&self) -> String {
        self.0.iter().map(|word| format!("\"{word}\"*")).collect::<Vec<_>>().join(" AND ")
    }

    /// Whether a title and what was said have all of them. Case does not matter; accents do, unlike in the index.
    pub(super) fn are_in(&self, title: &str, said: &[Said]) -> bool {
        let keys = said.iter().flat_map(|one| &one.record.seen.keys);
        let keys = keys.filter(|key| is_typed_by_people(key.key_type));
        let texts: Vec<String> = std::iter::once(title)
            .chain(keys.map(|key| key.value.as_str()))
            .map(str::to_lowercase)
            .collect();
        self.0.iter().all(|word| {
            texts.iter().flat_map(|text| split(text)).any(|has| has.starts_with(word.as_str()))
        })
    }
}

/// Whether people look for items by such a key; the words that are indexed are made of the same ones.
fn is_typed_by_people(key_type: KeyType) -> bool {
    matches!(
        key_type,
        KeyType::Fqdn
            | KeyType::HostName
            | KeyType::MacAddress
            | KeyType::IpAddress
            | KeyType::CloudId
            | KeyType::ChassisSerial
            | KeyType::BoardSerial
            | KeyType::DiskSerial
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_must_match_by_prefix_whatever_the_case() {
        let is_in = |text: &str, title: &str| Words::of(text).are_in(title, &[]);
        assert!(is_in("DB1 exam", "db1.example.net"));
        assert!(!is_in("db1 other", "db1.example.net"));
        assert!(!is_in("ample", "db1.example.net"));
    }

    #[test]
    fn signs_of_the_index_language_are_no_words() {
        assert!(Words::of("\" * ( )").is_empty());
        assert_eq!(Words::of("a\" OR b*").expression(), "\"a\"* AND \"or\"* AND \"b\"*");
    }
}
