//! The schema, put together from the catalog.

use super::{
    agents, app, changes, findings, history, item_type, items, lists, names, or_null, values,
};
use crate::api::error::{ApiError, Code, shortened};
use crate::api::rest::filter;
use async_graphql::dynamic::{
    Enum, EnumItem, Field, FieldFuture, FieldValue, InputObject, InputValue, Object,
    ResolverContext, Schema, TypeRef,
};
use async_graphql::{Result, Value as GraphValue};
use item_type::AttributeValues;
use model::query::{ChangeFilter, Filter, Order};
use model::{Catalog, ItemState, SourceId, SourceValue};

/// Validation walks a query recursively; its nesting was bounded before.
const RECURSION_MAX: usize = 32;

/// Directives at one place; only `@skip` and `@include` exist.
const DIRECTIVES_MAX: usize = 4;

/// The schema of a catalog.
///
/// # Errors
/// When the declared classes do not fit together as GraphQL types.
pub(super) fn build(catalog: &Catalog) -> Result<Schema, String> {
    let mut builder = Schema::build("Query", None, Some("Subscription"))
        .limit_recursive_depth(RECURSION_MAX)
        .limit_directives(DIRECTIVES_MAX)
        .register(query())
        .register(changes::subscription())
        .register(condition_input());
    for scalar in values::scalars() {
        builder = builder.register(scalar);
    }
    for members in enumerations() {
        builder = builder.register(members);
    }
    for interface in item_type::interfaces() {
        builder = builder.register(interface);
    }
    for class in catalog.classes() {
        builder = builder.register(item_type::class_type(class));
    }
    builder = builder.register(item_type::other_type());
    let objects = item_type::page_types()
        .into_iter()
        .chain(changes::types())
        .chain(agents::types())
        .chain(findings::types())
        .chain(super::topology::types())
        .chain(history::types())
        .chain(lists::shared_types())
        .chain(provenance_types())
        .chain(super::classes::types());
    for object in objects {
        builder = builder.register(object);
    }
    builder.finish().map_err(|error| error.to_string())
}

/// The schema in GraphQL's own language.
///
/// # Errors
/// When the declared classes do not fit together as GraphQL types.
pub fn sdl(catalog: &Catalog) -> Result<String, String> {
    let options = async_graphql::SDLExportOptions::new().sorted_fields().sorted_enum_items();
    Ok(build(catalog)?.sdl_with_options(options))
}

fn query() -> Object {
    let query = Object::new("Query")
        .description("What can be asked.")
        .field(item_field("item", "Item", "One item; the id of a merged one gives its survivor."))
        .field(item_field("node", "Node", "Something by its id."))
        .field(items_field())
        .field(changes_root())
        .field(super::classes::field())
        .field(super::classes::relationships_field())
        .field(agents::field())
        .field(findings::held_field())
        .field(findings::possible_field())
        .field(history::extent_field())
        .field(history::diff_field());
    super::topology::fields().into_iter().fold(query, Object::field)
}

pub(super) fn at_argument() -> InputValue {
    InputValue::new("at", TypeRef::named("Time"))
        .description("The moment that is asked about; without it, now.")
}

pub(super) fn at(ctx: &ResolverContext<'_>) -> Result<model::query::At> {
    let text = ctx.args.get("at").filter(|at| !at.is_null());
    let text = text.map(|at| at.string().map(str::to_owned)).transpose()?;
    Ok(values::at_of(text.as_deref())?)
}

fn item_field(name: &str, of: &str, doc: &str) -> Field {
    Field::new(name, TypeRef::named(of), |ctx| {
        FieldFuture::new(async move { or_null(ctx.ctx, item(&ctx).await) })
    })
    .description(doc)
    .argument(InputValue::new("id", TypeRef::named_nn(TypeRef::ID)).description("Its id."))
    .argument(at_argument())
}

async fn item<'a>(ctx: &ResolverContext<'_>) -> Result<Option<FieldValue<'a>>> {
    let text = ctx.args.try_get("id")?.string()?;
    let asked = text.parse().map_err(|_| ApiError::not_found("item", text))?;
    let at = at(ctx)?;
    let found = app(ctx.ctx)?.items.item(asked, at).await.map_err(ApiError::from)?;
    let found = found.ok_or_else(|| ApiError::not_found("item", text))?;
    Ok(Some(items::ItemNode::full(found, at).value(ctx.ctx)?))
}

fn items_field() -> Field {
    let list = |name: &str, of: &str, doc: &str| {
        InputValue::new(name, TypeRef::named_nn_list(of)).description(doc)
    };
    let field = Field::new("items", TypeRef::named_nn("ItemConnection"), |ctx| {
        FieldFuture::new(async move {
            let (filter, order) = filter_of(&ctx)?;
            item_type::find(ctx.ctx, &ctx.args, filter, order, at(&ctx)?).await
        })
    })
    .description("Items that match; without a state, all but the retired.")
    .argument(list("class", TypeRef::STRING, "Names of classes; without it, all."))
    .argument(list("states", "ItemState", "States of life."))
    .argument(
        InputValue::new("text", TypeRef::named(TypeRef::STRING)).description(
            "Words of the title or an indexed text; every word must match, by prefix.",
        ),
    )
    .argument(
        InputValue::new("parent", TypeRef::named(TypeRef::ID)).description("Parts of this item."),
    )
    .argument(list("where", "Condition", "Conditions on attributes; all must hold."))
    .argument(InputValue::new("order", TypeRef::named("ItemOrder")).description("The order."))
    .argument(at_argument());
    lists::paged(field)
}

