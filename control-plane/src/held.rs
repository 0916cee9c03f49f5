//! Held disappearances: what is held, and a person's word about it.
//!
//! A hold is named by its scope and the look that it came from, so that a word is never about a later look.
//!
//! Deliberately not here: when a disappearance is held (`reconcile`), and who may decide (`api`).

use crate::ingest::{Ingest, SubmitError};
use model::Timestamp;
use model::decision::{HeldRecord, Number};
use std::sync::Arc;
use store::findings::{Findings, NamedItem};
use store::items::ReadError;

/// Why something was not answered or not done.
#[derive(Debug, thiserror::Error)]
pub enum HeldError {
    /// It was settled by a person or by a later look.
    #[error("this is not held any more; look again at what is held now")]
    Unknown,
    /// The write path did not take it.
    #[error(transparent)]
    Submit(#[from] SubmitError),
    /// It could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
}

/// Which look of which scope.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeldId {
    /// The scope's number.
    pub scope: Number,
    /// When it was looked at.
    pub at: Timestamp,
}

impl std::fmt::Display for HeldId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}-{}", self.scope, self.at.millis())
    }
}

impl std::str::FromStr for HeldId {
    type Err = HeldError;

    fn from_str(text: &str) -> Result<Self, HeldError> {
        let (scope, at) = text.split_once('-').ok_or(HeldError::Unknown)?;
        let scope = scope.parse().map_err(|_| HeldError::Unknown)?;
        let at = at.parse().map_err(|_| HeldError::Unknown)?;
        Ok(Self { scope, at: Timestamp::from_millis(at) })
    }
}

/// Some of the items that are held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldItems {
    /// The items.
    pub items: Vec<NamedItem>,
    /// How many are held in all.
    pub total: u64,
    /// Where the next ones begin; none at the end.
    pub next: Option<usize>,
}

/// The service.
pub struct Held {
    ingest: Ingest,
    findings: Arc<dyn Findings>,
    identity: Arc<dyn store::identity::Identity>,
}

impl std::fmt::Debug for Held {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Held").finish_non_exhaustive()
    }
}

type Result<T, E = HeldError> = std::result::Result<T, E>;

impl Held {
    /// The service over a write path and its store.
    #[must_use]
    pub const fn new(
        ingest: Ingest,
        findings: Arc<dyn Findings>,
        identity: Arc<dyn store::identity::Identity>,
    ) -> Self {
        Self { ingest, findings, identity }
    }

    async fn record(&self, id: HeldId) -> Result<HeldRecord> {
        let found = self.findings.held(id.scope).await?;
        found.filter(|held| held.at == id.at).ok_or(HeldError::Unknown)
    }

    /// The items of their own that would go, `size` of them from `from` on.
    ///
    /// # Errors
    /// When it is not held any more, or cannot be read.
    pub async fn items(&self, id: HeldId, from: usize, size: usize) -> Result<HeldItems> {
        let held = self.record(id).await?;
        let count = usize::try_from(held.count).unwrap_or(usize::MAX).min(held.natives.len());
        let page: Vec<u64> = held.natives.into_iter().take(count).skip(from).take(size).collect();
        let until = from.saturating_add(page.len());
        let numbers = self.ingest.items_of_sightings(page).await?;
        let named = self.identity.named(&numbers).await?;
        Ok(HeldItems {
            items: named.into_iter().map(|(_, item)| item).collect(),
            total: held.count,
            next: (until < count).then_some(until),
        })
    }

    /// Lets it happen: what no other source sees is retired now. Gives how many items that were.
    ///
    /// # Errors
    /// When it is not held any more, or cannot be stored.
    pub async fn approve(&self, id: HeldId, said_by: &str) -> Result<usize> {
        let held = self.record(id).await?;
        let retired = self.ingest.approve(held, said_by).await?;
        tracing::info!(said_by, held = %id, retired, "a held disappearance was approved");
        Ok(retired)
    }

    /// Leaves everything as it is until the next complete look, which is judged anew.
    ///
    /// # Errors
    /// When it is not held any more, or cannot be stored.
    pub async fn dismiss(&self, id: HeldId, said_by: &str) -> Result<()> {
        self.record(id).await?;
        self.ingest.dismiss(id.scope, id.at, said_by.to_owned()).await?;
        tracing::info!(said_by, held = %id, "a held disappearance was dismissed");
        Ok(())
    }
}
