//! The past as it is read later, against what was read when it was the present: random looks of two sources, by the
//! real write path.

use super::*;
use environment::Randomness;
use model::ItemId;
use model::classes::hardware;
use std::collections::{BTreeMap, BTreeSet};
use store::history::{
    Around, Between, DifferenceCounts, DifferenceFilter, DifferenceKind, History, ItemDifference,
    Neighborhood,
};
use store::items::ReadError;

const STEPS: usize = 40;

/// An item as far as its past is kept: without the moments of confirmation.
#[derive(Clone, Debug, PartialEq)]
struct Seen {
    class: Name,
    title: String,
    state: ItemState,
    values: BTreeMap<Name, Vec<(Value, String, Timestamp)>>,
    /// Verb, direction, other end, and the title and state of that.
    relations: BTreeSet<(Name, bool, ItemId, String, &'static str)>,
}

/// Everything that was read at one moment.
#[derive(Clone, Debug, Default, PartialEq)]
struct World {
    items: BTreeMap<ItemId, Seen>,
    lists: Vec<Vec<String>>,
    counts: Vec<Vec<(Name, u64)>>,
    around: BTreeMap<ItemId, Neighborhood>,
}

struct Dice(SeededRandomness);

impl Dice {
    fn below(&self, limit: u64) -> u64 {
        let mut bytes = [0; 8];
        self.0.fill(&mut bytes);
        u64::from_le_bytes(bytes) % limit
    }

