//! Impact, dependencies and paths against what a naive search finds.

use crate::estate::{Event, ITEMS, VERBS, event, followed, is_live, verb, visible};
use model::ItemState;
use model::decision::Number;
use model::relationships::{self, Failure, Redundancy};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use topology::{Graph, Limits, Relation};

const ALL: Limits = Limits { depth: u32::MAX, items: usize::MAX };

fn declared(graph: &Graph, relation: Relation) -> Option<&'static model::RelationshipDefinition> {
    let name = graph.verb(relation).unwrap();
    relationships::ALL.iter().copied().find(|one| one.name == name)
}

/// Whether a failure at the other end of a relation reaches this one.
fn suffers(graph: &Graph, relation: Relation) -> bool {
    match declared(graph, relation).map(|one| one.failure) {
        Some(Failure::ToFirst) => relation.is_outgoing(),
        Some(Failure::ToSecond) => !relation.is_outgoing(),
        _ => false,
    }
}

/// Whether an item fails when these have failed.
fn fails(
    graph: &Graph,
    spare: &BTreeMap<Number, u32>,
    item: Number,
    failed: &BTreeSet<Number>,
) -> bool {
    let mut by_verb: BTreeMap<String, Vec<Relation>> = BTreeMap::new();
    for relation in visible(graph, item).into_iter().filter(|one| suffers(graph, *one)) {
        let key = format!("{:?} {}", graph.verb(relation), relation.is_outgoing());
        by_verb.entry(key).or_default().push(relation);
    }
    by_verb.values().any(|relations| {
        if !relations.iter().any(|relation| failed.contains(&relation.other())) {
            return false;
        }
        let redundancy = declared(graph, relations[0]).map(|one| one.redundancy);
        let spare = spare.get(&item).copied();
        let all = u32::try_from(relations.len()).unwrap();
        let needed = match (redundancy, spare) {
            (Some(Redundancy::AnyOne | Redundancy::Stated), Some(spare)) => {
                all.saturating_sub(spare).max(1)
            }
            (Some(Redundancy::AnyOne), None) => 1,
            _ => return true,
        };
        let left = relations.iter().filter(|relation| {
            let state = graph.item(relation.other()).unwrap().state;
            state == ItemState::Active && !failed.contains(&relation.other())
        });
        u32::try_from(left.count()).unwrap() < needed
    })
}

/// What fails, by rounds, until nothing more does.
fn naive_impact(
    graph: &Graph,
    spare: &BTreeMap<Number, u32>,
    start: &[Number],
    depth: u32,
) -> BTreeMap<Number, u32> {
    let mut failed: BTreeSet<Number> = start.iter().copied().collect();
    let mut reached = BTreeMap::new();
    for round in 1..=depth {
        let next: Vec<Number> = (1..=ITEMS)
            .filter(|item| is_live(graph, *item) && !failed.contains(item))
            .filter(|item| fails(graph, spare, *item, &failed))
            .collect();
        if next.is_empty() {
            break;
        }
        for item in next {
            failed.insert(item);
            reached.insert(item, round);
        }
    }
    reached
}

/// How far everything is from an item, along relations that are followed.
fn distances(
    graph: &Graph,
    start: Number,
    follows: impl Fn(Relation) -> bool,
) -> BTreeMap<Number, u32> {
    let mut distances = BTreeMap::from([(start, 0)]);
    let mut waiting = VecDeque::from([start]);
    while let Some(item) = waiting.pop_front() {
        let next = distances[&item] + 1;
        for relation in visible(graph, item).into_iter().filter(|one| follows(*one)) {
            distances.entry(relation.other()).or_insert_with(|| {
                waiting.push_back(relation.other());
                next
            });
        }
    }
    distances
}

/// Every shortest way, one item after the other.
fn naive_routes(graph: &Graph, one: Number, other: Number) -> Vec<Vec<Number>> {
    let back = distances(graph, other, |_| true);
    if !back.contains_key(&one) {
        return Vec::new();
    }
    let mut routes = vec![vec![one]];
    for left in (0..back[&one]).rev() {
        routes = routes
            .into_iter()
            .flat_map(|route| {
                let last = *route.last().unwrap();
                let next: BTreeSet<Number> = visible(graph, last)
                    .into_iter()
                    .map(Relation::other)
                    .filter(|next| back.get(next) == Some(&left))
                    .collect();
                next.into_iter().map(move |next| {
                    let mut route = route.clone();
                    route.push(next);
                    route
                })
            })
            .collect();
    }
    routes.sort();
    routes
}

