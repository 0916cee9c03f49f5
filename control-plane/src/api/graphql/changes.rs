//! History in a query, and the subscription to changes.

use super::lists::{self, Connection, Edge};
use super::{app, items, or_null, values};
use crate::api::error::{ApiError, Code};
use crate::api::live::{Batch, Feed, RECHECK_INTERVAL};
use crate::api::view::ChangeParts;
use crate::app::App;
use async_graphql::dynamic::{
    Field, FieldFuture, FieldValue, InputValue, Object, ObjectAccessor, Subscription,
    SubscriptionField, SubscriptionFieldFuture, TypeRef,
};
use async_graphql::{Context, Result, Value as GraphValue};
use futures::{Stream, StreamExt};
use model::query::{At, ChangeFilter};
use model::{Change, Revision};
use std::sync::Arc;

/// A page of history.
pub(super) async fn page<'a>(
    context: &Context<'_>,
    args: &ObjectAccessor<'_>,
    filter: ChangeFilter,
) -> Result<Option<FieldValue<'a>>> {
    let request = lists::page(args, &format!("changes|{filter:?}"))?;
    let found =
        app(context)?.items.changes(&filter, &request.page).await.map_err(ApiError::from)?;
    let page = Connection::new(&request, found, Arc::new);
    Ok(Some(FieldValue::owned_any::<Connection<Arc<Change>>>(page)))
}

fn plain(name: &str, of: TypeRef, doc: &str, get: fn(&Change) -> Option<GraphValue>) -> Field {
    Field::new(name, of, move |ctx| {
        FieldFuture::new(async move {
            let change = ctx.parent_value.try_downcast_ref::<Arc<Change>>()?;
            Ok(get(change).map(FieldValue::value))
        })
    })
    .description(doc)
}

fn texts() -> [Field; 5] {
    let text = || TypeRef::named_nn(TypeRef::STRING);
    [
        plain("class", text(), "The item's class.", |change| Some(change.class.as_ref().into())),
        plain("title", text(), "The item's title at that time.", |change| {
            Some(change.title.as_str().into())
        }),
        plain("name", text(), "The attribute, the relationship, or empty.", |change| {
            Some(ChangeParts::of(&change.what).name.into())
        }),
        plain("itemId", TypeRef::named_nn(TypeRef::ID), "The item.", |change| {
            Some(change.item.to_string().into())
        }),
        plain(
            "otherId",
            TypeRef::named(TypeRef::ID),
            "The other end of a relationship.",
            |change| ChangeParts::of(&change.what).other.map(|id| id.to_string().into()),
        ),
    ]
}

fn numbers_and_moments() -> [Field; 7] {
    [
        plain(
            "revision",
            TypeRef::named_nn("Count"),
            "The change set that it belongs to.",
            |change| Some(values::count(change.revision.0)),
        ),
        plain("index", TypeRef::named_nn("Count"), "Its place in the change set.", |change| {
            Some(values::count(u64::from(change.index)))
        }),
        plain("kind", TypeRef::named_nn("ChangeKind"), "What happened.", |change| {
            Some(values::member(change.what.name()))
        }),
        plain(
            "observedAt",
            TypeRef::named_nn("Time"),
            "When it was observed, by the source's clock.",
            |change| Some(values::time(change.observed_at)),
        ),
        plain(
            "recordedAt",
            TypeRef::named_nn("Time"),
            "When it was committed, by the control plane's clock.",
            |change| Some(values::time(change.recorded_at)),
        ),
        plain(
            "before",
            TypeRef::named("Value"),
            "What was before; null when nothing was known, or there was none.",
            |change| ChangeParts::of(&change.what).before.as_ref().map(values::graph_of),
        ),
        plain(
            "after",
            TypeRef::named("Value"),
            "What is now; null when nobody says it any longer, or there is none.",
            |change| ChangeParts::of(&change.what).after.as_ref().map(values::graph_of),
        ),
    ]
}

fn ends() -> [Field; 2] {
    let source = Field::new("source", TypeRef::named_nn("Source"), |ctx| {
        FieldFuture::new(async move {
            let change = ctx.parent_value.try_downcast_ref::<Arc<Change>>()?;
            Ok(Some(FieldValue::owned_any(change.source.clone())))
        })
    });
    let item = Field::new("item", TypeRef::named("Item"), |ctx| {
        FieldFuture::new(async move {
            let change = ctx.parent_value.try_downcast_ref::<Arc<Change>>()?;
            let found = items::value_of(ctx.ctx, change.item, At::Now).await;
            or_null(ctx.ctx, found.map_err(Into::into))
        })
    });
    [source.description("Who says it."), item.description("The item as it is now.")]
}

