//! Agents come, go, hang and come back; no target is ever given to two.

use super::*;
use proptest::prelude::*;

const SECOND: Duration = Duration::from_secs(1);

fn agent(number: u8) -> AgentId {
    AgentId::from_bytes([number; 16])
}

fn key(number: usize) -> Key {
    ("snmp".into(), format!("192.0.2.{number}@berlin").as_str().into())
}

fn group() -> Vec<Group> {
    vec![Group { site: "berlin".into(), collector: "snmp".into(), agents: Vec::new() }]
}

fn wanted(count: usize) -> Vec<Wanted> {
    (0..count).map(|number| Wanted { key: key(number), group: 0 }).collect()
}

fn connect(plan: &mut Plan, number: u8, now: Duration) {
    let presence = Presence {
        site: "berlin".into(),
        collectors: ["snmp".to_owned()].into(),
        capacity: 64,
        is_connected: true,
        since: now,
        leased_until: now,
        generation: 0,
        effective: 0,
    };
    plan.agents.insert(agent(number), presence);
}

fn plan_now(plan: &mut Plan, count: usize, now: Duration) -> Round {
    let round = plan.round(&group(), &wanted(count), now);
    plan.carry_out(&round);
    round
}

#[test]
fn targets_of_an_agent_that_is_gone_move_after_its_lease_and_no_others_do() {
    let mut plan = Plan::default();
    for number in 1..=3 {
        connect(&mut plan, number, Duration::ZERO);
    }
    plan_now(&mut plan, 300, SECOND);
    let counts = [1, 2, 3].map(|number| plan.count(agent(number)));
    assert!(counts.iter().all(|count| *count > 60), "{counts:?}");
    let before: Vec<_> = (0..300).map(|number| plan.holder(&key(number)).unwrap()).collect();
    let presence = plan.agents.get_mut(&agent(1)).unwrap();
    presence.leased_until = 100 * SECOND;
    presence.is_connected = false;
    assert!(plan_now(&mut plan, 300, 100 * SECOND).moves.is_empty(), "it may still be reading");
    assert_eq!(plan.next_expiry(), Some(101 * SECOND));
    let round = plan_now(&mut plan, 300, 101 * SECOND);
    assert_eq!(round.moves.len(), counts[0]);
    for (number, before) in before.iter().enumerate() {
        let now = plan.holder(&key(number)).unwrap();
        assert!(now == *before || *before == agent(1));
        assert_ne!(now, agent(1));
    }
}

#[test]
fn a_living_agent_confirms_before_its_target_goes_to_another() {
    let mut plan = Plan::default();
    connect(&mut plan, 1, Duration::ZERO);
    plan_now(&mut plan, 50, SECOND);
    connect(&mut plan, 2, SECOND);
    assert!(plan_now(&mut plan, 50, 10 * SECOND).touched.is_empty(), "it has to settle first");
    let round = plan_now(&mut plan, 50, 40 * SECOND);
    assert!(round.moves.is_empty() && round.touched.contains(&agent(1)));
    let released: Vec<usize> =
        (0..50).filter(|number| !plan.reads(agent(1), &key(*number))).collect();
    assert!(!released.is_empty());
    assert!(released.iter().all(|number| !plan.reads(agent(2), &key(*number))));
    plan.told(agent(1), 7);
    assert!(plan_now(&mut plan, 50, 41 * SECOND).moves.is_empty(), "told is not confirmed");
    plan.agents.get_mut(&agent(1)).unwrap().effective = 6;
    assert!(plan_now(&mut plan, 50, 42 * SECOND).moves.is_empty());
    plan.agents.get_mut(&agent(1)).unwrap().effective = 7;
    assert_eq!(plan_now(&mut plan, 50, 43 * SECOND).moves.len(), released.len());
    assert!(released.iter().all(|number| plan.reads(agent(2), &key(*number))));
}

