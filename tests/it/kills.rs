//! Agent and control plane, both real, killed at random moments under load: what the spool accepted is stored once.
//!
//! The load is a tree of files whose packages change all the time. What is checked at the end: the control plane has
//! committed exactly what the spool has made durable; the history of a package's version is one unbroken chain in
//! which no step comes twice; and the graph holds what the tree holds.

use anyhow::{Context, Result};
use environment::{RandomnessExt, SeededRandomness, SystemRandomness};
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use system_tests::process::Process;
use system_tests::rig::{Binaries, ControlPlane, wait_for_web};
use system_tests::web::{Web, value};

/// How often something is killed; `DHARMA_KILLS` asks for another number.
const KILLS_DEFAULT: u64 = 200;

/// How many packages the tree has.
const PACKAGES: usize = 40;

/// The package whose history is checked.
const WITNESS: &str = "package7";

struct Tree(PathBuf);

impl Tree {
    fn new(root: PathBuf) -> Result<Self> {
        let tree = Self(root);
        tree.write("etc/os-release", "ID=debian\nPRETTY_NAME=\"Example 12\"\n")?;
        tree.write("etc/hostname", "host1.example.net\n")?;
        tree.set_version(0)?;
        Ok(tree)
    }

    fn write(&self, path: &str, text: &str) -> Result<()> {
        let path = self.0.join(path);
        std::fs::create_dir_all(path.parent().context("no parent")?)?;
        let fresh = path.with_extension("new");
        std::fs::write(&fresh, text)?;
        Ok(std::fs::rename(fresh, path)?)
    }

    fn set_version(&self, version: u64) -> Result<()> {
        let packages: String = (0..PACKAGES)
            .map(|number| {
                format!("Package: package{number}\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1.{version}\nDescription: x\n\n")
            })
            .collect();
        self.write("var/lib/dpkg/status", &packages)
    }
}

fn start_agent(
    binaries: &Binaries,
    folder: &Path,
    control_plane: &ControlPlane,
) -> Result<Process> {
    let (state, config) = (folder.join("agent"), folder.join("agent.toml"));
    let token = folder.join("token");
    let arguments = [
        "run",
        "--state",
        &state.to_string_lossy(),
        "--config",
        &config.to_string_lossy(),
        "--server",
        &control_plane.enroll,
        "--token-file",
        &token.to_string_lossy(),
    ];
    Process::start(&binaries.path("dharma-agent"), &arguments, &folder.join("agent.log"))
}

fn write_config(folder: &Path) -> Result<()> {
    let config = format!(
        "root = \"{}\"\n[uplink]\nstart_spread_seconds = 0\npause_max_seconds = 1\n[collectors.host.scopes.\"packages.dpkg\"]\ninterval_seconds = 1\n",
        folder.join("root").display()
    );
    Ok(std::fs::write(folder.join("agent.toml"), config)?)
}

