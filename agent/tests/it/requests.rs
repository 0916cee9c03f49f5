//! What the control plane asks of an agent: whole scopes, to go and come back, to stay away.

use crate::agent_process::Agent;
use crate::model_server::{ModelServer, State};
use crate::model_store::Stored;
use crate::tree::Tree;
use proto::v1;
use proto::v1::server_frame::Frame;
use std::time::Duration;

async fn running(directory: &std::path::Path) -> (ModelServer, Tree, Agent) {
    let server = ModelServer::start(directory).await;
    let token = server.token_file(1);
    let tree = Tree::new(directory.join("root"));
    let mut agent = Agent::new(directory, tree.root(), "").with(&[
        "--server",
        &server.enroll.to_string(),
        "--token-file",
        token.to_str().unwrap(),
    ]);
    agent.start();
    server.until("the first look is there", |state| runs(state, "accounts") >= 1).await;
    (server, tree, agent)
}

fn runs(state: &State, scope: &str) -> usize {
    state.store.scopes.get(scope).map_or(0, |scope| scope.runs_count)
}

fn fulls(state: &State, scope: &str) -> usize {
    state.store.scopes.get(scope).map_or(0, |scope| scope.full_count)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scope_that_is_asked_for_comes_whole_and_no_other_does() {
    let directory = tempfile::tempdir().unwrap();
    let (server, _tree, _agent) = running(directory.path()).await;
    server.until("packages are there", |state| fulls(state, "packages.dpkg") == 1).await;
    server.want_full("accounts");
    server.until("accounts come whole", |state| fulls(state, "accounts") == 2).await;
    assert_eq!(fulls(&server.state(), "packages.dpkg"), 1);
    server.want_full("no such scope");
    server.want_full("packages.dpkg");
    server.until("packages come whole", |state| fulls(state, "packages.dpkg") == 2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_control_plane_that_lost_everything_gets_every_scope_again() {
    let directory = tempfile::tempdir().unwrap();
    let (mut server, _tree, _agent) = running(directory.path()).await;
    server.until("packages are there", |state| fulls(state, "packages.dpkg") == 1).await;
    server.pause();
    {
        let store = &mut server.state().store;
        store.scopes.clear();
        store.entries.clear();
        store.committed.clear();
    }
    server.resume().await;
    server
        .until("all is there again", |state| {
            fulls(state, "packages.dpkg") == 1 && fulls(state, "accounts") == 1
        })
        .await;
    let state = server.state();
    assert_eq!(state.store.violations, Vec::<String>::new());
    let gaps = state.store.entries.values().filter(|stored| matches!(stored, Stored::Gap { .. }));
    assert_eq!(gaps.count(), 1, "one gap over what was acknowledged before");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drain_sends_the_agent_away_and_lets_it_come_back_when_told() {
    let directory = tempfile::tempdir().unwrap();
    let (server, tree, _agent) = running(directory.path()).await;
    server.say(Frame::Drain(v1::Drain { reconnect_min_millis: 200, reconnect_max_millis: 400 }));
    server.until("it is back", |state| state.hellos.len() == 2).await;
    {
        let state = server.state();
        let (first, second) = (&state.hellos[0], &state.hellos[1]);
        assert_eq!(first.instance, second.instance);
        assert_ne!(first.nonce, second.nonce);
        assert_eq!(second.nonce, vec![1; 16], "the nonce of the first Welcome");
    }
    tree.set_users(7);
    server.until("it goes on", |state| state.store.scopes["accounts"].held.len() == 14).await;
    assert_eq!(server.state().store.violations, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_agent_says_so_and_goes_on_looking() {
    let directory = tempfile::tempdir().unwrap();
    let (server, tree, agent) = running(directory.path()).await;
    server.state().is_revoked = true;
    let refusal =
        v1::Refusal { code: "AGENT_REVOKED".into(), detail: "this agent was revoked".into() };
    server.say(Frame::Refusal(refusal));
    agent
        .until("it knows", |status| {
            status["connection"]["state"] == "refused"
                && status["connection"]["last_error"]
                    .as_str()
                    .is_some_and(|e| e.contains("revoked"))
        })
        .await;
    tree.set_users(9);
    agent
        .until("it still looks", |status| {
            let scopes = status["scopes"].as_array();
            scopes.into_iter().flatten().any(|s| s["name"] == "accounts" && s["count"] == 18)
        })
        .await;
    // It asks again now and then, and is heard when it is let in again.
    server.state().is_revoked = false;
    server.until("it is back", |state| state.hellos.len() >= 2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outage_of_seconds_costs_no_report() {
    let directory = tempfile::tempdir().unwrap();
    let (mut server, _tree, _agent) = running(directory.path()).await;
    server.until("packages are there", |state| fulls(state, "packages.dpkg") == 1).await;
    server.pause();
    tokio::time::sleep(Duration::from_millis(300)).await;
    server.resume().await;
    server.until("it is back", |state| state.hellos.len() >= 2).await;
    server.until("it confirms", |s| s.store.scopes["packages.dpkg"].confirmed_count > 0).await;
    assert_eq!(runs(&server.state(), "packages.dpkg"), 1);
}
