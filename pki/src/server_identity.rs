//! The control plane's own certificate, and the place from which listeners take it at each handshake.

use crate::{AgentKey, Error};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls_pki_types::CertificateDer;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::SystemTime;

/// A certificate chain of the control plane with its key.
#[derive(Clone)]
pub struct ServerIdentity {
    key: Arc<CertifiedKey>,
    not_after: SystemTime,
}

impl ServerIdentity {
    pub(crate) fn new(
        chain_der: &[Vec<u8>],
        key: &AgentKey,
        not_after: SystemTime,
    ) -> Result<Self, Error> {
        let chain = chain_der.iter().cloned().map(CertificateDer::from).collect();
        let key = rustls::crypto::ring::sign::any_ecdsa_type(&key.private_der())
            .map_err(|error| Error::cryptography("use the server key", error))?;
        Ok(Self { key: Arc::new(CertifiedKey::new(chain, key)), not_after })
    }

    /// When the certificate ends; the caller renews it before.
    #[must_use]
    pub const fn not_after(&self) -> SystemTime {
        self.not_after
    }
}

impl fmt::Debug for ServerIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerIdentity").field("not_after", &self.not_after).finish_non_exhaustive()
    }
}

/// Hands the current server certificate to every new connection; it can be replaced while listeners run.
#[derive(Clone, Debug)]
pub struct ServerIdentitySource {
    current: Arc<RwLock<ServerIdentity>>,
}

impl ServerIdentitySource {
    /// A source that begins with this certificate.
    #[must_use]
    pub fn new(identity: ServerIdentity) -> Self {
        Self { current: Arc::new(RwLock::new(identity)) }
    }

    /// Replaces the certificate for all later handshakes; connections that are open keep theirs.
    pub fn replace(&self, identity: ServerIdentity) {
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = identity;
    }

    /// The certificate that new connections get.
    #[must_use]
    pub fn current(&self) -> ServerIdentity {
        self.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl ResolvesServerCert for ServerIdentitySource {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.current().key)
    }
}
