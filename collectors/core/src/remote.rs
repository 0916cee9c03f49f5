//! How another machine or device is reached: its address, its options and the credentials to try, in their order.
//!
//! Secrets are held in memory only. They have no way into a log, a dump or an observation: neither [`Secret`] nor
//! anything that holds one prints it, and the memory is overwritten when it is given back.

use std::collections::BTreeMap;
use zeroize::Zeroizing;

/// A secret text: a community, a password, a private key.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Takes a secret over.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    /// The secret itself, to be handed to the protocol and to nothing else.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// One way to be let in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credential {
    /// Its name, by which people and reports know it.
    pub name: String,
    /// What it is for: `snmp_community`, `snmp_user`, `ssh_password`, `ssh_key`, `ipmi_user`, `http_basic`.
    pub kind: String,
    /// What is not secret of it: a user name, the names of algorithms.
    pub settings: BTreeMap<String, String>,
    /// What is: `community`, `password`, `private_key`, `passphrase`, `auth_password`, `privacy_password`.
    pub secrets: BTreeMap<String, Secret>,
}

impl Credential {
    /// A setting, when it is given and not empty.
    #[must_use]
    pub fn setting(&self, name: &str) -> Option<&str> {
        self.settings.get(name).map(String::as_str).filter(|text| !text.is_empty())
    }

    /// A secret, when it is given and not empty.
    #[must_use]
    pub fn secret(&self, name: &str) -> Option<&Secret> {
        self.secrets.get(name).filter(|secret| !secret.expose().is_empty())
    }
}

/// Where a remote target answers, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remote {
    /// An IP address or a host name; for a sweep a prefix (`192.0.2.0/24`) or a range (`192.0.2.10-20`).
    pub address: String,
    /// The port, where it is not the protocol's own.
    pub port: Option<u16>,
    /// The options of the collector's manifest that were set for this target.
    pub options: BTreeMap<String, String>,
    /// The credentials to try, the one that was accepted last time first.
    pub credentials: Vec<Credential>,
}

impl Remote {
    /// An option, when it is set and not empty.
    #[must_use]
    pub fn option(&self, name: &str) -> Option<&str> {
        self.options.get(name).map(String::as_str).filter(|text| !text.is_empty())
    }

    /// The credentials of one kind, in the order in which to try them.
    pub fn credentials(&self, kind: &str) -> impl Iterator<Item = &Credential> {
        self.credentials.iter().filter(move |credential| credential.kind == kind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_never_printed() {
        let credential = Credential {
            name: "lab".into(),
            kind: "snmp_community".into(),
            settings: BTreeMap::new(),
            secrets: BTreeMap::from([("community".into(), Secret::new("hush".into()))]),
        };
        let remote = Remote {
            address: "192.0.2.1".into(),
            port: None,
            options: BTreeMap::new(),
            credentials: vec![credential],
        };
        let printed = format!("{remote:?} {remote:#?}");
        assert!(printed.contains("lab") && !printed.contains("hush"), "{printed}");
    }
}
