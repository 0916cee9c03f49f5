//! The ids of the things that the control plane names, one newtype each, in alphabetical order.
//!
//! An id is a UUIDv7, in text form everywhere. It is a stored decision: nothing derives it again.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use uuid::Uuid;

/// A text that is no id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not an id (a UUID such as 0190b5a2-7c1e-7d3a-9f00-3f2a8c5d1e77)")]
pub struct InvalidId {
    text: String,
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Uuid);

        impl $name {
            /// The id made of these bits.
            #[must_use]
            pub const fn from_uuid(uuid: Uuid) -> Self {
                Self(uuid)
            }

            /// The id of 16 bytes, big endian.
            #[must_use]
            pub const fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(Uuid::from_bytes(bytes))
            }

            /// A UUIDv7 (RFC 9562 section 5.7) of a moment and 10 random bytes.
            ///
            /// The crate has neither a clock nor a source of randomness; the caller brings both.
            #[must_use]
            pub fn new_v7(at: crate::Timestamp, random: [u8; 10]) -> Self {
                let millis = u64::try_from(at.millis()).unwrap_or(0);
                Self(uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid())
            }

            /// The 16 bytes of the id, big endian.
            #[must_use]
            pub const fn to_bytes(self) -> [u8; 16] {
                self.0.into_bytes()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.as_hyphenated().fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0.as_hyphenated())
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;
            fn from_str(text: &str) -> Result<Self, InvalidId> {
                Uuid::try_parse(text).map(Self).map_err(|_| InvalidId { text: text.chars().take(64).collect() })
            }
        }
    )*};
}

ids! {
    /// Names an enrolled agent; issued by the control plane and bound to the agent's key.
    AgentId;
    /// Names a configuration item, for ever: an absorbed id stays an alias of its survivor.
    ItemId;
    /// Names one execution of a collector against one target.
    RunId;
    /// Names a token: join, personal or service.
    TokenId;
    /// Names a person who may log in.
    UserId;
}

/// The number of a committed change set; later revisions have greater numbers.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Revision(pub u64);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Timestamp;

    #[test]
    fn ids_of_later_moments_sort_after_those_of_earlier_ones() {
        let early = ItemId::new_v7(Timestamp::from_seconds(1_700_000_000), [9; 10]);
        let late = ItemId::new_v7(Timestamp::from_seconds(1_700_000_001), [0; 10]);
        assert!(early < late);
        assert_eq!(early.to_string().parse::<ItemId>(), Ok(early));
    }

    #[test]
    fn a_text_that_is_no_id_is_refused_with_the_text() {
        let error = "web-1".parse::<AgentId>().unwrap_err();
        assert!(error.to_string().contains("`web-1`"));
    }
}
