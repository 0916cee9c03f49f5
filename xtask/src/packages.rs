//! Debian packages that tests need: installed as root, otherwise named in one line to copy.

use crate::{say, shell};
use anyhow::{Result, bail};
use std::process::Command;

/// Something outside of the workspace that tests compare with or run in.
#[derive(Debug)]
pub(crate) struct Peer {
    /// Its name after `--without`.
    pub(crate) name: &'static str,
    /// What it is for.
    pub(crate) purpose: &'static str,
    /// The programs it consists of, each with the Debian package that has it.
    pub(crate) programs: &'static [(&'static str, &'static str)],
    /// Parts of the names of the Rust tests that need it.
    pub(crate) tests: &'static [&'static str],
}

/// All peers of the tests.
pub(crate) const PEERS: &[Peer] = &[
    Peer {
        name: "chromium",
        purpose: "the console's end-to-end tests",
        programs: &[("chromium", "chromium")],
        tests: &[],
    },
    Peer {
        name: "tools",
        purpose: "comparison with the system's own tools",
        programs: &[
            ("dmidecode", "dmidecode"),
            ("getent", "libc-bin"),
            ("ip", "iproute2"),
            ("lsblk", "util-linux"),
            ("lscpu", "util-linux"),
            ("lshw", "lshw"),
            ("lspci", "pciutils"),
            ("mount", "mount"),
            ("nft", "nftables"),
            ("openssl", "openssl"),
            ("ps", "procps"),
            ("ss", "iproute2"),
            ("ssh-keygen", "openssh-client"),
            ("systemctl", "systemd"),
            ("unshare", "util-linux"),
        ],
        tests: &[
            "those_of_dpkg_query",
            "those_of_getent",
            "those_of_openssl",
            "those_of_ps",
            "those_of_ss",
            "those_of_ssh_keygen",
            "that_lscpu_sees",
            "that_ss_shows",
            "what_df_says",
            "what_dmidecode_reads",
            "what_ip_says",
            "what_lsblk_says",
            "what_lscpu_says",
            "what_lshw_says",
            "what_nft_says",
            "what_systemctl_says",
            "what_uname_and",
        ],
    },
    Peer {
        name: "systemd",
        purpose: "comparison with systemctl in a booted container",
        programs: &[("systemd-nspawn", "systemd-container"), ("mmdebstrap", "mmdebstrap")],
        tests: &["booted_systemd"],
    },
    Peer {
        name: "engines",
        purpose: "comparison with Podman, containerd and Docker, unpacked and not installed",
        programs: &[
            ("mmdebstrap", "mmdebstrap"),
            ("nsenter", "util-linux"),
            ("setpriv", "util-linux"),
            ("unshare", "util-linux"),
        ],
        tests: &["containers_of_podman", "containers_of_docker", "containers_of_containerd"],
    },
    Peer {
        name: "snmpd",
        purpose: "reading real agents over SNMP",
        programs: &[("snmpd", "snmpd"), ("snmpbulkwalk", "snmp")],
        tests: &["of_snmpd"],
    },
    Peer {
        name: "network-lab",
        purpose: "sweeps of a network of namespaces, beside nmap",
        programs: &[("ip", "iproute2"), ("nft", "nftables"), ("nmap", "nmap")],
        tests: &["sweep::sweep_"],
    },
    Peer {
        name: "qemu",
        purpose: "comparison with dmidecode, smartctl, LVM and mdadm in guests",
        programs: &[("busybox", "busybox-static"), ("qemu-system-x86_64", "qemu-system-x86")],
        tests: &["tables_of_a_guest", "drives_of_a_guest", "volumes_of_a_guest"],
    },
];

/// The peer of that name.
pub(crate) fn peer(name: &str) -> Result<&'static Peer> {
    PEERS.iter().find(|peer| peer.name == name).ok_or_else(|| {
        let names: Vec<&str> = PEERS.iter().map(|peer| peer.name).collect();
        say::plain(&format!("there is no peer `{name}`: the peers are {}", names.join(", ")))
    })
}

/// The Debian packages of programs that are not there.
pub(crate) fn missing(programs: &[(&str, &'static str)]) -> Vec<&'static str> {
    let mut packages: Vec<&str> = programs
        .iter()
        .filter(|(program, _)| !shell::is_installed(program))
        .map(|(_, package)| *package)
        .collect();
    packages.sort_unstable();
    packages.dedup();
    packages
}

/// What became of missing packages.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Installed {
    /// Everything is there.
    All,
    /// Not root; the line to type was printed.
    ByHand,
}

/// Installs packages as root; otherwise prints the line that does.
pub(crate) fn install(packages: &[&str]) -> Result<Installed> {
    if packages.is_empty() {
        return Ok(Installed::All);
    }
    let line = format!("apt-get install -y --no-install-recommends {}", packages.join(" "));
    if !shell::is_installed("apt-get") {
        bail!("this machine lacks what these Debian packages hold: {}", packages.join(", "));
    }
    if !is_root() {
        say::result(&format!("These packages are missing; install them with:\n\n  sudo {line}\n"));
        return Ok(Installed::ByHand);
    }
    say::note(&format!("installing {}", packages.join(", ")));
    shell::run(&mut apt(&["update", "-q"]))?;
    let mut arguments = vec!["install", "-y", "-q", "--no-install-recommends"];
    arguments.extend(packages);
    shell::run(&mut apt(&arguments))?;
    Ok(Installed::All)
}

/// Fetches apt's lists where there are none: the systemd, engines and qemu peers are made of packages that tests
/// download.
pub(crate) fn ensure_lists() -> Result<()> {
    let has_lists = std::fs::read_dir("/var/lib/apt/lists").is_ok_and(|lists| {
        lists.flatten().any(|list| list.file_name().to_string_lossy().contains("_Packages"))
    });
    if has_lists || !is_root() || !shell::is_installed("apt-get") {
        return Ok(());
    }
    shell::run(&mut apt(&["update", "-q"]))
}

/// Installs what can be installed, each package for itself, and says what could not.
pub(crate) fn try_install(packages: &[&str]) {
    if packages.is_empty() || !is_root() || !shell::is_installed("apt-get") {
        for package in packages {
            say::note(&format!("not installed: {package}"));
        }
        return;
    }
    if let Err(error) = shell::run(quiet(&mut apt(&["update", "-q"]))) {
        say::note(&error.to_string());
    }
    for package in packages {
        let mut command = apt(&["install", "-y", "-q", "--no-install-recommends", package]);
        if let Err(error) = shell::run(quiet(&mut command)) {
            say::note(&format!("not installed: {package} ({error})"));
        }
    }
}

/// Standard output belongs to the benchmark.
fn quiet(command: &mut Command) -> &mut Command {
    command.stdout(std::process::Stdio::null())
}

fn apt(arguments: &[&str]) -> Command {
    let mut command = Command::new("apt-get");
    command.env("DEBIAN_FRONTEND", "noninteractive").args(arguments);
    command
}

fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt;
    // The owner of our own entry in /proc is the effective user.
    std::fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_peer_is_refused_with_the_names_of_all() {
        let error = peer("oracle").unwrap_err().to_string();
        assert!(error.contains("`oracle`") && error.contains("chromium"), "{error}");
    }

    #[test]
    fn the_package_of_a_missing_program_is_named_once() {
        assert_eq!(
            missing(&[("no-such-a", "pack"), ("no-such-b", "pack"), ("sh", "dash")]),
            ["pack"]
        );
    }

    #[test]
    fn nothing_missing_installs_nothing() {
        assert_eq!(install(&[]).unwrap(), Installed::All);
    }
}
