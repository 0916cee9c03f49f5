//! What can go wrong, what a person can do about it, and the exit code that scripts see.
//!
//! The codes are those of the error catalog; they never change their meaning.

use serde::Deserialize;

/// Failure without a code of its own.
pub(crate) const FAILURE: u8 = 1;
/// The command line, or what it asked for, was not understood.
pub(crate) const USAGE: u8 = 2;
/// No such thing.
pub(crate) const NOT_FOUND: u8 = 3;
/// Not logged in.
pub(crate) const NOT_LOGGED_IN: u8 = 4;
/// Not allowed.
pub(crate) const FORBIDDEN: u8 = 5;
/// A precondition does not hold.
pub(crate) const CONFLICT: u8 = 6;
/// No answer, or not in time.
pub(crate) const UNREACHABLE: u8 = 8;
/// Too many requests, or too costly a question.
pub(crate) const RATE_LIMITED: u8 = 9;
/// Refused by policy, or approval is needed.
pub(crate) const REJECTED: u8 = 11;

/// The exit codes with their meaning, as `dharma help-exit-codes` prints them.
pub(crate) const EXIT_CODES: &[(u8, &str)] = &[
    (0, "ok"),
    (FAILURE, "failure"),
    (USAGE, "usage, or a question that is not valid"),
    (NOT_FOUND, "not found"),
    (NOT_LOGGED_IN, "not logged in, or the session has ended"),
    (FORBIDDEN, "forbidden"),
    (CONFLICT, "conflict: what was expected no longer holds"),
    (UNREACHABLE, "the control plane cannot be reached, or did not answer in time"),
    (RATE_LIMITED, "too many requests, or a question that costs too much"),
    (REJECTED, "rejected by policy, or approval is needed"),
    (130, "interrupted"),
];

/// An error as the API says it (RFC 9457).
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Problem {
    /// The code of the error catalog.
    pub(crate) code: String,
    /// What happened, in a few words.
    pub(crate) title: String,
    /// What happened in this case, and what to do.
    pub(crate) detail: String,
    /// Names the request in the control plane's log.
    pub(crate) request_id: String,
}

/// Why a command did not do what it was told.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The control plane refused.
    #[error("{}", problem_text(.problem))]
    Api {
        /// HTTP status.
        status: u16,
        /// What it said.
        problem: Problem,
    },
    /// The control plane cannot be reached.
    #[error("cannot reach the control plane at {url}")]
    Unreachable {
        /// Where it was looked for.
        url: String,
        /// What the network said.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The answer is not what the API promises.
    #[error(
        "the answer of {url} cannot be understood: {reason}; is that a Dharma control plane of this version?"
    )]
    Malformed {
        /// What was asked.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Nobody is logged in here.
    #[error("not logged in; run `dharma login URL`, or set DHARMA_URL and DHARMA_TOKEN")]
    NotLoggedIn,
    /// What was asked for is not valid.
    #[error("{0}")]
    Usage(String),
    /// No such thing.
    #[error("{0}")]
    NotFound(String),
    /// Something on this machine failed.
    #[error("cannot {what}")]
    Local {
        /// What was tried.
        what: String,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
}

fn problem_text(problem: &Problem) -> String {
    let mut text =
        if problem.detail.is_empty() { problem.title.clone() } else { problem.detail.clone() };
    if text.is_empty() {
        "the control plane refused without a reason".clone_into(&mut text);
    }
    if !problem.code.is_empty() {
        text = format!("{text} ({})", problem.code);
    }
    text
}

impl Error {
    /// The exit code of this error.
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Self::Api { status, .. } => match status {
                400 | 422 => USAGE,
                401 => NOT_LOGGED_IN,
                403 => FORBIDDEN,
                404 | 410 => NOT_FOUND,
                409 => REJECTED,
                412 => CONFLICT,
                429 => RATE_LIMITED,
                502..=504 => UNREACHABLE,
                _ => FAILURE,
            },
            Self::Unreachable { .. } => UNREACHABLE,
            Self::NotLoggedIn => NOT_LOGGED_IN,
            Self::Usage(_) => USAGE,
            Self::NotFound(_) => NOT_FOUND,
            Self::Malformed { .. } | Self::Local { .. } => FAILURE,
        }
    }

    /// Says on standard error what went wrong, with the chain of causes and the next step.
    pub(crate) fn explain(&self) {
        let mut text = format!("error: {}", crate::table::printable(&self.to_string()));
        let mut cause = std::error::Error::source(self);
        while let Some(error) = cause {
            text.push_str(&format!(": {}", crate::table::printable(&error.to_string())));
            cause = error.source();
        }
        crate::output::note(&text);
        match self {
            Self::Api { status: 401, .. } => crate::output::note("next: run `dharma login` again"),
            Self::Unreachable { .. } => {
                crate::output::note(
                    "next: check that it runs (`curl URL/healthz`), and the address (`dharma whoami`)",
                );
            }
            _ => {}
        }
        if let Self::Api { problem, .. } = self
            && !problem.request_id.is_empty()
        {
            crate::output::note(&format!("request: {}", problem.request_id));
        }
    }
}