pub(super) fn filter_of(ctx: &ResolverContext<'_>) -> Result<(Filter, Order)> {
    let catalog = &app(ctx.ctx)?.catalog;
    let classes = filter::classes(item_type::texts(ctx, "class")?, catalog)?;
    let mut states = Vec::new();
    if let Some(list) = ctx.args.get("states").filter(|list| !list.is_null()) {
        for state in list.list()?.iter() {
            states.push(state.enum_name()?.to_ascii_lowercase());
        }
    }
    let text = ctx.args.get("text").filter(|text| !text.is_null());
    let text = text.map(|text| text.string().map(str::to_owned)).transpose()?;
    let parent = match ctx.args.get("parent").filter(|parent| !parent.is_null()) {
        None => None,
        Some(parent) => {
            let text = parent.string()?;
            Some(text.parse().map_err(|_| {
                ApiError::invalid("parent", format!("`{}` is no id of an item", shortened(text)))
            })?)
        }
    };
    let mut conditions = Vec::new();
    if let Some(list) = ctx.args.get("where").filter(|list| !list.is_null()) {
        for condition in list.list()?.iter() {
            conditions.push(condition_of(catalog, &classes, &condition)?);
        }
    }
    if conditions.len() > model::query::CONDITIONS_MAX {
        let detail = format!("a filter has at most {} conditions", model::query::CONDITIONS_MAX);
        return Err(ApiError::invalid("where", detail).into());
    }
    let order = match ctx.args.get("order").filter(|order| !order.is_null()) {
        None => Order::default(),
        Some(order) => match order.enum_name()? {
            "CHANGED" => Order::Changed,
            "CLASS" => Order::Class,
            _ => Order::Title,
        },
    };
    let states = filter::states(&states)?;
    Ok((Filter { classes, states, parent, text, conditions }, order))
}

fn condition_of(
    catalog: &Catalog,
    classes: &[model::Name],
    given: &async_graphql::dynamic::ValueAccessor<'_>,
) -> Result<model::query::Condition> {
    let given = given.object()?;
    let attribute = given.try_get("attribute")?.string()?;
    let named = given.get("comparison").filter(|name| !name.is_null());
    let name = named.as_ref().map_or(Ok("EQUAL"), |name| name.enum_name())?;
    let comparison = values::COMPARISONS
        .iter()
        .find_map(|(known, comparison, _)| (*known == name).then_some(*comparison))
        .ok_or_else(|| ApiError::new(Code::ValidationFailed, "there is no such comparison"))?;
    let value = given.get("value").map_or(GraphValue::Null, |value| value.as_value().clone());
    let written = values::written(&value)?;
    Ok(filter::condition(catalog, classes, attribute, comparison, &written)?)
}

fn condition_input() -> InputObject {
    InputObject::new("Condition")
        .description("A condition on one attribute.")
        .field(
            InputValue::new("attribute", TypeRef::named_nn(TypeRef::STRING))
                .description("Name of the attribute, as the catalog writes it."),
        )
        .field(
            InputValue::new("comparison", TypeRef::named("Comparison"))
                .default_value(GraphValue::Enum(async_graphql::Name::new("EQUAL")))
                .description("How it is compared."),
        )
        .field(
            InputValue::new("value", TypeRef::named("Value"))
                .description("With what; null is *looked, and there is none*."),
        )
}

fn changes_root() -> Field {
    let field = Field::new("changes", TypeRef::named_nn("ChangeConnection"), |ctx| {
        FieldFuture::new(async move {
            let catalog = &app(ctx.ctx)?.catalog;
            let classes = filter::classes(item_type::texts(&ctx, "class")?, catalog)?;
            let since = match ctx.args.get("since").filter(|since| !since.is_null()) {
                None => None,
                Some(since) => Some(crate::api::moment::parse("since", since.string()?)?),
            };
            let filter = ChangeFilter { classes, since, ..ChangeFilter::default() };
            changes::page(ctx.ctx, &ctx.args, filter).await
        })
    })
    .description("What changed, newest first.")
    .argument(
        InputValue::new("class", TypeRef::named_nn_list(TypeRef::STRING))
            .description("Names of classes; without it, all."),
    )
    .argument(
        InputValue::new("since", TypeRef::named("Time"))
            .description("Observed at or after this moment."),
    );
    lists::paged(field)
}

fn enumeration(name: &str, doc: &str, members: &[&str]) -> Enum {
    let members = members.iter().map(|member| EnumItem::new(names::upper(member)));
    members.fold(Enum::new(name).description(doc), Enum::item)
}

