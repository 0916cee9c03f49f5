//! Measures a query before it runs.
//!
//! A field costs one; below a list it costs as many as the list has entries, and lists below lists multiply. What
//! counts is the size that the caller asks for, so that the price is known beforehand and does not depend on what is
//! stored.
//!
//! Everything here works on foreign text: its length, nesting, number of fields and of fragments are bounded before
//! anything walks over it.

use crate::api::error::{ApiError, Code};
use async_graphql::parser::types::{
    DocumentOperations, ExecutableDocument, Field, OperationDefinition, Selection, SelectionSet,
};
use async_graphql::{Name, Value, Variables};
use model::query::PAGE_SIZE_MAX;

/// Bytes of a query's text. The console's longest has four thousand.
pub(super) const QUERY_BYTES_MAX: usize = 64 * 1024;

/// How deep brackets may lie in each other, before the text is parsed at all.
const NESTING_MAX: usize = 64;

/// How deep fields may lie in each other: an item, its relations, their relations, and an attribute's source.
pub(super) const DEPTH_MAX: usize = 12;

/// The same for questions about the schema, which tools ask with a dozen `ofType`.
const INTROSPECTION_DEPTH_MAX: usize = 24;

/// What one query may cost.
pub(super) const COST_MAX: u64 = 100_000;

/// Fields that a query may name, fragments unfolded.
const FIELDS_MAX: usize = 2_000;

/// Fields that are given another name.
const ALIASES_MAX: usize = 60;

/// Fragments that may lie in each other.
const FRAGMENTS_DEPTH_MAX: usize = 16;

/// What a question about the schema costs: it is answered from memory.
const INTROSPECTION_COST: u64 = 100;

/// What counting exactly costs beside the page itself.
const TOTAL_COUNT_COST: u64 = 100;

/// What a walk over a part of the graph costs beside what it lists.
const WALK_COST: u64 = 100;

/// What a walk over the whole graph costs: a tenth of a second at a million items.
const ESTATE_COST: u64 = 5_000;

/// Lists without pages, with the size that they are reckoned with.
const LISTS: [(&str, u64); 10] = [
    ("attributeDifferences", 10),
    ("attributes", 30),
    ("classes", 30),
    ("identity", 4),
    ("links", 3),
    ("relationDifferences", 20),
    ("relationships", 20),
    ("scopes", 30),
    ("steps", 10),
    ("values", 2),
];

/// What a query costs, and what it may.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Cost {
    /// What it costs.
    pub(super) total: u64,
    /// How deep its fields lie.
    pub(super) depth: usize,
    /// How many fields it names.
    pub(super) fields: usize,
    /// How many of them by another name.
    pub(super) aliases: usize,
}

/// Checks the text before it is parsed.
pub(super) fn check_text(query: &str) -> Result<(), ApiError> {
    if query.len() > QUERY_BYTES_MAX {
        let detail = format!("a query has at most {QUERY_BYTES_MAX} bytes");
        return Err(too_costly(detail, "bytes", query.len(), QUERY_BYTES_MAX));
    }
    let deepest = nesting(query);
    if deepest > NESTING_MAX {
        let detail = format!("brackets lie at most {NESTING_MAX} deep in a query");
        return Err(too_costly(detail, "nesting", deepest, NESTING_MAX));
    }
    Ok(())
}

/// How deep brackets lie in each other, outside of texts and comments.
fn nesting(query: &str) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0_usize);
    let mut bytes = query.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'{' | b'[' | b'(' => {
                depth = depth.saturating_add(1);
                deepest = deepest.max(depth);
            }
            b'}' | b']' | b')' => depth = depth.saturating_sub(1),
            b'#' => while bytes.next().is_some_and(|byte| byte != b'\n') {},
            // A block text is three of these; taken one by one its content counts too, which only errs on the
            // strict side.
            b'"' => {
                let mut is_escaped = false;
                for byte in bytes.by_ref() {
                    match byte {
                        b'"' if !is_escaped => break,
                        b'\n' => break,
                        _ => is_escaped = byte == b'\\' && !is_escaped,
                    }
                }
            }
            _ => {}
        }
    }
    deepest
}

