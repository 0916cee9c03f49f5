//! `cargo xtask up`: the whole product on this machine, from a checkout, without root.
//!
//! It builds what is missing, starts a control plane with the embedded store and an agent that enrolls by the same
//! road as any other, prints the address, and watches both until Ctrl-C. State lies in `.dharma/` of the checkout
//! and is kept: a second start continues. The children die with xtask, even if it is killed.

mod child;
mod ports;
mod signals;

use crate::workspace::{self, Profile, cargo};
use crate::{console, say, shell};
use anyhow::{Context, Result, bail};
use child::Child;
use serde_json::Value;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

/// The console's port when nothing else is said.
const PORT: u16 = 7400;

/// From the console's port to the one for agents and to the one for enrollment.
const UPLINK_OFFSET: u16 = 43;
const ENROLL_OFFSET: u16 = 44;

/// How often children are looked at, and files that they write.
const TICK: Duration = Duration::from_millis(100);

/// How long the control plane may take to be ready: opening a large store after a crash replays its log.
const READY_TIMEOUT: Duration = Duration::from_secs(120);

/// How long a child may take to end by itself.
const STOP_TIMEOUT: Duration = Duration::from_secs(10);

/// How to run the product.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Where data, logs and keys lie.
    #[arg(long, value_name = "DIR", default_value = ".dharma")]
    state: PathBuf,
    /// The console's port; agents connect to the one 43 above it, enrollment is 44 above it.
    #[arg(long, value_name = "N", default_value_t = PORT)]
    port: u16,
    /// Listen for other hosts at this address, with TLS for the console too.
    #[arg(long, value_name = "ADDRESS")]
    bind: Option<IpAddr>,
    /// A name by which other hosts reach it; needed with `--bind 0.0.0.0`, may be repeated.
    #[arg(long = "name", value_name = "NAME")]
    names: Vec<String>,
    /// Build with optimization.
    #[arg(long)]
    release: bool,
}

/// Runs until Ctrl-C (success) or until a child ends by itself (failure).
pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let profile = if arguments.release { Profile::Release } else { Profile::Dev };
    let home = Home::open(&arguments.state)?;
    let ports = Ports::from_console(arguments.port)?;
    ports.check_free()?;
    console::build_if_stale()?;
    say::progress("building control plane, agent and command line");
    shell::run(
        cargo()
            .args(["build", "-p", "control-plane", "-p", "agent", "-p", "cli"])
            .args(profile.arguments()),
    )?;
    let binaries = workspace::target_directory()?.join(profile.folder());

    let stop = signals::listen()?;
    let mut control_plane = start_control_plane(arguments, &home, &ports, &binaries)?;
    let served = match wait_until_ready(&mut control_plane, &home, &stop) {
        Ok(Some(served)) => served,
        Ok(None) => return stopped(vec![control_plane]),
        Err(error) => {
            control_plane.stop(STOP_TIMEOUT, &stop);
            return Err(error);
        }
    };
    let agent = match start_agent(&home, &served, &binaries) {
        Ok(agent) => agent,
        Err(error) => {
            control_plane.stop(STOP_TIMEOUT, &stop);
            return Err(error);
        }
    };
    announce(&home, &served);
    supervise(vec![agent, control_plane], &stop)
}

/// The folder of the state and what lies in it.
#[derive(Debug)]
struct Home {
    directory: PathBuf,
}

impl Home {
    fn open(directory: &Path) -> Result<Self> {
        let directory = if directory.is_absolute() {
            directory.to_owned()
        } else {
            workspace::root().join(directory)
        };
        std::fs::create_dir_all(&directory).with_context(|| {
            format!("cannot make {}: choose another place with --state", directory.display())
        })?;
        let home = Self { directory };
        if home.has_agent() && !home.control_plane().exists() {
            bail!(
                "{} holds an agent of a control plane that is gone: remove that folder too, and the agent enrolls anew",
                home.agent().display()
            );
        }
        Ok(home)
    }

    fn control_plane(&self) -> PathBuf {
        self.directory.join("control-plane")
    }

    fn agent(&self) -> PathBuf {
        self.directory.join("agent")
    }

    fn has_agent(&self) -> bool {
        self.agent().join("identity/agent.json").exists()
    }

    fn ready_file(&self) -> PathBuf {
        self.directory.join("control-plane.ready")
    }

    fn token_file(&self) -> PathBuf {
        self.directory.join("join-token")
    }

    fn log(&self, name: &str) -> PathBuf {
        self.directory.join(format!("{name}.log"))
    }

    fn setup_code(&self) -> Option<String> {
        let text = std::fs::read_to_string(self.control_plane().join("setup-code")).ok()?;
        let code = text.trim();
        (!code.is_empty()).then(|| code.to_owned())
    }
}

