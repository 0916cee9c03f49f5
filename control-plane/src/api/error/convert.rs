//! Which code the errors of services and stores have.

use super::{ApiError, Code, chain};
use crate::api::moment::rfc3339;
use crate::fleet::FleetError;
use crate::graph::GraphError;
use crate::targets::TargetsError;
use model::Timestamp;
use std::time::Duration;
use store::database::DatabaseError;
use store::items::ReadError;

/// When asking again can help after the store did not answer: a checkpoint or a restart takes about this long.
const STORE_RETRY: Duration = Duration::from_secs(2);

impl From<ReadError> for ApiError {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::CursorMismatch => Self::new(
                Code::PageTokenMismatch,
                "the page token belongs to another question; ask again without it",
            ),
            ReadError::Invalid { reason } => Self::new(Code::ValidationFailed, reason),
            ReadError::HistoryExpired { kept_since_millis } => {
                let kept_since = rfc3339(Timestamp::from_millis(kept_since_millis));
                Self::new(
                    Code::HistoryExpired,
                    format!("history is kept from {kept_since} on; ask for a later moment"),
                )
                .with("kept_since", kept_since)
            }
            ReadError::Unavailable { .. } => store_unavailable(&error),
        }
    }
}

impl From<GraphError> for ApiError {
    fn from(error: GraphError) -> Self {
        let detail = error.to_string();
        match error {
            GraphError::NotFound { id } => Self::not_found("item", &id),
            GraphError::OutOfRange { parameter, min, max } => {
                Self::invalid(parameter, detail).with("min", min).with("max", max)
            }
            GraphError::Invalid { parameter, reason } => Self::invalid(parameter, reason),
            GraphError::Behind => Self::new(Code::Unavailable, detail).retry_after(STORE_RETRY),
            GraphError::GivenUp => Self::internal("the graph gave no answer", &error),
            GraphError::Store(error) => error.into(),
            GraphError::Fleet(error) => error.into(),
        }
    }
}

impl From<DatabaseError> for ApiError {
    fn from(error: DatabaseError) -> Self {
        store_unavailable(&error)
    }
}

impl From<FleetError> for ApiError {
    fn from(error: FleetError) -> Self {
        let detail = error.to_string();
        match error {
            FleetError::TokenInvalid { .. } => Self::new(Code::TokenInvalid, detail),
            FleetError::TokenExpired { expired_at } => {
                let expired_at = rfc3339(expired_at);
                Self::new(
                    Code::TokenExpired,
                    format!("the join token expired at {expired_at}: make a new one"),
                )
                .with("expired_at", expired_at)
            }
            FleetError::TokenRevoked => Self::new(Code::TokenRevoked, detail),
            FleetError::TokenUsedUp { uses } => {
                Self::new(Code::TokenUsedUp, detail).with("uses", uses)
            }
            FleetError::RateLimited { wait } => {
                Self::new(Code::RateLimited, detail).retry_after(wait)
            }
            FleetError::SigningRequest { .. } => Self::new(Code::SigningRequestInvalid, detail),
            FleetError::AgentUnknown => Self::new(Code::AgentUnknown, detail),
            FleetError::AgentRevoked => Self::new(Code::AgentRevoked, detail),
            FleetError::AgentDuplicate => Self::new(Code::AgentDuplicate, detail),
            FleetError::CertificateExpired { .. } => Self::new(Code::CertificateExpired, detail),
            FleetError::Invalid { parameter, reason } => Self::invalid(parameter, reason),
            FleetError::Store(error) => error.into(),
            FleetError::Items(error) => error.into(),
            FleetError::Authority(error) => Self::internal("the authority cannot sign now", &error),
        }
    }
}

impl From<TargetsError> for ApiError {
    fn from(error: TargetsError) -> Self {
        let detail = error.to_string();
        match error {
            TargetsError::Invalid(invalid) => Self::invalid(invalid.field, invalid.reason),
            TargetsError::NotFound { .. } => Self::new(Code::NotFound, detail),
            TargetsError::NoAgent { .. } => {
                Self::new(Code::Unavailable, detail).retry_after(STORE_RETRY)
            }
            TargetsError::TimedOut { .. } => Self::new(Code::DeadlineExceeded, detail),
            TargetsError::Seal(error @ crate::targets::seal::SealError::Open { .. }) => {
                Self::invalid("secrets", error.to_string())
            }
            TargetsError::Seal(error) => Self::internal("secrets cannot be sealed now", &error),
            TargetsError::Store(error) => error.into(),
        }
    }
}

fn store_unavailable(error: &(dyn std::error::Error + 'static)) -> ApiError {
    tracing::error!(cause = %chain(error), "the store does not answer");
    ApiError::new(Code::Unavailable, "the store does not answer now; ask again in a moment")
        .retry_after(STORE_RETRY)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_that_does_not_answer_says_nothing_of_its_inside() {
        let error = ApiError::from(DatabaseError::Closed);
        assert_eq!(error.code, Code::Unavailable);
        assert!(!error.detail.contains("closed"));
    }
}
