//! Who is accepted: the checks of certificates on both sides.
//!
//! The root signs directly, so a chain has one step and no intermediate is looked at. Purpose and name are both
//! checked: an agent's certificate can never stand for a control plane. Host names are deliberately not compared:
//! only one kind of certificate under this root may serve, and an agent may reach it by any address.

use crate::Pin;
use crate::authority::{AGENT_URI_PREFIX, CONTROL_PLANE_URI};
use model::AgentId;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms, verify_tls13_signature};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{CertificateError, DigitallySignedStruct, DistinguishedName, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, TrustAnchor, UnixTime};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, SystemTime};
use webpki::ring::ECDSA_P256_SHA256;
use webpki::{EndEntityCert, KeyUsage};
use x509_parser::prelude::{FromDer, X509Certificate};

/// P-256 with SHA-256 is all that the authority signs with and gives certificates for.
static ALGORITHMS: WebPkiSupportedAlgorithms = WebPkiSupportedAlgorithms {
    all: &[ECDSA_P256_SHA256],
    mapping: &[(SignatureScheme::ECDSA_NISTP256_SHA256, &[ECDSA_P256_SHA256])],
};

/// Certificates of a server's chain that are looked at for the pinned root.
const CHAIN_LENGTH_MAX: usize = 4;

/// The one cryptographic provider of the process.
pub(crate) static PROVIDER: LazyLock<Arc<CryptoProvider>> =
    LazyLock::new(|| Arc::new(rustls::crypto::ring::default_provider()));

/// What is read from an agent's certificate after it was accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AgentCertificate {
    pub(crate) agent: AgentId,
    pub(crate) serial: String,
    pub(crate) spki_sha256: [u8; 32],
    pub(crate) not_after: SystemTime,
}

impl AgentCertificate {
    /// Reads a certificate; none when it is malformed or names no agent.
    pub(crate) fn parse(certificate: &CertificateDer<'_>) -> Option<Self> {
        let (_, parsed) = X509Certificate::from_der(certificate).ok()?;
        let (_, not_after) = validity(&parsed)?;
        let end_entity = EndEntityCert::try_from(certificate).ok()?;
        Some(Self {
            agent: agent_of(&end_entity)?,
            serial: crate::digest::hex(parsed.raw_serial()),
            spki_sha256: crate::sha256(&end_entity.subject_public_key_info()),
            not_after,
        })
    }
}

/// The one agent that a certificate names; none when it names several or anything else.
fn agent_of(end_entity: &EndEntityCert<'_>) -> Option<AgentId> {
    let mut names = end_entity.valid_uri_names();
    let agent = names.next()?.strip_prefix(AGENT_URI_PREFIX)?.parse().ok()?;
    names.next().is_none().then_some(agent)
}

/// From when until when a certificate (DER) is valid; none when it is malformed.
#[must_use]
pub fn certificate_validity(certificate_der: &[u8]) -> Option<(SystemTime, SystemTime)> {
    let (_, parsed) = X509Certificate::from_der(certificate_der).ok()?;
    validity(&parsed)
}

fn validity(certificate: &X509Certificate<'_>) -> Option<(SystemTime, SystemTime)> {
    let at = |seconds: i64| {
        let seconds = u64::try_from(seconds).ok()?;
        SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(seconds))
    };
    let validity = certificate.validity();
    Some((at(validity.not_before.timestamp())?, at(validity.not_after.timestamp())?))
}

/// Accepts agents of one authority. An expired certificate is accepted too, and flagged by whoever reads it
/// afterwards: a machine that slept over its renewal must be able to ask for one.
#[derive(Debug)]
pub(crate) struct AgentVerifier {
    anchors: Vec<TrustAnchor<'static>>,
}

impl AgentVerifier {
    pub(crate) fn new(root_der: &[u8]) -> Result<Self, crate::Error> {
        Ok(Self { anchors: anchors(&[root_der.to_vec()])? })
    }
}

impl ClientCertVerifier for AgentVerifier {
    /// No hints: an agent has one certificate, and every byte is sent to each of them.
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        let (_, parsed) =
            X509Certificate::from_der(end_entity).map_err(|_| CertificateError::BadEncoding)?;
        let (_, not_after) = validity(&parsed).ok_or(CertificateError::BadEncoding)?;
        let time = unix(not_after).map_or(now, |end| if end < now { end } else { now });
        let certificate = verify_path(end_entity, &self.anchors, time, KeyUsage::client_auth())?;
        agent_of(&certificate).ok_or(CertificateError::NotValidForName)?;
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Err(old_version())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &ALGORITHMS)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        ALGORITHMS.supported_schemes()
    }
}

