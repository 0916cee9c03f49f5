//! Targets with real processes: one control plane, two agents, and listeners that see who reads them.

use anyhow::{Context, Result, bail, ensure};
use http::Method;
use serde_json::{Value, json};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use system_tests::process::Process;
use system_tests::rig::{Binaries, ControlPlane, wait_for, wait_for_web};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;

/// The agent of these tests.
const AGENT: &str = env!("CARGO_BIN_EXE_agent-with-banner");
const PASSWORD: &str = "the-word-that-must-not-be-found";
/// A lease, its margin, the next round of planning, and a machine that builds at the same time.
const MOVE_MOST: Duration = Duration::from_secs(25);

/// What a listener has seen.
#[derive(Debug, Default)]
struct Seen {
    /// Processes that are connected.
    readers: Vec<u32>,
    /// Whether two processes ever were at the same time.
    was_doubled: bool,
    refused: usize,
}

fn locked(seen: &Mutex<Seen>) -> MutexGuard<'_, Seen> {
    seen.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A listener at an address of the loopback network, the last number of which is its own.
struct Device {
    seen: Arc<Mutex<Seen>>,
    serving: tokio::task::JoinHandle<()>,
}

impl Drop for Device {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn answer(stream: TcpStream, name: String, seen: Arc<Mutex<Seen>>) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    let (mut process, mut password) = (String::new(), String::new());
    (&mut stream).take(64).read_line(&mut process).await?;
    (&mut stream).take(256).read_line(&mut password).await?;
    let process = process.trim().parse::<u32>().unwrap_or(0);
    if password.trim() != PASSWORD {
        locked(&seen).refused += 1;
        return stream.write_all(b"no\n").await;
    }
    {
        let mut seen = locked(&seen);
        let is_other = seen.readers.iter().any(|reader| *reader != process);
        seen.was_doubled |= is_other;
        seen.readers.push(process);
    }
    stream.write_all(format!("ok {name}\n").as_bytes()).await?;
    // Until the reader goes away.
    let ended = stream.read_to_end(&mut Vec::new()).await;
    let readers = &mut locked(&seen).readers;
    if let Some(place) = readers.iter().position(|reader| *reader == process) {
        readers.swap_remove(place);
    }
    ended.map(drop)
}

impl Device {
    async fn start(number: usize, port: u16) -> Result<(Self, u16)> {
        let listener = TcpListener::bind((format!("127.0.0.{}", 10 + number), port)).await?;
        let port = listener.local_addr()?.port();
        let seen: Arc<Mutex<Seen>> = Arc::default();
        let shared = Arc::clone(&seen);
        let serving = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let name = format!("switch{number}.example.net");
                tokio::spawn(answer(stream, name, Arc::clone(&shared)));
            }
        });
        Ok((Self { seen, serving }, port))
    }

    /// Listeners on the same port of as many addresses.
    async fn several(count: usize) -> Result<(Vec<Self>, u16)> {
        /// A port that is free at one address may be taken at another.
        const ATTEMPTS: usize = 20;
        for _ in 0..ATTEMPTS {
            let (first, port) = Self::start(0, 0).await?;
            let mut all = vec![first];
            while all.len() < count {
                match Self::start(all.len(), port).await {
                    Ok((device, _)) => all.push(device),
                    Err(_) => break,
                }
            }
            if all.len() == count {
                return Ok((all, port));
            }
        }
        bail!("there is no port that is free at {count} addresses")
    }

    fn reader(&self) -> Option<u32> {
        locked(&self.seen).readers.first().copied()
    }
}

fn start_agent(folder: &Path, control_plane: &ControlPlane, token: &Path) -> Result<Process> {
    let state = folder.join("state");
    std::fs::create_dir_all(folder)?;
    let root = folder.join("root");
    std::fs::create_dir_all(&root)?;
    let config = folder.join("agent.toml");
    let text = format!(
        "root = \"{}\"\n[uplink]\nstart_spread_seconds = 0\npause_max_seconds = 1\n",
        root.display()
    );
    std::fs::write(&config, text)?;
    let paths = [state, config, token.to_owned()].map(|path| path.to_string_lossy().into_owned());
    let [state, config, token] = &paths;
    let arguments = [
        "run",
        "--state",
        state,
        "--config",
        config,
        "--server",
        &control_plane.enroll,
        "--token-file",
        token,
    ];
    Process::start(Path::new(AGENT), &arguments, &folder.join("agent.log"))
}

async fn put(control_plane: &ControlPlane, path: &str, body: Value) -> Result<()> {
    let (status, answer) = control_plane.web.send(Method::PUT, path, Some(body)).await?;
    ensure!(status.is_success(), "{status}: {answer}");
    Ok(())
}

