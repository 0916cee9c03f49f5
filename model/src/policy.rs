//! Attribute policies: how it is decided which source's value of an attribute wins.
//!
//! A policy belongs to a class and an attribute and names a *strategy*. What it says of trust, freshness and
//! corroboration makes a value's standing; [`crate::fold`] applies it. Policies come from TOML: the shipped file is part
//! of the program (`data/policies.toml`), a file of the same form overrides it entry by entry, and so does a file of
//! rules, which says of identity, too.
//!
//! Invariants: a file is taken whole or not at all; every policy names a class and an attribute that the catalog has,
//! and a strategy that the attribute's kind allows; the same content has the same [`Policies::version`].
//!
//! Deliberately not here: reading the user's file, and which observations belong to an item.

mod file;

pub use file::{ENTRIES_MAX, FILE_BYTES_MAX, InvalidPolicies};

use crate::{Catalog, Name, SourceId};
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::LazyLock;
use std::time::Duration;

/// Stands for every class or every attribute in an entry.
pub const EVERY: &str = "*";

/// How the winner among the values of an attribute is chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Strategy {
    /// The value with the best standing: trust, freshness and corroboration together.
    Trusted,
    /// The value of the first source of a list; a later one takes over when the earlier ones are stale.
    Authoritative,
    /// The value that began last.
    Freshest,
    /// The greatest value.
    Max,
    /// The least value.
    Min,
    /// The most exact text that agrees with the one of the best standing.
    MostSpecific,
    /// The value that most sources give, when enough of them do.
    Quorum,
    /// What any source lists.
    Union,
}

impl Strategy {
    /// Every strategy.
    pub const ALL: [Self; 8] = [
        Self::Trusted,
        Self::Authoritative,
        Self::Freshest,
        Self::Max,
        Self::Min,
        Self::MostSpecific,
        Self::Quorum,
        Self::Union,
    ];

    /// The name that rule files and the APIs use.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Trusted => "trusted",
            Self::Authoritative => "authoritative",
            Self::Freshest => "freshest",
            Self::Max => "max",
            Self::Min => "min",
            Self::MostSpecific => "most_specific",
            Self::Quorum => "quorum",
            Self::Union => "union",
        }
    }

    /// The strategy of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|strategy| strategy.name() == name)
    }
}

/// Whether *looked, and there is none* may win over a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AbsentRule {
    /// Never.
    Never,
    /// When its source is trusted more.
    TrustedMore,
    /// When its source is trusted at least as much, and its word stands before the value's.
    TrustedAsMuch,
}

impl AbsentRule {
    /// Every rule.
    pub const ALL: [Self; 3] = [Self::Never, Self::TrustedMore, Self::TrustedAsMuch];

    /// The name that rule files and the APIs use.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Never => "never",
            Self::TrustedMore => "trusted_more",
            Self::TrustedAsMuch => "trusted_as_much",
        }
    }

    /// The rule of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|rule| rule.name() == name)
    }
}

/// Whom an entry of trust or of a list of sources means: a collector, or a collector on one target.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct SourcePattern {
    /// The collector.
    pub collector: String,
    /// Its target; any when there is none.
    pub target: Option<String>,
}

impl SourcePattern {
    /// Whether it means this source.
    #[must_use]
    pub fn means(&self, source: &SourceId) -> bool {
        self.collector == source.collector
            && self.target.as_ref().is_none_or(|target| *target == source.target)
    }
}

/// How much sources are believed, from 0 to 100. An entry for a target counts before that of its collector.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Trust(BTreeMap<String, Believed>);

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
struct Believed {
    any: Option<u8>,
    targets: BTreeMap<String, u8>,
}

impl Trust {
    /// How much a source is believed; nothing when neither it nor its collector has an entry.
    #[must_use]
    pub fn of(&self, source: &SourceId) -> Option<u8> {
        if self.0.is_empty() {
            return None;
        }
        let believed = self.0.get(&source.collector)?;
        believed.targets.get(&source.target).copied().or(believed.any)
    }

    fn set(&mut self, pattern: SourcePattern, percent: u8) {
        let believed = self.0.entry(pattern.collector).or_default();
        match pattern.target {
            Some(target) => {
                believed.targets.insert(target, percent);
            }
            None => believed.any = Some(percent),
        }
    }
}

/// When values that come and go count as flapping.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct FlapLimit {
    /// Returns to an earlier value that are still no flapping.
    pub returns_max: u32,
    /// The time in which they are counted.
    pub within: Duration,
}

