//! A network for sweeps: namespaces joined by veth pairs, on this machine and seen by nobody else. Needs root.
//!
//! `a` is where the sweep runs. `b` answers for all of 10.96.0.0/16, listens on [`OPEN`] and can be made to lose packets
//! or to swallow those to a network. `c` lies behind a wire that takes [`SLOW`] for the way there and back, and listens
//! on the same ports at [`SLOW_HOST`]; the kernel needs no queueing discipline for it, because the wire is a program
//! between two TUN devices.
//!
//! Programs inside of the namespaces are this package's own, started by the binary that is named to [`Lab::start`].

pub mod serve;
pub mod wire;

use crate::machines::output_of;
use crate::process::Process;
use anyhow::{Context, Result, bail};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// TCP ports that accept at every address of the network and at the slow host.
pub const OPEN: [u16; 2] = [22, 80];

/// A TCP port that accepts only at [`REAL_HOST`].
pub const REAL_PORT: u16 = 443;

/// The one address of the network that listens on [`REAL_PORT`].
pub const REAL_HOST: &str = "10.96.1.7";

/// A network of 24 bits that answers.
pub const LIVE: &str = "10.96.1.0/24";

/// All that answers.
pub const WIDE: &str = "10.96.0.0/16";

/// A network of 24 bits that swallows everything.
pub const SILENT: &str = "10.96.200.0/24";

/// The host behind the slow wire.
pub const SLOW_HOST: &str = "10.98.0.1";

/// How long its answers take.
pub const SLOW: Duration = Duration::from_millis(800);

/// Networks that this process started.
static STARTED: AtomicU32 = AtomicU32::new(0);

/// How long programs of the lab have to be ready.
const READY_LIMIT: Duration = Duration::from_secs(20);

/// A network; it goes when it is dropped.
#[derive(Debug)]
pub struct Lab {
    prefix: String,
    binary: PathBuf,
    folder: tempfile::TempDir,
    programs: Vec<Process>,
}

impl Lab {
    /// Builds the network. `binary` understands `serve` and `wire`.
    ///
    /// # Errors
    /// When this is not root, or a tool is missing.
    pub async fn start(binary: &Path) -> Result<Self> {
        // Several tests of one process have a network each.
        let number = STARTED.fetch_add(1, Ordering::Relaxed);
        let prefix = format!("sweep-{}-{number}", std::process::id());
        let mut lab = Self {
            prefix,
            binary: binary.to_owned(),
            folder: tempfile::tempdir()?,
            programs: Vec::new(),
        };
        for place in ["a", "b", "c"] {
            ip(&format!("netns add {}", lab.place(place)))
                .context("the network of namespaces needs root")?;
            lab.ip(place, "link set lo up")?;
        }
        let (a, b) = (lab.place("a"), lab.place("b"));
        ip(&format!("link add v0 netns {a} type veth peer name v0 netns {b}"))?;
        for (place, address) in [("a", "10.95.0.1/30"), ("b", "10.95.0.2/30")] {
            lab.ip(place, &format!("addr add {address} dev v0"))?;
            lab.ip(place, "link set v0 up")?;
        }
        lab.ip("a", "route add 10.96.0.0/14 via 10.95.0.2")?;
        lab.ip("b", &format!("route add local {WIDE} dev lo"))?;
        lab.in_place("b", "sh", &["-c", SETTINGS])?;
        lab.rules("b", &format!("ip daddr {SILENT} drop"))?;
        lab.connect_slow_host().await?;
        lab.serve("b", &format!("{REAL_HOST}:{REAL_PORT}")).await?;
        lab.serve("c", "").await?;
        Ok(lab)
    }

    async fn connect_slow_host(&mut self) -> Result<()> {
        self.run_in("b", &["wire"], "wire").await?;
        let c = self.place("c");
        self.ip("b", &format!("link set {} netns {c}", wire::FAR))?;
        self.ip("b", &format!("link set {} up", wire::NEAR))?;
        self.ip("b", &format!("route add {SLOW_HOST}/32 dev {}", wire::NEAR))?;
        self.ip("c", &format!("link set {} up", wire::FAR))?;
        self.ip("c", &format!("addr add {SLOW_HOST}/32 dev lo"))?;
        self.ip("c", &format!("route add default dev {}", wire::FAR))
    }

