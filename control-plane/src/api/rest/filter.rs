//! Filters of items as query parameters: `class`, `state`, `text`, `parent`, `where` and `q_ATTRIBUTE`.
//!
//! A condition is typed by the catalog: `where=port>=1024` compares numbers because `port` is one. A condition on an
//! attribute that no asked class has is an error.

use super::extract::Parameters;
use crate::api::error::{ApiError, shortened};
use crate::api::moment;
use model::query::{CONDITIONS_MAX, Comparison, Condition, Filter, Order};
use model::{Catalog, ItemState, Kind, Name, Value};
use std::fmt::Write;
use utoipa::IntoParams;

/// Bytes of a text that is searched for.
const TEXT_BYTES_MAX: usize = 256;

/// Classes in one filter.
const CLASSES_MAX: usize = 64;

/// How a condition is written; longer signs first, so that `>=` is not read as `>`.
const SIGNS: [(&str, Comparison); 7] = [
    (">=", Comparison::GreaterOrEqual),
    ("<=", Comparison::LessOrEqual),
    ("!=", Comparison::NotEqual),
    (">", Comparison::Greater),
    ("<", Comparison::Less),
    ("~", Comparison::Contains),
    ("=", Comparison::Equal),
];

/// The parameters that [`take`] takes, as the description of the API tells them; beside them each `q_ATTRIBUTE`.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct FilterParameters {
    /// Names of classes, separated by commas
    pub class: Option<String>,
    /// Names of states, separated by commas; without it, every state but retired (in a comparison: every state)
    pub state: Option<String>,
    /// Words of the title or an indexed text; every word must match, by prefix
    pub text: Option<String>,
    /// Parts of this item only
    pub parent: Option<String>,
    /// A condition on an attribute, such as port>=1024 (signs = != < <= > >= ~); may be repeated; q_port=>=1024 is the same
    pub r#where: Option<String>,
}

/// Takes the filter out of the parameters.
///
/// # Errors
/// `VALIDATION_FAILED`.
pub fn take(parameters: &mut Parameters, catalog: &Catalog) -> Result<Filter, ApiError> {
    let classes = classes(parameters.list("class"), catalog)?;
    let states = states(&parameters.list("state"))?;
    let parent = match parameters.one("parent")? {
        None => None,
        Some(text) => Some(text.parse().map_err(|_| {
            ApiError::invalid("parent", format!("`{}` is no id of an item", shortened(&text)))
        })?),
    };
    let text = parameters.one("text")?;
    if text.as_ref().is_some_and(|text| text.len() > TEXT_BYTES_MAX) {
        let detail = format!("`text` has at most {TEXT_BYTES_MAX} bytes");
        return Err(ApiError::invalid("text", detail));
    }
    let mut conditions = Vec::new();
    for written in parameters.all("where") {
        let (attribute, comparison, value) = cut(&written)?;
        conditions.push(condition(catalog, &classes, attribute, comparison, value)?);
    }
    for (attribute, written) in parameters.prefixed("q_") {
        let (comparison, value) = prefixed(&written);
        conditions.push(condition(catalog, &classes, &attribute, comparison, value)?);
    }
    if conditions.len() > CONDITIONS_MAX {
        let detail = format!("a filter has at most {CONDITIONS_MAX} conditions");
        return Err(ApiError::invalid("where", detail));
    }
    Ok(Filter { classes, states, parent, text, conditions })
}

/// Takes the order out of the parameters.
///
/// # Errors
/// `VALIDATION_FAILED`.
pub fn take_order(parameters: &mut Parameters) -> Result<Order, ApiError> {
    match parameters.one("order")?.as_deref() {
        None | Some("title") => Ok(Order::Title),
        Some("changed") => Ok(Order::Changed),
        Some("class") => Ok(Order::Class),
        Some(_) => Err(ApiError::invalid("order", "`order` is `title`, `changed` or `class`")),
    }
}

/// The filter as one text that is the same for the same question.
#[must_use]
pub fn question(filter: &Filter, rest: &str) -> String {
    let mut text = serde_json::to_string(filter).unwrap_or_default();
    // Writing to a string cannot fail.
    let _ok = write!(text, "|{rest}");
    text
}

/// The names of classes that the catalog has, or that only newer agents know.
///
/// # Errors
/// `VALIDATION_FAILED`.
pub fn classes(names: Vec<String>, catalog: &Catalog) -> Result<Vec<Name>, ApiError> {
    if names.len() > CLASSES_MAX {
        let detail = format!("a filter has at most {CLASSES_MAX} classes");
        return Err(ApiError::invalid("class", detail));
    }
    names
        .into_iter()
        .map(|name| match catalog.class(&name) {
            Some(class) => Ok(class.name.clone()),
            None => {
                let detail =
                    format!("there is no class `{}`; /api/v1/classes lists them", shortened(&name));
                Err(ApiError::invalid("class", detail))
            }
        })
        .collect()
}

