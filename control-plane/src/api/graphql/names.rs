//! Names of the catalog as GraphQL writes them.

use std::collections::BTreeSet;

/// Fields that every item has; an attribute of one of these names is called `attribute…`.
const TAKEN: [&str; 15] = [
    "attributes",
    "changes",
    "class",
    "firstSeen",
    "id",
    "lastSeen",
    "moments",
    "parent",
    "parts",
    "provenance",
    "relations",
    "revision",
    "scopes",
    "state",
    "title",
];

/// Types of our own; a class of one of these names is called `…Item`.
pub(super) const TAKEN_TYPES: [&str; 73] = [
    "Agent",
    "AgentConnection",
    "AgentEdge",
    "AgentState",
    "AttributeDefinition",
    "AttributeDifference",
    "AttributeNature",
    "AttributeValues",
    "Boolean",
    "Bytes",
    "Change",
    "ChangeBatch",
    "ChangeConnection",
    "ChangeEdge",
    "ChangeKind",
    "Class",
    "ClassCount",
    "Comparison",
    "Condition",
    "Count",
    "CountPrecision",
    "Dependencies",
    "Difference",
    "DifferenceConnection",
    "DifferenceCounts",
    "DifferenceEdge",
    "DifferenceKind",
    "Float",
    "GraphRelation",
    "GroupLink",
    "HeldRetirementConnection",
    "HeldRetirementEdge",
    "HistoryExtent",
    "ID",
    "Impact",
    "Int",
    "Integer",
    "Item",
    "ItemConnection",
    "ItemEdge",
    "ItemGroup",
    "ItemGroups",
    "ItemOrder",
    "ItemPath",
    "ItemPaths",
    "ItemState",
    "Moments",
    "Mutation",
    "NeighborBundle",
    "NeighborItem",
    "Neighborhood",
    "Node",
    "Orphans",
    "OtherItem",
    "PageInfo",
    "PathRelation",
    "PathStep",
    "PossibleDuplicateConnection",
    "PossibleDuplicateEdge",
    "Query",
    "ReachedItem",
    "RelationConnection",
    "RelationDifference",
    "RelationEdge",
    "Relationship",
    "Source",
    "SourceValue",
    "String",
    "Subscription",
    "Time",
    "TotalCount",
    "Value",
    "WeakenedItem",
];

/// `memory_bytes` as `memoryBytes`.
pub(super) fn camel(name: &str) -> String {
    let mut text = String::with_capacity(name.len());
    let mut is_upper = false;
    for letter in name.chars() {
        if letter == '_' && !text.is_empty() {
            is_upper = true;
        } else if is_upper {
            text.extend(letter.to_uppercase());
            is_upper = false;
        } else {
            text.push(letter);
        }
    }
    text
}

/// `listening_endpoint` as `ListeningEndpoint`.
pub(super) fn pascal(name: &str) -> String {
    let camel = camel(name);
    let mut letters = camel.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// The type of a class.
pub(super) fn type_of(class: &str) -> String {
    let name = pascal(class);
    if TAKEN_TYPES.contains(&name.as_str()) { format!("{name}Item") } else { name }
}

/// The field of an attribute, different from all that the type has already.
pub(super) fn field_of(attribute: &str, used: &mut BTreeSet<String>) -> String {
    let mut name = camel(attribute);
    if TAKEN.contains(&name.as_str()) || used.contains(&name) {
        name = format!("attribute{}", pascal(attribute));
    }
    // Two attributes can still meet (`a_b` and `aB`); a number tells them apart.
    let base = name.clone();
    let mut number = 2_u32;
    while !used.insert(name.clone()) {
        name = format!("{base}{number}");
        number = number.saturating_add(1);
    }
    name
}

/// `many_to_one` as `MANY_TO_ONE`.
pub(super) fn upper(name: &str) -> String {
    name.to_ascii_uppercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_written_as_graphql_does() {
        assert_eq!(camel("memory_bytes"), "memoryBytes");
        assert_eq!(pascal("listening_endpoint"), "ListeningEndpoint");
        assert_eq!(type_of("class"), "ClassItem");
    }

    #[test]
    fn no_two_fields_have_one_name() {
        let mut used = BTreeSet::new();
        let fields =
            ["state", "a_b", "aB", "attribute_state"].map(|name| field_of(name, &mut used));
        assert_eq!(fields, ["attributeState", "aB", "attributeAB", "attributeAttributeState"]);
    }

    #[test]
    fn the_taken_names_are_sorted_so_that_one_is_easily_found() {
        assert!(TAKEN.is_sorted());
        assert!(TAKEN_TYPES.is_sorted());
    }
}
