//! The class catalog: every class and attribute is declared once, here it becomes data.
//!
//! A declaration with [`ci_class!`](crate::ci_class) gives typed handles for collectors (a value of the wrong type
//! does not compile) and a [`ClassDefinition`] that validation, the store, the APIs, the console and the manual
//! walk at run time. Users add classes and attributes of their own from a file (`custom`); from then on both
//! look the same.
//!
//! Deliberately not here: how a class is stored or shown.

use crate::identity::KeyType;
use crate::value::{AttributeType, Kind, Value};
use crate::{Name, relationships};
use std::collections::BTreeMap;
use std::marker::PhantomData;
use std::time::Duration;

/// Whether an attribute makes history.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Nature {
    /// A change of it is a change of the item, and is kept for ever.
    Fact,
    /// It only makes a series of values; a new value is no change.
    Reading,
}

impl Nature {
    /// The name that the lock file, the APIs and the manual use.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Fact => "fact",
            Self::Reading => "reading",
        }
    }
}

/// What a number counts. Texts and moments have [`Unit::None`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Unit {
    /// No unit.
    None,
    /// Bits per second.
    BitsPerSecond,
    /// Bytes.
    Bytes,
    /// Degrees Celsius.
    Celsius,
    /// Hertz.
    Hertz,
    /// Milliseconds.
    Milliseconds,
    /// Hundredths of the whole.
    Percent,
    /// Revolutions per minute.
    RevolutionsPerMinute,
    /// Seconds.
    Seconds,
    /// Volts.
    Volts,
    /// Watts.
    Watts,
}

impl Unit {
    /// The name that the APIs and the manual use; empty for [`Unit::None`].
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "",
            Self::BitsPerSecond => "bits_per_second",
            Self::Bytes => "bytes",
            Self::Celsius => "celsius",
            Self::Hertz => "hertz",
            Self::Milliseconds => "milliseconds",
            Self::Percent => "percent",
            Self::RevolutionsPerMinute => "revolutions_per_minute",
            Self::Seconds => "seconds",
            Self::Volts => "volts",
            Self::Watts => "watts",
        }
    }

    /// The unit of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        const ALL: [Unit; 11] = [
            Unit::None,
            Unit::BitsPerSecond,
            Unit::Bytes,
            Unit::Celsius,
            Unit::Hertz,
            Unit::Milliseconds,
            Unit::Percent,
            Unit::RevolutionsPerMinute,
            Unit::Seconds,
            Unit::Volts,
            Unit::Watts,
        ];
        ALL.into_iter().find(|unit| unit.name() == name)
    }
}

/// The part of the estate that a class belongs to; the console groups classes by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Group {
    /// Hosts, containers, virtual machines.
    Compute,
    /// Boards, processors, memory, disks, cards, sensors.
    Hardware,
    /// Users, groups, keys, certificates.
    Identity,
    /// Interfaces, addresses, routes, listeners.
    Network,
    /// Packages, services, processes, jobs.
    Software,
    /// File systems, volumes, arrays.
    Storage,
    /// What users declared themselves.
    Custom,
}

impl Group {
    /// The name that the APIs and the manual use.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Compute => "compute",
            Self::Hardware => "hardware",
            Self::Identity => "identity",
            Self::Network => "network",
            Self::Software => "software",
            Self::Storage => "storage",
            Self::Custom => "custom",
        }
    }
}

/// One attribute of a class, as data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttributeDefinition {
    /// Lower snake case, unique in the class, never reused for another meaning.
    pub name: Name,
    /// What a person reads in a heading.
    pub label: Name,
    /// One or more full sentences.
    pub doc: Name,
    /// The form of its values.
    pub kind: Kind,
    /// What its numbers count.
    pub unit: Unit,
    /// Whether it makes history.
    pub nature: Nature,
}

/// How the items of a class are told apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IdentityRule {
    /// An item of its own, recognized by typed identity keys; strongest first.
    Keys(Vec<KeyType>),
    /// A part of another item: told apart within it by these attributes, which must be facts.
    Within(Vec<Name>),
}

