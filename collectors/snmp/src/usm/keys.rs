//! Keys, digests and encryption of the user-based security model.
//!
//! Passwords become keys as in RFC 3414, appendix A.2; digests are those of RFC 3414 (MD5, SHA-1) and RFC 7860
//! (SHA-224 to SHA-512), encryption DES (RFC 3414, section 8) and AES (RFC 3826). Where AES needs a longer key than
//! the digest gives, the extension is the one of draft-blumenthal-aes-usm-04, or of draft-reeder-snmpv3-usm-3desede-00
//! where the credential says so, as some vendors do.
//!
//! Invariant: keys and passwords are overwritten when they are given back and never printed.

use aes::cipher::block_padding::NoPadding;
use aes::cipher::{AsyncStreamCipher, BlockDecryptMut, BlockEncryptMut, KeyIvInit};
use hmac::{Mac, SimpleHmac};
use sha2::Digest;
use std::collections::HashMap;
use std::sync::{LazyLock, Mutex};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// Octets of the salt that a message carries.
pub const SALT_OCTETS: usize = 8;

/// Octets of repeated password that are digested (RFC 3414, appendix A.2).
const PASSWORD_OCTETS: usize = 1_048_576;

/// Keys of passwords that are remembered, since each costs milliseconds: more credentials than a site has.
const REMEMBERED_MAX: usize = 256;

type Key = Zeroizing<Vec<u8>>;

/// How messages are authenticated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AuthProtocol {
    /// RFC 3414; broken as a digest, still what old devices have.
    Md5,
    /// RFC 3414.
    Sha1,
    /// RFC 7860.
    Sha224,
    /// RFC 7860.
    Sha256,
    /// RFC 7860.
    Sha384,
    /// RFC 7860.
    Sha512,
}

macro_rules! with_digest {
    ($protocol:expr, $name:ident => $body:expr) => {
        match $protocol {
            AuthProtocol::Md5 => {
                type $name = md5::Md5;
                $body
            }
            AuthProtocol::Sha1 => {
                type $name = sha1::Sha1;
                $body
            }
            AuthProtocol::Sha224 => {
                type $name = sha2::Sha224;
                $body
            }
            AuthProtocol::Sha256 => {
                type $name = sha2::Sha256;
                $body
            }
            AuthProtocol::Sha384 => {
                type $name = sha2::Sha384;
                $body
            }
            AuthProtocol::Sha512 => {
                type $name = sha2::Sha512;
                $body
            }
        }
    };
}

impl AuthProtocol {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Md5, Self::Sha1, Self::Sha224, Self::Sha256, Self::Sha384, Self::Sha512];

    /// As people write it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Md5 => "MD5",
            Self::Sha1 => "SHA-1",
            Self::Sha224 => "SHA-224",
            Self::Sha256 => "SHA-256",
            Self::Sha384 => "SHA-384",
            Self::Sha512 => "SHA-512",
        }
    }

    /// How much of a digest a message carries.
    const fn digest_octets(self) -> usize {
        match self {
            Self::Md5 | Self::Sha1 => 12,
            Self::Sha224 => 16,
            Self::Sha256 => 24,
            Self::Sha384 => 32,
            Self::Sha512 => 48,
        }
    }

    fn hash(self, parts: &[&[u8]]) -> Key {
        with_digest!(self, D => {
            let mut digest = D::new();
            parts.iter().for_each(|part| digest.update(part));
            Zeroizing::new(digest.finalize().to_vec())
        })
    }

    /// The key of a password, of no engine yet.
    fn password_key(self, password: &[u8]) -> Key {
        if password.is_empty() {
            return self.hash(&[]);
        }
        // Whole repetitions, some kilobytes of them at a time.
        let cycle = Zeroizing::new(password.repeat(4096_usize.div_ceil(password.len())));
        with_digest!(self, D => {
            let mut digest = D::new();
            let mut left = PASSWORD_OCTETS;
            while left > 0 {
                let part = cycle.get(..left.min(cycle.len())).unwrap_or_default();
                digest.update(part);
                left = left.saturating_sub(part.len());
            }
            Zeroizing::new(digest.finalize().to_vec())
        })
    }

    fn localize(self, key: &[u8], engine_id: &[u8]) -> Key {
        self.hash(&[key, engine_id, key])
    }
}