/// Measures the operation of a document that will run.
pub(super) fn measure(
    document: &ExecutableDocument,
    operation: Option<&str>,
    variables: &Variables,
) -> Result<Cost, ApiError> {
    let operation = find(document, operation)?;
    let mut measuring =
        Measuring { document, operation, variables, cost: Cost::default(), open: Vec::new() };
    measuring
        .set(&operation.selection_set.node, Place { entries: 1, depth: 1, is_schema: false })?;
    let cost = measuring.cost;
    if cost.total > COST_MAX {
        let detail = format!(
            "the query costs {} and may cost {COST_MAX}; ask for smaller pages or fewer fields",
            cost.total
        );
        return Err(too_costly(detail, "cost", cost.total, COST_MAX));
    }
    Ok(cost)
}

fn find<'a>(
    document: &'a ExecutableDocument,
    name: Option<&str>,
) -> Result<&'a OperationDefinition, ApiError> {
    let found = match (&document.operations, name) {
        (DocumentOperations::Single(operation), _) => Some(operation),
        (DocumentOperations::Multiple(operations), Some(name)) => operations.get(name),
        (DocumentOperations::Multiple(operations), None) if operations.len() == 1 => {
            operations.values().next()
        }
        (DocumentOperations::Multiple(_), None) => None,
    };
    found.map(|operation| &operation.node).ok_or_else(|| {
        ApiError::new(
            Code::QuerySyntax,
            "the document has several operations; name one in `operationName`",
        )
    })
}

/// Where the walk is.
#[derive(Clone, Copy)]
struct Place {
    /// How many times a field stands here.
    entries: u64,
    depth: usize,
    is_schema: bool,
}

struct Measuring<'a> {
    document: &'a ExecutableDocument,
    operation: &'a OperationDefinition,
    variables: &'a Variables,
    cost: Cost,
    /// Fragments that the walk is in.
    open: Vec<&'a Name>,
}

impl<'a> Measuring<'a> {
    /// Walks over a selection. Recursion is bounded by the parser's own limit of nesting and by the limits here.
    fn set(&mut self, set: &'a SelectionSet, place: Place) -> Result<(), ApiError> {
        for selection in &set.items {
            match &selection.node {
                Selection::Field(field) => self.field(&field.node, place)?,
                Selection::InlineFragment(fragment) => {
                    self.count()?;
                    self.set(&fragment.node.selection_set.node, place)?;
                }
                Selection::FragmentSpread(spread) => {
                    self.count()?;
                    self.fragment(&spread.node.fragment_name.node, place)?;
                }
            }
        }
        Ok(())
    }

    fn fragment(&mut self, name: &'a Name, place: Place) -> Result<(), ApiError> {
        if self.open.contains(&name) {
            return Err(ApiError::new(Code::QuerySyntax, "a fragment contains itself"));
        }
        if self.open.len() >= FRAGMENTS_DEPTH_MAX {
            let detail = format!("fragments lie at most {FRAGMENTS_DEPTH_MAX} deep in each other");
            return Err(too_costly(detail, "fragments", self.open.len(), FRAGMENTS_DEPTH_MAX));
        }
        // An unknown fragment is found by the validation, which words it better.
        let Some(fragment) = self.document.fragments.get(name) else { return Ok(()) };
        self.open.push(name);
        self.set(&fragment.node.selection_set.node, place)?;
        self.open.pop();
        Ok(())
    }

    fn field(&mut self, field: &'a Field, place: Place) -> Result<(), ApiError> {
        self.count()?;
        if field.alias.is_some() {
            self.cost.aliases = self.cost.aliases.saturating_add(1);
            if self.cost.aliases > ALIASES_MAX {
                let detail = format!("a query renames at most {ALIASES_MAX} fields");
                return Err(too_costly(detail, "aliases", self.cost.aliases, ALIASES_MAX));
            }
        }
        let name = field.name.node.as_str();
        let is_schema = place.is_schema || name.starts_with("__");
        let depth_max = if is_schema { INTROSPECTION_DEPTH_MAX } else { DEPTH_MAX };
        if place.depth > depth_max {
            let detail = format!("fields lie at most {depth_max} deep in each other");
            return Err(too_costly(detail, "depth", place.depth, depth_max));
        }
        self.cost.depth = self.cost.depth.max(place.depth);
        let own = match name {
            "__schema" | "__type" => INTROSPECTION_COST,
            "totalCount" => TOTAL_COUNT_COST,
            "impact" | "dependencies" | "shortestPaths" | "neighborhood" => WALK_COST,
            "orphans" | "groups" => ESTATE_COST,
            _ if is_schema => 0,
            _ => 1,
        };
        self.cost.total = self.cost.total.saturating_add(place.entries.saturating_mul(own));
        let below = Place {
            entries: place.entries.saturating_mul(self.size(field)),
            depth: place.depth.saturating_add(1),
            is_schema,
        };
        self.set(&field.selection_set.node, below)
    }