/// The three ports of a control plane.
#[derive(Debug, PartialEq, Eq)]
struct Ports {
    console: u16,
    uplink: u16,
    enroll: u16,
}

impl Ports {
    fn from_console(console: u16) -> Result<Self> {
        let sum = |offset| console.checked_add(offset);
        match (sum(UPLINK_OFFSET), sum(ENROLL_OFFSET)) {
            (Some(uplink), Some(enroll)) if console > 0 => Ok(Self { console, uplink, enroll }),
            _ => bail!(
                "port {console} leaves no room for the ports above it: choose one from 1 to 65491"
            ),
        }
    }

    fn check_free(&self) -> Result<()> {
        for port in [self.console, self.uplink, self.enroll] {
            if let Some(owner) = ports::owner(port) {
                bail!(
                    "port {port} is in use by {owner}: stop that, or run `cargo xtask up --port {}`",
                    other_port(self.console)
                );
            }
        }
        Ok(())
    }
}

/// A port to propose instead.
const fn other_port(port: u16) -> u16 {
    if port < 65_000 { port + 100 } else { PORT }
}

/// What the control plane said when it was ready.
#[derive(Debug, PartialEq, Eq)]
struct Served {
    console: String,
    enroll: String,
}

impl Served {
    fn parse(text: &str) -> Option<Self> {
        let value: Value = serde_json::from_str(text).ok()?;
        let field = |name: &str| Some(value.get(name)?.as_str()?.to_owned());
        Some(Self { console: field("console")?, enroll: field("enroll")? })
    }
}

fn start_control_plane(
    arguments: &Arguments,
    home: &Home,
    ports: &Ports,
    binaries: &Path,
) -> Result<Child> {
    // What an earlier run left would be taken for this one's.
    match std::fs::remove_file(home.ready_file()) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            return Err(error).context("cannot remove the old ready file");
        }
        _ => {}
    }
    let host = arguments.bind.unwrap_or(IpAddr::from([127, 0, 0, 1]));
    let mut command = Command::new(binaries.join("dharma-control-plane"));
    command.arg("run").arg("--state").arg(home.control_plane());
    for (option, port) in
        [("--listen", ports.console), ("--uplink", ports.uplink), ("--enroll", ports.enroll)]
    {
        command.arg(option).arg(SocketAddr::new(host, port).to_string());
    }
    if let Some(address) = &arguments.bind {
        command.arg("--bind").arg(address.to_string());
    }
    for name in &arguments.names {
        command.arg("--name").arg(name);
    }
    command.arg("--console-dir").arg(console::directory().join("dist"));
    command.arg("--ready-file").arg(home.ready_file());
    say::progress("starting the control plane");
    Child::start("control plane", command, &home.log("control-plane"))
}

/// Waits for the ready file; none when the person wants to stop.
fn wait_until_ready(
    control_plane: &mut Child,
    home: &Home,
    stop: &Receiver<()>,
) -> Result<Option<Served>> {
    let mut waited = Duration::ZERO;
    while waited < READY_TIMEOUT {
        if let Some(served) =
            std::fs::read_to_string(home.ready_file()).ok().as_deref().and_then(Served::parse)
        {
            return Ok(Some(served));
        }
        if let Some(status) = control_plane.ended()? {
            bail!(
                "the control plane ended ({status}) before it was ready\n{}",
                control_plane.log_tail()
            );
        }
        match stop.recv_timeout(TICK) {
            Ok(()) => return Ok(None),
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => waited += TICK,
        }
    }
    bail!(
        "the control plane was not ready within {} s\n{}",
        READY_TIMEOUT.as_secs(),
        control_plane.log_tail()
    )
}

fn start_agent(home: &Home, served: &Served, binaries: &Path) -> Result<Child> {
    let mut command = Command::new(binaries.join("dharma-agent"));
    command.arg("run").arg("--state").arg(home.agent());
    if !home.has_agent() {
        say::progress("enrolling the agent of this machine");
        mint_token(home, binaries)?;
        command.args(["--server", &served.enroll]).arg("--token-file").arg(home.token_file());
    }
    say::progress("starting the agent");
    Child::start("agent", command, &home.log("agent"))
}

/// A token for one agent, in a file that only we can read.
fn mint_token(home: &Home, binaries: &Path) -> Result<()> {
    match std::fs::remove_file(home.token_file()) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            return Err(error).context("cannot remove the old join token");
        }
        _ => {}
    }
    let mut command = Command::new(binaries.join("dharma-control-plane"));
    command.args(["token", "create", "--ttl", "600", "--uses", "1"]);
    command.arg("--state").arg(home.control_plane()).arg("--out").arg(home.token_file());
    shell::output(&mut command)
        .map(drop)
        .context("cannot make a join token for the agent of this machine")
}

