//! The agent as a process: started, asked, stopped and killed.

use crate::model_server::PATIENCE;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

/// The binary under test.
pub(crate) const BINARY: &str = env!("CARGO_BIN_EXE_dharma-agent");

/// An agent with its state directory.
pub(crate) struct Agent {
    directory: PathBuf,
    arguments: Vec<String>,
    process: Option<Child>,
}

impl Agent {
    /// An agent that is not running yet, looking at `root` every second.
    pub(crate) fn new(directory: &Path, root: &Path, more_config: &str) -> Self {
        let mut config = format!("root = \"{}\"\n", root.display());
        config.push_str("[uplink]\nstart_spread_seconds = 0\npause_max_seconds = 1\n");
        config.push_str("[readings]\ninterval_seconds = 10\n");
        for scope in ["accounts", "\"packages.dpkg\""] {
            config.push_str(&format!("[collectors.host.scopes.{scope}]\ninterval_seconds = 1\n"));
        }
        config.push_str(more_config);
        std::fs::write(directory.join("agent.toml"), config).unwrap();
        Self { directory: directory.to_owned(), arguments: Vec::new(), process: None }
    }

    /// Further arguments of `run`.
    pub(crate) fn with(mut self, arguments: &[&str]) -> Self {
        self.arguments = arguments.iter().map(|argument| (*argument).to_owned()).collect();
        self
    }

    /// Its state directory.
    pub(crate) fn state(&self) -> PathBuf {
        self.directory.join("state")
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(BINARY);
        command
            .args(arguments)
            .arg("--state")
            .arg(self.state())
            .arg("--config")
            .arg(self.directory.join("agent.toml"))
            .env("DHARMA_LOG", "info,agent::schedule=trace")
            .stdin(Stdio::null());
        command
    }

    /// Starts it; its log is appended to a file.
    pub(crate) fn start(&mut self) {
        let log =
            std::fs::OpenOptions::new().create(true).append(true).open(self.log_path()).unwrap();
        let mut command = self.command(&["run"]);
        command.args(&self.arguments).stdout(Stdio::null()).stderr(log);
        self.process = Some(command.spawn().unwrap());
    }

    fn log_path(&self) -> PathBuf {
        self.directory.join("agent.log")
    }

    /// All that it has logged.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.log_path()).unwrap_or_default()
    }

    /// Kills it at once.
    pub(crate) fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().unwrap();
            process.wait().unwrap();
        }
    }

    /// Asks it to stop and returns its exit code and how long it took.
    pub(crate) async fn stop(&mut self) -> (Option<i32>, Duration) {
        let mut process = self.process.take().unwrap();
        let killed =
            Command::new("kill").arg("-TERM").arg(process.id().to_string()).status().unwrap();
        assert!(killed.success());
        let began = tokio::time::Instant::now();
        loop {
            if let Some(status) = process.try_wait().unwrap() {
                return (status.code(), began.elapsed());
            }
            assert!(began.elapsed() < PATIENCE, "the agent does not stop");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Waits for it to end by itself.
    pub(crate) async fn ended(&mut self) -> Option<i32> {
        let process = self.process.as_mut().unwrap();
        let began = tokio::time::Instant::now();
        loop {
            if let Some(status) = process.try_wait().unwrap() {
                self.process = None;
                return status.code();
            }
            assert!(began.elapsed() < PATIENCE, "the agent goes on");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Runs another command on its state directory.
    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// Waits until its status says so.
    pub(crate) async fn until(&self, what: &str, is_so: impl Fn(&serde_json::Value) -> bool) {
        let began = tokio::time::Instant::now();
        loop {
            let output = self.run(&["status", "--json"]);
            let status = serde_json::from_slice(&output.stdout).unwrap_or(serde_json::Value::Null);
            if is_so(&status) {
                return;
            }
            assert!(began.elapsed() < PATIENCE, "in vain until {what}: {status}\n{}", self.log());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        if let Some(process) = &mut self.process {
            drop(process.kill());
            drop(process.wait());
        }
        if std::thread::panicking() {
            eprintln!("log of the agent:\n{}", self.log());
        }
    }
}