/// What becomes of an item that is no longer seen in a complete scope.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Life {
    /// How long an item stays *missing* before it is *stale*.
    pub stale_after: Duration,
    /// How long an item stays *stale* before it is *retired*. Zero: retired with the first complete receipt.
    pub retire_after: Duration,
    /// How long a retired item is kept.
    pub purge_after: Duration,
}

const DAY: Duration = Duration::from_secs(24 * 3600);

impl Life {
    /// Items of their own: hosts, devices, hardware. Stale after ten days, retired after 30 more, kept 400.
    pub const INDEPENDENT: Self = Self {
        stale_after: DAY.saturating_mul(10),
        retire_after: DAY.saturating_mul(30),
        purge_after: DAY.saturating_mul(400),
    };
    /// Parts of a host: what a complete look at the host no longer finds is gone.
    pub const PART: Self = Self {
        stale_after: Duration::ZERO,
        retire_after: Duration::ZERO,
        purge_after: DAY.saturating_mul(400),
    };
}

/// One class of configuration items, as data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClassDefinition {
    /// Lower snake case, unique, never reused for another meaning.
    pub name: Name,
    /// What a person calls one of them.
    pub label: Name,
    /// What a person calls several.
    pub plural: Name,
    /// One or more full sentences.
    pub doc: Name,
    /// Where the console shows it.
    pub group: Group,
    /// Name of an icon of the console's set.
    pub icon: Name,
    /// The attribute that names an item to a person.
    pub title: Name,
    /// How items are told apart.
    pub identity: IdentityRule,
    /// What becomes of items that are no longer seen.
    pub life: Life,
    /// The attributes, in the order in which a person reads them.
    pub attributes: Vec<AttributeDefinition>,
}

impl ClassDefinition {
    /// The attribute of that name.
    #[must_use]
    pub fn attribute(&self, name: &str) -> Option<&AttributeDefinition> {
        self.attributes.iter().find(|attribute| attribute.name == name)
    }

    /// Whether items of the class live and die with the item that contains them.
    #[must_use]
    pub const fn is_part(&self) -> bool {
        matches!(self.identity, IdentityRule::Within(_))
    }
}

/// The typed handle of an attribute that the product declares.
///
/// ```compile_fail
/// use model::{Observation, classes::host};
/// // The number of a port is no host name: this does not compile.
/// let _ = Observation::of(&host::CLASS, "host").with(&host::FQDN, 4);
/// ```
#[derive(Debug)]
pub struct Attribute<T> {
    name: &'static str,
    nature: Nature,
    of: PhantomData<fn(T)>,
}

impl<T: AttributeType> Attribute<T> {
    /// A handle; only [`ci_class!`](crate::ci_class) calls this.
    #[must_use]
    pub const fn declare(name: &'static str, nature: Nature) -> Self {
        Self { name, nature, of: PhantomData }
    }

    /// The attribute's name in its class.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// Whether it makes history.
    #[must_use]
    pub const fn nature(&self) -> Nature {
        self.nature
    }
}

/// The handle of a class that the product declares.
#[derive(Debug)]
pub struct Class {
    /// The class's name.
    pub name: &'static str,
    /// The names of the attributes that tell parts apart; empty for items of their own.
    pub within: &'static [&'static str],
    /// Builds the definition.
    pub define: fn() -> ClassDefinition,
}

/// Everything that is declared: built-in classes and relationships, and the user's own.
#[derive(Clone, Debug)]
pub struct Catalog {
    classes: BTreeMap<Name, ClassDefinition>,
}

/// Why an observation does not agree with the catalog.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Violation {
    /// The value has another form than the attribute is declared with.
    #[error(
        "attribute `{attribute}` of class `{class}` is declared as {declared}, but the value is not"
    )]
    WrongKind {
        /// The class.
        class: String,
        /// The attribute.
        attribute: String,
        /// The declared kind.
        declared: &'static str,
    },
}

impl Catalog {
    /// The catalog of what the product itself declares.
    #[must_use]
    pub fn built_in() -> Self {
        let classes = crate::classes::ALL
            .iter()
            .map(|class| (class.define)())
            .map(|definition| (definition.name.clone(), definition))
            .collect();
        Self { classes }
    }

    /// The class of that name.
    #[must_use]
    pub fn class(&self, name: &str) -> Option<&ClassDefinition> {
        self.classes.get(name)
    }

