//! `credential list|show|put|remove|test`. Secrets never stand on the command line: other users can read it.

use super::targets::texts;
use super::{pages, text_at};
use crate::arguments::targets::{CredentialArguments, CredentialCommand};
use crate::arguments::{Common, Format};
use crate::client::{Client, encoded};
use crate::error::Error;
use crate::output::{self, Listing, cell};
use crate::table;
use http::Method;
use serde_json::{Map, Value, json};
use std::io::Read;
use std::path::Path;

/// Bytes of a secret, as the control plane takes them.
const SECRET_BYTES_MAX: u64 = 64 * 1024;

/// Does what `dharma credential …` says.
pub(crate) async fn run(
    common: &Common,
    client: &Client,
    command: CredentialCommand,
) -> Result<(), Error> {
    match command {
        CredentialCommand::List => {
            let (found, _) =
                pages(client, "/api/v1/credentials", Vec::new(), "credentials", None).await?;
            let headings = [
                "name",
                "kind",
                "settings",
                "secrets",
                "references",
                "used_by",
                "is_usable",
                "changed_at",
            ]
            .map(str::to_owned)
            .to_vec();
            let row = |one: &Value| {
                headings.iter().map(|name| cell(one.get(name).unwrap_or(&Value::Null))).collect()
            };
            let rows = found.iter().map(row).collect();
            output::listing(common.output, &Listing { objects: found, headings, rows })
        }
        CredentialCommand::Show { name } => {
            output::object(common.output, &client.get(&path(&name), &[]).await?)
        }
        CredentialCommand::Put(arguments) => put(common, client, &arguments).await,
        CredentialCommand::Remove { name } => {
            client.send(Method::DELETE, &path(&name), None).await?;
            output::note("the credential is gone");
            Ok(())
        }
        CredentialCommand::Test { name, address, collector, port, site } => {
            let body =
                json!({"address": address, "collector": collector, "port": port, "site": site});
            test(common, client, &name, body).await
        }
    }
}

fn path(name: &str) -> String {
    format!("/api/v1/credentials/{}", encoded(name))
}

async fn test(common: &Common, client: &Client, name: &str, body: Value) -> Result<(), Error> {
    let path = format!("{}/test", path(name));
    let answer = client.send(Method::POST, &path, Some(body)).await?.body;
    if common.output == Format::Table {
        let is_accepted = answer.get("is_accepted").and_then(Value::as_bool) == Some(true);
        let word = if is_accepted { "accepted" } else { "not accepted" };
        output::text(&format!("{word}: {}\n", table::printable(text_at(&answer, "detail"))));
        return Ok(());
    }
    output::object(common.output, &answer)
}

fn without_end(mut text: String) -> String {
    text.truncate(text.trim_end_matches(['\r', '\n']).len());
    text
}

fn read(from: impl Read, what: &str) -> Result<String, Error> {
    let mut text = String::new();
    let read = from.take(SECRET_BYTES_MAX.saturating_add(1)).read_to_string(&mut text);
    let length = read.map_err(|source| Error::Local { what: format!("read {what}"), source })?;
    if u64::try_from(length).unwrap_or(u64::MAX) > SECRET_BYTES_MAX {
        return Err(Error::Usage(format!("{what} has more than {SECRET_BYTES_MAX} bytes")));
    }
    Ok(without_end(text))
}

fn secrets(arguments: &CredentialArguments) -> Result<Map<String, Value>, Error> {
    let mut secrets = Map::new();
    for pair in &arguments.secret_files {
        let (name, file) = pair
            .split_once('=')
            .ok_or_else(|| Error::Usage("--secret-file is written name=FILE".to_owned()))?;
        let what = format!("`{file}`");
        let opened = std::fs::File::open(Path::new(file))
            .map_err(|source| Error::Local { what: format!("open {what}"), source })?;
        secrets.insert(name.to_owned(), Value::String(read(opened, &what)?));
    }
    if let Some(name) = &arguments.stdin {
        let text = read(std::io::stdin().lock(), "standard input")?;
        secrets.insert(name.clone(), Value::String(text));
    }
    for name in &arguments.ask {
        let asked = rpassword::prompt_password(format!("{name}: "))
            .map_err(|source| Error::Local { what: "read the secret".to_owned(), source })?;
        secrets.insert(name.clone(), Value::String(asked));
    }
    Ok(secrets)
}

async fn put(
    common: &Common,
    client: &Client,
    arguments: &CredentialArguments,
) -> Result<(), Error> {
    let body = json!({
        "kind": arguments.kind,
        "settings": texts(&arguments.settings)?,
        "secrets": secrets(arguments)?,
        "references": texts(&arguments.references)?,
    });
    let stored = client.send(Method::PUT, &path(&arguments.name), Some(body)).await?.body;
    if common.output != Format::Table {
        return output::object(common.output, &stored);
    }
    output::note("stored; agents that use it have it within seconds");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_loses_its_line_end_and_nothing_else() {
        assert_eq!(read(" a b \r\n".as_bytes(), "x").unwrap(), " a b ");
        assert!(read(std::io::repeat(b'a'), "x").is_err());
    }
}
