//! What services say of themselves, the progress, and cancelling.

use super::{fact, server, sweep, target};
use collector::{Collector, Run};
use collector_sweep::{SCOPE, SweepCollector};
use std::io::{Read, Write};
use std::sync::Mutex;
use std::time::Duration;

#[tokio::test(flavor = "current_thread")]
async fn a_web_server_is_asked_and_named() {
    let port = server(|mut stream| {
        let mut question = [0; 64];
        let length = stream.read(&mut question).unwrap_or_default();
        if question[..length].starts_with(b"GET ") {
            drop(stream.write_all(b"HTTP/1.1 200 OK\r\nServer: nginx/1.22.1\r\n\r\n"));
        }
    });
    let look = sweep(&[port], &[]).await;
    assert_eq!(fact(&look, port, "service").as_deref(), Some("http"));
    assert_eq!(
        fact(&look, port, "cpe").as_deref(),
        Some("cpe:2.3:a:f5:nginx:1.22.1:*:*:*:*:*:*:*")
    );
    let look = sweep(&[port], &[("profile", "top_ports")]).await;
    assert_eq!(fact(&look, port, "service"), None, "only its port was asked for");
}

#[tokio::test(flavor = "current_thread")]
async fn the_host_of_an_open_port_is_told_with_its_address_as_evidence() {
    let port = server(drop);
    let look = sweep(&[port], &[]).await;
    let host = look.observations.iter().find(|seen| seen.class == "discovered_host").unwrap();
    assert_eq!(host.native_key, "address/127.0.0.1");
    // Loopback means the host that looked, never the site's.
    assert!(host.keys.iter().all(|key| key.realm.is_host() || key.realm.is_everywhere()));
    assert!(host.facts["open_ports"].to_line().contains(&format!("tcp/{port}")));
    assert!(host.readings.contains_key("answer_seconds"));
}

#[tokio::test(flavor = "current_thread")]
async fn an_unknown_scope_and_a_target_without_addresses_are_refused() {
    let own = collector::Target::own_host("agent", "berlin");
    let error = collector::testing::look(&SweepCollector, &own, SCOPE).await.unwrap_err();
    assert!(error.to_string().contains("192.0.2.0/24"), "{error}");
    let target = target("127.0.0.1", &[]);
    let error = collector::testing::look(&SweepCollector, &target, "packages").await.unwrap_err();
    assert!(error.to_string().contains("hosts"), "{error}");
}

#[tokio::test(flavor = "current_thread")]
async fn the_progress_is_told_while_it_runs() {
    let ports: Vec<String> = (0..3).map(|_| server(drop).to_string()).collect();
    let told = Mutex::new(Vec::new());
    let watcher = |progress: collector::Progress| told.lock().unwrap().push(progress);
    let mut seen = Vec::new();
    let mut run = Run::new(&mut seen).watched_by(&watcher);
    let target = target("127.0.0.0/30", &[("ports", &ports.join(","))]);
    SweepCollector.collect(&target, SCOPE, &mut run).await.unwrap();
    let told = told.lock().unwrap();
    assert!(told.iter().any(|one| one.at.contains("127.0.0.0") && one.total == Some(4)));
    assert!(told.iter().any(|one| one.at == "addresses" && one.done == 4));
    assert!(told.iter().any(|one| one.at == "services" && Some(one.done) == one.total));
}

#[tokio::test(flavor = "current_thread")]
async fn a_run_that_is_dropped_ends_its_threads() {
    // Threads of this process that bear the name of those that ask.
    let threads = || {
        let tasks = std::fs::read_dir("/proc/self/task").unwrap().flatten();
        let names = tasks.filter_map(|task| std::fs::read_to_string(task.path().join("comm")).ok());
        names.filter(|name| name.trim() == "sweep").count()
    };
    let before = threads();
    // All ports of a whole network: minutes.
    let target = target("127.60.0.0/20", &[("ports", "1-65535"), ("rate", "200")]);
    let mut seen = Vec::new();
    let mut run = Run::new(&mut seen);
    let sweep = SweepCollector.collect(&target, SCOPE, &mut run);
    let end = tokio::time::timeout(Duration::from_millis(500), sweep).await;
    assert!(end.is_err(), "it was not cancelled");
    assert!(threads() <= before, "threads are left");
}
