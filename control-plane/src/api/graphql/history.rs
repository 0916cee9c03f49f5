//! History as a whole in a query: how far it reaches back, the moments of an item, and what differs between two
//! moments. The same that REST gives.

use super::items::ItemNode;
use super::lists::{self, Connection, Edge};
use super::{app, or_null, schema, values};
use crate::api::auth::Action;
use crate::api::auth::layer::Caller;
use crate::api::error::ApiError;
use crate::api::rest::extract::id;
use crate::api::rest::history as rest_history;
use async_graphql::dynamic::{
    Field, FieldFuture, FieldValue, InputValue, Object, ResolverContext, TypeRef,
};
use async_graphql::{Result, Value as GraphValue};
use model::ItemId;
use model::query::{At, Filter, Page, Paged};
use std::sync::Arc;
use store::history::{
    AttributeDifference, Between, DifferenceCounts, DifferenceFilter, ItemDifference, Moments,
    RelationDifference,
};

/// How far history reaches back.
struct Extent {
    days: Option<u32>,
    kept_since: Option<model::Timestamp>,
}

/// A comparison that is asked for.
struct Comparison {
    filter: DifferenceFilter,
    /// Set when one item is asked about, whose relationships are then told in both directions.
    item: Option<ItemId>,
}

/// What differs of an item, at the later moment.
type Differing = (Arc<ItemDifference>, Between);

/// A field with what its object holds.
fn of<T: Send + Sync + 'static>(
    name: &str,
    of: TypeRef,
    doc: &str,
    get: fn(&T) -> Option<GraphValue>,
) -> Field {
    Field::new(name, of, move |ctx| {
        FieldFuture::new(async move {
            Ok(get(ctx.parent_value.try_downcast_ref::<T>()?).map(FieldValue::value))
        })
    })
    .description(doc)
}

fn number() -> TypeRef {
    TypeRef::named_nn("Count")
}

fn text() -> TypeRef {
    TypeRef::named_nn(TypeRef::STRING)
}

fn time() -> TypeRef {
    TypeRef::named("Time")
}

/// The root's field that tells how far history reaches back.
pub(super) fn extent_field() -> Field {
    Field::new("history", TypeRef::named_nn("HistoryExtent"), |ctx| {
        FieldFuture::new(async move {
            ctx.ctx.data::<Caller>()?.may(Action::ItemsRead)?;
            let app = app(ctx.ctx)?;
            let kept_since = app.history.kept_since().await.map_err(ApiError::from)?;
            Ok(Some(FieldValue::owned_any(Extent { days: app.options.history_days, kept_since })))
        })
    })
    .description("How far history reaches back.")
}

/// The root's field that compares two moments.
pub(super) fn diff_field() -> Field {
    let list = |name: &str, of: &str, doc: &str| {
        InputValue::new(name, TypeRef::named_nn_list(of)).description(doc)
    };
    let one = |name: &str, of: &str, doc: &str| {
        InputValue::new(name, TypeRef::named(of)).description(doc)
    };
    Field::new("diff", TypeRef::named("Difference"), |ctx| {
        FieldFuture::new(async move {
            let comparison = comparison(&ctx).await.map(|found| Some(FieldValue::owned_any(found)));
            or_null(ctx.ctx, comparison)
        })
    })
    .description("What differs between two moments: of one item, or of all that match at one of the moments.")
    .argument(InputValue::new("from", TypeRef::named_nn("Time")).description("The earlier moment."))
    .argument(one("to", "Time", "The later moment; without it, now."))
    .argument(one("item", TypeRef::ID, "Only of this item, its relationships in both directions; the rest of the filter is not looked at then."))
    .argument(list("kinds", "DifferenceKind", "Only differences of these kinds."))
    .argument(list("class", TypeRef::STRING, "Names of classes; without it, all."))
    .argument(list("states", "ItemState", "States of life; without it, all."))
    .argument(one("text", TypeRef::STRING, "Words of the title or an indexed text; every word must match, by prefix."))
    .argument(one("parent", TypeRef::ID, "Parts of this item."))
    .argument(list("where", "Condition", "Conditions on attributes; all must hold."))
}