#[test]
fn after_a_restart_the_holders_of_before_keep_their_targets_for_a_lease() {
    let mut plan = Plan::default();
    plan.remember(key(0), agent(1), SECOND);
    connect(&mut plan, 2, SECOND);
    assert!(plan_now(&mut plan, 1, 2 * SECOND).moves.is_empty());
    assert_eq!(plan_now(&mut plan, 1, SECOND + LEASE + LEASE_MARGIN).moves.len(), 1);
    assert!(plan.reads(agent(2), &key(0)));
}

#[test]
fn agents_of_another_site_without_the_collector_or_not_named_get_nothing() {
    let mut plan = Plan::default();
    for number in 1..=3 {
        connect(&mut plan, number, Duration::ZERO);
    }
    plan.agents.get_mut(&agent(1)).unwrap().site = "paris".into();
    plan.agents.get_mut(&agent(2)).unwrap().collectors.clear();
    let groups = vec![Group { agents: vec![agent(9)], ..group().remove(0) }];
    assert!(plan.round(&groups, &wanted(5), SECOND).moves.is_empty());
    plan_now(&mut plan, 5, SECOND);
    assert_eq!(plan.count(agent(3)), 5);
}

#[test]
fn a_target_that_is_no_longer_wanted_is_released_and_forgotten() {
    let mut plan = Plan::default();
    connect(&mut plan, 1, Duration::ZERO);
    plan_now(&mut plan, 3, SECOND);
    plan_now(&mut plan, 2, 2 * SECOND);
    assert!(!plan.reads(agent(1), &key(2)) && plan.holder(&key(2)).is_some());
    assert!(plan.is_releasing(agent(1)));
    plan.told(agent(1), 1);
    plan.agents.get_mut(&agent(1)).unwrap().effective = 1;
    plan_now(&mut plan, 2, 3 * SECOND);
    assert_eq!(plan.holder(&key(2)), None);
}

/// An agent as it is: what it reads, and until when it may.
#[derive(Clone, Debug, Default)]
struct Model {
    reads: BTreeSet<usize>,
    generation: u64,
    leased_until: Duration,
    is_connected: bool,
}

proptest! {
    #[test]
    fn no_target_is_read_by_two_whatever_agents_do(
        steps in proptest::collection::vec((0_u8..5, 1_u8..4, 1_u64..20), 1..120),
    ) {
        let mut plan = Plan::default();
        let mut models: HashMap<AgentId, Model> = HashMap::new();
        let mut generation = 0;
        let mut now = Duration::ZERO;
        for (step, number, seconds) in steps {
            now += Duration::from_secs(seconds);
            let id = agent(number);
            match step {
                0 if !plan.agents.get(&id).is_some_and(|presence| presence.is_connected) => {
                    let before = plan.agents.get(&id).cloned();
                    connect(&mut plan, number, now);
                    if let (Some(before), Some(presence)) = (before, plan.agents.get_mut(&id)) {
                        presence.leased_until = before.leased_until;
                        presence.generation = before.generation;
                        presence.effective = before.effective;
                    }
                    models.entry(id).or_default().is_connected = true;
                }
                // The stream ends; the agent may go on reading within its lease.
                1 => {
                    if let Some(presence) = plan.agents.get_mut(&id) {
                        presence.is_connected = false;
                        models.entry(id).or_default().is_connected = false;
                    }
                }
                // It takes over what is to be read, and says so.
                2 | 3 if plan.agents.get(&id).is_some_and(|presence| presence.is_connected) => {
                        generation += 1;
                        plan.told(id, generation);
                        let model = models.entry(id).or_default();
                        model.generation = generation;
                        model.leased_until = now + LEASE;
                        model.reads = (0..20).filter(|number| plan.reads(id, &key(*number))).collect();
                        if let Some(presence) = plan.agents.get_mut(&id) {
                            presence.effective = generation;
                            presence.leased_until = now + LEASE;
                        }
                }
                _ => {}
            }
            plan_now(&mut plan, 20, now);
            for number in 0..20_usize {
                let readers = models.values().filter(|model| {
                    model.leased_until > now && model.reads.contains(&number)
                });
                prop_assert!(readers.count() <= 1, "{} at {:?}", number, now);
            }
        }
    }
}
