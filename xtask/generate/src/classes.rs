//! The page of classes and relationships.

use crate::{NOTICE, cell};
use model::catalog::{Group, IdentityRule};
use model::{AttributeDefinition, Catalog, ClassDefinition, RelationshipDefinition};
use std::fmt::Write;

/// Every group, in the order of the page.
const GROUPS: [Group; 7] = [
    Group::Compute,
    Group::Hardware,
    Group::Storage,
    Group::Network,
    Group::Software,
    Group::Identity,
    Group::Custom,
];

/// The whole page.
pub(crate) fn render(catalog: &Catalog) -> String {
    let mut page = format!("# Classes\n\n{NOTICE}");
    page.push_str("What the product keeps records of. A *fact* makes history; a *reading* only has its last value. ");
    page.push_str("You can add [classes and attributes of your own](../guide/own-classes.md).\n");
    for group in GROUPS {
        let classes: Vec<&ClassDefinition> =
            catalog.classes().filter(|class| class.group == group).collect();
        if classes.is_empty() {
            continue;
        }
        let _ok = write!(page, "\n## {}\n", capitalized(group.name()));
        for class in classes {
            render_class(&mut page, class);
        }
    }
    page.push_str("\n## Relationships\n\n");
    page.push_str("| relationship | inverse | from | to | each has | a failure | |\n|---|---|---|---|---|---|---|\n");
    for relationship in model::relationships::ALL {
        render_relationship(&mut page, relationship);
    }
    page
}

fn render_class(page: &mut String, class: &ClassDefinition) {
    let identity = match &class.identity {
        IdentityRule::Keys(keys) => {
            let names: Vec<String> = keys.iter().map(|key| format!("`{}`", key.name())).collect();
            format!("Recognized by {} (strongest first).", names.join(", "))
        }
        IdentityRule::Within(names) => {
            let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
            format!("A part of another item, told apart within it by {}.", names.join(", "))
        }
    };
    let _ok = write!(
        page,
        "\n### {} (`{}`)\n\n{} {identity}\n\n| attribute | label | kind | unit | nature | meaning |\n|---|---|---|---|---|---|\n",
        class.label, class.name, class.doc
    );
    for attribute in &class.attributes {
        render_attribute(page, attribute);
    }
}

fn render_attribute(page: &mut String, attribute: &AttributeDefinition) {
    let _ok = writeln!(
        page,
        "| `{}` | {} | {} | {} | {} | {} |",
        attribute.name,
        cell(&attribute.label),
        attribute.kind.name(),
        attribute.unit.name(),
        attribute.nature.name(),
        cell(&attribute.doc)
    );
}

fn render_relationship(page: &mut String, relationship: &RelationshipDefinition) {
    let ends = |classes: &[&str]| {
        let words: Vec<String> = classes
            .iter()
            .map(|class| if *class == "*" { "any".to_owned() } else { format!("`{class}`") })
            .collect();
        words.join(", ")
    };
    let derived = if relationship.is_derived { " Derived from facts by a rule." } else { "" };
    let _ok = writeln!(
        page,
        "| `{}` | `{}` | {} | {} | {} | {} | {}{derived} |",
        relationship.name,
        relationship.inverse,
        ends(relationship.from),
        ends(relationship.to),
        relationship.cardinality.name().replace('_', " "),
        relationship.failure.name().replace('_', " "),
        cell(relationship.doc.trim()),
    );
}

fn capitalized(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_class_attribute_and_relationship_stands_on_the_page() {
        let catalog = Catalog::built_in();
        let page = render(&catalog);
        for class in catalog.classes() {
            assert!(page.contains(&format!("(`{}`)", class.name)), "{}", class.name);
            for attribute in &class.attributes {
                assert!(page.contains(&format!("| `{}` |", attribute.name)), "{}", attribute.name);
            }
        }
        for relationship in model::relationships::ALL {
            assert!(
                page.contains(&format!("| `{}` | `{}` |", relationship.name, relationship.inverse))
            );
        }
    }
}