/// No file below the folder holds the text.
fn nowhere(folder: &Path, text: &str) -> Result<()> {
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder)? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            // A file may go while it is looked at; a socket cannot be read.
            let Ok(bytes) = std::fs::read(&path) else { continue };
            let is_there = bytes.windows(text.len()).any(|part| part == text.as_bytes());
            ensure!(!is_there, "the password stands in {}", path.display());
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn every_target_is_read_by_one_agent_and_by_the_other_when_that_one_is_killed() -> Result<()>
{
    let binaries = Binaries::find()?;
    let folder = tempfile::tempdir()?;
    let mut control_plane = ControlPlane::start(&binaries, folder.path()).await?;
    let (devices, port) = Device::several(6).await?;
    let mut agents = Vec::new();
    for name in ["one", "two"] {
        let token = folder.path().join(format!("token-{name}"));
        control_plane.join_token(1, &token).await?;
        agents.push(start_agent(&folder.path().join(name), &control_plane, &token)?);
    }
    let credential = json!({"kind": "banner_password", "secrets": {"password": PASSWORD}});
    put(&control_plane, "/api/v1/credentials/lab", credential).await?;
    let set = json!({"collector": "banner", "addresses": ["127.0.0.10-15"], "port": port, "credentials": ["lab"]});
    put(&control_plane, "/api/v1/targets/lab", set).await?;
    let all_read = || Ok(devices.iter().all(|device| device.reader().is_some()).then_some(()));
    wait_for("every target to be read", all_read).await?;
    wait_for_web("every target in the graph", || async {
        let items = control_plane.web.items("host").await?;
        let names = items.iter().filter_map(|item| item.get("title")?.as_str());
        Ok((names.filter(|name| name.starts_with("switch")).count() == 6).then_some(()))
    })
    .await?;
    // Gone without a word.
    let victim = devices.first().and_then(Device::reader).context("nobody reads")?;
    let began = Instant::now();
    let agent = agents.iter_mut().find(|agent| agent.pid() == victim).context("an agent")?;
    agent.kill();
    wait_for("the other agent to read all", || {
        let is_so = |device: &Device| device.reader().is_some_and(|reader| reader != victim);
        Ok(devices.iter().all(is_so).then_some(()))
    })
    .await?;
    let spent = began.elapsed();
    ensure!(spent < MOVE_MOST, "it took {spent:?}");
    // Nobody who cannot hear the control plane goes on reading.
    let began = Instant::now();
    control_plane.process.kill();
    wait_for("the readers to stop", || {
        Ok(devices.iter().all(|device| device.reader().is_none()).then_some(()))
    })
    .await?;
    ensure!(began.elapsed() < MOVE_MOST, "it took {:?}", began.elapsed());
    for device in &devices {
        let seen = locked(&device.seen);
        ensure!(!seen.was_doubled, "two read one target at once");
    }
    nowhere(folder.path(), PASSWORD)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_is_refused_few_times_and_a_mended_one_is_used_without_a_restart()
-> Result<()> {
    let binaries = Binaries::find()?;
    let folder = tempfile::tempdir()?;
    let control_plane = ControlPlane::start(&binaries, folder.path()).await?;
    let (devices, port) = Device::several(8).await?;
    let token = folder.path().join("token");
    control_plane.join_token(1, &token).await?;
    let _agent = start_agent(&folder.path().join("one"), &control_plane, &token)?;
    let credential =
        |password: &str| json!({"kind": "banner_password", "secrets": {"password": password}});
    put(&control_plane, "/api/v1/credentials/lab", credential("wrong-word")).await?;
    let set = json!({"collector": "banner", "addresses": ["127.0.0.10-17"], "port": port, "credentials": ["lab"]});
    put(&control_plane, "/api/v1/targets/lab", set).await?;
    let states = || async {
        let answer = control_plane.web.get("/api/v1/targets/lab/states").await?;
        let states = answer.get("states").and_then(Value::as_array).cloned().unwrap_or_default();
        let words =
            states.iter().filter_map(|state| state.get("state")?.as_str().map(str::to_owned));
        Ok::<Vec<String>, anyhow::Error>(words.collect())
    };
    wait_for_web("the guard to hold targets back", || async {
        let is_held = states().await?.iter().any(|state| state == "paused");
        Ok(is_held.then_some(()))
    })
    .await?;
    let refused: usize = devices.iter().map(|device| locked(&device.seen).refused).sum();
    ensure!((1..=4).contains(&refused), "{refused} attempts with a wrong password");
    put(&control_plane, "/api/v1/credentials/lab", credential(PASSWORD)).await?;
    wait_for("every target to be read", || {
        Ok(devices.iter().all(|device| device.reader().is_some()).then_some(()))
    })
    .await?;
    nowhere(folder.path(), PASSWORD)
}
