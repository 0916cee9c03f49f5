//! Looks at the host with every scope, or those named, and prints what was seen and what it cost.
//!
//! `look [--json|--show] [--root DIR] [--repeat N] [SCOPE …]`: with `--json` every observation is a line of JSON on
//! standard output, with `--show` a paragraph for a person.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "it is what the program is for")]

use collector::{Collector, Run, Target};
use collector_host::HostCollector;
use model::{Observation, Value};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// The processor time of this process so far, in microseconds.
#[cfg(unix)]
#[expect(unsafe_code, reason = "getrusage fills a plain structure")]
fn cpu_micros() -> (i64, i64) {
    // SAFETY: an all-zero rusage is valid, and getrusage only writes into the one that it is given.
    let usage = unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        libc::getrusage(libc::RUSAGE_SELF, &raw mut usage);
        usage
    };
    let micros = |time: libc::timeval| time.tv_sec * 1_000_000 + time.tv_usec;
    (micros(usage.ru_utime) + micros(usage.ru_stime), usage.ru_maxrss)
}

#[cfg(not(unix))]
fn cpu_micros() -> (i64, i64) {
    (0, 0)
}

/// A value as JSON.
fn json(value: &Value) -> serde_json::Value {
    match value {
        Value::Absent => serde_json::Value::Null,
        Value::Boolean(yes) => (*yes).into(),
        Value::Integer(number) => (*number).into(),
        Value::Float(number) => (*number).into(),
        Value::Text(text) => text.as_str().into(),
        Value::Time(time) => time.millis().into(),
        Value::List(values) => values.iter().map(json).collect(),
        Value::Record(fields) => {
            serde_json::Value::Object(fields.iter().map(|(k, v)| (k.clone(), json(v))).collect())
        }
    }
}

/// An observation as a line of JSON.
fn json_line(seen: &Observation) -> String {
    let fields = |map: &BTreeMap<model::Name, Value>| -> serde_json::Value {
        serde_json::Value::Object(map.iter().map(|(k, v)| (k.to_string(), json(v))).collect())
    };
    let keys: Vec<_> = seen
        .keys
        .iter()
        .map(|key| {
            serde_json::json!({
                "type": key.key_type.name(), "realm": key.realm.0, "value": key.value
            })
        })
        .collect();
    let relations: Vec<_> = seen
        .relations
        .iter()
        .map(|relation| {
            serde_json::json!({
                "verb": relation.verb, "target": format!("{:?}", relation.target)
            })
        })
        .collect();
    serde_json::json!({
        "class": seen.class, "native_key": seen.native_key, "within": seen.within, "keys": keys,
        "facts": fields(&seen.facts), "readings": fields(&seen.readings), "relations": relations,
    })
    .to_string()
}

fn line(seen: &Observation) -> String {
    let fields = |map: &BTreeMap<model::Name, Value>| {
        map.iter()
            .map(|(name, value)| format!("{name}={}", value.to_line()))
            .collect::<Vec<_>>()
            .join("; ")
    };
    let keys: Vec<String> =
        seen.keys.iter().map(|key| format!("{}:{}", key.key_type.name(), key.value)).collect();
    let relations: Vec<String> = seen
        .relations
        .iter()
        .map(|relation| format!("{} -> {:?}", relation.verb, relation.target))
        .collect();
    format!(
        "{} [{}]\n    facts: {}\n    readings: {}\n    keys: {}\n    relations: {}",
        seen.class,
        seen.native_key,
        fields(&seen.facts),
        fields(&seen.readings),
        keys.join(", "),
        relations.join(", ")
    )
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let mut scopes = Vec::new();
    let (mut shows, mut repeat) = (None::<fn(&Observation) -> String>, 1);
    let mut target = Target::own_host("00000000-0000-7000-8000-000000000000", "default");
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--json" => shows = Some(json_line),
            "--show" => shows = Some(line),
            "--root" => target.root = PathBuf::from(arguments.next().unwrap_or_default()),
            "--repeat" => repeat = arguments.next().and_then(|n| n.parse().ok()).unwrap_or(1),
            _ => scopes.push(argument),
        }
    }
    let collector = HostCollector;
    let before = cpu_micros().0;
    let mut guards_micros = 0;
    for declared in collector.manifest().scopes {
        if !scopes.is_empty() && !scopes.iter().any(|scope| scope == declared.name) {
            continue;
        }
        let begin = cpu_micros().0;
        let guard = collector.guard(&target, declared.name);
        let guarded = cpu_micros().0;
        guards_micros += guarded - begin;
        let mut observations = Vec::new();
        for _ in 0..repeat {
            observations.clear();
            let mut run = Run::new(&mut observations);
            let coverage = collector.collect(&target, declared.name, &mut run).await;
            let failures = run.failures().to_vec();
            let cost = (cpu_micros().0 - guarded) / repeat;
            eprintln!(
                "{:<22} {:>6} seen {cost:>8} us, guard {} {:>6} us, {}",
                declared.name,
                observations.len(),
                if guard.is_some() { "yes" } else { "no " },
                guarded - begin,
                match coverage {
                    Ok(coverage) => format!("{} {}", coverage.status.name(), coverage.detail),
                    Err(error) => format!("ERROR {error}"),
                }
            );
            for failure in failures {
                eprintln!("    failed: {}: {}", failure.what, failure.why);
            }
        }
        if let Some(shown) = shows {
            observations.iter().for_each(|seen| println!("{}", shown(seen)));
        }
        for complaint in collector::testing::complaints(&collector, declared.name, &observations) {
            eprintln!("    COMPLAINT: {complaint}");
        }
    }
    let (after, resident) = cpu_micros();
    eprintln!("total {} us CPU, guards {guards_micros} us, peak {resident} KB", after - before);
}
