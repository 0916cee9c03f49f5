//! Values that people fix: said, taken back and listed.
//!
//! Invariant: what is fixed fits its attribute, so that a lock can never say what no source could.
//!
//! Deliberately not here: which value wins (`model::fold`), and who may say it (`api`).

use super::{Identity, IdentityError, Result};
use crate::ingest::{Fixed, Fixing};
use model::decision::LockRecord;
use model::query::At;
use model::{Catalog, ItemId, Kind, Name, Nature, Timestamp, Value};

/// Why a value cannot be fixed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// No such attribute is declared.
    #[error(
        "the class `{class}` has no attribute `{attribute}`; `dharma classes` lists what there is"
    )]
    NoAttribute {
        /// The class.
        class: String,
        /// The attribute.
        attribute: String,
    },
    /// It is a reading.
    #[error("`{0}` is a reading: its newest value counts, so nothing can be fixed")]
    Reading(String),
    /// It has another kind.
    #[error("`{attribute}` is {kind}; the value is not")]
    WrongKind {
        /// The attribute.
        attribute: String,
        /// What it is declared as.
        kind: &'static str,
    },
}

/// The declared kind of an attribute that people can fix.
///
/// # Errors
/// When there is no such attribute, or it is a reading.
pub fn kind_of(
    catalog: &Catalog,
    class: &str,
    attribute: &str,
) -> std::result::Result<(Name, Kind), Unfit> {
    let declared = catalog.class(class).and_then(|class| class.attribute(attribute));
    let declared = declared.ok_or_else(|| Unfit::NoAttribute {
        class: class.to_owned(),
        attribute: attribute.to_owned(),
    })?;
    if declared.nature == Nature::Reading {
        return Err(Unfit::Reading(attribute.to_owned()));
    }
    Ok((declared.name.clone(), declared.kind))
}

impl Identity {
    /// The class of an item.
    ///
    /// # Errors
    /// When there is no such item, or it cannot be read.
    pub async fn class_of(&self, id: ItemId) -> Result<Name> {
        let item = self.items.item(id, At::Now).await?;
        Ok(item.ok_or(IdentityError::UnknownItem(id))?.class)
    }

    /// The values of an item that people fixed.
    ///
    /// # Errors
    /// When there is no such item, or they cannot be read.
    pub async fn locks(&self, id: ItemId) -> Result<Vec<LockRecord>> {
        let locks = self.store.locks(id).await?;
        locks.ok_or(IdentityError::UnknownItem(id))
    }

    /// Fixes a value that fits its attribute; gives until when.
    ///
    /// # Errors
    /// When there is no such item, the time is over, or it cannot be stored.
    pub async fn lock(
        &self,
        id: ItemId,
        attribute: Name,
        fixed: Fixed,
        said_by: &str,
    ) -> Result<Timestamp> {
        let until = fixed.until;
        let fixed_until = self.fix(id, attribute, Some(fixed), said_by).await?;
        Ok(fixed_until.unwrap_or(until))
    }

    /// Lets sources decide again about an attribute.
    ///
    /// # Errors
    /// When nothing is fixed there, or it cannot be stored.
    pub async fn unlock(&self, id: ItemId, attribute: Name, said_by: &str) -> Result<()> {
        self.fix(id, attribute, None, said_by).await.map(drop)
    }

    async fn fix(
        &self,
        id: ItemId,
        attribute: Name,
        lock: Option<Fixed>,
        said_by: &str,
    ) -> Result<Option<Timestamp>> {
        let numbers = self.numbers(&[id]).await?;
        let item = numbers.first().copied().unwrap_or(0);
        let fixing = Fixing { item, attribute, said_by: said_by.to_owned(), lock };
        Ok(self.ingest.fix(fixing).await?)
    }
}

/// Whether a value can be fixed where this kind is declared.
///
/// # Errors
/// When it cannot.
pub fn check(attribute: &str, kind: Kind, value: &Value) -> std::result::Result<(), Unfit> {
    if value.fits(kind) {
        return Ok(());
    }
    Err(Unfit::WrongKind { attribute: attribute.to_owned(), kind: kind.name() })
}
