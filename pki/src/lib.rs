//! The authority of an installation: its root, the certificates it gives, the tokens it hands out, and TLS between
//! agents and the control plane.
//!
//! Invariants: TLS 1.3 only, one cryptographic provider (ring), P-256 keys only. A private key or a token's secret
//! appears in no log, error or `Debug` output. A client that misbehaves never ends a listener. An agent sends
//! nothing before it has recognized the control plane.
//!
//! Only this crate names rustls, rcgen and webpki. It deliberately does not decide who may do what: it says who a
//! peer is ([`Peer`]), and whether that peer is revoked is the control plane's to know.

mod authority;
mod broken_off;
mod client;
mod digest;
mod error;
mod files;
mod key;
mod life;
mod pem;
mod pin;
mod random;
mod server;
mod server_identity;
#[cfg(test)]
mod tests;
pub mod token;
mod verify;

pub use authority::{Authority, Issued, SIGNING_REQUEST_BYTES_MAX};
pub use broken_off::{BreakOffReason, BrokenOff};
pub use client::{
    ClientStream, ConnectError, Connector, connector_mutual, connector_pinned, refusal_of,
};
pub use digest::sha256;
pub use error::Error;
pub use key::AgentKey;
pub use life::{InvalidLife, life_from};
pub use pem::{certificates_from_pem, certificates_to_pem};
pub use pin::{InvalidPin, Pin};
pub use server::{AcceptLimits, Acceptor, Peer, TlsStream, serve_mutual, serve_plain_tls};
pub use server_identity::{ServerIdentity, ServerIdentitySource};
pub use verify::certificate_validity;
