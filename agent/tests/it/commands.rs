//! Commands that a person types.

use crate::agent_process::Agent;
use crate::model_server::ModelServer;
use crate::tree::Tree;
use serde_json::Value;

fn agent(directory: &std::path::Path) -> (Tree, Agent) {
    let tree = Tree::new(directory.join("root"));
    let agent = Agent::new(directory, tree.root(), "");
    (tree, agent)
}

#[test]
fn wrong_usage_ends_with_2_and_a_failure_with_1() {
    let directory = tempfile::tempdir().unwrap();
    let (_tree, agent) = agent(directory.path());
    assert_eq!(agent.run(&["no-such-command"]).status.code(), Some(2));
    assert_eq!(agent.run(&["collect", "host.no_such_scope"]).status.code(), Some(1));
    let status = agent.run(&["status"]);
    assert_eq!(status.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&status.stderr).contains("dharma-agent run"));
    assert_eq!(agent.run(&["inspect", "identity"]).status.code(), Some(1));
    assert_eq!(agent.run(&["run"]).status.code(), Some(1));
}

#[test]
fn collect_prints_what_is_seen_and_keeps_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let (tree, agent) = agent(directory.path());
    let root = tree.root().to_str().unwrap();
    let output = agent.run(&["collect", "host.accounts", "--json", "--root", root]);
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(lines.iter().any(|line| line["facts"]["name"] == "user1"), "{text}");
    assert_eq!(lines.last().unwrap()["scope"], "accounts");
    assert!(lines.last().unwrap()["coverage"].is_object());
    assert!(!agent.state().exists());
}

#[test]
fn a_misspelled_configuration_is_named_with_a_suggestion() {
    let directory = tempfile::tempdir().unwrap();
    let tree = Tree::new(directory.path().join("root"));
    let agent = Agent::new(directory.path(), tree.root(), "[limits]\nnise = 3\n");
    let output = agent.run(&["inspect", "config"]);
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("did you mean `nice`"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn doctor_names_what_is_wrong_and_what_mends_it() {
    let directory = tempfile::tempdir().unwrap();
    let mut server = ModelServer::start(directory.path()).await;
    let token = server.token_file(1);
    let (_tree, agent) = agent(directory.path());
    let lines = |output: std::process::Output| -> Vec<Value> {
        serde_json::from_slice(&output.stdout).unwrap()
    };
    let before = agent.run(&["doctor", "--json"]);
    assert_eq!(before.status.code(), Some(1));
    let before = lines(before);
    let identity = before.iter().find(|line| line["check"] == "identity").unwrap();
    assert_eq!(identity["verdict"], "fail");
    assert!(identity["remedy"].as_str().unwrap().contains("enroll"));
    let arguments =
        ["enroll", "--server", &server.enroll.to_string(), "--token-file", token.to_str().unwrap()];
    assert!(agent.run(&arguments).status.success());
    let well = agent.run(&["doctor", "--json"]);
    assert_eq!(well.status.code(), Some(0), "{}", String::from_utf8_lossy(&well.stdout));
    let well = lines(well);
    assert!(well.iter().any(|line| line["check"] == "recognition" && line["verdict"] == "ok"));
    server.pause();
    let away = lines(agent.run(&["doctor", "--json"]));
    let port = away.iter().find(|line| line["check"] == "port").unwrap();
    assert_eq!(port["verdict"], "fail");
    assert!(port["remedy"].as_str().unwrap().contains("firewall"));
}

#[tokio::test(flavor = "multi_thread")]
async fn two_agents_do_not_share_a_state_directory() {
    let directory = tempfile::tempdir().unwrap();
    let server = ModelServer::start(directory.path()).await;
    let token = server.token_file(1);
    let (_tree, agent) = agent(directory.path());
    let mut agent = agent.with(&[
        "--server",
        &server.enroll.to_string(),
        "--token-file",
        token.to_str().unwrap(),
    ]);
    agent.start();
    agent.until("it is connected", |status| status["connection"]["state"] == "connected").await;
    let second = agent.run(&["run"]);
    assert_eq!(second.status.code(), Some(1));
    let said = String::from_utf8_lossy(&second.stderr).into_owned();
    assert!(said.contains("another process"), "{said}");
    agent.until("the first is untouched", |s| s["connection"]["state"] == "connected").await;
    assert!(agent.run(&["spool", "fsck"]).status.success());
    let is_reported = |_: &Value| {
        let runs = agent.run(&["inspect", "runs", "--json"]);
        let runs: Vec<Value> = serde_json::from_slice(&runs.stdout).unwrap();
        runs.iter().any(|run| run["scope"] == "host.accounts" && run["reported"].is_object())
    };
    agent.until("the first goes on reporting", is_reported).await;
}
