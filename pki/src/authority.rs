//! The installation's own authority: a root that is made at the first start, and what it signs.
//!
//! The root signs directly: agents' certificates live for a day and are renewed by the control plane that holds the
//! root, so an intermediate would protect nothing. Names in a signing request are ignored; the certificate says
//! what the control plane decided. Deliberately not here: revocation (a list in the store, asked at each
//! connection) and rotation of the root.

use crate::digest::{hex, sha256};
use crate::random::random;
use crate::server_identity::ServerIdentity;
use crate::{AgentKey, Error, Pin, files};
use rcgen::{
    BasicConstraints, Certificate, CertificateParams, CertificateSigningRequestParams,
    DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    PKCS_ECDSA_P256_SHA256, PublicKeyData, SanType, SerialNumber,
};
use rustls_pki_types::CertificateSigningRequestDer;
use std::fmt;
use std::net::IpAddr;
use std::path::Path;
use std::time::{Duration, SystemTime};
use time::OffsetDateTime;

/// Bytes of a signing request. One for a P-256 key without names has about 250; the rest is room for foreign tools.
pub const SIGNING_REQUEST_BYTES_MAX: usize = 4096;

/// The root's life. It outlives the machines that it is installed on.
const ROOT_LIFE: Duration = Duration::from_secs(10 * 366 * 24 * 3600);

/// The life of a server certificate. The control plane renews its own long before.
const SERVER_LIFE: Duration = Duration::from_secs(90 * 24 * 3600);

/// How far certificates reach back, so that a client whose clock is late by less than this can still connect.
const BACKDATED: Duration = Duration::from_secs(24 * 3600);

/// Names in a server certificate; a control plane has a few addresses and a few names.
const SERVER_NAMES_MAX: usize = 64;

/// The name by which agents recognize a control plane; no address stands in for it.
pub(crate) const CONTROL_PLANE_URI: &str = "dharma://control-plane";

/// What an agent's name begins with, before its id.
pub(crate) const AGENT_URI_PREFIX: &str = "dharma://agent/";

const KEY_FILE: &str = "root.key.pem";
const CERTIFICATE_FILE: &str = "root.pem";

/// The root key with its certificate.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate_der: Vec<u8>,
    pin: Pin,
}

/// A certificate that was given to an agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issued {
    /// The agent's certificate first, then the root, DER.
    pub chain_der: Vec<Vec<u8>>,
    /// Serial number, lower-case hexadecimal.
    pub serial: String,
    /// SHA-256 of the agent's public key.
    pub spki_sha256: [u8; 32],
    /// When it ends.
    pub not_after: SystemTime,
}

impl Authority {
    /// Reads the authority from a directory, or makes it there if nothing of it exists.
    ///
    /// # Errors
    /// [`Error::AuthorityIncomplete`] or [`Error::Damaged`] when only a part is there or usable: nothing is
    /// replaced, because every enrolled agent would be cut off. [`Error::Read`], [`Error::Write`] of the files.
    pub fn load_or_create(directory: &Path, now: SystemTime) -> Result<Self, Error> {
        let (key_path, certificate_path) =
            (directory.join(KEY_FILE), directory.join(CERTIFICATE_FILE));
        match (key_path.exists(), certificate_path.exists()) {
            (true, true) => Self::load(&key_path, &certificate_path),
            (false, false) => Self::create(directory, now),
            // The key is written last: a certificate alone is a first start that was interrupted, and its key never
            // existed on disk. Nobody can have been enrolled with it, but a restored backup without its key looks
            // the same, so a person decides.
            (false, true) => Err(Error::AuthorityIncomplete { missing: key_path }),
            (true, false) => Err(Error::AuthorityIncomplete { missing: certificate_path }),
        }
    }

