//! What is read over the network, how, when and by whom: target sets and the credentials that they name.
//!
//! Invariants: what [`TargetSet::check`] accepted can be expanded, and expands into at most [`TARGETS_MAX`] targets;
//! a credential here has no secret, only their names and where they are fetched from. Everything is bounded, and
//! every refusal says what to write instead.
//!
//! Deliberately not here: which agent reads a target, and how secrets are kept (the control plane).

pub mod addresses;
mod window;

pub use window::Window;

use crate::AgentId;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Target sets of an installation.
pub const SETS_MAX: usize = 1000;
/// Credentials of an installation.
pub const CREDENTIALS_MAX: usize = 1000;
/// Targets of one set, expanded: a /16.
pub const TARGETS_MAX: usize = 65_536;
/// Entries of one set, before they are expanded.
pub const ENTRIES_MAX: usize = 65_536;
/// Letters of a name of a set or a credential; it stands in paths and file names.
const NAME_LETTERS_MAX: usize = 63;
/// Bytes of a site.
const SITE_BYTES_MAX: usize = 128;
/// Credentials that one set tries; every one of them is an attempt at a login.
const CREDENTIALS_OF_SET_MAX: usize = 16;
/// Agents that one set is kept to.
const AGENTS_MAX: usize = 256;
/// Options of a set, settings and secrets of a credential.
const PAIRS_MAX: usize = 64;
/// Bytes of an option's or setting's name.
const PAIR_NAME_BYTES_MAX: usize = 64;
/// Bytes of an option's or setting's value.
const PAIR_VALUE_BYTES_MAX: usize = 4096;
/// Bytes of a secret: a private key with its certificate stays far below.
pub const SECRET_BYTES_MAX: usize = 64 * 1024;
/// Windows of one set.
const WINDOWS_MAX: usize = 32;
/// The shortest and longest interval between two looks.
const INTERVAL_SECONDS: (u32, u32) = (10, 31 * 24 * 3600);
/// Targets of a set that are read at the same time.
const CONCURRENCY_MAX: u32 = 1024;
/// How many are read at once when nobody says.
const CONCURRENCY_DEFAULT: u32 = 16;
/// Looks that begin in a minute.
const RATE_MAX: u32 = 100_000;
/// The collector whose targets are whole prefixes unless said otherwise.
const WHOLE_COLLECTOR: &str = "sweep";

/// Why a target set or a credential is not accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{field}`: {reason}")]
pub struct Invalid {
    /// The field.
    pub field: &'static str,
    /// Why, and what is allowed.
    pub reason: String,
}

fn invalid<T>(field: &'static str, reason: impl Into<String>) -> Result<T, Invalid> {
    Err(Invalid { field, reason: reason.into() })
}

/// Things that are read the same way.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TargetSet {
    /// Its name.
    pub name: String,
    /// The collector that reads them.
    pub collector: String,
    /// Addresses, ranges, prefixes and names.
    pub addresses: Vec<String>,
    /// Of those, the ones that are left alone; in the same forms.
    #[serde(default)]
    pub exclusions: Vec<String>,
    /// The site: only its agents read them, and its network is where the addresses mean something.
    #[serde(default)]
    pub site: String,
    /// Only these agents of the site; none: any.
    #[serde(default)]
    pub agents: Vec<AgentId>,
    /// Names of credentials, in the order to try.
    #[serde(default)]
    pub credentials: Vec<String>,
    /// The port, where it is not the protocol's own.
    #[serde(default)]
    pub port: Option<u16>,
    /// Options of the collector.
    #[serde(default)]
    pub options: BTreeMap<String, String>,
    /// How often each is looked at; as the collector declares when missing.
    #[serde(default)]
    pub interval_seconds: Option<u32>,
    /// When looks may begin, in UTC, such as `mon-fri 22:00-06:00`; none: always.
    #[serde(default)]
    pub windows: Vec<String>,
    /// How many are read at the same time by one agent; 16 when missing.
    #[serde(default)]
    pub concurrency: Option<u32>,
    /// How many looks one agent begins in a minute; no limit when missing.
    #[serde(default)]
    pub looks_per_minute: Option<u32>,
    /// They bear little: one at a time, and the collector is told to be gentle.
    #[serde(default)]
    pub is_fragile: bool,
    /// Prefixes and ranges are handed to the collector as they are, instead of address by address; when missing, so
    /// for sweeps only.
    #[serde(default)]
    pub is_whole: Option<bool>,
    /// Whether they are read.
    #[serde(default = "yes")]
    pub is_enabled: bool,
}

