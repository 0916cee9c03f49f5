//! Credentials: put, listed, removed. Their secrets go in and never come out.

use super::seal::Secrets;
use super::{Targets, TargetsError};
use model::Timestamp;
use model::targets::{CREDENTIALS_MAX, CredentialSet, check_secrets};
use store::targets::CredentialRecord;

/// What is to be stored of a credential.
pub struct CredentialChange {
    /// What is not secret of it.
    pub credential: CredentialSet,
    /// Secrets that are stored in the place of those with their names; an empty one is removed. Those that are not
    /// named stay.
    pub secrets: Secrets,
}

impl std::fmt::Debug for CredentialChange {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CredentialChange")
            .field("name", &self.credential.name)
            .finish_non_exhaustive()
    }
}

/// A credential, without its secrets.
#[derive(Clone, Debug)]
pub struct CredentialView {
    /// What is not secret of it.
    pub credential: CredentialSet,
    /// The names of its secrets.
    pub secret_names: Vec<String>,
    /// Whether the secrets open with the keys that there are.
    pub is_usable: bool,
    /// The sets that name it.
    pub used_by: Vec<String>,
    /// When it was last changed.
    pub changed_at: Timestamp,
    /// By whom.
    pub changed_by: String,
}

impl Targets {
    /// Puts a credential in the place of one with its name; true when there was none. Agents that use it get it at
    /// once.
    ///
    /// # Errors
    /// When it is not accepted, or the store does not answer.
    pub async fn credential_put(
        &self,
        change: CredentialChange,
        by: &str,
    ) -> Result<bool, TargetsError> {
        let _one_after_the_other = self.changing.lock().await;
        let CredentialChange { credential, secrets } = change;
        credential.check()?;
        check_secrets(secrets.iter().map(|(name, text)| (name.as_str(), text.as_str())))?;
        let before = self.inner().credentials.get(&credential.name).cloned();
        let is_new = before.is_none();
        if is_new && self.inner().credentials.len() >= CREDENTIALS_MAX {
            let reason = format!("there are at most {CREDENTIALS_MAX} credentials");
            return Err(TargetsError::invalid("name", reason));
        }
        let mut kept = match &before {
            // Another kind has other secrets.
            Some(before) if before.credential.kind == credential.kind => {
                match self.sealer.unseal(&credential.name, &before.sealed) {
                    Ok(kept) => kept,
                    // What does not open any more may be entered again, as a whole.
                    Err(error) if secrets.is_empty() => return Err(error.into()),
                    Err(_) => Secrets::new(),
                }
            }
            _ => Secrets::new(),
        };
        kept.extend(secrets);
        kept.retain(|_, secret| !secret.is_empty());
        if let Some(name) = kept.keys().find(|name| credential.references.contains_key(*name)) {
            let reason = format!("`{name}` is both stored and fetched; keep one of them");
            return Err(TargetsError::invalid("references", reason));
        }
        if kept.is_empty() && credential.references.is_empty() {
            let reason = "a credential needs a secret, or a reference to one";
            return Err(TargetsError::invalid("secrets", reason));
        }
        let record = CredentialRecord {
            secret_names: kept.keys().cloned().collect(),
            sealed: self.sealer.seal(&credential.name, &kept)?,
            credential,
            changed_at: self.now(),
            changed_by: by.to_owned(),
        };
        self.store.credential_put(record.clone()).await?;
        tracing::info!(credential = record.credential.name, by, "credential stored");
        let mut inner = self.inner();
        inner.credentials.insert(record.credential.name.clone(), record);
        inner.is_content_due = true;
        self.wake_plan(&mut inner);
        Ok(is_new)
    }

    /// Removes a credential.
    ///
    /// # Errors
    /// When there is none, a set names it, or the store does not answer.
    pub async fn credential_delete(&self, name: &str, by: &str) -> Result<(), TargetsError> {
        let _one_after_the_other = self.changing.lock().await;
        let used_by = self.inner().used_by(name);
        if !used_by.is_empty() {
            let reason =
                format!("`{name}` is used by {}; take it out of them first", used_by.join(", "));
            return Err(TargetsError::invalid("name", reason));
        }
        if !self.store.credential_delete(name).await? {
            return Err(TargetsError::NotFound { what: "credential", name: name.to_owned() });
        }
        tracing::info!(credential = name, by, "credential removed");
        self.inner().credentials.remove(name);
        Ok(())
    }

    /// Credentials by name, behind this one; at most `limit`.
    #[must_use]
    pub fn credentials(&self, after: Option<&str>, limit: usize) -> Vec<CredentialView> {
        use std::ops::Bound::{Excluded, Unbounded};
        let inner = self.inner();
        let from = after.map_or(Unbounded, Excluded);
        let range = inner.credentials.range::<str, _>((from, Unbounded));
        range.take(limit).map(|(_, record)| self.credential_view(&inner, record)).collect()
    }

    /// The credential of this name.
    #[must_use]
    pub fn credential(&self, name: &str) -> Option<CredentialView> {
        let inner = self.inner();
        inner.credentials.get(name).map(|record| self.credential_view(&inner, record))
    }

    fn credential_view(&self, inner: &super::Inner, record: &CredentialRecord) -> CredentialView {
        let name = &record.credential.name;
        CredentialView {
            credential: record.credential.clone(),
            secret_names: record.secret_names.clone(),
            is_usable: self.sealer.unseal(name, &record.sealed).is_ok(),
            used_by: inner.used_by(name),
            changed_at: record.changed_at,
            changed_by: record.changed_by.clone(),
        }
    }

    /// Seals with the newest key what an older one sealed.
    pub(super) async fn seal_anew(&self) -> Result<(), TargetsError> {
        let outdated: Vec<CredentialRecord> = {
            let inner = self.inner();
            let records = inner.credentials.values();
            records.filter(|record| self.sealer.is_outdated(&record.sealed)).cloned().collect()
        };
        for mut record in outdated {
            let name = record.credential.name.clone();
            match self.sealer.unseal(&name, &record.sealed) {
                Ok(secrets) => {
                    record.sealed = self.sealer.seal(&name, &secrets)?;
                    self.store.credential_put(record.clone()).await?;
                    tracing::info!(credential = name, "sealed with the newest key");
                    self.inner().credentials.insert(name, record);
                }
                Err(error) => {
                    tracing::error!(credential = name, %error, "a credential cannot be used")
                }
            }
        }
        Ok(())
    }
}

impl super::Inner {
    fn used_by(&self, credential: &str) -> Vec<String> {
        let names = |set: &&super::KnownSet| {
            set.record.set.credentials.iter().any(|name| name == credential)
        };
        self.sets.values().filter(names).map(|set| set.record.set.name.clone()).collect()
    }
}
