//! The types of answers of the graph.

use super::super::items::ItemNode;
use super::super::values;
use crate::graph::{
    GraphRelation, Impact, Lost, Needed, Needs, Neighborhood, Orphans, Paths, Reached, Route,
    RouteStep,
};
use async_graphql::Value as GraphValue;
use async_graphql::dynamic::{Field, FieldFuture, FieldValue, Object, TypeRef};
use model::query::At;
use model::{ItemId, Name};
use store::findings::NamedItem;
use topology::{Bundle, Group, Groups, Link};

/// A page of orphans, with the token of the next.
pub(super) struct OrphanPage {
    pub(super) found: Orphans,
    pub(super) next: String,
}

/// An item of a neighborhood with its distance, and the moment that is asked about.
type Neighbor = (NamedItem, u32, At);

/// A relationship of a way: its name and whether it leads away from the item before.
type Via = (Name, bool);

fn count(number: usize) -> GraphValue {
    values::count(u64::try_from(number).unwrap_or(u64::MAX))
}

/// A field with a plain value of what its object holds.
fn plain<T: Send + Sync + 'static>(
    name: &str,
    of: TypeRef,
    doc: &str,
    get: fn(&T) -> GraphValue,
) -> Field {
    Field::new(name, of, move |ctx| {
        FieldFuture::new(async move {
            Ok(Some(FieldValue::value(get(ctx.parent_value.try_downcast_ref::<T>()?))))
        })
    })
    .description(doc)
}

/// A field with a list of objects.
fn list<T: Send + Sync + 'static, U: Send + Sync + 'static>(
    name: &str,
    of: &str,
    doc: &str,
    get: fn(&T) -> Vec<U>,
) -> Field {
    Field::new(name, TypeRef::named_nn_list_nn(of), move |ctx| {
        FieldFuture::new(async move {
            let found = get(ctx.parent_value.try_downcast_ref::<T>()?);
            Ok(Some(FieldValue::list(found.into_iter().map(FieldValue::owned_any))))
        })
    })
    .description(doc)
}

/// A field with an item.
fn item<T: Send + Sync + 'static>(name: &str, doc: &str, get: fn(&T) -> &NamedItem) -> Field {
    Field::new(name, TypeRef::named_nn("Item"), move |ctx| {
        FieldFuture::new(async move {
            let named = get(ctx.parent_value.try_downcast_ref::<T>()?);
            Ok(Some(ItemNode::named(named).value(ctx.ctx)?))
        })
    })
    .description(doc)
}

/// A field with an item as it is or was at a moment.
fn item_at<T: Send + Sync + 'static>(
    name: &str,
    doc: &str,
    get: fn(&T) -> (&NamedItem, At),
) -> Field {
    Field::new(name, TypeRef::named_nn("Item"), move |ctx| {
        FieldFuture::new(async move {
            let (named, at) = get(ctx.parent_value.try_downcast_ref::<T>()?);
            Ok(Some(ItemNode::named(named).at(at).value(ctx.ctx)?))
        })
    })
    .description(doc)
}

/// A field with a list of items.
fn items<T: Send + Sync + 'static>(name: &str, doc: &str, get: fn(&T) -> &[NamedItem]) -> Field {
    Field::new(name, TypeRef::named_nn_list_nn("Item"), move |ctx| {
        FieldFuture::new(async move {
            let found = get(ctx.parent_value.try_downcast_ref::<T>()?);
            let nodes: Result<Vec<_>, _> =
                found.iter().map(|named| ItemNode::named(named).value(ctx.ctx)).collect();
            Ok(Some(FieldValue::list(nodes?)))
        })
    })
    .description(doc)
}

fn counts() -> TypeRef {
    TypeRef::named_nn("Count")
}

fn words() -> TypeRef {
    TypeRef::named_nn(TypeRef::STRING)
}

fn yes_or_no() -> TypeRef {
    TypeRef::named_nn(TypeRef::BOOLEAN)
}

fn ids() -> TypeRef {
    TypeRef::named_nn(TypeRef::ID)
}

/// The types.
pub(in crate::api::graphql) fn types() -> Vec<Object> {
    vec![
        impact(),
        dependencies(),
        reached_item(),
        weakened(),
        class_count(),
        paths(),
        path(),
        path_step(),
        path_via(),
        neighborhood(),
        neighbor(),
        bundle(),
        relation(),
        orphans(),
        groups(),
        group(),
        link(),
    ]
}

/// The numbers that walks along failures share, how many, whether the list is cut, how many at each distance; and the
/// list itself.
type WalkParts<T> = ([fn(&T) -> GraphValue; 3], fn(&T) -> Vec<Needed>);

