//! `agent list|show|revoke`.

use super::{array_at, text_at};
use crate::arguments::{AgentCommand, Common, Format};
use crate::client::{Client, encoded};
use crate::error::Error;
use crate::output::{self, Listing, cell};
use crate::table;
use http::Method;
use serde_json::Value;
use std::io::{BufRead, IsTerminal, Write};

/// Does what `dharma agent …` says.
pub(crate) async fn run(
    common: &Common,
    client: &Client,
    command: AgentCommand,
) -> Result<(), Error> {
    match command {
        AgentCommand::List => list(common, client).await,
        AgentCommand::Show { agent } => show(common, client, &agent).await,
        AgentCommand::Revoke { agent, yes } => revoke(client, &agent, yes).await,
    }
}

async fn list(common: &Common, client: &Client) -> Result<(), Error> {
    let agents = array_at(client, &client.get("/api/v1/agents", &[]).await?, "agents")?;
    let headings = ["name", "state", "site", "version", "last_seen", "certificate_expires", "id"]
        .map(str::to_owned)
        .to_vec();
    let rows = agents
        .iter()
        .map(|agent| {
            headings
                .iter()
                .map(|heading| cell(agent.get(heading).unwrap_or(&Value::Null)))
                .collect()
        })
        .collect();
    output::listing(common.output, &Listing { objects: agents, headings, rows })
}

/// The agent that a person means, by id or name.
async fn find(client: &Client, wanted: &str) -> Result<Value, Error> {
    let agents = array_at(client, &client.get("/api/v1/agents", &[]).await?, "agents")?;
    let mut matching = agents
        .into_iter()
        .filter(|agent| text_at(agent, "id") == wanted || text_at(agent, "name") == wanted);
    match (matching.next(), matching.next()) {
        (Some(agent), None) => Ok(agent),
        (Some(_), Some(_)) => Err(Error::Usage(format!(
            "several agents are called `{wanted}`; use the id of `dharma agent list`"
        ))),
        _ => Err(Error::NotFound(format!(
            "there is no agent `{wanted}`; `dharma agent list` shows all"
        ))),
    }
}

async fn show(common: &Common, client: &Client, wanted: &str) -> Result<(), Error> {
    let found = find(client, wanted).await?;
    let agent =
        client.get(&format!("/api/v1/agents/{}", encoded(text_at(&found, "id"))), &[]).await?;
    if common.output != Format::Table {
        return output::object(common.output, &agent);
    }
    let mut text = String::new();
    for field in [
        "name",
        "id",
        "state",
        "site",
        "version",
        "address",
        "enrolled_at",
        "last_seen",
        "certificate_expires",
        "item_id",
        "labels",
        "complaints",
    ] {
        text.push_str(&format!(
            "{field:<20} {}\n",
            table::printable(&cell(agent.get(field).unwrap_or(&Value::Null)))
        ));
    }
    let scopes = agent.get("scopes").and_then(Value::as_array).cloned().unwrap_or_default();
    let headings =
        ["scope", "status", "seen_count", "looked_at", "reason", "detail"].map(str::to_owned);
    let rows: Vec<Vec<String>> = scopes
        .iter()
        .map(|scope| {
            headings
                .iter()
                .map(|heading| cell(scope.get(heading).unwrap_or(&Value::Null)))
                .collect()
        })
        .collect();
    text.push('\n');
    text.push_str(&table::rendered(&headings, &rows));
    output::text(&text);
    Ok(())
}

async fn revoke(client: &Client, wanted: &str, yes: bool) -> Result<(), Error> {
    let agent = find(client, wanted).await?;
    let name = text_at(&agent, "name");
    if !yes {
        confirmed(("Revoking cannot be undone", "agent"), name)?;
    }
    client
        .send(Method::DELETE, &format!("/api/v1/agents/{}", encoded(text_at(&agent, "id"))), None)
        .await?;
    output::note(&format!(
        "{} is revoked; its stream is cut and its certificate is worth nothing now",
        table::printable(name)
    ));
    Ok(())
}

/// A person types the name; a script says --yes.
/// Asks for the name of what is about to be done, so that nobody does it by mistake.
pub(super) fn confirmed((warning, kind): (&str, &str), name: &str) -> Result<(), Error> {
    if !std::io::stdin().is_terminal() {
        return Err(Error::Usage(format!(
            "{}; say --yes when no person can be asked",
            warning.to_lowercase()
        )));
    }
    let local = |source| Error::Local { what: "read the answer".to_owned(), source };
    let mut stderr = std::io::stderr();
    write!(stderr, "{warning}. Type the name of the {kind} ({}): ", table::printable(name))
        .map_err(local)?;
    stderr.flush().map_err(local)?;
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line).map_err(local)?;
    if line.trim() == name {
        return Ok(());
    }
    Err(Error::Usage("that is not its name; nothing was done".to_owned()))
}