    /// All classes, by name.
    pub fn classes(&self) -> impl Iterator<Item = &ClassDefinition> {
        self.classes.values()
    }

    /// The relationship of that name.
    #[must_use]
    pub fn relationship(&self, name: &str) -> Option<&'static crate::RelationshipDefinition> {
        relationships::ALL.iter().copied().find(|relationship| relationship.name == name)
    }

    /// Adds a class, or attributes to a class that is there. `custom` checks beforehand that nothing is redefined.
    pub(crate) fn insert(&mut self, definition: ClassDefinition) {
        self.classes.insert(definition.name.clone(), definition);
    }

    pub(crate) fn class_mut(&mut self, name: &str) -> Option<&mut ClassDefinition> {
        self.classes.get_mut(name)
    }

    /// Checks one value against the declaration.
    ///
    /// An unknown class or attribute is no violation: a newer agent may know more, and what it says is kept and
    /// shown raw.
    ///
    /// # Errors
    /// [`Violation::WrongKind`] when the attribute is declared with another kind.
    pub fn check(&self, class: &str, attribute: &str, value: &Value) -> Result<(), Violation> {
        let Some(declared) = self.class(class).and_then(|class| class.attribute(attribute)) else {
            return Ok(());
        };
        if value.fits(declared.kind) {
            return Ok(());
        }
        Err(Violation::WrongKind {
            class: class.to_owned(),
            attribute: attribute.to_owned(),
            declared: declared.kind.name(),
        })
    }

    /// The catalog as the lines of the lock file, `class.attribute:kind:unit:nature`, sorted.
    #[must_use]
    pub fn lock_lines(&self) -> Vec<String> {
        let mut lines: Vec<String> = self
            .classes()
            .flat_map(|class| {
                class.attributes.iter().map(move |attribute| {
                    format!(
                        "{}.{}:{}:{}:{}",
                        class.name,
                        attribute.name,
                        attribute.kind.name(),
                        attribute.unit.name(),
                        attribute.nature.name()
                    )
                })
            })
            .collect();
        lines.extend(relationships::ALL.iter().map(|relationship| {
            format!("{}:relationship:{}", relationship.name, relationship.inverse)
        }));
        lines.sort();
        lines
    }
}

/// What a declaration needs in scope; [`ci_class!`](crate::ci_class) imports it.
pub mod declaration {
    pub use super::{Attribute, AttributeDefinition, Class, ClassDefinition, Group, joined_doc};
    pub use crate::{Timestamp, value::Value};
    pub use std::collections::BTreeMap;
}

/// Joins the lines of a doc comment into sentences.
#[must_use]
pub fn joined_doc(lines: &[&str]) -> String {
    lines.iter().map(|line| line.trim()).collect::<Vec<_>>().join(" ").trim().to_owned()
}

