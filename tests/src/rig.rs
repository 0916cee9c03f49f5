//! The rig: the real control plane and the real agent, as a user starts them, on free ports with their own state.

use crate::process::Process;
use crate::web::Web;
use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long anything that a user waits for may take in a test, on a machine that builds at the same time.
pub const PATIENCE: Duration = Duration::from_secs(90);

/// Where the binaries lie.
#[derive(Clone, Debug)]
pub struct Binaries {
    folder: PathBuf,
}

impl Binaries {
    /// The folder of the running test's or benchmark's own profile, or `DHARMA_BINARIES`.
    ///
    /// # Errors
    /// When the binaries are not there; the error says how to build them.
    pub fn find() -> Result<Self> {
        let folder = match std::env::var_os("DHARMA_BINARIES") {
            Some(folder) => PathBuf::from(folder),
            None => {
                let own = std::env::current_exe()?;
                let folder = own.parent().context("the executable lies in no folder")?;
                if folder.ends_with("deps") {
                    folder.parent().unwrap_or(folder).to_owned()
                } else {
                    folder.to_owned()
                }
            }
        };
        let found = Self { folder };
        for name in ["dharma-control-plane", "dharma-agent", "dharma"] {
            if !found.path(name).exists() {
                bail!(
                    "{} is missing; build it: cargo build -p control-plane -p agent -p cli",
                    found.path(name).display()
                );
            }
        }
        Ok(found)
    }

    /// One of them.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }
}

/// A control plane that runs, with a person logged in.
#[derive(Debug)]
pub struct ControlPlane {
    /// The process.
    pub process: Process,
    /// The REST API, logged in as the administrator.
    pub web: Web,
    /// host:port of the uplink.
    pub uplink: String,
    /// host:port of the enrollment service.
    pub enroll: String,
    /// Pin of the authority.
    pub pin: String,
    /// Its state folder.
    pub state: PathBuf,
}

/// The password of the administrator in tests.
pub const PASSWORD: &str = "correct horse battery staple";

impl ControlPlane {
    /// Starts it on free ports and sets up an administrator when there is none.
    ///
    /// # Errors
    /// When it ends, or is not ready in time.
    pub async fn start(binaries: &Binaries, folder: &Path) -> Result<Self> {
        Self::start_on(binaries, folder, "127.0.0.1:0", "127.0.0.1:0").await
    }

    /// Starts it with a fixed uplink and enrollment address, to come back where its agents look for it.
    ///
    /// # Errors
    /// When it ends, or is not ready in time.
    pub async fn start_on(
        binaries: &Binaries,
        folder: &Path,
        uplink: &str,
        enroll: &str,
    ) -> Result<Self> {
        std::fs::create_dir_all(folder)?;
        let state = folder.join("control-plane");
        let ready = folder.join("ready.json");
        drop(std::fs::remove_file(&ready));
        let arguments = [
            "run",
            "--state",
            &state.to_string_lossy(),
            "--listen",
            "127.0.0.1:0",
            "--uplink",
            uplink,
            "--enroll",
            enroll,
            "--ready-file",
            &ready.to_string_lossy(),
        ];
        let mut process = Process::start(
            &binaries.path("dharma-control-plane"),
            &arguments,
            &folder.join("control-plane.log"),
        )?;
        let addresses = wait_for("the control plane to be ready", || {
            process.check()?;
            Ok(std::fs::read(&ready)
                .ok()
                .and_then(|bytes| serde_json::from_slice::<Value>(&bytes).ok()))
        })
        .await?;
        let text = |field: &str| {
            addresses.get(field).and_then(Value::as_str).unwrap_or_default().to_owned()
        };
        let web = Web::new(&text("console"));
        log_in(&web, &state).await?;
        Ok(Self {
            process,
            web,
            uplink: text("uplink"),
            enroll: text("enroll"),
            pin: text("pin"),
            state,
        })
    }

    /// Mints a join token and puts it into a file that only its owner reads.
    ///
    /// # Errors
    /// When the control plane refuses.
    pub async fn join_token(&self, uses: u32, file: &Path) -> Result<String> {
        let token = self
            .web
            .post("/api/v1/tokens", json!({"kind": "join", "ttl_seconds": 3600, "uses": uses}))
            .await?;
        let text =
            token.get("text").and_then(Value::as_str).context("the token has no text")?.to_owned();
        std::fs::write(file, &text)?;
        Ok(text)
    }
}

async fn log_in(web: &Web, state: &Path) -> Result<()> {
    let session = web.get("/api/v1/session").await?;
    if session.get("setup_needed").and_then(Value::as_bool) == Some(true) {
        let code = std::fs::read_to_string(state.join("setup-code"))?;
        web.post(
            "/api/v1/setup",
            json!({"code": code.trim(), "name": "admin", "password": PASSWORD}),
        )
        .await?;
    } else {
        web.post("/api/v1/login", json!({"name": "admin", "password": PASSWORD})).await?;
    }
    Ok(())
}

/// Starts an agent that enrolls with a fresh token when it has no identity yet.
///
/// # Errors
/// When it cannot be started.
pub async fn start_agent(
    binaries: &Binaries,
    control_plane: &ControlPlane,
    folder: &Path,
) -> Result<Process> {
    std::fs::create_dir_all(folder)?;
    let state = folder.join("agent");
    let token = folder.join("token");
    let mut arguments =
        vec!["run".to_owned(), "--state".to_owned(), state.to_string_lossy().into_owned()];
    if !state.join("identity").join("agent.json").exists() {
        control_plane.join_token(1, &token).await?;
        arguments.extend(["--server".to_owned(), control_plane.enroll.clone()]);
        arguments.extend(["--token-file".to_owned(), token.to_string_lossy().into_owned()]);
    }
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    Process::start(&binaries.path("dharma-agent"), &arguments, &folder.join("agent.log"))
}

/// Asks again until there is an answer; fails with what it waited for when patience ends.
///
/// # Errors
/// When the question itself fails, or patience ends.
pub async fn wait_for<T>(what: &str, mut ask: impl FnMut() -> Result<Option<T>>) -> Result<T> {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    loop {
        if let Some(answer) = ask()? {
            return Ok(answer);
        }
        if tokio::time::Instant::now() > deadline {
            bail!("waited {} seconds in vain for {what}", PATIENCE.as_secs());
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// As [`wait_for`], for a question that is asked of the control plane.
///
/// # Errors
/// When the question itself fails, or patience ends.
pub async fn wait_for_web<T, F>(what: &str, mut ask: impl FnMut() -> F) -> Result<T>
where
    F: Future<Output = Result<Option<T>>>,
{
    let deadline = tokio::time::Instant::now() + PATIENCE;
    loop {
        if let Some(answer) = ask().await? {
            return Ok(answer);
        }
        if tokio::time::Instant::now() > deadline {
            bail!("waited {} seconds in vain for {what}", PATIENCE.as_secs());
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}
