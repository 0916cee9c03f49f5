//! `rules show|history|plan|apply`.

use super::agents::confirmed;
use super::{array_at, text_at};
use crate::arguments::{Common, Format, RulesCommand};
use crate::client::Client;
use crate::error::Error;
use crate::output::{self, Listing, cell};
use http::Method;
use serde_json::{Value, json};
use std::io::Read;
use std::path::Path;

/// The longest rule file that the control plane takes.
const BYTES_MAX: u64 = 256 * 1024;

/// Does what `dharma rules …` says.
pub(crate) async fn run(
    common: &Common,
    client: &Client,
    command: RulesCommand,
) -> Result<(), Error> {
    match command {
        RulesCommand::Show => show(common, client).await,
        RulesCommand::History => history(common, client).await,
        RulesCommand::Plan { file } => plan(common, client, &file).await,
        RulesCommand::Apply { file, yes } => apply(client, &file, yes).await,
    }
}

async fn versions(client: &Client) -> Result<Vec<Value>, Error> {
    array_at(client, &client.get("/api/v1/identity/rules", &[]).await?, "rules")
}

async fn show(common: &Common, client: &Client) -> Result<(), Error> {
    let versions = versions(client).await?;
    let live = versions.first().unwrap_or(&Value::Null);
    if common.output != Format::Table {
        return output::object(common.output, live);
    }
    output::text(text_at(live, "text"));
    Ok(())
}

async fn history(common: &Common, client: &Client) -> Result<(), Error> {
    let objects = versions(client).await?;
    let headings = ["version", "said_by", "said_at", "is_applied"].map(str::to_owned).to_vec();
    let rows = objects
        .iter()
        .map(|version| {
            headings
                .iter()
                .map(|heading| cell(version.get(heading).unwrap_or(&Value::Null)))
                .collect()
        })
        .collect();
    output::listing(common.output, &Listing { objects, headings, rows })
}

/// The text of a rule file.
fn read(file: &Path) -> Result<String, Error> {
    let failed =
        |error: std::io::Error| Error::Usage(format!("cannot read `{}`: {error}", file.display()));
    let mut text = String::new();
    if file == Path::new("-") {
        std::io::stdin().take(BYTES_MAX + 1).read_to_string(&mut text).map_err(failed)?;
    } else {
        let opened = std::fs::File::open(file).map_err(failed)?;
        opened.take(BYTES_MAX + 1).read_to_string(&mut text).map_err(failed)?;
    }
    Ok(text)
}

async fn planned(client: &Client, text: &str) -> Result<Value, Error> {
    let body = json!({ "text": text });
    let answer = client.send(Method::POST, "/api/v1/identity/rules/plan", Some(body)).await?;
    Ok(answer.body)
}

async fn plan(common: &Common, client: &Client, file: &Path) -> Result<(), Error> {
    let plan = planned(client, &read(file)?).await?;
    if common.output != Format::Table {
        return output::object(common.output, &plan);
    }
    output::text(&summary(&plan));
    let titles = |items: &Value| -> String {
        let items = items.as_array().into_iter().flatten();
        items.map(|item| text_at(item, "title")).collect::<Vec<_>>().join(", ")
    };
    let merged = plan.get("merged").and_then(Value::as_array).into_iter().flatten();
    for one in merged {
        let items = titles(one.get("items").unwrap_or(&Value::Null));
        output::text(&format!("merge  {}\n", crate::table::printable(&items)));
    }
    let divided = plan.get("divided").and_then(Value::as_array).into_iter().flatten();
    for one in divided {
        let title = text_at(one.get("item").unwrap_or(&Value::Null), "title");
        let into = cell(one.get("into").unwrap_or(&Value::Null));
        output::text(&format!("split  {} into {into}\n", crate::table::printable(title)));
    }
    let changed = plan.get("changed").and_then(Value::as_array).into_iter().flatten();
    for one in changed {
        let title = text_at(one.get("item").unwrap_or(&Value::Null), "title");
        let value = |name: &str| cell(one.get(name).unwrap_or(&Value::Null));
        let line = format!(
            "{title}  {}: {} -> {}",
            text_at(one, "attribute"),
            value("before"),
            value("after")
        );
        output::text(&format!("value  {}\n", crate::table::printable(&line)));
    }
    Ok(())
}

fn summary(plan: &Value) -> String {
    let count = |name: &str| plan.get(name).and_then(Value::as_u64).unwrap_or(0);
    format!(
        "{} items of {} sightings: {} would become part of another, {} would be divided, {} pairs would be possible duplicates, {} values would change\n",
        count("items"),
        count("sightings"),
        count("merges"),
        count("splits"),
        count("possible_duplicates"),
        count("changed_values")
    )
}

async fn apply(client: &Client, file: &Path, yes: bool) -> Result<(), Error> {
    let text = read(file)?;
    let plan = planned(client, &text).await?;
    output::note(summary(&plan).trim_end());
    if !yes {
        confirmed(
            ("Rules decide which items there are, and which values win", "rules"),
            text_at(&plan, "rules"),
        )?;
    }
    let body = json!({ "text": text });
    client.send(Method::PUT, "/api/v1/identity/rules", Some(body)).await?;
    output::note(
        "the rules are live; what is known is decided again in the background, `dharma rules history` says when that is done",
    );
    Ok(())
}
