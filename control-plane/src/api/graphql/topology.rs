//! How the estate hangs together, in a query: the same that REST gives, with items that can be asked further.

mod types;

pub(super) use types::types;

use super::lists;
use super::{app, item_type, schema};
use crate::api::auth::Action;
use crate::api::auth::layer::Caller;
use crate::api::error::ApiError;
use crate::api::rest::extract::id;
use crate::api::rest::{filter, items as rest_items, topology as rest};
use crate::graph::{self, GroupQuestion, LINKS_MAX};
use async_graphql::Result;
use async_graphql::dynamic::{
    Field, FieldFuture, FieldValue, InputValue, ResolverContext, TypeRef,
};
use model::ItemId;
use model::query::{At, PAGE_SIZE_MAX};
use topology::Around;

/// A question about the graph: who asks must be allowed to read items.
fn asked<'a>(ctx: &'a ResolverContext<'_>) -> Result<&'a graph::Questions> {
    ctx.ctx.data::<Caller>()?.may(Action::ItemsRead)?;
    Ok(&app(ctx.ctx)?.graph)
}

/// How many entries are listed.
fn first(ctx: &ResolverContext<'_>) -> Result<usize> {
    let size = ctx.args.try_get("first")?.i64()?;
    let size = usize::try_from(size)
        .ok()
        .filter(|size| (1..=usize::try_from(PAGE_SIZE_MAX).unwrap_or(usize::MAX)).contains(size));
    size.ok_or_else(|| {
        let detail = format!("`first` is from 1 to {PAGE_SIZE_MAX}");
        ApiError::invalid("first", detail).with("max", PAGE_SIZE_MAX).into()
    })
}

/// A whole number that may be missing; one below zero is as wrong as one that is too large.
fn number<T: TryFrom<i64>>(ctx: &ResolverContext<'_>, name: &str) -> Result<Option<T>> {
    let Some(given) = ctx.args.get(name).filter(|given| !given.is_null()) else { return Ok(None) };
    let wrong = |_| ApiError::invalid(name, format!("`{name}` is too small or too large"));
    Ok(Some(T::try_from(given.i64()?).map_err(wrong)?))
}

fn text(ctx: &ResolverContext<'_>, name: &str) -> Result<Option<String>> {
    let Some(given) = ctx.args.get(name).filter(|given| !given.is_null()) else { return Ok(None) };
    Ok(Some(given.enum_name().or_else(|_| given.string())?.to_ascii_lowercase()))
}

fn item(ctx: &ResolverContext<'_>, name: &str) -> Result<ItemId> {
    Ok(id("item", ctx.args.try_get(name)?.string()?)?)
}

fn argument(name: &str, of: TypeRef, doc: &str) -> InputValue {
    InputValue::new(name, of).description(doc)
}

fn first_argument(doc: &str) -> InputValue {
    argument("first", TypeRef::named_nn(TypeRef::INT), doc)
}

fn item_argument(name: &str, doc: &str) -> InputValue {
    argument(name, TypeRef::named_nn(TypeRef::ID), doc)
}

fn depth_argument(doc: &str) -> InputValue {
    argument("depth", TypeRef::named(TypeRef::INT), doc)
}

fn verb_argument() -> InputValue {
    argument(
        "verb",
        TypeRef::named_nn_list(TypeRef::STRING),
        "Names of relationships; without it, all.",
    )
}

/// The root's fields.
pub(super) fn fields() -> [Field; 6] {
    [
        impact_field(),
        dependencies_field(),
        paths_field(),
        neighborhood_field(),
        orphans_field(),
        groups_field(),
    ]
}

fn impact_field() -> Field {
    Field::new("impact", TypeRef::named_nn("Impact"), |ctx| {
        FieldFuture::new(async move {
            let mut failed = vec![item(&ctx, "item")?];
            for other in item_type::texts(&ctx, "with")? {
                failed.push(id("item", &other)?);
            }
            let (depth, listed) = (number(&ctx, "depth")?, first(&ctx)?);
            let found = asked(&ctx)?.impact(&failed, depth, listed).await;
            Ok(Some(FieldValue::owned_any(found.map_err(ApiError::from)?)))
        })
    })
    .description("What suffers when an item fails, alone or together with others.")
    .argument(item_argument("item", "The item that fails."))
    .argument(argument(
        "with",
        TypeRef::named_nn_list(TypeRef::ID),
        "Items that fail at the same time.",
    ))
    .argument(depth_argument(
        "How many relationships away at most, from 1 to 100; without it, as far as the failure travels.",
    ))
    .argument(first_argument("How many items are listed, from 1 to 500; all are counted."))
}

fn dependencies_field() -> Field {
    Field::new("dependencies", TypeRef::named_nn("Dependencies"), |ctx| {
        FieldFuture::new(async move {
            let (depth, listed) = (number(&ctx, "depth")?, first(&ctx)?);
            let found = asked(&ctx)?.dependencies(item(&ctx, "item")?, depth, listed).await;
            Ok(Some(FieldValue::owned_any(found.map_err(ApiError::from)?)))
        })
    })
    .description("What an item needs, directly or through others.")
    .argument(item_argument("item", "The item."))
    .argument(depth_argument(
        "How many relationships away at most, from 1 to 100; without it, as far as failures come from.",
    ))
    .argument(first_argument("How many items are listed, from 1 to 500; all are counted."))
}

