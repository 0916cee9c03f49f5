//! The types of items: the interface that all share, and one type per class with a field per attribute.

use super::items::ItemNode;
use super::lists::{self, Connection, Edge};
use super::{app, changes, history, names, or_null, values};
use crate::api::rest::items as rest_items;
use crate::app::App;
use async_graphql::dynamic::{
    Field, FieldFuture, FieldValue, InputValue, Interface, InterfaceField, Object, TypeRef,
};
use async_graphql::{Context, Result};
use model::query::{Filter, Order};
use model::{ClassDefinition, Item, Kind, RelatedItem, SourceValue};
use std::collections::BTreeSet;
use std::sync::Arc;

/// A field that is made of the whole item.
fn whole(
    name: &str,
    of: TypeRef,
    doc: &str,
    get: impl Fn(&Item) -> Result<Option<async_graphql::Value>> + Send + Sync + Clone + 'static,
) -> Field {
    Field::new(name, of, move |ctx| {
        let get = get.clone();
        FieldFuture::new(async move {
            let node = ctx.parent_value.try_downcast_ref::<ItemNode>()?;
            let item = node.item(ctx.ctx).await?;
            Ok(or_null(ctx.ctx, get(&item))?.map(FieldValue::value))
        })
    })
    .description(doc)
}

/// A field that is made of what a relation already brings.
fn known(
    name: &str,
    of: TypeRef,
    doc: &str,
    get: impl Fn(&ItemNode) -> async_graphql::Value + Send + Sync + Clone + 'static,
) -> Field {
    Field::new(name, of, move |ctx| {
        let get = get.clone();
        FieldFuture::new(async move {
            let node = ctx.parent_value.try_downcast_ref::<ItemNode>()?;
            Ok(Some(FieldValue::value(get(node))))
        })
    })
    .description(doc)
}

/// The fields that every item has.
fn shared_fields() -> Vec<Field> {
    vec![
        known("id", TypeRef::named_nn(TypeRef::ID), "Its id.", |node| node.id.to_string().into()),
        known("class", TypeRef::named_nn(TypeRef::STRING), "Its class.", |node| {
            node.class.as_ref().into()
        }),
        known("title", TypeRef::named_nn(TypeRef::STRING), "What a person calls it.", |node| {
            node.title.as_str().into()
        }),
        known("state", TypeRef::named_nn("ItemState"), "Where it is in its life.", |node| {
            values::member(node.state.name())
        }),
        whole("firstSeen", TypeRef::named_nn("Time"), "When it was first observed.", |item| {
            Ok(Some(values::time(item.first_seen)))
        }),
        whole("lastSeen", TypeRef::named_nn("Time"), "When it was last observed.", |item| {
            Ok(Some(values::time(item.last_seen)))
        }),
        whole(
            "revision",
            TypeRef::named_nn("Count"),
            "The change set that last changed it.",
            |item| Ok(Some(values::count(item.revision.0))),
        ),
        parent_field(),
        attributes_field(),
        provenance_field(),
        relations_field(),
        parts_field(),
        changes_field(),
        history::moments_field(),
    ]
}

/// The interface.
pub(super) fn interfaces() -> [Interface; 2] {
    let node = Interface::new("Node")
        .description("Something with an id.")
        .field(InterfaceField::new("id", TypeRef::named_nn(TypeRef::ID)).description("Its id."));
    let mut item =
        Interface::new("Item").description("A configuration item of any class.").implement("Node");
    let plain = [
        ("id", TypeRef::named_nn(TypeRef::ID), "Its id."),
        ("class", TypeRef::named_nn(TypeRef::STRING), "Its class."),
        ("title", TypeRef::named_nn(TypeRef::STRING), "What a person calls it."),
        ("state", TypeRef::named_nn("ItemState"), "Where it is in its life."),
        ("firstSeen", TypeRef::named_nn("Time"), "When it was first observed."),
        ("lastSeen", TypeRef::named_nn("Time"), "When it was last observed."),
        ("revision", TypeRef::named_nn("Count"), "The change set that last changed it."),
        ("parent", TypeRef::named("Item"), "The item that it is a part of."),
        (
            "attributes",
            TypeRef::named_nn_list_nn("AttributeValues"),
            "All attributes that were looked at, those of newer agents too.",
        ),
    ];
    for (name, of, doc) in plain {
        item = item.field(InterfaceField::new(name, of).description(doc));
    }
    let with_arguments = [
        ("provenance", TypeRef::named_nn_list_nn("SourceValue"), provenance_arguments()),
        ("relations", TypeRef::named_nn("RelationConnection"), relation_arguments()),
        ("parts", TypeRef::named_nn("ItemConnection"), part_arguments()),
        ("changes", TypeRef::named_nn("ChangeConnection"), change_arguments()),
        ("moments", TypeRef::named_nn("Moments"), history::moments_arguments()),
    ];
    for (name, of, arguments) in with_arguments {
        let mut field = InterfaceField::new(name, of);
        for argument in arguments {
            field = field.argument(argument);
        }
        item = item.field(field);
    }
    [node, item]
}