/// The states of these names.
///
/// # Errors
/// `VALIDATION_FAILED`.
pub fn states(names: &[String]) -> Result<Vec<ItemState>, ApiError> {
    names
        .iter()
        .map(|name| {
            ItemState::from_name(name).ok_or_else(|| {
                ApiError::invalid("state", "a state is `active`, `missing`, `stale` or `retired`")
            })
        })
        .collect()
}

/// Cuts `name>=value` at its first sign.
fn cut(written: &str) -> Result<(&str, Comparison, &str), ApiError> {
    let end = written
        .find(|letter: char| !(letter.is_ascii_alphanumeric() || letter == '_'))
        .unwrap_or(written.len());
    let (name, rest) = written.split_at(end);
    SIGNS
        .iter()
        .find_map(|(sign, comparison)| Some((name, *comparison, rest.strip_prefix(sign)?)))
        .ok_or_else(|| {
            let detail = format!(
                "`{}` is no condition; write an attribute, one of = != < <= > >= ~, and a value",
                shortened(written)
            );
            ApiError::invalid("where", detail)
        })
}

/// The sign before a value; none is equality.
fn prefixed(written: &str) -> (Comparison, &str) {
    if let Some(rest) = written.strip_prefix('!') {
        return (Comparison::NotEqual, rest.strip_prefix('=').unwrap_or(rest));
    }
    SIGNS
        .iter()
        .find_map(|(sign, comparison)| Some((*comparison, written.strip_prefix(sign)?)))
        .unwrap_or((Comparison::Equal, written))
}

/// A condition with its value in the form that the attribute has.
///
/// # Errors
/// `VALIDATION_FAILED`.
pub fn condition(
    catalog: &Catalog,
    classes: &[Name],
    attribute: &str,
    comparison: Comparison,
    written: &str,
) -> Result<Condition, ApiError> {
    let parameter = shortened(attribute);
    let declared = catalog
        .classes()
        .filter(|class| classes.is_empty() || classes.contains(&class.name))
        .find_map(|class| class.attribute(attribute))
        .ok_or_else(|| {
            let detail = format!(
                "none of the asked classes has an attribute `{parameter}`; /api/v1/classes lists them"
            );
            ApiError::invalid("where", detail).with("attribute", parameter.clone())
        })?;
    let value = value_of(declared.kind, comparison, written).ok_or_else(|| {
        let detail = format!(
            "`{}` is no value for `{parameter}`, which is {}",
            shortened(written),
            kind_in_words(declared.kind)
        );
        ApiError::invalid("where", detail).with("attribute", parameter.clone())
    })?;
    Ok(Condition { attribute: declared.name.clone(), comparison, value })
}

fn value_of(kind: Kind, comparison: Comparison, written: &str) -> Option<Value> {
    if comparison == Comparison::Contains {
        return Some(Value::Text(written.to_owned()));
    }
    if written == "null" {
        return Some(Value::Absent);
    }
    match kind {
        Kind::Boolean => written.parse().ok().map(Value::Boolean),
        Kind::Count | Kind::Integer => written.parse().ok().map(Value::Integer),
        Kind::Float => {
            written.parse().ok().filter(|number: &f64| number.is_finite()).map(Value::Float)
        }
        Kind::Time => moment::parse("where", written).ok().map(Value::Time),
        Kind::Text | Kind::TextList => Some(Value::Text(written.to_owned())),
        Kind::Record | Kind::RecordList => None,
    }
}