fn enumerations() -> Vec<Enum> {
    let states: Vec<&str> = ItemState::ALL.iter().map(|state| state.name()).collect();
    let comparisons = values::COMPARISONS.iter().fold(
        Enum::new("Comparison").description("How an attribute is compared."),
        |members, (name, _, doc)| members.item(EnumItem::new(*name).description(*doc)),
    );
    vec![
        comparisons,
        enumeration("ItemState", "Where an item is in its life.", &states),
        enumeration("ItemOrder", "The order of items.", &["title", "changed", "class"]),
        enumeration("CountPrecision", "Whether a number is exact.", &["exact", "estimate"]),
        enumeration(
            "ChangeKind",
            "What happened.",
            &["created", "attribute_changed", "related", "unrelated", "state_changed"],
        ),
        enumeration(
            "DifferenceKind",
            "How an item differs between two moments.",
            &store::history::DifferenceKind::ALL.map(store::history::DifferenceKind::name),
        ),
        enumeration(
            "AgentState",
            "Whether an agent's stream is open.",
            &["connected", "disconnected", "revoked"],
        ),
        enumeration("AttributeNature", "Whether an attribute makes history.", &["fact", "reading"]),
    ]
}

/// Who says what: sources, and each source's value.
fn provenance_types() -> Vec<Object> {
    let said = |name: &str, of: TypeRef, doc: &str, get: fn(&SourceValue) -> GraphValue| {
        Field::new(name, of, move |ctx| {
            FieldFuture::new(async move {
                let said = ctx.parent_value.try_downcast_ref::<SourceValue>()?;
                Ok(Some(FieldValue::value(get(said))))
            })
        })
        .description(doc)
    };
    let source = |name: &str, doc: &str, get: fn(&SourceId) -> &str| {
        Field::new(name, TypeRef::named_nn(TypeRef::STRING), move |ctx| {
            FieldFuture::new(async move {
                let source = ctx.parent_value.try_downcast_ref::<SourceId>()?;
                Ok(Some(FieldValue::value(get(source))))
            })
        })
        .description(doc)
    };
    let value = Object::new("SourceValue")
        .description("One source's value of an attribute.")
        .field(said("value", TypeRef::named("Value"), "The value.", |said| {
            values::graph_of(&said.value)
        }))
        .field(said("since", TypeRef::named_nn("Time"), "Since when it is so.", |said| {
            values::time(said.provenance.since)
        }))
        .field(said(
            "confirmedAt",
            TypeRef::named_nn("Time"),
            "When a look last confirmed it.",
            |said| values::time(said.provenance.confirmed_at),
        ))
        .field(said(
            "confidence",
            TypeRef::named_nn(TypeRef::INT),
            "How much the source is believed, from 0 to 100.",
            |said| said.provenance.confidence.into(),
        ))
        .field(
            Field::new("source", TypeRef::named_nn("Source"), |ctx| {
                FieldFuture::new(async move {
                    let said = ctx.parent_value.try_downcast_ref::<SourceValue>()?;
                    Ok(Some(FieldValue::owned_any(said.provenance.source.clone())))
                })
            })
            .description("Who says it."),
        );
    let source = Object::new("Source")
        .description("Who says something: a collector on a target.")
        .field(source("collector", "The collector's name.", |source| &source.collector))
        .field(source("target", "What it was pointed at.", |source| &source.target));
    vec![value, source, attribute_values_type()]
}

fn attribute_values_type() -> Object {
    Object::new("AttributeValues")
        .description("An attribute with what each source says of it.")
        .field(
            Field::new("name", TypeRef::named_nn(TypeRef::STRING), |ctx| {
                FieldFuture::new(async move {
                    let attribute = ctx.parent_value.try_downcast_ref::<AttributeValues>()?;
                    Ok(Some(FieldValue::value(attribute.name.as_str())))
                })
            })
            .description("The attribute."),
        )
        .field(
            Field::new("values", TypeRef::named_nn_list_nn("SourceValue"), |ctx| {
                FieldFuture::new(async move {
                    let attribute = ctx.parent_value.try_downcast_ref::<AttributeValues>()?;
                    let values = attribute.values.iter().cloned().map(FieldValue::owned_any);
                    Ok(Some(FieldValue::list(values)))
                })
            })
            .description("The winner first, the values of other sources behind it."),
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_class_has_a_type_and_every_type_of_ours_is_a_taken_name() {
        let catalog = Catalog::built_in();
        let sdl = sdl(&catalog).unwrap();
        for class in catalog.classes() {
            let head = format!("type {} implements ", names::type_of(&class.name));
            assert!(sdl.contains(&head), "{}", class.name);
        }
        let classes: Vec<String> =
            catalog.classes().map(|class| names::type_of(&class.name)).collect();
        for line in sdl.lines() {
            let mut words = line.split_whitespace();
            let (Some("type" | "enum" | "interface" | "scalar" | "input"), Some(name)) =
                (words.next(), words.next())
            else {
                continue;
            };
            let is_known =
                classes.iter().any(|class| class == name) || names::TAKEN_TYPES.contains(&name);
            assert!(is_known, "{name} is not among the taken names");
        }
    }
}
