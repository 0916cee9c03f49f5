//! Killed at random moments, under load: what was accepted is stored once or covered by a gap.

use crate::agent_process::Agent;
use crate::model_server::ModelServer;
use crate::model_store::Stored;
use crate::tree::Tree;
use environment::{RandomnessExt, SeededRandomness, SystemRandomness};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// How often the agent is killed; `DHARMA_KILLS` asks for more.
const KILLS_DEFAULT: u64 = 15;

/// What the agent said that the spool accepted: by class, the sequences.
fn accepted(log: &str) -> Vec<(u32, u64)> {
    let field = |line: &str, name: &str| {
        let rest = line.split(&format!("{name}=")).nth(1)?;
        rest.split_whitespace().next().map(str::to_owned)
    };
    log.lines()
        .filter(|line| line.contains("accepted"))
        .filter_map(|line| {
            let class = match field(line, "class")?.as_str() {
                "audit" => 0,
                "inventory" => 1,
                "events" => 2,
                "metrics" => 3,
                _ => return None,
            };
            Some((class, field(line, "sequence")?.parse().ok()?))
        })
        .collect()
}

/// What waits in the spool: by class and sequence the payload as hexadecimal digits; `None` for a gap.
fn waiting(agent: &Agent) -> BTreeMap<(String, u64), Option<String>> {
    let output = agent.run(&["spool", "export"]);
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines()
        .map(|line| {
            let entry: serde_json::Value = serde_json::from_str(line).unwrap();
            let class = entry["class"].as_str().unwrap().to_owned();
            let sequence = entry["seq"].as_u64().or(entry["gap"]["from"].as_u64()).unwrap();
            ((class, sequence), entry["payload_hex"].as_str().map(str::to_owned))
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_accepted_before_a_kill_is_stored_once() {
    let seed = SystemRandomness.u64();
    eprintln!("seed {seed}");
    let randomness = SeededRandomness::new(seed);
    let kills = std::env::var("DHARMA_KILLS").ok().and_then(|text| text.parse().ok());
    let directory = tempfile::tempdir().unwrap();
    let mut server = ModelServer::start(directory.path()).await;
    let token = server.token_file(1);
    let tree = Arc::new(Tree::new(directory.path().join("root")));
    let mut agent = Agent::new(directory.path(), tree.root(), "").with(&[
        "--server",
        &server.enroll.to_string(),
        "--token-file",
        token.to_str().unwrap(),
    ]);
    agent.start();
    server.until("it is enrolled", |state| state.hellos.len() == 1).await;
    let is_over = Arc::new(AtomicBool::new(false));
    let load = tokio::spawn(change(Arc::clone(&tree), Arc::clone(&is_over)));
    let mut left = BTreeMap::new();
    for _ in 0..kills.unwrap_or(KILLS_DEFAULT) {
        let pause = randomness.duration(Duration::from_millis(20), Duration::from_millis(1500));
        tokio::time::sleep(pause).await;
        // Sometimes the control plane goes too, so that records are on the way or wait when the agent dies.
        if randomness.chance(1, 3) {
            server.pause();
            server.resume().await;
        }
        agent.kill();
        left.extend(waiting(&agent));
        agent.start();
    }
    is_over.store(true, Ordering::Relaxed);
    load.await.unwrap();
    tree.set_users(42);
    server
        .until("the last state is there", |state| {
            let accounts = state.store.scopes.get("accounts");
            accounts.is_some_and(|scope| scope.held.len() == 84)
        })
        .await;
    check(&server, &agent, &left);
}

/// Changes what is looked at, faster than it is looked at.
async fn change(tree: Arc<Tree>, is_over: Arc<AtomicBool>) {
    let mut round = 0;
    while !is_over.load(Ordering::Relaxed) {
        round += 1;
        tree.set_users(3 + round % 60);
        tree.set_packages(50 + round % 40, &format!("1.{round}"));
        tokio::time::sleep(Duration::from_millis(40)).await;
    }
}

fn check(server: &ModelServer, agent: &Agent, left: &BTreeMap<(String, u64), Option<String>>) {
    let state = server.state();
    assert_eq!(state.store.violations, Vec::<String>::new());
    let epochs: Vec<u64> = state.store.committed.keys().map(|(epoch, _)| *epoch).collect();
    assert!(
        epochs.windows(2).all(|pair| pair[0] == pair[1]),
        "the spool was begun anew: {epochs:?}"
    );
    let epoch = epochs[0];
    let is_covered = |class: u32, sequence: u64| {
        let before = state.store.entries.range(..=(epoch, class, sequence)).next_back();
        match before {
            Some(((_, c, s), Stored::Record(_))) => (*c, *s) == (class, sequence),
            Some(((_, c, _), Stored::Gap { through, .. })) => *c == class && *through >= sequence,
            None => false,
        }
    };
    let accepted = accepted(&agent.log());
    assert!(accepted.len() > 10, "the load was too small to show anything: {}", accepted.len());
    // What was accepted last may still be on the way.
    let committed = |class| state.store.committed.get(&(epoch, class)).copied().unwrap_or(0);
    for (class, sequence) in &accepted {
        assert!(
            *sequence > committed(*class) || is_covered(*class, *sequence),
            "{class} {sequence} is lost"
        );
    }
    for ((class, sequence), payload) in left {
        let class = match class.as_str() {
            "audit" => 0,
            "inventory" => 1,
            "events" => 2,
            _ => 3,
        };
        let (Some(payload), Some(Stored::Record(stored))) =
            (payload, state.store.entries.get(&(epoch, class, *sequence)))
        else {
            continue;
        };
        let stored: String = stored.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(&stored, payload, "{class} {sequence} was stored differently");
    }
}
