//! `spool`: looking after the spool's files.

use super::{Outcome, output};
use crate::cli::SpoolCommand;
use anyhow::Context;
use serde_json::json;
use spool::{Priority, Statistics, tool};
use std::io::Write;
use std::path::{Path, PathBuf};

fn directory(state: &Path) -> PathBuf {
    state.join("spool")
}

pub(super) fn run(state: &Path, command: SpoolCommand) -> anyhow::Result<Outcome> {
    match command {
        SpoolCommand::Fsck => fsck(state),
        SpoolCommand::Stat => stat(state, false),
        SpoolCommand::Export => {
            let mut out = std::io::BufWriter::new(std::io::stdout().lock());
            tool::export(&directory(state), &mut out)?;
            out.flush()?;
            Ok(Outcome::Done)
        }
        SpoolCommand::Trim { class, through } => {
            let class = Priority::from_name(&class).with_context(|| {
                format!("there is no class `{class}`; there is: audit, inventory, events, metrics")
            })?;
            let statistics = tool::trim(&directory(state), class, through)?;
            show(state, &statistics);
            Ok(Outcome::Done)
        }
    }
}

fn fsck(state: &Path) -> anyhow::Result<Outcome> {
    let report = tool::fsck(&directory(state))?;
    let rows: Vec<Vec<String>> = Priority::ALL
        .into_iter()
        .map(|class| {
            let of = report.classes.of(class);
            let figures = [of.segments, of.records, of.gaps, of.bytes, of.damages];
            std::iter::once(class.to_string()).chain(figures.map(|n| n.to_string())).collect()
        })
        .collect();
    output::table(&["CLASS", "SEGMENTS", "RECORDS", "GAPS", "BYTES", "DAMAGES"], &rows);
    for problem in &report.problems {
        output::line(format_args!("{}: {}", problem.file, problem.description));
    }
    if report.is_sound() {
        output::line(format_args!("sound"));
        return Ok(Outcome::Done);
    }
    output::line(format_args!(
        "{} problems; the agent mends the files by itself when it starts and reports what is lost",
        report.problems_count
    ));
    Ok(Outcome::NotWell)
}

/// What the spool holds.
pub(super) fn stat(state: &Path, is_json: bool) -> anyhow::Result<Outcome> {
    let statistics = tool::stat(&directory(state))?;
    if is_json {
        let classes: Vec<_> = Priority::ALL
            .into_iter()
            .map(|class| {
                let of = statistics.classes.of(class);
                json!({
                    "class": class.name(),
                    "bytes": of.bytes,
                    "segments": of.segments,
                    "committed": of.committed,
                    "durable": of.durable,
                    "pending": of.pending,
                    "oldest_age_ms_max": of.oldest_age_ms_max,
                })
            })
            .collect();
        output::json(
            &json!({"directory": directory(state), "epoch": statistics.epoch, "classes": classes}),
        )?;
    } else {
        show(state, &statistics);
    }
    Ok(Outcome::Done)
}

fn show(state: &Path, statistics: &Statistics) {
    output::line(format_args!(
        "Spool `{}`, epoch {}",
        directory(state).display(),
        statistics.epoch
    ));
    let rows: Vec<Vec<String>> = Priority::ALL
        .into_iter()
        .map(|class| {
            let of = statistics.classes.of(class);
            vec![
                class.to_string(),
                output::size(of.bytes),
                of.segments.to_string(),
                of.committed.to_string(),
                of.durable.to_string(),
                of.pending.to_string(),
            ]
        })
        .collect();
    output::table(&["CLASS", "SIZE", "SEGMENTS", "DELIVERED", "ACCEPTED", "WAITING"], &rows);
}
