//! A host of container engines: Podman, containerd and Docker of Debian 12 in namespaces and a control group of
//! their own, on a root that is thrown away.
//!
//! Nothing of it touches the machine that it runs on: mounts, network, processes and control groups end with it.
//! The root is made once from packages that are unpacked and never configured, so that no service is started.

use super::{cache, mirror, output_of, wait_until};
use anyhow::{Context, Result, bail};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// How long starting it, and starting a service in it, may take; a second alone, more beside a build.
const START_MAX: Duration = Duration::from_secs(60);

/// How long its processes may take to be gone after they were killed.
const END_MAX: Duration = Duration::from_secs(10);

/// Raised when what is in the root changes.
const ROOT: &str = "debian12-engines-1";

const PACKAGES: &str = "--include=podman,containerd,docker.io,busybox-static,dash,coreutils";

const PATH: &str = "PATH=/usr/sbin:/usr/bin:/sbin:/bin";

/// Run as process 1 of the new namespaces with the unpacked root, a folder to mount at and the agent: mounts what a
/// host has, and stays. The root is laid under a file system in memory; engines cannot lay theirs over one that is
/// laid already, so that their folders are in memory themselves.
const INIT: &str = r#"
set -e
lower=$1 place=$2 agent=$3
mount -t tmpfs tmpfs "$place"
mkdir "$place/upper" "$place/work" "$place/root"
mount -t overlay overlay -o "lowerdir=$lower,upperdir=$place/upper,workdir=$place/work" "$place/root"
root=$place/root
cd "$root"
mkdir -p proc sys dev run tmp root etc/containers var/tmp var/lib/containers var/lib/docker var/lib/containerd
mount -t proc proc proc
mount -t sysfs sysfs sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
mkdir sys/fs/cgroup/init
echo $$ > sys/fs/cgroup/init/cgroup.procs
mount --rbind /dev dev
for folder in dev/shm run var/lib/containers var/lib/docker var/lib/containerd; do
    mount -t tmpfs tmpfs "$folder"
done
rm -rf var/run
ln -s /run var/run
ln -sf iptables-nft usr/sbin/iptables
ln -sf ip6tables-nft usr/sbin/ip6tables
echo root:x:0:0:root:/root:/bin/sh > etc/passwd
echo root:x:0: > etc/group
printf '[containers]\npids_limit=0\n[engine]\nruntime="runc"\ncgroup_manager="cgroupfs"\nevents_logger="file"\n' > etc/containers/containers.conf
cp "$agent" usr/bin/dharma-agent
mkdir -p image/bin image/etc
cp bin/busybox image/bin
cp etc/passwd etc/group image/etc
for name in sh sleep; do ln -s busybox "image/bin/$name"; done
chroot . /bin/busybox tar cf image.tar -C image .
chroot . /bin/busybox ip link set lo up
exec chroot . /bin/busybox sleep 1000000
"#;

/// A running host; everything in it ends when it is dropped.
#[derive(Debug)]
pub struct Engines {
    outer: Child,
    init: u32,
    group: PathBuf,
    services: Vec<(String, Child)>,
    folder: tempfile::TempDir,
}

/// The unpacked root, made on first use. Tests that start at once wait for the one that makes it.
fn root() -> Result<PathBuf> {
    let root = cache()?.join(ROOT);
    let lock = std::fs::File::create(cache()?.join("engines.lock"))?;
    lock.lock()?;
    if !root.exists() {
        let fresh = cache()?.join("new-engines");
        if fresh.exists() {
            std::fs::remove_dir_all(&fresh)?;
        }
        let (place, mirror) = (fresh.to_string_lossy().into_owned(), mirror()?);
        let arguments = ["--variant=extract", "--format=directory", PACKAGES, "bookworm"];
        let arguments: Vec<&str> =
            arguments.into_iter().chain([place.as_str(), mirror.as_str()]).collect();
        output_of("mmdebstrap", "mmdebstrap", &arguments)?;
        std::fs::rename(&fresh, &root)?;
    }
    Ok(root)
}

/// Where the unified hierarchy of control groups is mounted: alone, or beside the older ones.
fn hierarchy() -> Result<PathBuf> {
    let mounts = std::fs::read_to_string("/proc/self/mountinfo")?;
    mounts
        .lines()
        .find(|line| line.contains(" - cgroup2 "))
        .and_then(|line| line.split(' ').nth(4))
        .map(PathBuf::from)
        .context("no control groups of version 2 are mounted")
}