/// How the winner among the values of one attribute is chosen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Policy {
    /// The choice.
    pub strategy: Strategy,
    /// The sources of an authoritative list, first the one that is believed before the others.
    pub sources: Vec<SourcePattern>,
    /// Trust for this attribute that differs from that for all.
    pub trust: Trust,
    /// After this time without confirmation a word counts half, after twice this time a quarter; none: for ever the
    /// same.
    pub half_life: Option<Duration>,
    /// Hundredths that each further source that says the same adds to a value's standing.
    pub corroboration: u8,
    /// How many sources must say the same for a quorum.
    pub quorum: u8,
    /// Whether *looked, and there is none* may win.
    pub absent: AbsentRule,
    /// When its values count as flapping.
    pub flap: FlapLimit,
    /// How long a person's lock holds at most.
    pub lock_max: Duration,
}

/// Everything that is said about how values win.
#[derive(Clone, Debug, PartialEq)]
pub struct Policies {
    trust: Trust,
    trust_default: u8,
    default: Policy,
    /// By class, then by attribute; [`EVERY`] stands for any.
    entries: BTreeMap<Name, BTreeMap<Name, Policy>>,
    raw: file::Raw,
    version: String,
}

static BUILT_IN: LazyLock<Policies> = LazyLock::new(|| {
    #[expect(clippy::expect_used, reason = "the text is part of the program, and a test reads it")]
    file::shipped(&Catalog::built_in()).expect("the shipped policies are well formed")
});

impl Policies {
    /// The policies that are part of the program.
    #[must_use]
    pub fn built_in() -> &'static Self {
        &BUILT_IN
    }

    /// These policies overridden by a file: an entry replaces the one for the same class and attribute whole, trust and
    /// defaults are replaced value by value.
    ///
    /// # Errors
    /// [`InvalidPolicies`] with every problem that was found.
    pub fn overridden(&self, catalog: &Catalog, text: &str) -> Result<Self, InvalidPolicies> {
        file::overridden(&self.raw, catalog, (text, file::Form::Alone))
    }

    /// The shipped policies overridden by what a file of rules says of values: `[trust]`, `[policy_default]` and
    /// `[[policy]]`. What it says of identity is not looked at.
    ///
    /// # Errors
    /// [`InvalidPolicies`] with every problem that was found.
    pub fn in_rules(catalog: &Catalog, text: &str) -> Result<Self, InvalidPolicies> {
        file::overridden(&Self::built_in().raw, catalog, (text, file::Form::InRules))
    }

    /// Names this content: equal for equal policies, whatever the files look like.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.version
    }

    /// How much a source is believed where no policy says otherwise.
    #[must_use]
    pub fn trust_of(&self, source: &SourceId) -> u8 {
        self.trust.of(source).unwrap_or(self.trust_default)
    }

    /// How much a source is believed for an attribute with this policy.
    #[must_use]
    pub fn trust_in(&self, source: &SourceId, policy: &Policy) -> u8 {
        policy.trust.of(source).unwrap_or_else(|| self.trust_of(source))
    }

    /// The policies of a class, to be asked attribute by attribute.
    #[must_use]
    pub fn of_class(&self, class: &str) -> ClassPolicies<'_> {
        ClassPolicies {
            own: self.entries.get(class),
            every: self.entries.get(EVERY),
            default: &self.default,
        }
    }

    /// The policy of an attribute: that for the class and attribute, else for every attribute of the class, else for
    /// the attribute in every class, else the default.
    #[must_use]
    pub fn of(&self, class: &str, attribute: &str) -> &Policy {
        self.of_class(class).of(attribute)
    }

    /// Every entry with its class and attribute, sorted; the default is that of [`EVERY`] and [`EVERY`].
    pub fn entries(&self) -> impl Iterator<Item = (&Name, &Name, &Policy)> {
        const ANY: &Name = &Name::Borrowed(EVERY);
        let entries = self.entries.iter().flat_map(|(class, attributes)| {
            attributes.iter().map(move |(attribute, policy)| (class, attribute, policy))
        });
        std::iter::once((ANY, ANY, &self.default)).chain(entries)
    }
}

/// The policies of one class.
#[derive(Clone, Copy, Debug)]
pub struct ClassPolicies<'a> {
    own: Option<&'a BTreeMap<Name, Policy>>,
    every: Option<&'a BTreeMap<Name, Policy>>,
    default: &'a Policy,
}

impl<'a> ClassPolicies<'a> {
    /// The policy of an attribute of the class.
    #[must_use]
    pub fn of(&self, attribute: &str) -> &'a Policy {
        let own = self.own.and_then(|own| own.get(attribute).or_else(|| own.get(EVERY)));
        own.or_else(|| self.every.and_then(|every| every.get(attribute))).unwrap_or(self.default)
    }
}

#[cfg(test)]
mod tests;