/// Declares a class of configuration items: its handle, the typed handles of its attributes and its definition.
///
/// `identity keys […]` is for items of their own (identity key types, strongest first); `identity within […]` for
/// parts of another item (the facts that tell them apart within it). `title` is the attribute that names an item.
#[macro_export]
macro_rules! ci_class {
    (
        $(#[doc = $class_doc:literal])+
        mod $module:ident, class $class:literal, label $label:literal, plural $plural:literal,
        group $group:ident, icon $icon:literal, title $title:literal,
        identity $rule:ident [$($identity:tt),* $(,)?]
        {
            $(
                $(#[doc = $doc:literal])+
                $nature:ident $handle:ident: $kind:ty = $name:literal, $attribute_label:literal $(, unit $unit:ident)?;
            )+
        }
    ) => {
        $(#[doc = $class_doc])+
        pub mod $module {
            use $crate::catalog::declaration::*;

            $(
                $(#[doc = $doc])+
                pub const $handle: Attribute<$kind> =
                    Attribute::declare($name, $crate::ci_class!(@nature $nature));
            )+

            /// The class itself.
            pub const CLASS: Class = Class { name: $class, within: $crate::ci_class!(@within $rule [$($identity),*]), define };

            fn define() -> ClassDefinition {
                ClassDefinition {
                    name: $class.into(),
                    label: $label.into(),
                    plural: $plural.into(),
                    doc: joined_doc(&[$($class_doc),+]).into(),
                    group: Group::$group,
                    icon: $icon.into(),
                    title: $title.into(),
                    identity: $crate::ci_class!(@rule $rule [$($identity),*]),
                    life: $crate::ci_class!(@life $rule),
                    attributes: vec![$(
                        AttributeDefinition {
                            name: $name.into(),
                            label: $attribute_label.into(),
                            doc: joined_doc(&[$($doc),+]).into(),
                            kind: <$kind as $crate::value::AttributeType>::KIND,
                            unit: $crate::ci_class!(@unit $($unit)?),
                            nature: $crate::ci_class!(@nature $nature),
                        },
                    )+],
                }
            }
        }
    };
    (@nature fact) => { $crate::Nature::Fact };
    (@nature reading) => { $crate::Nature::Reading };
    (@unit) => { $crate::Unit::None };
    (@unit $unit:ident) => { $crate::Unit::$unit };
    (@rule keys [$($key:ident),*]) => { $crate::catalog::IdentityRule::Keys(vec![$($crate::KeyType::$key),*]) };
    (@rule within [$($name:literal),*]) => { $crate::catalog::IdentityRule::Within(vec![$($name.into()),*]) };
    (@within keys [$($key:ident),*]) => { &[] };
    (@within within [$($name:literal),*]) => { &[$($name),*] };
    (@life keys) => { $crate::catalog::Life::INDEPENDENT };
    (@life within) => { $crate::catalog::Life::PART };
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn full_sentence(text: &str) -> bool {
        text.ends_with(['.', '?', ':'])
            && text.chars().next().is_some_and(|first| !first.is_lowercase())
    }

    #[test]
    fn every_class_and_attribute_is_documented_with_a_full_sentence() {
        for class in Catalog::built_in().classes() {
            assert!(full_sentence(&class.doc), "{}: {:?}", class.name, class.doc);
            for attribute in &class.attributes {
                assert!(
                    full_sentence(&attribute.doc),
                    "{}.{}: {:?}",
                    class.name,
                    attribute.name,
                    attribute.doc
                );
                assert!(!attribute.label.is_empty());
            }
        }
    }

    #[test]
    fn names_are_lower_snake_case_and_unique_in_their_class() {
        for class in Catalog::built_in().classes() {
            let mut names = BTreeSet::new();
            for name in
                class.attributes.iter().map(|attribute| &attribute.name).chain([&class.name])
            {
                assert!(
                    name.chars().all(|letter| letter.is_ascii_lowercase()
                        || letter.is_ascii_digit()
                        || letter == '_'),
                    "{name}"
                );
            }
            assert!(
                class.attributes.iter().all(|attribute| names.insert(attribute.name.clone())),
                "{}",
                class.name
            );
        }
    }

    #[test]
    fn every_class_has_a_title_and_an_identity_made_of_facts() {
        for class in Catalog::built_in().classes() {
            assert!(
                class.attribute(&class.title).is_some(),
                "{} has no title {}",
                class.name,
                class.title
            );
            match &class.identity {
                IdentityRule::Keys(keys) => assert!(!keys.is_empty(), "{}", class.name),
                IdentityRule::Within(names) => {
                    assert!(!names.is_empty(), "{}", class.name);
                    for name in names {
                        let attribute = class
                            .attribute(name)
                            .unwrap_or_else(|| panic!("{}.{name}", class.name));
                        assert_eq!(attribute.nature, Nature::Fact, "{}.{name}", class.name);
                    }
                }
            }
        }
    }

    #[test]
    fn classes_are_declared_once() {
        assert_eq!(Catalog::built_in().classes().count(), crate::classes::ALL.len());
    }

    #[test]
    fn a_value_of_another_kind_is_a_violation_and_an_unknown_attribute_is_none() {
        let catalog = Catalog::built_in();
        assert!(catalog.check("host", "fqdn", &Value::Integer(1)).is_err());
        assert!(catalog.check("host", "fqdn", &Value::Text("db1".into())).is_ok());
        assert!(catalog.check("host", "from_a_newer_agent", &Value::Integer(1)).is_ok());
        assert!(catalog.check("from_a_newer_agent", "x", &Value::Integer(1)).is_ok());
    }
}