const fn yes() -> bool {
    true
}

impl TargetSet {
    /// How many are read at the same time by one agent.
    #[must_use]
    pub fn concurrency(&self) -> u32 {
        if self.is_fragile { 1 } else { self.concurrency.unwrap_or(CONCURRENCY_DEFAULT) }
    }

    /// Whether prefixes are handed on as they are.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.is_whole.unwrap_or(self.collector == WHOLE_COLLECTOR)
    }

    /// Every target's address.
    ///
    /// # Errors
    /// When an entry is malformed, or there are too many.
    pub fn expanded(&self) -> Result<Vec<String>, Invalid> {
        addresses::expanded(&self.addresses, &self.exclusions, self.is_whole())
    }

    /// How the observations of one of them name their source: the address, its port where it is not the protocol's
    /// own, and the site, so that 192.0.2.1 of two sites are two.
    #[must_use]
    pub fn target_id(&self, address: &str) -> String {
        match self.port {
            Some(port) => format!("{address}#{port}@{}", self.site),
            None => format!("{address}@{}", self.site),
        }
    }

    /// Whether it can be used; its targets if so.
    ///
    /// # Errors
    /// The first thing that is wrong, and what to write instead.
    pub fn check(&self) -> Result<Vec<String>, Invalid> {
        check_name("name", &self.name)?;
        check_name("collector", &self.collector)?;
        if self.collector == "host" {
            return invalid(
                "collector",
                "`host` describes the agent's own host; a target needs a collector that reads over the network",
            );
        }
        if self.site.len() > SITE_BYTES_MAX || self.site.chars().any(char::is_control) {
            return invalid(
                "site",
                format!("a site has at most {SITE_BYTES_MAX} bytes and no control characters"),
            );
        }
        if self.agents.len() > AGENTS_MAX {
            return invalid("agents", format!("a set is kept to at most {AGENTS_MAX} agents"));
        }
        if self.credentials.len() > CREDENTIALS_OF_SET_MAX {
            return invalid(
                "credentials",
                format!(
                    "a set tries at most {CREDENTIALS_OF_SET_MAX} credentials: every one is an attempt to log in"
                ),
            );
        }
        self.credentials.iter().try_for_each(|name| check_name("credentials", name))?;
        if self.port == Some(0) {
            return invalid("port", "a port is from 1 to 65535");
        }
        check_pairs("options", &self.options)?;
        self.check_pace()?;
        for window in self.windows.iter().take(WINDOWS_MAX) {
            Window::parse(window)?;
        }
        if self.windows.len() > WINDOWS_MAX {
            return invalid("windows", format!("a set has at most {WINDOWS_MAX} windows"));
        }
        self.expanded()
    }

    fn check_pace(&self) -> Result<(), Invalid> {
        let (least, most) = INTERVAL_SECONDS;
        if self.interval_seconds.is_some_and(|seconds| !(least..=most).contains(&seconds)) {
            return invalid(
                "interval_seconds",
                format!("the interval is from {least} to {most} seconds"),
            );
        }
        if self.concurrency.is_some_and(|count| !(1..=CONCURRENCY_MAX).contains(&count)) {
            return invalid("concurrency", format!("from 1 to {CONCURRENCY_MAX}"));
        }
        if self.looks_per_minute.is_some_and(|count| !(1..=RATE_MAX).contains(&count)) {
            return invalid("looks_per_minute", format!("from 1 to {RATE_MAX}, or left out"));
        }
        Ok(())
    }
}

