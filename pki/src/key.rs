//! The key of an agent: made where it is used, never sent anywhere.

use crate::{Error, files};
use rcgen::{CertificateParams, DistinguishedName, KeyPair, PKCS_ECDSA_P256_SHA256};
use rustls_pki_types::PrivateKeyDer;
use std::fmt;
use std::path::Path;
use std::sync::Arc;
use zeroize::Zeroizing;

/// A P-256 key pair. Its `Debug` output shows nothing of it.
#[derive(Clone)]
pub struct AgentKey {
    pair: Arc<KeyPair>,
}

impl AgentKey {
    /// Makes a new key.
    ///
    /// # Errors
    /// [`Error::Cryptography`] when the operating system gives no random bytes.
    pub fn generate() -> Result<Self, Error> {
        let pair = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)
            .map_err(|error| Error::cryptography("make a key", error))?;
        Ok(Self { pair: Arc::new(pair) })
    }

    /// Reads a key from a PEM file.
    ///
    /// # Errors
    /// [`Error::Read`], [`Error::KeyExposed`] when others may read it, [`Error::Damaged`] when it is no P-256 key.
    pub fn load(path: &Path) -> Result<Self, Error> {
        let damaged = || Error::Damaged { path: path.to_owned(), what: "P-256 private key" };
        let bytes = files::read_secret(path)?;
        let text = std::str::from_utf8(&bytes).map_err(|_| damaged())?;
        let pair = KeyPair::from_pem_and_sign_algo(text, &PKCS_ECDSA_P256_SHA256)
            .map_err(|_| damaged())?;
        Ok(Self { pair: Arc::new(pair) })
    }

    /// Writes the key to a PEM file of mode 0600, whole or not at all.
    ///
    /// # Errors
    /// [`Error::Write`].
    pub fn store(&self, path: &Path) -> Result<(), Error> {
        files::write_private(path, Zeroizing::new(self.pair.serialize_pem()).as_bytes())
    }

    /// A signing request (PKCS#10, DER) for this key. It carries no name: the control plane gives names.
    ///
    /// # Errors
    /// [`Error::Cryptography`].
    pub fn csr_der(&self) -> Result<Vec<u8>, Error> {
        let mut parameters = CertificateParams::default();
        parameters.distinguished_name = DistinguishedName::new();
        let request = parameters
            .serialize_request(self.pair.as_ref())
            .map_err(|error| Error::cryptography("make a signing request", error))?;
        Ok(request.der().to_vec())
    }

    /// The SHA-256 of the public key, by which the control plane knows it.
    #[must_use]
    pub fn spki_sha256(&self) -> [u8; 32] {
        use rcgen::PublicKeyData;
        crate::sha256(&self.pair.subject_public_key_info())
    }

    pub(crate) fn pair(&self) -> &KeyPair {
        &self.pair
    }

    pub(crate) fn private_der(&self) -> PrivateKeyDer<'static> {
        PrivateKeyDer::Pkcs8(self.pair.serialize_der().into())
    }
}

impl fmt::Debug for AgentKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AgentKey(…)")
    }
}
