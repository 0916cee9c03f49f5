//! The user's own classes and attributes, declared in a TOML file that is read at start (`classes.toml`).
//!
//! From then on they look like built-in ones: validated, indexed, shown and queried alike. A file is taken whole or
//! not at all, and every problem in it is reported with its line. What the product declares cannot be changed,
//! only added to; and names that begin with `x_` are promised never to be used by the product, so that an update
//! cannot collide with them.
//!
//! Deliberately not here: reading the file, and what becomes of stored values whose declaration is taken away (they
//! stay and are shown raw, like those of a newer agent).

mod names;

use crate::catalog::{AttributeDefinition, ClassDefinition, Group, IdentityRule, Life};
use crate::value::Kind;
use crate::{Catalog, KeyType, Nature, Unit};
use names::{check_doc, check_label, check_name};
use serde::Deserialize;
use std::collections::BTreeSet;
use std::fmt;
use std::ops::Range;
use toml::Spanned;

/// Bytes of the file: room for every class and attribute that is allowed, fully documented.
pub const FILE_BYTES_MAX: usize = 1024 * 1024;

/// Classes in the file. The console lists all of them in one menu.
pub const CLASSES_MAX: usize = 200;

/// Attributes that one class may have in all; half of what one observation may carry on the wire.
pub const ATTRIBUTES_MAX: usize = 256;

/// Problems that are reported at once; more would hide the first.
const PROBLEMS_MAX: usize = 20;

/// Characters that are told of one problem: a sentence with the longest list of what may stand there. A value of the
/// file stands in it, and may be as long as the file.
const PROBLEM_CHARACTERS_MAX: usize = 1_000;

/// The kinds that an attribute can be declared with.
const KINDS: [Kind; 9] = [
    Kind::Boolean,
    Kind::Count,
    Kind::Float,
    Kind::Integer,
    Kind::Record,
    Kind::RecordList,
    Kind::Text,
    Kind::TextList,
    Kind::Time,
];

/// Shown for a class that names no icon.
const DEFAULT_ICON: &str = "box";

/// One thing that is wrong with the file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// The line, counted from 1.
    pub line: usize,
    /// What is wrong and what to write instead.
    pub text: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.text)
    }
}

/// Why a file was not taken. The catalog is as it was before.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the file of your own classes is not acceptable: {}", .problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
pub struct Invalid {
    /// At least one, in the order of lines.
    pub problems: Vec<Problem>,
}

/// What a file added.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Added {
    /// New classes.
    pub classes: usize,
    /// New attributes of classes that were there.
    pub attributes: usize,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    class: Vec<ClassEntry>,
    #[serde(default)]
    attribute: Vec<ForeignAttributeEntry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ClassEntry {
    name: Spanned<String>,
    label: Spanned<String>,
    plural: Spanned<String>,
    doc: Spanned<String>,
    icon: Option<Spanned<String>>,
    title: Spanned<String>,
    keys: Option<Spanned<Vec<Spanned<String>>>>,
    within: Option<Spanned<Vec<Spanned<String>>>>,
    #[serde(default)]
    attribute: Vec<AttributeEntry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AttributeEntry {
    name: Spanned<String>,
    label: Spanned<String>,
    doc: Spanned<String>,
    kind: Spanned<String>,
    unit: Option<Spanned<String>>,
    nature: Option<Spanned<String>>,
}

/// An attribute for a class that is declared elsewhere. serde cannot both flatten and refuse unknown fields, so the
/// fields stand here a second time.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ForeignAttributeEntry {
    class: Spanned<String>,
    name: Spanned<String>,
    label: Spanned<String>,
    doc: Spanned<String>,
    kind: Spanned<String>,
    unit: Option<Spanned<String>>,
    nature: Option<Spanned<String>>,
}

/// Adds what a file declares to the catalog.
///
/// # Errors
/// [`Invalid`] with every problem that was found; the catalog is unchanged then.
pub fn extend(catalog: &mut Catalog, text: &str) -> Result<Added, Invalid> {
    let mut reader = Reader { text, problems: BTreeSet::new() };
    if text.len() > FILE_BYTES_MAX {
        reader.problem(
            0..0,
            format!("the file has {} bytes, at most {FILE_BYTES_MAX} are read", text.len()),
        );
        return Err(reader.invalid());
    }
    let file: File = match toml::from_str(text) {
        Ok(file) => file,
        Err(error) => {
            reader.problem(error.span().unwrap_or(0..0), error.message().to_owned());
            return Err(reader.invalid());
        }
    };
    if file.class.len() > CLASSES_MAX {
        reader.problem(
            0..0,
            format!("{} classes, at most {CLASSES_MAX} are allowed", file.class.len()),
        );
        return Err(reader.invalid());
    }
    let mut extended = catalog.clone();
    let mut added = Added::default();
    for entry in file.class {
        if let Some(definition) = reader.class(&extended, entry) {
            extended.insert(definition);
            added.classes += 1;
        }
    }
    for entry in file.attribute {
        added.attributes += usize::from(reader.foreign_attribute(&mut extended, entry));
    }
    if !reader.problems.is_empty() {
        return Err(reader.invalid());
    }
    *catalog = extended;
    Ok(added)
}

