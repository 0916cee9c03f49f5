//! Secrets at rest: sealed with ChaCha20-Poly1305 (RFC 8439) under a key that lies in a file of its own.
//!
//! Invariants: a sealed secret opens only under the name that it was sealed for, so that rows cannot be swapped; the
//! key file is readable by its owner alone; nothing here prints a secret or a key.
//!
//! The key file has a key a line, the newest first: what older keys sealed is opened with them and sealed anew at the
//! next start. Whoever has the file and the database has the secrets; a backup keeps them apart.
//!
//! Deliberately not here: what a secret is for.

use crate::server::write_private;
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::rand::{SecureRandom, SystemRandom};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// Secrets of one credential, by name.
pub type Secrets = BTreeMap<String, Zeroizing<String>>;

/// Name of the key file in the state's folder.
pub const KEY_FILE: &str = "seal.key";

/// Begins everything sealed: the version of the form.
const VERSION: u8 = 1;
/// Bytes that tell which key sealed.
const KEY_ID_BYTES: usize = 8;
const KEY_BYTES: usize = 32;
/// Keys of one file; older ones are of no use after the next start.
const KEYS_MAX: usize = 16;
/// Bytes of the key file.
const FILE_BYTES_MAX: u64 = 4096;

/// Why secrets cannot be sealed or opened.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// The key file cannot be used.
    #[error("cannot use the key of secrets at `{}`: {reason}", path.display())]
    KeyFile {
        /// The file.
        path: PathBuf,
        /// Why, and what to do.
        reason: String,
    },
    /// The system gives no random bytes, or the cipher refuses.
    #[error("a secret cannot be sealed now")]
    Seal,
    /// No key opens it.
    #[error(
        "the secrets of `{name}` were sealed with another key, or damaged; put the old key back into the key file, or enter them again"
    )]
    Open {
        /// Whose.
        name: String,
    },
}

struct Key {
    id: [u8; KEY_ID_BYTES],
    key: LessSafeKey,
}

/// Seals and opens secrets.
pub struct Sealer {
    /// The newest first.
    keys: Vec<Key>,
    random: SystemRandom,
}

impl std::fmt::Debug for Sealer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sealer").field("keys_count", &self.keys.len()).finish_non_exhaustive()
    }
}

fn hexadecimal(bytes: &[u8]) -> Zeroizing<String> {
    let mut text = Zeroizing::new(String::with_capacity(bytes.len() * 2));
    for byte in bytes {
        for nibble in [byte >> 4, byte & 15] {
            text.push(char::from_digit(u32::from(nibble), 16).unwrap_or('0'));
        }
    }
    text
}

