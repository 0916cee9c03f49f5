//! The review queue of identity: what waits for a person, what speaks for it, what a word would do.

use super::identity::list;
use super::items::item_id;
use super::{array_at, text_at};
use crate::arguments::{Common, Format};
use crate::client::Client;
use crate::error::Error;
use crate::output::{self, Listing, cell};
use crate::table;
use http::Method;
use serde_json::{Value, json};

/// Pairs that one request asks for.
const PAGE_ROWS: usize = 500;

/// `identity review`.
pub(super) async fn queue(
    common: &Common,
    client: &Client,
    class: Option<&str>,
    limit: usize,
) -> Result<(), Error> {
    let mut pairs: Vec<Value> = Vec::new();
    let mut token = String::new();
    loop {
        let size = limit.saturating_sub(pairs.len()).clamp(1, PAGE_ROWS);
        let mut parameters = vec![("page_size", size.to_string()), ("page_token", token)];
        parameters.extend(class.map(|class| ("class", class.to_owned())));
        parameters.retain(|(_, value)| !value.is_empty());
        let page = client.get("/api/v1/identity/possible", &parameters).await?;
        pairs.extend(array_at(client, &page, "pairs")?);
        token = text_at(&page, "next_page_token").to_owned();
        if token.is_empty() || pairs.len() >= limit {
            break;
        }
    }
    if !token.is_empty() {
        output::note(&format!("{} are shown and more wait; raise --limit", pairs.len()));
    }
    let headings = ["class", "item", "other", "bits", "missing", "since", "item_id", "other_id"]
        .map(str::to_owned);
    let rows = pairs.iter().map(|pair| {
        let end = |name: &str, field: &str| {
            text_at(pair.get(name).unwrap_or(&Value::Null), field).to_owned()
        };
        vec![
            end("item", "class"),
            end("item", "title"),
            end("other", "title"),
            cell(pair.get("bits").unwrap_or(&Value::Null)),
            cell(pair.get("missing_bits").unwrap_or(&Value::Null)),
            text_at(pair, "found_at").to_owned(),
            end("item", "id"),
            end("other", "id"),
        ]
    });
    let rows = rows.collect();
    output::listing(common.output, &Listing { objects: pairs, headings: headings.to_vec(), rows })
}

/// `identity compare`.
pub(super) async fn compare(
    common: &Common,
    client: &Client,
    (item, other): (&str, &str),
) -> Result<(), Error> {
    let (item, other) = (item_id(client, item).await?, item_id(client, other).await?);
    let parameters = [("item", item), ("other", other)];
    let found = client.get("/api/v1/identity/comparison", &parameters).await?;
    if common.output != Format::Table {
        return output::object(common.output, &found);
    }
    let mut text = String::new();
    for field in ["bits", "link_at", "missing_bits", "rules", "is_kept_apart"] {
        let value = cell(found.get(field).unwrap_or(&Value::Null));
        text.push_str(&format!("{field:<14} {}\n", table::printable(&value)));
    }
    let rows: Vec<Vec<String>> = list(&found, "reasons")
        .map(|reason| {
            let bits = reason.get("bits").and_then(Value::as_i64).unwrap_or(0);
            let side = |values: &str| match reason.get("value").and_then(Value::as_str) {
                Some(shared) => shared.to_owned(),
                None => cell(reason.get(values).unwrap_or(&Value::Null)),
            };
            vec![
                format!("{bits:+}"),
                text_at(reason, "key_type").to_owned(),
                side("item_values"),
                side("other_values"),
            ]
        })
        .collect();
    let title = |end: &str| text_at(found.get(end).unwrap_or(&Value::Null), "title").to_owned();
    let headings = ["bits".to_owned(), "key".to_owned(), title("item"), title("other")];
    text.push_str(&table::rendered(&headings, &rows));
    output::text(&text);
    Ok(())
}

/// `identity join|keep-apart --dry-run`.
pub(super) async fn simulate_two(
    common: &Common,
    client: &Client,
    say: &str,
    (item, other): (&str, &str),
) -> Result<(), Error> {
    let (item, other) = (item_id(client, item).await?, item_id(client, other).await?);
    simulate(common, client, json!({"say": say, "item": item, "other": other})).await
}

/// What would follow from a word.
pub(super) async fn simulate(common: &Common, client: &Client, body: Value) -> Result<(), Error> {
    let found = client.send(Method::POST, "/api/v1/identity/simulate", Some(body)).await?.body;
    if common.output != Format::Table {
        return output::object(common.output, &found);
    }
    output::text(&simulation(&found));
    output::note("nothing was done; leave out --dry-run to do it");
    Ok(())
}

fn simulation(found: &Value) -> String {
    let count = |name: &str| cell(found.get(name).unwrap_or(&Value::Null));
    let mut text = format!(
        "{} merged, {} divided, {} sightings moved\n",
        count("merges"),
        count("splits"),
        count("moved_sightings")
    );
    for outcome in list(found, "outcomes") {
        let is_new = outcome.get("item").is_none_or(Value::is_null);
        let titles = |name: &str| {
            let titles: Vec<&str> =
                list(outcome, name).map(|item| text_at(item, "title")).collect();
            titles.join(", ")
        };
        let title = text_at(outcome, "title");
        let sightings = cell(outcome.get("sightings").unwrap_or(&Value::Null));
        let new = if is_new { " (an item of its own)" } else { "" };
        text.push_str(&format!("\n{}{new}: {sightings} sightings\n", table::printable(title)));
        for (name, meaning) in [("absorbed", "takes over"), ("taken_from", "takes some of")] {
            let titles = titles(name);
            if !titles.is_empty() {
                text.push_str(&format!("  {meaning} {}\n", table::printable(&titles)));
            }
        }
        for change in list(outcome, "changes") {
            let side = |name: &str| match change.get(name) {
                None => "-".to_owned(),
                Some(value) => cell(value),
            };
            let line =
                format!("{}: {} -> {}", text_at(change, "name"), side("before"), side("after"));
            text.push_str(&format!("  {}\n", table::printable(&line)));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_simulation_reads_as_what_would_be_merged_and_different() {
        let found = json!({"merges": 1, "splits": 0, "moved_sightings": 2, "outcomes": [{
            "item": {"title": "a"}, "title": "b", "sightings": 3, "absorbed": [{"title": "c"}],
            "taken_from": [], "changes": [{"name": "fqdn", "before": "a"}]}]});
        let text = simulation(&found);
        assert!(text.starts_with("1 merged, 0 divided, 2 sightings moved\n"), "{text}");
        assert!(text.contains("\nb: 3 sightings\n  takes over c\n  fqdn: a -> -\n"), "{text}");
    }
}
