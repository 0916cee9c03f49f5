//! `impact`, `dependencies`, `path`, `neighborhood`, `orphans`, `groups`: how the estate hangs together.
//!
//! JSON and YAML are the answer of the API, unchanged; a table and CSV have a line an item. What is counted and not
//! listed is said on standard error.

use super::items::item_id;
use super::{pages, text_at};
use crate::arguments::topology::{
    GroupsArguments, ImpactArguments, NeighborhoodArguments, OrphansArguments, PathArguments,
    WalkArguments,
};
use crate::arguments::{Common, Format};
use crate::client::{Client, encoded};
use crate::error::Error;
use crate::output::{self, Listing, cell};
use serde_json::{Value, json};

/// Items that the control plane lists at once.
const LISTED_MAX: u32 = 10_000;

fn number_at(object: &Value, field: &str) -> u64 {
    object.get(field).and_then(Value::as_u64).unwrap_or(0)
}

fn list_at<'a>(object: &'a Value, field: &str) -> &'a [Value] {
    object.get(field).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

fn headings<const N: usize>(names: [&str; N]) -> Vec<String> {
    names.map(str::to_owned).to_vec()
}

/// The columns of an item that an entry has at `item`.
fn item_cells(entry: &Value) -> [String; 4] {
    let item = entry.get("item").unwrap_or(entry);
    ["class", "title", "state", "id"].map(|field| text_at(item, field).to_owned())
}

/// Prints the API's answer, or its lines.
fn print(
    common: &Common,
    answer: &Value,
    headings: Vec<String>,
    rows: Vec<Vec<String>>,
) -> Result<(), Error> {
    match common.output {
        Format::Json | Format::Yaml => output::object(common.output, answer),
        Format::Table | Format::Csv => {
            output::listing(common.output, &Listing { objects: Vec::new(), headings, rows })
        }
    }
}

/// Tells what is counted and not listed.
fn tell(common: &Common, what: &str, (listed, count): (usize, u64), remedy: &str) {
    if !common.quiet && u64::try_from(listed).unwrap_or(u64::MAX) < count {
        output::note(&format!("{listed} of {count} {what} are listed; {remedy}"));
    }
}

async fn walk(
    client: &Client,
    arguments: &WalkArguments,
) -> Result<Vec<(&'static str, String)>, Error> {
    let id = item_id(client, &arguments.item).await?;
    let limit = if arguments.all { LISTED_MAX } else { arguments.limit };
    let mut query = vec![("id", id), ("limit", limit.to_string())];
    query.extend(arguments.depth.map(|depth| ("depth", depth.to_string())));
    Ok(query)
}

