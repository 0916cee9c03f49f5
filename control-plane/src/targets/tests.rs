//! What agents are told, and that it is no more than they need.

use super::seal::Sealer;
use super::*;
use environment::SimulatedClock;
use model::targets::{CredentialSet, TargetSet};
use proto::v1;
use proto::v1::server_frame::Frame;
use store::database::Database;
use store::targets::SqliteTargets;
use zeroize::Zeroizing;

struct Rig {
    targets: Arc<Targets>,
    clock: Arc<SimulatedClock>,
    folder: tempfile::TempDir,
    database: Database,
}

async fn opened(folder: &std::path::Path, clock: &Arc<SimulatedClock>) -> (Arc<Targets>, Database) {
    let database = Database::open(&folder.join("dharma.sqlite")).unwrap();
    let targets = Targets::start(
        Arc::new(SqliteTargets::new(database.clone())),
        Sealer::open(folder).unwrap(),
        Arc::clone(clock) as Arc<dyn Clock>,
        Assigned::default(),
    );
    (Arc::new(targets.await.unwrap()), database)
}

async fn rig() -> Rig {
    let folder = tempfile::tempdir().unwrap();
    let clock = Arc::new(SimulatedClock::default());
    let (targets, database) = opened(folder.path(), &clock).await;
    Rig { targets, clock, folder, database }
}

fn agent(number: u8) -> AgentId {
    AgentId::from_bytes([number; 16])
}

fn hello(collectors: &[&str]) -> v1::Hello {
    v1::Hello {
        remote_collectors: collectors.iter().map(|one| (*one).to_owned()).collect(),
        remote_capacity: 16,
        ..v1::Hello::default()
    }
}

fn set(name: &str, address: &str, credential: &str) -> TargetSet {
    TargetSet {
        name: name.into(),
        collector: "snmp".into(),
        addresses: vec![address.into()],
        site: "berlin".into(),
        credentials: vec![credential.into()],
        is_enabled: true,
        ..TargetSet::default()
    }
}

impl Rig {
    async fn credential(&self, name: &str, secret: &str) -> bool {
        let change = CredentialChange {
            credential: CredentialSet {
                name: name.into(),
                kind: "snmp_community".into(),
                ..CredentialSet::default()
            },
            secrets: [("community".to_owned(), Zeroizing::new(secret.to_owned()))].into(),
        };
        self.targets.credential_put(change, "ann").await.unwrap()
    }
}

/// What a seat has to say: the last Desired, whole.
fn desired(seat: &Seat) -> Option<(u64, Vec<String>, Vec<String>)> {
    let parts = seat.frames().into_iter().filter_map(|frame| match frame {
        Frame::Desired(part) => Some(part),
        _ => None,
    });
    let parts: Vec<v1::Desired> = parts.collect();
    let ids = parts.iter().flat_map(|part| &part.sets).flat_map(|set| &set.targets);
    let secrets = parts.iter().flat_map(|part| &part.credentials);
    Some((
        parts.last()?.generation,
        ids.map(|target| target.id.clone()).collect(),
        secrets.flat_map(|one| one.secrets.values().cloned()).collect(),
    ))
}

#[tokio::test]
async fn an_agent_gets_the_secrets_of_its_own_targets_and_no_others() {
    let rig = rig().await;
    rig.credential("one", "secret-one").await;
    rig.credential("other", "secret-other").await;
    rig.targets.set_put(set("one", "192.0.2.1", "one"), "ann").await.unwrap();
    let elsewhere = TargetSet { site: "paris".into(), ..set("other", "192.0.2.1", "other") };
    rig.targets.set_put(elsewhere, "ann").await.unwrap();
    let berlin = rig.targets.join(agent(1), "berlin", &hello(&["snmp"])).unwrap();
    let paris = rig.targets.join(agent(2), "paris", &hello(&["snmp"])).unwrap();
    assert!(rig.targets.join(agent(3), "berlin", &hello(&[])).is_none(), "an older agent");
    rig.targets.replan().await.unwrap();
    let (_, ids, secrets) = desired(&berlin).unwrap();
    assert_eq!((ids, secrets), (vec!["192.0.2.1@berlin".into()], vec!["secret-one".into()]));
    let (_, ids, secrets) = desired(&paris).unwrap();
    assert_eq!((ids, secrets), (vec!["192.0.2.1@paris".into()], vec!["secret-other".into()]));
    // A rotated secret goes to who needs it, and to nobody else.
    assert!(!rig.credential("one", "secret-new").await);
    rig.targets.replan().await.unwrap();
    assert_eq!(desired(&berlin).unwrap().2, ["secret-new"]);
    assert!(desired(&paris).is_none());
}

