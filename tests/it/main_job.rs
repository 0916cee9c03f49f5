//! The main job: start a control plane and an agent, and see this very machine in the graph within a minute.

use anyhow::{Context, Result};
use serde_json::Value;
use std::net::TcpListener;
use system_tests::rig::{Binaries, ControlPlane, start_agent, wait_for, wait_for_web};
use system_tests::web::{Web, value};

/// The one host in the graph, once it has been described.
async fn host(web: &Web) -> Result<Option<Value>> {
    let hosts = web.items("host").await?;
    anyhow::ensure!(hosts.len() < 2, "one machine became {} hosts", hosts.len());
    Ok(hosts.into_iter().find(|host| value(host, "kernel_release").is_some()))
}

async fn appears(web: &Web, class: &str, attribute: &str, wanted: &str) -> Result<Value> {
    wait_for_web(&format!("a {class} with {attribute} {wanted}"), || async {
        let found = web.items(class).await?;
        Ok(found
            .into_iter()
            .find(|item| value(item, attribute).and_then(Value::as_str) == Some(wanted)))
    })
    .await
}

async fn count(web: &Web, class: &str) -> Result<usize> {
    Ok(web.items(class).await?.len())
}

#[tokio::test]
async fn this_machine_appears_with_its_packages_processes_and_listeners_and_survives_a_restart()
-> Result<()> {
    let binaries = Binaries::find()?;
    let folder = tempfile::tempdir()?;
    let mut control_plane = ControlPlane::start(&binaries, folder.path()).await?;
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let port = listener.local_addr()?.port().to_string();
    let mut agent = start_agent(&binaries, &control_plane, folder.path()).await?;

    let seen = wait_for_web("the host", || host(&control_plane.web)).await?;
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease")?;
    assert_eq!(value(&seen, "kernel_release").and_then(Value::as_str), Some(kernel.trim()));
    appears(&control_plane.web, "package", "name", "libc6").await?;
    appears(&control_plane.web, "listening_endpoint", "port", &port).await?;
    assert!(count(&control_plane.web, "process").await? > 0);
    assert!(count(&control_plane.web, "filesystem").await? > 0);
    assert!(count(&control_plane.web, "user_account").await? > 0);
    assert!(!folder.path().join("token").exists(), "the token file outlives its use");
    agent.check()?;

    let id = seen["id"].as_str().context("the host has no id")?.to_owned();
    let packages = count(&control_plane.web, "package").await?;
    agent.stop().await?;
    control_plane.process.stop().await?;
    let control_plane = ControlPlane::start(&binaries, folder.path()).await?;
    let again = wait_for_web("the host after the restart", || host(&control_plane.web)).await?;
    assert_eq!(again["id"].as_str(), Some(id.as_str()));
    assert_eq!(count(&control_plane.web, "package").await?, packages);
    Ok(())
}

#[tokio::test]
async fn a_client_process_depends_on_the_process_that_serves_its_connection() -> Result<()> {
    let binaries = Binaries::find()?;
    let folder = tempfile::tempdir()?;
    let control_plane = ControlPlane::start(&binaries, folder.path()).await?;
    // This test serves, a shell of its own connects: two different programs with one open connection.
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let port = listener.local_addr()?.port();
    let mut client = std::process::Command::new("bash")
        .args(["-c", &format!("exec 3<>/dev/tcp/127.0.0.1/{port}; read -r line <&3")])
        .spawn()?;
    let (connection, _) = listener.accept()?;
    let _agent = start_agent(&binaries, &control_plane, folder.path()).await?;
    let web = &control_plane.web;

    let endpoint = appears(web, "listening_endpoint", "port", &port.to_string()).await?;
    let endpoint_id = endpoint["id"].as_str().context("no id")?.to_owned();
    let related = wait_for_web("who is connected to the endpoint", || async {
        let relations =
            web.get(&format!("/api/v1/items/{endpoint_id}/relations?page_size=500")).await?;
        let relations = relations["relations"].as_array().cloned().unwrap_or_default();
        let find = |verb: &str| relations.iter().find(|relation| relation["verb"] == verb).cloned();
        Ok(find("connects_to")
            .or_else(|| find("connected_from"))
            .zip(find("listens_on").or_else(|| find("served_by"))))
    })
    .await?;
    let id_of = |relation: &Value| relation["item_id"].as_str().unwrap_or_default().to_owned();
    let (client_id, server_id) = (id_of(&related.0), id_of(&related.1));
    let depends = web
        .get(&format!("/api/v1/items/{client_id}/relations?page_size=500&verb=depends_on"))
        .await?;
    assert!(
        depends["relations"]
            .as_array()
            .is_some_and(|all| all.iter().any(|relation| id_of(relation) == server_id)),
        "the client process does not depend on the server process: {depends}"
    );
    drop(connection);
    client.kill()?;
    client.wait()?;
    Ok(())
}

#[tokio::test]
async fn a_listener_that_closes_leaves_the_graph_and_its_history_stays() -> Result<()> {
    let binaries = Binaries::find()?;
    let folder = tempfile::tempdir()?;
    let control_plane = ControlPlane::start(&binaries, folder.path()).await?;
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let port = listener.local_addr()?.port().to_string();
    let _agent = start_agent(&binaries, &control_plane, folder.path()).await?;
    let web = &control_plane.web;
    let endpoint = appears(web, "listening_endpoint", "port", &port).await?;
    drop(listener);
    wait_for_web("the listener to go", || async {
        let left = web.items("listening_endpoint").await?;
        Ok(left
            .iter()
            .all(|item| value(item, "port").and_then(Value::as_str) != Some(port.as_str()))
            .then_some(()))
    })
    .await?;
    let id = endpoint["id"].as_str().context("no id")?;
    let changes = web.get(&format!("/api/v1/items/{id}/changes?page_size=100")).await?;
    let kinds: Vec<&str> = changes["changes"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|change| change["kind"].as_str())
        .collect();
    assert!(kinds.contains(&"created") && kinds.contains(&"state_changed"), "{kinds:?}");
    Ok(())
}

#[tokio::test]
async fn a_revoked_agent_is_cut_off_at_once_and_what_it_said_stays() -> Result<()> {
    let binaries = Binaries::find()?;
    let folder = tempfile::tempdir()?;
    let control_plane = ControlPlane::start(&binaries, folder.path()).await?;
    let mut process = start_agent(&binaries, &control_plane, folder.path()).await?;
    let web = &control_plane.web;
    wait_for_web("the host", || host(web)).await?;
    let agents = web.get("/api/v1/agents").await?;
    let id = agents["agents"][0]["id"].as_str().context("no agent")?.to_owned();
    let (status, _) = web.send(http::Method::DELETE, &format!("/api/v1/agents/{id}"), None).await?;
    assert!(status.is_success(), "{status}");
    let agent = web.get(&format!("/api/v1/agents/{id}")).await?;
    assert_eq!(agent["state"], "revoked");
    assert!(host(web).await?.is_some());
    // The agent itself is told, on the stream that is cut, and goes on running to say so to its owner.
    wait_for("the agent to hear that it is revoked", || {
        process.check()?;
        Ok(process.output().contains("AGENT_REVOKED").then_some(()))
    })
    .await?;
    Ok(())
}
