//! `get`, `show`, `search`, `changes`, `classes`.

use super::time::moment;
use super::{array_at, pages, text_at};
use crate::arguments::{ChangesArguments, Common, Format, GetArguments};
use crate::client::{Client, encoded};
use crate::error::Error;
use crate::output::{self, Listing, cell};
use crate::table;
use serde_json::Value;

/// The most columns that a table chooses by itself.
const DEFAULT_COLUMNS_MAX: usize = 6;

/// How many relationships `show` prints; the rest is counted.
const RELATIONS_SHOWN_MAX: usize = 200;

/// The winning value of an attribute of an item.
fn winner<'a>(item: &'a Value, attribute: &str) -> Option<&'a Value> {
    item.get("attributes")?.get(attribute)?.as_array()?.first()?.get("value")
}

fn item_cell(item: &Value, column: &str) -> String {
    match column {
        "id" | "title" | "state" | "class" | "first_seen" | "last_seen" | "parent_id" => {
            text_at(item, column).to_owned()
        }
        _ => winner(item, column).map(cell).unwrap_or_default(),
    }
}

/// The columns that a person wants when none are named: the title, then the first facts that any item has.
fn default_columns(class: Option<&Value>, items: &[Value]) -> Vec<String> {
    let mut columns = vec!["title".to_owned()];
    let title = class.map(|class| text_at(class, "title")).unwrap_or_default();
    let attributes =
        class.and_then(|class| class.get("attributes")?.as_array().cloned()).unwrap_or_default();
    let facts = attributes
        .iter()
        .filter(|attribute| text_at(attribute, "nature") == "fact")
        .map(|attribute| text_at(attribute, "name"));
    columns.extend(
        facts
            .filter(|name| {
                *name != title
                    && items
                        .iter()
                        .any(|item| winner(item, name).is_some_and(|value| !value.is_null()))
            })
            .take(DEFAULT_COLUMNS_MAX - 2)
            .map(str::to_owned),
    );
    columns.push("id".to_owned());
    columns
}

fn listing(items: Vec<Value>, columns: Vec<String>) -> Listing {
    let rows = items
        .iter()
        .map(|item| columns.iter().map(|column| item_cell(item, column)).collect())
        .collect();
    Listing { objects: items, headings: columns, rows }
}

/// `dharma get`.
pub(crate) async fn get(
    common: &Common,
    client: &Client,
    arguments: &GetArguments,
) -> Result<(), Error> {
    let classes = array_at(client, &client.get("/api/v1/classes", &[]).await?, "classes")?;
    let class = class_of(&classes, &arguments.class)?;
    let name = text_at(class, "name").to_owned();
    let mut query = vec![("class", name.clone())];
    query.extend(arguments.state.iter().map(|state| ("state", state.clone())));
    query.extend(arguments.text.iter().map(|text| ("text", text.clone())));
    query.extend(arguments.parent.iter().map(|parent| ("parent", parent.clone())));
    query.extend(arguments.conditions.iter().map(|condition| ("where", condition.clone())));
    if let Some(at) = &arguments.at {
        query.push(("at", moment(at)?));
    }
    let limit = (!arguments.all).then(|| usize::try_from(arguments.limit).unwrap_or(usize::MAX));
    let (items, has_more) = pages(client, "/api/v1/items", query, "items", limit).await?;
    if has_more && !common.quiet {
        output::note(&format!("the first {} are shown; use --all, or --limit N", items.len()));
    }
    let columns = if arguments.columns.is_empty() {
        default_columns(Some(class), &items)
    } else {
        arguments.columns.clone()
    };
    output::listing(common.output, &listing(items, columns))
}

/// The class that a person means: by name, label or plural, whatever the case.
fn class_of<'a>(classes: &'a [Value], wanted: &str) -> Result<&'a Value, Error> {
    let plain = |text: &str| text.to_lowercase().replace(['-', ' '], "_");
    let wanted_plain = plain(wanted);
    classes
        .iter()
        .find(|class| {
            ["name", "label", "plural"]
                .iter()
                .any(|field| plain(text_at(class, field)) == wanted_plain)
        })
        .ok_or_else(|| {
            let mut near: Vec<&str> = classes
                .iter()
                .map(|class| text_at(class, "name"))
                .filter(|name| name.contains(wanted_plain.as_str()) || wanted_plain.contains(name))
                .collect();
            near.sort_unstable();
            let hint = if near.is_empty() {
                "`dharma classes` lists them".to_owned()
            } else {
                format!("did you mean {}?", near.join(", "))
            };
            Error::Usage(format!("there is no class `{wanted}`; {hint}"))
        })
}

