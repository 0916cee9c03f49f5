//! `login`, `logout`, `whoami`.

use super::text_at;
use crate::arguments::{Common, Format};
use crate::client::Client;
use crate::context::{Context, normalized};
use crate::error::Error;
use crate::output;
use http::Method;
use serde_json::{Value, json};
use std::io::{BufRead, Write};

/// Logs in by name and password and keeps the session.
pub(crate) async fn login(
    common: &Common,
    url: Option<String>,
    name: Option<String>,
    pin: Option<String>,
) -> Result<(), Error> {
    let url = url.or_else(|| common.url.clone()).ok_or_else(|| {
        Error::Usage(
            "which control plane? for example: dharma login http://127.0.0.1:7400".to_owned(),
        )
    })?;
    let mut context = Context { url: normalized(&url)?, pin, ..Context::default() };
    let client = Client::new(context.clone());
    let state = client.get("/api/v1/session", &[]).await?;
    if state.get("setup_needed").and_then(Value::as_bool) == Some(true) {
        return Err(Error::Usage(format!(
            "nobody has set this control plane up yet; open {} in a browser and use the setup code that it printed",
            context.url
        )));
    }
    let name = match name {
        Some(name) => name,
        None => asked("User name: ")?,
    };
    let password = password()?;
    let answer = client
        .send(Method::POST, "/api/v1/login", Some(json!({ "name": name, "password": password })))
        .await?;
    context.session = Some(answer.session.ok_or_else(|| Error::Malformed {
        url: context.url.clone(),
        reason: "it set no session cookie".to_owned(),
    })?);
    let path = context.store()?;
    output::note(&format!(
        "logged in at {} as {name}; the session is kept in {}",
        context.url,
        path.display()
    ));
    Ok(())
}

fn asked(prompt: &str) -> Result<String, Error> {
    let local = |source| Error::Local { what: "read the user name".to_owned(), source };
    let mut stderr = std::io::stderr();
    stderr.write_all(prompt.as_bytes()).and_then(|()| stderr.flush()).map_err(local)?;
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line).map_err(local)?;
    Ok(line.trim().to_owned())
}

/// The password: typed without echo, or the first line of standard input when that is no terminal.
fn password() -> Result<String, Error> {
    let local = |source| Error::Local { what: "read the password".to_owned(), source };
    if std::io::IsTerminal::is_terminal(&std::io::stdin()) {
        return rpassword::prompt_password("Password: ").map_err(local);
    }
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line).map_err(local)?;
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}

/// Ends the session on both sides.
pub(crate) async fn logout(client: &Client) -> Result<(), Error> {
    let ended = client.send(Method::POST, "/api/v1/logout", None).await;
    // The file goes in any case: a control plane that is away must not keep a person logged in here.
    Context::forget()?;
    match ended {
        Ok(_) | Err(Error::Api { status: 401, .. }) => {
            output::note("logged out");
            Ok(())
        }
        Err(error) => Err(error),
    }
}

/// Says who asks, and where.
pub(crate) async fn whoami(common: &Common, client: &Client) -> Result<(), Error> {
    let mut state = client.get("/api/v1/session", &[]).await?;
    if let Value::Object(fields) = &mut state {
        fields.insert("url".to_owned(), Value::String(client.url().to_owned()));
    }
    let Some(user) = state.get("user").filter(|user| !user.is_null()) else {
        return Err(Error::NotLoggedIn);
    };
    if common.output == Format::Table {
        output::text(&format!(
            "{} ({}) at {}\n",
            crate::table::printable(text_at(user, "name")),
            text_at(user, "role"),
            client.url()
        ));
        return Ok(());
    }
    output::object(common.output, &state)
}
