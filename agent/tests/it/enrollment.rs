//! Becoming and staying known.

use crate::agent_process::Agent;
use crate::model_server::ModelServer;
use crate::tree::Tree;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

#[tokio::test(flavor = "multi_thread")]
async fn another_control_plane_gets_no_token() {
    let directory = tempfile::tempdir().unwrap();
    let (one, other) = (directory.path().join("one"), directory.path().join("other"));
    std::fs::create_dir_all(&one).unwrap();
    std::fs::create_dir_all(&other).unwrap();
    let right = ModelServer::start(&one).await;
    let wrong = ModelServer::start(&other).await;
    let token = right.token_file(1);
    let tree = Tree::new(directory.path().join("root"));
    let agent = Agent::new(directory.path(), tree.root(), "");
    let server = wrong.enroll.to_string();
    let output =
        agent.run(&["enroll", "--server", &server, "--token-file", token.to_str().unwrap()]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("token was not sent"), "{said}");
    assert_eq!(wrong.state().tokens_seen, 0);
    assert!(token.exists(), "an unused token is kept");
    assert!(!agent.state().join("identity/agent.json").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_is_used_up_ends_the_agent_with_a_sentence() {
    let directory = tempfile::tempdir().unwrap();
    let server = ModelServer::start(directory.path()).await;
    let token = server.token_file(0);
    let tree = Tree::new(directory.path().join("root"));
    let mut agent = Agent::new(directory.path(), tree.root(), "").with(&[
        "--server",
        &server.enroll.to_string(),
        "--token-file",
        token.to_str().unwrap(),
    ]);
    agent.start();
    assert_eq!(agent.ended().await, Some(1));
    let (log, text) = (agent.log(), std::fs::read_to_string(&token).unwrap());
    assert!(log.contains("the join token is used up; make a new one"), "{log}");
    assert!(!log.contains(text.trim()), "the token is in the log");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_enrolls_deletes_its_token_and_keeps_its_identity_private() {
    let directory = tempfile::tempdir().unwrap();
    let server = ModelServer::start(directory.path()).await;
    let token = server.token_file(1);
    let tree = Tree::new(directory.path().join("root"));
    let agent = Agent::new(directory.path(), tree.root(), "");
    let arguments =
        ["enroll", "--server", &server.enroll.to_string(), "--token-file", token.to_str().unwrap()];
    let output = agent.run(&arguments);
    assert!(output.status.success(), "{output:?}");
    let id = server.state().enrolled[0].to_string();
    assert!(String::from_utf8_lossy(&output.stdout).contains(&id));
    assert!(!token.exists());
    let identity = agent.state().join("identity");
    let mode = |path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(identity.clone()), 0o700);
    for file in ["key.pem", "chain.pem", "roots.pem", "agent.json"] {
        assert_eq!(mode(identity.join(file)), 0o600, "{file}");
    }
    let again = agent.run(&arguments);
    assert_eq!(again.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&again.stderr).contains("enrolled already"));
    let shown = agent.run(&["inspect", "identity", "--json"]);
    let shown: serde_json::Value = serde_json::from_slice(&shown.stdout).unwrap();
    assert_eq!(shown["enrolled"]["agent_id"], id);
    assert_eq!(shown["enrolled"]["labels"]["role"], "db");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expired_certificate_is_renewed_before_anything_else_is_said() {
    let directory = tempfile::tempdir().unwrap();
    let server = ModelServer::start(directory.path()).await;
    server.state().certificate_life = Duration::from_secs(1);
    let token = server.token_file(1);
    let tree = Tree::new(directory.path().join("root"));
    let mut agent = Agent::new(directory.path(), tree.root(), "");
    let arguments =
        ["enroll", "--server", &server.enroll.to_string(), "--token-file", token.to_str().unwrap()];
    assert!(agent.run(&arguments).status.success());
    loop {
        let shown = agent.run(&["inspect", "identity", "--json"]);
        let shown: serde_json::Value = serde_json::from_slice(&shown.stdout).unwrap();
        if shown["is_expired"] == true {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    agent.start();
    server.until("the certificate is renewed", |state| state.renewals == 1).await;
    server.until("a session is open", |state| state.hellos.len() == 1).await;
    agent.until("it is connected", |status| status["connection"]["state"] == "connected").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_waits_for_a_control_plane_that_is_not_there_yet() {
    let directory = tempfile::tempdir().unwrap();
    let mut server = ModelServer::start(directory.path()).await;
    let token = server.token_file(1);
    server.pause();
    let tree = Tree::new(directory.path().join("root"));
    let mut agent = Agent::new(directory.path(), tree.root(), "").with(&[
        "--server",
        &server.enroll.to_string(),
        "--token-file",
        token.to_str().unwrap(),
    ]);
    agent.start();
    while !agent.log().contains("not enrolled yet") {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    server.resume().await;
    server.until("it is enrolled", |state| state.enrolled.len() == 1).await;
    server.until("a session is open", |state| state.hellos.len() == 1).await;
}