fn key_of(line: &str) -> Option<Key> {
    let mut bytes = Zeroizing::new([0_u8; KEY_BYTES]);
    if line.len() != KEY_BYTES * 2 {
        return None;
    }
    for (byte, digits) in bytes.iter_mut().zip(line.as_bytes().chunks(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
    }
    let mut id = [0; KEY_ID_BYTES];
    blake3::Hasher::new_derive_key("dharma 2026 id of a key of secrets")
        .update(bytes.as_slice())
        .finalize_xof()
        .fill(&mut id);
    let key = UnboundKey::new(&CHACHA20_POLY1305, bytes.as_slice()).ok()?;
    Some(Key { id, key: LessSafeKey::new(key) })
}

impl Sealer {
    /// The keys of the file in this folder; makes one when there is none.
    ///
    /// # Errors
    /// When the file cannot be read or made, others may read it, or it holds no keys.
    pub fn open(folder: &Path) -> Result<Self, SealError> {
        let path = folder.join(KEY_FILE);
        let failed = |reason: String| SealError::KeyFile { path: path.clone(), reason };
        let random = SystemRandom::new();
        if !path.exists() {
            let mut bytes = Zeroizing::new([0_u8; KEY_BYTES]);
            random.fill(bytes.as_mut_slice()).map_err(|_| SealError::Seal)?;
            let line = Zeroizing::new(format!("{}\n", *hexadecimal(bytes.as_slice())));
            write_private(&path, &line).map_err(|error| failed(error.to_string()))?;
        }
        let metadata = std::fs::metadata(&path).map_err(|error| failed(error.to_string()))?;
        if metadata.len() > FILE_BYTES_MAX {
            return Err(failed(format!("it has more than {FILE_BYTES_MAX} bytes")));
        }
        #[cfg(unix)]
        if std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 0o077 != 0 {
            return Err(failed("others may read it; run chmod 600 on it".to_owned()));
        }
        let text = std::fs::read_to_string(&path).map(Zeroizing::new);
        let text = text.map_err(|error| failed(error.to_string()))?;
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty()).take(KEYS_MAX);
        let keys: Option<Vec<Key>> = lines.map(key_of).collect();
        let keys = keys.filter(|keys| !keys.is_empty()).ok_or_else(|| {
            failed(format!("each line has to be {} hexadecimal digits", KEY_BYTES * 2))
        })?;
        Ok(Self { keys, random })
    }

    fn newest(&self) -> Result<&Key, SealError> {
        self.keys.first().ok_or(SealError::Seal)
    }

    /// Seals the secrets of a credential; nothing for no secrets.
    ///
    /// # Errors
    /// When the system gives no random bytes.
    pub fn seal(&self, name: &str, secrets: &Secrets) -> Result<Vec<u8>, SealError> {
        if secrets.is_empty() {
            return Ok(Vec::new());
        }
        let plain: BTreeMap<&str, &str> =
            secrets.iter().map(|(name, secret)| (name.as_str(), secret.as_str())).collect();
        let mut content = Zeroizing::new(serde_json::to_vec(&plain).map_err(|_| SealError::Seal)?);
        let mut nonce = [0; NONCE_LEN];
        self.random.fill(&mut nonce).map_err(|_| SealError::Seal)?;
        let key = self.newest()?;
        let tag = key
            .key
            .seal_in_place_separate_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(bound_to(name)),
                content.as_mut_slice(),
            )
            .map_err(|_| SealError::Seal)?;
        Ok([&[VERSION][..], &key.id, &nonce, content.as_slice(), tag.as_ref()].concat())
    }

    /// Opens the secrets of a credential.
    ///
    /// # Errors
    /// When no key opens them, or they were sealed for another.
    pub fn unseal(&self, name: &str, sealed: &[u8]) -> Result<Secrets, SealError> {
        if sealed.is_empty() {
            return Ok(Secrets::new());
        }
        let closed = || SealError::Open { name: name.to_owned() };
        let rest = sealed.strip_prefix(&[VERSION]).ok_or_else(closed)?;
        let (id, rest) = rest.split_first_chunk::<KEY_ID_BYTES>().ok_or_else(closed)?;
        let (nonce, content) = rest.split_first_chunk::<NONCE_LEN>().ok_or_else(closed)?;
        let key = self.keys.iter().find(|key| key.id == *id).ok_or_else(closed)?;
        let mut content = Zeroizing::new(content.to_vec());
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let plain = key
            .key
            .open_in_place(nonce, Aad::from(bound_to(name)), content.as_mut_slice())
            .map_err(|_| closed())?;
        let plain: BTreeMap<String, String> =
            serde_json::from_slice(plain).map_err(|_| closed())?;
        Ok(plain.into_iter().map(|(name, secret)| (name, Zeroizing::new(secret))).collect())
    }

    /// Whether this was sealed with an older key.
    #[must_use]
    pub fn is_outdated(&self, sealed: &[u8]) -> bool {
        let id = sealed.get(1..=KEY_ID_BYTES);
        id.is_some_and(|id| self.keys.first().is_some_and(|key| key.id.as_slice() != id))
    }
}

fn bound_to(name: &str) -> Vec<u8> {
    [b"credential/", name.as_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secrets() -> Secrets {
        Secrets::from([("password".to_owned(), Zeroizing::new("hush".to_owned()))])
    }

    #[test]
    fn what_is_damaged_swapped_or_sealed_with_another_key_does_not_open() {
        let folder = tempfile::tempdir().unwrap();
        let sealer = Sealer::open(folder.path()).unwrap();
        let sealed = sealer.seal("lab", &secrets()).unwrap();
        assert!(!sealed.windows(4).any(|part| part == b"hush"));
        assert!(sealer.unseal("other", &sealed).is_err());
        for place in 0..sealed.len() {
            let mut damaged = sealed.clone();
            damaged[place] ^= 1;
            assert!(sealer.unseal("lab", &damaged).is_err(), "{place}");
            assert!(sealer.unseal("lab", &sealed[..place]).is_err() || place == 0, "{place}");
        }
        let other = tempfile::tempdir().unwrap();
        let error = Sealer::open(other.path()).unwrap().unseal("lab", &sealed).unwrap_err();
        assert!(error.to_string().contains("key file"), "{error}");
    }

    #[test]
    fn a_key_file_that_others_may_read_or_that_holds_no_key_is_refused() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        Sealer::open(folder.path()).unwrap();
        let path = folder.path().join(KEY_FILE);
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
        assert!(Sealer::open(folder.path()).is_err());
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        for text in ["", "x\n", &"é".repeat(32)] {
            std::fs::write(&path, text).unwrap();
            assert!(Sealer::open(folder.path()).is_err(), "{text}");
        }
    }

    #[test]
    fn an_older_key_still_opens_and_what_it_sealed_is_known_as_outdated() {
        let folder = tempfile::tempdir().unwrap();
        let old = Sealer::open(folder.path()).unwrap();
        let sealed = old.seal("lab", &secrets()).unwrap();
        assert!(!old.is_outdated(&sealed));
        let path = folder.path().join(KEY_FILE);
        let keys = format!("{}\n{}", "ab".repeat(32), std::fs::read_to_string(&path).unwrap());
        std::fs::write(&path, keys).unwrap();
        let new = Sealer::open(folder.path()).unwrap();
        assert!(new.is_outdated(&sealed));
        assert_eq!(new.unseal("lab", &sealed).unwrap(), secrets());
        assert!(!new.is_outdated(&new.seal("lab", &secrets()).unwrap()));
    }
}
