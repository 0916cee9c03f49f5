//! Reaching the control plane, and renewing the certificate on the same connection.

use super::{End, Uplink};
use crate::identity::Validity;
use crate::report::{chain, find};
use environment::RandomnessExt;
use model::Timestamp;
use pki::ConnectError;
use proto::tonic::transport::{Channel, Endpoint};
use proto::tonic::{Code, Status};
use proto::v1::RenewRequest;
use proto::v1::identity_client::IdentityClient;
use std::time::Duration;

/// How long a renewal may take.
const RENEW_TIMEOUT: Duration = Duration::from_secs(20);
/// How often a silent connection is asked whether it still lives.
const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(20);
/// How long the answer to that may take.
const KEEP_ALIVE_TIMEOUT: Duration = Duration::from_secs(10);
/// What may be received without being read: frames of the control plane are small, and memory is not.
const RECEIVE_WINDOW_BYTES: u32 = 64 * 1024;
/// A renewal that failed is tried again after a random time between these.
const RENEW_RETRY: (Duration, Duration) = (Duration::from_secs(300), Duration::from_secs(900));
/// The most certificates that a renewal may bring.
const CERTIFICATES_MAX: usize = 16;

impl Uplink {
    /// Connects to one endpoint.
    pub(super) async fn connect(&self, address: &str) -> Result<Channel, End> {
        let identity = &self.around.identity;
        let connector = pki::connector_mutual(&identity.roots, &identity.chain, &identity.key)
            .map_err(|error| End::Refused(chain(&error)))?;
        let endpoint = Endpoint::from_shared(format!("http://{address}"))
            .map_err(|_| End::Lost(format!("`{address}` is no address; write host:port")))?
            .http2_keep_alive_interval(KEEP_ALIVE_INTERVAL)
            .keep_alive_timeout(KEEP_ALIVE_TIMEOUT)
            .keep_alive_while_idle(true)
            .initial_stream_window_size(RECEIVE_WINDOW_BYTES)
            .initial_connection_window_size(RECEIVE_WINDOW_BYTES)
            .buffer_size(8);
        let channel = endpoint.connect_with_connector(connector).await;
        channel.map_err(|error| match find::<ConnectError>(&error) {
            Some(
                said @ (ConnectError::UnknownAuthority { .. }
                | ConnectError::NotAControlPlane { .. }
                | ConnectError::Refused { .. }),
            ) => End::Refused(said.to_string()),
            Some(said) => End::Lost(chain(said)),
            None => End::Lost(chain(&error)),
        })
    }

    /// When the certificate is to be renewed.
    pub(super) fn renewal_due(&self) -> Duration {
        let part = u16::try_from(self.around.randomness.below(65_536)).unwrap_or(u16::MAX);
        self.around.identity.renew_in(self.around.clock.wall(), part)
    }

    /// When a failed renewal is to be repeated.
    pub(super) fn renewal_retry(&self) -> Duration {
        self.draw(RENEW_RETRY.0, RENEW_RETRY.1)
    }

    /// Renews the certificate and keeps the new one.
    pub(super) async fn renew(&mut self, channel: Channel) -> Result<(), End> {
        let request = self.around.identity.key.csr_der();
        let signing_request = request.map_err(|error| End::Lost(chain(&error)))?;
        let mut client = IdentityClient::new(channel);
        let answer = client.renew(RenewRequest { signing_request });
        let answer = tokio::time::timeout(RENEW_TIMEOUT, answer)
            .await
            .map_err(|_| End::Lost("the renewal of the certificate was not answered".into()))?
            .map_err(|status| end_of(&status))?
            .into_inner();
        let unusable = |what: &str| End::Lost(format!("the renewal cannot be used: {what}"));
        if answer.certificate_chain.len().max(answer.roots.len()) > CERTIFICATES_MAX {
            return Err(unusable("it holds too many certificates"));
        }
        let leaf = answer.certificate_chain.first();
        let validity = leaf.and_then(|leaf| Validity::of(leaf));
        let validity = validity.ok_or_else(|| unusable("it holds no certificate"))?;
        let identity = &mut self.around.identity;
        let roots = if answer.roots.is_empty() { identity.roots.clone() } else { answer.roots };
        pki::connector_mutual(&roots, &answer.certificate_chain, &identity.key)
            .map_err(|error| unusable(&chain(&error)))?;
        let store = &self.around.store;
        store
            .save_certificates(&answer.certificate_chain, &roots)
            .map_err(|error| End::Lost(chain(&error)))?;
        identity.chain = answer.certificate_chain;
        identity.roots = roots;
        identity.validity = validity;
        self.around.board.set_certificate_expires(Timestamp::from(validity.not_after));
        tracing::info!("the certificate of this agent was renewed");
        Ok(())
    }
}

/// What an error of a call means for the connection.
pub(super) fn end_of(status: &Status) -> End {
    if let Some(reason) = pki::refusal_of(status) {
        return End::Refused(format!("the control plane refused the connection: {reason}"));
    }
    match status.code() {
        Code::PermissionDenied
        | Code::Unauthenticated
        | Code::InvalidArgument
        | Code::FailedPrecondition
        | Code::Unimplemented => End::Refused(status.message().to_owned()),
        _ => match find::<std::io::Error>(status) {
            // The layers above only repeat it in ever more words.
            Some(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
                End::Lost("the control plane closed the connection".to_owned())
            }
            Some(error) => End::Lost(format!("the connection broke off: {error}")),
            None => End::Lost(format!("the connection broke off: {}", status.message())),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_told_from_a_failure_that_passes() {
        let revoked = Status::permission_denied("this agent is revoked");
        assert_eq!(end_of(&revoked), End::Refused("this agent is revoked".into()));
        assert!(matches!(end_of(&Status::unavailable("gone")), End::Lost(_)));
        let cut = std::io::Error::new(std::io::ErrorKind::UnexpectedEof, "a long story");
        let cut = end_of(&Status::from_error(Box::new(cut)));
        assert_eq!(cut, End::Lost("the control plane closed the connection".into()));
    }
}
