//! Items in a query: what is known of one when a branch reaches it, and the rest when a field asks for it.
//!
//! A relation brings id, class, title and state of its other end. As long as no field asks for more, the item itself
//! is not read.

use super::loader::{ItemKey, ItemLoader};
use super::{app, names};
use crate::api::error::ApiError;
use async_graphql::Context;
use async_graphql::dataloader::DataLoader;
use async_graphql::dynamic::FieldValue;
use model::query::At;
use model::{Item, ItemId, ItemState, Name, RelatedItem};
use std::sync::Arc;
use store::findings::NamedItem;

/// An item that a branch of the query has reached.
#[derive(Clone)]
pub(super) struct ItemNode {
    pub(super) id: ItemId,
    pub(super) class: Name,
    pub(super) title: String,
    pub(super) state: ItemState,
    /// The moment that is asked about.
    pub(super) at: At,
    full: Option<Arc<Item>>,
}

impl ItemNode {
    pub(super) fn full(item: Item, at: At) -> Self {
        Self {
            id: item.id,
            class: item.class.clone(),
            title: item.title.clone(),
            state: item.state,
            at,
            full: Some(Arc::new(item)),
        }
    }

    pub(super) fn related(related: &RelatedItem, at: At) -> Self {
        Self {
            id: related.item,
            class: related.class.clone(),
            title: related.title.clone(),
            state: related.state,
            at,
            full: None,
        }
    }

    /// An item of a finding, as it is now.
    pub(super) fn named(item: &NamedItem) -> Self {
        Self {
            id: item.id,
            class: item.class.clone(),
            title: item.title.clone(),
            state: item.state,
            at: At::Now,
            full: None,
        }
    }

    /// The same at another moment.
    pub(super) fn at(self, at: At) -> Self {
        Self { at, ..self }
    }

    /// The whole item, read together with the others of the query when it is not here yet.
    pub(super) async fn item(&self, context: &Context<'_>) -> Result<Arc<Item>, ApiError> {
        if let Some(item) = &self.full {
            return Ok(Arc::clone(item));
        }
        load(context, self.id, self.at)
            .await?
            .ok_or_else(|| ApiError::not_found("item", &self.id.to_string()))
    }

    /// The value of a field whose type is the interface.
    pub(super) fn value<'a>(self, context: &Context<'_>) -> Result<FieldValue<'a>, ApiError> {
        let type_name = match app(context)?.catalog.class(&self.class) {
            Some(class) => names::type_of(&class.name),
            None => "OtherItem".to_owned(),
        };
        Ok(FieldValue::owned_any(self).with_type(type_name))
    }
}

/// Reads an item together with the others of the query.
pub(super) async fn load(
    context: &Context<'_>,
    id: ItemId,
    at: At,
) -> Result<Option<Arc<Item>>, ApiError> {
    let key = ItemKey::new(id, at);
    let loader = context.data::<DataLoader<ItemLoader>>().map_err(|_| {
        ApiError::new(crate::api::error::Code::Internal, "the query has no loader of items")
    })?;
    loader.load_one(key).await
}

/// The item of an id as a field's value; nothing when there is none.
pub(super) async fn value_of<'a>(
    context: &Context<'_>,
    id: ItemId,
    at: At,
) -> Result<Option<FieldValue<'a>>, ApiError> {
    match load(context, id, at).await? {
        None => Ok(None),
        Some(item) => ItemNode::full(Item::clone(&item), at).value(context).map(Some),
    }
}
