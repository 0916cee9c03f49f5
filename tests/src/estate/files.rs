//! The benchmark as files, for systems that are not ours: what was seen, the truth, and scoring an answer.
//!
//! One JSON object a line. An answer names a cluster for each record, as JSON or as `record,cluster`.

use super::metrics::{Scores, Truths};
use super::{Estate, Sighting, site_name};
use anyhow::{Context, Result, bail};
use model::SourceId;
use model::decision::native_hash;
use serde_json::json;
use std::collections::{BTreeMap, HashMap};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{BufRead, Write};

/// The longest line of an answer.
const LINE_LENGTH_MAX: usize = 4_096;

/// Writes every sighting in the order of time, and the truth of every record.
///
/// # Errors
/// When writing fails.
pub fn export(estate: &Estate, sightings: &mut dyn Write, truth: &mut dyn Write) -> Result<()> {
    let mut truths: BTreeMap<String, (&'static str, u64)> = BTreeMap::new();
    let mut written = Ok(());
    estate.each(|seen| {
        if written.is_ok() {
            written = serde_json::to_writer(&mut *sightings, &line_of(seen))
                .map_err(std::io::Error::from)
                .and_then(|()| sightings.write_all(b"\n"));
        }
        truths.insert(seen.record_name(), (seen.class.name(), seen.truth));
    });
    written.context("cannot write the sightings")?;
    for (record, (class, number)) in truths {
        let line = json!({"record": record, "class": class, "truth": number});
        writeln!(truth, "{line}").context("cannot write the truth")?;
    }
    Ok(())
}

fn line_of(seen: &Sighting) -> serde_json::Value {
    let identifiers: Vec<serde_json::Value> = seen
        .identifiers
        .iter()
        .map(|(key_type, value)| json!({"type": key_type.name(), "value": value}))
        .collect();
    json!({
        "record": seen.record_name(),
        "device": format!("{:016x}", seen.device),
        "source": seen.source.collector,
        "target": seen.source.target,
        "native_key": seen.native_key,
        "class": seen.class.name(),
        "site": site_name(seen.site),
        "at": seen.at.millis(),
        "vendor": seen.vendor,
        "description": seen.description,
        "runs_on": seen.runs_on,
        "identifiers": identifiers,
    })
}

/// Scores an answer: for each record the cluster that it was put into.
///
/// # Errors
/// When a line is no answer or names a record that the estate has not.
pub fn score(estate: &Estate, answer: &mut dyn BufRead) -> Result<Scores> {
    let truths = Truths::of(estate);
    let mut clusters = HashMap::new();
    for (number, line) in answer.lines().enumerate() {
        let line = line.context("cannot read the answer")?;
        if line.trim().is_empty() {
            continue;
        }
        let number = number + 1;
        let (record, cluster) =
            parse(&line).with_context(|| format!("line {number} is no answer"))?;
        if !truths.0.contains_key(&record) {
            bail!("line {number} names a record that an estate of this seed and size has not");
        }
        clusters.insert(record, cluster);
    }
    Ok(truths.score(|record| clusters.get(&record).copied()))
}

fn parse(line: &str) -> Result<(u64, u64)> {
    if line.len() > LINE_LENGTH_MAX {
        bail!("the line is longer than {LINE_LENGTH_MAX} bytes");
    }
    let (record, cluster) = if line.starts_with('{') {
        let value: serde_json::Value = serde_json::from_str(line)?;
        let text = |name: &str| {
            value
                .get(name)
                .map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned))
                .with_context(|| format!("`{name}` is missing"))
        };
        (text("record")?, text("cluster")?)
    } else {
        let (record, cluster) = line.rsplit_once(',').context("there is no comma in it")?;
        (record.to_owned(), cluster.to_owned())
    };
    let mut parts = record.splitn(3, ':');
    let (Some(collector), Some(target), Some(native_key)) =
        (parts.next(), parts.next(), parts.next())
    else {
        bail!("`{record}` is no record: it has the form source:target:native_key");
    };
    let source = SourceId { collector: collector.to_owned(), target: target.to_owned() };
    let mut hasher = DefaultHasher::new();
    cluster.trim().hash(&mut hasher);
    Ok((native_hash(&source, native_key), hasher.finish()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exported(estate: &Estate) -> (String, String) {
        let (mut sightings, mut truth) = (Vec::new(), Vec::new());
        export(estate, &mut sightings, &mut truth).unwrap();
        (String::from_utf8(sightings).unwrap(), String::from_utf8(truth).unwrap())
    }

    #[test]
    fn a_line_that_is_no_answer_is_refused_with_its_number() {
        let estate = Estate::new(1, 20);
        for (answer, reason) in [
            ("nonsense", "line 1"),
            ("{\"record\":\"a:b:c\"}", "line 1"),
            ("host:nobody:host,1", "names a record"),
        ] {
            let error = format!("{:#}", score(&estate, &mut answer.as_bytes()).unwrap_err());
            assert!(error.contains(reason), "{error}");
        }
    }

    #[test]
    fn the_exported_truth_as_an_answer_has_full_marks() {
        let estate = Estate::new(1, 100);
        let (sightings, truth) = exported(&estate);
        assert!(sightings.lines().count() > 1_000);
        let mut answer = String::new();
        for line in truth.lines() {
            let value: serde_json::Value = serde_json::from_str(line).unwrap();
            answer.push_str(&format!("{},{}\n", value["record"].as_str().unwrap(), value["truth"]));
        }
        let scores = score(&estate, &mut answer.as_bytes()).unwrap();
        assert_eq!((scores.over_merges, scores.under_merges), (0, 0));
        let as_json = truth.replace("\"truth\"", "\"cluster\"");
        assert_eq!(score(&estate, &mut as_json.as_bytes()).unwrap(), scores);
    }
}
