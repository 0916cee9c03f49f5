//! Pages as Relay's connections: edges with cursors, and whether more follow.
//!
//! A cursor is the same token that REST gives: it belongs to its question.

use super::values;
use crate::api::error::ApiError;
use crate::api::rest::page::PageRequest;
use async_graphql::dynamic::{
    Field, FieldFuture, FieldValue, InputValue, Object, ObjectAccessor, TypeRef,
};
use model::query::{PAGE_SIZE_MAX, Paged};
use std::sync::Arc;

/// A page of a list, with all that its fields show.
pub(super) struct Connection<T> {
    edges: Vec<Arc<Edge<T>>>,
    has_more: bool,
    has_before: bool,
    /// Set when the list can count itself.
    pub(super) counting: Option<Counting>,
}

/// What a list needs to count itself.
#[derive(Clone)]
pub(super) struct Counting {
    pub(super) filter: model::query::Filter,
    pub(super) at: model::query::At,
}

/// One entry of a page.
pub(super) struct Edge<T> {
    pub(super) cursor: String,
    pub(super) node: T,
}

/// The page that the arguments `first` and `after` ask for.
///
/// # Errors
/// `VALIDATION_FAILED`, `PAGE_TOKEN_MISMATCH`.
pub(super) fn page(args: &ObjectAccessor<'_>, question: &str) -> Result<PageRequest, ApiError> {
    let size = args.get("first").and_then(|first| first.i64().ok()).unwrap_or(0);
    let size = u32::try_from(size).ok().filter(|size| (1..=PAGE_SIZE_MAX).contains(size));
    let size = size.ok_or_else(|| {
        let detail = format!("`first` is from 1 to {PAGE_SIZE_MAX}");
        ApiError::invalid("first", detail).with("max", PAGE_SIZE_MAX)
    })?;
    let after = args.get("after").and_then(|after| after.string().ok()).unwrap_or_default();
    PageRequest::of(size, after, question)
}

impl<T> Connection<T> {
    /// A page of what the store found.
    pub(super) fn new<S>(request: &PageRequest, found: Paged<S>, node: impl Fn(S) -> T) -> Self {
        let has_before = request.page.after.is_some();
        let edges = found.entries.into_iter().map(|(cursor, entry)| {
            let cursor = request.next(Some(&cursor), true);
            Arc::new(Edge { cursor, node: node(entry) })
        });
        Self { edges: edges.collect(), has_more: found.has_more, has_before, counting: None }
    }
}

/// The arguments of every list.
pub(super) fn paged(field: Field) -> Field {
    field
        .argument(
            InputValue::new("first", TypeRef::named_nn(TypeRef::INT))
                .description("How many entries, from 1 to 500."),
        )
        .argument(
            InputValue::new("after", TypeRef::named(TypeRef::STRING))
                .description("The cursor of the entry behind which to go on."),
        )
}

/// The type of a list's pages; `edge` is the type of its entries.
pub(super) fn connection_type<T: Send + Sync + 'static>(name: &str, edge: &str) -> Object {
    Object::new(name)
        .description("A page of a list.")
        .field(
            Field::new("edges", TypeRef::named_nn_list_nn(edge), |ctx| {
                FieldFuture::new(async move {
                    let page = ctx.parent_value.try_downcast_ref::<Connection<T>>()?;
                    let edges =
                        page.edges.iter().map(|edge| FieldValue::owned_any(Arc::clone(edge)));
                    Ok(Some(FieldValue::list(edges)))
                })
            })
            .description("The entries."),
        )
        .field(
            Field::new("pageInfo", TypeRef::named_nn("PageInfo"), |ctx| {
                FieldFuture::new(async move {
                    let page = ctx.parent_value.try_downcast_ref::<Connection<T>>()?;
                    let cursor = |edge: Option<&Arc<Edge<T>>>| edge.map(|edge| edge.cursor.clone());
                    Ok(Some(FieldValue::owned_any(PageInfo {
                        has_more: page.has_more,
                        has_before: page.has_before,
                        first: cursor(page.edges.first()),
                        last: cursor(page.edges.last()),
                    })))
                })
            })
            .description("Whether more entries follow."),
        )
}

/// The field that every entry has.
pub(super) fn cursor_field<T: Send + Sync + 'static>() -> Field {
    Field::new("cursor", TypeRef::named_nn(TypeRef::STRING), |ctx| {
        FieldFuture::new(async move {
            let edge = ctx.parent_value.try_downcast_ref::<Arc<Edge<T>>>()?;
            Ok(Some(FieldValue::value(edge.cursor.clone())))
        })
    })
    .description("Leads to what stands behind this entry.")
}

struct PageInfo {
    has_more: bool,
    has_before: bool,
    first: Option<String>,
    last: Option<String>,
}

/// The types that all lists share.
pub(super) fn shared_types() -> [Object; 2] {
    let text = |value: &Option<String>| value.clone().map(|text| FieldValue::value(text.as_str()));
    let page_info = Object::new("PageInfo")
        .description("Where a page lies in its list.")
        .field(
            Field::new("hasNextPage", TypeRef::named_nn(TypeRef::BOOLEAN), |ctx| {
                FieldFuture::new(async move {
                    let info = ctx.parent_value.try_downcast_ref::<PageInfo>()?;
                    Ok(Some(FieldValue::value(info.has_more)))
                })
            })
            .description("Whether entries follow."),
        )
        .field(
            Field::new("hasPreviousPage", TypeRef::named_nn(TypeRef::BOOLEAN), |ctx| {
                FieldFuture::new(async move {
                    let info = ctx.parent_value.try_downcast_ref::<PageInfo>()?;
                    Ok(Some(FieldValue::value(info.has_before)))
                })
            })
            .description("Whether entries came before."),
        )
        .field(
            Field::new("startCursor", TypeRef::named(TypeRef::STRING), move |ctx| {
                FieldFuture::new(async move {
                    let info = ctx.parent_value.try_downcast_ref::<PageInfo>()?;
                    Ok(text(&info.first))
                })
            })
            .description("The cursor of the first entry."),
        )
        .field(
            Field::new("endCursor", TypeRef::named(TypeRef::STRING), move |ctx| {
                FieldFuture::new(async move {
                    let info = ctx.parent_value.try_downcast_ref::<PageInfo>()?;
                    Ok(text(&info.last))
                })
            })
            .description("The cursor of the last entry."),
        );
    let total = Object::new("TotalCount")
        .description("How many entries a list has in all.")
        .field(
            Field::new("value", TypeRef::named_nn("Count"), |ctx| {
                FieldFuture::new(async move {
                    let total = ctx.parent_value.try_downcast_ref::<u64>()?;
                    Ok(Some(FieldValue::value(values::count(*total))))
                })
            })
            .description("The number."),
        )
        .field(
            Field::new("precision", TypeRef::named_nn("CountPrecision"), |_| {
                FieldFuture::new(
                    async move { Ok(Some(FieldValue::value(values::member("exact")))) },
                )
            })
            .description("Whether the number is exact."),
        );
    [page_info, total]
}