async fn comparison(ctx: &ResolverContext<'_>) -> Result<Comparison> {
    ctx.ctx.data::<Caller>()?.may(Action::ItemsRead)?;
    let app = app(ctx.ctx)?;
    let from = ctx.args.try_get("from")?.string()?;
    let to = ctx.args.get("to").filter(|to| !to.is_null());
    let to = to.map(|to| to.string().map(str::to_owned)).transpose()?;
    let between = rest_history::between(app, from, to.as_deref())?;
    let mut kinds = Vec::new();
    if let Some(list) = ctx.args.get("kinds").filter(|list| !list.is_null()) {
        for kind in list.list()?.iter() {
            kinds.push(kind.enum_name()?.to_ascii_lowercase());
        }
    }
    let kinds = rest_history::kinds(&kinds)?;
    let item = match ctx.args.get("item").filter(|item| !item.is_null()) {
        None => None,
        Some(given) => {
            let text = given.string()?;
            let asked = id("item", text)?;
            let known = app.items.item(asked, At::Now).await.map_err(ApiError::from)?;
            known.ok_or_else(|| ApiError::not_found("item", text))?;
            Some(asked)
        }
    };
    let items = match item {
        Some(_) => Filter::default(),
        None => schema::filter_of(ctx)?.0,
    };
    Ok(Comparison { filter: DifferenceFilter { between, items, kinds }, item })
}

impl Comparison {
    async fn page(&self, ctx: &ResolverContext<'_>, page: &Page) -> Result<Paged<ItemDifference>> {
        let history = &app(ctx.ctx)?.history;
        let Some(item) = self.item else {
            return Ok(history.differences(&self.filter, page).await.map_err(ApiError::from)?);
        };
        let found = history.item_difference(item, self.filter.between).await;
        let found = found.map_err(ApiError::from)?.filter(|_| page.after.is_none());
        let entries = found.into_iter().map(|one| (one.id.to_string(), one)).collect();
        Ok(Paged { entries, has_more: false })
    }

    async fn counts(&self, ctx: &ResolverContext<'_>) -> Result<DifferenceCounts> {
        let history = &app(ctx.ctx)?.history;
        let Some(item) = self.item else {
            return Ok(history.difference_counts(&self.filter).await.map_err(ApiError::from)?);
        };
        let found = history.item_difference(item, self.filter.between).await;
        let mut counts = DifferenceCounts::default();
        found.map_err(ApiError::from)?.iter().for_each(|one| counts.add(one));
        Ok(counts)
    }
}

fn difference_type() -> Object {
    let counts = Field::new("counts", TypeRef::named_nn("DifferenceCounts"), |ctx| {
        FieldFuture::new(async move {
            let comparison = ctx.parent_value.try_downcast_ref::<Comparison>()?;
            Ok(Some(FieldValue::owned_any(comparison.counts(&ctx).await?)))
        })
    });
    let items = Field::new("items", TypeRef::named_nn("DifferenceConnection"), |ctx| {
        FieldFuture::new(async move {
            let comparison = ctx.parent_value.try_downcast_ref::<Comparison>()?;
            let DifferenceFilter { between, items, kinds } = &comparison.filter;
            let question = rest_history::question(items, *between, kinds);
            let question = format!("{question}|{:?}", comparison.item);
            let request = lists::page(&ctx.args, &question)?;
            let found = comparison.page(&ctx, &request.page).await?;
            let page = Connection::new(&request, found, |one| (Arc::new(one), *between));
            Ok(Some(FieldValue::owned_any::<Connection<Differing>>(page)))
        })
    });
    Object::new("Difference")
        .description("What differs between two moments.")
        .field(of::<Comparison>("from", TypeRef::named_nn("Time"), "The earlier moment.", |one| {
            Some(values::time(one.filter.between.from))
        }))
        .field(of::<Comparison>(
            "to",
            TypeRef::named_nn("Time"),
            "The later moment; a further page needs it when it was not given.",
            |one| Some(values::time(one.filter.between.to)),
        ))
        .field(counts.description("How much differs in all, exactly; counted only when asked for."))
        .field(lists::paged(
            items.description("The items that differ, in the order in which they became known."),
        ))
}