fn paths_field() -> Field {
    Field::new("shortestPaths", TypeRef::named_nn("ItemPaths"), |ctx| {
        FieldFuture::new(async move {
            let verbs = rest_items::verbs(app(ctx.ctx)?, item_type::texts(&ctx, "verb")?)?;
            let depth = number(&ctx, "depth")?.unwrap_or(rest::ROUTE_DEPTH);
            let ends = (item(&ctx, "from")?, item(&ctx, "to")?);
            let found = asked(&ctx)?.paths(ends, verbs, depth, first(&ctx)?).await;
            Ok(Some(FieldValue::owned_any(found.map_err(ApiError::from)?)))
        })
    })
    .description("The shortest ways between two items, along relationships in whatever direction.")
    .argument(item_argument("from", "Where they begin."))
    .argument(item_argument("to", "Where they end."))
    .argument(verb_argument())
    .argument(depth_argument("How many relationships long at most, from 1 to 100; 30 without it."))
    .argument(first_argument("How many ways are listed, from 1 to 100; all are counted."))
}

fn neighborhood_field() -> Field {
    Field::new("neighborhood", TypeRef::named_nn("Neighborhood"), |ctx| {
        FieldFuture::new(async move {
            let around = Around {
                verbs: rest_items::verbs(app(ctx.ctx)?, item_type::texts(&ctx, "verb")?)?,
                depth: number(&ctx, "depth")?.unwrap_or(1),
                fold: number(&ctx, "fold")?.unwrap_or(rest::FOLD),
                items: first(&ctx)?,
            };
            let middle = item(&ctx, "item")?;
            let questions = asked(&ctx)?;
            let found = match schema::at(&ctx)? {
                At::Now => questions.neighborhood(middle, around).await,
                At::Time(then) => {
                    let history = app(ctx.ctx)?.history.as_ref();
                    graph::neighborhood_at(history, middle, around, then).await
                }
            };
            Ok(Some(FieldValue::owned_any(found.map_err(ApiError::from)?)))
        })
    })
    .description("What lies around an item; many neighbors of one class are one counted bundle.")
    .argument(item_argument("item", "The item."))
    .argument(verb_argument())
    .argument(depth_argument("How many relationships away at most, from 1 to 6; 1 without it."))
    .argument(argument(
        "fold",
        TypeRef::named(TypeRef::INT),
        "More neighbors of one class by one relationship than this are one bundle; 12 without it.",
    ))
    .argument(schema::at_argument())
    .argument(first_argument("How many items are listed, from 1 to 500; all are counted."))
}

fn orphans_field() -> Field {
    let field = Field::new("orphans", TypeRef::named_nn("Orphans"), |ctx| {
        FieldFuture::new(async move {
            let what = rest::orphan(text(&ctx, "kind")?.as_deref())?;
            let catalog = &app(ctx.ctx)?.catalog;
            let classes = filter::classes(item_type::texts(&ctx, "class")?, catalog)?;
            let request = lists::page(&ctx.args, &rest::orphans_question(what, &classes))?;
            let page = rest::page_of(&request, classes)?;
            let found = asked(&ctx)?.orphans(what, page).await.map_err(ApiError::from)?;
            let last = found.found.items.last().map(ToString::to_string);
            let next = request.next(last.as_ref(), found.found.has_more);
            Ok(Some(FieldValue::owned_any(types::OrphanPage { found, next })))
        })
    })
    .description("Items without any relationship, or parts without the item that they are a part of.")
    .argument(argument(
        "kind",
        TypeRef::named(TypeRef::STRING),
        "`unrelated` (no relationship at all) or `parentless` (parts of nothing); `unrelated` without it.",
    ))
    .argument(argument(
        "class",
        TypeRef::named_nn_list(TypeRef::STRING),
        "Names of classes; without it, all.",
    ));
    lists::paged(field)
}

fn groups_field() -> Field {
    let texts = || TypeRef::named_nn_list(TypeRef::STRING);
    Field::new("groups", TypeRef::named_nn("ItemGroups"), |ctx| {
        FieldFuture::new(async move {
            let by = item_type::texts(&ctx, "by")?;
            let question = GroupQuestion {
                by: by.clone(),
                within: item_type::texts(&ctx, "within")?,
                verbs: rest_items::verbs(app(ctx.ctx)?, item_type::texts(&ctx, "verb")?)?,
                order: rest::order(text(&ctx, "order")?.as_deref())?,
                groups: first(&ctx)?,
                links: number(&ctx, "links")?.unwrap_or(LINKS_MAX),
            };
            let found = asked(&ctx)?.groups(question).await.map_err(ApiError::from)?;
            Ok(Some(FieldValue::owned_any(found)))
        })
    })
    .description("The whole estate as groups and the bundled links between them.")
    .argument(argument(
        "by",
        TypeRef::named_nn_list_nn(TypeRef::STRING),
        "One to three of `class`, `site`, `label:NAME` and `connectivity`, outermost first.",
    ))
    .argument(argument(
        "within",
        texts(),
        "Only what lies in the group of this path: a value for each of the first keys.",
    ))
    .argument(verb_argument())
    .argument(argument(
        "order",
        TypeRef::named(TypeRef::STRING),
        "`size` (most items first) or `trouble` (most missing and stale items first); `size` without it.",
    ))
    .argument(argument(
        "links",
        TypeRef::named(TypeRef::INT),
        "How many links are listed, up to 800; 800 without it.",
    ))
    .argument(first_argument("How many groups are listed, from 1 to 300; all are counted."))
}
