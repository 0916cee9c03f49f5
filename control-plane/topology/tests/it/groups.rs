//! Groups and their links, counted one by one.

use crate::estate::{ITEMS, event, followed, is_live};
use model::ItemState;
use model::decision::Number;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use topology::{By, Graph, GroupOrder, Grouping};

fn grouping(by: Vec<By>) -> Grouping {
    Grouping {
        by,
        within: Vec::new(),
        verbs: Vec::new(),
        order: GroupOrder::Size,
        groups: usize::MAX >> 32,
        links: usize::MAX,
    }
}

/// The values of an item by site and class.
fn path(graph: &Graph, item: Number) -> Vec<String> {
    let known = graph.item(item).unwrap();
    vec![graph.site(item).unwrap_or_default().to_owned(), known.class.to_string()]
}

fn live(graph: &Graph) -> Vec<Number> {
    (1..=ITEMS).filter(|item| is_live(graph, *item)).collect()
}

proptest! {
    #[test]
    fn every_item_is_in_one_group_and_every_relationship_in_one_link(
        events in prop::collection::vec(event(), 0..160),
    ) {
        let (graph, _) = followed(&events);
        let found = graph.groups(&grouping(vec![By::Site, By::Class]));
        let mut naive: BTreeMap<Vec<String>, u64> = BTreeMap::new();
        for item in live(&graph) {
            *naive.entry(path(&graph, item)).or_default() += 1;
        }
        let groups: BTreeMap<Vec<String>, u64> =
            found.groups.iter().map(|group| (group.path.clone(), group.count)).collect();
        prop_assert_eq!(&groups, &naive);
        prop_assert_eq!(found.groups_count, naive.len());
        prop_assert!(found.groups.is_sorted_by_key(|group| std::cmp::Reverse(group.count)));
        let relations: usize = live(&graph)
            .iter()
            .flat_map(|item| graph.relations(*item))
            .filter(|one| one.is_outgoing() && is_live(&graph, one.other()))
            .count();
        let inner: u64 = found.groups.iter().map(|group| group.inner_count).sum();
        prop_assert_eq!(found.relations_count + inner, u64::try_from(relations).unwrap());
        prop_assert_eq!(found.outside_count, 0);
        for group in &found.groups {
            let missing = live(&graph)
                .into_iter()
                .filter(|item| path(&graph, *item) == group.path)
                .filter(|item| graph.item(*item).unwrap().state == ItemState::Missing)
                .count();
            prop_assert_eq!(group.states[1], u64::try_from(missing).unwrap());
        }
    }

    #[test]
    fn a_cut_list_of_groups_counts_those_that_are_left_out(
        events in prop::collection::vec(event(), 0..160), groups in 1..5_usize,
    ) {
        let (graph, _) = followed(&events);
        let whole = graph.groups(&grouping(vec![By::Site, By::Class]));
        let cut = graph.groups(&Grouping { groups, links: 1, ..grouping(vec![By::Site, By::Class]) });
        prop_assert_eq!(cut.groups_count, whole.groups_count);
        prop_assert_eq!(cut.items_count, whole.items_count);
        prop_assert_eq!(cut.groups.len(), groups.min(whole.groups.len()));
        for (one, other) in cut.groups.iter().zip(&whole.groups) {
            prop_assert_eq!(&one.path, &other.path);
        }
        let kept = |link: &&topology::Link| link.from < groups && link.to < groups;
        prop_assert_eq!(cut.links_count, whole.links.iter().filter(kept).count());
        prop_assert_eq!(cut.links.len(), cut.links_count.min(1));
    }

    #[test]
    fn within_a_group_only_its_items_are_grouped(events in prop::collection::vec(event(), 0..160)) {
        let (graph, _) = followed(&events);
        let within = vec!["site 2".to_owned()];
        let found = graph.groups(&Grouping { within, ..grouping(vec![By::Site, By::Class]) });
        let naive = live(&graph).into_iter().filter(|item| path(&graph, *item)[0] == "site 2").count();
        prop_assert_eq!(found.items_count, u64::try_from(naive).unwrap());
        prop_assert!(found.groups.iter().all(|group| group.path[0] == "site 2"));
        let nothing = Grouping { within: vec!["nowhere".into()], ..grouping(vec![By::Site]) };
        prop_assert_eq!(graph.groups(&nothing).groups_count, 0);
    }

    #[test]
    fn connected_items_are_one_group_and_lonely_ones_another(
        events in prop::collection::vec(event(), 0..40),
    ) {
        let (graph, _) = followed(&events);
        let found = graph.groups(&grouping(vec![By::Connectivity]));
        let mut sets: Vec<BTreeSet<Number>> = Vec::new();
        for item in live(&graph) {
            let others = graph.relations(item).iter().map(|one| one.other());
            let mut own: BTreeSet<Number> =
                others.filter(|other| is_live(&graph, *other)).chain([item]).collect();
            sets.retain(|set| {
                let is_apart = set.is_disjoint(&own);
                if !is_apart {
                    own.extend(set);
                }
                is_apart
            });
            sets.push(own);
        }
        let mut naive: Vec<u64> =
            sets.iter().filter(|set| set.len() > 1).map(|set| u64::try_from(set.len()).unwrap()).collect();
        let alone = sets.iter().filter(|set| set.len() == 1).count();
        naive.extend((alone > 0).then(|| u64::try_from(alone).unwrap()));
        naive.sort_unstable();
        let mut counts: Vec<u64> = found.groups.iter().map(|group| group.count).collect();
        counts.sort_unstable();
        prop_assert_eq!(counts, naive);
    }
}

#[test]
fn a_link_leads_from_what_suffers_to_what_it_needs() {
    let mut graph = Graph::new();
    for (number, class) in [(1, "process"), (2, "listening_endpoint"), (3, "container")] {
        let id = crate::estate::id(number);
        graph.set_item(number, Some(id), &model::Name::Borrowed(class), (0, ItemState::Active));
    }
    // A failing process takes its listener down; the image that a container was made from takes nothing down.
    graph.relate(1, &"listens_on".into(), 2);
    graph.relate(3, &"uses_image".into(), 1);
    let found = graph.groups(&grouping(vec![By::Class]));
    let name = |place: usize| found.groups[place].path[0].clone();
    let links: Vec<_> = found
        .links
        .iter()
        .map(|link| (name(link.from), name(link.to), link.count, link.dependencies_count))
        .collect();
    assert_eq!(links.len(), 2);
    assert!(links.contains(&("listening_endpoint".into(), "process".into(), 1, 1)));
    assert!(links.contains(&("container".into(), "process".into(), 1, 0)));
}
