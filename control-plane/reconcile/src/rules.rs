//! The rules of identity: how much each kind of evidence weighs, and from how many bits on two sightings are one item.
//!
//! They are data: built-in ones are compiled in, others are read from TOML of the same form. What a file does not say
//! is as built in; what it says and nobody knows is an error that names it.
//!
//! Deliberately not here: what a key is and when it is valid (`model::identity`), how values win (`model::fold`), and
//! what the same file says of that (`model::policy`).

use model::{KeyType, Tier};
use serde::Deserialize;
use std::collections::BTreeMap;

/// The rules that are compiled in.
pub const BUILT_IN: &str = include_str!("../data/identity.toml");

/// The longest rule file that is read.
pub(crate) const BYTES_MAX: usize = 256 * 1024;

/// The most bits that one kind of evidence can weigh.
const BITS_MAX: i32 = 200;

/// A value that so many things of one class carry, by the list of one kind of source, is no evidence at all.
pub(crate) const COMMON_AT: usize = 46;

/// Up to here a value keeps its whole weight: a thing that is enrolled again is listed twice for a while.
const RARE_UP_TO: usize = 2;

/// Why a rule file was not taken.
#[derive(Debug, thiserror::Error)]
pub enum RulesError {
    /// It is too long.
    #[error("the rules have {length} bytes; {BYTES_MAX} are read at most")]
    TooLong {
        /// How long it is.
        length: usize,
    },
    /// It is not what is expected.
    #[error("the rules cannot be read: {0}")]
    Malformed(String),
    /// A kind of evidence that does not exist.
    #[error("`{0}` is no kind of identity key; `dharma api classes` and the reference list them")]
    UnknownKey(String),
    /// A number that makes no sense.
    #[error("{what} is {value}; it must be between {least} and {most}")]
    OutOfRange {
        /// Which.
        what: String,
        /// What it is.
        value: i32,
        /// The least.
        least: i32,
        /// The most.
        most: i32,
    },
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    version: String,
    #[serde(default)]
    default: Section,
    #[serde(default)]
    class: BTreeMap<String, Section>,
    /// What the same file says of values is read by `model::policy`, which also says what is wrong with it.
    #[serde(default, rename = "trust")]
    _trust: serde::de::IgnoredAny,
    #[serde(default, rename = "policy_default")]
    _policy_default: serde::de::IgnoredAny,
    #[serde(default, rename = "policy")]
    _policy: serde::de::IgnoredAny,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Section {
    link_at: Option<i32>,
    review_at: Option<i32>,
    veto: Option<i32>,
    installation_max: Option<i32>,
    equal_values_max: Option<i32>,
    #[serde(default)]
    bits: BTreeMap<String, i32>,
    #[serde(default)]
    against: BTreeMap<String, i32>,
}

/// The rules for the items of one class.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClassRules {
    /// From here on two sightings are one item.
    pub link_at: i32,
    /// From here on a person is asked.
    pub review_at: i32,
    /// What a different value of a single-valued hardware key takes away.
    pub veto: i32,
    /// All keys of an installation together: below `link_at`, because clones share them.
    pub installation_max: i32,
    /// How many equal values of a key that a thing can have several of are counted.
    pub equal_values_max: usize,
    bits: BTreeMap<KeyType, i32>,
    against: BTreeMap<KeyType, i32>,
}

impl ClassRules {
    fn declared() -> Self {
        let bits = KeyType::ALL.iter().map(|key_type| (*key_type, key_type.bits())).collect();
        Self {
            link_at: 24,
            review_at: 12,
            veto: 25,
            installation_max: 18,
            equal_values_max: 2,
            bits,
            against: BTreeMap::new(),
        }
    }

    fn with(mut self, place: &str, section: &Section) -> Result<Self, RulesError> {
        let bounded = |what: &str, value: i32, least: i32| {
            if (least..=BITS_MAX).contains(&value) {
                return Ok(value);
            }
            let what = format!("`{place}.{what}`");
            Err(RulesError::OutOfRange { what, value, least, most: BITS_MAX })
        };
        let links = [
            ("link_at", section.link_at, &mut self.link_at, 1),
            ("review_at", section.review_at, &mut self.review_at, 1),
            ("veto", section.veto, &mut self.veto, 0),
            ("installation_max", section.installation_max, &mut self.installation_max, 0),
        ];
        for (what, value, place, least) in links {
            if let Some(value) = value {
                *place = bounded(what, value, least)?;
            }
        }
        if let Some(value) = section.equal_values_max {
            let value = bounded("equal_values_max", value, 1)?;
            self.equal_values_max = usize::try_from(value).unwrap_or(1);
        }
        if self.review_at > self.link_at {
            return Err(RulesError::OutOfRange {
                what: format!("`{place}.review_at`"),
                value: self.review_at,
                least: 1,
                most: self.link_at,
            });
        }
        for (name, value) in &section.bits {
            let key_type =
                KeyType::from_name(name).ok_or_else(|| RulesError::UnknownKey(name.clone()))?;
            self.bits.insert(key_type, bounded(name, *value, 0)?);
        }
        for (name, value) in &section.against {
            let key_type =
                KeyType::from_name(name).ok_or_else(|| RulesError::UnknownKey(name.clone()))?;
            self.against.insert(key_type, bounded(name, *value, 0)?);
        }
        Ok(self)
    }

