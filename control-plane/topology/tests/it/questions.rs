//! Neighborhoods and orphans.

use crate::estate::{ITEMS, class, event, followed, id, is_live, visible};
use model::decision::Number;
use model::{ItemState, Name};
use proptest::prelude::*;
use std::collections::BTreeSet;
use topology::{Around, Graph, Orphan, Page};

fn around(depth: u32, items: usize, fold: usize) -> Around {
    Around { depth, items, fold, verbs: Vec::new() }
}

#[test]
fn a_hub_shows_ten_thousand_neighbors_of_one_class_as_one_counted_bundle() {
    let mut graph = Graph::new();
    let process = Name::Borrowed("process");
    graph.set_item(1, Some(id(1)), &Name::Borrowed("host"), (0, ItemState::Active));
    graph.set_item(2, Some(id(2)), &Name::Borrowed("volume"), (1, ItemState::Active));
    for number in 3..10_003 {
        let state = if number % 5 == 0 { ItemState::Missing } else { ItemState::Active };
        graph.set_item(number, Some(id(number)), &process, (1, state));
    }
    let found = graph.neighborhood(1, &around(2, 100, 12));
    assert_eq!((found.items, found.items_count), (vec![(2, 1)], 1));
    let [bundle] = &found.bundles[..] else { panic!("{:?}", found.bundles) };
    assert_eq!((bundle.count, bundle.troubled_count), (10_000, 2_000));
    assert_eq!((bundle.class.as_ref(), bundle.verb.as_ref()), ("process", "part_of"));
    assert!(!bundle.is_outgoing);
    let open = graph.neighborhood(1, &around(1, 100, usize::MAX));
    assert_eq!((open.items.len(), open.items_count, open.bundles.len()), (100, 10_001, 0));
    assert_eq!(open.relations.len(), 100);
}

proptest! {
    #[test]
    fn a_neighborhood_without_bundles_is_everything_within_its_depth(
        events in prop::collection::vec(event(), 0..160), depth in 0..4_u32, items in 0..30_usize,
    ) {
        let (graph, _) = followed(&events);
        let found = graph.neighborhood(1, &around(depth, items, usize::MAX));
        let mut ring = BTreeSet::from([1]);
        for _ in 0..depth {
            let next: Vec<Number> = ring.iter().flat_map(|item| visible(&graph, *item)).map(|one| one.other()).collect();
            ring.extend(next);
        }
        ring.remove(&1);
        prop_assert_eq!(found.items_count, ring.len());
        prop_assert_eq!(found.items.len(), ring.len().min(items));
        prop_assert!(found.items.iter().all(|(item, _)| ring.contains(item)));
        let listed: BTreeSet<Number> = found.items.iter().map(|(item, _)| *item).chain([1]).collect();
        let naive: usize = listed
            .iter()
            .flat_map(|item| graph.relations(*item))
            .filter(|one| one.is_outgoing() && listed.contains(&one.other()))
            .count();
        prop_assert_eq!(found.relations.len(), naive);
    }

    #[test]
    fn every_bundle_counts_what_it_stands_for(
        events in prop::collection::vec(event(), 0..160), fold in 0..3_usize,
    ) {
        let (graph, _) = followed(&events);
        let found = graph.neighborhood(1, &around(3, 50, fold));
        for bundle in &found.bundles {
            let members = visible(&graph, bundle.item).into_iter().filter(|one| {
                graph.verb(*one) == Some(&bundle.verb)
                    && one.is_outgoing() == bundle.is_outgoing
                    && *graph.item(one.other()).unwrap().class == bundle.class
            });
            prop_assert_eq!(members.count(), bundle.count);
            prop_assert!(bundle.count > fold);
        }
    }

    #[test]
    fn orphans_are_those_without_a_relationship_and_parts_without_a_parent(
        events in prop::collection::vec(event(), 0..60), size in 1..5_usize,
    ) {
        let (graph, _) = followed(&events);
        let parts = [Name::Borrowed("process"), Name::Borrowed("volume")];
        for what in [Orphan::Unrelated, Orphan::Parentless] {
            let naive: Vec<Number> = (1..=ITEMS)
                .filter(|item| is_live(&graph, *item))
                .filter(|item| match what {
                    Orphan::Unrelated => visible(&graph, *item).is_empty(),
                    Orphan::Parentless => {
                        parts.contains(&class(*item)) && graph.item(*item).unwrap().parent == 0
                    }
                })
                .collect();
            let (mut listed, mut after) = (Vec::new(), 0);
            loop {
                let page = Page { after, items: size, classes: Vec::new() };
                let found = graph.orphans(what, &parts, &page);
                prop_assert_eq!(found.count, naive.len());
                listed.extend(found.items);
                after = listed.last().copied().unwrap_or(0);
                if !found.has_more {
                    break;
                }
            }
            prop_assert_eq!(listed, naive);
        }
    }
}
