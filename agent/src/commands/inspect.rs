//! `inspect`: what lies in the state directory. Works while no agent runs, changes nothing, names the file of every
//! statement, and goes on after the first bad one.

use super::{Outcome, output};
use crate::cli::Inspected;
use crate::collectors::COLLECTORS;
use crate::config::Config;
use crate::identity::Store;
use crate::look::ScopeFiles;
use crate::report::chain;
use anyhow::Context;
use environment::{Clock, SystemClock};
use model::Timestamp;
use serde_json::json;
use std::path::Path;

pub(super) fn inspect(
    state: &Path,
    config: anyhow::Result<Config>,
    what: Inspected,
    is_json: bool,
) -> anyhow::Result<Outcome> {
    match what {
        Inspected::Identity => identity(state, is_json),
        Inspected::Config => show_config(&config?, is_json),
        Inspected::Spool => super::spool_tools::stat(state, is_json),
        Inspected::Runs => runs(state, is_json),
    }
}

fn identity(state: &Path, is_json: bool) -> anyhow::Result<Outcome> {
    let store = Store::new(state);
    let enrolled = store.enrolled()?.with_context(|| {
        format!(
            "there is no identity in `{}`; enroll this host with `dharma-agent enroll`",
            store.directory().display()
        )
    })?;
    let loaded = store.load();
    let (expires, problem) = match &loaded {
        Ok(Some(identity)) => (Some(Timestamp::from(identity.validity.not_after)), None),
        Ok(None) => (None, None),
        Err(error) => (None, Some(chain(error))),
    };
    let now = Timestamp::from(SystemClock.wall());
    let is_expired = expires.is_some_and(|expires| expires <= now);
    if is_json {
        output::json(&json!({
            "directory": store.directory(),
            "enrolled": enrolled,
            "certificate_expires": expires.map(output::moment),
            "is_expired": is_expired,
            "problem": problem,
        }))?;
    } else {
        let directory = store.directory().display();
        output::line(format_args!("From `{directory}/agent.json`:"));
        output::line(format_args!("  Agent      {}", enrolled.agent_id));
        output::line(format_args!("  Site       {}", enrolled.site));
        for (name, value) in &enrolled.labels {
            output::line(format_args!("  Label      {name}={value}"));
        }
        let at = output::moment(Timestamp::from_millis(enrolled.enrolled_at));
        output::line(format_args!("  Enrolled   {at} at {}", enrolled.server));
        output::line(format_args!("  Endpoints  {}", enrolled.endpoints.join(", ")));
        output::line(format_args!("From `{directory}/chain.pem`:"));
        if let Some(expires) = expires {
            let state =
                if is_expired { "expired; the agent renews it when it connects" } else { "valid" };
            output::line(format_args!("  Certificate until {} ({state})", output::moment(expires)));
        }
        if let Some(problem) = &problem {
            output::line(format_args!("  {problem}"));
        }
    }
    Ok(if problem.is_some() { Outcome::NotWell } else { Outcome::Done })
}

fn show_config(config: &Config, is_json: bool) -> anyhow::Result<Outcome> {
    let lines = config.lines();
    if is_json {
        let values: Vec<_> = lines
            .iter()
            .map(|(key, value, origin)| json!({"key": key, "value": value, "origin": origin.to_string()}))
            .collect();
        output::json(&json!({"file": config.file, "values": values}))?;
        return Ok(Outcome::Done);
    }
    match &config.file {
        Some(file) => output::line(format_args!("Configuration `{}`", file.display())),
        None => output::line(format_args!("No configuration file; all values are defaults")),
    }
    let rows: Vec<Vec<String>> = lines
        .into_iter()
        .map(|(key, value, origin)| vec![key, value, origin.to_string()])
        .collect();
    output::table(&["KEY", "VALUE", "FROM"], &rows);
    Ok(Outcome::Done)
}

fn runs(state: &Path, is_json: bool) -> anyhow::Result<Outcome> {
    let (mut rows, mut values) = (Vec::new(), Vec::new());
    for collector in COLLECTORS.iter().filter(|collector| !collector.manifest().is_remote) {
        let manifest = collector.manifest();
        let files = ScopeFiles::new(state, manifest.name);
        for scope in manifest.scopes {
            let name = format!("{}.{}", manifest.name, scope.name);
            let Some(header) = files.header(scope.name) else {
                rows.push(vec![name.clone(), "nothing; the next report is whole".to_owned()]);
                values.push(json!({"scope": name, "reported": null}));
                continue;
            };
            let coverage = header.coverage.as_ref();
            values.push(json!({
                "scope": name,
                "reported": {
                    "coverage": header.coverage,
                    "count": header.count,
                    "looked_at": header.looked_at,
                    "digest": format!("{:032x}", header.digest.0),
                    "is_guarded": header.guard.is_some(),
                },
            }));
            rows.push(vec![
                name,
                coverage.map_or("", |coverage| coverage.status.name()).to_owned(),
                header.count.to_string(),
                output::moment(header.looked_at),
                coverage.map(|coverage| coverage.detail.clone()).unwrap_or_default(),
            ]);
        }
    }
    if is_json {
        output::json(&values)?;
    } else {
        output::line(format_args!("From `{}`, as last reported:", state.join("scopes").display()));
        output::table(&["SCOPE", "SEEN", "HOLDS", "AT", "WHY"], &rows);
    }
    Ok(Outcome::Done)
}