fn counts_type() -> Object {
    let count = |name: &str, doc: &str, get: fn(&DifferenceCounts) -> Option<GraphValue>| {
        of::<DifferenceCounts>(name, number(), doc, get)
    };
    Object::new("DifferenceCounts")
        .description("How much differs, exactly.")
        .field(count("created", "Items that were not there yet.", |all| {
            Some(values::count(all.created))
        }))
        .field(count("returned", "Items that were retired and are there again.", |all| {
            Some(values::count(all.returned))
        }))
        .field(count("retired", "Items that were there and are retired.", |all| {
            Some(values::count(all.retired))
        }))
        .field(count(
            "changed",
            "Items with other values, relationships or another state.",
            |all| Some(values::count(all.changed)),
        ))
        .field(count("attributes", "Attributes with another winning value.", |all| {
            Some(values::count(all.attributes))
        }))
        .field(count("relationsBegun", "Relationships that began.", |all| {
            Some(values::count(all.relations_begun))
        }))
        .field(count("relationsEnded", "Relationships that ended.", |all| {
            Some(values::count(all.relations_ended))
        }))
}

/// A field of an entry with what the entry holds.
fn of_edge(
    name: &str,
    of: TypeRef,
    doc: &str,
    get: fn(&ItemDifference) -> Option<GraphValue>,
) -> Field {
    Field::new(name, of, move |ctx| {
        FieldFuture::new(async move {
            let edge = ctx.parent_value.try_downcast_ref::<Arc<Edge<Differing>>>()?;
            Ok(get(&edge.node.0).map(FieldValue::value))
        })
    })
    .description(doc)
}

/// A list of an entry.
fn list_of_edge<T: Clone + Send + Sync + 'static>(
    name: &str,
    of: &str,
    doc: &str,
    get: fn(&ItemDifference) -> &[T],
) -> Field {
    Field::new(name, TypeRef::named_nn_list_nn(of), move |ctx| {
        FieldFuture::new(async move {
            let edge = ctx.parent_value.try_downcast_ref::<Arc<Edge<Differing>>>()?;
            let all = get(&edge.node.0).iter().cloned().map(FieldValue::owned_any);
            Ok(Some(FieldValue::list(all)))
        })
    })
    .description(doc)
}

fn edge_type() -> Object {
    let node = Field::new("node", TypeRef::named_nn("Item"), |ctx| {
        FieldFuture::new(async move {
            let edge = ctx.parent_value.try_downcast_ref::<Arc<Edge<Differing>>>()?;
            let (one, between) = &edge.node;
            let (id, class, title) = (one.id, one.class.clone(), one.title.clone());
            let named = store::findings::NamedItem { id, class, title, state: one.state_after };
            let node = ItemNode::named(&named).at(At::Time(between.to));
            Ok(Some(node.value(ctx.ctx)?))
        })
    })
    .description("The item at the later moment.");
    Object::new("DifferenceEdge")
        .description("What differs of one item.")
        .field(lists::cursor_field::<Differing>())
        .field(node)
        .field(of_edge("kind", TypeRef::named_nn("DifferenceKind"), "How it differs.", |one| {
            Some(values::member(one.kind.name()))
        }))
        .field(of_edge(
            "stateBefore",
            TypeRef::named("ItemState"),
            "Its state at the earlier moment; null when it was not there yet.",
            |one| one.state_before.map(|state| values::member(state.name())),
        ))
        .field(of_edge(
            "stateAfter",
            TypeRef::named_nn("ItemState"),
            "Its state at the later moment.",
            |one| Some(values::member(one.state_after.name())),
        ))
        .field(list_of_edge::<AttributeDifference>(
            "attributeDifferences",
            "AttributeDifference",
            "Attributes whose winning value differs, by name; none of a created item.",
            |one| &one.attributes,
        ))
        .field(list_of_edge::<RelationDifference>(
            "relationDifferences",
            "RelationDifference",
            "Relationships that differ, at most a hundred; in a list only those of which the item is the first end.",
            |one| &one.relations,
        ))
        .field(of_edge("relationsBegun", number(), "How many relationships began, exactly.", |one| {
            Some(values::count(one.relations_begun))
        }))
        .field(of_edge("relationsEnded", number(), "How many relationships ended, exactly.", |one| {
            Some(values::count(one.relations_ended))
        }))
}

