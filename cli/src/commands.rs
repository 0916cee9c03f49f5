//! The commands, one module a noun.

mod agents;
mod credentials;
mod held;
mod history;
mod identity;
mod items;
mod locks;
mod login;
mod review;
mod rules;
mod targets;
mod time;
mod tokens;
mod topology;

use crate::arguments::{Arguments, Command, Common};
use crate::client::Client;
use crate::context::Context;
use crate::error::{EXIT_CODES, Error};
use crate::output;
use clap::CommandFactory;
use serde_json::Value;

/// Does what the command line says.
pub(crate) async fn run(arguments: Arguments) -> Result<(), Error> {
    let common = arguments.common;
    match arguments.command {
        Command::Completion { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Arguments::command(), "dharma", &mut script);
            output::text(&String::from_utf8_lossy(&script));
            Ok(())
        }
        Command::HelpExitCodes => {
            for (code, meaning) in EXIT_CODES {
                output::text(&format!("{code:>3}  {meaning}\n"));
            }
            Ok(())
        }
        Command::Login { url, name, pin } => login::login(&common, url, name, pin).await,
        Command::Logout => login::logout(&client(&common)?).await,
        Command::Whoami => login::whoami(&common, &client(&common)?).await,
        Command::Get(arguments) => items::get(&common, &client(&common)?, &arguments).await,
        Command::Show { item, at } => {
            items::show(&common, &client(&common)?, &item, at.as_deref()).await
        }
        Command::Search { words, limit } => {
            items::search(&common, &client(&common)?, &words, limit).await
        }
        Command::Changes(arguments) => items::changes(&common, &client(&common)?, &arguments).await,
        Command::Diff(arguments) => history::diff(&common, &client(&common)?, &arguments).await,
        Command::Impact(arguments) => {
            topology::impact(&common, &client(&common)?, &arguments).await
        }
        Command::Dependencies(arguments) => {
            topology::dependencies(&common, &client(&common)?, &arguments).await
        }
        Command::Path(arguments) => topology::path(&common, &client(&common)?, &arguments).await,
        Command::Neighborhood(arguments) => {
            topology::neighborhood(&common, &client(&common)?, &arguments).await
        }
        Command::Orphans(arguments) => {
            topology::orphans(&common, &client(&common)?, &arguments).await
        }
        Command::Groups(arguments) => {
            topology::groups(&common, &client(&common)?, &arguments).await
        }
        Command::Classes => items::classes(&common, &client(&common)?).await,
        Command::Agent(command) => agents::run(&common, &client(&common)?, command).await,
        Command::Identity(command) => identity::run(&common, &client(&common)?, command).await,
        Command::Held(command) => held::run(&common, &client(&common)?, command).await,
        Command::Item(command) => locks::run(&common, &client(&common)?, command).await,
        Command::Rules(command) => rules::run(&common, &client(&common)?, command).await,
        Command::Target(command) => targets::run(&common, &client(&common)?, command).await,
        Command::Credential(command) => credentials::run(&common, &client(&common)?, command).await,
        Command::Token(command) => tokens::run(&common, &client(&common)?, command).await,
        Command::Api { method, path, fields } => {
            api(&common, &client(&common)?, &method, &path, &fields).await
        }
    }
}

fn client(common: &Common) -> Result<Client, Error> {
    Ok(Client::new(Context::load(common)?))
}

async fn api(
    common: &Common,
    client: &Client,
    method: &str,
    path: &str,
    fields: &[String],
) -> Result<(), Error> {
    let method = method
        .to_uppercase()
        .parse::<http::Method>()
        .map_err(|_| Error::Usage(format!("`{method}` is no HTTP method")))?;
    if !path.starts_with('/') {
        return Err(Error::Usage(format!(
            "`{path}` is no path; it begins with /, as in /api/v1/counts"
        )));
    }
    let body = (!fields.is_empty()).then(|| pairs(fields)).transpose()?.map(Value::Object);
    let answer = client.send(method, path, body).await?;
    output::object(
        match common.output {
            crate::arguments::Format::Table => crate::arguments::Format::Json,
            format => format,
        },
        &answer.body,
    )
}

/// `name=value` pairs as a JSON object; a value that is JSON stays what it is, any other is text.
fn pairs(fields: &[String]) -> Result<serde_json::Map<String, Value>, Error> {
    fields
        .iter()
        .map(|field| {
            let (name, value) = field
                .split_once('=')
                .ok_or_else(|| Error::Usage(format!("`{field}` is no name=value")))?;
            let value =
                serde_json::from_str(value).unwrap_or_else(|_| Value::String(value.to_owned()));
            Ok((name.to_owned(), value))
        })
        .collect()
}

/// The text at a field of an object; empty when there is none.
fn text_at<'a>(object: &'a Value, field: &str) -> &'a str {
    object.get(field).and_then(Value::as_str).unwrap_or_default()
}

/// The array at a field of an answer.
fn array_at(client: &Client, answer: &Value, field: &str) -> Result<Vec<Value>, Error> {
    answer.get(field).and_then(Value::as_array).cloned().ok_or_else(|| Error::Malformed {
        url: client.url().to_owned(),
        reason: format!("`{field}` is missing"),
    })
}

/// Asks for pages until there are `limit` entries or no more; tells whether more would follow.
async fn pages(
    client: &Client,
    path: &str,
    query: Vec<(&str, String)>,
    field: &str,
    limit: Option<usize>,
) -> Result<(Vec<Value>, bool), Error> {
    /// What the API allows at most.
    const PAGE_SIZE_MAX: usize = 500;
    let mut entries = Vec::new();
    let mut token = String::new();
    loop {
        let left = limit.map_or(PAGE_SIZE_MAX, |limit| limit.saturating_sub(entries.len()));
        let mut query = query.clone();
        query.push(("page_size", left.clamp(1, PAGE_SIZE_MAX).to_string()));
        if !token.is_empty() {
            query.push(("page_token", token.clone()));
        }
        let answer = client.get(path, &query).await?;
        entries.extend(array_at(client, &answer, field)?);
        text_at(&answer, "next_page_token").clone_into(&mut token);
        let is_enough = limit.is_some_and(|limit| entries.len() >= limit);
        if token.is_empty() || is_enough {
            return Ok((entries, !token.is_empty()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_keeps_its_json_type_and_other_text_stays_text() {
        let fields =
            pairs(&["uses=3".into(), "name=web".into(), "labels={\"env\":\"prod\"}".into()])
                .unwrap();
        assert_eq!(fields["uses"], 3);
        assert_eq!(fields["name"], "web");
        assert_eq!(fields["labels"]["env"], "prod");
        assert!(pairs(&["nonsense".into()]).is_err());
    }

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }
}