/// The types of history.
pub(super) fn types() -> Vec<Object> {
    let change = Object::new("Change").description("One line of history.");
    let fields = numbers_and_moments().into_iter().chain(ends()).chain(texts());
    let change = fields.fold(change, Object::field);
    let edge = Object::new("ChangeEdge")
        .description("A change of a page.")
        .field(lists::cursor_field::<Arc<Change>>())
        .field(
            Field::new("node", TypeRef::named_nn("Change"), |ctx| {
                FieldFuture::new(async move {
                    let edge = ctx.parent_value.try_downcast_ref::<Arc<Edge<Arc<Change>>>>()?;
                    Ok(Some(FieldValue::owned_any(Arc::clone(&edge.node))))
                })
            })
            .description("The change."),
        );
    let connection = lists::connection_type::<Arc<Change>>("ChangeConnection", "ChangeEdge");
    vec![change, edge, connection, batch_type()]
}

fn batch_type() -> Object {
    Object::new("ChangeBatch")
        .description("Changes that were committed together.")
        .field(
            Field::new("revision", TypeRef::named_nn("Count"), |ctx| {
                FieldFuture::new(async move {
                    let batch = ctx.parent_value.try_downcast_ref::<Batch>()?;
                    Ok(Some(FieldValue::value(values::count(batch.revision.0))))
                })
            })
            .description("Everything through this revision is contained or was before; subscribe after it to go on."),
        )
        .field(
            Field::new("changes", TypeRef::named_nn_list_nn("Change"), |ctx| {
                FieldFuture::new(async move {
                    let batch = ctx.parent_value.try_downcast_ref::<Batch>()?;
                    let changes = batch
                        .changes
                        .iter()
                        .map(|change| FieldValue::owned_any(Arc::new(change.clone())));
                    Ok(Some(FieldValue::list(changes)))
                })
            })
            .description("The changes, oldest first."),
        )
}

/// The subscription root.
pub(super) fn subscription() -> Subscription {
    let changes = SubscriptionField::new("changes", TypeRef::named_nn("ChangeBatch"), |ctx| {
        SubscriptionFieldFuture::new(async move {
            let app: &App = app(ctx.ctx)?;
            let caller = ctx.ctx.data::<crate::api::auth::layer::Caller>()?.clone();
            let principal = caller.known()?.clone();
            let after = match ctx.args.get("afterRevision").filter(|after| !after.is_null()) {
                None => None,
                Some(after) => Some(Revision(after.u64()?)),
            };
            let names = super::item_type::texts(&ctx, "classes")?;
            let classes = crate::api::rest::filter::classes(names, &app.catalog)?;
            let feed = Feed::open(Arc::clone(&app.items), after, classes)?;
            let batches = batches(app.clone(), principal, feed);
            Ok(batches.map(|batch| batch.map(FieldValue::owned_any)))
        })
    })
    .description("Changes as they are committed, in batches; ends with an error that says from where to go on.")
    .argument(
        InputValue::new("afterRevision", TypeRef::named("Count"))
            .description("Changes after this revision; without it, from now on."),
    )
    .argument(
        InputValue::new("classes", TypeRef::named_nn_list(TypeRef::STRING))
            .description("Names of classes; without it, all."),
    );
    Subscription::new("Subscription").description("What can be listened to.").field(changes)
}

fn batches(
    app: App,
    principal: crate::api::auth::Principal,
    feed: Feed,
) -> impl Stream<Item = Result<Batch>> + Send {
    futures::stream::unfold(Some((app, principal, feed)), |place| async move {
        let (app, principal, mut feed) = place?;
        let mut recheck = tokio::time::interval(RECHECK_INTERVAL);
        let ended = loop {
            tokio::select! {
                () = app.stopping.cancelled() => {
                    break ApiError::new(Code::Unavailable, "the control plane stops");
                }
                batch = feed.next() => match batch {
                    Ok(batch) => return Some((Ok(batch), Some((app, principal, feed)))),
                    Err(error) => break error,
                },
                _ = recheck.tick() => match app.accounts.is_still(&principal).await {
                    Ok(true) => {}
                    Ok(false) => break ApiError::new(
                        Code::Unauthenticated,
                        "the token or session of this subscription is no longer good",
                    ),
                    Err(error) => break error,
                },
            }
        };
        Some((Err(ended.into()), None))
    })
}