/// One way to be let in, without its secrets.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CredentialSet {
    /// Its name.
    pub name: String,
    /// What it is for, such as `snmp_community`, `ssh_password`.
    pub kind: String,
    /// What is not secret of it.
    #[serde(default)]
    pub settings: BTreeMap<String, String>,
    /// Secrets that the agent fetches itself, by name: `env:NAME` or `file:/path`.
    #[serde(default)]
    pub references: BTreeMap<String, String>,
}

impl CredentialSet {
    /// Whether it can be used.
    ///
    /// # Errors
    /// The first thing that is wrong, and what to write instead.
    pub fn check(&self) -> Result<(), Invalid> {
        check_name("name", &self.name)?;
        check_name("kind", &self.kind)?;
        check_pairs("settings", &self.settings)?;
        check_pairs("references", &self.references)?;
        self.references.values().try_for_each(|reference| Reference::parse(reference).map(drop))
    }
}

/// Where the agent fetches a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reference {
    /// A variable of the agent's environment.
    Environment(String),
    /// A file on the agent's host, absolute.
    File(String),
}

impl Reference {
    /// From `env:NAME` or `file:/path`.
    ///
    /// # Errors
    /// When it is neither. The error does not repeat the text: it may be a secret in the wrong field.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        if let Some(name) = text.strip_prefix("env:") {
            let is_name = !name.is_empty()
                && name.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_');
            return if is_name {
                Ok(Self::Environment(name.to_owned()))
            } else {
                invalid("references", "a variable has letters, digits and `_` only: env:NAME")
            };
        }
        if let Some(path) = text.strip_prefix("file:") {
            let is_plain = path.starts_with('/')
                && !path.contains("/../")
                && !path.chars().any(char::is_control);
            return if is_plain {
                Ok(Self::File(path.to_owned()))
            } else {
                invalid("references", "a file is named by its absolute path: file:/path")
            };
        }
        if text.starts_with("vault:") {
            return invalid(
                "references",
                "this version fetches nothing from a vault; write env:NAME or file:/path, or store the secret here",
            );
        }
        invalid("references", "a reference is env:NAME or file:/path")
    }
}

/// Holds a name to the form that fits into paths, files and commands.
///
/// # Errors
/// When it does not fit.
pub fn check_name(field: &'static str, name: &str) -> Result<(), Invalid> {
    let mut letters = name.chars();
    let begins =
        letters.next().is_some_and(|first| first.is_ascii_lowercase() || first.is_ascii_digit());
    let is_plain = name
        .chars()
        .all(|one| one.is_ascii_lowercase() || one.is_ascii_digit() || "._-".contains(one));
    if !begins || !is_plain || name.len() > NAME_LETTERS_MAX {
        return invalid(
            field,
            format!(
                "a name has 1 to {NAME_LETTERS_MAX} of a-z, 0-9, `.`, `_`, `-`, and begins with a letter or digit"
            ),
        );
    }
    Ok(())
}

fn check_pairs(field: &'static str, pairs: &BTreeMap<String, String>) -> Result<(), Invalid> {
    if pairs.len() > PAIRS_MAX {
        return invalid(field, format!("there are at most {PAIRS_MAX}"));
    }
    for (name, value) in pairs {
        if name.is_empty() || name.len() > PAIR_NAME_BYTES_MAX || name.chars().any(char::is_control)
        {
            return invalid(
                field,
                format!("a name has 1 to {PAIR_NAME_BYTES_MAX} bytes and no control characters"),
            );
        }
        if value.len() > PAIR_VALUE_BYTES_MAX || value.contains('\0') {
            return invalid(field, format!("a value has at most {PAIR_VALUE_BYTES_MAX} bytes"));
        }
    }
    Ok(())
}

/// Holds secrets to their bounds. The error never repeats one.
///
/// # Errors
/// When there are too many, or one is empty or too long.
pub fn check_secrets<'a>(
    secrets: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> Result<(), Invalid> {
    for (count, (name, secret)) in secrets.into_iter().enumerate() {
        if count >= PAIRS_MAX {
            return invalid("secrets", format!("there are at most {PAIRS_MAX}"));
        }
        check_name("secrets", name)?;
        if secret.len() > SECRET_BYTES_MAX {
            return invalid("secrets", format!("a secret has at most {SECRET_BYTES_MAX} bytes"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
