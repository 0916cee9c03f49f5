//! The errors of all APIs, from one catalog.
//!
//! Invariants: whatever fails has a [`Code`]; the code decides the HTTP status, the gRPC code and the exit code of
//! the command line, so that the APIs cannot differ; no answer carries the text of an internal error.
//!
//! Deliberately not here: when something fails. Services return errors of their own, and the conversions at the end
//! of this file's folder give them a code.

mod catalog;
mod convert;
mod pages;
mod respond;

pub use catalog::Code;
pub use pages::page;
pub use respond::Problem;

use serde_json::Value;
use std::collections::BTreeMap;
use std::time::Duration;

/// An error as a caller sees it.
#[derive(Clone, Debug, PartialEq)]
pub struct ApiError {
    /// Which one.
    pub code: Code,
    /// A sentence: what is wrong with this request, and what to do.
    pub detail: String,
    /// The data of the sentence, for programs.
    pub params: BTreeMap<String, Value>,
    /// When asking again can help.
    pub retry_after: Option<Duration>,
}

impl ApiError {
    /// An error with its sentence.
    #[must_use]
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        Self { code, detail: detail.into(), params: BTreeMap::new(), retry_after: None }
    }

    /// The request is understood and wrong.
    #[must_use]
    pub fn invalid(parameter: &str, detail: impl Into<String>) -> Self {
        Self::new(Code::ValidationFailed, detail).with("parameter", parameter)
    }

    /// There is no such thing.
    #[must_use]
    pub fn not_found(what: &str, id: &str) -> Self {
        Self::new(Code::NotFound, format!("there is no {what} with the id `{}`", shortened(id)))
            .with("id", shortened(id))
    }

    /// Something of ours is broken. The cause goes to the log, never to the caller.
    #[must_use]
    pub fn internal(what: &str, cause: &(dyn std::error::Error + 'static)) -> Self {
        tracing::error!(what, cause = %chain(cause), "request failed");
        Self::new(Code::Internal, format!("{what}; the log of the control plane says why"))
    }

    /// With one more piece of data.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.params.insert(name.to_owned(), value.into());
        self
    }

    /// With the time after which asking again can help.
    #[must_use]
    pub fn retry_after(mut self, wait: Duration) -> Self {
        self.retry_after = Some(wait);
        self
    }
}

impl std::fmt::Display for ApiError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.code.name(), self.detail)
    }
}

impl std::error::Error for ApiError {}

/// Foreign text in an answer is cut to this many characters.
const ECHO_CHARACTERS_MAX: usize = 100;

/// A piece of the request, short enough to be repeated in an answer.
#[must_use]
pub fn shortened(text: &str) -> String {
    let mut short: String =
        text.chars().filter(|letter| !letter.is_control()).take(ECHO_CHARACTERS_MAX).collect();
    if text.chars().count() > ECHO_CHARACTERS_MAX {
        short.push('…');
    }
    short
}

/// An error with everything that caused it, on one line.
#[must_use]
pub fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    /// Deeper chains do not exist; the limit guards against one that bites its tail.
    const DEPTH_MAX: usize = 16;
    let mut text = error.to_string();
    let mut next = error.source();
    for _ in 0..DEPTH_MAX {
        let Some(cause) = next else { break };
        text.push_str(": ");
        text.push_str(&cause.to_string());
        next = cause.source();
    }
    text
}
