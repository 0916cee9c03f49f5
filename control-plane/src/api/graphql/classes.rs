//! The class catalog in a query.

use super::app;
use crate::api::view::{AttributeView, ClassView, RelationshipView};
use async_graphql::Value as GraphValue;
use async_graphql::dynamic::{Field, FieldFuture, FieldValue, Object, TypeRef};

/// The root's list of classes.
pub(super) fn field() -> Field {
    Field::new("classes", TypeRef::named_nn_list_nn("Class"), |ctx| {
        FieldFuture::new(async move {
            let classes = app(ctx.ctx)?.catalog.classes();
            let views = classes.map(|class| FieldValue::owned_any(ClassView::from(class)));
            Ok(Some(FieldValue::list(views.collect::<Vec<_>>())))
        })
    })
    .description("The declared classes, by name.")
}

/// The root's list of relationships.
pub(super) fn relationships_field() -> Field {
    Field::new("relationships", TypeRef::named_nn_list_nn("Relationship"), |_| {
        FieldFuture::new(async move {
            let all = model::relationships::ALL.iter().copied();
            let views = all.map(|known| FieldValue::owned_any(RelationshipView::from(known)));
            Ok(Some(FieldValue::list(views)))
        })
    })
    .description("The relationships that items can have.")
}

fn plain<T: Send + Sync + 'static>(
    name: &str,
    of: TypeRef,
    doc: &str,
    get: fn(&T) -> GraphValue,
) -> Field {
    Field::new(name, of, move |ctx| {
        FieldFuture::new(async move {
            let view = ctx.parent_value.try_downcast_ref::<T>()?;
            Ok(Some(FieldValue::value(get(view))))
        })
    })
    .description(doc)
}

fn texts<'a>(all: impl IntoIterator<Item = &'a str>) -> GraphValue {
    GraphValue::List(all.into_iter().map(Into::into).collect())
}

/// The types of the catalog.
pub(super) fn types() -> Vec<Object> {
    vec![class_type(), attribute_type(), relationship_type()]
}

fn class_type() -> Object {
    let text = || TypeRef::named_nn(TypeRef::STRING);
    let fields = vec![
        plain::<ClassView>("name", text(), "Its name.", |class| class.name.as_str().into()),
        plain::<ClassView>("label", text(), "What a person calls one.", |class| {
            class.label.as_str().into()
        }),
        plain::<ClassView>("plural", text(), "What a person calls several.", |class| {
            class.plural.as_str().into()
        }),
        plain::<ClassView>("doc", text(), "One or more sentences.", |class| {
            class.doc.as_str().into()
        }),
        plain::<ClassView>("group", text(), "Where the console shows it.", |class| {
            class.group.into()
        }),
        plain::<ClassView>("icon", text(), "Name of an icon.", |class| class.icon.as_str().into()),
        plain::<ClassView>("title", text(), "The attribute that names an item.", |class| {
            class.title.as_str().into()
        }),
        plain::<ClassView>(
            "isPart",
            TypeRef::named_nn(TypeRef::BOOLEAN),
            "Whether its items live and die with the item that contains them.",
            |class| class.is_part.into(),
        ),
        plain::<ClassView>(
            "identity",
            TypeRef::named_nn_list_nn(TypeRef::STRING),
            "Identity keys, strongest first; for parts, the attributes that tell them apart.",
            |class| texts(class.identity.iter().map(String::as_str)),
        ),
        Field::new("attributes", TypeRef::named_nn_list_nn("AttributeDefinition"), |ctx| {
            FieldFuture::new(async move {
                let class = ctx.parent_value.try_downcast_ref::<ClassView>()?;
                let all = class.attributes.iter().map(|one| FieldValue::borrowed_any(one));
                Ok(Some(FieldValue::list(all)))
            })
        })
        .description("The attributes, in reading order."),
    ];
    let class = Object::new("Class").description("A class of configuration items.");
    fields.into_iter().fold(class, Object::field)
}

fn attribute_type() -> Object {
    let text = || TypeRef::named_nn(TypeRef::STRING);
    let fields = vec![
        plain::<AttributeView>("name", text(), "Its name.", |one| one.name.as_str().into()),
        plain::<AttributeView>("label", text(), "What a person reads in a heading.", |one| {
            one.label.as_str().into()
        }),
        plain::<AttributeView>("doc", text(), "One or more sentences.", |one| {
            one.doc.as_str().into()
        }),
        plain::<AttributeView>("kind", text(), "The form of its values.", |one| one.kind.into()),
        plain::<AttributeView>("unit", text(), "What its numbers count; empty for none.", |one| {
            one.unit.into()
        }),
        plain::<AttributeView>(
            "nature",
            TypeRef::named_nn("AttributeNature"),
            "Whether it makes history.",
            |one| super::values::member(one.nature),
        ),
    ];
    let attribute = Object::new("AttributeDefinition").description("An attribute of a class.");
    fields.into_iter().fold(attribute, Object::field)
}

fn relationship_type() -> Object {
    let text = || TypeRef::named_nn(TypeRef::STRING);
    let list = || TypeRef::named_nn_list_nn(TypeRef::STRING);
    let fields = vec![
        plain::<RelationshipView>("name", text(), "Its name, from the first end.", |one| {
            one.name.into()
        }),
        plain::<RelationshipView>("inverse", text(), "Its name, from the second end.", |one| {
            one.inverse.into()
        }),
        plain::<RelationshipView>("doc", text(), "A sentence.", |one| one.doc.into()),
        plain::<RelationshipView>("from", list(), "Classes of the first end.", |one| {
            texts(one.from.iter().copied())
        }),
        plain::<RelationshipView>("to", list(), "Classes of the second end.", |one| {
            texts(one.to.iter().copied())
        }),
        plain::<RelationshipView>("cardinality", text(), "How many at each end.", |one| {
            one.cardinality.into()
        }),
        plain::<RelationshipView>("failure", text(), "Where a failure travels.", |one| {
            one.failure.into()
        }),
        plain::<RelationshipView>(
            "redundancy",
            text(),
            "Whether the end that a failure travels to outlives some: `alone` (no), `stated` (as many as it says) or `any_one` (as long as one is left).",
            |one| one.redundancy.into(),
        ),
        plain::<RelationshipView>(
            "isDerived",
            TypeRef::named_nn(TypeRef::BOOLEAN),
            "Whether a rule derives it from facts.",
            |one| one.is_derived.into(),
        ),
    ];
    let relationship =
        Object::new("Relationship").description("A relationship that items can have.");
    fields.into_iter().fold(relationship, Object::field)
}
