//! The stream of an agent: hello and welcome, batches and acknowledgements, beats, and the end.
//!
//! Invariants: nothing of an agent is used before it was admitted; an acknowledgement is sent after the commit and
//! in the order of the batches; what is on the way without acknowledgement is bounded; a revoked agent is refused
//! at once, in the middle of whatever it sends. A stream costs no task and no channel of its own.
//!
//! Deliberately not here: what a batch means (`ingest`), and who is admitted (`fleet`).

mod session;

use crate::fleet::Fleet;
use crate::ingest::Ingest;
use crate::ingest::sessions::Sessions;
use crate::targets::Targets;
use async_trait::async_trait;
use environment::{Clock, Randomness};
use futures::Stream;
use model::{AgentId, Timestamp};
use pki::Peer;
use proto::v1::uplink_server::{Uplink, UplinkServer};
use proto::{limits, v1};
use session::Session;
use std::pin::Pin;
use std::sync::Arc;
use store::fleet::Contact;
use tonic::codec::CompressionEncoding;
use tonic::{Request, Response, Status, Streaming};

/// An agent that may speak.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Admitted {
    /// Who it is.
    pub agent: AgentId,
    /// The site in whose network its addresses mean one thing.
    pub site: String,
    /// What it was given to show, the newest first, 16 bytes each.
    pub nonces: Vec<u8>,
}

/// Why an agent may not speak.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Code of the error catalog.
    pub code: &'static str,
    /// A sentence for the agent's log.
    pub detail: String,
}

/// Who may speak, and what is noted of those who do.
#[async_trait]
pub trait Admission: Send + Sync + std::fmt::Debug {
    /// Checks the certificate that the peer showed.
    async fn admit(&self, peer: &Peer) -> Result<Admitted, Refused>;
    /// Notes what the agent has to show the next time.
    async fn nonces_set(&self, agent: AgentId, nonces: Vec<u8>);
    /// Notes a sign of life.
    async fn contact(&self, agent: AgentId, contact: Contact);
    /// Notes that two processes hold this agent's identity.
    async fn duplicate(&self, agent: AgentId, detail: String);
}

#[async_trait]
impl Admission for Fleet {
    async fn admit(&self, peer: &Peer) -> Result<Admitted, Refused> {
        match Self::admit(self, peer).await {
            Ok(record) => Ok(Admitted {
                agent: record.id,
                site: record.site,
                nonces: record.nonce.unwrap_or_default(),
            }),
            Err(error) => {
                let error = crate::api::error::ApiError::from(error);
                Err(Refused { code: error.code.name(), detail: error.detail })
            }
        }
    }

    async fn nonces_set(&self, agent: AgentId, nonces: Vec<u8>) {
        if let Err(error) = self.nonce_set(agent, nonces).await {
            tracing::warn!(%agent, cause = crate::api::error::chain(&error), "a nonce was not stored");
        }
    }

    async fn contact(&self, agent: AgentId, contact: Contact) {
        if let Err(error) = Self::contact(self, agent, contact).await {
            tracing::warn!(%agent, cause = crate::api::error::chain(&error), "a contact was not stored");
        }
    }

    async fn duplicate(&self, agent: AgentId, detail: String) {
        if let Err(error) = self.duplicate_noticed(agent, detail).await {
            tracing::warn!(%agent, cause = crate::api::error::chain(&error), "a finding was not stored");
        }
    }
}

/// What the service is made of.
#[derive(Clone, Debug)]
pub struct UplinkParts {
    /// The write path.
    pub ingest: Ingest,
    /// The live streams.
    pub sessions: Sessions,
    /// Who may speak.
    pub admission: Arc<dyn Admission>,
    /// What agents read over the network; without it they read nothing there.
    pub targets: Option<Arc<Targets>>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// For nonces.
    pub randomness: Arc<dyn Randomness>,
}

impl UplinkParts {
    fn now(&self) -> Timestamp {
        self.clock.wall().into()
    }
}

/// The service.
#[derive(Clone, Debug)]
pub struct Service {
    parts: Arc<UplinkParts>,
}

/// The service with its limits, to be mounted on the mutual TLS port.
#[must_use]
pub fn service(parts: UplinkParts) -> UplinkServer<Service> {
    UplinkServer::new(Service { parts: Arc::new(parts) })
        .max_decoding_message_size(limits::MESSAGE_BYTES_MAX)
        .accept_compressed(CompressionEncoding::Zstd)
}

#[async_trait]
impl Uplink for Service {
    type SessionStream = Pin<Box<dyn Stream<Item = Result<v1::ServerFrame, Status>> + Send>>;

    async fn session(
        &self,
        request: Request<Streaming<v1::AgentFrame>>,
    ) -> Result<Response<Self::SessionStream>, Status> {
        let peer = request.extensions().get::<Peer>().cloned();
        let peer =
            peer.ok_or_else(|| Status::unauthenticated("the connection shows no certificate"))?;
        let session = Session::new(Arc::clone(&self.parts), peer, request.into_inner());
        Ok(Response::new(Box::pin(session.frames())))
    }
}
