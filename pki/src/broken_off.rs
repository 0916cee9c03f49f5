//! Clients that ended a TLS handshake because they did not accept the server: from where, and for which reason.
//!
//! A client says its reason by an alert and nothing else; so it is not known which agent it was or by which token it
//! meant to join. Deliberately not here: clients that are silent, speak something else or are refused by the server.

use rustls::AlertDescription;
use std::io;
use std::net::SocketAddr;

/// A client that reached this server and did not accept it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BrokenOff {
    /// From where it came.
    pub address: SocketAddr,
    /// What it gave as its reason.
    pub reason: BreakOffReason,
}

/// Why a client did not accept the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BreakOffReason {
    /// It does not know the authority: it was given the pin of another one.
    UnknownAuthority,
    /// By its clock the server's certificate is not valid yet or no longer.
    Clock,
    /// It does not accept the server's certificate for another reason.
    Certificate,
}

impl BreakOffReason {
    /// The reason as the end of a sentence about the client.
    #[must_use]
    pub const fn in_words(self) -> &'static str {
        match self {
            Self::UnknownAuthority => "it does not know this control plane's authority",
            Self::Clock => "by its clock this control plane's certificate is not valid now",
            Self::Certificate => "it does not accept this control plane's certificate",
        }
    }
}

impl BrokenOff {
    /// What a failed handshake says of the client; nothing when it was not the client that refused the server.
    pub(crate) fn of(address: SocketAddr, error: &io::Error) -> Option<Self> {
        let error = error.get_ref()?.downcast_ref::<rustls::Error>()?;
        let rustls::Error::AlertReceived(alert) = error else { return None };
        let reason = match alert {
            AlertDescription::UnknownCA => BreakOffReason::UnknownAuthority,
            AlertDescription::CertificateExpired => BreakOffReason::Clock,
            AlertDescription::BadCertificate
            | AlertDescription::UnsupportedCertificate
            | AlertDescription::CertificateRevoked
            | AlertDescription::CertificateUnknown
            | AlertDescription::DecryptError => BreakOffReason::Certificate,
            _ => return None,
        };
        Some(Self { address, reason })
    }
}
