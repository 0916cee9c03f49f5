//! `identity explain|review|compare|join|divide|keep-apart|decisions|take-back`.

use super::items::item_id;
use super::{array_at, review, text_at};
use crate::arguments::{Common, Format, IdentityCommand};
use crate::client::Client;
use crate::error::Error;
use crate::output::{self, Listing, cell};
use crate::table;
use http::Method;
use serde_json::{Value, json};

/// Does what `dharma identity …` says.
pub(crate) async fn run(
    common: &Common,
    client: &Client,
    command: IdentityCommand,
) -> Result<(), Error> {
    match command {
        IdentityCommand::Explain { item } => explain(common, client, &item).await,
        IdentityCommand::Review { class, limit } => {
            review::queue(common, client, class.as_deref(), limit).await
        }
        IdentityCommand::Compare { item, other } => {
            review::compare(common, client, (&item, &other)).await
        }
        IdentityCommand::Join { item, other, dry_run: true } => {
            review::simulate_two(common, client, "join", (&item, &other)).await
        }
        IdentityCommand::KeepApart { item, other, dry_run: true } => {
            review::simulate_two(common, client, "keep_apart", (&item, &other)).await
        }
        IdentityCommand::Join { item, other, .. } => {
            two(common, client, "join", (&item, &other), "are one item").await
        }
        IdentityCommand::KeepApart { item, other, .. } => {
            two(common, client, "keep-apart", (&item, &other), "are not one item").await
        }
        IdentityCommand::Divide { item, sightings, dry_run: true } => {
            let item = item_id(client, &item).await?;
            let body = json!({"say": "divide", "item": item, "sightings": sightings});
            review::simulate(common, client, body).await
        }
        IdentityCommand::Divide { item, sightings, .. } => {
            let body = json!({"item": item_id(client, &item).await?, "sightings": sightings});
            let said = client.send(Method::POST, "/api/v1/identity/divide", Some(body)).await?;
            said_so(common, &said.body, "these sightings are an item of their own")
        }
        IdentityCommand::Decisions => decisions(common, client).await,
        IdentityCommand::TakeBack { action } => {
            let path = format!("/api/v1/identity/decisions/{action}");
            client.send(Method::DELETE, &path, None).await?;
            output::note("taken back; the evidence decides, or what was said before");
            Ok(())
        }
    }
}

async fn two(
    common: &Common,
    client: &Client,
    what: &str,
    (item, other): (&str, &str),
    meaning: &str,
) -> Result<(), Error> {
    let body =
        json!({"item": item_id(client, item).await?, "other": item_id(client, other).await?});
    let path = format!("/api/v1/identity/{what}");
    let said = client.send(Method::POST, &path, Some(body)).await?;
    said_so(common, &said.body, meaning)
}

fn said_so(common: &Common, said: &Value, meaning: &str) -> Result<(), Error> {
    if common.output == Format::Table {
        let action = cell(said.get("action").unwrap_or(&Value::Null));
        output::note(&format!("{meaning}; `dharma identity take-back {action}` takes it back"));
        return Ok(());
    }
    output::object(common.output, said)
}

async fn explain(common: &Common, client: &Client, wanted: &str) -> Result<(), Error> {
    let id = item_id(client, wanted).await?;
    let found = client.get(&format!("/api/v1/items/{id}/explanation"), &[]).await?;
    if common.output != Format::Table {
        return output::object(common.output, &found);
    }
    let mut text = String::new();
    for (name, field) in [
        ("item", "item_id"),
        ("rules", "rules"),
        ("one item from", "link_at"),
        ("asks from", "review_at"),
    ] {
        let value = cell(found.get(field).unwrap_or(&Value::Null));
        text.push_str(&format!("{name:<20} {}\n", table::printable(&value)));
    }
    text.push_str("\nSightings\n");
    text.push_str(&sightings(&found));
    text.push_str("\nEvidence between them\n");
    text.push_str(&pairs(&found));
    let rivals = rivals(&found);
    if !rivals.is_empty() {
        text.push_str("\nOther items that share evidence\n");
        text.push_str(&rivals);
    }
    output::text(&text);
    Ok(())
}

