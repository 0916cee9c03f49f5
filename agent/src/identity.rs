//! The agent's identity on disk: key, certificate chain, roots, and what the control plane said at enrollment.
//!
//! Invariants: the directory is 0700 and every file 0600; `agent.json` is written last, so that an identity is whole
//! or not there; a renewal replaces the chain and keeps the key. The key appears in no log and no `Debug` output.
//!
//! Deliberately not here: obtaining an identity (`enrollment`) and using it (`uplink`).

mod validity;

pub use validity::Validity;

use crate::place;
use model::AgentId;
use pki::AgentKey;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// The most bytes of any file of an identity.
const FILE_BYTES_MAX: u64 = 256 * 1024;

/// Why an identity cannot be used or kept.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file cannot be read.
    #[error("cannot read `{}`", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// A file cannot be written.
    #[error("cannot write `{}`", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// A file does not hold what it should.
    #[error("`{}` does not hold {what}; move the directory away and enroll this host again", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What it should hold.
        what: &'static str,
    },
    /// Key or certificate cannot be used.
    #[error("the agent's key or certificate cannot be used")]
    Pki(#[from] pki::Error),
}

/// What the control plane said at enrollment; not secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Enrolled {
    /// Form of this file.
    pub version: u32,
    /// The agent's id.
    pub agent_id: AgentId,
    /// The site that scopes addresses and host names.
    pub site: String,
    /// Labels from the token.
    pub labels: BTreeMap<String, String>,
    /// Addresses of the uplink in the order to try.
    pub endpoints: Vec<String>,
    /// Where the agent was enrolled.
    pub server: String,
    /// When, milliseconds since the Unix epoch.
    pub enrolled_at: i64,
}

/// The form of `agent.json` that this build writes.
pub const ENROLLED_VERSION: u32 = 1;

/// The agent's identity.
#[derive(Clone, Debug)]
pub struct Identity {
    /// What the control plane said at enrollment.
    pub enrolled: Enrolled,
    /// The key; made here, sent nowhere.
    pub key: AgentKey,
    /// The agent's certificate first, DER.
    pub chain: Vec<Vec<u8>>,
    /// Roots that the control plane is recognized by, DER.
    pub roots: Vec<Vec<u8>>,
    /// From when to when the certificate holds.
    pub validity: Validity,
}

/// The part of the certificate's life after which it is renewed at the earliest, in percent.
const RENEW_AFTER_PERCENT_LEAST: u32 = 60;
/// The part of its life by which a renewal is tried at the latest, in percent.
const RENEW_AFTER_PERCENT_MOST: u32 = 75;

/// The files of an identity.
#[derive(Clone, Debug)]
pub struct Store {
    directory: PathBuf,
}

impl Store {
    /// The identity below a state directory.
    #[must_use]
    pub fn new(state: &Path) -> Self {
        Self { directory: state.join("identity") }
    }

    /// Where the files lie.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    fn read(&self, name: &str) -> Result<Vec<u8>, Error> {
        let path = self.path(name);
        let read = |path: &Path| {
            if std::fs::metadata(path)?.len() > FILE_BYTES_MAX {
                return Err(io::Error::new(io::ErrorKind::FileTooLarge, "the file is too large"));
            }
            std::fs::read(path)
        };
        read(&path).map_err(|source| Error::Read { path, source })
    }

    fn certificates(&self, name: &str) -> Result<Vec<Vec<u8>>, Error> {
        let damaged = || Error::Damaged { path: self.path(name), what: "certificates" };
        let certificates = pki::certificates_from_pem(&self.read(name)?).ok_or_else(damaged)?;
        if certificates.is_empty() { Err(damaged()) } else { Ok(certificates) }
    }

    /// What the control plane said at enrollment; `None` when there is no identity.
    ///
    /// # Errors
    /// When it is there and cannot be read.
    pub fn enrolled(&self) -> Result<Option<Enrolled>, Error> {
        let text = match self.read("agent.json") {
            Err(Error::Read { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                return Ok(None);
            }
            text => text?,
        };
        let damaged = |_| Error::Damaged { path: self.path("agent.json"), what: "an enrollment" };
        serde_json::from_slice(&text).map(Some).map_err(damaged)
    }

    /// The identity; `None` when there is none.
    ///
    /// # Errors
    /// When it is there and cannot be used.
    pub fn load(&self) -> Result<Option<Identity>, Error> {
        let Some(enrolled) = self.enrolled()? else { return Ok(None) };
        let chain = self.certificates("chain.pem")?;
        let damaged = || Error::Damaged { path: self.path("chain.pem"), what: "a certificate" };
        let validity = chain.first().and_then(|leaf| Validity::of(leaf)).ok_or_else(damaged)?;
        let roots = self.certificates("roots.pem")?;
        let key = AgentKey::load(&self.path("key.pem"))?;
        Ok(Some(Identity { enrolled, key, chain, roots, validity }))
    }

    /// Keeps a new identity, durably.
    ///
    /// # Errors
    /// What the disk says; then there is no identity.
    pub fn save(&self, identity: &Identity) -> Result<(), Error> {
        let write = |source| Error::Write { path: self.directory.clone(), source };
        place::create_private_directory(&self.directory).map_err(write)?;
        identity.key.store(&self.path("key.pem"))?;
        self.save_certificates(&identity.chain, &identity.roots)?;
        let text = serde_json::to_vec_pretty(&identity.enrolled).map_err(io::Error::other);
        let path = self.path("agent.json");
        let result = text.and_then(|text| place::replace_durably(&path, &text));
        result.map_err(|source| Error::Write { path, source })
    }

    /// Keeps the certificates of a renewal, durably. Roots first: with new roots and the old chain the agent still
    /// connects.
    ///
    /// # Errors
    /// What the disk says.
    pub fn save_certificates(&self, chain: &[Vec<u8>], roots: &[Vec<u8>]) -> Result<(), Error> {
        for (name, certificates) in [("roots.pem", roots), ("chain.pem", chain)] {
            let path = self.path(name);
            let pem = pki::certificates_to_pem(certificates);
            place::replace_durably(&path, pem.as_bytes())
                .map_err(|source| Error::Write { path, source })?;
        }
        Ok(())
    }

    /// What the last Welcome gave to be shown at the next Hello; empty when there is none.
    #[must_use]
    pub fn nonce(&self) -> Vec<u8> {
        self.read("nonce").unwrap_or_default()
    }

    /// Keeps a nonce, durably: it must not be shown before it is.
    ///
    /// # Errors
    /// What the disk says.
    pub fn save_nonce(&self, nonce: &[u8]) -> Result<(), Error> {
        let path = self.path("nonce");
        place::replace_durably(&path, nonce).map_err(|source| Error::Write { path, source })
    }
}