    /// How many bits are taken away when both have such a key and no value is equal. An agent's own id says nothing
    /// then: a host that is enrolled again has a new one.
    #[must_use]
    pub fn disagreement(&self, key_type: KeyType) -> i32 {
        let is_strong = matches!(key_type.tier(), Tier::Hardware | Tier::Native);
        let is_veto = is_strong && key_type.is_single() && key_type != KeyType::AgentKey;
        let otherwise = if is_veto { self.veto } else { 0 };
        self.against.get(&key_type).copied().unwrap_or(otherwise)
    }

    /// How many bits an equal value weighs that `frequency` things carry.
    #[must_use]
    pub fn weight(&self, key_type: KeyType, frequency: usize) -> i32 {
        let bits = self.bits.get(&key_type).copied().unwrap_or(0);
        if key_type.tier() == Tier::Native {
            return bits;
        }
        decayed(bits, frequency)
    }
}

/// The whole weight up to [`RARE_UP_TO`], nothing from [`COMMON_AT`] on, and falling with the logarithm in between:
/// the chance that two of `n` things with one value are the same one falls with `n`.
fn decayed(bits: i32, frequency: usize) -> i32 {
    if frequency <= RARE_UP_TO {
        return bits;
    }
    if frequency >= COMMON_AT {
        return 0;
    }
    let tenths = |count: usize| -> i32 {
        // Tenths of log2, from integers alone, so that every machine decides alike.
        let tenth_power = u128::try_from(count).unwrap_or(1).pow(10);
        i32::try_from(tenth_power.ilog2()).unwrap_or(i32::MAX)
    };
    let (from, to) = (tenths(RARE_UP_TO), tenths(COMMON_AT));
    let left = to.saturating_sub(tenths(frequency)).max(0);
    bits.saturating_mul(left) / to.saturating_sub(from).max(1)
}

/// All rules of identity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules {
    /// What they call themselves; decisions name it.
    pub version: String,
    default: ClassRules,
    classes: BTreeMap<String, ClassRules>,
}

impl Rules {
    /// The rules of a file.
    ///
    /// # Errors
    /// When it is too long, not TOML of the expected form, or says something that makes no sense.
    pub fn parse(text: &str) -> Result<Self, RulesError> {
        if text.len() > BYTES_MAX {
            return Err(RulesError::TooLong { length: text.len() });
        }
        let built_in = Self::read(BUILT_IN, &ClassRules::declared())?;
        Self::read(text, &built_in.default)
    }

    /// The rules that are compiled in.
    #[must_use]
    pub fn built_in() -> Self {
        // Tests read the file; were it broken, what the key types themselves declare would decide.
        Self::read(BUILT_IN, &ClassRules::declared()).unwrap_or_else(|_| Self {
            version: "declared".to_owned(),
            default: ClassRules::declared(),
            classes: BTreeMap::new(),
        })
    }

    fn read(text: &str, base: &ClassRules) -> Result<Self, RulesError> {
        let file: File =
            toml::from_str(text).map_err(|error| RulesError::Malformed(error.to_string()))?;
        let default = base.clone().with("default", &file.default)?;
        let classes = file.class.iter().map(|(class, section)| {
            let rules = default.clone().with(&format!("class.{class}"), section)?;
            Ok((class.clone(), rules))
        });
        let classes = classes.collect::<Result<_, RulesError>>()?;
        Ok(Self { version: file.version, default, classes })
    }

    /// The rules for a class.
    #[must_use]
    pub fn of(&self, class: &str) -> &ClassRules {
        self.classes.get(class).unwrap_or(&self.default)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_file_is_read() {
        assert_eq!(Rules::built_in(), Rules::parse(BUILT_IN).unwrap());
        assert_eq!(Rules::built_in().version, "built-in 1");
    }

    #[test]
    fn a_value_that_many_carry_weighs_less_and_at_last_nothing() {
        let rules = Rules::built_in();
        let weights: Vec<i32> = [1, 2, 3, 10, 45, 46, 100_000]
            .map(|frequency| rules.of("host").weight(KeyType::ChassisSerial, frequency))
            .to_vec();
        assert!(weights.is_sorted_by(|one, other| one >= other), "{weights:?}");
        assert_eq!(weights.first(), weights.get(1));
        assert_eq!(weights.get(5), Some(&0));
        assert!(weights.get(4).is_some_and(|weight| *weight <= 1), "{weights:?}");
    }

    #[test]
    fn what_is_not_understood_is_named() {
        let broken = [
            ("version = 1", "string"),
            ("version = \"a\"\n[default]\nlink = 3", "link"),
            ("version = \"a\"\n[default.bits]\nserial = 3", "serial"),
            ("version = \"a\"\n[class.host]\nlink_at = 0", "class.host.link_at"),
            ("version = \"a\"\n[default]\nreview_at = 30", "default.review_at"),
        ];
        for (text, named) in broken {
            let error = Rules::parse(text).unwrap_err().to_string();
            assert!(error.contains(named), "{error}");
        }
    }

    #[test]
    fn a_class_has_its_own_thresholds() {
        let rules = Rules::parse("version = \"a\"\n[class.host]\nlink_at = 40").unwrap();
        assert_eq!(rules.of("host").link_at, 40);
        assert_eq!(rules.of("hardware").link_at, 24);
    }
}
