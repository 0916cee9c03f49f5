//! Tokens: the one-time secret by which an agent joins, and the secrets by which people and services call the API.
//!
//! A join token is `dj_<id>.<secret>.<pin>.<checksum>`, an access token `dh_pat_<id>.<secret>.<checksum>` or
//! `dh_svc_…`. The id is the token's name in 32 hexadecimal digits, the rest is base64url without padding. The
//! checksum (CRC-32C of all before its dot) finds a token that was cut or mistyped before anything is sent.
//!
//! The secret is 128 random bits, so its plain SHA-256 at rest cannot be searched; nothing slower is needed.
//! Deliberately not here: life, use count and scope; they lie with the hash in the store.

use crate::pin::SHORT_BYTES;
use crate::random::random;
use crate::{Error, Pin, sha256};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use model::TokenId;
use std::fmt;
use std::str::FromStr;
use subtle::ConstantTimeEq;
use zeroize::Zeroize;

/// Bytes of a token's secret.
const SECRET_BYTES: usize = 16;

/// Bytes of a token's text; the longest form has under 100.
pub const TOKEN_BYTES_MAX: usize = 128;

const JOIN_PREFIX: &str = "dj_";

/// Why a text is no token. No variant repeats any of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TokenError {
    /// It does not begin as the expected kind does.
    #[error("this is no {expected} token: it begins with {prefix}")]
    WrongKind {
        /// What was expected.
        expected: &'static str,
        /// How that begins.
        prefix: &'static str,
    },
    /// A part is missing, too much, or of the wrong form.
    #[error("the token is malformed: copy it again, whole and without line breaks")]
    Malformed,
    /// The checksum does not agree with the rest.
    #[error("the token was cut or mistyped: its checksum is wrong; copy it again")]
    WrongChecksum,
}

/// 128 secret bits, wiped from memory when dropped.
#[derive(Clone)]
struct Secret([u8; SECRET_BYTES]);

impl Drop for Secret {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

/// The SHA-256 of a token's secret, as it is stored.
#[must_use]
pub fn hash_secret(secret: &[u8]) -> [u8; 32] {
    sha256(secret)
}

/// Compares two hashes in a time that does not depend on where they differ.
#[must_use]
pub fn hashes_equal(one: &[u8; 32], other: &[u8; 32]) -> bool {
    one.ct_eq(other).into()
}

/// The secret by which agents join, with the pin of the control plane that made it.
#[derive(Clone)]
pub struct JoinToken {
    id: TokenId,
    secret: Secret,
    pin: Pin,
}

impl JoinToken {
    /// A token of that name with a new secret.
    ///
    /// # Errors
    /// [`Error::Cryptography`] when there are no random bytes.
    pub fn generate(id: TokenId, pin: &Pin) -> Result<Self, Error> {
        Ok(Self { id, secret: Secret(random()?), pin: pin.short() })
    }

    /// Reads a token.
    ///
    /// # Errors
    /// [`TokenError`].
    pub fn parse(text: &str) -> Result<Self, TokenError> {
        let wrong = TokenError::WrongKind { expected: "join", prefix: JOIN_PREFIX };
        let [id, secret, pin] = parts(text, JOIN_PREFIX, wrong)?;
        Ok(Self {
            id: id_of(id)?,
            secret: Secret(decode(secret)?),
            pin: Pin::from_short(decode::<SHORT_BYTES>(pin)?),
        })
    }

    /// The token's name.
    #[must_use]
    pub const fn id(&self) -> TokenId {
        self.id
    }

    /// By what the agent recognizes the control plane.
    #[must_use]
    pub const fn pin(&self) -> Pin {
        self.pin
    }

    /// The hash of its secret, as it is stored and compared.
    #[must_use]
    pub fn secret_hash(&self) -> [u8; 32] {
        hash_secret(&self.secret.0)
    }

    /// The whole token, to be shown once.
    #[must_use]
    pub fn reveal(&self) -> String {
        with_checksum(format!(
            "{JOIN_PREFIX}{}.{}.{}",
            id_text(self.id),
            encode(&self.secret.0),
            self.pin.short_text()
        ))
    }
}

impl FromStr for JoinToken {
    type Err = TokenError;
    fn from_str(text: &str) -> Result<Self, TokenError> {
        Self::parse(text)
    }
}

impl fmt::Debug for JoinToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JoinToken")
            .field("id", &self.id)
            .field("pin", &self.pin)
            .finish_non_exhaustive()
    }
}

