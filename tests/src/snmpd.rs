//! Real agents of SNMP: net-snmp's `snmpd` on loopback addresses, with users of every protocol of Debian's build.

use crate::process::Process;
use anyhow::{Context, Result, bail};
use std::fmt::Write as _;
use std::net::UdpSocket;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Addresses of one process: its list of addresses has room for about a thousand letters.
const ADDRESSES_OF_ONE: usize = 40;

/// How long an agent may take to answer for the first time.
const READY_MAX: Duration = Duration::from_secs(20);

/// Password of authentication of every user.
pub const AUTH_PASSWORD: &str = "auth-pass-1";
/// Password of privacy of every user.
pub const PRIVACY_PASSWORD: &str = "priv-pass-1";

/// Users: name, protocols of authentication and privacy as snmpd.conf(5) writes them.
pub const USERS: &[(&str, &str, &str)] = &[
    ("md5des", "MD5", "DES"),
    ("shaaes", "SHA", "AES"),
    ("sha224aes", "SHA-224", "AES"),
    ("sha256aes", "SHA-256", "AES"),
    ("sha256aes192", "SHA-256", "AES-192"),
    ("sha384aes256", "SHA-384", "AES-256"),
    ("sha512aes256", "SHA-512", "AES-256"),
    // Here the digest is shorter than the key, which is extended.
    ("shaaes192", "SHA", "AES-192"),
    ("md5aes256", "MD5", "AES-256"),
    ("authonly", "SHA-256", ""),
    ("nobody", "", ""),
];

/// Running agents; they end when this is dropped.
#[derive(Debug)]
pub struct Agents {
    processes: Vec<Process>,
    /// The port on which all of them answer.
    pub port: u16,
    /// Their addresses.
    pub addresses: Vec<String>,
}

fn program() -> PathBuf {
    PathBuf::from("/usr/sbin/snmpd")
}

/// Whether the agent is installed.
#[must_use]
pub fn is_installed() -> bool {
    program().exists()
}

fn configuration(addresses: &[String], port: u16) -> Result<String> {
    let list: Vec<String> = addresses.iter().map(|one| format!("udp:{one}:{port}")).collect();
    let mut text = format!("agentaddress {}\n", list.join(","));
    text.push_str(
        "sysName agent.example.net\nsysLocation Rack 7\nsysContact ops@example.net\n\
         view sysonly included .1.3.6.1.2.1.1\nrocommunity public 127.0.0.0/8\n\
         rocommunity sysonly 127.0.0.0/8 -V sysonly\ndontLogTCPWrappersConnects yes\n",
    );
    for (name, auth, privacy) in USERS {
        let (mut create, mut level) = (format!("createUser {name}"), "noauth");
        if !auth.is_empty() {
            write!(create, " {auth} \"{AUTH_PASSWORD}\"")?;
            level = "authnopriv";
        }
        if !privacy.is_empty() {
            write!(create, " {privacy} \"{PRIVACY_PASSWORD}\"")?;
            level = "authpriv";
        }
        writeln!(text, "{create}\nrouser {name} {level}")?;
    }
    Ok(text)
}

impl Agents {
    /// Starts agents on these loopback addresses, all on one port.
    ///
    /// # Errors
    /// When the agent is not installed or does not answer.
    pub async fn start(folder: &Path, addresses: &[String]) -> Result<Self> {
        if !is_installed() {
            bail!("snmpd is not installed: apt-get install snmpd");
        }
        let first = addresses.first().context("agents need an address")?;
        // Free on the first address; the others are taken by nothing but these agents.
        let port = UdpSocket::bind((first.as_str(), 0))?.local_addr()?.port();
        let mut agents = Self { processes: Vec::new(), port, addresses: addresses.to_vec() };
        agents.spawn(folder).await?;
        Ok(agents)
    }

    /// Ends the processes and starts them again on the same addresses, with what they keep of themselves.
    ///
    /// # Errors
    /// When they do not answer again.
    pub async fn restart(&mut self, folder: &Path) -> Result<()> {
        for process in &mut self.processes {
            process.stop().await?;
        }
        self.processes.clear();
        self.spawn(folder).await
    }

    async fn spawn(&mut self, folder: &Path) -> Result<()> {
        for (number, some) in self.addresses.chunks(ADDRESSES_OF_ONE).enumerate() {
            let own = folder.join(format!("snmpd-{number}"));
            std::fs::create_dir_all(own.join("persistent"))?;
            let file = own.join("snmpd.conf");
            std::fs::write(&file, configuration(some, self.port)?)?;
            let file = file.to_str().context("the folder is no text")?;
            let persistent = format!("SNMP_PERSISTENT_DIR={}", own.join("persistent").display());
            let program = program();
            let program = program.to_str().context("the program is no text")?;
            let arguments =
                [&persistent, "MIBS=", program, "-f", "-Lo", "-I", "-smux", "-C", "-c", file];
            let env = Path::new("/usr/bin/env");
            self.processes.push(Process::start(env, &arguments, &own.join("log"))?);
        }
        let chunks = self.addresses.chunks(ADDRESSES_OF_ONE);
        let last: Vec<String> = chunks.filter_map(|some| some.last().cloned()).collect();
        for address in last {
            self.wait(&address).await?;
        }
        Ok(())
    }

    /// Waits until the agent at that address answers.
    async fn wait(&mut self, address: &str) -> Result<()> {
        use collector_snmp::message::{Operation, Version, community_request};
        let name = collector_snmp::oid::encoded(&[1, 3, 6, 1, 2, 1, 1, 5, 0]);
        let request = community_request(Version::V2c, b"public", Operation::Get, 1, &[&name]);
        let socket = tokio::net::UdpSocket::bind("127.0.0.1:0").await?;
        socket.connect((address, self.port)).await?;
        let asked = async {
            let mut answer = [0; 1500];
            loop {
                drop(socket.send(&request).await);
                let wait = Duration::from_millis(100);
                if let Ok(Ok(_)) = tokio::time::timeout(wait, socket.recv(&mut answer)).await {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        let answered = tokio::time::timeout(READY_MAX, asked).await;
        for process in &mut self.processes {
            process.check()?;
        }
        answered.with_context(|| format!("the agent at {address} does not answer"))
    }

    /// The process ids, to stop and continue them.
    #[must_use]
    pub fn pids(&self) -> Vec<u32> {
        self.processes.iter().map(Process::pid).collect()
    }
}