/// How messages are encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PrivacyProtocol {
    /// RFC 3414; broken, still what old devices have.
    Des,
    /// RFC 3826.
    Aes128,
    /// With the key extension of Blumenthal.
    Aes192,
    /// With the key extension of Blumenthal.
    Aes256,
    /// With the key extension of Reeder.
    Aes192Reeder,
    /// With the key extension of Reeder.
    Aes256Reeder,
}

impl PrivacyProtocol {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Des,
        Self::Aes128,
        Self::Aes192,
        Self::Aes256,
        Self::Aes192Reeder,
        Self::Aes256Reeder,
    ];

    /// As people write it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Des => "DES",
            Self::Aes128 => "AES-128",
            Self::Aes192 => "AES-192",
            Self::Aes256 => "AES-256",
            Self::Aes192Reeder => "AES-192, Reeder's key extension",
            Self::Aes256Reeder => "AES-256, Reeder's key extension",
        }
    }

    const fn key_octets(self) -> usize {
        match self {
            // Eight for DES and eight that its initialization vector is made from.
            Self::Des | Self::Aes128 => 16,
            Self::Aes192 | Self::Aes192Reeder => 24,
            Self::Aes256 | Self::Aes256Reeder => 32,
        }
    }

    const fn is_reeder(self) -> bool {
        matches!(self, Self::Aes192Reeder | Self::Aes256Reeder)
    }
}

/// The keys of a user at one engine.
pub struct LocalKeys {
    auth: Option<(AuthProtocol, Key)>,
    privacy: Option<(PrivacyProtocol, Key)>,
}

impl std::fmt::Debug for LocalKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("LocalKeys(…)")
    }
}

/// The keys of passwords, by the digest of protocol and password, which does not give the password away.
static REMEMBERED: LazyLock<Mutex<HashMap<[u8; 32], Key>>> = LazyLock::new(Mutex::default);

fn password_key(protocol: AuthProtocol, password: &[u8]) -> Key {
    let digest = sha2::Sha256::new().chain_update(protocol.name()).chain_update(password);
    let name: [u8; 32] = digest.finalize().into();
    let known = || REMEMBERED.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    if let Some(key) = known().get(&name) {
        return key.clone();
    }
    let key = protocol.password_key(password);
    let mut remembered = known();
    if remembered.len() >= REMEMBERED_MAX {
        remembered.clear();
    }
    remembered.insert(name, key.clone());
    key
}

impl LocalKeys {
    /// The keys that passwords give at an engine.
    #[must_use]
    pub fn derive(
        auth: Option<(AuthProtocol, &[u8])>,
        privacy: Option<(PrivacyProtocol, &[u8])>,
        engine_id: &[u8],
    ) -> Self {
        let Some((protocol, password)) = auth else { return Self { auth: None, privacy: None } };
        let auth_key = protocol.localize(&password_key(protocol, password), engine_id);
        let privacy = privacy.map(|(privacy, password)| {
            let key = protocol.localize(&password_key(protocol, password), engine_id);
            (privacy, extended(protocol, privacy, key, engine_id))
        });
        Self { auth: Some((protocol, auth_key)), privacy }
    }

    /// How many octets of digest a message carries; none without authentication.
    #[must_use]
    pub fn digest_octets(&self) -> usize {
        self.auth.as_ref().map_or(0, |(protocol, _)| protocol.digest_octets())
    }

    /// The digest of a message, whole; only its beginning is sent.
    #[must_use]
    pub fn digest(&self, parts: &[&[u8]]) -> Vec<u8> {
        let Some((protocol, key)) = &self.auth else { return Vec::new() };
        with_digest!(*protocol, D => {
            match <SimpleHmac<D> as Mac>::new_from_slice(key) {
                Ok(mut mac) => {
                    parts.iter().for_each(|part| mac.update(part));
                    mac.finalize().into_bytes().to_vec()
                }
                Err(_) => Vec::new(),
            }
        })
    }