/// Collects problems while entries become definitions. A definition is only used when there was no problem at all,
/// so each step goes on with whatever it has.
struct Reader<'a> {
    text: &'a str,
    /// Where each begins, in bytes. Only the first are kept, whatever their number.
    problems: BTreeSet<(usize, String)>,
}

impl Reader<'_> {
    fn problem(&mut self, place: Range<usize>, text: String) {
        let cut = text.char_indices().nth(PROBLEM_CHARACTERS_MAX).map(|(place, _)| place);
        let text = match cut.and_then(|place| text.get(..place)) {
            Some(begin) => format!("{begin} …"),
            None => text,
        };
        self.problems.insert((place.start, text));
        if self.problems.len() > PROBLEMS_MAX {
            self.problems.pop_last();
        }
    }

    fn line(&self, place: usize) -> usize {
        let before = self.text.as_bytes().get(..place).unwrap_or_default();
        1 + before.iter().filter(|byte| **byte == b'\n').count()
    }

    fn check(&mut self, value: &Spanned<String>, check: impl Fn(&str) -> Result<(), String>) {
        if let Err(text) = check(value.get_ref()) {
            self.problem(value.span(), text);
        }
    }

    fn invalid(self) -> Invalid {
        let problem = |(place, text): &(usize, String)| Problem {
            line: self.line(*place),
            text: text.clone(),
        };
        let mut problems: Vec<Problem> = self.problems.iter().map(problem).collect();
        // Those of one line in the order of their words, so that the same file is told the same way.
        problems.sort();
        Invalid { problems }
    }

    /// The definition of a class; none when a class of that name is there.
    fn class(&mut self, catalog: &Catalog, entry: ClassEntry) -> Option<ClassDefinition> {
        self.check(&entry.name, check_name);
        self.check(&entry.label, check_label);
        self.check(&entry.plural, check_label);
        self.check(&entry.doc, check_doc);
        if let Some(there) = catalog.class(entry.name.get_ref()) {
            let what = if there.group == Group::Custom { "declared above" } else { "built in" };
            let text = format!(
                "class `{}` is {what} and cannot be declared again: add to it with [[attribute]], or choose another name",
                there.name
            );
            self.problem(entry.name.span(), text);
            return None;
        }
        if entry.attribute.len() > ATTRIBUTES_MAX {
            let text = format!(
                "{} attributes, at most {ATTRIBUTES_MAX} are allowed",
                entry.attribute.len()
            );
            self.problem(entry.name.span(), text);
        }
        let mut names = BTreeSet::new();
        let mut attributes = Vec::new();
        for attribute in entry.attribute {
            let place = attribute.name.span();
            let definition = self.attribute(attribute);
            if !names.insert(definition.name.clone()) {
                self.problem(place, format!("attribute `{}` is declared twice", definition.name));
            }
            attributes.push(definition);
        }
        let (identity, life) = self.identity(&attributes, &entry.name, entry.keys, entry.within);
        if !names.contains(entry.title.get_ref().as_str()) {
            let text =
                format!("the title `{}` is none of the class's attributes", entry.title.get_ref());
            self.problem(entry.title.span(), text);
        }
        if let Some(icon) = &entry.icon {
            self.check(icon, names::check_icon);
        }
        Some(ClassDefinition {
            name: entry.name.into_inner().into(),
            label: entry.label.into_inner().into(),
            plural: entry.plural.into_inner().into(),
            doc: entry.doc.into_inner().into(),
            group: Group::Custom,
            icon: entry.icon.map_or(DEFAULT_ICON.into(), |icon| icon.into_inner().into()),
            title: entry.title.into_inner().into(),
            identity,
            life,
            attributes,
        })
    }

    /// How items of the class are told apart: by keys, or within another item.
    fn identity(
        &mut self,
        attributes: &[AttributeDefinition],
        class: &Spanned<String>,
        keys: Option<Spanned<Vec<Spanned<String>>>>,
        within: Option<Spanned<Vec<Spanned<String>>>>,
    ) -> (IdentityRule, Life) {
        match (keys, within) {
            (None, None) => (IdentityRule::Keys(vec![KeyType::UserKey]), Life::INDEPENDENT),
            (Some(keys), None) => {
                if keys.get_ref().is_empty() {
                    self.problem(keys.span(), "name at least one key, or leave `keys` out".into());
                }
                let keys = keys.into_inner().into_iter().filter_map(|key| self.key(&key)).collect();
                (IdentityRule::Keys(keys), Life::INDEPENDENT)
            }
            (None, Some(within)) => {
                if within.get_ref().is_empty() {
                    self.problem(
                        within.span(),
                        "name at least one attribute that tells the parts apart".into(),
                    );
                }
                for name in within.get_ref() {
                    self.part(attributes, name);
                }
                let names =
                    within.into_inner().into_iter().map(|name| name.into_inner().into()).collect();
                (IdentityRule::Within(names), Life::PART)
            }
            (Some(_), Some(_)) => {
                let text = format!(
                    "class `{}` has both `keys` (items of their own) and `within` (parts of another item): keep one",
                    class.get_ref()
                );
                self.problem(class.span(), text);
                (IdentityRule::Keys(Vec::new()), Life::INDEPENDENT)
            }
        }
    }

    fn key(&mut self, name: &Spanned<String>) -> Option<KeyType> {
        let key = KeyType::from_name(name.get_ref());
        if key.is_none() {
            let known: Vec<&str> = KeyType::ALL.iter().map(|key| key.name()).collect();
            let text = format!(
                "`{}` is no type of identity key: use {}",
                name.get_ref(),
                known.join(", ")
            );
            self.problem(name.span(), text);
        }
        key
    }

    fn part(&mut self, attributes: &[AttributeDefinition], name: &Spanned<String>) {
        let text = match attributes
            .iter()
            .find(|attribute| attribute.name == name.get_ref().as_str())
        {
            None => format!("`{}` in `within` is none of the class's attributes", name.get_ref()),
            Some(attribute) if attribute.nature == Nature::Reading => {
                format!(
                    "`{}` in `within` is a reading: only facts tell parts apart",
                    name.get_ref()
                )
            }
            Some(_) => return,
        };
        self.problem(name.span(), text);
    }

    /// Adds an attribute to a class that is there; true when it did.
    fn foreign_attribute(&mut self, catalog: &mut Catalog, entry: ForeignAttributeEntry) -> bool {
        let ForeignAttributeEntry { class, name, label, doc, kind, unit, nature } = entry;
        let place = name.span();
        let attribute = self.attribute(AttributeEntry { name, label, doc, kind, unit, nature });
        let Some(definition) = catalog.class_mut(class.get_ref()) else {
            self.problem(class.span(), format!("there is no class `{}`", class.get_ref()));
            return false;
        };
        let text = if definition.attribute(&attribute.name).is_some() {
            format!(
                "class `{}` has an attribute `{}` already and it cannot be declared again: choose another name",
                definition.name, attribute.name
            )
        } else if definition.attributes.len() >= ATTRIBUTES_MAX {
            format!("class `{}` would have more than {ATTRIBUTES_MAX} attributes", definition.name)
        } else {
            definition.attributes.push(attribute);
            return true;
        };
        self.problem(place, text);
        false
    }

    fn attribute(&mut self, entry: AttributeEntry) -> AttributeDefinition {
        self.check(&entry.name, check_name);
        self.check(&entry.label, check_label);
        self.check(&entry.doc, check_doc);
        let kind = self.kind(&entry.kind);
        let unit = entry.unit.map_or(Unit::None, |unit| self.unit(&unit, kind));
        let nature = entry.nature.map_or(Nature::Fact, |nature| self.nature(&nature));
        AttributeDefinition {
            name: entry.name.into_inner().into(),
            label: entry.label.into_inner().into(),
            doc: entry.doc.into_inner().into(),
            kind: kind.unwrap_or(Kind::Text),
            unit,
            nature,
        }
    }

    fn kind(&mut self, name: &Spanned<String>) -> Option<Kind> {
        let kind = KINDS.into_iter().find(|kind| kind.name() == name.get_ref());
        if kind.is_none() {
            let known = KINDS.map(Kind::name).join(", ");
            self.problem(name.span(), format!("`{}` is no kind: use {known}", name.get_ref()));
        }
        kind
    }

    fn unit(&mut self, name: &Spanned<String>, kind: Option<Kind>) -> Unit {
        // An unknown kind is one problem, not two.
        let is_number =
            kind.is_none_or(|kind| matches!(kind, Kind::Count | Kind::Float | Kind::Integer));
        match Unit::from_name(name.get_ref()) {
            Some(unit) if unit == Unit::None || is_number => return unit,
            Some(_) => self.problem(name.span(), "only numbers have a unit: leave it out".into()),
            None => {
                let text = format!("`{}` is no unit: the guide lists them", name.get_ref());
                self.problem(name.span(), text);
            }
        }
        Unit::None
    }

    fn nature(&mut self, name: &Spanned<String>) -> Nature {
        match name.get_ref().as_str() {
            "fact" => Nature::Fact,
            "reading" => Nature::Reading,
            other => {
                self.problem(name.span(), format!("`{other}` is no nature: use fact or reading"));
                Nature::Fact
            }
        }
    }
}

#[cfg(test)]
mod tests;