/// The id of the item that a person means, by id or by its whole title.
pub(super) async fn item_id(client: &Client, wanted: &str) -> Result<String, Error> {
    let is_id = wanted.len() == 36
        && wanted.chars().all(|letter| letter.is_ascii_hexdigit() || letter == '-');
    if is_id {
        return Ok(wanted.to_owned());
    }
    let (found, _) =
        pages(client, "/api/v1/items", vec![("text", wanted.to_owned())], "items", Some(500))
            .await?;
    let exact: Vec<&Value> =
        found.iter().filter(|item| text_at(item, "title").eq_ignore_ascii_case(wanted)).collect();
    // A host that is called like its hardware or a package is still the one that a person means.
    let hosts: Vec<&Value> =
        exact.iter().copied().filter(|item| text_at(item, "class") == "host").collect();
    match if hosts.len() == 1 { hosts.as_slice() } else { exact.as_slice() } {
        [one] => Ok(text_at(one, "id").to_owned()),
        [] => Err(Error::NotFound(format!(
            "no item is called `{wanted}`; try `dharma search {wanted}`"
        ))),
        several => Err(Error::Usage(format!(
            "{} items are called `{wanted}`; use an id of `dharma search {wanted}`",
            several.len()
        ))),
    }
}

/// `dharma show`.
pub(crate) async fn show(
    common: &Common,
    client: &Client,
    wanted: &str,
    at: Option<&str>,
) -> Result<(), Error> {
    let id = item_id(client, wanted).await?;
    let mut query = Vec::new();
    if let Some(at) = at {
        query.push(("at", moment(at)?));
    }
    let path = format!("/api/v1/items/{}", encoded(&id));
    let mut item = client.get(&path, &query).await?;
    let (relations, has_more) = pages(
        client,
        &format!("{path}/relations"),
        query.clone(),
        "relations",
        Some(RELATIONS_SHOWN_MAX),
    )
    .await?;
    if common.output == Format::Table {
        let catalog = client.get("/api/v1/classes", &[]).await?;
        if let Some((_, at)) = query.first()
            && !common.quiet
        {
            output::note(&format!("as it was at {at}; readings of that time are not kept"));
        }
        output::text(&page(&item, &relations, &catalog));
        if has_more && !common.quiet {
            output::note(&format!(
                "the first {RELATIONS_SHOWN_MAX} relationships are shown; use -o json with `dharma api GET {path}/relations`"
            ));
        }
        return Ok(());
    }
    if let Value::Object(fields) = &mut item {
        fields.insert("relations".to_owned(), Value::Array(relations));
    }
    output::object(common.output, &item)
}

/// The relationship as it reads from this item: its own name, or that of its inverse.
fn verb<'a>(relation: &'a Value, catalog: &'a Value) -> &'a str {
    let name = text_at(relation, "verb");
    if relation.get("outgoing").and_then(Value::as_bool) != Some(false) {
        return name;
    }
    let relationships = catalog.get("relationships").and_then(Value::as_array);
    relationships
        .into_iter()
        .flatten()
        .find(|relationship| text_at(relationship, "name") == name)
        .map_or(name, |relationship| text_at(relationship, "inverse"))
}

fn page(item: &Value, relations: &[Value], catalog: &Value) -> String {
    let mut text = format!(
        "{} ({}), {}\nid {}, first seen {}, last seen {}\n\n",
        table::printable(text_at(item, "title")),
        text_at(item, "class"),
        text_at(item, "state"),
        text_at(item, "id"),
        text_at(item, "first_seen"),
        text_at(item, "last_seen"),
    );
    let mut rows = Vec::new();
    if let Some(attributes) = item.get("attributes").and_then(Value::as_object) {
        for (name, values) in attributes {
            for (index, value) in values.as_array().into_iter().flatten().enumerate() {
                let source = value
                    .get("source")
                    .map(|source| text_at(source, "collector"))
                    .unwrap_or_default();
                let name = if index == 0 { name.clone() } else { "  (other)".to_owned() };
                rows.push(vec![
                    name,
                    cell(value.get("value").unwrap_or(&Value::Null)),
                    source.to_owned(),
                    text_at(value, "since").to_owned(),
                ]);
            }
        }
    }
    text.push_str(&table::rendered(
        &["attribute".into(), "value".into(), "source".into(), "since".into()],
        &rows,
    ));
    if !relations.is_empty() {
        let rows: Vec<Vec<String>> = relations
            .iter()
            .map(|relation| {
                vec![
                    verb(relation, catalog).to_owned(),
                    text_at(relation, "title").to_owned(),
                    text_at(relation, "class").to_owned(),
                    text_at(relation, "item_id").to_owned(),
                    text_at(relation, "evidence").to_owned(),
                ]
            })
            .collect();
        text.push('\n');
        text.push_str(&table::rendered(
            &["relationship".into(), "item".into(), "class".into(), "id".into(), "evidence".into()],
            &rows,
        ));
    }
    text
}