/// Versions of the witness as its history tells them, oldest first, as (before, after).
async fn history(web: &Web) -> Result<Vec<(Option<String>, Option<String>)>> {
    let packages = web.items("package").await?;
    let witness = packages
        .iter()
        .find(|package| value(package, "name").and_then(Value::as_str) == Some(WITNESS))
        .context("the witness is missing")?;
    let id = witness.get("id").and_then(Value::as_str).context("no id")?;
    let mut steps = Vec::new();
    let mut token = String::new();
    loop {
        let answer = web
            .get(&format!("/api/v1/items/{id}/changes?page_size=500&page_token={token}"))
            .await?;
        let text = |change: &Value, field: &str| {
            change.get(field).and_then(Value::as_str).map(str::to_owned)
        };
        let changes = answer.get("changes").and_then(Value::as_array).cloned().unwrap_or_default();
        steps.extend(
            changes
                .iter()
                .filter(|change| text(change, "name").as_deref() == Some("version"))
                .map(|change| (text(change, "before"), text(change, "after"))),
        );
        answer
            .get("next_page_token")
            .and_then(Value::as_str)
            .unwrap_or_default()
            .clone_into(&mut token);
        if token.is_empty() {
            steps.reverse();
            return Ok(steps);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_accepted_is_stored_once_however_often_both_sides_are_killed() -> Result<()> {
    let seed = SystemRandomness.u64();
    eprintln!("seed {seed}");
    let randomness = SeededRandomness::new(seed);
    let kills = std::env::var("DHARMA_KILLS")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(KILLS_DEFAULT);
    let binaries = Binaries::find()?;
    let folder = tempfile::tempdir()?;
    let tree = Arc::new(Tree::new(folder.path().join("root"))?);
    write_config(folder.path())?;
    let mut control_plane = ControlPlane::start(&binaries, folder.path()).await?;
    let (uplink, enroll) = (control_plane.uplink.clone(), control_plane.enroll.clone());
    control_plane.join_token(1, &folder.path().join("token")).await?;
    let mut agent = start_agent(&binaries, folder.path(), &control_plane)?;
    wait_for_web("the first packages", || async {
        Ok((control_plane.web.items("package").await?.len() == PACKAGES).then_some(()))
    })
    .await?;

    let is_over = Arc::new(AtomicBool::new(false));
    let load = tokio::spawn(change(Arc::clone(&tree), Arc::clone(&is_over)));
    for _ in 0..kills {
        tokio::time::sleep(
            randomness.duration(Duration::from_millis(10), Duration::from_millis(600)),
        )
        .await;
        if randomness.chance(1, 3) {
            control_plane.process.kill();
            control_plane =
                ControlPlane::start_on(&binaries, folder.path(), &uplink, &enroll).await?;
        } else {
            agent.kill();
            agent = start_agent(&binaries, folder.path(), &control_plane)?;
        }
    }
    is_over.store(true, Ordering::Relaxed);
    let last = load.await??;
    settle(&control_plane.web, &binaries, folder.path(), last).await?;
    check_history(&control_plane.web, last).await
}

/// Changes the tree faster than it is looked at; gives the last version.
async fn change(tree: Arc<Tree>, is_over: Arc<AtomicBool>) -> Result<u64> {
    let mut version = 0;
    while !is_over.load(Ordering::Relaxed) {
        version += 1;
        tree.set_version(version)?;
        tokio::time::sleep(Duration::from_millis(150)).await;
    }
    Ok(version)
}

/// Waits until the graph holds what the tree holds and nothing waits in the spool.
async fn settle(web: &Web, binaries: &Binaries, folder: &Path, last: u64) -> Result<()> {
    wait_for_web("the last version of every package", || async {
        let packages = web.items("package").await?;
        let wanted = format!("1.{last}");
        let current = packages
            .iter()
            .filter(|package| value(package, "version").and_then(Value::as_str) == Some(&wanted));
        Ok((packages.len() == PACKAGES && current.count() == PACKAGES).then_some(()))
    })
    .await?;
    let state = folder.join("agent");
    wait_for_web("an empty spool", || async {
        let program = binaries.path("dharma-agent");
        let status = system_tests::process::cost_of(
            &program.to_string_lossy(),
            &["status", "--json", "--state", &state.to_string_lossy()],
        )?;
        let status: Value = serde_json::from_slice(&status.output).unwrap_or(Value::Null);
        let classes =
            status.pointer("/spool/classes").and_then(Value::as_array).cloned().unwrap_or_default();
        let is_empty = classes.iter().any(|class| {
            class.get("class").and_then(Value::as_str) == Some("inventory")
                && class.get("pending").and_then(Value::as_u64) == Some(0)
                && class.get("dropped").and_then(Value::as_u64) == Some(0)
        });
        Ok(is_empty.then_some(()))
    })
    .await
}

async fn check_history(web: &Web, last: u64) -> Result<()> {
    let steps = history(web).await?;
    anyhow::ensure!(
        steps.len() > 10,
        "the load was too small to show anything: {} steps",
        steps.len()
    );
    let mut seen = BTreeSet::new();
    for pair in steps.windows(2) {
        if let [(_, after), (before, _)] = pair {
            assert_eq!(after, before, "the history has a hole or a step twice: {pair:?}");
        }
    }
    for (_, after) in &steps {
        assert!(seen.insert(after.clone()), "the version {after:?} came twice");
    }
    assert_eq!(steps.last().and_then(|(_, after)| after.clone()), Some(format!("1.{last}")));
    Ok(())
}
