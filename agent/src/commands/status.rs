//! `status`: what the running agent says of itself.

use super::{Outcome, output};
use crate::board::{Connection, ConnectionState, ScopeStatus};
use crate::control::{self, Status};
use crate::place;
use crate::remote::TargetStatus;
use anyhow::Context;
use std::path::Path;

/// Targets that a table shows; `--json` has more.
const TARGETS_SHOWN_MAX: usize = 50;

pub(super) fn status(state: &Path, is_json: bool) -> anyhow::Result<Outcome> {
    let socket = place::socket_path(state);
    let status = control::ask(&socket).with_context(|| {
        format!(
            "no agent answers on `{}`; start it with `dharma-agent run`, look with `dharma-agent inspect identity`, or become the user that it runs as",
            socket.display()
        )
    })?;
    if is_json {
        output::json(&status)?;
    } else {
        show(&status);
    }
    Ok(Outcome::Done)
}

fn show(status: &Status) {
    let about = &status.about;
    output::line(format_args!("dharma-agent {} (process {})", about.version, about.pid));
    let site =
        if about.site.is_empty() { String::new() } else { format!(" at site {}", about.site) };
    output::line(format_args!("Agent        {}{site}", about.agent_id));
    output::line(format_args!("Certificate  until {}", output::moment(status.certificate_expires)));
    show_connection(&status.connection);
    show_rest(status);
    show_scopes(&status.scopes);
    if status.targets_count > 0 {
        show_targets(status);
    }
}

fn show_targets(status: &Status) {
    output::line(format_args!(""));
    let shown = status.targets.iter().take(TARGETS_SHOWN_MAX);
    let rows: Vec<Vec<String>> = shown.map(target_row).collect();
    output::table(
        &[
            "TARGET",
            "COLLECTOR",
            "STATE",
            "SEEN",
            "HOLDS",
            "LOOKED AT",
            "NEXT",
            "CREDENTIAL",
            "WHY",
        ],
        &rows,
    );
    if status.targets_count > rows.len() {
        let rest = status.targets_count.saturating_sub(rows.len());
        output::line(format_args!("and {rest} more targets"));
    }
}

fn target_row(target: &TargetStatus) -> Vec<String> {
    let coverage = target.coverage.as_ref();
    let progress = match (target.done, target.total) {
        (0, 0) => String::new(),
        (done, 0) => format!(" {done}"),
        (done, total) => format!(" {done}/{total}"),
    };
    let why = coverage.map(|coverage| coverage.detail.clone()).unwrap_or_default();
    vec![
        target.id.clone(),
        target.collector.clone(),
        format!("{}{progress}", target.state),
        coverage.map_or("not yet", |coverage| coverage.status.name()).to_owned(),
        target.seen_count.to_string(),
        target.looked_at.map(output::moment).unwrap_or_default(),
        target.next_look.map(output::moment).unwrap_or_default(),
        target.credential.clone().unwrap_or_default(),
        if target.at.is_empty() { why } else { target.at.clone() },
    ]
}

fn show_connection(connection: &Connection) {
    let state = match connection.state {
        ConnectionState::Starting => "starting",
        ConnectionState::Connecting => "connecting to",
        ConnectionState::Connected => "connected to",
        ConnectionState::Waiting => "not connected to",
        ConnectionState::Refused => "refused by",
        ConnectionState::Stopped => "stopped",
    };
    output::line(format_args!(
        "Connection   {state} {} since {}",
        connection.endpoint,
        output::moment(connection.since)
    ));
    if let Some(error) = &connection.last_error {
        output::line(format_args!("             {error}"));
    }
    if let Some(next) = connection.next_attempt
        && connection.state != ConnectionState::Connected
    {
        output::line(format_args!("             next attempt {}", output::moment(next)));
    }
}

fn show_rest(status: &Status) {
    let (pending, bytes) = status
        .spool
        .classes
        .iter()
        .fold((0, 0), |(pending, bytes), class| (pending + class.pending, bytes + class.bytes));
    let trouble = status.spool.trouble.as_ref().map(|why| format!(", the disk is {why}"));
    output::line(format_args!(
        "Spool        {pending} records wait, {} on disk{}",
        output::size(bytes),
        trouble.unwrap_or_default()
    ));
    let resources = &status.resources;
    output::line(format_args!(
        "Resources    {} of memory, {} ms of processor time and {} ms by looking",
        resources.resident_bytes.map_or_else(|| "?".to_owned(), output::size),
        resources.cpu_millis,
        resources.children_cpu_millis
    ));
    for complaint in &status.complaints {
        output::line(format_args!("Complaint    {complaint}"));
    }
    output::line(format_args!(""));
}

fn show_scopes(scopes: &[ScopeStatus]) {
    let rows: Vec<Vec<String>> = scopes
        .iter()
        .map(|scope| {
            let coverage = scope.coverage.as_ref();
            vec![
                scope.name.clone(),
                coverage.map_or("not yet", |coverage| coverage.status.name()).to_owned(),
                scope.count.to_string(),
                scope.looked_at.map(output::moment).unwrap_or_default(),
                scope.next_look.map(output::moment).unwrap_or_default(),
                scope.looks_count.to_string(),
                scope.spared_count.to_string(),
                coverage.map(|coverage| coverage.detail.clone()).unwrap_or_default(),
            ]
        })
        .collect();
    output::table(
        &["SCOPE", "SEEN", "HOLDS", "LOOKED AT", "NEXT", "LOOKS", "SPARED", "WHY"],
        &rows,
    );
}
