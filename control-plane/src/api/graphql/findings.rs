//! What a person should look at, in a query: the same that REST gives.

use super::items::ItemNode;
use super::lists::{self, Connection, Edge};
use super::{app, values};
use crate::api::auth::Action;
use crate::api::auth::layer::Caller;
use crate::api::error::ApiError;
use crate::api::rest::extract::id;
use async_graphql::dynamic::{
    Field, FieldFuture, FieldValue, InputValue, Object, ResolverContext, TypeRef,
};
use async_graphql::{Result, Value as GraphValue};
use store::findings::{HeldRetirement, NamedItem, PossibleDuplicate};

/// The id in an argument that may be missing.
fn asked<T: std::str::FromStr>(ctx: &ResolverContext<'_>, name: &str) -> Result<Option<T>> {
    let Some(given) = ctx.args.get(name).filter(|given| !given.is_null()) else { return Ok(None) };
    Ok(Some(id(name, given.string()?)?))
}

/// The root's list of held disappearances.
pub(super) fn held_field() -> Field {
    let field =
        Field::new("heldRetirements", TypeRef::named_nn("HeldRetirementConnection"), |ctx| {
            FieldFuture::new(async move {
                ctx.ctx.data::<Caller>()?.may(Action::ItemsRead)?;
                let agent = asked(&ctx, "agent")?;
                let request = lists::page(&ctx.args, &format!("held retirements|{agent:?}"))?;
                let found = app(ctx.ctx)?.findings.held_retirements(agent, &request.page).await;
                let page = Connection::new(&request, found.map_err(ApiError::from)?, |held| held);
                Ok(Some(FieldValue::owned_any::<Connection<HeldRetirement>>(page)))
            })
        })
        .description(
            "Disappearances that are held, because a look missed too much of its scope at once.",
        )
        .argument(
            InputValue::new("agent", TypeRef::named(TypeRef::ID))
                .description("Only of the scopes that this agent carries."),
        );
    lists::paged(field)
}

/// The root's list of items that may be one.
pub(super) fn possible_field() -> Field {
    let field =
        Field::new("possibleDuplicates", TypeRef::named_nn("PossibleDuplicateConnection"), |ctx| {
            FieldFuture::new(async move {
                ctx.ctx.data::<Caller>()?.may(Action::ItemsRead)?;
                let item = asked(&ctx, "item")?;
                let request = lists::page(&ctx.args, &format!("possible duplicates|{item:?}"))?;
                let found =
                    app(ctx.ctx)?.findings.possible_duplicates(item, None, &request.page).await;
                let page = Connection::new(&request, found.map_err(ApiError::from)?, |pair| pair);
                Ok(Some(FieldValue::owned_any::<Connection<PossibleDuplicate>>(page)))
            })
        })
        .description(
            "Items that may be one, the newest first, without those of which one is retired.",
        )
        .argument(
            InputValue::new("item", TypeRef::named(TypeRef::ID))
                .description("Only pairs with this item."),
        );
    lists::paged(field)
}

fn of_edge<T: Send + Sync + 'static>(
    name: &str,
    of: TypeRef,
    doc: &str,
    get: fn(&T) -> GraphValue,
) -> Field {
    Field::new(name, of, move |ctx| {
        FieldFuture::new(async move {
            let edge = ctx.parent_value.try_downcast_ref::<std::sync::Arc<Edge<T>>>()?;
            Ok(Some(FieldValue::value(get(&edge.node))))
        })
    })
    .description(doc)
}

fn end(name: &str, doc: &str, get: fn(&PossibleDuplicate) -> &NamedItem) -> Field {
    Field::new(name, TypeRef::named_nn("Item"), move |ctx| {
        FieldFuture::new(async move {
            let edge =
                ctx.parent_value.try_downcast_ref::<std::sync::Arc<Edge<PossibleDuplicate>>>()?;
            Ok(Some(ItemNode::named(get(&edge.node)).value(ctx.ctx)?))
        })
    })
    .description(doc)
}

fn held_edge() -> Object {
    let text = || TypeRef::named_nn(TypeRef::STRING);
    let count = || TypeRef::named_nn("Count");
    let source = Field::new("source", TypeRef::named_nn("Source"), |ctx| {
        FieldFuture::new(async move {
            let edge =
                ctx.parent_value.try_downcast_ref::<std::sync::Arc<Edge<HeldRetirement>>>()?;
            Ok(Some(FieldValue::owned_any(edge.node.source.clone())))
        })
    })
    .description("Who looked.");
    Object::new("HeldRetirementEdge")
        .description("A disappearance that is held.")
        .field(lists::cursor_field::<HeldRetirement>())
        .field(source)
        .field(of_edge::<HeldRetirement>(
            "scope",
            text(),
            "The scope that held much less than before.",
            |held| held.scope.as_ref().into(),
        ))
        .field(of_edge::<HeldRetirement>(
            "agentId",
            TypeRef::named_nn(TypeRef::ID),
            "The agent that carries the scope.",
            |held| held.agent.to_string().into(),
        ))
        .field(of_edge::<HeldRetirement>(
            "heldAt",
            TypeRef::named_nn("Time"),
            "When it was held last.",
            |held| values::time(held.at),
        ))
        .field(of_edge::<HeldRetirement>(
            "count",
            count(),
            "How many items would have gone.",
            |held| values::count(held.count),
        ))
        .field(of_edge::<HeldRetirement>("of", count(), "Of how many.", |held| {
            values::count(held.of)
        }))
}

fn possible_edge() -> Object {
    Object::new("PossibleDuplicateEdge")
        .description(
            "Two items that may be one: too much speaks for it to ignore, too little to decide.",
        )
        .field(lists::cursor_field::<PossibleDuplicate>())
        .field(end("item", "The newer item.", |pair| &pair.item))
        .field(end("other", "The older item.", |pair| &pair.other))
        .field(of_edge::<PossibleDuplicate>(
            "bits",
            TypeRef::named_nn(TypeRef::INT),
            "How much speaks for it, in bits.",
            |pair| pair.bits.into(),
        ))
        .field(of_edge::<PossibleDuplicate>(
            "foundAt",
            TypeRef::named_nn("Time"),
            "When it was noted.",
            |pair| values::time(pair.at),
        ))
}

/// The types of findings.
pub(super) fn types() -> Vec<Object> {
    vec![
        held_edge(),
        lists::connection_type::<HeldRetirement>("HeldRetirementConnection", "HeldRetirementEdge"),
        possible_edge(),
        lists::connection_type::<PossibleDuplicate>(
            "PossibleDuplicateConnection",
            "PossibleDuplicateEdge",
        ),
    ]
}
