//! What can go wrong with keys, certificates and the files that hold them.

use std::path::PathBuf;

/// Why a key or certificate could not be made, read or accepted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file could not be read.
    #[error("cannot read `{path}`")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// A file could not be written.
    #[error("cannot write `{path}`")]
    Write {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// A private key can be read by others than its owner.
    #[error(
        "the private key `{path}` can be read by other users (mode {mode:03o}): run `chmod 600` on it, and make a new key if others had access"
    )]
    KeyExposed {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// A file holds no key or certificate.
    #[error("`{path}` holds no usable {what}: restore it from a backup")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What should stand there.
        what: &'static str,
    },
    /// Only one half of the authority is there. A new one would cut off every enrolled agent, so none is made.
    #[error(
        "the authority is incomplete, `{missing}` is missing: restore it from a backup, or move the whole directory away to start anew (every agent must then enroll again)"
    )]
    AuthorityIncomplete {
        /// The file that is not there.
        missing: PathBuf,
    },
    /// A signing request is longer than any honest one.
    #[error("the signing request has {bytes} bytes, at most {limit} are accepted")]
    SigningRequestTooLong {
        /// Its length.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// A signing request is malformed, or whoever sent it does not hold the key.
    #[error("the signing request is not acceptable: {reason}")]
    SigningRequestInvalid {
        /// What is wrong with it.
        reason: String,
    },
    /// A name cannot stand in a certificate.
    #[error("`{name}` cannot stand in a certificate: give a host name or an address")]
    InvalidName {
        /// The name.
        name: String,
    },
    /// A point in time lies outside of what a certificate can say.
    #[error("the time of this machine cannot stand in a certificate: set its clock")]
    InvalidTime,
    /// The cryptographic library refused.
    #[error("cannot {operation}: {reason}")]
    Cryptography {
        /// What was tried.
        operation: &'static str,
        /// What the library said.
        reason: String,
    },
}

impl Error {
    /// A failure of the cryptographic library during an operation.
    pub(crate) fn cryptography(operation: &'static str, reason: impl ToString) -> Self {
        Self::Cryptography { operation, reason: reason.to_string() }
    }
}