#[tokio::test]
async fn a_secret_is_neither_in_the_database_nor_in_what_is_printed() {
    let rig = rig().await;
    rig.credential("one", "open-sesame").await;
    rig.targets.set_put(set("one", "192.0.2.1", "one"), "ann").await.unwrap();
    let seat = rig.targets.join(agent(1), "berlin", &hello(&["snmp"])).unwrap();
    rig.targets.replan().await.unwrap();
    let frames = seat.frames();
    assert!(!frames.is_empty());
    let views = rig.targets.credentials(None, 10);
    let printed = format!("{:?} {frames:?} {views:?}", rig.targets);
    assert!(!printed.contains("open-sesame"), "{printed}");
    rig.database.checkpoint().await.unwrap();
    for entry in std::fs::read_dir(rig.folder.path()).unwrap().flatten() {
        let bytes = std::fs::read(entry.path()).unwrap();
        let is_there = bytes.windows(11).any(|part| part == b"open-sesame");
        assert!(!is_there, "{}", entry.path().display());
    }
}

#[tokio::test]
async fn what_is_named_by_two_sets_is_read_once_and_what_is_missing_is_refused() {
    let rig = rig().await;
    rig.credential("one", "x").await;
    rig.targets.set_put(set("a", "192.0.2.1", "one"), "ann").await.unwrap();
    rig.targets.set_put(set("b", "192.0.2.1", "one"), "ann").await.unwrap();
    let seat = rig.targets.join(agent(1), "berlin", &hello(&["snmp"])).unwrap();
    rig.targets.replan().await.unwrap();
    assert_eq!(desired(&seat).unwrap().1, ["192.0.2.1@berlin"]);
    let refused = rig.targets.set_put(set("c", "192.0.2.2", "none"), "ann").await.unwrap_err();
    assert!(refused.to_string().contains("`none`"), "{refused}");
    let refused = rig.targets.credential_delete("one", "ann").await.unwrap_err();
    assert!(refused.to_string().contains("a, b"), "{refused}");
}

#[tokio::test]
async fn after_a_restart_nobody_else_gets_a_target_before_the_lease_of_its_reader_is_over() {
    let first = rig().await;
    first.credential("one", "x").await;
    first.targets.set_put(set("a", "192.0.2.1", "one"), "ann").await.unwrap();
    let seat = first.targets.join(agent(1), "berlin", &hello(&["snmp"])).unwrap();
    first.targets.replan().await.unwrap();
    assert_eq!(first.targets.holder("snmp", "192.0.2.1@berlin"), Some(agent(1)));
    drop(seat);
    first.database.close().await;
    let (targets, _database) = opened(first.folder.path(), &first.clock).await;
    let other = targets.join(agent(2), "berlin", &hello(&["snmp"])).unwrap();
    targets.replan().await.unwrap();
    assert!(desired(&other).unwrap().1.is_empty());
    first.clock.advance(Duration::from_secs(17));
    targets.replan().await.unwrap();
    assert_eq!(desired(&other).unwrap().1, ["192.0.2.1@berlin"]);
}

#[tokio::test]
async fn a_state_of_a_target_that_an_agent_does_not_have_is_not_believed() {
    let rig = rig().await;
    rig.credential("one", "x").await;
    rig.targets.set_put(set("a", "192.0.2.1", "one"), "ann").await.unwrap();
    let seat = rig.targets.join(agent(1), "berlin", &hello(&["snmp"])).unwrap();
    let stranger = rig.targets.join(agent(2), "paris", &hello(&["snmp"])).unwrap();
    rig.targets.replan().await.unwrap();
    let state = |words: &str| v1::TargetState {
        collector: "snmp".into(),
        id: "192.0.2.1@berlin".into(),
        state: words.into(),
        ..v1::TargetState::default()
    };
    let beat = |words: &str| v1::TargetBeat {
        number: 5,
        states: vec![state(words)],
        ..v1::TargetBeat::default()
    };
    let lease = stranger.beat(&mut beat("lied"));
    assert_eq!((lease.number, lease.seconds), (5, 15));
    assert_eq!(rig.targets.targets("a", 0, 10).unwrap()[0].state, None);
    let _lease = seat.beat(&mut beat(&format!("done\u{1b}[31m{}", "x".repeat(1000))));
    let shown = rig.targets.targets("a", 0, 10).unwrap()[0].state.clone().unwrap().state;
    assert!(shown.starts_with("done[31m") && shown.len() == 400, "{shown}");
}

#[tokio::test]
async fn secrets_of_an_older_key_are_sealed_anew_at_the_start() {
    let rig = rig().await;
    rig.credential("one", "kept").await;
    let path = rig.folder.path().join(seal::KEY_FILE);
    let keys = format!("{}\n{}", "cd".repeat(32), std::fs::read_to_string(&path).unwrap());
    std::fs::write(&path, keys).unwrap();
    rig.database.close().await;
    let (_targets, database) = opened(rig.folder.path(), &rig.clock).await;
    database.close().await;
    // The old key is no longer needed.
    std::fs::write(&path, "cd".repeat(32)).unwrap();
    let (targets, _database) = opened(rig.folder.path(), &rig.clock).await;
    assert!(targets.credential("one").unwrap().is_usable);
}
