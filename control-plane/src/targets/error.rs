//! Why targets and credentials refuse.

use super::seal::SealError;
use store::database::DatabaseError;

/// Why somebody does not get what they ask of targets. Every sentence says what to do next, and none has a secret.
#[derive(Debug, thiserror::Error)]
pub enum TargetsError {
    /// A value is not accepted.
    #[error(transparent)]
    Invalid(#[from] model::targets::Invalid),
    /// There is none of that name.
    #[error("there is no {what} of the name `{name}`")]
    NotFound {
        /// What was asked for.
        what: &'static str,
        /// Its name.
        name: String,
    },
    /// Nobody can do it now.
    #[error("{reason}")]
    NoAgent {
        /// Why, and what to do.
        reason: String,
    },
    /// The agent did not answer.
    #[error(
        "the agent did not answer within {seconds} s; `dharma target show` and its log say how it fares"
    )]
    TimedOut {
        /// How long it had.
        seconds: u64,
    },
    /// Secrets cannot be sealed or opened.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// The store does not answer.
    #[error("what is stored of targets does not answer now")]
    Store(#[from] DatabaseError),
}

impl TargetsError {
    pub(super) fn invalid(field: &'static str, reason: impl Into<String>) -> Self {
        Self::Invalid(model::targets::Invalid { field, reason: reason.into() })
    }
}