/// The type of a class.
pub(super) fn class_type(class: &ClassDefinition) -> Object {
    let mut object = Object::new(names::type_of(&class.name))
        .description(class.doc.as_ref())
        .implement("Node")
        .implement("Item");
    for field in shared_fields() {
        object = object.field(field);
    }
    let mut used = BTreeSet::new();
    for attribute in &class.attributes {
        let name = names::field_of(&attribute.name, &mut used);
        let (key, kind): (String, Kind) = (attribute.name.to_string(), attribute.kind);
        let field = whole(&name, values::type_of(attribute), &attribute.doc, move |item| {
            let Some(value) = item.value(&key) else { return Ok(None) };
            Ok(Some(values::typed(kind, value)?)
                .filter(|value| *value != async_graphql::Value::Null))
        });
        object = object.field(field);
    }
    object
}

/// The type of items whose class only newer agents know.
pub(super) fn other_type() -> Object {
    let object = Object::new("OtherItem")
        .description(
            "An item of a class that this version does not know; its attributes are shown raw.",
        )
        .implement("Node")
        .implement("Item");
    shared_fields().into_iter().fold(object, Object::field)
}

fn parent_field() -> Field {
    Field::new("parent", TypeRef::named("Item"), |ctx| {
        FieldFuture::new(async move {
            let node = ctx.parent_value.try_downcast_ref::<ItemNode>()?;
            let Some(parent) = node.item(ctx.ctx).await?.parent else { return Ok(None) };
            let found = super::items::value_of(ctx.ctx, parent, node.at).await;
            or_null(ctx.ctx, found.map_err(Into::into))
        })
    })
    .description("The item that it is a part of.")
}

/// An attribute's name with what each source says of it.
pub(super) struct AttributeValues {
    pub(super) name: String,
    pub(super) values: Vec<SourceValue>,
}

fn attributes_field() -> Field {
    Field::new("attributes", TypeRef::named_nn_list_nn("AttributeValues"), |ctx| {
        FieldFuture::new(async move {
            let node = ctx.parent_value.try_downcast_ref::<ItemNode>()?;
            let item = node.item(ctx.ctx).await?;
            let all: Vec<FieldValue<'_>> = item
                .attributes
                .iter()
                .map(|(name, values)| {
                    let (name, values) = (name.to_string(), values.clone());
                    FieldValue::owned_any(AttributeValues { name, values })
                })
                .collect();
            Ok(Some(FieldValue::list(all)))
        })
    })
    .description("All attributes that were looked at, those of newer agents too.")
}

fn provenance_arguments() -> Vec<InputValue> {
    vec![
        InputValue::new("attribute", TypeRef::named_nn(TypeRef::STRING))
            .description("Name of the attribute, as the catalog writes it."),
    ]
}

fn provenance_field() -> Field {
    let field = Field::new("provenance", TypeRef::named_nn_list_nn("SourceValue"), |ctx| {
        FieldFuture::new(async move {
            let node = ctx.parent_value.try_downcast_ref::<ItemNode>()?;
            let attribute = ctx.args.try_get("attribute")?.string()?.to_owned();
            let item = node.item(ctx.ctx).await?;
            let said = item.attributes.get(attribute.as_str()).cloned().unwrap_or_default();
            Ok(Some(FieldValue::list(said.into_iter().map(FieldValue::owned_any))))
        })
    })
    .description(
        "What each source says of one attribute, the winner first; empty when nobody looked.",
    );
    provenance_arguments().into_iter().fold(field, Field::argument)
}

