//! Decoding certificates: PEM or DER in, the facts out.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use model::Timestamp;
use sha2::{Digest, Sha256};
use std::fmt::Write;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};
use x509_parser::public_key::PublicKey;

/// The largest certificate that is parsed; those with hundreds of names have some tens of kilobytes.
const CERTIFICATE_BYTES_MAX: usize = 256 * 1024;

/// The most alternative names that are kept.
const NAMES_MAX: usize = 500;

/// Longest text of a name that is kept.
const TEXT_LENGTH_MAX: usize = 1024;

/// What is told of a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Certificate {
    pub(super) fingerprint: String,
    pub(super) subject: String,
    pub(super) issuer: String,
    pub(super) serial_number: String,
    pub(super) alternative_names: Vec<String>,
    pub(super) not_before: Timestamp,
    pub(super) not_after: Timestamp,
    pub(super) key_algorithm: String,
    pub(super) signature_algorithm: String,
    pub(super) key_usages: Vec<String>,
    pub(super) is_authority: bool,
    pub(super) is_self_signed: bool,
}

/// The certificates in a file, as DER, at most `limit`.
pub(super) fn decoded(bytes: &[u8], limit: usize) -> Vec<Vec<u8>> {
    // DER begins with a sequence of a length of two bytes or more.
    if bytes.starts_with(&[0x30]) && bytes.len() <= CERTIFICATE_BYTES_MAX {
        return vec![bytes.to_vec()];
    }
    let text = String::from_utf8_lossy(bytes);
    let mut found = Vec::new();
    let mut rest = &*text;
    // Each step goes behind one more beginning.
    while let Some((label, body, after)) = next_block(rest) {
        if found.len() >= limit {
            break;
        }
        if label == "CERTIFICATE" || label == "TRUSTED CERTIFICATE" || label == "X509 CERTIFICATE" {
            let digits: String = body.chars().filter(|letter| !letter.is_whitespace()).collect();
            if digits.len() <= CERTIFICATE_BYTES_MAX {
                // What cannot be decoded is told as no certificate later.
                found.push(STANDARD.decode(digits).unwrap_or_default());
            }
        }
        rest = after;
    }
    found
}

/// The next PEM block (RFC 7468): label, body, what follows.
fn next_block(text: &str) -> Option<(&str, &str, &str)> {
    let (_, rest) = text.split_once("-----BEGIN ")?;
    let (label, rest) = rest.split_once("-----")?;
    let (body, rest) = rest.split_once("-----END ")?;
    Some((label, body, rest))
}

/// The facts of a certificate; `None` when it is none.
pub(super) fn parse(der: &[u8]) -> Option<Certificate> {
    if der.len() > CERTIFICATE_BYTES_MAX {
        return None;
    }
    let (rest, certificate) = X509Certificate::from_der(der).ok()?;
    // A trusted certificate of OpenSSL has more behind it, which is not part of the fingerprint.
    let own = der.get(..der.len() - rest.len())?;
    let mut fingerprint = String::with_capacity(64);
    for byte in Sha256::digest(own) {
        // Writing into a string cannot fail.
        write!(fingerprint, "{byte:02x}").unwrap_or_default();
    }
    let text = |text: String| crate::redact::cut(&text, TEXT_LENGTH_MAX).to_owned();
    let validity = certificate.validity();
    Some(Certificate {
        fingerprint,
        subject: text(certificate.subject().to_string()),
        issuer: text(certificate.issuer().to_string()),
        serial_number: text(certificate.raw_serial_as_string().replace(':', "")),
        alternative_names: alternative_names(&certificate),
        not_before: Timestamp::from_seconds(validity.not_before.timestamp()),
        not_after: Timestamp::from_seconds(validity.not_after.timestamp()),
        key_algorithm: key_algorithm(&certificate),
        signature_algorithm: algorithm(&certificate.signature_algorithm.algorithm.to_id_string()),
        key_usages: key_usages(&certificate),
        is_authority: certificate.is_ca(),
        is_self_signed: certificate.subject() == certificate.issuer(),
    })
}

fn alternative_names(certificate: &X509Certificate<'_>) -> Vec<String> {
    let Ok(Some(extension)) = certificate.subject_alternative_name() else { return Vec::new() };
    let names = extension.value.general_names.iter().take(NAMES_MAX);
    names
        .map(|name| match name {
            GeneralName::DNSName(name) | GeneralName::RFC822Name(name) | GeneralName::URI(name) => {
                crate::redact::cut(name, TEXT_LENGTH_MAX).to_owned()
            }
            GeneralName::IPAddress(bytes) => address(bytes),
            other => crate::redact::cut(&other.to_string(), TEXT_LENGTH_MAX).to_owned(),
        })
        .collect()
}

fn address(bytes: &[u8]) -> String {
    if let Ok(four) = <[u8; 4]>::try_from(bytes) {
        return std::net::Ipv4Addr::from(four).to_string();
    }
    match <[u8; 16]>::try_from(bytes) {
        Ok(sixteen) => std::net::Ipv6Addr::from(sixteen).to_string(),
        Err(_) => "malformed address".to_owned(),
    }
}

