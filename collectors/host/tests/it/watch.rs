//! A change of the running host is reported within seconds.

use collector_host::watch;
use std::process::Command;
use std::time::Duration;
use tokio::sync::mpsc;

/// Told to the test when it runs in namespaces of its own, where it may change addresses and mounts.
const INSIDE: &str = "DHARMA_TEST_IN_NAMESPACES";

/// A changed interface has to be in the graph within five seconds; this is what the watch may take of it.
const NOTICED_WITHIN: Duration = Duration::from_secs(3);

/// Whether this process runs in namespaces of its own.
pub(crate) fn is_inside() -> bool {
    std::env::var_os(INSIDE).is_some()
}

/// Runs a test of this binary in new user, network and mount namespaces, as root of them.
pub(crate) fn run_inside(name: &str) {
    let status = Command::new("unshare")
        .args(["--map-root-user", "--net", "--mount"])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", name, "--nocapture"])
        .env(INSIDE, "1")
        .status()
        .unwrap_or_else(|error| panic!("unshare: {error}; apt-get install util-linux"));
    assert!(status.success(), "{name} failed in namespaces of its own: {status}");
}

fn run(program: &str, arguments: &[&str]) {
    let path = format!("{}:/usr/sbin:/sbin", std::env::var("PATH").unwrap_or_default());
    let status = Command::new(program).args(arguments).env("PATH", path).status().unwrap();
    assert!(status.success(), "{program} {arguments:?}");
}

/// Waits until `scope` is reported.
async fn reported(changes: &mut mpsc::Receiver<&'static str>, scope: &str) -> bool {
    tokio::time::timeout(NOTICED_WITHIN, async {
        while let Some(changed) = changes.recv().await {
            if changed == scope {
                return true;
            }
        }
        false
    })
    .await
    .unwrap_or(false)
}

/// Changes something and expects the watch to report it.
async fn a_change_is_reported(scope: &str, change: impl FnOnce()) {
    let (tx, mut changes) = mpsc::channel(16);
    let watching = tokio::spawn(watch(crate::this_host(), tx));
    // On the one thread of this runtime the watch now runs up to its first wait: from there on it sees changes.
    tokio::task::yield_now().await;
    change();
    assert!(reported(&mut changes, scope).await, "a change of `{scope}` was not reported");
    watching.abort();
}

#[tokio::test]
async fn a_changed_address_is_reported() {
    if !is_inside() {
        return run_inside("watch::a_changed_address_is_reported");
    }
    a_change_is_reported("network", || run("ip", &["addr", "add", "192.0.2.77/32", "dev", "lo"]))
        .await;
}

#[tokio::test]
async fn a_mounted_file_system_is_reported() {
    if !is_inside() {
        return run_inside("watch::a_mounted_file_system_is_reported");
    }
    let directory = tempfile::tempdir().unwrap();
    let point = directory.path().to_str().unwrap().to_owned();
    a_change_is_reported("storage", || run("mount", &["-t", "tmpfs", "tmpfs", &point])).await;
    run("umount", &[&point]);
}

#[tokio::test]
async fn a_changed_account_and_a_changed_unit_are_reported() {
    if !is_inside() {
        return run_inside("watch::a_changed_account_and_a_changed_unit_are_reported");
    }
    // An empty /etc of this process's own, so that the host's stays as it is.
    run("mount", &["-t", "tmpfs", "tmpfs", "/etc"]);
    std::fs::create_dir_all("/etc/systemd/system").unwrap();
    a_change_is_reported("accounts", || {
        std::fs::write("/etc/passwd.new", "root:x:0:0::/root:/bin/sh\n").unwrap();
        std::fs::rename("/etc/passwd.new", "/etc/passwd").unwrap();
    })
    .await;
    a_change_is_reported("units", || {
        std::fs::write("/etc/systemd/system/example.service", "[Service]\n").unwrap();
    })
    .await;
}
