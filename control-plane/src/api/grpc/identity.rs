//! Staying known: a new certificate for the one that the agent shows, which may have ended.

use crate::api::error::{ApiError, Code};
use crate::fleet::Fleet;
use pki::Peer;
use proto::v1::identity_server::{Identity, IdentityServer};
use proto::v1::{RenewRequest, RenewResponse};
use std::sync::Arc;
use tonic::{Request, Response, Status};

/// Bytes of a request: one signing request.
const REQUEST_BYTES_MAX: usize = 8 * 1024;

/// The identity service.
#[derive(Debug)]
pub struct Service {
    fleet: Arc<Fleet>,
}

impl Service {
    /// The service over a registry, ready to be served.
    #[must_use]
    pub fn server(fleet: Arc<Fleet>) -> IdentityServer<Self> {
        IdentityServer::new(Self { fleet }).max_decoding_message_size(REQUEST_BYTES_MAX)
    }
}

#[tonic::async_trait]
impl Identity for Service {
    async fn renew(
        &self,
        request: Request<RenewRequest>,
    ) -> Result<Response<RenewResponse>, Status> {
        let peer = peer(&request)?;
        let renewed = self
            .fleet
            .renew(&peer, &request.get_ref().signing_request)
            .await
            .map_err(ApiError::from)?;
        Ok(Response::new(RenewResponse { certificate_chain: renewed.chain, roots: renewed.roots }))
    }
}

/// Who is at the other end of the connection that a request came by.
///
/// # Errors
/// `INTERNAL` when the request came by a port that does not say it, which would be a defect of ours.
pub fn peer<T>(request: &Request<T>) -> Result<Peer, ApiError> {
    request
        .extensions()
        .get::<Peer>()
        .cloned()
        .ok_or_else(|| ApiError::new(Code::Internal, "the connection does not say who is calling"))
}