    /// How many entries stand below a field.
    fn size(&self, field: &Field) -> u64 {
        let first = field.arguments.iter().find(|(name, _)| name.node == "first");
        let Some((_, written)) = first else {
            return LISTS
                .iter()
                .find(|(name, _)| *name == field.name.node.as_str())
                .map_or(1, |(_, size)| *size);
        };
        let most = u64::from(PAGE_SIZE_MAX);
        let value = written.node.clone().into_const_with(|name| self.variable(&name).ok_or(()));
        match value {
            Ok(Value::Number(number)) => number.as_u64().unwrap_or(most).clamp(1, most),
            // What is no number will be refused later; until then it counts as the greatest page.
            _ => most,
        }
    }

    fn variable(&self, name: &Name) -> Option<Value> {
        let given = self.variables.get(name).or_else(|| {
            self.operation
                .variable_definitions
                .iter()
                .find(|definition| definition.node.name.node == *name)
                .and_then(|definition| definition.node.default_value())
        });
        given.cloned()
    }

    fn count(&mut self) -> Result<(), ApiError> {
        self.cost.fields = self.cost.fields.saturating_add(1);
        if self.cost.fields > FIELDS_MAX {
            let detail = format!("a query names at most {FIELDS_MAX} fields, fragments unfolded");
            return Err(too_costly(detail, "fields", self.cost.fields, FIELDS_MAX));
        }
        Ok(())
    }
}

fn too_costly<T: TryInto<u64>>(detail: String, what: &str, found: T, limit: T) -> ApiError {
    let number = |value: T| value.try_into().unwrap_or(u64::MAX);
    ApiError::new(Code::QueryTooCostly, detail)
        .with("what", what)
        .with("found", number(found))
        .with("limit", number(limit))
}

#[cfg(test)]
mod tests {
    use super::*;
    use async_graphql::parser::parse_query;
    use proptest::prelude::*;
    use proptest::test_runner::TestCaseError;

    fn measured(query: &str) -> Result<Cost, ApiError> {
        check_text(query)?;
        measure(&parse_query(query).unwrap(), None, &Variables::default())
    }

    fn refused(query: &str) -> String {
        let error = measured(query).unwrap_err();
        assert_eq!(error.code, Code::QueryTooCostly, "{error}");
        error.params.get("what").and_then(|what| what.as_str()).unwrap().to_owned()
    }

    #[test]
    fn pages_multiply_what_stands_below_them() {
        let cost = measured("{ items(first: 10) { edges { node { id title } } } }").unwrap();
        // One for the list, ten each for edges, node, id and title.
        assert_eq!(cost.total, 41);
        assert_eq!(cost.depth, 4);
    }

    #[test]
    fn a_page_by_variable_counts_as_its_value_or_as_the_greatest() {
        let query = "query($n: Int!) { items(first: $n) { edges { cursor } } }";
        let document = parse_query(query).unwrap();
        let given = Variables::from_json(serde_json::json!({ "n": 5 }));
        assert_eq!(measure(&document, None, &given).unwrap().total, 11);
        assert_eq!(measure(&document, None, &Variables::default()).unwrap().total, 1001);
    }

    #[test]
    fn lists_in_lists_of_lists_are_too_costly() {
        let query = "{ items(first: 500) { edges { node { relations(first: 500) { edges { cursor } } } } } }";
        assert_eq!(refused(query), "cost");
    }

    #[test]
    fn too_deep_too_wide_and_too_many_names_are_refused() {
        let deep = format!("{{ {} id {} }}", "parent { ".repeat(13), "} ".repeat(13));
        assert_eq!(refused(&deep), "depth");
        let wide = format!("{{ {} }}", "id ".repeat(FIELDS_MAX + 1));
        assert_eq!(refused(&wide), "fields");
        let renamed: String = (0..=ALIASES_MAX).map(|number| format!("a{number}: id ")).collect();
        assert_eq!(refused(&format!("{{ {renamed} }}")), "aliases");
    }

