//! `collect`: one look as the calling user, printed. Nothing is sent or kept.

use super::{Outcome, output};
use crate::cli::Collect;
use crate::collectors;
use anyhow::{Context, bail};
use collector::{Collector, Manifest, Remote, Run, Target};
use model::{Coverage, Observation, RelationTarget, Value};
use serde_json::{Map, json};
use std::path::Path;

/// The most letters of a cell in a table.
const CELL_LENGTH_MAX: usize = 60;
/// Facts of an observation that a table shows.
const FACTS_SHOWN_MAX: usize = 4;

pub(super) async fn collect(state: &Path, what: Collect) -> anyhow::Result<Outcome> {
    let (name, scope) = match what.name.split_once('.') {
        Some((name, scope)) => (name, Some(scope)),
        None => (what.name.as_str(), None),
    };
    let collector = collectors::by_name(name).with_context(|| {
        format!("there is no collector `{name}`; there is: {}", collectors::names())
    })?;
    let manifest = collector.manifest();
    if what.list {
        let rows: Vec<Vec<String>> = manifest
            .scopes
            .iter()
            .map(|scope| {
                let every = format!("{} s", scope.interval.as_secs());
                vec![format!("{name}.{}", scope.name), every, scope.summary.to_owned()]
            })
            .collect();
        output::table(&["SCOPE", "EVERY", "WHAT"], &rows);
        return Ok(Outcome::Done);
    }
    if let Some(scope) = scope
        && manifest.scope(scope).is_none()
    {
        bail!("the collector `{name}` has no scope `{scope}`; it has: {}", manifest.scope_names());
    }
    let target = target(state, &what, manifest)?;
    let mut rows = Vec::new();
    for declared in manifest.scopes {
        if scope.is_some_and(|scope| scope != declared.name) {
            continue;
        }
        let (observations, coverage, failures) = look(collector, &target, declared.name).await;
        for seen in &observations {
            if what.json {
                let text = serde_json::to_string(&json_of(declared.name, seen))?;
                output::line(format_args!("{text}"));
            } else {
                rows.push(row_of(declared.name, seen));
            }
        }
        if what.json {
            let end = json!({"scope": declared.name, "coverage": coverage, "seen_count": observations.len(), "failures": failures});
            output::line(format_args!("{}", serde_json::to_string(&end)?));
        } else if !coverage.detail.is_empty() || !failures.is_empty() {
            let why = [vec![coverage.detail], failures].concat().join("; ");
            rows.push(vec![declared.name.to_owned(), coverage.status.name().to_owned(), why]);
        }
    }
    if !what.json {
        output::table(&["SCOPE", "CLASS", "WHAT"], &rows);
    }
    Ok(Outcome::Done)
}

/// What is looked at: the host, or something that answers over the network.
fn target(state: &Path, what: &Collect, manifest: &Manifest) -> anyhow::Result<Target> {
    // The agent's own id where there is one, so that what is printed is what would be sent.
    let enrolled = crate::identity::Store::new(state).enrolled().ok().flatten();
    let site = enrolled.as_ref().map(|enrolled| enrolled.site.clone()).unwrap_or_default();
    let Some(address) = &what.target else {
        if manifest.is_remote {
            bail!("`{}` reads over the network; name what to read with --target", manifest.name);
        }
        let id = enrolled.map_or_else(|| "local".to_owned(), |e| e.agent_id.to_string());
        return Ok(Target { id, site, root: what.root.clone(), remote: None });
    };
    if !manifest.is_remote {
        bail!("`{}` describes this host; leave --target out", manifest.name);
    }
    let credentials = what.credentials.iter().map(|file| crate::remote::credential_file(file));
    let options = what.options.iter().map(|option| {
        let (name, value) = option.split_once('=').context("an option is written name=value")?;
        let is_known = manifest.options.iter().any(|known| known.name == name);
        let known: Vec<_> = manifest.options.iter().map(|known| known.name).collect();
        anyhow::ensure!(is_known, "there is no option `{name}`; there is: {}", known.join(", "));
        Ok((name.to_owned(), value.to_owned()))
    });
    let remote = Remote {
        address: address.clone(),
        port: what.port,
        options: options.collect::<anyhow::Result<_>>()?,
        credentials: credentials.collect::<Result<_, _>>()?,
    };
    Ok(Target::remote(&format!("{address}@{site}"), &site, remote))
}

async fn look(
    collector: &dyn Collector,
    target: &Target,
    scope: &str,
) -> (Vec<Observation>, Coverage, Vec<String>) {
    let mut observations = Vec::new();
    let mut run = Run::new(&mut observations);
    let coverage = match collector.collect(target, scope, &mut run).await {
        Ok(coverage) => coverage,
        Err(error) => Coverage::not_looked_at(
            model::run::CoverageReason::Unreachable,
            crate::report::chain(&error),
        ),
    };
    let failures = run.failures();
    let failures = failures.iter().map(|f| format!("{}: {}", f.what, f.why)).collect();
    (observations, coverage, failures)
}

fn shown(value: &Value) -> String {
    match value {
        Value::Text(text) => text.clone(),
        value => json_value(value).to_string(),
    }
}

fn row_of(scope: &str, seen: &Observation) -> Vec<String> {
    let facts = seen.facts.iter().take(FACTS_SHOWN_MAX);
    let facts: Vec<String> = facts
        .map(|(name, value)| {
            format!("{name}={}", shown(value)).chars().take(CELL_LENGTH_MAX).collect()
        })
        .collect();
    vec![scope.to_owned(), seen.class.to_string(), facts.join(" ")]
}

// The recursion is as deep as the values that a collector builds, which are of its own making.
fn json_value(value: &Value) -> serde_json::Value {
    match value {
        Value::Absent => serde_json::Value::Null,
        Value::Boolean(yes) => json!(yes),
        Value::Integer(number) => json!(number),
        Value::Float(number) => json!(number),
        Value::Text(text) => json!(text),
        Value::Time(time) => json!(output::moment(*time)),
        Value::List(values) => values.iter().map(json_value).collect(),
        Value::Record(fields) => fields
            .iter()
            .map(|(name, value)| (name.clone(), json_value(value)))
            .collect::<Map<_, _>>()
            .into(),
    }
}

fn json_of(scope: &str, seen: &Observation) -> serde_json::Value {
    let values = |values: &std::collections::BTreeMap<model::Name, Value>| {
        let values = values.iter().map(|(name, value)| (name.to_string(), json_value(value)));
        values.collect::<Map<_, _>>()
    };
    let keys: Vec<_> = seen
        .keys
        .iter()
        .map(|key| json!({"type": key.key_type.name(), "realm": key.realm.0, "value": key.value}))
        .collect();
    let relations: Vec<_> = seen
        .relations
        .iter()
        .map(|relation| {
            let target = match &relation.target {
                RelationTarget::Native(key) => json!({"native_key": key}),
                RelationTarget::Key(key) => {
                    json!({"key": {"type": key.key_type.name(), "realm": key.realm.0, "value": key.value}})
                }
                RelationTarget::Endpoint { protocol, address, port } => {
                    json!({"endpoint": {"protocol": protocol, "address": address, "port": port}})
                }
            };
            json!({"verb": relation.verb, "target": target})
        })
        .collect();
    json!({
        "scope": scope,
        "class": seen.class,
        "native_key": seen.native_key,
        "within": seen.within,
        "keys": keys,
        "facts": values(&seen.facts),
        "readings": values(&seen.readings),
        "relations": relations,
    })
}