pub(super) fn list<'a>(object: &'a Value, name: &str) -> impl Iterator<Item = &'a Value> {
    object.get(name).and_then(Value::as_array).into_iter().flatten()
}

fn sightings(found: &Value) -> String {
    let rows: Vec<Vec<String>> = list(found, "sightings")
        .map(|sighting| {
            let keys: Vec<String> = list(sighting, "keys")
                .map(|key| format!("{}={}", text_at(key, "key_type"), text_at(key, "value")))
                .collect();
            let source = sighting.get("source").unwrap_or(&Value::Null);
            vec![
                text_at(sighting, "sighting").to_owned(),
                format!("{}/{}", text_at(source, "collector"), text_at(source, "target")),
                text_at(sighting, "native_key").to_owned(),
                keys.join(" "),
            ]
        })
        .collect();
    table::rendered(&["sighting", "source", "native_key", "keys"].map(str::to_owned), &rows)
}

/// The reasons of a sum, such as `machine_id +18, fqdn +8`.
fn reasons(of: &Value) -> String {
    let reasons = list(of, "reasons").map(|reason| {
        let bits = reason.get("bits").and_then(Value::as_i64).unwrap_or(0);
        let frequency = reason.get("frequency").and_then(Value::as_u64).unwrap_or(0);
        let shared = if frequency > 1 { format!(" (of {frequency})") } else { String::new() };
        format!("{} {bits:+}{shared}", text_at(reason, "key_type"))
    });
    reasons.collect::<Vec<_>>().join(", ")
}

fn pairs(found: &Value) -> String {
    let rows: Vec<Vec<String>> = list(found, "pairs")
        .map(|pair| {
            let is_joined = pair.get("is_joined").and_then(Value::as_bool) == Some(true);
            vec![
                text_at(pair, "one").to_owned(),
                text_at(pair, "other").to_owned(),
                cell(pair.get("bits").unwrap_or(&Value::Null)),
                if is_joined {
                    format!("joined by a person; {}", reasons(pair))
                } else {
                    reasons(pair)
                },
            ]
        })
        .collect();
    table::rendered(&["one", "other", "bits", "reasons"].map(str::to_owned), &rows)
}

fn rivals(found: &Value) -> String {
    let rows: Vec<Vec<String>> = list(found, "rivals")
        .map(|rival| {
            let item = rival.get("item").unwrap_or(&Value::Null);
            let is_apart = rival.get("is_kept_apart").and_then(Value::as_bool) == Some(true);
            vec![
                text_at(item, "title").to_owned(),
                text_at(item, "id").to_owned(),
                cell(rival.get("bits").unwrap_or(&Value::Null)),
                cell(rival.get("missing_bits").unwrap_or(&Value::Null)),
                if is_apart { format!("kept apart; {}", reasons(rival)) } else { reasons(rival) },
            ]
        })
        .collect();
    if rows.is_empty() {
        return String::new();
    }
    table::rendered(&["title", "id", "bits", "missing", "reasons"].map(str::to_owned), &rows)
}

async fn decisions(common: &Common, client: &Client) -> Result<(), Error> {
    let answer = client.get("/api/v1/identity/decisions", &[]).await?;
    let decisions = array_at(client, &answer, "decisions")?;
    let headings = ["action", "kind", "items", "said_by", "said_at"].map(str::to_owned).to_vec();
    let rows = decisions
        .iter()
        .map(|decision| {
            let titles: Vec<&str> =
                list(decision, "items").map(|item| text_at(item, "title")).collect();
            vec![
                cell(decision.get("action").unwrap_or(&Value::Null)),
                text_at(decision, "kind").to_owned(),
                titles.join(", "),
                text_at(decision, "said_by").to_owned(),
                text_at(decision, "said_at").to_owned(),
            ]
        })
        .collect();
    output::listing(common.output, &Listing { objects: decisions, headings, rows })
}
