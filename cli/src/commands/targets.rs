//! `target list|show|put|remove|run`.

use super::time::seconds;
use super::{array_at, pages, text_at};
use crate::arguments::targets::{PutArguments, TargetCommand};
use crate::arguments::{Common, Format};
use crate::client::{Client, encoded};
use crate::error::Error;
use crate::output::{self, Listing, cell};
use crate::table;
use http::Method;
use serde_json::{Map, Value, json};
use std::path::Path;

/// Bytes of a file with addresses: 65,536 of the longest names.
const FILE_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// Does what `dharma target …` says.
pub(crate) async fn run(
    common: &Common,
    client: &Client,
    command: TargetCommand,
) -> Result<(), Error> {
    match command {
        TargetCommand::List => list(common, client).await,
        TargetCommand::Show { name, limit } => show(common, client, &name, limit).await,
        TargetCommand::Put(arguments) => put(common, client, *arguments).await,
        TargetCommand::Remove { name } => {
            client.send(Method::DELETE, &path(&name), None).await?;
            output::note("the target set is gone; its targets are no longer read");
            Ok(())
        }
        TargetCommand::Run { name, address } => {
            let body = json!({ "address": address });
            let path = format!("{}/run", path(&name));
            let answer = client.send(Method::POST, &path, Some(body)).await?.body;
            let count = cell(answer.get("targets_count").unwrap_or(&Value::Null));
            output::note(&format!("agents were told to look at {count} targets"));
            Ok(())
        }
    }
}

fn path(name: &str) -> String {
    format!("/api/v1/targets/{}", encoded(name))
}

fn rows(objects: &[Value], headings: &[String]) -> Vec<Vec<String>> {
    let row = |object: &Value| {
        headings.iter().map(|name| cell(object.get(name).unwrap_or(&Value::Null))).collect()
    };
    objects.iter().map(row).collect()
}

async fn list(common: &Common, client: &Client) -> Result<(), Error> {
    let (sets, _) = pages(client, "/api/v1/targets", Vec::new(), "targets", None).await?;
    let headings = [
        "name",
        "collector",
        "site",
        "is_enabled",
        "targets_count",
        "unassigned_count",
        "coverage",
        "remedy",
    ]
    .map(str::to_owned)
    .to_vec();
    let rows = rows(&sets, &headings);
    output::listing(common.output, &Listing { objects: sets, headings, rows })
}

async fn show(common: &Common, client: &Client, name: &str, limit: u32) -> Result<(), Error> {
    let set = client.get(&path(name), &[]).await?;
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let states = format!("{}/states", path(name));
    let (states, has_more) = pages(client, &states, Vec::new(), "states", Some(limit)).await?;
    if common.output != Format::Table {
        return output::object(common.output, &json!({"set": set, "states": states}));
    }
    let mut text = String::new();
    for field in [
        "name",
        "collector",
        "site",
        "credentials",
        "addresses",
        "windows",
        "is_fragile",
        "targets_count",
        "remedy",
        "changed_by",
    ] {
        let value = table::printable(&cell(set.get(field).unwrap_or(&Value::Null)));
        text.push_str(&format!("{field:<20} {value}\n"));
    }
    let headings = [
        "address",
        "state",
        "status",
        "seen_count",
        "looked_at",
        "credential",
        "agent_id",
        "detail",
    ]
    .map(str::to_owned);
    text.push('\n');
    text.push_str(&table::rendered(&headings, &rows(&states, &headings)));
    output::text(&text);
    if has_more {
        output::note("more targets follow; ask for them with --limit");
    }
    Ok(())
}

fn read(path: &Path) -> Result<String, Error> {
    let local = |source| Error::Local { what: format!("read `{}`", path.display()), source };
    if std::fs::metadata(path).map_err(local)?.len() > FILE_BYTES_MAX {
        return Err(Error::Usage(format!(
            "`{}` has more than {FILE_BYTES_MAX} bytes",
            path.display()
        )));
    }
    std::fs::read_to_string(path).map_err(local)
}

/// `name=value` pairs whose values stay text.
pub(super) fn texts(fields: &[String]) -> Result<Map<String, Value>, Error> {
    fields
        .iter()
        .map(|field| {
            let (name, value) = field
                .split_once('=')
                .ok_or_else(|| Error::Usage("a pair is written name=value".to_owned()))?;
            Ok((name.to_owned(), Value::String(value.to_owned())))
        })
        .collect()
}

/// The entries of a text: several a line, separated by blanks or commas; `#` begins a comment.
fn entries(text: &str) -> Vec<String> {
    text.lines()
        .map(|line| line.split('#').next().unwrap_or_default())
        .flat_map(|line| line.split(|one: char| one.is_whitespace() || one == ','))
        .filter(|entry| !entry.is_empty())
        .map(str::to_owned)
        .collect()
}

fn body(arguments: PutArguments) -> Result<Value, Error> {
    let mut addresses = arguments.addresses;
    if let Some(file) = &arguments.file {
        addresses.extend(entries(&read(file)?));
    }
    Ok(json!({
        "collector": arguments.collector,
        "addresses": addresses,
        "exclusions": arguments.exclusions,
        "site": arguments.site,
        "agents": arguments.agents,
        "credentials": arguments.credentials,
        "port": arguments.port,
        "options": texts(&arguments.options)?,
        "interval_seconds": arguments.every.as_deref().map(seconds).transpose()?,
        "windows": arguments.windows,
        "concurrency": arguments.concurrency,
        "looks_per_minute": arguments.looks_per_minute,
        "is_fragile": arguments.fragile,
        "is_whole": arguments.whole.then_some(true),
        "is_enabled": !arguments.disabled,
    }))
}

async fn put(common: &Common, client: &Client, arguments: PutArguments) -> Result<(), Error> {
    let path = path(&arguments.name);
    let stored = client.send(Method::PUT, &path, Some(body(arguments)?)).await?.body;
    if common.output != Format::Table {
        return output::object(common.output, &stored);
    }
    let count = array_at(client, &stored, "addresses").map(|entries| entries.len())?;
    let targets = cell(stored.get("targets_count").unwrap_or(&Value::Null));
    output::note(&format!("stored: {targets} targets of {count} entries"));
    let remedy = text_at(&stored, "remedy");
    if !remedy.is_empty() {
        output::note(&table::printable(remedy));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_stays_the_text_that_it_was_written_as() {
        let pairs = texts(&["user=007".into(), "note=a=b".into()]).unwrap();
        assert_eq!((&pairs["user"], &pairs["note"]), (&json!("007"), &json!("a=b")));
        let error = texts(&["hunter2".into()]).unwrap_err().to_string();
        assert!(!error.contains("hunter2"), "it may be a secret in the wrong place: {error}");
    }

    #[test]
    fn a_file_of_addresses_may_have_comments_and_blank_lines() {
        assert_eq!(entries("# all\n192.0.2.1, 192.0.2.2 # two\n\n"), ["192.0.2.1", "192.0.2.2"]);
    }
}