fn page_arguments() -> Vec<InputValue> {
    vec![
        InputValue::new("first", TypeRef::named_nn(TypeRef::INT))
            .description("How many entries, from 1 to 500."),
        InputValue::new("after", TypeRef::named(TypeRef::STRING))
            .description("The cursor of the entry behind which to go on."),
    ]
}

fn relation_arguments() -> Vec<InputValue> {
    let verbs = InputValue::new("verb", TypeRef::named_nn_list(TypeRef::STRING))
        .description("Names of relationships; without it, all.");
    std::iter::once(verbs).chain(page_arguments()).collect()
}

fn relations_field() -> Field {
    let field = Field::new("relations", TypeRef::named_nn("RelationConnection"), |ctx| {
        FieldFuture::new(async move {
            let node = ctx.parent_value.try_downcast_ref::<ItemNode>()?;
            let app: &App = app(ctx.ctx)?;
            let verbs = rest_items::verbs(app, texts(&ctx, "verb")?)?;
            let question = format!("relations|{}|{verbs:?}|{:?}", node.id, node.at);
            let request = lists::page(&ctx.args, &question)?;
            let at = node.at;
            let found = app
                .items
                .related(node.id, &verbs, &request.page, at)
                .await
                .map_err(crate::api::error::ApiError::from)?;
            let page = Connection::new(&request, found, |related| (related, at));
            Ok(Some(FieldValue::owned_any::<Connection<Relation>>(page)))
        })
    })
    .description("What it relates to, in both directions.");
    relation_arguments().into_iter().fold(field, Field::argument)
}

/// A relationship with the moment that is asked about.
pub(super) type Relation = (RelatedItem, model::query::At);

fn part_arguments() -> Vec<InputValue> {
    let class = InputValue::new("class", TypeRef::named_nn_list(TypeRef::STRING))
        .description("Names of classes; without it, all.");
    std::iter::once(class).chain(page_arguments()).collect()
}

fn parts_field() -> Field {
    let field = Field::new("parts", TypeRef::named_nn("ItemConnection"), |ctx| {
        FieldFuture::new(async move {
            let node = ctx.parent_value.try_downcast_ref::<ItemNode>()?;
            let app: &App = app(ctx.ctx)?;
            let classes = crate::api::rest::filter::classes(texts(&ctx, "class")?, &app.catalog)?;
            let filter = Filter { classes, parent: Some(node.id), ..Filter::default() };
            find(ctx.ctx, &ctx.args, filter, Order::Class, node.at).await
        })
    })
    .description("Its parts.");
    part_arguments().into_iter().fold(field, Field::argument)
}

/// A page of items that match.
pub(super) async fn find<'a>(
    context: &Context<'_>,
    args: &async_graphql::dynamic::ObjectAccessor<'_>,
    filter: Filter,
    order: Order,
    at: model::query::At,
) -> Result<Option<FieldValue<'a>>> {
    let app = app(context)?;
    let question = crate::api::rest::filter::question(&filter, &format!("items|{order:?}|{at:?}"));
    let request = lists::page(args, &question)?;
    let found = app
        .items
        .find(&filter, order, &request.page, at)
        .await
        .map_err(crate::api::error::ApiError::from)?;
    let mut page = Connection::new(&request, found, |item| ItemNode::full(item, at));
    page.counting = Some(lists::Counting { filter, at });
    Ok(Some(FieldValue::owned_any::<Connection<ItemNode>>(page)))
}

fn change_arguments() -> Vec<InputValue> {
    let parts = InputValue::new("withParts", TypeRef::named(TypeRef::BOOLEAN))
        .description("With the changes of its parts.");
    std::iter::once(parts).chain(page_arguments()).collect()
}

fn changes_field() -> Field {
    let field = Field::new("changes", TypeRef::named_nn("ChangeConnection"), |ctx| {
        FieldFuture::new(async move {
            let node = ctx.parent_value.try_downcast_ref::<ItemNode>()?;
            let with_parts =
                ctx.args.get("withParts").and_then(|yes| yes.boolean().ok()).unwrap_or(false);
            let filter = model::query::ChangeFilter {
                item: Some(node.id),
                with_parts,
                ..model::query::ChangeFilter::default()
            };
            changes::page(ctx.ctx, &ctx.args, filter).await
        })
    })
    .description("Its history, newest first.");
    change_arguments().into_iter().fold(field, Field::argument)
}