    #[test]
    fn fragments_that_unfold_to_millions_of_fields_are_refused_at_once() {
        let mut query = "{ ...f0 } fragment f30 on Query { id }".to_owned();
        for number in 0..30 {
            let next = number + 1;
            query.push_str(&format!(" fragment f{number} on Query {{ ...f{next} ...f{next} }}"));
        }
        assert!(["fields", "fragments"].contains(&refused(&query).as_str()));
    }

    #[test]
    fn a_fragment_that_contains_itself_is_refused() {
        let query = "{ ...a } fragment a on Query { ...b } fragment b on Query { ...a }";
        assert_eq!(measured(query).unwrap_err().code, Code::QuerySyntax);
    }

    #[test]
    fn brackets_by_the_thousand_never_reach_the_parser() {
        for bracket in ["{", "[", "("] {
            let query = bracket.repeat(10_000);
            assert_eq!(check_text(&query).unwrap_err().code, Code::QueryTooCostly);
        }
        assert!(check_text("{ items(text: \"((((\") { id } } # {{{{").is_ok());
    }

    #[test]
    fn the_schema_may_be_asked_for_by_tools() {
        let query = format!(
            "{{ __schema {{ types {{ fields {{ type {{ {} name {} }} }} }} }} }}",
            "ofType { ".repeat(9),
            "} ".repeat(9)
        );
        assert!(measured(&query).is_ok());
    }

    /// Pieces of queries, put together without sense.
    fn query() -> impl Strategy<Value = String> {
        let piece = prop_oneof![
            4 => r"(\{|\}|\(|\)|\[|\]) ?",
            4 => "(items|edges|node|id|parent|relations|__schema|types|ofType|totalCount) ",
            2 => r"\((first|after|where): ?(-?[0-9]{1,22}|\$n|null|[\x22]x[\x22]|\[\{\}\])\) ",
            2 => "(query|subscription|mutation|fragment) ?(Q|f|g)?(\\(\\$n: Int = [0-9]{1,12}\\))? ",
            2 => "(\\.\\.\\.)(f|g|on Query|on Item)? ",
            1 => "[a-z]{1,3}: ",
            1 => "(\"|\"\"\"|#|@skip\\(if: true\\)|\n)",
            1 => "\\PC{0,8}",
        ];
        proptest::collection::vec(piece, 0..60).prop_map(|pieces| pieces.concat())
    }

    /// A query that parses: fields in each other, with pages and fragments.
    fn well_formed() -> impl Strategy<Value = String> {
        let field = "(items|edges|node|id|title|parent|a: id|__typename|totalCount)(\\(first: (0|[1-9][0-9]{0,24})\\)|\\(first: \\$n\\))?";
        let leaf = prop_oneof![field.prop_map(|text| text), Just("...f".to_owned())];
        let set = leaf.prop_recursive(20, 200, 6, move |inner| {
            (field, proptest::collection::vec(inner, 1..6))
                .prop_map(|(name, inner)| format!("{name} {{ {} }}", inner.join(" ")))
        });
        (set.clone(), set).prop_map(|(own, fragment)| {
            format!("query($n: Int) {{ {own} }} fragment f on Query {{ {fragment} }}")
        })
    }

    fn is_measured_or_refused(query: &str) -> Result<(), TestCaseError> {
        if check_text(query).is_err() {
            return Ok(());
        }
        let Ok(document) = parse_query(query) else { return Ok(()) };
        match measure(&document, None, &Variables::default()) {
            Ok(cost) => {
                prop_assert!(cost.total <= COST_MAX && cost.fields <= FIELDS_MAX);
                prop_assert!(cost.aliases <= ALIASES_MAX && cost.depth <= INTROSPECTION_DEPTH_MAX);
            }
            Err(error) => {
                prop_assert!([Code::QueryTooCostly, Code::QuerySyntax].contains(&error.code));
                prop_assert!(error.detail.len() < 300, "{}", error.detail);
            }
        }
        Ok(())
    }

    proptest! {
        #[test]
        fn any_text_is_measured_or_refused(query in query()) {
            is_measured_or_refused(&query)?;
        }

        #[test]
        fn any_query_that_parses_is_within_the_limits_or_refused(query in well_formed()) {
            prop_assert!(parse_query(&query).is_ok(), "{}", query);
            is_measured_or_refused(&query)?;
        }
    }
}
