//! `token list|create|revoke`.

use super::time::seconds;
use super::{array_at, pairs, text_at};
use crate::arguments::{Common, Format, TokenCommand};
use crate::client::{Client, encoded};
use crate::error::Error;
use crate::output::{self, Listing, cell};
use http::Method;
use serde_json::{Value, json};

/// Does what `dharma token …` says.
pub(crate) async fn run(
    common: &Common,
    client: &Client,
    command: TokenCommand,
) -> Result<(), Error> {
    match command {
        TokenCommand::List => {
            let tokens = array_at(client, &client.get("/api/v1/tokens", &[]).await?, "tokens")?;
            let headings = ["kind", "name", "expires_at", "uses_left", "site", "id"]
                .map(str::to_owned)
                .to_vec();
            let rows = tokens
                .iter()
                .map(|token| {
                    headings
                        .iter()
                        .map(|heading| cell(token.get(heading).unwrap_or(&Value::Null)))
                        .collect()
                })
                .collect();
            output::listing(common.output, &Listing { objects: tokens, headings, rows })
        }
        TokenCommand::Create { kind, ttl, uses, site, labels, name } => {
            let mut body = serde_json::Map::new();
            body.insert("kind".to_owned(), json!(kind));
            if let Some(ttl) = ttl {
                body.insert("ttl_seconds".to_owned(), json!(seconds(&ttl)?));
            }
            let mut add = |field: &str, value: Option<Value>| {
                if let Some(value) = value {
                    body.insert(field.to_owned(), value);
                }
            };
            add("uses", uses.map(Value::from));
            add("site", site.map(Value::from));
            add("name", name.map(Value::from));
            if !labels.is_empty() {
                add("labels", Some(Value::Object(pairs(&labels)?)));
            }
            create(common, client, Value::Object(body)).await
        }
        TokenCommand::Revoke { id } => {
            client.send(Method::DELETE, &format!("/api/v1/tokens/{}", encoded(&id)), None).await?;
            output::note("the token is revoked");
            Ok(())
        }
    }
}

async fn create(common: &Common, client: &Client, body: Value) -> Result<(), Error> {
    let token = client.send(Method::POST, "/api/v1/tokens", Some(body)).await?.body;
    if common.output != Format::Table {
        return output::object(common.output, &token);
    }
    // The token alone goes to standard output, so that it can be piped into a file.
    output::text(&format!("{}\n", text_at(&token, "text")));
    if !common.quiet {
        output::note(&format!(
            "valid until {}; it is not shown again",
            text_at(&token, "expires_at")
        ));
        let command = text_at(&token, "command");
        if !command.is_empty() {
            output::note(&format!("on the host that is to join:\n  {command}"));
        }
    }
    Ok(())
}
