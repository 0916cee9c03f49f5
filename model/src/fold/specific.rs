//! The lattice of texts by how exact they are: `IOS` ≺ `IOS-XE` ≺ `IOS-XE 17.9.4a`.
//!
//! One text is less exact than another when its words are the beginning of the other's. Words are runs of letters and
//! digits in lower case, so that `-`, `.`, `/` and brackets only part them. Texts of which neither begins the other
//! cannot be compared: there trust decides, and never length.

use std::cmp::Ordering;

/// Words of a text that are compared; names and versions of systems have fewer.
const WORDS_MAX: usize = 64;

/// How exact one text is compared with another; nothing when neither begins the other.
pub(super) fn exactness(one: &str, other: &str) -> Option<Ordering> {
    let (mut one, mut other) = (words(one), words(other));
    loop {
        match (one.next(), other.next()) {
            (None, None) => return Some(Ordering::Equal),
            (None, Some(_)) => return Some(Ordering::Less),
            (Some(_), None) => return Some(Ordering::Greater),
            (Some(one), Some(other)) => {
                let is_same = one
                    .chars()
                    .flat_map(char::to_lowercase)
                    .eq(other.chars().flat_map(char::to_lowercase));
                if !is_same {
                    return None;
                }
            }
        }
    }
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|letter: char| !letter.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .take(WORDS_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_that_goes_on_is_more_exact() {
        for (less, more) in [
            ("IOS", "IOS-XE"),
            ("IOS-XE", "IOS-XE 17.9.4a"),
            ("ios", "IOS XE"),
            ("Debian GNU/Linux", "Debian GNU/Linux 12 (bookworm)"),
            ("12", "12.5"),
            ("", "Linux"),
        ] {
            assert_eq!(exactness(less, more), Some(Ordering::Less), "{less} {more}");
            assert_eq!(exactness(more, less), Some(Ordering::Greater), "{less} {more}");
        }
        assert_eq!(exactness("IOS-XE", "ios xe"), Some(Ordering::Equal));
    }

    #[test]
    fn texts_that_part_cannot_be_compared() {
        for (one, other) in [
            ("Linux", "Debian GNU/Linux"),
            ("12.5", "12.50"),
            ("17.9.4", "17.9.4a"),
            ("IOS-XE", "IOS-XR 7"),
        ] {
            assert_eq!(exactness(one, other), None, "{one} {other}");
        }
    }
}