/// The texts of a list argument; none when it is missing.
pub(super) fn texts(
    ctx: &async_graphql::dynamic::ResolverContext<'_>,
    name: &str,
) -> Result<Vec<String>> {
    let Some(list) = ctx.args.get(name) else { return Ok(Vec::new()) };
    if list.is_null() {
        return Ok(Vec::new());
    }
    list.list()?.iter().map(|text| Ok(text.string()?.to_owned())).collect()
}

/// The types of pages of items and relations.
pub(super) fn page_types() -> Vec<Object> {
    let items = lists::connection_type::<ItemNode>("ItemConnection", "ItemEdge").field(
        Field::new("totalCount", TypeRef::named_nn("TotalCount"), |ctx| {
            FieldFuture::new(async move {
                let page = ctx.parent_value.try_downcast_ref::<Connection<ItemNode>>()?;
                let Some(counting) = page.counting.clone() else { return Ok(None) };
                let app = app(ctx.ctx)?;
                let total = app
                    .items
                    .count(&counting.filter, counting.at)
                    .await
                    .map_err(crate::api::error::ApiError::from)?;
                Ok(Some(FieldValue::owned_any(total)))
            })
        })
        .description("How many match in all; counted only when asked for."),
    );
    let item_edge = Object::new("ItemEdge")
        .description("An item of a page.")
        .field(lists::cursor_field::<ItemNode>())
        .field(
            Field::new("node", TypeRef::named_nn("Item"), |ctx| {
                FieldFuture::new(async move {
                    let edge = ctx.parent_value.try_downcast_ref::<Arc<Edge<ItemNode>>>()?;
                    Ok(Some(edge.node.clone().value(ctx.ctx)?))
                })
            })
            .description("The item."),
        );
    let relations = lists::connection_type::<Relation>("RelationConnection", "RelationEdge");
    vec![items, item_edge, relations, relation_edge()]
}

fn relation_edge() -> Object {
    let field =
        |name: &str, of: TypeRef, doc: &str, get: fn(&RelatedItem) -> async_graphql::Value| {
            Field::new(name, of, move |ctx| {
                FieldFuture::new(async move {
                    let edge = ctx.parent_value.try_downcast_ref::<Arc<Edge<Relation>>>()?;
                    Ok(Some(FieldValue::value(get(&edge.node.0))))
                })
            })
            .description(doc)
        };
    Object::new("RelationEdge")
        .description("A relationship, as seen from the item that was asked about.")
        .field(lists::cursor_field::<Relation>())
        .field(field(
            "verb",
            TypeRef::named_nn(TypeRef::STRING),
            "The relationship's name.",
            |related| related.verb.as_ref().into(),
        ))
        .field(field(
            "outgoing",
            TypeRef::named_nn(TypeRef::BOOLEAN),
            "Whether the item that was asked about is the first end.",
            |related| related.outgoing.into(),
        ))
        .field(field("since", TypeRef::named_nn("Time"), "Since when.", |related| {
            values::time(related.since)
        }))
        .field(field(
            "evidence",
            TypeRef::named_nn(TypeRef::STRING),
            "What supports it, in words.",
            |related| related.evidence.as_str().into(),
        ))
        .field(
            Field::new("source", TypeRef::named_nn("Source"), |ctx| {
                FieldFuture::new(async move {
                    let edge = ctx.parent_value.try_downcast_ref::<Arc<Edge<Relation>>>()?;
                    Ok(Some(FieldValue::owned_any(edge.node.0.source.clone())))
                })
            })
            .description("Who says it; for a derived relationship, the rule."),
        )
        .field(
            Field::new("node", TypeRef::named_nn("Item"), |ctx| {
                FieldFuture::new(async move {
                    let edge = ctx.parent_value.try_downcast_ref::<Arc<Edge<Relation>>>()?;
                    let (related, at) = &edge.node;
                    Ok(Some(ItemNode::related(related, *at).value(ctx.ctx)?))
                })
            })
            .description("The item at the other end."),
        )
}