fn attribute_type() -> Object {
    Object::new("AttributeDifference")
        .description("An attribute whose winning value differs.")
        .field(of::<AttributeDifference>("name", text(), "The attribute.", |one| {
            Some(one.name.as_ref().into())
        }))
        .field(of::<AttributeDifference>(
            "before",
            TypeRef::named("Value"),
            "What was; null when nobody had looked, or there was none.",
            |one| one.before.as_ref().map(values::graph_of),
        ))
        .field(of::<AttributeDifference>(
            "after",
            TypeRef::named("Value"),
            "What is; null when nobody says it any longer, or there is none.",
            |one| one.after.as_ref().map(values::graph_of),
        ))
}

fn relation_type() -> Object {
    let yes = || TypeRef::named_nn(TypeRef::BOOLEAN);
    Object::new("RelationDifference")
        .description("A relationship that holds at one of the two moments only.")
        .field(of::<RelationDifference>("verb", text(), "The relationship's name.", |one| {
            Some(one.verb.as_ref().into())
        }))
        .field(of::<RelationDifference>(
            "outgoing",
            yes(),
            "Whether the item is its first end.",
            |one| Some(one.outgoing.into()),
        ))
        .field(of::<RelationDifference>(
            "itemId",
            TypeRef::named_nn(TypeRef::ID),
            "The item at the other end.",
            |one| Some(one.item.to_string().into()),
        ))
        .field(of::<RelationDifference>("class", text(), "Its class.", |one| {
            Some(one.class.as_ref().into())
        }))
        .field(of::<RelationDifference>("title", text(), "Its title today.", |one| {
            Some(one.title.as_str().into())
        }))
        .field(of::<RelationDifference>(
            "hasBegun",
            yes(),
            "Whether it began; else it ended.",
            |one| Some(one.has_begun.into()),
        ))
}

/// The arguments of an item's moments.
pub(super) fn moments_arguments() -> Vec<InputValue> {
    vec![
        InputValue::new("withParts", TypeRef::named(TypeRef::BOOLEAN))
            .description("With the changes of its parts."),
    ]
}

/// The field of an item that gives the moments at which it changed, around the one that is asked about.
pub(super) fn moments_field() -> Field {
    let field = Field::new("moments", TypeRef::named_nn("Moments"), |ctx| {
        FieldFuture::new(async move {
            let node = ctx.parent_value.try_downcast_ref::<ItemNode>()?;
            let with_parts =
                ctx.args.get("withParts").and_then(|yes| yes.boolean().ok()).unwrap_or(false);
            let history = &app(ctx.ctx)?.history;
            let found = history.moments(node.id, with_parts, node.at).await;
            Ok(Some(FieldValue::owned_any(found.map_err(ApiError::from)?.unwrap_or_default())))
        })
    })
    .description("The moments at which it changed, as seen from the one that is asked about.");
    moments_arguments().into_iter().fold(field, Field::argument)
}

fn moments_type() -> Object {
    Object::new("Moments")
        .description("The moments at which an item changed, as seen from one moment.")
        .field(of::<Moments>("previous", time(), "The last one before it.", |all| {
            all.previous.map(values::time)
        }))
        .field(of::<Moments>("next", time(), "The first one after it.", |all| {
            all.next.map(values::time)
        }))
        .field(of::<Moments>("first", time(), "The first one that is kept.", |all| {
            all.first.map(values::time)
        }))
        .field(of::<Moments>("last", time(), "The last one.", |all| all.last.map(values::time)))
}

fn extent_type() -> Object {
    Object::new("HistoryExtent")
        .description("How far history reaches back.")
        .field(of::<Extent>(
            "days",
            TypeRef::named(TypeRef::INT),
            "For how many days it is kept; null when it is kept for ever.",
            |extent| extent.days.map(Into::into),
        ))
        .field(of::<Extent>(
            "keptSince",
            time(),
            "The moment from which on it is whole; null while nothing was taken out.",
            |extent| extent.kept_since.map(values::time),
        ))
}

/// The types of history as a whole.
pub(super) fn types() -> Vec<Object> {
    let connection = lists::connection_type::<Differing>("DifferenceConnection", "DifferenceEdge");
    vec![
        difference_type(),
        counts_type(),
        connection,
        edge_type(),
        attribute_type(),
        relation_type(),
        moments_type(),
        extent_type(),
    ]
}
