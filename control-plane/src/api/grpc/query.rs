//! Questions about items for programs, and a watch that never skips a change silently.

mod convert;

use crate::api::auth::layer::Caller;
use crate::api::auth::{Action, Principal};
use crate::api::error::{ApiError, Code};
use crate::api::live::{Feed, RECHECK_INTERVAL};
use crate::api::rest::filter;
use crate::api::rest::page::PageRequest;
use crate::app::App;
use convert::{change_to, item_to};
use futures::stream::BoxStream;
use futures::{Stream, StreamExt};
use model::query::{At, ChangeFilter, Filter, Order, PAGE_SIZE_MAX};
use model::{ItemId, Revision, Timestamp};
use proto::v1::query_server::Query;
use proto::v1::{
    Change, GetItemRequest, Item, ListChangesRequest, ListChangesResponse, ListItemsRequest,
    ListItemsResponse, WatchRequest,
};
use std::sync::Arc;
use tonic::{Request, Response, Status};

/// The query service.
#[derive(Debug, Clone)]
pub struct Service {
    app: App,
}

impl Service {
    /// The service over everything that can be asked for.
    #[must_use]
    pub const fn new(app: App) -> Self {
        Self { app }
    }

    async fn item(&self, request: GetItemRequest) -> Result<Item, ApiError> {
        let id: ItemId =
            request.id.parse().map_err(|_| ApiError::not_found("item", &request.id))?;
        let item = self.app.items.item(id, at(request.at)).await?;
        item.as_ref().map(item_to).ok_or_else(|| ApiError::not_found("item", &request.id))
    }

    async fn items(&self, request: ListItemsRequest) -> Result<ListItemsResponse, ApiError> {
        let filter = Filter {
            classes: filter::classes(request.classes, &self.app.catalog)?,
            states: filter::states(&request.states)?,
            parent: optional_id("parent_id", &request.parent_id)?,
            text: Some(request.text).filter(|text| !text.is_empty()),
            conditions: Vec::new(),
        };
        let at = at(request.at);
        let question = filter::question(&filter, &format!("items|{:?}|{at:?}", Order::Title));
        let page = PageRequest::of(size(request.page_size)?, &request.page_token, &question)?;
        let found = self.app.items.find(&filter, Order::Title, &page.page, at).await?;
        Ok(ListItemsResponse {
            next_page_token: page
                .next(found.entries.last().map(|(cursor, _)| cursor), found.has_more),
            items: found.entries.iter().map(|(_, item)| item_to(item)).collect(),
        })
    }

    async fn changes(&self, request: ListChangesRequest) -> Result<ListChangesResponse, ApiError> {
        let filter = ChangeFilter {
            item: optional_id("item_id", &request.item_id)?,
            with_parts: request.with_parts,
            classes: filter::classes(request.classes, &self.app.catalog)?,
            since: (request.since != 0).then(|| Timestamp::from_millis(request.since)),
            after_revision: None,
        };
        let question = format!("changes|{filter:?}");
        let page = PageRequest::of(size(request.page_size)?, &request.page_token, &question)?;
        let found = self.app.items.changes(&filter, &page.page).await?;
        Ok(ListChangesResponse {
            next_page_token: page
                .next(found.entries.last().map(|(cursor, _)| cursor), found.has_more),
            changes: found.entries.iter().map(|(_, change)| change_to(change)).collect(),
        })
    }
}

#[tonic::async_trait]
impl Query for Service {
    type WatchStream = BoxStream<'static, Result<Change, Status>>;

    async fn get_item(&self, request: Request<GetItemRequest>) -> Result<Response<Item>, Status> {
        allowed(&request)?;
        Ok(Response::new(self.item(request.into_inner()).await?))
    }

    async fn list_items(
        &self,
        request: Request<ListItemsRequest>,
    ) -> Result<Response<ListItemsResponse>, Status> {
        allowed(&request)?;
        Ok(Response::new(self.items(request.into_inner()).await?))
    }

    async fn list_changes(
        &self,
        request: Request<ListChangesRequest>,
    ) -> Result<Response<ListChangesResponse>, Status> {
        allowed(&request)?;
        Ok(Response::new(self.changes(request.into_inner()).await?))
    }

    async fn watch(
        &self,
        request: Request<WatchRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        let principal = allowed(&request)?;
        let request = request.into_inner();
        let classes = filter::classes(request.classes, &self.app.catalog)?;
        let after = (request.after_revision != 0).then_some(Revision(request.after_revision));
        let feed = Feed::open(Arc::clone(&self.app.items), after, classes)?;
        Ok(Response::new(watch(self.app.clone(), principal, feed).boxed()))
    }
}

/// The changes of a feed, one by one; ends when the caller is no longer allowed or the control plane stops.
fn watch(
    app: App,
    principal: Principal,
    feed: Feed,
) -> impl Stream<Item = Result<Change, Status>> + Send {
    let batches = futures::stream::unfold(Some((app, principal, feed)), |place| async move {
        let (app, principal, mut feed) = place?;
        let mut recheck = tokio::time::interval(RECHECK_INTERVAL);
        loop {
            tokio::select! {
                () = app.stopping.cancelled() => {
                    let stops = ApiError::new(Code::Unavailable, "the control plane stops");
                    return Some((vec![Err(stops.into())], None));
                }
                batch = feed.next() => {
                    return Some(match batch {
                        Ok(batch) => {
                            let changes = batch.changes.iter().map(|change| Ok(change_to(change)));
                            (changes.collect(), Some((app, principal, feed)))
                        }
                        Err(error) => (vec![Err(Status::from(error))], None),
                    });
                }
                _ = recheck.tick() => {
                    let ended = match app.accounts.is_still(&principal).await {
                        Ok(true) => continue,
                        Ok(false) => ApiError::new(
                            Code::Unauthenticated,
                            "the token or session of this watch is no longer good",
                        ),
                        Err(error) => error,
                    };
                    return Some((vec![Err(ended.into())], None));
                }
            }
        }
    });
    batches.flat_map(futures::stream::iter)
}

fn allowed<T>(request: &Request<T>) -> Result<Principal, ApiError> {
    Ok(Caller::of(request.extensions()).may(Action::ItemsRead)?.clone())
}

const fn at(millis: i64) -> At {
    if millis == 0 { At::Now } else { At::Time(Timestamp::from_millis(millis)) }
}

fn size(size: u32) -> Result<u32, ApiError> {
    if (1..=PAGE_SIZE_MAX).contains(&size) {
        return Ok(size);
    }
    let detail = format!("`page_size` is from 1 to {PAGE_SIZE_MAX}");
    Err(ApiError::invalid("page_size", detail).with("max", PAGE_SIZE_MAX))
}

fn optional_id(parameter: &str, text: &str) -> Result<Option<ItemId>, ApiError> {
    if text.is_empty() {
        return Ok(None);
    }
    text.parse().map(Some).map_err(|_| {
        let detail = format!("`{}` is no id of an item", crate::api::error::shortened(text));
        ApiError::invalid(parameter, detail)
    })
}
