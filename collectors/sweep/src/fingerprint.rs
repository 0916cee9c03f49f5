//! What a service's first words say of it, by rules that lie in `data/services.toml`.
//!
//! A rule compares fixed texts only, so that a banner made by an enemy costs no more than its length. A guess is told
//! as product and version, never as more than the service itself said.

use serde::Deserialize;
use std::sync::LazyLock;

/// The longest version that is believed.
const VERSION_LENGTH_MAX: usize = 40;

/// A rule of the file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Rule {
    service: String,
    product: Option<String>,
    starts: String,
    #[serde(default)]
    contains: Vec<String>,
    version_after: Option<String>,
    cpe: Option<String>,
    os: Option<String>,
    #[cfg_attr(not(test), expect(dead_code, reason = "the tests hold the rule against it"))]
    example: String,
    #[cfg_attr(not(test), expect(dead_code, reason = "the tests hold the rule against it"))]
    version: Option<String>,
}

#[derive(Debug, Deserialize)]
struct File {
    rule: Vec<Rule>,
}

static RULES: LazyLock<Vec<Rule>> = LazyLock::new(|| {
    // A test reads the same text; if it could not be read, nothing would be recognized.
    toml::from_str::<File>(include_str!("data/services.toml"))
        .map(|file| file.rule)
        .unwrap_or_default()
});

/// What a service is, as far as it said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Recognized {
    pub(crate) service: Option<String>,
    pub(crate) product: Option<String>,
    pub(crate) version: Option<String>,
    pub(crate) cpe: Option<String>,
    pub(crate) os: Option<String>,
}

/// Recognizes a service by its first words.
pub(crate) fn recognize(banner: &[u8]) -> Recognized {
    // Each byte is a letter, so that rules can speak of bytes too.
    let text: String = banner.iter().map(|byte| char::from(*byte)).collect();
    let lower = text.to_ascii_lowercase();
    if let Some(found) = mysql(banner) {
        return found;
    }
    let fits = |rule: &&Rule| {
        lower.starts_with(&rule.starts.to_ascii_lowercase())
            && rule.contains.iter().all(|part| lower.contains(&part.to_ascii_lowercase()))
    };
    let Some(rule) = RULES.iter().find(fits) else { return Recognized::default() };
    let version = rule.version_after.as_ref().and_then(|before| {
        let place = lower.find(&before.to_ascii_lowercase())?;
        version_at(text.get(place + before.len()..)?)
    });
    Recognized {
        service: Some(rule.service.clone()),
        product: rule.product.clone(),
        cpe: rule.cpe.as_ref().map(|cpe| cpe_name(cpe, version.as_deref())),
        version,
        os: rule.os.clone(),
    }
}

fn version_at(text: &str) -> Option<String> {
    let is_version = |letter: char| {
        letter.is_ascii_alphanumeric() || matches!(letter, '.' | '-' | '_' | '+' | '~')
    };
    let version: String =
        text.chars().take_while(|letter| is_version(*letter)).take(VERSION_LENGTH_MAX).collect();
    version.starts_with(|letter: char| letter.is_ascii_digit()).then_some(version)
}

/// A formatted name of CPE 2.3; letters that mean something there are escaped.
fn cpe_name(vendor_product: &str, version: Option<&str>) -> String {
    let mut escaped = String::new();
    for letter in version.unwrap_or("*").chars() {
        if matches!(letter, '+' | '~') {
            escaped.push('\\');
        }
        escaped.push(letter.to_ascii_lowercase());
    }
    format!("cpe:2.3:a:{vendor_product}:{escaped}:*:*:*:*:*:*:*")
}

/// The greeting of MySQL and MariaDB: length, zero, version of the protocol 10, version of the server, zero.
fn mysql(banner: &[u8]) -> Option<Recognized> {
    let (header, rest) = banner.split_first_chunk::<5>()?;
    let [low, middle, 0, 0, 10] = *header else { return None };
    let length = usize::from(low) | usize::from(middle) << 8;
    if !(20..1024).contains(&length) {
        return None;
    }
    let text = rest.split(|byte| *byte == 0).next()?;
    let text = std::str::from_utf8(text).ok()?;
    let is_maria = text.contains("MariaDB");
    // MariaDB says 5.5.5- first, for clients that do not know its own numbers.
    let version = version_at(text.strip_prefix("5.5.5-").unwrap_or(text))?;
    let version = version.split("-MariaDB").next().unwrap_or_default().to_owned();
    let (product, cpe) =
        if is_maria { ("MariaDB", "mariadb:mariadb") } else { ("MySQL", "oracle:mysql") };
    Some(Recognized {
        service: Some("mysql".to_owned()),
        product: Some(product.to_owned()),
        cpe: Some(cpe_name(cpe, Some(&version))),
        version: Some(version),
        os: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn bytes(text: &str) -> Vec<u8> {
        text.chars().map(|letter| u8::try_from(u32::from(letter)).unwrap()).collect()
    }

    #[test]
    fn every_rule_is_reached_by_its_example() {
        assert!(RULES.len() > 50, "the rules cannot be read");
        for rule in RULES.iter() {
            let found = recognize(&bytes(&rule.example));
            assert_eq!(found.service.as_ref(), Some(&rule.service), "{}", rule.example);
            assert_eq!(found.product, rule.product, "{}", rule.example);
            assert_eq!(found.version, rule.version, "{}", rule.example);
            assert_eq!(found.os, rule.os, "{}", rule.example);
            let parts = found.cpe.as_ref().map(|cpe| cpe.split(':').count());
            assert_eq!(parts, rule.cpe.as_ref().map(|_| 13), "{}", rule.example);
        }
    }

    #[test]
    fn mysql_and_mariadb_are_told_apart_by_their_greeting() {
        let greeting = |version: &[u8]| [&[0x4a, 0, 0, 0, 10], version, &[0; 40]].concat();
        let mysql = recognize(&greeting(b"8.0.36\0"));
        assert_eq!(
            (mysql.product.as_deref(), mysql.version.as_deref()),
            (Some("MySQL"), Some("8.0.36"))
        );
        let maria = recognize(&greeting(b"5.5.5-10.11.6-MariaDB-0+deb12u1\0"));
        assert_eq!(maria.product.as_deref(), Some("MariaDB"));
        assert_eq!(maria.version.as_deref(), Some("10.11.6"));
        assert_eq!(recognize(&greeting(b"\x1b[31m\0")), Recognized::default());
    }

    #[test]
    fn a_version_that_goes_on_is_cut_and_one_that_is_none_is_not_told() {
        let long = format!("SSH-2.0-OpenSSH_{}", "9".repeat(4000));
        assert_eq!(recognize(long.as_bytes()).version.unwrap().len(), VERSION_LENGTH_MAX);
        assert_eq!(recognize(b"SSH-2.0-OpenSSH_$(id)").version, None);
        assert_eq!(recognize(b"SSH-2.0-OpenSSH_9.1+x~y").cpe.unwrap().matches("\\").count(), 2);
    }

    proptest! {
        #[test]
        fn any_first_words_are_recognized_or_not(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            recognize(&bytes);
        }

        #[test]
        fn any_words_after_a_known_beginning_give_a_harmless_version(rest in "\\PC{0,60}") {
            let found = recognize(format!("SSH-2.0-OpenSSH_{rest}").as_bytes());
            let is_harmless = |letter: char| letter.is_ascii_alphanumeric() || ".-_+~".contains(letter);
            prop_assert!(found.version.unwrap_or_default().chars().all(is_harmless));
        }
    }
}
