//! Identity keys: the typed evidence by which a sighting is recognized.
//!
//! A key's type decides its tier, how much it weighs, whether an item can have only one of it and where its value
//! means one thing. What is no evidence at all (junk serials, shared addresses) is dropped by [`IdentityKey::new`],
//! in one place; [`IdentityKey::check`] says why.
//!
//! Invariants: a key is only made by normalization, which is idempotent, bounded and total over hostile text. The
//! text of a key is stored and hashed: a normalization that once gave a value gives it for ever.
//!
//! Deliberately not here: how evidence is weighed and what it decides (`reconcile`).

mod alternates;
mod junk;
mod key_type;
mod normalize;
mod realm;

pub use alternates::{
    ALTERNATES_MAX, alternates, canonical, dell_service_tag, implied, is_implied_by,
};
pub use junk::{
    FILE_BYTES_MAX as JUNK_FILE_BYTES_MAX, InvalidJunk, Junk, VALUES_MAX as JUNK_VALUES_MAX,
};
pub use key_type::{KeyType, Tier};
pub use realm::{Realm, RealmRule, is_host_only};

use serde::{Deserialize, Serialize};

/// One piece of evidence: a typed value in its realm.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct IdentityKey {
    /// What kind of value it is.
    pub key_type: KeyType,
    /// Where the value means one thing.
    pub realm: Realm,
    /// The value after normalization.
    pub value: String,
}

/// The longest value that is taken as evidence; ARNs and certificate names stay below it.
pub const VALUE_LENGTH_MAX: usize = 512;

/// Why a value is no evidence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoEvidence {
    /// There is no text.
    #[error("it is empty")]
    Empty,
    /// It has more than [`VALUE_LENGTH_MAX`] bytes.
    #[error("it has more than {VALUE_LENGTH_MAX} bytes")]
    TooLong,
    /// A serial number of fewer than four letters.
    #[error("it is shorter than four letters")]
    TooShort,
    /// A value of the list of junk.
    #[error("it is a placeholder that firmware or an image carries instead of an identity")]
    Placeholder,
    /// `00000000`, `xxxxxxx`.
    #[error("it is one letter again and again")]
    OneLetter,
    /// `0123456789`.
    #[error("it is ascending digits")]
    Ascending,
    /// It does not have the form of its type.
    #[error("it does not have the form of its type")]
    WrongForm,
    /// A MAC or IP address that many things share.
    #[error("it is an address that many things share")]
    Shared,
    /// Its type means nothing without a realm.
    #[error("its type means nothing without a realm: name the cluster, manager or site")]
    RealmMissing,
    /// Every host has that address.
    #[error("every host has this address: its realm must be a host")]
    HostRealmMissing,
}

impl IdentityKey {
    /// The key of a normalized value; `None` when the value is no evidence.
    #[must_use]
    pub fn new(key_type: KeyType, realm: Realm, value: &str) -> Option<Self> {
        Self::check(key_type, realm, value).ok()
    }

    /// The key of a normalized value.
    ///
    /// Trims, folds case and spaces, brings the value into the form of its type, and drops junk: known placeholders,
    /// one letter again and again, ascending digits, a serial number of fewer than four letters, addresses that many
    /// things share.
    ///
    /// # Errors
    /// [`NoEvidence`] says why the value recognizes nothing.
    pub fn check(key_type: KeyType, realm: Realm, value: &str) -> Result<Self, NoEvidence> {
        let value = normalize::value_of(key_type.form(), value)?;
        if Junk::shipped().has(key_type, &value) {
            return Err(NoEvidence::Placeholder);
        }
        let realm = match key_type {
            // A MAC address is the same everywhere; what a person configured means something in one network only.
            KeyType::LldpChassisId if normalize::is_mac_text(&value) => Realm::everywhere(),
            KeyType::LldpChassisId => RealmRule::Needed.apply(realm, &value)?,
            _ => key_type.realm_rule().apply(realm, &value)?,
        };
        Ok(Self { key_type, realm, value })
    }
}

#[cfg(test)]
mod tests;
