//! Becoming known: the token's way in.

use crate::api::error::ApiError;
use crate::fleet::{EnrollAttempt, Fleet};
use proto::v1::enrollment_server::{Enrollment, EnrollmentServer};
use proto::v1::{EnrollRequest, EnrollResponse};
use std::sync::Arc;
use store::fleet::AgentEvidence;
use tonic::{Request, Response, Status};

/// Bytes of a request: a token, a signing request and a few names.
const REQUEST_BYTES_MAX: usize = 16 * 1024;

/// The enrollment service.
#[derive(Debug)]
pub struct Service {
    fleet: Arc<Fleet>,
}

impl Service {
    /// The service over a registry, ready to be served.
    #[must_use]
    pub fn server(fleet: Arc<Fleet>) -> EnrollmentServer<Self> {
        EnrollmentServer::new(Self { fleet }).max_decoding_message_size(REQUEST_BYTES_MAX)
    }
}

#[tonic::async_trait]
impl Enrollment for Service {
    async fn enroll(
        &self,
        request: Request<EnrollRequest>,
    ) -> Result<Response<EnrollResponse>, Status> {
        let address = super::identity::peer(&request)?.address;
        let request = request.into_inner();
        let evidence = request.evidence.unwrap_or_default();
        let attempt = EnrollAttempt {
            token: request.token,
            signing_request: request.signing_request,
            evidence: AgentEvidence {
                host_name: evidence.host_name,
                machine_id: evidence.machine_id,
                os_name: evidence.os_name,
                architecture: evidence.architecture,
            },
            version: request.agent_version,
            address,
        };
        let enrolled = self.fleet.enroll(attempt).await.map_err(ApiError::from)?;
        Ok(Response::new(EnrollResponse {
            agent_id: enrolled.agent.id.to_string(),
            certificate_chain: enrolled.chain,
            roots: enrolled.roots,
            endpoints: enrolled.endpoints,
            site: enrolled.agent.site,
            labels: enrolled.agent.labels.into_iter().collect(),
        }))
    }
}