impl Identity {
    /// Whether the certificate has run out; it may then only be renewed.
    #[must_use]
    pub fn is_expired(&self, now: SystemTime) -> bool {
        now >= self.validity.not_after
    }

    /// How long until the certificate is to be renewed: at a random moment between 60 % and 75 % of its life, so that
    /// agents enrolled together do not come together. `part` is the random draw, 0 to 65535.
    #[must_use]
    pub fn renew_in(&self, now: SystemTime, part: u16) -> Duration {
        let Validity { not_before, not_after } = self.validity;
        let life = not_after.duration_since(not_before).unwrap_or_default();
        let range = RENEW_AFTER_PERCENT_MOST - RENEW_AFTER_PERCENT_LEAST;
        let percent =
            f64::from(RENEW_AFTER_PERCENT_LEAST) + f64::from(range) * f64::from(part) / 65_536.0;
        let at = not_before + life.mul_f64(percent / 100.0);
        at.duration_since(now).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(directory: &Path) -> Identity {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
        let authority = pki::Authority::load_or_create(&directory.join("pki"), now).unwrap();
        let key = AgentKey::generate().unwrap();
        let agent = AgentId::from_bytes([7; 16]);
        let day = Duration::from_secs(86_400);
        let issued = authority.issue_agent(&key.csr_der().unwrap(), agent, now, day).unwrap();
        let validity = Validity::of(&issued.chain_der[0]).unwrap();
        let enrolled = Enrolled {
            version: ENROLLED_VERSION,
            agent_id: agent,
            site: "berlin".into(),
            labels: BTreeMap::new(),
            endpoints: vec!["127.0.0.1:7443".into()],
            server: "127.0.0.1:7444".into(),
            enrolled_at: 0,
        };
        let roots = vec![authority.root_der().to_vec()];
        Identity { enrolled, key, chain: issued.chain_der, roots, validity }
    }

    #[test]
    fn a_half_written_identity_is_none() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::new(directory.path());
        assert!(store.load().unwrap().is_none());
        store.save(&identity(directory.path())).unwrap();
        std::fs::remove_file(store.path("agent.json")).unwrap();
        assert!(store.load().unwrap().is_none());
    }

    #[test]
    fn a_damaged_certificate_is_named_and_not_used() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::new(directory.path());
        store.save(&identity(directory.path())).unwrap();
        std::fs::write(store.path("chain.pem"), "nonsense").unwrap();
        let error = store.load().unwrap_err().to_string();
        assert!(error.contains("chain.pem") && error.contains("enroll"), "{error}");
    }

    #[test]
    fn an_identity_survives_the_disk_and_shows_no_key() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::new(directory.path());
        let saved = identity(directory.path());
        store.save(&saved).unwrap();
        let loaded = store.load().unwrap().unwrap();
        assert_eq!(loaded.enrolled, saved.enrolled);
        assert_eq!(loaded.chain, saved.chain);
        assert!(!format!("{loaded:?}").contains("PRIVATE"));
    }

    #[test]
    fn a_certificate_is_renewed_between_60_and_75_percent_of_its_life() {
        let directory = tempfile::tempdir().unwrap();
        let identity = identity(directory.path());
        let Validity { not_before, not_after } = identity.validity;
        let life = not_after.duration_since(not_before).unwrap();
        let least = identity.renew_in(not_before, 0);
        let most = identity.renew_in(not_before, u16::MAX);
        assert!(least >= life.mul_f64(0.599) && most <= life.mul_f64(0.751), "{least:?} {most:?}");
        assert_eq!(identity.renew_in(not_after, 0), Duration::ZERO);
        assert!(identity.is_expired(not_after) && !identity.is_expired(not_before));
    }
}
