//! Credentials as the protocol uses them: a community of version 1 or 2c, or a user of version 3.
//!
//! Invariant: a credential says exactly one version, level and set of algorithms; nothing weaker is ever tried in
//! its place.

use crate::message::Version;
use crate::usm::User;
use crate::usm::keys::{AuthProtocol, PrivacyProtocol};
use collector::Credential;
use zeroize::Zeroizing;

/// The kind of credential that holds a community.
pub const COMMUNITY_KIND: &str = "snmp_community";
/// The kind of credential that holds a user.
pub const USER_KIND: &str = "snmp_user";

/// One way to be let in.
#[derive(Debug)]
pub enum Access {
    /// A community.
    Community {
        /// Version 1 or 2c.
        version: Version,
        /// The community.
        community: Hidden,
    },
    /// A user of version 3.
    User(User),
}

/// Octets that are never printed.
pub struct Hidden(pub Zeroizing<Vec<u8>>);

impl std::fmt::Debug for Hidden {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Hidden(…)")
    }
}

/// Why a credential cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unusable {
    /// It is of a kind for another protocol.
    #[error("the kind `{0}` is not for SNMP; use `snmp_community` or `snmp_user`")]
    Kind(String),
    /// It lacks something.
    #[error("`{0}` is missing")]
    Missing(&'static str),
    /// A setting has a value that it cannot have.
    #[error("`{name}` is `{value}`; it can be {choices}")]
    Value {
        /// The setting.
        name: &'static str,
        /// What it is.
        value: String,
        /// What it can be.
        choices: &'static str,
    },
    /// A protocol is named and its password is missing, or the other way round.
    #[error("the level is {level} and `{what}` is {given}; make them agree")]
    Level {
        /// The level.
        level: &'static str,
        /// The setting.
        what: &'static str,
        /// `given` or `missing`.
        given: &'static str,
    },
}

const AUTH_CHOICES: &str = "md5, sha1, sha224, sha256, sha384 or sha512";
const PRIVACY_CHOICES: &str = "des, aes128, aes192, aes256, aes192_reeder or aes256_reeder";
const LEVEL_CHOICES: &str = "no_auth, auth or auth_privacy";

/// Lower case without what people put between letters and digits: `SHA-256` and `sha256` are one.
fn folded(text: &str) -> String {
    text.to_lowercase().replace(['-', ' '], "")
}

fn auth_protocol(value: &str) -> Result<AuthProtocol, Unusable> {
    Ok(match folded(value).as_str() {
        "md5" => AuthProtocol::Md5,
        "sha" | "sha1" => AuthProtocol::Sha1,
        "sha224" => AuthProtocol::Sha224,
        "sha256" => AuthProtocol::Sha256,
        "sha384" => AuthProtocol::Sha384,
        "sha512" => AuthProtocol::Sha512,
        _ => {
            let value = value.to_owned();
            return Err(Unusable::Value { name: "auth", value, choices: AUTH_CHOICES });
        }
    })
}

fn privacy_protocol(value: &str) -> Result<PrivacyProtocol, Unusable> {
    Ok(match folded(value).as_str() {
        "des" => PrivacyProtocol::Des,
        "aes" | "aes128" => PrivacyProtocol::Aes128,
        "aes192" => PrivacyProtocol::Aes192,
        "aes256" => PrivacyProtocol::Aes256,
        "aes192_reeder" => PrivacyProtocol::Aes192Reeder,
        "aes256_reeder" => PrivacyProtocol::Aes256Reeder,
        _ => {
            let value = value.to_owned();
            return Err(Unusable::Value { name: "privacy", value, choices: PRIVACY_CHOICES });
        }
    })
}

impl Access {
    /// What a credential says.
    ///
    /// # Errors
    /// When it lacks something or contradicts itself.
    pub fn of(credential: &Credential) -> Result<Self, Unusable> {
        match credential.kind.as_str() {
            COMMUNITY_KIND => community(credential),
            USER_KIND => user(credential).map(Self::User),
            other => Err(Unusable::Kind(other.to_owned())),
        }
    }

    /// The version.
    #[must_use]
    pub const fn version(&self) -> Version {
        match self {
            Self::Community { version, .. } => *version,
            Self::User(_) => Version::V3,
        }
    }

    /// The version and the level of security, for people.
    #[must_use]
    pub fn level(&self) -> String {
        match self {
            Self::Community { .. } => "community, unencrypted".to_owned(),
            Self::User(user) => user.level(),
        }
    }
}

