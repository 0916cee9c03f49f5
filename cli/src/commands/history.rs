//! `diff`: what differs between two moments.

use super::items::item_id;
use super::time::moment;
use super::{array_at, text_at};
use crate::arguments::{Common, DiffArguments};
use crate::client::Client;
use crate::error::Error;
use crate::output::{self, Listing, cell};
use serde_json::Value;

/// What the API allows at most.
const PAGE_SIZE_MAX: usize = 500;

/// `dharma diff`.
pub(crate) async fn diff(
    common: &Common,
    client: &Client,
    arguments: &DiffArguments,
) -> Result<(), Error> {
    let mut query = vec![("from", moment(&arguments.from)?)];
    if let Some(to) = &arguments.to {
        query.push(("to", moment(to)?));
    }
    if let Some(item) = &arguments.item {
        query.push(("item", item_id(client, item).await?));
    }
    query.extend(arguments.kind.iter().map(|kind| ("kind", kind.clone())));
    query.extend(arguments.class.iter().map(|class| ("class", class.clone())));
    query.extend(arguments.text.iter().map(|text| ("text", text.clone())));
    query.extend(arguments.parent.iter().map(|parent| ("parent", parent.clone())));
    query.extend(arguments.conditions.iter().map(|condition| ("where", condition.clone())));
    let limit = usize::try_from(arguments.limit).unwrap_or(usize::MAX).max(1);
    let (items, counts, has_more) = pages(client, query, limit).await?;
    if !common.quiet {
        output::note(&summary(&counts));
        if has_more {
            output::note(&format!("the first {} items are shown; use --limit N", items.len()));
        }
    }
    let rows = items.iter().flat_map(rows).collect();
    let headings =
        ["kind", "class", "title", "name", "before", "after"].map(str::to_owned).to_vec();
    output::listing(common.output, &Listing { objects: items, headings, rows })
}

/// Items up to `limit`, the counts of all, and whether there are more.
async fn pages(
    client: &Client,
    mut query: Vec<(&str, String)>,
    limit: usize,
) -> Result<(Vec<Value>, Value, bool), Error> {
    let is_single = query.iter().any(|(name, _)| *name == "item");
    let (mut items, mut counts, mut token) = (Vec::new(), Value::Null, String::new());
    loop {
        let mut asked = query.clone();
        if !is_single {
            let left = limit.saturating_sub(items.len()).clamp(1, PAGE_SIZE_MAX);
            asked.push(("page_size", left.to_string()));
        }
        if !token.is_empty() {
            asked.push(("page_token", token.clone()));
        }
        let answer = client.get("/api/v1/diff", &asked).await?;
        if let Some(all) = answer.get("counts").filter(|all| !all.is_null()) {
            counts = all.clone();
        }
        items.extend(array_at(client, &answer, "items")?);
        text_at(&answer, "next_page_token").clone_into(&mut token);
        if token.is_empty() || items.len() >= limit {
            return Ok((items, counts, !token.is_empty()));
        }
        // Without a later moment the first page says which one it took; the others belong to it.
        if !query.iter().any(|(name, _)| *name == "to") {
            query.push(("to", text_at(&answer, "to").to_owned()));
        }
    }
}

fn summary(counts: &Value) -> String {
    let of = |name: &str| counts.get(name).and_then(Value::as_u64).unwrap_or(0);
    format!(
        "{} created, {} returned, {} retired, {} changed ({} attributes); relationships: {} began, {} ended",
        of("created"),
        of("returned"),
        of("retired"),
        of("changed"),
        of("attributes"),
        of("relations_begun"),
        of("relations_ended")
    )
}

/// One line for each thing that differs of an item; at least one.
fn rows(item: &Value) -> Vec<Vec<String>> {
    let line = |name: &str, before: String, after: String| {
        vec![
            text_at(item, "kind").to_owned(),
            text_at(item, "class").to_owned(),
            text_at(item, "title").to_owned(),
            name.to_owned(),
            before,
            after,
        ]
    };
    let list = |name: &str| item.get(name).and_then(Value::as_array).into_iter().flatten();
    let mut rows = Vec::new();
    let (before, after) = (text_at(item, "state_before"), text_at(item, "state_after"));
    if !before.is_empty() && before != after {
        rows.push(line("state", before.to_owned(), after.to_owned()));
    }
    for attribute in list("attributes") {
        let value = |side: &str| attribute.get(side).map(cell).unwrap_or_default();
        rows.push(line(text_at(attribute, "name"), value("before"), value("after")));
    }
    for relation in list("relations") {
        let arrow = if relation.get("outgoing").and_then(Value::as_bool) == Some(false) {
            "of"
        } else {
            "to"
        };
        let other = format!("{arrow} {}", text_at(relation, "title"));
        let has_begun = relation.get("has_begun").and_then(Value::as_bool) == Some(true);
        let (before, after) =
            if has_begun { (String::new(), other) } else { (other, String::new()) };
        rows.push(line(text_at(relation, "verb"), before, after));
    }
    if rows.is_empty() {
        rows.push(line("", String::new(), String::new()));
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn everything_that_differs_of_an_item_has_a_line_and_a_created_one_has_its_own() {
        let changed = json!({"kind": "changed", "class": "host", "title": "db1",
            "state_before": "active", "state_after": "missing",
            "attributes": [{"name": "fqdn", "before": "a", "after": "b"}],
            "relations": [{"verb": "runs_on", "outgoing": true, "title": "rack", "has_begun": true}]});
        let lines: Vec<String> = rows(&changed).into_iter().map(|row| row.join("|")).collect();
        assert_eq!(
            lines,
            [
                "changed|host|db1|state|active|missing",
                "changed|host|db1|fqdn|a|b",
                "changed|host|db1|runs_on||to rack"
            ]
        );
        let created = json!({"kind": "created", "class": "host", "title": "db2",
            "state_before": null, "state_after": "active", "attributes": [], "relations": []});
        assert_eq!(rows(&created), [["created", "host", "db2", "", "", ""].map(str::to_owned)]);
    }
}