fn announce(home: &Home, served: &Served) {
    let mut lines = vec![format!("Dharma runs: {}", served.console)];
    match home.setup_code() {
        Some(code) => {
            lines.push(format!("Setup code:  {code}  (asked for once, to make the first account)"))
        }
        None => lines.push("Log in with the account that you made.".to_owned()),
    }
    lines.push(format!("Logs:        {}", home.log("control-plane").display()));
    lines.push(format!("             {}", home.log("agent").display()));
    lines.push("Ctrl-C stops it; the next `cargo xtask up` continues.".to_owned());
    say::boxed(&lines);
}

/// Watches the children, agent first, until the person stops them or one ends.
fn supervise(mut children: Vec<Child>, stop: &Receiver<()>) -> Result<ExitCode> {
    loop {
        match stop.recv_timeout(TICK) {
            Ok(()) => return stopped_by(children, stop),
            Err(RecvTimeoutError::Disconnected | RecvTimeoutError::Timeout) => {}
        }
        for index in 0..children.len() {
            let Some(child) = children.get_mut(index) else { continue };
            let Some(status) = child.ended()? else { continue };
            let report =
                format!("the {} ended by itself ({status})\n{}", child.name(), child.log_tail());
            children.remove(index);
            stopped_by(children, stop)?;
            bail!("{report}");
        }
    }
}

fn stopped(children: Vec<Child>) -> Result<ExitCode> {
    let (_never, stop) = std::sync::mpsc::channel();
    stopped_by(children, &stop)
}

fn stopped_by(children: Vec<Child>, stop: &Receiver<()>) -> Result<ExitCode> {
    for mut child in children {
        say::progress(&format!("stopping the {}", child.name()));
        child.stop(STOP_TIMEOUT, stop);
    }
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_without_room_above_it_is_refused() {
        for port in [0, 65_492, u16::MAX] {
            assert!(Ports::from_console(port).is_err(), "{port}");
        }
        assert_eq!(
            Ports::from_console(7400).unwrap(),
            Ports { console: 7400, uplink: 7443, enroll: 7444 }
        );
    }

    #[test]
    fn an_occupied_port_is_named_with_its_owner_and_another_is_proposed() {
        let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = taken.local_addr().unwrap().port();
        let ports = Ports { console: port, uplink: port, enroll: port };
        let error = ports.check_free().unwrap_err().to_string();
        assert!(error.contains(&format!("port {port} is in use by")), "{error}");
        assert!(error.contains(&format!("(pid {})", std::process::id())), "{error}");
        assert!(error.contains("--port"), "{error}");
    }

    #[test]
    fn a_ready_file_that_is_half_written_is_not_yet_there() {
        assert_eq!(Served::parse(""), None);
        assert_eq!(Served::parse(r#"{"console":"http://127.0.0.1:7400","#), None);
        let whole =
            r#"{"console":"http://127.0.0.1:7400","uplink":"a:1","enroll":"a:2","pin":"sha256:"}"#;
        assert_eq!(Served::parse(whole).unwrap().enroll, "a:2");
    }

    #[test]
    fn an_agent_whose_control_plane_is_gone_is_named() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(directory.path().join("agent/identity")).unwrap();
        std::fs::write(directory.path().join("agent/identity/agent.json"), "{}").unwrap();
        assert!(Home::open(directory.path()).unwrap_err().to_string().contains("enrolls anew"));
        std::fs::create_dir(directory.path().join("control-plane")).unwrap();
        assert!(Home::open(directory.path()).is_ok());
    }

    #[test]
    fn the_death_of_a_child_is_reported_with_the_end_of_its_log_and_stops_the_others() {
        let directory = tempfile::tempdir().unwrap();
        let shell = |script: &str| {
            let mut command = Command::new("sh");
            command.args(["-c", script]);
            command
        };
        let other =
            Child::start("agent", shell("exec sleep 600"), &directory.path().join("agent.log"))
                .unwrap();
        let other_id = other.id();
        let dying = shell("echo cannot open the store; exit 7");
        let dying =
            Child::start("control plane", dying, &directory.path().join("control-plane.log"))
                .unwrap();
        let (_sender, stop) = std::sync::mpsc::channel();
        let error = supervise(vec![other, dying], &stop).unwrap_err().to_string();
        assert!(
            error.contains("control plane ended by itself")
                && error.contains("cannot open the store"),
            "{error}"
        );
        assert!(!Path::new(&format!("/proc/{other_id}")).exists());
    }
}