proptest! {
    #[test]
    fn impact_is_what_fails_round_by_round_until_nothing_more_does(
        events in prop::collection::vec(event(), 0..160),
        start in prop::collection::btree_set(1..=ITEMS, 1..4),
        spare in prop::collection::btree_map(1..=ITEMS, 0..3_u32, 0..8),
        depth in prop_oneof![Just(u32::MAX), 0..5_u32],
    ) {
        // Observations state levels of arrays too; here only what is given counts.
        let events: Vec<_> =
            events.into_iter().filter(|event| !matches!(event, Event::Observe { .. })).collect();
        let (mut graph, _) = followed(&events);
        for (item, spare) in &spare {
            graph.know_spare(1_000 + *item, *item, Some(*spare));
        }
        let start: Vec<Number> = start.into_iter().filter(|item| is_live(&graph, *item)).collect();
        let found = graph.impact(&start, Limits { depth, items: usize::MAX });
        let naive = naive_impact(&graph, &spare, &start, depth);
        let steps: BTreeMap<Number, u32> =
            found.reached.steps.iter().map(|step| (step.item, step.depth)).collect();
        prop_assert_eq!(&steps, &naive);
        prop_assert_eq!(found.reached.count, naive.len());
        prop_assert_eq!(found.reached.rings.iter().sum::<usize>(), naive.len());
        let by_class: usize = found.reached.classes.iter().map(|(_, count)| count).sum();
        prop_assert_eq!(by_class, naive.len());
        for weakened in &found.weakened {
            prop_assert!(!steps.contains_key(&weakened.item) && weakened.left >= weakened.needed);
        }
    }

    #[test]
    fn a_cut_list_is_the_beginning_of_the_whole_one_and_counts_everything(
        events in prop::collection::vec(event(), 0..160), items in 0..6_usize,
    ) {
        let (graph, _) = followed(&events);
        let whole = graph.impact(&[1], ALL);
        let cut = graph.impact(&[1], Limits { depth: u32::MAX, items });
        prop_assert_eq!(cut.reached.count, whole.reached.count);
        prop_assert_eq!(&cut.reached.rings, &whole.reached.rings);
        prop_assert_eq!(&cut.reached.classes, &whole.reached.classes);
        let kept = items.min(whole.reached.count);
        prop_assert_eq!(&cut.reached.steps[..], &whole.reached.steps[..kept]);
        prop_assert_eq!(cut.weakened_count, whole.weakened_count);
    }

    #[test]
    fn dependencies_are_everything_whose_failure_can_come_and_the_certain_ones_take_it_down(
        events in prop::collection::vec(event(), 0..160),
    ) {
        let (graph, _) = followed(&events);
        for item in (1..=ITEMS).filter(|item| is_live(&graph, *item)) {
            let found = graph.dependencies(item, ALL);
            let mut naive = distances(&graph, item, |relation| suffers(&graph, relation));
            naive.remove(&item);
            let steps: BTreeMap<Number, u32> =
                found.reached.steps.iter().map(|step| (step.item, step.depth)).collect();
            prop_assert_eq!(steps, naive);
            for (step, is_certain) in found.reached.steps.iter().zip(&found.is_certain) {
                if *is_certain {
                    let impact = graph.impact(&[step.item], ALL);
                    prop_assert!(impact.reached.steps.iter().any(|reached| reached.item == item));
                }
            }
        }
    }

    #[test]
    fn shortest_ways_are_as_short_and_as_many_as_a_plain_search_finds(
        events in prop::collection::vec(event(), 0..120), one in 1..=ITEMS, other in 1..=ITEMS,
    ) {
        let (graph, _) = followed(&events);
        prop_assume!(is_live(&graph, one) && is_live(&graph, other));
        let naive = naive_routes(&graph, one, other);
        let found = graph.shortest_paths((one, other), &[], u32::MAX, usize::MAX);
        let distance = naive.first().map(|route| u32::try_from(route.len() - 1).unwrap());
        prop_assert_eq!(found.distance, distance);
        prop_assert_eq!(found.count, u64::try_from(naive.len()).unwrap());
        prop_assert_eq!(&found.routes, &naive);
        let cut = graph.shortest_paths((one, other), &[], u32::MAX, 1);
        prop_assert_eq!((cut.routes.len(), cut.count), (naive.len().min(1), found.count));
        if let Some(distance) = distance.filter(|distance| *distance > 0) {
            let short = graph.shortest_paths((one, other), &[], distance - 1, 1);
            prop_assert_eq!(short.distance, None);
        }
    }

    #[test]
    fn a_way_along_named_relationships_uses_no_other(
        events in prop::collection::vec(event(), 0..160), index in 0..VERBS.len(),
    ) {
        let (graph, _) = followed(&events);
        let verb = verb(index);
        for other in (2..=ITEMS).filter(|other| is_live(&graph, *other)) {
            let naive = distances(&graph, 1, |relation| graph.verb(relation) == Some(&verb));
            let found = graph.shortest_paths((1, other), std::slice::from_ref(&verb), u32::MAX, 1);
            prop_assert_eq!(found.distance, naive.get(&other).copied());
        }
    }
}

