//! The facts of a certificate that a server showed.

use model::Timestamp;
use sha2::{Digest, Sha256};
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};
use x509_parser::public_key::PublicKey;

/// The most alternative names that are kept; a shared server's certificate has a hundred.
const NAMES_MAX: usize = 200;

/// The longest text that is kept.
const TEXT_LENGTH_MAX: usize = 512;

/// What is told of a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Certificate {
    pub(crate) fingerprint: String,
    /// SHA-256 of the subject's public key with its algorithm, hexadecimal.
    pub(crate) key: String,
    pub(crate) subject: String,
    pub(crate) issuer: String,
    pub(crate) serial_number: String,
    pub(crate) names: Vec<String>,
    pub(crate) not_before: Timestamp,
    pub(crate) not_after: Timestamp,
    pub(crate) key_algorithm: String,
    pub(crate) is_self_signed: bool,
}

/// SHA-256, hexadecimal.
pub(crate) fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The facts of a certificate; `None` when it is none.
pub(crate) fn parse(der: &[u8]) -> Option<Certificate> {
    let (_, certificate) = X509Certificate::from_der(der).ok()?;
    let text = |text: &str| crate::text::printable(text.as_bytes(), TEXT_LENGTH_MAX);
    let validity = certificate.validity();
    let mut names = Vec::new();
    if let Ok(Some(extension)) = certificate.subject_alternative_name() {
        names.extend(extension.value.general_names.iter().take(NAMES_MAX).filter_map(|name| {
            match name {
                GeneralName::DNSName(name) => Some(text(name)),
                GeneralName::IPAddress(bytes) => address(bytes),
                _ => None,
            }
        }));
    }
    Some(Certificate {
        fingerprint: digest(der),
        key: digest(certificate.public_key().raw),
        subject: text(&certificate.subject().to_string()),
        issuer: text(&certificate.issuer().to_string()),
        serial_number: text(&certificate.raw_serial_as_string().replace(':', "")),
        names,
        not_before: Timestamp::from_seconds(validity.not_before.timestamp()),
        not_after: Timestamp::from_seconds(validity.not_after.timestamp()),
        key_algorithm: key_algorithm(&certificate),
        is_self_signed: certificate.subject() == certificate.issuer(),
    })
}

fn key_algorithm(certificate: &X509Certificate<'_>) -> String {
    let key = certificate.public_key();
    match key.parsed() {
        Ok(PublicKey::RSA(rsa)) => format!("RSA {}", rsa.key_size()),
        Ok(PublicKey::EC(point)) => format!("EC {}", point.key_size()),
        Ok(PublicKey::DSA(_)) => "DSA".to_owned(),
        _ => match key.algorithm.algorithm.to_id_string().as_str() {
            "1.3.101.112" => "Ed25519".to_owned(),
            "1.3.101.113" => "Ed448".to_owned(),
            other => other.to_owned(),
        },
    }
}

fn address(bytes: &[u8]) -> Option<String> {
    if let Ok(four) = <[u8; 4]>::try_from(bytes) {
        return Some(std::net::Ipv4Addr::from(four).to_string());
    }
    Some(std::net::Ipv6Addr::from(<[u8; 16]>::try_from(bytes).ok()?).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::Engine;
    use proptest::prelude::*;

    /// Made for this test by `openssl req -x509 -newkey ec`; its key was thrown away.
    const PEM: &str = include_str!("testdata/example.pem");

    fn der() -> Vec<u8> {
        let body: String = PEM.lines().filter(|line| !line.starts_with('-')).collect();
        base64::engine::general_purpose::STANDARD.decode(body).unwrap()
    }

    #[test]
    fn a_certificate_is_read() {
        let found = parse(&der()).unwrap();
        assert_eq!(found.subject, "O=Example, CN=web.example.org");
        assert_eq!(found.names, ["web.example.org", "192.0.2.7", "2001:db8::7"]);
        assert!(found.is_self_signed && found.not_before < found.not_after);
        assert_eq!((found.fingerprint.len(), found.key.len()), (64, 64));
        assert_ne!(found.fingerprint, found.key);
    }

    proptest! {
        #[test]
        fn a_damaged_certificate_is_read_or_refused(place in 0_usize..500, byte in any::<u8>()) {
            let mut der = der();
            if let Some(there) = der.get_mut(place) {
                *there = byte;
            }
            parse(&der);
        }

        #[test]
        fn any_bytes_are_no_certificate_or_one(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            parse(&bytes);
        }
    }
}