/// Asks about the item whose id stands first in the query.
async fn ask(
    client: &Client,
    what: &str,
    mut query: Vec<(&'static str, String)>,
) -> Result<Value, Error> {
    let (_, id) = query.remove(0);
    client.get(&format!("/api/v1/items/{}/{what}", encoded(&id)), &query).await
}

/// `dharma impact`.
pub(crate) async fn impact(
    common: &Common,
    client: &Client,
    arguments: &ImpactArguments,
) -> Result<(), Error> {
    let mut query = walk(client, &arguments.walk).await?;
    for other in &arguments.with {
        query.push(("with", item_id(client, other).await?));
    }
    let answer = ask(client, "impact", query).await?;
    let items = list_at(&answer, "items");
    let weakened = list_at(&answer, "weakened");
    if !common.quiet {
        let counts = (number_at(&answer, "count"), number_at(&answer, "weakened_count"));
        output::note(&format!(
            "{} items suffer, {} go on with less than before",
            counts.0, counts.1
        ));
    }
    tell(
        common,
        "items that suffer",
        (items.len(), number_at(&answer, "count")),
        "use --all, or --limit N",
    );
    let mut rows: Vec<Vec<String>> = items
        .iter()
        .map(|entry| {
            let [class, title, state, id] = item_cells(entry);
            vec![
                "suffers".to_owned(),
                number_at(entry, "depth").to_string(),
                class,
                title,
                state,
                id,
            ]
        })
        .collect();
    rows.extend(weakened.iter().map(|entry| {
        let [class, title, state, id] = item_cells(entry);
        let left =
            format!("{} left, needs {}", number_at(entry, "left"), number_at(entry, "needed"));
        vec![left, String::new(), class, title, state, id]
    }));
    print(common, &answer, headings(["effect", "depth", "class", "title", "state", "id"]), rows)
}

/// `dharma dependencies`.
pub(crate) async fn dependencies(
    common: &Common,
    client: &Client,
    arguments: &WalkArguments,
) -> Result<(), Error> {
    let answer = ask(client, "dependencies", walk(client, arguments).await?).await?;
    let items = list_at(&answer, "items");
    if !common.quiet {
        let counts = (number_at(&answer, "count"), number_at(&answer, "certain_count"));
        output::note(&format!("needs {} items, {} of them without a stand-in", counts.0, counts.1));
    }
    tell(
        common,
        "items that it needs",
        (items.len(), number_at(&answer, "count")),
        "use --all, or --limit N",
    );
    let rows = items
        .iter()
        .map(|entry| {
            let is_certain = entry.get("is_certain").and_then(Value::as_bool) == Some(true);
            let stand_in = if is_certain { "no" } else { "yes" };
            let [class, title, state, id] = item_cells(entry);
            let depth = number_at(entry, "depth").to_string();
            vec![depth, stand_in.to_owned(), class, title, state, id]
        })
        .collect();
    print(common, &answer, headings(["depth", "stand_in", "class", "title", "state", "id"]), rows)
}

/// How one item of a way leads to the next: `-verb->` away from the one before, `<-verb-` to it.
fn via(step: &Value) -> String {
    let relations = list_at(step, "via").iter().map(|relation| {
        let verb = text_at(relation, "verb");
        match relation.get("outgoing").and_then(Value::as_bool) {
            Some(false) => format!("<-{verb}-"),
            _ => format!("-{verb}->"),
        }
    });
    relations.collect::<Vec<_>>().join(" ")
}

/// `dharma path`.
pub(crate) async fn path(
    common: &Common,
    client: &Client,
    arguments: &PathArguments,
) -> Result<(), Error> {
    let mut query = vec![("id", item_id(client, &arguments.from).await?)];
    query.push(("to", item_id(client, &arguments.to).await?));
    query.push(("limit", arguments.limit.to_string()));
    query.extend(arguments.depth.map(|depth| ("depth", depth.to_string())));
    query.extend(arguments.verb.iter().map(|verb| ("verb", verb.clone())));
    let answer = ask(client, "path", query).await?;
    let paths = list_at(&answer, "paths");
    if paths.is_empty() {
        // A script that asks whether two items are connected sees it in the exit code, and the answer all the same.
        if matches!(common.output, Format::Json | Format::Yaml) {
            output::object(common.output, &answer)?;
        }
        return Err(Error::NotFound(format!(
            "no way leads from `{}` to `{}`; a longer one may, with --depth N",
            arguments.from, arguments.to
        )));
    }
    tell(common, "shortest ways", (paths.len(), number_at(&answer, "count")), "use --limit N");
    let rows = paths
        .iter()
        .enumerate()
        .flat_map(|(number, steps)| {
            steps.as_array().into_iter().flatten().enumerate().map(move |(place, step)| {
                let [class, title, state, id] = item_cells(step);
                let number = number.saturating_add(1).to_string();
                vec![number, place.to_string(), via(step), class, title, state, id]
            })
        })
        .collect();
    let names = ["way", "step", "via", "class", "title", "state", "id"];
    print(common, &answer, headings(names), rows)
}

/// `dharma neighborhood`.
pub(crate) async fn neighborhood(
    common: &Common,
    client: &Client,
    arguments: &NeighborhoodArguments,
) -> Result<(), Error> {
    let mut query = vec![("id", item_id(client, &arguments.item).await?)];
    query.push(("depth", arguments.depth.to_string()));
    query.push(("fold", arguments.fold.to_string()));
    query.push(("limit", arguments.limit.to_string()));
    query.extend(arguments.verb.iter().map(|verb| ("verb", verb.clone())));
    let answer = ask(client, "neighborhood", query).await?;
    let items = list_at(&answer, "items");
    tell(common, "neighbors", (items.len(), number_at(&answer, "count")), "use --limit N");
    let mut rows: Vec<Vec<String>> = items
        .iter()
        .map(|entry| {
            let [class, title, state, id] = item_cells(entry);
            vec![number_at(entry, "depth").to_string(), class, title, state, id]
        })
        .collect();
    rows.extend(list_at(&answer, "bundles").iter().map(|bundle| {
        let count = format!(
            "{} by {} ({} not active)",
            number_at(bundle, "count"),
            text_at(bundle, "verb"),
            number_at(bundle, "troubled_count")
        );
        let of = format!("of {}", text_at(bundle, "item_id"));
        vec![String::new(), text_at(bundle, "class").to_owned(), count, String::new(), of]
    }));
    print(common, &answer, headings(["depth", "class", "title", "state", "id"]), rows)
}

/// `dharma orphans`.
pub(crate) async fn orphans(
    common: &Common,
    client: &Client,
    arguments: &OrphansArguments,
) -> Result<(), Error> {
    let mut query = vec![("kind", arguments.kind.clone())];
    query.extend(arguments.class.iter().map(|class| ("class", class.clone())));
    let path = "/api/v1/topology/orphans";
    // The counts are those of all pages; one entry is enough to have them.
    let first = [query.clone(), vec![("page_size", "1".to_owned())]].concat();
    let mut answer = client.get(path, &first).await?;
    let limit = usize::try_from(arguments.limit).unwrap_or(usize::MAX).max(1);
    let limit = (!arguments.all).then_some(limit);
    let (items, _) = pages(client, path, query, "items", limit).await?;
    let count = number_at(&answer, "count");
    tell(common, "items", (items.len(), count), "use --all, or --limit N");
    let rows = items.iter().map(|item| item_cells(item).to_vec()).collect();
    if let Some(fields) = answer.as_object_mut() {
        fields.insert("items".to_owned(), json!(items));
        fields.remove("next_page_token");
    }
    print(common, &answer, headings(["class", "title", "state", "id"]), rows)
}

/// `dharma groups`.
pub(crate) async fn groups(
    common: &Common,
    client: &Client,
    arguments: &GroupsArguments,
) -> Result<(), Error> {
    let mut query = vec![("by", arguments.by.join(","))];
    query.push(("order", arguments.order.clone()));
    query.push(("limit", arguments.limit.to_string()));
    query.extend(arguments.within.iter().map(|value| ("within", value.clone())));
    query.extend(arguments.verb.iter().map(|verb| ("verb", verb.clone())));
    let answer = client.get("/api/v1/topology/groups", &query).await?;
    let groups = list_at(&answer, "groups");
    tell(
        common,
        "groups",
        (groups.len(), number_at(&answer, "groups_count")),
        "narrow it with --within VALUE",
    );
    if arguments.links {
        return links(common, &answer, groups);
    }
    let names = ["count", "active_count", "missing_count", "stale_count", "inner_count"];
    let rows = groups.iter().map(|group| {
        let path = list_at(group, "path").iter().map(cell);
        path.chain(names.map(|name| number_at(group, name).to_string())).collect()
    });
    let columns = arguments.by.iter().cloned().chain(names.map(str::to_owned)).collect();
    print(common, &answer, columns, rows.collect())
}

fn links(common: &Common, answer: &Value, groups: &[Value]) -> Result<(), Error> {
    let links = list_at(answer, "links");
    tell(
        common,
        "links",
        (links.len(), number_at(answer, "links_count")),
        "narrow it with --within VALUE",
    );
    let name = |link: &Value, end: &str| {
        let place = usize::try_from(number_at(link, end)).unwrap_or(usize::MAX);
        let path = groups.get(place).map(|group| list_at(group, "path")).unwrap_or_default();
        path.iter().map(cell).collect::<Vec<_>>().join("/")
    };
    let numbers = ["count", "dependencies_count", "troubled_count"];
    let rows = links.iter().map(|link| {
        let ends = [name(link, "from"), name(link, "to")].into_iter();
        ends.chain(numbers.map(|number| number_at(link, number).to_string())).collect()
    });
    let names = ["from", "to", "count", "dependencies_count", "troubled_count"];
    print(common, answer, headings(names), rows.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_way_shows_in_which_direction_each_relationship_leads() {
        let step = json!({"via": [{"verb": "part_of", "outgoing": true}, {"verb": "runs_on", "outgoing": false}]});
        assert_eq!(via(&step), "-part_of-> <-runs_on-");
        assert_eq!(via(&json!({"via": []})), "");
    }
}