/// A service (1) that is a member of a cluster (4), as are (2) and (3); an application (5) depends on the cluster.
fn cluster() -> Graph {
    let mut graph = Graph::new();
    for number in 1..=5 {
        let class = crate::estate::class(number);
        graph.set_item(number, Some(crate::estate::id(number)), &class, (0, ItemState::Active));
    }
    for member in 1..=3 {
        graph.relate(member, &"member_of".into(), 4);
    }
    graph.relate(5, &"depends_on".into(), 4);
    graph
}

fn items(graph: &Graph, failed: &[Number]) -> Vec<Number> {
    graph.impact(failed, ALL).reached.steps.iter().map(|step| step.item).collect()
}

#[test]
fn a_cluster_outlives_its_members_as_long_as_enough_are_left() {
    let mut graph = cluster();
    assert!(items(&graph, &[1]).is_empty());
    let impact = graph.impact(&[1], ALL);
    assert_eq!((impact.weakened[0].left, impact.weakened[0].needed), (2, 1));
    assert!(items(&graph, &[1, 2]).is_empty());
    assert_eq!(items(&graph, &[1, 2, 3]), [4, 5]);
    // It says itself that it can lose one: of three, two are needed.
    graph.know_spare(1, 4, Some(1));
    assert!(items(&graph, &[1]).is_empty());
    assert_eq!(items(&graph, &[1, 3]), [4, 5]);
}

#[test]
fn a_member_that_is_missing_already_stands_in_for_nobody() {
    let mut graph = cluster();
    for member in [2, 3] {
        graph.set_item(member, None, &crate::estate::class(member), (0, ItemState::Missing));
    }
    assert_eq!(items(&graph, &[1]), [4, 5]);
    let needs = graph.dependencies(5, ALL);
    assert_eq!(needs.certain_count, 2);
}

#[test]
fn a_way_from_or_to_what_is_retired_is_found_but_none_through_it() {
    let mut graph = cluster();
    graph.set_item(5, None, &crate::estate::class(5), (0, ItemState::Retired));
    for (one, other) in [(1, 5), (5, 1)] {
        assert_eq!(graph.shortest_paths((one, other), &[], 9, 1).distance, Some(2));
    }
    graph.set_item(4, None, &crate::estate::class(4), (0, ItemState::Retired));
    assert_eq!(graph.shortest_paths((1, 2), &[], 9, 1).distance, None);
}

#[test]
fn a_hub_of_a_hundred_thousand_is_walked_and_left_in_bounded_time() {
    let mut graph = Graph::new();
    let class = model::Name::Borrowed("process");
    for number in 1..=100_000 {
        graph.set_item(number, Some(crate::estate::id(number)), &class, (0, ItemState::Active));
    }
    for number in 2..=100_000 {
        graph.relate(number, &"depends_on".into(), 1);
    }
    assert_eq!(graph.impact(&[1], Limits { depth: 1, items: 10 }).reached.count, 99_999);
    let way = graph.shortest_paths((2, 100_000), &[], 5, 3);
    assert_eq!(way.routes, [[2, 1, 100_000]]);
    for number in 2..=100_000 {
        graph.unrelate(number, &"depends_on".into(), 1);
    }
    assert_eq!((graph.relations_count(), graph.relations(1).len()), (0, 0));
}
