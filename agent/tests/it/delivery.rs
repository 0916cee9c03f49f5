//! From a file to the control plane, through restarts and outages.

use crate::agent_process::Agent;
use crate::model_server::ModelServer;
use crate::tree::Tree;
use std::time::Duration;

/// Three users, as the tree begins.
const USERS: usize = 3;

async fn running(directory: &std::path::Path, more: &str) -> (ModelServer, Tree, Agent) {
    let server = ModelServer::start(directory).await;
    let token = server.token_file(1);
    let tree = Tree::new(directory.join("root"));
    let mut agent = Agent::new(directory, tree.root(), more).with(&[
        "--server",
        &server.enroll.to_string(),
        "--token-file",
        token.to_str().unwrap(),
    ]);
    agent.start();
    (server, tree, agent)
}

fn users(state: &crate::model_server::State) -> usize {
    let scope = state.store.scopes.get("accounts");
    scope
        .map_or(0, |scope| scope.held.values().filter(|(class, _)| class == "user_account").count())
}

fn packages(state: &crate::model_server::State) -> usize {
    state.store.scopes.get("packages.dpkg").map_or(0, |scope| scope.held.len())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_seen_is_delivered_and_what_changes_follows() {
    let directory = tempfile::tempdir().unwrap();
    let (server, tree, mut agent) = running(directory.path(), "").await;
    server.until("the first look is there", |s| users(s) == USERS && packages(s) == 50).await;
    tree.set_users(5);
    tree.set_packages(40, "1.0");
    server.until("the changes are there", |s| users(s) == 5 && packages(s) == 40).await;
    server
        .until("an unchanged scope is confirmed", |s| {
            s.store.scopes.values().any(|scope| scope.confirmed_count > 0)
        })
        .await;
    {
        let state = server.state();
        assert_eq!(state.store.violations, Vec::<String>::new());
        assert_eq!(state.store.diverged, Vec::<String>::new());
        assert_eq!(state.store.removed_again, Vec::<String>::new());
        assert!(state.store.scopes.values().all(|scope| scope.full_count <= 1));
    }
    let (code, took) = agent.stop().await;
    assert_eq!(code, Some(0), "{}", agent.log());
    assert!(took < Duration::from_secs(5), "{took:?}");
    server.until("it said goodbye", |state| state.goodbyes == 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_with_nothing_changed_sends_no_report() {
    let directory = tempfile::tempdir().unwrap();
    let (server, _tree, mut agent) = running(directory.path(), "").await;
    server.until("the first look is there", |s| users(s) == USERS && packages(s) == 50).await;
    agent.stop().await;
    let before = server.state().store.entries.keys().filter(|(_, class, _)| *class == 1).count();
    agent.start();
    server.until("it is back", |state| state.hellos.len() >= 2).await;
    server
        .until("both are confirmed", |state| {
            let confirmed =
                |scope| state.store.scopes.get(scope).is_some_and(|s| s.confirmed_count > 0);
            confirmed("accounts") && confirmed("packages.dpkg")
        })
        .await;
    let state = server.state();
    let guarded = |scope: &str| state.store.scopes[scope].runs_count;
    assert_eq!((guarded("accounts"), guarded("packages.dpkg")), (1, 1), "of {before} reports");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_control_plane_that_is_away_gets_everything_when_it_returns() {
    let directory = tempfile::tempdir().unwrap();
    let (mut server, tree, agent) = running(directory.path(), "").await;
    server.until("the first look is there", |s| users(s) == USERS).await;
    server.pause();
    for count in [10, 20, 30] {
        tree.set_users(count);
        // Accounts and their groups.
        let held = 2 * count as u64;
        agent
            .until("the change is in the spool", |status| {
                let scopes = status["scopes"].as_array();
                let mut scopes = scopes.into_iter().flatten();
                scopes.any(|s| s["name"] == "accounts" && s["count"].as_u64() >= Some(held))
            })
            .await;
    }
    agent
        .until("records wait", |status| {
            let classes = status["spool"]["classes"].as_array();
            let mut classes = classes.into_iter().flatten();
            status["connection"]["state"] == "waiting"
                && classes.any(|class| {
                    class["class"] == "inventory" && class["pending"].as_u64() >= Some(3)
                })
        })
        .await;
    server.resume().await;
    server.until("all is there", |s| users(s) == 30).await;
    let state = server.state();
    assert_eq!(state.store.violations, Vec::<String>::new());
    // Every change came by itself: nothing was merged or left out on the way.
    assert!(state.store.scopes["accounts"].runs_count >= 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_window_of_a_few_bytes_only_slows_down() {
    let directory = tempfile::tempdir().unwrap();
    let server = ModelServer::start(directory.path()).await;
    server.state().window_bytes = 10;
    let token = server.token_file(1);
    let tree = Tree::new(directory.path().join("root"));
    tree.set_packages(5000, "1.0");
    let mut agent = Agent::new(directory.path(), tree.root(), "").with(&[
        "--server",
        &server.enroll.to_string(),
        "--token-file",
        token.to_str().unwrap(),
    ]);
    agent.start();
    server.until("all parts are there", |s| packages(s) == 5000).await;
    let state = server.state();
    assert_eq!(state.store.violations, Vec::<String>::new());
    assert_eq!(state.store.diverged, Vec::<String>::new());
}