const fn kind_in_words(kind: Kind) -> &'static str {
    match kind {
        Kind::Boolean => "`true` or `false`",
        Kind::Count | Kind::Integer => "a whole number",
        Kind::Float => "a number",
        Kind::Time => "a moment such as 2026-01-31T12:00:00Z",
        Kind::Text | Kind::TextList => "text",
        Kind::Record | Kind::RecordList => "a record; use ~ to search in it",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::extract::FromRequestParts;
    use proptest::prelude::*;

    #[test]
    fn a_condition_is_cut_at_its_first_sign() {
        assert_eq!(cut("port>=80").unwrap(), ("port", Comparison::GreaterOrEqual, "80"));
        assert_eq!(cut("name=a=b").unwrap(), ("name", Comparison::Equal, "a=b"));
        assert_eq!(cut("name!=a").unwrap(), ("name", Comparison::NotEqual, "a"));
        assert_eq!(cut("name~a").unwrap(), ("name", Comparison::Contains, "a"));
        assert!(cut("name").is_err());
    }

    #[test]
    fn a_sign_stands_before_the_value() {
        assert_eq!(prefixed("!x"), (Comparison::NotEqual, "x"));
        assert_eq!(prefixed(">=5"), (Comparison::GreaterOrEqual, "5"));
        assert_eq!(prefixed("x"), (Comparison::Equal, "x"));
    }

    #[test]
    fn values_have_the_form_that_the_catalog_declares() {
        let catalog = Catalog::built_in();
        let host = vec![Name::from("host")];
        let condition = |name, value| condition(&catalog, &host, name, Comparison::Equal, value);
        assert_eq!(condition("memory_bytes", "5").unwrap().value, Value::Integer(5));
        assert!(condition("memory_bytes", "five").is_err());
        assert!(condition("no_such_attribute", "5").is_err());
        assert_eq!(condition("fqdn", "5").unwrap().value, Value::Text("5".into()));
    }

    /// Made once: a long run has ten thousands of cases.
    static CATALOG: std::sync::LazyLock<Catalog> = std::sync::LazyLock::new(Catalog::built_in);

    /// Parameters as they come from a query with these pairs.
    fn parameters(pairs: &[(String, String)]) -> Option<Parameters> {
        let encoded =
            |text: &str| -> String { text.bytes().map(|byte| format!("%{byte:02x}")).collect() };
        let query: Vec<String> = pairs
            .iter()
            .map(|(name, value)| format!("{}={}", encoded(name), encoded(value)))
            .collect();
        let (mut parts, ()) = http::Request::builder()
            .uri(format!("/api/v1/items?{}", query.join("&")))
            .body(())
            .ok()?
            .into_parts();
        // Nothing in it waits, so that it is done when it is asked once.
        let mut taking = std::pin::pin!(Parameters::from_request_parts(&mut parts, &()));
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        match taking.as_mut().poll(&mut context) {
            std::task::Poll::Ready(taken) => taken.ok(),
            std::task::Poll::Pending => panic!("taking parameters waits for something"),
        }
    }

    /// Pairs that look like a filter, and pairs that do not.
    fn pairs() -> impl Strategy<Value = Vec<(String, String)>> {
        let name = prop_oneof![
            4 => "(class|state|text|parent|where|order|at|page_token)",
            2 => "q_(memory_bytes|fqdn|port|x)",
            1 => ".{0,12}",
        ];
        let value = prop_oneof![
            "(host|package|active|retired|null|,| ){0,6}",
            "(memory_bytes|fqdn|port|boot_time|is_virtual|name|x)(=|!=|<=|>=|<|>|~|==|)(-?[0-9]{0,25}|1e999|NaN|true|null|.{0,20})",
            ".{0,60}",
        ];
        proptest::collection::vec((name, value), 0..12)
    }

    proptest! {
        #[test]
        fn any_pairs_are_a_bounded_filter_or_a_short_error(pairs in pairs()) {
            let Some(mut parameters) = parameters(&pairs) else { return Ok(()) };
            match take(&mut parameters, &CATALOG) {
                Ok(filter) => {
                    prop_assert!(filter.classes.len() <= CLASSES_MAX);
                    prop_assert!(filter.conditions.len() <= CONDITIONS_MAX);
                    prop_assert!(filter.text.as_ref().is_none_or(|text| text.len() <= TEXT_BYTES_MAX));
                    // The same question has the same text, by which a page token is bound to it.
                    prop_assert_eq!(question(&filter, "x"), question(&filter, "x"));
                }
                Err(error) => {
                    prop_assert_eq!(error.code, crate::api::error::Code::ValidationFailed);
                    prop_assert!(error.detail.chars().count() < 400, "{}", error.detail);
                }
            }
        }

        #[test]
        fn any_text_is_a_condition_or_a_short_error(text in "\\PC{0,300}") {
            match cut(&text) {
                Ok((name, _, value)) => prop_assert!(text.starts_with(name) && text.ends_with(value)),
                Err(error) => prop_assert!(error.detail.chars().count() < 300, "{}", error.detail),
            }
        }

        #[test]
        fn any_page_token_is_a_cursor_or_a_mismatch(token in "[A-Za-z0-9_=/+-]{0,80}|.{0,40}") {
            if let Err(error) = crate::api::rest::page::PageRequest::of(10, &token, "question") {
                prop_assert_eq!(error.code, crate::api::error::Code::PageTokenMismatch);
            }
        }
    }
}