/// Accepts a control plane whose authority is known by its pin or by its certificate.
#[derive(Debug)]
pub(crate) struct ControlPlaneVerifier {
    trust: Trust,
}

#[derive(Debug)]
enum Trust {
    Pinned(Pin),
    Roots(Vec<TrustAnchor<'static>>),
}

impl ControlPlaneVerifier {
    pub(crate) const fn pinned(pin: Pin) -> Self {
        Self { trust: Trust::Pinned(pin) }
    }

    pub(crate) fn rooted(roots_der: &[Vec<u8>]) -> Result<Self, crate::Error> {
        Ok(Self { trust: Trust::Roots(anchors(roots_der)?) })
    }
}

impl ServerCertVerifier for ControlPlaneVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let certificate = match &self.trust {
            Trust::Roots(anchors) => {
                verify_path(end_entity, anchors, now, KeyUsage::server_auth())?
            }
            Trust::Pinned(pin) => {
                let root = intermediates
                    .iter()
                    .take(CHAIN_LENGTH_MAX)
                    .find(|root| is_pinned(root, pin))
                    .ok_or(CertificateError::UnknownIssuer)?;
                let anchor = webpki::anchor_from_trusted_cert(root).map_err(certificate_error)?;
                verify_path(end_entity, &[anchor.to_owned()], now, KeyUsage::server_auth())?
            }
        };
        if !certificate.valid_uri_names().any(|name| name == CONTROL_PLANE_URI) {
            return Err(CertificateError::NotValidForName.into());
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Err(old_version())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &ALGORITHMS)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        ALGORITHMS.supported_schemes()
    }
}

fn is_pinned(certificate: &CertificateDer<'_>, pin: &Pin) -> bool {
    EndEntityCert::try_from(certificate)
        .is_ok_and(|certificate| pin.matches(&certificate.subject_public_key_info()))
}

fn verify_path<'a>(
    end_entity: &'a CertificateDer<'a>,
    anchors: &[TrustAnchor<'_>],
    time: UnixTime,
    usage: KeyUsage,
) -> Result<EndEntityCert<'a>, rustls::Error> {
    let certificate = EndEntityCert::try_from(end_entity).map_err(certificate_error)?;
    certificate
        .verify_for_usage(ALGORITHMS.all, anchors, &[], time, usage, None, None)
        .map_err(certificate_error)?;
    Ok(certificate)
}

/// What is told to the peer by an alert, and to our own side by the error.
fn certificate_error(error: webpki::Error) -> rustls::Error {
    use webpki::Error as Path;
    match error {
        Path::BadDer | Path::BadDerTime => CertificateError::BadEncoding,
        Path::CertExpired { time, not_after } => {
            CertificateError::ExpiredContext { time, not_after }
        }
        Path::CertNotValidYet { time, not_before } => {
            CertificateError::NotValidYetContext { time, not_before }
        }
        Path::UnknownIssuer => CertificateError::UnknownIssuer,
        Path::InvalidSignatureForPublicKey => CertificateError::BadSignature,
        Path::RequiredEkuNotFoundContext(_) => CertificateError::InvalidPurpose,
        other => CertificateError::Other(rustls::OtherError(Arc::new(other))),
    }
    .into()
}

fn old_version() -> rustls::Error {
    rustls::Error::General("only TLS 1.3 is spoken".into())
}

fn unix(at: SystemTime) -> Option<UnixTime> {
    at.duration_since(SystemTime::UNIX_EPOCH).ok().map(UnixTime::since_unix_epoch)
}

fn anchors(roots_der: &[Vec<u8>]) -> Result<Vec<TrustAnchor<'static>>, crate::Error> {
    roots_der
        .iter()
        .map(|root| {
            let root = CertificateDer::from(root.as_slice());
            webpki::anchor_from_trusted_cert(&root)
                .map(|anchor| anchor.to_owned())
                .map_err(|error| crate::Error::cryptography("use a root certificate", error))
        })
        .collect()
}

/// Gives rustls the time of our clock.
#[derive(Debug)]
pub(crate) struct ClockTime(pub(crate) Arc<dyn environment::Clock>);

impl rustls::time_provider::TimeProvider for ClockTime {
    fn current_time(&self) -> Option<UnixTime> {
        unix(self.0.wall())
    }
}
