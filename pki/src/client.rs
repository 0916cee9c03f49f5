//! The agent's side: connections to a control plane that is recognized before anything is sent.
//!
//! A [`Connector`] is a tower service that tonic takes with `Endpoint::connect_with_connector`. The endpoint's
//! address is written `http://host:port`: encryption is the connector's, tonic must not add its own.

use crate::key::AgentKey;
use crate::verify::{ClockTime, ControlPlaneVerifier, PROVIDER};
use crate::{Error, Pin};
use environment::SystemClock;
use http::Uri;
use hyper_util::rt::TokioIo;
use rustls::client::Resumption;
use rustls::client::danger::ServerCertVerifier;
use rustls::{AlertDescription, CertificateError, ClientConfig};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use std::future::Future;
use std::io;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// How long finding, reaching and recognizing a control plane may take together.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(20);

/// Bytes of one outgoing TLS record; a batch is a hundred times larger, and the buffer is one record.
const RECORD_BYTES_MAX: usize = 16 * 1024;

/// An encrypted connection to a control plane, as hyper and tonic take it.
pub type ClientStream = TokioIo<tokio_rustls::client::TlsStream<TcpStream>>;

/// Why a control plane could not be reached or was not recognized.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The address has no host or no port.
    #[error("`{address}` is no address of a control plane: write host:port")]
    InvalidAddress {
        /// What was given.
        address: String,
    },
    /// No connection, or it broke off during the handshake.
    #[error(
        "cannot connect to {address}: check that the control plane runs there and that no firewall is between"
    )]
    Unreachable {
        /// Where to.
        address: String,
        /// What the operating system said.
        source: io::Error,
    },
    /// Nothing answered in time.
    #[error("{address} did not answer within {} s: check the address and the firewalls on the way", .after.as_secs())]
    TimedOut {
        /// Where to.
        address: String,
        /// The limit.
        after: Duration,
    },
    /// The control plane's authority is not the pinned one. Nothing was sent.
    #[error(
        "the control plane at {address} is not the one that the token was made by (its authority does not match {pin}): make a new token there, or find out what intercepts the connection; the token was not sent"
    )]
    WrongPin {
        /// Where to.
        address: String,
        /// What was expected.
        pin: Pin,
    },
    /// The certificate is not of the authority that this agent was enrolled with. Nothing was sent.
    #[error(
        "{address} shows a certificate of another authority than the one this agent is enrolled with: check the address, or enroll the agent anew"
    )]
    UnknownAuthority {
        /// Where to.
        address: String,
    },
    /// The certificate is of the right authority but not a control plane's. Nothing was sent.
    #[error("{address} is no control plane: its certificate was given for something else")]
    NotAControlPlane {
        /// Where to.
        address: String,
    },
    /// By the clock of this host the certificate is not valid.
    #[error(
        "by the clock of this host the certificate of {address} is not valid ({reason}): set the clock of this host or of the control plane"
    )]
    Clock {
        /// Where to.
        address: String,
        /// Which end of its life, and what the clock says.
        reason: String,
    },
    /// The other side said no.
    #[error("{address} refused the connection: {reason}")]
    Refused {
        /// Where to.
        address: String,
        /// Why, and what to do.
        reason: &'static str,
    },
    /// Any other failure of the handshake.
    #[error("{address} does not speak TLS 1.3 as a control plane does")]
    Handshake {
        /// Where to.
        address: String,
        /// What the library said.
        source: io::Error,
    },
}

/// Connects to control planes that it recognizes.
#[derive(Clone)]
pub struct Connector {
    config: Arc<ClientConfig>,
    pin: Option<Pin>,
    timeout: Duration,
}

/// A connector for enrollment: it accepts exactly the control plane whose root has the pinned key.
///
/// # Errors
/// [`Error::Cryptography`] when TLS cannot be set up.
pub fn connector_pinned(pin: Pin) -> Result<Connector, Error> {
    let config = config(ControlPlaneVerifier::pinned(pin), None)?;
    Ok(Connector { config: Arc::new(config), pin: Some(pin), timeout: CONNECT_TIMEOUT })
}

/// A connector for enrolled agents: it accepts control planes of these roots and shows the agent's certificate.
///
/// # Errors
/// [`Error::Cryptography`] when roots, chain or key are unusable.
pub fn connector_mutual(
    roots_der: &[Vec<u8>],
    chain_der: &[Vec<u8>],
    key: &AgentKey,
) -> Result<Connector, Error> {
    // The control plane has the roots; sending them would cost it memory for each connection.
    let chain: Vec<CertificateDer<'static>> = chain_der
        .iter()
        .filter(|certificate| !roots_der.contains(certificate))
        .map(|certificate| CertificateDer::from(certificate.clone()))
        .collect();
    let config = config(ControlPlaneVerifier::rooted(roots_der)?, Some((chain, key)))?;
    Ok(Connector { config: Arc::new(config), pin: None, timeout: CONNECT_TIMEOUT })
}

