//! A guest of QEMU with SMBIOS tables of our own: Debian's cloud kernel, a root in memory, the agent inside.
//!
//! It boots without a disk or network under software emulation, runs the given commands and powers off; what they
//! print comes back over the serial console between markers.

use super::archive::Archive;
use super::{cache, output_of};
use anyhow::{Context, Result, bail};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

/// How long the guest may take to boot, answer and power off; four seconds alone, more beside a build.
const LIFE_MAX: Duration = Duration::from_secs(150);

/// Debian's kernel for clouds, taken from its package and kept.
fn kernel() -> Result<PathBuf> {
    let folder = cache()?.join("kernel");
    if let Some(kernel) = kernel_in(&folder.join("boot")) {
        return Ok(kernel);
    }
    let listing = output_of("apt", "apt-cache", &["depends", "linux-image-cloud-amd64"])?;
    let listing = String::from_utf8_lossy(&listing).into_owned();
    let package = listing
        .lines()
        .find_map(|line| line.trim().strip_prefix("Depends: linux-image-"))
        .context("apt knows no linux-image-cloud-amd64; run apt-get update")?;
    std::fs::create_dir_all(&folder)?;
    let status = Command::new("apt-get")
        .args(["download", "-qq", &format!("linux-image-{package}")])
        .current_dir(&folder)
        .stdout(Stdio::null())
        .status()?;
    anyhow::ensure!(status.success(), "apt-get download linux-image-{package} failed");
    for entry in std::fs::read_dir(&folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "deb") {
            output_of(
                "dpkg",
                "dpkg-deb",
                &["-x", &path.to_string_lossy(), &folder.to_string_lossy()],
            )?;
            std::fs::remove_file(&path)?;
        }
    }
    // The modules are not needed, and they are most of the package.
    drop(std::fs::remove_dir_all(folder.join("lib")));
    kernel_in(&folder.join("boot")).context("the kernel's package holds no kernel")
}

fn kernel_in(folder: &Path) -> Option<PathBuf> {
    std::fs::read_dir(folder).ok()?.filter_map(Result::ok).map(|entry| entry.path()).find(|path| {
        path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("vmlinuz"))
    })
}

/// Boots a guest, runs each command in its shell and gives what each printed, by name.
///
/// # Errors
/// When QEMU or a needed package is missing, or the guest does not power off in time.
pub fn run(
    agent: &Path,
    smbios: &[&str],
    commands: &[(&str, &str)],
) -> Result<BTreeMap<String, String>> {
    let kernel = kernel()?;
    let folder = tempfile::tempdir()?;
    let root = folder.path().join("root.cpio");
    std::fs::write(&root, root_of(agent, commands)?)?;
    let serial = folder.path().join("serial");
    let mut arguments = vec![
        "-machine",
        "q35,accel=tcg",
        "-cpu",
        "max",
        "-smp",
        "2,sockets=1,cores=2",
        "-m",
        "512",
    ];
    arguments.extend(["-nodefaults", "-display", "none", "-no-reboot", "-net", "none"]);
    for table in smbios {
        arguments.extend(["-smbios", table]);
    }
    let (kernel, root) =
        (kernel.to_string_lossy().into_owned(), root.to_string_lossy().into_owned());
    let console = format!("file:{}", serial.display());
    arguments.extend(["-kernel", &kernel, "-initrd", &root, "-serial", &console]);
    arguments.extend(["-append", "console=ttyS0 quiet panic=-1 loglevel=0"]);
    let mut guest = Command::new("qemu-system-x86_64")
        .args(&arguments)
        .stdin(Stdio::null())
        .spawn()
        .context("cannot start QEMU; install it: apt-get install qemu-system-x86")?;
    let ended = wait(&mut guest);
    let output =
        String::from_utf8_lossy(&std::fs::read(&serial).unwrap_or_default()).replace('\r', "");
    ended.with_context(|| format!("the guest's console ends with:\n{}", tail(&output)))?;
    commands
        .iter()
        .map(|(name, _)| {
            let begin = format!("=== {name} begins\n");
            let end = format!("=== {name} ends\n");
            let text = output.split(&begin).nth(1).and_then(|rest| rest.split(&end).next());
            let text = text.with_context(|| {
                format!("`{name}` did not run; the console:\n{}", tail(&output))
            })?;
            Ok(((*name).to_owned(), text.to_owned()))
        })
        .collect()
}

fn tail(output: &str) -> String {
    let lines: Vec<&str> = output.lines().rev().take(15).collect();
    lines.into_iter().rev().collect::<Vec<_>>().join("\n")
}

fn wait(guest: &mut std::process::Child) -> Result<()> {
    use environment::Clock;
    let clock = environment::SystemClock;
    let begun = clock.monotonic();
    loop {
        if guest.try_wait()?.is_some() {
            return Ok(());
        }
        if clock.monotonic() - begun > LIFE_MAX {
            guest.kill()?;
            guest.wait()?;
            bail!("the guest did not power off within {} seconds", LIFE_MAX.as_secs());
        }
        #[expect(
            clippy::disallowed_methods,
            reason = "another process is waited for, and std has no wait with a limit"
        )]
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn root_of(agent: &Path, commands: &[(&str, &str)]) -> Result<Vec<u8>> {
    let mut archive = Archive::default();
    for folder in ["bin", "dev", "proc", "sys", "tmp", "etc", "run", "var", "usr"] {
        archive.folder(folder);
    }
    let busybox = Path::new("/usr/bin/busybox");
    anyhow::ensure!(busybox.exists(), "busybox is missing: apt-get install busybox-static");
    archive.file("bin/busybox", &std::fs::read(busybox)?);
    archive.link("bin/sh", "busybox");
    archive.program("bin/dharma-agent", agent)?;
    let dmidecode = Path::new("/usr/sbin/dmidecode");
    anyhow::ensure!(dmidecode.exists(), "dmidecode is missing: apt-get install dmidecode");
    archive.program("bin/dmidecode", dmidecode)?;
    archive.file("etc/os-release", b"ID=guest\nNAME=Guest\nPRETTY_NAME=\"Test guest\"\n");
    let mut init = String::from(
        "#!/bin/sh\nexport PATH=/bin HOME=/tmp\nbusybox mount -t devtmpfs none /dev\nbusybox mount -t proc none /proc\nbusybox mount -t sysfs none /sys\n",
    );
    for (name, command) in commands {
        init.push_str(&format!("echo '=== {name} begins'\n{command}\necho '=== {name} ends'\n"));
    }
    init.push_str("busybox poweroff -f\n");
    archive.file("init", init.as_bytes());
    Ok(archive.finish())
}
