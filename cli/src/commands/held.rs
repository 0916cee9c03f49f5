//! `held list|show|approve|dismiss`.

use super::{array_at, text_at};
use crate::arguments::{Common, Format, HeldCommand};
use crate::client::{Client, encoded};
use crate::error::Error;
use crate::output::{self, Listing, cell};
use http::Method;
use serde_json::Value;
use std::io::{BufRead, IsTerminal};

/// Rows that one request asks for; the API gives no more.
const PAGE_ROWS: usize = 500;

/// Does what `dharma held …` says.
pub(crate) async fn run(
    common: &Common,
    client: &Client,
    command: HeldCommand,
) -> Result<(), Error> {
    match command {
        HeldCommand::List => held(common, client).await,
        HeldCommand::Show { id, limit } => show(common, client, &id, limit).await,
        HeldCommand::Approve { id, expect_count } => {
            approve(common, client, &id, expect_count).await
        }
        HeldCommand::Dismiss { id } => {
            let path = format!("/api/v1/held-retirements/{}/dismiss", encoded(&id));
            client.send(Method::POST, &path, None).await?;
            output::note("left as it is; the next complete look is judged anew");
            Ok(())
        }
    }
}

async fn held(common: &Common, client: &Client) -> Result<(), Error> {
    let size = [("page_size", PAGE_ROWS.to_string())];
    let page = client.get("/api/v1/held-retirements", &size).await?;
    let held = array_at(client, &page, "held_retirements")?;
    let headings = ["id", "source", "scope", "count", "of", "held_at"].map(str::to_owned).to_vec();
    let rows = held.iter().map(|one| {
        let source = one.get("source").unwrap_or(&Value::Null);
        vec![
            text_at(one, "id").to_owned(),
            format!("{}/{}", text_at(source, "collector"), text_at(source, "target")),
            text_at(one, "scope").to_owned(),
            cell(one.get("count").unwrap_or(&Value::Null)),
            cell(one.get("of").unwrap_or(&Value::Null)),
            text_at(one, "held_at").to_owned(),
        ]
    });
    let rows = rows.collect();
    output::listing(common.output, &Listing { objects: held, headings, rows })
}

async fn page(client: &Client, id: &str, size: usize, token: &str) -> Result<Value, Error> {
    let path = format!("/api/v1/held-retirements/{}/items", encoded(id));
    let mut parameters = vec![("page_size", size.clamp(1, PAGE_ROWS).to_string())];
    if !token.is_empty() {
        parameters.push(("page_token", token.to_owned()));
    }
    client.get(&path, &parameters).await
}

async fn show(common: &Common, client: &Client, id: &str, limit: usize) -> Result<(), Error> {
    let mut items: Vec<Value> = Vec::new();
    let mut token = String::new();
    loop {
        let found = page(client, id, limit.saturating_sub(items.len()), &token).await?;
        items.extend(array_at(client, &found, "items")?);
        text_at(&found, "next_page_token").clone_into(&mut token);
        if token.is_empty() || items.len() >= limit {
            break;
        }
    }
    if !token.is_empty() {
        output::note(&format!("{} are shown and there are more; raise --limit", items.len()));
    }
    let headings = ["class", "title", "state", "id"].map(str::to_owned).to_vec();
    let rows = items
        .iter()
        .map(|item| headings.iter().map(|name| text_at(item, name).to_owned()).collect())
        .collect();
    output::listing(common.output, &Listing { objects: items, headings, rows })
}

/// Whoever approves says how many items that is about, so that nobody approves something else than what they saw.
async fn approve(
    common: &Common,
    client: &Client,
    id: &str,
    expected: Option<u64>,
) -> Result<(), Error> {
    let found = page(client, id, 5, "").await?;
    let total = found.get("total").and_then(Value::as_u64).unwrap_or(0);
    let said = match expected {
        Some(count) => Some(count),
        None if std::io::stdin().is_terminal() => {
            for item in array_at(client, &found, "items")? {
                output::note(&format!("  {} {}", text_at(&item, "class"), text_at(&item, "title")));
            }
            output::note(&format!("{total} items are held; type their number to retire them"));
            let mut line = String::new();
            // A line that cannot be read is no consent.
            drop(std::io::stdin().lock().read_line(&mut line));
            line.trim().parse().ok()
        }
        None => None,
    };
    if said != Some(total) {
        let what = format!("{total} items are held; nothing was done: say --expect-count {total}");
        return Err(Error::Usage(what));
    }
    let path = format!("/api/v1/held-retirements/{}/approve", encoded(id));
    let answer = client.send(Method::POST, &path, None).await?;
    if common.output != Format::Table {
        return output::object(common.output, &answer.body);
    }
    let retired = cell(answer.body.get("retired").unwrap_or(&Value::Null));
    output::note(&format!("{retired} items are retired; those that come back keep their ids"));
    Ok(())
}