/// The fields that walks along failures share.
fn walk<T: Send + Sync + 'static>(
    object: Object,
    (numbers, entries): WalkParts<T>,
    classes: fn(&T) -> Vec<(Name, usize)>,
) -> Object {
    let [total, is_cut, rings] = numbers;
    object
        .field(plain("count", counts(), "How many items, exactly.", total))
        .field(plain("isCut", yes_or_no(), "Whether fewer are listed.", is_cut))
        .field(plain(
            "rings",
            TypeRef::named_nn_list_nn("Count"),
            "How many there are at each distance, from 1 on.",
            rings,
        ))
        .field(list(
            "classes",
            "ClassCount",
            "How many there are of each class, most first.",
            classes,
        ))
        .field(list("items", "ReachedItem", "The items, nearest first.", entries))
}

fn rings(reached: &Reached) -> GraphValue {
    GraphValue::List(reached.rings.iter().map(|ring| count(*ring)).collect())
}

fn is_cut(reached: &Reached) -> GraphValue {
    (reached.items.len() < reached.count).into()
}

fn impact() -> Object {
    let object = Object::new("Impact").description("What suffers when items fail together.");
    let numbers: [fn(&Impact) -> GraphValue; 3] = [
        |impact| count(impact.reached.count),
        |impact| is_cut(&impact.reached),
        |impact| rings(&impact.reached),
    ];
    walk::<Impact>(object, (numbers, |impact| impact.reached.items.clone()), |impact| {
        impact.reached.classes.clone()
    })
    .field(items::<Impact>("failed", "The items that fail.", |impact| &impact.failed))
    .field(plain::<Impact>(
        "weakenedCount",
        counts(),
        "How many items go on with less than before: others stand in for what failed.",
        |impact| count(impact.weakened_count),
    ))
    .field(list::<Impact, Lost<NamedItem>>(
        "weakened",
        "WeakenedItem",
        "The items that go on with less than before.",
        |impact| impact.weakened.clone(),
    ))
}

fn dependencies() -> Object {
    let object = Object::new("Dependencies").description("What an item needs.");
    let numbers: [fn(&Needs) -> GraphValue; 3] = [
        |needs| count(needs.reached.count),
        |needs| is_cut(&needs.reached),
        |needs| rings(&needs.reached),
    ];
    walk::<Needs>(object, (numbers, |needs| needs.reached.items.clone()), |needs| {
        needs.reached.classes.clone()
    })
    .field(item::<Needs>("item", "The item that was asked about.", |needs| &needs.item))
    .field(plain::<Needs>(
        "certainCount",
        counts(),
        "How many of all those take it down for certain when they fail alone.",
        |needs| count(needs.certain_count),
    ))
}

fn reached_item() -> Object {
    Object::new("ReachedItem")
        .description("An item that a walk along failures reached.")
        .field(item::<Needed>("item", "The item.", |reached| &reached.item))
        .field(plain::<Needed>(
            "fromId",
            ids(),
            "The item from which it was reached first.",
            |reached| reached.from.to_string().into(),
        ))
        .field(plain::<Needed>(
            "depth",
            TypeRef::named_nn(TypeRef::INT),
            "How many relationships away it is.",
            |reached| reached.depth.into(),
        ))
        .field(plain::<Needed>(
            "isCertain",
            yes_or_no(),
            "Of what an item needs: whether its failure alone takes the item down for certain.",
            |reached| reached.is_certain.into(),
        ))
}

fn weakened() -> Object {
    Object::new("WeakenedItem")
        .description("An item that lost some of those that stand in for each other, and goes on.")
        .field(item::<Lost<NamedItem>>("item", "The item.", |lost| &lost.item))
        .field(plain::<Lost<NamedItem>>("left", counts(), "How many are left to it.", |lost| {
            values::count(lost.left.into())
        }))
        .field(plain::<Lost<NamedItem>>("needed", counts(), "How many it needs.", |lost| {
            values::count(lost.needed.into())
        }))
}

fn class_count() -> Object {
    type Entry = (Name, usize);
    Object::new("ClassCount")
        .description("How many items there are of a class.")
        .field(plain::<Entry>("class", words(), "The class.", |(class, _)| class.as_ref().into()))
        .field(plain::<Entry>("count", counts(), "How many.", |(_, number)| count(*number)))
}