    fn load(key_path: &Path, certificate_path: &Path) -> Result<Self, Error> {
        let key = AgentKey::load(key_path)?;
        let damaged =
            || Error::Damaged { path: certificate_path.to_owned(), what: "root certificate" };
        let text = files::read(certificate_path)?;
        let mut certificates = crate::certificates_from_pem(&text).ok_or_else(damaged)?;
        let certificate_der = certificates.drain(..).next().ok_or_else(damaged)?;
        let pair = KeyPair::try_from(key.pair().serialized_der())
            .map_err(|error| Error::cryptography("read the root key", error))?;
        let spki = pair.subject_public_key_info();
        if spki_of(&certificate_der).ok_or_else(damaged)? != spki {
            return Err(damaged());
        }
        let issuer = Issuer::from_ca_cert_der(&certificate_der.as_slice().into(), pair)
            .map_err(|_| damaged())?;
        Ok(Self { issuer, certificate_der, pin: Pin::of_spki(&spki) })
    }

    fn create(directory: &Path, now: SystemTime) -> Result<Self, Error> {
        files::create_private_directory(directory)?;
        let key = AgentKey::generate()?;
        let mut parameters = parameters(now, ROOT_LIFE)?;
        parameters.distinguished_name.push(DnType::OrganizationName, "Dharma");
        // The random part tells the roots of two installations apart wherever names are shown.
        parameters
            .distinguished_name
            .push(DnType::CommonName, format!("Dharma root {}", hex(&random::<4>()?)));
        parameters.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        parameters.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let certificate = parameters
            .self_signed(key.pair())
            .map_err(|error| Error::cryptography("sign the root", error))?;
        let certificate_der = certificate.der().to_vec();
        let (key_path, certificate_path) =
            (directory.join(KEY_FILE), directory.join(CERTIFICATE_FILE));
        let pem = crate::certificates_to_pem(std::slice::from_ref(&certificate_der));
        files::write_private(&certificate_path, pem.as_bytes())?;
        key.store(&key_path)?;
        Self::load(&key_path, &certificate_path)
    }

    /// By what agents recognize this authority before they have its certificate.
    #[must_use]
    pub const fn pin(&self) -> Pin {
        self.pin
    }

    /// The root certificate, DER.
    #[must_use]
    pub fn root_der(&self) -> &[u8] {
        &self.certificate_der
    }

    /// The root certificate, PEM.
    #[must_use]
    pub fn root_pem(&self) -> String {
        crate::certificates_to_pem(std::slice::from_ref(&self.certificate_der))
    }

    /// Gives an agent a certificate for the key of its signing request.
    ///
    /// The request's signature proves that the sender holds the key. Every name in it is ignored.
    ///
    /// # Errors
    /// [`Error::SigningRequestTooLong`], [`Error::SigningRequestInvalid`].
    pub fn issue_agent(
        &self,
        csr_der: &[u8],
        agent: model::AgentId,
        now: SystemTime,
        life: Duration,
    ) -> Result<Issued, Error> {
        let request = check_signing_request(csr_der)?;
        let mut parameters = parameters(now, life)?;
        parameters.distinguished_name.push(DnType::CommonName, agent.to_string());
        parameters.subject_alt_names = vec![uri(&format!("{AGENT_URI_PREFIX}{agent}"))?];
        parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        let not_after = SystemTime::from(parameters.not_after);
        let (certificate, serial) = self.sign(parameters, &request.public_key)?;
        Ok(Issued {
            chain_der: vec![certificate.der().to_vec(), self.certificate_der.clone()],
            serial,
            spki_sha256: sha256(&request.public_key.subject_public_key_info()),
            not_after,
        })
    }

    /// Makes a key and a certificate for the control plane itself.
    ///
    /// `names` are host names and addresses for browsers; agents do not look at them.
    ///
    /// # Errors
    /// [`Error::InvalidName`], [`Error::Cryptography`].
    pub fn issue_server(&self, names: &[String], now: SystemTime) -> Result<ServerIdentity, Error> {
        let key = AgentKey::generate()?;
        let (chain, not_after) = self.server_chain(&key, names, now)?;
        ServerIdentity::new(&chain, &key, not_after)
    }

    fn server_chain(
        &self,
        key: &AgentKey,
        names: &[String],
        now: SystemTime,
    ) -> Result<(Vec<Vec<u8>>, SystemTime), Error> {
        let mut parameters = parameters(now, SERVER_LIFE)?;
        parameters.distinguished_name.push(DnType::CommonName, "Dharma control plane");
        parameters.subject_alt_names = vec![uri(CONTROL_PLANE_URI)?];
        for name in names.iter().take(SERVER_NAMES_MAX) {
            parameters.subject_alt_names.push(server_name(name)?);
        }
        parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let not_after = SystemTime::from(parameters.not_after);
        let (certificate, _) = self.sign(parameters, key.pair())?;
        Ok((vec![certificate.der().to_vec(), self.certificate_der.clone()], not_after))
    }

