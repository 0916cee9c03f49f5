//! Becoming known: a token is exchanged for an identity.
//!
//! Invariants: the control plane is recognized by the pin in the token before anything is sent; the token's file is
//! deleted as soon as the identity is durable; the token appears in no log and no error.
//!
//! Deliberately not here: retrying. `run` does, for failures that may pass.

use crate::evidence;
use crate::identity::{self, ENROLLED_VERSION, Enrolled, Identity, Store, Validity};
use crate::report::chain;
use environment::Clock;
use model::{AgentId, Timestamp};
use pki::token::{JoinToken, TOKEN_BYTES_MAX};
use pki::{AgentKey, ConnectError};
use proto::tonic::transport::Endpoint;
use proto::tonic::{Code, Status};
use proto::v1;
use proto::v1::enrollment_client::EnrollmentClient;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long the whole exchange may take.
const TIMEOUT: Duration = Duration::from_secs(30);
/// The port of the uplink, when the control plane names no endpoint.
const UPLINK_PORT: u16 = 7443;
/// The most endpoints, roots or certificates that are taken over.
const ANSWER_ITEMS_MAX: usize = 16;

/// Why this host could not be enrolled.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The token cannot be read.
    #[error("cannot read the join token `{}`: make one in the console under Agents, or with `dharma token create join`", path.display())]
    TokenFile {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// The text is no join token.
    #[error("`{}` holds no usable join token: {reason}", path.display())]
    Token {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The server's address has no host or no port.
    #[error(
        "`{server}` is no address of a control plane: write host:port, as in control-plane.example.net:7444"
    )]
    Address {
        /// What was given.
        server: String,
    },
    /// The control plane is not the one that made the token, or is none. Nothing was sent.
    #[error("{reason}")]
    NotRecognized {
        /// What is wrong, and what to do.
        reason: String,
    },
    /// The control plane cannot be reached; it may be later.
    #[error("cannot reach the control plane: {reason}")]
    Unreachable {
        /// What the network said.
        reason: String,
    },
    /// The control plane said no.
    #[error("the control plane refused to enroll this host: {reason}")]
    Refused {
        /// Its words.
        reason: String,
    },
    /// The control plane's answer makes no sense.
    #[error("the control plane's answer cannot be used: {what}")]
    Answer {
        /// What is wrong with it.
        what: &'static str,
    },
    /// The identity cannot be kept.
    #[error("cannot keep the identity")]
    Identity(#[from] identity::Error),
    /// No key can be made.
    #[error("cannot make a key")]
    Key(#[from] pki::Error),
}

impl Error {
    /// Whether the same attempt may succeed later without anybody doing anything.
    #[must_use]
    pub const fn is_transient(&self) -> bool {
        matches!(self, Self::Unreachable { .. })
    }
}

/// Reads a join token.
///
/// # Errors
/// When the file cannot be read or holds none.
pub fn read_token(path: &Path) -> Result<JoinToken, Error> {
    let failed = |source| Error::TokenFile { path: path.to_owned(), source };
    let mut text = String::new();
    // A little more than a token, for the white space around it.
    let limit = u64::try_from(TOKEN_BYTES_MAX).unwrap_or(u64::MAX).saturating_add(64);
    let file = std::fs::File::open(path).map_err(failed)?;
    file.take(limit).read_to_string(&mut text).map_err(failed)?;
    JoinToken::parse(text.trim())
        .map_err(|error| Error::Token { path: path.to_owned(), reason: error.to_string() })
}

/// Deletes the token's file; when it cannot, says so in the log. The token is used up either way.
pub fn delete_token(path: &Path) {
    match std::fs::remove_file(path) {
        Ok(()) => tracing::info!(path = %path.display(), "the join token was used and is deleted"),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => {
            tracing::warn!(path = %path.display(), %error, "the used join token cannot be deleted; delete it by hand");
        }
    }
}

/// Enrolls this host and keeps the identity.
///
/// # Errors
/// See [`Error`]; nothing was kept then.
pub async fn enroll(
    store: &Store,
    server: &str,
    token: &JoinToken,
    clock: &dyn Clock,
) -> Result<Identity, Error> {
    let address = Error::Address { server: server.to_owned() };
    let host = match server.rsplit_once(':') {
        Some((host, port)) if !host.is_empty() && port.parse::<u16>().is_ok() => host,
        _ => return Err(address),
    };
    let endpoint = Endpoint::from_shared(format!("http://{server}")).map_err(|_| address)?;
    let connector = pki::connector_pinned(token.pin())?;
    let channel = endpoint
        .timeout(TIMEOUT)
        .connect_with_connector(connector)
        .await
        .map_err(|error| connect_error(&error))?;
    let key = AgentKey::generate()?;
    let request = v1::EnrollRequest {
        token: token.reveal(),
        signing_request: key.csr_der()?,
        evidence: Some(evidence::collect()),
        agent_version: crate::VERSION.to_owned(),
    };
    let response = EnrollmentClient::new(channel).enroll(request).await.map_err(|s| refusal(&s))?;
    let mut enrolled = enrolled(response.get_ref(), server, Timestamp::from(clock.wall()))?;
    if enrolled.endpoints.is_empty() {
        enrolled.endpoints.push(format!("{host}:{UPLINK_PORT}"));
    }
    let v1::EnrollResponse { certificate_chain: chain, roots, .. } = response.into_inner();
    let unusable = || Error::Answer { what: "it holds no certificate" };
    let validity = chain.first().and_then(|leaf| Validity::of(leaf)).ok_or_else(unusable)?;
    if roots.is_empty() {
        return Err(Error::Answer { what: "it holds no root" });
    }
    let identity = Identity { enrolled, key, chain, roots, validity };
    // Whatever the answer holds, it must make a working connector before it is kept.
    drop(pki::connector_mutual(&identity.roots, &identity.chain, &identity.key)?);
    store.save(&identity)?;
    Ok(identity)
}

fn enrolled(answer: &v1::EnrollResponse, server: &str, at: Timestamp) -> Result<Enrolled, Error> {
    let are_few = answer.certificate_chain.len() <= ANSWER_ITEMS_MAX
        && answer.roots.len() <= ANSWER_ITEMS_MAX
        && answer.endpoints.len() <= ANSWER_ITEMS_MAX;
    if !are_few {
        return Err(Error::Answer { what: "it holds too many certificates or endpoints" });
    }
    let agent_id: AgentId =
        answer.agent_id.parse().map_err(|_| Error::Answer { what: "the agent's id is none" })?;
    Ok(Enrolled {
        version: ENROLLED_VERSION,
        agent_id,
        site: answer.site.clone(),
        labels: answer.labels.clone().into_iter().collect(),
        endpoints: answer.endpoints.clone(),
        server: server.to_owned(),
        enrolled_at: at.millis(),
    })
}

/// Sorts what the connector said: a control plane that was not recognized will not be recognized later either.
fn connect_error(error: &(dyn std::error::Error + 'static)) -> Error {
    match crate::report::find::<ConnectError>(error) {
        Some(
            not @ (ConnectError::WrongPin { .. }
            | ConnectError::NotAControlPlane { .. }
            | ConnectError::UnknownAuthority { .. }
            | ConnectError::Clock { .. }
            | ConnectError::InvalidAddress { .. }
            | ConnectError::Refused { .. }),
        ) => Error::NotRecognized { reason: not.to_string() },
        Some(known) => Error::Unreachable { reason: chain(known) },
        None => Error::Unreachable { reason: chain(error) },
    }
}

fn refusal(status: &Status) -> Error {
    match status.code() {
        Code::Unavailable | Code::DeadlineExceeded | Code::Cancelled | Code::ResourceExhausted => {
            Error::Unreachable { reason: chain(status) }
        }
        _ => Error::Refused { reason: status.message().to_owned() },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_without_a_token_is_refused_without_showing_its_content() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("token");
        assert!(matches!(read_token(&path), Err(Error::TokenFile { .. })));
        std::fs::write(&path, "dj_secretsecretsecret").unwrap();
        let error = read_token(&path).unwrap_err().to_string();
        assert!(!error.contains("secretsecret"), "{error}");
    }

    #[test]
    fn only_an_unreachable_control_plane_is_worth_another_attempt() {
        assert!(refusal(&Status::unavailable("x")).is_transient());
        assert!(!refusal(&Status::permission_denied("the token is used up")).is_transient());
        let answer = v1::EnrollResponse { agent_id: "no id".into(), ..Default::default() };
        assert!(enrolled(&answer, "s", Timestamp::EPOCH).is_err());
    }
}
