//! Loads the items of a query's many branches together: a page of relations asks for all of its items at once.

use crate::api::error::ApiError;
use async_graphql::dataloader::Loader;
use model::query::At;
use model::{Item, ItemId, Timestamp};
use std::collections::HashMap;
use std::sync::Arc;
use store::items::Items;

/// An item at a moment; `None` is now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct ItemKey {
    pub(super) id: ItemId,
    at: Option<Timestamp>,
}

impl ItemKey {
    pub(super) const fn new(id: ItemId, at: At) -> Self {
        let at = match at {
            At::Now => None,
            At::Time(at) => Some(at),
        };
        Self { id, at }
    }

    const fn moment(&self) -> At {
        match self.at {
            None => At::Now,
            Some(at) => At::Time(at),
        }
    }
}

/// Asks the store.
pub(super) struct ItemLoader {
    pub(super) items: Arc<dyn Items>,
}

impl Loader<ItemKey> for ItemLoader {
    type Value = Arc<Item>;
    type Error = ApiError;

    async fn load(&self, keys: &[ItemKey]) -> Result<HashMap<ItemKey, Arc<Item>>, ApiError> {
        // Nearly always there is one moment.
        let mut moments: HashMap<Option<Timestamp>, Vec<ItemKey>> = HashMap::new();
        for key in keys {
            moments.entry(key.at).or_default().push(*key);
        }
        let mut found = HashMap::with_capacity(keys.len());
        for keys in moments.into_values() {
            let Some(at) = keys.first().map(ItemKey::moment) else { continue };
            let ids: Vec<ItemId> = keys.iter().map(|key| key.id).collect();
            let items = self.items.items(&ids, at).await?;
            found.extend(items.into_iter().map(|item| (ItemKey::new(item.id, at), Arc::new(item))));
        }
        Ok(found)
    }
}
