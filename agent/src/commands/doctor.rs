//! `doctor`: checks what the agent needs, one line each, and says what would mend it.
//!
//! Invariants: it changes nothing but a scratch file in the state directory; every line that is not well has a
//! remedy; the exit code is 1 when a line fails.

mod host;
mod network;

use super::{Outcome, output};
use crate::board::ConnectionState;
use crate::cli::Doctor;
use crate::config::Config;
use crate::identity::{Identity, Store};
use crate::report::chain;
use crate::{control, place};
use environment::{Clock, SystemClock};
use serde::Serialize;
use std::path::Path;

/// How a check ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Verdict {
    Ok,
    Warn,
    Fail,
}

/// A line.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Line {
    verdict: Verdict,
    check: String,
    finding: String,
    remedy: String,
}

/// What was found so far.
#[derive(Debug, Default)]
pub(super) struct Findings(Vec<Line>);

impl Findings {
    fn add(&mut self, verdict: Verdict, check: &str, finding: impl Into<String>, remedy: &str) {
        self.0.push(Line {
            verdict,
            check: check.to_owned(),
            finding: finding.into(),
            remedy: remedy.to_owned(),
        });
    }

    fn ok(&mut self, check: &str, finding: impl Into<String>) {
        self.add(Verdict::Ok, check, finding, "");
    }
}

pub(super) async fn doctor(
    state: &Path,
    config: anyhow::Result<Config>,
    how: Doctor,
) -> anyhow::Result<Outcome> {
    let mut findings = Findings::default();
    let config = match config {
        Ok(mut config) => {
            config.server.overrule(how.server.clone().map(Some));
            let file = config.file.as_ref().map(|file| file.display().to_string());
            findings.ok("configuration", file.unwrap_or_else(|| "none, all defaults".into()));
            Some(config)
        }
        Err(error) => {
            let remedy = "correct the line that is named; `dharma-agent inspect config` shows what is in force";
            findings.add(Verdict::Fail, "configuration", format!("{error:#}"), remedy);
            None
        }
    };
    host::state_directory(&mut findings, state);
    let identity = identity(&mut findings, state);
    running(&mut findings, state);
    host::spool(&mut findings, state, config.as_ref());
    network::control_plane(&mut findings, config.as_ref(), identity.as_ref()).await;
    host::rights(&mut findings, config.as_ref()).await;
    let worst = findings.0.iter().map(|line| line.verdict).max().unwrap_or(Verdict::Ok);
    if how.json {
        output::json(&findings.0)?;
    } else {
        show(&findings);
    }
    Ok(if worst == Verdict::Fail { Outcome::NotWell } else { Outcome::Done })
}

fn show(findings: &Findings) {
    for line in &findings.0 {
        let verdict = match line.verdict {
            Verdict::Ok => "ok  ",
            Verdict::Warn => "warn",
            Verdict::Fail => "FAIL",
        };
        output::line(format_args!("{verdict}  {}: {}", line.check, line.finding));
        if !line.remedy.is_empty() {
            output::line(format_args!("      → {}", line.remedy));
        }
    }
}

/// A clock that is off by more is worth a line.
const CLOCK_MILLIS_MAX: u64 = 5_000;

/// What the running agent says, if one runs.
fn running(findings: &mut Findings, state: &Path) {
    const CHECK: &str = "agent";
    let Ok(status) = control::ask(&place::socket_path(state)) else {
        let remedy = "start it with `dharma-agent run` or by the service manager";
        return findings.add(Verdict::Warn, CHECK, "not running, or not ours to ask", remedy);
    };
    let connection = &status.connection;
    if connection.state == ConnectionState::Connected {
        findings.ok(CHECK, format!("running, connected to {}", connection.endpoint));
    } else {
        let why = connection.last_error.clone().unwrap_or_default();
        let remedy = "see the lines about the control plane below";
        findings.add(Verdict::Warn, CHECK, format!("running, not connected: {why}"), remedy);
    }
    for complaint in &status.complaints {
        findings.add(Verdict::Warn, CHECK, complaint.clone(), "");
    }
    let Some(ahead) = connection.clock_ahead_millis else { return };
    let finding = format!("the control plane's clock was {ahead} ms ahead at the last connection");
    if ahead.unsigned_abs() > CLOCK_MILLIS_MAX {
        let remedy = "let a time service (chrony, systemd-timesyncd) set both clocks";
        findings.add(Verdict::Warn, "clock", finding, remedy);
    } else {
        findings.ok("clock", finding);
    }
}

fn identity(findings: &mut Findings, state: &Path) -> Option<Identity> {
    let store = Store::new(state);
    match store.load() {
        Ok(Some(identity)) => {
            let expires = output::moment(identity.validity.not_after.into());
            let agent = identity.enrolled.agent_id;
            if identity.is_expired(SystemClock.wall()) {
                let remedy = "start the agent: an expired certificate is renewed as soon as the control plane is reached, unless the agent was revoked";
                let finding = format!("agent {agent}, the certificate expired {expires}");
                findings.add(Verdict::Warn, "identity", finding, remedy);
            } else {
                findings.ok("identity", format!("agent {agent}, certificate until {expires}"));
            }
            Some(identity)
        }
        Ok(None) => {
            let remedy = "make a join token in the console under Agents and run `dharma-agent enroll --server HOST:7444 --token-file FILE`";
            findings.add(Verdict::Fail, "identity", "this host is not enrolled", remedy);
            None
        }
        Err(error) => {
            let remedy = "run as the agent's user or root; if the files are damaged, move the directory away and enroll anew";
            findings.add(Verdict::Fail, "identity", chain(&error), remedy);
            None
        }
    }
}
