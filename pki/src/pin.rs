//! The pin: by what an agent recognizes the authority before it has any certificate of it.
//!
//! A pin is the SHA-256 of the root's public key (its subject public key info), not of the certificate, so that a
//! root that is issued anew for the same key keeps it. A join token carries the first 16 bytes only; finding
//! another key for them is as hard as guessing the token's 128-bit secret.

use crate::digest::{hex, sha256};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use std::fmt;
use std::str::FromStr;

/// Bytes of a pin in a join token.
pub(crate) const SHORT_BYTES: usize = 16;

/// The SHA-256 of an authority's public key, whole or its first 16 bytes.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Pin {
    digest: [u8; 32],
    is_short: bool,
}

/// A text that is no pin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a pin: it is `sha256:` and 64 hexadecimal digits, as the control plane shows it")]
pub struct InvalidPin;

impl Pin {
    /// The pin of a subject public key info, DER.
    #[must_use]
    pub fn of_spki(spki_der: &[u8]) -> Self {
        Self { digest: sha256(spki_der), is_short: false }
    }

    /// The pin of these first bytes of the digest.
    #[must_use]
    pub(crate) fn from_short(bytes: [u8; SHORT_BYTES]) -> Self {
        let mut digest = [0; 32];
        for (to, from) in digest.iter_mut().zip(bytes) {
            *to = from;
        }
        Self { digest, is_short: true }
    }

    /// The first bytes, as a join token carries them.
    #[must_use]
    pub fn short(&self) -> Self {
        let mut bytes = [0; SHORT_BYTES];
        for (to, from) in bytes.iter_mut().zip(self.digest) {
            *to = from;
        }
        Self::from_short(bytes)
    }

    /// The short form as text.
    #[must_use]
    pub fn short_text(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.short().known())
    }

    /// Whether a public key (subject public key info, DER) is the pinned one.
    #[must_use]
    pub fn matches(&self, spki_der: &[u8]) -> bool {
        sha256(spki_der).starts_with(self.known())
    }

    fn known(&self) -> &[u8] {
        let known = if self.is_short { SHORT_BYTES } else { self.digest.len() };
        self.digest.get(..known).unwrap_or(&self.digest)
    }
}

impl fmt::Display for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sha256:{}{}", hex(self.known()), if self.is_short { "…" } else { "" })
    }
}

impl fmt::Debug for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pin({self})")
    }
}

impl FromStr for Pin {
    type Err = InvalidPin;

    fn from_str(text: &str) -> Result<Self, InvalidPin> {
        let digits = text.strip_prefix("sha256:").ok_or(InvalidPin)?;
        if digits.len() != 64 || !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return Err(InvalidPin);
        }
        let mut digest = [0; 32];
        for (index, byte) in digest.iter_mut().enumerate() {
            let pair = digits.get(index * 2..index * 2 + 2).ok_or(InvalidPin)?;
            *byte = u8::from_str_radix(pair, 16).map_err(|_| InvalidPin)?;
        }
        Ok(Self { digest, is_short: false })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_of_another_form_is_no_pin() {
        for text in
            ["", "sha256:", "sha256:zz", &format!("md5:{}", "0".repeat(64)), &"ä".repeat(32)]
        {
            assert_eq!(text.parse::<Pin>(), Err(InvalidPin), "{text}");
        }
        assert_eq!(format!("sha256:{}é", "0".repeat(62)).parse::<Pin>(), Err(InvalidPin));
    }

    #[test]
    fn a_pin_reads_back_from_its_text() {
        let pin = Pin::of_spki(b"key");
        assert_eq!(pin.to_string().parse::<Pin>(), Ok(pin));
    }

    #[test]
    fn the_short_form_matches_the_same_key_and_no_other() {
        let short = Pin::of_spki(b"key").short();
        assert!(short.matches(b"key"));
        assert!(!short.matches(b"another key"));
    }
}