fn paths() -> Object {
    Object::new("ItemPaths")
        .description("The shortest ways between two items.")
        .field(item::<Paths>("from", "Where they begin.", |paths| &paths.from))
        .field(item::<Paths>("to", "Where they end.", |paths| &paths.to))
        .field(plain::<Paths>(
            "distance",
            TypeRef::named(TypeRef::INT),
            "How many relationships long they are; null when none within the asked length leads there.",
            |paths| paths.distance.map_or(GraphValue::Null, Into::into),
        ))
        .field(plain::<Paths>(
            "count",
            counts(),
            "How many there are; the greatest number stands for that many or more.",
            |paths| values::count(paths.count),
        ))
        .field(plain::<Paths>("isCut", yes_or_no(), "Whether fewer are listed.", |paths| {
            (u64::try_from(paths.routes.len()).unwrap_or(u64::MAX) < paths.count).into()
        }))
        .field(list::<Paths, Route<NamedItem>>("paths", "ItemPath", "The ways.", |paths| {
            paths.routes.clone()
        }))
}

fn path() -> Object {
    Object::new("ItemPath").description("One way.").field(list::<
        Route<NamedItem>,
        RouteStep<NamedItem>,
    >(
        "steps",
        "PathStep",
        "Its items, from the first to the last.",
        Clone::clone,
    ))
}

fn path_step() -> Object {
    Object::new("PathStep")
        .description("An item of a way.")
        .field(item::<RouteStep<NamedItem>>("item", "The item.", |step| &step.item))
        .field(list::<RouteStep<NamedItem>, Via>(
            "via",
            "PathRelation",
            "All relationships by which the item before leads here; empty for the first.",
            |step| step.via.clone(),
        ))
}

fn path_via() -> Object {
    Object::new("PathRelation")
        .description("A relationship by which one item of a way leads to the next.")
        .field(plain::<Via>("verb", words(), "Its name.", |(verb, _)| verb.as_ref().into()))
        .field(plain::<Via>(
            "outgoing",
            yes_or_no(),
            "Whether the item before is its first end.",
            |(_, outgoing)| (*outgoing).into(),
        ))
}

fn neighborhood() -> Object {
    Object::new("Neighborhood")
        .description("What lies around an item.")
        .field(item_at::<Neighborhood>("item", "The item.", |around| (&around.item, around.at)))
        .field(plain::<Neighborhood>(
            "count",
            counts(),
            "How many items lie around it without those in bundles.",
            |around| count(around.found.count),
        ))
        .field(plain::<Neighborhood>("isCut", yes_or_no(), "Whether fewer are listed.", |around| {
            (around.items().count() < around.found.count).into()
        }))
        .field(list::<Neighborhood, Neighbor>(
            "items",
            "NeighborItem",
            "The items, nearest first.",
            |around| {
                let items = around.items();
                items.map(|(item, depth)| (item.clone(), depth, around.at)).collect()
            },
        ))
        .field(list::<Neighborhood, (ItemId, Bundle)>(
            "bundles",
            "NeighborBundle",
            "Many neighbors of one class, shown as one; of the item and of the listed ones.",
            |around| around.found.bundles.clone(),
        ))
        .field(list::<Neighborhood, GraphRelation>(
            "relations",
            "GraphRelation",
            "The relationships between the item and the listed ones.",
            |around| around.found.relations.clone(),
        ))
}

fn neighbor() -> Object {
    Object::new("NeighborItem")
        .description("An item of a neighborhood.")
        .field(item_at::<Neighbor>("item", "The item.", |(item, _, at)| (item, *at)))
        .field(plain::<Neighbor>(
            "depth",
            TypeRef::named_nn(TypeRef::INT),
            "How many relationships away it is.",
            |(_, depth, _)| (*depth).into(),
        ))
}

fn bundle() -> Object {
    type Entry = (ItemId, Bundle);
    Object::new("NeighborBundle")
        .description("Neighbors of one item that are shown as one.")
        .field(plain::<Entry>("itemId", ids(), "The item whose neighbors they are.", |(id, _)| {
            id.to_string().into()
        }))
        .field(plain::<Entry>("verb", words(), "The relationship.", |(_, bundle)| {
            bundle.verb.as_ref().into()
        }))
        .field(plain::<Entry>(
            "outgoing",
            yes_or_no(),
            "Whether it leads away from the item.",
            |(_, bundle)| bundle.is_outgoing.into(),
        ))
        .field(plain::<Entry>("class", words(), "The class of the neighbors.", |(_, bundle)| {
            bundle.class.as_ref().into()
        }))
        .field(plain::<Entry>("count", counts(), "How many they are.", |(_, bundle)| {
            count(bundle.count)
        }))
        .field(plain::<Entry>(
            "troubledCount",
            counts(),
            "How many of them are missing or stale.",
            |(_, bundle)| count(bundle.troubled_count),
        ))
}

