//! A Debian with systemd as its process 1, in a container of systemd-nspawn with a network of its own.
//!
//! Works on a machine that has no systemd itself. The root is made once with mmdebstrap and kept; every start
//! unpacks a fresh one.

use super::{cache, mirror, output_of};
use anyhow::{Context, Result, bail};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// How long booting may take; two seconds alone, more beside a build.
const BOOT_MAX: Duration = Duration::from_secs(90);

/// A booted container; it is ended when it is dropped.
#[derive(Debug)]
pub struct Container {
    nspawn: Child,
    init: u32,
    root: PathBuf,
    _folder: tempfile::TempDir,
}

fn archive() -> Result<PathBuf> {
    // mmdebstrap goes by the name: only .tar makes a tar archive.
    let archive = cache()?.join("debian12-systemd.tar");
    if archive.exists() {
        return Ok(archive);
    }
    let fresh = cache()?.join(format!("new-{}.tar", std::process::id()));
    let mirror = mirror()?;
    let include = "--include=systemd,systemd-sysv,dbus,procps,cron,openssh-server";
    output_of(
        "mmdebstrap",
        "mmdebstrap",
        &["--variant=minbase", include, "bookworm", &fresh.to_string_lossy(), &mirror],
    )?;
    std::fs::rename(&fresh, &archive)?;
    Ok(archive)
}

impl Container {
    /// Boots a fresh one; `name` is its host name.
    ///
    /// # Errors
    /// When not root, when a needed package is missing, or when it does not boot in time.
    pub fn boot(name: &str) -> Result<Self> {
        let archive = archive()?;
        let folder = tempfile::tempdir()?;
        let root = folder.path().join("root");
        std::fs::create_dir(&root)?;
        output_of(
            "tar",
            "tar",
            &["xf", &archive.to_string_lossy(), "-C", &root.to_string_lossy()],
        )?;
        let id: String = std::fs::read_to_string("/proc/sys/kernel/random/uuid")?
            .chars()
            .filter(char::is_ascii_hexdigit)
            .collect();
        std::fs::write(root.join("etc/machine-id"), format!("{id}\n"))?;
        std::fs::write(root.join("etc/hostname"), format!("{name}\n"))?;
        let log = std::fs::File::create(folder.path().join("console"))?;
        let nspawn = Command::new("systemd-nspawn")
            .args([
                "-q",
                "-b",
                "-D",
                &root.to_string_lossy(),
                "--register=no",
                "--keep-unit",
                "--private-network",
            ])
            .args(["--console=pipe", &format!("--machine={name}")])
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .context(
                "cannot start systemd-nspawn; install it: apt-get install systemd-container",
            )?;
        let mut container = Self { nspawn, init: 0, root, _folder: folder };
        container.wait_until_booted()?;
        Ok(container)
    }

    fn wait_until_booted(&mut self) -> Result<()> {
        use environment::Clock;
        let clock = environment::SystemClock;
        let begun = clock.monotonic();
        loop {
            if self.nspawn.try_wait()?.is_some() {
                bail!("systemd-nspawn ended; it needs root");
            }
            self.init = self.find_init().unwrap_or(0);
            if self.init != 0 {
                let state = self.run(&["systemctl", "is-system-running"]).unwrap_or_default();
                if ["running", "degraded"].contains(&state.trim()) {
                    return Ok(());
                }
            }
            anyhow::ensure!(
                clock.monotonic() - begun < BOOT_MAX,
                "the container did not boot within {} seconds",
                BOOT_MAX.as_secs()
            );
            #[expect(
                clippy::disallowed_methods,
                reason = "another system is waited for, and it has no event for it"
            )]
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    fn find_init(&self) -> Option<u32> {
        let pid = self.nspawn.id();
        let children = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).ok()?;
        let child: u32 = children.split_whitespace().next()?.parse().ok()?;
        let name = std::fs::read_to_string(format!("/proc/{child}/comm")).ok()?;
        (name.trim() == "systemd").then_some(child)
    }

    /// Where its file system lies on this machine.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Runs a command inside and gives its standard output, whatever its exit code.
    ///
    /// # Errors
    /// When the command cannot be run.
    pub fn run(&self, command: &[&str]) -> Result<String> {
        let init = self.init.to_string();
        let output = Command::new("nsenter")
            .args(["-t", &init, "-a", "-r", "-w"])
            .args(command)
            .stdin(Stdio::null())
            .output()
            .context("cannot run nsenter; install it: apt-get install util-linux")?;
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// Copies a program of this machine into it. Its libraries are the same Debian's.
    ///
    /// # Errors
    /// When it cannot be copied.
    pub fn install(&self, program: &Path, place: &str) -> Result<()> {
        std::fs::copy(program, self.root.join(place.trim_start_matches('/')))?;
        Ok(())
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        // An end without ceremony: the root is thrown away. Without its process 1 everything in it ends.
        if self.init != 0 {
            drop(crate::process::signal(self.init, libc::SIGKILL));
        }
        drop(self.nspawn.kill());
        drop(self.nspawn.wait());
    }
}
