//! Certificates as PEM text, the form in which they lie on disk.

use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;

/// Certificates in one file; more than any chain or list of roots has.
const CERTIFICATES_MAX: usize = 16;

/// The certificates as PEM text, in order.
#[must_use]
pub fn certificates_to_pem(certificates: &[Vec<u8>]) -> String {
    use base64::Engine;
    let mut text = String::new();
    for certificate in certificates {
        text.push_str("-----BEGIN CERTIFICATE-----\n");
        let body = base64::engine::general_purpose::STANDARD.encode(certificate);
        for (index, letter) in body.chars().enumerate() {
            if index > 0 && index % 64 == 0 {
                text.push('\n');
            }
            text.push(letter);
        }
        text.push_str("\n-----END CERTIFICATE-----\n");
    }
    text
}

/// The certificates of a PEM text, DER, in order; none when any of them is malformed.
#[must_use]
pub fn certificates_from_pem(text: &[u8]) -> Option<Vec<Vec<u8>>> {
    let certificates: Vec<Vec<u8>> = CertificateDer::pem_slice_iter(text)
        .take(CERTIFICATES_MAX)
        .map(|certificate| certificate.map(|certificate| certificate.to_vec()))
        .collect::<Result<_, _>>()
        .ok()?;
    (!certificates.is_empty()).then_some(certificates)
}