fn config(
    verifier: ControlPlaneVerifier,
    identity: Option<(Vec<CertificateDer<'static>>, &AgentKey)>,
) -> Result<ClientConfig, Error> {
    let verifier: Arc<dyn ServerCertVerifier> = Arc::new(verifier);
    let time = Arc::new(ClockTime(Arc::new(SystemClock)));
    let builder = ClientConfig::builder_with_details(Arc::clone(&PROVIDER), time)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(|error| Error::cryptography("set up TLS 1.3", error))?
        .dangerous()
        .with_custom_certificate_verifier(verifier);
    let mut config = match identity {
        None => builder.with_no_client_auth(),
        Some((chain, key)) => builder
            .with_client_auth_cert(chain, key.private_der())
            .map_err(|error| Error::cryptography("use the agent's certificate", error))?,
    };
    config.alpn_protocols = vec![b"h2".to_vec()];
    config.resumption = Resumption::disabled();
    config.enable_sni = false;
    config.max_fragment_size = Some(RECORD_BYTES_MAX);
    Ok(config)
}

impl Connector {
    /// The same connector with another time limit.
    #[must_use]
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Connects to `host:port`.
    ///
    /// # Errors
    /// [`ConnectError`]; nothing but the handshake was sent then.
    pub async fn connect(&self, host: &str, port: u16) -> Result<ClientStream, ConnectError> {
        let address =
            if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") };
        let work = async {
            let tcp = TcpStream::connect((host, port)).await;
            let tcp = tcp.and_then(|tcp| tcp.set_nodelay(true).map(|()| tcp));
            let tcp = tcp
                .map_err(|source| ConnectError::Unreachable { address: address.clone(), source })?;
            TlsConnector::from(Arc::clone(&self.config))
                .connect(unused_name(), tcp)
                .await
                .map_err(|error| self.handshake_error(address.clone(), error))
        };
        match tokio::time::timeout(self.timeout, work).await {
            Ok(connected) => connected.map(TokioIo::new),
            Err(_elapsed) => {
                Err(ConnectError::TimedOut { address: address.clone(), after: self.timeout })
            }
        }
    }

    fn handshake_error(&self, address: String, error: io::Error) -> ConnectError {
        let Some(tls) = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>())
        else {
            return ConnectError::Unreachable { address, source: error };
        };
        match tls {
            rustls::Error::InvalidCertificate(
                CertificateError::UnknownIssuer | CertificateError::BadSignature,
            ) => match self.pin {
                Some(pin) => ConnectError::WrongPin { address, pin },
                None => ConnectError::UnknownAuthority { address },
            },
            rustls::Error::InvalidCertificate(
                CertificateError::InvalidPurpose | CertificateError::NotValidForName,
            ) => ConnectError::NotAControlPlane { address },
            rustls::Error::InvalidCertificate(CertificateError::ExpiredContext {
                time,
                not_after,
            }) => {
                let reason = format!("it ended {} s ago", seconds_between(*not_after, *time));
                ConnectError::Clock { address, reason }
            }
            rustls::Error::InvalidCertificate(CertificateError::NotValidYetContext {
                time,
                not_before,
            }) => {
                let reason = format!("it begins in {} s", seconds_between(*time, *not_before));
                ConnectError::Clock { address, reason }
            }
            rustls::Error::AlertReceived(alert) => {
                ConnectError::Refused { address, reason: alert_reason(*alert) }
            }
            _ => ConnectError::Handshake { address, source: error },
        }
    }
}

fn seconds_between(earlier: UnixTime, later: UnixTime) -> u64 {
    later.as_secs().saturating_sub(earlier.as_secs())
}

/// rustls wants a name to compare; the control plane is recognized by its authority and purpose instead.
fn unused_name() -> ServerName<'static> {
    ServerName::from(std::net::IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED))
}

/// Why the other side ended an established connection, if it said so by a TLS alert.
///
/// In TLS 1.3 a server looks at the client's certificate after the client is ready to send, so a refusal arrives as
/// an error of the first exchange. `error` is that error; its chain of sources is searched.
#[must_use]
pub fn refusal_of(error: &(dyn std::error::Error + 'static)) -> Option<&'static str> {
    /// Errors of hyper, h2 and tonic lie four deep; the limit guards against a chain that bites its tail.
    const DEPTH_MAX: usize = 16;
    let mut current = Some(error);
    for _ in 0..DEPTH_MAX {
        let error = current?;
        let inner = error
            .downcast_ref::<io::Error>()
            .and_then(io::Error::get_ref)
            .and_then(|inner| inner.downcast_ref::<rustls::Error>())
            .or_else(|| error.downcast_ref::<rustls::Error>());
        if let Some(rustls::Error::AlertReceived(alert)) = inner {
            return Some(alert_reason(*alert));
        }
        current = error.source();
    }
    None
}

const fn alert_reason(alert: AlertDescription) -> &'static str {
    match alert {
        AlertDescription::CertificateRequired => "it wants a certificate: enroll this agent first",
        AlertDescription::UnknownCA => {
            "it does not know the authority of this agent's certificate: enroll the agent anew"
        }
        AlertDescription::CertificateExpired => {
            "this agent's certificate has expired: enroll the agent anew"
        }
        AlertDescription::ProtocolVersion => "it does not speak TLS 1.3: check the address",
        AlertDescription::NoApplicationProtocol => "it is another service: check the port",
        AlertDescription::BadCertificate
        | AlertDescription::UnsupportedCertificate
        | AlertDescription::CertificateUnknown
        | AlertDescription::DecryptError
        | AlertDescription::AccessDenied => {
            "it does not accept this agent's certificate: enroll the agent anew"
        }
        _ => "the reason was not given: its log has it",
    }
}

impl tower::Service<Uri> for Connector {
    type Response = ClientStream;
    type Error = ConnectError;
    type Future =
        std::pin::Pin<Box<dyn Future<Output = Result<ClientStream, ConnectError>> + Send>>;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<Result<(), ConnectError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let connector = self.clone();
        Box::pin(async move {
            let host = uri.host().map(|host| host.trim_start_matches('[').trim_end_matches(']'));
            match (host, uri.port_u16()) {
                (Some(host), Some(port)) => connector.connect(host, port).await,
                _ => Err(ConnectError::InvalidAddress { address: uri.to_string() }),
            }
        })
    }
}

impl std::fmt::Debug for Connector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connector")
            .field("pin", &self.pin)
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}