    /// Whether `said` is the digest of a message.
    #[must_use]
    pub fn is_digest(&self, parts: &[&[u8]], said: &[u8]) -> bool {
        let digest = self.digest(parts);
        digest
            .get(..said.len())
            .is_some_and(|digest| !said.is_empty() && bool::from(digest.ct_eq(said)))
    }

    /// Encrypts in place, padding where the cipher needs it, and gives the salt to send.
    #[must_use]
    pub fn encrypt(
        &self,
        content: &mut Vec<u8>,
        boots: u32,
        time: u32,
        counter: u64,
    ) -> [u8; SALT_OCTETS] {
        let Some((protocol, key)) = &self.privacy else { return [0; SALT_OCTETS] };
        if *protocol == PrivacyProtocol::Des {
            let salt = des_salt(boots, counter);
            content.resize(content.len().next_multiple_of(8), 0);
            let cipher = des_parts(key, salt).and_then(|(key, vector)| {
                cbc::Encryptor::<des::Des>::new_from_slices(key, &vector).ok()
            });
            let length = content.len();
            let is_done = cipher.is_some_and(|cipher| {
                cipher.encrypt_padded_mut::<NoPadding>(content, length).is_ok()
            });
            if !is_done {
                // It cannot fail with a key and a length of these sizes; plain text never leaves.
                content.fill(0);
            }
            return salt;
        }
        let salt = counter.to_be_bytes();
        let vector = aes_vector(boots, time, salt);
        match protocol.key_octets() {
            16 => cfb_encrypt::<aes::Aes128>(key, &vector, content),
            24 => cfb_encrypt::<aes::Aes192>(key, &vector, content),
            _ => cfb_encrypt::<aes::Aes256>(key, &vector, content),
        }
        salt
    }

    /// Decrypts in place; `false` when there is no key or the length does not fit.
    #[must_use]
    pub fn decrypt(
        &self,
        content: &mut [u8],
        boots: u32,
        time: u32,
        salt: [u8; SALT_OCTETS],
    ) -> bool {
        let Some((protocol, key)) = &self.privacy else { return false };
        if *protocol == PrivacyProtocol::Des {
            let Some((key, vector)) = des_parts(key, salt) else { return false };
            let cipher = cbc::Decryptor::<des::Des>::new_from_slices(key, &vector);
            return cipher.is_ok_and(|cipher| {
                content.len().is_multiple_of(8)
                    && cipher.decrypt_padded_mut::<NoPadding>(content).is_ok()
            });
        }
        let vector = aes_vector(boots, time, salt);
        match protocol.key_octets() {
            16 => cfb_decrypt::<aes::Aes128>(key, &vector, content),
            24 => cfb_decrypt::<aes::Aes192>(key, &vector, content),
            _ => cfb_decrypt::<aes::Aes256>(key, &vector, content),
        }
    }
}

fn extended(auth: AuthProtocol, privacy: PrivacyProtocol, key: Key, engine_id: &[u8]) -> Key {
    let wanted = privacy.key_octets();
    let mut whole = key;
    let mut last = whole.clone();
    while whole.len() < wanted {
        last = if privacy.is_reeder() {
            auth.localize(&auth.password_key(&last), engine_id)
        } else {
            auth.hash(&[&whole])
        };
        whole = Zeroizing::new([whole.as_slice(), last.as_slice()].concat());
    }
    Zeroizing::new(whole.get(..wanted).unwrap_or_default().to_vec())
}

/// The salt of DES (RFC 3414, section 8.1.1.1): how often the engine was started, and a counter.
fn des_salt(boots: u32, counter: u64) -> [u8; SALT_OCTETS] {
    let low = u32::try_from(counter & u64::from(u32::MAX)).unwrap_or(0);
    ((u64::from(boots) << 32) | u64::from(low)).to_be_bytes()
}

fn des_parts(key: &[u8], salt: [u8; SALT_OCTETS]) -> Option<(&[u8], [u8; SALT_OCTETS])> {
    let (key, before) = key.split_at_checked(8)?;
    let before: [u8; SALT_OCTETS] = before.get(..SALT_OCTETS)?.try_into().ok()?;
    let vector = u64::from_be_bytes(before) ^ u64::from_be_bytes(salt);
    Some((key, vector.to_be_bytes()))
}

