//! What REST shows of the graph.

use super::super::findings::NamedItemView;
use crate::graph::{
    GraphRelation, Impact, Lost, Needs, Neighborhood, Orphans, Paths, Reached, RouteStep,
};
use model::{ItemId, Name};
use serde::Serialize;
use store::findings::NamedItem;
use topology::{Bundle, Group, Groups, Link};
use utoipa::ToSchema;

fn number(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

/// How many items there are of a class.
#[derive(Debug, Serialize, ToSchema)]
pub struct ClassNumber {
    /// The class.
    pub class: String,
    /// How many, exactly.
    pub count: u64,
}

fn by_class(classes: &[(Name, usize)]) -> Vec<ClassNumber> {
    let of = |(class, count): &(Name, usize)| ClassNumber {
        class: class.to_string(),
        count: number(*count),
    };
    classes.iter().map(of).collect()
}

/// An item that a failure reaches.
#[derive(Debug, Serialize, ToSchema)]
pub struct ReachedView {
    /// The item.
    pub item: NamedItemView,
    /// The item from which the failure reaches it first.
    pub from_id: String,
    /// How many relationships away it is.
    pub depth: u32,
}

/// An item that lost some of those that stand in for each other, and goes on.
#[derive(Debug, Serialize, ToSchema)]
pub struct WeakenedView {
    /// The item.
    pub item: NamedItemView,
    /// How many are left to it.
    pub left: u32,
    /// How many it needs.
    pub needed: u32,
}

impl From<&Lost<NamedItem>> for WeakenedView {
    fn from(lost: &Lost<NamedItem>) -> Self {
        Self { item: (&lost.item).into(), left: lost.left, needed: lost.needed }
    }
}

/// What suffers when items fail together.
#[derive(Debug, Serialize, ToSchema)]
pub struct ImpactView {
    /// The items that fail.
    pub failed: Vec<NamedItemView>,
    /// How many items suffer, exactly.
    pub count: u64,
    /// Whether fewer are listed than suffer.
    pub is_cut: bool,
    /// How many suffer at each distance, from 1 on.
    pub rings: Vec<u64>,
    /// How many suffer of each class, most first.
    pub classes: Vec<ClassNumber>,
    /// The items that suffer, nearest first.
    pub items: Vec<ReachedView>,
    /// How many items go on with less than before, exactly: others stand in for what failed.
    pub weakened_count: u64,
    /// The items that go on with less than before; at most as many as `limit` says.
    pub weakened: Vec<WeakenedView>,
}

fn is_cut(reached: &Reached) -> bool {
    reached.items.len() < reached.count
}

fn rings(reached: &Reached) -> Vec<u64> {
    reached.rings.iter().map(|ring| number(*ring)).collect()
}

impl From<&Impact> for ImpactView {
    fn from(impact: &Impact) -> Self {
        let items = impact.reached.items.iter().map(|reached| ReachedView {
            item: (&reached.item).into(),
            from_id: reached.from.to_string(),
            depth: reached.depth,
        });
        Self {
            failed: impact.failed.iter().map(Into::into).collect(),
            count: number(impact.reached.count),
            is_cut: is_cut(&impact.reached),
            rings: rings(&impact.reached),
            classes: by_class(&impact.reached.classes),
            items: items.collect(),
            weakened_count: number(impact.weakened_count),
            weakened: impact.weakened.iter().map(Into::into).collect(),
        }
    }
}

/// An item that another needs.
#[derive(Debug, Serialize, ToSchema)]
pub struct NeedView {
    /// The item.
    pub item: NamedItemView,
    /// The item that needs it, nearest to the one that was asked about.
    pub from_id: String,
    /// How many relationships away it is.
    pub depth: u32,
    /// Whether its failure alone takes down the one that was asked about for certain: nothing on the way stands in.
    pub is_certain: bool,
}

/// What an item needs.
#[derive(Debug, Serialize, ToSchema)]
pub struct NeedsView {
    /// The item.
    pub item: NamedItemView,
    /// How many items it needs, exactly.
    pub count: u64,
    /// How many of those take it down for certain when they fail alone.
    pub certain_count: u64,
    /// Whether fewer are listed than it needs.
    pub is_cut: bool,
    /// How many there are at each distance, from 1 on.
    pub rings: Vec<u64>,
    /// How many there are of each class, most first.
    pub classes: Vec<ClassNumber>,
    /// The items that it needs, nearest first.
    pub items: Vec<NeedView>,
}

impl From<&Needs> for NeedsView {
    fn from(needs: &Needs) -> Self {
        let items = needs.reached.items.iter().map(|needed| NeedView {
            item: (&needed.item).into(),
            from_id: needed.from.to_string(),
            depth: needed.depth,
            is_certain: needed.is_certain,
        });
        Self {
            item: (&needs.item).into(),
            count: number(needs.reached.count),
            certain_count: number(needs.certain_count),
            is_cut: is_cut(&needs.reached),
            rings: rings(&needs.reached),
            classes: by_class(&needs.reached.classes),
            items: items.collect(),
        }
    }
}

/// A relationship by which one item of a way leads to the next.
#[derive(Debug, Serialize, ToSchema)]
pub struct ViaView {
    /// Its name.
    pub verb: String,
    /// Whether the item before is its first end.
    pub outgoing: bool,
}

/// An item of a way.
#[derive(Debug, Serialize, ToSchema)]
pub struct PathStepView {
    /// The item.
    pub item: NamedItemView,
    /// All relationships by which the item before leads here; empty for the first.
    pub via: Vec<ViaView>,
}

impl From<&RouteStep<NamedItem>> for PathStepView {
    fn from(step: &RouteStep<NamedItem>) -> Self {
        let via = step
            .via
            .iter()
            .map(|(verb, outgoing)| ViaView { verb: verb.to_string(), outgoing: *outgoing });
        Self { item: (&step.item).into(), via: via.collect() }
    }
}

/// The shortest ways between two items.
#[derive(Debug, Serialize, ToSchema)]
pub struct PathsView {
    /// Where they begin.
    pub from: NamedItemView,
    /// Where they end.
    pub to: NamedItemView,
    /// How many relationships long they are; null when none within the asked length leads there.
    pub distance: Option<u32>,
    /// How many there are, exactly; 18446744073709551615 stands for that many or more.
    pub count: u64,
    /// Whether fewer are listed than there are.
    pub is_cut: bool,
    /// The ways.
    pub paths: Vec<Vec<PathStepView>>,
}

impl From<&Paths> for PathsView {
    fn from(paths: &Paths) -> Self {
        Self {
            from: (&paths.from).into(),
            to: (&paths.to).into(),
            distance: paths.distance,
            count: paths.count,
            is_cut: number(paths.routes.len()) < paths.count,
            paths: paths
                .routes
                .iter()
                .map(|route| route.iter().map(Into::into).collect())
                .collect(),
        }
    }
}

/// An item of a neighborhood.
#[derive(Debug, Serialize, ToSchema)]
pub struct NeighborView {
    /// The item.
    pub item: NamedItemView,
    /// How many relationships away it is.
    pub depth: u32,
}

/// Neighbors of one item that are shown as one.
#[derive(Debug, Serialize, ToSchema)]
pub struct BundleView {
    /// The item whose neighbors they are.
    pub item_id: String,
    /// The relationship.
    pub verb: String,
    /// Whether it leads away from the item.
    pub outgoing: bool,
    /// The class of the neighbors.
    pub class: String,
    /// How many they are, exactly.
    pub count: u64,
    /// How many of them are missing or stale.
    pub troubled_count: u64,
}

impl From<&(ItemId, Bundle)> for BundleView {
    fn from((id, bundle): &(ItemId, Bundle)) -> Self {
        Self {
            item_id: id.to_string(),
            verb: bundle.verb.to_string(),
            outgoing: bundle.is_outgoing,
            class: bundle.class.to_string(),
            count: number(bundle.count),
            troubled_count: number(bundle.troubled_count),
        }
    }
}

/// A relationship between two listed items.
#[derive(Debug, Serialize, ToSchema)]
pub struct RelationOfGraph {
    /// The first end.
    pub from_id: String,
    /// Its name.
    pub verb: String,
    /// The second end.
    pub to_id: String,
}

impl From<&GraphRelation> for RelationOfGraph {
    fn from(relation: &GraphRelation) -> Self {
        Self {
            from_id: relation.from.to_string(),
            verb: relation.verb.to_string(),
            to_id: relation.to.to_string(),
        }
    }
}

/// What lies around an item.
#[derive(Debug, Serialize, ToSchema)]
pub struct NeighborhoodView {
    /// The item.
    pub item: NamedItemView,
    /// How many items lie around it without those in bundles, exactly.
    pub count: u64,
    /// Whether fewer are listed.
    pub is_cut: bool,
    /// The items, nearest first.
    pub items: Vec<NeighborView>,
    /// Many neighbors of one class, shown as one; of the item and of the listed ones.
    pub bundles: Vec<BundleView>,
    /// The relationships between the item and the listed ones.
    pub relations: Vec<RelationOfGraph>,
}

impl From<&Neighborhood> for NeighborhoodView {
    fn from(around: &Neighborhood) -> Self {
        let items = around.items().map(|(item, depth)| NeighborView { item: item.into(), depth });
        let items: Vec<NeighborView> = items.collect();
        Self {
            item: (&around.item).into(),
            count: number(around.found.count),
            is_cut: items.len() < around.found.count,
            items,
            bundles: around.found.bundles.iter().map(Into::into).collect(),
            relations: around.found.relations.iter().map(Into::into).collect(),
        }
    }
}

/// A page of items that lack something.
#[derive(Debug, Serialize, ToSchema)]
pub struct OrphanPage {
    /// How many there are on all pages, exactly.
    pub count: u64,
    /// How many there are of each class, most first.
    pub classes: Vec<ClassNumber>,
    /// The items.
    pub items: Vec<NamedItemView>,
    /// Asks for the next page; empty on the last.
    pub next_page_token: String,
}

impl From<&Orphans> for OrphanPage {
    fn from(orphans: &Orphans) -> Self {
        Self {
            count: number(orphans.found.count),
            classes: by_class(&orphans.found.classes),
            items: orphans.items.iter().map(Into::into).collect(),
            next_page_token: String::new(),
        }
    }
}

/// Items that have the same values of all keys.
#[derive(Debug, Serialize, ToSchema)]
pub struct GroupView {
    /// The value of each key, outermost first; empty for what has none. For `connectivity`, the id of the oldest item.
    pub path: Vec<String>,
    /// How many items, exactly.
    pub count: u64,
    /// How many of them are active.
    pub active_count: u64,
    /// How many of them are missing.
    pub missing_count: u64,
    /// How many of them are stale.
    pub stale_count: u64,
    /// Relationships between two of its items.
    pub inner_count: u64,
}

impl From<&Group> for GroupView {
    fn from(group: &Group) -> Self {
        let [active_count, missing_count, stale_count] = group.states;
        Self {
            path: group.path.clone(),
            count: group.count,
            active_count,
            missing_count,
            stale_count,
            inner_count: group.inner_count,
        }
    }
}

/// The relationships between two groups.
#[derive(Debug, Serialize, ToSchema)]
pub struct LinkView {
    /// Place of a group in the list, from 0. Where failure travels, this group suffers from the other.
    pub from: u64,
    /// Place of the other group.
    pub to: u64,
    /// How many relationships, exactly.
    pub count: u64,
    /// How many of them carry a failure of the second group to the first.
    pub dependencies_count: u64,
    /// How many of them have an end that is missing or stale.
    pub troubled_count: u64,
}

impl From<&Link> for LinkView {
    fn from(link: &Link) -> Self {
        Self {
            from: number(link.from),
            to: number(link.to),
            count: link.count,
            dependencies_count: link.dependencies_count,
            troubled_count: link.troubled_count,
        }
    }
}

/// An estate in groups.
#[derive(Debug, Serialize, ToSchema)]
pub struct GroupsView {
    /// The keys, outermost first.
    pub by: Vec<String>,
    /// How many groups there are, listed or not.
    pub groups_count: u64,
    /// How many items are in all groups.
    pub items_count: u64,
    /// How many items are in listed groups.
    pub items_listed_count: u64,
    /// Whether fewer groups are listed than there are.
    pub is_cut: bool,
    /// The groups.
    pub groups: Vec<GroupView>,
    /// How many links there are between listed groups.
    pub links_count: u64,
    /// How many relationships those links have together.
    pub relations_count: u64,
    /// How many relationships lead from a listed group to an item in none.
    pub outside_count: u64,
    /// Whether fewer links are listed than there are.
    pub is_links_cut: bool,
    /// The links, those of most relationships first.
    pub links: Vec<LinkView>,
}

impl GroupsView {
    /// The groups by these keys.
    #[must_use]
    pub fn of(by: Vec<String>, groups: &Groups) -> Self {
        Self {
            by,
            groups_count: number(groups.groups_count),
            items_count: groups.items_count,
            items_listed_count: groups.items_listed_count,
            is_cut: groups.groups.len() < groups.groups_count,
            groups: groups.groups.iter().map(Into::into).collect(),
            links_count: number(groups.links_count),
            relations_count: groups.relations_count,
            outside_count: groups.outside_count,
            is_links_cut: groups.links.len() < groups.links_count,
            links: groups.links.iter().map(Into::into).collect(),
        }
    }
}