    async fn serve(&mut self, place: &str, extra: &str) -> Result<()> {
        let mut arguments = vec!["serve"];
        if !extra.is_empty() {
            arguments.push(extra);
        }
        self.run_in(place, &arguments, "serve").await
    }

    /// Starts the lab's own program in a namespace and waits until it says that it is ready.
    async fn run_in(&mut self, place: &str, arguments: &[&str], name: &str) -> Result<()> {
        let log = self.folder.path().join(format!("{place}-{name}.log"));
        let namespace = self.place(place);
        let binary = self.binary.to_str().context("the path of the binary is no text")?;
        let mut line = vec!["netns", "exec", namespace.as_str(), binary];
        line.extend(arguments);
        let mut process = Process::start(Path::new("ip"), &line, &log)?;
        let end = tokio::time::Instant::now() + READY_LIMIT;
        while !process.output().contains("ready") {
            process.check()?;
            if tokio::time::Instant::now() > end {
                bail!("{place} {name} is not ready: {}", process.output());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        self.programs.push(process);
        Ok(())
    }

    /// Loses that many percent of all packets, in each direction.
    ///
    /// # Errors
    /// When nftables cannot be had.
    pub fn lose(&self, percent: u32) -> Result<()> {
        let loss = format!("iifname v0 numgen random mod 100 < {percent} drop");
        self.rules("a", &loss)?;
        self.rules("b", &format!("ip daddr {SILENT} drop\n{loss}"))
    }

    /// Has every TCP port of an address accept, as a firewall does that answers for others.
    ///
    /// # Errors
    /// When nftables cannot be had.
    pub fn accept_everything(&self, network: &str) -> Result<()> {
        let rules = format!(
            "table ip answering {{\nchain arriving {{\ntype nat hook prerouting priority -100;\nip daddr {network} meta l4proto tcp redirect to :80\n}}\n}}\n"
        );
        self.nft("b", &rules)
    }

    fn rules(&self, place: &str, rules: &str) -> Result<()> {
        self.nft(
            place,
            &format!(
                "table inet lab\ndelete table inet lab\ntable inet lab {{\nchain arriving {{\ntype filter hook prerouting priority -300;\n{rules}\n}}\n}}\n"
            ),
        )
    }

    fn nft(&self, place: &str, rules: &str) -> Result<()> {
        let file = self.folder.path().join("rules.nft");
        std::fs::write(&file, rules)?;
        let file = file.to_str().context("the temporary folder is no text")?;
        self.in_place(place, "nft", &["-f", file]).map(drop)
    }

    /// The name of a namespace.
    #[must_use]
    pub fn place(&self, name: &str) -> String {
        format!("{}-{name}", self.prefix)
    }

    /// The words before a command that runs where the sweep does.
    #[must_use]
    pub fn inside(&self) -> [String; 3] {
        ["netns".to_owned(), "exec".to_owned(), self.place("a")]
    }

    fn ip(&self, place: &str, words: &str) -> Result<()> {
        ip(&format!("-n {} {words}", self.place(place)))
    }

    fn in_place(&self, place: &str, program: &str, arguments: &[&str]) -> Result<Vec<u8>> {
        let namespace = self.place(place);
        let mut line = vec!["netns", "exec", namespace.as_str(), program];
        line.extend(arguments);
        output_of("iproute2 nftables", "ip", &line)
    }
}

/// It forwards to the slow host; the kernel's limits on answers are off, because one machine answers for 65,536.
const SETTINGS: &str = "
echo 1 > /proc/sys/net/ipv4/ip_forward
echo 0 > /proc/sys/net/ipv4/conf/all/rp_filter
echo 0 > /proc/sys/net/ipv4/icmp_ratelimit
echo 1000000 > /proc/sys/net/ipv4/icmp_msgs_per_sec 2>/dev/null
echo 65535 > /proc/sys/net/core/somaxconn
echo 65535 > /proc/sys/net/ipv4/tcp_max_syn_backlog
true";

impl Drop for Lab {
    fn drop(&mut self) {
        self.programs.clear();
        for place in ["a", "b", "c"] {
            // What was never made cannot be removed.
            drop(Command::new("ip").args(["netns", "delete", &self.place(place)]).output());
        }
    }
}

fn ip(words: &str) -> Result<()> {
    let words: Vec<&str> = words.split(' ').collect();
    output_of("iproute2", "ip", &words).map(drop)
}
