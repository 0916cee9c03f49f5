//! Why the registry refuses.

use model::Timestamp;
use std::time::Duration;
use store::database::DatabaseError;
use store::fleet::{CertificateError, EnrollError};

/// Why an agent or a person does not get what it asks of the registry. Every sentence says what to do next.
#[derive(Debug, thiserror::Error)]
pub enum FleetError {
    /// The token is no token of this control plane.
    #[error("{reason}")]
    TokenInvalid {
        /// Why, and what to do.
        reason: String,
    },
    /// The token's time has passed.
    #[error("the join token has expired: make a new one")]
    TokenExpired {
        /// When.
        expired_at: Timestamp,
    },
    /// A person revoked it.
    #[error("the join token was revoked: make a new one")]
    TokenRevoked,
    /// As many agents joined by it as may.
    #[error(
        "the join token was already used {uses} of {uses} times: make a new one for each agent, or one with more uses"
    )]
    TokenUsedUp {
        /// How many.
        uses: u32,
    },
    /// Too many attempts.
    #[error("too many agents are enrolling at this moment: the agent tries again by itself")]
    RateLimited {
        /// How long to wait.
        wait: Duration,
    },
    /// The signing request is not usable.
    #[error("the certificate signing request cannot be used: {reason}")]
    SigningRequest {
        /// Why.
        reason: String,
    },
    /// Nobody here knows the agent.
    #[error("this control plane does not know the agent: enroll it again with a new join token")]
    AgentUnknown,
    /// A person revoked it.
    #[error("the agent was revoked: enroll it again with a new join token if that was a mistake")]
    AgentRevoked,
    /// Two machines hold one identity.
    #[error(
        "another machine renewed the certificate of the same identity: this one is probably a copy; enroll it again with a join token of its own"
    )]
    AgentDuplicate,
    /// The certificate ended.
    #[error("the certificate ended: {remedy}")]
    CertificateExpired {
        /// What to do.
        remedy: &'static str,
    },
    /// A value is out of range.
    #[error("{reason}")]
    Invalid {
        /// The parameter.
        parameter: &'static str,
        /// Why, and what is allowed.
        reason: String,
    },
    /// The store does not answer.
    #[error("the registry of agents does not answer now")]
    Store(#[from] DatabaseError),
    /// Items cannot be asked about.
    #[error("the items do not answer now")]
    Items(#[from] store::items::ReadError),
    /// Keys or certificates cannot be made.
    #[error("the authority cannot sign now")]
    Authority(#[source] pki::Error),
}

impl From<EnrollError> for FleetError {
    fn from(error: EnrollError) -> Self {
        match error {
            EnrollError::Unknown => Self::TokenInvalid {
                reason: "there is no such join token: make a new one, and copy the whole line"
                    .into(),
            },
            EnrollError::Expired { expired_at } => Self::TokenExpired { expired_at },
            EnrollError::UsedUp { uses } => Self::TokenUsedUp { uses },
            EnrollError::Revoked => Self::TokenRevoked,
            EnrollError::Store(error) => Self::Store(error),
        }
    }
}

impl From<CertificateError> for FleetError {
    fn from(error: CertificateError) -> Self {
        match error {
            CertificateError::UnknownAgent => Self::AgentUnknown,
            CertificateError::Revoked => Self::AgentRevoked,
            CertificateError::Duplicate => Self::AgentDuplicate,
            CertificateError::Store(error) => Self::Store(error),
        }
    }
}

impl From<pki::Error> for FleetError {
    fn from(error: pki::Error) -> Self {
        match error {
            pki::Error::SigningRequestTooLong { .. } | pki::Error::SigningRequestInvalid { .. } => {
                Self::SigningRequest { reason: error.to_string() }
            }
            other => Self::Authority(other),
        }
    }
}