fn community(credential: &Credential) -> Result<Access, Unusable> {
    let version = match credential.setting("version").unwrap_or("2c") {
        "1" => Version::V1,
        "2c" | "2" => Version::V2c,
        other => {
            let value = other.to_owned();
            return Err(Unusable::Value { name: "version", value, choices: "1 or 2c" });
        }
    };
    let community = credential.secret("community").ok_or(Unusable::Missing("community"))?;
    let community = Hidden(Zeroizing::new(community.expose().as_bytes().to_vec()));
    Ok(Access::Community { version, community })
}

fn user(credential: &Credential) -> Result<User, Unusable> {
    let name = credential.setting("user").ok_or(Unusable::Missing("user"))?;
    let password = |name: &str| {
        credential.secret(name).map(|secret| Zeroizing::new(secret.expose().as_bytes().to_vec()))
    };
    let protocols = (credential.setting("auth"), credential.setting("privacy"));
    // Without a level, the most that is given.
    let level = match (credential.setting("level").map(folded).as_deref(), protocols) {
        (Some("noauth" | "no_auth" | "noauthnopriv"), _) | (None, (None, None)) => 0,
        (Some("auth" | "authnopriv"), _) | (None, (Some(_), None)) => 1,
        (Some("authpriv" | "auth_privacy"), _) | (None, (_, Some(_))) => 2,
        (Some(other), _) => {
            let value = other.to_owned();
            return Err(Unusable::Value { name: "level", value, choices: LEVEL_CHOICES });
        }
    };
    let auth = match level {
        0 => None,
        _ => {
            let protocol = auth_protocol(protocols.0.ok_or(Unusable::Missing("auth"))?)?;
            let password = password("auth_password").ok_or(Unusable::Missing("auth_password"))?;
            Some((protocol, password))
        }
    };
    let privacy = match level {
        2 => {
            let protocol = privacy_protocol(protocols.1.ok_or(Unusable::Missing("privacy"))?)?;
            let password =
                password("privacy_password").ok_or(Unusable::Missing("privacy_password"))?;
            Some((protocol, password))
        }
        _ => None,
    };
    let context = credential.setting("context").unwrap_or_default().as_bytes().to_vec();
    Ok(User { name: name.as_bytes().to_vec(), auth, privacy, context })
}

#[cfg(test)]
mod tests {
    use super::*;
    use collector::Secret;

    fn credential(kind: &str, settings: &[(&str, &str)], secrets: &[(&str, &str)]) -> Credential {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let secret =
            |(name, value): &(&str, &str)| ((*name).to_owned(), Secret::new((*value).to_owned()));
        Credential {
            name: "lab".into(),
            kind: kind.into(),
            settings: settings.iter().map(owned).collect(),
            secrets: secrets.iter().map(secret).collect(),
        }
    }

    #[test]
    fn a_credential_that_lacks_something_says_what() {
        let why = |settings: &[(&str, &str)], secrets: &[(&str, &str)]| {
            Access::of(&credential(USER_KIND, settings, secrets)).unwrap_err().to_string()
        };
        assert_eq!(why(&[], &[]), "`user` is missing");
        let settings = [("user", "u"), ("level", "auth_privacy"), ("auth", "sha256")];
        assert_eq!(why(&settings, &[("auth_password", "x")]), "`privacy` is missing");
        let settings = [("user", "u"), ("auth", "sha3")];
        assert!(why(&settings, &[]).contains("sha384"), "{}", why(&settings, &[]));
        let settings = [("user", "u"), ("level", "paranoid")];
        assert!(why(&settings, &[]).contains("no_auth"));
    }

    #[test]
    fn the_level_is_the_most_that_is_given() {
        let level = |settings: &[(&str, &str)]| {
            let secrets = [("auth_password", "one"), ("privacy_password", "two")];
            Access::of(&credential(USER_KIND, settings, &secrets)).unwrap().level()
        };
        assert_eq!(level(&[("user", "u")]), "noAuthNoPriv");
        assert_eq!(level(&[("user", "u"), ("auth", "SHA-512")]), "authNoPriv (SHA-512)");
        let all = [("user", "u"), ("auth", "md5"), ("privacy", "des")];
        assert_eq!(level(&all), "authPriv (MD5, DES)");
    }

    #[test]
    fn a_community_is_of_version_2c_unless_it_says_1() {
        let secrets = [("community", "hush")];
        let access = Access::of(&credential(COMMUNITY_KIND, &[], &secrets)).unwrap();
        assert_eq!(access.version(), Version::V2c);
        assert!(!format!("{access:?}").contains("hush") && !format!("{access:?}").contains("104"));
        let access = Access::of(&credential(COMMUNITY_KIND, &[("version", "1")], &secrets));
        assert_eq!(access.unwrap().version(), Version::V1);
        assert!(Access::of(&credential(COMMUNITY_KIND, &[("version", "3")], &secrets)).is_err());
        assert!(Access::of(&credential("ssh_password", &[], &secrets)).is_err());
    }
}