    fn one_in(&self, limit: u64) -> bool {
        self.below(limit) == 0
    }
}

fn filters() -> Vec<Filter> {
    let condition = Condition {
        attribute: "version".into(),
        comparison: Comparison::Equal,
        value: Value::Text("2".into()),
    };
    vec![
        Filter { states: ItemState::ALL.to_vec(), ..Filter::default() },
        Filter { classes: vec!["package".into()], ..Filter::default() },
        Filter { text: Some("db1".into()), ..Filter::default() },
        Filter { text: Some("lib".into()), ..Filter::default() },
        Filter { conditions: vec![condition], ..Filter::default() },
    ]
}

/// What one source sees of a host this time.
fn look(dice: &Dice, collector: &str) -> Vec<Observation> {
    let mut own = Observation::of(&host::CLASS, "host").key(IdentityKey::new(
        KeyType::AgentKey,
        Realm::everywhere(),
        &agent().to_string(),
    ));
    if !dice.one_in(4) {
        own = own.with(&host::FQDN, format!("db{}.example.net", dice.below(3)));
    }
    if !dice.one_in(3) {
        own = own.with(&host::OS_NAME, format!("{collector} {}", dice.below(3)));
    }
    let mut seen = Vec::new();
    if dice.one_in(2) {
        own = own.relates("runs_on", RelationTarget::Native("hardware".into()));
    }
    if dice.one_in(8) {
        // Not even the host is seen.
        return seen;
    }
    seen.push(own);
    if dice.one_in(2) {
        let vendor = format!("Vendor {}", dice.below(2));
        seen.push(Observation::of(&hardware::CLASS, "hardware").with(&hardware::VENDOR, vendor));
    }
    for number in 0..5 {
        if dice.one_in(2) {
            seen.push(a_package(&format!("lib{number}"), &dice.below(3).to_string()));
        }
    }
    seen
}

async fn seen_at(store: &SqliteItems, id: ItemId, at: At) -> Option<Seen> {
    let item = store.item(id, at).await.unwrap()?;
    let page = Page { size: 500, after: None };
    let related = store.related(id, &[], &page, at).await.unwrap();
    let relations = related
        .entries
        .into_iter()
        .map(|(_, one)| (one.verb, one.outgoing, one.item, one.title, one.state.name()));
    let values = item.attributes.iter().map(|(name, said)| {
        let said = said.iter().map(|one| {
            (one.value.clone(), one.provenance.source.to_string(), one.provenance.since)
        });
        (name.clone(), said.collect())
    });
    Some(Seen {
        class: item.class.clone(),
        title: item.title.clone(),
        state: item.state,
        values: values.collect(),
        relations: relations.collect(),
    })
}

async fn world(store: &SqliteItems, ids: &BTreeSet<ItemId>, at: At) -> World {
    let mut world = World::default();
    for id in ids {
        if let Some(seen) = seen_at(store, *id, at).await {
            world.items.insert(*id, seen);
            let around = Around { id: *id, verbs: Vec::new(), depth: 2, items: 50, fold: 3, at };
            let around = store.neighborhood(&around).await.unwrap().unwrap();
            world.around.insert(*id, around);
        }
    }
    for filter in filters() {
        let mut titles = Vec::new();
        let mut after = None;
        loop {
            let page = Page { size: 3, after };
            let found = store.find(&filter, Order::Title, &page, at).await.unwrap();
            after = found.entries.last().map(|(cursor, _)| cursor.clone());
            titles.extend(found.entries.into_iter().map(|(_, item)| item.title));
            if !found.has_more {
                break;
            }
        }
        world.lists.push(titles);
        world.counts.push(store.class_counts(&filter, at).await.unwrap());
    }
    world
}

fn winners(seen: &Seen) -> BTreeMap<Name, Value> {
    let first = |said: &Vec<(Value, String, Timestamp)>| said.first().map(|one| one.0.clone());
    seen.values.iter().filter_map(|(name, said)| Some((name.clone(), first(said)?))).collect()
}

/// The differences of two worlds, found naively: kind, attributes with both values, relationships that differ.
fn naive(before: &World, after: &World) -> BTreeMap<ItemId, (DifferenceKind, usize, usize, usize)> {
    let mut found = BTreeMap::new();
    for (id, is) in &after.items {
        let was = before.items.get(id);
        let there = |seen: &Seen| seen.state != ItemState::Retired;
        let kind = match (was, there(is)) {
            (None, true) => DifferenceKind::Created,
            (None, false) => continue,
            (Some(was), is_there) => match (there(was), is_there) {
                (false, true) => DifferenceKind::Returned,
                (true, false) => DifferenceKind::Retired,
                (true, true) => DifferenceKind::Changed,
                (false, false) => continue,
            },
        };
        let stated = |seen: &Seen| -> BTreeSet<(Name, ItemId)> {
            let all = seen.relations.iter();
            all.filter(|one| one.1 && one.0 != "part_of")
                .map(|one| (one.0.clone(), one.2))
                .collect()
        };
        let (now, then) = (stated(is), was.map(stated).unwrap_or_default());
        let attributes = match was {
            None => 0,
            Some(was) => {
                let (was, is) = (winners(was), winners(is));
                let names: BTreeSet<&Name> = was.keys().chain(is.keys()).collect();
                names.into_iter().filter(|name| was.get(*name) != is.get(*name)).count()
            }
        };
        let (begun, ended) = (now.difference(&then).count(), then.difference(&now).count());
        let is_same = kind == DifferenceKind::Changed
            && was.is_some_and(|was| was.state == is.state)
            && (attributes, begun, ended) == (0, 0, 0);
        if !is_same {
            found.insert(*id, (kind, attributes, begun, ended));
        }
    }
    found
}

async fn differences(
    store: &SqliteItems,
    between: Between,
) -> (BTreeMap<ItemId, (DifferenceKind, usize, usize, usize)>, DifferenceCounts) {
    let filter = DifferenceFilter { between, items: Filter::default(), kinds: Vec::new() };
    let mut found = BTreeMap::new();
    let mut after = None;
    loop {
        let page = Page { size: 2, after };
        let answer = store.differences(&filter, &page).await.unwrap();
        after = answer.entries.last().map(|(cursor, _)| cursor.clone());
        found.extend(answer.entries.into_iter().map(|(_, one)| (one.id, summary(&one))));
        if !answer.has_more {
            break;
        }
    }
    (found, store.difference_counts(&filter).await.unwrap())
}

fn summary(one: &ItemDifference) -> (DifferenceKind, usize, usize, usize) {
    let count = |number: u64| usize::try_from(number).unwrap();
    (one.kind, one.attributes.len(), count(one.relations_begun), count(one.relations_ended))
}

/// Random looks, and what was read after each of them.
async fn lived(dice: &Dice) -> (Rig, Vec<(Timestamp, World)>, BTreeSet<ItemId>) {
    let clock = Arc::new(SimulatedClock::default());
    let mut rig = Rig::with(Arc::clone(&clock)).await;
    let mut now = 1_700_000_000_000_i64;
    let mut ids = BTreeSet::new();
    let mut past = Vec::new();
    for _ in 0..STEPS {
        let passed = 1 + dice.below(500);
        clock.advance(std::time::Duration::from_millis(passed));
        now += i64::try_from(passed).unwrap();
        let collector = if dice.one_in(2) { "host" } else { "sweep" };
        let from = SourceId { collector: collector.into(), target: agent().to_string() };
        let seen = look(dice, collector);
        rig.send(vec![record(report(&from, "all", now, &seen))]).await.unwrap();
        ids.extend(rig.all().await.into_iter().map(|item| item.id));
        past.push((Timestamp::from_millis(now), world(&rig.store, &ids, At::Now).await));
    }
    (rig, past, ids)
}

fn then(past: &[(Timestamp, World)], at: Timestamp) -> World {
    let found = past.iter().rev().find(|(when, _)| *when <= at);
    found.map(|(_, world)| world.clone()).unwrap_or_else(|| World {
        lists: vec![Vec::new(); filters().len()],
        counts: vec![Vec::new(); filters().len()],
        ..World::default()
    })
}

async fn compare(
    (rig, past, ids): (&Rig, &[(Timestamp, World)], &BTreeSet<ItemId>),
    dice: &Dice,
    earliest: Timestamp,
    seed: u64,
) {
    let span = past.last().unwrap().0.millis() + 50 - earliest.millis();
    let moment =
        || earliest.millis() + i64::try_from(dice.below(u64::try_from(span).unwrap())).unwrap();
    for _ in 0..25 {
        let (one, other) = (moment(), moment());
        let at = Timestamp::from_millis(one);
        let found = world(&rig.store, ids, At::Time(at)).await;
        assert_eq!(found, then(past, at), "seed {seed}, at {one}");
        let (from, to) = (one.min(other), one.max(other) + 1);
        let (from, to) = (Timestamp::from_millis(from), Timestamp::from_millis(to));
        let expected = naive(&then(past, from), &then(past, to));
        let (found, counts) = differences(&rig.store, Between { from, to }).await;
        assert_eq!(found, expected, "seed {seed}, from {one} to {other}");
        let sum = |kind| {
            let all = expected.values().filter(|one| one.0 == kind);
            u64::try_from(all.count()).unwrap()
        };
        assert_eq!(counts.created, sum(DifferenceKind::Created));
        assert_eq!(counts.returned, sum(DifferenceKind::Returned));
        assert_eq!(counts.retired, sum(DifferenceKind::Retired));
        assert_eq!(counts.changed, sum(DifferenceKind::Changed));
        let attributes: usize = expected.values().map(|one| one.1).sum();
        assert_eq!(counts.attributes, u64::try_from(attributes).unwrap());
    }
}

#[tokio::test]
async fn the_past_is_answered_as_the_present_was_and_after_a_cut_as_far_as_it_is_kept() {
    for seed in 0..6 {
        let dice = Dice(SeededRandomness::new(seed));
        let (mut rig, past, ids) = lived(&dice).await;
        compare((&rig, &past, &ids), &dice, Timestamp::from_millis(1_699_999_999_900), seed).await;
        let horizon = past[STEPS / 2].0.plus(std::time::Duration::from_millis(1));
        let mut taken_out = (0, 0, 0);
        loop {
            let step = rig.store.forget(horizon).await.unwrap();
            taken_out.0 += step.changes;
            taken_out.1 += step.versions;
            taken_out.2 += step.relations;
            if step.is_done {
                break;
            }
        }
        assert!(taken_out.0 > 0 && taken_out.1 > 0 && taken_out.2 > 0, "{taken_out:?}");
        assert_eq!(rig.store.kept_since().await.unwrap(), Some(horizon));
        compare((&rig, &past, &ids), &dice, horizon, seed).await;
        let before = Timestamp::from_millis(horizon.millis() - 1);
        let id = *ids.first().unwrap();
        let refused = rig.store.item(id, At::Time(before)).await;
        let expected = horizon.millis();
        assert!(
            matches!(refused, Err(ReadError::HistoryExpired { kept_since_millis }) if kept_since_millis == expected)
        );
        let between = Between { from: before, to: past[STEPS - 1].0 };
        assert!(rig.store.item_difference(id, between).await.is_err());
        let page = Page { size: 500, after: None };
        let changes = rig.store.changes(&ChangeFilter::default(), &page).await.unwrap();
        assert!(changes.entries.iter().all(|(_, change)| change.observed_at >= horizon));
        let next = rig.send(vec![full("all", 1_800_000_000_000, &[a_host()])]).await;
        assert!(next.is_ok(), "what is written after a cut goes on");
    }
}