/// RFC 3826, section 3.1.2.1.
fn aes_vector(boots: u32, time: u32, salt: [u8; SALT_OCTETS]) -> [u8; 16] {
    let high = (u64::from(boots) << 32) | u64::from(time);
    ((u128::from(high) << 64) | u128::from(u64::from_be_bytes(salt))).to_be_bytes()
}

fn cfb_encrypt<C>(key: &[u8], vector: &[u8], content: &mut [u8])
where
    C: BlockEncryptMut + aes::cipher::BlockCipher + aes::cipher::KeyInit,
{
    match cfb_mode::Encryptor::<C>::new_from_slices(key, vector) {
        Ok(cipher) => cipher.encrypt(content),
        // It cannot fail with a key of this length; plain text never leaves.
        Err(_) => content.fill(0),
    }
}

fn cfb_decrypt<C>(key: &[u8], vector: &[u8], content: &mut [u8]) -> bool
where
    C: BlockEncryptMut + aes::cipher::BlockCipher + aes::cipher::KeyInit,
{
    match cfb_mode::Decryptor::<C>::new_from_slices(key, vector) {
        Ok(cipher) => {
            cipher.decrypt(content);
            true
        }
        Err(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The engine id of RFC 3414, appendix A.3.
    const ENGINE: [u8; 12] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2];

    fn hexadecimal(bytes: &[u8]) -> String {
        crate::value::hexadecimal(bytes)
    }

    #[test]
    fn passwords_give_the_keys_of_the_standard() {
        let key = AuthProtocol::Md5.password_key(b"maplesyrup");
        assert_eq!(hexadecimal(&key), "9faf3283884e92834ebc9847d8edd963");
        let key = AuthProtocol::Md5.localize(&key, &ENGINE);
        assert_eq!(hexadecimal(&key), "526f5eed9fcce26f8964c2930787d82b");
        let key = AuthProtocol::Sha1.password_key(b"maplesyrup");
        assert_eq!(hexadecimal(&key), "9fb5cc0381497b3793528939ff788d5d79145211");
        let key = AuthProtocol::Sha1.localize(&key, &ENGINE);
        assert_eq!(hexadecimal(&key), "6695febc9288e36282235fc7151f128497b38f3f");
    }

    #[test]
    fn what_is_encrypted_is_decrypted_to_itself_and_by_no_other_key() {
        for auth in AuthProtocol::ALL {
            for privacy in PrivacyProtocol::ALL {
                let keys = |password: &[u8]| {
                    LocalKeys::derive(
                        Some((auth, b"auth-pass-1")),
                        Some((privacy, password)),
                        &ENGINE,
                    )
                };
                let plain = b"thirty and some octets, not a block".to_vec();
                let mut content = plain.clone();
                let salt = keys(b"priv-pass-1").encrypt(&mut content, 3, 4, 5);
                let mut other = content.clone();
                assert!(keys(b"priv-pass-1").decrypt(&mut content, 3, 4, salt));
                assert_eq!(&content[..plain.len()], &plain[..], "{auth:?} {privacy:?}");
                assert!(keys(b"priv-pass-2").decrypt(&mut other, 3, 4, salt));
                assert_ne!(&other[..plain.len()], &plain[..]);
            }
        }
    }

    #[test]
    fn an_encryption_of_a_fitting_length_only_is_decrypted() {
        let auth = Some((AuthProtocol::Md5, &b"auth-pass-1"[..]));
        let keys = LocalKeys::derive(auth, Some((PrivacyProtocol::Des, b"priv-pass-1")), &ENGINE);
        assert!(!keys.decrypt(&mut [0; 9], 1, 1, [0; 8]));
        assert!(keys.decrypt(&mut [], 1, 1, [0; 8]));
        let keys = LocalKeys::derive(auth, None, &ENGINE);
        assert!(!keys.decrypt(&mut [0; 8], 1, 1, [0; 8]));
    }

    #[test]
    fn keys_are_never_printed() {
        let keys = LocalKeys::derive(Some((AuthProtocol::Md5, b"hush-hush")), None, &ENGINE);
        assert_eq!(format!("{keys:?}"), "LocalKeys(…)");
        assert!(!keys.is_digest(&[b"x"], &[]));
    }
}