    /// A server's chain for a key that a test holds.
    #[cfg(test)]
    pub(crate) fn server_chain_for_tests(&self, key: &AgentKey, now: SystemTime) -> Vec<Vec<u8>> {
        self.server_chain(key, &[], now).unwrap().0
    }

    fn sign(
        &self,
        mut parameters: CertificateParams,
        key: &impl PublicKeyData,
    ) -> Result<(Certificate, String), Error> {
        // 20 bytes are the most that a serial may have; the first bits are fixed so that it is positive and never
        // shortened, and its text is the same wherever it is read.
        let mut serial = random::<16>()?;
        if let Some(first) = serial.first_mut() {
            *first = 0x40 | (*first & 0x3f);
        }
        parameters.serial_number = Some(SerialNumber::from_slice(&serial));
        parameters.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        parameters.use_authority_key_identifier_extension = true;
        let certificate = parameters
            .signed_by(key, &self.issuer)
            .map_err(|error| Error::cryptography("sign a certificate", error))?;
        Ok((certificate, hex(&serial)))
    }
}

impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authority").field("pin", &self.pin).finish_non_exhaustive()
    }
}

fn check_signing_request(csr_der: &[u8]) -> Result<CertificateSigningRequestParams, Error> {
    if csr_der.len() > SIGNING_REQUEST_BYTES_MAX {
        return Err(Error::SigningRequestTooLong {
            bytes: csr_der.len(),
            limit: SIGNING_REQUEST_BYTES_MAX,
        });
    }
    let invalid = |reason: String| Error::SigningRequestInvalid { reason };
    let request =
        CertificateSigningRequestParams::from_der(&CertificateSigningRequestDer::from(csr_der))
            .map_err(|error| invalid(error.to_string()))?;
    if request.public_key.algorithm() != &PKCS_ECDSA_P256_SHA256 {
        return Err(invalid("its key is no P-256 key".into()));
    }
    Ok(request)
}

fn parameters(now: SystemTime, life: Duration) -> Result<CertificateParams, Error> {
    let begin = now.checked_sub(BACKDATED).ok_or(Error::InvalidTime)?;
    let end = now.checked_add(life).ok_or(Error::InvalidTime)?;
    let mut parameters = CertificateParams::default();
    parameters.not_before = moment(begin)?;
    parameters.not_after = moment(end)?;
    parameters.distinguished_name = DistinguishedName::new();
    Ok(parameters)
}

/// A certificate counts whole seconds between 1970 and 9999.
fn moment(at: SystemTime) -> Result<OffsetDateTime, Error> {
    let since = at.duration_since(SystemTime::UNIX_EPOCH).map_err(|_| Error::InvalidTime)?;
    let seconds = i64::try_from(since.as_secs()).map_err(|_| Error::InvalidTime)?;
    OffsetDateTime::from_unix_timestamp(seconds).map_err(|_| Error::InvalidTime)
}

fn uri(text: &str) -> Result<SanType, Error> {
    let name =
        text.to_owned().try_into().map_err(|_| Error::InvalidName { name: text.to_owned() })?;
    Ok(SanType::URI(name))
}

fn server_name(name: &str) -> Result<SanType, Error> {
    if let Ok(address) = name.parse::<IpAddr>() {
        return Ok(SanType::IpAddress(address));
    }
    let invalid = || Error::InvalidName { name: name.to_owned() };
    rustls_pki_types::DnsName::try_from(name).map_err(|_| invalid())?;
    Ok(SanType::DnsName(name.to_owned().try_into().map_err(|_| invalid())?))
}

/// The subject public key info of a certificate, DER.
fn spki_of(certificate_der: &[u8]) -> Option<Vec<u8>> {
    let certificate = certificate_der.into();
    let parsed = webpki::EndEntityCert::try_from(&certificate).ok()?;
    Some(parsed.subject_public_key_info().to_vec())
}