/// `dharma search`.
pub(crate) async fn search(
    common: &Common,
    client: &Client,
    words: &[String],
    limit: u32,
) -> Result<(), Error> {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX).max(1);
    let (items, has_more) =
        pages(client, "/api/v1/items", vec![("text", words.join(" "))], "items", Some(limit))
            .await?;
    if has_more && !common.quiet {
        output::note(&format!("the first {} are shown; use --limit N", items.len()));
    }
    if items.is_empty() && common.output == Format::Table {
        return Err(Error::NotFound(format!("nothing has the words `{}`", words.join(" "))));
    }
    output::listing(
        common.output,
        &listing(items, ["class", "title", "state", "last_seen", "id"].map(str::to_owned).to_vec()),
    )
}

/// `dharma changes`.
pub(crate) async fn changes(
    common: &Common,
    client: &Client,
    arguments: &ChangesArguments,
) -> Result<(), Error> {
    let mut query: Vec<(&str, String)> =
        arguments.class.iter().map(|class| ("class", class.clone())).collect();
    if let Some(since) = &arguments.since {
        query.push(("since", moment(since)?));
    }
    let path = match &arguments.item {
        Some(item) => {
            query.push(("with_parts", "true".to_owned()));
            format!("/api/v1/items/{}/changes", encoded(item))
        }
        None => "/api/v1/changes".to_owned(),
    };
    let limit = usize::try_from(arguments.limit).unwrap_or(usize::MAX).max(1);
    let (changes, has_more) = pages(client, &path, query, "changes", Some(limit)).await?;
    if has_more && !common.quiet {
        output::note(&format!("the newest {} are shown; use --limit N", changes.len()));
    }
    let rows = changes
        .iter()
        .map(|change| {
            vec![
                text_at(change, "observed_at").to_owned(),
                text_at(change, "class").to_owned(),
                text_at(change, "title").to_owned(),
                text_at(change, "kind").to_owned(),
                text_at(change, "name").to_owned(),
                cell(change.get("before").unwrap_or(&Value::Null)),
                cell(change.get("after").unwrap_or(&Value::Null)),
            ]
        })
        .collect();
    let headings = ["observed_at", "class", "title", "kind", "name", "before", "after"]
        .map(str::to_owned)
        .to_vec();
    output::listing(common.output, &Listing { objects: changes, headings, rows })
}

/// `dharma classes`.
pub(crate) async fn classes(common: &Common, client: &Client) -> Result<(), Error> {
    let classes = array_at(client, &client.get("/api/v1/classes", &[]).await?, "classes")?;
    let rows = classes
        .iter()
        .map(|class| {
            vec![
                text_at(class, "name").to_owned(),
                text_at(class, "label").to_owned(),
                text_at(class, "group").to_owned(),
                text_at(class, "doc").to_owned(),
            ]
        })
        .collect();
    let headings = ["name", "label", "group", "doc"].map(str::to_owned).to_vec();
    output::listing(common.output, &Listing { objects: classes, headings, rows })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_class_is_found_by_its_plural_and_a_wrong_one_names_what_is_near() {
        let classes =
            vec![json!({"name": "service_unit", "label": "Service", "plural": "Services"})];
        assert!(class_of(&classes, "services").is_ok());
        assert!(class_of(&classes, "Service-Unit").is_ok());
        assert!(class_of(&classes, "unit").unwrap_err().to_string().contains("service_unit"));
    }

    #[test]
    fn default_columns_leave_out_what_no_item_has() {
        let class = json!({"title": "fqdn", "attributes": [
            {"name": "fqdn", "nature": "fact"}, {"name": "os_name", "nature": "fact"}, {"name": "gpu", "nature": "fact"}, {"name": "load_1m", "nature": "reading"}]});
        let items = vec![
            json!({"title": "a", "attributes": {"os_name": [{"value": "Debian"}], "load_1m": [{"value": 1}]}}),
        ];
        assert_eq!(default_columns(Some(&class), &items), ["title", "os_name", "id"]);
    }
}