fn key_algorithm(certificate: &X509Certificate<'_>) -> String {
    let key = certificate.public_key();
    match key.parsed() {
        Ok(PublicKey::RSA(rsa)) => format!("RSA {}", rsa.key_size()),
        Ok(PublicKey::EC(_)) => {
            let curve = key.algorithm.parameters.as_ref().and_then(|any| any.as_oid().ok());
            match curve.map(|oid| oid.to_id_string()).as_deref() {
                Some("1.2.840.10045.3.1.7") => "EC P-256".to_owned(),
                Some("1.3.132.0.34") => "EC P-384".to_owned(),
                Some("1.3.132.0.35") => "EC P-521".to_owned(),
                Some("1.3.132.0.10") => "EC secp256k1".to_owned(),
                Some(other) => format!("EC {other}"),
                None => "EC".to_owned(),
            }
        }
        Ok(PublicKey::DSA(_)) => "DSA".to_owned(),
        _ => algorithm(&key.algorithm.algorithm.to_id_string()),
    }
}

/// What a person calls an algorithm.
fn algorithm(oid: &str) -> String {
    const NAMES: &[(&str, &str)] = &[
        ("1.2.840.113549.1.1.4", "md5WithRSA"),
        ("1.2.840.113549.1.1.5", "sha1WithRSA"),
        ("1.2.840.113549.1.1.10", "RSASSA-PSS"),
        ("1.2.840.113549.1.1.11", "sha256WithRSA"),
        ("1.2.840.113549.1.1.12", "sha384WithRSA"),
        ("1.2.840.113549.1.1.13", "sha512WithRSA"),
        ("1.2.840.10045.4.1", "ecdsaWithSHA1"),
        ("1.2.840.10045.4.3.2", "ecdsaWithSHA256"),
        ("1.2.840.10045.4.3.3", "ecdsaWithSHA384"),
        ("1.2.840.10045.4.3.4", "ecdsaWithSHA512"),
        ("1.3.101.112", "Ed25519"),
        ("1.3.101.113", "Ed448"),
    ];
    let known = NAMES.iter().find(|(number, _)| *number == oid);
    known.map_or_else(|| oid.to_owned(), |(_, name)| (*name).to_owned())
}

fn key_usages(certificate: &X509Certificate<'_>) -> Vec<String> {
    let mut usages = Vec::new();
    if let Ok(Some(usage)) = certificate.key_usage() {
        let text = usage.value.to_string();
        usages.extend(text.split(", ").filter(|usage| !usage.is_empty()).map(str::to_owned));
    }
    if let Ok(Some(usage)) = certificate.extended_key_usage() {
        let usage = usage.value;
        for (is_set, name) in [
            (usage.any, "Any"),
            (usage.server_auth, "Server Authentication"),
            (usage.client_auth, "Client Authentication"),
            (usage.code_signing, "Code Signing"),
            (usage.email_protection, "Email Protection"),
            (usage.time_stamping, "Time Stamping"),
            (usage.ocsp_signing, "OCSP Signing"),
        ] {
            if is_set {
                usages.push(name.to_owned());
            }
        }
    }
    usages
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Made for this test by `openssl req -x509 -newkey ec`; its key was thrown away.
    pub(in super::super) const PEM: &str = include_str!("testdata/example.pem");

    #[test]
    fn a_certificate_is_read() {
        let der = decoded(PEM.as_bytes(), 9);
        let certificate = parse(&der[0]).unwrap();
        assert_eq!(certificate.subject, "O=Example, CN=web.example.org");
        assert_eq!(certificate.alternative_names, ["web.example.org", "192.0.2.7", "2001:db8::7"]);
        assert_eq!(certificate.key_algorithm, "EC P-256");
        assert_eq!(certificate.signature_algorithm, "ecdsaWithSHA256");
        assert!(certificate.is_self_signed);
        assert_eq!(certificate.fingerprint.len(), 64);
        assert!(certificate.not_before < certificate.not_after);
        assert!(certificate.key_usages.contains(&"Server Authentication".to_owned()));
    }

    #[test]
    fn a_key_beside_a_certificate_is_not_taken() {
        let text =
            format!("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n{PEM}{PEM}");
        assert_eq!(decoded(text.as_bytes(), 9).len(), 2);
        assert_eq!(decoded(text.as_bytes(), 1).len(), 1);
        assert_eq!(parse(b""), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_parsed_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            decoded(&bytes, 9);
            parse(&bytes);
        }

        #[test]
        fn a_damaged_certificate_is_parsed_without_panic(place in 0_usize..400, byte in any::<u8>()) {
            let mut der = decoded(PEM.as_bytes(), 1).remove(0);
            if let Some(there) = der.get_mut(place) {
                *there = byte;
            }
            parse(&der);
        }
    }
}