impl Engines {
    /// Starts one with the agent in it.
    ///
    /// # Errors
    /// When not root, when a needed package is missing, or when it does not start in time.
    pub fn start(agent: &Path) -> Result<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let root = root()?;
        let folder = tempfile::tempdir()?;
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let group = hierarchy()?.join(format!("dharma-engines-{}-{number}", std::process::id()));
        std::fs::create_dir(&group).context("cannot make a control group; it needs root")?;
        let place = folder.path().join("place");
        std::fs::create_dir(&place)?;
        let log = std::fs::File::create(folder.path().join("log"))?;
        let outer = Command::new("sh")
            .args(["-c", "echo $$ > \"$0\" && exec \"$@\""])
            .arg(group.join("cgroup.procs"))
            // Ends with the test even when that is killed.
            .args(["setpriv", "--pdeathsig", "KILL"])
            .args(["unshare", "-m", "-p", "-n", "-u", "-i", "-C", "--fork", "--kill-child"])
            .args(["sh", "-c", INIT, "init"])
            .args([root.as_path(), place.as_path(), agent])
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn();
        let outer = match outer {
            Ok(outer) => outer,
            Err(error) => {
                drop(std::fs::remove_dir(&group));
                return Err(error).context("cannot run sh");
            }
        };
        let mut engines = Self { outer, init: 0, group, services: Vec::new(), folder };
        wait_until("the host of engines runs", START_MAX, || {
            if engines.outer.try_wait()?.is_some() {
                let log = std::fs::read_to_string(engines.folder.path().join("log"))?;
                bail!("the host of engines ended: {log}");
            }
            engines.init = engines.find_init().unwrap_or(0);
            Ok(engines.init != 0)
        })?;
        engines.hand_on_controllers()?;
        Ok(engines)
    }

    /// Lets groups below have the controllers that this one has, which it may when no process is in itself.
    fn hand_on_controllers(&self) -> Result<()> {
        let outside = self.group.join("outside");
        std::fs::create_dir(&outside)?;
        std::fs::write(outside.join("cgroup.procs"), self.outer.id().to_string())?;
        let controllers = std::fs::read_to_string(self.group.join("cgroup.controllers"))?;
        for controller in controllers.split_whitespace() {
            // One that is used otherwise cannot be had; engines do without.
            let line = format!("+{controller}");
            drop(std::fs::write(self.group.join("cgroup.subtree_control"), line));
        }
        Ok(())
    }

    fn find_init(&self) -> Option<u32> {
        let child = child_of(self.outer.id())?;
        let name = std::fs::read_to_string(format!("/proc/{child}/comm")).ok()?;
        (name.trim() == "busybox").then_some(child)
    }

    /// The place of one of its files on this machine.
    #[must_use]
    pub fn path(&self, absolute: &str) -> PathBuf {
        PathBuf::from(format!("/proc/{}/root{absolute}", self.init))
    }

    fn command(&self, command: &[&str]) -> Command {
        let mut entered = Command::new("sh");
        entered
            .args(["-c", "echo $$ > \"$0\" && exec \"$@\""])
            .arg(self.group.join("init/cgroup.procs"))
            .args(["nsenter", "-t", &self.init.to_string(), "-a", "-r", "-w"])
            .args(["env", "-i", PATH, "HOME=/root"])
            .args(command)
            .stdin(Stdio::null());
        entered
    }

    /// Runs a command inside and gives its standard output.
    ///
    /// # Errors
    /// When it cannot be run or fails, with what it said.
    pub fn run(&self, command: &[&str]) -> Result<String> {
        let output = self.command(command).output()?;
        anyhow::ensure!(
            output.status.success(),
            "{}: {}\n{}",
            command.join(" "),
            output.status,
            String::from_utf8_lossy(&output.stderr)
        );
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// Starts a service inside and waits until a command that asks it succeeds.
    ///
    /// # Errors
    /// When it ends, or does not answer in time.
    pub fn serve(&mut self, service: &[&str], question: &[&str]) -> Result<()> {
        let name = (*service.first().context("a service has a name")?).to_owned();
        let log = self.folder.path().join(&name);
        let file = std::fs::File::create(&log)?;
        let child = self.command(service).stdout(file.try_clone()?).stderr(file).spawn()?;
        self.services.push((name.clone(), child));
        wait_until(&format!("{name} answers"), START_MAX, || {
            if let Some((_, child)) = self.services.last_mut()
                && let Some(status) = child.try_wait()?
            {
                bail!("{name} ended: {status}\n{}", std::fs::read_to_string(&log)?);
            }
            Ok(self.run(question).is_ok())
        })
    }

    /// Ends a service, as a crash would; what it started goes on.
    ///
    /// # Errors
    /// When there is none of that name.
    pub fn end_service(&mut self, name: &str) -> Result<()> {
        let place = self.services.iter().position(|(own, _)| own == name);
        let (_, mut child) = self.services.remove(place.context("there is no such service")?);
        // What enters a process namespace does so by a child, which is the service.
        let service = child_of(child.id()).context("the service has ended")?;
        crate::process::signal(service, libc::SIGKILL)?;
        child.wait()?;
        Ok(())
    }
}

impl Drop for Engines {
    fn drop(&mut self) {
        // An end without ceremony: without its process 1 everything in the namespaces ends, mounts with them.
        drop(std::fs::write(self.group.join("cgroup.kill"), "1"));
        drop(self.outer.kill());
        drop(self.outer.wait());
        for (_, service) in &mut self.services {
            drop(service.kill());
            drop(service.wait());
        }
        let is_gone = wait_until("its control groups are gone", END_MAX, || {
            remove_groups(&self.group);
            Ok(!self.group.exists())
        });
        drop(is_gone);
    }
}

fn child_of(pid: u32) -> Option<u32> {
    let children = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).ok()?;
    children.split_whitespace().next()?.parse().ok()
}

/// Removes a control group with those in it, the deepest first; one that still holds a process stays.
fn remove_groups(group: &Path) {
    for entry in std::fs::read_dir(group).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            remove_groups(&entry.path());
        }
    }
    drop(std::fs::remove_dir(group));
}