fn relation() -> Object {
    Object::new("GraphRelation")
        .description("A relationship between two listed items.")
        .field(plain::<GraphRelation>("fromId", ids(), "The first end.", |relation| {
            relation.from.to_string().into()
        }))
        .field(plain::<GraphRelation>("verb", words(), "Its name.", |relation| {
            relation.verb.as_ref().into()
        }))
        .field(plain::<GraphRelation>("toId", ids(), "The second end.", |relation| {
            relation.to.to_string().into()
        }))
}

fn orphans() -> Object {
    Object::new("Orphans")
        .description("A page of items that lack something.")
        .field(plain::<OrphanPage>("count", counts(), "How many there are on all pages.", |page| {
            count(page.found.found.count)
        }))
        .field(list::<OrphanPage, (Name, usize)>(
            "classes",
            "ClassCount",
            "How many there are of each class, most first.",
            |page| page.found.found.classes.clone(),
        ))
        .field(items::<OrphanPage>("items", "The items.", |page| &page.found.items))
        .field(plain::<OrphanPage>(
            "endCursor",
            words(),
            "Leads to the next page; empty on the last.",
            |page| page.next.as_str().into(),
        ))
}

fn groups() -> Object {
    let plain = |name: &str, of: TypeRef, doc: &str, get: fn(&Groups) -> GraphValue| {
        plain::<Groups>(name, of, doc, get)
    };
    Object::new("ItemGroups")
        .description("The estate in groups.")
        .field(plain("groupsCount", counts(), "How many groups there are.", |groups| {
            count(groups.groups_count)
        }))
        .field(plain("itemsCount", counts(), "How many items are in all groups.", |groups| {
            values::count(groups.items_count)
        }))
        .field(plain(
            "itemsListedCount",
            counts(),
            "How many items are in listed groups.",
            |groups| values::count(groups.items_listed_count),
        ))
        .field(plain("isCut", yes_or_no(), "Whether fewer groups are listed.", |groups| {
            (groups.groups.len() < groups.groups_count).into()
        }))
        .field(list::<Groups, Group>("groups", "ItemGroup", "The groups.", |groups| {
            groups.groups.clone()
        }))
        .field(plain(
            "linksCount",
            counts(),
            "How many links there are between listed groups.",
            |groups| count(groups.links_count),
        ))
        .field(plain(
            "relationsCount",
            counts(),
            "How many relationships those links have together.",
            |groups| values::count(groups.relations_count),
        ))
        .field(plain(
            "outsideCount",
            counts(),
            "How many relationships lead from a listed group to an item in none.",
            |groups| values::count(groups.outside_count),
        ))
        .field(list::<Groups, Link>(
            "links",
            "GroupLink",
            "The links, those of most relationships first.",
            |groups| groups.links.clone(),
        ))
}

fn group() -> Object {
    let plain = |name: &str, of: TypeRef, doc: &str, get: fn(&Group) -> GraphValue| {
        plain::<Group>(name, of, doc, get)
    };
    Object::new("ItemGroup")
        .description("Items that have the same values of all keys.")
        .field(plain(
            "path",
            TypeRef::named_nn_list_nn(TypeRef::STRING),
            "The value of each key, outermost first; empty for what has none. For `connectivity`, the id of the oldest item.",
            |group| GraphValue::List(group.path.iter().map(|value| value.as_str().into()).collect()),
        ))
        .field(plain("count", counts(), "How many items.", |group| values::count(group.count)))
        .field(plain("activeCount", counts(), "How many of them are active.", |group| {
            values::count(group.states[0])
        }))
        .field(plain("missingCount", counts(), "How many of them are missing.", |group| {
            values::count(group.states[1])
        }))
        .field(plain("staleCount", counts(), "How many of them are stale.", |group| {
            values::count(group.states[2])
        }))
        .field(plain(
            "innerCount",
            counts(),
            "Relationships between two of its items.",
            |group| values::count(group.inner_count),
        ))
}

fn link() -> Object {
    let plain = |name: &str, doc: &str, get: fn(&Link) -> GraphValue| {
        plain::<Link>(name, counts(), doc, get)
    };
    Object::new("GroupLink")
        .description("The relationships between two groups.")
        .field(plain(
            "from",
            "Place of a group in the list, from 0. Where failure travels, it suffers from the other.",
            |link| count(link.from),
        ))
        .field(plain("to", "Place of the other group.", |link| count(link.to)))
        .field(plain("count", "How many relationships.", |link| values::count(link.count)))
        .field(plain(
            "dependenciesCount",
            "How many of them carry a failure of the second group to the first.",
            |link| values::count(link.dependencies_count),
        ))
        .field(plain(
            "troubledCount",
            "How many of them have an end that is missing or stale.",
            |link| values::count(link.troubled_count),
        ))
}