/// Whom an access token stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AccessKind {
    /// A person.
    Personal,
    /// A program.
    Service,
}

impl AccessKind {
    /// How the text of such a token begins.
    #[must_use]
    pub const fn prefix(self) -> &'static str {
        match self {
            Self::Personal => "dh_pat_",
            Self::Service => "dh_svc_",
        }
    }
}

/// The secret by which a person or a program calls the API.
#[derive(Clone)]
pub struct AccessToken {
    kind: AccessKind,
    id: TokenId,
    secret: Secret,
}

impl AccessToken {
    /// A token of that name with a new secret.
    ///
    /// # Errors
    /// [`Error::Cryptography`] when there are no random bytes.
    pub fn generate(kind: AccessKind, id: TokenId) -> Result<Self, Error> {
        Ok(Self { kind, id, secret: Secret(random()?) })
    }

    /// Reads a token.
    ///
    /// # Errors
    /// [`TokenError`].
    pub fn parse(text: &str) -> Result<Self, TokenError> {
        let wrong = TokenError::WrongKind { expected: "access", prefix: "dh_pat_ or dh_svc_" };
        let kind = [AccessKind::Personal, AccessKind::Service]
            .into_iter()
            .find(|kind| text.starts_with(kind.prefix()))
            .ok_or(wrong)?;
        let [id, secret] = parts(text, kind.prefix(), wrong)?;
        Ok(Self { kind, id: id_of(id)?, secret: Secret(decode(secret)?) })
    }

    /// Whom it stands for.
    #[must_use]
    pub const fn kind(&self) -> AccessKind {
        self.kind
    }

    /// The token's name.
    #[must_use]
    pub const fn id(&self) -> TokenId {
        self.id
    }

    /// The hash of its secret, as it is stored and compared.
    #[must_use]
    pub fn secret_hash(&self) -> [u8; 32] {
        hash_secret(&self.secret.0)
    }

    /// The whole token, to be shown once.
    #[must_use]
    pub fn reveal(&self) -> String {
        with_checksum(format!(
            "{}{}.{}",
            self.kind.prefix(),
            id_text(self.id),
            encode(&self.secret.0)
        ))
    }
}

impl FromStr for AccessToken {
    type Err = TokenError;
    fn from_str(text: &str) -> Result<Self, TokenError> {
        Self::parse(text)
    }
}

impl fmt::Debug for AccessToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccessToken")
            .field("kind", &self.kind)
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

/// Checks kind, length and checksum, and cuts the text into its `N` parts.
fn parts<'a, const N: usize>(
    text: &'a str,
    prefix: &str,
    wrong_kind: TokenError,
) -> Result<[&'a str; N], TokenError> {
    let rest = text.strip_prefix(prefix).ok_or(wrong_kind)?;
    if text.len() > TOKEN_BYTES_MAX {
        return Err(TokenError::Malformed);
    }
    let (checked, checksum) = text.rsplit_once('.').ok_or(TokenError::Malformed)?;
    if decode::<4>(checksum)? != crc32c::crc32c(checked.as_bytes()).to_be_bytes() {
        return Err(TokenError::WrongChecksum);
    }
    let mut pieces = rest.split('.');
    let mut found = [""; N];
    for slot in &mut found {
        *slot = pieces.next().ok_or(TokenError::Malformed)?;
    }
    // What is left is the checksum and nothing more.
    match (pieces.next(), pieces.next()) {
        (Some(_checksum), None) => Ok(found),
        _ => Err(TokenError::Malformed),
    }
}

fn with_checksum(mut text: String) -> String {
    let checksum = encode(&crc32c::crc32c(text.as_bytes()).to_be_bytes());
    text.push('.');
    text.push_str(&checksum);
    text
}

fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn decode<const N: usize>(text: &str) -> Result<[u8; N], TokenError> {
    let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| TokenError::Malformed)?;
    bytes.try_into().map_err(|_| TokenError::Malformed)
}

fn id_text(id: TokenId) -> String {
    crate::digest::hex(&id.to_bytes())
}

/// Only the form that we write is read, so that a token has one text.
fn id_of(text: &str) -> Result<TokenId, TokenError> {
    let is_ours =
        text.len() == 32 && text.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'));
    if !is_ours {
        return Err(TokenError::Malformed);
    }
    text.parse().map_err(|_| TokenError::Malformed)
}
